"""The header of a line: what stands before the message, found from a sample and then read off every line (ours)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import re2

from offscript.entries import Fields, Line
from offscript.errors import InputError, ModelError, OffscriptError, UsageError
from offscript.parse.columns import LEVEL_IN_TEXT, Column, level_name, value_groups
from offscript.parse.layouts import LEAST_COVERAGE, find_columns, is_share
from offscript.parse.page import Page, first_of_each
from offscript.parse.structured import (
    NO_FIELDS,
    REGULAR,
    FieldNames,
    find_fields,
    json_object,
    logfmt_object,
    read_object,
)
from offscript.parse.times import plain_form, stamp, time_of

# Lines looked at, spread over the sample; the columns of the public logs settle within a hundred.
SAMPLE = 600
# Longer starts of lines hold no header.
LONGEST_START = 600
# A header inside a message (a container's, a forwarder's), and one inside that.
DEEPEST = 2
# Users' patterns: room for any hand-written one, a bound for a bundle's.
LONGEST_PATTERN = 4_096
# A header must fit this share of the lines that it fitted when it was found.
LEAST_SHARE = 0.9

_KINDS = ("plain", "columns", "json", "logfmt", "pattern")
_CONTINUATION = re.compile(
    r"\s|$|at [\w$.<>/]+\(|\.{3}|(?:\.{3} )?\d+ (?:more|frames? (?:omitted|truncated))|Caused by:|Suppressed:|"
    r"Traceback |During handling of|The above exception|[)\]}]+[,;]?\s*$|[\w.$]{1,200}(?:Exception|Error)(?::|\s*$)|"
    r"[|+^~=-]{3,}\s*$|goroutine \d+|#\d+\s"
)


def looks_like_continuation(text: str) -> bool:
    """Whether a line reads like one that goes on with the record before it: indented, a stack frame, a closing brace.

    >>> looks_like_continuation("    at org.example.Main.run(Main.java:7)"), looks_like_continuation("session opened")
    (True, False)
    """
    return _CONTINUATION.match(text) is not None


@dataclass(frozen=True)
class Header:
    """How to read the header off a line; plain data, so that a bundle can hold it (ours).

    `kind` is "columns" (then `columns`), "json" or "logfmt" (then `names`), "pattern" (the user's, then `pattern` and
    perhaps `form`), or "plain": no header. `inner` is the header of the message itself, as inside a container's
    JSON. `coverage` is the share of the sample's records that it fitted.

    >>> header = detect_header(["081109 203518 35 INFO dfs.Name: up", "081109 203519 36 WARN dfs.Name: down"])
    >>> header.split("081109 203520 7 INFO dfs.Node: Receiving block")
    Fields(message='Receiving block', time=1226262920.0, level='INFO', named=(('pid', '7'), ('component', 'dfs.Node')))
    """

    kind: str = "plain"
    columns: tuple[Column, ...] = ()
    names: FieldNames = NO_FIELDS
    pattern: str = ""
    form: str = ""
    level_in_text: bool = False
    inner: Header | None = None
    coverage: float = 1.0
    _read: Callable[[str, float | None], Fields | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        makers = {"columns": _columns_reader, "json": _object_reader, "logfmt": _object_reader,
                  "pattern": _pattern_reader}  # fmt: skip
        read = makers[self.kind](self) if self.kind in makers else _read_plain
        object.__setattr__(self, "_read", read if self.inner is None else _with_inner(read, self.inner))

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], Header], tuple[dict[str, Any]]]:
        return Header.from_dict, (self.to_dict(),)

    def split(self, text: str, near: float | None = None) -> Fields | None:
        """Time, level, identifiers and message of a record; None for a line that continues one (or has no header).

        Pure: `near`, the last time of the same source, places stamps without a year or a day (`times.Stamp.seconds`).
        """
        return self._read(text, near)

    def share(self, texts: Sequence[str]) -> float:
        """The share of lines that this header fits, from 0 to 1; lines that read like continuations do not count."""
        return self.share_of([self._read(text, None) is not None for text in texts], texts)

    def share_of(self, fits: Sequence[bool], texts: Sequence[str]) -> float:
        """The same share, of lines of which it is known whether `split` reads them."""
        misses = sum(1 for text, fit in zip(texts, fits, strict=True) if not fit and not self.continues(text))
        return sum(fits) / (sum(fits) + misses) if sum(fits) + misses else 1.0

    def continues(self, text: str) -> bool:
        """Whether a line that `split` gives None for reads like one that goes on with the record before it."""
        return looks_like_continuation(text) or (
            self.inner is not None and replace(self, inner=None).split(text) is not None
        )

    def describe(self) -> str:
        """What was found, in one line for a person."""
        if self.kind == "plain":
            return "no header: every line is a record, without time"
        text = f"pattern {self.pattern}"
        if self.kind != "pattern":
            text = self._describe_columns() if self.kind == "columns" else self._describe_fields()
        if self.level_in_text:
            text += ", level within the line"
        return text if self.inner is None else f"{text}; in the message: {self.inner.describe()}"

    def _describe_columns(self) -> str:
        parts = []
        for column in self.columns:
            if column.shape == "stamp":
                parts.append(f"time {plain_form(column.form)}")
            elif column.shape in ("level", "letter"):
                parts.append("level")
            elif column.name and column.name not in parts:
                parts.append(f"{column.name}[pid]" if column.shape == "tag" else column.name)
        return "header: " + ", ".join(parts) + ", message"

    def _describe_fields(self) -> str:
        names = self.names
        parts = [f"{what} in {name}" for what, name in
                 (("time", names.time), ("level", names.level), ("message", names.message)) if name]  # fmt: skip
        return f"{'JSON lines' if self.kind == 'json' else 'logfmt'}: {', '.join(parts)}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": self.kind,
            "columns": [column.to_dict() for column in self.columns],
            "fields": {"time": self.names.time, "level": self.names.level, "message": self.names.message,
                       "form": self.names.form},
            "pattern": self.pattern,
            "form": self.form,
            "level_in_text": self.level_in_text,
            "inner": self.inner.to_dict() if self.inner else None,
            "coverage": self.coverage,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Header:
        """The header that `to_dict` described; ModelError when it is damaged."""
        try:
            return cls._from_dict(stored, DEEPEST)
        except (KeyError, TypeError, ValueError, AttributeError, re.error, OffscriptError) as damage:
            raise ModelError(f"the stored header is damaged ({damage})", remedy="fit the model again") from damage

    @classmethod
    def _from_dict(cls, stored: dict[str, Any], depth: int) -> Header:
        columns = tuple(Column.from_dict(column) for column in stored["columns"][:64])
        form = str(stored["form"])
        if stored["kind"] not in _KINDS or depth < 0 or (stored["kind"] == "columns" and not columns):
            raise ValueError("unknown kind")
        if form:
            stamp(form)
        names = FieldNames(**{name: str(stored["fields"][name]) for name in ("time", "level", "message", "form")})
        inner = cls._from_dict(stored["inner"], depth - 1) if stored["inner"] else None
        return cls(str(stored["kind"]), columns, names, str(stored["pattern"]), form, bool(stored["level_in_text"]),
                   inner, float(stored["coverage"]))  # fmt: skip


def _read_plain(text: str, near: float | None) -> Fields | None:  # noqa: ARG001 (one signature for all readers)
    return None if not text or text[0].isspace() else Fields(text.rstrip())


def _columns_reader(header: Header) -> Callable[[str, float | None], Fields | None]:
    pattern, names, groups = value_groups(header.columns)
    at = pattern.groupindex
    form = next((column.form for column in header.columns if column.shape == "stamp"), "")
    # All groups in one call: it is half of what a record costs. Group 0 stands for what the header does not have.
    level_group = at.get("level") or at.get("priority") or (at["a"] if form.startswith("%L") else 0)
    wanted = (*((at["a"], at["f"], at["b"], at["z"]) if form else (0, 0, 0, 0)), level_group, *groups)
    seconds, match, in_text = stamp(form).seconds if form else None, pattern.match, header.level_in_text
    letter = level_group == at.get("a")

    def read(text: str, near: float | None) -> Fields | None:
        found = match(text)
        if found is None:
            return None
        a, f, b, z, level, *values = found.group(*wanted)
        end = found.end()
        if not level_group:
            level = word[1] if in_text and (word := LEVEL_IN_TEXT.search(text, end)) else None
        elif letter:
            level = level[0]
        return Fields(
            text[end:].rstrip(),
            seconds(a, f, b, z, near) if seconds else None,
            level_name(level) if level else None,
            _named(names, values) if None in values or "-" in values else tuple(zip(names, values, strict=True)),
        )

    return read


def _named(names: Sequence[str], values: Sequence[str | None]) -> tuple[tuple[str, str], ...]:
    """The identifiers that a record has: a missing column and a dash name nothing."""
    return tuple((name, value) for name, value in zip(names, values, strict=True) if value not in (None, "-"))


def _object_reader(header: Header) -> Callable[[str, float | None], Fields | None]:
    load, names = json_object if header.kind == "json" else logfmt_object, header.names

    def read(text: str, near: float | None) -> Fields | None:
        found = load(text)
        if found is None:
            return None
        message, time, level, named = read_object(found, names, near)
        # As for physical lines, the first line of a record is its message.
        return Fields(message.rstrip().partition("\n")[0], time, level_name(level) if level else None, named)

    return read


def _pattern_reader(header: Header) -> Callable[[str, float | None], Fields | None]:
    pattern = _compile_user_pattern(header.pattern)
    others = [name for name in pattern.groupindex if name not in ("time", "level", "message")]
    has = set(pattern.groupindex)

    def read(text: str, near: float | None) -> Fields | None:
        found = pattern.search(text)
        if found is None:
            return None
        time = time_of(found["time"], header.form or None, near) if "time" in has else None
        level = found["level"] if "level" in has else None
        message = found["message"] if "message" in has else text[found.end() :]
        named = tuple((name, found[name]) for name in others if found[name] is not None)
        return Fields((message or "").strip(), time, level_name(level) if level else None, named)

    return read


def _with_inner(
    outer: Callable[[str, float | None], Fields | None], inner: Header
) -> Callable[[str, float | None], Fields | None]:
    """A line of a container: what the message's own header says goes before what the wrapper says."""

    def read(text: str, near: float | None) -> Fields | None:
        around = outer(text, near)
        if around is None:
            return None
        within = inner.split(around.message, around.time if around.time is not None else near)
        if within is None:
            return None if looks_like_continuation(around.message) else around
        time = around.time if within.time is None else within.time
        return Fields(within.message, time, within.level or around.level, around.named + within.named)

    return read


def _compile_user_pattern(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = 8 << 20  # the library's own default, stated: a pattern that needs more is refused
    options.log_errors = False
    if len(pattern) > LONGEST_PATTERN:
        raise UsageError("the header pattern is too long", remedy=f"use at most {LONGEST_PATTERN} characters")
    try:
        return re2.compile(pattern, options)
    except re2.error as reason:
        what = reason.args[0].decode() if isinstance(reason.args[0], bytes) else reason
        remedy = "use re2 syntax with groups such as (?P<time>...) and (?P<message>...)"
        raise UsageError(f"the header pattern {pattern!r} is not valid ({what})", remedy=remedy) from None


def header_from_options(time_format: str | None = None, pattern: str | None = None) -> Header | None:
    r"""The header that a user states: a re2 pattern with named groups, a strptime-like time format, or both (ours).

    The groups `time`, `level` and `message` are what they say, any other is an identifier; without `message` the rest
    of the line is it. None, to detect it, when neither is given or the pattern is `auto`. UsageError for a pattern or
    format that is not valid.

    >>> header = header_from_options(pattern=r"^(?P<time>\S+) (?P<unit>\w+) ")
    >>> header.split("12:00:01 pump started").named
    (('unit', 'pump'),)
    """
    if time_format is not None:
        stamp(time_format)
    if pattern is not None and pattern != "auto":
        _compile_user_pattern(pattern)
        return Header("pattern", pattern=pattern, form=time_format or "")
    if time_format is None:
        return None
    return Header("columns", (Column("any"), Column("stamp", form=time_format), Column("level", step=1)))


def detect_header(texts: Sequence[str], time_format: str | None = None) -> Header:
    """Find the header of a log from a sample of its lines (ours); `time_format` fixes the stamp's format.

    Never fails: a log without any regular header gives the kind "plain".

    >>> detect_header(["Dec 10 06:55:46 a sshd[242]: Invalid user a", "Dec 10 06:55:48 a sshd[243]: up"]).describe()
    'header: time mon dd hh:mm:ss, component[pid], message'
    """
    return _detect(_sample(texts), time_format, DEEPEST)


def _sample(texts: Sequence[str]) -> list[str]:
    page = Page.of(texts)
    firsts, kinds = first_of_each(page.forms)
    continues = _CONTINUATION.match  # it tells no digit from another
    is_record = np.array([bool(text) and not continues(text) for text in page.some(firsts)], bool)
    places = np.flatnonzero(is_record[kinds])
    records = places if len(places) else np.arange(len(page))
    stride = max(1, len(records) // SAMPLE)
    return page.some(records[::stride][: 2 * SAMPLE])


def _detect(sample: list[str], form: str | None, depth: int) -> Header:
    for kind, load in (("json", json_object), ("logfmt", logfmt_object)):
        if not sample or not is_share(sample, _reads(load), REGULAR * len(sample)):
            continue
        if names := find_fields([loaded for text in sample if (loaded := load(text)) is not None]):
            return _completed(Header(kind, names=names), sample, depth)
    columns = find_columns([text[:LONGEST_START] for text in sample], form)
    if not columns:
        return Header()
    has_level = any(
        column.shape in ("level", "letter", "priority") or column.form.startswith("%L") for column in columns
    )
    with_level = 0 if has_level else sum(1 for text in sample if LEVEL_IN_TEXT.search(text))
    return _completed(Header("columns", columns, level_in_text=with_level > REGULAR * len(sample)), sample, depth)


def _reads(load: Callable[[str], object]) -> Callable[[str], bool]:
    return lambda text: load(text) is not None


def _completed(found: Header, sample: Sequence[str], depth: int) -> Header:
    """With the header of its messages, if a container or forwarder wraps records that have one, and its coverage."""
    inner = None
    fits, messages, streams = _parts(found, sample)
    in_container = bool(messages) and all(stream in ("stdout", "stderr") for stream in streams)
    if depth and (in_container or found.kind == "json" or any(c.shape in ("tag", "data") for c in found.columns)):
        within = _detect(_sample(messages), None, depth - 1) if messages else Header()
        fitting = _has_time(within) and within.share(messages) >= LEAST_COVERAGE
        # A plain inner header still tells a container's indented lines from its records.
        inner = within if fitting or in_container else None
    if inner is None:
        return replace(found, coverage=round(found.share_of(fits, sample), 4))
    found = replace(found, inner=inner)
    return replace(found, coverage=round(found.share(sample), 4))


def _parts(found: Header, sample: Sequence[str]) -> tuple[list[bool], list[str], list[str | None]]:
    """Which lines have the header; of those that do the messages, and the streams of containers."""
    if found.kind != "columns":
        read = [found.split(text) for text in sample]
        records = [fields for fields in read if fields is not None]
        streams = [dict(fields.named).get("stream") for fields in records]
        return [fields is not None for fields in read], [fields.message for fields in records], streams
    pattern, names, groups = value_groups(found.columns)
    matches = [pattern.match(text) for text in sample]
    there = [match for match in matches if match is not None]
    stream = groups[names.index("stream")] if "stream" in names else None
    streams = [None if stream is None else match[stream] for match in there]
    return [match is not None for match in matches], [match.string[match.end() :].rstrip() for match in there], streams


def _has_time(header: Header) -> bool:
    return bool(header.names.time) or any(column.shape == "stamp" for column in header.columns)


def check_header(header: Header, lines: Sequence[Line], source: str, fits: Sequence[bool] | None = None) -> None:
    """Refuse a source that a stored header does not fit (ours): InputError naming its first line that it does not.

    It must fit at least nine tenths of the share it fitted when it was found; continuation lines do not count. `fits`
    says of each line whether it does, where somebody has found out already.
    """
    texts = [line.text for line in lines]
    share = header.share(texts) if fits is None else header.share_of(fits, texts)
    if share >= LEAST_SHARE * header.coverage:
        return
    first = next(line for line in lines if header.split(line.text) is None and not header.continues(line.text))
    raise InputError(
        f"the header of the model ({header.describe()}) fits only {share:.0%} of the lines; this one has another",
        where=source, line=first.number, remedy="fit a model on a log of this format",
    )  # fmt: skip
