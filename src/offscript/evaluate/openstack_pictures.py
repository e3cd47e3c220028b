"""Figures of the OpenStack experiment, drawn with matplotlib (the extra `plots`), which is imported only here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from offscript.evaluate.metrics import wilson
from offscript.evaluate.openstack import ASKED, Values
from offscript.evaluate.openstack_changes import Kind
from offscript.evaluate.openstack_controlled import OURS, Pooled, pooled
from offscript.evaluate.openstack_figure9 import CONFIDENCES, Telling
from offscript.evaluate.pictures import COLOURS, Drawing, draw_figures, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES: Final = (":", "--", "-")
"""How the thresholds are drawn, from the lowest confidence to the highest."""

DETECTORS: Final = (*COLOURS, "#009E73")
"""A fourth colour of the same palette, for the isolation forest."""


def draw_openstack(found: Values, folder: Path) -> list[str]:
    """Draw every figure there are results for as PNG (ours), and return the files' names; needs the extra `plots`."""
    return draw_figures(_FIGURES, found, folder)


def _figure_9(found: Values, figure: Figure) -> bool:
    """Figure 9: the error of each machine of the abnormal log, key by key, with the thresholds."""
    if not found.telling:
        return False
    rows = (len(found.telling) + 1) // 2
    panels: Any = figure.subplots(rows, 2, squeeze=False).flat
    for axes, one in zip(panels, found.telling, strict=False):
        _errors(axes, one, found.data.labelled)
    for axes in list(panels)[len(found.telling) :]:
        axes.set_axis_off()
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=5, frameon=False, fontsize=9
    )
    figure.supxlabel("machines of the abnormal log, in time order", fontsize=9)
    figure.supylabel("mean squared error of the key's vector, z-scored", fontsize=9)
    return True


def _errors(axes: Axes, one: Telling, labelled: frozenset[str]) -> None:
    for number, (known, name) in enumerate(((False, "machine"), (True, "labelled machine"))):
        places = [place for place, machine in enumerate(one.machines) if (machine in labelled) is known]
        size, order = (14, 2) if not known else (34, 3)
        heights = [one.errors[place] for place in places]
        axes.scatter(places, heights, s=size, color=COLOURS[number], marker="oD"[number], label=name, zorder=order)
    for line, confidence in zip(LINES, CONFIDENCES, strict=True):
        axes.axhline(
            one.threshold(confidence), color="black", linewidth=0.8, linestyle=line, label=f"{confidence:.4g} threshold"
        )
    axes.set_yscale("symlog", linthresh=one.threshold(CONFIDENCES[-1]))  # far anomalies, and what is near 0
    axes.set_ylim(0, 2 * axes.get_ylim()[1])  # so that a mark at the top is whole
    axes.set_title(one.template, loc="left", fontsize=9)
    plain_axes(axes)


def _changes(found: Values, figure: Figure) -> bool:
    """Recall of each kind of change, ours beside the simple detectors."""
    kinds = pooled(found.recalls)
    if not kinds:
        return False
    axes = figure.subplots()
    names = [OURS, *(peer.name for peer in found.peers)]
    width = 0.84 / len(names)
    for number, (name, colour) in enumerate(zip(names, DETECTORS, strict=False)):
        at = [place + (number - (len(names) - 1) / 2) * width for place in range(len(kinds))]
        axes.bar(at, [one.share(name) for one in kinds], 0.92 * width, color=colour, label=name)
    axes.set_xticks(range(len(kinds)), [told(one) for one in kinds], fontsize=8)
    axes.set_ylim(0, 1.02)
    axes.set_title("recall: share of the changed machines that were flagged", loc="left", fontsize=10)
    axes.tick_params(axis="x", length=0)
    figure.legend(loc="outside upper center", ncols=len(names), frameon=False, fontsize=9)
    plain_axes(axes)
    return True


def told(one: Pooled) -> str:
    """A kind of change, in three short lines."""
    if one.kind in (Kind.SIZE, Kind.STATUS):
        return f"{one.kind.value}\n{'doubled' if one.kind is Kind.SIZE else 'changed'}"
    return f"{one.kind.value}\n{'narrow' if one.narrow else 'wider'}\n{one.factor:g} x"


def _origins(found: Values, figure: Figure) -> bool:
    """The share of later normal machines flagged, by how many were trained on."""
    if not found.rolling:
        return False
    axes = figure.subplots()
    at = range(len(found.rolling))
    shares = [part.share for part in found.rolling]
    bounds = [wilson(len(part.flagged), part.judged) for part in found.rolling]
    around = [
        [share - low for share, (low, _) in zip(shares, bounds, strict=True)],
        [high - share for share, (_, high) in zip(shares, bounds, strict=True)],
    ]
    axes.errorbar(at, shares, around, fmt="o", color=COLOURS[0], capsize=3, label="flagged, 95% interval")
    axes.axhline(ASKED, color="black", linewidth=0.8, linestyle="--", label=f"asked: {ASKED:.0%}")
    axes.set_xticks(at, [f"{part.trained} trained\n{part.judged} judged" for part in found.rolling], fontsize=8)
    axes.set_ylim(0)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    plain_axes(axes)
    return True


_FIGURES: Final[tuple[Drawing[Values], ...]] = (
    ("openstack-figure9.png", (10, 6.5), _figure_9),
    ("openstack-changes.png", (10, 4.5), _changes),
    ("openstack-origins.png", (7, 3.5), _origins),
)
