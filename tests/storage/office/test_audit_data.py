"""What is exported of a machine is what its ledger says, since installation and since the reset."""

import asyncio
import random
from dataclasses import replace

import pytest
from sqlalchemy import Connection, select, update

from actors.machine.events import (
    CashSold,
    GoodsMoved,
    StockCounted,
    VendFailed,
    VendRefundAsked,
    VendRequested,
    VendSucceeded,
)
from actors.machine.goods import TEST, GoodsKind
from actors.machine.ids import RequestId, VendId
from actors.machine.ledger import Account
from actors.machine.state import FailureCause
from storage.database.engine import Database
from storage.fleet.answers import Answers, Asked, Claim
from storage.fleet.balances import read_balances
from storage.fleet.sold import SoldVends
from storage.office.audit_data import EVER, AuditData, Within, figures
from storage.office.audit_figures import Figures, Tally
from storage.office.deeds import Deed, NotPossible, NotThere
from storage.tables import audit, audit_resets, balances, planogram_columns, vends
from tests.storage.owner import START_MS, Owner, paid
from tests.storage.slow_commits import held_beside, on_postgres


def by(now_ms: int = START_MS + 10) -> Deed:
    """Return who resets, and when."""
    return Deed(actor="ann", action="ResetMachineAudit", now_ms=now_ms)


async def agrees(db: Database, told: Figures) -> None:
    """Expect that the figures are those of the ledger, to the cent."""
    (balance,) = await db.read(lambda connection: read_balances(connection, "VM-1"))
    assert balance.money_in_minor == told.topped_up.minor
    sold = told.paid.minor + told.free.minor - told.given_back.minor
    assert balance.money_sold_minor == sold


@pytest.mark.slow_on_postgres
async def test_a_machine_that_sold_nothing_has_zeros(db: Database) -> None:
    """And its columns."""
    await Owner.of(db, "VM-1")
    told = await AuditData(db).read("VM-1")
    assert (Figures(), Figures()) == (told.total, told.interval)
    assert [("A1", "cola", 500, 10), ("A2", "tea", 300, 10)] == [
        (one.column, one.product, one.price_minor, one.capacity) for one in told.columns
    ]
    assert (0, None, "HKD") == (told.resets, told.reset_at_ms, told.currency)


@pytest.mark.slow_on_postgres
async def test_a_machine_that_is_not_there(db: Database) -> None:
    """Is not found, by either call."""
    with pytest.raises(NotThere):
        await AuditData(db).read("VM-9")
    with pytest.raises(NotThere):
        await AuditData(db).reset("VM-9", by(), reason="x")


@pytest.mark.slow_on_postgres
async def test_a_sale_is_in_the_figures_of_its_machine_alone(db: Database) -> None:
    """By its column, with what was paid."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.buy("VM-1")
    await owner.buy("VM-2")
    await owner.buy("VM-2", 2)
    told = (await AuditData(db).read("VM-1")).total
    assert {"A1": Tally(1, 500)} == {name: one.paid for name, one in told.columns.items()}
    assert Tally(1, 1_000) == told.topped_up
    await agrees(db, told)


async def _choose(owner: Owner, number: int) -> VendId:
    """Let a customer choose from the first column, and return the vend."""
    wish = VendRequested(
        request_id=RequestId(f"r{number}"), column="A1", price_minor=500, planogram_version=1
    )
    await owner.do("VM-1", owner.frame("VM-1", wish))
    return VendId(f"VM-1-v{number}")


async def _everything(db: Database) -> Owner:
    """A sale, one whose goods turned up late, one that failed, one for cash, two tries, and the
    price of the first given back.
    """
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    await owner.do("VM-1", paid("VM-1-t2"))
    for number, cause in ((2, FailureCause.JAMMED), (3, FailureCause.NOTHING_DROPPED)):
        vend_id = await _choose(owner, number)
        await owner.do("VM-1", owner.frame("VM-1", VendFailed(vend_id=vend_id, cause=cause)))
    late = VendSucceeded(vend_id=VendId("VM-1-v2"), evidence="drop sensor")
    await owner.do("VM-1", owner.frame("VM-1", late))
    await owner.do("VM-1", owner.frame("VM-1", CashSold(column="A1", price_minor=500)))
    await owner.do(
        "VM-1",
        GoodsMoved(
            kind=GoodsKind.TESTED,
            cause="try",
            version=owner.states["VM-1"].version,
            column="A1",
            product="cola",
            quantity=2,
            into=False,
            place=TEST,
            actor="ann",
        ),
    )
    sold = await SoldVends(db).find(VendId("VM-1-v1"))
    assert sold is not None
    await owner.do(
        "VM-1",
        VendRefundAsked(
            vend_id=VendId("VM-1-v1"),
            version=sold.version,
            parts=sold.parts,
            actor="ann",
            reason="stale",
        ),
    )
    return owner


async def test_each_thing_has_a_place_of_its_own(db: Database) -> None:
    """And all together they are the ledger's."""
    await _everything(db)
    total = (await AuditData(db).read("VM-1")).total
    column = total.columns["A1"]
    assert (Tally(1, 500), Tally(1, 500), 1, 2) == (
        column.paid,
        column.free,
        column.cash,
        column.tested,
    )
    assert (Tally(1, 500), {"ELA": 1}) == (total.given_back, total.events)
    await agrees(db, total)


@pytest.mark.slow_on_postgres
async def test_an_interval_begins_anew_and_the_whole_goes_on(db: Database) -> None:
    """Again and again, with a row of the audit log each time."""
    owner = await _everything(db)
    data = AuditData(db)
    before = await data.read("VM-1")
    assert before.total == before.interval
    first = await data.reset("VM-1", by(), reason="new route")
    assert (1, START_MS + 10, "ann", "new route") == (
        first.number,
        first.reset_at_ms,
        first.actor,
        first.reason,
    )
    reset = await data.read("VM-1")
    assert before.total == reset.total
    assert (Tally(), Tally(), Tally(), 0) == (
        reset.interval.paid,
        reset.interval.topped_up,
        reset.interval.given_back,
        reset.interval.cash,
    )
    await owner.do("VM-1", owner.frame("VM-1", CashSold(column="A1", price_minor=500)))
    after = await data.read("VM-1")
    assert (2, 1) == (after.total.cash, after.interval.cash)
    assert 2 == (await data.reset("VM-1", by(START_MS + 20), reason="again")).number
    assert 0 == (await data.read("VM-1")).interval.cash
    said = await db.read(lambda connection: list(connection.scalars(select(audit.c.detail))))
    assert "interval 1 begins; the one before had 1 sales of 500 HKD; new route" in said


@pytest.mark.slow_on_postgres
async def test_two_who_reset_in_one_moment_begin_two_intervals(db: Database) -> None:
    """Each with what was sold until it: nothing stands in both."""
    await (await Owner.of(db, "VM-1")).buy("VM-1")
    data = AuditData(db)
    both = await asyncio.gather(*(data.reset("VM-1", by(), reason=why) for why in ("a", "b")))
    assert [1, 2] == sorted(one.number for one in both)
    said = await db.read(lambda connection: list(connection.scalars(select(audit.c.detail))))
    assert [0, 1] == sorted(int("had 1 sales" in one) for one in said if "interval" in one)


@on_postgres
async def test_no_sale_waits_for_a_reset(on_server: str) -> None:
    """It goes through all that the machine ever sold."""
    async with held_beside(on_server) as (owner, gateway):
        data = AuditData(gateway)
        resetting = asyncio.create_task(data.reset("VM-1", by(), reason="new route"))
        await gateway.written.wait()
        await owner.buy("VM-1")
        gateway.go_on.set()
        assert 1 == (await resetting).number
        assert 1 == (await data.read("VM-1")).interval.paid.number


async def asked(db: Database, now_ms: int) -> Claim:
    """Return the claim of ann's request."""
    request = Asked(caller="ann", request_id="r1", rpc="ResetMachineAudit", content_sha256="0")
    claim = await Answers(db).begin(request, now_ms=now_ms, lease_ms=5)
    assert isinstance(claim, Claim)
    return claim


@pytest.mark.slow_on_postgres
async def test_a_reset_whose_answer_was_lost_is_answered_with_itself(db: Database) -> None:
    """Others have reset the machine before and since, she herself too, with other words."""
    await Owner.of(db, "VM-1")
    data = AuditData(db)
    await data.reset("VM-1", by(START_MS + 1), reason="day")
    lost = replace(by(START_MS + 2), claim=await asked(db, START_MS + 2))
    made = await data.reset("VM-1", lost, reason="day")
    await data.reset("VM-1", replace(by(START_MS + 3), actor="bob"), reason="day")
    await data.reset("VM-1", by(START_MS + 4), reason="night")
    repeated = replace(by(START_MS + 90), claim=await asked(db, START_MS + 90))
    assert made == await data.reset("VM-1", repeated, reason="day")
    assert (2, START_MS + 2) == (made.number, made.reset_at_ms)


async def test_a_reset_that_is_not_to_be_told_from_others_is_answered_with_none(
    db: Database,
) -> None:
    """The clock of the gateway that made it was behind."""
    await Owner.of(db, "VM-1")
    data = AuditData(db)
    lost = replace(by(START_MS + 1), claim=await asked(db, START_MS + 2))
    await data.reset("VM-1", lost, reason="day")
    await data.reset("VM-1", replace(by(START_MS + 3), actor="bob"), reason="day")
    repeated = replace(by(START_MS + 90), claim=await asked(db, START_MS + 90))
    with pytest.raises(NotPossible) as caught:
        await data.reset("VM-1", repeated, reason="day")
    assert "RESET_NOT_FOUND" == caught.value.reason


async def test_a_reset_that_is_only_tried_changes_nothing(db: Database) -> None:
    """It says how it would be."""
    await Owner.of(db, "VM-1")
    tried = Deed(actor="ann", action="ResetMachineAudit", now_ms=7, only_check=True)
    assert 1 == (await AuditData(db).reset("VM-1", tried, reason="x")).number
    assert [] == await db.read(lambda connection: connection.execute(select(audit_resets)).all())


async def test_figures_of_a_time_meet_nowhere(db: Database) -> None:
    """What is up to a moment, and what is behind it, are all of it."""
    owner = await Owner.of(db, "VM-1")
    for number in range(1, 4):
        owner.now_ms += 1_000
        await owner.buy("VM-1", number)
        await owner.do("VM-1", owner.frame("VM-1", CashSold(column="A2", price_minor=300)))
    middle = START_MS + 2_000

    def work(connection: Connection) -> list[Figures]:
        spans = (EVER, Within(upto_ms=middle), Within(after_ms=middle))
        return [figures(connection, "VM-1", span) for span in spans]

    whole, first, last = await db.read(work)
    assert (Tally(3, 1_500), Tally(2, 1_000), Tally(1, 500)) == (whole.paid, first.paid, last.paid)
    assert (3, 2, 1) == (whole.cash, first.cash, last.cash)
    assert whole.topped_up == first.topped_up + last.topped_up
    assert whole.since(first) == last


@pytest.mark.parametrize("account", [Account.SALES, Account.RECEIVABLE])
async def test_books_that_contradict_themselves_are_not_exported(
    db: Database, account: Account
) -> None:
    """Neither a balance that somebody changed nor a vend."""
    await (await Owner.of(db, "VM-1")).buy("VM-1")
    c = balances.c
    more = {"debit_minor": c.debit_minor + 1, "credit_minor": c.credit_minor + 1}
    changed = update(balances).where(c.account == account).values(more)
    await db.write(lambda connection: connection.execute(changed))
    with pytest.raises(NotPossible, match="vendgate audit says what differs") as caught:
        await AuditData(db).read("VM-1")
    assert "BOOKS_DIFFER" == caught.value.reason


async def test_a_vend_that_somebody_changed_is_found(db: Database) -> None:
    """The ledger is the truth."""
    await (await Owner.of(db, "VM-1")).buy("VM-1")
    dearer = update(vends).values(price_minor=vends.c.price_minor + 1)
    await db.write(lambda connection: connection.execute(dearer))
    with pytest.raises(NotPossible, match="sales of 501 in its rows and of 500 in the ledger"):
        await AuditData(db).read("VM-1")


@pytest.mark.slow_on_postgres
async def test_any_day_of_a_machine_is_its_ledgers(db: Database) -> None:
    """Customers who buy, fail, pay cash and leave, in any order."""
    chance = random.Random(7)
    owner = await Owner.of(db, "VM-1")
    for number in range(1, 25):
        owner.now_ms += chance.randrange(1, 90_000)
        owner.refill("VM-1")
        if chance.random() < 0.2:
            await owner.do("VM-1", owner.frame("VM-1", CashSold(column="A2", price_minor=300)))
        pay, wish, success, complete, _ = owner.purchase("VM-1", number)
        await owner.do("VM-1", pay)
        await owner.do("VM-1", wish)
        if chance.random() < 0.3:
            cause = chance.choice([FailureCause.JAMMED, FailureCause.EMPTY])
            vend_id = VendId(f"VM-1-v{number}")
            success = owner.frame("VM-1", VendFailed(vend_id=vend_id, cause=cause))
        await owner.do("VM-1", success)
        if chance.random() < 0.5:
            await owner.do("VM-1", complete)
        await agrees(db, (await AuditData(db).read("VM-1")).total)


@pytest.mark.slow_on_postgres
async def test_since_when_a_column_is_empty(db: Database) -> None:
    """The moment at which its last item left, by the books; until it is filled again."""
    owner = await Owner.of(db, "VM-1")
    for number in range(5):
        owner.now_ms = START_MS + number
        await owner.do("VM-1", owner.frame("VM-1", CashSold(column="A2", price_minor=300)))
    assert [None, START_MS + 4] == await _emptied(db)
    await owner.do("VM-1", StockCounted(column="A2", stock=3, actor="ann"))
    assert [None, None] == await _emptied(db)


async def test_a_column_that_was_planned_empty_and_is_filled_is_not_empty(db: Database) -> None:
    """Whatever stands in the planogram, which nobody changes when goods come and go."""
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", owner.frame("VM-1", CashSold(column="A2", price_minor=300)))
    planned = update(planogram_columns).values(stock=0)
    await db.write(lambda connection: connection.execute(planned))
    assert [None, None] == await _emptied(db)


async def _emptied(db: Database) -> list[int | None]:
    return [one.emptied_at_ms for one in (await AuditData(db).read("VM-1")).columns]
