"""Which sessions are of one kind: those that have much the same keys, whatever the first of them is (ours)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

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
    total = sum(group.total() for group in groups.values())
    tasks = sorted(groups.values(), key=lambda group: (-group.total(), min(group)))
    while True:
        pair = _nearest(tasks, total, of_all)
        if pair is None:
            return tasks
        tasks[pair[0]] += tasks.pop(pair[1])
        tasks.sort(key=lambda group: (-group.total(), min(group)))


def _nearest(tasks: list[Counter[Run]], total: int, of_all: bool) -> tuple[int, int] | None:
    """The two groups most alike, if they are of one task; the larger one first."""
    shares = [_shares(task) for task in tasks]
    best, found = 0.0, None
    for one in range(len(tasks)):
        for other in range(one + 1, len(tasks)):
            alike = _likeness(shares[one], shares[other], of_all)
            is_rare = tasks[other].total() < RARE_TASK * total
            if alike > best and (alike >= ALIKE or is_rare):
                best, found = alike, (one, other)
    return found


def _shares(runs: Counter[Run]) -> dict[int, float]:
    """The share of the sessions that have each key, where it is usual."""
    having: Counter[int] = Counter()
    for run, count in runs.items():
        having.update(dict.fromkeys(set(run), count))
    total = runs.total()
    return {key: count / total for key, count in having.items() if count >= USUAL * total}


def _likeness(one: Mapping[int, float], other: Mapping[int, float], of_all: bool) -> float:
    """What two groups have in common of all they have (weighted Jaccard), or of what the one with less has."""
    both = sum(min(share, other.get(key, 0.0)) for key, share in one.items())
    sizes = sum(one.values()), sum(other.values())
    whole = sum(sizes) - both if of_all else min(sizes)
    return both / whole if whole else 0.0
