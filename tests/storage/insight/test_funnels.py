"""How far customers came is asked as sales are, and told through the gate."""

import pytest

from storage.database.engine import Database
from storage.insight.funnel import Stage
from storage.insight.funnels import FunnelBooks
from storage.insight.rollups import Sums, save
from storage.insight.sales import By, SalesWanted
from storage.insight.suppression import Gate
from storage.office.deeds import NotPossible, NotThere
from storage.tables import funnel_days, scope_funnels
from tests.storage.office.places import some_machines

DAY = 20260101
FIRST = "SELECTION_FIRST"
SHOWN = (("AUTHORIZATION_FIRST", 1), (FIRST, 0))
"""By mode, the first of the stages that it has."""


async def test_each_stage_is_told_or_is_too_few(db: Database) -> None:
    """Of the fleet and of machines; a mode that nobody used is not there."""
    sums = Sums()
    for stage, number in (("CODE_SHOWN", 47), ("PAID", 23), ("DELIVERED", 9)):
        sums.add(scope_funnels, ("FLEET", "", DAY, FIRST, stage), (number,))
    sums.add(funnel_days, ("VM-1", DAY, "", "PAID"), (12,))
    await db.write(lambda connection: save(connection, sums.rows()))
    await some_machines(db, "VM-1")
    books = FunnelBooks(db, Gate())
    fleet = await books.funnel(SalesWanted(first=DAY, last=DAY, by=By.DAY))
    told = [(one.mode, one.stage, one.number) for one in fleet.steps]
    numbers = (40, 20, None, None)
    assert [(FIRST, stage, number) for stage, number in zip(Stage, numbers, strict=True)] == told
    ours = SalesWanted(first=DAY, last=DAY, by=By.DAY, machine_ids=("VM-1",))
    steps = (await books.funnel(ours)).steps
    assert [None, 10, None, None] == [one.number for one in steps]
    with pytest.raises(NotPossible):
        await books.funnel(SalesWanted(first=3, last=DAY, by=By.DAY))
    with pytest.raises(NotThere):
        await books.funnel(SalesWanted(first=DAY, last=DAY, by=By.DAY, district="nowhere"))
    with pytest.raises(NotThere):
        await books.funnel(SalesWanted(first=DAY, last=DAY, by=By.DAY, machine_ids=("VM-2",)))


@pytest.mark.slow_on_postgres
async def test_who_pays_first_is_shown_no_code(db: Database) -> None:
    """So nobody is told that too few were."""
    sums = Sums()
    for mode in ("AUTHORIZATION_FIRST", FIRST):
        sums.add(scope_funnels, ("FLEET", "", DAY, mode, "PAID"), (23,))
    await db.write(lambda connection: save(connection, sums.rows()))
    wanted = SalesWanted(first=DAY, last=DAY, by=By.DAY)
    steps = (await FunnelBooks(db, Gate()).funnel(wanted)).steps
    by_mode = {mode: [one.stage for one in steps if one.mode == mode] for mode, _ in SHOWN}
    assert {mode: list(Stage)[first:] for mode, first in SHOWN} == by_mode
