"""Graphs of neighbours and cuts read off runs the obvious way, with sets of pairs. Slow; the truth for their tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tests.naive_tasks import groups

from offscript.workflow.seen import CHAINED, noise

Run = tuple[int, ...]
Pairs = set[tuple[int, int]]
Parts = list[set[int]]
EDGE = -1
"""Stands before the first key of a run and after its last one."""


@dataclass
class Graph:
    """What `Follows` holds, as sets of keys and of pairs; `apart` are the pairs that no run has."""

    keys: list[int]
    pairs: Pairs
    starts: set[int]
    ends: set[int]
    either: Pairs
    apart: Pairs
    chained: Pairs


def graph_of(runs: Mapping[Run, int], rare: float) -> Graph:
    """Read the graph off runs, one run and one pair after another."""
    pairs: Counter[tuple[int, int]] = Counter()
    orders: Counter[tuple[int, int]] = Counter()
    having: Counter[int] = Counter()
    for run, count in runs.items():
        for pair in pairwise((EDGE, *run, EDGE)) if run else ():
            pairs[pair] += count
        distinct = list(dict.fromkeys(run))
        for place, key in enumerate(distinct):
            having[key] += count
            for later in distinct[place + 1 :]:
                orders[key, later] += count
    keys = sorted(having)
    both = {(a, b): orders[a, b] + orders[b, a] for a in keys for b in keys if a != b}
    apart = {(a, b) for (a, b), count in both.items() if count <= noise(rare, min(having[a], having[b]))}
    least = {
        (a, b): min(max(n for (c, _), n in pairs.items() if c == a), max(n for (_, c), n in pairs.items() if c == b))
        for a, b in pairs
    }
    often = {pair for pair, count in pairs.items() if count > noise(rare, least[pair])} - apart
    chained = {pair for pair, count in pairs.items() if EDGE not in pair and count > CHAINED * least[pair]}
    either = {(a, b) for (a, b), n in both.items() if orders[a, b] and orders[b, a]}
    either = {(a, b) for a, b in either if min(orders[a, b], orders[b, a]) > noise(rare, both[a, b])}
    return Graph(
        keys,
        {pair for pair in often if EDGE not in pair},
        {after for before, after in often if before == EDGE},
        {before for before, after in often if after == EDGE},
        either - apart,
        apart,
        chained | apart,
    )


def cuts_of(graph: Graph) -> list[tuple[str, tuple[frozenset[int], ...]]]:
    """The cuts that hold: a choice or a sequence alone; else all that are possible."""
    if len(graph.keys) < 2:
        return []
    for kind, parts in (("choice", joined(graph.keys, graph.pairs)), ("sequence", sequence_of(graph))):
        if len(parts) > 1:
            return [(kind, tuple(map(frozenset, parts)))]
    both = {(a, b) for a, b in graph.pairs if (b, a) in graph.pairs}
    free = {(a, b) for a in graph.keys for b in graph.keys if a != b} - graph.chained
    free = {(a, b) for a, b in free if (b, a) not in graph.chained} | graph.either
    found = [
        (kind, tuple(map(frozenset, parts)))
        for kind, parts in (
            ("parallel", parallel_of(graph, both)),
            ("loop", loop_of(graph)),
            ("parallel", parallel_of(graph, both | graph.either)),
            ("parallel", parallel_of(graph, free)),
        )
        if len(parts) > 1
    ]
    return list(dict.fromkeys(found))


def joined(keys: Iterable[int], pairs: Iterable[tuple[int, int]]) -> Parts:
    """The parts that pairs hold together, the one with the smallest key first."""
    some = sorted(keys)
    place = {key: number for number, key in enumerate(some)}
    held = groups(len(some), [(place[a], place[b]) for a, b in pairs])
    return sorted(({some[number] for number in group} for group in held), key=min)


def sequence_of(graph: Graph) -> Parts:
    """Keys that reach each other, or neither the other, are one part; so are parts that are not wholly in order."""
    reach = set(graph.pairs)
    while more := {(a, d) for a, b in reach for c, d in reach if b == c} - reach:
        reach |= more
    keys = graph.keys
    parts = joined(keys, [(a, b) for a in keys for b in keys if a < b and ((a, b) in reach) == ((b, a) in reach)])
    while True:
        numbers = range(len(parts))
        mixed = [
            (i, j)
            for i in numbers
            for j in numbers
            if i < j
            and not all((a, b) in reach for a in parts[i] for b in parts[j])
            and not all((b, a) in reach for a in parts[i] for b in parts[j])
        ]
        if not mixed:
            break
        parts = [set[int]().union(*(parts[number] for number in some)) for some in joined(numbers, mixed)]
    return sorted(parts, key=lambda part: -sum((min(part), min(other)) in reach for other in parts if other != part))


def parallel_of(graph: Graph, both: Pairs) -> Parts:
    """Keys that do not follow each other both ways are one part; each part must begin and end runs."""
    keys = graph.keys
    parts = joined(keys, [(a, b) for a in keys for b in keys if a < b and not {(a, b), (b, a)} <= both])
    whole = [part for part in parts if part & graph.starts and part & graph.ends]
    for part in [part for part in parts if part not in whole]:
        if whole:
            kept = [sum((a, b) not in graph.either for a in part for b in other) / len(other) for other in whole]
            whole[kept.index(max(kept))] |= part
    return sorted(whole, key=min)


def loop_of(graph: Graph) -> Parts:
    """The body holds what begins and ends runs; what leads only from its ends to its starts comes between rounds."""
    body = graph.starts | graph.ends
    rest = [key for key in graph.keys if key not in body]
    between: set[int] = set()
    for part in joined(rest, [(a, b) for a, b in graph.pairs if a in rest and b in rest]):
        into = {(a, b) for a, b in graph.pairs if a not in part and b in part}
        out = {(a, b) for a, b in graph.pairs if a in part and b not in part}
        whole_in = {(a, b) for a in graph.ends for _, b in into}
        whole_out = {(a, b) for a, _ in out for b in graph.starts}
        if into and out and into == whole_in and out == whole_out:
            between |= part
    return [set(graph.keys) - between, between] if between else []


def one_mistake_away(run: Run) -> set[Run]:
    """The runs with an entry less, or two neighbours changed."""
    less = {run[:place] + run[place + 1 :] for place in range(len(run))}
    changed = {(*run[:at], run[at + 1], run[at], *run[at + 2 :]) for at in range(len(run) - 1)}
    return less | changed


def plausible_of(runs: Mapping[Run, int], rare: float) -> dict[Run, int]:
    """The runs that commoner ones, one mistake away, do not explain."""
    return {
        run: count
        for run, count in runs.items()
        if count
        > noise(
            rare,
            sum(
                there
                for other, there in runs.items()
                if there > count and (other in one_mistake_away(run) or run in one_mistake_away(other))
            ),
        )
    }
