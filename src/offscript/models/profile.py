"""The session profile: how often each key came in a whole session, against the nearest normal session (ours).

A history of h keys cannot see that a loop ran far too long, or that a step of long ago never came; counts can. What a
difference weighs is learnt from how normal sessions differ among themselves.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from offscript.models.pairs import Symbols, unique_rows

Counts: TypeAlias = npt.NDArray[np.int32]
Floats: TypeAlias = npt.NDArray[np.float64]

KEPT = 5_000
"""Distinct count vectors kept, the most frequent first: 4,855 sessions of HDFS have some 60, 19,571 about 80; where all
sessions differ, more would cost much and hardly be nearer (ours)."""

CELLS_KEPT = 1 << 24
"""Counts kept, 64 MiB: with more than 3,000 symbols fewer vectors are (ours)."""

CELLS_AT_ONCE = 1 << 16
"""Distances held at once, 512 KiB: they then stay near the processor (ours)."""

EXAMINED = 500
"""Vectors whose nearest other says how normal sessions differ: enough for a surprise of log 500 (ours)."""

CACHE_BYTES = 16 << 20
"""Memory for remembered distances: about 70,000 distinct count vectors with 32 symbols."""

LOWEST = math.log(2) * math.log(4 / 3)
"""Distances below this are always on script: a third repetition where two are known, of a key whose count differs in
half of the nearest sessions (ours)."""

LEAST_WEIGHT = LOWEST
"""No key weighs less, however its count varies: a loop some three times longer than any is then never on script by
`LOWEST` alone (ours)."""

AGREED = 3
"""Told sessions, different in all else, that make normal wherever it comes what they have in common, as a line that
came with a release: one may be an exception, and so may two of a kind (ours)."""

TIE = 1e-9
"""Distances this close are equal: sums of the same terms in another order."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How often a symbol came in a session, and how often (`low` to `high`) in normal ones alike in all else.

    >>> Difference(symbol=5, count=3, low=1, high=1).high
    1
    """

    symbol: int
    count: int
    low: int
    high: int


class Profile:
    """The distinct count vectors of normal sessions: `vectors` (d, symbols), and `units` (d,) sessions of each.

    The last of them are those that a person called normal. They change no weight, so no distance grows by them. Where
    nothing but the lengths of loops sets one apart from the nearest other, or where AGREED of them are set apart by the
    same counts, these are normal wherever they come: a session that has them may as well be held against the others
    without that difference.

    The distance of two sessions is the sum over symbols of gap x weight. The gap is the difference of log(1 + count):
    from none to one it is large, from 20 to 21 small. The weight is the surprise, in nats, of meeting a gap there
    between a normal session and its nearest other: a count that never varies weighs most, that of a loop little.

    >>> normal = [np.array([3, 4, 4], np.int32), np.array([3, 4, 4, 4], np.int32)]
    >>> profile = Profile.of(normal, np.array([8, 9]), symbols=5, threshold=0.5)
    >>> profile.scores(counts_of([np.array([4, 3, 4]), np.array([3] + [4] * 4), np.array([4, 4])], 5)).round(1).tolist()
    [0.0, 0.1, 1.9]
    """

    def __init__(
        self,
        vectors: Counts,
        units: npt.NDArray[np.int64],
        threshold: float,
        *,
        told: Counts | None = None,
    ) -> None:
        self._learnt = vectors
        told = vectors[:0] if told is None else told
        self.vectors = np.concatenate((vectors, told))
        self.units = np.concatenate((units, np.ones(len(told), np.int64)))
        self.threshold = threshold
        self._remembered: dict[bytes, float] = {}
        self._room = CACHE_BYTES // (4 * vectors.shape[1] + 100)

    @classmethod
    def of(
        cls,
        sessions: Sequence[Symbols],
        units: npt.NDArray[np.integer[Any]],
        symbols: int,
        threshold: float,
        *,
        told: Counts | None = None,
    ) -> Profile:
        """The profile of sessions, each seen so many times: `units` (n,); at most KEPT and CELLS_KEPT are kept.

        Those `told` (t, symbols) are kept besides, all of them: sessions that a person called normal.
        """
        alike, number = alike_sessions(sessions)
        total = np.bincount(number, units, len(alike)).astype(np.int64)
        most = min(KEPT, max(1, CELLS_KEPT // symbols))
        kept = np.sort(np.argsort(-total, kind="stable")[:most])
        return cls(counts_of([alike[place] for place in kept], symbols), total[kept], threshold, told=told)

    def raw(self, counts: Counts) -> Floats:
        """The distance of each session to the nearest normal one: (n, symbols) -> (n,)."""
        distinct, number = unique_rows(counts)
        names = [row.tobytes() for row in distinct]
        # taken at once: another thread, which trains an update, may let the memory begin anew meanwhile
        known = [self._remembered.get(name) for name in names]
        missing = [place for place, value in enumerate(known) if value is None]
        found = {}
        if missing:
            nearest = np.concatenate([part.min(axis=1) for part in self._distances(distinct[missing])])
            nearest = self._without_told(distinct[missing], nearest)
            found = {names[place]: float(value) for place, value in zip(missing, nearest, strict=True)}
        values = [found[name] if value is None else value for name, value in zip(names, known, strict=True)]
        if len(self._remembered) + len(found) > self._room:
            self._remembered.clear()
        if len(found) <= self._room:
            self._remembered.update(found)
        return np.array(values, np.float64)[number]

    def _without_told(self, counts: Counts, nearest: Floats) -> Floats:
        """The distances of sessions, those that are less without a difference that a person called normal lowered."""
        for symbols, told, more in self._agreed:
            here = np.flatnonzero((counts[:, symbols] == told).all(axis=1) & (nearest > 0))
            if len(here):
                others = counts[here]
                others[:, symbols] -= more
                found = np.concatenate([part.min(axis=1) for part in self._distances(others, self._weighted_learnt)])
                nearest[here] = np.minimum(nearest[here], found)
        return nearest

    def scores(self, counts: Counts) -> Floats:
        """The score of each session, 1.0 is the threshold: (n, symbols) -> (n,)."""
        return self.raw(counts) / self.threshold

    def differences(self, counts: Counts) -> tuple[Difference, ...]:
        """What sets a session, (symbols,), apart from the nearest normal one, what weighs most first."""
        distances = next(self._distances(counts[None]))[0]
        near = np.flatnonzero(distances <= distances.min() + TIE)
        normal = self.vectors[near[self.units[near].argmax()]]
        cost = self.weights * np.abs(np.log1p(counts) - np.log1p(normal))
        differs = self.vectors != normal
        others = differs.sum(axis=1)
        found = []
        for symbol in sorted(np.flatnonzero(counts != normal).tolist(), key=lambda symbol: -cost[symbol]):
            alike = self.vectors[others == differs[:, symbol], symbol]
            low, high, count = int(alike.min()), int(alike.max()), int(counts[symbol])
            if low <= count <= high:  # never seen, between two counts that were
                low = high = int(normal[symbol])
            found.append(Difference(symbol, count, low, high))
        return tuple(found)

    @cached_property
    def weights(self) -> Floats:
        """What a gap weighs at each symbol, (symbols,): minus the logarithm of how often nearest sessions differ there.

        Each vector that was learnt counts once. Of many, EXAMINED evenly chosen ones are asked for their nearest other;
        one with several nearest asks them all.
        """
        logs = np.log1p(self._learnt)
        whole = min(EXAMINED, len(logs))
        differ = np.zeros(logs.shape[1])
        for place in np.arange(whole) * len(logs) // whole if len(logs) > 1 else ():
            gaps = np.abs(logs - logs[place])
            far = gaps.sum(axis=1)
            far[place] = np.inf
            differ += (gaps[far <= far.min() + TIE] > 0).mean(axis=0)
        weights: Floats = np.maximum(np.log((whole + 2) / (differ + 1)), LEAST_WEIGHT)
        return weights

    @cached_property
    def _weighted(self) -> Floats:
        """The weighted logarithms, one row a symbol: (symbols, d)."""
        return np.ascontiguousarray((np.log1p(self.vectors) * self.weights).T)

    @property
    def _weighted_learnt(self) -> Floats:
        """The same of the vectors that were learnt."""
        return self._weighted[:, : len(self._learnt)]

    @cached_property
    def _agreed(self) -> list[tuple[npt.NDArray[np.intp], Counts, Counts]]:
        """What sets told sessions apart: symbols, the counts there, and how many more than the nearest learnt one.

        Of several nearest ones that with the lowest counts. Only lengths of loops, and what AGREED told sessions share.
        """
        found: dict[tuple[bytes, bytes], tuple[npt.NDArray[np.intp], Counts, Counts]] = {}
        sharing: Counter[tuple[bytes, bytes]] = Counter()
        others = self.vectors[len(self._learnt) :]
        if not len(others):
            return []
        far = chain.from_iterable(self._distances(others, self._weighted_learnt))
        for told, distances in zip(others, far, strict=True):
            near = self._learnt[np.flatnonzero(distances <= distances.min() + TIE)]
            nearest = min(near, key=np.ndarray.tolist)
            symbols = np.flatnonzero(told - nearest)
            if len(symbols):
                name = symbols.tobytes(), told[symbols].tobytes()
                are_loops = bool((np.minimum(told, nearest)[symbols] > 0).all())
                sharing[name] += AGREED if are_loops else 1
                found[name] = symbols, told[symbols], (told - nearest)[symbols]
        return [one for name, one in found.items() if sharing[name] >= AGREED]

    def _distances(self, counts: Counts, normal: Floats | None = None) -> Iterator[Floats]:
        """The distance of each session to each vector, (n, d), some sessions at a time; or to those of `normal`."""
        normal = self._weighted if normal is None else normal
        step = max(1, CELLS_AT_ONCE // normal.shape[1])
        for start in range(0, len(counts), step):
            mine = (np.log1p(counts[start : start + step]) * self.weights).T
            total = np.zeros((mine.shape[1], normal.shape[1]))
            gap = np.empty_like(total)
            for symbol in np.flatnonzero(mine.any(axis=1) | normal.any(axis=1)):
                np.subtract(mine[symbol][:, None], normal[symbol][None, :], out=gap)
                total += np.abs(gap, out=gap)
            yield total


def counts_of(sessions: Sequence[npt.NDArray[np.integer[Any]]], symbols: int) -> Counts:
    """How often each symbol comes in each session: (n, symbols).

    >>> counts_of([np.array([3, 4, 3])], 5).tolist()
    [[0, 0, 0, 2, 1]]
    """
    lengths = np.fromiter(map(len, sessions), np.int64, len(sessions))
    owner = np.repeat(np.arange(len(sessions)), lengths)
    tape = np.concatenate([np.empty(0, np.int64), *sessions]).astype(np.int64)
    flat = np.bincount(owner * symbols + tape, minlength=len(sessions) * symbols)
    return flat.reshape(len(sessions), symbols).astype(np.int32)


def alike_sessions(sessions: Sequence[Symbols]) -> tuple[list[Symbols], npt.NDArray[np.int64]]:
    """The distinct sessions when order does not count, symbols ascending, and the number of each session's, (n,).

    >>> alike_sessions([np.array([4, 3], np.int32), np.array([3, 4], np.int32)])[1].tolist()
    [0, 0]
    """
    names = [np.sort(np.asarray(session, np.int32)).tobytes() for session in sessions]
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    alike = [np.frombuffer(name, np.int32) for name in numbers]
    return alike, np.array([numbers[name] for name in names], np.int64)
