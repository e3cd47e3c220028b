"""Simple detectors on value vectors: z-score, quantiles, and an isolation forest on the sparse matrix of all keys.

The first two look at each position of each key alone. The third sees one row an entry with a column for every position
of every key, zero where the entry has another key: what the paper argues against (CCS 2017 section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Vectors = Sequence[tuple[int, Sequence[float]]]
"""Entries as key and numbers, NaN where there is none; a key has equally many in all its entries."""

Scorer = Callable[[Floats], Floats]
"""The scores of rows, (n, columns) -> (n,): higher is stranger."""

LOW, HIGH = 0.005, 0.995
"""The quantiles of the training values that are normal: what 1% of them is outside of (ours)."""

LEAST: Final = 1e-9
"""Share of a value that is no difference: of a constant position any other value is as far off as can be (ours)."""


@dataclass(frozen=True)
class Columns:
    """Which column of the matrix each position of each key has: `first` (by key) and how many there are.

    >>> columns = Columns.of([(7, (1.0, 2.0)), (9, (3.0,))])
    >>> columns.matrix([(9, (5.0,)), (7, (4.0, 6.0))])
    array([[nan, nan,  5.],
           [ 4.,  6., nan]])
    """

    first: dict[int, tuple[int, int]]
    count: int

    @classmethod
    def of(cls, vectors: Vectors) -> Columns:
        """The columns of the keys of some vectors, by number of the key."""
        sizes = {key: len(numbers) for key, numbers in vectors}
        first: dict[int, tuple[int, int]] = {}
        count = 0
        for key in sorted(sizes):
            first[key] = (count, sizes[key])
            count += sizes[key]
        return cls(first, count)

    def knows(self, vectors: Vectors) -> bool:
        """Whether every key has columns."""
        return all(key in self.first for key, _ in vectors)

    def matrix(self, vectors: Vectors) -> Floats:
        """One row a vector, NaN where it has nothing; numbers beyond those that its key had are left out."""
        rows = np.full((len(vectors), self.count), np.nan)
        for row, (key, numbers) in zip(rows, vectors, strict=True):
            begin, size = self.first.get(key, (0, 0))
            some = list(numbers)[:size]
            row[begin : begin + len(some)] = some
        return rows


def learn_z_scores(train: Floats) -> Scorer:
    """The largest distance from a column's mean, in its standard deviations.

    >>> learn_z_scores(np.array([[1.0], [2.0], [3.0]]))(np.array([[4.0], [2.0], [np.nan]])).round(2).tolist()
    [2.45, 0.0, 0.0]
    """
    mean, spread = _by_column(np.nanmean, train), _by_column(np.nanstd, train)
    spread = np.maximum(spread, LEAST * np.maximum(1, np.abs(mean)))
    return lambda rows: _largest(np.abs(rows - mean) / spread)


def learn_quantiles(train: Floats) -> Scorer:
    """How far outside of the normal quantiles of its column a value is, in their distance; below 0 inside.

    >>> score = learn_quantiles(np.arange(1001.0)[:, None])
    >>> score(np.array([[1490.0], [5.0], [500.0]])).round(3).tolist()
    [0.5, 0.0, -0.5]
    """
    low = _by_column(lambda some: np.quantile(some, LOW), train)
    high = _by_column(lambda some: np.quantile(some, HIGH), train)
    width = np.maximum(high - low, LEAST * np.maximum(1, np.abs(high)))
    return lambda rows: _largest(np.maximum(low - rows, rows - high) / width, least=-1.0)


def learn_isolation_forest(train: Floats, seed: int = 0) -> Scorer:
    """How few cuts isolate a row, between 0 and 1 (Liu, Ting, Zhou 2008), by scikit-learn; missing numbers are 0."""
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415  (an extra)

    forest = IsolationForest(random_state=seed).fit(np.nan_to_num(train))

    def score(rows: Floats) -> Floats:
        distinct, number = np.unique(np.nan_to_num(rows), axis=0, return_inverse=True)
        return np.asarray(-forest.score_samples(distinct), np.float64)[number.reshape(-1)]

    return score


def _by_column(measure: Callable[[Floats], np.floating], rows: Floats) -> Floats:
    """A measure of the numbers of each column; 0 for a column without."""
    columns = [column[~np.isnan(column)] for column in rows.T]
    return np.array([float(measure(some)) if len(some) else 0.0 for some in columns])


def _largest(rows: Floats, least: float = 0.0) -> Floats:
    """The largest number of each row; the least there can be where it has none."""
    return np.asarray(np.nan_to_num(rows, nan=least, posinf=np.inf).max(axis=1, initial=least))


def at_share(normal: Floats, flagged: int) -> float:
    """The lowest threshold that at most so many of the normal scores are above.

    >>> at_share(np.array([0.1, 0.4, 0.3]), 1)
    0.3
    """
    order = np.sort(normal)[::-1]
    return float(order[flagged]) if flagged < len(order) else -np.inf
