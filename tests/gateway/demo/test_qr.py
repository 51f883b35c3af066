"""A machine's code in the terminal."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TypeAlias

import grpc
import grpc.aio
import pytest

from gateway.demo import qr
from gateway.fleet.v1 import fleet_service_pb2 as wire
from gateway.fleet.v1 import machine_pb2
from tests.support.certificates import Authority

SERVICE = wire.DESCRIPTOR.services_by_name["FleetService"].full_name
Context: TypeAlias = "grpc.aio.ServicerContext[wire.GetMachineRequest, wire.GetMachineResponse]"
MACHINES: Mapping[str, machine_pb2.Machine] = {
    "VM-0001": machine_pb2.Machine(qr_payload="https://qr.alipay.com/bax1"),
    "VM-0002": machine_pb2.Machine(),
    "VM-0003": machine_pb2.Machine(code_error="ILLEGAL_ARGUMENT"),
}


async def get_machine(request: wire.GetMachineRequest, context: Context) -> wire.GetMachineResponse:
    """Answer as the fleet service does."""
    if request.machine_id not in MACHINES:
        await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such machine")
    return wire.GetMachineResponse(machine=MACHINES[request.machine_id])


@pytest.fixture
async def server() -> AsyncIterator[grpc.aio.Server]:
    """An administrators' door without a port yet."""
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        get_machine,
        request_deserializer=wire.GetMachineRequest.FromString,
        response_serializer=wire.GetMachineResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"GetMachine": handler}),)
    )
    yield server
    await server.stop(None)


async def test_a_machines_code(server: grpc.aio.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of the code, or why there is none; a proxy of the environment is not asked."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    door = qr.Door(address=f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    await server.start()

    assert "https://qr.alipay.com/bax1" == await qr.payload_of("VM-0001", door)
    for machine_id, why in (
        ("VM-0002", "VM-0002 has no code: Alipay has not given it one yet"),
        ("VM-0003", "VM-0003 has no code: ILLEGAL_ARGUMENT"),
        ("VM-0004", f"{door.address} answers NOT_FOUND: there is no such machine"),
    ):
        with pytest.raises(qr.NoCode, match=why):
            await qr.payload_of(machine_id, door)


async def test_behind_tls(server: grpc.aio.Server, tmp_path: Path) -> None:
    """With the CA's file, and a certificate of one's own where the door wants one."""
    authority = Authority()
    own, mine = authority.server(), authority.client("spiffe://vendgate.test/admin/alice")
    port = server.add_secure_port(
        "127.0.0.1:0",
        grpc.ssl_server_credentials(
            [(own.private_key, own.certificate)], authority.certificate, require_client_auth=True
        ),
    )
    await server.start()
    (tmp_path / "ca").write_bytes(authority.certificate)
    (tmp_path / "cert").write_bytes(mine.certificate)
    (tmp_path / "key").write_bytes(mine.private_key)
    door = qr.Door(
        address=f"127.0.0.1:{port}",
        ca=tmp_path / "ca",
        cert=tmp_path / "cert",
        key=tmp_path / "key",
    )

    assert "https://qr.alipay.com/bax1" == await qr.payload_of("VM-0001", door)
    with pytest.raises(qr.NoCode, match=r"UNAVAILABLE: .*give yours \(--ca, --cert, --key\)"):
        await qr.payload_of("VM-0001", qr.Door(address=door.address))


def test_the_picture_comes_with_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code, and below it whose it is and what it says."""

    async def payload(machine_id: str, door: qr.Door) -> str:
        return f"https://qr.alipay.com/{machine_id}{door.address}"

    monkeypatch.setattr(qr, "payload_of", payload)
    *picture, text = qr.qr("VM-0001", qr.Door(address="x")).splitlines()

    assert 15 < len(picture)
    assert "VM-0001  https://qr.alipay.com/VM-0001x" == text
