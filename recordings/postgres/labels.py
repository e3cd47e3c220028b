"""What was injected, and into which sessions of the log it went."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recordings.postgres.logfile import Session, sessions

ABOUT = (
    "Faults injected into the run of faulted.log.xz, in order of time; written by the injector"
    " (recordings/postgres), and only where the fault came to pass. `sessions` are session ids (%c of the log's"
    " prefix), `application` the requests (app= in the prefix). An entry with `collateral` names sessions that a"
    " fault of that kind hit in passing, such as those that waited behind its locks."
)


@dataclass
class Fault:
    """One injection: what, when, and the sessions it touched, by request name and process."""

    kind: str
    shows_as: str
    begin: float
    until: float
    detail: str
    touched: set[tuple[str, int]] = field(default_factory=set)
    collateral: set[tuple[str, int]] = field(default_factory=set)
    cut: bool = False
    logins: bool = False


def moment(time: float) -> str:
    """Return a time as the labels have it: UTC, to the millisecond."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write(faults: list[Fault], log: Path, out: Path) -> int:
    """Resolve the faults against the log and write the labels; return how many came to pass."""
    found = sessions(log)
    by_client = {(row.application, row.pid): row.session for one in found.values() for row in one.records}
    entries: list[dict[str, Any]] = []
    taken: set[str] = set()
    for fault in sorted(faults, key=lambda fault: fault.begin):
        main = {by_client[key] for key in fault.touched if key in by_client}
        main |= (_cut(fault, found) - taken) | _refused(fault, found)
        taken |= main
        if main:
            entries.append(_entry(fault, main, found))
        passing = {by_client[key] for key in fault.collateral if key in by_client} - main
        passing |= _turned_away(fault, found)
        if passing:
            entries.append(_entry(fault, passing, found) | {"collateral": True})
    out.write_text(json.dumps({"about": ABOUT, "faults": entries}, indent=1) + "\n")
    return len(entries)


def _entry(fault: Fault, names: set[str], found: dict[str, Session]) -> dict[str, Any]:
    requests = {row.application for name in names for row in found[name].records}
    return {
        "kind": fault.kind,
        "shows_as": fault.shows_as,
        "injected_at": moment(fault.begin),
        "until": moment(fault.until),
        "sessions": sorted(names),
        "application": sorted(request for request in requests if request not in ("", "[unknown]")),
        "detail": fault.detail,
    }


def _cut(fault: Fault, found: dict[str, Session]) -> set[str]:
    """Return the client sessions that a crash left without an end."""
    if not fault.cut:
        return set()
    return {
        name
        for name, one in found.items()
        if one.is_client
        and not one.ended
        and one.records[0].time <= fault.begin + 0.1
        and not any(row.text.startswith("FATAL") for row in one.records)
        and one.records[-1].time <= fault.until
    }


def _turned_away(fault: Fault, found: dict[str, Session]) -> set[str]:
    """Return the sessions refused because the server was recovering, and the server's own processes."""
    if not fault.cut:
        return set()
    span = (fault.begin - 0.05, fault.until)
    refused = {name for name, one in found.items() for row in one.records
               if row.state == "57P03" and span[0] <= row.time <= span[1]}  # fmt: skip
    own = {name for name, one in found.items() if not one.is_client for row in one.records
           if span[0] <= row.time <= span[1]}  # fmt: skip
    return refused | own


def _refused(fault: Fault, found: dict[str, Session]) -> set[str]:
    """Return the failed log-ins of a burst."""
    if not fault.logins:
        return set()
    return {name for name, one in found.items() for row in one.records
            if row.state == "28P01" and fault.begin - 0.05 <= row.time <= fault.until}  # fmt: skip
