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
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.parse.byte_table import ByteCodes, ByteTable, address_of, code_of
from offscript.parse.columns import Column, compile_columns
from offscript.parse.compiled import compiled, inlined
from offscript.parse.folds import CUT_ENDS, LONGEST_SHAPE, SHAPE_ROOM, fold
from offscript.parse.forms import form_of
from offscript.parse.header import Header
from offscript.parse.page import Page, first_of_each
from offscript.parse.session_key import MAX_ID, SessionKey
from offscript.parse.stamps import SPANNED, WIDTH, Row, read_stamp, row_of
from offscript.parse.times import Stamp, stamp

FAR: Final = 9.0e9
"""Seconds from 1970, to the year 2255, of which a double counts microseconds exactly; beyond it `times` does."""

MAX_SHAPES: Final = 20_000
"""Shapes held, about 1 kB each: public logs have some thousands (host names, lengths of process ids); above it lines
of other shapes are read one by one."""

_WORDS: Final = {"tag": 4, "stream": 2}
"""Words that a column may take where it may take more than one; a stamp has as many as its format, and a zone."""

# Columns of a plan; the rows of the main stamp and of one that repeats it follow.
KIND, MESSAGE, ID_BEGIN, ID_END, STAMP_SORT, STAMPED, AGAIN, MAIN = range(8)
ODD, READ, OPEN = 0, 1, 2
PLAN: Final = MAIN + 2 * WIDTH

Bytes = NDArray[np.uint8]
Plans = NDArray[np.int64]


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


@compiled
def next_unknown(
    places: NDArray[np.int64],
    begin: int,
    data: Bytes,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    own: int,
    words: int,
    shapes: ByteTable,
    known: int,
    plans: Plans,
    shape: Bytes,
) -> int:
    """The number of the first of `places[begin:]` whose line has an unknown shape; how many there are if none has."""
    slots, hashes, begins, blob = shapes
    base, out = address_of(data), address_of(shape)
    for number in range(begin, len(places)):
        start, stop = base + starts[places[number]], base + stops[places[number]]
        if plan_of(start, stop, own, words, slots, hashes, begins, blob, known, plans, out) < 0:
            return number
    return len(places)


@inlined
def read_time(start: int, plans: Plans, code: int) -> tuple[bool, float, int]:
    """Whether the stamps of a line read as its plan says, and the first one's seconds and microseconds or -1."""
    fits, base, micro = True, math.nan, -1
    if plans[code, AGAIN]:
        fits, _, _ = read_stamp(start, plans, code, MAIN + WIDTH)
    if fits and plans[code, STAMPED]:
        fits, base, micro = read_stamp(start, plans, code, MAIN)
    return fits and (micro < 0 or not abs(base) > FAR), base, micro


@compiled
def stamp_past(plans: Plans, code: int) -> int:
    """How many bytes from the start of a line hold all that its stamps are read from."""
    past = 0
    for given, row in ((STAMPED, MAIN), (AGAIN, MAIN + WIDTH)):
        if plans[code, given]:
            for part in range(row, row + SPANNED, 2):
                past = max(past, plans[code, part] + plans[code, part + 1])
    return past


class HeaderShapes:
    """The shapes of one header's lines, learnt as they come; `table` and `plans` are for compiled code (ours).

    `own` and `words` are what `fold` needs: the words of the sample's headers, and of any header of this kind.

    >>> from offscript.parse.header import detect_header
    >>> sample = [f"2024-05-01 10:00:{n} INFO [req-{n}] up" for n in range(10, 60)]
    >>> shapes = HeaderShapes(detect_header(sample), SessionKey.none(), sample)
    >>> shapes.learn(sample[0].encode()), shapes.learn(sample[1].encode()), bool(shapes.plans[0, KIND] == READ)
    (0, 0, True)
    """

    def __init__(self, header: Header, session_key: SessionKey, sample: Sequence[str]) -> None:
        self._field = session_key.field if session_key.where == "header" else None
        self._columns = header.columns if header.kind == "columns" else ()
        self._pattern, named = compile_columns(self._columns) if self._columns else (re.compile(""), ())
        self._fields = _fields(self._pattern, named)
        self._whole = compile_columns(self._columns, whole=True)[0] if self._columns else self._pattern
        forms = {column.shape: column.form for column in self._columns if column.form}
        self._stamp: Stamp | None = stamp(forms["stamp"]) if "stamp" in forms else None
        self._again: Stamp | None = stamp(forms["stamp-again"]) if "stamp-again" in forms else None
        self._shape = np.zeros(SHAPE_ROOM, np.uint8)
        self.own, self.words = 0, 1
        if self._columns:
            page = Page.of(sample)
            # lines that differ in digits have as many words, but for damaged stamps, which are read alone anyway
            found = map(self._pattern.match, page.some(first_of_each(page.forms)[0]))
            headers = {form_of(match.group()) for match in found if match is not None}
            self.own = max(map(self._words_in, headers), default=0)
            self.words = max(self.own, sum(map(_most_words, self._columns))) + 1
        self._codes = ByteCodes()
        self.plans: Plans = np.zeros((64, PLAN), np.int64)
        self._stamp_sorts: dict[bytes, int] = {}

    @staticmethod
    def serves(header: Header) -> bool:
        """Whether a header's lines can be read by shapes: those with columns at fixed places, and those without any."""
        shapes = [column.shape for column in header.columns]
        fixed = header.kind == "columns" and not {"any", "data"} & set(shapes) and shapes.count("stamp-again") <= 1
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

    def learn_all(
        self, data: bytes, starts: NDArray[np.int64], stops: NDArray[np.int64], places: NDArray[np.int64]
    ) -> None:
        """Learn the shapes of some of the lines `data[starts[i]:stops[i]]`, in order; none is read twice.

        >>> from offscript.parse.header import detect_header
        >>> sample = [f"2024-05-01 10:00:{n} INFO up" for n in range(10, 60)]
        >>> shapes, ends = HeaderShapes(detect_header(sample), SessionKey.none(), sample), np.array([27, 54])
        >>> shapes.learn_all("".join(sample).encode(), ends - 27, ends, np.arange(2))
        >>> len(shapes)
        1
        """
        lines, number = np.frombuffer(data, np.uint8), 0
        while len(self) < MAX_SHAPES:
            extent = self.own, self.words, self.table, len(self), self.plans, self._shape
            number = next_unknown(places, number, lines, starts, stops, *extent)
            if number == len(places):
                return
            place = int(places[number])
            self.learn(data[starts[place] : stops[place]])
            number += 1

    def _learn(self, line: bytes, words: int, *, closed: bool) -> int:
        data = np.frombuffer(line, np.uint8)
        size, exact_end, _ = _fold_array(data, self.own, words, self._shape)
        code = self._codes.find(self._shape, size)
        if code >= 0 or len(self._codes) >= MAX_SHAPES:
            return code
        code = len(self._codes)
        if code == len(self.plans):
            self.plans = np.concatenate([self.plans, np.zeros_like(self.plans)])
        cut = bool(self._shape[size - 1] in CUT_ENDS)
        plan = self._read(line, exact_end, closed=closed, cut=cut)
        if plan is not None:
            # shapes whose stamps stand alike are of one sort: of a stamp read just before, none need be read again
            plan[STAMP_SORT] = self._stamp_sorts.setdefault(plan[STAMPED:].tobytes(), len(self._stamp_sorts))
            self.plans[code] = plan
        elif closed:
            self.plans[code, KIND] = OPEN
        return self._codes.add(self._shape[:size].tobytes())

    def _words_in(self, header: str) -> int:
        """How many words a header has."""
        data = np.frombuffer(header.encode(), np.uint8)
        return int(_fold_array(data, LONGEST_SHAPE, LONGEST_SHAPE, self._shape)[2])

    def _read(self, line: bytes, exact_end: int, *, closed: bool, cut: bool) -> NDArray[np.int64] | None:
        """The plan of a line's shape; None where lines of equal shape may have to be read otherwise.

        A `closed` shape ends with the header: it is enough where nothing behind it was looked at.
        """
        plan = np.zeros(PLAN, np.int64)
        plan[KIND], plan[ID_BEGIN] = READ, -1
        if cut:
            return None
        if not self._columns:
            return None if chr(line[0]).isspace() else plan
        if not line[:exact_end].isascii():
            return None
        text = line[:LONGEST_SHAPE].decode("utf-8", "replace") if len(line) > LONGEST_SHAPE else line.decode()
        found = self._pattern.match(text)
        if found is None or found.end() > exact_end or _PROTOCOL.match(text):
            return None
        if not (self._is_closed(found, text) if closed else self._is_open(found, text, exact_end)):
            return None
        plan[MESSAGE] = found.end()
        return plan if self._place_id(plan, found) and self._place_stamps(plan, found, text) else None

    def _is_closed(self, found: re.Match[str], text: str) -> bool:
        """Whether no text behind the header could have made it longer: all its columns are there, and the last ends.

        Behind a stamp may stand its zone.
        """
        if self._columns[-1].shape in ("stamp", "stamp-again", "data") or found.end() == len(text):
            return False
        return self._has_all(found, text)

    def _is_open(self, found: re.Match[str], text: str, exact_end: int) -> bool:
        """Whether a longer shape tells what may follow the header: a column that is missing here may hold numbers.

        Of words behind the header a shape keeps no lengths, so there must be no number among them, nor a long word.
        """
        if self._has_all(found, text):
            return True
        reach = re.match(rf"(?:\S+\s*){{0,{self.words - self.own + 1}}}", text[exact_end:])
        return reach is not None and _VARYING.search(reach.group()) is None

    def _has_all(self, found: re.Match[str], text: str) -> bool:
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
# The version behind a priority is part of the header only where it is 1, and a shape does not tell its digits apart.
_PROTOCOL: Final = re.compile(r"\s*<\d{1,3}>\d\s")
_VARYING: Final = re.compile(r"\d|\S{31}")


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
