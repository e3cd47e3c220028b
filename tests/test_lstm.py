"""The network: numpy, JAX and the obvious loop agree; training is deterministic and reaches its floor."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import naive_keys

from offscript.config import Config
from offscript.errors import ModelError
from offscript.models import forward, lstm
from offscript.models.lstm import Network, capacity_for, initial, logits_in_jax, train

ALLOWED = np.array([False, True, False, True, True, True, False, False] + [False] * 8)
HISTORIES = np.array([[0, 0], [0, 3], [3, 4], [4, 3], [4, 5]], np.int32)
TARGETS = np.array([3, 4, 3, 5, 1], np.int32)
TINY = Config(hidden=4, layers=2, history=2, training_steps=50, batch_size=16)


def trained(seed: int = 0, config: Config = TINY) -> Network:
    """Return a tiny network trained on five pairs."""
    return train(HISTORIES, TARGETS, np.ones(5, np.float32), ALLOWED, config, seed=seed)[0]


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_numpy_equals_the_obvious_loop(layers: int, hidden: int, history: int, seed: int) -> None:
    """The vectorised forward pass computes the LSTM equations as they are written, to 1e-5."""
    net = initial(ALLOWED, hidden=hidden, layers=layers, seed=seed)
    rows = np.random.default_rng(seed).integers(0, 16, (3, history))
    want = [naive_keys.probabilities(net, row) for row in rows.tolist()]
    np.testing.assert_allclose(net.probabilities(rows), want, atol=1e-5)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_numpy_equals_jax(layers: int) -> None:
    """What is trained is what scores: both forward passes agree to 1e-5."""
    net = initial(ALLOWED, hidden=8, layers=layers, seed=1)
    rows = np.random.default_rng(0).integers(0, 16, (40, 10))
    params = {"entry": net.entry, "recurrent": net.recurrent, "bias": net.bias}
    logits = np.asarray(logits_in_jax(params | {"exit": net.exit, "exit_bias": net.exit_bias}, rows))
    powers = np.exp(logits) * ALLOWED
    np.testing.assert_allclose(net.probabilities(rows), powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("hidden", [5, 16, 64])
@given(count=st.integers(1, 300), symbols=st.integers(1, 16), seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_row_scores_alike_in_any_company(
    monkeypatch: pytest.MonkeyPatch, hidden: int, count: int, symbols: int, seed: int
) -> None:
    """Batch size, place in the batch, and rows that begin alike change no bit of a row's probabilities (promise 1)."""
    net = initial(ALLOWED, hidden=hidden, layers=2, seed=3)
    random = np.random.default_rng(seed)
    rows = random.integers(0, symbols, (count, 10))
    whole = net.probabilities(rows)
    order = random.permutation(count)
    monkeypatch.setattr(forward, "AT_ONCE", 100)
    assert np.array_equal(net.probabilities(rows[order]), whole[order])
    monkeypatch.undo()
    assert np.array_equal(net.probabilities(rows[order[:1]])[0], whole[order[0]])


def test_beginnings_are_stepped_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many histories that part at their last symbol cost a batch for each symbol before it, and no more."""
    net = initial(ALLOWED, hidden=4, layers=1, seed=3)
    rows = np.array([[3, 4, 5, last] for last in range(16)] * 20)
    batches, step = [], forward._step

    def counted(*given: Any) -> None:
        batches.append(given)
        step(*given)

    monkeypatch.setattr(forward, "_step", counted)
    want = net.probabilities(rows[:16])
    assert len(batches) == 4
    assert np.array_equal(net.probabilities(rows), np.tile(want, (20, 1)))
    assert len(batches) == 8


def test_the_same_seed_gives_the_same_bytes() -> None:
    """Training is deterministic; another seed is another network (promise 2)."""
    first, again, other = (trained(seed).arrays() for seed in (0, 0, 1))
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert first["exit"].tobytes() != other["exit"].tobytes()


def test_the_loss_falls_to_its_floor_and_the_progress_tells() -> None:
    """On pairs a network can learn, the loss ends near the floor, and each call of progress says how far it is."""
    calls: list[tuple[int, int, float, float]] = []
    rows = np.array([[0], [3], [3]], np.int32)
    config = Config(hidden=8, layers=1, history=1, training_steps=400, batch_size=16)
    _, curve = train(
        rows,
        np.array([3, 4, 5], np.int32),
        np.ones(3, np.float32),
        ALLOWED,
        config,
        seed=0,
        progress=lambda step, of, loss, floor: calls.append((step, of, loss, floor)),
    )
    assert curve.floor == pytest.approx(2 * np.log(2) / 3)
    assert curve.gap < 0.05
    assert calls[-1][0] == calls[-1][1] == 400
    assert [loss for _, _, loss, _ in calls] == [loss for _, loss in curve.points]


def test_training_ends_early_where_nothing_is_left_to_learn() -> None:
    """Early stopping looks at the floor of the training loss alone; the progress still ends at its full count."""
    config = Config(hidden=8, layers=1, history=1, training_steps=2_000, batch_size=16)
    steps: list[tuple[int, int]] = []
    rows, targets = np.array([[0], [3]], np.int32), np.array([3, 4], np.int32)
    _, curve = train(
        rows, targets, np.ones(2, np.float32), ALLOWED, config, seed=0, progress=lambda s, of, *_: steps.append((s, of))
    )
    assert curve.points[-1][0] < 400
    assert steps[-1] == (400, 400)
    assert curve.gap <= lstm.EARLY_STOP


def test_weights_matter() -> None:
    """A pair of nine times the weight ends up about nine times as probable."""
    rows, targets = np.array([[3], [3]], np.int32), np.array([4, 5], np.int32)
    config = Config(hidden=8, layers=1, history=1, training_steps=400, batch_size=16)
    net, _ = train(rows, targets, np.array([9, 1], np.float32), ALLOWED, config, seed=0)
    assert net.probabilities(rows)[0, 4:6] == pytest.approx([0.9, 0.1], abs=0.03)


def test_only_allowed_symbols_can_follow() -> None:
    """START, UNKNOWN and the spare rows of the capacity have probability zero; the others sum to one."""
    found = trained().probabilities(HISTORIES)
    assert (found[:, ~ALLOWED] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_training_exercises_the_row_of_unknown() -> None:
    """UNKNOWN in a history is not left at its random start, so a new key does not derail what follows."""
    start = initial(ALLOWED, hidden=4, layers=2, seed=0)
    moved = np.abs(trained().entry - start.entry).max(axis=1) > 1e-4
    assert moved[[0, 2, 3, 4]].all()
    assert not moved[6:].any()


def test_capacity_grows_in_few_steps() -> None:
    """A few more keys change no shape, so nothing compiles again and weights can be reused."""
    assert {capacity_for(symbols) for symbols in range(1, 129)} == {16, 32, 64, 128}
    assert all(capacity_for(symbols) >= symbols for symbols in range(1, 2_000))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("entry", lambda a: a[:-1]),
        ("exit", lambda a: a.astype(np.float64)),
        ("recurrent1", lambda a: a * np.float32(np.nan)),
        ("bias0", None),
        ("targets", lambda a: a * 0),
    ],
)
def test_damaged_weights_are_refused(name: str, damage: Any) -> None:
    """Missing, misshapen, mistyped or non-finite weights give one clear error (promise 4)."""
    net = initial(ALLOWED, hidden=4, layers=2, seed=0)
    arrays = net.arrays()
    again = Network.from_arrays(dict(arrays), capacity=16, hidden=4, layers=2)
    assert np.array_equal(again.probabilities(HISTORIES), net.probabilities(HISTORIES))
    if damage is None:
        del arrays[name]
    else:
        arrays[name] = damage(arrays[name])
    with pytest.raises(ModelError, match="fit the model again"):
        Network.from_arrays(arrays, capacity=16, hidden=4, layers=2)


PROBE = """
import sys, numpy as np
from offscript.models.compiled import keep_compiled
from offscript.models.keys import KeyModel
assert "jax" not in sys.modules and "optax" not in sys.modules
keep_compiled()
import jax
print(jax.config.jax_compilation_cache_dir)
"""


@pytest.mark.parametrize(("home", "kept"), [("private", True), ("loose", False), ("file", False)])
def test_compiled_code_is_kept_in_a_private_folder_or_not_at_all(tmp_path: Path, home: str, kept: bool) -> None:
    """The cache folder is the user's own with mode 0700; where that cannot be, nothing breaks; scoring needs no JAX."""
    cache = tmp_path / home
    if home == "loose":
        (cache / "offscript" / "jax").mkdir(parents=True)
        (cache / "offscript" / "jax").chmod(0o777)
    if home == "file":
        cache.write_text("not a folder")
    env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")} | {"XDG_CACHE_HOME": str(cache)}
    ran = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, env=env, check=True)
    folder = cache / "offscript" / "jax"
    assert ran.stdout.strip() == (str(folder) if kept else "None")
    assert not kept or stat.S_IMODE(folder.stat().st_mode) == 0o700
