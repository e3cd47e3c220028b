"""Whether an edge is flagged is what its score says, though most of the networks are not asked."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offscript import KeyModel, Model
from offscript.entries import UNKNOWN
from offscript.models.ensemble import Ensemble
from offscript.models.flags import are_flagged


@pytest.mark.parametrize("scale", [0.05, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("rule", ["likelihood", "top-g"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_flags_are_those_of_the_scores(service_model: Model, rule: str, scale: float, seed: int) -> None:
    """Seen histories and random ones, any target, either rule, thresholds high and low: as scores say, so are flags."""
    keys = copy.copy(service_model.keys)
    learnt = keys.learnt
    new_rule = replace(learnt.rule, name=rule, threshold=learnt.rule.threshold * scale)
    keys.learnt, keys._remembered = replace(learnt, rule=new_rule), {}
    random, symbols = np.random.default_rng(seed), len(keys.vocabulary)
    seen = learnt.sightings.histories[random.integers(0, len(learnt.sightings.histories), 40)]
    made_up = random.integers(0, symbols, (40, keys.history))
    histories = np.concatenate([seen, made_up]).astype(np.int32)
    targets = random.integers(1, symbols, len(histories)).astype(np.int32)
    assert are_flagged(keys, histories, targets).tolist() == (keys.surprise(histories, targets) >= 1.0).tolist()


def test_most_of_what_training_held_asks_no_network(service_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs that the training log held often are known to be normal before any network is asked."""
    seen = service_model.keys.learnt.sightings
    often = np.flatnonzero(seen.units >= service_model.keys.learnt.often)
    assert len(often) > 10

    def refuse(*_: object) -> None:
        raise AssertionError("all networks were asked")

    monkeypatch.setattr(KeyModel, "surprise", lambda _self, histories, _: refuse() if len(histories) else np.empty(0))
    assert not are_flagged(service_model.keys, seen.histories[often], seen.targets[often]).any()


def test_what_will_be_told_is_asked_once(service_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Histories before keys never seen are scored with the others: their verdicts ask the networks nothing more."""
    keys = copy.copy(service_model.keys)
    keys._remembered = {}
    histories = keys.learnt.sightings.histories[:5]
    assert are_flagged(keys, histories, np.full(5, UNKNOWN, np.int32)).all()
    want = keys.expected_many(histories)

    def refuse(*_: object) -> None:
        raise AssertionError("a network was asked again")

    monkeypatch.setattr(Ensemble, "probabilities", refuse)
    assert keys.expected_many(histories) == want
