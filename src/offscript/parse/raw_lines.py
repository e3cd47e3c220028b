"""Many lines in one piece of bytes: where each begins and ends, found in one pass (ours)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.entries import Line
from offscript.parse.byte_kinds import LINE_FEED, byte_at, fixed, line_feeds_at, lowest_bit
from offscript.parse.byte_table import address_of
from offscript.parse.compiled import compiled, inlined
from offscript.parse.folds import is_space
from offscript.parse.known_lines import Kinds, KnownLines
from offscript.parse.mask import Masker

# White space beyond ASCII can make a line blank, or end it: such lines are left to the repairs one by one.
_WIDE_SPACE: Final = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_BOM: Final = b"\xef\xbb\xbf"

_RETURN: Final = fixed(13)
_ONE: Final = np.uint64(1)

AT_ONCE: Final = fixed(64)
"""Bytes among which line ends are looked for at once."""


@dataclass(frozen=True, slots=True)
class RawLines:
    """Lines of one source as they stand in a file, blank ones left out, credentials masked (ours).

    `starts` and `stops` are byte positions in `data`, line ends left out; `ordinals` count the lines from `number`,
    blank ones too. `offsets` are positions in the source, counted from `offset`: those of `data`, unless masking has
    moved them. `kinds` tell which lines are alike, where that was found out.
    """

    data: bytes
    source: str
    number: int
    offset: int
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    ordinals: NDArray[np.int64]
    offsets: NDArray[np.int64]
    blank: int
    masked: int
    kinds: Kinds | None = None

    def __len__(self) -> int:
        """Count the lines that are not blank."""
        return len(self.starts)

    def __iter__(self) -> Iterator[Line]:
        """Yield the lines as text, one by one."""
        # numbers of Python's own are had sooner many at once, and often the first lines are all that is asked for
        for begin in range(0, len(self.starts), AT_ONCE):
            part = slice(begin, begin + AT_ONCE)
            columns = (some[part].tolist() for some in (self.starts, self.stops, self.ordinals, self.offsets))
            for start, stop, ordinal, offset in zip(*columns, strict=True):
                text = self.data[start:stop].decode("utf-8")
                yield Line(text, self.source, self.number + ordinal, self.offset + offset)

    def part(self, begin: int, end: int) -> RawLines:
        """Some of the lines, of the same bytes."""
        some = slice(begin, end)
        places = {name: getattr(self, name)[some] for name in ("starts", "stops", "ordinals", "offsets")}
        return replace(self, blank=0, masked=0, kinds=self.kinds and self.kinds.part(some), **places)

    def line(self, place: int) -> Line:
        """Return one line as text."""
        text = self.data[self.starts[place] : self.stops[place]].decode("utf-8")
        return Line(text, self.source, self.number + int(self.ordinals[place]), self.offset + int(self.offsets[place]))


def raw_lines(
    chunk: bytes, begin: int, end: int, source: str, number: int, offset: int, masker: Masker, known: KnownLines
) -> RawLines | None:
    r"""Find the lines of a part of a chunk, its last line end left out; None where they need repair one by one.

    That is a part with NUL bytes, a byte-order mark, bytes that are not UTF-8, white space beyond ASCII, or a private
    key that spans lines.

    >>> raw = raw_lines(b"one\r\n\ntwo", 0, 9, "app.log", 1, 0, Masker(), KnownLines())
    >>> [(line.text, line.number, line.offset) for line in raw]
    [('one', 1, 0), ('two', 3, 6)]
    """
    if end == begin or masker.pem:
        return None
    # most chunks are plain, and their parts need not be cut out: that would copy them
    # (numpy looks at 64 bytes at once, `isascii` at 8)
    if np.frombuffer(chunk, np.uint8).max(initial=0) >= 128 or b"\0" in chunk:
        chunk, begin, end = chunk[begin:end], 0, end - begin
        if b"\0" in chunk or not _is_plain(chunk):
            return None
    starts, stops, ordinals, blank = _lines_in(chunk, begin, end, known)
    kinds, suspects = known.look(chunk, starts, stops)
    if not suspects:
        offsets = starts - begin if begin else starts
        return RawLines(chunk, source, number, offset, starts, stops, ordinals, offsets, blank, 0, kinds)
    if b"PRIVATE KEY" in chunk:
        return None
    data, moved = _masked(chunk[begin:end], [place - begin for place in suspects], masker)
    starts, stops, ordinals, blank = _lines_in(data, 0, len(data), known)
    at = np.array([place for place, _ in moved], np.int64)
    by = np.cumsum([0, *(grown for _, grown in moved)])
    offsets = starts - by[np.searchsorted(at, starts, side="left")]
    kinds, _ = known.look(data, starts, stops)
    return RawLines(data, source, number, offset, starts, stops, ordinals, offsets, blank, len(moved), kinds)


def _is_plain(whole: bytes) -> bool:
    if whole.isascii():
        return True
    if _BOM in whole:
        return False
    try:
        return _WIDE_SPACE.search(whole.decode("utf-8")) is None
    except UnicodeDecodeError:
        return False


def _masked(whole: bytes, suspects: list[int], masker: Masker) -> tuple[bytes, list[tuple[int, int]]]:
    """Lines with the credentials masked that may be at some places.

    Also returns of each line that was changed where it begins now, and how much it grew.
    """
    pieces: list[bytes] = []
    moved: list[tuple[int, int]] = []
    done = grown = 0
    while suspects:
        begin = whole.rfind(b"\n", 0, suspects[0]) + 1
        end = whole.find(b"\n", begin)
        end = len(whole) if end < 0 else end
        text = whole[begin:end].removesuffix(b"\r").decode("utf-8")
        masked = masker.line(text)
        if masked != text:
            new = masked.encode("utf-8")
            pieces += [whole[done:begin], new]
            moved.append((begin + grown, len(new) - (end - begin)))
            grown += len(new) - (end - begin)
            done = end
        suspects = suspects[bisect_left(suspects, end) :]
    return b"".join([*pieces, whole[done:]]), moved


def _lines_in(
    chunk: bytes, begin: int, end: int, known: KnownLines
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """Where the lines that are not blank begin and end, their numbers from 0, and how many are blank."""
    data = np.frombuffer(chunk, np.uint8)[begin:end]
    # room that is not written to costs nothing, and to count the line ends first takes longer than to find them
    starts, stops, ordinals = known.room(len(data) + 1)
    filled, count = _split(data, begin, starts, stops, ordinals)
    return starts[:filled].copy(), stops[:filled].copy(), ordinals[:filled].copy(), count - filled


@compiled
def _split(
    data: NDArray[np.uint8],
    first: int,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    ordinals: NDArray[np.int64],
) -> tuple[int, int]:
    begin = address_of(data)
    base, past = begin - first, begin + len(data)
    whole = past - len(data) % AT_ONCE
    line = filled = 0
    for place in range(begin, whole, AT_ONCE):
        ends = line_feeds_at(place)
        while ends:
            end = place + lowest_bit(ends)
            ends &= ends - _ONE
            filled += _take(begin, end, base, line, filled, starts, stops, ordinals)
            begin, line = end + 1, line + 1
    for end in range(whole, past + 1):
        if end == past or byte_at(end) == LINE_FEED:
            filled += _take(begin, end, base, line, filled, starts, stops, ordinals)
            begin, line = end + 1, line + 1
    return filled, line


@inlined
def _take(
    begin: int,
    end: int,
    base: int,
    line: int,
    filled: int,
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    ordinals: NDArray[np.int64],
) -> int:
    """Write down a line at two addresses as the next one, unless it is blank; return how many it is, 1 or 0."""
    stop = end - (end > begin and byte_at(end - 1) == _RETURN)
    starts[filled], stops[filled], ordinals[filled] = begin - base, stop - base, line
    return 0 if _is_blank(begin, stop) else 1


@compiled
def _is_blank(place: int, stop: int) -> bool:
    while place < stop and is_space(byte_at(place)):
        place += 1
    return place >= stop
