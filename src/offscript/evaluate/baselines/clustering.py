"""Log clustering (Lin, Zhang, Lou, Zhang, Chen, ICSE 2016): sessions far from every known cluster are anomalies.

Sessions are vectors of keys weighed by how few sessions have them; near ones are merged, and each cluster keeps its
mean. With normal sessions alone to learn from, every cluster is normal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from offscript.evaluate.baselines.counts import count_matrix, keys_of
from offscript.evaluate.baselines.judged import Floats
from offscript.evaluate.hdfs_sessions import Session

DISTANCE: Final = 0.3
"""Cosine distance up to which sessions are one cluster, and beyond which a session belongs to none: the setting of the
public re-implementation of the paper, which gives none."""

MOST: Final = 4000
"""Distinct vectors clustered at most, the most frequent: merging takes the square of them in memory (128 MB)."""


@dataclass(frozen=True)
class Clusters:
    """What was learnt: the keys, their weights, and the mean of each cluster, (clusters, keys + 1).

    >>> learnt = fit_clusters([(1, 1, 2), (1, 2), (3, 2)], np.array([5, 3, 2]))
    >>> len(learnt.means), learnt.distances([(1, 2), (9,)]).round(2).tolist()
    (2, [0.0, 1.0])
    """

    keys: tuple[int, ...]
    weights: Floats
    means: Floats

    def distances(self, sessions: Sequence[Session]) -> Floats:
        """The cosine distance of each session to the nearest cluster, (n,)."""
        rows = _unit(weighed(count_matrix(sessions, self.keys), self.weights))
        return np.asarray(1 - (rows @ _unit(self.means).T).max(axis=1)).clip(0)


def fit_clusters(
    sessions: Sequence[Session], counts: npt.NDArray[np.integer | np.floating], *, distance: float = DISTANCE
) -> Clusters:
    """Merge sessions that came `counts` times each while the farthest two of a cluster are within `distance`."""
    from sklearn.cluster import AgglomerativeClustering  # noqa: PLC0415  (an extra)

    keys = keys_of(sessions)
    matrix = count_matrix(sessions, keys)
    share = counts @ (matrix > 0) / counts.sum()
    weights = np.log(1 / np.maximum(share, 1 / counts.sum()))
    rows, number = np.unique(weighed(matrix, weights), axis=0, return_inverse=True)
    times = np.bincount(number.reshape(-1), counts, len(rows))
    kept = np.sort(np.argsort(-times, kind="stable")[:MOST])
    rows, times = rows[kept], times[kept]
    labels: Any = np.zeros(len(rows), np.int64)
    if len(rows) > 1:
        merge = AgglomerativeClustering(
            n_clusters=None, metric="cosine", linkage="complete", distance_threshold=distance
        )
        labels = merge.fit_predict(rows)
    means = [np.average(rows[labels == one], axis=0, weights=times[labels == one]) for one in range(labels.max() + 1)]
    return Clusters(keys, weights, np.array(means))


def weighed(matrix: Floats, weights: Floats) -> Floats:
    """Presence of keys times their weights, squashed to (0, 1) as Lin et al. do; keys that all sessions have keep half.

    >>> weighed(np.array([[0.0, 2.0]]), np.array([3.0, 0.0])).tolist()
    [[0.0, 0.5]]
    """
    return np.asarray((matrix > 0) / (1 + np.exp(-weights)))


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
