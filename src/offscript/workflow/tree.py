"""Block structures: what may follow what in a task, as a tree of sequence, choice, parallel and loop (ours).

The paper names the parts (CCS 2017 section 4.2: sequence, concurrency, new task or branch, loop) and leaves open how
they nest. A tree says it, and every graph made of one is sound: whatever it starts, it can end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a tree does with its parts."""

    STEP = "step"
    SKIP = "skip"
    SEQUENCE = "sequence"
    CHOICE = "choice"
    PARALLEL = "parallel"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Tree:
    """One step (a log key), nothing (a skip), or parts in sequence, by choice, in parallel or in a loop.

    A loop has two parts: its body, and what happens before the body comes again (a skip: nothing).

    >>> print(sequence(step(1), parallel(step(2), step(3)), loop(step(4), skip())))
    →(1, ∧(2, 3), ↺(4, τ))
    """

    kind: Kind
    key: int = 0
    parts: tuple[Tree, ...] = ()

    def __str__(self) -> str:
        """Write the tree as process mining does."""
        if self.kind is Kind.STEP:
            return str(self.key)
        if self.kind is Kind.SKIP:
            return "τ"
        return f"{_SIGNS[self.kind]}({', '.join(map(str, self.parts))})"

    def steps(self) -> Iterator[Tree]:
        """Yield the steps, from left to right; a key in two places comes twice."""
        if self.kind is Kind.STEP:
            yield self
        for part in self.parts:
            yield from part.steps()


_SIGNS = {Kind.SEQUENCE: "→", Kind.CHOICE: "×", Kind.PARALLEL: "∧", Kind.LOOP: "↺"}  # noqa: RUF001 (the sign of choice)


def step(key: int) -> Tree:
    """One log key."""
    return Tree(Kind.STEP, key)


def skip() -> Tree:
    """Nothing: the part of a choice that leaves a step out."""
    return Tree(Kind.SKIP)


def sequence(*parts: Tree) -> Tree:
    """Parts, one after another."""
    return Tree(Kind.SEQUENCE, 0, parts)


def choice(*parts: Tree) -> Tree:
    """One of the parts."""
    return Tree(Kind.CHOICE, 0, parts)


def parallel(*parts: Tree) -> Tree:
    """All parts, their steps in any order among each other."""
    return Tree(Kind.PARALLEL, 0, parts)


def loop(body: Tree, again: Tree) -> Tree:
    """The body once, or more often with `again` between."""
    return Tree(Kind.LOOP, 0, (body, again))
