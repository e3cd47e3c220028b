"""Labels, metrics: numbers with what was counted, and clear errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from offscript import InputError, Model
from offscript.evaluate.judge import evaluate
from offscript.evaluate.labels import read_labels
from offscript.evaluate.metrics import Score, score_units, wilson
from offscript.testing import lines_of, service_log


def test_a_small_case_by_hand() -> None:
    """Two of three anomalies found, one false alarm among four normals."""
    labels = {"a": True, "b": True, "c": True, "d": False, "e": False, "f": False, "g": False}
    score = score_units("sessions", labels, {"a": "new_key", "b": "unexpected_key", "d": "new_key", "zz": "new_key"})
    assert (score.tp, score.fp, score.fn, score.tn) == (2, 1, 1, 3)
    assert (score.precision, score.recall, score.f1, score.false_positive_rate) == (2 / 3, 2 / 3, 2 / 3, 0.25)
    assert dict(score.by_reason) == {"new_key": 2, "unexpected_key": 1}


def test_nothing_counted_is_nothing_claimed() -> None:
    """Without units every figure is zero and the interval is everything."""
    empty = Score("sessions", 0, 0, 0, 0)
    assert (empty.precision, empty.recall, empty.f1, empty.false_positive_interval) == (0, 0, 0, (0.0, 1.0))


def test_wilson_at_a_known_point() -> None:
    """Wilson's interval for 1 of 10 is (.0179, .4042), worked by hand."""
    assert wilson(1, 10) == pytest.approx((0.01788, 0.40415), abs=1e-5)


def test_evaluation_by_session(service_model: Model, tmp_path: Path) -> None:
    """Sessions cut short, labelled so, are counted as found."""
    labels = tmp_path / "labels.csv"
    rows = [f"req-{100_000 + n},{'Anomaly' if n in (10, 30) else 'Normal'}" for n in range(60)]
    labels.write_text("BlockId,Label\n" + "\n".join(rows) + "\n", "utf-8")
    lines = lines_of(service_log(60, seed=11, broken=(10, 30)))
    score = evaluate(service_model, lines, read_labels(labels), complete=True)
    assert score.unit == "sessions"
    assert score.tp == 2
    assert score.tp + score.fn + score.fp + score.tn == 60


def test_evaluation_by_line(service_model: Model, tmp_path: Path) -> None:
    """A labelled line that was never seen is counted as found."""
    texts = [*service_log(10, seed=12), "2024-05-01 10:00:09.000 INFO [req-100001] melted"]
    labels = tmp_path / "labels.csv"
    labels.write_text(f"line,label\n1,0\n{len(texts)},1\n", "utf-8")
    score = evaluate(service_model, lines_of(texts), read_labels(labels))
    assert (score.unit, score.tp, score.fn, score.fp, score.tn) == ("lines", 1, 0, 0, 1)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", r":1: is not a label file"),
        ("a,b\n1,2\n", r":1: is not a label file"),
        ("session,label\n", "holds no labels"),
        ("session,label\nx,maybe\n", r":2: has the label 'maybe'"),
        ("session,label\nx,1\n" + "y" * 200_000 + ",1\n", r":3: is no CSV"),
        ("session,label\nx,1\n\ny,0\nx,0\n", r":5: labels 'x' otherwise than line 2 does"),
        ("line,label\nx,1\n", r":2: names the line 'x'"),
        ("line,label\n0,1\n", r":2: names the line '0'"),
        ("line,label\n7,1\n07,0\n", r":3: labels '7' otherwise than line 2 does"),
    ],
)
def test_a_wrong_label_file_is_told(tmp_path: Path, content: str, what: str) -> None:
    """File, line and remedy are named."""
    (tmp_path / "labels.csv").write_text(content, "utf-8")
    with pytest.raises(InputError, match=what):
        read_labels(tmp_path / "labels.csv")


def test_unknown_ids_are_told(service_model: Model, tmp_path: Path) -> None:
    """A label of a session that the log does not have is an error that names its line, unless allowed."""
    (tmp_path / "labels.csv").write_text("session,label\nreq-100000,0\nghost,1\n", "utf-8")
    truth = read_labels(tmp_path / "labels.csv")
    lines = lines_of(service_log(5, seed=13))
    with pytest.raises(InputError, match=r"labels\.csv:3: names 'ghost'"):
        evaluate(service_model, lines, truth)
    assert evaluate(service_model, lines, truth, complete=True, allow_unknown=True).tn == 1


def test_a_label_given_twice_alike_counts_once(tmp_path: Path) -> None:
    """Repeated labels that agree are one label."""
    (tmp_path / "labels.csv").write_text('session,label\nx,1\n"x",1\n', "utf-8")
    assert read_labels(tmp_path / "labels.csv").anomalous == {"x": True}


def test_labels_by_line_need_one_source(service_model: Model, tmp_path: Path) -> None:
    """Line 1 of which log? Nobody can tell: refused instead of counted wrongly."""
    (tmp_path / "labels.csv").write_text("line,label\n1,0\n", "utf-8")
    texts = service_log(5, seed=14)
    lines = [replace(line, source=name) for name in ("a.log", "b.log") for line in lines_of(texts)]
    with pytest.raises(InputError, match=r"several sources \(a\.log, b\.log\)"):
        evaluate(service_model, lines, read_labels(tmp_path / "labels.csv"))


def test_a_label_on_a_continuation_line_counts_for_its_record(service_model: Model, tmp_path: Path) -> None:
    """A trace belongs to the line before it: labelling any of its lines labels the record, once."""
    texts = service_log(10, seed=15)
    record = len(texts) + 1
    texts += ["2024-05-01 10:00:09.000 INFO [req-100001] melted", "    at core", "    at shell"]
    (tmp_path / "labels.csv").write_text(f"line,label\n1,0\n{record},0\n{record + 2},1\n", "utf-8")
    score = evaluate(service_model, lines_of(texts), read_labels(tmp_path / "labels.csv"))
    assert (score.tp, score.fn, score.fp, score.tn) == (1, 0, 0, 1)
    assert score.unlabelled == record - 2


def test_sessions_not_judged_are_no_true_negatives(service_model: Model, tmp_path: Path) -> None:
    """What was still open at the end is left out and counted, unless it was flagged; complete logs leave none out."""
    texts = service_log(20, seed=16)
    rows = [f"req-{100_000 + n},0" for n in range(19)]
    (tmp_path / "labels.csv").write_text("session,label\n" + "\n".join(rows) + "\n", "utf-8")
    truth = read_labels(tmp_path / "labels.csv")
    part = evaluate(service_model, lines_of(texts), truth)
    assert part.not_judged > 0
    assert part.tp + part.fp + part.fn + part.tn + part.not_judged == 19
    whole = evaluate(service_model, lines_of(texts), truth, complete=True)
    assert (whole.not_judged, whole.unlabelled) == (0, 1)
    assert whole.tp + whole.fp + whole.fn + whole.tn == 19
