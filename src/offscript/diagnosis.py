"""Diagnosis: where in its task a session left the script, what was expected there, and which step was slow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from offscript.diagnosis_wording import Wording
from offscript.entries import Entry, Expected, Reason, Verdict
from offscript.model import Model
from offscript.session_path import Path, Places, path_of
from offscript.slow_edges import Slow, slow_edges, told_slow
from offscript.verdicts import EXPECTED_SHOWN
from offscript.wording import Words
from offscript.workflow.graph import Times, Walk, Workflow
from offscript.workflow.walk import walk

if TYPE_CHECKING:
    from offscript.workflow.learn import Workflows


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
    `last_step` is the last one on script, None at the beginning.
    `missing` and `extra` are steps that did not come, or should not have. `slow` are edges slower than normal, the
    slowest against its normal time first. `text` says it all in sentences.

    `keys` are the log keys that `walk` lays on the workflow, of the entries where these are known. `departure` is the
    place among them where the path was left, their number where the session ended too early or only its counts are
    unusual; `came` is what came there, None for the end of the session, and `expected`
    what should have.
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
    expected: tuple[Expected, ...] = ()


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


def diagnose(
    model: Model,
    verdict: Verdict,
    entries: Sequence[Entry] | None = None,
    *,
    whole: bool = True,
    ended: bool = False,
    workflows: Workflows | None = None,
) -> Diagnosis:
    """Say where on its path a session left the script, what should have come, and which step was slow (CCS 2017 4.4).

    Args:
        model: the model that gave the verdict.
        verdict: the verdict.
        entries: those of its session, in order (see `casefile.cases`); without them the last steps alone are known,
            and no times but the one the verdict tells.
        whole: whether the entries begin with the first of the session.
        ended: whether the session closed after the last of them.
        workflows: those of the model (`model_workflows.workflows_of`), on which the session is laid; without them the
            task is not told.
    """
    return Diagnoser(model, workflows).of(verdict, entries, whole=whole, ended=ended)


class Diagnoser:
    """Diagnoses many verdicts of one model."""

    def __init__(self, model: Model, workflows: Workflows | None = None) -> None:
        self._model = model
        self._workflows = workflows
        self._words = Words(model)
        self._places = Places(model)
        self.wording = Wording(model)

    def of(
        self, verdict: Verdict, entries: Sequence[Entry] | None = None, *, whole: bool = True, ended: bool = False
    ) -> Diagnosis:
        """What `diagnose` says."""
        path = path_of(self._model, verdict, entries, whole=whole, ended=ended)
        slow = self._slow(path, verdict)
        departure = self._departure(path, verdict, slow)
        workflow, laid = self._laid(path, departure)
        missing, extra = self._strayed(path, workflow, laid) if workflow and laid else ((), ())
        if not (missing or extra):
            missing, extra = self._differences(path, verdict)
        found = Diagnosis(
            verdict=verdict,
            workflow=workflow,
            walk=laid,
            entries=path.entries,
            path_is_whole=path.is_whole,
            last_step=self._named(path, None if departure is None else departure - 1),
            missing=missing,
            extra=extra,
            slow=tuple(self._edge(path, one) for one in slow),
            text="",
            keys=path.keys,
            departure=departure,
            came=self._came(path, verdict, departure),
            expected=self._expected(path, verdict, departure),
        )
        at_close = departure == len(path.keys) and path.ended
        return replace(found, text=self.wording.sentences(found, at_close=at_close))

    def _slow(self, path: Path, verdict: Verdict) -> list[Slow]:
        if path.entries:
            return slow_edges(self._model, path.entries)
        before = path.keys[path.at - 1] if 0 < path.at < len(path.keys) else 0
        told = told_slow(self._model, verdict, before, path.at) if before else None
        return [] if told is None else [told]

    def _departure(self, path: Path, verdict: Verdict, slow: Sequence[Slow]) -> int | None:
        """Where the path was left: for a value that is a time, at the slowest step, of which it is the report.

        An entry outside sessions is on no path.
        """
        if verdict.session is None and self._model.session_key.where != "none":
            return None
        told = verdict.measured
        reports = verdict.reason is Reason.UNUSUAL_TIME and told is not None and told.place > 0
        if reports and told is not None and told.number > told.high:
            before = [one.place for one in slow if one.place <= path.at]
            if before:
                return before[0]
        return self._places.departure(path, verdict)

    def _laid(self, path: Path, departure: int | None) -> tuple[Workflow | None, Walk | None]:
        """The workflow on which a path is laid with the fewest mistakes, and how.

        Where these would be before the departure, what is known to be on script is laid alone, if it is on the graph.
        """
        if self._workflows is None:
            return None, None
        found = self._workflows.laid(path.keys, ended=path.ended, whole=path.is_whole)
        if found is None:
            return None, None
        workflow, laid = found
        if departure is None or laid.departure is None or laid.departure >= departure:
            return workflow, laid
        first = walk(workflow, path.keys[:departure], ended=False, whole=path.is_whole)
        if first.departure is not None:
            return workflow, laid
        after = (None,) * (len(path.keys) - departure)
        return workflow, Walk((*first.nodes, *after), departure, first.last)

    def _strayed(self, path: Path, workflow: Workflow, laid: Walk) -> tuple[tuple[Named, ...], tuple[Named, ...]]:
        """The steps of a workflow that a path passed over, and its steps that are not on it, each named once."""
        missing = dict.fromkeys(workflow.nodes[node].key for node in laid.missing)
        extra = {path.keys[place]: place for place, node in enumerate(laid.nodes) if node is None}
        return tuple(self._key(key) for key in missing), tuple(self._step(path, place) for place in extra.values())

    def _differences(self, path: Path, verdict: Verdict) -> tuple[tuple[Named, ...], tuple[Named, ...]]:
        """The steps that a session as a whole has too few and too many of."""
        if verdict.reason is not Reason.UNUSUAL_SESSION or not path.is_whole:
            return (), ()
        found = self._places.differences(path)
        missing = [one for one in found if one.count < one.low]
        extra = [one for one in found if one.count > one.high]
        return tuple(self._symbol(one.symbol) for one in missing), tuple(self._symbol(one.symbol) for one in extra)

    def _came(self, path: Path, verdict: Verdict, departure: int | None) -> Named | None:
        if departure is None or departure >= len(path.keys):
            return None
        if departure == path.at:
            return Named(verdict.entry.key, verdict.entry.template)
        return self._named(path, departure)

    def _expected(self, path: Path, verdict: Verdict, departure: int | None) -> tuple[Expected, ...]:
        if departure is None:
            return ()
        if departure == path.at and verdict.expected:
            return verdict.expected
        if not path.is_whole and departure < self._model.config.history:
            return ()
        history = self._places.histories(path)[departure]
        return self._words.expected(self._model.keys.expected(history, EXPECTED_SHOWN))

    def _edge(self, path: Path, slow: Slow) -> SlowEdge:
        return SlowEdge(self._step(path, slow.place - 1), self._step(path, slow.place), slow.seconds, slow.normal)

    def _named(self, path: Path, place: int | None) -> Named | None:
        return None if place is None or not 0 <= place < len(path.keys) else self._step(path, place)

    def _step(self, path: Path, place: int) -> Named:
        if path.entries:
            return Named(path.entries[place].key, path.entries[place].template)
        return self._key(path.keys[place])

    def _key(self, key: int) -> Named:
        return Named(key, self._model.templates.template(key).text if key > 0 else "a line never seen before")

    def _symbol(self, symbol: int) -> Named:
        return Named(self._model.keys.key(symbol) or 0, self._words.of(symbol))
