"""Workflows as SVG: for a page or a file, light and dark, without script or font of its own (ours)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from offscript.plain import plain
from offscript.workflow.draw import Drawing, edge_words, times
from offscript.workflow.fold import Fold, fold
from offscript.workflow.graph import Edge, Node, NodeKind, Walk, Workflow
from offscript.workflow.layout import Box, Link, Size, lay_out
from offscript.workflow.shapes import (
    HEAD,
    SMALL,
    STYLE,
    SWATCH,
    TEXT,
    WORDS,
    arrow_of,
    cross,
    path_of,
    rectangle,
    safe,
    sample,
    text_at,
    text_width,
)
from offscript.workflow.taken import Taken, taken

LINE, KEY_LINE = 15.0, 12.0  # heights of a line of text of 12 and of 10 pixels
PADDING = 9.0  # between the words of a box and its border
NAMED = 4  # steps named in a box of many, the most frequent ones
TWO_LINES = 19  # characters above which a label is broken: boxes twice as wide hold half as many side by side
MARGIN = 20.0
BAR, BAR_STEP = 6.0, 26.0  # a fork is as wide as what it leads to needs, up to BAR_MOST
BAR_MOST = 170.0
CIRCLE = 26.0


def svg(
    workflow: Workflow,
    names: Mapping[int, str],
    *,
    overlay: Walk | None = None,
    slow: tuple[int, int] | None = None,
    identity: str = "",
    styled: bool = True,
) -> str:
    """Return a workflow as one SVG element, valid as a file of its own and inside a page (ours).

    Args:
        workflow: what to draw.
        names: the template of each log key, shown whole on hover; any text is safe.
        overlay: a session laid on the workflow: its path stands out, the departure is marked, missing steps are dashed.
        slow: numbers of the two nodes of an edge that was slow in this session; only this edge is coloured then.
        identity: makes the ids within a page unique.
        styled: whether the element brings its style; without, the page holds `STYLE`.

    >>> from offscript.workflow.tree import step
    >>> nodes = (Node(0, NodeKind.START, 0, 7), Node(1, NodeKind.STEP, 5, 7), Node(2, NodeKind.END, 0, 7))
    >>> drawn = svg(Workflow(1, step(5), nodes, (Edge(0, 1, 7, 1.0), Edge(1, 2, 7, 1.0)), 7), {5: "<b>ready</b>"})
    >>> drawn.startswith("<svg "), "&lt;b&gt;ready&lt;/b&gt;" in drawn, "<b>" in drawn
    (True, True, False)
    """
    passed = Taken(frozenset(), frozenset()) if overlay is None else taken(workflow, overlay)
    marked = {place for place, edge in enumerate(workflow.edges) if (edge.before, edge.after) == slow}
    named = passed.nodes | ({overlay.last, *overlay.missing} if overlay is not None else set()) | set(slow or ())
    made = fold(workflow, named, passed.edges | marked)
    drawing = Drawing(workflow, names, made)
    session = None if overlay is None else _moved(overlay, made)
    passed = Taken(frozenset(made.places[n] for n in passed.nodes), frozenset(made.links[n] for n in passed.edges))
    chosen = {(made.places[slow[0]], made.places[slow[1]])} if slow is not None else set()
    return _Picture(drawing, session, passed, chosen, identity, styled=styled).text()


def _moved(walk: Walk, made: Fold) -> Walk:
    """Return a walk by the numbers of the nodes as they are drawn."""
    nodes = tuple(None if node is None else made.places[node] for node in walk.nodes)
    return replace(walk, nodes=nodes, last=made.places[walk.last], missing=tuple(made.places[n] for n in walk.missing))


@dataclass(frozen=True, slots=True)
class _Face:
    """The lines of a step's box."""

    lines: tuple[str, ...]
    under: tuple[str, ...]
    size: Size


class _Picture:
    def __init__(
        self,
        drawing: Drawing,
        overlay: Walk | None,
        passed: Taken,
        slow: set[tuple[int, int]],
        identity: str,
        *,
        styled: bool,
    ) -> None:
        self.drawing = drawing
        self.flow = drawing.workflow
        self.overlay = overlay
        self.slow = slow or (set(drawing.slow) if overlay is None else set())
        self.identity = safe(plain(identity))
        self.styled = styled
        self.taken = passed
        self.faces = {node.number: _face(drawing, node) for node in self.flow.nodes}
        self.words = [edge_words(edge) for edge in self.flow.edges]
        self.layout = lay_out(
            [self._size(node) for node in self.flow.nodes], [*map(self._link, self.flow.edges, self.words)]
        )

    def _size(self, node: Node) -> Size:
        if node.kind is NodeKind.STEP:
            return self.faces[node.number].size
        if node.kind in (NodeKind.FORK, NodeKind.JOIN):
            ends = [e.before if node.kind is NodeKind.FORK else e.after for e in self.flow.edges]
            return Size(min(BAR_MOST, BAR_STEP * max(2, ends.count(node.number))), BAR, is_bar=True)
        return Size(CIRCLE, CIRCLE)

    def _link(self, edge: Edge, words: str) -> Link:
        bold = (edge.before, edge.after) in self.slow
        width = text_width(words, WORDS, bold=bold) + 4 if words else 0.0
        return Link(edge.before, edge.after, edge.is_back, width, LINE if words else 0.0)

    def text(self) -> str:
        """Return the picture, element by element: edges below nodes, the path above other edges."""
        legend = self._legend()
        head = self.drawing.head()
        told = [text_width(words, SMALL) + SWATCH + 8 for _, words in legend]
        width = max(self.layout.width, text_width(head, HEAD, bold=True), *told)
        width, top = width + 2 * MARGIN, MARGIN + LINE + 10
        shift = round(MARGIN + (width - 2 * MARGIN - self.layout.width) / 2, 2)
        rows, bottom = self._legend_rows(legend, width, top + self.layout.height + 26)
        title = f"ow-title{self.identity}"
        order = sorted(range(len(self.flow.edges)), key=lambda place: (place in self.taken.edges, place))
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="ow" width="{width:g}" height="{bottom:g}" '
            f'viewBox="0 0 {width:g} {bottom:g}" role="img" aria-labelledby="{title}" font-family="sans-serif" '
            'font-size="12">',
            f'<title id="{title}">{safe(head)}</title>',
            f"<style>{STYLE}</style>" if self.styled else "",
            f'<rect class="ow-canvas" width="{width:g}" height="{bottom:g}" fill="#fff"/>',
            text_at((MARGIN, MARGIN + 10), head, "ow-head"),
            f'<g transform="translate({shift:g} {top:g})">',
            *(self._edge(place) for place in order),
            *(self._node(node, box) for node, box in zip(self.flow.nodes, self.layout.boxes, strict=True)),
            "</g>",
            *rows,
            "</svg>",
        ]
        return "\n".join(part for part in parts if part) + "\n"

    def _edge(self, place: int) -> str:
        edge, route = self.flow.edges[place], self.layout.routes[place]
        line, head = path_of(route), arrow_of(route)
        width = self.drawing.width(edge)
        kind = "ow-edge"
        if (edge.before, edge.after) in self.slow:
            kind, width = "ow-edge ow-wrong" if self.overlay else "ow-edge ow-slow", max(width, 3.0)
        elif place in self.taken.edges:
            kind, width = "ow-edge ow-path", max(width, 3.0)
        elif self.overlay is not None:
            kind = "ow-edge ow-aside"
        words = ""
        if route.words is not None:
            at = route.words
            words = text_at((at.x - at.width / 2, at.y + 3.8), self.words[place], "ow-words")
        return (
            f'<g class="{kind}" fill="none"><title>{safe(self.drawing.edge_title(edge))}</title>'
            f'<path class="ow-hit" d="{line}" stroke="none" stroke-width="12"/>'
            f'<path d="{line}" stroke="#7b8794" stroke-width="{width:g}"/>'
            f'<polygon points="{head}" fill="#7b8794"/>{words}</g>'
        )

    def _node(self, node: Node, box: Box) -> str:
        title = f"<title>{safe(self.drawing.node_title(node))}</title>"
        kind = self._standing(node)
        if node.kind is NodeKind.STEP:
            return f'<g class="ow-step{kind}">{title}{self._step(node, box)}{self._badge(node, box)}</g>'
        if node.kind in (NodeKind.FORK, NodeKind.JOIN):
            return f'<g class="ow-bar{kind}">{title}{rectangle(box, 3, "#17202b")}</g>'
        inner = f'<circle class="ow-dot" cx="{box.x:g}" cy="{box.y:g}" r="{CIRCLE / 2 - 6:g}"/>'
        stop = f'<rect class="ow-dot" x="{box.x - 4.5:g}" y="{box.y - 4.5:g}" width="9" height="9"/>'
        return (
            f'<g class="ow-round{kind}">{title}<circle cx="{box.x:g}" cy="{box.y:g}" r="{CIRCLE / 2 - 1:g}" '
            f'fill="#f4f6f9" stroke="#7b8794" stroke-width="1.5"/>{inner if node.kind is NodeKind.START else stop}'
            f"{self._badge(node, box)}</g>"
        )

    def _standing(self, node: Node) -> str:
        if self.overlay is None:
            return ""
        found = " ow-left" if self._is_left(node) else ""
        if node.number in self.taken.nodes:
            return " ow-path" + found
        return " ow-missing" if node.number in self.overlay.missing else " ow-aside" + found

    def _is_left(self, node: Node) -> bool:
        return self.overlay is not None and self.overlay.departure is not None and node.number == self.overlay.last

    def _step(self, node: Node, box: Box) -> str:
        face = self.faces[node.number]
        is_missing = self.overlay is not None and node.number in self.overlay.missing
        on_path = node.number in self.taken.nodes
        dashes = ' stroke-dasharray="5 3"' if is_missing and not on_path else ""
        parts = [rectangle(box, 6, "#f4f6f9", f'stroke="#7b8794" stroke-width="{2.5 if on_path else 1.2:g}"{dashes}')]
        y = box.y - box.height / 2 + PADDING - 2
        for line in face.lines:
            y += LINE
            parts.append(text_at((box.x, y - 3), line, middle=True))
        for line in face.under:
            y += KEY_LINE
            parts.append(text_at((box.x, y - 2), line, "ow-quiet", middle=True))
        return "".join(parts)

    def _badge(self, node: Node, box: Box) -> str:
        """Mark the step after which the session left the script: a cross at the lower right corner."""
        if not self._is_left(node):
            return ""
        return cross((box.x + box.width / 2, box.y + box.height / 2))

    def _legend(self) -> list[tuple[str, str]]:
        """Return the samples of the legend that the drawing needs, with their words."""
        if self.overlay is None:
            shown = [("ow-edge", "wider: taken more often")]
            if self.slow:
                whole = sum(self.drawing.slow.values())
                shown.append(("ow-edge ow-slow", f"where {whole:.0%} of the time goes"))
            return shown + self._hidden()
        shown = [("ow-edge ow-path", "path of the session")]
        if self.overlay.departure is not None:
            shown.append(("cross", "left the script after this"))
        if self.overlay.missing:
            shown.append(("dashes", "missing"))
        if self.slow & {(edge.before, edge.after) for edge in self.flow.edges}:
            shown.append(("ow-edge ow-wrong", "slow"))
        return shown + self._hidden()

    def _hidden(self) -> list[tuple[str, str]]:
        return [("none", f"{self.drawing.hidden:,} rare edges are not drawn")] if self.drawing.hidden else []

    def _legend_rows(self, legend: list[tuple[str, str]], width: float, y: float) -> tuple[list[str], float]:
        """Return the legend, broken into rows where the drawing is narrow, and the height of all."""
        x, parts = MARGIN, []
        for kind, words in legend:
            room = SWATCH + 8 + text_width(words, SMALL)
            if x > MARGIN and x + room > width - MARGIN:
                x, y = MARGIN, y + LINE
            parts.append(sample(kind, x, y - 3.5))
            parts.append(text_at((x + SWATCH + 6, y), words, "ow-quiet"))
            x += room + 16
        return parts, y + MARGIN - 6


def _face(drawing: Drawing, node: Node) -> _Face:
    if node.kind is not NodeKind.STEP:
        return _Face((), (), Size(0, 0))
    lines = _broken(drawing.label(node))
    under: tuple[str, ...] = (f"key {node.key} · {times(node.count)}",)
    if drawing.is_many(node):
        under = (*drawing.most_frequent(node, NAMED), f"· {times(node.count)} ·")
    width = max(*(text_width(line, TEXT) for line in lines), *(text_width(line, SMALL) for line in under))
    height = len(lines) * LINE + len(under) * KEY_LINE + 2 * PADDING - 5
    return _Face(lines, under, Size(round(width) + 2 * PADDING, height))


def _broken(label: str) -> tuple[str, ...]:
    """Break a long label into two lines of nearly the same length."""
    if len(label) <= TWO_LINES or " " not in label:
        return (label,)
    spaces = [place for place, character in enumerate(label) if character == " "]
    middle = min(spaces, key=lambda place: abs(place - len(label) / 2))
    return label[:middle], label[middle + 1 :]
