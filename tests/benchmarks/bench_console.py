"""What each page of the console costs over a large fleet.

Run by hand: ``python -m tests.benchmarks.bench_console [--machines 10000] [--vends 100] [--days
60]``. The database is filled as ``bench_lists`` fills it, and with what is told of ``--days`` days
on each of which a machine sold seventeen items: 10.2 million sales, if nothing else is said; the
balances have a row for each of these days too. Each page is asked for one after the other, in this
process and without a socket, with Python's collector as a gateway has it. Each line has
milliseconds, the median and the slowest twentieth: what was waited for, what the process computed,
and what of it the loop computed, the rest being SQLite's; and the computed median as a multiple of
that of the page on which one signs in, which asks nothing. On a computer that others use, too, what
was waited for says nothing. What the gateway computes to make the fleet's totals, for which it sums
all days once, stands apart.
"""

import argparse
import asyncio
import datetime as dt
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa

from actors import collector
from gateway.links.links import HostLinks
from gateway.process.sections import ConsolePages
from gateway.serving.assemble import assemble
from gateway.web.app import PAGES, build_console_app
from storage.database.engine import Database, StorageConfig
from storage.fleet.logins import Logins
from storage.fleet.totals_keeper import TotalsKeeper
from storage.insight import days
from tests.alipay_client.wire import Pair
from tests.benchmarks.bench_lists import fill
from tests.support.site import SiteClock, configs

MACHINE = "VM-000009"
TIMES = 40
PARTS = 10
"""Hours of a day in which a machine sells, and products that it has."""
HOST = "console.test"


def tell_sales(path: Path, span: int) -> int:
    """Fill in what is told of the last days up to today; return how many sales that are. Written by
    SQL itself: as facts they would take hours.
    """
    today = days.as_number(dt.datetime.now(dt.UTC).date())
    with closing(sqlite3.connect(path)) as db, db:
        for setting in ("synchronous = OFF", "cache_size = -500000", "foreign_keys = OFF"):
            db.execute(f"PRAGMA {setting}")
        db.execute("CREATE TEMP TABLE some_days (d INTEGER PRIMARY KEY)")
        told = [(days.moved(today, -back),) for back in range(span)]
        db.executemany("INSERT INTO some_days VALUES (?)", told)
        db.execute("CREATE TEMP TABLE days_back (n INTEGER PRIMARY KEY)")
        db.executemany("INSERT INTO days_back VALUES (?)", [(n,) for n in range(span)])
        db.execute("CREATE TEMP TABLE counts (n INTEGER PRIMARY KEY)")
        db.executemany("INSERT INTO counts VALUES (?)", [(n,) for n in range(PARTS)])
        for table, key in (("hours", "8 + n"), ("days", "'product-' || n")):
            more = "" if table == "hours" else ", 0, 0, 0"
            name = "local_hour" if table == "hours" else "product"
            db.execute(
                f"INSERT INTO sales_{table} SELECT machine_id, d, {key}, 'HKD', 1 + (n < 7), "
                f"500 * (1 + (n < 7)) + d % 7 * 10{more} FROM machines "
                "CROSS JOIN some_days CROSS JOIN counts ORDER BY machine_id, d, n"
            )
            db.execute(
                f"INSERT INTO scope_{table} SELECT 'FLEET', '', d, {name}, 'HKD', sum(units), "
                f"sum(sales_minor){more} FROM sales_{table} "
                f"GROUP BY d, {name}"
            )
        # As many days of the ledger, for what the whole fleet's money costs.
        db.execute(
            "INSERT INTO balances SELECT machine_id, day - n.value, account, 17 * debit_minor, "
            "17 * credit_minor, currency FROM balances, "
            "(SELECT n AS value FROM days_back WHERE n > 0) AS n ORDER BY 1, 2, 3"
        )
        (count,) = db.execute("SELECT sum(units) FROM scope_days").fetchone()
    return int(count)


async def measure(url: str, folder: Path) -> None:
    """Print a line for each page."""
    pair = Pair(
        merchant=rsa.generate_private_key(65_537, 2_048),
        alipay=rsa.generate_private_key(65_537, 2_048),
    )
    made = configs(folder / "unused.db", pair, console=ConsolePages(enabled=True))
    database = await Database.open(StorageConfig(url=url))
    clock = SiteClock()
    gateway = assemble(
        made,
        database,
        HostLinks([cast("Any", None)], gateway_id="gw-1", partition_count=8),
        gateway_id="gw-1",
        clock=clock,
    )
    assert gateway.console is not None
    await Logins(database).issue("ann", "the-link", role="owner", now_ms=clock.now_ms())
    app = build_console_app(gateway.console, hosts=frozenset({HOST}))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as browser:
        with collector.seldom():
            await _pages(browser, gateway.totals)
    await database.close()


async def _pages(browser: httpx.AsyncClient, totals: TotalsKeeper) -> None:
    await browser.post("/login/the-link")
    began_s = time.process_time()
    await totals.once()
    made_s = time.process_time() - began_s
    print(f"{'totals are made':<20} {made_s * 1_000:7.1f}", flush=True)
    trivial = 0.0
    for path in ("/login", *PAGES):
        told = [await _asked(browser, path.replace("{name}", MACHINE)) for _ in range(TIMES)]
        of_each = list(zip(*told, strict=True))
        figures = [(statistics.median(one), statistics.quantiles(one, n=20)[-1]) for one in of_each]
        computed = figures[1][0]
        trivial = trivial or computed
        said = (f"{one * 1_000:7.1f}" for both in figures for one in both)
        print(f"{path:<20}", *said, f"{computed / trivial:7.0f}x", flush=True)


async def _asked(browser: httpx.AsyncClient, path: str) -> tuple[float, float, float]:
    """Return for how long it was waited for a page, how long the process computed, and how long the
    loop did, in seconds.
    """
    began = (time.perf_counter(), time.process_time(), time.thread_time())
    page = await browser.get(path)
    assert page.status_code in {200, 401}, page.text
    ended = (time.perf_counter(), time.process_time(), time.thread_time())
    waited, computed, loop = (end - begin for begin, end in zip(began, ended, strict=True))
    return waited, computed, loop


def main() -> None:
    """Run it in a new SQLite file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=10_000)
    parser.add_argument("--vends", type=int, default=100, help="of each machine")
    parser.add_argument("--days", type=int, default=60, help="of which sales are told")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        url = f"sqlite:///{name}/fleet.db"
        asyncio.run(fill(url, given.machines, given.vends))
        told = tell_sales(Path(name, "fleet.db"), given.days)
        print(f"{given.machines:,} machines, {told:,} sales told", flush=True)
        asyncio.run(measure(url, Path(name)))


if __name__ == "__main__":
    main()
