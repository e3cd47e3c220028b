"""Trees said with fewer parts: the same runs, without parts that say nothing (ours)."""

from __future__ import annotations

from offscript.workflow.tree import Kind, Tree, loop, skip


def tidy(tree: Tree) -> Tree:
    """The same runs, said with fewer parts: parts within parts of a kind, skips where they say nothing."""
    return tidy_top(Tree(tree.kind, tree.key, tuple(map(tidy, tree.parts)))) if tree.parts else tree


def tidy_top(tree: Tree) -> Tree:
    """The same for a tree whose parts are tidy."""
    if not tree.parts:
        return tree
    parts = tree.parts
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
    match tree.kind:
        case Kind.SKIP:
            return True
        case Kind.STEP:
            return False
        case Kind.CHOICE:
            return any(map(may_be_nothing, tree.parts))
        case Kind.LOOP:
            return may_be_nothing(tree.parts[0])
        case _:
            return all(map(may_be_nothing, tree.parts))
