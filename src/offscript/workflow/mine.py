"""From the normal sessions of a task to its tree (after Leemans, Fahland and van der Aalst 2013-2014; own words).

Runs are cut into parts again and again until single keys are left. Where no cut holds, a looser one is looked for that
still tells runs apart. How rare is noise is not known beforehand: a tree is mined for each of several answers, and the
one that describes the sessions shortest is taken (`length.described`). No run that is not noise is lost by a cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from offscript.workflow.cuts import Cut, Follows, Run, Runs, find_cuts, follows, split
from offscript.workflow.length import described
from offscript.workflow.machine import Machine
from offscript.workflow.tree import Kind, Tree, choice, loop, parallel, skip, step

RARE = (0.0, 0.01, 0.03, 0.1)
"""Shares below which a pair of neighbours is taken for noise, each tried: none; a mistake at one place of one in a
hundred sessions; of 3%; and of 10%, in a part that few sessions reach. Three steps of a factor of three."""


def mine(runs: Mapping[Run, int], rare: tuple[float, ...] = RARE) -> Tree:
    """Return the tree that describes distinct runs with their counts shortest, of one mined for each share in `rare`.

    >>> print(mine({(1, 2, 3, 4): 20, (1, 3, 2, 4): 20, (1, 3, 3, 2, 4): 20}))
    →(1, ∧(2, ↺(3, τ)), 4)
    """
    trees = [Miner(share).tree(runs) for share in rare]
    return shortest(trees, runs)


def shortest(trees: Iterable[Tree], runs: Runs) -> Tree:
    """Return the tree that describes the runs shortest; the first of equals."""
    distinct = list(dict.fromkeys(trees))
    return min(distinct, key=lambda tree: described(tree, runs)) if len(distinct) > 1 else distinct[0]


LOOSE = 2
"""How many unsure cuts may lie within each other before only the surest is followed: each doubles the work or more,
and a loop in a parallel part of a loop is as much as a task has."""


class Miner:
    """Cuts runs into parts until single keys are left; what is below the share `rare` is noise."""

    def __init__(self, rare: float) -> None:
        self._rare = rare
        self._left = LOOSE
        self._known: dict[tuple[int, frozenset[tuple[Run, int]]], Tree] = {}

    def tree(self, runs: Runs) -> Tree:
        """Return the tree of runs; the same runs are asked for again and again, and remembered."""
        name = self._left, frozenset(runs.items())
        if name not in self._known:
            self._known[name] = tidy(self._mined(Counter(runs)))
        return self._known[name]

    def _mined(self, runs: Counter[Run]) -> Tree:
        total = runs.total()
        empty = runs.pop((), 0)
        if not runs or empty >= (1 - self._rare) * total > 0:
            return skip()
        if empty > self._rare * total:
            return choice(skip(), self.tree(runs))
        keys = {key for run in runs for key in run}
        if len(keys) == 1:
            return self._single(keys.pop(), runs)
        graph = follows(runs, self._rare)
        cuts = find_cuts(graph)
        if cuts and cuts[0].kind in (Kind.CHOICE, Kind.SEQUENCE):
            return self._assembled(cuts[0], runs)
        if cuts and not self._left:
            return self._assembled(cuts[0], runs)
        return self._loosely(runs, graph, cuts)

    def _loosely(self, runs: Counter[Run], graph: Follows, cuts: list[Cut]) -> Tree:
        flower = loop(choice(*(step(key) for key in graph.keys)), skip())
        if not self._left:
            return next(chain(self._repeated(runs), self._rounds(runs, graph), [flower]))
        self._left -= 1
        trees = [self._assembled(cut, runs) for cut in cuts]
        trees += self._repeated(runs)
        trees += self._separated(runs, graph)
        if not cuts:
            trees += [*self._rounds(runs, graph), *self._beside_rest(runs, graph)]
        self._left += 1
        return shortest([*trees, flower], runs)

    def _single(self, key: int, runs: Counter[Run]) -> Tree:
        often = sum(count for run, count in runs.items() if len(run) > 1)
        return loop(step(key), skip()) if often > self._rare * runs.total() else step(key)

    def _assembled(self, cut: Cut, runs: Counter[Run]) -> Tree:
        return Tree(cut.kind, 0, tuple(self.tree(part) for part in split(runs, cut)))

    # Where no cut is sure, looser ways.

    def _beside_rest(self, runs: Counter[Run], graph: Follows) -> Iterator[Tree]:
        """A key that comes just once in each run, or without which the rest has a cut, is in parallel to the rest."""
        enough = (1 - self._rare) * runs.total()
        for key in graph.keys:
            is_once = sum(count for run, count in runs.items() if run.count(key) == 1) >= enough
            if is_once or find_cuts(follows(_without(runs, key), self._rare)):
                yield parallel(self.tree(_only(runs, key)), self.tree(_without(runs, key)))

    def _rounds(self, runs: Counter[Run], graph: Follows) -> Iterator[Tree]:
        """Runs cut where an end meets a start, or before each start, are rounds of a loop."""
        for ends in (graph.ends, frozenset(graph.keys)):
            yield from self._loop(runs, [_cut_between(run, ends, graph.starts) for run in runs])

    def _repeated(self, runs: Counter[Run]) -> Iterator[Tree]:
        """Runs cut before a key that the round has already."""
        yield from self._loop(runs, [_cut_at_repeats(run) for run in runs])

    def _loop(self, runs: Counter[Run], cut: list[list[Run]]) -> Iterator[Tree]:
        rounds: Counter[Run] = Counter()
        for pieces, count in zip(cut, runs.values(), strict=True):
            for piece in pieces:
                rounds[piece] += count
        if rounds.total() > (1 + self._rare) * runs.total() and rounds.keys() != runs.keys():
            yield loop(self.tree(rounds), skip())

    def _separated(self, runs: Counter[Run], graph: Follows) -> Iterator[Tree]:
        """A key that comes between rounds, some of which may be empty."""
        for key in graph.keys:
            body, between = _cut_at(runs, key)
            if (key in graph.starts or key in graph.ends) and between > (1 + self._rare) * runs.total():
                yield loop(self.tree(body), step(key))


def _without(runs: Counter[Run], key: int) -> Counter[Run]:
    found: Counter[Run] = Counter()
    for run, count in runs.items():
        found[tuple(other for other in run if other != key)] += count
    return found


def _only(runs: Counter[Run], key: int) -> Counter[Run]:
    found: Counter[Run] = Counter()
    for run, count in runs.items():
        found[(key,) * run.count(key)] += count
    return found


def _cut_at(runs: Counter[Run], key: int) -> tuple[Counter[Run], int]:
    """The pieces between the occurrences of a key, and how many these are."""
    body: Counter[Run] = Counter()
    between = 0
    for run, count in runs.items():
        places = [place for place, other in enumerate(run) if other == key]
        between += count * len(places)
        for begin, end in zip([0, *(place + 1 for place in places)], [*places, len(run)], strict=True):
            body[run[begin:end]] += count
    return body, between


def _cut_between(run: Run, ends: frozenset[int], starts: frozenset[int]) -> list[Run]:
    return _pieces(run, [place for place in range(1, len(run)) if run[place - 1] in ends and run[place] in starts])


def _cut_at_repeats(run: Run) -> list[Run]:
    met: set[int] = set()
    places = []
    for place, key in enumerate(run):
        if key in met:
            places.append(place)
            met = set()
        met.add(key)
    return _pieces(run, places)


def _pieces(run: Run, places: list[int]) -> list[Run]:
    return [run[begin:end] for begin, end in zip([0, *places], [*places, len(run)], strict=True)]


def tidy(tree: Tree) -> Tree:
    """The same runs, said with fewer parts: parts within parts of a kind, skips where they say nothing."""
    if not tree.parts:
        return tree
    parts = [tidy(part) for part in tree.parts]
    if tree.kind is Kind.LOOP:
        return _tidy_loop(*parts)
    flat = [inner for part in parts for inner in (part.parts if part.kind is tree.kind else (part,))]
    if tree.kind is Kind.CHOICE:
        flat = list(dict.fromkeys(flat))
        full = [part for part in flat if part.kind is not Kind.SKIP]
        if full != flat and any(map(may_be_nothing, full)):
            flat = full
    else:
        flat = [part for part in flat if part.kind is not Kind.SKIP]
    if not flat:
        return skip()
    return flat[0] if len(flat) == 1 else Tree(tree.kind, 0, tuple(flat))


def _tidy_loop(body: Tree, again: Tree) -> Tree:
    if body.kind is Kind.SKIP and again.kind is Kind.SKIP:
        return skip()
    if again.kind is Kind.SKIP and body.kind is Kind.LOOP and may_be_nothing(body.parts[1]):
        return body
    return loop(body, again)


def may_be_nothing(tree: Tree) -> bool:
    """Whether the tree has a run without a key."""
    return Machine(tree).accepts(())
