"""What SVG drawings of workflows are made of: their style, shapes, and how wide a text is (ours)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from html import escape
from typing import Final

from offscript.workflow.layout import ARROW, Box, Point, Route

SWATCH = 22.0  # a sample line in the legend

TEXT, SMALL, WORDS, HEAD = 12.0, 10.0, 10.5, 13.0  # pixels: of a label, what is below it, an edge's words, the head

_COLOURS: Final = {
    # name: light, dark; text at 4.5:1 against its ground or better, lines at 3:1
    "canvas": ("#ffffff", "#10151c"),
    "box": ("#f4f6f9", "#1b232d"),
    "ink": ("#17202b", "#e8edf3"),
    "quiet": ("#56616e", "#a1adba"),
    "line": ("#7b8794", "#77879a"),
    "slow": ("#b84a00", "#ffa05c"),
    "path": ("#1464c8", "#74b4ff"),
    "wrong": ("#c4183c", "#ff7d90"),
}


def _variables(which: int) -> str:
    return "".join(f"--ow-{name}:var(--offscript-{name},{both[which]});" for name, both in _COLOURS.items())


STYLE: Final = (
    f".ow{{{_variables(0)}}}\n"
    f"@media (prefers-color-scheme:dark){{.ow{{{_variables(1)}}}}}\n"
    ".ow{font-family:var(--offscript-font,system-ui,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif);"
    f"font-size:{TEXT:g}px}}\n"
    ".ow-canvas{fill:var(--ow-canvas)}\n"
    ".ow text{fill:var(--ow-ink)}\n"
    ".ow .ow-quiet{fill:var(--ow-quiet);font-size:10px}\n"
    ".ow .ow-words{font-size:10.5px;fill:var(--ow-quiet)}\n"
    ".ow .ow-head{font-weight:600;font-size:13px}\n"
    ".ow-step rect,.ow-round circle{fill:var(--ow-box);stroke:var(--ow-line)}\n"
    ".ow-bar rect{fill:var(--ow-ink)}\n"
    ".ow .ow-dot{fill:var(--ow-ink);stroke:none}\n"
    ".ow-edge path{stroke:var(--ow-line)}\n"
    ".ow-edge polygon{fill:var(--ow-line)}\n"
    ".ow-edge .ow-hit{stroke:transparent}\n"
    ".ow-slow path{stroke:var(--ow-slow)}\n"
    ".ow-slow polygon{fill:var(--ow-slow)}\n"
    ".ow .ow-slow text{fill:var(--ow-slow);font-weight:600}\n"
    ".ow-path path{stroke:var(--ow-path)}\n"
    ".ow-path polygon{fill:var(--ow-path)}\n"
    ".ow-path rect,.ow-path circle{stroke:var(--ow-path)}\n"
    ".ow-wrong path{stroke:var(--ow-wrong)}\n"
    ".ow-wrong polygon{fill:var(--ow-wrong)}\n"
    ".ow .ow-wrong text{fill:var(--ow-wrong);font-weight:600}\n"
    ".ow-left rect{stroke:var(--ow-wrong)}\n"
    ".ow-missing rect{fill:none;stroke:var(--ow-wrong)}\n"
    ".ow .ow-badge{fill:var(--ow-wrong);stroke:none}\n"
    ".ow .ow-cross{stroke:var(--ow-canvas)}\n"
    ".ow-aside{opacity:.6}\n"
    "@media print{.ow-edge path,.ow-step rect{print-color-adjust:exact}}\n"
)
"""The style of the drawings. A page that holds several puts it in its own style sheet, and draws with `styled=False`.

The page may set `--offscript-canvas`, `-box`, `-ink`, `-quiet`, `-line`, `-slow`, `-path`, `-wrong` and `-font`.
"""

_TEXTS: Final = {
    "ow-ink": ("#17202b", TEXT),
    "ow-words": ("#56616e", WORDS),
    "ow-quiet": ("#56616e", SMALL),
    "ow-head": ("#17202b", HEAD),
}
"""Colour and size of each kind of text, for a reader that knows no style sheet."""


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return about how wide a text is in pixels in any common font without serifs, rather too much than too little."""
    units = sum(_units(character) for character in text)
    return round(units * size * (1.07 if bold else 1.0), 1)


def _units(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if character in "mwMW@%…—":
        return 0.93
    if character in "iljtfrI.,:;'|!()[] ·":
        return 0.36
    return 0.73 if character.isupper() or not character.isascii() else 0.59


def safe(text: str) -> str:
    """Return text for an element; it has been made printable before, but for the line ends of titles."""
    return escape(text, quote=True)


def text_at(at: Point, text: str, kind: str = "ow-ink", *, middle: bool = False) -> str:
    """Return a text element, at the left end of its base line or at the middle."""
    fill, size = _TEXTS[kind]
    anchor = "middle" if middle else "start"
    look = f'text-anchor="{anchor}" fill="{fill}" font-size="{size:g}"'
    return f'<text class="{kind}" x="{at[0]:g}" y="{at[1]:g}" {look}>{safe(text)}</text>'


def path_of(route: Route) -> str:
    """Return an edge's curve as the data of a path."""
    parts = [f"M{_at(route.start)}"]
    last = route.start
    for first, second, end in route.curves:
        if first in (last, end) and second in (last, end):
            parts.append(f"L{_at(end)}")
        elif first == second:
            parts.append(f"Q{_at(first)} {_at(end)}")
        else:
            parts.append(f"C{_at(first)} {_at(second)} {_at(end)}")
        last = end
    return "".join(parts)


def arrow_of(route: Route) -> str:
    """Return the corners of an edge's arrowhead, which points down or to the left."""
    x, y = route.tip
    back = route.curves[-1][2]
    if abs(back[1] - y) >= abs(back[0] - x):
        rear: Iterable[Point] = ((x - 4.2, y - ARROW), (x + 4.2, y - ARROW))
    else:
        rear = ((x + ARROW, y - 4.2), (x + ARROW, y + 4.2))
    return " ".join(_at(point) for point in ((x, y), *rear))


def _at(point: Point) -> str:
    return f"{round(point[0], 1):g} {round(point[1], 1):g}"


def rectangle(box: Box, radius: float, fill: str, more: str = "") -> str:
    """Return a rectangle with rounded corners; `more` are further attributes."""
    x, y = box.x - box.width / 2, box.y - box.height / 2
    size = f'width="{box.width:g}" height="{box.height:g}"'
    return f'<rect x="{x:g}" y="{y:g}" {size} rx="{radius:g}" fill="{fill}" {more}/>'


def cross(at: Point) -> str:
    """Return the mark of a departure: a cross in a disc."""
    x, y = at
    return (
        f'<circle class="ow-badge" cx="{x:g}" cy="{y:g}" r="8" fill="#c4183c" stroke="none"/>'
        f'<path class="ow-cross" d="M{x - 3:g} {y - 3:g}l6 6m0-6l-6 6" stroke="#fff" stroke-width="2" fill="none"/>'
    )


def sample(kind: str, x: float, y: float) -> str:
    """Return the sample of a legend's entry, its left end and middle at (x, y)."""
    if kind == "none":
        return ""
    if kind == "cross":
        return cross((x + SWATCH / 2, y))
    if kind == "dashes":
        dashed = 'stroke="#c4183c" stroke-dasharray="4 2.5" fill="none"'
        return (
            f'<g class="ow-missing"><rect x="{x:g}" y="{y - 5:g}" width="{SWATCH:g}" height="10" rx="3" {dashed}/></g>'
        )
    return f'<g class="{kind}"><path d="M{x:g} {y:g}h{SWATCH:g}" stroke="#7b8794" stroke-width="3"/></g>'
