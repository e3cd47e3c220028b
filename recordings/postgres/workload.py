"""The customers' side of the shop: what one request of each kind does, statement by statement."""

from __future__ import annotations

import contextlib
import random
from decimal import Decimal

import psycopg
from recordings.postgres.client import Link, Request
from recordings.postgres.schema import CUSTOMERS, PRODUCTS, SHOP_WALLETS
from recordings.postgres.settle import Transfer, authenticate, settle

OLD_ORDERS = 6000
HISTORY = (
    "SELECT p.id, (SELECT count(*) FROM events e WHERE e.customer_id = %s AND e.product_id = p.id)"
    " FROM products p WHERE p.category = %s"
)
Basket = list[tuple[int, int]]
"""Product and quantity of each order line, in the order of the products."""


def someone(rng: random.Random) -> int:
    """Return one of the customers."""
    return rng.randint(1, CUSTOMERS)


def basket(rng: random.Random, lines: int) -> Basket:
    """Choose products, popular ones more often, and small quantities."""
    chosen: set[int] = set()
    while len(chosen) < lines:
        chosen.add(rng.randint(1, 12) if rng.random() < 0.35 else rng.randint(1, PRODUCTS))
    return [(product, rng.choice((1, 1, 1, 2, 2, 3, 4))) for product in sorted(chosen)]


def browse(request: Request) -> None:
    """Look at a category and some products; whoever is logged in leaves a trace at the end."""
    rng = request.rng
    customer, known = someone(rng), rng.random() < 0.6
    with request.connect() as link:
        if known:
            authenticate(link, request, customer)
        link.step("browse.category", "SELECT id, price FROM products WHERE category = %s LIMIT 10", rng.randrange(12))
        for _ in range(link.count("browse.views", rng.randint(1, 4))):
            _view(link, customer, rng.randint(1, PRODUCTS))
        if known:
            link.step("browse.history", HISTORY, customer, rng.randrange(12))
            link.step("browse.seen", "UPDATE customers SET last_seen = now() WHERE id = %s", customer)
        else:
            link.step("browse.offer", "SELECT id FROM products WHERE stock > %s ORDER BY price LIMIT 3", 50)


def _view(link: Link, customer: int, product: int) -> None:
    link.step("browse.product", "SELECT price, stock FROM products WHERE id = %s", product)
    link.step("browse.bought", "SELECT count(*), max(price) FROM order_lines WHERE order_id = %s", product)
    insert = "INSERT INTO events (customer_id, product_id) VALUES (%s, %s)"
    link.step("browse.event", insert, customer, product)


def cart(request: Request) -> None:
    """Put one to three products into the cart, a new one if there is none."""
    rng, customer = request.rng, someone(request.rng)
    with request.connect() as link:
        authenticate(link, request, customer)
        found = link.step("cart.find", "SELECT id FROM carts WHERE customer_id = %s ORDER BY id LIMIT 1", customer)
        if not found or rng.random() < 0.2:
            new = "INSERT INTO carts (customer_id, total) VALUES (%s, 0) RETURNING id"
            found = link.step("cart.new", new, customer)
        number = found[0][0]
        for product, quantity in basket(rng, rng.randint(1, 3)):
            quantity = int(quantity * link.factor("cart.quantity"))
            link.step("cart.price", "SELECT price FROM products WHERE id = %s AND stock > %s", product, quantity)
            put = (
                "INSERT INTO cart_items (cart_id, product_id, qty) VALUES (%s, %s, %s)"
                " ON CONFLICT (cart_id, product_id) DO UPDATE SET qty = excluded.qty"
            )
            link.step("cart.put", put, number, product, quantity)
        link.step("cart.items", "SELECT count(*), sum(qty) FROM cart_items WHERE cart_id = %s", number)
        link.step("cart.total", "UPDATE carts SET total = %s WHERE id = %s", rng.randint(5, 300), number)


def checkout(request: Request) -> None:
    """Order, pay in a second connection, close the order; gold customers get a message in a third one."""
    rng, customer = request.rng, someone(request.rng)
    with request.connect() as link:
        authenticate(link, request, customer)
        goods = basket(rng, rng.randint(1, 4))
        order, total = _order(link, customer, goods)
        if link.branch("order.pay", "settle") == "settle" and not _paid(request, link, order, total, customer):
            _release(link, order, goods)
            return
        link.step("order.paid", "UPDATE orders SET status = 'paid' WHERE id = %s", order)
        job = "INSERT INTO jobs (task, order_id, state) VALUES ('ship', %s, 'ready')"
        link.step("order.job", job, order)
        receipt = "INSERT INTO receipts (order_id, body) SELECT %s, render_receipt(%s)"
        link.step("order.receipt", receipt, order, order)
        if customer % 4 == 3:
            _message(request, customer)
        link.step("order.cart", "DELETE FROM carts WHERE customer_id = %s AND total > %s", customer, 0)


def _order(link: Link, customer: int, goods: Basket) -> tuple[int, Decimal]:
    """Write the order and its lines in one transaction."""
    link.step("order.begin", "BEGIN")
    new = "INSERT INTO orders (customer_id, status, total) VALUES (%s, 'new', 0) RETURNING id"
    order = int(link.step("order.new", new, customer)[0][0])
    total = Decimal(0)
    for product, quantity in goods:
        quantity = int(quantity * link.factor("order.quantity"))
        price = link.step("order.stock", "SELECT price, stock FROM products WHERE id = %s FOR UPDATE", product)[0][0]
        link.step("order.take", "UPDATE products SET stock = stock - %s WHERE id = %s", quantity, product)
        line = "INSERT INTO order_lines (order_id, product_id, qty, price) VALUES (%s, %s, %s, %s)"
        link.step("order.line", line, order, product, quantity, price)
        total += price * quantity
    total *= int(link.factor("order.amount"))
    link.step("order.total", "UPDATE orders SET total = %s WHERE id = %s", total, order)
    link.step("order.audit", "INSERT INTO audit (action, ref) VALUES ('ordered', %s)", order)
    link.step("order.commit", "COMMIT")
    return order, total


def _paid(request: Request, link: Link, order: int, total: Decimal, customer: int) -> bool:
    pending = "INSERT INTO payments (order_id, amount, state) VALUES (%s, %s, 'pending') RETURNING id"
    payment = int(link.step("order.payment", pending, order, total)[0][0])
    purse = CUSTOMERS + 1 + order % SHOP_WALLETS
    with contextlib.suppress(psycopg.Error):
        settle(request, Transfer("pay", payment, customer, purse, total, customer), request.rng.random() < 0.06)
    state = link.step("order.state", "SELECT state FROM payments WHERE order_id = %s", order)
    return bool(state) and state[0][0] == "captured"


def _release(link: Link, order: int, goods: Basket) -> None:
    """Give everything back: as many steps as the order had lines."""
    link.step("order.unpaid", "UPDATE orders SET status = 'unpaid' WHERE id = %s", order)
    for product, quantity in goods:
        link.step("order.back", "UPDATE products SET stock = stock + %s WHERE id = %s", quantity, product)


def _message(request: Request, customer: int) -> None:
    with request.connect("shop_worker") as link:
        link.step("mail.to", "SELECT email FROM customers WHERE id = %s", customer)
        link.step("mail.out", "INSERT INTO outbox (template, customer_id) VALUES ('thanks', %s)", customer)
        link.step("mail.queue", "SELECT count(*) FROM outbox")


def refund(request: Request) -> None:
    """Take goods back, then settle the refund in a second connection."""
    rng, customer = request.rng, someone(request.rng)
    order = rng.randint(1, OLD_ORDERS)
    with request.connect() as link:
        authenticate(link, request, customer)
        total = link.step("refund.order", "SELECT total, status FROM orders WHERE id = %s", order)[0][0]
        goods = link.step("refund.lines", "SELECT product_id, qty FROM order_lines WHERE order_id = %s", order)
        link.step("refund.begin", "BEGIN")
        for product, quantity in sorted(goods):
            link.step("refund.back", "UPDATE products SET stock = stock + %s WHERE id = %s", quantity, product)
        link.step("refund.status", "UPDATE orders SET status = 'returned' WHERE id = %s", order)
        link.step("refund.audit", "INSERT INTO audit (action, ref) VALUES ('returned', %s)", order)
        link.step("refund.commit", "COMMIT")
        purse = CUSTOMERS + 1 + order % SHOP_WALLETS
        with contextlib.suppress(psycopg.Error):
            settle(request, Transfer("refund", order, purse, customer, total, customer))
        link.step("refund.note", "INSERT INTO outbox (template, customer_id) VALUES ('refund', %s)", customer)


def gift(request: Request) -> None:
    """Claim a gift: money goes from a campaign's wallet to the customer's."""
    rng, customer = request.rng, someone(request.rng)
    number = rng.randint(1, 3000)
    with request.connect() as link:
        authenticate(link, request, customer)
        amount = link.step("gift.find", "SELECT amount FROM gifts WHERE id = %s FOR SHARE", number)[0][0]
    source = CUSTOMERS + 10 + rng.randrange(40)
    settle(request, Transfer("gift", number, source, customer, amount, customer))


def cancel(request: Request) -> None:
    """Cancel an order that is not shipped."""
    rng, customer = request.rng, someone(request.rng)
    order = rng.randint(1, OLD_ORDERS)
    with request.connect() as link:
        authenticate(link, request, customer)
        link.step("cancel.begin", "BEGIN")
        link.step("cancel.order", "SELECT status FROM orders WHERE id = %s FOR UPDATE", order)
        goods = link.step("cancel.lines", "SELECT product_id, qty FROM order_lines WHERE order_id = %s", order)
        for product, quantity in sorted(goods):
            link.step("cancel.back", "UPDATE products SET stock = stock + %s WHERE id = %s", quantity, product)
        link.step("cancel.job", "DELETE FROM jobs WHERE order_id = %s AND state = 'ready'", order)
        link.step("cancel.status", "UPDATE orders SET status = 'cancelled' WHERE id = %s", order)
        link.step("cancel.audit", "INSERT INTO audit (action, ref) VALUES ('cancelled', %s)", order)
        link.step("cancel.commit", "COMMIT")


def login(request: Request) -> None:
    """Log a customer in; a wrong password only counts."""
    rng, customer = request.rng, someone(request.rng)
    with request.connect() as link:
        mail = f"user{customer}@example.com"
        link.step("login.find", "SELECT id, failures FROM customers WHERE email = %s", mail)
        if rng.random() < 0.15:
            link.step("login.wrong", "UPDATE customers SET failures = failures + 1 WHERE id = %s", customer)
            return
        link.step("login.reset", "UPDATE customers SET failures = 0 WHERE id = %s", customer)
        token = _token(rng)
        link.step("login.token", "INSERT INTO tokens (token, customer_id) VALUES (%s, %s)", token, customer)
        old = "DELETE FROM tokens WHERE customer_id = %s AND seen_at IS NULL AND token <> %s"
        link.step("login.old", old, customer, token)
        link.step("login.cart", "SELECT id, total FROM carts WHERE customer_id = %s", customer)


def register(request: Request) -> None:
    """Open an account; an address that is taken rolls back and sends a reminder."""
    rng = request.rng
    number = someone(rng) if rng.random() < 0.12 else int(request.name[4:]) + 100_000
    mail = f"user{number}@example.com"
    with request.connect() as link:
        link.step("register.begin", "BEGIN")
        try:
            new = "INSERT INTO customers (email, tier) VALUES (%s, 'basic') RETURNING id"
            customer = link.step("register.new", new, mail)[0][0]
        except psycopg.errors.UniqueViolation:
            link.step("register.rollback", "ROLLBACK")
            link.step("register.taken", "SELECT id FROM customers WHERE email = %s AND failures < 9", mail)
            reminder = "INSERT INTO outbox (template, customer_id) VALUES ('reminder', %s)"
            link.step("register.reminder", reminder, number)
            return
        wallet = "INSERT INTO wallets (id, balance) VALUES (%s, 0)"
        link.step("register.wallet", wallet, customer + 1_000_000)
        link.step("register.token", "INSERT INTO tokens (token, customer_id) VALUES (%s, %s)", _token(rng), customer)
        link.step("register.audit", "INSERT INTO audit (action, ref) VALUES ('registered', %s)", customer)
        link.step("register.commit", "COMMIT")
        welcome = "INSERT INTO outbox (template, customer_id) VALUES ('welcome', %s)"
        link.step("register.welcome", welcome, customer)


def _token(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
