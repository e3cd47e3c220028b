"""Judging machines: which were flagged and why, by our models, and by simple detectors at the same false alarms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from offscript.detection import detect
from offscript.entries import Line
from offscript.evaluate.baselines.vectors import (
    Columns,
    Floats,
    Scorer,
    learn_isolation_forest,
    learn_quantiles,
    learn_z_scores,
)
from offscript.evaluate.metrics import wilson
from offscript.evaluate.openstack_vectors import Vector
from offscript.model import Model


@dataclass(frozen=True)
class Finding:
    """One verdict on a machine: its reason, score, sentence, the entry's template, and its line's file and number."""

    reason: str
    score: float
    detail: str
    template: str
    source: str
    line: int

    def at(self, line: Line) -> bool:
        """Whether the verdict is on this line."""
        return (self.source, self.line) == (Path(line.source).name, line.number)


Flagged = dict[str, tuple[Finding, ...]]
"""The machines with a verdict, by name, each with its verdicts in log order."""


def judge(model: Model, lines: Sequence[Line]) -> Flagged:
    """Judge a stream of lines; machines that still run at its end are not judged for how they end."""
    found: dict[str, list[Finding]] = {}
    for verdict in detect(model, lines):
        entry = verdict.entry
        if verdict.session is not None:
            one = (verdict.reason.value, float(verdict.score), verdict.detail, entry.template)
            found.setdefault(verdict.session, []).append(Finding(*one, Path(entry.line.source).name, entry.line.number))
    return {name: tuple(some) for name, some in found.items()}


@dataclass(frozen=True)
class Part:
    """Some machines judged by a model: how many it was trained on, how many were judged, and those flagged."""

    trained: int
    judged: int
    flagged: Flagged

    @property
    def share(self) -> float:
        """Share of the machines judged that were flagged."""
        return len(self.flagged) / self.judged

    def record(self) -> dict[str, Any]:
        """Everything by name."""
        return {
            "trained_on": self.trained,
            "judged": self.judged,
            "flagged": len(self.flagged),
            "share": round(self.share, 6),
            "interval_95": [round(bound, 6) for bound in wilson(len(self.flagged), self.judged)],
            "by_first_reason": dict(Counter(some[0].reason for some in self.flagged.values())),
            "machines": {name: [asdict(one) for one in some] for name, some in self.flagged.items()},
        }


NEW_KEY: Final = float("inf")
"""The score of a machine with a key that training has not: each of the simple detectors would see that too."""


class Simple:
    """One simple detector on value vectors, learnt from training machines."""

    def __init__(self, name: str, columns: Columns, scorer: Scorer) -> None:
        self.name = name
        self._columns = columns
        self._scorer = scorer

    def scores(self, machines: Iterable[Sequence[Vector]]) -> Floats:
        """The score of each machine, (n,): that of its strangest entry."""
        parts: list[tuple[int, Floats]] = []
        known: list[bool] = []
        for machine in machines:
            rows = [(vector.key, (vector.elapsed, *vector.numbers)) for vector in machine]
            known.append(self._columns.knows(rows))
            parts.append((len(rows), self._columns.matrix(rows)))
        scored = self._scorer(np.concatenate([np.empty((0, self._columns.count)), *(rows for _, rows in parts)]))
        ends = np.cumsum([count for count, _ in parts])
        pieces = np.split(scored, ends[:-1]) if parts else []
        found = [float(piece.max(initial=-np.inf)) for piece in pieces]
        return np.array([one if fine else NEW_KEY for one, fine in zip(found, known, strict=True)])


FOREST: Final = "isolation forest on the sparse matrix"

SIMPLE: Final = {
    "z-score of each position": learn_z_scores,
    "quantiles of each position": learn_quantiles,
    FOREST: learn_isolation_forest,
}

INSTALL: Final = "the extra `baselines`: pip install '.[baselines]' in the source folder"


def learn_simple(trained: Sequence[Sequence[Vector]]) -> tuple[list[Simple], list[str]]:
    """Learn the simple detectors there is a library for; also the names of those there is none for."""
    rows = [(vector.key, (vector.elapsed, *vector.numbers)) for machine in trained for vector in machine]
    columns = Columns.of(rows)
    matrix = columns.matrix(rows)
    lacking = [] if find_spec("sklearn") is not None else [FOREST]
    return [Simple(name, columns, learn(matrix)) for name, learn in SIMPLE.items() if name not in lacking], lacking
