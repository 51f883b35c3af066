"""What is told of sales is proved, and whatever is wrong about it is found."""

from functools import partial

import pytest
from sqlalchemy import Connection, Table, Update, delete, insert, update

from actors.machine.events import VendSucceeded
from storage.database.engine import Database
from storage.insight.proving import prove_facts
from storage.tables import (
    followers,
    journal,
    kept_transfers,
    offer_days,
    sale_facts,
    sales_days,
    sales_hours,
    scope_days,
    scope_hours,
    scope_offers,
    starts,
)
from tests.storage.insight.shop import follower, rows, sold
from tests.storage.offered import chooses, give, with_a_customer

START = {"digest": "", "at_ms": 1, "from_day": 0, "balances": "{}", "link": "{}"}


@pytest.mark.slow_on_postgres
async def test_at_every_position_it_is_what_the_ledger_says(db: Database) -> None:
    """Before anybody followed, in the middle and at the end."""
    owner = await sold(db, "VM-1", "VM-2", times=1)
    ours = follower(db, lines_at_once=4)
    told, goes_on = [0], True
    while goes_on:
        goes_on = await ours.once()
        proof = await prove_facts(db)
        assert () == proof.findings
        told.append(proof.told.get("HKD", 0))
    await owner.buy("VM-1", 2)
    proof = await prove_facts(db)
    assert () == proof.findings
    assert {0, 500, 1_000} == set(told)
    assert (2, 1_000, {}) == (proof.facts, proof.told["HKD"], proof.untold)
    assert not proof.making_again
    await ours.rebuild()
    assert (await prove_facts(db)).making_again


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (
            update(sale_facts).where(sale_facts.c.machine_id == "VM-2").values(sales_minor=501),
            "machine VM-2 has sold for 500 HKD minor units by the ledger, and for 501 by its facts",
        ),
        (update(sale_facts).values(position=9_999), "2 facts are of lines behind the follower's"),
        (
            update(sales_days).where(sales_days.c.machine_id == "VM-1").values(units=2),
            "sales_days VM-1 20260101 cola HKD: units 2 (kept) for 1 (added)",
        ),
        (update(sales_hours).values(sales_minor=1), "sales_hours VM-1 20260101 0 HKD: units 1"),
        (update(scope_days).values(given_back_minor=1), "scope_days FLEET  20260101 cola HKD"),
        (update(scope_hours).values(units=7), "scope_hours SITE_TYPE  20260101 0 HKD: units 7"),
        (update(followers).values(position=3), "has sold for 0 HKD minor units by the ledger"),
    ],
)
async def test_what_is_wrong_is_found(db: Database, wrong: Update, said: str) -> None:
    """Whoever changed it, by one cent or one item."""
    await sold(db, "VM-1", "VM-2", times=1)
    await follower(db).catch_up()
    assert () == (await prove_facts(db)).findings
    await db.write(lambda connection: connection.execute(wrong))
    findings = (await prove_facts(db)).findings
    assert any(said in one for one in findings), findings


async def sold_with_an_offer(db: Database) -> None:
    """A cola for 4.50 instead of 5.00, of which the follower has told."""
    await give(db)
    owner = await with_a_customer(db, "VM-1")
    await owner.do("VM-1", chooses(owner, "VM-1"))
    vend = owner.states["VM-1"].session.vend  # type: ignore[union-attr]
    success = VendSucceeded(vend_id=vend.vend_id)  # type: ignore[union-attr]
    await owner.do("VM-1", owner.frame("VM-1", success))
    await follower(db).catch_up()


@pytest.mark.slow_on_postgres
async def test_a_fact_knows_the_offer_of_its_vend(db: Database) -> None:
    """The books say which, and the sums by offer are made of it; all of it is the same when it is
    made again.
    """
    await sold_with_an_offer(db)
    (one,) = await rows(db, sale_facts)
    assert "fifty" == dict(zip(sale_facts.c.keys(), one, strict=True))["offer"]
    day = ("fifty", "HKD", 1, 450, 50)
    assert [day] == [row[2:] for row in await rows(db, offer_days)]
    assert [day] * 3 == [row[3:] for row in await rows(db, scope_offers)]
    assert () == (await prove_facts(db)).findings
    ours = follower(db, "f2")
    await ours.rebuild()
    await ours.catch_up()
    assert [one] == await rows(db, sale_facts)
    assert [day] * 3 == [row[3:] for row in await rows(db, scope_offers)]
    assert () == (await prove_facts(db)).findings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (update(sale_facts).values(offer=""), "has the offer '', and its vend has 'fifty'"),
        (update(sale_facts).values(offer="tea"), "has the offer 'tea', and its vend has 'fifty'"),
        (update(sale_facts).values(offer=None), "offer_days VM-1 20260101 fifty HKD: units 1"),
        (update(offer_days).values(discount_minor=49), "discount_minor 49 (kept) for 50 (added)"),
        (update(scope_offers).values(units=2), "scope_offers FLEET  20260101 fifty HKD: units 2"),
    ],
)
async def test_a_wrong_offer_is_found(db: Database, wrong: Update, said: str) -> None:
    """In a fact, or in sums."""
    await sold_with_an_offer(db)
    await db.write(lambda connection: connection.execute(wrong))
    findings = (await prove_facts(db)).findings
    assert any(said in one for one in findings), findings


async def test_a_fact_of_a_program_of_before_says_nothing_of_offers(db: Database) -> None:
    """That is no fault: nobody has counted it by its offer."""
    await sold_with_an_offer(db)
    for work in (update(sale_facts).values(offer=None), delete(offer_days), delete(scope_offers)):
        await db.write(lambda connection, work=work: connection.execute(work))  # type: ignore[misc]
    assert () == (await prove_facts(db)).findings


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("table", [sale_facts, sales_days, sales_hours, scope_days, scope_hours])
async def test_what_is_missing_is_found(db: Database, table: Table) -> None:
    """A fact, or a row of sums."""
    await sold(db, "VM-1", times=1)
    await follower(db).catch_up()
    await db.write(lambda connection: connection.execute(delete(table)))
    assert (await prove_facts(db)).findings


def _archive(connection: Connection, version: int) -> None:
    start = {**START, "machine_id": "VM-1", "version": version}
    connection.execute(insert(starts), start)
    for table in (kept_transfers, journal):
        ours = (table.c.machine_id == "VM-1", table.c.version <= version)
        connection.execute(delete(table).where(*ours))


@pytest.mark.parametrize("followed", [True, False])
async def test_what_was_archived_is_proved_by_the_balances(db: Database, followed: bool) -> None:
    """Facts of it are what those lines moved; where there are none, it is told how much that is."""
    await sold(db, "VM-1")
    ours = follower(db)
    if followed:
        await ours.catch_up()
        version = int(str((await rows(db, sale_facts))[0][1]))
    else:
        version = 6
    await db.write(partial(_archive, version=version))
    await ours.catch_up()
    proof = await prove_facts(db)
    assert () == proof.findings
    expected = ({}, 1_000) if followed else ({"HKD": 500}, 500)
    assert expected == (proof.untold, proof.told["HKD"])
    if followed:
        less = update(sale_facts).where(sale_facts.c.version == version).values(sales_minor=499)
        await db.write(lambda connection: connection.execute(less))
        said = "for 500 HKD minor units by its archived lines, and for 499"
        assert any(said in one for one in (await prove_facts(db)).findings)
