"""Versions: each update is one, undo gives back exact bytes, and no kill leaves half of one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.test_feedback import judged, of_reason, texts_with_news
from typer.testing import CliRunner

from offscript import Model, UsageError, Verdict, load
from offscript.cli import app
from offscript.entries import Reason
from offscript.errors import OffscriptError
from offscript.feedback import learn
from offscript.journal import Journal
from offscript.model_folder import journal_path, switch
from offscript.testing import service_log
from offscript.versions import UPDATES_PER_HOUR, alone, ancestors, check_pace, keep, shared_keys, undo, versions

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
    listed = run("versions", folder, "--output", "table")
    assert "quotas came with 2.4" in listed
    assert "\\x0a" not in listed  # what was taught is told in one line
    second = bytes_of(folder, 2)
    assert "version 1 is in force" in run("undo", folder)
    assert load(folder).version == 1
    assert (bytes_of(folder, 1), bytes_of(folder, 2)) == (first, second)
    with pytest.raises(UsageError, match="fitted, not taught"):
        undo(folder)
    run("learn", folder, *new, "--normal")
    assert [(v.number, v.parent) for v in versions(folder)][-1] == (3, 1)


def test_what_was_confirmed_is_not_learnt(place: tuple[Path, Path]) -> None:
    """After `--anomalous` a report that would silence it is refused; no version is made."""
    folder, _ = place
    new = ids(folder, Reason.NEW_KEY)
    assert "1 confirmed" in run("learn", folder, new[0], "--anomalous")
    with pytest.raises(UsageError, match="silence"):
        run("learn", folder, new[1], "--normal")
    assert len(versions(folder)) == 1
    with pytest.raises(UsageError, match="--normal or --anomalous"):
        run("learn", folder, new[0])
    with pytest.raises(UsageError, match="no stored verdict"):
        run("learn", folder, "ffff", "--normal")


def first_ids(folder: Path, log: Path, reason: Reason) -> list[str]:
    """Judge a log by the version in force; return the ids of the verdicts of one reason, in the order printed."""
    printed = run("detect", folder, log, "--complete", "--output", "jsonl").splitlines()
    records = [json.loads(line) for line in printed if line.startswith("{")]
    return [record["id"] for record in records if record["reason"] == reason]


@pytest.fixture
def forked(service_model: Model, tmp_path: Path) -> tuple[Path, Path, dict[str, str]]:
    """Return a model whose versions 2 and 3 gave one key to two lines, a log, and ids of its verdicts.

    `alpha` and `beta` are the new lines. Version 2 knows alpha, and gave the verdict `late`, on alpha at an odd place,
    and `after`, on a line that is new to every version, with alpha in its history.
    """
    folder, log = tmp_path / "m.model", tmp_path / "forked.log"
    service_model.save(folder)
    texts = service_log(60, seed=5)

    def put(session: str, after: str, *messages: str) -> None:
        at = next(i for i, text in enumerate(texts) if f"[{session}] {after}" in text)
        stamp = texts[at].split(" INFO")[0]
        texts[at + 1 : at + 1] = [f"{stamp} INFO [{session}] {message}" for message in messages]

    put("req-100010", "user authenticated", "alpha widget rose loudly")
    put("req-100013", "user authenticated", "beta gadget sank quietly")
    put("req-100020", "response sent", "alpha widget rose loudly", "gamma lever broke in two")
    log.write_text("\n".join(texts) + "\n", "utf-8")
    new = first_ids(folder, log, Reason.NEW_KEY)
    told = {record.entry.text.split("] ")[1].split()[0]: record.id for record in reversed(stored(folder, new))}
    run("learn", folder, told["alpha"], "--normal")
    late = [v.id for v in stored(folder, first_ids(folder, log, Reason.UNEXPECTED_KEY)) if "alpha" in v.entry.text]
    assert late
    run("undo", folder)
    run("learn", folder, told["beta"], "--normal")
    second, third = (load(folder, version=number).templates for number in (2, 3))
    key = max(second.keys())
    assert key == max(third.keys())
    assert second.template(key).text != third.template(key).text
    return folder, log, told | {"late": late[0]}


def stored(folder: Path, names: list[str]) -> list[Verdict]:
    """Return stored verdicts by their ids."""
    return [Journal(journal_path(folder)).get(name) for name in names]


def test_a_verdict_of_a_version_beside_is_not_read_by_other_keys(forked: tuple[Path, Path, dict[str, str]]) -> None:
    """Learn, undo, learn something else: what the first gave is not taught to the second as another line."""
    folder, log, named = forked
    before = len(versions(folder))
    for extra in (["--normal"], ["--normal", "--preview"], ["--anomalous"]):
        with pytest.raises(UsageError, match=r"given by version 2, .* run `offscript detect` again"):
            run("learn", folder, named["late"], *extra)
    assert len(versions(folder)) == before
    told = run("learn", folder, named["gamma"], "--normal", "--preview")
    assert "more were given by versions whose log keys are others" in told
    assert "beta" not in told
    # The remedy holds: judged by the version in force, the line is new, and is taught as what it is.
    again = [v for v in stored(folder, first_ids(folder, log, Reason.NEW_KEY)) if "alpha" in v.entry.text]
    assert "alpha widget rose loudly" in run("learn", folder, again[0].id, "--normal")


def test_a_confirmed_anomaly_of_a_version_beside_is_left_out_and_named(
    forked: tuple[Path, Path, dict[str, str]],
) -> None:
    """What version 2 gave and a person confirmed is not tried by the keys of version 3, and that is said."""
    folder, _, named = forked
    switch(folder, 2)
    run("learn", folder, named["late"], "--anomalous")
    run("learn", folder, named["beta"], "--normal", "--preview")
    switch(folder, 3)
    told = run("learn", folder, named["gamma"], "--normal", "--preview")
    assert f"1 of them confirmed as anomalies, against which this update was not tried: {named['late']}" in told


def test_keys_are_shared_with_ancestors_and_by_what_they_mean(forked: tuple[Path, Path, dict[str, str]]) -> None:
    """All keys of an ancestor are ours; of a version beside those with our templates; of one that is gone none."""
    folder, _, named = forked
    third, known = load(folder), set(load(folder, version=1).templates.keys())
    assert ancestors(folder, 3) == [3, 1]
    assert shared_keys(folder, third, 1) == shared_keys(folder, third, 3) == set(third.templates.keys())
    assert shared_keys(folder, third, 2) == known
    assert shared_keys(folder, load(folder, version=1), 3) == known
    run("undo", folder)
    run("learn", folder, named["alpha"], "--normal")
    assert shared_keys(folder, load(folder), 2) == set(load(folder).templates.keys()), "the same line, learnt again"
    shutil.rmtree(folder / "versions" / "2")
    assert shared_keys(folder, third, 2) == frozenset()


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
last, stuck = 0, 0
for _ in range(100):
    child = os.fork()
    if child == 0:
        while True:
            taught.save(folder, changes=["news"])
    time.sleep(chance.uniform(0, 2 * once * (1 + stuck / 4)))  # longer while other work holds the processor
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    now = load(folder)
    assert now.lineage == taught.lineage and now.templates.keys() in known
    stuck = 0 if now.version > last else stuck + 1
    last = now.version
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


def test_what_was_taught_fits_in_what_is_read(service_model: Model, tmp_path: Path) -> None:
    """However much an update changed, and however long the note is, the version and the way back can be read."""
    folder = tmp_path / "m.model"
    first = service_model.save(folder)
    first.save(folder, note="n" * 3_000_000, changes=["\U0001f600" * 3_000] * 2_000)
    assert load(folder).version == 2
    assert versions(folder)[1].changes[-1].endswith(" more")
    assert undo(folder)[1].number == 1


def test_only_what_grew_from_the_version_in_force_is_kept(service_model: Model, tmp_path: Path) -> None:
    """What a detector learnt is saved by one at a time, at the pace that is allowed, and puts no other update aside."""
    folder = tmp_path / "m.model"
    first = service_model.save(folder)
    second = keep(folder, first, ["something"], author="a person")
    assert (second.version, versions(folder)[1].author) == (2, "a person")
    with pytest.raises(UsageError, match="version 2 is in force"):
        keep(folder, first, ["something else"])
    for _ in range(UPDATES_PER_HOUR - 1):
        second = keep(folder, second, ["something"])
    with pytest.raises(UsageError, match="enough"):
        keep(folder, second, ["something"])
