"""The real system in separate processes, each of which can be killed with ``kill -9`` and started
again where it was.

Nothing is replaced and nothing is shared but sockets and files: the gateway (with its hosts), the
pretend Alipay, the machines with their customers. What the three of them wrote down is compared at
the end.
"""

import asyncio
import datetime as dt
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import grpc.aio
import httpx

from gateway.demo import books, stage
from gateway.demo.children import Child, Children
from gateway.demo.identities import Identities
from gateway.demo.run import whole_book
from gateway.demo.stage import FLEET_FOLDER
from gateway.simulator.fleet import all_have_left
from storage.auditing import prove
from storage.database.engine import Database, StorageConfig
from storage.fleet.queries import Queries
from storage.fleet.views import BalanceView
from tests.support.processes import command_line, descendants

QUIET_TIMEOUT_S = 600
LOOK_EVERY_S = 0.25


class System:
    """Three processes, their files, and both books."""

    def __init__(
        self,
        folder: Path,
        *,
        ray: bool,
        machines: int,
        seed: int,
        url: str = "",
        tables: Mapping[str, Mapping[str, object]] | None = None,
        tls: bool = False,
    ) -> None:
        self.folder = folder
        self.url = url or f"sqlite:///{folder / 'vendgate.db'}"
        self._tables = dict(tables or {})
        self.ray = ray
        self.seed = seed
        self.ports = stage.free_ports()
        self.machine_ids = stage.machine_names(machines)
        self.control_url = f"http://127.0.0.1:{self.ports.alipay}"
        self._keys = folder / "alipay"
        self._children = Children(folder)
        self._running: dict[str, Child] = {}
        self._newcomers: list[str] = []
        self.identities = Identities.made(folder, now=dt.datetime.now(dt.UTC)) if tls else None
        self._settings = Path()
        self.queries: Queries
        self.database: Database

    async def __aenter__(self) -> Self:
        await self.start("alipay")
        proving = {} if self.identities is None else dict(self.identities.tables(self.ports))
        for name, table in self._tables.items():
            proving[name] = {**proving.get(name, {}), **table}
        self._settings = stage.write_settings(
            self.folder, self.ports, keys=self._keys, ray=self.ray, others=proving
        )
        await self.start("gateway")
        if self.machine_ids:
            async with self.administrator() as channel:
                await stage.register(channel, self.machine_ids)
                if self.identities is not None:
                    await self.identities.make_tokens(channel, self.machine_ids)
            await self.start("machines")
        self.database = await Database.open(StorageConfig(url=self.url))
        self.queries = Queries(self.database)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._children.stop()
        await self.database.close()

    def administrator(self) -> grpc.aio.Channel:
        """A channel to the administrators' listener, an owner's if it asks for a proof."""
        address = f"127.0.0.1:{self.ports.admin}"
        if self.identities is None:
            return grpc.aio.insecure_channel(address)
        return self.identities.channel(address, stage.DIRECT)

    # --- processes ---

    async def start(self, name: str) -> None:
        """Start a process, where it was before if it was there."""
        self._running[name] = await self._children.start(name, *self._arguments(name))

    def _arguments(self, name: str) -> list[str]:
        match name:
            case "alipay":
                return stage.alipay_arguments(self._keys, self.ports)
            case "gateway":
                return ["serve", "--config", str(self._settings), "--json-ready"]
            case _:
                ids = (name,) if name in self._newcomers else self.machine_ids
                names = [word for machine_id in ids for word in ("--machine", machine_id)]
                gateway = [
                    "--gateway",
                    f"127.0.0.1:{self.ports.machines}",
                    "--alipay",
                    self.control_url,
                ]
                state = [
                    "--seed",
                    str(self.seed),
                    "--state-dir",
                    str(self._fleet_folder(name)),
                    "--pace",
                    "0.3",
                ]
                if self.identities is not None:
                    state += self.identities.fleet_arguments(self.ports)
                return ["simulate", "machines", *gateway, *state, "--json-ready", *names]

    async def command(self, *arguments: str) -> str:
        """Run a command of the program with this system's settings; return what it says."""
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            *arguments,
            "--config",
            str(self._settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, log = await running.communicate()
        assert 0 == running.returncode, log.decode()
        return said.decode()

    async def kill(self, name: str) -> None:
        """``kill -9``; returns once the process is gone."""
        child = self._running[name]
        child.tell(signal.SIGKILL)
        await child.process.wait()

    def kill_host(self) -> None:
        """``kill -9`` the Ray process in which the machines live, if there is one just now; Ray
        starts another one.
        """
        for pid in self._host_pids():
            os.kill(pid, signal.SIGKILL)

    def _host_pids(self) -> list[int]:
        """Ray names its actors' processes after their class; ours is the one that stands below our
        gateway's own Ray.
        """
        gateway = self._running["gateway"].process.pid
        return [pid for pid in descendants(gateway) if b"ray::HostActor" in command_line(pid)]

    def tell(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process."""
        self._running[name].tell(number)

    async def start_newcomer(self, machine_id: str) -> None:
        """Start one more machine, which is registered, in a process of its own."""
        self._newcomers.append(machine_id)
        await self.start(machine_id)

    def no_new_customers(self) -> None:
        """Who is there finishes; nobody else comes."""
        for name in ("machines", *self._newcomers):
            self._running[name].tell(signal.SIGUSR1)

    # --- what they wrote down ---

    async def sales(self) -> int:
        """How many vends succeeded so far."""
        return (await self.queries.tally()).vends.get("SUCCEEDED", 0)

    async def until_sales(self, wanted: int, timeout_s: float = 600) -> None:
        """Wait for so many sales."""
        until = time.monotonic() + timeout_s
        while await self.sales() < wanted:
            assert time.monotonic() < until, (
                f"{await self.sales()} of {wanted} sales within {timeout_s} s"
            )
            await asyncio.sleep(LOOK_EVERY_S)

    async def balance(self) -> BalanceView:
        """All money, from our ledger."""
        (balance,) = await self.queries.balances()
        return balance

    async def book(self) -> dict[str, Any]:
        """The pretend Alipay's own book."""
        async with httpx.AsyncClient(base_url=self.control_url, trust_env=False) as http:
            return await whole_book(http)

    async def differences(self, balance: BalanceView) -> list[str]:
        """Compare the two books, and say what is not at rest yet."""
        book = await self.book()
        ours, before = [], ""
        while page := await self.queries.trades(position=before, limit=500):
            ours += [
                books.OurTrade(
                    trade_id=t.trade_id,
                    currency=t.currency,
                    paid_minor=t.paid_minor,
                    refunded_minor=t.refunded_minor,
                )
                for t in page
            ]
            before = page[-1].position
        found = list(
            books.differences(ours, book, {balance.currency: balance.money_refunded_minor})
        )
        if balance.money_held_minor or balance.refunds_open_minor:
            found.append(
                f"{balance.money_held_minor} is held and {balance.refunds_open_minor} is due back"
            )
        if not balance.ledger_balanced:
            found.append("our ledger does not balance")
        return found

    async def at_rest(self) -> BalanceView:
        """Wait until everybody has left, all money is sold or back and both books agree, then prove
        ours; fail with what is not so.
        """
        until = time.monotonic() + QUIET_TIMEOUT_S
        while self.machine_ids and not self._all_have_left():
            assert time.monotonic() < until, "somebody still stands before a machine"
            await asyncio.sleep(LOOK_EVERY_S)
        balance = await self.balance()
        while found := await self.differences(balance):
            assert time.monotonic() < until, found[:20]
            await asyncio.sleep(LOOK_EVERY_S)
            balance = await self.balance()
        audit = await prove(
            self.database, now_ms=time.time_ns() // 1_000_000, own_ids={stage.PARTNER}
        )
        assert () == audit.sentences
        return balance

    def _all_have_left(self) -> bool:
        return all(
            all_have_left(self._fleet_folder(name), self._running[name].process.pid)
            for name in ("machines", *self._newcomers)
        )

    def _fleet_folder(self, name: str) -> Path:
        return self.folder / (f"{FLEET_FOLDER}-{name}" if name in self._newcomers else FLEET_FOLDER)

    def motor_turns(self) -> Counter[str]:
        """How often the motor really turned for each vend, from the machines' own shelves."""
        return self._shelf("turn")

    def dropped(self) -> Counter[str]:
        """How many items really fell for each vend."""
        return self._shelf("drop")

    def _shelf(self, act: str) -> Counter[str]:
        turns: Counter[str] = Counter()
        for shelf in self.folder.glob(f"{FLEET_FOLDER}*/*/shelf.log"):
            for line in shelf.read_text().splitlines():
                entry = json.loads(line)
                if entry["act"] == act and entry["cause"]:
                    turns[entry["cause"]] += 1
        return turns
