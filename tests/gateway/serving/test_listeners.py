"""The two listeners: what they bind, what they bound, what they tell of themselves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from gateway.fleet.v1 import trade_service_pb2
from gateway.fleet.v1.trade_service_pb2_grpc import TradeServiceStub
from gateway.links.links import HostLinks
from gateway.machines.service import MachineService
from gateway.process.addresses import ListenRefused
from gateway.rpc import reflection
from gateway.rpc.limits import EdgeLimits
from gateway.rpc.tls import Tls
from gateway.serving import listeners
from gateway.serving.listeners import (
    Listener,
    build_admin_server,
    build_machine_server,
    is_loopback,
)
from gateway.v1 import machine_pb2 as wire
from tests.support.certificates import Authority
from tests.support.doors import OpenDoor
from tests.support.edge import Edge, FixedClock, MachineCall, running_edge
from tests.support.patience import HANGS_AFTER_S, until
from tests.support.scripted_link import ScriptedLink


def a_service(*, limits: EdgeLimits | None = None) -> MachineService:
    """A service that nobody calls."""
    links = HostLinks([ScriptedLink()], gateway_id="g1", partition_count=1)
    return MachineService(links, gateway_id="g1", clock=FixedClock(), limits=limits)


CHECK = "/grpc.health.v1.Health/Check"


def add_fleet(server: grpc.aio.Server) -> None:
    """A service of trades with one method."""

    async def balances(_request: object, _context: object) -> trade_service_pb2.GetBalancesResponse:
        return trade_service_pb2.GetBalancesResponse()

    method: grpc.RpcMethodHandler[object, trade_service_pb2.GetBalancesResponse] = (
        grpc.unary_unary_rpc_method_handler(
            balances,
            request_deserializer=trade_service_pb2.GetBalancesRequest.FromString,
            response_serializer=trade_service_pb2.GetBalancesResponse.SerializeToString,
        )
    )
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "gateway.fleet.v1.TradeService", {"GetBalances": method}
            ),
        )
    )


def check(
    channel: grpc.aio.Channel,
) -> grpc.aio.UnaryUnaryMultiCallable[
    health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
]:
    """The health check; its generated stub has no types."""
    return channel.unary_unary(
        CHECK,
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )


async def health_of(listener: Listener, service: str = "") -> str:
    """What the health service says."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{listener.port}") as channel:
        answer = await check(channel)(health_pb2.HealthCheckRequest(service=service))
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:0", True),
        ("127.9.9.9:80", True),
        ("[::1]:0", True),
        ("localhost:0", True),
        ("unix:/tmp/x", True),
        ("0.0.0.0:0", False),
        ("[::]:0", False),
        (":50051", False),
        ("10.0.0.1:0", False),
        ("gateway.test:0", False),
        ("localhost.gateway.test:0", False),
    ],
)
def test_is_loopback(address: str, *, loopback: bool) -> None:
    """Only addresses that no other computer reaches are loopback."""
    assert loopback == is_loopback(address)


async def test_no_open_port_without_tls() -> None:
    """Without TLS nothing but loopback is bound, and the sentence says what to do."""
    with pytest.raises(
        ListenRefused,
        match=(
            r"0\.0\.0\.0:0 for machines without TLS: "
            r"configure a certificate.*or listen on 127\.0\.0\.1"
        ),
    ):
        build_machine_server(a_service(), address="0.0.0.0:0")
    with pytest.raises(ListenRefused, match="for administrators without TLS"):
        build_admin_server(add_fleet, door=OpenDoor(), address="0.0.0.0:0")


async def test_machines_must_show_a_certificate() -> None:
    """TLS for machines without the CA of their certificates would let anybody in."""
    server = Authority().server()
    tls = Tls(certificate=server.certificate, private_key=server.private_key)
    with pytest.raises(ListenRefused, match="no CA for machines"):
        build_machine_server(a_service(), address="127.0.0.1:0", tls=tls)


async def test_the_port_belongs_to_one() -> None:
    """A second listener on the same port is refused instead of sharing it."""
    first = build_machine_server(a_service(), address="127.0.0.1:0")
    with pytest.raises(ListenRefused, match=rf"^admin\.listen is 127\.0\.0\.1:{first.port}"):
        build_admin_server(add_fleet, door=OpenDoor(), address=f"127.0.0.1:{first.port}")
    await first.stop(grace_s=0)


async def test_admin_listener() -> None:
    """Administrators reach their services, their health and their reflection, and not the machines'
    service.
    """
    listener = build_admin_server(add_fleet, door=OpenDoor(), address="127.0.0.1:0")
    await listener.start()
    assert "gateway.fleet.v1.FleetService" == listener.services[0]
    assert "SERVING" == await health_of(listener, "gateway.fleet.v1.FleetService")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{listener.port}") as channel:
        assert (
            await TradeServiceStub(channel).GetBalances(trade_service_pb2.GetBalancesRequest())
            is not None
        )
        machine = MachineCall(channel)
        try:
            assert (await machine.end())[0] is grpc.StatusCode.UNIMPLEMENTED
        finally:
            machine.call.cancel()
    await listener.stop(grace_s=0)


async def test_administrators_services_are_told_and_described() -> None:
    """Each of the five is listed, has its health, and is described with all that it needs, so that
    grpcurl needs no proto files.
    """
    listener = build_admin_server(add_fleet, door=OpenDoor(), address="127.0.0.1:0")
    await listener.start()
    try:
        for noun in ("Fleet", "Session", "Trade", "WorkItem", "Event"):
            service = f"gateway.fleet.v1.{noun}Service"
            assert service in listener.services
            assert "SERVING" == await health_of(listener, service)
            files = await _described(listener, service)
            assert f"{noun}Service" in {one.name for file in files for one in file.service}
            assert "gateway/fleet/v1/role.proto" in {file.name for file in files} | {
                dependency for file in files for dependency in file.dependency
            }
    finally:
        await listener.stop(grace_s=0)


async def _described(listener: Listener, symbol: str) -> list[descriptor_pb2.FileDescriptorProto]:
    """Ask reflection, as grpcurl's describe does."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{listener.port}") as channel:
        call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(
            f"/{reflection.NAME}/ServerReflectionInfo"
        )()
        asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
        await call.write(asked.SerializeToString())
        await call.done_writing()
        answer = await call.read()
        assert isinstance(answer, bytes)
        told = reflection_pb2.ServerReflectionResponse.FromString(answer)
    return [
        descriptor_pb2.FileDescriptorProto.FromString(one)
        for one in told.file_descriptor_response.file_descriptor_proto
    ]


async def test_admin_listener_with_tls() -> None:
    """The administrators' listener may have TLS of its own, without client certificates too."""
    authority = Authority()
    server = authority.server()
    listener = build_admin_server(
        add_fleet,
        door=OpenDoor(),
        address="127.0.0.1:0",
        tls=Tls(certificate=server.certificate, private_key=server.private_key),
    )
    await listener.start()
    credentials = grpc.ssl_channel_credentials(authority.certificate)
    async with grpc.aio.secure_channel(f"localhost:{listener.port}", credentials) as channel:
        assert (
            await TradeServiceStub(channel).GetBalances(trade_service_pb2.GetBalancesRequest())
            is not None
        )
    await listener.stop(grace_s=0)


async def test_health_flips_before_the_drain() -> None:
    """A listener that is going away says so, as a whole and for each service, while its streams go
    on.
    """
    async with running_edge() as edge:
        machine = await edge.welcomed()
        assert "SERVING" == await health_of(edge.listener)
        await edge.listener.not_serving()
        assert "NOT_SERVING" == await health_of(edge.listener)
        assert "NOT_SERVING" == await health_of(edge.listener, "gateway.v1.MachineService")
        assert (await machine.hello()).HasField("protocol_error")


async def test_large_metadata() -> None:
    """Metadata above 8 KiB is refused."""
    async with (
        running_edge() as edge,
        grpc.aio.insecure_channel(f"127.0.0.1:{edge.listener.port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await check(channel)(health_pb2.HealthCheckRequest(), metadata=(("x", "y" * 9_000),))
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_streams_of_one_connection() -> None:
    """One connection carries so many streams and no more; a further one waits until one ends."""
    async with running_edge(limits=EdgeLimits(streams_per_connection_max=2)) as edge:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{edge.listener.port}")
        edge.channels.append(channel)
        first = _call(edge, channel)
        await first.hello("m1")
        second = _call(edge, channel)
        await second.hello("m2")
        third = asyncio.create_task(_call(edge, channel).hello("m3"))
        _, waiting = await asyncio.wait([third], timeout=0.1)
        assert waiting == {third}
        first.call.cancel()
        assert (await third).HasField("welcome")


def _call(edge: Edge, channel: grpc.aio.Channel) -> MachineCall:
    call = MachineCall(channel)
    edge.calls.append(call)
    return call


@pytest.mark.slow
async def test_a_connection_that_answers_no_ping() -> None:
    """A peer that is gone without a word is found out by a ping when a heartbeat of 20 s would be
    5 s late, and 10 s more, if it was not ended before because it carries no stream.
    """
    loop = asyncio.get_running_loop()
    async with running_edge(limits=EdgeLimits(connection_idle_max_ms=120_000)) as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.listener.port)
        empty_settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + empty_settings)
        started = loop.time()
        async with asyncio.timeout(45):
            while await reader.read(1000):
                pass
        assert 34 < loop.time() - started < 38
        writer.close()


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""What an HTTP/2 client says first, with settings that set nothing."""


async def test_a_full_listener_refuses_at_the_door() -> None:
    """A connection too many is closed at once, takes no descriptor, and those within are served;
    with room again the next one comes in.
    """
    listener = build_admin_server(
        add_fleet, door=OpenDoor(), address="127.0.0.1:0", connections_max=3
    )
    await listener.start()
    try:
        held = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(3)]
        for _, writer in held:
            writer.write(PREFACE)
        for reader, _ in held:
            async with asyncio.timeout(HANGS_AFTER_S):
                assert b"" != await reader.read(1)
        late, late_writer = await asyncio.open_connection("127.0.0.1", listener.port)
        async with asyncio.timeout(HANGS_AFTER_S):
            assert b"" == await late.read()
        for writer in (late_writer, *(writer for _, writer in held)):
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(HANGS_AFTER_S):
            while await _health_or_nothing(listener) != "SERVING":
                await asyncio.sleep(0.01)
    finally:
        await listener.stop(grace_s=0)


async def _health_or_nothing(listener: Listener) -> str:
    try:
        return await health_of(listener)
    except grpc.aio.AioRpcError:
        return ""


async def test_a_stranger_who_says_nothing_is_hung_up_on() -> None:
    """A connection without HTTP/2's first words does not outlive the handshake's deadline."""
    async with running_edge() as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.listener.port)
        async with asyncio.timeout(HANGS_AFTER_S):
            await reader.read()
        writer.close()


async def test_a_connection_without_a_stream_is_closed() -> None:
    """Whoever only holds a connection to the machines' listener loses it; a machine keeps its
    own.
    """
    async with running_edge(limits=EdgeLimits(connection_idle_max_ms=200)) as edge:
        machine = await edge.welcomed()
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.listener.port)
        writer.write(PREFACE)
        async with asyncio.timeout(HANGS_AFTER_S):
            assert b"" != await reader.read()
        writer.close()
        await machine.say(1, reader_enable=wire.ReaderEnable())
        await until(lambda: [1] == edge.link.frames())
        assert not machine.call.done()


def renewal_of(answered: list[bytes]) -> grpc.GenericRpcHandler:
    """What renews certificates, and notes who asked."""

    async def renew(request: bytes, _context: object) -> bytes:
        answered.append(request)
        return b"renewed"

    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(renew)
    return grpc.method_handlers_generic_handler("gateway.v1.RenewalService", {"Renew": method})


def called(listener: Listener) -> Any:
    """A channel to it; what it calls has no types here."""
    return grpc.aio.insecure_channel(f"127.0.0.1:{listener.port}")


async def silent() -> AsyncIterator[bytes]:
    """Send nothing, and do not say that nothing comes."""
    await asyncio.Event().wait()
    yield b""


async def test_who_calls_and_sends_no_request_holds_no_place_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With one certificate a machine could hold all connections that there are, for ever; so could
    anybody at an administrators' listener that asks for none.
    """
    monkeypatch.setattr(listeners, "WITHIN_S", 0.05)
    answered: list[bytes] = []
    service = a_service(limits=EdgeLimits(hello_timeout_s=0.05, connection_idle_max_ms=100))
    machines = build_machine_server(
        service, address="127.0.0.1:0", renewal=renewal_of(answered), connections_max=1
    )
    admin = build_admin_server(add_fleet, door=OpenDoor(), address="127.0.0.1:0")
    renew = "/gateway.v1.RenewalService/Renew"
    balances = "/gateway.fleet.v1.TradeService/GetBalances"
    for listener in (machines, admin):
        await listener.start()
    async with asyncio.timeout(HANGS_AFTER_S):
        for listener, path in ((machines, renew), (machines, CHECK), (admin, balances)):
            async with called(listener) as channel:
                call = channel.stream_stream(path)(silent(), wait_for_ready=True)
                assert grpc.StatusCode.DEADLINE_EXCEEDED is await call.code()
                if path == renew:  # while that connection is still open
                    async with called(machines) as honest:
                        asked = honest.unary_unary(renew)
                        assert b"renewed" == await asked(b"mine", wait_for_ready=True)
    assert [b"mine"] == answered
    for listener in (machines, admin):
        await listener.stop(grace_s=0)


async def test_an_old_connection_takes_no_further_stream_and_cuts_none() -> None:
    """It has room for one stream only: the second one comes when the machine's channel makes a new
    connection, and the first goes on beside it.
    """
    limits = EdgeLimits(stream_age_max_ms=300, streams_per_connection_max=1)
    async with running_edge(limits=limits) as edge:
        machine = await edge.welcomed()
        second = _call(edge, edge.channels[0])
        assert (await second.hello("m2")).HasField("welcome")
        await machine.say(1, reader_enable=wire.ReaderEnable())
        await until(lambda: [1] == edge.link.frames())
        assert not machine.call.done()


async def test_one_certificate_has_so_many_streams() -> None:
    """Who has a machine's certificate takes no more places than one machine needs."""
    authority = Authority()
    server, mine = authority.server(), authority.machine("m1")
    tls = Tls(
        certificate=server.certificate,
        private_key=server.private_key,
        client_ca=authority.certificate,
    )
    credentials = grpc.ssl_channel_credentials(
        authority.certificate, mine.private_key, mine.certificate
    )
    async with running_edge(limits=EdgeLimits(streams_per_machine_max=2), tls=tls) as edge:
        silent = [edge.machine(credentials, "localhost") for _ in range(2)]
        await until(lambda: 2 == edge.service.stats().streams)
        code, message = await edge.machine(credentials, "localhost").end()
        assert grpc.StatusCode.RESOURCE_EXHAUSTED is code
        assert "machine m1 has as many streams here as it may" in message
        silent[0].call.cancel()
        await until(lambda: 1 == edge.service.stats().streams)
        assert "welcome" == (await edge.machine(credentials, "localhost").hello("m1")).WhichOneof(
            "payload"
        )
