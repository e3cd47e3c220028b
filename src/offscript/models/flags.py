"""Whether a key is flagged after a history, mostly without asking all the networks (ours).

A score falls as the probability rises, and a probability is at least what the sightings give it, or one network of the
ensemble alone: where that is enough for normal, the others have nothing to say. What it is not enough for is scored as
always, so the answer is that of `KeyModel.surprise` and only the work differs.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.entries import END, UNKNOWN
from offscript.models.keys import KeyModel
from offscript.models.pairs import Symbols, rows_at_once, unique_rows

MARGIN: Final = 1e-6
"""How far below the threshold a score must lie to count as surely normal: rounding is a millionth of that."""


def are_flagged(keys: KeyModel, histories: Symbols, targets: Symbols) -> npt.NDArray[np.bool_]:
    """Whether the score of each target after its history is 1.0 or more: (n, h) and (n,) symbols -> (n,).

    >>> from offscript import Config
    >>> keys = KeyModel.fit([[1, 2, 3]] * 40, Config(hidden=8, layers=1, training_steps=100, folds=2))
    >>> are_flagged(keys, np.array([[0] * 9 + [3]] * 2), np.array([4, 1])).tolist()
    [False, True]
    """
    open_ = np.flatnonzero((targets != UNKNOWN) & (keys.learns_end | (targets != END)))
    if keys.learnt.rule.name == "likelihood":
        for network in (None, 0):
            open_ = open_[~_are_surely_normal(keys, histories[open_], targets[open_], network)]
    found: npt.NDArray[np.bool_] = targets == UNKNOWN
    # what comes after UNKNOWN's histories will be told, and is remembered: together they fill the batches better
    asked = np.append(open_, np.flatnonzero(found))
    found[asked] = keys.surprise(histories[asked], targets[asked]) >= 1.0
    return found


def _are_surely_normal(
    keys: KeyModel, histories: Symbols, targets: Symbols, network: int | None
) -> npt.NDArray[np.bool_]:
    """Whether the sightings, and that network if any, are enough for a score below the threshold."""
    learnt = keys.learnt
    least = np.zeros(len(targets), np.float32)
    if network is not None:
        least = _alone(keys, network, histories, targets)
    blended, often = learnt.sightings.blend_at(histories, targets, least, weight=keys.count_weight, often=learnt.often)
    return often | (learnt.rule.raw(blended) / learnt.rule.threshold < 1.0 - MARGIN)


def _alone(keys: KeyModel, network: int, histories: Symbols, targets: Symbols) -> npt.NDArray[np.float32]:
    """What one network gives each target after its history, as its share of the mean of all."""
    ensemble = keys.learnt.ensemble
    distinct, number = unique_rows(histories)
    order, most = np.argsort(number, kind="stable"), rows_at_once(ensemble.seen.shape[1])
    found = np.empty(len(targets), np.float32)
    for start in range(0, len(distinct), most):
        here = order[slice(*np.searchsorted(number[order], [start, start + most]))]
        shares = ensemble.alone(network, distinct[start : start + most])
        found[here] = shares[number[here] - start, targets[here]] / len(ensemble.networks)
    return found
