"""Which sessions are of one kind: those that have much the same keys, whatever the first of them is (ours)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from offscript.workflow.cuts import Run

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
            groups.setdefault(run[0], Counter())[run] += count
    tasks = sorted(groups.values(), key=lambda group: (-group.total(), min(group)))
    sizes, firsts = np.array([task.total() for task in tasks]), list(map(min, tasks))
    shares = list(map(_shares, tasks))
    alike = np.zeros((len(tasks), len(tasks)))
    for one in range(len(tasks)):
        alike[one, one + 1 :] = [_likeness(shares[one], other, of_all) for other in shares[one + 1 :]]
    alike += alike.T
    left = list(range(len(tasks)))
    while pair := _nearest(alike[np.ix_(left, left)], sizes[left] < RARE_TASK * sum(sizes[left])):
        one, other = left[pair[0]], left.pop(pair[1])
        tasks[one] += tasks[other]
        sizes[one], firsts[one], shares[one] = tasks[one].total(), min(firsts[one], firsts[other]), _shares(tasks[one])
        for third in left:
            alike[one, third] = alike[third, one] = _likeness(shares[one], shares[third], of_all) if third != one else 0
        left.sort(key=lambda number: (-sizes[number], firsts[number]))
    return [tasks[number] for number in left]


def _nearest(alike: npt.NDArray[np.float64], is_rare: npt.NDArray[np.bool_]) -> tuple[int, int] | None:
    """The two groups most alike, if they are of one task; the larger one first, of equals the largest."""
    may_join = np.triu((alike >= ALIKE) | is_rare[None, :] & (alike > 0), 1)
    if not may_join.any():
        return None
    one, other = np.unravel_index(np.argmax(np.where(may_join, alike, 0.0)), alike.shape)
    return int(one), int(other)


def _shares(runs: Counter[Run]) -> dict[int, float]:
    """The share of the sessions that have each key, where it is usual."""
    having: Counter[int] = Counter()
    for run, count in runs.items():
        having.update(dict.fromkeys(set(run), count))
    total = runs.total()
    return {key: count / total for key, count in having.items() if count >= USUAL * total}


def _likeness(one: Mapping[int, float], other: Mapping[int, float], of_all: bool) -> float:
    """What two groups have in common of all they have (weighted Jaccard), or of what the one with less has."""
    both = math.fsum(min(share, other.get(key, 0.0)) for key, share in one.items())  # the same whichever is the one
    sizes = math.fsum(one.values()), math.fsum(other.values())
    whole = sum(sizes) - both if of_all else min(sizes)
    return both / whole if whole else 0.0
