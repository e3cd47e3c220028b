"""The command line: what a user types, what comes back, and what bad input gives."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from offscript import Model
from offscript.testing import service_log

SETTINGS = "hidden = 12\nlayers = 1\nfolds = 2\ntraining_steps = 150\nlearning_rate = 0.02\n"


def command_line(*arguments: object) -> list[str]:
    """What a user types, for a process of its own."""
    return [sys.executable, "-m", "offscript", *map(str, arguments)]


def run(*arguments: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = command_line(*arguments)
    done = subprocess.run(command, capture_output=True, input=stdin, check=False, timeout=120)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, service_model: Model) -> Path:
    """A folder with a normal log, today's log with two sessions cut short, labels, settings and a model."""
    home = tmp_path_factory.mktemp("place")
    (home / "normal.log").write_text("\n".join(service_log(400, seed=21)) + "\n", "utf-8")
    (home / "today.log").write_text("\n".join(service_log(60, seed=22, broken=(10, 30))) + "\n", "utf-8")
    labels = [f"req-{100_000 + n},{int(n in (10, 30))}" for n in range(60)]
    (home / "labels.csv").write_text("session,label\n" + "\n".join(labels) + "\n", "utf-8")
    (home / "small.toml").write_text(SETTINGS, "utf-8")
    service_model.save(home / "app.model")
    return home


def test_a_log_of_another_system_is_told(place: Path) -> None:
    """A log whose header fits, but hardly a line of it a template, is asked about; the log of a bad day is not."""
    foreign = place / "foreign.log"
    words = ("tide", "kelp", "reef", "gull", "surf")
    texts = [f"2024-05-02 10:00:{n % 60:02d}.000 INFO [t-{n}] {words[n % 5]} seen near pier" for n in range(40)]
    foreign.write_text("\n".join(texts) + "\n", "utf-8")
    told = run("detect", place / "app.model", foreign, "--no-journal").stderr

    assert "40 of 40 entries fit no template: is this a log of the system that the model was learnt from?" in told
    assert "fit no template" not in run("detect", place / "app.model", place / "today.log", "--no-journal").stderr


def test_one_line_is_told_of_as_one(place: Path) -> None:
    """What there is one of is not counted as many."""
    (place / "one.log").write_text("a single line\n", "utf-8")

    assert "one.log: 1 line is too little; give a log" in run("scan", place / "one.log").stderr
    assert "one.log: only 1 entry to learn from; give" in run("fit", place / "one.log", "-o", place / "x").stderr


def test_fit_prints_what_it_found(place: Path) -> None:
    """Format, session key, keys, sessions, the promise and the alarms to expect are told; the model is there."""
    done = run("fit", place / "normal.log", "-o", place / "new.model", "--config", place / "small.toml")
    assert done.returncode == 0, done.stderr
    assert "session key: " in done.stderr
    assert "600 ids" in done.stderr or "400 ids" in done.stderr
    assert "log keys" in done.stderr
    assert "false alarms a day" in done.stderr
    assert (place / "new.model" / "CURRENT").read_text("utf-8") == "1\n"


def test_detect_prints_json_lines_on_a_pipe(place: Path) -> None:
    """On a pipe each verdict is one JSON object with everything a program needs."""
    done = run("detect", place / "app.model", place / "today.log", "--complete")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"req-100010", "req-100030"} <= {r["session"] for r in records if r["reason"] == "incomplete_session"}
    assert all(r["score"] >= 1 and r["line"] > 0 and r["expected"] for r in records)
    assert done.returncode == 0


def test_exit_codes(place: Path) -> None:
    """0 nothing found or not asked, 1 anomalies found with --exit-code."""
    args = ["detect", place / "app.model"]
    assert run(*args, place / "today.log", "--complete", "--exit-code").returncode == 1
    assert run(*args, place / "today.log", "--complete").returncode == 0


def test_detect_prints_a_table_on_a_terminal(place: Path) -> None:
    """On a terminal verdicts are a table, one row a session."""
    master, slave = pty.openpty()
    command = command_line("detect", place / "app.model", place / "today.log", "--complete")
    with subprocess.Popen(command, stdout=slave, stderr=subprocess.DEVNULL) as child:
        os.close(slave)
        text = read_terminal(master)
    assert child.returncode == 0
    assert "verdicts in" in text
    assert "incomplete_session" in text


def read_terminal(master: int) -> str:
    """Read all that is written to a pseudo-terminal; reading fails when its other end is closed."""
    shown = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(master, 65536):
            shown += chunk
    os.close(master)
    return shown.decode()


def test_csv_output_reads_back(place: Path) -> None:
    """CSV has a header and one row a verdict."""
    done = run("detect", place / "app.model", place / "today.log", "--complete", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {"req-100010", "req-100030"} <= {row["session"] for row in rows}


def test_verdicts_are_journalled_unless_told_not_to(place: Path, service_model: Model, tmp_path: Path) -> None:
    """The journal appears beside the versions, private; with --no-journal it does not."""
    service_model.save(tmp_path / "m.model")
    run("detect", tmp_path / "m.model", place / "today.log", "--no-journal")
    assert not (tmp_path / "m.model" / "journal.sqlite").exists()
    run("detect", tmp_path / "m.model", place / "today.log", "--complete")
    assert stat.S_IMODE((tmp_path / "m.model" / "journal.sqlite").stat().st_mode) == 0o600


def test_a_verdict_appears_before_the_next_line_is_read(place: Path) -> None:
    """`detect MODEL -` works line by line: an odd line is told while the pipe is still open."""
    command = command_line("detect", place / "app.model", "-", "--no-journal")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        texts = service_log(5, seed=23)
        for text in [*texts, texts[-1].split("] ")[0] + "] smoke in the server room"]:
            child.stdin.write(text.encode() + b"\n")
        child.stdin.flush()
        told = json.loads(child.stdout.readline())  # would block for ever if the reader waited for more input
        assert told["reason"] == "new_key"
        child.stdin.close()
        assert child.wait(timeout=60) == 0


def test_follow_reads_on_through_rotation(place: Path, tmp_path: Path) -> None:
    """A followed file that is renamed and begun anew is read on as one source."""
    log = tmp_path / "app.log"
    texts = service_log(5, seed=24)
    log.write_text("\n".join(texts) + "\n", "utf-8")
    command = command_line("detect", place / "app.model", log, "--follow", "--no-journal")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        stem = texts[-1].split("] ")[0]
        with log.open("a", encoding="utf-8") as out:
            out.write(f"{stem}] first odd line here\n")
        assert "first odd line" in json.loads(child.stdout.readline())["text"]
        log.rename(tmp_path / "app.log.1")
        log.write_text(f"{stem}] second odd thing there\n", "utf-8")
        assert "second odd thing" in json.loads(child.stdout.readline())["text"]
        child.terminate()


def test_scan_needs_no_model_and_says_what_it_does(place: Path, tmp_path: Path) -> None:
    """One mixed file: the earlier part is learnt from, the later judged, and this is said."""
    log = tmp_path / "mixed.log.gz"
    log.write_bytes(gzip.compress("\n".join(service_log(500, seed=25, broken=(420, 430))).encode()))
    done = run("scan", log, "--config", place / "small.toml")
    assert done.returncode == 0, done.stderr
    assert "learning from the first" in done.stderr
    assert {"req-100420", "req-100430"} <= {json.loads(line)["session"] for line in done.stdout.splitlines()}


def test_parse_gives_keys_templates_and_values(place: Path) -> None:
    """Every record becomes key, template and values; a template's key is the same on every line."""
    done = run("parse", place / "today.log", "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == len((place / "today.log").read_text("utf-8").splitlines())
    assert len({row["key"] for row in rows}) == len({row["template"] for row in rows}) < 12


def test_parse_with_a_model_uses_its_keys(place: Path) -> None:
    """With --model the keys are the model's, as `keys` lists them."""
    keys = {json.loads(line)["key"] for line in run("keys", place / "app.model").stdout.splitlines()}
    rows = [
        json.loads(line)
        for line in run("parse", place / "today.log", "--model", place / "app.model").stdout.splitlines()
    ]
    assert {row["key"] for row in rows} <= keys


def test_keys_prints_the_same_in_every_form(place: Path) -> None:
    """Whatever prints a table can print the same as JSON and CSV."""
    lines = [json.loads(line) for line in run("keys", place / "app.model", "--output", "jsonl").stdout.splitlines()]
    assert json.loads(run("keys", place / "app.model", "--output", "json").stdout) == lines
    assert len(list(csv.DictReader(io.StringIO(run("keys", place / "app.model", "--output", "csv").stdout)))) == len(
        lines
    )
    table = run("keys", place / "app.model", "--output", "table").stdout
    assert all(str(line["key"]) in table for line in lines)


def test_evaluate_prints_what_was_counted(place: Path) -> None:
    """Precision, recall and F1 with their counts."""
    done = run("evaluate", place / "app.model", place / "today.log", "--labels", place / "labels.csv", "--complete")
    record = json.loads(done.stdout)
    assert record["counted"] == 60
    assert record["tp"] == 2


def make_bad_input(home: Path) -> dict[str, Path]:
    """Write one file of each kind of bad input."""
    (home / "empty.log").write_bytes(b"")
    (home / "one.log").write_text("just one line\n", "utf-8")
    (home / "binary.log").write_bytes(bytes(range(256)) * 400)
    (home / "bad.gz").write_bytes(gzip.compress(b"line\n" * 1000)[:40])
    (home / "foreign").mkdir()
    (home / "foreign" / "notes.txt").write_text("hello", "utf-8")
    (home / "ghosts.csv").write_text("session,label\nghost,1\n", "utf-8")
    (home / "bad.toml").write_text("histroy = 5\n", "utf-8")
    return {path.name: path for path in home.iterdir()}


@pytest.mark.parametrize(("arguments", "named"), [
    (["fit", "{empty.log}", "-o", "{out}"], "empty.log"),
    (["fit", "{one.log}", "-o", "{out}"], "one.log"),
    (["fit", "{binary.log}", "-o", "{out}"], "binary.log"),
    (["fit", "{missing.log}", "-o", "{out}"], "missing.log"),
    (["fit", "{bad.gz}", "-o", "{out}"], "bad.gz"),
    (["fit", "{today.log}", "-o", "{out}", "--config", "{bad.toml}"], "histroy"),
    (["fit", "{today.log}", "-o", "{out}", "--session", "("], "session"),
    (["fit", "{today.log}", "-o", "{out}", "--false-alarms", "2"], "false_alarms"),
    (["fit", "{today.log}", "-o", "{foreign}"], "foreign"),
    (["fit", "{today.log}", "-o", "{out}", "--session", "nothing_(like_this)"], "--session"),
    (["detect", "{foreign}", "{today.log}"], "foreign"),
    (["detect", "{missing.model}", "{today.log}"], "missing.model"),
    (["detect", "{app.model}", "{missing.log}"], "missing.log"),
    (["detect", "{app.model}", "{one.log}"], "one.log"),
    (["detect", "{app.model}", "{today.log}", "--outptu", "csv"], "--outptu"),
    (["detect", "{app.model}", "{today.log}", "--output", "xml"], "xml"),
    (["detect", "{app.model}"], "LOG"),
    (["detcet", "{app.model}"], "detcet"),
    (["evaluate", "{app.model}", "{today.log}", "--labels", "{ghosts.csv}"], "ghosts.csv:2"),
    (["evaluate", "{app.model}", "{today.log}", "--labels", "{missing.csv}"], "missing.csv"),
])  # fmt: skip
def test_bad_input_is_one_line_and_exit_code_2(place: Path, tmp_path: Path, arguments: list[str], named: str) -> None:
    """Each kind of bad input gives one line that names the file and the remedy; no traceback; exit code 2."""
    known = make_bad_input(tmp_path) | {path.name: path for path in place.iterdir()}
    words = [str(known.get(a[1:-1], tmp_path / a[1:-1])) if a.startswith("{") else a for a in arguments]
    done = run(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("offscript: ")]
    assert len(errors) == 1
    assert named in errors[0]
    assert ";" in errors[0], "the remedy is named"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["no stamps here\nnone at all\n", "a line\n" * 50])
def test_logs_without_times_or_sessions_still_work(place: Path, tmp_path: Path, text: str) -> None:
    """No timestamps, no session: the log is one stream, and that is said."""
    (tmp_path / "plain.log").write_text(text * 30, "utf-8")
    done = run("fit", tmp_path / "plain.log", "-o", tmp_path / "p.model", "--config", place / "small.toml")
    assert done.returncode == 0, done.stderr
    assert "session" in done.stderr
    assert run("detect", tmp_path / "p.model", tmp_path / "plain.log").returncode == 0


def test_a_reader_that_leaves_is_no_error(place: Path) -> None:
    """`offscript parse ... | head -1` ends quietly."""
    command = f"{sys.executable} -m offscript parse {place / 'normal.log'} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["keys"], ["keys", "--output", "table"], ["workflow", "--svg", "-"]])
def test_a_full_disk_is_one_line(place: Path, words: list[str]) -> None:
    """What standard output cannot take is told in one line with exit code 2; no traceback, nor a complaint at exit."""
    typed = command_line(*words[:1], *([] if words == ["--help"] else [place / "app.model"]), *words[1:])
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(typed, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    told = [line for line in done.stderr.splitlines() if not line.startswith("task 1 of ")]
    assert len(told) == 1, done.stderr
    assert told[0].startswith("offscript: standard output: cannot be written (No space left on device); ")


def test_help_names_every_verb() -> None:
    """Help lists what a user can type."""
    done = run("--help")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in ("scan", "fit", "detect", "parse", "keys", "demo", "evaluate"))
