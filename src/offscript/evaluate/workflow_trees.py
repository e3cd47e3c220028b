"""Random systems for the workflow study: tasks as process trees, runs of them, and streams without identifiers (ours).

How a tree is drawn, stated so that anyone can judge whether it is fair to the methods: 2 to 4 tasks a system and 3 to
15 keys a task, each number equally likely. A node over n > 1 keys is a sequence (.5), a choice (.2), a parallel (.2)
or a loop (.1); the first three split their keys at random places into 2 to 4 parts, and a choice has, one time in
four, the part "nothing"; a loop over two or more keys has, one time in two, some of them on its way back. The root is
a sequence or a parallel (in the same proportion): without identifiers a choice at the root *is* two tasks, and a loop
at the root is one run after another, so neither could be told from what it would count as an error. One system in
five has a key that two of its tasks share, at a random place in each. In a run each part of a choice is equally
likely, a loop goes round again one time in three, and a parallel draws among the orders by picking, at each step, one
of the parts in proportion to what each has left, which makes all interleavings equally likely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Final

from offscript.workflow.play import play
from offscript.workflow.tree import Kind, Tree, choice, loop, parallel, sequence, skip, step

KINDS: Final = {Kind.SEQUENCE: 0.5, Kind.CHOICE: 0.2, Kind.PARALLEL: 0.2, Kind.LOOP: 0.1}
"""How likely a node is of each kind: mostly sequences, as in the trees process mining draws at random."""

ROOTS: Final = (Kind.SEQUENCE, Kind.PARALLEL)
TASKS: Final = (2, 4)
KEYS: Final = (3, 15)
PARTS: Final = (2, 4)
OPTIONAL: Final = 0.25
BACK: Final = 0.5
SHARED: Final = 0.2
AGAIN: Final = 1 / 3
ACTIVE: Final = (2, 4)
"""Runs at once in an interleaved stream: each of the 2 to 4 is equally likely to write the next entry."""

LONGEST: Final = 200
"""Runs longer than this are drawn again: loops in loops could otherwise make one run most of a log."""


@dataclass(frozen=True, slots=True)
class System:
    """A system that was drawn: its number (the seed), and the trees of its tasks."""

    seed: int
    trees: tuple[Tree, ...]

    def keys(self) -> tuple[frozenset[int], ...]:
        """The keys of each task."""
        return tuple(frozenset(leaf.key for leaf in tree.steps()) for tree in self.trees)


@dataclass(frozen=True, slots=True)
class Stream:
    """Entries without identifiers, and the truth beside them: the task (from 0) and the run of each."""

    keys: tuple[int, ...]
    tasks: tuple[int, ...]
    runs: tuple[int, ...]


def draw_system(seed: int) -> System:
    """Draw a system; the same for the same seed."""
    random = Random(seed)
    trees = []
    first = 1
    for _ in range(random.randint(*TASKS)):
        count = random.randint(*KEYS)
        trees.append(draw_tree(random, range(first, first + count)))
        first += count
    if random.random() < SHARED:
        one, other = random.sample(range(len(trees)), 2)
        mine, theirs = (random.choice([leaf.key for leaf in trees[n].steps()]) for n in (one, other))
        trees[other] = _renamed(trees[other], theirs, mine)
    return System(seed, tuple(trees))


def draw_tree(random: Random, keys: Sequence[int], kinds: Sequence[Kind] = ROOTS) -> Tree:
    """Draw a tree over some keys, each once; the root is of one of the kinds."""
    if len(keys) == 1:
        return step(keys[0])
    kind = random.choices(kinds, [KINDS[one] for one in kinds])[0]
    if kind is Kind.LOOP:
        cut = random.randint(1, len(keys) - 1) if random.random() < BACK else len(keys)
        body, back = keys[:cut], keys[cut:]
        again = draw_tree(random, back, tuple(KINDS)) if back else skip()
        return loop(draw_tree(random, body, tuple(KINDS)), again)
    cuts = sorted(random.sample(range(1, len(keys)), random.randint(PARTS[0], min(PARTS[1], len(keys))) - 1))
    pieces = [keys[a:b] for a, b in zip([0, *cuts], [*cuts, len(keys)], strict=True)]
    parts = [draw_tree(random, piece, tuple(KINDS)) for piece in pieces]
    if kind is Kind.CHOICE:
        return choice(*parts, skip()) if random.random() < OPTIONAL else choice(*parts)
    return sequence(*parts) if kind is Kind.SEQUENCE else parallel(*parts)


def _renamed(tree: Tree, old: int, new: int) -> Tree:
    if tree.kind is Kind.STEP:
        return step(new) if tree.key == old else tree
    return Tree(tree.kind, 0, tuple(_renamed(part, old, new) for part in tree.parts))


def draw_run(tree: Tree, random: Random) -> tuple[int, ...]:
    """Draw a run of a task: its keys in order, at least one and at most LONGEST."""
    while not 0 < len(run := play(tree, random, again=AGAIN)) <= LONGEST:
        pass
    return run


def one_after_another(runs: Sequence[Sequence[Sequence[int]]], random: Random) -> Stream:
    """Put the runs of all tasks one after another, in random order."""
    order = [(task, run) for task, some in enumerate(runs) for run in some]
    random.shuffle(order)
    rows = [(key, task, number) for number, (task, run) in enumerate(order) for key in run]
    return _stream(rows)


def interleaved(runs: Sequence[Sequence[Sequence[int]]], active: int, random: Random) -> Stream:
    """Interleave runs at random: `active` at once, each as likely to write the next entry; one that ends is followed.

    The runs left when none is to follow go on among fewer.
    """
    waiting = [(task, run) for task, some in enumerate(runs) for run in some]
    random.shuffle(waiting)
    following = iter(range(len(waiting)))
    going = [(number, iter(waiting[number][1])) for number in islice(following, active)]
    left = {number: len(run) for number, (_, run) in enumerate(waiting)}
    rows: list[tuple[int, int, int]] = []
    while going:
        place = random.randrange(len(going))
        number, keys = going[place]
        rows.append((next(keys), waiting[number][0], number))
        left[number] -= 1
        if not left[number]:
            going[place : place + 1] = [(n, iter(waiting[n][1])) for n in islice(following, 1)]
    return _stream(rows)


def _stream(rows: Sequence[tuple[int, int, int]]) -> Stream:
    keys, tasks, runs = zip(*rows, strict=True)
    return Stream(keys, tasks, runs)
