"""Drawings of workflows: everything is in them, hostile templates stay text, and they are the same every time."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.drawn_workflows import graphs, trees, workflow_of

from offscript.workflow.draw import Drawing, slow_edges
from offscript.workflow.fold import ALIKE, MORE, MOST, fold
from offscript.workflow.graph import Edge, Node, NodeKind, Times, Walk, Workflow
from offscript.workflow.labels import LONGEST, labels
from offscript.workflow.notations import dot, mermaid, to_json
from offscript.workflow.outline import text
from offscript.workflow.shapes import STYLE
from offscript.workflow.svg import svg
from offscript.workflow.taken import taken
from offscript.workflow.tree import Tree, choice, loop, parallel, sequence, skip, step

patient = settings(deadline=None, max_examples=60)  # the machine may be busy, and shrinking large graphs is slow
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = {
    1: "<script>alert(1)</script> ]]> <!-- & &amp; -->",
    2: "\"quoted\" 'quoted' \\ \\n \\N `code` #quot; #35; %%{init: {}}%%",
    3: "\u202egnp.exe\u202c \x1b[31m red \x00\x08\x7f\x85 \ud800 \ufffe \u2028 line",
    4: 'end; graph TD; n1 --> n2; subgraph x; click n1 "javascript:alert(1)"',
    5: '"]; n9 [label="x"]; }{ | < > \\',
    6: "e\u0301" * 200 + "\u200b\u200d支払い完了",
    7: "",
    8: "<*>",
    9: "=1+1 <*> </title></svg><img src=x onerror=alert(1)>",
}
texts = st.text(st.characters(), max_size=60) | st.sampled_from(list(HOSTILE.values()))
names_of_all = st.fixed_dictionaries(dict.fromkeys(range(1, 13), texts))
creation = workflow_of(
    sequence(step(1), loop(step(2), skip()), choice(step(3), skip()), parallel(step(4), step(5)), step(6)), 200
)


def parsed(drawn: str) -> ET.Element:
    """Return a drawing as any reader of XML sees it."""
    return ET.fromstring(drawn)  # noqa: S314  (our own text)


def number(flow: Workflow, key: int) -> int:
    """Return the number of a key's first node."""
    return next(node.number for node in flow.nodes if node.key == key)


def edges_of(flow: Workflow, *places: tuple[int, int]) -> set[int]:
    """Return the places of edges by the numbers of their nodes."""
    return {place for place, edge in enumerate(flow.edges) if (edge.before, edge.after) in places}


@patient
@given(graphs(), names_of_all, st.text(max_size=5))
def test_every_node_and_edge_is_drawn(flow: Workflow, names: dict[int, str], identity: str) -> None:
    """Any workflow with any names is valid XML with each node and edge in it, and the same when drawn again."""
    drawn = svg(flow, names, identity=identity)
    root = parsed(drawn)
    groups = [str(group.get("class")) for group in root.iter(f"{SVG}g")]
    heads = root.findall(f"./{SVG}g/{SVG}g/{SVG}title")
    shown = fold(flow).workflow
    assert len(heads) == len(shown.nodes) + len(shown.edges)
    steps = sum(node.kind is NodeKind.STEP for node in shown.nodes)
    assert sum(kind.startswith("ow-step") for kind in groups) == steps
    assert drawn == svg(flow, names, identity=identity)


@patient
@given(graphs(), names_of_all)
def test_templates_stay_text(flow: Workflow, names: dict[int, str]) -> None:
    """Nothing in a template becomes an element, an attribute, a link, a control or a bidi mark."""
    root = parsed(svg(flow, names))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "style", "rect", "text", "g", "path", "polygon", "circle"
    }  # fmt: skip
    drawn = {
        "class",
        "d",
        "points",
        "fill",
        "stroke",
        "transform",
        "id",
        "role",
        "aria-labelledby",
        "viewBox",
        "width",
        "height",
        "x",
        "y",
        "cx",
        "cy",
        "r",
        "rx",
    }
    drawn |= {"text-anchor", "font-family", "font-size", "stroke-width", "stroke-dasharray"}
    for element in root.iter():
        assert element.attrib.keys() <= drawn
        if element.tag != f"{SVG}style":
            assert all(line.isprintable() for line in (element.text or "").split("\n"))


def test_the_whole_template_is_on_hover() -> None:
    """A box holds a few words, its title the whole template as text."""
    flow = workflow_of(sequence(step(1), step(9)), 5)
    root = parsed(svg(flow, HOSTILE))
    titles = [str(title.text).split("\n")[0] for title in root.iter(f"{SVG}title")]
    assert HOSTILE[1] in titles
    assert HOSTILE[9] in titles
    assert len("".join(text.text or "" for text in root.iter(f"{SVG}text"))) < 200


def test_nothing_is_fetched_or_run() -> None:
    """A drawing holds no script, no link, no font and no address but the name of its language."""
    drawn = svg(creation, HOSTILE)
    assert re.findall(r"\w+://[^\"<]*", drawn) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"<script|<a |@import|@font-face|url\(| on\w+=|style=", drawn.lower().replace("&lt;", ""))
    assert STYLE in drawn
    assert "<style" not in svg(creation, HOSTILE, styled=False)


@patient
@given(names_of_all)
def test_labels_differ(names: dict[int, str]) -> None:
    """Labels are short, printable, never empty, and no two are alike."""
    found = labels(names)
    assert found.keys() == names.keys()
    assert len(set(found.values())) == len(found)
    for label in found.values():
        assert 0 < len(label) <= LONGEST
        assert label.isprintable()


@patient
@given(graphs())
def test_slow_edges_hold_the_time(flow: Workflow) -> None:
    """Edges are slow that hold a tenth of a run's time each, at most five, none faster than one that is not slow."""
    found = slow_edges(flow)
    held = {(e.before, e.after): e.times.median * e.times.count for e in flow.edges if e.times is not None}
    assert len(found) <= 5
    assert all(share >= 0.1 for share in found.values())
    for ends in found:
        assert all(held[ends] >= time for other, time in held.items() if other not in found)


def test_slow_edges_drawn_as_one_hold_the_time_of_all() -> None:
    """Of nine equal alternatives drawn as one box, the edge to it holds what the slow ones among them hold together."""
    kinds = [(NodeKind.START, 0), *((NodeKind.STEP, key) for key in range(1, ALIKE + 1)), (NodeKind.END, 0)]
    nodes = tuple(Node(number, kind, key, 5) for number, (kind, key) in enumerate(kinds))
    into = [Edge(0, number, 5, 1 / ALIKE, Times(5, 1.0, 2.0, 3.0, 4.0)) for number in range(1, ALIKE + 1)]
    out = [Edge(number, ALIKE + 1, 5, 1.0) for number in range(1, ALIKE + 1)]
    flow = Workflow(1, choice(*map(step, range(1, ALIKE + 1))), nodes, (*into, *out), 5 * ALIKE)
    drawn = Drawing(flow, {}, fold(flow))
    assert drawn.slow == {(0, 1): pytest.approx(sum(slow_edges(flow).values()))}
    assert drawn.slow[0, 1] > 0.5


@patient
@given(graphs(), st.data())
def test_folding_loses_nothing(flow: Workflow, data: st.DataObject) -> None:
    """Every step is in one box, counts add up, a session's nodes and edges stay for themselves."""
    numbers = st.integers(0, len(flow.nodes) - 1)
    nodes = set(data.draw(st.lists(numbers)))
    edges = {at for at, edge in enumerate(flow.edges) if {edge.before, edge.after} <= nodes}
    made = fold(flow, nodes, edges)
    assert sum(node.count for node in made.workflow.nodes) == sum(node.count for node in flow.nodes)
    inside = [node.number for members in made.members.values() for node in members]
    assert len(inside) == len(set(inside))
    assert not nodes & set(inside)
    assert len({made.places[node] for node in nodes}) == len(nodes)
    for at in edges:
        drawn = made.workflow.edges[made.links[at]]
        edge = flow.edges[at]
        assert (drawn.before, drawn.after) == (made.places[edge.before], made.places[edge.after])


def test_anything_in_any_order_is_one_box() -> None:
    """A hundred steps of which any follows any are one box with a loop, and a session among them is seen."""
    flow = workflow_of(
        sequence(step(101), loop(choice(*(step(key) for key in range(1, 101))), skip()), step(102)), 9000
    )
    assert len(flow.edges) > 10_000
    drawn = svg(flow, {})
    assert "any of 100 steps" in drawn
    assert len(drawn) < 12_000
    walk = Walk(tuple(number(flow, key) for key in (101, 4, 9, 4, 102)), None, number(flow, 102))
    seen = svg(flow, {}, overlay=walk)
    assert "any of 98 steps" in seen
    assert seen.count('class="ow-step ow-path"') == 4
    assert seen.count('class="ow-edge ow-path"') == 6 + 1  # from START to END through four steps, and the legend


def test_rare_edges_are_left_out_and_told() -> None:
    """Of more edges than can be seen the most frequent ones are drawn, and the drawing says how many are not."""
    nodes = tuple(Node(n, NodeKind.STEP, n + 1, 10) for n in range(60))
    edges = tuple(Edge(n, m, n + m, 0.1) for n in range(60) for m in range(60) if pow(2, n * m, 61) % 3)
    made = fold(Workflow(1, skip(), nodes, edges, 10))
    assert MOST + MORE * len(nodes) <= len(made.workflow.edges) <= MOST + (MORE + 2) * len(nodes)
    assert f"{made.hidden:,} rare edges are not drawn" in svg(Workflow(1, skip(), nodes, edges, 10), {})


def test_a_few_alternatives_are_drawn_each() -> None:
    """Eight alternatives are eight boxes; nine are one that names the most frequent."""
    for count in (ALIKE - 1, ALIKE):
        flow = workflow_of(sequence(step(90), choice(*(step(key) for key in range(1, count + 1))), step(91)))
        assert (f"any of {count} steps" in svg(flow, {})) == (count >= ALIKE)


def test_a_session_on_script_is_drawn_from_start_to_end() -> None:
    """The overlay of a whole session: the edges it took and no others, in branches too, and nothing is marked."""
    a, b, c, d, e, f = (number(creation, key) for key in range(1, 7))
    fork, join = (n.number for n in creation.nodes if n.kind in (NodeKind.FORK, NodeKind.JOIN))
    end = creation.nodes[-1].number
    walk = Walk((a, b, b, e, d, f), None, f)
    inside = {(0, a), (a, b), (b, b), (b, fork), (fork, d), (fork, e), (d, join), (e, join), (join, f), (f, end)}
    found = taken(creation, walk)
    assert found.edges == edges_of(creation, *inside)
    assert found.nodes == {node.number for node in creation.nodes} - {c}
    drawn = svg(creation, HOSTILE, overlay=walk)
    assert drawn.count('class="ow-edge ow-path"') == len(inside) + 1  # and the legend
    assert 'ow-badge"' not in drawn
    assert "dasharray" not in drawn


def test_a_departure_is_marked() -> None:
    """The overlay of a session that left: the last step is marked, missing steps are dashed, the slow edge is told."""
    a, b, d, e, f = (number(creation, key) for key in (1, 2, 4, 5, 6))
    walk = Walk((a, b, d, None), 3, d, (e, f))
    drawn = svg(creation, HOSTILE, overlay=walk, slow=(a, b))
    root = parsed(drawn)
    steps = [group for group in root.iter(f"{SVG}g") if str(group.get("class")).startswith("ow-step")]
    kinds = [str(group.get("class")) for group in steps]
    order = [node.number for node in creation.nodes if node.kind is NodeKind.STEP]
    assert kinds[order.index(d)] == "ow-step ow-path ow-left"
    assert [n for n, kind in zip(order, kinds, strict=True) if "ow-missing" in kind] == [e, f]
    assert [n for n, group in zip(order, steps, strict=True) if group.find(f"{SVG}circle") is not None] == [d]
    assert drawn.count('stroke-dasharray="5 3"') == 2
    assert drawn.count('class="ow-edge ow-wrong"') == 2  # the edge and the legend


@patient
@given(graphs(12), st.data())
def test_any_walk_is_drawn(flow: Workflow, data: st.DataObject) -> None:
    """Whatever a walk says, the drawing is valid and marks only what there is."""
    numbers = st.integers(0, len(flow.nodes) - 1)
    nodes = tuple(data.draw(st.lists(st.none() | numbers, max_size=12)))
    departure = data.draw(st.none() | st.integers(0, len(nodes)))
    walk = Walk(nodes, departure, data.draw(numbers), tuple(data.draw(st.lists(numbers, max_size=4))))
    slow = data.draw(st.none() | st.tuples(numbers, numbers))
    parsed(svg(flow, HOSTILE, overlay=walk, slow=slow))
    found = taken(flow, walk)
    assert {node for node in nodes if node is not None} <= found.nodes
    assert all(0 <= place < len(flow.edges) for place in found.edges)


@pytest.mark.parametrize("identity", ["", "-7", '"><script>'])
def test_ids_are_those_of_the_caller(identity: str) -> None:
    """Every id in a drawing ends with the identity given, so that a page can hold many."""
    root = parsed(svg(creation, HOSTILE, identity=identity))
    ids = [str(element.get("id")) for element in root.iter() if element.get("id") is not None]
    assert ids
    assert all(one.endswith(identity) for one in ids)
    assert root.get("aria-labelledby") in ids


class Dot:
    """The least reader of DOT: statements of words, quoted strings, brackets and arrows."""

    token = re.compile(r'\s*("(?:[^"\\\n]|\\[^\n])*"|->|[\[\]={};]|[\w.-]+)')

    def __init__(self, drawn: str) -> None:
        self.words: list[str] = []
        place = 0
        while place < len(drawn.rstrip()):
            found = self.token.match(drawn, place)
            assert found is not None, drawn[place : place + 80]
            self.words.append(found[1])
            place = found.end()

    def statements(self) -> list[list[str]]:
        """Return the statements between the braces; their brackets and equals signs are where they belong."""
        assert self.words[:3] == ["digraph", "workflow", "{"]
        assert self.words[-1] == "}"
        found: list[list[str]] = [[]]
        for word in self.words[3:-1]:
            if word == ";":
                found.append([])
            else:
                found[-1].append(word)
        return found[:-1]


@patient
@given(graphs(), names_of_all)
def test_dot_is_sound(flow: Workflow, names: dict[int, str]) -> None:
    """DOT holds each node and edge once, and whatever a template holds stays in its string."""
    drawn = dot(flow, names)
    statements = Dot(drawn).statements()
    nodes = [words[0] for words in statements if re.fullmatch(r"n\d+", words[0]) and words[1] == "["]
    edges = [(words[0], words[2]) for words in statements if words[1] == "->"]
    shown = fold(flow).workflow
    assert nodes == [f"n{node.number}" for node in shown.nodes]
    assert edges == [(f"n{edge.before}", f"n{edge.after}") for edge in shown.edges]
    for words in statements:
        attributes = words[words.index("[") + 1 : -1] if "[" in words else words
        assert attributes[1::3] == ["="] * (len(attributes) // 3)
    assert all(line.isprintable() for line in drawn.split("\n"))


MERMAID = [
    r"flowchart TD",
    r'n\d+(?:\(\("TEXT"\)\)|\("TEXT"\)|\["TEXT"\])',
    r'n\d+ (?:-->|-\.->)(?:\|"TEXT"\|)? n\d+',
    r"linkStyle \d+ (?:stroke:#\w+,)?stroke-width:[\d.]+px",
    r"classDef bar [\w:#,-]+",
    r"class (?:n\d+,?)+ bar",
]


@patient
@given(graphs(), names_of_all)
def test_mermaid_is_sound(flow: Workflow, names: dict[int, str]) -> None:
    """Mermaid holds each node and edge once, and nothing of a template but letters, digits and codes of characters."""
    drawn = mermaid(flow, names)
    shape = "|".join(line.replace("TEXT", r"(?:[^\W_]|[ ,.]|#\d+;|<br/>key \d+)*") for line in MERMAID)
    lines = [line.strip() for line in drawn.rstrip("\n").split("\n")]
    for line in lines:
        assert re.fullmatch(shape, line), line
    assert sum(bool(re.match(r"n\d+[(\[]", line)) for line in lines) == len(fold(flow).workflow.nodes)
    assert sum("->" in line for line in lines) == len(fold(flow).workflow.edges)


@patient
@given(graphs(), names_of_all)
def test_json_holds_all(flow: Workflow, names: dict[int, str]) -> None:
    """JSON is one line of ASCII with every figure of the workflow and the templates as they are."""
    drawn = to_json(flow, names)
    assert drawn.isascii()
    assert "\n" not in drawn
    told = json.loads(drawn)
    assert [(e["before"], e["after"], e["count"], e["probability"]) for e in told["edges"]] == [
        (e.before, e.after, e.count, e.probability) for e in flow.edges
    ]
    for node, written in zip(flow.nodes, told["nodes"], strict=True):
        assert (written["number"], written["kind"], written["count"]) == (node.number, node.kind.value, node.count)
        if node.kind is NodeKind.STEP:
            assert written["template"] == (names[node.key] or f"key {node.key}")


@patient
@given(trees(30), names_of_all)
def test_the_outline_has_every_step(tree: Tree, names: dict[int, str]) -> None:
    """The outline has a row for each step of the tree, in order, with its count, and nothing that is not printable."""
    flow = workflow_of(tree, 300)
    drawn = text(flow, names)
    assert all(line.isprintable() for line in drawn.split("\n"))
    rows = re.findall(r"\(key (\d+)\) +([\d,]+)(?= |$)", drawn, flags=re.MULTILINE)
    assert [int(key) for key, _ in rows] == [one.key for one in tree.steps()]
    assert sorted((int(key), int(count.replace(",", ""))) for key, count in rows) == sorted(
        (node.key, node.count) for node in flow.nodes if node.kind is NodeKind.STEP
    )


def test_the_outline_is_read_from_top_to_bottom() -> None:
    """The outline says what is a choice, in any order and repeated, with shares and averages."""
    assert text(creation, {key: f"word{chr(96 + key)}" for key in range(1, 7)}) == (
        "task 1: 200 sessions\n"
        "  worda (key 1)                                              200\n"
        "  repeated, 1.2 times on average\n"
        "    wordb (key 2)                                            250\n"
        "  either\n"
        "    50%  wordc (key 3)                                       100\n"
        "    50%  nothing\n"
        "  in any order\n"
        "    - wordd (key 4)                                          200\n"
        "    - worde (key 5)                                          200\n"
        "  wordf (key 6)                                              200\n"
    )
