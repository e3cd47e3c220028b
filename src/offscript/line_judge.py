"""Judging line by line, each entry and session an object: the slow truth that judging in columns must equal (ours).

A line goes through header, template match and session, which gives a *case*: a history and the symbol that came. The
cases of a block are scored together and judged in order, so a line alone and a line among thousands get the same
verdict (promise 1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from offscript.entries import END, START, UNKNOWN, Entry, Line, Verdict
from offscript.model import Model
from offscript.parse.records import Reader
from offscript.parse.sessions import Closed, OpenSessions, Session
from offscript.value_judge import ValueFlag, ValueJudge
from offscript.verdicts import Flagged, Later, SessionScores, last_entry, last_row, verdicts_of
from offscript.wording import Words

if TYPE_CHECKING:
    from offscript.parse.scan import Scanned

FIRST_LINE = 1.0  # where the clock of a source without stamps begins: it counts lines


@dataclass(slots=True)
class _Case:
    """A symbol that came after a history, to be judged; `known` says whether the entry's key is.

    `elapsed` is the time, in seconds, since the entry before in the session, None where there is none; `asked` is what
    was asked of its values, None where that is yet to be read.
    """

    entry: Entry | Later
    known: bool
    target: int
    history: tuple[int, ...]
    session: Session | None
    may_be_joined: bool = False
    elapsed: float | None = None
    asked: Sequence[tuple[int, float]] | None = None


class LineJudge:
    """Open sessions as objects, and what is said of their entries; `counts` is that of the detector."""

    def __init__(
        self,
        model: Model,
        reader: Reader,
        counts: Counter[str],
        values: ValueJudge,
        observe: Callable[[Entry], None] | None,
    ) -> None:
        self.model = model
        self._values = values
        self.sessions = OpenSessions(model.timeout, model.config.max_open_sessions)
        self._reader = reader
        self._counts = counts
        self._observe = observe
        self._start = (START,) * model.config.history
        self._one_stream = model.session_key.where == "none"
        self._scores = SessionScores(model)
        self._words = Words(model)

    def push(self, lines: Iterable[Line]) -> list[Verdict]:
        """Judge lines."""
        cases: list[_Case] = []
        for line in lines:
            self._counts["lines"] += 1
            read = self._reader.entry(line)
            if read is None:
                self._counts["continuation lines"] += 1
                continue
            entry, stamp = read
            cases += self._closings(self.sessions.advance(line.source, stamp))
            if self._observe is not None:
                self._observe(entry)
            began = self._reader.records.sources[line.source].first
            cases.append(self._enter(line.source, entry.session, entry.key, entry, (began, stamp)))
        return self._judge(cases)

    def push_scanned(self, scanned: Scanned) -> list[Verdict]:
        """Judge the entries of a block that was scanned."""
        if len(scanned.raw):
            self._counts["lines"] += len(scanned.raw)
        if continued := len(scanned.raw) - len(scanned.places):
            self._counts["continuation lines"] += continued
        cases: list[_Case] = []
        open_here: dict[int, Session] = {}
        began = scanned.began
        columns = zip(scanned.numbers.tolist(), scanned.sessions.tolist(), scanned.stamps.tolist(), strict=True)
        asked = self._values.by_entry(scanned.values)
        for place, (key, code, time) in enumerate(columns):
            stamp = time if time == time else None
            began = stamp if began is None else began
            cases += self._closings(self.sessions.advance(scanned.source, stamp))
            name = scanned.names[code] if code >= 0 else None
            cases.append(self._enter(scanned.source, name, key, Later(scanned, place, self._reader), (began, stamp)))
            cases[-1].asked = asked.get(place)
            if (session := cases[-1].session) is not None:
                open_here[id(session)] = session
        for session in open_here.values():
            self._remember(session)
        return self._judge(cases)

    def tick(self, time: float) -> list[Verdict]:
        """Let log time pass up to `time`."""
        return self._judge(self._closings(self.sessions.tick(time)))

    def finish(self, *, complete: bool) -> tuple[list[Verdict], set[str]]:
        """End the input; also return the names of the sessions that stay open."""
        closed, still_open = self.sessions.finish(complete=complete)
        return self._judge(self._closings(closed)), {session.id for session in still_open}

    # -- from entries to cases -------------------------------------------------------------------------------------

    def _enter(
        self, source: str, name: str | None, key: int, entry: Entry | Later, times: tuple[float | None, float | None]
    ) -> _Case:
        """Put an entry into its session; `times` are the first one of its source, and the stamp that it bears."""
        began, stamp = times
        self._counts["entries"] += 1
        known = key > 0
        target = self.model.keys.symbol(key) if known else UNKNOWN
        if (name is None or key in self.model.outside) and not self._one_stream:
            self._counts["entries without session"] += 1
            return _Case(entry, known, UNKNOWN, self._start, None)
        elapsed = self.sessions.idle(source, name or "", stamp) if self.model.values.judges else None
        session = self.sessions.enter(source, name or "")
        if session.entries == 1 and not self._one_stream:
            self._counts["sessions"] += 1
        history = self._history(session)
        session.history = [*session.history, target][-len(history) :]
        if self._scores.serve:
            session.counts[target] = session.counts.get(target, 0) + 1
        session.extra["last"] = entry
        if isinstance(entry, Entry):
            self._remember(session)
        return _Case(entry, known, target, history, session, self._may_be_joined(session, began), elapsed)

    def _remember(self, session: Session) -> None:
        """Keep of a session's last entry what the verdict at its close will need, as JSON."""
        last = session.extra["last"]
        if isinstance(last, Later):
            session.extra["last"] = last.row()
        elif isinstance(last, Entry):
            session.extra["last"] = last_row(last)

    def _may_be_joined(self, session: Session, began: float | None) -> bool:
        """Whether the session may have begun before its source did, so that its real first lines are not here."""
        if self._one_stream or session.entries > 1 or self.model.timeout is None:
            return False
        return session.first - (FIRST_LINE if began is None else began) <= self.model.timeout

    def _closings(self, closed: Iterable[Closed]) -> list[_Case]:
        cases = []
        for session in (one.session for one in closed):
            self._counts["sessions closed"] += 1
            if not self.model.keys.learns_end or self._one_stream:
                continue
            self._remember(session)
            last = last_entry(self.model, session.source, session.id, session.extra["last"])
            cases.append(_Case(last, last.known, END, self._history(session), session))
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
        scores = self.model.keys.surprise(histories, targets).tolist()
        by_counts = iter(self._profile_scores([case.session for case in cases if case.target == END]))
        flagged = []
        for case, score in zip(cases, scores, strict=True):
            order = score if self._is_judged(case, score) and score >= 1.0 else 0.0
            profile = next(by_counts) if case.target == END else 0.0
            if case.session is not None and case.session.extra.get("joined"):
                profile = 0.0
            if max(order, profile) >= 1.0:
                flagged.append(self._flagged(case, order, profile))
            elif (value := self._judge_values(case)) is not None:
                flagged.append(Flagged(_made(case.entry), case.target, case.history, value.score, value=value))
        if flagged:
            self._counts["anomalies"] += len(flagged)
        return verdicts_of(self._words, flagged)

    def _flagged(self, case: _Case, order: float, profile: float) -> Flagged:
        """The case as it is told: the higher score, and of order if that flags it, for it says what was expected."""
        entry = _made(case.entry)
        score = max(order, profile)
        if case.session is None or case.target != END:
            return Flagged(entry, case.target, case.history, score, case.session is not None)
        counts = None
        if self._scores.serve:
            counts = self._scores.vector({} if case.session.extra.get("joined") else case.session.counts)
        return Flagged(entry, case.target, case.history, score, True, counts, is_unusual=order < 1.0)

    def _judge_values(self, case: _Case) -> ValueFlag | None:
        """What is wrong with the time or the values of an entry whose key was accepted."""
        if not self.model.values.judges or case.session is None or not case.known or case.target == END:
            return None
        entry = case.entry
        key = entry.key if isinstance(entry, Entry) else int(entry.scanned.numbers[entry.place])
        asked = case.asked
        if asked is None:
            asked = self._values.read(_made(entry)) if self._values.asks(key) else ()
        before = self.model.keys.key(case.history[-1]) or 0
        return self._values.one(case.session.source, key, before, case.elapsed, asked)

    def _profile_scores(self, sessions: Sequence[Session | None]) -> list[float]:
        if not self._scores.serve:
            return [0.0] * len(sessions)
        found: list[float] = []
        for start in range(0, len(sessions), self._scores.at_once):
            some = sessions[start : start + self._scores.at_once]
            vectors = [self._scores.vector(session.counts) for session in some if session is not None]
            found += self._scores.of(np.array(vectors)).tolist()
        return found

    def _is_judged(self, case: _Case, score: float) -> bool:
        """Whether the order of the case can be judged at all.

        A line outside sessions has no history: it is judged by its key alone. A stream, and a session joined midway,
        have a history once h entries of it were seen; a key never seen is judged without one.
        """
        if case.session is None:
            return not case.known
        if case.may_be_joined and score >= 1.0:
            case.session.extra["joined"] = True
            self._counts["sessions joined midway"] += 1
        if case.target == UNKNOWN and not case.known:
            return True
        return not (START in case.history and (self._one_stream or case.session.extra.get("joined")))


def _made(entry: Entry | Later) -> Entry:
    return entry.made() if isinstance(entry, Later) else entry
