"""Detection: lines in, verdicts out. The detector is the one stateful object; judging never learns.

A line goes through header, template match and session, which gives a *case*: a history and the symbol that came. The
cases of a block are scored together and judged in order, so a line alone and a line among thousands get the same
verdict (promise 1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from offscript.entries import END, START, UNKNOWN, Entry, Expected, Line, Reason, Verdict
from offscript.errors import StateError
from offscript.model import Model
from offscript.models.keys import reason_of
from offscript.parse.records import Matching, Reader
from offscript.parse.sessions import Closed, OpenSessions, Session
from offscript.wording import TEXT_KEPT, detail, named, verdict_id

if TYPE_CHECKING:
    from offscript.parse.raw_lines import RawLines
    from offscript.parse.scan import Scanned

HEADER_SAMPLE = 2000  # lines of a source that must fit the stored header before any is judged
FIRST_LINE = 1.0  # where the clock of a source without stamps begins: it counts lines
EXPECTED_SHOWN = 3  # candidates named in a verdict: beyond three, probabilities are rarely worth reading
COUNTED = (
    "lines",
    "continuation lines",
    "entries",
    "entries without session",
    "sessions",
    "sessions closed",
    "sessions joined midway",
    "sessions open at the end, not judged",
    "sessions over the cap, closed unjudged",
)  # what a detector counts, in the order in which it is told
START_ANEW = "start the detector without this state, or restore the state from a backup"


@dataclass(frozen=True, slots=True)
class _Later:
    """An entry of a block that is made only when it is asked for: few are."""

    scanned: Scanned
    place: int
    reader: Reader
    session: str | None

    def made(self) -> Entry:
        """Make the entry as if its line had been read alone."""
        time = float(self.scanned.times[self.place])
        return self.reader.entry_at(self.scanned.line(self.place), time if time == time else None, self.session)


@dataclass(slots=True)
class _Case:
    """A symbol that came after a history, to be judged; `known` says whether the entry's key is."""

    entry: Entry | _Later
    known: bool
    target: int
    history: tuple[int, ...]
    session: Session | None
    may_be_joined: bool = False


class Detector:
    """A model plus the open sessions: push lines, get verdicts (CCS 2017 section 2.2; state handling is ours).

    Verdicts come when they are due: for an entry at once, for a session when it closes. `state()` is all there is to
    know between two lines, as JSON rows; `Detector(model, state)` goes on exactly from there. Raises StateError for a
    state of a foreign lineage. `observe` is called with every entry, judged or not.
    """

    def __init__(
        self,
        model: Model,
        state: Mapping[str, Any] | None = None,
        *,
        observe: Callable[[Entry], None] | None = None,
    ) -> None:
        self.model = model
        self._observe = observe
        self.counts: Counter[str] = Counter()
        self._reader = Reader(model.header, model.session_key, model.templates)
        self._sessions = OpenSessions(model.timeout, model.config.max_open_sessions)
        self._start = (START,) * model.config.history
        self._one_stream = model.session_key.where == "none"
        self._left_open: set[str] = set()
        if state is not None:
            self._restore(state)

    # -- what comes in ---------------------------------------------------------------------------------------------

    def push(self, line: Line) -> list[Verdict]:
        """Judge one line: usually no verdict or one; a session that closes may add one."""
        return self.push_block([line])

    def push_block(self, lines: Sequence[Line]) -> list[Verdict]:
        """Judge many lines at once; the verdicts are those that `push` would give one by one."""
        cases: list[_Case] = []
        for line in lines:
            self.counts["lines"] += 1
            read = self._reader.entry(line)
            if read is None:
                self.counts["continuation lines"] += 1
                continue
            entry, stamp = read
            cases += self._closings(self._sessions.advance(line.source, stamp))
            cases.append(self._enter_line(entry))
        return self._judge(cases)

    @property
    def takes_blocks(self) -> bool:
        """Whether whole blocks of entries can be judged: not when each is to be observed."""
        return self._observe is None

    def scanned(self, pieces: Iterator[RawLines | list[Line]]) -> Iterator[Scanned | list[Line]]:
        """Yield the pieces of some files: lines for `push_block`, or blocks of entries for `push_scanned`."""
        for piece in pieces:
            if isinstance(piece, list):
                yield piece
                continue
            from offscript.parse.scan import Scanner  # noqa: PLC0415  (the compiler is loaded only for files)

            if not Scanner.serves(self.model.header, self.model.session_key):
                yield list(piece)
                continue
            scanner = Scanner(
                self.model.header,
                self.model.session_key,
                [line.text for line in islice(piece, HEADER_SAMPLE)],
                Matching(self.model.templates),
                self._reader.records,
            )
            yield from scanner.scan(chain([piece], pieces))

    def tick(self, time: float) -> list[Verdict]:
        """Let log time pass up to `time` (seconds since 1970) without a line: sessions that are due close."""
        return self._judge(self._closings(self._sessions.tick(time)))

    def close(self, *, complete: bool = False) -> list[Verdict]:
        """Tell the detector that the input has ended.

        Closes the sessions that are idle past the time-out; the others stay open and are not judged, unless the input
        is said to be `complete`.
        """
        closed, still_open = self._sessions.finish(complete=complete)
        self._left_open = set() if self._one_stream else {session.id for session in still_open}
        self.counts["sessions open at the end, not judged"] = len(self._left_open)
        self.counts["sessions over the cap, closed unjudged"] = self._sessions.overflow
        return self._judge(self._closings(closed))

    def open_sessions(self) -> set[str]:
        """Return the ids of the sessions that `close` left open: their ends were not judged."""
        return set(self._left_open)

    def now(self) -> float | None:
        """Return log time, the latest clock of any source in seconds since 1970; None where no line had a stamp."""
        clocks = [self._sessions.clock(source) for source in self._reader.records.sources]
        return max((clock for clock in clocks if clock is not None), default=None)

    # -- what is known ---------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return the whole state as JSON rows."""
        return self._rows(self._reader.records.rows(), self._sessions.rows())

    def changes(self) -> dict[str, Any]:
        """Return the rows touched since the last call; a row that is gone has the value None."""
        return self._rows(self._reader.records.changes(), self._sessions.changes())

    def _rows(self, records: Mapping[str, Any], sessions: Mapping[str, Any]) -> dict[str, Any]:
        rows: dict[str, Any] = {"detector": {"lineage": self.model.lineage, "counts": dict(self.counts)}}
        rows |= {f"source/{name}": row for name, row in records.items()}
        return rows | {f"session/{name}": row for name, row in sessions.items()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        head = state.get("detector")
        if not isinstance(head, Mapping) or head.get("lineage") != self.model.lineage:
            raise StateError(
                "this state belongs to another model", remedy="start without it, or use the model it came from"
            )
        counts = head.get("counts")
        if not isinstance(counts, Mapping) or not all(type(count) is int for count in counts.values()):
            raise StateError("the counts of this state are damaged", remedy=START_ANEW)
        self.counts.update(counts)
        parts: dict[str, dict[str, Any]] = {"source": {}, "session": {}}
        for name, row in state.items():
            kind, _, rest = name.partition("/")
            if name != "detector" and kind not in parts:
                raise StateError(f"row {name[:60]!r} is not a row of a detector", remedy=START_ANEW)
            if name != "detector" and row is not None:
                parts[kind][rest] = row
        self._reader.records.load(parts["source"])
        self._sessions.load(parts["session"])
        for session in self._sessions:
            self._check(session)

    def _check(self, session: Session) -> None:
        last = session.extra.get("last")
        kinds = ((int,), (int,), (str,), (int,), (str,), (float, type(None)))
        sound = isinstance(last, list) and len(last) == len(kinds)
        if isinstance(last, list) and sound:
            sound = all(isinstance(value, kind) for value, kind in zip(last, kinds, strict=True))
        symbols = len(self.model.keys.vocabulary)
        if not sound or not all(0 <= symbol < symbols for symbol in session.history):
            raise StateError(f"the row of session {session.id[:60]!r} is damaged", remedy=START_ANEW)
        if session.source not in self._reader.records.sources:
            raise StateError(f"the source of session {session.id[:60]!r} has no row", remedy=START_ANEW)

    # -- from entries to cases -------------------------------------------------------------------------------------

    def push_scanned(self, scanned: Scanned) -> list[Verdict]:
        """Judge the entries of a block that was scanned; the verdicts are those that `push` would give line by line."""
        self.counts["lines"] += len(scanned.raw)
        if continued := len(scanned.raw) - len(scanned.places):
            self.counts["continuation lines"] += continued
        cases: list[_Case] = []
        open_here: dict[int, Session] = {}
        began = scanned.began
        columns = zip(scanned.numbers.tolist(), scanned.sessions.tolist(), scanned.stamps.tolist(), strict=True)
        for place, (key, code, time) in enumerate(columns):
            stamp = time if time == time else None
            began = stamp if began is None else began
            cases += self._closings(self._sessions.advance(scanned.source, stamp))
            later = _Later(scanned, place, self._reader, scanned.names[code] if code >= 0 else None)
            cases.append(self._enter(scanned.source, later.session, key, later, began))
            if (session := cases[-1].session) is not None:
                open_here[id(session)] = session
        for session in open_here.values():
            self._remember(session)
        return self._judge(cases)

    def _enter_line(self, entry: Entry) -> _Case:
        if self._observe is not None:
            self._observe(entry)
        began = self._reader.records.sources[entry.line.source].first
        return self._enter(entry.line.source, entry.session, entry.key, entry, began)

    def _enter(self, source: str, name: str | None, key: int, entry: Entry | _Later, began: float | None) -> _Case:
        """Put an entry into its session; `began` is the first time of its source."""
        self.counts["entries"] += 1
        known = key > 0
        target = self.model.keys.symbol(key) if known else UNKNOWN
        if name is None and not self._one_stream:
            self.counts["entries without session"] += 1
            return _Case(entry, known, UNKNOWN, self._start, None)
        session = self._sessions.enter(source, name or "")
        if session.entries == 1 and not self._one_stream:
            self.counts["sessions"] += 1
        history = self._history(session)
        session.history = [*session.history, target][-len(history) :]
        session.extra["last"] = entry
        if isinstance(entry, Entry):
            self._remember(session)
        return _Case(entry, known, target, history, session, self._may_be_joined(session, began))

    def _remember(self, session: Session) -> None:
        """Keep of a session's last entry what the verdict at its close will need, as JSON."""
        last = session.extra["last"]
        if isinstance(last, list):
            return
        if isinstance(last, _Later):
            last = self._last_of(last)
        line = last.line
        session.extra["last"] = [
            line.number, line.offset, line.text[:TEXT_KEPT], last.key, "" if last.known else last.template, last.time
        ]  # fmt: skip

    def _last_of(self, later: _Later) -> Entry:
        """An entry with as much as is remembered of it: a known key says its template."""
        key = int(later.scanned.numbers[later.place])
        if key < 0:
            return later.made()
        time = float(later.scanned.times[later.place])
        return Entry(later.scanned.line(later.place), key, (), "", time if time == time else None)

    def _may_be_joined(self, session: Session, began: float | None) -> bool:
        """Whether the session may have begun before its source did, so that its real first lines are not here."""
        if self._one_stream or session.entries > 1 or self.model.timeout is None:
            return False
        return session.first - (FIRST_LINE if began is None else began) <= self.model.timeout

    def _closings(self, closed: Iterable[Closed]) -> list[_Case]:
        cases = []
        for session in (one.session for one in closed):
            self.counts["sessions closed"] += 1
            if not self.model.keys.learns_end or self._one_stream:
                continue
            self._remember(session)
            last = self._last_entry(session)
            cases.append(_Case(last, last.known, END, self._history(session), session))
        return cases

    def _last_entry(self, session: Session) -> Entry:
        number, offset, text, key, template, time = session.extra["last"]
        line = Line(text, session.source, number, offset)
        template = template or self.model.templates.template(key).text
        return Entry(line, key, (), template, time, None, session.id, key > 0)

    def _history(self, session: Session) -> tuple[int, ...]:
        """The last h symbols of a session, padded with START at its beginning."""
        return (self._start + tuple(session.history))[-len(self._start) :]

    # -- from cases to verdicts ------------------------------------------------------------------------------------

    def _judge(self, cases: Sequence[_Case]) -> list[Verdict]:
        if not cases:
            return []
        histories = np.array([case.history for case in cases], dtype=np.int32)
        targets = np.array([case.target for case in cases], dtype=np.int32)
        scores = self.model.keys.surprise(histories, targets)
        flagged = [
            (case, float(score))
            for case, score in zip(cases, scores, strict=True)
            if self._is_judged(case, score) and score >= 1.0
        ]
        self.counts["anomalies"] += len(flagged)
        expected = self._expected([case for case, _ in flagged])
        return [self._verdict(case, score, choices) for (case, score), choices in zip(flagged, expected, strict=True)]

    def _is_judged(self, case: _Case, score: float) -> bool:
        """Whether the case can be judged at all.

        A line outside sessions has no history: it is judged by its key alone. A stream, and a session joined midway,
        have a history once h entries of it were seen; a key never seen is judged without one.
        """
        if case.session is None:
            return not case.known
        if case.may_be_joined and score >= 1.0:
            case.session.extra["joined"] = True
            self.counts["sessions joined midway"] += 1
        if case.target == UNKNOWN and not case.known:
            return True
        return not (START in case.history and (self._one_stream or case.session.extra.get("joined")))

    def _verdict(self, case: _Case, score: float, expected: tuple[Expected, ...]) -> Verdict:
        entry, reason = case.entry, reason_of(case.target)
        if isinstance(entry, _Later):
            entry = entry.made()
        if reason is Reason.NEW_KEY and entry.known:  # training met it, but never within a session
            reason = Reason.UNEXPECTED_KEY
        return Verdict(
            id=verdict_id(self.model.lineage, entry.line, reason),
            reason=reason,
            score=score,
            entry=entry,
            time=entry.time,
            session=entry.session,
            expected=expected,
            detail=detail(self.model, entry, case.history[-1], reason, expected),
            history=tuple(key for symbol in case.history if (key := self.model.keys.key(symbol)) is not None),
        )

    def _expected(self, cases: Sequence[_Case]) -> list[tuple[Expected, ...]]:
        """The likeliest next keys of each case; none outside sessions."""
        within = [case.history for case in cases if case.session is not None]
        if not within:
            return [() for _ in cases]
        found = iter(self.model.keys.expected_many(np.array(within, dtype=np.int32), EXPECTED_SHOWN))
        return [() if case.session is None else named(self.model, next(found)) for case in cases]
