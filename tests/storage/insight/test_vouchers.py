"""Vouchers are kept once, find their payments, and are added up beside what was sold."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    delete,
    event,
    func,
    insert,
    literal,
    select,
    update,
)

from storage.database import dialects
from storage.database.engine import Database, StorageConfig
from storage.fleet.answers import Answers, Asked, Claim
from storage.insight import vouchers as vouchers_module
from storage.insight.local_time import local_hour
from storage.insight.rollups import Sums, save
from storage.insight.sales import Amounts
from storage.insight.vouchers import (
    TOLD_OF_ANOTHER,
    TOLD_OTHERWISE,
    Redemption,
    RedemptionsTaken,
    VoucherBooks,
    VoucherBy,
    VoucherKind,
)
from storage.machines.inbox import Inbox
from storage.office.deeds import LinesRefused, NotPossible
from storage.office.sites import Sites
from storage.tables import machine_sites, sales_hours, scope_hours, voucher_redemptions
from tests.storage.notifications import received
from tests.storage.office.places import a_site, by, details, some_districts
from tests.storage.owner import START_MS, Owner, paid

_C = voucher_redemptions.c
DAY = local_hour(START_MS, "UTC").d
ONE = Redemption(
    key="1" * 64,
    number_keys=("1a" * 32, "1b" * 32),
    kind=VoucherKind.REDEEMED,
    template="T1",
    payments=("other", "t1"),
    currency="HKD",
    order_minor=850,
    voucher_minor=200,
)


def _like(of: Redemption, key: str, **more: Any) -> Redemption:
    """Another redemption that says the same."""
    keys = tuple(f"{key}{one}".ljust(64, "0") for one in "ab")
    return replace(of, key=key.ljust(64, "0"), number_keys=keys, **more)


BACK = _like(ONE, "2", kind=VoucherKind.GIVEN_BACK)
ELSEWHERE = _like(ONE, "3", payments=("t9",))


def _do(statement: Executable, connection: Connection) -> None:
    connection.execute(statement)


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
    lines = [_like(ONE, f"{number:04}") for number in range(2_000)]
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


async def test_a_line_is_known_by_either_number_of_its_payment(db: Database) -> None:
    """Which of them it leaves out, and whether it is told with or without it first, counts nothing
    twice; and it is then known by both.
    """
    one, other = ONE.number_keys
    first = replace(ONE, key=one, number_keys=(one,), payments=("other",))
    last = replace(ONE, key=other, number_keys=(other,), payments=("t1",))
    books = VoucherBooks(db)
    for start in ((first, ONE, last), (ONE, last, first), (last, ONE, first)):
        told = [await books.take([line], by()) for line in start]
        assert [(1, 0), (0, 1), (0, 1)] == [(of.added, of.known) for of in told]
        await db.write(lambda connection: connection.execute(delete(voucher_redemptions)))


@pytest.mark.slow_on_postgres
async def test_lines_are_looked_for_with_few_parameters(db: Database) -> None:
    """One on PostgreSQL, however many they are. A list of them is planned once there, while the
    table is empty, and each row compared with each of it: a second file of 10,000 lines took
    minutes, and nothing else was written meanwhile.
    """
    asked: list[int] = []

    def hear(*told: Any) -> None:
        statement, parameters = told[2:4]
        if statement.startswith("WITH asked"):
            asked.append(len(parameters))

    lines = [_like(ONE, f"{number:04}") for number in range(400)]
    event.listen(Engine, "before_cursor_execute", hear)
    try:
        for added in (400, 0):
            assert added == (await VoucherBooks(db).take(lines, by())).added
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    alone = db.dialect.name == dialects.POSTGRESQL
    assert ([1, 1, 1] if alone else [500, 500, 200]) * 2 == asked


@pytest.mark.slow_on_postgres
async def test_a_line_of_a_third_number_is_refused(db: Database) -> None:
    """A payment has two. Which of three is another's nobody can say, and one would be lost."""
    third = replace(ONE, key="9" * 64, number_keys=(ONE.number_keys[0], "9c" * 32))
    books = VoucherBooks(db)
    await books.take([ONE], by())
    with pytest.raises(LinesRefused) as refused:
        await books.take([BACK, third], by())
    assert [(1, TOLD_OF_ANOTHER)] == list(refused.value.problems)


async def test_what_a_program_of_before_has_taken_again_counts_once(db: Database) -> None:
    """It knew a line by all that it says alone: told with one number, it was another one to it."""
    books = VoucherBooks(db)
    for name in "abcdef":
        line = _like(ONE, name)
        of_before = replace(line, key=line.number_keys[0])
        await books.take([of_before], by())
        nothing = update(voucher_redemptions).values(number_key=None, other_key=None)
        await db.write(partial(_do, nothing.where(_C.key == of_before.key)))
        one, other = line.number_keys
        there = select(voucher_redemptions).where(_C.key == of_before.key).subquery()
        named = {"key": line.key, "number_key": one, "other_key": other}
        again = [literal(named[c.name]) if c.name in named else c for c in there.c]
        await db.write(
            partial(_do, insert(voucher_redemptions).from_select(list(_C), select(*again)))
        )
        assert (0, 1) == ((told := await books.take([line], by())).added, told.known)
    assert 6 == await db.read(
        lambda connection: connection.scalar(select(func.count()).select_from(voucher_redemptions))
    )


@pytest.mark.slow_on_postgres
async def test_what_was_told_by_one_number_and_by_the_other_counts_once(db: Database) -> None:
    """As soon as a line says that they are of one payment; the one that has found it stays."""
    await _paid(db, "t1")
    one, other = ONE.number_keys
    first = replace(ONE, key=one, number_keys=(one,), payments=("other",))
    last = replace(ONE, key=other, number_keys=(other,), payments=("t1",))
    books = VoucherBooks(db)
    assert 2 == (await books.take([first, last], by())).added
    told = await books.take([ONE], by())
    assert (0, 1, 0, 0) == (told.added, told.known, told.found, told.elsewhere)
    assert "1 were there twice, and count once now" in (await details(db))[-1]
    (line,) = (await books.sales(DAY, DAY, VoucherBy.MACHINE)).lines
    assert (1, 200, 0) == (
        line.redeemed,
        line.voucher_minor,
        (await books.sales(DAY, DAY, VoucherBy.DAY)).elsewhere,
    )
    for one_alone in (first, last):
        assert 1 == (await books.take([one_alone], by())).known


async def test_what_a_program_of_before_has_taken_is_known(db: Database) -> None:
    """It wrote neither number's key, and gave a line with one number that number's."""
    one, _ = ONE.number_keys
    blank = _like(ONE, "7", payments=("t2",))
    blank = replace(blank, key=blank.number_keys[0])
    books = VoucherBooks(db)
    await books.take([ONE, blank], by())
    nothing = update(voucher_redemptions).values(number_key=None, other_key=None)
    await db.write(lambda connection: connection.execute(nothing))
    told = await books.take([ONE, replace(blank, key="8" * 64)], by())
    assert (0, 2) == (told.added, told.known)
    told = await books.take([replace(ONE, key=one, number_keys=(one,))], by())
    assert (0, 1) == (told.added, told.known)


@pytest.mark.slow_on_postgres
async def test_a_voucher_above_its_order_is_taken_and_said(db: Database) -> None:
    """The file is Alipay's, and its other lines would wait for ever: it counts as it is told."""
    await _paid(db, "t1")
    books = VoucherBooks(db)
    told = await books.take([replace(ONE, voucher_minor=851), BACK], by())
    assert (2, 1) == (told.added, told.above_order)
    assert "1 above what was to be paid" in (await details(db))[-1]
    (line,) = (await books.sales(DAY, DAY, VoucherBy.DAY)).lines
    assert 651 == line.voucher_minor


async def test_who_asks_again_hears_what_was_answered(db: Database) -> None:
    """Its gateway was killed before the answer was stored, and other files came since."""
    asked = Asked(caller="ann", request_id="r", rpc="ImportRedemptions", content_sha256="c")

    async def claimed(now_ms: int) -> Claim:
        claim = await Answers(db).begin(asked, now_ms=now_ms, lease_ms=10)
        assert isinstance(claim, Claim)
        return claim

    books = VoucherBooks(db)
    first = await books.take([ONE, ELSEWHERE], replace(by(), claim=await claimed(1)))
    assert RedemptionsTaken(added=2, known=0, found=0, elsewhere=2) == first
    await _paid(db, "t1")
    await books.take([ONE], by())
    resumed = await claimed(100)
    assert resumed.done
    assert first == await books.take([ONE, ELSEWHERE], replace(by(), claim=resumed))
    of_before = replace(by(), claim=replace(resumed, kept=""))
    assert 2 == (await books.take([ONE, ELSEWHERE], of_before)).known


async def test_a_payment_in_another_currency_is_another(db: Database) -> None:
    """Its number may be the same somewhere else."""
    await _paid(db, "t1")
    taken = await VoucherBooks(db).take([replace(ONE, currency="JPY")], by())
    assert (1, 1) == (taken.added, taken.elsewhere)


@pytest.mark.slow_on_postgres
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


@pytest.mark.slow_on_postgres
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
            _like(ONE, "4", payments=("t2",)),
            _like(ONE, "5", payments=("t2",), template="T2", voucher_minor=50),
            ELSEWHERE,
        ],
        by(),
    )
    sums = Sums()
    sums.add(scope_hours, ("FLEET", "", DAY, 9, "HKD"), (9, 4_500))
    sums.add(sales_hours, ("VM-1", DAY, 9, "HKD"), (3, 1_500))
    await db.write(lambda connection: save(connection, sums.rows()))
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
    second = _like(ONE, "4")
    third = _like(ONE, "5", template="T2")
    await books.take([ONE, BACK, second, _like(second, "6"), third], by())
    by_template = (await books.sales(DAY, DAY, VoucherBy.TEMPLATE)).lines
    assert [("T1", 3, 1, 850, 400), ("T2", 1, 0, 850, 200)] == [
        (line.key, line.redeemed, line.given_back, line.order_minor, line.voucher_minor)
        for line in by_template
    ]
    for of in (VoucherBy.DAY, VoucherBy.MACHINE):
        (line,) = (await books.sales(DAY, DAY, of)).lines
        assert (4, 850, 600) == (line.redeemed, line.order_minor, line.voucher_minor)


@pytest.mark.slow_on_postgres
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
