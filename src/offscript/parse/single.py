"""Single messages read by the compiled lexer: what was matched before costs a call, a look-up and slices (ours).

The tokeniser's regular expression is most of what matching one message costs. The lexer writes equal canonical bytes
for equal tokens, so they name what the tokeniser's tokens name; where its values stand follows from them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, cast

import numpy as np
from numba.core import imputils
from numba.extending import intrinsic

from offscript.entries import Match
from offscript.parse.byte_kinds import WHITE, byte_at, fixed, put_byte, run_end
from offscript.parse.compiled import compiled
from offscript.parse.lexer import SCRATCH, VALUE, Bytes, Places, lex
from offscript.parse.match import MAX_REMEMBERED, Answer, match_of
from offscript.parse.tokens import _PLAIN_ID, MAX_CACHED_TEXT, MAX_TOKENS

MAX_IDS: Final = 4_096
"""Session ids whose look is remembered: more are seldom open at once, and looking anew costs time only."""

_NUMBER: Final = fixed(8)
_LONGEST: Final = fixed(MAX_CACHED_TEXT)
_PLACES: Final = fixed(MAX_TOKENS + 1)
"""Places of each kind: one for every token, of which a message that is not cut leaves one free and 0."""
_NOWHERE: Final = 2 * int(_PLACES) - 1
_TEXT: Final = _NUMBER * 4 * _PLACES
_WRITTEN: Final = _TEXT + _LONGEST
_END: Final = fixed(ord("\n"))
_NOTHING: Final = fixed(0)
_FROM, _TO, _BEGINS, _ENDS = int(_TEXT), int(_WRITTEN), 2 * int(_PLACES), 3 * int(_PLACES)

Picks = tuple[tuple[int, int], ...]
"""For each value where the room says where its first token begins and its last one ends."""


_borrowed: Any = imputils.impl_ret_borrowed


def _as_read_only(_context: Any, array: Any) -> tuple[Any, Any]:
    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _borrowed(context, builder, signature.return_type, arguments[0])

    return array.copy(readonly=True)(array), lower


# The scan has compiled the lexer for bytes that it cannot write; an argument less is a sixth of what a call costs.
as_read_only: Callable[[Bytes], Bytes] = cast("Any", intrinsic)(_as_read_only)


@compiled
def lex_one(room: Places, size: int) -> int:
    """Write the canonical bytes of the message in the room, a line end, and its values; return how many bytes.

    The room holds two numbers for each token, then the begins of values, their ends, the message, and what is written.
    A byte 0 ends each value: none holds white space but blanks. Nothing is written for a message that is cut: 0.
    """
    data = room.view(np.uint8)
    canon, starts, ends = data[_WRITTEN:], room[2 * _PLACES : 3 * _PLACES], room[3 * _PLACES : 4 * _PLACES]
    written, values, truncated = lex(as_read_only(data), _TEXT, _TEXT + size, canon, starts, ends)
    if truncated:
        return _NOTHING
    base = int(np.int64(data.ctypes.data))
    begin = base + _WRITTEN
    target = begin + written
    put_byte(target, _END)
    target += 1
    for value in range(values):
        place, stop = base + int(starts[value]), base + int(ends[value])
        while place < stop:
            put_byte(target, byte_at(place))
            place += 1
            target += 1
        put_byte(target, _NOTHING)
        target += 1
    return target - begin


@compiled
def find_tokens(room: Places, size: int) -> None:
    """Write where each token of the message that was read last begins and ends, its first byte being 0."""
    base = int(np.int64(room.ctypes.data))
    begin = place = base + _TEXT
    at, value = base + _WRITTEN, 2 * _PLACES
    number = 0
    while byte_at(at) != _END:
        # only white space stands between tokens
        start = run_end(place, begin + size, WHITE)
        place = start
        if byte_at(at) == VALUE:
            place = base + int(room[value + _PLACES])
            value += 1
            at += 1
        while byte_at(at) != _NOTHING:
            place += 1
            at += 1
        at += 1
        room[number] = start - begin
        room[number + 1] = place - begin
        number += 2


class Room:
    r"""Room in which one message at a time is read; it is not shared between threads.

    >>> room = Room()
    >>> room.read(b"port 22 is open")
    b'port\x00\x01\x00is\x00open\x00\n22\x00'
    >>> room.texts(b"port 22 is open", ((2, 3), (2, 5)))
    ('22', '22 is')
    """

    __slots__ = ("_bytes", "_numbers", "_places")

    def __init__(self) -> None:
        # the canonical bytes and the values are each as long as the message, and a byte for every token
        size = _TO + 2 * MAX_CACHED_TEXT + 2 * SCRATCH
        self._places = np.zeros(-(-size // 8), np.int64)
        self._numbers = self._places.data
        self._bytes = self._numbers.cast("B")

    def read(self, encoded: bytes) -> bytes:
        """Return the canonical bytes of a message (`lexer.lex`), a line end, and its values, each ended by a byte 0.

        Nothing for a message of more than `MAX_TOKENS` tokens; it has at most `MAX_CACHED_TEXT` bytes.
        """
        size = len(encoded)
        self._bytes[_FROM : _FROM + size] = encoded
        return self._bytes[_TO : _TO + lex_one(self._places, size)].tobytes()

    def texts(self, encoded: bytes, picks: Picks) -> tuple[str, ...]:
        """Return texts of the message that was read last; picks are places of numbers that `find_tokens` writes."""
        find_tokens(self._places, len(encoded))
        found = self._numbers
        return tuple([encoded[found[first] : found[last]].decode() for first, last in picks])


class Recall:
    """What messages meant whose tokens were met before, by their canonical bytes (ours).

    Only answers that the tokens alone decide are kept: the template text of an unknown message shows its spaces too.

    Args:
        ask: matches a message with the tokeniser, and says by which answer.
    """

    def __init__(self, ask: Callable[[str, tuple[str, ...]], tuple[Answer, Match]]) -> None:
        self._ask = ask
        self._known: dict[bytes, tuple[Answer, Picks]] = {}
        # A thread takes a room out while it reads in it.
        self._rooms: list[Room] = []

    def match(self, message: str, ids: tuple[str, ...]) -> Match:
        """Return the match that the tokeniser leads to."""
        for name in ids:
            # The tokens are the same without ids that are values wherever they stand.
            if (not _is_plain(name) or f"{name}=" in message) and name in message:
                return self._ask(message, ids)[1]
        try:
            encoded = message.encode()
        except UnicodeEncodeError:  # half a surrogate pair, which only JSON can name
            return self._ask(message, ids)[1]
        if len(encoded) > MAX_CACHED_TEXT:
            return self._ask(message, ids)[1]
        try:
            room = self._rooms.pop()
        except IndexError:
            room = Room()
        tokens, end, values = room.read(encoded).partition(b"\n")
        # a message that was cut has no canonical bytes, nor has an empty one
        known = self._known.get(tokens) if end else None
        if known is None:
            self._rooms.append(room)
            return self._learn(tokens, message, ids) if end else self._ask(message, ids)[1]
        answer, picks = known
        texts = room.texts(encoded, picks) if picks else tuple(values.decode().split("\0")[:-1])
        self._rooms.append(room)
        return match_of(answer, texts)

    def _learn(self, tokens: bytes, message: str, ids: tuple[str, ...]) -> Match:
        answer, match = self._ask(message, ids)
        if answer.known:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[tokens] = answer, () if answer.plain else _picks(answer)
        return match


def _picks(answer: Answer) -> Picks:
    return tuple((2 * first, 2 * last - 1) if first < last else (_NOWHERE, _NOWHERE) for first, last in answer.runs)


@lru_cache(MAX_IDS)
def _is_plain(name: str) -> bool:
    return _PLAIN_ID.fullmatch(name) is not None
