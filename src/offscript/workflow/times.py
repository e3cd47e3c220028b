"""How long it takes from one log key to the next within a session, learnt from normal ones (CCS 2017 section 4.4.2).

The paper tells a slow step by its elapsed time and names the step before it. This is what is normal for each pair of
keys that came directly one after the other, whatever task they came in.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from offscript.workflow.graph import Times

MAX_PAIRS: Final = 20_000
"""Pairs of keys whose times are kept, the most frequent: two megabytes of a bundle. The recorded logs have 20 to 600;
a pair beyond so many is too rare for its times to say much."""

DIGITS: Final = 6
"""Decimals of a second that are kept: no log is stamped finer than in microseconds."""

LOW, MEDIAN, HIGH = 0.01, 0.5, 0.99

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class EdgeTimes(Mapping[tuple[int, int], Times]):
    """The times of each pair (key before, key), in seconds, the most frequent pair first; immutable (ours).

    >>> times = EdgeTimes.of(np.array([0, 7, 7]), np.array([7, 8, 8]), np.array([np.nan, 2.0, 4.0]))
    >>> times[7, 8].median, (0, 7) in times
    (3.0, False)
    """

    pairs: Mapping[tuple[int, int], Times] = field(default_factory=dict)

    @classmethod
    def of(cls, before: Ints, keys: Ints, elapsed: Floats, most: int = MAX_PAIRS) -> EdgeTimes:
        """Sum up entries, (n,) each: the key before (0: the first of its session), the key, and seconds between them.

        Entries that are the first of a session, or whose elapsed time is not known (NaN), say nothing.
        """
        told = np.flatnonzero((before > 0) & ~np.isnan(elapsed))
        size = int(keys.max(initial=0)) + 1
        codes = before[told] * size + keys[told]
        found, counts = np.unique(codes, return_counts=True)
        kept = np.lexsort((found, -counts))[:most]
        ranks = np.full(len(found), most, np.uint16)  # sixteen bits are sorted by counting, not by comparing
        ranks[kept] = np.arange(len(kept))
        order = told[np.argsort(ranks[np.searchsorted(found, codes)], kind="stable")]
        pairs, begin = {}, 0
        for code, count in zip(found[kept].tolist(), counts[kept].tolist(), strict=True):
            pairs[divmod(code, size)] = _sum_up(np.sort(elapsed[order[begin : begin + count]]))
            begin += count
        return cls(pairs)

    def __getitem__(self, pair: tuple[int, int]) -> Times:
        """Return the times of a pair; KeyError where none were seen, or too few to be kept."""
        return self.pairs[pair]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs, the most frequent first."""
        return iter(self.pairs)

    def __len__(self) -> int:
        """Return how many pairs have times."""
        return len(self.pairs)

    def to_dict(self) -> list[list[float]]:
        """As JSON: a row for each pair."""
        return [[*pair, t.count, t.low, t.median, t.high, t.longest] for pair, t in self.pairs.items()]

    @classmethod
    def from_dict(cls, stored: Any) -> EdgeTimes:
        """From JSON; ValueError or TypeError where it is not sound."""
        if type(stored) is not list or len(stored) > MAX_PAIRS:
            raise ValueError("the times between steps are no list, or too long a one")
        pairs = dict(_pair_from(*row) for row in stored)
        if len(pairs) != len(stored):
            raise ValueError("the times between two steps stand twice")
        return cls(pairs)


def _sum_up(numbers: Floats) -> Times:
    """Sum up sorted times; a quantile that falls between two of them is between these, as numpy has it."""
    places = np.array((LOW, MEDIAN, HIGH)) * (len(numbers) - 1)
    low, median, high = np.interp(places, np.arange(len(numbers)), numbers).round(DIGITS).tolist()
    return Times(len(numbers), low, median, high, round(float(numbers[-1]), DIGITS))


MOST_COUNTED: Final = 1 << 62
"""Counts and keys of a bundle are below it, as those of templates are: beyond, arithmetic with doubles fails."""


def _pair_from(before: object, key: object, count: object, *seconds: object) -> tuple[tuple[int, int], Times]:
    if not all(type(number) is int and 0 < number < MOST_COUNTED for number in (before, key, count)):
        raise ValueError("a time between steps has a part that is no whole number")
    if not all(type(one) is float and math.isfinite(one) for one in seconds):
        raise ValueError("a time between steps is no number")
    low, median, high, longest = cast("tuple[float, ...]", seconds)
    if not 0 <= low <= median <= high <= longest:
        raise ValueError("times between steps are out of order")
    return cast("tuple[int, int]", (before, key)), Times(cast("int", count), low, median, high, longest)
