"""The session profile: distances, what it finds, what it leaves alone, what it says."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import naive_profile

from offscript.config import Config
from offscript.entries import Reason
from offscript.errors import ModelError
from offscript.models import learning
from offscript.models import profile as profile_room
from offscript.models.held_out import held_out_distances
from offscript.models.keys import UNEXPECTED_LIMIT, KeyModel
from offscript.models.pairs import Symbols
from offscript.models.profile import LOWEST, Counts, Difference, Profile, counts_of

SYMBOLS = 7
SMALL = Config(hidden=16, layers=1, history=2, training_steps=200, batch_size=32, folds=3)
# 1 opens, 5 closes, 2 comes three times, 3 in a loop of any length up to 12, 4 sometimes
NORMAL = [[1, 2, 2, 2, *[3] * (n % 13), *[4] * (n % 2), 5] for n in range(520)]

one_session = st.lists(st.integers(3, SYMBOLS - 1), max_size=12)
some_sessions = st.lists(one_session, min_size=1, max_size=12)


def coded(sessions: Sequence[Sequence[int]]) -> list[Symbols]:
    """Return sessions as arrays."""
    return [np.array(session, np.int32) for session in sessions]


def profile_of(sessions: Sequence[Sequence[int]], threshold: float = 1.0) -> Profile:
    """Return the profile of sessions that came once each."""
    return Profile.of(coded(sessions), np.ones(len(sessions), np.int64), SYMBOLS, threshold)


@pytest.fixture(scope="module")
def model() -> KeyModel:
    """Return a model whose history of two keys cannot count to three."""
    return KeyModel.fit(NORMAL, SMALL)


@given(some_sessions, some_sessions)
@settings(max_examples=100, deadline=None)
def test_distances_are_the_naive_ones(normal: list[list[int]], judged: list[list[int]]) -> None:
    """Vectorised, in pieces and remembered, each distance is that of the obvious loop, and 0 for a known session."""
    profile = profile_of(normal)
    counts = counts_of(coded(judged), SYMBOLS)
    want = [naive_profile.distance(normal, session, SYMBOLS) for session in judged]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile_room, "CELLS_AT_ONCE", 5)
        found = profile.raw(counts)
    assert found.tolist() == pytest.approx(want, abs=1e-9)
    assert profile.raw(counts).tobytes() == profile_of(normal).raw(counts).tobytes() == found.tobytes()
    known = {naive_profile.vector(session, SYMBOLS) for session in normal}
    vectors = [naive_profile.vector(session, SYMBOLS) for session in judged]
    assert all((vector in known) == (distance == 0) for vector, distance in zip(vectors, found.tolist(), strict=True))


@given(some_sessions, some_sessions, some_sessions)
@settings(max_examples=100, deadline=None)
def test_what_was_told_is_near_and_makes_nothing_farther(
    normal: list[list[int]], told: list[list[int]], judged: list[list[int]]
) -> None:
    """Told sessions are normal, and loops of theirs, and what three share, are so elsewhere (naive twin)."""
    counts = counts_of(coded(judged), SYMBOLS)
    plain = profile_of(normal)
    rows = np.unique(counts_of(coded(told), SYMBOLS), axis=0)
    profile = Profile.of(coded(normal), np.ones(len(normal), np.int64), SYMBOLS, 1.0, told=rows)
    found = profile.raw(counts)
    want = [naive_profile.distance(normal, session, SYMBOLS, told) for session in judged]
    assert found.tolist() == pytest.approx(want, abs=1e-9)
    assert not profile.raw(rows).any()
    assert (found <= plain.raw(counts)).all()
    assert profile.weights.tobytes() == plain.weights.tobytes()


@given(some_sessions, st.integers(2, 4), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_fold_is_judged_by_the_others(sessions: list[list[int]], folds: int, seed: int) -> None:
    """Out of fold a session's distance is that to the sessions of the other folds, and of those alone."""
    fold = np.random.default_rng(seed).integers(0, folds, len(sessions))
    found = held_out_distances(coded(sessions), fold, folds, SYMBOLS)
    for number, session in enumerate(sessions):
        others = [other for other, place in zip(sessions, fold, strict=True) if place != fold[number]]
        want = naive_profile.distance(others, session, SYMBOLS) if others else 0.0
        assert found[number] == pytest.approx(want, abs=1e-9)


@given(some_sessions, one_session, st.randoms())
@settings(max_examples=60, deadline=None)
def test_order_says_nothing_here(normal: list[list[int]], judged: list[int], random: object) -> None:
    """Neither the order of the sessions nor that of the keys within one changes a bit of a distance."""
    shuffled = [sorted(session, key=lambda _: random.random()) for session in normal[::-1]]  # type: ignore[attr-defined]
    one = profile_of(normal).raw(counts_of(coded([judged]), SYMBOLS))
    assert one.tobytes() == profile_of(shuffled).raw(counts_of(coded([judged[::-1]]), SYMBOLS)).tobytes()


@given(some_sessions, one_session)
@settings(max_examples=60, deadline=None)
def test_differences_are_real(normal: list[list[int]], judged: list[int]) -> None:
    """A known session differs in nothing; any other in counts outside of the range that is told, zero or more."""
    profile = profile_of(normal)
    counts = counts_of(coded([judged]), SYMBOLS)[0]
    found = profile.differences(counts)
    assert bool(found) == bool(profile.raw(counts[None])[0])
    assert len({one.symbol for one in found}) == len(found)
    for one in found:
        assert one.count == counts[one.symbol]
        assert 0 <= one.low <= one.high
        assert not one.low <= one.count <= one.high


def test_what_differs_is_told_most_important_first() -> None:
    """A step that never varies comes before a loop that does; the range is that of sessions alike in all else."""
    profile = profile_of([[3, *[4] * n, 5] for n in range(2, 9)])
    found = profile.differences(counts_of(coded([[4] * 30]), SYMBOLS)[0])
    assert found[-1] == Difference(4, 30, 2, 8)
    assert set(found[:2]) == {Difference(3, 0, 1, 1), Difference(5, 0, 1, 1)}


def test_loops_may_vary_and_steps_may_not(model: KeyModel) -> None:
    """One round more than any is no alarm; a loop far too long, a step missing and a step too many are."""
    fine = [[1, 2, 2, 2, *[3] * 13, 5], [1, 2, 2, 2, *[3] * 14, 4, 5]]
    assert [verdict.reason for verdict in model.judge(fine)] == [None, None]
    wrong = [[1, 2, 2, 2, *[3] * 200, 5], [1, 2, 2, 3, 3, 5], [1, 2, 2, 2, 2, 2, 3, 5]]
    for session, verdict in zip(wrong, model.judge(wrong), strict=True):
        assert verdict.is_anomaly
        if verdict.reason is Reason.UNUSUAL_SESSION:
            assert verdict.position == len(session)
    assert model.judge(wrong[:1])[0].reason is Reason.UNUSUAL_SESSION


def test_order_and_end_speak_first(model: KeyModel) -> None:
    """Where order flags a session too, it says where; the score is the higher one."""
    alone = KeyModel.fit(NORMAL, SMALL.model_copy(update={"profile": False}))
    assert alone.profile is None
    assert alone.unusual(np.zeros(len(alone.vocabulary), np.int32)) == ()
    for session in ([1, 2, 2], [1, 5], [1, 9, 5]):
        without, found = alone.judge([session])[0], model.judge([session])[0]
        assert without.is_anomaly
        assert (found.reason, found.position) == (without.reason, without.position)
        counts = counts_of([model.vocabulary.encode(session)], len(model.vocabulary))
        assert found.score >= model.session_scores(counts)[0] > 1
    assert not alone.judge([[1, 2, 2, 2, *[3] * 200, 5]])[0].is_anomaly


def test_only_closed_sessions_are_judged_as_a_whole(model: KeyModel) -> None:
    """An open session is never unusual; without known ends, and for a stream, there is no profile."""
    long = [1, 2, 2, 2, *[3] * 200, 5]
    assert not model.judge([long], complete=False)[0].is_anomaly
    assert [verdict.is_anomaly for verdict in model.judge([long, long], complete=[False, True])] == [False, True]
    assert KeyModel.fit(NORMAL[:60], SMALL, complete=[False] * 60).profile is None
    assert KeyModel.fit([[1, 2] * 60], SMALL, per_entry=True).profile is None


def test_scores_are_on_the_one_scale(model: KeyModel) -> None:
    """1.0 is the threshold, known sessions score 0, and no session passes a new key."""
    assert model.profile is not None
    assert model.profile.threshold >= LOWEST
    counts = counts_of([model.vocabulary.encode(session) for session in NORMAL], len(model.vocabulary))
    assert not model.session_scores(counts).any()
    assert model.session_scores(counts[:1] + 10_000)[0] <= UNEXPECTED_LIMIT
    assert model.session_scores(counts[:0]).shape == (0,)


def test_few_vectors_are_kept_and_few_distances_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sessions differ, only so many are kept, the most frequent, and memory of distances is bounded."""
    sessions = [[3] * n for n in range(1, 101)] + [[4, 4]] * 5
    monkeypatch.setattr(profile_room, "KEPT", 10)
    profile = profile_of(sessions)
    assert len(profile.vectors) == 10
    assert profile.units.max() == 5
    monkeypatch.setattr(profile, "_room", 7)
    counts = counts_of(coded(sessions), SYMBOLS)
    want = profile_of(sessions).raw(counts)
    for start in range(0, 105, 5):
        assert np.array_equal(profile.raw(counts[start : start + 5]), want[start : start + 5])
        assert len(profile._remembered) <= 7


def test_half_a_million_sessions_are_judged_once_each_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal sessions cost one distance: of 500,000, only the distinct ones are held against the normal ones."""
    profile = profile_of([[3, 4], [3, 4, 4]])
    asked: list[int] = []
    whole = Profile._distances

    def counted(self: Profile, counts: Counts) -> object:
        asked.append(len(counts))
        return whole(self, counts)

    monkeypatch.setattr(Profile, "_distances", counted)
    kinds = counts_of(coded([[3, 4], [3], [4], [3, 3, 4]]), SYMBOLS)
    profile.raw(np.tile(kinds, (125_000, 1)))
    profile.raw(kinds)
    assert asked == [4]


def test_a_stored_profile_judges_alike(model: KeyModel) -> None:
    """The profile comes back with the sessions it was made of, to the last bit (promise 4)."""
    again = KeyModel.from_parts(*model.parts())
    assert again.profile is not None
    assert model.profile is not None
    assert again.profile.threshold == model.profile.threshold
    assert again.profile.vectors.tobytes() == model.profile.vectors.tobytes()
    assert again.profile.units.tobytes() == model.profile.units.tobytes()
    judged = [[1, 2, 2, 2, *[3] * n, 5] for n in range(60)]
    assert again.judge(judged) == model.judge(judged)
    without = KeyModel.fit(NORMAL[:60], SMALL.model_copy(update={"profile": False}))
    assert KeyModel.from_parts(*without.parts()).profile is None


def told(model: KeyModel, *sessions: dict[int, int]) -> KeyModel:
    """Return the model that was told of sessions, by their counts."""
    some = model.learnt.told.with_more(sessions)
    assert model.profile is not None
    profile = learning.profile_of(model.learnt.sessions, some, len(model.vocabulary), model.profile.threshold)
    learnt = replace(model.learnt, told=some, profile=profile)
    return KeyModel(model.vocabulary, model.history, model.count_weight, learnt)


def test_told_sessions_come_back_from_a_bundle(model: KeyModel) -> None:
    """They are stored apart from what training gave, which stays as it was; damage to them is one clear error."""
    after = told(told(model, {3: 1, 4: 9}), {3: 1, 4: 9}, {5: 2})
    assert after.learnt.told.reports.tolist() == [2, 1]
    meta, arrays = after.parts()
    again = KeyModel.from_parts(meta, arrays)
    assert again.profile is not None
    assert after.profile is not None
    assert again.profile.vectors.tobytes() == after.profile.vectors.tobytes()
    assert {name for name in arrays if name not in model.parts()[1]} == {
        "told.symbols", "told.times", "told.lengths", "told.reports"
    }  # fmt: skip
    size = len(model.vocabulary)
    made_up: list[dict[str, npt.NDArray[Any]]] = [
        {"told.symbols": np.full(3, size, np.int32)},
        {"told.symbols": np.full(3, 1, np.int32)},
        {"told.times": np.zeros(3, np.int32)},
        {"told.times": np.ones(2, np.int32)},
        {"told.lengths": np.array([3, 0], np.int32)},
        {"told.lengths": np.array([2, 2], np.int32)},
        {"told.reports": np.ones(1, np.int32)},
        {"told.reports": np.ones(2, np.int64)},
    ]
    for part in made_up:
        with pytest.raises(ModelError, match="fit the model again"):
            KeyModel.from_parts(meta, arrays | part)
    for name in ("told.symbols", "told.reports"):
        with pytest.raises(ModelError, match="fit the model again"):
            KeyModel.from_parts(meta, {one: array for one, array in arrays.items() if one != name})


@pytest.mark.parametrize("threshold", [0.0, -1.0, float("nan"), float("inf"), "1", True, [], 10**400])
def test_a_damaged_profile_is_refused(model: KeyModel, threshold: object) -> None:
    """What is no threshold, or a profile of no complete session, gives one clear error (promise 4)."""
    meta, arrays = model.parts()
    with pytest.raises(ModelError, match="fit the model again"):
        KeyModel.from_parts(meta | {"profile": threshold}, arrays)
    none = arrays | {"sessions.complete": np.zeros_like(arrays["sessions.complete"])}
    beyond = arrays | {"sessions.symbols": np.full_like(arrays["sessions.symbols"], len(model.vocabulary))}
    for damaged in (none, beyond):
        with pytest.raises(ModelError, match="fit the model again"):
            KeyModel.from_parts(meta, damaged)


def test_settings_of_calibration_share_one_training() -> None:
    """Models that differ in share, rule or profile alone are trained once, and are those that `fit` gives each."""
    configs = [
        SMALL,
        SMALL.model_copy(update={"false_alarms": 0.05}),
        SMALL.model_copy(update={"rule": "top-g", "profile": False}),
        SMALL.model_copy(update={"seed": 1}),
    ]
    calls: list[int] = []
    models = KeyModel.fit_each(NORMAL, configs, progress=lambda step, *_: calls.append(step))
    assert sum(before > after for before, after in pairwise(calls)) == 1
    for config, found in zip(configs, models, strict=True):
        (meta, arrays), (wanted, weights) = found.parts(), KeyModel.fit(NORMAL, config).parts()
        assert meta == wanted
        assert all(arrays[name].tobytes() == weights[name].tobytes() for name in arrays | weights)


def read(folder: Path, name: str) -> list[list[int]]:
    """Return the sessions of one file of the authors' copy of HDFS."""
    with gzip.open(folder / "hdfs" / f"deeplog_copy_{name}.txt.gz", "rt") as file:
        return [[int(key) for key in line.split()] for line in file if line.strip()]


@pytest.mark.data
def test_the_profile_of_hdfs_finds_what_is_cut_lost_and_doubled(data_dir: Path) -> None:
    """On the authors' copy, held-out normal sessions damaged by one entry are far off, undamaged ones at distance 0.

    No label is used: every third training session is held out, and loses its end, one entry, or has one twice.
    """
    train = read(data_dir, "train")
    keys = sorted({key for session in train for key in session})
    codes = [[3 + keys.index(key) for key in session] for session in train]
    symbols = 3 + len(keys)
    known = [session for number, session in enumerate(codes) if number % 3]
    profile = Profile.of(coded(known), np.ones(len(known), np.int64), symbols, 1.0)
    random = np.random.default_rng(0)
    held_out = codes[::3]
    assert (profile.raw(counts_of(coded(held_out), symbols)) == 0).mean() > 0.99
    for damage in ("cut", "lost", "doubled"):
        damaged = []
        for session in held_out:
            at = int(random.integers(1, len(session)))
            tail = {"cut": [], "lost": session[at + 1 :], "doubled": session[at - 1 :]}[damage]
            damaged.append(session[:at] + tail)
        assert (profile.raw(counts_of(coded(damaged), symbols)) >= LOWEST).mean() > 0.9
