"""Lines that are alike but for their digits, read once: the rest is recalled, not read (ours).

A log says the same thing over and over with other numbers. No rule of `shapes`, `find_ids` and `lexer` tells one digit
from another, so of two lines that are equal once each digit is a 0, the header ends, the session id stands, and values
begin and end at the same places. What was read of the first holds for the second; only its stamp, its id and its values
are its own. The few places where a digit's own value does matter are told (`may_keep`), and of such lines nothing is
recalled. Which lines are alike is found out once (`known_lines`): a place stands for all of them. What was read of a
place's first line changes no answer, so each thread keeps its own.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.aligned import aligned_zeros
from offscript.parse.byte_kinds import (
    DIGIT,
    SPACE,
    byte_at,
    eight_at,
    fixed,
    fold_wide,
    kind_at,
    put_number,
    zeros_for_digits,
)
from offscript.parse.byte_table import are_same
from offscript.parse.compiled import compiled, inlined
from offscript.parse.value_shapes import month_end

_BITS: Final = 14
PLACES: Final = 1 << _BITS
"""Lines kept: a log has some hundreds to some thousands that differ in more than digits; 16 MB where all are taken."""

WAYS: Final = fixed(4)
"""Places that a line may have: with two, one line in a hundred of a log with 2,700 kinds found both taken by others."""

SHORTEST: Final = 8
"""Bytes of the shortest line kept: eight are read at once."""

LONGEST: Final = 512
"""Bytes of the longest line kept: of ten public systems one line in two hundred is longer."""

MOST_VALUES: Final = 24
"""Values of a line kept at most: of ten public systems one line in a hundred has more."""

TRIED: Final = fixed(256)
"""Lines after which a block is given up where fewer than one in `WORTH` was recalled: a log of random ids."""

WORTH: Final = fixed(4)
"""To look for a line costs a quarter of what reading it does."""

KEPT_A_BLOCK: Final = fixed(1_024)
"""Lines of a block of some thousands that are kept: a log that never repeats loses little by it."""

WIDE: Final = fixed(32)
"""Bytes folded at once."""

SUMS: Final = fixed(32)
"""Bytes behind a folded line in which its hash is added up."""

# Columns of a row; the spans of the values follow.
IS_READ, PLAN_CODE, SKELETON, BEGIN, END, ID_AT, ID_PAST, HAS_EQUALS, SORT, STAMP_PAST, VALUES, SPANS = range(12)
WIDTH: Final = 64
"""Numbers of a row: whole lines of the processor's cache, the first of which has all but the later spans."""

_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(64 - _BITS)
_ONE, _HALF = np.uint64(1), np.uint64(32)


class Alike(NamedTuple):
    """Lines kept: by place the hash of the line with each digit as 0 (0: free), those bytes, and how many they are."""

    hashes: NDArray[np.uint64]
    texts: NDArray[np.uint8]
    sizes: NDArray[np.int16]


def nothing_kept(places: int = PLACES) -> Alike:
    """Return room for so many lines, none of which is taken.

    >>> len(nothing_kept().hashes) == PLACES
    True
    """
    return Alike(np.zeros(places, np.uint64), aligned_zeros((places * LONGEST,), np.uint8), np.zeros(places, np.int16))


def nothing_read(places: int = PLACES) -> NDArray[np.int32]:
    """Return room for what is read of the lines at so many places; nothing is yet."""
    return aligned_zeros((places, WIDTH), np.int32)


NOTHING_READ: Final = nothing_read(0)
"""For lines of which nothing is to be recalled."""


@compiled
def fold_line(begin: int, size: int, out: int) -> np.uint64:
    """Write a line of at least eight bytes with each digit as 0, and return its hash; places are addresses.

    `out` has room for the line and `SUMS` bytes more.
    """
    state, last = _SPREAD ^ np.uint64(size), begin + size - 8
    if size >= WIDE:
        sums = out + size
        for place in range(0, SUMS, 8):
            put_number(sums + place, place)
        for place in range(begin, begin + size - WIDE, WIDE):
            fold_wide(place, out + (place - begin), sums)
        # the last ones may overlap those before them: lines of one length do so alike
        fold_wide(begin + size - WIDE, out + size - WIDE, sums)
        for place in range(0, SUMS, 8):
            state = (state ^ eight_at(sums + place)) * _SPREAD
            state ^= state >> _HALF
    else:
        for step in range(0, size - 7, 8):
            eight = zeros_for_digits(eight_at(begin + step))
            put_number(out + step, int(np.int64(eight)))
            state = (state ^ eight) * _SPREAD
        eight = zeros_for_digits(eight_at(last))
        put_number(out + size - 8, int(np.int64(eight)))
        state = (state ^ eight) * _SPREAD
    return (state ^ (state >> _SHIFT)) | _ONE


@compiled
def may_keep(begin: int, end: int, canon: int, size: int) -> bool:
    """Whether no digit of a message, read into so many canonical bytes, matters by itself; places are addresses.

    A digit may stand in a constant, and one before the name of a month may be that of a day or not.
    """
    for place in range(canon, canon + size):
        if kind_at(place) & DIGIT:
            return False
    for place in range(begin, end - 4):
        if byte_at(place + 1) == SPACE and kind_at(place) & DIGIT and month_end(place + 2, end) > 0:
            return False
    return True


@inlined
def place_of(
    begin: int, size: int, folded: int, hashes: NDArray[np.uint64], texts: int, sizes: NDArray[np.int16]
) -> tuple[int, np.uint64]:
    """The place where a line that is alike is kept, -1 for none, and its hash; all but arrays are addresses."""
    mark, found = fold_line(begin, size, folded), -1
    first = int(np.int64(mark >> _SHIFT))
    for way in range(WAYS):
        place = first ^ way
        if hashes[place] == mark and sizes[place] == size and are_same(texts + LONGEST * place, folded, size):
            found = place
            break
    return found, mark


@inlined
def free_place(mark: np.uint64, hashes: NDArray[np.uint64]) -> int:
    """A free place for a folded line of a hash that is not kept, -1 where all that it may have are taken."""
    first, found = int(np.int64(mark >> _SHIFT)), -1
    for way in range(WAYS):
        if hashes[first ^ way] == 0:
            found = first ^ way
            break
    return found
