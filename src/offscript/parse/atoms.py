"""Cutting messages into atoms, all messages at once: the words with numbers in them, and the text just left of each.

An atom is letters and digits joined by `.`, `_` or `-`. Its context is the word left of it and up to three signs
between. One array of characters serves all messages: with a Python step for each atom discovery would do little else.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

MAX_TEXT = 2_000
"""Characters of a message looked at: an id that stands later than this is not what the line is about."""

MAX_ATOMS = 64
"""Atoms of one message looked at, so that one long list of numbers cannot fill the memory."""

MAX_LENGTH = 128
"""Longer atoms are no ids: a uuid has 36 characters, a trace id 64."""

MAX_SIGNS, MAX_WORD = 3, 30
"""Signs and letters of a context: `instance: "` has three signs, and longer words are not written by people."""

DIGIT = "\0"  # stands in a context for "some digit": the column before is itself a value
START = "\1"  # stands in a context for the start of the message

_NO_MARK, AFTER_DIGIT, _AT_START = 0, 1, 2
_MARKS = ("", DIGIT, START)
_DIGITS_KIND, _LETTERS_KIND, _UNDERSCORE, _JOINT = 1, 2, 4, 8

_KINDS = np.zeros(128, np.uint8)
_KINDS[[ord(sign) for sign in string.digits]] = _DIGITS_KIND
_KINDS[[ord(sign) for sign in string.ascii_letters]] = _LETTERS_KIND
_KINDS[[ord(sign) for sign in ".-"]] = _JOINT
_KINDS[ord("_")] = _JOINT | _UNDERSCORE


@dataclass(frozen=True, slots=True)
class Atoms:
    """The atoms of some messages that are not mere words, in order, as columns.

    `text` is all messages, one after another, and atom i is `text[starts[i]:ends[i]]` of message `lines[i]`. Its
    context is `text[begins[i]:starts[i]]` behind a mark: that of a digit, of the start of the message, or none. Message
    n starts at `heads[n]`.
    """

    text: str
    heads: Ints
    lines: Ints
    starts: Ints
    ends: Ints
    begins: Ints
    marks: Ints

    def texts(self) -> list[str]:
        """Return the atoms.

        >>> cut(["open req-1 pid=77", "7"]).texts()
        ['req-1', '77', '7']
        """
        return [self.text[start:end] for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]

    def contexts(self, which: Ints) -> list[str]:
        r"""Return the contexts of some atoms.

        >>> cut(["open req-1 pid=77", "7"]).contexts(np.array([1, 2]))
        ['pid=', '\x01']
        """
        columns = (self.marks[which].tolist(), self.begins[which].tolist(), self.starts[which].tolist())
        return [_MARKS[mark] + self.text[begin:start] for mark, begin, start in zip(*columns, strict=True)]


def cut(messages: Sequence[str]) -> Atoms:
    """Find the atoms of messages, the first `MAX_ATOMS` in the first `MAX_TEXT` characters of each (ours).

    >>> cut(["", "Deleting blk_-42 [a7]"]).lines.tolist()
    [1, 1]
    """
    shown = [message[:MAX_TEXT] for message in messages]
    text = "\n".join([*shown, ""])
    # One byte a character; every other sign becomes "?", which is as good as any that is no letter, digit or joint.
    kinds = _KINDS[np.frombuffer(text.encode("ascii", "replace"), np.uint8)]
    lengths = np.fromiter(map(len, shown), np.int64, len(shown)) + 1
    heads = np.cumsum(lengths) - lengths
    words = np.concatenate(([0], np.cumsum(kinds & (_LETTERS_KIND | _UNDERSCORE) == 0)))  # of the text before
    starts, ends = _stretches(kinds)
    lines = np.repeat(np.arange(len(shown)), lengths)[starts] if len(starts) else starts
    turns = np.arange(len(starts)) - np.searchsorted(lines, lines)
    kept = (words[ends] > words[starts]) & (ends - starts <= MAX_LENGTH) & (turns < MAX_ATOMS)
    lines, starts, ends = lines[kept], starts[kept], ends[kept]
    begins, marks = _contexts(kinds, words, starts, heads[lines])
    return Atoms(text, heads, lines, starts, ends, begins, marks)


def _stretches(kinds: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Where atoms start and end: between two letters or digits of one atom there is nothing but joints."""
    solid = np.flatnonzero(kinds & (_DIGITS_KIND | _LETTERS_KIND))
    if not len(solid):
        return solid, solid
    gaps = np.cumsum(kinds == 0)[solid]
    new = np.flatnonzero(gaps[1:] != gaps[:-1]) + 1
    return solid[np.concatenate(([0], new))], solid[np.concatenate((new - 1, [len(solid) - 1]))] + 1


def _contexts(kinds: NDArray[np.uint8], words: Ints, starts: Ints, heads: Ints) -> tuple[Ints, Ints]:
    """Where the contexts of atoms begin, and what stands before them; `heads` is where their messages start."""
    wordlike = kinds & (_LETTERS_KIND | _UNDERSCORE) != 0
    signs = starts.copy()
    for _ in range(MAX_SIGNS):
        before = kinds[signs - 1]
        signs -= (signs > heads) & ((before == 0) | (before == _JOINT))
    # The last sign that is no letter, before the signs: `others[n]` is the n-th of all.
    others = np.concatenate(([-1], np.flatnonzero(~wordlike)))
    begins = np.maximum(np.maximum(others[words[signs]] + 1, signs - MAX_WORD), heads)
    worded = begins < signs
    after_digit = kinds[signs - 1] == _DIGITS_KIND
    marks = np.where(signs == heads, _AT_START, np.where(after_digit, AFTER_DIGIT, _NO_MARK))
    return begins, np.where(worded, _NO_MARK, marks)
