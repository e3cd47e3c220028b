"""How many bits a key costs when it is guessed from the key before it, and what mixing up ids or order adds (ours).

The code is a bigram smoothed by one count of an adaptive unigram, itself smoothed by one count of the uniform: no
parameter is fitted, so more contexts cost what they take to learn, and no code can cheat by memorising.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SHUFFLES: Final = 3
"""Shuffles averaged: their spread is under 0.02 bits on every log tried, far below the differences that decide."""

KEPT_SHUFFLES: Final = 16
"""Numbers of lines whose shuffles are kept, 1 MB each for 20,000: candidates often stand in as many lines."""

DECIMALS: Final = 9
"""Of a length: sums of a million logarithms are right to more, and errors of rounding must not order equal candidates.
"""

MOST_PAIRS: Final = 1 << 18
"""Pairs of keys counted in a table, of 1 MB; a log of more than 500 different keys is counted by sorting."""

SPARSE: Final = 4
"""Numbers up to so many times as large as there are of them are sorted by a compiled count: their table stays small."""


class Lengths(NamedTuple):
    """Bits per key: in groups as they are, with the groups' names shuffled, and with the order shuffled in each."""

    plain: float
    shuffled: float
    disordered: float


def bits_per_key(keys: Ints, group: Ints) -> float:
    """Code each key after the key before it in its group, learning as it goes; return the mean code length in bits.

    Keys and groups are numbers from 0.

    >>> round(bits_per_key(np.array([0, 1] * 500), np.zeros(1000, np.int64)), 2)
    0.01
    """
    return _measure(keys, group, [], []).plain


def lengths(keys: Ints, group: Ints) -> Lengths:
    """Return the bits per key, and what they become with shuffled ids and with shuffled order; the shuffles are seeded.

    >>> plain, shuffled, disordered = lengths(np.array([0, 0, 1, 1] * 25), np.array([0, 1] * 50))
    >>> plain < shuffled, plain < disordered
    (True, True)
    """
    return _measure(keys, group, *_shuffles(len(keys)))


def _measure(keys: Ints, group: Ints, renamed: Sequence[Ints], reordered: Sequence[Ints]) -> Lengths:
    count = int(keys.max()) + 1
    measure = sorted_lengths
    # The compiled loop is ten times as fast, but loading the compiler takes longer than it saves.
    if "numba" in sys.modules and count * (count + 1) <= MOST_PAIRS:
        from offscript.parse.turns import counted_lengths  # noqa: PLC0415

        measure = counted_lengths
    found = measure(keys, count, group, renamed, reordered)
    bits = [round(one / len(keys), DECIMALS) + 0.0 for one in found]  # never -0.0
    behind = 1 + len(renamed)
    return Lengths(bits[0], sum(bits[1:behind]) / SHUFFLES, sum(bits[behind:]) / SHUFFLES)


@lru_cache(maxsize=KEPT_SHUFFLES)
def _shuffles(count: int) -> tuple[list[Ints], list[Ints]]:
    """Orders of so many lines, to give their ids away at random, and to give the keys of an id away among its lines."""
    rng = np.random.default_rng(0)
    renamed = [rng.permutation(count) for _ in range(SHUFFLES)]
    return renamed, [np.argsort(rng.random(count)) for _ in range(SHUFFLES)]


def sorted_lengths(
    keys: Ints, count: int, group: Ints, renamed: Sequence[Ints], reordered: Sequence[Ints]
) -> list[float]:
    """Return the bits that keys below `count` cost in groups, with groups shuffled by each order, and keys within them.

    >>> sorted_lengths(np.array([0, 1]), 2, np.array([0, 0]), [], [])
    [3.0]
    """
    unigram, by_group = _unigram(keys, count), sorting(group)
    found = [_bits(keys, count, unigram, group), *(_bits(keys, count, unigram, group[order]) for order in renamed)]
    other = np.empty_like(keys)
    for order in reordered:
        other[by_group] = keys[order[sorting(group[order])]]
        found.append(_bits(other, count, _unigram(other, count), group))
    return found


def _unigram(keys: Ints, count: int) -> Floats:
    """The chance that keys have by the keys before them."""
    chances, _ = sorted_turns(keys, count, np.arange(len(keys)))  # each in a group of its own
    chances += 1.0 / count
    chances /= np.arange(1.0, len(keys) + 1.0)
    return chances


def _bits(keys: Ints, count: int, unigram: Floats, group: Ints) -> float:
    chances, met = sorted_turns(keys, count, group)
    chances += unigram
    # Of a context that was met n times the chances are divided by 1, 2 ... n, in whatever order.
    whole = np.cumsum(np.log2(np.arange(1.0, met.max() + 1.0)))[met[met > 0] - 1].sum()
    return float(whole - np.log2(chances, out=chances).sum())


def sorted_turns(keys: Ints, count: int, group: Ints) -> tuple[Floats, Ints]:
    """Count for each key how often it came before right after the same key; and how often keys came after each.

    Keys are numbers below `count`; the start of a group is a key of its own, the first.

    >>> turns, met = sorted_turns(np.array([0, 1, 0, 1]), 2, np.zeros(4, np.int64))
    >>> turns.tolist(), met.tolist()
    ([0.0, 0.0, 0.0, 1.0], [1, 2, 1])
    """
    by_group, previous = sorting(group), np.zeros_like(keys)
    ordered = group[by_group]
    previous[by_group[1:]] = (keys[by_group[:-1]] + 1) * (ordered[1:] == ordered[:-1])
    met = np.bincount(previous, minlength=count + 1)
    previous *= count
    previous += keys
    if count * (count + 1) <= 1 << 16:
        by_pair = sorting(previous)
    else:  # by key, and then by what came before
        by_key = sorting(keys)
        by_pair = by_key[sorting((previous // count)[by_key])]
    ordered = previous[by_pair]
    starts = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1))
    turns = np.empty(len(keys))
    turns[by_pair] = np.arange(len(keys)) - np.repeat(starts, np.diff(starts, append=len(keys)))
    return turns, met


def sorting(numbers: Ints) -> Ints:
    """Return what sorts numbers from 0, equal ones in order; numpy sorts 16 bits by counting, ten times as fast.

    >>> sorting(np.array([2, 0, 2, 1])).tolist()
    [1, 3, 0, 2]
    """
    most = int(numbers.max(initial=0))
    if "numba" in sys.modules and most <= SPARSE * len(numbers):
        from offscript.parse.turns import counted_order  # noqa: PLC0415  (as above)

        return counted_order(numbers, most + 1)
    return np.argsort(numbers.astype(np.uint16) if most < 1 << 16 else numbers, kind="stable")
