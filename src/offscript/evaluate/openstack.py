"""The OpenStack experiment of DeepLog's paper (section 5.2, figure 9): machines that take too long, found by values.

Models are learnt from normal machines alone, each calibrated within `fit` on training machines held out; labels only
count what was found (promise 6).
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from offscript.config import Config
from offscript.errors import InputError
from offscript.evaluate.metrics import wilson
from offscript.evaluate.openstack_changes import steps_of
from offscript.evaluate.openstack_controlled import OURS, Controlled, Recall, changes_of, pooled, thresholds_at
from offscript.evaluate.openstack_data import SESSION, Machine, OpenStack, find_openstack, stream
from offscript.evaluate.openstack_figure9 import Telling, forecast, telling
from offscript.evaluate.openstack_judging import INSTALL, Finding, Part, Simple, judge, learn_simple
from offscript.evaluate.openstack_vectors import Vector, vectors_of
from offscript.fitting import fit
from offscript.model import Model
from offscript.parse.learn import Progress

ASKED: Final = 0.01
"""The share of machines that may be flagged: a tenth of it could not be shown on some hundreds of machines (ours)."""

SLOW: Final = re.compile(r"seconds to (?:spawn|build)\b")
"""The templates that tell the time of a spawn or of a build, which is what was slowed in the labelled machines."""

VALUE_REASONS: Final = frozenset({"unusual_time", "unusual_value"})

LEAST: Final = 60
"""Normal machines below which no part of them would say anything."""


@dataclass(frozen=True)
class Plan:
    """How much is run.

    `train_share` of the normal machines are trained on and the others judged; `first_origin` is the share with which
    the rolling origin begins, and `origins` how many parts of equal size follow; `factors` is by how much a step is
    slowed.
    """

    config: Config = field(default_factory=lambda: Config(session=SESSION, false_alarms=ASKED))
    train_share: float = 0.7
    first_origin: float = 0.36
    origins: int = 6
    factors: tuple[float, ...] = (1.2, 1.5, 2.0)
    quick: bool = False


FULL: Final = Plan()
"""Of the sample's 557 machines, training begins with 200, twice what promises a share of 1%, and 357 are judged."""


def quick() -> Plan:
    """The same with fewer steps, origins and factors: a look within two minutes, not the figures to quote."""
    config = Config(session=SESSION, false_alarms=ASKED, training_steps=200)
    return Plan(config, origins=1, factors=(1.5,), quick=True)


@dataclass(frozen=True)
class Peer:
    """A simple detector at a threshold that flags at most as many held-out normal machines as ours does."""

    name: str
    threshold: float
    held_out: int
    labelled: int
    others: int


@dataclass
class Values:
    """All that the experiment found.

    `held_out` are the later normal machines and `abnormal` those of the abnormal log, both judged by the model of the
    first 70%; `abnormal_by_all` those of the abnormal log by a model of all normal ones; `rolling` has a part for each
    origin. `seconds` are of wall clock, `processor_seconds` of all cores.
    """

    plan: Plan
    data: OpenStack
    held_out: Part
    abnormal: Part
    abnormal_by_all: Part
    promised: str
    rolling: list[Part] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    recalls: list[Recall] = field(default_factory=list)
    telling: list[Telling] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0
    processor_seconds: float = 0.0

    def labelled(self, part: Part) -> dict[str, Finding | None]:
        """The labelled machines with the first verdict that names the spawn or build time, None where there is none."""
        return {name: named(part.flagged.get(name, ())) for name in sorted(self.data.labelled)}

    def others(self, part: Part) -> dict[str, tuple[Finding, ...]]:
        """The machines flagged that are not labelled."""
        return {name: some for name, some in part.flagged.items() if name not in self.data.labelled}

    @property
    def rolled(self) -> tuple[int, int]:
        """Machines flagged and judged over the whole rolling origin."""
        return sum(len(part.flagged) for part in self.rolling), sum(part.judged for part in self.rolling)

    def records(self) -> list[dict[str, Any]]:
        """A record for each detector: what it found, and its recall of each kind of change."""
        kinds = pooled(self.recalls)
        ours = (OURS, len(self.held_out.flagged), *self._found(self.abnormal))
        rows = [ours, *((one.name, one.held_out, one.labelled, one.others) for one in self.peers)]
        return [
            {
                "detector": name,
                "held_out_flagged": held_out,
                "of_held_out": self.held_out.judged,
                "labelled_found": labelled,
                "of_labelled": len(self.data.labelled),
                "others_flagged": others,
                "of_others": self.abnormal.judged - len(self.data.labelled),
            }
            | {f"recall_{_name(one.kind.value, one.factor, one.narrow)}": round(one.share(name), 4) for one in kinds}
            for name, held_out, labelled, others in rows
        ]

    def _found(self, part: Part) -> tuple[int, int]:
        return len(part.flagged.keys() & self.data.labelled), len(self.others(part))

    def report(self) -> dict[str, Any]:
        """Return everything, as `report.json` has it."""
        flagged, judged = self.rolled
        names = [one.name for one in self.peers]
        return {
            "experiment": "openstack-values",
            "plan": asdict(self.plan) | {"config": self.plan.config.model_dump()},
            "files": list(self.data.files),
            "notes": list(self.data.notes),
            "promised": self.promised,
            "detectors": self.records(),
            "held_out": self.held_out.record(),
            "rolling_origin": {
                "flagged": flagged,
                "judged": judged,
                "interval_95": [round(bound, 6) for bound in wilson(flagged, judged)],
                "origins": [part.record() for part in self.rolling],
            },
            "abnormal": self._abnormal(self.abnormal),
            "abnormal_by_all_normal_machines": self._abnormal(self.abnormal_by_all),
            "controlled": {
                "kinds": [one.record(names) for one in pooled(self.recalls)],
                "changes": [one.record(names) for one in self.recalls],
            },
            "figure_9": [one.record(self.data.labelled) for one in self.telling],
            "thresholds_of_simple_detectors": {one.name: one.threshold for one in self.peers},
            "findings": self.findings,
            "seconds": round(self.seconds),
            "processor_seconds": round(self.processor_seconds),
        }

    def _abnormal(self, part: Part) -> dict[str, Any]:
        return {
            "labelled": {name: None if one is None else asdict(one) for name, one in self.labelled(part).items()},
            "others_flagged": len(self.others(part)),
        } | part.record()


def _name(kind: str, factor: float, narrow: bool) -> str:
    if kind in ("size", "status"):
        return kind
    return f"{kind}_{'narrow' if narrow else 'wide'}_{factor:g}x"


def named(findings: Sequence[Finding]) -> Finding | None:
    """The first verdict by time or value on an entry that tells the spawn or build time, if there is one."""
    return next((one for one in findings if one.reason in VALUE_REASONS and SLOW.search(one.template)), None)


def run_openstack(folder: Path, plan: Plan = FULL, *, progress: Progress | None = None) -> Values:
    """Run the experiment on the OpenStack set of a folder (CCS 2017 section 5.2; the controlled test is ours).

    Raises InputError when there is none, a damaged file, or too few machines.
    """
    began, busy = time.perf_counter(), time.process_time()
    if progress is not None:
        progress("reading", 0, 0)
    data = find_openstack(folder)
    if len(data.normal) < LEAST:
        what = f"has {len(data.normal)} normal machines"
        raise InputError(what, where=data.files[0], remedy=f"give a log of at least {LEAST}")
    steps = _Steps(progress, plan.origins + 3)
    border = int(plan.train_share * len(data.normal))
    train, test = data.normal[:border], data.normal[border:]
    model = fitted(train, plan)
    steps.done()
    found = Values(
        plan,
        data,
        held_out=judged(model, len(train), test),
        abnormal=judged(model, len(train), data.abnormal),
        abnormal_by_all=judged(fitted(data.normal, plan), len(data.normal), data.abnormal),
        promised=model.keys.promise.describe(),
    )
    steps.done()
    found.telling = _figure_9(model, train, test, data.abnormal, plan)
    steps.done()
    _roll(found, steps)
    _compare(found, model, train, test, steps)
    found.seconds, found.processor_seconds = time.perf_counter() - began, time.process_time() - busy
    return found


def fitted(machines: Sequence[Machine], plan: Plan) -> Model:
    """A model of normal machines."""
    return fit(stream(machines), plan.config)


def judged(model: Model, trained: int, machines: Sequence[Machine]) -> Part:
    """Machines judged in one stream."""
    return Part(trained, len(machines), judge(model, stream(machines)))


def _figure_9(
    model: Model, train: Sequence[Machine], test: Sequence[Machine], odd: Sequence[Machine], plan: Plan
) -> list[Telling]:
    """The paper's figure 9: networks of the first machines, sigma of the later normal ones."""
    parts = [list(zip((one.name for one in some), vectors_of(model, some), strict=True)) for some in (train, test, odd)]
    return telling(model, parts[0], parts[1], parts[2], partial(forecast, seed=plan.config.seed))


def _roll(found: Values, steps: _Steps) -> None:
    """Growing training sets, each judged on the machines that follow."""
    plan, normal = found.plan, found.data.normal
    first = int(plan.first_origin * len(normal))
    borders = [first + (len(normal) - first) * part // plan.origins for part in range(plan.origins + 1)]
    for begin, end in pairwise(borders):
        found.rolling.append(judged(fitted(normal[:begin], plan), begin, normal[begin:end]))
        steps.done()


def _compare(found: Values, model: Model, train: Sequence[Machine], test: Sequence[Machine], steps: _Steps) -> None:
    """The controlled test, and the simple detectors at the same false alarms."""
    learnt, held_out = vectors_of(model, train), vectors_of(model, test)
    simple, lacking = learn_simple(learnt)
    if lacking:
        found.findings.append(f"not installed, so not run: {', '.join(lacking)} ({INSTALL})")
    thresholds = thresholds_at(simple, held_out, len(found.held_out.flagged))
    found.peers = [_peer(found, one, thresholds[one.name], held_out, model) for one in simple]
    found.recalls = changes_of(steps_of(model, learnt), found.plan.factors)
    steps.more(len(found.recalls))
    Controlled(model, test, held_out, simple, thresholds).run(found.recalls, steps.done)


def _peer(found: Values, simple: Simple, threshold: float, held_out: Sequence[Sequence[Vector]], model: Model) -> Peer:
    scores = simple.scores(vectors_of(model, found.data.abnormal))
    above = {one.name for one, score in zip(found.data.abnormal, scores, strict=True) if score > threshold}
    normal = int((simple.scores(held_out) > threshold).sum())
    labelled = len(above & found.data.labelled)
    return Peer(simple.name, threshold, normal, labelled, len(above) - labelled)


class _Steps:
    """Progress as steps done, of so many."""

    def __init__(self, progress: Progress | None, of: int) -> None:
        self._progress, self._of, self._done = progress, of, 0

    def more(self, steps: int) -> None:
        """There is more to do."""
        self._of += steps

    def done(self) -> None:
        """One more step is done."""
        self._done = min(self._done + 1, self._of)
        if self._progress is not None:
            self._progress("training and judging", self._done, self._of)
