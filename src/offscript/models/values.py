"""The value models: what times and values are normal for each key, each with one score (CCS 2017 section 3.2; ours).

Numbers are judged by gauges, words by word lists; both say how improbable what came is, as a surprise in nats. Two
thresholds, calibrated on held-out sessions together with those of the key model, make scores of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np

from offscript.models.gauges import MOST_COUNTED, RATE, Gauge, surprise_at, tail_from_list, tail_to_list
from offscript.models.tails import Floats, Tail
from offscript.models.vectors import TIME, LeftOut

FRESH_LOWEST: Final = -math.log(0.01)
"""Surprise of a new word below which it is never flagged: a list that one line in a hundred adds to is not closed."""

SCORE_LIMIT: Final = 99.0
"""No score is above it, as for keys in the wrong place: a line never seen before scores 100, and ranks first."""

NO_GAUGE: Final = -1

UNREACHED: Final = 1e300
"""A threshold that no surprise reaches: where nothing was held out to calibrate on."""


@dataclass(frozen=True, slots=True)
class WordList:
    """The words that were met at a place of a key, and the surprise of another one.

    >>> WordList(3, 1, ("up", "down"), 400).surprise > 5
    True
    """

    key: int
    place: int
    known: tuple[str, ...]
    learnt_from: int
    late: int = 0

    @property
    def surprise(self) -> float:
        """Minus the logarithm of the share of lines with a new word: as in the later half of training, `late` times."""
        return -math.log((self.late + 0.5) / (self.learnt_from / 2 + 1))


@dataclass(frozen=True)
class ValueModel:
    """What times and values are normal; immutable. `ValueModel()` flags nothing.

    `outliers` are those that any time may have. `time_threshold` is the surprise of a time that scores
    1.0, `threshold` that of another number, `fresh_threshold` that of a new word; `confidence` is that of the ranges
    told, within which nothing is flagged.
    """

    gauges: tuple[Gauge, ...] = ()
    lists: tuple[WordList, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    outliers: Tail | None = None
    time_threshold: float = UNREACHED
    threshold: float = UNREACHED
    fresh_threshold: float = UNREACHED
    confidence: float = 0.999
    _numbers: dict[tuple[int, int, int | None], int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Number the gauges by what they judge."""
        numbers = {(one.key, one.place, one.after): number for number, one in enumerate(self.gauges)}
        object.__setattr__(self, "_numbers", numbers)

    @property
    def judges(self) -> bool:
        """Whether there is anything to judge by."""
        return bool(self.gauges or self.lists)

    def gauge_of(self, key: int, place: int, after: int) -> int:
        """The number of the gauge of a place, after a key; `NO_GAUGE` where too little was seen of it."""
        own = self._numbers.get((key, place, after))
        return own if own is not None else self._numbers.get((key, place, None), NO_GAUGE)

    @cached_property
    def places(self) -> tuple[tuple[int, int], ...]:
        """The key and place of each number that is judged, in order; times between entries are not among them."""
        return tuple(sorted({(gauge.key, gauge.place) for gauge in self.gauges if gauge.place != TIME}))

    @property
    def named_places(self) -> frozenset[tuple[int, int]]:
        """The key and place of all that is judged or left out; place 0 is the time."""
        return frozenset((one.key, one.place) for part in (self.gauges, self.lists, self.left_out) for one in part)

    def threshold_of(self, gauge: Gauge) -> float:
        """The surprise that scores 1.0 on a gauge."""
        return self.time_threshold if gauge.seconds else self.threshold

    @cached_property
    def limits(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Of each gauge: lowest and highest deviation not flagged, median, and step of the level."""
        rows = [
            (*one.limits(self.threshold_of(one), self.outliers), one.middle, RATE * one.spread) for one in self.gauges
        ]
        columns = np.array(rows, np.float64).reshape(-1, 4).T
        return columns[0].copy(), columns[1].copy(), columns[2].copy(), columns[3].copy()

    @cached_property
    def levels(self) -> Floats:
        """Where the levels of the gauges start."""
        return np.array([one.level for one in self.gauges], np.float64)

    def score(self, gauge: int, deviation: float) -> float:
        """The score of a deviation that passed a limit: 1.0 or more."""
        one = self.gauges[gauge]
        return min(max(1.0, one.surprise(deviation, self.outliers) / self.threshold_of(one)), SCORE_LIMIT)

    def fresh_score(self, number: int) -> float:
        """The score of a new word of a list; below 1.0 it is not flagged."""
        return min(self.lists[number].surprise / self.fresh_threshold, SCORE_LIMIT)

    def normal_range(self, gauge: int, level: float) -> tuple[float, float]:
        """What is told to be normal: the range at `confidence` about a level; what is never negative stays so."""
        one = self.gauges[gauge]
        low, high = one.limits(surprise_at(self.confidence), self.outliers)
        low, high = low + level, high + level
        return (max(0.0, low) if one.place == TIME or one.lowest >= 0 else low), high

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "gauges": [gauge.to_dict() for gauge in self.gauges],
            "lists": [
                {"key": o.key, "place": o.place, "known": list(o.known), "lines": o.learnt_from, "late": o.late}
                for o in self.lists
            ],
            "left_out": [[one.key, one.place, one.reason] for one in self.left_out],
            "outliers": None if self.outliers is None else tail_to_list(self.outliers),
            "time_threshold": self.time_threshold,
            "threshold": self.threshold,
            "fresh_threshold": self.fresh_threshold,
            "confidence": self.confidence,
        }

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> ValueModel:
        """From JSON; an exception of `model._DAMAGE` where it is not sound."""
        names = ("time_threshold", "threshold", "fresh_threshold", "confidence")
        thresholds = [stored[name] for name in names]
        if not all(type(one) is float and 0 < one < math.inf for one in thresholds) or not thresholds[-1] < 1:
            raise ValueError("a threshold of values is out of bounds")
        gauges = tuple(Gauge.from_dict(one) for one in stored["gauges"])
        if len({(one.key, one.place, one.after) for one in gauges}) != len(gauges):
            raise ValueError("two gauges judge the same")
        lists = tuple(_list_from(one) for one in stored["lists"])
        left_out = tuple(_left_out_from(*one) for one in stored["left_out"])
        outliers = None if stored["outliers"] is None else tail_from_list(1, stored["outliers"])
        return cls(gauges, lists, left_out, outliers, *thresholds)


def _list_from(stored: dict[str, Any]) -> WordList:
    key, place, known, lines, late = (stored[name] for name in ("key", "place", "known", "lines", "late"))
    whole = (key, place, lines, late)
    if not all(type(one) is int and 0 <= one < MOST_COUNTED for one in whole):
        raise ValueError("a word list has a part that is no whole number")
    if type(known) is not list or not all(type(word) is str for word in known):
        raise ValueError("a word list has a part of another kind")
    if late > lines:
        raise ValueError("a word list has more new words than lines")
    return WordList(key, place, tuple(known), lines, late)


def _left_out_from(key: object, place: object, reason: object) -> LeftOut:
    if type(key) is not int or type(place) is not int or type(reason) is not str:
        raise ValueError("a place that is left out is not named")
    return LeftOut(key, place, reason)
