"""The workflows of a system from its normal sessions: which task each is of, the graph of each task, what is on none.

CCS 2017 section 4 in the easy case, where an identifier says which entries belong together. Ours: sessions are of one
task where they have much the same keys. Tasks may share keys; what only begins alike is one task with a choice in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from offscript.workflow.build import workflow_of
from offscript.workflow.graph import Times, Walk, Workflow
from offscript.workflow.kinds import separate
from offscript.workflow.mine import mine
from offscript.workflow.play import accepts
from offscript.workflow.seen import Run
from offscript.workflow.walk import lay, mistakes, walk


@dataclass(frozen=True, slots=True)
class Stray:
    """A distinct training session on no workflow, `count` times; `task` is the number of the nearest one, 0 for none.

    `walk` lays it there: where it departs, what is missing. An open session need only be a beginning.
    """

    keys: Run
    count: int
    complete: bool
    task: int
    walk: Walk | None

    @property
    def reason(self) -> str:
        """Why it is on no workflow, in words."""
        if self.walk is None:
            return "no task has such steps"
        extra, missing = self.walk.nodes.count(None), len(self.walk.missing)
        parts = [f"{extra} too many"] * (extra > 0) + [f"{missing} missing"] * (missing > 0)
        return f"of task {self.task} but for steps: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Workflows:
    """The tasks of a system, those with the most sessions first, and the normal sessions that are on none of them."""

    flows: tuple[Workflow, ...]
    strays: tuple[Stray, ...] = ()

    def task_of(self, keys: Sequence[int], *, ended: bool = False, whole: bool = True) -> Workflow | None:
        """Return the workflow on which a session is laid best; None where no task has a step of it.

        Of equals, where fewer entries are off script, then the task with more sessions. `ended` and `whole` as in
        `walk.walk`.

        >>> learnt = workflows([(1, 2, 3), (4, 5)], [20, 10])
        >>> learnt.task_of([4, 9]).number, learnt.task_of([9])
        (2, None)
        """
        found = self.laid(keys, ended=ended, whole=whole)
        return found[0] if found else None

    def laid(self, keys: Sequence[int], *, ended: bool = False, whole: bool = True) -> tuple[Workflow, Walk] | None:
        """Return the workflow that `task_of` does, and the session laid on it.

        >>> workflows([(1, 2, 3), (4, 5)], [20, 10]).laid([4, 9])[1].departure
        1
        """
        known = set(keys)
        flows = [flow for flow in self.flows if not known.isdisjoint(step.key for step in flow.tree.steps())]
        walks = [(flow, walk(flow, keys, ended=ended, whole=whole)) for flow in flows]
        return min(walks, key=lambda one: (mistakes(one[1]), one[1].nodes.count(None)), default=None)


def workflows(
    sequences: Sequence[Sequence[int]],
    counts: Sequence[int] | None = None,
    complete: Sequence[bool] | None = None,
    times: Mapping[tuple[int, int], Times] | None = None,
) -> Workflows:
    """Learn the workflows of normal sessions: distinct sequences of keys, how often each came, and which have ended.

    Tasks are learnt from sessions that have ended (from all, if none has); the others need only be beginnings. Every
    session is on a workflow or among `strays`. `times` are by (key before, key).

    >>> learnt = workflows([(1, 2, 3), (1, 3, 2), (4, 5)], [20, 20, 10])
    >>> [(str(flow.tree), flow.sessions) for flow in learnt.flows]
    [('→(1, ∧(2, 3))', 40), ('→(4, 5)', 10)]
    """
    ended, still_open = _sorted_out(sequences, counts, complete)
    groups = separate(ended)
    trees = [mine(group) for group in groups]
    of_task: list[Counter[Run]] = [Counter() for _ in groups]
    strays = []
    for number, group in enumerate(groups):
        for run, count in group.items():
            at = next((task for task in _from(number, len(trees)) if accepts(trees[task], run)), None)
            of_task[number if at is None else at][run] += count
            if at is None:
                strays.append(Stray(run, count, True, number + 1, lay(trees[number], run, ended=True)))
    order = sorted(range(len(trees)), key=lambda number: (-of_task[number].total(), number))
    flows = tuple(workflow_of(place + 1, trees[number], of_task[number], times) for place, number in enumerate(order))
    places = {number + 1: place + 1 for place, number in enumerate(order)}
    found = [Stray(one.keys, one.count, True, places[one.task], one.walk) for one in strays]
    return Workflows(flows, (*found, *_open_strays(Workflows(flows), still_open)))


def _from(number: int, tasks: int) -> Iterable[int]:
    return (number, *(other for other in range(tasks) if other != number))


def _sorted_out(
    sequences: Sequence[Sequence[int]], counts: Sequence[int] | None, complete: Sequence[bool] | None
) -> tuple[Counter[Run], Counter[Run]]:
    """Distinct sessions with their counts: those that have ended, and those still open; all have, if none has."""
    ended: Counter[Run] = Counter()
    still_open: Counter[Run] = Counter()
    for number, sequence in enumerate(sequences):
        target = ended if complete is None or complete[number] else still_open
        target[tuple(map(int, sequence))] += 1 if counts is None else int(counts[number])
    return (ended, still_open) if ended else (still_open, ended)


def _open_strays(learnt: Workflows, still_open: Counter[Run]) -> list[Stray]:
    strays = []
    for keys, count in still_open.items():
        found = learnt.laid(keys)
        if keys and (found is None or found[1].departure is not None):
            strays.append(Stray(keys, count, False, *((found[0].number, found[1]) if found else (0, None))))
    return strays
