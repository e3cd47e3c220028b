"""Check a recording: what is in it, whether the labels hold, and how far simple rules get.

    python recordings/postgres/check.py [DIR]

The rules see client sessions only; words with digits are masked. They are no detectors of the package.
"""

from __future__ import annotations

import collections
import json
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recordings.postgres.logfile import Session, sessions

SHIPPED = Path(__file__).resolve().parents[2] / "src" / "offscript" / "recorded" / "postgres"
BEYOND = ("time", "values")
Rule = Callable[[tuple[str, ...]], bool]


def main() -> int:
    """Print all figures; fail when a label is wrong."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED
    logs = {run: sessions(folder / f"{run}.log.xz") for run in ("normal", "heldout", "faulted")}
    for run, found in logs.items():
        _describe(run, found, (folder / f"{run}.log.xz").stat().st_size)
    faults = json.loads((folder / "labels.json").read_text())["faults"]
    wrong = _check_labels(faults, logs["faulted"])
    _count_faults(faults, logs["faulted"])
    _rules(logs, faults)
    return 1 if wrong else 0


def _clients(found: dict[str, Session]) -> list[Session]:
    return [one for one in found.values() if one.is_client]


def _describe(run: str, found: dict[str, Session], size: int) -> None:
    clients = _clients(found)
    lines = sum(record.text.count("\n") + 1 for one in found.values() for record in one.records)
    messages = {text for one in found.values() for text in one.masked()}
    sequences = {one.masked() for one in clients}
    lengths = sorted(len(one.records) for one in clients)
    shares = [lengths[int(len(lengths) * share)] for share in (0.05, 0.25, 0.5, 0.75, 0.95)]
    span = max(one.records[-1].time for one in clients) - min(one.records[0].time for one in clients)
    print(f"{run}: {lines} lines, {size / 1000:.0f} kB xz, {span:.0f} s")
    print(f"  {len(found)} sessions, {len(clients)} of clients")
    print(f"  {len(messages)} distinct masked messages, {len(sequences)} distinct masked sequences of clients")
    print(f"  records a client session: 5% {shares[0]}, 25% {shares[1]}, median {shares[2]}, 75% {shares[3]},"
          f" 95% {shares[4]}, longest {lengths[-1]}")  # fmt: skip


def _check_labels(faults: list[dict[str, Any]], found: dict[str, Session]) -> int:
    """Return how many labelled sessions are not in the log within their span."""
    wrong = 0
    for fault in faults:
        begin, until = (datetime.fromisoformat(fault[key]).timestamp() for key in ("injected_at", "until"))
        for name in fault["sessions"]:
            times = [record.time for record in found[name].records] if name in found else []
            if not times or times[0] > until + 0.1 or (times[-1] < begin - 20 and fault["kind"] != "crash"):
                wrong += 1
                print(f"  WRONG: {fault['kind']} {fault['injected_at']} names {name}")
    print(f"labels: {wrong} labelled sessions outside the log or their span")
    return wrong


def _count_faults(faults: list[dict[str, Any]], found: dict[str, Session]) -> None:
    table: dict[tuple[str, str], list[int]] = collections.defaultdict(lambda: [0, 0, 0, 0])
    for fault in faults:
        row = table[fault["shows_as"], fault["kind"]]
        extra = 2 if fault.get("collateral") else 0
        row[extra] += 1
        row[extra + 1] += len(fault["sessions"])
    print(f"  {'shows as':11} {'kind':18} faults sessions (collateral: faults sessions)")
    for (shows, kind), row in sorted(table.items()):
        print(f"  {shows:11} {kind:18} {row[0]:6} {row[1]:8} {row[2]:8} {row[3]:8}")
    main = {name for fault in faults if not fault.get("collateral") for name in fault["sessions"]}
    total = sum(row[0] for row in table.values())
    clients = len(_clients(found))
    print(f"  {total} entries; {len(main)} of {clients} client sessions faulted: {len(main) / clients:.1%}")


def _rules(logs: dict[str, dict[str, Session]], faults: list[dict[str, Any]]) -> None:
    normal = [one.masked() for one in _clients(logs["normal"])]
    rules = {"new event": _new_event(normal), "bigram": _bigram(normal), "counts": _counts(normal)}
    judged = {name: {key: rule(one.masked()) for key, one in logs["faulted"].items()} for name, rule in rules.items()}
    judged["any of them"] = {key: any(judged[name][key] for name in rules) for key in logs["faulted"]}
    main = [fault for fault in faults if not fault.get("collateral")]
    _print_recall(judged, main)
    labelled = {name for fault in faults for name in fault["sessions"]}
    rules["any of them"] = lambda texts: any(rules[name](texts) for name in ("new event", "bigram", "counts"))
    print("false alarms per 1,000 client sessions (held out; unlabelled sessions of the faulted run):")
    for name, rule in rules.items():
        held = _rate([rule(one.masked()) for one in _clients(logs["heldout"])])
        other = _rate([judged[name][one.name] for one in _clients(logs["faulted"]) if one.name not in labelled])
        print(f"  {name:12} {held:6.1f} {other:6.1f}")


def _print_recall(judged: dict[str, dict[str, bool]], main: list[dict[str, Any]]) -> None:
    """Print the share of faults found, each by any of its sessions."""
    print(f"  {'found by':11} {'':18} " + " ".join(f"{name:>12}" for name in judged))
    for shows, kind in sorted({(fault["shows_as"], fault["kind"]) for fault in main}):
        chosen = [fault for fault in main if fault["kind"] == kind]
        print(f"  {shows:11} {kind:18} " + _shares(judged, chosen))
    print(f"  {'all':11} {'but time, values':18} " + _shares(judged, [f for f in main if f["shows_as"] not in BEYOND]))


def _shares(judged: dict[str, dict[str, bool]], chosen: list[dict[str, Any]]) -> str:
    cells = []
    for found in judged.values():
        hits = sum(any(found[name] for name in fault["sessions"]) for fault in chosen)
        cells.append(f"{hits:>4}/{len(chosen):<3}{hits / len(chosen):4.0%}")
    return " ".join(f"{cell:>12}" for cell in cells)


def _rate(flags: list[bool]) -> float:
    return 1000 * sum(flags) / max(1, len(flags))


def _new_event(normal: Iterable[tuple[str, ...]]) -> Rule:
    known = {text for texts in normal for text in texts}
    return lambda texts: any(text not in known for text in texts)


def _pairs(texts: tuple[str, ...]) -> set[tuple[str, str]]:
    return set(zip(("START", *texts), (*texts, "END"), strict=True))


def _bigram(normal: Iterable[tuple[str, ...]]) -> Rule:
    known = {pair for texts in normal for pair in _pairs(texts)}
    return lambda texts: not known.issuperset(_pairs(texts))


def _counts(normal: Iterable[tuple[str, ...]]) -> Rule:
    known = {frozenset(collections.Counter(texts).items()) for texts in normal}
    return lambda texts: frozenset(collections.Counter(texts).items()) not in known


if __name__ == "__main__":
    sys.exit(main())
