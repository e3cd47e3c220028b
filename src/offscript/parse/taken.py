"""Values taken in the compiled pass over a block: where they stand, and the numbers they are (ours).

The pass knows where all own values of a line stand, whether it was read or recalled. Which of them are wanted of which
skeleton is said beforehand, so that a scan of which nothing is wanted does no more than before.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.compiled import borrowed, inlined
from offscript.parse.number_bytes import number_at

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]


class Wanted(NamedTuple):
    """The own values wanted of each skeleton: `slots[firsts[code] : firsts[code + 1]]`; `reads` is 1 for numbers."""

    firsts: Numbers
    slots: Numbers
    reads: Bytes


class Taken(NamedTuple):
    """Values taken, in the order in which lines were read: line, number in `Wanted.slots`, span, number, unit code.

    `used[0]` of them are; the number is NaN where the value is none, and anything where it was not to be read.
    """

    used: Numbers
    lines: NDArray[np.int32]
    wants: NDArray[np.int32]
    begins: Numbers
    ends: Numbers
    numbers: NDArray[np.float64]
    units: Bytes


def nothing_wanted() -> Wanted:
    """Return that nothing is wanted yet of any skeleton."""
    return Wanted(np.zeros(64, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint8))


NOTHING_WANTED: Final = nothing_wanted()
"""For scans of which no value is wanted."""


def room_for_values(sizes: Numbers, wanted: Wanted, known: int) -> Taken:
    """Return room for what is wanted of lines of so many bytes, of the first `known` skeletons; room not used is free.

    There are not more values than bytes; were more wanted, lines for which there is no room are left to be read alone.
    """
    most = int(np.diff(wanted.firsts[: known + 1]).max(initial=0)) if len(wanted.slots) else 0
    size = min(len(sizes) * most, int(sizes.sum()))
    lines, wants = np.empty((2, size), np.int32)
    begins, ends = np.empty((2, size), np.int64)
    numbers, units = np.empty(size, np.float64), np.empty(size, np.uint8)
    return Taken(np.zeros(1, np.int64), lines, wants, begins, ends, numbers, units)


@inlined
def lent_wanted(wanted: Wanted) -> Wanted:
    """The same arrays for inlined functions to hand on (`compiled.borrowed`)."""
    size = len(wanted.slots)
    return Wanted(
        borrowed(wanted.firsts, len(wanted.firsts), np.int64),
        borrowed(wanted.slots, size, np.int64),
        borrowed(wanted.reads, size, np.uint8),
    )


@inlined
def lent_taken(taken: Taken) -> Taken:
    """The same arrays for inlined functions to hand on (`compiled.borrowed`)."""
    size = len(taken.lines)
    return Taken(
        borrowed(taken.used, 1, np.int64),
        borrowed(taken.lines, size, np.int32),
        borrowed(taken.wants, size, np.int32),
        borrowed(taken.begins, size, np.int64),
        borrowed(taken.ends, size, np.int64),
        borrowed(taken.numbers, size, np.float64),
        borrowed(taken.units, size, np.uint8),
    )


@inlined
def has_room(skeleton: int, wanted: Wanted, taken: Taken) -> bool:
    """Whether there is room for what is wanted of one more line of a skeleton, if anything is."""
    if not len(wanted.slots):
        return True
    return bool(taken.used[0] + wanted.firsts[skeleton + 1] - wanted.firsts[skeleton] <= len(taken.lines))


@inlined
def take_values(
    base: int,
    line: int,
    skeleton: int,
    wanted: Wanted,
    taken: Taken,
    begins: Numbers,
    ends: Numbers,
    at: int,
    step: int,
    start: int,
) -> None:
    """Take the values wanted of a line; value n begins at `begins[at + n * step]`, from `start` on, and ends so."""
    first, past, row = 0, 0, taken.used[0]
    if len(wanted.slots):
        first, past = wanted.firsts[skeleton], wanted.firsts[skeleton + 1]
    for want in range(first, past):
        place = at + wanted.slots[want] * step
        begin, end = start + begins[place], start + ends[place]
        taken.lines[row], taken.wants[row], taken.begins[row], taken.ends[row] = line, want, begin, end
        if wanted.reads[want]:
            taken.numbers[row], taken.units[row] = number_at(base + begin, base + end)
        row += 1
    taken.used[0] = row
