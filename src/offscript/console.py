"""The edges of the command line: where output goes, progress bars, one-line errors, settings from a file."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from offscript.config import Config
from offscript.errors import UsageError
from offscript.render import csv_row, json_line, plain, table


class Output(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"


def chosen(output: Output | None) -> Output:
    """Return the form asked for, else a table on a terminal and JSON lines on a pipe."""
    return output if output is not None else Output.TABLE if sys.stdout.isatty() else Output.JSONL


def say(text: str) -> None:
    """Print one line for the person, on standard error, with everything unprintable spelt out."""
    sys.stderr.write(plain(text) + "\n")
    sys.stderr.flush()


def show(renderable: RenderableType) -> None:
    """Print a table on standard output, as wide as the terminal, or 160 columns on a pipe."""
    width = None if sys.stdout.isatty() else 160
    Console(markup=False, highlight=False, emoji=False, width=width).print(renderable)


def emit(line: str) -> None:
    """Print one line of a result and hand it over at once, so that a reader on a pipe need not wait."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def print_rows(title: str, columns: list[str], rows: Iterable[list[Any]], output: Output) -> None:
    """Print records in the form asked for: whatever prints a table can print the same as JSON or CSV."""
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
def progress_bar() -> Iterator[Callable[[str, float, float], None]]:
    """Give a function (stage, done, of) that draws a bar with the time left; on a pipe it draws nothing."""
    if not sys.stderr.isatty():
        yield lambda _stage, _done, _of: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: float, of: float) -> None:
            if stage not in tasks:
                for old in tasks.values():
                    bar.remove_task(old)
                tasks.clear()
                tasks[stage] = bar.add_task(stage, total=of or None)
            bar.update(tasks[stage], completed=done, total=of or None)

        yield report


def settings(path: Path | None, **given: Any) -> Config:
    """Return the settings of a TOML file with the options that were given on top.

    Raises UsageError, one line, for a file that is missing or no TOML, and for an unknown or impossible setting.
    """
    stored: dict[str, Any] = {}
    if path is not None:
        try:
            stored = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(
                f"cannot be read ({reason})", where=str(path), remedy="give a TOML file of settings"
            ) from error
    try:
        return Config(**(stored | {name: value for name, value in given.items() if value is not None}))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        known = ", ".join(sorted(Config.model_fields))
        remedy = f"known settings are {known}" if first["type"] == "extra_forbidden" else "see `offscript fit --help`"
        raise UsageError(
            f"setting {name!r}: {first['msg']}", where=str(path) if path else None, remedy=remedy
        ) from error


def quiet_broken_pipe() -> None:
    """Point standard output at nothing, so that the interpreter does not complain about a reader that left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
