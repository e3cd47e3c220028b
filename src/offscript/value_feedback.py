"""Feedback on times, numbers and words: what was reported is within what is normal from then on (ours; CCS 2017 3.3).

A report is about one number, and one side: the range of its gauge is widened to hold it, at the level that stood then,
and with it what is nearer to the middle, or hardly farther out. Of a word the list of its place takes that word alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from offscript.entries import Measured, Reason, Verdict
from offscript.errors import UsageError
from offscript.model import Model
from offscript.models.gauges import Gauge, told_of
from offscript.models.tails import HARDLY_FARTHER
from offscript.models.values import NO_GAUGE
from offscript.models.vectors import TIME
from offscript.parse.origins import by_place
from offscript.value_wording import VALUE_SHOWN, in_unit
from offscript.wording import short

NUMBERS: Final = frozenset({Reason.UNUSUAL_TIME, Reason.UNUSUAL_VALUE})
"""The reasons that are about a number."""

VALUES: Final = NUMBERS | {Reason.NEW_VALUE}
"""The reasons that are about a time or a value."""

MARGINS: Final = (HARDLY_FARTHER, 1.0)
"""How much farther out than reported is accepted, in distances from where the tail starts: as much as of any number
that training saw; nothing but what a level moves, where a confirmed anomaly lies in between."""

ROUNDING: Final = 1e-9
"""Share of the numbers involved that rounding may make of a deviation: it is the difference of two of them."""

CUT: Final = "\u2026"
"""What the text of a line ends with that was too long to be kept whole."""


def check_value(model: Model, verdict: Verdict) -> None:
    """Raise UsageError for a verdict that does not say what is to be learnt."""
    where = f"verdict {verdict.id}"
    if verdict.reason in NUMBERS and (verdict.measured is None or _gauge(model, verdict) == NO_GAUGE):
        raise UsageError(
            "what its number was, and by which range, is not in the journal",
            where=where,
            remedy="run `offscript detect` again and report what it prints; if that says the same, fit again",
        )
    if verdict.reason is Reason.NEW_VALUE and (verdict.entry.text.endswith(CUT) or _placed(model, verdict) is None):
        raise UsageError("its line was too long to be kept whole", where=where, remedy="fit again with this log")


def with_values(model: Model, normal: Sequence[Verdict], confirmed: Sequence[Verdict]) -> tuple[Model, list[str]]:
    """The model that accepts the reported times, numbers and words, and what changed, in sentences.

    Beyond the reported numbers as little as keeps what was confirmed and flagged as it was.
    """
    normal = [verdict for verdict in normal if verdict.reason in VALUES and not accepts_value(model, verdict)]
    flagged = [verdict for verdict in confirmed if verdict.reason in NUMBERS and not accepts_value(model, verdict)]
    after, changes = model, list[str]()
    for margin in MARGINS if normal else ():
        after, changes = model, []
        for verdict in normal:
            told = _with_number if verdict.reason in NUMBERS else _with_words
            before, after = after, told(after, verdict, margin)
            if after is not before:
                changes.append(f"{_changed(before, after, verdict)} (verdict {verdict.id})")
        if not any(accepts_value(after, verdict) for verdict in flagged):
            break
    return after, changes


def accepts_value(model: Model, verdict: Verdict) -> bool:
    """Whether the number, or each word, that a verdict is about is normal by the model."""
    if verdict.reason is Reason.NEW_VALUE:
        return _placed(model, verdict) is not None and not fresh_words(model, verdict)
    told, number = verdict.measured, _gauge(model, verdict)
    if told is None or number == NO_GAUGE:
        return False
    values, gauge = model.values, model.values.gauges[number]
    low, high = gauge.limits(values.threshold_of(gauge), values.outliers)
    return low <= _deviation(gauge, told) <= high


def fresh_words(model: Model, verdict: Verdict) -> list[tuple[int, str]]:
    """The words of a verdict's line that the model would flag, each with the number of its list."""
    placed, values = _placed(model, verdict) or (), model.values
    return [
        (number, placed[one.place - 1])
        for number, one in enumerate(values.lists)
        if one.key == verdict.entry.key
        and one.place <= len(placed)
        and placed[one.place - 1] not in one.known
        and values.fresh_score(number) >= 1.0
    ]


def _placed(model: Model, verdict: Verdict) -> tuple[str, ...] | None:
    """The values of a verdict's line by place; None where it does not hold them all."""
    entry = verdict.entry
    try:
        wording = model.templates.wording(entry.key)
    except KeyError:
        return None
    return by_place(entry.template, *wording, entry.values)


def _gauge(model: Model, verdict: Verdict) -> int:
    """The number of the gauge that a verdict was given by; `NO_GAUGE` where the model has none such."""
    place = -1 if verdict.measured is None else verdict.measured.place
    return model.values.gauge_of(verdict.entry.key, place, verdict.history[-1] if verdict.history else 0)


def _deviation(gauge: Gauge, told: Measured) -> float:
    """How far a number was from the level that stood then."""
    return told.number - (told.middle - gauge.middle)


def _with_number(model: Model, verdict: Verdict, margin: float) -> Model:
    values, number, told = model.values, _gauge(model, verdict), verdict.measured
    if told is None or accepts_value(model, verdict):
        return model
    gauges = list(values.gauges)
    # 256 numbers running on one side move a level so far: from day to day a number stands as much nearer or farther
    slack = max(gauges[number].spread, ROUNDING * max(abs(told.number), abs(told.middle), abs(gauges[number].middle)))
    gauges[number] = told_of(gauges[number], _deviation(gauges[number], told), margin, slack)
    return replace(model, values=replace(values, gauges=tuple(gauges)))


def _with_words(model: Model, verdict: Verdict, _: float) -> Model:
    lists = list(model.values.lists)
    fresh = fresh_words(model, verdict)
    for number, word in fresh:
        lists[number] = replace(lists[number], known=(*lists[number].known, word))
    return replace(model, values=replace(model.values, lists=tuple(lists))) if fresh else model


def _changed(before: Model, after: Model, verdict: Verdict) -> str:
    """What a verdict on a value changed, in a sentence."""
    if verdict.reason is Reason.NEW_VALUE:
        words = [
            f"{subject(before, verdict.entry.key, before.values.lists[number].place, None)}: "
            f"`{word[:VALUE_SHOWN]}` is a normal word now"
            for number, word in fresh_words(before, verdict)
        ]
        return "; ".join(words)
    number, told = _gauge(before, verdict), verdict.measured
    gauge = after.values.gauges[number]
    level = told.middle - gauge.middle if told is not None else gauge.level
    side = int(told is not None and told.number > told.middle)
    return f"{subject(before, gauge.key, gauge.place, gauge.after)}: {edge(before, after, number, side, level)}"


def subject(model: Model, key: int, place: int, after: int | None) -> str:
    """Say which time or value is meant."""
    text = f"`{short(model.templates.template(key).text)}`"
    before = f"`{short(model.templates.template(after).text)}`" if after in model.keys.vocabulary.numbers else ""
    if place == TIME:
        return f"the time from {before} to {text}" if before else f"the time before {text}"
    which = f", value {place}" if model.templates.places(key) > 1 else ""
    return f"{text}{which}" + (f" after {before}" if before else "")


def edge(before: Model, after: Model, number: int, side: int, level: float) -> str:
    """Say up to where numbers of a gauge are normal on a side (0: low, 1: high) about a level, and were."""
    was, now = (in_unit(one, number, one.values.normal_range(number, level)[side]) for one in (before, after))
    return f"normal {('down', 'up')[side]} to {now} now (was {was})"
