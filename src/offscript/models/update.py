"""Online update of the key model: what a person called normal is learnt, and nothing else may get worse (ours).

CCS 2017 section 3.3 trains on one reported pair and says no more. Here the layers that read a history stay as they
are, and of the softmax layer only what belongs to the reported keys is trained, until each network accepts them; the
stored pairs are replayed meanwhile. So all other keys keep their odds among themselves, the states of the replayed
histories are the same in every version, and an update needs no compiler.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.entries import END, START, UNKNOWN
from offscript.errors import UsageError
from offscript.models.calibrate import Rule
from offscript.models.ensemble import Ensemble
from offscript.models.keys import KeyModel
from offscript.models.learning import profile_of
from offscript.models.lstm import Array, Network, capacity_for
from offscript.models.pairs import Sightings, Symbols, Vocabulary

REPLAYED: Final = 1_024
"""Stored pairs replayed in an update, a sample where there are more: their states are kept in 1 MiB a network, and a
thousand tell whether something got worse in more than a few in a thousand."""

TOLERANCE: Final = 0.1
"""How much the score of a replayed pair may rise by an update, as a share of the threshold; none may reach it."""

NEW_SHARE: Final = 1e-3
"""The share of every history that a key new to a network begins with: too little to move any other (a thousandth of a
nat), and above what counts as rare, for whoever reports a key seldom means one place alone."""

MOST_SHARE: Final = 0.05
"""The most that a new key of a stream begins with, where it takes more than NEW_SHARE to be accepted: what interleaves
has hardly a history twice, and a report of one would close no other. A twentieth of a nat moves no stored pair much."""

SURE: Final = 1.0
"""Nats above the threshold at which a network accepts a pair: histories alike are then accepted, too."""

STEPS: Final = 200
"""Most optimiser steps: what is not accepted then is left to the sightings, which hold for the reported history."""

RATE: Final = 0.03
"""Step of Adam in the weights of the softmax layer, which are of the order of one."""

PARTS: Final = (1.0, 0.5, 0.25, 0.0)
"""How much of what was learnt is taken, the largest part that keeps every replayed pair within the tolerance."""


@dataclass(frozen=True, slots=True)
class Step:
    """A log key that came after a history; `key` None stands for the end of a session.

    `history` holds the keys before it, the last one last: fewer than h where the session began there, 0 for a line
    that no template matched.

    >>> Step((4, 0, 5), None).history
    (4, 0, 5)
    """

    history: tuple[int, ...]
    key: int | None


def taught(model: KeyModel, normal: Sequence[Step], *, confirmed: Sequence[Step] = ()) -> KeyModel:
    """The next version of a key model, which accepts the `normal` steps; the given model stays as it is.

    Keys that are new to the vocabulary join it; symbols known before keep theirs, and so do thresholds. `confirmed`
    are anomalies: a version that no longer flags one that the given model flags is refused, with a UsageError.

    >>> from offscript import Config
    >>> model = KeyModel.fit([[1, 2, 3]] * 40, Config(hidden=8, layers=1, training_steps=100, folds=2))
    >>> after = taught(model, [Step((1, 2), 9)])
    >>> [one.judge([[1, 2, 9]], complete=False)[0].is_anomaly for one in (model, after)]
    [True, False]
    """
    if not normal:
        return model
    grown = _with_room(model, [step.key for step in normal if step.key is not None])
    own = _Pairs.of(grown.learnt.ensemble, *_encoded(grown, normal))
    replayed = _Pairs.of(grown.learnt.ensemble, *_sample(grown.learnt.sightings))
    worst = _worst_allowed(replayed.scores(grown, grown.learnt.ensemble))
    started = _started(grown.learnt.ensemble, replayed, own, _first_share(model))
    need = _needed(grown.learnt.rule, own.shares(started), own.targets)
    learnt = [_trained(started, number, replayed, own, need) for number in range(len(started.networks))]
    flagged = [step for step, score in zip(confirmed, scores_of_steps(model, confirmed), strict=True) if score >= 1]
    for part in PARTS:
        ensemble = replace(started, networks=tuple(one.moved(part) for one in learnt))
        found = _accepting(grown, ensemble, own)
        if not part:
            found = _holding(found, replayed, worst)
        worse = int((replayed.scores(found, ensemble) > worst).sum())
        silenced = [step for step, score in zip(flagged, scores_of_steps(found, flagged), strict=True) if score < 1]
        if not worse and not silenced:
            return found
    raise _refusal(worse, silenced)


def _refusal(worse: int, silenced: Sequence[Step]) -> UsageError:
    if silenced:
        what = f"this would silence {len(silenced)} confirmed anomal{'y' if len(silenced) == 1 else 'ies'}"
        return UsageError(what, remedy="take back one of the two reports: both cannot be right")
    return UsageError(
        f"this would flag {worse} of the steps that normal sessions took", remedy="fit again with the log of this day"
    )


def scores_of_steps(model: KeyModel, steps: Sequence[Step]) -> list[float]:
    """The score of each step by order, 1.0 is the threshold."""
    found: list[float] = model.surprise(*_encoded(model, steps)).tolist()
    return found


def _encoded(model: KeyModel, steps: Sequence[Step]) -> tuple[Symbols, Symbols]:
    """The steps as symbols, (n, h) and (n,)."""
    words, h = model.vocabulary, model.history
    histories = np.full((len(steps), h), START, np.int32)
    for row, step in zip(histories, steps, strict=True):
        known = words.encode(step.history[-h:])
        row[h - len(known) :] = known
    targets = [END if step.key is None else words.symbol(step.key) for step in steps]
    return histories, np.array(targets, np.int32)


def _with_room(model: KeyModel, keys: Sequence[int]) -> KeyModel:
    """The model with these keys in its vocabulary; it judges as before, but for what comes after the keys."""
    if not all(key > 0 for key in keys):
        raise UsageError(
            "a line that no template matches cannot be learnt as a step", remedy="learn its template first"
        )
    fresh = [key for key in dict.fromkeys(keys) if key not in model.vocabulary.numbers]
    if not fresh:
        return model
    words, learnt = Vocabulary.from_keys((*model.vocabulary.keys, *fresh)), model.learnt
    before = learnt.ensemble.seen.shape[1]
    more = max(before, capacity_for(len(words))) - before
    networks = tuple(_wider(network, more) for network in learnt.ensemble.networks)
    seen = np.pad(learnt.ensemble.seen, ((0, 0), (0, more)))
    profile = learnt.profile and profile_of(learnt.sessions, len(words), learnt.profile.threshold)
    learnt = replace(learnt, ensemble=Ensemble(networks, seen), profile=profile)
    return KeyModel(words, model.history, model.count_weight, learnt)


def _wider(network: Network, more: int) -> Network:
    """The network with room for more symbols, none of which can follow yet."""
    right = ((0, 0), (0, more))
    return replace(
        network,
        entry=np.pad(network.entry, ((0, more), (0, 0))),
        exit=np.pad(network.exit, right),
        exit_bias=np.pad(network.exit_bias, (0, more)),
        targets=np.pad(network.targets, (0, more)),
    )


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Some pairs, (n, h) and (n,), and the states of the histories in each network, (n, a)."""

    histories: Symbols
    targets: Symbols
    states: tuple[Array, ...]

    @classmethod
    def of(cls, ensemble: Ensemble, histories: Symbols, targets: Symbols) -> _Pairs:
        return cls(histories, targets, tuple(ensemble.states(n, histories) for n in range(len(ensemble.networks))))

    def shares(self, ensemble: Ensemble) -> Array:
        """What the networks say on average comes next: (n, capacity)."""
        each = zip(ensemble.networks, self.states, strict=True)
        return np.asarray(np.mean([_softmax(network, states) for network, states in each], axis=0))

    def scores(self, model: KeyModel, ensemble: Ensemble) -> npt.NDArray[np.float64]:
        """The scores of the pairs by the model, (n,), with these networks."""
        learnt = model.learnt
        blended = learnt.sightings.blend(
            self.histories, self.shares(ensemble), weight=model.count_weight, often=learnt.often
        )
        return model.scores_of(*blended)[np.arange(len(self.targets)), self.targets]


def _softmax(network: Network, states: Array) -> Array:
    logits = np.where(network.targets, states @ network.exit + network.exit_bias, np.float32(-np.inf))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _log_sum(logits: Array) -> Array:
    """The logarithm of the sum of exponentials of each row, (n, c) -> (n,); minus infinity for a row of nothing."""
    highest = np.maximum(logits.max(axis=1), np.finfo(np.float32).min)
    with np.errstate(divide="ignore"):
        return np.asarray(highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1)), np.float32)


def _sample(seen: Sightings) -> tuple[Symbols, Symbols]:
    """The stored pairs that are replayed: all, or REPLAYED of them, the same ones each time."""
    count = len(seen.targets)
    rows = np.arange(count) if count <= REPLAYED else np.random.default_rng(count).choice(count, REPLAYED, False)
    return seen.histories[rows], seen.targets[rows]


def _worst_allowed(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The highest scores that replayed pairs may have after the update: what was accepted stays accepted."""
    allowed = scores + TOLERANCE
    return np.where(scores < 1, np.minimum(allowed, np.nextafter(1.0, 0.0)), allowed)


def _first_share(model: KeyModel) -> float:
    """The share of the average history that a key new to a network begins with."""
    rule = model.learnt.rule
    if model.promise.unit == "session" or rule.name != "likelihood":
        return NEW_SHARE
    return min(MOST_SHARE, max(NEW_SHARE, math.exp(SURE - rule.threshold)))


def _started(ensemble: Ensemble, replayed: _Pairs, own: _Pairs, share: float) -> Ensemble:
    """The networks with the reported symbols among those that can follow.

    In histories a symbol that is new to a network is UNKNOWN's equal, as it was before it had a name; as a target it
    begins with a share of the average history.
    """
    networks, seen = list(ensemble.networks), ensemble.seen.copy()
    for number, network in enumerate(networks):
        fresh = np.unique(own.targets[~network.targets[own.targets]])
        if not len(fresh):
            continue
        entry, leave = network.entry.copy(), network.exit.copy()
        bias, targets = network.exit_bias.copy(), network.targets.copy()
        logits = np.where(targets, replayed.states[number] @ leave + bias, np.float32(-np.inf))
        entry[fresh], leave[:, fresh], targets[fresh] = entry[UNKNOWN], 0, True
        bias[fresh] = math.log(share) + float(np.mean(_log_sum(logits)))
        networks[number] = replace(network, entry=entry, exit=leave, exit_bias=bias, targets=targets)
        seen[number, fresh] = True
    return Ensemble(tuple(networks), seen)


def _needed(rule: Rule, shares: Array, targets: Symbols) -> npt.NDArray[np.float64]:
    """The log-probability that each pair (n,) needs to be accepted for sure."""
    if rule.name == "likelihood":
        return np.full(len(targets), SURE - rule.threshold)
    others = shares.astype(np.float64)
    others[np.arange(len(targets)), targets] = 0
    candidate = np.sort(others, axis=1)[:, -min(rule.candidates, others.shape[1])]
    return np.asarray(np.log(np.maximum(candidate, rule.rare)) + SURE)


@dataclass(frozen=True, slots=True)
class _Trained:
    """A network, and the columns of its softmax layer that were trained: (a, c) and (c,)."""

    network: Network
    columns: npt.NDArray[np.int64]
    exit: Array
    bias: Array

    def moved(self, part: float) -> Network:
        """The network a part of the way from what it was to what was trained."""
        leave, bias = self.network.exit.copy(), self.network.exit_bias.copy()
        leave[:, self.columns] += np.float32(part) * (self.exit - leave[:, self.columns])
        bias[self.columns] += np.float32(part) * (self.bias - bias[self.columns])
        return replace(self.network, exit=leave, exit_bias=bias)


def _trained(ensemble: Ensemble, number: int, replayed: _Pairs, own: _Pairs, need: npt.NDArray[np.float64]) -> _Trained:
    """Train the columns of the reported symbols until the network accepts each reported pair, STEPS at most.

    The loss is the mean cross-entropy of the replayed pairs plus that of the reported ones not yet accepted; Adam.
    """
    network = ensemble.networks[number]
    columns = np.unique(own.targets).astype(np.int64)
    leave, bias = network.exit[:, columns].copy(), network.exit_bias[columns].copy()
    both = [_Side.of(network, columns, pairs, pairs.states[number]) for pairs in (replayed, own)]
    memory = [np.zeros_like(leave), np.zeros_like(bias)], [np.zeros_like(leave), np.zeros_like(bias)]
    for step in range(1, STEPS + 1):
        log_shares = [side.log_shares(leave, bias) for side in both]
        lacks = log_shares[1][np.arange(len(need)), both[1].column] < need
        if not lacks.any():
            break
        slopes = [np.zeros_like(leave), np.zeros_like(bias)]
        for side, logs, weight in zip(both, log_shares, (None, lacks), strict=True):
            side.add_slopes(logs, weight, slopes)
        for weights, slope, first, second in zip((leave, bias), slopes, *memory, strict=True):
            first += np.float32(0.1) * (slope - first)
            second += np.float32(0.001) * (slope * slope - second)
            scale = np.sqrt(second / np.float32(1 - 0.999**step)) + np.float32(1e-8)
            weights -= np.float32(RATE / (1 - 0.9**step)) * first / scale
    return _Trained(network, columns, leave, bias)


@dataclass(frozen=True, slots=True)
class _Side:
    """Replayed or reported pairs as training sees them.

    `states` (n, a), `rest` (n,) the log of what the columns that are not trained weigh in the softmax, and `column`
    (n,) which trained column the target has, -1 for none.
    """

    states: Array
    rest: Array
    column: npt.NDArray[np.int64]

    @classmethod
    def of(cls, network: Network, columns: npt.NDArray[np.int64], pairs: _Pairs, states: Array) -> _Side:
        others = network.targets.copy()
        others[columns] = False
        logits = np.where(others, states @ network.exit + network.exit_bias, np.float32(-np.inf))
        place = np.full(len(network.targets), -1, np.int64)
        place[columns] = np.arange(len(columns))
        return cls(states, _log_sum(logits), place[pairs.targets])

    def log_shares(self, leave: Array, bias: Array) -> Array:
        """The log-probabilities of the trained columns, (n, c)."""
        logits = self.states @ leave + bias
        return np.asarray(logits - np.logaddexp(self.rest, _log_sum(logits))[:, None])

    def add_slopes(self, logs: Array, weight: npt.NDArray[np.bool_] | None, slopes: list[Array]) -> None:
        """Add the slope of the mean cross-entropy (of the rows with weight) in the columns and their biases."""
        error = np.exp(logs)
        aims = np.flatnonzero(self.column >= 0)
        error[aims, self.column[aims]] -= 1
        if weight is not None:
            error *= weight[:, None]
        error /= np.float32(len(error))
        slopes[0] += self.states.T @ error
        slopes[1] += error.sum(axis=0)


def _accepting(model: KeyModel, ensemble: Ensemble, own: _Pairs) -> KeyModel:
    """The model with these networks, in which the reported pairs were seen: once, or as often as it takes.

    What is seen `often` is normal by definition, so an end is reached.
    """
    learnt = model.learnt
    often = learnt.often
    shares = own.shares(ensemble)
    rows = np.arange(len(own.targets))
    units = np.ones(len(rows), np.int64)
    while True:
        sightings = learnt.sightings.with_more(own.histories, own.targets, units)
        found = model.scores_of(*sightings.blend(own.histories, shares, weight=model.count_weight, often=often))
        lacks = found[rows, own.targets] >= 1
        if not lacks.any() or (units[lacks] >= often).all():
            break
        units[lacks] = np.minimum(2 * units[lacks], often)
    return KeyModel(
        model.vocabulary, model.history, model.count_weight, replace(learnt, ensemble=ensemble, sightings=sightings)
    )


def _holding(model: KeyModel, replayed: _Pairs, worst: npt.NDArray[np.float64]) -> KeyModel:
    """The model in which replayed pairs that would newly be flagged are normal by definition: seen `often`.

    By rank there is room for g keys after a history, and a new one pushes out another that was reported before.
    """
    learnt = model.learnt
    lost = np.flatnonzero((replayed.scores(model, learnt.ensemble) >= 1) & (worst < 1))
    if not len(lost):
        return model
    units = np.full(len(lost), learnt.often)
    sightings = learnt.sightings.with_more(replayed.histories[lost], replayed.targets[lost], units)
    return KeyModel(model.vocabulary, model.history, model.count_weight, replace(learnt, sightings=sightings))
