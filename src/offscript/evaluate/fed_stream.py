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

    def learn(self, place: int) -> bool:
        """Take the report that an entry was a false alarm; return whether anything was learnt from it."""

    def would_learn(self, places: Places) -> Flags:
        """Whether reports of these entries could change anything: (n,) -> (n,)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a stream from its entry `begin` on.

    `flagged` (n,) says of each entry what was said when it came. `reports` are the places of the false alarms that
    were reported, `learnt` those that were learnt from, and `refused` those tried in vain: the others were accepted
    already when their report came, or could not be learnt. `judging` are the processor seconds that judging took
    in all, `updates` those of each update, refused ones included.
    """

    begin: int
    flagged: Flags
    reports: Places
    learnt: Places
    refused: Places
    judging: float
    updates: npt.NDArray[np.float64]

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
        np.array(run.refused, np.int64),
        run.judging,
        np.array(run.updates, np.float64),
    )


class _Run:
    """One pass over a stream: `at` is the next entry to judge; reports wait, and some of them matter."""

    def __init__(self, detector: FedDetector, anomalous: Flags, begin: int, delay: int | None) -> None:
        self._detector, self._anomalous, self._delay = detector, anomalous, delay
        self.at, self._size = begin, FIRST_BLOCK
        self.flagged = np.zeros(len(anomalous), bool)
        self.reports: list[int] = []
        self.learnt: list[int] = []
        self.refused: list[int] = []
        self.updates: list[float] = []
        self._waiting = np.empty(0, np.int64)
        self._matters = np.empty(0, bool)
        self.judging = 0.0

    def judge(self) -> None:
        """Judge entries up to where the next report may change something."""
        end = min(len(self._anomalous), self.at + self._size)
        if self._delay is not None and self._delay > 1:
            end = min(end, self.at + self._delay)
            if self._matters.any():
                end = min(end, int(self._waiting[self._matters][0]) + self._delay)
        flags = self._flags(np.arange(self.at, end))
        wrong = self.at + np.flatnonzero(flags & ~self._anomalous[self.at : end])
        if self._delay == 1:
            flags = flags[: self._report(wrong, end) - self.at]
        self._size = min(MOST, 2 * self._size) if len(flags) == end - self.at else FIRST_BLOCK
        self.flagged[self.at : self.at + len(flags)] = flags
        if self._delay is not None and self._delay > 1:
            self._waiting = np.append(self._waiting, wrong)
            self._matters = np.append(self._matters, self._detector.would_learn(wrong))
        self.at += len(flags)

    def _report(self, wrong: Places, end: int) -> int:
        """Report false alarms at once, until one changes what is said; return up to where the judgements hold."""
        for place in wrong[self._detector.would_learn(wrong)].tolist():
            if self._learn(place):
                end = place + 1
                break
        self.reports += wrong[wrong < end].tolist()
        return end

    def _learn(self, place: int) -> bool:
        began = time.process_time()
        done = self._detector.learn(place)
        self.updates.append(time.process_time() - began)
        (self.learnt if done else self.refused).append(place)
        return done

    def deliver(self) -> None:
        """Hand over the reports that are due before the next entry."""
        if self._delay is None or self._delay == 1:
            return
        due = int(np.searchsorted(self._waiting, self.at - self._delay, side="right"))
        self.reports += self._waiting[:due].tolist()
        mattering = self._waiting[:due][self._matters[:due]].tolist()
        learnt = [place for place in mattering if self._learn(place)]
        self._waiting, self._matters = self._waiting[due:], self._matters[due:]
        if len(self._waiting) and mattering:
            known = self._flags(self._waiting) if learnt else self._matters
            self._matters = known & self._detector.would_learn(self._waiting)

    def _flags(self, places: Places) -> Flags:
        began = time.process_time()
        found = self._detector.flags(places)
        self.judging += time.process_time() - began
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

    def learn(self, place: int) -> bool:
        """From now on the key was seen."""
        self._seen[self._keys[place]] = True
        return True

    def would_learn(self, places: Places) -> Flags:
        """Whether each entry's key was never seen."""
        return self.flags(places)


class FedKeys:
    """A key model over a stream without sessions: `keys` (n,) of 1 and more, at least h of them before any judged.

    What was refused once is not tried again; after `most` updates nothing is learnt any more.
    """

    def __init__(self, model: KeyModel, keys: npt.NDArray[np.integer], most: int | None = None) -> None:
        self.model = model
        self.refused: dict[Step, str] = {}
        self._left = most
        self._keys = keys
        self._before = np.arange(-model.history, 0)

    def flags(self, places: Places) -> Flags:
        """Whether the model in force flags each entry after the h before it."""
        symbols = np.full(int(self._keys.max()) + 1, self.model.symbol(0), np.int32)
        symbols[list(self.model.vocabulary.keys)] = list(self.model.vocabulary.numbers.values())
        histories = symbols[self._keys[places[:, None] + self._before]]
        return are_flagged(self.model, histories, symbols[self._keys[places]])

    def learn(self, place: int) -> bool:
        """Make the next version, and judge by it; a report that is refused is noted."""
        step = self._step(place)
        if self._left == 0 or step in self.refused:
            return False
        try:
            self.model = taught(self.model, [step])
        except UsageError as error:
            self.refused[step] = error.what
            return False
        self._left = None if self._left is None else self._left - 1
        return True

    def would_learn(self, places: Places) -> Flags:
        """Whether updates are left, and the step was not refused before."""
        if self._left == 0 or not self.refused:
            return np.full(len(places), self._left != 0)
        return np.array([self._step(place) not in self.refused for place in places.tolist()], bool)

    def _step(self, place: int) -> Step:
        """What a report of an entry says: its key is normal after the h before it."""
        history: Sequence[int] = self._keys[place + self._before].tolist()
        known = [key if key in self.model.vocabulary.numbers else 0 for key in history]
        return Step(tuple(known), int(self._keys[place]))
