"""The control page."""

import pytest

from alipay_client.simulator import page
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
