"""Made-up sales, by the million, with which the lake is measured: in a database of their own, as if
the books had been followed, or in files of the lake alone, where a database would be too large.
Machines sell 25 items a day, of forty products.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, insert, text

from storage.database.engine import Database
from storage.insight.follower import NAME as BOOKS
from storage.insight.lease import FOLLOWING
from storage.lake import lists, statements
from storage.lake.columns import FACTS
from storage.lake.duck import Bounds, Duck, duck
from storage.lake.exporting import day_file
from storage.lake.keeper import Keeper
from storage.lake.lists import LakeFile, Stream
from storage.tables import followers

_AT_ONCE = 200_000
_A_DAY = 25
_PAYERS_OF_A_MACHINE = 50
_DAYS_OF_A_MONTH = 28
_POSITIONS = 5
"""Lines of the journal that a sale is one of."""
_YEAR = 2026
BEGUN_MS = 1_767_225_600_000
"""2026-01-01."""
Tell = Callable[[int], None]
"""Is told how many there are by now."""


@dataclass(frozen=True, slots=True)
class MadeUp:
    """What is made up: so many sales, in so many days. Months have 28 of them."""

    sales: int
    days: int = 40

    @property
    def machines(self) -> int:
        """Return how many machines sold them."""
        return max(1, self.sales // (_A_DAY * self.days))

    @property
    def payers(self) -> int:
        """Return how many payers bought them."""
        return self.machines * _PAYERS_OF_A_MACHINE

    @property
    def a_day(self) -> int:
        """Return how many were sold on each day but the last."""
        return -(-self.sales // self.days)

    def day(self, number: int) -> int:
        """Return a local day by its number, as YYYYMMDD."""
        month, day = divmod(number, _DAYS_OF_A_MONTH)
        return (_YEAR + month // 12) * 10_000 + (month % 12 + 1) * 100 + day + 1

    @property
    def first_day(self) -> int:
        """Return the first day on which anything was sold."""
        return self.day(0)

    @property
    def last_day(self) -> int:
        """Return the last."""
        return self.day((self.sales - 1) // self.a_day)

    def fact(self) -> dict[str, str]:
        """Return the values of sale number ``i``, in words that SQLite, PostgreSQL and DuckDB all
        know. None has an offer.
        """
        day = f"CAST((i - i % {self.a_day}) / {self.a_day} AS BIGINT)"
        month = f"CAST(({day} - {day} % {_DAYS_OF_A_MONTH}) / {_DAYS_OF_A_MONTH} AS BIGINT)"
        year = f"CAST(({month} - {month} % 12) / 12 AS BIGINT)"
        machine = f"i * 7919 % {self.machines}"
        given_back = "CASE i % 500 WHEN 0 THEN"
        return {
            "machine_id": f"'VM-' || ({machine})",
            "version": "i + 1",
            "line": "0",
            "position": f"{_POSITIONS} * i + {_POSITIONS}",
            "at_ms": f"{BEGUN_MS} + 1000 * i",
            "d": f"({_YEAR} + {year}) * 10000 + ({month} % 12 + 1) * 100 "
            f"+ {day} % {_DAYS_OF_A_MONTH} + 1",
            "local_hour": "7 + i * 31 % 15",
            "kind": f"{given_back} 'GOODWILL' ELSE 'SALE' END",
            "vend_id": "'vend-' || i",
            "column": "'A' || (i % 40)",
            "product": "'product-' || (i * 13 % 40)",
            "currency": "'HKD'",
            "units": f"{given_back} 0 ELSE 1 END",
            "sales_minor": f"(500 + i * 37 % 20 * 50) * {given_back} -1 ELSE 1 END",
            "discount_minor": "0",
            "payer_id": f"'payer-' || (i * 6151 % {self.payers})",
            "site": f"'site-' || ({machine})",
            "district": f"'district-' || ({machine} % 20)",
            "site_type": "'OFFICE'",
        }


_NUMBERS = (
    "WITH RECURSIVE n(i) AS "
    "(SELECT CAST(:after AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :upto) "
)
_PAYERS = (
    "INSERT INTO payers (buyer_hash, payer_id, first_seen_ms, last_seen_ms) "
    + _NUMBERS
    + "SELECT 'hash-' || i, 'payer-' || i, 0, 0 FROM n"
)


def _facts(shape: MadeUp) -> str:
    fact = shape.fact()
    return (
        f"INSERT INTO sale_facts ({statements.columns(tuple(fact))}) {_NUMBERS}"
        f"SELECT {', '.join(fact.values())} FROM n"
    )


async def make_up(db: Database, shape: MadeUp, tell: Tell) -> None:
    """Write facts and payers into a database. Raises StoreError."""
    for statement, count in ((_PAYERS, shape.payers), (_facts(shape), shape.sales)):
        for after in range(0, count, _AT_ONCE):
            span = {"after": after, "upto": min(count, after + _AT_ONCE)}
            await db.write(
                lambda connection, statement=statement, span=span: (  # type: ignore[misc]
                    connection.execute(text(statement), span)
                )
            )
            tell(span["upto"])
    await _followed(db, shape)


async def make_up_files(keeper: Keeper, shape: MadeUp, *, bounds: Bounds, tell: Tell) -> None:
    """Write a file of facts for each day into the lake, as an export of them would have, and none
    into the database. Raises StoreError, LakeError, OSError.
    """
    await _followed(keeper.db, shape)
    with duck(bounds) as engine:
        for first in range(0, shape.sales, shape.a_day):
            upto = min(shape.sales, first + shape.a_day)
            file = keeper.planned(
                Stream.SALES,
                shape.day(first // shape.a_day),
                (keeper.position, _POSITIONS * upto),
            )
            await _file(keeper, engine, file, _facts_of_a_day(shape, first, upto))
            tell(upto)


def _facts_of_a_day(shape: MadeUp, first: int, upto: int) -> str:
    fact = dict.fromkeys(FACTS, "NULL") | shape.fact()
    values = ", ".join(f'CAST({fact[name]} AS {kind}) AS "{name}"' for name, kind in FACTS.items())
    return (
        f"CREATE OR REPLACE TEMP TABLE facts AS SELECT {values} FROM range({first}, {upto}) AS n(i)"
    )


async def _file(keeper: Keeper, engine: Duck, file: LakeFile, facts: str) -> None:
    def plan(connection: Connection, now_ms: int) -> None:
        lists.plan(connection, [file], position=file.from_position, now_ms=now_ms)

    await keeper.write(plan)
    await asyncio.to_thread(engine.run, facts)
    told = await asyncio.to_thread(day_file, keeper, engine, file)

    def confirm(connection: Connection, now_ms: int) -> None:
        lists.confirm(connection, [(file.path, told)], now_ms=now_ms)

    await keeper.write(confirm, position=file.to_position)


async def _followed(db: Database, shape: MadeUp) -> None:
    told = {
        "name": BOOKS,
        "position": _POSITIONS * shape.sales,
        "at_ms": BEGUN_MS,
        "holder": "",
        "epoch": 1,
        "beat": 1,
        "made_until": 0,
        "stage": FOLLOWING,
        "updated_at_ms": BEGUN_MS,
    }
    await db.write(lambda connection: connection.execute(insert(followers), told))
