"""Separation of tasks: which keys make a task, and which entries a run, in a stream without session ids (section 4).

Both methods of the paper (CCS 2017 sections 4.2 and 4.3) are here, and give the same kind of result:

- `by_probability` asks a model what follows which history, grows the history where an answer is uncertain, and tells
  new tasks from branches and concurrency where it stays so;
- `by_co_occurrence` counts which keys come near each other, within one entry, two, and so on.

Both leave to `borders` what neither text says: when several keys may follow, are these steps, or other tasks?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.errors import InputError
from offscript.workflow.borders import Borders, find_borders
from offscript.workflow.co_occurrence import TAU, together
from offscript.workflow.divergence import Divergence, Look, divergences_of, loops_of
from offscript.workflow.runs import Run, runs_of
from offscript.workflow.shared_keys import HISTORY, Windows, separate

Probability = Callable[[tuple[int, ...]], Mapping[int, float]]
"""What may follow a history of log keys, the last key last, each with its probability."""

FEWEST: Final = 2
"""Entries below which there is nothing that follows anything."""

LOOKED_AT: Final = 500
"""Runs of a task in which divergences and loops are looked for: a share of .9 is known to within .03 by then."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task, `number` counted from 1: its keys, and the same keys in the order in which they first come in a run.

    `starts` and `ends` are the keys a run begins and ends with, each with its share of the runs. `divergences` say
    where the task goes on in more than one way, `loops` are pairs (last, first) of keys where it goes back.
    """

    number: int
    keys: frozenset[int]
    order: tuple[int, ...]
    starts: tuple[tuple[int, float], ...]
    ends: tuple[tuple[int, float], ...]
    divergences: tuple[Divergence, ...]
    loops: tuple[tuple[int, int], ...]
    runs: int


@dataclass(frozen=True, slots=True)
class Separation:
    """The tasks of a stream, and the run of every entry.

    `owners[n]` is the run of entry n, None for an entry of no task. `at_once` is the number of runs that were at work
    at once. A key may belong to several tasks.
    """

    tasks: tuple[Task, ...]
    runs: tuple[Run, ...]
    owners: tuple[Run | None, ...]
    at_once: float

    def sequences(self, keys: Sequence[int], task: int) -> tuple[list[tuple[int, ...]], list[bool]]:
        """Return the runs of a task as sequences of keys, and whether each is complete: what a miner takes."""
        chosen = [run for run in self.runs if run.task == task]
        return [tuple(keys[at] for at in run.positions) for run in chosen], [run.is_complete for run in chosen]


def by_probability(keys: Sequence[int], probability: Probability, history: int = HISTORY) -> Separation:
    """Separate tasks by what a model says may follow (CCS 2017 section 4.2).

    `probability` is asked for each distinct history of `history` keys in the stream, for shorter ones at its
    beginning; what follows a shorter history is the average over the longer ones that end with it. Raises InputError
    for a stream of fewer than two entries.

    >>> import random
    >>> chance = random.Random(1)
    >>> keys = [key for _ in range(200) for key in chance.choice([(1, 2, 3), (4, 5)])]
    >>> [sorted(task.keys) for task in by_probability(keys, counted(keys, 3), 3).tasks]
    [[1, 2, 3], [4, 5]]
    """
    names, codes = _coded(keys)
    windows = _windows(codes, history)
    rows = [probability(tuple(int(names[c]) for c in row if c >= 0)) for row in windows.keys]
    shares = np.array([[row.get(int(name), 0.0) for name in names] for row in rows])
    windows = Windows(windows.keys, windows.counts, shares)
    counts = np.zeros((len(names), len(names)))
    np.add.at(counts, windows.keys[:, -1], windows.counts[:, None] * shares)
    return _separated(names, codes, find_borders(counts), windows, Look.AHEAD)


def by_co_occurrence(keys: Sequence[int], tau: float = TAU) -> Separation:
    """Separate tasks by which keys come near each other (CCS 2017 section 4.3), with the shares `q_d`.

    Pairs that always have each other near, by the share `tau` beyond chance, are of one task; neighbours that
    come together more often than chance and borders give join them. Raises InputError for a stream of fewer than two
    entries.

    >>> import random
    >>> chance = random.Random(1)
    >>> keys = [key for _ in range(200) for key in chance.choice([(1, 2, 3), (4, 5)])]
    >>> [sorted(task.keys) for task in by_co_occurrence(keys).tasks]
    [[1, 2, 3], [4, 5]]
    """
    names, codes = _coded(keys)
    size = len(names)
    counts = np.bincount(codes[:-1] * size + codes[1:], minlength=size * size).reshape(size, size).astype(np.float64)
    windows = _windows(codes, HISTORY)
    return _separated(names, codes, find_borders(counts, together(codes, size, tau)), windows, Look.DISTANCE)


def counted(keys: Sequence[int], history: int = HISTORY) -> Probability:
    """Return the probabilities that counting gives: what followed the longest part of a history that was ever seen.

    >>> counted([1, 2, 1, 2, 1, 3], 2)((2, 1))
    {2: 0.5, 3: 0.5}
    """
    seen: dict[tuple[int, ...], dict[int, int]] = {}
    for place in range(1, len(keys)):
        for size in range(min(history, place) + 1):
            after = seen.setdefault(tuple(keys[place - size : place]), {})
            after[keys[place]] = after.get(keys[place], 0) + 1

    def probability(past: tuple[int, ...]) -> Mapping[int, float]:
        past = past[-history:]
        while past not in seen:
            past = past[1:]
        total = sum(seen[past].values())
        return {key: count / total for key, count in seen[past].items()}

    return probability


def _coded(keys: Sequence[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    if len(keys) < FEWEST:
        raise InputError("has too few entries to separate tasks", remedy="give a stream of some thousand entries")
    names, codes = np.unique(np.asarray(keys, np.int64), return_inverse=True)
    return names, codes.astype(np.int64)


def _windows(codes: npt.NDArray[np.int64], history: int) -> Windows:
    """The distinct windows with counts, and the shares of what followed."""
    padded = np.concatenate([np.full(history - 1, -1), codes[:-1]])
    rows = np.lib.stride_tricks.sliding_window_view(padded, history)
    distinct, which, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
    size = int(codes.max()) + 1
    followed = np.bincount(which.ravel() * size + codes[1:], minlength=len(distinct) * size)
    shares = followed.reshape(-1, size) / counts[:, None]
    return Windows(distinct, counts.astype(np.float64), shares)


def _separated(
    names: npt.NDArray[np.int64], codes: npt.NDArray[np.int64], found: list[Borders], windows: Windows, look: Look
) -> Separation:
    borders, groups = separate(found, windows)
    groups = sorted(groups, key=min)
    runs = runs_of(codes, groups, borders)
    owners: list[Run | None] = [None] * len(codes)
    for run in runs:
        for position in run.positions:
            owners[position] = run
    tasks = [
        _task(n + 1, names, codes, keys, [r for r in runs if r.task == n + 1], look) for n, keys in enumerate(groups)
    ]
    return Separation(tuple(tasks), tuple(runs), tuple(owners), 1 / (1 - borders.chance))


def _task(
    number: int,
    names: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int64],
    keys: frozenset[int],
    runs: Sequence[Run],
    look: Look,
) -> Task:
    whole = [names[codes[list(run.positions)]].tolist() for run in runs]
    places: dict[int, list[float]] = {int(names[key]): [] for key in keys}
    for run in whole:
        for key in dict.fromkeys(run):
            places[key].append(run.index(key) / len(run))
    order = sorted(places, key=lambda key: (sum(places[key]) / max(len(places[key]), 1), key))
    return Task(
        number,
        frozenset(places),
        tuple(order),
        _shares([run[0] for run in whole]),
        _shares([run[-1] for run in whole]),
        divergences_of(whole[:LOOKED_AT], look),
        loops_of(whole[:LOOKED_AT]),
        len(whole),
    )


def _shares(keys: Sequence[int]) -> tuple[tuple[int, float], ...]:
    counts: dict[int, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return tuple((key, count / len(keys)) for key, count in sorted(counts.items(), key=lambda row: (-row[1], row[0])))
