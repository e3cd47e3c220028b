"""Whether the network of a key knows more of its numbers than their level and range do (ours; DESIGN section 6).

A network is worth its cost only where held-out numbers are likelier by it. Both are asked the same: range and tails of
what is left over, a number less its level or less its prediction, are learnt from the first part of the log and predict
the last. Where gauges tell numbers apart by the key before, both do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.models.gauges import Follow, deviations_of, follow
from offscript.models.tails import resolution_of
from offscript.models.value_lessons import LEAST_GAIN, SURELY, costs_of, tells_more
from offscript.models.value_lstm import LEARN_SHARE
from offscript.models.value_network import ValueNetwork
from offscript.models.vectors import FEWEST, TIME, Vectors

Rows = NDArray[np.intp]


class Gain(NamedTuple):
    """How much likelier, in nats a number, the network makes the `held_out` numbers at a place of a key.

    `error` is the standard error of `nats`.

    >>> [Gain(7, 1, nats=0.3, error=error, held_out=40).is_worth_it for error in (0.1, 0.2)]
    [True, False]
    """

    key: int
    place: int
    nats: float
    error: float
    held_out: int

    @property
    def is_worth_it(self) -> bool:
        """Whether the gain is beyond what chance gives, and enough for another part of the model."""
        return self.nats > max(LEAST_GAIN, SURELY * self.error)


def nats_gained(network: ValueNetwork, vectors: Vectors, run: Follow = follow) -> list[Gain]:
    """The gain of a network over levels and ranges at each of its places, on the last part of its key's vectors.

    That part taught the network nothing. `run` may be the compiled twin of `follow`.

    >>> from offscript.models.value_network import untrained
    >>> lines = np.arange(80)
    >>> vectors = Vectors(7, lines, lines, 1.0 * (lines % 2)[:, None], np.empty((80, 0), np.int32), ())
    >>> nats_gained(untrained(7, (0,), np.zeros(1), np.ones(1), seed=0), vectors)[0].is_worth_it
    False
    """
    predicted = network.predictions(vectors.numbers[:, network.places])
    cut = int(LEARN_SHARE * len(vectors))
    found = []
    for place, expected in zip(network.places, predicted.T, strict=True):
        numbers = vectors.numbers[:, place]
        held = np.flatnonzero(np.isfinite(numbers))
        # no spread is less than a share of the number itself: what is left over must be about as large as that
        left_over = numbers - expected + np.median(numbers[held[held < cut]])
        resolution = resolution_of(numbers[held])
        gains = np.full(len(numbers), np.nan)
        for rows, late, is_still in _groups(vectors, place, held, cut):
            known = rows[rows < cut]
            plain = numbers[rows]
            if not is_still:
                plain = deviations_of(plain, numbers[known], run)[0]
            known_plain, late_plain = plain[rows < cut], plain[np.isin(rows, late)]
            gains[late] = costs_of(known_plain, late_plain, resolution)
            gains[late] -= costs_of(left_over[known], left_over[late], resolution)
        judged = gains[~np.isnan(gains)]
        error = float(judged.std() / np.sqrt(len(judged)))
        found.append(Gain(network.key, place, float(judged.mean()), error, len(judged)))
    return found


def _groups(vectors: Vectors, place: int, held: Rows, cut: int) -> Iterator[tuple[Rows, Rows, bool]]:
    """The rows that one gauge learns from, the late ones that it judges, and whether its level stands still.

    As `value_lessons` makes them of the whole log, here of what the first part shows.
    """
    before = vectors.before[held]
    known = held < cut
    if place != TIME and not tells_more(vectors.numbers[held[known], place], before[known]):
        yield held, held[~known], False
        return
    keys, counts = np.unique(before[known], return_counts=True)
    own = keys[counts >= FEWEST]
    yield held, held[~known & ~np.isin(before, own)], True
    for key in own.tolist():
        rows = held[before == key]
        yield rows, rows[rows >= cut], False
