"""How many hosts share the partitions, and who may say so."""

import asyncio
import threading

import pytest
from sqlalchemy import Connection, select, text

from actors.leases import Claimant
from actors.ports import StoreError
from storage.books.audit_rows import Actor
from storage.database.dialects import POSTGRESQL
from storage.database.engine import Database, StorageConfig
from storage.machines import holding
from storage.machines.layout import Layout, LayoutDiffers, StillServed
from storage.tables import audit, layout
from tests.storage.owner import START_MS, take

ANN = Actor(name="ann")
OLD = Claimant(holder="h1", host="host-0", home="here", host_count=1)


async def kept(db: Database) -> list[tuple[int, int, str]]:
    """Version, hosts and who said so."""
    what = select(*layout.c["version", "host_count", "set_by"])
    return await db.read(lambda connection: [tuple(row) for row in connection.execute(what)])


async def test_the_first_program_says_how_many_hosts_there_are(db: Database) -> None:
    """Whoever wants as many may serve too; whoever wants another number is told what to do."""
    await Layout(db).agree(2, by="gw-1", now_ms=START_MS)
    await Layout(db).agree(2, by="gw-2", now_ms=START_MS)
    with pytest.raises(LayoutDiffers, match=r"has 2 hosts .* set ray.hosts = 2.*hosts layout 1"):
        await Layout(db).agree(1, by="gw-3", now_ms=START_MS)
    assert [(1, 2, "gw-1")] == await kept(db)


async def test_two_first_programs_do_not_both_have_it_their_way(db: Database) -> None:
    """One of them wrote it, and the other one is refused."""
    results = await asyncio.gather(
        *(Layout(db).agree(count, by=f"gw-{count}", now_ms=START_MS) for count in (1, 2)),
        return_exceptions=True,
    )
    assert 1 == len([each for each in results if isinstance(each, LayoutDiffers)])
    assert 1 == len(await kept(db))


async def test_a_new_layout_has_the_next_version(db: Database) -> None:
    """And stands in the audit log with who wanted it."""
    await Layout(db).agree(1, by="gw-1", now_ms=START_MS)
    assert 2 == await Layout(db).change(3, actor=ANN, gone=(), now_ms=START_MS + 1)
    assert [(2, 3, "ann")] == await kept(db)
    told = select(*audit.c["actor", "detail"]).where(audit.c.action == "layout")
    assert [("ann", "3 hosts, version 2")] == await db.read(
        lambda connection: [tuple(row) for row in connection.execute(told)]
    )


async def test_the_layout_of_an_installation_that_never_served_can_be_set(db: Database) -> None:
    """Before its first program."""
    assert 1 == await Layout(db).change(3, actor=ANN, gone=(), now_ms=START_MS)
    await Layout(db).agree(3, by="gw-1", now_ms=START_MS)


async def test_nothing_changes_while_somebody_serves(db: Database) -> None:
    """Unless it is known to live no more; then it holds nothing afterwards."""
    await Layout(db).agree(1, by="gw-1", now_ms=START_MS)
    await take(db, host="host-0", holder="h1", partitions=range(8))
    with pytest.raises(StillServed, match="h1 holds machines: end every gateway"):
        await Layout(db).change(2, actor=ANN, gone=(), now_ms=START_MS)
    assert [(1, 1, "gw-1")] == await kept(db)
    await Layout(db).change(2, actor=ANN, gone=["h1"], now_ms=START_MS)
    await Layout(db).change(1, actor=ANN, gone=(), now_ms=START_MS)
    assert [(3, 1, "ann")] == await kept(db)


async def test_a_layout_is_scaled_while_somebody_serves(db: Database) -> None:
    """Asked again it stays as it is; each change stands in the audit log."""
    with pytest.raises(StoreError, match="start a gateway first"):
        await Layout(db).scale(2, actor=ANN, now_ms=START_MS)
    assert 1 == await Layout(db).first(1, by="gw-1", now_ms=START_MS)
    assert 1 == await Layout(db).first(4, by="gw-2", now_ms=START_MS)
    await take(db, host="host-0", holder="h1", partitions=range(8))
    assert 2 == await Layout(db).scale(3, actor=ANN, now_ms=START_MS)
    assert 2 == await Layout(db).scale(3, actor=ANN, now_ms=START_MS)
    assert [(2, 3, "ann")] == await kept(db)
    told = select(*audit.c["actor", "detail"]).where(audit.c.action == "layout")
    assert [("ann", "1 to 3 hosts, version 2")] == await db.read(
        lambda connection: [tuple(row) for row in connection.execute(told)]
    )


async def test_a_layout_does_not_change_under_a_claim_that_is_not_saved_yet(
    db: Database, url: str
) -> None:
    """A host of the old layout would hold machines under the new one, for as long as it beats."""
    await Layout(db).agree(1, by="gw-1", now_ms=START_MS)
    other = await Database.open(StorageConfig(url=url))
    granted = threading.Event()

    def claim_slowly(connection: Connection) -> None:
        holding.claim(connection, OLD, wanted=range(8), still={}, now_ms=START_MS)
        granted.set()
        if connection.dialect.name == POSTGRESQL:
            connection.execute(text("SELECT pg_sleep(0.5)"))

    try:
        claiming = asyncio.create_task(other.write(claim_slowly))
        while not granted.is_set():
            await asyncio.sleep(0.01)
        with pytest.raises(StillServed, match="h1 holds machines"):
            await Layout(db).change(2, actor=ANN, gone=(), now_ms=START_MS)
        await claiming
    finally:
        await other.close()
    assert [(1, 1, "gw-1")] == await kept(db)
