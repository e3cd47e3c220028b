"""The workflows of a system from its sessions."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import FEW

from offscript import Config, fit
from offscript.model_workflows import sessions_of, workflows_of
from offscript.testing import lines_of, service_log
from offscript.workflow.doubles import told_apart
from offscript.workflow.graph import NodeKind
from offscript.workflow.learn import workflows
from offscript.workflow.play import accepts

SESSIONS = st.dictionaries(
    st.lists(st.integers(1, 5), max_size=6).map(tuple), st.integers(1, 30), min_size=1, max_size=6
)


@FEW
@given(SESSIONS)
def test_no_normal_session_is_lost(sessions: dict[tuple[int, ...], int]) -> None:
    """Every session replays on the workflow of a task, or is a stray with its reason and its mistakes; none is both."""
    learnt = workflows(list(sessions), list(sessions.values()))
    strays = {stray.keys: stray for stray in learnt.strays}
    for session, count in sessions.items():
        on_one = any(accepts(flow.tree, session) for flow in learnt.flows)
        assert on_one != (session in strays) or not session
        if session in strays:
            assert strays[session].count == count
            assert strays[session].reason
    assert sum(flow.sessions for flow in learnt.flows) == sum(count for keys, count in sessions.items() if keys)
    assert sum(flow.noise for flow in learnt.flows) == sum(stray.count for stray in learnt.strays)


def test_tasks_that_share_keys_are_told_apart_and_variants_are_not() -> None:
    """Two tasks with a key in common are two; a beginning that was lost, or swapped, makes no task of its own."""
    learnt = workflows([(1, 2, 3, 9), (2, 3, 9), (2, 1, 3, 9), (5, 6, 9, 7)], [200, 1, 2, 100])
    assert [str(flow.tree) for flow in learnt.flows] == ["→(1, 2, 3, 9)", "→(5, 6, 9, 7)"]
    assert [flow.sessions for flow in learnt.flows] == [203, 100]
    assert {stray.keys: stray.reason for stray in learnt.strays} == {
        (2, 3, 9): "of task 1 but for steps: 1 missing",
        (2, 1, 3, 9): "of task 1 but for steps: 1 too many, 1 missing",
    }


def test_a_task_that_begins_with_a_choice_is_one() -> None:
    """Branches that go on alike are of one task, also where one of them is long."""
    learnt = workflows([(1, 7, 8), (2, 3, 4, 5, 6, 7, 8), (9, 10, 11)], [100, 100, 100])
    assert [flow.sessions for flow in learnt.flows] == [200, 100]
    assert [step.key for step in learnt.flows[0].tree.steps()] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_the_task_of_a_session_is_where_it_fits_best() -> None:
    """Also a session that is not over, one off script, and the last keys of one; none where no key is known."""
    learnt = workflows([(1, 2, 3, 9), (5, 6, 9, 7)], [200, 100])
    tasks = [learnt.task_of(keys) for keys in ([1], [5, 9], [9, 7], [9], [8])]
    assert [task.number if task else None for task in tasks] == [1, 2, 2, 1, None]
    ended = learnt.task_of([6, 9], ended=True, whole=False)
    assert ended is not None
    assert ended.number == 2


def test_a_key_in_two_places_is_two_steps() -> None:
    """A key with different neighbours each time stands twice in the graph; one that repeats is a loop."""
    learnt = workflows([(1, 2, 3, 4, 2, 5), (1, 2, 4, 3, 2, 5)], [50, 50])
    assert str(learnt.flows[0].tree) == "→(1, 2, ∧(3, 4), 2, 5)"
    assert told_apart({(1, 2, 2, 3): 5, (1, 2, 3): 5}) is None


def test_open_sessions_need_only_be_beginnings() -> None:
    """A session that has not ended teaches no early end, and is a stray only where it is off script."""
    learnt = workflows([(1, 2, 3), (1, 2), (1, 3)], [10, 5, 1], [True, False, False])
    assert str(learnt.flows[0].tree) == "→(1, 2, 3)"
    assert [(stray.keys, stray.complete) for stray in learnt.strays] == [((1, 3), False)]


def test_the_workflows_of_a_model_are_those_of_its_sessions() -> None:
    """The bundle's distinct sessions, as log keys, make the workflows; the scripted service is seen through."""
    model = fit(lines_of(service_log(200)), Config(hidden=4, layers=1, training_steps=25, folds=2))
    sequences, counts, complete = sessions_of(model.keys)
    learnt = workflows_of(model)
    assert len(learnt.flows) == 1
    flow = learnt.flows[0]
    ended = [count for count, done in zip(counts, complete, strict=True) if done]
    assert flow.sessions == sum(ended)
    assert flow.noise == 0
    assert {step.key for step in flow.tree.steps()} == {key for keys in sequences for key in keys}
    assert sum(edge.is_back for edge in flow.edges) == 1


@pytest.mark.data
def test_the_steps_of_a_machine_are_in_the_papers_order(data_dir: Path) -> None:
    """On the authors' OpenStack sessions creation comes in the order of CCS 2017 figure 11, and deletion after it."""
    with gzip.open(data_dir / "openstack" / "utah_keys_train.txt.gz", "rt") as file:
        runs = Counter(tuple(map(int, line.split(",")[-1].split())) for line in file)
    learnt = workflows(list(runs), list(runs.values()))
    assert len(learnt.flows) == 1
    steps = iter([step.key for step in learnt.flows[0].tree.steps()])
    # Claim, its success, GET, creating image, started, paused, resumed, spawned, its time, resumed, time to build.
    creation = [1, 2, 25, 3, 22, 20, 21, 9, 15, 21, 12]
    deletion = [24, 11, 8, 4, 5, 14, 13]  # DELETE, terminating, destroyed, files deleted and gone, times of both
    assert all(key in steps for key in creation + deletion)


@pytest.mark.data
def test_twenty_thousand_sessions_give_a_graph_to_read(data_dir: Path) -> None:
    """The normal HDFS sessions at hand make one task of some twenty nodes, in less than 30 seconds; 95% are on it."""
    with gzip.open(data_dir / "hdfs" / "normal_by_block.csv.gz", "rt") as file:
        runs = Counter(tuple(map(int, line.rsplit(",", 1)[1].split())) for line in list(file)[1:])
    began = time.process_time()
    learnt = workflows(list(runs), list(runs.values()))
    assert time.process_time() - began < 30
    assert len(learnt.flows) == 1
    flow = learnt.flows[0]
    assert len(flow.nodes) <= 25
    assert flow.noise < 0.05 * flow.sessions
    assert {node.kind for node in flow.nodes} >= {NodeKind.FORK, NodeKind.STEP}
