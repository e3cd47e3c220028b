"""Time stamps: a small format language in the manner of strptime, and the formats that logs use (ours).

Directives: %Y %y %m %d %b %a %H %I %M %S %p as usual (English names); %z a numeric zone, %Z a named one; %s seconds,
milli-, micro- or nanoseconds since 1970 (told apart by their digits); %u seconds since start-up; %L a level letter. A
fraction may follow the seconds (`.123`, `,123`, or `:123`) and a zone the stamp without being written; %f writes one
out. A blank stands for any white space.

What a stamp leaves out: without a year it falls in the year that moves time forwards (see `Stamp.seconds`), in 2000
when there is nothing to go by; a time alone likewise by days, from 2000-01-01. A named zone other than UTC is read as
UTC, since names are ambiguous and a constant shift changes no order; numeric offsets are honoured. 29 February in a
common year is read as 1 March, a leap second as the second after.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from offscript.errors import UsageError

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONES = (
    "UTC|GMT|Z|CES?T|EES?T|WES?T|MSK|BST|IST|E[SD]T|C[SD]T|M[SD]T|P[SD]T|AK[SD]T|HST|JST|KST|SGT|HKT|AE[SD]T|AC[SD]T|"
    "AWST|NZ[SD]T|SAST|BRT|ART|CLT|WIB|PKT"
)
_ZONE = rf"Z|\s?[+-](?:0\d|1[0-4]):?[0-5]\d|[+-](?:0\d|1[0-4])|\s(?:{_ZONES})"
_FRACTION = r"[.,]\d{1,9}|:\d{3}(?:\d{3})?"

_DIRECTIVES = {
    "Y": r"\d{4}",
    "y": r"\d\d",
    "m": r"1[0-2]|0?[1-9]",
    "d": r"3[01]|[12]\d|0?[1-9]",
    "b": r"(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}",
    "a": r"(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}",
    "H": r"2[0-3]|[01]?\d",
    "I": r"1[0-2]|0?[1-9]",
    "M": r"[0-5]?\d",
    "S": r"60|[0-5]?\d",
    "p": r"(?i:[ap]m)",
    "z": r"Z|[+-]\d\d:?\d\d|[+-]\d\d",
    "Z": rf"(?:{_ZONES})",
    "s": r"\d{10}(?:\d{3}){0,3}",
    "u": r"\s*\d{1,9}",
    "L": r"[A-Z]",
}
_TWO_DIGITS = {f"{n:02}": n for n in range(60)}
# Without a separator beside them the numbers have their full width.
_FULL_WIDTH = {"m": r"1[0-2]|0[1-9]", "d": r"3[01]|[12]\d|0[1-9]", "H": r"2[0-3]|[01]\d", "M": r"[0-5]\d",
               "S": r"60|[0-5]\d"}  # fmt: skip

FORMATS = (
    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y.%m.%d %H:%M:%S", "%Y-%m-%d-%H.%M.%S",
    "%Y-%m-%d_%H:%M:%S", "%Y/%m/%d-%H:%M:%S", "%Y%m%dT%H%M%S", "%Y%m%d-%H:%M:%S", "%Y%m%d %H:%M:%S", "%Y%m%d%H%M%S",
    "%d/%b/%Y:%H:%M:%S", "%d-%b-%Y %H:%M:%S", "%d/%b/%Y %H:%M:%S", "%d %b %Y %H:%M:%S", "%a, %d %b %Y %H:%M:%S",
    "%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %Z %Y", "%b %d, %Y %I:%M:%S %p", "%b %d, %Y %H:%M:%S",
    "%b %d %Y %H:%M:%S", "%b %d %H:%M:%S %Y", "%y%m%d %H%M%S", "%y%m%d %H:%M:%S", "%y/%m/%d %H:%M:%S",
    "%d/%m/%y %H:%M:%S", "%m/%d/%y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S", "%d-%m-%Y %H:%M:%S", "%s",
    "%b %d %H:%M:%S", "%a %b %d %H:%M:%S", "%L%m%d %H:%M:%S", "%m-%d %H:%M:%S", "%m/%d %H:%M:%S", "%m.%d %H:%M:%S",
    "%H:%M:%S", "[%u]",
)  # fmt: skip
"""Every format that detection tries, those that say more before those that are part of them."""

# The longest of `FORMATS` up to its seconds, with the longest names and blanks, has 46 characters.
LONGEST_START = 64

MOST_FORMS = 1024
"""Stamps remembered by form: logs have some dozens, by names of days and months and by widths of numbers."""

_ZEROS = str.maketrans("123456789", "000000000")

# Years that a log can come from: a number outside is an id that looks like a time.
EARLIEST, LATEST = 631_152_000, 4_102_444_800  # 1990 and 2100

# A stamp that leaves out the year may lie this far before the last one and still be a step back of the clock; further
# back it is taken to be the next year (or day): a quarter of what repeats.
_BACK = {"year": 91 * 86_400, "day": 6 * 3_600}


class Stamp:
    """One compiled time-stamp format (ours).

    `pattern` is a regular expression with the groups a (up to the seconds), f (fraction), b (after it) and z (zone), to
    be placed into a larger one; `bare` the same without groups. `repeats` is "year", "day" or None: what it leaves out.

    >>> Stamp("%b %d %H:%M:%S").read("Dec 10 06:55:46")
    976431346.0
    >>> Stamp("%Y-%m-%d %H:%M:%S").read("2015-10-18 18:01:47,978 +0200")
    1445184107.978
    """

    def __init__(self, form: str) -> None:
        self.form = form
        names = _directives(form)
        self.repeats = _left_out(form, names)
        head, tail = _halves(form)
        self._detail = re.compile(_compiled(head, capture=True) + _compiled(tail, capture=True))
        self.bare = _assemble(head, tail, groups=False)
        self.pattern = _assemble(head, tail, groups=True)
        self._whole = re.compile(rf"\s*{self.pattern}\s*$")
        # Lines that follow each other share the second, or at least the day.
        self._moment = lru_cache(maxsize=1024)(self._add_clock)
        self._base = lru_cache(maxsize=1024)(self._parse)
        self._parts: dict[str, dict[str, tuple[int, int]]] = {}
        self._packed_clock = head.endswith("%H%M%S")
        self._has_clock = self._packed_clock or head.endswith("%H:%M:%S")

    def read(self, text: str, near: float | None = None) -> float | None:
        """Seconds since 1970 of a stamp that is the whole text; None when it is none."""
        match = self._whole.match(text) if len(text) < 64 else None
        if match is None:
            return None
        a, f, b, z = match.group("a", "f", "b", "z")
        return self.seconds(a, f, b, z, near)

    def seconds(self, a: str, f: str | None, b: str, z: str | None, near: float | None) -> float | None:
        """Seconds since 1970 from the four groups of `pattern`; None for a date that does not exist.

        `near` is the last time of the same source: a stamp without a year (or day) is put where it moves time
        forwards from there, or back by at most a quarter of a year (of a day).
        """
        base: float | None = self._moment(a, b, z)
        if base is None:
            return None
        if near is not None and self.repeats is not None:
            base = _next_day(base, near) if self.repeats == "day" else _next_year(int(base), int(near // 86_400))
        # Whole microseconds first: the nearest double of the exact time, whatever the number of digits.
        return (base * 1_000_000 + int(f[1:7].ljust(6, "0"))) / 1_000_000 if f else float(base)

    def start(self) -> str:
        """A pattern that fits the first `LONGEST_START` characters of every stamp of this format, each digit as 0.

        >>> re.match(Stamp("%H:%M:%S").start(), "00:00:00.000 up") is not None
        True
        """
        loose = dict.fromkeys("mdHIMS", r"\d\d?") | {"u": ""}  # blanks without end may stand before the seconds of %u
        return _compiled(_halves(self.form)[0], directives=_DIRECTIVES | loose)

    def parts(self, a: str, b: str) -> dict[str, tuple[int, int]]:
        """Where each directive stands in the text of the groups a and b put together, as (begin, end); {} for none.

        They stand at the same places in any stamp that differs in digits only.

        >>> Stamp("%H:%M:%S").parts("06:55:46", "")["M"]
        (3, 5)
        """
        form = (a + b).translate(_ZEROS)
        parts = self._parts.get(form)
        if parts is None:
            match = self._detail.fullmatch(a + b)
            if match is None:
                return {}
            if len(self._parts) == MOST_FORMS:
                self._parts.clear()
            parts = self._parts[form] = {name: match.span(name) for name in match.groupdict()}
        return parts

    def _add_clock(self, a: str, b: str, z: str | None) -> float | None:
        """The stamp without its fraction: the parsed date is remembered, the clock is added up anew."""
        if not self._has_clock:
            return self._parse(a, b, z)
        cut, minute = (-6, -4) if self._packed_clock else (-8, -5)
        hours, minutes, seconds = _TWO_DIGITS.get(a[cut : cut + 2]), _TWO_DIGITS.get(a[minute : minute + 2]), a[-2:]
        if hours is None or minutes is None or seconds not in _TWO_DIGITS:
            return self._parse(a, b, z)  # digits left out, or a leap second
        midnight: float | None = self._base(a[:cut] + ("000000" if self._packed_clock else "00:00:00"), b, z)
        return None if midnight is None else midnight + hours * 3600 + minutes * 60 + _TWO_DIGITS[seconds]

    def _parse(self, a: str, b: str, z: str | None) -> float | None:
        match = self._detail.fullmatch(a + b)
        if match is None:
            return None
        part = match.groupdict()
        if "u" in part:
            return int(part["u"])
        if "s" in part:
            return _epoch(part["s"])
        return _civil(part, z or part.get("z"))


def _directives(form: str) -> list[str]:
    names = re.findall(r"%(.)", form)
    if unknown := [name for name in names if name not in _DIRECTIVES and name not in "f%"]:
        raise UsageError(f"time format {form!r} has the unknown directive %{unknown[0]}",
                         remedy=f"use %{' %'.join(_DIRECTIVES)} %f")  # fmt: skip
    if len(form) > 100 or len(names) != len(set(names)):
        raise UsageError(f"time format {form[:40]!r} repeats a directive or is too long", remedy="name each part once")
    return names


def _left_out(form: str, names: list[str]) -> str | None:
    if "s" in names or "u" in names:
        return None
    if not {"H", "I"} & set(names):
        raise UsageError(f"time format {form!r} has no time of day", remedy="include %H:%M:%S, or %s for epoch seconds")
    if {"Y", "y"} & set(names):
        return None
    return "year" if {"m", "b"} & set(names) else "day"


def _halves(form: str) -> tuple[str, str]:
    """The format up to the seconds, and after; a fraction that is written out goes, as one may always stand there."""
    last = next((d for d in ("%S", "%s", "%u", "%M", "%H", "%I") if d in form), "")
    head, _, tail = form.partition(last)
    return head + last, re.sub(r"^[.,:]?%f", "", tail)


def _assemble(head: str, tail: str, *, groups: bool) -> str:
    mark = "?P<{}>" if groups else "?:"
    fraction = r"\.\d{3,9}" if "%u" in head else r"\.\d{1,9}" if "%s" in head else _FRACTION
    zone = rf"({mark.format('z')}{_ZONE})?" if "%z" not in tail and "%Z" not in tail and "%u" not in head else (
        rf"({mark.format('z')}(?!))?")  # fmt: skip
    if tail.strip() in ("%z", "%Z"):  # the zone that may always follow
        tail, zone = "", rf"({mark.format('z')}{_ZONE})?"
    optional = "" if "%u" in head else "?"
    return (f"({mark.format('a')}{_compiled(head)})({mark.format('f')}{fraction}){optional}"
            f"({mark.format('b')}{_compiled(tail)}){zone}(?!\\d)")  # fmt: skip


def _compiled(form: str, *, capture: bool = False, directives: dict[str, str] = _DIRECTIVES) -> str:
    out, packed = [], re.search(r"%[a-zA-Z]%[a-zA-Z]", form.replace("%L%m", "%m")) is not None
    for literal, name in re.findall(r"([^%]+)|%(.)", form):
        if literal:
            out.append(re.sub(r"(?:\\ )+", r"\\s{1,3}", re.escape(literal)))
        elif name == "%":
            out.append("%")
        elif name in directives:
            body = _FULL_WIDTH.get(name, directives[name]) if packed and directives is _DIRECTIVES else directives[name]
            out.append(f"(?P<{name}>{body})" if capture else f"(?:{body})")
    return "".join(out)


def _epoch(digits: str) -> float | None:
    seconds = int(digits) / 10 ** (len(digits) - 10)
    return seconds if EARLIEST <= seconds < LATEST else None


def _civil(part: dict[str, str], zone: str | None) -> int | None:
    year = int(part["Y"]) if "Y" in part else _century(int(part["y"])) if "y" in part else 2000
    month = _MONTHS.index(part["b"][:3].lower()) + 1 if "b" in part else int(part.get("m", 1))
    hour = int(part["H"]) if "H" in part else int(part["I"]) % 12 + 12 * (part.get("p", "a")[0] in "pP")
    try:
        midnight = datetime(year, month, int(part.get("d", 1)), tzinfo=UTC)
    except ValueError:
        return None
    clock = timedelta(hours=hour, minutes=int(part.get("M", 0)), seconds=int(part.get("S", 0)))
    return int((midnight + clock).timestamp()) - offset_of(zone) if year < 9999 else None


def _century(year: int) -> int:
    """POSIX: 69 to 99 are of the last century."""
    return 1900 + year if year >= 69 else 2000 + year


def offset_of(zone: str | None) -> int:
    """The seconds that a numeric zone is ahead of UTC; 0 for a named one, and for none.

    >>> offset_of("+02:00"), offset_of("CET")
    (7200, 0)
    """
    digits = (zone or "").strip().replace(":", "")
    if digits[:1] not in ("+", "-"):
        return 0
    seconds = int(digits[1:3]) * 3600 + int(digits[3:5] or 0) * 60
    return -seconds if digits[0] == "-" else seconds


@lru_cache(maxsize=4096)
def _next_year(base: int, near_day: int) -> int:
    """The first year in which the moment, given in 2000, is at most a quarter of a year before the day."""
    moment = datetime.fromtimestamp(base, UTC)
    low = near_day * 86_400 - _BACK["year"]
    year = max(1, datetime.fromtimestamp(low, UTC).year)
    while True:
        leap_day = (moment.month, moment.day) == (2, 29) and not _is_leap(year)
        there = moment.replace(year=year, month=3, day=1) if leap_day else moment.replace(year=year)
        if there.timestamp() >= low or year >= 9998:
            return int(there.timestamp())
        year += 1


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _next_day(base: float, near: float) -> float:
    low = near - _BACK["day"]
    return base + 86_400 * math.ceil((low - base) / 86_400)


@lru_cache(maxsize=256)
def stamp(form: str) -> Stamp:
    """The compiled format, made once; UsageError when it is no format."""
    return Stamp(form)


def time_of(value: Any, form: str | None = None, near: float | None = None) -> float | None:
    """The time that one value of a structured line holds, by the format or by any known one; None for none.

    >>> time_of(1445184107978), time_of("2015-10-18T16:01:47.978Z"), time_of("1e400"), time_of(float("nan"))
    (1445184107.978, 1445184107.978, None, None)
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _time_of_number(value)
    if not isinstance(value, str) or len(value) > 64:
        return None
    for candidate in (form,) if form else FORMATS:
        if (seconds := stamp(candidate).read(value, near)) is not None:
            return seconds
    return None


def _time_of_number(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    for unit in (1, 1_000, 1_000_000, 1_000_000_000):
        if EARLIEST <= value / unit < LATEST:
            return value / unit
    return None


_PLAIN = {
    "%Y": "yyyy", "%y": "yy", "%m": "mm", "%d": "dd", "%b": "mon", "%a": "day", "%H": "hh", "%M": "mm", "%S": "ss",
    "%s": "(seconds since 1970)", "%u": "(seconds since start)", "%L": "(level letter)", "%j": "(day of the year)",
}  # fmt: skip


def plain_form(form: str) -> str:
    """Return a stamp's form as people write it (ours).

    >>> plain_form("%y%m%d %H%M%S"), plain_form("%d/%b/%Y:%H:%M:%S")
    ('yymmdd hhmmss', 'dd/mon/yyyy:hh:mm:ss')
    """
    for code, text in _PLAIN.items():
        form = form.replace(code, text)
    return form
