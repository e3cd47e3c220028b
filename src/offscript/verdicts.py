"""From what was flagged to verdicts: reason, what was expected instead, and the wording (ours).

Lines and columns come together here: whichever way an entry was judged, its verdict is made by the same hands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from offscript.entries import Entry, Expected, Line, Reason, Verdict
from offscript.model import Model
from offscript.models.keys import reason_of
from offscript.parse.records import Reader
from offscript.parse.session_rows import Json
from offscript.value_judge import ValueFlag
from offscript.value_wording import measured, value_detail
from offscript.wording import TEXT_KEPT, Words, detail, verdict_id

if TYPE_CHECKING:
    from offscript.parse.scan import Scanned

EXPECTED_SHOWN = 3  # candidates named in a verdict: beyond three, probabilities are rarely worth reading
CELLS_AT_ONCE = 1 << 22  # counts of sessions held at once, 16 MiB: memory then does not grow with sessions times keys
BYTES_REMEMBERED = 16 << 20  # of counts whose score is remembered: those of 100,000 sessions with 32 symbols

Symbols = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Later:
    """An entry of a block that is made only when it is asked for: few are."""

    scanned: Scanned
    place: int
    reader: Reader

    def made(self) -> Entry:
        """Make the entry as if its line had been read alone."""
        time = float(self.scanned.times[self.place])
        code = int(self.scanned.sessions[self.place])
        session = self.scanned.names[code] if code >= 0 else None
        return self.reader.entry_at(self.scanned.line(self.place), time if time == time else None, session)

    def row(self) -> list[Json]:
        """Return what is remembered of the entry; that of a known key needs no matching."""
        key = int(self.scanned.numbers[self.place])
        if key <= 0:
            return last_row(self.made())
        time = float(self.scanned.times[self.place])
        line = self.scanned.line(self.place)
        return last_row(Entry(line, key, (), "", time if time == time else None))


def last_row(entry: Entry) -> list[Json]:
    """Return what an open session remembers of its last entry, as JSON; a known key says its template."""
    line, template = entry.line, "" if entry.known else entry.template
    return [line.number, line.offset, line.text[:TEXT_KEPT], entry.key, template, entry.time]


def last_entry(model: Model, source: str, session: str, row: Sequence[Json]) -> Entry:
    """Return the entry that `last_row` was made of, as far as it was remembered."""
    number, offset, text, key, template, time = row
    if key > 0:
        template = model.templates.template(key).text
    return Entry(Line(text, source, number, offset), key, (), template, time, None, session, key > 0)


@dataclass(frozen=True, slots=True)
class Flagged:
    """A symbol that came after a history, and scored 1.0 or more.

    `within` says whether that was within a session. `counts` hold how often each symbol came in a session that has
    ended, zeros where it was joined midway; `is_unusual` says that these are what is wrong. `value` is given where a
    time or a value is: the key itself was accepted.
    """

    entry: Entry
    target: int
    history: tuple[int, ...]
    score: float
    within: bool = True
    counts: Symbols | None = None
    is_unusual: bool = False
    value: ValueFlag | None = None


def verdicts_of(words: Words, flagged: Sequence[Flagged]) -> list[Verdict]:
    """Return the verdicts, in the same order."""
    expected = _expected(words, flagged)
    return [_verdict(words, one, choices) for one, choices in zip(flagged, expected, strict=True)]


def _verdict(words: Words, flagged: Flagged, expected: tuple[Expected, ...]) -> Verdict:
    lineage = words.model.lineage
    entry, reason = flagged.entry, reason_of(flagged.target)
    if flagged.value is not None:
        reason = flagged.value.reason
    elif flagged.is_unusual:
        reason = Reason.UNUSUAL_SESSION
    elif reason is Reason.NEW_KEY and entry.known:  # training met it, but never within a session
        reason = Reason.UNEXPECTED_KEY
    return Verdict(
        id=verdict_id(lineage, entry.line, reason),
        reason=reason,
        score=flagged.score,
        entry=entry,
        time=entry.time,
        session=entry.session,
        expected=expected,
        detail=_detail(words, flagged, reason, expected),
        history=words.keys_of(flagged.history),
        measured=measured(words.model, flagged.value) if flagged.value is not None else None,
        counts=None if flagged.counts is None else words.counts(flagged.counts),
    )


def _detail(words: Words, flagged: Flagged, reason: Reason, expected: tuple[Expected, ...]) -> str:
    before = flagged.history[-1]
    if flagged.value is not None:
        return value_detail(words, flagged.entry, before, flagged.value)
    if flagged.counts is not None and flagged.is_unusual:
        return words.differences(flagged.counts)
    return detail(words, flagged.entry, before, reason, expected)


def _expected(words: Words, flagged: Sequence[Flagged]) -> list[tuple[Expected, ...]]:
    """The likeliest next keys of each; none outside sessions, nor where the key is not what is wrong."""
    asked = [one.within and not one.is_unusual and one.value is None for one in flagged]
    within = [one.history for one, is_asked in zip(flagged, asked, strict=True) if is_asked]
    if not within:
        return [() for _ in flagged]
    distinct = dict.fromkeys(within)  # what is wrong once is often wrong again, after the same keys
    found = words.model.keys.expected_many(np.array(list(distinct), dtype=np.int32), EXPECTED_SHOWN)
    named = dict(zip(distinct, map(words.expected, found), strict=True))
    return [named[one.history] if is_asked else () for one, is_asked in zip(flagged, asked, strict=True)]


class SessionScores:
    """The scores of closed sessions by their counts; those met lately are remembered, as most sessions are alike.

    `serve` says whether sessions are to be judged so at all: where there are sessions, and ends of them were learnt.
    """

    def __init__(self, model: Model) -> None:
        self._keys = model.keys
        self.serve = model.keys.profile is not None and model.keys.learns_end and model.session_key.where != "none"
        self.symbols = len(model.keys.vocabulary)
        self.at_once = max(1, CELLS_AT_ONCE // self.symbols)
        self.room = max(1, BYTES_REMEMBERED // (4 * self.symbols))
        self._remembered: dict[bytes, float] = {}

    def vector(self, counts: Mapping[int, int]) -> Symbols:
        """Write counts by symbol as an array, (symbols,)."""
        out = np.zeros(self.symbols, np.int32)
        out[list(counts)] = list(counts.values())
        return out

    def of(self, counts: Symbols) -> npt.NDArray[np.float64]:
        """The score of each session: (n, symbols) -> (n,), n at most `at_once`."""
        names = [row.tobytes() for row in counts]
        fresh = {name: place for place, name in enumerate(names) if name not in self._remembered}
        found = self._keys.session_scores(counts[list(fresh.values())]).tolist() if fresh else []
        if len(self._remembered) + len(fresh) > self.room:
            self._remembered = {name: self._remembered[name] for name in set(names) - fresh.keys()}
        self._remembered |= zip(fresh, found, strict=True)
        return np.array([self._remembered[name] for name in names])
