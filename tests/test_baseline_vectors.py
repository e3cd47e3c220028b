"""Simple detectors on value vectors: small cases worked by hand."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offscript.evaluate.baselines.vectors import (
    Columns,
    at_share,
    learn_isolation_forest,
    learn_quantiles,
    learn_z_scores,
)

NAN = np.nan
TRAIN = np.array([[10.0, NAN, 5.0], [14.0, NAN, 5.0], [NAN, 1.0, 5.0], [NAN, 3.0, 5.0]])
"""Two positions seen twice each, with means 12 and 2 and deviations 2 and 1, and one that never changes."""


class TestZScores:
    @pytest.mark.parametrize(
        ("row", "score"),
        [
            ([12.0, NAN, 5.0], 0.0),
            ([17.0, NAN, 5.0], 2.5),
            ([6.0, NAN, 5.0], 3.0),
            ([NAN, 4.5, 5.0], 2.5),
            ([15.0, 4.0, 5.0], 2.0),
            ([NAN, NAN, NAN], 0.0),
        ],
    )
    def test_by_hand(self, row: list[float], score: float) -> None:
        """The largest distance from a mean counts, in deviations; what a row has not is passed over."""
        assert learn_z_scores(TRAIN)(np.array([row])).tolist() == [score]

    def test_another_value_of_a_constant(self) -> None:
        """Of a position that never changed any other value is farther off than anything else, and finite."""
        (score,) = learn_z_scores(TRAIN)(np.array([[12.0, NAN, 5.001]]))
        assert 1e4 < score < np.inf


class TestQuantiles:
    @pytest.mark.parametrize(
        ("value", "score"), [(1995.0, 1.01010101), (995.0, 0.0), (500.0, -0.5), (0.0, 0.00505051), (-985.0, 1.0)]
    )
    def test_by_hand(self, value: float, score: float) -> None:
        """Of 0, 1 ... 1000 the normal ones are from 5 to 995, 990 apart: the excess counts in that distance."""
        train = np.arange(1001.0)[:, None]
        assert learn_quantiles(train)(np.array([[value]])).tolist() == pytest.approx([score])

    def test_nothing_there(self) -> None:
        """A row without numbers is as normal as can be."""
        assert learn_quantiles(TRAIN)(np.array([[NAN, NAN, NAN]])).tolist() == [-1.0]

    def test_another_value_of_a_constant(self) -> None:
        """Of a position that never changed any other value is farther off than anything else."""
        rows = np.array([[NAN, NAN, 6.0], [NAN, 9.0, 5.0]])
        constant, other = learn_quantiles(TRAIN)(rows)
        assert constant > 1e6 > other > 0


@pytest.mark.skipif(
    find_spec("sklearn") is None,
    reason="the extra `baselines` is not installed (pip install '.[baselines]'); .ci/run has it",
)
class TestIsolationForest:
    def test_what_lies_apart_is_isolated_first(self) -> None:
        """Of rows of two keys the one with a number far from all others scores highest; a seed gives the same again."""
        chance = np.random.default_rng(0)
        train = np.full((200, 2), NAN)
        train[:100, 0], train[100:, 1] = chance.normal(20, 1, 100), chance.normal(5, 1, 100)
        rows = np.array([[20.0, NAN], [NAN, 5.0], [90.0, NAN]])
        scores = learn_isolation_forest(train, seed=3)(rows)
        assert scores.argmax() == 2
        assert learn_isolation_forest(train, seed=3)(rows).tolist() == scores.tolist()

    def test_equal_rows_are_scored_alike(self) -> None:
        """Rows come back in their order, equal ones with equal scores, and none is an empty answer."""
        score = learn_isolation_forest(np.arange(40.0).reshape(20, 2))
        one, two, again = score(np.array([[3.0, 4.0], [99.0, 0.0], [3.0, 4.0]]))
        assert one == again < two


class TestThreshold:
    @given(st.lists(st.floats(0, 5), min_size=1), st.integers(0, 12))
    def test_at_most_so_many_are_above(self, scores: list[float], flagged: int) -> None:
        """Of the normal scores at most so many pass the threshold, and it is the lowest such."""
        normal = np.array(scores)
        limit = at_share(normal, flagged)
        assert (normal > limit).sum() <= flagged
        if flagged < len(scores):
            assert (normal >= limit).sum() > flagged
        else:
            assert (normal > limit).all()


class TestColumns:
    def test_unknown_keys_and_numbers_are_left_out(self) -> None:
        """A key that training has not has no columns, nor has a number beyond those of its key."""
        columns = Columns.of([(7, (1.0, 2.0)), (9, (3.0,))])
        assert columns.count == 3
        assert not columns.knows([(7, (1.0, 2.0)), (8, (1.0,))])
        rows = columns.matrix([(8, (1.0,)), (9, (4.0, 5.0))])
        assert np.array_equal(rows, [[NAN, NAN, NAN], [NAN, NAN, 4.0]], equal_nan=True)
