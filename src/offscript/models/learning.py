"""One run of learning a key model: folds, pairs, networks, and the calibration on what each network left out (ours)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from offscript.config import Config
from offscript.models.calibrate import Promise, Rule, folds_of, promised, support, threshold_for
from offscript.models.ensemble import Ensemble, train_ensemble
from offscript.models.lstm import Curve, Progress
from offscript.models.pairs import (
    Pairs,
    Sightings,
    Symbols,
    Vocabulary,
    Windows,
    at_targets,
    distinct_pairs,
    rows_at_once,
    windows,
)
from offscript.models.profile import Counts, Profile, counts_of

PROFILE_THRESHOLD = 0.5
"""Half of a session's entries that are elsewhere in the nearest normal one."""


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
    def of(cls, sessions: Sequence[Symbols], complete: Sequence[bool]) -> DistinctSessions:
        """Count equal sessions: equal symbols, and both ended or both open.

        >>> import numpy as np
        >>> DistinctSessions.of([np.array([3, 4], np.int32)] * 2, [True, True]).counts.tolist()
        [2]
        """
        counts: dict[tuple[bytes, bool], int] = {}
        for session, ended in zip(sessions, complete, strict=True):
            name = (session.tobytes(), bool(ended))
            counts[name] = counts.get(name, 0) + 1
        names = sorted(counts)
        return cls(
            np.frombuffer(b"".join(name for name, _ in names), np.int32).copy(),
            np.array([len(name) // 4 for name, _ in names], np.int32),
            np.array([counts[name] for name in names], np.int32),
            np.array([ended for _, ended in names], np.uint8),
        )

    def counted(self, symbols: int) -> Counts:
        """How often each symbol comes in each distinct session, (d, symbols)."""
        return counts_of(np.split(self.symbols, np.cumsum(self.lengths)[:-1]), symbols)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """By name."""
        return {f"sessions.{name}": getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Lesson:
    """The normal sessions to learn from: symbols, whether each has ended, and when (None: no times).

    `per_entry` says that a session is a whole stream, and that the promise counts entries.
    """

    sessions: tuple[Symbols, ...]
    complete: tuple[bool, ...]
    order: tuple[float, ...] | None
    per_entry: bool

    def within(self, limit: int, seed: int) -> Lesson:
        """At most about `limit` entries: the latest where times are known, else a sample; of streams, their ends."""
        total = sum(map(len, self.sessions))
        if total <= limit:
            return self
        if self.per_entry:
            share = limit / total
            return replace(self, sessions=tuple(s[len(s) - int(len(s) * share) :] for s in self.sessions))
        rank = self.ranked() if self.order is not None else np.random.default_rng([seed, 3]).permutation(self.ranked())
        size = np.cumsum([len(self.sessions[number]) for number in rank[::-1]])
        kept = sorted(rank[::-1][: max(1, int((size <= limit).sum()))])
        order = None if self.order is None else tuple(self.order[number] for number in kept)
        sessions = tuple(self.sessions[number] for number in kept)
        return Lesson(sessions, tuple(self.complete[number] for number in kept), order, False)

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
    """What one run of learning found."""

    ensemble: Ensemble
    curves: tuple[Curve, ...]
    rule: Rule
    often: int
    promise: Promise
    sightings: Sightings
    sessions: DistinctSessions
    profile: Profile | None


def profile_of(sessions: DistinctSessions, symbols: int, threshold: float) -> Profile:
    """The profile of the sessions that have ended."""
    ended = sessions.complete != 0
    return Profile.of(sessions.counted(symbols)[ended], sessions.counts[ended], threshold)


def learn(
    vocabulary: Vocabulary,
    lesson: Lesson,
    config: Config,
    progress: Progress | None = None,
    *,
    trained: tuple[Ensemble, tuple[Curve, ...]] | None = None,
) -> Learnt:
    """Train one network for each fold, and calibrate each on the fold it did not see.

    A pair's probability is the blend of network and sightings (`Sightings.blend`); out of fold both know the other
    folds only. The share promised counts new keys, END and unexpected keys together.
    `trained` are networks of the same lesson, seed and folds, with their curves: they are only calibrated anew.
    """
    lesson = lesson.within(config.max_training_entries, config.seed)
    found = windows(lesson.sessions, lesson.complete, config.history)
    unit, fold, folds = _folds(lesson, found, config)
    pairs = distinct_pairs(found, unit, fold, folds)
    ensemble, curves = trained or train_ensemble(pairs, len(vocabulary), config, progress)
    asked = config.false_alarms_per_entry if lesson.per_entry else config.false_alarms
    units = int(unit.max()) + 1
    rule = Rule(config.rule, config.rare_probability or rare_for(asked, len(unit) / units), config.candidates)
    scores = np.empty(0)
    if folds > 1:
        held_out = _HeldOut(pairs, unit, fold, config.count_weight)
        scores = held_out.scores(ensemble, rule, asked)
    threshold, share = threshold_for(scores, asked, rare=-math.log(rule.rare), highest=-math.log(rule.floor))
    if rule.name == "top-g":
        threshold, share = 1.0, promised(scores, 1.0)
    kind: Literal["entry", "session"] = "entry" if lesson.per_entry else "session"
    sessions = DistinctSessions.of(lesson.sessions, lesson.complete)
    has_profile = config.profile and not lesson.per_entry and any(lesson.complete)
    return Learnt(
        ensemble,
        curves,
        replace(rule, threshold=threshold),
        support(asked, units),
        Promise(share, asked, len(scores), int(np.isinf(scores).sum()), folds, kind),
        Sightings(pairs.histories, pairs.targets, pairs.without(None)),
        sessions,
        profile_of(sessions, len(vocabulary), PROFILE_THRESHOLD) if has_profile else None,
    )


def rare_for(asked: float, entries: float) -> float:
    """The probability below which a key is rare: one that a normal session does not meet.

    Flagging one key this improbable at each of so many entries takes, if the probabilities are right, no more than
    the share of sessions that may be flagged.

    >>> rare_for(0.001, 20)
    5e-05
    """
    return asked / max(1.0, entries)


def _folds(lesson: Lesson, found: Windows, config: Config) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
    """The unit and the fold of each window, and the number of folds."""
    count = len(found.targets)
    if lesson.per_entry:
        folds = min(config.folds, count)
        return np.arange(count), np.arange(count) * folds // count, folds
    owners, unit = np.unique(found.session, return_inverse=True)
    folds = min(config.folds, len(owners))
    names = lesson.names()
    random = None if lesson.order is not None else np.random.default_rng([config.seed, 2])
    fold = folds_of([names[owner] for owner in owners], folds, random=random)
    return unit.reshape(-1), fold[unit.reshape(-1)], folds


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """The units of each fold, judged by what was learnt without it."""

    pairs: Pairs
    unit: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]
    count_weight: float

    def scores(self, ensemble: Ensemble, rule: Rule, asked: float) -> npt.NDArray[np.float64]:
        """For each unit its highest raw score, infinite with a new key: (units,)."""
        worst = np.zeros(int(self.unit.max()) + 1)
        for fold in range(len(ensemble.networks)):
            here = self.fold == fold
            others = len(worst) - len(np.unique(self.unit[here]))
            scores = self._pair_scores(fold, ensemble, rule, support(asked, others))
            np.maximum.at(worst, self.unit[here], scores[self.pairs.row[here]])
        return worst

    def _pair_scores(self, fold: int, ensemble: Ensemble, rule: Rule, often: int) -> npt.NDArray[np.float64]:
        rows = np.flatnonzero(self.pairs.units[:, fold])
        units = self.pairs.without(fold)
        known = units > 0
        sightings = Sightings(self.pairs.histories[known], self.pairs.targets[known], units[known])

        def raw(histories: Symbols) -> npt.NDArray[np.float64]:
            plain = ensemble.alone(fold, histories)
            return rule.raw(sightings.blend(histories, plain, weight=self.count_weight, often=often)[0])

        scores = np.zeros(len(self.pairs))
        most = rows_at_once(ensemble.seen.shape[1])
        scores[rows] = at_targets(self.pairs.histories[rows], self.pairs.targets[rows], raw, most)
        scores[units >= often] = 0.0
        scores[~ensemble.seen[fold][self.pairs.targets]] = np.inf
        return scores
