"""Lines: any chunking gives the same, any bytes give lines, memory stays bounded."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.naive_lines import naive_lines

from offscript import Line
from offscript.errors import StateError
from offscript.parse.lines import LineSplitter

CAP = 300
PIECES = [
    b"\n",
    b"\r\n",
    b"\r",
    b"\r\r\n",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xc3\xa9",
    b"\xe2\x82",
    b" ",
    b"\t",
    b"plain text",
    b"x" * 100,
    b"y" * (CAP - 1),
    b"z" * (CAP + 1),
    b"password=hunter2",
    b"\xe2\x80\xa8",
    b"\x0b",
    b"\x85",
    b"-----BEGIN PRIVATE KEY-----",
    b"MIIEvQIBADAN",
    b"-----END PRIVATE KEY-----",
]
any_bytes = st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=30).map(b"".join)


def whole(data: bytes) -> list[Line]:
    """Return the lines of the bytes fed at once."""
    splitter = LineSplitter("a.log", CAP)
    return splitter.feed(data) + splitter.finish()


@settings(max_examples=300, deadline=None)
@given(any_bytes, st.lists(st.integers(0, 700), max_size=8))
def test_any_chunking_gives_the_lines_of_the_whole(data: bytes, cuts: list[int]) -> None:
    """Promise 1: the same lines, numbers and offsets as the obvious way, wherever the chunks are cut."""
    splitter, lines, at = LineSplitter("a.log", CAP), [], 0
    for cut in sorted(cuts):
        lines += splitter.feed(data[at : max(cut, at)])
        at = max(cut, at)
    lines += splitter.feed(data[at:]) + splitter.finish()
    assert lines == naive_lines(data, "a.log", CAP)


@settings(max_examples=60, deadline=None)
@given(any_bytes)
def test_byte_by_byte_gives_lines_and_counts_of_the_whole(data: bytes) -> None:
    """Even single bytes give the same lines, and what was repaired is counted the same."""
    at_once, one_by_one = LineSplitter("a.log", CAP), LineSplitter("a.log", CAP)
    lines = at_once.feed(data) + at_once.finish()
    pieces = [line for at in range(len(data)) for line in one_by_one.feed(data[at : at + 1])]
    assert pieces + one_by_one.finish() == lines
    assert +at_once.counts == +one_by_one.counts


@settings(max_examples=80, deadline=None)
@given(any_bytes, any_bytes)
def test_state_resumes_in_the_middle_of_a_line(before: bytes, after: bytes) -> None:
    """A splitter made of the JSON of another's state goes on exactly, PEM blocks and long lines included."""
    first = LineSplitter("a.log", CAP)
    lines = first.feed(before)
    second = LineSplitter.from_dict(json.loads(json.dumps(first.to_dict())))
    assert lines + second.feed(after) + second.finish() == whole(before + after)
    assert second.to_dict() == LineSplitter.from_dict(second.to_dict()).to_dict()


def test_a_rewound_state_holds_no_text_of_the_log() -> None:
    """A state for storing can leave out the unfinished line: reading goes back to its start."""
    data = b"one\npassword=hunt"
    splitter = LineSplitter("a.log", CAP)
    splitter.feed(data)
    state = splitter.to_dict(rewound=True)
    assert state["held"] == ""
    again = LineSplitter.from_dict(state)
    number, offset = again.position
    assert (number, offset) == (2, 4)
    assert again.feed(data[offset:] + b"er2\n") == [Line("password=<masked>", "a.log", 2, 4)]


def test_damaged_state_is_refused() -> None:
    """A state that is no splitter's gives StateError, whatever is wrong with it."""
    state = LineSplitter().to_dict()
    for damage in ({"held": "é"}, {"counts": 3}, {"number": None}, {"pem": "x"}):
        with pytest.raises(StateError, match="damaged"):
            LineSplitter.from_dict(state | damage)
    with pytest.raises(StateError):
        LineSplitter.from_dict({})


def test_repairs_are_made_and_counted() -> None:
    """CRLF, BOM, NUL, invalid UTF-8 and blank lines: defined and counted by reason."""
    splitter = LineSplitter("a.log", CAP)
    lines = splitter.feed(b"\xef\xbb\xbfone\r\n\n  \nt\0wo\nthr\xffee\ntoken=abc\n")
    assert [line.text for line in lines] == ["one", "t\ufffdwo", "thr\ufffdee", "token=<masked>"]
    assert [line.number for line in lines] == [1, 4, 5, 6]
    assert splitter.counts == {"blank": 2, "nul": 1, "invalid_utf8": 1, "masked": 1}


def test_only_a_line_feed_ends_a_line() -> None:
    """Separators that Unicode or C know of are text: numbers are those of every other tool."""
    assert len(whole("a\u2028b\x85c\vd\fe\rf\n".encode())) == 1


def test_a_long_line_is_cut_at_a_whole_character() -> None:
    """The cap counts bytes and never leaves half a character."""
    (line,) = whole("é".encode() * 400 + b"\n")
    assert line.text == "é" * (CAP // 2)


def test_a_credential_that_the_cut_goes_through_is_dropped() -> None:
    """Half a token is too short to be known as one: the cut drops the word it falls into."""
    (line,) = whole(b"x " * 140 + b"ghp_" + b"a" * 40)
    assert "ghp" not in line.text


def test_a_hundred_megabytes_without_a_newline_stay_bounded() -> None:
    """Memory is bounded by cap and chunk, and the line after is whole."""
    splitter, chunk = LineSplitter("a.log", 1 << 20), b"a" * (1 << 18)
    tracemalloc.start()
    for _ in range(400):
        assert splitter.feed(chunk) == []
    lines = splitter.feed(b"\nnext\n")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 << 20
    assert [(len(line.text), line.number, line.offset) for line in lines] == [(1 << 20, 1, 0), (4, 2, (100 << 20) + 1)]
    assert splitter.counts["cut"] == 1
    assert splitter.counts["cut_bytes"] == 99 << 20
