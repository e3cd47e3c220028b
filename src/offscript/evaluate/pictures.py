"""Figures of the experiments, drawn with matplotlib (the extra `plots`), which is imported only here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from offscript.evaluate.parsing import MEAN, Parsing, mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

T = TypeVar("T")

Drawing: TypeAlias = tuple[str, tuple[float, float], Callable[[T, "Figure"], bool]]
"""A figure to be: its file, its size in inches, and what draws it, if there are results for it."""

INSTALL: Final = "the extra `plots`: pip install '.[plots]' in the source folder"

COLOURS: Final = ("#0072B2", "#E69F00", "#999999")
"""Blue and orange of Okabe and Ito's palette, and grey: told apart by the colour-blind; the order is the legend's."""

PANELS: Final = {
    "ga": "GA: share of the lines in a right group",
    "fga": "FGA: F1 of the groups",
    "pa": "PA: share of the lines with a right template",
    "fta": "FTA: F1 of the templates",
}


def can_draw() -> bool:
    """Tell whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def draw_parsing(parsing: Parsing, path: Path) -> None:
    """Draw the four measures of every parser on every system, and their means, as grouped bars (ours).

    The picture is PNG; it shows the messages of the better reference there is. Needs the extra `plots`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  (an extra)
    from matplotlib.figure import Figure  # noqa: PLC0415

    names = [*parsing.systems, MEAN]
    figure = Figure(figsize=(max(7.0, 0.85 * len(names) + 1), 9.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels: Any = figure.subplots(len(PANELS), 1, sharex=True)
    for axes, measure in zip(panels, PANELS, strict=True):
        _draw_panel(axes, parsing, measure, names)
    last: Axes = panels[-1]
    last.set_xticks(_places(names), names, rotation=30, ha="right", rotation_mode="anchor")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    figure.savefig(path, dpi=130, metadata={"Software": None})


def draw_figures(drawings: Sequence[Drawing[T]], found: T, folder: Path) -> list[str]:
    """Draw every figure there are results for as PNG (ours), and return the files' names; needs the extra `plots`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  (an extra)
    from matplotlib.figure import Figure  # noqa: PLC0415

    drawn: list[str] = []
    for name, size, draw in drawings:
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        if draw(found, figure):
            figure.savefig(folder / name, dpi=130, metadata={"Software": None})
            drawn.append(name)
    return drawn


def _places(names: list[str]) -> list[float]:
    # the mean stands a little apart
    return [place + 0.4 * (name == MEAN) for place, name in enumerate(names)]


def _draw_panel(axes: Axes, parsing: Parsing, measure: str, names: list[str]) -> None:
    reference = parsing.references[0]
    width = 0.84 / len(parsing.parsers)
    for number, parser in enumerate(parsing.parsers):
        rows = parsing.of(parser, reference)
        bars = {row.system: row.accuracy for row in [*rows, *([mean(rows)] if rows else [])]}
        shift = (number - (len(parsing.parsers) - 1) / 2) * width
        place = {name: place + shift for name, place in zip(names, _places(names), strict=True)}
        heights = {name: getattr(accuracy, measure) for name, accuracy in bars.items() if accuracy is not None}
        colour = COLOURS[number % len(COLOURS)]
        axes.bar([place[name] for name in heights], list(heights.values()), 0.92 * width, color=colour, label=parser)
        for name in bars.keys() - heights.keys():
            axes.text(place[name], 0.02, "failed", rotation=90, ha="center", va="bottom", fontsize=7)
    axes.set_title(PANELS[measure], loc="left", fontsize=10)
    axes.set_ylim(0, 1.02)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    axes.axvline(len(names) - 1.3, color="#bbbbbb", linewidth=0.8)
    axes.tick_params(axis="x", length=0)
    axes.margins(x=0.01)
    plain_axes(axes)


def plain_axes(axes: Axes) -> None:
    """Leave of the frame what is read: thin lines across, no border above and at the right (ours)."""
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
