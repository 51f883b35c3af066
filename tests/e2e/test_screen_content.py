"""What an administrator plans is on a machine's screen, by way of the real gateway, and is gone
from it once it is recalled.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random

import grpc.aio
import pytest
from google.protobuf.json_format import ParseDict
from playwright.async_api import Browser, Page

from gateway.demo import stage
from gateway.demo.pictures import gradient
from gateway.office.v1 import screen_service_pb2 as wire
from gateway.office.v1 import screen_service_pb2_grpc
from gateway.simulator.machine import Identity
from gateway.simulator.machine_client import ClientConfig, MachineClient
from tests.support.browser import needs_browser, shot
from tests.support.patience import HANGS_AFTER_S, until
from tests.support.system import System

pytestmark = [pytest.mark.e2e, *needs_browser]

HANGS_AFTER_MS = HANGS_AFTER_S * 1_000
ID = "VM-0001"


@contextlib.asynccontextmanager
async def living(system: System, folder: Path, port: int = 0) -> AsyncIterator[MachineClient]:
    """A machine with a screen."""
    config = ClientConfig(
        gateway=f"127.0.0.1:{system.ports.machines}",
        identity=Identity(machine_id=ID),
        state_dir=folder,
        screen_port=port,
        reconnect_initial_ms=5,
        reconnect_max_ms=50,
    )
    client = MachineClient(config, rng=Random(1))
    life = asyncio.create_task(client.run())
    try:
        await until(lambda: bool(client.screen_url))
        yield client
    finally:
        client.stop()
        await life


async def sooner_or_later(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(HANGS_AFTER_S):
        while not await holds():
            await asyncio.sleep(0.1)


async def shows(page: Page, sha256: str) -> None:
    """Wait until the page shows a file."""
    await page.wait_for_selector(
        f'body.showing #show img.up[src="/shown/{sha256}"]', timeout=HANGS_AFTER_MS
    )


async def test_from_the_plan_to_the_screen_and_off_it_again(
    tmp_path: Path, chromium: Browser
) -> None:
    """Two pictures by turns; a damaged file is mended after a restart, what was shown is counted,
    and a recall ends with the one that is left.
    """
    folder = tmp_path / "machines"
    async with System(tmp_path, ray=False, machines=0, seed=1) as system:
        address = f"127.0.0.1:{system.ports.admin}"
        async with grpc.aio.insecure_channel(address, options=stage.DIRECT) as channel:
            await stage.register(channel, (ID,))
            call = screen_service_pb2_grpc.ScreenServiceStub(channel)
            names = []
            for colour in ((200, 0, 0), (0, 0, 200)):
                content = gradient(colour, colour)
                added = await call.AddAsset(wire.AddAssetRequest(content=content))
                names.append(added.asset.sha256)
            items = [{"sha256": one, "duration_ms": 1_000} for one in names]
            plan = {
                "code": "all",
                "playlist": "all",
                "selector": {"all": True},
                "not_after": "2096-10-02T07:06:40Z",
            }
            await call.CreatePlaylist(
                ParseDict(
                    {"playlist": {"code": "all", "items": items}}, wire.CreatePlaylistRequest()
                )
            )
            await call.CreateScreenPlan(ParseDict({"plan": plan}, wire.CreateScreenPlanRequest()))
            page = await chromium.new_page(viewport={"width": 540, "height": 960})

            async def converged() -> bool:
                screens = (await call.ListScreens(wire.ListScreensRequest())).screens
                return [True] == [one.converged and bool(one.applied_manifest) for one in screens]

            async with living(system, folder) as client:
                await sooner_or_later(converged)
                await page.goto(client.screen_url)
                for name in names:
                    await shows(page, name)
                await shot(page, "marketing")
                keeper = client.keeper
                assert keeper is not None
                disk = keeper.disk
                await until(lambda: bool(disk.counts))
                port = int(client.screen_url.rstrip("/").rpartition(":")[2])
            (folder / ID / "screen" / "files" / names[0]).write_bytes(b"damaged")
            async with living(system, folder, port) as client:
                for name in names:
                    await shows(page, name)
                keeper = client.keeper
                assert keeper is not None
                mended = keeper.disk
                await until(lambda: mended.content(names[0]) is not None)
                await sooner_or_later(converged)
                keeper.tell()

                async def counted() -> bool:
                    plays = await call.ListPlays(wire.ListPlaysRequest(machine_id=ID))
                    return bool(plays.plays)

                await sooner_or_later(counted)
                await call.RecallAsset(wire.RecallAssetRequest(sha256=names[0], reason="wrong"))

                async def obeyed() -> bool:
                    wanted = wire.ListScreensRequest(shows_recalled=True)
                    return await converged() and not (await call.ListScreens(wanted)).screens

                await sooner_or_later(obeyed)
                await shows(page, names[1])
                assert 1 == await page.locator("#show img").count()
                assert mended.place(names[0]) is None
            await page.close()
