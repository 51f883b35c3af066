"""Visits are opened once, closed once, and listed along indexes."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from actors.machine.goods import FOUND, SUPPLIER
from storage.database.engine import Database
from storage.fleet.changes import etag_of
from storage.office.deeds import AlreadyThere, Deed, EtagOutdated, NotPossible, NotThere
from storage.office.goods import Errand, Goods, GoodsLine
from storage.office.product_content import ProductContent
from storage.office.products import Products
from storage.office.visits import ACCOUNTED_MAX, Visits, VisitsWanted, visits_page
from storage.tables import audit, goods_balances
from tests.storage.office.plans import goes_along
from tests.storage.owner import Owner
from tests.storage.slow_commits import held_beside, on_postgres

VAN = "VAN:7"


def by(actor: str = "ann", **more: object) -> Deed:
    """Return who visits."""
    return Deed(actor=actor, action="OpenVisit", now_ms=7, **more)  # type: ignore[arg-type]  # each as it is named


INDEXES: tuple[tuple[VisitsWanted, str], ...] = (
    (VisitsWanted(), "visits_key"),
    (VisitsWanted(machine_id="VM-1"), "visits_by_machine_id_id"),
    (VisitsWanted(van=VAN), "visits_by_van_id"),
    (VisitsWanted(open=True), "visits_open"),
)


async def test_pages_go_along_an_index(db: Database, subtests: pytest.Subtests) -> None:
    """Whatever is asked for, at any depth."""
    for wanted, index in INDEXES:
        with subtests.test(wanted=wanted):
            names = () if index == "visits_key" else (index,)  # SQLite's own has no name
            await goes_along(db, visits_page(wanted, 77, 10), *names)


async def test_a_visit_is_one_persons(db: Database) -> None:
    """Again it is the same; by another one, elsewhere or under another name it is refused, and of
    two people at once one wins. It is closed once, by who saw its last state, when all is
    accounted for and nothing is on its way.
    """
    await Owner.of(db, "VM-1", "VM-2")
    made = Visits(db)
    assert "ann" == (await made.open("v", "VM-1", VAN, by(only_check=True))).opened_by
    first = await made.open("v", "VM-1", VAN, by())
    again = await made.open("v", "VM-1", VAN, by())
    assert first == replace(again, id=0)
    for actor, machine_id, van in (
        ("bob", "VM-1", VAN),
        ("ann", "VM-2", VAN),
        ("ann", "VM-1", "x"),
    ):
        with pytest.raises(AlreadyThere, match="by ann"):
            await made.open("v", machine_id, van, by(actor))
    with pytest.raises(NotPossible, match="v by ann is open"):
        await made.open("w", "VM-1", VAN, by("bob"))
    with pytest.raises(NotThere, match="machine VM-9"):
        await made.open("w", "VM-9", VAN, by())
    both = [made.open(name, "VM-2", VAN, by(name)) for name in ("x", "y")]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert 1 == sum(isinstance(one, NotPossible) for one in done)

    await Products(db).create("cola", ProductContent(), by())
    goods, line = Goods(db), GoodsLine(product="cola", quantity=4)
    for cause, come_from, to in (("1", SUPPLIER, VAN), ("2", VAN, "VISIT:v")):
        await goods.carry(
            Errand(cause=cause, from_place=come_from, to_place=to, lines=[line], visit="v"), by()
        )
    away = Errand(cause="3", from_place="VISIT:v", to_place="LOADING:x", lines=[line], visit="v")
    await goods.carry(away, by())
    with pytest.raises(NotPossible, match="on their way"):
        await made.close("v", [], [], by())
    home = Errand(cause="4", from_place="LOADING:x", to_place="VISIT:v", lines=[line], visit="v")
    await goods.carry(home, by())
    with pytest.raises(NotPossible, match="4 cola more than was said"):
        await made.close("v", [], [], by())
    with pytest.raises(NotPossible, match="1 cola fewer"):
        await made.close("v", [line], [GoodsLine(product="cola", quantity=1)], by())
    with pytest.raises(EtagOutdated):
        await made.close("v", [line], [], by(), etag=etag_of(2))
    account = await made.close("v", [line], [], by("bob"), etag=etag_of(1))
    assert ("bob", 7) == (account.visit.closed_by, account.visit.closed_at_ms)
    assert [(4, 4)] == [(one.taken, one.returned) for one in account.lines]
    with pytest.raises(NotPossible, match="closed by bob"):
        await made.close("v", [], [], by())
    with pytest.raises(NotThere):
        await made.account("z")
    shown = await made.page(VisitsWanted(machine_id="VM-1"), before=None, limit=9)
    assert ["v"] == [one.visit for one in shown]


async def test_what_nobody_can_account_for_keeps_its_visit_open(db: Database) -> None:
    """More kinds of goods than one call may name: nothing of them is left behind unseen."""
    await Owner.of(db, "VM-1")
    await Visits(db).open("v", "VM-1", VAN, by())
    lines = [
        GoodsLine(product="cola", lot=f"L{number:03}", quantity=1)
        for number in range(ACCOUNTED_MAX + 1)
    ]
    goods = Goods(db)
    for start in (0, 200, 400):
        some, cause = lines[start : start + 200], f"t{start}"
        found = Errand(cause=cause, from_place=FOUND, to_place="VISIT:v", lines=some, visit="v")
        await goods.carry(found, by())
    with pytest.raises(NotPossible, match="TransferGoods brings some") as refused:
        await Visits(db).close("v", lines[:ACCOUNTED_MAX], [], by())
    assert "VISIT_NOT_ACCOUNTED" == refused.value.reason
    home = Errand(cause="h", from_place="VISIT:v", to_place=VAN, lines=lines[-1:], visit="v")
    await goods.carry(home, by())
    await Visits(db).close("v", lines[:ACCOUNTED_MAX], [], by())
    assert [] == await goods.balances(place="VISIT:v", after=("", "", ""), limit=1)


@pytest.mark.slow_on_postgres
async def test_the_reason_of_a_closing_is_said_once(db: Database) -> None:
    """In the audit log."""
    await Owner.of(db, "VM-1")
    made = Visits(db)
    await made.open("v", "VM-1", VAN, by())
    await made.close("v", [], [], by(), reason="the end of the day")
    said = await db.read(lambda connection: connection.scalars(select(audit.c.detail)).all())
    assert 1 == sum(one.count("the end of the day") for one in said)


@pytest.mark.slow_on_postgres
@on_postgres
async def test_no_sale_waits_for_who_opens_a_visit(on_server: str) -> None:
    """Whatever else that transaction waits for: the machine's host saves all its machines at
    once.
    """
    async with held_beside(on_server) as (owner, gateway):
        opening = asyncio.create_task(Visits(gateway).open("v", "VM-1", VAN, by()))
        await gateway.written.wait()
        await owner.buy("VM-1")
        gateway.go_on.set()
        assert "v" == (await opening).visit


async def test_nothing_is_kept_of_the_place_of_a_visit_that_is_over(db: Database) -> None:
    """Lists of balances would have to pass it for ever."""
    await Owner.of(db, "VM-1")
    visits, goods = Visits(db), Goods(db)
    await visits.open("v", "VM-1", VAN, by())
    lines = [GoodsLine(product="cola", quantity=2), GoodsLine(product="tea", quantity=1)]
    for number, (come_from, to) in enumerate(((FOUND, VAN), (VAN, "VISIT:v"))):
        moved = Errand(cause=str(number), from_place=come_from, to_place=to, lines=lines)
        await goods.carry(moved, by())
    await visits.close("v", lines[:1], lines[1:], by())
    place = goods_balances.c.place
    rows = await db.read(lambda connection: connection.scalars(select(place).distinct()).all())
    assert {VAN} == {row for row in rows if not row.startswith("COLUMN:")}
