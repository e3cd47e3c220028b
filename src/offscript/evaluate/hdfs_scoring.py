"""Verdicts against labels: the only place of the HDFS experiment that looks at a label.

Nothing comes back from here: thresholds, settings and networks were chosen before, from normal training sessions.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt

from offscript.evaluate.baselines.judged import Judged
from offscript.evaluate.hdfs_sessions import Split
from offscript.evaluate.metrics import wilson


@dataclass(frozen=True)
class Outcome:
    """One detector, trained once, against the labels: what it found, and what it flagged wrongly.

    `scale` is what a false positive counts for in `false_positives`, precision and F1; recall and the false-positive
    rate are of what was counted. `oracle` is the best F1 over all thresholds, chosen by the labels, for orientation;
    None where the detector gives no order.

    >>> one = Outcome(8, 1, 2, 100, 2.0, {"new_key": 8}, {"new_key": 1}, {}, None)
    >>> one.false_positives, one.precision, one.recall, one.f1
    (2.0, 0.8, 0.8, 0.8)
    """

    tp: int
    fp: int
    fn: int
    normals: int
    scale: float
    found_by: dict[str, int]
    wrong_by: dict[str, int]
    settings: dict[str, float | str]
    oracle: float | None

    @property
    def false_positives(self) -> float:
        """False positives, scaled to the whole set."""
        return self.fp * self.scale

    @property
    def precision(self) -> float:
        """Share of the flagged that are anomalous, scaled; 0 when nothing was flagged."""
        return self.tp / (self.tp + self.false_positives) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """Share of the anomalous that were flagged."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, scaled."""
        return _f1(self.tp, self.false_positives, self.fn)

    @property
    def rate(self) -> float:
        """False-positive rate, of the normal sessions at hand."""
        return self.fp / self.normals if self.normals else 0.0

    def record(self) -> dict[str, Any]:
        """Everything by name."""
        return {
            "tp": self.tp,
            "fp": self.fp,
            "fn": self.fn,
            "flagged": self.tp + self.fp,
            "normals": self.normals,
            "fp_scaled": round(self.false_positives),
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "f1": round(self.f1, 4),
            "oracle_f1": None if self.oracle is None else round(self.oracle, 4),
            "found_by": self.found_by,
            "wrong_by": self.wrong_by,
            "settings": self.settings,
        }


def scored(judged: Judged, split: Split) -> Outcome:
    """Compare the verdicts on the sessions of a split with their labels."""
    flagged = judged.flagged
    tp, fp = int(split.anomalous[flagged].sum()), int(split.normal[flagged].sum())
    return Outcome(
        tp,
        fp,
        split.anomalies - tp,
        split.normals,
        split.scale,
        _by_reason(judged, split.anomalous),
        _by_reason(judged, split.normal),
        dict(judged.settings),
        _oracle(judged, split) if judged.ranked else None,
    )


def _by_reason(judged: Judged, counts: npt.NDArray[np.int64]) -> dict[str, int]:
    by_reason: Counter[str] = Counter()
    for reason, count in zip(judged.reasons, counts.tolist(), strict=True):
        if reason and count:
            by_reason[reason] += count
    return dict(by_reason.most_common())


def _oracle(judged: Judged, split: Split) -> float:
    """The best F1 that any threshold on these scores reaches."""
    order = np.argsort(-judged.scores, kind="stable")
    last = np.append(judged.scores[order][1:] != judged.scores[order][:-1], True)
    tp, fp = (np.cumsum(counts[order])[last] for counts in (split.anomalous, split.normal))
    best = 2 * tp / np.maximum(2 * tp + fp * split.scale + (split.anomalies - tp), 1)
    return float(best.max(initial=0.0))


def _f1(tp: float, fp: float, fn: float) -> float:
    return 2 * tp / (2 * tp + fp + fn) if tp else 0.0


@dataclass(frozen=True)
class Row:
    """A detector on one copy, over some runs: other seeds or draws of the training sessions, the same settings.

    `how` says what it is and which setting it has; `paper` names its row in the paper's table, if it has one.
    """

    copy: str
    name: str
    how: str
    trained_on: str
    paper: str | None
    runs: tuple[Outcome, ...]

    def mean(self, measure: str) -> float:
        """The mean of a measure over the runs."""
        return fmean(getattr(run, measure) for run in self.runs)

    def spread(self, measure: str) -> tuple[float, float]:
        """The lowest and the highest of a measure over the runs."""
        values = [getattr(run, measure) for run in self.runs]
        return min(values), max(values)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the false-positive rate: that of the mean count among the sessions of one run.

        Runs share most of their test sessions, so that counting them together would show an interval too narrow.
        """
        return wilson(round(self.mean("fp")), self.runs[0].normals)

    @property
    def scaled_interval(self) -> tuple[float, float]:
        """The same as a count of false positives, scaled to the whole set."""
        of = self.runs[0].normals * self.runs[0].scale
        low, high = self.interval
        return low * of, high * of

    @property
    def oracle(self) -> float | None:
        """The mean of the runs' best F1 over thresholds chosen by labels."""
        values = [run.oracle for run in self.runs if run.oracle is not None]
        return fmean(values) if values else None

    def reasons(self, kind: str) -> dict[str, int]:
        """The mean count of `found_by` or `wrong_by`, by reason, most frequent first."""
        total: Counter[str] = Counter()
        for run in self.runs:
            total.update(getattr(run, kind))
        return {reason: round(count / len(self.runs)) for reason, count in total.most_common()}

    def record(self) -> dict[str, Any]:
        """Everything by name, for printing: what was counted first."""
        low, high = self.interval
        scale = self.runs[0].scale
        return {
            "copy": self.copy,
            "detector": self.name,
            "how": self.how,
            "trained_on": self.trained_on,
            "runs": len(self.runs),
            "normals_judged": self.runs[0].normals,
            "anomalous_judged": self.runs[0].tp + self.runs[0].fn,
            "scaled_by": round(scale, 4),
            **{name: round(self.mean(name), 1) for name in ("tp", "fp", "fn")},
            "fp_scaled": round(self.mean("false_positives"), 1),
            "fp_scaled_low_95": round(self.scaled_interval[0], 1),
            "fp_scaled_high_95": round(self.scaled_interval[1], 1),
            **{name: round(self.mean(name), 4) for name in ("precision", "recall", "f1")},
            "f1_low": round(self.spread("f1")[0], 4),
            "f1_high": round(self.spread("f1")[1], 4),
            "false_positive_rate": round(self.mean("rate"), 6),
            "false_positive_rate_low_95": round(low, 6),
            "false_positive_rate_high_95": round(high, 6),
            "oracle_f1": None if self.oracle is None else round(self.oracle, 4),
            "found_by": self.reasons("found_by"),
            "wrong_by": self.reasons("wrong_by"),
        }
