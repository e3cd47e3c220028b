"""Which nodes and edges of a workflow a session took (ours)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from offscript.workflow.graph import Edge, NodeKind, Walk, Workflow

_NEVER = -1  # a place before all entries


@dataclass(frozen=True, slots=True)
class Taken:
    """The nodes a session passed, by number, and the edges, by their place in `Workflow.edges`."""

    nodes: frozenset[int]
    edges: frozenset[int]


def taken(workflow: Workflow, walk: Walk) -> Taken:
    """Return what a session passed; the end too where it stayed on script.

    After the departure an edge counts only where its two steps came one directly after the other.
    A walk names the steps only. From each back to the one before, the edges follow: through forks and joins, of which a
    join has all its branches taken; where several could be, the one from what came latest.
    """
    return _Steps(workflow).taken(walk)


class _Steps:
    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.into: list[list[tuple[int, Edge]]] = [[] for _ in workflow.nodes]
        for place, edge in enumerate(workflow.edges):
            self.into[edge.after].append((place, edge))
        self.latest: dict[int, int] = {n.number: 0 for n in workflow.nodes if n.kind is NodeKind.START}
        self.nodes: set[int] = set(self.latest)
        self.edges: set[int] = set()

    def taken(self, walk: Walk) -> Taken:
        stop = len(walk.nodes) if walk.departure is None else walk.departure
        for place, node in enumerate(walk.nodes, 1):
            if node is not None:
                self._reach(node, since=0 if place <= stop else place - 1)
                self.nodes.add(node)
                self.latest[node] = place
        if walk.departure is None:
            for end in self._numbers(NodeKind.END):
                self._reach(end)
        return Taken(frozenset(self.nodes), frozenset(self.edges))

    def _numbers(self, kind: NodeKind) -> Iterable[int]:
        return (node.number for node in self.workflow.nodes if node.kind is kind)

    def _reach(self, node: int, since: int = 0) -> None:
        """Mark the way to a node from what came before it, not longer ago than the entry `since`."""
        todo, seen = [node], {node}
        while todo:
            low = todo.pop()
            self.nodes.add(low)
            ways = [(self._when(edge.before), place, edge) for place, edge in self.into[low]]
            ways = [way for way in ways if way[0] >= since]
            if ways and self.workflow.nodes[low].kind is not NodeKind.JOIN:
                ways = [max(ways, key=lambda way: (way[0], -way[1]))]
            for _, place, edge in ways:
                self.edges.add(place)
                if self._is_passage(edge.before) and edge.before not in seen:
                    seen.add(edge.before)
                    todo.append(edge.before)

    def _when(self, node: int) -> int:
        """Return when a node was passed last; of a fork or join: the latest step before it."""
        found, todo, seen = _NEVER, [node], {node}
        while todo:
            number = todo.pop()
            if not self._is_passage(number):
                found = max(found, self.latest.get(number, _NEVER))
                continue
            new = {edge.before for _, edge in self.into[number]} - seen
            seen |= new
            todo += new
        return found

    def _is_passage(self, node: int) -> bool:
        return self.workflow.nodes[node].kind in (NodeKind.FORK, NodeKind.JOIN)
