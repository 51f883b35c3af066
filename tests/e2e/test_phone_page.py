"""The pretend Alipay as a phone, in a real browser, on the smallest screen and with no script."""

import asyncio
from pathlib import Path

from playwright.async_api import Browser, Page

from alipay_client.simulator import application
from alipay_client.simulator.screens import Shown
from gateway.process.sections import Address
from gateway.rpc.limits import HttpLimits
from gateway.serving import http_server
from tests.alipay_client.simulator.merchant import World, world
from tests.support.browser import barriers, kept, needs_browser
from tests.support.patience import HANGS_AFTER_S

pytestmark = needs_browser

WIDTH, HEIGHT = 360, 640
SEEN = """["main button", "nav"].map(
  (one, last) => document.querySelector(one).getBoundingClientRect()[last ? "top" : "bottom"])"""
"""Where the button ends, and where what lies over the page's end begins."""
WIDE = "document.documentElement.scrollWidth"


async def _phone(chromium: Browser, asked: list[str], *, scripts: bool) -> Page:
    context = await chromium.new_context(
        java_script_enabled=scripts, viewport={"width": WIDTH, "height": HEIGHT}
    )
    page = await context.new_page()
    page.on("request", lambda one: asked.append(one.url))
    return page


async def _fits(page: Page, name: str) -> None:
    await page.wait_for_load_state()  # whoever has pressed something is only on the way there
    await kept(page, f"phone-{name}")
    assert WIDTH >= await page.evaluate(WIDE)


async def _pay(page: Page, url: str, here: World) -> None:
    """Scan, pay, and see the change come back, on pages that fit."""
    await page.goto(url)
    await _fits(page, "scan")
    await page.get_by_role("link", name="VM_0001").click()
    await _fits(page, "sheet")
    assert "8.50" == await page.get_by_label("Amount, HKD").input_value()
    ends, begins = await page.evaluate(SEEN)
    assert 0 < ends <= begins, "who wants to pay sees how without scrolling"
    await page.get_by_label("Amount, HKD").fill("10.00")
    await page.get_by_role("button", name="Pay").click()
    await page.wait_for_selector("text=has not heard of it yet")
    trade = (await here.alipay.book())["trades"][-1]
    await here.alipay.settle()
    await here.refund(trade["out_trade_no"], f"R-{trade['trade_no']}", "1.50")
    # Nobody touches it: the page reads itself again.
    await page.wait_for_selector("text=Came back to you", timeout=HANGS_AFTER_S * 1_000)
    await page.wait_for_selector("text=You spent 8.50 HKD.")
    await _fits(page, "receipt")


async def test_a_phone_pays_with_and_without_scripts(tmp_path: Path, chromium: Browser) -> None:
    """From the code to the change that comes back by itself; nothing is wider than the phone,
    nothing serious keeps anybody out, and no request leaves this computer.
    """
    here = world(book_path=tmp_path / "book.db")
    qrcode = await here.create(store_name="<b>Lobby</b> 大堂" + "y" * 40)
    here.alipay.context.screens.tell(qrcode, Shown(text="Scan to pay for A1", amount="8.50"))
    listener = http_server.bind(Address(host="127.0.0.1", port=0), setting="port")
    url = f"http://127.0.0.1:{http_server.port_of(listener)}"
    app = application(here.alipay)
    asked: list[str] = []
    async with (
        http_server.served(app, listener, limits=HttpLimits(), ended=lambda _why: None),
        asyncio.timeout(4 * HANGS_AFTER_S),
    ):
        page = await _phone(chromium, asked, scripts=False)
        await _pay(page, url, here)
        await page.context.close()
        page = await _phone(chromium, asked, scripts=True)
        await _pay(page, url, here)
        for path in ("/", f"/scan?text={qrcode}", "/payments", "/counter"):
            await page.goto(url + path)
            await _fits(page, path.strip("/").partition("?")[0] + "-2")
            assert [] == await barriers(page)
        await page.goto(url + "/payments")
        await page.get_by_role("link", name="VM_0001").first.click()
        assert [] == await barriers(page)
        await page.context.close()
    assert [] == [one for one in asked if not one.startswith((url, "data:"))]
