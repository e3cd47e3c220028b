"""What a scan asks of those it works for: numbers for skeletons, and which values are wanted (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from offscript.parse.asked import Values
from offscript.parse.columnar import Lines
from offscript.parse.raw_lines import RawLines
from offscript.parse.taken import Taken, Wanted
from offscript.parse.values_seen import Common

Numbers = NDArray[np.int64]


class Passed(NamedTuple):
    """A block after the compiled pass."""

    raw: RawLines
    lines: Lines
    taken: list[Taken]


class Skeletons(Protocol):
    """Who gives numbers to skeletons: Spell while it learns, or the frozen templates.

    `learns` says whether `add` is of use: values are compared for it alone.
    """

    learns: bool

    @property
    def taker(self) -> Taker | None:
        """Who wants values."""

    def number(self, message: str, ids: tuple[str, ...]) -> tuple[int, bool]:
        """The number of a message's skeleton, and whether every message of that skeleton has it."""

    def add(self, number: int, lines: int, values: Sequence[Common]) -> None:
        """Count more lines of a skeleton that has a number."""


class Taker(Protocol):
    """Who wants values, and gets them block by block.

    A skeleton is told before any line is read by it; `at` says which line the number asked for next is of.
    """

    wanted: Wanted

    def know(self, code: int, number: int, values: int) -> None:
        """Take note of the next skeleton of the scan, its number, and how many own values it has."""

    def at(self, place: int) -> None:
        """Take note of the line that is read by itself next."""

    def gather(self, passed: Passed | None, places: Numbers) -> Values | None:
        """Take in a block, None for one that was read line by line, and the lines of its entries."""
