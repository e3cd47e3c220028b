"""How long a false alarm takes from the report to the detector that judges: alone, in a batch, and beside live lines.

    python -m benchmarks.learn [SESSIONS]

A model of rendered HDFS sessions judges a rendered log with anomalies; what it flags is reported as false alarms. Times
are of the processor, all threads together, unless the wall is said: on a shared machine that says how long others had
it. What matters: a warm update under a second, a thousand reports under a minute, and live lines that do not wait.
The key model alone is timed by `benchmarks.updates`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import detect as detecting
from benchmarks import rendered
from benchmarks.contestants import Clock

from offscript import Config, Detector, Line, Model, Reason, Verdict, detect, fit, load, read
from offscript.errors import UsageError
from offscript.feedback import learn
from offscript.testing import lines_of

SESSIONS: Final = 4_855  # that the paper trains on
LINES: Final = 900_000  # of the log that is judged: some 1,100 are told
TIMES: Final = 7  # reports timed one by one; the first is not warm
BATCH: Final = 1_000  # reports in one update
OPEN: Final = 100_000  # sessions held while versions are switched: the default cap
LIVE: Final = 20_000  # lines pushed one by one, before the report and after


def timed(do: Callable[[], object]) -> tuple[float, float]:
    """The seconds of processor and wall that something takes."""
    with Clock() as clock:
        do()
    return clock.cpu, clock.wall


def reports(model: Model, log: Path) -> list[Verdict]:
    """The verdicts on a log: one of each reason, history and key first, then others, BATCH at least."""
    told = list(detect(model, read(log)))
    found = {(verdict.reason, verdict.history, verdict.entry.key): verdict for verdict in reversed(told)}
    first = {verdict.id for verdict in found.values()}
    more = [verdict for verdict in told if verdict.id not in first]
    return [verdict for verdict in told if verdict.id in first] + more[: max(0, BATCH - len(first))]


def alone(model: Model, found: Sequence[Verdict]) -> None:
    """Print what updates of one report each take."""
    each: dict[Reason, list[tuple[float, float]]] = {}
    refused = 0
    for reason in sorted({verdict.reason for verdict in found}):
        for verdict in [one for one in found if one.reason is reason][:TIMES]:
            try:
                each.setdefault(reason, []).append(timed(lambda one=verdict: learn(model, [one])))  # type: ignore[misc]
            except UsageError:
                refused += 1
    first = next(iter(each.values()))[0]
    print(f"the first update of the process: {first[0]:.3f} s, wall {first[1]:.3f}")
    for reason, rows in each.items():
        warm = rows[1:] or rows
        cpu, wall = (median(row[place] for row in warm) for place in (0, 1))
        most = max(row[0] for row in warm)
        print(f"one {reason}, warm: {cpu:.3f} s, wall {wall:.3f}; at most {most:.3f} s of {len(warm)}")
    print(f"refused: {refused}")


def together(model: Model, found: Sequence[Verdict], folder: Path) -> None:
    """Print what one update of many reports takes, and what it takes to save and load it."""
    some = found[:BATCH]
    while some:
        try:
            lesson = None
            with Clock() as clock:
                lesson = learn(model, some)
            break
        except UsageError as error:
            print(f"refused: {error}")
            some = some[: len(some) // 2]
    assert lesson is not None
    changes = len(lesson.changes)
    print(f"{len(some):,} reports in one update: {clock.cpu:.2f} s, wall {clock.wall:.2f}; {changes:,} changes")
    cpu, wall = timed(lambda: lesson.model.save(folder))
    print(f"saving it: {cpu:.3f} s, wall {wall:.3f}")
    cpu, wall = timed(lambda: load(folder))
    print(f"loading it: {cpu:.3f} s, wall {wall:.3f}")


def live(model: Model, found: Sequence[Verdict], lines: Sequence[Line]) -> None:
    """Print how soon a report judges where lines are pushed one by one, and what these wait for."""
    detector = Detector(model)
    for line in lines[:LIVE]:
        detector.push(line)
    rest = iter(lines[LIVE:])

    def pushed(until: Callable[[int], bool]) -> tuple[int, float, float]:
        count, worst, begun = 0, 0.0, time.perf_counter()
        while not until(count) and (line := next(rest, None)) is not None:
            at = time.perf_counter()
            detector.push(line)
            worst = max(worst, time.perf_counter() - at)
            count += 1
        return count, time.perf_counter() - begun, worst

    quiet = pushed(lambda count: count == LIVE)
    with Clock() as clock:
        update = detector.learn(found[:1])
        busy = pushed(lambda _: detector.model is not model)
    update.result()
    print(
        f"beside live lines: the new version judges {clock.wall:.3f} s (wall) after the report, {busy[0]:,} lines "
        f"later; meanwhile {busy[0] / busy[1]:,.0f} lines a second instead of {quiet[0] / quiet[1]:,.0f}, "
        f"the longest wait {busy[2] * 1000:.0f} ms instead of {quiet[2] * 1000:.0f}"
    )


def switch(model: Model, found: Sequence[Verdict]) -> None:
    """Print what it takes to go on with another version, and back, with many sessions open."""
    detector = Detector(model)
    text = (
        "081109 203518 143 INFO dfs.DataNode$DataXceiver: Receiving block blk_{} src: /10.1.1.1:5 dest: /10.1.1.2:50010"
    )
    detector.push_block(lines_of(text.format(number + 10**15) for number in range(OPEN)))
    after = learn(model, found[:1]).model
    for name, version in (("on", after), ("back", model)):
        cpu, wall = timed(lambda version=version: detector.adopt(version))  # type: ignore[misc]
        print(f"going {name} with {len(detector._in_lines().sessions):,} sessions open: {cpu:.3f} s, wall {wall:.3f}")


def main() -> None:
    """Print the figures, with what was counted."""
    detecting.SESSIONS = int(sys.argv[1]) if len(sys.argv) > 1 else SESSIONS  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        training, log = folder / "training.log", folder / "hdfs.log"
        lines = detecting.training_log(training)
        with log.open("w", encoding="ascii") as file:
            file.writelines(rendered.render(LINES, rendered.sequences(), seed=11))
        model = fit(read(training), Config()).save(folder / "model")
        keys = len(model.templates.keys())
        print(f"model of {model.facts['sessions']:,} rendered HDFS sessions, {lines:,} lines, {keys} keys")
        found = reports(model, log)
        print(f"{len(found):,} verdicts on {LINES:,} lines, of different reasons and histories first")
        alone(model, found)
        together(model, found, folder / "model")
        live(model, found, lines_of(log.read_text("ascii").splitlines()[: 20 * LIVE]))
        switch(model, found)


if __name__ == "__main__":
    main()
