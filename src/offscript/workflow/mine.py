"""From the normal sessions of a task to its tree (after Leemans, Fahland and van der Aalst 2013-2014; own words).

Runs are cut into parts again and again until single keys are left. Where no cut holds, a looser one is looked for that
still tells runs apart. How rare is noise is not known beforehand: a tree is mined for each of several answers, and the
one that describes the sessions shortest is taken (`length.described`). No run that is not noise is lost by a cut.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

from offscript.workflow.cuts import Cut, Follows, Run, Runs, find_cuts, follows, split
from offscript.workflow.doubles import put_together, told_apart
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
    bits: dict[Tree, float] = {}
    shares: dict[Tree, float] = {}
    drafts = {share: described(Miner(share, 0).tree(runs), runs, laid=True) for share in rare}
    for share in sorted(rare, key=drafts.__getitem__)[:DEEPER]:
        tree = _miner(share, runs).tree(runs)
        shares.setdefault(tree, share)
        bits[tree] = bits.get(tree) or described(tree, runs, laid=True)
    best = min(bits, key=bits.__getitem__)
    apart = told_apart(runs)
    if apart:
        renamed, keys = apart
        for share in {shares[best], max(rare)}:
            tree = tidy(put_together(_miner(share, renamed).tree(renamed), keys))
            bits[tree] = bits.get(tree) or described(tree, runs, laid=True)
    return min(bits, key=bits.__getitem__)


def _miner(rare: float, runs: Runs) -> Miner:
    return Miner(rare, LOOSE if len(runs) <= MANY else 1)


def shortest(trees: Iterable[Tree], runs: Runs) -> Tree:
    """Return the tree that describes the runs shortest; the first of equals."""
    distinct = list(dict.fromkeys(trees))
    return min(distinct, key=lambda tree: described(tree, runs)) if len(distinct) > 1 else distinct[0]


SURE = (Kind.CHOICE, Kind.SEQUENCE)
"""Cuts that lose nothing, if what they were read off is right."""

Way: TypeAlias = Callable[[Runs], Tree]
"""What runs may be: gives their tree when asked for."""

Cutter: TypeAlias = Callable[[Run], list[Run]]
"""Cuts a run into pieces."""

LOOSE = 2
"""How many unsure cuts may lie within each other before the first that holds is taken without comparing: a loop in a
parallel part of a loop is as much as a task has, and each more doubles the work."""

MANY = 500
"""Distinct runs beyond which unsure cuts are compared only where they do not lie within each other."""

DEEPER = 2
"""Unsure cuts, and shares of noise, that are followed to the end: those best when nothing below them is compared."""

LOOSER = (0.05, 0.15)
"""Shares tried at a part that has no sure cut, where there is noise: what is seldom there may hold in the whole."""

SELDOM = 0.1
"""Part of such a share at which a key itself is noise: three sessions in a hundred at the most."""

DRAFTED = 100
"""Distinct runs, the commonest ones, by which unsure cuts are looked for, and compared at first."""

AT_ONCE = 2
"""Equal keys in a row that are kept while cutting: to be repeated is all a cut can see."""


class Miner:
    """Cuts runs into parts until single keys are left; what is below the share `rare` is noise."""

    def __init__(self, rare: float, loose: int = LOOSE) -> None:
        self._rare = rare
        self._left = loose
        self._known: dict[tuple[int, frozenset[tuple[Run, int]]], Tree] = {}

    def tree(self, runs: Runs) -> Tree:
        """Return the tree of runs; the same runs are asked for again and again, and remembered."""
        name = self._left, frozenset(runs.items())
        if name not in self._known:
            self._known[name] = tidy(self._mined(_shortened(runs)))
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
        if cuts and cuts[0].kind in SURE:
            return self._assembled(cuts[0], runs)
        repeated = _repeated(runs, self._rare)
        sure = _beside_loops(cuts, repeated)
        if sure:
            return self._assembled(sure, runs)
        some = Counter(dict(runs.most_common(DRAFTED)))
        ways = self._ways(some, graph, cuts)
        if not self._left:
            return next(ways)(runs)
        return self._compared(runs, some, list(ways))

    def _compared(self, runs: Counter[Run], some: Counter[Run], ways: list[Way]) -> Tree:
        """The best of the unsure ways: all are tried in short, the most promising in full."""
        left = self._left
        self._left = 0
        drafts = [described(tidy(way(some)), some) for way in ways]
        self._left = left - 1
        best = sorted(range(len(ways)), key=drafts.__getitem__)[:DEEPER]
        trees = [tidy(ways[number](runs)) for number in best]
        self._left = left
        return shortest(trees, runs)

    def _ways(self, runs: Counter[Run], graph: Follows, cuts: list[Cut]) -> Iterator[Way]:
        """What the runs may be where no cut is sure, in the order of how much each says; a flower at the last."""
        for cut in cuts:
            yield partial(self._assembled, cut)
        yield from self._looser(runs)
        if _repeated(runs, self._rare):
            yield from self._rounds(runs, graph)
            yield from self._separated(runs, graph)
        if not cuts:
            yield from self._beside_rest(runs, graph)
        flower = loop(choice(*map(step, graph.keys)), skip())
        yield lambda _: flower

    def _looser(self, runs: Counter[Run]) -> Iterator[Way]:
        """Where more is taken for noise: sessions with keys that hardly any has, neighbours that seldom are."""
        for share in LOOSER:
            if not 0 < self._rare < share:
                continue
            few = _seldom(runs, share * SELDOM)
            if few:
                yield partial(self._less, few)
            cuts = find_cuts(follows(runs, share))
            if cuts and cuts[0].kind in SURE:
                yield partial(self._assembled, cuts[0])

    def _less(self, few: frozenset[int], runs: Runs) -> Tree:
        return self.tree({run: count for run, count in runs.items() if few.isdisjoint(run)})

    def _single(self, key: int, runs: Counter[Run]) -> Tree:
        often = sum(count for run, count in runs.items() if len(run) > 1)
        return loop(step(key), skip()) if often > self._rare * runs.total() else step(key)

    def _assembled(self, cut: Cut, runs: Runs) -> Tree:
        parts = split(runs, cut)
        if cut.kind is Kind.CHOICE:  # a branch that hardly any run takes is noise too
            least = self._rare * SELDOM * sum(part.total() for part in parts)
            parts = [part for part in parts if part.total() > least]
        return Tree(cut.kind, 0, tuple(map(self.tree, parts)))

    def _beside_rest(self, runs: Counter[Run], graph: Follows) -> Iterator[Way]:
        """A key that comes just once in each run, or without which the rest has a cut, is in parallel to the rest."""
        enough = (1 - self._rare) * runs.total()
        for key in graph.keys:
            is_once = sum(count for run, count in runs.items() if run.count(key) == 1) >= enough
            if is_once or find_cuts(follows(_without(runs, key), self._rare)):
                yield partial(self._beside, key)

    def _beside(self, key: int, runs: Runs) -> Tree:
        return parallel(self.tree(_only(runs, key)), self.tree(_without(runs, key)))

    def _rounds(self, runs: Counter[Run], graph: Follows) -> Iterator[Way]:
        """Runs that are rounds of a loop.

        Cut every so many keys, before a key that the round has already, where an end meets a start, at each start.
        """
        even = math.gcd(*map(len, runs))
        cutters: list[Cutter] = [
            partial(_cut_evenly, even=even),
            _cut_at_repeats,
            partial(_cut_between, ends=graph.ends, starts=graph.starts),
            partial(_cut_between, ends=frozenset(graph.keys), starts=graph.starts),
        ]
        met: list[Counter[Run]] = [runs]
        for cutter in cutters[even == 1 :]:
            rounds = _cut_up(runs, cutter)
            if rounds.total() > (1 + self._rare) * runs.total() and rounds not in met:
                met.append(rounds)
                yield partial(self._again, cutter)

    def _again(self, cutter: Cutter, runs: Runs) -> Tree:
        return loop(self.tree(_cut_up(runs, cutter)), skip())

    def _separated(self, runs: Counter[Run], graph: Follows) -> Iterator[Way]:
        """A key that comes between rounds, some of which may be empty."""
        for key in graph.keys:
            between = sum(count * run.count(key) for run, count in runs.items())
            if (key in graph.starts or key in graph.ends) and between > (1 + self._rare) * runs.total():
                yield partial(self._with_between, key)

    def _with_between(self, key: int, runs: Runs) -> Tree:
        return loop(self.tree(_cut_up(runs, partial(_cut_out, key=key))), step(key))


def _beside_loops(cuts: list[Cut], repeated: frozenset[int]) -> Cut | None:
    """A parallel cut as far as it is sure: what is not repeated is in no loop, whatever the rest is."""
    for cut in cuts:
        once = [part for part in cut.parts if part.isdisjoint(repeated)]
        if cut.kind is Kind.PARALLEL and once:
            rest = frozenset(key for part in cut.parts if part not in once for key in part)
            return Cut(Kind.PARALLEL, (*once, rest) if rest else tuple(once))
    return None


def _repeated(runs: Runs, rare: float) -> frozenset[int]:
    """The keys that come more than once in a run, in more than this share of the runs that have them."""
    having: Counter[int] = Counter()
    again: Counter[int] = Counter()
    for run, count in runs.items():
        for key, times in Counter(run).items():
            having[key] += count
            again[key] += count * (times > 1)
    return frozenset(key for key in having if again[key] > rare * having[key])


def _seldom(runs: Counter[Run], share: float) -> frozenset[int]:
    """The keys that fewer than this share of the runs have."""
    having: Counter[int] = Counter()
    for run, count in runs.items():
        having.update(dict.fromkeys(run, count))
    return frozenset(key for key, count in having.items() if count < share * runs.total())


def _shortened(runs: Runs) -> Counter[Run]:
    """The runs with no key more than AT_ONCE times in a row."""
    found: Counter[Run] = Counter()
    for run, count in runs.items():
        short = tuple(
            key for place, key in enumerate(run) if place < AT_ONCE or run[place - AT_ONCE : place] != (key,) * AT_ONCE
        )
        found[short] += count
    return found


def _without(runs: Runs, key: int) -> Counter[Run]:
    found: Counter[Run] = Counter()
    for run, count in runs.items():
        found[tuple(other for other in run if other != key)] += count
    return found


def _only(runs: Runs, key: int) -> Counter[Run]:
    found: Counter[Run] = Counter()
    for run, count in runs.items():
        found[(key,) * run.count(key)] += count
    return found


def _cut_up(runs: Runs, cutter: Cutter) -> Counter[Run]:
    found: Counter[Run] = Counter()
    for run, count in runs.items():
        for piece in cutter(run):
            found[piece] += count
    return found


def _cut_out(run: Run, key: int) -> list[Run]:
    """The pieces between the occurrences of a key."""
    places = [place for place, other in enumerate(run) if other == key]
    return [
        run[begin:end] for begin, end in zip([0, *(place + 1 for place in places)], [*places, len(run)], strict=True)
    ]


def _cut_evenly(run: Run, even: int) -> list[Run]:
    return _pieces(run, list(range(even, len(run), even)))


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
