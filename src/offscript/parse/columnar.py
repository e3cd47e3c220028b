"""The compiled pass over the lines of a block: shape of the header, stamp, message, session id, skeleton (ours).

Every line ends in one of four states. Only `FOUND` lines are done; the others are looked at by the caller, who learns
new shapes and skeletons from them, or reads them one by one.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.byte_kinds import DIGIT, DOT, EQUALS, KINDS, WORD
from offscript.parse.byte_table import ByteTable, address_of, code_of
from offscript.parse.compiled import compiled, inlined
from offscript.parse.folds import SHAPE_ROOM, is_space
from offscript.parse.lexer import SCRATCH, lex
from offscript.parse.session_key import MAX_ID
from offscript.parse.shapes import ID_BEGIN, ID_END, KIND, MESSAGE, READ, plan_of, read_time
from offscript.parse.tokens import MAX_TOKENS

NEW_SHAPE, NEW_SKELETON, BY_ITSELF, FOUND = range(4)
"""States of a line: its header's shape is unknown, its skeleton is, it must be read alone, or all is known."""

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
    return Scratch(np.empty(SHAPE_ROOM, np.uint8), np.empty(longest + SCRATCH, np.uint8), places[0], places[1])


def lines_of(count: int) -> Lines:
    """Return the state of lines that nothing is known of."""
    numbers = np.full((6, count), -1, np.int64)
    return Lines(np.zeros(count, np.uint8), numbers[0], np.full(count, math.nan), *numbers[1:])


@inlined
def is_plain_id(data: Bytes, begin: int, end: int) -> bool:
    """Whether a session id is a word with a digit, and so a value of its own wherever it stands (`tokens`)."""
    kinds, either, dots, dot_before = WORD, 0, False, True
    for place in range(begin, end):
        kinds &= KINDS[data[place]]
        either |= KINDS[data[place]]
        is_dot = data[place] == DOT
        dots = dots or (is_dot and dot_before)
        dot_before = is_dot
    return kinds != 0 and either & DIGIT != 0 and not (dots or dot_before)


@compiled
def read_headers(
    todo: Numbers,
    data: Bytes,
    starts: Numbers,
    stops: Numbers,
    own: int,
    words: int,
    known: int,
    shapes: ByteTable,
    plans: Numbers,
    header_id: bool,
    out: Lines,
    shape: Bytes,
) -> None:
    """Find message, stamp and the header's session id of the lines in `todo`, with the first `known` shapes."""
    slots, hashes, begins, blob = shapes
    base, out_shape = address_of(data), address_of(shape)
    state, _, bases, micros, message_begin, message_end, id_begin, id_end = out
    for line in todo:
        start, stop = starts[line], stops[line]
        code = plan_of(base + start, base + stop, own, words, slots, hashes, begins, blob, known, plans, out_shape)
        if code < 0:
            state[line] = NEW_SHAPE
            continue
        state[line] = BY_ITSELF
        if plans[code, KIND] != READ:
            continue
        fits, seconds, micro = read_time(base + start, plans, code)
        if not fits:
            continue
        begin = start + plans[code, MESSAGE]
        end = stop
        while end > begin and is_space(data[end - 1]):
            end -= 1
        state[line] = FOUND
        bases[line], micros[line], message_begin[line], message_end[line] = seconds, micro, begin, max(begin, end)
        id_begin[line] = -1
        if header_id and plans[code, ID_BEGIN] >= 0:
            id_begin[line], id_end[line] = start + plans[code, ID_BEGIN], start + plans[code, ID_END]


@inlined
def stands_before_equals(data: Bytes, begin: int, end: int, first: int, last: int) -> bool:
    """Whether what stands at `begin:end` stands right before an equals sign within `first:last`: then it is a name."""
    size, found = end - begin, False
    for place in range(first + size, last):
        if data[place] == EQUALS and not found:
            same = True
            for step in range(1, size + 1):
                same = same and data[place - step] == data[end - step]
            found = same
    return found


@compiled
def check_ids(todo: Numbers, data: Bytes, needs_id: bool, out: Lines) -> None:
    """Leave lines to be read by themselves whose session id the tokeniser does not take for a value."""
    state, begins, ends, firsts, lasts = out.state, out.id_begin, out.id_end, out.begin, out.end
    for line in todo:
        if state[line] != FOUND:
            continue
        begin, end = begins[line], ends[line]
        if begin < 0:
            state[line] = BY_ITSELF if needs_id else FOUND
        else:
            plain = end - begin <= MAX_ID and is_plain_id(data, begin, end)
            if not plain or stands_before_equals(data, begin, end, firsts[line], lasts[line]):
                state[line] = BY_ITSELF


@inlined
def note_values(
    data: Bytes,
    skeleton: int,
    values: int,
    first: FirstValues,
    seen: SeenValues,
    value_begins: Numbers,
    value_ends: Numbers,
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
        other = value_begins[value]
        size = value_ends[value] - other
        same = 0
        while same < min(size, length) and first.blob[begin + same] == data[other + same]:
            same += 1
        seen.shared[place] = min(shared, same)
        seen.equal[place] &= same == size == length


@compiled
def read_messages(
    todo: Numbers,
    data: Bytes,
    known: int,
    skeletons: ByteTable,
    first: FirstValues,
    seen: SeenValues,
    out: Lines,
    scratch: Scratch,
) -> None:
    """Find the skeletons of the lines in `todo`, with the first `known` ones, and compare their values."""
    slots, hashes, begins, blob = skeletons
    canon, value_begins, value_ends = scratch.canon, scratch.value_begins, scratch.value_ends
    target = address_of(canon)
    state, codes, message_begin, message_end = out.state, out.skeleton, out.begin, out.end
    for line in todo:
        if state[line] != FOUND:
            continue
        size, values, _ = lex(data, message_begin[line], message_end[line], canon, value_begins, value_ends)
        code = code_of(slots, hashes, begins, blob, target, size)
        if 0 <= code < known:
            codes[line] = code
            note_values(data, code, values, first, seen, value_begins, value_ends)
        else:
            state[line] = NEW_SKELETON
