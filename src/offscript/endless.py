"""Sessions that never end: a service's own id, written all through a log, is no run of a task (ours).

Logs name requests, and the thread that has none of its own gets one for its lifetime. Its lines are no run: they come
in the order of whatever others do, the session never closes, and each line of it would be a false alarm. The id is
another after a restart, so what is kept for detection is which keys only come from such ids: their entries are judged
as those without a session.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.parse.candidates import A_PLACE
from offscript.parse.learn import Kept, Parsed

LONGER: Final = 10.0
"""How many times the entries of nearly every other id it must have: what is as long as others may be a slow run."""

USUAL: Final = 0.9
"""The share of the ids of a source that are nearly every other: a server has some threads of its own, and a log of some
hours ten times as many requests."""

NEARLY: Final = 0.99
"""The share of a key's entries that make it one of such ids alone, and of an id's entries that must be of such keys."""

FEWEST: Final = 20
"""Ids of a source below which none is told from the others: a tenth of them is less than two."""


@dataclass(frozen=True, slots=True)
class Endless:
    """What was taken out of the sessions: how many ids with how many entries, and the keys that only they have."""

    ids: int = 0
    entries: int = 0
    keys: frozenset[int] = frozenset()

    def describe(self) -> str:
        """One human line."""
        one = self.ids == 1
        never = "1 id never ends: a service or a thread" if one else f"{self.ids:,} ids never end: services or threads"
        keys = "is 1 log key" if len(self.keys) == 1 else f"are {len(self.keys):,} log keys"
        return f"{never}, no run; {'its' if one else 'their'} {self.entries:,} entries are of no session, nor {keys}"


def take_out(parsed: Parsed, timeout: float | None) -> Endless:
    r"""Take the entries of endless ids, and all of keys that only these have, out of their sessions.

    Endless is an id that is seen through more than `A_PLACE` of a source, never idle for the time-out (seconds of
    log time, lines without stamps), with `LONGER` times the entries of nearly every other, and whose keys hardly any
    other has: a connection that is kept open does what others do, and stays a session. An id that is endless in one
    source is so in all. Changes `parsed.kept`.

    >>> from offscript.config import Config
    >>> from offscript.entries import Line
    >>> from offscript.parse.learn import learn
    >>> lines = [Line(f"req-{n} {w}", "a", 2 * n) for n in range(150) for w in ("begins", "works")]
    >>> lines = [line for one in lines for line in (one, Line("req-9999 thread is alive", "a", one.number))]
    >>> take_out(learn(lines, Config(session=r"req-\d+")), 50.0)
    Endless(ids=1, entries=300, keys=frozenset({2}))
    """
    kept = parsed.kept
    sessions = np.array(kept.sessions, np.int64)
    never = _endless(kept, sessions, timeout)
    if not len(never):
        return Endless()
    keys = np.array(parsed.key_of, np.int64)[np.array(kept.skeletons, np.int64)]
    never, only = _with_own_keys(sessions, keys, never)
    outside = np.isin(sessions, never) | np.isin(keys, only)
    taken = int((outside & (sessions >= 0)).sum())
    np.frombuffer(kept.sessions, np.int64)[outside] = -1
    return Endless(len(never), taken, frozenset(only.tolist()))


def _with_own_keys(
    sessions: NDArray[np.int64], keys: NDArray[np.int64], never: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Those of the ids whose entries are nearly all of keys that nearly only these ids have, and these keys."""
    having = np.bincount(keys[sessions >= 0], minlength=int(keys.max()) + 1)
    while True:
        of_them = np.isin(sessions, never)
        only = np.flatnonzero(np.bincount(keys[of_them], minlength=len(having)) > NEARLY * having)
        which = np.searchsorted(never, sessions[of_them])
        own = np.bincount(which, np.isin(keys[of_them], only), len(never))
        kept = never[own > NEARLY * np.bincount(which, minlength=len(never))]
        if len(kept) == len(never):
            return never, only
        never = kept


def _endless(kept: Kept, sessions: NDArray[np.int64], timeout: float | None) -> NDArray[np.int64]:
    """The codes of the ids that never end in a source of enough ids."""
    sources = np.array(kept.sources, np.int64)
    order = np.argsort(sources, kind="stable")  # files of several processes are read one after another, or in turns
    sessions, sources = sessions[order], sources[order]
    named = np.flatnonzero(sessions >= 0)
    if not len(named):
        return named
    named = named[np.lexsort((sessions[named], sources[named]))]  # those of an id in a source together, in their order
    begins = np.append(True, (np.diff(sessions[named]) != 0) | (np.diff(sources[named]) != 0))
    firsts = np.flatnonzero(begins)
    ends = np.append(firsts[1:], len(named))
    owner, lives, counts = sources[named[firsts]], named[ends - 1] - named[firsts], ends - firsts
    among, entries = np.bincount(owner)[owner], np.bincount(sources)[owner]
    found = (among >= FEWEST) & (lives > A_PLACE * entries) & (counts > LONGER * np.quantile(counts, USUAL))
    if timeout is not None and found.any():
        clock = _clock(np.array(kept.times, np.float64)[order], sources)
        gaps = np.where(begins, 0.0, np.diff(clock[named], prepend=0.0))
        found &= np.maximum.reduceat(gaps, firsts) <= timeout
    return np.unique(sessions[named[firsts[found]]])


def _clock(times: NDArray[np.float64], sources: NDArray[np.int64]) -> NDArray[np.float64]:
    """The clock that closes sessions, as it stands at each entry; those of one source stand together."""
    clock = np.empty(len(times))
    borders = [0, *(np.flatnonzero(np.diff(sources)) + 1).tolist(), len(times)]
    for begin, end in pairwise(borders):
        stamps = times[begin:end]
        known = np.isfinite(stamps)
        if known.any():  # before its first stamp a source counts lines; that stamp is the last sign of life of what was
            clock[begin:end] = np.maximum.accumulate(np.where(known, stamps, stamps[known.argmax()]))
        else:
            clock[begin:end] = np.arange(end - begin)
    return clock
