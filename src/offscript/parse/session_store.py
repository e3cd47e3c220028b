"""The columns of open sessions as one thing: room is made, sources and names kept apart, blocks let in (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from offscript.parse.aligned import aligned_zeros
from offscript.parse.histories import Histories
from offscript.parse.interned import Names
from offscript.parse.session_columns import (
    Entered,
    Numbers,
    Records,
    Rules,
    Small,
    Table,
    Times,
    close_all_idle,
    enter,
    find_ends,
    free_left,
    leave_one,
)
from offscript.parse.session_counts import COUNTS, PAIRS, SYMBOLS, WIDTH, Keys, add_counts, set_counts
from offscript.parse.session_records import CLOCK, FACTS, SESSION, SUMS
from offscript.parse.session_rows import Clock, Held, Session

FIRST_RECORDS: Final = 1 << 8
"""Sessions and chunks of counts that there is room for at first; it doubles."""

ROWS_KEPT: Final = 1 << 17
"""Histories remembered, some 200 bytes each; beyond it all are forgotten but those of open sessions. A large public
log has ten thousand, and a log with no end of them would gain nothing by remembering more."""

Slots = NDArray[np.int64]


class SessionStore:
    """Open sessions that whole blocks enter; `take` and `give` change them from and to objects.

    Args:
        timeout: idle seconds that a session survives; None: it never closes.
        most: sessions held at once.
        history: symbols that a history has.
        keys: the symbols of log keys.
        one_stream: a source is one session, which is never joined midway.
        counts: whether sessions count their symbols.
    """

    def __init__(
        self, timeout: float | None, most: int, history: int, keys: Keys, *, one_stream: bool, counts: bool
    ) -> None:
        self._keys = keys
        self.histories = Histories(history)
        self._rules = Rules(nan if timeout is None else timeout, most, timeout is not None and not one_stream, counts)
        self._rows_kept = ROWS_KEPT
        self._clear([])

    def _clear(self, names: Sequence[str]) -> None:
        self.names = names
        self.sources: list[str] = []
        self._number: dict[str, int] = {}
        self._known = 0  # names whose sessions have their code
        self._uncoded: dict[str, list[int]] = {}
        self._named: dict[int, str] = {}
        self._source = -1
        self._gone: dict[tuple[str, str], None] = {}
        self.sessions: Records = np.zeros(FIRST_RECORDS, SESSION)
        self.facts: Records = np.zeros(FIRST_RECORDS, FACTS)
        self._left: Small = np.zeros(FIRST_RECORDS, np.int32)
        self._clocks: Records = np.zeros(0, CLOCK)
        self.chunks: Small = np.zeros((FIRST_RECORDS, WIDTH), np.int32)
        self._slots: Small = np.full(FIRST_RECORDS, -1, np.int32)
        self._sums: Records = np.zeros(1, SUMS)
        self._sums["free"] = self._sums["free_chunk"] = -1

    def __len__(self) -> int:
        """Count the open sessions."""
        return int(self._sums[0]["open"])

    @property
    def overflow(self) -> int:
        """How many sessions were dropped because there were too many."""
        return int(self._sums[0]["overflow"])

    # -- blocks ----------------------------------------------------------------------------------------------------

    @property
    def arrived(self) -> int:
        """How many entries have come into sessions."""
        return int(self._sums[0]["arrivals"])

    @property
    def begun(self) -> int:
        """How many sessions opened since `done`."""
        return int(self._sums[0]["begun"])

    def enter(self, source: str, codes: Numbers, numbers: Numbers, stamps: Times, began: float | None) -> Entered:
        """Let a block of entries of one source enter; `began` is the first time of the source before it.

        Codes are places in `names`, -1 for an entry without session, which only moves the clock; `numbers` are keys.
        What has left stands in `left` until `done` is called.
        """
        self._learn_names()
        self._turn_to(self._source_number(source))
        self._clocks[self._source]["began"] = nan if began is None else began
        count = len(codes)
        symbols, slots, taken = np.empty((3, count), np.int32)
        out = Entered(symbols, slots, taken, np.empty(count, np.uint8), np.empty(count))
        at = 0
        given = codes, numbers, stamps, self._rules, self._keys
        while (at := enter(at, self._source, *given, self._table(), self.histories.automaton, out)) < count:
            self._make_room(1)
            self.histories.make_room()
        return out

    @property
    def left_count(self) -> int:
        """How many sessions closed or were dropped since `done`."""
        return int(self._sums[0]["left"])

    def left(self) -> Slots:
        """The records of the sessions that closed or were dropped since `done`, in that order."""
        return self._left[: self.left_count].astype(np.int64)

    def done(self) -> None:
        """Forget the sessions that left, and rows of histories if there are too many."""
        left = self.left()
        for slot in left[self.sessions["stored"][left] != 0].tolist():
            self._gone[self.key(slot)] = None
        for slot in left[self.facts["code"][left] < 0].tolist() if self._named else ():
            self._forget_name(slot)
        free_left(self._table())
        if len(self.histories) > self._rows_kept:
            slots = self.open_slots()
            self.histories, moved = self.histories.only(np.unique(self.sessions["row"][slots]).astype(np.int64))
            self.sessions["row"][slots] = moved[self.sessions["row"][slots]]
            self._rows_kept = max(ROWS_KEPT, 2 * len(self.histories))

    def close_idle(self) -> None:
        """Close what is idle past the time-out in every source, as at the end of a file."""
        for number in range(len(self.sources)):
            self._turn_to(number)
            close_all_idle(number, 0, self._rules.timeout, self._table())

    def close_all(self) -> None:
        """Close every session at the clock of its source: there will be no more lines."""
        for slot in self.open_slots().tolist():
            source = int(self.sessions[slot]["source"])
            leave_one(slot, self._source, 0, float(self._clocks[source]["now"]), self._table())

    def end_edges(self, rows: Small) -> Small:
        """The edge of END after each of these rows."""
        found = np.empty(len(rows), np.int32)
        at = 0
        while (at := find_ends(at, rows, self.histories.automaton, found)) < len(rows):
            self.histories.make_room()
        return found

    def counts(self, slots: Slots, symbols: int) -> Small:
        """How often each symbol came in these sessions, (n, symbols)."""
        found = np.zeros((len(slots), symbols), np.int32)
        add_counts(slots, self.sessions, self.chunks, found)
        return found

    # -- names -----------------------------------------------------------------------------------------------------

    def key(self, slot: int) -> tuple[str, str]:
        """The source and the name of a session."""
        code = int(self.facts[slot]["code"])
        return self.sources[int(self.sessions[slot]["source"])], self.names[code] if code >= 0 else self._named[slot]

    def names_of(self, slots: Slots) -> list[str]:
        """The names of many sessions."""
        codes = self.facts["code"][slots]
        coded = codes >= 0
        named = [self._named[slot] for slot in slots[~coded].tolist()]
        if isinstance(self.names, Names):
            return named + self.names.some(codes[coded])
        return named + [self.names[code] for code in codes[coded].tolist()]

    def open_slots(self) -> Slots:
        """The records of the open sessions, in the order of their last entries."""
        slots = np.flatnonzero(self.sessions["is_open"][: int(self._sums[0]["used"])])
        order: Slots = slots[np.argsort(self.sessions["arrival"][slots], kind="stable")]
        return order

    def _source_number(self, source: str) -> int:
        number = self._number.setdefault(source, len(self.sources))
        if number == len(self.sources):
            self.sources.append(source)
            clock = np.zeros(1, CLOCK)
            clock["head"] = clock["tail"] = -1
            clock["touched"] = 1
            self._clocks = np.concatenate([self._clocks, clock])
        return number

    def _turn_to(self, number: int) -> None:
        """Let the codes stand for the sessions of one source."""
        if len(self._slots) < len(self.names):
            more = np.full(2 * len(self.names) - len(self._slots), -1, np.int32)
            self._slots = np.concatenate([self._slots, more])
        if number == self._source:
            return
        sessions = self.sessions
        for source, is_new in ((self._source, False), (number, True)):
            slots = np.flatnonzero((sessions["is_open"] != 0) & (sessions["source"] == source))
            codes = self.facts["code"][slots]
            self._slots[codes[codes >= 0]] = slots[codes >= 0] if is_new else -1
        self._source = number

    def _learn_names(self) -> None:
        """Give sessions that came from elsewhere their codes, once the scan has met their names."""
        if self._uncoded:
            for code in range(self._known, len(self.names)):
                for slot in self._uncoded.pop(self.names[code], ()):
                    self.facts[slot]["code"] = code
                    del self._named[slot]
                    self._source = -1  # codes are set anew
        self._known = len(self.names)
        if self._source < 0:
            self._slots[:] = -1

    def _forget_name(self, slot: int) -> None:
        slots = self._uncoded[self._named.pop(slot)]
        slots.remove(slot)

    # -- room ------------------------------------------------------------------------------------------------------

    def _table(self) -> Table:
        return Table(self.sessions, self.facts, self._clocks, self.chunks, self._sums, self._slots, self._left)

    def _make_room(self, sessions: int) -> None:
        """Make room for so many sessions, and chunks, more."""
        sums = self._sums[0]
        while len(self.sessions) - sums["used"] < sessions:
            self.sessions, self.facts, self._left = map(_twice, (self.sessions, self.facts, self._left))
        while len(self.chunks) - sums["used_chunks"] < sessions:
            self.chunks = _twice(self.chunks)

    # -- from and to objects ---------------------------------------------------------------------------------------

    def take(self, held: Held, names: Sequence[str]) -> Slots:
        """Hold what objects held, with the names that codes will stand for; return the records of the sessions."""
        self._clear(names)
        self._sums["arrivals"], self._sums["overflow"] = held.arrivals, held.overflow
        for source, clock in held.clocks.items():
            number = self._source_number(source)
            self._clocks[number]["now"], self._clocks[number]["stamped"] = clock.now, clock.stamped
            self._clocks[number]["opened"], self._clocks[number]["touched"] = (
                clock.opened,
                source in held.touched_clocks,
            )
        self._make_room(len(held.sessions) + sum(len(session.counts) // PAIRS for session in held.sessions))
        slots = np.array([self._take_one(session, held) for session in held.sessions], np.int64)
        still_open = {(session.source, session.id) for session in held.sessions}
        self._gone = {key: None for key in held.touched if key not in still_open}
        return slots

    def _take_one(self, session: Session, held: Held) -> int:
        key, sums = (session.source, session.id), self._sums[0]
        slot, number = int(sums["used"]), self._number[session.source]
        sums["used"] += 1
        sums["open"] += 1
        clock, record, facts = self._clocks[number], self.sessions[slot], self.facts[slot]
        facts["first"], facts["instance"], facts["code"] = session.first, session.instance, -1
        record["last"], record["entries"], record["arrival"] = session.last, session.entries, session.arrival
        record["source"], record["is_open"], record["row"] = number, 1, self.histories.row(session.history)
        record["touched"], record["stored"] = key in held.touched, key in held.stored
        record["before"], record["after"], record["counts"] = clock["tail"], -1, -1
        if clock["tail"] >= 0:
            self.sessions[int(clock["tail"])]["after"] = slot
        else:
            clock["head"] = slot
        clock["tail"] = slot
        if self._rules.counts:
            symbols, counts = (np.array(list(some), np.int64) for some in (session.counts, session.counts.values()))
            set_counts(slot, symbols, counts, self._keys, self.sessions, self.chunks, self._sums)
        self._uncoded.setdefault(session.id, []).append(slot)
        self._named[slot] = session.id
        return slot

    def give(self) -> Held:
        """Give all that is held to objects; what is left is empty."""
        slots = self.open_slots()
        clocks = {
            source: Clock(float(clock["now"]), bool(clock["stamped"]), int(clock["opened"]))
            for source, clock in zip(self.sources, self._clocks, strict=True)
        }
        sessions = [self._object(slot) for slot in slots.tolist()]
        keys = [(session.source, session.id) for session in sessions]
        columns = zip(
            keys, self.sessions["touched"][slots].tolist(), self.sessions["stored"][slots].tolist(), strict=True
        )
        touched, stored = dict(self._gone), set(self._gone)
        for key, is_touched, is_stored in columns:
            if is_touched:
                touched[key] = None
            if is_stored:
                stored.add(key)
        moved = dict.fromkeys(
            source for source, clock in zip(self.sources, self._clocks, strict=True) if clock["touched"]
        )
        sums = self._sums[0]
        held = Held(int(sums["arrivals"]), int(sums["overflow"]), clocks, sessions, touched, moved, stored)
        self._clear([])
        return held

    def _object(self, slot: int) -> Session:
        record = self.sessions[slot]
        source, name = self.key(slot)
        entries = int(record["entries"])
        history = self.histories.of(record["row"])[-min(entries, self.histories.length) :].tolist()
        first, last = float(self.facts[slot]["first"]), float(record["last"])
        instance, arrival = int(self.facts[slot]["instance"]), int(record["arrival"])
        session = Session(source, name, instance, first, last, entries, arrival, history)
        chunk = int(record["counts"])
        while chunk >= 0:
            held = self.chunks[chunk].tolist()
            pairs = zip(held[SYMBOLS:COUNTS], held[COUNTS:], strict=True)
            session.counts |= {symbol: count for symbol, count in pairs if symbol}
            chunk = held[0]
        return session


def _twice(records: NDArray[Any]) -> NDArray[Any]:
    """The same records with as much room again, which is zero and costs nothing until it is used."""
    more = aligned_zeros((2 * len(records), *records.shape[1:]), records.dtype)
    more[: len(records)] = records
    return more
