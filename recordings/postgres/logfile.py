"""Reading a recorded log: its prefix, its records, its sessions."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC \[(?P<pid>\d+)\] (?P<session>[0-9a-f]+\.[0-9a-f]+)"
    r" (?P<number>\d+) (?P<backend>[a-z ]+?) (?P<user>\S*)@(?P<database>\S*) app=(?P<app>\S*)"
    r" (?P<virtual>\S*) (?P<transaction>\d+) (?P<state>[0-9A-Z]{5}) (?P<text>.*)"
)
IDENTIFIER = re.compile(r"[\w.:/@-]*\d[\w.:/@-]*")


@dataclass
class Record:
    """One record of the log: a line, and the lines that continue it."""

    time: float
    pid: int
    session: str
    backend: str
    application: str
    state: str
    text: str


@dataclass
class Session:
    """The records of one server process."""

    name: str
    records: list[Record] = field(default_factory=list)

    @property
    def is_client(self) -> bool:
        """True when a client's connection, not a process of the server itself."""
        return self.records[0].text.startswith("LOG:  connection received")

    @property
    def ended(self) -> bool:
        """True when it said goodbye."""
        return self.records[-1].text.startswith("LOG:  disconnection")

    def masked(self) -> tuple[str, ...]:
        """Return the messages, every word with a digit masked."""
        return tuple(mask(record.text) for record in self.records)


def mask(text: str) -> str:
    """Replace every word with a digit in it, and collapse lists."""
    return IDENTIFIER.sub("#", text)


def records(path: Path) -> Iterator[Record]:
    """Yield the records of a log, plain or xz."""
    last: Record | None = None
    with lzma.open(path, "rt") if path.suffix == ".xz" else path.open() as lines:
        for line in lines:
            found = LINE.match(line)
            if found is None and last is not None:
                last.text += "\n" + line.rstrip("\n")
                continue
            if last is not None:
                yield last
            if found is None:
                raise ValueError(f"{path}: the first line has no prefix")
            last = _record(found)
    if last is not None:
        yield last


def _record(found: re.Match[str]) -> Record:
    time = datetime.strptime(found["time"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC).timestamp()
    pid, text = int(found["pid"]), found["text"].rstrip("\n")
    return Record(time, pid, found["session"], found["backend"], found["app"], found["state"], text)


def sessions(path: Path) -> dict[str, Session]:
    """Return the sessions of a log by the server's own session id, in order of their first record."""
    found: dict[str, Session] = {}
    for record in records(path):
        found.setdefault(record.session, Session(record.session)).records.append(record)
    return found
