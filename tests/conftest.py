"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from offscript import Config, Model, fit
from offscript.testing import lines_of, service_log

DATA = Path(os.environ.get("OFFSCRIPT_DATA", Path(__file__).parents[2] / "shared" / "data"))
SMALL = {"hidden": 12, "layers": 1, "folds": 2, "training_steps": 150, "batch_size": 128, "learning_rate": 0.02}


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of the real logs; tests that use it carry the marker `data`."""
    return DATA


@pytest.fixture(scope="session")
def small() -> Config:
    """Return settings of a network small enough to train in a second or two."""
    return Config(**SMALL)


@pytest.fixture(scope="session")
def service_model(small: Config, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Return a small model of the scripted service, saved (so that it has a lineage)."""
    model = fit(lines_of(service_log(600, seed=1)), small)
    return model.save(tmp_path_factory.mktemp("models") / "service.model")


def pytest_configure(config: pytest.Config) -> None:
    """Leave out the tests that need the real logs where there are none, and the slow ones unless asked for."""
    if not config.getoption("markexpr"):
        config.option.markexpr = "not slow" if DATA.is_dir() else "not slow and not data"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were left out, and why, also where pytest is quiet."""
    if not DATA.is_dir():
        text = "real logs: not found; tests marked `data` were left out (set OFFSCRIPT_DATA to their folder)"
        terminalreporter.write_line(text)
