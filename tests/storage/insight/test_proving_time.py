"""The time that is told of machines is that of their lines, and whatever is wrong about it is
found.
"""

import pytest
from sqlalchemy import Update, delete, update
from sqlalchemy.sql import Delete

from storage.database.engine import Database
from storage.insight.proving import prove_facts
from storage.tables import machine_exposures, machine_hours, scope_exposures
from tests.storage.insight.shop import a_day, follower

_H, _S = machine_hours.c, scope_exposures.c
WRONG: list[tuple[Update | Delete, str]] = [
    (
        update(machine_hours).where(_H.machine_id == "VM-1").values(known_s=_H.known_s + 1),
        "machine VM-1 was known, online, in service and sellable",
    ),
    (
        update(machine_hours).where(_H.machine_id == "VM-2").values(empty_column_s=99),
        "machine VM-2 was known",
    ),
    (delete(machine_hours).where(_H.machine_id == "VM-1"), "the time of 20260101"),
    (
        update(scope_exposures).where(_S.scope == "DISTRICT").values(sellable_s=7_201),
        "the time of 20260101 00h is not the same",
    ),
    (delete(scope_exposures).where(_S.scope == "FLEET"), "the time of 20260101 00h"),
    (update(machine_exposures).values(at_ms=machine_exposures.c.at_ms + 60_000), "machine VM-1"),
]


@pytest.mark.slow_on_postgres
async def test_however_the_journal_is_cut_the_time_is_that_of_the_lines(db: Database) -> None:
    """In the middle, at the end, and when all was made again; and each thing that is wrong is
    found.
    """
    await a_day(db)
    ours = follower(db, lines_at_once=3)
    goes_on = True
    while goes_on:
        goes_on = await ours.once()
        assert () == (await prove_facts(db)).findings
    await ours.rebuild()
    await ours.once()
    assert () == (await prove_facts(db)).findings
    await ours.catch_up()
    assert () == (await prove_facts(db)).findings


@pytest.mark.parametrize(("wrong", "said"), WRONG)
async def test_what_is_wrong_is_said(db: Database, wrong: Update | Delete, said: str) -> None:
    """By machine, or by hour."""
    await a_day(db)
    await follower(db).catch_up()
    await db.write(lambda connection: connection.execute(wrong))
    assert [one for one in (await prove_facts(db)).findings if said in one]
