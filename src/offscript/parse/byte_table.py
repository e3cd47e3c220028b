"""A table of byte strings that compiled code can search: hashed, and compared in full on every hit (ours)."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.byte_kinds import byte_at, differ_wide, eight_at
from offscript.parse.compiled import compiled, inlined

_SEED: Final = np.uint64(0x9E3779B97F4A7C15)
_FACTOR: Final = np.uint64(0xD6E8FEB86659FD93)
_HALF: Final = np.uint64(32)
_BYTE: Final = np.uint64(8)

MOST_PROBES: Final = 64
"""Slots looked at for one string: at half load a chain is never so long by chance, so one that is was made on purpose
and counts as not held; the caller then goes the slow way."""


class ByteTable(NamedTuple):
    """The arrays of a table: `slots` holds codes (-1: free), the others are by code."""

    slots: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    begins: NDArray[np.int64]
    blob: NDArray[np.uint8]


@compiled
def address_of(data: NDArray[np.uint8]) -> int:
    """The address of an array's first byte: inner calls that hand on addresses cost less than those with arrays."""
    return int(np.int64(data.ctypes.data))


@compiled
def hash_of(begin: int, size: int) -> np.uint64:
    """Hash so many bytes from an address on, eight at a time."""
    state = _SEED ^ np.uint64(size)
    whole = begin + size - size % 8
    for place in range(begin, whole, 8):
        state = (state ^ eight_at(place)) * _FACTOR
        state ^= state >> _HALF
    word = np.uint64(0)
    for place in range(whole, begin + size):
        word = (word << _BYTE) | np.uint64(byte_at(place))
    state = (state ^ word) * _FACTOR
    state ^= state >> _HALF
    return state * _FACTOR


@compiled
def are_same(first: int, second: int, size: int) -> bool:
    """Whether so many bytes from two addresses on are the same."""
    most, whole = size - size % 32, size - size % 8
    for step in range(0, most, 32):
        if differ_wide(first + step, second + step):
            return False
    for step in range(most, whole, 8):
        if eight_at(first + step) != eight_at(second + step):
            return False
    same = True
    for step in range(whole, size):
        same = same and byte_at(first + step) == byte_at(second + step)
    return same


@inlined
def code_of(
    slots: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    begins: NDArray[np.int64],
    blob: NDArray[np.uint8],
    begin: int,
    size: int,
) -> int:
    """The code of so many bytes from an address on; -1 where the table does not hold them."""
    mark = hash_of(begin, size)
    mask = len(slots) - 1
    slot = np.int64(mark & np.uint64(mask))
    found = -1
    for _ in range(MOST_PROBES):
        code = slots[slot]
        if code < 0:
            break
        alike = hashes[code] == mark and begins[code + 1] - begins[code] == size
        if alike and are_same(np.int64(blob.ctypes.data) + begins[code], begin, size):
            found = code
            break
        slot = (slot + 1) & mask
    return found


@compiled
def _code_of(
    slots: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    begins: NDArray[np.int64],
    blob: NDArray[np.uint8],
    data: NDArray[np.uint8],
    size: int,
) -> int:
    return code_of(slots, hashes, begins, blob, address_of(data), size)


@compiled
def _hash_of(data: NDArray[np.uint8], size: int) -> np.uint64:
    return hash_of(address_of(data), size)


class ByteCodes:
    """Codes 0, 1, 2 ... for byte strings, in the order in which they are added (ours).

    `table` is for compiled code. It stays as it was when it grows: then there is another.

    >>> codes = ByteCodes()
    >>> codes.add(b"one"), codes.add(b"two")
    (0, 1)
    """

    def __init__(self) -> None:
        self._count = 0
        self.table = ByteTable(
            np.full(256, -1, np.int64), np.zeros(128, np.uint64), np.zeros(129, np.int64), np.zeros(1 << 13, np.uint8)
        )

    def __len__(self) -> int:
        """Return how many byte strings there are."""
        return self._count

    def find(self, data: NDArray[np.uint8], size: int) -> int:
        """Return the code of the first `size` bytes, -1 where the table does not hold them."""
        return int(_code_of(*self.table, data, size))

    def add(self, text: bytes) -> int:
        """Add bytes that the table does not hold, and return their code."""
        code = self._count
        self._make_room(len(text))
        table, data = self.table, np.frombuffer(text, np.uint8)
        begin = int(table.begins[code])
        table.blob[begin : begin + len(text)] = data
        table.begins[code + 1] = begin + len(text)
        table.hashes[code] = _hash_of(data, len(text))
        self._count += 1
        _place(table, code)
        return code

    def _make_room(self, size: int) -> None:
        table, used = self.table, int(self.table.begins[self._count])
        if used + size > len(table.blob):
            # readers of the old table must not find codes whose bytes only the new one has
            blob = np.concatenate([table.blob, np.zeros(len(table.blob) + size, np.uint8)])
            table = table._replace(blob=blob, slots=table.slots.copy())
        if self._count == len(table.hashes):
            table = table._replace(
                hashes=np.concatenate([table.hashes, np.zeros_like(table.hashes)]),
                begins=np.concatenate([table.begins, np.zeros_like(table.hashes, np.int64)]),
                slots=np.full(2 * len(table.slots), -1, np.int64),
            )
            for code in range(self._count):
                _place(table, code)
        self.table = table


def _place(table: ByteTable, code: int) -> None:
    mask = len(table.slots) - 1
    slot = int(table.hashes[code]) & mask
    for _ in range(MOST_PROBES):
        if table.slots[slot] < 0:
            table.slots[slot] = code
            return
        slot = (slot + 1) & mask
