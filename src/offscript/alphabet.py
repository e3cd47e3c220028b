"""What the numbers of a detector's state stand for, so that another version of the model can read them (ours).

Open sessions are held as symbols, and symbols and keys are numbered by each version. An update adds numbers and leaves
those there are; but versions that grew side by side (learn, undo, learn something else) may give one number to
different lines, and an older version lacks the newest. So a state says what its numbers mean, and what means nothing to
the version that reads it is UNKNOWN to that version, as it was before it was learnt.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from offscript.entries import FIRST_KEY_SYMBOL, UNKNOWN
from offscript.errors import StateError
from offscript.model import Model
from offscript.parse.session_rows import Session
from offscript.wording import TEXT_KEPT

LARGEST: Final = 2**63
"""Line numbers, offsets and keys are below it."""

START_ANEW: Final = "start the detector without this state, or restore the state from a backup"

DIGITS: Final = 16
"""Hexadecimal digits that a template is known by: among ten thousand two are alike once in 10^11 models."""

_LAST: Final = ((int,), (int,), (str,), (int,), (str,), (float, type(None)))
"""What is remembered of a session's last entry: line number, offset, text, key, template, time."""


@dataclass(frozen=True)
class Alphabet:
    """The keys of a version in the order of their symbols, and by which digest each key's template is known.

    >>> Alphabet((7,), {7: "a"}).shared(Alphabet((7,), {7: "b"}))
    frozenset()
    """

    symbols: tuple[int, ...]
    names: Mapping[int, str]

    @classmethod
    def of(cls, model: Model) -> Alphabet:
        """The alphabet of a model."""
        keys = model.templates.keys()
        return cls(model.keys.vocabulary.keys, {key: _digest(model.templates.template(key).text) for key in keys})

    @classmethod
    def of_row(cls, row: Any) -> Alphabet:
        """Read what `row` wrote; StateError where it is not that."""
        try:
            symbols, rows = row["symbols"], row["templates"]
            names = dict(rows)
            sound = type(symbols) is list and all(type(key) is int for key in symbols) and len(names) == len(rows)
            sound = sound and all(type(key) is int and type(name) is str for key, name in rows)
            sound = sound and set(symbols) <= set(names) and len(set(symbols)) == len(symbols)
        except (TypeError, KeyError, ValueError):
            sound = False
        if not sound:
            raise StateError("what the numbers of this state mean is damaged", remedy=START_ANEW)
        return cls(tuple(symbols), names)

    def row(self) -> dict[str, Any]:
        """Write it as JSON."""
        return {"symbols": list(self.symbols), "templates": [list(pair) for pair in self.names.items()]}

    def __len__(self) -> int:
        """Count the symbols, START, END and UNKNOWN among them."""
        return FIRST_KEY_SYMBOL + len(self.symbols)

    def shared(self, other: Alphabet) -> frozenset[int]:
        """The keys that mean the same lines in both."""
        return frozenset(key for key, name in self.names.items() if other.names.get(key) == name)


@dataclass(frozen=True)
class Passage:
    """The way from one version to another: which keys mean the same, and the symbol there of each symbol here."""

    shared: frozenset[int]
    symbols: Sequence[int]
    loses: bool

    @classmethod
    def between(cls, old: Alphabet, new: Alphabet) -> Passage:
        """What becomes of the symbols and keys of one alphabet in another.

        >>> Passage.between(Alphabet((7, 9), {7: "a", 9: "b"}), Alphabet((7,), {7: "a"})).symbols
        (0, 1, 2, 3, 2)
        """
        shared = old.shared(new)
        there = {key: symbol for symbol, key in enumerate(new.symbols, FIRST_KEY_SYMBOL) if key in shared}
        symbols = (*range(FIRST_KEY_SYMBOL), *(there.get(key, UNKNOWN) for key in old.symbols))
        loses = len(shared) < len(old.names) or symbols != tuple(range(len(old)))
        return cls(shared, symbols, loses)

    def take(self, session: Session) -> bool:
        """Put a session's history and counts into the symbols of the new version; return whether any changed."""
        before = session.history, session.counts
        session.history = [self.symbols[symbol] for symbol in session.history]
        session.counts = {}
        for symbol, count in before[1].items():
            there = self.symbols[symbol]
            session.counts[there] = session.counts.get(there, 0) + count
        return (session.history, session.counts) != before


def are_kin(one: Model, other: Model) -> bool:
    """Whether two models read lines and sessions alike, as all versions that grew from one `fit` do (ours)."""
    return (one.header.to_dict(), one.session_key, one.keys.history) == (
        other.header.to_dict(),
        other.session_key,
        other.keys.history,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def check_session(session: Session, alphabet: Alphabet, history: int) -> None:
    """Raise StateError for an open session that no detector with this alphabet and length of history wrote (ours)."""
    last, entries = session.extra.get("last"), min(session.entries, history)
    known = [*session.history, *session.counts]
    sound = len(session.history) == entries and all(UNKNOWN <= symbol < len(alphabet) for symbol in known)
    named = session.extra in ({"last": last}, {"last": last, "joined": True})
    if not (sound and named and _is_last(last, alphabet.names)):
        raise StateError(f"the row of session {session.id[:60]!r} is damaged", remedy=START_ANEW)


def _is_last(last: object, keys: Mapping[int, str]) -> bool:
    """Whether this is what a session remembers of its last entry."""
    if not isinstance(last, list) or len(last) != len(_LAST):
        return False
    if not all(type(value) in kinds for value, kinds in zip(last, _LAST, strict=True)):
        return False
    number, offset, text, key, _, time = last
    whole = min(number, offset) >= 0 and max(number, offset, abs(key)) < LARGEST
    finite = time is None or math.isfinite(time)
    return whole and finite and len(text) <= TEXT_KEPT and (key <= 0 or key in keys)
