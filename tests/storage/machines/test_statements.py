"""What a commit asks and writes: in the order of its batch, under locks in the order of a claim."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import create_engine, event, func, select
from sqlalchemy.pool import StaticPool

from actors.machine.incident import FaultReported
from storage.database.engine import Database, StorageConfig
from storage.database.prepared import Row
from storage.machines.statements import CommitStatements
from storage.tables import inbox, journal, machine_states, transfers
from tests.storage.owner import START_MS, Owner
from tests.storage.slow_commits import on_postgres


async def test_no_rows_are_no_rows(db: Database) -> None:
    """A batch that only takes from the inbox, or nothing at all, writes nothing else."""
    statements = CommitStatements(db.dialect)
    nothing: list[list[Row]] = [[] for _ in range(13)]
    await db.write(lambda connection: statements.save(connection, nothing))
    taken: list[list[Row]] = [*nothing[2:], [(START_MS, 7, 404)], []]
    await db.write(lambda connection: statements.save(connection, taken))
    for table in (journal, transfers, machine_states, inbox):
        wanted = select(func.count()).select_from(table)
        assert 0 == await db.read(lambda connection, wanted=wanted: connection.scalar(wanted) or 0)  # type: ignore[misc]


async def test_lines_of_a_batch_are_counted_in_their_order(db: Database) -> None:
    """Whoever follows the journal by its ids hears of a machine's lines as they were decided, and
    of no other order than the batch's.
    """
    names = ["VM-1", "VM-2", "VM-3"]
    owner = await Owner.of(db, *names)
    changes = [
        owner.decide(name, owner.frame(name, FaultReported(code=f"E{number}")))
        for number in range(40)
        for name in names
    ]
    await owner.commit(changes)
    wanted = select(*journal.c["machine_id", "version"]).order_by(journal.c.id.desc())
    rows = await db.read(lambda connection: connection.execute(wanted.limit(len(changes))).all())
    assert [(change.machine_id, change.decision.state.version) for change in changes] == [
        tuple(row) for row in reversed(rows)
    ]


def test_what_is_asked_outlives_the_database_beneath(upgraded_file: Path) -> None:
    """As in a world in which a backup is put back beneath an open connection: a statement with
    ``json_each`` ends the process there (docs/performance.md says why), and this test with it.
    Whatever the size of a batch, the driver has few texts to keep prepared.
    """
    raw = sqlite3.connect(":memory:", isolation_level=None)
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)
    event.listen(engine, "begin", lambda _: raw.execute("BEGIN IMMEDIATE"))
    statements = CommitStatements(engine.dialect)
    content = _in_memory(upgraded_file)
    for size in range(1, 40):
        raw.deserialize(content)
        with engine.begin() as connection:
            asked = list(range(size))
            assert min(size, 8) == len(statements.holders.run(connection, asked))
            assert [] == statements.saved.run(connection, [f"VM-{one}" for one in asked])
    assert [1, 2, 4, 8, 16, 32, 64] == list(statements.holders._known)
    raw.close()


def _in_memory(file: Path) -> bytes:
    """Return what the file holds as a database in memory has it, which has no log."""
    with contextlib.closing(sqlite3.connect(":memory:")) as copy:
        with contextlib.closing(sqlite3.connect(file)) as source:
            source.backup(copy)
        content = bytearray(copy.serialize())
    content[18:20] = b"\1\1"  # sqlite.org/fileformat2.html: written and read without a log
    return bytes(content)


@on_postgres
async def test_a_commit_locks_partitions_in_the_order_of_a_claim(on_server: str) -> None:
    """Wherever their rows stand: else a takeover of hosts that sell, and a COMMIT of one of them,
    each wait for what the other has, and PostgreSQL ends one of them.
    """
    async with contextlib.AsyncExitStack() as stack:
        db = await Database.open(StorageConfig(url=on_server))
        stack.push_async_callback(db.close)
        claim, other = [await asyncpg.connect(on_server) for _ in range(2)]
        stack.push_async_callback(other.close)
        stack.push_async_callback(claim.close)
        await claim.execute("UPDATE partitions SET epoch = 1 WHERE partition = 0")  # now the last
        lock = "SELECT 1 FROM partitions WHERE partition = $1 FOR UPDATE NOWAIT"
        async with claim.transaction():
            await claim.execute(lock, 0)
            holders = CommitStatements(db.dialect).holders
            proof = asyncio.create_task(
                db.write(lambda connection: holders.run(connection, [2, 1, 0]))
            )
            waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            async with asyncio.timeout(10):
                while await other.fetchval(waiting) is None:
                    await asyncio.sleep(0.01)
            await other.execute(lock, 1)
        assert [0, 1, 2] == [row[0] for row in await proof]
