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
from offscript.parse.candidates import MIN_COVERAGE, MIN_SCORE, NEAR, Candidate, counted, judge, ordered
from offscript.parse.glance import Glance
from offscript.parse.header import Header
from offscript.parse.identifiers import (
    Families,
    Family,
    Found,
    Places,
    Sample,
    join_contexts,
    nowhere,
    places_of,
    same_places,
)
from offscript.parse.page import Page
from offscript.parse.session_key import SessionKey

Ints = NDArray[np.int64]

FIRST_LOOK = 8_000
"""Lines judged first; the rest of the sample only if they show no session. On public logs with sessions 3,000 lines
from anywhere show the same key; a log that begins amid hundreds of runs of some minutes takes 8,000."""

FULLY_JUDGED = 6
"""Candidates whose real pattern is run over the sample, if they score at least half the best, or half of what a session
must; the others are judged by the ids first noted."""

MAX_CANDIDATES = 48
"""Candidates judged at all, those on most lines first: bounds the time on text full of numbers."""


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
    glance = Glance(header, Page.of(texts), sources)

    def take(count: int) -> bool:
        begin, wanted = glance.done, min(len(glance) + count, len(texts))
        while glance.done < len(texts) and len(glance) < wanted:
            glance.read(wanted - len(glance))
        return glance.done > begin

    return _in_two_looks(glance, take, glance.messages.skeletons)


def _in_two_looks(glance: Glance, take: Callable[[int], bool], keys: Callable[[], Ints]) -> Discovery:
    """Judge the first lines, and where these show no session all; `take` adds some, if there are any, to the glance."""
    families = Families(glance.messages)
    take(FIRST_LOOK)
    look = _Look(glance, families, keys())
    if not look.may_show_sessions() and take(sys.maxsize):
        return _Look(glance, families, keys()).discovery()
    found = look.discovery()
    if found.key.where == "none" and take(sys.maxsize):
        return _Look(glance, families, keys()).discovery()
    return found


class _Look:
    """The candidates in some lines: first what is soon counted, then how well each predicts the next key."""

    def __init__(self, glance: Glance, families: Families, numbers: Ints) -> None:
        self._messages = glance.messages
        self._keys = np.unique(numbers, return_inverse=True)[1].astype(np.int64)
        self._candidates = [
            (counted(key, found, self._keys), found, at) for key, found, at in _candidates(glance, families.found())
        ]

    def may_show_sessions(self) -> bool:
        """Whether the order of keys can make any of them a session."""
        return any(one.may_be_session for one, _, _ in self._candidates)

    def discovery(self) -> Discovery:
        """Judge all candidates, and choose."""
        places = {one.key: at for one, _, at in self._candidates}
        judged = [ordered(one, found, self._keys) for one, found, _ in self._candidates]
        judged.sort(key=_merit, reverse=True)
        best_score = next((one.score for one in judged if one.is_session), MIN_SCORE)
        for place, candidate in enumerate(judged[:FULLY_JUDGED]):
            if candidate.key.where == "message" and candidate.score * 2 >= best_score:
                at = places_of(candidate.key, self._messages)
                if not same_places(at, places[candidate.key]):
                    judged[place] = judge(candidate.key, Sample(self._messages).found(at), self._keys)
        judged.sort(key=_merit, reverse=True)
        best: dict[
            str, Candidate
        ] = {}  # of a family with and without further contexts, which bear one name, the better
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


def _candidates(glance: Glance, families: Sequence[Family]) -> list[tuple[SessionKey, Found, Places]]:
    """The keys worth judging, the ids first noted for each, and where in messages these stand."""
    lines = len(glance)
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
