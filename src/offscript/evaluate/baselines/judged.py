"""What any detector of the comparison gives, and thresholds that only normal training sessions set."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.evaluate.hdfs_sessions import Session, in_order

Floats = npt.NDArray[np.float64]

FOLDS: Final = 10
"""Parts of the training sessions of which each is scored by what was learnt from the others: nine tenths are nearly all
of the log, and ten learnings of a count-based detector take seconds (ours)."""


JUST_BELOW: Final = float(np.nextafter(1, 0))


@dataclass(frozen=True)
class Judged:
    """The scores of some sessions, (n,), 1.0 and above is an anomaly, with a reason each ("" below the threshold).

    `settings` says what was learnt or chosen in training, for the record: thresholds, components, promised shares.
    `ranked` says that the scores order sessions, so that another threshold could have been chosen.
    """

    scores: Floats
    reasons: tuple[str, ...]
    settings: Mapping[str, float | str] = field(default_factory=dict)
    ranked: bool = True

    @property
    def flagged(self) -> npt.NDArray[np.bool_]:
        """Which sessions are anomalies, (n,)."""
        return self.scores >= 1


Scorer = Callable[[Sequence[Session]], Floats]
"""The raw scores of sessions, higher is stranger: what a detector has learnt."""

Learner = Callable[[Sequence[Session], npt.NDArray[np.int64]], Scorer]
"""Learns from distinct sessions and how often each came."""


def at_threshold(raw: Floats, threshold: float, reason: str, **settings: float | str) -> Judged:
    """Scores of 1.0 where `raw` is above a threshold.

    >>> at_threshold(np.array([0.1, 0.3]), 0.2, "far").reasons
    ('', 'far')
    """
    above = raw > threshold
    with np.errstate(over="ignore"):
        ratio = raw / threshold if threshold > 0 else 1 + raw
    # what is above may exceed by less than a rounding of the ratio: the comparison decides, the ratio only ranks
    scores = np.where(above, np.maximum(ratio, 1.0), np.minimum(ratio, JUST_BELOW))
    told = float(threshold) if math.isfinite(threshold) else "none: too few sessions for the share asked"
    return Judged(scores, tuple(reason if one else "" for one in above), {"threshold": told, **settings})


def highest(parts: Sequence[Judged]) -> Judged:
    """Several detectors as one: the highest of their scores, each with the reason of the first that reached it."""
    scores = np.stack([part.scores for part in parts])
    lead = scores.argmax(axis=0)
    reasons = tuple(parts[which].reasons[number] for number, which in enumerate(lead.tolist()))
    return Judged(scores.max(axis=0), reasons, {k: v for part in parts for k, v in part.settings.items()})


def conformal_threshold(scores: Floats, counts: npt.NDArray[np.int64], share: float) -> float:
    """The lowest score that at most a share of new sessions is above, from scores of sessions that came `counts` times.

    Of n held-out scores the k-th highest is passed with probability k/(n+1), if all are exchangeable; k is the largest
    whole number within share x (n+1). Infinite where there are too few scores to promise the share.

    >>> conformal_threshold(np.arange(1.0, 100.0), np.ones(99, np.int64), 0.02)
    98.0
    """
    total = int(counts.sum())
    k = math.floor(share * (total + 1) * (1 + 1e-12))
    if k < 1:
        return math.inf
    order = np.argsort(-scores, kind="stable")
    return float(scores[order][np.searchsorted(np.cumsum(counts[order]), k)])


def held_out_scores(learner: Learner, train: Sequence[Session], seed: int) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Scores of the training sessions by what was learnt without them, fold by fold; each with its count.

    Equal sessions may fall into several folds, as new sessions too may equal old ones.
    """
    fold = np.random.default_rng([seed, 12]).permutation(len(train)) * FOLDS // max(1, len(train))
    scores: list[Floats] = []
    counts: list[npt.NDArray[np.int64]] = []
    for number in range(FOLDS):
        rest = [session for session, where in zip(train, fold, strict=True) if where != number]
        own = [session for session, where in zip(train, fold, strict=True) if where == number]
        if rest and own:
            sessions, times = in_order(own)
            scores.append(learner(*in_order(rest))(sessions))
            counts.append(times)
    return np.concatenate([np.empty(0), *scores]), np.concatenate([np.empty(0, np.int64), *counts])
