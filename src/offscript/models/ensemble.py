"""Networks that each left out a part of the log: together the model, singly the judges of that part (ours)."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from offscript.config import Config
from offscript.entries import FIRST_KEY_SYMBOL, UNKNOWN
from offscript.errors import ModelError
from offscript.models.lstm import Array, Curve, Network, Progress, Symbols, capacity_for, train
from offscript.models.pairs import Pairs
from offscript.models.states import StateMemory


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The networks, and which symbols each has seen, (networks, capacity); a network takes others for UNKNOWN.

    What was made of histories is in `memory`, for versions whose layers are these.

    >>> from offscript.models.lstm import initial
    >>> seen = np.array([[False, True, False, True]])
    >>> Ensemble((initial(seen[0], hidden=2, layers=1, seed=0),), seen).probabilities(np.array([[0, 3]])).shape
    (1, 4)
    """

    networks: tuple[Network, ...]
    seen: npt.NDArray[np.bool_]
    memory: StateMemory = field(default_factory=StateMemory, repr=False, compare=False)

    def probabilities(self, histories: Symbols) -> Array:
        """The mean of the networks' probabilities: (n, h) symbols -> (n, capacity) float32."""
        return self._mean([self.alone(number, histories) for number in range(len(self.networks))])

    def probabilities_from(self, states: Sequence[Array]) -> Array:
        """What `probabilities` gives, from the `states` of the histories in each network, (n, a) each."""
        each = zip(self.networks, states, strict=True)
        return self._mean([network.probabilities_from(some) for network, some in each])

    @staticmethod
    def _mean(each: Sequence[Array]) -> Array:
        total = np.zeros(each[0].shape, np.float64)
        for one in each:
            total += one
        return (total / len(each)).astype(np.float32)

    def alone(self, number: int, histories: Symbols) -> Array:
        """The probabilities of one network."""
        return self.networks[number].probabilities(self._known(number, histories))

    def states(self, number: int, histories: Symbols) -> Array:
        """The last hidden states of one network after each history: (n, h) symbols -> (n, a); they are remembered."""
        return self.memory.states(number, self.networks[number], self._known(number, histories))

    def _known(self, number: int, histories: Symbols) -> Symbols:
        known = self.seen[number][histories] | (histories < FIRST_KEY_SYMBOL)
        return np.where(known, histories, UNKNOWN)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All weights by name."""
        named = {f"network{n}.{name}": a for n, net in enumerate(self.networks) for name, a in net.arrays().items()}
        return named | {"seen": self.seen.astype(np.uint8)}

    @classmethod
    def from_arrays(
        cls, arrays: dict[str, npt.NDArray[Any]], *, count: int, capacity: int, hidden: int, layers: int
    ) -> Ensemble:
        """The ensemble that `arrays` described; ModelError when something is missing, misshapen or not finite."""
        seen = arrays.get("seen")
        if seen is None or seen.shape != (count, capacity) or seen.dtype != np.uint8:
            raise ModelError("does not say which keys its networks have seen", remedy="fit the model again")
        networks = []
        for number in range(count):
            start = f"network{number}."
            own = {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}
            networks.append(Network.from_arrays(own, capacity=capacity, hidden=hidden, layers=layers))
        return cls(tuple(networks), seen != 0)


def train_ensemble(
    pairs: Pairs, symbols: int, config: Config, progress: Progress | None
) -> tuple[Ensemble, tuple[Curve, ...]]:
    """One network for each fold of `pairs`, trained on the other folds (on all of it if there is only one fold).

    A pair weighs by the sessions that hold it, to the power `count_power`. Measured on normal sessions alone: equal
    weight (power 0) predicts held-out distinct pairs better than 0.5 (0.49 against 0.52 nats a pair on HDFS), and
    flags more of artificially damaged normal sessions at a promised share of 0.3% (0.63 against 0.59). The counts
    come in by `Sightings.blend`, where the log holds enough of them.
    """
    folds = pairs.units.shape[1]
    capacity = capacity_for(symbols)
    told = _Told(progress, folds)

    def one(fold: int) -> tuple[Network, Curve]:
        units = pairs.without(fold if folds > 1 else None)
        kept = units > 0
        seen = np.zeros(capacity, bool)
        seen[pairs.targets[kept]] = True
        weights = (units[kept].astype(np.float64) ** config.count_power).astype(np.float32)
        return train(
            pairs.histories[kept],
            pairs.targets[kept],
            weights,
            seen,
            config,
            seed=config.seed * 1000 + fold,
            progress=told.about(fold),
        )

    # a step is too small to fill two cores; two networks fill them, and neither changes a bit of the other
    with ThreadPoolExecutor(max_workers=min(folds, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(one, fold) for fold in range(folds)]
        try:
            found = [job.result() for job in jobs]
        except BaseException:
            told.stop()
            pool.shutdown(cancel_futures=True)
            raise
    networks = tuple(network for network, _ in found)
    return Ensemble(networks, np.stack([network.targets for network in networks])), tuple(curve for _, curve in found)


class _Told:
    """Progress of networks trained side by side, told as that of one: calls come one at a time, and never go back."""

    def __init__(self, progress: Progress | None, folds: int) -> None:
        self._progress = progress
        self._steps = [0] * folds
        self._lock = threading.Lock()
        self._stopped = False

    def stop(self) -> None:
        """Make every network under way end at its next report."""
        self._stopped = True

    def about(self, fold: int) -> Progress:
        """The progress of one network."""

        def report(step: int, of: int, loss: float, floor: float) -> None:
            if self._stopped:
                raise InterruptedError("another network of this training failed, or the user stopped it")
            with self._lock:
                self._steps[fold] = step
                if self._progress:
                    self._progress(sum(self._steps), of * len(self._steps), loss, floor)

        return report
