"""Lines that are alike but for their digits, known by their bytes: no credential is looked for in them again (ours).

Each line is folded once, and looked for among those kept (`alike`). The patterns of `mask` tell one digit from another
in a few words only, which are looked for before a line is kept (`is_steady`). So where a line holds no credential, no
line does that is alike; and the place they share is what all else of them is recalled by. What is kept changes no
answer.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.alike import (
    KEPT_A_BLOCK,
    LONGEST,
    PLACES,
    SHORTEST,
    SUMS,
    TRIED,
    WORTH,
    Alike,
    free_place,
    nothing_kept,
    place_of,
)
from offscript.parse.byte_kinds import DIGIT, byte_at, fixed, kind_at
from offscript.parse.byte_table import address_of
from offscript.parse.compiled import borrowed, compiled, inlined
from offscript.parse.suspects import FOURS, THREES, may_hold, stems_among

REFUSED: Final = PLACES // 8
"""Lines without a place after which all are forgotten: what the log says now is another thing than what it said."""

_PERCENT, _A, _S, _W, _Y = (fixed(sign) for sign in b"%aswy")
_LOWER: Final = fixed(32)

Numbers = NDArray[np.int64]
Places = NDArray[np.int32]
Sizes = NDArray[np.int16]


class Kinds(NamedTuple):
    """The place of each line in `alike`, -1 for none."""

    places: Places
    alike: Alike

    def part(self, some: slice) -> Kinds:
        """The places of some of the lines."""
        return Kinds(self.places[some], self.alike)


NO_KINDS: Final = Kinds(np.empty(0, np.int32), nothing_kept(0))
"""For lines of which nothing is to be recalled."""


class KnownLines:
    r"""The lines that were met, by all but their digits, and are known to hold no credential.

    >>> known, starts, stops = KnownLines(), np.array([0, 11, 22]), np.array([10, 21, 31])
    >>> kinds, suspects = known.look(b"job 17 is up\njob 29 is up\ntoken=abc", *np.array([[0, 13, 26], [12, 25, 35]]))
    >>> bool(kinds.places[0] == kinds.places[1] >= 0), int(kinds.places[2]), suspects
    (True, -1, [26])
    """

    def __init__(self) -> None:
        self._alike = nothing_kept()
        self._folded = np.empty(LONGEST + SUMS, np.uint8)
        self._refused = 0
        self._room = np.empty((3, 0), np.int64)

    def room(self, most: int) -> NDArray[np.int64]:
        """Room for three numbers of so many lines, the same each time: (3, n), n at least `most`."""
        if self._room.shape[1] < most:
            self._room = np.empty((3, most), np.int64)
        return self._room

    def look(self, block: bytes, starts: Numbers, stops: Numbers) -> tuple[Kinds, list[int]]:
        """Return the kinds of lines of a block, in order, and where a credential may be, once in a line."""
        if self._refused > REFUSED:
            self._alike, self._refused = nothing_kept(), 0
        data, lines = np.frombuffer(block, np.uint8), np.empty(len(starts), np.int64)
        kinds = Kinds(np.empty(len(starts), np.int32), self._alike)
        given = data, starts, stops, *self._alike, self._folded
        asked, refused = find_kinds(*given, THREES, FOURS, kinds.places, lines)
        lines = lines[:asked]
        suspects = stems_among(block, starts[lines], stops[lines])
        if len(lines) > len(suspects):
            clean = lines[~np.isin(lines, np.searchsorted(starts, np.array(suspects, np.int64), side="right") - 1)]
            refused += keep_lines(*given, clean, kinds.places)
        self._refused += refused
        return kinds, suspects


@compiled
def is_steady(begin: int, end: int) -> bool:
    """Whether no digit of a line matters by itself where credentials are looked for; places are addresses.

    The patterns name `%3d`, `ya29` and `aws4`, and other digits behind these alone.
    """
    last = second = third = 0
    for place in range(begin, end):
        if kind_at(place) & DIGIT and (
            last == _PERCENT
            or (last | _LOWER == _A and second | _LOWER == _Y)
            or (last | _LOWER == _S and second | _LOWER == _W and third | _LOWER == _A)
        ):
            return False
        third, second, last = second, last, byte_at(place)
    return True


@inlined
def keep_folded(size: int, mark: np.uint64, folded: int, alike: Alike) -> int:
    """Keep a line that was folded at an address; return its place, -1 where it finds none."""
    place = free_place(mark, alike.hashes)
    if place >= 0:
        alike.hashes[place], alike.sizes[place] = mark, size
        for byte in range(size):
            alike.texts[LONGEST * place + byte] = byte_at(folded + byte)
    return place


@compiled
def find_kinds(
    data: NDArray[np.uint8],
    starts: Numbers,
    stops: Numbers,
    hashes: NDArray[np.uint64],
    texts: NDArray[np.uint8],
    sizes: Sizes,
    folded: NDArray[np.uint8],
    threes: NDArray[np.uint8],
    fours: NDArray[np.uint8],
    places: Places,
    asked: Numbers,
) -> tuple[int, int]:
    """Write the place of each line, kept now if it is new and surely holds no credential, and the lines that may.

    Returns how many these are, and how many lines were refused a place.
    """
    base, out, kept = address_of(data), address_of(folded), address_of(texts)
    end, windows, quads = base + len(data), address_of(threes), address_of(fours)
    alike = lent_alike(hashes, texts, sizes)
    count, unknown, left, refused = 0, 0, KEPT_A_BLOCK, 0
    for line in range(len(starts)):
        begin, size = base + starts[line], stops[line] - starts[line]
        place, mark, looks = -1, np.uint64(0), False
        if (line - unknown) * WORTH >= line - TRIED and SHORTEST <= size <= LONGEST:
            looks = True
            place, mark = place_of(begin, size, out, alike.hashes, kept, alike.sizes)
        if place < 0:
            unknown += 1
            if may_hold(begin, begin + size, base, end, windows, quads):
                asked[count] = line
                count += 1
            elif looks and left > 0 and is_steady(begin, begin + size):
                left -= 1
                place = keep_folded(size, mark, out, alike)
                refused += place < 0
        places[line] = place
    return count, refused


@compiled
def keep_lines(
    data: NDArray[np.uint8],
    starts: Numbers,
    stops: Numbers,
    hashes: NDArray[np.uint64],
    texts: NDArray[np.uint8],
    sizes: Sizes,
    folded: NDArray[np.uint8],
    lines: Numbers,
    places: Places,
) -> int:
    """Keep lines that hold no credential after all, the first of a block; return how many were refused a place."""
    base, out, kept = address_of(data), address_of(folded), address_of(texts)
    alike = lent_alike(hashes, texts, sizes)
    refused = 0
    for line in lines[:KEPT_A_BLOCK]:
        begin, size = base + starts[line], stops[line] - starts[line]
        if SHORTEST <= size <= LONGEST and is_steady(begin, begin + size):
            place, mark = place_of(begin, size, out, alike.hashes, kept, alike.sizes)
            if place < 0:
                place = keep_folded(size, mark, out, alike)
                refused += place < 0
            places[line] = place
    return refused


@inlined
def lent_alike(hashes: NDArray[np.uint64], texts: NDArray[np.uint8], sizes: Sizes) -> Alike:
    """The same arrays for inlined functions to hand on (`compiled.borrowed`)."""
    return Alike(
        borrowed(hashes, len(hashes), np.uint64),
        borrowed(texts, len(texts), np.uint8),
        borrowed(sizes, len(sizes), np.int16),
    )
