"""Graphs of tasks, and sessions laid on them."""

from __future__ import annotations

import random
import time
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tests.naive_workflow import edits, trees
from tests.strategies import FEW

from offscript.workflow.build import workflow_of
from offscript.workflow.graph import NodeKind, Times, Walk, Workflow
from offscript.workflow.play import accepts, play
from offscript.workflow.tree import Tree, choice, loop, parallel, sequence, skip, step
from offscript.workflow.walk import mistakes, walk

CREATION = sequence(step(1), step(2), parallel(step(3), sequence(step(4), step(5))), step(6))


def flow_of(tree: Tree, number: int = 100) -> Workflow:
    """Return the graph of a tree with played sessions."""
    chance = random.Random(0)
    return workflow_of(1, tree, Counter(play(tree, chance) for _ in range(number)))


@FEW
@given(trees(), st.lists(st.integers(1, 4), max_size=5))
def test_a_walk_has_the_fewest_mistakes(tree: Tree, keys: list[int]) -> None:
    """Entries off script and steps passed over are as few as in the nearest of all runs."""
    walked = walk(flow_of(tree, 5), keys, ended=True)
    least = edits(tree, keys, 8)  # runs of six steps and fewer exist; longer ones help only where keys repeat
    assert (least == 0) == (walked.departure is None) == accepts(tree, keys)
    assert mistakes(walked) == least
    assert len(walked.nodes) == len(keys)


@FEW
@given(trees(), st.integers(0, 5))
def test_what_the_tree_plays_is_on_script(tree: Tree, seed: int) -> None:
    """A whole run of the task, and any beginning of one that is not over, has no departure."""
    keys = play(tree, random.Random(seed))[:40]
    flow = flow_of(tree, 5)
    assert walk(flow, keys, ended=False).departure is None
    assert walk(flow, keys[len(keys) // 2 :], ended=False, whole=False).departure is None
    for node, key in zip(walk(flow, keys, ended=False).nodes, keys, strict=True):
        assert node is not None
        assert flow.nodes[node].key == key


@FEW
@given(trees())
def test_the_graph_counts_every_session(tree: Tree) -> None:
    """What enters a node leaves it: counts of edges agree with those of nodes, and shares with counts."""
    flow = flow_of(tree, 30)
    assert flow.noise == 0
    assert flow.nodes[0].count == flow.nodes[-1].count == flow.sessions == 30
    for node in flow.nodes:
        out = [edge for edge in flow.edges if edge.before == node.number]
        if node.kind is NodeKind.FORK:
            branches = sum(edge.count for edge in out)
            assert branches % node.count == 0 if node.count else branches == 0
        elif node.kind is not NodeKind.END:
            assert sum(edge.count for edge in out) == node.count
            assert not node.count or abs(sum(edge.probability for edge in out) - 1) < 1e-9


def test_departure_last_step_and_missing_steps_are_told() -> None:
    """A step too many, one too few, a wrong one, an early end: each is told at its place."""
    flow = flow_of(CREATION)
    by_key = {node.key: node.number for node in flow.nodes if node.key}

    def laid(*keys: int, ended: bool = True) -> Walk:
        return walk(flow, keys, ended=ended)

    assert laid(1, 2, 4, 3, 5, 6).departure is None
    extra = laid(1, 2, 9, 3, 4, 5, 6)
    assert (extra.departure, extra.last, extra.missing, extra.nodes[2]) == (2, by_key[2], (), None)
    lost = laid(1, 2, 4, 5, 6)
    assert (lost.departure, lost.last, lost.missing) == (4, by_key[5], (by_key[3],))
    short = laid(1, 2, 3)
    assert (short.departure, short.last, short.missing) == (3, by_key[3], (by_key[4], by_key[5], by_key[6]))
    assert laid(1, 2, 3, ended=False).departure is None
    first = laid(9)
    assert (first.departure, first.last) == (0, 0)


def test_the_last_keys_of_a_session_may_begin_anywhere() -> None:
    """The last few keys are on script from any point of the task."""
    flow = flow_of(CREATION)
    assert walk(flow, [5, 3, 6], ended=True, whole=False).departure is None
    assert walk(flow, [5, 3, 9], ended=False, whole=False).departure == 2


def test_edges_of_loops_lead_back_and_parallel_parts_have_fork_and_join() -> None:
    """Loops close by one back edge; only parallel parts make forks and joins; a fork takes all its edges."""
    tree = sequence(step(1), loop(sequence(step(2), step(3)), skip()), parallel(step(4), step(5)))
    flow = flow_of(tree)
    key = {node.number: node.key for node in flow.nodes}
    assert [(key[edge.before], key[edge.after]) for edge in flow.edges if edge.is_back] == [(3, 2)]
    kinds = [node.kind.value for node in flow.nodes]
    assert kinds == ["start", "step", "step", "step", "fork", "step", "step", "join", "end"]
    fork = kinds.index("fork")
    assert [edge.probability for edge in flow.edges if edge.before == fork] == [1.0, 1.0]


def test_every_edge_to_a_step_has_its_times() -> None:
    """Times lie on the edge between two steps, and past forks and joins on the edge to the step that took them."""
    pairs = {(1, 2): 1.0, (2, 3): 2.0, (2, 4): 3.0, (5, 6): 4.0, (3, 6): 5.0}
    times = {pair: Times(10, at / 2, at, at * 2, at * 3) for pair, at in pairs.items()}
    flow = workflow_of(1, CREATION, {(1, 2, 3, 4, 5, 6): 1}, times)
    medians = {flow.nodes[edge.after].key: edge.times for edge in flow.edges if edge.times}
    assert {key: known.median for key, known in medians.items()} == {2: 1.0, 3: 2.0, 4: 3.0, 6: 5.0} or {
        key: known.median for key, known in medians.items()
    } == {2: 1.0, 3: 2.0, 4: 3.0, 6: 4.0}
    assert medians[6].high == 10.0
    assert medians[6].count == 20


def test_long_sessions_on_wide_graphs_are_laid_in_bounded_time() -> None:
    """A session of 2,000 entries full of mistakes on a graph of 60 keys, twelve of them parallel, takes seconds."""
    wide = parallel(*map(step, range(1, 13)))
    tree = loop(
        sequence(wide, *(choice(step(key), skip()) for key in range(13, 40)), *map(step, range(40, 61))), skip()
    )
    flow = workflow_of(1, tree, {})
    chance = random.Random(2)
    began = time.process_time()
    walked = walk(flow, [chance.randint(1, 62) for _ in range(2000)], ended=True)
    assert time.process_time() - began < 60
    assert walked.departure is not None
