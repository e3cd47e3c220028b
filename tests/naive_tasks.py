"""Separation of tasks counted the slow way: shares by distance, groups, and streams made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random


def near_share(keys: Sequence[int], one: int, other: int, distance: int) -> float:
    """The share of the passes of one key that have the other within so many entries after."""
    passes = [place for place, key in enumerate(keys) if key == one]
    met = [place for place in passes if other in keys[place + 1 : place + 1 + distance]]
    return len(met) / max(len(passes), 1)


def printed_share(keys: Sequence[int], one: int, other: int, distance: int) -> float:
    """The share as the paper prints it: all pairs within the distance, by the distance times the passes."""
    passes = [place for place, key in enumerate(keys) if key == one]
    met = sum(keys[place + 1 : place + 1 + distance].count(other) for place in passes)
    return met / (distance * max(len(passes), 1))


def groups(size: int, pairs: Sequence[tuple[int, int]]) -> set[frozenset[int]]:
    """The groups that pairs hold together, by joining sets until nothing changes."""
    found = [{number} for number in range(size)]
    for one, other in pairs:
        joined = [some for some in found if one in some or other in some]
        found = [some for some in found if some not in joined] + [set().union(*joined)]
    return {frozenset(some) for some in found}


def stream_of(runs: Sequence[Sequence[Sequence[int]]], times: int, seed: int = 1) -> list[int]:
    """Runs one after another: of each task (its variants) as many, in random order, variants equally likely."""
    random = Random(seed)
    order = [task for task in runs for _ in range(times)]
    random.shuffle(order)
    return [key for task in order for key in random.choice(task)]


def mixed_stream(runs: Sequence[Sequence[Sequence[int]]], times: int, at_once: int, seed: int = 1) -> list[int]:
    """The same runs, `at_once` at work at once, whichever writes the next entry being chance."""
    random = Random(seed)
    waiting = [task for task in runs for _ in range(times)]
    random.shuffle(waiting)
    going = [list(random.choice(waiting.pop())) for _ in range(at_once)]
    keys = []
    while going:
        run = random.choice(going)
        keys.append(run.pop(0))
        if not run:
            going.remove(run)
            if waiting:
                going.append(list(random.choice(waiting.pop())))
    return keys


def owners_of(names: Sequence[str | None], a_place: float) -> list[str | None]:
    """The run of each entry by its definition: its own name, else the one at work last among those around it."""
    places = {name: [at for at, other in enumerate(names) if other == name] for name in set(names) if name is not None}
    runs = {name: at for name, at in places.items() if at[-1] - at[0] <= a_place * len(names)}
    found: list[str | None] = []
    for at, name in enumerate(names):
        before = {run: max(one for one in some if one < at) for run, some in runs.items() if some[0] < at}
        around = {run: latest for run, latest in before.items() if runs[run][-1] > at}
        chosen = around or before
        found.append(name if name in runs else max(chosen, key=chosen.__getitem__, default=None))
    return found
