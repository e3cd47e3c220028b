"""Record PostgreSQL's own log under a scripted shop: two normal runs and one with faults.

python recordings/postgres/record.py --out DIR [--requests N] [--seed S] [--only RUN]
"""

from __future__ import annotations

import argparse
import lzma
import signal
import sys
import time
from pathlib import Path

import psycopg

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from recordings.postgres import labels, schema
from recordings.postgres.director import Director
from recordings.postgres.injector import Injector
from recordings.postgres.server import Server

BASE = Path("/tmp/pg-recording")  # noqa: S108 - appears in the log, so it must be the same on every machine
RUNS = ("normal", "heldout", "faulted")
SAMPLE = 300
SUPERUSER_PASSWORD = "silver-orchard"  # noqa: S105 - of a server that lives for minutes on the loopback


def main() -> int:
    """Read the command line and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the logs and the labels")
    parser.add_argument("--requests", type=int, default=4000, help="requests of each run (default %(default)s)")
    parser.add_argument("--seed", type=int, default=17, help="each run derives its own from it")
    parser.add_argument("--base", type=Path, default=BASE, help="folder of the private server")
    parser.add_argument("--only", choices=RUNS, help="record one run only")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))
    options.out.mkdir(parents=True, exist_ok=True)
    for number, run in enumerate(RUNS):
        if options.only in (None, run):
            _record(run, options.seed * 10 + number, options.requests, options.base, options.out)
    return 0


def _record(run: str, seed: int, requests: int, base: Path, out: Path) -> None:
    begin = time.monotonic()
    server = Server(base, SUPERUSER_PASSWORD)
    try:
        server.create()
        server.start()
        _build(server)
        server.stop()
        server.record()
        server.start()
        injector = _drive(server, requests, seed, faulted=run == "faulted")
        server.stop()
        _keep(server, run, out)
        if injector:
            count = labels.write(injector.faults, server.log, out / "labels.json")
            print(f"{run}: {count} labels; not shown: {sorted(injector.missed)}")
    finally:
        server.remove()
    print(f"{run}: {requests} requests in {time.monotonic() - begin:.0f} s", flush=True)


def _build(server: Server) -> None:
    """Make the shop's database afresh, with nothing recorded."""
    with _superuser(server, "postgres") as connection:
        for statement in (*schema.ROLES, "CREATE DATABASE shop"):
            connection.execute(statement.encode())
    tablespace = str(server.spool / "tablespace") if server.has_spool else None
    with _superuser(server, "shop") as connection:
        for statement in (*schema.TABLES, *schema.receipts(tablespace), *schema.CONTENTS, "VACUUM ANALYZE"):
            connection.execute(statement.encode())


def _superuser(server: Server, database: str) -> psycopg.Connection[tuple[object, ...]]:
    connection: psycopg.Connection[tuple[object, ...]] = psycopg.connect(
        host="127.0.0.1", port=server.port, user="postgres", password=SUPERUSER_PASSWORD, dbname=database,
        autocommit=True,
    )  # fmt: skip
    return connection


def _drive(server: Server, requests: int, seed: int, faulted: bool) -> Injector | None:
    director = Director(server, requests, seed)
    injector = Injector(director, seed) if faulted else None
    thread = injector.start() if injector else None
    director.run()
    if injector and thread:
        thread.join(60)
        injector.finish()
    director.ops.close()
    return injector


def _keep(server: Server, run: str, out: Path) -> None:
    text = server.log.read_bytes()
    (out / f"{run}.log.xz").write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    if run == "normal":
        sample = b"".join(server.json_log.read_bytes().splitlines(keepends=True)[:SAMPLE])
        (out / "sample.json.xz").write_bytes(lzma.compress(sample, preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    sys.exit(main())
