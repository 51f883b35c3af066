"""Sums by day and by hour are what their facts add up to, for machines and for scopes."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import Table, select

from actors.machine.values import replace
from storage.database.engine import Database
from storage.insight.facts import SaleFact, sale_facts
from storage.insight.places import Where
from storage.insight.rollups import Sums, add_facts, save, save_facts
from storage.tables import (
    offer_days,
    sales_days,
    sales_hours,
    scope_days,
    scope_hours,
    scope_offers,
)
from storage.tables import sale_facts as facts_table
from tests.storage.insight.moved import NOON_MS, VENDS, given_back, line, settled, written_off

PIER = Where(site="pier", district="hk", site_type="OFFICE", time_zone="Asia/Hong_Kong")
HOUR_MS = 3_600_000


def a_day() -> list[SaleFact]:
    """Two sales in an hour, one of them paid by two; one written off and one given back later."""
    told = (
        (settled("v1", ("t1", 200), ("t2", 250)), NOON_MS),
        (settled("v2", ("t3", 300)), NOON_MS + 1),
        ((written_off("v9", 80),), NOON_MS + HOUR_MS),
        ((given_back("v2", "t3", 300),), NOON_MS + HOUR_MS),
    )
    return [
        fact
        for version, (transfers, at_ms) in enumerate(told, 1)
        for fact in sale_facts(
            line(transfers, version=version, at_ms=at_ms), vends=VENDS, payers={}, there=PIER
        )
    ]


async def rows(db: Database, table: Table) -> list[tuple[Any, ...]]:
    """All rows of a table, in the order of its key."""
    wanted = select(table).order_by(*table.primary_key)
    return [tuple(row) for row in await db.read(lambda connection: connection.execute(wanted))]


async def test_facts_are_added_to_what_is_there(db: Database) -> None:
    """In two transactions as in one: by machine, and for the fleet, the district and the type."""
    facts = a_day()
    for some in (facts[:2], facts[2:]):
        sums = Sums()
        add_facts(sums, some)
        await db.write(partial(save, rows=sums.rows()))
    days = [
        (20260101, "", "HKD", 1, 80, 0, 0, 80),
        (20260101, "cola", "HKD", 1, 450, 50, 0, 0),
        (20260101, "tea", "HKD", 1, 0, 0, 300, 0),
    ]
    hours = [(20260101, 12, "HKD", 2, 750), (20260101, 13, "HKD", 1, -220)]
    scopes = [("DISTRICT", "hk"), ("FLEET", ""), ("SITE_TYPE", "OFFICE")]
    assert [("VM-1", *day) for day in days] == await rows(db, sales_days)
    assert [("VM-1", *hour) for hour in hours] == await rows(db, sales_hours)
    assert [(*scope, *day) for scope in scopes for day in days] == await rows(db, scope_days)
    assert [(*scope, *hour) for scope in scopes for hour in hours] == await rows(db, scope_hours)


async def test_sales_with_an_offer_are_added_up_by_it(db: Database) -> None:
    """Those without have no row, nor those of which nobody knows."""
    sold, _, back, *others = a_day()
    some = [replace(sold, offer="tea"), replace(back, offer="tea"), replace(others[0], offer=None)]
    sums = Sums()
    add_facts(sums, [*some, *others[1:]])
    await db.write(partial(save, rows=sums.rows()))
    day = (20260101, "tea", "HKD", 2, 500, 50)
    scopes = [("DISTRICT", "hk"), ("FLEET", ""), ("SITE_TYPE", "OFFICE")]
    assert [("VM-1", *day)] == await rows(db, offer_days)
    assert [(*scope, *day) for scope in scopes] == await rows(db, scope_offers)


@pytest.mark.slow_on_postgres
async def test_what_adds_nothing_makes_no_row(db: Database) -> None:
    """And what was added and taken off again stays as a row of nothing."""
    sums = Sums()
    sums.add(sales_hours, ("VM-1", 20260101, 1, "HKD"), (0, 0))
    await db.write(lambda connection: save(connection, sums.rows()))
    assert [] == await rows(db, sales_hours)


@pytest.mark.slow_on_postgres
async def test_a_fact_is_a_row_with_its_own_names(db: Database) -> None:
    """Column by column, and only once; but of a payer who is known no more, nothing."""
    facts = a_day()
    await db.write(lambda connection: save_facts(connection, facts, {"ann"}))
    assert [one if one.payer_id == "ann" else replace(one, payer_id="") for one in facts] == [
        SaleFact(**dict(zip(facts_table.c.keys(), row, strict=True)))
        for row in await rows(db, facts_table)
    ]
