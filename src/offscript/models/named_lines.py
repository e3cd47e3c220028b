"""Lines that were unknown and have got a name: what was seen after them holds for them under the name, too (ours)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.entries import UNKNOWN
from offscript.models.pairs import Sightings, Symbols

MIXED: Final = 8
"""Ways to name the unknown lines of a history up to which all are taken; beyond, all lines have one name."""


def as_named(histories: Symbols, names: Sequence[int]) -> tuple[npt.NDArray[np.int64], Symbols]:
    """Histories, (n, h), with unknown lines called by their names: the row each was made of, (m,), and itself, (m, h).

    Which of the lines has which name is not known, so each may have any, or none.

    >>> rows, named = as_named(np.array([[3, 4], [2, 5]], np.int32), [6, 7])
    >>> rows.tolist(), named.tolist()
    ([1, 1], [[6, 5], [7, 5]])
    """
    rows: list[int] = []
    found: list[tuple[int, ...]] = []
    for row in np.flatnonzero((histories == UNKNOWN).any(axis=1)).tolist() if names else ():
        named = histories_by_name(histories[row].tolist(), names, UNKNOWN)
        rows += [row] * len(named)
        found += named
    return np.array(rows, np.int64), np.array(found, np.int32).reshape(-1, histories.shape[1])


def histories_by_name(history: Sequence[int], names: Sequence[int], unknown: int = 0) -> list[tuple[int, ...]]:
    """A history as it may read where some of its unknown lines have names.

    >>> histories_by_name((3, 0, 5, 0), [7])
    [(3, 0, 5, 7), (3, 7, 5, 0), (3, 7, 5, 7)]
    """
    places = history.count(unknown) if names else 0
    found = []
    for choice in _choices(names, places, unknown) if places else ():
        named = iter(choice)
        found.append(tuple(next(named) if key == unknown else key for key in history))
    return found


def with_names(seen: Sightings, names: Sequence[int]) -> Sightings:
    """What was seen after unknown lines, seen as often after the same lines by their names.

    >>> seen = Sightings(np.array([[2], [3]], np.int32), np.array([4, 4], np.int32), np.array([8, 9]))
    >>> with_names(seen, [5]).histories.tolist()
    [[2], [3], [5]]
    """
    rows, histories = as_named(seen.histories, names)
    return seen.with_more(histories, seen.targets[rows], seen.units[rows]) if len(rows) else seen


def _choices(names: Sequence[int], places: int, unknown: int) -> list[tuple[int, ...]]:
    if (1 + len(names)) ** places > MIXED:
        return [(name,) * places for name in names]
    return list(product((unknown, *names), repeat=places))[1:]
