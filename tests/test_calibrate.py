"""Calibration: promised shares are kept, and what cannot be promised is said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript.errors import ModelError
from offscript.models.calibrate import Promise, Rule, folds_of, promised, support, threshold_for


@given(st.integers(1, 400), st.floats(0.001, 0.5), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_a_promised_share_is_kept_by_the_scores_it_rests_on(count: int, share: float, seed: int) -> None:
    """With at least 1/share - 1 scores the share is promised, with fewer 1/(n+1); never less than what was seen."""
    scores = np.random.default_rng(seed).exponential(5, count)
    threshold, promise = threshold_for(scores, share, rare=1e9, highest=1e9)
    assert promise >= ((scores >= threshold).sum() + 1) / (count + 1)
    assert promise <= max(share, 1 / (count + 1)) * (1 + 1e-9)


def test_the_mean_realised_share_is_the_promised_one() -> None:
    """Over many logs, the share of new normal scores flagged is at most the promise, and not far below it."""
    random = np.random.default_rng(0)
    flagged, promises = [], []
    for _ in range(300):
        threshold, promise = threshold_for(random.exponential(3, 499), 0.01, rare=1e9, highest=1e9)
        flagged.append((random.exponential(3, 2_000) >= threshold).mean())
        promises.append(promise)
    assert 0.7 * np.mean(promises) < np.mean(flagged) < 1.1 * np.mean(promises)


def test_the_cap_costs_and_the_promise_says_so() -> None:
    """Where more normal sessions than allowed do what was never seen, it is flagged still, and the promise tells."""
    scores = np.array([0.1] * 95 + [9.0] * 5)
    threshold, share = threshold_for(scores, 0.01, rare=7.0, highest=9.0)
    assert threshold == 9.0
    assert share == 6 / 101
    line = Promise(share, 0.01, 100, 0, 5, "session").describe()
    assert line.startswith("about 5.94% of normal sessions flagged")
    assert "\n" not in line


def test_what_never_happens_is_flagged_for_half_as_much_again() -> None:
    """Rare keys are flagged where that takes at most 1.5 times the share asked; beyond, the threshold moves up."""
    odd = np.array([0.1] * 987 + [8.0] * 4 + [9.0] * 8)
    threshold, share = threshold_for(odd, 0.01, rare=7.0, highest=11.0)
    assert (threshold, share) == (7.0, 0.013)
    odder = np.array([0.1] * 900 + [8.0] * 91 + [9.0] * 8)
    threshold, share = threshold_for(odder, 0.01, rare=7.0, highest=11.0)
    assert threshold == pytest.approx(8.0, rel=0.01)
    assert share == 0.009


def test_new_keys_use_up_the_same_share() -> None:
    """Sessions with a new key count as infinite scores: with as many as allowed, the next highest is the threshold."""
    threshold, share = threshold_for(np.array([1.0] * 98 + [math.inf]), 0.02, rare=9.0, highest=9.0)
    assert threshold == pytest.approx(1.0, rel=0.01)
    assert share == 0.02
    assert threshold_for(np.array([1.0] * 97 + [math.inf] * 2), 0.02, rare=9.0, highest=9.0) == (9.0, 0.03)


def test_few_scores_promise_little() -> None:
    """A share below 1/(n+1) is not promised: the line says how many sessions it takes."""
    _, share = threshold_for(np.arange(1.0, 50.0), 0.001, rare=9.0, highest=99.0)
    assert share == 0.02
    assert "that takes 999 sessions" in Promise(share, 0.001, 49, 0, 5, "session").describe()
    assert threshold_for(np.empty(0), 0.001, rare=9.0, highest=9.0) == (9.0, 1.0)
    assert "can be promised" in Promise(1.0, 0.001, 0, 0, 1, "entry").describe()
    assert promised(np.array([1.0, 3.0]), 2.0) == 2 / 3


def test_even_odds_are_always_on_script() -> None:
    """However regular the held-out sessions, a key of probability one half stays below the threshold."""
    assert threshold_for(np.full(5_000, 1e-6), 0.001, rare=9.0, highest=9.0)[0] == math.log(2)


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
