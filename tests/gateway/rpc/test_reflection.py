"""Reflection, with the tools' own messages and with a tool."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2

from gateway.rpc import reflection
from tests.support.edge import Edge, running_edge
from tests.support.patience import until

SERVICES = {
    "gateway.v1.MachineService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    reflection.ALPHA_NAME,
}
GRPCURL = shutil.which("grpcurl")
BUF = Path(sys.executable).parent / "buf"


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """A machine side with default limits."""
    async with running_edge() as running:
        yield running


async def ask(
    edge: Edge, service: str, request: reflection_pb2.ServerReflectionRequest
) -> reflection_pb2.ServerReflectionResponse:
    """Ask one question."""
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{edge.listener.port}")
    edge.channels.append(channel)
    call: grpc.aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(
        f"/{service}/ServerReflectionInfo"
    )()
    try:
        await call.write(request.SerializeToString())
        await call.done_writing()
        answer = await call.read()
        assert isinstance(answer, bytes)
        return reflection_pb2.ServerReflectionResponse.FromString(answer)
    finally:
        call.cancel()


@pytest.mark.parametrize("service", [reflection.NAME, reflection.ALPHA_NAME])
async def test_list_services(edge: Edge, service: str) -> None:
    """Both versions list the listener's services, and no others."""
    answer = await ask(edge, service, reflection_pb2.ServerReflectionRequest(list_services=""))
    assert {each.name for each in answer.list_services_response.service} == SERVICES


async def test_symbols(edge: Edge) -> None:
    """The machines' listener describes its own services and the error details, but not what
    administrators call.
    """
    for symbol in (*SERVICES, "gateway.v1.Hello", "google.rpc.ErrorInfo", "google.rpc.BadRequest"):
        answer = await ask(
            edge,
            reflection.NAME,
            reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol),
        )
        assert answer.file_descriptor_response.file_descriptor_proto, symbol
    answer = await ask(
        edge,
        reflection.NAME,
        reflection_pb2.ServerReflectionRequest(
            file_containing_symbol="gateway.fleet.v1.FleetService"
        ),
    )
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize(
    "symbol",
    [
        "gateway.v1.MachineService.Connect",
        "grpc.health.v1.Health.Check",
        "grpc.reflection.v1.ServerReflection.ServerReflectionInfo",
        "gateway.v1.Hello.machine_id",
        "gateway.v1.ConnectRequest.payload",
        "gateway.v1.ProtocolErrorCode.PROTOCOL_ERROR_CODE_HELLO_EXPECTED",
        "gateway.v1.PROTOCOL_ERROR_CODE_HELLO_EXPECTED",
    ],
)
async def test_members_are_symbols_too(edge: Edge, symbol: str) -> None:
    """A method, a field, a oneof and an enum's value lead to their file, which is what grpcurl
    asks for when it describes one.
    """
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
    answer = await ask(edge, reflection.NAME, request)
    assert answer.file_descriptor_response.file_descriptor_proto


@pytest.mark.parametrize(
    "symbol",
    [
        "",
        ".",
        "nothing",
        "gateway.v1",
        "gateway.v1.Hello.nothing",
        "gateway.v1.MachineService.Disconnect",
        "gateway.v1.MachineService.Connect.",
        "gateway.v1.Hello.machine_id.x",
    ],
)
async def test_what_is_not_there_is_not_found(edge: Edge, symbol: str) -> None:
    """A member that its owner does not have is no symbol, and neither is a package."""
    request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
    answer = await ask(edge, reflection.NAME, request)
    assert grpc.StatusCode.NOT_FOUND.value[0] == answer.error_response.error_code


def test_v1_describes_itself() -> None:
    """v1's file builds by itself and has v1alpha's shape."""
    file = reflection.v1_file()
    assert b"v1alpha" not in file.SerializeToString()
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    service = pool.FindServiceByName(reflection.NAME)
    assert "grpc.reflection.v1.ServerReflectionRequest" == service.methods[0].input_type.full_name
    alpha = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(alpha)
    assert [message.name for message in alpha.message_type] == [
        message.name for message in file.message_type
    ]


@pytest.mark.skipif(GRPCURL is None, reason="grpcurl is installed where there is a Go toolchain")
@pytest.mark.parametrize("symbol", ["gateway.v1.MachineService.Connect", "gateway.v1.Hello"])
async def test_grpcurl_describes_a_method(edge: Edge, symbol: str) -> None:
    """With the real tool, as an administrator types it."""
    assert GRPCURL is not None
    address = f"127.0.0.1:{edge.listener.port}"
    process = await asyncio.create_subprocess_exec(
        GRPCURL,
        "-plaintext",
        address,
        "describe",
        symbol,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert out.startswith(f"{symbol} is a ".encode()), out.decode()
    assert 0 == process.returncode


@pytest.mark.skipif(not BUF.exists(), reason="buf is a development tool")
class TestBufCurl:
    """With buf curl, which knows nothing but the address."""

    async def _curl(self, edge: Edge, path: str, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            BUF,
            "curl",
            "--protocol=grpc",
            "--http2-prior-knowledge",
            *arguments,
            f"http://127.0.0.1:{edge.listener.port}{path}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def test_list(self, edge: Edge) -> None:
        """It lists the services."""
        curl = await self._curl(edge, "", "--list-services")
        out, _ = await curl.communicate()
        assert set(out.decode().split()) == SERVICES

    async def test_unary(self, edge: Edge) -> None:
        """It asks for health."""
        curl = await self._curl(edge, "/grpc.health.v1.Health/Check", "--data={}")
        out, _ = await curl.communicate()
        assert {"status": "SERVING"} == json.loads(out)

    async def test_a_stream_by_hand(self, edge: Edge) -> None:
        """It speaks a machine's part, frame by frame."""
        curl = await self._curl(edge, "/gateway.v1.MachineService/Connect", "--data=@-")
        assert curl.stdin is not None
        curl.stdin.write(b'{"hello": {"machineId": "m1", "bootId": "b1"}}\n')
        await until(lambda: edge.service.stats().machines == 1)
        curl.stdin.write(b'{"seq": 1, "readerEnable": {}}\n')
        await until(lambda: edge.link.frames() == [1])
        out, _ = await curl.communicate(b"")
        assert b'"welcome"' in out
        assert b'"ack": "1"' in out
        assert 0 == curl.returncode

    async def test_a_refusal(self, edge: Edge) -> None:
        """It shows status and details of a refusal."""
        curl = await self._curl(
            edge, "/gateway.v1.MachineService/Connect", '--data={"heartbeat": {}}'
        )
        out, error = await curl.communicate()
        assert b"PROTOCOL_ERROR_CODE_HELLO_EXPECTED" in out
        status = json.loads(error)
        assert (
            "invalid_argument",
            "google.rpc.ErrorInfo",
        ) == (status["code"], status["details"][0]["type"])
        assert curl.returncode == grpc.StatusCode.INVALID_ARGUMENT.value[0] * 8
