"""One file for each local day: files of a day's late facts become one with the rest of it, and
payers whom nobody knows any more (who were erased, or did not pay for long) leave the lake.

The new file takes the place of the old ones in one transaction, so that readers of the list see
each fact once; the old ones stay for those who read them, and go later.
"""

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, select

from storage.lake import lists, statements
from storage.lake.duck import Bounds, Duck, LakeError, duck
from storage.lake.folder import Made, made
from storage.lake.keeper import Keeper
from storage.lake.lists import LakeFile, Stream
from storage.tables import payers

UNKNOWN = "unknown"
"""The table of payers whom nobody knows any more."""
_PAYERS_AT_ONCE = 20_000
Tell = Callable[[int, int], None]
"""Is told how many days are done, of how many."""


async def compact(keeper: Keeper, *, bounds: Bounds, tell: Tell) -> int:
    """Write each day anew that has several files, or a payer whom nobody knows; return how many
    days. Raises StoreError, LakeError; days that were done stay done.
    """
    files = await keeper.db.read(lambda connection: lists.written(connection, Stream.SALES))
    if not files:
        return 0
    with duck(bounds) as engine:
        paths = keeper.folder.paths(one.path for one in files)
        await asyncio.to_thread(_lay_out, engine, paths)
        await _leave_unknown(keeper, engine)
        erased = await asyncio.to_thread(_days_of_unknown, engine, paths)
        stale = {d: its for d, its in lists.by_day(files).items() if len(its) > 1 or d in erased}
        for done, (d, its) in enumerate(stale.items(), 1):
            await _day(keeper, engine, d, its)
            tell(done, len(stale))
    return len(stale)


async def _day(keeper: Keeper, engine: Duck, d: int, its: Sequence[LakeFile]) -> None:
    span = (min(one.from_position for one in its), max(one.to_position for one in its))
    planned = keeper.planned(Stream.SALES, d, span)
    await keeper.write(
        lambda connection, now_ms: lists.plan(
            connection, [planned], position=keeper.position, now_ms=now_ms
        )
    )
    told = await asyncio.to_thread(_merge, keeper, engine, planned, its)

    def confirm(connection: Connection, now_ms: int) -> None:
        lists.confirm(connection, [(planned.path, told)], now_ms=now_ms)
        lists.replace(connection, [one.path for one in its], now_ms=now_ms)

    await keeper.write(confirm)


def _merge(keeper: Keeper, engine: Duck, planned: LakeFile, its: Sequence[LakeFile]) -> Made:
    aside = keeper.folder.aside(planned.path)
    old = keeper.folder.paths(one.path for one in its)
    foot = {
        "d": str(planned.d),
        "from_position": str(planned.from_position),
        "to_position": str(planned.to_position),
    }
    engine.run(statements.copied(statements.merged(old, unknown=UNKNOWN), str(aside), foot))
    before, after = (_sums(engine, paths) for paths in (old, (str(aside),)))
    if before != after or after[0] != sum(one.rows for one in its):
        raise LakeError(
            f"The files of {planned.d} hold {before[0]} facts, and {after[0]} were written: run "
            "'vendgate lake verify'."
        )
    told = made(aside, after[0])
    keeper.folder.publish(aside, planned.path)
    return told


def _sums(engine: Duck, paths: Sequence[str]) -> tuple[int, int, int]:
    ((count, minor, keys),) = engine.run(
        "SELECT count(*), coalesce(sum(sales_minor), 0), "
        f"count(DISTINCT (machine_id, version, line)) FROM {statements.files(paths)}"
    )
    if count != keys:
        raise LakeError("A fact stands twice in the files of a day: run 'vendgate lake verify'.")
    return count, int(minor), keys


def _lay_out(engine: Duck, paths: Sequence[str]) -> None:
    """Make the table of all payers of the lake."""
    engine.run(
        f"CREATE OR REPLACE TEMP TABLE {UNKNOWN} AS SELECT DISTINCT payer_id "
        f"FROM {statements.files(paths)} WHERE payer_id <> ''"
    )


async def _leave_unknown(keeper: Keeper, engine: Duck) -> None:
    """Take those out of it whom somebody knows."""
    after = ""
    while True:
        page = await keeper.db.read(
            lambda connection, after=after: list(  # type: ignore[misc]
                connection.scalars(
                    select(payers.c.payer_id)
                    .where(payers.c.payer_id > after)
                    .order_by(payers.c.payer_id)
                    .limit(_PAYERS_AT_ONCE)
                )
            )
        )
        if not page:
            return
        await asyncio.to_thread(
            engine.run,
            f"DELETE FROM {UNKNOWN} WHERE payer_id IN (SELECT unnest(?::VARCHAR[]))",
            [page],
        )
        after = page[-1]


def _days_of_unknown(engine: Duck, paths: Sequence[str]) -> set[int]:
    rows = engine.run(
        f"SELECT DISTINCT d FROM {statements.files(paths)} "
        f"WHERE payer_id IN (SELECT payer_id FROM {UNKNOWN})"
    )
    return {int(row[0]) for row in rows}
