"""Live detection: each line judged as it arrives, and log time let pass while nothing does."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from offscript.detector import Detector
from offscript.entries import Line, Verdict
from offscript.parse.header import check_header

HEADER_LINES = 200  # lines after which a stream that does not fit the stored header is refused
WAIT = 1.0  # seconds without a line after which log time is moved on: sessions close at most this much late

_End = BaseException | None


def watch(
    detector: Detector, lines: Iterable[Line], *, wait: float = WAIT, between: Callable[[], object] | None = None
) -> Iterator[Verdict]:
    """Judge lines one by one as they come; yield each verdict before the next line is judged (ours).

    `between` is called before each line is judged, and in each silence: another version may be taken over there.

    While nothing comes, log time passes as fast as the clock on the wall, counted from the last line: a session left
    hanging is reported although its log has fallen silent, and an old log piped in is still judged in its own time.
    """
    first: list[Line] = []
    last = time.monotonic()
    for line in arriving(lines, wait):
        if between is not None:
            between()
        if line is None:
            yield from _let_time_pass(detector, time.monotonic() - last)
            last = time.monotonic()
            continue
        last = time.monotonic()
        yield from detector.push(line)
        if len(first) < HEADER_LINES:
            first.append(line)
            if len(first) == HEADER_LINES:
                check_header(detector.model.header, first, line.source)
    if 0 < len(first) < HEADER_LINES:
        check_header(detector.model.header, first, first[0].source)


def _let_time_pass(detector: Detector, seconds: float) -> list[Verdict]:
    now = detector.now()
    return [] if now is None else detector.tick(now + seconds)


def arriving(lines: Iterable[Line], wait: float) -> Iterator[Line | None]:
    """Yield the lines of a source that may block, and None whenever `wait` seconds passed without one."""
    waiting: queue.Queue[Line | tuple[_End]] = queue.Queue(
        maxsize=1
    )  # one: the source is not read ahead of the judging

    def pump() -> None:
        end: _End = None
        try:
            for line in lines:
                waiting.put(line)
        except BaseException as error:
            end = error
        waiting.put((end,))

    threading.Thread(target=pump, daemon=True).start()
    while True:
        try:
            item = waiting.get(timeout=wait)
        except queue.Empty:
            yield None
            continue
        if isinstance(item, tuple):
            if item[0] is not None:
                raise item[0]
            return
        yield item
