"""Shapes of headers: lines whose headers differ in digits alone are read alike, so each shape is read once (ours).

The header's own regular expression reads one line of each shape; from it the places of the message, of the stamp's
parts and of the session id are known for all lines of that shape. A shape is the start of a line, as far as a header
of this kind can reach, with each digit as 0: lines of equal shape have their columns at equal places. What that cannot
promise makes the plan of the shape *odd*, and such lines are read one by one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.parse.byte_kinds import byte_at
from offscript.parse.byte_table import ByteCodes, ByteTable, code_of, hash_of
from offscript.parse.columns import Column, compile_columns
from offscript.parse.compiled import compiled, inlined
from offscript.parse.header import Header
from offscript.parse.session_key import MAX_ID, SessionKey
from offscript.parse.stamps import WIDTH, Row, read_stamp, row_of
from offscript.parse.times import Stamp, stamp

LONGEST_SHAPE: Final = 1_000
"""Bytes of a line that a shape may take: the widest public header has 200."""

MAX_SHAPES: Final = 20_000
"""Shapes held, about 1 kB each: public logs have some thousands (host names, lengths of process ids); above it lines
of other shapes are read one by one."""

LONG_HEX: Final = 32
"""Lower-case hexadecimal digits and dashes in a row that are an id, such as a UUID: no format of a header tells one of
its digits from another."""

LONG_NUMBER: Final = 10
"""Digits of a process id at most, as columns have it: longer numbers are told from shorter ones."""

_WORDS: Final = {"tag": 4, "stream": 2}
"""Words that a column may take where it may take more than one; a stamp has as many as its format, and a zone."""

# Columns of a plan; the rows of the main stamp and of one that repeats it follow.
KIND, MESSAGE, ID_BEGIN, ID_END, STAMPED, AGAIN, MAIN = 0, 1, 2, 3, 4, 5, 6
ODD, READ = 0, 1
PLAN: Final = MAIN + 2 * WIDTH

_SPACE, _BAR, _MINUS = 32, 124, 45
_BRACKET, _PAREN = 91, 40

Bytes = NDArray[np.uint8]
Plans = NDArray[np.int64]


@compiled
def is_space(byte: int) -> bool:
    """Whether a byte is white space as Python has it for ASCII."""
    return byte == _SPACE or 9 <= byte <= 13 or 28 <= byte <= 31


@compiled
def address_of(data: Bytes) -> int:
    """The address of an array's first byte: calls that hand on addresses cost less than those with arrays."""
    return int(np.int64(data.ctypes.data))


@compiled
def _hex_run(begin: int, end: int) -> int:
    """The end of the run of lower-case hexadecimal digits and dashes at an address; the address if it is short."""
    stop = begin
    while stop < end and _is_hex(byte_at(stop)):
        stop += 1
    return stop if stop - begin >= LONG_HEX else begin


@compiled
def _is_hex(byte: int) -> bool:
    return 48 <= byte <= 57 or 97 <= byte <= 102 or byte == _MINUS


@compiled
def _is_letter(byte: int) -> bool:
    return 65 <= byte <= 90 or 97 <= byte <= 122


@inlined
def _fold_exactly(data: Bytes, base: int, begin: int, end: int, out: Bytes, size: int) -> int:
    """Write a word with each digit as 0 and each digit of a long hexadecimal run but the first as x."""
    place = begin
    while place < end:
        run = _hex_run(base + place, base + end) - base if end - place >= LONG_HEX else place
        if run == place:
            out[size] = 48 if 48 <= data[place] <= 57 else data[place]
            size += 1
            place += 1
        first = True
        while place < run:
            byte = data[place]
            if byte != _MINUS:
                byte = (48 if byte <= 57 else 120) if first else 120
                first = False
            out[size] = byte
            size += 1
            place += 1
    return size


@inlined
def _fold_loosely(data: Bytes, base: int, begin: int, end: int, out: Bytes, size: int) -> int:
    """Write a word with each number as one 0, or 9 if it is long, and each other run with a digit as one w."""
    place = begin
    while place < end:
        run = _hex_run(base + place, base + end) - base if end - place >= LONG_HEX else place
        if run > place:
            out[size] = 119
            size += 1
            place = run
            continue
        stop, digits = place, 0
        while stop < end and (48 <= data[stop] <= 57 or _is_letter(data[stop])):
            digits += data[stop] <= 57
            stop += 1
        if digits:
            number = digits == stop - place
            out[size] = (48 if digits <= LONG_NUMBER else 57) if number else 119
            size += 1
            place = stop
        else:
            stop = max(stop, place + 1)
            for at in range(place, stop):
                out[size] = data[at]
                size += 1
            place = stop
    return size


@inlined
def fold(data: Bytes, start: int, stop: int, own: int, words: int, out: Bytes) -> tuple[int, int, int]:
    """Write the shape of a line: its size, where the words kept digit for digit end, and how many words there were.

    A word ends at white space or a bar, but not within the bracket or parenthesis that it begins with. `own` words
    are kept digit for digit, up to `words` loosely. `out` holds `LONGEST_SHAPE + 1` bytes.
    """
    base = address_of(data)
    limit = min(stop, start + LONGEST_SHAPE)
    place, size, count, depth = start, 0, 0, 0
    opener, closer, exact_end = 0, 0, limit
    while place < limit:
        byte = data[place]
        if is_space(byte) or byte == _BAR:
            out[size] = byte
            size += 1
            place += 1
            continue
        if depth == 0:
            if count == own:
                exact_end = place
            if count == words:
                out[size] = 1  # the shape ends before the line does
                return size + 1, exact_end, count
            count += 1
            if byte in (_BRACKET, _PAREN):
                opener, closer = byte, byte + (2 if byte == _BRACKET else 1)
            else:
                opener, closer = 0, 0
        end = place
        while end < limit and not (is_space(data[end]) or data[end] == _BAR):
            if opener:
                depth += data[end] == opener
                depth -= data[end] == closer and depth > 0
            end += 1
        if count <= own:
            size = _fold_exactly(data, base, place, end, out, size)
        else:
            size = _fold_loosely(data, base, place, end, out, size)
        place = end
    out[size] = 0 if limit == stop else 2
    return size + 1, exact_end, count


@inlined
def plan_of(
    data: Bytes,
    start: int,
    stop: int,
    own: int,
    words: int,
    slots: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    begins: NDArray[np.int64],
    blob: Bytes,
    out: Bytes,
) -> int:
    """The code of a line's shape; -1 for one not met before."""
    size, _, _ = fold(data, start, stop, own, words, out)
    return code_of(slots, hashes, begins, blob, out, size, hash_of(out, size))


@inlined
def read_time(data: Bytes, start: int, plans: Plans, code: int) -> tuple[bool, float, int]:
    """Whether the stamps of a line read as its plan says, and the first one's seconds and microseconds or -1."""
    fits, base, micro = True, math.nan, -1
    if plans[code, AGAIN]:
        fits, _, _ = read_stamp(address_of(data) + start, plans, code, MAIN + WIDTH)
    if fits and plans[code, STAMPED]:
        fits, base, micro = read_stamp(address_of(data) + start, plans, code, MAIN)
    return fits, base, micro


class HeaderShapes:
    """The shapes of one header's lines, learnt as they come; `table` and `plans` are for compiled code (ours).

    `own` and `words` are what `fold` needs: the words of the sample's headers, and of any header of this kind.

    >>> from offscript.parse.header import detect_header
    >>> sample = [f"2024-05-01 10:00:{n} INFO [req-{n}] up" for n in range(10, 60)]
    >>> shapes = HeaderShapes(detect_header(sample), SessionKey.none(), sample)
    >>> shapes.learn(sample[0].encode()), shapes.learn(sample[1].encode()), shapes.plans[0, KIND] == READ
    (0, 0, True)
    """

    def __init__(self, header: Header, session_key: SessionKey, sample: Sequence[str]) -> None:
        self._field = session_key.field if session_key.where == "header" else None
        self._columns = header.columns if header.kind == "columns" else ()
        self._pattern, named = compile_columns(self._columns) if self._columns else (re.compile(""), ())
        self._fields = _fields(self._pattern, named)
        forms = {column.shape: column.form for column in self._columns if column.form}
        self._stamp: Stamp | None = stamp(forms["stamp"]) if "stamp" in forms else None
        self._again: Stamp | None = stamp(forms["stamp-again"]) if "stamp-again" in forms else None
        self._shape = np.zeros(LONGEST_SHAPE + 1, np.uint8)
        self.own = self.words = 0
        if self._columns:
            self.own = max((self._words_before(text) for text in sample), default=0)
            self.words = max(self.own, sum(map(_most_words, self._columns))) + 1
        self._codes = ByteCodes()
        self.plans: Plans = np.zeros((64, PLAN), np.int64)

    @staticmethod
    def serves(header: Header) -> bool:
        """Whether a header's lines can be read by shapes: those with columns at fixed places, and those without any."""
        shapes = [column.shape for column in header.columns]
        fixed = header.kind == "columns" and "any" not in shapes and shapes.count("stamp-again") <= 1
        return header.inner is None and (fixed or header.kind == "plain")

    @property
    def table(self) -> ByteTable:
        """The shapes' table."""
        return self._codes.table

    def __len__(self) -> int:
        """Return how many shapes are known."""
        return len(self._codes)

    def learn(self, line: bytes) -> int:
        """Return the code of a line's shape, after having read the line if the shape is new; -1 above the cap."""
        data = np.frombuffer(line, np.uint8)
        size, exact_end, _ = fold(data, 0, len(data), self.own, self.words, self._shape)
        code = self._codes.find(self._shape, size)
        if code >= 0 or len(self._codes) >= MAX_SHAPES:
            return code
        code = len(self._codes)
        if code == len(self.plans):
            self.plans = np.concatenate([self.plans, np.zeros_like(self.plans)])
        plan = self._read(line, exact_end)
        if plan is not None:
            self.plans[code] = plan
        return self._codes.add(self._shape[:size].tobytes())

    def _words_before(self, text: str) -> int:
        """How many words of a line its header has."""
        found = self._pattern.match(text)
        if found is None:
            return 0
        data = np.frombuffer(text[: found.end()].encode(), np.uint8)
        return int(fold(data, 0, len(data), LONGEST_SHAPE, LONGEST_SHAPE, self._shape)[2])

    def _read(self, line: bytes, exact_end: int) -> NDArray[np.int64] | None:
        """The plan of a line's shape; None where lines of equal shape may have to be read otherwise."""
        plan = np.zeros(PLAN, np.int64)
        plan[KIND], plan[ID_BEGIN] = READ, -1
        if not self._columns:
            return plan
        if not line[:exact_end].isascii():
            return None
        text = line[:LONGEST_SHAPE].decode("utf-8", "replace") if len(line) > LONGEST_SHAPE else line.decode()
        found = self._pattern.match(text)
        if found is None or found.end() > exact_end:
            return None
        plan[MESSAGE] = found.end()
        return plan if self._place_id(plan, found) and self._place_stamps(plan, found, text) else None

    def _place_id(self, plan: NDArray[np.int64], found: re.Match[str]) -> bool:
        if self._field is None:
            return True
        for name, group in self._fields:
            value = found.group(group)
            if name == self._field and value not in (None, "-", ""):
                plan[ID_BEGIN : ID_END + 1] = found.span(group)
                return len(value) <= MAX_ID
        return True

    def _place_stamps(self, plan: NDArray[np.int64], found: re.Match[str], text: str) -> bool:
        if self._stamp is not None:
            spans = {group: found.span(group) for group in "afbz"}
            after = text[spans["b"][1] :]
            if spans["a"][0] < 0 or (spans["z"][0] < 0 and _MAYBE_ZONE.match(after)):
                return False
            row = row_of(self._stamp, spans, text)
            if row is None:
                return False
            plan[STAMPED] = 1
            plan[MAIN : MAIN + WIDTH] = row
        if self._again is None:
            return True
        row = _row_again(self._again, found, text)
        if row is None:
            return False
        plan[AGAIN] = 1
        plan[MAIN + WIDTH :] = row
        return True


_MAYBE_ZONE: Final = re.compile(r"\s?[+-]\d")


def _row_again(again: Stamp, found: re.Match[str], text: str) -> Row | None:
    group = next(name for name in found.groupdict() if name.startswith("again"))
    begin, end = found.span(group)
    inside = re.compile(again.pattern).fullmatch(text, begin, end) if begin >= 0 else None
    if inside is None or (inside["z"] is None and _MAYBE_ZONE.match(text, end)):
        return None
    return row_of(again, {name: inside.span(name) for name in "afbz"}, text)


def _most_words(column: Column) -> int:
    if column.shape in ("stamp", "stamp-again"):
        return len(column.form.split()) + 1
    return _WORDS.get(column.shape, 1)


def _fields(pattern: re.Pattern[str], named: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """The identifiers of a header with their groups, named as `Header.split` names them."""
    fields = [(name, group) for group, name in named]
    if "pid" in pattern.groupindex:
        fields.append(("pid2" if any(name == "pid" for name, _ in fields) else "pid", "pid"))
    return fields
