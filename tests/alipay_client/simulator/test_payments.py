"""Customers."""

import pytest

from alipay_client.simulator import payments
from alipay_client.simulator.model import Declined
from tests.alipay_client.simulator.merchant import World


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"qrcode": "https://qr.alipay.com/none"}, "CODE_UNKNOWN"),
        ({"amount": "0"}, "BAD_AMOUNT"),
        ({"amount": "five"}, "BAD_AMOUNT"),
        ({"amount": "100000000.01"}, "BAD_AMOUNT"),
        ({"buyer": ""}, "BAD_BUYER"),
        ({"buyer": "a\nb"}, "BAD_BUYER"),
        ({"buyer": "a" * 65}, "BAD_BUYER"),
    ],
)
async def test_what_cannot_be_paid(here: World, changes: dict[str, str], code: str) -> None:
    """Each reason has its code, and no money moves."""
    whole = {"qrcode": await here.create(), "amount": "5.00", "buyer": "alice"} | changes
    with pytest.raises(Declined, match=code):
        here.alipay.pay(**whole)
    assert [] == (await here.alipay.book())["trades"]


async def test_a_stopped_code_takes_nothing(here: World) -> None:
    """Until it is restarted."""
    qrcode = await here.create()
    await here.code_call("modifyStatus", qrcode=qrcode, status="STOP")
    with pytest.raises(Declined, match="CODE_STOPPED"):
        here.alipay.pay(qrcode, "5.00")
    await here.code_call("modifyStatus", qrcode=qrcode, status="RESTART")
    assert 500 == here.alipay.pay(qrcode, "5.00").paid_minor


async def test_a_full_book_takes_nothing(here: World) -> None:
    """Full is an answer."""
    qrcode = await here.create()
    with here.alipay.context.book.change():
        here.alipay.context.book._db.execute("INSERT INTO facts VALUES ('trade', 1000000)")
    with pytest.raises(Declined, match="BOOK_FULL"):
        here.alipay.pay(qrcode, "5.00")


async def test_a_trade_is_finished_once(here: World) -> None:
    """Only an open trade can be."""
    trade = payments.finish(here.alipay.context, here.alipay.pay(await here.create(), "5.00"))
    with pytest.raises(Declined, match="TRADE_STATUS_ERROR"):
        payments.finish(here.alipay.context, trade)
