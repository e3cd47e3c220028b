"""Times and values: what is normal is learnt with its tails, what is not is flagged, and levels are state."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript import Config, Detector, Line, Model, Reason, Verdict, fit, load
from offscript.entries import Entry
from offscript.errors import ModelError, StateError
from offscript.models.follow_compiled import follow_compiled
from offscript.models.gauges import FLAGGED, NEW_LEVEL, SETTLED, Gauge, follow, surprise_at, with_level
from offscript.models.tails import Tail, outliers_of, tail_of
from offscript.models.value_lessons import ValueLessons, tells_more
from offscript.models.values import ValueModel, WordList
from offscript.models.vectors import Place, Vectors, sort_of
from offscript.parse.match import FrozenTemplate, Templates
from offscript.value_judge import ValueFlag, ValueJudge
from offscript.value_table import value_rows
from offscript.value_wording import value_detail
from offscript.wording import Words

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=20, max_size=80).map(np.array)
Job = list[tuple[float, str]]
QUICK = Config(hidden=8, layers=1, training_steps=50, false_alarms=0.02)


# -- tails and gauges --------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(NUMBERS, st.floats(0.5, 30), st.sampled_from([-1, 1]))
def test_a_limit_is_where_the_surprise_passes_it(numbers: np.ndarray, surprise: float, side: int) -> None:
    """Nothing up to the limit of a surprise surprises more, and what lies well beyond does not surprise less."""
    tail = tail_of(numbers, side, 1e-3)
    limit = tail.limit(surprise)
    assert tail.surprise(limit - side * 1e-6 * max(1.0, abs(limit))) <= surprise + 1e-6
    assert tail.surprise(limit + side * (1.0 + abs(limit))) >= surprise - 1e-6


@settings(max_examples=60, deadline=None)
@given(NUMBERS, st.lists(st.floats(-1e7, 1e7), min_size=1, max_size=20).map(np.array))
def test_many_surprises_are_those_of_each(numbers: np.ndarray, asked: np.ndarray) -> None:
    """Surprises of an array are what `surprise` says one by one, outliers included."""
    gauge = Gauge.of((1, 0, 2), numbers, resolution=1e-3, seconds=1.0)
    outliers = outliers_of(np.array([1.0, 2.0, 3.0, 4.0, 50.0]), 10_000)
    each = [gauge.surprise(number, outliers) for number in asked.tolist()]
    assert np.allclose(gauge.surprises(asked, outliers), each)


def test_what_was_seen_is_no_surprise() -> None:
    """A second mode far out, met eight times in a hundred, stays normal however thin the tail before it is."""
    numbers = np.concatenate((np.linspace(0.9, 1.1, 92), np.full(8, 5.0)))
    tail = tail_of(numbers, 1, 0.01)
    assert tail.surprise(5.0) < math.log(102 / 8) + 0.1
    assert tail.surprise(50.0) > tail.surprise(5.0)


def test_a_pause_may_come_at_any_step() -> None:
    """A pause that other steps had too surprises no more than they are rare; what is far longer still does."""
    steady = Gauge.of((1, 0, 2), np.linspace(0.010, 0.011, 500), resolution=0.001, seconds=1.0)
    outliers = outliers_of(np.full(20, 0.2), 20_000)
    assert outliers is not None
    assert steady.surprise(0.2) > 15 > steady.surprise(0.2, outliers)
    assert steady.surprise(60.0, outliers) > steady.surprise(0.2, outliers) + 5


def test_a_lone_outlier_excuses_nothing_but_itself() -> None:
    """What lies between the normal times and one accident is judged as a pause; four accidents are another mode."""
    outliers = outliers_of(np.full(20, 0.2), 20_000)
    told = []
    for accidents in (1, 4):
        times = np.concatenate((np.linspace(0.21, 0.22, 400), np.full(accidents, 0.42)))
        told.append(Gauge.of((1, 0, 2), times, resolution=0.001, seconds=1.0).surprise(0.33, outliers))
    assert told[0] > 7 > 5 > told[1]


def test_a_pause_is_odder_at_a_steady_step() -> None:
    """A pause of the same length surprises more at a step that hardly varies than at one that varies much."""
    outliers = outliers_of(np.full(20, 1.0), 20_000)
    steady, loose = (
        Gauge.of((1, 0, 2), np.linspace(1, 1 + wide, 500), resolution=0.001, seconds=1.0) for wide in (0.01, 0.2)
    )
    assert steady.surprise(2.0, outliers) > loose.surprise(2.0, outliers) + 1


def test_a_range_is_told_as_the_numbers_are() -> None:
    """Of what was never negative no negative end is told, wherever the level drifted; of what was, it is."""
    counts = np.repeat([0.0, 1.0, 2.0], 40)
    for numbers, is_negative in ((counts, False), (counts - 2, True)):
        gauge = with_level(Gauge.of((1, 1, None), numbers, resolution=1.0), 0.0, float(numbers.min()))
        low, _ = ValueModel((gauge,)).normal_range(0, -0.1)
        assert (low < 0) is is_negative


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.floats(-50, 50)), max_size=200))
def test_levels_follow_alike_compiled_or_not(story: list[tuple[int, float]]) -> None:
    """The compiled twin of `follow` gives the same levels, runs and findings, bit for bit."""
    gauges, numbers = np.array([g for g, _ in story], np.int64), np.array([x for _, x in story], np.float64)
    limits = (np.full(3, -9.0), np.full(3, 9.0), np.full(3, 0.5), np.full(3, 0.125))
    told = []
    for run in (follow, follow_compiled):
        levels, runs, found, deviations = (
            np.zeros(3),
            *np.zeros((2, max(3, len(story))), np.int64),
            np.zeros(len(story)),
        )
        run(gauges, numbers, *limits, levels, runs, found, deviations)
        state = levels, runs, found, deviations
        told.append([part.tobytes() for part in state])
    assert told[0] == told[1]


def judged(gauge: Gauge, numbers: Sequence[float]) -> list[str]:
    """What a judge of one gauge says of each number: "", or the reason, with "!" where the level moved."""
    model = ValueModel((gauge,), threshold=surprise_at(0.999), time_threshold=surprise_at(0.999))
    judge = ValueJudge(model, Templates([], {}))
    told = []
    for number in numbers:
        flag = judge.one("a", 1, 2, number, ())
        told.append("" if flag is None else flag.reason.value + "!" * flag.settled)
    return told


def test_a_slow_drift_is_no_alarm() -> None:
    """A level that creeps to three times its value over ten thousand numbers is followed, and never flagged."""
    random = np.random.default_rng(0)
    gauge = Gauge.of((1, 0, 2), random.normal(10, 1, 2_000), resolution=0.001, seconds=1.0)
    drift = np.linspace(10, 30, 20_000) + random.normal(0, 1, 20_000)
    assert sum(map(bool, judged(gauge, drift.tolist()))) < 40


def test_a_new_level_is_told_so_often_and_then_taken() -> None:
    """After a jump each number is flagged, until `SETTLED` in a row were; the last says so, and then it is normal."""
    gauge = Gauge.of((1, 0, 2), np.linspace(9, 11, 500), resolution=0.001, seconds=1.0)
    told = judged(gauge, [30.0] * (SETTLED + 50))
    assert told == ["unusual_time"] * (SETTLED - 1) + ["unusual_time!"] + [""] * 50


def test_an_outlier_does_not_excuse_the_next() -> None:
    """A flagged number leaves the level where it was."""
    gauge = Gauge.of((1, 0, 2), np.linspace(9, 11, 500), resolution=0.001, seconds=1.0)
    assert judged(gauge, [30.0, 10.0, 30.0, 10.0]) == ["unusual_time", "", "unusual_time", ""]


def test_what_follow_says() -> None:
    """The codes are told apart: inside, flagged, and a new level."""
    assert len({0, FLAGGED, NEW_LEVEL}) == 3


# -- what is judged, and what is not -----------------------------------------------------------------------------------


def vectors(numbers: Sequence[float], about: Place, texts: Sequence[int] | None = None) -> Vectors:
    """Vectors of one place."""
    lines = np.arange(len(numbers))
    codes = np.array([-1] * len(lines) if texts is None else texts, np.int32).reshape(-1, 1)
    columns = np.column_stack((np.full(len(lines), np.nan), np.array(numbers, np.float64)))
    return Vectors(1, lines, lines * 0, columns, codes, (about,))


@pytest.mark.parametrize(
    ("numbers", "about", "sort"),
    [
        ([19.0 + n % 7 / 10 for n in range(60)], Place(follows="seconds"), "range"),
        ([1000.0 + n for n in range(60)], Place(), "an identifier: 60 values on 60 lines"),
        ([1000.0 + n for n in range(60)], Place(follows="bytes"), "range"),
        ([1000.0 + n for n in range(60)], Place(follows="milliseconds"), "range"),
        ([1e9 + 16 * (n % 30) for n in range(60)], Place(unit="0x"), "an identifier: it is hexadecimal"),
        ([1000.0 + n // 2 for n in range(60)], Place(), "a counter: it rises with time"),
        ([float(n % 30) for n in range(60)], Place(leads="order_id"), "an identifier: it is called 'order_id'"),
        ([float(1 + n % 5) for n in range(60)], Place(), "range"),
        ([math.nan] * 60, Place(), "an open vocabulary"),
    ],
)
def test_what_a_place_holds(numbers: list[float], about: Place, sort: str) -> None:
    """Quantities are judged by a range; what names things or counts up is left out, and the reason is told."""
    assert sort_of(vectors(numbers, about), 1) == sort


def test_codes_are_words_and_numbered_names_are_not() -> None:
    """Few whole numbers far apart are codes; names that differ in their number only are no vocabulary."""
    codes = [n % 2 for n in range(60)]
    status = Place(words=("200", "404"))
    assert sort_of(vectors([(200.0, 404.0)[code] for code in codes], status, codes), 1) == "words"
    names = [n % 3 for n in range(60)]
    assert sort_of(vectors([math.nan] * 60, Place(words=("w-1", "w-2", "w-7")), names), 1) == "names with numbers"


def test_the_key_before_decides_where_it_tells_more() -> None:
    """Sizes that depend on the step before are judged by it: one is then odd after the one step only."""
    random = np.random.default_rng(1)
    before = np.tile([5, 6], 200)
    sizes = np.where(before == 5, 100.0, 9000.0) + random.normal(0, 3, 400)
    assert tells_more(sizes, before)
    assert not tells_more(random.normal(0, 3, 400), before)


def test_thresholds_are_set_on_what_was_held_out() -> None:
    """Each unit's score comes from gauges that did not see its fold: an odd fold surprises, the others do not."""
    random = np.random.default_rng(2)
    numbers = random.normal(10, 1, 400)
    numbers[300:] += 100
    columns, texts = np.column_stack((np.full(400, np.nan), numbers)), np.full((400, 1), -1, np.int32)
    one = Vectors(1, np.arange(400), np.zeros(400, np.int64), columns, texts, (Place(unit="s"),))
    lessons = ValueLessons((one,), 400, 0.999)
    raw = lessons.held_out(np.arange(400) // 100, 4)[1].raw
    assert raw[300:].min() > 20 > raw[:300].max()


# -- a whole log -------------------------------------------------------------------------------------------------------


def job(
    number: int, start: float, *, wait: float = 2.0, took: float = 1.9, state: str = "ready"
) -> list[tuple[float, str]]:
    """The lines of one session, with their times in seconds."""
    name = f"job-{number:05d}x"
    return [
        (start, f"{name} accepted by scheduler"),
        (start + 0.1, f"{name} state={state} queue=default"),
        (start + 0.1 + wait, f"{name} copy took {took:.2f} seconds"),
        (start + 0.2 + wait, f"{name} finished cleanly"),
    ]


def log_of(jobs: Sequence[Job]) -> list[Line]:
    """Jobs as lines of one log, in time order."""
    rows = sorted(row for lines in jobs for row in lines)
    texts = [f"2026-03-01 {int(t // 3600):02d}:{int(t // 60 % 60):02d}:{t % 60:06.3f} INFO {text}" for t, text in rows]
    return [Line(text, "jobs", number + 1, 100 * number) for number, text in enumerate(texts)]


def normal_jobs(count: int, seed: int) -> list[Job]:
    """Jobs one after another, each with its own wait."""
    random = np.random.default_rng(seed)
    waits = random.normal(2.0, 0.1, count)
    states = [("ready", "warm", "cold")[n] for n in random.integers(0, 3, count)]
    return [job(n, 10.0 * n, wait=w, took=w - 0.1, state=s) for n, (w, s) in enumerate(zip(waits, states, strict=True))]


@pytest.fixture(scope="module")
def model() -> Model:
    """What 600 normal jobs teach."""
    return fit(log_of(normal_jobs(600, 1)), QUICK)


def verdicts(model: Model, lines: Sequence[Line]) -> list[Verdict]:
    """All verdicts of some lines, judged as a whole input."""
    detector = Detector(model)
    return [verdict for line in lines for verdict in detector.push(line)] + detector.close(complete=True)


def test_slow_steps_wrong_numbers_and_new_words_are_told(model: Model) -> None:
    """Each has its own reason, names what is normal in the unit of the log, and normal jobs are left in peace."""
    jobs = normal_jobs(40, 2)
    jobs[10] = job(10, 100.0, wait=9.0)
    jobs[20] = job(20, 200.0, took=41.79)
    jobs[30] = job(30, 300.0, state="broken")
    found = verdicts(model, log_of(jobs))
    told = {verdict.session: (verdict.reason, verdict.detail) for verdict in found}
    assert told["job-00010x"][0] is Reason.UNUSUAL_TIME
    assert told["job-00010x"][1].startswith("came 9 s after `")
    assert told["job-00010x"][1].endswith(" s (99.9%)")
    assert told["job-00020x"][0] is Reason.UNUSUAL_TIME
    assert "took 41.79 seconds`: normally " in told["job-00020x"][1]
    assert " seconds (99.9%)" in told["job-00020x"][1]
    assert told["job-00030x"][0] is Reason.NEW_VALUE
    assert "state=broken" in told["job-00030x"][1]
    assert "`ready`" in told["job-00030x"][1]
    assert set(told) == {"job-00010x", "job-00020x", "job-00030x"}
    measured = {verdict.session: verdict.measured for verdict in found}
    slow = measured["job-00010x"]
    assert slow is not None
    assert (slow.place, slow.number, slow.unit) == (0, 9.0, "s")
    assert slow.low <= slow.middle <= slow.high < slow.number
    assert measured["job-00030x"] is None


def test_a_word_that_nothing_is_known_of_is_no_new_word() -> None:
    """Where a line does not show what stands at a place, nothing is said of it, line by line as in columns."""
    template = FrozenTemplate(7, ("state", "<*>"), "state <*>", 3, ("w",))
    judge = ValueJudge(
        ValueModel((), (WordList(7, 1, ("up", "down"), 1_000, 0),), fresh_threshold=5.0), Templates([template], {})
    )

    assert judge.lists
    assert judge.one("app.log", 7, 0, None, [(0, math.nan)]) is None
    assert judge.one("app.log", 7, 0, None, [(0, 0.0)]) is None
    assert judge.one("app.log", 7, 0, None, [(0, 1.0)]) is not None


def test_the_value_that_is_meant_is_shown(model: Model) -> None:
    """Where a line departs from a name in its template it has a value more, and the number told of is still its own."""
    table = [FrozenTemplate(7, ("port", "<*>", "<*>"), "port <*> <*>", 3, ("v", "v"), ("ssh2", "<*>"))]
    templates = Templates(table, {})
    gauge = Gauge.of((7, 1, None), np.linspace(20, 30, 100), resolution=1.0)
    known = replace(model, templates=templates, values=ValueModel((gauge,)))
    for message, told in (("port ssh3 99", "`port <*> 99`: "), ("port ssh2 99", "`port ssh2 99`: ")):
        match = templates.match(message)
        entry = Entry(Line(message), match.key, match.values, match.template)
        flag = ValueFlag(Reason.UNUSUAL_VALUE, 2.0, 0, -1, 99.0)
        assert value_detail(Words(known), entry, 0, flag).startswith(told)


def test_a_detector_goes_on_exactly_from_its_state(model: Model) -> None:
    """Levels are in the state: stopping after any line and going on changes no verdict, and no later state."""
    lines = log_of([*normal_jobs(30, 3), job(900, 300.0, wait=30.0)])
    whole, part = Detector(model), Detector(model)
    for number, line in enumerate(lines):
        if number % 7 == 0:
            part = Detector(model, json.loads(json.dumps(part.state())))
        assert [v.id for v in whole.push(line)] == [v.id for v in part.push(line)]
    assert whole.state() == part.state()
    assert any(name.startswith("level/") for name in whole.state())


def test_damaged_levels_are_refused(model: Model) -> None:
    """A level of no gauge, or one that is no number, is a StateError."""
    state, odd = Detector(model).state(), (f"level/{'9' * 5000} jobs", [0.0, 0])
    for name, row in (("level/99999 jobs", [0.0, 0]), ("level/0 jobs", ["x", 0]), ("level/0 jobs", [math.nan, 0]), odd):
        with pytest.raises(StateError):
            Detector(model, {**state, name: row})


def test_a_model_keeps_what_it_knows_of_values(model: Model, tmp_path: Path) -> None:
    """Saved and loaded, it judges by the same gauges, lists and thresholds; a damaged part is refused."""
    model.save(tmp_path / "m")
    assert load(tmp_path / "m").values == model.values
    stored = model.values.to_dict()
    damages: list[dict[str, Any]] = [
        {"threshold": math.inf},
        {"threshold": "7"},
        {"gauges": stored["gauges"] * 2},
        {"lists": [{}]},
    ]
    for broken in damages:
        with pytest.raises((ValueError, KeyError, TypeError)):
            ValueModel.from_dict({**stored, **broken})


def test_a_bundle_that_would_fail_while_judging_is_refused(model: Model, tmp_path: Path) -> None:
    """What a template does not have, an unknown unit and counts beyond all numbers are a ModelError at load."""
    stored = model.values.to_dict()
    gauge, words = stored["gauges"][0], stored["lists"][0]
    damages: list[dict[str, Any]] = [
        {"gauges": [gauge | {"place": 99}]},
        {"gauges": [gauge | {"unit": "furlongs"}]},
        {"gauges": [gauge | {"low": [*gauge["low"][:4], 10**400, gauge["low"][5]]}]},
        {"lists": [words | {"place": 0}]},
        {"lists": [words | {"place": 99}]},
        {"lists": [words | {"lines": 10**400}]},
        {"left_out": [[10**6, 1, "?"]]},
        {"left_out": [[1, -1, "?"]]},
    ]
    home = tmp_path / "m" / "versions" / "1"
    model.save(tmp_path / "m")
    body, about = (json.loads((home / name).read_text()) for name in ("model.json", "about.json"))
    for broken in damages:
        text = json.dumps(body | {"values": stored | broken})
        (home / "model.json").write_text(text)
        about["sha256"]["model.json"] = hashlib.sha256(text.encode()).hexdigest()
        (home / "about.json").write_text(json.dumps(about))
        with pytest.raises(ModelError):
            load(tmp_path / "m")


def test_every_place_is_listed(model: Model) -> None:
    """`keys --values` has a row for each place that is judged, and the reason for each that is not."""
    rows = value_rows(model)
    assert {row[3] for row in rows} >= {"time", "range", "words", "not judged"}
    assert len(rows) == len(model.values.gauges) + len(model.values.lists) + len(model.values.left_out)


def test_values_are_learnt_from_the_entries_that_keys_are() -> None:
    """Of a log over the cap the latest sessions teach both models, so that one promise can be made of both."""
    early, late = normal_jobs(150, 4), normal_jobs(300, 5)[150:]
    slower = [[(time + 3.0 * (place > 1), text) for place, (time, text) in enumerate(lines)] for lines in late]
    capped = fit(log_of([*early, *slower]), QUICK.model_copy(update={"max_training_entries": 600}))
    waits = [gauge for gauge in capped.values.gauges if gauge.place == 0 and 4 < gauge.level + gauge.middle < 6]
    assert waits
    assert capped.keys.promise.scores == 150
    assert {gauge.learnt_from for gauge in waits} == {150}
    assert waits[0].surprise(2.0 - waits[0].level) > 7


def test_without_values_nothing_of_them_is_learnt() -> None:
    """`values=False` leaves a model that judges by keys alone."""
    plain = fit(log_of(normal_jobs(60, 4)), QUICK.model_copy(update={"values": False}))
    assert not plain.values.judges


def test_one_stamp_in_the_future_is_no_flood(model: Model) -> None:
    """Of the sessions that come behind a clock that one wrong stamp put ahead no time is known, and none is judged."""
    lines = log_of(normal_jobs(80, 6))
    at = len(lines) // 2
    lines[at] = Line(lines[at].text.replace("2026-03-01", "2026-03-02"), "jobs", lines[at].number, lines[at].offset)
    detector = Detector(model)
    told = [verdict for line in lines for verdict in detector.push(line)]
    assert sum(verdict.reason is Reason.UNUSUAL_TIME for verdict in told) <= 1


def test_a_clock_that_steps_back_makes_no_time_negative(model: Model) -> None:
    """Of a line before the last of its session no elapsed time is known."""
    lines = log_of(normal_jobs(20, 5))
    back = [Line(line.text.replace("00:01:", "00:00:"), line.source, line.number, line.offset) for line in lines]
    assert all(verdict.reason is not Reason.UNUSUAL_VALUE for verdict in verdicts(model, back))
    assert not any("came -" in verdict.detail for verdict in verdicts(model, back))


@pytest.mark.parametrize("behind", [0.0, 0.001, 0.05])
def test_lines_of_several_writers_out_of_order_are_timed(model: Model, behind: float) -> None:
    """A slow step is found where its line is written behind one of another session that bears a later stamp."""
    jobs = normal_jobs(40, 7)
    jobs[10] = job(10, 100.0, wait=7.9)
    jobs.append(job(99, 108.0 + behind))
    lines = log_of(jobs)
    slow = lines.pop(next(at for at, line in enumerate(lines) if "job-00010x copy" in line.text))
    lines.insert(next(at for at, line in enumerate(lines) if "job-00099x accepted" in line.text) + 1, slow)
    told = [verdict for verdict in verdicts(model, lines) if verdict.session == "job-00010x"]
    assert told[0].reason is Reason.UNUSUAL_TIME
    assert told[0].detail.startswith("came 7.9 s after `")


def test_tails_are_sound() -> None:
    """A tail's share is one of its numbers, and all equal numbers have a tail beyond them that any other passes."""
    flat = tail_of(np.full(100, 7.0), 1, 1.0)
    assert flat == Tail(1, 7.0, 1 / 102, 0.0, 1.0)
    assert flat.surprise(7.0) == 0.0
    assert flat.surprise(20.0) > 15
