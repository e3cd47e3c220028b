"""The log-key model: which key can follow which history, how far a session strays from it (CCS 2017 section 3.1)."""

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
from offscript.models.calibrate import Promise, Rule
from offscript.models.ensemble import Ensemble
from offscript.models.learning import DistinctSessions, Learnt, Lesson, learn, profile_of
from offscript.models.lstm import Curve, Progress
from offscript.models.pairs import Sightings, Symbols, Vocabulary, at_targets, rows_at_once, unique_rows, windows
from offscript.models.profile import Counts, Difference, Profile, counts_of

NEW_KEY_SCORE = 100.0
"""Score of a key never seen: above any unexpected key, whose score is cut at UNEXPECTED_LIMIT."""

UNEXPECTED_LIMIT = 99.0
"""Highest score of a known key; reached only where floor and threshold are a hundredfold apart."""

ACCEPTED = 0.99
"""Highest score of a pair that is normal by definition: just below the threshold, so a doubt of the network shows."""

CACHE_BYTES = 64 << 20
"""Memory for remembered histories: half a million of them with 32 symbols."""

NAMED = 3
"""Likeliest next symbols remembered with the scores of a history: as many as a verdict names, so that a storm of
anomalies asks the networks nothing twice."""

CHUNK = 1 << 16
"""Windows whose distinct histories are looked for at once: bounds memory whatever the number of sessions."""


@dataclass(frozen=True, slots=True)
class SessionVerdict:
    """The judgement on one session: its highest score, where that first was, and why.

    `position` counts entries from 0; the number of entries stands for the end of the session. `reason` is None for a
    session below the threshold of 1.0.

    >>> SessionVerdict(True, 1.5, Reason.INCOMPLETE_SESSION, 13).is_anomaly
    True
    """

    is_anomaly: bool
    score: float
    reason: Reason | None
    position: int


class KeyModel:
    """What normal sessions look like as sequences of log keys; immutable. Make one with `KeyModel.fit`.

    >>> normal = [[1, 2, 3]] * 40 + [[1, 2, 2, 3]] * 40
    >>> model = KeyModel.fit(normal, Config(hidden=8, layers=1, training_steps=100, folds=2))
    >>> [verdict.reason for verdict in model.judge([[1, 2, 3], [1, 2], [1, 9, 3]])]
    [None, <Reason.INCOMPLETE_SESSION: 'incomplete_session'>, <Reason.NEW_KEY: 'new_key'>]
    """

    def __init__(self, vocabulary: Vocabulary, history: int, count_weight: float, learnt: Learnt) -> None:
        self.vocabulary = vocabulary
        self.history = history
        self.count_weight = count_weight
        self.learnt = learnt
        self.learns_end = bool(learnt.ensemble.seen[:, END].any())
        self._remembered: dict[bytes, npt.NDArray[np.float64]] = {}
        self._capacity = learnt.ensemble.seen.shape[1]
        self._room = max(1, CACHE_BYTES // (8 * (self._capacity + 2 * NAMED)))

    @property
    def promise(self) -> Promise:
        """What share of normal sessions (or entries) may be flagged."""
        return self.learnt.promise

    @property
    def profile(self) -> Profile | None:
        """How often keys come in normal sessions; None for streams, and where no session is known to have ended."""
        return self.learnt.profile

    @property
    def curves(self) -> tuple[Curve, ...]:
        """The loss of each network as it fell, with its floor."""
        return self.learnt.curves

    @property
    def threshold(self) -> float:
        """The surprise in nats that scores 1.0 (rule "likelihood")."""
        return self.learnt.rule.threshold

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
        """Learn from normal sessions, each a sequence of log keys; how they are listed does not matter.

        `complete` says which sessions have ended (all, if None); open ones teach no END. `order` gives session end
        times in seconds: folds are then contiguous in time. `per_entry` is for logs without sessions, each sequence
        a stream: the promise is then per entry. InputError when there is nothing to learn from.
        """
        ended = tuple([not per_entry] * len(sequences) if complete is None else map(bool, complete))
        if not any(len(sequence) or flag for sequence, flag in zip(sequences, ended, strict=True)):
            raise InputError("holds no sessions to learn from", remedy="give a log with normal entries")
        vocabulary = Vocabulary.of(sequences)
        symbols = tuple(vocabulary.encode(sequence) for sequence in sequences)
        lesson = Lesson(symbols, ended, None if order is None else tuple(order), per_entry)
        return cls(vocabulary, config.history, config.count_weight, learn(vocabulary, lesson, config, progress))

    def symbol(self, key: int) -> int:
        """The symbol of a log key; UNKNOWN for keys never seen."""
        return self.vocabulary.symbol(key)

    def key(self, symbol: int) -> int | None:
        """The log key of a symbol; None for START, END and UNKNOWN."""
        return self.vocabulary.key(symbol)

    def surprise(self, histories: Symbols, targets: Symbols) -> npt.NDArray[np.float64]:
        """The score of each target after its history, 1.0 is the threshold: (n, h) and (n,) symbols -> (n,)."""
        out = np.empty(len(targets), np.float64)
        most = rows_at_once(self._capacity)
        for start in range(0, len(targets), CHUNK):
            part = slice(start, start + CHUNK)
            out[part] = at_targets(histories[part], targets[part], self._answers, most)
        return out

    def session_scores(self, counts: Counts) -> npt.NDArray[np.float64]:
        """The score of each closed session by its counts, 1.0 is the threshold: (n, symbols) -> (n,).

        A column for each symbol of the vocabulary, those of START and END zero. Without a profile all scores are 0.
        """
        if self.profile is None:
            return np.zeros(len(counts))
        return np.minimum(self.profile.scores(counts), UNEXPECTED_LIMIT)

    def unusual(self, counts: Counts) -> tuple[Difference, ...]:
        """What sets the counts of a session, (symbols,), apart from the nearest normal ones; most important first."""
        return () if self.profile is None else self.profile.differences(counts)

    def expected(self, history: Sequence[int], k: int = NAMED) -> list[tuple[int, float]]:
        """The k likeliest next symbols after a history of h symbols, with their probabilities."""
        return self.expected_many(np.asarray([history], np.int32), k)[0]

    def expected_many(self, histories: Symbols, k: int = NAMED) -> list[list[tuple[int, float]]]:
        """What `expected` says of each history: (n, h) symbols -> n lists of at most k (symbol, probability).

        The likeliest come first, of equals the lower symbol; what cannot follow is left out. Up to `NAMED` of a
        history scored lately are remembered; others take a pass through the networks, 64 distinct histories each.
        """
        if not len(histories):
            return []
        distinct, number = unique_rows(histories)
        most = rows_at_once(self._capacity)
        found: list[list[tuple[int, float]]] = []
        for start in range(0, len(distinct), most):
            symbols, shares = np.split(self._best(distinct[start : start + most], k), 2, axis=1)
            rows = zip(symbols[:, :k].astype(int).tolist(), shares[:, :k].tolist(), strict=True)
            found += [[(s, share) for s, share in zip(*row, strict=True) if share > 0] for row in rows]
        return [list(found[n]) for n in number]

    def judge(
        self, sequences: Sequence[Sequence[int]], *, complete: bool | Sequence[bool] = True
    ) -> list[SessionVerdict]:
        """One verdict for each session of log keys; `complete` says whether they have ended, so that END is judged."""
        count = len(sequences)
        ended = [complete] * count if isinstance(complete, bool) else list(complete)
        verdicts = [SessionVerdict(False, 0.0, None, 0)] * count
        if not count:
            return verdicts
        symbols = [self.vocabulary.encode(sequence) for sequence in sequences]
        found = windows(symbols, [flag and self.learns_end for flag in ended], self.history)
        scores = self.surprise(found.histories, found.targets)
        # per session the first of its highest scores
        best = np.lexsort((found.position, -scores, found.session))
        for lead in best[np.unique(found.session[best], return_index=True)[1]]:
            score, position = float(scores[lead]), int(found.position[lead])
            reason = reason_of(int(found.targets[lead])) if score >= 1 else None
            verdicts[int(found.session[lead])] = SessionVerdict(score >= 1, score, reason, position)
        if self.profile is not None:
            self._judge_counts(symbols, ended, verdicts)
        return verdicts

    def _judge_counts(self, symbols: list[Symbols], ended: list[bool], verdicts: list[SessionVerdict]) -> None:
        """Let the profile speak where it says more than order and end did."""
        closed = [number for number, flag in enumerate(ended) if flag]
        counts = counts_of([symbols[number] for number in closed], len(self.vocabulary))
        for number, score in zip(closed, self.session_scores(counts).tolist(), strict=True):
            if score > verdicts[number].score:
                reason = Reason.UNUSUAL_SESSION if score >= 1 else None
                verdicts[number] = SessionVerdict(score >= 1, score, reason, len(symbols[number]))

    def _probabilities(self, histories: Symbols) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        learnt = self.learnt
        plain = learnt.ensemble.probabilities(histories)
        return learnt.sightings.blend(histories, plain, weight=self.count_weight, often=learnt.often)

    def _best(self, histories: Symbols, k: int) -> npt.NDArray[np.float64]:
        """At least k likeliest symbols after each distinct history, as `_likeliest` gives them."""
        if k <= NAMED:
            return self._answers(histories)[:, self._capacity :]
        return _likeliest(self._probabilities(histories)[0], min(k, self._capacity))

    def _answers(self, histories: Symbols) -> npt.NDArray[np.float64]:
        """All that is remembered of each distinct history, (n, capacity + 2 NAMED).

        First the scores of every symbol, then the likeliest symbols and their probabilities: one row, because half a
        million small objects would take more memory than what they hold.
        """
        names = [row.tobytes() for row in np.ascontiguousarray(histories, np.int32)]
        missing = [number for number, name in enumerate(names) if name not in self._remembered]
        found: dict[bytes, npt.NDArray[np.float64]] = {}
        if missing:
            blended, often = self._probabilities(histories[missing])
            fresh = np.concatenate((self._scores(blended, often), _likeliest(blended, NAMED)), axis=1)
            found = {names[number]: row for number, row in zip(missing, fresh, strict=True)}
        out = np.array([found[name] if name in found else self._remembered[name] for name in names])
        if len(self._remembered) + len(found) > self._room:
            self._remembered.clear()
        if len(found) <= self._room:
            # rows are copied: a view would keep the whole batch alive
            self._remembered.update((name, row.copy()) for name, row in found.items())
        return out

    def _scores(self, blended: npt.NDArray[np.float64], often: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Scores of every symbol, (n, capacity), from what `_probabilities` gives."""
        rule = self.learnt.rule
        scores = np.minimum(rule.raw(blended) / rule.threshold, UNEXPECTED_LIMIT)
        scores[often] = np.minimum(scores[often], ACCEPTED)
        scores[:, START] = 0.0
        scores[:, UNKNOWN] = NEW_KEY_SCORE
        scores[:, len(self.vocabulary) :] = NEW_KEY_SCORE
        if not self.learns_end:
            scores[:, END] = 0.0
        return scores

    def parts(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """The model as JSON and arrays, for `from_parts`."""
        learnt = self.learnt
        network = learnt.ensemble.networks[0]
        meta = {
            "keys": list(self.vocabulary.keys),
            "history": self.history,
            "hidden": len(network.exit),
            "layers": len(network.bias),
            "networks": len(learnt.ensemble.networks),
            "capacity": learnt.ensemble.seen.shape[1],
            "rule": learnt.rule.name,
            "candidates": learnt.rule.candidates,
            "rare": learnt.rule.rare,
            "threshold": learnt.rule.threshold,
            "often": learnt.often,
            "count_weight": self.count_weight,
            "profile": None if learnt.profile is None else learnt.profile.threshold,
            "promise": learnt.promise.to_dict(),
            "curves": [{"floor": c.floor, "points": [list(point) for point in c.points]} for c in learnt.curves],
        }
        pairs: dict[str, npt.NDArray[Any]] = {
            "pairs.histories": learnt.sightings.histories,
            "pairs.targets": learnt.sightings.targets,
            "pairs.units": learnt.sightings.units,
        }
        return meta, learnt.ensemble.arrays() | learnt.sessions.arrays() | pairs

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> KeyModel:
        """The model that `parts` described; ModelError when anything is missing, misshapen or out of bounds."""
        try:
            return _restored(cls, meta, arrays)
        except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
            raise _damaged(str(error)) from error


def reason_of(target: int) -> Reason:
    """Why a symbol that scored above the threshold is an anomaly.

    >>> reason_of(1), reason_of(2)
    (<Reason.INCOMPLETE_SESSION: 'incomplete_session'>, <Reason.NEW_KEY: 'new_key'>)
    """
    if target == END:
        return Reason.INCOMPLETE_SESSION
    return Reason.NEW_KEY if target < FIRST_KEY_SYMBOL else Reason.UNEXPECTED_KEY


def _likeliest(probabilities: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.float64]:
    """The k likeliest symbols of each row, then their probabilities: (n, capacity) -> (n, 2k)."""
    left, rows = probabilities.copy(), np.arange(len(probabilities))
    out = np.empty((len(rows), 2 * k))
    # k passes take less than sorting whole rows, and argmax too names the first of equals
    for place in range(k):
        best = left.argmax(axis=1)
        out[:, place], out[:, k + place] = best, left[rows, best]
        left[rows, best] = -1.0
    return out


def _damaged(what: str) -> ModelError:
    return ModelError(f"has a damaged key model ({what})", remedy="fit the model again, or copy it again")


def _restored(cls: type[KeyModel], meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> KeyModel:
    whole = ("history", "layers", "hidden", "capacity", "networks", "often", "candidates")
    sizes = {name: meta[name] for name in whole}
    keys = meta["keys"]
    if not all(type(key) is int for key in keys) or len(set(keys)) != len(keys):
        raise _damaged("keys")
    if not all(type(size) is int and 1 <= size <= 1 << 20 for size in sizes.values()):
        raise _damaged("sizes")
    history, capacity = sizes["history"], sizes["capacity"]
    if history > 64 or sizes["networks"] > 100 or capacity < len(keys) + FIRST_KEY_SYMBOL:
        raise _damaged("sizes")
    numbers = [float(meta[name]) for name in ("rare", "threshold", "count_weight")]
    if not all(0 < number < math.inf for number in numbers) or numbers[0] >= 1:
        raise _damaged("numbers")
    if meta["rule"] not in {"likelihood", "top-g"}:
        raise _damaged("rule")
    sessions = _sessions(arrays, capacity)
    learnt = Learnt(
        Ensemble.from_arrays(
            arrays, count=sizes["networks"], capacity=capacity, hidden=sizes["hidden"], layers=sizes["layers"]
        ),
        tuple(_curve(stored) for stored in meta["curves"]),
        Rule(meta["rule"], numbers[0], sizes["candidates"], numbers[1]),
        sizes["often"],
        Promise.from_dict(meta["promise"]),
        _sightings(arrays, history, capacity),
        sessions,
        _profile(meta["profile"], sessions, len(keys) + FIRST_KEY_SYMBOL),
    )
    return cls(Vocabulary.from_keys(keys), history, numbers[2], learnt)


def _curve(stored: dict[str, Any]) -> Curve:
    curve = Curve(tuple((int(step), float(loss)) for step, loss in stored["points"]), float(stored["floor"]))
    if not all(map(math.isfinite, [curve.floor, *(loss for _, loss in curve.points)])):
        raise _damaged("curves")
    return curve


def _sightings(arrays: dict[str, npt.NDArray[Any]], history: int, capacity: int) -> Sightings:
    histories = _whole(arrays, "pairs.histories", np.int32, 2, capacity)
    targets = _whole(arrays, "pairs.targets", np.int32, 1, capacity)
    units = _whole(arrays, "pairs.units", np.int64, 1, 1 << 40)
    if histories.shape != (len(targets), history) or len(units) != len(targets) or not units.all():
        raise _damaged("pairs")
    return Sightings(histories, targets, units)


def _sessions(arrays: dict[str, npt.NDArray[Any]], capacity: int) -> DistinctSessions:
    sessions = DistinctSessions(
        _whole(arrays, "sessions.symbols", np.int32, 1, capacity),
        _whole(arrays, "sessions.lengths", np.int32, 1, 1 << 31),
        _whole(arrays, "sessions.counts", np.int32, 1, 1 << 31),
        _whole(arrays, "sessions.complete", np.uint8, 1, 2),
    )
    if int(sessions.lengths.sum(dtype=np.int64)) != len(sessions.symbols) or not (
        len(sessions.lengths) == len(sessions.counts) == len(sessions.complete)
    ):
        raise _damaged("sessions")
    return sessions


def _profile(threshold: Any, sessions: DistinctSessions, symbols: int) -> Profile | None:
    if threshold is None:
        return None
    if not 0 < float(threshold) < math.inf or not sessions.complete.any() or sessions.symbols.max(initial=0) >= symbols:
        raise _damaged("profile")
    return profile_of(sessions, symbols, float(threshold))


def _whole(
    arrays: dict[str, npt.NDArray[Any]], name: str, dtype: type[np.generic], dimensions: int, below: int
) -> npt.NDArray[Any]:
    """An array of whole numbers from 0 to `below`, of the type and dimensions it was saved with."""
    array = arrays[name]
    if array.dtype != dtype or array.ndim != dimensions:
        raise _damaged(name)
    if array.size and (int(array.min()) < 0 or int(array.max()) >= below):
        raise _damaged(name)
    return array
