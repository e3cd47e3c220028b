"""The small drawings of a page: bars of what was expected, and a number beside its normal range.

Positions are in percent and sizes in pixels, so a drawing fits any width without its text being scaled with it; no
drawing has a style of its own, which the page's policy would refuse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from offscript.entries import Expected, Measured
from offscript.parse.numbers import shown
from offscript.report.markup import Html, join, tag
from offscript.report.names import Names

FAR = 20.0
"""A number this many times the end of its range away is drawn on a logarithmic scale: on a plain one the range would
be a line of a few pixels."""

WIDEST = 1e12
"""Ratio of the ends of a logarithmic scale at most: what is smaller stands at its left end, as nothing does."""

LEAST = 1e-290
"""Below it logarithms of quotients fail; no measure of anything is so small."""

MARGIN = 0.06
"""Share of the plot left free at both ends, for the signs that stand there."""


def share(probability: float) -> str:
    """Write a probability as people read it.

    >>> share(0.987), share(0.0004), share(1.0), share(0.9999), share(0.0)
    ('99%', '<1%', '100%', '>99%', '0%')
    """
    if 0 < probability < 0.01:
        return "<1%"
    if 0.995 <= probability < 1:
        return ">99%"
    return f"{probability:.0%}"


def expected_bars(expected: Sequence[Expected], came: Html, names: Names) -> Html:
    """Draw what was expected next, a bar each, and what came instead; nothing where nothing was expected."""
    if not expected:
        return Html("")
    row = tag("li", {"class": "came"}, tag("span", {"class": "pct"}, "came"), came)
    return tag("ul", {"class": "bars"}, *(_bar(one, names) for one in expected), row)


def _bar(one: Expected, names: Names) -> Html:
    width = f"{100 * min(1.0, max(0.0, one.probability)):.2f}%"
    bar = tag(
        "svg",
        {"class": "bar", "width": "100%", "height": 8, "aria-hidden": "true"},
        tag("rect", {"class": "track", "width": "100%", "height": 8, "rx": 4}),
        tag("rect", {"class": "fill", "width": width, "height": 8, "rx": 4}),
    )
    return tag(
        "li", None, tag("span", {"class": "pct"}, share(one.probability)), names.told(one.key, one.template), bar
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a number stands on a plot: `at` gives percent of its width."""

    at: Callable[[float], float]
    ticks: tuple[float, ...]
    is_log: bool


def scale_of(measured: Measured) -> Scale:
    """Choose the scale: logarithmic where the number is far beyond its range and all is positive."""
    points = (measured.low, measured.middle, measured.high, measured.number)
    least, most = min(points), max(points)
    lowest = min((point for point in points if point > 0), default=0.0)
    is_far = most > FAR * abs(measured.high) or measured.number * FAR < measured.low
    can_be_log = least >= 0 and most > LEAST
    return _logarithmic(least, lowest, most) if can_be_log and is_far else _linear(least, most)


def _linear(least: float, most: float) -> Scale:
    span = (most - least) or abs(most) or 1.0

    def at(number: float) -> float:
        return 100 * (MARGIN + (1 - 2 * MARGIN) * ((number - least) / span))

    return Scale(at, _round_ticks(least, most), is_log=False)


def _logarithmic(least: float, lowest: float, most: float) -> Scale:
    """A scale of powers of ten; what is 0 stands at its left end."""
    floor = max(lowest if least > 0 else lowest / 10, most / WIDEST)
    first, last = math.log10(floor), math.log10(most)
    span = (last - first) or 1.0

    def at(number: float) -> float:
        where = math.log10(max(number, floor)) - first
        return 100 * (MARGIN + (1 - 2 * MARGIN) * where / span)

    step = max(1, math.ceil((last - first) / 6))
    return Scale(at, tuple(10.0**n for n in range(math.ceil(first), math.floor(last) + 1, step)), is_log=True)


def _round_ticks(least: float, most: float) -> tuple[float, ...]:
    """Round numbers between two, about four.

    >>> _round_ticks(0.0, 10.0)
    (0.0, 2.5, 5.0, 7.5, 10.0)
    """
    span = most - least
    if not (span > LEAST and math.isfinite(span)):
        return (least,)
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = min((s * power for s in (1, 2, 2.5, 5, 10)), key=lambda s: abs(span / s - 4))
    first = math.ceil(least / step)
    return tuple(n * step for n in range(first, first + 8) if n * step <= most + step * 1e-9)


def value_plot(measured: Measured, *, share_inside: str = "") -> Html:
    """Draw a number against its normal range and median, and say the same in words under it."""
    scale = scale_of(measured)
    low, high = scale.at(measured.low), scale.at(measured.high)
    width = max(high - low, 0.8)  # at least some pixels: a range may be one number
    where = scale.at(measured.number)
    number, unit = measured.number, measured.unit
    parts: list[Html] = [
        _line("axis", 0, 100, 44),
        *(_tick(scale.at(tick), shown(tick, unit), place, len(scale.ticks)) for place, tick in enumerate(scale.ticks)),
        tag("rect", {"class": "band", "x": f"{low:.2f}%", "y": 20, "width": f"{width:.2f}%", "height": 24, "rx": 3}),
        _upright("middle", scale.at(measured.middle), 20, 44),
        _upright("far", where, 16, 44),
        tag("circle", {"class": "dot", "cx": f"{where:.2f}%", "cy": 16, "r": 6}),
        _label(where, shown(number, unit)),
    ]
    told = f"{shown(number, unit)}; normal {shown(measured.low, unit)} to {shown(measured.high, unit)}"
    drawing = tag("svg", {"class": "plot", "width": "100%", "height": 66, "role": "img", "aria-label": told}, *parts)
    return tag("figure", {"class": "value"}, drawing, _legend(measured, scale, share_inside))


def _legend(measured: Measured, scale: Scale, share_inside: str) -> Html:
    unit = measured.unit
    normal = f"normal{f' ({share_inside})' if share_inside else ''}: "
    return tag(
        "figcaption",
        None,
        tag("span", {"class": "key-dot"}, "this one: ", tag("b", None, shown(measured.number, unit))),
        tag("span", {"class": "key-band"}, f"{normal}{shown(measured.low, unit)} to {shown(measured.high, unit)}"),
        tag("span", {"class": "key-middle"}, f"median {shown(measured.middle, unit)}"),
        *([tag("span", {"class": "quiet"}, "logarithmic scale")] if scale.is_log else []),
    )


def _line(name: str, left: float, right: float, height: int) -> Html:
    return tag("line", {"class": name, "x1": f"{left:.2f}%", "x2": f"{right:.2f}%", "y1": height, "y2": height})


def _upright(name: str, where: float, top: int, bottom: int) -> Html:
    return tag("line", {"class": name, "x1": f"{where:.2f}%", "x2": f"{where:.2f}%", "y1": top, "y2": bottom})


def _label(where: float, told: str) -> Html:
    """The number beside its dot, on the side where there is room."""
    end = where > 50
    place = {"x": f"{where:.2f}%", "dx": -12 if end else 12, "y": 14, "class": "told"}
    return tag("text", place | {"text-anchor": "end" if end else "start"}, told)


def _tick(where: float, told: str, place: int, of: int) -> Html:
    """A number under the axis; every other one is left out on a phone."""
    anchor = "middle"
    name = "tick" if place % 2 == 0 or of <= 3 else "tick wide"
    return join(
        [
            _upright(name, where, 44, 49),
            tag("text", {"class": name, "x": f"{where:.2f}%", "y": 62, "text-anchor": anchor}, told),
        ]
    )
