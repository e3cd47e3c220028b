"""Learning the value models: gauges and word lists from vectors, judged out of fold for calibration (ours).

Each part is learnt once from all vectors and once without each fold of the sessions; what the latter say of that fold
is what the thresholds are set by, as for the key model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.models.calibrate import Scores
from offscript.models.gauges import Follow, Gauge, deviations_of, follow, surprise_at, with_level
from offscript.models.tails import LEAST_SHARE, OUTLYING, Floats, Tail, outliers_of, resolution_of
from offscript.models.values import FRESH_LOWEST, ValueModel, WordList
from offscript.models.vectors import FEWEST, TIME, Ints, LeftOut, Place, Vectors, sort_of

LATE: Final = 2
"""Words that are new in the last half of the lines show how a vocabulary grows: at its start every word is new."""


TIMES, NUMBERS, NEW_WORDS = 1, 2, 3
"""Groups of detectors, besides that of the key model: each has outliers of its own sort."""


LEARN_SHARE: Final = 0.7
"""Share of the numbers, the earlier ones, that a choice is learnt from; the later ones decide it."""

SURELY: Final = 2.0
"""Standard errors by which a choice must be better than the simpler one."""

LEAST_GAIN: Final = 0.05
"""Nats a number by which it must be better, too: less is not worth another part of the model."""

LEAST_WIDTH: Final = 1e-9
"""Width of a range of numbers that are all equal."""


class Series(NamedTuple):
    """The numbers of one gauge to be, in time order: the unit of each, and which of them it is to judge.

    A gauge of all numbers of a place is learnt from all, and judges those that have none of their own. The level of a
    `still` one does not move: numbers after different keys have none in common.
    """

    key: int
    place: int
    after: int | None
    unit_name: str
    seconds: float
    numbers: Floats
    unit: Ints
    judged: NDArray[np.bool_]
    still: bool
    resolution: float


class Words(NamedTuple):
    """The words at one place of a key, in time order, by code; and the unit of each."""

    key: int
    place: int
    words: tuple[str, ...]
    codes: NDArray[np.int32]
    unit: Ints


@dataclass
class ValueLessons:
    """The vectors of all keys, to be learnt beside a key model; `model` is there once the thresholds are set.

    `units` is how many sessions (or entries) there are. `run` may be the compiled twin of `follow`.
    """

    vectors: Sequence[Vectors]
    units: int
    confidence: float
    run: Follow = follow
    model: ValueModel | None = None

    def __post_init__(self) -> None:
        """Sort the places."""
        self._series: list[Series] = []
        self._words: list[Words] = []
        self._left_out: list[LeftOut] = []
        for vectors in self.vectors:
            self._sort(vectors)

    def _sort(self, vectors: Vectors) -> None:
        if len(vectors) < FEWEST:
            self._left_out.append(LeftOut(vectors.key, TIME, f"only {len(vectors)} lines"))
            return
        self._series += times_of(vectors)
        for place in range(1, vectors.numbers.shape[1]):
            sort = sort_of(vectors, place)
            if sort == "range":
                self._series += numbers_of(vectors, place)
            elif sort == "words":
                words = vectors.places[place - 1].words
                self._words.append(Words(vectors.key, place, words, vectors.texts[:, place - 1], vectors.unit))
            else:
                self._left_out.append(LeftOut(vectors.key, place, sort))

    def held_out(self, fold: Ints, folds: int) -> list[Scores]:
        """The highest surprise in each unit by what was learnt without its fold, (units,); `fold` -1: not judged."""
        times, numbers, words = np.zeros((3, self.units))
        # few outliers of a fold more or less would measure it and what is judged later by different tails
        outliers = outliers_among(self._learnt)
        for one in range(folds):
            self._judge_fold(times, numbers, fold, one, outliers)
        for listed in self._words:
            np.maximum.at(words, listed.unit, _fresh_surprises(listed, fold[listed.unit], folds))
        lowest = surprise_at(self.confidence)
        given = ((times, lowest, TIMES), (numbers, lowest, NUMBERS), (words, FRESH_LOWEST, NEW_WORDS))
        return [Scores(raw, least, max(least, 2 * float(raw.max(initial=0.0))), group) for raw, least, group in given]

    def take(self, thresholds: Sequence[float]) -> None:
        """Make the model, learnt from all vectors, with the thresholds of times, other numbers and new words."""
        gauges = tuple(one.gauge for one in self._learnt)
        lists = tuple(word_list(one, np.ones(len(one.unit), bool)) for one in self._words)
        outliers = outliers_among(self._learnt)
        left_out = tuple(self._left_out)
        times, numbers, words = thresholds
        self.model = ValueModel(gauges, lists, left_out, outliers, times, numbers, words, self.confidence)

    @cached_property
    def _learnt(self) -> list[Learnt]:
        """The gauges learnt from all vectors."""
        return [Learnt.of(series, np.ones(len(series.unit), bool), self.run) for series in self._series]

    def _judge_fold(self, times: Floats, numbers: Floats, fold: Ints, one: int, outliers: Tail | None) -> None:
        """Raise the surprises of each unit of a fold to the highest of its numbers, by what the others teach."""
        learnt = []
        for series in self._series:
            known = (fold[series.unit] != one) & (fold[series.unit] >= 0)
            if known.sum() >= FEWEST:
                learnt.append(Learnt.of(series, known, self.run))
        for each in learnt:
            here = (fold[each.series.unit] == one) & each.series.judged
            surprises = each.gauge.surprises(each.deviations[here], outliers)
            np.maximum.at(times if each.gauge.seconds else numbers, each.series.unit[here], surprises)


class Learnt(NamedTuple):
    """A gauge, learnt from those numbers of a series that are `known`, and the deviations of all."""

    series: Series
    known: NDArray[np.bool_]
    gauge: Gauge
    deviations: Floats

    @classmethod
    def of(cls, series: Series, known: NDArray[np.bool_], run: Follow) -> Learnt:
        """Learn a gauge."""
        if series.still:
            deviations, level = series.numbers, 0.0
        else:
            deviations, level = deviations_of(series.numbers, series.numbers[known], run)
        gauge = Gauge.of(
            (series.key, series.place, series.after),
            deviations[known],
            resolution=series.resolution,
            unit=series.unit_name,
            seconds=series.seconds,
            still=series.still,
        )
        return cls(series, known, with_level(gauge, level, float(series.numbers[known].min())), deviations)


def outliers_among(learnt: Sequence[Learnt]) -> Tail | None:
    """The tail of the outliers among the known times of all gauges, by how far they are beyond their tails' starts.

    A machine that pauses does so at any step: how rarely, and for how long, is learnt from all steps together.
    """
    found, count = [], 0
    for one in learnt:
        if not one.gauge.seconds:
            continue
        deviations = one.deviations[one.known & one.series.judged]
        # by the tail alone: what was seen bounds the surprise of what is known
        alone = replace(one.gauge.high, seen=())
        beyond = (deviations - alone.start)[alone.surprises(deviations) > OUTLYING]
        found.append(beyond * one.gauge.outlying)
        count += len(deviations)
    return outliers_of(np.concatenate(found), count) if found else None


def times_of(vectors: Vectors) -> Iterator[Series]:
    """The elapsed times of a key: those after each key that came before it often enough, and all of them."""
    held = ~np.isnan(vectors.numbers[:, TIME])
    if held.sum() >= FEWEST:
        yield from _by_key_before(vectors, TIME, held, Place(unit="s", seconds=1.0))


def numbers_of(vectors: Vectors, place: int) -> Iterator[Series]:
    """The numbers at a place: by the key before where that makes held-out ones likelier, else all as one series."""
    held = ~np.isnan(vectors.numbers[:, place])
    numbers, about = vectors.numbers[held, place], vectors.places[place - 1]
    if tells_more(numbers, vectors.before[held]):
        yield from _by_key_before(vectors, place, held, about)
    else:
        all_of_them = np.ones(len(numbers), bool)
        yield _series(vectors, place, None, held, about, all_of_them)


def _by_key_before(vectors: Vectors, place: int, held: NDArray[np.bool_], about: Place) -> Iterator[Series]:
    before = vectors.before[held]
    keys, counts = np.unique(before, return_counts=True)
    own = keys[counts >= FEWEST]
    # all of them together judge those that come after another key
    yield _series(vectors, place, None, held, about, ~np.isin(before, own), still=True)
    for after in own.tolist():
        here = held & (vectors.before == after)
        yield _series(vectors, place, after, here, about, np.ones(int(here.sum()), bool))


def _series(
    vectors: Vectors,
    place: int,
    after: int | None,
    held: NDArray[np.bool_],
    about: Place,
    judged: NDArray[np.bool_],
    *,
    still: bool = False,
) -> Series:
    numbers, unit = vectors.numbers[held, place], vectors.unit[held]
    name = (vectors.key, place, after)
    return Series(*name, about.unit, about.seconds, numbers, unit, judged, still, resolution_of(numbers))


def tells_more(numbers: Floats, before: Ints) -> bool:
    """Whether the key before makes the later numbers likelier, all having been seen of the earlier ones (ours).

    Ranges and tails are learnt from the first part of the log, with and without the key before, and predict the rest.
    The gain must be beyond what chance gives.

    >>> two = np.tile([1.0, 1.1, 9.0, 9.1], 50)
    >>> tells_more(two, np.tile([5, 5, 6, 6], 50)), tells_more(two, np.tile([5, 6], 100))
    (True, False)
    """
    cut = int(LEARN_SHARE * len(numbers))
    keys, counts = np.unique(before[:cut], return_counts=True)
    often = keys[counts >= FEWEST].tolist()
    if len(keys) == 1 or not often or len(numbers) - cut < FEWEST:
        return False
    resolution = resolution_of(numbers)
    gains = np.zeros(len(numbers) - cut)
    plain = costs_of(numbers[:cut], numbers[cut:], resolution)
    for key in often:
        here = before[cut:] == key
        gains[here] = plain[here] - costs_of(numbers[:cut][before[:cut] == key], numbers[cut:][here], resolution)
    return bool(gains.mean() > max(LEAST_GAIN, SURELY * gains.std() / np.sqrt(len(gains))))


def costs_of(known: Floats, later: Floats, resolution: float) -> Floats:
    """Minus the logarithm of the density of later numbers, (n,): even between the tails of the known ones."""
    gauge = Gauge.of((0, 1, None), known, resolution=resolution, still=True)
    low, high = gauge.low, gauge.high
    width = max(high.start - low.start, resolution, LEAST_SHARE * abs(gauge.middle), LEAST_WIDTH)
    costs = np.full(len(later), np.log(width / (1 - low.share - high.share)))
    for tail in (low, high):
        beyond = (later - tail.start) * tail.side
        steps = np.maximum(beyond, 0.0) / tail.scale
        thinner = (1 + 1 / tail.shape) * np.log1p(tail.shape * steps) if tail.shape else steps
        costs = np.where(beyond > 0, np.log(tail.scale / tail.share) + thinner, costs)
    return np.asarray(costs)


def word_list(words: Words, learnt: NDArray[np.bool_]) -> WordList:
    """The word list of the lines to learn from, in time order; `late` are those with a word new in their last half.

    >>> lines = Words(1, 1, ("up", "down"), np.array([0, 0, 1, 0], np.int32), np.arange(4))
    >>> word_list(lines, np.ones(4, bool))
    WordList(key=1, place=1, known=('up', 'down'), learnt_from=4, late=1)
    """
    codes = words.codes[learnt]
    found, firsts = np.unique(codes, return_index=True)
    late = int((firsts >= len(codes) - len(codes) // LATE).sum())
    return WordList(words.key, words.place, tuple(words.words[code] for code in found.tolist()), len(codes), late)


def _fresh_surprises(words: Words, fold: Ints, folds: int) -> Floats:
    found = np.zeros(len(fold))
    for one in range(folds):
        others, here = (fold != one) & (fold >= 0), fold == one
        if others.sum() < FEWEST or not here.any():
            continue
        fresh = here & ~np.isin(words.codes, words.codes[others])
        found[fresh] = word_list(words, others).surprise
    return found
