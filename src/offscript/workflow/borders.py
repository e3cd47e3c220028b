"""Where runs end and others begin in a stream without session ids: what chance and borders explain, and no task (ours).

Both methods of the paper stop where several keys may follow, and must say whether these are steps of the same task or
the beginnings of other tasks (CCS 2017 sections 4.2 and 4.3). The paper looks at how certain the candidates are, which
fails as soon as a task branches or ends in more than one way. What tells them apart is memory: how a run goes on
depends on where it is, but which run comes next does not depend on which one ended. So in the table of what follows
what, `counts[i, j]`, three things add up:

- chance: where `1 - c` of all entries are followed by one of another run at work at the same time, these come as often
  as they do anywhere: `chance * n_i * share_j` (none in a stream of one run after another);
- borders: ends times starts, `ends_i * starts_j`, one table of rank 1 for the whole system;
- links: few cells, the steps of the tasks, which are what is left.

Many tables of rank 1 lie in such counts (any choice followed by a choice makes one). The border is the one without
which the keys fall apart into tasks: inside a task there is always a way round, over the end of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Table: TypeAlias = npt.NDArray[np.float64]
Cells: TypeAlias = npt.NDArray[np.bool_]
Groups: TypeAlias = npt.NDArray[np.int64]

SURE: Final = 4.0
"""Standard errors by which a link must exceed what borders and chance give: among the 3,600 cells of 60 keys, 4 let
one in ten systems have a false link by chance; 3 would give five in every system."""

LEAST_SHARE: Final = 0.02
"""A link carries this share of the passes of one of its keys at least: what is rarer is noise (a few percent of
entries out of place, spread over all cells) and not a step that a drawing should show."""

OVERLAP: Final = 0.05
"""Share of their followers that two keys must have in common to suggest a border: an end that is one in twenty passes
of a key still does."""

FITTED: Final = 2.0
"""Cells further above what is explained, in standard errors, have no say in the fit, though they are no links yet:
steps too rare to be sure of would pass as chance, and chance, once too high, hides more of them."""

POOLED: Final = 0.1
"""A group joins another when a tenth of its passes, after chance, lead there or come from there beyond borders."""

ALIKE: Final = 0.1
"""Suggested borders nearer than this (sum of differences of shares, 2 at most) are tried once."""

TRIED: Final = 6
"""Suggestions fitted to the end: the quick look at all ranks the right one among the first, nearly always first."""

MORE: Final = 24
"""Suggestions fitted where none lets the keys fall apart at first sight: a key shared by all tasks may hold them."""

ROUNDS: Final = 8
STEPS: Final = 25
"""Rounds of fitting and of naming links anew, at most, and steps of fitting in each: shares move by less than a
hundredth after some fifteen steps, links stay after three or four rounds."""

_TINY: Final = 1e-9


@dataclass(frozen=True)
class Borders:
    """What follows what, taken apart: (m, m) tables over m keys.

    `counts` is what was given; `links` says which cells are steps of a task; `chance` is the share of entries followed
    by one of another run at work at the same time; `ends` (m,) counts runs that ended after a key, `starts` (m,) is
    the share of runs that begin with a key; `blocks` (m,) numbers the group of linked keys that each key is in.
    """

    counts: Table
    links: Cells
    chance: float
    ends: Table
    starts: Table
    blocks: Groups

    def by_chance(self) -> Table:
        """How often each pair is expected to stand together without a reason."""
        found: Table = self.chance * expected(self.counts)
        return found

    def at_borders(self) -> Table:
        """How often each pair is expected to be an end and the start that follows."""
        found: Table = np.outer(self.ends, self.starts)
        return found

    def steps(self) -> Table:
        """How often each pair was a step of a task; zero where it is no link."""
        left = self.counts - self.by_chance() - self.at_borders()
        found: Table = np.where(self.links, np.maximum(left, 0), 0)
        return found


def expected(counts: Table) -> Table:
    """How often each pair would stand together if keys came at random."""
    found: Table = np.outer(counts.sum(1), counts.sum(0)) / max(counts.sum(), 1)
    return found


def find_borders(counts: Table, certain: Cells | None = None) -> list[Borders]:
    """Take a table of what follows what apart; `certain` cells are links whatever the borders.

    Of all suggested borders the one is taken that lets the keys fall apart most evenly, then the one that leaves the
    fewest links to explain. Where none lets them fall apart, all keys are one task.

    >>> counts = np.zeros((4, 4))
    >>> for before, after in ((0, 1), (2, 3)):  # tasks 0,1 and 2,3 in random order
    ...     counts[before, after] = 100
    ...     counts[after, [0, 2]] = 50
    >>> found = find_borders(counts)[0]
    >>> found.blocks.tolist(), found.starts.round(2).tolist()
    ([0, 0, 1, 1], [0.5, 0.0, 0.5, 0.0])
    """
    certain = np.zeros(counts.shape, bool) if certain is None else certain
    chance = _chance(counts)
    tried: list[tuple[tuple[float, int], _Guess]] = []
    for starts in _suggestions(counts, chance):
        ends = _most(counts, chance, starts)
        links = _links(counts, chance, ends, starts) | certain
        tried.append((_rank(counts, links, components(links)), _Guess(ends, starts, links)))
    tried.sort(key=lambda row: row[0], reverse=True)
    if not tried:  # so few entries that nothing stands out
        nothing = np.zeros(len(counts))
        return [Borders(counts, counts > 0, 0.0, nothing, nothing, np.zeros(len(counts), np.int64))]
    most = TRIED if tried[0][0][0] else MORE
    fitted = [_fit(counts, chance, guess, certain) for _, guess in tried[:most]]
    return sorted(fitted, key=lambda found: _rank(counts, found.links, found.blocks), reverse=True)


@dataclass(frozen=True)
class _Guess:
    """Ends, starts and links as first thought."""

    ends: Table
    starts: Table
    links: Cells


def _chance(counts: Table) -> float:
    """A first guess at the share of chance: how often pairs stand together that do so least, against random order.

    Most pairs of keys are no neighbours in any task; the lower quarter, weighted by what random order would give, is
    taken to be such.
    """
    random = expected(counts)
    shares = (counts / np.maximum(random, _TINY)).ravel()
    order = np.argsort(shares, kind="stable")
    weights = np.cumsum(random.ravel()[order])
    found = float(shares[order][np.searchsorted(weights, 0.25 * weights[-1])])
    # Below a twentieth there is one run at a time but for strays: two at a time would give a half.
    return min(found, 0.95) if found >= 0.05 else 0.0


def _suggestions(counts: Table, chance: float) -> list[Table]:
    """Shares of starts to try: what follows a key, and what the followers of two keys have in common.

    Keys of different tasks have nothing in common but the border, so their common followers are the starts.
    """
    by_chance = chance * expected(counts)
    left = np.where(counts - by_chance > 3 * np.sqrt(np.maximum(by_chance, 1)), counts - by_chance, 0)
    shares = left / np.maximum(left.sum(1, keepdims=True), 1)
    found = []
    for number in range(len(counts)):
        common = np.minimum(shares[number], shares[number:])
        weight = common.sum(1, keepdims=True)
        found.append((common / np.maximum(weight, _TINY))[weight[:, 0] > OVERLAP])
    rest = np.vstack(found)
    chosen = []
    while len(rest):
        chosen.append(rest[0])
        rest = rest[np.abs(rest - rest[0]).sum(1) >= ALIKE]
    return chosen


def _most(counts: Table, chance: float, starts: Table) -> Table:
    """How many runs can have ended after each key at most, if these are the starts: the scarcest start says."""
    usual = starts >= LEAST_SHARE * starts.max()
    left = counts[:, usual] - chance * expected(counts)[:, usual]
    doubt = 3 * np.sqrt(counts[:, usual]) + 3  # three standard errors, of rare pairs too
    most = (np.maximum(left + doubt, 0) / starts[usual]).min(1)
    found: Table = np.minimum(most, np.maximum(left, 0).sum(1) / starts[usual].sum())
    return found


def _links(counts: Table, chance: float, ends: Table, starts: Table) -> Cells:
    """The cells that borders and chance do not explain, by SURE standard errors and by LEAST_SHARE."""
    explained = chance * expected(counts) + np.outer(ends, starts)
    left = counts - explained
    least = LEAST_SHARE * np.minimum(counts.sum(1)[:, None], counts.sum(0)[None, :])
    found: Cells = (_errors(counts, explained) > SURE) & (left > least)
    return found


def _errors(counts: Table, explained: Table) -> Table:
    """By how many standard errors counts exceed what is explained (Anscombe's roots: right for rare pairs too)."""
    found: Table = 2 * (np.sqrt(counts + 0.375) - np.sqrt(explained + 0.375))
    return found


def _gathered(counts: Table, explained: Table, chance: float, blocks: Groups) -> Groups:
    """Join groups that are too rare for a link between two keys, but stand together when all their keys are pooled."""
    while (size := int(blocks.max()) + 1) > 1:
        member = np.eye(size)[blocks]
        met, due = (member.T @ table @ member for table in (counts, explained))
        met, due = met + met.T, due + due.T
        passes = (1 - chance) * (member.T @ counts.sum(1))
        errors = np.triu(_errors(met, due), 1)
        errors[met - due < POOLED * np.minimum(passes[:, None], passes[None, :])] = 0
        one, other = np.unravel_index(int(errors.argmax()), errors.shape)
        if errors[one, other] < SURE:
            break
        blocks = np.unique(np.where(blocks == other, one, blocks), return_inverse=True)[1]
    return blocks


def _fit(counts: Table, chance: float, guess: _Guess, certain: Cells) -> Borders:
    """Fit chance and borders to all cells that are no links (Poisson, by multiplicative updates), name links anew."""
    random = expected(counts)
    ends, starts, links = guess.ends + _TINY, guess.starts + _TINY, guess.links
    for _ in range(ROUNDS):
        doubtful = _errors(counts, chance * random + np.outer(ends, starts)) > FITTED
        free = (~(links | doubtful)).astype(np.float64)
        for _ in range(STEPS):
            ratio = free * counts / (chance * random + np.outer(ends, starts) + _TINY)
            chance *= (ratio * random).sum() / max((free * random).sum(), _TINY)
            ends = ends * (ratio @ starts) / np.maximum(free @ starts, _TINY)
            ratio = free * counts / (chance * random + np.outer(ends, starts) + _TINY)
            starts = starts * (ends @ ratio) / np.maximum(ends @ free, _TINY)
            ends, starts = np.minimum(ends * starts.sum(), counts.sum(1)), starts / max(starts.sum(), _TINY)
        before, links = links, _links(counts, chance, ends, starts) | certain
        if (before == links).all():
            break
    explained = chance * random + np.outer(ends, starts)
    blocks = _gathered(counts, explained, float(chance), components(links))
    return Borders(counts, links, float(chance), ends, starts, blocks)


def _rank(counts: Table, links: Cells, blocks: Groups) -> tuple[float, int]:
    """How evenly the keys fall apart (entropy of the shares of the groups), and how few links are left."""
    weights = np.bincount(blocks, counts.sum(1))
    shares = weights[weights > 0] / weights.sum()
    shares = shares[shares > LEAST_SHARE / 4]  # a stray key or two is no task
    return round(float(-(shares * np.log(shares)).sum()), 6), -int(links.sum())


def components(links: Cells) -> Groups:
    """Number the groups of keys that links hold together, whichever way they point: (m, m) -> (m,)."""
    near = [np.flatnonzero(row).tolist() for row in links | links.T]
    found = [-1] * len(near)
    number = 0
    for first in range(len(near)):
        if found[first] < 0:
            waiting = [first]
            while waiting:
                key = waiting.pop()
                if found[key] < 0:
                    found[key] = number
                    waiting.extend(near[key])
            number += 1
    return np.array(found, np.int64)
