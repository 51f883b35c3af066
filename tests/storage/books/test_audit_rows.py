"""Rows of audit stand in one chain, and no machine waits for it."""

import asyncio

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.util import await_only

from actors.machine.ids import MachineId
from storage.auditing import prove
from storage.books.audit_rows import write_audit_row
from storage.database.engine import Database, StorageConfig
from storage.fleet import registry
from storage.fleet.registry import Registry
from tests.storage import verifier
from tests.storage.auditing.books import NOW_MS
from tests.storage.owner import START_MS, Owner, paid
from tests.support.patience import HANGS_AFTER_S


async def test_acts_at_the_same_time_stand_in_one_chain(db: Database, url: str) -> None:
    """Writers of audit wait for one another, whatever process they are in."""
    others = [await Database.open(StorageConfig(url=url)) for _ in range(2)]
    registries = [Registry(database) for database in (db, *others)]
    await asyncio.gather(
        *(
            registries[number % 3].audit(
                actor=f"a{number}", action="enable", machine_id="VM-1", detail="", now_ms=START_MS
            )
            for number in range(24)
        )
    )
    for database in others:
        await database.close()
    pairs = await db.read(verifier.audit_digests)
    assert 24 == len(pairs)
    assert [] == [pair for pair in pairs if pair[0] != pair[1]]


@pytest.mark.slow_on_postgres
async def test_no_commit_of_a_machine_waits_for_an_act(db: Database, url: str) -> None:
    """While an administrator's change of that very machine holds its locks, money is saved."""
    if db.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer")
    owner = await Owner.of(db, "VM-1")
    other = await Database.open(StorageConfig(url=url))
    loop, held, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def change(connection: Connection) -> None:
        registry._row(connection, MachineId("VM-1"), lock=True)
        connection.execute(
            text("UPDATE machines SET revision = revision + 1 WHERE machine_id = 'VM-1'")
        )
        write_audit_row(
            connection, at_ms=START_MS, actor="ann", action="enable", machine_id="VM-1", detail=""
        )
        loop.call_soon(held.set)
        await_only(go_on.wait())

    act = asyncio.create_task(other.write(change))
    await held.wait()
    await asyncio.wait_for(owner.do("VM-1", paid("t1")), HANGS_AFTER_S)
    go_on.set()
    await act
    await other.close()
    assert (await prove(db, now_ms=NOW_MS)).chains_hold
