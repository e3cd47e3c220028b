"""The paper's rule for any model of the next key: a key is normal when it ranks among the g most likely (top-g)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from offscript.entries import END
from offscript.evaluate.baselines.judged import Floats, Judged
from offscript.evaluate.hdfs_sessions import Session
from offscript.models.keys import reason_of
from offscript.models.pairs import Symbols, Vocabulary, Windows, unique_rows, windows


class NextKey(Protocol):
    """Anything that says how likely each symbol is after a history: (n, h) symbols -> (n, capacity)."""

    def probabilities(self, histories: Symbols) -> npt.NDArray[np.floating]:
        """The probability (or count) of each symbol; 0 for what cannot follow."""


@dataclass(frozen=True)
class Ranks:
    """Sessions as a model of the next key sees them: every (history, next) of them, and its `rank` (n,), from 1.

    The rank is infinite for what never came next in training, a key never seen above all: it is never normal (the
    paper says that such keys are easy to detect, CCS 2017 section 5.4).
    """

    found: Windows
    rank: Floats
    sessions: int

    def highest(self) -> Floats:
        """The worst rank in each session, (sessions,)."""
        worst = np.zeros(self.sessions)
        np.maximum.at(worst, self.found.session, self.rank)
        return worst

    def judged(self, g: int) -> Judged:
        """The verdicts under top-g: the score is the worst rank by g + 1; the first key beyond g gives the reason."""
        beyond = np.flatnonzero(self.rank > g)
        first = np.unique(self.found.session[beyond], return_index=True)
        reasons = [""] * self.sessions
        for session, place in zip(*(part.tolist() for part in first), strict=True):
            reasons[session] = reason_of(int(self.found.targets[beyond[place]])).value
        return Judged(self.highest() / (g + 1), tuple(reasons), {"g": g})

    def share_within(self, g: int, weights: npt.NDArray[np.integer]) -> float:
        """The share of keys that rank within g, each session counting `weights` (sessions,) times; END is no key."""
        keys = self.found.targets != END
        weight = weights[self.found.session[keys]]
        return float(weight[self.rank[keys] <= g].sum() / max(1, weight.sum()))


def ranks(model: NextKey, vocabulary: Vocabulary, sessions: Sequence[Session], *, history: int, end: bool) -> Ranks:
    """The rank of every key of some sessions, and of their ends if `end`; each distinct history is asked about once.

    Candidates that are equally likely share the best rank of them; what cannot follow has no rank.
    """
    found = windows([vocabulary.encode(session) for session in sessions], [end] * len(sessions), history)
    distinct, number = unique_rows(found.histories)
    likely = model.probabilities(distinct)
    mine = likely[number, found.targets]
    rank = np.empty(len(mine))
    for start in range(0, len(mine), 1 << 16):  # bounds memory: a row of candidates for each window
        part = slice(start, start + (1 << 16))
        rank[part] = 1 + (likely[number[part]] > mine[part, None]).sum(axis=1)
    rank[mine <= 0] = np.inf
    return Ranks(found, rank, len(sessions))
