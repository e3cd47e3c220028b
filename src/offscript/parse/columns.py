"""The columns of a header: a closed set of shapes, so that a stored header holds no pattern of its own (ours)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from offscript.parse.times import stamp

# The commonest first: alternatives are tried in this order, and a boundary behind them tells INFO from INFORMATION.
_LEVELS = (
    "INFO|WARN|ERROR|DEBUG|WARNING|NOTICE|LOG|TRACE|FATAL|CRITICAL|DBG|VERBOSE|FINEST|FINER|FINE|CONFIG|INFORMATION|INF|"
    "WRN|ERR|SEVERE|FAILURE|CRIT|ALERT|EMERGENCY|EMERG|PANIC|FTL|AUDIT"
)
_LETTERS = {"V": "VERBOSE", "T": "TRACE", "D": "DEBUG", "I": "INFO", "N": "NOTICE", "W": "WARN", "E": "ERROR",
            "C": "CRITICAL", "F": "FATAL"}  # fmt: skip
_SEVERITIES = ("EMERG", "ALERT", "CRIT", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG")  # RFC 5424, 6.2.1

OPEN, _CLOSE = r"[\[(<\"']?", r"[\])>\"']?"
_WORD = r"[^\s|]+"
# The name of a program may hold blanks, but only where a process id ends it.
_MORE_WORDS = r"(?:(?: [^\s:\[\]|]{1,64}){1,2}(?=\[\d{1,10}\]:))?"
_TAG = r"[^\s:\[\]|]{1,128}(?:::?[^\s:\[\]|]{1,128}){0,8}"

# `{}` is where the name of the group goes. Neighbouring quantifiers never match the same character, so that each
# pattern stays linear.
SHAPES = {
    "level": rf"{OPEN}(?:[\w.-]{{1,40}}:)?(?P<level>(?i:{_LEVELS})){_CLOSE}[:,]?",
    "letter": rf"{OPEN}(?P<level>[{''.join(_LETTERS)}]){_CLOSE}:?",
    "number": rf"[\[(<#]?({{}}-?\d{{1,20}}){_CLOSE}[,:]?",
    "bracket": r"\[\s*({}[^\[\]]{0,512}(?:\[[^\[\]]{0,256}\][^\[\]]{0,256}){0,4})\][,:]?",
    "logger": r"({}[A-Za-z_$][\w$./@-]{0,256}),?",
    "tag": rf"({{}}{_TAG}{{more}})(?:\[(?P<pid>\d{{1,10}})\])?(?:\s\([^()]{{0,256}}\))?:(?=\s|$|(?<=\]:))",
    "place": r"({}[\w./$-]{1,256}:\d{1,7})\]",
    "dash": r"(?:-{1,3}|[*:])",
    "stream": r"({}stdout|stderr)\s(?P<partial>[FP])",
    "word": rf"({{}}{_WORD})",
    "data": r'(?:-|(?:\[(?:[^\]\\"]|\\.|"(?:[^"\\]|\\.)*")*\])+)',
}
_SEPARATOR = r"(?:[\s|]+|(?<=[\])>])(?=[\[(<]))"
_BOUNDARY = r"(?=[\s|]|$|(?<=[\])>])[\[(<])"
# A priority stands right before what follows; a varying number of words before the stamp is searched lazily.
_GLUED = {"priority": r"<(?P<priority>\d{1,3})>(?:1\s)?", "any": rf"(?:{_WORD}[\s|]+){{0,11}}?"}

LEVEL_IN_TEXT = re.compile(rf"(?:^|[\s\[(|])({_LEVELS})[\])]?:(?=\s|$)")
"""A level word in capitals with a colon, at no fixed column."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a header: its shape, the name its value is given ("" to pass over it), a stamp's format.

    Columns of step 0 stand in every record; those of step n + 1 may be missing, and then all later ones are.
    """

    shape: str
    name: str = ""
    form: str = ""
    step: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"shape": self.shape, "name": self.name, "form": self.form, "step": self.step}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> Column:
        """From JSON; ValueError for an unknown shape, UsageError for a bad format."""
        column = cls(str(stored["shape"]), str(stored["name"]), str(stored["form"]), int(stored["step"]))
        if column.shape in ("stamp", "stamp-again"):
            stamp(column.form)
        elif column.shape not in SHAPES and column.shape not in _GLUED:
            raise ValueError(f"unknown column shape {column.shape!r}")
        if not 0 <= column.step <= 16:
            raise ValueError("a header has at most 16 steps")
        return column


def fragment(column: Column, group: str = "") -> str:
    """The pattern of one column; its value is in the group of that name if one is given."""
    if column.shape == "stamp":
        return rf"{OPEN}{stamp(column.form).pattern}{_CLOSE}[,:;]?"
    if column.shape == "stamp-again":
        return rf"{OPEN}({f'?P<{group}>' if group else '?:'}{stamp(column.form).bare}){_CLOSE}[,:;]?"
    if column.shape in _GLUED:
        return _GLUED[column.shape]
    shape = SHAPES[column.shape].replace("{more}", _MORE_WORDS if column.step else "")
    return shape.replace("{}", f"?P<{group}>" if group else "?:")


@lru_cache(maxsize=512)
def probe(shape: str, form: str = "") -> re.Pattern[str]:
    """One column and the separator after it, to try a shape at a place of a line."""
    return re.compile(f"{fragment(Column(shape, form=form), 'value')}{_BOUNDARY if shape != 'tag' else ''}[\\s|]*")


def compile_columns(
    columns: tuple[Column, ...], *, whole: bool = False
) -> tuple[re.Pattern[str], tuple[tuple[str, str], ...]]:
    """The pattern of a header, and (group, name) of each named value in order; if `whole`, no column may be missing."""
    out, groups, step, opened = [r"\s*"], [], 0, 0
    glued = True
    for at, column in enumerate(columns):
        if column.step > step and not whole:
            out.append(f"{_end(columns[at - 1])}(?:")
            step, opened = column.step, opened + 1
        group = f"again{at}" if column.shape == "stamp-again" else f"g{at}" if column.name else ""
        out.append(("" if glued else _SEPARATOR) + fragment(column, group))
        glued = column.shape in _GLUED
        if group and "{}" in SHAPES.get(column.shape, ""):
            groups.append((group, column.name))
    # What a container wraps keeps its indentation, which tells a continuation.
    out.append(_end(columns[-1]) + ")?" * opened + (r"\s?" if columns[-1].shape == "stream" else r"\s*(?:\|\s*)?"))
    return re.compile("".join(out)), tuple(groups)


def value_groups(columns: tuple[Column, ...]) -> tuple[re.Pattern[str], list[str], list[int]]:
    """Return the pattern of a header of columns, the names of the values it finds, and their groups."""
    pattern, named = compile_columns(columns)
    at = pattern.groupindex
    names = [name for _, name in named]
    groups = [at[group] for group, _ in named]
    if "pid" in at:
        names.append("pid2" if "pid" in names else "pid")
        groups.append(at["pid"])
    return pattern, names, groups


def _end(column: Column) -> str:
    return "" if column.shape == "tag" or column.shape in _GLUED else _BOUNDARY


@lru_cache(maxsize=256)
def level_name(found: str) -> str:
    """The level as one word in capitals; single letters and syslog priorities are spelt out.

    >>> level_name("warn"), level_name("E"), level_name("34")
    ('WARN', 'ERROR', 'CRIT')
    """
    if found.isdigit():
        return _SEVERITIES[int(found) % 8]
    return _LETTERS.get(found) or found.upper()
