"""The network of figure 9: one LSTM over the vectors of one key, trained to give the next (CCS 2017 section 3.2).

The paper names neither window, size nor steps: windows are as long as those of the key model, and training stops where
the last fifth of the training vectors is predicted best, so that the network does not learn the noise (ours).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from offscript.evaluate.baselines.vectors import Floats

HISTORY: Final = 10
"""Vectors that the next is expected by: as many as the key model's keys (CCS 2017 section 5.1.2)."""

HIDDEN: Final = 32
"""Units: half of the key model's, as vectors have few numbers."""

STEPS: Final = 400
"""Optimiser steps at most, over all windows at once: the vectors kept for stopping say how many of them count."""

RATE: Final = 1e-2
"""Rate of Adam: the key model's peak."""

LOOK: Final = 10
"""Steps between two looks at the vectors kept for stopping."""

KEPT: Final = 0.2
"""Share of the training vectors, the last ones, that tell when to stop."""


def windows(rows: Floats) -> Floats:
    """The vectors before each, (n, d) -> (n, HISTORY, d), the latest last; 0, the mean, where there are none.

    >>> windows(np.array([[1.0], [2.0], [3.0]]))[:, -2:, 0].tolist()
    [[0.0, 0.0], [0.0, 1.0], [1.0, 2.0]]
    """
    padded = np.concatenate([np.zeros((HISTORY, rows.shape[1])), rows])
    return np.stack([padded[start : start + HISTORY] for start in range(len(rows))])


class Forecast:
    """A trained network: what is expected of each vector of a series, (n, d) -> (n, d), by those before it."""

    def __init__(self, weights: dict[str, Floats]) -> None:
        self.weights = weights

    def __call__(self, rows: Floats) -> Floats:
        """Return what is expected of each vector."""
        return np.asarray(_forward(np, self.weights, windows(rows)), np.float64)


def learn_forecast(rows: Floats, there: Floats, seed: int = 0) -> Forecast:
    """Train on a z-scored series, (n, d), of which `there` (n, d) says what is known: the loss counts nothing else."""
    random = np.random.default_rng([seed, 21])
    size = rows.shape[1]
    weights = {
        "gates": random.normal(0, (size + HIDDEN) ** -0.5, (size + HIDDEN, 4 * HIDDEN)),
        "bias": np.repeat([0.0, 1.0, 0.0, 0.0], HIDDEN),  # gates in the order in, forget, out, new; forget starts open
        "out": np.zeros((HIDDEN, size)),  # what is expected starts as the mean
        "level": np.zeros(size),
    }
    cut = len(rows) - int(KEPT * len(rows))
    seen = windows(rows)
    parts = [tuple(part.astype(np.float32) for part in (seen[at], rows[at], there[at])) for at in _halves(cut)]
    steps, error, start = _compiled()
    weights = {name: array.astype(np.float32) for name, array in weights.items()}
    state, best, lowest = start(weights), weights, float(error(weights, *parts[1]))
    for _ in range(STEPS // LOOK):
        weights, state = steps(weights, state, *parts[0])
        now = float(error(weights, *parts[1]))
        if now < lowest:
            best, lowest = weights, now
    return Forecast({name: np.asarray(array, np.float64) for name, array in best.items()})


def _halves(cut: int) -> tuple[slice, slice]:
    return slice(cut), slice(cut, None)


def _forward(numbers: Any, weights: Any, seen: Any) -> Any:
    """What an LSTM expects after windows, (n, HISTORY, d) -> (n, d); `numbers` is numpy, or JAX's."""

    def gate(some: Any) -> Any:
        return 0.5 * (1 + numbers.tanh(0.5 * some))

    hidden = memory = numbers.zeros((len(seen), HIDDEN))
    for place in range(HISTORY):
        entered = numbers.concatenate([seen[:, place], hidden], axis=1) @ weights["gates"] + weights["bias"]
        taken, kept, told, new = numbers.split(entered, 4, axis=1)
        memory = gate(kept) * memory + gate(taken) * numbers.tanh(new)
        hidden = gate(told) * numbers.tanh(memory)
    return hidden @ weights["out"] + weights["level"]


@lru_cache(maxsize=1)
def _compiled() -> tuple[Any, Any, Any]:
    """Some optimiser steps, the error, and the optimiser's first state, compiled once for each size of vector."""
    import jax  # noqa: PLC0415  (training only)
    import optax  # noqa: PLC0415

    optimiser = optax.adam(RATE)

    def error(weights: Any, seen: Any, aim: Any, there: Any) -> Any:
        apart = (_forward(jax.numpy, weights, seen) - aim) ** 2 * there
        return apart.sum() / jax.numpy.maximum(1.0, there.sum())

    def step(carried: Any, _: None) -> Any:
        weights, state, data = carried
        updates, state = optimiser.update(jax.grad(error)(weights, *data), state)
        return (optax.apply_updates(weights, updates), state, data), None

    def steps(weights: Any, state: Any, *data: Any) -> Any:
        (weights, state, _), _ = jax.lax.scan(step, (weights, state, data), None, length=LOOK)
        return weights, state

    return jax.jit(steps), jax.jit(error), optimiser.init
