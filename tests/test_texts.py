"""Texts numbered as bytes at machine speed are numbered as strings are."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_forms import statements

from offscript.parse import glance, layouts, messages, texts
from offscript.parse.forms import form_of
from offscript.parse.header import detect_header
from offscript.parse.messages import Skeletons
from offscript.parse.page import Page
from offscript.parse.texts import Texts
from offscript.parse.times import FORMATS, LONGEST_START, Stamp

WORDS = st.none() | st.text("aé\ud800 \n", max_size=3) | st.sampled_from(["req-1", "7", "-", ""])


def both() -> list[Texts]:
    """Texts numbered as strings, and as bytes."""
    found = []
    for is_compiled in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(texts, "is_loaded", lambda _: is_compiled)  # noqa: B023  (called before the next round)
            found.append(Texts())
    return found


@settings(max_examples=100, deadline=None)
@given(st.lists(WORDS, max_size=9), st.lists(WORDS, max_size=9))
def test_numbers_are_the_same_either_way(first: list[str | None], second: list[str | None]) -> None:
    """Equal texts have equal numbers, in the order of first sight, whichever way they are numbered and given."""
    seen: list[str] = []
    for text in [*first, *second]:
        seen += [text] if text is not None and text not in seen else []
    expected = [-1 if text is None else seen.index(text) for text in [*first, *second]]
    for numbered in both():
        whole = "".join(text or "" for text in second)
        stops = np.cumsum([len(text or "") for text in second], dtype=np.int64)
        starts = np.array(
            [-1 if text is None else stop - len(text) for text, stop in zip(second, stops.tolist(), strict=True)],
            np.int64,
        )
        found = numbered.number(first).tolist() + numbered.number_spans(whole, starts, stops).tolist()

        assert found == expected
        assert list(numbered) == seen == [numbered[number] for number in range(len(numbered))] == numbered[:]
        assert numbered.lengths().tolist() == list(map(len, seen))


@settings(max_examples=100, deadline=None)
@given(statements())
def test_skeletons_are_the_same_either_way(found: list[str]) -> None:
    """The lexer and the tokeniser number the skeletons of messages and forms alike."""
    numbers = []
    for is_compiled in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(messages, "is_loaded", lambda _: is_compiled)  # noqa: B023  (called before the next round)
            skeletons = Skeletons()
        numbers.append((skeletons.of_forms(list(map(form_of, found))), skeletons.of(found)))
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_glance_is_the_same_either_way(monkeypatch: pytest.MonkeyPatch, is_compiled: bool) -> None:
    """Dashes and missing columns name nothing, and an empty value is one."""
    monkeypatch.setattr(texts, "is_loaded", lambda _: is_compiled)
    lines = [f"2024-05-01 10:00:00 INFO [{name}] [é{n}] up" for n, name in enumerate(["a-1", "-", "", "a-1"])]
    seen = glance.Glance(detect_header(lines), Page.of(lines), [""] * len(lines))
    seen.read(len(lines))

    assert next(iter(seen.columns.values())) == ["a-1", None, "", "a-1"]


PIECES = ["0", "12", "2015", "10", *'-/.:,_T[(<" \tx', "Jan", "december", "Mon", "Tue,", "J0101", "Marb", "UTC", "é"]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_stamps_are_sought_where_they_may_begin(text: str) -> None:
    """Only formats whose first part the text's form begins with are tried, and all of them."""
    begin = text[:LONGEST_START]
    if begin.isascii():
        starts = layouts._starts()
        assert list(layouts._likely(form_of(begin), 0)) == [
            form for form, start in starts if start.match(form_of(begin))
        ]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FORMATS), st.integers(0, 2**31), st.integers(0, 2**31))
def test_parts_stand_alike(form: str, one: int, other: int) -> None:
    """The parts of a stamp stand where they stand in any that differs in digits only."""
    known = Stamp(form)
    for moment in (one, other):
        text = _written(form, moment)
        assert known.parts(text, "") == Stamp(form).parts(text, "")


def _written(form: str, moment: int) -> str:
    text = form.replace("%L", "I").replace("%u", str(moment)).replace("%s", str(10**9 + moment))
    return datetime.fromtimestamp(moment, UTC).strftime(text.replace("%Z", "UTC"))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.sampled_from([*PIECES, " ", "sshd[7]:"]), max_size=14).map("".join), max_size=6))
def test_stamps_found_by_form(lines: list[str]) -> None:
    """What is remembered of lines that differ in digits only changes no stamp found in the lines after them."""
    known: dict[str, list[layouts._Opening]] = {}
    for line in lines:
        assert layouts._stamps_in(line, FORMATS, known) == layouts._stamps_in(line, FORMATS, {})
