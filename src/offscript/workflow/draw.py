"""What every drawing of a workflow says: labels, shares, times, which edges are slow (ours).

The forms are `svg` (svg.py), `text` (outline.py), and `mermaid`, `dot` and `to_json` (notations.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from offscript.plain import duration, plain
from offscript.workflow.fold import Fold
from offscript.workflow.graph import Edge, Node, NodeKind, Times, Workflow
from offscript.workflow.labels import labels

TITLE = 2_000  # characters of a template on hover: more than any screen shows at once
LISTED = 40  # steps of a box of many that are told on hover, the most frequent ones: a screen of lines
LEAST_SLOW = 0.1  # of a run's time: an edge with less is not where the time goes, and so at most five are coloured
SLOW_HALF = 0.5  # of a run's time, held by the edges that are coloured: beyond it they tell nothing apart
WIDE, THIN = 4.0, 1.2  # pixels: half an arrowhead, and the least that is seen on paper


class Drawing:
    """A workflow with the words of a drawing: one label a key, one line an edge.

    Args:
        workflow: what is drawn.
        names: the template of each log key; a key without one is called by its number.
        folded: how it is drawn: see fold.py. By default each node and edge for itself.
    """

    def __init__(self, workflow: Workflow, names: Mapping[int, str], folded: Fold | None = None) -> None:
        self.workflow = workflow if folded is None else folded.workflow
        self.members = {} if folded is None else folded.members
        self.hidden = 0 if folded is None else folded.hidden
        self.keys = sorted({node.key for node in workflow.nodes if node.kind is NodeKind.STEP})
        self.names = {key: names.get(key) or f"key {key}" for key in self.keys}
        self.labels = labels(self.names)
        self.slow = slow_edges(workflow)
        if folded is not None:
            held: dict[tuple[int, int], float] = {}
            for (before, after), part in self.slow.items():  # of those drawn as one edge the shares add up
                ends = folded.places[before], folded.places[after]
                held[ends] = held.get(ends, 0.0) + part
            self.slow = held
        self._most = max((edge.count for edge in self.workflow.edges), default=0)

    def label(self, node: Node) -> str:
        """Return a node's label: the telling words of a step; START and END by name; forks and joins have none."""
        if self.is_many(node):
            return f"any of {len(self.members[node.number])} steps"
        if node.kind is NodeKind.STEP:
            return self.labels[node.key]
        return node.kind.value if node.kind in (NodeKind.START, NodeKind.END) else ""

    def is_many(self, node: Node) -> bool:
        """Tell whether a node stands for several steps."""
        return len(self.members.get(node.number, ())) > 1

    def most_frequent(self, node: Node, count: int) -> list[str]:
        """Return the labels of the most frequent steps of a node that stands for several, with their shares."""
        ranked = sorted(self.members[node.number], key=lambda one: -one.count)[:count]
        whole = node.count or 1
        return [f"{self.labels[one.key]}, {share(one.count / whole)}" for one in ranked]

    def width(self, edge: Edge) -> float:
        """Return the width of an edge's line in pixels, by the logarithm of its count."""
        if edge.count < 1:
            return THIN
        return round(THIN + (WIDE - THIN) * math.log1p(edge.count) / math.log1p(self._most), 2)

    def node_title(self, node: Node) -> str:
        """Return what is told of a node on hover: its key and whole template, and how often it was passed."""
        passed = f"passed {times(node.count)} in training"
        if self.is_many(node):
            return "\n".join([self.label(node), *self.most_frequent(node, LISTED), passed])
        if node.kind is NodeKind.STEP:
            return f"{plain(self.names[node.key], TITLE)}\nlog key {node.key}, {passed}"
        meaning = {
            NodeKind.FORK: "from here in any order",
            NodeKind.JOIN: "until all of it came",
            NodeKind.START: "the session begins",
            NodeKind.END: "the session ends",
        }
        return f"{meaning[node.kind]}\n{passed}"

    def edge_title(self, edge: Edge) -> str:
        """Return what is told of an edge on hover: its ends, how often it was taken, how long it took."""
        ends = " to ".join(self.label(self.workflow.nodes[n]) or "any order" for n in (edge.before, edge.after))
        told = [ends, f"taken {times(edge.count)}, {share(edge.probability)} of what follows"]
        if edge.times is not None:
            told.append(normal_times(edge.times))
        if edge.is_back:
            told.append("repeats what it leads back to")
        if self.is_slow(edge):
            told.append("one of the edges that hold half of a session's time")
        return "\n".join(told)

    def is_slow(self, edge: Edge) -> bool:
        """Tell whether an edge is one of those where most of the time goes."""
        return (edge.before, edge.after) in self.slow

    def head(self) -> str:
        """Return the first line of a drawing: the task, its sessions, and how many are not on the graph.

        A share of sessions is said of how many.
        """
        flow = self.workflow
        noise = f", {flow.noise:,} of them not as drawn" if flow.noise else ""
        return f"task {flow.number}: {flow.sessions:,} session{'' if flow.sessions == 1 else 's'}{noise}"


def slow_edges(workflow: Workflow) -> dict[tuple[int, int], float]:
    """Return the edges where the time goes, with the share of a session's time that each holds, the largest first.

    An edge holds its median time as often as it is taken. Of those that hold a tenth of all or more, the largest are
    taken until they hold half together, so there are five at most, and none where the time is spread evenly.

    >>> from offscript.workflow.tree import step
    >>> nodes = tuple(Node(n, NodeKind.STEP, n + 1, 5) for n in range(3))
    >>> slow, fast = Times(5, 1, 9.0, 12, 15), Times(5, 0, 1.0, 2, 3)
    >>> slow_edges(Workflow(1, step(1), nodes, (Edge(0, 1, 5, 1.0, slow), Edge(1, 2, 5, 1.0, fast)), 5))
    {(0, 1): 0.9}
    """
    held = {
        (edge.before, edge.after): edge.times.median * edge.times.count
        for edge in workflow.edges
        if edge.times is not None and edge.times.median > 0
    }
    whole = sum(held.values())
    found: dict[tuple[int, int], float] = {}
    for ends, time in sorted(held.items(), key=lambda item: (-item[1], item[0])):
        if time < LEAST_SLOW * whole or sum(found.values()) >= SLOW_HALF:
            break
        found[ends] = time / whole
    return found


def edge_words(edge: Edge) -> str:
    """Return the label of an edge: its share where it is not all, and its median time where it is not nothing.

    >>> edge_words(Edge(1, 2, 20, 0.25, Times(20, 0.5, 2.0, 3.0, 4.0))), edge_words(Edge(1, 2, 80, 1.0))
    ('25%, 2 s', '')
    """
    told = [] if edge.probability >= 1 else [share(edge.probability)]
    if edge.times is not None and edge.times.median >= 0.0005:  # less is printed as 0 ms
        told.append(duration(edge.times.median))
    return ", ".join(told)


def share(probability: float) -> str:
    """Return a share in percent; one that is not all is never printed as all, nor one that is something as nothing.

    >>> share(0.8), share(0.999), share(0.0001), share(1.0)
    ('80%', '>99%', '<1%', '100%')
    """
    if 0.99 < probability < 1:
        return ">99%"
    return "<1%" if 0 < probability < 0.01 else f"{probability:.0%}"


def times(count: int) -> str:
    """Return how often, in words.

    >>> times(1), times(1200)
    ('once', '1,200 times')
    """
    return "once" if count == 1 else f"{count:,} times"


def normal_times(found: Times) -> str:
    """Return the times of an edge in a sentence.

    >>> normal_times(Times(300, 0.5, 2.0, 3.0, 4.0))
    'takes 2 s (98% between 500 ms and 3 s, longest 4 s, of 300)'
    """
    middle = f"98% between {duration(found.low)} and {duration(found.high)}"
    return f"takes {duration(found.median)} ({middle}, longest {duration(found.longest)}, of {found.count:,})"
