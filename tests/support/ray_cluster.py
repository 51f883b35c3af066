"""A PostgreSQL and a real Ray cluster of one node, for the tests of a whole cluster.

Flows in: a folder. Flows out: the settings of gateways there, and what went wrong in the end.
"""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import select

from storage.database import migrate
from storage.database.engine import Database, StorageConfig
from storage.tables import journal
from tests.support import postgres
from tests.support.patience import HANGS_AFTER_S
from tests.support.system import System

Tables = dict[str, dict[str, object]]

HOSTS = 2
HEAD = "127.0.0.2"
"""Of 127.0.0.1 Ray makes the outside address for who comes to a cluster, where nobody listens."""
PARTITIONS = 16


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, object]]:
    """A Ray cluster that asks for a token; gives the settings that lead there."""
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    token.chmod(0o600)
    with socket.socket() as held:
        held.bind((HEAD, 0))
        port = held.getsockname()[1]
    address = f"{HEAD}:{port}"
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
                f"--node-ip-address={HEAD}",
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
                "node_ip": HEAD,
                "hosts": HOSTS,
            }
        finally:
            head.terminate()
            head.wait(HANGS_AFTER_S)


@contextmanager
def installation(folder: Path) -> Iterator[tuple[str, Tables]]:
    """Give where the database is, and the tables of a gateway in a cluster."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres.running())
        migrate.upgrade(url, partition_count=PARTITIONS)
        given = url.replace("postgresql://", "postgresql+asyncpg://")
        ray = stack.enter_context(cluster(folder))
        yield given, {"database": {"url": given, "durability": "weaker"}, "ray": ray}


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
