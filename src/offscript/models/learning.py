"""One run of learning a key model: folds, pairs, networks, and the calibration on what each network left out (ours)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from offscript.config import Config
from offscript.models.calibrate import (
    LOWEST_THRESHOLD,
    MARGIN,
    Promise,
    Rule,
    Scores,
    folds_of,
    support,
    thresholds_for,
)
from offscript.models.ensemble import Ensemble, train_ensemble
from offscript.models.held_out import HeldOut, held_out_distances
from offscript.models.lstm import Curve, Progress
from offscript.models.pairs import (
    Pairs,
    Sightings,
    Symbols,
    Vocabulary,
    Windows,
    distinct_pairs,
    windows,
)
from offscript.models.profile import LOWEST, Profile
from offscript.models.told_sessions import ToldSessions

CALIBRATED_BY = (
    "count_weight",
    "rare_probability",
    "profile",
    "rule",
    "candidates",
    "false_alarms",
    "false_alarms_per_entry",
)
"""The settings that leave the networks as they are: only `calibrate` reads them."""


ORDER: Final = 0
"""The group of the key model among the detectors that share a promise."""

COUNTS: Final = 4
"""That of the session profile where times and values are judged too: distances thin out far slower than surprises of
order do, and one factor for both would put order's threshold beyond anything it ever says."""


class Beside(Protocol):
    """Detectors that judge the same sessions (or entries) by something else, and share the promise."""

    units: int
    """How many sessions, or entries of streams, there are."""

    def held_out(self, fold: npt.NDArray[np.int64], folds: int) -> Sequence[Scores]:
        """The scores of each unit by what was learnt without its fold; of fold -1 are those that are not kept."""

    def take(self, thresholds: Sequence[float]) -> None:
        """Take the thresholds, one for each of the scores."""


@dataclass(frozen=True, slots=True)
class DistinctSessions:
    """The distinct training sessions with their counts, one after another in `symbols`: the replay memory of feedback.

    `lengths`, `counts` and `complete` have one value a session.
    """

    symbols: Symbols
    lengths: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int32]
    complete: npt.NDArray[np.uint8]

    @classmethod
    def of(
        cls, sessions: Sequence[Symbols], complete: Sequence[bool], times: Sequence[int] | None = None
    ) -> DistinctSessions:
        """Count equal sessions: equal symbols, and both ended or both open; each came so many `times`, once if None.

        >>> import numpy as np
        >>> DistinctSessions.of([np.array([3, 4], np.int32)] * 2, [True, True]).counts.tolist()
        [2]
        """
        counts: dict[tuple[bytes, bool], int] = {}
        for session, ended, count in zip(sessions, complete, times or repeat(1, len(sessions)), strict=True):
            name = (session.tobytes(), bool(ended))
            counts[name] = counts.get(name, 0) + count
        names = sorted(counts)
        return cls(
            np.frombuffer(b"".join(name for name, _ in names), np.int32).copy(),
            np.array([len(name) // 4 for name, _ in names], np.int32),
            np.array([counts[name] for name in names], np.int32),
            np.array([ended for _, ended in names], np.uint8),
        )

    def joined(self, others: DistinctSessions) -> DistinctSessions:
        """These sessions and the others, equal ones counted together.

        >>> import numpy as np
        >>> one = DistinctSessions.of([np.array([3, 4], np.int32)], [True])
        >>> one.joined(one).counts.tolist()
        [2]
        """
        both = (self, others)
        sessions = [part for one in both for part in np.split(one.symbols, np.cumsum(one.lengths)[:-1])]
        ended = [bool(flag) for one in both for flag in one.complete]
        return self.of(sessions, ended, [count for one in both for count in one.counts.tolist()])

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """By name."""
        return {f"sessions.{name}": getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Lesson:
    """The normal sessions to learn from: symbols, whether each has ended, and when (None: no times).

    `per_entry` says that a session is a whole stream, and that the promise counts entries. `numbers` are those of the
    sessions among all that were given, of streams those of their first entries.
    """

    sessions: tuple[Symbols, ...]
    complete: tuple[bool, ...]
    order: tuple[float, ...] | None
    per_entry: bool
    numbers: tuple[int, ...]

    def within(self, limit: int, seed: int) -> Lesson:
        """At most about `limit` entries: the latest where times are known, else a sample; of streams, their ends."""
        total = sum(map(len, self.sessions))
        if total <= limit:
            return self
        if self.per_entry:
            cuts = [len(session) - int(len(session) * limit / total) for session in self.sessions]
            sessions = tuple(session[cut:] for session, cut in zip(self.sessions, cuts, strict=True))
            numbers = tuple(number + cut for number, cut in zip(self.numbers, cuts, strict=True))
            return replace(self, sessions=sessions, numbers=numbers)
        rank = self.ranked() if self.order is not None else np.random.default_rng([seed, 3]).permutation(self.ranked())
        size = np.cumsum([len(self.sessions[number]) for number in rank[::-1]])
        kept = sorted(rank[::-1][: max(1, int((size <= limit).sum()))])
        order = None if self.order is None else tuple(self.order[number] for number in kept)
        sessions = tuple(self.sessions[number] for number in kept)
        complete = tuple(self.complete[number] for number in kept)
        return Lesson(sessions, complete, order, False, tuple(self.numbers[number] for number in kept))

    def names(self) -> list[tuple[float, bytes, bool]]:
        """What each session is ranked by: its time, then its content, never its place in the list."""
        times = self.order if self.order is not None else (0.0,) * len(self.sessions)
        return [
            (time, session.tobytes(), ended)
            for time, session, ended in zip(times, self.sessions, self.complete, strict=True)
        ]

    def ranked(self) -> npt.NDArray[np.int64]:
        """The numbers of the sessions in the order of `names`."""
        names = self.names()
        return np.array(sorted(range(len(names)), key=names.__getitem__), np.int64)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What one run of learning found.

    `told` are sessions that a person called normal since.
    """

    ensemble: Ensemble
    curves: tuple[Curve, ...]
    rule: Rule
    often: int
    promise: Promise
    sightings: Sightings
    sessions: DistinctSessions
    profile: Profile | None
    told: ToldSessions = field(default_factory=ToldSessions.none)


def profile_of(sessions: DistinctSessions, told: ToldSessions, symbols: int, threshold: float) -> Profile:
    """The profile of the sessions that have ended, and of those that a person called normal."""
    ended = np.flatnonzero(sessions.complete)
    each = np.split(sessions.symbols, np.cumsum(sessions.lengths)[:-1])
    known = [each[number] for number in ended]
    return Profile.of(known, sessions.counts[ended], symbols, threshold, told=told.counts(symbols))


@dataclass(frozen=True, slots=True)
class Taught:
    """What training gave, before calibration: the lesson as it was cut, and the networks, one a fold.

    `unit` and `fold` (n,) are those of each window, `owners` (units,) the number of each unit's session, `names`
    (units,) that of the unit among all that were given; of a stream the units are entries.
    """

    lesson: Lesson
    pairs: Pairs
    unit: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    owners: npt.NDArray[np.int64]
    names: npt.NDArray[np.int64]
    ensemble: Ensemble
    curves: tuple[Curve, ...]


def teach(vocabulary: Vocabulary, lesson: Lesson, config: Config, progress: Progress | None = None) -> Taught:
    """Cut the lesson to what is kept, and train one network for each fold."""
    lesson = lesson.within(config.max_training_entries, config.seed)
    found = windows(lesson.sessions, lesson.complete, config.history)
    unit, fold, owners, folds = _folds(lesson, found, config)
    pairs = distinct_pairs(found, unit, fold, folds)
    ensemble, curves = train_ensemble(pairs, len(vocabulary), config, progress)
    names = np.array(lesson.numbers, np.int64)[owners]
    if lesson.per_entry:
        names = names + found.position
    return Taught(lesson, pairs, unit, fold, owners, names, ensemble, curves)


def calibrate(vocabulary: Vocabulary, taught: Taught, config: Config, beside: Beside | None = None) -> Learnt:
    """Set the thresholds of order, END and profile, on what each fold's network and the other folds say of it.

    A pair's probability is the blend of network and sightings (`Sightings.blend`); out of fold both know the other
    folds only, and so does the profile. The share promised counts all of them together, new keys included, and what
    stands `beside` them.
    """
    lesson, pairs, unit = taught.lesson, taught.pairs, taught.unit
    asked = config.false_alarms_per_entry if lesson.per_entry else config.false_alarms
    units, folds = int(unit.max()) + 1, pairs.units.shape[1]
    rule = Rule(config.rule, config.rare_probability or rare_for(asked, len(unit) / units), config.candidates)
    order, distance = np.empty(0), np.empty(0)
    if folds > 1:
        order = HeldOut(pairs, unit, taught.fold, config.count_weight).scores(taught.ensemble, rule, asked)
    has_profile = config.profile and folds > 1 and not lesson.per_entry and any(lesson.complete)
    if has_profile:
        distance = _distances(vocabulary, taught, folds)
    others = _held_out_beside(beside, taught, folds) if beside is not None and folds > 1 else []
    fixed = rule.name == "top-g"  # the rank of g + 1 is the threshold by definition
    detectors = [Scores(order, 1.0, 1.0) if fixed else Scores(order, LOWEST_THRESHOLD, -math.log(rule.floor))]
    if has_profile:
        # where order takes the whole share, only what is farther off than all held-out sessions is flagged
        group = COUNTS if others else ORDER
        detectors.append(Scores(distance, LOWEST, max(LOWEST, float(distance.max()) * (1 + MARGIN)), group))
    thresholds, share = thresholds_for([*detectors, *others], asked)
    if beside is not None and others:
        beside.take(thresholds[len(detectors) :])
    kind: Literal["entry", "session"] = "entry" if lesson.per_entry else "session"
    sessions = DistinctSessions.of(lesson.sessions, lesson.complete)
    return Learnt(
        taught.ensemble,
        taught.curves,
        replace(rule, threshold=thresholds[0]),
        support(asked, units),
        Promise(share, asked, len(order), int(np.isinf(order).sum()), folds, kind),
        Sightings(pairs.histories, pairs.targets, pairs.without(None)),
        sessions,
        profile_of(sessions, ToldSessions.none(), len(vocabulary), thresholds[1]) if has_profile else None,
    )


def _held_out_beside(beside: Beside, taught: Taught, folds: int) -> list[Scores]:
    """What the other detectors say of each unit."""
    fold, of_unit = np.full(beside.units, -1, np.int64), np.empty(len(taught.names), np.int64)
    of_unit[taught.unit] = taught.fold
    fold[taught.names] = of_unit
    return [replace(scores, raw=scores.raw[taught.names]) for scores in beside.held_out(fold, folds)]


def _distances(vocabulary: Vocabulary, taught: Taught, folds: int) -> npt.NDArray[np.float64]:
    """The out-of-fold distance of each unit's counts, (units,); zero for sessions that have not ended."""
    lesson = taught.lesson
    fold = np.empty(len(taught.owners), np.int64)
    fold[taught.unit] = taught.fold
    ended = np.flatnonzero([lesson.complete[owner] for owner in taught.owners])
    found = np.zeros(len(taught.owners))
    sessions = [lesson.sessions[owner] for owner in taught.owners[ended]]
    found[ended] = held_out_distances(sessions, fold[ended], folds, len(vocabulary))
    return found


def rare_for(asked: float, entries: float) -> float:
    """The probability below which a key is rare: one that a normal session does not meet.

    Flagging one key this improbable at each of so many entries takes, if the probabilities are right, no more than
    the share of sessions that may be flagged.

    >>> rare_for(0.001, 20)
    5e-05
    """
    return asked / max(1.0, entries)


def _folds(
    lesson: Lesson, found: Windows, config: Config
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """The unit and the fold of each window, the session of each unit, and the number of folds."""
    count = len(found.targets)
    if lesson.per_entry:
        folds = min(config.folds, count)
        return np.arange(count), np.arange(count) * folds // count, found.session, folds
    owners, unit = np.unique(found.session, return_inverse=True)
    folds = min(config.folds, len(owners))
    names = lesson.names()
    random = None if lesson.order is not None else np.random.default_rng([config.seed, 2])
    fold = folds_of([names[owner] for owner in owners], folds, random=random)
    return unit.reshape(-1), fold[unit.reshape(-1)], owners, folds
