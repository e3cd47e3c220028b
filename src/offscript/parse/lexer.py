"""The skeleton of a message in one compiled pass over its bytes: the columnar twin of `tokens` (ours).

Two messages have equal tokens if, and only if, `lex` writes equal canonical bytes for them. Its time is linear in the
bytes, whatever they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from offscript.parse.byte_kinds import (
    ABSENT,
    APOSTROPHE,
    BLANK,
    CALM,
    COLON,
    DOT,
    GLUE,
    HEX,
    KINDS,
    LESS,
    LETTER,
    MARK,
    MINUS,
    OPENING,
    ROUND_END,
    SIGN,
    SPACE,
    SQUARE_END,
    WHITE,
    WORD,
    byte_at,
    copy_eight,
    dots_end,
    fixed,
    goes_on,
    inner_end,
    is_at,
    kind_at,
    letters_at,
    put_byte,
    put_number,
    quote_after,
    run_end,
)
from offscript.parse.compiled import compiled
from offscript.parse.tokens import LIST_LENGTH, MAX_TOKENS
from offscript.parse.value_shapes import may_be_named, one_end

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]

SCRATCH: Final = MAX_TOKENS + 16
"""Bytes that a canonical buffer must have beyond those of the message: one ends each token, the others are slack."""

VALUE: Final = fixed(1)
"""The canonical byte of a value: as white space it stands in no constant."""

_NOTHING: Final = fixed(0)
_NOWHERE: Final = fixed(-1)
# What may stand between values that are one value: the signs that join, and a space, any, or both mixed.
_JOINED, _BY_SPACE, _BY_SPACES, _LISTED = (fixed(gaps) for gaps in range(4))
_MORE: Final = LIST_LENGTH - 1
_QUOTED: Final = 3
_DASHES: Final = 2


@compiled
def lex(data: Bytes, begin: int, end: int, canon: Bytes, starts: Places, ends: Places) -> tuple[int, int, int]:
    r"""Write the canonical skeleton of a message and the spans of its values; return (size, values, truncated).

    Each token of `Tokeniser.read` becomes its bytes, or the byte 1 for a value, and a byte 0. Places are those of
    `data`. `canon` needs `end - begin + SCRATCH` bytes, `starts` and `ends` need `MAX_TOKENS + 1` places; what they
    held does not matter, and what follows what is written is undefined. `truncated` is 1 where the message has more
    than `MAX_TOKENS` tokens: what is left of it, to its end, is one value. ValueError where an array is not contiguous.

    >>> data = np.frombuffer(b"open /a/b for 12 s", np.uint8)
    >>> canon = np.empty(len(data) + SCRATCH, np.uint8)
    >>> starts, ends = np.empty((2, MAX_TOKENS + 1), np.int64)
    >>> size, values, _ = lex(data, 0, len(data), canon, starts, ends)
    >>> canon[:size].tobytes()
    b'open\x00\x01\x00for\x00\x01\x00s\x00'
    >>> [data[start:stop].tobytes() for start, stop in zip(starts[:values], ends[:values])]
    [b'/a/b', b'12']
    """
    joined = data.flags.c_contiguous and canon.flags.c_contiguous
    if not (joined and starts.flags.c_contiguous and ends.flags.c_contiguous):
        raise ValueError("arrays of bytes and places must be contiguous")
    base, canonical, first, last = _address(data), _address(canon), _address(starts), _address(ends)
    target, span = canonical, _NOTHING
    begin, end = base + begin, base + end
    barren = quote = begin
    place = run_end(begin, end, WHITE)
    for _ in range(MAX_TOKENS):
        if place >= end:
            return target - canonical, span >> 3, 0
        stop = -_sure_end(place, end)
        if stop == 0:
            stop, barren = _part_end(begin, place, end, barren)
        if stop < 0:
            stop = -stop
            target = _copy(place, stop, end, target)
        else:
            if is_at(stop, end, SPACE):
                if quote < stop:
                    quote = quote_after(stop, end)
                stop = _row_end(place, stop, end, quote)
            put_number(first + span, place - base)
            put_number(last + span, stop - base)
            span += 8
            put_byte(target, VALUE)
            target += 1
        put_byte(target, _NOTHING)
        target += 1
        place = run_end(stop, end, WHITE)
    if place >= end:
        return target - canonical, span >> 3, 0
    put_number(first + span, place - base)
    put_number(last + span, end - base)
    put_byte(target, VALUE)
    put_byte(target + 1, _NOTHING)
    return target - canonical + 2, (span >> 3) + 1, 1


@compiled
def _address(array: NDArray[Any]) -> int:
    return int(np.int64(array.ctypes.data))


@compiled
def _copy(place: int, stop: int, end: int, target: int) -> int:
    """Copy a constant, and perhaps some bytes more; return the place past its copy."""
    target += stop - place
    while place < stop and place + 8 <= end:
        copy_eight(place, target - (stop - place))
        place += 8
    while place < stop:
        put_byte(target - (stop - place), byte_at(place))
        place += 1
    return target


@compiled
def _sure_end(place: int, end: int) -> int:
    """The place past letters or a sign that are surely a constant, for speed alone; 0 where others must judge."""
    if _is_calm(place, end, SIGN):
        return place + 1
    letters = 8
    stop = place
    while letters == 8 and stop + 8 <= end:
        letters = letters_at(stop)
        stop += letters
    if letters == 8 or stop == place or not _is_calm(stop, end, CALM) or may_be_named(place):
        return 0
    return stop if stop - place < 8 or run_end(place, stop, HEX) < stop else 0


@compiled
def _is_calm(place: int, end: int, kinds: int) -> bool:
    """Whether a byte of these kinds stands at a place, or a colon before white space, which joins nothing."""
    if byte_at(place) == COLON:
        return place + 1 < end and kind_at(place + 1) & WHITE != 0
    return kind_at(place) & kinds != 0


@compiled
def _part_end(begin: int, place: int, end: int, barren: int) -> tuple[int, int]:
    """The place past the value that starts here, else minus the place past the constant; and the next `barren`.

    Before `barren` no value in brackets starts: one that began earlier came as far, and met no closing bracket.
    """
    before = byte_at(place - 1) if place > begin else SPACE
    if KINDS[before] & WORD and byte_at(place) != LESS and not _is_after_dots(begin, place):
        stop = inner_end(place, end, _NOWHERE)
        return _joined_end(-stop if stop > place else -dots_end(place, end), end), barren
    stop, _ = _chain_end(place, end, _JOINED)
    if before == SPACE and place > begin + 1:
        before = byte_at(place - 2)
    if place >= barren and KINDS[before] & OPENING:
        past, _ = _chain_end(place, end, _LISTED)
        if past > 0:
            closing = past + is_at(past, end, SPACE)
            if is_at(closing, end, ROUND_END) or is_at(closing, end, SQUARE_END):
                return past, barren
            barren = past
    return stop if stop > 0 else _joined_end(stop, end), barren


@compiled
def _is_after_dots(begin: int, place: int) -> bool:
    """Whether dots in a row end here, which separate words as white space does."""
    return place > begin + 1 and byte_at(place - 1) == DOT and byte_at(place - 2) == DOT and byte_at(place) != DOT


@compiled
def _joined_end(stop: int, end: int) -> int:
    """Minus the place past a constant that ends at minus a place, with what apostrophes between letters join to it."""
    while is_at(-stop, end, APOSTROPHE) and kind_at(-stop - 1) & LETTER:
        if 1 - stop == end or not kind_at(1 - stop) & LETTER:
            break
        past, _ = _chain_end(1 - stop, end, _JOINED)
        if past > 0:
            break
        stop = past
    return stop


@compiled
def _chain_end(start: int, end: int, gaps: int) -> tuple[int, int]:
    """The place past the values from a place on with no other gaps than these, and how many of those are spaces.

    Where no value starts: minus the place past the constant.
    """
    stop = count = _NOTHING
    spaced = False
    while True:
        past = one_end(start, end)
        if past < 0 and gaps == _LISTED:
            past = _absent_end(start, end)
        if past < 0:
            return stop or past, count
        stop = past
        count += spaced
        start = run_end(stop, end, GLUE | BLANK if gaps == _LISTED else GLUE)
        spaced = start == stop and gaps != _JOINED
        if spaced:
            start = run_end(stop, end if gaps == _BY_SPACES else min(stop + 1, end), BLANK)
        if start in (stop, end):
            return stop, count


@compiled
def _absent_end(start: int, end: int) -> int:
    stop = run_end(start, end, ABSENT)
    return -1 if stop == start or goes_on(stop, end) else stop


@compiled
def _row_end(place: int, start: int, end: int, quote: int) -> int:
    """The place past values in a row without brackets, the first of which stands at a place and ends at a space."""
    for gaps in (_BY_SPACES, _BY_SPACE):
        if _are_marked(start, end) if gaps == _BY_SPACES else quote < end and _are_closed(start, quote):
            stop, count = _chain_end(place, end, gaps)
            if count >= _MORE if gaps == _BY_SPACES else stop == quote:
                return stop
    stop, count = start, 0
    while True:
        dash = run_end(stop, end, BLANK)
        if dash == stop or not is_at(dash, end, MINUS) or goes_on(dash + 1, end):
            return stop if count >= _DASHES else start
        stop = dash + 1
        count += 1


@compiled
def _are_marked(place: int, end: int) -> bool:
    """Whether each of as many words as a list has more holds a character that nearly all values have."""
    for _ in range(_MORE):
        if not is_at(place, end, SPACE):
            return False
        place = run_end(place, end, BLANK)
        if place + 8 <= end:
            place += letters_at(place)
        while place < end and not kind_at(place) & (MARK | WHITE):
            place += 1
        if place == end or not kind_at(place) & MARK:
            return False
        while place < end and not kind_at(place) & WHITE:
            place += 1
    return True


@compiled
def _are_closed(place: int, quote: int) -> bool:
    """Whether one to three words, a space before each, end at a quote."""
    for _ in range(_QUOTED):
        if not is_at(place, quote, SPACE):
            break
        word = place + 1
        place = word
        while place < quote and not kind_at(place) & WHITE:
            place += 1
        if place == word:
            return False
    return place == quote


def canonical(messages: Iterable[str]) -> Iterator[bytes]:
    r"""Yield the canonical skeletons of messages.

    >>> list(canonical(["open 7", "7"]))
    [b'open\x00\x01\x00', b'\x01\x00']
    """
    starts, ends = np.empty((2, MAX_TOKENS + 1), np.int64)
    canon = np.empty(SCRATCH, np.uint8)
    for message in messages:
        data = np.frombuffer(message.encode("utf-8", "surrogatepass"), np.uint8)
        if len(canon) < len(data) + SCRATCH:
            canon = np.empty(2 * len(data) + SCRATCH, np.uint8)
        size, _, _ = lex(data, 0, len(data), canon, starts, ends)
        yield canon[:size].tobytes()
