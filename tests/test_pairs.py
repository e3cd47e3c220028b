"""Pairs: what a key model learns from."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import naive_keys

from offscript.models.pairs import (
    Sightings,
    Symbols,
    Vocabulary,
    at_targets,
    distinct_pairs,
    floor_of,
    rows_at_once,
    unique_rows,
    windows,
)

sessions_of_symbols = st.lists(
    st.tuples(st.lists(st.integers(3, 6), max_size=8), st.booleans()), min_size=1, max_size=8
)


@given(sessions_of_symbols, st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_pairs_equal_the_obvious_loop(sessions: list[tuple[list[int], bool]], history: int) -> None:
    """Distinct pairs and the number of sessions that hold each are those of one loop over every session."""
    keys, complete = [keys for keys, _ in sessions], [ended for _, ended in sessions]
    found = windows([np.array(k, np.int32) for k in keys], complete, history)
    pairs = distinct_pairs(found, found.session, found.session % 2, folds=2)
    rows = zip(pairs.histories.tolist(), pairs.targets.tolist(), pairs.units.sum(axis=1).tolist(), strict=True)
    got = Counter({(tuple(row), target): count for row, target, count in rows})
    assert got == naive_keys.pairs(keys, complete, history)
    assert np.array_equal(pairs.histories[pairs.row], found.histories)
    assert np.array_equal(pairs.without(0), pairs.units[:, 1])


def test_sessions_still_open_teach_no_end() -> None:
    """END is the last target of complete sessions only, at the position after the last entry."""
    session = np.array([3, 4], np.int32)
    assert windows([session], [False], 3).targets.tolist() == [3, 4]
    ended = windows([session], [True], 3)
    assert ended.targets.tolist() == [3, 4, 1]
    assert ended.position.tolist() == [0, 1, 2]


def test_a_loop_in_one_session_counts_once() -> None:
    """A pair is as well supported as the number of sessions that hold it, however often one repeats it."""
    found = windows([np.full(50, 3, np.int32)], [False], 2)
    assert distinct_pairs(found, found.session, found.session, folds=1).units.tolist() == [[1], [1], [1]]


@given(st.sets(st.integers(-5, 10_000), max_size=30), st.integers(-5, 10_000))
@settings(max_examples=60, deadline=None)
def test_symbols_and_keys_go_both_ways(keys: set[int], other: int) -> None:
    """Symbols follow from 3 in ascending key order, any other key is UNKNOWN (2), and `key` undoes `symbol`."""
    words = Vocabulary.of([list(keys)])
    assert [words.symbol(key) for key in sorted(keys)] == list(range(3, 3 + len(keys)))
    assert all(words.key(words.symbol(key)) == key for key in keys)
    assert other in keys or words.symbol(other) == 2
    assert [words.key(symbol) for symbol in (0, 1, 2, len(words))] == [None] * 4


@given(st.lists(st.lists(st.integers(0, 300), min_size=3, max_size=3), min_size=1, max_size=30))
@settings(max_examples=60, deadline=None)
def test_unique_rows_are_those_of_numpy(rows: list[list[int]]) -> None:
    """The fast distinct rows are those of numpy's own, in the same order."""
    distinct, number = unique_rows(np.array(rows))
    want, inverse = np.unique(np.array(rows), axis=0, return_inverse=True)
    assert np.array_equal(distinct, want)
    assert np.array_equal(number, inverse.reshape(-1))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 7)), max_size=40), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_pieces_ask_once_for_each_history_and_for_few_together(rows: list[tuple[int, int, int]], most: int) -> None:
    """Cells are those of one lookup a row, whatever the size of the pieces, which is never passed."""
    asked: list[Symbols] = []

    def rows_of(histories: Symbols) -> npt.NDArray[np.float64]:
        asked.append(histories)
        return histories[:, :1] * 100.0 + histories[:, 1:] * 10.0 + np.arange(8)

    table = np.array(rows, np.int32).reshape(-1, 3)
    found = at_targets(table[:, :2], table[:, 2], rows_of, most)
    assert found.tolist() == [100.0 * a + 10.0 * b + target for a, b, target in rows]
    assert all(1 <= len(piece) <= most for piece in asked)
    assert sorted(tuple(row) for piece in asked for row in piece.tolist()) == sorted({row[:2] for row in rows})


def test_wide_tables_are_cut_into_fewer_rows() -> None:
    """Rows times symbols stays below one bound, down to the rows of one forward pass."""
    assert [rows_at_once(1 << power) << power for power in range(4, 17)] == [1 << 22] * 13
    assert rows_at_once(1 << 20) == 64


@given(sessions_of_symbols, st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_blend_equals_the_obvious_loop(sessions: list[tuple[list[int], bool]], seed: int) -> None:
    """A blended probability is (seen + weight x network) / (all seen + weight); rows stay distributions."""
    keys, complete = [keys for keys, _ in sessions], [ended for _, ended in sessions]
    found = windows([np.array(k, np.int32) for k in keys], complete, 2)
    pairs = distinct_pairs(found, found.session, found.session, folds=len(keys))
    seen = Sightings(pairs.histories, pairs.targets, pairs.without(None))
    plain = np.random.default_rng(seed).dirichlet(np.ones(8), size=3)
    histories = np.array([[0, 0], [3, 4], [6, 6]], np.int32)
    blended, often = seen.blend(histories, plain, weight=7.0, often=2)
    counted = naive_keys.pairs(keys, complete, 2)
    for row, history in enumerate(histories.tolist()):
        np.testing.assert_allclose(blended[row], naive_keys.blend(counted, tuple(history), plain[row].tolist(), 7.0))
        assert often[row].tolist() == [counted[tuple(history), symbol] >= 2 for symbol in range(8)]
    np.testing.assert_allclose(blended.sum(axis=1), 1.0)


@given(sessions_of_symbols, st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_blending_one_cell_is_that_cell_of_the_row(sessions: list[tuple[list[int], bool]], seed: int) -> None:
    """What `blend_at` gives is to the last bit what `blend` has at the target."""
    keys, complete = [keys for keys, _ in sessions], [ended for _, ended in sessions]
    found = windows([np.array(k, np.int32) for k in keys], complete, 2)
    pairs = distinct_pairs(found, found.session, found.session, folds=len(keys))
    seen = Sightings(pairs.histories, pairs.targets, pairs.without(None))
    chance = np.random.default_rng(seed)
    plain = chance.dirichlet(np.ones(8), size=20).astype(np.float32)
    histories, targets = chance.integers(0, 7, (20, 2)).astype(np.int32), chance.integers(0, 8, 20)
    rows, often = seen.blend(histories, plain, weight=7.0, often=2)
    cell = np.arange(20), targets
    one, is_often = seen.blend_at(histories, targets, plain[cell], weight=7.0, often=2)
    assert one.tolist() == rows[cell].tolist()
    assert is_often.tolist() == often[cell].tolist()


def test_the_floor_is_the_conditional_entropy() -> None:
    """Two equally heavy continuations of one history cost one bit there; a certain one costs nothing."""
    histories, targets = np.array([[3], [3], [4]]), np.array([3, 4, 3])
    assert np.isclose(floor_of(histories, targets, np.array([1.0, 1.0, 2.0])), np.log(2) / 2)
