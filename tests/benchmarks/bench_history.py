"""What history costs: vends, questions, audits and an archive, beside so many past purchases.

``python -m tests.benchmarks.bench_history [purchases] [folder]`` fills a SQLite file by the store
itself, in large batches, so that the books are whole. Times are of this computer; compare them
within one run.
"""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from storage.auditing import Scope, prove
from storage.auditing.starts import remember_seals
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.fleet.lists import Wanted
from storage.fleet.queries import Queries
from storage.machines.rows import DAY_MS
from tests.storage.owner import START_MS, Owner

MACHINES = 20
TOGETHER = 50
MEASURED = 200


async def timed(name: str, work: Awaitable[Any]) -> Any:
    """Say how long it took."""
    begun, cpu = time.perf_counter(), time.process_time()
    done = await work
    print(
        f"  {name}: {time.perf_counter() - begun:.3f} s, {time.process_time() - cpu:.3f} s of CPU",
        flush=True,
    )
    return done


async def fill(owner: Owner, names: list[str], first: int, count: int) -> None:
    """Let purchases happen at every machine, spread over two months."""
    changes = []
    for number in range(first, first + count):
        owner.now_ms = START_MS + number * 60 * DAY_MS // (first + count)
        for name in names:
            changes += [owner.decide(name, event) for event in owner.purchase(name, number)]
            owner.refill(name)
        if number % TOGETHER == 0:
            await owner.commit(changes)
            changes = []
    if changes:
        await owner.commit(changes)


async def buys(owner: Owner, names: list[str], first: int) -> None:
    """Purchases one by one, each step its own commit."""
    for number in range(first, first + MEASURED // len(names)):
        for name in names:
            for event in owner.purchase(name, number):
                await owner.do(name, event)
            owner.refill(name)


async def main(purchases: int, folder: Path) -> None:
    """Fill, and measure at the beginning and at the end."""
    url = f"sqlite:///{folder / 'history.db'}"
    migrate.upgrade(url, partition_count=8)
    db = await Database.open(StorageConfig(url=url, read_timeout_ms=3_600_000))
    names = [f"VM-{number:03}" for number in range(MACHINES)]
    owner = await Owner.of(db, *names)
    queries = Queries(db)
    each = purchases // MACHINES
    number = 1
    for past in (0, purchases):
        if past:
            await timed(f"filling {past:,}", fill(owner, names, number, each))
            number += each
        size = (folder / "history.db").stat().st_size
        print(f"with {past:,} past purchases, {size / 1e6:.0f} MB:")
        await timed(f"{MEASURED} purchases of 5 commits", buys(owner, names, number))
        number += MEASURED // MACHINES
        await timed("GetBalances", queries.balances())
        await timed("the newest 50 vends", queries.vends(limit=50))
        await timed("a machine's newest 50", queries.trades(Wanted(machine_id=names[3]), limit=50))
        now_ms = owner.now_ms + 1
        whole = await timed("audit --whole", prove(db, now_ms=now_ms))
        broken = [check for check in whole.checks if not check.holds]
        assert all(check.name == "top_ups_have_notifications" for check in broken), broken
        await remember_seals(db, whole.proved, now_ms=now_ms)
        await buys(owner, names, number)
        number += MEASURED // MACHINES
        await timed(
            f"audit of the last {MEASURED} purchases",
            prove(db, now_ms=now_ms, scope=Scope(whole=False)),
        )
    await db.close()


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    place = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp())
    try:
        asyncio.run(main(wanted, place))
    finally:
        shutil.rmtree(place, ignore_errors=True)
