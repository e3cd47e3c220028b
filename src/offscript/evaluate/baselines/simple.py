"""Detectors of a few lines, which are strong on these logs: new event, length, count vector (Landauer et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.evaluate.baselines.counts import count_matrix, keys_of
from offscript.evaluate.baselines.judged import Floats, Judged, Scorer
from offscript.evaluate.hdfs_sessions import Session

CELLS: Final = 1 << 22
"""Differences held at once: bounds memory."""


def judge_new_event(train: Sequence[Session], sessions: Sequence[Session]) -> Judged:
    """A session is an anomaly when it has a key that training has not.

    >>> judge_new_event([(1, 2)], [(1,), (3,)]).reasons
    ('', 'new_key')
    """
    known = set(keys_of(train))
    new = np.array([not known.issuperset(session) for session in sessions])
    return Judged(new.astype(float), tuple("new_key" if one else "" for one in new), {"keys": len(known)}, ranked=False)


def judge_length(train: Sequence[Session], sessions: Sequence[Session]) -> Judged:
    """A session is an anomaly when it is shorter or longer than every training session.

    >>> judge_length([(1, 2), (1, 2, 3)], [(1,), (1, 1)]).reasons
    ('unusual_length', '')
    """
    lengths = [len(session) for session in train]
    low, high = min(lengths), max(lengths)
    out = np.array([not low <= len(session) <= high for session in sessions])
    reasons = tuple("unusual_length" if one else "" for one in out)
    return Judged(out.astype(float), reasons, {"shortest": low, "longest": high}, ranked=False)


def learn_count_vectors(train: Sequence[Session], _times: npt.NDArray[np.integer]) -> Scorer:
    """The distance of a session's counts to the nearest training session's: 0 is equal, 1 has nothing in common.

    The distance is the sum of the differences by the sum of the greater counts (Landauer et al. 2024, ECVC).

    >>> learn_count_vectors([(1, 2), (1, 1, 2)], np.array([1, 1]))([(2, 1), (1, 1, 1, 2), (9,)]).tolist()
    [0.0, 0.25, 1.0]
    """
    keys = keys_of(train)
    known = np.unique(count_matrix(train, keys), axis=0)

    def scores(sessions: Sequence[Session]) -> Floats:
        rows, number = np.unique(count_matrix(sessions, keys), axis=0, return_inverse=True)
        size = max(1, CELLS // max(1, known.size))
        parts = [_nearest(rows[start : start + size], known) for start in range(0, len(rows), size)]
        return np.concatenate([np.empty(0), *parts])[number.reshape(-1)]

    return scores


def _nearest(rows: Floats, known: Floats) -> Floats:
    greater = np.maximum(rows[:, None], known[None]).sum(axis=2)
    apart = np.abs(rows[:, None] - known[None]).sum(axis=2)
    return np.asarray((apart / np.maximum(greater, 1)).min(axis=1))
