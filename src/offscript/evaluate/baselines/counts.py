"""Sessions as counts of their keys, which most baselines start from: order and time are gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from offscript.evaluate.baselines.judged import Floats
from offscript.evaluate.hdfs_sessions import Session


def keys_of(sessions: Sequence[Session]) -> tuple[int, ...]:
    """The keys of sessions, ascending."""
    return tuple(sorted({key for session in sessions for key in session}))


def count_matrix(sessions: Sequence[Session], keys: Sequence[int]) -> Floats:
    """How often each key comes in each session, and in the last column how often any other: (n, keys + 1).

    >>> count_matrix([(5, 7, 5), (9,)], [5, 7]).tolist()
    [[2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    place = {key: number for number, key in enumerate(keys)}
    matrix = np.zeros((len(sessions), len(keys) + 1))
    for row, session in zip(matrix, sessions, strict=True):
        for key, times in Counter(session).items():
            row[place.get(key, -1)] += times
    return matrix
