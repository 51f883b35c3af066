"""What is measured, as separate processes: a pretend Alipay, and a gateway that is started in each
of its settings over the same books.

Flows in: a folder, and settings. Flows out: addresses and process ids. Whoever opens a site or a
gateway closes it; children also hold a lifeline, so that none outlives this process.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc.aio

from gateway.bench.machine import COLUMNS, PRICE_MINOR
from gateway.demo import processes, stage
from gateway.demo.children import VENDGATE, ChildFailed, Children
from gateway.fleet.v1 import fleet_service_pb2, fleet_service_pb2_grpc
from gateway.fleet.v1 import machine_pb2 as fleet_wire
from gateway.simulator.phone import Paid, Phone
from gateway.v1 import machine_pb2

TOP_UP_MINOR = 100_000_000
"""Enough for fifty million vends."""
_STOCK = 9_999
_CALLS_AT_ONCE = 32
_CALL_TIMEOUT_S = 60.0
_CODES_TIMEOUT_S = 900.0
_LOOK_EVERY_S = 0.2
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One way to run the gateway. ``database_url`` empty: SQLite, FULL, in the site's folder."""

    name: str
    ray: bool
    database_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningGateway:
    """A gateway that is ready. ``ready_s``: from the start of its process."""

    setting: Setting
    machines: str
    admin: str
    began_s: float
    ready_s: float
    gateway_pid: int
    host_pids: Sequence[int]

    @classmethod
    def of_one_process(cls, name: str, machines: str, pid: int) -> "RunningGateway":
        """Return what stands for a gateway, and has no administrators: the echo."""
        return cls(
            setting=Setting(name=name, ray=False),
            machines=machines,
            admin="",
            began_s=0.0,
            ready_s=0.0,
            gateway_pid=pid,
            host_pids=(),
        )

    @property
    def pids(self) -> Mapping[str, Sequence[int]]:
        """Whose processor time is counted, by name."""
        apart = [pid for pid in self.host_pids if pid != self.gateway_pid]
        return {"gateway": [self.gateway_pid], **({"host": apart} if apart else {})}

    def everyone(self) -> Sequence[int]:
        """Return every process of the product, Ray's own among them."""
        return processes.with_descendants(self.gateway_pid)


class BenchSite:
    """A pretend Alipay, books, and machines in them. Use as ``async with BenchSite.open(...)``."""

    def __init__(self, folder: Path, *, payment_wait_ms: int) -> None:
        self._folder = folder
        self._payment_wait_ms = payment_wait_ms
        self._ports = stage.free_ports()
        self._keys = folder / "alipay"
        self._codes: dict[str, str] = {}
        self._phone = Phone(f"http://127.0.0.1:{self._ports.alipay}")

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, *, payment_wait_ms: int) -> AsyncIterator["BenchSite"]:
        """Start the pretend Alipay in a new folder. Raises ChildFailed."""
        folder.mkdir(parents=True)  # noqa: ASYNC240 - nothing is measured yet
        site = cls(folder, payment_wait_ms=payment_wait_ms)
        async with children(folder) as started:
            await started.start("alipay", *stage.alipay_arguments(site._keys, site._ports))
            async with site._phone:
                yield site

    @asynccontextmanager
    async def gateway(self, setting: Setting) -> AsyncIterator[RunningGateway]:
        """Run the gateway over what the site's books hold. Raises ChildFailed."""
        path = self.write_settings(setting)
        if setting.database_url:
            await _upgrade(path)
        async with children(self._folder) as started:
            began_s = time.perf_counter()
            child = await started.start("gateway", "serve", "--config", str(path), "--json-ready")
            yield RunningGateway(
                setting=setting,
                machines=child.ready["machines"],
                admin=child.ready["admin"],
                began_s=began_s,
                ready_s=time.perf_counter() - began_s,
                gateway_pid=child.process.pid,
                host_pids=child.ready["host_pids"],
            )

    def write_settings(self, setting: Setting) -> Path:
        """Write the gateway's settings and return their path: the product's own, but for what would
        end a measurement: customers who wait for nothing, and what one machine may send when it
        does the work of many.
        """
        others: dict[str, Mapping[str, object]] = {
            "policy": {"idle_refund_ms": _HOUR_MS, "payment_wait_ms": self._payment_wait_ms},
            "limits": {
                "frames_per_s": 10_000,
                "frames_burst": 10_000,
                "journal_bytes_per_day": 2**40,
            },
            "logs": {},
        }
        if setting.database_url:
            others["database"] = {"url": setting.database_url}
        return stage.write_settings(
            self._folder, self._ports, keys=self._keys, ray=setting.ray, others=others
        )

    # --- machines and money ---

    async def register(self, running: RunningGateway, machine_ids: Sequence[str]) -> float:
        """Take machines into the fleet, a bounded number of calls at a time; return the seconds."""
        gate = asyncio.Semaphore(_CALLS_AT_ONCE)
        began = time.perf_counter()
        async with admin_of(running) as fleet:

            async def one(machine_id: str) -> None:
                async with gate:
                    await fleet.RegisterMachine(_new_machine(machine_id), timeout=_CALL_TIMEOUT_S)

            await asyncio.gather(*(one(machine_id) for machine_id in machine_ids))
        return time.perf_counter() - began

    async def wait_for_codes(self, running: RunningGateway) -> None:
        """Wait until Alipay has given every machine its code. Raises ChildFailed."""
        until = time.perf_counter() + _CODES_TIMEOUT_S
        waiting = fleet_service_pb2.ListMachinesRequest(
            page_size=1,
            code_statuses=[fleet_wire.CODE_STATUS_PENDING, fleet_wire.CODE_STATUS_UNKNOWN],
        )
        async with admin_of(running) as fleet:
            while found := (await fleet.ListMachines(waiting, timeout=_CALL_TIMEOUT_S)).machines:
                if time.perf_counter() > until:
                    raise ChildFailed(
                        f"{found[0].machine_id} and perhaps others had no code after "
                        f"{_CODES_TIMEOUT_S:g} s"
                    )
                await asyncio.sleep(_LOOK_EVERY_S)

    async def read_codes(self, running: RunningGateway, machine_ids: Sequence[str]) -> None:
        """Read what a customer's phone would: the codes of machines that are going to be paid."""
        async with admin_of(running) as fleet:
            for machine_id in machine_ids:
                wanted = fleet_service_pb2.GetMachineRequest(machine_id=machine_id)
                found = await fleet.GetMachine(wanted, timeout=_CALL_TIMEOUT_S)
                self._codes[machine_id] = found.machine.qr_payload

    async def pay(self, machine_id: str) -> None:
        """Let a customer top a machine up: the pretend Alipay signs a notification and sends it.
        Raises ChildFailed.
        """
        paid = await self._phone.pay(
            qr_payload=self._codes[machine_id],
            amount_minor=TOP_UP_MINOR,
            currency=stage.CURRENCY,
            buyer=f"buyer-{machine_id}",
        )
        if not isinstance(paid, Paid):
            raise ChildFailed(f"{machine_id} cannot be paid: {paid.reason}")


@asynccontextmanager
async def children(folder: Path, *, program: Sequence[str] = VENDGATE) -> AsyncIterator[Children]:
    """Run processes of a program; end all of them with the block."""
    started = Children(folder, program=program)
    try:
        yield started
    finally:
        await started.stop()


@asynccontextmanager
async def admin_of(
    running: RunningGateway,
) -> AsyncIterator["fleet_service_pb2_grpc.FleetServiceAsyncStub"]:
    """Open the administrators' service. Raises ChildFailed instead of what gRPC raises."""
    async with grpc.aio.insecure_channel(running.admin, options=stage.DIRECT) as channel:
        try:
            yield fleet_service_pb2_grpc.FleetServiceStub(channel)
        except grpc.aio.AioRpcError as error:
            raise ChildFailed(f"the gateway refuses an administrator: {error.details()}") from error


async def _upgrade(config: Path) -> None:
    """Give a PostgreSQL its tables, as an operator would; a SQLite is made by the gateway."""
    upgrading = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "db", "upgrade", "--config", str(config)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await upgrading.communicate()
    if upgrading.returncode != 0:
        raise ChildFailed(f"the database cannot be prepared: {said.decode(errors='replace')}")


def machine_names(count: int) -> list[str]:
    """Return the ids of a site's machines."""
    return [f"B-{number:06}" for number in range(count)]


def _new_machine(machine_id: str) -> fleet_service_pb2.RegisterMachineRequest:
    columns = [
        fleet_wire.Column(
            column=f"A{number}",
            product=f"Cola {number}",
            price_minor=PRICE_MINOR,
            capacity=_STOCK,
            stock=_STOCK,
        )
        for number in range(1, COLUMNS + 1)
    ]
    return fleet_service_pb2.RegisterMachineRequest(
        machine_id=machine_id,
        store_name="Bench",
        currency=stage.CURRENCY,
        country_code="HK",
        address="1 Queens Road Central, Hong Kong",
        mode=machine_pb2.MODE_BOTH,
        columns=columns,
    )
