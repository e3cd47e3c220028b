"""Learning a model from normal lines: parse, close the sessions under a time-out of their own making, train."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from offscript.config import Config
from offscript.endless import Endless, take_out
from offscript.entries import Line
from offscript.errors import InputError
from offscript.model import Model, identify
from offscript.models.keys import KeyModel
from offscript.models.values import ValueModel
from offscript.parse.header import Header
from offscript.parse.learn import Parsed, Progress, learn
from offscript.parse.timeout import Timeout
from offscript.plain import counted
from offscript.replay import Replayed, replay, session_timeout
from offscript.value_vectors import value_lessons
from offscript.workflow.times import EdgeTimes

MIN_ENTRIES = 20  # below this a history of ten keys and its successor hardly occur once: nothing can be learnt
SHORTEST_RATE = 3600.0  # seconds of log below which its rate says little about a day


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
    parsed = learn(lines, config, header=header, cells=config.values, progress=progress)
    if len(parsed.kept) < MIN_ENTRIES:
        raise InputError(
            f"only {counted(len(parsed.kept), 'entries')} to learn from",
            where=next(iter(parsed.kept.source_names), None),
            remedy=f"give at least {MIN_ENTRIES}, better some thousands, of normal operation",
        )
    one_stream = parsed.discovery.key.where == "none"
    timeout = None if one_stream else session_timeout(parsed.kept)
    endless = Endless() if timeout is None else take_out(parsed, timeout.seconds)
    if endless.ids:  # whose gaps are no gaps within sessions
        timeout = session_timeout(parsed.kept)
    replayed = replay(parsed, timeout)
    if not replayed.sequences:
        raise InputError(
            "no line has a session id",
            where=next(iter(parsed.kept.source_names), None),
            remedy="correct --session, or give --session none",
        )
    lessons = value_lessons(parsed, replayed, config, per_entry=one_stream) if config.values else None
    keys = KeyModel.fit(
        replayed.sequences,
        config,
        complete=replayed.complete,
        order=replayed.ends,
        per_entry=one_stream,
        beside=lessons,
        progress=None if progress is None else lambda epoch, of, _loss, _floor: progress("training", epoch, of),
    )
    seconds = None if timeout is None else timeout.seconds
    values = lessons.model if lessons is not None and lessons.model is not None else ValueModel()
    facts = _facts(parsed, replayed, timeout, endless, keys)
    times = edge_times(parsed, replayed)
    learnt = config, parsed.header, parsed.discovery.key, seconds, parsed.templates, keys, values, times
    return identify(Model(*learnt, facts, outside=endless.keys))


def edge_times(parsed: Parsed, replayed: Replayed) -> EdgeTimes:
    """Return how long it took from one key to the next within the training sessions (CCS 2017 section 4.4.2)."""
    session, _, before, elapsed = replayed.steps
    keys = np.array(parsed.key_of, np.int64)[np.array(parsed.kept.skeletons, np.int64)]
    return EdgeTimes.of(np.where(session >= 0, before, 0), keys, elapsed)


def _facts(
    parsed: Parsed, replayed: Replayed, timeout: Timeout | None, endless: Endless, keys: KeyModel
) -> dict[str, Any]:
    times = [time for time in parsed.kept.times if time == time]
    span = max(times) - min(times) if times else 0.0
    findings = parsed.findings()
    if timeout is not None:
        unit = "s" if span > 0 else " lines"
        findings.append(f"{counted(len(replayed.sequences), 'sessions')}; {timeout.describe(unit)}")
        if endless.ids:
            findings.append(endless.describe())
        outside = sum(1 for session in parsed.kept.sessions if session < 0)
        if outside:
            are = "entry is of no session: it is" if outside == 1 else "entries are of no session: they are"
            findings.append(f"{outside:,} {are} judged for new keys only, outside the promise")
        if replayed.joined:
            left_out = "was left out" if replayed.joined == 1 else "were left out"
            findings.append(f"{counted(replayed.joined, 'sessions')} had begun before the log did and {left_out}")
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
