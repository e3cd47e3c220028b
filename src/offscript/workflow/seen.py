"""What is seen in the runs of a part of a task, counted once for every share of noise: keys, neighbours, orders (ours).

Graphs of neighbours are read off these counts. Sets of keys are bits of one number, by the places of the keys: a part
has some ten keys, and is looked at a thousand times while a task is mined.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Run: TypeAlias = tuple[int, ...]
Runs: TypeAlias = Mapping[Run, int]
"""Distinct runs of a part of a task, with how often each comes."""

Counts: TypeAlias = npt.NDArray[np.int64]
Truths: TypeAlias = npt.NDArray[np.bool_]

CHAINED = 0.1
"""Share of the commonest neighbour that makes two keys neighbours in one part: a step of a part that has up to nine
others beside it comes directly after the one before that often; keys of two parts that keep an order hardly ever do."""

CHANCE = 3.0
"""Standard errors by which noise may exceed its share: of what a mistake brings once, chance brings two or three."""

MOST_ORDERS = 1 << 20
"""Orders of two keys counted at a time: 40 MiB of numbers."""


WORD = 63
"""Keys that are bits of one number of the machine."""

POWERS = 1 << np.arange(WORD)


def noise(share: float, count: float) -> float:
    """Return how often at most noise comes where it comes in a share of so many cases; never, where it is none.

    >>> noise(0.01, 100), noise(0, 100)
    (4.0, 0.0)
    """
    return share * count + CHANCE * math.sqrt(share * count)


def _noise(share: float, counts: Counts) -> npt.NDArray[np.float64]:
    found = np.multiply(share, counts, dtype=np.float64)
    return found + CHANCE * np.sqrt(found) if share else found


def places(some: int) -> Iterator[int]:
    """Yield the places of the bits of a set, the lowest first.

    >>> list(places(0b1010))
    [1, 3]
    """
    while some:
        lowest = some & -some
        yield lowest.bit_length() - 1
        some ^= lowest


def packed(truths: Truths) -> tuple[int, ...]:
    """Return for each row the set of the columns where it is true.

    >>> packed(np.array([[True, False, True], [False, True, False]]))
    (5, 2)
    """
    columns = truths.shape[1]
    if columns < WORD:
        return tuple((truths @ POWERS[:columns]).tolist())
    rows = np.packbits(truths, axis=1, bitorder="little")
    return tuple(int.from_bytes(row, "little") for row in rows)


@dataclass(frozen=True)
class Seen:
    """The entries of distinct runs, one run after another, and what is counted in them when it is asked for.

    `keys` are those that come, sorted; `codes` (entries,) the place among them of each entry, `lengths` and `counts`
    (runs,) the entries of each run, and how often it comes; `whole` is what they were before a key was left out, and
    its place.
    """

    keys: tuple[int, ...]
    codes: npt.NDArray[np.intp]
    lengths: Counts
    counts: Counts
    whole: tuple[Seen, int] | None = None

    @classmethod
    def of(cls, runs: Runs) -> Seen:
        """Count runs; empty ones may be among them."""
        lengths = np.fromiter(map(len, runs), np.int64, len(runs))
        entries = np.fromiter(chain.from_iterable(runs), np.int64, int(lengths.sum()))
        keys = sorted(set(entries.tolist()))
        codes = np.array(keys, np.int64).searchsorted(entries)
        return cls(tuple(keys), codes, lengths, np.fromiter(runs.values(), np.int64, len(runs)))

    def without(self, place: int) -> Seen:
        """The same runs without the key at a place among `keys`."""
        left = self.codes != place
        codes = self.codes[left]
        lengths = self.lengths - np.bincount(self._rows[~left], minlength=len(self.lengths))
        keys = self.keys[:place] + self.keys[place + 1 :]
        return Seen(keys, codes - (codes > place), lengths, self.counts, (self, place))

    def follows(self, rare: float) -> Follows:
        """The graph, without what is rare."""
        return Follows(self, rare)

    def repeated(self, rare: float) -> frozenset[int]:
        """The keys that come more than once in a run, in more than this share of the runs that have them."""
        row, code, times = self._cells
        again = np.bincount(code, self.counts[row] * (times > 1), len(self.keys))
        return self._named(again > _noise(rare, self.having))

    def once(self) -> Counts:
        """In how many runs each key comes just once; (keys,)."""
        row, code, times = self._cells
        return np.bincount(code, self.counts[row] * (times == 1), len(self.keys)).astype(np.int64)

    def seldom(self, share: float) -> frozenset[int]:
        """The keys that fewer than this share of the runs have."""
        return self._named(self.having < share * int(self.counts.sum()))

    def times(self) -> npt.NDArray[np.float64]:
        """How often each run has each key; (runs, keys)."""
        row, code, times = self._cells
        found = np.zeros((len(self.lengths), len(self.keys)))
        found[row, code] = times
        return found

    @cached_property
    def having(self) -> Counts:
        """How many runs have each key; (keys,)."""
        if self.whole is not None:
            return self.whole[0].having.take(self._left)
        row, code, _ = self._cells
        return np.bincount(code, self.counts[row], len(self.keys)).astype(np.int64)

    def _named(self, which: Truths) -> frozenset[int]:
        return frozenset(key for key, is_it in zip(self.keys, which.tolist(), strict=True) if is_it)

    @cached_property
    def strongest(self) -> Counts:
        """How often the commonest pair at either key of each pair comes: at the one of which it is rarer."""
        found: Counts = np.minimum(self.pairs.max(1)[:, None], self.pairs.max(0))
        return found

    @cached_property
    def together(self) -> Counts:
        """How many runs have both keys."""
        return self.orders + self.orders.T

    @cached_property
    def _rows(self) -> npt.NDArray[np.intp]:
        """The run of each entry."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def _left(self) -> list[int]:
        """The places of the keys before one was left out."""
        return [place for place in range(len(self.keys) + 1) if self.whole is None or place != self.whole[1]]

    @cached_property
    def _distinct(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Each run with each key that it has, as one number; the first entry of it; how many there are."""
        return np.unique(self._rows * len(self.keys) + self.codes, return_index=True, return_counts=True)

    @cached_property
    def _cells(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """The run, the key, and how often it has it."""
        cells, _, times = self._distinct
        return *np.divmod(cells, len(self.keys)), times

    @cached_property
    def pairs(self) -> Counts:
        """How often each key directly follows each; the last row is what begins runs, the last column what ends."""
        keys = len(self.keys)
        stops = self.lengths.cumsum()
        some = self.lengths > 0
        after = np.empty_like(self.codes)
        after[:-1] = self.codes[1:]
        after[stops[some] - 1] = keys
        starts = self.codes[(stops - self.lengths)[some]] + keys * (keys + 1)
        pairs = np.concatenate([self.codes * (keys + 1) + after, starts])
        counts = np.concatenate([self.counts[self._rows], self.counts[some]])
        return np.bincount(pairs, counts, (keys + 1) ** 2).astype(np.int64).reshape(keys + 1, keys + 1)

    @cached_property
    def orders(self) -> Counts:
        """In how many runs each key comes before each, by their first occurrences."""
        if self.whole is not None:
            return self.whole[0].orders.take(self._left, 0).take(self._left, 1)
        keys = len(self.keys)
        first = np.sort(self._distinct[1])
        rows, codes = self._rows[first], self.codes[first]
        stops = np.bincount(rows, minlength=len(self.lengths)).cumsum()
        later = stops[rows] - np.arange(1, len(first) + 1)  # first occurrences still to come in the run
        found = np.zeros(keys * keys)
        ends = later.cumsum()
        begin = 0
        while begin < len(first):
            end = max(begin + 1, int(ends.searchsorted(ends[begin] - later[begin] + MOST_ORDERS)))
            here = later[begin:end]
            one = np.repeat(np.arange(begin, end), here)
            gone = np.repeat(here.cumsum() - here, here)
            other = one + 1 + np.arange(len(one)) - gone
            found += np.bincount(codes[one] * keys + codes[other], self.counts[rows[one]], keys * keys)
            begin = end
        return found.astype(np.int64).reshape(keys, keys)


class Follows:
    """Which key directly follows which, often enough; which keys begin and end runs; which come in any order.

    A pair is left out below the share `rare` of the commonest pair at either of its keys. So is one of keys that
    exclude each other: of the runs with the rarer one no more than that share have both. Sets of keys are numbers with
    a bit for each, the lowest for the first of `keys`; of pairs there is such a set for each key.

    >>> graph = follows({(1, 2): 99, (2, 1): 1}, 0.05)
    >>> graph.keys, graph.after, graph.before, graph.starts, graph.ends
    ((1, 2), (2, 0), (0, 1), 1, 2)
    """

    def __init__(self, seen: Seen, rare: float) -> None:
        self.keys = seen.keys
        self._seen, self._rare = seen, rare
        self._apart = seen.together <= _noise(rare, np.minimum(seen.having[:, None], seen.having))
        np.fill_diagonal(self._apart, val=False)
        keys = len(self.keys)
        often = seen.pairs > _noise(rare, seen.strongest)
        often[:keys, :keys] &= ~self._apart
        both_ways = packed(np.concatenate([often[:, :keys], often.T[:, :keys]]))
        self.after, self.starts = both_ways[:keys], both_ways[keys]
        """The keys that directly follow, and those that begin runs."""
        self.before, self.ends = both_ways[keys + 1 : -1], both_ways[-1]
        """The keys that are directly followed, and those that end runs."""

    @cached_property
    def either(self) -> tuple[int, ...]:
        """The keys whose first occurrences come now before, now after."""
        seen = self._seen
        lesser = np.minimum(seen.orders, seen.orders.T)
        return packed((lesser > 0) & (lesser > _noise(self._rare, seen.together)) & ~self._apart)

    @cached_property
    def chained(self) -> tuple[int, ...]:
        """The keys that are neighbours in a good part of the runs, or that no run has too."""
        chained = (self._seen.pairs > CHAINED * self._seen.strongest)[: len(self.keys), : len(self.keys)]
        return packed(chained | chained.T | self._apart)

    def named(self, some: int) -> frozenset[int]:
        """Return the keys of a set."""
        return frozenset([self.keys[place] for place in places(some)])


def follows(runs: Runs, rare: float) -> Follows:
    """Read the graph off runs.

    >>> follows({(1, 2, 3): 1, (2, 1, 3): 1}, 0).either
    (2, 1, 0)
    """
    return Seen.of(runs).follows(rare)
