"""The workflows of a model, from the distinct training sessions that it holds (CCS 2017 section 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Final

from offscript.model import Model
from offscript.models.keys import KeyModel
from offscript.workflow.graph import Times

if TYPE_CHECKING:
    from offscript.workflow.learn import Workflows

QUICK: Final = 10_000
"""Distinct training sessions whose workflows are learnt without asking: less than ten seconds of a processor, where the
4,900 of the recorded PostgreSQL server take four and the 1,960 of HDFS three."""

QUICK_KEYS: Final = 500
"""Log keys up to which they are: tables of key by key are made, and more keys than a task has hold many tasks."""

STREAM: Final = 100_000
"""Entries of a log without sessions, its last, that are parted into tasks: enough to see a step a thousand times that
is one in a hundred, and some seconds of work."""


def workflows_of(model: Model, times: Mapping[tuple[int, int], Times] | None = None) -> Workflows:
    """Learn the workflows of the sessions in a model; symbols become log keys again, `times` are by (key before, key).

    A log without sessions is one stream, or a few, one after another: they are parted into tasks by which keys come
    near each other (method 2, as it needs nothing but the stream), and what is in no run of a task is left out.

    >>> from offscript import Config, fit
    >>> from offscript.testing import lines_of, service_log
    >>> model = fit(lines_of(service_log(60)), Config(hidden=4, layers=1, training_steps=25, folds=2))
    >>> [flow.sessions for flow in workflows_of(model).flows]  # the others are still open where the log ends
    [35]
    """
    from offscript.workflow.learn import workflows  # noqa: PLC0415  (what mines is loaded where workflows are learnt)

    sequences, counts, complete = sessions_of(model.keys)
    if model.session_key.where == "none":
        sequences, counts, complete = parted(sequences)
    return workflows(sequences, counts, complete, times)


def workflows_if_quick(model: Model, wanted: bool | None) -> Workflows | None:
    """Learn the workflows of a model where they are wanted or, with None, where that takes seconds; else None.

    Without being asked, a log without sessions is not parted into tasks: where these overlap much, that is a guess.
    """
    few = len(model.keys.learnt.sessions.counts) <= QUICK and len(model.keys.vocabulary.keys) <= QUICK_KEYS
    by_itself = few and model.session_key.where != "none"
    return workflows_of(model, model.times) if wanted or (wanted is None and by_itself) else None


def parted(streams: Sequence[tuple[int, ...]]) -> tuple[list[tuple[int, ...]], list[int], list[bool]]:
    """Part streams of log keys into runs of tasks: the distinct ones, how often each came, and whether it has ended.

    >>> import random
    >>> chance = random.Random(1)
    >>> stream = tuple(key for _ in range(200) for key in chance.choice([(1, 2, 3), (4, 5)]))
    >>> runs, counts, complete = parted([stream])
    >>> sorted(zip(runs, counts))[:2]
    [((1, 2, 3), 99), ((4, 5), 101)]
    """
    from offscript.workflow.tasks import FEWEST, by_co_occurrence  # noqa: PLC0415  (as above)

    keys = list(chain.from_iterable(streams))[-STREAM:]
    if len(keys) < FEWEST:
        return [], [], []
    found = by_co_occurrence(keys)
    runs = Counter((tuple(keys[at] for at in run.positions), run.is_complete) for run in found.runs)
    return [run for run, _ in runs], list(runs.values()), [ended for _, ended in runs]


def sessions_of(keys: KeyModel) -> tuple[list[tuple[int, ...]], list[int], list[bool]]:
    """Return the distinct training sessions as log keys, with how often each came and whether it has ended.

    What stands for no key, as an unknown one, is left out.
    """
    held = keys.learnt.sessions
    sequences, begin = [], 0
    for length in held.lengths.tolist():
        symbols = held.symbols[begin : begin + length].tolist()
        begin += length
        sequences.append(tuple(key for key in map(keys.key, symbols) if key is not None))
    return sequences, held.counts.tolist(), [bool(ended) for ended in held.complete.tolist()]
