"""What evaluations of tags came to."""

from dataclasses import dataclass, fields

from sqlalchemy import select

from storage.database.engine import Database
from storage.fleet import work_items
from storage.insight import tagging
from storage.tables import payer_tags, tag_runs

ENDED = tag_runs.c.unfinished.is_(False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that is over."""

    d: int
    members: int
    joined: int
    departed: int
    error: str


async def ended(db: Database) -> list[Ended]:
    """All runs that are over, in their order."""
    names = [field.name for field in fields(Ended)]
    wanted = select(*tag_runs.c[tuple(names)]).where(ENDED).order_by(tag_runs.c.id)
    found = await db.read(lambda connection: connection.execute(wanted).mappings().all())
    return [Ended(**row) for row in found]


async def have(db: Database, name: str = "SOME") -> dict[str, int]:
    """Who has a tag, and by which version."""
    wanted = select(payer_tags.c.payer_id, payer_tags.c.version).where(tagging.had_by_now(name))
    found = await db.read(lambda connection: connection.execute(wanted).all())
    return {row.payer_id: row.version for row in found}


async def failed_items(db: Database) -> list[tuple[str, str]]:
    """The work items of rules that failed."""
    page = work_items.page(machine_id="", kinds=["TAG_RULE_FAILED"], after="", limit=9, now_ms=9)
    found = await db.read(lambda connection: connection.execute(*page).all())
    return [(row.item_id, row.status) for row in found]


async def will_have(db: Database) -> set[str]:
    """Who has a tag, or will when its run is finished."""
    wanted = select(payer_tags.c.payer_id).where(payer_tags.c.until_d.is_(None))
    return set(await db.read(lambda connection: connection.scalars(wanted).all()))
