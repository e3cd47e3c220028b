"""`offscript detect --report`: the page is written whole, from files and pipes alike, or refused before the work."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.reported import shown

from offscript import Model
from offscript.detect_report import VERDICTS_KEPT, Kept
from offscript.testing import service_log


def run(*arguments: object, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run `offscript` in a process of its own."""
    command = [sys.executable, "-m", "offscript", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, input=stdin, check=False, timeout=120)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, service_model: Model) -> Path:
    """A folder with a model, and today's log with two sessions cut short and one line of markup."""
    home = tmp_path_factory.mktemp("reports")
    lines = service_log(60, seed=22, broken=(10, 30))
    lines.insert(40, lines[40].split("] ")[0] + "] <script>window.hit = 1</script> \x1b[31mkernel panic")
    (home / "today.log").write_text("\n".join(lines) + "\n", "utf-8")
    service_model.save(home / "app.model")
    return home


def test_a_report_tells_what_was_found(place: Path) -> None:
    """One page with the incidents, their lines and those about them, what was read, and the model; nothing is left."""
    done = run("detect", place / "app.model", place / "today.log", "--complete", "--report", place / "page.html")
    assert done.returncode == 0, done.stderr
    assert f"report {place / 'page.html'}" in done.stderr
    source = (place / "page.html").read_text("utf-8")
    assert source.startswith("<!doctype html>")
    assert source.count('class="incident"') >= 2
    assert "req-100010" in source
    assert "481 lines" in source
    assert "&lt;script&gt;window.hit = 1&lt;/script&gt;" in source
    assert "<script>window" not in source
    assert '<li class="own">' in source
    assert source.count("<li><span") > 3  # lines about it
    assert "offscript explain" in source
    assert not list(place.glob(".offscript*"))


def test_with_tasks_the_workflow_is_drawn(place: Path) -> None:
    """`--task` lays the sessions on their workflow, and the page shows where they left it."""
    page = place / "drawn.html"
    done = run("detect", place / "app.model", place / "today.log", "--complete", "--report", page, "--task")
    assert done.returncode == 0, done.stderr
    source = page.read_text("utf-8")
    assert 'class="ow"' in source
    assert "ow-left" in source


def test_the_same_log_gives_the_same_page(place: Path) -> None:
    """A report has no clock of its own: a page can be compared with the one of yesterday."""
    for name in ("one.html", "two.html"):
        run("detect", place / "app.model", place / "today.log", "--complete", "--report", place / name)
    assert (place / "one.html").read_bytes() == (place / "two.html").read_bytes()


def test_a_pipe_gives_a_report_too(place: Path) -> None:
    """What is read only once is told of as far as it is known, and the page says so."""
    text = (place / "today.log").read_text("utf-8")
    done = run("detect", place / "app.model", "-", "--complete", "--report", place / "pipe.html", stdin=text)
    assert done.returncode == 0, done.stderr
    source = (place / "pipe.html").read_text("utf-8")
    assert source.count('class="incident"') >= 2
    assert "not read a second time" in source


def test_a_named_pipe_is_not_read_again(place: Path) -> None:
    """A pipe with a name would give nothing the second time, or never end: it is told of as any other pipe."""
    os.mkfifo(place / "pipe.log")
    text = (place / "today.log").read_text("utf-8")
    writer = threading.Thread(target=(place / "pipe.log").write_text, args=(text, "utf-8"), daemon=True)
    writer.start()
    done = run("detect", place / "app.model", place / "pipe.log", "--complete", "--report", place / "named.html")
    assert done.returncode == 0, done.stderr
    assert "not read a second time" in (place / "named.html").read_text("utf-8")


def test_without_a_journal_no_command_is_told(place: Path) -> None:
    """`offscript explain` finds only what the journal has."""
    page = place / "quiet.html"
    run("detect", place / "app.model", place / "today.log", "--complete", "--no-journal", "--report", page)
    assert "offscript explain" not in page.read_text("utf-8")


def test_a_quiet_day_gives_a_report(place: Path) -> None:
    """Where nothing was found the page says so."""
    (place / "quiet.log").write_text("\n".join(service_log(20, seed=5)) + "\n", "utf-8")
    done = run("detect", place / "app.model", place / "quiet.log", "--report", place / "quiet.html")
    assert done.returncode == 0, done.stderr
    assert "Nothing went off script" in (place / "quiet.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none/page.html", "No such file or directory"),
        (".", "is not a file"),
        ("today.log", "is a log that is to be read"),
        ("app.model/page.html", "inside the model"),
        ("app.model/versions/1/model.json", "inside the model"),
        ("today.log/page.html", "cannot be written"),
        ("x" * 300, "cannot be written"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_first(place: Path, name: str, told: str) -> None:
    """One line, exit code 2, before anything is judged; neither a log nor the model is ever written over."""
    before = (place / "today.log").read_bytes()
    done = run("detect", place / "app.model", place / "today.log", "--report", place / name)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert (place / "today.log").read_bytes() == before


def test_a_report_replaces_a_link_and_not_what_it_leads_to(place: Path) -> None:
    """A link under the report's name is replaced: what it led to keeps its bytes."""
    (place / "precious").write_text("precious", "utf-8")
    (place / "link.html").symlink_to(place / "precious")
    run("detect", place / "app.model", place / "today.log", "--complete", "--report", place / "link.html")
    assert (place / "precious").read_text("utf-8") == "precious"
    assert (place / "link.html").read_text("utf-8").startswith("<!doctype html>")


def test_memory_is_bounded_however_much_is_found() -> None:
    """The first verdicts are kept, the others pass by and are counted."""
    verdict = shown(1).incident.first.verdict
    kept = Kept()
    assert sum(1 for _ in kept.passing(verdict for _ in range(VERDICTS_KEPT + 5))) == VERDICTS_KEPT + 5
    assert (len(kept.verdicts), kept.more) == (VERDICTS_KEPT, 5)
