"""Feedback: a verdict that a person called normal is learnt, and the next version of the model accepts it (ours).

CCS 2017 section 3.3 has online update in a paragraph; what a report teaches depends on its reason. A key that came at
the wrong place, and a session that ended early, are steps for the key model (`models.update`). A line that no template
matched becomes a template of its own, by Spell, and then a step. Verdicts that a person confirmed as anomalies are a
regression set: a version that would silence one is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from offscript.entries import Fields, Line, Reason, Verdict
from offscript.errors import UsageError
from offscript.model import Model
from offscript.models.keys import KeyModel
from offscript.models.learning import DistinctSessions, profile_of
from offscript.models.update import Step, scores_of_steps, taught
from offscript.parse.match import Templates
from offscript.parse.spell import Spell

LEARNT: Final = frozenset({Reason.NEW_KEY, Reason.UNEXPECTED_KEY, Reason.INCOMPLETE_SESSION})
"""The reasons that can be learnt from."""

_CUT: Final = "\u2026"


@dataclass(frozen=True, slots=True)
class Lesson:
    """The next version of a model, and what it was taught, in sentences."""

    model: Model
    changes: tuple[str, ...]


def learn(model: Model, normal: Sequence[Verdict], *, confirmed: Sequence[Verdict] = ()) -> Lesson:
    """Teach a model that these verdicts were false alarms; the given model stays as it is.

    `confirmed` are verdicts that were right. What was reported together is one update. UsageError for a reason that
    cannot be learnt, a line that was not kept whole, and an update that would silence a confirmed anomaly or flag what
    is normal.
    """
    for verdict in normal:
        _check(model, verdict)
    templates, changes = _with_templates(model, [v.entry.line for v in normal if v.reason is Reason.NEW_KEY])
    lines = [verdict for verdict in confirmed if verdict.reason is Reason.NEW_KEY]
    silenced = [v.id for v in lines if _key(model, templates, v) > 0 >= _key(model, model.templates, v)]
    if silenced:
        raise UsageError(
            f"this would silence the confirmed anomaly {silenced[0]}",
            remedy="take back one of the two reports: both cannot be right",
        )
    steps = [(verdict, step) for verdict in normal if (step := _step(model, templates, verdict)) is not None]
    right = [step for verdict in confirmed if (step := _step(model, templates, verdict)) is not None]
    keys = taught(model.keys, [step for _, step in steps], confirmed=right)
    whole = [verdict for verdict in normal if verdict.reason is Reason.INCOMPLETE_SESSION]
    keys = _with_sessions(keys, [verdict.history for verdict in whole])
    after = replace(model, templates=templates, keys=keys)
    changes += [_told(after, verdict, step) for verdict, step in steps]
    return Lesson(after, tuple(dict.fromkeys(changes)))


def readable(verdict: Verdict, keys: Collection[int]) -> bool:
    """Return whether a verdict refers to lines by these keys alone, 0 for unknown lines aside (ours)."""
    return all(key <= 0 or key in keys for key in (*verdict.history, verdict.entry.key))


def accepted(model: Model, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Return those of some verdicts that the model would not give any more: what a preview shows (ours).

    The step alone is judged again, after the history that the verdict was given with; verdicts on times, values and
    whole sessions are taken as they are.
    """
    asked, steps = [], []
    for verdict in verdicts:
        if verdict.reason not in LEARNT:
            continue
        key = _key(model, model.templates, verdict)
        if verdict.reason is Reason.NEW_KEY and key <= 0:
            continue
        asked.append(verdict)
        steps.append(_step(model, model.templates, verdict))
    scores = iter(scores_of_steps(model.keys, [step for step in steps if step is not None]))
    return [verdict for verdict, step in zip(asked, steps, strict=True) if step is None or next(scores) < 1]


def _check(model: Model, verdict: Verdict) -> None:
    """Raise UsageError for a verdict that cannot be learnt."""
    where = f"verdict {verdict.id}"
    if verdict.reason not in LEARNT:
        known = ", ".join(sorted(LEARNT))
        raise UsageError(
            f"a verdict of the reason {verdict.reason} cannot be learnt",
            where=where,
            remedy=f"those of {known} can; for others fit again with the log of this day",
        )
    if verdict.reason is Reason.NEW_KEY and verdict.entry.text.endswith(_CUT):
        raise UsageError("its line was too long to be kept whole", where=where, remedy="fit again with this log")
    begins_here = len(verdict.history) < model.keys.history
    if verdict.reason is Reason.INCOMPLETE_SESSION and model.keys.profile is not None and not begins_here:
        raise UsageError(
            f"of a session only the last {model.keys.history} lines are kept, and this one had more",
            where=where,
            remedy="fit again with the log of this day",
        )


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
    if verdict.reason not in LEARNT:
        return None
    if verdict.reason is Reason.INCOMPLETE_SESSION:
        return Step(verdict.history, None)
    if verdict.session is None and model.session_key.where != "none":
        return None
    key = _key(model, templates, verdict)
    return Step(verdict.history, key) if key > 0 else None


def _with_sessions(keys: KeyModel, sessions: Sequence[Sequence[int]]) -> KeyModel:
    """The key model with sessions, which have ended, among those that its profile is made of."""
    profile, learnt = keys.profile, keys.learnt
    if profile is None or not sessions:
        return keys
    symbols = [keys.vocabulary.encode(session) for session in sessions]
    stored = learnt.sessions.joined(DistinctSessions.of(symbols, [True] * len(symbols)))
    learnt = replace(learnt, sessions=stored, profile=profile_of(stored, len(keys.vocabulary), profile.threshold))
    return KeyModel(keys.vocabulary, keys.history, keys.count_weight, learnt)


def _told(model: Model, verdict: Verdict, step: Step) -> str:
    """What a verdict taught, in a sentence."""
    name = "the end of a session" if step.key is None else f"`{model.templates.template(step.key).text}`"
    known = [key for key in step.history if key]
    before = f"after `{model.templates.template(known[-1]).text}`" if known else "at the start of a session"
    return f"{name} is normal {before} (verdict {verdict.id})"
