"""The value model: numpy, JAX and the obvious loop agree; it learns what can be learnt, and says what that is worth."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from benchmarks.every_key import CONFIDENCE, EveryKey
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests import naive_values

from offscript.config import Config
from offscript.errors import ModelError
from offscript.models import value_lstm
from offscript.models.value_gains import Gain, nats_gained
from offscript.models.value_lstm import expected_in_jax, places_of, train_networks
from offscript.models.value_network import ValueNetwork, in_deviations, untrained
from offscript.models.vectors import Place, Vectors

Floats = NDArray[np.float64]
LINES = 400


def random_network(size: int, seed: int) -> ValueNetwork:
    """Return a network with random weights everywhere, some of them large."""
    random = np.random.default_rng(seed)
    net = untrained(7, tuple(range(size)), random.normal(0, 9, size), random.uniform(0.1, 9, size), seed=seed)
    weights = {name: random.normal(0, 1, getattr(net, name).shape) for name in ("bias", "exit", "exit_bias")}
    return replace(net, **{name: array.astype(np.float32) for name, array in weights.items()}, sigma=1.0)


def random_rows(count: int, size: int, seed: int) -> Floats:
    """Return vectors of which some numbers are missing, and some far out."""
    random = np.random.default_rng(seed)
    rows = random.normal(0, 20, (count, size)) * 10.0 ** random.integers(-1, 4, (count, size))
    rows[random.random((count, size)) < 0.2] = np.nan
    return rows


def vectors_of(*columns: Floats, key: int = 7, before: NDArray[np.int64] | None = None) -> Vectors:
    """Return the vectors of a key, the time first; every entry is a unit of its own, after key 1 unless said."""
    numbers = np.column_stack(columns)
    lines = np.arange(len(numbers))
    texts = np.full((len(numbers), len(columns) - 1), -1, np.int32)
    places = tuple(Place(unit="s", seconds=1.0) for _ in columns[1:])
    return Vectors(key, lines, np.ones(len(lines), np.int64) if before is None else before, numbers, texts, places)


def noise(seed: int, count: int = LINES) -> Floats:
    """Return times about 20 that tell nothing of each other."""
    return np.asarray(20 + np.random.default_rng(seed).normal(0, 1, count))


def in_turn(seed: int, count: int = LINES) -> Floats:
    """Return times of 10, 15 and 30 in turn, with a little noise."""
    return np.asarray(np.resize([10.0, 15.0, 30.0], count) + noise(seed, count) / 10)


@pytest.fixture(scope="module")
def learnt() -> dict[int, ValueNetwork]:
    """Networks of a key whose times come in turn, and of one whose times are noise."""
    return train_networks([vectors_of(in_turn(1)), vectors_of(noise(2), key=8)], Config())


@given(st.integers(1, 4), st.integers(1, 40), st.integers(0, 1000), st.sampled_from([math.inf, 9.0, 0.5]))
@settings(max_examples=30, deadline=None)
def test_numpy_equals_the_obvious_loop(size: int, count: int, seed: int, above: float) -> None:
    """The forward pass computes the LSTM equations as they are written, whatever is missing, far out or flagged."""
    net, rows = random_network(size, seed), random_rows(count, size, seed)
    predictions, errors = naive_values.judged(net, rows.tolist(), above)
    np.testing.assert_allclose(net.predictions(rows, above), predictions, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(net.errors(rows, above), errors, rtol=1e-9)


@given(st.integers(1, 4), st.integers(1, 30), st.integers(0, 1000), st.data())
@settings(max_examples=20, deadline=None)
def test_one_vector_at_a_time_gives_the_same_bits(size: int, count: int, seed: int, data: Any) -> None:
    """A prediction depends on the vectors before it alone, and a stream held and resumed goes on (promise 1)."""
    net, rows = random_network(size, seed), random_rows(count, size, seed)
    above = data.draw(st.sampled_from([math.inf, 0.5]))
    whole = net.predictions(rows, above)
    some = data.draw(st.integers(0, count))
    assert np.array_equal(net.predictions(rows[:some], above), whole[:some])
    state = net.start()
    for row, want in zip(rows, whole, strict=True):
        expected, state = net.step(state, in_deviations(row[None], net.mean, net.deviation)[0], above)
        assert np.array_equal(expected * net.deviation + net.mean, want)


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_numpy_equals_jax(size: int) -> None:
    """What is trained is what judges: both forward passes agree, and padding of a vector changes nothing."""
    net, random = random_network(size, 5), np.random.default_rng(0)
    deviations = random.normal(0, 4, (3, 12, size))
    padded = value_lstm._padded(net)
    wide = np.zeros((3, 12, value_lstm.size_for(size)), np.float32)
    wide[..., :size] = deviations
    found = np.asarray(expected_in_jax(padded, wide))[..., :size]
    want = [(net.predictions(one * net.deviation + net.mean) - net.mean) / net.deviation for one in deviations]
    np.testing.assert_allclose(found, want, atol=1e-4)


def test_what_comes_in_turn_is_learnt_and_noise_is_not(learnt: dict[int, ValueNetwork]) -> None:
    """Held-out vectors of a pattern are predicted far better than by the mean, those of pure noise no better."""
    late = slice(LINES * 7 // 10, None)
    assert learnt[7].errors(in_turn(1)[:, None])[late].mean() < 0.05
    assert 0.7 < learnt[8].errors(noise(2)[:, None])[late].mean() < 1.3


def test_a_flagged_vector_does_not_excuse_the_next(learnt: dict[int, ValueNetwork]) -> None:
    """A far vector that enters as it was expected leaves the predictions after it as if nothing had come (DESIGN 6)."""
    net, rows = learnt[7], in_turn(1)[:, None]
    broken = rows.copy()
    broken[300] = 500.0
    above = 0.1
    assert net.errors(broken, above)[300] > above
    assert net.errors(broken, above)[301:].max() < above
    assert np.abs(net.predictions(broken, above) - net.predictions(rows))[301:].max() < 1.0
    assert np.abs(net.predictions(broken) - net.predictions(rows))[301:304].max() > 3.0


def test_a_network_that_lost_its_place_finds_it_again(learnt: dict[int, ValueNetwork]) -> None:
    """When a step is left out for good, alarms end once a window has been flagged, and the log is heard again."""
    net, above = learnt[7], 0.1
    errors = net.errors(np.delete(in_turn(1), 300)[:, None], above)
    assert (errors[301:310] > above).sum() > 3
    assert errors[340:].max() < above


def test_sigma_and_thresholds_are_those_of_the_validation_errors(learnt: dict[int, ValueNetwork]) -> None:
    """T = z * sigma, two-sided, at 98, 99 and 99.9%, sigma about zero from the errors of the last 30% (Fig 9)."""
    net = learnt[8]
    errors = net.errors(noise(2)[:, None])[int(0.7 * LINES) :]
    assert net.sigma == pytest.approx(math.sqrt(np.mean(errors**2)))
    assert net.thresholds == pytest.approx([z * net.sigma for z in (2.3263, 2.5758, 3.2905)], rel=1e-4)
    assert net.mean == pytest.approx(noise(2)[: int(0.7 * LINES)].mean())


def test_training_depends_on_seed_and_vectors_alone(learnt: dict[int, ValueNetwork]) -> None:
    """The same key gives the same bytes beside other keys and again; another seed gives others (promise 2)."""
    alone = train_networks([vectors_of(in_turn(1))], Config())[7].to_arrays()
    other = train_networks([vectors_of(in_turn(1))], Config(seed=1))[7].to_arrays()
    assert all(learnt[7].to_arrays()[name].tobytes() == array.tobytes() for name, array in alone.items())
    assert alone["entry"].tobytes() != other["entry"].tobytes()


def test_one_loop_is_compiled_for_each_vector_size() -> None:
    """More keys, and longer logs, compile nothing: only the padded size of the vector does."""
    value_lstm._compiled.cache_clear()
    wide = [np.column_stack([noise(place) for place in range(places)]) for places in (1, 2, 3, 4)]
    train_networks([vectors_of(*one.T, key=size) for size, one in enumerate(wide, 1)], Config())
    compiled = value_lstm._compiled()._cache_size()
    longer = [vectors_of(noise(key, 90 + 200 * key), key=key) for key in range(4)]
    train_networks(longer, Config())
    assert (compiled, value_lstm._compiled()._cache_size()) == (3, 3)


def test_validation_numbers_teach_the_network_nothing(learnt: dict[int, ValueNetwork]) -> None:
    """Whatever the last 30% hold, weights, mean and deviation stay; sigma alone is of them (promise 6)."""
    changed = in_turn(1)
    changed[int(0.7 * LINES) :] = 99.0
    again = train_networks([vectors_of(changed)], Config())[7].to_arrays()
    for name, array in learnt[7].to_arrays().items():
        assert (array.tobytes() == again[name].tobytes()) == (name != "sigma")


def test_missing_constant_and_enormous_numbers_leave_everything_finite() -> None:
    """NaN, infinities, a constant, 1e300 and 5e-324: a network of finite parts that judges them without a warning."""
    random = np.random.default_rng(3)
    times = noise(3)
    times[random.random(LINES) < 0.3] = np.nan
    huge, tiny = noise(4) * 1e300, noise(5) * 5e-324
    huge[::7] = np.inf
    net = train_networks([vectors_of(times, np.full(LINES, 5.0), huge, tiny)], Config())[7]
    again = ValueNetwork.from_arrays(7, net.to_arrays())
    rows = np.column_stack((times, np.full(LINES, 5.0), huge, tiny))
    assert net.places == (0, 1, 2, 3)
    assert np.isfinite(again.predictions(rows)).all()
    assert np.isfinite(again.errors(rows)).all()
    assert np.isnan(again.errors(np.full((1, 4), np.nan))).all()


def test_keys_that_are_too_rare_or_hold_no_number_have_no_network() -> None:
    """Each part of the log must hold twenty numbers of a place; one that names things is not predicted."""
    ids = np.arange(9_000.0, 9_000 + LINES)
    named = replace(vectors_of(noise(1), ids), places=(Place(),))
    assert places_of(named) == (0,)
    mostly_missing = noise(1)
    mostly_missing[LINES // 2 :] = np.nan
    rare = [vectors_of(noise(1, 60)), vectors_of(mostly_missing, key=8), vectors_of(np.empty(0), key=9)]
    assert train_networks(rare, Config()) == {}


def test_a_gain_is_that_of_knowledge_alone(learnt: dict[int, ValueNetwork]) -> None:
    """Nats are gained where the next number hangs on those before, none where it is noise or the key before tells."""
    (turn,), (plain,) = nats_gained(learnt[7], vectors_of(in_turn(1))), nats_gained(learnt[8], vectors_of(noise(2)))
    assert turn.nats > 1.0
    assert turn.is_worth_it
    assert turn.held_out == LINES - int(0.7 * LINES)
    assert abs(plain.nats) < 0.05
    assert not plain.is_worth_it
    told = vectors_of(in_turn(1), before=np.resize([1, 2, 3], LINES))
    assert nats_gained(learnt[7], told)[0].nats < turn.nats - 1.0


@pytest.mark.parametrize("level", [0.2, 5.0, 700.0])
def test_a_network_that_knows_only_the_mean_gains_nothing(level: float) -> None:
    """Numbers that hardly vary, or not at all, are no likelier for being written as what is left over of a mean."""
    for numbers in (np.full(LINES, level), level + noise(6) / 1000):
        mean = untrained(7, (0,), np.array([numbers.mean()]), np.ones(1), seed=0)
        assert abs(nats_gained(mean, vectors_of(numbers))[0].nats) < 0.05


def test_a_gain_must_be_sure_and_enough() -> None:
    """What chance can give, and what is less than a twentieth of a nat, is not worth a network."""
    assert Gain(7, 1, nats=0.06, error=0.01, held_out=90).is_worth_it
    assert not Gain(7, 1, nats=0.04, error=0.001, held_out=90).is_worth_it
    assert not Gain(7, 1, nats=0.5, error=0.3, held_out=90).is_worth_it


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("entry", lambda a: a[:-1]),
        ("exit", lambda a: a.astype(np.float64)),
        ("exit", lambda _: np.float32(1.0).reshape(())),
        ("exit", lambda _: np.zeros((1 << 12, 2), np.float32)),
        ("recurrent", lambda a: a * np.float32(np.nan)),
        ("bias", None),
        ("places", None),
        ("places", lambda a: a[::-1].copy()),
        ("places", lambda a: a - 1),
        ("places", lambda a: a[:0]),
        ("deviation", lambda a: a * 0),
        ("mean", lambda a: a + 1e300),
        ("sigma", lambda a: -a),
        ("sigma", lambda a: a[0]),
    ],
)
def test_damaged_networks_are_refused(name: str, damage: Any) -> None:
    """Missing, misshapen, mistyped, non-finite or senseless parts give one clear error (promise 4)."""
    net = random_network(2, 1)
    arrays = net.to_arrays()
    again = ValueNetwork.from_arrays(7, dict(arrays))
    rows = random_rows(9, 2, 1)
    assert np.array_equal(again.predictions(rows), net.predictions(rows))
    assert again.thresholds == net.thresholds
    if damage is None:
        del arrays[name]
    else:
        arrays[name] = damage(arrays[name])
    with pytest.raises(ModelError, match="fit the model again"):
        ValueNetwork.from_arrays(7, arrays)


PROBE = """
import sys, numpy as np
from offscript.models.value_gains import nats_gained
from offscript.models.value_network import untrained
untrained(7, (0,), np.zeros(1), np.ones(1), seed=0).predictions(np.ones((3, 1)))
assert not {"jax", "optax", "scipy"} & set(sys.modules)
"""


def test_judging_needs_no_jax() -> None:
    """Only training imports JAX (promise 8)."""
    subprocess.run([sys.executable, "-c", PROBE], check=True)


class TestEveryKey:
    def test_steps_over_all_keys_are_those_of_each(self) -> None:
        """The benchmark's compiled loop over mixed keys, in pieces, has the errors of each network by itself."""
        networks = {3: random_network(1, 1), 9: replace(random_network(3, 2), key=9)}
        keys = np.random.default_rng(4).choice([3, 9], 200)
        rows = random_rows(200, 3, seed=5)
        rows[keys == 3, 1:] = np.nan
        every = EveryKey(networks)
        found = np.concatenate([every.errors(keys[part], rows[part]) for part in (slice(70), slice(70, None))])
        above = 0
        for key, net in networks.items():
            limit = net.threshold(CONFIDENCE)
            expected = net.errors(rows[keys == key][:, : len(net.places)], above=limit)
            assert np.allclose(found[keys == key], expected, rtol=1e-6, equal_nan=True)
            above += int((expected > limit).sum())
        assert 0 < above == every.flagged
