"""Numbers in values: what counts as one, in which unit, and how it is written for people (ours; DESIGN section 6).

A number is decimal, with an optional sign, fraction, exponent and unit, or hexadecimal with `0x`. Its digits make a
whole number below 2^53, which a power of ten up to 10^22 multiplies or divides: both are exact, so the result is
rounded once, and compiled code (`number_bytes`) gives the same bits. The factor of a unit is one more operation.

What has more digits before its point than a double holds is an identifier; digits of a fraction beyond the fifteenth
are dropped, since languages print seventeen. Addresses, dates, versions, `1,234`, `nan` and `inf` are no numbers.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

DIGITS: Final = 15
"""Significant digits that are read: all numbers of so many are below 2^53, and so exact."""

MOST_POWER: Final = 22
"""Powers of ten up to this one are exact as doubles."""

HEX_DIGITS: Final = 13
"""Significant hexadecimal digits at most: 52 bits."""

POWERS: Final = tuple(float(10**power) for power in range(MOST_POWER + 1))


class Unit(NamedTuple):
    """A unit as it is written; a value in it is that many base units (seconds, bytes), or that many make one."""

    name: str
    factor: float
    divides: bool


def _named(names: str, factor: float, *, divides: bool = False) -> list[Unit]:
    return [Unit(name, factor, divides) for name in names.split()]


HEX: Final = "0x"
"""The unit of hexadecimal numbers, which stands before them."""

ROUNDED: Final = 999.5
"""Numbers of four digits and more are written as whole ones."""

_TAILS: Final = {"": "", HEX: "", "%": "%"}

UNITS: Final = (
    *(Unit("", 1.0, False), Unit(HEX, 1.0, False), Unit("%", 1.0, False)),
    *_named("ns nsec nsecs nanosecond nanoseconds", 1e9, divides=True),
    *_named("us \N{MICRO SIGN}s \N{GREEK SMALL LETTER MU}s usec usecs microsecond microseconds", 1e6, divides=True),
    *_named("ms msec msecs millisecond milliseconds", 1e3, divides=True),
    *_named("s sec secs second seconds", 1.0),
    *_named("min mins minute minutes", 60.0),
    *_named("h hour hours", 3600.0),
    *_named("B byte bytes Bytes", 1.0),
    *_named("kB KB KiB", 1024.0),
    *_named("MB MiB", 1024.0**2),
    *_named("GB GiB", 1024.0**3),
    *_named("TB TiB", 1024.0**4),
)
"""All units; a number's unit code is its place here. A lone `m` is none: it may be minutes, metres or a million."""

UNIT_CODES: Final = {unit.name: code for code, unit in enumerate(UNITS)}

_WORDS: Final = "|".join(sorted((re.escape(unit.name) for unit in UNITS[2:]), key=len, reverse=True))
_DECIMAL: Final = re.compile(
    rf"([+-]?)(?:([0-9]+)(?:\.([0-9]+))?|\.([0-9]+))(?:[eE]([+-]?[0-9]{{1,3}}))?(?:[\x00-\x20]*({_WORDS}))?"
)
_HEXADECIMAL: Final = re.compile(rf"0[xX]0*([0-9A-Fa-f]{{1,{HEX_DIGITS}}})")


class Number(NamedTuple):
    """A number in base units (seconds, bytes, per cent, or as it stands), and its unit as written, "" for none."""

    value: float
    unit: str


def number_of(text: str) -> Number | None:
    """Read a text that is a number, or a number and a unit with or without white space between; None for any other.

    >>> number_of("0.61"), number_of("-2e3"), number_of("123ms"), number_of("4 KB"), number_of("0x1f")
    (Number(value=0.61, unit=''), Number(value=-2000.0, unit=''), Number(value=0.123, unit='ms'), \
Number(value=4096.0, unit='KB'), Number(value=31.0, unit='0x'))
    >>> [number_of(text) for text in ("1,234", "10.0.0.1", "1234567890123456", "nan", "5m", "4 files")]
    [None, None, None, None, None, None]
    """
    found = _DECIMAL.fullmatch(text)
    if found is None:
        found = _HEXADECIMAL.fullmatch(text)
        return Number(float(int(found[1], 16)), HEX) if found else None
    sign, whole, fraction, bare, exponent, unit = found.groups()
    value = _decimal(whole or "", fraction or bare or "", int(exponent or 0))
    if value is None:
        return None
    # a difference, so that there is one zero only
    return Number(in_base(0.0 - value if sign == "-" else value, unit or ""), unit or "")


def _decimal(whole: str, fraction: str, exponent: int) -> float | None:
    whole = whole.lstrip("0")
    if len(whole) > DIGITS:
        return None
    zeros = 0 if whole else len(fraction) - len(fraction.lstrip("0"))
    fraction = fraction[: zeros + DIGITS - len(whole)]
    mantissa, power = float(int(whole + fraction or "0")), exponent - len(fraction)
    if abs(power) > MOST_POWER:
        return None
    return mantissa / POWERS[-power] if power < 0 else mantissa * POWERS[power]


def in_base(value: float, unit: str) -> float:
    """Return a value of a unit in base units, by one operation.

    >>> in_base(250.0, "ms"), in_base(2.0, "min")
    (0.25, 120.0)
    """
    _, factor, divides = UNITS[UNIT_CODES[unit]]
    return value / factor if divides else value * factor


def seconds_in(unit: str) -> float:
    """Return what one of a unit is in seconds; 0.0 for a unit of anything else, and for no unit.

    >>> seconds_in("ms"), seconds_in("minutes"), seconds_in("KB"), seconds_in("")
    (0.001, 60.0, 0.0, 0.0)
    """
    code = UNIT_CODES.get(unit, 0)
    return in_base(1.0, unit) if UNIT_CODES["ns"] <= code <= UNIT_CODES["hours"] else 0.0


def shown(value: float, unit: str) -> str:
    """Write a value, given in base units, in a unit, with three digits or as many as a whole number has.

    >>> shown(21.437, "s"), shown(0.0214, "ms"), shown(67108864.0, ""), shown(1536.0, "KB"), shown(12.5, "%")
    ('21.4 s', '21.4 ms', '67,108,864', '1.5 KB', '12.5%')
    >>> shown(255.0, "0x"), shown(123456.7, "s"), shown(-0.0000021, "")
    ('0xff', '123,457 s', '-2.1e-06')
    """
    _, factor, divides = UNITS[UNIT_CODES[unit]]
    if unit == HEX and value >= 0 and value.is_integer():
        return hex(int(value))
    # a sum, so that there is one zero only
    own = (value * factor if divides else value / factor) + 0.0
    is_long = math.isfinite(own) and (own.is_integer() or abs(own) >= ROUNDED) and abs(own) < POWERS[DIGITS]
    return (f"{own:,.0f}" if is_long else f"{own:.3g}") + _TAILS.get(unit, f" {unit}")
