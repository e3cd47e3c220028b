"""The columnar scan: many lines at once from bytes to columns, equal to reading them line by line (ours; DESIGN 4).

One compiled pass finds every line's message, time, session id and skeleton. What it meets for the first time (a shape
of a header, a skeleton) is read once as a line is, in the order of the lines, and is then known; what no table can
hold (a stack trace, a damaged stamp, an id without digits) is read line by line, in its place. Blocks are read ahead
on the machine's other cores; only the order of the lines decides what they give.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.entries import Line
from offscript.errors import OffscriptError
from offscript.parse.alike import NOTHING_READ, nothing_read
from offscript.parse.asked import Values
from offscript.parse.askers import Passed, Skeletons
from offscript.parse.byte_table import ByteCodes
from offscript.parse.columnar import (
    BY_ITSELF,
    FOUND,
    FRAME,
    NEW_SHAPE,
    NEW_SKELETON,
    FirstValues,
    Lines,
    Numbers,
    Places,
    SeenValues,
    lines_of,
    recall_lines,
    room_for,
)
from offscript.parse.find_ids import Program, program_of, tells_digits
from offscript.parse.header import Header
from offscript.parse.interned import Interner, Names
from offscript.parse.known_lines import NO_KINDS, Kinds
from offscript.parse.lexer import lex
from offscript.parse.line_pass import Headers, Ids, read_lines
from offscript.parse.pieces import small_first
from offscript.parse.raw_lines import RawLines
from offscript.parse.records import Records
from offscript.parse.repeats import first_alike
from offscript.parse.session_key import SessionKey
from offscript.parse.shapes import HeaderShapes
from offscript.parse.stamps import settle_times
from offscript.parse.taken import NOTHING_WANTED, Taken, Wanted, room_for_values
from offscript.parse.times import stamp
from offscript.parse.values_seen import NOT_COMPARED, ValuesSeen, nothing_seen, with_number

MAX_SKELETONS: Final = 100_000
"""Skeletons held, about 100 bytes each: twice what `Spell` keeps by default; lines of others are matched one by one."""

AHEAD: Final = 2
"""Blocks read ahead for each core: one at work, one waiting."""

_REPEATS: Final = {None: 0, "year": 1, "day": 2}


@dataclass(frozen=True, slots=True)
class Scanned:
    """The entries of a block as columns: place of the line, number of the skeleton, code of the session (-1: none).

    `stamps` are the lines' own times, `times` those of their source at that moment (NaN: none). `began` is the first
    time of the source before it. `names` are those of all sessions so far, by code; `values` what was asked, if any;
    `skeletons` who gave the numbers.
    """

    raw: RawLines | list[Line]
    source: str
    places: Numbers
    numbers: Numbers
    sessions: Numbers
    stamps: NDArray[np.float64]
    times: NDArray[np.float64]
    began: float | None
    names: Sequence[str]
    values: Values | None = None
    skeletons: Skeletons | None = None

    def line(self, entry: int) -> Line:
        """The line of an entry, as text."""
        place = int(self.places[entry])
        return self.raw[place] if isinstance(self.raw, list) else self.raw.line(place)


class _Begun(NamedTuple):
    """A block after the compiled pass, with what it was read by."""

    raw: RawLines
    lines: Lines
    first: FirstValues
    seen: SeenValues
    wanted: Wanted
    taken: list[Taken]
    slots: int
    shapes: int
    skeletons: int


class Scanner:
    """Reads the lines of any number of sources into columns, in order (ours).

    Args:
        header: how to read the header; `serves` says whether it can be read by shapes.
        session_key: where the session id stands.
        sample: lines from which the extent of headers is seen.
        skeletons: who gives numbers to skeletons.
        records: the state of the sources, shared with whoever reads lines one by one.
    """

    def __init__(
        self, header: Header, session_key: SessionKey, sample: Sequence[str], skeletons: Skeletons, records: Records
    ) -> None:
        self._key = session_key
        self._skeletons = skeletons
        self.records = records
        self._taker = skeletons.taker
        self._shapes = HeaderShapes(header, session_key, sample)
        form = next((column.form for column in header.columns if column.shape == "stamp"), "")
        self._repeats = _REPEATS[stamp(form).repeats] if form else 0
        program = _program(session_key)
        assert program is not None, "this header or session key is not for scanning"
        self._program = program
        where = session_key.where
        self._find = Ids(program, where == "header", where in ("message", "line"), where == "line")
        self._codes = ByteCodes()
        self._numbers = np.zeros(64, np.int64)
        self._seen = ValuesSeen() if skeletons.learns else None
        self._ids = Interner()
        self._kept = threading.local()
        self.names = Names(self._ids)

    @staticmethod
    def serves(header: Header, session_key: SessionKey) -> bool:
        """Whether lines of this header, with this session key, can be scanned."""
        return HeaderShapes.serves(header) and (_program(session_key) is not None)

    def know(self, names: Iterable[str]) -> None:
        """Give the sessions met before these codes, 0, 1, 2 ..."""
        for name in names:
            self._code_of(name)

    def scan(self, pieces: Iterable[RawLines | list[Line]]) -> Iterator[Scanned]:
        """Yield the entries of all pieces, in order."""
        pieces = small_first(pieces)
        cores = _cores()
        if cores == 1:
            yield from map(self.read, pieces)
            return
        waiting: deque[Future[_Begun] | list[Line]] = deque()
        with ThreadPoolExecutor(cores) as readers:
            try:
                for piece in pieces:
                    waiting.append(readers.submit(self._begin, piece) if isinstance(piece, RawLines) else piece)
                    if len(waiting) == AHEAD * cores:
                        yield self._ready(waiting.popleft())
            except OffscriptError:
                # what came before the damage is given first
                while waiting:
                    yield self._ready(waiting.popleft())
                raise
            while waiting:
                yield self._ready(waiting.popleft())

    def read(self, piece: RawLines | list[Line]) -> Scanned:
        """Read one piece, on this core."""
        return self._finish(self._begin(piece) if isinstance(piece, RawLines) else piece)

    def _ready(self, waited: Future[_Begun] | list[Line]) -> Scanned:
        return self._finish(waited.result() if isinstance(waited, Future) else waited)

    def close(self) -> None:
        """Tell the skeletons how many lines they had, and what the values of these have in common."""
        if self._seen is None:
            return
        for code in np.flatnonzero(self._seen.total.lines[: len(self._codes)]).tolist():
            self._skeletons.add(int(self._numbers[code]), int(self._seen.total.lines[code]), self._seen.common(code))
        self._seen.total.lines[:] = 0

    # -- the compiled pass -----------------------------------------------------------------------------------------

    def _begin(self, raw: RawLines) -> _Begun:
        """Read a block with what is known now; touches nothing of the scanner, so that blocks are read side by side."""
        # what is known only grows, and values are kept before the skeleton that has them: this order is safe
        shapes, skeletons = len(self._shapes), len(self._codes)
        slots, first, seen = 0, *NOT_COMPARED
        if self._seen is not None:
            slots, first = self._seen.slots, self._seen.first
            seen = nothing_seen(first)
        wanted = NOTHING_WANTED if self._taker is None else self._taker.wanted
        begun = _Begun(raw, lines_of(len(raw)), first, seen, wanted, [], slots, shapes, skeletons)
        self._pass(begun, None)
        return begun

    def _pass(self, begun: _Begun, todo: Numbers | None) -> None:
        """Read some lines of a block; None: all of it, of which many are recalled."""
        raw, lines, shapes = begun.raw, begun.lines, self._shapes
        data = np.frombuffer(raw.data, np.uint8)
        sizes = raw.stops - raw.starts
        room = room_for(int(sizes.max(initial=0)))
        kinds, rows = (raw.kinds, self._rows(raw.kinds)) if todo is None and raw.kinds else (NO_KINDS, NOTHING_READ)
        taken = room_for_values(sizes if todo is None else sizes[todo], begun.wanted, begun.skeletons)
        begun.taken.append(taken)
        if todo is None:
            todo = np.arange(len(raw))
            if len(rows):
                given = shapes.plans, begun.first, begun.seen, begun.wanted, taken, kinds.places, rows
                todo = todo[: recall_lines(data, raw.starts, *given, lines, todo)]
        headers = Headers(shapes.own, shapes.words, begun.shapes, shapes.table, shapes.plans)
        values = begun.first, begun.seen, begun.wanted, taken
        known = headers, self._find, begun.skeletons, self._codes.table
        read_lines(todo, data, raw.starts, raw.stops, *known, *values, kinds.places, rows, lines, room)

    def _rows(self, kinds: Kinds) -> Places:
        """What this thread has read of each kind of line."""
        if getattr(self._kept, "alike", None) is not kinds.alike:
            self._kept.alike = kinds.alike
            self._kept.rows = NOTHING_READ if tells_digits(self._program) else nothing_read()
        rows: Places = self._kept.rows
        return rows

    # -- in the order of the lines ---------------------------------------------------------------------------------

    def _finish(self, begun: _Begun | list[Line]) -> Scanned:
        if isinstance(begun, list):
            return self._alone(begun)
        raw, lines = begun.raw, begun.lines
        began = self.records.state(raw.source).first
        self._look_again(begun)
        sessions = np.empty(len(raw), np.int64)
        lines.id_begin[lines.state == BY_ITSELF] = -1
        self._ids.intern(np.frombuffer(raw.data, np.uint8), lines.id_begin, lines.id_end, sessions)
        numbers = self._numbers[lines.skeleton]
        stamps, times = np.empty((2, len(raw)))
        done, firsts = 0, first_alike(raw.data, lines)
        kept, repeats = set[int](), list[int]()
        for place in np.flatnonzero(lines.state != FOUND).tolist():
            if place in firsts:
                known = len(self._codes)
                if firsts[place] in kept:
                    repeats.append(place)
                else:
                    numbers[place] = self._learn(raw, lines, place, sessions)
                kept.update([place] if len(self._codes) > known else [])
                continue
            self._settle(raw.source, lines, done, place, stamps, times)
            read = self._read_alone(raw.line(place), place)
            done = place + 1
            numbers[place], sessions[place], stamps[place], times[place] = read or (_CONTINUES, -1, 0.0, 0.0)
        self._settle(raw.source, lines, done, len(raw), stamps, times)
        self._number(begun, np.array(repeats, np.int64), numbers, sessions)
        if self._seen is not None:
            self._seen.gather(begun.skeletons, begun.slots, begun.seen)
        places, columns = np.arange(len(raw)), (numbers, sessions, stamps, times)
        if (numbers == _CONTINUES).any():
            places = np.flatnonzero(numbers != _CONTINUES)
            columns = (numbers[places], sessions[places], stamps[places], times[places])
        values = None if self._taker is None else self._taker.gather(Passed(raw, lines, begun.taken), places)
        return Scanned(raw, raw.source, places, *columns, began, self.names, values, self._skeletons)

    def _look_again(self, begun: _Begun) -> None:
        """Learn the shapes of headers that are new, and read again what was met before it was known."""
        raw, lines = begun.raw, begun.lines
        new = np.flatnonzero(lines.state == NEW_SHAPE)
        if len(new):
            self._shapes.learn_all(raw.data, raw.starts, raw.stops, new)
        if len(self._shapes) > begun.shapes or len(self._codes) > begun.skeletons:
            self._read_again(begun, np.flatnonzero((lines.state == NEW_SHAPE) | (lines.state == NEW_SKELETON)))
        lines.state[new[lines.state[new] == NEW_SHAPE]] = BY_ITSELF

    def _number(self, begun: _Begun, repeats: Numbers, numbers: Numbers, sessions: Numbers) -> None:
        """Number lines whose skeletons were learnt from lines before them in the same block."""
        if not len(repeats):
            return
        self._read_again(begun, repeats)
        found = repeats[begun.lines.state[repeats] == FOUND]
        numbers[found] = self._numbers[begun.lines.skeleton[found]]
        for place in np.setdiff1d(repeats, found).tolist():
            numbers[place] = self._learn(begun.raw, begun.lines, place, sessions)

    def _read_again(self, begun: _Begun, again: Numbers) -> None:
        """Read some lines of a block once more, with all that is known by now."""
        now = begun._replace(shapes=len(self._shapes), skeletons=len(self._codes))
        if self._seen is not None:
            now = now._replace(first=self._seen.first, seen=self._seen.total)
        if self._taker is not None:
            now = now._replace(wanted=self._taker.wanted)
        self._pass(now, again)

    def _learn(self, raw: RawLines, lines: Lines, place: int, sessions: Numbers) -> int:
        """Give a line's skeleton its number, and keep it for the lines to come."""
        message = raw.data[lines.begin[place] : lines.end[place]]
        session = sessions[place]
        ids = (self.names[session],) if session >= 0 else ()
        if self._taker is not None:
            self._taker.at(place)
        number, holds = self._skeletons.number(message.decode("utf-8"), ids)
        if holds and len(self._codes) < MAX_SKELETONS:
            room = room_for(len(message))
            size, count, cut = lex(
                np.frombuffer(message, np.uint8), 0, len(message), room.canon, room.value_begins, room.value_ends
            )
            if not cut and self._codes.find(room.canon, size) < 0:  # a message that was cut is counted each time
                spans = zip(room.value_begins[:count], room.value_ends[:count], strict=True)
                if self._seen is not None:
                    self._seen.keep(len(self._codes), [message[a : min(b, a + FRAME + 1)] for a, b in spans])
                if self._taker is not None:
                    self._taker.know(len(self._codes), number, count)
                self._numbers = with_number(self._numbers, len(self._codes), number)
                self._codes.add(room.canon[:size].tobytes())
        return number

    def _read_alone(self, line: Line, place: int) -> tuple[int, int, float, float] | None:
        """Read one line of a block as text; None when it continues the record before it."""
        fields = self.records.fields(line)
        if fields is None:
            return None
        name = self._key.find(fields)
        if self._taker is not None:
            self._taker.at(place)
        number, _ = self._skeletons.number(fields.message, (name,) if name else ())
        session = -1
        if name is not None:
            session = self._code_of(name)
        near = self.records.sources[line.source].near
        nan = float("nan")
        return number, session, nan if fields.time is None else fields.time, nan if near is None else near

    def _alone(self, lines: list[Line]) -> Scanned:
        source = lines[0].source if lines else ""
        began = self.records.state(source).first if lines else None
        read = [self._read_alone(line, place) for place, line in enumerate(lines)]
        places = [place for place, one in enumerate(read) if one is not None]
        rows = [one for one in read if one is not None]
        columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
        numbers, sessions = (np.array(column, np.int64) for column in columns[:2])
        stamps, times = (np.array(column, np.float64) for column in columns[2:])
        at = np.array(places, np.int64)
        values = None if self._taker is None else self._taker.gather(None, at)
        return Scanned(lines, source, at, numbers, sessions, stamps, times, began, self.names, values, self._skeletons)

    def _settle(
        self,
        source: str,
        lines: Lines,
        begin: int,
        end: int,
        stamps: NDArray[np.float64],
        times: NDArray[np.float64],
    ) -> None:
        """Write the times of lines that were not read alone, and keep the source's clock and counts."""
        if begin == end:
            return
        state = self.records.state(source)
        near = float("nan") if state.near is None else state.near
        own = stamps[begin:end]
        last = settle_times(self._repeats, lines.base[begin:end], lines.micro[begin:end], near, own, times[begin:end])
        stamped = own[~np.isnan(own)]
        self.records.passed(
            source,
            end - begin,
            float(stamped[0]) if len(stamped) else None,
            None if last != last else float(last),
        )

    def _code_of(self, name: str) -> int:
        data = np.frombuffer(name.encode("utf-8", "surrogatepass"), np.uint8)
        code = np.empty(1, np.int64)
        self._ids.intern(data, np.zeros(1, np.int64), np.array([len(data)]), code)
        return int(code[0])


_CONTINUES: Final = np.iinfo(np.int64).min  # the number of a line that continues a record: no key, no skeleton has it


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _program(key: SessionKey) -> Program | None:
    """What finds the session ids in messages; any, where none stand there."""
    return program_of(key.pattern, key.group) if key.where in ("message", "line") else program_of("-", 0)
