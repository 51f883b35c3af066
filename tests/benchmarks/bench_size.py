"""What a purchase costs in the database: bytes for each, by table, as the product itself saves it.

Run by hand: ``python -m tests.benchmarks.bench_size [--purchases 2000] [--machines 50] [--postgres]
[--json]``. Purchases that are paid first (notified, paid, requested, sold, ended, refunded) are
saved with ids as long as in production. SQLite's file is measured after VACUUM, PostgreSQL after
VACUUM FULL (each table with its indexes), both less what they were with the machines registered. So
it is what the books need, without the air that a database keeps.
"""

import argparse
import asyncio
import contextlib
import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from actors.machine.events import (
    Event,
    RefundSucceeded,
    SessionCompleted,
    VendRequested,
    VendSucceeded,
)
from actors.machine.ids import MachineId, RefundId, RequestId, SessionId, TradeId, VendId, refund_id
from actors.machine.values import replace
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.database.urls import parse
from storage.machines.inbox import Inbox, Received
from tests.storage.owner import START_MS, Owner, paid
from tests.support import postgres

EVERY_MS = 6 * 60_000
"""One machine's customers come so far apart: 240 a day."""


_SIZES = (
    "SELECT relname, pg_relation_size(oid) + COALESCE(pg_total_relation_size(NULLIF(reltoastrelid, "
    "0)), 0) AS size FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = "
    "'public'::regnamespace"
)


def fields_of(trade_id: str, partner_trans_id: str) -> dict[str, str]:
    """Return a notification of a payment as it is kept (docs/alipay.md, 5.1)."""
    return {
        "notify_type": "trade_status_sync",
        "notify_id": "2026050600222153107100021421480742",
        "notify_time": "2026-05-06 15:31:07",
        "sign_type": "RSA2",
        "trade_no": trade_id,
        "out_trade_no": partner_trans_id,
        "trade_status": "TRADE_SUCCESS",
        "seller_id": "2088621891276664",
        "total_fee": "10.00",
        "currency": "HKD",
        "gmt_create": "2026-05-06 15:31:01",
        "gmt_payment": "2026-05-06 15:31:06",
        "subject": "Pier 7, Central",
        "buyer_id": "f3a1c09e2b7d4658f3a1c09e2b7d4658",
    }


def purchase(owner: Owner, machine_id: str, number: int) -> Iterator[Event]:
    """Yield what happens when a customer pays 10.00, buys one for 5.00 and gets the rest back."""
    serial = int(machine_id[-5:]) * 1_000_000 + number
    trade_id = TradeId(f"2026050622001471{serial:012d}")
    yield replace(
        paid("t", at_ms=owner.now_ms),
        trade_id=trade_id,
        partner_trans_id=f"20260506{serial:020d}",
    )
    yield owner.frame(
        machine_id,
        VendRequested(
            request_id=RequestId(f"{machine_id}-b1-r{number}"),
            column="A1",
            price_minor=500,
            planogram_version=1,
        ),
    )
    vend_id = VendId(f"{machine_id}-v{number}")
    yield owner.frame(machine_id, VendSucceeded(vend_id=vend_id, evidence="drop sensor"))
    session_id = SessionId(f"{machine_id}-s{number}")
    yield owner.frame(machine_id, SessionCompleted(session_id=session_id))
    yield RefundSucceeded(refund_id=RefundId(refund_id(trade_id, 1, 500)))


async def write(url: str, purchases: int, machine_ids: list[str], *, begun: bool) -> None:
    """Register the machines, or let that many purchases happen."""
    database = await Database.open(StorageConfig(url=url))
    try:
        if not begun:
            await Owner.of(database, *machine_ids)
            return
        owner = await Owner.claim(database, *machine_ids, holder="h2")
        for machine_id, state in owner.states.items():
            owner._seq[machine_id] = state.link.last_seq
        inbox = Inbox(database)
        for count in range(purchases):
            machine_id = machine_ids[count % len(machine_ids)]
            number = count // len(machine_ids) + 1
            owner.now_ms = START_MS + number * EVERY_MS
            for event in purchase(owner, machine_id, number):
                await save(owner, inbox, machine_id, event)
            owner.refill(machine_id)
    finally:
        await database.close()


async def save(owner: Owner, inbox: Inbox, machine_id: str, event: Event) -> None:
    """Let it happen, a payment by its notification."""
    trade_id = getattr(event, "trade_id", None)
    if trade_id is None:
        await owner.do(machine_id, event)
        return
    received = Received(
        cause=f"payment:{trade_id}",
        kind="PAID",
        machine_id=MachineId(machine_id),
        trade_id=trade_id,
        event=event,
        fields=fields_of(trade_id, getattr(event, "partner_trans_id", "")),
        told_sha256="0" * 64,
        received_at_ms=owner.now_ms,
    )
    stored = await inbox.put(received)
    await owner.do(machine_id, event, inbox_id=stored.inbox_id)


def sqlite_bytes(url: str) -> Counter[str]:
    """Return the bytes of each table and index of a file, after VACUUM."""
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
        file.execute("VACUUM")
        return Counter(dict(file.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name")))


def postgres_bytes(url: str) -> Counter[str]:
    """Return the bytes of each table and index, after VACUUM FULL."""

    async def measured() -> Counter[str]:
        engine = create_async_engine(parse(url), isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.execute(text("VACUUM FULL"))
            rows = await connection.execute(text(_SIZES))
            sizes = Counter({row.relname: int(row.size) for row in rows})
        await engine.dispose()
        return sizes

    return asyncio.run(measured())


def measure(
    url: str, measured: Callable[[str], Counter[str]], purchases: int, machines_count: int
) -> dict[str, float]:
    """Return the bytes for each purchase, of all and of each table and index."""
    migrate.upgrade(url)
    machine_ids = [f"HK-{number:05d}" for number in range(machines_count)]
    asyncio.run(write(url, 0, machine_ids, begun=False))
    before = measured(url)
    asyncio.run(write(url, purchases, machine_ids, begun=True))
    grown = measured(url)
    grown.subtract(before)
    told = {name: size / purchases for name, size in grown.most_common() if size}
    return {"all": sum(told.values()), **told}


def main() -> None:
    """Run it and print a table, or JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--purchases", type=int, default=2_000)
    parser.add_argument("--machines", type=int, default=50)
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL too")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/vendgate.db"
        found["SQLite"] = measure(url, sqlite_bytes, given.purchases, given.machines)
    if given.postgres:
        with postgres.running() as url:
            found["PostgreSQL"] = measure(url, postgres_bytes, given.purchases, given.machines)
    if given.json:
        print(json.dumps(found))
        return
    for name, sizes in found.items():
        print(f"{name}: {sizes.pop('all'):,.0f} bytes for each purchase")
        for part, size in sizes.items():
            print(f"  {size:8,.1f}  {part}")


if __name__ == "__main__":
    main()
