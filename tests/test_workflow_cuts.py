"""What is counted in runs, and the cuts read off it, against sets of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from tests.naive_cuts import cuts_of, graph_of, plausible_of
from tests.naive_workflow import trees
from tests.strategies import FEW

from offscript.workflow import pieces
from offscript.workflow.cuts import find_cuts
from offscript.workflow.machine import Machine, State
from offscript.workflow.mine import LOOSER, RARE
from offscript.workflow.seen import WORD, Follows, Seen, follows, noise
from offscript.workflow.tree import Tree

Runs = dict[tuple[int, ...], int]
SHARES = st.sampled_from([*RARE, *LOOSER])


def some_runs() -> st.SearchStrategy[Runs]:
    """Runs of a few keys, most of them alike, some of them common."""
    orders = st.permutations(range(1, 7)).map(lambda keys: tuple(keys[:5]))
    any_run = st.lists(st.integers(1, 6), max_size=8).map(tuple)
    return st.dictionaries(orders | any_run, st.integers(1, 60), min_size=1, max_size=12)


def set_of(rows: Iterable[int], graph: Follows) -> set[tuple[int, int]]:
    """The pairs of such sets."""
    return {(key, other) for key, some in zip(graph.keys, rows, strict=True) for other in graph.named(some)}


@FEW
@given(some_runs(), SHARES)
def test_the_graph_and_its_cuts_are_those_of_sets_of_pairs(runs: Runs, rare: float) -> None:
    """Counting all runs at once, and sets as bits, give the same graph and the same cuts as pair by pair."""
    found, truth = follows(runs, rare), graph_of(runs, rare)

    assert list(found.keys) == truth.keys
    assert set_of(found.after, found) == truth.pairs
    assert set_of(found.before, found) == {(b, a) for a, b in truth.pairs}
    assert set(found.named(found.starts)) == truth.starts
    assert set(found.named(found.ends)) == truth.ends
    assert set_of(found.either, found) == truth.either
    assert set_of(found.chained, found) == truth.chained | {(b, a) for a, b in truth.chained}
    assert [(str(cut.kind), cut.parts) for cut in find_cuts(found)] == cuts_of(truth)


@FEW
@given(some_runs(), SHARES)
def test_a_key_left_out_is_as_if_it_had_never_come(runs: Runs, rare: float) -> None:
    """The graph without a key is that of the runs without it, though most of it is not counted again."""
    seen = Seen.of(runs)
    for place, key in enumerate(seen.keys if len(seen.keys) > 1 else ()):
        less, truth = seen.without(place).follows(rare), follows(pieces.without(runs, key), rare)
        for what in ("keys", "after", "before", "starts", "ends", "either", "chained"):
            assert getattr(less, what) == getattr(truth, what)


@FEW
@given(some_runs(), SHARES)
def test_what_is_counted_is_what_comes(runs: Runs, rare: float) -> None:
    """How many runs have a key, just once, more than once, seldom; and how often each run has it."""
    seen = Seen.of(runs)
    times = [Counter(run) for run in runs]
    having = {key: sum(n for run, n in runs.items() if key in run) for key in seen.keys}
    again = {key: sum(n for run, n in runs.items() if run.count(key) > 1) for key in seen.keys}

    assert dict(zip(seen.keys, seen.having.tolist(), strict=True)) == having
    assert seen.once.tolist() == [having[key] - again[key] for key in seen.keys]
    assert seen.repeated(rare) == {key for key in again if again[key] > noise(rare, having[key])}
    assert seen.seldom(rare) == {key for key in having if having[key] < rare * sum(runs.values())}
    assert seen.times().tolist() == [[here[key] for key in seen.keys] for here in times]


@FEW
@given(some_runs(), SHARES)
def test_what_commoner_runs_explain_is_found_among_all_of_them(runs: Runs, rare: float) -> None:
    """The runs that are no mistake in a commoner one are the same as when each is held against each."""
    assert pieces.plausible(runs, rare) == plausible_of(runs, rare)


def test_more_keys_than_a_number_of_the_machine_has_bits() -> None:
    """A part of two hundred keys is cut as one of ten is."""
    keys = range(WORD + 200)
    runs = {tuple(keys): 9, (*keys[:5], 6, 5, *keys[7:]): 9}

    (found,) = find_cuts(follows(runs, 0))
    assert found.parts == (
        *(frozenset({key}) for key in keys[:5]),
        frozenset({5, 6}),
        *(frozenset({k}) for k in keys[7:]),
    )


@FEW
@given(trees())
def test_what_a_machine_offers_are_its_moves(tree: Tree) -> None:
    """Moves asked for by their key, and the options of a state, are all its moves, in whatever state."""
    machine = Machine(tree)
    states: list[State] = [None]
    for state in states:
        moves = machine.moves(state)
        assert sorted(machine.options(state)) == sorted((move.key, move.node) for move in moves)
        for key in {move.key for move in moves}:
            assert machine.fire(state, key) == tuple(move for move in moves if move.key == key)
        states += [one for one in dict.fromkeys(move.state for move in moves) if one not in states][: 60 - len(states)]
