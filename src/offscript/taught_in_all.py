"""What a series of updates has taught in all: the sum shows a slow poisoning that no single step does (ours)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from offscript.entries import END, UNKNOWN
from offscript.model import Model
from offscript.models.keys import KeyModel
from offscript.models.pairs import Sightings
from offscript.value_feedback import edge, subject
from offscript.value_wording import VALUE_SHOWN
from offscript.wording import short

NAMED: Final = 10
"""Things named in a sentence; the rest is counted."""


def taught_in_all(first: Model, now: Model) -> list[str]:
    """Return, in sentences, what a version accepts that the one it grew from, `first`, did not."""
    parts: tuple[Callable[[Model, Model], Iterable[str]], ...] = (_templates, _steps, _sessions, _ranges, _words)
    return [sentence for part in parts for sentence in part(first, now)]


def _templates(first: Model, now: Model) -> Iterable[str]:
    fresh = [now.templates.template(key).text for key in sorted({*now.templates.keys()} - {*first.templates.keys()})]
    if fresh:
        yield f"{_count(len(fresh), 'new template')}: {_listed(map(short, fresh))}"


def _steps(first: Model, now: Model) -> Iterable[str]:
    """How many more histories each key may follow, that of most first."""
    histories = _steps_taught(first.keys, now.keys)
    for symbol, count in sorted(histories.items(), key=lambda one: (-one[1], one[0])):
        key = now.keys.key(symbol)
        after = f"after {_count(count, 'more history', 'more histories')}"
        if key is not None:
            yield f"`{short(now.templates.template(key).text)}` is normal {after}"
        elif symbol == END:
            yield f"the end of a session is normal {after}"


def _steps_taught(first: KeyModel, now: KeyModel) -> Counter[int]:
    """By symbol, how many histories it was reported after where the first model flagged it."""
    seen, was = now.learnt.sightings, first.learnt.sightings
    units = dict(zip(_names(was), was.units.tolist(), strict=True))
    counts = zip(_names(seen), seen.units.tolist(), strict=True)
    more = np.array([count > units.get(name, 0) for name, count in counts], bool)
    if not more.any():
        return Counter()
    size = len(first.vocabulary)
    histories, targets = (np.where(one < size, one, UNKNOWN) for one in (seen.histories[more], seen.targets[more]))
    flagged = first.surprise(histories, targets) >= 1
    return Counter(seen.targets[more][flagged].tolist())


def _names(seen: Sightings) -> list[bytes]:
    return [pair.tobytes() for pair in np.column_stack((seen.histories, seen.targets))]


def _sessions(first: Model, now: Model) -> Iterable[str]:
    told, was = now.keys.learnt.told, first.keys.learnt.told
    if reports := int(told.reports.sum()) - int(was.reports.sum()):
        yield f"{_count(reports, 'session')} told to be normal, of {_count(len(told) - len(was), 'kind')}"


def _ranges(first: Model, now: Model) -> Iterable[str]:
    """The first and the last range of each number, about the level where training left it."""
    for number, gauge in enumerate(now.values.gauges):
        was = first.values.gauges[number].told
        if gauge.told is None or gauge.told == was:
            continue
        reports = gauge.told.reports - (0 if was is None else was.reports)
        for side, (then, at) in enumerate(zip(*(_told(one, number) for one in (first, now)), strict=True)):
            if then != at:
                which = subject(now, gauge.key, gauge.place, gauge.after)
                told = edge(first, now, number, side, gauge.level)
                yield f"{which}: {told}, by {_count(reports, 'report')}"


def _told(model: Model, number: int) -> tuple[float | None, float | None]:
    told = model.values.gauges[number].told
    return (None, None) if told is None else (told.low, told.high)


def _words(first: Model, now: Model) -> Iterable[str]:
    for one, was in zip(now.values.lists, first.values.lists, strict=True):
        fresh = one.known[len(was.known) :]
        if fresh:
            which, words = subject(now, one.key, one.place, None), _listed(word[:VALUE_SHOWN] for word in fresh)
            yield f"{which}: {_count(len(fresh), 'more word')} beside {len(was.known):,}: {words}"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _listed(texts: Iterable[str]) -> str:
    named = [f"`{text}`" for text in texts]
    more = f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""
    return ", ".join(named[:NAMED]) + more
