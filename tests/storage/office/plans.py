"""How a database goes about a list: whether it goes along an index, and sorts nothing."""

from typing import Any

from sqlalchemy import Connection, Select, text

from storage.database.engine import Database


async def plan_of(db: Database, wanted: Select[Any]) -> list[str]:
    """Return the lines of the plan. PostgreSQL is asked what it can do, not what it prefers of
    tables that are nearly empty.
    """

    def work(connection: Connection) -> list[str]:
        literal = {"literal_binds": True}
        sql = str(wanted.compile(dialect=connection.dialect, compile_kwargs=literal))
        if connection.dialect.name == "sqlite":
            rows = connection.execute(text(f"EXPLAIN QUERY PLAN {sql}"))
            return [detail for *_, detail in rows]
        for way in ("seqscan", "sort", "bitmapscan"):
            connection.execute(text(f"SET LOCAL enable_{way} = off"))
        return list(connection.scalars(text(f"EXPLAIN {sql}")))

    return await db.write(work)


async def goes_along(db: Database, wanted: Select[Any], *indexes: str) -> None:
    """Expect that the list goes along each of these indexes from where it begins, and sorts
    nothing. ``products_key`` is the index of a table's primary key.
    """
    plan = await plan_of(db, wanted)
    for index in indexes:
        names = {index, f"sqlite_autoindex_{index.removesuffix('_key')}_1"}
        assert any(name in line for line in plan for name in names), plan
    assert [] == [line for line in plan if "TEMP B-TREE" in line or "Sort" in line], plan
    scans = [line for line in plan if "Seq Scan" in line or line.startswith("SCAN ")]
    assert [] == [line for line in scans if "Disabled" not in line], plan
