"""A log like that of HDFS, as long as one likes: print statements, real sequences of keys, made-up values.

    python -m benchmarks.rendered FILE [LINES]

The sequences are those of real sessions, if the real logs are at hand (a folder named by OFFSCRIPT_DATA, else
`../shared/data`): normal ones, and anomalous ones at the share they have in the whole log. Without them a few typical
sequences stand in. Nothing else is taken from the data.
"""

from __future__ import annotations

import csv
import gzip
import os
import random
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

DATA: Final = Path(os.environ.get("OFFSCRIPT_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
"""Where the real logs are, if they are anywhere: the folder that the tests use."""

LINES: Final = 2_000_000  # about 280 MB
RATE: Final = 60.0  # lines in a second: the whole log has 80, its first minutes 110
ANOMALOUS: Final = 16_838 / 575_061  # of the sessions of the whole log
START: Final = datetime(2008, 11, 9, 20, 35, 18)
FULL: Final = 67_108_864  # bytes of a block that is full
GAPS: Final = (1.0, 1.6)  # mean and spread of the logarithm of seconds between lines of a session: minutes in all
LONGEST_GAP: Final = 600.0  # log seconds
FILLED: Final = 0.7  # of the blocks, about
NODES: Final = 203  # the whole log was written by as many

STATEMENTS: Final[dict[int, tuple[str, str]]] = {
    1: ("WARN dfs.FSDataset", "Adding an already existing block {block}"),
    2: ("INFO dfs.DataBlockScanner", "Verification succeeded for {block}"),
    3: ("INFO dfs.DataNode$DataXceiver", "{near}:50010 Served block {block} to /{far}"),
    4: ("WARN dfs.DataNode$DataXceiver", "{near}:50010:Got exception while serving {block} to /{far}:"),
    5: ("INFO dfs.DataNode$DataXceiver", "Receiving block {block} src: /{far}:{port} dest: /{near}:50010"),
    6: (
        "INFO dfs.DataNode$DataXceiver",
        "Received block {block} src: /{far}:{port} dest: /{near}:50010 of size {size}",
    ),
    7: ("INFO dfs.DataNode$DataXceiver", "writeBlock {block} received exception java.io.IOException: Could not read"),
    8: ("INFO dfs.DataNode$PacketResponder", "PacketResponder {turn} for block {block} Interrupted."),
    9: ("INFO dfs.DataNode$PacketResponder", "Received block {block} of size {size} from /{near}"),
    10: ("INFO dfs.DataNode$PacketResponder", "PacketResponder {block} {turn} Exception java.io.EOFException"),
    11: ("INFO dfs.DataNode$PacketResponder", "PacketResponder {turn} for block {block} terminating"),
    12: ("WARN dfs.DataNode$DataXceiver", "{near}:50010:Exception writing block {block} to mirror {far}:50010"),
    13: ("INFO dfs.DataNode$DataXceiver", "Receiving empty packet for block {block}"),
    14: (
        "INFO dfs.DataNode$DataXceiver",
        "Exception in receiveBlock for block {block} java.io.IOException: Broken pipe",
    ),
    15: (
        "INFO dfs.FSDataset",
        "Changing block file offset of block {block} from {port} to {size} meta file offset to {port}",
    ),
    16: ("INFO dfs.DataNode$DataTransfer", "{near}:50010:Transmitted block {block} to /{far}:50010"),
    17: (
        "WARN dfs.DataNode$DataTransfer",
        "{near}:50010:Failed to transfer {block} to {far}:50010 got java.io.IOException: Connection reset by peer",
    ),
    18: ("INFO dfs.DataNode", "{near}:50010 Starting thread to transfer block {block} to {far}:50010"),
    19: ("INFO dfs.FSDataset", "Reopen Block {block}"),
    20: (
        "WARN dfs.FSDataset",
        "Unexpected error trying to delete block {block}. BlockInfo not found in volumeMap.",
    ),
    21: ("INFO dfs.FSDataset", "Deleting block {block} file /mnt/hadoop/dfs/data/current/subdir{room}/{block}"),
    22: ("INFO dfs.FSNamesystem", "BLOCK* NameSystem.allocateBlock: {path} {block}"),
    23: ("INFO dfs.FSNamesystem", "BLOCK* NameSystem.delete: {block} is added to invalidSet of {near}:50010"),
    24: (
        "INFO dfs.FSNamesystem",
        "BLOCK* Removing block {block} from neededReplications as it does not belong to any file.",
    ),
    25: ("INFO dfs.FSNamesystem", "BLOCK* ask {near}:50010 to replicate {block} to datanode(s) {far}:50010"),
    26: (
        "INFO dfs.FSNamesystem",
        "BLOCK* NameSystem.addStoredBlock: blockMap updated: {near}:50010 is added to {block} size {size}",
    ),
    27: (
        "WARN dfs.FSNamesystem",
        "BLOCK* NameSystem.addStoredBlock: Redundant addStoredBlock request received for {block} on {near}:50010 "
        "size {size}",
    ),
    28: (
        "INFO dfs.FSNamesystem",
        "BLOCK* NameSystem.addStoredBlock: addStoredBlock request received for {block} on {near}:50010 size {size} "
        "But it does not belong to any file.",
    ),
    29: ("WARN dfs.FSNamesystem", "PendingReplicationMonitor timed out block {block}"),
}
"""The print statements of HDFS by the public collection's numbers: level and component, then the message."""

WRITTEN: Final = "5 5 5 22 11 9 11 9 11 9 26 26 26"
NORMAL: Final = (f"{WRITTEN} 23 23 23 21 21 21", f"{WRITTEN} 3 4 3 23 23 23 21 21 21", f"{WRITTEN} 3 3 4 2", WRITTEN)
BROKEN: Final = ("5 22", "5 5 5 22 7 10 11 9 11 9", f"{WRITTEN} 23 23 23 21 21 28 26 21 20")
"""Typical sequences, where the real ones are not at hand."""


class Sequences(NamedTuple):
    """Sequences of statements of normal and of anomalous sessions, and what people should know of them."""

    normal: list[list[int]]
    anomalous: list[list[int]]
    origin: str


def sequences(data: Path = DATA) -> Sequences:
    """Return the real sequences, or those of this file where there are none."""
    normal, anomalous = (data / "hdfs" / f"{kind}_by_block.csv.gz" for kind in ("normal", "abnormal"))
    if normal.is_file() and anomalous.is_file():
        real, broken = _read(normal), _read(anomalous)
        return Sequences(real, broken, f"sequences of {len(real) + len(broken):,} real sessions")
    made_up, cut_short = ([list(map(int, text.split())) for text in texts] for texts in (NORMAL, BROKEN))
    origin = f"{len(NORMAL) + len(BROKEN)} sequences written by hand: no real logs found (set OFFSCRIPT_DATA)"
    return Sequences(made_up, cut_short, origin)


def _read(path: Path) -> list[list[int]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [list(map(int, row["sequence"].split())) for row in csv.DictReader(file)]


def render(lines: int, known: Sequences, seed: int = 0) -> Iterator[str]:
    """Yield that many lines, line ends included, about 140 bytes each; the same ones for the same seed.

    Sessions begin at random, so that there are `RATE` lines in a second, and last minutes.
    """
    chance, draw = random.Random(seed), np.random.default_rng(seed)
    sessions = _sessions(lines, known, chance)
    lengths = np.array([len(one) for one in sessions])
    owners = np.repeat(np.arange(len(sessions)), lengths)
    begins = np.sort(draw.uniform(0, lines / RATE, len(sessions)))
    # The time of a line is its session's beginning and the gaps so far: a running sum, less what others had before.
    gaps = np.minimum(draw.lognormal(*GAPS, len(owners)), LONGEST_GAP)
    ends = np.cumsum(gaps)
    times = begins[owners] + ends - ends[(np.cumsum(lengths) - lengths)[owners]]
    order = np.argsort(times, kind="stable")[:lines]
    statements = np.array([statement for one in sessions for statement in one])[order]
    columns = zip(
        np.floor(times[order]).astype(int).tolist(),
        owners[order].tolist(),
        statements.tolist(),
        _threads(statements, draw),
        draw.integers(32_768, 60_000, len(order)).tolist(),
        strict=True,
    )
    return _lines(columns, _nodes(draw), chance, lengths.tolist())


def _sessions(lines: int, known: Sequences, chance: random.Random) -> list[list[int]]:
    """Draw sessions that have so many lines together, or a few more."""
    drawn: list[list[int]] = []
    enough = 0
    while enough < lines:
        kind = known.anomalous if chance.random() < ANOMALOUS else known.normal
        drawn.append(chance.choice(kind))
        enough += len(drawn[-1])
    return drawn


def _threads(statements: NDArray[np.int64], draw: np.random.Generator) -> list[int]:
    """The threads of lines: a handful serve the name node, each transfer between the others has one of its own."""
    served = [printer.endswith("FSNamesystem") for printer, _ in STATEMENTS.values()]
    few = draw.integers(26, 36, len(statements))
    many = 140 + np.arange(len(statements)) // 80 + draw.integers(0, 40, len(statements))
    threads: list[int] = np.where(np.array([False, *served])[statements], few, many).tolist()
    return threads


def _nodes(draw: np.random.Generator) -> list[str]:
    return [f"10.{draw.integers(250, 252)}.{draw.integers(0, 200)}.{draw.integers(2, 255)}" for _ in range(NODES)]


def _lines(
    columns: Iterable[tuple[int, int, int, int, int]], nodes: list[str], chance: random.Random, left: list[int]
) -> Iterator[str]:
    """Write out lines of (second, session, statement, thread, port); `left` counts the lines a session has to come."""
    blocks: dict[int, dict[str, str | int]] = {}
    now, stamp = -1, ""
    for second, owner, statement, thread, port in columns:
        if second != now:
            now, stamp = second, (START + timedelta(seconds=second)).strftime("%y%m%d %H%M%S")
        values = blocks.get(owner) or blocks.setdefault(owner, _block(nodes, chance))
        turn = left[owner] = left[owner] - 1
        turn %= 3
        values["turn"], values["port"] = turn, port
        values["near"], values["far"] = values[_TURNS[turn]], values[_TURNS[turn - 1]]
        yield f"{stamp} {thread} {_TEXTS[statement].format_map(values)}"
        if not left[owner]:
            del blocks[owner]


_TEXTS: Final = {number: f"{printer}: {text}\n" for number, (printer, text) in STATEMENTS.items()}
_TURNS: Final = ("first", "second", "third")


def _block(nodes: list[str], chance: random.Random) -> dict[str, str | int]:
    """The values of a new block: its id, its size, its path, and the three nodes that hold it."""
    task = f"_task_200811092030_{chance.randrange(1, 400):04}_m_{chance.randrange(2_000):06}_0"
    return {
        "block": f"blk_{chance.getrandbits(64) - (1 << 63)}",
        "size": FULL if chance.random() < FILLED else chance.randrange(1, FULL),
        "path": f"/user/root/rand/_temporary/{task}/part-{chance.randrange(2_000):05}.",
        "room": chance.randrange(64),
        **dict(zip(_TURNS, chance.sample(nodes, 3), strict=True)),
    }


def write(path: Path, lines: int = LINES, seed: int = 0) -> str:
    """Write the log to a file; return what it is made of, for people."""
    known = sequences()
    with path.open("w", encoding="ascii") as file:
        file.writelines(render(lines, known, seed))
    return known.origin


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else LINES))
