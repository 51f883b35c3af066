"""Two gateways with hosts of their own on one PostgreSQL, as real processes: a second one by
mistake, one that was frozen and thawed, one that was killed, and a person's takeover.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from actors.leases import LEASE_MS
from gateway.demo import stage
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.tables import journal, partitions
from tests.alipay_client.wire import Pair
from tests.support import installed, postgres
from tests.support.patience import HANGS_AFTER_S

ROOT = Path(__file__).resolve().parents[2]
OWNED, LOST = 69, 75

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not postgres.available(), reason="no PostgreSQL is installed"),
    pytest.mark.xdist_group("postgres"),
]


class Place:
    """A folder with the settings of one installation, and its gateway while it runs. Its address
    for notifications is always the same, so it is one home.
    """

    def __init__(self, folder: Path, pair: Pair, url: str) -> None:
        self.folder = folder
        folder.mkdir()
        tables = installed.good(folder, pair)
        ports = stage.free_ports()
        for name in ("machines", "admin", "health"):
            tables[name]["listen"] = "127.0.0.1:0"
        tables["http"]["listen"] = f"127.0.0.1:{ports.http}"
        tables["alipay"]["environment"] = "http://127.0.0.1:9/gateway.do"
        # The tests' PostgreSQL saves to no disk.
        tables["database"] |= {"url": url, "durability": "weaker"}
        self.config = installed.write(folder, tables)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the gateway."""
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gateway", *self._serve()], cwd=ROOT, stdout=out, stderr=err
            )

    def _serve(self) -> list[str]:
        return ["serve", "--no-ray", "--json-ready", "--config", self.config]

    async def ready(self) -> float:
        """Wait until it is ready; return how long that took."""
        began_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(HANGS_AFTER_S):
            while not (said := (self.folder / "out").read_text()).endswith("\n"):
                assert self._running().poll() is None, (self.folder / "err").read_text()
                await asyncio.sleep(0.02)
        json.loads(said)
        return asyncio.get_running_loop().time() - began_s

    async def ended(self) -> tuple[int, float, str]:
        """Wait until it has ended; return its status, how long that took, and its last line."""
        began_s = asyncio.get_running_loop().time()
        async with asyncio.timeout(HANGS_AFTER_S):
            while self._running().poll() is None:
                await asyncio.sleep(0.02)
        took_s = asyncio.get_running_loop().time() - began_s
        said = (self.folder / "err").read_text().strip().splitlines()
        return self._running().returncode, took_s, said[-1]

    async def ended_hard(self) -> None:
        """Wait until a gateway that was killed is gone."""
        await asyncio.to_thread(self._running().wait)

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._running().send_signal(number)

    def command(self, *arguments: str) -> str:
        """Run a command of this installation."""
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments, "--config", self.config],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None
        return self.process

    def end(self) -> None:
        """End it, however it is."""
        if self.process is not None and self.process.poll() is None:
            for number in (signal.SIGKILL, signal.SIGCONT):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.process.pid, number)
            self.process.wait()


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Place, Place, str]]:
    """Two installations and the one database that both are set up for."""
    pair = Pair(
        merchant=rsa.generate_private_key(65_537, 2_048),
        alipay=rsa.generate_private_key(65_537, 2_048),
    )
    with postgres.running() as url:
        migrate.upgrade(url, partition_count=8)
        given = url.replace("postgresql://", "postgresql+asyncpg://")
        two = [Place(tmp_path / name, pair, given) for name in ("a", "b")]
        yield two[0], two[1], given
        for each in two:
            each.end()
    shutil.rmtree(tmp_path, ignore_errors=True)


async def _asked(url: str, sql: Any) -> list[tuple[Any, ...]]:
    database = await Database.open(StorageConfig(url=url))
    try:
        return await database.read(
            lambda connection: [tuple(row) for row in connection.execute(sql)]
        )
    finally:
        await database.close()


async def _owners(url: str) -> set[tuple[Any, ...]]:
    return set(await _asked(url, partitions.select().with_only_columns(*_OWNER)))


_OWNER = partitions.c["holder", "epoch"]
_LINES = journal.select().with_only_columns(journal.c.id, journal.c.epoch).order_by(journal.c.id)


@pytest.mark.slow
async def test_a_second_one_by_mistake_goes_away(places: tuple[Place, Place, str]) -> None:
    """It says who owns the machines and what to do, with a status of its own; the right one has
    never heard of it. Once that one has stopped in order the second one serves at once.
    """
    a, b, url = places
    a.start()
    await a.ready()
    before = await _owners(url)
    b.start()
    status, _, said = await b.ended()

    assert OWNED == status
    assert said.startswith("Another installation owns the machines of this database: host-0 of ")
    assert "vendgate hosts takeover" in said
    assert before == await _owners(url)
    assert "1 holds machines" in a.command("hosts", "list")

    a.tell(signal.SIGTERM)
    assert 0 == (await a.ended())[0]
    b.start()
    took_s = await b.ready()
    print(f"a second one after an orderly stop: ready in {took_s:.2f} s")
    assert "1 holds machines" in b.command("hosts", "list")


async def test_a_frozen_one_is_followed_and_ends_when_it_thaws(
    places: tuple[Place, Place, str],
) -> None:
    """SIGSTOP, a lease, SIGCONT: no row is under its epoch, and it is gone by itself."""
    a, b, url = places
    a.start()
    await a.ready()
    a.tell(signal.SIGSTOP)
    b.start()
    took_s = await b.ready()
    print(f"after SIGSTOP of the first: ready in {took_s:.2f} s")
    assert took_s > LEASE_MS / 1_000
    after, lines = await _owners(url), await _asked(url, _LINES)
    assert {2} == {epoch for _, epoch in after}

    a.tell(signal.SIGCONT)
    status, took_s, said = await a.ended()
    print(f"after SIGCONT: gone in {took_s:.2f} s")
    assert LOST == status
    assert "another holder owns this host's partitions" in said
    assert after == await _owners(url)
    assert {2} >= {epoch for number, epoch in await _asked(url, _LINES) if number > len(lines)}


@pytest.mark.slow
async def test_a_killed_one_is_followed_at_its_place_at_once(
    places: tuple[Place, Place, str],
) -> None:
    """At its own address, which proves that it is dead; elsewhere only after the lease."""
    a, b, url = places
    a.start()
    await a.ready()
    a.tell(signal.SIGKILL)
    await a.ended_hard()
    a.start()
    took_s = await a.ready()
    print(f"after kill -9, at the same place: ready in {took_s:.2f} s")
    audited = a.command("audit-log")
    assert "the next program of its home began" in audited

    a.tell(signal.SIGKILL)
    await a.ended_hard()
    b.start()
    took_s = await b.ready()
    print(f"after kill -9, at another place: ready in {took_s:.2f} s")
    assert "its beat stood still" in b.command("audit-log")
    assert {3} == {epoch for _, epoch in await _owners(url)}


@pytest.mark.slow
async def test_a_person_may_say_who_shall_have_them(places: tuple[Place, Place, str]) -> None:
    """Whoever has them ends by itself, and does not get them back; the audit log tells who wanted
    it.
    """
    a, b, _ = places
    a.start()
    await a.ready()
    b.start()
    _, _, said = await b.ended()
    home = said.partition("'vendgate hosts takeover ")[2].partition("'")[0]
    told = b.command(
        "hosts", "takeover", home, "--by", "ann", "--reason", "a moves house", "--sure"
    )
    assert f"only {home} may claim" in told
    status, took_s, _ = await a.ended()
    print(f"after a takeover: gone in {took_s:.2f} s")
    assert LOST == status
    b.start()
    await b.ready()
    a.start()
    assert OWNED == (await a.ended())[0]
    assert f"for {home}, from host-0 of " in b.command("audit-log")
