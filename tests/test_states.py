"""States remembered across versions are those made anew, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_update import NORMAL, steps

from offscript import Config, KeyModel, UsageError
from offscript.models import states
from offscript.models.lstm import Array, Network, Symbols, initial
from offscript.models.states import StateMemory
from offscript.models.update import Step, taught

SMALL = Config(hidden=12, layers=2, history=4, training_steps=100, batch_size=32, folds=2)


@pytest.fixture(scope="module")
def model() -> KeyModel:
    """Return a model of the small normal log above."""
    return KeyModel.fit(NORMAL, SMALL)


class Forgetful(StateMemory):
    """A memory that asks the network each time: the obvious way."""

    def states(self, _: int, network: Network, histories: Symbols) -> Array:
        """Return the states made anew."""
        return network.states(histories)


def versions(model: KeyModel, memory: StateMemory, reported: list[list[Step]]) -> Iterator[dict[str, bytes] | str]:
    """Yield the bytes of each version after a series of reports, or why there is none."""
    model = KeyModel(
        model.vocabulary,
        model.history,
        model.count_weight,
        replace(model.learnt, ensemble=replace(model.learnt.ensemble, memory=memory)),
    )
    for some in reported:
        try:
            model = taught(model, some)
            yield {name: array.tobytes() for name, array in model.parts()[1].items()}
        except UsageError as error:
            yield str(error)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(steps, min_size=1, max_size=4), min_size=1, max_size=5), st.sampled_from([1, 40, 1 << 24]))
def test_versions_are_the_same_with_and_without_a_memory(
    model: KeyModel, reported: list[list[Step]], room: int
) -> None:
    """Whatever is reported, new keys that need more room included, and however little the memory holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "REMEMBERED_BYTES", room * 300)
        assert list(versions(model, StateMemory(), reported)) == list(versions(model, Forgetful(), reported))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 60))
def test_what_is_remembered_is_what_the_network_says(seed: int, room: int) -> None:
    """Histories in any order and number, rows that change, other layers at the same place: never a foreign state."""
    chance = np.random.default_rng(seed)
    network = initial(np.ones(16, bool), hidden=4, layers=1, seed=seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(states, "REMEMBERED_BYTES", room * 300)
        memory = StateMemory()
        for _ in range(6):
            histories = chance.integers(0, 16, (int(chance.integers(1, 90)), 3)).astype(np.int32)
            assert (memory.states(0, network, histories) == network.states(histories)).all()
            if chance.random() < 0.4:
                entry = network.entry.copy()
                entry[chance.integers(0, 16)] = entry[2]
                network = replace(network, entry=entry)
            elif chance.random() < 0.3:
                network = initial(np.ones(16, bool), hidden=4, layers=1, seed=seed + 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 150))
def test_probabilities_from_states_are_those_from_histories(model: KeyModel, seed: int, count: int) -> None:
    """Bit for bit: by rank, what is nearly equal must not change places."""
    chance, ensemble = np.random.default_rng(seed), model.learnt.ensemble
    histories = chance.integers(0, len(model.vocabulary), (count, model.history)).astype(np.int32)
    each = [ensemble.states(number, histories) for number in range(len(ensemble.networks))]
    assert (ensemble.probabilities_from(each) == ensemble.probabilities(histories)).all()


def test_the_next_version_asks_only_for_what_is_new(model: KeyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The states of replayed histories are made once, not for each version; that of the report is new."""
    first = taught(model, [Step((7, 2), 77)])
    asked = list[int]()
    made = Network.states

    def counted(network: Network, histories: Symbols) -> Array:
        asked.append(len(histories))
        return made(network, histories)

    monkeypatch.setattr(Network, "states", counted)
    taught(first, [Step((7, 5), 78)])
    assert sum(asked) <= 2 * len(model.learnt.ensemble.networks)
