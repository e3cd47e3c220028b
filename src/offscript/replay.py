"""The training log replayed: its sessions as the closing rules cut them, and where each entry stood (ours)."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.parse.learn import Kept, Parsed
from offscript.parse.sessions import OpenSessions, Session
from offscript.parse.timeout import Timeout, learn_timeout

NOWHERE = -1
"""The session of an entry that is outside of all."""


class Steps(NamedTuple):
    """Where each entry stood: number of its session and place there, the key before (0: none), elapsed time.

    The time, in seconds, is since the clock of the source at the entry before (it never runs back); NaN for the first
    of a session, and for one without a stamp, or with one before that.
    """

    session: NDArray[np.int64]
    place: NDArray[np.int64]
    before: NDArray[np.int64]
    elapsed: NDArray[np.float64]


@dataclass
class Replayed:
    """The training sessions, each a sequence of keys, whether it completed, and its last time, which orders them.

    `steps` has a row for each entry that was kept. `joined` counts the sessions left out because they had begun before
    the log did.
    """

    sequences: list[list[int]] = field(default_factory=list)
    complete: list[bool] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    steps: Steps = field(default_factory=lambda: _Stood().steps({}))
    joined: int = 0

    def add(self, keys: list[int], *, complete: bool, end: float) -> None:
        """Add one session."""
        self.sequences.append(keys)
        self.complete.append(complete)
        self.ends.append(end)


class _Stood:
    """Where entries stood, while sessions are still known by the order in which they opened."""

    def __init__(self) -> None:
        self._session, self._place, self._before = array("q"), array("q"), array("q")
        self._elapsed = array("d")
        self._opened: dict[int, int] = {}

    def outside(self) -> None:
        """Note an entry outside sessions."""
        self._note(NOWHERE, 0, 0, math.nan)

    def enter(self, sessions: OpenSessions, source: str, name: str, key: int, time: float | None) -> None:
        """Put a key into its session, and note where it stands there; `time` is the stamp of the entry."""
        elapsed = sessions.idle(source, name, time)
        session = sessions.enter(source, name)
        history = session.history
        self._note(
            self._opened.setdefault(id(session), len(self._opened)),
            len(history),
            history[-1] if history else 0,
            math.nan if elapsed is None else elapsed,
        )
        history.append(key)

    def _note(self, session: int, place: int, before: int, elapsed: float) -> None:
        self._session.append(session)
        self._place.append(place)
        self._before.append(before)
        self._elapsed.append(elapsed)

    def steps(self, numbers: dict[int, int]) -> Steps:
        """All that was noted, under the numbers that sessions have by identity; one without is left out."""
        final = np.full(len(self._opened) + 1, NOWHERE, np.int64)  # the last is what index -1 finds
        for name, opened in self._opened.items():
            final[opened] = numbers.get(name, NOWHERE)
        session = final[np.array(self._session, np.int64)]
        before, place = np.array(self._before, np.int64), np.array(self._place, np.int64)
        return Steps(session, place, before, np.array(self._elapsed, np.float64))


def session_timeout(kept: Kept) -> Timeout:
    """Learn the idle time-out from the gaps within sessions; one still open at the end counts as at least that long."""
    sessions = OpenSessions(None, max_open=len(kept) + 1)
    gaps: list[float] = []
    for row in kept:
        sessions.advance(row.source, row.time)
        if row.session is None:
            continue
        session = sessions.enter(row.source, row.session)
        if session.entries > 1:
            gaps.append(session.last - session.extra["seen"])
        session.extra["seen"] = session.last
    at_end, _ = sessions.finish(complete=True)
    began = _began([closed.session for closed in at_end])
    span = max((closed.at - began[closed.session.source] for closed in at_end), default=0.0)
    return learn_timeout(gaps, [closed.at - closed.session.last for closed in at_end], span)


def _began(sessions: list[Session]) -> dict[str, float]:
    """Return the clock of each source at which its first session opened."""
    began: dict[str, float] = {}
    for session in sessions:
        began[session.source] = min(session.first, began.get(session.source, session.first))
    return began


def replay(parsed: Parsed, timeout: Timeout | None) -> Replayed:
    """Return the training sessions as the closing rules cut them; those still open at the end are not complete.

    Where the time-out is so long that no session is known to have completed, none counts as complete. Sessions that
    seem to have begun before the log did are left out: what they open with is not how a session begins.
    """
    one_stream = timeout is None
    ends_known = timeout is not None and timeout.completed > 0
    sessions = OpenSessions(None if timeout is None else timeout.seconds, max_open=len(parsed.kept) + 1)
    found: list[tuple[Session, bool]] = []
    stood = _Stood()
    for row in parsed.kept:
        found += [(closed.session, ends_known) for closed in sessions.advance(row.source, row.time)]
        if row.session is not None or one_stream:
            stood.enter(sessions, row.source, row.session or "", parsed.key_of[row.skeleton], row.time)
        else:
            stood.outside()
    at_end, still_open = sessions.finish()
    found += [(closed.session, ends_known) for closed in at_end]
    found += [(session, False) for session in still_open]
    done = Replayed()
    joined: set[int] = set()
    if timeout is not None and timeout.seconds is not None and ends_known:
        joined = _joined_midway([session for session, _ in found], timeout.seconds)
    numbers: dict[int, int] = {}
    for session, complete in found:
        if id(session) in joined:
            done.joined += 1
        else:
            numbers[id(session)] = len(done.sequences)
            done.add(session.history, complete=complete, end=session.last)
    done.steps = stood.steps(numbers)
    return done


def _joined_midway(sessions: list[Session], timeout: float) -> set[int]:
    """Return the identities of early sessions that open with a key no later session opens with.

    A session is early when it opened within a time-out of its source's first: it may have been running before.
    """
    began = _began(sessions)
    early = {id(session) for session in sessions if session.first - began[session.source] <= timeout}
    openings = {session.history[0] for session in sessions if id(session) not in early}
    return {id(session) for session in sessions if id(session) in early and session.history[0] not in openings}
