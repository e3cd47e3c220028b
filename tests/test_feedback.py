"""Feedback: a false alarm that was reported does not come back, and what was confirmed stays an anomaly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from offscript import Detector, Model, Reason, UsageError, Verdict, detect, detection, detector, load
from offscript.feedback import STEPS, accepted, by_name, learn
from offscript.parse import pieces
from offscript.session_feedback import ENDED
from offscript.sources import read
from offscript.testing import lines_of, service_log

ORDER = STEPS | ENDED
"""The reasons that are about keys, not about values."""


def texts_with_news(seed: int = 5) -> list[str]:
    """Return a log with news: a new line in two sessions, a step out of order, two early ends, loops too long.

    The third early end is that of a session longer than a history.
    """
    texts = service_log(60, seed=seed, broken=(20, 33))
    for number, name in ((11, "req-100010"), (14, "req-100013")):
        at = next(i for i, text in enumerate(texts) if f"[{name}] user authenticated" in text)
        stamp = texts[at].split(" INFO")[0]
        texts.insert(at + 1, f"{stamp} INFO [{name}] quota of tenant {number} was raised to {number * 3} units")
    at = next(i for i, text in enumerate(texts) if "[req-100016] request accepted" in text)
    stamp = texts[at].split(" INFO")[0]
    texts.insert(at + 1, f"{stamp} INFO [req-100016] response sent with status 200")
    for name in LOOPS:
        repeat(texts, name, "chunk", 40)
    repeat(texts, "req-100030", "chunk", 12)
    texts.remove(next(text for text in texts if "[req-100030] connection closed" in text))
    return texts


LOOPS = ("req-100024", "req-100041")


def repeat(texts: list[str], session: str, step: str, times: int) -> None:
    """Let a step of a session come so many times more."""
    at = next(i for i, text in enumerate(texts) if f"[{session}] {step}" in text)
    texts[at:at] = [texts[at]] * times


def judged(model: Model, texts: list[str]) -> list[Verdict]:
    """Return the verdicts on a log."""
    return list(detect(model, lines_of(texts), complete=True))


def of_reason(verdicts: list[Verdict], reason: Reason) -> list[Verdict]:
    """Return the verdicts of one reason."""
    return [verdict for verdict in verdicts if verdict.reason is reason]


@pytest.mark.parametrize("reason", sorted(ORDER))
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
    assert {verdict.session for verdict in named} == {"req-100010", "req-100013"}


def test_a_confirmed_anomaly_is_not_silenced(service_model: Model) -> None:
    """Who reports as normal what somebody confirmed is told so; that holds for every reason."""
    before = judged(service_model, texts_with_news())
    for reason in ORDER:
        found = of_reason(before, reason)
        with pytest.raises(UsageError, match="silence"):
            learn(service_model, found[:1], confirmed=found)


def test_what_a_journal_does_not_hold_is_refused(service_model: Model) -> None:
    """A line that was cut, and a session of which only the end is known, are refused with the remedy."""
    verdict = of_reason(judged(service_model, texts_with_news()), Reason.NEW_KEY)[0]
    cut = replace(verdict.entry, line=replace(verdict.entry.line, text="INFO a long li\u2026"))
    with pytest.raises(UsageError, match="too long"):
        learn(service_model, [replace(verdict, entry=cut)])
    for reason in (Reason.INCOMPLETE_SESSION, Reason.UNUSUAL_SESSION):
        long = replace(verdict, reason=reason, history=(1,) * 10)
        with pytest.raises(UsageError, match="not in the journal"):
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


def test_a_loop_reported_once_is_normal_in_other_sessions(service_model: Model) -> None:
    """What sets a reported session apart is accepted where all else is as usual; a longer loop is told still."""
    texts = service_log(60, seed=5)
    for name, times in (("req-100024", 40), ("req-100041", 40), ("req-100050", 90)):
        repeat(texts, name, "chunk", times + 4 - sum(f"[{name}] chunk" in text for text in texts))
    found = of_reason(judged(service_model, texts), Reason.UNUSUAL_SESSION)
    assert [verdict.session for verdict in found] == ["req-100024", "req-100041", "req-100050"]
    assert found[0].counts != found[1].counts, "their other steps differ"
    after = learn(service_model, found[:1]).model
    left = of_reason(judged(after, texts), Reason.UNUSUAL_SESSION)
    assert [verdict.session for verdict in left] == ["req-100050"]


def test_a_new_line_is_normal_where_it_was_told(service_model: Model) -> None:
    """A report of a line closes its alarms, not those of its sessions; three of these that differ close the others."""
    names = [f"req-1000{number}" for number in (10, 13, 18, 23, 27, 36)]
    texts = service_log(60, seed=5)
    for name in names:
        at = next(i for i, text in enumerate(texts) if f"[{name}] user authenticated" in text)
        texts.insert(
            at + 1, f"{texts[at].split(' INFO')[0]} INFO [{name}] quota of tenant {at} was raised to {at} units"
        )

    def unusual(model: Model) -> dict[str | None, Verdict]:
        found = judged(model, texts)
        return {v.session: v for v in of_reason(found, Reason.UNUSUAL_SESSION) if v.session in names}

    model = learn(service_model, of_reason(judged(service_model, texts), Reason.NEW_KEY)[:1]).model
    assert not of_reason(judged(model, texts), Reason.NEW_KEY)
    left = unusual(model)
    assert list(left) == names
    kinds = {verdict.counts: verdict for verdict in left.values()}
    reported = list(kinds.values())[:3]
    assert len(reported) == 3
    after = learn(model, reported).model
    assert not unusual(after), "what sets them apart is in all of them"
    repeat(texts, names[-1], "quota", 30)
    assert list(unusual(after)) == names[-1:]


def test_a_session_and_its_unknown_line_are_learnt_together(service_model: Model) -> None:
    """Reported in one update, the line is counted in its session by the key that the update gave it."""
    texts = texts_with_news()
    repeat(texts, "req-100010", "quota", 30)
    found = [v for v in judged(service_model, texts) if v.session == "req-100010"]
    assert {verdict.reason for verdict in found} >= {Reason.NEW_KEY, Reason.UNUSUAL_SESSION}
    after = learn(service_model, found).model
    assert not [v for v in judged(after, texts) if v.session == "req-100010" and v.reason is Reason.UNUSUAL_SESSION]
    told = after.keys.learnt.told
    assert after.keys.symbol(max(after.templates.keys())) in told.symbols.tolist()
    assert 2 not in told.symbols.tolist()


def test_journals_of_older_versions_teach_what_they_hold(service_model: Model) -> None:
    """A session that they hold whole is learnt; of a longer one they say what to do."""
    found = judged(service_model, texts_with_news())
    older = [replace(verdict, counts=None) for verdict in found if verdict.reason is Reason.INCOMPLETE_SESSION]
    short = [verdict for verdict in older if len(verdict.history) < service_model.keys.history]
    after = learn(service_model, short).model
    left = {verdict.id for verdict in judged(after, texts_with_news())}
    assert short
    assert not left & {verdict.id for verdict in short}
    with pytest.raises(UsageError, match="detect` again"):
        learn(service_model, older)


def test_lines_and_columns_agree_after_an_update(
    service_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said of a session, its counts too, is the same line by line and in columns, before and after."""
    log = tmp_path / "test.log"
    log.write_text("\n".join(texts_with_news()) + "\n", "utf-8")
    for room in (detection, detector, pieces):
        monkeypatch.setattr(room, "READ_FIRST" if room is detection else "PAYS_FROM", 0)
    model = service_model
    for _ in range(2):
        by_line = list(detect(model, list(read(str(log))), complete=True))
        watched = Detector(model)
        assert list(detect(model, read(str(log)), complete=True, detector=watched)) == by_line
        assert watched._in_blocks
        assert {verdict.reason for verdict in by_line if verdict.counts is not None} <= ENDED
        assert all(verdict.counts is not None for verdict in by_line if verdict.reason in ENDED)
        model = learn(model, [v for v in by_line if v.reason in ORDER]).model


def test_a_verdict_given_before_a_line_had_its_name_is_read_by_it(service_model: Model) -> None:
    """The line is learnt first, then what came with it, as the journal has it: none of that comes back."""
    texts = texts_with_news()
    repeat(texts, "req-100013", "quota", 2)
    before = [verdict for verdict in judged(service_model, texts) if verdict.session == "req-100013"]
    new = of_reason(before, Reason.NEW_KEY)
    others = [verdict for verdict in before if verdict.reason is not Reason.NEW_KEY]
    assert {verdict.reason for verdict in others} == {Reason.UNEXPECTED_KEY, Reason.UNUSUAL_SESSION}
    first = learn(service_model, new).model
    read_now = by_name(first, others, before)
    assert all(0 not in dict(verdict.counts) for verdict in read_now if verdict.counts)
    after = learn(first, read_now).model
    left = {verdict.id for verdict in judged(after, texts)}
    assert not left & {verdict.id for verdict in before}
