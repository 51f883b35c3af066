"""Whose machines are in an experiment that runs is told that, whatever is asked of them."""

from collections.abc import Sequence
from functools import partial

import pytest
from sqlalchemy import insert, update

from storage.database.engine import Database
from storage.insight.experimenting import running_experiments
from storage.insight.sales import By, SalesBooks, SalesWanted
from storage.insight.sellable import SellableBooks
from storage.office.deeds import NotPossible
from storage.tables import experiment_offers, experiment_units, experiments, offers
from tests.storage.experiments.customers import offer
from tests.storage.experiments.fleets import experiment_row, unit_row
from tests.storage.insight.tagged import ANY, content, tag
from tests.storage.office.places import by as deed
from tests.storage.office.places import some_machines

FIRST, LAST = 20260101, 20260128


async def trying(db: Database) -> None:
    """VM-1 is in an arm of two experiments, of which one is over, and VM-2 was left out of both."""
    await some_machines(db, "VM-1", "VM-2")
    rows = [
        {**experiment_row(name), "first_d": FIRST, "last_d": LAST, "state": state}
        for name, state in (("a", "RUNNING"), ("b", "ENDED"))
    ]
    units = [
        {**unit_row(name, machine_id, ""), "arm": arm}
        for name in ("a", "b")
        for machine_id, arm in (("VM-1", "TREATMENT"), ("VM-2", ""))
    ]
    await db.write(lambda connection: connection.execute(insert(experiments), rows))
    await db.write(lambda connection: connection.execute(insert(experiment_units), units))


@pytest.mark.slow_on_postgres
async def test_a_machine_in_an_arm_says_so(db: Database) -> None:
    """While the experiment runs, of days that are among its own."""
    await trying(db)

    async def told(machine_ids: Sequence[str], first: int, last: int) -> tuple[str, ...]:
        return await db.read(
            partial(running_experiments, machine_ids=machine_ids, first=first, last=last)
        )

    assert ("a",) == await told(["VM-1", "VM-2"], FIRST, FIRST)
    assert ("a",) == await told(["VM-1"], LAST, LAST + 1)
    assert () == await told(["VM-1"], FIRST - 7, FIRST - 1)
    assert () == await told(["VM-2"], FIRST, LAST)
    assert () == await told([], FIRST, LAST)
    over = update(experiments).values(state="ENDED")
    await db.write(lambda connection: connection.execute(over))
    assert () == await told(["VM-1"], FIRST, LAST)


@pytest.mark.slow_on_postgres
async def test_sales_and_time_of_machines_say_so(db: Database) -> None:
    """By whatever they are asked; those of the fleet hold both arms, and are told without."""
    await trying(db)
    for by in (By.MACHINE, By.DAY, By.PRODUCT):
        wanted = SalesWanted(first=FIRST, last=LAST, by=by, machine_ids=("VM-1",))
        assert ("a",) == (await SalesBooks(db).sales(wanted)).experiments
    later = SalesWanted(first=LAST + 1, last=LAST + 2, by=By.DAY, machine_ids=("VM-1",))
    assert ("a",) == (await SalesBooks(db).sales(later)).experiments, (
        "the days beside it are its own"
    )
    spent = SalesWanted(first=FIRST, last=LAST, by=By.MACHINE, machine_ids=("VM-1",))
    assert ("a",) == (await SellableBooks(db).sellable(spent)).experiments
    fleet = SalesWanted(first=FIRST, last=LAST, by=By.DAY)
    assert () == (await SalesBooks(db).sales(fleet)).experiments


@pytest.mark.slow_on_postgres
async def test_the_tag_of_an_offer_that_is_tried_keeps_its_rule(db: Database) -> None:
    """And its name; others do not, nor does it once the experiment is over."""
    tags = await tag(db, "T", rule=ANY)
    await tag(db, "OTHER", rule=ANY)
    runs = [experiment_row("a")]
    of = {"experiment": "a", "offer": "tea", "terms": "{}", "treated": 1, "control": 1}
    await offer(db)
    await db.write(lambda connection: connection.execute(update(offers).values(tag="T")))
    await db.write(lambda connection: connection.execute(insert(experiments), runs))
    await db.write(lambda connection: connection.execute(insert(experiment_offers), of))
    other = content({"feature": "purchases_28", "at_least": 2})
    said = {"by": "ann", "reason": "better so"}
    for refused in (
        tags.change("T", 1, other, deed(), **said),
        tags.retire("T", deed(), reason="no more"),
    ):
        with pytest.raises(NotPossible) as running:
            await refused
        assert "EXPERIMENT_RUNS" == running.value.reason
    assert 2 == (await tags.change("OTHER", 1, other, deed(), **said)).version
    over = update(experiments).values(state="ENDED")
    await db.write(lambda connection: connection.execute(over))
    assert 2 == (await tags.change("T", 1, other, deed(), **said)).version
