"""Feedback on times, numbers and words: the range of one gauge takes the number, the list of a place takes the word."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_values import NUMBERS, log_of
from typer.testing import CliRunner

from offscript import Config, Detector, Line, Model, Reason, UsageError, Verdict, detect, detection, detector, fit, load
from offscript.cli import app
from offscript.errors import OffscriptError
from offscript.feedback import accepted, learn
from offscript.journal import record_of, verdict_of
from offscript.model_folder import current_version
from offscript.models.gauges import Gauge, surprise_at, told_of
from offscript.models.tails import HARDLY_FARTHER
from offscript.parse import pieces
from offscript.sources import read
from offscript.value_feedback import VALUES

QUICK = Config(hidden=8, layers=1, training_steps=100, false_alarms=0.02, history=3)
Job = list[tuple[float, str]]


def job(
    number: int,
    *,
    wait: float = 2.0,
    took: float = 1.9,
    state: str = "ready",
    kept: int = 500,
    rounds: int = 2,
    extra: Sequence[str] = (),
) -> Job:
    """The lines of one session, with their times in seconds."""
    name, start = f"job-{number:05d}x", 10.0 * number
    steps = [
        f"copy took {took:.2f} seconds",
        f"kept {kept} entries",
        *["round done"] * rounds,
        *extra,
        "finished cleanly",
    ]
    late = [(start + 0.1 + wait + 0.1 * n, f"{name} {step}") for n, step in enumerate(steps)]
    return [(start, f"{name} accepted by scheduler"), (start + 0.1, f"{name} state={state} queue=default"), *late]


def normal_jobs(count: int, seed: int) -> list[Job]:
    """Jobs one after another, each with its own wait."""
    chance = np.random.default_rng(seed)
    waits, kept = chance.normal(2.0, 0.1, count), chance.integers(400, 600, count)
    states = [("ready", "warm", "cold")[n] for n in chance.integers(0, 3, count)]
    drawn = zip(waits.tolist(), states, kept.tolist(), chance.integers(1, 8, count).tolist(), strict=True)
    return [job(n, wait=w, took=w - 0.1, state=s, kept=k, rounds=r) for n, (w, s, k, r) in enumerate(drawn)]


def odd_jobs() -> list[Job]:
    """A day with something of every reason: each of these twice, in sessions of their own."""
    jobs = normal_jobs(60, 2)
    odd = [
        {"wait": 9.0},
        {"took": 41.79},
        {"kept": 7_000},
        {"state": "broken"},
        {"extra": ["quota was raised to 5 units"]},
        {"extra": ["accepted by scheduler"]},
        {"rounds": 80},
    ]
    for place, one in enumerate(odd):
        for number in (5 + place, 35 + place):
            jobs[number] = job(number, **one)  # type: ignore[arg-type]
    for number in (15, 45):
        jobs[number] = jobs[number][:3]
    return jobs


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """What 600 normal jobs teach."""
    return fit(log_of(normal_jobs(600, 1)), QUICK).save(tmp_path_factory.mktemp("values") / "jobs.model")


@pytest.fixture(scope="module")
def day(model: Model) -> list[Verdict]:
    """The verdicts on the odd day, as a journal gives them back."""
    return [verdict_of(json.loads(json.dumps(record_of(verdict)))) for verdict in judged(model)]


def judged(model: Model, lines: Sequence[Line] | None = None) -> list[Verdict]:
    """The verdicts on some lines, the odd day if None."""
    return list(detect(model, log_of(odd_jobs()) if lines is None else lines, complete=True))


def told(verdicts: Sequence[Verdict]) -> set[tuple[str, str]]:
    """Ids and sessions."""
    return {(verdict.id, str(verdict.session)) for verdict in verdicts}


def of_session(verdicts: Sequence[Verdict], number: int) -> list[Verdict]:
    """The verdicts on one session."""
    return [verdict for verdict in verdicts if verdict.session == f"job-{number:05d}x"]


def test_the_day_has_every_reason(day: list[Verdict]) -> None:
    """What the tests below are about is there."""
    assert {verdict.reason for verdict in day} == set(Reason)


@pytest.mark.parametrize("reason", sorted(Reason))
def test_what_was_reported_does_not_come_back(model: Model, day: list[Verdict], reason: Reason) -> None:
    """For every reason: the reported verdicts are gone, preview and version say so, and those of others stay."""
    reported = [verdict for verdict in day if verdict.reason is reason]
    lesson = learn(model, reported)
    after = judged(lesson.model)
    assert not {verdict.id for verdict in reported} & {verdict.id for verdict in after}
    assert {verdict.id for verdict in reported} <= {verdict.id for verdict in accepted(lesson.model, day)}
    assert not accepted(model, day)
    assert all(any(verdict.id in change for change in lesson.changes) for verdict in reported[:1])
    if reason in VALUES:
        assert told(after) == told([verdict for verdict in day if verdict.reason is not reason])


@pytest.mark.parametrize(
    ("number", "reason"), [(5, "unusual_time"), (6, "unusual_time"), (7, "unusual_value"), (8, "new_value")]
)
def test_one_report_is_about_one_place(model: Model, day: list[Verdict], number: int, reason: str) -> None:
    """One verdict of two alike is reported: both are closed, and of all other verdicts none."""
    reported = [verdict for verdict in of_session(day, number) if verdict.reason == reason]
    twins = {verdict.id for one in (number, number + 30) for verdict in of_session(day, one)}
    assert len(reported) == 1
    left = judged(learn(model, reported).model)
    assert {verdict.id for verdict in day} - {verdict.id for verdict in left} == twins


def test_changes_are_told_in_the_unit_of_the_log(model: Model, day: list[Verdict]) -> None:
    """A version says which range was widened, to what, and what it was; of a word, where it is normal now."""
    (slow, *_), (copy, *_), (kept, *_), (word, *_) = (of_session(day, number) for number in (5, 6, 7, 8))
    changes = learn(model, [slow, copy, kept, word]).changes
    assert changes[0].startswith(
        "the time from `<*> state=<*> queue=default` to `<*> copy took <*> seconds`: normal up to "
    )
    assert " s now (was 2." in changes[0]
    assert "`<*> copy took <*> seconds`, value 2: normal up to 51." in changes[1]
    assert " seconds now (was 2." in changes[1]
    assert "kept <*> entries`, value 2: normal up to 8," in changes[2]
    assert changes[3].endswith(f"`broken` is a normal word now (verdict {word.id})")


def test_farther_numbers_are_told_still(model: Model, day: list[Verdict]) -> None:
    """Up to a quarter farther out is accepted, as of all normal numbers; not what is beyond, nor the other side."""
    after = learn(model, of_session(day, 7)).model
    jobs = normal_jobs(40, 3)
    for number, kept in ((10, 6_000), (15, 8_000), (20, 9_500), (25, 3)):
        jobs[number] = job(number, kept=kept)
    assert {verdict.session for verdict in judged(model, log_of(jobs))} == {f"job-000{n}x" for n in (10, 15, 20, 25)}
    assert {verdict.session for verdict in judged(after, log_of(jobs))} == {"job-00020x", "job-00025x"}


def test_a_confirmed_number_bounds_what_is_accepted(model: Model, day: list[Verdict]) -> None:
    """A confirmed anomaly hardly farther out takes the margin away; one that is nearer makes the report refused."""
    kept = of_session(day, 7)[0]
    assert kept.measured is not None

    def at(number: float) -> Verdict:
        assert kept.measured is not None
        return replace(kept, id=f"at {number}", measured=replace(kept.measured, number=number))

    assert [one.id for one in accepted(learn(model, [kept]).model, [at(7_500.0), at(6_000.0)])] == [
        "at 7500.0",
        "at 6000.0",
    ]
    after = learn(model, [kept], confirmed=[at(7_500.0)]).model
    assert [one.id for one in accepted(after, [at(7_500.0), at(7_000.0), at(6_000.0)])] == ["at 7000.0", "at 6000.0"]
    for number in (7_000.0, 6_000.0):
        with pytest.raises(UsageError, match=f"silence the confirmed anomaly at {number}"):
            learn(model, [kept], confirmed=[at(number)])


def test_a_confirmed_word_stays(model: Model, day: list[Verdict]) -> None:
    """The same word in another session cannot be normal there and an anomaly here; another word can."""
    one, other = (of_session(day, number)[0] for number in (8, 38))
    with pytest.raises(UsageError, match=f"silence the confirmed anomaly {other.id}"):
        learn(model, [one], confirmed=[other])
    worded = replace(
        other,
        id="w",
        entry=replace(other.entry, values=tuple("odd" if v == "broken" else v for v in other.entry.values)),
    )
    after = learn(model, [one], confirmed=[worded]).model
    assert accepted(after, [one, worded]) == [one]


def test_what_a_journal_does_not_hold_is_refused(model: Model, day: list[Verdict]) -> None:
    """A verdict without its number, of a range that there is not, or on a line that was cut, says what to do."""
    kept, word = of_session(day, 7)[0], of_session(day, 8)[0]
    assert kept.measured is not None
    gone = replace(kept, measured=replace(kept.measured, place=99))
    for verdict in (replace(kept, measured=None), gone):
        with pytest.raises(UsageError, match="not in the journal"):
            learn(model, [verdict])
    cut = replace(word.entry, line=replace(word.entry.line, text="state=\u2026"))
    few = replace(word.entry, values=())
    for entry in (cut, few):
        with pytest.raises(UsageError, match="too long"):
            learn(model, [replace(word, entry=entry)])


@settings(max_examples=100, deadline=None)
@given(NUMBERS, st.floats(-1e7, 1e7), st.floats(0, 1), st.sampled_from([1.0, HARDLY_FARTHER]))
def test_a_gauge_accepts_what_it_was_told_and_all_nearer(
    numbers: np.ndarray, number: float, part: float, farther: float
) -> None:
    """On the side of the number up to there; the other side stays, to the last bit; told again, it only widens."""
    gauge = Gauge.of((7, 1, None), numbers, resolution=1.0)
    for surprise in (surprise_at(0.99), surprise_at(0.99999)):
        low, high = gauge.limits(surprise)
        if low <= number <= high:
            continue
        after = told_of(gauge, number, farther, slack=1e-9 * abs(number))
        lower, higher = after.limits(surprise)
        assert lower <= number <= higher
        assert (lower == low) != (higher == high)
        nearer = number + part * (gauge.middle - number)
        assert lower <= nearer <= higher
        again = told_of(after, nearer, farther)
        assert again.limits(surprise) == (lower, higher) or farther * abs(nearer - gauge.middle) >= abs(
            number - gauge.middle
        )
        assert Gauge.from_dict(json.loads(json.dumps(after.to_dict()))) == after
        assert "told" not in gauge.to_dict()


@pytest.mark.parametrize(
    "damage",
    [[], [None, None, 1], ["x", None, 1], [None, float("inf"), 1], [None, 3, 1], [0.5, None, 0], [0.5, None, True]],
)
def test_a_damaged_gauge_is_refused(model: Model, damage: list[object]) -> None:
    """What was told is believed only where it is sound; a part with another name never."""
    stored = model.values.gauges[0].to_dict()
    with pytest.raises((ValueError, TypeError)):
        Gauge.from_dict(stored | {"told": damage})
    with pytest.raises(ValueError, match="lacks a part"):
        Gauge.from_dict(stored | {"said": 1})


def test_the_next_version_is_a_model_like_any_other(
    model: Model, day: list[Verdict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved, loaded, judging lines or columns, from a state of the version before: the verdicts are the same."""
    after = learn(model, [verdict for verdict in day if verdict.reason in VALUES][::2]).model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.values == after.values
    lines = log_of(odd_jobs())
    log = tmp_path / "jobs"
    log.write_text("\n".join(line.text for line in lines) + "\n", "utf-8")
    for room in (detection, detector, pieces):
        monkeypatch.setattr(room, "READ_FIRST" if room is detection else "PAYS_FROM", 0)
    watched = Detector(again)
    in_columns = list(detect(again, read(str(log)), complete=True, detector=watched))
    assert watched._in_blocks
    assert in_columns == list(detect(again, list(read(str(log))), complete=True))
    assert [verdict.session for verdict in in_columns] == [verdict.session for verdict in judged(after)]
    first = Detector(model)
    for line in lines[:100]:
        first.push(line)
    Detector(again, first.state()).push_block(lines[100:])


@pytest.mark.parametrize("part", [0.3, 0.55, 0.8])
def test_a_running_detector_takes_the_update_over(model: Model, day: list[Verdict], part: float) -> None:
    """Taught of all reasons at once in the middle of the day, it goes on as a new one from its state, levels too."""
    lines = log_of(odd_jobs())
    switch = int(part * len(lines))
    live, naive = Detector(model), Detector(model)
    assert live.push_block(lines[:switch]) == naive.push_block(lines[:switch])
    after = live.learn(day).result(60).model
    naive = Detector(after, json.loads(json.dumps(naive.state())))
    found = live.push_block(lines[switch:]) + live.close(complete=True)
    assert found == naive.push_block(lines[switch:]) + naive.close(complete=True)
    assert live.state() == naive.state()
    assert any(name.startswith("level/") for name in live.state())
    assert not {verdict.id for verdict in found} & {verdict.id for verdict in day if verdict.reason in VALUES}


def test_a_confirmed_anomaly_of_every_reason_survives_random_updates(model: Model, day: list[Verdict]) -> None:
    """After each of 1,000 random reports each confirmed verdict is flagged still; others are learnt or refused.

    One in ten is of any reason, the others are of those that train no network.
    """
    chance = random.Random(7)
    quick = [verdict for verdict in day if verdict.reason in VALUES | {Reason.UNUSUAL_SESSION}]
    confirmed = [chance.choice([v for v in day if v.reason is reason]) for reason in Reason]
    after, refused = model, 0
    for number in range(1_000):
        drawn = quick if number % 10 else day
        some = [moved(chance, chance.choice(drawn)) for _ in range(chance.randint(1, 3))]
        try:
            after = learn(after, some, confirmed=confirmed).model
        except UsageError:
            refused += 1
        assert not accepted(after, confirmed)
    assert 100 < refused < 900
    assert len(accepted(after, day)) > 5


def moved(chance: random.Random, verdict: Verdict) -> Verdict:
    """The verdict, its number or its session somewhat other than it was."""
    if verdict.measured is not None:
        number = verdict.measured.number * chance.uniform(0.8, 1.5)
        return replace(verdict, measured=replace(verdict.measured, number=number))
    if verdict.counts:
        key, count = chance.choice(verdict.counts)
        return replace(
            verdict, counts=tuple(sorted({**dict(verdict.counts), key: count + chance.randint(0, 2)}.items()))
        )
    return verdict


RUN = CliRunner()


def run(*arguments: object) -> str:
    """Run the command line; return all it printed."""
    result = RUN.invoke(app, [str(one) for one in arguments])
    if isinstance(result.exception, OffscriptError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout + result.stderr


@pytest.fixture
def place(model: Model, tmp_path: Path) -> tuple[Path, dict[str, list[str]]]:
    """A saved model that has judged the odd day, and the ids of its verdicts by reason."""
    folder, log = tmp_path / "m.model", tmp_path / "jobs.log"
    model.save(folder)
    log.write_text("\n".join(line.text for line in log_of(odd_jobs())) + "\n", "utf-8")
    records = [
        json.loads(line)
        for line in run("detect", folder, log, "--complete", "--output", "jsonl").splitlines()
        if line[0] == "{"
    ]
    return folder, {reason: [record["id"] for record in records if record["reason"] == reason] for reason in Reason}


def test_each_reason_is_learnt_and_undone_from_the_command_line(place: tuple[Path, dict[str, list[str]]]) -> None:
    """One update a reason: what was reported is gone, and what the name of a line uncovers takes one more.

    Undone, version by version, each has the bytes that it had.
    """
    folder, ids = place
    log = folder.parent / "jobs.log"
    saved = list[dict[str, bytes]]()
    printed = ""
    for reason in (*sorted(Reason), Reason.UNUSUAL_SESSION):
        if len(saved) == len(Reason):
            left = [json.loads(line) for line in printed.splitlines() if line[0] == "{"]
            assert {one["reason"] for one in left} == {reason}
            assert all("quota was raised" in one["detail"] for one in left), "told in full when their lines had no name"
            ids[reason] = [one["id"] for one in left]
        saved.append({path.name: path.read_bytes() for path in (folder / "versions" / str(len(saved) + 1)).iterdir()})
        told = run("learn", folder, *ids[reason], "--normal", "--note", f"all {reason}")
        assert f"version {len(saved) + 1}" in told
        assert all(one in told for one in ids[reason][:1])
        assert "stored verdicts would not be given any more" in told
        printed = run("detect", folder, log, "--complete", "--output", "jsonl")
        assert not any(one in printed for one in ids[reason])
    assert not any(line[0] == "{" for line in printed.splitlines()), "and that is all it takes"
    told = run("versions", folder)
    assert "taught in all since version 1, by 8 updates:" in told
    assert "`<*> quota was raised to <*> units`" in told
    assert "sessions told to be normal, of " in told
    assert "1 more word beside 3: `broken`" in told
    for number in range(len(saved), 0, -1):
        assert f"version {number} is in force" in run("undo", folder)
        home = folder / "versions" / str(number)
        assert {path.name: path.read_bytes() for path in home.iterdir()} == saved[number - 1]
    assert len(run("detect", folder, log, "--complete", "--output", "jsonl").splitlines()) > 20


def test_a_range_widened_bit_by_bit_shows_in_the_sum(place: tuple[Path, dict[str, list[str]]]) -> None:
    """Ten updates, each a little farther out, are one line: the range of the fit, that of now, and ten reports."""
    folder, _ = place
    kept, shown = 660.0, ""
    for number in range(10):
        log = folder.parent / f"{number}.log"
        jobs = normal_jobs(40, 5)
        jobs[20] = job(20, kept=int(kept))
        log.write_text("\n".join(line.text for line in log_of(jobs)) + "\n", "utf-8")
        found = [
            json.loads(line)
            for line in run("detect", folder, log, "--complete", "--output", "jsonl").splitlines()
            if line[0] == "{"
        ]
        odd = [record["id"] for record in found if record["session"] == "job-00020x"]
        if odd:
            shown = run("learn", folder, *odd, "--normal")
        kept *= 1.3
    assert "normal up to" in shown
    told = run("versions", folder).split("taught in all")[1]
    line = next(line for line in told.splitlines() if "kept <*> entries" in line)
    assert re.search(r"value 2: normal up to [5-9],\d{3} now \(was 6\d\d\), by (8|9|10) reports", line), line


def test_what_is_accepted_already_makes_no_version(place: tuple[Path, dict[str, list[str]]]) -> None:
    """The twin of what was learnt is accepted: reported too, it changes nothing, and that is said."""
    folder, ids = place
    one, other = ids[Reason.NEW_VALUE]
    run("learn", folder, one, "--normal")
    assert "version 2, in force, accepts all of this; no other was made" in run("learn", folder, other, "--normal")
    assert current_version(folder) == 2


def test_a_confirmed_anomaly_that_cannot_be_tried_is_named(place: tuple[Path, dict[str, list[str]]]) -> None:
    """A session in a journal of an earlier version has no counts: updates say so until it is judged again."""
    folder, ids = place
    one = ids[Reason.UNUSUAL_SESSION][0]
    run("learn", folder, one, "--anomalous")
    with closing(sqlite3.connect(folder / "journal.sqlite")) as database, database:
        (record,) = database.execute("SELECT record FROM verdicts WHERE id = ?", (one,)).fetchone()
        older = {name: part for name, part in json.loads(record).items() if name != "counts"}
        database.execute("UPDATE verdicts SET record = ? WHERE id = ?", (json.dumps(older), one))
    preview = ("learn", folder, ids[Reason.NEW_VALUE][0], "--normal", "--preview")
    assert f"what it takes to try an update against them: {one}; run `offscript detect`" in run(*preview)
    with pytest.raises(UsageError, match="not in the journal"):
        run("learn", folder, one, "--normal")
    run("detect", folder, folder.parent / "jobs.log", "--complete")
    assert "to try an update" not in run(*preview)
    run("learn", folder, one, "--normal")


def test_the_last_word_holds(place: tuple[Path, dict[str, list[str]]]) -> None:
    """Confirmed, taken back, confirmed again: each time the other word is said to go, and how."""
    folder, ids = place
    for reason in sorted(Reason):
        name = ids[reason]
        run("learn", folder, *name, "--anomalous")
        with pytest.raises(UsageError, match="silence"):
            run("learn", folder, name[0], "--normal", "--preview")
        told = run("learn", folder, *name, "--normal")
        assert f"{name[0]} was confirmed as an anomaly, which this takes back" in told
        number = current_version(folder)
        assert number > 1
        run(
            "learn",
            folder,
            ids[Reason.NEW_VALUE][0] if reason != Reason.NEW_VALUE else ids[Reason.UNUSUAL_VALUE][0],
            "--normal",
        )
        told = run("learn", folder, *name, "--anomalous")
        assert f"{name[0]} is accepted by the version in force, version {number} learnt it" in told
        assert "run 2 times, goes back before that" in told
        run("undo", folder)
        run("undo", folder)
        run("learn", folder, *name, "--normal")
        run("undo", folder)
