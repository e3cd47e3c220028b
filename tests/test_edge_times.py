"""The times between steps: what is kept of them is what numpy would say of each pair, and no more pairs than stated."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offscript import Config, Model, fit
from offscript.testing import lines_of, service_log
from offscript.workflow.graph import Times
from offscript.workflow.times import EdgeTimes

ENTRIES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 4), st.one_of(st.just(float("nan")), st.floats(0, 1e6))), max_size=60
)


PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PATIENT
@given(ENTRIES, st.integers(1, 20))
def test_times_are_those_of_each_pair(entries: list[tuple[int, int, float]], most: int) -> None:
    """Count, quantiles and longest of a pair are those of its times; the most frequent pairs are kept, in order."""
    columns = list(zip(*entries, strict=True)) or [(), (), ()]
    found = EdgeTimes.of(
        np.array(columns[0], np.int64), np.array(columns[1], np.int64), np.array(columns[2], np.float64), most
    )
    known: dict[tuple[int, int], list[float]] = {}
    for before, key, elapsed in entries:
        if before and elapsed == elapsed:
            known.setdefault((before, key), []).append(elapsed)
    ranked = sorted(known, key=lambda pair: (-len(known[pair]), pair))
    assert list(found) == ranked[:most]
    for pair, times in found.items():
        low, median, high = np.quantile(known[pair], (0.01, 0.5, 0.99))
        assert times.count == len(known[pair])
        told = (times.low, times.median, times.high, times.longest)
        assert told == pytest.approx((low, median, high, max(known[pair])), rel=1e-9, abs=1e-6)
        assert list(told) == sorted(told)


@PATIENT
@given(ENTRIES)
def test_times_survive_json(entries: list[tuple[int, int, float]]) -> None:
    """What is written down is what is read."""
    columns = [np.array(column) for column in zip(*entries, strict=True)] or [np.zeros(0)] * 3
    found = EdgeTimes.of(columns[0].astype(np.int64), columns[1].astype(np.int64), columns[2].astype(np.float64))
    assert EdgeTimes.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_fit_learns_how_long_steps_take(service_model: Model) -> None:
    """The scripted service takes 10 to 500 ms from one line to the next: so say the times of each pair often seen."""
    often = [times for times in service_model.times.values() if times.count > 100]
    assert len(often) >= 5
    assert all(0.0 <= one.low < one.median < one.high <= one.longest <= 0.501 for one in often)
    assert all(0.15 < one.median < 0.35 for one in often)


def test_a_log_without_stamps_has_no_times(small: Config) -> None:
    """Where lines have no time, nothing is made up."""
    lines = [text.split(" ", 2)[2] for text in service_log(100, seed=3)]
    assert len(fit(lines_of(lines), small).times) == 0


def test_a_pair_unseen_has_no_times() -> None:
    """A pair that never came is told to be unknown."""
    times = EdgeTimes({(1, 2): Times(1, 0.0, 0.0, 0.0, 0.0)})
    assert times.get((2, 1)) is None
    assert times[1, 2].count == 1
