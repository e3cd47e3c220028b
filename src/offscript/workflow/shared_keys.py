"""Keys that several tasks have in common: found by a longer history, where the key alone says too little (ours).

The paper lengthens the history where a prediction is uncertain (CCS 2017 section 4.2.1): after 54, 57 comes 18 or 56,
but after 18, 54, 57 only one of them, for two tasks share a piece. Here the question is asked where it matters: does
a key, or a chain of keys, hold together groups that are otherwise apart? Then what came before it is looked at: if a
run that came from one group never goes on to another, these are different tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from offscript.workflow.borders import LEAST_SHARE, SURE, Borders, Table, components

HISTORY: Final = 4
"""Keys of history, at most: one before a chain of three. The paper's example needs three; each key more splits the
passes again by all that may come before, and with more runs at work at once fewer of them are of one run."""

ABSENT: Final = 0.2
"""A way through a shared key is held to be missing below this share of what chance would give: a branch that is taken
independently of what came before gives 1, two tasks give 0."""

PRESENT: Final = 0.05
"""Share of the passes of a key below which groups before or after it are not asked about."""


@dataclass(frozen=True)
class Windows:
    """The distinct windows of the stream, what may follow each: (n, h) keys by number, (n,) counts, (n, m) shares.

    Keys are numbered from 0, -1 stands before the beginning of the stream.
    """

    keys: npt.NDArray[np.int64]
    counts: Table
    shares: Table

    def after(self, history: Sequence[int]) -> tuple[Table, Table]:
        """What came before a history, and what then follows: passes (m,) by the key before, and a table (m, m)."""
        size = self.shares.shape[1]
        chosen = (self.keys[:, -len(history) :] == np.asarray(history)).all(1)
        before = self.keys[chosen, -len(history) - 1]
        known = before >= 0
        followed = np.zeros((size, size))
        np.add.at(followed, before[known], (self.counts[chosen][:, None] * self.shares[chosen])[known])
        return np.bincount(before[known], self.counts[chosen][known], size).astype(np.float64), followed


def separate(found: Sequence[Borders], windows: Windows) -> tuple[Borders, list[frozenset[int]]]:
    """Return the borders, of some suggested, best first, and the tasks between them.

    Where the first lets nothing fall apart, a shared key may hold everything together whatever the border, so each is
    tried with its shared keys cut; the one with the most even tasks is taken.
    """
    if found[0].blocks.max() > 0:
        return found[0], tasks_of(found[0], windows)
    tried = [(borders, tasks_of(borders, windows)) for borders in found]
    return max(tried, key=lambda pair: _evenness(pair[0], pair[1]))


def _evenness(borders: Borders, tasks: Sequence[frozenset[int]]) -> float:
    passes = borders.counts.sum(1)
    shares = np.array([passes[sorted(keys)].sum() for keys in tasks]) / passes.sum()
    return round(float(-(shares * np.log(shares)).sum()), 6)


def tasks_of(borders: Borders, windows: Windows) -> list[frozenset[int]]:
    """Return the keys of each task, by number: the groups of linked keys, cut at keys that tasks share."""
    waiting = [frozenset(np.flatnonzero(borders.blocks == group).tolist()) for group in range(borders.blocks.max() + 1)]
    found = []
    while waiting:
        keys = waiting.pop(0)
        cut = next(
            filter(None, (_cut(keys, chain, borders, windows) for chain in _chains(keys, borders, windows))), None
        )
        if cut is None:
            found.append(keys)
        else:
            waiting = cut + waiting
    return found


def _chains(keys: frozenset[int], borders: Borders, windows: Windows) -> Iterator[tuple[int, ...]]:
    """Chains of linked keys, the short ones first."""
    chains: list[tuple[int, ...]] = [(key,) for key in sorted(keys)]
    # With others at work in between, the entries before and after a longer chain are hardly ever of its run.
    longest = min(HISTORY if borders.chance == 0 else 2, windows.keys.shape[1]) - 1
    for _ in range(longest):
        yield from chains
        chains = [
            (*c, int(k)) for c in chains for k in np.flatnonzero(borders.links[c[-1]]) if k in keys and k not in c
        ]


def _cut(
    keys: frozenset[int], chain: tuple[int, ...], borders: Borders, windows: Windows
) -> list[frozenset[int]] | None:
    """The tasks that share a chain of keys; None if it belongs to one."""
    rest = np.array(sorted(keys - set(chain)), np.int64)
    if len(rest) < 2:
        return None
    parts = components(borders.links[np.ix_(rest, rest)])
    if parts.max() == 0:
        return None
    ways = _ways(rest, parts, chain, borders, windows)
    if ways is None:
        return None
    groups = components(ways)
    if len(set(groups.tolist())) < 2:
        return None
    return [
        frozenset(rest[np.isin(parts, np.flatnonzero(groups == g))].tolist()) | set(chain) for g in np.unique(groups)
    ]


def _ways(
    rest: npt.NDArray[np.int64],
    parts: npt.NDArray[np.int64],
    chain: tuple[int, ...],
    borders: Borders,
    windows: Windows,
) -> npt.NDArray[np.bool_] | None:
    """Which parts are joined by runs through the chain: (p + 2, p + 2), the last two for the border before and after.

    Others at work in between make it that only `own` of the neighbours are of the same run; what they add is taken off.
    """
    before, followed = windows.after(chain)
    passes = max(float(before.sum()), 1.0)
    own, chance = 1 - borders.chance, borders.chance
    share = borders.counts.sum(0) / max(borders.counts.sum(), 1)
    member = np.eye(int(parts.max()) + 1)[parts]
    into = member * borders.links[rest, chain[0]][:, None]
    out = member * borders.links[chain[-1], rest][:, None]
    by_before, by_after = chance * share[rest] @ into, chance * share[rest] @ out
    came = np.maximum((before[rest] @ into) / passes - by_before, 0) / own
    goes = np.maximum((followed.sum(0)[rest] @ out) / passes - by_after, 0) / own
    met = into.T @ followed[np.ix_(rest, rest)] @ out
    due = np.outer(by_before, by_after) + own * (np.outer(came, by_after) + np.outer(by_before, goes))
    joint = (met / passes - due) / own**2
    error = np.sqrt(met + 1) / passes / own**2
    size = len(came)
    table = np.zeros((size + 1, size + 1))
    table[:size, :size] = joint
    table[:size, size], table[size, :size] = came - joint.sum(1), goes - joint.sum(0)
    errors = np.sqrt(np.maximum(table, 0) / passes) + 1 / passes
    if chance:  # what was taken off is itself uncertain
        errors[:size, :size] = error
        errors[:size, size] += np.sqrt((error**2).sum(1) + (came + by_before) / passes / own**2)
        errors[size, :size] += np.sqrt((error**2).sum(0) + (goes + by_after) / passes / own**2)
    comes = np.append(came, max(0.0, 1 - came.sum()))
    leaves = np.append(goes, max(0.0, 1 - goes.sum()))
    usual = np.outer(comes, leaves)
    shown = usual > SURE * errors
    missing = (shown & (table < ABSENT * usual)) | (comes < PRESENT)[:, None] | (leaves < PRESENT)[None, :]
    if (np.maximum(came, goes) < max(PRESENT, LEAST_SHARE)).any():
        return None
    return _joined(~missing, size)


def _joined(ways: npt.NDArray[np.bool_], size: int) -> npt.NDArray[np.bool_]:
    """Which parts belong to one task: those that runs pass between, and those that leave the chain alike.

    Parts that are all only before the chain, or all only after it, or all both, are branches of one task: to have the
    beginning or end of a run in common then says that (two tasks would look the same, and a branch is simpler).
    """
    inner = ways[:size, :size]
    sides = np.stack([ways[:size].any(1), ways[:, :size].any(0), ways[:size, size], ways[size, :size]], axis=1)
    alike = (sides[:, None, :] == sides[None, :, :]).all(2)
    border = np.outer(sides[:, 2], sides[:, 2]) | np.outer(sides[:, 3], sides[:, 3])
    found: npt.NDArray[np.bool_] = inner | (alike & border)
    return found
