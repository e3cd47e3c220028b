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
from offscript.models.columns import Measured, started, trained
from offscript.models.ensemble import Ensemble
from offscript.models.keys import KeyModel
from offscript.models.learning import profile_of
from offscript.models.lstm import Array, Network, capacity_for
from offscript.models.named_lines import as_named, with_names
from offscript.models.pairs import Sightings, Symbols, Vocabulary

REPLAYED: Final = 1_024
"""Stored pairs replayed in an update, a sample where there are more: their states are kept in 1 MiB a network, and a
thousand tell whether something got worse in more than a few in a thousand."""

TOLERANCE: Final = 0.1
"""How much the score of a replayed pair may rise by an update, as a share of the threshold; none may reach it. By rank
all g candidates are as good, and what is reported takes the place of one: there it counts only who is none any more."""

NEW_SHARE: Final = 1e-3
"""The share of every history that a key new to a network begins with: too little to move any other (a thousandth of a
nat), and above what counts as rare, for whoever reports a key seldom means one place alone."""

MOST_SHARE: Final = 0.05
"""The most that a new key of a stream begins with, where it takes more than NEW_SHARE to be accepted: what interleaves
has hardly a history twice, and a report of one would close no other. A twentieth of a nat moves no stored pair much."""

SURE: Final = 1.0
"""Nats above the threshold at which a network accepts a pair: histories alike are then accepted, too."""

ROUNDING: Final = 1e-6
"""By how much a score may differ from the one that a detector gives, which adds up in another order."""

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
    before, rule = grown.learnt.ensemble, grown.learnt.rule
    histories, targets = _encoded(grown, normal)
    if model.promise.unit == "session":  # what interleaves has hardly a history twice, by whatever name
        rows, named = as_named(histories, range(len(model.vocabulary), len(grown.vocabulary)))
        histories, targets = np.concatenate((histories, named)), np.concatenate((targets, targets[rows]))
    columns = np.unique(targets).astype(np.int64)
    own = Measured.of(before, histories, targets, columns)
    replayed = Measured.of(before, *_sample(grown.learnt.sightings), columns)
    worst = _worst_allowed(rule, replayed.scores(grown, grown.learnt.sightings, replayed.chances(rule, before)))
    begun = started(before, replayed, _first_share(model))
    need = _needed(rule, own, begun)
    sides = zip(begun.networks, replayed.sides, own.sides, strict=True)
    learnt = [trained(network, columns, other, mine, need) for network, other, mine in sides]
    flagged = [step for step, score in zip(confirmed, scores_of_steps(model, confirmed), strict=True) if score >= 1]
    for part in PARTS:
        ensemble = replace(begun, networks=tuple(one.moved(part) for one in learnt))
        found, chances = _accepting(grown, ensemble, own), replayed.chances(rule, ensemble)
        if not part:
            found = _holding(found, replayed, chances, worst)
        worse = int((replayed.scores(found, found.learnt.sightings, chances) > worst).sum())
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
    names = range(len(model.vocabulary), len(words))
    networks = tuple(_wider(network, more, names) for network in learnt.ensemble.networks)
    sightings = with_names(learnt.sightings, names) if model.promise.unit == "session" else learnt.sightings
    seen = np.pad(learnt.ensemble.seen, ((0, 0), (0, more)))
    profile = learnt.profile and profile_of(learnt.sessions, learnt.told, len(words), learnt.profile.threshold)
    ensemble = replace(learnt.ensemble, networks=networks, seen=seen)
    learnt = replace(learnt, ensemble=ensemble, sightings=sightings, profile=profile)
    return KeyModel(words, model.history, model.count_weight, learnt)


def _wider(network: Network, more: int, names: Sequence[int]) -> Network:
    """The network with room for more symbols, none of which can follow yet; `names` are read as unknown lines were."""
    right = ((0, 0), (0, more))
    entry = np.pad(network.entry, ((0, more), (0, 0)))
    entry[list(names)] = entry[UNKNOWN]
    return replace(
        network,
        entry=entry,
        exit=np.pad(network.exit, right),
        exit_bias=np.pad(network.exit_bias, (0, more)),
        targets=np.pad(network.targets, (0, more)),
    )


def _sample(seen: Sightings) -> tuple[Symbols, Symbols]:
    """The stored pairs that are replayed: all, or REPLAYED of them, the same ones each time."""
    count = len(seen.targets)
    rows = np.arange(count) if count <= REPLAYED else np.random.default_rng(count).choice(count, REPLAYED, False)
    return seen.histories[rows], seen.targets[rows]


def _worst_allowed(rule: Rule, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The highest scores that replayed pairs may have after the update: what was accepted stays accepted."""
    allowed = scores + (TOLERANCE if rule.name == "likelihood" else np.inf)
    return np.where(scores < 1, np.minimum(allowed, np.nextafter(1.0, 0.0)), allowed)


def _first_share(model: KeyModel) -> float:
    """The share of the average history that a key new to a network begins with."""
    rule = model.learnt.rule
    if model.promise.unit == "session" or rule.name != "likelihood":
        return NEW_SHARE
    return min(MOST_SHARE, max(NEW_SHARE, math.exp(SURE - rule.threshold)))


def _needed(rule: Rule, own: Measured, ensemble: Ensemble) -> npt.NDArray[np.float64]:
    """The log-probability that each pair (n,) needs to be accepted for sure."""
    if rule.name == "likelihood":
        return np.full(len(own.targets), SURE - rule.threshold)
    others = own.rows(ensemble).astype(np.float64)
    others[np.arange(len(others)), own.targets] = 0
    candidate = np.sort(others, axis=1)[:, -min(rule.candidates, others.shape[1])]
    return np.asarray(np.log(np.maximum(candidate, rule.rare)) + SURE)


def _accepting(model: KeyModel, ensemble: Ensemble, own: Measured) -> KeyModel:
    """The model with these networks, in which the reported pairs were seen: once, or as often as it takes.

    What is seen `often` is normal by definition, so an end is reached.
    """
    learnt = model.learnt
    chances = own.chances(learnt.rule, ensemble)
    units = np.ones(len(own.targets), np.int64)
    while True:
        sightings = learnt.sightings.with_more(own.histories, own.targets, units)
        lacks = own.scores(model, sightings, chances) >= 1 - ROUNDING
        if not lacks.any() or (units[lacks] >= learnt.often).all():
            break
        units[lacks] = np.minimum(2 * units[lacks], learnt.often)
    return KeyModel(
        model.vocabulary, model.history, model.count_weight, replace(learnt, ensemble=ensemble, sightings=sightings)
    )


def _holding(model: KeyModel, replayed: Measured, chances: Array, worst: npt.NDArray[np.float64]) -> KeyModel:
    """The model in which replayed pairs that would newly be flagged are normal by definition: seen `often`.

    By rank there is room for g keys after a history, and a new one pushes out another that was reported before; so may
    one that is held. What is held is never lost again, so an end is reached.
    """
    learnt, sightings = model.learnt, model.learnt.sightings
    while len(lost := np.flatnonzero((replayed.scores(model, sightings, chances) >= 1) & (worst < 1))):
        units = np.full(len(lost), learnt.often)
        sightings = sightings.with_more(replayed.histories[lost], replayed.targets[lost], units)
    return KeyModel(model.vocabulary, model.history, model.count_weight, replace(learnt, sightings=sightings))
