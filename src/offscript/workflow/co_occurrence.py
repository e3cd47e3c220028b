"""How often keys come near each other: the evidence of the second method (CCS 2017 section 4.3, table 2).

The paper divides the pairs within a distance d by d times the frequency. So scaled, a key that follows another at
once every time has a share of 1/2 within distance 2, and no share but that of d = 1 can reach the threshold of 0.9.
Here `q_d` is the plain share of the passes of a key that have the other within d entries, once or more often. It is
counted forwards and backwards, for the paper grows tasks at their head as well as at their tail.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.workflow.borders import Cells, Table

TAU: Final = 0.9
"""The paper's threshold, the middle of the range it found to work (.85 to .95): below 1, for strays come between, and
above what a border gives, which is the share of the commonest task."""

FARTHEST: Final = 32
"""Distances looked at: with four runs at work, the next of the same run is nearer than this all but once in 10,000
times, and nearer than 9 nine times in ten, as TAU asks."""

BY_CHANCE: Final = 0.5
"""A distance within which chance alone gives half the passes says too little of a pair."""

LEAST: Final = 12
"""Passes below which a share of TAU is no evidence: all of 12 is within reach of chance at one half once in 4,000."""


def near_shares(keys: npt.NDArray[np.int64], size: int, farthest: int = FARTHEST) -> Table:
    """Return `q_d`: the share of the passes of key i that have key j within d entries after: (n,) -> (d, m, m).

    Entry `[d - 1, i, j]` is for distance d; distances are counted as in the paper, neighbours have 1. For the shares
    backwards give the keys in reverse.

    >>> near_shares(np.array([0, 1, 0, 2, 1]), 3, 2)[:, 0].tolist()
    [[0.0, 0.5, 0.5], [0.5, 1.0, 0.5]]
    """
    passes = np.bincount(keys, minlength=size)
    places = np.arange(len(keys))
    met = np.zeros((farthest + 1, size, size))
    for other in range(size):
        at = np.append(np.flatnonzero(keys == other), len(keys) + farthest + 1)
        distance = at[np.searchsorted(at, places, side="right")] - places
        near = distance <= farthest
        cells = np.bincount(distance[near] * size + keys[near], minlength=(farthest + 1) * size)
        met[:, :, other] = cells.reshape(-1, size)
    found: Table = met.cumsum(0)[1:] / np.maximum(passes, 1)[:, None]
    return found


def beyond_chance(shares: Table, passes: Table) -> Table:
    """Return what is left of shares within a distance when what random order would give is taken off: (d, m, m).

    `(q - chance) / (1 - chance)`: 1 where the other key always comes, 0 where it comes as often as anywhere; 0 too
    where chance gives more than BY_CHANCE, and for keys of fewer than LEAST passes.
    """
    rate = passes / max(passes.sum(), 1)
    chance = 1 - (1 - rate) ** np.arange(1, len(shares) + 1)[:, None]
    left = (shares - chance[:, None, :]) / np.maximum(1 - chance[:, None, :], 1e-9)
    found: Table = np.where((chance[:, None, :] <= BY_CHANCE) & (passes >= LEAST)[:, None], left, 0)
    return found


def together(keys: npt.NDArray[np.int64], size: int, tau: float = TAU) -> Cells:
    """Return which pairs always come near each other, forwards and backwards, beyond chance: (n,) -> (m, m).

    One direction would not do: after the end of a rare task the start of a common one comes nearly always, but that
    start hardly ever comes after this end.
    """
    passes = np.bincount(keys, minlength=size).astype(np.float64)
    after = beyond_chance(near_shares(keys, size), passes) >= tau
    before = beyond_chance(near_shares(keys[::-1], size), passes) >= tau
    found: Cells = np.any(after & before.transpose(0, 2, 1), axis=0)
    np.fill_diagonal(found, False)
    return found
