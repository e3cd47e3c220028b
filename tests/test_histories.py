"""The automaton of histories: what a dictionary of whole histories would say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import naive_sessions

from offscript.parse import histories
from offscript.parse.histories import Histories

SYMBOLS = st.integers(0, 4)
WALKS = st.lists(st.lists(SYMBOLS, max_size=12), max_size=30)


@pytest.mark.parametrize("room", [1, 1024])
@settings(max_examples=60, deadline=None)
@given(length=st.integers(1, 4), walks=WALKS, kept=st.sets(st.integers(0, 60)))
def test_equal_to_a_dictionary(room: int, length: int, walks: list[list[int]], kept: set[int]) -> None:
    """Rows and edges are numbered as they are met, whatever the room; those kept keep their histories."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histories, "FIRST_ROOM", room)
        ours, obvious = Histories(length), naive_sessions.Histories(length)
        for walk in walks:
            row = 0
            for symbol in walk:
                edge = ours.edge(row, symbol, leads=symbol != 1)
                assert edge == obvious.edge(row, symbol, leads=symbol != 1)
                row = max(0, ours.next_of(edge))
            assert ours.row(walk) == obvious.row(walk)
        assert [tuple(row) for row in ours.of(np.arange(len(ours))).tolist()] == list(obvious.rows)
        assert [tuple(edge) for edge in ours.edges[["from", "symbol", "next"]][: ours.edge_count].tolist()] == [
            (*edge, following) for edge, following in obvious.edges.items()
        ]
        some = np.array(sorted(row for row in kept if row < len(ours)), np.int64)
        fewer, moved = ours.only(some)
        assert np.array_equal(fewer.of(moved[some]), ours.of(some))
        assert (np.delete(moved, np.append(some, 0)) == -1).all()
