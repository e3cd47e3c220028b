"""The workflow study: how well graphs and tasks are found where the truth is known, on random systems (ours).

Three questions, each on the same systems (`workflow_trees` says how they are drawn):

- with session ids: does the mined tree accept the runs of the true one (fitness), and does the true one accept the
  runs of the mined one (precision), at several shares of sessions with a mistake in them?
- without ids, one run after another: are the keys of a task put together, and the entries of a run?
- without ids, two to four runs at a time, interleaved at random: the same.

Systems that methods were developed on have seeds below FIRST; those judged here begin there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from random import Random
from statistics import mean
from typing import Any, Final

import numpy as np

from offscript.config import Config
from offscript.evaluate.baselines.deeplog import fit_deeplog
from offscript.evaluate.workflow_trees import (
    ACTIVE,
    Stream,
    System,
    draw_run,
    draw_system,
    interleaved,
    one_after_another,
)
from offscript.workflow.mine import mine
from offscript.workflow.play import accepts, play
from offscript.workflow.shared_keys import HISTORY
from offscript.workflow.tasks import Probability, Separation, by_co_occurrence, by_probability, counted
from offscript.workflow.tree import Tree

FIRST: Final = 1000
"""The seed of the first system judged; the methods were developed on seeds below it."""

NOISE: Final = (0.0, 0.01, 0.05)

COUNTS: Final = "method 1, counts"
LSTM: Final = "method 1, LSTM"
SECOND: Final = "method 2"
AFTER: Final = "one after another"
MIXED: Final = "interleaved"

Progress = Callable[[str, float, float], None]


@dataclass(frozen=True)
class Plan:
    """How much is run: systems, on how many of them the LSTM too, and runs of each task.

    The LSTM has the study's history, and of the paper's layers and units half: a system has some 30 keys.
    """

    systems: int = 200
    networks: int = 20
    runs: int = 1000
    config: Config = field(
        default_factory=lambda: Config(history=HISTORY, layers=1, hidden=32, training_steps=400, seed=1)
    )
    quick: bool = False


FULL: Final = Plan()


def quick() -> Plan:
    """A look within a minute: a few systems, fewer runs."""
    return Plan(4, 1, 200, quick=True)


@dataclass(frozen=True, slots=True)
class Mined:
    """One tree mined from sessions with a share of noise: fitness and precision from sampled runs each way."""

    seed: int
    noise: float
    fitness: float
    precision: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """How well pairs that belong together were put together."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-12)


@dataclass(frozen=True, slots=True)
class Separated:
    """One stream separated by one method: pairs of keys of one task, pairs of entries of one run, tasks found."""

    seed: int
    stream: str
    method: str
    shared: bool
    tasks: int
    found: int
    keys: Pairs
    entries: Pairs


@dataclass(frozen=True)
class Study:
    """What was found, and how long it took."""

    plan: Plan
    mined: tuple[Mined, ...]
    separated: tuple[Separated, ...]
    seconds: float
    processor_seconds: float

    def mined_rows(self) -> list[list[str]]:
        """Noise, trees, mean fitness, worst fitness, mean precision, and the share of trees with both 1."""
        rows = []
        for noise in NOISE:
            some = [one for one in self.mined if one.noise == noise]
            exact = mean(one.fitness == one.precision == 1 for one in some)
            fitness, precision = [one.fitness for one in some], [one.precision for one in some]
            figures = (mean(fitness), min(fitness), mean(precision), min(precision), exact)
            rows.append([f"{noise:.0%}", str(len(some)), *(f"{figure:.3f}" for figure in figures)])
        return rows

    def separated_rows(self) -> list[list[str]]:
        """Stream, method, systems, then for keys and for entries mean precision, recall and F1, and those right."""
        rows = []
        for stream in (AFTER, MIXED):
            for name, some in self._by_method(stream):
                both = [[one.keys for one in some], [one.entries for one in some]]
                figures = [
                    f"{mean(getattr(pair, what) for pair in pairs):.3f}"
                    for pairs in both
                    for what in ("precision", "recall", "f1")
                ]
                exact = mean(one.keys.f1 > 1 - 1e-9 for one in some)
                rows.append([stream, name, str(len(some)), *figures[:3], f"{exact:.0%}", *figures[3:]])
        return rows

    def _by_method(self, stream: str) -> Iterable[tuple[str, list[Separated]]]:
        here = [one for one in self.separated if one.stream == stream]
        for method in (COUNTS, SECOND, LSTM):
            if some := [one for one in here if one.method == method]:
                yield method, some
                if method == LSTM:
                    continue
                for name, shared in (("no key shared", False), ("a key shared", True)):
                    if part := [one for one in some if one.shared is shared]:
                        yield f"{method}, {name}", part

    def records(self) -> list[dict[str, Any]]:
        """A record for each row of both tables."""
        mined = [dict(zip(MINED, row, strict=True)) for row in self.mined_rows()]
        return [{"table": "with ids", **row} for row in mined] + [
            {"table": "without ids", **dict(zip(SEPARATED, row, strict=True))} for row in self.separated_rows()
        ]

    def report(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            "plan": {name: value for name, value in vars(self.plan).items() if name != "config"},
            "first_seed": FIRST,
            "mined": [asdict(one) for one in self.mined],
            "separated": [
                {**asdict(one), "keys_f1": one.keys.f1, "entries_f1": one.entries.f1} for one in self.separated
            ],
            "tables": self.records(),
            "seconds": round(self.seconds, 1),
            "processor_seconds": round(self.processor_seconds, 1),
        }


MINED: Final = ("noise", "trees", "fitness", "worst", "precision", "worst precision", "exactly right")
SEPARATED: Final = (
    *("stream", "method", "systems", "P keys", "R keys", "F1 keys", "tasks right"),
    *("P entries", "R entries", "F1 entries"),
)


def run_study(plan: Plan = FULL, *, progress: Progress | None = None) -> Study:
    """Run the study; the same figures for the same plan."""
    begun, worked = time.monotonic(), time.process_time()
    mined: list[Mined] = []
    separated: list[Separated] = []
    for number in range(plan.systems):
        system = draw_system(FIRST + number)
        # two numbers a seed apart, so that a longer study of one question leaves the other as it was
        mined += mined_of(system, plan.runs, Random(2 * system.seed))
        separated += separated_of(system, plan, Random(2 * system.seed + 1), lstm=number < plan.networks)
        if progress is not None:
            progress("systems", number + 1, plan.systems)
    spent = time.process_time() - worked
    return Study(plan, tuple(mined), tuple(separated), time.monotonic() - begun, spent)


def mined_of(system: System, runs: int, random: Random) -> list[Mined]:
    """Mine the first tree of a system from so many sessions at each share of noise, and play both against each other.

    Fitness is judged on new, clean runs.
    """
    tree = system.trees[0]
    keys = sorted({leaf.key for leaf in tree.steps()})
    clean = [draw_run(tree, random) for _ in range(runs)]
    fresh = [draw_run(tree, random) for _ in range(runs)]
    found = []
    trees: dict[tuple[tuple[int, ...], ...], Tree] = {}  # of few sessions, none may have a mistake
    for noise in NOISE:
        sessions = [mistaken(run, keys, random) if random.random() < noise else run for run in clean]
        learnt = trees[tuple(sessions)] = trees.get(tuple(sessions)) or mine(Counter(sessions))
        fitness, precision = _accepted(learnt, fresh), _accepted(tree, [play(learnt, random) for _ in range(runs)])
        found.append(Mined(system.seed, noise, fitness, precision))
    return found


def _accepted(tree: Tree, runs: Sequence[tuple[int, ...]]) -> float:
    counts = Counter(runs)
    return sum(count for run, count in counts.items() if accepts(tree, run)) / len(runs)


def mistaken(run: Sequence[int], keys: Sequence[int], random: Random) -> tuple[int, ...]:
    """Return a run with one mistake: an entry lost, doubled, foreign to its place, or changed with the next."""
    found = list(run)
    at = random.randrange(len(found))
    kind = random.randrange(4) if len(found) > 1 else 1
    if kind == 0:
        del found[at]
    elif kind == 1:
        found.insert(at, found[at])
    elif kind == 2:
        found.insert(at, random.choice(keys))
    else:
        at = min(at, len(found) - 2)
        found[at], found[at + 1] = found[at + 1], found[at]
    return tuple(found)


def separated_of(system: System, plan: Plan, random: Random, *, lstm: bool) -> list[Separated]:
    """Separate the tasks of a system by each method, one run after another and interleaved."""
    runs = [[draw_run(tree, random) for _ in range(plan.runs)] for tree in system.trees]
    streams = {
        AFTER: one_after_another(runs, random),
        MIXED: interleaved(runs, random.randint(*ACTIVE), random),
    }
    found = []
    for name, stream in streams.items():
        by_method = {
            COUNTS: by_probability(stream.keys, counted(stream.keys)),
            SECOND: by_co_occurrence(stream.keys),
        }
        if lstm:
            by_method[LSTM] = by_probability(stream.keys, learnt(stream.keys, plan.config))
        found += [judged(system, name, method, stream, result) for method, result in by_method.items()]
    return found


def learnt(keys: Sequence[int], config: Config) -> Probability:
    """Return the probabilities of the key model: one network, trained on every window of the stream."""
    model = fit_deeplog([tuple(keys)], config, end=False)
    symbols = model.vocabulary.encode(keys)
    known = [model.vocabulary.key(symbol) for symbol in range(len(model.vocabulary))]
    padded = np.concatenate([np.zeros(config.history - 1, symbols.dtype), symbols])
    histories = np.unique(np.lib.stride_tricks.sliding_window_view(padded, config.history), axis=0)
    shares = model.probabilities(histories)
    answers = {
        tuple(key for symbol in history.tolist() if (key := known[symbol]) is not None): row
        for history, row in zip(histories, shares, strict=True)
    }

    def probability(history: tuple[int, ...]) -> Mapping[int, float]:
        row = answers[history].tolist()
        return {key: row[symbol] for symbol, key in enumerate(known) if key is not None}

    return probability


def judged(system: System, name: str, method: str, stream: Stream, found: Separation) -> Separated:
    """Compare a separation with the truth."""
    truth = system.keys()
    shared = sum(map(len, truth)) > len(frozenset[int]().union(*truth))
    keys = key_pairs([task.keys for task in found.tasks], truth)
    owners = [run and (run.task, run.instance) for run in found.owners]
    entries = entry_pairs(owners, stream.runs)
    return Separated(system.seed, name, method, shared, len(truth), len(found.tasks), keys, entries)


def key_pairs(found: Iterable[Iterable[int]], truth: Iterable[Iterable[int]]) -> Pairs:
    """Compare which two keys have a task in common; each pair counts once, however many tasks it shares.

    >>> key_pairs([{1, 2, 3}], [{1, 2}, {3, 4}])
    Pairs(precision=0.3333333333333333, recall=0.5)
    """
    ours, theirs = ({frozenset(pair) for some in tasks for pair in combinations(some, 2)} for tasks in (found, truth))
    right = len(ours & theirs)
    return Pairs(right / max(len(ours), 1), right / max(len(theirs), 1))


def entry_pairs(found: Sequence[Hashable | None], truth: Sequence[Hashable]) -> Pairs:
    """Compare which two entries are of the same run; an entry of no run is in no pair.

    >>> entry_pairs(["a", "a", "b", None], [1, 1, 1, 2])
    Pairs(precision=1.0, recall=0.3333333333333333)
    """
    right = _pairs(Counter((a, b) for a, b in zip(found, truth, strict=True) if a is not None))
    ours, theirs = _pairs(Counter(one for one in found if one is not None)), _pairs(Counter(truth))
    return Pairs(right / max(ours, 1), right / max(theirs, 1))


def _pairs(sizes: Counter[Any]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes.values())
