"""Counting what came before each key, by compiled loops: the twins of what `code_length` does by sorting (ours)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offscript.parse.compiled import compiled

Ints = NDArray[np.int64]


def counted_turns(keys: Ints, count: int, group: Ints) -> tuple[NDArray[np.float64], Ints]:
    """Count for each key how often it came before right after the same key; and how often keys came after each.

    Keys are numbers below `count`; the start of a group is a key of its own, the first. There is a table of all pairs.

    >>> turns, met = counted_turns(np.array([0, 1, 0, 1]), 2, np.zeros(4, np.int64))
    >>> turns.tolist(), met.tolist()
    ([0.0, 0.0, 0.0, 1.0], [1, 2, 1])
    """
    met, pairs = np.zeros(count + 1, np.int64), np.zeros(count * (count + 1), np.int32)
    turns = np.empty(len(keys))
    _count(keys, group, np.zeros(int(group.max()) + 1, np.int32), met, pairs, turns)
    return turns, met


def counted_before(keys: Ints, count: int) -> NDArray[np.float64]:
    """Count for each key, a number below `count`, how often it came before.

    >>> counted_before(np.array([0, 1, 0, 0]), 2).tolist()
    [0.0, 0.0, 1.0, 2.0]
    """
    before = np.empty(len(keys))
    _count_before(keys, np.zeros(count, np.int64), before)
    return before


def counted_order(numbers: Ints, count: int) -> Ints:
    """Return what sorts numbers below `count`, equal ones in order.

    >>> counted_order(np.array([2, 0, 2, 1]), 3).tolist()
    [1, 3, 0, 2]
    """
    order = np.empty(len(numbers), np.int64)
    _order(numbers, np.zeros(count + 1, np.int64), order)
    return order


@compiled
def _count_before(keys: Ints, met: Ints, before: NDArray[np.float64]) -> None:
    for place in range(len(keys)):
        before[place] = met[keys[place]]
        met[keys[place]] += 1


@compiled
def _order(numbers: Ints, heads: Ints, order: Ints) -> None:
    for number in numbers:
        heads[number + 1] += 1
    for number in range(1, len(heads)):
        heads[number] += heads[number - 1]
    for place in range(len(numbers)):
        order[heads[numbers[place]]] = place
        heads[numbers[place]] += 1


@compiled
def _count(
    keys: Ints, group: Ints, last: NDArray[np.int32], met: Ints, pairs: NDArray[np.int32], turns: NDArray[np.float64]
) -> None:
    count = len(met) - 1
    for place in range(len(keys)):
        key, before = keys[place], last[group[place]]
        last[group[place]] = key + 1
        met[before] += 1
        turns[place] = pairs[before * count + key]
        pairs[before * count + key] += 1
