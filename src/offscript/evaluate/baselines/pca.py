"""Principal components of count vectors (Xu, Huang, Fox, Patterson, Jordan, SOSP 2009).

Normal sessions vary along few directions; what a session has outside of them is its squared prediction error (SPE), and
the threshold for it is Jackson and Mudholkar's Q statistic (1979) for the eigenvalues left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.evaluate.baselines.counts import count_matrix, keys_of
from offscript.evaluate.baselines.judged import Floats
from offscript.evaluate.hdfs_sessions import Session

VARIANCE: Final = 0.95
"""Share of the variance that the normal directions keep (Xu et al. 2009 section 5)."""

ALPHA: Final = 0.001
"""Share of sessions that the Q statistic would flag if residuals were Gaussian (Xu et al. 2009 section 5)."""


@dataclass(frozen=True)
class Subspace:
    """What was learnt: the keys counted, their weights, the mean, the normal directions (m, k), and the Q threshold.

    >>> learnt = fit_subspace([(1, 2), (1, 3)], np.array([5, 5]))
    >>> learnt.directions.shape, learnt.errors([(1, 2), (1, 2, 3)]).round(2).tolist()
    ((4, 1), [0.0, 0.24])
    """

    keys: tuple[int, ...]
    weights: Floats
    mean: Floats
    directions: Floats
    threshold: float

    def errors(self, sessions: Sequence[Session]) -> Floats:
        """The squared prediction error of each session, (n,)."""
        centred = count_matrix(sessions, self.keys) * self.weights - self.mean
        inside = centred @ self.directions
        return np.asarray((centred**2).sum(axis=1) - (inside**2).sum(axis=1)).clip(0)


def fit_subspace(sessions: Sequence[Session], counts: npt.NDArray[np.integer | np.floating]) -> Subspace:
    """Learn from sessions that came `counts` times each; keys weigh by how few sessions have them (tf-idf, Xu et al.).

    A key that every session has weighs nothing; one that none has weighs as if a single session had it.
    """
    keys = keys_of(sessions)
    plain = count_matrix(sessions, keys)
    share = counts / counts.sum()
    weights = np.log(1 / np.maximum(share @ (plain > 0), 1 / counts.sum()))
    matrix = plain * weights
    mean = share @ matrix
    centred = matrix - mean
    values, vectors = np.linalg.eigh((centred * share[:, None]).T @ centred)
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    kept = int(np.searchsorted(np.cumsum(values) / max(values.sum(), 1e-300), VARIANCE)) + 1
    return Subspace(keys, weights, mean, vectors[:, :kept], q_threshold(values[kept:], ALPHA))


def q_threshold(left_out: Floats, alpha: float) -> float:
    """The value that the residual of Gaussian data exceeds with probability alpha (Jackson and Mudholkar 1979).

    `left_out` are the eigenvalues outside of the normal directions; without any, no residual is expected.

    >>> round(q_threshold(np.array([1.0]), 0.05), 2)  # the 95% point of chi-square with one degree of freedom: 3.84
    3.75
    """
    phi = [float((left_out**power).sum()) for power in (1, 2, 3)]
    if phi[0] <= 1e-12:
        return 1e-12
    h0 = 1 - 2 * phi[0] * phi[2] / (3 * phi[1] ** 2)
    c = NormalDist().inv_cdf(1 - alpha)
    bracket = c * (2 * phi[1] * h0**2) ** 0.5 / phi[0] + 1 + phi[1] * h0 * (h0 - 1) / phi[0] ** 2
    return float(phi[0] * max(bracket, 0.0) ** (1 / h0))
