"""Sub-routines that several kinds of request share: who is asking, and moving money between wallets.

`settle` is the long-range part: what its session was opened for (a payment, a refund, a gift) is said once,
then come a dozen steps that are the same for all three, and only the last two depend on the first again.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from dataclasses import dataclass, replace
from decimal import Decimal

import psycopg
from recordings.postgres.client import Link, Request

OPEN = {
    "pay": "SELECT amount FROM payments WHERE id = %s AND state = 'pending'",
    "refund": "SELECT order_id, amount FROM payments WHERE id = %s ORDER BY id",
    "gift": "SELECT amount, state FROM gifts WHERE id = %s",
}
TAIL = {
    "pay": (
        "UPDATE payments SET state = 'captured' WHERE id = %s",
        "INSERT INTO outbox (template, customer_id) VALUES ('receipt', %s)",
    ),
    "refund": (
        "UPDATE payments SET amount = 0, state = 'refunded' WHERE id = %s",
        "UPDATE orders SET status = 'refunded' WHERE customer_id = %s AND status = 'returned'",
    ),
    "gift": (
        "UPDATE gifts SET state = 'claimed' WHERE id = %s",
        "SELECT count(*) FROM outbox WHERE customer_id = %s",
    ),
}


@dataclass(frozen=True)
class Transfer:
    """Money to move: why, under which reference, from and to which wallet, and who hears of it."""

    purpose: str
    ref: int
    source: int
    target: int
    amount: Decimal
    customer: int


def token_of(customer: int) -> uuid.UUID:
    """Return the log-in token of a customer, as the first contents of the database have it."""
    return uuid.UUID(hashlib.md5(f"token{customer}".encode(), usedforsecurity=False).hexdigest())


def authenticate(link: Link, request: Request, customer: int) -> None:
    """Find out who is asking; the token is refreshed when it is old."""
    link.step("auth.token", "SELECT customer_id, seen_at FROM tokens WHERE token = %s", token_of(customer))
    if request.rng.random() < 0.3:
        link.step("auth.refresh", "UPDATE tokens SET seen_at = now() WHERE token = %s", token_of(customer))
    link.step("auth.customer", "SELECT email, tier FROM customers WHERE id = %s", customer)


def settle(request: Request, move: Transfer, declined: bool = False) -> bool:
    """Move money in a connection of its own; True when it went through."""
    with request.connect() as link:
        source, target = link.branch("settle.wallets", f"{move.source} {move.target}").split()
        move = replace(move, source=int(source), target=int(target))
        link.step("settle.open", OPEN[move.purpose], move.ref)
        link.step("settle.limit", "SELECT daily FROM limits WHERE wallet_id = %s", move.source)
        if declined:
            link.step("settle.decline", "UPDATE payments SET state = 'declined' WHERE id = %s", move.ref)
            return False
        for attempt in range(link.count("settle.attempts", 3)):
            if attempt:
                time.sleep(request.rng.uniform(0.05, 0.15))
            if _transfer(link, move, in_order=attempt > 0):
                _finish(link, move)
                return True
        return False


def _transfer(link: Link, move: Transfer, in_order: bool) -> bool:
    """Run the transaction; False when it was the victim of a deadlock."""
    first, second = move.source, move.target
    if in_order or link.branch("settle.locks", "sorted") == "sorted":
        first, second = min(first, second), max(first, second)
    lock = "SELECT balance FROM wallets WHERE id = %s FOR UPDATE"
    link.step("settle.begin", "BEGIN")
    try:
        link.step("settle.first", lock, first)
        link.step("settle.second", lock, second)
    except psycopg.errors.DeadlockDetected:
        link.step("settle.rollback", "ROLLBACK")
        return False
    _book(link, move)
    link.step("settle.commit", "COMMIT")
    return True


def _book(link: Link, move: Transfer) -> None:
    amount = move.amount * int(link.factor("settle.amount"))
    debit = "INSERT INTO ledger (side, wallet_id, ref, amount) VALUES ('debit', %s, %s, %s)"
    credit = "INSERT INTO ledger (side, wallet_id, ref, amount) VALUES ('credit', %s, %s, %s)"
    link.step("settle.debit", debit, move.source, move.ref, amount)
    link.step("settle.credit", credit, move.target, move.ref, amount)
    link.step("settle.minus", "UPDATE wallets SET balance = balance - %s WHERE id = %s", amount, move.source)
    link.step("settle.plus", "UPDATE wallets SET balance = balance + %s WHERE id = %s", amount, move.target)
    link.step("settle.sum", "SELECT sum(amount) FROM ledger WHERE ref = %s", move.ref)
    link.step("settle.fee", "SELECT rate FROM fees WHERE id = %s", 1 + move.ref % 4)
    link.step("settle.audit", "INSERT INTO audit (action, ref) VALUES ('settled', %s)", move.ref)


def _finish(link: Link, move: Transfer) -> None:
    state, news = TAIL[link.branch("settle.tail", move.purpose)]
    link.step("settle.state", state, move.ref)
    link.step("settle.news", news, move.customer)
