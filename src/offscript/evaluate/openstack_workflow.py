"""The workflow of a virtual machine on the authors' OpenStack log (CCS 2017 section 5.5, figure 11).

With machine ids: is creation drawn with the paper's steps in the paper's order, and deletion as its own part? With the
ids hidden: do both methods separate creation from deletion? In the log as it stands a machine is created, deleted and
followed by the next, hundreds of times over, so that their order alone cannot tell two tasks from one; what can is the
request that most lines name beside the machine. The question is asked of the keys alone, of the keys with the requests,
and of the same runs in random order: one after another, and three at a time interleaved.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np

from offscript.config import Config
from offscript.errors import InputError
from offscript.evaluate.openstack_data import SESSION, find_openstack, stream
from offscript.evaluate.workflow_study import COUNTS, SECOND, Pairs, entry_pairs, key_pairs
from offscript.evaluate.workflow_trees import Stream, interleaved, one_after_another
from offscript.parse.learn import learn
from offscript.workflow.graph import Workflow
from offscript.workflow.identified import Drawn, in_drawn_order
from offscript.workflow.learn import workflows
from offscript.workflow.tasks import Separation, by_co_occurrence, by_probability, counted
from offscript.workflow.times import EdgeTimes

CREATION: Final = (
    ("44 Attempting claim", r"Attempting claim"),
    ("51 Claim successful", r"Claim successful"),
    ("23 GET ... status", r"GET .*status"),
    ("52 Creating image", r"Creating image"),
    ("53 VM Started", r"VM Started"),
    ("32 VM Paused", r"VM Paused"),
    ("18 VM Resumed", r"VM Resumed"),
    ("56 Took * seconds to build instance", r"seconds to build"),
)
"""The paper's steps of creation (figure 11) whose texts it prints, in its order. Keys 25, 54 and 57 are drawn without
a text."""

DELETION: Final = (
    ("37 Terminating instance", r"Terminating instance"),
    ("38 Instance destroyed successfully", r"destroyed successfully"),
    ("39 Deleting instance files", r"Deleting instance files"),
    ("40 Deletion of * complete", r"Deletion of .*complete"),
    ("41 Took * seconds to destroy the instance", r"seconds to destroy"),
)
"""The paper's steps of deletion (figure 5), in its order."""

FIRST_OF_DELETION: Final = DELETION[0][1]
AT_ONCE: Final = 3
"""Runs at a time in the interleaved stream: the middle of the two to four of the synthetic study."""

REQUEST: Final = re.compile(r"\[(req-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) ")
"""Whoever asks for something of the service gets an id for it, which the lines of this work name beside the machine:
one for a creation, another for the deletion. A thread of the service has one for itself, and some lines none."""

AS_IS: Final = "as it stands"
NAMED: Final = "as it stands, requests left"
AFTER: Final = "one after another, order drawn"
MIXED: Final = f"{AT_ONCE} at a time, interleaved"

USUAL: Final = 0.99
"""A step is said to come after another where it does in all but one of a hundred machines."""

Progress = Callable[[str, float, float], None]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the paper: its name there, our key (0: not in this log), and the share of machines that have it.

    `in_order` is the share of the machines with this step and the one before, in which it first comes after it.
    """

    name: str
    key: int
    machines: float
    in_order: float | None


@dataclass(frozen=True, slots=True)
class Hidden:
    """One stream without ids, by one method: the tasks found, and how creation and deletion lie in them.

    `own` counts the keys that only one of the two has; `strays` are those of them in a task that is mostly the other's.
    """

    stream: str
    method: str
    tasks: int
    own: int
    strays: tuple[str, ...]
    keys: Pairs
    entries: Pairs

    @property
    def apart(self) -> str:
        """How many of the keys that only one of the two has are apart from those of the other, and which are not."""
        told = f"{self.own - len(self.strays)} of {self.own}"
        return f"{told} (not {self.strays[0]})" if len(self.strays) == 1 else told


@dataclass(frozen=True)
class Machines:
    """What was found, and how long it took."""

    files: tuple[str, ...]
    machines: int
    templates: Mapping[int, str]
    workflow: Workflow
    creation: tuple[Step, ...]
    deletion: tuple[Step, ...]
    own_part: bool
    follows: float
    hidden: tuple[Hidden, ...]
    findings: tuple[str, ...]
    seconds: float

    def step_rows(self) -> Iterator[list[str]]:
        """Rows of the table of steps."""
        for part, steps in (("creation", self.creation), ("deletion", self.deletion)):
            for step in steps:
                order = "" if step.in_order is None else f"{step.in_order:.1%}"
                yield [part, step.name, self.templates.get(step.key, "not in this log"), f"{step.machines:.1%}", order]

    def hidden_rows(self) -> Iterator[list[str]]:
        """Rows of the table of streams without ids."""
        for one in self.hidden:
            yield [one.stream, one.method, str(one.tasks), one.apart, f"{one.keys.f1:.3f}", f"{one.entries.f1:.3f}"]

    def records(self) -> list[dict[str, Any]]:
        """A record for each row of both tables."""
        steps = [{"table": "steps", **dict(zip(STEPS, row, strict=True))} for row in self.step_rows()]
        return steps + [{"table": "ids hidden", **dict(zip(HIDDEN, row, strict=True))} for row in self.hidden_rows()]

    def report(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            "files": list(self.files),
            "machines": self.machines,
            "tree": str(self.workflow.tree),
            "noise": self.workflow.noise,
            "templates": {str(key): text for key, text in self.templates.items()},
            "creation": [asdict(step) for step in self.creation],
            "deletion": [asdict(step) for step in self.deletion],
            "deletion_is_its_own_part": self.own_part,
            "deletion_follows_creation": round(self.follows, 4),
            "hidden": [
                {**asdict(one), "apart": one.apart, "keys_f1": one.keys.f1, "entries_f1": one.entries.f1}
                for one in self.hidden
            ],
            "findings": list(self.findings),
            "seconds": round(self.seconds, 1),
        }


STEPS: Final = ("part", "the paper's step", "key here", "machines with it", "after the step before")
HIDDEN: Final = ("ids hidden, runs", "method", "tasks", "keys apart", "F1 keys", "F1 entries")


def run_machines(folder: Path, *, progress: Progress | None = None) -> Machines:
    """Run the experiment on the normal machines of a folder; InputError when there are none or no deletion is told."""
    begun = time.monotonic()
    data = find_openstack(folder)
    lines = stream(data.normal)
    parsed = learn(lines, Config(session=SESSION), progress=progress)
    rows = [(parsed.key_of[row.skeleton], row.session or "", row.time) for row in parsed.kept]
    templates = {key: parsed.templates.template(key).text for key in sorted({key for key, _, _ in rows})}
    sessions: dict[str, list[int]] = {}
    for key, session, _ in rows:
        sessions.setdefault(session, []).append(key)
    runs = Counter(map(tuple, sessions.values()))
    flow = workflows(list(runs), list(runs.values()), [True] * len(runs), _times(rows)).flows[0]
    first = _key(templates, FIRST_OF_DELETION)
    if first == 0:
        raise InputError("tells of no deletion", where=str(folder), remedy="give the whole normal logs")
    parts = [_parted(keys, first) for keys in sessions.values()]
    names = [told[1] if (told := REQUEST.search(line.text)) else None for line in lines]
    streams = _streams(rows, parts, first, names)
    hidden = [one for name, some, drawn in streams for one in _hidden(name, some, drawn, parts, templates)]
    creation, deletion = (_steps(some, templates, list(sessions.values())) for some in (CREATION, DELETION))
    follows = _follows(rows, first, templates)
    own = _own_part(flow, parts)
    found = Machines(
        data.files[:-2], len(sessions), templates, flow, creation, deletion, own, follows, tuple(hidden), (), 0.0
    )
    return _with_findings(found, time.monotonic() - begun)


Entry = tuple[int, str, float | None]


def _key(templates: Mapping[int, str], pattern: str) -> int:
    """The key whose template has such words, 0 for none."""
    return next((key for key, text in templates.items() if re.search(pattern, text)), 0)


def _times(rows: Sequence[Entry]) -> EdgeTimes:
    """How long each step took after the one before it in its session."""
    last: dict[str, tuple[int, float]] = {}
    before, elapsed = [], []
    for key, session, stamp in rows:
        now = np.nan if stamp is None else stamp
        previous, then = last.get(session, (0, np.nan))
        before.append(previous)
        elapsed.append(now - then)
        last[session] = key, now
    return EdgeTimes.of(np.array(before), np.array([key for key, _, _ in rows]), np.array(elapsed))


def _parted(keys: Sequence[int], first: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A machine's keys up to the first of its deletion, and from there; either may be empty."""
    at = keys.index(first) if first in keys else len(keys)
    return tuple(keys[:at]), tuple(keys[at:])


def _steps(
    told: Sequence[tuple[str, str]], templates: Mapping[int, str], sessions: Sequence[Sequence[int]]
) -> tuple[Step, ...]:
    found: list[Step] = []
    before = 0
    for name, pattern in told:
        key = _key(templates, pattern)
        having = [keys for keys in sessions if key in keys]
        both = [keys for keys in having if before in keys]
        order = sum(keys.index(before) < keys.index(key) for keys in both) / len(both) if both else None
        found.append(Step(name, key, len(having) / len(sessions), order))
        before = key or before
    return tuple(found)


def _own_part(flow: Workflow, parts: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> bool:
    """Whether a tree has a cut between its parts in sequence with creation's keys before and deletion's after it."""
    creation, deletion = _key_sets(parts)
    sides = [frozenset(leaf.key for leaf in part.steps()) for part in flow.tree.parts]
    of_deletion = [bool(side & (deletion - creation)) for side in sides]
    mixed = any(side & (deletion - creation) and side & (creation - deletion) for side in sides)
    return not mixed and of_deletion == sorted(of_deletion) and any(of_deletion)


def _key_sets(parts: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> tuple[frozenset[int], frozenset[int]]:
    return frozenset(k for keys, _ in parts for k in keys), frozenset(k for _, keys in parts for k in keys)


def _follows(rows: Sequence[Entry], first: int, templates: Mapping[int, str]) -> float:
    """The share of deletions, as the service wrote them, with just one creation since the deletion before."""
    claim = _key(templates, CREATION[0][1])
    order = [key for key, _, _ in rows if key in {first, claim}]
    pairs = [one != other for one, other in pairwise(order)]
    return sum(pairs) / max(len(pairs), 1)


def _streams(
    rows: Sequence[Entry],
    parts: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
    first: int,
    names: Sequence[str | None],
) -> Iterator[tuple[str, Stream, Drawn | None]]:
    """The log as it stands, and its creations and deletions in random order; each with the truth beside."""
    numbers: dict[str, int] = {}
    deleted: set[str] = set()
    keys, tasks, runs = [], [], []
    for key, session, _ in rows:
        number = numbers.setdefault(session, len(numbers))
        if key == first:
            deleted.add(session)
        keys.append(key)
        tasks.append(int(session in deleted))
        runs.append(2 * number + (session in deleted))
    as_it_stands = Stream(tuple(keys), tuple(tasks), tuple(runs))
    yield AS_IS, as_it_stands, None
    yield NAMED, as_it_stands, in_drawn_order(keys, names)
    whole = [[part[task] for part in parts if part[task]] for task in (0, 1)]
    yield AFTER, one_after_another(whole, Random(1)), None
    yield MIXED, interleaved(whole, AT_ONCE, Random(1)), None


def _hidden(
    name: str,
    some: Stream,
    drawn: Drawn | None,
    parts: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
    templates: Mapping[int, str],
) -> Iterator[Hidden]:
    truth = _key_sets(parts)
    keys = drawn.keys if drawn else some.keys
    found: dict[str, Separation] = {
        COUNTS: by_probability(keys, counted(keys)),
        SECOND: by_co_occurrence(keys),
    }
    for method, separated in found.items():
        result = drawn.in_place(separated) if drawn else separated
        tasks = [task.keys for task in result.tasks]
        strays = tuple(templates[key] for key in _strays(tasks, truth))
        owners = [run and (run.task, run.instance) for run in result.owners]
        pairs = key_pairs(tasks, truth), entry_pairs(owners, some.runs)
        yield Hidden(name, method, len(tasks), len(truth[0] ^ truth[1]), strays, *pairs)


def _strays(tasks: Sequence[frozenset[int]], truth: tuple[frozenset[int], frozenset[int]]) -> list[int]:
    """The keys of one part only that lie in a task with more such keys of the other; of as many, deletion's."""
    own = truth[0] - truth[1], truth[1] - truth[0]
    found: set[int] = set()
    for keys in tasks:
        creation, deletion = keys & own[0], keys & own[1]
        found |= creation if len(creation) < len(deletion) else deletion if creation else frozenset()
    return sorted(found)


def _with_findings(found: Machines, seconds: float) -> Machines:
    ordered = [step for step in (*found.creation, *found.deletion) if step.in_order is not None]
    kept = sum((step.in_order or 0) > USUAL for step in ordered)
    lacking = [step.name for step in (*found.creation, *found.deletion) if not step.key]
    says = (
        f"{kept} of {len(ordered)} of the paper's steps come after the one before them in more than {USUAL:.0%} of the "
        f"machines; not in this log: {', '.join(lacking) or 'none'}",
        f"Deletion is {'its own part' if found.own_part else 'no part of its own'} of the workflow; "
        f"{found.workflow.noise} of {found.workflow.sessions} machines are on no path of it",
        f"As the service wrote them, creation and deletion take turns in {found.follows:.1%} of the cases; where that "
        "is always so, no order tells two tasks from one, but the requests that lines name do",
    )
    return replace(found, findings=says, seconds=seconds)
