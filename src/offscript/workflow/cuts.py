"""Where the runs of a task fall into parts: by choice, in sequence, in parallel, or in rounds.

The cuts of the inductive miner (Leemans, Fahland and van der Aalst 2013, 2014), written from their definitions: a cut
is read off the graph of which key directly follows which, and the runs are split along it, so that each part can be
mined alone. What is rare on both sides is left out of the graph, not out of the runs (ours).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_

from offscript.workflow.seen import Follows, Run, Runs, places
from offscript.workflow.tree import Kind


@dataclass(frozen=True, slots=True)
class Cut:
    """How runs fall apart: `parts` are sets of keys, in their order for a sequence; the body first for a loop."""

    kind: Kind
    parts: tuple[frozenset[int], ...]


def find_cuts(graph: Follows) -> list[Cut]:
    """Return the cuts that hold: a choice or a sequence alone, for nothing is lost by it; else all that are possible.

    >>> from offscript.workflow.seen import follows
    >>> find_cuts(follows({(1, 2, 3): 1, (1, 3, 2): 1}, 0))
    [Cut(kind=<Kind.SEQUENCE: 'sequence'>, parts=(frozenset({1}), frozenset({2, 3})))]
    """
    if len(graph.keys) < 2:
        return []
    for kind, way in ((Kind.CHOICE, _choice), (Kind.SEQUENCE, _sequence)):
        parts = way(graph)
        if len(parts) > 1:
            return [cut_of(kind, parts, graph)]
    both = [after & before for after, before in zip(graph.after, graph.before, strict=True)]
    found = [
        cut_of(kind, parts, graph)
        for kind, parts in (
            (Kind.PARALLEL, _parallel(graph, both)),
            (Kind.LOOP, _loop(graph)),
            (Kind.PARALLEL, _parallel(graph, list(map(or_, both, graph.either)))),
            (Kind.PARALLEL, _parallel(graph, unchained(graph))),
        )
        if len(parts) > 1
    ]
    return list(dict.fromkeys(found))


def cut_of(kind: Kind, parts: Iterable[int], graph: Follows) -> Cut:
    """Return a cut with the keys of parts that are sets of their places."""
    return Cut(kind, tuple(map(graph.named, parts)))


def components(joined: Sequence[int], among: int = -1) -> list[int]:
    """Return the connected components of keys as sets of their places, the one with the first key first.

    `joined` are for each key the keys it is joined with, both ways; `among` are those looked at, all unless told.

    >>> components([0b100, 0, 0b001])
    [5, 2]
    """
    left = among & ((1 << len(joined)) - 1)
    found = []
    while left:
        part = new = left & -left
        while new:
            lowest = new & -new
            more = joined[lowest.bit_length() - 1] & left & ~part
            part |= more
            new = new ^ lowest | more
        found.append(part)
        left &= ~part
    return found


def reach(after: Sequence[int]) -> list[int]:
    """Return for each key the keys reached from it (Warshall 1962).

    >>> reach([0b010, 0b100, 0])
    [6, 4, 0]
    """
    found = list(after)
    for middle in range(len(found)):
        beyond = found[middle]
        for place, some in enumerate(found):
            if some >> middle & 1:
                found[place] = some | beyond
    return found


def _flooded(after: Sequence[int]) -> int:
    """The first key, and all that is reached from it."""
    found = new = 1
    while new:
        lowest = new & -new
        more = after[lowest.bit_length() - 1] & ~found
        found |= more
        new = new ^ lowest | more
    return found


def others(some: Sequence[int]) -> list[int]:
    """Return for each key all keys but itself and those of its set."""
    every = (1 << len(some)) - 1
    return [every & ~(here | 1 << place) for place, here in enumerate(some)]


def _choice(graph: Follows) -> list[int]:
    return components(list(map(or_, graph.after, graph.before)))


def _sequence(graph: Follows) -> list[int]:
    """Keys that reach each other, or neither the other, are one part; the rest is in order."""
    every = (1 << len(graph.keys)) - 1
    if _flooded(graph.after) == _flooded(graph.before) == every:  # all reach each other
        return [every]
    reached = reach(graph.after)
    parts = components(others([one ^ other for one, other in zip(reached, reach(graph.before), strict=True)]))
    while len(parts) > 1:
        beyond = [reduce(and_, (reached[place] for place in places(part))) for part in parts]
        merged = _merged_sequence(parts, beyond)
        if len(merged) == len(parts):
            break
        parts = merged
    first = [part & -part for part in parts]
    after = [sum(reached[one.bit_length() - 1] & other > 0 for other in first if other != one) for one in first]
    return [parts[number] for number in sorted(range(len(parts)), key=after.__getitem__)[::-1]]


def _merged_sequence(parts: list[int], beyond: list[int]) -> list[int]:
    """Join parts between which not every key of the one reaches every key of the other."""
    keep = [
        sum(
            (not other & ~here or not part & ~there) << number
            for number, (other, there) in enumerate(zip(parts, beyond, strict=True))
        )
        for part, here in zip(parts, beyond, strict=True)
    ]
    return joined_up(parts, others(keep))


def joined_up(parts: Sequence[int], joined: Sequence[int]) -> list[int]:
    """Return the parts that are joined as one; `joined` are for each part the numbers of others, as a set."""
    return [reduce(or_, (parts[number] for number in places(group))) for group in components(joined)]


def unchained(graph: Follows) -> list[int]:
    """Return what may be in parallel to each key, where too few runs were seen to have every pair both ways round.

    >>> from offscript.workflow.seen import follows
    >>> unchained(follows({(1, 2, 3): 1, (1, 3): 1, (2, 3): 1}, 0))
    [0, 0, 0]
    """
    return list(map(or_, others(graph.chained), graph.either))


def _parallel(graph: Follows, both: Sequence[int]) -> list[int]:
    """Keys that do not follow each other both ways are one part; each part must begin and end runs."""
    parts = components(others(both))
    whole = [part for part in parts if part & graph.starts and part & graph.ends]
    if not whole or len(parts) == 1:
        return []
    for part in parts:
        if not (part & graph.starts and part & graph.ends):  # it goes with those that it keeps an order to
            kept = [
                sum((other & ~graph.either[place]).bit_count() for place in places(part)) / other.bit_count()
                for other in whole
            ]
            whole[kept.index(max(kept))] |= part
    return sorted(whole, key=lambda part: part & -part)


def _loop(graph: Follows) -> list[int]:
    """The body holds what begins and ends runs; what leads only from its ends to its starts comes between rounds."""
    body = graph.starts | graph.ends
    between = 0
    for part in components(list(map(or_, graph.after, graph.before)), ~body):
        if _is_between(part, graph):
            between |= part
        else:
            body |= part
    return [body, between] if between else []


def _is_between(part: int, graph: Follows) -> bool:
    inside = list(places(part))
    before = reduce(or_, (graph.before[place] for place in inside)) & ~part
    after = reduce(or_, (graph.after[place] for place in inside)) & ~part
    if not (before and after and before == graph.ends and after == graph.starts):
        return False
    into = [graph.before[place] & ~part for place in inside]
    out = [graph.after[place] & ~part for place in inside]
    return all(some in (0, graph.ends) for some in into) and all(some in (0, graph.starts) for some in out)


def split(runs: Runs, cut: Cut) -> list[Counter[Run]]:
    """Split runs along a cut: the runs of each part, with their counts; what does not fit a part is left out of it.

    A run with a key that no part has is left out whole.

    >>> [dict(part) for part in split({(1, 2, 1): 5}, Cut(Kind.LOOP, (frozenset({1}), frozenset({2}))))]
    [{(1,): 10}, {(2,): 5}]
    """
    place = {key: number for number, part in enumerate(cut.parts) for key in part}
    found: list[dict[Run, int]] = [{} for _ in cut.parts]
    cutter = {Kind.CHOICE: _by_choice, Kind.SEQUENCE: _in_order, Kind.PARALLEL: _alongside, Kind.LOOP: _in_rounds}
    for run, count in runs.items():
        if not place.keys() >= set(run):
            continue
        for number, piece in cutter[cut.kind](run, place, len(cut.parts)):
            found[number][piece] = found[number].get(piece, 0) + count
    return list(map(Counter, found))


def _by_choice(run: Run, place: Mapping[int, int], parts: int) -> Iterable[tuple[int, Run]]:
    counted = Counter(place[key] for key in run)
    if counted:
        best = max(range(parts), key=lambda part: counted[part])
        yield best, tuple([key for key in run if place[key] == best])


def _alongside(run: Run, place: Mapping[int, int], parts: int) -> Iterable[tuple[int, Run]]:
    for part in range(parts):
        yield part, tuple([key for key in run if place[key] == part])


def _in_order(run: Run, place: Mapping[int, int], parts: int) -> Iterable[tuple[int, Run]]:
    turns = [place[key] for key in run]
    if turns != sorted(turns):
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
