"""Those who do harm with a proof of who they are, in a process of their own: ``python -m
tests.support.insiders KIND --port N --name NAME --folder TLS --seconds N``.

A machine, whose certificate is good:

* ``hellos``: streams that say Hello and go, as quickly as they open.
* ``openings``: streams that say nothing and go.
* ``frames``: frames of 4 MB, on streams that said Hello.
* ``others``: Hellos with another machine's id.
* ``slow``: streams that talk and never read; the window is shut.
* ``headers``: heads that unpack to a thousand times their size (HPACK), in HTTP/2 by hand.
* ``renewals``: certificates for ever new keys.

And a person with the role that is their name, who calls whatever they may with the largest pages,
and what they may not: ``person``. What was tried is printed as a line of JSON at the end.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from gateway.office import services
from gateway.rpc.roles import Role
from gateway.trust.door import looks_of, roles_of
from gateway.v1 import machine_pb2 as wire
from gateway.v1 import renewal_service_pb2_grpc
from gateway.v1.machine_service_pb2 import ConnectRequest
from gateway.v1.machine_service_pb2_grpc import MachineServiceStub
from gateway.v1.renewal_service_pb2 import RenewRequest
from tests.support import csr

AT_ONCE = 32
"""So much does each of them at the same time, on four connections."""
tried: Counter[str] = Counter()


class Insider:
    """One of them, with its certificate."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.name: str = asked.name
        self.other: str = asked.other
        self.port: int = asked.port
        self.until: float = time.monotonic() + asked.seconds
        self.folder = Path(asked.folder)
        self.dice = random.Random(asked.name)

    @property
    def goes_on(self) -> bool:
        """Whether the time is not over."""
        return time.monotonic() < self.until

    def channel(self) -> grpc.aio.Channel:
        """A connection of its own."""
        credentials = grpc.ssl_channel_credentials(
            root_certificates=(self.folder / "root.pem").read_bytes(),
            private_key=(self.folder / f"{self.name}_key.pem").read_bytes(),
            certificate_chain=(self.folder / f"{self.name}.pem").read_bytes(),
        )
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_http_proxy", 0),
            ("grpc.max_send_message_length", -1),
        ]
        return grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options=options)

    async def again_and_again(self, act: Callable[[grpc.aio.Channel], Awaitable[None]]) -> None:
        """Do it on four connections, many times at once, until the time is over."""

        async def one(channel: grpc.aio.Channel) -> None:
            while self.goes_on:
                try:
                    await act(channel)
                    tried["done"] += 1
                except grpc.aio.AioRpcError as error:
                    tried[error.code().name] += 1
                except asyncio.InvalidStateError:
                    tried["FAILED"] += 1

        async with contextlib.AsyncExitStack() as stack:
            channels = [await stack.enter_async_context(self.channel()) for _ in range(4)]
            await asyncio.gather(*(one(channels[turn % 4]) for turn in range(AT_ONCE)))

    # --- a machine ---

    async def _stream(self, channel: grpc.aio.Channel, *frames: ConnectRequest) -> None:
        call = MachineServiceStub(channel).Connect()
        try:
            for frame in frames:
                await call.write(frame)
            answer = await asyncio.wait_for(call.read(), 5)
            if answer is grpc.aio.EOF:
                tried[(await call.code()).name] += 1
        except TimeoutError:
            tried["no_answer"] += 1
        finally:
            call.cancel()

    def _hello(self, machine_id: str) -> ConnectRequest:
        boot = f"b{self.dice.getrandbits(48):x}"
        return ConnectRequest(hello=wire.Hello(machine_id=machine_id, boot_id=boot))

    async def hellos(self, channel: grpc.aio.Channel) -> None:
        await self._stream(channel, self._hello(self.name))

    async def openings(self, channel: grpc.aio.Channel) -> None:
        call = MachineServiceStub(channel).Connect()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(call.initial_metadata(), 0.01)
        call.cancel()

    async def frames(self, channel: grpc.aio.Channel) -> None:
        fault = wire.Fault(code="EJB", detail="x" * 4_194_304)
        await self._stream(channel, self._hello(self.name), ConnectRequest(seq=1, fault=fault))

    async def others(self, channel: grpc.aio.Channel) -> None:
        await self._stream(channel, self._hello(self.other))

    async def renewals(self, channel: grpc.aio.Channel) -> None:
        made = csr.csr(csr.subject(self.name))
        stub = renewal_service_pb2_grpc.RenewalServiceStub(channel)
        await stub.Renew(RenewRequest(certificate_request=made), timeout=10)

    # --- a machine that speaks HTTP/2 by itself ---

    async def by_hand(self, says: Callable[[int], bytes]) -> None:
        """Open connections and say that on them, stream after stream, without reading."""

        async def one() -> None:
            while self.goes_on:
                try:
                    await self._connection(says)
                except OSError:
                    tried["cut"] += 1
                await asyncio.sleep(0.05)

        await asyncio.gather(*(one() for _ in range(4)))

    async def _connection(self, says: Callable[[int], bytes]) -> None:
        context = ssl.create_default_context(cafile=self.folder / "root.pem")
        context.check_hostname = False
        context.load_cert_chain(
            self.folder / f"{self.name}.pem", self.folder / f"{self.name}_key.pem"
        )
        context.set_alpn_protocols(["h2"])
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        tried["connections"] += 1
        heard = asyncio.create_task(reader.read(2**16))
        try:
            # A window of nothing: whoever answers is never read.
            shut = (4).to_bytes(2, "big") + bytes(4)
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, shut))
            for turn in range(200):
                if not self.goes_on or writer.is_closing() or reader.at_eof():
                    break
                writer.write(says(1 + 2 * turn))
                tried["streams"] += 1
                async with asyncio.timeout(5):
                    await writer.drain()
                await asyncio.sleep(0.02)
        except TimeoutError:
            tried["stuck"] += 1
        finally:
            heard.cancel()
            writer.transport.abort()

    def bomb(self, stream: int) -> bytes:
        """A head of 16 kB that names one long field thousands of times."""
        long = _literal(b"x-long", b"y" * 3_900, index=True)
        return _frame(1, 4, stream, _head() + long + b"\xbe" * 12_000)

    def talk(self, stream: int) -> bytes:
        """A stream with a Hello and faults, whose answers nobody reads."""
        said = [self._hello(self.name)]
        said += [ConnectRequest(seq=seq, reader_enable=wire.ReaderEnable()) for seq in range(1, 20)]
        whole = b"".join(_message(one.SerializeToString()) for one in said)
        return _frame(1, 4, stream, _head()) + _frame(0, 0, stream, whole)

    # --- a person ---

    async def person(self) -> None:
        """Call everything, again and again: mostly the largest answers."""
        needed, reads = roles_of(services.FILES), looks_of(services.FILES)
        methods = [
            method
            for file in services.FILES
            for service in file.services_by_name.values()
            for method in service.methods
        ]
        looks = [one for one in methods if _path(one) in reads]
        changes = [one for one in methods if _path(one) in needed.keys() - reads]
        count = 0

        async def act(channel: grpc.aio.Channel) -> None:
            nonlocal count
            count += 1
            method = self.dice.choice(looks if self.dice.random() < 0.7 else changes)
            request = _filled(method, self.name, self.other, count)
            make = channel.unary_stream if method.server_streaming else channel.unary_unary
            call: Any = make(
                _path(method),
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=len,
            )(request, timeout=10)
            if method.server_streaming:
                await call.read()
                call.cancel()
            else:
                size = await call  # others count meanwhile
                tried["bytes"] += size

        await self.again_and_again(act)


def _path(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def _filled(method: MethodDescriptor, name: str, machine_id: str, count: int) -> Any:
    """A request for as much as can be had; of a change, a new one each time."""
    request: Any = GetMessageClass(method.input_type)()
    new = f"x-{name}-{count}"
    values: dict[str, Any] = {
        "page_size": 1_000,
        "reason": "y" * 500,
        "request_id": new,
        "machine_id": machine_id if method.name != "RegisterMachine" else f"X{count}-{name}"[:32],
        "currency": "HKD",
        "country_code": "HK",
        "store_name": "z" * 60,
        "address": "1 Queens Road Central, Hong Kong",
        "mode": 1,
    }
    if method.name.startswith("List"):
        values = {"page_size": 1_000}  # of all, and not of one machine
    for field in request.DESCRIPTOR.fields:
        value = values.get(field.name)
        if value is not None and not field.is_repeated and field.message_type is None:
            with contextlib.suppress(TypeError, ValueError):
                setattr(request, field.name, value)
    if method.name == "RegisterMachine":
        request.columns.add(column="A1", product="Cola", price_minor=850, capacity=9, stock=9)
    return request


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    parts = [content[at : at + 16_384] for at in range(0, len(content), 16_384)] or [b""]
    framed = b""
    for number, part in enumerate(parts):
        as_kind = kind if number == 0 or kind == 0 else 9
        as_flags = flags if number == len(parts) - 1 else 0
        framed += len(part).to_bytes(3, "big") + bytes([as_kind, as_flags])
        framed += stream.to_bytes(4, "big") + part
    return framed


def _literal(name: bytes, value: bytes, *, index: bool = False) -> bytes:
    return bytes([0x40 if index else 0]) + _sized(name) + _sized(value)


def _sized(text: bytes) -> bytes:
    if len(text) < 127:
        return bytes([len(text)]) + text
    left, said = len(text) - 127, bytearray([127])
    while left >= 128:
        said.append(left % 128 + 128)
        left //= 128
    return bytes([*said, left]) + text


def _head() -> bytes:
    fields = {
        b":method": b"POST",
        b":scheme": b"https",
        b":path": b"/gateway.v1.MachineService/Connect",
        b":authority": b"localhost",
        b"te": b"trailers",
        b"content-type": b"application/grpc",
    }
    return b"".join(_literal(name, value) for name, value in fields.items())


def _message(content: bytes) -> bytes:
    return b"\0" + len(content).to_bytes(4, "big") + content


MACHINES = ("hellos", "openings", "frames", "others", "slow", "headers", "renewals")
PEOPLE = tuple(role.value for role in Role)


async def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=[*MACHINES, "person"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--other", default="")
    parser.add_argument("--folder", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    asked = parser.parse_args()
    os.nice(19)  # in life they are other computers, whose work is not ours
    insider = Insider(asked)
    if asked.kind == "person":
        await insider.person()
    elif asked.kind == "slow":
        await insider.by_hand(insider.talk)
    elif asked.kind == "headers":
        await insider.by_hand(insider.bomb)
    else:
        await insider.again_and_again(getattr(insider, asked.kind))
    print(json.dumps(tried))


if __name__ == "__main__":
    asyncio.run(main())
