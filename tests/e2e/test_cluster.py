"""A real Ray cluster of one node and a PostgreSQL, under real processes: hosts are replaced, and
become more and fewer, while machines sell.
"""

import asyncio
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from actors.placement import host_of, place_of
from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.tables import journal
from tests.e2e.three_books import check
from tests.support import postgres
from tests.support.patience import HANGS_AFTER_S
from tests.support.system import System

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not postgres.available(), reason="no PostgreSQL is installed"),
    pytest.mark.xdist_group("postgres"),
]
HOSTS = 2
PARTITIONS = 16


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, object]]:
    """A Ray cluster that asks for a token; gives the settings that lead there."""
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    address = f"127.0.0.1:{port}"
    environment = os.environ | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_ENABLE_RAY_CLUSTERS": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    # Its sockets have short names only.
    with tempfile.TemporaryDirectory(prefix="vgr") as short, (folder / "ray.log").open("wb") as log:
        head = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("ray")),
                "start",
                "--head",
                "--block",
                f"--port={port}",
                "--node-ip-address=127.0.0.1",
                "--num-cpus=2",
                "--include-dashboard=false",
                "--object-store-memory=80000000",
                f"--temp-dir={short}",
            ],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            yield {
                "mode": "cluster",
                "address": address,
                "token_file": str(token),
                "hosts": HOSTS,
            }
        finally:
            head.terminate()
            head.wait(HANGS_AFTER_S)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[tuple[str, dict[str, dict[str, object]]]]:
    """Where the database is, and the tables of a gateway in a cluster."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres.running())
        migrate.upgrade(url, partition_count=PARTITIONS)
        given = url.replace("postgresql://", "postgresql+asyncpg://")
        ray = stack.enter_context(cluster(tmp_path))
        yield given, {"database": {"url": given, "durability": "weaker"}, "ray": ray}
    shutil.rmtree(tmp_path, ignore_errors=True)


async def listening(address: str) -> None:
    """Return once the cluster's head can be reached."""
    host, _, port = address.rpartition(":")
    async with asyncio.timeout(HANGS_AFTER_S):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


async def troubles(system: System) -> list[str]:
    """What the journal says of requests that were turned away, and of streams that a host gave up;
    those that customers cut are their own matter.
    """
    kinds = ("Disconnected", "VendTurnedAway")
    database = await Database.open(StorageConfig(url=system.url))
    try:
        found = await database.read(
            lambda connection: connection.execute(
                select(journal.c.kind, journal.c.body).where(journal.c.kind.in_(kinds))
            ).all()
        )
    finally:
        await database.close()
    told = [f"{row.kind} {row.body}" for row in found if '"GONE"' not in str(row.body)]
    log = (system.folder / "gateway.log").read_text()
    return told + [line for line in log.splitlines() if "no answer of its host" in line]


async def test_hosts_are_replaced_while_machines_sell(
    tmp_path: Path, settings: tuple[str, dict[str, dict[str, object]]]
) -> None:
    """Each new host stands ready before the old one ends, and its spare with it; sales go on, and
    the books agree to the last minor unit.
    """
    url, tables = settings
    await listening(str(tables["ray"]["address"]))
    async with System(tmp_path, ray=True, machines=6, seed=3, url=url, tables=tables) as system:
        await system.until_sales(5)
        before = await system.command("hosts", "list")
        said = await system.command("hosts", "replace")
        took = [f"vendgate-host-{index}-4 has the machines of place {index}" for index in (0, 1)]
        assert took == said.splitlines()
        await system.until_sales(await system.sales() + 10)
        after = await system.command("hosts", "list")
        assert 1 + HOSTS == len(before.splitlines()) == len(after.splitlines())
        for index in range(HOSTS):
            assert f"vendgate-host-{index}-4 of" not in before
            assert f"vendgate-host-{index}-4 of" in after
        await check(system)


async def test_an_installation_is_scaled_while_machines_sell(
    tmp_path: Path, settings: tuple[str, dict[str, dict[str, object]]]
) -> None:
    """One host, three, two: each time every partition is at its place in the end and machines go on
    selling. No request for goods was turned away, no host gave a stream up, and the books agree.
    """
    url, tables = settings
    await listening(str(tables["ray"]["address"]))
    tables = {**tables, "ray": {**tables["ray"], "hosts": 1}}
    async with System(tmp_path, ray=True, machines=6, seed=3, url=url, tables=tables) as system:
        await system.until_sales(5)
        for before, hosts in ((1, 3), (3, 2)):
            said = (await system.command("scale", "--hosts", str(hosts))).splitlines()
            moved = [line for line in said if line.startswith("partition ")]
            changed = [n for n in range(PARTITIONS) if host_of(n, before) != host_of(n, hosts)]
            assert len(changed) == len(moved)
            assert f"every partition is at its place: {hosts} hosts" == said[-1]
            ended = [line for line in said if line.endswith("has ended")]
            gone = {place_of(line.removesuffix(" has ended")) for line in ended}
            assert set(range(hosts, before)) == gone
            await system.until_sales(await system.sales() + 10)
            shown = (await system.command("hosts", "list")).splitlines()
            assert 1 + hosts == len(shown)
            assert f"the layout has {hosts} hosts" in shown[0]
            again = (await system.command("scale", "--hosts", str(hosts))).splitlines()
            assert [] == [line for line in again if line.startswith("partition ")]
        assert [] == await troubles(system)
        await check(system)
