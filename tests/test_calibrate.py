"""Calibration: promised shares are kept, and what cannot be promised is said."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript.errors import ModelError
from offscript.models.calibrate import Promise, Rule, Scores, folds_of, promised, support, thresholds_for


def alone(scores: npt.NDArray[np.float64], share: float, highest: float = 1e9) -> tuple[float, float]:
    """Return the threshold of one detector, and the share promised."""
    (threshold,), promise = thresholds_for([Scores(scores, math.log(2), highest)], share)
    return threshold, promise


@given(st.integers(1, 400), st.floats(0.001, 0.5), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_a_promised_share_is_kept_by_the_scores_it_rests_on(count: int, share: float, seed: int) -> None:
    """With at least 1/share - 1 scores the share is promised, with fewer 1/(n+1); never less than what was seen."""
    scores = np.random.default_rng(seed).exponential(5, count)
    threshold, promise = alone(scores, share)
    assert promise >= ((scores >= threshold).sum() + 1) / (count + 1)
    assert promise <= max(share, 1 / (count + 1)) * (1 + 1e-9)


@given(
    st.integers(1, 300),
    st.lists(st.tuples(st.floats(0.1, 4), st.sampled_from([0.0, 0.5, 3.0])), min_size=1, max_size=3),
    st.floats(0.002, 0.5),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=150, deadline=None)
def test_detectors_together_keep_one_share(
    count: int, shapes: list[tuple[float, float]], share: float, seed: int
) -> None:
    """Whatever the tails, ties and ranges of several detectors, all together flag no more than one share allows."""
    random = np.random.default_rng(seed)
    raws = [np.maximum(random.exponential(1, count) ** power - quiet, 0) for power, quiet in shapes]
    thresholds, promise = thresholds_for([Scores(raw, 0.2) for raw in raws], share)
    flagged = np.any([raw >= threshold for raw, threshold in zip(raws, thresholds, strict=True)], axis=0).sum()
    assert (flagged + 1) / (count + 1) <= max(share, 1 / (count + 1)) * (1 + 1e-9)
    assert flagged + 1 <= round(promise * (count + 1)) <= flagged + len(shapes)
    assert all(math.isfinite(threshold) and threshold >= 0.2 for threshold in thresholds)


def test_what_one_detector_leaves_another_takes() -> None:
    """A detector that finds nothing above its lowest threshold costs nothing: the other has the whole share."""
    raw = np.arange(1.0, 1000.0)
    both, promise = thresholds_for([Scores(raw, 0.5), Scores(np.zeros(999), 0.5)], 0.01)
    assert both[0] == pytest.approx(alone(raw, 0.01)[0])
    assert both[1] == pytest.approx(0.5, rel=0.01)
    assert promise == 0.01


def test_sessions_that_two_detectors_flag_count_once() -> None:
    """Two detectors that say the same have the threshold of one."""
    raw = np.random.default_rng(0).exponential(1, 999)
    both, promise = thresholds_for([Scores(raw, 0.1), Scores(raw * 3, 0.1)], 0.01)
    assert both == [pytest.approx(alone(raw, 0.01)[0]), pytest.approx(3 * alone(raw, 0.01)[0])]
    assert promise == 0.01


def test_one_odd_session_moves_no_threshold() -> None:
    """However far out the oddest session of a group is, the thresholds stay where they are."""
    order = np.random.default_rng(3).permutation(np.linspace(1, 5, 999))
    found = []
    for farthest in (20.0, 4000.0):
        times = np.concatenate(([farthest], np.linspace(2, 9, 998)))
        found.append(thresholds_for([Scores(order, 0.7), Scores(times, 0.7, group=1)], 0.01)[0])
    assert found[0] == pytest.approx(found[1])


def test_what_thins_out_slowly_puts_no_other_threshold_out_of_reach() -> None:
    """Distances that are mostly zero and seldom large leave order a threshold that its own scores reach.

    As one group they would not: one factor for both, and order, whose scores hardly differ, would be silent.
    """
    random = np.random.default_rng(6)
    order, times = 5 + random.exponential(0.5, 5_000), 4 + random.exponential(1, 5_000)
    counts = np.concatenate((np.zeros(4_988), np.geomspace(0.3, 4, 12)))
    reached = []
    for group in (0, 4):
        detectors = [Scores(order, 0.7), Scores(counts, 0.2, group=group), Scores(times, 0.7, group=1)]
        thresholds, promise = thresholds_for(detectors, 0.003)
        flagged = np.array([one.raw >= threshold for one, threshold in zip(detectors, thresholds, strict=True)])
        reached.append(int(flagged[0].sum()))
        assert promise <= 0.003
        assert flagged[1:].any(axis=1).all()
    assert reached[0] == 0
    assert reached[1] >= 3


def test_the_mean_realised_share_is_the_promised_one() -> None:
    """Over many logs, the share of new normal scores flagged is at most the promise, and not far below it."""
    random = np.random.default_rng(0)
    flagged, promises = [], []
    for _ in range(300):
        threshold, promise = alone(random.exponential(3, 499), 0.01)
        flagged.append((random.exponential(3, 2_000) >= threshold).mean())
        promises.append(promise)
    assert 0.7 * np.mean(promises) < np.mean(flagged) < 1.1 * np.mean(promises)


@pytest.mark.parametrize("share", [0.01, 0.003])
def test_two_detectors_realise_what_they_promise(share: float) -> None:
    """On exchangeable sessions two detectors, related and heavy-tailed, flag the promised share of new ones on average.

    And about one log in a hundred lies above its bound.
    """
    random = np.random.default_rng(1)

    def draw(count: int) -> list[npt.NDArray[np.float64]]:
        odd = random.exponential(1, count)
        return [odd + random.exponential(3, count), np.where(random.random(count) < 0.02, odd**3, 0.0)]

    flagged, promises, above = [], [], 0
    for _ in range(300):
        thresholds, share_promised = thresholds_for([Scores(raw, 0.2) for raw in draw(1_500)], share)
        pairs = zip(draw(3_000), thresholds, strict=True)
        found = int(np.any([raw >= threshold for raw, threshold in pairs], axis=0).sum())
        flagged.append(found / 3_000)
        promises.append(share_promised)
        above += found > Promise(share_promised, share, 1_500, 0, 4, "session").bound(3_000)
    assert 0.6 * np.mean(promises) < np.mean(flagged) < 1.1 * np.mean(promises)
    assert above <= 9


def test_the_cap_costs_and_the_promise_says_so() -> None:
    """Where more normal sessions than allowed do what was never seen, it is flagged still, and the promise tells."""
    scores = np.array([0.1] * 95 + [9.0] * 5)
    threshold, share = alone(scores, 0.01, highest=9.0)
    assert threshold == 9.0
    assert share == 6 / 101
    line = Promise(share, 0.01, 100, 0, 5, "session").describe()
    assert line.startswith("about 5.94% of normal sessions flagged")
    assert "\n" not in line


def test_new_keys_use_up_the_same_share() -> None:
    """Sessions with a new key count as infinite scores: with as many as allowed, the next highest is the threshold."""
    threshold, share = alone(np.array([1.0] * 98 + [math.inf]), 0.02, highest=9.0)
    assert threshold == pytest.approx(1.0, rel=0.01)
    assert share == 0.02
    assert alone(np.array([1.0] * 97 + [math.inf] * 2), 0.02, highest=9.0) == (9.0, 0.03)


def test_few_scores_promise_little() -> None:
    """A share below 1/(n+1) is not promised: the line says how many sessions it takes."""
    _, share = alone(np.arange(1.0, 50.0), 0.001, highest=99.0)
    assert share == 0.02
    assert "that takes 999 sessions" in Promise(share, 0.001, 49, 0, 5, "session").describe()
    assert alone(np.empty(0), 0.001, highest=9.0) == (9.0, 1.0)
    assert "can be promised" in Promise(1.0, 0.001, 0, 0, 1, "entry").describe()
    assert promised(1, 2) == 2 / 3


@pytest.mark.parametrize(("share", "scores"), [(0.001, 4855), (0.003, 4855), (0.01, 999), (0.2, 4), (1.0, 3)])
def test_the_bound_is_that_of_chance(share: float, scores: int) -> None:
    """Counts of exchangeable scores lie above the printed bound once in a hundred, as simulated."""
    promise = Promise(share, 0.5, scores, 0, 4, "session")
    k = max(1, round(share * (scores + 1)))
    random = np.random.default_rng(2)
    above = random.beta(k, max(1, scores + 1 - k), 20_000) if k <= scores else np.ones(20_000)
    found = random.binomial(2_000, above)
    bound = promise.bound(2_000)
    assert (found > bound).mean() < 0.013
    assert bound == 0 or (found > bound - 1).mean() > 0.007
    assert promise.bound(0) == 0


def test_even_odds_are_always_on_script() -> None:
    """However regular the held-out sessions, a key of probability one half stays below the threshold."""
    assert alone(np.full(5_000, 1e-6), 0.001)[0] == math.log(2)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 12), st.floats(1e-4, 0.05))
@settings(max_examples=100, deadline=None)
def test_near_zero_candidates_are_no_lottery(values: list[float], candidates: int, rare: float) -> None:
    """Candidates at the floor share one score under both rules, as ranks 1.0 or more, whatever their order."""
    rows = np.array([values])
    for name in ("likelihood", "top-g"):
        rule = Rule(name, rare, candidates)
        scores = rule.raw(rows)[0]
        low = rows[0] <= (rule.floor if name == "likelihood" else rare)
        assert len(set(scores[low].tolist())) <= 1
        assert not low.any() or name == "likelihood" or scores[low].min() >= 1
        shuffled = np.random.default_rng(0).permutation(len(values))
        assert np.array_equal(rule.raw(rows[:, shuffled])[0], scores[shuffled])


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.floats(1e-4, 0.05))
@settings(max_examples=60, deadline=None)
def test_the_score_of_one_symbol_is_that_of_its_row(seed: int, candidates: int, rare: float) -> None:
    """Under both rules, with equal candidates and rare ones."""
    chance = np.random.default_rng(seed)
    rows = chance.choice([0.0, 1e-6, rare, 0.05, 0.2, 0.3], (15, 9))
    targets = chance.integers(0, 9, 15)
    for name in ("likelihood", "top-g"):
        rule = Rule(name, rare, candidates)
        assert rule.raw_at(rows, targets).tolist() == rule.raw(rows)[np.arange(15), targets].tolist()


def test_rank_g_is_the_last_candidate() -> None:
    """Under top-g, ranks 1 to g score below 1.0 and rank g + 1 scores exactly 1.0."""
    scores = Rule("top-g", 1e-9, 2).raw(np.array([[0.5, 0.3, 0.15, 0.05]]))[0]
    assert scores.tolist() == [1 / 3, 2 / 3, 1.0, 4 / 3]


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_folds_in_time_are_contiguous_and_even(times: list[int], folds: int) -> None:
    """Folds follow the times, and their sizes differ by at most one; dealt ones do not depend on the listing."""
    fold = folds_of(times, folds, random=None)
    by_time = fold[np.argsort(times, kind="stable")]
    assert (np.diff(by_time) >= 0).all()
    sizes = np.bincount(fold, minlength=folds)
    assert sizes.max() - sizes.min() <= 1
    names = list(enumerate(times))
    dealt = folds_of(names, folds, random=np.random.default_rng(1))
    assert np.array_equal(folds_of(names[::-1], folds, random=np.random.default_rng(1))[::-1], dealt)


def test_support_is_two_sessions_at_least() -> None:
    """One session is no evidence; the share that would use up the promise is."""
    assert [support(0.001, units) for units in (10, 2_000, 4_855)] == [2, 2, 5]


@pytest.mark.parametrize(
    "damage",
    [
        {"share": 2.0},
        {"share": math.nan},
        {"share": math.inf},
        {"asked": 0.0},
        {"asked": math.nan},
        {"scores": "1"},
        {"scores": True},
        {"scores": math.inf},
        {"new": -1},
        {"new": 11},
        {"folds": 0},
        {"unit": "line"},
        {"unit": []},
        {"more": 1},
    ],
)
def test_a_damaged_promise_is_refused(damage: dict[str, object]) -> None:
    """What `to_dict` did not write is refused with one clear line."""
    sound = Promise(0.001, 0.001, 10, 0, 5, "session")
    assert Promise.from_dict(sound.to_dict()) == sound
    with pytest.raises(ModelError, match="fit the model again"):
        Promise.from_dict(sound.to_dict() | damage)
