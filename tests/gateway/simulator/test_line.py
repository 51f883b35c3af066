"""One stream: dialling, hanging up, TLS files."""

import asyncio
from pathlib import Path

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from gateway.simulator.line import UNWRITTEN_MAX, ClientTls, Ended, Line, _retry_after_ms, read_tls
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.gateway.simulator.scripted import ScriptedGateway, scripted_gateway
from tests.support.certificates import Authority

HELLO = service_pb.ConnectRequest(hello=pb.Hello(machine_id="VM-0001"))


def ignore(line: Line, frame: service_pb.ConnectResponse) -> None:
    """Do nothing with a frame."""


async def test_frames_go_both_ways(gateway: ScriptedGateway) -> None:
    """What is sent arrives in order, what comes is handed on, and the end has a status."""
    line = Line(gateway.address, None)
    seen: list[int] = []
    call = asyncio.create_task(line.run(lambda _, frame: seen.append(frame.seq)))
    stream = await gateway.stream()
    for seq in (1, 2, 3):
        line.send(service_pb.ConnectRequest(seq=seq))
    assert [1, 2, 3] == [(await stream.read()).seq for _ in range(3)]
    await stream.write()
    await stream.write()
    stream.end(grpc.StatusCode.ABORTED, "taken over")

    assert Ended(code=grpc.StatusCode.ABORTED, detail="taken over") == await call
    assert [1, 2] == seen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_proxy_is_not_asked_for_this_computer(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    """A proxy of the environment, here one that nobody answers at, is for elsewhere."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for name in ("no_proxy", "no_grpc_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    port = gateway.address.rpartition(":")[2]
    line = Line(f"{host}:{port}", None)
    call = asyncio.create_task(line.run(ignore))
    (await gateway.stream()).end()

    assert (await call).code is grpc.StatusCode.OK


async def test_a_clean_end_is_ok(gateway: ScriptedGateway) -> None:
    """A gateway may close a stream without an error."""
    line = Line(gateway.address, None)
    call = asyncio.create_task(line.run(ignore))
    (await gateway.stream()).end()

    assert (await call).code is grpc.StatusCode.OK


async def test_hanging_up_ends_the_call(gateway: ScriptedGateway) -> None:
    """Hanging up is not an error, before and after dialling."""
    line = Line(gateway.address, None)
    line.send(HELLO)
    call = asyncio.create_task(line.run(ignore))
    stream = await gateway.stream()
    await stream.read()
    line.hang_up()
    assert Ended(code=grpc.StatusCode.CANCELLED, detail="hung up") == await call

    early = Line(gateway.address, None)
    early.hang_up()
    assert (await early.run(ignore)).code is grpc.StatusCode.CANCELLED


async def test_cancelling_is_passed_on(gateway: ScriptedGateway) -> None:
    """Who cancels the task gets its cancellation."""
    call = asyncio.create_task(Line(gateway.address, None).run(ignore))
    await gateway.stream()
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call


async def test_an_error_in_handling_a_frame_is_not_swallowed(gateway: ScriptedGateway) -> None:
    """A defect of the machine ends the stream and reaches the caller."""

    def defect(line: Line, frame: service_pb.ConnectResponse) -> None:
        raise ZeroDivisionError

    call = asyncio.create_task(Line(gateway.address, None).run(defect))
    await (await gateway.stream()).write()

    with pytest.raises(ZeroDivisionError):
        await call


async def test_a_connection_that_takes_nothing_is_hung_up(gateway: ScriptedGateway) -> None:
    """What waits to be written is bounded."""
    line = Line(gateway.address, None)
    for _ in range(UNWRITTEN_MAX + 1):
        line.send(HELLO)

    assert (await line.run(ignore)).code is grpc.StatusCode.CANCELLED


async def test_nobody_listens() -> None:
    """No gateway at all is UNAVAILABLE."""
    assert (await Line("127.0.0.1:1", None).run(ignore)).code is grpc.StatusCode.UNAVAILABLE


async def test_the_gateways_wish_is_heard(gateway: ScriptedGateway) -> None:
    """RetryInfo in the status says how long not to call."""
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1_500)
    packed = any_pb2.Any()
    packed.Pack(retry)
    call = asyncio.create_task(Line(gateway.address, None).run(ignore))
    stream = await gateway.stream()
    stream.refuse(rpc_status.to_status(status_pb2.Status(code=8, message="full", details=[packed])))

    assert (
        Ended(code=grpc.StatusCode.RESOURCE_EXHAUSTED, detail="full", retry_after_ms=1_500)
        == await call
    )


def test_details_that_cannot_be_read_are_no_wish() -> None:
    """Only a RetryInfo counts."""
    assert 0 == _retry_after_ms(None)
    assert 0 == _retry_after_ms([("other", "x"), ("grpc-status-details-bin", b"\xff")])
    assert 0 == _retry_after_ms(
        [("grpc-status-details-bin", status_pb2.Status(code=8).SerializeToString())]
    )


async def test_each_side_shows_its_certificate() -> None:
    """With mutual TLS the machine verifies the gateway and names itself; without a certificate it
    does not get in.
    """
    authority = Authority()
    server, machine = authority.server(), authority.machine("VM-0001")
    credentials = grpc.ssl_server_credentials(
        [(server.private_key, server.certificate)], authority.certificate, require_client_auth=True
    )
    async with scripted_gateway(credentials) as gateway:
        tls = ClientTls(
            ca=authority.certificate,
            certificate=machine.certificate,
            private_key=machine.private_key,
        )
        call = asyncio.create_task(Line(gateway.address, tls).run(ignore))
        (await gateway.stream()).end()
        assert (await call).code is grpc.StatusCode.OK
        stranger = await Line(gateway.address, ClientTls(ca=authority.certificate)).run(ignore)
        assert stranger.code is grpc.StatusCode.UNAVAILABLE


def test_tls_files_are_each_machines_own(tmp_path: Path) -> None:
    """{machine_id} in a path is replaced; the key does not show when printed."""
    (tmp_path / "ca.pem").write_bytes(b"ca")
    (tmp_path / "VM-1.pem").write_bytes(b"certificate")
    (tmp_path / "VM-1.key").write_bytes(b"secret")
    tls = read_tls(
        "VM-1",
        ca=tmp_path / "ca.pem",
        cert=tmp_path / "{machine_id}.pem",
        key=str(tmp_path / "{machine_id}.key"),
    )

    assert tls is not None
    assert (b"ca", b"certificate", b"secret") == (tls.ca, tls.certificate, tls.private_key)
    assert "secret" not in repr(tls)
    assert read_tls("VM-1", ca=None, cert=None, key=None) is None
    with pytest.raises(ValueError, match="ca"):
        read_tls("VM-1", ca=None, cert="x.pem", key=None)
