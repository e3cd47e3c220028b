"""Layered layout of a graph, top down: boxes that never overlap, edges as curves around them (ours, after Sugiyama).

Nodes stand on even ranks, the words of edges on odd ones. An edge passes every rank between its ends through a bend of
its own, so no curve runs through a box. Edges that run upwards leave and enter at a node's right side, through bends
there, and run up beside what they repeat. Nothing is random, and the work is bounded.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from offscript.workflow.crossings import Ranks, ordered, untangled
from offscript.workflow.places import Extents, places
from offscript.workflow.ranks import ranks, turned

Point = tuple[float, float]
Curve = tuple[Point, Point, Point]
"""Two control points and the end of a cubic curve."""

APART = 16.0  # between neighbours in a rank: two thirds of the height of a box, so that they are seen as two
BETWEEN = 13.0  # between ranks: room for an arrowhead and the bend of a curve
SLOPE, STEEPEST = 0.07, 44.0  # ranks move apart where edges run far to the side: flat curves cannot be told apart
LANE = 7.0  # half the room of a bend: two edges side by side are told apart at full width
ROUND = 11.0  # radius of the corners of edges that run upwards: as round as the boxes, seen from afar
ASIDE = 0.3  # of a node's height: edges that run upwards leave below its middle and enter above, words between
ARROW = 7.0  # length of an arrowhead: the curve ends where it begins


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height of a node; edges meet a bar anywhere along it, other nodes in the middle."""

    width: float
    height: float
    is_bar: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """An edge to lay out, with the width and height of its words (0 for none)."""

    before: int
    after: int
    is_back: bool = False
    width: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its middle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """How an edge runs: from `start` along `curves`; the arrowhead ends at `tip`. `words` is where its words go."""

    start: Point
    curves: tuple[Curve, ...]
    tip: Point
    words: Box | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A box for each node, a route for each edge, all within (0, 0) and (width, height)."""

    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


@dataclass(slots=True)
class _Items:
    """Nodes and bends: extents about their middle, heights, ranks, and neighbours in the ranks above and below."""

    left: list[float] = field(default_factory=list)
    right: list[float] = field(default_factory=list)
    heights: list[float] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    bends: list[bool] = field(default_factory=list)
    tied: list[int] = field(default_factory=list)
    above: list[list[int]] = field(default_factory=list)
    below: list[list[int]] = field(default_factory=list)

    def add(
        self, rank: int, left: float, right: float, height: float = 0.0, *, bend: bool = True, tied: int | None = None
    ) -> int:
        """Add an item and return its number."""
        self.left.append(left)
        self.right.append(right)
        self.heights.append(height)
        self.ranks.append(rank)
        self.bends.append(bend)
        self.tied.append(len(self.tied) if tied is None else tied)
        self.above.append([])
        self.below.append([])
        return len(self.left) - 1

    def join(self, chain: Sequence[int]) -> None:
        """Join items on ranks one below another."""
        for high, low in itertools.pairwise(chain):
            self.below[high].append(low)
            self.above[low].append(high)


@dataclass(frozen=True, slots=True)
class _Chain:
    """The items an edge passes, from its upper end to its lower, and the one that holds its words."""

    items: tuple[int, ...]
    words: int | None
    upwards: bool


def lay_out(sizes: Sequence[Size], links: Sequence[Link]) -> Layout:
    """Lay out a graph, top down (Sugiyama's steps: ranks, order, places, routes).

    Args:
        sizes: of nodes 0, 1, 2 ...
        links: edges between them, by their numbers; any graph may be given.

    >>> made = lay_out([Size(60, 20), Size(60, 20)], [Link(0, 1)])
    >>> [(box.x, box.y) for box in made.boxes], made.routes[0].tip
    ([(30.0, 10.0), (30.0, 56.0)], (30.0, 46.0))
    """
    items = _Items()
    pairs = [(link.before, link.after) for link in links]
    upwards = turned(len(sizes), pairs, [link.is_back for link in links])
    of_nodes = ranks(len(sizes), pairs, upwards)
    for size, rank in zip(sizes, of_nodes, strict=True):
        items.add(2 * rank, size.width / 2, size.width / 2, size.height, bend=False)
    chains = _chains(items, links, upwards)
    order = _order(items, len(sizes))
    x = places(order, items.above, items.below, Extents(items.left, items.right, items.bends, APART))
    edge = min((x[item] - items.left[item] for item in range(len(x))), default=0.0)
    x = [round(place - edge, 2) for place in x]
    tops, bottoms = _heights(order, items, x)
    drawn = _Drawn(items, x, tops, bottoms, sizes)
    routes = tuple(drawn.route(chain, link) for chain, link in zip(chains, links, strict=True))
    boxes = tuple(Box(x[node], drawn.middle(node), size.width, size.height) for node, size in enumerate(sizes))
    width = max((x[item] + items.right[item] for item in range(len(x))), default=0.0)
    return Layout(boxes, routes, round(width, 2), round(bottoms[-1], 2) if bottoms else 0.0)


def _chains(items: _Items, links: Sequence[Link], upwards: Sequence[bool]) -> list[_Chain]:
    """Give every edge its bends; those of edges that run upwards stand at the right of their ends, short ones first."""
    found: dict[int, _Chain] = {}
    spans = {n: abs(items.ranks[link.before] - items.ranks[link.after]) for n, link in enumerate(links)}
    for number in sorted(spans, key=lambda n: (upwards[n], spans[n])):
        link = links[number]
        if not upwards[number]:
            high, low = link.before, link.after
        elif link.before == link.after:
            aside = items.add(items.ranks[link.before], LANE, LANE + link.width, link.height, tied=link.before)
            found[number] = _Chain((aside,), aside if link.width else None, True)
            continue
        else:
            high, low = (items.add(items.ranks[end], LANE, LANE, tied=end) for end in (link.after, link.before))
        # the words of an edge stand near where it leaves: that is where people choose
        told = items.ranks[low] - 1 if upwards[number] else items.ranks[high] + 1
        between = [
            items.add(rank, LANE, LANE + link.width, link.height) if rank == told else items.add(rank, LANE, LANE)
            for rank in range(items.ranks[high] + 1, items.ranks[low])
        ]
        chain = (high, *between, low)
        items.join(chain)
        found[number] = _Chain(chain, chain[told - items.ranks[high]] if link.width else None, upwards[number])
    return [found[number] for number in range(len(links))]


def _order(items: _Items, nodes: int) -> Ranks:
    """Begin with the order of a walk from the top, edges first come first served, then take crossings away."""
    asides: dict[int, list[int]] = {}
    for item in range(nodes, len(items.tied)):
        if items.tied[item] != item:
            asides.setdefault(items.tied[item], []).append(item)
    first: Ranks = [[] for _ in range(max(items.ranks, default=-1) + 1)]
    seen = [False] * len(items.ranks)
    for start in sorted(range(len(items.ranks)), key=lambda item: (items.ranks[item], item)):
        todo = [start]
        while todo:
            item = items.tied[todo.pop()]
            if seen[item]:
                continue
            group = [item, *asides.get(item, ())]
            for one in group:
                seen[one] = True
                first[items.ranks[one]].append(one)
            todo += [low for one in reversed(group) for low in reversed(items.below[one])]
    found = ordered(first, items.above, items.below, items.tied)
    return untangled(found, items.above, items.below, items.tied)


def _heights(order: Ranks, items: _Items, x: list[float]) -> tuple[list[float], list[float]]:
    """Return top and bottom of each rank."""
    tops: list[float] = []
    bottoms: list[float] = []
    y = 0.0
    for rank in order:
        if tops:
            aside = max((abs(x[item] - x[high]) for item in rank for high in items.above[item]), default=0.0)
            y += BETWEEN + min(STEEPEST, SLOPE * aside)
        tops.append(round(y, 2))
        y += max((items.heights[item] for item in rank), default=0.0)
        bottoms.append(round(y, 2))
    return tops, bottoms


@dataclass(frozen=True, slots=True)
class _Drawn:
    items: _Items
    x: list[float]
    tops: list[float]
    bottoms: list[float]
    sizes: Sequence[Size]

    def middle(self, item: int) -> float:
        """Return the y of an item's middle: that of its rank."""
        rank = self.items.ranks[item]
        return round((self.tops[rank] + self.bottoms[rank]) / 2, 2)

    def route(self, chain: _Chain, link: Link) -> Route:
        """Return how an edge runs through the items of its chain."""
        words = None
        if chain.words is not None:
            left = self.x[chain.words] + LANE
            words = Box(left + link.width / 2, self.middle(chain.words), link.width, link.height)
        if link.before == link.after:
            return self._around(chain.items[0], link.before, words)
        return self._up(chain, link, words) if chain.upwards else self._down(chain, link, words)

    def _down(self, chain: _Chain, link: Link, words: Box | None) -> Route:
        high, *between, low = chain.items
        first = self._meet(link.before, between[0])
        last = self._meet(link.after, between[-1])
        start = (first, self.middle(high) + self.sizes[link.before].height / 2)
        tip = (last, self.middle(low) - self.sizes[link.after].height / 2)
        points = [start, (first, self.bottoms[self.items.ranks[high]])]
        for bend in between:
            rank = self.items.ranks[bend]
            points += [(self.x[bend], self.tops[rank]), (self.x[bend], self.bottoms[rank])]
        end, top = (last, round(tip[1] - ARROW, 2)), self.tops[self.items.ranks[low]]
        points += [(last, top), end] if top < end[1] else [end]
        return Route(start, _smooth(points), tip, words)

    def _meet(self, node: int, bend: int) -> float:
        size = self.sizes[node]
        if not size.is_bar:
            return self.x[node]
        room = max(0.0, size.width / 2 - 4)  # not at the very end of the bar
        return round(min(max(self.x[bend], self.x[node] - room), self.x[node] + room), 2)

    def _up(self, chain: _Chain, link: Link, words: Box | None) -> Route:
        high, *between, low = chain.items
        start = self._side(link.before, ASIDE)
        corner = (self.x[low], start[1])
        points = [(self.x[low], self.tops[self.items.ranks[low]])]
        for bend in reversed(between):
            rank = self.items.ranks[bend]
            points += [(self.x[bend], self.bottoms[rank]), (self.x[bend], self.tops[rank])]
        points.append((self.x[high], self.bottoms[self.items.ranks[high]]))
        tip = self._side(link.after, -ASIDE)
        last = (self.x[high], tip[1])
        end = (tip[0] + ARROW, tip[1])
        curves = (*_around_corner(start, corner, points[0]), *_smooth(points), *_around_corner(points[-1], last, end))
        return Route(start, curves, tip, words)

    def _side(self, node: int, down: float) -> Point:
        """Return a point on the right side, so much of the height below the middle."""
        size = self.sizes[node]
        return round(self.x[node] + size.width / 2, 2), round(self.middle(node) + down * size.height, 2)

    def _around(self, aside: int, node: int, words: Box | None) -> Route:
        start, tip = self._side(node, ASIDE / 2), self._side(node, -ASIDE / 2)
        out = self.x[aside] + LANE / 2
        return Route(start, (((out, start[1]), (out, tip[1]), (tip[0] + ARROW, tip[1])),), tip, words)


def _around_corner(start: Point, corner: Point, end: Point) -> tuple[Curve, ...]:
    """Join two points by straight lines and a rounded corner."""
    before, after = (_toward(corner, point) for point in (start, end))
    return (start, before, before), (corner, corner, after), (after, end, end)


def _toward(corner: Point, point: Point) -> Point:
    """Return where the round of a corner begins, on the upright or level way to a point."""
    x, y = (point[axis] - corner[axis] for axis in (0, 1))
    part = min(ROUND, abs(x) + abs(y)) / ((abs(x) + abs(y)) or 1)
    return round(corner[0] + part * x, 2), round(corner[1] + part * y, 2)


def _smooth(points: list[Point]) -> tuple[Curve, ...]:
    """Join points by curves that are upright at each."""
    curves = []
    for (x, y), end in itertools.pairwise(points):
        middle = round((y + end[1]) / 2, 2)
        if (x, y) != end:
            curves.append(((x, y), end, end) if x == end[0] else ((x, middle), (end[0], middle), end))
    return tuple(curves)
