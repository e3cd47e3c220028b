"""Logs read once more for a few sessions: columns of all entries, objects of the wanted ones only (ours)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from offscript.detection import READ_FIRST
from offscript.detector import HEADER_SAMPLE
from offscript.entries import Entry, Fields, Line
from offscript.model import Model
from offscript.parse.pieces import PIECE_LINES, InPieces, pieces_of
from offscript.parse.records import Matching, Reader

if TYPE_CHECKING:
    from offscript.parse.raw_lines import RawLines
    from offscript.parse.scan import Scanned

MAX_TEXT: Final = 2_000
"""Characters kept of a line, as in the journal."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Columns:
    """The entries of a piece of one source.

    `places` are those of their lines in the piece, `codes` those of the wanted sessions (-1: another, or none),
    `stamps` their own times and `times` those of the source at that moment (NaN: none). `keys` are what a scan found;
    without them an entry is matched when it is made.
    """

    raw: RawLines | list[Line]
    source: str
    places: Ints
    codes: Ints
    stamps: Floats
    times: Floats
    keys: Ints | None = None

    def line(self, place: int) -> Line:
        """A line of the piece, cut where it is very long."""
        line = self.raw[place] if isinstance(self.raw, list) else self.raw.line(place)
        if len(line.text) <= MAX_TEXT:
            return line
        return Line(line.text[: MAX_TEXT - 1] + "…", line.source, line.number, line.offset)

    def offsets(self) -> Ints:
        """Where the lines begin in their source, in bytes; they rise."""
        if isinstance(self.raw, list):
            return np.array([line.offset for line in self.raw], np.int64)
        return self.raw.offset + self.raw.offsets

    def entry_at(self, place: int) -> int | None:
        """The entry whose line stands at a place; None where the line continues a record."""
        found = int(np.searchsorted(self.places, place))
        return found if found < len(self.places) and self.places[found] == place else None


class Rereader:
    """Reads logs under the templates of a model; the sessions of `names` have the codes 0, 1, 2 ..."""

    def __init__(self, model: Model, names: Sequence[str]) -> None:
        self._model = model
        self._names = list(names)
        self._codes = {name: code for code, name in enumerate(names)}
        self._reader = Reader(model.header, model.session_key, model.templates)
        self._templates: dict[int, str] = {}

    def columns(self, lines: Iterable[Line]) -> Iterator[Columns]:
        """Yield all entries; files are scanned, other lines read one by one."""
        pieces = _pieces(lines)
        for piece in pieces:
            if isinstance(piece, list):
                yield self._by_lines(piece)
                continue
            from offscript.parse.scan import Scanner  # noqa: PLC0415  (the compiler is loaded only for files)

            model = self._model
            if not Scanner.serves(model.header, model.session_key):
                yield self._by_lines(list(piece))
                continue
            sample = [line.text for line in islice(piece, HEADER_SAMPLE)]
            matching = Matching(model.templates)
            scanner = Scanner(model.header, model.session_key, sample, matching, self._reader.records)
            scanner.know(self._names)
            yield from map(self._by_scan, scanner.scan(chain([piece], pieces)))

    def name(self, code: int) -> str:
        """The name of a wanted session."""
        return self._names[code]

    def entry(self, columns: Columns, entry: int, session: int) -> Entry:
        """Make an entry of the session of a code; one whose key is known without matching has no values."""
        line = columns.line(int(columns.places[entry]))
        time = None if np.isnan(columns.times[entry]) else float(columns.times[entry])
        name = self._names[session] if session >= 0 else None
        key = 0 if columns.keys is None else int(columns.keys[entry])
        if key <= 0:
            return self._reader.entry_at(line, time, name)
        if key not in self._templates:
            self._templates[key] = self._model.templates.template(key).text
        return Entry(line, key, (), self._templates[key], time, None, name)

    def _by_scan(self, scanned: Scanned) -> Columns:
        codes = self._model.sessions_of(scanned.numbers, scanned.sessions)
        codes = np.where(codes < len(self._names), codes, -1)
        columns = scanned.places, codes, scanned.stamps, scanned.times, scanned.numbers
        return Columns(scanned.raw, scanned.source, *columns)

    def _by_lines(self, lines: list[Line]) -> Columns:
        records = self._reader.records
        places: list[int] = []
        codes: list[int] = []
        times: list[tuple[float | None, float | None]] = []
        for place, line in enumerate(lines):
            fields = records.fields(line)
            if fields is not None:
                places.append(place)
                codes.append(self._code(fields))
                times.append((fields.time, records.sources[line.source].near))
        stamps, clocks = np.array(times, np.float64).reshape(-1, 2).T
        source = lines[0].source if lines else ""
        return Columns(lines, source, np.array(places, np.int64), np.array(codes, np.int64), stamps, clocks)

    def _code(self, fields: Fields) -> int:
        """The code of the wanted session that a line is of; its key is asked for only where the line names one."""
        name, outside = self._model.session_key.find(fields), self._model.outside
        code = -1 if name is None else self._codes.get(name, -1)
        if code < 0 or not outside:
            return code
        key = self._model.templates.match(fields.message, (name,) if name else ()).key
        return -1 if key in outside else code


def _pieces(lines: Iterable[Line]) -> Iterator[RawLines | list[Line]]:
    if isinstance(lines, InPieces):
        yield from pieces_of(lines, READ_FIRST)
        return
    for _, run in groupby(lines, key=lambda line: line.source):
        while piece := list(islice(run, PIECE_LINES)):
            yield piece
