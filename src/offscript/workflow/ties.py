"""Which keys of parallel loops belong together: those whose numbers in a session depend on each other (ours).

Two loops in parallel bring every pair of their keys both ways round, and so does one loop around parallel steps: the
graph of neighbours is full in either case. But how often a loop came round tells how often each of its keys came, and
nothing about another loop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import or_

import numpy as np

from offscript.workflow.cuts import Cut, components, cut_of, joined_up, others, unchained
from offscript.workflow.seen import Follows, Seen, packed, places
from offscript.workflow.tree import Kind

SURELY = 4.0
"""Standard errors by which a correlation differs from none: chance has one in 16,000 pairs, a task a hundred pairs."""


def by_likelihood(seen: Seen, cuts: list[Cut], graph: Follows) -> tuple[list[Cut], list[Cut]]:
    """Return which cuts to try, and which only at the last: parallel ones, where all keys are tied to each other.

    Where they are not, parallel cuts are added with those keys in one part that come more often, or less, together, or
    keep an order. This is read as in other parallel cuts: no pair seen the other way round, or a chain of neighbours.

    >>> from offscript.workflow.cuts import find_cuts
    >>> runs = {(1, 2, 3): 50, (1, 2, 3, 3): 50, (1, 2, 2, 1, 3, 3): 50, (2, 1, 3, 1, 2): 50, (3, 3, 2, 1): 40}
    >>> seen = Seen.of(runs)
    >>> by_likelihood(seen, find_cuts(seen.follows(0)), seen.follows(0))[0][0]
    Cut(kind=<Kind.PARALLEL: 'parallel'>, parts=(frozenset({1, 2}), frozenset({3})))
    """
    if not any(cut.kind is Kind.PARALLEL for cut in cuts):
        return cuts, []
    ties = _ties(seen)
    if len(components(ties)) == 1:
        loops = [cut for cut in cuts if cut.kind is not Kind.PARALLEL]
        return loops, [cut for cut in cuts if cut not in loops]
    found: list[Cut] = []
    for parts in (components(list(map(or_, ties, others(graph.either)))), _joined(graph, ties)):
        cut = cut_of(Kind.PARALLEL, parts, graph)
        if len(parts) > 1 and cut not in (*cuts, *found):
            found.append(cut)
    return found + cuts, []


def _joined(graph: Follows, ties: tuple[int, ...]) -> list[int]:
    """Chains and ties, joined where most pairs between two of them keep an order: a few pairs may do so by chance."""
    parts = components(list(map(or_, ties, others(unchained(graph)))))
    kept = others(graph.either)
    joined = [
        sum(
            (other != part and 2 * _kept(kept, part, other) > part.bit_count() * other.bit_count()) << number
            for number, other in enumerate(parts)
        )
        for part in parts
    ]
    return joined_up(parts, joined)


def _kept(kept: Sequence[int], part: int, other: int) -> int:
    """How many keys of one part and of another keep an order."""
    return sum((kept[place] & other).bit_count() for place in places(part))


def _ties(seen: Seen) -> tuple[int, ...]:
    """The keys tied to each key: it surely depends on the one how often the other comes, or whether it comes at all."""
    numbers, counts = seen.times(), seen.counts.astype(np.float64)
    surely = np.zeros((len(seen.keys), len(seen.keys)), np.bool_)
    for values in (numbers, (numbers > 0).astype(np.float64)):
        apart = values - counts @ values / counts.sum()
        shared = (apart * counts[:, None]).T @ apart
        spread = np.sqrt(np.outer(shared.diagonal(), shared.diagonal()))
        surely |= np.abs(shared) * math.sqrt(counts.sum()) > SURELY * spread
    above = np.triu(surely, 1)
    return packed(above | above.T)
