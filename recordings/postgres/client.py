"""What the application uses to talk to the server: named steps on short-lived connections.

A `Tamper` says what one request does differently. The business code knows nothing of it: it asks for
steps, counts and branches by name. Without a fault the tamper is empty, or holds benign bad luck.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from recordings.postgres.schema import PASSWORDS

SLOW = 0.9
"""Seconds between two steps of a session that never pass without a reason."""

Action = Callable[["Link", "tuple[Any, ...]"], None]
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Sighting:
    """Something a client noticed in one of its sessions: a slow step, an error, the time of a step."""

    what: str
    application: str
    pid: int
    begin: float
    end: float


class Journal:
    """All that the clients noticed, from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: list[Sighting] = []

    def add(self, row: Sighting) -> None:
        """Note one sighting."""
        with self._lock:
            self._rows.append(row)

    def between(self, what: str, begin: float, end: float) -> list[Sighting]:
        """Return the sightings of one sort that overlap a span of time."""
        with self._lock:
            return [row for row in self._rows if row.what == what and row.end >= begin and row.begin <= end]


@dataclass
class Tamper:
    """What one request does differently, and what of it came to pass."""

    fault: str = ""
    before: dict[str, Action] = field(default_factory=dict)
    skip: frozenset[str] = frozenset()
    repeat: dict[str, int] = field(default_factory=dict)
    late: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    factors: dict[str, float] = field(default_factory=dict)
    options: str = ""
    after_all: Callable[[], None] | None = None
    touched: set[tuple[str, int]] = field(default_factory=set)
    moments: list[float] = field(default_factory=list)
    ended: float = 0.0
    finished: threading.Event = field(default_factory=threading.Event)

    def mark(self, link: Link) -> None:
        """Remember that the session on this link departed now."""
        self.touched.add((link.application, link.pid))
        self.moments.append(time.time())


class Link:
    """One connection of one request: a session in the server's log."""

    def __init__(self, desk: Desk, request: Request, role: str) -> None:
        self.application = request.name
        self._request = request
        self._tamper = request.tamper
        self._journal = desk.journal
        self._held: dict[str, tuple[str, tuple[Any, ...]]] = {}
        self.connection = desk.connect(role, request)
        self.pid = self.connection.info.backend_pid
        self._last = time.time()

    def mark(self) -> None:
        """Remember that this session departed now."""
        self._tamper.mark(self)

    def insert(self, sql: str) -> None:
        """Run a statement that is not in the script."""
        self._execute("inserted", sql, ())
        self.mark()

    def siblings(self) -> list[Link]:
        """Return all open connections of the same request, this one included."""
        return list(self._request.links)

    def step(self, name: str, sql: str, *parameters: Any) -> list[Row]:
        """Run one named statement, as the tamper has it."""
        tamper = self._tamper
        if name in tamper.before:
            tamper.before.pop(name)(self, parameters)
        if name in tamper.skip:
            tamper.mark(self)
            return []
        if name in tamper.late:
            self._held[tamper.late[name]] = (sql, parameters)
            tamper.mark(self)
            return []
        rows = self._execute(name, sql, parameters)
        for _ in range(tamper.repeat.pop(name, 1) - 1):
            rows = self._execute(name, sql, parameters)
            tamper.mark(self)
        if name in self._held:
            self._execute("late", *self._held.pop(name))
        return rows

    def count(self, name: str, usual: int) -> int:
        """Return how often a loop runs."""
        if name not in self._tamper.counts:
            return usual
        self._tamper.mark(self)
        return self._tamper.counts[name]

    def branch(self, name: str, usual: str) -> str:
        """Return which way the request goes on."""
        if name not in self._tamper.branches:
            return usual
        self._tamper.mark(self)
        return self._tamper.branches[name]

    def factor(self, name: str) -> float:
        """Return what a quantity or an amount is multiplied by: 1 unless a fault says otherwise."""
        if name not in self._tamper.factors:
            return 1.0
        self._tamper.mark(self)
        return self._tamper.factors[name]

    def close(self) -> None:
        """Say goodbye to the server."""
        self.connection.close()

    def abandon(self) -> None:
        """Cut the connection without a word, as a client that dies."""
        with socket.socket(fileno=os.dup(self.connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        self.connection.close()

    def _execute(self, name: str, sql: str, parameters: tuple[Any, ...]) -> list[Row]:
        self._request.think()
        begin = time.time()
        try:
            cursor = self.connection.execute(sql.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            self._note(f"error {error.sqlstate or 'lost'}", begin)
            raise
        finally:
            if time.time() - self._last > SLOW:
                self._note("slow", self._last)
            if name == "browse.history":
                self._note(name, begin)
            self._last = time.time()

    def _note(self, what: str, begin: float) -> None:
        self._journal.add(Sighting(what, self.application, self.pid, begin, time.time()))


@dataclass
class Request:
    """One thing a customer or a worker wants: a name, a kind, its own randomness, its tamper."""

    name: str
    kind: str
    rng: random.Random
    tamper: Tamper
    desk: Desk
    links: list[Link] = field(default_factory=list)

    def think(self) -> None:
        """Let the application's own work pass: mostly nothing, sometimes milliseconds, rarely more."""
        dice = self.rng.random()
        if dice < 0.006:
            time.sleep(self.rng.uniform(0.08, 0.25))
        elif dice < 0.3:
            time.sleep(self.rng.uniform(0.002, 0.012))

    @contextmanager
    def connect(self, role: str = "shop_app") -> Iterator[Link]:
        """Open a connection for the length of a block."""
        link = Link(self.desk, self, role)
        self.links.append(link)
        try:
            yield link
        finally:
            self.links.remove(link)
            link.close()


class ClientDiedError(Exception):
    """The client process is gone: its request ends here."""


class Desk:
    """What all clients share: the port, the journal, and whether log-ins may go wrong by chance."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.journal = Journal()
        self.calm_logins = False
        self.sweep: Callable[[int], None] = lambda _pid: None

    def connect(self, role: str, request: Request) -> psycopg.Connection[Row]:
        """Log in; now and then the first attempt has an outdated password."""
        if role != "shop_report" and not self.calm_logins and request.rng.random() < 0.006:
            self._outdated(role, request)
        return self.open(role, PASSWORDS[role], request.name, request.tamper.options)

    def open(self, role: str, password: str, application: str, options: str = "") -> psycopg.Connection[Row]:
        """Open one plain connection, as quiet in the log as the protocol allows."""
        connection: psycopg.Connection[Row] = psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=role,
            password=password,
            dbname="shop",
            application_name=application,
            options=options,
            sslmode="disable",
            gssencmode="disable",
            autocommit=True,
            prepare_threshold=None,
            cursor_factory=psycopg.ClientCursor,
        )
        return connection

    def _outdated(self, role: str, request: Request) -> None:
        try:
            self.open(role, "last-season", request.name).close()
        except psycopg.OperationalError:
            time.sleep(request.rng.uniform(0.02, 0.1))
