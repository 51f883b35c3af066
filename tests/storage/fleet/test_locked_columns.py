"""Locks of a machine with their times, and since when its columns are empty."""

from functools import partial

import pytest
from sqlalchemy import Connection, insert

from storage.database.engine import Database
from storage.fleet.locked_columns import commands_of, emptied, left_last, locks_of
from storage.tables import goods_moves, machine_commands
from tests.storage.office.plans import plan_of


def _ordered(number: int, kind: str, column: str = "A1") -> dict[str, object]:
    return {
        "command_id": f"c{number}",
        "machine_id": "VM-1",
        "kind": kind,
        "column": column,
        "show_for_ms": 0,
        "status": "APPLIED",
        "ordered_by": "ann",
        "ordered_at_ms": number,
        "expires_at_ms": 99,
        "dropped": False,
        **dict.fromkeys(("detail", "evidence", "report"), ""),
    }


@pytest.mark.parametrize(
    ("kinds", "since_ms"),
    [
        (["LOCK_COLUMN"], 1),
        (["LOCK_COLUMN", "LOCK_COLUMN", "REPORT"], 1),
        (["LOCK_COLUMN", "UNLOCK_COLUMN", "LOCK_COLUMN", "LOCK_COLUMN"], 3),
        (["UNLOCK_COLUMN"], None),
        ([], None),
    ],
)
async def test_a_lock_holds_since_it_was_ordered_first(
    db: Database, kinds: list[str], since_ms: int | None
) -> None:
    """Since it was ended last; other columns and commands are others."""
    rows = [_ordered(number, kind) for number, kind in enumerate(kinds, 1)]
    rows += [_ordered(50, "UNLOCK_COLUMN", "A2")]

    def work(connection: Connection) -> list[tuple[str, str, int | None]]:
        connection.execute(insert(machine_commands), rows)
        locks = locks_of(connection, "VM-1", ("A1",))
        return [(one.column, one.recall_id, one.since_ms) for one in locks]

    assert [("A1", "", since_ms)] == await db.write(work)


async def test_a_column_is_empty_since_something_left_it_last(db: Database) -> None:
    """Of those that are asked for; of one that nothing ever left nobody knows."""

    def work(connection: Connection) -> dict[str, int]:
        for number, (come_from, to) in enumerate(
            [("FOUND", "A1"), ("A1", "SOLD"), ("FOUND", "A2"), ("A2", "SOLD")], 1
        ):
            places = [f"COLUMN:VM-1/{one}" if one[1:].isdigit() else one for one in (come_from, to)]
            connection.execute(
                insert(goods_moves).values(
                    at_ms=number,
                    kind="SOLD",
                    cause=str(number),
                    product="cola",
                    quantity=1,
                    from_place=places[0],
                    to_place=places[1],
                    machine_id="VM-1",
                    **dict.fromkeys(("lot", "visit", "actor", "reason"), ""),
                )
            )
        return emptied(connection, "VM-1", ["A1", "A3"])

    assert {"A1": 2} == await db.write(work)
    assert {} == await db.read(partial(emptied, machine_id="VM-1", columns=[]))


async def test_both_are_read_along_an_index(db: Database) -> None:
    """A bounded number of them, however old the machine is."""
    for query, index in (
        (left_last("VM-1", ["COLUMN:VM-1/A1"]), "goods_moves_by_machine_id_id"),
        (commands_of("VM-1"), "machine_commands_by_machine_id"),
    ):
        plan = await plan_of(db, query)
        assert any(index in line for line in plan), plan
        tables = ("SCAN goods_moves", "SCAN machine_commands", "Seq Scan")
        assert [] == [line for line in plan if any(one in line for one in tables)], plan
