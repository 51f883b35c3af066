"""Commits a second with several hosts on one PostgreSQL whose COMMIT is slow, as that of a database
with a standby in another building: whether hosts wait for each other.

Run by hand: ``python -m tests.benchmarks.bench_commits [--hosts 1,2,4,8] [--seconds 6]
[--commit-ms 8] [--rounds 3]``. Each host is a process of its own with a machine of its own, which
sells without a pause: a purchase is five commits, one after the other. Each transaction of a host
ends with ``pg_sleep`` on the server, before its COMMIT and with all its locks held; whatever hosts
share, they would wait for. Prints, for each number of hosts, commits a second, that divided by as
many times the figure of one host in the same round, and how busy the computer was. On a computer
that is busy with other things the hosts wait for its processors, too; so it also says what share of
their transactions' time the server saw them wait for a lock, which no load of others makes more.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from actors.machine.ids import MachineId
from actors.placement import partition_of
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.database.urls import parse
from tests.benchmarks.bench_store import turns
from tests.storage.owner import Owner
from tests.support import postgres

BEGIN_TIMEOUT_S = 120.0
LOOK_EVERY_S = 0.02
_WAITS = text(
    "SELECT coalesce(wait_event_type, 'none') FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
)


def machines_of(count: int) -> list[str]:
    """Return machines of as many partitions."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < count:
        number += 1
        name = f"VM-{number}"
        found.setdefault(partition_of(MachineId(name), 256), name)
    return list(found.values())


async def host(url: str, machine_id: str, seconds: float, commit_ms: float, named: str) -> None:
    """Be a host: say so when it can begin, begin at a line of standard input, and say how many
    commits it made.
    """
    database = await Database.open(StorageConfig(url=url))
    owner = await Owner.of(database, machine_id, holder=named, host=named)
    write, sleep = database.write, text(f"SELECT pg_sleep({commit_ms / 1_000})")

    async def slowly(work: Callable[[Connection], Any], *, proves: bool = True) -> Any:
        def whole(connection: Connection) -> Any:
            done = work(connection)
            connection.execute(sleep)
            return done

        return await write(whole, proves=proves)

    database.write = slowly  # type: ignore[method-assign]
    source, made = turns(owner, [machine_id]), 0
    print("ready", flush=True)
    sys.stdin.readline()
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        await owner.commit([next(source)])
        made += 1
    print(made, flush=True)
    await database.close()


async def looked(url: str, seconds: float) -> Counter[str]:
    """Return what the server's sessions that are inside a transaction wait for, as often as it was
    seen.
    """
    seen: Counter[str] = Counter()
    engine = create_async_engine(parse(url))
    until_s = time.monotonic() + seconds
    async with engine.connect() as connection:
        while time.monotonic() < until_s:
            seen.update(row[0] for row in await connection.execute(_WAITS))
            await connection.rollback()
            await asyncio.sleep(LOOK_EVERY_S)
    await engine.dispose()
    return seen


def measured(
    url: str, machine_ids: list[str], seconds: float, commit_ms: float, mark: str
) -> tuple[float, float]:
    """Return the commits a second of as many hosts as there are machines, and what share of their
    transactions' time they waited for locks.
    """
    command = [sys.executable, "-m", "tests.benchmarks.bench_commits", "--url", url]
    command += ["--seconds", str(seconds), "--commit-ms", str(commit_ms)]
    running = [
        subprocess.Popen(
            [*command, "--machine", machine_id, "--named", f"{mark}-{machine_id}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for machine_id in machine_ids
    ]
    try:
        for one in running:
            assert one.stdout is not None
            assert "ready\n" == one.stdout.readline(), "a host did not begin"
        for one in running:
            assert one.stdin is not None
            one.stdin.write("\n")
            one.stdin.flush()
        waits = asyncio.run(looked(url, seconds))
        made = sum(int(one.communicate(timeout=BEGIN_TIMEOUT_S)[0]) for one in running)
        return made / seconds, waits["Lock"] / max(1, waits.total())
    finally:
        for one in running:
            one.kill()
            one.wait()


def compare(counts: list[int], seconds: float, commit_ms: float, rounds: int) -> None:
    """Measure and print a line for each number of hosts: the medians of all rounds."""
    rates: dict[int, list[float]] = {count: [] for count in counts}
    locked: dict[int, list[float]] = {count: [] for count in counts}
    loads: list[float] = []
    for number in range(rounds):
        for count in counts:
            with postgres.running() as given:
                url = given.replace("postgresql://", "postgresql+asyncpg://")
                migrate.upgrade(url)
                loads.append(os.getloadavg()[0])
                rate, waited = measured(
                    url,
                    machines_of(count),
                    seconds=seconds,
                    commit_ms=commit_ms,
                    mark=f"round-{number}",
                )
                rates[count].append(rate)
                locked[count].append(waited)
    ones = rates[counts[0]]
    print(
        f"COMMIT {commit_ms:g} ms longer, {rounds} rounds of {seconds:g} s, load {min(loads):.1f}"
        f" to {max(loads):.1f} on {os.cpu_count()} processors"
    )
    for count in counts:
        shares = [
            rate / one / count * counts[0] for rate, one in zip(rates[count], ones, strict=True)
        ]
        print(
            f"{count} hosts: {statistics.median(rates[count]):.0f} commits a second, "
            f"{statistics.median(shares):.2f} of linear ({min(shares):.2f} to {max(shares):.2f}), "
            f"{max(locked[count]):.1%} of the time at a lock"
        )


def main() -> None:
    """Run it, or be one of its hosts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", default="1,2,4,8")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--commit-ms", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--machine", help=argparse.SUPPRESS)
    parser.add_argument("--named", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.url is None:
        counts = [int(each) for each in given.hosts.split(",")]
        compare(counts, given.seconds, given.commit_ms, given.rounds)
    else:
        asyncio.run(host(given.url, given.machine, given.seconds, given.commit_ms, given.named))


if __name__ == "__main__":
    main()
