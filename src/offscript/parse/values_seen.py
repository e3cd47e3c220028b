"""What the values of each place of each skeleton have in common, gathered from many blocks (ours).

The first value of a place is kept; of all others only how far they agree with it. That does not depend on their order,
so blocks are compared side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from offscript.parse.columnar import FRAME, FirstValues, SeenValues

T = TypeVar("T", np.int64, np.uint8)


class Common(NamedTuple):
    """What the values of one place of a skeleton have in common: how they begin, and their text where all are equal.

    Beyond `columnar.FRAME` bytes nothing is compared: longer values have no whole text in common.
    """

    start: str
    whole: str


class ValuesSeen:
    """The first value of each place, and what those that came after share with it.

    `first` and `slots`, the number of places, only grow: a block that began earlier knows the first of them.

    >>> seen = ValuesSeen()
    >>> seen.keep(0, [b"node-7", b"eth0"])
    >>> seen.common(0)
    [Common(start='node-7', whole='node-7'), Common(start='eth0', whole='eth0')]
    """

    def __init__(self) -> None:
        slots, begins, lengths = np.zeros((3, 64), np.int64)
        self.first = FirstValues(slots, begins, lengths, np.zeros(1 << 10, np.uint8))
        self.slots = 0
        self.total = nothing_seen(self.first)

    def keep(self, skeleton: int, firsts: Sequence[bytes]) -> None:
        """Keep the first values of the next skeleton, the numbers of which go 0, 1, 2 ..."""
        lengths = list(map(len, firsts))
        first, slot = self.first, self.slots
        begin = int(first.begins[slot - 1] + first.lengths[slot - 1]) if slot else 0
        begins = [begin + sum(lengths[:place]) for place in range(len(lengths))]
        self.first = FirstValues(
            with_values(first.slots, skeleton, [slot, slot + len(firsts)]),
            with_values(first.begins, slot, begins),
            with_values(first.lengths, slot, lengths),
            with_values(first.blob, begin, list(b"".join(firsts))),
        )
        self.slots += len(firsts)
        self.total = SeenValues(
            with_values(self.total.lines, len(self.first.slots) - 1, [0]),
            with_values(self.total.shared, slot, [min(length, FRAME) for length in lengths]),
            with_values(self.total.equal, slot, [1] * len(firsts)),
        )

    def gather(self, skeletons: int, slots: int, seen: SeenValues) -> None:
        """Take in what a block has seen, which knew the first so many skeletons and places."""
        self.total.lines[:skeletons] += seen.lines[:skeletons]
        np.minimum(self.total.shared[:slots], seen.shared[:slots], out=self.total.shared[:slots])
        self.total.equal[:slots] &= seen.equal[:slots]

    def common(self, skeleton: int) -> list[Common]:
        """What the values of each place of a skeleton have in common."""
        return [self._common(slot) for slot in range(*self.first.slots[skeleton : skeleton + 2].tolist())]

    def _common(self, slot: int) -> Common:
        begin, length = int(self.first.begins[slot]), int(self.first.lengths[slot])
        first = self.first.blob[begin : begin + length].tobytes()
        start = first[: int(self.total.shared[slot])].decode("utf-8", "ignore")
        return Common(start, first.decode("utf-8") if self.total.equal[slot] and length <= FRAME else "")


def nothing_seen(first: FirstValues) -> SeenValues:
    """Nothing seen yet of any value: all that the first ones can share with others."""
    lengths = np.minimum(first.lengths, FRAME)
    return SeenValues(np.zeros(len(first.slots), np.int64), lengths, np.ones(len(lengths), np.uint8))


def _nothing() -> tuple[FirstValues, SeenValues]:
    none = np.zeros(0, np.int64)
    first = FirstValues(none, none, none, np.zeros(0, np.uint8))
    return first, nothing_seen(first)


NOT_COMPARED: Final = _nothing()
"""What stands for the values where nobody asks what they have in common."""


def with_values(array: NDArray[T], at: int, values: Sequence[int]) -> NDArray[T]:
    """The array with values at a place, in a larger copy where it is too small."""
    if at + len(values) > len(array):
        array = np.concatenate([array, np.zeros(max(len(array), len(values)), array.dtype)])
    array[at : at + len(values)] = values
    return array


def with_number(numbers: NDArray[np.int64], at: int, number: int) -> NDArray[np.int64]:
    """The array with a number at a place, in a larger copy where it is too small."""
    return with_values(numbers, at, [number])
