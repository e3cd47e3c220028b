"""Byte strings as dense codes 0, 1, 2, ... in order of first sight, at machine speed (ours).

An open table of 64-bit hashes finds the code; the bytes of every name are kept and compared, so that two names never
share a code. The hash is fixed, for equal input must give equal codes and times, and whoever writes the log could make
names that collide. So a name is looked for in `MAX_PROBES` places only. One that finds all of them taken goes to a
dictionary, whose hash nobody can foresee; as places never become free between two growths, it will be looked for there
ever after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, overload

import numpy as np
import numpy.typing as npt

from offscript.parse.compiled import compiled

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

MAX_PROBES: Final = 32
"""Places looked at for one name, ever farther apart. In a table at most half full each is taken with a chance of a
half, so that one name in thousands of millions needs more."""

FIRST_PLACES: Final = 1 << 10
"""Places of the first table, in 8 kB; it doubles as names come, so a start too small costs nothing that lasts."""

FIRST_BYTES: Final = 1 << 14
"""Bytes kept of names at first: sixteen for each place."""

_DONE, _TABLE_FULL, _BYTES_FULL, _CROWDED = range(4)

# Odd, with bits all over: digits of the golden ratio and of the square root of two.
_SPREAD, _MIX = 0x1E3779B97F4A7C15, 0x6A09E667F3BCC909


class Interner:
    """Gives each distinct byte string a code; equal strings have equal codes, always (ours).

    >>> interner = Interner()
    >>> data = np.frombuffer(b"blk_1 blk_2 blk_1", np.uint8)
    >>> codes = np.empty(4, np.int64)
    >>> interner.intern(data, np.array([0, 6, -1, 12]), np.array([5, 11, -1, 17]), codes)
    >>> codes.tolist(), interner.names(0), len(interner)
    ([0, 1, -1, 0], [b'blk_1', b'blk_2'], 2)
    """

    def __init__(self) -> None:
        self._count = 0
        self._table = np.zeros(FIRST_PLACES, np.int64)
        self._ends = np.zeros(FIRST_PLACES // 2 + 1, np.int64)
        self._bytes = np.empty(FIRST_BYTES, np.uint8)
        self._crowded: dict[bytes, int] = {}

    def __len__(self) -> int:
        """Return how many distinct names there are."""
        return self._count

    def intern(self, data: Bytes, starts: Ints, stops: Ints, codes: Ints) -> None:
        """Write into `codes[i]` the code of `data[starts[i]:stops[i]]`, or -1 where that is empty or starts at -1.

        New names get the next codes in order. All arrays but `data` have one length, and no name ends beyond `data`.
        """
        hashes, at = np.empty(len(starts), np.int64), 0
        while at < len(starts):
            at, self._count, state = _intern_hashed(
                data, starts, stops, hashes, codes, at, self._table, self._ends, self._bytes, self._count
            )
            if state == _TABLE_FULL:
                self._grow_table()
            elif state == _BYTES_FULL:
                self._grow_bytes(int(stops[at] - starts[at]))
            elif state == _CROWDED:
                codes[at] = self._crowded_code(data[starts[at] : stops[at]])
                at += 1

    def names(self, first: int) -> list[bytes]:
        """Return the names whose code is `first` or more, in order of code."""
        ends = self._ends[first : self._count + 1]
        kept = self._bytes[ends[0] : ends[-1]].tobytes() if len(ends) else b""
        return [kept[begin:end] for begin, end in pairwise((ends - ends[:1]).tolist())]

    def sizes(self) -> Ints:
        """Return how many bytes each name has, in order of code."""
        return np.diff(self._ends[: self._count + 1])

    def is_ascii(self) -> bool:
        """Tell whether all bytes of all names are of ASCII: then each is a character."""
        return bool(self._bytes[: self._ends[self._count]].max(initial=0) < 128)

    def name(self, code: int) -> bytes:
        """Return the name of a code."""
        return self._bytes[self._ends[code] : self._ends[code + 1]].tobytes()

    def some(self, codes: Ints) -> list[bytes]:
        """Return the names of some codes, in that order.

        >>> interner = Interner()
        >>> interner.intern(np.frombuffer(b"ab", np.uint8), np.array([0, 1]), np.array([1, 2]), np.empty(2, np.int64))
        >>> interner.some(np.array([1, 0]))
        [b'b', b'a']
        """
        kept = memoryview(self._bytes)  # type: ignore[arg-type]
        spans = zip(self._ends[codes].tolist(), self._ends[codes + 1].tolist(), strict=True)
        return [bytes(kept[begin:end]) for begin, end in spans]

    def _grow_table(self) -> None:
        self._table = np.zeros(2 * len(self._table), np.int64)
        ends = np.zeros(len(self._table) // 2 + 1, np.int64)
        ends[: self._count + 1] = self._ends[: self._count + 1]
        hashes, crowded = np.empty(self._count, np.int64), np.empty(self._count, np.int64)
        _hash(self._bytes, ends[: self._count], ends[1 : self._count + 1], hashes)
        number = _refill(self._table, hashes, crowded)
        self._ends = ends
        self._crowded = {self._bytes[ends[code] : ends[code + 1]].tobytes(): code for code in crowded[:number].tolist()}

    def _grow_bytes(self, needed: int) -> None:
        size = int(self._ends[self._count])
        grown = np.empty(2 * len(self._bytes) + needed, np.uint8)
        grown[:size] = self._bytes[:size]
        self._bytes = grown

    def _crowded_code(self, name: Bytes) -> int:
        """The code of a name for which the table has no place; it has room for one more name and its bytes."""
        code = self._crowded.setdefault(name.tobytes(), self._count)
        if code == self._count:
            begin = self._ends[code]
            self._ends[code + 1] = begin + len(name)
            self._bytes[begin : begin + len(name)] = name
            self._count += 1
        return code


class Names(Sequence[str]):
    """The names of an interner by code, as text made only where it is asked for: of most nobody ever asks (ours).

    >>> interner = Interner()
    >>> interner.intern(np.frombuffer(b"blk_1", np.uint8), np.array([0]), np.array([5]), np.empty(1, np.int64))
    >>> list(Names(interner))
    ['blk_1']
    """

    def __init__(self, interner: Interner) -> None:
        self._interner = interner

    def __len__(self) -> int:
        """Return how many names there are by now."""
        return len(self._interner)

    def __iter__(self) -> Iterator[str]:
        """Yield the names in order of code."""
        return (name.decode("utf-8", "surrogatepass") for name in self._interner.names(0))

    def some(self, codes: Ints) -> list[str]:
        """Return the names of some codes, in that order."""
        return [name.decode("utf-8", "surrogatepass") for name in self._interner.some(codes)]

    @overload
    def __getitem__(self, code: int) -> str: ...

    @overload
    def __getitem__(self, code: slice) -> list[str]: ...

    def __getitem__(self, code: int | slice) -> str | list[str]:
        """Return the name of a code; IndexError for one that no name has."""
        if isinstance(code, slice):
            return list(self)[code]
        return self._interner.name(range(len(self))[code]).decode("utf-8", "surrogatepass")


@compiled
def _intern(
    data: Bytes,
    starts: Ints,
    stops: Ints,
    hashes: Ints,
    codes: Ints,
    at: int,
    table: Ints,
    ends: Ints,
    kept: Bytes,
    count: int,
) -> tuple[int, int, int]:
    """Intern from number `at` on; return how far that came, how many names there are, and why it stopped.

    A place of the table is 0 or the upper half of a hash and, below it, the code plus 1.
    """
    state, mask = _DONE, len(table) - 1
    while at < len(starts) and state == _DONE:
        size, code = stops[at] - starts[at], -1
        if starts[at] >= 0 and size > 0:
            place, probes = hashes[at] & mask, 0
            while probes < MAX_PROBES and code < 0 and table[place] != 0:
                if (table[place] ^ hashes[at]) >> 32 == 0:
                    other = (table[place] & 0xFFFFFFFF) - 1
                    if ends[other + 1] - ends[other] == size and _is_same(kept, ends[other], data, starts[at], size):
                        code = other
                place, probes = (place + probes + 1) & mask, probes + 1
            if code < 0:
                state = _lack(2 * count >= len(table), ends[count] + size > len(kept), probes)
            if code < 0 and state == _DONE:
                code = count
                count += 1
                table[place] = hashes[at] >> 32 << 32 | count
                ends[count] = ends[code] + size
                for byte in range(size):
                    kept[ends[code] + byte] = data[starts[at] + byte]
        if state == _DONE:
            codes[at] = code
            at += 1
    return at, count, state


@compiled
def _lack(is_full: bool, is_long: bool, probes: int) -> int:
    """Why a new name cannot be kept, if so; room is made first, for a crowded name needs it too."""
    if is_full:
        return _TABLE_FULL
    if is_long:
        return _BYTES_FULL
    return _CROWDED if probes == MAX_PROBES else _DONE


@compiled
def _refill(table: Ints, hashes: Ints, crowded: Ints) -> int:
    """Put all codes into an empty table; return how many found no place, with the codes in `crowded`."""
    number, mask = 0, len(table) - 1
    for code in range(len(hashes)):
        place, probes = hashes[code] & mask, 0
        while probes < MAX_PROBES and table[place] != 0:
            place, probes = (place + probes + 1) & mask, probes + 1
        if probes < MAX_PROBES:
            table[place] = hashes[code] >> 32 << 32 | (code + 1)
        else:
            crowded[number] = code
            number += 1
    return number


@compiled
def _hash(data: Bytes, starts: Ints, stops: Ints, hashes: Ints) -> None:
    """Hash each name, eight bytes at a time; the last eight may overlap those before them."""
    for number in range(len(starts)):
        at = starts[number]
        stop = stops[number] if at >= 0 else at
        mixed = (stop - at) * _SPREAD
        while at + 8 < stop:
            mixed = (mixed ^ _word(data, at)) * _MIX
            mixed ^= mixed >> 29
            at += 8
        if stop - starts[number] >= 8:
            mixed = (mixed ^ _word(data, stop - 8)) * _MIX
        else:
            for byte in range(at, stop):
                mixed = (mixed ^ np.int64(data[byte])) * _MIX
        mixed = (mixed ^ mixed >> 32) * _SPREAD
        hashes[number] = mixed ^ mixed >> 29


@compiled
def _is_same(kept: Bytes, begin: int, data: Bytes, start: int, size: int) -> bool:
    at = 0
    while at + 8 <= size and _word(kept, begin + at) == _word(data, start + at):
        at += 8
    while at < size and kept[begin + at] == data[start + at]:
        at += 1
    return at == size


@compiled
def _word(data: Bytes, at: int) -> int:
    """Return eight bytes as one number; with an index that has no sign the machine loads them at once."""
    first = np.uint64(at)
    word = np.int64(data[first])
    for byte in range(1, 8):
        word |= np.int64(data[first + np.uint64(byte)]) << np.int64(8 * byte)
    return int(word)


@compiled
def _intern_hashed(
    data: Bytes,
    starts: Ints,
    stops: Ints,
    hashes: Ints,
    codes: Ints,
    at: int,
    table: Ints,
    ends: Ints,
    kept: Bytes,
    count: int,
) -> tuple[int, int, int]:
    """Hash all names before the first of them, and intern as `_intern` does: one call from outside."""
    if at == 0:
        _hash(data, starts, stops, hashes)
    return _intern(data, starts, stops, hashes, codes, at, table, ends, kept, count)
