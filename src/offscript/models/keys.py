"""The log-key model: which key can follow which history, how far a session strays from it (CCS 2017 section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from offscript.config import Config
from offscript.entries import END, FIRST_KEY_SYMBOL, START, UNKNOWN, Reason
from offscript.errors import InputError
from offscript.models.calibrate import Promise
from offscript.models.learning import CALIBRATED_BY, Beside, Learnt, Lesson, Taught, calibrate, teach
from offscript.models.lstm import Curve, Progress
from offscript.models.pairs import (
    CELLS_AT_ONCE,
    Symbols,
    Vocabulary,
    at_targets,
    rows_at_once,
    unique_rows,
    windows,
)
from offscript.models.profile import Counts, Difference, Profile, counts_of
from offscript.models.stored import restored_parts, stored_parts

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
    """The judgement on one session: its highest score over order, END and profile, where it happened, and why.

    `position` counts entries from 0; the number of entries stands for the end of the session, and for the session as a
    whole. `reason` is None for a session below the threshold of 1.0; where order or END flag it, they give reason and
    position, else the profile.

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
        beside: Beside | None = None,
        progress: Progress | None = None,
    ) -> KeyModel:
        """Learn from normal sessions, each a sequence of log keys; how they are listed does not matter.

        `complete` says which sessions have ended (all, if None); open ones teach no END. `order` gives session end
        times in seconds: folds are then contiguous in time. `per_entry` is for logs without sessions, each sequence
        a stream: the promise is then per entry. What judges the same sessions by something else stands `beside`: the
        promise counts all together. InputError when there is nothing to learn from.
        """
        vocabulary, lesson = cls._lesson(sequences, complete, order, per_entry=per_entry)
        taught = teach(vocabulary, lesson, config, progress)
        learnt = calibrate(vocabulary, taught, config, beside)
        return cls(vocabulary, config.history, config.count_weight, learnt)

    @classmethod
    def fit_each(
        cls,
        sequences: Sequence[Sequence[int]],
        configs: Sequence[Config],
        *,
        complete: Sequence[bool] | None = None,
        order: Sequence[float] | None = None,
        per_entry: bool = False,
        progress: Progress | None = None,
    ) -> list[KeyModel]:
        """What `fit` gives for each config, trained once for those that differ in rule, share or profile alone.

        >>> shares = [Config(hidden=4, layers=1, training_steps=25, false_alarms=share) for share in (0.1, 0.01)]
        >>> [model.promise.asked for model in KeyModel.fit_each([[1, 2, 3]] * 20, shares)]
        [0.1, 0.01]
        """
        vocabulary, lesson = cls._lesson(sequences, complete, order, per_entry=per_entry)
        taught: dict[str, Taught] = {}
        models = []
        for config in configs:
            name = config.model_dump_json(exclude=set(CALIBRATED_BY))
            if name not in taught:
                taught[name] = teach(vocabulary, lesson, config, progress)
            learnt = calibrate(vocabulary, taught[name], config)
            models.append(cls(vocabulary, config.history, config.count_weight, learnt))
        return models

    @staticmethod
    def _lesson(
        sequences: Sequence[Sequence[int]],
        complete: Sequence[bool] | None,
        order: Sequence[float] | None,
        *,
        per_entry: bool,
    ) -> tuple[Vocabulary, Lesson]:
        """The sessions as symbols; InputError where there are none."""
        ended = tuple([not per_entry] * len(sequences) if complete is None else map(bool, complete))
        if not any(len(sequence) or flag for sequence, flag in zip(sequences, ended, strict=True)):
            raise InputError("holds no sessions to learn from", remedy="give a log with normal entries")
        vocabulary = Vocabulary.of(sequences)
        symbols = tuple(vocabulary.encode(sequence) for sequence in sequences)
        sizes = list(map(len, sequences)) if per_entry else [1] * len(sequences)
        numbers = tuple(accumulate(sizes, initial=0))[:-1]
        return vocabulary, Lesson(symbols, ended, None if order is None else tuple(order), per_entry, numbers)

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
        """Let the profile speak where order and END were silent: they say where it happened, and what was expected."""
        closed = [number for number, flag in enumerate(ended) if flag]
        step = max(1, CELLS_AT_ONCE // len(self.vocabulary))
        for start in range(0, len(closed), step):
            part = closed[start : start + step]
            counts = counts_of([symbols[number] for number in part], len(self.vocabulary))
            for number, score in zip(part, self.session_scores(counts).tolist(), strict=True):
                before = verdicts[number]
                if score <= before.score:
                    continue
                if before.is_anomaly or score < 1:
                    verdicts[number] = replace(before, score=score)
                else:
                    verdicts[number] = SessionVerdict(True, score, Reason.UNUSUAL_SESSION, len(symbols[number]))

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
        # taken at once: another thread, which trains an update, may let the memory begin anew meanwhile
        rows = [self._remembered.get(name) for name in names]
        missing = [number for number, row in enumerate(rows) if row is None]
        found: dict[bytes, npt.NDArray[np.float64]] = {}
        if missing:
            blended, often = self._probabilities(histories[missing])
            fresh = np.concatenate((self.scores_of(blended, often), _likeliest(blended, NAMED)), axis=1)
            found = {names[number]: row for number, row in zip(missing, fresh, strict=True)}
        out = np.array([found[name] if row is None else row for name, row in zip(names, rows, strict=True)])
        if len(self._remembered) + len(found) > self._room:
            self._remembered.clear()
        if len(found) <= self._room:
            # rows are copied: a view would keep the whole batch alive
            self._remembered.update((name, row.copy()) for name, row in found.items())
        return out

    def scores_of(self, blended: npt.NDArray[np.float64], often: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        """Scores of every symbol, (n, capacity), from what `Sightings.blend` gives."""
        rule = self.learnt.rule
        scores = np.minimum(rule.raw(blended) / rule.threshold, UNEXPECTED_LIMIT)
        scores[often] = np.minimum(scores[often], ACCEPTED)
        scores[:, START] = 0.0
        scores[:, UNKNOWN] = NEW_KEY_SCORE
        scores[:, len(self.vocabulary) :] = NEW_KEY_SCORE
        if not self.learns_end:
            scores[:, END] = 0.0
        return scores

    def scores_at(
        self, raw: npt.NDArray[np.float64], often: npt.NDArray[np.bool_], targets: Symbols
    ) -> npt.NDArray[np.float64]:
        """What `scores_of` gives for one symbol each, (n,), from its raw score and whether it was seen often, (n,)."""
        scores = np.minimum(raw / self.learnt.rule.threshold, UNEXPECTED_LIMIT)
        scores[often] = np.minimum(scores[often], ACCEPTED)
        scores[targets == START] = 0.0
        scores[(targets == UNKNOWN) | (targets >= len(self.vocabulary))] = NEW_KEY_SCORE
        if not self.learns_end:
            scores[targets == END] = 0.0
        return scores

    def parts(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """The model as JSON and arrays, for `from_parts`."""
        return stored_parts(self.vocabulary, self.history, self.count_weight, self.learnt)

    @classmethod
    def from_parts(cls, meta: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> KeyModel:
        """The model that `parts` described; ModelError when anything is missing, misshapen or out of bounds."""
        return cls(*restored_parts(meta, arrays))


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
