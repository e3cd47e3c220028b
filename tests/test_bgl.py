"""The BlueGene/L experiment: what is read, labels that choose nothing, and everything in the report."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import SMALL
from tests.test_hdfs import needs_extras, normal_sessions, reproduce

from offscript import Config, InputError, UsageError
from offscript.bgl_report import print_bgl, write_bgl
from offscript.console import Output
from offscript.evaluate import pictures
from offscript.evaluate.bgl import FULL, NEW, OURS, PAPER, Bgl, Plan, quick, run_bgl
from offscript.evaluate.bgl_data import find_stream, read_stream
from offscript.evaluate.bgl_paper import FIGURE_10
from offscript.evaluate.session_reports import verdicts_of
from offscript.models.keys import KeyModel

SETTINGS: dict[str, Any] = SMALL | {"history": 3, "training_steps": 100}

PLAN = Plan(
    shares=(0.25, 0.5),
    delays=(None, 0, 50),
    ours=Config(**SETTINGS),
    paper=Config(**SETTINGS, rule="top-g", candidates=2),
    most_of_paper=2,
    sessions=60,
    reported=10,
)


def stream(entries: int = 4_000) -> list[tuple[int, int]]:
    """A loop of keys from 0 on that gets new ones half way, with alerts of two keys, one of which is normal too."""
    chance = np.random.default_rng(5)
    found = [(0, -1)]
    while len(found) < entries:
        late = len(found) > 0.6 * entries
        found += [(key, 0) for key in (0, 1, 2, 3)]
        if late:
            found += [(4, 0), (5, 0)]
        if chance.random() < 0.02:
            found.append((int(chance.choice([8, 9])), 1))
        if chance.random() < 0.004:
            found.append((9, 0))
    return found[:entries]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small stream and HDFS sessions."""
    to = tmp_path_factory.mktemp("data")
    (to / "bgl").mkdir()
    lines = "".join(f"{key} {label}\n" for key, label in stream())
    (to / "bgl" / "stream_key_label.txt.gz").write_bytes(gzip.compress(lines.encode()))
    odd = [(1, 3, 3, 3, 2), (1, 5, 2), (1, 4, 4, 5, 3, 2), (1, 3, 6, 4, 5, 2)] * 6  # some are trained on, once or so
    rows = {"normal": [*normal_sessions(400, seed=1), *odd], "abnormal": [(1, 3), (1, 9, 9, 2)] * 4}
    for name, sessions in rows.items():
        body = "".join(f"blk_{name}{n},0,{' '.join(map(str, one))}\n" for n, one in enumerate(sessions))
        head = "block_id,in_first_100k_lines,sequence\n"
        (to / f"{name}_by_block.csv.gz").write_bytes(gzip.compress((head + body).encode()))
    return to


@pytest.fixture(scope="module")
def found(folder: Path) -> Bgl:
    """Return what the small experiment found."""
    return run_bgl(folder, PLAN)


class TestData:
    def test_keys_begin_with_one(self, folder: Path) -> None:
        """Key 0 of a file is a key like any other; 0 is kept for lines that no template matches."""
        read = find_stream(folder)
        told = stream()
        assert read.keys.tolist() == [key + 1 for key, _ in told]
        assert read.anomalous.tolist() == [label == 1 for _, label in told]
        assert np.flatnonzero(read.unlabelled).tolist() == [0]
        assert set(read.ambiguous) == {10}
        assert sum(read.ambiguous[10]) == sum(key == 9 for key, _ in told)

    @pytest.mark.parametrize("line", ["7", "7 0 1", "x 0", "-1 0", "7 2", "7 0.5", "", "9999999 0", "7 \x1b[31m"])
    def test_a_damaged_line_is_named(self, tmp_path: Path, line: str) -> None:
        """File, line and remedy, and nothing that a terminal would obey."""
        path = tmp_path / "stream_key_label.txt"
        path.write_text(f"3 0\n{line}\n4 1\n")
        with pytest.raises(InputError, match="where a key and a label should be") as caught:
            read_stream(path)
        assert (caught.value.where, caught.value.line) == (str(path), 2)
        assert "get the file again" in str(caught.value)
        assert "\x1b" not in str(caught.value)

    def test_what_is_no_stream(self, tmp_path: Path) -> None:
        """No folder, no file, an empty one, and one that is cut off say what to do."""
        with pytest.raises(InputError, match="is no folder; put stream_key_label"):
            find_stream(tmp_path / "x")
        with pytest.raises(InputError, match="holds no BlueGene/L stream; put stream_key_label"):
            find_stream(tmp_path)
        path = tmp_path / "stream_key_label.txt"
        path.write_text("")
        with pytest.raises(InputError, match="holds no entries"):
            read_stream(path)
        packed = tmp_path / "s.gz"
        packed.write_bytes(gzip.compress(b"3 0\n" * 50_000)[:-30])
        with pytest.raises(InputError, match="cannot be read"):
            read_stream(packed)

    def test_too_few_entries_and_late_labels(self, tmp_path: Path) -> None:
        """What cannot be trained on is refused, and an entry that has no label among those judged is named."""
        path = tmp_path / "stream_key_label.txt"
        path.write_text("3 0\n" * 2_000)
        with pytest.raises(InputError, match="has 2,000 entries; give at least 4,000"):
            run_bgl(tmp_path, PLAN)
        path.write_text("3 0\n" * 4_000 + "3 -1\n")
        with pytest.raises(InputError, match=r"has no label.*label all entries") as caught:
            run_bgl(tmp_path, PLAN)
        assert caught.value.line == 4_001


class TestRuns:
    def test_every_detector_with_every_delay(self, found: Bgl) -> None:
        """Each share has each detector without, with and with delayed feedback."""
        names = [(run.share, run.detector, run.delay) for run in found.runs]
        want = [(s, d, t) for s in PLAN.shares for d in (NEW, OURS, PAPER) for t in PLAN.delays]
        assert sorted(names, key=str) == sorted(want, key=str)
        for run in found.runs:
            judged = len(found.stream) - int(run.share * len(found.stream))
            assert run.score.tp + run.score.fp + run.score.fn + run.score.tn == judged
            assert run.curve[-1] == (judged, run.score.tp, run.score.fp, run.score.fn)

    def test_feedback_counts(self, found: Bgl) -> None:
        """Nothing is reported without feedback; at once every false alarm is, and more are learnt than refused."""
        for run in found.runs:
            if run.delay is None:
                assert run.reports == run.learnt == run.refused == 0
            elif run.delay == 0:
                assert run.reports == run.score.fp
            assert run.learnt + run.refused <= run.reports
            assert run.limit is None or (run.detector, run.learnt) == (PAPER, 2)

    def test_what_was_taught_alarms_no_more(self, found: Bgl) -> None:
        """After the change of the stream ours is taught within a few reports what no feedback flags to the end."""
        runs = {run.delay: run.score for run in found.of(0.25) if run.detector == OURS}
        assert runs[None].fp > 500
        assert runs[0].fp < 30
        assert runs[0].fp <= runs[50].fp < runs[None].fp

    def test_labels_choose_nothing(self, found: Bgl, tmp_path: Path) -> None:
        """Other labels behind the trained part change no verdict where none are fed back."""
        rows = stream()
        cut = len(rows) // 2
        lines = [f"{key} {label if place < cut else 1 - label}\n" for place, (key, label) in enumerate(rows)]
        (tmp_path / "stream_key_label.txt").write_text("".join(lines))
        other = run_bgl(tmp_path, replace(PLAN, shares=(0.5,), delays=(None,)))
        for one, two in zip([run for run in found.of(0.5) if run.delay is None], other.runs, strict=True):
            assert one.score.tp + one.score.fp == two.score.tp + two.score.fp
        assert other.sessions is None
        assert "the part on HDFS sessions was not run" in other.findings[0]

    def test_reported_sessions_stay_away(self, found: Bgl) -> None:
        """Of the kinds that were reported none comes back, at the sessions reported and at fresh ones."""
        one = found.sessions
        assert one is not None
        assert one.reported > 0
        assert one.alike >= one.met > 0
        assert (one.still, one.back, one.reported_still, one.quiet) == (0, 0, 0, 1.0)
        assert one.flagged_after < one.flagged_before
        assert one.found_after <= one.found_before <= one.anomalies == 8


def test_what_is_said_of_a_session() -> None:
    """Each flagged step has its history and key, an early end the keys before it, counts where the session ended."""
    model = KeyModel.fit([[1, 2, 3, 4]] * 60, Config(**SETTINGS))
    said = verdicts_of(model, (1, 2, 9, 3, 4))
    assert (said[0].reason, said[0].history, said[0].entry.key, said[0].counts) == ("new_key", (1, 2), 9, None)
    (end,) = verdicts_of(model, (1, 2, 3))
    assert (end.reason, end.history, end.counts) == ("incomplete_session", (1, 2, 3), ((1, 1), (2, 1), (3, 1)))
    assert verdicts_of(model, (1, 2, 3, 4)) == []


class TestReport:
    @needs_extras
    def test_the_folder_holds_page_records_and_figure(self, found: Bgl, tmp_path: Path) -> None:
        """`--out` gets report.md, report.json and the figure, and the page shows it beside the paper's figures."""
        write_bgl(found, tmp_path / "out")
        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
            "bgl-progress.png",
            "report.json",
            "report.md",
        ]
        page = (tmp_path / "out" / "report.md").read_text("utf-8")
        assert "](bgl-progress.png)" in page
        assert "quick run" not in page
        assert "2 updates at most" in page
        report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
        assert report["experiment"] == "bgl-update"
        assert len(report["runs"]) == len(found.runs)
        assert report["sessions"]["still"] == 0
        assert list(report["keys_with_both_labels"]) == ["10"]

    def test_the_paper_stands_beside(self, found: Bgl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the share is one of the paper's, its row is in the table; without the extra there is no figure."""
        monkeypatch.setattr(pictures, "find_spec", lambda _name: None)
        runs = [replace(run, share=0.1 if run.share == 0.5 else 0.01) for run in found.runs]
        write_bgl(replace(found, plan=replace(found.plan, shares=(0.01, 0.1)), runs=runs), tmp_path)
        page = (tmp_path / "report.md").read_text("utf-8")
        assert page.count("the paper prints") == 8
        assert "| the paper prints | with | .820 | 1 | .900 | 1.7% |" in page
        assert "bgl-progress.png" not in page

    def test_a_row_for_each_run(self, found: Bgl, capsys: pytest.CaptureFixture[str]) -> None:
        """Records name detector, share and delay; the table has every run; a quick run says so."""
        print_bgl(replace(found, plan=replace(PLAN, quick=True)), Output.JSONL)
        told = capsys.readouterr()
        rows = [json.loads(line) for line in told.out.splitlines()]
        assert [(row["detector"], row["delay"]) for row in rows] == [(run.detector, run.delay) for run in found.runs]
        assert "quick run" in told.err
        print_bgl(found, Output.TABLE)
        table = capsys.readouterr().out
        assert table.count("no feedback") == 6
        assert "HDFS: " in table

    def test_a_place_that_cannot_be_written(self, found: Bgl, tmp_path: Path) -> None:
        """A file in the place of the folder is an error in one line."""
        (tmp_path / "x").write_text("")
        with pytest.raises(UsageError, match="x: cannot be written"):
            write_bgl(found, tmp_path / "x")


def test_wrong_use_is_one_line() -> None:
    """A wrong folder is one line and exit code 2."""
    done = reproduce("bgl-update", "--data", "nowhere")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "nowhere: is no folder; put stream_key_label.txt" in done.stderr


def test_the_full_plan_is_the_paper() -> None:
    """The paper's shares and settings, ours by default and without a bound; a quick one says so."""
    assert set(FIGURE_10) == {(share, updated) for share in FULL.shares for updated in (False, True)}
    paper = FULL.paper
    assert (paper.history, paper.layers, paper.hidden, paper.candidates, paper.rule) == (3, 1, 256, 6, "top-g")
    assert Config() == FULL.ours
    assert FULL.most is None
    assert quick().quick


@pytest.mark.data
@pytest.mark.slow
def test_the_figures_promised_for_updates(data_dir: Path) -> None:
    """The experiment keeps what docs/bgl.md says of ours: F1, false alarms, reports, time, kinds that stay away."""
    found = run_bgl(data_dir)
    for share in FULL.shares:
        runs = {(run.detector, run.delay): run for run in found.of(share)}
        at_once, later = runs[OURS, 0], runs[OURS, 1_000]
        assert at_once.score.f1 >= 0.985
        assert at_once.score.false_positive_rate <= 0.001
        assert at_once.reports <= 1_000
        assert abs(later.score.f1 - runs[NEW, 1_000].score.f1) <= 0.01
        assert at_once.update_mean <= 0.2
    assert found.sessions is not None
    assert found.sessions.quiet >= 0.95
    before, after = found.sessions.recalls
    assert before - after < 0.005
