"""Reading lines from files, folders, patterns and standard input (ours)."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from offscript.config import Config
from offscript.entries import Line
from offscript.errors import InputError
from offscript.parse.lines import LineSplitter
from offscript.sources.paths import STDIN, Source, find_sources
from offscript.sources.unpack import PIECE, Unpacked, unpack

if TYPE_CHECKING:
    from offscript.parse.known_lines import KnownLines
    from offscript.parse.raw_lines import RawLines

# The last bytes of a chunk in which the end of a line is looked for: nearly all lines are shorter.
_NEARBY = 1 << 12
# Enough to tell text from machine code, and read at once.
_HEAD = 1 << 16
# Less than this says nothing: a pipe may give a few bytes first, and one control character among them is no program.
_LEAST_HEAD = 512
# Text has next to no control characters; random bytes have a tenth, programs and UTF-16 a third and more.
_MOST_CONTROL = 0.05
_CONTROL = bytes({*range(32), 127} - {*b"\t\n\v\f\r\x1b\b"})

_Feed = Callable[[LineSplitter, bytes], "Sequence[RawLines | list[Line]]"]

Progress = Callable[[int, int | None], None]
"""Called with the bytes read so far and those there are (None where nobody knows)."""


@dataclass(slots=True)
class Report:
    """What a reading met: lines given, bytes read (packed) and unpacked, repairs by reason, files passed over.

    `counts` are those of `LineSplitter`; `skipped` holds a reason for each file of a folder or pattern without text.
    """

    lines: int = 0
    bytes_read: int = 0
    bytes_unpacked: int = 0
    sources: list[str] = field(default_factory=list)
    files: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)

    def findings(self) -> list[str]:
        """One line for each thing a person should know; none when all was plain."""
        said = {
            "cut": "lines were longer than the cap and cut",
            "invalid_utf8": "lines held bytes that are not UTF-8, shown as U+FFFD",
            "nul": "lines held NUL bytes, shown as U+FFFD",
            "masked": "lines held credentials, masked",
        }
        found = [f"{self.counts[reason]:,} {text}" for reason, text in said.items() if self.counts[reason]]
        return found + [f"passed over {file}: {why}" for file, why in sorted(self.skipped.items())]


class Reading(Iterator[Line]):
    """The lines of some inputs, read as they are asked for; `report` counts what was met (ours).

    Wrong paths are refused at once, wrong contents (binary, empty, damaged) with InputError when they are reached,
    after the lines before them.
    """

    def __init__(self, sources: list[Source], config: Config, progress: Progress | None = None) -> None:
        self.report = Report()
        self._sources = sources
        self._config = config
        self._progress = progress
        self._total = _total_size(sources)
        self._feed: _Feed = _as_lines
        self._pieces = self._read_all()
        self._given: Iterator[Line] = iter(())
        self._known: KnownLines | None = None

    def __next__(self) -> Line:
        while (line := next(self._given, None)) is None:
            self._given = iter(next(self._pieces))
        return line

    @property
    def size(self) -> int | None:
        """The bytes of all files, packed as they may be; None with a pipe among them."""
        return self._total

    def raw(self) -> Iterator[RawLines | list[Line]]:
        """The lines that have not been taken yet, in pieces left as bytes where they need no repair."""
        self._feed = LineSplitter.feed_raw
        if given := list(self._given):
            yield given
        yield from self._pieces

    def _read_all(self) -> Iterator[RawLines | list[Line]]:
        for source in self._sources:
            yield from self._read_source(source)
        if not self.report.lines:
            names = ", ".join(source.name for source in self._sources[:3])
            raise InputError("holds no lines", where=names, remedy="give a file with log lines")

    def _read_source(self, source: Source) -> Iterator[RawLines | list[Line]]:
        splitter = LineSplitter(source.name, self._config.max_line_bytes, self._known)
        before, self.report.counts = self.report.counts, Counter()
        lines_before = self.report.lines
        self.report.sources.append(source.name)
        for file in source.files:
            for chunk in self._chunks(file, required=source.required and len(source.files) == 1):
                pieces = self._feed(splitter, chunk)
                self._count(before, splitter, sum(map(len, pieces)))
                yield from pieces
            last = splitter.finish()
            self._count(before, splitter, len(last))
            if last:
                yield last
        self._known = splitter.known
        if source.required and self.report.lines == lines_before:
            raise InputError("holds no lines", where=source.name, remedy="give a file with log lines")

    def _count(self, before: Counter[str], splitter: LineSplitter, lines: int) -> None:
        self.report.lines += lines
        self.report.counts = before + splitter.counts

    def _chunks(self, file: str, *, required: bool) -> Iterator[bytes]:
        """The unpacked bytes of one file; nothing of a file without text that nobody named."""
        self.report.files += 1
        counts = Unpacked(file, self._config.max_expansion)
        taken = given = 0
        first = True
        for chunk in _with_head(unpack(_raw(file), counts)):
            if first and (why := why_binary(chunk[:_HEAD])):
                if required:
                    raise InputError(why, where=file, remedy="give a text log")
                self.report.skipped[file] = why
                return
            first = False
            self.report.bytes_read += counts.taken - taken
            self.report.bytes_unpacked += counts.given - given
            taken, given = counts.taken, counts.given
            if self._progress:
                self._progress(self.report.bytes_read, self._total)
            yield chunk
        if not counts.given:
            if required:
                raise InputError("is empty", where=file, remedy="give a file with log lines")
            self.report.skipped[file] = "is empty"


def _as_lines(splitter: LineSplitter, chunk: bytes) -> list[list[Line]]:
    return [splitter.feed(chunk)]


def read(*paths: str | os.PathLike[str], config: Config | None = None, progress: Progress | None = None) -> Reading:
    r"""The lines of files, folders (sorted, hidden files left out), patterns, or `-` for standard input (ours).

    gz, bz2, xz and zst are unpacked by their first bytes. Rotated files (`app.log.2.gz app.log.1 app.log`) are one
    source, read from the oldest, with line numbers and offsets running on. From a pipe a line is given as soon as its
    end has arrived. Without `config` the defaults hold, whatever the environment says. InputError for what is missing,
    unreadable, empty, binary, or a damaged archive.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "app.log.1").write_text("one\n")
    ...     _ = pathlib.Path(folder, "app.log").write_text("two\n")
    ...     [(line.text, line.number) for line in read(folder)]
    [('one', 1), ('two', 2)]
    """
    return Reading(find_sources(paths), config or Config.model_construct(), progress)


def _raw(file: str) -> Iterator[bytes]:
    """The bytes of a file as they are; from a pipe whatever is there, so that no line waits for a full buffer."""
    try:
        descriptor = 0 if file == STDIN else os.open(file, os.O_RDONLY)
    except OSError as reason:
        raise InputError(
            f"cannot be opened ({reason.strerror})", where=file, remedy="check its permissions"
        ) from reason
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode) and hasattr(os, "pread")
        yield from _in_lines(descriptor) if is_file else _as_they_come(descriptor)
    except OSError as reason:
        raise InputError(f"cannot be read ({reason.strerror})", where=file, remedy="check the disk or pipe") from reason
    finally:
        if file != STDIN:
            os.close(descriptor)


def _as_they_come(descriptor: int) -> Iterator[bytes]:
    while chunk := os.read(descriptor, PIECE):
        yield chunk


def _in_lines(descriptor: int) -> Iterator[bytes]:
    """The bytes of a file that can be read at any place, in chunks that end with a line where one ends nearby.

    What begins in one chunk and ends in the next has to be put together, which copies the next one.
    """
    place, near = os.lseek(descriptor, 0, os.SEEK_CUR), min(_NEARBY, PIECE // 16)
    while True:
        ahead = os.pread(descriptor, near, place + PIECE - near)
        end = ahead.rfind(b"\n") if len(ahead) == near else -1
        size = PIECE - near + end + 1 if end >= 0 else PIECE
        chunk = os.read(descriptor, size)
        if not chunk:
            return
        place += len(chunk)
        yield chunk


def _with_head(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, the first made long enough to be judged, unless it looks like text at once and need not wait."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= _LEAST_HEAD or not why_binary(head):
            break
    if head:
        yield head
    yield from chunks


def why_binary(head: bytes) -> str | None:
    """What the start of a file says against its being text; None for text.

    >>> why_binary(b"plain text"), why_binary(bytes(range(256)))
    (None, 'is binary, not text')
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "is UTF-16 (convert it: iconv -f utf-16 -t utf-8)"
    if head.startswith(b"PK\x03\x04") or head[257:262] == b"ustar":
        return "is a folder archive (unpack it)"
    text = head.lstrip(b"\0")  # a log that was truncated under its writer starts with a hole
    control = len(text) - len(text.translate(None, _CONTROL))
    return "is binary, not text" if control > _MOST_CONTROL * len(text) else None


def _total_size(sources: list[Source]) -> int | None:
    """The size of all files; None with a pipe among them."""
    total = 0
    for source in sources:
        for file in source.files:
            if file == STDIN or not Path(file).is_file():
                return None
            total += Path(file).stat().st_size
    return total
