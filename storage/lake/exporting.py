"""Facts → files: what the follower of the books has told since the last export, each fact once.

A range of positions is planned, and with that fixed for ever, a file for each local day in it. The
files are written; then they are confirmed and the position moves, in one transaction. Whoever dies
in between leaves the plan, and the next one writes the same range, under names of its own.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    case,
    func,
    select,
)

from storage.auditing.reading import total
from storage.database import dialects
from storage.lake import lists, statements
from storage.lake.columns import ADDED, FACTS
from storage.lake.duck import Bounds, Duck, LakeError, duck
from storage.lake.folder import Made, made
from storage.lake.keeper import Keeper, books_standing
from storage.lake.lists import LakeFile, Stream
from storage.tables import payers, sale_facts

FACTS_AT_ONCE = 100_000
"""In one range: what is in memory at once, and lost if the process dies."""
_PAGE = 10_000
_F = sale_facts.c
Tell = Callable[[int, int], None]
"""Is told how many facts were written, and up to which position."""


def _value(name: str) -> ColumnElement[Any]:
    """Return a fact's value, none of which is null. Who was erased meanwhile stands in no file: of
    a payer whom nobody knows any more it says nothing.
    """
    if name == "payer_id":
        return case((payers.c.payer_id.is_(None), ""), else_=_F.payer_id)
    if name in ADDED:
        return func.coalesce(_F[name], statements.UNTOLD)
    return _F[name]


@lru_cache(maxsize=2)
def _text(dialect_name: str) -> Select[str, int, int]:
    """Return what reads the facts of some positions as one text, how many there are, and what they
    add up to: row by row they would cost Python more than all the rest.
    """
    values = [(_value(name), kind == "VARCHAR") for name, kind in FACTS.items()]
    line = dialects.comma_separated(dialect_name, values)
    some = (
        select(line.label("text"), _F.sales_minor)
        .select_from(sale_facts.outerjoin(payers, payers.c.payer_id == _F.payer_id))
        .where(_F.position > bindparam("after"), _F.position <= bindparam("upto"))
        .subquery("some")
    )
    return select(
        dialects.lines_of_text(dialect_name, some.c.text).label("text"),
        func.count().label("facts"),
        total(some.c.sales_minor).label("minor"),
    )


_LAST = (
    select(_F.position)
    .where(_F.position > bindparam("after"), _F.position <= bindparam("upto"))
    .order_by(_F.position)
    .offset(_PAGE - 1)
    .limit(1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """What is written next: ``files`` by day, and who had told the facts when it was planned."""

    span: tuple[int, int]
    files: Sequence[LakeFile]
    told_by: int


async def export(
    keeper: Keeper, *, bounds: Bounds, tell: Tell, facts_at_once: int = FACTS_AT_ONCE
) -> int:
    """Write all facts that are told and in no file yet; return how many there were. Raises
    StoreError, LakeError; what was confirmed stays.
    """
    count = 0
    with duck(bounds) as engine:
        while (planned := await _plan(keeper, facts_at_once)) is not None:
            count += await _write(keeper, engine, planned)
            tell(count, keeper.position)
    return count


async def begin_again(keeper: Keeper) -> None:
    """Let all files go, and begin with the first fact: after what is told was made again."""
    await keeper.write(lists.replace_all, position=0)


async def _plan(keeper: Keeper, facts_at_once: int) -> _Range | None:
    """Plan the next range; None if nothing is left. Where no fact is, only the position moves."""
    after = keeper.position

    def cut(connection: Connection) -> tuple[int, int, list[int]]:
        told = books_standing(connection)
        span = lists.planned_range(connection, after)
        if span is None:
            nth = select(_F.position).where(_F.position > after, _F.position <= told.position)
            last = connection.scalar(nth.order_by(_F.position).offset(facts_at_once - 1).limit(1))
            span = (after, told.position if last is None else last)
        elif span[1] > told.position:
            raise LakeError(
                f"Files up to position {span[1]} were planned, and sales are told up to "
                f"{told.position}: run 'vendgate insight follow --once', then do it again."
            )
        within = (_F.position > span[0], _F.position <= span[1])
        days = connection.scalars(select(_F.d).where(*within).distinct().order_by(_F.d))
        return span[1], told.epoch, list(days)

    upto, told_by, days = await keeper.db.read(cut)
    if upto <= after:
        return None
    span = (after, upto)
    files = [keeper.planned(Stream.SALES, d, span) for d in days]
    await keeper.write(
        lambda connection, now_ms: lists.plan(connection, files, position=after, now_ms=now_ms),
        position=None if files else upto,
    )
    return _Range(span=span, files=files, told_by=told_by)


async def _write(keeper: Keeper, engine: Duck, planned: _Range) -> int:
    """Write and confirm the files of a range; return how many facts are in them."""
    if not planned.files:
        return 0
    rows = keeper.folder.aside(f"{planned.files[0].path}.csv")
    try:
        told = await _rows_of(keeper, planned, rows)
        await asyncio.to_thread(_load, engine, rows, told)
    finally:
        rows.unlink(missing_ok=True)
    try:
        made_files = [
            (one.path, await asyncio.to_thread(day_file, keeper, engine, one))
            for one in planned.files
        ]
    except (LakeError, OSError):
        # The disk is full, most likely: each try would leave as much as fits, and the database may
        # be on it. Nobody was asked to confirm these yet, and no other plan has their names.
        for one in planned.files:
            await asyncio.to_thread(keeper.folder.drop, one.path)
        raise
    if sum(one.rows for _, one in made_files) != told[0]:
        raise LakeError("Facts came to these days while they were written: do it again.")

    def confirm(connection: Connection, now_ms: int) -> None:
        if books_standing(connection).epoch != planned.told_by:
            # Another process follows the books, and may have made them again meanwhile.
            raise _TellerChanged
        lists.confirm(connection, made_files, now_ms=now_ms)

    try:
        await keeper.write(confirm, position=planned.span[1])
    except _TellerChanged:
        return 0  # the same range is planned, and written once more
    return told[0]


class _TellerChanged(Exception):
    """Nothing was confirmed."""


async def _rows_of(keeper: Keeper, planned: _Range, path: Path) -> tuple[int, int]:
    """Write the facts of a range as lines of text; return how many, and what they add up to. A page
    ends behind a whole line of the journal, which has few facts.
    """
    count = minor = 0
    after, upto = planned.span
    with path.open("w", newline="", encoding="utf-8") as file:
        while after < upto:
            span = {"after": after, "upto": upto}

            def page(
                connection: Connection, span: dict[str, int] = span
            ) -> tuple[int, Row[str, int, int]]:
                last = connection.scalar(_LAST, span)
                end = span["upto"] if last is None else last
                values = {"after": span["after"], "upto": end}
                return end, connection.execute(_text(connection.dialect.name), values).one()

            after, told = await keeper.db.read(page)
            if told.facts:
                file.write(told.text)
                file.write("\n")
            count += told.facts
            minor += told.minor
    return count, minor


def _load(engine: Duck, path: Path, told: tuple[int, int]) -> None:
    engine.run(statements.load_rows(str(path)))
    ((count, minor),) = engine.run("SELECT count(*), coalesce(sum(sales_minor), 0) FROM facts")
    if (count, int(minor)) != told:
        raise LakeError(
            f"{told[0]} facts were written for {told[1]} minor units, and DuckDB read {count} for "
            f"{minor}: report it, and keep the database."
        )


def day_file(keeper: Keeper, engine: Duck, one: LakeFile) -> Made:
    """Write the facts of one day, which are in the table ``facts``, to their file, and give it its
    name. Raises LakeError, OSError.
    """
    aside = keeper.folder.aside(one.path)
    query = statements.day_of_facts(one.d)
    foot = {
        "d": str(one.d),
        "from_position": str(one.from_position),
        "to_position": str(one.to_position),
    }
    engine.run(statements.copied(query, str(aside), foot))
    rows = engine.count(f"SELECT count(*) FROM facts WHERE d = {one.d}")
    told = made(aside, rows)
    keeper.folder.publish(aside, one.path)
    return told


def waiting(connection: Connection, position: int) -> int:
    """Return how many facts are told and in no file yet."""
    behind = select(func.count()).select_from(sale_facts).where(_F.position > position)
    return connection.scalar(behind) or 0
