"""A pretend Alipay on a real port."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from alipay_client.simulator.app import build
from alipay_client.simulator.config import SimulatorConfig
from alipay_client.simulator.control import CUT, application

_GRACE_S = 1


async def serve(
    config: SimulatorConfig,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    book_path: Path | None = None,
    ready: Callable[[str], None],
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT, SIGQUIT or SIGHUP, until ``stop`` is set, or until cancelled;
    all end within two seconds.

    ``ready`` gets the base URL once the server listens; port 0 lets the system choose. With
    ``stop`` given no signal is touched, so that a larger program can keep its own. OSError: it
    cannot bind. ValueError: a key is missing.
    """
    alipay = build(config, book_path)
    try:
        with ExitStack() as stack:
            listener = stack.enter_context(_listener(host, port))
            server = _Server(
                uvicorn.Config(
                    application(alipay),
                    http=_CuttableProtocol,
                    ws="none",
                    lifespan="off",
                    log_config=None,
                    log_level="critical",
                    access_log=False,
                    server_header=False,
                    limit_concurrency=config.limits.connections_max,
                    timeout_graceful_shutdown=_GRACE_S,
                ),
                started=lambda: ready(_url(listener)),
            )
            if stop is None:
                stop = asyncio.Event()
                stack.enter_context(_signals(stop.set))
            async with alipay.running():
                await _until(server, listener, stop)
    finally:
        await alipay.close()


async def _until(server: "_Server", listener: socket.socket, stop: asyncio.Event) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Leaves signals alone, and tells when it listens."""

    def __init__(self, config: uvicorn.Config, *, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell_started = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell_started()


class _CuttableProtocol(H11Protocol):
    """Lets a request end its connection without a byte: the fault that matters most around
    money.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: Any = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, CUT: self._cut}, _loop)

    def _cut(self) -> None:
        self.transport.abort()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2_048)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let every signal that asks for an end stop the server; only the main thread can listen. A
    SIGHUP that is ignored (nohup) stays ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    heard = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heard.append(signal.SIGHUP)
    for number in heard:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
