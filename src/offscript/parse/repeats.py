"""Which of many messages have equal skeletons, before any of them was learnt (ours)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from offscript.parse.byte_table import MOST_PROBES, address_of, are_same, hash_of
from offscript.parse.columnar import NEW_SKELETON, Lines
from offscript.parse.compiled import compiled
from offscript.parse.lexer import SCRATCH, lex
from offscript.parse.tokens import MAX_TOKENS

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


def first_alike(data: bytes, lines: Lines) -> dict[int, int]:
    """For each line of a block with a new skeleton the first line of the block that has it."""
    new = np.flatnonzero(lines.state == NEW_SKELETON)
    firsts = new
    if len(new) > 1:
        firsts = new[firsts_of(np.frombuffer(data, np.uint8), lines.begin[new], lines.end[new])]
    return dict(zip(new.tolist(), firsts.tolist(), strict=True))


def firsts_of(data: Bytes, begins: Ints, ends: Ints) -> Ints:
    """Return for each message `data[begins[i]:ends[i]]` the number of the first one with an equal skeleton.

    Of some, one in thousands of millions or made to be so, it may be the message's own number although there was one.

    >>> data = np.frombuffer(b"open 7open 8shut", np.uint8)
    >>> firsts_of(data, np.array([0, 6, 12]), np.array([6, 12, 16])).tolist()
    [0, 0, 2]
    """
    count = len(begins)
    firsts, heads, sizes = np.empty((3, count), np.int64)
    places = np.empty((2, MAX_TOKENS + 1), np.int64)
    slots = np.full(1 << (2 * count).bit_length(), -1, np.int64)
    # room that is not written to costs nothing
    canon = np.empty(int((ends - begins).sum()) + (count + 1) * SCRATCH, np.uint8)
    _find(data, begins, ends, canon, places[0], places[1], slots, np.empty(count, np.uint64), heads, sizes, firsts)
    return firsts


@compiled
def _find(
    data: Bytes,
    begins: Ints,
    ends: Ints,
    canon: Bytes,
    value_begins: Ints,
    value_ends: Ints,
    slots: Ints,
    marks: NDArray[np.uint64],
    heads: Ints,
    sizes: Ints,
    firsts: Ints,
) -> None:
    base, mask, free = address_of(canon), len(slots) - 1, 0
    for number in range(len(begins)):
        size, _, _ = lex(data, begins[number], ends[number], canon[free:], value_begins, value_ends)
        mark = hash_of(base + free, size)
        place, probes = int(np.int64(mark)) & mask, 0
        firsts[number] = number
        while probes < MOST_PROBES and slots[place] >= 0:
            other = slots[place]
            if marks[other] == mark and sizes[other] == size and are_same(base + heads[other], base + free, size):
                firsts[number] = other
                break
            place, probes = (place + 1) & mask, probes + 1
        if firsts[number] == number and slots[place] < 0:
            slots[place], marks[number], heads[number], sizes[number] = number, mark, free, size
            free += size
