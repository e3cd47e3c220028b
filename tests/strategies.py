"""Hypothesis strategies for log messages: like real ones, hostile ones, and any text at all."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

FEW = settings(max_examples=40, deadline=None)
"""Enough to meet the rules of the parser together, and quick; time is promised by tests of its own."""

WORDS = ["opened", "closed", "session", "user", "block", "to", "from", "of", "failed", "VM"]
VALUES = ["7", "0.61", "10.0.0.1:80", "blk_-12", "/a/b", "me@host.org", "deadbeef", "req-1", "12ab", "-"]
SIGNS = [*"=:,;()[]{}<>\"'|-.!*/@", "<*>", "<masked>", "...", "(1, 2)", "[-]"]


def pieces() -> st.SearchStrategy[str]:
    """A word, a value or a sign, with or without a space after it."""
    text = st.sampled_from(WORDS) | st.sampled_from(VALUES) | st.sampled_from(SIGNS)
    return st.builds(str.__add__, text, st.sampled_from(["", " ", " ", " ", "  ", "\t"]))


def messages() -> st.SearchStrategy[str]:
    """Messages made of few words, so that templates meet; now and then any text at all."""
    made = st.lists(pieces(), max_size=12).map("".join)
    statement = st.builds(
        lambda words, value, tail: " ".join([*words, value, tail]),
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=5),
        st.sampled_from(VALUES),
        st.sampled_from(WORDS),
    )
    return statement | statement | made | st.text(max_size=30)


def logs(max_size: int = 25) -> st.SearchStrategy[list[str]]:
    """Several messages in a row."""
    return st.lists(messages(), max_size=max_size)


def word_lists() -> st.SearchStrategy[tuple[str, ...]]:
    """Short word sequences over a small alphabet, so that subsequences are common."""
    return st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=9).map(tuple)
