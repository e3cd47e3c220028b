"""The detectors of the HDFS table, each with its one setting, all learnt and judged without a label.

Where the original has a fixed setting, that is taken (top-9, the Q statistic at 0.001, 98% support, a distance of 0.3);
else the threshold is the one that flags a stated share of held-out normal training sessions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from offscript.config import Config
from offscript.evaluate.baselines.clustering import DISTANCE, fit_clusters
from offscript.evaluate.baselines.deeplog import DeepLog, fit_deeplog
from offscript.evaluate.baselines.invariants import Invariants, mine_invariants
from offscript.evaluate.baselines.judged import (
    Floats,
    Judged,
    Learner,
    at_threshold,
    conformal_threshold,
    held_out_scores,
    highest,
)
from offscript.evaluate.baselines.ngram import HISTORY, fit_ngram
from offscript.evaluate.baselines.pca import fit_subspace
from offscript.evaluate.baselines.ranks import Ranks, ranks
from offscript.evaluate.baselines.simple import judge_length, judge_new_event, learn_count_vectors
from offscript.evaluate.hdfs_sessions import Session, Split, in_order
from offscript.models.keys import KeyModel

Item = TypeVar("Item")
Result = TypeVar("Result")

NORMAL: Final = "normal sessions"
UNLABELLED: Final = "all sessions, unlabelled"

INSTALL: Final = "the extra `baselines`: pip install '.[baselines]' in the source folder"

Rule = Literal["likelihood", "top-g"]

Kind = tuple[float, bool, Rule]
"""How our model is calibrated: the share asked, whether sessions are judged by their profile too, and the rule."""

SHARES: Final = (0.01, 0.003, 0.001)
"""The shares that promises are tried at; the table has the lower two."""

KINDS: Final[tuple[Kind, ...]] = (
    *((share, True, "likelihood") for share in SHARES),
    (0.003, False, "likelihood"),
    (0.003, False, "top-g"),
)

SHARE: Final = 0.003
"""Share of held-out normal training sessions that a calibrated baseline flags: the 0.3% of the rows of ours that are to
be compared with order alone; a tenth of a percent would hang on the five oddest of 4,855 sessions (ours)."""


@dataclass
class Task:
    """What a detector may see: training sessions, distinct sessions to judge, what each stands for, and a seed.

    `ours` and `paper` are the settings of our model and of DeepLog as in the paper, `kinds` the shares and rules that
    ours is calibrated with. What several detectors need is learnt once.
    """

    train: tuple[Session, ...]
    test: tuple[Session, ...]
    stands_for: npt.NDArray[np.float64]
    seed: int
    ours: Config
    paper: Config
    kinds: tuple[Kind, ...] = ()
    _models: dict[Kind, KeyModel] = field(default_factory=dict)
    _deeplogs: dict[bool, DeepLog] = field(default_factory=dict)

    @classmethod
    def of(cls, split: Split, seed: int, ours: Config, paper: Config) -> Task:
        """A split, without its labels."""
        update = {"seed": seed}
        return cls(
            split.train,
            split.test,
            split.stands_for,
            seed,
            ours.model_copy(update=update),
            paper.model_copy(update=update),
            KINDS,
        )

    @property
    def distinct(self) -> tuple[tuple[Session, ...], npt.NDArray[np.int64]]:
        """The distinct training sessions, and how often each comes."""
        return in_order(self.train)

    def model(self, false_alarms: float, *, profile: bool, rule: Rule = "likelihood") -> KeyModel:
        """Our model under one of `kinds`; all of them are fitted when the first is asked for, on the same networks."""
        if not self._models:
            configs = [
                self.ours.model_copy(update={"false_alarms": share, "profile": whole, "rule": by})
                for share, whole, by in self.kinds
            ]
            self._models = dict(zip(self.kinds, KeyModel.fit_each(self.train, configs), strict=True))
        return self._models[false_alarms, profile, rule]

    def deeplog(self, *, end: bool) -> DeepLog:
        """DeepLog as in the paper; both kinds are trained when the first is asked for, side by side."""
        if not self._deeplogs:
            kinds = (True, False)
            made = side_by_side(lambda end: fit_deeplog(self.train, self.paper, end=end), kinds)
            self._deeplogs = dict(zip(kinds, made, strict=True))
        return self._deeplogs[end]


def side_by_side(job: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """What a job makes of each item, on all cores: one network's steps are too small to fill more than one."""
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(job, items))


@dataclass(frozen=True)
class Detector:
    """A row of the table: its name, its one setting in words, what it learns from, and its judgement of a task.

    `paper` names the paper's row beside it. `chance` says that training draws random numbers, so that seeds differ.
    """

    name: str
    how: str
    judge: Callable[[Task], Judged]
    paper: str | None = None
    trained_on: str = NORMAL
    chance: bool = False


def _ours(false_alarms: float, *, profile: bool = True, rule: Rule = "likelihood") -> Callable[[Task], Judged]:
    def judge(task: Task) -> Judged:
        model = task.model(false_alarms, profile=profile, rule=rule)
        return judged_by(model, task.test)

    return judge


def judged_by(model: KeyModel, sessions: Sequence[Session]) -> Judged:
    """The verdicts of our model on complete sessions."""
    verdicts = model.judge(sessions)
    settings = {"asked": model.promise.asked, "promised": round(model.promise.share, 6)}
    reasons = tuple(verdict.reason.value if verdict.reason is not None else "" for verdict in verdicts)
    return Judged(np.array([verdict.score for verdict in verdicts]), reasons, settings)


def _deeplog(*, end: bool, short: bool = False) -> Callable[[Task], Judged]:
    def judge(task: Task) -> Judged:
        learnt = task.deeplog(end=end)
        found = ranks(learnt, learnt.vocabulary, task.test, history=task.paper.history, end=end)
        return _top_g(found, task, short=short)

    return judge


def _ngram(*, end: bool, short: bool = False) -> Callable[[Task], Judged]:
    def judge(task: Task) -> Judged:
        learnt = fit_ngram(*task.distinct, end=end)
        return _top_g(ranks(learnt, learnt.vocabulary, task.test, history=HISTORY, end=end), task, short=short)

    return judge


def _top_g(found: Ranks, task: Task, *, short: bool) -> Judged:
    judged = found.judged(task.paper.candidates)
    if not short:
        return judged
    brief = np.array([len(session) <= task.paper.history for session in task.test], np.float64)
    reasons = tuple("short_session" if one else "" for one in brief)
    # a rank is finite for every known key: above all of these, so that no other g would let a short session pass
    return highest([Judged(brief * len(task.test) * 1e6, reasons), judged])


def _pca(*, unlabelled: bool) -> Callable[[Task], Judged]:
    def judge(task: Task) -> Judged:
        learnt = fit_subspace(*_seen(task, unlabelled=unlabelled))
        errors = learnt.errors(task.test)
        return at_threshold(errors, learnt.threshold, "unusual_session", components=learnt.directions.shape[1])

    return judge


def _invariants(*, unlabelled: bool) -> Callable[[Task], Judged]:
    def judge(task: Task) -> Judged:
        learnt: Invariants = mine_invariants(*_seen(task, unlabelled=unlabelled))
        broken = learnt.broken(task.test)
        return at_threshold(broken, 0.0, "broken_invariant", invariants=len(learnt.coefficients))

    return judge


def _seen(task: Task, *, unlabelled: bool) -> tuple[tuple[Session, ...], npt.NDArray[Any]]:
    return (task.test, task.stands_for) if unlabelled else task.distinct


def _clusters(task: Task) -> Judged:
    learnt = fit_clusters(*task.distinct)
    return at_threshold(learnt.distances(task.test), DISTANCE, "unusual_session", clusters=len(learnt.means))


def _calibrated(learner: Learner, share: float) -> Callable[[Task], Judged]:
    def judge(task: Task) -> Judged:
        threshold = conformal_threshold(*held_out_scores(learner, task.train, task.seed), share)
        scores: Floats = learner(*task.distinct)(task.test)
        return at_threshold(scores, threshold, "unusual_session", asked=share)

    return judge


def _new_event(task: Task) -> Judged:
    return judge_new_event(task.train, task.test)


def _length(task: Task) -> Judged:
    return judge_length(task.train, task.test)


def _combined(task: Task) -> Judged:
    vectors = _calibrated(learn_count_vectors, 0.001)(task)
    return highest([_new_event(task), _length(task), vectors])


OURS: Final = "ours"
ORDER: Final = "order alone"

_SHORT: Final = "sessions of at most h = 10 keys are flagged unseen, which the paper's FN imply"

DETECTORS: Final = (
    Detector(f"{OURS}, 0.1%", "the default: every detector, joint share 0.1%", _ours(0.001), chance=True),
    Detector(f"{OURS}, 0.3%", "the same, joint share 0.3%", _ours(0.003), chance=True),
    Detector(
        f"{ORDER}, likelihood, 0.3%",
        "no session profile; share 0.3%",
        _ours(0.003, profile=False),
        chance=True,
    ),
    Detector(
        f"{ORDER}, top-g, 0.3%",
        "no session profile; several networks, g=9, END",
        _ours(0.003, profile=False, rule="top-g"),
        chance=True,
    ),
    Detector("DeepLog, END", "top-9, h=10, L=2, alpha=64; END is learnt", _deeplog(end=True), "DeepLog", chance=True),
    Detector("DeepLog, no END", "the same without END", _deeplog(end=False), "DeepLog", chance=True),
    Detector("DeepLog, short", f"without END; {_SHORT}", _deeplog(end=False, short=True), "DeepLog", chance=True),
    Detector("N-gram, END", "N=1, top-9; END is counted", _ngram(end=True), "N-gram"),
    Detector("N-gram, no END", "the same without END", _ngram(end=False), "N-gram"),
    Detector("N-gram, short", f"without END; {_SHORT}", _ngram(end=False, short=True), "N-gram"),
    Detector("PCA", "tf-idf, 95% of the variance, Q statistic at 0.001", _pca(unlabelled=False), "PCA"),
    Detector("PCA, unlabelled", "the same, as first published", _pca(unlabelled=True), "PCA", UNLABELLED),
    Detector(
        "invariant mining",
        "invariants of up to 4 keys that 98% keep; any broken",
        _invariants(unlabelled=False),
        "invariant mining",
    ),
    Detector(
        "invariant mining, unlabelled",
        "the same, as first published",
        _invariants(unlabelled=True),
        "invariant mining",
        UNLABELLED,
    ),
    Detector("log clustering", "complete linkage, cosine distance 0.3", _clusters, "log clustering"),
    Detector(
        "log clustering, 0.3%",
        "the same clusters; threshold at 0.3% of normals",
        _calibrated(lambda sessions, times: fit_clusters(sessions, times).distances, SHARE),
        "log clustering",
        chance=True,
    ),
    Detector("new event", "a key that training has not", _new_event),
    Detector("length", "shorter or longer than in training", _length),
    Detector(
        "count vector, 0.3%",
        "distance to the nearest; threshold at 0.3% of normals",
        _calibrated(learn_count_vectors, SHARE),
        chance=True,
    ),
    Detector(
        "event + length + vector",
        "the three at once; threshold of the vectors at 0.1%",
        _combined,
        chance=True,
    ),
)


def detectors_at_hand() -> tuple[tuple[Detector, ...], tuple[str, ...]]:
    """The detectors that can be run here, and the names of those that lack an extra."""
    if find_spec("sklearn") is not None:
        return DETECTORS, ()
    lacking = tuple(one.name for one in DETECTORS if one.paper == "log clustering")
    return tuple(one for one in DETECTORS if one.name not in lacking), lacking
