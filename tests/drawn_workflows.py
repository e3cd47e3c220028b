"""Workflows for the tests of drawings: made from trees by plain composition, and graphs of any shape."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from offscript.workflow.graph import Edge, Node, NodeKind, Times, Workflow
from offscript.workflow.tree import Kind, Tree, choice, loop, parallel, sequence, skip, step


@dataclass
class Graph:
    """A graph that grows: nodes by kind and key, edges with whether they run back."""

    nodes: list[tuple[NodeKind, int]] = field(default_factory=list)
    edges: dict[tuple[int, int], bool] = field(default_factory=dict)

    def node(self, kind: NodeKind, key: int = 0) -> int:
        """Add a node."""
        self.nodes.append((kind, key))
        return len(self.nodes) - 1

    def join(self, lasts: list[int], firsts: list[int], *, back: bool = False) -> None:
        """Add an edge from each of the one to each of the other, unless there is one."""
        for last in lasts:
            for first in firsts:
                self.edges.setdefault((last, first), back)

    def add(self, tree: Tree) -> tuple[list[int], list[int], bool]:
        """Add a tree; return the nodes it begins with, those it ends with, and whether it can be passed over."""
        if tree.kind is Kind.STEP:
            node = self.node(NodeKind.STEP, tree.key)
            return [node], [node], False
        if tree.kind is Kind.SKIP:
            return [], [], True
        if tree.kind is Kind.PARALLEL:
            return self._parallel(tree)
        parts = [self.add(part) for part in tree.parts]
        if tree.kind is Kind.CHOICE:
            firsts = [node for part in parts for node in part[0]]
            return firsts, [node for part in parts for node in part[1]], any(part[2] for part in parts)
        if tree.kind is Kind.LOOP:
            (body, lasts, nothing), (again, done, straight) = parts
            self.join(lasts, again)
            self.join(done, body, back=True)
            if straight:
                self.join(lasts, body, back=True)
            return body, lasts, nothing
        return self._sequence(parts)

    def _parallel(self, tree: Tree) -> tuple[list[int], list[int], bool]:
        fork = self.node(NodeKind.FORK)
        parts = [self.add(part) for part in tree.parts]
        join = self.node(NodeKind.JOIN)
        for firsts, lasts, nothing in parts:
            self.join([fork], firsts)
            self.join(lasts, [join])
            if nothing:
                self.join([fork], [join])
        return [fork], [join], False

    def _sequence(self, parts: list[tuple[list[int], list[int], bool]]) -> tuple[list[int], list[int], bool]:
        firsts: list[int] = []
        lasts: list[int] = []
        nothing = True
        for first, last, empty in parts:
            self.join(lasts, first)
            firsts += first if nothing else []
            lasts = last + (lasts if empty else [])
            nothing = nothing and empty
        return firsts, lasts, nothing


def workflow_of(tree: Tree, sessions: int = 1000, times: Times | None = None) -> Workflow:
    """Return a workflow of a tree: what leaves a node is shared evenly, a fifth goes back."""
    graph = Graph()
    start = graph.node(NodeKind.START)
    firsts, lasts, nothing = graph.add(tree)
    end = graph.node(NodeKind.END)
    graph.join([start], firsts)
    graph.join(lasts, [end])
    if nothing:
        graph.join([start], [end])
    shares = _shares(graph)
    passed = _passed(graph, shares, sessions)
    nodes = tuple(Node(n, kind, key, round(passed[n])) for n, (kind, key) in enumerate(graph.nodes))
    edges = tuple(
        Edge(before, after, round(passed[before] * shares[before, after]), shares[before, after], times, back)
        for (before, after), back in graph.edges.items()
    )
    return Workflow(1, tree, nodes, edges, sessions)


def _shares(graph: Graph) -> dict[tuple[int, int], float]:
    found = {}
    for ends, back in graph.edges.items():
        beside = [graph.edges[other] for other in graph.edges if other[0] == ends[0]]
        if graph.nodes[ends[0]][0] is NodeKind.FORK:
            found[ends] = 1.0
        elif all(beside) or not any(beside):
            found[ends] = 1 / len(beside)
        else:
            found[ends] = 0.2 / sum(beside) if back else 0.8 / (len(beside) - sum(beside))
    return found


def _passed(graph: Graph, shares: dict[tuple[int, int], float], sessions: int) -> list[float]:
    passed = [0.0] * len(graph.nodes)
    for _ in range(60):  # loops settle
        new = [0.0] * len(graph.nodes)
        new[0] = float(sessions)
        for (before, after), given in shares.items():
            flow = passed[before] * given
            is_join = graph.nodes[after][0] is NodeKind.JOIN
            new[after] = max(new[after], flow) if is_join else new[after] + flow
        passed = new
    return passed


def trees(most: int = 15) -> st.SearchStrategy[Tree]:
    """Return trees of any nesting; a key may come in several places."""
    leaves = st.builds(step, st.integers(1, 12)) | st.just(skip())
    return st.recursive(
        leaves,
        lambda parts: (
            st.lists(parts, min_size=2, max_size=4).map(lambda found: sequence(*found))
            | st.lists(parts, min_size=2, max_size=4).map(lambda found: choice(*found))
            | st.lists(parts, min_size=2, max_size=3).map(lambda found: parallel(*found))
            | st.tuples(parts, parts).map(lambda found: loop(*found))
        ),
        max_leaves=most,
    )


@st.composite
def graphs(draw: st.DrawFn, most: int = 25) -> Workflow:
    """Return graphs of any shape: cycles that nobody marked, edges to a node itself, parts that hang on nothing."""
    kinds = draw(st.lists(st.sampled_from(list(NodeKind)), min_size=1, max_size=most))
    nodes = tuple(
        Node(n, kind, draw(st.integers(1, 9)) if kind is NodeKind.STEP else 0, draw(st.integers(0, 10**6)))
        for n, kind in enumerate(kinds)
    )
    numbers = st.integers(0, len(nodes) - 1)
    ends = draw(st.lists(st.tuples(numbers, numbers), max_size=3 * most, unique=True))
    edges = tuple(
        Edge(before, after, draw(st.integers(0, 10**6)), draw(st.floats(0, 1)), draw(_times()), draw(st.booleans()))
        for before, after in ends
    )
    return Workflow(1, sequence(*(step(node.key) for node in nodes if node.key)), nodes, edges, 100, 3)


def _times() -> st.SearchStrategy[Times | None]:
    some = st.floats(0, 1e6)
    return st.none() | st.builds(Times, st.integers(1, 10**6), some, some, some, some)
