"""Sessions that a person called normal, known by their counts alone: what the profile takes besides training (ours)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from offscript.models.profile import CELLS_KEPT, KEPT, Counts

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ToldSessions:
    """Distinct sessions one after another: `symbols` ascending and the `times` each came, so many `lengths` a session.

    `reports` (n,) says how often each was reported. In which order the symbols came is not known, and not invented.

    >>> told = ToldSessions.none().with_more([{4: 2, 3: 1}, {3: 1, 4: 2}])
    >>> told.counts(6).tolist(), told.reports.tolist()
    ([[0, 0, 0, 1, 2, 0]], [2])
    """

    symbols: Ints
    times: Ints
    lengths: Ints
    reports: Ints

    @classmethod
    def none(cls) -> ToldSessions:
        """No sessions."""
        return cls(*(np.empty(0, np.int32) for _ in cls.__slots__))

    def __len__(self) -> int:
        return len(self.reports)

    def with_more(self, sessions: Sequence[Mapping[int, int]]) -> ToldSessions:
        """These sessions and others, each told once: how often each symbol came in it."""
        reports: dict[tuple[tuple[int, int], ...], int] = {}
        begin = 0
        for length, count in zip(self.lengths.tolist(), self.reports.tolist(), strict=True):
            here = slice(begin, begin + length)
            reports[tuple(zip(self.symbols[here].tolist(), self.times[here].tolist(), strict=True))] = count
            begin += length
        for session in sessions:
            name = tuple(sorted(session.items()))
            reports[name] = reports.get(name, 0) + 1
        pairs = np.array([pair for name in reports for pair in name], np.int32).reshape(-1, 2)
        lengths, counts = (np.array(list(some), np.int32) for some in (map(len, reports), reports.values()))
        return ToldSessions(pairs[:, 0].copy(), pairs[:, 1].copy(), lengths, counts)

    def counts(self, symbols: int) -> Counts:
        """How often each symbol came in each session, (n, symbols)."""
        found = np.zeros((len(self), symbols), np.int32)
        found[np.repeat(np.arange(len(self)), self.lengths), self.symbols] = self.times
        return found

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """By name; none where nothing was told."""
        return {f"told.{name}": getattr(self, name) for name in self.__slots__} if len(self) else {}


def room_for_told(symbols: int) -> int:
    """How many told sessions a profile has room for besides its own: as many as these may be."""
    return min(KEPT, max(1, CELLS_KEPT // symbols))
