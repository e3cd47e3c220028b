"""Controlled changes to the raw lines of normal machines: a step slowed, a size or a status changed, nothing else.

A step is a key after another, as in a workflow. When it is slowed, its line and all later ones of its machine move by
the same time; other machines stay as they were. What is normal of a step is measured on training machines alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Final

import numpy as np

from offscript.entries import WILDCARD, Line
from offscript.evaluate.openstack_data import STAMP
from offscript.evaluate.openstack_vectors import Vector
from offscript.model import Model

LEAST_SEEN: Final = 20
"""Training entries below which a spread between the 5th and the 95th percentile says nothing."""

STAMP_DIGITS: Final = 3  # decimals of a second that stamps are written with

NARROW: Final = 0.10
"""A step whose normal spread is below this share of its median is one that is asked to be found when slowed by half."""


class Kind(StrEnum):
    """What is changed."""

    TIME = "time"
    DURATION = "duration"
    SIZE = "size"
    STATUS = "status"


STATUSES: Final = (
    ("VM Started (Lifecycle Event)", "VM Crashed (Lifecycle Event)"),
    ("pending task (spawning)", "pending task (rescuing)"),
    ("Instance spawned successfully.", "Instance spawned partially."),
    (" INFO ", " ERROR "),
)
"""Words of the lines that tell a state, and another state: an event, a task, an outcome, the level."""


@dataclass(frozen=True)
class Step:
    """What may be changed: the key, and its position among the values or (`TIME`) the key that comes before it.

    `seen`, `median`, `spread` (half the distance of the 5th and the 95th percentile, at least what one digit of the log
    is worth) and `highest`, both by the median, are those of the training machines, in the log's own units; 0 and NaN
    for a status, which is found by its `words` instead.
    """

    kind: Kind
    what: str
    key: int = 0
    place: int = 0
    seen: int = 0
    median: float = np.nan
    spread: float = np.nan
    highest: float = np.nan
    words: tuple[str, str] = ("", "")

    @property
    def narrow(self) -> bool:
        """Whether its normal spread is under 10%."""
        return self.spread < NARROW


@dataclass(frozen=True)
class Changed:
    """The lines of one machine after a change, and which of them was changed."""

    lines: tuple[Line, ...]
    at: Line


def steps_of(model: Model, trained: Iterable[Sequence[Vector]]) -> list[Step]:
    """Return what may be changed, as training machines have it: times, durations, sizes, then statuses (ours)."""
    times: dict[tuple[int, int], list[float]] = defaultdict(list)
    numbers: dict[tuple[int, int], list[float]] = defaultdict(list)
    for vector in (vector for machine in trained for vector in machine if vector.key > 0):
        if vector.before > 0:
            times[vector.key, vector.before].append(vector.elapsed)
        for place, number in enumerate(vector.numbers):
            numbers[vector.key, place].append(number)
    text = {key: model.templates.template(key).text for key, _ in (*times, *numbers)}
    steps = [
        _step(Kind.TIME, f"{short(text[key])} (after {short(text[before])})", key, before, some, STAMP_DIGITS)
        for (key, before), some in sorted(times.items())
        if len(some) >= LEAST_SEEN
    ]
    for (key, place), some in sorted(numbers.items()):
        if len(some) >= LEAST_SEEN and not np.isnan(some).any():
            before, after = text[key].split(WILDCARD)[place : place + 2]
            kind = Kind.DURATION if after.startswith(" seconds") else Kind.SIZE
            name = before.split("]")[-1].split(",")[-1].strip(" :")
            what = short(text[key]) if kind is Kind.DURATION else f"`{name}` in {short(text[key])}"
            steps.append(_step(kind, what, key, place, some, max(map(decimals, some))))
    order = list(Kind)
    steps.sort(key=lambda step: order.index(step.kind))
    return steps + [Step(Kind.STATUS, f"`{old.strip()}` to `{new.strip()}`", words=(old, new)) for old, new in STATUSES]


def short(template: str) -> str:
    """A template without what names the machine.

    >>> short("[instance: <*>] Creating image")
    'Creating image'
    """
    return template.removeprefix("[instance: <*>] ")


def _step(kind: Kind, what: str, key: int, place: int, some: Sequence[float], digits: int) -> Step:
    low, middle, high = np.quantile(some, [0.05, 0.5, 0.95])
    half = max(float(high - low) / 2, 10.0**-digits)
    spread, highest = (part / float(middle) if middle else np.inf for part in (half, max(some)))
    return Step(kind, what, key, place, len(some), float(middle), spread, highest)


def decimals(number: float) -> int:
    """How many decimals a number needs, six at most.

    >>> decimals(19.05), decimals(2048.0)
    (2, 0)
    """
    return next((digits for digits in range(6) if round(number, digits) == number), 6)


def change(model: Model, step: Step, factor: float, vectors: Sequence[Vector], draw: int) -> Changed | None:
    """Return a machine's lines with one step multiplied, or its status changed; None where it has no such step.

    Of several such entries the one numbered `draw` (modulo how many there are) is changed. A change that leaves the
    text as it was, as that of a time below what stamps tell, is none. A size of 0 becomes 1.
    """
    places = [place for place, vector in enumerate(vectors) if _has(step, vector)]
    if not places:
        return None
    place = places[draw % len(places)]
    lines, old = [vector.line for vector in vectors], vectors[place].line
    if step.kind is Kind.TIME:
        later = round((factor - 1) * vectors[place].elapsed, STAMP_DIGITS)
        lines[place:] = [delayed(line, later) for line in lines[place:]]
    elif step.kind is Kind.STATUS:
        lines[place] = replace(old, text=old.text.replace(*step.words))
    else:
        template = model.templates.template(step.key).text
        lines[place] = with_number(old, template, step.place, factor)
    return Changed(tuple(lines), lines[place]) if lines[place].text != old.text else None


def _has(step: Step, vector: Vector) -> bool:
    if step.kind is Kind.STATUS:
        return step.words[0] in vector.line.text
    return vector.key == step.key and (step.kind is not Kind.TIME or vector.before == step.place)


def delayed(line: Line, seconds: float) -> Line:
    """Return a line with a later stamp.

    >>> delayed(Line("nova.log 2017-05-16 23:59:59.900 2931 INFO on"), 0.25).text
    'nova.log 2017-05-17 00:00:00.150 2931 INFO on'
    """
    found = STAMP.match(line.text)
    assert found is not None, "only lines with a stamp are kept"
    begin, end = found.span("stamp")
    moved = datetime.fromisoformat(found["stamp"]) + timedelta(seconds=seconds)
    stamp = moved.isoformat(sep=" ", timespec="milliseconds")
    return replace(line, text=line.text[:begin] + stamp + line.text[end:])


def with_number(line: Line, template: str, place: int, factor: float) -> Line:
    """Return a line with the decimal number at a place of its template multiplied, in as many decimals as it has.

    >>> with_number(Line("x 2.50 MB, 7 s"), "x <*> MB, <*> s", 0, 2).text
    'x 5.00 MB, 7 s'
    """
    found = _pattern(template).search(line.text)
    assert found is not None, "the line has this template"
    begin, end = found.span(place + 1)
    old = line.text[begin:end]
    if not _DECIMAL.fullmatch(old):
        return line
    digits = len(old.partition(".")[2])
    new = float(old) * factor or 10.0**-digits
    return replace(line, text=f"{line.text[:begin]}{new:.{digits}f}{line.text[end:]}")


_DECIMAL: Final = re.compile(r"\d+(?:\.\d+)?")


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(map(re.escape, template.split(WILDCARD))) + "$")
