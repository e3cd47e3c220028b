"""Time stamps: each format, to the microsecond; years and days that are left out; hostile values."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript.errors import UsageError
from offscript.parse.forms import form_of
from offscript.parse.times import FORMATS, LONGEST_START, Stamp, stamp, time_of

WITH_YEAR = [form for form in FORMATS if "%Y" in form and "%I" not in form]


def at(text: str) -> float:
    """Return the seconds of an ISO time, UTC unless it says otherwise."""
    return datetime.fromisoformat(text).replace(tzinfo=datetime.fromisoformat(text).tzinfo or UTC).timestamp()


@pytest.mark.parametrize(
    ("form", "text", "moment"),
    [
        ("%Y-%m-%dT%H:%M:%S", "2026-11-21T10:00:00.123456Z", "2026-11-21T10:00:00.123456"),
        ("%Y-%m-%dT%H:%M:%S", "2026-11-21T10:00:00.123456789+05:30", "2026-11-21T10:00:00.123456+05:30"),
        ("%Y-%m-%d %H:%M:%S", "2015-10-18 18:01:47,978", "2015-10-18T18:01:47.978"),
        ("%Y-%m-%d %H:%M:%S", "2026-11-21 10:00:00.123 UTC", "2026-11-21T10:00:00.123"),
        ("%Y-%m-%d %H:%M:%S", "2026-11-21 10:00:00 -0800", "2026-11-21T10:00:00-08:00"),
        ("%y%m%d %H%M%S", "081109 203518", "2008-11-09T20:35:18"),
        ("%s", "1445184107", "2015-10-18T16:01:47"),
        ("%s", "1445184107978", "2015-10-18T16:01:47.978"),
        ("%s", "1445184107978123", "2015-10-18T16:01:47.978123"),
        ("%s", "1117838570.25", "2005-06-03T22:42:50.25"),
        ("%y/%m/%d %H:%M:%S", "17/06/09 20:10:40", "2017-06-09T20:10:40"),
        ("%d/%b/%Y:%H:%M:%S", "10/Oct/2000:13:55:36 -0700", "2000-10-10T13:55:36-07:00"),
        ("%a %b %d %H:%M:%S %Y", "Sun Dec 04 04:47:44 2005", "2005-12-04T04:47:44"),
        ("%a %b %d %H:%M:%S %Y", "Sun Dec 04 04:47:44.123456 2005", "2005-12-04T04:47:44.123456"),
        ("%Y-%m-%d-%H.%M.%S", "2005-06-03-15.42.50.363779", "2005-06-03T15:42:50.363779"),
        ("%Y%m%d-%H:%M:%S", "20171223-22:15:29:606", "2017-12-23T22:15:29.606"),
        ("%b %d, %Y %I:%M:%S %p", "Nov 21, 2026 12:47:44 AM", "2026-11-21T00:47:44"),
        ("%b %d %H:%M:%S", "Dec 10 06:55:46", "2000-12-10T06:55:46"),
        ("%b %d %H:%M:%S", "Jul  1 09:00:55", "2000-07-01T09:00:55"),
        ("%m-%d %H:%M:%S", "03-17 16:13:38.811", "2000-03-17T16:13:38.811"),
        ("%L%m%d %H:%M:%S", "I0102 15:04:05.000001", "2000-01-02T15:04:05.000001"),
        ("%H:%M:%S", "20:10:40", "2000-01-01T20:10:40"),
        ("[%u]", "[   12.345678]", "1970-01-01T00:00:12.345678"),
        ("%Y-%m-%d %H:%M:%S", "2016-12-31 23:59:60", "2017-01-01T00:00:00"),
    ],
)
def test_each_format_is_read_to_the_microsecond(form: str, text: str, moment: str) -> None:
    """The time is exact, and the first format that reads the text is the one meant for it."""
    assert stamp(form).read(text) == at(moment)
    assert next(known for known in FORMATS if stamp(known).read(text) is not None) == form


WRITTEN = {
    "Y": ["1999", "2024"], "y": ["99", "07"], "m": ["1", "07", "12"], "d": ["3", "07", "31"], "b": ["Sep", "september"],
    "a": ["Mon", "wednesday"], "H": ["0", "07", "23"], "I": ["7", "12"], "M": ["0", "07", "59"], "S": ["0", "07", "60"],
    "p": ["AM", "pm"], "Z": ["UTC", "CEST"], "s": ["1445184107", "1445184107978"], "u": ["   7", "12345"], "L": ["I"],
}  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.data(), st.sampled_from(FORMATS), st.sampled_from([" ", "   ", "\t"]), st.sampled_from(["", ".123", " +0200 x"])
)
def test_the_start_of_a_format_fits_all_its_stamps(data: st.DataObject, form: str, blank: str, after: str) -> None:
    """No stamp is passed over because its digits are 0 or what follows its start is cut off."""
    text = re.sub("%(.)", lambda found: data.draw(st.sampled_from(WRITTEN[found[1]])), form).replace(" ", blank) + after
    if re.match(stamp(form).pattern, text):
        assert re.match(stamp(form).start(), form_of(text)[:LONGEST_START])


@settings(max_examples=150, deadline=None)
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2068, 12, 31)),
    st.sampled_from([f for f in FORMATS if "%Y" in f and "%I" not in f]),
)
def test_what_strftime_writes_is_read_back(moment: datetime, form: str) -> None:
    """Every format with a year reads back what the standard library writes, whatever the day."""
    text = moment.strftime(form.replace("%Z", "UTC"))
    assert stamp(form).read(text) == moment.replace(microsecond=0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("near", "text", "moment"),
    [
        ("2025-12-31T23:59:59", "Jan  1 00:00:01", "2026-01-01T00:00:01"),
        ("2026-01-01T00:00:01", "Dec 31 23:59:59", "2025-12-31T23:59:59"),  # a step back of the clock
        ("2026-03-01T00:00:00", "Feb 28 10:00:00", "2026-02-28T10:00:00"),
        ("2026-01-10T00:00:00", "Sep  1 00:00:00", "2026-09-01T00:00:00"),  # a long silence
        ("2027-12-31T00:00:00", "Feb 29 12:00:00", "2028-02-29T12:00:00"),
        ("2026-02-28T23:00:00", "Feb 29 12:00:00", "2026-03-01T12:00:00"),
    ],
)
def test_the_year_moves_time_forwards(near: str, text: str, moment: str) -> None:
    """Without a year the stamp lies after the last one, or at most a quarter of a year before it."""
    assert stamp("%b %d %H:%M:%S").read(text, at(near)) == at(moment)


@pytest.mark.parametrize(
    ("near", "text", "moment"),
    [
        ("2026-11-21T23:59:59", "00:00:01", "2026-11-22T00:00:01"),
        ("2026-11-22T00:00:01", "23:59:59", "2026-11-21T23:59:59"),
        ("2026-11-21T08:00:00", "20:00:00", "2026-11-21T20:00:00"),
        ("2026-11-21T20:00:00", "08:00:00", "2026-11-22T08:00:00"),
    ],
)
def test_a_time_alone_rolls_over_midnight(near: str, text: str, moment: str) -> None:
    """A time of day lies after the last one, or at most six hours before it."""
    assert stamp("%H:%M:%S").read(text, at(near)) == at(moment)


@settings(max_examples=100, deadline=None)
@given(st.datetimes(datetime(1999, 1, 1), datetime(2060, 1, 1)), st.lists(st.integers(0, 86_400 * 270), max_size=20))
def test_a_year_less_log_keeps_its_gaps(start: datetime, gaps: list[int]) -> None:
    """Any log with gaps below nine months is read with its true gaps, over any number of New Years."""
    true = start.replace(microsecond=0, tzinfo=UTC).timestamp()
    near = true
    for gap in gaps:
        true += gap
        text = datetime.fromtimestamp(true, UTC).strftime("%b %d %H:%M:%S")
        near_now = stamp("%b %d %H:%M:%S").read(text, near)
        assert near_now == true
        near = near_now


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60_000_000), st.none() | st.integers(0, 2_000_000_000)), max_size=30))
def test_caches_change_no_answer(asked: list[tuple[int, int | None]]) -> None:
    """A stamp that has read many texts answers as a fresh one does."""
    used = Stamp("%b %d %H:%M:%S")
    for second, near in asked:
        text = datetime.fromtimestamp(second, UTC).strftime("%b %d %H:%M:%S")
        assert used.read(text, near) == Stamp("%b %d %H:%M:%S").read(text, near)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -1,
        0,
        True,
        None,
        [],
        {},
        "1e400",
        "",
        "x" * 10_000,
        "2026-13-01 00:00:00",
        "2026-02-30 00:00:00",
        "9999999999999999999999",
        10**30,
        "1e3",
        "2026-11-21",
        "25:00:00",
        "NaN",
    ],
)
def test_what_is_no_time_gives_none(value: object) -> None:
    """Impossible dates, numbers outside 1990 to 2100 and other values are no time, and no error."""
    assert time_of(value) is None


def test_plausible_numbers_are_times_in_their_unit() -> None:
    """Seconds, milli-, micro- and nanoseconds are told apart by their size."""
    for unit in (1, 1_000, 1_000_000, 1_000_000_000):
        seconds = time_of(1445184107 * unit)
        assert seconds is not None
        assert math.isclose(seconds, 1445184107)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%q", "%H:%H", "", "%" * 3, "%H" + "x" * 200, "%Y %"])
def test_bad_formats_are_usage_errors(form: str) -> None:
    """A format without a time of day, with unknown or doubled directives, is refused in one line."""
    with pytest.raises(UsageError, match="time format") as refused:
        stamp(form)
    assert "\n" not in str(refused.value)
