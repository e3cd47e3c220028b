"""Turning results into text: tables for people, JSON lines and CSV for programs; log text is hostile, so escaped."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from offscript.entries import Verdict
from offscript.journal import record_of
from offscript.plain import plain

if TYPE_CHECKING:
    from rich.table import Table

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_cell(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula (ours).

    >>> csv_cell("=1+1"), csv_cell(-3)
    ("'=1+1", '-3')
    """
    if value is None:
        return ""
    if isinstance(value, (int, float)):
        return repr(value)
    text = value if isinstance(value, str) else json.dumps(value)
    text = plain(text)
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def csv_row(cells: Iterable[object]) -> str:
    """Return one line of CSV, without its newline."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([csv_cell(cell) for cell in cells])
    return out.getvalue()


def json_line(record: Mapping[str, Any]) -> str:
    """Return one record as one line of ASCII JSON."""
    return json.dumps(record, ensure_ascii=True, allow_nan=False)


def clock(time: float | None) -> str:
    """Return log time as people read it, in UTC with milliseconds; a dash where there is none.

    >>> clock(0.5)
    '1970-01-01 00:00:00.500'
    """
    if time is None:
        return "-"
    try:
        return datetime.fromtimestamp(time, UTC).isoformat(sep=" ", timespec="milliseconds")[:23]
    except (OverflowError, ValueError, OSError):
        return repr(time)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Return a table whose cells are plain text: no markup in a cell is ever obeyed."""
    from rich.table import Table  # noqa: PLC0415  (loaded where a table is drawn)
    from rich.text import Text  # noqa: PLC0415

    made = Table(title=Text(title), title_justify="left", show_edge=False, pad_edge=False, expand=False)
    for column in columns:
        made.add_column(Text(column), overflow="fold")
    for row in rows:
        made.add_row(*(Text("" if cell is None else plain(str(cell))) for cell in row))
    return made


VERDICT_COLUMNS = (
    "id",
    "time",
    "source",
    "line",
    "offset",
    "session",
    "reason",
    "score",
    "key",
    "template",
    "text",
    "detail",
)


def verdict_csv(verdict: Verdict) -> str:
    """Return the verdict as a line of CSV with the columns of `VERDICT_COLUMNS`."""
    record = record_of(verdict)
    return csv_row(record[column] for column in VERDICT_COLUMNS)


def place(verdict: Verdict) -> str:
    """Return where the verdict's line stands, as `file:line`."""
    return f"{verdict.entry.line.source}:{verdict.entry.line.number}"


def explained(verdict: Verdict) -> str:
    """Return the verdict in a few lines: when, where, what was seen, what was expected.

    The first line names time, place, session, reason and score; then the log's text and the explanation.
    """
    session = f"  session {plain(verdict.session, 60)}" if verdict.session is not None else ""
    head = f"{clock(verdict.time)}  {plain(place(verdict), 80)}{session}  {verdict.reason}  score {verdict.score:.2f}"
    lines = [f"{head}  id {verdict.id}", f"    {plain(verdict.entry.text, 240)}", f"    {plain(verdict.detail, 400)}"]
    return "\n".join(lines)


def verdict_groups(verdicts: Iterable[Verdict]) -> list[tuple[Verdict, int]]:
    """Return the first verdict of each session with how many more it has, in order of appearance.

    Verdicts outside sessions are grouped by reason and key.
    """
    groups: dict[tuple[object, ...], list[Verdict]] = {}
    for verdict in verdicts:
        name = (
            (verdict.entry.line.source, verdict.session)
            if verdict.session is not None
            else (verdict.reason, verdict.entry.key)
        )
        groups.setdefault(name, []).append(verdict)
    return [(group[0], len(group) - 1) for group in groups.values()]
