"""The edges of the command line: where output goes, progress bars, one-line errors, settings from a file."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from offscript.errors import UsageError
from offscript.plain import plain

if TYPE_CHECKING:
    from rich.console import RenderableType

    from offscript.config import Config

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a disk, a quota and a limit on files say when nothing more can be written."""


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"

    @property
    def waits(self) -> bool:
        """Whether nothing is printed before everything is known."""
        return self in (Output.TABLE, Output.JSON)


def chosen(output: Output | None) -> Output:
    """Return the form asked for, else a table on a terminal and JSON lines on a pipe."""
    return output if output is not None else Output.TABLE if sys.stdout.isatty() else Output.JSONL


def say(text: str) -> None:
    """Print one line for the person, on standard error, with everything unprintable spelt out."""
    _spell_out(sys.stderr)
    sys.stderr.write(plain(text) + "\n")
    sys.stderr.flush()


def show(renderable: RenderableType) -> None:
    """Print a table on standard output, as wide as the terminal, or 160 columns on a pipe."""
    from rich.console import Console  # noqa: PLC0415  (loaded where something is drawn)

    _spell_out(sys.stdout)
    width = None if sys.stdout.isatty() else 160
    with writing():
        Console(markup=False, highlight=False, emoji=False, width=width).print(renderable)


def emit(line: str) -> None:
    """Print one line of a result and hand it over at once, so that a reader on a pipe need not wait."""
    _spell_out(sys.stdout)
    with writing():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


@contextmanager
def writing() -> Iterator[None]:
    """Turn what standard output refuses, on a full disk say, into a UsageError; a reader that left is none."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        quiet_broken_pipe()
        raise UsageError(
            f"cannot be written ({error.strerror})", where="standard output", remedy="make room, or write elsewhere"
        ) from error


def _spell_out(stream: TextIO) -> None:
    """Let a stream write what its encoding lacks as an escape: a log holds any character, a terminal may not."""
    if isinstance(stream, TextIOWrapper) and stream.errors != "backslashreplace":
        stream.reconfigure(errors="backslashreplace")


def print_rows(title: str, columns: list[str], rows: Iterable[list[Any]], output: Output) -> None:
    """Print records in the form asked for: whatever prints a table can print the same as JSON or CSV."""
    from offscript.render import csv_row, json_line, table  # noqa: PLC0415  (it knows verdicts, which few rows are)

    if output is Output.TABLE:
        show(table(title, columns, rows))
        return
    if output is Output.JSON:
        emit("[" + ",\n ".join(json_line(dict(zip(columns, row, strict=True))) for row in rows) + "]")
        return
    if output is Output.CSV:
        emit(csv_row(columns))
    for row in rows:
        emit(csv_row(row) if output is Output.CSV else json_line(dict(zip(columns, row, strict=True))))


@contextmanager
def handed_over() -> Iterator[None]:
    """Hand over what is printed meanwhile, the help that typer prints included, or raise a UsageError."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM and error.filename is None:  # of the help: all else says what it writes
            with writing():
                raise
        raise
    with writing():
        sys.stdout.flush()


@contextmanager
def progress_bar(*, shown: bool = True) -> Iterator[Callable[[str, float, float], None]]:
    """Give a function (stage, done, of) that draws a bar with the time left.

    Nothing is drawn on a pipe, nor where results are printed while the work goes on (`shown` False).
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda _stage, _done, _of: None
        return
    from rich.console import Console  # noqa: PLC0415  (loaded where something is drawn)
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: float, of: float) -> None:
            if stage not in tasks:
                for old in tasks.values():
                    bar.remove_task(old)
                tasks.clear()
                tasks[stage] = bar.add_task(stage, total=of or None, left="left" if of else "")
            bar.update(tasks[stage], completed=done, total=of or None)

        yield report


def settings(path: Path | None, **given: Any) -> Config:
    """Return the settings: the options that were given, over the environment, over those of a TOML file.

    Raises UsageError, one line, for a file that is missing or no TOML, and for an unknown or impossible setting.
    """
    from pydantic import ValidationError  # noqa: PLC0415  (loaded by the verbs that are told settings)

    from offscript.config import Config, variable  # noqa: PLC0415

    stored = {} if path is None else _read_toml(path)
    chosen_here = {name: value for name, value in given.items() if value is not None}
    known_here = Config.model_fields
    _check_environment(known_here)
    # A variable is weaker than an option and stronger than the file, so the file must not name what a variable sets.
    from_file = {name: value for name, value in stored.items() if name not in _set_by_environment(known_here)}
    try:
        return Config(**(from_file | chosen_here))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        known = ", ".join(sorted(Config.model_fields))
        remedy = f"known settings are {known}" if first["type"] == "extra_forbidden" else "see `offscript fit --help`"
        where = str(path) if name in from_file.keys() - chosen_here.keys() else None
        if name in _set_by_environment(known_here) - chosen_here.keys():
            where = f"environment variable {variable(name)}"
        raise UsageError(f"setting {name!r}: {first['msg']}", where=where, remedy=remedy) from error


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415  (loaded where a file is given)

    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"cannot be read ({reason})", where=str(path), remedy="give a TOML file of settings"
        ) from error


def _set_by_environment(names: Iterable[str]) -> set[str]:
    """The settings that variables set; the settings class reads them in upper or lower case."""
    from offscript.config import variable  # noqa: PLC0415  (as above)

    present = {name.upper() for name in os.environ}
    return {name for name in names if variable(name) in present}


def _check_environment(names: Iterable[str]) -> None:
    """Raise UsageError for a variable that looks like a setting's and is none; others may have theirs."""
    import difflib  # noqa: PLC0415  (loaded by the verbs that are told settings)

    from offscript.config import PREFIX, variable  # noqa: PLC0415

    known = {variable(name) for name in names}
    for name in sorted(os.environ):
        if not name.upper().startswith(PREFIX) or name.upper() in known:
            continue
        if near := difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.9):
            raise UsageError("names no setting", where=f"environment variable {name}", remedy=f"write {near[0]}")


def quiet_broken_pipe() -> None:
    """Point standard output at nothing, so that the interpreter does not complain about what it cannot hand over."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
