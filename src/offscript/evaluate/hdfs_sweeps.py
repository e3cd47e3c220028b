"""What changes with a setting or with the size of the training log: figures 8 and 6b of the paper, and ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from offscript.config import Config
from offscript.evaluate.baselines.deeplog import DeepLog, fit_deeplog
from offscript.evaluate.baselines.ranks import Ranks, ranks
from offscript.evaluate.hdfs_detectors import NORMAL, OURS, Kind, Task, judged_by, side_by_side
from offscript.evaluate.hdfs_scoring import Outcome, scored
from offscript.evaluate.hdfs_sessions import Split

MOST_G: Final = 11
"""The paper's figure 6b ends at g = 11."""


@dataclass(frozen=True)
class Point:
    """One setting at one value, the others at their defaults: what DeepLog with END found."""

    setting: str
    value: int
    outcome: Outcome
    gap: float

    def record(self) -> dict[str, Any]:
        """Everything by name; the gap is that of the training loss above its floor, in nats."""
        return {"setting": self.setting, "value": self.value, "gap": round(self.gap, 4), **self.outcome.record()}


@dataclass(frozen=True)
class Swept:
    """The sweep over settings, and the top-g shares of the default: g from 1 to 11."""

    points: tuple[Point, ...]
    top_g: tuple[float, ...]
    curve: tuple[tuple[int, float], ...]
    floor: float


def sweep(
    split: Split, task: Task, values: Mapping[str, Sequence[int]], steps: int, report: Callable[[], None]
) -> Swept:
    """Train DeepLog with END for so many steps, once for each value of h, L and alpha; g needs no training of its own.

    The top-g shares and the curve are those of the network that the table has.
    """
    paper = task.paper.model_copy(update={"training_steps": steps})
    usual = {name: int(getattr(paper, name)) for name in values}
    asked = [(name, value) for name in values if name != "candidates" for value in values[name]]
    trained = sorted({(name, value) for name, value in asked if value != usual[name]}, key=lambda one: -one[1])
    configs = [paper, *(paper.model_copy(update={name: value}) for name, value in trained)]

    def run(config: Config) -> tuple[DeepLog, Ranks]:
        learnt = fit_deeplog(split.train, config, end=True)
        found = ranks(learnt, learnt.vocabulary, split.test, history=config.history, end=True)
        report()
        return learnt, found

    made = side_by_side(run, configs)
    default, others = made[0], dict(zip(trained, made[1:], strict=True))
    points = []
    for name in values:
        for value in values[name]:
            learnt, found = others.get((name, value), default)
            g = value if name == "candidates" else paper.candidates
            points.append(Point(name, value, scored(found.judged(g), split), learnt.curve.gap))
    known = task.deeplog(end=True)
    whole = ranks(known, known.vocabulary, split.test, history=paper.history, end=True)
    top_g = tuple(whole.share_within(g, split.normal) for g in range(1, MOST_G + 1))
    return Swept(tuple(points), top_g, known.curve.points, known.curve.floor)


@dataclass(frozen=True)
class Size:
    """Ours by default, trained on so many sessions."""

    sessions: int
    asked: float
    promised: float
    outcome: Outcome

    def record(self) -> dict[str, Any]:
        """Everything by name."""
        return {
            "detector": OURS,
            "trained_on": NORMAL,
            "sessions": self.sessions,
            "asked": self.asked,
            "promised": round(self.promised, 6),
            **self.outcome.record(),
        }


def with_fewer(task: Task, split: Split, sessions: int, asked: float) -> Size:
    """Train ours on the first so many training sessions, and judge the same others."""
    if sessions < len(task.train):
        kinds: tuple[Kind, ...] = ((asked, True, "likelihood"),)
        task = Task(task.train[:sessions], task.test, task.stands_for, task.seed, task.ours, task.paper, kinds)
    model = task.model(asked, profile=True)
    return Size(len(task.train), asked, model.promise.share, scored(judged_by(model, task.test), split))
