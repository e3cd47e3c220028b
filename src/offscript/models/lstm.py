"""The network of the key model: a stacked LSTM over one-hot symbols, run in numpy and trained in JAX (CCS 2017 3.1).

Both halves compute the same function. Scoring needs numpy alone; JAX is imported inside `train` and nowhere else.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from offscript.config import Config
from offscript.entries import UNKNOWN
from offscript.errors import ModelError
from offscript.models.compiled import keep_compiled
from offscript.models.forward import Weights, last_states, probabilities, probabilities_from
from offscript.models.pairs import floor_of

STEPS_PER_CALL = 25
"""Optimiser steps in one compiled call: long enough to hide the call, short enough for a lively progress bar."""

UNKNOWN_ROWS = 0.1
"""Share of training rows in which keys are replaced by UNKNOWN: enough that the row of UNKNOWN is learnt from
thousands of examples, few enough that nine rows in ten teach the true histories (ours)."""

PASSES = 100
FEWEST_STEPS = 400
"""A log of few pairs needs fewer steps: after 100 passes over 600 pairs of a database log little is left to learn,
and the schedule needs some hundred steps whatever the log (ours)."""

EARLY_STOP = 0.02
"""Nats above its floor at which the loss has nothing left to teach: a fiftieth of a key's probability (ours)."""

_FIRST_CALL = threading.Lock()

Array: TypeAlias = npt.NDArray[np.float32]
Symbols: TypeAlias = npt.NDArray[np.integer[Any]]
Progress: TypeAlias = Callable[[int, int, float, float], None]
"""Called with (steps done, steps in all, loss, floor of the loss); losses in nats per pair."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How the loss fell: (step, loss) pairs, and the floor no model of these histories can pass; nats per pair.

    >>> Curve(((25, 1.5), (50, 0.5)), floor=0.4).gap
    0.1
    """

    points: tuple[tuple[int, float], ...]
    floor: float

    @property
    def gap(self) -> float:
        """Nats between the last loss and the floor."""
        return round(self.points[-1][1] - self.floor, 6) if self.points else math.inf


@dataclass(frozen=True)
class Network:
    """The weights of one network of L layers with a units over `capacity` symbols; gates in the order i, f, g, o.

    `entry` (capacity, 4a) is the first layer's input matrix: a one-hot input picks its row, so there is no embedding
    layer. `recurrent[0]` is (a, 4a); each further layer's (2a, 4a) acts on [layer below, own state]. `bias` is (4a,)
    a layer, `exit` (a, capacity). `targets` (capacity,) is True for the symbols that can follow: others have
    probability 0. CCS 2017 section 3.1.2, Fig 3.

    >>> import numpy as np
    >>> net = initial(np.array([False, True, False, True]), hidden=2, layers=2, seed=0)
    >>> net.probabilities(np.array([[0, 3]])).round(1).tolist()
    [[0.0, 0.5, 0.0, 0.5]]
    """

    entry: Array
    recurrent: tuple[Array, ...]
    bias: tuple[Array, ...]
    exit: Array
    exit_bias: Array
    targets: npt.NDArray[np.bool_]

    @cached_property
    def _weights(self) -> Weights:
        """The weights as the forward pass wants them, laid out when it is first asked for."""
        return Weights.of(self.entry, self.recurrent, self.bias, self.exit, self.exit_bias)

    def probabilities(self, histories: Symbols) -> Array:
        """The probability of each symbol after each history: (n, h) symbols -> (n, capacity) float32."""
        return probabilities(self._weights, self.targets, histories)

    def states(self, histories: Symbols) -> Array:
        """The last layer's hidden state after each history, which `exit` acts on: (n, h) symbols -> (n, a)."""
        return last_states(self._weights, histories)

    def probabilities_from(self, states: Array) -> Array:
        """What `probabilities` gives, (n, capacity), from the `states` of the histories, (n, a)."""
        return probabilities_from(self._weights, self.targets, states)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The weights by name, for `from_arrays`."""
        named: dict[str, npt.NDArray[Any]] = {"entry": self.entry, "exit": self.exit, "exit_bias": self.exit_bias}
        named["targets"] = self.targets.astype(np.uint8)
        for layer, (weights, bias) in enumerate(zip(self.recurrent, self.bias, strict=True)):
            named[f"recurrent{layer}"] = weights
            named[f"bias{layer}"] = bias
        return named

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]], *, capacity: int, hidden: int, layers: int) -> Network:
        """The network that `arrays()` described; ModelError where a weight is missing, misshapen or not finite."""

        def weight(name: str, *shape: int) -> Array:
            found = arrays.get(name)
            if found is None or found.shape != shape or found.dtype != np.float32 or not np.isfinite(found).all():
                raise ModelError(f"has no sound weight {name!r} of shape {shape}", remedy="fit the model again")
            return found

        mask = arrays.get("targets")
        if mask is None or mask.shape != (capacity,) or mask.dtype != np.uint8 or not mask.any():
            raise ModelError("does not say which keys can follow", remedy="fit the model again")
        return cls(
            weight("entry", capacity, 4 * hidden),
            tuple(weight(f"recurrent{n}", (1 + (n > 0)) * hidden, 4 * hidden) for n in range(layers)),
            tuple(weight(f"bias{n}", 4 * hidden) for n in range(layers)),
            weight("exit", hidden, capacity),
            weight("exit_bias", capacity),
            mask != 0,
        )


def capacity_for(symbols: int) -> int:
    """Rows of the one-hot and of the softmax: the next power of two, 16 at least.

    Few sizes mean few compilations, and room for new keys without one.

    >>> capacity_for(17), capacity_for(5)
    (32, 16)
    """
    return max(16, 1 << (symbols - 1).bit_length())


def initial(targets: npt.NDArray[np.bool_], *, hidden: int, layers: int, seed: int) -> Network:
    """An untrained network: weights uniform in +-1/sqrt(hidden).

    Forget gates are opened by a bias of 1, so that gradients reach the start of the history from the first step on.
    """
    random = np.random.default_rng(seed)
    bound = 1 / math.sqrt(hidden)

    def draw(*shape: int) -> Array:
        return random.uniform(-bound, bound, shape).astype(np.float32)

    forget = np.zeros(4 * hidden, np.float32)
    forget[hidden : 2 * hidden] = 1
    capacity = len(targets)
    return Network(
        draw(capacity, 4 * hidden),
        tuple(draw((1 + (n > 0)) * hidden, 4 * hidden) for n in range(layers)),
        tuple(forget.copy() for _ in range(layers)),
        draw(hidden, capacity),
        np.zeros(capacity, np.float32),
        targets,
    )


def train(
    histories: Symbols,
    targets: Symbols,
    weights: Array,
    allowed: npt.NDArray[np.bool_],
    config: Config,
    *,
    seed: int,
    progress: Progress | None = None,
) -> tuple[Network, Curve]:
    """Train a network on distinct pairs: (n, h) histories, (n,) targets, (n,) weights; Adam, warm-up, cosine to zero.

    The same arguments give the same bytes on the same kind of machine. Optimiser and schedule are ours: the paper
    names none. `allowed` (capacity,) marks the symbols that can follow.

    >>> net, curve = train(np.array([[0], [3]]), np.array([3, 1]), np.ones(2, np.float32),
    ...     np.arange(16) % 2 == 1, Config(hidden=4, layers=1, training_steps=25), seed=0)
    >>> net.probabilities(np.array([[0], [3]])).shape, curve.floor
    ((2, 16), 0.0)
    """
    start = initial(allowed, hidden=config.hidden, layers=config.layers, seed=seed)
    floor = floor_of(histories, targets, weights)
    random = np.random.default_rng([seed, 1])
    # a batch above the number of pairs would only repeat them
    batch = min(config.batch_size, max(16, 1 << (len(targets) - 1).bit_length()))
    enough = max(FEWEST_STEPS, PASSES * len(targets) // batch)
    steps = math.ceil(min(config.training_steps, enough) / STEPS_PER_CALL) * STEPS_PER_CALL
    rates = _schedule(steps, config.learning_rate)
    data = _padded(histories, targets, weights)
    draw = _Batches(random, len(targets), batch)
    keep_compiled()
    run, state = _compiled(), _initial_state(start)
    points: list[tuple[int, float]] = []
    for done in range(0, steps, STEPS_PER_CALL):
        rows = draw.rows(STEPS_PER_CALL)
        hidden_keys = _unknown_mask(random, rows.shape, histories.shape[1])
        # networks trained side by side share one compilation: the first call of each waits for it
        with _FIRST_CALL if done == 0 else nullcontext():
            state, losses = run(state, data, rows, hidden_keys, rates[done : done + STEPS_PER_CALL], allowed)
        points.append((done + STEPS_PER_CALL, float(np.mean(losses))))
        ended = points[-1][1] <= floor + EARLY_STOP
        if progress:
            progress(steps if ended else points[-1][0], steps, points[-1][1], floor)
        if ended:
            break
    return _from_state(state, allowed), Curve(tuple(points), floor)


def _schedule(steps: int, peak: float) -> Array:
    """Warm up over a tenth of the steps, then a cosine to zero: large steps early, a settled end without a choice."""
    at = np.arange(1, steps + 1) / steps
    return (peak * np.minimum(at / 0.1, (1 + np.cos(np.pi * at)) / 2)).astype(np.float32)


def _padded(histories: Symbols, targets: Symbols, weights: Array) -> tuple[Symbols, Symbols, Array]:
    """Rows padded to a power of two, so that a few more pairs do not compile again; padding is never drawn."""
    count = len(targets)
    size = max(1024, 1 << (count - 1).bit_length())
    rows = np.zeros((size, histories.shape[1]), np.int32)
    rows[:count] = histories
    aim = np.zeros(size, np.int32)
    aim[:count] = targets
    weight = np.zeros(size, np.float32)
    weight[:count] = weights / weights.mean()
    return rows, aim, weight


class _Batches:
    """Batches that go through all pairs, newly shuffled each time."""

    def __init__(self, random: np.random.Generator, pairs: int, batch: int) -> None:
        self._random, self._pairs, self._batch = random, pairs, batch
        self._left: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def rows(self, steps: int) -> npt.NDArray[np.int32]:
        need = steps * self._batch
        while len(self._left) < need:
            self._left = np.concatenate((self._left, self._random.permutation(self._pairs)))
        rows, self._left = self._left[:need], self._left[need:]
        return rows.reshape(steps, self._batch).astype(np.int32)


def _unknown_mask(random: np.random.Generator, shape: tuple[int, ...], history: int) -> npt.NDArray[np.bool_]:
    """Which keys of which rows are hidden, `shape` + (h,).

    In UNKNOWN_ROWS of the rows each key with probability 1/h: one on average, as when a new line has just been met.
    """
    chosen = random.random(shape) < UNKNOWN_ROWS
    return chosen[..., None] & (random.random((*shape, history)) < 1 / history)


def _initial_state(net: Network) -> Any:
    params = {
        "entry": net.entry,
        "recurrent": net.recurrent,
        "bias": net.bias,
        "exit": net.exit,
        "exit_bias": net.exit_bias,
    }
    return params, _optimiser().init(params)


def _from_state(state: Any, allowed: npt.NDArray[np.bool_]) -> Network:
    params = state[0]

    def plain(weight: Any) -> Array:
        return np.array(weight, np.float32)

    return Network(
        plain(params["entry"]),
        tuple(plain(w) for w in params["recurrent"]),
        tuple(plain(b) for b in params["bias"]),
        plain(params["exit"]),
        plain(params["exit_bias"]),
        allowed,
    )


@lru_cache(maxsize=1)
def _optimiser() -> Any:
    import optax  # noqa: PLC0415

    # clipping at 1 tames the rare exploding step of a recurrent network; the rate is applied by the schedule
    return optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam())


def logits_in_jax(params: Any, histories: Any) -> Any:
    """The forward pass that training differentiates: (n, h) symbols -> (n, capacity) logits before masking."""
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    units, rows = params["exit"].shape[0], histories.shape[0]

    def cell(gates: Any, memory: Any) -> tuple[Any, Any]:
        i, f, g, o = jnp.split(gates, 4, axis=1)
        memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(memory), memory

    def step(state: Any, entered: Any) -> tuple[Any, None]:
        new, below = [], None
        for (hidden, memory), weights, bias in zip(state, params["recurrent"], params["bias"], strict=True):
            below = entered + hidden @ weights if below is None else jnp.concatenate((below, hidden), 1) @ weights
            new.append(cell(below + bias, memory))
            below = new[-1][0]
        return tuple(new), None

    zero = jnp.zeros((rows, units), jnp.float32)
    state, _ = jax.lax.scan(step, tuple((zero, zero) for _ in params["recurrent"]), params["entry"][histories.T])
    return state[-1][0] @ params["exit"] + params["exit_bias"]


@lru_cache(maxsize=1)
def _compiled() -> Any:
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415

    def losses(params: Any, rows: Any, aim: Any, hidden: Any, allowed: Any) -> Any:
        # START is never hidden: a detector knows where a session began
        seen = jnp.where(hidden & (rows > UNKNOWN), UNKNOWN, rows)
        logits = jnp.where(allowed, logits_in_jax(params, seen), -jnp.inf)
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), aim[:, None], axis=1)[:, 0]

    def call(state: Any, data: Any, rows: Any, hidden: Any, rates: Any, allowed: Any) -> Any:
        histories, targets, weights = data

        def step(state: Any, batch: Any) -> Any:
            params, memory = state
            chosen, mask, rate = batch
            weight = weights[chosen]
            clean = weight * ~mask.any(axis=1)

            def loss(params: Any) -> Any:
                each = losses(params, histories[chosen], targets[chosen], mask, allowed)
                # what is shown is the loss on whole histories: only that can be held against the floor
                return (each * weight).mean(), (each * clean).sum() / jnp.maximum(clean.sum(), 1e-9)

            (_, shown), slope = jax.value_and_grad(loss, has_aux=True)(params)
            move, memory = _optimiser().update(slope, memory, params)
            return (jax.tree.map(lambda w, m: w - rate * m, params, move), memory), shown

        return jax.lax.scan(step, state, (rows, hidden, rates))

    return jax.jit(call)
