"""Precision, recall and F1, always with what was counted (promise 7)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from offscript.entries import Verdict

Z_95 = 1.959964  # the 97.5% point of the standard normal: two-sided 95% intervals, as reports usually give


@dataclass(frozen=True)
class Score:
    """How well anomalies were told from normal units ("sessions" or "lines").

    Of the units of the log, `not_judged` counts those left out because they were still open at its end without a
    verdict, and `unlabelled` those that no label names; neither is in the four counts.

    >>> Score("sessions", tp=8, fp=2, fn=2, tn=88).f1
    0.8
    """

    unit: str
    tp: int
    fp: int
    fn: int
    tn: int
    by_reason: Mapping[str, int] = field(default_factory=dict)
    not_judged: int = 0
    unlabelled: int = 0

    @property
    def precision(self) -> float:
        """Share of the flagged units that are anomalous; 0 when nothing was flagged."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """Share of the anomalous units that were flagged; 0 when there are none."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp else 0.0

    @property
    def false_positive_rate(self) -> float:
        """Share of the normal units that were flagged."""
        return self.fp / (self.fp + self.tn) if self.fp + self.tn else 0.0

    @property
    def false_positive_interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the false-positive rate.

        >>> low, high = Score("sessions", 0, 1, 0, 999).false_positive_interval
        >>> low < 0.001 < high
        True
        """
        return wilson(self.fp, self.fp + self.tn)

    def record(self) -> dict[str, Any]:
        """Return every figure by name, for printing: what was counted first."""
        low, high = self.false_positive_interval
        return {
            "unit": self.unit,
            "counted": self.tp + self.fp + self.fn + self.tn,
            "not_judged_still_open": self.not_judged,
            "left_out_without_label": self.unlabelled,
            "tp": self.tp,
            "fp": self.fp,
            "fn": self.fn,
            "tn": self.tn,
            "precision": round(self.precision, 4),
            "recall": round(self.recall, 4),
            "f1": round(self.f1, 4),
            "false_positive_rate": round(self.false_positive_rate, 6),
            "false_positive_rate_low_95": round(low, 6),
            "false_positive_rate_high_95": round(high, 6),
            **{f"flagged_first_by_{reason}": count for reason, count in self.by_reason.items()},
        }


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return Wilson's two-sided 95% interval of a share; (0, 1) when nothing was counted."""
    if of == 0:
        return (0.0, 1.0)
    share, z2 = hits / of, Z_95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = Z_95 * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return (max(0.0, middle - half), min(1.0, middle + half))


def score_units(
    unit: str,
    labels: Mapping[str, bool],
    flagged: Mapping[str, str],
    *,
    names: AbstractSet[str] = frozenset(),
    not_judged: AbstractSet[str] = frozenset(),
) -> Score:
    """Compare labels (True: anomalous) with the units flagged (each with its first reason).

    Only labelled units count; a flagged unit without label is left out, and so are those `not_judged`. `names` are
    all units of the log.

    >>> score_units("sessions", {"a": True, "b": False}, {"a": "new_key"}, names={"a", "b", "c"}, not_judged={"b"})
    Score(unit='sessions', tp=1, fp=0, fn=0, tn=0, by_reason={'new_key': 1}, not_judged=1, unlabelled=1)
    """
    left_out = labels.keys() & not_judged
    counted = {name: anomalous for name, anomalous in labels.items() if name not in left_out}
    tp = sum(1 for name, anomalous in counted.items() if anomalous and name in flagged)
    fp = sum(1 for name, anomalous in counted.items() if not anomalous and name in flagged)
    positives = sum(counted.values())
    reasons = Counter(reason for name, reason in flagged.items() if name in counted)
    return Score(
        unit,
        tp,
        fp,
        positives - tp,
        len(counted) - positives - fp,
        dict(sorted(reasons.items())),
        len(left_out),
        len(names - labels.keys()),
    )


def first_reasons(verdicts: Iterable[Verdict], unit: str) -> dict[str, str]:
    """Return the first reason given for each session (or line number, for the unit "lines")."""
    found: dict[str, str] = {}
    for verdict in verdicts:
        name = str(verdict.entry.line.number) if unit == "lines" else verdict.session
        if name is not None:
            found.setdefault(name, verdict.reason.value)
    return found
