"""What a key model learns from: symbols, and the distinct (history, next) pairs of normal sessions with counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from offscript.entries import END, FIRST_KEY_SYMBOL, START, UNKNOWN

Symbols: TypeAlias = npt.NDArray[np.int32]

CELLS_AT_ONCE = 1 << 22
"""Probabilities held at once, 32 MiB in float64: memory then does not grow with distinct histories times keys, and
work on larger pieces is no faster (ours)."""

NUMBER_BITS = 64
"""Bits of a number with its sign: a row whose numbers fit in fewer is sorted as one."""

FEWEST_ROWS = 64
"""Rows of one forward pass: fewer at once would be padded, so smaller pieces only repeat work."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Symbols of log keys: 0, 1, 2 are START, END, UNKNOWN; keys follow from 3 in the order given (ours).

    >>> words = Vocabulary.of([[7, 5], [5]])
    >>> words.symbol(5), words.symbol(7), words.symbol(6), words.key(4), len(words)
    (3, 4, 2, 7, 5)
    """

    keys: tuple[int, ...]
    numbers: dict[int, int]

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> Vocabulary:
        """The keys of these sequences, ascending."""
        return cls.from_keys(sorted({int(key) for sequence in sequences for key in sequence}))

    @classmethod
    def from_keys(cls, keys: Sequence[int]) -> Vocabulary:
        """Keys in the order of their symbols."""
        return cls(tuple(keys), {key: number for number, key in enumerate(keys, FIRST_KEY_SYMBOL)})

    def __len__(self) -> int:
        return FIRST_KEY_SYMBOL + len(self.keys)

    def symbol(self, key: int) -> int:
        """The symbol of a key, UNKNOWN for any other."""
        return self.numbers.get(key, UNKNOWN)

    def key(self, symbol: int) -> int | None:
        """The key of a symbol, None for START, END and UNKNOWN."""
        return self.keys[symbol - FIRST_KEY_SYMBOL] if FIRST_KEY_SYMBOL <= symbol < len(self) else None

    def encode(self, sequence: Sequence[int]) -> Symbols:
        """The symbols of a sequence of keys, (n,)."""
        return np.fromiter((self.numbers.get(int(key), UNKNOWN) for key in sequence), np.int32, len(sequence))


@dataclass(frozen=True, slots=True)
class Windows:
    """Every (history, next) of some sessions, in order.

    `histories` is (n, h), `targets` (n,), `session` (n,) the number of the session, and `position` (n,) that of the
    target within it, which for END is the session's length.
    """

    histories: Symbols
    targets: Symbols
    session: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]


def windows(sessions: Sequence[Symbols], complete: Sequence[bool], history: int) -> Windows:
    """The histories and targets of sessions, left-padded with START; END is the last target of complete ones.

    Ours: the paper does not say how sessions start and end, and without END cut sessions look normal.

    >>> import numpy as np
    >>> found = windows([np.array([3, 4], np.int32)], [True], history=2)
    >>> found.histories.tolist(), found.targets.tolist()
    ([[0, 0], [0, 3], [3, 4]], [3, 4, 1])
    """
    lengths = np.fromiter(map(len, sessions), np.int64, len(sessions))
    targets = lengths + np.asarray(complete, bool)
    pad = np.full(history, START, np.int32)
    end = np.array([END], np.int32)
    parts = [part for session in sessions for part in (pad, np.asarray(session, np.int32), end)]
    tape = np.concatenate([*parts, pad, end])
    owner = np.repeat(np.arange(len(sessions)), targets)
    position = np.arange(int(targets.sum())) - np.repeat(np.cumsum(targets) - targets, targets)
    begin = np.cumsum(lengths + history + 1) - (lengths + history + 1)
    views = np.lib.stride_tricks.sliding_window_view(tape, history + 1)
    rows = views[begin[owner] + position]
    return Windows(rows[:, :history], rows[:, history], owner, position)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distinct pairs, sorted: `histories` (m, h), `targets` (m,), `units` (m, folds).

    `units` says in how many sessions (or, of a stream, entries) of each fold a pair occurs; `row` (n,) is the pair
    of each window that the pairs were made of.
    """

    histories: Symbols
    targets: Symbols
    units: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)

    def without(self, fold: int | None) -> npt.NDArray[np.int64]:
        """In how many units outside a fold each pair occurs, (m,)."""
        total: npt.NDArray[np.int64] = self.units.sum(axis=1)
        return total if fold is None else total - self.units[:, fold]


def distinct_pairs(found: Windows, unit: npt.NDArray[np.int64], fold: npt.NDArray[np.int64], folds: int) -> Pairs:
    """The distinct pairs of windows; `unit` (n,) and `fold` (n,) say which session and fold each window belongs to.

    A pair repeated within one unit counts once there: a loop in one session is one piece of evidence.

    >>> import numpy as np
    >>> found = windows([np.array([3, 3, 3], np.int32)] * 2, [False] * 2, history=1)
    >>> pairs = distinct_pairs(found, found.session, found.session, folds=2)
    >>> pairs.histories.tolist(), pairs.targets.tolist(), pairs.units.tolist()
    ([[0], [3]], [3, 3], [[1, 1], [1, 1]])
    """
    unique, row = unique_rows(np.column_stack((found.histories, found.targets)))
    count = int(unit.max(initial=-1)) + 1
    first = np.unique(row * count + unit, return_index=True)[1]
    cells = np.bincount(row[first] * folds + fold[first], minlength=len(unique) * folds)
    return Pairs(unique[:, :-1], unique[:, -1], cells.reshape(len(unique), folds), row)


def unique_rows(rows: npt.NDArray[Any]) -> tuple[Symbols, npt.NDArray[np.int64]]:
    """The distinct rows of (n, m), sorted, and for each row the number of its distinct one, (n,).

    >>> import numpy as np
    >>> unique_rows(np.array([[2, 1], [1, 2], [2, 1]]))[1].tolist()
    [1, 0, 1]
    """
    _, first, inverse = np.unique(_sortable(rows), return_index=True, return_inverse=True)
    return rows[first].astype(np.int32), inverse.reshape(-1).astype(np.int64)


def _sortable(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """One value for each of the rows, (n,), that compares as the row does."""
    bits = bits_of(rows)
    if rows.shape[1] * bits < NUMBER_BITS:  # numbers sort ten times as fast as blocks of bytes
        return as_numbers(rows, bits)
    # big-endian bytes compare as the numbers do, and one memory block a row sorts faster than np.unique(axis=0)
    blocks = np.ascontiguousarray(rows.astype(">u4"))
    return blocks.view(np.dtype((np.void, blocks.shape[1] * 4))).reshape(-1)


def bits_of(rows: npt.NDArray[Any]) -> int:
    """How many bits the largest number of some rows has, at least one.

    >>> bits_of(np.array([[0, 5]]))
    3
    """
    return max(1, int(rows.max(initial=0)).bit_length())


def as_numbers(rows: npt.NDArray[Any], bits: int) -> npt.NDArray[np.int64]:
    """Rows of numbers of so many bits as one number each, which compare as the rows do: (n, m) -> (n,).

    >>> as_numbers(np.array([[1, 2], [2, 1]]), bits=2).tolist()
    [6, 9]
    """
    packed = np.zeros(len(rows), np.int64)
    for column in rows.T:
        packed = packed << bits | column.astype(np.int64)
    return packed


def rows_at_once(capacity: int) -> int:
    """How many rows of so many symbols are held at once.

    >>> rows_at_once(32), rows_at_once(1024), rows_at_once(1 << 20)
    (131072, 4096, 64)
    """
    return max(FEWEST_ROWS, CELLS_AT_ONCE // capacity)


def at_targets(
    histories: npt.NDArray[Any],
    targets: npt.NDArray[Any],
    rows_of: Callable[[Symbols], npt.NDArray[np.float64]],
    most: int,
) -> npt.NDArray[np.float64]:
    """The cell of each target in the row of its history: (n, h) and (n,) symbols -> (n,).

    `rows_of` gives the rows of distinct histories, (d, h) -> (d, capacity or wider); it is asked for each distinct
    history once, for at most `most` together, and of its answer only the targets' cells are kept.

    >>> import numpy as np
    >>> at_targets(np.array([[1], [2], [1]]), np.array([0, 1, 2]), lambda rows: rows * np.array([[1.0, 10, 100]]), 1)
    array([  1.,  20., 100.])
    """
    out = np.empty(len(targets), np.float64)
    if not len(targets):
        return out
    if len(targets) == 1:  # a live line alone: looking for equal histories would take most of its time
        out[0] = rows_of(histories.astype(np.int32))[0, targets[0]]
        return out
    distinct, number = unique_rows(histories)
    order = np.argsort(number, kind="stable")
    starts = range(0, len(distinct), most)
    ends = np.searchsorted(number[order], [start + most for start in starts])
    for start, begin, end in zip(starts, [0, *ends[:-1]], ends, strict=True):
        here = order[begin:end]
        out[here] = rows_of(distinct[start : start + most])[number[here] - start, targets[here]]
    return out


def floor_of(histories: npt.NDArray[Any], targets: npt.NDArray[Any], weights: npt.NDArray[np.floating[Any]]) -> float:
    """The empirical conditional entropy of the weighted pairs in nats: the floor of the training loss.

    >>> import numpy as np
    >>> round(floor_of(np.array([[3], [3], [4]]), np.array([4, 3, 3]), np.ones(3)), 3)  # two thirds of one bit
    0.462
    """
    _, group = unique_rows(histories)
    _, pair = unique_rows(np.column_stack((group, targets)))
    joint, given = np.bincount(pair, weights), np.bincount(group, weights)
    return float((weights / weights.sum() * np.log(given[group] / joint[pair])).sum())


class Sightings:
    """How often each next symbol was seen after each history: what the training log itself says (ours).

    `histories` (m, h) sorted, `targets` (m,), `units` (m,) as of `Pairs`. The log knows more than a network about
    histories it holds often, and nothing about others; `blend` weighs the two.

    >>> import numpy as np
    >>> seen = Sightings(np.array([[3], [3]], np.int32), np.array([4, 5], np.int32), np.array([8, 2]))
    >>> blended, _ = seen.blend(np.array([[3], [4]]), np.full((2, 6), 0.1), weight=10, often=5)
    >>> blended.round(2).tolist()
    [[0.05, 0.05, 0.05, 0.05, 0.45, 0.15], [0.1, 0.1, 0.1, 0.1, 0.1, 0.1]]
    """

    def __init__(self, histories: Symbols, targets: Symbols, units: npt.NDArray[np.int64]) -> None:
        self.histories, self.targets, self.units = histories, targets, units
        fresh = np.ones(len(targets), bool)
        fresh[1:] = (histories[1:] != histories[:-1]).any(axis=1)
        begin = np.flatnonzero(fresh)
        self._bounds = np.append(begin, len(targets))
        self._total = np.add.reduceat(units, begin) if len(begin) else np.empty(0, np.int64)
        self._known = histories[begin]

    def with_more(self, histories: Symbols, targets: Symbols, units: npt.NDArray[np.int64]) -> Sightings:
        """These sightings and more: (n, h), (n,) and (n,), distinct pairs or not.

        >>> import numpy as np
        >>> seen = Sightings(np.array([[3]], np.int32), np.array([4], np.int32), np.array([8]))
        >>> more = seen.with_more(np.array([[3], [2]], np.int32), np.array([4, 4], np.int32), np.array([1, 1]))
        >>> more.histories.tolist(), more.units.tolist()
        ([[2], [3]], [1, 9])
        """
        rows = np.column_stack((np.concatenate((self.histories, histories)), np.concatenate((self.targets, targets))))
        distinct, number = unique_rows(rows)
        total = np.zeros(len(distinct), np.int64)
        np.add.at(total, number, np.concatenate((self.units, units)))
        return Sightings(np.ascontiguousarray(distinct[:, :-1]), distinct[:, -1].copy(), total)

    def blend(
        self, histories: npt.NDArray[Any], probabilities: npt.NDArray[np.floating[Any]], *, weight: float, often: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Mix probabilities (n, capacity) with the sightings of their histories (n, h).

        The network counts as `weight` sightings: (seen + weight x probability) / (all seen + weight), the posterior
        mean under a Dirichlet prior centred on the network. Also returns which cells were seen `often`, or more.
        """
        whole, rows, cells = self._of(histories)
        blended = probabilities.astype(np.float64) * (weight / (whole + weight))[:, None]
        blended[rows, self.targets[cells]] += self.units[cells] / (whole[rows] + weight)
        seen_often = np.zeros(probabilities.shape, bool)
        seen_often[rows, self.targets[cells]] = self.units[cells] >= often
        return blended, seen_often

    def blend_at(
        self,
        histories: npt.NDArray[Any],
        targets: npt.NDArray[Any],
        probabilities: npt.NDArray[np.floating[Any]],
        *,
        weight: float,
        often: int,
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """What `blend` gives at one target of each history, (n,), from its probability, (n,)."""
        whole, rows, cells = self._of(histories)
        here = self.targets[cells] == targets[rows]
        seen = np.zeros(len(histories), np.int64)
        seen[rows[here]] = self.units[cells[here]]
        blended = probabilities.astype(np.float64) * (weight / (whole + weight)) + seen / (whole + weight)
        return blended, seen >= often

    def _of(
        self, histories: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """How often each history was seen, (n,), and each sighting of one: the history's row, and the pair's."""
        group = self._groups(histories)
        known = np.flatnonzero(group >= 0)
        group = group[known]
        sizes = self._bounds[group + 1] - self._bounds[group]
        rows = np.repeat(known, sizes)
        cells = np.arange(len(rows)) + np.repeat(self._bounds[group] - (np.cumsum(sizes) - sizes), sizes)
        whole = np.zeros(len(histories))
        whole[known] = self._total[group]
        return whole, rows, cells

    def _groups(self, histories: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The number of each history among those seen, -1 for one that was not, (n,)."""
        if self._bits and len(self._known):
            numbers = self._numbers
            place = np.minimum(np.searchsorted(numbers, found := as_numbers(histories, self._bits)), len(numbers) - 1)
            is_known = (numbers[place] == found) & (histories.max(axis=1, initial=0) < 1 << self._bits)
            return np.where(is_known, place, -1)
        names, size = np.ascontiguousarray(histories, np.int32).tobytes(), 4 * histories.shape[1]
        return np.array([self._by_name.get(names[at : at + size], -1) for at in range(0, len(names), size)], np.int64)

    @cached_property
    def _bits(self) -> int:
        """Bits of a symbol where a history can be one number, else 0."""
        bits = bits_of(self._known)
        return bits if self._known.shape[1] * bits < NUMBER_BITS else 0

    @cached_property
    def _numbers(self) -> npt.NDArray[np.int64]:
        """The histories seen as numbers, in their order."""
        return as_numbers(self._known, self._bits)

    @cached_property
    def _by_name(self) -> dict[bytes, int]:
        """The histories seen by their bytes."""
        return {history.tobytes(): number for number, history in enumerate(self._known)}
