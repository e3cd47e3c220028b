"""The HDFS experiment of DeepLog's paper: table 4 and figures 6 and 8, on each copy of the set that is at hand.

Every detector is learnt and judged before any label is looked at; labels only count what was found (promise 6).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from offscript.config import Config
from offscript.evaluate.hdfs_data import TRAINING, find_copies
from offscript.evaluate.hdfs_detectors import INSTALL, Detector, Task, detectors_at_hand
from offscript.evaluate.hdfs_paper import PARAMETERS, TABLE_4, TOP_G
from offscript.evaluate.hdfs_promises import Kept, promises_of, summaries
from offscript.evaluate.hdfs_scoring import Outcome, Row, scored
from offscript.evaluate.hdfs_sessions import Copy, Split
from offscript.evaluate.hdfs_sweeps import Size, Swept, sweep, with_fewer
from offscript.models.lstm import Curve
from offscript.parse.learn import Progress


@dataclass(frozen=True)
class Plan:
    """How much is run: seeds (or draws), splits that promises are tried on, training sizes, and the settings swept.

    `sweep_steps` are the optimiser steps of a network of the sweeps.
    """

    seeds: int
    splits: int
    sizes: tuple[int, ...]
    values: Mapping[str, Sequence[int]]
    ours: Config = field(default_factory=Config)
    paper: Config = field(default_factory=lambda: Config(batch_size=256))
    training: int = TRAINING
    sweep_steps: int = 800
    quick: bool = False

    def settings(self) -> dict[str, Any]:
        """Everything by name, for the record."""
        told = asdict(replace(self, values=dict(self.values), ours=None, paper=None))  # type: ignore[arg-type]
        return told | {"ours": self.ours.model_dump(), "paper": self.paper.model_dump()}


FULL: Final = Plan(
    seeds=3,
    splits=5,
    sizes=(500, 1500, TRAINING),
    values={name: tuple(known) for name, known in PARAMETERS.items()},
)
"""The paper's sweeps. DeepLog as in the paper takes batches of 256: every window of the log is drawn, and 1,600 steps
of 64 would see each but once. The sweeps' fourteen networks, the widest of which take ten times as long, take half of
the steps."""


def quick() -> Plan:
    """The same with fewer steps, seeds, splits and sweeps: a look within minutes, not the figures to quote."""
    values = {"history": (5, 10), "candidates": PARAMETERS["candidates"].keys(), "layers": (1, 2), "hidden": (32, 64)}
    return Plan(
        seeds=1,
        splits=2,
        sizes=(1000, TRAINING),
        values={name: tuple(some) for name, some in values.items()},
        ours=Config(training_steps=400),
        paper=Config(training_steps=600, batch_size=256),
        sweep_steps=300,
        quick=True,
    )


@dataclass(frozen=True)
class Facts:
    """What of a copy was used."""

    name: str
    files: tuple[str, ...]
    trained_on: int
    drawn: bool
    normals: int
    anomalies: int
    scale: float
    notes: tuple[str, ...]


@dataclass
class Hdfs:
    """All that the experiment found; sweeps, sizes and curves are of the first copy at hand.

    `seconds` are of wall clock, `processor_seconds` of all cores together: what other work of the machine does not
    change.
    """

    plan: Plan
    copies: list[Facts] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    promises: list[Kept] = field(default_factory=list)
    swept: Swept | None = None
    sizes: list[Size] = field(default_factory=list)
    curves: tuple[Curve, ...] = ()
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    processor_seconds: float = 0.0

    def of(self, copy: str) -> list[Row]:
        """The rows of a copy."""
        return [row for row in self.rows if row.copy == copy]

    def records(self) -> list[dict[str, Any]]:
        """Return a record for each row of the table."""
        return [row.record() for row in self.rows]

    def report(self) -> dict[str, Any]:
        """Return everything, as `report.json` has it; the paper's figures stand under "paper"."""
        swept = self.swept
        return {
            "experiment": "hdfs",
            "plan": self.plan.settings(),
            "copies": [asdict(facts) for facts in self.copies],
            "table": [row.record() | {"each": [run.record() for run in row.runs]} for row in self.rows],
            "promises": {"splits": [kept.record() for kept in self.promises], "summary": summaries(self.promises)},
            "parameters": [point.record() for point in swept.points] if swept else [],
            "top_g": list(swept.top_g) if swept else [],
            "sizes": [size.record() for size in self.sizes],
            "curves": [asdict(curve) for curve in self.curves],
            "paper": {
                "table_4": {name: asdict(known) for name, known in TABLE_4.items()},
                "parameters": PARAMETERS,
                "top_g": TOP_G,
            },
            "findings": self.findings,
            "seconds": round(self.seconds),
            "processor_seconds": round(self.processor_seconds),
        }


def run_hdfs(folder: Path, plan: Plan = FULL, *, progress: Progress | None = None) -> Hdfs:
    """Run the experiment on every copy in a folder (CCS 2017 section 5.1; promises and sizes are ours).

    Raises InputError when there is none, or a damaged file.
    """
    began, busy = time.perf_counter(), time.process_time()
    if progress is not None:
        progress("reading", 0, 0)
    copies = find_copies(folder)
    detectors, lacking = detectors_at_hand()
    found = Hdfs(plan)
    if lacking:
        found.findings.append(f"not installed, so not run: {', '.join(lacking)} ({INSTALL})")
    steps = _Steps(progress, _work(plan, len(copies), len(detectors)))
    for number, copy in enumerate(copies):
        tasks = _table(found, copy, detectors, steps)
        if number == 0:
            _around_the_table(found, *tasks[0], steps)
        for split in range(plan.splits):
            # where training sessions are drawn, the first splits are those of the table
            known = split < len(tasks) and copy.drawn
            task, labelled = tasks[split] if known else _task(copy.redrawn(split, plan.training), split, plan)
            found.promises += promises_of(copy.name, split, task, labelled)
            steps.done()
    found.seconds, found.processor_seconds = time.perf_counter() - began, time.process_time() - busy
    return found


def _task(split: Split, seed: int, plan: Plan) -> tuple[Task, Split]:
    return Task.of(split, seed, plan.ours, plan.paper), split


def _table(found: Hdfs, copy: Copy, detectors: Sequence[Detector], steps: _Steps) -> list[tuple[Task, Split]]:
    """The rows of a copy; what was learnt is handed on."""
    plan = found.plan
    tasks = [_task(copy.split(seed, plan.training), seed, plan) for seed in range(plan.seeds)]
    runs: dict[str, list[Outcome]] = {detector.name: [] for detector in detectors}
    for number, (task, split) in enumerate(tasks):
        for detector in detectors:
            if number == 0 or detector.chance or copy.drawn:  # else the runs would be equal
                runs[detector.name].append(scored(detector.judge(task), split))
            steps.done()
    found.rows += [
        Row(copy.name, one.name, one.how, one.trained_on, one.paper, tuple(runs[one.name])) for one in detectors
    ]
    split = tasks[0][1]
    counted = (len(split.train), copy.drawn, split.normals, split.anomalies, split.scale)
    found.copies.append(Facts(copy.name, copy.files, *counted, copy.notes))
    return tasks


def _around_the_table(found: Hdfs, task: Task, split: Split, steps: _Steps) -> None:
    plan = found.plan
    found.curves = task.model(ASKED, profile=True).curves
    for size in plan.sizes:
        found.sizes.append(with_fewer(task, split, size, ASKED))
        steps.done()
    found.swept = sweep(split, task, plan.values, plan.sweep_steps, steps.done)


ASKED: Final = 0.001
"""The default share, at which training sizes are compared."""


def _work(plan: Plan, copies: int, detectors: int) -> int:
    swept = {name: values for name, values in plan.values.items() if name != "candidates"}
    trained = sum(len(set(values) - {getattr(plan.paper, name)}) for name, values in swept.items())
    return copies * (plan.seeds * detectors + plan.splits) + len(plan.sizes) + trained + 1


class _Steps:
    """Progress as steps done, of so many."""

    def __init__(self, progress: Progress | None, of: int) -> None:
        self._progress, self._of, self._done = progress, of, 0

    def done(self) -> None:
        """One more step is done."""
        self._done = min(self._done + 1, self._of)
        if self._progress is not None:
            self._progress("training and judging", self._done, self._of)
