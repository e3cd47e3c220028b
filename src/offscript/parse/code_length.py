"""How many bits a key costs when it is guessed from the key before it, and what mixing up ids or order adds (ours).

The code is a bigram smoothed by one count of an adaptive unigram, itself smoothed by one count of the uniform: no
parameter is fitted, so more contexts cost what they take to learn, and no code can cheat by memorising.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SHUFFLES: Final = 3
"""Shuffles averaged: their spread is under 0.02 bits on every log tried, far below the differences that decide."""

KEPT_SHUFFLES: Final = 16
"""Lengths of which the shuffles are kept, about 1 MB each for 20,000 lines: candidates often stand in as many lines."""

DECIMALS: Final = 9
"""Of a length: sums of a million logarithms are right to more, and errors of rounding must not order equal candidates.
"""


class Lengths(NamedTuple):
    """Bits per key: in groups as they are, with the groups' names shuffled, and with the order shuffled in each."""

    plain: float
    shuffled: float
    disordered: float


class _Coded(NamedTuple):
    """Keys, what sorts them, and the chance that the unigram gives each."""

    keys: Ints
    by_key: Ints
    unigram: Floats


def bits_per_key(keys: Ints, group: Ints) -> float:
    """Code each key after the key before it in its group, learning as it goes; return the mean code length in bits.

    >>> round(bits_per_key(np.array([0, 1] * 500), np.zeros(1000, np.int64)), 2)
    0.01
    """
    return _bits(_coded(keys), group, sorting(group))


def lengths(keys: Ints, group: Ints) -> Lengths:
    """Return the bits per key, and what they become with shuffled ids and with shuffled order; the shuffles are seeded.

    >>> plain, shuffled, disordered = lengths(np.array([0, 0, 1, 1] * 25), np.array([0, 1] * 50))
    >>> plain < shuffled, plain < disordered
    (True, True)
    """
    coded, by_group = _coded(keys), sorting(group)
    renamed, reordered = _shuffles(len(keys))
    others = [group[order] for order in renamed]
    mixed = [keys[order[sorting(group[order])]] for order in reordered]
    disordered = np.empty((SHUFFLES, len(keys)), np.int64)
    disordered[:, by_group] = mixed
    return Lengths(
        _bits(coded, group, by_group),
        sum(_bits(coded, other, sorting(other)) for other in others) / SHUFFLES,
        sum(_bits(_coded(other), group, by_group) for other in disordered) / SHUFFLES,
    )


@lru_cache(maxsize=KEPT_SHUFFLES)
def _shuffles(count: int) -> tuple[list[Ints], list[Ints]]:
    """Orders of so many lines, to give their ids away at random, and to give the keys of an id away among its lines."""
    rng = np.random.default_rng(0)
    renamed = [rng.permutation(count) for _ in range(SHUFFLES)]
    return renamed, [np.argsort(rng.random(count)) for _ in range(SHUFFLES)]


def _coded(keys: Ints) -> _Coded:
    by_key = sorting(keys)
    seen = np.empty_like(keys)
    seen[by_key] = _turns(keys[by_key])
    return _Coded(keys, by_key, (seen + 1.0 / (int(keys.max()) + 1)) / (np.arange(len(keys)) + 1.0))


def _bits(coded: _Coded, group: Ints, by_group: Ints) -> float:
    """Mean code length of keys in groups, which `by_group` sorts."""
    keys, by_key, unigram = coded
    previous = np.zeros(len(keys), np.int64)  # 0: the start of a group
    ordered = group[by_group]
    previous[by_group[1:]] = np.where(ordered[1:] == ordered[:-1], keys[by_group[:-1]] + 1, 0)
    # Sorted by key and then by what went before: what sorting the pairs would give, by counting.
    by_pair = by_key[sorting(previous[by_key])]
    pairs = _turns((previous * (int(keys.max()) + 1) + keys)[by_pair])
    # Of a context that was met n times the chances are divided by 1, 2 ... n, in whatever order.
    met = np.bincount(previous)
    whole = np.cumsum(np.log2(np.arange(1.0, met.max() + 1.0)))[met[met > 0] - 1].sum()
    return round(float((whole - np.log2(pairs + unigram[by_pair]).sum()) / len(keys)), DECIMALS) + 0.0  # never -0.0


def sorting(numbers: Ints) -> Ints:
    """Return what sorts numbers from 0, equal ones in order; numpy sorts 16 bits by counting, ten times as fast.

    >>> sorting(np.array([2, 0, 2, 1])).tolist()
    [1, 3, 0, 2]
    """
    return np.argsort(numbers.astype(np.uint16) if numbers.max() < 1 << 16 else numbers, kind="stable")


def _turns(ordered: Ints) -> Ints:
    """Count, for each of sorted numbers, how many equal ones stand before it."""
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    sizes = np.diff(starts, prepend=0, append=len(ordered))
    turns: Ints = np.arange(len(ordered)) - np.repeat(np.concatenate(([0], starts)), sizes)
    return turns
