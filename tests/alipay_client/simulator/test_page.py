"""The counter."""

from html import escape

import pytest

from alipay_client.simulator import legend, page
from tests.alipay_client.simulator.merchant import World, signed


async def _page(here: World, said: str = "") -> str:
    return page.render(here.alipay.context, await here.alipay.reader.trades(50), said)


async def test_an_empty_page(here: World) -> None:
    """Without trades it says so."""
    assert "Nobody has paid yet" in await _page(here)


async def test_a_full_page(here: World) -> None:
    """Trades with refunds and notifications, switches, calls turned away; all of it escaped."""
    qrcode = await here.create()
    trade = here.alipay.pay(qrcode, "5.00", "<b>")
    await here.refund(trade.out_trade_no, "R1", "2.00")
    await here.send(signed("alipay.acquire.overseas.query", partner_trans_id="x") | {"sign": "x"})
    html = await _page(here, "<said>")
    assert not any(one in html for one in ("<said>", "<b>"))
    for text in (
        *map(escape, legend.WORDS.values()),
        trade.trade_no,
        "2.00 SUCCEEDED",
        "paid: DUE, sent 0",
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
