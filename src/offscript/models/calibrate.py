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

FLOOR_BELOW_RARE = 0.01
"""Room below `Rule.rare` for the threshold of a log whose sessions are odder than its networks believe."""

LEAST_STEP = 1e-2
"""Step, as a share of the measure, of detectors whose scores do not exceed it: next to none, and more than `MARGIN`."""

CONFIDENCE = 0.99
"""How sure the bound of a promise is: among a hundred logs, one lies above it by chance (ours)."""

TOLD = 10_000
"""Further sessions that the bound is told for when a promise is printed: a round number, and weeks of most services."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How probabilities become scores: "likelihood" takes -log p / threshold, "top-g" takes rank / (g + 1).

    A probability at or below `rare` is one that a normal session does not meet: under top-g it is no candidate, of
    which there are `candidates`, g. Probabilities below `floor`, a hundredth of `rare`, are all the same. CCS 2017
    section 3.1 has top-g; likelihood is ours.

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

    def raw_at(
        self, probabilities: npt.NDArray[np.floating[Any]], targets: npt.NDArray[np.integer[Any]]
    ) -> npt.NDArray[np.float64]:
        """What `raw` gives for one symbol of each row: (n, capacity) and (n,) -> (n,).

        >>> Rule("top-g", rare=0.01, candidates=2).raw_at(np.array([[0.7, 0.2, 0.1]] * 2), np.array([1, 0])).round(2)
        array([0.67, 0.33])
        """
        chosen = probabilities[np.arange(len(targets)), targets].astype(np.float64)
        if self.name == "likelihood":
            return self.raw(chosen)
        rank = (np.maximum(probabilities, self.rare) >= np.maximum(chosen, self.rare)[:, None]).sum(axis=1)
        rank[chosen <= self.rare] = np.maximum(rank[chosen <= self.rare], self.candidates + 1)
        return np.asarray(rank / (self.candidates + 1))


@dataclass(frozen=True, slots=True)
class Promise:
    """What share of normal sessions (or entries) may be flagged, and how that is known.

    `share` is the promised share, `asked` the one in the config; `scores` how many out-of-fold scores it rests on,
    `new` how many of those held a key that their network had not seen; `folds` how often the training log was cut.

    >>> for part in Promise(0.0008, 0.001, 4855, 2, 5, "session").describe().split("; "):
    ...     print(part)
    at most 0.1% of normal sessions flagged, from 4,855 out-of-fold scores in 5 folds (2 held a new key)
    of 10,000 more, 23 at most in 99 of 100 logs
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

    def bound(self, units: int, confidence: float = CONFIDENCE) -> int:
        """How many of so many further normal units may be flagged before the promise is in doubt.

        With k - 1 of n scores flagged, of exchangeable units the share above the k-th highest is Beta(k, n + 1 - k):
        what is flagged of `units` others is at most beta-binomial, and this is its quantile at `confidence`.

        >>> Promise(0.01, 0.01, 999, 0, 4, "session").bound(10_000)
        191
        """
        k = max(1, round(self.share * (self.scores + 1)))
        if k > self.scores:
            return units
        return _beta_binomial(units, k, self.scores + 1 - k, confidence)

    def describe(self) -> str:
        """One printed line."""
        units = {"session": "sessions", "entry": "entries"}[self.unit]
        if self.scores == 0:
            return f"no share of normal {units} can be promised: too few to hold some out"
        basis = f"from {self.scores:,} out-of-fold scores in {self.folds} folds ({self.new:,} held a new key)"
        chance = f"of {TOLD:,} more, {self.bound(TOLD):,} at most in {100 * CONFIDENCE:.0f} of 100 logs"
        if self.kept:
            return f"at most {_percent(self.asked)} of normal {units} flagged, {basis}; {chance}"
        need = math.ceil(1 / self.asked) - 1
        why = f"that takes {need:,} {units}" if self.scores < need else "more do what none of the others did"
        asked = f"not the {_percent(self.asked)} asked: {why}"
        return f"about {_percent(self.share)} of normal {units} flagged, {basis}; {chance}; {asked}"

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


def _beta_binomial(units: int, a: int, b: int, confidence: float) -> int:
    """The quantile of the beta-binomial distribution; scipy has it, and takes two seconds to load."""

    def log_beta(x: float, y: float) -> float:
        return math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y)

    below = 0.0
    for count in range(units):
        ways = -math.log(units + 1) - log_beta(count + 1, units - count + 1)
        below += math.exp(ways + log_beta(count + a, units - count + b) - log_beta(a, b))
        if below >= confidence:
            return count
    return units


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


@dataclass(frozen=True, slots=True)
class Scores:
    """The raw scores of held-out units by one detector, (n,), and the range that its threshold may take.

    Below `lowest` everything is on script; `highest` and more is flagged whatever share of the units that takes.
    Detectors of one `group` look at the same thing.
    """

    raw: npt.NDArray[np.float64]
    lowest: float
    highest: float = math.inf
    group: int = 0


def thresholds_for(detectors: Sequence[Scores], share: float) -> tuple[list[float], float]:
    """The thresholds with which all detectors together flag at most `share` of the units, and the share promised.

    Each detector's scores are measured by the highest that it would not flag if it had the whole share to itself; then
    the thresholds are raised together, for a unit flagged twice costs once. Within a `group` one factor raises all;
    groups are raised in steps of what the scores above their measure exceed it by on average, so that each gives up as
    many false alarms, whether its scores thin out fast or slowly. Where a detector reaches the end of its range, the
    others share what is left.

    With n units, the k-th highest of their scores by one detector is passed by a new unit with probability at most
    k/(n+1) when all are exchangeable; k is the largest that keeps this within `share`. With several detectors this is
    approximate, for the measures come from the same units: in simulations up to a third more were flagged at n = 1000
    and a share of 0.1%, less with more units. With fewer than 1/share - 1 units the highest is taken, and 1/(n+1) is
    all that can be promised. Without any, thresholds are the highest.

    >>> import numpy as np
    >>> thresholds, share = thresholds_for([Scores(np.arange(1.0, 100.0), 0.5)], 0.02)
    >>> [round(threshold, 3) for threshold in thresholds], share  # 98 is the second highest of 99
    ([98.098], 0.02)
    >>> order, profile = np.zeros(1999), np.zeros(1999)
    >>> order[:40], profile[20:60] = np.arange(40.0, 0, -1), np.arange(4.0, 0, -0.1)
    >>> thresholds, share = thresholds_for([Scores(order, 0.7), Scores(profile, 0.2)], 0.01)
    >>> [round(threshold, 2) for threshold in thresholds], share  # ten of each
    ([31.03, 3.1], 0.01)
    """
    allowed = _allowed(len(detectors[0].raw), share)
    measure = [min(max(_ranked(one.raw, allowed + 1), one.lowest), one.highest) for one in detectors]
    found, settled = list(measure), [False] * len(detectors)
    while not all(settled):
        free = [number for number, done in enumerate(settled) if not done]
        ratio = {number: detectors[number].raw / measure[number] for number in free}
        steps = _steps(detectors, ratio, allowed)
        together = np.max(
            [(ratio[n] - base) / step for n in free for base, step in [steps[detectors[n].group]]], axis=0
        )
        for number in set(range(len(detectors))) - set(free):
            together[detectors[number].raw >= found[number]] = np.inf
        level = _ranked(together, allowed)
        for number in free:
            one = detectors[number]
            base, step = steps[one.group]
            wanted = measure[number] * ((base + level * step) * (1 + MARGIN))
            found[number] = min(max(wanted, one.lowest), one.highest)
            settled[number] = found[number] != wanted
        if not any(settled[number] for number in free):
            break
    return found, _share_of(detectors, found)


def _steps(
    detectors: Sequence[Scores], ratio: dict[int, npt.NDArray[np.float64]], allowed: int
) -> dict[int, tuple[float, float]]:
    """By group where its ratios to the measure are counted from, and the step they are counted in.

    The step is what the ratios above 1 exceed it by on average, of so many as may be flagged; the highest counts as the
    one after it. A group that is alone is counted by the ratios as they are.
    """
    groups = {detectors[number].group for number in ratio}
    if len(groups) == 1:
        return dict.fromkeys(groups, (0.0, 1.0))
    steps = {}
    for group in groups:
        highest = np.max([each for number, each in ratio.items() if detectors[number].group == group], axis=0)
        excess = np.sort(highest)[max(0, len(highest) - allowed) :] - 1
        above = excess[(excess > 0) & np.isfinite(excess)]
        above[-1:] = above[-2:-1] if len(above) > 1 else above[-1:]  # one session, however odd, moves no threshold
        steps[group] = (1.0, max(LEAST_STEP, float(above.mean())) if len(above) else LEAST_STEP)
    return steps


def _allowed(count: int, share: float) -> int:
    """The largest k, 1 at least, with k / (count + 1) within the share."""
    # the tiny factor undoes rounding: 0.02 x 100 must count as 2
    return max(1, math.floor(share * (count + 1) * (1 + 1e-12)))


def _ranked(scores: npt.NDArray[np.floating[Any]], rank: int) -> float:
    """The score of a rank, the highest has rank 1; infinite where there are none."""
    count = len(scores)
    return float(np.sort(scores)[max(0, count - rank)]) if count else math.inf


def _share_of(detectors: Sequence[Scores], thresholds: Sequence[float]) -> float:
    """What thresholds promise: each was taken from one unit at most, that lies right below and may pass next time."""
    pairs = list(zip(detectors, thresholds, strict=True))
    flagged = np.any([one.raw >= threshold for one, threshold in pairs], axis=0)
    near = np.array([one.raw * (1 + 2 * MARGIN) >= threshold for one, threshold in pairs]) & ~flagged
    near = near[near.any(axis=1)]
    taken_from = len(near) if len(near) and not near.all(axis=0).any() else 1
    return promised(int(flagged.sum()) + taken_from - 1, len(flagged))


def promised(flagged: int, scores: int) -> float:
    """The share of new units that will be flagged, when so many of the held-out ones were: (flagged + 1) / (n + 1).

    >>> promised(3, 999)
    0.004
    """
    return (flagged + 1) / (scores + 1)


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
