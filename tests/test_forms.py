"""What is read once for all messages of a form is what reading each message by itself gives."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.naive_families import naive_families, naive_lengths, naive_skeletons
from tests.strategies import messages

from offscript.entries import Fields, Line
from offscript.parse.code_length import lengths, sorted_lengths
from offscript.parse.forms import form_of
from offscript.parse.glance import Glance
from offscript.parse.header import Header, detect_header
from offscript.parse.identifiers import Families, Family, Sample, families_of, join_contexts, places_of
from offscript.parse.messages import Messages
from offscript.parse.page import Page, first_of_each
from offscript.parse.records import Records
from offscript.parse.turns import counted_lengths, counted_order

NUMBERED = ["r24=", "r7", "31 Jan", "7 May 10", "0x1f", "65a1b2c3-0000-4fff-8abc-0123456789ab", "beef.12", "٣", "\n"]


def statements() -> st.SearchStrategy[list[str]]:
    """Messages, and the same ones with other digits."""
    odd = st.lists(st.sampled_from(NUMBERED) | st.sampled_from([" ", "=", ": ", "id-"]), max_size=6).map("".join)
    drawn = st.lists(messages() | odd | st.text("a0 9_-.:é\ud800", max_size=12), min_size=1, max_size=8)
    return st.builds(_again, drawn, st.integers(0, 99))


def _again(texts: list[str], seed: int) -> list[str]:
    chance = random.Random(seed)
    others = ["".join(chance.choice("0123456789") if sign in "0123456789" else sign for sign in text) for text in texts]
    return [text for pair in zip(texts, others, strict=True) for text in pair]


class TestMessages:
    @settings(max_examples=200, deadline=None)
    @given(statements())
    @example(["r24=0", "r25=0", "r24=1"])
    @example(["up 31 Jan", "up 41 Jan", "4 Jan", "1 Jan"])
    def test_skeletons_equal_those_of_each_message(self, texts: list[str]) -> None:
        """Messages have the same skeleton where tokenising each says so, wherever a digit's own value matters too."""
        numbers = Messages(texts).skeletons().tolist()
        assert _partition(numbers) == _partition(naive_skeletons(texts))

    @settings(max_examples=60, deadline=None)
    @given(statements(), st.integers(0, 20))
    def test_messages_may_come_in_parts(self, texts: list[str], cut: int) -> None:
        """Messages added later have the forms and skeletons that they have at once."""
        parts, whole = Messages(texts[:cut]), Messages(texts)
        parts.skeletons()
        parts.extend(texts[cut:])
        assert parts.forms == whole.forms
        assert parts.codes.tolist() == whole.codes.tolist()
        assert _partition(parts.skeletons().tolist()) == _partition(whole.skeletons().tolist())


def _partition(numbers: list[Any]) -> list[int]:
    return [numbers.index(number) for number in numbers]


class TestPage:
    @settings(max_examples=100, deadline=None)
    @given(statements(), st.lists(st.text("a1é ", max_size=4), max_size=4), st.integers(0, 12))
    def test_lines_in_one_piece_are_the_lines(self, texts: list[str], others: list[str], cut: int) -> None:
        """Pages put together and cut again have the lines they were made of, and equal forms where digits differ."""
        page, lines = Page.joined([Page.of(texts), Page.of([]), Page.of(others)]), [*texts, *others]
        assert list(page) == lines
        assert page.some(np.arange(len(page))[::-1]) == lines[::-1]
        assert _partition(page.forms.tolist()) == _partition(list(map(form_of, lines)))
        for part in (page[cut:], Page.joined([page[cut:]]), Page.of(lines)[cut:]):
            assert list(part) == lines[cut:]
            assert _partition(part.forms.tolist()) == _partition(list(map(form_of, lines[cut:])))

    def test_firsts_of_numbers(self) -> None:
        """Each number's first place is told once, in order."""
        firsts, ranks = first_of_each(np.array([9, 0, 9, 4, 0]))
        assert (firsts.tolist(), ranks.tolist()) == ([0, 1, 3], [0, 1, 0, 2, 1])


class TestFamilies:
    @settings(max_examples=150, deadline=None)
    @given(statements())
    def test_families_equal_those_of_each_message(self, texts: list[str]) -> None:
        """Identifiers found by form are those found in message after message."""
        found = [
            ((one.shape, "".join(one.contexts)), dict(zip(one.found.lines.tolist(), _texts(one), strict=True)))
            for one in families_of(Messages(texts))
        ]
        assert found == naive_families(texts)

    @settings(max_examples=60, deadline=None)
    @given(statements(), statements())
    def test_families_of_messages_that_grow(self, texts: list[str], more: list[str]) -> None:
        """Families asked for once more, after messages came, are those of all messages."""
        messages = Messages(texts)
        families = Families(messages)
        families.found()
        messages.extend(more)
        assert [_shown(one) for one in families.found()] == [_shown(one) for one in families_of(messages)]

    @settings(max_examples=100, deadline=None)
    @given(statements())
    def test_keys_find_at_the_same_place_in_a_form(self, texts: list[str]) -> None:
        """What a family's pattern finds in each message is read at one place of each form."""
        texts = [text.encode("utf-8", "replace").decode() for text in texts]
        read = Messages(texts)
        families = families_of(read)
        families += [more for one in families if (more := join_contexts(one, families, len(texts)))]
        for family in families:
            found = Sample(read).found(places_of(family.key(), read))
            ids = dict(zip(found.lines.tolist(), (found.texts[one] for one in found.ids.tolist()), strict=True))
            assert [ids.get(line) for line in range(len(texts))] == [family.key().find(Fields(text)) for text in texts]


def _shown(family: Family) -> tuple[object, ...]:
    return family.shape, family.contexts, family.found.lines.tolist(), _texts(family)


def _texts(family: Family) -> list[str]:
    return [family.found.texts[one] for one in family.found.ids.tolist()]


class TestLengths:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=25))
    def test_lengths_equal_the_obvious_ones(self, pairs: list[tuple[int, int]]) -> None:
        """Lengths by arrays, the shuffles drawn once, are those of shuffling and counting line by line."""
        keys, group = [key for key, _ in pairs], [one for _, one in pairs]
        assert tuple(lengths(np.array(keys), np.array(group))) == pytest.approx(naive_lengths(keys, group), abs=1e-8)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 3) | st.just(300), st.integers(0, 3)), min_size=1, max_size=40))
    def test_counting_equals_sorting(self, pairs: list[tuple[int, int]]) -> None:
        """The compiled loop counts what sorting counts, with few keys and with many."""
        keys, group = np.array([key for key, _ in pairs]), np.array([one for _, one in pairs])
        count = int(keys.max()) + 1
        chance = np.random.default_rng(len(keys))
        orders = [[chance.permutation(len(keys)) for _ in range(2)] for _ in range(2)]
        assert counted_lengths(keys, count, group, *orders) == pytest.approx(
            sorted_lengths(keys, count, group, *orders), abs=1e-9
        )
        assert counted_order(keys, count).tolist() == np.argsort(keys, kind="stable").tolist()


HEADED = [
    "2024-05-01 10:00:00,123 +0200 INFO [main] a.B: start 7",
    "2024-05-01T10:00:00Z 2024-05-01T10:00:01.5 WARN x",
    "May  1 10:00:00 host sshd[12]: up 7  ",
    "Sat Dec 31 23:59:60 2016 [error] [client 10.0.0.1] gone",
    "<13>1 2024-05-01T10:00:00Z host app 7 ID - up",
    "<13>May  1 10:00:00 host app: up",
    "081109 203518 35 INFO dfs.Name: block 7",
    "- 1117838570 2005.06.03 R02-M1 2005-06-03-15.42.50.363779 R02 RAS KERNEL INFO cache 7",
    "[05/01/24 11:00:00 PM] DEBUG é 7",
    "1445184107978 [12] up 7",
    "[   12.345678] usb 1-1: up",
    "10:00:00 -0500 7 | INFO | up",
    "INFO 7 up",
    "app[7]: up",
]


def _shaken(texts: list[str], chance: random.Random, share: float) -> list[str]:
    """The texts with some of their digits drawn anew, so that stamps have numbers that no stamp has."""
    return [
        "".join(
            chance.choice("0123456789") if sign in "0123456789" and chance.random() < share else sign for sign in text
        )
        for text in texts
    ]


class TestGlance:
    @settings(max_examples=120, deadline=None)
    @given(
        st.sampled_from(HEADED),
        st.lists(st.sampled_from([*HEADED, "  more", "stray 7", "", "é 7"]), max_size=6),
        st.integers(0, 9_999),
        st.sampled_from([0.05, 0.3, 1.0]),
    )
    def test_headers_read_by_form(self, text: str, others: list[str], seed: int, share: float) -> None:
        """Lines that differ in digits have the records, messages and values that reading each gives, damaged or not."""
        chance = random.Random(seed)
        header = detect_header([text] * 30)
        lines = _shaken([text] * 12 + others * 2, chance, share)
        chance.shuffle(lines)
        _compare(header, lines, [chance.choice("ab") for _ in lines])

    @pytest.mark.parametrize(
        "texts",
        [
            ["2024-05-01 10:00:00 INFO [main] start 7", "  with", "stray", "2024-05-01 10:00:01 WARN [io-1] stop"],
            ["May  1 10:00:00 host sshd[12]: up", "May  1 10:00:00 host kernel: up", "May  1 10:00:00 host -: up"],
            ['{"ts": "2024-05-01T10:00:00Z", "msg": "up 7", "req": "a-1"}', '{"msg": "down", "x": {"y": 1}}'],
            ["level=info msg=up req=7", "level=warn msg=down"],
            ["up 1", " more", "down 2"],
            ['{"log": "2024-05-01 10:00:00 INFO up\\n", "stream": "stdout", "time": "2024-05-01T10:00:00Z"}'],
            [],
        ],
    )
    def test_a_glance_sees_the_records(self, texts: list[str]) -> None:
        """Messages and header values seen at a glance are those of reading the records of each source."""
        texts = ["no header here", *texts * 40]
        _compare(detect_header(texts), texts, ["ab"[place % 3 == 0] for place in range(len(texts))])


def _compare(header: Header, texts: list[str], sources: list[str]) -> None:
    records, glance = Records(header), Glance(header, Page.of(texts), sources)
    both = zip(texts, sources, strict=True)
    fields = [read for text, source in both if (read := records.fields(Line(text, source))) is not None]
    while glance.done < len(texts):
        glance.read(50)
    assert list(glance.messages.page) == [one.message for one in fields]
    assert [glance.messages.forms[code] for code in glance.messages.codes] == [form_of(one.message) for one in fields]
    for name, column in glance.columns.items():
        assert column == [dict(reversed(one.named)).get(name) for one in fields]
    assert {name for one in fields for name, _ in one.named} <= set(glance.columns)
