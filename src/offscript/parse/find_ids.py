"""Session ids found at machine speed: simple patterns as small programs that go over the bytes of a message (ours).

Nearly every session key is written in a few ways: literal text, classes of characters that repeat, a group, and
alternatives of text in front. A program follows such a pattern without ever going back, which is right only where going
back could find nothing: what repeats is followed by something else. Other patterns get no program and stay with RE2.

Time is linear in hostile text too. An attempt fails after looking at its fixed bytes, which are few, and at runs of
classes; and no byte of a run is looked at by more attempts than the pattern has fixed bytes, because each attempt
begins beside a byte that no run before it holds (`_is_linear`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from offscript.parse.compiled import compiled
from offscript.parse.pattern_paths import ALNUM, JOINTS, MANY, WORD, Kind, Path, Step, paths_of

MAX_STRIDE: Final = 8
"""Bytes of a message passed over at once: beyond it so many letters may stand in the window that most stop it."""

# What must be true where a match begins and ends.
_FREE, _EDGE, _LIMIT, _AFTER = range(4)
_CONDITIONS: Final = {Kind.EDGE: _EDGE, Kind.BEGIN: _LIMIT, Kind.END: _LIMIT, Kind.AFTER: _AFTER}

# What a step does beside taking bytes.
_OPENS, _CLOSES, _REPEATS = 1, 2, 4

# Bits of `members` that every program has; bit 5 is no byte's: it stands for what is outside the message.
_WORD_BIT, _ALNUM_BIT, _JOINT_BIT, _FIRST_BIT, _NEAR_BIT, _OUTSIDE_BIT = 1, 2, 4, 8, 16, 32
_OWN_SETS: Final = 6
_MAX_SETS: Final = 62  # bits of a signed word, less two: numba makes floats of mixed signs


class Program(NamedTuple):
    """A pattern as arrays: what `find_id` takes first.

    The first row of `code` says how many bytes may be passed over at once, and how far behind a match's first byte the
    byte looked at stands. Then each alternative has a row (row of the next one, condition where it begins, condition
    where it ends, 0) and a row (set, least, most, marks) for each step. Bit s of `members[b]` says whether byte b is in
    set s.
    """

    code: npt.NDArray[np.int64]
    members: npt.NDArray[np.int64]


def program_of(pattern: str, group: int) -> Program | None:
    r"""Compile a session key's RE2 pattern; None when it is not of the kind that needs no going back (ours).

    Args:
        pattern: the pattern of a `SessionKey`.
        group: 1 when the pattern has a group, whose first is the id; 0 when the whole match is.

    >>> program = program_of(r"\bblk_-?[0-9]+", 0)
    >>> data = np.frombuffer(b"Deleting block blk_-42 file", np.uint8)
    >>> find_id(*program, data, 0, len(data))
    (15, 22)
    >>> program_of(r"[0-9]+[0-9a-f]{8}", 0) is None
    True
    """
    paths = paths_of(pattern, group)
    if not paths or not all(_is_sound(path) and _goes_forward(path) and _is_linear(path) for path in paths):
        return None
    fixed = [_fixed_prefix(path) for path in paths]
    window = [_union(byte_sets) for byte_sets in zip(*fixed, strict=False)]
    first = _union([_first_of(path) for path in paths])
    begin, end = _best_window(window) if window else (0, 1)
    near = _union(window[begin:end]) or first
    sets = [WORD, ALNUM, JOINTS, first, near, 0]
    code = [(end - begin, end - 1, 0, 0)]
    for path in paths:
        code += _rows(path, len(code), sets)
    if len(sets) > _MAX_SETS:
        return None
    members = [sum((bytes_ >> byte & 1) << number for number, bytes_ in enumerate(sets)) for byte in range(256)]
    return Program(np.array(code), np.array(members))


def tells_digits(program: Program) -> bool:
    r"""Whether a program takes one digit for another than the next: then ids do not stand at equal places.

    >>> tells_digits(program_of(r"blk_[0-9]+", 0)), tells_digits(program_of(r"v1:[0-9]+", 0))
    (False, True)
    """
    digits = program.members[ord("0") : ord("9") + 1]
    return bool((digits != digits[0]).any())


def _rows(path: Path, at: int, sets: list[int]) -> list[tuple[int, int, int, int]]:
    """The rows of one alternative, the first of which will be row `at`; new sets are added."""
    spans = [place for place, step in enumerate(path) if step.kind is Kind.SPAN]
    begins = [_CONDITIONS[step.kind] for step in path[: spans[0]] if step.kind in _CONDITIONS]
    ends = [_CONDITIONS[step.kind] for step in path[spans[-1] :] if step.kind in _CONDITIONS]
    rows = [(at + len(spans) + 1, sum(begins), sum(ends), 0)]
    opened, closed = (_place(path, kind) for kind in (Kind.OPEN, Kind.CLOSE))
    for number, place in enumerate(spans):
        step = path[place]
        if step.bytes not in sets[_OWN_SETS:]:
            sets.append(step.bytes)
        marks = _OPENS if opened < place and (not number or spans[number - 1] < opened) else 0
        marks |= _CLOSES if place < closed and (place == spans[-1] or closed < spans[number + 1]) else 0
        marks |= _REPEATS if step.high > 1 else 0
        rows.append((sets.index(step.bytes, _OWN_SETS), step.low, step.high, marks))
    return rows


def _place(path: Path, kind: Kind) -> int:
    return next(place for place, step in enumerate(path) if step.kind is kind)


def _union(byte_sets: Sequence[int]) -> int:
    union = 0
    for byte_set in byte_sets:
        union |= byte_set
    return union


def _first_of(steps: Sequence[Step]) -> int:
    """The bytes that some text of these steps begins with."""
    first = 0
    for step in steps:
        if step.kind is Kind.SPAN:
            first |= step.bytes
            if step.low:
                break
    return first


def _fixed_prefix(path: Path) -> list[int]:
    """The sets of the first bytes, as far as it is certain at which place they stand."""
    fixed: list[int] = []
    for step in path:
        if step.kind is Kind.SPAN:
            fixed += [step.bytes] * step.low
            if step.low != step.high:
                break
    return fixed


def _best_window(window: Sequence[int]) -> tuple[int, int]:
    """The part of the fixed first bytes at which looking costs least, for each byte passed over.

    Letters, digits and blanks are each some thirtieth of a text, any other byte is rare; to stop where it was in vain
    costs about as much as looking eight times.
    """
    common = ALNUM | 1 << ord(" ")
    costs = []
    for begin in range(len(window)):
        for end in range(begin + 1, min(begin + MAX_STRIDE, len(window)) + 1):
            near = _union(window[begin:end])
            share = (near & common).bit_count() / 30 + (near & ~common).bit_count() / 300
            costs.append(((1 + 8 * share) / (end - begin), begin, end))
    _, begin, end = min(costs)
    return begin, end


def _is_sound(path: Path) -> bool:
    """Whether the path takes a byte at least, has one group, and looks around only where it begins and ends."""
    kinds = [step.kind for step in path]
    if kinds.count(Kind.OPEN) != 1 or not any(step.low for step in path if step.kind is Kind.SPAN):
        return False
    first, last = kinds.index(Kind.SPAN), len(kinds) - kinds[::-1].index(Kind.SPAN)
    begin, inside, end = (
        [kind for kind in part if kind in _CONDITIONS] for part in (kinds[:first], kinds[first:last], kinds[last:])
    )
    if inside or begin not in ([], [Kind.EDGE], [Kind.BEGIN]) or end not in ([], [Kind.EDGE], [Kind.END], [Kind.AFTER]):
        return False
    opened, closed = kinds.index(Kind.OPEN), kinds.index(Kind.CLOSE)
    # What `AFTER` takes would belong to a group around it.
    return Kind.SPAN in kinds[opened:closed] and Kind.AFTER not in kinds[:closed]


def _goes_forward(path: Path) -> bool:
    """Whether each step that may take more or less takes all it can in every match there is."""
    return all(
        step.kind is not Kind.SPAN or step.low == step.high or _takes_all(step, path[at + 1 :])
        for at, step in enumerate(path)
    )


def _takes_all(span: Step, rest: Path) -> bool:
    """Whether what follows can never begin with a byte that the span could have taken."""
    for step in rest:
        if step.kind is Kind.SPAN:
            if step.bytes & span.bytes:
                return False
            if step.low:
                return True
        elif step.kind is Kind.EDGE:
            return span.low > 0 and not span.bytes & ~WORD  # between two bytes of words there is no edge
        elif step.kind is Kind.AFTER:
            return not span.bytes & ~ALNUM  # what it looks for is neither letter nor digit
    return True


def _is_linear(path: Path) -> bool:
    """Whether attempts overlap no more than the pattern's fixed bytes allow, however the text is made.

    Each attempt that comes to a run has, before it, a byte that no run holds: one of its own, or the one before the
    word it begins. That of a later attempt therefore stands on a fixed byte of an earlier one if they share a run.
    Runs at the end of a pattern do not count: reaching them is success.
    """
    endless = [at for at, step in enumerate(path) if step.kind is Kind.SPAN and step.high == MANY]
    runs = _union([path[at].bytes for at in endless if any(step.kind is not Kind.CLOSE for step in path[at + 1 :])])
    if not runs or any(step.kind is Kind.BEGIN for step in path):
        return True
    prefix = [step for step in path[: endless[0] + 1] if step.kind is Kind.SPAN]
    if any(step.low and not step.bytes & runs for step in prefix):
        return True
    starts_word = Kind.EDGE in [step.kind for step in path[: path.index(prefix[0])]]
    return starts_word and prefix[0].low > 0 and not (prefix[0].bytes | runs) & ~WORD


@compiled
def find_id(
    code: npt.NDArray[np.int64], members: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], begin: int, end: int
) -> tuple[int, int]:
    r"""Find where the id of a program's pattern stands in `data[begin:end]`, valid UTF-8; (-1, -1) for none (ours).

    It is the first match as RE2 defines it: the leftmost start, there the first alternative. An empty id is none.

    >>> data = np.frombuffer(b"sshd[77]: session [9] opened", np.uint8)
    >>> find_id(*program_of(r"\[([0-9]+)\]:", 1), data, 0, len(data)), find_id(*program_of("x", 0), data, 0, len(data))
    ((5, 7), (-1, -1))
    """
    # One function without calls: each call would count the references of all arrays, which costs as much as all this.
    stride, ahead = code[0, 0], code[0, 1]
    start = stop = -1
    look = begin + ahead
    while look < end and stop < 0:
        at, last_at = look - ahead, look - ahead + stride
        while members[data[look]] & _NEAR_BIT and at < last_at and stop < 0:
            row = 1
            while members[data[at]] & _FIRST_BIT and row < code.shape[0] and stop < 0:
                here, next_row, at_begin, at_end = at, code[row, 0], code[row, 1], code[row, 2]
                before = members[data[at - 1]] if at > begin else _OUTSIDE_BIT
                fits = (
                    (at_begin == _FREE)
                    | (at_begin == _EDGE) & ((before ^ members[data[at]]) & _WORD_BIT != 0)
                    | (at_begin == _LIMIT) & (before == _OUTSIDE_BIT)
                )
                row += 1
                while fits and row < next_row:
                    which, marks, begun = code[row, 0], code[row, 3], here
                    start = here if marks & _OPENS else start
                    here += (members[data[here]] >> which & 1) if here < end else 0
                    if marks & _REPEATS and here > begun:
                        most = min(end, begun + code[row, 2])
                        while here < most and members[data[here]] >> which & 1:
                            here += 1
                    fits = here - begun >= code[row, 1]
                    stop = here if marks & _CLOSES else stop
                    row += 1
                before, behind = members[data[here - 1]], members[data[here]] if here < end else _OUTSIDE_BIT
                beyond = members[data[here + 1]] if here + 1 < end else _OUTSIDE_BIT
                fits = fits and (
                    (at_end == _FREE)
                    | (at_end == _EDGE) & ((before ^ behind) & _WORD_BIT != 0)
                    | (at_end == _LIMIT) & (behind == _OUTSIDE_BIT)
                    # A joint before a letter or digit would go on; before anything else it is a full stop or a dash.
                    | (at_end == _AFTER)
                    & (behind & _ALNUM_BIT == 0)
                    & (behind & _JOINT_BIT == 0 or beyond & _ALNUM_BIT == 0)
                )
                stop = stop if fits else -1
                row = next_row
            at += 1
        look += stride
    is_found = stop > start
    return (start, stop) if is_found else (-1, -1)


@compiled
def find_ids(
    code: npt.NDArray[np.int64],
    members: npt.NDArray[np.int64],
    data: npt.NDArray[np.uint8],
    begins: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
) -> None:
    r"""Write into `starts` and `stops` what `find_id` finds in each message `data[begins[i]:ends[i]]`.

    >>> data = np.frombuffer(b"open 7shut 8", np.uint8)
    >>> begins, ends = np.array([0, 6]), np.array([6, 12])
    >>> starts, stops = np.empty(2, np.int64), np.empty(2, np.int64)
    >>> find_ids(*program_of(r"t (\d+)", 1), data, begins, ends, starts, stops)
    >>> starts, stops
    (array([-1, 11]), array([-1, 12]))
    """
    for line in range(len(begins)):
        starts[line], stops[line] = find_id(code, members, data, begins[line], ends[line])
