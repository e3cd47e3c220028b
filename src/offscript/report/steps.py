"""The steps of a session, in words: what it did, how long each step took, and where it left the script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from offscript.diagnosis import Diagnosis
from offscript.plain import duration
from offscript.report.markup import Html, tag
from offscript.report.names import Names
from offscript.session_path import OF_VALUES, elapsed

BEFORE, AFTER = 6, 3
"""Steps shown before and after the departure: with the marks for what is left out, a screenful."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a session: its name, the seconds since the one before, and how it stands."""

    name: Html
    seconds: float | None
    stands: str


def steps(diagnosis: Diagnosis, names: Names) -> Html:
    """Return the steps about the departure as a list, with what was missing; nothing where no path is known."""
    found = list(_steps(diagnosis, names))
    if len(found) < 2 and not diagnosis.missing:
        return Html("")
    middle = _departure(diagnosis, len(found))
    first, last = max(0, middle - BEFORE), min(len(found), middle + AFTER + 1)
    rows = [_gap(first, "earlier")] + [_row(step) for step in found[first:last]]
    rows += [_missing(names.step(one.key, one.template)) for one in diagnosis.missing[:BEFORE]] + [
        _gap(len(found) - last, "later")
    ]
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


def _steps(diagnosis: Diagnosis, names: Names) -> Iterator[Step]:
    """The entries of the session, or the keys where only these are known."""
    slow = {(edge.before.key, edge.after.key) for edge in diagnosis.slow}
    own = _own(diagnosis)
    before_key = 0
    known = [None if one != one else one for one in elapsed(diagnosis.entries)]
    path = _path(diagnosis, names)
    times: list[float | None] = [None, *known] if diagnosis.entries else [None] * len(path)
    for place, ((key, template), seconds) in enumerate(zip(path, times, strict=True)):
        stands = _standing(diagnosis, place, key)
        if stands != "off" and (before_key, key) in slow:
            stands = "slow"
        elif stands != "off" and place == own:
            stands = "own"
        yield Step(names.step(key, template), seconds, stands)
        before_key = key


def _standing(diagnosis: Diagnosis, place: int, key: int) -> str:
    """Whether a step is on script; without a workflow nobody can say so of what came after the departure."""
    if diagnosis.walk is not None and place < len(diagnosis.walk.nodes):
        return "off" if diagnosis.walk.nodes[place] is None else "on"
    is_value = diagnosis.verdict.reason in OF_VALUES
    if key <= 0 or (place == diagnosis.departure and not is_value):
        return "off"
    return "after" if diagnosis.departure is not None and place > diagnosis.departure and not is_value else "on"


def _path(diagnosis: Diagnosis, names: Names) -> list[tuple[int, str]]:
    if diagnosis.entries:
        return [(entry.key, entry.template) for entry in diagnosis.entries]
    return [(key, names.templates.get(key, "")) for key in diagnosis.keys]


_SIGNS = {
    "after": ("·", "after the departure"),
    "on": ("✓", "on script"),
    "off": ("✗", "off script"),
    "slow": ("◷", "slow"),
    "own": ("●", "judged"),
}


def _row(step: Step) -> Html:
    sign, told = _SIGNS[step.stands]
    taken = "" if step.seconds is None else f"+{duration(max(0.0, step.seconds))}"
    return tag(
        "li",
        {"class": step.stands},
        tag("span", {"class": "sign", "title": told, "role": "img", "aria-label": told}, sign),
        step.name,
        tag("span", {"class": "took"}, taken),
    )


def _missing(name: Html) -> Html:
    sign = tag("span", {"class": "sign", "role": "img", "aria-label": "missing"}, "○")
    return tag("li", {"class": "missing"}, sign, name)


def _gap(count: int, word: str) -> Html:
    if count <= 0:
        return Html("")
    return tag("li", {"class": "gap"}, f"{count:,} {word} step{'' if count == 1 else 's'}")
