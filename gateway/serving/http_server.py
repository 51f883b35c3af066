"""Serves an HTTP app on a socket that is bound already, on the gateway's own loop. Touches no
signal and no log configuration.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp

from gateway.process.addresses import cannot_listen, opened
from gateway.process.sections import Address
from gateway.process.works import process_works
from gateway.rpc.limits import HttpLimits
from gateway.serving.http_door import HttpConnection, HttpDoor

_STOP_GRACE_S = 5
_DATE_EVERY_S = 1.0
_BACKLOG = 4_096
"""Callers that wait in the kernel; with fewer places a crowd would cost others seconds."""


def bind(address: Address, *, setting: str) -> socket.socket:
    """Bind and listen, so that the port is known before anything else starts. ``setting`` names
    the address. Raises ListenRefused.
    """
    try:
        listener = opened(address, backlog=_BACKLOG)
    except OSError as error:
        raise cannot_listen(address, setting=setting, error=error) from None
    listener.setblocking(False)
    return listener


def port_of(listener: socket.socket) -> int:
    """Return the port that the system chose."""
    port: int = listener.getsockname()[1]
    return port


class _Server(uvicorn.Server):
    """Leaves signals to the gateway and accepting to the door, and tells when it serves. ``leave``
    ends it.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()
        self._leaving = asyncio.Event()

    def leave(self) -> None:
        """Let requests under way finish, and ``serve`` return."""
        self.should_exit = True
        self._leaving.set()

    async def main_loop(self) -> None:
        """Write the date of answers anew each second. Uvicorn looks ten times a second whether it
        should go, at each port, on the loop on which machines sell; here it is told.
        """
        while not await self.on_tick(0):
            with suppress(TimeoutError):
                async with asyncio.timeout(_DATE_EVERY_S):
                    await self._leaving.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()


@asynccontextmanager
async def served(
    app: ASGIApp,
    listener: socket.socket,
    *,
    limits: HttpLimits,
    ended: Callable[[str], None],
    made: type[HttpConnection] = HttpConnection,
    now: Callable[[], float] = time.monotonic,
    tls: Callable[[], ssl.SSLContext] | None = None,
) -> AsyncIterator[HttpDoor]:
    """Serve ``app`` while the block lasts; requests under way may finish, for some seconds.
    ``ended`` is told of each connection that the door ends or refuses. ``now``: seconds, for spans.
    ``tls``: asked at each connection.
    """
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=limits.keep_alive_s,
        timeout_graceful_shutdown=_STOP_GRACE_S,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[]), name="http")
    serving = asyncio.create_task(server.serving.wait())
    await asyncio.wait([running, serving], return_when=asyncio.FIRST_COMPLETED)
    door = HttpDoor(
        listener,
        limits=limits,
        make=lambda door: made(config, server.server_state, door=door),
        ended=ended,
        now=now,
        tls=tls,
    )
    accepting = process_works().begin("http-door", door.run)
    try:
        if running.done():
            await running
        yield door
    finally:
        serving.cancel()
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        listener.close()
        server.leave()
        await running
