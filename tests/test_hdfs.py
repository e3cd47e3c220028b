"""The HDFS experiment: labels choose nothing, figures are what they say, everything reaches the report."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import betabinom
from tests.conftest import SMALL
from tests.test_hdfs_data import write_samples
from tests.test_parsing import write

from offscript import Config, InputError, KeyModel, UsageError
from offscript.console import Output
from offscript.evaluate import hdfs_detectors, pictures
from offscript.evaluate.baselines.judged import Judged
from offscript.evaluate.hdfs import FULL, Hdfs, Plan, quick, run_hdfs
from offscript.evaluate.hdfs_detectors import DETECTORS, KINDS, SHARES, UNLABELLED, Kind, Task, detectors_at_hand
from offscript.evaluate.hdfs_paper import PARAMETERS, TABLE_4
from offscript.evaluate.hdfs_promises import Kept, summaries
from offscript.evaluate.hdfs_scoring import Outcome, Row, scored
from offscript.evaluate.hdfs_sessions import Copy, Session, Split
from offscript.hdfs_report import print_hdfs, write_hdfs

needs_extras = pytest.mark.skipif(
    not all(map(find_spec, ("sklearn", "matplotlib"))),
    reason="the extras `baselines` and `plots` are not installed (pip install '.[baselines,plots]'); .ci/run has them",
)


def normal_sessions(count: int, seed: int) -> list[Session]:
    """Sessions of a small service: opened, some steps in any order, closed; some have a second round."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        steps = [chance.sample([3, 4, 5], 3) for _ in range(1 + (chance.random() < 0.3))]
        found.append((1, *(key for part in steps for key in part), 2))
    return found


NORMAL = normal_sessions(160, seed=1)
WRONG: list[Session] = [(1, 3), (1, 3, 4, 5, 9, 2), (1, 3, 3, 3, 3, 2), (1, 2), (1, 3, 4, 5), (1, 5, 4, 3, 3, 2)] * 3

SETTINGS: dict[str, Any] = SMALL | {"history": 3, "training_steps": 50}


def plan(**changes: Any) -> Plan:
    """A plan small enough for a test."""
    values = {"history": (2, 3), "candidates": (1, 9), "layers": (1,), "hidden": (12, 16)}
    config = Config(**SETTINGS)
    made = Plan(seeds=2, splits=1, sizes=(40, 80), values=values, ours=config, paper=config, training=80)
    return replace(made, sweep_steps=50, **changes)


def write_sessions(folder: Path, normal: list[Session], wrong: list[Session]) -> Path:
    """Write the authors' copy: the first half of the normal sessions to train on."""
    parts = {"hdfs_train": NORMAL[:80], "hdfs_test_normal": normal, "hdfs_test_abnormal": wrong}
    for name, sessions in parts.items():
        write(folder / name, "".join(" ".join(map(str, session)) + "\n" for session in sessions))
    return folder


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Hdfs:
    """The experiment on small files."""
    return run_hdfs(write_sessions(tmp_path_factory.mktemp("hdfs"), NORMAL[80:], WRONG), plan())


class TestLabels:
    def test_no_label_touches_a_choice(self, found: Hdfs, tmp_path: Path) -> None:
        """With the labels of the test sessions dealt out anew, everything but the counts of right and wrong is equal.

        Settings, thresholds, promises of the table, how many sessions each detector flags and by which reasons, the
        training curves and gaps: all equal. Promises are left out, as they are measured on sessions called normal.
        """
        dealt = [*NORMAL[80:], *WRONG]
        random.Random(5).shuffle(dealt)
        folder = write_sessions(tmp_path, dealt[: len(NORMAL) - 80], dealt[len(NORMAL) - 80 :])
        other = run_hdfs(folder, plan())
        assert choices(other) == choices(found)
        assert [row.mean("tp") for row in other.rows] != [row.mean("tp") for row in found.rows]

    def test_a_task_has_no_labels(self) -> None:
        """What a detector is given holds no label: two splits that differ in labels alone give equal tasks."""
        split = Copy("x", ((1, 2),), ((1,), (2,)), ((2,), (3,)), whole=True, files=()).split(0)
        swapped = replace(split, normal=split.anomalous, anomalous=split.normal)
        one, two = (Task.of(labelled, 0, Config(), Config()) for labelled in (split, swapped))
        assert (one.train, one.test, one.seed) == (two.train, two.test, two.seed)
        assert one.stands_for.tolist() == two.stands_for.tolist()

    @needs_extras
    def test_what_sessions_stand_for(self) -> None:
        """Of a sample, how many sessions each stands for differs by label: only the unlabelled rows look at it."""
        split = Copy("x", tuple(NORMAL[:80]), tuple(NORMAL[80:]), tuple(WRONG), whole=False, files=()).split(0)
        config = Config(**SETTINGS)
        one = Task.of(split, 0, config, config)
        other = Task.of(replace(split, stands_for=split.stands_for[::-1].copy()), 0, config, config)
        assert one.stands_for.tolist() != other.stands_for.tolist()
        for row in DETECTORS:
            if row.trained_on != UNLABELLED:
                judged, again = row.judge(one), row.judge(other)
                assert (judged.scores.tolist(), judged.reasons) == (again.scores.tolist(), again.reasons), row.name


def choices(found: Hdfs) -> Any:
    """Everything of a report that labels must not change."""
    assert found.swept is not None
    return [
        [(row.name, [(run.settings, run.tp + run.fp, by_reason(run)) for run in row.runs]) for row in found.rows],
        [(point.setting, point.value, point.gap, flagged(point.outcome)) for point in found.swept.points],
        [(size.sessions, size.promised, flagged(size.outcome)) for size in found.sizes],
        found.curves,
        found.swept.curve,
    ]


def flagged(run: Outcome) -> int:
    """How many sessions were flagged."""
    return run.tp + run.fp


def by_reason(run: Outcome) -> dict[str, int]:
    """How many sessions were flagged by each reason, right or wrong."""
    reasons = run.found_by.keys() | run.wrong_by.keys()
    return {reason: run.found_by.get(reason, 0) + run.wrong_by.get(reason, 0) for reason in sorted(reasons)}


class TestScoring:
    SPLIT = Split(
        ((1,),),
        ((1,), (2,), (3,), (4,)),
        np.array([90, 8, 2, 0]),
        np.array([0, 1, 3, 6]),
        np.ones(4),
        scale=10.0,
    )

    def test_a_small_case_by_hand(self) -> None:
        """Two of four distinct sessions are flagged: 9 of 10 anomalies, 2 of 100 normals that count ten times."""
        run = scored(Judged(np.array([0.1, 0.5, 1.0, 2.0]), ("", "", "far", "new")), self.SPLIT)
        assert (run.tp, run.fp, run.fn, run.normals) == (9, 2, 1, 100)
        assert (run.false_positives, run.precision, run.recall) == (20.0, 9 / 29, 0.9)
        assert run.f1 == pytest.approx(18 / (18 + 20 + 1))
        assert run.rate == 0.02
        assert run.found_by == {"new": 6, "far": 3}
        assert run.wrong_by == {"far": 2}

    def test_the_oracle_by_hand(self) -> None:
        """Flagging the last alone gives 6 of 10 and no false positive: F1 .75, more than any other threshold."""
        judged = Judged(np.array([0.1, 0.5, 1.0, 2.0]), ("", "", "far", "new"))
        assert scored(judged, self.SPLIT).oracle == pytest.approx(12 / 16)
        assert scored(replace(judged, ranked=False), self.SPLIT).oracle is None
        # of equal scores none can be flagged alone
        equal = scored(Judged(np.array([0.0, 0.0, 2.0, 2.0]), ("", "", "far", "far")), self.SPLIT)
        assert equal.oracle == pytest.approx(18 / (18 + 20 + 1))

    def test_a_row_has_mean_range_and_interval(self) -> None:
        """A row averages its runs; the interval is that of the mean count among one run's normal sessions."""
        runs = tuple(Outcome(tp, 2, 10 - tp, 100, 1.0, {"a": tp}, {"a": 2}, {}, None) for tp in (6, 8))
        row = Row("x", "y", "z", "normal", None, runs)
        assert row.mean("tp") == 7
        assert row.spread("f1") == (runs[0].f1, runs[1].f1)
        assert row.reasons("found_by") == {"a": 7}
        assert row.interval == pytest.approx((0.0055, 0.0700), abs=1e-3)  # Wilson's, from a table
        assert row.scaled_interval == pytest.approx([100 * share for share in row.interval])
        assert row.oracle is None


class TestOurs:
    def test_calibrated_anew_is_fitted_anew(self) -> None:
        """Models that share networks are to the bit those that fit gives with each setting."""
        train, config = tuple(NORMAL[:40]), Config(**SETTINGS)
        kinds: tuple[Kind, ...] = ((0.05, True, "likelihood"), (0.1, False, "likelihood"), (0.05, False, "top-g"))
        task = Task(train, (), np.empty(0), 0, config, config, kinds)
        for share, profile, rule in kinds:
            update = {"false_alarms": share, "profile": profile, "rule": rule}
            fitted = KeyModel.fit(train, config.model_copy(update=update)).parts()
            shared = task.model(share, profile=profile, rule=rule).parts()
            assert shared[0] == fitted[0]
            assert all(np.array_equal(shared[1][name], array) for name, array in fitted[1].items())

    def test_seeds_differ(self, found: Hdfs) -> None:
        """Detectors with chance in them are run once a seed, the others once where training sessions are given."""
        assert {row.name: len(row.runs) for row in found.rows} == {
            one.name: 2 if one.chance else 1 for one in detectors_at_hand()[0]
        }


class TestPromises:
    def test_the_bound_is_that_of_the_distribution(self, found: Hdfs) -> None:
        """The bound printed is the 99% point of the beta-binomial distribution for the scores that there were."""
        for one in found.promises:
            k = max(1, round(one.calibrated * (one.scores + 1)))
            assert one.bound == betabinom.ppf(0.99, one.judged, k, one.scores + 1 - k)

    def test_every_share_is_tried(self, found: Hdfs) -> None:
        """Each split has a promise for each share, and what the table needs is among the kinds fitted."""
        assert [one.asked for one in found.promises] == list(SHARES)
        assert {share for share, whole, _ in KINDS if whole} == set(SHARES)

    def test_a_summary_by_hand(self) -> None:
        """The ratio is that of the means, and splits above the bound are counted."""
        kept = [Kept("x", n, 0.01, 0.01, 0.01, 99, 1000, flagged, 20) for n, flagged in enumerate((5, 25))]
        (one,) = summaries(kept)
        assert (one["mean_realised"], one["ratio"], one["splits_above_bound"]) == (0.015, 1.5, 1)


class TestReport:
    def test_every_part_is_there(self, found: Hdfs) -> None:
        """Table, promises, sweeps, sizes and curves: each has what the plan asks for."""
        report = found.report()
        assert len(report["table"]) == len(detectors_at_hand()[0])
        assert all(row["scaled_by"] == 1 for row in report["table"])
        assert len(report["promises"]["splits"]) == 3
        assert [(one["setting"], one["value"]) for one in report["parameters"]] == [
            *(("history", n) for n in (2, 3)),
            *(("candidates", n) for n in (1, 9)),
            ("layers", 1),
            *(("hidden", n) for n in (12, 16)),
        ]
        assert report["top_g"] == sorted(report["top_g"])
        assert [one["sessions"] for one in report["sizes"]] == [40, 80]
        assert len(report["curves"]) == SMALL["folds"]
        assert all(points[1] > curve["floor"] - 0.5 for curve in report["curves"] for points in curve["points"])
        json.dumps(report, allow_nan=False)

    @needs_extras
    def test_the_folder_holds_page_records_and_figures(self, found: Hdfs, tmp_path: Path) -> None:
        """`--out` gets report.md, report.json and the figures, and the page shows each of them."""
        write_hdfs(found, tmp_path / "out")
        page = (tmp_path / "out" / "report.md").read_text("utf-8")
        names = sorted(path.name for path in (tmp_path / "out").iterdir())
        figures = [f"hdfs-{what}.png" for what in ("parameters", "promises", "table", "top-g", "training")]
        assert names == sorted([*figures, "report.json", "report.md"])
        for figure in figures:
            assert (tmp_path / "out" / figure).read_bytes().startswith(b"\x89PNG")
            assert f"]({figure})" in page
        assert "nothing scaled" in page
        assert "quick run" not in page
        assert all(row.name in page for row in found.rows)
        assert json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["experiment"] == "hdfs"

    def test_a_quick_run_says_so(self, found: Hdfs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A quick run is named in the report and on standard error: its figures are not to be quoted."""
        hurried = replace(found, plan=plan(quick=True))
        write_hdfs(hurried, tmp_path)
        assert "quick run" in (tmp_path / "report.md").read_text("utf-8")
        print_hdfs(hurried, Output.JSONL)
        told = capsys.readouterr()
        assert "quick run" in told.err
        assert [json.loads(line)["detector"] for line in told.out.splitlines()] == [row.name for row in found.rows]

    def test_the_table_and_csv(self, found: Hdfs, capsys: pytest.CaptureFixture[str]) -> None:
        """The table has a row for each detector and a line for each promise; CSV has plain cells."""
        print_hdfs(found, Output.TABLE)
        table = capsys.readouterr().out
        assert all(row.name in table for row in found.rows)
        assert table.count("99% bound") == 3
        print_hdfs(found, Output.CSV)
        rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
        assert [row["detector"] for row in rows] == [row.name for row in found.rows]
        assert json.loads(rows[0]["found_by"]) == found.rows[0].reasons("found_by")

    def test_without_the_extras(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What is not installed is told with what to install; the other detectors are run."""
        for module in (hdfs_detectors, pictures):
            monkeypatch.setattr(module, "find_spec", lambda _name: None)
        small = plan(seeds=1, splits=1, sizes=(80,), values={"history": (3,)})
        found = run_hdfs(write_sessions(tmp_path, NORMAL[80:], WRONG), small)
        assert len(found.rows) == len(DETECTORS) - 2
        write_hdfs(found, tmp_path / "out")
        print_hdfs(found, Output.JSONL)
        told = capsys.readouterr().err
        assert "not installed, so not run: log clustering, log clustering, 0.3%" in told
        assert "pip install '.[baselines]'" in told
        assert "pip install '.[plots]'" in told
        assert "hdfs-table.png" not in (tmp_path / "out" / "report.md").read_text("utf-8")

    def test_samples_of_both_copies(self, tmp_path: Path) -> None:
        """Both copies have rows; where training sessions are drawn every detector is run on each draw."""
        write_samples(tmp_path)
        lines = "".join(f"blk_{n},0,{' '.join(map(str, one))}\n" for n, one in enumerate(NORMAL))
        write(tmp_path / "normal_by_block.csv.gz", "block_id,in_first_100k_lines,sequence\n" + lines)
        write(tmp_path / "abnormal_by_block.csv.gz", "block_id,in_first_100k_lines,sequence\nblk_x,0,1 9\n")
        (tmp_path / "deeplog_copy_train.txt.gz").unlink()
        (copy,) = run_hdfs(tmp_path, plan(sizes=(80,), values={"history": (3,)})).copies
        assert (copy.name, copy.drawn, copy.normals, copy.anomalies) == ("loghub", True, 80, 1)
        assert copy.scale == 553_366 / 80

    def test_a_place_that_cannot_be_written(self, found: Hdfs, tmp_path: Path) -> None:
        """A file in the place of the folder is an error in one line."""
        (tmp_path / "x").write_text("")
        with pytest.raises(UsageError, match="x: cannot be written"):
            write_hdfs(found, tmp_path / "x")

    def test_nothing_to_read(self, tmp_path: Path) -> None:
        """A folder without HDFS files is an error with the names expected."""
        with pytest.raises(InputError, match="holds no HDFS sessions; put hdfs_train"):
            run_hdfs(tmp_path, plan())


class TestPlans:
    def test_the_full_plan_is_the_paper(self) -> None:
        """Three seeds, five splits, the paper's sweeps, its defaults, and as many sessions to train on."""
        assert (FULL.seeds, FULL.splits, FULL.training) == (3, 5, 4855)
        assert FULL.values == {name: tuple(known) for name, known in PARAMETERS.items()}
        for config in (FULL.ours, FULL.paper):
            assert (config.history, config.candidates, config.layers, config.hidden) == (10, 9, 2, 64)
        assert quick().quick
        assert all(one.paper is None or one.paper in TABLE_4 for one in DETECTORS)


def reproduce(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "offscript", "reproduce", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


class TestCommand:
    @pytest.mark.parametrize(
        ("arguments", "what"),
        [
            (("hdfs", "--data", "nowhere"), "nowhere: is no folder; put hdfs_train"),
            (("parsing", "--quick", "--data", "."), "parsing: --quick is not for parsing"),
        ],
    )
    def test_wrong_use_is_one_line(self, arguments: tuple[str, ...], what: str) -> None:
        """A wrong folder, or an option that an experiment does not have, is one line and exit code 2."""
        done = reproduce(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert what in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.data
@pytest.mark.slow
def test_the_figures_promised_for_hdfs(data_dir: Path) -> None:
    """The full experiment reaches what is promised of it: F1 of ours and of order alone, promises kept (minutes)."""
    found = run_hdfs(data_dir)
    f1 = {(row.copy, row.name): row.mean("f1") for row in found.rows}
    assert f1["authors", "ours, 0.1%"] >= 0.985
    assert max(f1["authors", f"order alone, {rule}, 0.3%"] for rule in ("likelihood", "top-g")) >= 0.95
    assert f1["loghub", "ours, 0.3%"] >= 0.96
    assert max(f1["loghub", f"order alone, {rule}, 0.3%"] for rule in ("likelihood", "top-g")) >= 0.93
    for one in summaries(found.promises):
        assert one["ratio"] <= 1.5
        assert one["splits_above_bound"] == 0
