"""The first lines taken as text are those that reading line by line gives."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from offscript.entries import Line
from offscript.parse.first_lines import first_lines
from offscript.parse.lines import LineSplitter
from offscript.parse.pieces import sample_of


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["one 1", "zwölf é", "", "  ", "٣\r", "\0", "end "]), min_size=1), max_size=4),
    st.integers(1, 12),
)
def test_texts_and_sources_are_those_of_the_lines(files: list[list[str]], count: int) -> None:
    """Whatever the pieces of several sources are, so many lines are taken of them, as they stand."""
    pieces = []
    for number, lines in enumerate(files):
        splitter = LineSplitter(f"{number}.log")
        pieces += splitter.feed_raw("".join(f"{line}\n" for line in lines).encode())
    pieces.append([Line("last", "-")])
    ahead, first = first_lines(iter(pieces), count)
    expected, sample = sample_of(iter(pieces), count)
    assert ahead == expected
    assert list(first.page) == [line.text for line in sample]
    assert first.sources == [line.source for line in sample]
