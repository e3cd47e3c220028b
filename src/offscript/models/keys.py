"""The log-key model: which key can follow which history, and how far a session strays from it (CCS 2017 section 3.1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offscript.config import Config
from offscript.entries import END, FIRST_KEY_SYMBOL, START, UNKNOWN, Reason
from offscript.errors import InputError, ModelError
from offscript.models.calibrate import Promise, folds_of, threshold_for
from offscript.models.ensemble import Ensemble, train_ensemble
from offscript.models.lstm import Array, Curve, Progress
from offscript.models.pairs import Pairs, Symbols, Vocabulary, distinct_pairs, unique_rows, windows

NEW_KEY_SCORE = 100.0
"""Score of a key never seen: above any unexpected key, whose score cannot pass 60 (the smallest float32 probability
against LOWEST_THRESHOLD is 149)."""

LOWEST_THRESHOLD = math.log(2)
"""A key with even odds or better is always on script, however regular the training log was."""

ACCEPTED = 0.99
"""Highest score of a pair that is normal by definition: just below the threshold, so a doubt of the network shows."""

CACHE_BYTES = 64 << 20
"""Memory for remembered histories: half a million of them with 32 symbols."""

CHUNK = 1 << 16
"""Windows scored at once: bounds memory whatever the number of sessions."""


@dataclass(frozen=True, slots=True)
class SessionVerdict:
    """The judgement on one session: its highest score, where that was, and why.

    `position` counts entries from 0; the number of entries stands for the end of the session. `reason` is None for a
    session below the threshold.
    """

    is_anomaly: bool
    score: float
    reason: Reason | None
    position: int


@dataclass(frozen=True, slots=True)
class Rule:
    """How probabilities become scores: rule "likelihood" -log p / threshold, rule "top-g" rank / (g + 1)."""

    name: str
    floor: float
    candidates: int
    threshold: float = 1.0

    def raw(self, probabilities: Array) -> npt.NDArray[np.float64]:
        """Scores before division by the threshold: (n, capacity) -> (n, capacity).

        Probabilities below the floor are equal. As ranks they come after every real candidate and after g: what is
        never expected is no candidate, so the order of near-zero candidates, an accident of the seed, decides nothing.
        """
        floored = np.maximum(probabilities.astype(np.float64), self.floor)
        if self.name == "likelihood":
            return -np.log(floored)
        ordered = np.sort(floored, axis=1)
        # rank of the worst of equals, counted from 1
        rank = np.empty_like(floored)
        for row in range(len(floored)):
            rank[row] = floored.shape[1] - np.searchsorted(ordered[row], floored[row], side="left")
        beyond = max(self.candidates + 1, 1)
        rank[floored <= self.floor] = np.maximum(rank[floored <= self.floor], beyond)
        return rank / (self.candidates + 1)


@dataclass(frozen=True, slots=True)
class DistinctSessions:
    """The distinct training sessions with their counts: the replay memory of feedback, one after another in `symbols`."""

    symbols: Symbols
    lengths: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int32]
    complete: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, sessions: Sequence[Symbols], complete: Sequence[bool]) -> DistinctSessions:
        """Count equal sessions (equal symbols, both ended or both open), sorted."""
        counts: dict[tuple[bytes, bool], int] = {}
        for session, ended in zip(sessions, complete, strict=True):
            name = (np.ascontiguousarray(session, np.int32).tobytes(), bool(ended))
            counts[name] = counts.get(name, 0) + 1
        names = sorted(counts)
        return cls(
            np.frombuffer(b"".join(name for name, _ in names), np.int32).copy(),
            np.array([len(name) // 4 for name, _ in names], np.int32),
            np.array([counts[name] for name in names], np.int32),
            np.array([ended for _, ended in names], np.uint8),
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """By name."""
        return {f"sessions.{name}": getattr(self, name) for name in self.__slots__}


class KeyModel:
    """What normal sessions look like as sequences of log keys; immutable. Make one with `KeyModel.fit`.

    >>> normal = [[1, 2, 3]] * 40 + [[1, 2, 2, 3]] * 40
    >>> model = KeyModel.fit(normal, Config(hidden=8, layers=1, training_steps=100))
    >>> [verdict.reason for verdict in model.judge([[1, 2, 3], [1, 2], [1, 9, 3]])]
    [None, <Reason.INCOMPLETE_SESSION: 'incomplete_session'>, <Reason.NEW_KEY: 'new_key'>]
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        history: int,
        rule: Rule,
        ensemble: Ensemble,
        promise: Promise,
        curves: tuple[Curve, ...],
        accepted: Symbols,
        sessions: DistinctSessions,
    ) -> None:
        self.vocabulary = vocabulary
        self.history = history
        self.rule = rule
        self.promise = promise
        self.curves = curves
        self.sessions = sessions
        self.learns_end = bool(ensemble.seen[:, END].any())
        self._ensemble = ensemble
        self._accepted = accepted
        self._allowed: dict[bytes, list[int]] = {}
        for row in accepted:
            self._allowed.setdefault(row[:-1].tobytes(), []).append(int(row[-1]))
        self._remembered: dict[bytes, npt.NDArray[np.float32]] = {}
        self._room = max(1024, CACHE_BYTES // (4 * ensemble.seen.shape[1]))

    @property
    def threshold(self) -> float:
        """The surprise in nats that scores 1.0 (rule "likelihood")."""
        return self.rule.threshold

    @classmethod
    def fit(
        cls,
        sequences: Sequence[Sequence[int]],
        config: Config,
        *,
        complete: Sequence[bool] | None = None,
        order: Sequence[float] | None = None,
        per_entry: bool = False,
        progress: Progress | None = None,
    ) -> KeyModel:
        """Learn from normal sessions, each a sequence of log keys; the listing order of sessions does not matter.

        `complete` says which sessions have ended (all, if None); open ones teach no END. `order` gives session end
        times: folds are then contiguous in time. `per_entry` is for logs without sessions: the promise is per entry.
        InputError when there is nothing to learn from.
        """
        done = [True] * len(sequences) if complete is None else list(complete)
        if not any(len(sequence) or ended for sequence, ended in zip(sequences, done, strict=True)):
            raise InputError("holds no sessions to learn from", remedy="give a log with normal entries")
        vocabulary = Vocabulary.of(sequences)
        sessions = [vocabulary.encode(sequence) for sequence in sequences]
        when = list(order) if order is not None else None
        return _Fit(vocabulary, sessions, done, when, config, per_entry).run(progress)

    def symbol(self, key: int) -> int:
        """The symbol of a log key; UNKNOWN for keys never seen."""
        return self.vocabulary.symbol(key)

    def key(self, symbol: int) -> int | None:
        """The log key of a symbol; None for START, END and UNKNOWN."""
        return self.vocabulary.key(symbol)

    def surprise(self, histories: Symbols, targets: Symbols) -> npt.NDArray[np.float64]:
        """The score of each target after its history, 1.0 is the threshold: (n, h) and (n,) symbols -> (n,)."""
        out = np.empty(len(targets), np.float64)
        for start in range(0, len(targets), CHUNK):
            distinct, row = unique_rows(histories[start : start + CHUNK])
            scores = self._scores(distinct)
            out[start : start + CHUNK] = scores[row, targets[start : start + CHUNK]]
        return out

    def expected(self, history: Sequence[int], k: int = 3) -> list[tuple[int, float]]:
        """The k likeliest next symbols after a history of h symbols, with their probabilities."""
        probabilities = self._ensemble.probabilities(np.asarray([history], np.int32))[0]
        best = np.argsort(-probabilities, kind="stable")[:k]
        return [(int(symbol), float(probabilities[symbol])) for symbol in best if probabilities[symbol] > 0]

    def judge(
        self, sequences: Sequence[Sequence[int]], *, complete: bool | Sequence[bool] = True
    ) -> list[SessionVerdict]:
        """One verdict for each session of log keys; `complete` says whether they have ended, so that END is judged."""
        count = len(sequences)
        ended = [complete] * count if isinstance(complete, bool) else list(complete)
        if not count:
            return []
        symbols = [self.vocabulary.encode(sequence) for sequence in sequences]
        found = windows(symbols, [flag and self.learns_end for flag in ended], self.history)
        scores = self.surprise(found.histories, found.targets)
        # per session the first of the highest scores
        best = np.lexsort((found.position, -scores, found.session))
        leads = best[np.unique(found.session[best], return_index=True)[1]]
        verdicts = [SessionVerdict(False, 0.0, None, 0)] * count
        for lead in leads:
            verdict = self._verdict(float(scores[lead]), int(found.targets[lead]), int(found.position[lead]))
            verdicts[int(found.session[lead])] = verdict
        return verdicts

    def _verdict(self, score: float, target: int, position: int) -> SessionVerdict:
        if score < 1:
            return SessionVerdict(False, score, None, position)
        return SessionVerdict(True, score, reason_of(target), position)

    def _scores(self, histories: Symbols) -> npt.NDArray[np.float32]:
        """Scores of every symbol after each distinct history, (n, capacity), remembered."""
        names = [row.tobytes() for row in np.ascontiguousarray(histories, np.int32)]
        missing = [number for number, name in enumerate(names) if name not in self._remembered]
        found = {names[n]: row for n, row in zip(missing, self._fresh(histories[missing]), strict=True)}
        out = np.array([found.get(name, self._remembered.get(name)) for name in names], np.float32)
        if len(self._remembered) + len(found) > self._room:
            self._remembered.clear()
        self._remembered.update(list(found.items())[: self._room])
        return out.reshape(len(names), -1)

    def _fresh(self, histories: Symbols) -> npt.NDArray[np.float32]:
        scores = self.rule.raw(self._ensemble.probabilities(histories)) / self.rule.threshold
        for number, history in enumerate(np.ascontiguousarray(histories, np.int32)):
            allowed = self._allowed.get(history.tobytes())
            if allowed:
                scores[number, allowed] = np.minimum(scores[number, allowed], ACCEPTED)
        scores[:, START] = 0.0
        scores[:, UNKNOWN] = NEW_KEY_SCORE
        scores[:, len(self.vocabulary) :] = NEW_KEY_SCORE
        if not self.learns_end:
            scores[:, END] = 0.0
        return scores.astype(np.float32)

    def parts(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """The model as JSON and arrays, for `from_parts`."""
        network = self._ensemble.networks[0]
        meta = {
            "keys": list(self.vocabulary.keys),
            "history": self.history,
            "hidden": len(network.exit),
            "layers": len(network.bias),
            "networks": len(self._ensemble.networks),
            "capacity": self._ensemble.seen.shape[1],
            "rule": self.rule.name,
            "candidates": self.rule.candidates,
            "floor": self.rule.floor,
            "threshold": self.rule.threshold,
            "promise": self.promise.to_dict(),
            "curves": [{"floor": c.floor, "points": [list(p) for p in c.points]} for c in self.curves],
        }
        arrays = self._ensemble.arrays() | self.sessions.arrays() | {"accepted": self._accepted}
        return meta, arrays

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> KeyModel:
        """The model that `parts` described; ModelError when anything is missing, misshapen or out of bounds."""
        try:
            return _restored(cls, meta, arrays)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise ModelError(f"has a damaged key model ({error})", remedy="fit the model again") from error


def reason_of(target: int) -> Reason:
    """Why a symbol that scored above the threshold is an anomaly."""
    if target == END:
        return Reason.INCOMPLETE_SESSION
    return Reason.NEW_KEY if target < FIRST_KEY_SYMBOL else Reason.UNEXPECTED_KEY


class _Fit:
    """One run of training and calibration."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        sessions: list[Symbols],
        complete: list[bool],
        order: list[float] | None,
        config: Config,
        per_entry: bool,
    ) -> None:
        self.vocabulary, self.sessions, self.complete = vocabulary, sessions, complete
        self.order, self.config, self.per_entry = order, config, per_entry
        self.found = windows(sessions, complete, config.history)
        self.unit, self.fold, self.folds = self._folds()
        self.pairs = distinct_pairs(self.found, self.unit, self.fold, self.folds)

    def _folds(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
        count = len(self.found.targets)
        if self.per_entry:
            folds = min(self.config.folds, count)
            return np.arange(count), np.arange(count) * folds // count, folds
        _, unit = np.unique(self.found.session, return_inverse=True)
        owners = np.unique(self.found.session)
        folds = min(self.config.folds, len(owners))
        if self.order is not None:
            fold = folds_of([self.order[owner] for owner in owners], folds, random=None)
        else:
            names = [(self.sessions[owner].tobytes(), self.complete[owner]) for owner in owners]
            fold = folds_of(names, folds, random=np.random.default_rng([self.config.seed, 2]))
        return unit, fold[unit], folds

    def run(self, progress: Progress | None) -> KeyModel:
        ensemble, curves = train_ensemble(self.pairs, len(self.vocabulary), self.config, progress)
        rule = Rule(self.config.rule, self.config.floor_probability, self.config.candidates)
        asked = self.config.false_alarms_per_entry if self.per_entry else self.config.false_alarms
        scores = self.out_of_fold(ensemble, rule, asked) if self.folds > 1 else np.empty(0)
        threshold, share = threshold_for(scores, asked, lowest=LOWEST_THRESHOLD, highest=-math.log(rule.floor))
        if rule.name == "top-g":
            threshold, share = 1.0, (int((scores >= 1).sum()) + 1) / (len(scores) + 1)
        units = int(self.unit.max()) + 1
        normal = self.pairs.units.sum(axis=1) >= support(asked, units)
        return KeyModel(
            self.vocabulary,
            self.config.history,
            Rule(rule.name, rule.floor, rule.candidates, threshold),
            ensemble,
            Promise(
                share,
                asked,
                len(scores),
                int(np.isinf(scores).sum()),
                self.folds,
                "entry" if self.per_entry else "session",
            ),
            curves,
            np.column_stack((self.pairs.histories, self.pairs.targets))[normal].astype(np.int32),
            DistinctSessions.of(self.sessions, self.complete),
        )

    def out_of_fold(self, ensemble: Ensemble, rule: Rule, asked: float) -> npt.NDArray[np.float64]:
        """For each unit its highest raw score under the network that did not see it; infinite with a new key."""
        worst = np.zeros(int(self.unit.max()) + 1)
        total = self.pairs.units.sum(axis=1)
        for fold in range(self.folds):
            rows = np.flatnonzero(self.pairs.units[:, fold])
            distinct, number = unique_rows(self.pairs.histories[rows])
            raw = rule.raw(ensemble.alone(fold, distinct))
            scores = np.zeros(len(self.pairs))
            scores[rows] = raw[number, self.pairs.targets[rows]]
            here = self.fold == fold
            others = total - self.pairs.units[:, fold]
            scores[others >= support(asked, len(worst) - len(np.unique(self.unit[here])))] = 0.0
            scores[~ensemble.seen[fold][self.pairs.targets]] = np.inf
            np.maximum.at(worst, self.unit[here], scores[self.pairs.row[here]])
        return worst


def support(share: float, units: int) -> int:
    """How many sessions must hold a pair before it is normal by definition.

    Flagging a pair that this share of sessions holds would alone use up the false alarms allowed; and one session is
    not enough, for a slip in the training log may hold anything once.

    >>> support(0.001, 4855), support(0.001, 100)
    (5, 2)
    """
    return max(2, math.ceil(share * units))


def _restored(cls: type[KeyModel], meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> KeyModel:
    def bad(what: str) -> ModelError:
        return ModelError(f"has a damaged key model ({what})", remedy="fit the model again")

    keys, history, layers = meta["keys"], meta["history"], meta["layers"]
    hidden, capacity, count = meta["hidden"], meta["capacity"], meta["networks"]
    if not all(type(key) is int for key in keys) or len(set(keys)) != len(keys):
        raise bad("keys")
    if not all(type(n) is int and n >= 1 for n in (history, layers, hidden, capacity, count)) or count > 100:
        raise bad("sizes")
    if history > 64 or capacity < len(keys) + FIRST_KEY_SYMBOL:
        raise bad("sizes")
    rule = Rule(str(meta["rule"]), float(meta["floor"]), int(meta["candidates"]), float(meta["threshold"]))
    if rule.name not in {"likelihood", "top-g"} or not 0 < rule.floor < 1 or not 0 < rule.threshold < math.inf:
        raise bad("rule")
    ensemble = Ensemble.from_arrays(arrays, count=count, capacity=capacity, hidden=hidden, layers=layers)
    accepted = _whole(arrays, "accepted", np.int32, capacity)
    if accepted.ndim != 2 or accepted.shape[1] != history + 1:
        raise bad("accepted pairs")
    sessions = DistinctSessions(
        _whole(arrays, "sessions.symbols", np.int32, capacity),
        _whole(arrays, "sessions.lengths", np.int32, None),
        _whole(arrays, "sessions.counts", np.int32, None),
        _whole(arrays, "sessions.complete", np.uint8, 2),
    )
    if int(sessions.lengths.astype(np.int64).sum()) != len(sessions.symbols) or not (
        len(sessions.lengths) == len(sessions.counts) == len(sessions.complete)
    ):
        raise bad("sessions")
    curves = tuple(Curve(tuple((int(s), float(v)) for s, v in c["points"]), float(c["floor"])) for c in meta["curves"])
    promise = Promise.from_dict(meta["promise"])
    return cls(Vocabulary.from_keys(keys), history, rule, ensemble, promise, curves, accepted, sessions)


def _whole(
    arrays: dict[str, npt.NDArray[Any]], name: str, dtype: type[np.generic], below: int | None
) -> npt.NDArray[Any]:
    array = arrays[name]
    if array.dtype != dtype or (array.size and (array.min() < 0 or (below is not None and array.max() >= below))):
        raise ModelError(f"has a damaged key model ({name})", remedy="fit the model again")
    return array
