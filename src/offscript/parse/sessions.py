"""Opening and closing sessions in log time: the one implementation for whole files and for live streams.

A session opens at its first entry and closes when its source's clock has passed its last entry by more than the idle
time-out. The clock of a source is the maximum time seen in it, so a stamp that steps back changes nothing; a line
without a stamp takes the clock as it is. A source in which no line ever had a stamp is clocked in lines: its time-out
is a number of lines. Its first stamp, should one come, turns the clock into time and counts as the last sign of life of
every session then open.

Because clocks only rise, the sessions of a source in the order in which they were last entered are also in the order in
which they will close: closing looks at the front only.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from offscript.errors import StateError
from offscript.parse.session_key import SessionKey
from offscript.parse.session_rows import (
    COUNTS_ROW,
    DAMAGED,
    Clock,
    Held,
    Json,
    Session,
    clock_row,
    read_clock,
    read_counts,
    read_name,
    read_session,
    row_name,
    session_row,
)

__all__ = ["Closed", "Json", "OpenSessions", "Session", "SessionKey"]


@dataclass(frozen=True, slots=True)
class Closed:
    """A session that has closed, and the moment on its source's clock: `last + timeout`, or the end of the input.

    `stamped` is False where that clock counts lines.
    """

    session: Session
    at: float
    stamped: bool = True

    @property
    def time(self) -> float | None:
        """The closing time in seconds since 1970, None in a source without stamps."""
        return self.at if self.stamped else None

    @property
    def order(self) -> tuple[float, str, str]:
        """Closings are judged in this order: (time, session)."""
        return (self.at, self.session.source, self.session.id)


class OpenSessions:
    """The sessions that are open, by (source, id), and the clocks that close them (DESIGN section 4; ours).

    For each line call `advance`, judge what it returns, then `enter` if the line has an id. State is explicit: `rows`
    and `load` carry all of it, `changes` what was touched since the last call.

    Args:
        timeout: idle seconds (lines, in a source without stamps) that a session survives; None: it never closes.
        max_open: sessions held at once; above it the idlest (those whose last entry arrived first) are closed unjudged
            and counted in `overflow`.

    >>> sessions = OpenSessions(timeout=60.0, max_open=1000)
    >>> sessions.advance("app", 100.0)
    []
    >>> sessions.enter("app", "req-1").entries
    1
    >>> sessions.advance("app", 160.0)  # exactly the time-out is not yet past it
    []
    >>> [(closed.session.id, closed.time) for closed in sessions.advance("app", 161.0)]
    [('req-1', 160.0)]
    """

    def __init__(self, timeout: float | None, max_open: int) -> None:
        self.timeout = timeout
        self.max_open = max_open
        self.overflow = 0
        self._arrivals = 0
        self._clocks: dict[str, Clock] = {}
        self._recent: OrderedDict[tuple[str, str], Session] = OrderedDict()
        # Dicts as ordered sets. A session that opens and closes between two calls of `changes` leaves no trace in
        # them, so that a caller who never asks for changes pays memory for open sessions only.
        self._touched: dict[tuple[str, str], None] = {}
        self._touched_clocks: dict[str, None] = {}
        self._stored: set[tuple[str, str]] = set()

    def __len__(self) -> int:
        """Count how many sessions are open."""
        return len(self._recent)

    def __iter__(self) -> Iterator[Session]:
        """Yield the open sessions, the idlest first."""
        return iter(self._recent.values())

    def clock(self, source: str) -> float | None:
        """Tell the clock of a source in seconds since 1970; None where no line of it had a stamp.

        >>> OpenSessions(60.0, 10).clock("app") is None
        True
        """
        clock = self._clocks.get(source)
        return clock.now if clock is not None and clock.stamped else None

    def advance(self, source: str, time: float | None) -> list[Closed]:
        """Move a source's clock to the line at hand and return the sessions that thereby close, in closing order.

        `time` in seconds since 1970, None for a line without a stamp (a stamp that is not finite is none).
        """
        clock = self._clock(source)
        before = clock.now, clock.stamped
        if time is None or not math.isfinite(time):
            if not clock.stamped:
                clock.now += 1.0
        elif not clock.stamped:
            self._first_stamp(clock, time)
        elif time > clock.now:
            clock.now = time
        if (clock.now, clock.stamped) == before:
            return []
        self._touched_clocks[source] = None
        return self._close_idle(clock)

    def tick(self, time: float) -> list[Closed]:
        """Move every source's clock up to `time` (from the edge, in live use) and return what closes, in closing order.

        Sources without stamps have no time to compare with and stay as they are.

        >>> sessions = OpenSessions(60.0, 10)
        >>> sessions.advance("app", 100.0), sessions.enter("app", "req-1").first
        ([], 100.0)
        >>> [closed.session.id for closed in sessions.tick(200.0)]
        ['req-1']
        """
        closed: list[Closed] = []
        for source, clock in self._clocks.items():
            if clock.stamped and time > clock.now:
                clock.now = time
                self._touched_clocks[source] = None
                closed += self._close_idle(clock)
        return sorted(closed, key=lambda one: one.order)

    def idle(self, source: str, id: str, time: float | None) -> float | None:  # noqa: A002  (the word of the vocabulary)
        """Tell for how many seconds an open session had no entry when one came that bears a stamp, `time`.

        None where it is not open, or where the entry has no stamp, or one before the last entry of the session: a
        clock that stepped ahead for one line says nothing of the lines after it. Lines of several writers are seldom
        in the order of their stamps, so one behind the clock of its source has a time all the same.

        >>> sessions = OpenSessions(60.0, 10)
        >>> sessions.advance("app", 100.0), sessions.enter("app", "req-1").id, sessions.advance("app", 101.5)
        ([], 'req-1', [])
        >>> [sessions.idle("app", "req-1", time) for time in (101.5, 101.0, 99.0)]
        [1.5, 1.0, None]
        """
        clock = self._clocks.get(source)
        session = None if clock is None or not clock.stamped else clock.sessions.get(id)
        if session is None or time is None or not 0 <= time - session.last < math.inf:
            return None
        return time - session.last

    def enter(self, source: str, id: str) -> Session:  # noqa: A002  (the word of the vocabulary)
        """Give the session that an entry at the source's present clock belongs to, opened if it is not yet open."""
        clock = self._clock(source)
        self._arrivals += 1
        key = (source, id)
        session = clock.sessions.get(id)
        if session is None:
            clock.opened += 1
            self._touched_clocks[source] = None
            session = Session(source, id, clock.opened, clock.now, clock.now)
            clock.sessions[id] = self._recent[key] = session
            self._drop_idlest()
        else:
            clock.sessions.move_to_end(id)
            self._recent.move_to_end(key)
        session.last = clock.now
        session.entries += 1
        session.arrival = self._arrivals
        self._touched[key] = None
        return session

    def finish(self, *, complete: bool = False) -> tuple[list[Closed], list[Session]]:
        """End of input: what closes, in closing order, and what stays open, by (source, id).

        Without `complete` only sessions idle past the time-out close; the others may go on in the next file and are not
        judged. With `complete` the input is all there will ever be, and every session closes at its source's clock.

        >>> sessions = OpenSessions(60.0, 10)
        >>> sessions.advance("app", 100.0), sessions.enter("app", "req-1").first
        ([], 100.0)
        >>> len(sessions.finish()[1]), len(sessions.finish(complete=True)[0])
        (1, 1)
        """
        closed = [one for clock in self._clocks.values() for one in self._close_idle(clock)]
        if complete:
            for session in list(self._recent.values()):
                clock = self._clocks[session.source]
                self._remove(session)
                closed.append(Closed(session, clock.now, clock.stamped))
        closed.sort(key=lambda one: one.order)
        return closed, sorted(self._recent.values(), key=lambda one: (one.source, one.id))

    def touch(self, session: Session) -> None:
        """Tell that `history` or `extra` of an open session changed without an entry, so that `changes` shows it."""
        self._touched[session.source, session.id] = None

    def rows(self) -> dict[str, Json]:
        """Write the whole state as JSON rows, for `load`.

        >>> sessions = OpenSessions(60.0, 10)
        >>> sessions.advance("app", 100.0), sessions.enter("app", "req-1").first
        ([], 100.0)
        >>> other = OpenSessions(60.0, 10)
        >>> other.load(sessions.rows())
        >>> other.rows() == sessions.rows()
        True
        """
        rows: dict[str, Json] = {COUNTS_ROW: self._counts_row()} if self._clocks else {}
        rows |= {row_name("clock", source): clock_row(clock) for source, clock in self._clocks.items()}
        rows |= {row_name("session", *key): session_row(session) for key, session in self._recent.items()}
        return rows

    def changes(self) -> dict[str, Json]:
        """Write the rows touched since the last call (or `load`), None for a row to delete; costs what was touched."""
        if not self._touched and not self._touched_clocks:
            return {}
        rows: dict[str, Json] = {COUNTS_ROW: self._counts_row()}
        for source in self._touched_clocks:
            rows[row_name("clock", source)] = clock_row(self._clocks[source])
        for key in self._touched:
            session = self._recent.get(key)
            if session is not None:
                rows[row_name("session", *key)] = session_row(session)
                self._stored.add(key)
            elif key in self._stored:
                rows[row_name("session", *key)] = None
                self._stored.discard(key)
        self._touched.clear()
        self._touched_clocks.clear()
        return rows

    def load(self, rows: Mapping[str, Json]) -> None:
        """Take the place of the `OpenSessions` that wrote these rows.

        Raises:
            StateError: a row is not one of ours, or the rows contradict each other.
        """
        fresh = OpenSessions(self.timeout, self.max_open)
        sessions: list[Session] = []
        for name, row in rows.items():
            kind, *names = read_name(name)
            if kind == "counts":
                fresh._arrivals, fresh.overflow = read_counts(row)
            elif kind == "clock":
                fresh._clocks[names[0]] = read_clock(row)
            else:
                sessions.append(read_session(row, *names))
        for session in sorted(sessions, key=lambda one: one.arrival):
            clock = fresh._clocks.get(session.source)
            if clock is None or not session.last <= clock.now or session.arrival > fresh._arrivals:
                raise StateError(f"session {session.id[:60]!r} is ahead of its source's clock", remedy=DAMAGED)
            clock.sessions[session.id] = fresh._recent[session.source, session.id] = session
        fresh._stored = set(fresh._recent)
        self.__dict__.update(fresh.__dict__)

    def hand_over(self) -> Held:
        """Give away all that is held, for columns; what is left is empty."""
        held = Held(
            self._arrivals,
            self.overflow,
            self._clocks,
            list(self._recent.values()),
            self._touched,
            self._touched_clocks,
            self._stored,
        )
        self.__dict__.update(OpenSessions(self.timeout, self.max_open).__dict__)
        return held

    def take_over(self, held: Held) -> None:
        """Hold what `hand_over`, or columns, gave away.

        >>> sessions, other = OpenSessions(60.0, 10), OpenSessions(60.0, 10)
        >>> sessions.advance("app", 100.0), sessions.enter("app", "req-1").first
        ([], 100.0)
        >>> other.take_over(sessions.hand_over())
        >>> len(sessions), len(other)
        (0, 1)
        """
        self._arrivals, self.overflow, self._clocks, sessions, self._touched, self._touched_clocks, self._stored = held
        self._recent = OrderedDict(((session.source, session.id), session) for session in sessions)
        for clock in self._clocks.values():
            clock.sessions.clear()
        for session in sessions:
            self._clocks[session.source].sessions[session.id] = session

    def _clock(self, source: str) -> Clock:
        clock = self._clocks.get(source)
        if clock is None:
            clock = self._clocks[source] = Clock()
            self._touched_clocks[source] = None
        return clock

    def _first_stamp(self, clock: Clock, time: float) -> None:
        clock.stamped = True
        clock.now = time
        for session in clock.sessions.values():
            session.first = session.last = time
            self.touch(session)

    def _close_idle(self, clock: Clock) -> list[Closed]:
        closed: list[Closed] = []
        if self.timeout is None:
            return closed
        while clock.sessions:
            session = next(iter(clock.sessions.values()))
            at = session.last + self.timeout
            if not at < clock.now:
                break
            self._remove(session)
            closed.append(Closed(session, at, clock.stamped))
        # Equal closing times are ordered by session: the order of arrival must not show.
        closed.sort(key=lambda one: one.order)
        return closed

    def _drop_idlest(self) -> None:
        while len(self._recent) > self.max_open:
            self._remove(next(iter(self._recent.values())))
            self.overflow += 1

    def _remove(self, session: Session) -> None:
        key = (session.source, session.id)
        del self._clocks[session.source].sessions[session.id]
        del self._recent[key]
        if key in self._stored:
            self._touched[key] = None
        else:
            self._touched.pop(key, None)

    def _counts_row(self) -> Json:
        return {"arrivals": self._arrivals, "overflow": self.overflow}
