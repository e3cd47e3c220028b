"""Ranks of a layered drawing: how far down each node stands (Sugiyama, Tagawa and Toda 1981, their first step)."""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[int, int]


def turned(count: int, pairs: Sequence[Pair], back: Sequence[bool]) -> list[bool]:
    """Tell of each edge between `count` nodes whether it runs upwards, so that the others have no cycle.

    Edges said to go `back` do, unless they lead on; others only where they would close a cycle. An edge of a node to
    itself runs upwards.

    >>> turned(3, [(0, 1), (1, 2), (2, 1), (0, 2)], [False, False, False, True])
    [False, False, True, False]
    """
    below: list[list[int]] = [[] for _ in range(count)]
    found = [False] * len(pairs)
    for number in sorted(range(len(pairs)), key=lambda number: back[number]):  # stable: those that lead on come first
        before, after = pairs[number]
        if before == after:
            found[number] = True
            continue
        wanted = not back[number]
        runs_down = not _reaches(below, after, before) if wanted else _reaches(below, before, after)
        found[number] = not runs_down
        if runs_down:
            below[before].append(after)
        else:
            below[after].append(before)
    return found


def _reaches(below: list[list[int]], start: int, goal: int) -> bool:
    seen, todo = {start}, [start]
    while todo:
        node = todo.pop()
        if node == goal:
            return True
        todo += (new := set(below[node]) - seen)
        seen |= new
    return False


def ranks(count: int, pairs: Sequence[Pair], upwards: Sequence[bool]) -> list[int]:
    """Return the rank of each node: the length of the longest path to it, edges that run upwards taken the other way.

    >>> ranks(4, [(0, 1), (1, 2), (2, 3), (0, 3), (3, 1)], [False, False, False, False, True])
    [0, 1, 2, 3]
    """
    below: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for (before, after), up in zip(pairs, upwards, strict=True):
        if before != after:
            high, low = (after, before) if up else (before, after)
            below[high].append(low)
            waiting[low] += 1
    found = [0] * count
    todo = [node for node in range(count) if not waiting[node]]
    for node in todo:  # grows while it is read
        for low in below[node]:
            found[low] = max(found[low], found[node] + 1)
            waiting[low] -= 1
            if not waiting[low]:
                todo.append(low)
    return found
