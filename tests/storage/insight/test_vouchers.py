"""Vouchers are kept once, find their payments, and are added up beside what was sold."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, insert, select

from storage.database.engine import Database, StorageConfig
from storage.insight import vouchers as vouchers_module
from storage.insight.local_time import local_hour
from storage.insight.rollups import Sums, save
from storage.insight.sales import Amounts
from storage.insight.vouchers import (
    TOLD_OTHERWISE,
    Redemption,
    RedemptionsTaken,
    VoucherBooks,
    VoucherBy,
    VoucherKind,
)
from storage.machines.inbox import Inbox
from storage.office.deeds import NotPossible
from storage.office.price_files import LinesRefused
from storage.office.sites import Sites
from storage.tables import machine_sites, sales_hours, scope_hours, voucher_redemptions
from tests.storage.notifications import received
from tests.storage.office.places import a_site, by, details, some_districts
from tests.storage.owner import START_MS, Owner, paid

DAY = local_hour(START_MS, "UTC").d
ONE = Redemption(
    key="1" * 64,
    kind=VoucherKind.REDEEMED,
    template="T1",
    payments=("other", "t1"),
    currency="HKD",
    order_minor=850,
    voucher_minor=200,
)
BACK = replace(ONE, key="2" * 64, kind=VoucherKind.GIVEN_BACK)
ELSEWHERE = replace(ONE, key="3" * 64, payments=("t9",))


async def _paid(db: Database, *trade_ids: str) -> None:
    owner = await Owner.of(db, "VM-1")
    for trade_id in trade_ids:
        put = await Inbox(db).put(received(trade_id))
        await owner.do("VM-1", paid(trade_id), inbox_id=put.inbox_id)


async def test_a_file_is_kept_once(db: Database) -> None:
    """The same file adds nothing; one of whose payments the books know later finds it then."""
    books = VoucherBooks(db)
    rehearsed = await books.take([ONE, ELSEWHERE], by(check=True))
    assert RedemptionsTaken(added=2, known=0, found=0, elsewhere=2) == rehearsed
    assert rehearsed == await books.take([ONE, ELSEWHERE], by())
    await _paid(db, "t1")
    told = await books.take([ONE, BACK, ELSEWHERE], by())
    assert RedemptionsTaken(added=1, known=2, found=1, elsewhere=1) == told
    again = await books.take([ONE, BACK, ELSEWHERE], by())
    assert RedemptionsTaken(added=0, known=3, found=0, elsewhere=1) == again
    assert [
        "2 new, 0 found their payment, of 2 lines",
        "1 new, 1 found their payment, of 3 lines",
    ] == await details(db)
    rows = await db.read(
        lambda connection: connection.execute(
            select(voucher_redemptions).order_by(voucher_redemptions.c.key)
        ).all()
    )
    assert [("t1", "VM-1", DAY), ("t1", "VM-1", DAY), ("", "", 0)] == [
        (row.trade_id, row.machine_id, row.d) for row in rows
    ]


async def test_a_file_that_two_gateways_take_at_once_is_kept_once(on_server: str) -> None:
    """The second one finds the lines there, in whatever order it has them."""
    lines = [replace(ONE, key=f"{number:064}") for number in range(2_000)]
    gateways = [await Database.open(StorageConfig(url=on_server)) for _ in range(2)]
    try:
        told = await asyncio.gather(
            VoucherBooks(gateways[0]).take(lines, by()),
            VoucherBooks(gateways[1]).take(lines[::-1], by()),
        )
    finally:
        for gateway in gateways:
            await gateway.close()
    assert [0, 2_000] == sorted(one.added for one in told) == sorted(one.known for one in told)


async def test_a_payment_in_another_currency_is_another(db: Database) -> None:
    """Its number may be the same somewhere else."""
    await _paid(db, "t1")
    taken = await VoucherBooks(db).take([replace(ONE, currency="JPY")], by())
    assert (1, 1) == (taken.added, taken.elsewhere)


async def test_a_line_that_says_something_else_now_is_refused(db: Database) -> None:
    """And nothing of its file is kept."""
    books = VoucherBooks(db)
    await books.take([ONE], by())
    for other in (replace(ONE, voucher_minor=300), replace(ONE, template="T2")):
        with pytest.raises(LinesRefused) as refused:
            await books.take([BACK, other], by())
        assert [(1, TOLD_OTHERWISE)] == list(refused.value.problems)
    count = select(func.count()).select_from(voucher_redemptions)
    assert 1 == await db.read(lambda connection: connection.scalar(count))


async def test_the_day_is_that_of_the_machine(db: Database) -> None:
    """By the clock of where it stood when the customer paid."""
    await _paid(db, "t1")
    await some_districts(db, ("sea", ""))
    await Sites(db).create("far", a_site("sea", "Pacific/Kiritimati"), by(action="made"))
    stay = {"machine_id": "VM-1", "site": "far", "from_day": "2020-01-01", "from_at_ms": 1}
    await db.write(lambda connection: connection.execute(insert(machine_sites), stay))
    books = VoucherBooks(db)
    await books.take([ONE], by())
    day = local_hour(START_MS, "Pacific/Kiritimati").d
    told = await books.sales(day, day, VoucherBy.DAY)
    assert [str(day)] == [line.key for line in told.lines]


async def test_redemptions_stand_beside_what_was_sold(db: Database) -> None:
    """By day the fleet's sales, by machine its own; what was given back is taken off."""
    await _paid(db, "t1", "t2")
    books = VoucherBooks(db)
    await books.take(
        [
            ONE,
            BACK,
            replace(ONE, key="4" * 64, payments=("t2",)),
            replace(ONE, key="5" * 64, payments=("t2",), template="T2", voucher_minor=50),
            ELSEWHERE,
        ],
        by(),
    )
    sums = Sums()
    sums.add(scope_hours, ("FLEET", "", DAY, 9, "HKD"), (9, 4_500))
    sums.add(sales_hours, ("VM-1", DAY, 9, "HKD"), (3, 1_500))
    await db.write(lambda connection: save(connection, sums))
    by_template = await books.sales(DAY, DAY, VoucherBy.TEMPLATE)
    assert [("T1", 2, 1, 850, 200, None), ("T2", 1, 0, 850, 50, None)] == [
        (
            line.key,
            line.redeemed,
            line.given_back,
            line.order_minor,
            line.voucher_minor,
            line.sold,
        )
        for line in by_template.lines
    ]
    assert (DAY, 1) == (by_template.newest_day, by_template.elsewhere)
    for of, key, sold in (
        (VoucherBy.DAY, str(DAY), Amounts(units=9, sales_minor=4_500)),
        (VoucherBy.MACHINE, "VM-1", Amounts(units=3, sales_minor=1_500)),
    ):
        (line,) = (await books.sales(DAY, DAY, of, template="T1")).lines
        assert (key, 2, 200, sold) == (line.key, line.redeemed, line.voucher_minor, line.sold)
    assert [] == list((await books.sales(DAY + 1, DAY + 1, VoucherBy.DAY)).lines)


async def test_a_payment_with_several_vouchers_is_one_order(db: Database) -> None:
    """However many it took, of one template or of two, and also if one of them was given back."""
    await _paid(db, "t1")
    books = VoucherBooks(db)
    second = replace(ONE, key="4" * 64)
    third = replace(ONE, key="5" * 64, template="T2")
    await books.take([ONE, BACK, second, replace(second, key="6" * 64), third], by())
    by_template = (await books.sales(DAY, DAY, VoucherBy.TEMPLATE)).lines
    assert [("T1", 3, 1, 850, 400), ("T2", 1, 0, 850, 200)] == [
        (line.key, line.redeemed, line.given_back, line.order_minor, line.voucher_minor)
        for line in by_template
    ]
    for of in (VoucherBy.DAY, VoucherBy.MACHINE):
        (line,) = (await books.sales(DAY, DAY, of)).lines
        assert (4, 850, 600) == (line.redeemed, line.order_minor, line.voucher_minor)


async def test_what_cannot_be_answered_is_refused(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days that are none, and more lines than anybody reads."""
    books = VoucherBooks(db)
    with pytest.raises(NotPossible, match="write days like"):
        await books.sales(1, 2, VoucherBy.DAY)
    await _paid(db, "t1")
    await books.take([ONE, replace(BACK, template="T2")], by())
    monkeypatch.setattr(vouchers_module, "LINES_MAX", 1)
    with pytest.raises(NotPossible, match="name a template or fewer days"):
        await books.sales(DAY, DAY, VoucherBy.TEMPLATE)
