"""Order within the ranks of a layered drawing, so that few edges cross (Sugiyama, Tagawa and Toda 1981)."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

Ranks = list[list[int]]
"""The items of each rank, from left to right."""

Neighbours = Sequence[Sequence[int]]
"""For each item those it is joined to in the rank above, or below."""

WORK = 400_000
"""Segments looked at in all: some 0.3 s, or 24 sweeps over what 200 edges among 60 nodes make."""

SWEEPS = 24
"""Sweeps at most, half of them downwards: the usual number; small drawings stop changing long before."""


def ordered(first: Ranks, above: Neighbours, below: Neighbours, tied: Sequence[int]) -> Ranks:
    """Return the ranks in an order with few crossings; deterministic, and bounded in time.

    Args:
        first: the order to begin with; of orders with equally many crossings the earliest found is kept.
        above: for each item its neighbours in the rank above.
        below: for each item those in the rank below.
        tied: for each item the one at whose right it stands, in the same rank, or itself.

    >>> ordered([[0, 1], [2, 3]], [[], [], [1], [0]], [[3], [2], [], []], [0, 1, 2, 3])
    [[0, 1], [3, 2]]
    """
    best = [list(rank) for rank in first]
    fewest = crossings(best, below)
    segments = sum(map(len, below)) + 1
    current = best
    for sweep in range(min(SWEEPS, max(2, WORK // segments))):
        if not fewest:
            break
        downwards = sweep % 2 == 0
        current = _swept(current, above if downwards else below, tied, downwards=downwards, right=sweep % 4 > 1)
        count = crossings(current, below)
        if count < fewest:
            best, fewest = current, count
    return best


def crossings(order: Ranks, below: Neighbours) -> int:
    """Return how many pairs of segments cross.

    >>> crossings([[0, 1], [2, 3]], [[3], [2], [], []])
    1
    """
    total = 0
    for upper, lower in itertools.pairwise(order):
        place = {item: number for number, item in enumerate(lower)}
        seen: list[int] = []
        for item in upper:
            ends = sorted(place[end] for end in below[item])
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _swept(order: Ranks, toward: Neighbours, tied: Sequence[int], *, downwards: bool, right: bool) -> Ranks:
    """Put every rank in the order of its items' mean places in the rank before it."""
    found: Ranks = [list(rank) for rank in order]
    numbers = range(1, len(order)) if downwards else range(len(order) - 2, -1, -1)
    for number in numbers:
        fixed = found[number - 1 if downwards else number + 1]
        place = {item: at for at, item in enumerate(fixed)}
        found[number] = _sorted(found[number], toward, place, tied, right=right)
    return found


def _sorted(
    rank: list[int], toward: Neighbours, place: dict[int, int], tied: Sequence[int], *, right: bool
) -> list[int]:
    groups: dict[int, list[int]] = {}
    for item in rank:
        groups.setdefault(tied[item], []).append(item)
    means: list[tuple[float, int, int]] = []
    free: list[int] = []  # places of those without neighbours, which stay where they are
    for at, head in enumerate(groups):
        places = [place[end] for end in toward[head]] or [place[end] for item in groups[head] for end in toward[item]]
        if places:
            means.append((sum(places) / len(places), -at if right else at, head))
        else:
            free.append(at)
    heads = list(groups)
    result = [head for _, _, head in sorted(means)]
    for at in free:
        result.insert(at, heads[at])
    return [item for head in result for item in groups[head]]


def untangled(order: Ranks, above: Neighbours, below: Neighbours, tied: Sequence[int]) -> Ranks:
    """Swap neighbours within ranks while that takes crossings away; at most four rounds.

    >>> untangled([[0, 1], [2, 3]], [[], [], [1], [0]], [[3], [2], [], []], [0, 1, 2, 3])
    [[1, 0], [2, 3]]
    """
    found = [list(rank) for rank in order]
    place = [0] * len(above)
    for rank in found:
        for at, item in enumerate(rank):
            place[item] = at
    for _ in range(4):  # each round costs as much as a sweep, and the third seldom finds any
        if not sum(_swap(rank, place, above, below, tied) for rank in found):
            break
    return found


def _swap(
    rank: list[int],
    place: list[int],
    above: Neighbours,
    below: Neighbours,
    tied: Sequence[int],
) -> bool:
    changed = False
    for at in range(len(rank) - 1):
        left, right = rank[at], rank[at + 1]
        glued = tied[left] != left or tied[right] != right or (at + 2 < len(rank) and tied[rank[at + 2]] == right)
        if glued:
            continue
        gain = sum(_between(side[left], side[right], place) for side in (above, below))
        if gain > 0:
            rank[at], rank[at + 1] = right, left
            place[left], place[right] = at + 1, at
            changed = True
    return changed


def _between(left: Sequence[int], right: Sequence[int], place: list[int]) -> int:
    """Return how many crossings fewer two neighbours have after a swap."""
    ends = sorted(place[end] for end in right)
    before = after = 0
    for end in left:
        before += bisect_left(ends, place[end])
        after += len(ends) - bisect_right(ends, place[end])
    return before - after
