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
from offscript.parse.mask import Masker
from offscript.parse.suspects import suspects_in

# White space beyond ASCII can make a line blank, or end it: such lines are left to the repairs one by one.
_WIDE_SPACE: Final = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_BOM: Final = b"\xef\xbb\xbf"

_LINE_END, _RETURN = 10, 13
_IS_SPACE: Final = np.array([chr(byte).isspace() and byte < 128 for byte in range(256)])


@dataclass(frozen=True, slots=True)
class RawLines:
    """Lines of one source as they stand in a file, blank ones left out, credentials masked (ours).

    `starts` and `stops` are byte positions in `data`, line ends left out; `ordinals` count the lines from `number`,
    blank ones too. `offsets` are positions in the source, counted from `offset`: those of `data`, unless masking has
    moved them.
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

    def __len__(self) -> int:
        """Count the lines that are not blank."""
        return len(self.starts)

    def __iter__(self) -> Iterator[Line]:
        """Yield the lines as text, one by one."""
        for place in range(len(self.starts)):
            yield self.line(place)

    def part(self, begin: int, end: int) -> RawLines:
        """Some of the lines, of the same bytes."""
        some = slice(begin, end)
        places = {name: getattr(self, name)[some] for name in ("starts", "stops", "ordinals", "offsets")}
        return replace(self, blank=0, masked=0, **places)

    def line(self, place: int) -> Line:
        """Return one line as text."""
        text = self.data[self.starts[place] : self.stops[place]].decode("utf-8")
        return Line(text, self.source, self.number + int(self.ordinals[place]), self.offset + int(self.offsets[place]))


def raw_lines(whole: bytes, source: str, number: int, offset: int, masker: Masker) -> RawLines | None:
    r"""Find the lines of a block whose last line end is left out; None for a block that needs repair line by line.

    That is one with NUL bytes, a byte-order mark, bytes that are not UTF-8, white space beyond ASCII, or a private
    key that spans lines.

    >>> raw = raw_lines(b"one\r\n\ntwo", "app.log", 1, 0, Masker())
    >>> [(line.text, line.number, line.offset) for line in raw]
    [('one', 1, 0), ('two', 3, 6)]
    """
    if not whole or b"\0" in whole or not _is_plain(whole):
        return None
    masked = _masked(whole, masker)
    if masked is None:
        return None
    data, moved = masked
    starts, stops, ordinals, blank = _lines_in(np.frombuffer(data, np.uint8))
    offsets = starts
    if moved:
        at = np.array([begin for begin, _ in moved], np.int64)
        by = np.cumsum([0, *(grown for _, grown in moved)])
        offsets = starts - by[np.searchsorted(at, starts, side="left")]
    return RawLines(data, source, number, offset, starts, stops, ordinals, offsets, blank, len(moved))


def _is_plain(whole: bytes) -> bool:
    if whole.isascii():
        return True
    if _BOM in whole:
        return False
    try:
        return _WIDE_SPACE.search(whole.decode("utf-8")) is None
    except UnicodeDecodeError:
        return False


def _masked(whole: bytes, masker: Masker) -> tuple[bytes, list[tuple[int, int]]] | None:
    """The block with its credentials masked, and for each line changed where it begins now and how much it grew."""
    if masker.pem:
        return None
    suspects = suspects_in(whole)
    if not suspects:
        return whole, []
    if b"PRIVATE KEY" in whole:
        return None
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


def _lines_in(data: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    """Where the lines that are not blank begin and end, their numbers from 0, and how many are blank."""
    ends = np.flatnonzero(data == _LINE_END)
    starts, stops = np.concatenate([[0], ends + 1]), np.concatenate([ends, [len(data)]])
    stops = stops - ((stops > starts) & (data[stops - 1] == _RETURN))
    filled = stops > starts
    # few lines begin with white space, and only they can be blank besides the empty ones
    for line in np.flatnonzero(filled & _IS_SPACE[data[np.minimum(starts, len(data) - 1)]]):
        filled[line] = not _IS_SPACE[data[starts[line] : stops[line]]].all()
    lines = np.flatnonzero(filled)
    return starts[lines], stops[lines], lines, len(filled) - len(lines)
