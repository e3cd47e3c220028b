"""The learn regime on a whole log: header, session key, templates; then every entry under its final key.

Of each line only a skeleton number, a session and a time are kept, no text, so that a long log fits in memory; at the
end one table, skeleton to key, resolves every entry, and no early line keeps a key that a later line changed.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from offscript.config import Config
from offscript.entries import Entry, Line
from offscript.errors import InputError
from offscript.parse.cells import Cells, CellsByKey, CellStore
from offscript.parse.discover import Discovery, discover_in_lines
from offscript.parse.first_lines import FirstLines, first_lines
from offscript.parse.header import LEAST_SHARE, Header, detect_header
from offscript.parse.match import Templates
from offscript.parse.pieces import InPieces, pieces_of
from offscript.parse.records import Records, entry_of
from offscript.parse.sessions import SessionKey
from offscript.parse.spell import Spell
from offscript.parse.tokens import MAX_TOKENS, Tokens

if TYPE_CHECKING:
    from offscript.parse.cell_columns import CellColumns
    from offscript.parse.raw_lines import RawLines
    from offscript.parse.scan import Scanned
    from offscript.parse.values_seen import Common

Progress = Callable[[str, float, float], None]
"""Called with the stage's name, how much is done and how much there is (0 when that is not known)."""

REPORT_EVERY = 5000  # lines between two reports of progress: about ten a second
FOREIGN_NAMED = 3  # sources of another format named in one sentence: a folder may hold hundreds


SHAPES_SAMPLE = 2000  # lines that show how many words headers have; a wider one later is read line by line


class Row(NamedTuple):
    """What is kept of one entry."""

    source: str
    skeleton: int
    session: str | None
    time: float | None


@dataclass
class Kept:
    """What is kept of every entry of the log, as columns; `cells` holds its values, where these are kept."""

    skeletons: array[int] = field(default_factory=lambda: array("q"))
    sessions: array[int] = field(default_factory=lambda: array("q"))  # -1: the entry names no session
    sources: array[int] = field(default_factory=lambda: array("q"))
    times: array[float] = field(default_factory=lambda: array("d"))  # NaN: no stamp
    source_names: dict[str, int] = field(default_factory=dict)
    cells: CellStore | None = None
    _codes: dict[str, int] = field(default_factory=dict)
    _names: Sequence[str] | None = None

    def add(self, source: str, skeleton: int, session: str | None, time: float | None) -> None:
        """Keep one entry."""
        self.skeletons.append(skeleton)
        self.sessions.append(-1 if session is None else self._codes.setdefault(session, len(self._codes)))
        self.sources.append(self.source_names.setdefault(source, len(self.source_names)))
        self.times.append(float("nan") if time is None else time)

    @property
    def session_names(self) -> Sequence[str]:
        """The names of the sessions, by code."""
        return list(self._codes) if self._names is None else self._names

    def extend(self, scanned: Scanned) -> None:
        """Keep the entries of a block; `named` gives the session codes their names when all are kept."""
        count = len(scanned.places)
        source = self.source_names.setdefault(scanned.source, len(self.source_names)) if count else 0
        sources = np.full(count, source, np.int64)
        columns = (self.skeletons, self.sessions, self.sources), (scanned.numbers, scanned.sessions, sources)
        for kept, column in zip(*columns, strict=True):
            kept.frombytes(column.view(np.uint8).data)
        self.times.frombytes(scanned.stamps.view(np.uint8).data)

    def named(self, names: Sequence[str]) -> None:
        """Name the sessions of the blocks kept."""
        self._names = names

    def __len__(self) -> int:
        """Return how many entries are kept."""
        return len(self.skeletons)

    def __iter__(self) -> Iterator[Row]:
        """Yield the entries in the order in which they were read."""
        names: list[str | None] = [*self.session_names, None]  # the last is what index -1 finds
        sources = list(self.source_names)
        columns = zip(self.skeletons, self.sessions, self.sources, self.times, strict=True)
        for skeleton, session, source, time in columns:
            yield Row(sources[source], skeleton, names[session], time if time == time else None)


@dataclass
class Parsed:
    """A whole log, parsed: what was found out about it, and the final key of every entry (`key_of[row.skeleton]`)."""

    header: Header
    discovery: Discovery
    session_key_given: bool
    templates: Templates
    key_of: list[int]
    kept: Kept
    records: Records
    warnings: list[str]
    skeletons: list[Tokens]

    def cells_of(self, key: int) -> Cells:
        """Return what stood at the places of a key in all its entries; ValueError where `learn` kept no cells."""
        return self._cells.of(key, self.templates.places(key))

    @cached_property
    def _cells(self) -> CellsByKey:
        if self.kept.cells is None:
            raise ValueError("no cells were kept: learn with `cells`")
        skeletons_of: dict[int, list[int]] = {}
        for number, key in enumerate(self.key_of):
            skeletons_of.setdefault(key, []).append(number)
        skeletons = np.array(self.kept.skeletons, np.int64)
        return CellsByKey(
            self.kept.cells, skeletons, skeletons_of, lambda number: self.templates.origins(self.skeletons[number])[1]
        )

    def findings(self) -> list[str]:
        """Return what was found, a line each, for people."""
        lines = sum(state.lines for state in self.records.sources.values())
        strays = sum(state.strays for state in self.records.sources.values())
        given = [f"session key: {self.discovery.key.describe()} (given)"]
        found = [self.header.describe(), *(given if self.session_key_given else self.discovery.reasons())]
        found.append(f"{len(self.templates.keys()):,} log keys from {len(self.kept):,} entries ({lines:,} lines)")
        if strays:
            one = "1 line without the header was read as a continuation of the record before it"
            many = f"{strays:,} lines without the header were read as continuations of the record before them"
            found.append(one if strays == 1 else many)
        return found + [f"warning: {warning}" for warning in (*self._of_another_header(), *self.warnings)]

    def _of_another_header(self) -> Iterator[str]:
        """Name the sources that taught nothing, because nearly none of their lines has the header."""
        foreign = [
            source
            for source, state in self.records.sources.items()
            if state.strays and state.records <= (1 - LEAST_SHARE) * (state.records + state.strays)
        ]
        if foreign:
            named = ", ".join(foreign[:FOREIGN_NAMED])
            more = f" and {len(foreign) - FOREIGN_NAMED:,} more" if len(foreign) > FOREIGN_NAMED else ""
            yield f"hardly a line of {named}{more} has this header: learn logs of another format apart"


def learn(
    lines: Iterable[Line],
    config: Config,
    *,
    header: Header | None = None,
    progress: Progress | None = None,
    cells: bool = False,
) -> Parsed:
    """Parse a whole log in the learn regime (DESIGN section 4; Spell, ICDM 2016).

    `header` overrides the detected one. With `cells` values are kept, of the latest `max_training_entries` entries. The
    lines of files are read in columns. Raises InputError when there are none.
    """
    report = progress if progress is not None else _silent
    pieces = pieces_of(lines) if isinstance(lines, InPieces) else ([line] for line in lines)
    ahead, first = first_lines(pieces, config.sample_lines)
    if not first.sources:
        raise InputError("no lines to learn from", remedy="give a log with at least a few hundred lines")
    header = header if header is not None else detect_header(first.page)
    discovery = _session_key(first, header, config)
    records = Records(header)
    spell = Spell(tau=config.tau, max_templates=config.max_templates)
    read = _Read(records, discovery.key, spell, report, CellStore(config.max_training_entries) if cells else None)
    for piece in (stream := chain(ahead, pieces)):
        if not isinstance(piece, list) and _can_scan(header, discovery.key):
            read.in_columns(chain([piece], stream), first.page[:SHAPES_SAMPLE])
        else:
            read.one_by_one(piece)
    if read.kept.cells is not None:
        read.kept.cells.trim()
    templates, key_of = spell.settle()
    found = header, discovery, config.session is not None, templates, key_of, read.kept, records, _warnings(spell)
    return Parsed(*found, spell.skeletons)


def _can_scan(header: Header, session_key: SessionKey) -> bool:
    from offscript.parse.scan import Scanner  # noqa: PLC0415  (the compiler is loaded only for files)

    return Scanner.serves(header, session_key)


class _Read:
    """The reading of a log, by either way; both give the same."""

    def __init__(
        self, records: Records, session_key: SessionKey, spell: Spell, report: Progress, cells: CellStore | None
    ) -> None:
        self.kept = Kept(cells=cells)
        self._records = records
        self._key = session_key
        self._spell = spell
        self._report = report
        self._done = 0

    def one_by_one(self, lines: Iterable[Line]) -> None:
        """Read lines as text."""
        for line in lines:
            if self._done % REPORT_EVERY == 0:
                self._report("reading", self._done, 0)
            self._done += 1
            fields = self._records.fields(line)
            if fields is None:
                continue
            name = self._key.find(fields)
            number, values = self._spell.learn_values(fields.message, (name,) if name else ())
            self.kept.add(line.source, number, name, fields.time)
            if self.kept.cells is not None:
                self.kept.cells.add(number, values)

    def in_columns(self, pieces: Iterable[RawLines | list[Line]], sample: Sequence[str]) -> None:
        """Read whole blocks of lines as bytes."""
        from offscript.parse.scan import Scanner  # noqa: PLC0415  (the compiler is loaded only for files)

        learning = _Learning(self._spell, self._taker())
        scanner = Scanner(self._records.header, self._key, sample, learning, self._records)
        scanner.know(self.kept.session_names)
        for scanned in scanner.scan(pieces):
            self.kept.extend(scanned)
            self._done += len(scanned.raw)
            self._report("reading", self._done, 0)
        scanner.close()
        self.kept.named(scanner.names)

    def _taker(self) -> CellColumns | None:
        from offscript.parse.cell_columns import CellColumns  # noqa: PLC0415  (the compiler is loaded only for files)

        return None if self.kept.cells is None else CellColumns(self.kept.cells)


class _Learning:
    """Spell, as the scan asks it; own values are told to whoever wants them."""

    learns = True

    def __init__(self, spell: Spell, taker: CellColumns | None) -> None:
        self._spell = spell
        self.taker = taker

    def number(self, message: str, ids: tuple[str, ...]) -> tuple[int, bool]:
        """Learn a message; above the caps every message of its skeleton is counted, so none may be remembered."""
        number, values = self._spell.learn_values(message, ids)
        if self.taker is not None:
            self.taker.tell(number, values)
        return number, values is not None

    def add(self, number: int, lines: int, values: Sequence[Common]) -> None:
        """Count more lines of a skeleton."""
        self._spell.add(number, lines, values)


def entries(parsed: Parsed, lines: Iterable[Line]) -> Iterator[Entry]:
    """Yield the entries of a parsed log, each under its final key, from its lines read once more."""
    records, key = Records(parsed.header), parsed.discovery.key
    for line in lines:
        fields = records.fields(line)
        if fields is not None:
            yield entry_of(line, fields, fields.time, key.find(fields), parsed.templates)


_SKIPPED = {
    "long_messages": f"messages have more than {MAX_TOKENS} tokens: the rest of each was taken as one value",
    "skeletons": "messages came after the cap on distinct messages: they were matched, not learnt",
    "templates": "messages came after the cap on templates: this log is hardly made of print statements",
}


def _warnings(spell: Spell) -> list[str]:
    return [f"{count:,} {_SKIPPED[what]}" for what, count in spell.skipped.items() if count]


def _silent(stage: str, done: float, total: float) -> None:
    """Report nothing."""


def _session_key(first: FirstLines, header: Header, config: Config) -> Discovery:
    if config.session is not None:
        key = SessionKey.none() if config.session == "none" else SessionKey.from_pattern(config.session)
        return Discovery(key, ())
    return discover_in_lines(first.page, first.sources, header)
