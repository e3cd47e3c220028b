"""Workflows as text: an outline of the task for a terminal (ours)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from offscript.plain import duration
from offscript.workflow.draw import Drawing, share
from offscript.workflow.graph import Edge, Node, NodeKind, Workflow
from offscript.workflow.tree import Kind, Tree

WIDTH = 54  # columns before the figures: label and key, eight levels in, within a terminal of 80
INDENT = "  "


def text(workflow: Workflow, names: Mapping[int, str]) -> str:
    """Return a workflow as an outline: steps in order, and what is a choice, in any order, or repeated, indented.

    Beside a step stand how often it came and, where the log has times, the median time since the step before. An
    alternative begins with its share. `*` marks steps after the edges where most of the time goes.

    >>> from offscript.workflow.tree import choice, sequence, skip, step
    >>> nodes = tuple(Node(n, NodeKind.STEP, n + 1, count) for n, count in enumerate([100, 25, 100]))
    >>> tree = sequence(step(1), choice(step(2), skip()), step(3))
    >>> print(text(Workflow(1, tree, nodes, (), 100), {1: "open", 2: "warn", 3: "close"}), end="")
    task 1: 100 sessions
      open (key 1)                                               100
      either
        25%  warn (key 2)                                         25
        75%  nothing
      close (key 3)                                              100
    """
    outline = _Outline(Drawing(workflow, names))
    rows = list(
        outline.rows(_part(workflow.tree, _waiting(workflow)), 1, float(workflow.sessions - workflow.noise), "")
    )
    lines = [outline.drawing.head(), *(row.line() for row in rows)]
    if any(row.wait for row in rows):
        lines.append(f"{INDENT}figures: how often in training, and the median time since the step before")
    if any(row.is_slow for row in rows):
        whole = sum(outline.drawing.slow.values())
        lines.append(f"{INDENT}*: where {whole:.0%} of the time goes")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Row:
    depth: int
    words: str
    count: str = ""
    wait: str = ""
    is_slow: bool = False

    def line(self) -> str:
        words = INDENT * self.depth + self.words
        told = f"{words:<{WIDTH}} {self.count:>9}  {self.wait:>8}{' *' if self.is_slow else ''}"
        return told.rstrip()


@dataclass(frozen=True, slots=True)
class _Part:
    """A tree whose steps know their nodes."""

    kind: Kind
    key: int
    node: Node | None
    parts: tuple[_Part, ...]

    def nodes(self) -> Iterator[Node]:
        """Yield the nodes of the steps."""
        if self.node is not None:
            yield self.node
        for part in self.parts:
            yield from part.nodes()

    def loops(self) -> Iterator[_Part]:
        """Yield the loops in it, the outermost ones; what repeats within these is theirs."""
        if self.kind is Kind.LOOP:
            yield self
            return
        for part in self.parts:
            yield from part.loops()


class _Outline:
    def __init__(self, drawing: Drawing) -> None:
        self.drawing = drawing
        self.into: dict[int, list[Edge]] = {}
        for edge in drawing.workflow.edges:
            self.into.setdefault(edge.after, []).append(edge)

    def rows(self, tree: _Part, depth: int, passes: float, mark: str) -> Iterator[_Row]:
        """Yield the rows of a part that is passed so often; the first begins with `mark`, the share of a choice."""
        if tree.kind is Kind.STEP:
            yield self._step(tree, depth, mark)
        elif tree.kind is Kind.SKIP:
            yield _Row(depth, f"{mark}nothing")
        elif tree.kind is Kind.SEQUENCE:
            yield from self._sequence(tree, depth, passes, mark)
        elif tree.kind is Kind.CHOICE:
            yield _Row(depth, f"{mark}either")
            yield from self._choice(tree, depth + 1, passes)
        elif tree.kind is Kind.PARALLEL:
            yield _Row(depth, f"{mark}in any order")
            for part in tree.parts:
                yield from self.rows(part, depth + 1, passes, "- ")
        else:
            yield from self._loop(tree, depth, passes, mark)

    def _step(self, tree: _Part, depth: int, mark: str) -> _Row:
        node = tree.node
        label = f"{mark}{self.drawing.labels.get(tree.key, '')} (key {tree.key})"
        if node is None:
            return _Row(depth, label)
        before = [edge for edge in self.into.get(node.number, ()) if edge.times is not None]
        usual = max(before, key=lambda edge: edge.count, default=None)
        wait = "" if usual is None or usual.times is None else duration(usual.times.median)
        is_slow = any(self.drawing.is_slow(edge) for edge in before)
        return _Row(depth, label, f"{node.count:,}", wait, is_slow)

    def _sequence(self, tree: _Part, depth: int, passes: float, mark: str) -> Iterator[_Row]:
        for number, part in enumerate(tree.parts):
            yield from self.rows(part, depth + (number > 0) * bool(mark), passes, mark if number == 0 else "")

    def _choice(self, tree: _Part, depth: int, passes: float) -> Iterator[_Row]:
        counts = [self.passes(part) for part in tree.parts]
        known = sum(count for count in counts if count is not None)
        whole = max(passes, known)
        for part, count in zip(tree.parts, counts, strict=True):
            taken = max(0.0, whole - known) if count is None else count
            yield from self.rows(part, depth, taken, f"{share(taken / whole):>3}  " if whole else "")

    def _loop(self, tree: _Part, depth: int, passes: float, mark: str) -> Iterator[_Row]:
        body, again = tree.parts
        count = self.passes(body)
        often = f", {count / passes:.1f} times on average" if count is not None and passes else ""
        yield _Row(depth, f"{mark}repeated{often}")
        yield from self.rows(body, depth + 1, count or 0.0, "")
        if again.kind is not Kind.SKIP:
            yield _Row(depth, "and before each repetition")
            yield from self.rows(again, depth + 1, self.passes(again) or 0.0, "")

    def passes(self, tree: _Part) -> float | None:
        """Return how often a part was passed, as far as its steps tell: of a skip nothing is known."""
        if tree.kind is Kind.STEP:
            return None if tree.node is None else float(tree.node.count)
        if tree.kind is Kind.LOOP:
            return self._entered(tree)
        known = [count for part in tree.parts if (count := self.passes(part)) is not None]
        if not known:
            return None
        return sum(known) if tree.kind is Kind.CHOICE else max(known)

    def _entered(self, tree: _Part) -> float | None:
        """Return how often a loop was begun: as often as its body was passed, without the times it came again."""
        body, again = tree.parts
        whole = self.passes(body)
        if whole is None:
            return None
        if again.kind is not Kind.SKIP:
            return max(0.0, whole - (self.passes(again) or 0.0))
        inside = {node.number for node in body.nodes()}
        back = [edge for edge in self.drawing.workflow.edges if edge.is_back and self._reaches(edge, inside)]
        loops = [{node.number for node in part.nodes()} for part in body.loops()]
        own = [edge for edge in back if not any({edge.before, edge.after} <= loop for loop in loops)]
        return max(0.0, whole - sum(edge.count for edge in own))

    def _reaches(self, edge: Edge, inside: set[int]) -> bool:
        """Tell whether an edge leads from one of some steps to one of them."""
        nodes = self.drawing.workflow.nodes
        ends = (nodes[edge.before], nodes[edge.after])
        return all(end.number in inside or end.kind in (NodeKind.FORK, NodeKind.JOIN) for end in ends)


def _waiting(workflow: Workflow) -> dict[int, list[Node]]:
    """Return the nodes of each key, the first last."""
    waiting: dict[int, list[Node]] = {}
    for node in reversed(workflow.nodes):
        if node.kind is NodeKind.STEP:
            waiting.setdefault(node.key, []).append(node)
    return waiting


def _part(tree: Tree, waiting: dict[int, list[Node]]) -> _Part:
    """Give each step of a tree its node: of a key in several places the places come in the same order."""
    found = waiting.get(tree.key) if tree.kind is Kind.STEP else None
    node = found.pop() if found else None
    return _Part(tree.kind, tree.key, node, tuple(_part(part, waiting) for part in tree.parts))
