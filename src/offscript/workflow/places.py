"""Horizontal places in a layered drawing: long edges straight, nodes in the middle of what they lead to.

The method is that of Brandes and Koepf (2001): four drawings, each pushed to one corner, and the mean of the middle two
of each item's places.
Each is made compact by longest paths between whole columns, so columns never overlap.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from offscript.workflow.crossings import Neighbours, Ranks


@dataclass(frozen=True, slots=True)
class Extents:
    """How far each item reaches to the left and to the right of its middle; `bends` are the items of long edges."""

    left: Sequence[float]
    right: Sequence[float]
    bends: Sequence[bool]
    gap: float


def places(order: Ranks, above: Neighbours, below: Neighbours, extents: Extents) -> list[float]:
    """Return the x of each item's middle; neighbours in a rank keep `gap` between them.

    >>> one = Extents([5.0] * 3, [5.0] * 3, [False] * 3, 10.0)
    >>> places([[0], [1, 2]], [[], [0], [0]], [[1, 2], [], []], one)
    [10.0, 0.0, 20.0]
    """
    barred = _barred(order, above, extents.bends)
    drawings: list[list[float]] = []
    for upwards in (False, True):
        ranks = order[::-1] if upwards else order
        toward = below if upwards else above
        drawings += [_one(ranks, toward, extents, barred, mirrored=mirrored) for mirrored in (False, True)]
    return _balanced(drawings, extents)


def _one(
    ranks: Ranks, toward: Neighbours, extents: Extents, barred: set[tuple[int, int]], *, mirrored: bool
) -> list[float]:
    if not mirrored:
        return _compact(ranks, _columns(ranks, toward, barred), extents)
    turned = [rank[::-1] for rank in ranks]
    swapped = Extents(extents.right, extents.left, extents.bends, extents.gap)
    return [-x for x in _compact(turned, _columns(turned, toward, barred), swapped)]


def _barred(order: Ranks, above: Neighbours, bends: Sequence[bool]) -> set[tuple[int, int]]:
    """Return the segments (upper, lower) that cross one between two bends: these are kept straight instead."""
    found: set[tuple[int, int]] = set()
    for upper, lower in itertools.pairwise(order):
        place = {item: at for at, item in enumerate(upper)}
        highs = [
            place[above[item][0]] if bends[item] and above[item] and bends[above[item][0]] else None for item in lower
        ]
        furthest = _running(highs, -1, max)
        nearest = _running(highs[::-1], len(upper), min)[::-1]
        for item, low, high in zip(lower, furthest, nearest, strict=True):
            for end in above[item]:
                if not (bends[item] and bends[end]) and (low > place[end] or high < place[end]):
                    found.add((end, item))
    return found


def _running(highs: list[int | None], start: int, choose: Callable[[int, int], int]) -> list[int]:
    """Return for each place the largest (or least) of the numbers before it."""
    found, held = [], start
    for high in highs:
        found.append(held)
        held = held if high is None else choose(held, high)
    return found


def _columns(ranks: Ranks, toward: Neighbours, barred: set[tuple[int, int]]) -> list[int]:
    """Return for each item the first of its column: items go under the middle one of their neighbours, if free."""
    root = list(range(len(toward)))
    taken = [False] * len(toward)
    for before, rank in itertools.pairwise(ranks):
        place = {item: at for at, item in enumerate(before)}
        reached = -1
        for item in rank:
            ends = sorted(toward[item], key=place.__getitem__)
            for end in dict.fromkeys((ends[(len(ends) - 1) // 2], ends[len(ends) // 2])) if ends else ():
                free = not taken[end] and (end, item) not in barred and (item, end) not in barred
                if root[item] == item and free and place[end] > reached:
                    root[item] = root[end]
                    taken[end] = True
                    reached = place[end]
    return root


def _compact(ranks: Ranks, root: list[int], extents: Extents) -> list[float]:
    """Put columns side by side: as far left as they can be, then to the right as far as their neighbours let them."""
    apart: dict[int, dict[int, float]] = {column: {} for column in root}
    for rank in ranks:
        for left, right in itertools.pairwise(rank):
            room = extents.right[left] + extents.gap + extents.left[right]
            beside = apart[root[left]]
            beside[root[right]] = max(beside.get(root[right], 0.0), room)
    order = _sorted_columns(apart)
    x = dict.fromkeys(order, 0.0)
    for column in order:
        for after, room in apart[column].items():
            x[after] = max(x[after], x[column] + room)
    for column in reversed(order):
        if apart[column]:
            x[column] = max(x[column], min(x[after] - room for after, room in apart[column].items()))
    return [x[column] for column in root]


def _sorted_columns(apart: dict[int, dict[int, float]]) -> list[int]:
    waiting = dict.fromkeys(apart, 0)
    for afters in apart.values():
        for after in afters:
            waiting[after] += 1
    todo = [column for column, count in waiting.items() if not count]
    for column in todo:  # grows while it is read
        for after in apart[column]:
            waiting[after] -= 1
            if not waiting[after]:
                todo.append(after)
    return todo


def _balanced(drawings: list[list[float]], extents: Extents) -> list[float]:
    """Lay four drawings, pushed left, right, left and right, over the narrowest; of four places take the middle two."""
    count = len(drawings[0])
    if not count:
        return []
    edges = [
        (min(x - left for x, left in zip(one, extents.left, strict=True)),
         max(x + right for x, right in zip(one, extents.right, strict=True)))
        for one in drawings
    ]  # fmt: skip
    narrowest = min(range(4), key=lambda number: edges[number][1] - edges[number][0])
    low, high = edges[narrowest]
    shifts = [low - edge[0] if number % 2 == 0 else high - edge[1] for number, edge in enumerate(edges)]
    found = []
    for item in range(count):
        four = sorted(one[item] + shift for one, shift in zip(drawings, shifts, strict=True))
        found.append((four[1] + four[2]) / 2)
    return found
