"""Last hidden states of histories, remembered across the versions of a model (ours).

Feedback leaves the layers that read a history as they are, so what they made of it for one version holds for the next.
"""

from __future__ import annotations

import threading
from typing import Final

import numpy as np

from offscript.models.lstm import Array, Network, Symbols

REMEMBERED_BYTES: Final = 16 << 20
"""Memory for the states of one network: some 30,000 histories of 64 units, more than are replayed in 20 updates."""

_BESIDE: Final = 250
"""Bytes that a history takes beside its state: its name, and its place in a dictionary."""


class StateMemory:
    """What networks made of histories lately; the versions of an ensemble share one.

    A state depends on the layers, which are known again by identity, and on the rows of the entry matrix that the
    history picks, which are compared: a symbol that got another row is another symbol here. When a network's memory is
    full it begins anew.
    """

    def __init__(self) -> None:
        self._networks: dict[int, _Remembered] = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[StateMemory], tuple[()]]:
        """Copy as an empty memory: a lock cannot be copied, and what is forgotten is made again."""
        return StateMemory, ()

    def states(self, number: int, network: Network, histories: Symbols) -> Array:
        """What `network.states` gives, (n, h) symbols -> (n, a), bit for bit; `number` is the network's place."""
        with self._lock:  # two updates may be made from one version
            found = self._networks.get(number)
            if found is None or not found.reads_alike(network):
                found = self._networks[number] = _Remembered(network)
            return found.states(network, histories)


class _Remembered:
    """The states of one network's histories, (m, a), and the place of each history's."""

    def __init__(self, network: Network) -> None:
        self._layers = network.recurrent, network.bias
        units = len(network.exit)
        self._room = max(1, REMEMBERED_BYTES // (4 * units + _BESIDE))
        self._rows: dict[bytes, int] = {}
        self._places: dict[bytes, int] = {}
        self._states = np.empty((0, units), np.float32)

    def reads_alike(self, network: Network) -> bool:
        """Whether the layers are the very ones whose states are here."""
        return network.recurrent is self._layers[0] and network.bias is self._layers[1]

    def states(self, network: Network, histories: Symbols) -> Array:
        """The states, remembered or made."""
        names = self._names(network, histories)
        fresh = {name: row for row, name in enumerate(names) if name not in self._places}
        if len(self._places) + len(fresh) > self._room:
            self._places.clear()
            fresh = {name: row for row, name in enumerate(names)}
        if len(fresh) > self._room:
            return network.states(histories)
        if fresh:
            self._add(fresh, network.states(histories[list(fresh.values())]))
        return self._states[[self._places[name] for name in names]]

    def _names(self, network: Network, histories: Symbols) -> list[bytes]:
        """What tells the histories apart: the numbers of the rows that their symbols pick."""
        numbers = np.zeros(len(network.entry), np.int32)
        for symbol in np.unique(histories).tolist():
            numbers[symbol] = self._rows.setdefault(network.entry[symbol].tobytes(), len(self._rows))
        packed, size = numbers[histories].tobytes(), 4 * histories.shape[1]
        return [packed[at : at + size] for at in range(0, len(packed), size)]

    def _add(self, fresh: dict[bytes, int], made: Array) -> None:
        count = len(self._places)
        if count + len(made) > len(self._states):
            size = min(self._room, max(count + len(made), 2 * len(self._states)))
            self._states = np.concatenate((self._states[:count], np.empty((size - count, made.shape[1]), np.float32)))
        self._states[count : count + len(made)] = made
        self._places.update(zip(fresh, range(count, count + len(made)), strict=True))
