"""The workflows of a model, from the distinct training sessions that it holds (CCS 2017 section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from offscript.model import Model
from offscript.models.keys import KeyModel
from offscript.workflow.graph import Times
from offscript.workflow.learn import Workflows, workflows

Separate: TypeAlias = Callable[[Model, Sequence[tuple[int, ...]]], Workflows]
"""What parts the streams of a log without sessions into tasks."""


def workflows_of(
    model: Model, times: Mapping[tuple[int, int], Times] | None = None, *, separate: Separate | None = None
) -> Workflows:
    """Learn the workflows of the sessions in a model; symbols become log keys again, `times` are by (key before, key).

    A log without sessions is one stream, or a few: then `separate` parts it into tasks, and without that there are no
    workflows.

    >>> from offscript import Config, fit
    >>> from offscript.testing import lines_of, service_log
    >>> model = fit(lines_of(service_log(60)), Config(hidden=4, layers=1, training_steps=25, folds=2))
    >>> [flow.sessions for flow in workflows_of(model).flows]  # the others are still open where the log ends
    [35]
    """
    sequences, counts, complete = sessions_of(model.keys)
    if model.session_key.where == "none":
        return separate(model, sequences) if separate else Workflows(())
    return workflows(sequences, counts, complete, times)


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
