"""Code lengths and orders by compiled loops: the twins of what `code_length` does by sorting (ours)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.parse.compiled import compiled

Ints = NDArray[np.int64]
Shorts = NDArray[np.uint32]
"""Half the memory to go through, and without a sign no index is looked at twice."""

AT_ONCE: Final = 16
"""Chances multiplied before the logarithm is taken: each lies between 1e-12 and 1e9, so no product leaves a double."""


def counted_lengths(
    keys: Ints, count: int, group: Ints, renamed: Sequence[Ints], reordered: Sequence[Ints]
) -> list[float]:
    """Return the bits that keys below `count` cost in groups, with groups shuffled by each order, and keys within them.

    There is a table of all pairs of keys.

    >>> counted_lengths(np.array([0, 1]), 2, np.array([0, 0]), [], [])
    [3.0]
    """
    seen, names = keys.astype(np.uint32), group.astype(np.uint32)
    unigram, groups = np.empty(len(keys)), int(group.max()) + 1

    def length(some: Shorts, of: Shorts) -> float:
        last, met, pairs = (np.zeros(size, np.uint32) for size in (groups, count + 1, count * (count + 1)))
        return float(_length(some, of, unigram, np.uint32(count), last, met, pairs))

    _count_before(seen, np.zeros(count, np.uint32), unigram)
    found = [length(seen, names), *(length(seen, names[order]) for order in renamed)]
    by_group, other = counted_order(group, groups), np.empty_like(seen)
    sizes = np.bincount(group)
    for order in reordered:
        _reorder(seen, names, order, by_group, np.cumsum(sizes) - sizes, other)
        _count_before(other, np.zeros(count, np.uint32), unigram)
        found.append(length(other, names))
    return found


def counted_order(numbers: Ints, count: int) -> Ints:
    """Return what sorts numbers below `count`, equal ones in order.

    >>> counted_order(np.array([2, 0, 2, 1]), 3).tolist()
    [1, 3, 0, 2]
    """
    order = np.empty(len(numbers), np.int64)
    _order(numbers, np.zeros(count + 1, np.int64), order)
    return order


@compiled
def _count_before(keys: Shorts, met: Shorts, chances: NDArray[np.float64]) -> None:
    """Write down the chance that each key has by the keys before it."""
    share = 1.0 / len(met)
    for place in range(len(keys)):
        chances[place] = (met[keys[place]] + share) / (place + 1.0)
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
def _reorder(keys: Shorts, group: Shorts, order: Ints, by_group: Ints, heads: Ints, other: Shorts) -> None:
    """Give each group's keys to its places in another order; `heads` says where groups begin in `by_group`."""
    for place in order:
        number = group[place]
        other[by_group[heads[number]]] = keys[place]
        heads[number] += 1


@compiled
def _length(
    keys: Shorts,
    group: Shorts,
    unigram: NDArray[np.float64],
    count: np.uint32,
    last: Shorts,
    met: Shorts,
    pairs: Shorts,
) -> float:
    """The bits of all keys; the start of a group is a key of its own, the first."""
    bits, product, more = 0.0, 1.0, np.uint32(1)
    for place in range(len(keys)):
        key, number = keys[place], group[place]
        before = last[number]
        last[number] = key + more
        met[before] += more
        pair = before * count + key
        product *= pairs[pair] + unigram[place]
        pairs[pair] += more
        if place % AT_ONCE == AT_ONCE - 1:
            bits -= math.log2(product)
            product = 1.0
    bits -= math.log2(product)
    # Of a context that was met n times the chances are divided by 1, 2 ... n, in whatever order.
    for times in met:
        bits += math.lgamma(times + 1.0) / math.log(2.0)
    return bits
