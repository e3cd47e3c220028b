"""Which sessions are of one kind: those that have much the same keys, whatever the first of them is (ours)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from offscript.workflow.seen import Run

USUAL = 0.05
"""Share of the sessions that begin alike in which a key must be to speak for them: more than a few percent of noise."""

ALIKE = 0.5
"""Share of their keys that groups of one task have in common at least: more that is equal than different."""

RARE_TASK = 0.01
"""Share of all sessions below which a group that resembles a task at all is taken for a variant of it."""


def separate(runs: Mapping[Run, int], *, of_all: bool = False) -> list[Counter[Run]]:
    """Part whole sessions by their tasks: those with the most sessions first.

    Sessions that begin with the same key are together; such groups are one where they have most keys in common, each
    key weighed by the share of sessions that have it. A group that is rare goes to the one it resembles most. Most is
    half of what the group with less has: a task that begins with a choice may go on alike, one branch short and one
    long. With `of_all` it is half of all that both have: what branches of a task have to themselves tells them apart.

    >>> [dict(task) for task in separate({(1, 2, 3): 50, (2, 1, 3): 40, (3, 4, 5): 30, (2, 3): 1})]
    [{(1, 2, 3): 50, (2, 1, 3): 40, (2, 3): 1}, {(3, 4, 5): 30}]
    """
    groups: dict[int, Counter[Run]] = {}
    for run, count in sorted(runs.items()):
        if run:
            groups.setdefault(run[0], Counter())[run] = count
    if len(groups) < 2:
        return list(groups.values())
    tasks = sorted(groups.values(), key=lambda group: -group.total())  # of equals the one with the first run
    sizes, firsts = np.array([task.total() for task in tasks]), [next(iter(task)) for task in tasks]
    having = _having(tasks)
    shares = _shares(having, sizes[:, None])
    alike = np.zeros((len(tasks), len(tasks)))
    for one in range(len(tasks) - 1):
        alike[one, one + 1 :] = _likeness(shares[one], shares[one + 1 :], of_all)
    alike += alike.T
    left = list(range(len(tasks)))
    least = RARE_TASK * int(sizes.sum())
    while pair := _nearest(alike[left][:, left], sizes[left] < least):
        one, other = left[pair[0]], left.pop(pair[1])
        dict.update(tasks[one], tasks[other])  # no run is in both
        having[one] += having[other]
        sizes[one], firsts[one] = sizes[one] + sizes[other], min(firsts[one], firsts[other])
        shares[one] = _shares(having[one], sizes[one])
        alike[one, left] = alike[left, one] = _likeness(shares[one], shares[left], of_all)
        alike[one, one] = 0
        left.sort(key=lambda number: (-sizes[number], firsts[number]))
    return [tasks[number] for number in left]


def _nearest(alike: npt.NDArray[np.float64], is_rare: npt.NDArray[np.bool_]) -> tuple[int, int] | None:
    """The two groups most alike, if they are of one task; the larger one first, of equals the largest."""
    may_join = np.triu((alike >= ALIKE) | is_rare[None, :] & (alike > 0), 1)
    if not may_join.any():
        return None
    one, other = np.unravel_index(np.argmax(np.where(may_join, alike, 0.0)), alike.shape)
    return int(one), int(other)


def _having(tasks: list[Counter[Run]]) -> npt.NDArray[np.int64]:
    """How many sessions of each task have each key; (tasks, keys)."""
    keys = sorted({key for task in tasks for run in task for key in run})
    place = {key: number for number, key in enumerate(keys)}
    having = []
    for task in tasks:
        row = [0] * len(keys)
        for run, count in task.items():
            for key in set(run):
                row[place[key]] += count
        having.append(row)
    return np.array(having, np.int64)


def _shares(having: npt.NDArray[np.int64], total: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The share of the sessions that have each key, where it is usual; else none."""
    return np.where(having >= USUAL * total, having / total, 0.0)


def _likeness(one: npt.NDArray[np.float64], others: npt.NDArray[np.float64], of_all: bool) -> list[float]:
    """What each has in common with others, of all they have (weighted Jaccard), or of what the one with less has."""
    size = math.fsum(one)
    found = []
    for both, other in zip(np.minimum(one, others).tolist(), others.tolist(), strict=True):
        common, sizes = math.fsum(both), (size, math.fsum(other))  # the same whichever is the one
        whole = sum(sizes) - common if of_all else min(sizes)
        found.append(common / whole if whole else 0.0)
    return found
