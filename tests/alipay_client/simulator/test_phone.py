"""The pretend Alipay as a phone."""

from urllib.parse import quote

import pytest

from alipay_client.simulator import phone
from alipay_client.simulator.screens import Shown
from tests.alipay_client.simulator.merchant import World

HOSTILE = "<script>alert(1)</script>"


async def _scanner(here: World) -> str:
    return phone.scanner(here.alipay.context, await here.alipay.reader.codes(200))


async def test_a_phone_before_anything_happened(here: World) -> None:
    """It says where codes come from, and that nobody has paid."""
    assert "None yet" in await _scanner(here)
    found = await here.alipay.reader.trades(50)
    assert "Nobody has paid yet" in phone.payments(here.alipay.context, found)


async def test_machines_are_there_to_be_scanned(here: World) -> None:
    """Each with its code, what its screen says and for how long; what others wrote is text."""
    qrcode = await here.create(store_name=HOSTILE)
    assert "The machine says nothing." in await _scanner(here)
    asks = Shown(
        text="Scan to pay for <A1>", amount="8.50", until_ms=here.alipay.context.now_ms() + 17_900
    )
    here.alipay.context.screens.tell(qrcode, asks)
    html = await _scanner(here)
    card = html.partition('<li class="asks">')[2].partition("</li>")[0]

    for text in (
        f'href="/scan?text={quote(qrcode, safe="")}"',
        f'src="/code.svg?text={quote(qrcode, safe="")}"',
        "</strong> VM_0001",
        "Scan to pay for &lt;A1&gt;<br>asks for <strong>8.50 HKD</strong>, 17 s left",
    ):
        assert text in card
    assert HOSTILE not in html
    await here.code_call("modifyStatus", qrcode=qrcode, status="STOP")
    assert "This code is STOP" in await _scanner(here)


@pytest.mark.parametrize(
    ("currency", "asked", "amount"),
    [("HKD", "", "5.00"), ("JPY", "", "500"), ("HKD", "8.50", "8.50")],
)
async def test_a_scanned_code_says_what_to_pay(
    here: World, currency: str, asked: str, amount: str
) -> None:
    """What the machine asks for, or a small amount in the currency's own decimals."""
    qrcode = await here.create(trans_currency=currency, currency=currency)
    here.alipay.context.screens.tell(qrcode, Shown(text="Welcome", amount=asked))
    code = here.alipay.context.book.code(qrcode)
    assert code is not None
    html = phone.sheet(here.alipay.context, code, HOSTILE, HOSTILE)

    assert f'name="amount" inputmode="decimal" value="{amount}"' in html
    assert f"Amount, {currency}" in html
    assert HOSTILE not in html


async def test_a_payment_says_what_came_back(here: World) -> None:
    """First that it was paid, then that the merchant knows, then each refund and what was spent."""
    trade = here.alipay.pay(await here.create(), "5.00", HOSTILE)
    book = here.alipay.context.book

    def receipt() -> str:
        kept = book.trade(trade.trade_no)
        assert kept is not None
        refunds, told = book.refunds_of(trade.trade_no), book.notifications_of(trade.trade_no)
        return phone.receipt(here.alipay.context, kept, refunds, told)

    assert "has not heard of it yet" in receipt()
    assert "You spent" not in receipt()
    await here.alipay.settle()
    assert "The merchant knows of it." in receipt()
    await here.refund(trade.out_trade_no, "R1", "2.00")
    html = receipt()
    assert '<li class="good"><span class="amount">2.00 HKD</span>Came back to you' in html
    assert "You spent 3.00 HKD." in html
    here.alipay.switch({"async_refund_ms": 60_000})
    await here.refund(trade.out_trade_no, "R2", "1.00", is_sync="N")
    assert "On its way back to you" in receipt()
    assert HOSTILE not in receipt()
    listed = phone.payments(here.alipay.context, await here.alipay.reader.trades(50))
    assert "2.00 HKD came back" in listed
    assert "1.00 HKD not back yet" in listed
    assert HOSTILE not in listed


def test_the_picture_is_of_the_code() -> None:
    """An SVG, another one for another text."""
    drawn = phone.picture("https://qr.alipay.com/bax1")

    assert b"<svg" in drawn
    assert drawn == phone.picture("https://qr.alipay.com/bax1")
    assert drawn != phone.picture("https://qr.alipay.com/bax2")
