"""The workflow study and the OpenStack workflow: what is drawn, counted and shown; bars on a small run."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from random import Random
from statistics import mean

import pytest
from tests.test_openstack_data import write_set

from offscript import UsageError
from offscript.console import Output
from offscript.evaluate.openstack_workflow import AFTER as DRAWN
from offscript.evaluate.openstack_workflow import AS_IS, MIXED, NAMED, Machines, run_machines
from offscript.evaluate.workflow_study import (
    AFTER,
    COUNTS,
    LSTM,
    SECOND,
    Plan,
    Study,
    entry_pairs,
    key_pairs,
    learnt,
    mistaken,
    run_study,
    separated_of,
)
from offscript.evaluate.workflow_trees import (
    KEYS,
    LONGEST,
    TASKS,
    draw_run,
    draw_system,
    interleaved,
    one_after_another,
)
from offscript.reproduce import Experiment, reproduce_verb
from offscript.workflow.play import accepts
from offscript.workflow.tree import Kind
from offscript.workflow_report import PICTURE, print_machines, print_study, write_machines, write_study


@pytest.fixture(scope="module")
def study() -> Study:
    """A study of two systems."""
    return run_study(Plan(2, 0, 150, quick=True))


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    """The workflow of made-up machines."""
    return run_machines(write_set(tmp_path_factory.mktemp("openstack")))


@pytest.mark.parametrize("seed", range(30))
def test_systems_are_drawn_as_stated(seed: int) -> None:
    """Tasks and keys are in the stated ranges, roots are sequences or parallels, at most one key is shared."""
    system = draw_system(seed)
    keys = system.keys()

    assert TASKS[0] <= len(keys) <= TASKS[1]
    assert all(KEYS[0] <= len(some) <= KEYS[1] for some in keys)
    assert {tree.kind for tree in system.trees} <= {Kind.SEQUENCE, Kind.PARALLEL}
    assert sum(len(one & other) for one, other in combinations(keys, 2)) <= 1
    assert system == draw_system(seed)


@pytest.mark.parametrize("seed", range(5))
def test_streams_hold_the_runs_in_order(seed: int) -> None:
    """Both kinds of stream hold each run whole and in its order, with the truth beside."""
    system = draw_system(seed)
    random = Random(seed)
    runs = [[draw_run(tree, random) for _ in range(20)] for tree in system.trees]

    assert all(
        accepts(tree, run) and 0 < len(run) <= LONGEST
        for tree, some in zip(system.trees, runs, strict=True)
        for run in some
    )
    for stream in (one_after_another(runs, random), interleaved(runs, 3, random)):
        cut: dict[tuple[int, int], list[int]] = {}
        for key, task, run in zip(stream.keys, stream.tasks, stream.runs, strict=True):
            cut.setdefault((task, run), []).append(key)
        assert sorted((task, run) for task, some in enumerate(runs) for run in some) == sorted(
            (task, tuple(keys)) for (task, _), keys in cut.items()
        )


def test_a_mistake_is_one_mistake() -> None:
    """A run with a mistake differs by one entry lost or added, or two changed, at most."""
    random = Random(1)
    for _ in range(200):
        found = mistaken([1, 2, 3, 4], [1, 2, 3, 4], random)
        assert abs(len(found) - 4) <= 1
        assert sum(a != b for a, b in zip(found, (1, 2, 3, 4), strict=False)) <= 4
    assert mistaken([7], [7], random) == (7, 7)


def test_pairs_are_counted() -> None:
    """Pairs of keys and of entries, by hand; a shared key is in pairs of both tasks."""
    assert key_pairs([{1, 2, 3}], [{1, 2}, {2, 3}]).precision == pytest.approx(2 / 3)
    assert key_pairs([{1, 2, 3}], [{1, 2}, {2, 3}]).recall == 1.0
    assert key_pairs([{1}, {2}], [{1, 2}]).f1 == 0.0
    assert entry_pairs([1, 1, 1], ["a", "a", "b"]).precision == pytest.approx(1 / 3)
    assert entry_pairs([1, 1, 1], ["a", "a", "b"]).recall == 1.0


def test_bars_on_systems_of_development() -> None:
    """One after another both methods put keys together nearly always; this is no judgement, the study is."""
    found = [
        one
        for seed in (1, 2, 3)
        for one in separated_of(draw_system(seed), Plan(runs=200), Random(seed), lstm=False)
        if one.stream == AFTER
    ]

    for method in (COUNTS, SECOND):
        assert mean(one.keys.f1 for one in found if one.method == method) > 0.95


@pytest.mark.slow
def test_the_key_model_gives_probabilities_that_separate() -> None:
    """Method 1 takes the LSTM's probabilities as it takes counts."""
    found = separated_of(draw_system(1), Plan(runs=300), Random(1), lstm=True)

    assert next(one.keys.f1 for one in found if one.method == LSTM and one.stream == AFTER) > 0.95


@pytest.mark.slow
def test_the_key_model_answers_for_every_history() -> None:
    """Histories at the beginning of the stream, which are shorter, have an answer too; shares sum to one."""
    keys = [1, 2, 3] * 50
    ask = learnt(keys, Plan().config)

    for history in ((1,), (1, 2), (2, 3, 1, 2)):
        assert sum(ask(history).values()) == pytest.approx(1, abs=1e-3)


def test_the_study_is_the_same_again(study: Study) -> None:
    """The same plan gives the same figures, and a bigger one leaves those of the first systems as they are."""
    again = run_study(Plan(1, 0, 150, quick=True))

    assert [one for one in study.mined if one.seed == again.mined[0].seed] == list(again.mined)
    assert list(study.separated[: len(again.separated)]) == list(again.separated)


def test_the_study_is_shown(study: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table, the records and the page have a row for each share of noise, stream and method."""
    print_study(study, Output.TABLE)
    print_study(study, Output.JSONL)
    write_study(study, tmp_path)

    shown = capsys.readouterr().out
    page = (tmp_path / "report.md").read_text("utf-8")
    for word in ("fitness", "one after another", "interleaved", COUNTS, SECOND):
        assert word in shown
        assert word in page
    assert len(study.mined) == 6
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["plan"]["systems"] == 2


def test_machines_have_a_workflow(machines: Machines) -> None:
    """On made-up machines the steps are in the paper's order, and deletion is its own part; absent keys are told."""
    steps = {step.name: step for step in (*machines.creation, *machines.deletion)}

    assert steps["52 Creating image"].in_order == 1.0
    assert steps["56 Took * seconds to build instance"].in_order == 1.0
    assert steps["38 Instance destroyed successfully"].key == 0
    assert machines.own_part
    assert "38 Instance destroyed successfully" in machines.findings[0]


def test_machines_are_separated_when_their_order_varies(machines: Machines) -> None:
    """With ids hidden both methods part creation from deletion, where these come in no fixed order."""
    strays = {(one.stream, one.method): one.strays for one in machines.hidden}

    assert not any(strays[stream, method] for stream in (DRAWN, MIXED) for method in (COUNTS, SECOND))
    assert {AS_IS, NAMED, DRAWN, MIXED} == {one.stream for one in machines.hidden}


def test_machines_are_shown(machines: Machines, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tables, the records, the page and the drawing."""
    print_machines(machines, Output.TABLE)
    print_machines(machines, Output.JSONL)
    write_machines(machines, tmp_path)

    assert "Creating image" in capsys.readouterr().out
    assert "## With ids hidden" in (tmp_path / "report.md").read_text("utf-8")
    assert (tmp_path / PICTURE).read_text("utf-8").startswith("<svg ")
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["deletion_is_its_own_part"] is True


@pytest.mark.data
def test_the_authors_log(data_dir: Path) -> None:
    """On the authors' log every step is in the paper's order, deletion its own part, and both methods part them.

    In the log as it stands they do so by the requests that lines name; what is left is an event that names none, and
    comes 15 seconds after its machine's deletion, always in the midst of the next creation.
    """
    found = run_machines(data_dir)

    assert all(step.in_order is None or step.in_order > 0.99 for step in (*found.creation, *found.deletion))
    assert [step.name for step in (*found.creation, *found.deletion) if not step.key] == ["23 GET ... status"]
    assert found.own_part
    for one in found.hidden:
        if one.stream == NAMED:
            assert one.apart == "23 of 24 (not [instance: <*>] VM Stopped (Lifecycle Event))"
            assert one.keys.f1 > 0.9
        elif one.stream != AS_IS:
            assert one.apart == "24 of 24"
            assert one.keys.f1 > 0.95


def test_data_are_asked_for() -> None:
    """An experiment on public data says what is missing; the study needs none."""
    with pytest.raises(UsageError, match="--data is missing"):
        reproduce_verb(Experiment.HDFS, None)
    with pytest.raises(UsageError, match="--quick is not for"):
        reproduce_verb(Experiment.OPENSTACK_WORKFLOW, Path(), quick=True)
