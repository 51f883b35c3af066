"""What a purchase costs in the database: bytes for each, by table, as the product itself saves it.

Run by hand: ``python -m tests.benchmarks.bench_size [--purchases 2000] [--machines 50] [--postgres]
[--json]``. Two kinds of purchases are measured, each in a database of its own: paid first
(notified, paid, requested, sold, ended, half of it refunded), and chosen first (requested, notified
and paid as much as it costs, sold). The ids, the streams' names and the marks are as long as in
production.

SQLite's file is measured after VACUUM, PostgreSQL after VACUUM FULL (each table with its indexes),
both less what they were when each machine had sold a few dozen times, so that what it remembers in
its state does not grow any more. So it is what the books need, without the air that a database
keeps. A column is filled again when it is empty.
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
    Connected,
    Disconnected,
    Event,
    RefundSucceeded,
    SessionCompleted,
    TopUpPaid,
    VendRequested,
    VendSucceeded,
)
from actors.machine.ids import (
    BootId,
    MachineId,
    RefundId,
    RequestId,
    StreamId,
    TradeId,
    refund_id,
)
from actors.machine.state import CLOSED_TRADES_KEPT, Session, VendStatus
from actors.machine.values import replace
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.database.urls import parse
from storage.machines.inbox import Inbox, Received
from tests.storage.owner import START_MS, Owner, paid
from tests.support import postgres

EVERY_MS = 6 * 60_000
"""One machine's customers come so far apart: 240 a day."""
REMEMBERED = CLOSED_TRADES_KEPT + 1
"""After so many sales a machine's state does not grow any more."""
Story = Callable[[Owner, str, int], Iterator[Event]]

_SIZES = (
    "SELECT relname, pg_relation_size(oid) + COALESCE(pg_total_relation_size(NULLIF(reltoastrelid, "
    "0)), 0) AS size FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = "
    "'public'::regnamespace"
)


def fields_of(payment: TopUpPaid, machine_id: str) -> dict[str, str]:
    """Return a notification of a payment as it is kept (docs/alipay.md, 7.1)."""
    amount = f"{payment.amount_minor / 100:.2f}"
    return {
        "notify_type": "trade_status_sync",
        "notify_id": "2026050600222153107100021421480742",
        "notify_time": "2026-05-06 15:31:07",
        "notify_action_type": "payByAccountAction",
        "trade_no": payment.trade_id,
        "out_trade_no": payment.partner_trans_id,
        "trade_status": "TRADE_SUCCESS",
        "seller_id": "2088621891276664",
        "total_fee": amount,
        "price": amount,
        "currency": payment.currency,
        "gmt_create": "2026-05-06 15:31:01",
        "gmt_payment": "2026-05-06 15:31:06",
        "extra_common_param": f"vm={machine_id}",
    }


def paid_first(owner: Owner, machine_id: str, number: int) -> Iterator[Event]:
    """Yield what happens when a customer pays 10.00, buys one for 5.00 and gets the rest back."""
    payment = payment_of(owner, machine_id, number, 1_000)
    yield payment
    yield owner.frame(machine_id, choice(machine_id, number))
    yield owner.frame(machine_id, sold(owner, machine_id))
    yield owner.frame(
        machine_id, SessionCompleted(session_id=session_of(owner, machine_id).session_id)
    )
    yield RefundSucceeded(refund_id=RefundId(refund_id(payment.trade_id, 1, 500)))


def chosen_first(owner: Owner, machine_id: str, number: int) -> Iterator[Event]:
    """Yield what happens when a customer chooses, pays 5.00 and gets it."""
    yield owner.frame(machine_id, choice(machine_id, number))
    yield payment_of(owner, machine_id, number, 500)
    yield owner.frame(machine_id, sold(owner, machine_id))


STORIES: dict[str, Story] = {"paid first": paid_first, "chosen first": chosen_first}


def payment_of(owner: Owner, machine_id: str, number: int, amount_minor: int) -> TopUpPaid:
    """Return a payment with numbers as Alipay gives them."""
    serial = int(machine_id[-5:]) * 1_000_000 + number
    payment = paid("t", amount_minor, payer_id=f"{serial:026d}", at_ms=owner.now_ms)
    return replace(
        payment,
        trade_id=TradeId(f"2026050622001471{serial:012d}"),
        partner_trans_id=f"20260506{serial:020d}",
    )


def choice(machine_id: str, number: int) -> VendRequested:
    """Return what a machine says of a customer who pressed A1."""
    return VendRequested(
        request_id=RequestId(f"1779{number:06d}-{number}"),
        column="A1",
        price_minor=500,
        planogram_version=1,
    )


def sold(owner: Owner, machine_id: str) -> VendSucceeded:
    """Return what a machine says when goods fell."""
    vend = session_of(owner, machine_id).vend
    assert vend is not None
    assert vend.status is VendStatus.APPROVED
    return VendSucceeded(vend_id=vend.vend_id, evidence="drop sensor")


def session_of(owner: Owner, machine_id: str) -> Session:
    """Return whose stay it is."""
    session = owner.states[machine_id].session
    assert session is not None
    return session


async def come_online(owner: Owner, machine_id: str, number: int) -> None:
    """Let it connect as a machine that was switched on, with a token for the marks of its ids."""
    before = owner.states[machine_id].link
    await owner.do(machine_id, Disconnected(stream_id=before.stream_id))
    owner.stream_of[machine_id] = StreamId(f"gw-vending-eu-1-{4_000 + number}-a1b2c3-{number}")
    owner._seq[machine_id] = 0
    connected = Connected(
        stream_id=owner.stream_of[machine_id],
        opened_at_ms=owner.now_ms,
        boot_id=BootId(str(1_779 + number)),
        planogram_version=1,
        token=f"{number:032x}",
        returned_token=before.tokens[-1] if before.tokens else "",
        keeps_token=True,
    )
    await owner.do(machine_id, connected)


async def write(url: str, story: Story, machine_ids: list[str], rounds: range) -> None:
    """Let each machine sell once in each of the rounds; before the first one they are
    registered.
    """
    database = await Database.open(StorageConfig(url=url))
    try:
        if not rounds.start:
            await Owner.of(database, *machine_ids)
        owner = await Owner.claim(database, *machine_ids, holder=f"h{rounds.start}")
        owner.now_ms = START_MS + rounds.start * EVERY_MS
        for place, machine_id in enumerate(machine_ids):
            await come_online(owner, machine_id, len(machine_ids) * rounds.start + place)
        inbox = Inbox(database)
        for number in rounds:
            owner.now_ms = START_MS + number * EVERY_MS
            for machine_id in machine_ids:
                if not owner.states[machine_id].columns[0].stock:
                    owner.refill(machine_id)
                for event in story(owner, machine_id, number):
                    await save(owner, inbox, machine_id, event)
    finally:
        await database.close()


async def save(owner: Owner, inbox: Inbox, machine_id: str, event: Event) -> None:
    """Let it happen, a payment by its notification."""
    if not isinstance(event, TopUpPaid):
        await owner.do(machine_id, event)
        return
    trade_id = event.trade_id
    received = Received(
        cause=f"payment:{trade_id}",
        kind="PAID",
        machine_id=MachineId(machine_id),
        trade_id=trade_id,
        event=event,
        fields=fields_of(event, machine_id),
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
    url: str, measured: Callable[[str], Counter[str]], story: Story, purchases: int, machines: int
) -> dict[str, float]:
    """Return the bytes for each purchase, of all and of each table and index."""
    migrate.upgrade(url)
    machine_ids = [f"HK-{number:05d}" for number in range(machines)]
    rounds = max(1, purchases // machines)
    asyncio.run(write(url, story, machine_ids, range(REMEMBERED)))
    before = measured(url)
    asyncio.run(write(url, story, machine_ids, range(REMEMBERED, REMEMBERED + rounds)))
    grown = measured(url)
    grown.subtract(before)
    told = {name: size / (rounds * machines) for name, size in grown.most_common() if size}
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
    for told, story in STORIES.items():
        wanted = (story, given.purchases, given.machines)
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/vendgate.db"
            found[f"SQLite, {told}"] = measure(url, sqlite_bytes, *wanted)
        if given.postgres:
            with postgres.running() as url:
                found[f"PostgreSQL, {told}"] = measure(url, postgres_bytes, *wanted)
    if given.json:
        print(json.dumps(found))
        return
    for name, sizes in found.items():
        print(f"{name}: {sizes.pop('all'):,.0f} bytes for each purchase")
        for part, size in sizes.items():
            print(f"  {size:8,.1f}  {part}")


if __name__ == "__main__":
    main()
