"""What a tree says: runs of it, drawn at random, and whether a sequence of keys is one (ours)."""

from __future__ import annotations

import random
from collections.abc import Iterable

from offscript.workflow.machine import machine_of
from offscript.workflow.tree import Kind, Tree

AGAIN = 0.5
"""The chance that a loop comes again: as even as that of two parts of a choice."""


def play(tree: Tree, chance: random.Random, *, again: float = AGAIN) -> tuple[int, ...]:
    """Return one run of the tree as its keys: parts of a choice equally likely, parallel steps shuffled evenly.

    `again` is the chance of each further round of a loop.

    >>> from offscript.workflow.tree import choice, sequence, step
    >>> play(sequence(step(1), choice(step(2), step(3))), random.Random(0))
    (1, 3)
    """
    match tree.kind:
        case Kind.STEP:
            return (tree.key,)
        case Kind.SKIP:
            return ()
        case Kind.SEQUENCE:
            return tuple(key for part in tree.parts for key in play(part, chance, again=again))
        case Kind.CHOICE:
            return play(chance.choice(tree.parts), chance, again=again)
        case Kind.PARALLEL:
            return _shuffled([play(part, chance, again=again) for part in tree.parts], chance)
        case Kind.LOOP:
            body, between = tree.parts
            keys = play(body, chance, again=again)
            while chance.random() < again:
                keys += play(between, chance, again=again) + play(body, chance, again=again)
            return keys


def accepts(tree: Tree, keys: Iterable[int]) -> bool:
    """Whether the keys are a whole run of the tree; exact, also where a key stands in several places.

    >>> from offscript.workflow.tree import loop, sequence, skip, step
    >>> accepts(sequence(loop(step(1), skip()), step(1)), [1, 1, 1]), accepts(step(1), [])
    (True, False)
    """
    return machine_of(tree).accepts(keys)


def _shuffled(runs: list[tuple[int, ...]], chance: random.Random) -> tuple[int, ...]:
    """Merge runs, every order of their steps that keeps each run in order being equally likely."""
    turns = [number for number, run in enumerate(runs) for _ in run]
    chance.shuffle(turns)
    left = [iter(run) for run in runs]
    return tuple(next(left[turn]) for turn in turns)
