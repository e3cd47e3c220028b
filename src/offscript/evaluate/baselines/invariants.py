"""Invariant mining (Lou, Fu, Yang, Xu, Li, USENIX ATC 2010): linear relations between key counts that sessions keep.

As many times as a block begins to be received it is received: such relations are vectors of small whole numbers whose
product with the counts of a normal session is 0. They are looked for among few keys first; a session that breaks one is
an anomaly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.evaluate.baselines.counts import count_matrix, keys_of
from offscript.evaluate.baselines.judged import Floats
from offscript.evaluate.hdfs_sessions import Session

SUPPORT: Final = 0.98
"""Share of the sessions that must keep an invariant (Lou et al. 2010 section 4)."""

EPSILON: Final = 0.5
"""A product below this is 0: counts are whole numbers (Lou et al. 2010)."""

LARGEST: Final = 3
"""Largest smallest coefficient tried: Lou et al. search small whole numbers, and up to three copies of a block are the
rule in HDFS."""

MOST_KEYS: Final = 4
"""Keys in one invariant at most: Lou et al. found none of more than a few keys worth the search, which grows with
every subset of keys (ours)."""


@dataclass(frozen=True)
class Invariants:
    """What was learnt: the keys counted, and the invariants, (m, keys + 1), a row of coefficients each.

    >>> learnt = mine_invariants([(1, 2), (1, 2, 1, 2), (1, 1, 2, 2, 3)], np.array([5, 3, 2]))
    >>> learnt.coefficients.tolist(), learnt.broken([(1, 2), (1,), (9,)]).tolist()
    ([[0.0, 0.0, 0.0, 1.0], [1.0, -1.0, 0.0, 0.0]], [0.0, 1.0, 1.0])
    """

    keys: tuple[int, ...]
    coefficients: Floats

    def broken(self, sessions: Sequence[Session]) -> Floats:
        """How many invariants each session breaks, (n,)."""
        matrix = count_matrix(sessions, self.keys)
        return np.asarray((np.abs(matrix @ self.coefficients.T) >= EPSILON).sum(axis=1), np.float64)


def mine_invariants(
    sessions: Sequence[Session], counts: npt.NDArray[np.integer | np.floating], *, support: float = SUPPORT
) -> Invariants:
    """Learn from sessions that came `counts` times each: the invariants that a share `support` of them keeps."""
    keys = keys_of(sessions)
    mined = _Mined(count_matrix(sessions, keys), counts / counts.sum(), support)
    mined.search()
    return Invariants(keys, np.array(mined.found).reshape(-1, len(keys) + 1))


class _Mined:
    """The search: single keys that hardly ever come, then ever larger sets of keys that hold no invariant yet."""

    def __init__(self, matrix: Floats, share: Floats, support: float) -> None:
        self.matrix, self.share, self.support = matrix, share, support
        self.found: list[Floats] = []
        self._sets: list[frozenset[int]] = []

    def search(self) -> None:
        """Find invariants, those of fewest keys first, until sets grow too large."""
        width = self.matrix.shape[1]
        for size in range(1, MOST_KEYS + 1):
            for chosen in combinations(range(width), size):
                if any(known <= set(chosen) for known in self._sets):
                    continue
                vector = next(filter(self._kept, self._candidates(chosen)), None)
                if vector is not None:
                    self._add(vector, chosen)

    def _add(self, vector: Floats, chosen: tuple[int, ...]) -> None:
        """Take an invariant, unless those found imply it: a session that breaks it then breaks one of them."""
        self._sets.append(frozenset(chosen))
        if np.linalg.matrix_rank(np.array([*self.found, vector])) > len(self.found):
            self.found.append(vector)

    def _kept(self, vector: Floats) -> bool:
        return float(self.share @ (np.abs(self.matrix @ vector) < EPSILON)) >= self.support

    def _candidates(self, chosen: tuple[int, ...]) -> Iterator[Floats]:
        """Whole-number vectors near the direction in which the counts of these keys vary least."""
        columns = self.matrix[:, chosen]
        least = np.linalg.eigh((columns * self.share[:, None]).T @ columns)[1][:, 0]
        least = least / np.abs(least).max() * (1 if least[np.abs(least).argmax()] > 0 else -1)
        smallest = np.abs(least).min()
        if smallest < 1e-6:
            return  # a key without weight: a smaller set has it
        for times in range(1, LARGEST + 1):
            rounded = np.round(least / smallest * times)
            if rounded.all() and np.gcd.reduce(np.abs(rounded).astype(np.int64)) == 1:
                vector = np.zeros(self.matrix.shape[1])
                vector[list(chosen)] = rounded * (1 if rounded[0] > 0 else -1)
                yield vector
