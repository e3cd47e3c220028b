"""A tree as a machine that reads keys: the positions of its steps, what may follow each, and what is open in parallel.

Every part of a tree without parallel parts is an automaton whose states are its steps (Glushkov 1961); a parallel part
is one position of it that holds the states of its branches. So the edges of the graph and the moves of the machine are
the same, a part that may be left out costs no state, and a key may stand in several places (ours).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple, TypeAlias

from offscript.workflow.tree import Kind, Tree

State: TypeAlias = "int | tuple[int, tuple[State, ...]] | None"
"""Where a level stands: at its beginning, after a step, or in a parallel part, with the states of its branches."""

Link: TypeAlias = tuple[int, int]
"""An edge of the graph, by the numbers of its nodes."""

START = 0
"""The number of the node where a task starts; the last number is that where it ends."""

MOST_SETS = 200_000
"""Sets of states remembered by one machine, some hundred bytes each; then it forgets them and begins anew."""


@dataclass(slots=True)
class Level:
    """A part of a tree from one fork (or the start) to its join (or the end): which positions begin and end it."""

    first: tuple[int, ...] = ()
    last: frozenset[int] = frozenset()
    is_nullable: bool = True
    ahead: dict[State, Ahead] = field(default_factory=dict)
    """What comes next in its states, as far as that was asked for."""


@dataclass(slots=True)
class Position:
    """A step with its key, or a parallel part with its levels; `into` and `out` are its nodes, one of a step.

    `with_key` are the places of the levels that have a step of each key.
    """

    into: int
    out: int
    key: int = 0
    levels: tuple[Level, ...] = ()
    with_key: dict[int, list[int]] = field(default_factory=dict)
    follow: list[int] = field(default_factory=list)


class Move(NamedTuple):
    """One step: the node of its key, the state after it, and the edges taken on the way."""

    node: int
    key: int
    state: State
    links: tuple[Link, ...]


@dataclass(slots=True)
class Ahead:
    """The steps that are possible in a state: the moves by their keys, and the key and the node of each."""

    moves: dict[int, list[Move]] = field(default_factory=dict)
    options: list[tuple[int, int]] = field(default_factory=list)


class Machine:
    """What a tree accepts, one key at a time.

    >>> from offscript.workflow.tree import parallel, sequence, step
    >>> machine = Machine(sequence(step(1), parallel(step(2), step(3))))
    >>> [machine.accepts(keys) for keys in ([1, 2, 3], [1, 3, 2], [1, 2])]
    [True, True, False]
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.positions: list[Position] = []
        self.back: set[Link] = set()
        """Pairs of positions that only the coming again of a loop joins."""
        self.nodes = 1
        self.top = self._level(tree)
        self.end = self.nodes
        self._moves: dict[State, tuple[Move, ...]] = {}
        self._fires: dict[tuple[State, int], tuple[Move, ...]] = {}
        self._forget()

    def moves(self, state: State) -> tuple[Move, ...]:
        """Return the steps that are possible in a state, in the order of the tree."""
        known = self._moves.get(state)
        if known is None:
            if len(self._moves) > MOST_SETS:
                self._moves.clear()
            known = self._moves[state] = tuple(self._moves_in(self.top, state, START))
        return known

    def fire(self, state: State, key: int) -> tuple[Move, ...]:
        """Return the steps with this key that are possible in a state."""
        known = self._fires.get((state, key))
        if known is None:
            if len(self._fires) > MOST_SETS:
                self._fires.clear()
            known = self._fires[state, key] = tuple(self._fired(state, key))
        return known

    def options(self, state: State) -> list[tuple[int, int]]:
        """Return the keys of the steps that are possible in a state, each with the node of the step."""
        if not isinstance(state, tuple):
            return self._ahead(self.top, state, START).options
        number, branches = state
        position = self.positions[number]
        found: list[tuple[int, int]] = []
        for inner, branch in zip(position.levels, branches, strict=True):
            found += (inner.ahead.get(branch) or self._ahead(inner, branch, position.into)).options
        if self._may_leave(position, branches):
            found += self._ahead(self.top, number, START).options
        return found

    def may_end(self, state: State) -> bool:
        """Whether the task may end here."""
        return _may_end(self.positions, self.top, state)

    def links_to_end(self, state: State) -> tuple[Link, ...]:
        """Return the edges from here to the end, for a state in which the task may end."""
        node, links = self._leave(state, START)
        return (*links, (node, self.end))

    def links(self) -> dict[Link, bool]:
        """Return all edges of the graph, and whether each only closes a loop."""
        found: dict[Link, bool] = {}
        self._level_links(self.top, START, self.end, found)
        for before, position in enumerate(self.positions):
            for after in position.follow:
                link = position.out, self.positions[after].into
                found[link] = found.get(link, True) and (before, after) in self.back
            for level in position.levels:
                self._level_links(level, position.into, position.out, found)
        return found

    def _level_links(self, level: Level, source: int, target: int, found: dict[Link, bool]) -> None:
        found.update({(source, self.positions[number].into): False for number in level.first})
        found.update({(self.positions[number].out, target): False for number in sorted(level.last)})
        if level.is_nullable:
            found[source, target] = False

    def accepts(self, keys: Iterable[int]) -> bool:
        """Whether the keys are a whole run of the task."""
        if len(self.states) > MOST_SETS:
            self._forget()
        number = 0
        for key in keys:
            number = self.after(number, key)
            if number < 0:
                return False
        return self.ends[number]

    def after(self, number: int, key: int) -> int:
        """Return the number of the set of states after one more key, -1 where none is left; 0 is the beginning.

        `states` has the sets, and `ends` whether the task may end there.
        """
        found = self._after[number].get(key)
        return self._next(number, key) if found is None else found

    def _forget(self) -> None:
        self.states: list[frozenset[State]] = []
        self.ends: list[bool] = []
        self._after: list[dict[int, int]] = []
        self._numbers: dict[frozenset[State], int] = {}
        self._number(frozenset({None}))

    def _number(self, states: frozenset[State]) -> int:
        if not states:
            return -1
        if states not in self._numbers:
            self._numbers[states] = len(self.states)
            self.states.append(states)
            self.ends.append(any(map(self.may_end, states)))
            self._after.append({})
        return self._numbers[states]

    def _next(self, number: int, key: int) -> int:
        states = frozenset([after for state in self.states[number] for after in self._beyond(state, key)])
        after = self._after[number][key] = self._number(states)
        return after

    # The structure, made once.

    def _level(self, tree: Tree) -> Level:
        first, last, nullable = self._parts(tree)
        return Level(tuple(first), frozenset(last), nullable)

    def _parts(self, tree: Tree) -> tuple[list[int], list[int], bool]:
        """Add the positions of a part; return those that begin it, those that end it, and whether it may be nothing."""
        match tree.kind:
            case Kind.SKIP:
                return [], [], True
            case Kind.STEP:
                here = self._place(self.nodes, self.nodes, tree.key)
                self.nodes += 1
                return [here], [here], False
            case Kind.SEQUENCE:
                return self._sequence(tree.parts)
            case Kind.CHOICE:
                parts = [self._parts(part) for part in tree.parts]
                return [n for p in parts for n in p[0]], [n for p in parts for n in p[1]], any(p[2] for p in parts)
            case Kind.PARALLEL:
                return self._parallel(tree.parts)
            case Kind.LOOP:
                return self._loop(*tree.parts)

    def _place(self, into: int, out: int, key: int = 0) -> int:
        self.positions.append(Position(into, out, key))
        return len(self.positions) - 1

    def _sequence(self, trees: Sequence[Tree]) -> tuple[list[int], list[int], bool]:
        first: list[int] = []
        last: list[int] = []
        nullable = True
        for tree in trees:
            first_here, last_here, nullable_here = self._parts(tree)
            self._join(last, first_here)
            first = first + first_here if nullable else first
            last = last + last_here if nullable_here else last_here
            nullable = nullable and nullable_here
        return first, last, nullable

    def _parallel(self, trees: Sequence[Tree]) -> tuple[list[int], list[int], bool]:
        here = self._place(self.nodes, -1)
        self.nodes += 1
        levels = tuple(self._level(tree) for tree in trees)
        self.positions[here].levels = levels
        with_key = self.positions[here].with_key
        for place, tree in enumerate(trees):
            for key in {leaf.key for leaf in tree.steps()}:
                with_key.setdefault(key, []).append(place)
        self.positions[here].out = self.nodes
        self.nodes += 1
        return [here], [here], all(level.is_nullable for level in levels)

    def _loop(self, body: Tree, again: Tree) -> tuple[list[int], list[int], bool]:
        first, last, nullable = self._parts(body)
        first_again, last_again, nullable_again = self._parts(again)
        self._join(last, first_again)
        self._join(last_again, first, is_back=True)
        if nullable_again:
            self._join(last, first, is_back=True)
        if nullable:
            self._join(last_again, first_again, is_back=True)
            first, last = first + first_again, last + last_again
        return first, last, nullable

    def _join(self, before: list[int], after: list[int], *, is_back: bool = False) -> None:
        for one in before:
            follow = self.positions[one].follow
            for other in after:
                if other not in follow:
                    follow.append(other)
                    if is_back:
                        self.back.add((one, other))

    # The moves.

    def _fired(self, state: State, key: int) -> list[Move]:
        """The moves with one key; those within a branch are known, whatever its neighbours do."""
        if not isinstance(state, tuple):
            return self._ahead(self.top, state, START).moves.get(key, [])
        number, branches = state
        position = self.positions[number]
        found = [
            Move(move.node, key, moved(number, branches, place, move.state), move.links)
            for place in position.with_key.get(key, ())
            for move in self._ahead(position.levels[place], branches[place], position.into).moves.get(key, ())
        ]
        beyond = self._ahead(self.top, number, START).moves.get(key)
        if beyond and self._may_leave(position, branches):
            _, links = self._leave(state, START)
            found += [Move(move.node, key, move.state, links + move.links) for move in beyond]
        return found

    def _beyond(self, state: State, key: int) -> list[State]:
        """The states after the moves with one key."""
        if not isinstance(state, tuple):
            return [move.state for move in self._ahead(self.top, state, START).moves.get(key, ())]
        number, branches = state
        position = self.positions[number]
        found: list[State] = [
            (number, (*branches[:place], move.state, *branches[place + 1 :]))
            for place in position.with_key.get(key, ())
            for move in self._ahead(position.levels[place], branches[place], position.into).moves.get(key, ())
        ]
        beyond = self._ahead(self.top, number, START).moves.get(key)
        if beyond and self._may_leave(position, branches):
            found += [move.state for move in beyond]
        return found

    def _ahead(self, level: Level, state: State, source: int) -> Ahead:
        """What comes next in a level, made once for each of its states."""
        known = level.ahead.get(state)
        if known is None:
            if len(level.ahead) > MOST_SETS:
                level.ahead.clear()
            known = level.ahead[state] = Ahead()
            for move in self._moves_in(level, state, source):
                known.moves.setdefault(move.key, []).append(move)
                known.options.append((move.key, move.node))
        return known

    def _may_leave(self, position: Position, branches: Sequence[State]) -> bool:
        return all(map(_may_end, repeat(self.positions), position.levels, branches))

    def _moves_in(self, level: Level, state: State, source: int) -> Iterable[Move]:
        if state is None:
            yield from self._enter(level.first, source, ())
        elif isinstance(state, int):
            yield from self._enter(self.positions[state].follow, self.positions[state].out, ())
        else:
            number, branches = state
            position = self.positions[number]
            for place, (inner, branch) in enumerate(zip(position.levels, branches, strict=True)):
                for move in self._moves_in(inner, branch, position.into):
                    yield Move(move.node, move.key, moved(number, branches, place, move.state), move.links)
            if self._may_leave(position, branches):
                node, links = self._leave(state, source)
                yield from self._enter(position.follow, node, links)

    def _enter(self, numbers: Iterable[int], node: int, links: tuple[Link, ...]) -> Iterable[Move]:
        """The moves to these positions, from a node that was reached by `links`."""
        for number in numbers:
            position = self.positions[number]
            here = (*links, (node, position.into))
            if not position.levels:
                yield Move(position.into, position.key, number, here)
            for place, level in enumerate(position.levels):
                for move in self._moves_in(level, None, position.into):
                    branches: list[State] = [None] * len(position.levels)
                    branches[place] = move.state
                    yield Move(move.node, move.key, (number, tuple(branches)), (*here, *move.links))

    def _leave(self, state: State, source: int) -> tuple[int, tuple[Link, ...]]:
        """Where a level stands when it is left: its node, and the edges to the joins on the way."""
        if state is None:
            return source, ()
        if isinstance(state, int):
            return self.positions[state].out, ()
        position = self.positions[state[0]]
        links: list[Link] = []
        for branch in state[1]:
            node, inner = self._leave(branch, position.into)
            links += [*inner, (node, position.out)]
        return position.out, tuple(links)


def moved(number: int, branches: tuple[State, ...], place: int, state: State) -> State:
    """Return the state of a parallel part where one of its branches has come to another state."""
    return number, (*branches[:place], state, *branches[place + 1 :])


def _may_end(positions: Sequence[Position], level: Level, state: State) -> bool:
    if state is None:
        return level.is_nullable
    if isinstance(state, int):
        return state in level.last
    number, branches = state
    return number in level.last and all(map(_may_end, repeat(positions), positions[number].levels, branches))


@lru_cache(maxsize=64)
def machine_of(tree: Tree) -> Machine:
    """Return the machine of a tree, made once for trees asked for again and again; not for several threads at once."""
    return Machine(tree)
