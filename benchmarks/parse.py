"""Lines a second of our parsers, of Drain3 and of the reference Spell, on the same lines in one run, as ratios.

    python -m benchmarks.parse [LINES [REPETITIONS]]

Machines are shared, so an absolute time means nothing; the ratio to Drain3 does. Every contestant is a process of its
own (`benchmarks/contestants.py`) held to one core, so that its memory is its own; the time is that of the processor,
which other processes take no part of. This process stays small: a child's memory is never less than its parent's was.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import exp, log
from pathlib import Path
from typing import Final, NamedTuple

LINES: Final = 2_000_000
REPETITIONS: Final = 50
MESSAGES: Final = 200_000  # the most that those who take single lines get of all logs together: seconds for each
ROUNDS: Final = 2  # of each log, and the better figures count: a machine that others use has slow minutes


class Contestant(NamedTuple):
    """One row of the table: a name of `benchmarks.contestants`, what people call it, and whether all cores are its."""

    name: str
    title: str
    all_cores: bool = False


FLOOR: Final = Contestant("grep", "grep -c (floor)")
LEARN: Final = Contestant("scan_and_learn", "scan, learning: raw file to keys and sessions")
MATCH: Final = Contestant("scan_and_match", "scan, templates known: raw file to keys and sessions")
DRAIN: Final = Contestant("drain3", "Drain3, learning: bare message to cluster")
STREAM: Final = Contestant("match", "streaming, templates known: bare message to key and values")
CONTESTANTS: Final = (
    FLOOR,
    LEARN,
    MATCH,
    DRAIN,
    STREAM,
    Contestant("learn_messages", "streaming, learning: bare message to key and values"),
    Contestant("one_by_one", "streaming, templates known: single line to whole entry"),
    Contestant("reference_spell", "reference Spell, learning: bare message to template"),
    Contestant("scan_and_learn", "scan, learning, all cores", all_cores=True),
    Contestant("scan_and_match", "scan, templates known, all cores", all_cores=True),
)


class Result(NamedTuple):
    """What a contestant did with each log: lines, bytes, seconds; and the most memory it held, in MB."""

    lines: list[int]
    sizes: list[int]
    seconds: list[float]
    peak: float

    def rate(self) -> float:
        """Lines a second, all logs together."""
        return sum(self.lines) / sum(self.seconds)

    def rates(self) -> list[float]:
        """Lines a second, log by log."""
        return [lines / seconds for lines, seconds in zip(self.lines, self.seconds, strict=True)]


@contextmanager
def cores(count: int | None) -> Iterator[None]:
    """Hold the processes begun meanwhile to so many cores, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[-count:] if count else allowed)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def run(contestant: Contestant, folder: Path, logs: Sequence[Path]) -> Result:
    """Run a contestant on all logs, in one process; of more cores than one, the time is that of the wall."""
    with cores(None if contestant.all_cores else 1):
        rows = [json.loads(row) for row in child("benchmarks.contestants", contestant.name, folder, *logs).splitlines()]
    figures, clock = rows[:-1], "wall" if contestant.all_cores else "cpu"
    lines, sizes, seconds = ([row[name] for row in figures] for name in ("lines", "size", clock))
    return Result(lines, sizes, seconds, rows[-1]["peak"])


def child(module: str, *arguments: object) -> str:
    """Run a module of the benchmarks; return what it printed."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def compare(folder: Path, logs: Sequence[Path], rounds: int) -> dict[Contestant, Result]:
    """Run every contestant on the logs in each of the rounds, and print the table."""
    child("benchmarks.contestants", "prepare", folder, MESSAGES // len(logs), *logs)
    results: dict[Contestant, Result] = {}
    for _ in range(rounds):
        for contestant in CONTESTANTS:
            found = run(contestant, folder, logs)
            held = results.get(contestant, found)
            best = list(map(min, found.seconds, held.seconds))
            results[contestant] = found._replace(seconds=best, peak=max(found.peak, held.peak))
    print(f"{'':58} {'lines':>10} {'MB':>6} {'lines/s':>11} {'x Drain3':>9} {'peak MB':>8}")
    for contestant, found in results.items():
        ratio, peak = found.rate() / results[DRAIN].rate(), "" if contestant == FLOOR else f"{found.peak:,.0f}"
        row = f"{sum(found.lines):10,} {sum(found.sizes) / 1e6:6,.1f} {found.rate():11,.0f} {ratio:9.2f} {peak:>8}"
        print(f"{contestant.title:58} {row}", flush=True)
    return results


def compare_each(results: dict[Contestant, Result], logs: Sequence[Path]) -> None:
    """Print the ratios to Drain3 log by log: one slow log must not stand for all."""
    print(f"\n{'lines/s on one core':20} {'Drain3':>10} {'scan, learning':>22} {'scan, known':>22} {'streaming':>22}")
    peer = results[DRAIN].rates()
    ours = [results[contestant].rates() for contestant in (LEARN, MATCH, STREAM)]
    for place, path in enumerate(logs):
        cells = (f"{rates[place]:12,.0f} {rates[place] / peer[place]:8.2f}x" for rates in ours)
        print(f"{path.stem:20} {peer[place]:10,.0f} {' '.join(cells)}")
    ratios = [[rate / other for rate, other in zip(rates, peer, strict=True)] for rates in ours]
    for title, fold in (("geometric mean", _geometric_mean), ("least", min)):
        print(f"{title:20} {'':10} " + " ".join(f"{'':12} {fold(column):8.2f}x" for column in ratios))


def _geometric_mean(ratios: Sequence[float]) -> float:
    return exp(sum(map(log, ratios)) / len(ratios))


def main() -> None:
    """Print the tables of both logs, with what was counted."""
    begun = time.perf_counter()
    given = [int(text) for text in sys.argv[1:]]
    lines, repetitions = [*given, *(LINES, REPETITIONS)[len(given) :]]
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores.")
    print("One core each, and its seconds of processor, unless all cores are said: then seconds of the wall.")
    print(f"Whoever takes single lines or bare messages gets the first {MESSAGES:,} (reference Spell 3,000 of a log);")
    print("the time begins after these are made, after templates said to be known were learnt, after compiling.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rendered = folder / "hdfs.log"
        origin = child("benchmarks.rendered", rendered, lines).strip()
        print(f"\nRendered HDFS: {lines:,} lines; {origin}; best of {ROUNDS} rounds")
        compare(folder, [rendered], ROUNDS)
        rendered.unlink()
        (folder / "mixed").mkdir()
        origin = child("benchmarks.mixed", folder / "mixed", repetitions).strip()
        logs = sorted((folder / "mixed").glob("*.log"))
        print(f"\nMixed: {origin}, each by itself, its lines {repetitions} times with other digits; 1 round")
        compare_each(compare(folder, logs, 1), logs)
    print(f"\n{time.perf_counter() - begun:.0f} s in all")


if __name__ == "__main__":
    main()
