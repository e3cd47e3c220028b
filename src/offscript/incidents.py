"""Incidents: verdicts with one cause, told once (ours).

A session's verdicts that are near in time are one departure and what followed from it, so the first of them names the
cause: the task, the last step on script, and what came instead (or which step was slow). Sessions with the same cause
are one incident as long as they follow on each other within `gap`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from offscript.diagnosis import Diagnosis, Incident
from offscript.entries import Reason, Verdict
from offscript.model import Model

GAP: Final = 300.0
"""Seconds between two departures of one incident where no time-out says better: what monitors wait before they call a
problem over."""

Cause = tuple[object, ...]
Moment = tuple[bool, float]


def gap_of(model: Model) -> float:
    """How far apart two departures with one cause may be to be one incident, in seconds (lines, without stamps).

    That is the time-out of sessions: within it the one session may still have been open when the other left the script,
    so that one passing fault can have hit both.
    """
    return GAP if model.timeout is None else model.timeout


def cause_of(diagnosis: Diagnosis) -> Cause:
    """What tells one cause from another: the task and the departure.

    A slow step is one cause whichever line tells of it: the one that came late, or one that says how long it took.
    """
    verdict = diagnosis.verdict
    task = 0 if diagnosis.workflow is None else diagnosis.workflow.number
    if diagnosis.slow and verdict.reason in (Reason.UNUSUAL_TIME, Reason.UNUSUAL_VALUE):
        edge = diagnosis.slow[0]
        return task, Reason.UNUSUAL_TIME, edge.before.key, edge.after.key
    last = 0 if diagnosis.last_step is None else diagnosis.last_step.key
    came = verdict.entry.key if diagnosis.came is None else diagnosis.came.key
    ended = verdict.reason is Reason.INCOMPLETE_SESSION
    return task, verdict.reason, last, 0 if ended else came


def incidents(
    verdicts: Iterable[Verdict], diagnosed: Callable[[Verdict], Diagnosis], gap: float = GAP
) -> list[Incident]:
    """Group verdicts by cause and time; the incidents come in the order of their first verdicts (ours).

    `diagnosed` gives the diagnosis of a verdict; it is asked only where a cause is looked for, so once of a session
    whose verdicts follow on each other. `gap` is in seconds, for a log without stamps in lines (`gap_of`). Takes
    n log n time for n verdicts; equal ones give equal incidents, in whichever order they come, as long as those of one
    moment keep theirs.

    >>> incidents([], {}.__getitem__)
    []
    """
    of_session: dict[tuple[str, str], _Run] = {}
    of_cause: dict[Cause, _Open] = {}
    found: list[_Open] = []
    for verdict in sorted(verdicts, key=moment_of):
        moment = moment_of(verdict)
        name = None if verdict.session is None else (verdict.entry.line.source, verdict.session)
        run = None if name is None else of_session.get(name)
        if run is None or not _is_near(run.last, moment, gap):
            diagnosis = diagnosed(verdict)
            cause = cause_of(diagnosis)
            known = of_cause.get(cause)
            if known is None or not _is_near(known.last, moment, gap):
                known = of_cause[cause] = _Open(diagnosis, moment)
                found.append(known)
            run = _Run(known, moment)
            if name is not None:
                of_session[name] = run
            known.last = moment  # what follows in a session does not keep its incident open for others
        run.last = moment
        run.incident.add(verdict)
    return [one.closed() for one in found]


def moment_of(verdict: Verdict) -> Moment:
    """Where a verdict stands in time: by its stamp, or by its line where it has none."""
    return (False, float(verdict.entry.line.number)) if verdict.time is None else (True, verdict.time)


def _is_near(before: Moment, now: Moment, gap: float) -> bool:
    return before[0] == now[0] and now[1] - before[1] <= gap


@dataclass(slots=True)
class _Open:
    """An incident that may grow; `last` is when a session last joined it."""

    first: Diagnosis
    last: Moment
    verdicts: list[Verdict] = field(default_factory=list)
    sessions: dict[str, None] = field(default_factory=dict)

    def add(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)
        if verdict.session is not None:
            self.sessions[verdict.session] = None

    def closed(self) -> Incident:
        times = [verdict.time for verdict in self.verdicts if verdict.time is not None]
        start, end = (min(times), max(times)) if times else (None, None)
        return Incident(self.first, tuple(self.verdicts), tuple(self.sessions), start, end)


@dataclass(slots=True)
class _Run:
    """The verdicts of one session that follow on each other."""

    incident: _Open
    last: Moment
