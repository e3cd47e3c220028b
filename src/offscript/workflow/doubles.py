"""One key in several places of a task: its occurrences told apart by what comes before and after them (ours).

"VM Resumed" comes twice in the creation of a machine (CCS 2017 section 4.4), and a cut that takes both for one sees a
loop where there is none. Occurrences are numbered from the left, as long as neighbours agree that they differ.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from offscript.workflow.seen import Run, Runs
from offscript.workflow.tree import Kind, Tree

EDGE = -1
"""Stands before the first key of a run and after its last one; symbols of keys are not negative."""

MOST_PLACES = 3
"""Places of one key: a key that comes more often in half of its sessions is in a loop."""

ALIKE = 0.5
"""The share of equal neighbours up to which two occurrences differ: more often different than equal, on both sides."""

UNSEEN = 0.01
"""Chance of a neighbour that an occurrence never had, when occurrences are told apart."""


def told_apart(runs: Runs) -> tuple[Counter[Run], Mapping[int, int]] | None:
    """Return the runs with a symbol for each place of a key, and the keys of these; None where no key has several.

    >>> apart, keys = told_apart({(1, 2, 3, 2, 4): 5})
    >>> dict(apart), keys
    ({(1, 5, 3, 6, 4): 5}, {5: 2, 6: 2})
    """
    new = max((max(run) for run in runs if run), default=0) + 1
    found: Counter[Run] = Counter(runs)
    keys: dict[int, int] = {}
    for key in sorted({key for run in runs for key in run}):
        numbered = {run: _numbered(run, key) for run in runs if key in run}
        places = _places(numbered, runs)
        if places < 2:
            continue
        neighbours = _neighbours(numbered, runs, places)
        if any(_are_alike(neighbours[place], neighbours[place + 1]) for place in range(places - 1)):
            continue
        symbols = range(new, new + places)
        new += places
        keys.update(dict.fromkeys(symbols, key))
        renamed: Counter[Run] = Counter()
        for run, count in found.items():
            renamed[_renamed(run, key, symbols, neighbours, keys)] += count
        found = renamed
    return (found, keys) if keys else None


def put_together(tree: Tree, keys: Mapping[int, int]) -> Tree:
    """Return the tree with the keys of such symbols.

    >>> from offscript.workflow.tree import sequence, step
    >>> print(put_together(sequence(step(5), step(6)), {5: 2, 6: 2}))
    →(2, 2)
    """
    if tree.kind is Kind.STEP:
        return Tree(Kind.STEP, keys.get(tree.key, tree.key))
    return Tree(tree.kind, 0, tuple(put_together(part, keys) for part in tree.parts))


Neighbours: TypeAlias = tuple[Counter[int], Counter[int]]
"""What comes before an occurrence, and what after it."""


def _numbered(run: Run, key: int) -> list[int]:
    return [place for place, other in enumerate(run) if other == key]


def _places(numbered: Mapping[Run, list[int]], runs: Runs) -> int:
    """How often the key comes in the median session that has it; 0 for a key that is in a loop."""
    often: Counter[int] = Counter()
    for run, at in numbered.items():
        often[len(at)] += runs[run]
    half, most = 0, 0
    for number in sorted(often):
        half += often[number]
        if 2 * half >= often.total():
            most = number
            break
    return most if most <= MOST_PLACES else 0


def _neighbours(numbered: Mapping[Run, list[int]], runs: Runs, places: int) -> list[Neighbours]:
    """What comes before and after each occurrence, in the sessions that have as many as is usual."""
    found: list[Neighbours] = [(Counter(), Counter()) for _ in range(places)]
    for run, at in numbered.items():
        if len(at) == places:
            for (before, after), place in zip(found, at, strict=True):
                before[_before(run, place)] += runs[run]
                after[_after(run, place)] += runs[run]
    return found


def _before(run: Run, place: int) -> int:
    return run[place - 1] if place else EDGE


def _after(run: Run, place: int) -> int:
    return run[place + 1] if place + 1 < len(run) else EDGE


def _are_alike(one: Neighbours, other: Neighbours) -> bool:
    return any((a & b).total() > ALIKE * min(a.total(), b.total()) for a, b in zip(one, other, strict=True))


def _renamed(run: Run, key: int, symbols: range, neighbours: list[Neighbours], keys: Mapping[int, int]) -> Run:
    """The run with the symbols of the places that suit the neighbours best, in their order from the left."""
    plain = tuple(keys.get(other, other) for other in run)
    at = _numbered(plain, key)
    best = max(_rising(len(at), len(symbols)), key=lambda turns: _fit(plain, at, turns, neighbours), default=())
    renamed = list(run)
    for place, turn in zip(at, best, strict=False):
        renamed[place] = symbols[turn]
    return tuple(renamed)


def _rising(length: int, places: int) -> Iterator[tuple[int, ...]]:
    """All ways to give occurrences to places without going back; of many occurrences, the evenest only."""
    if length > 2 * MOST_PLACES:
        yield tuple(place * places // length for place in range(length))
        return

    def grow(turns: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(turns) == length:
            yield turns
            return
        for turn in range(turns[-1] if turns else 0, places):
            yield from grow((*turns, turn))

    yield from grow(())


def _fit(run: Run, at: list[int], turns: tuple[int, ...], neighbours: list[Neighbours]) -> float:
    fit = 0.0
    for place, turn in zip(at, turns, strict=True):
        before, after = neighbours[turn]
        fit += math.log(UNSEEN + before[_before(run, place)] / max(1, before.total()))
        fit += math.log(UNSEEN + after[_after(run, place)] / max(1, after.total()))
    return fit
