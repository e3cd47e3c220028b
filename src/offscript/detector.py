"""Detection: lines in, verdicts out. The detector is the one stateful object; judging never learns.

A line goes through header, template match and session, which gives a *case*: a history and the symbol that came. The
cases of a block are scored together and judged in order, so a line alone and a line among thousands get the same
verdict (promise 1).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import Any

import numpy as np

from offscript.entries import END, START, UNKNOWN, Entry, Expected, Line, Reason, Verdict
from offscript.errors import StateError
from offscript.model import Model
from offscript.models.keys import reason_of
from offscript.parse.header import Header, check_header
from offscript.parse.records import Reader
from offscript.parse.sessions import Closed, OpenSessions, Session

BLOCK_LINES = 4096  # lines judged together: enough to fill batches, small enough that verdicts come steadily
HEADER_SAMPLE = 2000  # lines of a source that must fit the stored header before any is judged
TEXT_KEPT = 500  # characters of its last line an open session keeps for the verdict at its close
FIRST_LINE = 1.0  # where the clock of a source without stamps begins: it counts lines
LEAST_NAMED = 0.005  # candidates that would be printed as 0% are not named in a sentence
TEMPLATE_SHOWN, TEMPLATE_HEAD = 100, 40  # characters of a template in a sentence; the whole stands in `expected`
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


@dataclass(slots=True)
class _Case:
    """A symbol that came after a history, to be judged."""

    entry: Entry
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
            cases.append(self._enter(entry))
        return self._judge(cases)

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

    def _enter(self, entry: Entry) -> _Case:
        self.counts["entries"] += 1
        if self._observe is not None:
            self._observe(entry)
        target = self.model.keys.symbol(entry.key) if entry.known else UNKNOWN
        source = entry.line.source
        if entry.session is None and not self._one_stream:
            self.counts["entries without session"] += 1
            return _Case(entry, UNKNOWN, self._start, None)
        session = self._sessions.enter(source, entry.session or "")
        if session.entries == 1 and not self._one_stream:
            self.counts["sessions"] += 1
        history = self._history(session)
        session.history = [*session.history, target][-len(history) :]
        line = entry.line
        last = (line.number, line.offset, line.text[:TEXT_KEPT], entry.key, entry.template, entry.time)
        session.extra["last"] = list(last)
        return _Case(entry, target, history, session, self._may_be_joined(session))

    def _may_be_joined(self, session: Session) -> bool:
        """Whether the session may have begun before its source did, so that its real first lines are not here."""
        if self._one_stream or session.entries > 1 or self.model.timeout is None:
            return False
        began = self._reader.records.sources[session.source].first
        return session.first - (FIRST_LINE if began is None else began) <= self.model.timeout

    def _closings(self, closed: Iterable[Closed]) -> list[_Case]:
        cases = []
        for session in (one.session for one in closed):
            self.counts["sessions closed"] += 1
            if not self.model.keys.learns_end or self._one_stream:
                continue
            cases.append(_Case(_last_entry(session), END, self._history(session), session))
        return cases

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
            return not case.entry.known
        if case.may_be_joined and score >= 1.0:
            case.session.extra["joined"] = True
            self.counts["sessions joined midway"] += 1
        if case.target == UNKNOWN and not case.entry.known:
            return True
        return not (START in case.history and (self._one_stream or case.session.extra.get("joined")))

    def _verdict(self, case: _Case, score: float, expected: tuple[Expected, ...]) -> Verdict:
        entry, reason = case.entry, reason_of(case.target)
        if reason is Reason.NEW_KEY and entry.known:  # training met it, but never within a session
            reason = Reason.UNEXPECTED_KEY
        return Verdict(
            id=_verdict_id(self.model.lineage, entry.line, reason),
            reason=reason,
            score=score,
            entry=entry,
            time=entry.time,
            session=entry.session,
            expected=expected,
            detail=self._detail(case, reason, expected),
            history=tuple(key for symbol in case.history if (key := self.model.keys.key(symbol)) is not None),
        )

    def _expected(self, cases: Sequence[_Case]) -> list[tuple[Expected, ...]]:
        """The likeliest next keys of each case; none outside sessions."""
        within = [case.history for case in cases if case.session is not None]
        if not within:
            return [() for _ in cases]
        found = iter(self.model.keys.expected_many(np.array(within, dtype=np.int32), EXPECTED_SHOWN))
        return [() if case.session is None else self._named(next(found)) for case in cases]

    def _named(self, found: Iterable[tuple[int, float]]) -> tuple[Expected, ...]:
        return tuple(Expected(self.model.keys.key(symbol) or 0, self._name(symbol), share) for symbol, share in found)

    def _name(self, symbol: int) -> str:
        if symbol == END:
            return "end of session"
        key = self.model.keys.key(symbol)
        return "a line never seen before" if key is None else self.model.templates.template(key).text

    def _detail(self, case: _Case, reason: Reason, expected: Sequence[Expected]) -> str:
        choices = " or ".join(
            f"`{_short(e.template)}` ({e.probability:.0%})" for e in expected if e.probability >= LEAST_NAMED
        )
        if reason is Reason.NEW_KEY:
            nearest = case.entry.nearest
            known = f"; the nearest is `{_short(self.model.templates.template(nearest).text)}`" if nearest else ""
            return f"no known template matches this line{known}" + (f"; expected {choices}" if choices else "")
        if reason is Reason.INCOMPLETE_SESSION:
            return f"the session ended here; expected next: {choices}"
        before = case.history[-1]
        after = "at the start of the session" if before == START else f"after `{_short(self._name(before))}`"
        return f"{after}, expected {choices}"


def detect(
    model: Model,
    lines: Iterable[Line],
    *,
    complete: bool = False,
    progress: Callable[[int], None] | None = None,
    detector: Detector | None = None,
) -> Iterator[Verdict]:
    """Judge whole files: yield the verdicts of `lines`, then those of the sessions that close at the end (ours).

    The stored header must match 90% of the first lines of each source, else InputError. `progress` gets the number of
    lines read.
    """
    detector = detector if detector is not None else Detector(model)
    stream = checked(model.header, lines)
    while block := list(islice(stream, BLOCK_LINES)):
        yield from detector.push_block(block)
        if progress is not None:
            progress(len(block))
    yield from detector.close(complete=complete)


def checked(header: Header, lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines unchanged, but refuse a source that the stored header does not fit (ours).

    Each source is looked at when its first line comes, up to `HEADER_SAMPLE` lines ahead; InputError names its first
    line that does not fit.
    """
    known: set[str] = set()
    for source, run in groupby(lines, key=lambda line: line.source):
        ahead = 0 if source in known else HEADER_SAMPLE
        known.add(source)
        first = list(islice(run, ahead))
        if first:
            check_header(header, first, source)
        yield from chain(first, run)  # noqa: B031  (what the look ahead took comes first, then the rest)


def _last_entry(session: Session) -> Entry:
    number, offset, text, key, template, time = session.extra["last"]
    line = Line(text, session.source, number, offset)
    return Entry(line, key, (), template, time, None, session.id, key > 0)


def _short(template: str) -> str:
    """Cut a long template in its middle: print statements differ at their beginning and at their end."""
    return (
        template
        if len(template) <= TEMPLATE_SHOWN
        else f"{template[:TEMPLATE_HEAD]} … {template[TEMPLATE_HEAD - TEMPLATE_SHOWN :]}"
    )


def _verdict_id(lineage: str, line: Line, reason: Reason) -> str:
    seed = "\x1f".join((lineage, line.source, str(line.offset), reason.value, line.text[:TEXT_KEPT]))
    return hashlib.blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
