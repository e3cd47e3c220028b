"""Where the runs of a task fall into parts: by choice, in sequence, in parallel, or in rounds.

The cuts of the inductive miner (Leemans, Fahland and van der Aalst 2013, 2014), written from their definitions: a cut
is read off the graph of which key directly follows which, and the runs are split along it, so that each part can be
mined alone. What is rare on both sides is left out of the graph, not out of the runs (ours).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from operator import mul

import networkx as nx

from offscript.workflow.tree import Kind

Run = tuple[int, ...]
Runs = Mapping[Run, int]
"""Distinct runs of a part of a task, with how often each comes."""


CHAINED = 0.1
"""Share of the commonest neighbour that makes two keys neighbours in one part: a step of a part that has up to nine
others beside it comes directly after the one before that often; keys of two parts that keep an order hardly ever do."""

EDGE = -1
"""Stands before the first key of a run and after its last one; symbols of keys are not negative."""


@dataclass(frozen=True, slots=True)
class Follows:
    """Which key directly follows which, often enough; which keys begin and end runs; which come in any order."""

    keys: tuple[int, ...]
    pairs: frozenset[tuple[int, int]]
    starts: frozenset[int]
    ends: frozenset[int]
    either: frozenset[tuple[int, int]]
    """Pairs of keys whose first occurrences come now this way, now that way round."""
    chained: frozenset[tuple[int, int]] = frozenset()
    """Pairs of which the one directly follows the other in a good part of the runs, or that no run has both."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How runs fall apart: `parts` are sets of keys, in their order for a sequence; the body first for a loop."""

    kind: Kind
    parts: tuple[frozenset[int], ...]


CHANCE = 3.0
"""Standard errors by which noise may exceed its share: of what a mistake brings once, chance brings two or three."""


def noise(share: float, count: float) -> float:
    """Return how often at most noise comes where it comes in a share of so many cases; never, where it is none.

    >>> noise(0.01, 100), noise(0, 100)
    (4.0, 0.0)
    """
    return share * count + CHANCE * math.sqrt(share * count)


def follows(runs: Runs, rare: float) -> Follows:
    """Read the graph off runs; a pair is left out below the share `rare` of the commonest pair at either of its keys.

    So is one of keys that exclude each other: of the runs with the rarer one no more than that share have both.

    >>> sorted(follows({(1, 2): 99, (2, 1): 1}, 0.05).pairs)
    [(1, 2)]
    """
    pairs: Counter[tuple[int, int]] = Counter()
    starts: Counter[int] = Counter()
    ends: Counter[int] = Counter()
    orders: Counter[tuple[int, int]] = Counter()
    having: Counter[int] = Counter()
    for run, count in runs.items():
        if not run:
            continue
        starts[run[0]] += count
        ends[run[-1]] += count
        for pair in pairwise(run):
            pairs[pair] += count
        distinct = tuple(dict.fromkeys(run))
        having.update(dict.fromkeys(distinct, count))
        for place, key in enumerate(distinct):
            for later in distinct[place + 1 :]:
                orders[key, later] += count
    pairs.update({(EDGE, key): count for key, count in starts.items()})
    pairs.update({(key, EDGE): count for key, count in ends.items()})
    keys = tuple(sorted(having))
    apart = _apart(having, orders, rare)
    often = _often(pairs, partial(noise, rare)) - apart
    return Follows(
        keys,
        frozenset(pair for pair in often if EDGE not in pair),
        frozenset(after for before, after in often if before == EDGE),
        frozenset(before for before, after in often if after == EDGE),
        _either(orders, rare) - apart,
        _often(pairs, partial(mul, CHAINED)) | apart,
    )


def _apart(having: Counter[int], orders: Counter[tuple[int, int]], rare: float) -> frozenset[tuple[int, int]]:
    return frozenset(
        (a, b)
        for a in having
        for b in having
        if a != b and orders[a, b] + orders[b, a] <= noise(rare, min(having[a], having[b]))
    )


def _often(pairs: Counter[tuple[int, int]], most: Callable[[float], float]) -> frozenset[tuple[int, int]]:
    out: Counter[int] = Counter()
    into: Counter[int] = Counter()
    for (before, after), count in pairs.items():
        out[before] = max(out[before], count)
        into[after] = max(into[after], count)
    return frozenset(pair for pair, count in pairs.items() if count > most(min(out[pair[0]], into[pair[1]])))


def _either(orders: Counter[tuple[int, int]], rare: float) -> frozenset[tuple[int, int]]:
    return frozenset(
        (a, b)
        for (a, b), count in orders.items()
        if orders[b, a] and min(count, orders[b, a]) > noise(rare, count + orders[b, a])
    )


def find_cuts(graph: Follows) -> list[Cut]:
    """Return the cuts that hold: a choice or a sequence alone, for nothing is lost by it; else all that are possible.

    >>> find_cuts(follows({(1, 2, 3): 1, (1, 3, 2): 1}, 0))
    [Cut(kind=<Kind.SEQUENCE: 'sequence'>, parts=(frozenset({1}), frozenset({2, 3})))]
    """
    if len(graph.keys) < 2:
        return []
    for kind, way in ((Kind.CHOICE, _choice), (Kind.SEQUENCE, _sequence)):
        parts = way(graph)
        if len(parts) > 1:
            return [Cut(kind, tuple(map(frozenset, parts)))]
    found = [
        Cut(kind, tuple(map(frozenset, parts)))
        for kind, parts in (
            (Kind.PARALLEL, _parallel(graph, _both(graph))),
            (Kind.LOOP, _loop(graph)),
            (Kind.PARALLEL, _parallel(graph, _both(graph) | graph.either)),
            (Kind.PARALLEL, _parallel(graph, unchained(graph))),
        )
        if len(parts) > 1
    ]
    return list(dict.fromkeys(found))


def _digraph(graph: Follows) -> nx.DiGraph[int]:
    digraph: nx.DiGraph[int] = nx.DiGraph()
    digraph.add_nodes_from(graph.keys)
    digraph.add_edges_from(graph.pairs)
    return digraph


def components(keys: Iterable[int], pairs: Iterable[tuple[int, int]]) -> list[set[int]]:
    """Return the connected components of keys, the one with the smallest key first."""
    joined: nx.Graph[int] = nx.Graph()
    joined.add_nodes_from(keys)
    joined.add_edges_from(pairs)
    return sorted(nx.connected_components(joined), key=min)


def _choice(graph: Follows) -> list[set[int]]:
    return components(graph.keys, graph.pairs)


def _sequence(graph: Follows) -> list[set[int]]:
    """Keys that reach each other, or neither the other, are one part; the rest is in order."""
    digraph = _digraph(graph)
    reach = {key: nx.descendants(digraph, key) for key in graph.keys}
    same = [(a, b) for a in graph.keys for b in graph.keys if a < b and (b in reach[a]) == (a in reach[b])]
    parts = components(graph.keys, same)
    while True:
        merged = _merged_sequence(parts, reach)
        if len(merged) == len(parts):
            break
        parts = merged
    return sorted(parts, key=lambda part: sum(min(other) in reach[min(part)] for other in parts if other != part))[::-1]


def _merged_sequence(parts: list[set[int]], reach: dict[int, set[int]]) -> list[set[int]]:
    """Join parts between which not every key of the one reaches every key of the other."""
    numbers = range(len(parts))
    pairs = [
        (i, j)
        for i in numbers
        for j in numbers
        if i < j
        and not all(b in reach[a] for a in parts[i] for b in parts[j])
        and not all(b in reach[a] for a in parts[j] for b in parts[i])
    ]
    return [set().union(*(parts[number] for number in group)) for group in components(numbers, pairs)]


def _both(graph: Follows) -> frozenset[tuple[int, int]]:
    return frozenset((a, b) for a, b in graph.pairs if (b, a) in graph.pairs)


def unchained(graph: Follows) -> frozenset[tuple[int, int]]:
    """Return the pairs that may be in parallel, where too few runs were seen to have every pair both ways round.

    >>> sorted(unchained(follows({(1, 2, 3): 1, (1, 3): 1, (2, 3): 1}, 0)))
    []
    """
    pairs = {(a, b) for a in graph.keys for b in graph.keys if a != b}
    return frozenset(pairs - {(b, a) for a, b in graph.chained} - graph.chained) | graph.either


def _parallel(graph: Follows, both: frozenset[tuple[int, int]]) -> list[set[int]]:
    """Keys that do not follow each other both ways are one part; each part must begin and end runs."""
    apart = [(a, b) for a in graph.keys for b in graph.keys if a < b and not ((a, b) in both and (b, a) in both)]
    parts = components(graph.keys, apart)
    whole = [part for part in parts if part & graph.starts and part & graph.ends]
    if not whole:
        return []
    for part in parts:
        if part not in whole:  # it goes with those that it keeps an order to
            order = [sum((a, b) not in graph.either for a in part for b in other) / len(other) for other in whole]
            whole[order.index(max(order))] |= part
    return sorted(whole, key=min)


def _loop(graph: Follows) -> list[set[int]]:
    """The body holds what begins and ends runs; what leads only from its ends to its starts comes between rounds."""
    body = set(graph.starts | graph.ends)
    inner = [(a, b) for a, b in graph.pairs if a not in body and b not in body]
    between: list[set[int]] = []
    for part in components([key for key in graph.keys if key not in body], inner):
        if _is_between(part, graph):
            between.append(part)
        else:
            body |= part
    return [body, set().union(*between)] if between else []


def _is_between(part: set[int], graph: Follows) -> bool:
    into = {(a, b) for a, b in graph.pairs if a not in part and b in part}
    out = {(a, b) for a, b in graph.pairs if a in part and b not in part}
    first, last = {b for _, b in into}, {a for a, _ in out}
    return (
        bool(into and out)
        and {a for a, _ in into} == graph.ends
        and {b for _, b in out} == graph.starts
        and all((a, b) in into for a in graph.ends for b in first)
        and all((a, b) in out for a in last for b in graph.starts)
    )


def split(runs: Runs, cut: Cut) -> list[Counter[Run]]:
    """Split runs along a cut: the runs of each part, with their counts; what does not fit a part is left out of it.

    A run with a key that no part has is left out whole.

    >>> [dict(part) for part in split({(1, 2, 1): 5}, Cut(Kind.LOOP, (frozenset({1}), frozenset({2}))))]
    [{(1,): 10}, {(2,): 5}]
    """
    place = {key: number for number, part in enumerate(cut.parts) for key in part}
    found: list[Counter[Run]] = [Counter() for _ in cut.parts]
    cutter = {Kind.CHOICE: _by_choice, Kind.SEQUENCE: _in_order, Kind.PARALLEL: _alongside, Kind.LOOP: _in_rounds}
    for run, count in runs.items():
        if not place.keys() >= set(run):
            continue
        for number, piece in cutter[cut.kind](run, place, len(cut.parts)):
            found[number][piece] += count
    return found


def _by_choice(run: Run, place: Mapping[int, int], parts: int) -> Iterable[tuple[int, Run]]:
    counted = Counter(place[key] for key in run)
    if counted:
        best = max(range(parts), key=lambda part: counted[part])
        yield best, tuple(key for key in run if place[key] == best)


def _alongside(run: Run, place: Mapping[int, int], parts: int) -> Iterable[tuple[int, Run]]:
    for part in range(parts):
        yield part, tuple(key for key in run if place[key] == part)


def _in_order(run: Run, place: Mapping[int, int], parts: int) -> Iterable[tuple[int, Run]]:
    turns = [place[key] for key in run]
    if any(a > b for a, b in pairwise(turns)):
        turns = _nearest_order(turns, parts)
    pieces: list[list[int]] = [[] for _ in range(parts)]
    for key, turn in zip(run, turns, strict=True):
        if turn == place[key]:
            pieces[turn].append(key)
    return [(part, tuple(piece)) for part, piece in enumerate(pieces)]


def _nearest_order(turns: Sequence[int], parts: int) -> list[int]:
    """The rising sequence of parts that differs from the given one in the fewest places."""
    cost = [[0] * parts]
    for turn in turns:
        before = cost[-1]
        best, row = before[0], []
        for part in range(parts):
            best = min(best, before[part])
            row.append(best + (turn != part))
        cost.append(row)
    part = min(range(parts), key=cost[-1].__getitem__)
    found = []
    for place in range(len(turns) - 1, -1, -1):
        found.append(part)
        part = min(range(part + 1), key=lambda other: (cost[place][other], -other))
    return found[::-1]


def _in_rounds(run: Run, place: Mapping[int, int], _: int) -> Iterable[tuple[int, Run]]:
    piece: list[int] = []
    turn = 0
    for key in run:
        if place[key] != turn:
            yield turn, tuple(piece)
            piece, turn = [], place[key]
        piece.append(key)
    yield turn, tuple(piece)
    if turn:  # a loop ends with its body
        yield 0, ()
