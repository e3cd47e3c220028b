"""Slow, obvious versions of opening and closing sessions, of the time-out, of the code length, and of histories."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import numpy as np

from offscript.entries import START
from offscript.parse.learn import Row


@dataclass
class NaiveSession:
    """A session as the places of its entries among all the signs of life of its source."""

    source: str
    id: str
    instance: int
    entries: list[int] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)


class NaiveSessions:
    """`OpenSessions` by looking through everything, every time."""

    def __init__(self, timeout: float | None, max_open: int) -> None:
        self.timeout = timeout
        self.max_open = max_open
        self.overflow = 0
        self.signs: dict[str, list[float | None]] = {}
        self.opened: list[str] = []
        self.open: list[NaiveSession] = []
        self.entered = 0

    def clock(self, source: str, signs: int | None = None) -> float:
        """Tell the clock after the first so many signs of a source: the maximum stamp, or the number of lines."""
        seen = self.signs[source][:signs]
        stamps = [stamp for stamp in seen if stamp is not None]
        return float(max(stamps)) if stamps else float(len(seen))

    def last(self, session: NaiveSession, which: int = -1) -> float:
        """Tell the clock of a session's last entry (or another); the first stamp counts for all entries before it."""
        signs = self.signs[session.source]
        first_stamp = next((at for at, stamp in enumerate(signs) if stamp is not None), 0)
        return self.clock(session.source, max(session.entries[which], first_stamp + 1))

    def closing_time(self, session: NaiveSession) -> float:
        """Tell when a session closes if nothing more comes."""
        return self.last(session) + (math.inf if self.timeout is None else self.timeout)

    def advance(self, source: str, time: float | None) -> list[tuple[object, ...]]:
        """Take a line of a source."""
        self.signs.setdefault(source, []).append(time)
        return self.close(source)

    def tick(self, time: float) -> list[tuple[object, ...]]:
        """Take the time of the edge."""
        closed: list[tuple[object, ...]] = []
        for source, signs in self.signs.items():
            if any(stamp is not None for stamp in signs):
                signs.append(time)
                closed += self.close(source)
        return sorted(closed)

    def close(self, source: str) -> list[tuple[object, ...]]:
        """Close what is idle in a source, in closing order."""
        idle = [one for one in self.open if one.source == source and self.closing_time(one) < self.clock(source)]
        self.open = [one for one in self.open if one not in idle]
        return sorted(self.closed_row(one, self.closing_time(one)) for one in idle)

    def closed_row(self, session: NaiveSession, at: float) -> tuple[object, ...]:
        """Write what is compared of a closed session."""
        first, last = self.last(session, 0), self.last(session)
        return (at, session.source, session.id, session.instance, len(session.entries), first, last)

    def enter(self, source: str, id: str) -> None:  # noqa: A002
        """Take an entry of a session."""
        self.entered += 1
        found = next((one for one in self.open if (one.source, one.id) == (source, id)), None)
        if found is None:
            self.opened.append(source)
            found = NaiveSession(source, id, self.opened.count(source))
            self.open.append(found)
        found.entries.append(len(self.signs[source]))
        found.arrivals.append(self.entered)
        while len(self.open) > self.max_open:
            self.open.remove(min(self.open, key=lambda one: one.arrivals[-1]))
            self.overflow += 1

    def finish(self, *, complete: bool) -> tuple[list[tuple[object, ...]], list[tuple[str, str]]]:
        """End the input."""
        closed: list[tuple[object, ...]] = []
        if complete:
            closed = [self.closed_row(one, self.clock(one.source)) for one in self.open]
            self.open = []
        return sorted(closed), sorted((one.source, one.id) for one in self.open)


def naive_rarely_exceeded(gaps: list[float], silent: list[float], share: Fraction) -> float:
    """Find the shortest gap that at most `share` of the gaps exceed, by the product-limit estimate."""
    survival: dict[float, Fraction] = {}
    alive = Fraction(1)
    for time in sorted(set(gaps)):
        at_risk = sum(gap >= time for gap in gaps) + sum(gap >= time for gap in silent)
        alive *= 1 - Fraction(gaps.count(time), at_risk)
        survival[time] = alive
    return min(time for time, left in survival.items() if (left - alive) / (1 - alive) <= share)


def naive_bits_per_key(keys: list[int], group: list[int]) -> float:
    """Code each key after the one before it in its group, counting as it goes."""
    total = 0.0
    seen: list[tuple[int, int]] = []
    last: dict[int, int] = {}
    for key, one in zip(keys, group, strict=True):
        previous = last.get(one, -1)
        same_key = sum(pair[1] == key for pair in seen)
        unigram = (same_key + 1 / (max(keys) + 1)) / (len(seen) + 1)
        same_before = sum(pair[0] == previous for pair in seen)
        bigram = (seen.count((previous, key)) + unigram) / (same_before + 1)
        total -= math.log2(bigram)
        seen.append((previous, key))
        last[one] = key
    return total / len(keys)


class Histories:
    """Histories and what came after them, numbered in the order in which they are met."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.rows: dict[tuple[int, ...], int] = {}
        self.edges: dict[tuple[int, int], int] = {}
        self.row([])

    def row(self, symbols: list[int]) -> int:
        """The number of a history that is padded with START on its left."""
        history = (*[START] * self.length, *symbols)[-self.length :]
        return self.rows.setdefault(history, len(self.rows))

    def edge(self, row: int, symbol: int, *, leads: bool) -> int:
        """The number of a symbol after a history; its value is the next history, -1 where it leads nowhere."""
        if (row, symbol) not in self.edges:
            history = list(self.rows)[row]
            self.edges[row, symbol] = self.row([*history, symbol]) if leads else -1
        return list(self.edges).index((row, symbol))


def endless_of(
    rows: Sequence[Row], timeout: float | None, fewest: int, longer: float, usual: float, nearly: float, life: float
) -> tuple[set[str], set[int]]:
    """The ids that never end, and the skeletons that only they have, by the words that say what these are."""
    counts = Counter((row.source, row.session) for row in rows if row.session is not None)
    never = set[str]()
    for (source, name), count in counts.items():
        here = [row for row in rows if row.source == source]
        places = [place for place, row in enumerate(here) if row.session == name]
        idle = [_clock_at(here, other) - _clock_at(here, one) for one, other in pairwise(places)]
        is_long = count > longer * float(np.quantile(list(counts.values()), usual))
        lives = places[-1] - places[0] > life * len(here) and (timeout is None or max(idle) <= timeout)
        if name is not None and is_long and lives and sum(one == source for one, _ in counts) >= fewest:
            never.add(name)
    named = Counter(row.skeleton for row in rows if row.session is not None)
    while True:
        theirs = Counter(row.skeleton for row in rows if row.session in never)
        keys = {key for key, count in theirs.items() if count > nearly * named[key]}
        all_of = {name: [row.skeleton for row in rows if row.session == name] for name in never}
        kept = {name for name, met in all_of.items() if sum(key in keys for key in met) > nearly * len(met)}
        if kept == never:
            return never, keys
        never = kept


def _clock_at(rows: Sequence[Row], place: int) -> float:
    """The clock of a source at an entry: the latest stamp up to there, the number of its entries without any."""
    stamps = [row.time for row in rows[: place + 1] if row.time is not None]
    return max(stamps, default=float(place))
