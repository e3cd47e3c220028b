"""Figures of the HDFS experiment, drawn with matplotlib (the extra `plots`), which is imported only here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from offscript.evaluate.hdfs import Facts, Hdfs
from offscript.evaluate.hdfs_data import TITLES
from offscript.evaluate.hdfs_detectors import SHARES
from offscript.evaluate.hdfs_paper import PARAMETERS, SYMBOLS, TABLE_4, TOP_G
from offscript.evaluate.hdfs_scoring import Row
from offscript.evaluate.pictures import COLOURS, Drawing, draw_figures, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEASURES: Final = {"precision": "precision", "recall": "recall", "f1": "F1"}

PAPER: Final[dict[str, Any]] = {"marker": "D", "color": "black", "markersize": 3.5, "linestyle": "none", "zorder": 3}


def draw_hdfs(found: Hdfs, folder: Path) -> list[str]:
    """Draw every figure there are results for as PNG (ours), and return the files' names; needs the extra `plots`."""
    return draw_figures(_FIGURES, found, folder)


def _table(found: Hdfs, figure: Figure) -> bool:
    """Figure 6a: precision, recall and F1 of every detector, a panel for each copy, the paper's beside."""
    panels: Any = figure.subplots(len(found.copies), 1, squeeze=False)[:, 0]
    for axes, facts in zip(panels, found.copies, strict=True):
        rows = found.of(facts.name)
        for place, measure in enumerate(MEASURES):
            _bars(axes, rows, measure, place)
        axes.set_xticks(range(len(rows)), [row.name for row in rows], rotation=35, ha="right", rotation_mode="anchor")
        axes.set_title(_title(facts), loc="left", fontsize=10)
        axes.set_ylim(0, 1.02)
        plain_axes(axes)
    handles, labels = panels[0].get_legend_handles_labels()
    wanted = dict(zip(labels, handles, strict=True))
    figure.legend(wanted.values(), wanted.keys(), loc="outside upper center", ncols=len(wanted), frameon=False)
    return True


def _bars(axes: Axes, rows: Sequence[Row], measure: str, place: int) -> None:
    shift = (place - 1) * 0.28
    heights = [row.mean(measure) for row in rows]
    spreads = [row.spread(measure) for row in rows]
    around = [
        [max(0.0, height - low) for height, (low, _) in zip(heights, spreads, strict=True)],
        [max(0.0, high - height) for height, (_, high) in zip(heights, spreads, strict=True)],
    ]
    at = [number + shift for number in range(len(rows))]
    axes.bar(at, heights, 0.26, color=COLOURS[place], label=MEASURES[measure])
    axes.errorbar(at, heights, around, fmt="none", ecolor="#444444", elinewidth=0.8)
    known = [(where, row.paper) for where, row in zip(at, rows, strict=True) if row.paper is not None]
    axes.plot(
        [where for where, _ in known], [getattr(TABLE_4[name], measure) for _, name in known], label="paper", **PAPER
    )


def _top_g(found: Hdfs, figure: Figure) -> bool:
    """Figure 6b: the share of normal keys within g."""
    if found.swept is None:
        return False
    axes = figure.subplots()
    shares = found.swept.top_g
    axes.plot(range(1, len(shares) + 1), shares, "o-", color=COLOURS[0], label="DeepLog with END, our run")
    axes.plot(range(1, len(TOP_G) + 1), TOP_G, label="paper, figure 6b", **PAPER)
    axes.set_xlabel("g")
    axes.set_title("share of the keys of normal sessions among the g likeliest", loc="left", fontsize=10)
    axes.legend(frameon=False)
    plain_axes(axes)
    return True


def _parameters(found: Hdfs, figure: Figure) -> bool:
    """Figure 8: precision, recall and F1 by h, g, L and alpha."""
    if found.swept is None:
        return False
    settings = list(dict.fromkeys(point.setting for point in found.swept.points))
    panels: Any = figure.subplots(2, 2, sharey=True).flat
    for axes, setting in zip(panels, settings, strict=False):
        points = [point for point in found.swept.points if point.setting == setting]
        for place, (measure, name) in enumerate(MEASURES.items()):
            values = [getattr(point.outcome, measure) for point in points]
            axes.plot([point.value for point in points], values, "o-", color=COLOURS[place], label=name)
            paper = PARAMETERS[setting]
            axes.plot(list(paper), [known[place] for known in paper.values()], "D:", color=COLOURS[place], alpha=0.5)
        axes.set_xlabel(SYMBOLS[setting])
        plain_axes(axes)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    figure.supxlabel("circles: our run of DeepLog with END; diamonds, dotted: the paper's figure 8", fontsize=9)
    return True


def _training(found: Hdfs, figure: Figure) -> bool:
    """The loss above its floor as training goes on, and what training on fewer sessions costs."""
    left, right = figure.subplots(1, 2)
    for number, curve in enumerate(found.curves):
        steps, losses = zip(*curve.points, strict=True) if curve.points else ((), ())
        left.plot(steps, losses, color=COLOURS[0], linewidth=0.9, label="" if number else "our networks")
        left.axhline(curve.floor, color=COLOURS[0], linestyle=":", linewidth=0.9, label="" if number else "their floor")
    if found.swept is not None and found.swept.curve:
        steps, losses = zip(*found.swept.curve, strict=True)
        left.plot(steps, losses, color=COLOURS[1], linewidth=0.9, label="DeepLog, every window")
        left.axhline(found.swept.floor, color=COLOURS[1], linestyle=":", linewidth=0.9, label="its floor")
    left.set_xlabel("step")
    left.set_title("loss, nats a pair", loc="left", fontsize=10)
    left.legend(frameon=False, fontsize=8)
    for place, (measure, name) in enumerate(MEASURES.items()):
        values = [getattr(size.outcome, measure) for size in found.sizes]
        right.plot([size.sessions for size in found.sizes], values, "o-", color=COLOURS[place], label=name)
    right.set_ylim(top=1.005)
    left.set_ylim(0)
    right.set_xlabel("training sessions")
    right.set_title("ours, 0.1% asked", loc="left", fontsize=10)
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        plain_axes(axes)
    return bool(found.curves or found.sizes)


def _promises(found: Hdfs, figure: Figure) -> bool:
    """Promised and realised shares, split by split, with the bounds."""
    if not found.promises:
        return False
    panels: Any = figure.subplots(1, len(found.copies), squeeze=False, sharey=True)[0]
    for axes, facts in zip(panels, found.copies, strict=True):
        kept = [one for one in found.promises if one.copy == facts.name]
        for place, asked in enumerate(SHARES):
            some = [one for one in kept if one.asked == asked]
            at = [place + (number - (len(some) - 1) / 2) * 0.14 for number in range(len(some))]
            axes.plot(at, [one.realised for one in some], "o", color=COLOURS[0], label="" if place else "realised")
            axes.plot(at, [one.promised for one in some], "_", color="black", label="" if place else "promised")
            bounds = [one.bound / one.judged for one in some]
            axes.plot(at, bounds, "v", color=COLOURS[1], label="" if place else "99% bound")
        axes.set_xticks(range(len(SHARES)), [f"{share:.1%} asked" for share in SHARES])
        axes.set_yscale("symlog", linthresh=min(SHARES))  # a share of none at all has a place, too
        axes.set_ylim(0)
        axes.set_title(f"{TITLES.get(facts.name, facts.name)}: {kept[0].judged:,} a split", loc="left", fontsize=10)
        plain_axes(axes)
    panels[0].set_ylabel("share of other normal sessions")
    panels[0].legend(frameon=False)
    return True


def _title(facts: Facts) -> str:
    scaled = "" if facts.scale == 1 else f", false positives scaled by {facts.scale:.1f}"
    judged = f"{facts.normals:,} normal, {facts.anomalies:,} anomalous sessions"
    return f"{TITLES.get(facts.name, facts.name)}: {judged}{scaled}"


_FIGURES: Final[tuple[Drawing[Hdfs], ...]] = (
    ("hdfs-table.png", (11, 9), _table),
    ("hdfs-top-g.png", (6, 4), _top_g),
    ("hdfs-parameters.png", (8, 6), _parameters),
    ("hdfs-training.png", (9, 4), _training),
    ("hdfs-promises.png", (9, 4), _promises),
)
