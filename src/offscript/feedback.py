"""Feedback: a verdict that a person called normal is learnt, and the next version of the model accepts it (ours).

CCS 2017 section 3.3 has online update in a paragraph; what a report teaches depends on its reason. A key that came at
the wrong place, and a session that ended early, are steps for the key model (`models.update`). A line that no template
matched becomes a template of its own, by Spell, and then a step. A session that was unusual as a whole joins the
profile (`session_feedback`); a time, number or word what is normal of its place (`value_feedback`). Verdicts that a
person confirmed as anomalies are a regression set: a version that would silence one is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from offscript.entries import Fields, Line, Reason, Verdict
from offscript.errors import UsageError
from offscript.model import Model
from offscript.models.update import Step, scores_of_steps, taught
from offscript.parse.match import Templates
from offscript.parse.spell import Spell
from offscript.session_feedback import (
    ENDED,
    Named,
    check_session,
    named_counts,
    scores_of_sessions,
    with_sessions,
)
from offscript.value_feedback import CUT, VALUES, accepts_value, check_value, with_values

STEPS: Final = frozenset({Reason.NEW_KEY, Reason.UNEXPECTED_KEY, Reason.INCOMPLETE_SESSION})
"""The reasons that are about a step of a session."""

CONTRADICTION: Final = "take back one of the two reports: both cannot be right"


@dataclass(frozen=True, slots=True)
class Lesson:
    """The next version of a model, and what it was taught, in sentences."""

    model: Model
    changes: tuple[str, ...]


def learn(model: Model, normal: Sequence[Verdict], *, confirmed: Sequence[Verdict] = ()) -> Lesson:
    """Teach a model that these verdicts were false alarms; the given model stays as it is.

    `confirmed` are verdicts that were right. What was reported together is one update. UsageError for a line or a
    session that was not kept whole, and an update that would silence a confirmed anomaly or flag what is normal.
    """
    for verdict in normal:
        _check(model, verdict)
    templates, changes = _with_templates(model, [v.entry.line for v in normal if v.reason is Reason.NEW_KEY])
    lines = [verdict for verdict in confirmed if verdict.reason is Reason.NEW_KEY]
    silenced = [v.id for v in lines if _key(model, templates, v) > 0 >= _key(model, model.templates, v)]
    if silenced:
        raise UsageError(f"this would silence the confirmed anomaly {silenced[0]}", remedy=CONTRADICTION)
    steps = [(verdict, step) for verdict in normal if (step := _step(model, templates, verdict)) is not None]
    right = [step for verdict in confirmed if (step := _step(model, templates, verdict)) is not None]
    keys = taught(model.keys, [step for _, step in steps], confirmed=right)
    changes += [_told(replace(model, templates=templates), verdict, step) for verdict, step in steps]
    unknown = [verdict for verdict in normal if _key(model, model.templates, verdict) <= 0]
    keys, sessions = with_sessions(keys, normal, _named(model, templates, unknown))
    after, values = with_values(replace(model, templates=templates, keys=keys), normal, confirmed)
    _check_confirmed(model, after, confirmed)
    return Lesson(after, tuple(dict.fromkeys([*changes, *sessions, *values])))


def by_name(model: Model, verdicts: Sequence[Verdict], stored: Sequence[Verdict]) -> list[Verdict]:
    """Return verdicts as the model would read their lines, of which it may know some that were unknown (ours).

    Which those are is told by the `stored` verdicts on unknown lines of the same sessions.
    """
    named = _named(model, model.templates, stored)
    unknown: dict[tuple[str, str | None], dict[int, int]] = {}
    for verdict in stored:
        if verdict.reason is Reason.NEW_KEY:
            line = verdict.entry.line
            lines = unknown.setdefault((line.source, verdict.session), {})
            lines[line.number] = max(0, _key(model, model.templates, verdict))
    return [_by_name(verdict, named, unknown) for verdict in verdicts]


def _by_name(verdict: Verdict, named: Named, unknown: Mapping[tuple[str, str | None], Mapping[int, int]]) -> Verdict:
    place, line = (verdict.entry.line.source, verdict.session), verdict.entry.line.number
    counts = verdict.counts and named_counts(verdict.counts, named.get(place, ()))
    last = line + (verdict.reason in ENDED)
    keys = [key for number, key in sorted(unknown.get(place, {}).items()) if number < last]
    count = verdict.history.count(0)
    keys = [0] * (count - len(keys)) + keys[len(keys) - min(count, len(keys)) :]
    names = iter(keys)
    return replace(verdict, counts=counts, history=tuple(key or next(names) for key in verdict.history))


def readable(verdict: Verdict, keys: Collection[int]) -> bool:
    """Return whether a verdict refers to lines by these keys alone, 0 for unknown lines aside (ours)."""
    return all(key <= 0 or key in keys for key in (*verdict.history, verdict.entry.key))


def holds_enough(model: Model, verdict: Verdict) -> bool:
    """Return whether a verdict says all that it takes to learn it, or to try an update against it (ours)."""
    try:
        _check(model, verdict)
    except UsageError:
        return False
    return True


def accepted(model: Model, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return those of some verdicts that the model would not give any more: what a preview shows (ours).

    A step is judged again alone, after the history that the verdict was given with; a session by its counts, of which
    lines that were unknown have the keys that they have now, where verdicts on them are given too; a number about the
    level that stood then.
    """
    passed = _accepted_steps(model, [verdict for verdict in verdicts if verdict.reason in STEPS])
    whole = [verdict for verdict in verdicts if verdict.reason is Reason.UNUSUAL_SESSION and verdict.counts]
    scores = scores_of_sessions(model.keys, whole, _named(model, model.templates, verdicts))
    passed |= {verdict.id for verdict, score in zip(whole, scores, strict=True) if score < 1}
    passed |= {verdict.id for verdict in verdicts if verdict.reason in VALUES and accepts_value(model, verdict)}
    return [verdict for verdict in verdicts if verdict.id in passed]


def _accepted_steps(model: Model, verdicts: Sequence[Verdict]) -> set[str]:
    """The ids of the verdicts whose steps the model accepts."""
    asked, steps = [], []
    for verdict in verdicts:
        key = _key(model, model.templates, verdict)
        if verdict.reason is Reason.NEW_KEY and key <= 0:
            continue
        asked.append(verdict)
        steps.append(_step(model, model.templates, verdict))
    scores = iter(scores_of_steps(model.keys, [step for step in steps if step is not None]))
    return {verdict.id for verdict, step in zip(asked, steps, strict=True) if step is None or next(scores) < 1}


def _check_confirmed(before: Model, after: Model, confirmed: Sequence[Verdict]) -> None:
    """Raise UsageError where a version would silence a confirmed anomaly that the one before flags."""
    silent = {verdict.id for verdict in accepted(before, confirmed)}
    for verdict in accepted(after, confirmed):
        if verdict.id not in silent:
            raise UsageError(f"this would silence the confirmed anomaly {verdict.id}", remedy=CONTRADICTION)


def _named(model: Model, templates: Templates, normal: Sequence[Verdict]) -> Named:
    """The keys that the reported unknown lines have by the templates, by source and session."""
    found: Named = {}
    for verdict in normal:
        if verdict.reason is Reason.NEW_KEY and (key := _key(model, templates, verdict)) > 0:
            found.setdefault((verdict.entry.line.source, verdict.session), []).append(key)
    return found


def _check(model: Model, verdict: Verdict) -> None:
    """Raise UsageError for a verdict that cannot be learnt."""
    if verdict.reason is Reason.NEW_KEY and verdict.entry.text.endswith(CUT):
        where, remedy = f"verdict {verdict.id}", "fit again with this log"
        raise UsageError("its line was too long to be kept whole", where=where, remedy=remedy)
    if verdict.reason in ENDED:
        check_session(model.keys, verdict)
    if verdict.reason in VALUES:
        check_value(model, verdict)


def _fields(model: Model, line: Line) -> tuple[Fields, tuple[str, ...]]:
    """What the header says of a line, and the session's id that stands in it."""
    fields = model.header.split(line.text, None) or Fields(line.text)
    session = model.session_key.find(fields)
    return fields, (session,) if session else ()


def _key(model: Model, templates: Templates, verdict: Verdict) -> int:
    """The key of a verdict's line by some templates; that of the entry where the line was known."""
    if verdict.reason is not Reason.NEW_KEY:
        return verdict.entry.key
    fields, ids = _fields(model, verdict.entry.line)
    return templates.match(fields.message, ids).key


def _with_templates(model: Model, lines: Iterable[Line]) -> tuple[Templates, list[str]]:
    """The templates with those of some unknown lines, which Spell makes of them together, and what was added."""
    spell = Spell(model.config.tau, model.config.max_templates)
    unknown = False
    for line in lines:
        fields, ids = _fields(model, line)
        if model.templates.match(fields.message, ids).key <= 0:
            spell.learn(fields.message, ids)
            unknown = True
    if not unknown:
        return model.templates, []
    found, first = spell.settle()[0], max(model.templates.keys(), default=0) + 1
    templates = _joined(model.templates, found, first)
    fresh = [templates.template(first + place) for place in range(len(found.keys()))]
    return templates, [f"new template {one.key}: {one.text}" for one in fresh]


def _joined(known: Templates, others: Templates, first: int) -> Templates:
    """The known templates and others, which get the keys from `first` on."""
    body, more = known.to_dict(), others.to_dict()
    numbers = {key: first + place for place, key in enumerate(others.keys())}
    body["templates"] += [row | {"key": numbers[row["key"]]} for row in more["templates"]]
    body["skeletons"] += [[numbers[key], tokens] for key, tokens in more["skeletons"]]
    return Templates.from_dict(body)


def _step(model: Model, templates: Templates, verdict: Verdict) -> Step | None:
    """The step that a verdict was about; None for a line outside sessions, which is judged by its template alone."""
    if verdict.reason not in STEPS:
        return None
    if verdict.reason is Reason.INCOMPLETE_SESSION:
        return Step(verdict.history, None)
    if verdict.session is None and model.session_key.where != "none":
        return None
    key = _key(model, templates, verdict)
    return Step(verdict.history, key) if key > 0 else None


def _told(model: Model, verdict: Verdict, step: Step) -> str:
    """What a verdict taught, in a sentence."""
    name = "the end of a session" if step.key is None else f"`{model.templates.template(step.key).text}`"
    known = [key for key in step.history if key]
    before = f"after `{model.templates.template(known[-1]).text}`" if known else "at the start of a session"
    return f"{name} is normal {before} (verdict {verdict.id})"
