"""What is shown is safe: log text is hostile to terminals, markup, spreadsheets."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from offscript import Entry, Line, Reason, Verdict
from offscript.journal import record_of
from offscript.plain import duration, plain
from offscript.render import clock, csv_cell, csv_row, explained, json_line, table, verdict_csv


@given(st.text())
def test_plain_text_is_printable(text: str) -> None:
    """No control, escape or invisible character reaches a terminal."""
    assert plain(text).isprintable()


def test_nothing_is_an_empty_cell() -> None:
    """What a row has no value for is left empty in a table, as in CSV."""
    console = Console(width=80, file=io.StringIO())
    console.print(table("versions", ["version", "from"], [[1, None], [2, 1]]))

    assert "None" not in console.file.getvalue()  # type: ignore[attr-defined]


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"])))
def test_printable_text_stays(text: str) -> None:
    """Ordinary text in any script is shown as it is."""
    assert not text.isprintable() or plain(text) == text


def test_markup_is_not_obeyed() -> None:
    """Rich markup and links in a log line are only text."""
    out = io.StringIO()
    Console(file=out, width=80, markup=False).print(table("t", ["c"], [["[link=http://x]click[/link] [red]no[/red]"]]))
    assert "[link=http://x]click[/link] [red]no[/red]" in out.getvalue()


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    """A spreadsheet takes no cell for a formula, and the row survives a round trip through a CSV reader."""
    cell = csv_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert next(csv.reader([csv_row([text, "b"])]), []) == [cell, "b"]


@given(st.text())
def test_json_lines_are_one_line_of_ascii(text: str) -> None:
    """A record is one line, whatever it holds."""
    line = json_line({"text": text})
    assert "\n" not in line
    assert line.isascii()
    assert json.loads(line) == {"text": text}


def test_a_hostile_verdict_is_shown_harmlessly() -> None:
    """Every form of a verdict with hostile text is free of control characters."""
    entry = Entry(Line("\x1b]8;;http://x\x07boo\x9b31m", "a\nb.log", 3), 1, (), "t", 0.0, None, "s\r1")
    verdict = Verdict("id", Reason.NEW_KEY, 2.0, entry, 0.0, "s\r1", detail="\x00")
    assert all(line.isprintable() for line in explained(verdict).split("\n"))
    assert verdict_csv(verdict).isprintable()
    assert record_of(verdict)["line"] == 3


def test_times_and_durations_read_well() -> None:
    """Times in UTC to the millisecond; a time beyond the calendar is shown as its number."""
    assert clock(1_714_557_600.25) == "2024-05-01 10:00:00.250"
    assert clock(None) == "-"
    assert clock(1e300) == "1e+300"
    assert duration(30) == "30 s"
