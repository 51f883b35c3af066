"""Goods go from place to place, all of an errand or nothing, and never more than there is."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from actors.machine.events import GoodsMoved
from actors.machine.goods import FOUND, LOST, SUPPLIER, TEST, WASTE, GoodsKind, loading_place
from storage.database.engine import Database
from storage.office import goods as goods_storage
from storage.office.balances import balances_pages
from storage.office.deeds import Deed, NotPossible, NotThere
from storage.office.goods import (
    Errand,
    Goods,
    GoodsLine,
    kind_out_of_column,
)
from storage.office.move_lists import MovesWanted
from storage.office.product_content import ProductChange, ProductContent
from storage.office.products import Products
from storage.office.visits import Visits
from storage.tables import audit, goods_lots
from tests.storage.office.plans import goes_along
from tests.storage.owner import Owner

NORTH, VAN = "WAREHOUSE:north", "VAN:7"


def by(action: str = "TransferGoods", **more: Any) -> Deed:
    return Deed(actor="ann", action=action, now_ms=7, **more)


def cola(quantity: int, lot: str = "L1", **terms: Any) -> GoodsLine:
    return GoodsLine(product="cola", lot=lot, quantity=quantity, **terms)


def errand(
    cause: str, *lines: GoodsLine, come_from: str = NORTH, to: str = VAN, **more: Any
) -> Errand:
    return Errand(cause=cause, from_place=come_from, to_place=to, lines=lines, **more)


@pytest.fixture
async def goods(db: Database) -> Goods:
    """Give goods with a catalogue of one product, ten of which are in a warehouse."""
    await Products(db).create("cola", ProductContent(), by())
    made = Goods(db)
    await made.carry(errand("r", cola(10), come_from=SUPPLIER, to=NORTH), by())
    return made


async def there(goods: Goods) -> dict[tuple[str, str, str], int]:
    """Return what is where."""
    rows = await goods.balances(after=("", "", ""), limit=100)
    return {row.key: row.quantity for row in rows}


async def test_goods_are_where_they_went(goods: Goods, db: Database) -> None:
    """The answer says what is at both places; the audit log who did it."""
    answer = await goods.carry(errand("m", cola(4), visit="v", reason="route 3"), by())
    assert [(NORTH, 6), (VAN, 4)] == [(one.place, one.quantity) for one in answer]
    assert {(NORTH, "cola", "L1"): 6, (VAN, "cola", "L1"): 4} == await there(goods)
    rows = select(audit.c.detail).order_by(audit.c.id.desc()).limit(1)
    said = await db.read(lambda connection: connection.scalar(rows))
    assert f"4 cola of lot L1 from {NORTH} to {VAN}: route 3" == said


@pytest.mark.slow_on_postgres
async def test_an_errand_is_run_once(goods: Goods) -> None:
    """Again it moves nothing, and says what is there."""
    for _ in range(2):
        answer = await goods.carry(errand("m", cola(4)), by())
        assert [6, 4] == [one.quantity for one in answer]


@pytest.mark.slow_on_postgres
async def test_two_people_move_the_last_box(goods: Goods) -> None:
    """At once, to two vans: one of them has it, the other hears what is there."""
    done = await asyncio.gather(
        goods.carry(errand("m1", cola(10)), by()),
        goods.carry(errand("m2", cola(10), to="VAN:8"), by()),
        return_exceptions=True,
    )
    refused = [one for one in done if isinstance(one, NotPossible)]
    assert ["NOT_ENOUGH_GOODS"] == [one.reason for one in refused]
    assert [10] == list((await there(goods)).values())


@pytest.mark.slow_on_postgres
async def test_one_line_too_many_refuses_all(goods: Goods) -> None:
    """Another lot than there is, or none, beside one that is there."""
    for lot, said in (("L9", "of lot L9"), ("", "without a lot")):
        with pytest.raises(NotPossible, match=f"has 0 cola {said}, not 1"):
            await goods.carry(errand("m", cola(1), cola(1, lot)), by())
    assert {(NORTH, "cola", "L1"): 10} == await there(goods)


@pytest.mark.slow_on_postgres
async def test_what_is_only_checked_is_not_done(goods: Goods) -> None:
    """It answers as if it were done, and refuses what would be."""
    answer = await goods.carry(errand("m", cola(4)), by(only_check=True))
    assert [6, 4] == [one.quantity for one in answer]
    with pytest.raises(NotPossible):
        await goods.carry(errand("m", cola(11)), by(only_check=True))
    assert {(NORTH, "cola", "L1"): 10} == await there(goods)


@pytest.mark.parametrize(
    ("come_from", "to", "kind"),
    [
        (SUPPLIER, NORTH, GoodsKind.RECEIVED),
        (NORTH, VAN, GoodsKind.TRANSFERRED),
        (NORTH, WASTE, GoodsKind.WASTED),
        (NORTH, LOST, GoodsKind.COUNTED),
        (FOUND, NORTH, GoodsKind.COUNTED),
    ],
)
async def test_the_places_say_why(goods: Goods, come_from: str, to: str, kind: GoodsKind) -> None:
    """Where goods come from and go is the kind of the move."""
    await goods.carry(errand("m", cola(2), come_from=come_from, to=to), by())
    newest = (await goods.moves(MovesWanted(), before=None, limit=1))[0]
    assert (kind.value, "m/0", 2) == (newest.kind, newest.cause, newest.quantity)
    assert GoodsKind.TESTED == kind_out_of_column(TEST)
    assert GoodsKind.UNLOADED == kind_out_of_column(VAN)


async def test_a_lot_is_one_lot(goods: Goods, db: Database) -> None:
    """Its day and its cost are kept once; the same name with others is refused."""
    terms: dict[str, Any] = {
        "expires_on": "2027-01-31",
        "unit_cost_minor": 120,
        "currency": "HKD",
    }
    for number in range(2):
        came = errand(f"n{number}", cola(1, "L2", **terms), come_from=SUPPLIER, to=NORTH)
        await goods.carry(came, by())
    rows = await db.read(lambda connection: connection.execute(select(goods_lots)).all())
    assert [("L1", ""), ("L2", "2027-01-31")] == sorted((row.lot, row.expires_on) for row in rows)
    other = errand("n9", cola(1, "L2"), come_from=SUPPLIER, to=NORTH)
    with pytest.raises(NotPossible, match="lot L2 of cola came before with expires_on 2027-01-31"):
        await goods.carry(other, by())


@pytest.mark.slow_on_postgres
async def test_only_the_catalogue_is_bought(goods: Goods, db: Database) -> None:
    """A product that nobody made, or that is archived, is refused."""
    tea = GoodsLine(product="tea", quantity=1)
    with pytest.raises(NotThere, match="product tea"):
        await goods.carry(errand("t", tea, come_from=SUPPLIER, to=NORTH), by())
    await Products(db).change("cola", ProductChange(archived=True), by())
    with pytest.raises(NotPossible, match="is archived"):
        await goods.carry(errand("a", cola(1), come_from=SUPPLIER, to=NORTH), by())


async def test_an_act_is_seen_from_its_beginning_to_its_end(goods: Goods, db: Database) -> None:
    """Its goods wait, then the machine has them; a refusal is seen too."""
    owner = await Owner.of(db, "VM-1")
    place = loading_place("act")
    await goods.carry(errand("act", cola(2), to=place, machine_id="VM-1"), by())
    seen = await goods.act("VM-1", "A1", GoodsKind.LOADED, "act", "cola", "L1")
    assert (2, False, False) == (seen.waiting, seen.done, seen.refused)
    event = GoodsMoved(
        kind=GoodsKind.LOADED,
        cause="act",
        version=seen.version,
        column="A1",
        product="cola",
        quantity=2,
        into=True,
        place=place,
        lot="L1",
    )
    await owner.do("VM-1", event)
    seen = await goods.act("VM-1", "A1", GoodsKind.LOADED, "act", "cola", "L1")
    assert (0, True, False) == (seen.waiting, seen.done, seen.refused)
    assert seen.column is not None
    assert 7 == seen.column.stock
    many = GoodsMoved(**{**_fields(event), "cause": "much", "quantity": 99})
    await owner.do("VM-1", many)
    assert (await goods.act("VM-1", "A1", GoodsKind.LOADED, "much", "cola")).refused
    with pytest.raises(NotThere, match="machine VM-9"):
        await goods.act("VM-9", "A1", GoodsKind.LOADED, "act", "cola")


def _fields(event: GoodsMoved) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__}


async def test_what_was_believed_is_known_for_a_while(db: Database) -> None:
    """At each version of the machine, of the column's own product."""
    owner, goods = await Owner.of(db, "VM-1"), Goods(db)
    before = owner.states["VM-1"].version
    await owner.buy("VM-1")
    assert 5 == await goods.believed("VM-1", "A1", "cola", before)
    assert 4 == await goods.believed("VM-1", "A1", "cola", 0)
    for column, product in (("A1", "tea"), ("Z9", "cola")):
        with pytest.raises(NotThere):
            await goods.believed("VM-1", column, product, 0)
    with pytest.raises(NotPossible, match="not 999 yet"):
        await goods.believed("VM-1", "A1", "cola", 999)


@pytest.mark.slow_on_postgres
async def test_a_count_is_too_late_whoever_moved_goods_since(
    goods: Goods, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The office's moves for the machine are among those that are looked at, and hide none."""
    owner = await Owner.of(db, "VM-1")
    before = owner.states["VM-1"].version
    monkeypatch.setattr(goods_storage, "SINCE_MAX", 2)
    for number in range(1, 4):
        await owner.buy("VM-1", number)
        await goods.carry(
            errand(f"o{number}", cola(1), to=f"LOADING:{number}", machine_id="VM-1"), by()
        )
    with pytest.raises(NotPossible, match="count again") as refused:
        await goods.believed("VM-1", "A1", "cola", before)
    assert "COUNT_TOO_OLD" == refused.value.reason
    newest = owner.states["VM-1"].version
    assert 2 == await goods.believed("VM-1", "A1", "cola", newest)


async def in_stores(goods: Goods) -> tuple[int, int]:
    """How many cola are in the warehouse and in the van."""
    now = await there(goods)
    return now.get((NORTH, "cola", "L1"), 0), now.get((VAN, "cola", "L1"), 0)


@pytest.mark.slow_on_postgres
async def test_what_comes_to_a_closed_visit_follows_into_its_van(
    goods: Goods, db: Database
) -> None:
    """Once; to an open one it is left, and what somebody took from there stays where it is."""
    await Owner.of(db, "VM-1")
    visits = Visits(db)
    await visits.open("v", "VM-1", VAN, by("OpenVisit"))
    late = errand("late", cola(2), come_from="VISIT:v", to="", visit="v", machine_id="VM-1")
    assert "VISIT:v" == await goods.follow(late, by())
    await visits.close("v", [], [], by("CloseVisit"))
    await goods.carry(errand("came", cola(2), to="VISIT:v", visit=""), by())
    for _ in range(2):
        assert VAN == await goods.follow(late, by())
        assert (8, 2) == await in_stores(goods)
    gone = errand("gone", cola(2), come_from="VISIT:v", to="", visit="v", machine_id="VM-1")
    assert VAN == await goods.follow(gone, by())
    assert (8, 2) == await in_stores(goods)


async def test_pages_follow_on_one_another(goods: Goods) -> None:
    """Moves from the newest on, balances in the order of their places."""
    for number in range(5):
        await goods.carry(errand(f"m{number}", cola(1), to=f"VAN:{number}", visit="v"), by())
    moves, before = [], None
    while page := await goods.moves(MovesWanted(visit="v"), before=before, limit=2):
        moves += [row.cause for row in page]
        before = page[-1].id
    assert [f"m{number}/0" for number in reversed(range(5))] == moves
    for about in ({}, {"product": "cola"}):
        places, after = [], ("", "", "")
        while rows := await goods.balances(after=after, limit=2, **about):
            places += [row.place for row in rows]
            after = rows[-1].key
        assert [*(f"VAN:{number}" for number in range(5)), NORTH] == places


INDEXES: tuple[tuple[tuple[str, str, str], str], ...] = (
    (("", "", ""), "place"),
    (("VAN:7", "", ""), "place"),
    (("", "VM-1", ""), "machine"),
    (("", "", "cola"), "product"),
)


async def test_pages_of_balances_go_along_an_index(db: Database, subtests: pytest.Subtests) -> None:
    """Of all places, of one, of a machine or of a product, at any depth; what arrived too."""
    for about, index in INDEXES:
        with subtests.test(about=about):
            counted, arrived = balances_pages(*about, ("a", "b", "c"), 10)
            key = "goods_balances_key" if index == "place" else f"goods_balances_by_{index}"
            await goes_along(db, counted, key)
            await goes_along(db, arrived, f"goods_arrivals_by_{index}")
