"""What is told of sales has one row for each thing that it is of."""

import pytest

from storage.database.engine import Database
from storage.tables import followers, sale_facts, scope_hours
from tests.storage.tables.refused import refused, taken

FOLLOWER = {
    "name": "sales",
    "position": 0,
    "at_ms": 0,
    "holder": "",
    "epoch": 0,
    "beat": 0,
    "made_until": 0,
    "stage": "FOLLOWING",
    "updated_at_ms": 0,
}
FACT = {
    "machine_id": "VM-1",
    "version": 1,
    "line": 0,
    "position": 1,
    "at_ms": 1,
    "d": 20260101,
    "local_hour": 0,
    "kind": "SALE",
    "vend_id": "v",
    "column": "A1",
    "product": "cola",
    "currency": "HKD",
    "units": 1,
    "sales_minor": 1,
    "discount_minor": 0,
    "payer_id": "",
    "site": "",
    "district": "",
    "site_type": "",
}
HOUR = {
    "scope": "FLEET",
    "name": "",
    "d": 20260101,
    "local_hour": 0,
    "currency": "HKD",
    "units": 1,
    "sales_minor": -1,
}


@pytest.mark.slow_on_postgres
async def test_a_follower_is_at_one_place(db: Database) -> None:
    """At or behind the beginning, in a stage that is known."""
    await refused(db, followers, {**FOLLOWER, "position": -1})
    await refused(db, followers, {**FOLLOWER, "stage": "LOST"})
    await taken(db, followers, FOLLOWER)
    await refused(db, followers, FOLLOWER)


@pytest.mark.slow_on_postgres
async def test_a_transfer_is_one_fact(db: Database) -> None:
    """Of a kind that is known, in which no item comes back up."""
    await refused(db, sale_facts, {**FACT, "kind": "GIFT"})
    await refused(db, sale_facts, {**FACT, "units": -1})
    await taken(db, sale_facts, FACT)
    await refused(db, sale_facts, FACT)


@pytest.mark.slow_on_postgres
async def test_an_hour_of_a_scope_is_one_row(db: Database) -> None:
    """Its sales may be below zero: what is given back counts when it is."""
    await taken(db, scope_hours, HOUR)
    await refused(db, scope_hours, HOUR)
