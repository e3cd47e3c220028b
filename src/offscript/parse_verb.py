"""`offscript parse`: lines become log keys, templates and values, learnt from the log or taken from a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from offscript.config import Config
from offscript.console import chosen, print_rows, progress_bar, say, settings
from offscript.detection import checked
from offscript.entries import Entry, Line
from offscript.model import Model, load
from offscript.options import ConfigOption, Form, HeaderOption, Logs, SessionKeyOption, TimeOption
from offscript.parse.header import Header, header_from_options
from offscript.parse.records import Reader
from offscript.sources import STDIN, Reading, read


def parse_verb(
    logs: Logs,
    output: Form = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="Use the templates of this model instead of learning.")
    ] = None,
    session: SessionKeyOption = None,
    header: HeaderOption = None,
    time_format: TimeOption = None,
    config: ConfigOption = None,
) -> None:
    """Turn lines into log keys, templates and values: one record a line of the log."""
    chosen_settings = settings(config, session=session)
    if model is not None:
        reading = read(*logs, config=chosen_settings)
        parsed = _matched(load(model), reading)
    else:
        reading, parsed = _learnt(logs, chosen_settings, header_from_options(time_format, header))
    columns = ["source", "line", "time", "level", "session", "key", "template", "values"]
    print_rows("entries", columns, (_entry_row(entry) for entry in parsed), chosen(output))
    for finding in reading.report.findings():
        say(finding)


def _learnt(logs: list[str], config: Config, header: Header | None) -> tuple[Reading, Iterator[Entry]]:
    """Learn from the logs, then read them once more; what comes from a pipe is kept meanwhile."""
    from offscript.parse.learn import entries, learn  # noqa: PLC0415  (loaded only by the verbs that learn)

    reading = read(*logs, config=config)
    kept = list(reading) if STDIN in logs else None
    with progress_bar() as report:
        parsed = learn(reading if kept is None else kept, config, header=header, progress=report)
    for finding in parsed.findings():
        say(finding)
    return reading, entries(parsed, read(*logs, config=config) if kept is None else kept)


def _matched(model: Model, lines: Iterable[Line]) -> Iterator[Entry]:
    reader = Reader(model.header, model.session_key, model.templates)
    for line in checked(model.header, lines):
        read_entry = reader.entry(line)
        if read_entry is not None:
            yield read_entry[0]


def _entry_row(entry: Entry) -> list[Any]:
    return [
        entry.line.source,
        entry.line.number,
        entry.time,
        entry.level,
        entry.session,
        entry.key,
        entry.template,
        list(entry.values),
    ]
