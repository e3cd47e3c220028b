"""Whether promises hold: the share of other normal sessions that our model flags, split by split, beside its bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Final

import numpy as np

from offscript.evaluate.hdfs_detectors import Task, judged_by
from offscript.evaluate.hdfs_sessions import Split
from offscript.models.calibrate import Promise

SHARES: Final = (0.01, 0.003, 0.001)

CONFIDENCE: Final = 0.99
"""A split lies above its bound once in a hundred where promises hold: of thirty, hardly one (ours)."""


@dataclass(frozen=True)
class Kept:
    """One split: what was promised from so many `scores`, and how many of the `judged` normal sessions were flagged.

    `bound` is the most that chance explains: the 99% point of the beta-binomial distribution.
    """

    copy: str
    split: int
    asked: float
    promised: float
    scores: int
    judged: int
    flagged: int
    bound: int

    @property
    def realised(self) -> float:
        """The share that was flagged."""
        return self.flagged / self.judged

    def record(self) -> dict[str, Any]:
        """Everything by name."""
        return {
            "copy": self.copy,
            "split": self.split,
            "asked": self.asked,
            "promised": round(self.promised, 6),
            "calibration_scores": self.scores,
            "normals_judged": self.judged,
            "flagged": self.flagged,
            "realised": round(self.realised, 6),
            "bound_99": self.bound,
            "above_bound": self.flagged > self.bound,
        }


def bound_of(promise: Promise, judged: int) -> int:
    """The most of so many normal sessions that are flagged in 99 of 100 splits, if the promise holds.

    The threshold is the k-th highest of n scores, k = promised share x (n + 1); of exchangeable sessions the share
    above it is Beta(k, n + 1 - k), so what is flagged of `judged` others is beta-binomial.

    >>> bound_of(Promise(0.01, 0.01, 999, 0, 4, "session"), 10_000)
    191
    """
    from scipy.stats import betabinom  # noqa: PLC0415  (slow to import)

    k = max(1, round(promise.share * (promise.scores + 1)))
    if k > promise.scores:
        return judged
    return int(betabinom.ppf(CONFIDENCE, judged, k, promise.scores + 1 - k))


def promises_of(copy: str, split: int, task: Task, labelled: Split) -> Iterator[Kept]:
    """Judge the normal sessions of a split that were not trained on, at each share asked."""
    normal = labelled.normal > 0
    sessions = [session for session, one in zip(task.test, normal, strict=True) if one]
    times = labelled.normal[normal]
    for asked in SHARES:
        model = task.model(asked, profile=True)
        flagged = int(times[judged_by(model, sessions).flagged].sum())
        judged = int(np.sum(times))
        bound = bound_of(model.promise, judged)
        yield Kept(copy, split, asked, model.promise.share, model.promise.scores, judged, flagged, bound)


def summaries(kept: Iterable[Kept]) -> list[dict[str, Any]]:
    """For each copy and share asked: the mean promised and realised share, their ratio, and splits above the bound."""
    groups: dict[tuple[str, float], list[Kept]] = {}
    for one in kept:
        groups.setdefault((one.copy, one.asked), []).append(one)
    return [
        {
            "copy": copy,
            "asked": asked,
            "splits": len(group),
            "mean_promised": round(fmean(one.promised for one in group), 6),
            "mean_realised": round(fmean(one.realised for one in group), 6),
            "ratio": round(fmean(one.realised for one in group) / fmean(one.promised for one in group), 3),
            "highest_realised": round(max(one.realised for one in group), 6),
            "splits_above_bound": sum(one.flagged > one.bound for one in group),
        }
        for (copy, asked), group in groups.items()
    ]
