"""What a page shows of a large workflow: the part about a session."""

from __future__ import annotations

import random

from offscript.model_workflows import parted
from offscript.workflow.build import workflow_of
from offscript.workflow.near import near
from offscript.workflow.svg import svg
from offscript.workflow.tree import choice, sequence, step
from offscript.workflow.walk import walk


def test_the_part_near_a_session_holds_all_that_it_did() -> None:
    """What a session passed or missed of a large workflow is kept, under new numbers, and hangs together."""
    tree = sequence(step(1), choice(*map(step, range(2, 90))), sequence(step(90), step(91)), step(92))
    flow = workflow_of(1, tree, {(1, key, 90, 91, 92): key for key in range(2, 90)})
    laid = walk(flow, (1, 7, 90, 55, 92), ended=True)
    part, moved, kept = near(flow, laid)
    assert [None if node is None else part.nodes[node].key for node in moved.nodes] == [1, 7, 90, None, 92]
    assert [part.nodes[node].key for node in moved.missing] == [91]
    assert [flow.nodes[number].key for number in kept] == [node.key for node in part.nodes]
    assert {edge.before for edge in part.edges} | {edge.after for edge in part.edges} == set(range(len(part.nodes)))
    assert len(part.nodes) < 40
    assert svg(part, {}, overlay=moved)


def test_the_part_near_a_session_says_what_could_have_come() -> None:
    """Where the script was left, the most frequent next steps are shown, three at most."""
    flow = workflow_of(1, sequence(step(1), choice(*map(step, range(2, 90)))), {(1, key): key for key in range(2, 90)})
    part, moved, _ = near(flow, walk(flow, (1,), ended=True))
    ahead = [part.nodes[edge.after].key for edge in part.edges if edge.before == moved.last]
    missed = {part.nodes[node].key for node in moved.missing}
    assert len(set(ahead) - missed) == 3
    assert len(missed) == 1


def test_a_log_without_sessions_is_parted_into_runs() -> None:
    """Runs of two tasks, one after another in two streams, are found again with their counts."""
    chance = random.Random(3)
    drawn = [chance.choice([(1, 2, 3), (4, 5)]) for _ in range(400)]
    streams = [tuple(key for run in part for key in run) for part in (drawn[:300], drawn[300:])]
    runs, counts, complete = parted(streams)
    found = dict(zip(zip(runs, complete, strict=True), counts, strict=True))
    for task in ((1, 2, 3), (4, 5)):
        whole = sum(count for (run, _), count in found.items() if run == task)
        assert abs(whole - drawn.count(task)) <= 4  # at the ends of the streams a run may not be known to be whole
    assert parted([()]) == ([], [], [])
