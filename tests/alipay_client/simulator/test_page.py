"""The control page."""

from html import escape
from urllib.parse import quote

import pytest

from alipay_client.simulator import legend, page
from alipay_client.simulator.screens import Shown
from tests.alipay_client.simulator.merchant import World, signed


async def _page(here: World, said: str = "") -> str:
    reader = here.alipay.reader
    return page.render(here.alipay.context, await reader.codes(200), await reader.trades(50), said)


async def test_an_empty_page_says_what_to_do(here: World) -> None:
    """Without codes and trades it says where they come from."""
    html = await _page(here)
    assert "None yet" in html
    assert "Nobody has paid yet" in html


async def test_a_full_page(here: World) -> None:
    """Codes with their text and a pay form, trades with refunds and notifications, switches, calls
    turned away; all of it escaped.
    """
    qrcode = await here.create(store_name="<script>alert(1)</script>")
    yen = await here.create(store_id="VM_0002", trans_currency="JPY", currency="JPY")
    trade = here.alipay.pay(qrcode, "5.00", "<b>")
    await here.refund(trade.out_trade_no, "R1", "2.00")
    await here.send(signed("alipay.acquire.overseas.query", partner_trans_id="x") | {"sign": "x"})
    html = await _page(here, "<said>")
    assert "<script>" not in html
    assert "<said>" not in html
    assert "<b>" not in html
    for text in (
        *map(escape, legend.WORDS.values()),
        qrcode,
        yen,
        trade.trade_no,
        "2.00 SUCCEEDED",
        "paid: DUE, sent 0",
        'value="500"',
        "ILLEGAL_SIGN",
        "notify_lost",
    ):
        assert text in html
    assert "HKD: paid 5.00, refunded 2.00" in html


async def test_a_machine_that_asks(here: World) -> None:
    """Beside its picture stands what it shows and for how long; its amount is what the form
    pays.
    """
    qrcode = await here.create()
    assert "The machine says nothing." in await _page(here)
    asks = Shown(
        text="Scan to pay for <A1>", amount="8.50", until_ms=here.alipay.context.now_ms() + 17_900
    )
    here.alipay.context.screens.tell(qrcode, asks)
    html = await _page(here)
    card = html.partition('<div class="machine asks">')[2].partition("</form>")[0]

    for text in (
        f'src="/code.svg?text={quote(qrcode, safe="")}"',
        "<strong>VM_0001</strong> Lobby",
        "Scan to pay for &lt;A1&gt;<br>asks for <strong>8.50 HKD</strong>, 17 s left",
        'name="amount" value="8.50"',
    ):
        assert text in card
    await here.code_call("modifyStatus", qrcode=qrcode, status="STOP")
    assert "This code is STOP" in await _page(here)


def test_the_picture_is_of_the_code() -> None:
    """An SVG, another one for another text."""
    drawn = page.picture("https://qr.alipay.com/bax1")

    assert b"<svg" in drawn
    assert drawn == page.picture("https://qr.alipay.com/bax1")
    assert drawn != page.picture("https://qr.alipay.com/bax2")


def test_the_form_of_switches_comes_back_whole(here: World) -> None:
    """What the page shows, sent back unchanged, changes nothing."""
    switches = here.alipay.context.switches()
    form = {
        name: ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in switches.items()
    }
    form |= {
        name: str(value).lower() for name, value in switches.items() if isinstance(value, bool)
    }
    here.alipay.switch(page.read_switches(switches, form))
    assert switches == here.alipay.context.switches()
    assert {"services": ["a", "b"]} == page.read_switches(switches, {"services": "a, b,"})
    with pytest.raises(ValueError, match="float"):
        page.read_switches(switches, {"slow": "x"})
