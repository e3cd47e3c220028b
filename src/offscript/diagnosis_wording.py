"""A diagnosis in plain sentences: what happened, where on the path, why, and how much is known (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from offscript.entries import Reason
from offscript.model import Model
from offscript.parse.numbers import shown
from offscript.session_path import OF_VALUES
from offscript.wording import LEAST_NAMED, short
from offscript.workflow.labels import labels

if TYPE_CHECKING:
    from offscript.diagnosis import Diagnosis, Named, SlowEdge
    from offscript.entries import Expected

STEPS_NAMED: Final = 3
"""Steps named in a sentence; a list of more is not read there."""


LONGEST: Final = 60
"""Characters of a template that is told whole; of a longer one its telling words are, as in the drawings."""


class Wording:
    """Words diagnoses under one model."""

    def __init__(self, model: Model) -> None:
        self._labels = labels({key: model.templates.template(key).text for key in model.templates.keys()})  # noqa: SIM118

    def sentences(self, found: Diagnosis, *, at_close: bool) -> str:
        """Say what is known, a sentence each; `at_close` says that the session left the script at its end."""
        told = [self._what(found)]
        if found.departure is not None:
            told.append(self._where(found, at_close=at_close))
        told += [self.slow(edge) for edge in found.slow[:STEPS_NAMED]]
        if found.missing:
            told.append(f"Missing: {self._listed(found.missing)}.")
        if found.extra:
            told.append(f"Not expected: {self._listed(found.extra)}.")
        if not found.entries and found.verdict.session is not None:
            steps = "The session's steps" if found.path_is_whole else f"Only the session's last {len(found.keys)} steps"
            told.append(f"{steps} are known, not when they came: the log was not read again.")
        return " ".join(told)

    def name(self, key: int, template: str) -> str:
        """Name a step: by its template, or by telling words where that is long or not at hand."""
        whole = template and len(template) <= LONGEST
        return f"`{template if whole else self._labels.get(key) or short(template)}`"

    def slow(self, edge: SlowEdge) -> str:
        """Say how long an edge took, and how long it normally takes."""
        low, high = shown(edge.normal.low, "s"), shown(edge.normal.high, "s")
        usual = f"{low.removesuffix(' s')} to {high}" if low != high else high
        ends = f"the step after {self._step(edge.before)}, to {self._step(edge.after)},"
        return f"{ends[0].upper()}{ends[1:]} took {shown(edge.seconds, 's')} where {usual} is normal."

    def choices(self, expected: Sequence[Expected]) -> str:
        """Name what was expected, with probabilities; "" of nothing."""
        named = [one for one in expected if one.probability >= LEAST_NAMED]
        return " or ".join(f"{self.name(one.key, one.template)} ({one.probability:.0%})" for one in named)

    def _step(self, step: Named) -> str:
        return self.name(step.key, step.template)

    def _listed(self, steps: Sequence[Named]) -> str:
        told = ", ".join(self._step(step) for step in steps[:STEPS_NAMED])
        left = len(steps) - STEPS_NAMED
        return told if left <= 0 else f"{told} and {left} more"

    def _what(self, found: Diagnosis) -> str:
        verdict = found.verdict
        name = self.name(verdict.entry.key, verdict.entry.template)
        if verdict.reason in OF_VALUES:
            return f"{verdict.detail[:1].upper()}{verdict.detail[1:]}."
        if verdict.reason is Reason.NEW_KEY:
            return f"{name} is a line never seen before."
        if verdict.reason is Reason.INCOMPLETE_SESSION:
            return f"The session ended after {name}."
        if verdict.reason is Reason.UNUSUAL_SESSION:
            return "The session as a whole is like no normal one."
        return f"{name} came where it is not expected."

    def _where(self, found: Diagnosis, *, at_close: bool) -> str:
        inside = "The session" if found.workflow is None else f"In task {found.workflow.number} the session"
        last = (
            "did not begin on script"
            if found.last_step is None
            else f"was on script up to {self._step(found.last_step)}"
        )
        choices = self.choices(found.expected)
        came = "it ended there" if at_close else "" if found.came is None else f"{self._step(found.came)} came"
        if found.verdict.reason in OF_VALUES and found.came is not None:
            came = f"{self._step(found.came)} came next"
            choices = ""
        told = [f"{inside} {last}", *([f"expected next: {choices}"] if choices else []), *([came] if came else [])]
        return "; ".join(told) + "."
