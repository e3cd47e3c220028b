"""Time stamps read off the bytes of a line at places known beforehand: the compiled twin of `times` (ours).

A `Stamp` finds where its parts stand in one line; in every line of the same shape they stand at the same places. What
cannot be read here exactly as there (a number out of its range, another zone) is told, and left to `times`.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.parse.byte_kinds import byte_at
from offscript.parse.compiled import compiled
from offscript.parse.times import EARLIEST, LATEST, Stamp, offset_of

# Columns of a row: (place, length) of each directive, length 0 where the format lacks it, and what never varies.
_DIGITS: Final = ("Y", "y", "m", "d", "H", "I", "M", "S", "s", "u")
YEAR, SHORT_YEAR, MONTH, DAY, HOUR, HOUR12, MINUTE, SECOND, EPOCH, UPTIME = range(0, 20, 2)
FRACTION, ZONE = 20, 22  # (place, length), the zone's for comparison
SPANNED: Final = 24  # columns that are pairs of place and length
NAMED_MONTH, AFTERNOON, OFFSET, REPEATS = 24, 25, 26, 27  # month 1-12 or 0; 0, 1 or -1; seconds; 0, 1 year, 2 day
ZONE_DIGITS: Final = 28  # of the zone, as one number
WIDTH: Final = 29

_REPEATS: Final = {None: 0, "year": 1, "day": 2}
_MONTHS: Final = "janfebmaraprmayjunjulaugsepoctnovdec"
_LONGEST_EPOCH: Final = 16
"""Digits of an epoch that a double holds exactly: nanoseconds, with 19, are left to `times`."""

_BACK_YEAR: Final = 91 * 86_400
_BACK_DAY: Final = 6 * 3_600

Row = NDArray[np.int64]
Rows = NDArray[np.int64]


def row_of(stamp: Stamp, groups: dict[str, tuple[int, int]], text: str) -> Row | None:
    """Return where the parts of a stamp stand in a line; None when they cannot be read byte by byte.

    `groups` are the spans of the groups a, f, b, z of `Stamp.pattern` in the text, (-1, -1) for one that took no part.

    >>> row_of(Stamp("%H:%M:%S"), {"a": (4, 12), "f": (-1, -1), "b": (12, 12), "z": (-1, -1)}, "at: 06:55:46")[8]
    np.int64(4)
    """
    (a, a_end), (b, b_end), zone = groups["a"], groups["b"], groups["z"]
    parts = stamp.parts(text[a:a_end], text[b:b_end])
    if not parts:
        return None
    row = np.zeros(WIDTH, np.int64)
    placed = {
        name: (begin + (a if begin < a_end - a else b - (a_end - a)), end - begin)
        for name, (begin, end) in parts.items()
    }
    for column, name in zip(range(0, 2 * len(_DIGITS), 2), _DIGITS, strict=True):
        row[column : column + 2] = placed.get(name, (0, 0))
    if row[EPOCH + 1] > _LONGEST_EPOCH:
        return None
    if groups["f"][0] >= 0:
        row[FRACTION : FRACTION + 2] = groups["f"][0] + 1, min(6, groups["f"][1] - groups["f"][0] - 1)
    if zone[0] < 0 and "z" in placed:
        zone = (placed["z"][0], sum(placed["z"]))
    if zone[0] >= 0:
        row[ZONE : ZONE + 2] = zone[0], zone[1] - zone[0]
        row[OFFSET] = offset_of(text[zone[0] : zone[1]])
        row[ZONE_DIGITS] = int("0" + "".join(c for c in text[zone[0] : zone[1]] if c in "0123456789"))
    if "b" in placed:
        begin = placed["b"][0]
        row[NAMED_MONTH] = _MONTHS.index(text[begin : begin + 3].lower()) // 3 + 1
    row[AFTERNOON] = -1 if "p" not in placed else int(text[placed["p"][0]] in "pP")
    row[REPEATS] = _REPEATS[stamp.repeats]
    return row


@compiled
def number_at(begin: int, length: int) -> int:
    """The digits of a stretch of bytes, which begins at an address, as a number; what is no digit is passed over."""
    value = 0
    for place in range(begin, begin + length):
        digit = byte_at(place) - 48
        if 0 <= digit <= 9:
            value = value * 10 + digit
    return value


@compiled
def days_before(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the Gregorian calendar."""
    # years are counted from March, so that the leap day is the last of its year
    year -= month <= 2
    of_era = year % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return (year // 400) * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@compiled
def year_of(days: int) -> int:
    """The year in which a day lies, given in days since 1970-01-01."""
    year = 1970 + days // 366 - 1 if days >= 0 else 1970 + days // 365 - 1
    while days_before(year + 1, 1, 1) <= days:
        year += 1
    return year


@compiled
def is_date(year: int, month: int, day: int) -> bool:
    """Whether the calendar has such a day, in the years 1 to 9998."""
    if not (1 <= year < 9999 and 1 <= month <= 12 and 1 <= day <= 31):
        return False
    if month == 2:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return day <= 28 + leap
    return day <= 30 or month not in (4, 6, 9, 11)


@compiled
def read_stamp(start: int, rows: Rows, line: int, at: int) -> tuple[bool, float, int]:
    """Return whether every part reads as in the row's own line, the seconds since 1970, and the microseconds or -1.

    The line begins at the address `start`, the row at column `at` of a line of `rows`.

    The seconds are those before the fraction, NaN for no date; the year is 2000, and the day its first, where the
    format leaves them out. A number out of its range or another zone may be read otherwise by `times`.
    """
    fits = number_at(start + rows[line, at + ZONE], rows[line, at + ZONE + 1]) == rows[line, at + ZONE_DIGITS]
    micro = -1
    if rows[line, at + FRACTION + 1]:
        micro = number_at(start + rows[line, at + FRACTION], rows[line, at + FRACTION + 1])
        for _ in range(rows[line, at + FRACTION + 1], 6):
            micro *= 10
    if rows[line, at + EPOCH + 1]:
        seconds = number_at(start + rows[line, at + EPOCH], rows[line, at + EPOCH + 1]) / 10.0 ** (
            rows[line, at + EPOCH + 1] - 10
        )
        return fits, seconds if EARLIEST <= seconds < LATEST else math.nan, micro
    if rows[line, at + UPTIME + 1]:
        return fits, float(number_at(start + rows[line, at + UPTIME], rows[line, at + UPTIME + 1])), micro
    in_range, seconds = _civil(start, rows, line, at)
    return fits and in_range, seconds, micro


@compiled
def _civil(start: int, rows: Rows, line: int, at: int) -> tuple[bool, float]:
    month = rows[line, at + NAMED_MONTH] or 1
    if rows[line, at + MONTH + 1]:
        month = number_at(start + rows[line, at + MONTH], rows[line, at + MONTH + 1])
    day = number_at(start + rows[line, at + DAY], rows[line, at + DAY + 1]) if rows[line, at + DAY + 1] else 1
    hour = number_at(start + rows[line, at + HOUR], rows[line, at + HOUR + 1])
    minute = number_at(start + rows[line, at + MINUTE], rows[line, at + MINUTE + 1])
    second = number_at(start + rows[line, at + SECOND], rows[line, at + SECOND + 1])
    fits = 1 <= month <= 12 and 1 <= day <= 31 and hour <= 23 and minute <= 59 and second <= 60
    if rows[line, at + HOUR12 + 1]:
        hour = number_at(start + rows[line, at + HOUR12], rows[line, at + HOUR12 + 1])
        fits = fits and 1 <= hour <= 12
        hour = hour % 12 + 12 * (rows[line, at + AFTERNOON] == 1)
    year = 2000
    if rows[line, at + YEAR + 1]:
        year = number_at(start + rows[line, at + YEAR], rows[line, at + YEAR + 1])
    elif rows[line, at + SHORT_YEAR + 1]:
        year = number_at(start + rows[line, at + SHORT_YEAR], rows[line, at + SHORT_YEAR + 1])
        year += 1900 if year >= 69 else 2000
    if not is_date(year, month, day):
        return fits, math.nan
    return fits, float(
        days_before(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - rows[line, at + OFFSET]
    )


@compiled
def next_year(base: float, near: float) -> float:
    """A moment given in 2000, in the first year in which it is at most a quarter of a year before `near`."""
    days = int(base // 86_400)
    first = days_before(2000, 1, 1)
    low = int(near // 86_400) * 86_400 - _BACK_YEAR
    year = max(1, year_of(low // 86_400))
    while True:
        # the months before and after the leap day, which a common year lacks, are counted from their own ends
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        late = days - first >= 60 or (days - first == 59 and not leap)
        shift = days_before(year, 3, 1) - (first + 60) if late else days_before(year, 1, 1) - first
        if days - first == 59 and not leap:
            shift += 1
        there = base + shift * 86_400
        if there >= low or year >= 9998:
            return there
        year += 1


@compiled
def settle_times(
    repeats: int,
    bases: NDArray[np.float64],
    micros: NDArray[np.int64],
    near: float,
    stamps: NDArray[np.float64],
    times: NDArray[np.float64],
) -> float:
    """Write the times of lines in their order, from their seconds before the fraction and microseconds (-1: none).

    `stamps` receives each line's own time (NaN: none), `times` the last one of the source up to it. `near` is the one
    before the first line; the one after the last is returned.
    """
    for line in range(len(bases)):
        base = bases[line]
        if math.isnan(base):
            stamps[line], times[line] = base, near
            continue
        if repeats == 1 and not math.isnan(near):
            base = next_year(base, near)
        elif repeats == 2 and not math.isnan(near):
            base += 86_400 * math.ceil((near - _BACK_DAY - base) / 86_400)
        near = (base * 1_000_000 + micros[line]) / 1_000_000 if micros[line] >= 0 else base
        stamps[line], times[line] = near, near
    return near
