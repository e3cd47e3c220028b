"""The language of a tree the obvious way: all its runs up to a length, one by one. Slow; the truth for its tests."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from offscript.workflow.tree import Kind, Tree, choice, loop, parallel, sequence, skip, step

Run = tuple[int, ...]


def runs(tree: Tree, longest: int) -> set[Run]:
    """Return all runs of the tree that have at most `longest` keys."""
    if tree.kind is Kind.STEP:
        return {(tree.key,)} if longest else set()
    if tree.kind is Kind.SKIP:
        return {()}
    parts = [runs(part, longest) for part in tree.parts]
    if tree.kind is Kind.CHOICE:
        return set().union(*parts)
    if tree.kind is Kind.LOOP:
        body, again = parts
        return rounds(body, again, longest)
    whole: set[Run] = {()}
    for part in parts:
        merge = merges if tree.kind is Kind.PARALLEL else joined
        whole = {run for one in whole for other in part if len(one + other) <= longest for run in merge(one, other)}
    return whole


def joined(one: Run, other: Run) -> set[Run]:
    """Return the one run after the other."""
    return {one + other}


def merges(one: Run, other: Run) -> set[Run]:
    """Return all ways to shuffle two runs."""
    if not one or not other:
        return {one + other}
    return {one[:1] + run for run in merges(one[1:], other)} | {other[:1] + run for run in merges(one, other[1:])}


def rounds(body: set[Run], again: set[Run], longest: int) -> set[Run]:
    """Return the rounds of a loop."""
    found = set(body)
    while True:
        more = {run + a + b for run in found for a in again for b in body if len(run + a + b) <= longest}
        if more <= found:
            return found
        found |= more


def edits(tree: Tree, keys: Sequence[int], longest: int) -> int:
    """Return the least number of keys to leave out of the sequence, and of steps to pass over in a run, that fit."""
    return min(len(keys) + len(run) - 2 * common(tuple(keys), run) for run in runs(tree, longest))


def common(one: Run, other: Run) -> int:
    """Return the length of the longest common subsequence."""
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    return table[-1][-1]


def trees(keys: int = 3) -> st.SearchStrategy[Tree]:
    """Small trees over few keys, so that a key comes in several places."""

    def grown(part: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        some = st.lists(part, min_size=2, max_size=3)
        return (
            some.map(lambda parts: sequence(*parts))
            | some.map(lambda parts: choice(*parts))
            | st.lists(part, min_size=2, max_size=2).map(lambda parts: parallel(*parts))
            | st.builds(loop, part, part)
        )

    return st.recursive(st.integers(1, keys).map(step) | st.just(skip()), grown, max_leaves=6)
