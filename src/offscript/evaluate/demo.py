"""The demonstration: fit on a recorded normal PostgreSQL log, judge a recorded one with injected faults, and score.

The labels were written by the fault injector; they only score. Nothing here is tuned on them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from offscript.config import Config
from offscript.detection import detect
from offscript.detector import Detector
from offscript.entries import Line, Reason, Verdict
from offscript.errors import InputError
from offscript.fitting import fit
from offscript.model import Model
from offscript.parse.learn import Progress
from offscript.sources import read

OF_VALUES = ("time", "values")
"""What these faults show as: only times and values show them, so they are listed apart."""

SHARE = 0.003
"""Share of normal sessions that the demonstration lets be flagged: of 5,000 recorded ones a tenth of a percent is five,
too few for five detectors to share; three in a thousand are fifteen."""

SLACK_SECONDS = 2.0
"""Verdicts this close to a fault's span count as within it: the injector's clock and the server's log are two clocks,
and the last line of a session that was cut stands before the cut."""


FAULTED = "faulted.log.xz"
"""The log of the run with faults, in the folder of the recording."""


@dataclass(frozen=True)
class Fault:
    """One injected fault: its kind, what it shows as, its span (seconds since 1970) and the sessions it hit.

    A `collateral` one is not counted: the sessions that a fault hit in passing, such as those behind its locks.
    """

    kind: str
    shows_as: str
    start: float
    end: float
    sessions: frozenset[str]
    collateral: bool = False


@dataclass(frozen=True)
class Judged:
    """A fault with the verdicts in its sessions and span, in log order."""

    fault: Fault
    verdicts: tuple[Verdict, ...]

    @property
    def found(self) -> bool:
        """Whether at least one verdict stands in the faulted session and span."""
        return bool(self.verdicts)

    @property
    def found_by_new_event(self) -> bool:
        """Whether the simple rule "a key never seen before" would have found it."""
        return any(verdict.reason is Reason.NEW_KEY for verdict in self.verdicts)


@dataclass
class Demo:
    """What the demonstration found; `faulted` is the detector of the faulted run, `verdicts` are its verdicts."""

    model: Model
    faulted: Detector
    verdicts: list[Verdict]
    judged: list[Judged]
    sessions_heldout: int
    false_alarms: dict[str, Reason]
    false_alarms_new_event: int
    sessions_faulted: int
    flagged_unlabelled: int
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def false_alarms_per_1000(self) -> float:
        """Flagged sessions per 1,000 sessions of the held-out normal run."""
        return 1000 * len(self.false_alarms) / max(1, self.sessions_heldout)


def read_faults(path: Path) -> list[Fault]:
    """Read the injector's labels, collateral ones too (ours).

    Raises InputError for a file that is not such labels.
    """
    try:
        records = json.loads(path.read_text("utf-8"))["faults"]
        return [_fault(record) for record in records]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"is not a label file of a recording ({error!r})", where=str(path), remedy="install the package again"
        ) from error


def _fault(record: dict[str, Any]) -> Fault:
    start, end = (datetime.fromisoformat(record[name]).timestamp() for name in ("injected_at", "until"))
    names = frozenset(record["sessions"]) | frozenset(record.get("application", ()))
    return Fault(record["kind"], record["shows_as"], start, end, names, bool(record.get("collateral")))


def recording() -> AbstractContextManager[Path]:
    """The folder of the recorded logs and labels, unpacked where the package is an archive."""
    return as_file(files("offscript") / "recorded" / "postgres")


def run_demo(
    config: Config | None = None, *, progress: Progress | None = None, say: Callable[[str], None] = print
) -> Demo:
    """Fit, detect on the held-out normal run and on the faulted one, and compare with the labels (ours)."""
    with recording() as folder:
        started = time.perf_counter()
        say("learning from a normal run of a PostgreSQL server (recorded)")
        config = config if config is not None else Config(false_alarms=SHARE)
        model = fit(read(str(folder / "normal.log.xz")), config, progress=progress)
        for finding in model.facts["findings"]:
            say(f"  {finding}")
        fitted = time.perf_counter()
        say("judging another normal run, for false alarms")
        heldout, normal_verdicts = _detect(model, folder / "heldout.log.xz")
        say("judging a run with injected faults")
        faulted, verdicts = _detect(model, folder / FAULTED)
        done = time.perf_counter()
        faults = read_faults(folder / "labels.json")
    return Demo(
        model=model,
        faulted=faulted,
        verdicts=verdicts,
        judged=[Judged(fault, within(fault, verdicts)) for fault in faults if not fault.collateral],
        sessions_heldout=heldout.counts["sessions"],
        false_alarms=_first_reasons(normal_verdicts),
        false_alarms_new_event=len({_unit(v) for v in normal_verdicts if v.reason is Reason.NEW_KEY}),
        sessions_faulted=faulted.counts["sessions"],
        flagged_unlabelled=len(_first_reasons(verdicts).keys() - {name for fault in faults for name in fault.sessions}),
        seconds={"fit": fitted - started, "detect": done - fitted},
    )


def within(fault: Fault, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """Return the verdicts in the faulted sessions and span."""
    return tuple(
        verdict
        for verdict in verdicts
        if verdict.session in fault.sessions
        and verdict.time is not None
        and fault.start - SLACK_SECONDS <= verdict.time <= fault.end + SLACK_SECONDS
    )


def _detect(model: Model, path: Path) -> tuple[Detector, list[Verdict]]:
    detector = Detector(model)
    lines = (Line(line.text, path.name, line.number, line.offset) for line in read(str(path)))
    return detector, list(detect(model, lines, detector=detector))


def _unit(verdict: Verdict) -> str:
    return verdict.session if verdict.session is not None else f"line {verdict.entry.line.number}"


def _first_reasons(verdicts: Sequence[Verdict]) -> dict[str, Reason]:
    reasons: dict[str, Reason] = {}
    for verdict in verdicts:
        reasons.setdefault(_unit(verdict), verdict.reason)
    return reasons
