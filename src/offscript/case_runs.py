"""What a second reading of logs keeps track of: clocks, runs of sessions, and what stands around a place (ours)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from offscript.entries import Entry, Verdict

Floats = NDArray[np.float64]
T = TypeVar("T")


@dataclass(slots=True)
class Clock:
    """The clock of one source: the latest stamp so far, or the number of entries where none had a stamp.

    `first` is where it stood at the first entry, the first stamp where there is one.
    """

    now: float = 0.0
    stamped: bool = False
    first: float = 1.0

    def passed(self, stamps: Floats) -> tuple[Floats, int | None]:
        """Move on by entries with these stamps, NaN for none; return the clock at each.

        Also the place of the first stamp of the source, if it is among them: there the clock turns into time.

        >>> Clock().passed(np.array([np.nan, 5.0, 4.0, np.nan, 7.0]))
        (array([1., 5., 5., 5., 7.]), 1)
        """
        known = np.flatnonzero(np.isfinite(stamps))
        plain = np.where(np.isfinite(stamps), stamps, -np.inf)
        if self.stamped:
            clocks, begin = np.maximum(np.maximum.accumulate(plain), self.now), None
        else:
            begin = int(known[0]) if len(known) else None
            counted = len(stamps) if begin is None else begin
            clocks = np.concatenate((self.now + 1.0 + np.arange(counted), np.maximum.accumulate(plain[counted:])))
            if begin is not None:
                self.stamped, self.first = True, float(stamps[begin])
        if len(clocks):
            self.now = float(clocks[-1])
        return clocks, begin


@dataclass(slots=True)
class Run:
    """One session from its first entry to its last: an id that returns after closing begins another run.

    `is_whole` says that the entries kept begin with its first, `has_end` that none after the last of them was left out.
    """

    source: str
    began: float
    last: float
    entries: deque[Entry] = field(default_factory=deque)
    is_whole: bool = True
    has_end: bool = True
    ended: bool = False
    hits: list[Verdict] = field(default_factory=list)

    def add(self, entry: Entry, most: int) -> int:
        """Keep an entry, at most so many: those up to the first verdict go before those after; return the change.

        Once an entry was left out, no later one is kept: what is told of a path has no gaps.
        """
        if not self.has_end:
            return 0
        if len(self.entries) < most:
            self.entries.append(entry)
            return 1
        if self.hits:
            self.has_end = False
        else:
            self.entries.popleft()
            self.entries.append(entry)
            self.is_whole = False
        return 0


class Around(Generic[T]):
    """What stands before and after some places of a stream that comes in pieces."""

    def __init__(self, before: int, after: int) -> None:
        self._before, self._after = before, after
        self._tail: list[T] = []
        self._waiting: list[tuple[list[T], list[T]]] = []
        self.found: dict[str, tuple[list[T], list[T]]] = {}

    def passed(self, count: int, get: Callable[[int], T], marks: Iterable[tuple[int, str]]) -> None:
        """Take a piece of `count` items and the places in it that have a name.

        >>> around = Around[int](2, 1)
        >>> around.passed(3, lambda place: place, [(2, "here")])
        >>> around.passed(3, lambda place: place + 3, [])
        >>> around.found["here"]
        ([0, 1], [3])
        """
        for _, after in self._waiting:
            after += [get(place) for place in range(min(self._after - len(after), count))]
        for place, name in marks:
            before = [*self._tail, *(get(one) for one in range(max(0, place - self._before), place))][-self._before :]
            after = [get(one) for one in range(place + 1, min(count, place + 1 + self._after))]
            self.found[name] = before, after
            self._waiting.append(self.found[name])
        self._waiting = [one for one in self._waiting if len(one[1]) < self._after]
        self._tail = [*self._tail, *(get(one) for one in range(max(0, count - self._before), count))][-self._before :]
