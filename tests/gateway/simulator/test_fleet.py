"""Many machines and their customers in one process."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from gateway.simulator import fleet as fleets
from gateway.simulator.customer import Patience
from gateway.simulator.fleet import FleetConfig, all_have_left, run_fleet
from gateway.simulator.phone import Paid, Phone
from tests.gateway.simulator.backend import Backend
from tests.gateway.simulator.scripted import ScriptedGateway, attend, refusing
from tests.support.patience import HANGS_AFTER_S, until

MACHINES = ("VM-0001", "VM-0002", "VM-0003")


@pytest.fixture
async def books(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[dict[str, Backend]]:
    """A small backend for each machine, which is its pretend Alipay as well."""
    backends: dict[str, Backend] = {}

    def backend_of(machine_id: str) -> Backend:
        return backends.setdefault(machine_id, Backend(emit=lambda _: None, idle_ms=60, wait_ms=60))

    async def pay(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.url.path == "/control/screens":
            return httpx.Response(200, json={})
        backend = backends[body["buyer"].removeprefix("buyer-")[:7]]
        amount_minor = int(body["amount"].replace(".", ""))
        paid = await backend.pay(
            qr_payload=body["qrcode"],
            amount_minor=amount_minor,
            currency="HKD",
            buyer=body["buyer"],
        )
        assert isinstance(paid, Paid)
        return httpx.Response(
            200, json={"trade_no": paid.trade_no, "amount_minor": paid.amount_minor}
        )

    monkeypatch.setattr(fleets, "Phone", lambda url: Phone(url, transport=httpx.MockTransport(pay)))
    monkeypatch.setattr(fleets, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(fleets, "COUNT_EVERY_S", 0.02)
    attending = asyncio.create_task(attend(gateway, backend_of))
    yield backends
    attending.cancel()
    await asyncio.gather(attending, return_exceptions=True)


@pytest.fixture
def config(gateway: ScriptedGateway, tmp_path: Path) -> Callable[..., FleetConfig]:
    """Describe a quick fleet."""

    def make(**fields: Any) -> FleetConfig:
        described: dict[str, Any] = {
            "gateway": gateway.address,
            "alipay_url": "http://alipay.test",
            "machine_ids": MACHINES,
            "seed": 1,
            "state_dir": tmp_path,
            "pace": 0.01,
            "motor_ms": 1,
            "reconnect_initial_ms": 10,
            "patience": Patience(
                answer_s=2.0, margin_s=1.0, glance_s=0.02, think_s=0.002, away_s=0.02
            ),
        }
        return FleetConfig(**(described | fields))

    return make


def counters(folder: Path) -> dict[str, Any]:
    """Read fleet.json."""
    with contextlib.suppress(FileNotFoundError):
        counted: dict[str, Any] = json.loads((folder / "fleet.json").read_text())
        return counted
    return {"state": "", "totals": {}}


async def test_customers_come_and_go(
    books: dict[str, Backend],
    config: Callable[..., FleetConfig],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As many customers as wished, one JSON line for each, then quiet; the money adds up; SIGTERM
    ends it.
    """
    running = asyncio.create_task(run_fleet(config(customers_max=20, report=True)))
    await until(lambda: counters(tmp_path)["state"] == "quiet")
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(HANGS_AFTER_S):
        await running

    reports = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")
    ]
    assert 20 == len(reports)
    counted = counters(tmp_path)
    assert ("left", 20, 3) == (counted["state"], counted["totals"]["finished"], counted["machines"])
    assert sum(report["paid_minor"] for report in reports) == sum(
        backend.paid_minor for backend in books.values()
    )
    for backend in books.values():
        assert (
            backend.sold_minor + backend.refunded_minor + backend.funds_minor == backend.paid_minor
        )


@pytest.mark.parametrize("how", ["signal", "event"])
async def test_no_new_customers(
    books: dict[str, Backend], config: Callable[..., FleetConfig], tmp_path: Path, how: str
) -> None:
    """SIGUSR1, or the caller's event: those who are there finish, the machines stay connected."""
    stop_customers = asyncio.Event()
    running = asyncio.create_task(run_fleet(config(stop_customers=stop_customers)))
    await until(lambda: counters(tmp_path)["totals"].get("finished", 0) > 3)
    assert not all_have_left(tmp_path, os.getpid())
    if how == "signal":
        os.kill(os.getpid(), signal.SIGUSR1)
    else:
        stop_customers.set()
    await until(lambda: all_have_left(tmp_path, os.getpid()) and counters(tmp_path)["free"] == 3)
    counted = counters(tmp_path)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not all_have_left(tmp_path, os.getpid() + 1)
    assert (3, 0) == (counted["online"], counted["customers_inside"])
    assert counted["totals"]["started"] == counted["totals"]["finished"]


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGHUP])
async def test_whatever_asks_for_an_end_ends_it(
    books: dict[str, Backend],
    config: Callable[..., FleetConfig],
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    """A closed terminal and Ctrl-backslash are no worse than SIGTERM: the counters are written."""
    running = asyncio.create_task(run_fleet(config(customers_max=1)))
    await until(lambda: counters(tmp_path)["state"] == "quiet")
    os.kill(os.getpid(), number)
    await running

    assert "left" == counters(tmp_path)["state"]


async def test_a_second_run_goes_on_from_the_files(
    books: dict[str, Backend], config: Callable[..., FleetConfig], tmp_path: Path
) -> None:
    """Counters add up over runs, and each machine has a new boot."""
    for _ in range(2):
        running = asyncio.create_task(run_fleet(config(customers_max=2)))
        await until(lambda: counters(tmp_path)["state"] == "quiet")
        os.kill(os.getpid(), signal.SIGINT)
        await running

    assert (
        2,
        4,
    ) == (counters(tmp_path)["totals"]["runs"], counters(tmp_path)["totals"]["finished"])
    assert all(len({hello.boot_id for hello in backend.hellos}) >= 2 for backend in books.values())


async def test_a_fleet_whose_machines_are_all_refused_ends(
    gateway: ScriptedGateway, config: Callable[..., FleetConfig]
) -> None:
    """Nobody waits for machines that only a person can help."""
    async with (
        refusing(gateway, grpc.StatusCode.PERMISSION_DENIED, "no"),
        asyncio.timeout(HANGS_AFTER_S),
    ):
        await run_fleet(config(refusal_waits_ms=(), handle_signals=False))


async def test_a_kind_that_never_fits_is_said(
    books: dict[str, Backend], config: Callable[..., FleetConfig], tmp_path: Path
) -> None:
    """A wish for customers that the machines' mode excludes ends the queue, not the fleet."""
    running = asyncio.create_task(run_fleet(config(kinds=("nobody",), machine_ids=("VM-0001",))))
    await until(lambda: bool(books) and counters(tmp_path).get("free") == 1)
    os.kill(os.getpid(), signal.SIGTERM)
    await running

    assert "finished" not in counters(tmp_path)["totals"]


def test_counters_that_cannot_be_read_begin_anew(tmp_path: Path) -> None:
    """A damaged fleet.json is no reason not to start, and says nothing of who has left."""
    assert not all_have_left(tmp_path, os.getpid())
    (tmp_path / "fleet.json").write_text("{")
    assert not all_have_left(tmp_path, os.getpid())

    assert not fleets._read_totals(tmp_path / "fleet.json")
