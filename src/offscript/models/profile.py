"""The session profile: how often each key came in a whole session, against the nearest normal sessions (ours).

A history of h keys cannot see that a loop ran far too long, or that a step of long ago never came. Counts can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offscript.models.pairs import Symbols, unique_rows

Counts = npt.NDArray[np.int32]

KEPT = 20_000
"""Distinct count vectors kept, the most frequent first: the 553,366 normal sessions of HDFS have some hundreds."""

CELLS_AT_ONCE = 1 << 22
"""Differences held at once, 32 MiB in float64 (ours)."""

NEIGHBOURS = 20
"""Normal sessions that say what is usual in an explanation: enough for a range, few enough to be alike (ours)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How often a symbol came in a session, and its range in the nearest normal ones.

    >>> Difference(symbol=5, count=3, low=1, high=1).high
    1
    """

    symbol: int
    count: int
    low: int
    high: int


class Profile:
    """The distinct count vectors of normal sessions: `vectors` (d, symbols) and `units` (d,) sessions each.

    >>> import numpy as np
    >>> profile = Profile(np.array([[0, 0, 0, 3, 1]], np.int32), np.array([8], np.int32), threshold=0.1)
    >>> profile.scores(np.array([[0, 0, 0, 3, 1], [0, 0, 0, 3, 0]], np.int32)).tolist()
    [0.0, 2.5]
    """

    def __init__(self, vectors: Counts, units: npt.NDArray[np.int32], threshold: float) -> None:
        self.vectors, self.units, self.threshold = vectors, units, threshold

    @classmethod
    def of(cls, counts: Counts, units: npt.NDArray[np.integer[Any]], threshold: float = 1.0) -> Profile:
        """The profile of sessions with these counts, (n, symbols), each seen in so many `units` (n,)."""
        distinct, number = unique_rows(counts)
        total = np.bincount(number, units, len(distinct)).astype(np.int32)
        kept = np.sort(np.argsort(-total, kind="stable")[:KEPT])
        return cls(distinct[kept], total[kept], threshold)

    def raw(self, counts: Counts) -> npt.NDArray[np.float64]:
        """The distance of each session to the nearest normal one: (n, symbols) -> (n,)."""
        distinct, number = unique_rows(counts)
        out = np.empty(len(distinct))
        for start in range(0, len(distinct), max(1, CELLS_AT_ONCE // len(self.vectors))):
            part = distinct[start : start + max(1, CELLS_AT_ONCE // len(self.vectors))]
            out[start : start + len(part)] = self._distances(part).min(axis=1)
        return out[number]

    def scores(self, counts: Counts) -> npt.NDArray[np.float64]:
        """The score of each session, 1.0 is the threshold: (n, symbols) -> (n,)."""
        return self.raw(counts) / self.threshold

    def differences(self, counts: Counts) -> tuple[Difference, ...]:
        """What sets a session, (symbols,), apart from the normal ones nearest to it, what matters most first."""
        order = np.argsort(self._distances(counts[None])[0], kind="stable")
        enough = int(np.searchsorted(np.cumsum(self.units[order]), NEIGHBOURS)) + 1
        near = self.vectors[order[:enough]]
        low, high = near.min(axis=0), near.max(axis=0)
        beyond = np.maximum(low - counts, counts - high)
        found = [s for s in np.argsort(-beyond, kind="stable").tolist() if beyond[s] > 0]
        return tuple(Difference(s, int(counts[s]), int(low[s]), int(high[s])) for s in found)

    def _distances(self, counts: Counts) -> npt.NDArray[np.float64]:
        total = np.zeros((len(counts), len(self.vectors)))
        for mine, normal in zip(counts.T, self.vectors.T, strict=True):
            total += np.abs(mine[:, None] - normal[None, :])
        size = np.maximum(counts.sum(axis=1)[:, None], self.vectors.sum(axis=1)[None, :])
        return np.asarray(total / np.maximum(size, 1))


def counts_of(sessions: Sequence[Symbols], symbols: int) -> Counts:
    """How often each symbol comes in each session: (n, symbols).

    >>> import numpy as np
    >>> counts_of([np.array([3, 4, 3], np.int32)], 5).tolist()
    [[0, 0, 0, 2, 1]]
    """
    lengths = np.fromiter(map(len, sessions), np.int64, len(sessions))
    owner = np.repeat(np.arange(len(sessions)), lengths)
    tape = np.concatenate([np.empty(0, np.int64), *sessions]).astype(np.int64)
    flat = np.bincount(owner * symbols + tape, minlength=len(sessions) * symbols)
    return flat.reshape(len(sessions), symbols).astype(np.int32)
