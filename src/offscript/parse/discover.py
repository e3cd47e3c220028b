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

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offscript.entries import Fields
from offscript.parse.identifiers import Family, find_families, join_contexts
from offscript.parse.session_key import SessionKey

Ints = NDArray[np.int64]

SHUFFLES = 3
"""Shuffles averaged: their spread is under 0.02 bits on every log tried, far below the differences that decide."""

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

MIN_IDS = 5
"""Fewer ids than this are no sample of runs."""

MIN_LINES_AN_ID = 1.2
"""Ids with fewer lines than this on average have no order to learn."""

NEAR = 1.1
"""Within this factor the message is preferred to the header: a header names who ran the code, a message what it was
about. Within it, equal groupings go to the key with the most distinct ids (a process id returns, a unique id does not).
"""

FULLY_JUDGED = 6
"""Candidates whose real pattern is run over the sample, if they score at least half the best; the others are judged by
the ids first noted."""

MAX_CANDIDATES = 48
"""Candidates judged at all, those on most lines first: bounds the time on text full of numbers."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One identifier family and what was measured of it in the sample.

    `coverage` is the share of lines with an id, `keys_per_id` the mean number of distinct log keys of an id,
    `id_length` the mean length of the ids in characters, `life` the mean share (over lines) of the sample from the
    first to the last line of the line's id. `bits` is what a key costs grouped by id, `gain` how many more it costs
    with shuffled ids, `order_gain` with shuffled order within ids. `beginnings` says how alike ids begin: 0 as any two
    lines, 1 always with the same key.
    """

    key: SessionKey
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

    def describe(self) -> str:
        """One human line: the key and its figures."""
        return (
            f"{self.key.describe()} ({self.coverage:.0%} of lines, {self.ids:,} ids, "
            f"{self.keys_per_id:.1f} keys an id; next key {self.gain:.1f} bits better predicted than shuffled)"
        )

    def why_not(self, best: Candidate | None) -> str:
        """Say why this candidate is not the session key."""
        if self.lines_per_id < MIN_LINES_AN_ID:
            return f"only {self.lines_per_id:.1f} lines an id"
        if self.ids < MIN_IDS:
            return f"only {self.ids} ids"
        if self.life > 0.5:
            return f"an id lives through {self.life:.0%} of the log: a place, not a run (or the log is too short)"
        if self.saved < MIN_SAVED and self.gain < self.order_gain:
            return "shuffled ids predict the next key nearly as well"
        if self.saved < MIN_SAVED:
            return "the order of keys within an id predicts little: a category, not a run"
        if self.beginnings < MIN_BEGINNINGS:
            return "its ids begin with any key: stretches of time, not runs"
        if self.score < MIN_SCORE or best is None:
            return f"explains only {self.score:.2f} bits a line"
        if self.score * NEAR >= best.score:
            return "predicts as well, but the ids of the other tell more runs apart"
        return f"explains {self.score:.1f} bits a line against {best.score:.1f}"


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
            head = f"session key: {self.key.describe()}; no identifier makes the next key predictable"
        else:
            head = f"session key: {self.key.describe()}; no identifier stands in enough lines"
        return [head] + [f"not {one.describe()}: {one.why_not(chosen)}" for one in others]


def discover_session_key(sample: Sequence[tuple[Fields, int]]) -> Discovery:
    """Find the identifier that makes the order of log keys predictable (ours; DESIGN section 4).

    Args:
        sample: some thousand lines in log order: what the header says of each, and its skeleton number.

    The answer is a function of the sample alone: the shuffles are seeded.

    >>> words = (2, "open"), (1, "use"), (0, "end")
    >>> sample = [(Fields(f"{word} req-{n + key}"), key) for n in range(99) for key, word in words]
    >>> discover_session_key(sample).key.describe()
    'req-<n> in the message'
    """
    keys = np.fromiter((number for _, number in sample), np.int64, len(sample))
    keys = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    judged = [judge(key, ids, keys) for key, ids in _candidates(sample)]
    judged.sort(key=_merit, reverse=True)
    best_score = next((one.score for one in judged if one.is_session), 0.0)
    for place, candidate in enumerate(judged[:FULLY_JUDGED]):
        if candidate.key.where == "message" and candidate.score * 2 >= best_score:
            judged[place] = judge(candidate.key, [candidate.key.find(fields) for fields, _ in sample], keys)
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


def _candidates(sample: Sequence[tuple[Fields, int]]) -> list[tuple[SessionKey, list[str | None]]]:
    families = find_families([fields.message for fields, _ in sample])
    enough = [family for family in families if _is_worth_judging(family.found, len(sample))]
    enough += [joined for family in enough if (joined := join_contexts(family, families, len(sample))) is not None]
    enough.sort(key=lambda family: len(family.found), reverse=True)
    found = [(family.key(), _by_line(family, len(sample))) for family in enough[:MAX_CANDIDATES]]
    headers: dict[str, dict[int, str]] = {}
    for position, (fields, _) in enumerate(sample):
        for name, value in fields.named:
            headers.setdefault(name, {}).setdefault(position, value)
    for name, values in list(headers.items())[:MAX_CANDIDATES]:
        if _is_worth_judging(values, len(sample)):
            key = SessionKey("header", field=name, name=name)
            found.append((key, [values.get(position) for position in range(len(sample))]))
    return found


def _is_worth_judging(found: dict[int, str], lines: int) -> bool:
    """Whether there are enough lines, several ids, and several lines an id."""
    distinct = len(set(found.values()))
    return len(found) >= MIN_COVERAGE * lines and 1 < distinct < len(found)


def _by_line(family: Family, lines: int) -> list[str | None]:
    return [family.found.get(position) for position in range(lines)]


def judge(key: SessionKey, ids: Sequence[str | None], keys: Ints) -> Candidate:
    """Measure one candidate: `ids` is each line's id or None, `keys` each line's log key as numbers from 0.

    >>> alternating = judge(SessionKey.none(), ["a", "b"] * 50, np.array([0, 0, 1, 1] * 25))
    >>> alternating.ids, alternating.keys_per_id, alternating.gain > 0.5
    (2, 2.0, True)
    """
    lines = np.array([at for at, one in enumerate(ids) if one is not None], np.int64)
    if not len(lines):
        return Candidate(key, 0.0, 0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    codes: dict[str, int] = {}
    group = np.array([codes.setdefault(one, len(codes)) for one in ids if one is not None], np.int64)
    seen = np.unique(keys[lines], return_inverse=True)[1].astype(np.int64)
    bits = bits_per_key(seen, group)
    rng = np.random.default_rng(0)
    shuffled = [bits_per_key(seen, rng.permutation(group)) for _ in range(SHUFFLES)]
    disordered = [bits_per_key(_shuffle_within(seen, group, rng), group) for _ in range(SHUFFLES)]
    distinct = len(np.unique(group * (seen.max() + 1) + seen))
    return Candidate(
        key=key,
        coverage=len(lines) / len(ids),
        ids=len(codes),
        lines_per_id=len(lines) / len(codes),
        keys_per_id=distinct / len(codes),
        id_length=sum(map(len, codes)) / len(codes),
        life=_mean_life(lines, group, len(codes)) / len(ids),
        bits=bits,
        gain=float(np.mean(shuffled)) - bits,
        order_gain=float(np.mean(disordered)) - bits,
        beginnings=_agreement(seen[np.unique(group, return_index=True)[1]], seen),
    )


def _shuffle_within(keys: Ints, group: Ints, rng: np.random.Generator) -> Ints:
    """Give each id's keys back to the same lines in random order."""
    there = np.argsort(group, kind="stable")
    back = np.lexsort((rng.random(len(group)), group))
    shuffled = np.empty_like(keys)
    shuffled[there] = keys[back]
    return shuffled


def _agreement(firsts: Ints, keys: Ints) -> float:
    """Say how much oftener two ids begin alike than two lines are alike: 0 by chance or less, 1 if always."""
    chance = _share_of_equal_pairs(keys)
    return max(0.0, (_share_of_equal_pairs(firsts) - chance) / (1.0 - chance)) if chance < 1.0 else 0.0


def _share_of_equal_pairs(keys: Ints) -> float:
    counts = np.bincount(keys)
    return float((counts * (counts - 1)).sum() / max(1, len(keys) * (len(keys) - 1)))


def _mean_life(lines: Ints, group: Ints, ids: int) -> float:
    """Count the lines from the first to the last line of an id, on average over lines."""
    first = np.full(ids, np.iinfo(np.int64).max)
    last = np.zeros(ids, np.int64)
    np.minimum.at(first, group, lines)
    np.maximum.at(last, group, lines)
    return float(np.mean((last - first + 1)[group]))


def bits_per_key(keys: Ints, group: Ints) -> float:
    """Code each key after the key before it in its group, learning as it goes; return the mean code length in bits.

    The code is a bigram smoothed by one count of an adaptive unigram, itself smoothed by one count of the uniform: no
    parameter is fitted, so more contexts cost what they take to learn, and no code can cheat by memorising.

    >>> round(bits_per_key(np.array([0, 1] * 500), np.zeros(1000, np.int64)), 2)
    0.01
    """
    count = int(keys.max()) + 1
    previous = np.zeros(len(keys), np.int64)  # 0: the start of a group
    by_group = np.argsort(group, kind="stable")
    same = group[by_group][1:] == group[by_group][:-1]
    previous[by_group[1:]] = np.where(same, keys[by_group[:-1]] + 1, 0)
    unigram = (_seen_before(keys) + 1.0 / count) / (np.arange(len(keys)) + 1.0)
    bigram = (_seen_before(previous * count + keys) + unigram) / (_seen_before(previous) + 1.0)
    return float(-np.log2(bigram).mean())


def _seen_before(values: Ints) -> Ints:
    """Count, for each value, how often it stood before."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    place = np.arange(len(values))
    counts = np.empty_like(place)
    counts[order] = place - np.maximum.accumulate(np.where(starts, place, 0))
    return counts
