"""The baselines are what their papers describe: small cases worked by hand, and slow versions that they must equal."""

from __future__ import annotations

import math
from collections import Counter
from importlib.util import find_spec
from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offscript.config import Config
from offscript.evaluate.baselines.clustering import fit_clusters, weighed
from offscript.evaluate.baselines.counts import count_matrix, keys_of
from offscript.evaluate.baselines.deeplog import fit_deeplog
from offscript.evaluate.baselines.invariants import EPSILON, mine_invariants
from offscript.evaluate.baselines.judged import (
    Judged,
    at_threshold,
    conformal_threshold,
    held_out_scores,
    highest,
)
from offscript.evaluate.baselines.ngram import fit_ngram
from offscript.evaluate.baselines.pca import fit_subspace, q_threshold
from offscript.evaluate.baselines.ranks import ranks
from offscript.evaluate.baselines.simple import judge_length, judge_new_event, learn_count_vectors
from offscript.evaluate.hdfs_sessions import Session, in_order

needs_sklearn = pytest.mark.skipif(
    find_spec("sklearn") is None,
    reason="the extra `baselines` is not installed (pip install '.[baselines]'); .ci/run installs it",
)

sessions = st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=6).map(tuple), min_size=1, max_size=12)


class TestCounts:
    def test_keys_never_seen_share_a_column(self) -> None:
        """Counts have a column for each training key, and one for all others."""
        assert count_matrix([(5, 7, 5), (8, 9, 7)], keys_of([(7, 5)])).tolist() == [[2, 1, 0], [0, 1, 2]]


class TestThresholds:
    def test_a_share_of_held_out_scores(self) -> None:
        """Of 99 scores the highest is passed by one new session in a hundred: at 1% it is the threshold."""
        scores, once = np.arange(1.0, 100.0), np.ones(99, np.int64)
        assert conformal_threshold(scores, once, 0.01) == 99.0
        assert conformal_threshold(scores, once, 0.05) == 95.0
        assert conformal_threshold(scores, once, 0.009) == math.inf

    def test_counts_weigh(self) -> None:
        """A session that came often counts as often."""
        assert conformal_threshold(np.array([3.0, 2.0, 1.0]), np.array([2, 7, 90]), 0.02) == 3.0
        assert conformal_threshold(np.array([3.0, 2.0, 1.0]), np.array([2, 7, 90]), 0.03) == 2.0
        assert conformal_threshold(np.array([3.0, 2.0, 1.0]), np.array([2, 7, 90]), 0.1) == 1.0

    @given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.sampled_from([0.01, 0.05, 0.2, 0.5]))
    def test_no_more_than_the_share_is_above(self, raw: list[int], share: float) -> None:
        """Of n held-out scores and a new one at most the share is above the threshold, and equals are all below."""
        scores = np.array(raw, np.float64)
        threshold = conformal_threshold(scores, np.ones(len(raw), np.int64), share)
        above = int((scores > threshold).sum())
        assert above + 1 <= max(1, share * (len(raw) + 1) * (1 + 1e-9)) or threshold == math.inf

    @given(st.lists(st.floats(0, 5), min_size=1, max_size=9), st.floats(0, 4))
    def test_scores_are_on_one_scale(self, raw: list[float], threshold: float) -> None:
        """Exactly what is above the threshold scores 1.0 and more, and has a reason."""
        found = at_threshold(np.array(raw), threshold, "far")
        above = [value > threshold for value in raw]
        assert found.flagged.tolist() == above
        assert [reason == "far" for reason in found.reasons] == above

    def test_each_session_is_scored_by_what_others_taught(self) -> None:
        """Held-out scores come from the other folds only: a session unlike all others is strange, a common one not."""
        train = [(1, 2)] * 30 + [(9, 9, 9)]
        scores, counts = held_out_scores(learn_count_vectors, train, seed=0)
        assert counts.sum() == 31
        assert max(zip(scores.tolist(), counts.tolist(), strict=True)) == (1.0, 1)
        assert counts[scores == 0].sum() == 30

    def test_several_as_one(self) -> None:
        """The highest score counts, with the reason of the first that reached it."""
        one = Judged(np.array([1.0, 0.0, 0.5]), ("a", "", ""))
        two = Judged(np.array([1.0, 2.0, 0.7]), ("b", "b", ""))
        both = highest([one, two])
        assert both.scores.tolist() == [1, 2, 0.7]
        assert both.reasons == ("a", "b", "")


class TestPca:
    def test_the_q_statistic(self) -> None:
        """With one eigenvalue h0 is 1/3, and the threshold is the Wilson-Hilferty point of chi-square: by hand."""
        c = NormalDist().inv_cdf(0.95)
        # phi1 = phi2 = phi3 = 1: h0 = 1 - 2/3; c sqrt(2 h0^2) + 1 + h0 (h0 - 1) = c sqrt(2)/3 + 7/9; to the power 3
        assert q_threshold(np.array([1.0]), 0.05) == pytest.approx((c * math.sqrt(2) / 3 + 7 / 9) ** 3)
        assert q_threshold(np.array([4.0]), 0.05) == pytest.approx(4 * q_threshold(np.array([1.0]), 0.05))

    def test_a_small_case_by_hand(self) -> None:
        """Two keys each in half of the sessions, never together: one direction holds all, what is off it is error."""
        learnt = fit_subspace([(1,), (2,)], np.array([1, 1]))
        weight = math.log(2)
        assert learnt.keys == (1, 2)
        assert learnt.weights[:2] == pytest.approx([weight, weight])
        assert np.abs(learnt.directions[:, 0]) == pytest.approx([math.sqrt(0.5), math.sqrt(0.5), 0])
        # (1, 2) lies half a weight beyond the mean in both keys, across the direction: 2 (weight / 2)^2
        assert learnt.errors([(1,), (2,), (1, 2)]) == pytest.approx([0, 0, weight**2 / 2], abs=1e-12)

    def test_how_often_a_session_came_weighs(self) -> None:
        """Distinct sessions with counts give what the sessions give one by one."""
        each = [(1, 2)] * 5 + [(1, 2, 2)] * 3 + [(1, 3)] * 2
        plain = fit_subspace(each, np.ones(len(each)))
        counted = fit_subspace(*in_order(each))
        assert plain.threshold == pytest.approx(counted.threshold)
        assert plain.errors([(1, 4), (2, 2, 2)]) == pytest.approx(counted.errors([(1, 4), (2, 2, 2)]))


def broken_by_hand(train: list[Session], session: Session, support: float) -> bool:
    """Whether some vector of at most two keys, with coefficients up to 3, that training keeps is broken."""
    keys = keys_of(train)
    known, own = count_matrix(train, keys), count_matrix([session], keys)[0]
    for vector in product(range(-3, 4), repeat=len(keys) + 1):
        if 1 <= sum(map(bool, vector)) <= 2:
            kept = (np.abs(known @ np.array(vector)) < EPSILON).mean()
            if kept >= support and abs(float(own @ np.array(vector))) >= EPSILON:
                return True
    return False


class TestInvariants:
    def test_a_small_case_by_hand(self) -> None:
        """Key 2 comes twice as often as key 1, key 3 hardly ever: these and no others are found."""
        train = [(1, 2, 2)] * 50 + [(1, 1, 2, 2, 2, 2)] * 49 + [(1, 2, 2, 3)]
        learnt = mine_invariants(*in_order(train))
        assert learnt.keys == (1, 2, 3)
        assert sorted(learnt.coefficients.tolist()) == [[0, 0, 0, 1], [0, 0, 1, 0], [2, -1, 0, 0]]
        assert learnt.broken([(1, 2, 2), (1, 2), (3,), (9, 9)]).tolist() == [0, 1, 1, 1]

    def test_support_is_the_share_that_keeps_it(self) -> None:
        """A relation that three in a hundred break is none at 98%, and one at 97%."""
        train = [(1, 2)] * 50 + [(1, 2, 1, 2)] * 47 + [(1, 2, 2)] * 3
        for support, found in ((0.98, 0), (0.97, 1)):
            learnt = mine_invariants(*in_order(train), support=support)
            assert [row for row in learnt.coefficients.tolist() if row[0]] == [[1, -1, 0]] * found

    @given(
        st.lists(st.integers(1, 3), min_size=1, max_size=3),
        st.lists(st.integers(1, 4), min_size=1, max_size=6).map(tuple),
    )
    def test_what_the_search_finds_is_what_trying_all_finds(self, times: list[int], session: Session) -> None:
        """Sessions of n times (1, 2, 2) and one 3: whatever breaks a relation of two keys breaks one that was found."""
        train = [(1, 2, 2) * n + (3,) for n in times]
        learnt = mine_invariants(*in_order(train))
        assert not learnt.broken(train).any()
        if broken_by_hand(train, session, 1.0):
            assert learnt.broken([session])[0] > 0


class TestClustering:
    def test_weights(self) -> None:
        """A key counts once, and the more the fewer sessions have it: ln(1/share) through the logistic function."""
        assert weighed(np.array([[2.0, 1.0]]), np.array([0.0, math.log(3)])).tolist() == [[0.5, 0.75]]

    @needs_sklearn
    def test_a_small_case_by_hand(self) -> None:
        """Sessions with the same keys are one cluster; a new one is as far as its cosine says."""
        learnt = fit_clusters(*in_order([(1, 2), (1, 1, 2), (3,), (3, 3)]))
        assert len(learnt.means) == 2
        # keys 1 and 2 are each in half of the sessions and weigh alike: (1,) is at 45 degrees to (1, 2)
        assert learnt.distances([(2, 1), (3,), (1,), (7,)]) == pytest.approx([0, 0, 1 - math.sqrt(0.5), 1])


class TestSimple:
    def test_new_event_and_length(self) -> None:
        """A key not in training, a length not between those of training: nothing else is flagged."""
        train = [(1, 2, 3), (1, 2)]
        assert judge_new_event(train, [(3, 1), (4,)]).flagged.tolist() == [False, True]
        assert judge_length(train, [(9, 9), (1,), (1,) * 4]).flagged.tolist() == [False, True, True]

    @given(sessions, sessions)
    def test_count_vectors_are_as_defined(self, train: list[Session], others: list[Session]) -> None:
        """The distance is that of the nearest training session, written out key by key."""

        def apart(one: Session, two: Session) -> float:
            left, right = Counter(one), Counter(two)
            keys = left.keys() | right.keys()
            return sum(abs(left[k] - right[k]) for k in keys) / sum(max(left[k], right[k]) for k in keys)

        found = learn_count_vectors(*in_order(train))(others)
        assert found == pytest.approx([min(apart(one, two) for two in train) for one in others])


def naive_rank(train: list[Session], session: Session, place: int, history: int, *, end: bool) -> float:
    """The rank of a key by counting, window by window; the end is key 0, the time before the start key -1."""

    def tape(one: Session) -> list[int]:
        return [-1] * history + list(one) + ([0] if end else [])

    own = tape(session)
    before, key = own[place : place + history], own[place + history]
    nexts = Counter(
        tape(one)[n + history]
        for one in train
        for n in range(len(tape(one)) - history)
        if tape(one)[n : n + history] == before
    )
    return 1 + sum(count > nexts[key] for count in nexts.values()) if nexts[key] else math.inf


class TestNextKey:
    def test_an_ngram_by_hand(self) -> None:
        """After 1 come 2 (three times) and 3 (once): they rank first and second; what never came has no rank."""
        learnt = fit_ngram(*in_order([(1, 2), (1, 2), (1, 2), (1, 3)]), end=True)
        found = ranks(learnt, learnt.vocabulary, [(1, 2), (1, 3), (1, 1), (1, 9), (1,)], history=1, end=True)
        assert found.highest().tolist() == [1, 2, math.inf, math.inf, math.inf]
        assert found.judged(1).reasons == ("", "unexpected_key", "unexpected_key", "new_key", "incomplete_session")
        assert found.judged(2).flagged.tolist() == [False, False, True, True, True]

    @given(sessions, sessions, st.integers(1, 3), st.booleans())
    def test_ranks_are_those_of_counting(
        self, train: list[Session], others: list[Session], history: int, end: bool
    ) -> None:
        """The ranks of an N-gram equal those counted window by window, ends included or not."""
        known = set(keys_of(train))
        others = [one for one in others if known.issuperset(one)]
        learnt = fit_ngram(*in_order(train), end=end, history=history)
        found = ranks(learnt, learnt.vocabulary, others, history=history, end=end)
        expected = [
            naive_rank(train, one, place, history, end=end) for one in others for place in range(len(one) + end)
        ]
        assert found.rank.tolist() == expected

    def test_the_share_within_g_counts_keys(self) -> None:
        """Of keys of normal sessions, ends left out, each session as often as it came."""
        learnt = fit_ngram(*in_order([(1, 2), (1, 2), (1, 3)]), end=True)
        found = ranks(learnt, learnt.vocabulary, [(1, 2), (1, 3)], history=1, end=True)
        assert found.share_within(1, np.array([3, 1])) == 7 / 8
        assert found.share_within(2, np.array([3, 1])) == 1

    def test_deeplog_learns_order_and_end(self) -> None:
        """A network on every window of sessions ranks the usual next key, and the end, first."""
        train = [(1, 2, 3)] * 30 + [(1, 3)] * 10
        config = Config(history=3, hidden=12, layers=1, training_steps=150, batch_size=64, learning_rate=0.02)
        learnt = fit_deeplog(train, config, end=True)
        found = ranks(learnt, learnt.vocabulary, [(1, 2, 3), (1, 2)], history=3, end=True)
        assert found.highest()[0] == 1
        assert found.judged(1).reasons == ("", "incomplete_session")
        assert learnt.curve.gap < 0.3
        without = fit_deeplog(train, config, end=False)
        assert ranks(without, without.vocabulary, [(1, 2)], history=3, end=False).judged(1).reasons == ("",)
