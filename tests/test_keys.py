"""The key model: sessions judged, promises kept, END, new keys, storage."""

from __future__ import annotations

import copy
import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript.config import Config
from offscript.entries import END, START, UNKNOWN, Reason
from offscript.errors import InputError, ModelError
from offscript.models import pairs as pairs_room
from offscript.models.calibrate import Rule
from offscript.models.ensemble import Ensemble
from offscript.models.held_out import HeldOut
from offscript.models.keys import CACHE_BYTES, NAMED, NEW_KEY_SCORE, UNEXPECTED_LIMIT, KeyModel, SessionVerdict
from offscript.models.learning import Lesson
from offscript.models.lstm import initial
from offscript.models.pairs import distinct_pairs, windows

TINY = Config(hidden=4, layers=1, history=3, training_steps=50, batch_size=16, folds=2)
SMALL = Config(hidden=16, layers=1, history=4, training_steps=200, batch_size=32, folds=3)
NORMAL = [[7, 2, 9]] * 60 + [[7, 2, 2, 9]] * 50 + [[7, 5, 9]] * 40 + [[7, 5, 2, 9]]

sequences = st.lists(st.lists(st.integers(1, 4), max_size=6), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def model() -> KeyModel:
    """Return a model of the small normal log above."""
    return KeyModel.fit(NORMAL, SMALL)


def same_bytes(one: KeyModel, other: KeyModel) -> bool:
    """Whether two models are the same to the last bit."""
    (meta, arrays), (meta2, arrays2) = one.parts(), other.parts()
    return meta == meta2 and all(arrays[name].tobytes() == arrays2[name].tobytes() for name in arrays | arrays2)


def test_normal_sessions_are_normal_and_departures_are_named(model: KeyModel) -> None:
    """Each departure has its reason and the place where it happened; normal sessions have none."""
    found = model.judge([[7, 2, 9], [7, 2], [7, 77, 9], [9, 7, 2], [7, 2, 9, 9]])
    assert found[0].reason is None
    assert [(v.reason, v.position) for v in found[1:]] == [
        (Reason.INCOMPLETE_SESSION, 2),
        (Reason.NEW_KEY, 1),
        (Reason.UNEXPECTED_KEY, found[3].position),
        (Reason.UNEXPECTED_KEY, 3),
    ]
    assert all(v.is_anomaly == (v.score >= 1) for v in found)


def test_a_new_key_scores_above_any_unexpected_key(model: KeyModel) -> None:
    """A key never seen has one fixed score above all others."""
    histories = np.random.default_rng(0).integers(0, len(model.vocabulary), (200, 4)).astype(np.int32)
    for target in range(3, len(model.vocabulary)):
        assert (model.surprise(histories, np.full(200, target, np.int32)) <= UNEXPECTED_LIMIT).all()
    assert (model.surprise(histories, np.full(200, UNKNOWN, np.int32)) == NEW_KEY_SCORE).all()
    assert model.judge([[77]])[0].score == NEW_KEY_SCORE


def test_a_pair_seen_often_is_normal_by_definition() -> None:
    """Whatever an untrained network says, a pair that two in a thousand training sessions hold scores below 1.0."""
    normal = [[1, 2]] * 500 + [[1, 3]] * 3
    untrained = KeyModel.fit(normal, TINY.model_copy(update={"training_steps": 1, "learning_rate": 1e-9}))
    assert not any(v.is_anomaly for v in untrained.judge([[1, 2], [1, 3]]))


def test_without_end_cut_sessions_are_lost() -> None:
    """A prefix of a normal session is found because END was not expected, and only because of that."""
    with_end = KeyModel.fit(NORMAL, SMALL)
    without = KeyModel.fit(NORMAL, SMALL, complete=[False] * len(NORMAL))
    assert with_end.learns_end
    assert not without.learns_end
    assert with_end.judge([[7, 2]])[0].reason is Reason.INCOMPLETE_SESSION
    assert without.judge([[7, 2]])[0] == without.judge([[7, 2]], complete=False)[0]
    assert not without.judge([[7, 2]])[0].is_anomaly
    assert not with_end.judge([[7, 2]], complete=False)[0].is_anomaly
    assert [v.is_anomaly for v in with_end.judge([[7, 2], [7, 2]], complete=[True, False])] == [True, False]
    assert END not in [symbol for symbol, _ in without.expected([START] * 4, k=16)]


def test_progress_of_all_networks_is_told_as_one() -> None:
    """Networks train side by side, yet progress only grows and ends at its full count; what it raises ends the fit."""
    calls: list[tuple[int, int]] = []
    KeyModel.fit(NORMAL, SMALL, progress=lambda step, of, *_: calls.append((step, of)))
    assert calls == sorted(calls)
    assert calls[-1] == (600, 600)

    def stop(*_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        KeyModel.fit(NORMAL, SMALL, progress=stop)


def test_expected_names_the_likeliest(model: KeyModel) -> None:
    """Candidates come with their symbols and probabilities, the likeliest first."""
    best = model.expected([START] * 4, k=2)
    assert model.key(best[0][0]) == 7
    assert best[0][1] > 0.9
    after = {model.key(symbol) for symbol, _ in model.expected([START, START, START, model.symbol(7)], k=2)}
    assert after == {2, 5}


def by_sorting(model: KeyModel, history: list[int], k: int) -> list[tuple[int, float]]:
    """Return the k likeliest symbols of one history by sorting all of them, with nothing remembered."""
    row = model._probabilities(np.array([history], np.int32))[0][0]
    ranked = sorted(range(len(row)), key=lambda symbol: (-row[symbol], symbol))
    return [(symbol, float(row[symbol])) for symbol in ranked[:k] if row[symbol] > 0]


@given(st.lists(st.lists(st.integers(0, 7), min_size=4, max_size=4), max_size=20), st.integers(0, 20), st.booleans())
@settings(max_examples=25, deadline=None)
def test_expected_of_many_is_that_of_each(
    model: KeyModel, histories: list[list[int]], k: int, judged_first: bool
) -> None:
    """Alone, in any company, any order and any pieces, judged before or not: the same symbols and probabilities."""
    array = np.array(histories, np.int32).reshape(-1, 4)
    fresh = KeyModel.from_parts(*model.parts())
    if judged_first:
        fresh.surprise(array, np.full(len(array), END, np.int32))
    want = [by_sorting(model, history, k) for history in histories]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs_room, "CELLS_AT_ONCE", 1)
        patch.setattr(pairs_room, "FEWEST_ROWS", 3)
        assert fresh.expected_many(array, k) == want
    assert fresh.expected_many(array[::-1], k)[::-1] == want
    assert [fresh.expected(history, k) for history in histories] == want


def test_what_was_judged_lately_is_named_without_asking_again(model: KeyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storm of anomalies costs no second pass through the networks: what was expected is kept with the scores."""
    histories = np.random.default_rng(3).integers(0, 7, (300, 4)).astype(np.int32)
    fresh = KeyModel.from_parts(*model.parts())
    fresh.surprise(histories, np.full(300, END, np.int32))
    want = [by_sorting(model, history, NAMED) for history in histories.tolist()]
    monkeypatch.setattr(Ensemble, "probabilities", lambda *_: pytest.fail("the networks were asked again"))
    assert fresh.expected_many(histories) == want


@given(sequences, st.integers(0, 3))
@settings(max_examples=8, deadline=None)
def test_same_log_same_bytes_in_any_order(log: list[list[int]], seed: int) -> None:
    """Same sessions, config and seed give the same bytes however they are listed; judging changes none (promise 2)."""
    if not any(log):
        log = [*log, [1]]
    config = TINY.model_copy(update={"seed": seed})
    model = KeyModel.fit(log, config)
    assert same_bytes(model, KeyModel.fit(log[::-1], config))
    before = copy.deepcopy(model.parts())
    forward, backward = model.judge(log), model.judge(log[::-1])[::-1]
    assert forward == backward == [model.judge([session])[0] for session in log]
    meta, arrays = model.parts()
    assert meta == before[0]
    assert all(arrays[name].tobytes() == before[1][name].tobytes() for name in arrays)
    restored = KeyModel.from_parts(*before)
    assert restored.judge(log) == forward
    assert same_bytes(model, restored)


@given(st.lists(st.lists(st.integers(0, 12), max_size=12), max_size=12))
@settings(max_examples=40, deadline=None)
def test_any_sessions_are_judged_alike_in_any_company(model: KeyModel, log: list[list[int]]) -> None:
    """Empty sessions, unknown keys, any order and any batch: one verdict each, the same as alone and after a reload."""
    together = model.judge(log)
    assert together == [model.judge([session])[0] for session in log]
    assert together == KeyModel.from_parts(*model.parts()).judge(log)
    for session, verdict in zip(log, together, strict=True):
        assert 0 <= verdict.position <= len(session)
        assert (verdict.reason is Reason.NEW_KEY) == any(model.symbol(key) == UNKNOWN for key in session)


def test_remembered_histories_never_change_an_answer(model: KeyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is bounded, and full, empty or overflowing it gives the same scores."""
    random = np.random.default_rng(1)
    histories = random.integers(0, 7, (500, 4)).astype(np.int32)
    targets = random.integers(1, 7, 500).astype(np.int32)
    want = KeyModel.from_parts(*model.parts()).surprise(histories, targets)
    small = KeyModel.from_parts(*model.parts())
    monkeypatch.setattr(small, "_room", 50)
    for start in range(0, 500, 30):
        assert np.array_equal(
            small.surprise(histories[start : start + 30], targets[start : start + 30]), want[start : start + 30]
        )
        assert len(small._remembered) <= 50
    assert np.array_equal(small.surprise(histories, targets), want)


def held_out_stream(entries: int, keys: int) -> tuple[HeldOut, Ensemble]:
    """Return a stream in which hardly any history comes twice, cut into two folds, and two untrained networks."""
    stream = np.random.default_rng(0).integers(3, 3 + keys, entries).astype(np.int32)
    found = windows([stream], [False], 3)
    unit = np.arange(entries)
    fold = unit * 2 // entries
    seen = np.arange(1024) < 3 + keys
    networks = tuple(initial(seen, hidden=4, layers=1, seed=seed) for seed in range(2))
    held_out = HeldOut(distinct_pairs(found, unit, fold, 2), unit, fold, 10.0)
    return held_out, Ensemble(networks, np.stack([seen, seen]))


def peak_of(work: Callable[[], object]) -> int:
    """Return the most bytes held during a call above those held before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["likelihood", "top-g"])
def test_calibration_holds_few_rows_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with distinct histories times keys, and the pieces change no bit of the scores."""
    held_out, ensemble = held_out_stream(entries=3_000, keys=1_000)
    rule = Rule(name, rare=1e-4, candidates=9)
    whole = held_out.scores(ensemble, rule, 0.001)
    monkeypatch.setattr(pairs_room, "CELLS_AT_ONCE", 1 << 18)
    pieces: list[npt.NDArray[np.float64]] = []
    peak = peak_of(lambda: pieces.append(held_out.scores(ensemble, rule, 0.001)))
    assert pieces[0].tobytes() == whole.tobytes()
    # one float64 row a history would be 12 MB a fold, and several such matrices are needed
    assert peak < 20e6


def test_judging_holds_few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many histories and keys, only so many rows are scored together, and the memory of them is bounded."""
    wide = KeyModel.fit([list(range(1, 1_001))] * 2, TINY)
    assert wide._room * 8 * 1024 <= CACHE_BYTES
    histories = np.random.default_rng(1).integers(0, 1_003, (3_000, 3)).astype(np.int32)
    targets = np.random.default_rng(2).integers(1, 1_003, 3_000).astype(np.int32)
    whole = KeyModel.from_parts(*wide.parts()).surprise(histories, targets)
    monkeypatch.setattr(pairs_room, "CELLS_AT_ONCE", 1 << 18)
    monkeypatch.setattr(wide, "_room", 500)
    found: list[npt.NDArray[np.float64]] = []
    peak = peak_of(lambda: found.append(wide.surprise(histories, targets)))
    assert found[0].tobytes() == whole.tobytes()
    assert peak < 20e6


@pytest.mark.parametrize(
    "log",
    [[[1]], [[1]] * 3, [[]], [[1, 1, 1, 1, 1, 1, 1, 1]], [list(range(1, 1001))] * 4],
    ids=["one key once", "one key", "empty session", "one session", "1,000 keys"],
)
def test_the_smallest_and_widest_logs_are_learnt(log: list[list[int]]) -> None:
    """One session, one key, an empty session or a thousand keys: a model, whose promise says how little it rests on."""
    model = KeyModel.fit(log, TINY)
    assert not model.promise.kept
    assert "promised" in model.promise.describe() or "not the 0.1% asked" in model.promise.describe()
    assert isinstance(model.judge(log)[0], SessionVerdict)
    assert model.judge([[9_999]])[0].reason is Reason.NEW_KEY


def test_nothing_to_learn_from_is_an_error() -> None:
    """No session, or only empty open ones: one clear error."""
    for log, complete in (([], None), ([[]], [False])):
        with pytest.raises(InputError, match="no sessions to learn from"):
            KeyModel.fit(log, TINY, complete=complete)


def test_a_stream_is_promised_by_the_entry() -> None:
    """A log without sessions is one stream: the promise counts entries, and END is not learnt."""
    stream = [1, 2, 3, 2] * 200
    model = KeyModel.fit([stream], TINY, per_entry=True)
    assert (model.promise.unit, model.promise.scores) == ("entry", 800)
    assert not model.learns_end
    assert not model.judge([stream], complete=False)[0].is_anomaly
    assert model.judge([[1, 2, 1, 2, 3, 9]], complete=False)[0].reason is Reason.NEW_KEY


def test_times_cut_the_folds() -> None:
    """With times the folds are contiguous in time: a key of the last days only is new to the network that judges it."""
    log = [[1, 2]] * 20 + [[1, 3]] * 10
    drifting = KeyModel.fit(log, TINY.model_copy(update={"folds": 3}), order=[float(n) for n in range(30)])
    assert drifting.promise.new == 10
    assert KeyModel.fit(log, TINY.model_copy(update={"folds": 3})).promise.new == 0


def test_top_g_asks_for_rank_and_for_more_than_chance() -> None:
    """Under top-g a candidate within g passes, one at the floor does not, however few candidates there are."""
    ranked = KeyModel.fit(NORMAL, SMALL.model_copy(update={"rule": "top-g", "candidates": 2}))
    assert not ranked.judge([[7, 2, 9]])[0].is_anomaly
    assert ranked.judge([[7, 2]])[0].reason is Reason.INCOMPLETE_SESSION
    assert ranked.threshold == 1.0


def test_long_logs_are_cut_to_what_is_kept() -> None:
    """Above the cap the latest sessions are kept where times are known, else a sample; of a stream, its end."""
    sessions = tuple(np.full(10, 3 + n, np.int32) for n in range(6))
    ended, times = (True,) * 6, (5.0, 4.0, 3.0, 2.0, 1.0, 0.0)
    latest = Lesson(sessions, ended, times, False, tuple(range(len(sessions)))).within(30, 0)
    assert [int(s[0]) for s in latest.sessions] == [3, 4, 5]
    assert latest.order == (5.0, 4.0, 3.0)
    sample = Lesson(sessions, ended, None, False, tuple(range(len(sessions)))).within(30, 0)
    assert len(sample.sessions) == 3
    stream = Lesson((np.arange(100, dtype=np.int32),), (False,), None, True, (0,)).within(30, 0)
    assert stream.sessions[0].tolist() == list(range(70, 100))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("keys", [1, 1, 2, 3]),
        ("keys", ["1", 2, 3, 4]),
        ("history", 5),
        ("capacity", 1 << 40),
        ("networks", 4),
        ("threshold", float("nan")),
        ("rare", 2.0),
        ("rule", "eval"),
        ("promise", {}),
        ("curves", 3),
        ("often", 0),
        ("candidates", 0),
        ("rare", float("nan")),
        ("threshold", float("inf")),
        ("threshold", 10**400),
        ("count_weight", float("inf")),
        ("curves", [{"floor": float("nan"), "points": []}]),
        ("curves", [{"floor": 0.1, "points": [[25, float("inf")]]}]),
        ("curves", [{"floor": 0.1, "points": [[float("inf"), 1.0]]}]),
        ("curves", [{"floor": 10**400, "points": []}]),
    ],
)
def test_a_damaged_model_is_refused(model: KeyModel, part: str, value: object) -> None:
    """What `parts` did not write gives one clear error and no half a model (promise 4)."""
    meta, arrays = model.parts()
    with pytest.raises(ModelError, match="fit the model again"):
        KeyModel.from_parts(meta | {part: value}, arrays)
    missing = {name: value for name, value in meta.items() if name != part}
    with pytest.raises(ModelError, match="fit the model again"):
        KeyModel.from_parts(missing, arrays)


@pytest.mark.parametrize("name", ["pairs.histories", "pairs.targets", "pairs.units", "sessions.lengths", "seen"])
def test_damaged_arrays_are_refused(model: KeyModel, name: str) -> None:
    """Missing arrays, other types, other shapes and symbols out of bounds are refused (promise 4)."""
    meta, arrays = model.parts()
    array = arrays[name]
    damaged = [
        {other: value for other, value in arrays.items() if other != name},
        arrays | {name: array.astype(np.float32)},
        arrays | {name: array[:-1]},
    ]
    if name != "seen":  # any byte of it that is not 0 means seen
        damaged.append(arrays | {name: (array.astype(np.int64) - 10_000).astype(array.dtype)})
    for parts in damaged:
        with pytest.raises(ModelError, match="fit the model again"):
            KeyModel.from_parts(meta, parts)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused(model: KeyModel, bad: float) -> None:
    """One NaN or infinity in any weight of any network is found on loading, not in a verdict (promise 4)."""
    meta, arrays = model.parts()
    weights = [name for name, array in arrays.items() if array.dtype == np.float32]
    assert len(weights) == 5 * len(model.curves)
    for name in weights:
        damaged = arrays[name].copy()
        damaged.flat[-1] = bad
        with pytest.raises(ModelError, match="fit the model again"):
            KeyModel.from_parts(meta, arrays | {name: damaged})


def hdfs(folder: Path, name: str) -> list[list[int]]:
    """Return the sessions of one file of the authors' copy."""
    with gzip.open(folder / "hdfs" / f"deeplog_copy_{name}.txt.gz", "rt") as file:
        return [[int(key) for key in line.split()] for line in file if line.strip()]


@pytest.mark.data
def test_hdfs_sessions_cut_short_are_found_by_end_alone(data_dir: Path) -> None:
    """On the authors' copy END finds thousands of sessions that are prefixes of normal ones; without it they are lost.

    A third of all 16,838 anomalous sessions are such prefixes. The config is small and fast, the promise 0.3%.
    """
    train = hdfs(data_dir, "train")
    prefixes = {tuple(session[:cut]) for session in train for cut in range(1, len(session))}
    cut = [session for session in hdfs(data_dir, "abnormal") if tuple(session) in prefixes]
    assert len(cut) > 6_000
    config = Config(
        hidden=24, layers=1, training_steps=300, folds=2, learning_rate=0.02, false_alarms=0.003, profile=False
    )
    with_end = KeyModel.fit(train, config)
    found = [verdict.reason for verdict in with_end.judge(cut)]
    assert sum(reason is Reason.INCOMPLETE_SESSION for reason in found) > 0.9 * len(cut)
    without = KeyModel.fit(train, config, complete=[False] * len(train))
    assert sum(verdict.is_anomaly for verdict in without.judge(cut)) < 0.01 * len(cut)
    normal = hdfs(data_dir, "normal_7000")
    assert np.mean([verdict.is_anomaly for verdict in with_end.judge(normal)]) < 0.01
