"""Feedback: a false alarm that was reported does not come back, and what was confirmed stays an anomaly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from offscript import Detector, Model, Reason, UsageError, Verdict, detect, load
from offscript.feedback import LEARNT, accepted, learn
from offscript.testing import lines_of, service_log


def texts_with_news(seed: int = 5) -> list[str]:
    """Return a log with three kinds of news: a new line in two sessions, a step out of order, two early ends."""
    texts = service_log(60, seed=seed, broken=(20, 33))
    for number, name in ((11, "req-100010"), (14, "req-100013")):
        at = next(i for i, text in enumerate(texts) if f"[{name}] user authenticated" in text)
        stamp = texts[at].split(" INFO")[0]
        texts.insert(at + 1, f"{stamp} INFO [{name}] quota of tenant {number} was raised to {number * 3} units")
    at = next(i for i, text in enumerate(texts) if "[req-100016] request accepted" in text)
    stamp = texts[at].split(" INFO")[0]
    texts.insert(at + 1, f"{stamp} INFO [req-100016] response sent with status 200")
    return texts


def judged(model: Model, texts: list[str]) -> list[Verdict]:
    """Return the verdicts on a log."""
    return list(detect(model, lines_of(texts), complete=True))


def of_reason(verdicts: list[Verdict], reason: Reason) -> list[Verdict]:
    """Return the verdicts of one reason."""
    return [verdict for verdict in verdicts if verdict.reason is reason]


@pytest.mark.parametrize("reason", sorted(LEARNT))
def test_what_was_reported_does_not_come_back(service_model: Model, reason: Reason) -> None:
    """Judged again by the next version, the same log gives none of the reported verdicts; the given model stays."""
    before = judged(service_model, texts_with_news())
    reported = of_reason(before, reason)
    assert reported
    lesson = learn(service_model, reported)
    after = judged(lesson.model, texts_with_news())
    assert not {verdict.id for verdict in reported} & {verdict.id for verdict in after}
    assert judged(service_model, texts_with_news()) == before
    assert lesson.changes
    others = {verdict.id for verdict in before if verdict.reason not in (reason, Reason.UNEXPECTED_KEY)}
    lost = others - {verdict.id for verdict in after}
    assert all(verdict.session in {one.session for one in reported} for verdict in before if verdict.id in lost)


def test_one_report_closes_the_same_alarm_in_other_sessions(service_model: Model) -> None:
    """A new line reported once, with its values, is known with other values in other sessions."""
    first = of_reason(judged(service_model, texts_with_news()), Reason.NEW_KEY)[:1]
    lesson = learn(service_model, first)
    assert lesson.changes[0].endswith("quota of tenant <*> was raised to <*> units")
    assert not of_reason(judged(lesson.model, texts_with_news(seed=8)), Reason.NEW_KEY)


def test_lines_reported_together_become_one_template(service_model: Model) -> None:
    """Two lines of one print statement, in one report, are one template: Spell generalises."""
    found = of_reason(judged(service_model, texts_with_news()), Reason.NEW_KEY)
    assert len(found) == 2
    lesson = learn(service_model, found)
    assert len(lesson.model.templates.keys()) == len(service_model.templates.keys()) + 1


def test_a_preview_says_what_the_next_version_accepts(service_model: Model) -> None:
    """Of the stored verdicts those are named whose steps the next version accepts, and none of others."""
    before = judged(service_model, texts_with_news())
    assert accepted(service_model, before) == []
    reported = of_reason(before, Reason.NEW_KEY)[:1]
    named = accepted(learn(service_model, reported).model, before)
    assert reported[0] in named
    assert {verdict.reason for verdict in named} == {Reason.NEW_KEY}


def test_a_confirmed_anomaly_is_not_silenced(service_model: Model) -> None:
    """Who reports as normal what somebody confirmed is told so; that holds for every reason."""
    before = judged(service_model, texts_with_news())
    for reason in LEARNT:
        found = of_reason(before, reason)
        with pytest.raises(UsageError, match="silence"):
            learn(service_model, found[:1], confirmed=found)


def test_reasons_that_cannot_be_learnt_say_so(service_model: Model) -> None:
    """No silent half: a reason that is not learnt yet is refused with the remedy, and so is a line that was cut."""
    verdict = of_reason(judged(service_model, texts_with_news()), Reason.NEW_KEY)[0]
    for reason in set(Reason) - LEARNT:
        with pytest.raises(UsageError, match="cannot be learnt"):
            learn(service_model, [replace(verdict, reason=reason)])
    cut = replace(verdict.entry, line=replace(verdict.entry.line, text="INFO a long li\u2026"))
    with pytest.raises(UsageError, match="too long"):
        learn(service_model, [replace(verdict, entry=cut)])
    long = replace(verdict, reason=Reason.INCOMPLETE_SESSION, history=(1,) * 10)
    with pytest.raises(UsageError, match="lines are kept"):
        learn(service_model, [long])


def test_the_next_version_is_a_model_like_any_other(
    service_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Saved and loaded it judges alike, line by line too; the state of a detector goes on under it."""
    folder = tmp_path_factory.mktemp("feedback") / "m.model"
    texts = texts_with_news()
    first = service_model.save(folder)
    after = learn(first, of_reason(judged(first, texts), Reason.NEW_KEY)).model.save(folder)
    assert (after.version, after.lineage) == (2, first.lineage)
    assert judged(load(folder), texts) == judged(after, texts)
    lines = lines_of(texts)
    detector = Detector(first)
    detector.push_block(lines[:100])
    again = Detector(after, detector.state())
    again.push_block(lines[100:])
    again.close(complete=True)
