"""The edges: output that any encoding can take, settings in their stated order."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from offscript.console import Output, emit, print_rows, say, settings
from offscript.errors import UsageError


def test_what_an_encoding_lacks_is_spelt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log line in any script is printed on any terminal, as escapes where there is no other way."""
    taken = io.BytesIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(taken, encoding="ascii", write_through=True))
    emit("caf\u00e9 \U0001f4a5 \udcff")
    say("gr\u00fc\u00df")
    print_rows("t", ["text"], [["\u65e5\u672c"]], Output.TABLE)
    print_rows("t", ["text"], [["\u65e5\u672c"]], Output.CSV)
    text = taken.getvalue().decode("ascii")
    assert "caf\\xe9 \\U0001f4a5 \\udcff" in text
    assert "gr\\xfc\\xdf" in text
    assert text.count("\\u65e5\\u672c") == 2


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of settings."""
    path = tmp_path / "s.toml"
    path.write_text("history = 4\nseed = 4\nhidden = 4\n", "utf-8")
    return path


def test_options_then_environment_then_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is nearer to the person wins: the option, the variable (in any case of letters), the file."""
    monkeypatch.setenv("OFFSCRIPT_HISTORY", "3")
    monkeypatch.setenv("offscript_seed", "3")
    found = settings(file, history=2, seed=None)
    assert (found.history, found.seed, found.hidden, found.layers) == (2, 3, 4, 2)


def test_a_wrong_variable_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An impossible value in the environment is the environment's error and not the file's; an option settles it."""
    monkeypatch.setenv("OFFSCRIPT_SEED", "abc")
    with pytest.raises(UsageError, match=r"environment variable OFFSCRIPT_SEED: setting 'seed'"):
        settings(file)
    assert settings(file, seed=1).seed == 1


def test_a_misspelt_variable_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that nearly names a setting would be ignored in silence; one of somebody else's is left alone."""
    monkeypatch.setenv("OFFSCRIPT_DATA", "/data")
    settings(None)
    monkeypatch.setenv("OFFSCRIPT_HISTROY", "3")
    with pytest.raises(UsageError, match=r"OFFSCRIPT_HISTROY: names no setting; write OFFSCRIPT_HISTORY"):
        settings(None)
