"""Numbers in values: what is one, in which unit, exactly; and the compiled reading of bytes gives the same."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.strategies import VALUES, messages

from offscript.parse.byte_table import address_of
from offscript.parse.number_bytes import NO_NUMBER, number_at
from offscript.parse.numbers import UNIT_CODES, UNITS, Number, in_base, number_of, shown

NAMES = [unit.name for unit in UNITS]
PARTS = [
    *("0", "00", "7", "12", "999", "123456789012345", "1234567890123456", "0" * 30, "9" * 15, "9" * 16),
    *("+", "-", ".", "..", ",", "e", "E", "e5", "E-7", "e+022", "e0000", "e22", "e-22", "x", "0x", "0X1f", "0x"),
    *("f" * 13, "A1", "x1", " ", "  ", "\t", "nan", "inf", "m", "K", "b", "_", "٣", "²", "é", "\x7f"),
]
CHARACTERS = "0123456789+-.eExXaAfFsnumkKMGTiB% \tµμ,_"


def compiled_number(text: str, before: str = "", after: str = "") -> Number | None:
    """The number that compiled code reads from the bytes of a text between others."""
    encoded = text.encode()
    begin = len(before.encode())
    data = np.frombuffer(before.encode() + encoded + after.encode() + b"!", np.uint8)
    value, unit = number_at(address_of(data) + begin, address_of(data) + begin + len(encoded))
    if unit == NO_NUMBER:
        assert math.isnan(value)
        return None
    return Number(value, NAMES[unit])


def near_numbers() -> st.SearchStrategy[str]:
    """Texts that are numbers, or nearly so."""
    digits = st.text("0123456789", max_size=18) | st.sampled_from(["0", "000", "9" * 15, "5" * 16])
    number = st.builds(
        lambda *parts: "".join(parts),
        st.sampled_from(["", "", "-", "+", "--"]),
        digits,
        st.sampled_from(["", ".", ".", ".0", ".000000", ".."]),
        digits,
        st.sampled_from(["", "", "e5", "E-7", "e22", "e-9", "e", "e+", "e-022", "e0001"]),
        st.sampled_from(["", "", " ", "  ", "\t"]),
        st.sampled_from([*NAMES, "", "", "m", "K", "kb", "sx"]),
    )
    made = st.lists(st.sampled_from(PARTS) | st.sampled_from(NAMES), max_size=5).map("".join)
    written = st.floats().map(repr) | st.integers().map(str) | st.integers(0, 1 << 60).map(hex)
    return number | number | made | written | st.text(CHARACTERS, max_size=12)


@settings(max_examples=1500, deadline=None)
@given(
    near_numbers() | messages() | st.text(max_size=8) | st.sampled_from(VALUES),
    st.sampled_from(["", "1", "-", "."]),
    st.sampled_from(["", "1", "e5", "ms", "s"]),
)
@example("0x", "", "1")
@example("0", "", "x1")
@example("1e22 TB", "", "")
def test_bytes_are_read_alike(text: str, before: str, after: str) -> None:
    """Any text is the same number, to the bit, or none, for compiled code, whatever stands around it in memory."""
    truth, found = number_of(text), compiled_number(text, before, after)
    assert found == truth
    if truth is not None and found is not None:
        assert math.copysign(1.0, found.value) == math.copysign(1.0, truth.value)


@given(
    st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 14), st.integers(-7, 8)
)  # with the zero that ends it, the power is -22
def test_rounded_once(mantissa: int, places: int, exponent: int) -> None:
    """A number of up to fifteen digits is the double that is nearest to what is written."""
    digits = f"{abs(mantissa):0{places + 1}}"
    text = f"{'-' if mantissa < 0 else ''}{digits[: len(digits) - places]}.{digits[len(digits) - places :]}0e{exponent}"
    found = number_of(text if places else f"{mantissa}e{exponent}")
    assert found is not None
    assert found.value == float(Fraction(mantissa) * Fraction(10) ** (exponent - places))


@given(st.floats(1e-4, 1e15, exclude_max=True))
def test_seventeen_digits_of_a_fraction(value: float) -> None:
    """What a language prints of a double, seventeen digits, is read to fifteen."""
    found = number_of(repr(value))
    assert found is not None
    assert found.value == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("-0", 0.0, ""),
        ("007", 7.0, ""),
        (".5", 0.5, ""),
        ("+1.50", 1.5, ""),
        ("12.5%", 12.5, "%"),
        ("3us", 3 / 1e6, "us"),
        ("3µs", 3 / 1e6, "µs"),
        ("3 seconds", 3.0, "seconds"),
        ("2\tGiB", 2.0 * 2**30, "GiB"),
        ("5h", 18_000.0, "h"),
        ("0X00ff", 255.0, "0x"),
        ("1e3 kB", 1_024_000.0, "kB"),
        ("123456789012345", 123456789012345.0, ""),
        ("1.2345678901234567", 1.23456789012345, ""),
    ],
)
def test_numbers(text: str, value: float, unit: str) -> None:
    """Numbers are given in base units, with their unit as written."""
    assert number_of(text) == (value, unit)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "1 ", " 1", "5.", ".", "1e", "1e+", "0x", "-0x1", "0x1 s", "--1", "1,234", "1.2.3", "1_000"),
        *("nan", "inf", "Infinity", "1e23", "1e-23", "1e1000", "0x12345678901234", "1234567890123456", "٣"),
        *("5m", "5 M", "4K", "4Kb", "3 ms s", "10.0.0.1", "2024-05-01", "12:30", "blk_-42", "1/2", "cafe"),
    ],
)
def test_no_numbers(text: str) -> None:
    """Identifiers, addresses, dates, and what means several things are no numbers."""
    assert number_of(text) is None


@given(st.sampled_from(NAMES), st.floats(0.001, 1e9))
def test_shown_in_its_own_unit(unit: str, value: float) -> None:
    """What is shown is the number in that unit, to three digits at least, and is read back as such."""
    text = shown(in_base(value, unit), unit)
    if unit == "0x":
        return
    found = number_of(text.replace(",", ""))
    assert found is not None
    assert found.value == pytest.approx(in_base(value, unit), rel=0.006)
    assert found.unit == unit


def test_shown_is_defined_for_all() -> None:
    """What is infinite, missing or zero is shown, too."""
    texts = [shown(value, "ms") for value in (math.inf, -math.inf, math.nan, -0.0, 0.9999)]
    assert texts == ["inf ms", "-inf ms", "nan ms", "0 ms", "1,000 ms"]
    assert UNIT_CODES[""] == 0
