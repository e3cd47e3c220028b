"""Learning a model from normal lines: parse, close the sessions under a time-out of their own making, train."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from offscript.config import Config
from offscript.entries import Line
from offscript.errors import InputError
from offscript.model import Model, identify
from offscript.models.keys import KeyModel
from offscript.parse.header import Header
from offscript.parse.learn import Kept, Parsed, Progress, learn
from offscript.parse.sessions import OpenSessions, Session
from offscript.parse.timeout import Timeout, learn_timeout

MIN_ENTRIES = 20  # below this a history of ten keys and its successor hardly occur once: nothing can be learnt
SHORTEST_RATE = 3600.0  # seconds of log below which its rate says little about a day


@dataclass
class Replayed:
    """The training sessions, each a sequence of keys, whether it completed, and its last time, which orders them.

    `joined` counts the sessions left out because they had begun before the log did.
    """

    sequences: list[list[int]] = field(default_factory=list)
    complete: list[bool] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    joined: int = 0

    def add(self, keys: list[int], *, complete: bool, end: float) -> None:
        """Add one session."""
        self.sequences.append(keys)
        self.complete.append(complete)
        self.ends.append(end)


def fit(
    lines: Iterable[Line],
    config: Config | None = None,
    *,
    header: Header | None = None,
    progress: Progress | None = None,
) -> Model:
    """Learn a model from the lines of normal operation (CCS 2017 sections 2 and 3; header and session key are ours).

    `header` overrides the detected one. What was found, and what can be promised, stands in `model.facts["findings"]`.
    Raises InputError when there is too little to learn from.
    """
    config = config if config is not None else Config()
    parsed = learn(lines, config, header=header, progress=progress)
    if len(parsed.kept) < MIN_ENTRIES:
        raise InputError(
            f"only {len(parsed.kept)} entries to learn from",
            where=next(iter(parsed.kept.source_names), None),
            remedy=f"give at least {MIN_ENTRIES}, better some thousands, of normal operation",
        )
    one_stream = parsed.discovery.key.where == "none"
    timeout = None if one_stream else session_timeout(parsed.kept)
    replayed = replay(parsed, timeout)
    if not replayed.sequences:
        raise InputError(
            "no line has a session id",
            where=next(iter(parsed.kept.source_names), None),
            remedy="correct --session, or give --session none",
        )
    keys = KeyModel.fit(
        replayed.sequences,
        config,
        complete=replayed.complete,
        order=replayed.ends,
        per_entry=one_stream,
        progress=None if progress is None else lambda epoch, of, _loss, _floor: progress("training", epoch, of),
    )
    seconds = None if timeout is None else timeout.seconds
    facts = _facts(parsed, replayed, timeout, keys)
    return identify(Model(config, parsed.header, parsed.discovery.key, seconds, parsed.templates, keys, facts))


def session_timeout(kept: Kept) -> Timeout:
    """Learn the idle time-out from the gaps within sessions; one still open at the end counts as at least that long."""
    sessions = OpenSessions(None, max_open=len(kept) + 1)
    gaps: list[float] = []
    for row in kept:
        sessions.advance(row.source, row.time)
        if row.session is None:
            continue
        session = sessions.enter(row.source, row.session)
        if session.entries > 1:
            gaps.append(session.last - session.extra["seen"])
        session.extra["seen"] = session.last
    at_end, _ = sessions.finish(complete=True)
    began = _began([closed.session for closed in at_end])
    span = max((closed.at - began[closed.session.source] for closed in at_end), default=0.0)
    return learn_timeout(gaps, [closed.at - closed.session.last for closed in at_end], span)


def _began(sessions: list[Session]) -> dict[str, float]:
    """Return the clock of each source at which its first session opened."""
    began: dict[str, float] = {}
    for session in sessions:
        began[session.source] = min(session.first, began.get(session.source, session.first))
    return began


def replay(parsed: Parsed, timeout: Timeout | None) -> Replayed:
    """Return the training sessions as the closing rules cut them; those still open at the end are not complete.

    Where the time-out is so long that no session is known to have completed, none counts as complete. Sessions that
    seem to have begun before the log did are left out: what they open with is not how a session begins.
    """
    one_stream = timeout is None
    ends_known = timeout is not None and timeout.completed > 0
    sessions = OpenSessions(None if timeout is None else timeout.seconds, max_open=len(parsed.kept) + 1)
    found: list[tuple[Session, bool]] = []
    for row in parsed.kept:
        found += [(closed.session, ends_known) for closed in sessions.advance(row.source, row.time)]
        if row.session is not None or one_stream:
            sessions.enter(row.source, row.session or "").history.append(parsed.key_of[row.skeleton])
    at_end, still_open = sessions.finish()
    found += [(closed.session, ends_known) for closed in at_end]
    found += [(session, False) for session in still_open]
    done = Replayed()
    joined: set[int] = set()
    if timeout is not None and timeout.seconds is not None and ends_known:
        joined = _joined_midway([session for session, _ in found], timeout.seconds)
    for session, complete in found:
        if id(session) in joined:
            done.joined += 1
        else:
            done.add(session.history, complete=complete, end=session.last)
    return done


def _joined_midway(sessions: list[Session], timeout: float) -> set[int]:
    """Return the identities of early sessions that open with a key no later session opens with.

    A session is early when it opened within a time-out of its source's first: it may have been running before.
    """
    began = _began(sessions)
    early = {id(session) for session in sessions if session.first - began[session.source] <= timeout}
    openings = {session.history[0] for session in sessions if id(session) not in early}
    return {id(session) for session in sessions if id(session) in early and session.history[0] not in openings}


def _facts(parsed: Parsed, replayed: Replayed, timeout: Timeout | None, keys: KeyModel) -> dict[str, Any]:
    times = [time for time in parsed.kept.times if time == time]
    span = max(times) - min(times) if times else 0.0
    findings = parsed.findings()
    if timeout is not None:
        unit = "s" if span > 0 else " lines"
        findings.append(f"{len(replayed.sequences):,} sessions; {timeout.describe(unit)}")
        outside = sum(1 for session in parsed.kept.sessions if session < 0)
        if outside:
            findings.append(
                f"{outside:,} entries name no session: they are judged for new keys only, outside the promise"
            )
        if replayed.joined:
            findings.append(f"{replayed.joined:,} sessions had begun before the log did and were left out")
    findings.append(keys.promise.describe())
    units = len(parsed.kept) if timeout is None else len(replayed.sequences)
    if span > 0:
        findings.append(_alarms(keys.promise.share, units, span))
    return {
        "findings": findings,
        "entries": len(parsed.kept),
        "sessions": len(replayed.sequences),
        "span_seconds": span,
    }


def _alarms(share: float, units: int, span: float) -> str:
    """Say what the promise means a day, where the log is long enough to know how much a day holds."""
    if span < SHORTEST_RATE:
        return f"the log spans {span:.0f} s: too short to say how many false alarms a day to expect"
    a_day = share * units * 86_400 / span
    if a_day >= 1:
        return f"at the rate of this log, expect about {a_day:,.0f} false alarms a day"
    return f"at the rate of this log, expect about one false alarm in {1 / a_day:,.0f} days"
