"""Shapes of single values, found byte by byte: the compiled twin of the types in `tokens` (ours).

Places are addresses, as in `byte_kinds`. A function that finds no such value answers -1. None looks at a byte more
than a fixed number of times from one place, and bytes of 128 and more are characters of words.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from offscript.parse.byte_kinds import (
    AT,
    BACKSLASH,
    BLANK,
    CLOCK,
    COLON,
    COMMA,
    DIGIT,
    DOT,
    EQUALS,
    GREATER,
    HEX,
    LESS,
    LETTER,
    LOWER,
    NAMED,
    QUERY,
    QUERY_END,
    SCHEME,
    SLASH,
    SPACE,
    STAR,
    UNDERLINE,
    UPPER,
    WHITE,
    byte_at,
    dots_end,
    eight_at,
    fixed,
    goes_on,
    inner_end,
    is_at,
    kind_at,
    plain_end,
    run_end,
)
from offscript.parse.compiled import compiled


def _codes(words: str) -> list[int]:
    return [int.from_bytes(word.encode(), "big") for word in words.split()]


_DATE_NAMES: Final = "Mon Tue Wed Thu Fri Sat Sun Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_TEXTLESS_WORDS: Final = "true True TRUE false False FALSE null NULL nil NaN None"
_NAMES: Final = np.array(_codes(_DATE_NAMES))
_FIRST_DAY, _FIRST_MONTH, _PAST_MONTHS = fixed(0), fixed(7), fixed(19)
_TEXTLESS: Final = np.array(_codes(_TEXTLESS_WORDS))
_NONE: Final = _codes("None")[0]
_MASKED: Final = np.frombuffer(b"<masked>", np.uint8).astype(np.int64)
_NOWHERE: Final = fixed(-1)

# A table by the hash of a word's first three bytes: nearly every other word falls on a free place of so many.
_THREE_BYTES, _SPREAD, _TEN_BITS = np.uint64(0xFFFFFF), np.uint64(0x9E3779B97F4A7C15), np.uint64(64 - 10)
_FRONTS: Final = np.zeros(1 << 10, np.uint8)
for _word in f"{_DATE_NAMES} {_TEXTLESS_WORDS}".encode().split():
    _FRONTS[int(np.array(int.from_bytes(_word[:3], "little"), np.uint64) * _SPREAD >> _TEN_BITS)] = 1


@compiled
def may_be_named(place: int) -> bool:
    """Whether a day, a month or a word for a variable without text may start here; reads eight bytes."""
    return bool(_FRONTS[np.int64((eight_at(place) & _THREE_BYTES) * _SPREAD >> _TEN_BITS)])


@compiled
def one_end(start: int, end: int) -> int:
    """The place past the one value that starts where a word may start; else minus the place past the constant there."""
    first = byte_at(start)
    if first in (SLASH, BACKSLASH):
        stop = path_end(start, end)
        if stop > 0:
            return stop
    stop = plain_end(start, end)
    if stop < end:
        if kind_at(stop) & DIGIT:
            return _odd_end(start, stop + 1, end)
        if byte_at(stop) == AT:
            return _odd_end(start, stop + 1, end) if goes_on(stop + 1, end) else -stop - 1
    return _letters_end(start, stop, end) if stop > start else _sign_end(start, end)


@compiled
def _sign_end(start: int, end: int) -> int:
    if byte_at(start) == LESS:
        if is_at(start + 2, end, GREATER) and byte_at(start + 1) == STAR:
            return start + 3
        for at in range(1, 8):
            if not is_at(start + at, end, _MASKED[at]):
                return -start - 1
        return start + 8
    if byte_at(start) == COLON:
        stop = groups_end(start, end)
        if stop > 0:
            return stop
    return -dots_end(start, end)


@compiled
def _odd_end(start: int, place: int, end: int) -> int:
    """As `one_end`, for a word with a digit or an @ right before a place."""
    stop = inner_end(place, end, _NOWHERE)
    if stop == end:
        return stop
    after = byte_at(stop)
    longer = -1
    if after == COLON and stop - start <= 4:
        longer = groups_end(start, end)
    elif after == SPACE and stop - start <= 2:
        longer = date_end(start, end)
    elif after == EQUALS and not (is_at(stop + 1, end, EQUALS) or is_at(stop + 1, end, GREATER)):
        return -stop if _is_name(start, stop) else stop
    return longer if longer > 0 else stop


@compiled
def _is_name(start: int, stop: int) -> bool:
    """Whether a word is letters and one to three digits, as the names in `name1=value` are."""
    digits = 0
    for place in range(start, stop):
        kind = kind_at(place)
        if kind & DIGIT:
            digits += 1
        elif not kind & LETTER and byte_at(place) != UNDERLINE:
            return False
    return digits <= 3 and not kind_at(start) & DIGIT


@compiled
def _letters_end(start: int, stop: int, end: int) -> int:
    """As `one_end`, for a word without digit or @ that ends at a place."""
    after = byte_at(stop) if stop < end else SPACE
    longer = -1
    if after == COLON:
        if stop - start <= 4:
            longer = groups_end(start, end)
        if longer < 0:
            longer = _rooted_end(start, stop, end)
    if longer < 0 and kind_at(start) & NAMED:
        if after in (SPACE, COMMA):
            longer = date_end(start, end)
        if longer < 0 and _is_textless(start, stop, end):
            return stop
    if longer > 0:
        return longer
    return stop if stop - start >= 8 and after != DOT and run_end(start, stop, HEX) == stop else -stop


@compiled
def _is_textless(start: int, stop: int, end: int) -> bool:
    """Whether a whole word is what print writes for a variable without a text."""
    if not 3 <= stop - start <= 5:
        return False
    code = 0
    for place in range(start, stop):
        code = code << 8 | byte_at(place)
    for other in range(len(_TEXTLESS)):
        if code == _TEXTLESS[other]:
            return code != _NONE or stop == end or not kind_at(stop) & WHITE
    return False


@compiled
def path_end(start: int, end: int) -> int:
    """The place past a path that starts with the slash at a place, and past the query of a URL."""
    stop = inner_end(start + 1, end, QUERY)
    if stop == start + 1:
        return -1
    if is_at(stop, end, QUERY):
        stop += 1
        while stop < end and not kind_at(stop) & QUERY_END:
            stop += 1
    return stop


@compiled
def _rooted_end(start: int, colon: int, end: int) -> int:
    """The place past a path behind a drive (`C:`) or the scheme of a URL (`https:`) that ends at a colon."""
    drive = colon == start + 1 and kind_at(start) & LETTER
    if not (is_at(colon + 1, end, SLASH) and (drive or is_at(colon + 2, end, SLASH))):
        return path_end(colon + 1, end) if drive and is_at(colon + 1, end, BACKSLASH) else -1
    for place in range(start, colon):
        # a scheme starts with a letter, and a letter stands behind each of its dots
        if not kind_at(place) & (LETTER if place == start or byte_at(place - 1) == DOT else SCHEME):
            return -1
    return path_end(colon + 1, end)


@compiled
def groups_end(start: int, end: int) -> int:
    """The place past hexadecimal groups joined by colons: a MAC, IPv6, a time; with a digit, or as long as a MAC."""
    place, groups, pairs = start, 0, 0
    while groups < 7:
        stop = run_end(place, min(place + 4, end), HEX)
        if not is_at(stop, end, COLON):
            break
        pairs += stop - place == 2 and pairs == groups
        groups += 1
        place = stop + 1
    if groups < 2 or not (pairs >= 5 or _has_digit(start, end)):
        return -1
    stop = _last_group_end(place, end)
    if stop < 0 and groups > 2:
        stop = place - 1
    return stop


@compiled
def _has_digit(start: int, end: int) -> bool:
    # seven groups of four and their colons, and the longest last group
    end = min(start + 40, end)
    for place in range(start, end):
        kind = kind_at(place)
        if kind & DIGIT:
            return True
        if not kind & HEX and byte_at(place) != COLON:
            return False
    return False


@compiled
def _last_group_end(start: int, end: int) -> int:
    stop = run_end(start, end, DIGIT)
    if stop > start and is_at(stop, end, DOT):
        dot = stop
        while stop < end and (byte_at(stop) == DOT or kind_at(stop) & DIGIT):
            stop += 1
        if stop == dot + 1 or byte_at(stop - 1) == DOT:
            return -1
    else:
        stop = run_end(start, min(start + 4, end), HEX)
    return -1 if goes_on(stop, end) else stop


@compiled
def date_end(start: int, end: int) -> int:
    """The place past a date with the name of a month, and past its day, time, zone and year."""
    place = start
    stop = _name_end(place, end, _FIRST_DAY, _FIRST_MONTH)
    if stop > 0:
        stop += is_at(stop, end, COMMA)
        place = run_end(stop, end, BLANK)
        if place == stop:
            return -1
    elif kind_at(start) & DIGIT and byte_at(start) > 51:
        return -1
    stop = _month_end(place, end)
    if stop < 0 or (stop < end and kind_at(stop) & (DIGIT | LETTER)):
        return -1
    place = run_end(stop + is_at(stop, end, COMMA), end, BLANK)
    if place > stop + is_at(stop, end, COMMA) and place < end and kind_at(place) & DIGIT:
        place = run_end(place, end, CLOCK)
        if not goes_on(place, end):
            stop = place
    return _year_end(stop, end)


@compiled
def month_end(start: int, end: int) -> int:
    """The place past the name of a month that starts at a place."""
    return _name_end(start, end, _FIRST_MONTH, _PAST_MONTHS)


@compiled
def _name_end(start: int, end: int, first: int, past: int) -> int:
    if start + 3 > end or (start + 8 <= end and not may_be_named(start)):
        return -1
    code = byte_at(start) << 16 | byte_at(start + 1) << 8 | byte_at(start + 2)
    for name in range(first, past):
        if code == _NAMES[name]:
            return run_end(start + 3, min(start + 9, end), LOWER)
    return -1


@compiled
def _month_end(start: int, end: int) -> int:
    stop = _name_end(start, end, _FIRST_MONTH, _PAST_MONTHS)
    place = run_end(stop, end, BLANK) if stop > 0 else start
    if place == stop:
        return -1
    past = run_end(place, min(place + 2, end), DIGIT)
    if past == place:
        return -1
    if stop > 0:
        return past
    return _name_end(past + 1, end, _FIRST_MONTH, _PAST_MONTHS) if is_at(past, end, SPACE) else -1


@compiled
def _year_end(start: int, end: int) -> int:
    place = run_end(start, end, BLANK)
    if place == start:
        return start
    zone = run_end(place, min(place + 4, end), UPPER)
    if zone >= place + 3:
        year = run_end(zone, end, BLANK)
        if year > zone and run_end(year, min(year + 4, end), DIGIT) == year + 4:
            start, place = zone, year
    stop = run_end(place, min(place + 4, end), DIGIT)
    return start if stop < place + 4 or goes_on(stop, end) else stop
