"""A small lake: some facts in a database, and who keeps their files."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import insert, update

from storage.database.engine import Database
from storage.insight import rollups
from storage.insight.facts import SaleFact
from storage.insight.rollups import Sums
from storage.lake import exporting, statements
from storage.lake.columns import FACTS, ORDER
from storage.lake.duck import Bounds, duck
from storage.lake.folder import LakeFolder
from storage.lake.keeper import Keeper, kept
from storage.lake.lists import LakeFile, Stream, written
from storage.tables import followers, payers
from tests.storage.insight.shop import StillClock

SMALL = Bounds(threads=1, memory_mb=256)
THURSDAY = 20260101


def fact(position: int, **more: Any) -> SaleFact:
    """A cola that VM-1 sold for 5.00."""
    values: dict[str, Any] = {
        "machine_id": "VM-1",
        "version": position,
        "line": 0,
        "position": position,
        "at_ms": 1_767_240_000_000 + position,
        "d": THURSDAY,
        "local_hour": 12,
        "kind": "SALE",
        "vend_id": f"v{position}",
        "column": "A1",
        "product": "cola",
        "currency": "HKD",
        "units": 1,
        "sales_minor": 500,
        "discount_minor": 0,
        "payer_id": "",
        "site": "",
        "district": "",
        "site_type": "",
        "offer": "",
    }
    return SaleFact(**values | more)


async def told(db: Database, facts: Sequence[SaleFact]) -> None:
    """Let these facts be told, with their sums, by whoever follows the books."""
    sums = Sums()
    rollups.add_facts(sums, facts)
    newest = max(one.position for one in facts)
    row = {"name": "sales", "at_ms": 1, "holder": "", "epoch": 1, "beat": 1, "made_until": 0}
    more = {"position": newest, "stage": "FOLLOWING", "updated_at_ms": 1}

    def work(connection: Any) -> None:
        rollups.save_facts(connection, facts, {one.payer_id for one in facts})
        rollups.save(connection, sums.rows())
        ours = update(followers).where(followers.c.name == "sales").values(position=newest)
        if not connection.execute(ours).rowcount:
            connection.execute(insert(followers), {**row, **more})

    await db.write(work)


async def know(db: Database, *payer_ids: str) -> None:
    """Let somebody know these payers."""
    rows = [
        {"buyer_hash": f"hash of {one}", "payer_id": one, "first_seen_ms": 1, "last_seen_ms": 1}
        for one in payer_ids
    ]
    await db.write(lambda connection: connection.execute(insert(payers), rows))


@asynccontextmanager
async def keeping(
    db: Database, root: Path, holder: str = "lake-1", now_ms: int = 1_000
) -> AsyncIterator[Keeper]:
    """Keep the lake in a folder."""
    async with kept(db, StillClock(now_ms), LakeFolder(root), holder) as keeper:
        yield keeper


async def exported(db: Database, root: Path, *, facts_at_once: int = 1_000) -> int:
    """Export all there is."""
    async with keeping(db, root) as keeper:
        return await exporting.export(
            keeper, bounds=SMALL, tell=lambda _, __: None, facts_at_once=facts_at_once
        )


async def files_of(db: Database, stream: Stream = Stream.SALES) -> list[LakeFile]:
    """Which may be read."""
    return await db.read(lambda connection: written(connection, stream))


async def lake_rows(db: Database, root: Path) -> list[tuple[Any, ...]]:
    """All facts of the lake, in the order of their keys."""
    paths = LakeFolder(root).paths(one.path for one in await files_of(db))
    if not paths:
        return []
    with duck(SMALL) as engine:
        names = statements.columns(tuple(FACTS))
        order = statements.columns(ORDER)
        return engine.run(f"SELECT {names} FROM {statements.files(paths)} ORDER BY {order}")
