"""The words every room speaks: Line, Fields, Match, Entry, Verdict (DESIGN vocabulary; see docs/glossary.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

WILDCARD = "<*>"
"""Where a value stood in a template."""

START, END, UNKNOWN = 0, 1, 2
"""The first three symbols of every key model; log keys follow from 3."""

FIRST_KEY_SYMBOL = 3


class Reason(StrEnum):
    """Why a verdict was given."""

    NEW_KEY = "new_key"
    UNEXPECTED_KEY = "unexpected_key"
    UNUSUAL_VALUE = "unusual_value"
    UNUSUAL_TIME = "unusual_time"
    NEW_VALUE = "new_value"
    INCOMPLETE_SESSION = "incomplete_session"
    UNUSUAL_SESSION = "unusual_session"


@dataclass(frozen=True, slots=True)
class Line:
    """One physical line as read, credentials already masked.

    `number` counts physical lines from 1 and `offset` bytes from 0 within `source`; rotated files are one source.

    >>> Line("session opened for user root").number
    1
    """

    text: str
    source: str = "-"
    number: int = 1
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Fields:
    """What a header says about a line, and the message after it.

    `time` is in seconds since 1970 (UTC unless the stamp names a zone), None where the line has no stamp.
    `named` holds the header's identifiers by name (`pid`, `thread`, `component`, `host`, or a JSON field's name).
    """

    message: str
    time: float | None = None
    level: str | None = None
    named: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Template:
    """The constant text of one print statement: its tokens with `<*>` where values stood.

    `key` never changes its meaning. `text` is the template as a person reads it; `count` the training lines it had.
    """

    key: int
    text: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """The log key a message has, and what stood at each `<*>`.

    A message that no template matches has `known` False, a negative key (a hash of its skeleton, so that equal
    unknown messages are grouped in every process alike), and the `nearest` known key, if any.
    """

    key: int
    values: tuple[str, ...]
    template: str
    known: bool = True
    nearest: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One parsed line: time, level, key, values, session."""

    line: Line
    key: int
    values: tuple[str, ...]
    template: str
    time: float | None = None
    level: str | None = None
    session: str | None = None
    known: bool = True
    nearest: int | None = None

    @property
    def text(self) -> str:
        """The raw text of the line."""
        return self.line.text


@dataclass(frozen=True, slots=True)
class Expected:
    """A key that would have been on script, with its probability between 0 and 1."""

    key: int
    template: str
    probability: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A time or number that was judged, beside what is normal: `low` to `high`, the median `middle` (ours).

    `place` 0 is the time since the entry before, n the n-th `<*>`; `unit` is that of all four ("s" for times).
    """

    place: int
    number: float
    low: float
    middle: float
    high: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement on one entry, or on one closed session (then `entry` is the session's last).

    `score` is on one scale for every detector: 1.0 is the threshold. `time` is the log time of the entry in seconds
    since 1970. `id` is a hash of lineage, source, byte position and reason: a replay gives the same ids. `measured` is
    given where a time or a number is what is wrong. `history` holds the keys before the entry in its session, at most
    h, 0 for a line that no template matched. `counts`, of a session that has ended, hold how often each key came in
    all of it, ascending by key, 0 as before: none where the session had begun before its log, and is not judged by
    them; None where they are not known.
    """

    id: str
    reason: Reason
    score: float
    entry: Entry
    time: float | None = None
    session: str | None = None
    expected: tuple[Expected, ...] = ()
    detail: str = ""
    history: tuple[int, ...] = field(default=(), repr=False)
    measured: Measured | None = None
    counts: tuple[tuple[int, int], ...] | None = field(default=None, repr=False)

    @property
    def is_anomaly(self) -> bool:
        """Whether the score is at or above the threshold of 1.0."""
        return self.score >= 1.0
