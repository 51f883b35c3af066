"""The console in a real browser that runs no script: somebody signs in, looks at every page on
three screens, and does something.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from playwright.async_api import Browser, Page

from gateway.process.sections import Address
from gateway.rpc.limits import HttpLimits
from gateway.serving import http_server
from gateway.web.app import PAGES, build_console_app
from storage.database import migrate
from storage.fleet.logins import Logins
from tests.alipay_client.wire import Pair
from tests.gateway.web.signed_in import console_of
from tests.support.browser import needs_browser, shot
from tests.support.fleet_calls import registered
from tests.support.site import PARTITIONS, Site, a_site

pytestmark = needs_browser

WIDTHS = (360, 1_024, 1_600)
HOSTILE = "<img src=x onerror=alert(1)>\u05d0</bdi></td>yyyyyyyyyyyyyyyyyyyy"
NAMELESS = """
[...document.querySelectorAll("main input:not([type=hidden]), main select, button, a")]
  .filter(one => !(one.getAttribute("aria-label") || one.labels?.length || one.textContent.trim()))
  .map(one => one.outerHTML)"""
"""What somebody who hears the page would not know how to call."""


@dataclass
class Looking:
    """A page of somebody who is signed in, and what the browser asked for."""

    site: Site
    page: Page
    url: str
    asked: list[str] = field(default_factory=list)


@asynccontextmanager
async def looking(folder: Path, chromium: Browser) -> AsyncIterator[Looking]:
    """Sign somebody in at a console that is served on this computer."""
    migrate.upgrade(f"sqlite:///{folder / 'upgraded.db'}", partition_count=PARTITIONS)
    pair = Pair(
        merchant=rsa.generate_private_key(65_537, 2_048),
        alipay=rsa.generate_private_key(65_537, 2_048),
    )
    async with a_site(folder, folder / "upgraded.db", pair) as site:
        listener = http_server.bind(Address(host="127.0.0.1", port=0), setting="console.listen")
        host = f"127.0.0.1:{http_server.port_of(listener)}"
        app = build_console_app(console_of(site), hosts=frozenset({host}))
        async with http_server.served(app, listener, limits=HttpLimits(), ended=lambda _why: None):
            context = await chromium.new_context(java_script_enabled=False)
            page = await context.new_page()
            seen = Looking(site, page, f"http://{host}")
            page.on("request", lambda one: seen.asked.append(one.url))
            await Logins(site.database).issue(
                "ann", "the-link", role="owner", now_ms=site.clock.now_ms()
            )
            await page.goto(f"{seen.url}/login/the-link")
            await page.get_by_role("button", name="Sign in").click()
            assert f"{seen.url}/" == page.url
            yield seen
            await context.close()


async def test_every_page_fits_every_screen(tmp_path: Path, chromium: Browser) -> None:
    """Nothing is wider than the screen, everything has a name, what people wrote is text, and no
    request leaves this computer.
    """
    async with looking(tmp_path, chromium) as seen:
        await registered(seen.site, store_name=HOSTILE)
        for path in PAGES:
            for width in WIDTHS:
                await seen.page.set_viewport_size({"width": width, "height": 800})
                await seen.page.goto(seen.url + path.replace("{name}", "VM-1"))
                name = path.strip("/").replace("/{name}", "-one") or "today"
                await shot(seen.page, f"console-{name}-{width}")
                assert width >= await seen.page.evaluate("document.documentElement.scrollWidth")
                assert [] == await seen.page.evaluate(NAMELESS)
                assert 1 == await seen.page.locator("h1").count()
                assert 0 == await seen.page.locator("main img").count()
                assert "· Vendgate" in await seen.page.title()
    assert len(seen.asked) > len(PAGES)
    assert [] == [url for url in seen.asked if not url.startswith(seen.url)]


async def test_a_form_is_sent_without_a_script(tmp_path: Path, chromium: Browser) -> None:
    """By a browser that says where it comes from; the page says that it is done."""
    async with looking(tmp_path, chromium) as seen:
        await registered(seen.site)
        await seen.page.goto(f"{seen.url}/machines/VM-1")
        await seen.page.get_by_label("Disable: reason").fill("its door is open")
        await seen.page.get_by_role("button", name="Disable").click()
        said = await seen.page.get_by_role("status").inner_text()
        assert "The machine is disabled." == said
        view = await seen.site.queries.machine("VM-1")
        assert view is not None
        assert not view.enabled
        await seen.page.get_by_role("button", name="Sign out").click()
        assert f"{seen.url}/login" == seen.page.url
