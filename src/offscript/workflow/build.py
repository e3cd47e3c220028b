"""From a tree and its sessions to the graph: nodes and edges, with counts, probabilities and times (ours)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from offscript.workflow.graph import Edge, Node, NodeKind, Times, Workflow
from offscript.workflow.machine import START, Link, Machine
from offscript.workflow.tree import Tree
from offscript.workflow.walk import replay


def workflow_of(
    number: int,
    tree: Tree,
    sessions: Mapping[tuple[int, ...], int],
    times: Mapping[tuple[int, int], Times] | None = None,
) -> Workflow:
    """Return the graph of a tree, counted by replaying distinct sessions as often as each came.

    Sessions that are not of the tree are counted as noise, and nowhere else. `times` are by (key before, key); an edge
    to a step has those of all steps that may be the last before it: see `joined_times`.

    >>> from offscript.workflow.tree import choice, sequence, skip, step
    >>> flow = workflow_of(1, sequence(step(7), choice(step(8), skip())), {(7, 8): 3, (7,): 1, (8, 8): 1})
    >>> [(edge.before, edge.after, edge.count, edge.probability) for edge in flow.edges]
    [(0, 1, 4, 1.0), (1, 2, 3, 0.75), (1, 3, 1, 0.25), (2, 3, 3, 1.0)]
    >>> flow.sessions, flow.noise
    (5, 1)
    """
    machine = Machine(tree)
    taken: Counter[Link] = Counter()
    noise = 0
    for keys, count in sessions.items():
        moves = replay(machine, keys)
        if moves is None:
            noise += count
            continue
        for move in moves:
            for link in move.links:
                taken[link] += count
        for link in machine.links_to_end(moves[-1].state if moves else None):
            taken[link] += count
    kinds = _kinds(machine)
    total = sum(sessions.values())
    passes = _passes(machine, taken, total - noise)
    nodes = tuple(Node(node, kind, key, passes[node]) for node, (kind, key) in enumerate(kinds))
    edges = _edges(machine, nodes, taken, times or {})
    return Workflow(number, tree, nodes, edges, total, noise)


def _kinds(machine: Machine) -> list[tuple[NodeKind, int]]:
    kinds = [(NodeKind.START, 0)] * (machine.end + 1)
    for position in machine.positions:
        if position.levels:
            kinds[position.into], kinds[position.out] = (NodeKind.FORK, 0), (NodeKind.JOIN, 0)
        else:
            kinds[position.into] = NodeKind.STEP, position.key
    kinds[machine.end] = NodeKind.END, 0
    return kinds


def _passes(machine: Machine, taken: Counter[Link], sessions: int) -> Counter[int]:
    """How often each node was passed: as often as its edges were taken, a join as often as its fork."""
    passes: Counter[int] = Counter({START: sessions})
    for (_, after), count in taken.items():
        passes[after] += count
    for position in machine.positions:
        if position.levels:
            passes[position.out] = passes[position.into]
    return passes


def _edges(
    machine: Machine, nodes: Sequence[Node], taken: Counter[Link], times: Mapping[tuple[int, int], Times]
) -> tuple[Edge, ...]:
    links = machine.links()
    before_of: dict[int, list[int]] = {}
    for before, after in links:
        before_of.setdefault(after, []).append(before)
    edges = []
    for (before, after), is_back in sorted(links.items()):
        count, passed = taken[before, after], nodes[before].count
        known = None
        if nodes[after].kind is NodeKind.STEP:
            keys = _last_keys(before, nodes, before_of, set())
            known = joined_times(times[key, nodes[after].key] for key in keys if (key, nodes[after].key) in times)
        edges.append(Edge(before, after, count, count / passed if passed else 0.0, known, is_back))
    return tuple(edges)


def _last_keys(node: int, nodes: Sequence[Node], before_of: Mapping[int, list[int]], met: set[int]) -> list[int]:
    """The keys of the steps that may be the last at a node: its own, or those before a fork or join."""
    if nodes[node].kind is NodeKind.STEP:
        return [nodes[node].key]
    if node in met:
        return []
    met.add(node)
    found = [key for before in before_of.get(node, []) for key in _last_keys(before, nodes, before_of, met)]
    return list(dict.fromkeys(found))


def joined_times(times: Iterable[Times]) -> Times | None:
    """Return times that hold several: the widest range, the median of the commonest; None of none.

    The middle 98% of each lie between `low` and `high`, and so does at least as much of all together.

    >>> joined_times([Times(9, 1.0, 2.0, 3.0, 4.0), Times(1, 0.5, 7.0, 9.0, 9.0)])
    Times(count=10, low=0.5, median=2.0, high=9.0, longest=9.0)
    """
    known = list(times)
    if not known:
        return None
    return Times(
        sum(one.count for one in known),
        min(one.low for one in known),
        max(known, key=lambda one: one.count).median,
        max(one.high for one in known),
        max(one.longest for one in known),
    )
