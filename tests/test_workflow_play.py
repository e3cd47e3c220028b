"""Runs of a tree, and whether a sequence is one."""

from __future__ import annotations

import random
import time

from hypothesis import given
from hypothesis import strategies as st
from tests.naive_workflow import runs, trees
from tests.strategies import FEW

from offscript.workflow.play import accepts, play
from offscript.workflow.tree import Tree, choice, loop, parallel, sequence, skip, step


@FEW
@given(trees(), st.lists(st.integers(1, 3), max_size=5))
def test_membership_is_exact(tree: Tree, keys: list[int]) -> None:
    """A sequence is accepted exactly where it is among the enumerated runs of the tree, duplicates and all."""
    known = runs(tree, 5)
    assert accepts(tree, keys) == (tuple(keys) in known)
    assert all(accepts(tree, run) for run in known)


@FEW
@given(trees(), st.integers(0, 9))
def test_what_is_played_is_accepted(tree: Tree, seed: int) -> None:
    """Every run drawn from a tree is one of it, and a seed gives the same run again."""
    keys = play(tree, random.Random(seed))
    assert accepts(tree, keys)
    assert keys == play(tree, random.Random(seed))


def test_all_orders_of_parallel_steps_are_as_likely() -> None:
    """Parallel steps come in each order about as often."""
    chance = random.Random(1)
    tree = parallel(sequence(step(1), step(2)), step(3))
    drawn = [play(tree, chance) for _ in range(900)]
    assert {run: drawn.count(run) for run in drawn}.keys() == {(1, 2, 3), (1, 3, 2), (3, 1, 2)}
    assert all(drawn.count(run) > 240 for run in drawn)


def test_wide_parallel_parts_cost_no_product_of_what_may_be_left_out() -> None:
    """Twenty optional steps in parallel, over and over, are judged at once, not in two to the twentieth states."""
    many = loop(parallel(*(choice(step(key), skip()) for key in range(1, 21))), step(99))
    began = time.process_time()
    assert accepts(many, [*range(20, 0, -1), 99, *range(1, 21)])
    assert not accepts(many, [*range(20, 0, -1), 5])
    assert time.process_time() - began < 5
