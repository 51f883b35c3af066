"""What it costs to read: loading a machine, loading a hundred of them together, looking a payment's
machine up by its token, a page of sessions, and a page of machines.

Run by hand: ``python -m tests.benchmarks.bench_reads [--machines 200] [--columns 40] [--seconds 2]
[--url postgresql://...]``. Each line says how many microseconds one read takes when reads follow
each other (wall clock and CPU of the whole process), and how long the event loop was held up at
most meanwhile.
"""

import argparse
import asyncio
import contextlib
import gc
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable

from actors.machine.ids import MachineId
from actors.machine.state import Column
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.fleet.queries import Queries
from storage.fleet.registry import Registry
from tests.storage.owner import START_MS, Owner, new_machine

Read = Callable[[], Awaitable[object]]


def shelves(count: int) -> tuple[Column, ...]:
    """The columns of a machine."""
    return tuple(
        Column(
            column="A1" if number == 0 else f"B{number}",
            product=f"drink {number}",
            price_minor=500,
            capacity=10,
            stock=5,
        )
        for number in range(count)
    )


async def _hold_ups(longest_s: list[float]) -> None:
    """Note how long the loop did not come round."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        longest_s.append(time.perf_counter() - began - 0.001)


async def measure(name: str, read: Read, seconds: float) -> None:
    """Read again and again, and print a line."""
    for _ in range(5):
        await read()
    gc.collect()
    held_s: list[float] = [0.0]
    watch = asyncio.create_task(_hold_ups(held_s))
    took_s: list[float] = []
    until, cpu_s = time.perf_counter() + seconds, time.process_time()
    while time.perf_counter() < until:
        began = time.perf_counter()
        await read()
        took_s.append(time.perf_counter() - began)
    cpu_s = time.process_time() - cpu_s
    watch.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watch
    print(
        f"{name:<22} {len(took_s):>6} reads, median {statistics.median(took_s) * 1e6:>8.0f} us, "
        f"CPU {cpu_s / len(took_s) * 1e6:>8.0f} us, loop held {max(held_s) * 1e3:>6.1f} ms at most"
    )


async def run(url: str, machines_count: int, columns: int, seconds: float) -> None:
    """Make a fleet that has sold something, and read it."""
    database = await Database.open(StorageConfig(url=url))
    registry, queries = Registry(database), Queries(database)
    machine_ids = [f"VM-{number:04}" for number in range(machines_count)]
    for machine_id in machine_ids:
        new = new_machine(machine_id, columns=shelves(columns))
        token = (await registry.register(new, actor="bench", now_ms=START_MS)).notify_token
    owner = await Owner.claim(database, *machine_ids, holder="h1")
    for machine_id in machine_ids:
        await owner.start(machine_id)
        await owner.buy(machine_id)
    machine_id = MachineId(machine_ids[-1])
    gc.freeze()
    await measure("a token", lambda: registry.by_token(token), seconds)
    await measure("a machine is loaded", lambda: owner.store.load(machine_id), seconds)
    hundred = [MachineId(machine_id) for machine_id in machine_ids[:100]]
    await measure(
        f"{len(hundred)} machines are loaded", lambda: owner.store.load_each(hundred), seconds
    )
    await measure("50 sessions", lambda: queries.sessions(limit=50), seconds)
    await measure(
        f"{machines_count} machines", lambda: queries.machines(limit=machines_count), seconds
    )
    await measure("the gauges", lambda: queries.gauges(now_ms=START_MS), seconds)
    await database.close()


def main() -> None:
    """Run it on a new SQLite file, or on the empty PostgreSQL that is named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--machines", type=int, default=200)
    parser.add_argument("--columns", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each kind of read")
    parser.add_argument("--url", default="", help="of an empty database")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{folder}/vendgate.db"
        migrate.upgrade(url)
        asyncio.run(run(url, given.machines, given.columns, given.seconds))


if __name__ == "__main__":
    main()
