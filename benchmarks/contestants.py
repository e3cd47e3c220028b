"""The parsers that `benchmarks/parse.py` compares, each run in a process of its own.

    python -m benchmarks.contestants prepare FOLDER MESSAGES LOG...
    python -m benchmarks.contestants NAME FOLDER LOG...

Prints a row of JSON for each log: lines and bytes parsed, seconds of processor and of the wall, and last the most
memory that the process ever held. What is done before a clock starts (compiling, learning the
templates that are matched, cutting headers off for those who get the bare message) is none of the figures.
"""

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, Self, TypeVar

import numpy as np

from offscript import Config, read
from offscript.evaluate.peers import parse_reference_spell
from offscript.parse.header import Header
from offscript.parse.learn import learn
from offscript.parse.match import Templates
from offscript.parse.records import Matching, Reader, Records
from offscript.parse.scan import Scanner
from offscript.parse.session_key import SessionKey
from offscript.parse.spell import Spell

BATCH: Final = 20_000  # lines made ready between two stretches of the clock
SAMPLE: Final = 2_000  # lines that show how wide headers are, as `detect` takes
WARM: Final = 3_000  # lines parsed before the clock starts, so that compiled code is loaded
SPELL_LINES: Final = 3_000  # of a log: the reference Spell slows down with every template

Item = TypeVar("Item")


class Clock:
    """Seconds of processor, of this process and those it ran, and of the clock on the wall, while entered."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def __enter__(self) -> Self:
        self.cpu -= _processor()
        self.wall -= time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu += _processor()
        self.wall += time.perf_counter()


def _processor() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Figure(NamedTuple):
    """What a run took."""

    lines: int
    size: int
    cpu: float
    wall: float


class Known(NamedTuple):
    """What was learnt from a log, and its first messages without header."""

    header: Header
    session_key: SessionKey
    templates: Templates
    messages: Path


def prepare(log: Path, folder: Path, most: int) -> None:
    """Learn a log, and write down what the others need: the model of its lines, and its first messages."""
    parsed = learn(read(log), Config())
    model = {
        "header": parsed.header.to_dict(),
        "session_key": parsed.discovery.key.to_dict(),
        "templates": parsed.templates.to_dict(),
        "findings": parsed.findings(),
    }
    (folder / f"{log.stem}.json").write_text(json.dumps(model), "utf-8")
    records = Records(parsed.header)
    with (folder / f"{log.stem}.messages").open("w", encoding="utf-8", newline="\n") as file:
        for line in islice(read(log), most):
            fields = records.fields(line)
            if fields is not None:
                file.write(fields.message + "\n")


def known_of(log: Path, folder: Path) -> Known:
    """Return what `prepare` wrote down."""
    model = json.loads((folder / f"{log.stem}.json").read_text("utf-8"))
    return Known(
        Header.from_dict(model["header"]),
        SessionKey.from_dict(model["session_key"]),
        Templates.from_dict(model["templates"]),
        folder / f"{log.stem}.messages",
    )


def grep(log: Path, _: Known) -> Figure:
    """Count the lines with a blank: the floor."""
    with Clock() as clock:
        found = subprocess.run(["grep", "-c", " ", str(log)], check=True, capture_output=True)
    return Figure(int(found.stdout), log.stat().st_size, clock.cpu, clock.wall)


def scan_and_learn(log: Path, _: Known) -> Figure:
    """Raw file to the final key and the session of every entry; header and session key are found out, too."""
    reading = read(log)
    with Clock() as clock:
        parsed = learn(reading, Config())
        keys = np.array(parsed.key_of)[np.frombuffer(parsed.kept.skeletons, np.int64)]
    assert len(keys) == len(parsed.kept)
    return Figure(reading.report.lines, log.stat().st_size, clock.cpu, clock.wall)


def scan_and_match(log: Path, known: Known) -> Figure:
    """Raw file to key and session of every entry, the templates being known, as `detect` does."""
    sample = [line.text for line in islice(read(log), SAMPLE)]
    reading = read(log)
    with Clock() as clock:
        scanner = Scanner(known.header, known.session_key, sample, Matching(known.templates), Records(known.header))
        entries = sum(len(scanned.numbers) for scanned in scanner.scan(reading.raw()))
    assert 0 < entries <= reading.report.lines
    return Figure(reading.report.lines, log.stat().st_size, clock.cpu, clock.wall)


def one_by_one(log: Path, known: Known) -> Figure:
    """Single lines to whole entries: header, session, key and values, the templates being known."""
    reader = Reader(known.header, known.session_key, known.templates)
    lines = islice(read(log), _count(known.messages))
    return _timed(lines, reader.entry, lambda line: len(line.text.encode()) + 1)


def match(_: Path, known: Known) -> Figure:
    """Bare messages to key and values, the templates being known."""
    templates = known.templates
    return _timed(_messages(known), templates.match, _size)


def learn_messages(_: Path, known: Known) -> Figure:
    """Bare messages to a provisional key, learning as it goes: what Drain3 does."""
    return _timed(_messages(known), Spell().parse, _size)


def drain3(_: Path, known: Known) -> Figure:
    """Bare messages to a cluster, learning as it goes, in the default configuration."""
    from drain3 import TemplateMiner  # noqa: PLC0415  (an extra)
    from drain3.template_miner_config import TemplateMinerConfig  # noqa: PLC0415  (an extra)

    logging.getLogger("drain3").setLevel(logging.CRITICAL)
    return _timed(_messages(known), TemplateMiner(config=TemplateMinerConfig()).add_log_message, _size)


def reference_spell(_: Path, known: Known) -> Figure:
    """Bare messages to templates, in the default configuration of logparser; its files are in the time."""
    messages = list(islice(_messages(known), SPELL_LINES))
    with Clock() as clock:
        parse_reference_spell(messages)
    return Figure(len(messages), sum(map(_size, messages)), clock.cpu, clock.wall)


CONTESTANTS: Final[dict[str, Callable[[Path, Known], Figure]]] = {
    function.__name__: function
    for function in (
        grep,
        scan_and_learn,
        scan_and_match,
        one_by_one,
        match,
        learn_messages,
        drain3,
        reference_spell,
    )
}


def _timed(items: Iterable[Item], work: Callable[[Item], object], size: Callable[[Item], int]) -> Figure:
    """Do the work for every item; making the items ready is not in the time, and no more than a batch is held."""
    clock, lines, total = Clock(), 0, 0
    ready = iter(items)
    while batch := list(islice(ready, BATCH)):
        with clock:
            for item in batch:
                work(item)
        lines += len(batch)
        total += sum(map(size, batch))
    return Figure(lines, total, clock.cpu, clock.wall)


def _messages(known: Known) -> Iterator[str]:
    with known.messages.open(encoding="utf-8", newline="\n") as file:
        yield from (line[:-1] for line in file)


def _count(messages: Path) -> int:
    with messages.open("rb") as file:
        return sum(1 for _ in file)


def _size(message: str) -> int:
    return len(message.encode()) + 1


def _warm(work: Callable[[Path, Known], Figure], log: Path, known: Known) -> None:
    """Run a contestant on the first lines of a log."""
    with tempfile.TemporaryDirectory() as folder:
        head, messages = Path(folder) / log.name, Path(folder) / "messages"
        for few, many in ((head, log), (messages, known.messages)):
            with many.open("rb") as file:
                few.write_bytes(b"".join(islice(file, WARM)))
        work(head, known._replace(messages=messages))


def peak() -> float:
    """Return the most memory that this process, or one that it ran, ever held, in MB (Linux counts kB, macOS bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) * unit / 1e6


def main() -> None:
    """Run one contestant on some logs."""
    name, folder, rest = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    if name == prepare.__name__:
        for path in rest[1:]:
            prepare(Path(path), folder, int(rest[0]))
        return
    work, logs = CONTESTANTS[name], [Path(path) for path in rest]
    _warm(work, logs[0], known_of(logs[0], folder))
    for log in logs:
        print(json.dumps(work(log, known_of(log, folder))._asdict()), flush=True)
    print(json.dumps({"peak": peak()}))


if __name__ == "__main__":
    main()
