"""Session ids found by compiled programs: what RE2 finds, at any place, in bounded time; or no program at all."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import numpy as np
import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.test_discover import discovered

from offscript.entries import Fields
from offscript.errors import UsageError
from offscript.parse.find_ids import find_id, find_ids, program_of
from offscript.parse.header import detect_header
from offscript.parse.identifiers import _AFTER, Family, find_families, join_contexts
from offscript.parse.session_key import MAX_ID, SessionKey

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
WRITTEN = [
    r"blk_-?\d+",
    r"\bblk_-?[0-9]+",
    r"(blk_-?\d+)",
    r"pid=(\d+)",
    r"req-[0-9a-f]+",
    rf"\binstance:\ ({UUID}){_AFTER}",
    rf"(?:\bservers/|/|^|[0-9]:)({UUID}){_AFTER}",
    rf"\bfrom\ ([0-9]+){_AFTER}",
    rf"\b{UUID}",
    r"\b[0-9a-fA-F]+\.[0-9a-fA-F]+",
    r"\b[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+",
    r"\[(\w+)\]",
    r"session=([^ ;]+)",
    r"user (\S+) logged",
    r"^(\w+):",
    r"job \d{4,}$",
    r"\bjob-\d+\b",
    r"id[:=] ?([A-Za-z0-9-]+)",
    r"(?:a|ab)x(\d)",
]
UNWRITTEN = [
    r"(?i)abc",
    r"[0-9]+[0-9a-f]{8}",  # what repeats may have to give back
    r"(\w+)-?\w",
    r"[0-9a-z]+=",  # an attempt at every place of one long run
    r"\d*",
    r"a+?",
    r"(a|b)+",
    r"(?P<x>a)",
    r"x|(y)",
    r"[[:alpha:]]",
    r"\pL+",
    r"é+",
    r"[é]",
    r"()a",
    r"a{2,1}",
    r"a{9999}",
    r"\x41",
    r"[^a]",
    "a" * 4_000,
    "(" * 2_000 + "a" + ")" * 2_000,
    "(?:a|b)" * 12,
    "[",
    "a**",
    "(",
    ")",
    "*",
    "a\\",
]


def group_of(pattern: str) -> int | None:
    """Return the group that a session key would take for its id; None for a pattern that is none."""
    try:
        key = SessionKey("message", pattern)
    except UsageError:
        return None
    return key._group


def found(pattern: str, message: str) -> str | None:
    """Return the id that the pattern's program finds in a message that stands inside other text."""
    program = program_of(pattern, group_of(pattern) or 0)
    assert program is not None, pattern
    before, text = b"a1_-", message.encode()
    data = np.frombuffer(before + text + b"-1a_", np.uint8)
    start, stop = find_id(*program, data, len(before), len(before) + len(text))
    assert (start, stop) == (-1, -1) or len(before) <= start < stop <= len(before) + len(text)
    return None if start < 0 else data[start:stop].tobytes().decode()[:MAX_ID]


def expected(pattern: str, message: str) -> str | None:
    """Return the id that the session key finds."""
    return SessionKey("message", pattern).find(Fields(message))


class TestWrittenPatterns:
    @settings(max_examples=120, deadline=None)
    @given(
        st.sampled_from(WRITTEN),
        st.lists(
            st.sampled_from(
                ["blk_", "pid=", "from ", "instance: ", "/", "job-", "id: ", "session=", "user ", " logged"]
            )
            | st.sampled_from(["65a1b2c3-0000-4fff-8abc-0123456789ab", "65a1.beef", "10.0.0.7", "[", "]", ":", "12345"])
            | st.text("ab1-_.:/ é\n=;", max_size=5),
            max_size=9,
        ).map("".join),
    )
    def test_programs_find_what_the_session_key_finds(self, pattern: str, message: str) -> None:
        """Patterns as `Family.key` and people write them have a program, and it gives the key's own answer."""
        assert found(pattern, message) == expected(pattern, message)

    @pytest.mark.parametrize("pattern", UNWRITTEN)
    def test_no_program_for_what_may_go_back(self, pattern: str) -> None:
        """Patterns that a program cannot follow in one direction and linear time are refused, not approximated."""
        assert program_of(pattern, group_of(pattern) or 0) is None

    def test_empty_ids_are_none(self) -> None:
        """A first match whose group is empty names no session, even if a later one would."""
        assert found(r"id=(\d*)", "id= id=7") is None
        assert expected(r"id=(\d*)", "id= id=7") is None

    def test_many_messages_at_once(self) -> None:
        """`find_ids` is `find_id` on each message, whatever stands between them."""
        messages = ["open blk_1", "", "blk", "_2", "x blk_-77."]
        ends = np.cumsum([len(message) for message in messages])
        data = np.frombuffer("".join(messages).encode(), np.uint8)
        program = program_of(r"blk_-?\d+", 0)
        assert program is not None
        starts, stops = np.empty(5, np.int64), np.empty(5, np.int64)
        find_ids(*program, data, np.r_[0, ends[:-1]], ends, starts, stops)
        ids = [data[a:b].tobytes() if a >= 0 else b"" for a, b in zip(starts, stops, strict=True)]
        assert ids == [b"blk_1", b"", b"", b"", b"blk_-77"]


ATOMS = [*"ab1-_ é=:", r"\.", r"\d", r"\w", "[0-9]", "[a-f0-9]", "[^ ]", "[^a-z]", ".", r"\S", "(?:a|ab)", "(?:ab|a|)"]
ATOMS += ["(?:-[0-9a-f]{2})", "[._-]", "(?:a|1)", r"\b", "^", "$"]
COUNTS = ["", "", "", "+", "+", "?", "*", "{2}", "{1,3}", "{2,}"]
branches = st.lists(st.sampled_from(ATOMS).flatmap(lambda atom: st.sampled_from(COUNTS).map(atom.__add__)), max_size=3)
bodies = branches.map("".join)
patterns = st.one_of(
    st.tuples(st.sampled_from(["", r"\b"]), bodies, st.sampled_from(["", "|"]), bodies),
    st.tuples(st.sampled_from(["", r"\b"]), bodies, st.just("("), bodies, st.sampled_from([")", ")" + _AFTER]), bodies),
    st.tuples(
        st.just("(?:"), bodies, st.just("|"), bodies, st.just(")("), bodies, st.sampled_from([")", ")" + _AFTER])
    ),
).map("".join)


class TestAnyPattern:
    @settings(max_examples=300, deadline=None)
    @given(patterns, st.lists(st.text("aab11-_. é\nfz=:", max_size=16), min_size=8, max_size=8))
    @example(r"(?:a|ab)(b?)", ["ab", "abb"])
    @example(r"(?:ab|a)(b?)", ["ab", "abb"])
    @example(r"([0-9]+)" + _AFTER, ["10.0.0.1", "7.", "7. x", "7..a", "7_", "7-a"])
    def test_a_program_is_exact(self, pattern: str, texts: list[str]) -> None:
        """Whatever the pattern: if it has a program, every answer has RE2's very offsets."""
        group = group_of(pattern)
        program = None if group is None else program_of(pattern, group)
        if group is None or program is None:
            return
        search = re2.compile(pattern.encode()).search
        for text in texts:
            data = np.frombuffer(text.encode() + b"1", np.uint8)
            match = search(text.encode())
            begin, end = match.span(group) if match else (-1, -1)
            assert find_id(*program, data, 0, len(data) - 1) == ((begin, end) if begin < end else (-1, -1))


class TestFamilies:
    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.lists(
                st.sampled_from(["blk_", "req-", "pid ", "id=", "[", "] ", " ", ": ", "é ", "a.", '"', "__", "/"])
                | st.sampled_from(["65a1b2c3-0000-4fff-8abc-0123456789ab", "beef.12", "dn228", "7a", "10.0.0.1", "x"])
                | st.integers(0, 99_999).map(str),
                max_size=10,
            ).map("".join),
            min_size=1,
            max_size=6,
        ),
        st.lists(st.text("ab1-_.:/ é=", max_size=12), max_size=6),
    )
    def test_keys_of_families(self, messages: list[str], others: list[str]) -> None:
        """Every family of generated messages finds in every message what its session key finds."""
        families = find_families(messages)
        families += [joined for family in families if (joined := join_contexts(family, families, len(messages)))]
        for family in families:
            pattern = family.key().pattern
            if program_of(pattern, group_of(pattern) or 0) is not None:
                for message in messages + others:
                    assert found(pattern, message) == expected(pattern, message)

    @pytest.mark.parametrize(
        "shape", ["blk_<n>", "<uuid>", "<n>", "<hex>.<hex>", "<n>.<n>.<n>.<n>", "req-<uuid>", "<x>"]
    )
    def test_ordinary_families_have_a_program(self, shape: str) -> None:
        """Common shapes, alone or beside a dozen words, never need RE2."""
        contexts = tuple(f"{'word' * 7}{number}: " for number in "abcdefghijkl")
        for family in (Family(shape, ()), Family(shape, ("id=",)), Family(shape, contexts)):
            pattern = family.key().pattern
            assert program_of(pattern, group_of(pattern) or 0) is not None


@pytest.mark.parametrize("pattern", WRITTEN)
@pytest.mark.parametrize(
    "piece", ["1", "a", "1.", "blk_", "1-", "from 1", "/0", "[a", "job-1", "é", "65a1b2c3-", " 1 "]
)
def test_time_is_linear_in_hostile_text(pattern: str, piece: str) -> None:
    """A megabyte of any beginning of an id costs no more than a few looks at each byte."""
    text = (piece * (1_000_000 // len(piece))).encode()
    data, program = np.frombuffer(text, np.uint8), program_of(pattern, group_of(pattern) or 0)
    assert program is not None
    find_id(*program, data, 0, 100)  # compiled, or loaded, outside of what is timed
    begin = time.process_time()
    find_id(*program, data, 0, len(data))
    assert time.process_time() - begin < 0.5


@pytest.mark.data
@pytest.mark.parametrize(
    "log",
    [
        "hdfs/HDFS_first_20000.log.gz",
        "openstack/utah_normal.log.gz",
        "openstack/kalaki_sample.log.gz",
        "loghub2k/OpenStack_2k.log.gz",
    ],
)
def test_discovered_keys_of_real_logs(data_dir: Path, log: str) -> None:
    """On every line of a real log the discovered key's program finds the session that the key finds."""
    key = discovered(data_dir / log).key
    texts = gzip.decompress((data_dir / log).read_bytes()).decode().splitlines()
    header = detect_header(texts[:2_000])
    messages = [(header.split(text) or Fields(text)).message for text in texts]
    ends = np.cumsum([len(message.encode()) for message in messages])
    data = np.frombuffer("".join(messages).encode(), np.uint8)
    program = program_of(key.pattern, group_of(key.pattern) or 0)
    assert program is not None
    starts, stops = np.empty(len(messages), np.int64), np.empty(len(messages), np.int64)
    find_ids(*program, data, np.r_[0, ends[:-1]], ends, starts, stops)
    for message, start, stop in zip(messages, starts, stops, strict=True):
        assert (None if start < 0 else data[start:stop].tobytes().decode()) == key.find(Fields(message))
