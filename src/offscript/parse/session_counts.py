"""How often each symbol came in a session: counted in chunks, known again by a hash, and compared whole (ours).

A session has few different symbols of many, so its counts are pairs in a chain of small chunks. The hash is a sum with
one weight for each symbol, which an entry adds to: whatever the order of the entries, equal counts have equal hashes.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.entries import UNKNOWN
from offscript.parse.compiled import compiled, inlined

PAIRS: Final = 7
"""Symbols counted in a chunk, which with the number of the next one fills a line of the processor's cache."""

SYMBOLS, COUNTS, WIDTH = 2, 2 + PAIRS, 2 + 2 * PAIRS
"""Where the symbols of a chunk begin, and their counts; how long it is. The number of the next chunk comes first."""

DIRECT: Final = 1 << 16
"""Keys below it find their symbol in a table, others by halving: a model has some tens, numbered from 1."""

FIRST_KNOWN: Final = 1 << 8
"""Counts that there is room for at first; it doubles."""

_SPREAD: Final = 0x1E3779B97F4A7C15  # odd, with bits all over: digits of the golden ratio

Numbers = NDArray[np.int64]
Small = NDArray[np.int32]
Times = NDArray[np.float64]
Records = NDArray[Any]


class Keys(NamedTuple):
    """The symbols of log keys: `direct` by the key itself, those of larger keys beside the sorted `large` ones.

    `weights` are what each symbol adds to the hash of a session's counts.
    """

    direct: Small
    large: Numbers
    symbols: Small
    weights: Numbers


class Known(NamedTuple):
    """Counts whose score is known: a row of `vectors`, its hash, its sum and its score; `places` find a row by hash."""

    places: Small
    hashes: Numbers
    vectors: Small
    sums: Numbers
    scores: Times


def keys_of(symbols: dict[int, int], count: int) -> Keys:
    """The symbols of keys in columns; `count` is how many symbols there are.

    >>> keys_of({7: 3, 1 << 40: 4}, 5).large.tolist()
    [1099511627776]
    """
    limit = 1 + max((key for key in symbols if key < DIRECT), default=0)
    direct = np.full(limit, UNKNOWN, np.int32)
    for key, symbol in symbols.items():
        if 0 < key < limit:
            direct[key] = symbol
    large = np.array(sorted(key for key in symbols if key >= limit), np.int64)
    weights = np.random.default_rng(count).integers(1, 1 << 62, count) | 1
    return Keys(direct, large, np.array([symbols[key] for key in large.tolist()], np.int32), weights)


class KnownCounts:
    """Remembers the scores of counts for `recall`, up to so many; then it begins anew."""

    def __init__(self, symbols: int, most: int) -> None:
        self._symbols, self._most = symbols, most
        self._count = 0
        self.known = self._room(min(FIRST_KNOWN, most))

    def _room(self, rows: int) -> Known:
        places = np.zeros(1 << (2 * rows).bit_length(), np.int32)
        vectors = np.zeros((rows, self._symbols), np.int32)
        return Known(places, np.zeros(rows, np.int64), vectors, np.zeros(rows, np.int64), np.zeros(rows, np.float64))

    def recall(self, slots: Numbers, sessions: Records, chunks: Small) -> Times:
        """The scores of sessions, not a number where their counts are not known."""
        found = np.empty(len(slots), np.float64)
        _recall(slots, sessions, chunks, self.known, found)
        return found

    def add(self, hashes: Numbers, vectors: Small, scores: Times) -> None:
        """Remember scores; of equal counts once."""
        distinct = np.unique(hashes, return_index=True)[1]
        if self._count + len(distinct) > self._most:
            self._count, self.known = 0, self._room(min(FIRST_KNOWN, self._most))
        if len(distinct) > self._most:
            return
        if self._count + len(distinct) > len(self.known.hashes):
            old, count = self.known, self._count
            self.known = self._room(2 * (count + len(distinct)))
            self.known.hashes[:count], self.known.vectors[:count] = old.hashes[:count], old.vectors[:count]
            self.known.sums[:count], self.known.scores[:count] = old.sums[:count], old.scores[:count]
            _place(self.known, 0, count)
        end = self._count + len(distinct)
        here = slice(self._count, end)
        self.known.hashes[here], self.known.vectors[here] = hashes[distinct], vectors[distinct]
        self.known.sums[here], self.known.scores[here] = vectors[distinct].sum(axis=1), scores[distinct]
        _place(self.known, self._count, end)
        self._count = end


@inlined
def new_chunk(chunks: Small, sums: Records) -> int:
    """Return an empty chunk; there is room for one."""
    chunk = sums[0].free_chunk
    if chunk >= 0:
        sums[0].free_chunk = chunks[chunk, 0]
    else:
        chunk = sums[0].used_chunks
        sums[0].used_chunks += 1
    chunks[chunk] = 0
    chunks[chunk, 0] = -1
    return int(chunk)


@inlined
def count(first: int, symbol: int, times: int, chunks: Small, sums: Records) -> None:
    """Count a symbol in a chain of chunks; there is room for one more chunk.

    A chunk is looked through without a branch: where a symbol stands can hardly be foretold.
    """
    chunk = first
    place, used = find_symbol(chunk, symbol, chunks)
    while place < 0 and used == PAIRS:
        if chunks[chunk, 0] < 0:
            chunks[chunk, 0] = new_chunk(chunks, sums)
        chunk = chunks[chunk, 0]
        place, used = find_symbol(chunk, symbol, chunks)
    place = place if place >= 0 else used
    chunks[chunk, SYMBOLS + place] = symbol
    chunks[chunk, COUNTS + place] += times


@inlined
def find_symbol(chunk: int, symbol: int, chunks: Small) -> tuple[int, int]:
    """The place of a symbol in a chunk, -1 where it has none, and how many places are used."""
    place, used = -1, 0
    for number in range(PAIRS):
        here = chunks[chunk, SYMBOLS + number]
        place = number if here == symbol else place
        used += here != 0
    return place, used


@compiled
def add_counts(slots: NDArray[Any], sessions: Records, chunks: Small, out: Small) -> None:
    """Write how often each symbol came in each of these sessions into `out`, (n, symbols), which is zero."""
    for number in range(len(slots)):
        chunk = sessions[slots[number]].counts
        while chunk >= 0:
            for place in range(PAIRS):
                out[number, chunks[chunk, SYMBOLS + place]] += chunks[chunk, COUNTS + place]
            chunk = chunks[chunk, 0]


@compiled
def set_counts(
    slot: int, symbols: Numbers, counts: Numbers, keys: Keys, sessions: Records, chunks: Small, sums: Records
) -> None:
    """Write the counts of a session that comes from elsewhere; there is room."""
    session = sessions[slot]
    session.counts, session.hash = new_chunk(chunks, sums), 0
    for number in range(len(symbols)):
        count(session.counts, symbols[number], counts[number], chunks, sums)
        session.hash += keys.weights[symbols[number]] * counts[number]


@inlined
def first_place(hash_: int, places: Small) -> int:
    """Where to look for a hash first; its upper bits are mixed in."""
    return int((hash_ ^ hash_ >> 29) * _SPREAD >> 20 & len(places) - 1)


@compiled
def _place(known: Known, begin: int, end: int) -> None:
    """Let the places find some rows."""
    for row in range(begin, end):
        place = first_place(known.hashes[row], known.places)
        while known.places[place]:
            place = (place + 1) & len(known.places) - 1
        known.places[place] = row + 1


@compiled
def _recall(slots: Numbers, sessions: Records, chunks: Small, known: Known, out: Times) -> None:
    """Find the scores of sessions; a row is theirs only if all of its counts are."""
    for number in range(len(slots)):
        session = sessions[slots[number]]
        out[number] = np.nan
        place = first_place(session.hash, known.places)
        while known.places[place]:
            row = known.places[place] - 1
            if known.hashes[row] == session.hash and _is_same(
                session.counts, chunks, known.vectors[row], known.sums[row]
            ):
                out[number] = known.scores[row]
                break
            place = (place + 1) & len(known.places) - 1


@compiled
def _is_same(first: int, chunks: Small, vector: Small, total: int) -> bool:
    chunk, summed = first, 0
    while chunk >= 0:
        for place in range(PAIRS):
            times = chunks[chunk, COUNTS + place]
            if times and vector[chunks[chunk, SYMBOLS + place]] != times:
                return False
            summed += times
        chunk = chunks[chunk, 0]
    return summed == total
