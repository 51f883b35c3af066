"""The whole gateway in this process: settings in, served addresses out, and an orderly end."""

import asyncio
import re
import shutil
import socket
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
from sqlalchemy import insert, select
from typer.testing import CliRunner

from gateway.cli import app
from gateway.fleet.v1 import fleet_service_pb2, fleet_service_pb2_grpc, machine_pb2
from gateway.process import settings
from gateway.process.addresses import ListenRefused
from gateway.process.sweep import Sweep
from gateway.serving import wiring
from gateway.serving.assemble import assemble
from gateway.serving.wiring import Addresses, GatewayLost, run_gateway
from gateway.trust import authority_files
from gateway.v1.enrolment_service_pb2 import EnrolRequest
from gateway.v1.enrolment_service_pb2_grpc import EnrolmentServiceStub
from storage.database.engine import Database
from storage.fleet.fleet_totals import read_standing
from storage.tables import inbox, payers
from tests.alipay_client.wire import Pair
from tests.storage.owner import take
from tests.support import installed
from tests.support.certificates import Authority, Issued
from tests.support.patience import HANGS_AFTER_S, LOOK_EVERY_S, until
from tests.support.told_payments import paid, told_payment

Tables = dict[str, Any]
ANN_S = "spiffe://vendgate.test/admin/ann"


@pytest.fixture
def tables(tmp_path: Path, pair: Pair) -> Tables:
    """Give a configuration whose ports the system chooses and whose Alipay does not answer."""
    tables = installed.good(tmp_path, pair)
    for name in ("machines", "admin", "http", "health"):
        tables[name]["listen"] = "127.0.0.1:0"
    tables["alipay"] |= {"environment": "http://127.0.0.1:9/gateway.do", "connect_timeout_ms": 200}
    tables["logs"] = {"level": "warning"}
    return tables


@asynccontextmanager
async def _running(
    folder: Path, tables: Tables
) -> AsyncIterator[tuple[Addresses, asyncio.Event, asyncio.Task[None]]]:
    """Run a gateway while the block lasts, and see it end well."""
    path = installed.write(folder, tables)
    told: asyncio.Queue[Addresses] = asyncio.Queue()
    stop = asyncio.Event()
    running = asyncio.create_task(
        run_gateway(
            settings.load(path), config_path=path, ray=False, ready=told.put_nowait, stop=stop
        )
    )
    waiting = asyncio.create_task(told.get())
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        waiting.cancel()
        await running
    try:
        yield await waiting, stop, running
    finally:
        stop.set()
        async with asyncio.timeout(HANGS_AFTER_S):
            await asyncio.wait([running])


def _sockets(folder: Path) -> list[Path]:
    return list(folder.glob("vendgate-enrol-*/*"))


async def test_strangers_who_enrol_reach_another_process(
    tmp_path: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks this one, which answers by whom it was asked, and both end together."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    now = datetime.now(UTC)
    authority_files.make(tmp_path / "ca", "vending.example", now=now)
    ca = Authority("the gateway's")
    server = ca.server()
    (tmp_path / "gw.pem").write_bytes(server.certificate)
    (tmp_path / "gw_key.pem").write_bytes(server.private_key)
    (tmp_path / "gw_key.pem").chmod(0o600)
    pair = {"certificate_file": "gw.pem", "private_key_file": "gw_key.pem"}
    tables["machines"] |= {**pair, "client_ca_file": "ca/machines_ca.pem"}
    tables["enrolment"] = {
        **pair,
        "enabled": True,
        "listen": "127.0.0.1:0",
        "ca_certificate_file": "ca/machines_ca.pem",
        "ca_private_key_file": "ca/machines_ca_key.pem",
        "gateway": "gw.example:7443",
    }
    async with _running(tmp_path, tables) as (addresses, _stop, _running_task):
        port = addresses.enrolment.rpartition(":")[2]
        roots = grpc.ssl_channel_credentials(ca.certificate)
        async with grpc.aio.secure_channel(f"localhost:{port}", roots) as channel:
            stub: Any = EnrolmentServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Enrol(EnrolRequest(token="no token"), timeout=HANGS_AFTER_S)
        assert grpc.StatusCode.PERMISSION_DENIED is refused.value.code()
        assert _sockets(tmp_path)
    assert not _sockets(tmp_path)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(port)))


async def test_a_gateway_serves_all_four_sides(tmp_path: Path, tables: Tables) -> None:
    """The admin service answers, health has a port of its own, a notification's way is open and
    leads nowhere else, and everything ends when it is told to.
    """
    async with _running(tmp_path, tables) as (addresses, stop, running):
        assert addresses.public_url == f"http://{addresses.http}"
        async with httpx.AsyncClient(base_url=f"http://{addresses.health}") as health:
            ready = await health.get("/readyz")
            assert {
                "sql": True,
                "schema": True,
                "saves": True,
                "hosts": True,
                "not_draining": True,
            } == ready.json()["checks"]
            assert "vendgate_streams_open 0.0" in (await health.get("/metrics")).text
            assert 404 == (await health.post("/alipay/notify/x", content=b"a")).status_code
        async with httpx.AsyncClient(base_url=f"http://{addresses.http}") as http:
            assert (404, "unknown") == (
                (answer := await http.post("/alipay/notify/x", content=b"a")).status_code,
                answer.text,
            )
            for path in ("/healthz", "/readyz", "/metrics"):
                assert 404 == (await http.get(path)).status_code
        async with grpc.aio.insecure_channel(addresses.admin) as channel:
            fleet: Any = fleet_service_pb2_grpc.FleetServiceStub(channel)
            request = fleet_service_pb2.RegisterMachineRequest(
                machine_id="VM-1", store_name="Lobby", currency="HKD"
            )
            registered = await fleet.RegisterMachine(request, timeout=2.0)
            # Alipay does not answer, so that nobody knows.
            assert registered.machine.code_status in {
                machine_pb2.CODE_STATUS_PENDING,
                machine_pb2.CODE_STATUS_UNKNOWN,
            }
            assert "host-0" == registered.machine.host
        stop.set()
        await running


async def test_a_gateway_is_drained_by_a_command_and_stays(tmp_path: Path, tables: Tables) -> None:
    """It is not ready and takes no machine, and answers Alipay and administrators until it is
    stopped. Who gives the command again hears the same; who has other settings is refused.
    """
    async with _running(tmp_path, tables) as (addresses, _, running):
        command = ["drain", "--config", str(tmp_path / "vendgate.toml"), "--at", addresses.health]
        for _ in range(2):
            drained = await asyncio.to_thread(CliRunner().invoke, app, command)
            assert (0, True) == (
                drained.exit_code,
                drained.output.endswith("takes no machine until it is started again\n"),
            )
        async with httpx.AsyncClient() as client:
            ready = await client.get(f"http://{addresses.health}/readyz")
            assert (503, False) == (ready.status_code, ready.json()["checks"]["not_draining"])
            told = await client.post(f"http://{addresses.http}/alipay/notify/x", content=b"a")
            assert 404 == told.status_code
        (tmp_path / "salt").write_text("another salt that only tests may use")
        refused = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert (1, True) == (
            refused.exit_code,
            "Only who has this gateway's settings" in refused.output,
        )
        assert not running.done()


async def test_the_console_is_served_over_tls(tmp_path: Path, tables: Tables) -> None:
    """Who shows a certificate is known by it; who shows none gets in and has to sign in; another
    one's certificate ends at the door.
    """
    people, strangers = Authority("administrators"), Authority("strangers")
    server = people.server()
    for name, content in (
        ("console.crt", server.certificate),
        ("console.key", server.private_key),
        ("people.crt", people.certificate),
    ):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    tables["console"] = {
        "enabled": True,
        "listen": "127.0.0.1:0",
        "certificate_file": str(tmp_path / "console.crt"),
        "private_key_file": str(tmp_path / "console.key"),
        "client_ca_file": str(tmp_path / "people.crt"),
    }
    tables["admin"] = {
        **tables.get("admin", {}),
        "roles": {"spiffe://vendgate.test/admin/ann": "owner"},
    }

    def browser(url: str, shown: Issued | None) -> httpx.AsyncClient:
        context = ssl.create_default_context(cadata=people.certificate.decode())
        if shown is not None:
            file = tmp_path / "shown.pem"
            file.write_bytes(shown.certificate + shown.private_key)
            context.load_cert_chain(file)
        return httpx.AsyncClient(base_url=url, verify=context)

    async with _running(tmp_path, tables) as (addresses, _, _):
        url = addresses.console
        assert url.startswith("https://127.0.0.1:")
        async with browser(url, people.client("spiffe://vendgate.test/admin/ann")) as ann:
            page = await ann.get("/")
            assert (200, True) == (
                page.status_code,
                "spiffe://vendgate.test/admin/ann" in page.text,
            )
            assert "Sign out" not in page.text
        async with browser(url, None) as nobody:
            assert 303 == (await nobody.get("/")).status_code
        async with browser(url, strangers.client(ANN_S)) as stranger:
            with pytest.raises(httpx.TransportError):
                await stranger.get("/")
        async with browser(url, None) as nobody:
            assert 401 == (await nobody.get("/login")).status_code


async def test_the_gateway_can_be_started_again(
    tmp_path: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was registered is there, and nobody is kept waiting for a port or a lock."""
    monkeypatch.setattr(wiring, "assemble", partial(assemble, code_wait_s=0.0))  # it never comes
    async with (
        _running(tmp_path, tables) as (addresses, _, _),
        grpc.aio.insecure_channel(addresses.admin) as channel,
    ):
        fleet: Any = fleet_service_pb2_grpc.FleetServiceStub(channel)
        await fleet.RegisterMachine(
            fleet_service_pb2.RegisterMachineRequest(
                machine_id="VM-1", store_name="Lobby", currency="HKD"
            ),
            timeout=HANGS_AFTER_S,
        )
    async with (
        _running(tmp_path, tables) as (addresses, _, _),
        grpc.aio.insecure_channel(addresses.admin) as channel,
    ):
        fleet = fleet_service_pb2_grpc.FleetServiceStub(channel)
        listed = await fleet.ListMachines(fleet_service_pb2.ListMachinesRequest())
        assert ["VM-1"] == [machine.machine_id for machine in listed.machines]


async def test_a_gateway_forgets_who_has_not_paid_for_long(tmp_path: Path, tables: Tables) -> None:
    """At its start, and nobody else. Alipay does not answer: that somebody paid says the time."""
    newest_ms = time.time_ns() // 1_000_000
    rows = [
        {
            "buyer_hash": f"h{at_ms}",
            "payer_id": f"p{at_ms}",
            "first_seen_ms": 1,
            "last_seen_ms": at_ms,
        }
        for at_ms in (newest_ms, newest_ms - 40 * 86_400_000)
    ]
    chosen = select(payers.c.last_seen_ms)
    async with _running(tmp_path, {"payer_unused_days": 39, **tables}):
        database = await Database.open(_storage(tmp_path))
        await database.write(lambda connection: connection.execute(insert(payers), rows))
        told = told_payment(1, paid(newest_ms))
        await database.write(lambda connection: connection.execute(insert(inbox), told))
    async with _running(tmp_path, {"payer_unused_days": 39, **tables}):
        async with asyncio.timeout(HANGS_AFTER_S):
            while [newest_ms] != await database.read(
                lambda connection: list(connection.scalars(chosen))
            ):
                await asyncio.sleep(LOOK_EVERY_S)
        await database.close()


async def test_a_gateway_keeps_the_totals_of_the_fleet(tmp_path: Path, tables: Tables) -> None:
    """From its start on."""
    async with _running(tmp_path, tables):
        database = await Database.open(_storage(tmp_path))
        async with asyncio.timeout(HANGS_AFTER_S):
            while (await database.read(read_standing)).saved is None:
                await asyncio.sleep(LOOK_EVERY_S)
        await database.close()


async def test_what_a_gateway_does_by_itself_is_begun_again_whatever_ends_it(
    tmp_path: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And said: it would not be done until the next start, and nobody would know."""
    rounds: Counter[str] = Counter()

    async def broken(sweep: Sweep) -> int:
        rounds[sweep.what] += 1
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(Sweep, "once", broken)
    async with _running(tmp_path, tables) as (addresses, _, _), httpx.AsyncClient() as http:
        await until(lambda: len(rounds) > 1)
        ready = await http.get(f"http://{addresses.health}/readyz")
        figures = (await http.get(f"http://{addresses.health}/metrics")).text
        await until(lambda: min(rounds.values()) > 1)
    assert ready.json()["ready"]
    assert any("'payer-sweep' has ended by itself" in said for said in ready.json()["warnings"])
    ended = re.search(r'vendgate_works_ended_total\{work="payer-sweep"\} (\d+)', figures)
    assert ended is not None
    assert int(ended[1]) >= 1
    assert 'vendgate_works_ended_total{work="denials"} 0.0' in figures


async def test_a_taken_port_is_refused(tmp_path: Path, tables: Tables) -> None:
    """The second gateway on a port says which setting it is, and leaves the first alone."""
    async with _running(tmp_path, tables) as (addresses, _, running):
        other = tmp_path / "other"
        other.mkdir()
        for name in ("merchant.pem", "alipay.pem", "salt"):
            shutil.copy(tmp_path / name, other / name)
        for table, port in (
            ("http", addresses.http),
            ("health", addresses.health),
            ("admin", addresses.admin),
            ("machines", addresses.machines),
        ):
            again = {**tables, table: {"listen": port}}
            said = rf"^{table}\.listen is {port}, and another program listens there"
            with pytest.raises(ListenRefused, match=said):
                async with _running(other, again):
                    pass
        assert not running.done()


async def test_a_gateway_whose_machines_were_taken_ends(tmp_path: Path, tables: Tables) -> None:
    """When another process claims the partitions, this one stops itself and says why."""
    async with (
        _running(tmp_path, tables) as (addresses, _, running),
        grpc.aio.insecure_channel(addresses.admin) as channel,
    ):
        database = await Database.open(_storage(tmp_path))
        await take(
            database, host="thief", holder="thief-1", partitions=range(database.partition_count)
        )
        await database.close()
        fleet: Any = fleet_service_pb2_grpc.FleetServiceStub(channel)
        request = fleet_service_pb2.RegisterMachineRequest(
            machine_id="VM-1", store_name="Lobby", currency="HKD"
        )
        with pytest.raises(grpc.aio.AioRpcError):
            await fleet.RegisterMachine(request, timeout=HANGS_AFTER_S)
        with pytest.raises(GatewayLost, match="another gateway is using the same database"):
            async with asyncio.timeout(HANGS_AFTER_S):
                await running


def _storage(folder: Path) -> Any:
    from gateway.process.configs import storage_config

    return storage_config(settings.load(str(folder / "vendgate.toml")))
