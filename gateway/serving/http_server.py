"""Serves the HTTP app on a socket that is bound already, on the gateway's own loop. Touches no
signal and no log configuration.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette

from gateway.process.sections import Address

CONNECTIONS_MAX = 1_024
"""So many connections; a further one gets 503 from the server itself."""
_STOP_GRACE_S = 5
_KEEP_ALIVE_S = 30
_BACKLOG = 512


def bind(address: Address) -> socket.socket:
    """Bind and listen, so that the port is known before anything else starts. Raises OSError."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


def port_of(listener: socket.socket) -> int:
    """Return the port that the system chose."""
    port: int = listener.getsockname()[1]
    return port


class _Server(uvicorn.Server):
    """Leaves signals to the gateway and tells when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()


@asynccontextmanager
async def served(app: Starlette, listener: socket.socket) -> AsyncIterator[None]:
    """Serve ``app`` while the block lasts; requests under way may finish, for some seconds."""
    server = _Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_STOP_GRACE_S,
        )
    )
    running = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    serving = asyncio.create_task(server.serving.wait())
    try:
        await asyncio.wait([running, serving], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            await running
        yield
    finally:
        serving.cancel()
        server.should_exit = True
        await running
