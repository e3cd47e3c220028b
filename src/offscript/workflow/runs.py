"""Entries given to runs of tasks, one entry after another, once it is known what follows what and why (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from offscript.workflow.borders import LEAST_SHARE, Borders


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a task: the task, which of its runs (both from 1), and the positions of its entries in the stream.

    `is_complete` is False where the stream begins or stops in the middle of it.
    """

    task: int
    instance: int
    positions: tuple[int, ...]
    is_complete: bool


@dataclass(slots=True)
class _Open:
    """A run under way: its last key, the tasks it may be of (bits), and its positions."""

    last: int
    tasks: int
    positions: list[int] = field(default_factory=list)


def runs_of(keys: npt.NDArray[np.int64], tasks: Sequence[frozenset[int]], borders: Borders) -> list[Run]:
    """Return the runs of a stream, by their first entries: (n,) keys by number, those in no task are left out.

    As many runs are at work at once as the share of chance says, `1 / (1 - chance)`. An entry goes to the one whose
    last key makes it most likely, as the next step or, where a run can have ended, as the beginning of the next; of
    equals to the one that has waited longest. An entry that nothing explains begins a run in the place of that one.
    """
    step, border = _likely(borders)
    of_key = [sum(1 << n for n, some in enumerate(tasks) if key in some) for key in range(len(step))]
    room = max(1, round(1 / (1 - min(borders.chance, 0.99))))
    going: list[_Open] = []
    closed: list[_Open] = []
    for position, key in enumerate(keys.tolist()):
        if not of_key[key]:
            continue
        chosen, best, goes_on = -1, 0.0, False
        for place, run in enumerate(going):  # the longest waiting first
            if run.tasks & of_key[key] and step[run.last][key] > best:
                chosen, best, goes_on = place, step[run.last][key], True
            if border[run.last][key] > best:
                chosen, best, goes_on = place, border[run.last][key], False
        if goes_on:
            run = going.pop(chosen)
            run.tasks &= of_key[key]
        else:
            if len(going) >= room:
                closed.append(going.pop(max(chosen, 0)))
            run = _Open(key, of_key[key])
        run.last = key
        run.positions.append(position)
        going.append(run)
    return _numbered(sorted([*closed, *going], key=lambda run: run.positions[0]), keys, borders)


def _likely(borders: Borders) -> tuple[list[list[float]], list[list[float]]]:
    """How likely each key is after each as a step, and over a border; lists, which are read faster one by one."""
    passes = np.maximum(borders.counts.sum(1), 1)[:, None]
    return (borders.steps() / passes).tolist(), (borders.at_borders() / passes).tolist()


def _numbered(found: list[_Open], keys: npt.NDArray[np.int64], borders: Borders) -> list[Run]:
    ends = borders.ends >= LEAST_SHARE * borders.counts.sum(1)
    starts = borders.starts >= LEAST_SHARE / len(borders.starts)
    instances: dict[int, int] = {}
    runs = []
    for run in found:
        task = (run.tasks & -run.tasks).bit_length()  # the first it may be of
        instances[task] = instances.get(task, 0) + 1
        # Only a run that touches the beginning or end of the stream can be cut off.
        first, last = run.positions[0], run.positions[-1]
        begun = first > 0 or bool(starts[keys[first]])
        ended = last < len(keys) - 1 or bool(ends[keys[last]])
        runs.append(Run(task, instances[task], tuple(run.positions), begun and ended))
    return runs
