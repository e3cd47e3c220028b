"""Where a task goes on in more than one way: concurrency or branch, and where it goes back (CCS 2017 section 4.2.2)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from offscript.workflow.borders import LEAST_SHARE
from offscript.workflow.co_occurrence import TAU

CERTAIN: Final = TAU
"""A key is certain above this probability, the paper's tau: it gives no other number, and its example calls 1.00
certain and .8 not."""


class Way(StrEnum):
    """Why several keys may follow."""

    CONCURRENCY = "concurrency"
    BRANCH = "branch"


class Look(StrEnum):
    """How concurrency shows: looking ahead from each candidate (method 1), or by growth with distance (method 2)."""

    AHEAD = "ahead"
    DISTANCE = "distance"


@dataclass(frozen=True, slots=True)
class Divergence:
    """After `key` come several: each of `candidates` with its probability, all at work at once or one of them."""

    key: int
    candidates: tuple[tuple[int, float], ...]
    way: Way


def divergences_of(runs: Sequence[Sequence[int]], look: Look) -> tuple[Divergence, ...]:
    """Return where runs go on in more than one way, the keys in order.

    >>> runs = [[57, 18, 56, 31], [57, 56, 18, 31]] * 10  # figure 4a
    >>> [str(one.way) for one in divergences_of(runs, Look.AHEAD) if one.key == 57]
    ['concurrency']
    """
    after: dict[int, Counter[int]] = defaultdict(Counter)
    for run in runs:
        for one, other in pairwise(run):
            after[one][other] += 1
    found = []
    for key in sorted(after):
        total = after[key].total()
        shares = [(other, count / total) for other, count in after[key].most_common() if count >= LEAST_SHARE * total]
        if len(shares) > 1 and shares[0][1] < CERTAIN:
            among = [other for other, _ in shares]
            come = _follow(runs, key, among) if look is Look.AHEAD else _near(runs, key, among)
            found.append(Divergence(key, tuple(shares), Way.CONCURRENCY if come else Way.BRANCH))
    return tuple(found)


def _after(runs: Sequence[Sequence[int]], key: int) -> list[Sequence[int]]:
    """What comes after each pass of a key, up to its next pass: later rounds of a loop are not looked at."""
    found = []
    for run in runs:
        places = [place for place, other in enumerate(run) if other == key]
        found += [run[a + 1 : b] for a, b in zip(places, [*places, len(run)][1:], strict=True) if b > a + 1]
    return found


def _follow(runs: Sequence[Sequence[int]], key: int, among: Sequence[int]) -> bool:
    """Whether the candidates follow one another: whichever comes first, each other comes with certainty."""
    passes = _after(runs, key)
    for first in among:
        begun = [set(row) for row in passes if row[0] == first]
        if any(sum(other in row for row in begun) < CERTAIN * len(begun) for other in among):
            return False
    return True


def _near(runs: Sequence[Sequence[int]], key: int, among: Sequence[int]) -> bool:
    """Whether the shares `q_d` of all candidates grow with the distance, until they exceed the threshold."""
    passes = [set(row) for row in _after(runs, key)]
    return all(sum(other in row for row in passes) > TAU * len(passes) for other in among)


def loops_of(runs: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    """Return the pairs (last, first) of keys where runs go back to what they did before (figure 4c).

    >>> loops_of([[26, 37, 39, 40, 39, 40], [26, 37, 39, 40]])
    ((40, 39),)
    """
    all_of: Counter[tuple[int, int]] = Counter()
    back: Counter[tuple[int, int]] = Counter()
    for run in runs:
        seen: set[int] = set()
        for one, other in pairwise(run):
            seen.add(one)
            all_of[one, other] += 1
            back[one, other] += other in seen
    least = LEAST_SHARE * len(runs)
    # A step that is a way back nearly always; inside a loop others lead on to keys of the round before as well.
    return tuple(sorted(p for p, count in all_of.items() if count >= least and back[p] >= CERTAIN * count))
