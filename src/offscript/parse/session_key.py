"""Which identifier of a line names its session, and how it is found in one line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import re2

from offscript.entries import Fields
from offscript.errors import ModelError, UsageError

Where = Literal["message", "header", "line", "none"]

MAX_ID = 256
"""Longer ids are cut here: a uuid has 36 characters, a trace id 64; a pattern like `.*` must not fill the memory."""

MAX_PATTERN = 4_096
"""Longer patterns are refused: the discovered ones have under 300 characters."""

_BROKEN_MODEL = "the model is damaged: fit it again or restore it from a backup"


@dataclass(frozen=True, slots=True)
class SessionKey:
    r"""Where the session id of a line stands (ours; DESIGN section 4).

    Args:
        where: `message` (the pattern searches the message), `header` (the value of one header field), `line` (the
            pattern searches the message and then, if it is not there, the header written as `name=value` joined by
            blanks), or `none` (the log has no sessions: each source is one stream).
        pattern: an RE2 pattern; its first group, or without groups the whole match, is the id.
        field: the header field's name, an entry of `Fields.named`.
        name: what people call it, such as `blk_<n>`.

    Raises:
        UsageError: the pattern is not RE2, or too long.

    >>> key = SessionKey("message", r"\bblk_-?[0-9]+", name="blk_<n>")
    >>> key.find(Fields("Deleting block blk_-42 file /d/blk_-42"))
    'blk_-42'
    >>> key.describe()
    'blk_<n> in the message'
    """

    where: Where
    pattern: str = ""
    field: str = ""
    name: str = ""
    _search: Any = dataclasses.field(default=None, init=False, repr=False, compare=False)
    _group: int = dataclasses.field(default=0, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.where in ("message", "line"):
            compiled = _compile(self.pattern)
            object.__setattr__(self, "_search", compiled.search)
            object.__setattr__(self, "_group", min(1, compiled.groups))

    @classmethod
    def none(cls) -> SessionKey:
        """Name the key of a log without sessions.

        >>> SessionKey.none().find(Fields("anything")) is None
        True
        """
        return cls("none", name="none")

    @classmethod
    def from_pattern(cls, regex: str) -> SessionKey:
        r"""Take the key from a user's pattern, searched in the message first and then in the header.

        Raises:
            UsageError: the pattern is not RE2 (which has no look-around and no back-references).

        >>> SessionKey.from_pattern(r"pid=(\d+)").find(Fields("session opened", named=(("pid", "4711"),)))
        '4711'
        """
        return cls("line", regex, name=regex)

    def find(self, fields: Fields) -> str | None:
        """Find the session id of one line, the first match; None where there is none.

        >>> SessionKey("header", field="pid").find(Fields("ok", named=(("pid", "7"),)))
        '7'
        """
        if self.where == "none":
            return None
        if self.where == "header":
            return next((value[:MAX_ID] for name, value in fields.named if name == self.field and value), None)
        found = self._first(fields.message)
        if found is None and self.where == "line":
            found = self._first(" ".join(f"{name}={value}" for name, value in fields.named))
        return found

    def span(self, message: str) -> tuple[int, int] | None:
        r"""Find where the session id stands in a message, in characters; None where there is none.

        >>> SessionKey("message", r"\bblk_-?[0-9]+").span("Deleting block blk_-42")
        (15, 22)
        """
        data = message.encode("utf-8", "replace")
        found = self._bytes(data) if self.where in ("message", "line") else None
        if found is None:
            return None
        begin = len(data[: found[0]].decode("utf-8", "replace"))
        return begin, begin + min(MAX_ID, len(data[slice(*found)].decode("utf-8", "replace")))

    def _first(self, text: str) -> str | None:
        # Bytes, because RE2 on str costs three times as much in offsets translated there and back; "replace", because
        # JSON escapes can name half a surrogate pair, which UTF-8 cannot hold.
        data = text.encode("utf-8", "replace")
        found = self._bytes(data)
        return None if found is None else data[slice(*found)].decode("utf-8", "replace")[:MAX_ID]

    def _bytes(self, data: bytes) -> tuple[int, int] | None:
        match = self._search(data)
        if match is None:
            return None
        begin, end = match.span(self._group)  # -1, -1 for a group that took no part
        return (begin, end) if begin < end else None

    @property
    def group(self) -> int:
        """The group of the pattern that is the id: 1, or 0 for the whole match."""
        return self._group

    def describe(self) -> str:
        """One human line: `blk_<n> in the message`.

        >>> SessionKey("header", field="pid", name="pid").describe()
        'pid in the header'
        """
        if self.where == "none":
            return "none (each source is one stream)"
        return f"{self.name or self.field or self.pattern} in the {self.where}"

    def to_dict(self) -> dict[str, str]:
        """Write the key as JSON, for a model folder.

        >>> SessionKey.from_dict(SessionKey.none().to_dict()) == SessionKey.none()
        True
        """
        return {"where": self.where, "pattern": self.pattern, "field": self.field, "name": self.name}

    @classmethod
    def from_dict(cls, data: object) -> SessionKey:
        """Read the key that `to_dict` wrote.

        Raises:
            ModelError: the JSON is not such a key.

        >>> SessionKey.from_dict({"where": "header", "pattern": "", "field": "pid", "name": "pid"}).field
        'pid'
        """
        if not isinstance(data, Mapping) or set(data) != {"where", "pattern", "field", "name"}:
            raise ModelError("the session key is not where, pattern, field, name", remedy=_BROKEN_MODEL)
        if not all(isinstance(value, str) for value in data.values()) or data["where"] not in get_args(Where):
            raise ModelError("the session key names an unknown place", remedy=_BROKEN_MODEL)
        try:
            return cls(**data)
        except UsageError as error:
            raise ModelError(error.what, remedy=_BROKEN_MODEL) from error


def _compile(pattern: str) -> Any:  # re2 ships no types
    if not pattern or len(pattern) > MAX_PATTERN:
        raise UsageError(
            f"a session pattern needs 1 to {MAX_PATTERN:,} characters",
            remedy=r"give the pattern of one id, such as 'blk_-?\d+'",
        )
    options = re2.Options()
    options.log_errors = False  # the error below says it once, in our words
    try:
        return re2.compile(pattern.encode(), options)
    except (re2.error, UnicodeEncodeError) as error:
        raise UsageError(
            f"session pattern {pattern!r} is not a valid RE2 pattern ({_said(error)})",
            remedy="mend it; look-around and back-references do not exist in RE2",
        ) from error


def _said(error: Exception) -> str:
    """Tell what RE2 or the codec says, without the bytes prefix of its message."""
    said = error.args[0] if error.args else error
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
