"""The columns of the softmax layer that an update trains, and the pairs that it is measured by (ours).

Of a network the columns of the reported symbols alone change, and of the histories only their last states count; so
whatever the other columns weigh is added up once for an update.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.entries import UNKNOWN
from offscript.models.calibrate import Rule
from offscript.models.ensemble import Ensemble
from offscript.models.forward import product, product_over
from offscript.models.keys import KeyModel
from offscript.models.lstm import Array, Network
from offscript.models.pairs import Sightings, Symbols

STEPS: Final = 200
"""Most optimiser steps: what is not accepted then is left to the sightings, which hold for the reported history."""

RATE: Final = 0.03
"""Step of Adam in the weights of the softmax layer, which are of the order of one."""

Columns = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Measured:
    """Replayed or reported pairs, (n, h) and (n,), as each network sees them when some columns change."""

    histories: Symbols
    targets: Symbols
    columns: Columns
    sides: tuple[Side, ...]

    @classmethod
    def of(cls, ensemble: Ensemble, histories: Symbols, targets: Symbols, columns: Columns) -> Measured:
        """Put pairs through the networks; `columns` ascend."""
        each = enumerate(ensemble.networks)
        sides = tuple(Side.of(one, columns, ensemble.states(n, histories), targets) for n, one in each)
        return cls(histories, targets, columns, sides)

    def rows(self, ensemble: Ensemble) -> Array:
        """What the networks say on average comes next: (n, capacity)."""
        return ensemble.probabilities_from([side.states for side in self.sides])

    def shares(self, ensemble: Ensemble) -> Array:
        """What the networks say on average of the targets: (n,); but for the columns they are those of `of`."""
        each = zip(ensemble.networks, self.sides, strict=True)
        logs = [side.target_logs(*_columns_of(network, self.columns)) for network, side in each]
        return np.asarray(np.mean(np.exp(logs), axis=0))

    def chances(self, rule: Rule, ensemble: Ensemble) -> Array:
        """What a rule asks of the networks: `shares`, or by rank, where all symbols count, `rows`."""
        return self.shares(ensemble) if rule.name == "likelihood" else self.rows(ensemble)

    def scores(self, model: KeyModel, sightings: Sightings, chances: Array) -> npt.NDArray[np.float64]:
        """The scores of the pairs, (n,), by a model with these sightings and `chances`."""
        rule, weight, often = model.learnt.rule, model.count_weight, model.learnt.often
        if chances.ndim == 1:
            one, is_often = sightings.blend_at(self.histories, self.targets, chances, weight=weight, often=often)
            return model.scores_at(rule.raw(one), is_often, self.targets)
        rows, are_often = sightings.blend(self.histories, chances, weight=weight, often=often)
        is_often = are_often[np.arange(len(rows)), self.targets]
        return model.scores_at(rule.raw_at(rows, self.targets), is_often, self.targets)


def _columns_of(network: Network, columns: Columns) -> tuple[Array, Array]:
    """Weights (a, c) and biases (c,) of some columns; minus infinity is the bias of a symbol that cannot follow."""
    bias = np.where(network.targets[columns], network.exit_bias[columns], np.float32(-np.inf))
    return network.exit[:, columns], bias


def _log_sum(logits: Array) -> Array:
    """The logarithm of the sum of exponentials of each row, (n, c) -> (n,); minus infinity for a row of nothing."""
    highest = np.maximum(logits.max(axis=1, initial=-np.inf), np.finfo(np.float32).min)
    with np.errstate(divide="ignore"):
        return np.asarray(highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1)), np.float32)


@dataclass(frozen=True, slots=True)
class Side:
    """Replayed or reported pairs as the training of one network sees them.

    `states` (n, a), `rest` (n,) the log of what the columns that are not trained weigh in the softmax, `column` (n,)
    which trained column the target has, -1 for none, and then `logit` (n,) what it weighs itself.
    """

    states: Array
    rest: Array
    column: Columns
    logit: Array

    @classmethod
    def of(cls, network: Network, columns: Columns, states: Array, targets: Symbols) -> Side:
        """Add up the other columns for these states; `targets` (n,)."""
        others = network.targets.copy()
        others[columns] = False
        kept = np.flatnonzero(others)
        logits = product(states, network.exit[:, kept]) + network.exit_bias[kept]
        column, place = np.full(len(others), -1, np.int64), np.full(len(others), -1, np.int64)
        column[columns], place[kept] = np.arange(len(columns)), np.arange(len(kept))
        padded = np.concatenate((logits, np.full((len(logits), 1), -np.inf, np.float32)), axis=1)
        return cls(states, _log_sum(logits), column[targets], padded[np.arange(len(targets)), place[targets]])

    def log_shares(self, leave: Array, bias: Array) -> Array:
        """The log-probabilities of the trained columns, (n, c)."""
        logits = product(self.states, leave) + bias
        return np.asarray(logits - self._whole(logits)[:, None])

    def target_logs(self, leave: Array, bias: Array) -> Array:
        """The log-probability of each target, (n,)."""
        logits = product(self.states, leave) + bias
        trained = logits[np.arange(len(logits)), self.column]
        return np.asarray(np.where(self.column >= 0, trained, self.logit) - self._whole(logits))

    def whole(self, leave: Array, bias: Array) -> Array:
        """The log of what all columns weigh, (n,)."""
        return self._whole(product(self.states, leave) + bias)

    def _whole(self, logits: Array) -> Array:
        return np.asarray(np.logaddexp(self.rest, _log_sum(logits)))

    def add_slopes(self, logs: Array, weight: npt.NDArray[np.bool_] | None, slopes: list[Array]) -> None:
        """Add the slope of the mean cross-entropy (of the rows with weight) in the columns and their biases."""
        error = np.exp(logs)
        aims = np.flatnonzero(self.column >= 0)
        error[aims, self.column[aims]] -= 1
        if weight is not None:
            error *= weight[:, None]
        error /= np.float32(len(error))
        slopes[0] += product_over(self.states, error)
        slopes[1] += error.sum(axis=0)


def started(ensemble: Ensemble, replayed: Measured, share: float) -> Ensemble:
    """The networks with the measured columns among those that can follow.

    In histories a symbol that is new to a network is UNKNOWN's equal, as it was before it had a name; as a target it
    begins with a share of the average history.
    """
    networks, seen = list(ensemble.networks), ensemble.seen.copy()
    for number, network in enumerate(networks):
        fresh = replayed.columns[~network.targets[replayed.columns]]
        if not len(fresh):
            continue
        entry, leave = network.entry.copy(), network.exit.copy()
        bias, targets = network.exit_bias.copy(), network.targets.copy()
        whole = replayed.sides[number].whole(*_columns_of(network, replayed.columns))
        entry[fresh], leave[:, fresh], targets[fresh] = entry[UNKNOWN], 0, True
        bias[fresh] = math.log(share) + float(np.mean(whole))
        networks[number] = replace(network, entry=entry, exit=leave, exit_bias=bias, targets=targets)
        seen[number, fresh] = True
    return replace(ensemble, networks=tuple(networks), seen=seen)


@dataclass(frozen=True, slots=True)
class Trained:
    """A network, and the columns of its softmax layer that were trained: (a, c) and (c,)."""

    network: Network
    columns: Columns
    exit: Array
    bias: Array

    def moved(self, part: float) -> Network:
        """The network a part of the way from what it was to what was trained."""
        leave, bias = self.network.exit.copy(), self.network.exit_bias.copy()
        leave[:, self.columns] += np.float32(part) * (self.exit - leave[:, self.columns])
        bias[self.columns] += np.float32(part) * (self.bias - bias[self.columns])
        return replace(self.network, exit=leave, exit_bias=bias)


def trained(network: Network, columns: Columns, replayed: Side, own: Side, need: npt.NDArray[np.float64]) -> Trained:
    """Train the columns of the reported symbols until the network accepts each reported pair, STEPS at most.

    The loss is the mean cross-entropy of the replayed pairs plus that of the reported ones not yet accepted; Adam.
    `need` (n,) is the log-probability that each reported pair needs.
    """
    leave, bias = network.exit[:, columns].copy(), network.exit_bias[columns].copy()
    memory = [np.zeros_like(leave), np.zeros_like(bias)], [np.zeros_like(leave), np.zeros_like(bias)]
    for step in range(1, STEPS + 1):
        own_logs = own.log_shares(leave, bias)
        lacks = own_logs[np.arange(len(need)), own.column] < need
        if not lacks.any():
            break
        slopes = [np.zeros_like(leave), np.zeros_like(bias)]
        replayed.add_slopes(replayed.log_shares(leave, bias), None, slopes)
        own.add_slopes(own_logs, lacks, slopes)
        for weights, slope, first, second in zip((leave, bias), slopes, *memory, strict=True):
            first += np.float32(0.1) * (slope - first)
            second += np.float32(0.001) * (slope * slope - second)
            scale = np.sqrt(second / np.float32(1 - 0.999**step)) + np.float32(1e-8)
            weights -= np.float32(RATE / (1 - 0.9**step)) * first / scale
    return Trained(network, columns, leave, bias)
