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
from offscript.parse.cells import LONGEST_TEXT, NO_NUMBER, NOT_KEPT, CellStore
from offscript.parse.compiled import compiled
from offscript.parse.numbers import UNIT_CODES, number_of
from offscript.parse.raw_lines import RawLines
from offscript.parse.taken import Taken, Wanted, nothing_wanted
from offscript.parse.values_seen import with_values

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

SLOT_BYTES = 4
"""Bytes of a slot's number, which stand before its texts in the table of all."""


class _Block(NamedTuple):
    """The cells of a block in reading order; those of lines read alone begin at -1, and stand in `texts` by row."""

    numbers: NDArray[np.float64]
    units: Bytes
    begins: Numbers
    ends: Numbers
    slots: Numbers
    texts: dict[int, str]


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
        count = len(places)
        entry_of = np.full(int(places[-1]) + 1 if count else 0, -1, np.int64)
        entry_of[places] = np.arange(count)
        sizes = np.zeros(count, np.int64)
        whole = [(some, int(some.used[0])) for some in passed.taken] if passed is not None else []
        for some, used in whole:
            sizes += np.bincount(entry_of[some.lines[:used]], minlength=count)
        alone = list(zip(entry_of[self._places].tolist(), self._told, strict=True))
        for entry, (_, values) in alone:
            sizes[entry] = NOT_KEPT if values is None else len(values)
        self._places, self._told = [], []
        most = max(0, self._store.most - len(self._store))
        self._store.beyond += max(0, count - most)
        self._store.unlike += int(np.count_nonzero(sizes[:most] == NOT_KEPT))
        sizes[most:] = NOT_KEPT
        self._store.counts.frombytes(sizes.astype(np.uint16).tobytes())
        block = self._block(sizes, entry_of, whole, alone)
        self._store.numbers.frombytes(block.numbers.tobytes())
        self._store.units.frombytes(block.units.tobytes())
        self._store.texts.frombytes(self._texts(None if passed is None else passed.raw, block).tobytes())

    def _block(
        self,
        sizes: Numbers,
        entry_of: Numbers,
        whole: Sequence[tuple[Taken, int]],
        alone: Sequence[tuple[int, tuple[int, Sequence[str] | None]]],
    ) -> _Block:
        held = np.where(sizes == NOT_KEPT, 0, sizes)
        begins = np.cumsum(held) - held
        size = int(held.sum())
        first, last, slots = np.full((3, size), -1, np.int64)
        block = _Block(np.full(size, np.nan), np.full(size, NO_NUMBER, np.uint8), first, last, slots, {})
        for some, used in whole:
            entries, wants = entry_of[some.lines[:used]], some.wants[:used]
            kept = np.flatnonzero(sizes[entries] != NOT_KEPT)
            wants = wants[kept]
            rows = begins[entries[kept]] + self.wanted.slots[wants]
            block.slots[rows] = self._slots[wants]
            block.numbers[rows], block.units[rows] = some.numbers[kept], some.units[kept]
            block.begins[rows], block.ends[rows] = some.begins[kept], some.ends[kept]
        for entry, (number, values) in alone:
            if values is None or sizes[entry] == NOT_KEPT:
                continue
            slot = self._store.slot(number, len(values))
            for row, text in enumerate(values, int(begins[entry])):
                found = number_of(text)
                if found is not None:
                    block.numbers[row], block.units[row] = found.value, UNIT_CODES[found.unit]
                block.slots[row], block.texts[row] = slot + row - int(begins[entry]), text
        return block

    def _texts(self, raw: RawLines | None, block: _Block) -> NDArray[np.int8]:
        """The codes of a block's texts."""
        codes = np.full(len(block.slots), -1, np.int8)
        data = np.frombuffer(b"" if raw is None else raw.data, np.uint8)
        scratch = np.empty(SLOT_BYTES + LONGEST_TEXT, np.uint8)
        row = 0
        more = max(0, len(self._store.vocabularies) - len(self._open))
        self._open = with_values(self._open, len(self._open), [0] * more) if more else self._open
        while row < len(codes):
            known = self._known.table, self._codes, self._open
            row = code_texts(data, block.begins, block.ends, block.slots, *known, scratch, codes, row)
            if row < len(codes):
                begin, slot = int(block.begins[row]), int(block.slots[row])
                text = block.texts[row] if begin < 0 else data[begin : block.ends[row]].tobytes().decode("utf-8")
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

    Rows that begin at -1 stand elsewhere: there it stops, too.
    """
    table, hashes, starts, blob = known
    base, target = address_of(data), address_of(scratch)
    while row < len(slots):
        slot, size = slots[row], ends[row] - begins[row]
        if not are_open[slot]:
            if begins[row] < 0 or size > LONGEST_TEXT:
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
