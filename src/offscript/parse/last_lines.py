"""The last line of every open session: in the blocks lately seen, or cut and kept as bytes in one place (ours).

A verdict at a session's close shows the session's last line, which may stand in a block that is long gone. Most lines
are soon followed by another of their session, so a block is held for a while before the last lines in it are copied.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offscript.entries import Line
from offscript.parse.compiled import compiled

if TYPE_CHECKING:
    from offscript.parse.scan import Scanned

KEPT: Final = np.dtype(
    [
        ("number", np.int64),
        ("offset", np.int64),
        ("key", np.int64),
        ("time", np.float64),
        ("begin", np.int64),
        ("size", np.int64),
    ]
)

WIDEST: Final = 4
"""Bytes of a character in UTF-8, at most."""

FIRST_BYTES: Final = 1 << 16
"""Bytes that there is room for at first; it doubles."""

BLOCKS_HELD: Final = 16
"""Blocks held as they are, a megabyte or two each: in a busy log a minute, in which most sessions go on."""

Slots = NDArray[np.int64]
Numbers = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Records = NDArray[Any]


class Held(NamedTuple):
    """A block, the records of its entries' sessions, and how many entries had arrived in sessions before it."""

    scanned: Scanned
    slots: NDArray[np.int32]
    before: int


class LastLines:
    """Lines by the number of a session's record, and blocks by the arrival of their entries.

    `characters` of each line are kept.

    >>> lines = LastLines(500)
    >>> lines.put(3, Line("up", "app.log", 7, 120), 5, None)
    >>> lines.get(3, "app.log"), lines.key(3), lines.time(3)
    (Line(text='up', source='app.log', number=7, offset=120), 5, None)
    """

    def __init__(self, characters: int) -> None:
        self._characters = characters
        self._kept: Records = np.zeros(0, KEPT)
        self._bytes: Bytes = np.empty(FIRST_BYTES, np.uint8)
        self._used = 0
        self._held: deque[Held] = deque()
        self._inside: dict[int, Numbers] = {}  # of blocks asked for: the places of entries within sessions

    def hold(self, block: Held) -> None:
        """Hold a block."""
        self._held.append(block)

    def let_go(self) -> Held | None:
        """Return a block that is held no longer, whose last lines are to be kept; None while there is room."""
        if len(self._held) <= BLOCKS_HELD:
            return None
        gone = self._held.popleft()
        self._inside.pop(gone.before, None)
        return gone

    def find(self, arrival: int) -> tuple[Scanned, int] | None:
        """The block of an entry, and its place there; None where it is held no longer."""
        block = next((block for block in reversed(self._held) if block.before < arrival), None)
        if block is None:
            return None
        inside = self._inside.get(block.before)
        if inside is None:
            inside = self._inside[block.before] = np.flatnonzero(block.slots >= 0)
        return block.scanned, int(inside[arrival - block.before - 1])

    def keep(self, slots: Slots, scanned: Scanned, entries: Numbers, open_slots: Callable[[], Slots]) -> None:
        """Keep the lines of some entries of a block; `open_slots` gives all whose lines must stay."""
        data, starts, stops, numbers, offsets = self._lines(scanned, scanned.places[entries])
        sizes = np.minimum(stops - starts, WIDEST * self._characters)
        self._make_room(slots, int(sizes.sum()), open_slots)
        kept = self._kept
        ends = self._used + np.cumsum(sizes)
        kept["number"][slots], kept["offset"][slots] = numbers, offsets
        kept["key"][slots], kept["time"][slots] = scanned.numbers[entries], scanned.times[entries]
        kept["begin"][slots], kept["size"][slots] = ends - sizes, sizes
        _copy(data, starts, ends - sizes, sizes, self._bytes)
        self._used += int(sizes.sum())

    def put(self, slot: int, line: Line, key: int, time: float | None) -> None:
        """Keep a line that comes from elsewhere."""
        text = np.frombuffer(line.text[: self._characters].encode("utf-8", "surrogatepass"), np.uint8)
        slots = np.array([slot])
        self._make_room(slots, len(text), lambda: np.arange(len(self._kept)))
        stamp = float("nan") if time is None else time
        self._kept[slot] = (line.number, line.offset, key, stamp, self._used, len(text))
        self._bytes[self._used : self._used + len(text)] = text
        self._used += len(text)

    def get(self, slot: int, source: str) -> Line:
        """The line, its text cut."""
        kept = self._kept[slot]
        begin, size = int(kept["begin"]), int(kept["size"])
        # a line that was cut between bytes may end in half a character, which is beyond the characters that are kept
        whole = size < WIDEST * self._characters
        text = self._bytes[begin : begin + size].tobytes().decode("utf-8", "surrogatepass" if whole else "ignore")
        return Line(text[: self._characters], source, int(kept["number"]), int(kept["offset"]))

    def key(self, slot: int) -> int:
        """The line's key."""
        return int(self._kept[slot]["key"])

    def time(self, slot: int) -> float | None:
        """The line's time in seconds since 1970, None where its source had none so far."""
        time = float(self._kept[slot]["time"])
        return time if time == time else None

    def _lines(self, scanned: Scanned, places: Numbers) -> tuple[Bytes, Numbers, Numbers, Numbers, Numbers]:
        """The bytes of lines, where each begins and ends in them, their numbers and offsets."""
        raw = scanned.raw
        if not isinstance(raw, list):
            numbers, offsets = raw.number + raw.ordinals[places], raw.offset + raw.offsets[places]
            return np.frombuffer(raw.data, np.uint8), raw.starts[places], raw.stops[places], numbers, offsets
        lines = [raw[place] for place in places.tolist()]
        texts = [line.text[: self._characters].encode("utf-8", "surrogatepass") for line in lines]
        stops = np.cumsum(np.array([len(text) for text in texts], np.int64))
        starts = np.concatenate([np.zeros(min(1, len(stops)), np.int64), stops[:-1]])
        numbers = np.array([line.number for line in lines], np.int64)
        offsets = np.array([line.offset for line in lines], np.int64)
        return np.frombuffer(b"".join(texts), np.uint8), starts, stops, numbers, offsets

    def _make_room(self, slots: Slots, size: int, open_slots: Callable[[], Slots]) -> None:
        most = int(slots.max(initial=-1)) + 1
        if len(self._kept) < most:
            self._kept = np.concatenate([self._kept, np.zeros(2 * most - len(self._kept), KEPT)])
        self._kept["size"][slots] = 0
        if self._used + size <= len(self._bytes):
            return
        kept, stay = self._kept, open_slots()
        stay = stay[stay < len(kept)]
        sizes = kept["size"][stay]
        room = np.empty(2 * (int(sizes.sum()) + size) + FIRST_BYTES, np.uint8)
        begins = np.cumsum(sizes) - sizes
        _copy(self._bytes, kept["begin"][stay], begins, sizes, room)
        kept["begin"][stay] = begins
        # a record that is free now may be taken again before its line is kept: its old place is no longer there
        kept["size"] = 0
        kept["size"][stay] = sizes
        self._bytes, self._used = room, int(sizes.sum())


@compiled
def _copy(data: Bytes, starts: Numbers, to: Numbers, sizes: Numbers, out: Bytes) -> None:
    """Copy stretches of bytes."""
    for number in range(len(starts)):
        for byte in range(sizes[number]):
            out[to[number] + byte] = data[starts[number] + byte]
