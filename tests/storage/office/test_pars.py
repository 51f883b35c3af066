"""Pars are set column by column, under one etag of the machine's."""

import asyncio

import pytest
from sqlalchemy import delete

from storage.database.engine import Database
from storage.office.deeds import Deed, EtagOutdated, NotPossible, NotThere
from storage.office.pars import Pars
from storage.tables import planogram_columns
from tests.storage.owner import Owner
from tests.storage.slow_commits import held_beside, on_postgres

BY = Deed(actor="ann", action="SetPars", now_ms=7)


async def test_pars_are_of_columns_of_the_planogram(db: Database) -> None:
    """Up to their capacity; 0 takes one away; with an old etag nothing is done, and of two people
    with one etag one wins.
    """
    await Owner.of(db, "VM-1")
    pars = Pars(db)
    with pytest.raises(NotThere, match="column VM-1/Z9"):
        await pars.set("VM-1", {"Z9": 1}, BY)
    with pytest.raises(NotThere, match="machine VM-9"):
        await pars.set("VM-9", {"A1": 1}, BY)
    with pytest.raises(NotPossible, match="room for 10, and a par of 11 is more: set a"):
        await pars.set("VM-1", {"A1": 11}, BY)
    first = await pars.set("VM-1", {"A1": 8, "A2": 6}, BY)
    assert [("A1", "cola", 8), ("A2", "tea", 6)] == [
        (one.column, one.product, one.par) for one in first.pars
    ]
    assert {"VM-1": first.pars} == await pars.of_some(["VM-1", "VM-9"])
    assert first == await pars.get("VM-1") == await pars.set("VM-1", {"A1": 8}, BY)
    both = [pars.set("VM-1", {"A1": par}, BY, etag=first.etag) for par in (5, 7)]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert 1 == sum(isinstance(one, EtagOutdated) for one in done)
    last = await pars.set("VM-1", {"A1": 0}, BY)
    assert ["A2"] == [one.column for one in last.pars]
    assert last.etag not in {first.etag, "0"}
    with pytest.raises(NotThere):
        await pars.get("VM-9")


async def test_the_par_of_a_column_that_is_gone_is_taken_away(db: Database) -> None:
    """It can only go: nobody sets another one of a column that is not there."""
    await Owner.of(db, "VM-1")
    pars = Pars(db)
    await pars.set("VM-1", {"A1": 8, "A2": 6}, BY)
    await db.write(
        lambda connection: connection.execute(
            delete(planogram_columns).where(planogram_columns.c.column == "A1")
        )
    )
    for par in (7, 8):
        with pytest.raises(NotThere, match="column VM-1/A1"):
            await pars.set("VM-1", {"A1": par}, BY)
    assert ["A2"] == [one.column for one in (await pars.set("VM-1", {"A1": 0}, BY)).pars]


@on_postgres
async def test_no_sale_waits_for_who_sets_pars(on_server: str) -> None:
    """Whatever else that transaction waits for."""
    async with held_beside(on_server) as (owner, gateway):
        setting = asyncio.create_task(Pars(gateway).set("VM-1", {"A1": 5}, BY))
        await gateway.written.wait()
        await owner.buy("VM-1")
        gateway.go_on.set()
        assert [5] == [one.par for one in (await setting).pars]
