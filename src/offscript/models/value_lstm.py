"""Training the paper's value models: one LSTM for each key, that predicts its next vector (CCS 2017 section 3.2).

All networks are trained in JAX through one compiled loop for each vector size: windows are cut before they enter it,
so neither the number of keys nor the length of the log compiles anything again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from offscript.config import Config
from offscript.models.compiled import keep_compiled
from offscript.models.tails import LEAST_SHARE
from offscript.models.value_network import FAR, LARGEST, LEAST, WINDOW, ValueNetwork, in_deviations, untrained
from offscript.models.vectors import FEWEST, TIME, Vectors, sort_of

Floats = NDArray[np.float64]
Array = NDArray[np.float32]
Params = dict[str, Array]

LEARN_SHARE: Final = 0.7
"""Share of the vectors, the earlier ones, that a network is learnt from; the errors of the others give sigma. The paper
names none; the same as for every other choice made on held-out numbers."""

KEPT: Final = 0.2
"""Share of the vectors learnt from, the last ones, that tell when to stop: the paper names no number of steps
(ours)."""

BATCH: Final = 16
"""Windows in a step: 256 vectors, as many as a rare key has altogether (ours)."""

STEPS_PER_CALL: Final = 25
"""Optimiser steps in one compiled call, after which the kept vectors are looked at."""

STEPS: Final = 300
"""Optimiser steps at most: of 108 networks of two logs four were at their best in the last two looks (ours)."""

PATIENCE: Final = 4
"""Looks that found nothing better, after which nothing is expected of more: most numbers are noise to each other, and
of those the mean, which is looked at first, is the best that can be said (ours)."""

RATE: Final = 1e-2
"""Peak rate of Adam: as the key model's, the largest that falls smoothly (ours)."""


def size_for(places: int) -> int:
    """Numbers of a vector as it is trained: the next power of two, so that few sizes compile.

    >>> [size_for(places) for places in (1, 2, 3, 5)]
    [1, 2, 4, 8]
    """
    return 1 << (places - 1).bit_length()


def places_of(vectors: Vectors) -> tuple[int, ...]:
    """The places that a network predicts: the time, and numbers that are judged by a range.

    Both parts of the log must hold `FEWEST` of each: fewer give neither a mean nor a sigma.
    """
    cut, held = int(LEARN_SHARE * len(vectors)), np.isfinite(vectors.numbers)
    often = np.flatnonzero((held[:cut].sum(axis=0) >= FEWEST) & (held[cut:].sum(axis=0) >= FEWEST)).tolist()
    return tuple(place for place in often if place == TIME or sort_of(vectors, place) == "range")


def train_networks(vectors: Sequence[Vectors], config: Config) -> dict[int, ValueNetwork]:
    """Train the network of each key that has places to predict; keys that have none are left out (CCS 2017 3.2).

    The same vectors and seed give the same bytes on the same kind of machine, whatever other keys there are.

    >>> lines = np.arange(80)
    >>> vectors = Vectors(7, lines, lines, 1.0 * (lines % 2)[:, None], np.empty((80, 0), np.int32), ())
    >>> network = train_networks([vectors], Config())[7]
    >>> abs(network.predictions(np.array([[0.0], [1.0], [0.0], [1.0]]))).round().tolist()[1:]
    [[1.0], [0.0], [1.0]]
    """
    found = {}
    for one in vectors:
        if len(one) >= FEWEST and (places := places_of(one)):
            found[one.key] = train_network(one.key, places, one.numbers[:, places], config.seed)
    return found


def train_network(key: int, places: tuple[int, ...], numbers: Floats, seed: int) -> ValueNetwork:
    """Train one network on the first part of a key's vectors, (n, d), and set its sigma by the rest (CCS 2017 3.2).

    Numbers that are missing are NaN; each place has some in the first part.

    >>> network = train_network(7, (0,), np.array([[0.0], [1.0]] * 40), seed=0)
    >>> abs(network.predictions(np.array([[0.0], [1.0], [0.0], [1.0]]))).round().tolist()[1:]
    [[1.0], [0.0], [1.0]]
    """
    keep_compiled()
    cut = int(LEARN_SHARE * len(numbers))
    mean, deviation = _mean_and_deviation(numbers[:cut])
    start = untrained(key, places, mean, deviation, seed=seed)
    deviations = in_deviations(numbers[:cut], mean, deviation)
    learn = cut - int(KEPT * cut)
    draw, kept = (
        Windows(deviations[:learn], size_for(len(places))),
        Windows(deviations[learn:], size_for(len(places))),
    )
    params = _descend(_padded(start), draw, kept, np.random.default_rng([seed, key, 2]))
    trained = _without_padding(start, params)
    errors = trained.errors(numbers)[cut:]
    return replace(trained, sigma=math.sqrt(float(np.nanmean(errors * errors))))


def _mean_and_deviation(numbers: Floats) -> tuple[Floats, Floats]:
    """The mean and the deviation at each place, (d,); where all numbers are equal, a share of them."""
    held = np.where(np.isfinite(numbers), np.clip(numbers, -LARGEST, LARGEST), np.nan)
    mean, deviation = np.nanmean(held, axis=0), np.nanstd(held, axis=0)
    constant = np.nanmin(held, axis=0) == np.nanmax(held, axis=0)
    least = np.where(mean == 0, 1.0, LEAST_SHARE * np.abs(mean))
    return mean, np.maximum(np.where(constant, least, deviation), LEAST)


class Windows:
    """Windows of a series of vectors, (n, d) deviations, padded to the vector size; what is missing weighs nothing."""

    def __init__(self, deviations: Floats, size: int) -> None:
        rows, places = deviations.shape
        self.starts = max(1, rows - WINDOW + 1)
        self._weight = np.zeros((max(rows, WINDOW), size), np.float32)
        self._weight[:rows, :places] = ~np.isnan(deviations)
        self._vectors = np.zeros((max(rows, WINDOW), size), np.float32)
        self._vectors[:rows, :places] = np.nan_to_num(deviations)

    def at(self, starts: NDArray[np.int64]) -> tuple[Array, Array]:
        """The windows that start at those rows, and their weights: (..., WINDOW, D) each."""
        rows = starts[..., None] + np.arange(WINDOW)
        return self._vectors[rows], self._weight[rows]

    def spread(self) -> tuple[Array, Array]:
        """A batch of windows spread evenly."""
        return self.at(np.linspace(0, self.starts - 1, BATCH).astype(np.int64))


def _descend(params: Params, draw: Windows, kept: Windows, random: np.random.Generator) -> Params:
    """Train, and return the weights that predict the kept windows best of all that were looked at."""
    import jax  # noqa: PLC0415

    params = jax.tree.map(jax.numpy.asarray, params)
    run, memory = _compiled(), optimiser().init(params)
    looked_at = kept.spread()
    best, lowest, looks = params, _error_of_the_mean(*looked_at), 0
    rates = rates_of(STEPS)
    for done in range(0, STEPS, STEPS_PER_CALL):
        starts = random.integers(0, draw.starts, (STEPS_PER_CALL, BATCH))
        params, memory, error = run(params, memory, draw.at(starts), rates[done : done + STEPS_PER_CALL], looked_at)
        looks += 1
        if float(error) <= lowest:
            best, lowest, looks = params, float(error), 0
        if looks == PATIENCE:
            break
    return {name: np.array(weight, np.float32) for name, weight in best.items()}


def rates_of(steps: int) -> Array:
    """The rate of each step, (steps,): a warm-up over a tenth of them, then a cosine to zero."""
    at = np.arange(1, steps + 1) / steps
    return (RATE * np.minimum(at / 0.1, (1 + np.cos(np.pi * at)) / 2)).astype(np.float32)


def _error_of_the_mean(vectors: Array, weight: Array) -> float:
    """What the mean is wrong by; infinite where nothing is there to tell."""
    return float((vectors * vectors * weight).sum() / weight.sum()) if weight.any() else math.inf


def _padded(network: ValueNetwork) -> Params:
    """The weights of a network for vectors padded to their size: what is padded has no weight."""
    more = size_for(len(network.places)) - len(network.places)
    return {
        "entry": np.pad(network.entry, ((0, more), (0, 0))),
        "recurrent": network.recurrent,
        "bias": network.bias,
        "exit": np.pad(network.exit, ((0, 0), (0, more))),
        "exit_bias": np.pad(network.exit_bias, (0, more)),
    }


def _without_padding(network: ValueNetwork, params: Params) -> ValueNetwork:
    """The network with trained weights."""
    size = len(network.places)
    return replace(
        network,
        entry=params["entry"][:size],
        recurrent=params["recurrent"],
        bias=params["bias"],
        exit=params["exit"][:, :size],
        exit_bias=params["exit_bias"][:size],
    )


def expected_in_jax(params: Any, windows: Any) -> Any:
    """The forward pass that training differentiates: (b, t, d) deviations -> what is expected of each, (b, t, d)."""
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    units, rows = params["recurrent"].shape[0], windows.shape[0]
    entered = jnp.clip(windows, -FAR, FAR).transpose(1, 0, 2) @ params["entry"] + params["bias"]

    def step(state: Any, here: Any) -> Any:
        hidden, cell = state
        i, f, g, o = jnp.split(here + hidden @ params["recurrent"], 4, axis=1)
        cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        # what is expected of a vector is known before it: the state that it meets
        return (jax.nn.sigmoid(o) * jnp.tanh(cell), cell), hidden

    zero = jnp.zeros((rows, units), jnp.float32)
    _, met = jax.lax.scan(step, (zero, zero), entered)
    return (met @ params["exit"] + params["exit_bias"]).transpose(1, 0, 2)


def error_in_jax(params: Any, windows: Any) -> Any:
    """The mean squared error over what is there of some windows and their weights, both (b, t, d)."""
    import jax.numpy as jnp  # noqa: PLC0415

    vectors, weight = windows
    wrong = (vectors - expected_in_jax(params, vectors)) * weight
    return (wrong * wrong).sum() / jnp.maximum(weight.sum(), 1.0)


@lru_cache(maxsize=1)
def optimiser() -> Any:
    """Adam without its rate."""
    import optax  # noqa: PLC0415

    # clipping at 1 tames the step that a far number asks for; the rate is applied by the schedule
    return optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam())


def step_in_jax(params: Any, memory: Any, windows: Any, rate: Any) -> tuple[Any, Any]:
    """One step of the optimiser on a batch of windows and their weights."""
    import jax  # noqa: PLC0415

    slope = jax.grad(error_in_jax)(params, windows)
    move, memory = optimiser().update(slope, memory, params)
    return jax.tree.map(lambda weight, moved: weight - rate * moved, params, move), memory


@lru_cache(maxsize=1)
def _compiled() -> Any:
    """The training loop, which is compiled once for each vector size."""
    import jax  # noqa: PLC0415

    def call(params: Any, memory: Any, windows: Any, rates: Any, kept: Any) -> Any:
        def step(state: Any, given: Any) -> Any:
            params, memory = state
            batch, rate = given
            return step_in_jax(params, memory, batch, rate), None

        (params, memory), _ = jax.lax.scan(step, (params, memory), (windows, rates))
        return params, memory, error_in_jax(params, kept)

    return jax.jit(call)
