"""The part of a large workflow that a session passed: what a page shows of a task with a hundred steps (ours)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from offscript.workflow.graph import NodeKind, Walk, Workflow
from offscript.workflow.taken import taken

LARGE: Final = 60
"""Nodes above which a whole workflow is too much to find a path in."""

AHEAD: Final = 3
"""Steps shown that could have come where the script was left, the most frequent ones: as many as a verdict names."""


def near(workflow: Workflow, walk: Walk, slow: tuple[int, int] | None = None) -> tuple[Workflow, Walk, tuple[int, ...]]:
    """Return what a session passed of a workflow, what it missed, and what could have come where it left the script.

    The second is the walk by the new numbers of the nodes, the third the old numbers by the new ones. Edges are those
    that it took, those from and to what it missed or where it left, and the slow one.

    >>> from offscript.workflow.build import workflow_of
    >>> from offscript.workflow.tree import choice, sequence, step
    >>> from offscript.workflow.walk import walk as lay
    >>> tree = sequence(step(1), choice(*map(step, range(2, 9))), step(9))
    >>> flow = workflow_of(1, tree, {(1, key, 9): key for key in range(2, 9)})
    >>> part, _, _ = near(flow, lay(flow, (1, 4, 9), ended=True))
    >>> [node.key for node in part.nodes if node.key]
    [1, 4, 9]
    """
    passed = taken(workflow, walk)
    ahead = sorted((edge for edge in workflow.edges if edge.before == walk.last), key=lambda edge: -edge.count)
    next_ones = {edge.after for edge in ahead[:AHEAD]} if walk.departure is not None else set()
    also = {walk.last, *walk.missing, *(slow or ())}
    starts = {node.number for node in workflow.nodes if node.kind is NodeKind.START}
    kept = sorted(passed.nodes | also | next_ones | starts)
    new = {number: place for place, number in enumerate(kept)}
    edges = []
    for place, edge in enumerate(workflow.edges):
        is_way = not edge.is_back and (edge.before in also or edge.after in also)
        wanted = place in passed.edges or (edge.before, edge.after) == slow or is_way
        if wanted and edge.before in new and edge.after in new:
            edges.append(replace(edge, before=new[edge.before], after=new[edge.after]))
    nodes = tuple(replace(workflow.nodes[number], number=place) for number, place in new.items())
    moved = replace(
        walk,
        nodes=tuple(None if node is None else new[node] for node in walk.nodes),
        last=new[walk.last],
        missing=tuple(new[node] for node in walk.missing),
    )
    return replace(workflow, nodes=nodes, edges=tuple(edges)), moved, tuple(kept)
