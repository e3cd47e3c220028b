"""Diagnosis: where in its task a session left the script, what was expected there, and which step was slow."""

from __future__ import annotations

from dataclasses import dataclass

from offscript.entries import Entry, Verdict
from offscript.workflow.graph import Times, Walk, Workflow


@dataclass(frozen=True, slots=True)
class Named:
    """A log key and its template."""

    key: int
    template: str


@dataclass(frozen=True, slots=True)
class SlowEdge:
    """An edge that took `seconds` in this session, and what is normal for it."""

    before: Named
    after: Named
    seconds: float
    normal: Times


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known of a verdict beyond itself (CCS 2017 section 4.4).

    `workflow` is that of the task, None where no task has such steps; `walk` is the session on it. `entries` are those
    of the session as far as they are known, in order: `path_is_whole` says whether they begin with its first.
    `last_step` is the last one on script, None at the beginning; what was expected there stands in the verdict.
    `missing` and `extra` are steps that did not come, or should not have. `slow` are edges slower than normal, the
    slowest against its normal time first. `text` says it all in sentences.

    `keys` are the log keys that `walk` lays on the workflow, of the entries where these are known. `departure` is the
    place among them where the path was left, their number where the session ended too early or only its counts are
    unusual; `came` is what came there, None for the end of the session.
    """

    verdict: Verdict
    workflow: Workflow | None
    walk: Walk | None
    entries: tuple[Entry, ...]
    path_is_whole: bool
    last_step: Named | None
    missing: tuple[Named, ...]
    extra: tuple[Named, ...]
    slow: tuple[SlowEdge, ...]
    text: str
    keys: tuple[int, ...] = ()
    departure: int | None = None
    came: Named | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Verdicts with one cause: the same departure in the same task, near in time (ours).

    `first` is the diagnosis of the first verdict. `sessions` are the names of the sessions, each once, in the order of
    their first verdicts; `start` and `end` are the log times of the first and last verdict, None without times.
    """

    first: Diagnosis
    verdicts: tuple[Verdict, ...]
    sessions: tuple[str, ...]
    start: float | None
    end: float | None
