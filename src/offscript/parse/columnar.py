"""The compiled pass over the lines of a block: shape of the header, stamp, message, session id, skeleton (ours).

Every line ends in one of four states. Only `FOUND` lines are done; the others are looked at by the caller, who learns
new shapes and skeletons from them, or reads them one by one.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.alike import (
    BEGIN,
    END,
    HAS_EQUALS,
    ID_AT,
    ID_PAST,
    IS_READ,
    MOST_VALUES,
    PLAN_CODE,
    SKELETON,
    SORT,
    SPANS,
    STAMP_PAST,
    VALUES,
    WIDTH,
    may_keep,
)
from offscript.parse.byte_kinds import DIGIT, DOT, EQUALS, KINDS, WORD, eight_at, first_flagged, is_among
from offscript.parse.byte_table import ByteTable, address_of, are_same, code_of
from offscript.parse.compiled import borrowed, compiled, inlined
from offscript.parse.folds import SHAPE_ROOM, is_space
from offscript.parse.lexer import SCRATCH, lex
from offscript.parse.session_key import MAX_ID
from offscript.parse.shapes import ID_BEGIN, ID_END, KIND, MESSAGE, READ, STAMP_SORT, plan_of, read_time, stamp_past
from offscript.parse.taken import Taken, Wanted, has_room, lent_taken, lent_wanted, take_values
from offscript.parse.tokens import MAX_TOKENS

NEW_SHAPE, NEW_SKELETON, BY_ITSELF, FOUND = range(4)
"""States of a line: its header's shape is unknown, its skeleton is, it must be read alone, or all is known."""

FRAME: Final = 64
"""Bytes of a value that are compared with the first one of its place: longer ones are no part of a template."""

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]
Places = NDArray[np.int32]


class Lines(NamedTuple):
    """What is known of each line of a block."""

    state: Bytes
    plan: Numbers
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

    `shared` is at most `FRAME`; all are empty where nobody asks.
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
    shape, canon = np.empty(SHAPE_ROOM, np.uint8), np.empty(longest + SCRATCH, np.uint8)
    return Scratch(shape, canon, places[0], places[1])


def lines_of(count: int) -> Lines:
    """Return the state of lines that nothing is known of."""
    plan, micro, begin, end, id_end = np.empty((5, count), np.int64)
    skeleton, id_begin = np.full((2, count), -1, np.int64)
    state, base = np.zeros(count, np.uint8), np.empty(count)
    return Lines(state, plan, skeleton, base, micro, begin, end, id_begin, id_end)


@inlined
def lent_lines(lines: Lines) -> Lines:
    """The same arrays for inlined functions to hand on (`compiled.borrowed`)."""
    count = len(lines.state)
    return Lines(
        borrowed(lines.state, count, np.uint8),
        borrowed(lines.plan, count, np.int64),
        borrowed(lines.skeleton, count, np.int64),
        borrowed(lines.base, count, np.float64),
        borrowed(lines.micro, count, np.int64),
        borrowed(lines.begin, count, np.int64),
        borrowed(lines.end, count, np.int64),
        borrowed(lines.id_begin, count, np.int64),
        borrowed(lines.id_end, count, np.int64),
    )


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
    state, codes, _, bases, micros, message_begin, message_end, id_begin, id_end = out
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
        state[line], codes[line] = FOUND, code
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
    begins: Numbers,
    ends: Numbers,
    at: int,
    step: int,
    start: int,
) -> None:
    """Count a line of a skeleton, and compare its values with the first ones.

    Value n stands at `begins[at + n * step]`, counted from `start`, and ends so, too.
    """
    seen.lines[skeleton] += 1
    slot, base, blob = first.slots[skeleton], np.int64(data.ctypes.data), np.int64(first.blob.ctypes.data)
    for value in range(values):
        place = slot + value
        shared, equal = seen.shared[place], seen.equal[place]
        if equal or shared:
            length, other = first.lengths[place], start + begins[at + value * step]
            size = start + ends[at + value * step] - other
            # where not all were equal, only what all share so far is of interest
            most, begin = min(size, length if equal else shared), first.begins[place]
            same = 0
            if most <= 8 <= min(size, length):
                # nearly always: all eight bytes at once
                differs = eight_at(blob + begin) ^ eight_at(base + other)
                same = min(most, first_flagged(differs))
            while same < most and first.blob[begin + same] == data[other + same]:
                same += 1
            seen.shared[place] = min(shared, same)
            seen.equal[place] = equal & (same == size == length)


@compiled
def read_messages(
    todo: Numbers,
    data: Bytes,
    starts: Numbers,
    known: int,
    skeletons: ByteTable,
    plans: Numbers,
    first: FirstValues,
    seen: SeenValues,
    wanted: Wanted,
    taken: Taken,
    kinds: Places,
    rows: Places,
    out: Lines,
    scratch: Scratch,
) -> None:
    """Find the skeletons of the lines in `todo`, with the first `known` ones, and compare their values.

    What is found of the first line of a kind is kept in its row, if there are `rows`.
    """
    slots, hashes, begins, blob = skeletons
    canon, value_begins, value_ends = scratch.canon, scratch.value_begins, scratch.value_ends
    target = address_of(canon)
    state, codes, message_begin, message_end = out.state, out.skeleton, out.begin, out.end
    lent, taking = lent_wanted(wanted), lent_taken(taken)
    for line in todo:
        if state[line] != FOUND:
            continue
        size, values, _ = lex(data, message_begin[line], message_end[line], canon, value_begins, value_ends)
        code = code_of(slots, hashes, begins, blob, target, size)
        if 0 <= code < known and has_room(code, lent, taking):
            codes[line] = code
            if len(seen.shared):
                note_values(data, code, values, first, seen, value_begins, value_ends, 0, 1, 0)
            take_values(address_of(data), line, code, lent, taking, value_begins, value_ends, 0, 1, 0)
            if len(rows) and kinds[line] >= 0 and not rows[kinds[line], IS_READ] and values <= MOST_VALUES:
                keep_line(line, data, starts[line], plans, size, values, rows[kinds[line]], out, scratch)
        else:
            state[line] = NEW_SKELETON


@compiled
def keep_line(
    line: int,
    data: Bytes,
    start: int,
    plans: Numbers,
    canonical: int,
    values: int,
    row: Places,
    out: Lines,
    scratch: Scratch,
) -> None:
    """Keep what was found of a line, for the lines that are alike but for their digits."""
    base = address_of(data)
    begin, end = out.begin[line], out.end[line]
    if not may_keep(base + begin, base + end, address_of(scratch.canon), canonical):
        return
    row[IS_READ], row[PLAN_CODE], row[SKELETON] = 1, out.plan[line], out.skeleton[line]
    row[BEGIN], row[END] = begin - start, end - start
    row[ID_AT] = out.id_begin[line] - start if out.id_begin[line] >= 0 else -1
    row[ID_PAST] = out.id_end[line] - start
    row[HAS_EQUALS] = is_among(base + begin, base + end, EQUALS)
    row[SORT], row[STAMP_PAST] = plans[out.plan[line], STAMP_SORT], stamp_past(plans, out.plan[line])
    row[VALUES] = values
    for value in range(values):
        row[SPANS + 2 * value] = scratch.value_begins[value] - start
        row[SPANS + 2 * value + 1] = scratch.value_ends[value] - start


@compiled
def recall_lines(
    data: Bytes,
    starts: Numbers,
    plans: Numbers,
    first: FirstValues,
    seen: SeenValues,
    wanted: Wanted,
    taken: Taken,
    kinds: Places,
    rows: Places,
    out: Lines,
    left: Numbers,
) -> int:
    """Find all of the lines of which a row of their kind was kept; write the numbers of the others, return how many."""
    base, begins, ends = address_of(data), rows.reshape(-1), rows.reshape(-1)[1:]
    rows = borrowed(rows, rows.shape, np.int32)
    flat, past = borrowed(begins, len(begins), np.int32), borrowed(ends, len(ends), np.int32)
    starts = borrowed(starts, len(starts), np.int64)
    state, codes, skeletons, bases, micros, message_begin, message_end, id_begin, id_end = lent_lines(out)
    lent, taking = lent_wanted(wanted), lent_taken(taken)
    count, last, last_sort = 0, base, -1
    fits, seconds, micro = False, 0.0, -1
    for line in range(len(starts)):
        start, place = starts[line], kinds[line]
        if place < 0 or not rows[place, IS_READ]:
            left[count] = line
            count += 1
            continue
        plan, sort = int(rows[place, PLAN_CODE]), rows[place, SORT]
        if sort != last_sort or not are_same(base + start, last, int(rows[place, STAMP_PAST])):
            fits, seconds, micro = read_time(base + start, plans, plan)
            last_sort, last = sort, base + start
        begin, end = start + rows[place, BEGIN], start + rows[place, END]
        id_at, id_past = rows[place, ID_AT], rows[place, ID_PAST]
        state[line], codes[line] = BY_ITSELF, plan
        if not fits:
            continue
        if id_at >= 0:
            id_begin[line], id_end[line] = start + id_at, start + id_past
            if rows[place, HAS_EQUALS] and stands_before_equals(data, start + id_at, start + id_past, begin, end):
                continue
        state[line], skeletons[line] = FOUND, rows[place, SKELETON]
        bases[line], micros[line], message_begin[line], message_end[line] = seconds, micro, begin, end
        if not has_room(skeletons[line], lent, taking):
            state[line] = NEW_SKELETON
            continue
        spans = place * WIDTH + SPANS
        if len(seen.shared):
            note_values(data, skeletons[line], rows[place, VALUES], first, seen, flat, past, spans, 2, start)
        take_values(base, line, skeletons[line], lent, taking, flat, past, spans, 2, start)
    return count
