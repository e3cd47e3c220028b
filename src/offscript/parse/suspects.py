"""Whether a credential may be in a line, found without an automaton's look at every byte (ours).

Whatever `mask` replaces stands at one of a few dozen words, or pieces of words, of four characters. So every second
place of the line is looked up by the three bytes from there on: of any four characters one such place sees three.
Where that hits, the four characters are looked up, then for a name whether a value can follow it at all, and only a
line that passes is given to the automaton of `mask`. The patterns there remain the one truth: what is looked for here
may be found too often, never too seldom.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from offscript.parse.byte_kinds import MINUS, byte_at, eight_at, fixed
from offscript.parse.compiled import compiled
from offscript.parse.mask import stems_in

_BLANK: Final = b"\t\x0b\x0c\r\x1c\x1d\x1e\x1f " + bytes(range(128, 256))
_LETTERS: Final = bytes(range(97, 123)) + bytes(range(65, 91))
_DIGITS: Final = b"0123456789"
_WORD: Final = _LETTERS + _DIGITS + b"_-" + bytes(range(128, 256))
_HOST_ENDS: Final = b"\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f /\"'"
_VALUE_SIGNS: Final = b"=:%\\\"'`]>&"

# A name counts where a value can follow, a URL where it has a login, anything else wherever it stands.
_NAME, _URL, _OTHER = (fixed(1 << at) for at in range(3))

# Four bytes of each alternative of the automaton, in either case, and rare ones; what stands beside those of three.
_NAMES: Final = (
    *("sswo", "sswd", "ssco", "ecre", "toke", "eden", "riza", "okie"),
    # the last letters of `api`, `access`, `private`, `auth`, `account`, `shared`, `encryption` and `signing`
    *(last + key for last in "isehtdng" for key in ("_ke", "-ke", "key")),
)
_OTHERS: Final = (
    *("ssph", "ntif", "arer", "--us", "y-us", "-beg"),
    *("akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "hub_", "glpa", "xapp", "k_li", "k_te", "whse", "gocs"),
    *("npm_", "ya29", "aiza", ".sla", *("xox" + sort for sort in "abeoprs")),
)
_BESIDE: Final = (
    (_NAME, b"", b"pwd", _BLANK + _VALUE_SIGNS),
    (_URL, b"", b"://", bytes(set(range(256)).difference(_HOST_ENDS))),
    (_OTHER, b"", b"url", _BLANK),
    (_OTHER, b"", b"eyj", _WORD + b"."),
    (_OTHER, bytes(set(range(256)).difference(_LETTERS + _DIGITS)), b"sk-", b""),
)

# Bytes differ by more than their case; a product's upper bits depend on all of them (2^64 over the golden ratio).
_THREE, _FOUR = np.uint64(0xDFDFDF), np.uint64(0xDFDFDFDF)
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_THREE_BITS, _FOUR_BITS = 16, 18  # with 15 a window in fifty looks like one of ours, and 17 leave the nearest cache
_THREE_SHIFT, _FOUR_SHIFT = np.uint64(64 - _THREE_BITS), np.uint64(64 - _FOUR_BITS)

_IN_NAME, _IS_BLANK, _IS_SIGN, _IN_FRONT, _OPENS_TAG, _ENDS_HOST, _AT = (1 << at for at in range(7))
_MEMBERS: Final = {
    _IN_NAME: _LETTERS + b"_-",
    _IS_BLANK: _BLANK,
    _IS_SIGN: _VALUE_SIGNS,
    _IN_FRONT: _WORD + b".:",
    _OPENS_TAG: b"<;",  # as `&lt;` too
    _ENDS_HOST: _HOST_ENDS,
    _AT: b"@",
}
_PARTS: Final = np.array([sum(part for part, of in _MEMBERS.items() if byte in of) for byte in range(256)], np.uint8)

# Longer names and runs of blanks are left to the automaton: a look from each of many places must end soon.
_FAR: Final = fixed(64)
_STEP, _READ = fixed(16), fixed(24)
# To cut a line out costs what the automaton takes for some hundred bytes, and it has to read the line besides.
_DENSE: Final = 256


def _quads() -> Iterable[tuple[bytes, int]]:
    yield from ((text.encode(), _NAME) for text in _NAMES)
    yield from ((text.encode(), _OTHER) for text in _OTHERS)
    for kind, before, text, after in _BESIDE:
        yield from ((bytes([byte]) + text, kind) for byte in before)
        yield from ((text + bytes([byte]), kind) for byte in after)


def _places(texts: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    return (texts * _SPREAD) >> np.uint64(64 - bits)


def _tables() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    quads = list(_quads())
    numbers = np.array([int.from_bytes(text, "little") for text, _ in quads], np.uint64)
    threes, fours = np.zeros(1 << _THREE_BITS, np.uint8), np.zeros(1 << _FOUR_BITS, np.uint8)
    for three in (numbers & _THREE, (numbers >> np.uint64(8)) & _THREE):
        threes[_places(three, _THREE_BITS)] = 1
    np.bitwise_or.at(fours, _places(numbers & _FOUR, _FOUR_BITS), np.array([kind for _, kind in quads], np.uint8))
    return threes, fours


THREES, FOURS = _tables()


def stems_among(block: bytes, begins: NDArray[np.int64], ends: NDArray[np.int64]) -> list[int]:
    r"""Where in some lines of a block, given by where they begin and end, a credential may be, as `mask.stems_in` does.

    >>> stems_among(b"token=a\nup\ntoken=b", np.array([8, 11]), np.array([10, 18]))
    [11]
    """
    if len(begins) * _DENSE > len(block):
        stems = np.array(stems_in(block), np.int64)
        line = np.searchsorted(begins, stems, side="right") - 1
        return [int(stem) for stem, place in zip(stems, line, strict=True) if place >= 0 and stem < ends[place]]
    seen = b"\n".join([block[begin:end] for begin, end in zip(begins, ends, strict=True)])
    stems = np.array(stems_in(seen), np.int64)
    starts = np.cumsum(ends - begins + 1) - (ends - begins + 1)
    line = np.searchsorted(starts, stems, side="right") - 1
    found: list[int] = (stems - starts[line] + begins[line]).tolist()
    return found


@compiled
def may_hold(start: int, stop: int, begin: int, end: int, windows: int, quads: int) -> bool:
    """Whether a credential may be in a line of a block, all given by addresses; near the block's ends always."""
    if start - _FAR < begin or stop + _READ > end:
        return True
    return _next(start, stop + _READ, windows, quads) < stop


@compiled
def _is_near(place: int, windows: int) -> int:
    index = ((eight_at(place) & _THREE) * _SPREAD) >> _THREE_SHIFT
    return byte_at(windows + int(index))


@compiled
def _next(place: int, end: int, windows: int, quads: int) -> int:
    """The next place where a credential may be, or one near the end from which on nothing has been looked at."""
    while place + _READ <= end:
        low = _is_near(place, windows) | _is_near(place + 2, windows)
        low |= _is_near(place + 4, windows) | _is_near(place + 6, windows)
        high = _is_near(place + 8, windows) | _is_near(place + 10, windows)
        high |= _is_near(place + 12, windows) | _is_near(place + 14, windows)
        if low | high:
            for near in range(place, place + _STEP, 2):
                if _is_near(near, windows) and _is_candidate(near, end, quads):
                    return near
        place += _STEP
    return place


@compiled
def _is_candidate(place: int, end: int, quads: int) -> bool:
    kind = _quad_at(place, quads) | _quad_at(place - 1, quads)
    if kind & _OTHER:
        return True
    if kind & _NAME and _has_value(place, end):
        return True
    return bool(kind & _URL) and _has_login(place + 3, end)


@compiled
def _quad_at(place: int, quads: int) -> int:
    index = ((eight_at(place) & _FOUR) * _SPREAD) >> _FOUR_SHIFT
    return byte_at(quads + int(index))


@compiled
def _has_value(place: int, end: int) -> bool:
    """Whether a sign of a value follows the name around a place, or it is one of a flag or a tag."""
    stop, past = min(end, place + _FAR), place
    while past < stop and _PARTS[byte_at(past)] & _IN_NAME:
        past += 1
    name_end = past
    while past < stop and _PARTS[byte_at(past)] & _IS_BLANK:
        past += 1
    if past == stop or _PARTS[byte_at(past)] & _IS_SIGN:
        return True
    return past > name_end and _is_flag_or_tag(place)


@compiled
def _is_flag_or_tag(place: int) -> bool:
    for before in range(place - 1, place - _FAR, -1):
        byte = byte_at(before)
        if _PARTS[byte] & _OPENS_TAG or (byte == MINUS and byte_at(before - 1) == MINUS):
            return True
        if not _PARTS[byte] & _IN_FRONT:
            return False
    return True


@compiled
def _has_login(place: int, end: int) -> bool:
    for at in range(place, min(end, place + _FAR)):
        part = _PARTS[byte_at(at)]
        if part & (_AT | _ENDS_HOST):
            return bool(part & _AT)
    return True
