"""The controlled test: every change tried once on every held-out machine, and who finds it.

Machines and changes are dealt like a Latin square: in each stream every machine has another change, and over all
streams each has had each, so that a key's own history is changed in few places (ours).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from offscript.entries import Line
from offscript.evaluate.baselines.vectors import at_share
from offscript.evaluate.openstack_changes import Changed, Kind, Step, change
from offscript.evaluate.openstack_data import Machine, in_time
from offscript.evaluate.openstack_judging import Simple, judge
from offscript.evaluate.openstack_vectors import Vector, vectors_of
from offscript.model import Model

OURS: Final = "offscript"
"""What our row is called, beside the names of the simple detectors."""


@dataclass
class Recall:
    """One change: on how many machines, how many of them ours flagged, named (a verdict on the changed line), and why.

    `simple` holds how many each simple detector flagged, at a threshold that flags at most as many unchanged machines
    as ours does.
    """

    step: Step
    factor: float
    changed: int = 0
    found: int = 0
    named: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    simple: Counter[str] = field(default_factory=Counter)

    def hits(self, name: str) -> int:
        """How many changed machines a detector flagged, ours or a simple one."""
        return self.found if name == OURS else self.simple[name]

    def share(self, name: str = OURS) -> float:
        """Recall of a detector."""
        return self.hits(name) / self.changed if self.changed else 0.0

    def record(self, names: Iterable[str]) -> dict[str, Any]:
        """Everything by name."""
        step, has_spread = self.step, math.isfinite(self.step.spread)
        return {
            "kind": step.kind.value,
            "what": step.what,
            "factor": self.factor,
            "seen_in_training": step.seen,
            "median": step.median if step.seen else None,
            "spread": round(step.spread, 4) if has_spread else None,
            "highest_by_median": round(step.highest, 4) if has_spread else None,
            "changed": self.changed,
            "found": self.found,
            "named_on_the_line": self.named,
            "reasons_on_the_line": dict(self.reasons),
            "simple": {name: self.simple[name] for name in names},
        }


@dataclass(frozen=True)
class Pooled:
    """Several changes of one kind together."""

    kind: Kind
    factor: float
    narrow: bool
    parts: tuple[Recall, ...]

    @property
    def changed(self) -> int:
        """Machines changed."""
        return sum(one.changed for one in self.parts)

    def share(self, name: str = OURS) -> float:
        """Recall of a detector."""
        return sum(one.hits(name) for one in self.parts) / self.changed if self.changed else 0.0

    @property
    def named(self) -> float:
        """Share of the changed machines with a verdict on the changed line."""
        return sum(one.named for one in self.parts) / self.changed if self.changed else 0.0

    def record(self, names: Iterable[str]) -> dict[str, Any]:
        """Everything by name."""
        return {
            "kind": self.kind.value,
            "factor": self.factor,
            "narrow_steps": self.narrow,
            "steps": len(self.parts),
            "changed": self.changed,
            "recall": round(self.share(), 4),
            "recall_on_the_line": round(self.named, 4),
            "simple": {name: round(self.share(name), 4) for name in names},
        }


def pooled(recalls: Sequence[Recall]) -> list[Pooled]:
    """Changes by kind and factor; times and durations by whether the step's normal spread is under 10%."""
    groups: dict[tuple[Kind, float, bool], list[Recall]] = {}
    for one in recalls:
        narrow = one.step.narrow and one.step.kind in (Kind.TIME, Kind.DURATION)
        groups.setdefault((one.step.kind, one.factor, narrow), []).append(one)
    order = list(Kind)
    names = sorted(groups, key=lambda group: (order.index(group[0]), not group[2], group[1]))
    return [Pooled(*name, tuple(groups[name])) for name in names]


def changes_of(steps: Sequence[Step], factors: Sequence[float]) -> list[Recall]:
    """What is tried: times and durations by each factor, sizes doubled, each status once."""
    slowed = (Kind.TIME, Kind.DURATION)
    return [
        Recall(step, factor)
        for step in steps
        for factor in (factors if step.kind in slowed else (2.0,) if step.kind is Kind.SIZE else (1.0,))
    ]


@dataclass
class Controlled:
    """What the test needs: a model, held-out machines with their vectors, simple detectors and their thresholds."""

    model: Model
    machines: Sequence[Machine]
    vectors: Sequence[Sequence[Vector]]
    simple: Sequence[Simple]
    thresholds: Mapping[str, float]

    def run(self, tried: Sequence[Recall], done: Callable[[], None]) -> None:
        """Make every change, judge the streams, and count; `done` is called after each stream."""
        for shift in range(len(tried)):
            self._stream(tried, shift)
            done()

    def _stream(self, tried: Sequence[Recall], shift: int) -> None:
        lines: list[Line] = []
        made: list[tuple[Recall, Machine, Changed]] = []
        for number, (machine, vectors) in enumerate(zip(self.machines, self.vectors, strict=True)):
            recall = tried[(number + shift) % len(tried)]
            found = change(self.model, recall.step, recall.factor, vectors, number)
            lines += machine.lines if found is None else found.lines
            if found is not None:
                made.append((recall, Machine(machine.name, found.lines), found))
        self._ours(made, in_time(lines))
        self._simple(made)

    def _ours(self, made: Sequence[tuple[Recall, Machine, Changed]], lines: Sequence[Line]) -> None:
        flagged = judge(self.model, lines)
        for recall, machine, found in made:
            recall.changed += 1
            verdicts = flagged.get(machine.name, ())
            recall.found += bool(verdicts)
            if on_line := [one for one in verdicts if one.at(found.at)]:
                recall.named += 1
                recall.reasons[on_line[0].reason] += 1

    def _simple(self, made: Sequence[tuple[Recall, Machine, Changed]]) -> None:
        vectors = vectors_of(self.model, (machine for _, machine, _ in made))
        for simple in self.simple:
            above = simple.scores(vectors) > self.thresholds[simple.name]
            for (recall, _, _), hit in zip(made, above, strict=True):
                recall.simple[simple.name] += bool(hit)


def thresholds_at(simple: Sequence[Simple], vectors: Sequence[Sequence[Vector]], flagged: int) -> dict[str, float]:
    """The threshold of each simple detector that flags at most so many of these machines."""
    return {one.name: at_share(one.scores(vectors), flagged) for one in simple}
