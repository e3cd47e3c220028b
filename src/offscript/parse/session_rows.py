"""What is known of an open session and of a source's clock, and how both are written as JSON rows (ours)."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from offscript.errors import StateError

Json = Any
"""A JSON value: None, bool, int, float, str, or lists and dicts of them."""

DAMAGED: Final = "start the detector without this state, or restore the state from a backup"

COUNTS_ROW: Final = '["counts"]'

_NAMES: Final = {"counts": 0, "clock": 1, "session": 2}
"""How many names follow each kind of row."""


@dataclass(slots=True)
class Session:
    """One run of a task: the entries of a source that share an id (DESIGN section 4; ours).

    `instance` is the how-manieth session its source opened. It is unique although an id may return after closing, and
    costs no memory of closed ids; it is not a count per id. `first` and `last` are clock times (seconds since 1970, or
    lines in a source without stamps), `arrival` the number of the last entry among all sources. `history`, `counts`
    and `extra` belong to the caller: the last h symbols, how often each symbol came, and any small JSON values.
    """

    source: str
    id: str
    instance: int
    first: float
    last: float
    entries: int = 0
    arrival: int = 0
    history: list[int] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)
    extra: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Clock:
    """The clock of one source, and its open sessions, the idlest first."""

    now: float = 0.0
    stamped: bool = False
    opened: int = 0
    sessions: OrderedDict[str, Session] = field(default_factory=OrderedDict)


class Held(NamedTuple):
    """All that open sessions hold, on its way from objects to columns or back.

    `sessions` are in the order of their last entries. Touched is what `changes` will tell, `stored` what it has told.
    """

    arrivals: int
    overflow: int
    clocks: dict[str, Clock]
    sessions: list[Session]
    touched: dict[tuple[str, str], None]
    touched_clocks: dict[str, None]
    stored: set[tuple[str, str]]


def row_name(*parts: str) -> str:
    """Name a row after its kind, its source and its session.

    >>> row_name("clock", "app.log")
    '["clock", "app.log"]'
    """
    return json.dumps(parts)


def clock_row(clock: Clock) -> Json:
    """Write a clock as a row, for `read_clock`."""
    return {"now": clock.now, "stamped": clock.stamped, "opened": clock.opened}


def session_row(session: Session) -> Json:
    """Write a session as a row, for `read_session`; its counts are symbol, count, symbol, count ... ascending."""
    return {
        "instance": session.instance,
        "first": session.first,
        "last": session.last,
        "entries": session.entries,
        "arrival": session.arrival,
        "history": list(session.history),
        "counts": [number for pair in sorted(session.counts.items()) for number in pair],
        "extra": dict(session.extra),
    }


def read_name(name: str) -> list[str]:
    """Return the parts of a row's name; StateError when it is none of ours."""
    try:
        parts: Any = json.loads(name)
    except (ValueError, RecursionError):
        parts = None
    names = isinstance(parts, list) and all(isinstance(part, str) for part in parts)
    if names and parts and _NAMES.get(parts[0]) == len(parts) - 1:
        return list(parts)
    raise StateError(f"row {name[:60]!r} is not a row of open sessions", remedy=DAMAGED)


def read_counts(row: Json) -> tuple[int, int]:
    """Return the entries that arrived in sessions, and the sessions over the cap."""
    arrivals, overflow = _read(row, arrivals=int, overflow=int)
    return arrivals, overflow


def read_clock(row: Json) -> Clock:
    """Return the clock of a row; StateError when it is damaged."""
    now, stamped, opened = _read(row, now=float, stamped=bool, opened=int)
    return Clock(now, stamped, opened)


def read_session(row: Json, source: str, id: str) -> Session:  # noqa: A002  (the word of the vocabulary)
    """Return the session of a row; StateError when it is damaged."""
    instance, first, last, entries, arrival, history, counts, extra = _read(
        row, instance=int, first=float, last=float, entries=int, arrival=int, history=list, counts=list, extra=dict
    )
    if not all(type(symbol) is int for symbol in history):
        raise StateError("the history of a session is not a list of symbols", remedy=DAMAGED)
    if not _are_counts(counts, entries):
        raise StateError("the counts of a session are not symbols, ascending, each with its count", remedy=DAMAGED)
    pairs = dict(zip(counts[::2], counts[1::2], strict=True))
    return Session(source, id, instance, first, last, entries, arrival, list(history), pairs, dict(extra))


def _are_counts(counts: Sequence[Json], entries: int) -> bool:
    symbols = counts[::2]
    whole = all(type(number) is int and 0 <= number < 2**31 for number in counts) and all(counts[1::2])
    return whole and len(counts) % 2 == 0 and symbols == sorted(set(symbols)) and sum(counts[1::2]) <= entries < 2**30


def _read(row: Json, **kinds: type) -> list[Any]:
    """Read the values of a row, whose names and kinds must be exactly these; a whole number may stand for a float."""
    if not isinstance(row, Mapping) or set(row) != set(kinds):
        raise StateError(f"a row of open sessions does not hold {', '.join(kinds)}", remedy=DAMAGED)
    values = []
    for name, kind in kinds.items():
        value = row[name]
        if kind is float and type(value) is int and abs(value) < 2**53:  # JSON may have dropped the ".0"
            value = float(value)
        if type(value) is not kind or not _is_sound(value):
            raise StateError(f"{name!r} of a row of open sessions is not a sound {kind.__name__}", remedy=DAMAGED)
        values.append(value)
    return values


def _is_sound(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or 0 <= value < 2**62  # what columns can hold; nothing real comes near
