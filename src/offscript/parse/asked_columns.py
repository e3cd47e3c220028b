"""Values asked of whole blocks of lines: the columnar twin of `asked` (ours).

Which own value of a skeleton stands at a place is found out once for each skeleton. Then the compiled pass takes these
values alone, and numbers are read and texts compared, byte by byte, without an object for each line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.entries import Match
from offscript.parse.asked import Asked, Values, answer, asked_by_key, asked_values
from offscript.parse.askers import Passed
from offscript.parse.byte_kinds import byte_at, fixed, put_byte
from offscript.parse.byte_table import ByteCodes, ByteTable, address_of, code_of
from offscript.parse.compiled import compiled
from offscript.parse.match import Templates
from offscript.parse.number_bytes import NO_UNIT, in_base_of, number_at
from offscript.parse.numbers import UNIT_CODES
from offscript.parse.origins import Origin
from offscript.parse.taken import Taken, Wanted, nothing_wanted
from offscript.parse.tokens import skeleton
from offscript.parse.values_seen import with_values

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]

ASKED_BYTES: Final = 4
"""Bytes of a number in `Asked`, which stand before the texts known there in the table of all."""

# How what is asked follows from the value that was taken.
_SAME, _NUMBER, _TEXT, _BY_LINE, _CONSTANT = (fixed(way) for way in range(5))
_NAN: Final = float("nan")


class _Way(NamedTuple):
    """How one thing asked is had from a skeleton's lines: the own value, the way, a unit, a stem, a constant."""

    asked: int
    slot: int
    way: int
    unit: int = 0
    stem: int = 0
    constant: float = _NAN


class Ways(NamedTuple):
    """The same for all wanted values, as arrays; `stems` are numbers of stems, which begin at `begins` of `blob`."""

    asked: Numbers
    ways: Numbers
    units: Numbers
    stems: Numbers
    constants: NDArray[np.float64]
    begins: Numbers
    blob: Bytes


class _Found(NamedTuple):
    """What is asked of some lines, those of one line together: the line, the number in `Asked`, the answer."""

    lines: NDArray[np.int32]
    asked: Numbers
    numbers: NDArray[np.float64]


class AskedColumns:
    """Finds what is asked in a scan's blocks; `tell` gives the match of a line that was read by itself.

    Args:
        templates: the templates that lines are matched by.
        asked: what is asked of their entries.
    """

    def __init__(self, templates: Templates, asked: Asked) -> None:
        self.wanted: Wanted = nothing_wanted()
        self._templates = templates
        self._of_key = asked_by_key(templates, asked)
        self._ways: list[_Way] = []
        self._stems = [""]
        self._arrays: Ways | None = None
        self._places: list[int] = []
        self._told: list[tuple[str, tuple[str, ...], Match]] = []
        self._known, self._longest, self._unsure = _table(asked)

    def know(self, code: int, number: int, values: int) -> None:  # noqa: ARG002  (what is asked is told by the tokens)
        """Want what is asked of the scan's next skeleton, which the last line told of has."""
        first = int(self.wanted.firsts[code])
        message, ids, _ = self._told[-1]
        ways = self._ways_of(number, message, ids) if number in self._of_key else []
        self._ways += ways
        self._arrays = None
        slots = with_values(self.wanted.slots, first, [way.slot for way in ways])
        reads = with_values(self.wanted.reads, first, [int(way.way == _SAME) for way in ways])
        self.wanted = Wanted(with_values(self.wanted.firsts, code, [first, first + len(ways)]), slots, reads)

    def at(self, place: int) -> None:
        """Take note of the line that `tell` tells of next."""
        self._places.append(place)

    def tell(self, message: str, ids: tuple[str, ...], match: Match) -> None:
        """Take note of the match of a line."""
        self._told.append((message, ids, match))

    def gather(self, passed: Passed | None, places: Numbers) -> Values:
        """Return what is asked of a block's entries."""
        alone = [(place, match) for place, (_, _, match) in zip(self._places, self._told, strict=True)]
        self._places, self._told = [], []
        parts = [] if passed is None else [taken for taken in passed.taken if taken.used[0]]
        if passed is not None and len(parts) == 1 and len(places) and not alone:
            values = self._at_once(passed, parts[0], places)
            if values is not None:
                return values
        found: list[_Found] = []
        if passed is not None:
            found += [self._found(passed, taken) for taken in parts]
            for part in found:
                alone += [(place, self._match(passed, place)) for place in part.lines[part.asked < 0].tolist()]
        found.append(self._found_alone(alone))
        counts = np.zeros(int(places[-1]) + 2 if len(places) else 1, np.int64)
        for part in found:
            count_answers(*part, counts)
        np.cumsum(counts, out=counts)
        size = int(counts[-1])
        values = Values(np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size))
        entry_of = np.empty(len(counts), np.int64)
        entry_of[places] = np.arange(len(places))
        for part in found:
            place_answers(*part, counts, entry_of, values)
        return values

    def _at_once(self, passed: Passed, taken: Taken, places: Numbers) -> Values | None:
        """What is asked of entries all of whose values were taken in one pass; None where a line is to be matched."""
        used, data = int(taken.used[0]), np.frombuffer(passed.raw.data, np.uint8)
        values = Values(np.empty(used, np.int32), np.empty(used, np.int32), np.empty(used))
        begins, entry_of = np.zeros((2, int(places[-1]) + 2), np.int64)
        room = np.empty(used, np.int64), np.empty(used), begins, entry_of
        scratch = np.empty(ASKED_BYTES + self._longest, np.uint8)
        size = answer_at_once(data, taken, self._as_arrays(), self._known.table, scratch, places, *room, values)
        return None if size < 0 else Values(values.entries[:size], values.asked[:size], values.numbers[:size])

    def _found(self, passed: Passed, taken: Taken) -> _Found:
        """What is asked of lines that the compiled pass read; minus one is asked where these are to be matched."""
        ways, used = self._as_arrays(), int(taken.used[0])
        found = _Found(taken.lines[:used], np.empty(used, np.int64), np.empty(used))
        scratch = np.empty(ASKED_BYTES + self._longest, np.uint8)
        data = np.frombuffer(passed.raw.data, np.uint8)
        answer_all(data, taken, ways, self._known.table, scratch, found.asked, found.numbers)
        return found

    def _found_alone(self, alone: Sequence[tuple[int, Match]]) -> _Found:
        """What is asked of lines that were matched as text."""
        rows = [
            (place, number, value)
            for place, match in alone
            if (of_key := self._of_key.get(match.key)) is not None
            for (number, _, _), value in zip(of_key.wanted, asked_values(match, of_key), strict=True)
        ]
        lines, asked, numbers = zip(*rows, strict=True) if rows else ((), (), ())
        return _Found(np.array(lines, np.int32), np.array(asked, np.int64), np.array(numbers, np.float64))

    def _match(self, passed: Passed, place: int) -> Match:
        """The match of a line that the compiled pass read, as text."""
        data, lines = passed.raw.data, passed.lines
        message = data[lines.begin[place] : lines.end[place]].decode("utf-8")
        name = data[lines.id_begin[place] : lines.id_end[place]].decode("utf-8") if lines.id_begin[place] >= 0 else ""
        return self._templates.match(message, (name,) if name else ())

    def _ways_of(self, key: int, message: str, ids: tuple[str, ...]) -> list[_Way]:
        """How what is asked of a key is had from the lines of a message's skeleton."""
        _, origins = self._templates.origins(skeleton(message, ids)[0])
        ways: list[_Way] = []
        for number, place, known in self._of_key[key].wanted:
            way = None if number in self._unsure else self._way(number, origins[place], known)
            if way is None:
                return [_Way(-1, 0, _BY_LINE)]
            ways.append(way)
        return ways

    def _way(self, number: int, origin: Origin | None, known: frozenset[str] | None) -> _Way | None:
        """How one thing is had; None where only the line tells."""
        if origin is None:
            return None
        if origin.text is not None:
            return _Way(number, 0, _CONSTANT, constant=answer(origin.text, known))
        if known is None and origin.slot < 0:  # several words or values are no number
            return _Way(number, 0, _CONSTANT)
        if known is not None:
            is_whole = origin.slot >= 0 and not origin.unit
            return _Way(number, origin.slot, _TEXT, stem=self._stem(origin.stem)) if is_whole else None
        if origin.is_plain:
            return _Way(number, origin.slot, _SAME)
        return _Way(number, origin.slot, _NUMBER, UNIT_CODES[origin.unit], self._stem(origin.stem))

    def _stem(self, stem: str) -> int:
        """The number of a stem."""
        if stem not in self._stems:
            self._stems.append(stem)
        return self._stems.index(stem)

    def _as_arrays(self) -> Ways:
        if self._arrays is None:
            columns = np.array([(way.asked, *way[2:5]) for way in self._ways], np.int64).reshape(-1, 4).T
            asked, ways, units, cut = (column.copy() for column in columns)
            stems = [stem.encode("utf-8", "surrogatepass") for stem in self._stems]
            self._arrays = Ways(
                asked,
                ways,
                units,
                cut,
                np.array([way.constant for way in self._ways]),
                np.cumsum([0, *map(len, stems)]),
                np.frombuffer(b"".join([*stems, b" "]), np.uint8),
            )
        return self._arrays


def _table(asked: Asked) -> tuple[ByteCodes, int, frozenset[int]]:
    """A table of all texts known, the bytes of the longest, and for what the table could not hold them all."""
    table, longest, unsure = ByteCodes(), 0, set()
    keys: list[tuple[int, bytes]] = []
    for number, (_, _, known) in enumerate(asked):
        for text in sorted(known or ()):
            encoded = text.encode("utf-8", "surrogatepass")
            longest = max(longest, len(encoded))
            keys.append((number, number.to_bytes(ASKED_BYTES, "little") + encoded))
            table.add(keys[-1][1])
    for number, key in keys:
        if table.find(np.frombuffer(key, np.uint8), len(key)) < 0:
            unsure.add(number)
    return table, longest, frozenset(unsure)


@compiled
def answer_all(
    data: Bytes,
    taken: Taken,
    ways: Ways,
    known: ByteTable,
    scratch: Bytes,
    asked: Numbers,
    out: NDArray[np.float64],
) -> None:
    """Write for each value taken what is asked, and the answer; minus one for lines that are to be matched as text."""
    slots, hashes, starts, blob = known
    base, target, stems = address_of(data), address_of(scratch), address_of(ways.blob)
    room = len(scratch) - ASKED_BYTES
    for row in range(taken.used[0]):
        want = taken.wants[row]
        way, stem = ways.ways[want], ways.stems[want]
        asked[row] = ways.asked[want]
        if way == _SAME:
            out[row] = taken.numbers[row]
        elif way == _CONSTANT:
            out[row] = ways.constants[want]
        elif way != _BY_LINE:
            begin, end = base + taken.begins[row], base + taken.ends[row]
            begin = behind_stem(begin, end, stems + ways.begins[stem], stems + ways.begins[stem + 1])
            if way == _NUMBER:
                out[row] = with_unit(begin, end, ways.units[want])
            else:
                size, code = end - begin, -1
                if size <= room:
                    for byte in range(ASKED_BYTES):
                        put_byte(target + byte, ways.asked[want] >> 8 * byte & 255)
                    for byte in range(size):
                        put_byte(target + ASKED_BYTES + byte, byte_at(begin + byte))
                    code = code_of(slots, hashes, starts, blob, target, ASKED_BYTES + size)
                out[row] = 0.0 if code >= 0 else 1.0


@compiled
def count_answers(lines: NDArray[np.int32], asked: Numbers, numbers: NDArray[np.float64], counts: Numbers) -> None:  # noqa: ARG001
    """Count the answers of each line, one place on, so that the sums are where those of each line begin."""
    for row in range(len(lines)):
        counts[lines[row] + 1] += asked[row] >= 0


@compiled
def place_answers(
    lines: NDArray[np.int32],
    asked: Numbers,
    numbers: NDArray[np.float64],
    begins: Numbers,
    entry_of: Numbers,
    out: Values,
) -> None:
    """Put answers where those of their line begin, which moves on."""
    for row in range(len(lines)):
        if asked[row] >= 0:
            place = begins[lines[row]]
            begins[lines[row]] = place + 1
            out.entries[place], out.asked[place] = entry_of[lines[row]], asked[row]
            out.numbers[place] = numbers[row]


@compiled
def answer_at_once(
    data: Bytes,
    taken: Taken,
    ways: Ways,
    known: ByteTable,
    scratch: Bytes,
    places: Numbers,
    asked: Numbers,
    numbers: NDArray[np.float64],
    begins: Numbers,
    entry_of: Numbers,
    out: Values,
) -> int:
    """Write what is asked of a block's entries in their order, and return how much that is; -1 for lines to be matched.

    `asked`, `numbers`, `begins` and `entry_of` are room to work in, the third of them zero.
    """
    answer_all(data, taken, ways, known, scratch, asked, numbers)
    lines = taken.lines[: taken.used[0]]
    for row in range(len(lines)):
        if asked[row] < 0:
            return -1
    count_answers(lines, asked, numbers, begins)
    for line in range(1, len(begins)):
        begins[line] += begins[line - 1]
    size = begins[len(begins) - 1]
    for entry in range(len(places)):
        entry_of[places[entry]] = entry
    place_answers(lines, asked, numbers, begins, entry_of, out)
    return int(size)


@compiled
def with_unit(begin: int, end: int, unit: int) -> float:
    """The number at an address, in the unit that stands behind it; nan where it has one of its own."""
    value, own = number_at(begin, end)
    if unit == NO_UNIT:
        return value
    return in_base_of(value, unit) if own == NO_UNIT else _NAN


@compiled
def behind_stem(begin: int, end: int, stem: int, past: int) -> int:
    """The address behind the stem that a value begins with, if it is longer; else that of the value."""
    size = past - stem
    same = end - begin > size
    for byte in range(size):
        same = same and byte_at(begin + byte) == byte_at(stem + byte)
    return begin + size if same else begin
