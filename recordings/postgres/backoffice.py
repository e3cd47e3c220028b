"""The workers' side of the shop: shipping, restocking, prices, reports, feeds, probes."""

from __future__ import annotations

import time
from decimal import Decimal

import psycopg
from recordings.postgres.client import Link, Request
from recordings.postgres.schema import PRODUCTS, SALES


def ship(request: Request) -> None:
    """Ship up to two orders from the queue; an empty queue ends the session at once."""
    with request.connect("shop_worker") as link:
        for _ in range(link.count("ship.jobs", 2)):
            if not _ship_one(link, request):
                return


def _ship_one(link: Link, request: Request) -> bool:
    link.step("ship.begin", "BEGIN")
    take = "SELECT id, order_id FROM jobs WHERE state = 'ready' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
    found = link.step("ship.take", take)
    if not found:
        link.step("ship.empty", "ROLLBACK")
        return False
    job, order = found[0]
    link.step("ship.running", "UPDATE jobs SET state = 'running' WHERE id = %s", job)
    goods = link.step("ship.lines", "SELECT product_id, qty FROM order_lines WHERE order_id = %s ORDER BY qty", order)
    for product, _quantity in goods:
        link.step("ship.pick", "SELECT category, stock FROM products WHERE id = %s", product)
    weight = request.rng.randint(200, 4000)
    parcel = "INSERT INTO shipments (order_id, weight) VALUES (%s, %s) RETURNING id"
    link.step("ship.parcel", parcel, order, weight)
    link.step("ship.done", "DELETE FROM jobs WHERE id = %s", job)
    link.step("ship.audit", "INSERT INTO audit (action, ref) VALUES ('shipped', %s)", order)
    link.step("ship.commit", "COMMIT")
    link.step("ship.status", "UPDATE orders SET status = 'shipped' WHERE id = %s", order)
    return True


def restock(request: Request) -> None:
    """Buy what runs low; often nothing does."""
    rng = request.rng
    with request.connect("shop_worker") as link:
        link.step("restock.begin", "BEGIN")
        low = "SELECT id FROM products WHERE category = %s ORDER BY stock LIMIT %s"
        wanted = 0 if rng.random() < 0.35 else rng.randint(1, 3)
        found = link.step("restock.low", low, rng.randrange(12), wanted)
        for (product,) in sorted(found):
            quantity = rng.randint(5, 40)
            link.step("restock.buy", "INSERT INTO purchases (product_id, qty) VALUES (%s, %s)", product, quantity)
            link.step("restock.add", "UPDATE products SET stock = stock + %s WHERE id = %s", quantity, product)
        link.step("restock.commit", "COMMIT" if found else "ROLLBACK")


def reprice(request: Request) -> None:
    """Change the prices of some products in one transaction, which makes buyers wait a little."""
    rng = request.rng
    with request.connect("shop_worker") as link:
        link.step("reprice.begin", "BEGIN")
        link.step("reprice.list", "SELECT id, price FROM products WHERE category = %s ORDER BY id", rng.randrange(12))
        for product in sorted(rng.sample(range(1, PRODUCTS + 1), rng.randint(2, 4))):
            price = rng.randint(4, 40) + Decimal("0.99")
            link.step("reprice.set", "UPDATE products SET price = %s WHERE id = %s", price, product)
            link.step("reprice.keep", "INSERT INTO prices (product_id, price) VALUES (%s, %s)", product, price)
        time.sleep(rng.uniform(0.02, 0.3))
        link.step("reprice.commit", "COMMIT")


def report(request: Request) -> None:
    """Sum up sales; the detailed part may be cancelled by its time limit and is then taken from the daily sums."""
    rng = request.rng
    with request.connect("shop_report") as link:
        link.step("report.orders", "SELECT status, count(*) FROM orders WHERE id > %s GROUP BY status", 5000)
        for _ in range(rng.randint(1, 3)):
            first = rng.randint(1, SALES - 2000)
            total = "SELECT region, sum(amount) FROM sales WHERE id BETWEEN %s AND %s GROUP BY region"
            link.step("report.region", total, first, first + 1500)
        _median(link, rng.randint(12_000, 20_000), rng.randint(1, 1000))
        if rng.random() < 0.12:
            _detailed(link)
        link.step("report.audit", "INSERT INTO audit (action, ref) VALUES ('reported', %s)", rng.randint(1, 400))
        _leave_report(link, request)


def _median(link: Link, rows: int, first: int) -> None:
    """Sort more rows than fit into the report's memory: the server writes a temporary file."""
    rows = int(rows * link.factor("report.rows"))
    query = "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY amount) FROM sales WHERE id BETWEEN %s AND %s"
    link.step("report.median", query, first, first + rows)


def _detailed(link: Link) -> None:
    try:
        pairs = "SELECT count(*) FROM sales a JOIN sales b ON a.region = b.region WHERE a.id > %s"
        link.step("report.pairs", pairs, 100)
    except psycopg.errors.QueryCanceled:
        link.step("report.daily", "SELECT sum(total) FROM daily WHERE day > %s", 300)


def _leave_report(link: Link, request: Request) -> None:
    """Leave; some reports stay idle until the administrator's broom ends them."""
    if request.rng.random() < 0.15:
        request.desk.sweep(link.pid)


def feed(request: Request) -> None:
    """Export products page by page in one transaction; this client sometimes dies before the end."""
    rng = request.rng
    with request.connect("shop_worker") as link:
        link.step("feed.begin", "BEGIN")
        for page in range(link.count("feed.pages", rng.randint(2, 5))):
            rows = "SELECT id, price, stock FROM products WHERE id > %s ORDER BY id LIMIT 20"
            link.step("feed.rows", rows, page * 20 % PRODUCTS)
            link.step("feed.page", "INSERT INTO feed (page, items) VALUES (%s, %s)", page, 20)
        if rng.random() < 0.05:
            link.abandon()
            return
        link.step("feed.commit", "COMMIT")
        link.step("feed.audit", "INSERT INTO audit (action, ref) VALUES ('exported', %s)", rng.randint(1, 400))


def probe(request: Request) -> None:
    """Ask whether the server is there."""
    with request.connect() as link:
        link.step("probe.ask", "SELECT 1")
