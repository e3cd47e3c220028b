"""The verb `workflow`: outlines of all tasks, one task in each form, and what bad requests give."""

from __future__ import annotations

import json
import random
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from typer.testing import CliRunner

from offscript import Config, Model, fit
from offscript.cli import app
from offscript.errors import OffscriptError
from offscript.testing import lines_of


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, service_model: Model) -> Path:
    """Return a folder with a model of a service."""
    home = tmp_path_factory.mktemp("drawn")
    service_model.save(home / "app.model")
    return home


def printed(*arguments: object) -> str:
    """Run the verb and return its standard output."""
    done = CliRunner().invoke(app, ["workflow", *map(str, arguments)], standalone_mode=False)
    if isinstance(done.exception, OffscriptError):
        raise done.exception
    assert done.exception is None
    return done.stdout


def test_all_tasks_are_outlined(place: Path) -> None:
    """Without options every task is listed as an outline, most sessions first; --task gives one of them."""
    told = printed(place / "app.model")
    assert told.startswith("task 1: ")
    assert "(key " in told
    assert printed(place / "app.model", "--task", 1) == told.split("\n\n")[0].rstrip("\n") + "\n"


def test_every_form_is_printed(place: Path) -> None:
    """SVG, Mermaid, DOT and JSON are what they should be, and - is standard output."""
    drawn = printed(place / "app.model", "--svg", "-")
    ET.fromstring(drawn)  # noqa: S314  (our own text)
    printed(place / "app.model", "--svg", place / "flow.svg")
    assert (place / "flow.svg").read_text("utf-8") == drawn
    assert printed(place / "app.model", "--mermaid").startswith("flowchart TD\n")
    assert printed(place / "app.model", "--dot").startswith("digraph workflow {\n")
    tasks = [json.loads(line) for line in printed(place / "app.model", "--json").splitlines()]
    assert [told["task"] for told in tasks] == list(range(1, len(tasks) + 1))
    sessions = [told["sessions"] for told in tasks]
    assert sessions == sorted(sessions, reverse=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--task", "99"], r"--task: there is no task 99; give 1"),
        (["--task", "0"], r"there is no task 0"),
        (["--dot", "--json"], r"--dot and --json are two forms; ask for one"),
        (["--svg", "no/such/folder/flow.svg"], r"flow\.svg: cannot be written .*; give a file"),
    ],
)
def test_bad_requests_name_the_remedy(place: Path, options: list[str], message: str) -> None:
    """A task that is not there, two forms, or a file that cannot be written is one line with the remedy."""
    with pytest.raises(OffscriptError, match=message):
        printed(place / "app.model", *options)


def test_a_log_without_sessions_is_parted_into_tasks(small: Config, tmp_path: Path) -> None:
    """A model of one stream shows the tasks that its lines part into, each with its steps in order."""
    chance = random.Random(2)
    tasks = [("open the queue", "read the queue", "close the queue"), ("rotate the keys", "store the keys")]
    stream = [line for _ in range(200) for line in chance.choice(tasks)]
    fit(lines_of(stream), small.model_copy(update={"session": "none"})).save(tmp_path / "stream.model")
    told = printed(tmp_path / "stream.model").split("\n\n")
    assert len(told) == 2
    for steps in tasks:
        (own,) = [task for task in told if steps[0].split()[0] in task]
        assert [own.index(step.split()[0]) for step in steps] == sorted(own.index(step.split()[0]) for step in steps)
