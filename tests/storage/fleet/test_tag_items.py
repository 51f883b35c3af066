"""A rule that cannot be evaluated waits for a person until its tag has a newer run."""

from typing import Any

from sqlalchemy import insert

from storage.database.engine import Database
from storage.fleet import work_items
from storage.tables import tag_runs


def run(number: int, error: str = "", tag: str = "NEW") -> dict[str, Any]:
    """A run of a tag."""
    numbers = dict.fromkeys(("version", "d", "position", "at_ms"), number)
    none = dict.fromkeys(("members", "joined", "departed"), 0)
    return {"id": number, "tag": tag, **numbers, **none, "error": error}


async def waiting(db: Database) -> list[tuple[str, int, str]]:
    """What waits."""
    page = work_items.page(machine_id="", kinds=["TAG_RULE_FAILED"], after="", limit=9, now_ms=9)
    rows = await db.read(lambda connection: connection.execute(*page).all())
    return [(row.item_id, row.since_at_ms, row.reason) for row in rows]


async def test_the_newest_run_counts(db: Database) -> None:
    """Of each tag by itself."""
    some = [run(1, "too many"), run(2, "still too many"), run(3, "no rule", tag="OLD")]
    await db.write(lambda connection: connection.execute(insert(tag_runs), some))
    assert [("tag:NEW", 2, "still too many"), ("tag:OLD", 3, "no rule")] == await waiting(db)
    await db.write(lambda connection: connection.execute(insert(tag_runs), run(4)))
    assert [("tag:OLD", 3, "no rule")] == await waiting(db)
