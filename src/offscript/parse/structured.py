"""Structured lines, JSON and logfmt: which field is the time, the level, the message (ours)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from offscript.parse.times import FORMATS, stamp, time_of

_TIMES = ("time", "timestamp", "@timestamp", "ts", "datetime", "date", "t", "asctime", "eventtime", "created")
_LEVELS = ("level", "severity", "lvl", "loglevel", "log_level", "levelname", "log.level", "priority")
_MESSAGES = ("message", "msg", "log", "event", "text", "body", "line")

# Share of the lines that must be such an object, and of the objects in which a field must hold what it seems to.
REGULAR = 0.9
# Fields kept as identifiers; a request seldom has more, and wide objects would cost memory in every entry.
MOST_NAMED = 32
# Longer values are texts and not identifiers.
LONGEST_VALUE = 256

_PAIR = re.compile(r'([\w.@/-]{1,128})=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')
_LOGFMT_START = re.compile(rf"\s*(?:{_PAIR.pattern}\s*){{2}}")
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class FieldNames:
    """Which fields of a structured line hold time, level and message ("" for none), and the time's format."""

    time: str = ""
    level: str = ""
    message: str = ""
    form: str = ""


NO_FIELDS = FieldNames()


def json_object(text: str) -> dict[str, Any] | None:
    """The JSON object that the line is; None when it is none (or too deep, or a number too long to read).

    >>> json_object('{"msg": "up"}'), json_object("[" * 100_000), json_object("up")
    ({'msg': 'up'}, None, None)
    """
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def logfmt_object(text: str) -> dict[str, Any] | None:
    """The fields of a logfmt line, which starts with two `name=value` pairs; None when it is none.

    >>> logfmt_object('level=info msg="it is up" port=80')
    {'level': 'info', 'msg': 'it is up', 'port': '80'}
    """
    if not _LOGFMT_START.match(text):
        return None
    return {name: _plain(value) for name, value in _PAIR.findall(text)}


def _plain(value: str) -> str:
    return _ESCAPE.sub(r"\1", value[1:-1]) if value.startswith('"') else value


def find_fields(objects: Sequence[dict[str, Any]]) -> FieldNames | None:
    """Which field is what, from a sample of objects; None when they have neither a time nor a message.

    >>> find_fields([{"ts": 1445184107.5, "level": "info", "msg": "up"}])
    FieldNames(time='ts', level='level', message='msg', form='')
    """
    names = Counter[str](name for found in objects for name in found)
    common = [name for name, n in names.items() if n >= 0.5 * len(objects)]
    time, form = _time_field(objects, common)
    level = _named_like(common, _LEVELS)
    message = _named_like(common, _MESSAGES)
    return FieldNames(time, level, message, form) if time or message else None


def _named_like(common: Sequence[str], wanted: Sequence[str]) -> str:
    by_name = {name.lower(): name for name in reversed(common)}
    return next((by_name[name] for name in wanted if name in by_name), "")


def _time_field(objects: Sequence[dict[str, Any]], common: Sequence[str]) -> tuple[str, str]:
    likely = [name for wanted in _TIMES for name in common if name.lower() == wanted]
    for name in (*likely, *(name for name in common if name not in likely)):
        values = [found[name] for found in objects if name in found]
        times = [time_of(value) for value in values]
        if sum(time is not None for time in times) >= REGULAR * len(values):
            return name, _form_of([value for value in values if isinstance(value, str)])
    return "", ""


def _form_of(values: Sequence[str]) -> str:
    """The one format of all values; "" when they are numbers or differ."""
    for form in FORMATS:
        if values and all(stamp(form).read(value) is not None for value in values):
            return form
    return ""


def read_object(found: dict[str, Any], names: FieldNames, near: float | None) -> tuple[
    str, float | None, str | None, tuple[tuple[str, str], ...]
]:  # fmt: skip
    """Message, time, level, and the other scalar fields by name."""
    time = time_of(found.get(names.time), names.form or None, near) if names.time else None
    level = found.get(names.level) if names.level else None
    named: list[tuple[str, str]] = []
    _collect(found, "", {names.time, names.level, names.message}, named)
    message = found.get(names.message) if names.message else None
    if message is None:
        text = " ".join(f"{name}={value}" for name, value in named)
    else:
        text = message if isinstance(message, str) else json.dumps(message)
    return _whole(text), time, _whole(level) if isinstance(level, str) else _number_level(level), tuple(named)


def _number_level(level: Any) -> str | None:
    return str(level) if isinstance(level, int) and not isinstance(level, bool) else None


def _collect(found: dict[str, Any], before: str, skip: set[str], named: list[tuple[str, str]]) -> None:
    """The scalar fields, those of inner objects (one level) under `outer.inner`."""
    for name, value in found.items():
        if len(named) >= MOST_NAMED:
            return
        if name in skip and not before:
            continue
        if isinstance(value, dict) and not before:
            _collect(value, f"{name}.", skip, named)
        elif isinstance(value, str | int | float) and len(text := _scalar(value)) <= LONGEST_VALUE:
            named.append((_whole(f"{before}{name}"), text))


def _scalar(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > 4 * LONGEST_VALUE:
        return "0" * (LONGEST_VALUE + 1)  # too long to be an identifier, and slow to write out
    return _whole(str(value))


def _whole(text: str) -> str:
    """Without lone surrogates, which JSON can hold and no file can."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
