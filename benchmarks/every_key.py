"""An LSTM on every key, stepped over the vectors of a whole log by a compiled loop: what that would add to `detect`.

No network decides in `detect` (docs/why.md). Here the networks of all keys are trained, and stepped over each vector
that is judged, in the same blocks: an error above a network's 99.9% threshold is counted, and tells nobody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from offscript import Config, Model, read
from offscript.models.value_lstm import train_networks
from offscript.models.value_network import FAR, HIDDEN, WINDOW, ValueNetwork, in_deviations
from offscript.models.vectors import TIME
from offscript.parse.compiled import compiled, inlined
from offscript.parse.learn import learn
from offscript.replay import replay, session_timeout
from offscript.value_vectors import vectors_of

CONFIDENCE: Final = 0.999

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def train_all(log: Path, folder: Path) -> int:
    """Train the network of each key that has numbers to predict, and keep them; return how many there are."""
    parsed = learn(read(log), Config(), cells=True)
    one_stream = parsed.discovery.key.where == "none"
    replayed = replay(parsed, None if one_stream else session_timeout(parsed.kept))
    networks = train_networks(list(vectors_of(parsed, replayed, per_entry=one_stream)), Config())
    arrays = {f"{key} {name}": one for key, net in networks.items() for name, one in net.to_arrays().items()}
    np.savez(folder / "networks.npz", **arrays)  # type: ignore[arg-type]  # its stubs know no names
    return len(networks)


def trained(folder: Path) -> dict[int, ValueNetwork]:
    """Return the networks that `train_all` kept, by key."""
    by_key: dict[int, dict[str, NDArray[Any]]] = {}
    with np.load(folder / "networks.npz") as stored:
        for name in stored.files:
            key, _, part = name.partition(" ")
            by_key.setdefault(int(key), {})[part] = stored[name]
    return {key: ValueNetwork.from_arrays(key, arrays) for key, arrays in by_key.items()}


@inlined
def expect(leave: Floats, hidden: Floats, vector: Floats, size: int, expected: Floats) -> float:
    """Write what a network in a state expects; return the error of the vector that came, NaN where all is missing."""
    total, held = 0.0, 0
    for place in range(size):
        found = leave[-1, place]
        for unit in range(len(hidden)):
            found += hidden[unit] * leave[unit, place]
        expected[place] = found
        if not np.isnan(vector[place]):
            total += (vector[place] - found) ** 2
            held += 1
    return total / held if held else np.nan


@inlined
def enter(gates: Floats, hidden: Floats, cell: Floats, vector: Floats, size: int, opened: Floats) -> None:
    """Put the state after a vector in the place of the one before; `opened` (4 units,) is room to work in."""
    units, width = len(hidden), len(gates) - len(hidden) - 1
    opened[:] = gates[width + units]
    for place in range(size):
        number = 0.0 if np.isnan(vector[place]) else min(max(vector[place], -FAR), FAR)
        for column in range(4 * units):
            opened[column] += number * gates[place, column]
    for unit in range(units):
        for column in range(4 * units):
            opened[column] += hidden[unit] * gates[width + unit, column]
    for unit in range(units):
        take, keep = (np.tanh(opened[unit]) + 1) / 2, (np.tanh(opened[units + unit]) + 1) / 2
        cell[unit] = keep * cell[unit] + take * np.tanh(opened[2 * units + unit])
        hidden[unit] = (np.tanh(opened[3 * units + unit]) + 1) / 2 * np.tanh(cell[unit])


@compiled
def step_all(
    which: Ints,
    vectors: Floats,
    sizes: Ints,
    gates: Floats,
    leave: Floats,
    limits: Floats,
    hidden: Floats,
    cell: Floats,
    flagged: Ints,
    errors: Floats,
) -> None:
    """Step the network `which` over each vector, as `ValueNetwork.step` does, and write its error.

    `vectors` (n, d) are in deviations, NaN where missing; weights, limits and states have a row for each network.
    """
    expected, opened = np.zeros(vectors.shape[1]), np.zeros(gates.shape[2])
    for row in range(len(which)):
        one = which[row]
        errors[row] = expect(leave[one], hidden[one], vectors[row], sizes[one], expected)
        flagged[one] = flagged[one] + 1 if errors[row] > limits[one] else 0
        entered = expected if 0 < flagged[one] <= WINDOW else vectors[row]
        enter(gates[one], hidden[one], cell[one], entered, sizes[one], opened)


class EveryKey:
    """The networks of all keys with their states, for `step_all`; `flagged` counts the errors above thresholds."""

    def __init__(self, networks: dict[int, ValueNetwork]) -> None:
        self._networks = list(networks.values())
        count, width = len(networks), max((len(net.places) for net in self._networks), default=1)
        self._number = np.full(max(networks, default=0) + 1, -1, np.int64)
        self._column: dict[tuple[int, int], int] = {}
        self._sizes = np.array([len(net.places) for net in self._networks], np.int64)
        self._mean, self._deviation = np.zeros((count, width)), np.ones((count, width))
        self._gates = np.zeros((count, width + HIDDEN + 1, 4 * HIDDEN))
        self._leave = np.zeros((count, HIDDEN + 1, width))
        self._limits = np.array([net.threshold(CONFIDENCE) for net in self._networks])
        self._hidden, self._cell = np.zeros((2, count, HIDDEN))
        self._running = np.zeros(count, np.int64)
        self.entries = self.flagged = 0
        for number, (key, net) in enumerate(networks.items()):
            self._number[key] = number
            self._column |= {(key, place): column for column, place in enumerate(net.places)}
            size = len(net.places)
            self._mean[number, :size], self._deviation[number, :size] = net.mean, net.deviation
            self._gates[number, :size], self._gates[number, width:-1] = net.entry, net.recurrent
            self._gates[number, -1] = net.bias
            self._leave[number, :-1, :size], self._leave[number, -1, :size] = net.exit, net.exit_bias
        # sigmoid(x) = (1 + tanh(x / 2)) / 2
        self._gates[:, :, : 2 * HIDDEN] /= 2
        self._gates[:, :, 3 * HIDDEN :] /= 2

    def errors(self, keys: Ints, vectors: Floats) -> Floats:
        """Step over vectors, (n, d) in the log's units, of keys that have a network; return the error of each."""
        which = self._number[keys]
        found = np.empty(len(keys))
        deviations = in_deviations(vectors, self._mean[which], self._deviation[which])
        state = (self._hidden, self._cell, self._running, found)
        step_all(which, deviations, self._sizes, self._gates, self._leave, self._limits, *state)
        self.entries += len(keys)
        self.flagged += int((found > self._limits[which]).sum())
        return found

    def over(self, model: Model, scanned: Any, entered: Any, told: Ints) -> None:
        """Step over the vectors of a block's entries whose key was accepted."""
        keys = scanned.numbers
        known = (entered.slots >= 0) & (keys > 0) & (keys < len(self._number))
        known[told] = False
        known[known] = self._number[keys[known]] >= 0
        vectors = np.full((len(keys), self._mean.shape[1]), np.nan)
        of_time = np.array([self._column.get((key, TIME), -1) for key in range(len(self._number))])
        timed = np.flatnonzero(known)
        timed = timed[of_time[keys[timed]] >= 0]
        vectors[timed, of_time[keys[timed]]] = entered.idle[timed]
        if scanned.values is not None:
            entries, asked, numbers = scanned.values
            columns = np.array([self._column.get(place, -1) for place in model.values.places] or [-1])
            here = asked < len(model.values.places)
            here[here] = columns[asked[here]] >= 0
            vectors[entries[here], columns[asked[here]]] = numbers[here]
        rows = np.flatnonzero(known)
        self.errors(keys[rows].astype(np.int64), vectors[rows])
