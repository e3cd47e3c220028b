"""Counting what came before each key, by a compiled loop: the twin of `code_length.sorted_turns` (ours)."""

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
