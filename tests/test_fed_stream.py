"""A stream judged in blocks with feedback is the stream judged entry by entry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript import Config, KeyModel
from offscript.evaluate.fed_stream import FedDetector, FedKeys, Flags, NewKeys, judge_fed

TINY = Config(hidden=8, layers=1, history=3, training_steps=100, folds=2)


def one_by_one(detector: FedDetector, anomalous: Flags, begin: int, delay: int | None) -> tuple[list[bool], list[int]]:
    """Judge entry by entry: the obvious way."""
    flagged, reports, waiting = [], [], list[int]()
    for place in range(begin, len(anomalous)):
        while delay is not None and waiting and waiting[0] + max(1, delay) <= place:
            due = waiting.pop(0)
            reports.append(due)
            if detector.flags(np.array([due]))[0]:
                detector.learn(due)
        flagged.append(bool(detector.flags(np.array([place]))[0]))
        if flagged[-1] and not anomalous[place]:
            waiting.append(place)
    return flagged, reports


@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=80),
    st.none() | st.integers(0, 9),
)
def test_blocks_are_as_entry_by_entry_for_new_keys(stream: list[tuple[int, bool]], delay: int | None) -> None:
    """Whatever the stream and the delay: the same is flagged, the same reported."""
    keys, labels = np.array([key for key, _ in stream]), np.array([label for _, label in stream])
    found = judge_fed(NewKeys(keys, 1), labels, 1, delay)
    flagged, reports = one_by_one(NewKeys(keys, 1), labels, 1, delay)
    assert found.flagged.tolist() == flagged
    assert found.reports.tolist()[: len(reports)] == reports


@pytest.fixture(scope="module")
def model() -> KeyModel:
    """Return a model of a loop of four keys."""
    return KeyModel.fit([[1, 2, 3, 4] * 100], TINY, per_entry=True)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([None, 0, 5, 40]))
def test_blocks_are_as_entry_by_entry_for_a_key_model(model: KeyModel, seed: int, delay: int | None) -> None:
    """The same for a model that makes a version of itself at each report."""
    chance = np.random.default_rng(seed)
    keys = np.tile([1, 2, 3, 4], 30)
    changed = chance.random(len(keys)) < 0.15
    keys[changed] = chance.integers(1, 9, int(changed.sum()))
    labels = chance.random(len(keys)) < 0.05
    found = judge_fed(FedKeys(model, keys), labels, 3, delay)
    flagged, reports = one_by_one(FedKeys(model, keys), labels, 3, delay)
    assert found.flagged.tolist() == flagged
    assert found.reports.tolist()[: len(reports)] == reports


def test_feedback_is_what_makes_a_drifting_stream_bearable(model: KeyModel) -> None:
    """After a change the script is reported once or a few times, not at every entry; the score counts all entries."""
    keys = np.concatenate((np.tile([1, 2, 3, 4], 20), np.tile([1, 2, 5, 6, 3, 4], 200)))
    labels = np.zeros(len(keys), bool)
    without = judge_fed(FedKeys(model, keys), labels, 80, None).score(labels)
    with_feedback = judge_fed(FedKeys(model, keys), labels, 80, 0)
    score = with_feedback.score(labels)
    assert without.fp >= 400
    assert score.fp == len(with_feedback.learnt) < 20
    assert score.fp + score.tn == 1_200
