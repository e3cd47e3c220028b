"""Figure 9 of DeepLog's paper: how far the vectors of one key are from what its network expected, machine by machine.

One network a key learns the key's own vectors in time order, z-scored, to predict the next (CCS 2017 section 3.2). The
errors of normal machines held out are taken for a Gaussian of mean 0, as the figure's thresholds are: T = z * sigma.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np

from offscript.evaluate.baselines.vectors import Floats
from offscript.evaluate.openstack_changes import short
from offscript.evaluate.openstack_data import stamp_of
from offscript.evaluate.openstack_vectors import Vector
from offscript.model import Model
from offscript.models.value_lstm import train_network

TELLING: Final = ("VM Started", "to build instance", "to spawn the instance", "to deallocate network")
"""Words of the keys drawn: the two that the paper names (its keys 53 and 56), the spawn, and one of another task."""

CONFIDENCES: Final = (0.98, 0.99, 0.999)
"""Two-sided, as in the paper's figure 9."""

Expectation = Callable[[Floats], Floats]
"""What is expected of each vector of a series, (n, d) -> (n, d), by those before it."""

Learner = Callable[[Floats, Floats], Expectation]
"""Learns from a z-scored series, (n, d), and which of its numbers are there, (n, d) of 0 and 1."""


@dataclass(frozen=True)
class Telling:
    """One key: the mean squared error of each machine of the abnormal log, in time order, and sigma of normal ones."""

    template: str
    trained: int
    validated: int
    sigma: float
    machines: tuple[str, ...]
    errors: tuple[float, ...]

    def threshold(self, confidence: float) -> float:
        """The error that a share `confidence` of normal vectors stays below, were errors Gaussian with mean 0."""
        return NormalDist().inv_cdf((1 + confidence) / 2) * self.sigma

    def above(self, confidence: float) -> set[str]:
        """The machines with an error above the threshold."""
        limit = self.threshold(confidence)
        return {name for name, error in zip(self.machines, self.errors, strict=True) if error > limit}

    def record(self, labelled: frozenset[str]) -> dict[str, Any]:
        """Everything by name."""
        return {
            "template": self.template,
            "trained_on_vectors": self.trained,
            "validated_on_vectors": self.validated,
            "sigma": self.sigma,
            "thresholds": {
                f"{confidence:.1%}": {
                    "threshold": self.threshold(confidence),
                    "labelled_above": len(self.above(confidence) & labelled),
                    "others_above": len(self.above(confidence) - labelled),
                }
                for confidence in CONFIDENCES
            },
            "machines": list(self.machines),
            "errors": list(self.errors),
        }


Named = Sequence[tuple[str, Sequence[Vector]]]
"""Machines by name with their vectors."""


def telling(model: Model, trained: Named, validated: Named, judged: Named, learn: Learner) -> list[Telling]:
    """Return what figure 9 shows, for each of its keys that the log has."""
    known = model.templates.keys()
    texts = {key: short(model.templates.template(key).text) for key in known}
    keys = [key for words in TELLING for key, text in texts.items() if words in text]
    parts = {key: [_series(key, part) for part in (trained, validated, judged)] for key in keys}
    return [_telling(texts[key], some, learn) for key, some in parts.items() if all(len(rows) for _, rows in some)]


def forecast(rows: Floats, there: Floats, seed: int = 0) -> Expectation:
    """Learn with the network that the value models have, `models/value_lstm.py`, which names what the paper does not.

    Its last vectors tell when to stop, so that it does not learn the noise.
    """
    numbers = np.where(there > 0, rows, np.nan)
    return train_network(0, tuple(range(rows.shape[1])), numbers, seed).predictions


def _series(key: int, machines: Named) -> tuple[list[str], Floats]:
    """The machines of a key's vectors in time order, and the vectors, (n, d): elapsed time, then the numbers."""
    rows = sorted(
        ((stamp_of(vector.line), name, vector) for name, some in machines for vector in some if vector.key == key),
        key=lambda row: row[0],
    )
    # what is never a number, as a machine's id, is no part of the vector
    whole = np.array([(vector.elapsed, *vector.numbers) for _, _, vector in rows])
    return [name for _, name, _ in rows], whole


def _telling(template: str, parts: Sequence[tuple[list[str], Floats]], learn: Learner) -> Telling:
    used = ~np.isnan(parts[0][1]).all(axis=0)
    (_, train), (_, validation), (names, judged) = ((some, rows[:, used]) for some, rows in parts)
    mean, deviation = np.nanmean(train, axis=0), np.nanstd(train, axis=0)
    deviation[deviation == 0] = 1.0  # of a constant any other value is as far off as it is in the log's unit

    def scaled(rows: Floats) -> tuple[Floats, Floats]:
        there = ~np.isnan(rows)
        return np.where(there, (rows - mean) / deviation, 0.0), there.astype(float)

    expected = learn(*scaled(train))
    normal = errors(*scaled(validation), expected)
    sigma = float(np.sqrt(np.mean(normal**2)))
    worst = highest(names, errors(*scaled(judged), expected))
    return Telling(template, len(train), len(validation), sigma, tuple(worst), tuple(worst.values()))


def errors(rows: Floats, there: Floats, expected: Expectation) -> Floats:
    """The mean squared error of each vector over the numbers it has, (n,).

    >>> errors(np.array([[1.0, 2.0], [0.0, 4.0]]), np.array([[1.0, 1.0], [0.0, 1.0]]), np.zeros_like).tolist()
    [2.5, 16.0]
    """
    apart = (rows - expected(rows)) ** 2 * there
    return np.asarray(apart.sum(axis=1) / np.maximum(1.0, there.sum(axis=1)))


def highest(names: Iterable[str], values: Floats) -> dict[str, float]:
    """The highest value of each name, in the order in which they come.

    >>> highest(["b", "a", "b"], np.array([1.0, 2.0, 3.0]))
    {'b': 3.0, 'a': 2.0}
    """
    found: dict[str, float] = {}
    for name, value in zip(names, values.tolist(), strict=True):
        found[name] = max(value, found.get(name, value))
    return found
