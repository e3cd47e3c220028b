"""The cells of whole blocks of lines: what the compiled pass took, kept in reading order (ours).

`cells.CellStore` is the truth, line by line. Here only texts met before are recognised; each new one is given to the
store, in its place, and so has the code that it would have had there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.askers import Passed
from offscript.parse.byte_kinds import byte_at, put_byte
from offscript.parse.byte_table import ByteCodes, ByteTable, address_of, code_of
from offscript.parse.cells import LONGEST_TEXT, NO_NUMBER, NOT_KEPT, SLACK, CellStore
from offscript.parse.compiled import compiled
from offscript.parse.numbers import UNIT_CODES, number_of
from offscript.parse.taken import Taken, Wanted, nothing_wanted
from offscript.parse.values_seen import with_values

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

SLOT_BYTES = 4
"""Bytes of a slot's number, which stand before its texts in the table of all."""


ELSEWHERE = -1
"""Where values of lines begin that were read by themselves."""


class Block(NamedTuple):
    """The cells of a block in reading order."""

    numbers: NDArray[np.float64]
    units: Bytes
    begins: Numbers
    ends: Numbers
    slots: Numbers


def _block_of(size: int) -> Block:
    begins, ends, slots = np.empty((3, size), np.int64)
    return Block(np.full(size, np.nan), np.full(size, NO_NUMBER, np.uint8), begins, ends, slots)


class CellColumns:
    """Puts the cells of a scan's blocks into a store; `tell` gives those of lines that were read by themselves."""

    def __init__(self, store: CellStore) -> None:
        self.wanted: Wanted = nothing_wanted()
        self._store = store
        self._slots = np.zeros(64, np.int64)  # by wanted value: its slot in the store
        self._places: list[int] = []
        self._told: list[tuple[int, Sequence[str] | None]] = []
        self._known = ByteCodes()
        self._added: set[bytes] = set()
        self._codes = np.zeros(64, np.int64)  # by code of the table: that in the slot
        self._open = np.zeros(64, np.uint8)  # by slot: whether no text of it has a code

    def know(self, code: int, number: int, values: int) -> None:
        """Want all the own values of the scan's next skeleton."""
        first, slot = int(self.wanted.firsts[code]), self._store.slot(number, values)
        self._slots = with_values(self._slots, first, list(range(slot, slot + values)))
        slots = with_values(self.wanted.slots, first, list(range(values)))
        reads = with_values(self.wanted.reads, first, [1] * values)
        self.wanted = Wanted(with_values(self.wanted.firsts, code, [first, first + values]), slots, reads)

    def at(self, place: int) -> None:
        """Take note of the line that `tell` tells of next."""
        self._places.append(place)

    def tell(self, number: int, values: Sequence[str] | None) -> None:
        """Take note of the own values of a line, and of its skeleton; None where it is not of that."""
        self._told.append((number, values))

    def gather(self, passed: Passed | None, places: Numbers) -> None:
        """Keep the cells of a block's entries."""
        count, store = len(places), self._store
        entry_of = np.empty(int(places[-1]) + 1 if count else 0, np.int64)
        entry_of[places] = np.arange(count)
        sizes = np.zeros(count, np.int64)
        taken = passed.taken if passed is not None else []
        for some in taken:
            count_cells(some, entry_of, sizes)
        alone = list(zip(entry_of[self._places].tolist(), self._told, strict=True))
        for entry, (_, values) in alone:
            sizes[entry] = NOT_KEPT if values is None else len(values)
        self._places, self._told = [], []
        store.unlike += int(np.count_nonzero(sizes == NOT_KEPT))
        store.counts.frombytes(sizes.astype(np.uint16).tobytes())
        sizes[sizes == NOT_KEPT] = 0
        block = _block_of(int(sizes.sum()))
        begins = np.cumsum(sizes) - sizes
        for some in taken:
            place_cells(some, self.wanted.slots, self._slots, entry_of, begins, block)
        texts = self._alone(alone, begins, block)
        store.numbers.frombytes(block.numbers.tobytes())
        store.units.frombytes(block.units.tobytes())
        store.texts.frombytes(self._texts(b"" if passed is None else passed.raw.data, block, texts).tobytes())
        store.trim(store.most // SLACK)

    def _alone(
        self, alone: Sequence[tuple[int, tuple[int, Sequence[str] | None]]], begins: Numbers, block: Block
    ) -> dict[int, str]:
        """Put the values of lines that were read by themselves into the block; return their texts by row."""
        texts: dict[int, str] = {}
        for entry, (number, values) in alone:
            if values is None:
                continue
            slot, begin = self._store.slot(number, len(values)), int(begins[entry])
            for row, text in enumerate(values, begin):
                found = number_of(text)
                if found is not None:
                    block.numbers[row], block.units[row] = found.value, UNIT_CODES[found.unit]
                block.begins[row], block.slots[row], texts[row] = ELSEWHERE, slot + row - begin, text
        return texts

    def _texts(self, raw: bytes, block: Block, texts: dict[int, str]) -> NDArray[np.int8]:
        """The codes of a block's texts; those of lines read by themselves are given by row."""
        codes = np.full(len(block.slots), -1, np.int8)
        data = np.frombuffer(raw, np.uint8)
        scratch = np.empty(SLOT_BYTES + LONGEST_TEXT, np.uint8)
        row = 0
        more = max(0, len(self._store.vocabularies) - len(self._open))
        self._open = with_values(self._open, len(self._open), [0] * more) if more else self._open
        while row < len(codes):
            known = self._known.table, self._codes, self._open
            row = code_texts(data, block.begins, block.ends, block.slots, *known, scratch, codes, row)
            if row < len(codes):
                begin, slot = int(block.begins[row]), int(block.slots[row])
                text = texts[row] if begin == ELSEWHERE else raw[begin : block.ends[row]].decode("utf-8")
                codes[row] = self._code(slot, text)
                row += 1
        return codes

    def _code(self, slot: int, text: str) -> int:
        """The code of a text that the table does not hold, as the store gives it; the table holds it from now on."""
        code = self._store.code(slot, text)
        if code < 0:
            self._open[slot] = 1
            return code
        key = slot.to_bytes(SLOT_BYTES, "little") + text.encode("utf-8", "surrogatepass")
        if key not in self._added:
            self._added.add(key)
            at = self._known.add(key)
            self._codes = with_values(self._codes, at, [code])
        return code


@compiled
def count_cells(taken: Taken, entry_of: Numbers, sizes: Numbers) -> None:
    """Count the values that were taken of each entry."""
    for row in range(taken.used[0]):
        sizes[entry_of[taken.lines[row]]] += 1


@compiled
def place_cells(taken: Taken, values: Numbers, slots: Numbers, entry_of: Numbers, begins: Numbers, out: Block) -> None:
    """Put values that were taken where those of their entry begin."""
    for row in range(taken.used[0]):
        want = taken.wants[row]
        place = begins[entry_of[taken.lines[row]]] + values[want]
        out.numbers[place], out.units[place] = taken.numbers[row], taken.units[row]
        out.begins[place], out.ends[place] = taken.begins[row], taken.ends[row]
        out.slots[place] = slots[want]


@compiled
def code_texts(
    data: Bytes,
    begins: Numbers,
    ends: Numbers,
    slots: Numbers,
    known: ByteTable,
    codes: Numbers,
    are_open: Bytes,
    scratch: Bytes,
    out: NDArray[np.int8],
    row: int,
) -> int:
    """Write the codes of texts from a row on; return the row of the first that the table does not hold.

    It stops at rows that stand elsewhere, too.
    """
    table, hashes, starts, blob = known
    base, target = address_of(data), address_of(scratch)
    while row < len(slots):
        slot, size = slots[row], ends[row] - begins[row]
        if not are_open[slot]:
            if begins[row] == ELSEWHERE or size > LONGEST_TEXT:
                break
            for byte in range(SLOT_BYTES):
                put_byte(target + byte, slot >> 8 * byte & 255)
            for byte in range(size):
                put_byte(target + SLOT_BYTES + byte, byte_at(base + begins[row] + byte))
            code = code_of(table, hashes, starts, blob, target, SLOT_BYTES + size)
            if code < 0:
                break
            out[row] = codes[code]
        row += 1
    return row
