"""Who does what when: eight clients, the mix of requests, benign bad luck, planned restarts."""

from __future__ import annotations

import collections
import random
import threading
import time
from collections.abc import Callable

import psycopg
from recordings.postgres import backoffice, workload
from recordings.postgres.client import ClientDiedError, Desk, Link, Request, Row, Tamper
from recordings.postgres.schema import CUSTOMERS, PASSWORDS
from recordings.postgres.server import Server

CLIENTS = 8
KINDS: dict[str, tuple[int, Callable[[Request], None]]] = {
    "browse": (20, workload.browse),
    "cart": (13, workload.cart),
    "checkout": (13, workload.checkout),
    "refund": (6, workload.refund),
    "gift": (6, workload.gift),
    "cancel": (6, workload.cancel),
    "login": (10, workload.login),
    "register": (6, workload.register),
    "ship": (9, backoffice.ship),
    "restock": (5, backoffice.restock),
    "reprice": (3, backoffice.reprice),
    "report": (4, backoffice.report),
    "feed": (4, backoffice.feed),
    "probe": (7, backoffice.probe),
}
RESTARTS = (0.3, 0.7)
DEADLOCK_EVERY = 300


class Ops:
    """The administrator's connection: long-lived, and silent but for coming and going."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._connection = self._open()

    def run(self, sql: str, *parameters: object) -> list[Row]:
        """Run one statement; once more on a new connection if the old one was cut."""
        with self._lock:
            try:
                return self._execute(sql, parameters)
            except psycopg.OperationalError:
                if not self._connection.broken:
                    raise
            self._connection = self._open()
            return self._execute(sql, parameters)

    def _execute(self, sql: str, parameters: tuple[object, ...]) -> list[Row]:
        cursor = self._connection.execute(sql.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []

    def renew(self) -> None:
        """Forget the connection and wait until the server takes a new one."""
        with self._lock:
            self._connection.close()
            for _ in range(100):
                try:
                    self._connection = self._open()
                    return
                except psycopg.OperationalError:
                    time.sleep(0.4)
        raise RuntimeError("the server does not come back")

    def close(self) -> None:
        """Say goodbye."""
        self._connection.close()

    def _open(self) -> psycopg.Connection[Row]:
        return self._desk.open("ops_admin", PASSWORDS["ops_admin"], "ops-broom")


class Director:
    """Hands out requests, in an order that only the seed and the faults decide."""

    def __init__(self, server: Server, requests: int, seed: int) -> None:
        self.server = server
        self.total = requests
        self.desk = Desk(server.port)
        self.ops = Ops(self.desk)
        self.crew = [self.ops]
        self.quiet = threading.Lock()
        """Held by whoever does something to the whole server: a planned restart or a fault."""
        self.desk.sweep = self._sweep
        self.benign: list[Tamper] = []
        self.issued = 0
        self._seed = seed
        self._rng = random.Random(seed)
        self._forced: collections.deque[tuple[str, Tamper]] = collections.deque()
        self._change = threading.Condition()
        self._paused = False
        self._active = 0

    @property
    def progress(self) -> float:
        """Return the share of requests handed out."""
        return self.issued / self.total

    def force(self, kind: str, tamper: Tamper) -> None:
        """Let the next free client do a request of this kind, with this tamper."""
        with self._change:
            self._forced.append((kind, tamper))

    def run(self) -> None:
        """Run all requests and the planned restarts; return when the last one is done."""
        clients = [threading.Thread(target=self._client, args=(number,), daemon=True) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for share in RESTARTS:
            while self.progress < share:
                time.sleep(0.2)
            with self.quiet:
                self._restart()
        for client in clients:
            client.join()

    def _restart(self) -> None:
        """Restart for maintenance: with nobody connected but the administrator."""
        with self._change:
            self._paused = True
            self._change.wait_for(lambda: self._active == 0)
        self.server.stop()
        time.sleep(0.5)
        self.server.start()
        for each in self.crew:
            each.renew()
        with self._change:
            self._paused = False
            self._change.notify_all()

    def _client(self, number: int) -> None:
        rng = random.Random(f"{self._seed} client {number}")
        while request := self._next():
            try:
                KINDS[request.kind][1](request)
            except (psycopg.Error, ClientDiedError, IndexError):
                time.sleep(rng.uniform(0.3, 0.8))
            finally:
                self._done(request)
            time.sleep(rng.uniform(0.1, 0.55))

    def _next(self) -> Request | None:
        with self._change:
            self._change.wait_for(lambda: not self._paused)
            if self.issued >= self.total:
                return None
            self.issued += 1
            self._active += 1
            kind, tamper = self._choose()
            name = f"req-{self.issued:06d}"
            return Request(name, kind, random.Random(f"{self._seed} {name}"), tamper, self.desk)

    def _choose(self) -> tuple[str, Tamper]:
        if self.issued % DEADLOCK_EVERY == 0:
            self._bad_luck()
        if self._forced:
            return self._forced.popleft()
        kinds = list(KINDS)
        return self._rng.choices(kinds, [KINDS[kind][0] for kind in kinds])[0], Tamper()

    def _bad_luck(self) -> None:
        """Let two gifts lock the same two wallets the other way round: one is retried."""
        first, second = self._rng.sample(range(1, CUSTOMERS + 1), 2)
        for tamper in opposed("", (first, second), (second, first)):
            self.benign.append(tamper)
            self._forced.append(("gift", tamper))

    def _done(self, request: Request) -> None:
        if request.tamper.after_all:
            request.tamper.after_all()
        request.tamper.ended = time.time()
        request.tamper.finished.set()
        with self._change:
            self._active -= 1
            self._change.notify_all()

    def _sweep(self, pid: int) -> None:
        time.sleep(0.1)
        self.ops.run("SELECT pg_terminate_backend(%s)", pid)
        time.sleep(0.1)


def opposed(fault: str, *wallets: tuple[int, int]) -> list[Tamper]:
    """Return the tampers of two requests that wait for each other between their first and second lock."""
    meeting = threading.Barrier(2)

    def meet(_link: Link, _parameters: tuple[object, ...]) -> None:
        try:
            meeting.wait(1.5)
        except threading.BrokenBarrierError:
            return

    return [
        Tamper(
            fault=fault,
            before={"settle.second": meet},
            branches={"settle.locks": "as named", "settle.wallets": f"{source} {target}"},
        )
        for source, target in wallets
    ]
