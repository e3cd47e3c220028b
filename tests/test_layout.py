"""The layout of drawings: nothing overlaps, nothing runs through a box, and it is the same every time."""

from __future__ import annotations

import random
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.drawn_workflows import trees, workflow_of

from offscript.workflow.crossings import crossings, ordered, untangled
from offscript.workflow.layout import Box, Layout, Link, Point, Route, Size, lay_out
from offscript.workflow.ranks import ranks, turned
from offscript.workflow.tree import Tree

patient = settings(deadline=None, max_examples=60)  # the machine may be busy, and shrinking large graphs is slow


@st.composite
def inputs(draw: st.DrawFn) -> tuple[list[Size], list[Link]]:
    """Return nodes of any size and edges of any kind between them."""
    count = draw(st.integers(1, 20))
    sizes = [Size(draw(st.integers(4, 200)), draw(st.integers(4, 60)), draw(st.booleans())) for _ in range(count)]
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    links = [
        Link(before, after, draw(st.booleans()), float(width), 14.0 if width else 0.0)
        for before, after in draw(st.lists(ends, max_size=40))
        for width in [draw(st.sampled_from([0, 30, 80]))]
    ]
    return sizes, links


def overlap(one: Box, other: Box, slack: float = 0.1) -> bool:
    """Tell whether two boxes have area in common; places are rounded to hundredths."""
    return (
        abs(one.x - other.x) < (one.width + other.width) / 2 - slack
        and abs(one.y - other.y) < (one.height + other.height) / 2 - slack
    )


def points(route: Route) -> list[Point]:
    """Return points all along an edge."""
    found, last = [route.start], route.start
    for first, second, end in route.curves:
        for step in range(1, 9):
            t, s = step / 8, 1 - step / 8
            weights = (s**3, 3 * s * s * t, 3 * s * t * t, t**3)
            four = (last, first, second, end)
            x, y = (sum(weight * point[axis] for weight, point in zip(weights, four, strict=True)) for axis in (0, 1))
            found.append((x, y))
        last = end
    return [*found, route.tip]


def check(made: Layout, links: list[Link]) -> None:
    """Check what every layout promises."""
    boxes = [*made.boxes, *(route.words for route in made.routes if route.words is not None)]
    for number, box in enumerate(boxes):
        assert box.x - box.width / 2 >= -0.1
        assert box.x + box.width / 2 <= made.width + 0.1
        assert -0.1 <= box.y - box.height / 2 <= box.y + box.height / 2 <= made.height + 0.1
        assert not any(overlap(box, other) for other in boxes[:number])
    for link, route in zip(links, made.routes, strict=True):
        assert (route.words is not None) == (link.width > 0)
        for x, y in points(route):
            beside = (box for box in made.boxes if abs(box.y - y) < box.height / 2)
            assert not any(overlap(Box(x, y, 0.2, 0.2), box, slack=0.3) for box in beside)


@patient
@given(inputs())
def test_nothing_overlaps(given_graph: tuple[list[Size], list[Link]]) -> None:
    """Boxes and the words of edges never overlap, and no edge runs through a box, whatever the graph."""
    sizes, links = given_graph
    made = lay_out(sizes, links)
    check(made, links)
    assert made == lay_out(sizes, links)


@patient
@given(inputs())
def test_every_edge_meets_its_nodes(given_graph: tuple[list[Size], list[Link]]) -> None:
    """An edge starts on the border of its first node and its arrow ends on that of its second."""
    sizes, links = given_graph
    made = lay_out(sizes, links)
    for link, route in zip(links, made.routes, strict=True):
        for (x, y), box in ((route.start, made.boxes[link.before]), (route.tip, made.boxes[link.after])):
            assert abs(x - box.x) <= box.width / 2 + 0.1
            assert abs(y - box.y) <= box.height / 2 + 0.1


@patient
@given(trees())
def test_a_task_runs_downwards(tree: Tree) -> None:
    """Of a task's workflow every edge leads down, but those that close a loop."""
    flow = workflow_of(tree)
    made = lay_out([Size(80, 30)] * len(flow.nodes), [Link(e.before, e.after, e.is_back) for e in flow.edges])
    for edge in flow.edges:
        if not edge.is_back:
            assert made.boxes[edge.before].y < made.boxes[edge.after].y


@patient
@given(st.integers(1, 12), st.data())
def test_ranks_are_longest_paths(count: int, data: st.DataObject) -> None:
    """Edges that lead down go at least one rank, and every node stands right below one that leads to it."""
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    pairs = data.draw(st.lists(ends, max_size=30))
    back = data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    upwards = turned(count, pairs, back)
    found = ranks(count, pairs, upwards)
    above: dict[int, list[int]] = {node: [] for node in range(count)}
    for (before, after), up in zip(pairs, upwards, strict=True):
        if before != after:
            high, low = (after, before) if up else (before, after)
            assert found[high] < found[low]
            above[low].append(found[high])
    assert all(found[node] == max(above[node], default=-1) + 1 for node in range(count))


@patient
@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_orders_never_get_worse(upper: int, lower: int, data: st.DataObject) -> None:
    """Crossings are counted as pairs of segments are compared, and no sweep or swap adds any."""
    ends = st.tuples(st.integers(0, upper - 1), st.integers(upper, upper + lower - 1))
    below: list[list[int]] = [[] for _ in range(upper + lower)]
    above: list[list[int]] = [[] for _ in range(upper + lower)]
    segments = data.draw(st.lists(ends, max_size=12))
    for high, low in segments:
        below[high].append(low)
        above[low].append(high)
    first = [list(range(upper)), list(range(upper, upper + lower))]
    pairs = [(one, other) for number, one in enumerate(segments) for other in segments[:number]]
    assert crossings(first, below) == sum((a - c) * (b - d) < 0 for (a, b), (c, d) in pairs)
    alone = list(range(upper + lower))
    once = ordered(first, above, below, alone)
    twice = untangled(once, above, below, alone)
    assert crossings(first, below) >= crossings(once, below) >= crossings(twice, below)
    assert [sorted(rank) for rank in twice] == first


def test_large_graphs_take_no_time() -> None:
    """Sixty nodes with two hundred edges, the most tangled there are, take well under a second."""
    chance = random.Random(1)
    sizes = [Size(120, 40)] * 60
    links = [Link(chance.randrange(60), chance.randrange(60), width=40.0, height=14.0) for _ in range(200)]
    begun = time.process_time()
    check_later = lay_out(sizes, links)
    assert time.process_time() - begun < 3  # some 0.5 s where nobody else works; this only finds what explodes
    check(check_later, links)


@patient
@given(trees(40))
def test_large_tasks_are_drawn(tree: Tree) -> None:
    """The same promises hold for the workflows of large trees."""
    flow = workflow_of(tree)
    made = lay_out([Size(80, 30)] * len(flow.nodes), [Link(e.before, e.after, e.is_back) for e in flow.edges])
    check(made, [Link(e.before, e.after, e.is_back) for e in flow.edges])


@patient
@given(st.integers(1, 30))
def test_a_chain_is_a_straight_line(count: int) -> None:
    """Steps one after another stand below one another, and the edges between them are straight."""
    made = lay_out([Size(60 + 7 * (n % 5), 20) for n in range(count)], [Link(n, n + 1) for n in range(count - 1)])
    assert len({box.x for box in made.boxes}) == 1
    assert all(x == made.boxes[0].x for route in made.routes for x, _ in points(route))
