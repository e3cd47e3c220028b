"""Numbers read from bytes: the compiled twin of `numbers` (ours).

Every bound of `numbers` is one here, and every operation on doubles the same one in the same order. Places are
addresses; no byte at or behind `end` is read.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from offscript.parse.byte_kinds import DIGIT, DOT, HEX, MINUS, WHITE, byte_at, fixed, kind_at, run_end
from offscript.parse.compiled import compiled
from offscript.parse.numbers import DIGITS, HEX_DIGITS, MOST_POWER, POWERS, UNIT_CODES, UNITS
from offscript.parse.numbers import HEX as HEX_UNIT

NO_UNIT: Final = fixed(UNIT_CODES[""])
NO_NUMBER: Final = fixed(255)
"""The unit code of what is no number."""

_HEXADECIMAL: Final = fixed(UNIT_CODES[HEX_UNIT])
_FIRST_UNIT: Final = fixed(2)  # before it are those that do not stand behind a number
_NAMES: Final = [unit.name.encode() for unit in UNITS]
_LETTERS: Final = np.frombuffer(b"".join(_NAMES), np.uint8).astype(np.int64)
_BEGINS: Final = np.cumsum([0, *map(len, _NAMES)])
_FACTORS: Final = np.array([unit.factor for unit in UNITS])
_DIVIDES: Final = np.array([unit.divides for unit in UNITS])
_POWERS: Final = np.array(POWERS)
_NAN: Final = float("nan")
_PLUS, _ZERO, _CASE, _LETTER_E, _LETTER_X = [fixed(sign) for sign in b"+0 ex"]
_NOTHING, _TEN, _FOUR_BITS = fixed(0), fixed(10), fixed(4)
_MOST_DIGITS, _MOST_HEX, _MOST_EXPONENT = fixed(DIGITS), fixed(HEX_DIGITS), fixed(3)
_MOST_POWER: Final = fixed(MOST_POWER)


@compiled
def number_at(begin: int, end: int) -> tuple[float, int]:
    """Read the number that stands from an address up to another, and its unit code; (nan, `NO_NUMBER`) for none."""
    place = begin
    if place < end and (byte_at(place) == MINUS or byte_at(place) == _PLUS):
        place += 1
    if place == end or not (kind_at(place) & DIGIT or byte_at(place) == DOT):
        return _NAN, NO_NUMBER
    if end - begin > 2 and byte_at(begin) == _ZERO and byte_at(begin + 1) | _CASE == _LETTER_X:
        return _hexadecimal(begin + 2, end)
    value, place = _decimal(place, end)
    if place < 0:
        return _NAN, NO_NUMBER
    unit = _unit_at(place, end) if place < end else NO_UNIT
    if unit == NO_NUMBER:
        return _NAN, NO_NUMBER
    if byte_at(begin) == MINUS:
        value = 0.0 - value
    return in_base_of(value, unit), unit


@compiled
def in_base_of(value: float, unit: int) -> float:
    """A value of a unit, given by its code, in base units."""
    return float(value / _FACTORS[unit] if _DIVIDES[unit] else value * _FACTORS[unit])


@compiled
def _decimal(place: int, end: int) -> tuple[float, int]:
    """The number without sign and unit at an address, and the address past it; -1 where there is none."""
    mantissa, digits, past = _whole(place, end)
    power = _NOTHING
    if past > 0 and past < end and byte_at(past) == DOT:
        mantissa, power, past = _fraction(past + 1, end, mantissa, digits)
    elif past == place:
        return _NAN, -1
    if past > 0 and past < end and byte_at(past) | _CASE == _LETTER_E:
        exponent, past = _exponent(past + 1, end)
        power += exponent
    if past < 0 or power > _MOST_POWER or power < -_MOST_POWER:
        return _NAN, -1
    value = float(mantissa)
    return (value / _POWERS[-power] if power < 0 else value * _POWERS[power]), past


@compiled
def _whole(place: int, end: int) -> tuple[int, int, int]:
    """The digits at an address as a number, how many are significant, and the address past them; -1: too many."""
    while place < end and byte_at(place) == _ZERO:
        place += 1
    first = place
    mantissa = _NOTHING
    while place < end and kind_at(place) & DIGIT:
        if place - first == _MOST_DIGITS:
            return mantissa, _MOST_DIGITS, -1
        mantissa = mantissa * _TEN + (byte_at(place) - _ZERO)
        place += 1
    return mantissa, place - first, place


@compiled
def _fraction(place: int, end: int, mantissa: int, digits: int) -> tuple[int, int, int]:
    """A mantissa with the digits at an address behind it, the power of ten, and the address past them; -1: none."""
    first, power = place, _NOTHING
    while place < end and kind_at(place) & DIGIT:
        digit = byte_at(place) - _ZERO
        if digits < _MOST_DIGITS:
            mantissa = mantissa * _TEN + digit
            power -= 1
            # zeros in front are not significant
            digits += digits > 0 or digit > 0
        place += 1
    return mantissa, power, (place if place > first else -1)


@compiled
def _exponent(place: int, end: int) -> tuple[int, int]:
    """The exponent at an address, and the address past it; -1 where there is none."""
    minus = place < end and byte_at(place) == MINUS
    if minus or (place < end and byte_at(place) == _PLUS):
        place += 1
    past = run_end(place, end, DIGIT)
    if past == place or past - place > _MOST_EXPONENT:
        return 0, -1
    exponent = 0
    for at in range(place, past):
        exponent = exponent * 10 + (byte_at(at) - _ZERO)
    return (-exponent if minus else exponent), past


@compiled
def _hexadecimal(place: int, end: int) -> tuple[float, int]:
    last = end - 1
    while place < last and byte_at(place) == _ZERO:
        place += 1
    if place == end or end - place > _MOST_HEX or run_end(place, end, HEX) < end:
        return _NAN, NO_NUMBER
    number = _NOTHING
    for at in range(place, end):
        byte = byte_at(at)
        number = (number << _FOUR_BITS) | (byte - _ZERO if byte <= 57 else (byte | _CASE) - 87)
    return float(number), _HEXADECIMAL


@compiled
def _unit_at(place: int, end: int) -> int:
    """The code of the unit that stands from an address, with or without white space before it, up to another."""
    place = run_end(place, end, WHITE)
    for unit in range(_FIRST_UNIT, len(_FACTORS)):
        begin, size = _BEGINS[unit], _BEGINS[unit + 1] - _BEGINS[unit]
        if size == end - place:
            same = True
            for step in range(size):
                same = same and byte_at(place + step) == _LETTERS[begin + step]
            if same:
                return unit
    return NO_NUMBER
