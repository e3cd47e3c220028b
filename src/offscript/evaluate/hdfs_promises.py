"""Whether promises hold: the share of other normal sessions that our model flags, split by split, beside its bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from offscript.evaluate.hdfs_detectors import SHARES, Task, judged_by
from offscript.evaluate.hdfs_sessions import Split


@dataclass(frozen=True)
class Kept:
    """One split: what was promised from so many `scores`, and how many of the `judged` normal sessions were flagged.

    `promised` is what `fit` says: the share asked, or more where that cannot be promised; `calibrated` is the share
    that held-out training sessions showed, and `bound` the most that this and chance explain
    (`models.calibrate.Promise.bound`): of a hundred splits one lies above it.
    """

    copy: str
    split: int
    asked: float
    promised: float
    calibrated: float
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
            "calibrated": round(self.calibrated, 6),
            "calibration_scores": self.scores,
            "normals_judged": self.judged,
            "flagged": self.flagged,
            "realised": round(self.realised, 6),
            "bound_99": self.bound,
            "above_bound": self.flagged > self.bound,
        }


def promises_of(copy: str, split: int, task: Task, labelled: Split) -> Iterator[Kept]:
    """Judge the normal sessions of a split that were not trained on, at each share asked."""
    normal = labelled.normal > 0
    sessions = [session for session, one in zip(task.test, normal, strict=True) if one]
    times = labelled.normal[normal]
    for asked in SHARES:
        model = task.model(asked, profile=True)
        flagged = int(times[judged_by(model, sessions).flagged].sum())
        judged = int(np.sum(times))
        promise = model.promise
        promised = promise.asked if promise.kept else promise.share
        counted = (promise.scores, judged, flagged, promise.bound(judged))
        yield Kept(copy, split, asked, promised, promise.share, *counted)


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
            "mean_calibrated": round(fmean(one.calibrated for one in group), 6),
            "mean_realised": round(fmean(one.realised for one in group), 6),
            "ratio": round(fmean(one.realised for one in group) / fmean(one.promised for one in group), 3),
            "highest_realised": round(max(one.realised for one in group), 6),
            "splits_above_bound": sum(one.flagged > one.bound for one in group),
        }
        for (copy, asked), group in groups.items()
    ]
