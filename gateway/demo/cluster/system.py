"""The running cluster: everything started in its order, the machines registered, and a way to look
at both books.

Flows in: a folder, how many machines, a seed. Flows out: parts that are kept alive, a database that
is read, and what the two books say.
"""

import asyncio
import contextlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import httpx

from gateway.demo import postgres, stage
from gateway.demo.children import ChildFailed, Children
from gateway.demo.cluster import balancer, janitor
from gateway.demo.cluster.look import Look
from gateway.demo.cluster.parts import KeptParts
from gateway.demo.cluster.plan import Plan, balanced, recipes, tables
from gateway.demo.progress import shown
from gateway.demo.run import answer_within
from gateway.demo.terminal import Terminal
from storage.database import migrate
from storage.database.engine import Database, StorageConfig

REGISTER_TIMEOUT_S = 120
AT_ONCE = 20
"""So many machines are registered at the same time."""


def wanting() -> list[str]:
    """Return a sentence for each program that this computer lacks."""
    found = []
    if not sys.platform.startswith("linux"):
        found.append(
            "vendgate cluster gives each node of Ray an address of its own on loopback, which "
            "needs Linux; make demo runs anywhere"
        )
    if postgres.programs() is None:
        found.append("install PostgreSQL, on Debian with: apt-get install postgresql")
    if importlib.util.find_spec("asyncpg") is None:
        found.append("install vendgate[postgres], which brings asyncpg")
    if balancer.program() is None:
        found.append(balancer.INSTALL)
    return found


class System:
    """What runs. ``parts`` may be killed; ``look`` tells what became of it."""

    def __init__(self, plan: Plan, parts: KeptParts, database: Database, look: Look) -> None:
        self.plan = plan
        self.parts = parts
        self.database = database
        self.look = look


@asynccontextmanager
async def running(
    plan: Plan, children: Children, console: Terminal | None
) -> AsyncIterator[System]:
    """Start everything, and give it; whoever made ``children`` ends them. Raises ChildFailed."""
    folder = plan.folder
    await children.start("janitor", str(folder), program=janitor.PROGRAM, missed=False)
    programs, haproxy = postgres.programs(), balancer.program()
    assert programs is not None and haproxy is not None, "ask wanting() first"  # noqa: PT018 - both are asked for there
    made = {
        recipe.name: recipe
        for recipe in recipes(plan, postgres=programs, haproxy=haproxy, owner=postgres.owner())
    }
    _write(plan)
    parts = KeptParts(children)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(parts.close)
        async with shown(console, "starting PostgreSQL and the pretend Alipay"):
            await asyncio.to_thread(_make_database, plan, programs)
            await parts.start_together([made["alipay"], made["postgres"]])
            await asyncio.to_thread(migrate.upgrade, plan.database_url.replace("+asyncpg", ""))
            # Its keys are in there now.
            for gateway in plan.gateways:
                _write_settings(plan, gateway.name)
        async with shown(console, "starting Ray: a head, and then its nodes"):
            await parts.start(made["ray-head"])
            await parts.start_together(
                recipe for name, recipe in made.items() if name in plan.node_ports
            )
        for gateway in plan.gateways:
            # One after the other: the first one makes the hosts.
            log = folder / f"{gateway.name}.log"
            async with shown(console, f"starting {gateway.name}", log=log):
                await parts.start(made[gateway.name])
        await parts.start(made["balancer"])
        await _register(plan, console)
        await parts.start(made["machines"])
        database = await Database.open(StorageConfig(url=plan.database_url))
        stack.push_async_callback(database.close)
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        yield System(plan, parts, database, Look(plan, database, http))


def _write(plan: Plan) -> None:
    """Write what the parts read, and let PostgreSQL's user through to its own folder."""
    (plan.folder / "haproxy.cfg").write_text(balanced(plan), encoding="utf-8")
    plan.token.write_text(secrets.token_hex(32), encoding="ascii")
    plan.token.chmod(0o600)
    for name in ("r", "gcs"):
        (plan.folder / name).mkdir(mode=0o700)
    plan.data.mkdir(mode=0o700)
    if (owner := postgres.owner()) is not None:
        plan.folder.chmod(0o711)
        shutil.chown(plan.data, owner)


def _write_settings(plan: Plan, name: str) -> None:
    gateway = next(one for one in plan.gateways if one.name == name)
    folder = plan.settings_of(gateway).parent
    folder.mkdir()
    ports = stage.Ports(machines=0, admin=0, http=0, health=0, alipay=plan.alipay_port)
    stage.write_settings(folder, ports, keys=plan.keys, ray=True, others=tables(plan, gateway))


def _make_database(plan: Plan, programs: Path) -> None:
    command = [
        *(str(programs / "initdb"), "--pgdata", str(plan.data / "data")),
        *("--username", "vendgate", "--auth", "trust", "--encoding", "UTF8"),
    ]
    done = subprocess.run(  # noqa: S603 - our own words
        command,
        cwd=plan.data,
        user=postgres.owner(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    if done.returncode != 0:
        raise ChildFailed(f"PostgreSQL's initdb failed:\n{done.stdout.decode(errors='replace')}")


async def _register(plan: Plan, console: Terminal | None) -> None:
    ids = plan.machine_ids
    async with (
        shown(console, f"taking {len(ids)} machines into the fleet"),
        answer_within(REGISTER_TIMEOUT_S, "the gateway"),
        grpc.aio.insecure_channel(plan.gateways[0].admin, options=stage.DIRECT) as channel,
    ):
        for start in range(0, len(ids), AT_ONCE):
            await stage.register(channel, ids[start : start + AT_ONCE])
