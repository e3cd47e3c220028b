"""Stamps read off the bytes: what `times` reads from the text, or told to be left to it."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript.parse import times
from offscript.parse.byte_table import address_of
from offscript.parse.stamps import days_before, next_year, read_stamp, row_of, settle_times, year_of
from offscript.parse.times import FORMATS, Stamp

MANY = settings(max_examples=60, deadline=None)
DATES = st.datetimes(datetime(1971, 1, 1), datetime(2098, 12, 31))
DIGITS = re.compile("[0-9]")


def written(form: str, moment: datetime) -> str:
    """A stamp of a format, in English whatever the locale, with a fraction where one may stand."""
    seconds = int(moment.replace(tzinfo=UTC).timestamp()) % 2_000_000_000 + 1_000_000_000
    text = form.replace("%s", str(seconds)).replace("%u", f"{seconds % 10_000:4}.000{seconds % 1_000:03}")
    text = text.replace("%b", moment.strftime("%b")).replace("%L", "I").replace("%Z", "UTC")
    return moment.strftime(text)


def read_both(form: str, shape: str, text: str) -> tuple[bool, float | None, float | None]:
    """Whether the bytes of `text` read as those of `shape`; and the time by the bytes, and by `times`."""
    stamp = Stamp(form)
    found = re.compile(stamp.pattern).match(shape)
    assert found is not None
    row = row_of(stamp, {name: found.span(name) for name in "afbz"}, shape)
    assert row is not None
    data = np.frombuffer(text.encode(), np.uint8)
    fits, base, micro = read_stamp(address_of(data), row.reshape(1, -1), 0, 0)
    time = None if math.isnan(base) else (base * 1_000_000 + micro) / 1_000_000 if micro >= 0 else base
    return fits, time, stamp.read(text)


@pytest.mark.parametrize("form", FORMATS)
@MANY
@given(moment=DATES, other=DATES, digits=st.lists(st.integers(0, 9), min_size=30, max_size=30))
def test_bytes_read_as_text(form: str, moment: datetime, other: datetime, digits: list[int]) -> None:
    """Any stamp of a shape reads as `times` reads it, or is told not to; so does one with any digits at all."""
    shape, text = written(form, moment), written(form, other)
    random_text = DIGITS.sub(lambda found: str(digits[found.start() % 30]), shape)
    for candidate in (text, random_text):
        if DIGITS.sub("0", candidate) != DIGITS.sub("0", shape):
            continue
        fits, by_bytes, by_text = read_both(form, shape, candidate)
        if fits:
            assert by_bytes == by_text
    fits, by_bytes, by_text = read_both(form, shape, shape)
    assert fits
    assert by_bytes == by_text


@MANY
@given(st.integers(-300_000, 900_000))
def test_days_and_years(day: int) -> None:
    """Days count as in the calendar of the standard library."""
    date = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date()
    assert days_before(date.year, date.month, date.day) == day
    assert year_of(day) == date.year


@MANY
@given(st.integers(0, 366 * 86_400 - 1), st.floats(0, 4e9))
def test_the_next_year_is_the_same(seconds: int, near: float) -> None:
    """A stamp without a year falls in the year that `times` gives it, 29 February included."""
    base = 946_684_800 + seconds
    assert next_year(float(base), near) == times._next_year(base, int(near // 86_400))


@MANY
@given(st.sampled_from(["%b %d %H:%M:%S", "%H:%M:%S"]), st.lists(DATES, min_size=1, max_size=8), st.booleans())
def test_times_in_order(form: str, moments: list[datetime], begun: bool) -> None:
    """Stamps that leave out the year or day are settled one after the other, as the lines of a source are."""
    stamp = Stamp(form)
    near: float | None = 1.7e9 if begun else None
    expected: list[float | None] = []
    for moment in moments:
        near = stamp.read(written(form, moment), near)
        expected.append(near)
    bases = np.array([stamp.read(written(form, moment)) for moment in moments])
    out, carried = np.empty((2, len(moments)))
    micros = np.full(len(moments), -1)
    repeats = {"year": 1, "day": 2}[stamp.repeats or ""]
    settle_times(repeats, bases, micros, 1.7e9 if begun else math.nan, out, carried)
    assert out.tolist() == expected == carried.tolist()
