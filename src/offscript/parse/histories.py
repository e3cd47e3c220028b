"""Histories as states of an automaton: a row for each, an edge for each symbol that came after it (ours).

The last h symbols and the next one give the next last h symbols, so a session need not hold its history: the number of
its row is enough, and an entry is judged by the edge it takes. Rows and edges are made when they are first met, by
compiled code too; each history is looked up once for each edge that leads to it, by a hash, and compared whole. After
that an entry costs a walk over the few edges of its row, and no two histories are ever taken for one another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.entries import START
from offscript.parse.compiled import compiled, inlined

EDGE: Final = np.dtype([("symbol", np.int32), ("next", np.int32), ("sibling", np.int32), ("from", np.int32)])
"""A symbol that came after a history: the row it leads to, the next edge of the same row, and that row itself."""

FIRST_ROOM: Final = 1 << 10
"""Rows and edges that there is room for at first; it doubles."""

ROWS, EDGES = range(2)
"""What `Automaton.sums` counts."""

_SPREAD: Final = 0x1E3779B97F4A7C15  # odd, with bits all over: digits of the golden ratio

Numbers = NDArray[np.int64]
Small = NDArray[np.int32]
Records = NDArray[Any]


class Automaton(NamedTuple):
    """Rows and edges in columns, for compiled code: `sums` counts both, and `places` finds a row by its hash.

    `symbols` (rows, h) are the histories, `first` (rows,) the first edge of each or -1. `places` hold the row and one,
    0 where there is none.
    """

    symbols: Small
    first: Small
    edges: Records
    places: Small
    sums: Numbers


class Histories:
    """The rows and edges met so far; row 0 is the history of a session that has no entry yet.

    >>> histories = Histories(2)
    >>> edge = histories.edge(0, 5)
    >>> histories.of(histories.next_of(edge)).tolist(), histories.edge(0, 5) == edge
    ([0, 5], True)
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.automaton = _empty(length, FIRST_ROOM, FIRST_ROOM)
        self.row([])

    def __len__(self) -> int:
        """Count the rows."""
        return int(self.automaton.sums[ROWS])

    @property
    def edges(self) -> Records:
        """The edges, and room for more."""
        return self.automaton.edges

    @property
    def edge_count(self) -> int:
        """How many edges there are."""
        return int(self.automaton.sums[EDGES])

    def row(self, symbols: Iterable[int]) -> int:
        """The row of a history of at most h symbols, filled up with START on its left."""
        history = np.full(self.length, START, np.int32)
        last = list(symbols)[-self.length :]
        history[self.length - len(last) :] = last
        self.make_room()
        return int(make_row(history, self.automaton))

    def of(self, rows: Any) -> NDArray[np.int32]:
        """The histories of rows: h symbols each, the last one last."""
        found: NDArray[np.int32] = self.automaton.symbols[rows]
        return found

    def edge(self, row: int, symbol: int, *, leads: bool = True) -> int:
        """The edge of a symbol after a history, made if need be; what ends a session `leads` nowhere."""
        self.make_room()
        return int(make_edge(row, symbol, leads, self.automaton))

    def next_of(self, edge: int) -> int:
        """The row that an edge leads to."""
        return int(self.edges[edge]["next"])

    def make_room(self) -> None:
        """Make room for one more row and one more edge at least."""
        symbols, first, edges, places, sums = self.automaton
        if sums[EDGES] == len(edges):
            edges = np.concatenate([edges, np.empty_like(edges)])
            self.automaton = self.automaton._replace(edges=edges)
        if sums[ROWS] == len(first):
            symbols = np.concatenate([symbols, np.empty_like(symbols)])
            first = np.concatenate([first, np.full_like(first, -1)])
            places = np.zeros(2 * len(places), np.int32)
            self.automaton = Automaton(symbols, first, edges, places, sums)
            _place_all(self.automaton)

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
            moved[row] = fewer.row(self.of(row))
        return fewer, moved


def _empty(length: int, rows: int, edges: int) -> Automaton:
    symbols, first = np.empty((rows, length), np.int32), np.full(rows, -1, np.int32)
    return Automaton(symbols, first, np.empty(edges, EDGE), np.zeros(2 * rows, np.int32), np.zeros(2, np.int64))


@inlined
def find_edge(row: int, symbol: int, first: Small, edges: Records) -> int:
    """The edge of a symbol after the history of a row, -1 where it has not come yet."""
    edge = first[row]
    while edge >= 0 and edges[edge].symbol != symbol:
        edge = edges[edge].sibling
    return int(edge)


@inlined
def is_full(sums: Numbers, first: Small, edges: Records) -> bool:
    """Whether there is no room for one more row, or for one more edge."""
    return bool(sums[ROWS] == len(first)) or bool(sums[EDGES] == len(edges))


@compiled
def make_edge(row: int, symbol: int, leads: bool, automaton: Automaton) -> int:
    """The edge of a symbol after the history of a row, made if need be; there is room.

    A fresh one comes last among those of its row: what was met first is met most.
    """
    symbols, first, edges, _, sums = automaton
    last, edge = -1, first[row]
    while edge >= 0 and edges[edge].symbol != symbol:
        last, edge = edge, edges[edge].sibling
    if edge >= 0:
        return int(edge)
    fresh = sums[EDGES]
    sums[EDGES] += 1
    following = -1
    if leads:
        history = np.empty(symbols.shape[1], np.int32)
        history[:-1] = symbols[row, 1:]
        history[-1] = symbol
        following = make_row(history, automaton)
    made = edges[fresh]
    made.symbol, made.next, made.sibling = symbol, following, -1
    made["from"] = row
    if last < 0:
        first[row] = fresh
    else:
        edges[last].sibling = fresh
    return int(fresh)


@compiled
def make_row(history: Small, automaton: Automaton) -> int:
    """The row of a history, made if need be; there is room."""
    symbols, first, _, places, sums = automaton
    place = _first_place(history, places)
    while places[place]:
        row = places[place] - 1
        if np.all(symbols[row] == history):
            return int(row)
        place = (place + 1) & len(places) - 1
    row = sums[ROWS]
    sums[ROWS] += 1
    symbols[row] = history
    first[row] = -1
    places[place] = row + 1
    return int(row)


@inlined
def _first_place(history: Small, places: Small) -> int:
    """Where to look for a history first."""
    state = np.int64(0)
    for symbol in history:
        state = (state ^ symbol) * _SPREAD
        state ^= state >> 29
    return int(state & len(places) - 1)


@compiled
def _place_all(automaton: Automaton) -> None:
    """Let the places find all rows."""
    symbols, _, _, places, sums = automaton
    for row in range(sums[ROWS]):
        place = _first_place(symbols[row], places)
        while places[place]:
            place = (place + 1) & len(places) - 1
        places[place] = row + 1
