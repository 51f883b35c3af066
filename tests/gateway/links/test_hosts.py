"""Where machines live. On Ray: tests/e2e."""

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway.books.database import require_schema
from gateway.links import hosts as module
from gateway.links.hosts import HostsFailed, open_hosts
from gateway.links.turn import OwnedElsewhere
from gateway.process import configs, settings
from storage.database.engine import Database
from storage.machines.layout import LayoutDiffers
from tests.alipay_client.wire import Pair
from tests.support import installed


async def _open(folder: Path, tables: dict[str, Any], *, ray: bool) -> tuple[int, tuple[int, ...]]:
    path = installed.write(folder, tables)
    loaded = settings.load(path)
    made = configs.configs(loaded)
    await require_schema(made.storage)
    async with AsyncExitStack() as stack:
        database = await Database.open(made.storage)
        stack.push_async_callback(database.close)
        hosts = await open_hosts(
            stack,
            loaded,
            made,
            database,
            config_path=path,
            ray=ray,
            home="here",
            on_fatal=lambda reason: None,
            stop=asyncio.Event(),
        )
        return len(hosts.links), hosts.pids


@pytest.mark.parametrize(("mode", "ray"), [("none", True), ("local", False)])
async def test_without_ray_one_host_is_here(
    tmp_path: Path, pair: Pair, mode: str, ray: bool
) -> None:
    """Whether the settings or the command line say so."""
    tables = installed.good(tmp_path, pair)
    tables["ray"] = {"mode": mode}
    assert (1, (os.getpid(),)) == await _open(tmp_path, tables, ray=ray)


async def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path, pair: Pair) -> None:
    """At once, and not after the minutes that Ray would try."""
    tables = installed.good(tmp_path, pair)
    loaded = settings.load(installed.write(tmp_path, tables))
    made = configs.configs(loaded)
    await require_schema(made.storage)
    elsewhere = loaded.model_copy(
        update={"ray": loaded.ray.model_copy(update={"mode": "cluster", "address": "127.0.0.1:9"})}
    )
    async with AsyncExitStack() as stack:
        database = await Database.open(made.storage)
        stack.push_async_callback(database.close)
        with pytest.raises(HostsFailed, match=r"Nothing listens at ray\.address 127\.0\.0\.1:9"):
            await open_hosts(
                stack,
                elsewhere,
                made,
                database,
                config_path=None,
                ray=True,
                home="here",
                on_fatal=lambda reason: None,
                stop=asyncio.Event(),
            )


@pytest.mark.parametrize(
    ("mode", "refused", "sentence"),
    [
        ("local", LayoutDiffers, r"has 1 hosts .* set ray\.hosts = 1"),
        ("cluster", HostsFailed, "Nothing listens at ray.address"),
    ],
)
async def test_another_number_of_hosts_is_refused_before_any_is_made(
    tmp_path: Path, pair: Pair, mode: str, refused: type[Exception], sentence: str
) -> None:
    """Ray is not even started or asked: a host that is made for another layout stays, and stands in
    the way. A cluster goes by the layout, and is looked for.
    """
    tables = installed.good(tmp_path, pair)
    loaded = settings.load(installed.write(tmp_path, tables))
    made = configs.configs(loaded)
    assert (1, (os.getpid(),)) == await _open(tmp_path, tables, ray=False)
    two = loaded.ray.model_copy(update={"mode": mode, "hosts": 2, "address": "127.0.0.1:9"})
    async with AsyncExitStack() as stack:
        database = await Database.open(made.storage)
        stack.push_async_callback(database.close)
        with pytest.raises(refused, match=sentence):
            await open_hosts(
                stack,
                loaded.model_copy(update={"ray": two}),
                made,
                database,
                config_path=None,
                ray=True,
                home="here",
                on_fatal=lambda reason: None,
                stop=asyncio.Event(),
            )


async def test_hosts_that_others_hold_are_not_started_here(tmp_path: Path, pair: Pair) -> None:
    """Beside a gateway that serves from another place a second one is told who it is."""
    tables = installed.good(tmp_path, pair)
    loaded = settings.load(installed.write(tmp_path, tables))
    made = configs.configs(loaded)
    await require_schema(made.storage)
    async with AsyncExitStack() as stack:
        database = await Database.open(made.storage)
        stack.push_async_callback(database.close)

        async def opened(home: str) -> None:
            await open_hosts(
                stack,
                loaded,
                made,
                database,
                config_path=None,
                ray=False,
                home=home,
                on_fatal=lambda reason: None,
                stop=asyncio.Event(),
            )

        await opened("here")
        with pytest.raises(OwnedElsewhere, match=r"host-0 of here on .* holds machines since"):
            await opened("there")


async def test_a_gateway_whose_ray_is_lost_is_told_what_ended() -> None:
    """It is fatal, and named, once; until then nobody is told anything."""
    gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    told: list[str] = []
    watch = asyncio.create_task(module._tell_when_lost(lambda: gone, told.append))
    await asyncio.sleep(0)
    assert [] == told
    gone.set_result("gcs_server")
    await watch
    assert ["its Ray is lost (gcs_server ended)"] == told
