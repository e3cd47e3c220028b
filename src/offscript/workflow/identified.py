"""Streams whose entries name their run, a request, a trace or a job, where no session id spans the whole (ours).

Both methods that separate tasks rest on the order of runs: which comes next does not depend on which one ended. Where
tasks take turns, always the same way, that fails, and no order of keys tells two tasks from one. An identifier that
some entries carry does: what it names is one run, and the next is another. So the runs are put in an order drawn at
random, in which the methods part tasks as they do where their order varies by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from offscript.errors import InputError
from offscript.parse.candidates import A_PLACE
from offscript.workflow.runs import Run
from offscript.workflow.tasks import Separation


@dataclass(frozen=True, slots=True)
class Drawn:
    """A stream with its runs one after another in an order drawn at random: n keys, and where each stood before."""

    keys: tuple[int, ...]
    places: tuple[int, ...]

    def in_place(self, found: Separation) -> Separation:
        """Return what was found in this stream for the one it was drawn from: each entry where it stood.

        The runs are sorted by their first entries; `instance` still counts them as they were drawn.

        >>> from offscript.workflow.tasks import by_co_occurrence
        >>> names = [name for n in range(200) for name in (f"a{n}", f"a{n}", f"b{n}", f"b{n}", f"b{n}")]
        >>> drawn = in_drawn_order([1, 2, 3, 4, 5] * 200, names)
        >>> found = drawn.in_place(by_co_occurrence(drawn.keys))
        >>> found.owners[0].positions, found.owners[2].positions
        ((0, 1), (2, 3, 4))
        """
        moved = {
            id(run): replace(run, positions=tuple(sorted(map(self.places.__getitem__, run.positions))))
            for run in found.runs
        }
        owners: list[Run | None] = [None] * len(self.places)
        for place, run in zip(self.places, found.owners, strict=True):
            owners[place] = run and moved[id(run)]
        runs = sorted(moved.values(), key=lambda run: run.positions[0])
        return replace(found, runs=tuple(runs), owners=tuple(owners))


def in_drawn_order(keys: Sequence[int], names: Sequence[str | None], seed: int = 1) -> Drawn:
    """Put the runs that entries name in an order drawn at random; the first and the last stay where they are.

    `names[n]` is the identifier that entry n carries, None for none. An entry with none, or with that of a place, goes
    to the run in the midst of which it stands (of several the one last at work), else to the one before it. Raises
    InputError where there is not a name, or None, for each key.

    >>> in_drawn_order([1, 9, 2, 3, 4], ["a", None, "a", "b", "b"])
    Drawn(keys=(1, 9, 2, 3, 4), places=(0, 1, 2, 3, 4))
    """
    if len(keys) != len(names):
        what = f"has {len(keys):,} keys and {len(names):,} names"
        raise InputError(what, remedy="give the identifier of each entry, None where it has none")
    runs = _runs(names)
    middle = runs[1:-1]
    Random(seed).shuffle(middle)
    places = tuple(place for run in [*runs[:1], *middle, *runs[max(1, len(runs) - 1) :]] for place in run)
    return Drawn(tuple(keys[place] for place in places), places)


def _runs(names: Sequence[str | None]) -> list[list[int]]:
    """The positions of each run, by their first entries; what comes before any named run is one of its own."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, name in enumerate(names):
        if name is not None:
            first.setdefault(name, place)
            last[name] = place
    places = {name for name in first if last[name] - first[name] > A_PLACE * len(names)}
    found: dict[str | None, list[int]] = {}
    going: dict[str | None, None] = {}  # runs not yet ended, the one last at work last
    latest: str | None = None
    for place, name in enumerate(names):
        if name is not None and name not in places:
            latest = name
            going.pop(name, None)
            if place < last[name]:
                going[name] = None
        owner = next(reversed(going), latest) if name is None or name in places else name
        found.setdefault(owner, []).append(place)
    return list(found.values())
