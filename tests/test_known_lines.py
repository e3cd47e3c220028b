"""Lines that are alike but for their digits: what is known of credentials in one holds for all."""

from __future__ import annotations

import importlib
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_alike import with_other_digits
from tests.test_mask import PIECES

from offscript.parse import alike, known_lines, mask
from offscript.parse.byte_table import address_of
from offscript.parse.known_lines import KnownLines
from offscript.parse.mask import stems_in

parsed: Any = importlib.import_module("re._parser").parse
NAMED = ("%3d", "%3a", "aws4-hmac-sha256", "ya29")  # what the patterns say with digits, known to `is_steady`
DIGITS = [" 1", "2 ", "77", "%3d", "%34", "ya29.", "ya31.", "AWS4-hmac-sha256 ", "a="]
ROWS = st.lists(st.sampled_from([*PIECES, *DIGITS]), max_size=9)


def look(known: KnownLines, lines: list[bytes]) -> tuple[list[int], list[int]]:
    """Return the kinds of lines, and the numbers of those that may hold a credential."""
    ends = np.cumsum([len(line) + 1 for line in lines]) - 1
    kinds, suspects = known.look(b"\n".join(lines), np.append(0, ends[:-1] + 1), ends)
    return kinds.places.tolist(), np.searchsorted(ends, suspects).tolist()


def steady(line: bytes) -> bool:
    """Return whether no digit of a line matters by itself."""
    data = np.frombuffer(line + b" ", np.uint8)
    return bool(known_lines.is_steady(address_of(data), address_of(data) + len(line)))


@settings(max_examples=400, deadline=None)
@given(ROWS.map("".join), st.integers(0, 99))
def test_other_digits_make_no_credential(line: str, seed: int) -> None:
    """In a line that is steady one digit is as good as another, to the patterns and to the masks behind them."""
    other = with_other_digits(line, seed)
    assert steady(line.encode()) == steady(other.encode())
    if steady(line.encode()):
        assert bool(stems_in(line.encode())) == bool(stems_in(other.encode()))


def digits_of(items: Any) -> set[str]:
    """Return the digits that a parsed pattern tells from others, by its literals and classes."""
    found: set[str] = set()
    for kind, of in items:
        name = str(kind)
        if name in ("LITERAL", "NOT_LITERAL"):
            found |= {chr(of)} & set("0123456789")
        elif name == "IN":
            held = {chr(one) for sort, one in of if str(sort) == "LITERAL"} & set("0123456789")
            ranges = [one for sort, one in of if str(sort) == "RANGE" and not (one[1] < 48 or one[0] > 57)]
            assert all(first <= 48 and last >= 57 for first, last in ranges)
            found |= held if len(held) < 10 else set()
        elif name == "SUBPATTERN":
            found |= digits_of(of[-1])
        elif name == "BRANCH":
            found |= set().union(*(digits_of(one) for one in of[1]))
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            found |= digits_of(of[2])
        else:
            assert name in ("AT", "CATEGORY"), name
    return found


@pytest.mark.parametrize("pattern", [*mask._SUSPECTS, *mask._SUSPECT_SHAPES])
def test_patterns_name_no_other_digits(pattern: str) -> None:
    """A pattern added that tells one digit from another is noticed here, unless it is one that is looked for."""
    for name in NAMED:
        pattern = pattern.replace(name, "")
    assert not digits_of(parsed(f"(?i){pattern}"))


def test_a_line_that_names_digits_is_not_kept() -> None:
    """Only of such a line can another with other digits hold a credential."""
    lines = [
        b"job 17 is up and running",
        b"token%31x is up, running",
        b"see ya31.abcdefghijkl here",
        b"aws5-hmac-sha256 and so",
    ]
    padded = [b"x" * 80, *lines, b"x" * 80]
    places, _ = look(KnownLines(), padded)
    assert [place >= 0 for place in places[1:-1]] == [True, False, False, False]


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS.map("".join), min_size=1, max_size=40), st.integers(0, 99))
def test_what_is_known_changes_no_answer(texts: list[str], seed: int) -> None:
    """Whoever has met other lines finds what the patterns find; lines of one place are alike but for digits."""
    known = KnownLines()
    rng = random.Random(seed)
    for _ in range(3):
        lines = [with_other_digits(text, rng.randrange(99)).replace("\n", " ").encode() for text in texts]
        places, suspects = look(known, lines)
        assert suspects == [number for number, line in enumerate(lines) if stems_in(line)]
        folded: dict[int, bytes] = {}
        for place, line in zip(places, lines, strict=True):
            zeros = bytes(48 if 48 <= byte < 58 else byte for byte in line)
            assert place < 0 or folded.setdefault(place, zeros) == zeros


def test_all_is_forgotten_where_too_many_find_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that says other things than it did is known again by what it says now."""
    monkeypatch.setattr(known_lines, "REFUSED", 50)
    known, rng = KnownLines(), random.Random(3)
    begun = known.look(b"", *np.zeros((2, 0), np.int64))[0].alike
    for _ in range(3 * alike.PLACES // 500):
        line = "".join(rng.choice("abcdefgh") for _ in range(12)).encode()
        look(known, [line + bytes([97 + n % 26, 97 + n // 26]) for n in range(500)])
    assert known.look(b"", *np.zeros((2, 0), np.int64))[0].alike is not begun
