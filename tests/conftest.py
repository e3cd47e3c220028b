"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("OFFSCRIPT_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of the real logs; tests that use it carry the marker `data`."""
    return DATA


def pytest_configure(config: pytest.Config) -> None:
    """Leave out the tests that need the real logs where there are none, and say so in the header."""
    if not DATA.is_dir() and not config.getoption("markexpr"):
        config.option.markexpr = "not data and not slow"
    elif not config.getoption("markexpr"):
        config.option.markexpr = "not slow"


def pytest_report_header() -> str:
    """Say which tests are left out, and why."""
    if DATA.is_dir():
        return "real logs: found; every test but the slow ones runs"
    return "real logs: not found; tests marked `data` are left out (set OFFSCRIPT_DATA to their folder)"
