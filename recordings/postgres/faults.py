"""Faults that ride on one request: how each kind changes the steps of a request that otherwise goes on as usual.

Each maker returns the kind of request and its tamper. The victim's log gives nothing away: a fault is
a connection option, a signal, another connection's silent lock, or a change in the application itself.
"""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from recordings.postgres.client import Action, ClientDiedError, Link, Tamper
from recordings.postgres.director import Ops, opposed
from recordings.postgres.schema import CUSTOMERS, SHOP_WALLETS
from recordings.postgres.server import Server

Ride = tuple[str, Tamper]
MIDDLE = (
    ("checkout", "order.total"),
    ("checkout", "settle.sum"),
    ("refund", "refund.status"),
    ("refund", "settle.plus"),
    ("gift", "settle.fee"),
    ("cancel", "cancel.status"),
    ("ship", "ship.done"),
)
"""Kinds of request, and a step of each in the middle of a transaction."""


@dataclass(frozen=True)
class Tools:
    """What the injector works with."""

    server: Server
    ops: Ops
    locker: Ops
    rng: random.Random


@dataclass(frozen=True)
class Kind:
    """One kind of fault: how it shows, how often it is injected, how its requests are made."""

    name: str
    shows_as: str
    times: int
    detail: str
    make: Callable[[Tools], list[Ride]]
    error: str = ""
    """The error that proves it came to pass; empty: the change of the steps itself."""


def _killed(tools: Tools) -> list[Ride]:
    def kill(link: Link, _parameters: tuple[Any, ...]) -> None:
        tools.ops.run("SELECT pg_terminate_backend(%s)", link.pid)
        link.mark()
        time.sleep(0.02)

    return _at(tools, kill)


def _died(tools: Tools) -> list[Ride]:
    def die(link: Link, _parameters: tuple[Any, ...]) -> None:
        for each in link.siblings():
            each.mark()
            each.abandon()
        raise ClientDiedError

    return _at(tools, die)


def _paused(tools: Tools) -> list[Ride]:
    def pause(link: Link, _parameters: tuple[Any, ...]) -> None:
        link.mark()
        time.sleep(tools.rng.uniform(2.5, 6.0))
        link.mark()

    steps = (*MIDDLE, ("browse", "browse.bought"), ("cart", "cart.items"), ("login", "login.token"),
             ("checkout", "order.state"))  # fmt: skip
    return _at(tools, pause, steps)


def _stopped(tools: Tools) -> list[Ride]:
    def stop(link: Link, _parameters: tuple[Any, ...]) -> None:
        tools.server.signal(link.pid, signal.SIGSTOP)
        link.mark()
        timer = threading.Timer(tools.rng.uniform(2.5, 5.0), tools.server.signal, (link.pid, signal.SIGCONT))
        timer.start()

    steps = (("browse", "browse.event"), ("cart", "cart.price"), ("checkout", "order.new"), ("login", "login.old"),
             ("refund", "settle.limit"), ("ship", "ship.lines"), ("cancel", "cancel.lines"))  # fmt: skip
    return _at(tools, stop, steps)


def _at(tools: Tools, action: Action, steps: tuple[tuple[str, str], ...] = MIDDLE) -> list[Ride]:
    kind, step = tools.rng.choice(steps)
    return [(kind, Tamper(before={step: action}))]


LOCKS = {
    "cancel.order": ("cancel", "SELECT id FROM orders WHERE id = %s FOR UPDATE"),
    "settle.first": ("gift", "SELECT id FROM wallets WHERE id = %s FOR UPDATE"),
    "order.stock": ("checkout", "SELECT id FROM products WHERE id = %s FOR UPDATE"),
    "refund.status": ("refund", "SELECT id FROM orders WHERE id = %s FOR UPDATE"),
}


def _timed_out(tools: Tools) -> list[Ride]:
    """Give a client a short time limit, and let somebody else hold its row for longer."""
    step = tools.rng.choice(list(LOCKS))
    kind, lock = LOCKS[step]

    def hold(link: Link, parameters: tuple[Any, ...]) -> None:
        try:
            tools.locker.run("BEGIN")
            tools.locker.run("SET LOCAL lock_timeout = '300ms'")
            tools.locker.run(lock, parameters[-1])
        except psycopg.errors.LockNotAvailable:
            tools.locker.run("ROLLBACK")
            return
        link.mark()
        threading.Timer(1.1, tools.locker.run, ("ROLLBACK",)).start()

    return [(kind, Tamper(before={step: hold}, options="-c statement_timeout=800"))]


def _full(tools: Tools) -> list[Ride]:
    def fill(link: Link, _parameters: tuple[Any, ...]) -> None:
        tools.server.fill_spool()
        link.mark()

    return [("checkout", Tamper(before={"order.receipt": fill}, after_all=tools.server.free_spool))]


def _deadlock(tools: Tools) -> list[Ride]:
    """Let a payment and a refund want the same two wallets; the victim gives up."""
    customer, purse = tools.rng.randint(1, CUSTOMERS), CUSTOMERS + 1 + tools.rng.randrange(SHOP_WALLETS)
    tampers = opposed("deadlock", (customer, purse), (purse, customer))
    for tamper in tampers:
        tamper.counts["settle.attempts"] = 1
    return list(zip(("checkout", "refund"), tampers, strict=True))


def _unpaid(_tools: Tools) -> list[Ride]:
    return [("checkout", Tamper(branches={"order.pay": "skip"}))]


def _skipped(tools: Tools) -> list[Ride]:
    steps = (("gift", "settle.credit"), ("refund", "settle.debit"), ("checkout", "order.audit"),
             ("refund", "refund.status"), ("ship", "ship.done"), ("cancel", "cancel.job"), ("cart", "cart.items"),
             ("register", "register.token"))  # fmt: skip
    kind, step = tools.rng.choice(steps)
    return [(kind, Tamper(skip=frozenset({step})))]


def _doubled(tools: Tools) -> list[Ride]:
    steps = (("gift", "settle.debit"), ("refund", "settle.plus"), ("checkout", "order.take"),
             ("checkout", "order.job"), ("ship", "ship.parcel"), ("cancel", "cancel.status"),
             ("cart", "cart.total"), ("restock", "restock.add"))  # fmt: skip
    kind, step = tools.rng.choice(steps)
    return [(kind, Tamper(repeat={step: 2}))]


def _late(tools: Tools) -> list[Ride]:
    steps = (("checkout", "order.audit", "order.commit"), ("gift", "settle.audit", "settle.commit"),
             ("cancel", "cancel.status", "cancel.commit"), ("ship", "ship.done", "ship.status"),
             ("refund", "refund.audit", "refund.commit"),
             ("register", "register.audit", "register.welcome"))  # fmt: skip
    kind, step, after = tools.rng.choice(steps)
    return [(kind, Tamper(late={step: after}))]


def _early_commit(tools: Tools) -> list[Ride]:
    steps = (("checkout", "order.total", "order.commit"), ("gift", "settle.minus", "settle.commit"),
             ("refund", "refund.status", "refund.commit"), ("ship", "ship.parcel", "ship.commit"),
             ("cancel", "cancel.job", "cancel.commit"), ("register", "register.token", "register.commit"))  # fmt: skip
    kind, step, commit = tools.rng.choice(steps)

    def early(link: Link, _parameters: tuple[Any, ...]) -> None:
        link.insert("COMMIT")

    return [(kind, Tamper(before={step: early}, skip=frozenset({commit})))]


def _no_begin(tools: Tools) -> list[Ride]:
    kind, part = tools.rng.choice((("checkout", "order"), ("gift", "settle"), ("refund", "refund"),
                                   ("ship", "ship"), ("cancel", "cancel"), ("register", "register")))  # fmt: skip
    return [(kind, Tamper(skip=frozenset({f"{part}.begin", f"{part}.commit"})))]


def _scrape(tools: Tools) -> list[Ride]:
    kind, loop = tools.rng.choice((("browse", "browse.views"), ("feed", "feed.pages")))
    return [(kind, Tamper(counts={loop: tools.rng.randint(14, 45)}))]


def _crossed(tools: Tools) -> list[Ride]:
    kind, tail = tools.rng.choice((("checkout", "refund"), ("checkout", "gift"), ("refund", "pay"),
                                   ("refund", "gift"), ("gift", "pay"), ("gift", "refund")))  # fmt: skip
    return [(kind, Tamper(branches={"settle.tail": tail}))]


def _quantity(tools: Tools) -> list[Ride]:
    kind, name = tools.rng.choice((("cart", "cart.quantity"), ("checkout", "order.quantity")))
    return [(kind, Tamper(factors={name: tools.rng.randint(60, 400)}))]


def _amount(tools: Tools) -> list[Ride]:
    factor = tools.rng.randint(60, 400)
    if tools.rng.random() < 0.5:
        return [("checkout", Tamper(factors={"order.amount": factor, "settle.amount": 1}))]
    return [(tools.rng.choice(("gift", "refund")), Tamper(factors={"settle.amount": factor}))]


def _temp_file(tools: Tools) -> list[Ride]:
    return [("report", Tamper(factors={"report.rows": tools.rng.uniform(4.0, 8.0)}))]


RIDING = (
    Kind("backend_killed", "order", 8, "pg_terminate_backend in the middle of a transaction", _killed, "57P01"),
    Kind("client_died", "order", 8, "the client's socket goes away in the middle of a transaction", _died),
    Kind("statement_timeout", "new_line", 8, "a row is held for longer than the time limit", _timed_out, "57014"),
    Kind("disk_full", "new_line", 7, "no space left in the tablespace of the receipts", _full, "53100"),
    Kind("deadlock", "order", 8, "a payment and a refund lock each other out, and the victim gives up", _deadlock,
         "40P01"),
    Kind("payment_skipped", "order", 9, "the order is closed as paid without a payment", _unpaid),
    Kind("step_skipped", "order", 12, "one statement is missing", _skipped),
    Kind("step_doubled", "order", 12, "one statement runs twice", _doubled),
    Kind("step_late", "order", 9, "one statement runs after the one that should follow it", _late),
    Kind("early_commit", "order", 9, "COMMIT comes before the transaction's last statements", _early_commit),
    Kind("no_transaction", "order", 9, "neither BEGIN nor COMMIT", _no_begin),
    Kind("loop_too_long", "long_range", 9, "a loop that runs far more often than usual", _scrape),
    Kind("crossed_steps", "long_range", 12, "one kind of request ends with another kind's steps", _crossed),
    Kind("pause", "time", 11, "the application stands still for seconds", _paused),
    Kind("backend_stopped", "time", 9, "SIGSTOP of the backend for seconds", _stopped),
    Kind("wrong_quantity", "values", 9, "a quantity far too large", _quantity),
    Kind("wrong_amount", "values", 9, "an amount far too large", _amount),
    Kind("temp_file_size", "values", 8, "a sort that spills far more than usual", _temp_file),
)  # fmt: skip
