"""The N-gram baseline of DeepLog's paper: relative counts of the next key after the N before it (CCS 2017 3.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.evaluate.hdfs_sessions import Session
from offscript.models.pairs import Symbols, Vocabulary, unique_rows, windows

HISTORY: Final = 1
"""N: the paper found that one key of history does best (CCS 2017 section 5.1.2)."""


@dataclass(frozen=True)
class NGram:
    """What was learnt: how often each symbol came after each history, (capacity,) a history.

    >>> learnt = fit_ngram([(1, 2), (1, 2), (1, 3)], np.array([1, 1, 1]), end=True)
    >>> learnt.probabilities(np.array([[3], [9]])).round(2).tolist()  # after key 1; after what never came
    [[0.0, 0.0, 0.0, 0.0, 0.67, 0.33], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]
    """

    vocabulary: Vocabulary
    counts: dict[bytes, npt.NDArray[np.float64]]

    def probabilities(self, histories: Symbols) -> npt.NDArray[np.float64]:
        """Relative counts: (n, N) symbols -> (n, capacity); all 0 after a history that never came."""
        never = np.zeros(len(self.vocabulary))
        rows = [self.counts.get(name.tobytes(), never) for name in np.ascontiguousarray(histories, np.int32)]
        out = np.array(rows).reshape(len(rows), len(never))
        return np.asarray(out / np.maximum(out.sum(axis=1, keepdims=True), 1))


def fit_ngram(
    sessions: Sequence[Session], times: npt.NDArray[np.integer], *, end: bool, history: int = HISTORY
) -> NGram:
    """Learn from distinct sessions and how often each came; their ends are counted too if `end`."""
    vocabulary = Vocabulary.of(sessions)
    found = windows([vocabulary.encode(session) for session in sessions], [end] * len(sessions), history)
    distinct, number = unique_rows(found.histories)
    table = np.zeros((len(distinct), len(vocabulary)))
    np.add.at(table, (number, found.targets), times[found.session])
    return NGram(vocabulary, {name.tobytes(): row for name, row in zip(distinct, table, strict=True)})
