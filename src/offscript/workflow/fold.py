"""What is too much to be seen is drawn as one: many steps with the same ways in and out, and the rarest edges (ours).

A part that takes any of eighty steps in any order has 6,400 edges; as one box with a loop it says as much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from offscript.workflow.graph import Edge, Node, NodeKind, Workflow

ALIKE = 9  # alternatives side by side are as wide as a large screen; up to eight are drawn
LINKED = 4  # steps that may all follow each other: four have sixteen edges among them, and nobody sees which is where
MOST, MORE = 20, 1.5  # edges that are drawn, and how many more a node: of more nobody can follow one


@dataclass(frozen=True, slots=True)
class Fold:
    """A workflow to draw: `places` are the new numbers of its nodes, `members` the steps in a box of several.

    `links` are the new places of its edges, -1 for those that are not drawn; `hidden` is how many edges are too rare.
    """

    workflow: Workflow
    places: tuple[int, ...]
    links: tuple[int, ...]
    members: dict[int, tuple[Node, ...]] = field(default_factory=dict)
    hidden: int = 0


def fold(workflow: Workflow, nodes: Iterable[int] = (), edges: Iterable[int] = ()) -> Fold:
    """Draw steps with the same edges in and out as one, from ALIKE of them, or LINKED where they follow each other.

    `nodes` are left out of it, and `edges` (by their places) are drawn whatever happens: those of a session. Other
    edges of such a step are drawn at the box of all.

    >>> from offscript.workflow.tree import step
    >>> alike = tuple(Node(n, NodeKind.STEP, n, 1) for n in range(5))
    >>> both = tuple(Edge(n, m, 1, 0.2) for n in range(5) for m in range(5))
    >>> made = fold(Workflow(1, step(1), alike, both, 5))
    >>> len(made.workflow.nodes), [(edge.before, edge.after, edge.count) for edge in made.workflow.edges]
    (1, [(0, 0, 25)])
    """
    kept, drawn = set(nodes), set(edges)
    box: dict[int, int] = {}  # of a step that is folded, or would be: the first of those alike
    for group in _alike(workflow):
        rest = [number for number in group if number not in kept]
        box |= dict.fromkeys(group, rest[0] if rest else -1)
    firsts = [n.number for n in workflow.nodes if box.get(n.number, n.number) == n.number or n.number in kept]
    new = {number: place for place, number in enumerate(firsts)}
    places = tuple(new[n.number] if n.number in new else new[box[n.number]] for n in workflow.nodes)
    members: dict[int, tuple[Node, ...]] = {}
    for node in workflow.nodes:
        if node.number in box and node.number not in kept:
            members[places[node.number]] = (*members.get(places[node.number], ()), node)
    made = [_node(workflow.nodes[number], place, members) for number, place in new.items()]
    ends = [_ends(edge, at in drawn, box, new, places) for at, edge in enumerate(workflow.edges)]
    joined = _joined(workflow, ends, made)
    chosen = _chosen(joined, round(MOST + MORE * len(made)), {ends[at] for at in drawn if at < len(ends)})
    at = {(edge.before, edge.after): place for place, edge in enumerate(chosen)}
    links = tuple(-1 if pair is None else at.get(pair, -1) for pair in ends)
    flow = replace(workflow, nodes=tuple(made), edges=tuple(chosen))
    return Fold(flow, places, links, members, len(joined) - len(chosen))


def _alike(workflow: Workflow) -> Iterator[list[int]]:
    """Yield steps with the same edges in and out, where they are enough."""
    into: list[set[int]] = [set() for _ in workflow.nodes]
    out: list[set[int]] = [set() for _ in workflow.nodes]
    for edge in workflow.edges:
        out[edge.before].add(edge.after)
        into[edge.after].add(edge.before)
    groups: dict[tuple[frozenset[int], frozenset[int]], list[int]] = {}
    for node in workflow.nodes:
        if node.kind is NodeKind.STEP and (into[node.number] or out[node.number]):
            groups.setdefault((frozenset(into[node.number]), frozenset(out[node.number])), []).append(node.number)
    for (_, after), group in groups.items():
        if len(group) >= (LINKED if group[0] in after else ALIKE):
            yield group


def _node(node: Node, place: int, members: dict[int, tuple[Node, ...]]) -> Node:
    inside = members.get(place)
    if inside is None:
        return replace(node, number=place)
    return Node(place, NodeKind.STEP, 0 if len(inside) > 1 else node.key, sum(one.count for one in inside))


def _ends(
    edge: Edge, is_drawn: bool, box: dict[int, int], new: dict[int, int], places: tuple[int, ...]
) -> tuple[int, int] | None:
    """Return between which nodes an edge is drawn; None where all steps alike are drawn for themselves."""
    if is_drawn:
        return places[edge.before], places[edge.after]
    before, after = (box.get(end, end) for end in (edge.before, edge.after))
    return None if before < 0 or after < 0 else (new[before], new[after])


def _joined(workflow: Workflow, ends: list[tuple[int, int] | None], nodes: list[Node]) -> list[Edge]:
    """Add up the edges between the same two nodes; the times of several are those of the most frequent one."""
    found: dict[tuple[int, int], list[Edge]] = {}
    for edge, pair in zip(workflow.edges, ends, strict=True):
        if pair is not None:
            found.setdefault(pair, []).append(edge)
    joined = []
    for (before, after), edges in found.items():
        count = sum(edge.count for edge in edges)
        most = max(edges, key=lambda edge: edge.count)
        alone = len(edges) == 1 and nodes[before].key == workflow.nodes[edges[0].before].key
        passed = nodes[before].count
        part = most.probability if alone else min(1.0, count / passed) if passed else 0.0
        joined.append(Edge(before, after, count, part, most.times, all(edge.is_back for edge in edges)))
    return joined


def _chosen(edges: list[Edge], most: int, needed: set[tuple[int, int] | None]) -> list[Edge]:
    """Return the edges to draw: of too many the most frequent ones, and of each node the best way in and out."""
    if len(edges) <= most:
        return edges
    ranked = sorted(edges, key=lambda edge: -edge.count)
    pairs = {pair for pair in needed if pair is not None}
    pairs |= {(edge.before, edge.after) for edge in ranked[:most] if edge.count}
    for end in ("before", "after"):
        best = {getattr(edge, end): (edge.before, edge.after) for edge in reversed(ranked)}
        pairs |= set(best.values())
    return [edge for edge in edges if (edge.before, edge.after) in pairs]
