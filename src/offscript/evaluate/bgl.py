"""The BlueGene/L experiment of DeepLog's paper (section 5.3, figure 10): online update by a person's word.

Models are learnt from the normal entries of the first part of the stream. Then each entry is judged, and only after
that its label may speak, where the entry was flagged and is normal: that is the feedback. Nothing is chosen by labels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from offscript.config import Config
from offscript.errors import InputError
from offscript.evaluate.bgl_data import Stream, find_stream
from offscript.evaluate.fed_stream import FedDetector, FedKeys, NewKeys, Outcome, judge_fed
from offscript.evaluate.hdfs_data import LOGHUB, find_copies
from offscript.evaluate.metrics import Score
from offscript.evaluate.session_reports import SessionReports, report_sessions
from offscript.models.keys import KeyModel
from offscript.parse.learn import Progress

OURS: Final = "ours"
PAPER: Final = "paper's settings"
NEW: Final = "new keys"

DELAY: Final = 1_000
"""Entries that a delayed report takes: on BlueGene/L some minutes (ours)."""

MOST: Final = 300
"""Updates after which nothing more is taught to the model with the paper's settings: as many as the rule of new keys
needs on this stream. It has false alarms in most entries, and each takes an update: the run is to end within the hour
(ours)."""

POINTS: Final = 500
"""Points of a progressive curve."""

LEAST: Final = 1_000
"""Entries of the first part below which there is nothing to learn from."""


@dataclass(frozen=True)
class Plan:
    """How much is run: shares of the stream to train on, and the delays of reports (None: no reports).

    Of the stream `entries` are read, all if None. `most` bounds the updates of ours and `most_of_paper` those of the
    paper's settings. `sessions` normal sessions are trained on at a share of `session_share`, and the first `reported`
    false alarms reported.
    """

    shares: tuple[float, ...] = (0.01, 0.1)
    delays: tuple[int | None, ...] = (None, 0, DELAY)
    ours: Config = field(default_factory=Config)
    paper: Config = field(default_factory=lambda: Config(history=3, layers=1, hidden=256, candidates=6, rule="top-g"))
    most: int | None = None
    most_of_paper: int | None = MOST
    entries: int | None = None
    sessions: int = 1_000
    session_share: float = 0.02
    reported: int = 100
    quick: bool = False

    def settings(self) -> dict[str, Any]:
        """Everything by name, for the record."""
        return asdict(self) | {"ours": self.ours.model_dump(), "paper": self.paper.model_dump()}


FULL: Final = Plan()


def quick() -> Plan:
    """The same on a tenth of the stream, with fewer optimiser steps."""
    return Plan(
        shares=(0.1,),
        ours=Config(training_steps=200),
        paper=Config(history=3, layers=1, hidden=64, candidates=6, rule="top-g", training_steps=200),
        most=50,
        most_of_paper=50,
        entries=200_000,
        quick=True,
    )


@dataclass(frozen=True)
class Run:
    """One detector over the stream: the share it was trained on, the delay of reports, and what came of it.

    Times are of the processor, but for `seconds`, those of the run: of an update, and `judged` of an entry. `curve` has
    rows (entries judged, true positives, false positives, false negatives so far). `limit` is the bound on its updates
    where it was reached.
    """

    detector: str
    share: float
    delay: int | None
    score: Score
    reports: int
    learnt: int
    refused: int
    update_mean: float
    update_max: float
    judged: float
    seconds: float
    curve: tuple[tuple[int, int, int, int], ...]
    limit: int | None = None

    @classmethod
    def of(cls, name: str, share: float, delay: int | None, outcome: Outcome, stream: Stream, seconds: float) -> Run:
        """Sum up an outcome; `seconds` are of wall clock."""
        updates = outcome.updates
        return cls(
            name,
            share,
            delay,
            outcome.score(stream.anomalous),
            len(outcome.reports),
            len(outcome.learnt),
            len(outcome.refused),
            float(updates.mean()) if len(updates) else 0.0,
            float(updates.max(initial=0.0)),
            outcome.judging / max(1, len(outcome.flagged)),
            seconds,
            tuple(_curve(outcome, stream)),
        )

    def record(self) -> dict[str, Any]:
        """Every figure by name, as a row of the table."""
        return {
            "detector": self.detector,
            "trained_on": self.share,
            "delay": self.delay,
            **{k: v for k, v in self.score.record().items() if not k.startswith(("not_judged", "left_out"))},
            "reports": self.reports,
            "updates": self.learnt,
            "refused": self.refused,
            "limit": self.limit,
            "update_mean_s": round(self.update_mean, 4),
            "update_max_s": round(self.update_max, 4),
            "judging_ms_per_entry": round(1e3 * self.judged, 5),
            "seconds": round(self.seconds, 1),
        }


def _curve(outcome: Outcome, stream: Stream) -> Iterator[tuple[int, int, int, int]]:
    truth = stream.anomalous[outcome.begin : outcome.begin + len(outcome.flagged)]
    sums = [np.cumsum(each) for each in (outcome.flagged & truth, outcome.flagged & ~truth, ~outcome.flagged & truth)]
    for place in np.unique(np.linspace(0, len(truth) - 1, POINTS).astype(int)).tolist():
        yield place + 1, int(sums[0][place]), int(sums[1][place]), int(sums[2][place])


@dataclass
class Bgl:
    """All that the experiment found; `promises` are those of each model, by name and share."""

    plan: Plan
    stream: Stream
    runs: list[Run] = field(default_factory=list)
    promises: list[tuple[str, float, str, float]] = field(default_factory=list)
    sessions: SessionReports | None = None
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    processor_seconds: float = 0.0

    def of(self, share: float) -> list[Run]:
        """The runs of one share."""
        return [run for run in self.runs if run.share == share]

    def records(self) -> list[dict[str, Any]]:
        """A record for each run."""
        return [run.record() for run in self.runs]

    def report(self) -> dict[str, Any]:
        """Everything, as `report.json` has it."""
        return {
            "experiment": "bgl-update",
            "plan": self.plan.settings(),
            "file": self.stream.file,
            "entries": len(self.stream),
            "anomalous": int(self.stream.anomalous.sum()),
            "keys": len(np.unique(self.stream.keys)),
            "keys_with_both_labels": {str(key): list(counts) for key, counts in self.stream.ambiguous.items()},
            "models": [
                {"detector": name, "trained_on": share, "promise": told, "fit_seconds": round(seconds, 1)}
                for name, share, told, seconds in self.promises
            ],
            "runs": [run.record() | {"curve": [list(row) for row in run.curve]} for run in self.runs],
            "sessions": None if self.sessions is None else self.sessions.record(),
            "findings": self.findings,
            "seconds": round(self.seconds),
            "processor_seconds": round(self.processor_seconds),
        }


def run_bgl(folder: Path, plan: Plan = FULL, *, progress: Progress | None = None) -> Bgl:
    """Run the experiment on the stream of a folder, and its part on HDFS where that set is there, too.

    Raises InputError when there is no stream, a damaged file, or too few entries.
    """
    began, busy = time.perf_counter(), time.process_time()
    told = progress or (lambda _stage, _done, _of: None)
    told("reading", 0, 0)
    stream = _cut(find_stream(folder), plan)
    found = Bgl(plan, stream)
    steps = len(plan.shares) * (2 + 3 * len(plan.delays)) + 1
    done = iter(range(1, steps + 1))
    for share in plan.shares:
        _run_share(found, share, lambda: told("training and judging", next(done, steps), steps))
    found.sessions = _sessions(folder, found)
    told("training and judging", steps, steps)
    found.seconds, found.processor_seconds = time.perf_counter() - began, time.process_time() - busy
    return found


def _cut(stream: Stream, plan: Plan) -> Stream:
    """The entries that are used; InputError where they are too few, or labels that count are unknown."""
    end = plan.entries if plan.entries is not None else len(stream)
    stream = Stream(stream.keys[:end], stream.anomalous[:end], stream.unlabelled[:end], stream.file)
    least = int(min(plan.shares) * len(stream))
    if least < LEAST:
        what = f"has {len(stream):,} entries"
        raise InputError(what, where=stream.file, remedy=f"give at least {round(LEAST / min(plan.shares)):,}")
    late = np.flatnonzero(stream.unlabelled[least:])
    if len(late):
        line = least + int(late[0]) + 1
        raise InputError("has no label", where=stream.file, line=line, remedy="label all entries after the first part")
    return stream


def _run_share(found: Bgl, share: float, done: Callable[[], None]) -> None:
    """All detectors, trained on the first part of the stream."""
    stream, plan = found.stream, found.plan
    begin = int(share * len(stream))
    normal = ~stream.anomalous & ~stream.unlabelled
    for delay in plan.delays:
        _judge(found, NEW, share, delay, lambda: NewKeys(stream.keys, begin, normal))
        done()
    for name, config, most in ((OURS, plan.ours, plan.most), (PAPER, plan.paper, plan.most_of_paper)):
        model = _fitted(found, name, share, config, stream.keys[:begin][normal[:begin]].tolist())
        done()
        for delay in plan.delays:
            _judge(found, name, share, delay, lambda: FedKeys(model, stream.keys, most), most)  # noqa: B023
            done()


def _fitted(found: Bgl, name: str, share: float, config: Config, keys: Sequence[int]) -> KeyModel:
    began = time.perf_counter()
    model = KeyModel.fit([keys], config, per_entry=True)
    found.promises.append((name, share, model.promise.describe(), time.perf_counter() - began))
    return model


def _judge(
    found: Bgl, name: str, share: float, delay: int | None, made: Callable[[], FedDetector], limit: int | None = None
) -> None:
    stream, began = found.stream, time.perf_counter()
    detector = made()
    outcome = judge_fed(detector, stream.anomalous, int(share * len(stream)), delay)
    run = Run.of(name, share, delay, outcome, stream, time.perf_counter() - began)
    found.runs.append(replace(run, limit=limit) if run.learnt == limit else run)


def _sessions(folder: Path, found: Bgl) -> SessionReports | None:
    """The part on HDFS sessions, where the copy by block id is at hand."""
    plan = found.plan
    try:
        copies = [copy for copy in find_copies(folder) if copy.name == LOGHUB]
    except InputError as error:
        found.findings.append(f"the part on HDFS sessions was not run: {error.what}")
        return None
    if not copies:
        found.findings.append("the part on HDFS sessions was not run: Loghub's copy, by block id, is not there")
        return None
    config = plan.ours.model_copy(update={"false_alarms": plan.session_share})
    return report_sessions(copies[0], config, trained=plan.sessions, most=plan.reported)
