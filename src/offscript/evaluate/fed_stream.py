"""A stream judged with feedback: first what the detector says of an entry, then the word of a person (CCS 2017 5.3).

Only false alarms are fed back, each once: right after the entry, or when so many further entries were judged. A key
that is normal here and an anomaly there is thus learnt as normal with its first false alarm, and where a detector then
takes it for normal its anomalies are missed: that is counted, and nothing is told of it to the detector.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from offscript.errors import UsageError
from offscript.evaluate.metrics import Score
from offscript.models.flags import are_flagged
from offscript.models.keys import KeyModel
from offscript.models.update import Step, taught

FIRST_BLOCK: Final = 256
"""Entries judged together after an update: after many an update the next false alarm is near."""

MOST: Final = 1 << 16
"""Most entries judged together: their histories take some megabytes."""

Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


class FedDetector(Protocol):
    """What judges entries of a stream by their places, and learns from reports."""

    def flags(self, places: Places) -> Flags:
        """Whether each entry is flagged by what is known now: (n,) -> (n,)."""

    def learn(self, place: int) -> None:
        """Take the report that an entry was a false alarm."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a stream from its entry `begin` on.

    `flagged` (n,) says of each entry what was said when it came. `reports` are the places of the false alarms that
    were reported, `learnt` those that were learnt from: the others were accepted already when their report came.
    `judging` and `learning` are the seconds that each took in all.
    """

    begin: int
    flagged: Flags
    reports: Places
    learnt: Places
    judging: float
    learning: float

    def score(self, anomalous: Flags) -> Score:
        """What was flagged against the labels of the whole stream."""
        truth = anomalous[self.begin : self.begin + len(self.flagged)]
        tp, fp = int((self.flagged & truth).sum()), int((self.flagged & ~truth).sum())
        fn = int((~self.flagged & truth).sum())
        return Score("entries", tp=tp, fp=fp, fn=fn, tn=len(truth) - tp - fp - fn)


def judge_fed(detector: FedDetector, anomalous: Flags, begin: int, delay: int | None) -> Outcome:
    """Judge a stream from an entry on, and report each false alarm; `anomalous` (n,) holds the labels of all entries.

    A report comes before the next entry is judged, with a `delay` of d before the d-th next one; None reports nothing.
    Entries are judged together as far as no report can come between them.

    >>> labels = np.array([False, False, True, False])
    >>> judge_fed(NewKeys(np.array([1, 2, 3, 2]), begin=1), labels, 1, delay=0).flagged.tolist()
    [True, True, False]
    """
    run = _Run(detector, anomalous, begin, None if delay is None else max(1, delay))
    while run.at < len(anomalous):
        run.judge()
        run.deliver()
    return Outcome(
        begin,
        run.flagged[begin:],
        np.array(run.reports, np.int64),
        np.array(run.learnt, np.int64),
        run.judging,
        run.learning,
    )


class _Run:
    """One pass over a stream: `at` is the next entry to judge; reports wait, and some of them matter."""

    def __init__(self, detector: FedDetector, anomalous: Flags, begin: int, delay: int | None) -> None:
        self._detector, self._anomalous, self._delay = detector, anomalous, delay
        self.at, self._size = begin, FIRST_BLOCK
        self.flagged = np.zeros(len(anomalous), bool)
        self.reports: list[int] = []
        self.learnt: list[int] = []
        self._waiting = np.empty(0, np.int64)
        self._matters = np.empty(0, bool)
        self.judging = self.learning = 0.0

    def judge(self) -> None:
        """Judge entries up to where the next report may change something."""
        end = min(len(self._anomalous), self.at + self._size)
        if self._delay is not None and self._delay > 1:
            end = min(end, self.at + self._delay)
            if self._matters.any():
                end = min(end, int(self._waiting[self._matters][0]) + self._delay)
        flags = self._flags(np.arange(self.at, end))
        wrong = np.flatnonzero(flags & ~self._anomalous[self.at : end])
        if self._delay == 1 and len(wrong):
            wrong = wrong[:1]
            flags = flags[: int(wrong[0]) + 1]
        self._size = min(MOST, 2 * self._size) if len(flags) == end - self.at else FIRST_BLOCK
        self.flagged[self.at : self.at + len(flags)] = flags
        if self._delay is not None:
            self._waiting = np.append(self._waiting, self.at + wrong)
            self._matters = np.append(self._matters, np.ones(len(wrong), bool))
        self.at += len(flags)

    def deliver(self) -> None:
        """Hand over the reports that are due before the next entry."""
        if self._delay is None:
            return
        due = int(np.searchsorted(self._waiting, self.at - self._delay, side="right"))
        for place, matters in zip(self._waiting[:due].tolist(), self._matters[:due].tolist(), strict=True):
            self.reports.append(place)
            if matters:
                began = time.perf_counter()
                self._detector.learn(place)
                self.learning += time.perf_counter() - began
                self.learnt.append(place)
        changed = bool(self._matters[:due].any())
        self._waiting, self._matters = self._waiting[due:], self._matters[due:]
        if changed and len(self._waiting):
            self._matters = self._flags(self._waiting)

    def _flags(self, places: Places) -> Flags:
        began = time.perf_counter()
        found = self._detector.flags(places)
        self.judging += time.perf_counter() - began
        return found


class NewKeys:
    """The rule that flags keys never seen: `keys` (n,) of the stream, of which those before `begin` were seen."""

    def __init__(self, keys: npt.NDArray[np.integer], begin: int, seen: Flags | None = None) -> None:
        self._keys = keys
        self._seen = np.zeros(int(keys.max(initial=0)) + 1, bool)
        self._seen[keys[:begin] if seen is None else keys[:begin][seen[:begin]]] = True

    def flags(self, places: Places) -> Flags:
        """Whether each entry's key was never seen."""
        return np.asarray(~self._seen[self._keys[places]])

    def learn(self, place: int) -> None:
        """From now on the key was seen."""
        self._seen[self._keys[place]] = True


class FedKeys:
    """A key model over a stream without sessions: `keys` (n,) of 1 and more, at least h of them before any judged."""

    def __init__(self, model: KeyModel, keys: npt.NDArray[np.integer]) -> None:
        self.model = model
        self.refused: list[tuple[int, str]] = []
        self._keys = keys
        self._before = np.arange(-model.history, 0)

    def flags(self, places: Places) -> Flags:
        """Whether the model in force flags each entry after the h before it."""
        symbols = np.full(int(self._keys.max()) + 1, self.model.symbol(0), np.int32)
        symbols[list(self.model.vocabulary.keys)] = list(self.model.vocabulary.numbers.values())
        histories = symbols[self._keys[places[:, None] + self._before]]
        return are_flagged(self.model, histories, symbols[self._keys[places]])

    def learn(self, place: int) -> None:
        """Make the next version, and judge by it; a report that is refused is noted."""
        history: Sequence[int] = self._keys[place + self._before].tolist()
        known = [key if key in self.model.vocabulary.numbers else 0 for key in history]
        try:
            self.model = taught(self.model, [Step(tuple(known), int(self._keys[place]))])
        except UsageError as error:
            self.refused.append((place, error.what))
