"""Live detection: lines as they come, and time that passes without them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from offscript import Detector, InputError, Line, Model, Reason
from offscript.live import arriving, watch
from offscript.testing import lines_of, service_log


def test_silence_lets_log_time_pass(service_model: Model) -> None:
    """While no line comes, log time passes: a hanging session is reported although its log fell silent."""
    detector = Detector(service_model)
    lines = lines_of(service_log(30, seed=31, broken=(29,)))
    detector.push_block(lines)
    now = detector.now()
    assert now is not None
    assert service_model.timeout is not None
    told = detector.tick(now + service_model.timeout + 1)
    assert Reason.INCOMPLETE_SESSION in {verdict.reason for verdict in told if verdict.session == "req-100029"}


def test_arriving_tells_of_silence_and_of_the_end() -> None:
    """None stands for a moment without a line; the end of the source is the end."""
    release = threading.Event()

    def slow() -> Iterator[Line]:
        yield Line("one")
        release.wait(10)
        yield Line("two")

    seen = []
    for item in arriving(slow(), wait=0.05):
        seen.append(item)
        if item is None:
            release.set()
    texts = [item.text for item in seen if item is not None]
    assert texts == ["one", "two"]
    assert None in seen


def test_an_error_of_the_source_reaches_the_caller() -> None:
    """What goes wrong while reading is raised where the lines are used."""

    def broken() -> Iterator[Line]:
        yield Line("one")
        raise InputError("stopped", remedy="none")

    with pytest.raises(InputError, match="stopped"):
        list(arriving(broken(), wait=1))


def test_a_stream_of_another_format_is_refused(service_model: Model) -> None:
    """A stream that does not fit the stored header is an error that says so."""
    lines = lines_of(f"line {n} of something else" for n in range(300))
    with pytest.raises(InputError, match="header"):
        list(watch(Detector(service_model), lines))
