"""An upgrade by the steps of docs/operations.md, while machines sell: a PostgreSQL, a Ray cluster,
two gateways behind HAProxy, and a program of tomorrow that is made of this one.

``python -m pytest -m slow tests/e2e/test_upgrade.py`` runs it; it takes some minutes.
"""

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from actors import blocks
from gateway.demo import stage
from gateway.demo.cluster import balancer
from gateway.demo.cluster.plan import free_ports
from storage import codec
from storage.database import schema
from storage.tables import machine_states, vends
from tests.e2e.three_books import check
from tests.support import postgres
from tests.support.patience import HANGS_AFTER_S
from tests.support.ray_cluster import HOSTS, installation, listening, troubles
from tests.support.system import System

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(1_800),
    pytest.mark.skipif(not postgres.available(), reason="no PostgreSQL is installed"),
    pytest.mark.skipif(balancer.program() is None, reason=balancer.INSTALL),
    pytest.mark.xdist_group("postgres"),
]
ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("gateway", "storage", "actors", "alipay_client")
TOMORROW = f"{int(schema.head()) + 1:04}"
STATE = "    late_watch_until_ms: int = 0\n"
VERSION = "version=self.before.version + 1"
LOCKED = '    Column("locked", Text),\n'
IMPORTED = "from actors.machine.state import MachineState\n"
COLUMN = 'Column("tomorrow", Integer, nullable=False, server_default=text("7"))'
ADDED = "ADDED: Mapping[int, Fields] = {"
OF_TOMORROW = {
    "actors/blocks.py": (
        f"\nVERSION = {blocks.VERSION}\n",
        f"\nVERSION = {blocks.VERSION + 1}\n",
    ),
    "actors/machine/state.py": (STATE, f"{STATE}    seen_by_tomorrow: int = 0\n"),
    "actors/machine/draft.py": (VERSION, f"{VERSION}, seen_by_tomorrow=1"),
    "storage/state_formats.py": (
        ADDED,
        f'{IMPORTED}{ADDED}2: ((MachineState, "seen_by_tomorrow"),)',
    ),
    "storage/tables/machines.py": (LOCKED, f"{LOCKED}    {COLUMN},\n"),
}
"""What the program of tomorrow has in place of this one's: a newer link, a field of the state that
each of its decisions writes, and a column.
"""
MIGRATION = f'''"""A column of tomorrow."""

import sqlalchemy as sa
from alembic import op

revision = "{TOMORROW}"
down_revision = "{schema.head()}"
branch_labels = None
depends_on = None

kind = "EXPAND"


def upgrade() -> None:
    """Add it."""
    op.add_column(
        "machines",
        sa.Column("tomorrow", sa.Integer(), nullable=False, server_default=sa.text("7")),
    )
'''


def program_of_tomorrow(folder: Path) -> tuple[str, ...]:
    """Make the program, and return its command line."""
    for room in ROOMS:
        shutil.copytree(
            ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    for name, (old, new) in OF_TOMORROW.items():
        source = (folder / name).read_text()
        assert 1 == source.count(old), name
        (folder / name).write_text(source.replace(old, new))
    (folder / "storage/migrations/versions" / f"{TOMORROW}_tomorrow.py").write_text(MIGRATION)
    # Its own folder is where it runs: there Python, and Ray's workers, find it first.
    return ("env", "-C", str(folder), sys.executable, "-m", "gateway")


@contextmanager
def balanced(folder: Path, front: stage.Ports, servers: list[balancer.Server]) -> Iterator[None]:
    """HAProxy before the gateways, as in production."""
    file, program = folder / "haproxy.cfg", balancer.program()
    assert program is not None
    file.write_text(
        balancer.configuration(
            machines=f"127.0.0.1:{front.machines}",
            http=f"127.0.0.1:{front.http}",
            servers=servers,
        )
    )
    with (folder / "haproxy.log").open("wb") as log:
        running = subprocess.Popen([program, "-db", "-f", str(file)], stdout=log, stderr=log)
        try:
            yield
        finally:
            running.terminate()
            running.wait(HANGS_AFTER_S)


class Rolled(System):
    """A system whose machines and whose Alipay come through a balancer to two gateways."""

    gateways: dict[str, balancer.Server]

    def lay_out(self) -> None:
        """Give each gateway doors of its own; the system's are the balancer's."""
        self.gateways = {}
        for name in ("gateway", "gateway-2"):
            machines, admin, http, health = (f"127.0.0.1:{port}" for port in free_ports(4))
            doors = {
                "machines": {"listen": machines},
                "http": {"listen": http, "public_url": f"http://127.0.0.1:{self.ports.http}"},
                "health": {"listen": health},
            }
            if name == "gateway":
                self._tables |= doors
            else:
                folder = self.folder / name
                folder.mkdir()
                others = {**self._tables, **doors, "admin": {"listen": admin}}
                ports = replace(self.ports, files=0)  # The files for screens are the first one's.
                stage.write_settings(folder, ports, keys=self._keys, ray=True, others=others)
            self.gateways[name] = balancer.Server(
                name=name, machines=machines, http=http, health=health
            )

    def settings_of(self, name: str) -> str:
        """The settings file of a gateway."""
        return str(self._settings if name == "gateway" else self.folder / name / "vendgate.toml")

    async def begin(self, name: str, program: Sequence[str] = ()) -> None:
        """Start a gateway, of this program or another one; return once it is ready."""
        whole = (*program, "--lifeline") if program else None
        arguments = ("serve", "--config", self.settings_of(name), "--json-ready")
        child = await self._children.start(name, *arguments, program=whole, missed=False)
        self._running[name] = child

    async def drain(self, name: str) -> None:
        """Ask a gateway to stop, as its supervisor does, and wait until it has."""
        child = self._running[name]
        child.tell(signal.SIGTERM)
        async with asyncio.timeout(2 * HANGS_AFTER_S):
            assert 0 == await child.process.wait()

    async def ready(self, name: str) -> dict[str, bool]:
        """Return what a gateway says of itself."""
        async with httpx.AsyncClient(trust_env=False) as http:
            told = await http.get(f"http://{self.gateways[name].health}/readyz")
        checks: dict[str, bool] = told.json()["checks"]
        return checks

    async def of(self, program: Sequence[str], *arguments: str) -> str:
        """Run a command of another program; return what it says."""
        running = await asyncio.create_subprocess_exec(
            *(*program, *arguments, "--config", self.settings_of("gateway")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, log = await running.communicate()
        assert 0 == running.returncode, said.decode() + log.decode()
        return said.decode()

    async def formats(self) -> dict[int, int]:
        """How many states have which format."""
        rows = select(machine_states.c.format, func.count()).group_by(machine_states.c.format)
        found = await self.database.read(lambda connection: connection.execute(rows).all())
        return {row[0]: row[1] for row in found}

    async def denied(self) -> dict[str, int]:
        """How many requests for goods were denied because a part of ours was away. BUSY is not
        among them: the machine itself has asked before, and a customer who was kept waiting by a
        slow computer chose again.
        """
        ours = ("BACKEND_UNAVAILABLE", "PROVIDER_DOWN")
        rows = select(vends.c.reason, func.count()).where(vends.c.reason.in_(ours))
        found = await self.database.read(
            lambda connection: connection.execute(rows.group_by(vends.c.reason)).all()
        )
        return {row[0]: row[1] for row in found}


def _moved(trouble: str) -> bool:
    """Whether a stream ended because its machine had moved to the other gateway."""
    return trouble.startswith("Disconnected") and '"MOVED"' in trouble


async def test_a_new_program_takes_over_while_machines_sell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database first, then the hosts, then one gateway after the other: no request for goods is
    turned away, no host gives a stream up, and in the end three books agree.
    """
    with installation(tmp_path) as (url, tables):
        await listening(str(tables["ray"]["address"]))
        new = program_of_tomorrow(tmp_path / "tomorrow")
        system = Rolled(tmp_path, ray=True, machines=6, seed=3, url=url, tables=tables)
        system.lay_out()
        with balanced(tmp_path, system.ports, list(system.gateways.values())):
            async with system:
                await system.begin("gateway-2")
                await system.until_sales(5)

                said = await system.of(new, "db", "upgrade")
                assert f"the database has schema {TOMORROW} (before: {schema.head()})" in said
                await system.until_sales(await system.sales() + 5)
                for name in system.gateways:
                    assert (await system.ready(name))["schema"]
                assert f"has schema {TOMORROW}; this program works with it" in (
                    await system.command("config", "check", "--connect")
                )
                assert {1} == (await system.formats()).keys()

                await system.of(new, "hosts", "replace")
                shown = await system.command("hosts", "list")
                assert HOSTS == shown.count(f"program {TOMORROW}")
                await system.until_sales(await system.sales() + 10)
                assert {2} <= (await system.formats()).keys()

                for name in ("gateway-2", "gateway"):
                    await system.drain(name)
                    await system.begin(name, new)
                    await system.until_sales(await system.sales() + 5)

                assert {} == await system.denied()
                assert [] == [one for one in await troubles(system) if not _moved(one)]
                monkeypatch.setattr(codec, "STATE_FORMAT", 2)
                await check(system)
                assert "clean" in await system.of(new, "audit")
