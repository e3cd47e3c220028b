"""Lines in one piece: the same lines and counts as one by one, whatever the bytes and however they are cut."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from offscript.entries import Line
from offscript.parse.lines import LineSplitter

MANY = settings(max_examples=300, deadline=None)
PIECES = [
    b"a", b" ", b"\n", b"\n", b"\r\n", b"\0", "é".encode(), b"\xff", "\u3000".encode(), b"pwd=hunter22 ", b"\t",
    b"\x0b", b"\xef\xbb\xbf", b"-----BEGIN PRIVATE KEY-----\n", b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\n", b"\x1c",
    b"one two 12", b"-----END PRIVATE KEY-----\n", b"https://me:secret@host/ ",
]  # fmt: skip


@MANY
@given(
    st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join), st.integers(1, 60), st.sampled_from([256, 1 << 20])
)
def test_raw_is_the_same(log: bytes, size: int, longest: int) -> None:
    """Numbers, offsets, texts, masking and counts are those of `feed`, in chunks of any size (promise 1)."""
    whole, cut = LineSplitter("app.log", longest), LineSplitter("app.log", longest)
    lines = whole.feed(log) + whole.finish()
    found: list[Line] = []
    for begin in range(0, len(log), size):
        for piece in cut.feed_raw(log[begin : begin + size]):
            found += list(piece)
    assert found + cut.finish() == lines
    assert +cut.counts == +whole.counts
    assert cut.position == whole.position


def test_a_part_is_some_of_the_lines() -> None:
    """A part of a piece holds the lines between two places, with their own numbers and offsets."""
    (piece,) = LineSplitter("app.log").feed_raw(b"zero\n\none\ntwo\nthree\n")
    assert not isinstance(piece, list)
    assert [(line.text, line.number, line.offset) for line in piece.part(1, 3)] == [("one", 3, 6), ("two", 4, 10)]
