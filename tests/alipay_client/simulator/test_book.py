"""The book on disk."""

import shutil
from pathlib import Path

import pytest

from alipay_client.simulator import gmt8
from alipay_client.simulator.book import Book
from alipay_client.simulator.model import RefundEntry, RefundStatus
from tests.alipay_client.simulator.examples import CODE, NOON_MS, TRADE

REFUND = RefundEntry(
    refund_id="R1",
    trade_no=TRADE.trade_no,
    out_trade_no=TRADE.out_trade_no,
    amount_minor=400,
    currency="HKD",
    notify_url="",
    state=RefundStatus.PROCESSING,
    error="",
    accepted_at_ms=NOON_MS,
    due_at_ms=NOON_MS + 5,
)


def test_a_hard_stop_loses_nothing(tmp_path: Path) -> None:
    """The files as they lie when nobody has closed them hold every committed change, and nothing of
    an unfinished one.
    """
    book = Book.open(tmp_path / "book", now_ms=1)
    with book.change():
        book.put_code(CODE)
        book.put_trade(TRADE)
        assert 1 == book.next_number("trade")
    book._db.execute("BEGIN IMMEDIATE")
    book.put_refund(REFUND)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("book", "book-wal"):
        shutil.copy(tmp_path / name, crashed / name)
    book.close()

    after = Book.open(crashed / "book", now_ms=2)
    assert 1 == after.birth
    assert CODE == after.code(CODE.qrcode)
    assert TRADE == after.trade(TRADE.trade_no)
    assert TRADE == after.trade_by_out(TRADE.out_trade_no)
    assert after.refund("R1") is None
    with after.change():
        assert 2 == after.next_number("trade")
    after.close()


def test_a_change_that_raises_never_was() -> None:
    """A transaction is whole or nothing."""
    book = Book.open(None, now_ms=1)
    with pytest.raises(ZeroDivisionError):
        _fail_within(book)
    assert book.code(CODE.qrcode) is None
    book.close()


def _fail_within(book: Book) -> None:
    with book.change():
        book.put_code(CODE)
        book.next_number(f"{1 // 0}")


def test_sums_by_state() -> None:
    """What is on its way counts as taken, but not as refunded; what failed counts as neither."""
    book = Book.open(None, now_ms=1)
    with book.change():
        book.put_trade(TRADE)
        for number, state in enumerate(RefundStatus):
            book.put_refund(
                RefundEntry(
                    **{name: getattr(REFUND, name) for name in REFUND.__slots__}
                    | {"refund_id": f"R{number}", "state": state}
                )
            )
    assert 400 == book.refunded_minor(TRADE.trade_no)
    assert ["R0", "R1", "R2"] == [one.refund_id for one in book.refunds_of(TRADE.trade_no)]
    assert 800 == book.taken_minor(TRADE.trade_no)
    assert ["R0"] == [refund.refund_id for refund in book.refunds_due(NOON_MS + 5, 9)]
    assert [] == book.refunds_due(NOON_MS + 4, 9)
    assert NOON_MS + 5 == book.next_due_ms()
    assert [] == book.trades_over(NOON_MS - 1, 9)
    assert [TRADE] == book.trades_over(NOON_MS, 9)
    book.close()


def test_an_empty_book() -> None:
    """Nothing is due in it and nobody has paid."""
    book = Book.open(None, now_ms=gmt8.DAY_MS)
    assert book.next_due_ms() is None
    assert [] == book.trades(9)
    book.close()
