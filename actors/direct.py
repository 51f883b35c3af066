"""The short way between a gateway and a host on the same computer: a Unix socket.

Flows in: the gateway's calls, each a method's name and its arguments. Flows out: their answers, in
any order. A call costs a thirtieth of one through Ray (docs/performance.md), which still places the
host, starts it again and tells where its socket is. The socket lies in a folder that only its owner
may enter. A connection that ends breaks every call on it: what arrived is unknown.

A frame is four bytes of length and msgpack: ``[number, method, [argument, ...]]`` one way, and
``[number, done, value]`` the other, where the value is the answer or what went wrong.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import msgspec
import structlog

from actors.link import LinkBroken

log = structlog.get_logger()

Value = str | int | bytes
Method = Callable[..., Awaitable[Value]]

FRAME_BYTES_MAX = 268_435_456
"""No batch and no delivery is so large; who sends more is cut off."""
CALLS_MAX = 256
"""Calls of one gateway that are under way; with one more it is cut off."""
_CONNECT_AGAIN_S = 0.02
_LENGTH_BYTES = 4

_encode = msgspec.msgpack.Encoder().encode
_call_decoder = msgspec.msgpack.Decoder(tuple[int, str, list[Any]])
_answer_decoder = msgspec.msgpack.Decoder(tuple[int, bool, Any])


class _Frames(asyncio.Protocol):
    """One end of a connection: whole frames in, whole frames out."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()

    @property
    def open(self) -> bool:
        """Whether the connection is there."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the end is the end
        self._transport = None
        self.lost()

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        while len(received) >= _LENGTH_BYTES:
            size = int.from_bytes(received[:_LENGTH_BYTES])
            if size > FRAME_BYTES_MAX:
                self.cut_off("a frame is too large")
                return
            if len(received) < _LENGTH_BYTES + size:
                return
            frame = bytes(memoryview(received)[_LENGTH_BYTES : _LENGTH_BYTES + size])
            del received[: _LENGTH_BYTES + size]
            try:
                self.came(frame)
            except msgspec.DecodeError as error:
                self.cut_off(f"a frame cannot be read: {error}")
                return

    def send(self, frame: bytes) -> None:
        """Send one frame, if anybody is there."""
        if self._transport is not None:
            self._transport.write(len(frame).to_bytes(_LENGTH_BYTES) + frame)

    def cut_off(self, reason: str) -> None:
        """End the connection."""
        if self._transport is not None:
            if reason:
                log.warning("a direct connection is cut off", reason=reason)
            self._transport.abort()

    def came(self, frame: bytes) -> None:
        """Take one frame. Raises DecodeError."""
        raise NotImplementedError

    def lost(self) -> None:
        """The connection is gone."""
        raise NotImplementedError


class _Served(_Frames):
    """A gateway's connection, at the host."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        super().__init__()
        self._methods = methods
        self._calls: set[asyncio.Task[None]] = set()

    def came(self, frame: bytes) -> None:
        number, method, arguments = _call_decoder.decode(frame)
        if len(self._calls) >= CALLS_MAX:
            self.cut_off("too many calls at once")
            return
        call = asyncio.get_running_loop().create_task(self._answer(number, method, arguments))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    def lost(self) -> None:
        for call in self._calls:
            call.cancel()  # nobody is there to be answered

    async def _answer(self, number: int, method: str, arguments: list[Value]) -> None:
        try:
            answer = (number, True, await self._methods[method](*arguments))
        except LinkBroken as broken:
            answer = (number, False, str(broken))
        except Exception as error:
            log.exception("a call failed", method=method)
            answer = (number, False, f"{type(error).__name__}: {error}")
        self.send(_encode(answer))


class DirectServer:
    """A host's socket. ``close`` ends it and all connections to it."""

    def __init__(
        self, server: asyncio.Server, connections: set[_Served], file: os.stat_result
    ) -> None:
        self._server = server
        self._connections = connections
        self._file = file

    @classmethod
    async def open(cls, path: Path, methods: Mapping[str, Method]) -> "DirectServer":
        """Answer calls of these methods at ``path``; a socket that another process left there is
        replaced. Raises OSError.
        """
        connections: set[_Served] = set()

        def connected() -> _Served:
            connections.difference_update([each for each in connections if not each.open])
            connections.add(served := _Served(methods))
            return served

        server = await asyncio.get_running_loop().create_unix_server(connected, path)
        return cls(server, connections, os.lstat(path))

    def is_at(self, path: Path) -> bool:
        """Whether who connects to ``path`` comes here: not if the file was removed or replaced."""
        try:
            return os.path.samestat(self._file, os.lstat(path))
        except OSError:
            return False

    def close(self) -> None:
        """Take no more, and end what is open."""
        self._server.close()
        for connection in self._connections:
            connection.cut_off("")


class _Calls(_Frames):
    """A connection to a host, at the gateway."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = 0
        self._waiting: dict[int, asyncio.Future[Value]] = {}

    async def call(self, method: str, arguments: tuple[Value, ...]) -> Value:
        self._numbers += 1
        number = self._numbers
        answer: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self.send(_encode((number, method, arguments)))
            return await answer
        finally:
            del self._waiting[number]

    def came(self, frame: bytes) -> None:
        number, done, value = _answer_decoder.decode(frame)
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():
            return  # its caller has given up, and the link with it
        if done:
            waiting.set_result(value)
        else:
            waiting.set_exception(LinkBroken(str(value)))

    def lost(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LinkBroken("the connection ended"))


class DirectClient:
    """Calls to the host whose socket is at ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: _Calls | None = None

    async def call(self, method: str, *arguments: Value, anew: bool = False) -> Value:
        """Return the host's answer. Raises LinkBroken if it refuses, or the connection ends, or
        there is none; with ``anew`` it is waited for.
        """
        connection = self._connection
        if connection is None or not connection.open:
            if not anew:
                raise LinkBroken("there is no connection")
            try:
                connection = self._connection = await self._connect()
            except OSError as error:  # no descriptor is free, say
                raise LinkBroken(f"{self._path} cannot be connected to: {error}") from error
        return await connection.call(method, arguments)

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._connection is not None:
            self._connection.cut_off("")
            self._connection = None

    async def _connect(self) -> _Calls:
        """Return a connection, however long the host takes to come (back). Raises OSError."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(FileNotFoundError, ConnectionRefusedError):
                _, connection = await loop.create_unix_connection(_Calls, str(self._path))
                return connection
            await asyncio.sleep(_CONNECT_AGAIN_S)
