"""The compiled pass over the lines of a block: shape of the header, stamp, message, session id, skeleton (ours).

Every line ends in one of four states. Only `FOUND` lines are done; the others are looked at by the caller, who learns
new shapes and skeletons from them, or reads them one by one.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.byte_table import ByteTable, code_of, hash_of
from offscript.parse.compiled import compiled
from offscript.parse.find_ids import Program, find_id
from offscript.parse.lexer import SCRATCH, lex
from offscript.parse.session_key import MAX_ID
from offscript.parse.shapes import ID_BEGIN, ID_END, KIND, LONGEST_SHAPE, MESSAGE, ODD, is_space, plan_of, read_time
from offscript.parse.tokens import MAX_TOKENS

NEW_SHAPE, NEW_SKELETON, BY_ITSELF, FOUND = range(4)
"""States of a line: its header's shape is unknown, its skeleton is, it must be read alone, or all is known."""

NO_ID, HEADER_ID, MESSAGE_ID = range(3)
"""Where session ids stand."""

FRAME: Final = 64
"""Bytes of a value that are compared with the first one of its place: longer ones are no part of a template."""

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]


class Lines(NamedTuple):
    """What is known of each line of a block."""

    state: Bytes
    skeleton: Numbers
    base: NDArray[np.float64]
    micro: Numbers
    begin: Numbers
    end: Numbers
    id_begin: Numbers
    id_end: Numbers


class FirstValues(NamedTuple):
    """The first value of each place of each skeleton: place `slots[skeleton] + n` is that of its value n."""

    slots: Numbers
    begins: Numbers
    lengths: Numbers
    blob: Bytes


class SeenValues(NamedTuple):
    """What a block's values have in common with the first ones: lines by skeleton; by place, bytes shared and equality.

    `shared` is at most `FRAME`.
    """

    lines: Numbers
    shared: Numbers
    equal: Bytes


class Scratch(NamedTuple):
    """Room that the pass works in."""

    shape: Bytes
    canon: Bytes
    value_begins: Numbers
    value_ends: Numbers


def room_for(longest: int) -> Scratch:
    """Return room for lines of up to so many bytes."""
    places = np.empty((2, MAX_TOKENS + 1), np.int64)
    return Scratch(np.empty(LONGEST_SHAPE + 1, np.uint8), np.empty(longest + SCRATCH, np.uint8), places[0], places[1])


def lines_of(count: int) -> Lines:
    """Return the state of lines that nothing is known of."""
    numbers = np.full((6, count), -1, np.int64)
    return Lines(np.zeros(count, np.uint8), numbers[0], np.full(count, math.nan), *numbers[1:])


@compiled
def is_plain_id(data: Bytes, begin: int, end: int) -> bool:
    """Whether a session id is a word with a digit, and so a value of its own wherever it stands (`tokens`)."""
    digits = 0
    for place in range(begin, end):
        byte = data[place]
        digits += 48 <= byte <= 57
        if byte <= 32 or byte in (61, 58, 44, 59, 40, 41, 91, 93, 123, 125, 60, 62, 34, 39, 124, 96):
            return False
        if byte == 46 and (place == begin or place + 1 == end or data[place + 1] == 46):
            return False
    return digits > 0


@compiled
def read_header(
    data: Bytes,
    start: int,
    stop: int,
    line: int,
    own: int,
    words: int,
    shapes: ByteTable,
    known: int,
    plans: Numbers,
    header_id: bool,
    out: Lines,
    scratch: Scratch,
) -> int:
    """Find the message, the stamp and the header's session id of one line; return its state."""
    code = plan_of(
        data, start, stop, own, words, shapes.slots, shapes.hashes, shapes.begins, shapes.blob, scratch.shape
    )
    if not 0 <= code < known:
        return NEW_SHAPE
    plan = plans[code]
    if plan[KIND] == ODD:
        return BY_ITSELF
    fits, base, micro = read_time(data, start, plan)
    if not fits:
        return BY_ITSELF
    begin = start + plan[MESSAGE]
    end = stop
    while end > begin and is_space(data[end - 1]):
        end -= 1
    out.base[line], out.micro[line], out.begin[line], out.end[line] = base, micro, begin, max(begin, end)
    out.id_begin[line] = -1
    if header_id and plan[ID_BEGIN] >= 0:
        out.id_begin[line], out.id_end[line] = start + plan[ID_BEGIN], start + plan[ID_END]
    return FOUND


@compiled
def note_values(
    data: Bytes, skeleton: int, values: int, first: FirstValues, seen: SeenValues, scratch: Scratch
) -> None:
    """Compare the values of one line with the first ones of its skeleton."""
    seen.lines[skeleton] += 1
    slot = first.slots[skeleton]
    for value in range(values):
        place = slot + value
        shared = seen.shared[place]
        if not (seen.equal[place] or shared):
            continue
        begin, length = first.begins[place], first.lengths[place]
        other = scratch.value_begins[value]
        size = scratch.value_ends[value] - other
        same = 0
        while same < min(size, length) and first.blob[begin + same] == data[other + same]:
            same += 1
        seen.shared[place] = min(shared, same)
        seen.equal[place] &= same == size == length


@compiled
def read_lines(
    todo: Numbers,
    data: Bytes,
    starts: Numbers,
    stops: Numbers,
    own: int,
    words: int,
    known_shapes: int,
    shapes: ByteTable,
    plans: Numbers,
    place_of_id: int,
    needs_id: bool,
    program: Program,
    known_skeletons: int,
    skeletons: ByteTable,
    first: FirstValues,
    seen: SeenValues,
    out: Lines,
    scratch: Scratch,
) -> None:
    """Read the lines numbered in `todo`, with the first so many shapes and skeletons of their tables."""
    for line in todo:
        start, stop = starts[line], stops[line]
        header_id = place_of_id == HEADER_ID
        state = read_header(data, start, stop, line, own, words, shapes, known_shapes, plans, header_id, out, scratch)
        if state == FOUND and place_of_id == MESSAGE_ID:
            out.id_begin[line], out.id_end[line] = find_id(
                program.code, program.members, data, out.begin[line], out.end[line]
            )
        if state == FOUND:
            state = check_id(data, out.id_begin[line], out.id_end[line], needs_id)
        if state == FOUND:
            code, values = skeleton_of(data, out.begin[line], out.end[line], skeletons, scratch)
            if 0 <= code < known_skeletons:
                out.skeleton[line] = code
                note_values(data, code, values, first, seen, scratch)
            else:
                state = NEW_SKELETON
        out.state[line] = state


@compiled
def check_id(data: Bytes, begin: int, end: int, needs_id: bool) -> int:
    """The state of a line by its session id: one that the tokeniser does not take for a value is read by itself."""
    if begin < 0:
        return BY_ITSELF if needs_id else FOUND
    return FOUND if end - begin <= MAX_ID and is_plain_id(data, begin, end) else BY_ITSELF


@compiled
def skeleton_of(data: Bytes, begin: int, end: int, skeletons: ByteTable, scratch: Scratch) -> tuple[int, int]:
    """The code of a message's skeleton, -1 for one not met before, and how many values it has."""
    size, values, _ = lex(data, begin, end, scratch.canon, scratch.value_begins, scratch.value_ends)
    mark = hash_of(scratch.canon, size)
    slots, hashes, begins, blob = skeletons
    return code_of(slots, hashes, begins, blob, scratch.canon, size, mark), values
