"""Workflows in the notations of other programs: Mermaid, Graphviz's DOT, and JSON (ours).

Templates are hostile: whatever is not a letter, a digit or a space is written as the code of its character.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from offscript.workflow.draw import Drawing, edge_words
from offscript.workflow.fold import fold
from offscript.workflow.graph import Edge, Node, NodeKind, Workflow
from offscript.workflow.tree import Kind, Tree

SLOW = "#c2570c"  # at 3:1 and more against white and black: both know light and dark pages

_MERMAID = {
    NodeKind.START: "(({}))",
    NodeKind.END: "(({}))",
    NodeKind.STEP: "({})",
    NodeKind.FORK: "[{}]",
    NodeKind.JOIN: "[{}]",
}
_DOT = {
    NodeKind.START: "shape=circle width=0.25 style=filled fillcolor=gray25",
    NodeKind.END: "shape=doublecircle width=0.2 style=filled fillcolor=gray25",
    NodeKind.FORK: "shape=box width=0.8 height=0.06 style=filled fillcolor=gray25",
    NodeKind.JOIN: "shape=box width=0.8 height=0.06 style=filled fillcolor=gray25",
}


def mermaid(workflow: Workflow, names: Mapping[int, str]) -> str:
    """Return a workflow as a Mermaid flowchart, as wikis and code hosts draw it.

    >>> from offscript.workflow.tree import step
    >>> nodes = (Node(0, NodeKind.START, 0, 7), Node(1, NodeKind.STEP, 5, 7))
    >>> print(mermaid(Workflow(1, step(5), nodes, (Edge(0, 1, 7, 1.0),), 7), {5: 'say "hi"'}), end="")
    flowchart TD
        n0(("start"))
        n1("say hi<br/>key 5")
        n0 --> n1
        linkStyle 0 stroke-width:4.0px
    """
    drawing = Drawing(workflow, names, fold(workflow))
    lines = ["flowchart TD"]
    for node in drawing.workflow.nodes:
        under = f"<br/>key {node.key}" if node.key else ""
        words = f'"{_coded(drawing.label(node)) or " "}{under}"'
        lines.append(f"n{node.number}{_MERMAID[node.kind].format(words)}")
    lines += [_mermaid_edge(edge) for edge in drawing.workflow.edges]
    for place, edge in enumerate(drawing.workflow.edges):
        colour = f"stroke:{SLOW}," if drawing.is_slow(edge) else ""
        lines.append(f"linkStyle {place} {colour}stroke-width:{drawing.width(edge):.1f}px")
    bars = [f"n{node.number}" for node in drawing.workflow.nodes if node.kind in (NodeKind.FORK, NodeKind.JOIN)]
    if bars:
        lines += ["classDef bar fill:#777,stroke:#777,font-size:1px", f"class {','.join(bars)} bar"]
    return "\n    ".join(lines) + "\n"


def _mermaid_edge(edge: Edge) -> str:
    words = _coded(edge_words(edge))
    label = f'|"{words}"|' if words else ""
    arrow = "-.->" if edge.is_back else "-->"
    return f"n{edge.before} {arrow}{label} n{edge.after}"


def _coded(text: str) -> str:
    """Return printable text in which Mermaid finds nothing but text: all but letters and digits as `#code;`."""
    return "".join(c if c.isalnum() or c in " ,." else f"#{ord(c)};" for c in text)


def dot(workflow: Workflow, names: Mapping[int, str]) -> str:
    r"""Return a workflow in Graphviz's language; a node's tooltip is its whole template.

    >>> from offscript.workflow.tree import step
    >>> nodes = (Node(0, NodeKind.STEP, 5, 7),)
    >>> print(dot(Workflow(1, step(5), nodes, (), 7), {5: 'say "hi" \\'}).split("\n")[4])
      n0 [label="say hi\nkey 5" tooltip="say \"hi\" \\\nlog key 5, passed 7 times in training"];
    """
    drawing = Drawing(workflow, names, fold(workflow))
    lines = [
        "digraph workflow {",
        f"label={_quoted(drawing.head())} labelloc=t tooltip={_quoted(drawing.head())};",
        'node [shape=box style=rounded fontname="sans-serif" fontsize=11];',
        'edge [fontname="sans-serif" fontsize=9 arrowsize=0.6 color=gray45];',
        *(_dot_node(drawing, node) for node in drawing.workflow.nodes),
        *(_dot_edge(drawing, edge) for edge in drawing.workflow.edges),
    ]
    return "\n  ".join(lines) + "\n}\n"


def _dot_node(drawing: Drawing, node: Node) -> str:
    tooltip = f"tooltip={_quoted(drawing.node_title(node))}"
    if node.kind is NodeKind.STEP:
        label = f"{drawing.label(node)}\nkey {node.key}" if node.key else drawing.label(node)
        return f"n{node.number} [label={_quoted(label)} {tooltip}];"
    return f'n{node.number} [label="" {_DOT[node.kind]} {tooltip}];'


def _dot_edge(drawing: Drawing, edge: Edge) -> str:
    title = _quoted(drawing.edge_title(edge))
    told = [f"label={_quoted(edge_words(edge))}", f"penwidth={drawing.width(edge):.1f}"]
    told += [f"edgetooltip={title}", f"labeltooltip={title}"]
    told += [f'color="{SLOW}" fontcolor="{SLOW}"'] if drawing.is_slow(edge) else []
    told += ["constraint=false"] if edge.is_back else []
    return f"n{edge.before} -> n{edge.after} [{' '.join(told)}];"


def _quoted(text: str) -> str:
    r"""Return a string of DOT: backslashes start its escapes, ampersands those of HTML; a line end is `\n`."""
    escaped = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def to_json(workflow: Workflow, names: Mapping[int, str]) -> str:
    """Return a workflow as one line of ASCII JSON: all that is known of it, with labels and templates.

    >>> from offscript.workflow.tree import step
    >>> nodes = (Node(0, NodeKind.STEP, 5, 7),)
    >>> told = json.loads(to_json(Workflow(1, step(5), nodes, (), 7), {5: "all <*> done"}))
    >>> told["nodes"][0]["template"], told["tree"]
    ('all <*> done', {'kind': 'step', 'key': 5})
    """
    drawing = Drawing(workflow, names)
    record = {
        "task": workflow.number,
        "sessions": workflow.sessions,
        "noise": workflow.noise,
        "tree": _tree(workflow.tree),
        "nodes": [_node(drawing, node) for node in workflow.nodes],
        "edges": [_edge(drawing, edge) for edge in workflow.edges],
    }
    return json.dumps(record, ensure_ascii=True, allow_nan=False)


def _node(drawing: Drawing, node: Node) -> dict[str, Any]:
    told: dict[str, Any] = {"number": node.number, "kind": node.kind.value, "count": node.count}
    if node.kind is NodeKind.STEP:
        told |= {"key": node.key, "label": drawing.label(node), "template": drawing.names[node.key]}
    return told


def _edge(drawing: Drawing, edge: Edge) -> dict[str, Any]:
    times = edge.times
    spent = drawing.slow.get((edge.before, edge.after))
    return {
        "before": edge.before,
        "after": edge.after,
        "count": edge.count,
        "probability": edge.probability,
        "is_back": edge.is_back,
        "share_of_time": spent,
        "seconds": None
        if times is None
        else {name: getattr(times, name) for name in ("count", "low", "median", "high", "longest")},
    }


def _tree(tree: Tree) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": tree.kind.value}
    if tree.kind is Kind.STEP:
        told["key"] = tree.key
    if tree.parts:
        told["parts"] = [_tree(part) for part in tree.parts]
    return told
