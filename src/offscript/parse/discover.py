"""Discovering the session key: which identifier, if any, makes the order of events predictable.

A good session key puts the lines of one run together. So the next log key must be better predicted from the line
before when lines are grouped by the identifier than

1. when the same ids are shuffled among the lines (else the identifier says nothing), and
2. when each id keeps its lines and only their order is shuffled (else the identifier is a category, such as a component
   or a thread, that says which keys come, but not in which order).

Both are measured in bits per key of an adaptive bigram code, and the smaller counts. It is multiplied by the coverage
(a line without an id joins no session) and by how short an id's life is (a run ends; an id that is seen from the first
line to the last is a place, not a run). And runs of a task begin alike: an identifier whose first lines are like any
other lines (a date, a file of a rotation) cuts the log into stretches of time. The paper takes the session as given
(CCS 2017 section 5.1.2); this is ours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from offscript.entries import Fields
from offscript.parse.code_length import lengths, sorting
from offscript.parse.glance import Glance
from offscript.parse.header import Header
from offscript.parse.identifiers import (
    Found,
    Places,
    Sample,
    families_of,
    join_contexts,
    nowhere,
    places_of,
    same_places,
)
from offscript.parse.session_key import SessionKey

Ints = NDArray[np.int64]

FIRST_LOOK = 8_000
"""Lines judged first; the rest of the sample only if they show no session. On public logs with sessions 3,000 lines
from anywhere show the same key; a log that begins amid hundreds of runs of some minutes takes 8,000."""

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

MIN_IDS = 5
"""Fewer ids than this are no sample of runs."""

MIN_LINES_AN_ID = 1.2
"""Ids with fewer lines than this on average have no order to learn."""

NEAR = 1.1
"""Within this factor the message is preferred to the header: a header names who ran the code, a message what it was
about. Within it, equal groupings go to the key with the most distinct ids (a process id returns, a unique id does not).
"""

FULLY_JUDGED = 6
"""Candidates whose real pattern is run over the sample, if they score at least half the best, or half of what a session
must; the others are judged by the ids first noted."""

MAX_CANDIDATES = 48
"""Candidates judged at all, those on most lines first: bounds the time on text full of numbers."""


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
        enough = self.coverage >= MIN_COVERAGE and self.lines_per_id >= MIN_LINES_AN_ID and self.ids >= MIN_IDS
        return enough and self.beginnings >= MIN_BEGINNINGS and self.saved >= MIN_SAVED and self.score >= MIN_SCORE

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
        if self.life > 0.5:
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


@dataclass(frozen=True, slots=True)
class Discovery:
    """The session key found, and every candidate looked at, the best first."""

    key: SessionKey
    candidates: tuple[Candidate, ...]

    def reasons(self) -> list[str]:
        """Say what was found and why the runners-up lost, a line each.

        >>> discover_session_key([]).reasons()
        ['session key: none (each source is one stream); no identifier stands in enough lines']
        """
        chosen = next((one for one in self.candidates if one.key == self.key), None)
        others = [one for one in self.candidates if one is not chosen][:3]
        if chosen is not None:
            head = f"session key: {chosen.describe()}"
        elif others:
            head = f"session key: {self.key.describe()}; no identifier makes the next key easy to guess"
        else:
            head = f"session key: {self.key.describe()}; no identifier stands in enough lines"
        return [head] + [f"not {one.describe()}: {one.why_not(chosen)}" for one in others]


def discover_session_key(sample: Iterable[tuple[Fields, int]]) -> Discovery:
    """Find the identifier that makes the order of log keys predictable (ours; DESIGN section 4).

    Args:
        sample: some thousand lines in log order: what the header says of each, and its skeleton number. Those after the
            first `FIRST_LOOK` are taken only if these show no session.

    The answer is a function of the sample alone: the shuffles are seeded.

    >>> words = (2, "open"), (1, "use"), (0, "end")
    >>> sample = [(Fields(f"{word} req-{n + key}"), key) for n in range(99) for key, word in words]
    >>> discover_session_key(sample).key.describe()
    'req-<n> in the message'
    """
    lines, glance = iter(sample), Glance()
    keys: list[int] = []

    def take(count: int) -> bool:
        taken = list(islice(lines, count))
        glance.add([fields for fields, _ in taken])
        keys.extend(number for _, number in taken)
        return bool(taken)

    return _in_two_looks(glance, take, lambda: np.array(keys, np.int64))


def discover_in_lines(texts: Sequence[str], sources: Sequence[str], header: Header) -> Discovery:
    """Find the session key in lines of text, each from a source; their log keys are the skeletons of their messages.

    >>> texts = [f"{word} req-{n + key}" for n in range(99) for key, word in enumerate(("end", "use", "open"))]
    >>> discover_in_lines(texts[::-1], [""] * len(texts), Header()).key.describe()
    'req-<n> in the message'
    """
    glance, done = Glance(header), 0

    def take(count: int) -> bool:
        nonlocal done
        begin, wanted = done, min(len(glance) + count, len(texts))
        while done < len(texts) and len(glance) < wanted:
            stop = done + wanted - len(glance)
            glance.read(texts[done:stop], sources[done:stop])
            done = min(stop, len(texts))
        return done > begin

    return _in_two_looks(glance, take, glance.messages.skeletons)


def _in_two_looks(glance: Glance, take: Callable[[int], bool], keys: Callable[[], Ints]) -> Discovery:
    """Judge the first lines, and where these show no session all; `take` adds some, if there are any, to the glance."""
    take(FIRST_LOOK)
    found = _discover(glance, keys())
    if found.key.where == "none" and take(sys.maxsize):
        return _discover(glance, keys())
    return found


def _discover(glance: Glance, numbers: Ints) -> Discovery:
    keys = np.unique(numbers, return_inverse=True)[1].astype(np.int64)
    places = {}
    judged = []
    for key, found, at in _candidates(glance):
        judged.append(judge(key, found, keys))
        places[key] = at
    judged.sort(key=_merit, reverse=True)
    best_score = next((one.score for one in judged if one.is_session), MIN_SCORE)
    for place, candidate in enumerate(judged[:FULLY_JUDGED]):
        if candidate.key.where == "message" and candidate.score * 2 >= best_score:
            at = places_of(candidate.key, glance.messages)
            if not same_places(at, places[candidate.key]):
                judged[place] = judge(candidate.key, Sample(glance.messages).found(at), keys)
    judged.sort(key=_merit, reverse=True)
    best: dict[str, Candidate] = {}  # of a family with and without further contexts, which bear one name, the better
    for candidate in judged:
        best.setdefault(candidate.key.describe(), candidate)
    chosen = _choose([candidate for candidate in best.values() if candidate.is_session])
    return Discovery(SessionKey.none() if chosen is None else chosen.key, tuple(best.values()))


def _merit(candidate: Candidate) -> tuple[float, float, str]:
    return (candidate.score, candidate.coverage, candidate.key.describe())


def _choose(sessions: Sequence[Candidate]) -> Candidate | None:
    """Choose among candidates, the best first: near ties go to the message, then to most and longest ids."""
    if not sessions:
        return None
    near = [one for one in sessions if one.score * NEAR >= sessions[0].score]
    near = [one for one in near if one.key.where == "message"] or near
    return max(near, key=lambda one: (one.ids, one.id_length, one.coverage, one.key.describe()))


def _candidates(glance: Glance) -> list[tuple[SessionKey, Found, Places]]:
    """The keys worth judging, the ids first noted for each, and where in messages these stand."""
    families, lines = families_of(glance.messages), len(glance)
    enough = [family for family in families if family.count >= MIN_COVERAGE * lines and _says_something(family.found)]
    enough += [more for family in enough if (more := join_contexts(family, families, lines)) is not None]
    enough.sort(key=lambda family: family.count, reverse=True)
    candidates = [(family.key(), family.found, family.places) for family in enough[:MAX_CANDIDATES]]
    for name, found in glance.found():
        if len(found.lines) >= MIN_COVERAGE * lines and _says_something(found):
            candidates.append((SessionKey("header", field=name, name=name), found, nowhere()))
    return candidates


def _says_something(found: Found) -> bool:
    """Whether there are several ids, and several lines an id."""
    ids = int(np.count_nonzero(np.bincount(found.ids)))
    return 1 < ids < len(found.lines)


def judge(key: SessionKey, found: Found, keys: Ints) -> Candidate:
    """Measure one candidate: `found` is the ids of the sample's lines, `keys` each line's log key as numbers from 0.

    >>> alternating = judge(SessionKey.none(), Found.of(["a", "b"] * 50), np.array([0, 0, 1, 1] * 25))
    >>> alternating.ids, alternating.keys_per_id, alternating.gain > 0.5
    (2, 2.0, True)
    """
    if not len(found.lines):
        return Candidate(key, len(keys), 0.0, 0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    lines, group, seen = found.lines, _from_zero(found.ids), _from_zero(keys[found.lines])
    ids = int(group.max()) + 1
    bits, shuffled, disordered = lengths(seen, group)
    return Candidate(
        key=key,
        sample=len(keys),
        coverage=len(lines) / len(keys),
        ids=ids,
        lines_per_id=len(lines) / ids,
        keys_per_id=_distinct_pairs(group, seen) / ids,
        id_length=found.characters() / ids,
        life=_mean_life(lines, group) / len(keys),
        bits=bits,
        gain=shuffled - bits,
        order_gain=disordered - bits,
        beginnings=_agreement(seen[_beginnings(lines, group, len(keys))], seen),
    )


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
