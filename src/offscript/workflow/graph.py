"""Workflows as graphs: steps and the edges between them, with counts, probabilities and times (CCS 2017 section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from offscript.workflow.tree import Tree


@dataclass(frozen=True, slots=True)
class Times:
    """How long it took from one entry to the next in a session, in seconds: `count` times.

    `low` and `high` hold the middle 98% between them; `longest` is the longest of all.
    """

    count: int
    low: float
    median: float
    high: float
    longest: float


class NodeKind(StrEnum):
    """What a node of a workflow is."""

    START = "start"
    STEP = "step"
    FORK = "fork"
    JOIN = "join"
    END = "end"


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a workflow; `key` is the log key of a step, else 0. Sessions passed it `count` times in training."""

    number: int
    kind: NodeKind
    key: int
    count: int


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge from one node to another, by their numbers.

    `count` is how often training sessions took it, `probability` the share of the passes of `before` that took it
    (edges out of a fork are all taken, each with 1.0). `times` are those between the two entries where one came
    directly after the other, past forks and joins (`build.joined_times`): they lie on edges to steps; None where that
    never was, or where the log has no times. `is_back` closes a loop.
    """

    before: int
    after: int
    count: int
    probability: float
    times: Times | None = None
    is_back: bool = False


@dataclass(frozen=True, slots=True)
class Workflow:
    """The graph of one task, `number` counted from 1; `nodes[n].number` is n.

    `sessions` is the number of training sessions of the task, `noise` how many of these are not on the graph.
    """

    number: int
    tree: Tree
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    sessions: int
    noise: int = 0


@dataclass(frozen=True, slots=True)
class Walk:
    """A session laid on a workflow: the node of each of its entries, None for an entry that is off script.

    `departure` is the position of the first entry that is off script or comes after steps passed over, the number of
    entries where the session ended too early, None where all is on script. `last` is the node of the last step on
    script before the departure (that of START when there is none), `missing` are nodes of steps that were passed over
    or never reached, one of a loop as often as it was missing.
    """

    nodes: tuple[int | None, ...]
    departure: int | None
    last: int
    missing: tuple[int, ...] = ()
