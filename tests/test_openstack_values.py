"""The OpenStack experiment: what is judged, compared and drawn; the figures promised, on the authors' logs."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.test_hdfs import reproduce
from tests.test_openstack_data import NORMAL, TINY, machine_id, write_set

from offscript import InputError, Line, Model, UsageError, fit
from offscript.console import Output
from offscript.evaluate import openstack_judging, pictures
from offscript.evaluate.baselines.vectors import Floats
from offscript.evaluate.openstack import LEAST, Plan, Values, named, quick, run_openstack
from offscript.evaluate.openstack_changes import Kind, Step, steps_of
from offscript.evaluate.openstack_controlled import OURS, Controlled, Recall, changes_of, pooled
from offscript.evaluate.openstack_data import (
    OpenStack,
    find_openstack,
    stamp_of,
    stream,
)
from offscript.evaluate.openstack_figure9 import CONFIDENCES, Expectation, errors, forecast, telling
from offscript.evaluate.openstack_judging import Finding, Simple, learn_simple
from offscript.evaluate.openstack_vectors import Vector, vectors_of
from offscript.openstack_report import print_openstack, write_openstack

needs_extras = pytest.mark.skipif(
    not all(map(find_spec, ("sklearn", "matplotlib"))),
    reason="the extras `baselines` and `plots` are not installed (pip install '.[baselines,plots]'); .ci/run has them",
)

PLAN = Plan(TINY, origins=2, factors=(1.5,))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> OpenStack:
    """The set as it is read."""
    return find_openstack(write_set(tmp_path_factory.mktemp("openstack")))


@pytest.fixture(scope="module")
def model(data: OpenStack) -> Model:
    """A model of the first 70 normal machines."""
    return fit(stream(data.normal[:70]), TINY)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Values:
    """The experiment on small files."""
    return run_openstack(write_set(tmp_path_factory.mktemp("openstack")), PLAN)


class TestControlled:
    def test_every_machine_has_every_change_once(
        self, model: Model, data: OpenStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each change is tried on each machine that has the step, each in a stream of all machines."""
        monkeypatch.setattr("offscript.evaluate.openstack_controlled.judge", lambda _model, lines: seen(lines))
        streams: list[list[Line]] = []

        def seen(lines: list[Line]) -> dict[str, Any]:
            streams.append(lines)
            return {}

        machines = data.normal[70:80]
        vectors = vectors_of(model, machines)
        tried = changes_of(steps_of(model, vectors_of(model, data.normal[:70])), (1.5, 2.0))
        Controlled(model, machines, vectors, [], {}).run(tried, lambda: None)
        assert len(tried) == 9 * 2 + 2 + 4
        assert len(streams) == len(tried)
        assert all(len(lines) == 7 * len(machines) for lines in streams)
        original = set(stream(machines))
        # two of the four statuses are no words of this small log
        assert sorted(one.changed for one in tried) == [0, 0, *[len(machines)] * (len(tried) - 2)]
        for lines in streams:
            moved = {line.text.split("instance: ")[1][:8] for line in set(lines) - original}
            assert len(moved) >= len(machines) - 2

    def test_who_found_it_is_counted(self, found: Values) -> None:
        """A changed machine is found when it is flagged, and named when the verdict is on the changed line."""
        crashed = next(one for one in found.recalls if one.step.what.startswith("`VM Started"))
        assert (crashed.changed, crashed.found, crashed.named) == (30, 30, 30)
        assert crashed.reasons["new_key"] == 30
        assert all(crashed.simple[peer.name] == 30 for peer in found.peers)
        for one in found.recalls:
            assert one.named <= one.found <= one.changed
            assert sum(one.reasons.values()) == one.named

    def test_changes_are_pooled_by_kind(self) -> None:
        """Steps of narrow spread are counted apart; shares are of all their machines together."""
        narrow, wide = (Step(Kind.TIME, "x", 1, 2, 50, 1.0, spread) for spread in (0.05, 0.2))
        size = Step(Kind.SIZE, "y", 1, 2, 50, 1.0, 0.05)
        recalls = [
            Recall(step, 1.5, 10, hits, hits - 1) for step, hits in ((narrow, 9), (narrow, 6), (wide, 1), (size, 4))
        ]
        recalls[0].simple["z"] = 5
        rows = pooled(recalls)
        assert [(one.kind, one.narrow, one.changed, one.share(), one.named) for one in rows] == [
            (Kind.TIME, True, 20, 0.75, 0.65),
            (Kind.TIME, False, 10, 0.1, 0.0),
            (Kind.SIZE, False, 10, 0.4, 0.3),
        ]
        assert rows[0].share("z") == 0.25


class TestSimple:
    def test_the_strangest_entry_counts(self, model: Model, data: OpenStack) -> None:
        """A machine scores what its strangest entry does, and a key that training has not is beyond all scores."""
        simple, lacking = learn_simple(vectors_of(model, data.normal[:70]))
        vectors = vectors_of(model, data.normal[70:73])
        vectors[2] = [replace(vectors[2][0], key=-5), *vectors[2][1:]]
        for one in simple:
            scores = one.scores(vectors)
            assert scores[2] == math.inf
            assert np.isfinite(scores[:2]).all()
            alone = [max(one.scores([[vector]])[0] for vector in machine) for machine in vectors[:2]]
            assert scores[:2].tolist() == pytest.approx(alone)
        assert len(simple) + len(lacking) == 3
        assert simple[0].scores([]).tolist() == []

    def test_a_slow_machine_is_strange(self, model: Model, data: OpenStack) -> None:
        """The z-score of a machine whose spawn took twice as long is far beyond that of any other."""
        (z, quantiles, *_), _ = learn_simple(vectors_of(model, data.normal[:70]))
        for one in (z, quantiles):
            odd = dict(zip((machine.name for machine in data.abnormal), scores_of(one, model, data), strict=True))
            slow = min(odd.pop(name) for name in data.labelled)
            assert slow > one.scores(vectors_of(model, data.normal[70:])).max()
            assert slow > 10 * max(odd.values())


def scores_of(simple: Simple, model: Model, data: OpenStack) -> list[float]:
    """The scores of the machines of the abnormal log."""
    return list(simple.scores(vectors_of(model, data.abnormal)))


class TestFigure9:
    def test_thresholds_are_those_of_a_gaussian_of_mean_0(self, model: Model, data: OpenStack) -> None:
        """Sigma is the root of the mean squared error of held-out vectors; thresholds stand as in the paper."""

        def to_the_mean(_rows: Floats, _there: Floats) -> Any:
            return np.zeros_like

        parts = [
            list(zip((one.name for one in machines), vectors_of(model, machines), strict=True))
            for machines in (data.normal[:70], data.normal[70:], data.abnormal)
        ]
        first, build, spawn, network = telling(model, parts[0], parts[1], parts[2], to_the_mean)
        assert (first.template, network.trained) == ("VM Started (Lifecycle Event)", 70)
        key = next(v.key for v in parts[0][0][1] if "to build" in v.line.text)
        seen = [
            sorted(
                (stamp_of(v.line), v.elapsed, v.numbers[1], name) for name, some in part for v in some if v.key == key
            )
            for part in parts
        ]
        means, spreads = zip(
            *((np.mean(some), np.std(some)) for some in list(zip(*seen[0], strict=True))[1:3]), strict=True
        )
        errors = [
            {row[3]: sum(((row[n + 1] - means[n]) / spreads[n]) ** 2 for n in (0, 1)) / 2 for row in some}
            for some in seen
        ]
        assert build.sigma == pytest.approx(math.sqrt(np.mean([error**2 for error in errors[1].values()])))
        assert dict(zip(build.machines, build.errors, strict=True)) == pytest.approx(errors[2])
        limits = [build.threshold(confidence) / build.sigma for confidence in CONFIDENCES]
        assert limits == pytest.approx([2.326, 2.576, 3.291], abs=1e-3)
        for one in (first, build, spawn):
            assert one.above(0.999) == data.labelled

    def test_what_is_not_there_weighs_nothing(self, model: Model, data: OpenStack) -> None:
        """The elapsed time of a session's first line is missing: it is neither learnt nor an error."""
        seen = []

        def watch(rows: Floats, there: Floats) -> Any:
            seen.append((rows, there))
            return np.zeros_like

        cut = [(one.name, vectors_of(model, [replace(one, lines=one.lines[3:])])[0]) for one in data.normal[:10]]
        found = telling(model, cut, cut, cut, watch)
        assert "Took <*> seconds to spawn the instance on the hypervisor." in [one.template for one in found]
        rows, there = seen[1]
        assert rows.shape == there.shape == (10, 1)  # elapsed is never there, so it is no part of the vector


class TestNetwork:
    @pytest.fixture
    def expected(self) -> Expectation:
        """What a network of a series that goes up and down in turns expects."""
        return forecast(*up_and_down(200, seed=1))

    def test_what_comes_in_turns_is_expected(self, expected: Expectation) -> None:
        """The next vector is told by those before it: the error is a small part of that of the mean."""
        rows, there = up_and_down(100, seed=2)
        assert errors(rows, there, expected)[10:].mean() < 0.2 * errors(rows, there, np.zeros_like)[10:].mean()

    def test_nothing_is_expected_by_what_comes_later(self, expected: Expectation) -> None:
        """Another vector changes what is expected of those after it, and of no others."""
        rows, _ = up_and_down(40, seed=3)
        other = rows.copy()
        other[20] += 5
        differs = np.abs(expected(rows) - expected(other)).max(axis=1) > 1e-9
        assert not differs[:21].any()
        assert differs[21]

    def test_a_seed_gives_the_same_again(self, expected: Expectation) -> None:
        """Training draws nothing but what the seed says."""
        again, (rows, _) = forecast(*up_and_down(200, seed=1)), up_and_down(40, seed=3)
        assert np.array_equal(again(rows), expected(rows))


def up_and_down(count: int, seed: int) -> tuple[Floats, Floats]:
    """A series of two numbers in turns high and low, and that all of it is there."""
    turns = np.where(np.arange(count) % 2, 1.0, -1.0)[:, None] * np.array([[1.0, -0.5]])
    rows = turns + np.random.default_rng(seed).normal(0, 0.1, (count, 2))
    return rows, np.ones_like(rows)


class TestExperiment:
    def test_too_few_machines(self, tmp_path: Path) -> None:
        """With a handful of machines there is nothing to hold out."""
        write_set(tmp_path)
        few = "\n".join(NORMAL[: 7 * (LEAST - 1)]) + "\n"
        (tmp_path / "utah_normal.log.gz").write_bytes(gzip.compress(few.encode()))
        with pytest.raises(InputError, match=f"has {LEAST - 1} normal machines; give a log of at least {LEAST}"):
            run_openstack(tmp_path, PLAN)

    def test_labels_choose_nothing(self, found: Values, tmp_path: Path) -> None:
        """With other machines labelled, everything but the counts of right and wrong is equal."""
        other = run_openstack(write_set(tmp_path / "x", machine_id(1005) + "\n"), PLAN)
        assert other.data.labelled == {machine_id(1005)}
        for one, two in (
            (found.held_out, other.held_out),
            (found.abnormal, other.abnormal),
            (found.abnormal_by_all, other.abnormal_by_all),
            (found.rolling, other.rolling),
            (found.recalls, other.recalls),
        ):
            assert one == two
        assert [(peer.threshold, peer.held_out, peer.labelled + peer.others) for peer in found.peers] == [
            (peer.threshold, peer.held_out, peer.labelled + peer.others) for peer in other.peers
        ]
        assert [one.errors for one in found.telling] == [one.errors for one in other.telling]

    def test_nothing_is_judged_by_what_was_trained_on_it(self, found: Values) -> None:
        """Each origin judges the machines after those it was trained on, and they follow one another to the end."""
        ends = [part.trained + part.judged for part in found.rolling]
        assert [part.trained for part in found.rolling] == [36, ends[0]]
        assert ends[-1] == 100
        assert (found.held_out.trained, found.held_out.judged) == (70, 30)
        assert not found.held_out.flagged.keys() & {machine_id(number) for number in range(70)}
        assert found.rolled[1] == 64

    def test_the_verdict_must_name_the_spawn_or_build_time(self) -> None:
        """A verdict by another reason, or on another line, does not count."""
        line = "[instance: <*>] Took <*> seconds to spawn the instance on the hypervisor."
        right = Finding("unusual_value", 1.5, "", line, "x", 1)
        assert (
            named([replace(right, reason="unexpected_key"), replace(right, template="Creating image"), right]) is right
        )
        assert named([replace(right, reason="unusual_session")]) is None
        assert (
            named([replace(right, reason="unusual_time", template="Took <*> seconds to build instance.")]) is not None
        )

    def test_simple_detectors_have_the_same_false_alarms(self, found: Values) -> None:
        """None of them flags more of the unchanged held-out machines than ours."""
        assert len(found.peers) == 3 if find_spec("sklearn") else 2
        assert all(peer.held_out <= len(found.held_out.flagged) for peer in found.peers)


class TestReport:
    @needs_extras
    def test_the_folder_holds_page_records_and_figures(self, found: Values, tmp_path: Path) -> None:
        """`--out` gets report.md, report.json and the figures, and the page shows each of them."""
        write_openstack(found, tmp_path / "out")
        page = (tmp_path / "out" / "report.md").read_text("utf-8")
        figures = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
        assert figures == ["openstack-changes.png", "openstack-figure9.png", "openstack-origins.png"]
        for figure in figures:
            assert (tmp_path / "out" / figure).read_bytes().startswith(b"\x89PNG")
            assert f"]({figure})" in page
        assert "quick run" not in page
        assert all(peer.name in page for peer in found.peers)
        assert all(name[:8] in page for name in [*found.abnormal.flagged, *found.held_out.flagged])
        report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
        assert report["experiment"] == "openstack-values"
        assert len(report["controlled"]["changes"]) == len(found.recalls)
        assert report["rolling_origin"]["judged"] == 64

    def test_a_row_for_each_detector(self, found: Values, capsys: pytest.CaptureFixture[str]) -> None:
        """Records and CSV have a row for each detector, with its recall of each kind."""
        print_openstack(found, Output.JSONL)
        records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [one["detector"] for one in records] == [OURS, *(peer.name for peer in found.peers)]
        assert records[0]["of_labelled"] == 2
        assert "recall_time_narrow_1.5x" in records[0]
        print_openstack(found, Output.CSV)
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [row["detector"] for row in rows] == [one["detector"] for one in records]

    def test_the_table(self, found: Values, capsys: pytest.CaptureFixture[str]) -> None:
        """The table names each labelled machine and each kind of change."""
        print_openstack(replace(found, plan=replace(PLAN, quick=True)), Output.TABLE)
        told = capsys.readouterr()
        assert all(name[:8] in told.out for name in found.data.labelled)
        assert "rolling origin" in told.out
        assert "size, doubled" in told.out
        assert "quick run" in told.err

    def test_without_the_extras(
        self, found: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What is not installed is told with what to install; the other detectors are run."""
        for module in (openstack_judging, pictures):
            monkeypatch.setattr(module, "find_spec", lambda _name: None)
        simple, lacking = learn_simple([[Vector(Line("x"), 1, 0, 1.0, (), ())]])
        assert (len(simple), lacking) == (2, ["isolation forest on the sparse matrix"])
        write_openstack(found, tmp_path / "out")
        assert "pip install '.[plots]'" in capsys.readouterr().err
        assert "openstack-figure9.png" not in (tmp_path / "out" / "report.md").read_text("utf-8")

    def test_a_place_that_cannot_be_written(self, found: Values, tmp_path: Path) -> None:
        """A file in the place of the folder is an error in one line."""
        (tmp_path / "x").write_text("")
        with pytest.raises(UsageError, match="x: cannot be written"):
            write_openstack(found, tmp_path / "x")

    def test_hostile_text_is_spelt_out(self, found: Values, tmp_path: Path) -> None:
        """Escapes and table marks of a log do not reach the page as such."""
        evil = Finding("unusual_value", 2.0, "a\x1b[31m | b", "x\x07 | y", "x", 1)
        part = replace(found.abnormal, flagged={machine_id(1002): (evil,)})
        write_openstack(replace(found, abnormal=part), tmp_path)
        page = (tmp_path / "report.md").read_text("utf-8")
        assert "\x1b" not in page
        assert "\x07" not in page
        assert "\\x1b[31m \\| b" in page


def test_wrong_use_is_one_line() -> None:
    """A wrong folder is one line and exit code 2."""
    done = reproduce("openstack-values", "--data", "nowhere")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "nowhere: is no folder; put openstack_normal1.log" in done.stderr


def test_a_quick_plan_says_so() -> None:
    """The quick run differs in how much is run, not in what is asked."""
    assert quick().quick
    assert quick().config.false_alarms == Plan().config.false_alarms == 0.01


@pytest.mark.data
@pytest.mark.slow
def test_the_figures_promised_for_openstack(data_dir: Path) -> None:
    """The full experiment keeps what docs/openstack.md says: labelled machines, false alarms, recalls (minutes).

    Slowed steps are asked to be found at 1.5x in 95 of 100 machines as well; docs/openstack.md says which are not.
    """
    found = run_openstack(data_dir)
    for part in (found.abnormal, found.abnormal_by_all):
        assert all(one is not None for one in found.labelled(part).values())
        assert len(found.others(part)) <= 4
    flagged, judged = found.rolled
    assert judged >= 300
    assert flagged <= 0.02 * judged
    recalls = {(one.kind, one.narrow, one.factor): one.share() for one in pooled(found.recalls)}
    assert recalls[Kind.DURATION, True, 1.5] >= 0.95
    assert recalls[Kind.SIZE, False, 2.0] >= 0.95
    assert recalls[Kind.TIME, True, 1.5] >= 0.5
