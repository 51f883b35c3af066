"""Moves of goods add up to the balances by themselves, and none takes what is not there."""

from typing import Any

import pytest
from sqlalchemy import insert, select

from actors.ports import StoreError
from storage.database.engine import Database
from storage.tables import goods_balances, goods_moves
from tests.storage.tables.refused import refused, taken

RECEIVED: dict[str, Any] = {
    "at_ms": 1,
    "kind": "RECEIVED",
    "cause": "r1",
    "product": "cola",
    "quantity": 10,
    "from_place": "SUPPLIER",
    "to_place": "WAREHOUSE:north",
    "machine_id": "",
    "lot": "L1",
    "visit": "",
    "actor": "ann",
    "reason": "",
}
TO_VAN = {
    **RECEIVED,
    "kind": "TRANSFERRED",
    "cause": "m1",
    "quantity": 4,
    "from_place": "WAREHOUSE:north",
    "to_place": "VAN:7",
}


async def balances(db: Database) -> dict[tuple[str, str, str], tuple[int, str]]:
    """Return what is where, and whose."""
    wanted = select(goods_balances)
    rows = await db.read(lambda connection: connection.execute(wanted).all())
    return {(row.place, row.product, row.lot): (row.quantity, row.machine_id) for row in rows}


@pytest.mark.slow_on_postgres
async def test_moves_add_up_at_real_places(db: Database) -> None:
    """Lot by lot, but for a column, which nobody tells lots apart in; nowhere has no balance."""
    load = {
        **TO_VAN,
        "kind": "LOADED",
        "cause": "l1",
        "quantity": 3,
        "from_place": "VAN:7",
        "to_place": "COLUMN:VM-1/A1",
        "machine_id": "VM-1",
        "version": 2,
    }
    sold = {
        **load,
        "kind": "SOLD",
        "cause": "v1",
        "quantity": 1,
        "lot": "",
        "from_place": "COLUMN:VM-1/A1",
        "to_place": "SOLD",
    }
    for row in (RECEIVED, TO_VAN, load, sold):
        await taken(db, goods_moves, row)
    expected = {
        ("WAREHOUSE:north", "cola", "L1"): (6, ""),
        ("VAN:7", "cola", "L1"): (1, ""),
        ("COLUMN:VM-1/A1", "cola", ""): (2, "VM-1"),
    }
    assert expected == await balances(db)


async def test_rows_of_one_statement_follow_on_one_another(db: Database) -> None:
    """What is found in it can be sold from it at once."""
    found = {
        **RECEIVED,
        "kind": "COUNTED",
        "cause": "f1",
        "quantity": 1,
        "lot": "",
        "from_place": "FOUND",
        "to_place": "COLUMN:VM-1/A1",
        "machine_id": "VM-1",
    }
    sold = {**found, "kind": "SOLD", "cause": "v1", "from_place": "COLUMN:VM-1/A1"}
    sold["to_place"] = "SOLD"
    await db.write(lambda connection: connection.execute(insert(goods_moves), [found, sold]))
    assert {("COLUMN:VM-1/A1", "cola", ""): (0, "VM-1")} == await balances(db)


@pytest.mark.slow_on_postgres
async def test_nothing_is_taken_that_is_not_there(db: Database, subtests: pytest.Subtests) -> None:
    """More than there is, another lot or product, from a place that holds nothing, nothing at all,
    to where it is, or twice: refused, and all is as before.
    """
    await taken(db, goods_moves, RECEIVED)
    changes: tuple[dict[str, Any], ...] = (
        {"quantity": 11},
        {"lot": "L2"},
        {"product": "tea"},
        {"from_place": "VAN:9", "to_place": "VAN:7"},
        {"quantity": 0},
        {"quantity": -1},
        {"to_place": "WAREHOUSE:north"},
        {"kind": "RECEIVED", "cause": "r1"},
    )
    for change in changes:
        with subtests.test(change=change):
            await refused(db, goods_moves, {**TO_VAN, **change})
            assert {("WAREHOUSE:north", "cola", "L1"): (10, "")} == await balances(db)


@pytest.mark.slow_on_postgres
async def test_a_move_is_reversed_once(db: Database) -> None:
    """The second reversal of one move is refused, whatever it is called."""
    await taken(db, goods_moves, RECEIVED)
    back = {**TO_VAN, "kind": "REVERSED", "quantity": 1, "reverses": 1}
    await taken(db, goods_moves, back)
    await refused(db, goods_moves, {**back, "cause": "m2"})


@pytest.mark.slow_on_postgres
async def test_a_refused_move_takes_its_transaction_along(db: Database) -> None:
    """One of two moves that is refused leaves nothing of the other."""
    await taken(db, goods_moves, RECEIVED)
    much = {**TO_VAN, "cause": "m2", "quantity": 7}
    with pytest.raises(StoreError):
        await db.write(lambda connection: connection.execute(insert(goods_moves), [TO_VAN, much]))
    assert {("WAREHOUSE:north", "cola", "L1"): (10, "")} == await balances(db)
