"""The injector: when each fault comes, the faults of the whole server, and what came of each."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable

import psycopg
from recordings.postgres.client import Tamper
from recordings.postgres.director import Director, Ops
from recordings.postgres.faults import RIDING, Kind, Tools
from recordings.postgres.labels import Fault
from recordings.postgres.schema import PASSWORDS

FIRST, LAST = 0.03, 0.96
WAITING_KINDS = {"pause", "backend_stopped", "lock_held", "statement_timeout", "deadlock", "index_dropped"}
"""Faults that other sessions may have to wait for."""
STRANGERS = ("admin", "backup", "oracle", "test", "guest")


class Injector:
    """Injects all faults of a plan, spread evenly over a run, and collects their labels."""

    def __init__(self, director: Director, seed: int) -> None:
        self._director = director
        self._desk = director.desk
        self._rng = random.Random(f"{seed} faults")
        self._tools = Tools(director.server, director.ops, Ops(director.desk), self._rng)
        director.crew.append(self._tools.locker)
        self._riding: list[tuple[Kind, list[Tamper], float]] = []
        self.faults: list[Fault] = []
        self.missed: list[str] = []

    def start(self) -> threading.Thread:
        """Inject in a thread of its own, while the director runs."""
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def finish(self) -> None:
        """Collect the last ones, find who had to wait for whom, and leave."""
        self._collect(wait=True)
        self._find_waiting()
        self._tools.locker.close()

    def _plan(self) -> list[Callable[[], None]]:
        plan: list[Callable[[], None]] = []
        for kind in RIDING:
            if kind.name == "disk_full" and not self._director.server.has_spool:
                self.missed.append("disk_full: this user may not mount a small file system")
                continue
            plan += [lambda kind=kind: self._ride(kind)] * kind.times  # type: ignore[misc]
        plan += [self._lock] * 8 + [self._burst] * 6 + [self._drop_index] * 6
        plan += [lambda: self._crash("immediate")] * 3 + [lambda: self._crash("kill")] * 4
        self._rng.shuffle(plan)
        return plan

    def _run(self) -> None:
        plan = self._plan()
        for number, inject in enumerate(plan):
            due = FIRST + (LAST - FIRST) * (number + self._rng.uniform(0.0, 0.6)) / len(plan)
            while self._director.progress < due:
                time.sleep(0.05)
            with self._director.quiet:
                inject()
            self._collect(wait=False)

    def _ride(self, kind: Kind) -> None:
        rides = kind.make(self._tools)
        for request, tamper in rides:
            tamper.fault = kind.name
            self._director.force(request, tamper)
        self._riding.append((kind, [tamper for _, tamper in rides], time.time()))

    def _collect(self, wait: bool) -> None:
        """Turn finished rides into labels; with `wait`, all of them."""
        still = []
        for ride in self._riding:
            kind, tampers, _begin = ride
            if wait:
                for tamper in tampers:
                    tamper.finished.wait(20)
            if all(tamper.finished.is_set() for tamper in tampers):
                self._judge(kind, tampers)
            else:
                still.append(ride)
        self._riding = still

    def _judge(self, kind: Kind, tampers: list[Tamper]) -> None:
        """Label a ride if it came to pass; else ride once more."""
        touched = set().union(*(tamper.touched for tamper in tampers))
        moments = [moment for tamper in tampers for moment in tamper.moments]
        if not moments or (kind.error and not self._saw(kind.error, touched, min(moments))):
            self._miss(kind, tampers)
            if self._director.progress < LAST and self.missed.count(kind.name) < 2 * kind.times:
                self._ride(kind)
            return
        until = max(tamper.ended for tamper in tampers) + 0.5
        self.faults.append(Fault(kind.name, kind.shows_as, min(moments), until, kind.detail, touched))

    def _miss(self, kind: Kind, tampers: list[Tamper]) -> None:
        """Note an injection that did not come to pass; what it held up all the same is collateral."""
        self.missed.append(kind.name)
        moments = [moment for tamper in tampers for moment in tamper.moments]
        if not moments:
            return
        begin, until = min(moments), max(tamper.ended for tamper in tampers) + 0.5
        held_up = self._slow(begin, until)
        self.faults.append(Fault(kind.name, kind.shows_as, begin, until, "did not come to pass", collateral=held_up))

    def _saw(self, error: str, touched: set[tuple[str, int]], begin: float) -> bool:
        wanted = {f"error {error}", "error lost"} if error == "57P01" else {f"error {error}"}
        rows = [row for what in wanted for row in self._desk.journal.between(what, begin - 5, time.time())]
        return any((row.application, row.pid) in touched for row in rows)

    def _lock(self) -> None:
        """Hold popular rows for seconds: everybody who wants them waits, and nobody logs a word."""
        self._collect(wait=True)
        begin, ops = time.time(), self._tools.locker
        ops.run("BEGIN")
        ops.run("SELECT id FROM products WHERE id <= 12 ORDER BY id FOR UPDATE")
        time.sleep(self._rng.uniform(2.5, 4.5))
        ops.run("ROLLBACK")
        time.sleep(0.3)
        waiting = self._slow(begin, time.time())
        if waiting:
            detail = "rows of popular products locked by another session"
            self.faults.append(Fault("lock_held", "time", begin, time.time(), detail, waiting))

    def _burst(self) -> None:
        """Try passwords for accounts that do not exist, and for one that does."""
        self._collect(wait=True)
        self._desk.calm_logins = True
        time.sleep(0.3)
        begin = time.time()
        for _ in range(self._rng.randint(5, 10)):
            name = self._rng.choice((*STRANGERS, *PASSWORDS))
            try:
                self._desk.open(name, f"guess-{self._rng.randrange(10**6)}", "login").close()
            except psycopg.OperationalError:
                time.sleep(self._rng.uniform(0.02, 0.08))
        detail = "wrong passwords, most for roles that do not exist"
        self.faults.append(Fault("failed_logins", "new_line", begin, time.time(), detail, logins=True))
        time.sleep(0.2)
        self._desk.calm_logins = False

    def _drop_index(self) -> None:
        """Take the index of the page views away for some seconds: the same statement, a hundred times slower."""
        self._collect(wait=True)
        begin = time.time()
        self._tools.ops.run("DROP INDEX events_customer")
        gone = time.time()
        time.sleep(self._rng.uniform(4.0, 5.0))
        self._tools.ops.run("CREATE INDEX CONCURRENTLY events_customer ON events (customer_id, product_id)")
        until = time.time()
        rows = self._desk.journal.between("browse.history", gone, until)
        slow = {(row.application, row.pid) for row in rows if row.end - row.begin > 0.3}
        if slow:
            detail = "the index on events (customer_id, product_id) is missing"
            self.faults.append(Fault("index_dropped", "time", begin, until, detail, slow))

    def _crash(self, how: str) -> None:
        """Crash: either one backend is killed hard, or the whole server is stopped without a goodbye."""
        self._collect(wait=True)
        begin, server = time.time(), self._director.server
        if how == "kill":
            server.signal(self._busy(), signal.SIGKILL)
            time.sleep(0.5)
        else:
            server.stop("immediate")
            time.sleep(0.3)
            server.start()
        for each in self._director.crew:
            each.renew()
        detail = {"kill": "SIGKILL of a backend", "immediate": "immediate shutdown"}[how] + ", then recovery"
        self.faults.append(Fault("crash", "truncated", begin, time.time(), detail, cut=True))

    def _busy(self) -> int:
        busy = (
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND usename <> 'ops_admin'"
            " AND application_name <> '' ORDER BY xact_start LIMIT 1"
        )
        while not (found := self._tools.ops.run(busy)):
            time.sleep(0.01)
        return int(found[0][0])

    def _slow(self, begin: float, end: float) -> set[tuple[str, int]]:
        """Return the sessions that waited in a span, without those whose waiting was benign."""
        benign = {key for tamper in self._director.benign for key in tamper.touched}
        rows = self._desk.journal.between("slow", begin, end)
        return {(row.application, row.pid) for row in rows} - benign

    def _find_waiting(self) -> None:
        """Whoever was slow while somebody else was held up, and was not touched by a fault itself."""
        touched = set().union(*(fault.touched for fault in self.faults))
        for fault in self.faults:
            if fault.kind in WAITING_KINDS:
                fault.collateral |= self._slow(fault.begin, fault.until) - touched
            if fault.kind == "disk_full":
                rows = self._desk.journal.between("error 53100", fault.begin - 1, fault.until)
                fault.collateral = {(row.application, row.pid) for row in rows} - touched
