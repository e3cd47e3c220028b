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

from offscript.workflow.cuts import Cut, find_cuts, split
from offscript.workflow.doubles import put_together, told_apart
from offscript.workflow.kinds import separate
from offscript.workflow.length import MOST_NOISE, described
from offscript.workflow.machine import machine_of
from offscript.workflow.pieces import (
    Cutter,
    companions,
    counted,
    cut_at_repeats,
    cut_between,
    cut_evenly,
    cut_out,
    cut_up,
    cut_when_even,
    only,
    plausible,
    shortened,
    single_rounds,
    without,
)
from offscript.workflow.room import Room, sample
from offscript.workflow.seen import Follows, Run, Runs, Seen, noise
from offscript.workflow.tidy import tidy, tidy_top
from offscript.workflow.ties import by_likelihood
from offscript.workflow.tree import Kind, Tree, choice, loop, parallel, sequence, skip, step

RARE = (0.0, 0.003, 0.01, 0.03, 0.1)
"""Shares below which a pair of neighbours is taken for noise, each tried: none; a mistake at one place of three in a
thousand sessions; of 1%, 3%; and of 10%, in a part that few sessions reach. Steps of a factor of three."""


ONE_MISTAKE = 0.01
"""Share of the sessions that one and the same mistake can be in: a twentieth has any mistake, and there are four kinds.
What more of them have in common, beyond the errors of chance, is no mistake."""

FINER = 0.003
"""Share of the sessions that may be lost by telling the places of a key apart: the least share of noise tried."""


def mine(runs: Mapping[Run, int], rare: tuple[float, ...] = RARE) -> Tree:
    """Return the tree that describes distinct runs with their counts shortest, of one mined for each share in `rare`.

    >>> print(mine({(1, 2, 3, 4): 20, (1, 3, 2, 4): 20, (1, 3, 3, 2, 4): 20}))
    →(1, ∧(2, ↺(3, τ)), 4)
    """
    known: dict[Tree, float] = {}
    bits: dict[Tree, float] = {}
    shares: dict[Tree, float] = {}
    room = Room()
    miners = {share: Miner(share, LOOSE if len(runs) <= MANY else 1, room) for share in rare}
    drafts = {share: _told(miner.draft(runs), runs, known) for share, miner in miners.items()}
    deeper = len(rare) if len(runs) <= MANY else DEEPER
    for share in sorted(rare, key=drafts.__getitem__)[:deeper]:
        tree = miners[share].tree(runs)
        shares.setdefault(tree, share)
        bits[tree] = _told(tree, runs, known)
    best = min(bits, key=bits.__getitem__)
    apart = told_apart(runs)
    if apart:
        renamed, keys = apart
        most = _lost(best, runs) + noise(FINER, sum(runs.values()))
        for share in {shares[best], max(rare)}:
            tree = tidy(put_together(_miner(share, renamed, room).tree(renamed), keys))
            if _lost(tree, runs) <= most:
                bits[tree] = _told(tree, runs, known)
    return _least_lost(bits, runs)


def _least_lost(bits: Mapping[Tree, float], runs: Runs) -> Tree:
    """The shortest tree that leaves out nothing common, if there is one.

    If it leaves out more than can be noise, the one nearly as short that leaves out least.
    """
    common = [run for run, count in runs.items() if count > noise(ONE_MISTAKE, sum(runs.values()))]
    whole = [tree for tree in bits if all(map(machine_of(tree).accepts, common))]
    best = min(whole or bits, key=bits.__getitem__)
    lost = _lost(best, runs)
    if lost <= MOST_NOISE * sum(runs.values()):
        return best
    near = [tree for tree in bits if bits[tree] <= (1 + NEARLY) * bits[best]]
    return min(near, key=lambda tree: (_lost(tree, runs), bits[tree]))


def _told(tree: Tree, runs: Runs, known: dict[Tree, float]) -> float:
    """The bits of a tree and of the runs told by it with their mistakes; several shares of noise give the same tree."""
    if tree not in known:
        known[tree] = described(tree, runs, laid=True)
    return known[tree]


def _lost(tree: Tree, runs: Runs) -> int:
    accepts = machine_of(tree).accepts
    return sum(count for run, count in runs.items() if not accepts(run))


def _miner(rare: float, runs: Runs, room: Room) -> Miner:
    return Miner(rare, LOOSE if len(runs) <= MANY else 1, room)


def shortest(trees: Iterable[Tree], runs: Runs) -> Tree:
    """Return the tree that describes the runs shortest; the first of equals."""
    distinct = list(dict.fromkeys(trees))
    return min(distinct, key=lambda tree: described(tree, runs)) if len(distinct) > 1 else distinct[0]


SURE = (Kind.CHOICE, Kind.SEQUENCE)
"""Cuts that lose nothing, if what they were read off is right."""

Way: TypeAlias = Callable[[Runs], Tree]
"""What runs may be: gives their tree when asked for."""

NEARLY = 0.05
"""How much longer a tree may be that leaves fewer sessions out, where more are left out than can be noise."""

EXPECTED = 7
"""Times that a key of a loop would have come twice, for none to be no chance: it is, once in a thousand (Poisson)."""

LOOSE = 2
"""How many unsure cuts may lie within each other before the first that holds is taken without comparing: a loop in a
parallel part of a loop is as much as a task has, and each more doubles the work."""

MANY = 1_000
"""Distinct runs beyond which unsure cuts are compared only where they do not lie within each other."""

DEEPER = 2
"""Unsure cuts, and shares of noise, that are followed to the end: those best when nothing below them is compared."""

LOOSER = (0.05, 0.15)
"""Shares tried at a part that has no sure cut, where there is noise: what is seldom there may hold in the whole."""

SELDOM = 0.1
"""Part of such a share at which a key itself is noise: three sessions in a hundred at the most."""


class Miner:
    """Cuts runs into parts until single keys are left; what is below the share `rare` is noise."""

    def __init__(self, rare: float, loose: int = LOOSE, room: Room | None = None) -> None:
        self._rare = rare
        self._left = loose
        self._room = Room() if room is None else room
        self._known: dict[tuple[int, frozenset[tuple[Run, int]]], Tree] = {}

    def tree(self, runs: Runs) -> Tree:
        """Return the tree of runs; the same runs are asked for again and again, and remembered."""
        name = self._left, frozenset(runs.items())
        if name not in self._known:
            short = shortened(runs)
            tree = tidy_top(self._mined(short))
            # rounds that were cut out of shortened runs need not be those of the runs
            is_short = not self._rare and sum(map(len, short)) < sum(map(len, runs))
            if is_short and not all(map(machine_of(tree).accepts, runs)):
                tree = tidy_top(self._mined(Counter(runs)))
            self._known[name] = tree
        return self._known[name]

    def draft(self, runs: Runs) -> Tree:
        """Return the tree of runs where the first of unsure cuts that holds is taken."""
        left, self._left = self._left, 0
        tree = self.tree(runs)
        self._left = left
        return tree

    def _mined(self, runs: Counter[Run]) -> Tree:
        if self._rare:
            runs = plausible(runs, self._rare)
        total = runs.total()
        empty = runs.pop((), 0)
        if not runs or (empty and total - empty <= noise(self._rare, total)):
            return skip()
        if empty > noise(self._rare, total):
            return choice(skip(), self.tree(runs))
        keys = frozenset[int]().union(*runs)
        if len(keys) == 1:
            return self._single(min(keys), runs)
        seen = Seen.of(runs)
        graph = seen.follows(self._rare)
        cuts = find_cuts(graph)
        if cuts and cuts[0].kind in SURE:
            return self._assembled(cuts[0], runs)
        repeated = seen.repeated(self._rare)
        sure = _beside_loops(cuts, repeated, runs)
        if sure:
            return self._assembled(sure, runs)
        ways = self._ways(runs, seen, graph, *by_likelihood(seen, cuts, graph))
        if not self._left:
            return next(ways)(runs)
        return self._compared(runs, list(ways))

    def _compared(self, runs: Counter[Run], ways: list[Way]) -> Tree:
        """The best of the unsure ways: all are tried in short, the most promising in full."""
        some = self._room.of(sample(runs), len(ways))
        if not some:
            return ways[0](runs)
        if len(ways) <= DEEPER:  # nothing to choose from but a flower: what lies within may be as unsure as this
            return shortest((tidy_top(way(runs)) for way in ways), some)
        left = self._left
        self._left = 0
        trees = [tidy_top(way(some)) for way in ways]
        bits = {tree: described(tree, some) for tree in dict.fromkeys(trees)}
        drafts = [bits[tree] for tree in trees]
        self._left = left - 1
        best = sorted(range(len(ways)), key=drafts.__getitem__)[:DEEPER]
        trees = [tidy_top(ways[number](runs)) for number in best]
        self._left = left
        return shortest(trees, runs)

    def _ways(self, runs: Counter[Run], seen: Seen, graph: Follows, cuts: list[Cut], last: list[Cut]) -> Iterator[Way]:
        """What the runs may be where no cut is sure, in the order of how much each says; a flower at the last."""
        for cut in cuts:
            yield partial(self._assembled, cut)
        yield from self._looser(seen)
        repeated = seen.repeated(self._rare)
        if _may_be_rounds(runs, repeated):
            yield from self._rounds(runs, graph)
            yield from self._separated(repeated, graph)
        for cut in last:
            yield partial(self._assembled, cut)
        cuts = cuts + last
        kinds = [] if cuts else separate(runs, of_all=True)
        if len(kinds) > 1:
            yield partial(self._by_kind, kinds)
        elif not cuts:
            yield from self._beside_rest(seen)
            if graph.starts.bit_count() == 1:
                yield partial(self._after, min(graph.named(graph.starts)))
            if graph.ends.bit_count() == 1:
                yield partial(self._before, min(graph.named(graph.ends)))
        yield lambda _: _flower(graph.keys)

    def _looser(self, seen: Seen) -> Iterator[Way]:
        """Where more is taken for noise: sessions with keys that hardly any has, neighbours that seldom are."""
        for share in LOOSER:
            if not 0 < self._rare < share:
                continue
            few = seen.seldom(share * SELDOM)
            if few:
                yield partial(self._less, few)
            cuts = find_cuts(seen.follows(share))
            if cuts and cuts[0].kind in SURE:
                yield partial(self._assembled, cuts[0])

    def _less(self, few: frozenset[int], runs: Runs) -> Tree:
        return self.tree({run: count for run, count in runs.items() if few.isdisjoint(run)})

    def _single(self, key: int, runs: Counter[Run]) -> Tree:
        often = sum(count for run, count in runs.items() if len(run) > 1)
        return loop(step(key), skip()) if often > noise(self._rare, runs.total()) else step(key)

    def _assembled(self, cut: Cut, runs: Runs) -> Tree:
        parts = split(runs, cut)
        if cut.kind is Kind.CHOICE:  # a branch that hardly any run takes is noise too
            least = self._rare * SELDOM * sum(part.total() for part in parts)
            parts = [part for part in parts if part.total() > least]
        return Tree(cut.kind, 0, tuple(map(self.tree, parts)))

    def _by_kind(self, kinds: list[Counter[Run]], runs: Runs) -> Tree:
        """Runs of several kinds that share keys: one choice among them, with a step of its own in each."""
        kind_of = {run[0]: number for number, kind in enumerate(kinds) for run in kind}
        keys = [{key for run in kind for key in run} for kind in kinds]
        parts: list[Counter[Run]] = [Counter() for _ in kinds]
        for run, count in runs.items():
            if run:  # one that begins as none did where kinds were looked for goes to the kind with most of its keys
                near = max(range(len(kinds)), key=[len(some.intersection(run)) for some in keys].__getitem__)
                parts[kind_of.get(run[0], near)][run] += count
        return choice(*map(self.tree, parts))

    def _after(self, key: int, runs: Runs) -> Tree:
        """All runs begin with the same key, which comes again in some."""
        return sequence(step(key), self.tree(counted((run[1:], runs[run]) for run in runs if run[:1] == (key,))))

    def _before(self, key: int, runs: Runs) -> Tree:
        """All runs end with the same key, which some have before as well."""
        return sequence(self.tree(counted((run[:-1], runs[run]) for run in runs if run[-1:] == (key,))), step(key))

    def _beside_rest(self, seen: Seen) -> Iterator[Way]:
        """A key that comes just once in each run, or without which the rest has a cut, is in parallel to the rest."""
        is_once = seen.once >= (1 - self._rare) * int(seen.counts.sum())
        for place, key in enumerate(seen.keys):
            if is_once[place] or find_cuts(seen.without(place).follows(self._rare)):
                yield partial(self._beside, key)

    def _beside(self, key: int, runs: Runs) -> Tree:
        return parallel(self.tree(only(runs, key)), self.tree(without(runs, key)))

    def _rounds(self, runs: Counter[Run], graph: Follows) -> Iterator[Way]:
        """Runs that are rounds of a loop.

        Cut every so many keys, before a key that the round has already, where an end meets a start, where keys that
        come equally often are even, at each start.
        """
        even = math.gcd(*map(len, runs))
        starts = graph.named(graph.starts)
        cutters: list[Cutter] = [
            partial(cut_evenly, even=even),
            cut_at_repeats,
            partial(cut_between, ends=graph.named(graph.ends), starts=starts),
            partial(cut_when_even, companions=companions(runs, self._rare)),
            partial(cut_between, ends=frozenset(graph.keys), starts=starts),
        ]
        met: list[Counter[Run]] = [runs]
        whole = single_rounds(runs)
        if whole.total() < runs.total():
            yield self._whole_rounds
        for cutter in cutters[even == 1 :]:
            rounds = cut_up(runs, cutter)
            if rounds.total() > (1 + self._rare) * runs.total() and rounds not in met:
                met.append(rounds)
                yield partial(self._again, cutter)

    def _whole_rounds(self, runs: Runs) -> Tree:
        """Runs that come round once show what a round is."""
        tree = loop(self.tree(single_rounds(runs)), skip())
        if _lost(tree, runs) > (MOST_NOISE * sum(runs.values()) if self._rare else 0):  # rounds with loops in them
            return self._again(cut_at_repeats, runs)
        return tree

    def _again(self, cutter: Cutter, runs: Runs) -> Tree:
        return loop(self.tree(cut_up(runs, cutter)), skip())

    def _separated(self, repeated: frozenset[int], graph: Follows) -> Iterator[Way]:
        """A key that comes between rounds, some of which may be empty."""
        for key in sorted(repeated & graph.named(graph.starts | graph.ends)):
            yield partial(self._with_between, key)

    def _with_between(self, key: int, runs: Runs) -> Tree:
        return loop(self.tree(cut_up(runs, partial(cut_out, key=key))), step(key))


def _flower(keys: Iterable[int]) -> Tree:
    return loop(choice(*map(step, sorted(keys))), skip())


def _beside_loops(cuts: list[Cut], repeated: frozenset[int], runs: Runs) -> Cut | None:
    """A parallel cut as far as it is sure: what is not repeated is in no loop, whatever the rest is."""
    for cut in cuts:
        once = [part for part in cut.parts if part.isdisjoint(repeated) and _is_outside(part, repeated, runs)]
        if cut.kind is Kind.PARALLEL and once:
            rest = frozenset(key for part in cut.parts if part not in once for key in part)
            return Cut(Kind.PARALLEL, (*once, rest) if rest else tuple(once))
    return None


def _is_outside(part: frozenset[int], repeated: frozenset[int], runs: Runs) -> bool:
    """Whether keys were seen often enough with those of a loop to have been seen twice, were they of it.

    In a loop a key would follow itself as it follows the others: in proportion to how often they come.
    """
    if not repeated:
        return True
    here = there = together = 0
    for run, count in runs.items():
        one, other = (sum(key in some for key in run) for some in (part, repeated))
        here, there = here + count * one, there + count * other
        together += count * (one > 0 and other > 0)
    return together * here > EXPECTED * 2 * (here + there)


def _may_be_rounds(runs: Runs, repeated: frozenset[int]) -> bool:
    """Whether runs can be rounds of a loop as a whole: most begin and end with keys that rounds repeat."""
    starts = sum(count for run, count in runs.items() if run and run[0] in repeated)
    ends = sum(count for run, count in runs.items() if run and run[-1] in repeated)
    return 2 * min(starts, ends) > sum(runs.values())
