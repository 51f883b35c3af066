"""Transactions are durable, exclusive where they write, and their errors say what is known."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.util import await_

from actors.machine.ids import MachineId
from actors.ports import StoreError
from storage.database.engine import Database, StorageConfig
from storage.fleet.registry import Registry
from storage.machines.inbox import Inbox
from storage.tables import installation, journal
from tests.storage.database.slow import Endless
from tests.storage.notifications import received
from tests.storage.owner import START_MS, Owner, new_machine, paid, take

ROOT = Path(__file__).parents[3]


def is_sqlite(db: Database) -> bool:
    """Tell what these databases are."""
    return db.dialect.name == "sqlite"


async def test_readers_cannot_write(db: Database) -> None:
    """A read that tries to write fails, and the database says why."""
    with pytest.raises(StoreError, match=r"readonly|read-only"):
        await db.read(
            lambda connection: connection.execute(installation.update().values(partition_count=1))
        )


async def test_a_work_that_raises_is_rolled_back(db: Database) -> None:
    """Its own error reaches the caller, and nothing of it stays."""

    def work(connection: Connection) -> None:
        connection.execute(installation.update().values(partition_count=1))
        raise LookupError("on purpose")

    with pytest.raises(LookupError):
        await db.write(work)
    assert 8 == await db.read(
        lambda connection: connection.scalar(select(installation.c.partition_count))
    )


async def test_a_read_sees_one_state(db: Database) -> None:
    """What is committed while a read runs does not show in it, and the read makes nobody wait."""
    begun, written = asyncio.Event(), asyncio.Event()

    def read(connection: Connection) -> tuple[object, object]:
        first = connection.scalar(select(installation.c.created_at_ms))
        begun.set()
        await_(written.wait())
        return first, connection.scalar(select(installation.c.created_at_ms))

    reading = asyncio.create_task(db.read(read))
    await begun.wait()
    await db.write(
        lambda connection: connection.execute(installation.update().values(created_at_ms=1))
    )
    written.set()
    first, second = await reading
    assert first == second != 1


async def test_slow_lists_hold_no_notification_up(db: Database) -> None:
    """While four lists run in the database and three more wait for a connection, a payment's
    machine is found by its token, its notification is saved and its machine is loaded.
    """
    owner = await Owner.of(db, "VM-1")
    registered = await Registry(db).get(MachineId("VM-1"))
    assert registered is not None
    slow = Endless()
    lists = [asyncio.create_task(db.read(slow)) for _ in range(4 + 3)]
    await slow.begun(4)
    found = await Registry(db).by_token(registered.notify_token)
    stored = await Inbox(db).put(received("n1", machine_id="VM-1"))
    loaded = await owner.store.load(MachineId("VM-1"))
    waiting = await owner.store.untaken(owner.ownership, after=None, limit=10)
    assert [False] * len(lists) == [one.done() for one in lists]
    assert (registered, "NEW", 1) == (found, stored.verdict, len(waiting.items))
    assert loaded is not None
    for one in lists:
        one.cancel()
    await asyncio.gather(*lists, return_exceptions=True)


async def test_two_databases_write_at_once(db: Database, url: str) -> None:
    """Two openers of one database wait for each other; nobody is told that it is locked."""
    other = await Database.open(StorageConfig(url=url))
    owner = await Owner.of(db, "VM-1")
    await Registry(db).register(new_machine("VM-2"), actor="test", now_ms=START_MS)

    async def notify() -> None:
        for number in range(40):
            await Inbox(other).put(received(f"n{number}", machine_id="VM-2"))

    async def decide() -> None:
        for number in range(40):
            await owner.do("VM-1", paid(f"t{number}"))

    await asyncio.gather(notify(), decide())
    waiting = await owner.store.untaken(
        await take(db, host="x", holder="x", partitions=range(8)),
        after=None,
        limit=100,
    )
    assert 40 == len(waiting.items)
    await other.close()


WRITER = """
import asyncio, sys
from storage.database.engine import Database, StorageConfig
from tests.storage.owner import Owner, paid

async def main(url, machine_id, count):
    db = await Database.open(StorageConfig(url=url))
    owner = await Owner.of(db, machine_id, holder=f"holder-{machine_id}", host=machine_id)
    for number in range(count):
        await owner.do(machine_id, paid(f"{machine_id}-t{number}"))
        print(owner.states[machine_id].version, flush=True)
    await db.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def writer(url: str, machine_id: str, count: int) -> "subprocess.Popen[str]":
    """Start a process that commits in a loop and prints each version once it is acknowledged."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, url, machine_id, str(count)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Wait for the end of the process and return the rest of what it said. ``communicate`` reads
    past the buffer of who has read lines: of two that came together the second would be lost.
    """
    assert process.stdout is not None
    assert process.stderr is not None
    said = process.stdout.read(), process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    process.wait()
    return said


async def test_a_second_process_writes_at_once(db: Database, url: str) -> None:
    """The gateway's process and a host's process share the file under load, and neither fails."""
    owner = await Owner.of(db, "VM-1")
    process = writer(url, "VM-4", 100)  # another partition than VM-1's
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline)
    number = 0
    while process.poll() is None:
        number += 1
        await owner.do("VM-1", paid(f"t{number}"))
    output, errors = told(process)
    assert (0, "") == (process.returncode, errors)
    assert 99 == len(output.split())
    assert number > 10


async def test_what_was_acknowledged_outlives_a_kill(db: Database, url: str) -> None:
    """Killed (-9) in the middle of commits: each version that was acknowledged is there, whole, and
    at most one more.
    """
    process = writer(url, "VM-1", 1_000_000)
    assert process.stdout is not None
    acknowledged = [int(await asyncio.to_thread(process.stdout.readline)) for _ in range(60)]
    process.send_signal(signal.SIGKILL)
    rest, _ = told(process)
    acknowledged += [int(line) for line in rest.splitlines()]
    owner = await Owner.claim(db, "VM-1", holder="h2")
    saved = owner.states["VM-1"]
    lines = await db.read(
        lambda connection: connection.scalars(
            select(journal.c.version).order_by(journal.c.id)
        ).all()
    )
    assert acknowledged[-1] <= saved.version <= acknowledged[-1] + 1
    assert list(range(1, saved.version + 1)) == list(lines)
    await owner.do("VM-1", paid("after"))


async def test_a_closed_database_says_so(url: str) -> None:
    """Closing waits for what runs; what comes later is refused."""
    db = await Database.open(StorageConfig(url=url))
    running = asyncio.create_task(db.write(lambda connection: connection.scalar(text("SELECT 7"))))
    await asyncio.sleep(0)
    await db.close()
    assert 7 == await running
    with pytest.raises(StoreError, match="closed"):
        await db.read(lambda _: None)


async def test_a_database_without_schema_is_refused(tmp_path: Path) -> None:
    """The sentence says what to do."""
    with pytest.raises(StoreError, match="vendgate db upgrade"):
        await Database.open(StorageConfig(url=f"sqlite:///{tmp_path}/empty.db"))


async def test_a_database_of_another_version_is_refused(db: Database, url: str) -> None:
    """An older schema is not written to; which newer ones are is in ``test_schema``."""
    await db.write(
        lambda connection: connection.execute(
            text("UPDATE alembic_version SET version_num = '0001'")
        )
    )
    with pytest.raises(StoreError, match="0001"):
        await Database.open(StorageConfig(url=url))


async def test_a_server_that_is_not_there_is_a_store_error() -> None:
    """Also when the connection cannot even be opened."""
    pytest.importorskip("asyncpg")
    with pytest.raises(StoreError):
        await Database.open(StorageConfig(url="postgresql://nobody@127.0.0.1:1/none"))
