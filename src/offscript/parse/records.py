"""From physical lines to records: the header is split off, continuation lines are told apart (ours).

The first physical line of a record fixes its key and is judged at once; continuation lines only extend its text, so a
live pipe and a file are read alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from offscript.entries import Entry, Fields, Line
from offscript.errors import StateError
from offscript.parse.asked import Asked
from offscript.parse.header import Header, looks_like_continuation
from offscript.parse.match import Templates
from offscript.parse.sessions import SessionKey

if TYPE_CHECKING:
    from offscript.parse.asked_columns import AskedColumns


@dataclass(slots=True)
class SourceState:
    """What is known of one source so far: its counts, and the clock that year-less stamps are read against."""

    lines: int = 0
    records: int = 0
    continuations: int = 0
    strays: int = 0
    first: float | None = None
    near: float | None = None


class Records:
    """Split lines into header fields and message, one source's state at a time.

    >>> from offscript.parse.header import detect_header
    >>> lines = ["2024-05-01 10:00:00 INFO start", "  with details", "2024-05-01 10:00:01 INFO stop"]
    >>> records = Records(detect_header(lines * 5))
    >>> [fields.message if (fields := records.fields(Line(text))) else None for text in lines]
    ['start', None, 'stop']
    """

    def __init__(self, header: Header) -> None:
        self.header = header
        self.sources: dict[str, SourceState] = {}
        self._touched: set[str] = set()

    def fields(self, line: Line) -> Fields | None:
        """Return the fields of a record's first line, None for a line that continues the record before it.

        A line without header that does not look like a continuation counts as a stray; it continues a record all the
        same, unless none is open.
        """
        state = self.state(line.source)
        state.lines += 1
        fields = self.header.split(line.text, state.near)
        if fields is None:
            stray = not looks_like_continuation(line.text)
            state.strays += stray
            if state.records:
                state.continuations += 1
                return None
            fields = Fields(line.text)
        state.records += 1
        if fields.time is not None:
            state.near = fields.time
            if state.first is None:
                state.first = fields.time
        return fields

    def state(self, source: str) -> SourceState:
        """Return the state of a source, which the caller is about to change."""
        self._touched.add(source)
        state = self.sources.get(source)
        if state is None:
            state = self.sources[source] = SourceState()
        return state

    def passed(self, source: str, records: int, first: float | None, last: float | None) -> None:
        """Take note of records that were read elsewhere: how many, and their first and last time."""
        state = self.state(source)
        state.lines += records
        state.records += records
        if state.first is None:
            state.first = first
        if last is not None:
            state.near = last

    def rows(self) -> dict[str, Any]:
        """Return the state of every source as JSON rows."""
        return {source: asdict(state) for source, state in self.sources.items()}

    def changes(self) -> dict[str, Any]:
        """Return the rows touched since the last call."""
        touched, self._touched = self._touched, set()
        return {source: asdict(self.sources[source]) for source in sorted(touched)}

    def load(self, rows: Mapping[str, Any]) -> None:
        """Continue from rows that `rows` or `changes` gave; StateError when they are damaged."""
        try:
            self.sources = {source: SourceState(**row) for source, row in rows.items()}
        except TypeError as error:
            raise StateError("a source's row is damaged", remedy="start without the state") from error


class Reader:
    """The match regime: lines become entries under frozen templates (DESIGN section 4; ours).

    A pure function of the templates but for the clock of year-less stamps, which is the state of `records`; these may
    be those of a reader under other templates, of which this one takes the place.
    """

    def __init__(
        self, header: Header, session_key: SessionKey, templates: Templates, records: Records | None = None
    ) -> None:
        self.records = Records(header) if records is None else records
        self._session_key = session_key
        self._templates = templates

    def entry(self, line: Line) -> tuple[Entry, float | None] | None:
        """Return the entry of a record's first line with the stamp it bears, None for a continuation line.

        The time of an entry without a stamp of its own is that of the line before it.
        """
        fields = self.records.fields(line)
        if fields is None:
            return None
        session = self._session_key.find(fields)
        time = self.records.sources[line.source].near
        return entry_of(line, fields, time, session, self._templates), fields.time

    def entry_at(self, line: Line, time: float | None, session: str | None) -> Entry:
        """Return the entry of a record's first line whose time and session are known; changes no state."""
        fields = self.records.header.split(line.text, time) or Fields(line.text)
        return entry_of(line, fields, time, session, self._templates)


class Matching:
    """Frozen templates, as the columnar scan asks them: the number of a skeleton is its key.

    Args:
        templates: the templates.
        asked: what the scan is asked of the values of entries; ValueError for places that no template has.
    """

    learns = False

    def __init__(self, templates: Templates, asked: Asked = ()) -> None:
        self.templates = templates
        self.asked = asked
        self.taker: AskedColumns | None = None
        if asked:
            from offscript.parse.asked_columns import AskedColumns  # noqa: PLC0415  (the compiler is loaded for files)

            self.taker = AskedColumns(templates, asked)

    def number(self, message: str, ids: tuple[str, ...]) -> tuple[int, bool]:
        """Match a message; its key depends on its skeleton alone."""
        match = self.templates.match(message, ids)
        if self.taker is not None:
            self.taker.tell(message, ids, match)
        return match.key, True

    def add(self, number: int, lines: int, values: object) -> None:
        """Learn nothing: judging never does."""


def entry_of(line: Line, fields: Fields, time: float | None, session: str | None, templates: Templates) -> Entry:
    """Return the entry of a line under the key that its message matches (ours).

    A session's id is a value wherever it stands in the message.
    """
    match = templates.match(fields.message, (session,) if session else ())
    return Entry(line, match.key, match.values, match.template, time, fields.level, session, match.known, match.nearest)
