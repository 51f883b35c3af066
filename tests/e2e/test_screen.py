"""The page of a machine's screen, in a real browser: the reference machine serves it, a small
honest backend sells.
"""

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route

from gateway.demo.pictures import gradient
from gateway.simulator.manifest import read
from gateway.simulator.screen_keeper import ScreenKeeper
from gateway.simulator.screen_server import PAGE, screen_served
from gateway.simulator.shows import PageTold
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from storage.machines.rows import DAY_MS
from tests.gateway.simulator.backend import QR
from tests.gateway.simulator.scripted import LoopbackMachine
from tests.gateway.simulator.showing import END_MS
from tests.support.browser import codes_in, needs_browser, shot
from tests.support.patience import HANGS_AFTER_S, until

pytestmark = needs_browser

HANGS_AFTER_MS = HANGS_AFTER_S * 1_000
CODE_WITHIN_MS = 5_000
"""A bound for a busy computer; what it is on a quiet one stands in docs/firmware.md."""
HOSTILE = '<img src=x onerror="document.title=1">\u202eabc</script>'


@dataclass
class Stand:
    """A machine, its page, and what the browser asked for and complained about."""

    machine: LoopbackMachine
    page: Page
    url: str
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def view(self, name: str) -> None:
        """Wait until the page shows this view."""
        await self.page.wait_for_selector(f"body[data-view={name}]", timeout=HANGS_AFTER_MS)

    async def says(self, expression: str) -> None:
        """Wait until an expression is true on the page."""
        async with asyncio.timeout(HANGS_AFTER_S):
            while not await self.page.evaluate(expression):
                await asyncio.sleep(0.02)

    async def shows(self, name: str) -> None:
        """Wait until the page shows a file between customers."""
        await self.page.wait_for_selector(
            f'body.showing #show img.up[src="/shown/{name}"]', timeout=HANGS_AFTER_MS
        )

    async def shows_one_of(self, names: Collection[str]) -> None:
        """Wait until the page shows one of these files, and see that it shows no other."""
        shown = "[...document.querySelectorAll('body.showing #show img.up')].map(one => one.src)"
        urls = [f"{self.url.rstrip('/')}/shown/{name}" for name in names]
        async with asyncio.timeout(HANGS_AFTER_S):
            while not (there := await self.page.evaluate(shown)):
                await asyncio.sleep(0.02)
        assert set(there) <= set(urls)

    async def text(self) -> str:
        """Return what somebody reads on it."""
        return await self.page.inner_text("main")


@asynccontextmanager
async def standing(
    folder: Path, chromium: Browser, *, width: int = 1080, height: int = 1920, **backend: Any
) -> AsyncIterator[Stand]:
    """Put a machine up, with its page in the browser."""
    machine = LoopbackMachine(folder, **{"wait_ms": 25_000, "idle_ms": 60_000} | backend)
    page = await chromium.new_page(viewport={"width": width, "height": height})
    try:
        async with screen_served(machine, port=0, now_ms=machine._now_ms) as url:
            stand = Stand(machine, page, url)
            page.on("request", lambda request: stand.asked.append(request.url))
            page.on("pageerror", lambda error: stand.complaints.append(str(error)))
            await page.goto(url)
            await stand.view("IDLE")
            yield stand
    finally:
        await page.close()
        machine.stop()


async def failing(_url: str, _token: str, _most: int) -> bytes:
    """There is nothing to fetch from."""
    raise OSError("no net")


def manifest_of(
    files: Mapping[str, bytes], ends: Mapping[str, int] | None = None
) -> tuple[str, bytes]:
    """The name and the bytes of a manifest of pictures, one second each."""
    items = [
        {
            "sha256": name,
            "bytes": len(content),
            "media_type": "image/png",
            "duration_ms": 1_000,
            "days": 127,
            "from_minute": 0,
            "to_minute": 1_440,
            "priority": 0,
            "not_after_ms": (ends or {}).get(name, END_MS),
        }
        for name, content in files.items()
    ]
    content = json.dumps({"v": 1, "items": items, "offsets": [[0, 0]]}).encode()
    return sha256(content).hexdigest(), content


def rename(machine: LoopbackMachine, product: str) -> None:
    """Let the backend call a product otherwise."""
    column = pb.PlanogramColumn(column="A1", product=product, price_minor=850, stock=5)
    update = pb.PlanogramUpdate(planogram_version=2, columns=[column])
    machine.backend._emit(service_pb.ConnectResponse(planogram_update=update))


async def pay(machine: LoopbackMachine, amount_minor: int) -> None:
    """Be the customer's phone."""
    await machine.backend.pay(
        qr_payload=QR, amount_minor=amount_minor, currency="HKD", buyer="somebody"
    )


async def choose(stand: Stand, column: str = "A1") -> None:
    """Touch the screen, then a product."""
    await stand.page.click("main")
    await stand.view("CHOOSE")
    await stand.page.click(f"button[data-column={column}]")


async def test_a_sale_in_front_of_the_screen(tmp_path: Path, chromium: Browser) -> None:
    """From the touch to the thanks: the code that a phone reads is the machine's, the amount is the
    price, and it is there soon after the choice.
    """
    async with standing(tmp_path, chromium) as stand:
        await shot(stand.page, "idle")
        await choose(stand)
        await stand.view("PAY")
        await stand.says("performance.getEntriesByName('selection-to-code').length")
        ms = await stand.page.evaluate(
            "performance.getEntriesByName('selection-to-code')[0].duration"
        )
        print(f"selection to code: {ms:.0f} ms")
        picture = await shot(stand.page, "pay")

        assert [QR] == codes_in(picture)
        assert "HKD 5.00" == await stand.page.inner_text("#amount")
        assert "Water" in await stand.text()
        assert ms < CODE_WITHIN_MS
        assert (await stand.page.inner_text("#left")).partition(" ")[0] in map(str, range(26))

        await pay(stand.machine, 700)
        await stand.view("REFUNDING")
        await shot(stand.page, "refunding")
        assert "HKD 2.00" == await stand.page.inner_text("#amount")
        assert "Thank you" in await stand.text()
        assert [] == stand.complaints
        assert all(one.startswith(stand.url) for one in stand.asked)


async def test_a_lying_screen_shows_everything_too(tmp_path: Path, chromium: Browser) -> None:
    """Funds, products and the code for more of them, on a screen that is wider than high."""
    async with standing(
        tmp_path, chromium, width=1280, height=800, mode=pb.MODE_AUTHORIZATION_FIRST
    ) as stand:
        assert [QR] == codes_in(await shot(stand.page, "idle_pay_first"))
        await pay(stand.machine, 1_000)
        await stand.view("CHOOSE")
        await stand.page.wait_for_selector("button[data-column=A2]", timeout=HANGS_AFTER_MS)
        assert [QR] == codes_in(await shot(stand.page, "choose"))
        assert "HKD 10.00" in await stand.text()
        await stand.page.click("button[data-column=A1]")
        await until(lambda: 1 == stand.machine.backend.vends)
        await stand.says("document.body.innerText.includes('HKD 5.00')")
        await stand.page.click("button:has-text('Finish')")
        await stand.view("REFUNDING")


async def test_names_are_texts(tmp_path: Path, chromium: Browser) -> None:
    """Markup in a product's name is shown, not obeyed."""
    async with standing(tmp_path, chromium) as stand:
        rename(stand.machine, HOSTILE)
        await stand.page.click("main")
        await stand.says("document.body.innerText.includes('onerror')")
        await shot(stand.page, "hostile")

        assert "<img src=x" in await stand.text()
        assert 0 == await stand.page.locator("main img").count()
        assert "Vending machine" == await stand.page.title()


async def test_a_touch_counts_although_the_page_changes_under_it(
    tmp_path: Path, chromium: Browser
) -> None:
    """The languages change places while a finger is on the screen: it was touched all the same. A
    finger that stays does not keep what is shown.
    """
    async with standing(tmp_path, chromium) as stand:
        mouse, clock = stand.page.mouse, stand.page.clock
        await clock.install()
        await stand.page.reload()
        await stand.view("IDLE")
        await clock.pause_at(await stand.page.evaluate("Date.now()") + 1_000)
        # Every six seconds by the page's clock: somewhere within these steps.
        for _ in range(30):
            await stand.page.hover("main h1 >> nth=0")
            await mouse.down()
            await clock.run_for(400)
            await mouse.up()
            await clock.run_for(200)
            await stand.view("CHOOSE")
            await clock.run_for(20_000)
            await stand.view("IDLE")
        heading = await stand.text()
        await mouse.down()
        await clock.run_for(8_000)
        assert heading != await stand.text()
        await mouse.up()


async def test_without_the_net_no_code_and_no_error_page(tmp_path: Path, chromium: Browser) -> None:
    """The page says that nobody can pay by phone, and comes back by itself."""
    async with standing(tmp_path, chromium) as stand:
        await choose(stand)
        await stand.view("PAY")
        stand.machine.unplug()
        await stand.view("OFFLINE")
        assert [] == codes_in(await shot(stand.page, "offline"))
        stand.machine.plug()
        await stand.page.wait_for_selector("body:not([data-view=OFFLINE])", timeout=HANGS_AFTER_MS)
        assert [] == stand.complaints


@pytest.mark.parametrize(
    "garbage",
    [
        "{",
        "null",
        "[]",
        '{"view": "NOPE"}',
        '{"view": "CHOOSE"}',
        '{"view": "IDLE", "playlist": 1}',
    ],
)
async def test_what_nobody_can_read_takes_the_code_off(
    tmp_path: Path, chromium: Browser, garbage: str
) -> None:
    """A client that says such things can honour none; the next thing that can be read is shown."""
    async with standing(tmp_path, chromium, mode=pb.MODE_AUTHORIZATION_FIRST) as stand:
        say = f"source.onmessage(new MessageEvent('message', {{data: {json.dumps(garbage)}}}))"
        script = (PAGE / "screen.js").read_text()
        said = {"content_type": "text/javascript", "body": f"{script}\nwindow.say = () => {say};"}
        await stand.page.route("**/screen.js", lambda route: route.fulfill(**said))
        await stand.page.reload()
        await stand.view("IDLE")
        await stand.says("Boolean(document.querySelector('.code'))")
        assert [QR] == codes_in(await stand.page.screenshot())
        await stand.page.evaluate("setTimeout(window.say)")
        await stand.view("START")
        assert [] == codes_in(await stand.page.screenshot())
        rename(stand.machine, "Tea")
        await stand.view("IDLE")
        assert [QR] == codes_in(await stand.page.screenshot())
        assert [] == stand.complaints


async def test_the_client_is_killed_and_comes_back(tmp_path: Path, chromium: Browser) -> None:
    """Nothing that could not be honoured stands there meanwhile; the page is never loaded anew."""
    machine = LoopbackMachine(tmp_path, wait_ms=25_000)
    page = await chromium.new_page()
    async with screen_served(machine, port=0, now_ms=machine._now_ms) as url:
        stand = Stand(machine, page, url)
        await page.goto(url)
        await stand.view("IDLE")
        await page.evaluate("window.sameAsBefore = true")
        await choose(stand)
        await stand.view("PAY")
        assert [QR] == codes_in(await shot(page, "pay_lying"))
    await stand.view("WAITING")
    assert [] == codes_in(await shot(page, "client_gone"))
    port = int(url.rstrip("/").rpartition(":")[2])
    async with screen_served(machine, port=port, now_ms=machine._now_ms):
        await stand.view("PAY")
        assert [QR] == codes_in(await shot(page, "client_back"))
        assert await page.evaluate("window.sameAsBefore")
    await page.close()
    machine.stop()


async def test_nothing_of_a_customer_stays_up_when_the_client_does_not_come_back(
    tmp_path: Path, chromium: Browser
) -> None:
    """What goes back to somebody stands there as long as it may still be them who read it."""
    machine = LoopbackMachine(tmp_path, wait_ms=25_000, idle_ms=60_000)
    page = await chromium.new_page()
    await page.clock.install()
    async with screen_served(machine, port=0, now_ms=machine._now_ms) as url:
        stand = Stand(machine, page, url)
        await page.goto(url)
        await stand.view("IDLE")
        await choose(stand)
        await stand.view("PAY")
        await pay(machine, 700)
        await stand.view("REFUNDING")
    await page.clock.fast_forward(30_000)
    assert "HKD 2.00" in await stand.text()
    await page.clock.fast_forward(60_000)
    await stand.view("OFFLINE")
    assert "HKD 2.00" not in await stand.text()
    await page.close()
    machine.stop()


async def test_payment_interrupts_marketing_and_the_net_does_not(
    tmp_path: Path, chromium: Browser
) -> None:
    """Pictures go on for days without the net; a payment is before them at once; what is recalled,
    or has ended, goes; each play is counted.
    """
    red, blue = (gradient(one, one) for one in ((200, 0, 0), (0, 0, 200)))
    machine = LoopbackMachine(tmp_path, wait_ms=25_000, mode=pb.MODE_BOTH)
    files = {sha256(one).hexdigest(): one for one in (red, blue)}
    clock = {"ms": 0}
    keeper = ScreenKeeper(
        tmp_path / "screen", fetch=failing, now_ms=lambda: clock["ms"], say=lambda _: True
    )
    first, second = files
    for name, content in files.items():
        keeper.disk.put(name, content)
    name, content = manifest_of(files)
    keeper.disk.show(read(content, name), content)
    welcome = pb.Welcome(server_time_ms=END_MS - 3 * DAY_MS)
    keeper.received(service_pb.ConnectResponse(welcome=welcome))
    async with screen_served(machine, port=0, now_ms=machine._now_ms, shows=keeper) as url:
        page = await chromium.new_page(viewport={"width": 540, "height": 960})
        stand = Stand(machine, page, url)
        await page.goto(url)
        await stand.shows(first)
        await stand.shows(second)
        machine.unplug()
        await stand.view("OFFLINE")
        clock["ms"] += 2 * DAY_MS
        await stand.shows(first)
        assert [] == codes_in(await shot(page, "marketing_offline"))
        machine.plug()
        await stand.view("IDLE")
        machine.select("A1")
        await stand.view("PAY")
        assert [QR] == codes_in(await shot(page, "marketing_interrupted"))
        assert 0 == await page.locator("body.showing").count()
        machine.cancel()
        await stand.shows(second)
        keeper.disk.recall([second])
        await stand.shows(first)
        assert 1 == await page.locator("#show img").count()
        await until(lambda: 2 == len({item for _, item, _, _ in keeper.disk.counts}))
        clock["ms"] += DAY_MS
        await stand.says("!document.body.classList.contains('showing')")
        await page.close()
    machine.stop()


async def test_another_manifest_is_on_the_screen_whatever_the_disk_takes(
    tmp_path: Path, chromium: Browser
) -> None:
    """Its picture has the place that the one before had; what was shown while the disk took no
    counts is counted once it does.
    """
    red, blue = (gradient(one, one) for one in ((200, 0, 0), (0, 0, 200)))
    machine = LoopbackMachine(tmp_path, wait_ms=25_000, mode=pb.MODE_BOTH)
    keeper = ScreenKeeper(tmp_path / "screen", fetch=failing, now_ms=lambda: 0, say=lambda _: True)
    first, second = (sha256(one).hexdigest() for one in (red, blue))
    (before, content), (after, following) = manifest_of({first: red}), manifest_of({second: blue})
    keeper.disk.put(first, red)
    keeper.disk.show(read(content, before), content)
    keeper.disk.put(second, blue)
    keeper.received(service_pb.ConnectResponse(welcome=pb.Welcome(server_time_ms=END_MS - DAY_MS)))
    in_the_way = tmp_path / "screen" / "plays-20961001.json.new"
    in_the_way.mkdir()
    async with screen_served(machine, port=0, now_ms=machine._now_ms, shows=keeper) as url:
        page = await chromium.new_page(viewport={"width": 540, "height": 960})
        refused: list[int] = []
        page.on("response", lambda one: refused.append(one.status) if "/plays" in one.url else None)
        stand = Stand(machine, page, url)
        await page.goto(url)
        await stand.shows(first)
        await until(lambda: 503 in refused)
        keeper.disk.show(read(following, after), following)
        await stand.shows(second)
        assert {} == keeper.disk.counts
        in_the_way.rmdir()
        await until(lambda: {before, after} == {key[0] for key in keeper.disk.counts})
        await page.close()
    machine.stop()


async def test_what_was_counted_and_not_answered_is_counted_once(
    tmp_path: Path, chromium: Browser
) -> None:
    """The machine's program dies between the disk and the answer: the page tells the same again,
    and what it showed since under the next number.
    """
    red = gradient((200, 0, 0), (200, 0, 0))
    machine = LoopbackMachine(tmp_path, wait_ms=25_000, mode=pb.MODE_BOTH)
    keeper = ScreenKeeper(tmp_path / "screen", fetch=failing, now_ms=lambda: 0, say=lambda _: True)
    name, content = manifest_of({sha256(red).hexdigest(): red})
    keeper.disk.put(sha256(red).hexdigest(), red)
    keeper.disk.show(read(content, name), content)
    keeper.received(service_pb.ConnectResponse(welcome=pb.Welcome(server_time_ms=END_MS - DAY_MS)))
    said: list[dict[str, Any]] = []

    async def unanswered(route: Route) -> None:
        told = json.loads(route.request.post_data or "")
        if told["number"] > 2:
            await route.abort()
            return
        said.append(told)
        if len(said) <= 2:
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    async with screen_served(machine, port=0, now_ms=machine._now_ms, shows=keeper) as url:
        page = await chromium.new_page(viewport={"width": 540, "height": 960})
        await page.clock.install()
        await page.route("**/plays", unanswered)
        stand = Stand(machine, page, url)
        await page.goto(url)
        await stand.shows(sha256(red).hexdigest())
        await _told(stand, lambda: len({one["number"] for one in said}) > 1)
        await until(lambda: keeper.disk.has(PageTold(said[-1]["page"], 2)))
        await page.close()
    machine.stop()
    assert said[0] == said[1] == said[2]
    times = {one["number"]: one["plays"][0]["times"] for one in said}
    ((counted, _),) = keeper.disk.counts.values()
    assert sum(times.values()) == counted


async def test_a_week_without_the_net(tmp_path: Path, chromium: Browser) -> None:
    """Seven days of virtual time, the browser's and the machine's: the page is never loaded anew,
    shows no error, shows what has not ended and nothing else, and what it showed is counted on
    every day.
    """
    pictures = [gradient(one, one) for one in ((200, 0, 0), (0, 0, 200), (0, 200, 0))]
    files = {sha256(one).hexdigest(): one for one in pictures}
    ends = dict(zip(files, (END_MS - 5 * DAY_MS, END_MS - 2 * DAY_MS, END_MS), strict=True))
    machine = LoopbackMachine(tmp_path, wait_ms=25_000, mode=pb.MODE_BOTH)
    clock = {"ms": 0}
    keeper = ScreenKeeper(
        tmp_path / "screen", fetch=failing, now_ms=lambda: clock["ms"], say=lambda _: True
    )
    for name, content in files.items():
        keeper.disk.put(name, content)
    name, content = manifest_of(files, ends)
    keeper.disk.show(read(content, name), content)
    begun_ms = END_MS - 7 * DAY_MS
    welcome = pb.Welcome(server_time_ms=begun_ms)
    keeper.received(service_pb.ConnectResponse(welcome=welcome))
    async with screen_served(machine, port=0, now_ms=machine._now_ms, shows=keeper) as url:
        page = await chromium.new_page(viewport={"width": 540, "height": 960})
        await page.clock.install()
        stand = Stand(machine, page, url)
        page.on("pageerror", lambda error: stand.complaints.append(str(error)))
        await page.goto(url)
        await stand.shows(next(iter(files)))
        await page.evaluate("window.sameAsBefore = true")
        machine.unplug()
        await stand.view("OFFLINE")
        await _all_are_shown(stand, list(files))
        await _told(stand, partial(_counted, keeper, 0, len(files)))
        for days in range(1, 7):
            clock["ms"] = days * DAY_MS
            await page.clock.fast_forward(DAY_MS)
            left = [one for one in files if begun_ms + clock["ms"] < ends[one]]
            await _all_are_shown(stand, left)
            await _told(stand, partial(_counted, keeper, days, len(left)))
            assert await page.evaluate("window.sameAsBefore")
            assert "OFFLINE" == await page.evaluate("document.body.dataset.view")
            assert [] == codes_in(await page.screenshot())
        clock["ms"] = 7 * DAY_MS
        await page.clock.fast_forward(DAY_MS)
        await stand.says("!document.body.classList.contains('showing')")
        machine.plug()
        await stand.view("IDLE")
        assert [] == stand.complaints
        await page.close()
    machine.stop()


async def _all_are_shown(stand: Stand, names: Sequence[str]) -> None:
    """Let each come to its turn."""
    for _ in (*names, "once more"):
        await stand.page.clock.fast_forward(1_000)
        await stand.shows_one_of(names)


async def _told(stand: Stand, holds: Callable[[], bool]) -> None:
    """Let the page tell what it showed, as it does every five seconds while it hears its client."""
    async with asyncio.timeout(HANGS_AFTER_S):
        while not holds():
            await stand.page.clock.fast_forward(5_000)
            await asyncio.sleep(0.1)


def _counted(keeper: ScreenKeeper, days: int, items: int) -> bool:
    """Whether so many items were shown, so many days after the week began."""
    at = dt.datetime.fromtimestamp(END_MS / 1_000, dt.UTC) - dt.timedelta(days=7 - days)
    d = int(at.strftime("%Y%m%d"))
    return items <= len({item for _, item, day, _ in keeper.disk.counts if day == d})


@pytest.mark.parametrize(
    ("act", "view"),
    [
        (lambda machine: machine.door(is_open=True), "OUT_OF_SERVICE"),
        (lambda machine: machine.power_cut(), "DARK"),
    ],
)
async def test_other_views(
    tmp_path: Path, chromium: Browser, act: Callable[[LoopbackMachine], None], view: str
) -> None:
    """An open door and a cut."""
    async with standing(tmp_path, chromium) as stand:
        act(stand.machine)
        await stand.view(view)
        assert [] == codes_in(await shot(stand.page, view.lower()))
        await asyncio.sleep(0)
