"""Writing the shape of a line: its header's words with each digit as 0, and a few words more loosely (ours).

Places are addresses of bytes (`byte_kinds` says why); nothing at or behind the end of the line is read.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from offscript.parse.byte_kinds import byte_at, eight_at, first_flagged, fixed, put_byte, put_number, zeros_for_digits
from offscript.parse.compiled import compiled

LONGEST_SHAPE: Final = 1_000
"""Bytes of a line that a shape may take: the widest public header has 200."""

SHAPE_ROOM: Final = LONGEST_SHAPE + 9
"""Bytes that a shape may take where it is written: one ends it, up to eight are slack."""

LONG_HEX: Final = 32
"""Lower-case hexadecimal digits and dashes in a row that are an id, such as a UUID: no format of a header tells one of
its digits from another."""

LONG_NUMBER: Final = 10
"""Digits of a process id at most, as columns have it: longer numbers are told from shorter ones."""

_SPACE, _BAR, _MINUS, _BRACKET, _PAREN = [fixed(sign) for sign in b" |-[("]
# How a shape ends: with the line, before the line does, or at the longest that shapes may be; and whether it reaches
# beyond the header's own words, so that the two shapes of a short line are not one.
_LINE_END, _MORE, _CUT, _LONG = [fixed(end) for end in range(4)]
CUT_ENDS: Final = (int(_CUT), int(_CUT + _LONG))
"""The last byte of shapes of lines that go on beyond the longest shape."""

# Eight bytes are judged at once by sums that never carry from one into the next.
_LOWS, _TOPS, _BARS = (np.uint64(0x0101010101010101 * byte) for byte in (0x7F, 0x80, 124))
_PAST_SPACE = np.uint64(0x0101010101010101 * (128 - 33))


@compiled
def is_space(byte: int) -> bool:
    """Whether a byte is white space as Python has it for ASCII."""
    return byte == _SPACE or 9 <= byte <= 13 or 28 <= byte <= 31


@compiled
def _hex_run(begin: int, end: int) -> int:
    """The end of the run of lower-case hexadecimal digits and dashes at an address; the address if it is short."""
    stop = begin
    while stop < end and _is_hex(byte_at(stop)):
        stop += 1
    return stop if stop - begin >= LONG_HEX else begin


@compiled
def _is_hex(byte: int) -> bool:
    return 48 <= byte <= 57 or 97 <= byte <= 102 or byte == _MINUS


@compiled
def _is_letter(byte: int) -> bool:
    return 65 <= byte <= 90 or 97 <= byte <= 122


@compiled
def _fold_long(place: int, end: int, out: int) -> None:
    """Write a word with each digit as 0 and each digit of a long hexadecimal run but the first as x."""
    run = place
    while place < end:
        if run <= place:
            run = _hex_run(place, end) if end - place >= LONG_HEX else place
            fresh = True
        byte = byte_at(place)
        if place < run and byte != _MINUS:
            byte = 48 if fresh and byte <= 57 else 120
            fresh = False
        put_byte(out, 48 if 48 <= byte <= 57 else byte)
        place, out = place + 1, out + 1


@compiled
def _fold_loosely(place: int, end: int, out: int) -> int:
    """Write a word with each number as one 0, or 9 if it is long, and each other run with a digit as one w."""
    while place < end:
        run = _hex_run(place, end) if end - place >= LONG_HEX else place
        stop, digits = place, 0
        while run == place and stop < end and (48 <= byte_at(stop) <= 57 or _is_letter(byte_at(stop))):
            digits += byte_at(stop) <= 57
            stop += 1
        if run > place or digits:
            stop = max(run, stop)
            number = run == place and digits == stop - place
            put_byte(out, (48 if digits <= LONG_NUMBER else 57) if number else 119)
            place, out = stop, out + 1
        else:
            stop = max(stop, place + 1)
            while place < stop:
                put_byte(out, byte_at(place))
                place, out = place + 1, out + 1
    return out


@compiled
def _word_end(place: int, end: int) -> int:
    """The end of the word at an address: white space, a bar, or the end."""
    while place < end:
        if place + 8 <= end:
            eight = eight_at(place)
            low = eight & _LOWS
            plain = ((low + _PAST_SPACE) | eight) & (((eight ^ _BARS) & _LOWS) + _LOWS | eight)
            ahead = first_flagged(~plain & _TOPS)
            place += ahead
            if ahead == 8:
                continue
        if is_space(byte_at(place)) or byte_at(place) == _BAR:
            break
        place += 1
    return place


@compiled
def _bracket_end(place: int, end: int) -> int:
    """The end of a word that begins with a bracket or parenthesis: the end of the word in which that closes."""
    opener = byte_at(place)
    closer = opener + (2 if opener == _BRACKET else 1)
    depth = 0
    while place < end:
        byte = byte_at(place)
        depth += byte == opener
        depth -= byte == closer and depth > 0
        if depth == 0 and (is_space(byte) or byte == _BAR):
            break
        place += 1
    return place


@compiled
def _fold_digits(place: int, end: int, out: int) -> None:
    """Write bytes with each digit as 0; up to seven bytes more are written."""
    while place < end:
        if place + 8 <= end:
            put_number(out, int(np.int64(zeros_for_digits(eight_at(place)))))
            place, out = place + 8, out + 8
        else:
            byte = byte_at(place)
            put_byte(out, 48 if 48 <= byte <= 57 else byte)
            place, out = place + 1, out + 1


@compiled
def fold(start: int, stop: int, own: int, words: int, out: int) -> tuple[int, int, int]:
    """Write the shape of a line: its size, where the words kept digit for digit end, and how many words there were.

    A word ends at white space or a bar, but not within the bracket or parenthesis that it begins with. `own` words
    are kept digit for digit, up to `words` loosely. All places are addresses; `out` has room for `SHAPE_ROOM` bytes.
    """
    limit = min(stop, start + LONGEST_SHAPE)
    place, target, count, exact_end = start, out, 0, limit
    while place < limit:
        byte = byte_at(place)
        if is_space(byte) or byte == _BAR:
            put_byte(target, byte)
            place, target = place + 1, target + 1
            continue
        if count == own:
            exact_end = place
        if count == words:
            put_byte(target, _MORE)
            return target + 1 - out, exact_end - start, count
        count += 1
        bracket = byte in (_BRACKET, _PAREN)
        end = _bracket_end(place, limit) if bracket else _word_end(place, limit)
        if count > own:
            target = _fold_loosely(place, end, target)
        else:
            if end - place < LONG_HEX:
                _fold_digits(place, end, target)
            else:
                _fold_long(place, end, target)
            target += end - place
        place = end
    put_byte(target, (_LINE_END if limit == stop else _CUT) + (_LONG if words > own else 0))
    return target + 1 - out, exact_end - start, count
