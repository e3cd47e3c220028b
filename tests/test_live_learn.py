"""Learning while detecting: the old version judges until the new one is ready, and no report is lost."""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.test_adopt import LINES, NEWS, as_written, told, told_texts
from tests.test_feedback import judged, of_reason

from offscript import Detector, Line, Model, Reason, UsageError, Verdict, load, updates
from offscript.feedback import Lesson, learn


@pytest.fixture(scope="module")
def alarms(service_model: Model) -> dict[str, Verdict]:
    """The first false alarm on each of the new lines."""
    found = of_reason(judged(service_model, told_texts()), Reason.NEW_KEY)
    return {verdict.entry.text.split("] ")[1].split()[0]: verdict for verdict in reversed(found)}


class Gate:
    """Training that begins when it is told to."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.began = threading.Event()
        self.bases: list[Model] = []

    def learn(self, model: Model, *given_: Any, **named: Any) -> Lesson:
        """Learn, once the gate is open."""
        self.bases.append(model)
        self.began.set()
        assert self.open.wait(60)
        return learn(model, *given_, **named)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Training held back."""
    held = Gate()
    monkeypatch.setattr(updates, "learn", held.learn)
    return held


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(asked=st.integers(0, len(LINES)), more=st.integers(0, 40), together=st.booleans())
def test_the_old_version_judges_until_the_new_one_is_ready(
    service_model: Model, alarms: dict[str, Verdict], asked: int, more: int, together: bool
) -> None:
    """Asked at one line and ready at a later one: verdicts are those of the old version, then those of the new one."""
    gate = Gate()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(updates, "learn", gate.learn)
        live, naive = Detector(service_model), Detector(service_model)
        ready = min(asked + more, len(LINES))
        assert told(live.push_block(LINES[:asked])) == told(naive.push_block(LINES[:asked]))
        update = live.learn([alarms["alpha"]])
        assert gate.began.wait(60)
        assert told(live.push_block(LINES[asked:ready])) == told(naive.push_block(LINES[asked:ready]))
        gate.open.set()
        after = update.result(60).model
        naive = Detector(after, as_written(naive.state()))
        rest = LINES[ready:]
        live_found = live.push_block(rest) if together else [verdict for line in rest for verdict in live.push(line)]
        assert told(live_found) == told(naive.push_block(rest))
        assert told(live.close(complete=True)) == told(naive.close(complete=True))
        assert live.model is after
        assert live.state() == naive.state()


@pytest.mark.parametrize("take", [
    lambda one: one.push(LINES[-1]), lambda one: one.tick(0.0), lambda one: one.close(),
])  # fmt: skip
def test_a_line_a_tick_and_the_end_take_the_update(
    service_model: Model, alarms: dict[str, Verdict], take: Callable[[Detector], object]
) -> None:
    """Whatever comes next, it is judged by the version that is ready."""
    detector = Detector(service_model)
    after = detector.learn([alarms["alpha"]]).result(60).model
    assert detector.model is service_model
    take(detector)
    assert detector.model is after


def test_an_error_of_an_update_reaches_the_caller_and_nothing_else(
    service_model: Model, alarms: dict[str, Verdict]
) -> None:
    """A report that would silence a confirmed anomaly is refused by `result()`; detection goes on as it was."""
    detector = Detector(service_model)
    update = detector.learn([alarms["alpha"]], confirmed=[alarms["alpha"]])
    with pytest.raises(UsageError, match="silence"):
        update.result(60)
    assert told(detector.push_block(LINES)) == told(Detector(service_model).push_block(LINES))
    assert detector.model is service_model
    with pytest.raises(UsageError, match="gave no version"):
        detector.learn([alarms["alpha"]], save=lambda _: None).result(60)  # type: ignore[arg-type,return-value]
    after = detector.learn([alarms["beta"]]).result(60).model
    detector.tick(0.0)
    assert detector.model is after, "the next report is learnt as if nothing had been"


def test_updates_build_on_each_other(service_model: Model, alarms: dict[str, Verdict], gate: Gate) -> None:
    """Two reports, one after the other before the first is learnt: the last version knows both."""
    detector = Detector(service_model)
    asked = [detector.learn([alarms[word]]) for word in ("alpha", "beta")]
    gate.open.set()
    lessons = [update.result(60) for update in asked]
    assert gate.bases == [service_model, lessons[0].model]
    found = detector.push_block(LINES)
    assert detector.model is lessons[1].model
    assert not of_reason(found, Reason.NEW_KEY)


def test_an_update_begins_anew_from_what_was_adopted_meanwhile(
    service_model: Model, alarms: dict[str, Verdict], gate: Gate
) -> None:
    """A version adopted while another was trained is not lost: what was reported is taught to it."""
    beside = learn(service_model, [alarms["beta"]]).model
    detector = Detector(service_model)
    update = detector.learn([alarms["alpha"]])
    assert gate.began.wait(60)
    detector.adopt(beside)
    gate.open.set()
    lesson = update.result(60)
    assert gate.bases == [service_model, beside]
    assert set(lesson.model.templates.keys()) > set(beside.templates.keys())
    assert not of_reason(detector.push_block(LINES), Reason.NEW_KEY)


def test_an_update_is_saved_before_it_judges(service_model: Model, alarms: dict[str, Verdict], tmp_path: Path) -> None:
    """With `save` the detector goes on with the version as it lies in the folder; what cannot be saved is not used."""
    folder = tmp_path / "m.model"
    detector = Detector(service_model.save(folder))
    update = detector.learn([alarms["alpha"]], save=lambda lesson: lesson.model.save(folder, changes=lesson.changes))
    assert update.result(60).model.version == 2
    detector.tick(0.0)
    assert (detector.model.version, load(folder).version) == (2, 2)
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match="is a file"):
        detector.learn([alarms["beta"]], save=lambda lesson: lesson.model.save(tmp_path / "file")).result(60)
    detector.tick(0.0)
    assert detector.model.version == 2


def test_a_verdict_that_a_version_cannot_read_is_refused(service_model: Model, alarms: dict[str, Verdict]) -> None:
    """Gone back to a version that lacks a key, what refers to that key is a UsageError that says what to do."""
    detector = Detector(learn(service_model, [alarms["alpha"]]).model)
    found = detector.push_block([*LINES[:40], Line(f"{LINES[39].text[:23]} INFO [req-7] {NEWS[7]}")])
    late = [verdict for verdict in found if verdict.entry.key > max(service_model.templates.keys())]
    assert late
    detector.adopt(service_model)
    with pytest.raises(UsageError, match="report what the version in force gives"):
        detector.learn(late[:1]).result(60)


def test_two_threads_may_judge_by_one_model(service_model: Model) -> None:
    """Training asks the model that judges: what one thread forgets, when memory is full, does not fail the other."""
    keys = copy.copy(service_model.keys)
    profile = copy.copy(keys.profile)
    assert profile is not None
    keys.learnt = replace(keys.learnt, profile=profile)
    keys._remembered, keys._room, profile._remembered, profile._room = {}, 3, {}, 3
    histories = np.random.default_rng(1).integers(2, len(keys.vocabulary), (8, keys.history)).astype(np.int32)
    counts = np.random.default_rng(2).integers(0, 4, (8, len(keys.vocabulary))).astype(np.int32)
    counts[:, :2] = 0
    targets = np.full(3, 4, np.int32)
    right = [service_model.keys.surprise(histories[[n, n + 1, 0]], targets).tolist() for n in range(7)]
    usual = [service_model.keys.session_scores(counts[[n, n + 1, 0]]).tolist() for n in range(7)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as threads:
            asked = [threads.submit(keys.surprise, histories[[n % 7, n % 7 + 1, 0]], targets) for n in range(600)]
            whole = [threads.submit(keys.session_scores, counts[[n % 7, n % 7 + 1, 0]]) for n in range(600)]
            assert [one.result().tolist() for one in asked] == [right[n % 7] for n in range(600)]
            assert [one.result().tolist() for one in whole] == [usual[n % 7] for n in range(600)]
    finally:
        sys.setswitchinterval(before)


def test_a_verdict_of_a_version_beside_is_refused(service_model: Model) -> None:
    """Two versions gave one number to two lines: what one of them said teaches the other nothing."""
    words = "alpha widget rose loudly", "beta gadget sank quietly"
    alpha, beta = (learnt_line(service_model, one) for one in words)
    key = max(alpha.templates.keys())
    assert key == max(beta.templates.keys())
    found = of_reason(judged(alpha, told_texts()), Reason.UNEXPECTED_KEY)[0]
    found = replace(found, entry=replace(found.entry, key=key, template=alpha.templates.template(key).text))
    detector = Detector(alpha)
    detector.adopt(beta)
    with pytest.raises(UsageError, match="does not have, or has for others"):
        detector.learn([found]).result()


def test_what_was_not_taken_over_yet_is_learnt_by_the_next_version(service_model: Model) -> None:
    """A report is not lost by a version that is adopted between its end and the next line."""
    new = of_reason(judged(service_model, told_texts()), Reason.NEW_KEY)
    other = learnt_line(service_model, "beta gadget sank quietly")
    detector = Detector(service_model)
    detector.learn(new).result()
    detector.adopt(other)
    detector.learn([]).result()
    detector.push_block([])
    assert len(detector.model.templates.keys()) == len(other.templates.keys()) + 1


def learnt_line(model: Model, words: str) -> Model:
    """Return the version that was taught a new line."""
    texts = told_texts()
    texts.insert(40, texts[40].split(" INFO")[0] + f" INFO [req-100016] {words}")
    found = [one for one in judged(model, texts) if one.entry.text.endswith(words)]
    return learn(model, found).model
