"""Showing what the parsing experiment found: one table on a terminal, records on a pipe, and files to keep."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from textwrap import fill

from rich.text import Text

from offscript.console import Output, print_rows, say, show
from offscript.errors import UsageError
from offscript.evaluate.parsing import CONTENT, MEAN, RAW, Parsing, Row
from offscript.evaluate.peers import OURS, REFERENCE_SPELL, versions
from offscript.evaluate.pictures import INSTALL, can_draw, draw_parsing
from offscript.render import table

_COLUMNS = ["system", "parser", "reference", "GA", "FGA", "PA", "FTA", "speed"]
_SHORT = {REFERENCE_SPELL: "ref. Spell"}  # so that the table fits in eighty columns
_FOUR = ("ga", "fga", "pa", "fta")
_EXACT = ("ga", "fga", "pa_exact", "fta_exact")


def print_parsing(parsing: Parsing, output: Output) -> None:
    """Print the experiment in the form asked for."""
    if output is not Output.TABLE:
        records = parsing.records()
        print_rows("parsing", list(records[0]), [list(record.values()) for record in records], output)
    else:
        show(table(_counted(parsing), _COLUMNS, table_rows(parsing)))
        show(Text("\n" + "\n".join((*_NOTES, _SPEED))))
        for row in parsing.rows:
            if row.note:
                say(f"{row.parser} on {row.system}: {row.note}")
    for finding in parsing.findings:
        say(finding)


def table_rows(parsing: Parsing) -> Iterator[list[str]]:
    """Yield the rows of the terminal's table: ours by system, then the means, those of exact strings last."""
    reference = parsing.references[0]
    means = parsing.means()
    for row in parsing.of(OURS, reference):
        yield _table_row(parsing, row)
    for row in means:
        yield _table_row(parsing, row)
    for row in means:
        if row.source == CONTENT:
            yield _table_row(parsing, row, _EXACT)


def _table_row(parsing: Parsing, row: Row, measures: Sequence[str] = _FOUR) -> list[str]:
    system = f"mean of {row.systems}" if row.system == MEAN else row.system
    against = row.reference + (" raw" if row.source == RAW else " exact" if measures is _EXACT else "")
    return [system, _SHORT.get(row.parser, row.parser), against, *shares(row, measures), _speed(parsing, row)]


def _speed(parsing: Parsing, row: Row) -> str:
    speed = parsing.speed(row)
    return "failed" if row.accuracy is None else "-" if speed is None else f"{speed:.2f}"


def shares(row: Row | None, measures: Sequence[str] = _FOUR) -> list[str]:
    """Return a row's shares as text, a dash each where there are none.

    >>> shares(None)
    ['-', '-', '-', '-']
    """
    if row is None or row.accuracy is None:
        return ["-"] * len(measures)
    values = [getattr(row.accuracy, measure) for measure in measures]
    return ["1" if value == 1 else f"{value:.3f}".removeprefix("0") for value in values]


def write_parsing(parsing: Parsing, folder: Path) -> None:
    """Write `report.md`, `report.json` and, with the extra `plots`, the figure (`parsing.png`) to a folder.

    Raises UsageError when the folder cannot be written.
    """
    report = {"versions": versions(), "records": parsing.records()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "report.json").write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", "utf-8")
        if can_draw():
            draw_parsing(parsing, folder / "parsing.png")
        else:
            say(f"matplotlib is not installed, so parsing.png is not drawn ({INSTALL})")
        (folder / "report.md").write_text(page(parsing, picture=can_draw()), "utf-8")
    except OSError as error:
        raise UsageError(f"cannot be written ({error.strerror})", where=str(folder), remedy="give a folder") from error


def page(parsing: Parsing, *, picture: bool) -> str:
    """Return the tables as a page of Markdown, with what was counted and how."""
    reference = parsing.references[0]
    parts = [
        "# Parsing accuracy",
        _HOW_TO,
        f"{_counted(parsing)}. Versions: {versions()}.",
        *(fill(note, 120) for note in (*_NOTES, _SPEED)),
        "## Means over the systems",
        _markdown(
            ["parser", "input", "reference", "systems", *_NAMES, "exact PA", "exact FTA", "lines/s", "speed"],
            (_mean_cells(parsing, row) for row in parsing.means()),
        ),
        *(["![GA, FGA, PA and FTA of every parser on every system](parsing.png)"] if picture else []),
        f"## Ours by system, {reference} reference",
        _markdown(
            ["system", "lines", "templates", "of the reference", *_NAMES, *(f"raw {name}" for name in _NAMES)],
            _our_cells(parsing, reference),
        ),
    ]
    for parser in parsing.parsers[1:]:
        rows = [[row.system, *shares(row), row.note] for row in parsing.of(parser, reference)]
        parts += [f"## {parser} by system, {reference} reference", _markdown(["system", *_NAMES, "note"], rows)]
    return "\n\n".join(parts) + "\n"


_NAMES = ["GA", "FGA", "PA", "FTA"]

_HOW_TO = """\
This page is what these commands write; DATA holds samples of the public Loghub collection
(https://github.com/logpai/loghub).

```sh
pip install '.[peers,plots]'   # one package of the peers is compiled: it takes a C compiler
offscript reproduce parsing --data DATA --out DIR   # report.md, report.json and the figure
```"""

_NOTES = (
    "GA: share of the lines whose group is exactly the lines of one template of the reference. FGA: F1 of such groups. "
    "PA: share of the lines whose template is worded as the reference's. FTA: F1 of the templates with its wording and "
    "its lines. Wordings are compared after collapsing white space and merging `<*>` joined only by punctuation, on "
    "both sides alike; exact: the strings as they are.",
    "Parsed are the messages as the reference gives them. Raw: the lines as they are; header and session key are "
    "detected first, and a line taken for the continuation of another counts as wrong.",
    "Every parser has one default configuration for all systems. The reference Spell drops the signs that it splits at "
    "(`=`, `:`, `,`), so hardly any template with one can have the wording: compare its groups.",
)

_SPEED = (
    "Speed: lines a second as a multiple of Drain3's on the messages; one run each, one after another, in one process. "
    "Much of the time is the cost of meeting new templates, in raw lines that of detecting header and session key: the "
    "samples are too short to say what a long log takes."
)


def _counted(parsing: Parsing) -> str:
    """What was counted, in a line."""
    reference = parsing.references[0]
    rows = [row.accuracy for row in parsing.of(OURS, reference) if row.accuracy is not None]
    lines, templates = sum(row.lines for row in rows), sum(row.reference_templates for row in rows)
    return (
        f"Loghub, samples of {len(rows)} systems: {lines:,} lines, {templates:,} templates by the {reference} reference"
    )


def _mean_cells(parsing: Parsing, row: Row) -> list[str]:
    rate = row.lines_per_second
    return [
        row.parser,
        "raw lines" if row.source == RAW else "messages",
        row.reference,
        f"{row.systems} {row.note}".strip(),
        *shares(row, (*_FOUR, *_EXACT[2:])),
        "-" if rate is None else f"{rate:,.0f}",
        _speed(parsing, row),
    ]


def _our_cells(parsing: Parsing, reference: str) -> Iterator[list[str]]:
    raw = {row.system: row for row in parsing.of(OURS, reference, RAW)}
    for row in parsing.of(OURS, reference):
        if row.accuracy is not None:
            counted = (row.accuracy.lines, row.accuracy.groups, row.accuracy.reference_templates)
            yield [row.system, *(f"{count:,}" for count in counted), *shares(row), *shares(raw.get(row.system))]


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
