"""The console in a real browser: somebody signs in, looks at every page on three screens without a
script, and does something. What keeps people out who see or move otherwise is looked for too.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa
from playwright.async_api import Browser, BrowserContext, Page

from gateway import web
from gateway.fleet.v1 import fleet_service_pb2
from gateway.office.v1 import (
    machine_profile_service_pb2,
    offer_service_pb2,
    offer_service_pb2_grpc,
    screen_pb2,
    screen_service_pb2,
    screen_service_pb2_grpc,
    selector_pb2,
)
from gateway.process.sections import Address
from gateway.rpc.limits import HttpLimits
from gateway.serving import http_server
from gateway.web.app import PAGES, build_console_app
from storage.database import migrate
from storage.fleet.logins import Logins
from storage.insight import days
from tests.alipay_client.wire import Pair
from tests.gateway.office import giving, placing
from tests.gateway.screens.showable import picture
from tests.gateway.web.signed_in import console_of
from tests.support.browser import barriers, kept, needs_browser, shot
from tests.support.fleet_calls import refunded, registered
from tests.support.site import PARTITIONS, Site, a_site
from tests.support.sold_items import half_past, have_sold

pytestmark = needs_browser

STATIC = Path(web.__file__).parent / "static"
WIDTHS = (360, 1_024, 1_600)
HOSTILE = "<img src=x onerror=alert(1)>\u05d0</bdi></td>yyyyyyyyyyyyyyyyyyyy"
ENDS = """
figure => {
  const [picture, around] = ["svg", ".scroll"].map(
    one => figure.querySelector(one).getBoundingClientRect());
  return picture.right <= around.right + 1
    && (picture.left < around.left || picture.left - around.left <= 1);
}"""
"""Whether yesterday is to be seen; and the first day too, where there is room for all of them."""
BARS = """
canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let bars = 0;
  for (let at = 0; at < data.length; at += 4) {
    bars += data[at] === 0x3c && data[at + 1] === 0x7f && data[at + 2] === 0x96;
  }
  return bars;
}"""
"""How many points of a canvas have the colour of what was sold."""
MORE = [
    "/machines?table=machines",
    "/screens/plans?open=summer&ended=1",
    "/offers?offer=tea",
]
NAMELESS = """
[...document.querySelectorAll("main input:not([type=hidden]), main select, button, a")]
  .filter(one => !(one.getAttribute("aria-label") || one.labels?.length || one.textContent.trim()))
  .map(one => one.outerHTML)"""
"""What somebody who hears the page would not know how to call."""


FOCUSED = """
(() => {
  const [it, top] = [document.activeElement, document.querySelector(".done")];
  const [at, said] = [it, top].map(one => one.getBoundingClientRect());
  const free = at.top >= said.bottom || at.bottom <= said.top;
  return [it.getAttribute("aria-label") || it.textContent,
    free && at.top >= 0 && at.top < innerHeight, getComputedStyle(it).outlineWidth === "3px"];
})()"""
"""What has the focus; whether it is in the window, with nothing over it; whether it is marked."""
DRAWN = """
async canvas => {
  await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return canvas.toDataURL();
}"""
"""What stands on a canvas, once it was drawn."""
UNSOURCED = """
[...document.querySelectorAll("figure")]
  .filter(one => one.querySelector("svg") && one.querySelectorAll(".sources a").length != 2)
  .map(one => one.textContent.trim().slice(0, 60))"""
"""Pictures from which no way leads to their table and to their CSV."""


@dataclass
class Looking:
    """A page of somebody who is signed in, and what the browser asked for."""

    site: Site
    context: BrowserContext
    page: Page
    url: str
    asked: list[str] = field(default_factory=list)


async def _playlists(site: Site) -> None:
    """One of two pictures, which a plan has some machines show."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    items = []
    for width, name in (30, HOSTILE), (40, "Tea"):
        content = picture("PNG", width=width)
        added = await call.AddAsset(screen_service_pb2.AddAssetRequest(content=content, name=name))
        items.append(screen_pb2.PlaylistItem(sha256=added.asset.sha256, duration_ms=8_000))
    made = screen_pb2.Playlist(code="summer", name=HOSTILE, items=items)
    await call.CreatePlaylist(screen_service_pb2.CreatePlaylistRequest(playlist=made))
    some = selector_pb2.Selector(machine_ids=["VM-1", "VM-2", "VM-3"], site_type="STATION")
    plan = screen_pb2.ScreenPlan(code="noon", playlist="summer", selector=some, days=[1, 5, 6])
    plan.not_after.FromJsonString("2199-01-01T00:00:00Z")
    await call.CreateScreenPlan(screen_service_pb2.CreateScreenPlanRequest(plan=plan))


async def _a_fleet(site: Site) -> None:
    """Let there be something of everything: a machine that is away and one that is disabled, an
    open refund and what waits for a person, sites, a playlist, and five weeks of sales.
    """
    await refunded(site)
    for machine_id in ("VM-2", "VM-3"):
        await registered(site, machine_id, store_name=HOSTILE)
    disabled = fleet_service_pb2.DisableMachineRequest(machine_id="VM-3", reason="a test")
    await site.fleet.DisableMachine(disabled)
    await placing.a_district(site)
    await placing.a_site(site)
    placed = machine_profile_service_pb2.PlaceMachineRequest(
        machine_id="VM-1", site="pier", from_day="2001-01-01", reason="always there"
    )
    await site.profiles.PlaceMachine(placed)
    await _playlists(site)
    await giving.offers_of_all_kinds(site)
    today = half_past(site, 11)
    await have_sold(
        site,
        [
            (f"VM-{1 + back % 3}", days.moved(today, -back), 8 + back % 5, product, minor)
            for back in range(36)
            for product, minor in (("cola", 1_234_500 + 99_000 * (back % 7)), (HOSTILE, 850))
        ],
    )


@asynccontextmanager
async def _looking(folder: Path, chromium: Browser) -> AsyncIterator[Looking]:
    """Sign somebody in at a console that is served on this computer."""
    migrate.upgrade(f"sqlite:///{folder / 'upgraded.db'}", partition_count=PARTITIONS)
    pair = Pair(
        merchant=rsa.generate_private_key(65_537, 2_048),
        alipay=rsa.generate_private_key(65_537, 2_048),
    )
    async with a_site(folder, folder / "upgraded.db", pair, decided=giving.BY_TWO) as site:
        await _a_fleet(site)
        listener = http_server.bind(Address(host="127.0.0.1", port=0), setting="console.listen")
        host = f"127.0.0.1:{http_server.port_of(listener)}"
        app = build_console_app(console_of(site), hosts=frozenset({host}))
        async with http_server.served(app, listener, limits=HttpLimits(), ended=lambda _why: None):
            context = await chromium.new_context(java_script_enabled=False)
            page = await context.new_page()
            seen = Looking(site, context, page, f"http://{host}")
            page.on("request", lambda one: seen.asked.append(one.url))
            await _sign_in(seen, page)
            yield seen
            await context.close()


async def _sign_in(seen: Looking, page: Page) -> None:
    await Logins(seen.site.database).issue(
        "ann", "the-link", role="owner", now_ms=seen.site.clock.now_ms()
    )
    await page.goto(f"{seen.url}/login/the-link")
    await page.get_by_role("button", name="Sign in").click()
    assert f"{seen.url}/" == page.url


@pytest_asyncio.fixture(scope="module", loop_scope="session", name="seen")
async def _seen(
    tmp_path_factory: pytest.TempPathFactory, chromium: Browser
) -> AsyncIterator[Looking]:
    """One gateway for all pages."""
    async with _looking(tmp_path_factory.mktemp("console"), chromium) as seen:
        yield seen


def _paths() -> list[str]:
    return [path.replace("{name}", "VM-1") for path in PAGES] + MORE


async def test_every_page_fits_every_screen(seen: Looking) -> None:
    """Nothing is wider than the screen, everything has a name, what people wrote is text, and no
    request leaves this computer.
    """
    for path in _paths():
        await seen.page.goto(seen.url + path)  # it is drawn for no width, and no script runs
        for width in WIDTHS:
            await seen.page.set_viewport_size({"width": width, "height": 800})
            name = (
                path.strip("/").replace("/VM-1", "-one").replace("/", "-").replace("?", "-")
                or "today"
            )
            await kept(seen.page, f"console-{name}-{width}")
            assert width >= await seen.page.evaluate("document.documentElement.scrollWidth")
            assert [] == await seen.page.evaluate(NAMELESS)
            assert [] == await seen.page.evaluate(UNSOURCED)
            assert 1 == await seen.page.locator("h1").count()
            assert 0 == await seen.page.locator("main img").count()
            assert "· Vendgate" in await seen.page.title()
    assert len(seen.asked) > len(PAGES)
    assert [] == [url for url in seen.asked if not url.startswith(seen.url)]


async def test_nothing_serious_keeps_anybody_out(seen: Looking) -> None:
    """Of those who see, hear or move otherwise, on any page; who is signed in and who is not."""
    browser_of = seen.context.browser
    assert browser_of is not None
    context = await browser_of.new_context(viewport={"width": 1_024, "height": 800})
    page = await context.new_page()
    await page.goto(f"{seen.url}/login")
    assert [] == await barriers(page)
    await _sign_in(seen, page)
    for path in (*_paths(), "/moons"):
        await page.goto(seen.url + path)
        assert [] == await barriers(page), path
    await context.close()


async def test_days_are_looked_at_closer(seen: Looking) -> None:
    """Where scripts run: by a button and by dragging, without anything that a page's rules forbid
    and without a request to elsewhere; where none run, the same days stand there as a picture.
    """
    await seen.page.goto(seen.url)
    assert await seen.page.locator("figure.series svg").first.is_visible()
    assert 0 == await seen.page.locator("canvas").count()
    for width in WIDTHS:
        await seen.page.set_viewport_size({"width": width, "height": 800})
        await seen.page.goto(seen.url)
        assert await seen.page.locator("figure.series").first.evaluate(ENDS), width
    browser_of = seen.context.browser
    assert browser_of is not None
    context = await browser_of.new_context()
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text))
    page.on("request", lambda one: seen.asked.append(one.url))
    await _sign_in(seen, page)
    for path in ("/", "/machines/VM-1"):
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            await page.goto(seen.url + path)
            figure = page.locator("figure.series").first
            canvas = figure.locator("canvas")
            await kept(page, f"console-zoom-{path.strip('/').replace('/', '-') or 'today'}-{width}")
            assert width >= await page.evaluate("document.documentElement.scrollWidth")
            assert not await figure.locator("svg").is_visible()
            said = await figure.locator("svg").get_attribute("aria-label")
            assert 1 == await figure.get_by_role("group", name=said, exact=True).count()
            whole = await canvas.evaluate(DRAWN)
            await figure.get_by_role("button", name="4 weeks").click()
            closer = await canvas.evaluate(DRAWN)
            await figure.get_by_role("button", name="All").click()
            assert whole == await canvas.evaluate(DRAWN) != closer
            await figure.evaluate("figure => figure.scrollIntoView({block: 'center'})")
            over = await figure.locator(".u-over").bounding_box()
            assert over is not None
            middle = over["y"] + over["height"] / 2
            await page.mouse.move(over["x"] + over["width"] * 0.5, middle)
            await page.mouse.down()
            await page.mouse.move(over["x"] + over["width"] * 0.9, middle, steps=4)
            await page.mouse.up()
            assert await canvas.evaluate(DRAWN) not in {whole, closer}
    assert [] == complaints
    assert [] == [url for url in seen.asked if not url.startswith(seen.url)]
    await context.close()


@pytest.mark.parametrize(
    ("minors", "is_drawn"), [(",,-500,", True), ("-500,,", True), ("0,", True), (",,", False)]
)
async def test_days_on_which_more_was_given_back_are_drawn(
    chromium: Browser, minors: str, *, is_drawn: bool
) -> None:
    """Also where nobody bought anything in the days that are looked at."""
    page = await chromium.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.set_content(
        f'<figure class="series" data-first="2026-03-28" data-minors="{minors}" data-decimals="2">'
        '<div class="scroll"><svg aria-label="Sold by day"></svg></div></figure>'
    )
    for name in ("uplot/uPlot.iife.min.js", "zoom.js"):
        await page.add_script_tag(path=STATIC / name)
    canvas = page.locator("canvas")
    await canvas.evaluate(DRAWN)
    assert is_drawn == bool(await canvas.evaluate(BARS))
    assert [] == complaints
    await page.close()


async def test_a_playlist_is_ordered_without_a_script(seen: Looking) -> None:
    """By its buttons; who writes seconds and presses Enter saves them and moves nothing."""
    page = seen.page
    await page.set_viewport_size({"width": 1_024, "height": 800})
    await page.goto(f"{seen.url}/screens/plans?open=summer")
    await page.get_by_label("Down: place 1").click()
    assert "The playlist is changed." in await page.get_by_role("status").inner_text()
    await page.get_by_label("Seconds of place 1").fill("12")
    await page.get_by_label("Seconds of place 1").press("Enter")
    assert "The playlist is changed." in await page.get_by_role("status").inner_text()
    call = screen_service_pb2_grpc.ScreenServiceStub(seen.site.channel)
    asked = screen_service_pb2.GetPlaylistRequest(playlist="summer")
    told = (await call.GetPlaylist(asked)).playlist
    assert [12_000, 8_000] == [one.duration_ms for one in told.items]
    assert "Tea" == await page.locator("td[data-head=Picture]").first.inner_text()
    assert HOSTILE == told.name


async def test_a_keyboard_goes_on_where_it_was(seen: Looking) -> None:
    """Without a script: after each form on the button that was pressed, wherever its item went;
    or, where that is gone, on the table in which it stood; and it is to be seen.
    """
    page = seen.page
    await page.set_viewport_size({"width": 1_024, "height": 600})
    await page.goto(f"{seen.url}/screens/plans?open=summer")
    for pressed, then in (
        ("Down: place 1", "Up: place 2"),
        ("Up: place 2", "Down: place 1"),
        ("Add: Tea", "Add: Tea"),
        ("Up: place 3", "Up: place 2"),
        ("Take out: place 2", "Take out: place 2"),
    ):
        await page.get_by_label(pressed, exact=True).focus()
        await _enter(page)
        assert [then, True, True] == await _focused(page), pressed
    await shot(page, "console-goes-on")
    await page.get_by_label("Seconds of place 1").fill("9")
    await _enter(page)
    assert ["Save name and seconds", True, True] == await _focused(page)
    await page.goto(f"{seen.url}/screens/plans")
    await page.get_by_role("button", name="End", exact=True).first.focus()
    await _enter(page)
    nothing = "No machine is to show anything: make a plan."
    assert [nothing, True, True] == await _focused(page)
    await page.goto(f"{seen.url}/screens")
    await page.get_by_label("Recall: reason").first.fill("the wrong price")
    await _enter(page)
    assert ["Pictures", True, True] == await _focused(page)
    await page.goto(f"{seen.url}/machines/VM-2")
    await page.get_by_label("Disable: reason").fill("its door is open")
    await _enter(page)
    assert ["Enable", True, True] == await _focused(page)
    await _enter(page)
    assert ["Disable", True, True] == await _focused(page)


async def _enter(page: Page) -> None:
    """Send a form by the keyboard, and wait for the page that it leads to."""
    async with page.expect_navigation():
        await page.keyboard.press("Enter")


async def _focused(page: Page) -> list[object]:
    """Return what has the focus, whether it is to be seen, and whether one sees that it has it."""
    found: list[object] = await page.evaluate(FOCUSED)
    return found


async def test_a_plan_is_made_without_a_script(seen: Looking) -> None:
    """With the browser's own fields for days and times."""
    page = seen.page
    await page.goto(f"{seen.url}/screens/plans")
    form = page.locator("form#new")
    await form.get_by_label("Name of the plan").fill("evening")
    await form.get_by_label("Playlist").fill("summer")
    await form.get_by_label("all machines").check()
    await form.get_by_label("Sat").check()
    await form.get_by_label("From").fill("18:30")
    await form.get_by_label("Until, for good").fill("2198-06-01T08:00")
    await form.get_by_role("button", name="Make the plan").click()
    assert "The plan is made." in await page.get_by_role("status").inner_text()
    call = screen_service_pb2_grpc.ScreenServiceStub(seen.site.channel)
    plans = (await call.ListScreenPlans(screen_service_pb2.ListScreenPlansRequest())).plans
    (made,) = (one for one in plans if one.code == "evening")
    assert ([6], 1_110, 1_440, True) == (
        list(made.days),
        made.from_minute,
        made.to_minute,
        made.selector.all,
    )
    assert "2198-06-01T08:00:00Z" == made.not_after.ToJsonString()


async def test_an_offer_is_made_without_a_script(seen: Looking) -> None:
    """Amounts as people write them; the keyboard goes on at the table in which it stands then."""
    page = seen.page
    await page.set_viewport_size({"width": 1_024, "height": 600})
    await page.goto(f"{seen.url}/offers")
    form = page.locator("form#new")
    for label, value in (
        ("Code of the offer", "bread"),
        ("Name, for people", HOSTILE),
        ("Currency", "HKD"),
        ("Or per cent off", "12.5"),
        ("Budget for all of it", "0.40"),
        ("Until", days.as_date(days.moved(half_past(seen.site, 11), 30)).isoformat() + "T08:00"),
    ):
        await form.get_by_label(label).fill(value)
    await form.get_by_label("all machines").check()
    await form.get_by_role("button", name="Make the offer").focus()
    await _enter(page)
    assert ["Offers", True, True] == await _focused(page)
    call = offer_service_pb2_grpc.OfferServiceStub(seen.site.channel)
    made = (await call.GetOffer(offer_service_pb2.GetOfferRequest(code="bread"))).offer.content
    assert (HOSTILE, 1_250, 40) == (made.name, made.basis_points, made.budget.minor)


async def test_a_form_is_sent_without_a_script(seen: Looking) -> None:
    """By a browser that says where it comes from; the page says that it is done."""
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
