"""The steps of a session, in words: what it did, how long each step took, and where it left the script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from offscript.diagnosis import Diagnosis
from offscript.plain import duration
from offscript.report.markup import Html, cut, tag

BEFORE, AFTER = 6, 3
"""Steps shown before and after the departure: with the marks for what is left out, a screenful."""

TEMPLATE_SHOWN = 140


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a session: its template, the seconds since the one before, and how it stands."""

    template: str
    seconds: float | None
    stands: str


def steps(diagnosis: Diagnosis, templates: Mapping[int, str]) -> Html:
    """Return the steps about the departure as a list, with what was missing; nothing where no path is known."""
    found = list(_steps(diagnosis, templates))
    if len(found) < 2 and not diagnosis.missing:
        return Html("")
    middle = _departure(diagnosis, len(found))
    first, last = max(0, middle - BEFORE), min(len(found), middle + AFTER + 1)
    rows = [_gap(first, "earlier")] + [_row(step) for step in found[first:last]]
    rows += [_missing(one.template) for one in diagnosis.missing[:BEFORE]] + [_gap(len(found) - last, "later")]
    start = Html("") if diagnosis.path_is_whole else tag("li", {"class": "gap"}, "the beginning is not known")
    return tag("ol", {"class": "steps"}, start, *rows)


def _departure(diagnosis: Diagnosis, count: int) -> int:
    """The place that is told of: where the path was left, else the verdict's own."""
    if diagnosis.departure is not None:
        return diagnosis.departure
    own = _own(diagnosis)
    return own if own is not None else count - 1


def _own(diagnosis: Diagnosis) -> int | None:
    """The place of the verdict's entry on the path."""
    offset = diagnosis.verdict.entry.line.offset
    return next((place for place, one in enumerate(diagnosis.entries) if one.line.offset == offset), None)


def _steps(diagnosis: Diagnosis, templates: Mapping[int, str]) -> Iterator[Step]:
    """The entries of the session, or the keys where only these are known."""
    nodes = diagnosis.walk.nodes if diagnosis.walk is not None else ()
    slow = {(edge.before.key, edge.after.key) for edge in diagnosis.slow}
    own = _own(diagnosis)
    taken = _path(diagnosis, templates)
    for place, (key, template, time) in enumerate(taken):
        before_key, _, before = taken[place - 1] if place else (0, "", None)
        seconds = None if before is None or time is None else time - before
        off_script = place < len(nodes) and nodes[place] is None
        stands = "off" if off_script else "slow" if (before_key, key) in slow else "own" if place == own else "on"
        yield Step(template, seconds, stands)


def _path(diagnosis: Diagnosis, templates: Mapping[int, str]) -> list[tuple[int, str, float | None]]:
    if diagnosis.entries:
        return [(entry.key, entry.template, entry.time) for entry in diagnosis.entries]
    return [(key, templates.get(key, "a line never seen before"), None) for key in diagnosis.keys]


_SIGNS = {"on": ("✓", "on script"), "off": ("✗", "off script"), "slow": ("◷", "slow"), "own": ("●", "judged")}


def _row(step: Step) -> Html:
    sign, told = _SIGNS[step.stands]
    taken = "" if step.seconds is None else f"+{duration(max(0.0, step.seconds))}"
    return tag(
        "li",
        {"class": step.stands},
        tag("span", {"class": "sign", "title": told, "role": "img", "aria-label": told}, sign),
        tag("span", {"class": "mono label"}, cut(step.template, TEMPLATE_SHOWN)),
        tag("span", {"class": "took"}, taken),
    )


def _missing(template: str) -> Html:
    sign = tag("span", {"class": "sign", "role": "img", "aria-label": "missing"}, "○")
    return tag("li", {"class": "missing"}, sign, tag("span", {"class": "mono label"}, cut(template, TEMPLATE_SHOWN)))


def _gap(count: int, word: str) -> Html:
    if count <= 0:
        return Html("")
    return tag("li", {"class": "gap"}, f"{count:,} {word} step{'' if count == 1 else 's'}")
