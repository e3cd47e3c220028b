"""The path of a session, as far as it is known, and where on it its departure lies (CCS 2017 section 4.4; ours).

Mostly that is where the verdict stands. But a session that is judged as a whole, when it closes, left its script
somewhere before; and a line that says how long something took comes after the step that was slow.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.entries import END, START, UNKNOWN, Entry, Reason, Verdict
from offscript.model import Model
from offscript.models.profile import Difference

AT_CLOSE: Final = (Reason.INCOMPLETE_SESSION, Reason.UNUSUAL_SESSION)
"""Reasons of verdicts on sessions that closed."""

OF_VALUES: Final = (Reason.UNUSUAL_TIME, Reason.UNUSUAL_VALUE, Reason.NEW_VALUE)
"""Reasons of verdicts on entries whose key was accepted."""

Symbols = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Path:
    """The log keys of a session in order, whether they begin with its first, and whether it has ended.

    `at` is the place of the verdict's entry, the number of keys for a verdict at the close. `entries` are those of the
    keys, none where only the history of the verdict is known.
    """

    keys: tuple[int, ...]
    at: int
    is_whole: bool
    ended: bool
    entries: tuple[Entry, ...] = ()


def path_of(
    model: Model, verdict: Verdict, entries: Sequence[Entry] | None, *, whole: bool = True, ended: bool = False
) -> Path:
    """Return the path of a verdict's session, from its entries, or from the history that the verdict holds.

    Entries among which that of the verdict is not are no path of it.
    """
    closed = verdict.reason in AT_CLOSE
    places = [
        place
        for place, entry in enumerate(entries or ())
        if entry.line.offset == verdict.entry.line.offset and entry.line.number == verdict.entry.line.number
    ]
    if entries and places:
        keys = tuple(entry.key for entry in entries)
        at = len(keys) if closed else places[0]
        return Path(keys, at, whole, closed or ended, tuple(entries))
    if verdict.session is None and model.session_key.where != "none":
        return Path((verdict.entry.key,), 0, is_whole=False, ended=False)
    # a history has no place for lines never seen before: of these only the verdict's own is known
    keys = verdict.history if closed and verdict.entry.known else (*verdict.history, verdict.entry.key)
    is_whole = model.session_key.where != "none" and len(verdict.history) < model.config.history
    return Path(keys, len(keys) - (not closed), is_whole, closed)


class Places:
    """Finds where on a path its session left the script."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._keys = model.keys

    def departure(self, path: Path, verdict: Verdict) -> int | None:
        """Return the place of the departure on a path; None where it lies somewhere before what is known.

        A session is on script as long as some normal session has all of its steps so far, as often: an order that no
        rule of h steps sees broken, such as the end of one task after the beginning of another, is found so. A session
        judged as a whole that lacks steps left the script where what came surprised the key model most, of what never
        came so in training.
        """
        beyond = self.beyond_all(path)
        if verdict.reason is not Reason.UNUSUAL_SESSION:
            return path.at if beyond is None else min(beyond, path.at)
        if not path.is_whole:
            return None
        if beyond is not None:
            return beyond
        scores, seen = self.scores(path), self.seen(path)
        return int(np.argmax(np.where(seen, -1.0, scores) if not seen.all() else scores))

    def beyond_all(self, path: Path) -> int | None:
        """The first place at which no normal session has as much of every step; None where some has to the end."""
        profile = self._keys.profile
        if profile is None or not path.is_whole:
            return None
        alive = np.ones(len(profile.vectors), bool)
        seen: Counter[int] = Counter()
        for place, symbol in enumerate(self._symbols(path).tolist()):
            seen[symbol] += 1
            alive &= profile.vectors[:, symbol] >= seen[symbol]
            if not alive.any():
                return place
        return None

    def differences(self, path: Path) -> tuple[Difference, ...]:
        """How the counts of a path differ from those of the normal sessions most like it; the most important first."""
        counts = np.zeros(len(self._keys.vocabulary), np.int32)
        np.add.at(counts, self._symbols(path), 1)
        return self._keys.unusual(counts)

    def seen(self, path: Path) -> NDArray[np.bool_]:
        """Whether each key, and the end where the session has ended, came in training after the same last h keys."""
        targets = self._targets(path)
        histories = self.histories(path)[: len(targets)]
        nothing = np.zeros((len(targets), self._keys.learnt.ensemble.seen.shape[1]))
        _, found = self._keys.learnt.sightings.blend(histories, nothing, weight=1.0, often=1)
        return found[np.arange(len(targets)), targets]

    def scores(self, path: Path) -> NDArray[np.float64]:
        """The score of each key after those before it, and of the end where the session has ended; 1.0 is a threshold.

        Where the beginning is not known, the first h score 0.
        """
        targets = self._targets(path)
        found = self._keys.surprise(self.histories(path)[: len(targets)], targets)
        if not path.is_whole:
            found[: self._model.config.history] = 0.0
        return found

    def histories(self, path: Path) -> Symbols:
        """The history before each key of a path, and after its last: (n + 1, h)."""
        size = self._model.config.history
        padded = np.concatenate((np.full(size, START, np.int32), self._symbols(path)))
        return np.lib.stride_tricks.sliding_window_view(padded, size)

    def _targets(self, path: Path) -> Symbols:
        symbols = self._symbols(path)
        return np.append(symbols, np.int32(END)) if path.ended else symbols

    def _symbols(self, path: Path) -> Symbols:
        known = (self._keys.symbol(key) if key > 0 else UNKNOWN for key in path.keys)
        return np.fromiter(known, np.int32, len(path.keys))


def elapsed(entries: Sequence[Entry]) -> list[float]:
    """The seconds from each entry to the next, by a clock that never runs back: one less than there are entries.

    NaN where either has no time, or the later one is behind the clock: one stamp in the future says nothing of the
    lines after it.
    """
    found: list[float] = []
    clock = -math.inf
    for before, after in pairwise(entries):
        clock = clock if before.time is None else max(clock, before.time)
        known = after.time is not None and clock > -math.inf and after.time >= clock
        found.append(after.time - clock if known and after.time is not None else math.nan)
    return found
