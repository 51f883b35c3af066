"""Who holds the machines, as a person sees and decides it."""

import asyncio
import fcntl
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from actors.leases import LEASE_MS, Claimant
from actors.ports import StoreError
from gateway.books import holders
from gateway.process import settings as settings_module
from gateway.process.configs import storage_config
from gateway.process.settings import Settings
from storage.books.audit_rows import Actor
from storage.database import migrate
from storage.database.engine import Database
from storage.machines.holding import SqlLeases
from storage.machines.layout import Layout, StillServed
from storage.machines.store import SqlMachineStore
from storage.tables import audit
from tests.alipay_client.wire import Pair
from tests.support import installed, upgraded


@pytest.fixture
def settings(tmp_path: Path, pair: Pair) -> Settings:
    """Settings of an installation that never served."""
    loaded = settings_module.load(installed.write(tmp_path, installed.good(tmp_path, pair)))
    upgraded.make(storage_config(loaded).url, partition_count=4)
    return loaded


@pytest.fixture
def quick_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once whether anybody beats: for tests in which nobody does."""
    monkeypatch.setattr(holders, "BEAT_S", 0)


async def held(settings: Settings) -> None:
    """Let a host hold half of it, by a layout of two."""
    database = await Database.open(storage_config(settings))
    await Layout(database).agree(2, by="gw", now_ms=1)
    store = SqlMachineStore(database, notify_base_url="https://x.example")
    claimant = Claimant(holder="h1", host="host-0", home="there", node="n/1")
    await store.claim(claimant, partitions=[0, 2], now_ms=1)
    await database.close()


async def audited(settings: Settings) -> list[tuple[Any, ...]]:
    """The audit log in short."""
    database = await Database.open(storage_config(settings))
    rows = select(*audit.c["actor", "action"]).order_by(audit.c.id)
    told = await database.read(lambda connection: [tuple(row) for row in connection.execute(rows)])
    await database.close()
    return told


def test_an_installation_that_never_served_is_nobodys(settings: Settings) -> None:
    """And has no layout."""
    assert "the layout has no hosts; nobody holds machines" == holders.show(settings, as_json=False)


@pytest.mark.usefixtures("quick_look")
async def test_each_holder_is_a_line(settings: Settings) -> None:
    """Where it lives, what it has, and whether it beats; scripts read the same."""
    await held(settings)
    told = await asyncio.to_thread(holders.show, settings, as_json=False)
    assert "the layout has 2 hosts; 1 holds machines" == told.splitlines()[0]
    assert told.splitlines()[1].startswith(
        "host-0 of there, n/1: 2 partitions, 0 machines, epoch 1, silent for "
    )
    assert told.endswith(f", program {migrate.head()}")
    (row,) = json.loads(await asyncio.to_thread(holders.show, settings, as_json=True))["holders"]
    assert {
        "holder": "h1",
        "host": "host-0",
        "home": "there",
        "node": "n/1",
        "beat": 0,
        "lease_ms": LEASE_MS,
        "since_at_ms": 1,
        "program": migrate.head(),
        "partitions": 2,
        "machines": 0,
        "epoch": 1,
        "beats": False,
        "to_come": 0,
        "to_leave": 0,
    } == row


@pytest.mark.usefixtures("quick_look")
async def test_a_host_that_moves_says_how_far_it_is(settings: Settings) -> None:
    """What it has and is another place's, and what is its own and not there yet."""
    await held(settings)
    database = await Database.open(storage_config(settings))
    await Layout(database).scale(3, actor=Actor(name="ann"), now_ms=1)
    await database.close()
    told = await asyncio.to_thread(holders.show, settings, as_json=False)
    assert ": 2 partitions, 1 to give up, 1 to come, 0 machines, epoch 1," in told.splitlines()[1]


@pytest.mark.usefixtures("quick_look")
async def test_a_takeover_names_its_person(settings: Settings) -> None:
    """The command says what happens next."""
    await held(settings)
    told = await asyncio.to_thread(holders.take_over, settings, "here", by="ann", reason="a move")
    assert told.startswith("taken from host-0 of there; for 60 s only here may claim")
    assert ("ann", "takeover") == (await audited(settings))[-1]


async def test_who_lives_and_sells_is_not_taken_from_by_a_slip(settings: Settings) -> None:
    """A misspelt home would stop all sales for a minute: it needs a second word."""
    await held(settings)
    database = await Database.open(storage_config(settings))

    async def beat() -> None:
        while True:
            await SqlLeases(database).beat("h1")
            await asyncio.sleep(0.05)

    beating = asyncio.create_task(beat())
    take_over = partial(holders.take_over, settings, "hree", by="ann", reason="a move")
    with pytest.raises(StoreError, match=r"^host-0 of there lives and sells: nothing was taken"):
        await asyncio.to_thread(take_over)
    assert ["h1"] == [one.holder for one in await SqlLeases(database).holders()]
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    told = await asyncio.to_thread(take_over, sure=True)
    assert told.startswith("taken from host-0 of there; for 60 s only hree may claim")
    await database.close()


async def test_a_layout_is_written_where_nobody_serves(settings: Settings) -> None:
    """On SQLite the file's lock proves it; while a gateway has that, nothing is changed."""
    await held(settings)
    file = Path(storage_config(settings).url.partition("///")[2])
    lock = os.open(file.with_name(f"{file.name}-serving"), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with pytest.raises(StoreError, match="Another gateway serves"):
        await asyncio.to_thread(holders.lay_out, settings, 1, by="ann")
    os.close(lock)
    told = await asyncio.to_thread(holders.lay_out, settings, 1, by="ann")
    assert "the layout has 1 hosts, version 2: set ray.hosts = 1" == told
    assert ("ann", "layout") == (await audited(settings))[-1]


async def test_who_beats_is_not_taken_for_dead(settings: Settings) -> None:
    """Where no lock proves it, a beat between two looks is enough."""
    await held(settings)
    database = await Database.open(storage_config(settings))
    leases = SqlLeases(database)

    async def beat() -> None:
        while True:
            await leases.beat("h1")
            await asyncio.sleep(0.05)

    beating = asyncio.create_task(beat())
    assert [] == await holders.silent(leases, await leases.holders())
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    with pytest.raises(StillServed):
        await Layout(database).change(1, actor=holders.person("ann"), gone=(), now_ms=1)
    assert ["h1"] == await holders.silent(leases, await leases.holders())
    await database.close()
