"""Separation of tasks without session ids: both methods, on the paper's examples and on streams worked by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.naive_tasks import groups, mixed_stream, near_share, printed_share, stream_of

from offscript.errors import InputError
from offscript.workflow.borders import components, find_borders
from offscript.workflow.co_occurrence import TAU, beyond_chance, near_shares, together
from offscript.workflow.divergence import Look, Way, divergences_of, loops_of
from offscript.workflow.tasks import Separation, by_co_occurrence, by_probability, counted

Tasks: TypeAlias = Sequence[Sequence[Sequence[int]]]
"""For each task the runs it may have."""

ALTERNATING: Tasks = [[(1, 2, 3)], [(4, 5, 6, 7), (4, 6, 5, 7)]]
"""The two tasks of the paper's fault: 1,2,3 and 4,{5,6},7."""

FIGURE_4A: Tasks = [[(25, 18, 54, 57, 18, 56, 31), (25, 18, 54, 57, 56, 18, 31)], [(1, 2)]]
FIGURE_4B: Tasks = [[(25, 54, 57)], [(24, 60)], [(26, 37)]]
FIGURE_4C: Tasks = [[(26, 37, 39, 40), (26, 37, 39, 40, 39, 40), (26, 37, 39, 40, 39, 40, 39, 40)], [(1, 2, 3)]]

Method = Callable[[Sequence[int]], Separation]


def _first(keys: Sequence[int]) -> Separation:
    return by_probability(keys, counted(keys))


METHODS = pytest.mark.parametrize("method", [_first, by_co_occurrence], ids=["probability", "co-occurrence"])


def _tasks(found: Separation) -> set[frozenset[int]]:
    return {task.keys for task in found.tasks}


def _truth(runs: Tasks) -> set[frozenset[int]]:
    return {frozenset(key for run in task for key in run) for task in runs}


@METHODS
@pytest.mark.parametrize("runs", [ALTERNATING, FIGURE_4A, FIGURE_4B, FIGURE_4C], ids=["alternating", "4a", "4b", "4c"])
def test_papers_examples_are_separated(method: Method, runs: Tasks) -> None:
    """Both methods find the tasks of the paper's figures, one run after another."""
    assert _truth(runs) == _tasks(method(stream_of(runs, 200)))


@METHODS
@pytest.mark.parametrize("runs", [ALTERNATING, FIGURE_4B, FIGURE_4C], ids=["alternating", "4b", "4c"])
def test_papers_examples_are_separated_interleaved(method: Method, runs: Tasks) -> None:
    """Both methods find them too where three runs write among each other at random."""
    found = method(mixed_stream(runs, 1000, 3))

    assert _truth(runs) == _tasks(found)
    assert found.at_once == pytest.approx(3, abs=0.3)


@METHODS
def test_every_run_is_found_one_after_another(method: Method) -> None:
    """Entries are cut into just the runs that were put together, each whole."""
    runs: Tasks = [[(1, 2, 3)], [(4, 5, 6, 7), (4, 6, 5, 7)]]
    keys = stream_of(runs, 100)
    found = method(keys)

    cut = [tuple(keys[at] for at in run.positions) for run in found.runs]
    assert keys == [key for run in cut for key in run]
    assert {run for task in runs for run in task} == set(cut)
    assert all(run.is_complete for run in found.runs)
    assert [task.runs for task in found.tasks] == [100, 100]


@METHODS
def test_what_a_miner_takes(method: Method) -> None:
    """The runs of a task come as sequences, with whether they are whole; a stream that stops midway says so."""
    keys = [*stream_of(ALTERNATING, 100), 1, 2]

    sequences, complete = method(keys).sequences(keys, 1)

    assert {(1, 2, 3), (1, 2)} == set(sequences)
    assert [run != (1, 2) for run in sequences] == complete


@METHODS
def test_choices_do_not_tear_a_task_apart(method: Method) -> None:
    """A choice after a choice, of which no pair is certain, is one task; so is a task that ends where it likes."""
    runs: Tasks = [[(1, 3), (1, 4), (2, 3), (2, 4)], [(5, 6, 7), (5, 6), (5,)], [(8, 9)]]

    assert _truth(runs) == _tasks(method(stream_of(runs, 500)))


@METHODS
def test_a_piece_that_tasks_share_is_in_both(method: Method) -> None:
    """54, 57 after 18 goes on with 18's task, after 31 with the other's: a longer history tells (section 4.2.1)."""
    runs: Tasks = [[(18, 54, 57, 19)], [(31, 54, 57, 56)], [(1, 2)]]

    assert _truth(runs) == _tasks(method(stream_of(runs, 300)))


@METHODS
def test_a_shared_key_interleaved(method: Method) -> None:
    """A key in the middle of two tasks is in both, also where two runs write at once."""
    runs: Tasks = [[(1, 2, 9, 3, 4)], [(5, 6, 9, 7, 8)]]

    assert _truth(runs) == _tasks(method(mixed_stream(runs, 2000, 2)))


@METHODS
def test_rare_tasks_are_found(method: Method) -> None:
    """The border does not hang on equal shares: one task may be twenty times as frequent as another."""
    runs: Tasks = [[(1, 2, 3)]] * 20 + [[(4, 5, 6)]]

    assert {frozenset({1, 2, 3}), frozenset({4, 5, 6})} == _tasks(method(stream_of(runs, 60)))


@METHODS
def test_one_task_alone_is_one_task(method: Method) -> None:
    """Where only one task ever runs, it is not torn apart."""
    assert {frozenset({1, 2, 3, 4})} == _tasks(method(stream_of([[(1, 2, 3, 4), (1, 3, 2, 4)]], 300)))


@METHODS
def test_tasks_that_always_follow_each_other_are_one(method: Method) -> None:
    """The limit of both methods, stated: what always comes after the same task cannot be told from its steps."""
    assert {frozenset({1, 2, 3, 4})} == _tasks(method([1, 2, 3, 4] * 300))


@METHODS
@pytest.mark.parametrize("keys", [(), (1,)])
def test_too_little_is_refused(method: Method, keys: Sequence[int]) -> None:
    """A stream in which nothing follows anything is an error that says what to give."""
    with pytest.raises(InputError, match="too few entries"):
        method(keys)


@METHODS
@given(st.lists(st.integers(1, 5), min_size=2, max_size=60))
def test_any_stream_is_cut_into_runs(method: Method, keys: list[int]) -> None:
    """Whatever the stream: each entry is in one run, runs are of tasks that have their keys, instances count up."""
    found = method(keys)

    places = sorted(place for run in found.runs for place in run.positions)
    assert list(range(len(keys))) == places
    for run in found.runs:
        assert {keys[place] for place in run.positions} <= found.tasks[run.task - 1].keys
        assert all(found.owners[place] is run for place in run.positions)
    for task in found.tasks:
        assert list(range(1, task.runs + 1)) == [run.instance for run in found.runs if run.task == task.number]
        assert task.keys == set(task.order)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_shares_by_distance_are_those_counted_slowly(keys: list[int]) -> None:
    """The shares q_d equal those found by looking at every pass of every key."""
    found = near_shares(np.array(keys), 4, 5)

    naive = [[[near_share(keys, i, j, d) for j in range(4)] for i in range(4)] for d in range(1, 6)]
    assert np.allclose(found, naive)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_groups_are_those_joined_slowly(pairs: list[tuple[int, int]]) -> None:
    """Groups of linked keys equal those made by joining sets."""
    links = np.zeros((7, 7), bool)
    for one, other in pairs:
        links[one, other] = True
    found = components(links)

    assert groups(7, pairs) == {frozenset(np.flatnonzero(found == number).tolist()) for number in found}


def test_the_printed_share_cannot_reach_its_threshold() -> None:
    """As printed, 2 within two of 1 has a share of .5 though it always follows; the plain share is 1 (PAPER 4.3)."""
    keys = stream_of(ALTERNATING, 500)
    shares = near_shares(np.array(keys), 8, 3)

    assert 0.55 > printed_share(keys, 1, 2, 2) > 0.45
    assert shares[:, 1, 2].tolist() == [1.0, 1.0, 1.0]
    assert shares[:, 1, 3].tolist() == [0.0, 1.0, 1.0]
    # concurrency grows with the distance, a border does not
    assert shares[0, 4, 5] < 0.6
    assert shares[1, 4, 5] == 1.0
    assert all(0.4 < share < 0.6 for share in shares[:, 3, 1])


@pytest.mark.parametrize("tau", [0.85, 0.9, 0.95])
def test_the_threshold_may_be_what_the_paper_found_to_work(tau: float) -> None:
    """From .85 to .95 the tasks are the same (section 5.5)."""
    assert _truth(ALTERNATING) == _tasks(by_co_occurrence(stream_of(ALTERNATING, 300), tau))


def test_shares_are_beyond_chance() -> None:
    """In a random stream no pair is together, whatever the distance; a pair that always follows is, interleaved too."""
    random = np.random.default_rng(1).integers(0, 12, 20_000)
    keys = np.array(mixed_stream([[(0, 1, 2)], [(3, 4, 5)], [(6, 7, 8)], [(9, 10, 11)]], 1000, 2))
    passes = np.bincount(random).astype(float)

    assert not together(random, 12).any()
    assert np.abs(beyond_chance(near_shares(random, 12), passes)).max() < 0.2
    assert together(keys, 12)[0, 1]
    assert not together(keys, 12)[2, 3]


def test_a_border_is_found_beside_choices_that_look_like_one() -> None:
    """Two tasks of a choice before a choice: three junctions of rank 1, and only the true one parts the tasks."""
    keys = stream_of([[(0, 2), (0, 3), (1, 2), (1, 3)], [(4, 6), (4, 7), (5, 6), (5, 7)]], 1000)
    counts = np.zeros((8, 8))
    np.add.at(counts, (keys[:-1], keys[1:]), 1)
    found = find_borders(counts)[0]

    assert found.blocks.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert found.starts.round(1).tolist() == [0.2, 0.2, 0, 0, 0.2, 0.2, 0, 0] or found.starts[[0, 1, 4, 5]].min() > 0.2
    assert found.at_borders().sum() == pytest.approx(2000, rel=0.02)


@pytest.mark.parametrize("look", list(Look))
def test_divergences_have_the_papers_kinds(look: Look) -> None:
    """57 -> (18 || 56) is concurrency in figure 4a by looking ahead and by distance; one of two is a branch."""
    runs = [list(run) for run in FIGURE_4A[0]] * 10 + [[1, 2, 9], [1, 3, 9]] * 10
    found = {one.key: one for one in divergences_of(runs, look)}

    assert found[57].way == Way.CONCURRENCY
    assert {18, 56} == {key for key, _ in found[57].candidates}
    assert found[1].way == Way.BRANCH


def test_concurrency_of_three_is_one_divergence() -> None:
    """Three at once: whichever comes first, the others follow with growing certainty (section 4.2.2)."""
    runs = [[1, *order, 5] for order in permutations((2, 3, 4))] * 5

    assert divergences_of(runs, Look.AHEAD)[0].way == Way.CONCURRENCY


def test_loops_are_folded() -> None:
    """26,37,39,40,39,40 folds into the back edge 40 -> 39 (figure 4c); concurrency is no loop."""
    assert loops_of(FIGURE_4C[0]) == ((40, 39),)
    assert loops_of([[1, 2, 3, 4], [1, 3, 2, 4]]) == ()
    assert [task.loops for task in by_co_occurrence(stream_of(FIGURE_4C, 100)).tasks][::-1] == [((40, 39),), ()]


def test_counted_probabilities_back_off() -> None:
    """A history never seen is answered by the longest part of it that was."""
    ask = counted([1, 2, 3, 1, 2, 3], 3)

    assert dict(ask((9, 9, 2))) == {3: 1.0}
    assert ask((1, 2))[3] > TAU
