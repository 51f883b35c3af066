"""A real browser for tests: the Chromium of this computer, without a window.

A test that wants one is marked ``browser`` and is skipped, with the reason, where no Chromium is.
One serves all tests of a process (``chromium`` in ``tests/e2e/conftest.py``), which is why they run
on one loop and in one worker: to start it takes longer than most of them. Each has pages of its
own, which share nothing.
"""

import io
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
SHOTS_VARIABLE = "VENDGATE_TEST_SCREENSHOTS"
"""A folder in which screenshots are left, for somebody to look at."""

needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium"),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("browser"),
]


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Start one, and end it."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield running
        finally:
            await running.close()


async def shot(page: Page, name: str) -> bytes:
    """Return a picture of the page, and leave it where somebody wants to look at it."""
    picture = await page.screenshot(animations="disabled")
    _leave(name, picture)
    return picture


async def kept(page: Page, name: str) -> None:
    """Leave a picture of the whole page, also of what is below the screen, if somebody wants to
    look at it; it costs nothing where nobody does.
    """
    if os.environ.get(SHOTS_VARIABLE):
        _leave(name, await page.screenshot(animations="disabled", full_page=True))


def _leave(name: str, picture: bytes) -> None:
    if folder := os.environ.get(SHOTS_VARIABLE):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.png").write_bytes(picture)


def codes_in(picture: bytes) -> Sequence[str]:
    """Return the texts of the QR codes in a picture, as a phone reads them."""
    with Image.open(io.BytesIO(picture)) as image:
        return [found.text for found in zxingcpp.read_barcodes(image.convert("RGB"))]


_AXE = Path(__file__).with_name("axe") / "axe.min.js"
_AXE_RUN = """
async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
  .filter(one => ["serious", "critical"].includes(one.impact))
  .flatMap(one => one.nodes.map(node => `${one.id}: ${node.html.slice(0, 200)}`))"""


async def barriers(page: Page) -> Sequence[str]:
    """Return what keeps somebody from using a page who sees, hears or moves otherwise: what
    axe-core finds that is serious. The page must be one that may run scripts.
    """
    await page.evaluate(_AXE.read_text("utf-8"))
    return [str(one) for one in await page.evaluate(_AXE_RUN)]
