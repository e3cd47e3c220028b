"""The figure of the BlueGene/L experiment, drawn with matplotlib (the extra `plots`), which is imported only here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from offscript.evaluate.bgl import NEW, OURS, PAPER, Bgl, Run
from offscript.evaluate.pictures import COLOURS, Drawing, draw_figures, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DETECTORS: Final = {OURS: COLOURS[0], PAPER: COLOURS[1], NEW: COLOURS[2]}


def draw_bgl(found: Bgl, folder: Path) -> list[str]:
    """Draw every figure there are results for as PNG (ours), and return the files' names; needs the extra `plots`."""
    return draw_figures(_FIGURES, found, folder)


def told_delay(delay: int | None) -> str:
    """When reports come, in words."""
    return "no feedback" if delay is None else "at once" if delay == 0 else f"{delay:,} entries later"


def _progress(found: Bgl, figure: Figure) -> bool:
    """F1 and false alarms so far, over the stream: a column for each share, a row for each measure."""
    if not found.runs:
        return False
    shares = found.plan.shares
    panels: Any = figure.subplots(2, len(shares), sharex="col", squeeze=False)
    for column, share in enumerate(shares):
        for run in found.of(share):
            _f1(panels[0][column], run)
            _alarms(panels[1][column], run)
        panels[0][column].set_title(f"trained on the first {share:.0%}", loc="left", fontsize=10)
        panels[1][column].set_xlabel("entries judged, millions", fontsize=9)
    for axes, name in ((panels[0][0], "F1 so far"), (panels[1][0], "false alarms so far")):
        axes.set_ylabel(name, fontsize=9)
    figure.legend(
        *panels[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False, fontsize=8
    )
    return True


def _line(axes: Axes, run: Run, heights: list[float]) -> None:
    delays = {None: ":", 0: "-"}
    axes.plot(
        [row[0] / 1e6 for row in run.curve],
        heights,
        color=DETECTORS[run.detector],
        linestyle=delays.get(run.delay, "--"),
        linewidth=2.6 if run.detector == NEW else 1.3,
        zorder=1 if run.detector == NEW else 2,
        label=f"{run.detector}, {told_delay(run.delay)}",
    )


def _f1(axes: Axes, run: Run) -> None:
    _line(axes, run, [2 * tp / max(1, 2 * tp + fp + fn) for _, tp, fp, fn in run.curve])
    axes.set_ylim(0, 1.02)
    plain_axes(axes)


def _alarms(axes: Axes, run: Run) -> None:
    _line(axes, run, [fp for _, _, fp, _ in run.curve])
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0)
    plain_axes(axes)


_FIGURES: Final[tuple[Drawing[Bgl], ...]] = (("bgl-progress.png", (10, 7), _progress),)
