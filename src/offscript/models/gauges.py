"""Gauges: the normal range of one number of one key, about a level that may move slowly (ours; CCS 2017 section 3.2).

A deviation is the number less its level. A level follows its numbers by a small step to their side each time, which
holds it at their median: a drift over days takes the range along, and one far number moves it no more than a near one.
What was flagged moves nothing, so that an outlier does not excuse the next; but what is flagged `SETTLED` times
running, on the same side, is the new normal: the last of these verdicts says so, and the level is put there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from offscript.models.tails import LEAST_SHARE, SHAPES, TIME_SHAPES, Tail, tail_of, without_outliers
from offscript.parse.numbers import UNIT_CODES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RATE: Final = 1 / 256
"""Step of a level, in half interquartile ranges: chance alone moves it by a sixteenth of that, and a drift of one in
three hundred numbers or more is followed."""

SETTLED: Final = 64
"""Flagged numbers running, on one side, that are a new level: a passing fault seldom lasts that many runs of a step,
and nobody needs to be told the same thing a sixty-fifth time."""

MOST_SEEN: Final = 64
"""Distances of a tail that a bundle may hold: as many as there are powers of two."""

MOST_COUNTED: Final = 1 << 62
"""Counts and keys of a bundle are below it, as those of templates are: beyond, arithmetic with doubles fails."""

INSIDE, FLAGGED, NEW_LEVEL = range(3)
"""What `follow` says of a number."""


@dataclass(frozen=True, slots=True)
class Told:
    """The deviations up to which a person called numbers normal, on either side, by so many `reports`."""

    low: float | None = None
    high: float | None = None
    reports: int = 0

    def to_list(self) -> list[Any]:
        """As JSON."""
        return [self.low, self.high, self.reports]

    @classmethod
    def from_list(cls, stored: Sequence[Any]) -> Told:
        """From JSON; ValueError where it is not sound."""
        low, high, reports = stored
        given = [one for one in (low, high) if one is not None]
        if not given or not all(type(one) is float and math.isfinite(one) for one in given):
            raise ValueError("what a gauge was told is no number")
        if type(reports) is not int or not 0 < reports < MOST_COUNTED:
            raise ValueError("what a gauge was told is not counted")
        return cls(low, high, reports)


@dataclass(frozen=True, slots=True)
class Gauge:
    """The normal range of one number: place 0 is elapsed time, of entries that came after the key `after` (None: any).

    `middle` is the median deviation, `spread` half their interquartile range, `level` where the level stood when
    training ended; `width` is what lies between the outer tenths, at least what the log can show. `seconds` is what
    one of its unit is in seconds, 0 where it is no time. `learnt_from` counts the numbers, of which `lowest` is the
    lowest. What it was `told` by a person since is normal besides.

    >>> gauge = Gauge.of((7, 1, None), np.concatenate((np.full(50, 19.0), np.full(50, 20.0))), resolution=1.0)
    >>> gauge.limits(surprise_at(0.999))[1] < 26 < gauge.limits(surprise_at(0.999999))[1]
    True
    """

    key: int
    place: int
    after: int | None
    low: Tail
    high: Tail
    middle: float
    spread: float
    width: float
    level: float = 0.0
    unit: str = ""
    seconds: float = 0.0
    learnt_from: int = 0
    lowest: float = 0.0
    told: Told | None = None

    @classmethod
    def of(
        cls,
        name: tuple[int, int, int | None],
        deviations: Floats,
        *,
        resolution: float,
        unit: str = "",
        seconds: float = 0.0,
        still: bool = False,
    ) -> Gauge:
        """The gauge of normal deviations, (n,), of numbers of a resolution; the level of a `still` one does not move.

        `name` is (key, place, after).
        """
        first, middle, third = (float(number) for number in np.quantile(deviations, (0.25, 0.5, 0.75)))
        least = resolution or abs(middle) * LEAST_SHARE or 1.0
        shapes = TIME_SHAPES if seconds else SHAPES
        low, high = (tail_of(deviations, side, least, shapes) for side in (-1, 1))
        if seconds:  # its outliers are judged with those of all times
            high = without_outliers(high)
        spread = 0.0 if still else (third - first) / 2
        width = max(high.start - low.start, least, abs(middle) * LEAST_SHARE)
        return cls(*name, low, high, middle, spread, width, 0.0, unit, seconds, len(deviations))

    @property
    def outlying(self) -> float:
        """What a distance beyond the high start is multiplied with, to be compared with those at other steps.

        A pause is as long wherever it comes, but what varies widely also strays widely: of the outliers of two logs,
        seconds by the root of the width are likelier than seconds alone (ours).
        """
        return math.sqrt(self.seconds / self.width)

    def surprise(self, deviation: float, outliers: Tail | None = None) -> float:
        """Minus the logarithm of the share of normal deviations as far out on that side.

        `outliers`, a tail of distances as `outlying` makes them, are those that any time may have: a time is no more
        surprising than as one of them, and one farther out than any that was seen here, outliers aside, is judged by
        them alone, since they are seen more often.
        """
        above = self.high.surprise(deviation)
        if above and outliers is not None and self.seconds:
            beyond = deviation - self.high.start
            common = outliers.surprise(beyond * self.outlying)
            above = min(above, common) if beyond <= self.high.farthest else common
        return max(self.low.surprise(deviation), above)

    def surprises(self, deviations: Floats, outliers: Tail | None = None) -> Floats:
        """What `surprise` says of each deviation, (n,)."""
        above = self.high.surprises(deviations)
        if outliers is not None and self.seconds:
            beyond = deviations - self.high.start
            common = outliers.surprises(beyond * self.outlying)
            either = np.where(beyond <= self.high.farthest, np.minimum(above, common), common)
            above = np.where(above > 0, either, 0.0)
        return np.maximum(self.low.surprises(deviations), above)

    def limits(self, surprise: float, outliers: Tail | None = None) -> tuple[float, float]:
        """The lowest and the highest deviation that surprise no more than this, or that it was told are normal."""
        high = self.high.limit(surprise)
        if outliers is not None and self.seconds:
            common = outliers.limit(surprise) / self.outlying
            high = self.high.start + max(min(high - self.high.start, self.high.farthest), common)
        low = self.low.limit(surprise)
        if self.told is not None:
            low = low if self.told.low is None else min(low, self.told.low)
            high = high if self.told.high is None else max(high, self.told.high)
        return low, high

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        found = {name: getattr(self, name) for name in self.__slots__}
        for name in ("low", "high"):
            tail: Tail = found[name]
            found[name] = tail_to_list(tail)
        told: Told | None = found.pop("told")
        return found if told is None else found | {"told": told.to_list()}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Gauge:
        """From JSON; KeyError, TypeError or ValueError where it is not a sound gauge."""
        if stored.keys() | {"told"} != set(cls.__slots__):
            raise ValueError("a gauge lacks a part")
        told = Told.from_list(stored["told"]) if "told" in stored else None
        low, high = (tail_from_list(side, stored[name]) for side, name in ((-1, "low"), (1, "high")))
        gauge = cls(**{**stored, "low": low, "high": high, "told": told})
        numbers = (gauge.middle, gauge.spread, gauge.level, gauge.seconds, gauge.width, gauge.lowest)
        sound = all(type(number) is float and math.isfinite(number) for number in numbers)
        if not sound or min(gauge.spread, gauge.seconds) < 0 or not gauge.width > 0:
            raise ValueError("a gauge has a part that is no number")
        whole = (gauge.key, gauge.place, gauge.learnt_from, 0 if gauge.after is None else gauge.after)
        if not all(type(number) is int and 0 <= number < MOST_COUNTED for number in whole):
            raise ValueError("a gauge has a part that is no whole number")
        if type(gauge.unit) is not str or gauge.unit not in UNIT_CODES:
            raise ValueError("a gauge has a part of another kind")
        return gauge


def tail_to_list(tail: Tail) -> list[Any]:
    """A tail as JSON; its side is known where it is read."""
    return [tail.start, tail.share, tail.shape, tail.scale, tail.count, list(tail.seen)]


def tail_from_list(side: int, stored: Sequence[Any]) -> Tail:
    """From JSON; ValueError where it is not a sound tail."""
    start, share, shape, scale, count, seen = stored
    parts = (start, share, shape, scale, *seen)
    if not all(type(part) is float and math.isfinite(part) for part in parts) or type(count) is not int:
        raise ValueError("a tail has a part that is no number")
    if not (0 < share <= 1 and 0 <= shape <= 1 and scale > 0 and 0 <= count < MOST_COUNTED and len(seen) <= MOST_SEEN):
        raise ValueError("a tail is out of bounds")
    return Tail(side, start, share, shape, scale, count, tuple(seen))


def surprise_at(confidence: float) -> float:
    """The surprise of a number at the edge of a two-sided range that holds this share of normal ones.

    >>> round(surprise_at(0.999), 2)
    7.6
    """
    return -math.log((1 - confidence) / 2)


def follow(
    gauges: Ints,
    numbers: Floats,
    lows: Floats,
    highs: Floats,
    middles: Floats,
    steps: Floats,
    levels: Floats,
    runs: Ints,
    found: Ints,
    deviations: Floats,
) -> None:
    """Judge numbers in order, each by its gauge, and let the levels follow.

    `gauges`, `numbers`, `found` and `deviations` have a row for each number (written: what is found, and how far it is
    from the level), the others one for each gauge: limits, medians and steps, and the state that is changed.
    """
    for place in range(len(gauges)):
        gauge = gauges[place]
        deviation = numbers[place] - levels[gauge]
        deviations[place] = deviation
        side = 1 if deviation > highs[gauge] else -1 if deviation < lows[gauge] else 0
        found[place] = INSIDE
        if side == 0:
            runs[gauge] = 0
            if deviation > middles[gauge]:
                levels[gauge] += steps[gauge]
            elif deviation < middles[gauge]:
                levels[gauge] -= steps[gauge]
            continue
        found[place] = FLAGGED
        runs[gauge] = runs[gauge] + side if runs[gauge] * side > 0 else side
        if runs[gauge] * side >= SETTLED:
            found[place] = NEW_LEVEL
            runs[gauge] = 0
            levels[gauge] += deviation - middles[gauge]


Follow = Callable[[Ints, Floats, Floats, Floats, Floats, Floats, Floats, Ints, Ints, Floats], None]


def deviations_of(numbers: Floats, known: Floats, run: Follow = follow) -> tuple[Floats, float]:
    """The deviations of numbers, (n,), from a level that follows them, and the level at the end.

    `known` are the numbers that median and spread are taken from: those that may be learnt from.

    >>> deviations_of(np.arange(4.0), np.arange(4.0))[0].round(2).tolist()
    [0.0, 1.0, 2.01, 3.0]
    """
    first, middle, third = (float(number) for number in np.quantile(known, (0.25, 0.5, 0.75)))
    levels, deviations = np.zeros(1), np.empty(len(numbers))
    wide, steps = np.full(1, np.inf), np.full(1, RATE * (third - first) / 2)
    one = np.zeros(len(numbers), np.int64)
    runs, found = np.zeros(1, np.int64), np.empty(len(numbers), np.int64)
    run(one, numbers, -wide, wide, np.full(1, middle), steps, levels, runs, found, deviations)
    return deviations, float(levels[0])


def with_level(gauge: Gauge, level: float, lowest: float) -> Gauge:
    """The gauge, its level at the end of training put there, and the lowest number that it was learnt from."""
    return replace(gauge, level=level, lowest=lowest)


def told_of(gauge: Gauge, deviation: float, farther: float, slack: float = 0.0) -> Gauge:
    """The gauge that was told that a deviation is normal, with all that is nearer to the middle on its side (ours).

    Accepted is `farther` times the distance from where the tail starts, and `slack` more.

    >>> gauge = Gauge.of((7, 1, None), np.concatenate((np.full(50, 19.0), np.full(50, 20.0))), resolution=1.0)
    >>> told_of(gauge, 40.0, farther=1.25).limits(surprise_at(0.999))[1]
    45.0
    """
    known = gauge.told or Told()
    if deviation > gauge.middle:
        reach = gauge.high.start + farther * (deviation - gauge.high.start) + slack
        told = replace(known, high=reach if known.high is None else max(reach, known.high))
    else:
        reach = gauge.low.start - farther * (gauge.low.start - deviation) - slack
        told = replace(known, low=reach if known.low is None else min(reach, known.low))
    return replace(gauge, told=replace(told, reports=known.reports + 1))
