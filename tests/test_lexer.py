"""The lexer: the skeleton, the values and the bounds of the tokeniser, byte by byte."""

from __future__ import annotations

import csv
import gzip
import random
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import messages

from offscript.entries import WILDCARD
from offscript.parse.lexer import SCRATCH, lex
from offscript.parse.tokens import MAX_TOKENS, Tokeniser, Tokens, own_runs, texts_of

TRIGGERS = [
    # dates, and words that begin alike
    "Jan", "January", "Feb 3", "Mon", "Tue,", "Sunday", "May 12", "12 Dec", "3 Octoberly",
    "Sat Jun 18 01:02:03 2005", "Jan 12, 10:11", " UTC 2005", "CEST", "2005", "20055", "45 Jan", "Jan 123",
    "Mon 45 Feb",
    # hexadecimal groups and words
    "FF:F2:9F:16:BF:6C", "ff:ff:ff:ff:ff:ff", "aa:bb:cc:dd:ee", "fe80::c6b3:1ff:feef", "::1", "1::",
    "::ffff:10.0.0.1", "1:2:3:4:5:6:7:8:9", "12:34:56", "a:b:c", "::10.1.", "::10.1..", ":::", "12345:1:2",
    "abcd:12:", "::.1", "deadbeef", "DEADBEEFaa", "deadbeef.", "deadbee", "abcdefab.c", "cafe", "abcdefgh",
    "ABCDEFGH",
    # paths and addresses
    "/a/b", "/", "\\", "\\x", "/a?b=c&d[0]=(1)", "/?", "/a.b.?q", "/a..b", "C:\\x", "C:/x", "c:", "//x", "/q?[ 1,",
    "http://h/p?q=1#f", "https://", "http:/x", "a..b://x", "a.://y", "x+y-z.w://q", "x.+y://q", "+x://q", "a1://b",
    "@", "a@b", "a@", "@.x", "@b", "root@localhost", "10.0.0.1:80", "0.61", ".5", "4.", "4..5",
    # lists and what stands for absent values
    "[", "]", "(", ")", "[ ", "( ", " ]", "[1 2 3]", "(1, -, **)", "[-]", "[- a]", "1,2,3", "-", " - - -", " - -x",
    "*", "**", "?", "1 2 3 4 5 6 7 8 9 10", "1 2 3 4 5 6 7 8", '"GET /x HTTP/1.1"', '"a b 4 5"', '4 5"',
    '4 5 6 7 8"',
    # words for nothing, names, marks
    "true", "false", "True.", "null", "NULL", "nil", "NaN", "None", "None ", "none", "Nonesuch", "true@", "false..x",
    "arg1", "arg1=", "r24=7", "a1b2c3d4=", "sha256=x", "x1==2", "x1=>2", "x1=", "_a9=", "é1=", "1a=", "a-1=",
    "a.b1=", "<masked>", "<*>", "<masked", "<*", "<", ">",
    # signs, dots and other scripts
    "...", "..", ".", "......4", "..a", "a..4", "a...b", "a.b.c", "end.", "|", "||", ":", ";", ",", ",,", "=", "==",
    "'", '"', "`", "don't", "o'4", "b'Jan 3", "4's", "it's a'b'c", "'x'", "deadbeef's", "{", "}", "#", "_", "12ab",
    "é", "日本", "٣", "\x7f", "\x01", "\x1f", "\t", "  ", "word", "Block", "to", "longerwordhere", "\ue000",
]  # fmt: skip
CHARACTERS = "aAbBfFgGzZ019.:,;|=()[]<>*-?@/\\ '\"\x01é_+"


@lru_cache(maxsize=10_000)
def canonical(tokens: Tokens) -> bytes:
    """The canonical bytes of a skeleton."""
    return b"".join((b"\x01" if token == WILDCARD else token.encode()) + b"\0" for token in tokens)


def truth(message: str) -> tuple[bytes, list[str], bool]:
    """The canonical bytes, the values and whether there are too many tokens, as the tokeniser has them."""
    surface, pieces = Tokeniser().read(message)
    return canonical(surface.tokens), list(texts_of(surface, pieces, own_runs(surface.tokens))), surface.truncated


def lexed(message: str, before: str = "", after: str = "") -> tuple[bytes, list[str], bool]:
    """The same as the lexer has them, for a message between others."""
    encoded = message.encode()
    text = before.encode() + encoded + after.encode()
    begin = len(before.encode())
    canon = np.full(len(encoded) + SCRATCH + 1, 255, np.uint8)
    starts, ends = np.empty((2, MAX_TOKENS + 1), np.int64)
    size, values, truncated = lex(np.frombuffer(text, np.uint8), begin, begin + len(encoded), canon, starts, ends)
    assert canon[-1] == 255, "nothing is written beyond the room that was asked for"
    spans = zip(starts[:values], ends[:values], strict=True)
    return canon[:size].tobytes(), [text[start:end].decode() for start, end in spans], bool(truncated)


def triggers() -> st.SearchStrategy[str]:
    """Messages made of everything that a rule of the tokeniser waits for."""
    gaps = st.sampled_from(["", "", " ", " ", "  ", ", ", ",", ":", "'", "."])
    part = st.builds(str.__add__, st.sampled_from(TRIGGERS), gaps)
    return st.lists(part, max_size=14).map("".join) | st.text(CHARACTERS, max_size=24)


NEIGHBOURS = st.sampled_from(["", "a", "[", "( ", "..", "4", "'", "/x", "é"])


@settings(max_examples=400, deadline=None)
@given(messages() | triggers() | triggers(), NEIGHBOURS, NEIGHBOURS)
def test_equals_the_tokeniser(message: str, before: str, after: str) -> None:
    """Any message has the tokens and values that the tokeniser finds, whatever stands around it in memory."""
    assert lexed(message, before, after) == truth(message)


@settings(max_examples=30, deadline=None)
@given(st.lists(triggers(), min_size=1, max_size=4), st.sampled_from(["", " ", "'"]), st.integers(40, 120))
def test_long_messages(parts: list[str], gap: str, times: int) -> None:
    """A message of too many tokens ends in one value, and one that has just as many as are looked at does not."""
    message = gap.join(parts * times)
    assert lexed(message) == truth(message)


@pytest.mark.parametrize("tail", ["", " ", "x", " x", " 4", "'x", "'4", "..", " [4 5]", "\x01"])
@pytest.mark.parametrize("word", ["a ", "a'", ", ", "4 x "])
def test_cap(word: str, tail: str) -> None:
    """The cap on tokens falls on the same token, apostrophes that join words and white space at the end included."""
    for times in range(MAX_TOKENS // 2 - 3, MAX_TOKENS + 3):
        message = word * times + tail
        assert lexed(message) == truth(message)


def test_every_pair_of_triggers() -> None:
    """Each trigger beside each other, glued, spaced and quoted, is read as the tokeniser reads it."""
    rng = random.Random(7)
    for first in TRIGGERS:
        for second in rng.sample(TRIGGERS, 40):
            message = first + rng.choice(["", " ", '"', "'", "[", ",", "\x02"]) + second
            assert lexed(message) == truth(message), message


HOSTILE = [
    *(trigger for trigger in TRIGGERS if trigger.strip()),
    "/a?[ 1,  ", "[/a?[", "(-", "- ", "1:", "::", "a..", "a'", "1, ", "[1 ", '4 "', "Jan  ", "Mon Jan 1 1:", "é",
    "a.b", "1 ", "12 Jan ", "a@", "x1=", "<masked>:", "0.0.0.0:", "ff:", "deadbeef,", ". ", "@.", "/a?", "- -- ",
    "1 - - -x ",
]  # fmt: skip


@pytest.mark.parametrize("trigger", HOSTILE)
def test_time_is_linear(trigger: str) -> None:
    """A megabyte of any repeated trigger costs no more for each byte than a few thousand bytes of it do, or little."""
    count = 1_000_000 // len(trigger.encode())
    for message in (trigger * count, trigger * count + "x", "[1 " + trigger * count):
        text = np.frombuffer(message.encode(), np.uint8)
        canon = np.empty(len(text) + SCRATCH, np.uint8)
        starts, ends = np.empty((2, MAX_TOKENS + 1), np.int64)
        lex(text, 0, 100, canon, starts, ends)  # compiled, or loaded, outside of what is timed
        begun = time.process_time()
        lex(text, 0, len(text), canon, starts, ends)
        assert time.process_time() - begun < 0.25, "a quarter of a microsecond a byte"


def test_items_must_touch() -> None:
    """Arrays whose items lie apart are refused, since they are read and written by address."""
    starts, ends = np.zeros((2, 600), np.int64)
    with pytest.raises(ValueError, match="contiguous"):
        lex(np.zeros(8, np.uint8), 0, 8, np.zeros(600, np.uint8), starts, ends[::2])


def real_messages(data: Path) -> Iterator[str]:
    """The contents of Loghub's samples, and whole lines of the larger logs."""
    for path in sorted((data / "loghub2k").glob("*_2k.structured.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace", newline="") as rows:
            yield from (row["Content"] for row in csv.DictReader(rows))
    for path in [data / "hdfs" / "HDFS_first_20000.log.gz", *sorted((data / "openstack").glob("*.log.gz"))]:
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines:
            yield from (line.rstrip("\n").replace("\0", "\ufffd") for line in lines)


@pytest.mark.data
def test_real_messages(data_dir: Path) -> None:
    """Every message of the real logs has the tokens and values that the tokeniser finds."""
    tokeniser, seen = Tokeniser(), list(dict.fromkeys(real_messages(data_dir)))
    assert len(seen) > 60_000
    text = "\n".join(seen).encode()
    data, canon = np.frombuffer(text, np.uint8), np.empty(max(map(len, seen)) * 4 + SCRATCH, np.uint8)
    starts, ends = np.empty((2, MAX_TOKENS + 1), np.int64)
    begin = 0
    for message in seen:
        end = begin + len(message.encode())
        size, values, truncated = lex(data, begin, end, canon, starts, ends)
        surface, pieces = tokeniser.read(message)
        assert canon[:size].tobytes() == canonical(surface.tokens)
        assert truncated == surface.truncated
        spans = zip(starts[:values].tolist(), ends[:values].tolist(), strict=True)
        found = tuple(text[start:stop].decode() for start, stop in spans)
        assert found == texts_of(surface, pieces, own_runs(surface.tokens))
        begin = end + 1
