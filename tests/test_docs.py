"""What the documents say is so: names exist, files exist, examples run, the table of settings is that of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest

from offscript import Config
from offscript.cli import app
from offscript.testing import service_log

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
REFERENCE = ROOT / "docs" / "reference.md"
QUICK = {"FOLDS": "2", "TRAINING_STEPS": "150", "HIDDEN": "12", "LAYERS": "1"}


def settings_table() -> str:
    """Return the table of docs/reference.md: every setting with its default and reason, as Config has them."""
    rows = ["| setting | default | why |", "| --- | --- | --- |"]
    for name, setting in Config.model_fields.items():
        why = " ".join((setting.description or "").split()).replace("|", "\\|")
        rows.append(f"| `{name}` | `{setting.default!r}` | {why} |")
    return "\n".join(rows) + "\n"


def code_names(page: Path) -> set[str]:
    """Return what stands between single backticks outside code blocks."""
    prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return set(re.findall(r"`([^`\n]+)`", prose))


def resolve(name: str) -> object:
    """Return what `room.module.Name.attribute` names inside offscript; AttributeError if nothing."""
    parts = name.removeprefix("offscript.").split(".")
    found: object = import_module("offscript")
    for number, part in enumerate(parts, 1):
        try:
            found = import_module(".".join(["offscript", *parts[:number]]))
        except ModuleNotFoundError:
            found = getattr(found, part)
    return found


def python_blocks(page: Path) -> list[str]:
    """Return the Python examples of a page."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def test_every_name_in_the_paper_table_exists() -> None:
    """`module.name` in docs/paper.md can be imported: the table never points at nothing."""
    names = {name for name in code_names(ROOT / "docs" / "paper.md") if re.fullmatch(r"[a-z_]+(\.[A-Za-z_]\w*)+", name)}
    names = {name for name in names if not name.endswith(".py")}
    assert len(names) >= 20
    for name in sorted(names):
        resolve(name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_named_exists(page: Path) -> None:
    """A `file.py`, `file.md` or folder in a page's prose exists, and so does what a link points to."""
    text = page.read_text("utf-8")
    for name in code_names(page):
        if re.fullmatch(r"[\w/]+\.(?:py|md)", name):
            places = [ROOT, ROOT / "docs", ROOT / "tests", ROOT / "src/offscript"]
            assert any((place / name).exists() for place in places), name
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / target).exists(), target


def test_the_settings_are_those_of_the_code() -> None:
    """docs/reference.md holds the table that `python -m tests.test_docs` writes."""
    assert settings_table() in REFERENCE.read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_and_option_named_is_one(page: Path) -> None:
    """`offscript VERB` in a page is a verb of the command line, and no verb goes without a word in the README."""
    text = page.read_text("utf-8")
    known = {command.name for command in app.registered_commands}
    used = set(re.findall(r"(?:^|[`|] ?|\$ )offscript ([a-z]+)\b", text, flags=re.MULTILINE))
    assert used <= known
    assert page.name != "README.md" or used == known


def test_the_tree_names_only_what_exists() -> None:
    """The README's tree: every folder, module and room in it exists."""
    tree = (ROOT / "README.md").read_text("utf-8").split("```text\n")[1].split("```")[0]
    package = ROOT / "src" / "offscript"
    for name in re.findall(r"(?<![\w*])(\w+\.py)\b", tree):
        assert (package / name).exists() or (ROOT / "tests" / name).exists(), name
    for name in re.findall(r"(?:^| )([\w/]+)/(?: |$)", tree, flags=re.MULTILINE):
        assert (package / name).is_dir() or (ROOT / name).is_dir(), name


def test_the_tree_has_a_place_for_every_module() -> None:
    """The README's tree: each module of a room is named, alone or as one of `name_*`, and each beside rooms."""
    tree = (ROOT / "README.md").read_text("utf-8").split("```text\n")[1].split("```")[0]
    package = ROOT / "src" / "offscript"
    beside = [name.removesuffix(".py") for name in re.findall(r"[\w*]+\.py\b", tree)]
    assert not _without_place(package, beside)
    for room in ("parse", "models", "workflow", "evaluate", "report", "sources"):
        listed = re.search(rf"^  {room}/\s+(.*?)(?=^  \w)", tree, flags=re.DOTALL | re.MULTILINE)
        assert listed is not None
        assert not _without_place(package / room, re.findall(r"[a-z_0-9]+\*?", listed[1])), room


def _without_place(folder: Path, names: list[str]) -> list[str]:
    """Return the modules of a folder that no name, which may hold a *, stands for."""
    modules = [path.stem for path in folder.glob("*.py") if not path.stem.startswith("__")]
    return [module for module in modules if not any(fnmatch(module, name) for name in names)]


@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("README.md", "incomplete_session"),
        ("docs/tutorial.md", "incomplete_session"),
        ("docs/workflows.md", "→(4, ∧(5, 6), 7)"),
        ("docs/feedback.md", "the end of a session is normal after"),
    ],
)
def test_the_python_examples_run(page: str, shown: str, tmp_path: Path) -> None:
    """A page's Python examples run one after another, as printed, in a folder with the logs they name."""
    (tmp_path / "normal.log").write_text("\n".join(service_log(300, seed=1)) + "\n")
    (tmp_path / "today.log").write_text("\n".join(service_log(120, seed=2, broken=[50])) + "\n")
    environment = os.environ | {f"OFFSCRIPT_{name}": value for name, value in QUICK.items()}
    code = "\n".join(python_blocks(ROOT / page))
    assert code
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert shown in run.stdout


if __name__ == "__main__":
    head = REFERENCE.read_text("utf-8").split("| setting |")[0]
    REFERENCE.write_text(head + settings_table(), "utf-8")
