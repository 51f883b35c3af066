"""Who asks is told all that is held, by currency and tag; who is not known is told nothing."""

import pytest
from sqlalchemy import insert

from storage.database.engine import Database
from storage.fleet.erasures import UnknownTrade
from storage.insight.payer import Bought, DrawnInto, HadTag, PayerBooks, UsedVouchers
from storage.tables import payer_tags, voucher_redemptions
from tests.storage.experiments.customers import held_out
from tests.storage.insight.shop import sold
from tests.storage.insight.tagged import TODAY, Purchase, have_bought, known

ALICE = "payer-alice"
TAG = {"payer_id": ALICE, "tag": "NEW", "version": 2}


async def test_all_that_is_held_is_told(db: Database) -> None:
    """And nothing of another payer."""
    await sold(db, "VM-1", times=2)
    books = PayerBooks(db)
    nobody = await books.held("VM-1-t1")
    assert (False, 0, (), "VM-1") == (
        nobody.known,
        nobody.payments,
        nobody.bought,
        nobody.machine_id,
    )
    await known(db, ALICE, "bob")
    alice = Purchase(payer=ALICE)
    await have_bought(
        db,
        [
            alice,
            Purchase(payer=ALICE, units=0, minor=-200, kind="GOODWILL"),
            Purchase(payer=ALICE, currency="USD", minor=7, machine="VM-2"),
            Purchase(payer="bob"),
        ],
    )
    had = [
        {**TAG, "run_id": 1, "since_d": 20260101, "until_d": 20260201},
        {**TAG, "run_id": 9, "since_d": 20260301, "until_d": None},
    ]
    await db.write(lambda connection: connection.execute(insert(payer_tags), had))
    await held_out(db, ALICE, "bob")
    used = {"template": "T1", "machine_id": "VM-1", "d": TODAY, "currency": "HKD"}
    used |= {"order_minor": 300, "kind": "REDEEMED"}
    took = [
        {**used, "key": "1", "trade_id": "VM-1-t2", "voucher_minor": 50},
        {**used, "key": "2", "trade_id": "VM-1-t2", "voucher_minor": 20},
        {**used, "key": "3", "trade_id": "VM-1-t2", "voucher_minor": 20, "kind": "GIVEN_BACK"},
        {**used, "key": "4", "trade_id": "another's", "voucher_minor": 7},
        {**used, "key": "5", "trade_id": "", "voucher_minor": 7, "machine_id": "", "d": 0},
    ]
    await db.write(lambda connection: connection.execute(insert(voucher_redemptions), took))
    held = await books.held("VM-1-t2")
    assert (True, 1, 2, 2) == (
        held.known,
        held.first_seen_ms,
        held.last_seen_ms,
        held.payments,
    )
    hkd = {"currency": "HKD", "units": 1, "sales_minor": 300}
    usd = {"currency": "USD", "units": 1, "sales_minor": 7}
    days = {"first_d": TODAY, "last_d": TODAY, "machines": 1}
    assert [Bought(**hkd, **days), Bought(**usd, **days)] == held.bought  # type: ignore[arg-type]
    assert [
        HadTag(tag="NEW", version=2, since_d=20260301, until_d=None),
        HadTag(tag="NEW", version=2, since_d=20260101, until_d=20260201),
    ] == held.tags
    assert [
        DrawnInto(experiment="a", arm="CONTROL", currency="HKD", before_minor=700)
    ] == held.experiments
    assert [
        UsedVouchers(template="T1", currency="HKD", redeemed=2, given_back=1, voucher_minor=50)
    ] == held.vouchers
    with pytest.raises(UnknownTrade):
        await books.held("t-none")
