"""DeepLog's key model as its paper has it: one network, trained on every window of the log, top-g (CCS 2017 3.1).

The paper names neither optimiser, epochs nor seed, nor how sessions start and end: the training is that of our own
networks (`models.lstm.train`), histories are left-padded with START, and whether END is learnt is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offscript.config import Config
from offscript.evaluate.hdfs_sessions import Session
from offscript.models.lstm import Curve, Network, Progress, capacity_for, train
from offscript.models.pairs import Symbols, Vocabulary, windows


@dataclass(frozen=True)
class DeepLog:
    """What was learnt: the vocabulary, one network, and how its loss fell.

    >>> config = Config(history=2, hidden=4, layers=1, training_steps=25)
    >>> learnt = fit_deeplog([(1, 2), (1, 2, 2)], config, end=True)
    >>> learnt.probabilities(np.array([[0, 3]])).shape
    (1, 16)
    """

    vocabulary: Vocabulary
    network: Network
    curve: Curve

    def probabilities(self, histories: Symbols) -> npt.NDArray[np.floating]:
        """The probability of each symbol after each history: (n, h) symbols -> (n, capacity)."""
        return self.network.probabilities(histories)


def fit_deeplog(sessions: Sequence[Session], config: Config, *, end: bool, progress: Progress | None = None) -> DeepLog:
    """Learn from every window of every session, equal ones as often as they come; ends are predicted too if `end`."""
    vocabulary = Vocabulary.of(sessions)
    found = windows([vocabulary.encode(session) for session in sessions], [end] * len(sessions), config.history)
    allowed = np.zeros(capacity_for(len(vocabulary)), bool)
    allowed[found.targets] = True
    weights = np.ones(len(found.targets), np.float32)
    # a seed of its own: network 0 of ours with the same setting must not share its random numbers
    seed = config.seed * 1000 + 999
    network, curve = train(found.histories, found.targets, weights, allowed, config, seed=seed, progress=progress)
    return DeepLog(vocabulary, network, curve)
