"""The timeline of a page: when each incident was, a lane for each reason, over the time that the log spans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from offscript.entries import Reason
from offscript.plain import duration
from offscript.render import clock
from offscript.report.contents import Shown
from offscript.report.markup import Html, tag

MARKS = 400
"""Incidents drawn in a lane; of more, neighbours are drawn as one: more than one for each two pixels is not seen."""

EDGE = 1.0
"""Percent left free at both ends, so that the first and the last mark are whole."""

TICKS = 5


def timeline(cases: Sequence[Shown], span: tuple[float, float] | None) -> Html:
    """Draw when the incidents were; a sentence where the log has no times.

    A mark leads to its incident, whose number is its place in `cases`.
    """
    timed = [(case, n) for n, case in enumerate(cases, 1) if case.incident.start is not None]
    if not timed:
        return tag("p", {"class": "quiet"}, "The log has no times." if cases else "Nothing was found.")
    first, last = _span(timed, span)
    lanes = [_lane(reason, [one for one in timed if _reason(one[0]) is reason], first, last) for reason in Reason]
    axis = tag("div", {"class": "lane axis"}, tag("span", None), _axis(first, last))
    told = f"{clock(first)[:19]} to {clock(last)[:19]} UTC, {duration(last - first)}"
    return tag("figure", {"class": "timeline"}, *lanes, axis, tag("figcaption", None, told))


def _reason(case: Shown) -> Reason:
    return case.incident.first.verdict.reason


def _span(timed: Sequence[tuple[Shown, int]], span: tuple[float, float] | None) -> tuple[float, float]:
    starts = [case.incident.start for case, _ in timed if case.incident.start is not None]
    ends = [case.incident.end for case, _ in timed if case.incident.end is not None]
    first, last = min(starts), max([*starts, *ends])
    return (first, last) if span is None else (min(first, span[0]), max(last, span[1]))


def _lane(reason: Reason, timed: Sequence[tuple[Shown, int]], first: float, last: float) -> Html:
    if not timed:
        return Html("")
    marks = [_mark(case, number, first, last) for case, number in _thinned(timed)]
    told = f"{len(timed):,} of {reason.value}"
    drawing = tag("svg", {"width": "100%", "height": 22, "role": "img", "aria-label": told}, *marks)
    label = tag("span", {"class": f"lane-name r-{reason.value}"}, reason.value, tag("b", None, f" {len(timed):,}"))
    return tag("div", {"class": f"lane r-{reason.value}"}, label, drawing)


def _thinned(timed: Sequence[tuple[Shown, int]]) -> Sequence[tuple[Shown, int]]:
    """At most `MARKS`, evenly chosen; each stands where its neighbours do."""
    if len(timed) <= MARKS:
        return timed
    ordered = sorted(timed, key=lambda one: one[0].incident.start or 0.0)
    return [ordered[n * len(ordered) // MARKS] for n in range(MARKS)]


def _mark(case: Shown, number: int, first: float, last: float) -> Html:
    incident = case.incident
    start = incident.start if incident.start is not None else first
    end = incident.end if incident.end is not None else start
    left, right = (_percent(time, first, last) for time in (start, max(start, end)))
    line = tag("line", {"x1": f"{left:.2f}%", "x2": f"{right:.2f}%", "y1": 11, "y2": 11})
    title = tag("title", None, f"{number}: {clock(start)[11:19]}, {len(incident.verdicts):,} verdicts")
    return tag("a", {"href": f"#i{number}", "tabindex": -1}, line, title)


def _percent(time: float, first: float, last: float) -> float:
    share = (time - first) / (last - first) if last > first else 0.5
    return EDGE + (100 - 2 * EDGE) * share


def _axis(first: float, last: float) -> Html:
    step = (last - first) / (TICKS - 1)
    marks = [_stamp(n, first + n * step, last - first) for n in range(TICKS if last > first else 1)]
    return tag("svg", {"width": "100%", "height": 20, "aria-hidden": "true"}, *marks)


def _stamp(place: int, time: float, span: float) -> Html:
    anchor = "start" if place == 0 else "end" if place == TICKS - 1 else "middle"
    name = "tick" if place in (0, TICKS - 1) else "tick wide"
    x = f"{100 * place / (TICKS - 1):.0f}%"
    return tag("text", {"class": name, "x": x, "y": 15, "text-anchor": anchor}, _time_of_day(time, span))


def _time_of_day(time: float, span: float) -> str:
    """The time as far as the span needs it."""
    try:
        stamp = datetime.fromtimestamp(time, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time:.4g}"
    return stamp.strftime("%H:%M:%S" if span < 86_400 else "%m-%d %H:%M" if span < 30 * 86_400 else "%Y-%m-%d")
