"""Readings of the book, beside its writer."""

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from alipay_client.simulator.book import Book, NotificationEntry, NotificationState
from alipay_client.simulator.model import CodeStatus, RefundEntry, RefundStatus
from alipay_client.simulator.reader import CodeList, Day, Reader, TradeList
from tests.alipay_client.simulator.examples import CODE, TRADE
from tests.alipay_client.simulator.merchant import NOON_MS

REFUND = RefundEntry(
    refund_id="R1",
    trade_no=TRADE.trade_no,
    out_trade_no=TRADE.out_trade_no,
    amount_minor=400,
    currency=TRADE.currency,
    notify_url="",
    state=RefundStatus.SUCCEEDED,
    error="",
    accepted_at_ms=NOON_MS,
    due_at_ms=NOON_MS + 5,
)
TOLD = NotificationEntry(
    notify_id="N1",
    trade_no=TRADE.trade_no,
    cause="paid",
    url="https://merchant.example",
    fields="{}",
    sign_type="MD5",
    charset="UTF-8",
    state=NotificationState.DUE,
    attempts=0,
    next_at_ms=NOON_MS,
)


@pytest.fixture(name="book")
def a_book(tmp_path: Path) -> Iterator[Book]:
    """Return an empty book in a file."""
    book = Book.open(tmp_path / "a book #1?", now_ms=1)
    yield book
    book.close()


async def test_an_empty_book_shows_nothing(book: Book) -> None:
    """A book that holds nothing has no rows, no sums and no count."""
    reader = Reader(book.path)
    assert CodeList(codes=[], made=0) == await reader.codes(9)
    assert TradeList(trades=[], refunds={}, notifications={}, totals={}, made=0) == (
        await reader.trades(9)
    )
    assert Day(paid=[], returned=[], trades={}, codes={}) == (await reader.day(0, NOON_MS, limit=9))


async def test_codes_that_live_come_first(book: Book) -> None:
    """Deleted codes come last; what the limit leaves off still counts as made."""
    deleted = dataclasses.replace(CODE, qrcode="gone", store_id="A", status=CodeStatus.DELETED)
    with book.change():
        for code in (deleted, CODE):
            book.put_code(code)
            book.next_number("code")
    reader = Reader(book.path)
    assert [CODE, deleted] == (await reader.codes(9)).codes
    assert CodeList(codes=[CODE], made=2) == await reader.codes(1)


async def test_the_newest_trades_with_all_that_belongs_to_them(book: Book) -> None:
    """The limit cuts off the oldest trades and what belongs to them, but nothing of the sums: what
    failed or is on its way has not been refunded.
    """
    later = dataclasses.replace(
        TRADE, trade_no="T9", out_trade_no="O9", paid_at_ms=TRADE.paid_at_ms + 1
    )
    theirs = [
        dataclasses.replace(REFUND, refund_id=f"S{number}", trade_no="T9", state=state)
        for number, state in enumerate(RefundStatus)
    ]
    told = [
        dataclasses.replace(TOLD, notify_id=notify_id, trade_no="T9") for notify_id in ("N9", "N8")
    ]
    with book.change():
        for trade in (TRADE, later):
            book.put_trade(trade)
            book.next_number("trade")
        for refund in (REFUND, dataclasses.replace(REFUND, refund_id="other"), *theirs):
            book.put_refund(refund)
        for notification in (TOLD, *told):
            book.put_notification(notification)

    totals = {"HKD": {"paid_minor": 2 * TRADE.paid_minor, "refunded_minor": 3 * 400}}
    assert TradeList(
        trades=[later], refunds={"T9": theirs}, notifications={"T9": told}, totals=totals, made=2
    ) == await Reader(book.path).trades(1)
    assert [TRADE, later] == (await Reader(book.path).trades(9)).trades
    before = await Reader(book.path).trades(1, before="T9")
    assert ([TRADE], ["R1", "other"]) == (
        before.trades,
        [refund.refund_id for refund in before.refunds[TRADE.trade_no]],
    )
    assert [] == (await Reader(book.path).trades(9, before=TRADE.trade_no)).trades
    assert [] == (await Reader(book.path).trades(9, before="nobody's")).trades


async def test_a_day_ends_before_the_next_begins(book: Book) -> None:
    """What happens in the first millisecond belongs to a day, what happens at its end does not; a
    refund brings its trade and code with it, whenever that was paid.
    """
    unpaid = dataclasses.replace(REFUND, refund_id="R2", state=RefundStatus.PROCESSING)
    other = dataclasses.replace(CODE, qrcode="never used")
    with book.change():
        for code in (CODE, other):
            book.put_code(code)
        book.put_trade(TRADE)
        for refund in (REFUND, unpaid):
            book.put_refund(refund)
    reader, at_ms = Reader(book.path), TRADE.paid_at_ms
    trades, codes = {TRADE.trade_no: TRADE}, {CODE.qrcode: CODE}
    assert Day(paid=[TRADE], returned=[], trades=trades, codes=codes) == (
        await reader.day(at_ms, at_ms + 1, limit=9)
    )
    assert [] == (await reader.day(at_ms - 9, at_ms, limit=9)).paid
    assert Day(paid=[], returned=[REFUND], trades=trades, codes=codes) == (
        await reader.day(NOON_MS + 5, NOON_MS + 6, limit=9)
    )
    assert [] == (await reader.day(NOON_MS + 6, NOON_MS + 9, limit=9)).returned


async def test_a_reading_sees_what_is_committed_and_nothing_else(book: Book) -> None:
    """A reading inside somebody's change sees the state before it, and one after it sees it."""
    reader = Reader(book.path)
    with book.change():
        book.put_code(CODE)
        book.next_number("code")
        assert CodeList(codes=[], made=0) == await reader.codes(9)
    assert CodeList(codes=[CODE], made=1) == await reader.codes(9)


async def test_a_reading_is_one_snapshot(book: Book) -> None:
    """A payment that comes in the middle of a reading is in none of its parts; the writer does not
    wait for the reading.
    """
    reader = Reader(book.path)
    async with reader._snapshot() as connection:
        count = "SELECT count(*) FROM trades"
        assert 0 == (await connection.exec_driver_sql(count)).scalar_one()
        with book.change():
            book.put_trade(TRADE)
        assert 0 == (await connection.exec_driver_sql(count)).scalar_one()
    assert [TRADE] == (await reader.trades(9)).trades


async def test_many_may_read_at_once(book: Book) -> None:
    """Readings stand beside one another, and a reader cannot write."""
    reader = Reader(book.path)
    found = await asyncio.gather(*(reader.codes(9) for _ in range(8)))
    assert [CodeList(codes=[], made=0)] * 8 == found
    async with reader._snapshot() as connection:
        with pytest.raises(Exception, match="readonly"):
            await connection.exec_driver_sql("DELETE FROM facts")
