"""`offscript explain`: a stored verdict is diagnosed from its log, or from itself where the log is gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from offscript import Model, OffscriptError
from offscript.cli import app
from offscript.testing import service_log


def run(*arguments: object) -> Result:
    """Run the command line as a user would."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def place(service_model: Model, tmp_path: Path) -> tuple[Path, Path, list[str]]:
    """A saved model, a log in which two sessions stop half way, and the ids of what is said of it."""
    service_model.save(tmp_path / "m.model")
    log = tmp_path / "today.log"
    log.write_text("\n".join(service_log(60, seed=5, broken=(7, 30))) + "\n", "utf-8")
    told = run("detect", tmp_path / "m.model", log, "--complete", "--output", "jsonl").stdout.splitlines()
    ids = [record["id"] for record in map(json.loads, told)]
    assert ids
    return tmp_path / "m.model", log, ids


def test_a_verdict_is_explained_from_its_log(place: tuple[Path, Path, list[str]]) -> None:
    """The text names the step, shows the lines around it with a mark, the path with times, and what was expected."""
    model, _, ids = place
    told = run("explain", model, ids[0])
    assert told.exit_code == 0
    assert "was on script up to" in told.stdout
    assert "the lines around it:\n" in told.stdout
    assert "  > " in told.stdout
    assert "the path of its session:" in told.stdout
    assert "expected there:" in told.stdout


def test_json_holds_all_that_is_known(place: tuple[Path, Path, list[str]]) -> None:
    """One record: the verdict, the last step, what was expected, the whole path with times, the lines around."""
    model, log, ids = place
    record = json.loads(run("explain", model, ids[0], "--output", "json").stdout)
    assert record["verdict"]["id"] == ids[0]
    assert record["last_step"]["key"] == record["keys"][record["departure"] - 1]
    assert record["expected"][0]["probability"] > 0
    assert record["path_is_whole"]
    assert [step["key"] for step in record["path"]] == record["keys"]
    lines = log.read_text("utf-8").splitlines()
    assert [lines[one["line"] - 1] for one in record["before"]] == [one["text"] for one in record["before"]]


def test_the_beginning_of_an_id_is_enough(place: tuple[Path, Path, list[str]]) -> None:
    """As with commits, a few letters that no other id begins with."""
    model, _, ids = place
    assert json.loads(run("explain", model, ids[0][:12], "--output", "json").stdout)["verdict"]["id"] == ids[0]


def test_a_log_that_is_gone_is_told(place: tuple[Path, Path, list[str]]) -> None:
    """Without its log a verdict is explained from what it holds, and that is said."""
    model, log, ids = place
    log.unlink()
    told = run("explain", model, ids[0])
    assert told.exit_code == 0
    assert "give the log it was found in with --log" in told.stderr
    assert "the log was not read again" in " ".join(told.stdout.split())


def test_a_log_that_was_moved_can_be_given(place: tuple[Path, Path, list[str]]) -> None:
    """With --log the same lines give the same explanation."""
    model, log, ids = place
    before = json.loads(run("explain", model, ids[0], "--output", "json").stdout)
    log.rename(log.with_name("kept.log"))
    after = run("explain", model, ids[0], "--log", log.with_name("kept.log"), "--output", "json")
    assert json.loads(after.stdout) == before


def test_another_log_in_its_place_is_noticed(place: tuple[Path, Path, list[str]]) -> None:
    """A file that was rotated or rewritten is not taken for the one that was judged."""
    model, log, ids = place
    log.write_text("\n".join(service_log(60, seed=6)) + "\n", "utf-8")
    told = run("explain", model, ids[0])
    assert told.exit_code == 0
    assert "is not the one that was judged" in " ".join(told.stderr.split())


def test_unknown_ids_and_models_are_one_error(place: tuple[Path, Path, list[str]], service_model: Model) -> None:
    """What cannot be explained is a clear error: no such verdict, no journal, no such form."""
    model, _, ids = place
    cases = [(model, "ffffffffffff", "no stored verdict"), (model.parent, ids[0], "not an offscript model")]
    for folder, name, told in cases:
        result = run("explain", folder, name)
        assert isinstance(result.exception, OffscriptError)
        assert told in str(result.exception)
    service_model.save(model.parent / "other.model")
    assert "no verdicts are stored" in str(run("explain", model.parent / "other.model", ids[0]).exception)
    assert "does not print csv" in str(run("explain", model, ids[0], "--output", "csv").exception)


def test_a_verdict_of_a_model_that_was_replaced_is_refused(place: tuple[Path, Path, list[str]]) -> None:
    """Keys mean something under the version that gave the verdict, and under no other model."""
    model, _, ids = place
    about = model / "versions" / "1" / "about.json"
    record = json.loads(about.read_text("utf-8"))
    about.write_text(json.dumps(record | {"lineage": "another"}), "utf-8")
    assert "another model" in str(run("explain", model, ids[0]).exception)


def test_hostile_lines_do_no_harm(service_model: Model, tmp_path: Path) -> None:
    """Escapes in a line are spelt out, wherever it is shown."""
    service_model.save(tmp_path / "m.model")
    texts = service_log(40, seed=5)
    texts.insert(50, "2024-05-01 10:00:09.000 INFO [req-100020] \x1b[31mred [bold]markup[/bold] \u202e alarm")
    (tmp_path / "today.log").write_text("\n".join(texts) + "\n", "utf-8")
    told = run("detect", tmp_path / "m.model", tmp_path / "today.log", "--output", "jsonl").stdout.splitlines()
    for record in map(json.loads, told):
        shown = run("explain", tmp_path / "m.model", record["id"]).stdout
        assert shown.replace("\n", "").isprintable()
