"""From raw text to verdicts, beside Drain3 parsing alone, a call of an LSTM for each window, and `grep -c`, in one run.

    python -m benchmarks.detect [LINES]

Machines are shared, so an absolute time means nothing; the ratios within a run do. Every contestant is a process of its
own held to one core, and its time is that of the processor, unless all cores are said. What others on the machine do
only ever adds to it, so all take turns, three each, and of everybody the best counts. Run by `make bench`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks import rendered
from benchmarks.parse import DRAIN, FLOOR, Result, child, cores, run

LINES: Final = 2_000_000
MESSAGES: Final = 200_000  # that Drain3 gets: some seconds
SESSIONS: Final = 4_855  # that the paper trains on
SLOW: Final = 8.0  # training lines in a second: a log of hours, so that sessions are seen to end
SMALL: Final = 1_000  # lines of a small file
TURNS: Final = 3  # of everybody, one after another; the best counts


class Judge(NamedTuple):
    """One row of the table: a name of `benchmarks.judges`, what people call it, and whether all cores are its."""

    name: str
    title: str
    all_cores: bool = False


RAW: Final = Judge("raw_to_verdicts", "detect: raw file to verdicts")
RAW_ALL: Final = Judge("raw_to_verdicts", "detect: raw file to verdicts, all cores", all_cores=True)
BY_KEYS: Final = Judge("raw_by_keys", "detect, keys only: raw file to verdicts")
NETWORKS: Final = Judge("raw_with_networks", "detect, and an LSTM of every key stepped over its vectors")
SCAN: Final = Judge("scan_text", "scan: raw file to columnar entries")
COLUMNS: Final = Judge("columns_to_verdicts", "judging: columnar entries to verdicts, table warm")
WINDOW: Final = Judge("one_call_a_window", "an LSTM called once a window (numpy, h=10, L=2, alpha=64, batch 1)")


def judged(judge: Judge, folder: Path, log: Path) -> dict[str, Any]:
    """Run a judge; `seconds` are those of the processor, or of the wall where all cores are its."""
    with cores(None if judge.all_cores else 1):
        row: dict[str, Any] = json.loads(child("benchmarks.judges", judge.name, folder, log).splitlines()[-1])
    return row | {"seconds": row["wall" if judge.all_cores else "cpu"]}


def training_log(path: Path) -> int:
    """Write a log of normal sessions as many as the paper trains on; return how many lines it has."""
    known = rendered.sequences()
    lines = sum(map(len, known.normal)) * SESSIONS // len(known.normal)
    rate, rendered.RATE = rendered.RATE, SLOW  # type: ignore[misc]
    try:
        with path.open("w", encoding="ascii") as file:
            file.writelines(rendered.render(lines, known._replace(anomalous=known.normal), seed=7))
    finally:
        rendered.RATE = rate  # type: ignore[misc]
    return lines


def start(*command: object) -> float:
    """The best wall time of a command, from start to end."""
    best = float("inf")
    for _ in range(TURNS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *map(str, command)], check=True, capture_output=True)
        best = min(best, time.perf_counter() - begun)
    return best


def compare_fits(folder: Path) -> None:
    """Print what fitting takes, beside the same training on all windows."""
    log = folder / "training.log"
    lines = training_log(log)
    ours = judged(Judge("fit_raw", "", all_cores=True), folder, log)
    print(f"fit from raw text, all cores: {ours['wall']:.0f} s for {ours['sessions']:,} sessions, {lines:,} lines")
    networks = judged(Judge("train_networks", "", all_cores=True), folder, log)
    print(f"the value networks of all {networks['networks']} keys: {networks['wall']:.0f} s, reading the log included")
    other = judged(Judge("train_all_windows", "", all_cores=True), folder, log)
    print(
        f"as many passes over all {other['windows']:,} windows, instead of {other['distinct']:,} distinct pairs: "
        f"{other['wall']:.0f} s, {other['wall'] / ours['wall']:.1f} x the fit (estimated from 100 steps of one network)"
    )


def compare_judges(folder: Path, log: Path) -> None:
    """Print the rates of everybody on one log."""
    child("benchmarks.contestants", "prepare", folder, MESSAGES, log)
    floors, drains = [], []
    rows: dict[Judge, dict[str, Any]] = {}
    for _ in range(TURNS):
        floors.append(run(FLOOR, folder, [log]))
        drains.append(run(DRAIN, folder, [log]))
        for judge in (RAW, BY_KEYS, NETWORKS, RAW_ALL, SCAN, COLUMNS, WINDOW):
            row = judged(judge, folder, log)
            if judge not in rows or row["seconds"] < rows[judge]["seconds"]:
                rows[judge] = row
    floor, drain = (max(some, key=lambda one: one.rate()) for some in (floors, drains))
    print(f"\n{'':72} {'counted':>11} {'a second':>12} {'x Drain3':>9} {'verdicts':>9}")
    for title, found in ((FLOOR.title, floor), (DRAIN.title, drain)):
        print(_cells(title, sum(found.lines), found.rate(), drain, ""))
    for judge, row in rows.items():
        print(_cells(judge.title, row["lines"], row["lines"] / row["seconds"], drain, f"{row.get('verdicts', ''):}"))
    each = {judge: row["seconds"] / row["lines"] * 1e9 for judge, row in rows.items()}
    print(f"\njudging costs {each[COLUMNS]:.0f} ns an entry, scanning its text {each[SCAN]:.0f} ns")
    print(f"times and values judged, detect takes {each[RAW] / each[BY_KEYS]:.2f} x as long as by keys only")
    stepped, more = rows[NETWORKS]["vectors"], rows[NETWORKS]["seconds"] / rows[NETWORKS]["lines"] * 1e9 - each[RAW]
    print(
        f"with an LSTM of every key {each[NETWORKS] / each[BY_KEYS]:.2f} x as long, {more:.0f} ns an entry more: "
        f"{stepped:,} vectors, {rows[NETWORKS]['above']:,} above 99.9%; no network decides, so none of these is told"
    )
    by_keys, by_all = each[WINDOW] / each[BY_KEYS], each[WINDOW] / each[RAW]
    print(f"raw text to verdicts is {by_all:,.0f} x the rate of one call a window, by keys only {by_keys:,.0f} x")


def _cells(title: str, counted: int, rate: float, drain: Result, verdicts: str) -> str:
    return f"{title:72} {counted:11,} {rate:12,.0f} {rate / drain.rate():9.2f} {verdicts:>9}"


def compare_starts(folder: Path, log: Path) -> None:
    """Print how long a small file takes, start-up included, and what open sessions hold."""
    small = folder / "small.log"
    with log.open("rb") as file:
        small.write_bytes(b"".join(file.readline() for _ in range(SMALL)))
    bare = start("-c", "import numpy, numba")
    ours = start("-m", "offscript", "detect", folder / "model", small, "--no-journal")
    print(f"\ndetect on {SMALL:,} lines, from start to end: {ours:.2f} s, {ours / bare:.1f} x `import numpy, numba`")
    held = judged(Judge("open_sessions", ""), folder, log)
    each = held["bytes"] / held["sessions"]
    print(
        f"{held['sessions']:,} open sessions hold {held['bytes'] / 1e6:.0f} MB, {each:.0f} bytes each, names left out"
    )


def main() -> None:
    """Print the figures, with what was counted."""
    begun = time.perf_counter()
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else LINES
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name), Path(name) / "hdfs.log"
        origin = child("benchmarks.rendered", log, lines).strip()
        print(f"Rendered HDFS: {lines:,} lines; {origin}; training: {SESSIONS:,} normal sessions, other values")
        compare_fits(folder)
        compare_judges(folder, log)
        compare_starts(folder, log)
    print(f"\n{time.perf_counter() - begun:.0f} s in all")


if __name__ == "__main__":
    main()
