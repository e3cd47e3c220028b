"""Diagnosis: it names the last step on script, what was expected there, and the step that was slow."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.test_openstack_data import SLOW, START, TINY, machine_id, machine_lines, machine_log

from offscript import Config, Detector, Diagnosis, Entry, Line, Model, Reason, Verdict, diagnose, fit
from offscript.casefile import cases
from offscript.evaluate.openstack_data import SESSION, find_openstack, stream
from offscript.model_workflows import workflows_of
from offscript.session_path import elapsed
from offscript.testing import lines_of, service_log


def judged(model: Model, texts: Sequence[str]) -> tuple[list[Line], list[Verdict]]:
    """The lines of a log, and the verdicts on it with all sessions closed at its end."""
    lines = lines_of(texts)
    detector = Detector(model)
    return lines, [*detector.push_block(lines), *detector.close(complete=True)]


def diagnosed(model: Model, texts: Sequence[str]) -> list[Diagnosis]:
    """The diagnoses of all verdicts on a log that is read twice."""
    lines, verdicts = judged(model, texts)
    found = cases(model, lines, verdicts).values()
    return [diagnose(model, one.verdict, one.entries, whole=one.path_is_whole, ended=one.ended) for one in found]


def one_session(steps: Sequence[str], times: Sequence[float] = ()) -> list[str]:
    """The lines of a session of the service, 100 ms apart unless times say otherwise."""
    at = times or [0.1 * number for number in range(len(steps))]
    return [f"2024-05-02 10:00:{time:06.3f} INFO [req-900001] {step}" for time, step in zip(at, steps, strict=True)]


WHOLE = (
    "request accepted from 10.0.0.7",
    "user authenticated",
    "cache miss for item 12",
    "query took 12 ms",
    "chunk 3 written",
    "response sent with status 200",
    "connection closed",
)


def test_a_step_left_out_is_named_by_the_step_before_it(service_model: Model) -> None:
    """Where a step is missing, the last step on script is the one before, and the missing one was expected."""
    found = diagnosed(service_model, one_session([*WHOLE[:3], *WHOLE[4:]]))[0]
    assert found.last_step is not None
    assert found.last_step.template == "cache miss for item <*>"
    assert found.came is not None
    assert found.came.template == "chunk <*> written"
    assert "query took" in found.expected[0].template
    assert found.expected[0].probability > 0.5
    assert found.departure == 3
    assert "was on script up to `cache miss for item <*>`" in found.text


def test_a_session_that_stops_is_named_by_its_last_step(service_model: Model) -> None:
    """A session cut short left its script after its last line, and nothing came."""
    found = next(
        one
        for one in diagnosed(service_model, one_session(WHOLE[:3]))
        if one.verdict.reason is Reason.INCOMPLETE_SESSION
    )
    assert found.last_step is not None
    assert found.last_step.template == "cache miss for item <*>"
    assert found.came is None
    assert found.departure == 3
    assert "it ended there" in found.text


def test_a_new_line_is_named_by_what_came_before_it(service_model: Model) -> None:
    """A line never seen before departs from the script where it stands."""
    found = diagnosed(service_model, one_session([*WHOLE[:2], "kernel panic on cpu 3", *WHOLE[2:]]))[0]
    assert found.last_step is not None
    assert found.last_step.template == "user authenticated"
    assert found.came is not None
    assert "kernel panic" in found.came.template


def test_without_the_log_the_last_steps_are_known(service_model: Model) -> None:
    """From the verdict alone come the last step and what was expected, and the text says that no more is known."""
    _, verdicts = judged(service_model, one_session([*WHOLE[:3], *WHOLE[4:]]))
    found = diagnose(service_model, verdicts[0])
    assert found.entries == ()
    assert found.path_is_whole
    assert found.last_step is not None
    assert found.last_step.template == "cache miss for item <*>"
    assert found.expected == verdicts[0].expected
    assert "the log was not read again" in found.text


def test_a_loop_that_runs_too_often_departs_at_the_first_pass_too_many(small: Config) -> None:
    """What no rule of a few steps sees, a count beyond that of all normal sessions, is located on the path."""
    model = fit(lines_of(service_log(600, seed=1)), small)
    texts = one_session([*WHOLE[:4], *["chunk 3 written"] * 30, *WHOLE[5:]])
    lines, _ = judged(model, texts)
    detector = Detector(model, observe=(entries := list[Entry]()).append)
    detector.push_block(lines)
    entry = entries[-1]
    verdict = Verdict("v", Reason.UNUSUAL_SESSION, 2.0, entry, entry.time, entry.session)
    found = diagnose(model, verdict, entries, ended=True)
    assert found.departure == 8  # four chunks, at places 4 to 7, are the most that came in training
    assert found.extra
    assert "chunk" in found.extra[0].template


def test_a_session_is_laid_on_the_workflow_of_its_task(service_model: Model) -> None:
    """With the workflows of the model a diagnosis names the task, lays the path on it, and names what is missing."""
    texts = one_session([*WHOLE[:3], *WHOLE[4:]])
    lines, verdicts = judged(service_model, texts)
    case = cases(service_model, lines, verdicts)[verdicts[0].id]
    learnt = workflows_of(service_model, service_model.times)
    found = diagnose(service_model, verdicts[0], case.entries, ended=True, workflows=learnt)
    assert found.workflow is not None
    assert found.walk is not None
    assert len(found.walk.nodes) == len(found.keys) == 6
    assert [step.template for step in found.missing] == ["query took <*> ms"]
    assert f"In task {found.workflow.number} the session was on script" in found.text
    assert "Missing: `query took <*> ms`." in found.text


def test_a_line_outside_sessions_has_no_path(service_model: Model) -> None:
    """Of a line that names no session nothing is known but itself."""
    found = diagnosed(service_model, ["2024-05-02 10:00:00.000 ERROR something never seen before"])[0]
    assert found.last_step is None
    assert found.slow == ()
    assert "never seen before" in found.text


@pytest.fixture(scope="module")
def machines() -> tuple[Model, list[Diagnosis]]:
    """A model of machines that spawn in 20 s, and the diagnoses of a log in which two took 30 s."""
    model = fit(lines_of(sorted(machine_log(300, seed=1), key=stamped)), TINY)
    chance = random.Random(2)
    rows = [machine_lines(n, START + 12 * n, chance, 1.5 if n in SLOW else 1.0) for n in range(1000, 1016)]
    return model, diagnosed(model, sorted((line for some in rows for line in some), key=stamped))


def stamped(line: str) -> str:
    """The stamp of a line of a machine, which sorts as time does."""
    return line.split(" ", 1)[1][:23]


def test_the_slow_step_is_named_with_its_normal_time(machines: tuple[Model, list[Diagnosis]]) -> None:
    """The paper's example: a line says that a build took too long; slow was the step after `Creating image`."""
    _, found = machines
    slow = [one for one in found if one.verdict.session in {machine_id(number) for number in SLOW}]
    assert {one.verdict.session for one in slow} == {machine_id(number) for number in SLOW}
    for one in slow:
        edge = one.slow[0]
        assert "Creating image" in edge.before.template
        assert edge.seconds > 25
        assert 18 < edge.normal.low < 20 < edge.normal.high < 22
        assert one.last_step == edge.before
        assert "Creating image`, to" in one.text
        assert "is normal" in one.text


def test_normal_steps_are_not_called_slow(machines: tuple[Model, list[Diagnosis]]) -> None:
    """In a session with one slow step, no other is listed."""
    _, found = machines
    assert all(len(one.slow) == 1 for one in found if one.verdict.session == machine_id(SLOW[0]))


@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=12))
def test_elapsed_times_are_by_a_clock_that_never_runs_back(times: list[float | None]) -> None:
    """An edge has a time only where its later entry is at the clock; no time is negative."""
    entries = [Entry(Line("x"), 1, (), "x", time) for time in times]
    found = elapsed(entries)
    assert len(found) == max(0, len(times) - 1)
    clock = -math.inf
    for number, took in enumerate(found):
        before, after = times[number], times[number + 1]
        clock = max(clock, before) if before is not None else clock
        if after is None or after < clock or clock == -math.inf:
            assert math.isnan(took)
        else:
            assert took == after - clock


@pytest.mark.data
def test_the_four_slow_machines_of_the_authors_log(data_dir: Path) -> None:
    """Each labelled machine of the abnormal log has `Creating image` before its slow step, with a normal time."""
    data = find_openstack(data_dir)
    model = fit(stream(data.normal), Config(session=SESSION, false_alarms=0.01))
    lines = stream(data.abnormal)
    detector = Detector(model)
    verdicts = [*detector.push_block(lines), *detector.close(complete=True)]
    mine = [verdict for verdict in verdicts if verdict.session in data.labelled]
    assert {verdict.session for verdict in mine} == data.labelled
    for case in cases(model, lines, mine).values():
        found = diagnose(model, case.verdict, case.entries, whole=case.path_is_whole, ended=case.ended)
        edge = found.slow[0]
        assert edge.before.template.endswith("Creating image")
        assert edge.after.template.endswith("VM Started (Lifecycle Event)")
        assert edge.seconds > 20
        assert 12 < edge.normal.low < edge.normal.high < 15
        assert found.last_step == edge.before
