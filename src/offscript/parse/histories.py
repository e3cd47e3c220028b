"""Histories as states of an automaton: a row for each, an edge for each symbol that came after it (ours).

The last h symbols and the next one give the next last h symbols, so a session need not hold its history: the number of
its row is enough, and an entry is judged by the edge it takes. Rows and edges are made when they are first met, each
history is looked up once for each edge that leads to it, in a dictionary that compares whole histories; after that an
entry costs a walk over the few edges of its row, and no two histories are ever taken for one another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from offscript.entries import START
from offscript.parse.compiled import compiled, inlined

EDGE: Final = np.dtype([("symbol", np.int32), ("next", np.int32), ("sibling", np.int32), ("from", np.int32)])
"""A symbol that came after a history: the row it leads to, the next edge of the same row, and that row itself."""

FIRST_ROOM: Final = 1 << 10
"""Rows and edges that there is room for at first; it doubles."""

Numbers = NDArray[np.int64]
Records = NDArray[Any]


class Histories:
    """The rows and edges met so far; row 0 is the history of a session that has no entry yet.

    >>> histories = Histories(2)
    >>> edge = histories.edge(0, 5)
    >>> histories.of(histories.next_of(edge)).tolist(), histories.edge(0, 5) == edge
    ([0, 5], True)
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.edges: Records = np.empty(FIRST_ROOM, EDGE)
        self.first: NDArray[np.int32] = np.full(FIRST_ROOM, -1, np.int32)
        self.edge_count = 0
        self._symbols = np.full((FIRST_ROOM, length), START, np.int32)
        self._rows: dict[bytes, int] = {}
        self.row([])

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._rows)

    def row(self, symbols: Iterable[int]) -> int:
        """The row of a history of at most h symbols, filled up with START on its left."""
        history = np.full(self.length, START, np.int32)
        last = list(symbols)[-self.length :]
        history[self.length - len(last) :] = last
        return self._row(history)

    def _row(self, history: NDArray[np.int32]) -> int:
        name = history.tobytes()
        row = self._rows.setdefault(name, len(self._rows))
        if row + 1 == len(self._rows):
            if row == len(self.first):
                self.first = np.concatenate([self.first, np.full(row, -1, np.int32)])
                self._symbols = np.concatenate([self._symbols, np.empty_like(self._symbols)])
            self._symbols[row] = history
        return row

    def of(self, rows: Any) -> NDArray[np.int32]:
        """The histories of rows: h symbols each, the last one last."""
        found: NDArray[np.int32] = self._symbols[rows]
        return found

    def edge(self, row: int, symbol: int, *, leads: bool = True) -> int:
        """The edge of a symbol after a history, made if need be; what ends a session `leads` nowhere."""
        if self.edge_count == len(self.edges):
            self.edges = np.concatenate([self.edges, np.empty_like(self.edges)])
        edge = _link(row, symbol, self.first, self.edges, self.edge_count)
        if edge == self.edge_count:
            history = np.empty(self.length, np.int32)
            history[:-1], history[-1] = self._symbols[row, 1:], symbol
            self.edges[edge] = (symbol, self._row(history) if leads else -1, -1, row)
            self.edge_count += 1
        return edge

    def next_of(self, edge: int) -> int:
        """The row that an edge leads to."""
        return int(self.edges[edge]["next"])

    def only(self, rows: Numbers) -> tuple[Histories, NDArray[np.int32]]:
        """Forget all but these rows; also return the new row of each, -1 for the others.

        >>> histories = Histories(2)
        >>> row = histories.row([7])
        >>> fewer, moved = histories.only(np.array([row]))
        >>> fewer.of(moved[row]).tolist()
        [0, 7]
        """
        fewer = Histories(self.length)
        moved = np.full(len(self), -1, np.int32)
        moved[0] = 0
        for row in rows.tolist():
            moved[row] = fewer._row(self._symbols[row])
        return fewer, moved


@inlined
def find_edge(row: int, symbol: int, first: NDArray[np.int32], edges: Records) -> int:
    """The edge of a symbol after the history of a row, -1 where it has not come yet."""
    edge = first[row]
    while edge >= 0 and edges[edge].symbol != symbol:
        edge = edges[edge].sibling
    return int(edge)


@compiled
def _link(row: int, symbol: int, first: NDArray[np.int32], edges: Records, fresh: int) -> int:
    """The edge of a symbol after the history of a row; a fresh one comes last: what was met first is met most."""
    last, edge = -1, first[row]
    while edge >= 0 and edges[edge].symbol != symbol:
        last, edge = edge, edges[edge].sibling
    if edge >= 0:
        return int(edge)
    if last < 0:
        first[row] = fresh
    else:
        edges[last].sibling = fresh
    return fresh
