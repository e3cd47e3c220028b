"""Calibration: a threshold that keeps a stated share of normal sessions below it, and what can be promised (ours)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from offscript.errors import ModelError

MARGIN = 1e-3
"""The threshold stands this share above the score it was taken from, so that an equal score is not flagged when the
last bits differ from machine to machine."""

LOWEST_THRESHOLD = math.log(2)
"""A key with even odds or better is always on script, however regular the training log was."""


OVERDRAFT = 1.5
"""A key rarer than `Rule.rare` is flagged even if that takes up to so many times the share asked: without it, a few
odd normal sessions would excuse what never happens; with more, the share asked would mean nothing."""

FLOOR_BELOW_RARE = 0.01
"""Room below `Rule.rare` for the threshold of a log whose sessions are odder than its networks believe."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How probabilities become scores: "likelihood" takes -log p / threshold, "top-g" takes rank / (g + 1).

    A probability at or below `rare` is one that a normal session does not meet, `candidates` is g. Probabilities
    below `floor`, a hundredth of `rare`, are all the same. CCS 2017 section 3.1 has top-g; likelihood is ours.

    >>> import numpy as np
    >>> Rule("top-g", rare=0.01, candidates=2).raw(np.array([[0.7, 0.2, 0.05, 0.04, 0.005, 0.005]])).round(2).tolist()
    [[0.33, 0.67, 1.0, 1.33, 2.0, 2.0]]
    """

    name: str
    rare: float
    candidates: int
    threshold: float = 1.0

    @property
    def floor(self) -> float:
        """The least probability told apart: lower ones are what networks say of keys they never met, and chance."""
        return self.rare * FLOOR_BELOW_RARE

    def raw(self, probabilities: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """Scores before division by the threshold: (n, capacity) -> (n, capacity).

        Equal candidates share the worst rank of them, and rare ones rank behind g whatever their number: what is
        never expected is no candidate, so the order of near-zero candidates, an accident of the seed, decides nothing.
        """
        if self.name == "likelihood":
            return np.asarray(-np.log(np.maximum(probabilities.astype(np.float64), self.floor)))
        floored = np.maximum(probabilities.astype(np.float64), self.rare)
        rank = np.empty_like(floored)
        for row, values in enumerate(floored):
            rank[row] = len(values) - np.searchsorted(np.sort(values), values, side="left")
        rank[floored <= self.rare] = np.maximum(rank[floored <= self.rare], self.candidates + 1)
        return rank / (self.candidates + 1)


@dataclass(frozen=True, slots=True)
class Promise:
    """What share of normal sessions (or entries) may be flagged, and how that is known.

    `share` is the promised share, `asked` the one in the config; `scores` how many out-of-fold scores it rests on,
    `new` how many of those held a key that their network had not seen; `folds` how often the training log was cut.

    >>> print(Promise(0.0008, 0.001, 4855, 2, 5, "session").describe())
    at most 0.1% of normal sessions flagged, from 4,855 out-of-fold scores in 5 folds (2 held a new key)
    """

    share: float
    asked: float
    scores: int
    new: int
    folds: int
    unit: Literal["session", "entry"]

    @property
    def kept(self) -> bool:
        """Whether the share asked for can be promised."""
        return self.share <= self.asked

    def describe(self) -> str:
        """One printed line."""
        units = {"session": "sessions", "entry": "entries"}[self.unit]
        if self.scores == 0:
            return f"no share of normal {units} can be promised: too few to hold some out"
        basis = f"from {self.scores:,} out-of-fold scores in {self.folds} folds ({self.new:,} held a new key)"
        if self.kept:
            return f"at most {_percent(self.asked)} of normal {units} flagged, {basis}"
        need = math.ceil(1 / self.asked) - 1
        why = f"that takes {need:,} {units}" if self.scores < need else "more do what none of the others did"
        asked = f"not the {_percent(self.asked)} asked: {why}"
        return f"about {_percent(self.share)} of normal {units} flagged, {basis}; {asked}"

    def to_dict(self) -> dict[str, Any]:
        """JSON."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_dict(cls, stored: object) -> Promise:
        """The promise that `to_dict` described; ModelError when it is not one."""
        kinds = {"share": float, "asked": float, "scores": int, "new": int, "folds": int, "unit": str}
        if (
            not isinstance(stored, dict)
            or stored.keys() != kinds.keys()
            or not all(type(stored[name]) is kind for name, kind in kinds.items())
            or stored["unit"] not in {"session", "entry"}
            or not (0 <= stored["share"] <= 1 and 0 < stored["asked"] < 1 and stored["folds"] >= 1)
            or not 0 <= stored["new"] <= stored["scores"]
        ):
            raise ModelError("has no sound promise of its false alarms", remedy="fit the model again")
        return cls(**stored)


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def threshold_for(
    scores: npt.NDArray[np.floating[Any]], share: float, *, rare: float, highest: float
) -> tuple[float, float]:
    """The threshold that flags at most `share` of the units that `scores` (n,) stand for, and the share promised.

    With n scores, the (k+1)-th highest is passed by a new unit with probability at most (k+1)/(n+1) when all are
    exchangeable; k is the largest that keeps this within `share`. With fewer than 1/share - 1 scores the highest is
    taken, and 1/(n+1) is all that can be promised. Scores of `rare` and more are flagged as long as OVERDRAFT covers
    them, those of `highest` always; where that flags more than was asked, the promise says how much.

    >>> import numpy as np
    >>> threshold, share = threshold_for(np.arange(1.0, 100.0), 0.02, rare=1000.0, highest=1000.0)
    >>> round(threshold, 3), share  # 98 is the second highest of 99
    (98.098, 0.02)
    >>> threshold_for(np.arange(1.0, 100.0), 0.02, rare=97.5, highest=1000.0)
    (97.5, 0.03)
    """
    if len(scores) == 0:
        return rare, 1.0
    threshold = _quantile(scores, share)
    if threshold > rare:
        threshold = max(rare, _quantile(scores, share * OVERDRAFT))
    threshold = min(max(threshold, LOWEST_THRESHOLD), highest)
    return threshold, promised(scores, threshold)


def _quantile(scores: npt.NDArray[np.floating[Any]], share: float) -> float:
    count = len(scores)
    # the tiny factor undoes rounding: 0.02 x 100 must count as 2
    above = max(0, math.floor(share * (count + 1) * (1 + 1e-12)) - 1)
    return float(np.sort(scores)[max(0, count - 1 - above)]) * (1 + MARGIN)


def promised(scores: npt.NDArray[np.floating[Any]], threshold: float) -> float:
    """The share of new units that reach a threshold, given that of the held-out ones: (reached + 1) / (n + 1)."""
    return (int((scores >= threshold).sum()) + 1) / (len(scores) + 1)


def support(share: float, units: int) -> int:
    """How many sessions must hold a pair before it is normal by definition.

    Flagging a pair that this share of sessions holds would alone use up the false alarms allowed; and one session is
    not enough, for a slip in the training log may hold anything once.

    >>> support(0.001, 4855), support(0.001, 100)
    (5, 2)
    """
    return max(2, math.ceil(share * units))


def folds_of(order: Sequence[Any], folds: int, *, random: np.random.Generator | None) -> npt.NDArray[np.int64]:
    """The fold of each unit, (n,): contiguous in `order`, or dealt out at random when `random` is given.

    Contiguous folds in time let drift show: each part is judged by networks that did not see its days. Dealing goes
    by rank in `order`, so it does not depend on how the units were listed.

    >>> folds_of([3.0, 1.0, 2.0, 4.0], 2, random=None).tolist()
    [1, 0, 0, 1]
    """
    rank = sorted(range(len(order)), key=lambda unit: order[unit])
    place = np.empty(len(order), np.int64)
    place[rank] = np.arange(len(order)) if random is None else random.permutation(len(order))
    return place * folds // max(1, len(order))
