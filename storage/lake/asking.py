"""Questions of the lake: the same as ``storage.insight.sales`` answers from sums, answered from
files. Cubes are read where they are of today's files; other days are added up on the way. Files
keep no costs: SQL says what goods cost, and as files know the product of every sale, margins are
told by anything.

An answer is complete up to the lake's position, which it tells. Nothing is told of payers.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from storage.database.engine import Database
from storage.insight import days, lease
from storage.insight.sales import (
    Amounts,
    By,
    SalesLine,
    SalesWanted,
    check_named,
    checked,
    key_of,
    plus,
)
from storage.lake import cubes, lists, statements
from storage.lake.duck import Bounds, Duck, LakeError, duck
from storage.lake.folder import LakeFolder
from storage.lake.keeper import NAME
from storage.lake.lists import Stream
from storage.office.costs import Costed, read_costs
from storage.tables import district_paths, products

_TRIES = 3
"""Files of a list may be replaced, and gone, before they were read: then the list is read anew."""
_NOTHING = Amounts(costed=Costed())


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeAnswer:
    """``lines`` by key and currency. ``before_first`` and ``before_last`` are the days beside it.
    All that was told up to ``position`` of the books is in it. ``from_cubes``: so many days came
    from cubes, and ``from_sales`` from facts.
    """

    lines: tuple[SalesLine, ...]
    before_first: int
    before_last: int
    position: int
    from_cubes: int
    from_sales: int


async def _read(
    db: Database,
    folder: LakeFolder,
    wanted: SalesWanted,
    bounds: Bounds,
    before: tuple[int, int, int],
) -> tuple["_Source", "Told", "Told"]:
    tries_left = _TRIES
    while True:
        source = await db.read(
            lambda connection: _source(connection, folder, wanted, min(before[0], wanted.first))
        )
        try:
            now, then = await asyncio.to_thread(_answered, source, wanted, bounds, before)
        except LakeError:
            tries_left -= 1
            if not tries_left or _all_there(source):
                raise
        else:
            return source, now, then


def _all_there(source: "_Source") -> bool:
    return all(Path(one).exists() for one in (*source.cubes, *source.sales))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    position: int
    cubes: tuple[str, ...]
    sales: tuple[str, ...]
    sales_days: int
    categories: tuple[tuple[str, str], ...]
    districts: tuple[tuple[str], ...]
    costs: tuple[tuple[str, str, str], ...]


async def ask(
    db: Database, folder: LakeFolder, wanted: SalesWanted, *, bounds: Bounds
) -> LakeAnswer:
    """Return the answer. Raises NotPossible for what cannot be answered, NotThere for a district
    or a machine that is none, LakeError, StoreError.
    """
    back = checked(wanted)
    first, last = days.moved(wanted.first, -back), days.moved(wanted.last, -back)
    source, now, before = await _read(db, folder, wanted, bounds, (first, last, back))
    return LakeAnswer(
        lines=tuple(
            SalesLine(
                key=key,
                currency=currency,
                now=now.get((key, currency), _NOTHING),
                before=before.get((key, currency), _NOTHING),
            )
            for key, currency in sorted(now.keys() | before.keys())
        ),
        before_first=first,
        before_last=last,
        position=source.position,
        from_cubes=len(source.cubes),
        from_sales=source.sales_days,
    )


def _source(connection: Connection, folder: LakeFolder, wanted: SalesWanted, first: int) -> _Source:
    check_named(connection, wanted)
    stale, made = cubes.stale(connection, first=first, last=wanted.last)
    fresh = [one.path for d, one in sorted(made.items()) if d not in stale]
    sales = [one.path for _, its in sorted(stale.items()) for one in its]
    if fresh or sales:
        folder.check_there()
    return _Source(
        position=lease.read_standing(connection, NAME).position,
        cubes=folder.paths(fresh),
        sales=folder.paths(sales),
        sales_days=len(stale),
        categories=_categories(connection) if wanted.by is By.CATEGORY else (),
        districts=_districts(connection, wanted.district) if wanted.district else (),
        costs=tuple((*of, str(minor)) for of, minor in read_costs(connection).items()),
    )


def _categories(connection: Connection) -> tuple[tuple[str, str], ...]:
    rows = connection.execute(select(products.c.product, products.c.category))
    return tuple((row.product, row.category or "") for row in rows)


def _districts(connection: Connection, district: str) -> tuple[tuple[str], ...]:
    below = select(district_paths.c.district).where(district_paths.c.ancestor == district)
    return tuple((name,) for name in connection.scalars(below))


Told = Mapping[tuple[str, str], Amounts]


def _answered(
    source: _Source, wanted: SalesWanted, bounds: Bounds, before: tuple[int, int, int]
) -> tuple[Told, Told]:
    first, last, back = before
    with duck(bounds) as engine:
        engine.table("categories", ("product", "category"), source.categories)
        engine.table("districts", ("district",), source.districts)
        engine.table("costs", ("product", "currency", "unit_cost_minor"), source.costs)
        engine.table("machines", ("machine_id",), [(one,) for one in set(wanted.machine_ids)])
        made = statements.cubes(source.cubes, source.sales)
        return (
            _told(engine, wanted, (wanted.first, wanted.last, 0), made),
            _told(engine, wanted, (first, last, back), made),
        )


def _told(engine: Duck, wanted: SalesWanted, span: tuple[int, int, int], made: str) -> Told:
    first, last, back = span
    sums: dict[tuple[str, str], Amounts] = {}
    for key, currency, units, minor, *known in engine.run(
        statements.from_cubes(wanted, first, last, made)
    ):
        told = (key_of(wanted.by, key, back), currency)
        part = dict(zip(("units", "sales_minor", "cost_minor"), known, strict=True))
        sold = Amounts(units=units, sales_minor=minor, costed=Costed(**part))
        sums[told] = plus(sums.get(told, _NOTHING), sold)
    return sums


async def listed(
    db: Database, stream: Stream, *, first: int = 0, last: int = 99_999_999
) -> tuple[int, list[lists.LakeFile]]:
    """Return up to which position of the books the lake is, and its files, of one moment. Raises
    StoreError, LakeError.
    """
    return await db.read(
        lambda connection: (
            lease.read_standing(connection, NAME).position,
            lists.written(connection, stream, first=first, last=last),
        )
    )
