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

CELLS = 1 << 22
"""Numbers in a table made at a time: 32 MiB."""


WORD = 63
"""Keys that are bits of one number of the machine."""

POWERS = 1 << np.arange(WORD)


AT_ONCE = 1 << 17
"""Orders of two keys, of all runs, that are looked at at once: half a millisecond. Of more each key is looked at alone,
in the runs that have it."""


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
        keys = sorted(frozenset[int]().union(*runs))
        place = {key: number for number, key in enumerate(keys)}
        codes = np.fromiter(map(place.__getitem__, chain.from_iterable(runs)), np.intp, int(lengths.sum()))
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
        return self._named(self.having - self.once > _noise(rare, self.having))

    def seldom(self, share: float) -> frozenset[int]:
        """The keys that fewer than this share of the runs have."""
        return self._named(self.having < share * int(self.counts.sum()))

    def times(self) -> npt.NDArray[np.float64]:
        """How often each run has each key; (runs, keys)."""
        return np.concatenate([times for _, times, _ in self._some_at_a_time()]).astype(np.float64)

    @property
    def having(self) -> Counts:
        """How many runs have each key; (keys,)."""
        return self._tables[0]

    @property
    def once(self) -> Counts:
        """In how many runs each key comes just once; (keys,)."""
        return self._tables[1]

    @property
    def orders(self) -> Counts:
        """In how many runs each key comes before each, by their first occurrences; (keys, keys)."""
        return self._tables[2]

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
    def _tables(self) -> tuple[Counts, Counts, Counts]:
        if self.whole is not None:
            left = [place for place in range(len(self.keys) + 1) if place != self.whole[1]]
            whole = self.whole[0]
            return whole.having[left], whole.once[left], whole.orders[left][:, left]
        keys = len(self.keys)
        found = np.zeros(keys), np.zeros(keys), np.zeros((keys, keys))
        for counts, times, first in self._some_at_a_time():
            found[0][:] += counts @ (times > 0)
            found[1][:] += counts @ (times == 1)
            found[2][:] += _orders(counts, first, np.where(times > 0, first, -1))
        return found[0].astype(np.int64), found[1].astype(np.int64), found[2].astype(np.int64)

    def _some_at_a_time(self) -> Iterator[tuple[npt.NDArray[np.float64], Counts, Counts]]:
        """Runs in order: how often each comes, how often it has each key, and where first; beyond its end, if never."""
        keys, most = len(self.keys), max(1, CELLS // max(1, len(self.keys)))
        begin = 0
        for number in range(0, len(self.lengths), most):
            lengths = self.lengths[number : number + most]
            codes = self.codes[begin : begin + int(lengths.sum())]
            begin += len(codes)
            cells = np.repeat(np.arange(len(lengths)) * keys, lengths) + codes
            times = np.bincount(cells, minlength=len(lengths) * keys).reshape(len(lengths), keys)
            first = np.full(times.size, len(codes))
            np.minimum.at(first, cells, np.arange(len(codes)))
            yield self.counts[number : number + most].astype(np.float64), times, first.reshape(times.shape)


def _orders(counts: npt.NDArray[np.float64], first: Counts, later: Counts) -> npt.NDArray[np.float64]:
    """How often each key comes before each."""
    keys = first.shape[1]
    if first.size * keys <= AT_ONCE:
        return (counts @ (first[:, :, None] < later[:, None, :]).reshape(len(first), -1)).reshape(keys, keys)
    found = np.zeros((keys, keys))
    for key in range(keys):  # few runs have it, where keys are many
        having = later[:, key] >= 0
        found[key] = counts[having] @ (first[having, key, None] < later[having])
    return found


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
        keys = len(self.keys)
        self._apart.flat[:: keys + 1] = False
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
