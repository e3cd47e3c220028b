"""Speed from bytes to verdicts beside `grep -c` on the same lines, in one run, as ratios.

Machines are shared, so an absolute time means nothing; the ratio to `grep` does. Run by `make bench`.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from offscript import Config, Detector, Line, detect, fit, read
from offscript.parse.records import Reader
from offscript.testing import service_log

SESSIONS = 6_000  # about 50,000 lines: a few seconds of work for the slowest


def seconds(work: Callable[[], object]) -> float:
    """Return the best of two runs: the first one warms caches."""
    best = float("inf")
    for _ in range(2):
        begun = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - begun)
    return best


def one_by_one(detector: Detector, lines: list[Line]) -> None:
    """Push lines as a live stream does."""
    for line in lines:
        detector.push(line)


def main() -> None:
    """Print lines per second and the ratio to `grep -c`, with what was counted."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "service.log"
        log.write_text("\n".join(service_log(SESSIONS, seed=1)) + "\n", "utf-8")
        model = fit(read(str(log)), Config(training_steps=100, folds=2))
        lines = list(read(str(log)))
        reader = Reader(model.header, model.session_key, model.templates)
        floor = seconds(lambda: subprocess.run(["grep", "-c", "INFO", str(log)], check=True, capture_output=True))
        times = {
            "grep -c (floor)": floor,
            "read: bytes to lines, credentials masked": seconds(lambda: list(read(str(log)))),
            "parse: lines to entries": seconds(lambda: [reader.entry(line) for line in lines]),
            "detect: a file's bytes to verdicts": seconds(lambda: list(detect(model, read(str(log))))),
            "detect: lines to verdicts": seconds(lambda: Detector(model).push_block(lines)),
            "detect, line by line": seconds(lambda: one_by_one(Detector(model), lines)),
        }
        print(f"{len(lines):,} lines of {SESSIONS:,} sessions of the scripted service, best of 2 runs, all cores")
        for name, spent in times.items():
            print(f"{name:45} {len(lines) / spent:12,.0f} lines/s {spent / floor:9.1f} x the time of grep")


if __name__ == "__main__":
    main()
