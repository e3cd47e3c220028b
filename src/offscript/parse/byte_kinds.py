"""Bytes of log text read from memory, one or eight at a time, and what each may be part of (ours).

Compiled code that hands numpy arrays from function to function counts references to them at every call, which costs
several times what the reading does. So here a place is the address of a byte: the one function that has the arrays
takes their addresses, and answers for every place that it hands on. A caller that keeps within the message cannot read
beyond it: no function here reads a byte at or behind `end`, and those without one say what they read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from offscript.parse.compiled import compiled


def fixed(number: int) -> int:
    """Return a number of a fixed type: numba compiles a function anew for each literal that it is called with.

    >>> fixed(7) + 1
    np.int64(8)
    """
    return cast("int", np.int64(number))


WORD: Final = fixed(1 << 0)  # of a word: no delimiter
PAUSE: Final = fixed(1 << 1)  # where a run of plain characters ends: a delimiter, a dot, a digit, an @
DIGIT: Final = fixed(1 << 2)
HEX: Final = fixed(1 << 3)
LETTER: Final = fixed(1 << 4)
LOWER: Final = fixed(1 << 5)
UPPER: Final = fixed(1 << 6)
WHITE: Final = fixed(1 << 7)  # white space, control characters included
BLANK: Final = fixed(1 << 8)  # the space
GLUE: Final = fixed(1 << 9)  # what joins values
MARK: Final = fixed(1 << 10)  # what nearly every value has
ABSENT: Final = fixed(1 << 11)  # what stands for absent values in a list
SCHEME: Final = fixed(1 << 12)  # of the front of a URL
CLOCK: Final = fixed(1 << 13)
NAMED: Final = fixed(1 << 14)  # in front of a day, a month, or a word for a variable without text
OPENING: Final = fixed(1 << 15)
QUERY_END: Final = fixed(1 << 16)
SIGN: Final = fixed(1 << 17)  # a token of its own, whatever stands around it
CALM: Final = fixed(1 << 18)  # letters before it are no part of a value

LINE_FEED: Final = fixed(10)
SPACE, QUOTE, APOSTROPHE, ROUND_END, STAR, COMMA, MINUS, DOT, SLASH = [fixed(sign) for sign in b" \"')*,-./"]
COLON, LESS, EQUALS, GREATER, QUERY, AT, BACKSLASH, SQUARE_END, UNDERLINE = [fixed(sign) for sign in b":<=>?@\\]_"]

_DIGITS: Final = b"0123456789"
_LOWER: Final = bytes(range(97, 123))
_UPPER: Final = bytes(range(65, 91))
_WHITE: Final = bytes(range(33))
_DELIMITERS: Final = _WHITE + b"=:,;()[]{}<>\"'|`"
_MEMBERS: Final = {
    WORD: bytes(set(range(256)).difference(_DELIMITERS)),
    PAUSE: _DELIMITERS + _DIGITS + b".@",
    DIGIT: _DIGITS,
    HEX: _DIGITS + b"abcdefABCDEF",
    LETTER: _LOWER + _UPPER,
    LOWER: _LOWER,
    UPPER: _UPPER,
    WHITE: _WHITE,
    BLANK: b" ",
    GLUE: b",;:|",
    MARK: _DIGITS + b"/@",
    ABSENT: b"-*?.",
    SCHEME: _LOWER + _UPPER + b".+-",
    CLOCK: _DIGITS + b":.",
    NAMED: b"ADFJMNOSTWfnt",
    OPENING: b"[(",
    QUERY_END: _WHITE + b"\"'<>",
    SIGN: b"=,;()[]{}>\"'|`",
    CALM: _WHITE + b'=,;()[]{}<>"|`',
}
KINDS: Final = np.array([sum(kind for kind, of in _MEMBERS.items() if byte in of) for byte in range(256)], np.int32)

_BYTE, _EIGHT = ir.IntType(8), ir.IntType(64)
_Lowering = Callable[[Any, Any, Any, Any], Any]


def _byte_at(_context: Any, _place: Any) -> tuple[Any, _Lowering]:
    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], _BYTE.as_pointer())
        return builder.zext(builder.load(pointer), _EIGHT)

    return types.int64(types.int64), lower


def _eight_at(_context: Any, _place: Any) -> tuple[Any, _Lowering]:
    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], _EIGHT.as_pointer())
        eight = builder.load(pointer, align=1)
        return eight if sys.byteorder == "little" else builder.bswap(eight)

    return types.uint64(types.int64), lower


def _put(width: Any) -> Callable[[Any, Any, Any], tuple[Any, _Lowering]]:
    def put(_context: Any, _place: Any, _number: Any) -> tuple[Any, _Lowering]:
        def lower(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            pointer = builder.inttoptr(arguments[0], width.as_pointer())
            builder.store(builder.trunc(arguments[1], width) if width is _BYTE else arguments[1], pointer, align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), lower

    return put


def _copy_eight(_context: Any, _place: Any, _target: Any) -> tuple[Any, _Lowering]:
    def lower(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        source, target = (builder.inttoptr(place, _EIGHT.as_pointer()) for place in arguments)
        builder.store(builder.load(source, align=1), target, align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), lower


def _first_flagged(_context: Any, _flags: Any) -> tuple[Any, _Lowering]:
    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.lshr(builder.cttz(arguments[0], ir.IntType(1)(0)), _EIGHT(3))

    return types.int64(types.uint64), lower


_WIDE: Final = ir.VectorType(_BYTE, 32)
_LANES: Final = ir.VectorType(_EIGHT, 4)


def _all(kind: Any, number: int) -> Any:
    return ir.Constant(kind, [number] * kind.count)


def _fold_wide(_context: Any, _place: Any, _target: Any, _sums: Any) -> tuple[Any, _Lowering]:
    def lower(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        source, target = (builder.inttoptr(place, _WIDE.as_pointer()) for place in arguments[:2])
        sums = builder.inttoptr(arguments[2], _LANES.as_pointer())
        read = builder.load(source, align=1)
        is_digit = builder.icmp_unsigned("<", builder.sub(read, _all(_WIDE, 48)), _all(_WIDE, 10))
        folded = builder.select(is_digit, _all(_WIDE, 48), read)
        builder.store(folded, target, align=1)
        # each lane's halves are multiplied, which machines do for several lanes at once, and turned sums tell order
        lanes, summed = builder.bitcast(folded, _LANES), builder.load(sums, align=1)
        keyed = builder.xor(lanes, ir.Constant(_LANES, list(_KEYS)))
        low, high = builder.and_(keyed, _all(_LANES, 0xFFFFFFFF)), builder.lshr(keyed, _all(_LANES, 32))
        turned = builder.or_(builder.shl(summed, _all(_LANES, 13)), builder.lshr(summed, _all(_LANES, 51)))
        builder.store(builder.add(builder.add(turned, keyed), builder.mul(low, high)), sums, align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), lower


def _differ_wide(_context: Any, _first: Any, _second: Any) -> tuple[Any, _Lowering]:
    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointers = [builder.inttoptr(place, _WIDE.as_pointer()) for place in arguments]
        first, second = (builder.load(pointer, align=1) for pointer in pointers)
        flags = builder.bitcast(builder.icmp_unsigned("!=", first, second), ir.IntType(32))
        return builder.zext(flags, _EIGHT)

    return types.int64(types.int64, types.int64), lower


_MANY: Final = ir.VectorType(_BYTE, 64)


def _line_feeds_at(_context: Any, _place: Any) -> tuple[Any, _Lowering]:
    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        read = builder.load(builder.inttoptr(arguments[0], _MANY.as_pointer()), align=1)
        flags = builder.bitcast(builder.icmp_unsigned("==", read, _all(_MANY, 10)), _EIGHT)
        return flags if sys.byteorder == "little" else builder.bitreverse(flags)

    return types.uint64(types.int64), lower


def _lowest_bit(_context: Any, _flags: Any) -> tuple[Any, _Lowering]:
    def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(0))

    return types.int64(types.uint64), lower


# Bits all over: digits of the golden ratio, and of the square roots of 2, 3 and 5.
_KEYS: Final = (0x9E3779B97F4A7C15, 0x6A09E667F3BCC909, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B)

_lowered: Any = intrinsic  # its types are those of the lowering, not of what it makes

byte_at: Callable[[int], int] = _lowered(_byte_at)
"""The byte at an address."""

eight_at: Callable[[int], Any] = _lowered(_eight_at)
"""The eight bytes from an address on as one number without sign, the first of them its lowest part."""

put_byte: Callable[[int, int], None] = _lowered(_put(_BYTE))
"""Write a byte to an address."""

put_number: Callable[[int, int], None] = _lowered(_put(_EIGHT))
"""Write a number of 64 bits to an address."""

copy_eight: Callable[[int, int], None] = _lowered(_copy_eight)
"""Copy eight bytes from an address to another."""

fold_wide: Callable[[int, int, int], None] = _lowered(_fold_wide)
"""Copy 32 bytes from an address to another, each digit as 0, and mix them into the four sums at a third."""

differ_wide: Callable[[int, int], int] = _lowered(_differ_wide)
"""A number that is 0 where 32 bytes from two addresses on are the same."""

line_feeds_at: Callable[[int], Any] = _lowered(_line_feeds_at)
"""A number whose bits, from the lowest on, tell which of the 64 bytes from an address on are line feeds."""

lowest_bit: Callable[[Any], int] = _lowered(_lowest_bit)
"""Which bit of a number of 64, from the lowest on, is the first that is not 0; 64 where all are."""

first_flagged: Callable[[Any], int] = _lowered(_first_flagged)
"""Which of the eight bytes of a number, from the lowest on, is the first that is not 0: 0 to 7, or 8."""


def _eight(byte: int) -> Any:
    return np.uint64(0x0101010101010101 * byte)


# Eight bytes are judged at once by sums that never carry from one into the next: of numbers below 128.
_LOWS, _TOPS, _CASE = _eight(0x7F), _eight(0x80), _eight(0x20)
_FROM_A, _PAST_Z, _FROM_MINUS, _PAST_NINE = (_eight(128 - byte) for byte in (97, 123, 45, 58))
_ZEROS, _PAST_DIGITS = _eight(48), _eight(128 - 10)
_THREE, _SEVEN = np.uint64(3), np.uint64(7)
_DOTS, _QUOTES, _ONES = _eight(46), _eight(34), _eight(1)
_ONE_BYTE: Final = np.uint64(8)


@compiled
def zeros_for_digits(eight: Any) -> Any:
    """Eight bytes with each digit as 0."""
    digits = ~((((eight ^ _ZEROS) & _LOWS) + _PAST_DIGITS) | eight) & _TOPS
    # of a digit's byte the lower half goes
    return eight & ~((digits >> _THREE) - (digits >> _SEVEN))


@compiled
def letters_at(place: int) -> int:
    """How many of the eight bytes from a place on are letters, up to the first that is none."""
    eight = eight_at(place)
    low = (eight | _CASE) & _LOWS
    return first_flagged((~(low + _FROM_A) | (low + _PAST_Z) | eight) & _TOPS)


@compiled
def inner_at(place: int) -> int:
    """How many of the eight bytes from a place on are surely inside a word: letters, digits, `-`, `/`, dots between."""
    eight = eight_at(place)
    low = eight & _LOWS
    cased = low | _CASE
    letter = (cased + _FROM_A) & ~(cased + _PAST_Z)
    digit = (low + _FROM_MINUS) & ~(low + _PAST_NINE)
    other = ~(letter | digit) | eight
    no_dot = (((eight ^ _DOTS) & _LOWS) + _LOWS) | eight
    # what follows the last byte is not known, so a dot there is not sure
    return first_flagged((other | (~no_dot & ~((no_dot & ~other & _TOPS) >> _ONE_BYTE))) & _TOPS)


@compiled
def quote_after(place: int, end: int) -> int:
    """The place of the first double quote from a place on, or the end."""
    while place + 8 <= end:
        differs = eight_at(place) ^ _QUOTES
        past = first_flagged((differs - _ONES) & ~differs & _TOPS)
        place += past
        if past < 8:
            return place
    while place < end and byte_at(place) != QUOTE:
        place += 1
    return place


@compiled
def kind_at(place: int) -> int:
    """What the byte at a place may be part of."""
    return int(KINDS[byte_at(place)])


@compiled
def run_end(place: int, end: int, kinds: int) -> int:
    """The place past a run of bytes of any of these kinds."""
    while place < end and KINDS[byte_at(place)] & kinds:
        place += 1
    return place


@compiled
def is_at(place: int, end: int, byte: int) -> bool:
    """Whether a byte stands at a place."""
    return place < end and byte_at(place) == byte


@compiled
def is_among(place: int, end: int, byte: int) -> bool:
    """Whether a byte stands at a place, or at one behind it."""
    while place < end and byte_at(place) != byte:
        place += 1
    return place < end


@compiled
def goes_on(place: int, end: int) -> bool:
    """Whether a character of a word stands at a place."""
    return place < end and KINDS[byte_at(place)] & WORD != 0


@compiled
def is_inner_dot(place: int, end: int) -> bool:
    """Whether a dot stands at a place, and the word goes on behind it."""
    return byte_at(place) == DOT and goes_on(place + 1, end) and byte_at(place + 1) != DOT


@compiled
def dots_end(place: int, end: int) -> int:
    """The place past dots in a row, or past the one delimiter that stands at a place."""
    stop = place + 1
    if byte_at(place) == DOT:
        while is_at(stop, end, DOT):
            stop += 1
    return stop


@compiled
def inner_end(place: int, end: int, halt: int) -> int:
    """The place past a run of a word's characters, dots only where the word goes on, up to a byte `halt` (-1: none)."""
    while place < end:
        if place + 8 <= end:
            sure = inner_at(place)
            place += sure
            if sure >= 7:
                continue
        byte = byte_at(place)
        if byte == DOT:
            if not is_inner_dot(place, end):
                break
        elif byte == halt or not KINDS[byte] & WORD:
            break
        place += 1
    return place


@compiled
def plain_end(place: int, end: int) -> int:
    """The place past a run of a word's characters before its first digit or @, dots only where the word goes on."""
    while place < end:
        if place + 8 <= end:
            letters = letters_at(place)
            place += letters
            if letters == 8:
                continue
        if KINDS[byte_at(place)] & PAUSE and not is_inner_dot(place, end):
            break
        place += 1
    return place
