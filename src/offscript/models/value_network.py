"""The network of the value models: one LSTM layer over the vectors of a key, run in numpy (CCS 2017 section 3.2).

It reads the vectors in time order, one at a time, and says what the next is expected to be. It is trained in
`value_lstm`; judging needs numpy alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import NormalDist
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.errors import ModelError

Floats = NDArray[np.float64]
Array = NDArray[np.float32]

CONFIDENCES: Final = (0.98, 0.99, 0.999)
"""The confidences of figure 9 (CCS 2017)."""

HIDDEN: Final = 16
"""Units of the one layer: the paper names neither, and a vector has few numbers (ours)."""

WINDOW: Final = 16
"""Vectors of a window: the history of ten that the paper's key model has, and some to start with (ours)."""

FAR: Final = 10.0
"""Deviations beyond which a number enters the history as this: none farther out was trained on, bar a few (ours)."""

LARGEST: Final = 1e30
"""Numbers beyond this count as this: nothing measured is larger, and the squares of their errors stay finite (ours)."""

LEAST: Final = 1e-9
"""The least deviation, for the same reason (ours)."""

MOST_PLACES, MOST_HIDDEN = 4096, 1024  # that a stored network may have: bounds on what is believed


class State(NamedTuple):
    """What a network remembers of the vectors so far: hidden (a,) and cell (a,), and how many running were flagged."""

    hidden: Floats
    cell: Floats
    flagged: int = 0


@dataclass(frozen=True, slots=True)
class ValueNetwork:
    """The network of one key with a units, over the d `places` of its vectors that are judged by a range.

    `mean` and `deviation` (d,) are those of the training part, in the log's units. `entry` (d, 4a), `recurrent`
    (a, 4a) and `bias` (4a,) have gates in the order i, f, g, o; `exit` (a, d) and `exit_bias` (d,) give the next vector
    in deviations from the mean. `sigma` is that of a Gaussian about zero through the errors of the validation part;
    `thresholds` are those at `CONFIDENCES`. CCS 2017 section 3.2, Fig 9.

    >>> network = untrained(7, (0, 2), np.array([1.0, 20.0]), np.array([0.5, 2.0]), seed=0)
    >>> network.predictions(np.array([[2.0, 20.0], [1.0, 26.0]])).tolist()
    [[1.0, 20.0], [1.0, 20.0]]
    >>> network.errors(np.array([[2.0, 20.0], [1.0, 26.0]])).tolist()
    [2.0, 4.5]
    """

    key: int
    places: tuple[int, ...]
    mean: Floats
    deviation: Floats
    entry: Array
    recurrent: Array
    bias: Array
    exit: Array
    exit_bias: Array
    sigma: float = 0.0
    thresholds: tuple[float, ...] = field(init=False)
    _gates: Floats = field(init=False, repr=False, compare=False)
    _leave: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Lay the weights out for one product a step, and set the thresholds."""
        gates = np.concatenate((self.entry, self.recurrent, self.bias[None])).astype(np.float64)
        units = len(self.recurrent)
        # sigmoid(x) = (1 + tanh(x / 2)) / 2: with these halved one tanh serves all gates
        gates[:, : 2 * units] /= 2
        gates[:, 3 * units :] /= 2
        object.__setattr__(self, "_gates", gates)
        object.__setattr__(self, "_leave", np.concatenate((self.exit, self.exit_bias[None])).astype(np.float64))
        object.__setattr__(self, "thresholds", tuple(map(self.threshold, CONFIDENCES)))

    def start(self) -> State:
        """The state before the first vector."""
        units = len(self.recurrent)
        return State(np.zeros(units), np.zeros(units))

    def expected(self, state: State) -> Floats:
        """The next vector after a state, (d,), in deviations from the mean."""
        return np.asarray(np.append(state.hidden, 1.0) @ self._leave)

    def step(self, state: State, deviations: Floats, above: float = math.inf) -> tuple[Floats, State]:
        """What was expected of a vector, (d,), and the state after it; both vectors in deviations from the mean.

        What enters the history is said in `predictions`.
        """
        expected, flagged = self.expected(state), 0
        if above < math.inf and squared_errors(deviations[None], expected[None])[0] > above:
            flagged = state.flagged + 1
            deviations = expected if flagged <= WINDOW else deviations
        units = len(self.recurrent)
        entered = np.clip(np.where(np.isnan(deviations), 0.0, deviations), -FAR, FAR)
        gates = np.tanh(np.concatenate((entered, state.hidden, (1.0,))) @ self._gates)
        opened = (gates + 1.0) / 2
        cell = opened[units : 2 * units] * state.cell + opened[:units] * gates[2 * units : 3 * units]
        return expected, State(opened[3 * units :] * np.tanh(cell), cell, flagged)

    def predictions(self, numbers: Floats, above: float = math.inf) -> Floats:
        """What is expected of each vector by those before it: (n, d) -> (n, d), both in the log's units.

        A vector whose error is above `above` enters the history as it was expected, so that an outlier does not excuse
        the next (DESIGN section 6); but after `WINDOW` of these running vectors enter as they come until one is as
        expected, since a network that has only heard itself knows nothing of the log. A number that is missing (NaN)
        enters as the mean, as in training.
        """
        return np.asarray(self._walk(numbers, above)[1] * self.deviation + self.mean)

    def errors(self, numbers: Floats, above: float = math.inf) -> Floats:
        """The mean squared error of each vector in deviations, (n, d) -> (n,); NaN where all of it is missing."""
        deviations, expected = self._walk(numbers, above)
        return squared_errors(deviations, expected)

    def threshold(self, confidence: float) -> float:
        """The error that this share of a two-sided Gaussian with `sigma` lies below: z times sigma.

        >>> network = untrained(7, (0,), np.zeros(1), np.ones(1), seed=0, sigma=2.0)
        >>> round(network.threshold(0.999), 2), [round(one, 2) for one in network.thresholds]
        (6.58, [4.65, 5.15, 6.58])
        """
        return NormalDist().inv_cdf((1 + confidence) / 2) * self.sigma

    def _walk(self, numbers: Floats, above: float) -> tuple[Floats, Floats]:
        """The vectors, and what is expected of each, both (n, d) in deviations from the mean."""
        deviations = in_deviations(numbers, self.mean, self.deviation)
        expected = np.empty_like(deviations)
        state = self.start()
        for row, vector in enumerate(deviations):
            expected[row], state = self.step(state, vector, above)
        return deviations, expected

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but the key by name, for `from_arrays`."""
        stored: dict[str, NDArray[Any]] = {"places": np.array(self.places, np.int32), "sigma": np.array([self.sigma])}
        names = ("mean", "deviation", "entry", "recurrent", "bias", "exit", "exit_bias")
        return stored | {name: getattr(self, name) for name in names}

    @classmethod
    def from_arrays(cls, key: int, arrays: dict[str, NDArray[Any]]) -> ValueNetwork:
        """The network that `to_arrays` described; ModelError where a part is missing, misshapen or out of bounds."""

        def part(name: str, dtype: type[np.generic], *shape: int) -> NDArray[Any]:
            found = arrays.get(name)
            if found is None or found.dtype != dtype or found.shape != shape:
                raise _damaged(key, name)
            if not np.isfinite(found).all() or (found.size and np.abs(found).max() > LARGEST):
                raise _damaged(key, name)
            return found

        sizes = (arrays.get(name, np.zeros(0)) for name in ("places", "exit"))
        size, units = (len(array) if array.ndim else 0 for array in sizes)
        if not (1 <= size <= MOST_PLACES and 1 <= units <= MOST_HIDDEN):
            raise _damaged(key, "sizes")
        places = part("places", np.int32, size).tolist()
        if places[0] < 0 or any(one >= after for one, after in pairwise(places)):
            raise _damaged(key, "places")
        mean, deviation = (part(name, np.float64, size) for name in ("mean", "deviation"))
        sigma = float(part("sigma", np.float64, 1)[0])
        if deviation.min() < LEAST or sigma < 0:
            raise _damaged(key, "deviation or sigma")
        shapes = {"entry": (size, 4 * units), "recurrent": (units, 4 * units), "bias": (4 * units,)}
        shapes |= {"exit": (units, size), "exit_bias": (size,)}
        weights = {name: part(name, np.float32, *shape) for name, shape in shapes.items()}
        return cls(key, tuple(places), mean, deviation, **weights, sigma=sigma)


def _damaged(key: int, what: str) -> ModelError:
    return ModelError(f"has a damaged network of key {key} ({what})", remedy="fit the model again, or copy it again")


def in_deviations(numbers: Floats, mean: Floats, deviation: Floats) -> Floats:
    """Numbers, (n, d), as deviations from the mean; those that are no number are NaN."""
    held = np.where(np.isfinite(numbers), np.clip(numbers, -LARGEST, LARGEST), np.nan)
    return np.asarray((held - mean) / deviation)


def squared_errors(deviations: Floats, expected: Floats) -> Floats:
    """The mean squared error of each row, (n, d) -> (n,), over what is there; NaN where nothing is."""
    held = ~np.isnan(deviations)
    squares = np.where(held, deviations - expected, 0.0) ** 2
    count = held.sum(axis=1)
    return np.where(count > 0, squares.sum(axis=1) / np.maximum(count, 1), np.nan)


def untrained(
    key: int, places: tuple[int, ...], mean: Floats, deviation: Floats, *, seed: int, sigma: float = 0.0
) -> ValueNetwork:
    """A network that expects the mean of whatever comes: what leaves it has no weight yet, forget gates are open."""
    random, size, bound = np.random.default_rng([seed, key, 1]), len(places), 1 / math.sqrt(HIDDEN)
    bias = np.zeros(4 * HIDDEN, np.float32)
    bias[HIDDEN : 2 * HIDDEN] = 1
    entry, recurrent = (random.uniform(-bound, bound, (rows, 4 * HIDDEN)) for rows in (size, HIDDEN))
    leave, leave_bias = np.zeros((HIDDEN, size), np.float32), np.zeros(size, np.float32)
    weights = entry.astype(np.float32), recurrent.astype(np.float32), bias, leave, leave_bias
    return ValueNetwork(key, places, mean, deviation, *weights, sigma)
