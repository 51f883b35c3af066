"""The catalogue keeps what it is given, and says who gave it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select

from actors.machine.ids import Currency, MachineId
from actors.machine.state import Column
from storage.database.engine import Database
from storage.fleet.answers import Answers, Asked, Claim
from storage.fleet.joining import NewMachine
from storage.fleet.registry import Registry
from storage.office import products as catalogue
from storage.office.deeds import AlreadyThere, Deed, EtagOutdated, NotPossible, NotThere
from storage.office.product_content import ProductChange, ProductContent
from storage.office.product_rows import ProductView
from storage.office.products import Products, ProductsWanted, Wish, products_page
from storage.tables import audit, products
from tests.storage.office.plans import goes_along

COLA = ProductContent(
    names={"en": "Cola", "zh-HK": "可樂"},
    category="drinks",
    tax_class="standard",
    barcode="4006381333931",
    shelf_life_days=270,
    unit_cost_minor=210,
    unit_cost_currency="HKD",
    image_sha256="a" * 64,
)
EVERY = ProductsWanted(archived=True)


def by(actor: str = "ann", *, action: str = "CreateProduct", now_ms: int = 7, **more: Any) -> Deed:
    return Deed(actor=actor, action=action, now_ms=now_ms, **more)


async def details(db: Database) -> list[str]:
    """What the audit log says of the catalogue."""
    rows = select(audit.c.detail).where(audit.c.machine_id == "").order_by(audit.c.id)
    return await db.read(lambda connection: list(connection.scalars(rows)))


async def made(db: Database, *codes: str) -> None:
    for code in codes:
        await Products(db).create(code, ProductContent(category="drinks"), by())


async def listed(db: Database, **wanted: Any) -> list[str]:
    rows = await Products(db).page(ProductsWanted(**wanted), limit=100)
    return [row.product for row in rows]


@pytest.mark.slow_on_postgres
async def test_a_product_is_kept_as_it_was_given(db: Database) -> None:
    """All of it, in every language."""
    made = await Products(db).create("cola", COLA, by())
    expected = ProductView(
        product="cola",
        content=COLA,
        revision=1,
        created_at_ms=7,
        updated_at_ms=7,
        archived_at_ms=None,
    )
    assert expected == made
    assert expected == await Products(db).get("cola")


@pytest.mark.slow_on_postgres
async def test_a_new_product_is_in_the_audit_log(db: Database) -> None:
    """What was given is said; what was not is left out."""
    await Products(db).create("cola", ProductContent(names={"en": "Cola"}, category="drinks"), by())
    await Products(db).create("bare", ProductContent(), by())
    assert [
        "product cola: name en none -> 'Cola'; category none -> 'drinks'",
        "product bare: made",
    ] == await details(db)


@pytest.mark.slow_on_postgres
async def test_a_product_is_made_once(db: Database) -> None:
    """Again with the same content it is the same; other content is refused, with what differs."""
    first = await Products(db).create("cola", COLA, by())
    assert first == await Products(db).create("cola", COLA, by("bob", now_ms=8))
    with pytest.raises(AlreadyThere) as refused:
        await Products(db).create("cola", ProductContent(names=COLA.names), by())
    assert "category 'drinks' -> none; tax_class 'standard' -> none" in refused.value.detail
    assert 1 == len(await details(db))


@pytest.mark.slow_on_postgres
async def test_what_is_not_there_is_said(db: Database) -> None:
    """It is not the same as an empty product."""
    with pytest.raises(NotThere):
        await Products(db).get("cola")
    with pytest.raises(NotThere):
        await Products(db).change("cola", ProductChange(archived=True), by())


@pytest.mark.slow_on_postgres
async def test_a_change_sets_what_it_names(db: Database) -> None:
    """The rest stays, names too, and the audit log says what differs."""
    await Products(db).create("cola", COLA, by())
    change = ProductChange(plain={"category": "soft drinks"}, some_names={"en": "", "de": "Cola"})
    after = await Products(db).change("cola", change, by(now_ms=9))
    content = replace(COLA, category="soft drinks", names={"zh-HK": "可樂", "de": "Cola"})
    assert (content, 2, 7, 9) == (
        after.content,
        after.revision,
        after.created_at_ms,
        after.updated_at_ms,
    )
    assert after == await Products(db).get("cola")
    assert (
        "product cola: name de none -> 'Cola'; name en 'Cola' -> none; "
        "category 'drinks' -> 'soft drinks'" == (await details(db))[-1]
    )


@pytest.mark.slow_on_postgres
async def test_a_change_that_changes_nothing_makes_no_etag(db: Database) -> None:
    """Nobody else's etag goes stale, and the audit log gets no row."""
    await Products(db).create("cola", COLA, by())
    same = ProductChange(plain={"category": "drinks"}, names=COLA.names, archived=False)
    assert 1 == (await Products(db).change("cola", same, by(now_ms=9))).revision
    assert 1 == len(await details(db))


@pytest.mark.slow_on_postgres
async def test_of_two_with_one_etag_one_wins(db: Database) -> None:
    """At the same time, on both databases."""
    await Products(db).create("cola", COLA, by())

    async def rename(name: str) -> str:
        change = ProductChange(names={"en": name})
        try:
            await Products(db).change("cola", change, by(name), etag="1")
        except EtagOutdated as error:
            return f"stale {error.etag}"
        return name

    ends = await asyncio.gather(rename("A"), rename("B"))
    (winner,) = (one for one in ends if not one.startswith("stale"))
    assert ["stale 2"] == [one for one in ends if one != winner]
    assert {"en": winner} == (await Products(db).get("cola")).content.names


async def test_what_is_archived_is_kept(db: Database) -> None:
    """It is not listed unless it is asked for, can be read and comes back."""
    await made(db, "cola", "water")
    deed = by(action="ArchiveProduct", now_ms=9)
    gone = await Products(db).change("cola", ProductChange(archived=True), deed, why="too sweet")
    assert 9 == gone.archived_at_ms
    assert (["water"], ["cola", "water"]) == (await listed(db), await listed(db, archived=True))
    back = await Products(db).change("cola", ProductChange(archived=False), by())
    assert (None, 3) == (back.archived_at_ms, back.revision)
    assert [
        "product cola: archived no -> yes; too sweet",
        "product cola: archived yes -> no",
    ] == (await details(db))[2:]


async def test_a_list_is_of_those_that_are_asked_for(db: Database) -> None:
    """By a part of a code or a name, by category, by barcode."""
    await Products(db).create("cola", COLA, by())
    await Products(db).create("gum_1", ProductContent(names={"en": "Gum"}), by())
    assert ["cola", "gum_1"] == await listed(db)
    assert ["cola"] == await listed(db, text="可")
    assert ["gum_1"] == await listed(db, text="GUM")
    assert ["gum_1"] == await listed(db, text="_")
    assert ["cola"] == await listed(db, category="drinks")
    assert ["cola"] == await listed(db, barcode="4006381333931")
    assert [] == await listed(db, text="cola", category="snacks")


@pytest.mark.slow_on_postgres
async def test_pages_go_on_behind_a_code(db: Database) -> None:
    """Each product is on one page."""
    await made(db, "a", "b", "c")
    first = await Products(db).page(EVERY, limit=2)
    rest = await Products(db).page(EVERY, after=first[-1].product, limit=2)
    assert ["a", "b", "c"] == [one.product for one in (*first, *rest)]


INDEXES: tuple[tuple[ProductsWanted, str], ...] = (
    (EVERY, "products_key"),
    (ProductsWanted(), "products_key"),
    (ProductsWanted(text="a", archived=True), "products_key"),
    (ProductsWanted(category="c"), "products_by_category_product"),
    (ProductsWanted(barcode="96385074"), "products_by_barcode_product"),
)


async def test_a_page_goes_along_an_index(db: Database, subtests: pytest.Subtests) -> None:
    """It costs the same at any depth: nothing is sorted, nothing is gone through from the start."""
    for wanted, index in INDEXES:
        with subtests.test(wanted=wanted):
            await goes_along(db, products_page(wanted, "m", 51), index)


def wishes(**changes: ProductChange) -> Sequence[Wish]:
    return [Wish(product=name, change=change) for name, change in changes.items()]


@pytest.mark.slow_on_postgres
async def test_a_file_makes_and_changes_products(db: Database) -> None:
    """Each with its row in the audit log, if anything differs."""
    await made(db, "cola", "water")
    deed = by(action="ImportProducts", now_ms=9)
    done = await Products(db).change_all(
        wishes(
            cola=ProductChange(plain={"category": "soda"}, some_names={"en": "Cola"}),
            water=ProductChange(plain={"category": "drinks"}),
            gum=ProductChange(plain={"category": "snacks"}, archived=True),
        ),
        deed,
    )
    assert ["name en none -> 'Cola'; category 'drinks' -> 'soda'", ""] == [
        one.said for one in done[:2]
    ]
    assert [one.after for one in done] == [
        await Products(db).get(one) for one in ("cola", "water", "gum")
    ]
    assert (None, 9) == (done[2].before, done[2].after.archived_at_ms)
    assert [
        "product cola: name en none -> 'Cola'; category 'drinks' -> 'soda'",
        "product gum: category none -> 'snacks'; archived no -> yes",
    ] == (await details(db))[2:]


@pytest.mark.slow_on_postgres
async def test_a_file_is_done_whole_or_not_at_all(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One product too many, and nothing is changed."""
    monkeypatch.setattr(catalogue, "PRODUCTS_MAX", 2)
    await made(db, "cola")
    change = ProductChange(plain={"category": "soda"})
    with pytest.raises(NotPossible, match="holds 2 products at most"):
        await Products(db).change_all(wishes(cola=change, gum=change, water=change), by())
    assert [("cola", "drinks")] == [
        (one.product, one.content.category) for one in await Products(db).page(EVERY, limit=9)
    ]
    await Products(db).change_all(wishes(cola=change, gum=change), by())
    with pytest.raises(NotPossible):
        await made(db, "water")


@pytest.mark.slow_on_postgres
async def test_a_file_that_is_only_checked_changes_nothing(db: Database) -> None:
    """It says what it would do."""
    change = ProductChange(plain={"category": "soda"})
    (outcome,) = await Products(db).change_all(wishes(cola=change), by(only_check=True))
    assert (None, "category none -> 'soda'") == (outcome.before, outcome.said)
    assert [] == await listed(db)


@pytest.mark.slow_on_postgres
async def test_names_have_a_bound(db: Database) -> None:
    """Also if they come one by one."""
    languages = [f"a{chr(97 + place)}" for place in range(17)]
    some = ProductChange(some_names=dict.fromkeys(languages[:16], "x"))
    await made(db, "cola")
    await Products(db).change("cola", some, by())
    with pytest.raises(NotPossible, match="17 languages"):
        await Products(db).change("cola", ProductChange(some_names={languages[16]: "x"}), by())


async def a_machine(db: Database, machine_id: str, *texts: str) -> None:
    """Register a machine whose planogram has these texts for products."""
    columns = tuple(
        Column(column=f"A{place}", product=text, price_minor=1, capacity=1, stock=0)
        for place, text in enumerate(texts)
    )
    new = NewMachine(
        machine_id=MachineId(machine_id),
        store_name="Lobby",
        currency=Currency("HKD"),
        country_code="HK",
        address="",
        columns=columns,
    )
    await Registry(db).register(new, actor="test", now_ms=1)


@pytest.mark.slow_on_postgres
async def test_what_planograms_have_is_adopted(db: Database) -> None:
    """Each text once, but for those that the catalogue has or that cannot be a code."""
    await made(db, "cola")
    await a_machine(db, "VM-1", "cola", "可乐 330ml", " gum", "")
    await a_machine(db, "VM-2", "可乐 330ml", "tea")
    shown = await Products(db).adopt(by(only_check=True))
    done = await Products(db).adopt(by(action="AdoptProducts"))
    assert shown == done
    assert ({"tea", "可乐 330ml"}, (" gum",), False) == (set(done.made), done.not_made, done.more)
    assert {"cola", "tea", "可乐 330ml"} == set(await listed(db))
    assert () == (await Products(db).adopt(by())).made


async def test_adopting_goes_on(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some at a time, until no text is left."""
    monkeypatch.setattr(catalogue, "ADOPTED_MAX", 2)
    await a_machine(db, "VM-1", "a", "b", "c")
    first, second = await Products(db).adopt(by()), await Products(db).adopt(by())
    assert (("a", "b"), True) == (first.made, first.more)
    assert (("c",), False) == (second.made, second.more)


@pytest.mark.slow_on_postgres
async def test_a_request_that_was_cut_off_is_done_once(db: Database) -> None:
    """Whoever goes on with it finds what the first one made."""
    asked = Asked(caller="ann", request_id="r-1", rpc="UpdateProduct", content_sha256="a" * 64)

    async def claimed(now_ms: int) -> Claim:
        claim = await Answers(db).begin(asked, now_ms=now_ms, lease_ms=10)
        assert isinstance(claim, Claim)
        return claim

    await made(db, "cola")
    change = ProductChange(plain={"category": "soda"})
    first = await Products(db).change("cola", change, by(claim=await claimed(1)), etag="1")
    again = await Products(db).change("cola", change, by(claim=await claimed(100)), etag="1")
    assert first == again
    assert 2 == again.revision


@pytest.mark.slow_on_postgres
async def test_many_products_are_changed_in_one_file(db: Database) -> None:
    """As many as a file may have, on both databases."""
    rows = [
        {
            "product": f"p{number:05}",
            "revision": 1,
            "category": "",
            "tax_class": "",
            "barcode": "",
            "shelf_life_days": 0,
            "unit_cost_minor": None,
            "unit_cost_currency": "",
            "image_sha256": "",
            "created_at_ms": 1,
            "updated_at_ms": 1,
            "archived_at_ms": None,
        }
        for number in range(2_500)
    ]
    await db.write(lambda connection: connection.execute(insert(products), rows))
    change = ProductChange(plain={"category": "x"}, some_names={"en": "X"})
    done = await Products(db).change_all(
        [Wish(product=f"p{number:05}", change=change) for number in range(5_000)], by()
    )
    assert 2_500 == sum(one.before is None for one in done)
    last = await Products(db).page(ProductsWanted(category="x"), after="p04998", limit=9)
    assert [("p04999", {"en": "X"})] == [(one.product, one.content.names) for one in last]
