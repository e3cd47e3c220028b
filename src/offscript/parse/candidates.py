"""What is measured of an identifier that may name sessions, and how that is said to people.

How much better the next key is predicted in its groups is measured in bits per key of an adaptive bigram code
(`code_length`), against the same ids shuffled among the lines, and against the same keys shuffled within each id. All
else is counted in one pass, so it is known first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offscript.parse.code_length import lengths, sorting
from offscript.parse.identifiers import Found
from offscript.parse.session_key import SessionKey

Ints = NDArray[np.int64]

MIN_COVERAGE = 0.1
"""Share of lines that must carry an id: below a tenth, the log is about something else."""

MIN_SAVED = 0.25
"""Share of the shuffled bits that grouping must save, times the shortness of life. On public logs the right keys save
40% to 95%, the best of the wrong ones (nodes, components, threads) 15%."""

MIN_SCORE = 0.25
"""Bits per line of the sample that the key must explain: on public logs the right keys explain 1.0 to 4.5, bursts of
one address or one task, which are no runs, under 0.2; a log of strict pairs (open, close) 0.5."""

MIN_BEGINNINGS = 0.2
"""How much more often two ids must begin with the same key than two lines have the same key (0: no more, 1: always). On
public logs the right keys have 0.33 to 1.0; stretches of time, of any length, have 0.0 with a chance spread of 0.1."""

SETTLED = 0.25
"""Share of the lines after which an id first seen is taken to begin there; one seen earlier may have begun before the
log. Busy servers rotate their logs in the midst of a hundred runs."""

LITTLE = 0.07
"""Bits saved that are not worth a word: the next key is 1.05 times easier to guess."""

A_PLACE = 0.5
"""Share of a log from the first to the last line of an id beyond which it is a place (a service, a thread), no run."""

MIN_IDS = 5
"""Fewer ids than this are no sample of runs."""

MIN_LINES_AN_ID = 1.2
"""Ids with fewer lines than this on average have no order to learn."""

NEAR = 1.1
"""Within this factor the message is preferred to the header: a header names who ran the code, a message what it was
about. Within it, equal groupings go to the key with the most distinct ids (a process id returns, a unique id does not).
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One identifier family and what was measured of it in the sample.

    `sample` is the number of lines looked at, `coverage` the share of them with an id, `keys_per_id` the mean number
    of distinct log keys of an id, `id_length` the mean length of the ids in characters, `life` the mean share (over
    lines) of the sample from the first to the last line of the line's id. `bits` is what a key costs grouped by id,
    `gain` how many more it costs with shuffled ids, `order_gain` with shuffled order within ids. `beginnings` says how
    alike ids begin: 0 as any two lines, 1 always with the same key.
    """

    key: SessionKey
    sample: int
    coverage: float
    ids: int
    lines_per_id: float
    keys_per_id: float
    id_length: float
    life: float
    bits: float
    gain: float
    order_gain: float
    beginnings: float

    @property
    def score(self) -> float:
        """Bits per line of the whole sample that the key explains, discounted by the length of an id's life."""
        return min(self.gain, self.order_gain) * self.coverage * (1.0 - self.life)

    @property
    def saved(self) -> float:
        """The share of the shuffled bits that is saved, of the worse shuffle, discounted likewise; at most 1."""
        shares = (gain / (self.bits + gain) if gain > 0 else 0.0 for gain in (self.gain, self.order_gain))
        return min(shares) * (1.0 - self.life)

    @property
    def is_session(self) -> bool:
        """Whether the measure supports sessions by this key at all."""
        return self.may_be_session and self.saved >= MIN_SAVED and self.score >= MIN_SCORE

    @property
    def may_be_session(self) -> bool:
        """Whether it is a session unless the order of its keys says otherwise: `saved` is at most what life leaves."""
        enough = self.coverage >= MIN_COVERAGE and self.lines_per_id >= MIN_LINES_AN_ID and self.ids >= MIN_IDS
        return enough and self.beginnings >= MIN_BEGINNINGS and 1.0 - self.life >= MIN_SAVED

    @property
    def easier(self) -> str:
        """How much easier the next key is to guess than with shuffled ids: the choices left are so many times fewer."""
        if self.gain < LITTLE:
            return "no easier to guess"
        times = 2.0**self.gain
        return f"{times:,.0f} times easier to guess" if times >= 10.0 else f"{times:.1f} times easier to guess"

    def describe(self) -> str:
        """One human line: the key and its figures."""
        return (
            f"{self.key.describe()} ({self.coverage:.0%} of {self.sample:,} lines, {self.ids:,} ids, "
            f"{self.keys_per_id:.1f} keys an id; grouped by it, the next key is {self.easier})"
        )

    def why_not(self, best: Candidate | None) -> str:
        """Say why this candidate is not the session key."""
        return self._why_no_session() or self._why_not_as_good(best)

    def _why_no_session(self) -> str:
        if self.lines_per_id < MIN_LINES_AN_ID:
            return f"only {self.lines_per_id:.1f} lines an id"
        if self.ids < MIN_IDS:
            return f"only {self.ids} ids"
        if self.life > A_PLACE:
            return f"an id is seen through {self.life:.0%} of the log: a place, not a run (or the log is too short)"
        if self.saved < MIN_SAVED and self.gain < self.order_gain:
            return "with the ids mixed up the next key is nearly as easy to guess"
        if self.saved < MIN_SAVED:
            return "it says which keys come, but hardly in which order: a category, not a run"
        if self.beginnings < MIN_BEGINNINGS:
            return "its ids begin with any key: stretches of time, not runs"
        if self.score < MIN_SCORE:
            return f"it helps too few lines, or too little: {self.score:.2f} bits a line, {MIN_SCORE} are needed"
        return ""

    def _why_not_as_good(self, best: Candidate | None) -> str:
        if best is None:
            return f"too few lines have it: {self.coverage:.0%}"
        if self.score * NEAR < best.score:
            return f"it helps less: {self.score:.1f} bits a line against {best.score:.1f}"
        if self.key.where == "header" and best.key.where == "message":
            return "as good, but a message says what a line is about, a header who wrote it"
        return "as good, but the ids of the other tell more runs apart"


def judge(key: SessionKey, found: Found, keys: Ints) -> Candidate:
    """Measure one candidate: `found` is the ids of the sample's lines, `keys` each line's log key as numbers from 0.

    >>> alternating = judge(SessionKey.none(), Found.of(["a", "b"] * 50), np.array([0, 0, 1, 1] * 25))
    >>> alternating.ids, alternating.keys_per_id, alternating.gain > 0.5
    (2, 2.0, True)
    """
    return ordered(counted(key, found, keys), found, keys)


def counted(key: SessionKey, found: Found, keys: Ints) -> Candidate:
    """What is measured of a candidate but for the order of its keys."""
    if not len(found.lines):
        return Candidate(key, len(keys), 0.0, 0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    lines, group, seen = found.lines, _from_zero(found.ids), _from_zero(keys[found.lines])
    ids = int(group.max()) + 1
    return Candidate(
        key=key,
        sample=len(keys),
        coverage=len(lines) / len(keys),
        ids=ids,
        lines_per_id=len(lines) / ids,
        keys_per_id=_distinct_pairs(group, seen) / ids,
        id_length=found.characters() / ids,
        life=_mean_life(lines, group) / len(keys),
        bits=0.0,
        gain=0.0,
        order_gain=0.0,
        beginnings=_agreement(seen[_beginnings(lines, group, len(keys))], seen),
    )


def ordered(candidate: Candidate, found: Found, keys: Ints) -> Candidate:
    """The candidate with what the order of its keys says."""
    if not len(found.lines):
        return candidate
    bits, shuffled, disordered = lengths(_from_zero(keys[found.lines]), _from_zero(found.ids))
    return replace(candidate, bits=bits, gain=shuffled - bits, order_gain=disordered - bits)


def _from_zero(numbers: Ints) -> Ints:
    """Number what is there anew, without gaps."""
    there = np.bincount(numbers) > 0
    renumbered: Ints = (np.cumsum(there) - 1)[numbers]
    return renumbered


def _distinct_pairs(group: Ints, seen: Ints) -> int:
    """Count the different pairs of an id and a key."""
    by_key = sorting(seen)
    order = by_key[sorting(group[by_key])]
    pairs = (group * (seen.max() + 1) + seen)[order]
    return 1 + int(np.count_nonzero(pairs[1:] != pairs[:-1]))


def _beginnings(lines: Ints, group: Ints, sample: int) -> Ints:
    """Return where ids begin, without those that may have begun before the sample, if enough others do."""
    first = np.empty(int(group.max()) + 1, np.int64)
    first[group[::-1]] = np.arange(len(group))[::-1]  # of an id set several times the last counts
    late = first[lines[first] >= SETTLED * sample]
    return late if len(late) >= MIN_IDS else first


def _agreement(firsts: Ints, keys: Ints) -> float:
    """Say how much oftener two ids begin alike than two lines are alike: 0 by chance or less, 1 if always."""
    chance = _share_of_equal_pairs(keys)
    return max(0.0, (_share_of_equal_pairs(firsts) - chance) / (1.0 - chance)) if chance < 1.0 else 0.0


def _share_of_equal_pairs(keys: Ints) -> float:
    counts = np.bincount(keys)
    return float((counts * (counts - 1)).sum() / max(1, len(keys) * (len(keys) - 1)))


def _mean_life(lines: Ints, group: Ints) -> float:
    """Count the lines from the first to the last line of an id, on average over lines, which ascend."""
    first, last = np.zeros((2, group.max() + 1), np.int64)
    first[group[::-1]] = lines[::-1]  # as above
    last[group] = lines
    return float(np.mean((last - first + 1)[group]))
