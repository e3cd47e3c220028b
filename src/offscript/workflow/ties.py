"""Which keys of parallel loops belong together: those whose numbers in a session depend on each other (ours).

Two loops in parallel bring every pair of their keys both ways round, and so does one loop around parallel steps: the
graph of neighbours is full in either case. But how often a loop came round tells how often each of its keys came, and
nothing about another loop.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from offscript.workflow.cuts import Cut, Follows, Runs, components, unchained
from offscript.workflow.tree import Kind

SURELY = 4.0
"""Standard errors by which a correlation differs from none: chance has one in 16,000 pairs, a task a hundred pairs."""


def by_likelihood(runs: Runs, cuts: list[Cut], graph: Follows) -> tuple[list[Cut], list[Cut]]:
    """Return which cuts to try, and which only at the last: parallel ones, where all keys are tied to each other.

    Where they are not, parallel cuts are added with those keys in one part that come more often, or less, together, or
    keep an order. This is read as in other parallel cuts: no pair seen the other way round, or a chain of neighbours.

    >>> from offscript.workflow.cuts import find_cuts, follows
    >>> runs = {(1, 2, 3): 50, (1, 2, 3, 3): 50, (1, 2, 2, 1, 3, 3): 50, (2, 1, 3, 1, 2): 50, (3, 3, 2, 1): 40}
    >>> graph = follows(runs, 0)
    >>> by_likelihood(runs, find_cuts(graph), graph)[0][0]
    Cut(kind=<Kind.PARALLEL: 'parallel'>, parts=(frozenset({1, 2}), frozenset({3})))
    """
    if not any(cut.kind is Kind.PARALLEL for cut in cuts):
        return cuts, []
    ties = _ties(runs, graph.keys)
    if len(components(graph.keys, ties)) == 1:
        others = [cut for cut in cuts if cut.kind is not Kind.PARALLEL]
        return others, [cut for cut in cuts if cut not in others]
    found: list[Cut] = []
    for parts in (components(graph.keys, ties + _ordered(graph, graph.either)), _joined(graph, ties)):
        cut = Cut(Kind.PARALLEL, tuple(map(frozenset, parts)))
        if len(parts) > 1 and cut not in (*cuts, *found):
            found.append(cut)
    return found + cuts, []


def _ordered(graph: Follows, free: frozenset[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(a, b) for a in graph.keys for b in graph.keys if a < b and not {(a, b), (b, a)} <= free]


def _joined(graph: Follows, ties: list[tuple[int, int]]) -> list[set[int]]:
    """Chains and ties, joined where most pairs between two of them keep an order: a few pairs may do so by chance."""
    parts = components(graph.keys, ties + _ordered(graph, unchained(graph)))
    kept = set(_ordered(graph, graph.either))
    pairs = [
        (one, other)
        for one in range(len(parts))
        for other in range(one + 1, len(parts))
        if 2 * sum((min(a, b), max(a, b)) in kept for a in parts[one] for b in parts[other])
        > len(parts[one]) * len(parts[other])
    ]
    return [set().union(*(parts[number] for number in group)) for group in components(range(len(parts)), pairs)]


def _ties(runs: Runs, keys: tuple[int, ...]) -> list[tuple[int, int]]:
    """The pairs of keys of which it surely depends on the one how often the other comes, or whether it comes at all."""
    numbers = np.array([[times[key] for key in keys] for times in map(Counter, runs)], np.float64)
    counts = np.array(list(runs.values()), np.float64)
    surely = np.zeros((len(keys), len(keys)), np.bool_)
    for values in (numbers, (numbers > 0).astype(np.float64)):
        apart = values - counts @ values / counts.sum()
        shared = (apart * counts[:, None]).T @ apart
        spread = np.sqrt(np.outer(shared.diagonal(), shared.diagonal()))
        surely |= np.abs(shared) * math.sqrt(counts.sum()) > SURELY * spread
    return [(one, other) for a, one in enumerate(keys) for b, other in enumerate(keys) if a < b and surely[a, b]]
