"""Made-up sales, by the million, with which the lake is measured: in a database of their own, as if
the books had been followed. Machines sell 25 items a day, of forty products.
"""

from collections.abc import Callable

from sqlalchemy import insert, text

from storage.database.engine import Database
from storage.insight.follower import NAME as BOOKS
from storage.insight.lease import FOLLOWING
from storage.tables import followers

_AT_ONCE = 200_000
_A_DAY = 25
_DAYS = 40
_PAYERS_OF_A_MACHINE = 50
BEGUN_MS = 1_767_225_600_000
"""2026-01-01."""
FIRST, LAST = 20260101, 20260212
"""The days that there are: months have 28 of them."""

_NUMBERS = (
    "WITH RECURSIVE n(i) AS "
    "(SELECT CAST(:after AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :upto) "
)
_PAYERS = text(
    "INSERT INTO payers (buyer_hash, payer_id, first_seen_ms, last_seen_ms) "
    + _NUMBERS
    + "SELECT 'hash-' || i, 'payer-' || i, 0, 0 FROM n"
)
_FACTS = text(
    "INSERT INTO sale_facts (machine_id, version, line, position, at_ms, d, local_hour, kind, "
    'vend_id, "column", product, currency, units, sales_minor, discount_minor, payer_id, site, '
    "district, site_type) "
    + _NUMBERS
    + "SELECT 'VM-' || (i * 7919 % :machines), i + 1, 0, 5 * i + 5, :begun + 1000 * i, "
    "20260101 + i / :a_day / 28 * 100 + i / :a_day % 28, 7 + i * 31 % 15, "
    "CASE i % 500 WHEN 0 THEN 'GOODWILL' ELSE 'SALE' END, "
    "'vend-' || i, 'A' || (i % 40), 'product-' || (i * 13 % 40), 'HKD', "
    "CASE i % 500 WHEN 0 THEN 0 ELSE 1 END, "
    "(500 + i * 37 % 20 * 50) * CASE i % 500 WHEN 0 THEN -1 ELSE 1 END, 0, "
    "'payer-' || (i * 6151 % :payers), 'site-' || (i * 7919 % :machines), "
    "'district-' || (i * 7919 % :machines % 20), 'OFFICE' FROM n"
)


async def make_up(db: Database, sales: int, tell: Callable[[int], None]) -> None:
    """Write so many facts. Raises StoreError."""
    machines = max(1, sales // (_A_DAY * _DAYS))
    payers = machines * _PAYERS_OF_A_MACHINE
    shape = {
        "machines": machines,
        "payers": payers,
        "a_day": -(-sales // _DAYS),
        "begun": BEGUN_MS,
    }
    for statement, count, values in ((_PAYERS, payers, {}), (_FACTS, sales, shape)):
        for after in range(0, count, _AT_ONCE):
            span = {"after": after, "upto": min(count, after + _AT_ONCE)}
            await db.write(
                lambda connection, statement=statement, values=values, span=span: (  # type: ignore[misc]
                    connection.execute(statement, {**values, **span})
                )
            )
            tell(span["upto"])
    told = {
        "name": BOOKS,
        "position": 5 * sales,
        "at_ms": BEGUN_MS,
        "holder": "",
        "epoch": 1,
        "beat": 1,
        "made_until": 0,
        "stage": FOLLOWING,
        "updated_at_ms": BEGUN_MS,
    }
    await db.write(lambda connection: connection.execute(insert(followers), told))
