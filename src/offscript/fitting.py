"""Learning a model from normal lines: parse, close the sessions under a time-out of their own making, train."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from offscript.config import Config
from offscript.entries import Line
from offscript.errors import InputError
from offscript.model import Model
from offscript.models.keys import KeyModel
from offscript.parse.header import Header
from offscript.parse.learn import Kept, Parsed, Progress, learn
from offscript.parse.sessions import OpenSessions
from offscript.parse.timeout import Timeout, learn_timeout

MIN_ENTRIES = 20  # below this a history of ten keys and its successor hardly occur once: nothing can be learnt


@dataclass
class Replayed:
    """The training sessions, each a sequence of keys, whether it completed, and its last time, which orders them."""

    sequences: list[list[int]] = field(default_factory=list)
    complete: list[bool] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

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
    replayed = replay(parsed, timeout, config)
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
    return Model(config, parsed.header, parsed.discovery.key, seconds, parsed.templates, keys, facts)


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
    spans = (max(times) - min(times) for times in _times_by_source(kept).values())
    return learn_timeout(gaps, [closed.at - closed.session.last for closed in at_end], max(spans))


def _times_by_source(kept: Kept) -> dict[str, list[float]]:
    """Return every source's times; for a source without stamps, the numbers of its entries."""
    stamps: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    for row in kept:
        counts[row.source] = counts.get(row.source, 0) + 1
        stamps.setdefault(row.source, []).extend(() if row.time is None else (row.time,))
    return {source: times or [1.0, float(counts[source])] for source, times in stamps.items()}


def replay(parsed: Parsed, timeout: Timeout | None, config: Config) -> Replayed:
    """Return the training sessions as the closing rules cut them; those still open at the end are not complete.

    Where the time-out is so long that no session is known to have completed, none counts as complete.
    """
    one_stream = timeout is None
    ends_known = timeout is not None and timeout.completed > 0
    sessions = OpenSessions(None if timeout is None else timeout.seconds, config.max_open_sessions)
    done = Replayed()
    for row in parsed.kept:
        for closed in sessions.advance(row.source, row.time):
            done.add(closed.session.history, complete=ends_known, end=closed.session.last)
        if row.session is not None or one_stream:
            sessions.enter(row.source, row.session or "").history.append(parsed.key_of[row.skeleton])
    at_end, still_open = sessions.finish()
    for closed in at_end:
        done.add(closed.session.history, complete=ends_known, end=closed.session.last)
    for session in still_open:
        done.add(session.history, complete=False, end=session.last)
    return done


def _facts(parsed: Parsed, replayed: Replayed, timeout: Timeout | None, keys: KeyModel) -> dict[str, Any]:
    times = [time for time in parsed.kept.times if time == time]
    span = max(times) - min(times) if times else 0.0
    findings = parsed.findings()
    if timeout is not None:
        unit = "s" if span > 0 else " lines"
        findings.append(f"{len(replayed.sequences):,} sessions; {timeout.describe(unit)}")
    findings.append(keys.promise.describe())
    units = len(parsed.kept) if timeout is None else len(replayed.sequences)
    if span > 0:
        a_day = keys.promise.share * units * 86_400 / span
        findings.append(f"at the rate of this log, expect about {a_day:.1f} false alarms a day")
    return {
        "findings": findings,
        "entries": len(parsed.kept),
        "sessions": len(replayed.sequences),
        "span_seconds": span,
    }
