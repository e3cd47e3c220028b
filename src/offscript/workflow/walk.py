"""A session laid on a workflow: which step each entry is, where it left the script, and what is missing (ours).

The fewest entries off script and steps passed over, as in the alignments of Adriansyah (2014). Steps are passed over
by the structure of the tree, not state by state: whatever can come next is known with the steps that it passes over,
however many lie between. So the work is bounded by entries x states kept (WIDTH) x steps of that key.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from offscript.workflow.graph import Walk, Workflow
from offscript.workflow.machine import START, Level, Machine, Move, State, moved
from offscript.workflow.tree import Tree

WIDTH = 64
"""States kept after each entry, the best ones: those of six steps in parallel, where all may be open. A session of
which no more states come into question is laid optimally; else nearly so."""

ANYWHERE = 2_000
"""States at which the last entries of a session may begin: all those of a task with ten steps in parallel."""

ALLOWED = (0, 2, 8, None)
"""Mistakes allowed in turn: most sessions have none or one, and are laid without looking at anything else."""

NEVER = 1 << 30
"""Stands for a departure that has not come."""


def walk(workflow: Workflow, keys: Sequence[int], *, ended: bool, whole: bool = True) -> Walk:
    """Lay a session, given as its keys, on the graph: the fewest entries off script and steps passed over.

    Of walks with as few, one that leaves the script latest, then one with the fewest entries off script. `ended` says
    that nothing more will come: steps still to come are then missing. `whole` is False for the last keys of a session,
    which may begin anywhere. The departure is at the first entry that is off script or comes after steps passed over.
    A step of a loop can be missing many times.

    >>> from offscript.workflow.build import workflow_of
    >>> from offscript.workflow.tree import sequence, step
    >>> flow = workflow_of(1, sequence(step(7), step(8), step(9)), {(7, 8, 9): 5})
    >>> walk(flow, [7, 5, 9], ended=True)
    Walk(nodes=(1, None, 3), departure=1, last=1, missing=(2,))
    """
    return lay(workflow.tree, keys, ended=ended, whole=whole)


def lay(tree: Tree, keys: Sequence[int], *, ended: bool, whole: bool = True) -> Walk:
    """Lay a session on a tree, as `walk` does on its graph.

    >>> from offscript.workflow.tree import sequence, step
    >>> lay(sequence(step(7), step(8)), [8], ended=True).missing
    (1,)
    """
    return _laid(Ways.of(tree), keys, ended=ended, whole=whole)


def mistakes(walked: Walk) -> int:
    """Return how many entries of a walk are off script, and steps missing.

    >>> mistakes(Walk((1, None, 3), 1, 1, (2,)))
    2
    """
    return walked.nodes.count(None) + len(walked.missing)


def replay(machine: Machine, keys: Sequence[int]) -> list[Move] | None:
    """Return the moves by which a machine reads the keys as a whole run, None where it cannot; exact.

    >>> from offscript.workflow.tree import sequence, step
    >>> [move.node for move in replay(Machine(sequence(step(7), step(8))), [7, 8])]
    [1, 2]
    """
    trails: list[dict[State, tuple[State, Move]]] = []
    states: Iterable[State] = (None,)
    for key in keys:
        after: dict[State, tuple[State, Move]] = {}
        for state in states:
            for move in machine.fire(state, key):
                after.setdefault(move.state, (state, move))
        trails.append(after)
        states = after
    for state in states:
        if machine.may_end(state):
            return _back(trails, state)
    return None


def _back(trails: list[dict[State, tuple[State, Move]]], state: State) -> list[Move]:
    moves = []
    for trail in reversed(trails):
        state, move = trail[state]
        moves.append(move)
    return moves[::-1]


class Way(NamedTuple):
    """A step that can come, the steps passed over on the way to it, and the state after it."""

    node: int
    state: State
    passed: tuple[int, ...]


class Ways:
    """What can come after each state of a tree, and what is passed over by it."""

    def __init__(self, tree: Tree) -> None:
        self.machine = Machine(tree)
        self._positions = self.machine.positions
        self._shortest: dict[tuple[int, ...], dict[int, tuple[int, ...]]] = {}
        self._ways: dict[tuple[State, int], list[Way]] = {}
        self._within: dict[tuple[int, State], dict[int, list[Way]]] = {}
        self._rests: dict[tuple[int, State], tuple[int, ...]] = {}

    @staticmethod
    @lru_cache(maxsize=16)
    def of(tree: Tree) -> Ways:
        """Return the ways of a tree, made once for the workflows in use."""
        return Ways(tree)

    def after(self, state: State, key: int) -> list[Way]:
        """Return the ways to a key, the one that passes over the least first."""
        known = self._ways.get((state, key))
        if known is None:
            for made in (self._ways, self._within, self._rests):
                if len(made) > ANYWHERE * 10:
                    made.clear()
            known = self._ways[state, key] = sorted(self._to(state, key), key=lambda way: len(way.passed))
        return known

    def rest(self, state: State) -> tuple[int, ...]:
        """Return the fewest steps still to come before the end."""
        return self._rest(self.machine.top, state)

    def anywhere(self) -> list[State]:
        """Return the states in which a session can be, at most ANYWHERE, those after few steps first."""
        met: dict[State, None] = {None: None}
        queue: list[State] = [None]
        for state in queue:
            for move in self.machine.moves(state):
                if move.state not in met and len(met) < ANYWHERE:
                    met[move.state] = None
                    queue.append(move.state)
        return queue

    def _to(self, state: State, key: int) -> list[Way]:
        """The ways to a key; those within a branch are known, whatever its neighbours do."""
        if not isinstance(state, tuple):
            return self._known(self.machine.top, state).get(key, [])
        number, branches = state
        position = self._positions[number]
        found = [
            Way(way.node, moved(number, branches, place, way.state), way.passed)
            for place in position.with_key.get(key, ())
            for way in self._known(position.levels[place], branches[place]).get(key, ())
        ]
        beyond = self._known(self.machine.top, number).get(key)
        if beyond:
            left = self._stand(state, self.machine.top)[0]
            found += [Way(way.node, way.state, left + way.passed) for way in beyond]
        return found

    def _known(self, level: Level, state: State) -> dict[int, list[Way]]:
        """The ways from a state of a level, by their keys."""
        known = self._within.get((id(level), state))
        if known is None:
            known = self._within[id(level), state] = {}
            for key, way in self._reach(level, state):
                known.setdefault(key, []).append(way)
        return known

    def _rest(self, level: Level, state: State) -> tuple[int, ...]:
        known = self._rests.get((id(level), state))
        if known is None:
            known = self._rests[id(level), state] = self._least(level, state)
        return known

    def _least(self, level: Level, state: State) -> tuple[int, ...]:
        passed, here, following = self._stand(state, level)
        if (here is None and level.is_nullable) or here in level.last:
            return passed
        paths = self._paths(following)
        ends = [paths[number] + self._through(number) for number in level.last if number in paths]
        return passed + min(ends, key=len, default=())

    def _stand(self, state: State, level: Level) -> tuple[tuple[int, ...], int | None, tuple[int, ...]]:
        """What is passed over to leave the open parallel part, if there is one; the position; what may follow it."""
        if state is None:
            return (), None, level.first
        if isinstance(state, int):
            return (), state, tuple(self._positions[state].follow)
        number, branches = state
        position = self._positions[number]
        passed = chain.from_iterable(map(self._rest, position.levels, branches))
        return tuple(passed), number, tuple(position.follow)

    def _through(self, number: int) -> tuple[int, ...]:
        """The fewest steps of a position itself."""
        position = self._positions[number]
        if not position.levels:
            return (position.into,)
        return tuple(chain.from_iterable(self._rest(level, None) for level in position.levels))

    def _paths(self, following: tuple[int, ...]) -> dict[int, tuple[int, ...]]:
        """The fewest steps passed over before each position that can be reached (Dijkstra 1959)."""
        if following not in self._shortest:
            found: dict[int, tuple[int, ...]] = {}
            queue: list[tuple[int, int, tuple[int, ...]]] = [(0, number, ()) for number in following]
            heapq.heapify(queue)
            while queue:
                _, number, passed = heapq.heappop(queue)
                if number in found:
                    continue
                found[number] = passed
                beyond = passed + self._through(number)
                for after in self._positions[number].follow:
                    if after not in found:
                        heapq.heappush(queue, (len(beyond), after, beyond))
            self._shortest[following] = found
        return self._shortest[following]

    def _reach(self, level: Level, state: State) -> Iterator[tuple[int, Way]]:
        """Each key that can come in a level, with the way to it."""
        if isinstance(state, tuple):
            number, branches = state
            for place, (inner, branch) in enumerate(zip(self._positions[number].levels, branches, strict=True)):
                for key, way in self._reach(inner, branch):
                    yield key, Way(way.node, moved(number, branches, place, way.state), way.passed)
        left, _, following = self._stand(state, level)
        for number, passed in self._paths(following).items():
            position = self._positions[number]
            if not position.levels:
                yield position.key, Way(position.into, number, left + passed)
            for place, inner in enumerate(position.levels):
                for key, way in self._reach(inner, None):
                    branches = tuple(way.state if other == place else None for other in range(len(position.levels)))
                    yield key, Way(way.node, (number, branches), left + passed + way.passed)


class _Trail(NamedTuple):
    """One way to lay the entries so far, and the last step of it.

    By `rank` the best is chosen: fewest mistakes first, then the latest departure (told negative), then the fewest
    entries off script.
    """

    rank: tuple[int, int, int]
    before: _Trail | None
    node: int | None = None
    passed: tuple[int, ...] = ()

    def then(self, place: int, node: int | None, passed: tuple[int, ...] = ()) -> _Trail:
        """The trail with one more entry."""
        cost, departure, off = self.rank
        if node is None:
            return _Trail((cost + 1, max(departure, -place), off + 1), self)
        if passed:
            return _Trail((cost + len(passed), max(departure, -place), off), self, node, passed)
        return _Trail(self.rank, self, node)


def _laid(ways: Ways, keys: Sequence[int], *, ended: bool, whole: bool) -> Walk:
    begin: list[State] = [None] if whole else ways.anywhere()
    for allowed in ALLOWED:
        best = _best(ways, keys, begin, allowed, ended=ended)
        if best is not None:
            return _walked(best, len(keys))
    raise AssertionError("some way to lay a session always exists")  # every entry may be off script


def _best(ways: Ways, keys: Sequence[int], begin: list[State], allowed: int | None, *, ended: bool) -> _Trail | None:
    """The best trail with no more mistakes than allowed."""
    trails: dict[State, _Trail] = dict.fromkeys(begin, _Trail((0, -NEVER, 0), None))
    for place, key in enumerate(keys):
        after: dict[State, _Trail] = {}
        for state, trail in trails.items():
            cost = trail.rank[0]
            if allowed is None or cost < allowed:
                _offer(after, state, trail.then(place, None))
            for way in ways.after(state, key):
                if allowed is not None and cost + len(way.passed) > allowed:
                    break
                _offer(after, way.state, trail.then(place, way.node, way.passed))
        trails = after
        if len(trails) > WIDTH:
            trails = dict(heapq.nsmallest(WIDTH, trails.items(), key=lambda item: item[1].rank))
    if ended:
        done = [trail.then(len(keys), START, ways.rest(state)) for state, trail in trails.items()]
        trails = {number: trail for number, trail in enumerate(done) if allowed is None or trail.rank[0] <= allowed}
    return min(trails.values(), key=lambda trail: trail.rank, default=None)


def _offer(trails: dict[State, _Trail], state: State, trail: _Trail) -> None:
    known = trails.get(state)
    if known is None or trail.rank < known.rank:
        trails[state] = trail


def _walked(trail: _Trail, entries: int) -> Walk:
    steps: list[_Trail] = []
    departure = -trail.rank[1]
    at: _Trail | None = trail
    while at is not None and at.before is not None:
        steps.append(at)
        at = at.before
    steps.reverse()
    nodes = tuple(step.node for step in steps[:entries])
    on_script = [node for node in nodes[:departure] if node is not None]
    missing = tuple(node for step in steps for node in step.passed)
    return Walk(nodes, None if departure == NEVER else departure, on_script[-1] if on_script else START, missing)
