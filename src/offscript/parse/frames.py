"""Frames: what is constant in a value, seen when the values of one place are laid side by side (ours).

A word with a digit is taken for a value before other lines are known (`tokens`), and some are none: `ssh2` stands in
the print statement itself, and `node-7` is the constant `node-` with a number behind it. When the log has been read
the values of a place tell:

* a short name that was always the same is constant as a whole;
* so is a stem that all values begin with: words without digits, each ended by one of `. - + @ # $ % & /`, since whoever
  fills a number into a name writes such a sign before it. `_` is none: `blk_12` is one name.

Frames only word the template and shorten the values. They take no part in matching: a line whose value departs from
its frame keeps its key, and shows `<*>` and its whole value there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from offscript.entries import WILDCARD
from offscript.parse.tokens import Tokens

LONGEST: Final = 64
"""Characters of a value that are looked at: names that programmers write are shorter."""

SURE_LINES: Final = 3
"""Lines from which a name that was always the same is a constant: twice the same may be chance."""

_STEM: Final = re.compile(r"(?:[A-Za-z_]*[A-Za-z][.\-+@#$%&/])+")
# At most four digits (`x86_64`, `sha256`), more are data; a `v` with digits is a version, hexadecimal digits a number.
_NAME: Final = re.compile(
    r"(?!v[0-9]|V[0-9]|[0-9A-Fa-f]{4,}\Z)(?!(?:[^0-9]*[0-9]){5})[A-Za-z_]\w*(?:[-/]\w+)*(?<=[A-Za-z])\w*", re.ASCII
)
_NUMBERED: Final = re.compile(r"[A-Za-z]{1,8}[0-9]{1,2}")
_TAIL: Final = re.compile(r"[A-Za-z_]*[0-9]\w*|[0-9]+(?:\.[0-9]+)+", re.ASCII)
_LETTER: Final = re.compile("[A-Za-z_]")
_DIGIT: Final = re.compile("[0-9]")
_QUOTES: Final = frozenset("'\"`")

Runs = Sequence[tuple[int, int]]


class Likeness(NamedTuple):
    """What some values have in common: the longest stem all begin with, and their head where all have the same.

    The head is the value itself up to `LONGEST` characters, kept when it is ASCII and begins as a name does. When both
    are empty, nothing that comes can change it. A likeness depends on the set of values alone, not on their order or
    number, and two join into that of all.
    """

    stem: str
    head: str


NOTHING: Final = Likeness("", "")


def likeness(value: str) -> Likeness:
    """Return the likeness of a single value.

    >>> likeness("node-7"), likeness("10.0.0.1")
    (Likeness(stem='node-', head='node-7'), Likeness(stem='', head=''))
    """
    if not _LETTER.match(value):
        return NOTHING
    head = value[:LONGEST]
    stem = _STEM.match(head)
    return Likeness(stem.group() if stem else "", head if head.isascii() else "")


def likeness_of_all(start: str, whole: str) -> Likeness:
    """Return the likeness of values of which only this is known.

    Args:
        start: what they all begin with, the longest or at least `LONGEST` characters of it.
        whole: the text they all are; "" where they differ or are longer than that.

    >>> likeness_of_all("node-1", ""), likeness_of_all("ssh2", "ssh2")
    (Likeness(stem='node-', head=''), Likeness(stem='', head='ssh2'))
    """
    same = whole or (start if len(start) >= LONGEST else "")
    return Likeness(likeness(start).stem, likeness(same).head)


def joined(first: Likeness, second: Likeness) -> Likeness:
    """Return the likeness of the values of two.

    >>> joined(likeness("a.b.7"), likeness("a.c.7"))
    Likeness(stem='a.', head='')
    """
    if first == second:
        return first
    common = _STEM.match(_shared(first.stem, second.stem))
    return Likeness(common.group() if common else "", first.head if first.head == second.head else "")


def _shared(first: str, second: str) -> str:
    at = 0
    while first[at : at + 1] == second[at : at + 1] != "":
        at += 1
    return first[:at]


def frame_of(like: Likeness, lines: int, *, is_filled_in: bool = False) -> str:
    """Return what a template shows at a place: `<*>`, a stem before it, or the name that always stood there.

    A name needs `SURE_LINES` lines, but for letters with one or two digits (`eth0`, `L3`): so is named what a program
    has some of, and a value of that look is rare. What the statement itself marks as filled in is never a constant.

    >>> frame_of(likeness("ssh2"), 1), frame_of(likeness("node-7"), 1), frame_of(likeness("a-1.b"), 9)
    ('ssh2', 'node-<*>', '<*>')
    """
    head = like.head
    if not head:
        return like.stem + WILDCARD
    if not is_filled_in and _is_name(head) and (lines >= SURE_LINES or _NUMBERED.fullmatch(head)):
        return head
    # of one value it is a guess where the constant ends: after a stem with one word behind it
    return like.stem + WILDCARD if len(head) < LONGEST and _TAIL.fullmatch(head, len(like.stem)) else WILDCARD


def _is_name(text: str) -> bool:
    return len(text) < LONGEST and _NAME.fullmatch(text) is not None and _DIGIT.search(text) is not None


def frames_of(
    tokens: Tokens,
    spaces: tuple[bool, ...],
    members: Iterable[tuple[Tokens, Runs | None, Mapping[int, Likeness]]],
    lines: int,
) -> tuple[str, ...]:
    """Return the frame of each `<*>` of a template.

    Args:
        tokens: the template.
        spaces: whether white space stood before each of its tokens.
        members: its skeletons; of each the run of every `<*>`, None where it does not fit, and the likeness of the
            values by number of the skeleton's own value, absent where there is none.
        lines: how many lines it had.

    >>> members = [(("via", "<*>"), ((1, 2),), {0: likeness("eth1")})]
    >>> frames_of(("via", "<*>"), (False, True), members, lines=3)
    ('eth1',)
    """
    wild = [place for place, token in enumerate(tokens) if token == WILDCARD]
    alike: list[Likeness | None] = [None] * len(wild)
    for skeleton, runs, likes in members:
        for number, run in enumerate(runs or [(0, 0)] * len(wild)):
            like = _held(skeleton, run, likes)
            known = alike[number]
            alike[number] = like if known is None else joined(known, like)
    return tuple(
        frame_of(like or NOTHING, lines, is_filled_in=_is_filled_in(tokens, spaces, place))
        for place, like in zip(wild, alike, strict=True)
    )


def _held(skeleton: Tokens, run: tuple[int, int], likes: Mapping[int, Likeness]) -> Likeness:
    # a `<*>` that covers words, several tokens or none in some line is more than one value
    if run[1] - run[0] != 1:
        return NOTHING
    if skeleton[run[0]] != WILDCARD:
        return likeness(skeleton[run[0]])
    return likes.get(skeleton[: run[0]].count(WILDCARD), NOTHING)


def _is_filled_in(tokens: Tokens, spaces: tuple[bool, ...], place: int) -> bool:
    before = tokens[place - 1] if place else ""
    after = tokens[place + 1] if place + 1 < len(tokens) else ""
    return not spaces[place] and (before == "=" or (before == after and before in _QUOTES))


def is_frame(text: str) -> bool:
    """Tell whether a text can be a frame.

    >>> [is_frame(text) for text in ("<*>", "core.<*>", "ssh2", "a b", "")]
    [True, True, True, False, False]
    """
    return _is_name(text) or (text.endswith(WILDCARD) and _is_stem(text.removesuffix(WILDCARD)))


def _is_stem(text: str) -> bool:
    return not text or (len(text) <= LONGEST and _STEM.fullmatch(text) is not None)


def framed(text: str, frames: Sequence[str]) -> str:
    """Return the text of a template with its frames in the places of the `<*>`.

    >>> framed("port <*> <*>", ["<*>", "ssh2"])
    'port <*> ssh2'
    """
    parts = text.split(WILDCARD)
    if len(parts) != len(frames) + 1:
        return text
    return "".join(piece for pair in zip(parts, (*frames, ""), strict=True) for piece in pair)


def unframed(values: Sequence[str], frames: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the frames that the values of a line keep, and what of the values is left for their `<*>`.

    >>> unframed(["22", "ssh2", "core.7"], ["<*>", "ssh2", "core.<*>"])
    (('<*>', 'ssh2', 'core.<*>'), ('22', '7'))
    >>> unframed(["22", "ssh3", "7"], ["<*>", "ssh2", "core.<*>"])
    (('<*>', '<*>', '<*>'), ('22', 'ssh3', '7'))
    """
    kept: list[str] = []
    left: list[str] = []
    for value, frame in zip(values, frames, strict=True):
        if value == frame and frame != WILDCARD:
            kept.append(frame)
            continue
        stem = frame[: -len(WILDCARD)] if frame.endswith(WILDCARD) else ""
        fits = bool(stem) and len(value) > len(stem) and value.startswith(stem)
        kept.append(frame if fits else WILDCARD)
        left.append(value[len(stem) :] if fits else value)
    return tuple(kept), tuple(left)
