"""Shapes of headers: lines whose headers differ in digits alone are read alike, so each shape is read once (ours).

The header's own regular expression reads one line of each shape; from it the places of the message, of the stamp's
parts and of the session id are known for all lines of that shape. A shape is the start of a line, as far as a header
of this kind can reach, with each digit as 0: lines of equal shape have their columns at equal places. What that cannot
promise makes the plan of the shape *odd*, and such lines are read one by one.

Where the header has all its columns and nothing behind it could make it longer, its own words are shape enough: such a
plan is found at once. Else the shape is *open*, and the longer one decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.parse.byte_kinds import byte_at, eight_at, first_flagged, fixed, put_byte, put_number
from offscript.parse.byte_table import ByteCodes, ByteTable, address_of, code_of
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

SHAPE_ROOM: Final = LONGEST_SHAPE + 9
"""Bytes that a shape may take where it is written: one ends it, up to eight are slack."""

LONG_HEX: Final = 32
"""Lower-case hexadecimal digits and dashes in a row that are an id, such as a UUID: no format of a header tells one of
its digits from another."""

LONG_NUMBER: Final = 10
"""Digits of a process id at most, as columns have it: longer numbers are told from shorter ones."""

_WORDS: Final = {"tag": 4, "stream": 2}
"""Words that a column may take where it may take more than one; a stamp has as many as its format, and a zone."""

# Columns of a plan; the rows of the main stamp and of one that repeats it follow.
KIND, MESSAGE, ID_BEGIN, ID_END, STAMPED, AGAIN, MAIN = 0, 1, 2, 3, 4, 5, 6
ODD, READ, OPEN = 0, 1, 2
PLAN: Final = MAIN + 2 * WIDTH

_SPACE, _BAR, _MINUS, _BRACKET, _PAREN = [fixed(sign) for sign in b" |-[("]
# How a shape ends: with the line, before the line does, or at the longest that shapes may be; and whether it reaches
# beyond the header's own words, so that the two shapes of a short line are not one.
_LINE_END, _MORE, _CUT, _LONG = [fixed(end) for end in range(4)]
# Eight bytes are judged at once by sums that never carry from one into the next.
_LOWS, _TOPS, _ZEROS, _BARS = (np.uint64(0x0101010101010101 * byte) for byte in (0x7F, 0x80, 48, 124))
_PAST_SPACE, _PAST_NINE = (np.uint64(0x0101010101010101 * (128 - byte)) for byte in (33, 10))
_SEVEN, _ALL = np.uint64(7), np.uint64(255)

Bytes = NDArray[np.uint8]
Plans = NDArray[np.int64]


@compiled
def is_space(byte: int) -> bool:
    """Whether a byte is white space as Python has it for ASCII."""
    return byte == _SPACE or 9 <= byte <= 13 or 28 <= byte <= 31


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


@compiled
def _fold_long(place: int, end: int, out: int) -> None:
    """Write a word with each digit as 0 and each digit of a long hexadecimal run but the first as x."""
    run = place
    while place < end:
        if run <= place:
            run = _hex_run(place, end) if end - place >= LONG_HEX else place
            fresh = True
        byte = byte_at(place)
        if place < run and byte != _MINUS:
            byte = 48 if fresh and byte <= 57 else 120
            fresh = False
        put_byte(out, 48 if 48 <= byte <= 57 else byte)
        place, out = place + 1, out + 1


@compiled
def _fold_loosely(place: int, end: int, out: int) -> int:
    """Write a word with each number as one 0, or 9 if it is long, and each other run with a digit as one w."""
    while place < end:
        run = _hex_run(place, end) if end - place >= LONG_HEX else place
        stop, digits = place, 0
        while run == place and stop < end and (48 <= byte_at(stop) <= 57 or _is_letter(byte_at(stop))):
            digits += byte_at(stop) <= 57
            stop += 1
        if run > place or digits:
            stop = max(run, stop)
            number = run == place and digits == stop - place
            put_byte(out, (48 if digits <= LONG_NUMBER else 57) if number else 119)
            place, out = stop, out + 1
        else:
            stop = max(stop, place + 1)
            while place < stop:
                put_byte(out, byte_at(place))
                place, out = place + 1, out + 1
    return out


@compiled
def _word_end(place: int, end: int) -> int:
    """The end of the word at an address: white space, a bar, or the end."""
    while place < end:
        if place + 8 <= end:
            eight = eight_at(place)
            low = eight & _LOWS
            plain = ((low + _PAST_SPACE) | eight) & (((eight ^ _BARS) & _LOWS) + _LOWS | eight)
            ahead = first_flagged(~plain & _TOPS)
            place += ahead
            if ahead == 8:
                continue
        if is_space(byte_at(place)) or byte_at(place) == _BAR:
            break
        place += 1
    return place


@compiled
def _bracket_end(place: int, end: int) -> int:
    """The end of a word that begins with a bracket or parenthesis: the end of the word in which that closes."""
    opener = byte_at(place)
    closer = opener + (2 if opener == _BRACKET else 1)
    depth = 0
    while place < end:
        byte = byte_at(place)
        depth += byte == opener
        depth -= byte == closer and depth > 0
        if depth == 0 and (is_space(byte) or byte == _BAR):
            break
        place += 1
    return place


@compiled
def _fold_digits(place: int, end: int, out: int) -> None:
    """Write bytes with each digit as 0; up to seven bytes more are written."""
    while place < end:
        if place + 8 <= end:
            eight = eight_at(place)
            value = (eight ^ _ZEROS) & _LOWS
            digits = ~((value + _PAST_NINE) | eight) & _TOPS
            digits = (digits >> _SEVEN) * _ALL
            put_number(out, int(np.int64((eight & ~digits) | (_ZEROS & digits))))
            place, out = place + 8, out + 8
        else:
            byte = byte_at(place)
            put_byte(out, 48 if 48 <= byte <= 57 else byte)
            place, out = place + 1, out + 1


@compiled
def fold(start: int, stop: int, own: int, words: int, out: int) -> tuple[int, int, int]:
    """Write the shape of a line: its size, where the words kept digit for digit end, and how many words there were.

    A word ends at white space or a bar, but not within the bracket or parenthesis that it begins with. `own` words
    are kept digit for digit, up to `words` loosely. All places are addresses; `out` has room for `SHAPE_ROOM` bytes.
    """
    limit = min(stop, start + LONGEST_SHAPE)
    place, target, count, exact_end = start, out, 0, limit
    while place < limit:
        byte = byte_at(place)
        if is_space(byte) or byte == _BAR:
            put_byte(target, byte)
            place, target = place + 1, target + 1
            continue
        if count == own:
            exact_end = place
        if count == words:
            put_byte(target, _MORE)
            return target + 1 - out, exact_end - start, count
        count += 1
        bracket = byte in (_BRACKET, _PAREN)
        end = _bracket_end(place, limit) if bracket else _word_end(place, limit)
        if count > own:
            target = _fold_loosely(place, end, target)
        else:
            if end - place < LONG_HEX:
                _fold_digits(place, end, target)
            else:
                _fold_long(place, end, target)
            target += end - place
        place = end
    put_byte(target, (_LINE_END if limit == stop else _CUT) + (_LONG if words > own else 0))
    return target + 1 - out, exact_end - start, count


@compiled
def _fold_array(data: Bytes, own: int, words: int, out: Bytes) -> tuple[int, int, int]:
    begin = address_of(data)
    return fold(begin, begin + len(data), own, words, address_of(out))


@inlined
def plan_of(
    start: int,
    stop: int,
    own: int,
    words: int,
    slots: NDArray[np.int64],
    hashes: NDArray[np.uint64],
    begins: NDArray[np.int64],
    blob: Bytes,
    known: int,
    plans: Plans,
    out: int,
) -> int:
    """The code of the shape of the line at an address; -1 for one that is not among the first `known`."""
    size, _, _ = fold(start, stop, own, own, out)
    code = code_of(slots, hashes, begins, blob, out, size)
    if 0 <= code < known and plans[code, KIND] == OPEN:
        size, _, _ = fold(start, stop, own, words, out)
        code = code_of(slots, hashes, begins, blob, out, size)
    return code if code < known else -1


@inlined
def read_time(start: int, plans: Plans, code: int) -> tuple[bool, float, int]:
    """Whether the stamps of a line read as its plan says, and the first one's seconds and microseconds or -1."""
    fits, base, micro = True, math.nan, -1
    if plans[code, AGAIN]:
        fits, _, _ = read_stamp(start, plans, code, MAIN + WIDTH)
    if fits and plans[code, STAMPED]:
        fits, base, micro = read_stamp(start, plans, code, MAIN)
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
        every = tuple(replace(column, step=0) for column in self._columns)
        self._whole = compile_columns(every)[0] if every else self._pattern
        forms = {column.shape: column.form for column in self._columns if column.form}
        self._stamp: Stamp | None = stamp(forms["stamp"]) if "stamp" in forms else None
        self._again: Stamp | None = stamp(forms["stamp-again"]) if "stamp-again" in forms else None
        self._shape = np.zeros(SHAPE_ROOM, np.uint8)
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
        code = self._learn(line, self.own, closed=True)
        return self._learn(line, self.words, closed=False) if code >= 0 and self.plans[code, KIND] == OPEN else code

    def _learn(self, line: bytes, words: int, *, closed: bool) -> int:
        data = np.frombuffer(line, np.uint8)
        size, exact_end, _ = _fold_array(data, self.own, words, self._shape)
        code = self._codes.find(self._shape, size)
        if code >= 0 or len(self._codes) >= MAX_SHAPES:
            return code
        code = len(self._codes)
        if code == len(self.plans):
            self.plans = np.concatenate([self.plans, np.zeros_like(self.plans)])
        plan = self._read(line, exact_end, closed=closed)
        if plan is not None:
            self.plans[code] = plan
        elif closed:
            self.plans[code, KIND] = OPEN
        return self._codes.add(self._shape[:size].tobytes())

    def _words_before(self, text: str) -> int:
        """How many words of a line its header has."""
        found = self._pattern.match(text)
        if found is None:
            return 0
        data = np.frombuffer(text[: found.end()].encode(), np.uint8)
        return int(_fold_array(data, LONGEST_SHAPE, LONGEST_SHAPE, self._shape)[2])

    def _read(self, line: bytes, exact_end: int, *, closed: bool) -> NDArray[np.int64] | None:
        """The plan of a line's shape; None where lines of equal shape may have to be read otherwise.

        A `closed` shape ends with the header: it is enough where nothing behind it was looked at.
        """
        plan = np.zeros(PLAN, np.int64)
        plan[KIND], plan[ID_BEGIN] = READ, -1
        if not self._columns:
            return plan
        if not line[:exact_end].isascii():
            return None
        text = line[:LONGEST_SHAPE].decode("utf-8", "replace") if len(line) > LONGEST_SHAPE else line.decode()
        found = self._pattern.match(text)
        if found is None or found.end() > exact_end or (closed and not self._is_closed(found, text)):
            return None
        plan[MESSAGE] = found.end()
        return plan if self._place_id(plan, found) and self._place_stamps(plan, found, text) else None

    def _is_closed(self, found: re.Match[str], text: str) -> bool:
        """Whether no text behind the header could have made it longer: all its columns are there, and the last ends.

        Behind a stamp may stand its zone.
        """
        if self._columns[-1].shape in ("stamp", "stamp-again", "data") or found.end() == len(text):
            return False
        whole = self._whole.match(text)
        return whole is not None and whole.end() == found.end()

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
