"""Reads simple RE2 patterns into paths: each alternative as a flat row of steps, in the order of preference (ours).

Only what session keys are made of is read: literal text, classes, counted and greedy repetition, groups, alternatives,
`^`, `$` and edges of words. Alternatives inside a pattern are multiplied out, which keeps RE2's order of preference.
"""

from __future__ import annotations

import enum
import string
from typing import Final, NamedTuple

from offscript.parse.identifiers import _AFTER

MANY: Final = 1 << 40
"""The most repetitions of what repeats without end: more than any message has bytes."""

MAX_PATHS: Final = 64
"""Alternatives of one pattern: discovery joins twelve contexts; more are a word list, which RE2 does better."""

MAX_STEPS: Final = 2_048
"""Steps of one pattern, over all paths: twelve contexts of thirty letters before a long id have under 2,000."""

MAX_DEPTH: Final = 16
"""Groups inside groups: a pattern of brackets alone must not exhaust the stack."""

MAX_COUNT: Final = 256
"""Repetitions by count: an id longer than this is cut anyway."""


def _set_of(characters: str) -> int:
    return sum(1 << ord(character) for character in characters)


ALNUM: Final = _set_of(string.ascii_letters + string.digits)
WORD: Final = ALNUM | _set_of("_")
JOINTS: Final = _set_of("._-")
_ALL: Final = (1 << 256) - 1
_BEYOND_ASCII: Final = _ALL ^ ((1 << 128) - 1)
_CLASSES: Final = {"d": _set_of(string.digits), "w": WORD, "s": _set_of("\t\n\f\r ")}
_CLASSES.update({name.upper(): _ALL ^ members for name, members in list(_CLASSES.items())})
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_COUNTS: Final = {"+": (1, MANY), "*": (0, MANY), "?": (0, 1)}


class Kind(enum.Enum):
    """What a step does: take bytes, mark an end of the group, or look without taking any."""

    SPAN = enum.auto()
    OPEN = enum.auto()
    CLOSE = enum.auto()
    EDGE = enum.auto()
    BEGIN = enum.auto()
    END = enum.auto()
    AFTER = enum.auto()


class Step(NamedTuple):
    """One step of a path; a span takes `low` to `high` bytes of the set `bytes` (bit b for byte b)."""

    kind: Kind
    bytes: int = 0
    low: int = 1
    high: int = 1


Path = tuple[Step, ...]


class _RicherError(Exception):
    """The pattern holds something that is not read here."""


def paths_of(pattern: str, group: int) -> list[Path]:
    r"""Read a pattern into its paths, the preferred first; none when it holds more than is read here.

    Steps `OPEN` and `CLOSE` stand around the first group, or around everything when `group` is 0.

    >>> [len(path) for path in paths_of("(?:a|bc)([0-9]+)", 1)]
    [4, 5]
    >>> paths_of("(?i)abc", 0)
    []
    """
    reader = _Reader(pattern, group)
    try:
        paths = reader.alternatives()
        if reader.at < len(pattern) or not all(_is_of_bytes(step) for path in paths for step in path):
            return []
    except _RicherError:
        return []
    whole = group == 0
    return [(Step(Kind.OPEN), *path, Step(Kind.CLOSE)) if whole else path for path in paths]


def _is_of_bytes(step: Step) -> bool:
    """Whether a set of characters may be read as one of bytes: of all of UTF-8 only where it repeats without end."""
    if not step.bytes & _BEYOND_ASCII or step.bytes.bit_count() == 1:
        return True
    return step.bytes & _BEYOND_ASCII == _BEYOND_ASCII and step.low <= 1 and step.high == MANY


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str, group: int) -> None:
        self._text = pattern
        self._groups_wanted = group
        self._depth = 0
        self.at = 0

    def alternatives(self) -> list[Path]:
        """Read up to the end or a closing bracket."""
        paths = self._branch()
        while self._takes("|"):
            paths = _bounded(paths + self._branch())
        return paths

    def _takes(self, text: str) -> bool:
        is_next = self._text.startswith(text, self.at)
        self.at += len(text) if is_next else 0
        return is_next

    def _next(self) -> str:
        if self.at == len(self._text):
            raise _RicherError
        self.at += 1
        return self._text[self.at - 1]

    def _branch(self) -> list[Path]:
        paths: list[Path] = [()]
        while self.at < len(self._text) and self._text[self.at] not in "|)":
            atom = self._atom()
            paths = _product(paths, _repeated(atom, *self._count()))
        return paths

    def _atom(self) -> list[Path]:
        if self._takes(_AFTER):
            return [(Step(Kind.AFTER),)]
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return [(Step(Kind.SPAN, self._class()),)]
        if character == "\\":
            return [self._escaped()]
        if character in "^$":
            return [(Step(Kind.BEGIN if character == "^" else Kind.END),)]
        if character == ".":
            return [(Step(Kind.SPAN, _ALL ^ _set_of("\n")),)]
        if character in "*+?{":
            raise _RicherError
        return [_literal(character)]

    def _group(self) -> list[Path]:
        is_wanted = not self._takes("?:")
        if is_wanted and self._takes("?"):
            raise _RicherError
        is_wanted = is_wanted and self._groups_wanted > 0
        self._groups_wanted -= is_wanted
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _RicherError
        paths = self.alternatives()
        self._depth -= 1
        if not self._takes(")"):
            raise _RicherError
        return [(Step(Kind.OPEN), *path, Step(Kind.CLOSE)) for path in paths] if is_wanted else paths

    def _escaped(self) -> Path:
        character = self._next()
        if character == "b":
            return (Step(Kind.EDGE),)
        if character in _CLASSES:
            return (Step(Kind.SPAN, _CLASSES[character]),)
        return _literal(_unescaped(character))

    def _class(self) -> int:
        is_negated, members, first = self._takes("^"), 0, self.at
        while not self._takes("]"):
            at, character = self.at, self._next()
            # An opening bracket may begin a named class; a hyphen that stands neither first nor last is read variously.
            if character == "[" or (character == "-" and at != first and self._text[self.at : self.at + 1] != "]"):
                raise _RicherError
            members |= self._members(character)
        if not members:
            raise _RicherError
        return _ALL ^ members if is_negated else members

    def _members(self, character: str) -> int:
        if character == "\\":
            character = self._next()
            if character in _CLASSES:
                return _CLASSES[character]
            character = _unescaped(character)
        last = character
        if self._text[self.at : self.at + 1] == "-" and self._text[self.at + 1 : self.at + 2] != "]":
            self.at += 1
            last = self._next()
            last = _unescaped(self._next()) if last == "\\" else last
        if not character <= last <= "\x7f":
            raise _RicherError
        return sum(1 << byte for byte in range(ord(character), ord(last) + 1))

    def _count(self) -> tuple[int, int]:
        if self.at == len(self._text) or self._text[self.at] not in "*+?{":
            return 1, 1
        sign = self._next()
        low, high = _COUNTS[sign] if sign in _COUNTS else self._braces()
        if self._text[self.at : self.at + 1] in ("*", "+", "?", "{"):
            raise _RicherError
        return low, high

    def _braces(self) -> tuple[int, int]:
        end = self._text.find("}", self.at)
        low, comma, high = self._text[self.at : max(end, self.at)].partition(",")
        self.at = end + 1
        if not all(number.isascii() and number.isdigit() and len(number) < 4 for number in (low, high or "0")):
            raise _RicherError
        most = (int(high) if high else MANY) if comma else int(low)
        if most == 0 or int(low) > min(most, MAX_COUNT) or MAX_COUNT < most < MANY:
            raise _RicherError
        return int(low), most


def _unescaped(character: str) -> str:
    if character in _CONTROLS:
        return _CONTROLS[character]
    if character in string.ascii_letters + string.digits:
        raise _RicherError
    return character


def _literal(character: str) -> Path:
    try:
        return tuple(Step(Kind.SPAN, 1 << byte) for byte in character.encode())
    except UnicodeEncodeError:
        raise _RicherError from None


def _bounded(paths: list[Path]) -> list[Path]:
    if len(paths) > MAX_PATHS or sum(map(len, paths)) > MAX_STEPS:
        raise _RicherError
    return paths


def _product(paths: list[Path], others: list[Path]) -> list[Path]:
    if len(paths) * len(others) > MAX_PATHS:
        raise _RicherError
    return _bounded([path + other for path in paths for other in others])


def _repeated(paths: list[Path], low: int, high: int) -> list[Path]:
    """The paths of an atom that is repeated; the longest first, as greedy repetition prefers them."""
    if (low, high) == (1, 1):
        return paths
    only = paths[0][0] if len(paths) == len(paths[0]) == 1 else None
    if only and only.kind is Kind.SPAN and only.low == only.high == 1:
        return [(only._replace(low=low, high=high),)]
    if (low, high) == (0, 1):
        return _bounded([*paths, ()])
    if low != high or any(step.kind is Kind.OPEN for path in paths for step in path):
        raise _RicherError
    product: list[Path] = [()]
    for _ in range(low):
        product = _product(product, paths)
    return product
