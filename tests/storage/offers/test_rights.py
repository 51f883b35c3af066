"""Which offers a payment brings: those that its payer may use there and then."""

from typing import Any

import pytest
from sqlalchemy import event, insert, update

from actors.machine.ids import Currency, MachineId
from actors.machine.offer import Offered
from actors.machine.values import replace
from storage.database.engine import Database
from storage.machines.inbox import Inbox
from storage.machines.payers import Buyer
from storage.offers import rights
from storage.office.selectors import Selector
from storage.tables import offer_spending, offer_uses, offers, payer_tags, tag_runs
from tests.storage.notifications import received
from tests.storage.offered import chooses
from tests.storage.offers.giving import CONTENT, HOUR_MS, NOW_MS, catalogue, give, machines, may_use
from tests.storage.office.plans import plan_of
from tests.storage.owner import START_MS, Owner, paid


@pytest.mark.slow_on_postgres
async def test_what_may_be_used_is_told_as_the_machine_needs_it(db: Database) -> None:
    """In the order of names, with how often, until when and how much."""
    await machines(db, "VM-1")
    await give(db)
    await give(db, "cake", discount_minor=0, basis_points=1_000, uses_per_payer=7)
    assert (
        Offered(
            offer="cake", ends_at_ms=NOW_MS + HOUR_MS, left=7, basis_points=1_000, rest_minor=1_000
        ),
        Offered(
            offer="tea", ends_at_ms=NOW_MS + HOUR_MS, left=2, discount_minor=50, rest_minor=1_000
        ),
    ) == await may_use(db)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ({}, {"now_ms": NOW_MS - 1}),
        ({}, {"now_ms": NOW_MS + HOUR_MS}),
        ({}, {"currency": "JPY"}),
        ({"selector": Selector(machine_ids=("VM-2",))}, {}),
        ({"holdout_percent": 90}, {"payer_id": "p3"}),
    ],
)
async def test_what_is_not_for_them_here_and_now_is_not_told(
    db: Database, said: dict[str, Any], asked: dict[str, Any]
) -> None:
    """Another time, another currency, another machine; or they are held out."""
    await machines(db, "VM-1", "VM-2")
    await give(db, **said)
    assert () == await may_use(db, **asked)


async def test_an_offer_is_for_its_product_or_for_what_of_its_category_is_sold(
    db: Database,
) -> None:
    """A machine that sells nothing of a category is not told of it."""
    await machines(db, "VM-1")
    await catalogue(db, cola="cold", water="cold", cake="sweet")
    await give(db, "a", product="cola")
    await give(db, "b", category="cold")
    await give(db, "c", category="sweet")
    told = {one.offer: one.products for one in await may_use(db)}
    assert {"a": ("cola",), "b": ("cola",)} == told


@pytest.mark.slow_on_postgres
async def test_what_a_machine_sells_is_asked_once_for_all_categories(db: Database) -> None:
    """A payment asks as much for twenty offers as for one."""
    await machines(db, "VM-1")
    await catalogue(db, cola="cold", tea="warm")
    asked: list[str] = []

    def work(connection: Any) -> int:
        asked.clear()
        event.listen(connection, "before_cursor_execute", lambda *told: asked.append(told[2]))
        usable = rights.usable(connection, MachineId("VM-1"), "ann", Currency("HKD"), NOW_MS)
        return len(usable)

    counts = []
    for offer, category in (("a", "cold"), ("b", "warm"), ("c", "cold")):
        await give(db, offer, category=category)
        counts.append((await db.read(work), len(asked)))
    assert [1, 2, 3] == [offers for offers, _ in counts]
    assert 1 == len({statements for _, statements in counts})


async def test_who_has_the_tag_when_they_pay_may_use_it(db: Database) -> None:
    """Who had it before, and who got it by a run that is not finished, may not."""
    await machines(db, "VM-1")
    await give(db)
    run = {"version": 1, "d": 20260101, "position": 1, "at_ms": 1, "error": ""}
    run |= {"members": 10, "joined": 0, "departed": 0}
    has = {"tag": "FAN", "version": 1, "since_d": 20260101}

    def work(connection: Any) -> None:
        connection.execute(
            insert(tag_runs),
            [{**run, "id": number, "tag": "FAN", "unfinished": number == 2} for number in (1, 2)],
        )
        connection.execute(
            insert(payer_tags),
            [
                {**has, "payer_id": "ann", "run_id": 1, "until_d": None, "until_run": None},
                {**has, "payer_id": "bob", "run_id": 1, "until_d": 20260102, "until_run": 1},
                {**has, "payer_id": "eve", "run_id": 2, "until_d": None, "until_run": None},
            ],
        )
        connection.execute(update(offers).values(tag="FAN"))

    await db.write(work)
    found = {one: len(await may_use(db, one)) for one in ("ann", "bob", "eve", "zoe")}
    assert {"ann": 1, "bob": 0, "eve": 0, "zoe": 0} == found
    fewer = update(tag_runs).where(tag_runs.c.id == 1).values(members=9)
    await db.write(lambda connection: connection.execute(fewer))
    # Its rule was changed, or they have gone: whoever is left would be known by the offer.
    assert () == await may_use(db, "ann")


@pytest.mark.slow_on_postgres
async def test_what_is_used_is_not_left(db: Database) -> None:
    """Of a payer, unless it was given back; of the budget for everybody."""
    await machines(db, "VM-1")
    await give(db)
    rows = [
        {
            "offer": "tea",
            "vend_id": f"v{number}",
            "payer_id": payer_id,
            "discount_minor": 50,
            "used_at_ms": 1,
            "returned_at_ms": returned,
        }
        for number, (payer_id, returned) in enumerate(
            [("ann", None), ("ann", 2), ("bob", None), ("bob", None)]
        )
    ]
    await db.write(lambda connection: connection.execute(insert(offer_uses), rows))
    assert [1] == [one.left for one in await may_use(db, "ann")]
    assert () == await may_use(db, "bob")
    spent = update(offer_spending).values(spent_minor=CONTENT.budget_minor)
    await db.write(lambda connection: connection.execute(spent))
    assert () == await may_use(db, "ann")


async def test_a_payment_brings_them_in_its_event(db: Database) -> None:
    """Looked up where it is saved, once: told again nothing is looked up. Without a named buyer,
    and where nobody looks, there are none.
    """
    await machines(db, "VM-1")
    await give(db)
    told = received("t1", payer_id="")
    buyer = Buyer(buyer_hash="h", new_payer_id="f" * 32)
    named = type(told)(
        **{name: getattr(told, name) for name in told.__dataclass_fields__ if name != "buyer"},
        buyer=buyer,
    )
    inbox = Inbox(db, rights.usable)
    event = (await inbox.put(named)).event
    assert ["tea"] == [one.offer for one in event.offers]  # type: ignore[union-attr]
    assert "DUPLICATE" == (await inbox.put(named)).verdict
    unnamed = (await inbox.put(received("t2", payer_id=""))).event
    assert () == unnamed.offers  # type: ignore[union-attr]
    assert START_MS == NOW_MS


@pytest.mark.slow_on_postgres
async def test_an_offer_of_a_newer_program_is_for_nobody_and_loses_no_payment(db: Database) -> None:
    """A gateway of before takes payments in while others know selectors that ask for more: it
    cannot tell whom such an offer is for, and the others are given.
    """
    await machines(db, "VM-1")
    await give(db)
    await give(db, "newer")
    newer = update(offers).where(offers.c.offer == "newer")
    selector = '{"all": true, "machine_ids": [], "open_at_night": true}'
    await db.write(lambda connection: connection.execute(newer.values(selector=selector)))
    assert ["tea"] == [one.offer for one in await may_use(db)]


async def test_what_is_left_and_too_little_is_not_tried_for_ever(db: Database) -> None:
    """A COMMIT that a choice with it is refused in would be refused for all machines in it, choice
    after choice, as long as the offer lasts.
    """
    owner = await Owner.of(db, "VM-1")
    await give(db)
    spent = update(offer_spending).values(spent_minor=CONTENT.budget_minor - 49)
    await db.write(lambda connection: connection.execute(spent))
    offers = tuple(await may_use(db, "ann"))
    await owner.do("VM-1", replace(paid("t1", payer_id="ann"), offers=offers))
    change = await owner.do("VM-1", chooses(owner, "VM-1"))
    assert () == change.decision.uses


async def test_no_payment_looks_through_all_evaluations_of_tags(db: Database) -> None:
    """Each tag has one more each day; the few that are unfinished have an index, and the newest one
    of a tag stands at the end of another.
    """
    asked = rights._USABLE.params(payer="ann", currency="HKD", now_ms=NOW_MS, least=10)
    whole = await plan_of(db, asked)
    plan = [line for line in whole if "tag_runs" in line]
    assert any("tag_runs_by_tag_id" in line for line in plan), whole
    along = ("tag_runs_unfinished", "tag_runs_by_tag_id")
    assert [] == [line for line in plan if not any(index in line for index in along)], plan
