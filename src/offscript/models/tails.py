"""How unlikely a number is that lies beyond nearly all normal ones: peaks over a threshold, each side by itself (ours).

A Gaussian misjudges what logs measure: waiting times have a long right side and nearly none on the left. So what lies
between the outer tenths is not modelled at all; each outer tenth is, as a generalised Pareto tail, which has room for
all from a sharp edge to times that grow tenfold once a day. What was seen bounds what is calculated: a number hardly
farther out than some normal ones were is no less likely than these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

OUTER: Final = 0.1
"""Share of the numbers on each side that its tail is learnt from: of 400 numbers that leaves 40."""

SHAPES: Final = (0.0, 0.1, 0.25, 0.5, 1.0)
"""The tails tried, from exponential to one without a mean (one in ten times as many is ten times as far)."""

TIME_SHAPES: Final = SHAPES[:-1]
"""The same for times: of a waiting time without a mean no system would ever be done."""

HARDLY_FARTHER: Final = 1.25
"""A distance up to this many times one that was seen is as likely as that. At 1.25 as at 1.5 the same normal virtual
machines are flagged out of fold on the OpenStack log, so the nearer one costs nothing."""

OUTLYING: Final = -math.log(1e-3)
"""Surprise of a known number from which it is an outlier: one in a thousand is too many for its own tail to explain."""

OFTEN: Final = 4
"""Normal times as far out as an outlier from which it is none, but another mode: accidents come singly."""

CAUTIOUS: Final = 0.5
"""The shape where fewer than `ENOUGH` numbers lie in the tail: heavy, as the tail of few numbers is mostly unknown."""

ENOUGH: Final = 20
"""Numbers in a tail below which its shape is not chosen by likelihood: of fewer, chance chooses."""

FOLDS: Final = 5
"""Parts of a tail, each predicted from the others to choose the shape."""

FEW: Final = 5
"""Numbers beyond which a tail has a scale of its own; fewer are taken to be the edge of the range."""

LEAST_SHARE: Final = 0.02
"""A tail is at least this share of where it starts wide: nobody calls two percent more or less another number."""


@dataclass(frozen=True, slots=True)
class Tail:
    """One side beyond `start`: `share` of the numbers lie there, and of these exp(-surprise) beyond a distance.

    `shape` and `scale` are those of the generalised Pareto distribution. `side` is 1 above, -1 below. Of `count`
    numbers, the distances of the farthest, the 2nd, 4th, 8th ... farthest are `seen`.

    >>> tail = Tail(1, start=20.0, share=0.1, shape=0.0, scale=0.5)
    >>> round(tail.surprise(25.0), 1), tail.surprise(19.0)
    (12.3, 0.0)
    >>> round(tail.limit(tail.surprise(25.0)), 6)
    25.0
    """

    side: int
    start: float
    share: float
    shape: float
    scale: float
    count: int = 0
    seen: tuple[float, ...] = ()

    def surprise(self, number: float) -> float:
        """Minus the logarithm of the share of normal numbers as far out on this side; 0 before the tail starts."""
        beyond = (number - self.start) * self.side
        if not beyond > 0:
            return 0.0
        steps = beyond / self.scale
        found = -math.log(self.share) + (math.log1p(self.shape * steps) / self.shape if self.shape else steps)
        for rank, distance in enumerate(self.seen):
            if beyond <= HARDLY_FARTHER * distance:
                found = min(found, self._surprise_of(rank))
        return found

    def limit(self, surprise: float) -> float:
        """The number farthest out whose surprise is no more than this; where the tail starts, if none in it is."""
        left = max(0.0, surprise + math.log(self.share))
        try:
            steps = math.expm1(self.shape * left) / self.shape if self.shape else left
        except OverflowError:
            steps = math.inf
        farthest = steps * self.scale
        for rank, distance in enumerate(self.seen):
            if self._surprise_of(rank) <= surprise:
                farthest = max(farthest, HARDLY_FARTHER * distance)
        return self.start + self.side * farthest

    @property
    def farthest(self) -> float:
        """The distance up to which a number is hardly farther out than one that was seen."""
        return HARDLY_FARTHER * self.seen[0] if self.seen else 0.0

    def _surprise_of(self, rank: int) -> float:
        """The surprise of what was seen 2^rank times."""
        return math.log((self.count + 2) / (1 << rank))

    def surprises(self, numbers: Floats) -> Floats:
        """What `surprise` says of each number, (n,)."""
        beyond = np.maximum((numbers - self.start) * self.side, 0.0)
        steps = beyond / self.scale
        found = np.asarray((np.log1p(self.shape * steps) / self.shape if self.shape else steps) - math.log(self.share))
        for rank, distance in enumerate(self.seen):
            found[beyond <= HARDLY_FARTHER * distance] = np.minimum(
                found[beyond <= HARDLY_FARTHER * distance], self._surprise_of(rank)
            )
        return np.where(beyond > 0, found, 0.0)


def tail_of(numbers: Floats, side: int, resolution: float, shapes: Sequence[float] = SHAPES) -> Tail:
    """The tail of normal numbers, (n,), on a side: its shape by held-out likelihood, its scale by the median.

    `resolution` is the least difference that the log can show: no tail is narrower.

    >>> tail = tail_of(np.concatenate((np.full(380, 20.0), 20 + np.arange(1, 41) / 10)), 1, 0.01)
    >>> tail.start, round(tail.limit(7.0), 1)
    (20.0, 33.8)
    """
    ordered = np.sort(numbers * side)
    count = len(ordered)
    start = float(ordered[min(count - 1, int((1 - OUTER) * count))])
    beyond = ordered[ordered > start] - start
    least = max(resolution, LEAST_SHARE * abs(start))
    if len(beyond) < FEW:
        edge = float(ordered[-1])
        return Tail(side, edge * side, 1 / (count + 2), CAUTIOUS if len(beyond) else 0.0, least)
    shape = _likeliest(beyond, least, shapes) if len(beyond) >= ENOUGH else CAUTIOUS
    seen = tuple(float(beyond[-(1 << rank)]) for rank in range(len(beyond).bit_length()))
    return Tail(side, start * side, (len(beyond) + 1) / (count + 2), shape, _scale(beyond, shape, least), count, seen)


def without_outliers(tail: Tail) -> Tail:
    """The tail whose outliers, unless there are `OFTEN` of them, are no longer among what was seen.

    What is explained otherwise, as an outlier of any step, must not excuse what lies between it and the others.

    >>> steady = np.concatenate((np.linspace(0.21, 0.22, 400), [0.24, 0.42]))
    >>> tail = tail_of(steady, 1, 0.001, TIME_SHAPES)
    >>> round(tail.farthest, 3), round(without_outliers(tail).farthest, 3)
    (0.251, 0.026)
    """
    alone = replace(tail, seen=())
    kept = (
        distance
        for rank, distance in enumerate(tail.seen)
        if 1 << rank >= OFTEN or alone.surprise(tail.start + tail.side * distance) <= OUTLYING
    )
    highest = next(kept, 0.0)
    return replace(tail, seen=tuple(min(distance, highest) for distance in tail.seen))


def outliers_of(distances: Floats, count: int) -> Tail | None:
    """The tail that any of so many normal numbers may have besides its own: the distances of those that were outliers.

    One is enough to say that there are such, or a log with fewer would take each for the oddest of all that may come.
    None where none was.

    >>> outliers_of(np.array([0.2, 0.1, 0.3, 0.2, 4.0]), 10_000).surprise(0.2) > 7
    True
    >>> outliers_of(np.array([0.2]), 1_000).surprise(0.2) < 8
    True
    """
    if not len(distances):
        return None
    return Tail(1, 0.0, (len(distances) + 1) / (count + 2), CAUTIOUS, _scale(distances, CAUTIOUS, 1e-9))


def _scale(beyond: Floats, shape: float, least: float) -> float:
    """The scale with which half of the distances lie below their median; one far number does not move it."""
    median = float(np.median(beyond))
    return max(least, median / math.log(2) if not shape else shape * median / (2**shape - 1))


def _likeliest(beyond: Floats, least: float, shapes: Sequence[float]) -> float:
    """The shape under which each part of the distances is likeliest, its scale taken from the others."""
    part = np.arange(len(beyond)) % FOLDS
    costs = []
    for shape in shapes:
        cost = 0.0
        for one in range(FOLDS):
            scale = _scale(beyond[part != one], shape, least)
            steps = beyond[part == one] / scale
            each = steps if not shape else (1 + 1 / shape) * np.log1p(shape * steps)
            cost += float(each.sum()) + len(each) * math.log(scale)
        costs.append(cost)
    return shapes[int(np.argmin(costs))]


def resolution_of(numbers: Floats) -> float:
    """The least difference between two of the numbers, (n,); 0 where all are equal.

    Those that differ by less than a millionth are equal: a double holds the seconds since 1970 to a quarter of that.

    >>> resolution_of(np.array([0.5, 0.25, 0.5]))
    0.25
    """
    steps = np.diff(np.unique(np.round(numbers, 6)))
    return float(steps.min()) if len(steps) else 0.0
