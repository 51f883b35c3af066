"""What paid for a sold vend, and what of it was given back."""

import time

import pytest

from actors.machine.events import RefundSucceeded, VendRefundAsked, VendRequested, VendSucceeded
from actors.machine.ids import RequestId, VendId
from storage.auditing import prove
from storage.database.engine import Database
from storage.fleet.queries import Queries
from storage.fleet.sold import Sold, SoldVends
from tests.storage.owner import Owner, paid

VEND = VendId("VM-1-v1")


async def found(db: Database) -> Sold:
    """What SQL says of the vend now."""
    sold = await SoldVends(db).find(VEND)
    assert sold is not None
    return sold


@pytest.mark.slow_on_postgres
async def test_a_sold_vend_is_refunded_from_rows_long_after_the_state_forgot_it(
    db: Database,
) -> None:
    """Its trade opens again, the refund is the trade's next one, and every invariant holds."""
    owner = await Owner.of(db, "VM-1")
    await owner.buy("VM-1")
    sold = await found(db)
    (part,) = sold.parts
    assert ((), part.trade.sold_minor) == (sold.refund_ids, part.amount_minor)
    event = VendRefundAsked(
        vend_id=VEND, version=sold.version, parts=sold.parts, actor="ann", reason="stale"
    )
    await owner.do("VM-1", event)
    after = await found(db)
    assert sold.version + 1 == after.version
    (refund_id,) = after.refund_ids
    refund = await Queries(db).refund(refund_id)
    assert refund is not None
    assert ("GOODWILL", part.amount_minor) == (refund.cause, refund.amount_minor)
    await owner.do("VM-1", RefundSucceeded(refund_id=refund_id))
    trade = await Queries(db).trade(part.trade.trade_id)
    assert trade is not None
    assert ("CLOSED", 0) == (trade.status, trade.sold_minor)
    proof = await prove(db, now_ms=time.time_ns() // 1_000_000, own_ids=set())
    # The payment was told to the actor without a notification.
    assert ["top_ups_have_notifications"] == [one.partition(":")[0] for one in proof.sentences]


@pytest.mark.slow_on_postgres
async def test_a_vend_that_nobody_knows_is_none(db: Database) -> None:
    """There is nothing to read."""
    await Owner.of(db, "VM-1")
    assert await SoldVends(db).find(VendId("VM-1-v9")) is None


@pytest.mark.slow_on_postgres
async def test_a_vend_of_another_number_is_not_taken_for_it(db: Database) -> None:
    """VM-1-v10 begins like VM-1-v1 and is another vend."""
    owner = await Owner.of(db, "VM-1")
    for number in range(1, 12):
        await owner.buy("VM-1", number)
        owner.refill("VM-1")
    assert 1 == len((await found(db)).parts)


@pytest.mark.slow_on_postgres
async def test_of_two_vends_that_one_payment_paid_each_is_given_back_once(db: Database) -> None:
    """The trade still has sold money when the first one is asked for again: SQL must know."""
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", paid("t1", at_ms=owner.now_ms))
    for number in (1, 2):
        request = VendRequested(
            request_id=RequestId(f"r{number}"), column="A1", price_minor=500, planogram_version=1
        )
        await owner.do("VM-1", owner.frame("VM-1", request))
        done = VendSucceeded(vend_id=VendId(f"VM-1-v{number}"))
        await owner.do("VM-1", owner.frame("VM-1", done))
    sold = await found(db)
    event = VendRefundAsked(
        vend_id=VEND, version=sold.version, parts=sold.parts, actor="ann", reason="stale"
    )
    await owner.do("VM-1", event)
    refunded = await found(db)
    other = await SoldVends(db).find(VendId("VM-1-v2"))
    assert other is not None
    assert (1, ()) == (len(refunded.refund_ids), other.refund_ids)
    assert [500] == [part.amount_minor for part in other.parts] == [other.parts[0].trade.sold_minor]
