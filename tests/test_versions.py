"""Versions: each update is one, undo gives back exact bytes, and no kill leaves half of one."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.test_feedback import judged, of_reason, texts_with_news
from typer.testing import CliRunner

from offscript import Model, UsageError, load
from offscript.cli import app
from offscript.entries import Reason
from offscript.errors import OffscriptError
from offscript.feedback import learn
from offscript.journal import Journal
from offscript.model import journal_path
from offscript.versions import UPDATES_PER_HOUR, alone, check_pace, undo, versions

RUN = CliRunner()


def run(*arguments: object, exit_code: int = 0) -> str:
    """Run the command line; return all it printed."""
    result = RUN.invoke(app, [str(one) for one in arguments])
    if isinstance(result.exception, OffscriptError):
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.stdout + result.stderr


def bytes_of(folder: Path, version: int) -> dict[str, bytes]:
    """Return the files of one version."""
    return {path.name: path.read_bytes() for path in (folder / "versions" / str(version)).iterdir()}


@pytest.fixture
def place(service_model: Model, tmp_path: Path) -> tuple[Path, Path]:
    """Return a saved model, and a log with news that it has judged."""
    folder, log = tmp_path / "m.model", tmp_path / "today.log"
    service_model.save(folder)
    log.write_text("\n".join(texts_with_news()) + "\n", "utf-8")
    run("detect", folder, log, "--complete", "--output", "jsonl")
    return folder, log


def ids(folder: Path, reason: Reason) -> list[str]:
    """Return the ids of the stored verdicts of one reason."""
    return [v.id for v in of_reason(Journal(journal_path(folder)).verdicts(load(folder).lineage), reason)]


def test_learn_makes_a_version_and_undo_gives_the_bytes_back(place: tuple[Path, Path]) -> None:
    """From the command line: preview changes nothing, learn makes version 2, undo gives version 1, byte by byte."""
    folder, log = place
    first = bytes_of(folder, 1)
    new = ids(folder, Reason.NEW_KEY)
    assert "nothing was changed" in run("learn", folder, new[0], "--normal", "--preview")
    assert load(folder).version == 1
    told = run("learn", folder, *new, "--normal", "--note", "quotas came with 2.4", "--author", "a person")
    assert "version 2" in told
    assert "new template" in told
    again = [
        json.loads(line) for line in run("detect", folder, log, "--complete", "--output", "jsonl").splitlines()[:-1]
    ]
    assert not {record["id"] for record in again} & set(new)
    known = versions(folder)
    assert [(v.number, v.parent, v.is_current) for v in known] == [(1, None, False), (2, 1, True)]
    assert (known[1].author, known[1].note) == ("a person", "quotas came with 2.4")
    assert "quotas came with 2.4" in run("versions", folder, "--output", "table")
    second = bytes_of(folder, 2)
    assert "version 1 is in force" in run("undo", folder)
    assert load(folder).version == 1
    assert (bytes_of(folder, 1), bytes_of(folder, 2)) == (first, second)
    with pytest.raises(UsageError, match="fitted, not taught"):
        undo(folder)
    run("learn", folder, *new, "--normal")
    assert [(v.number, v.parent) for v in versions(folder)][-1] == (3, 1)


def test_what_was_confirmed_is_not_learnt(place: tuple[Path, Path]) -> None:
    """After `--anomalous` the same report is refused, and so is one that would silence it; no version is made."""
    folder, _ = place
    new = ids(folder, Reason.NEW_KEY)
    assert "1 confirmed" in run("learn", folder, new[0], "--anomalous")
    for one in new:
        with pytest.raises(UsageError, match="silence"):
            run("learn", folder, one, "--normal")
    assert len(versions(folder)) == 1
    with pytest.raises(UsageError, match="--normal or --anomalous"):
        run("learn", folder, new[0])
    with pytest.raises(UsageError, match="no stored verdict"):
        run("learn", folder, "ffff", "--normal")


def test_updates_are_limited_by_the_hour(place: tuple[Path, Path]) -> None:
    """So many updates within an hour and no more; an hour later there is room again."""
    folder, _ = place
    now = datetime.now(UTC)
    model = load(folder)
    for number in range(UPDATES_PER_HOUR):
        check_pace(folder, now)
        model.save(folder, time=(now - timedelta(minutes=number)).isoformat(), changes=["a thing"])
    with pytest.raises(UsageError, match="within an hour"):
        check_pace(folder, now)
    check_pace(folder, now + timedelta(hours=1))


def test_two_updates_at_once_are_refused(place: tuple[Path, Path]) -> None:
    """Who comes second is told so, and nothing of the first is lost."""
    folder, _ = place
    with alone(folder), pytest.raises(UsageError, match="another update"), alone(folder):
        pass
    with alone(folder):
        pass


def test_made_up_notes_do_no_harm(place: tuple[Path, Path]) -> None:
    """What stands beside a version is somebody's file: odd types and a parent that is none are passed over."""
    folder, _ = place
    about = folder / "versions" / "1" / "about.json"
    record = json.loads(about.read_text("utf-8"))
    for parent in (1, 7, -1, "1", None, [1]):
        about.write_text(json.dumps(record | {"parent": parent, "changes": {"a": 1}, "time": 7}), "utf-8")
        assert (versions(folder)[0].parent, versions(folder)[0].changes) == (None, ())
        check_pace(folder, datetime.now(UTC))


KILLS = """
import os, random, signal, sys, time
from pathlib import Path
from offscript.model import load

folder, taught = Path(sys.argv[1]), load(sys.argv[2])
known = load(folder).templates.keys(), taught.templates.keys()
began = time.perf_counter()
taught.save(sys.argv[2])
once = time.perf_counter() - began
chance = random.Random(4)
for _ in range(100):
    child = os.fork()
    if child == 0:
        while True:
            taught.save(folder, changes=["news"])
    time.sleep(chance.uniform(0, 2 * once))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    now = load(folder)
    assert now.lineage == taught.lineage and now.templates.keys() in known
    print(now.version)
"""
"""A process of its own that kills its children: one with JAX in it should not fork."""


def test_a_kill_at_any_moment_leaves_a_readable_model(service_model: Model, tmp_path: Path) -> None:
    """A hundred times, a process that updates over and over is killed: each time the model loads, old or new."""
    folder, other = tmp_path / "m.model", tmp_path / "other.model"
    first = service_model.save(folder)
    learn(first, of_reason(judged(first, texts_with_news()), Reason.NEW_KEY)).model.save(other)
    done = subprocess.run([sys.executable, "-c", KILLS, folder, other], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reached = done.stdout.split()
    assert len(reached) == 100
    assert len(set(reached)) > 10
    with alone(folder):
        assert load(other).save(folder).version == load(folder).version
