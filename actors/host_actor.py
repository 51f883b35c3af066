"""What lives in a Ray worker: a host, built there, behind methods that take and give blocks of
bytes.

Flows in: the dotted name of the function that builds the host's services, from an argument and the
host's name; then gateways' calls,
through Ray or, from the same computer, through a socket. Flows out: their answers. It ends its
process when the host must not go on. Knows no Ray: to Ray it is a class whose methods are called
from elsewhere.
"""

import asyncio
import importlib
import os
import platform
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

import structlog

from actors import blocks, collector
from actors.direct import DirectServer, Method
from actors.host.host import Host
from actors.host.services import HostLimits, HostServices
from actors.leases import Ended
from actors.link import LinkBroken

log = structlog.get_logger()

_BUILD_AGAIN_S = 5.0
_LOOK_AT_SOCKET_EVERY_S = 1.0
_STARTED_WITHIN_S = 6.0
"""An attach waits this long for a host that is starting; a gateway waits longer for its answer."""
_EXIT_SUPERSEDED = 75
_ATTACHMENTS_MAX = 1_024
"""Of so many the version is remembered; who is older is spoken to as the oldest."""


def another_version(name: str, *, host: int, gateway: int) -> str:
    """Return why a host and a gateway cannot speak, and what to do."""
    if host < gateway:
        return (
            f"{name} speaks version {host} of the link and this gateway version {gateway}: replace "
            "the hosts first ('vendgate hosts replace', with the program that this gateway runs)"
        )
    return (
        f"{name} speaks version {host} of the link and this gateway version {gateway}: "
        "end the gateway and start it again from the program that the host runs"
    )


def node_name() -> str:
    """Return where this process is, for people: the computer's name and the process's number."""
    return f"{platform.node()[:96]}/{os.getpid()}"


class HostActor:
    """The Ray actor's class: a host, and what Ray needs to know of it. ``index`` is its place in
    the layout, which has ``host_count`` hosts if the database does not say how many. ``home``: the
    place that replaces it when it dies; ``socket``: where it also answers directly, None: it does
    not. ``ended`` tells it when the process of another host of its place has ended.
    """

    def __init__(
        self,
        *,
        name: str,
        index: int,
        host_count: int,
        factory: str,
        factory_argument: str,
        limits: HostLimits | None,
        home: str,
        socket: Path | None = None,
        ended: Ended | None = None,
    ) -> None:
        self._name = name
        self._index = index
        self._host_count = host_count
        self._limits = limits
        self._home = home
        self._socket = socket
        self._ended = ended
        self._server: DirectServer | None = None
        self._host: Host | None = None
        self._services: HostServices | None = None
        self._versions: dict[str, int] = {}
        self._failure = ""
        self._known = asyncio.Event()
        self._started = asyncio.Event()
        collector.loading()
        # Ray makes async actors on their loop, so the host lives from here on, whether anybody
        # calls or not.
        self._life = asyncio.get_running_loop().create_task(self._live(factory, factory_argument))
        self._door = asyncio.get_running_loop().create_task(self._keep_socket())

    async def _keep_socket(self) -> None:
        """Answer at the socket, and open it again when it cannot be opened or its file has gone: a
        gateway that comes back finds the host nowhere else.
        """
        if self._socket is None:
            return
        methods: dict[str, Method] = {
            "attach": self.attach,
            "exchange": self.exchange,
            "listen": self.listen,
            "figures": self.figures,
        }
        while True:
            if self._server is None or not self._server.is_at(self._socket):
                try:
                    server = await DirectServer.open(self._socket, methods)
                except OSError as error:
                    log.warning("the host's socket cannot be opened", detail=str(error))
                else:
                    if self._server is not None:
                        log.warning("the host's socket had gone, and is there again")
                        self._server.close()
                    self._server = server
            await asyncio.sleep(_LOOK_AT_SOCKET_EVERY_S)

    async def _live(self, factory: str, argument: str) -> None:
        while self._services is None:
            try:
                self._services = await _build(factory, argument, self._name)
            except Exception as error:
                log.exception("the host's services cannot be built", host=self._name)
                self._failure = f"{type(error).__name__}: {error}"
                self._known.set()
                await asyncio.sleep(_BUILD_AGAIN_S)
        self._failure = ""
        host = Host(
            name=self._name,
            services=self._services,
            partitions=(),
            place=self._index,
            limits=self._limits,
            on_fatal=_die,
            home=self._home,
            host_count=self._host_count,
            node=node_name(),
            ended=self._ended,
        )
        self._host = host
        self._known.set()
        # Its last long pass comes before there are machines, which would wait for it.
        with collector.seldom():
            try:
                await host.start()
            except Exception as error:
                log.exception("the host cannot start", host=self._name)
                await asyncio.sleep(_BUILD_AGAIN_S)
                _die(f"{type(error).__name__}: {error}")
            self._started.set()
            await asyncio.Event().wait()  # Until it is stopped.

    async def hello(self) -> tuple[int, int, int, int, int]:
        """Return the process's id, the number of hosts that it was made for, the version of the
        link, 1 if it owns its machines now, else 0, and the oldest version that it speaks with.
        RuntimeError: the services cannot be built, and why.
        """
        await self._known.wait()
        if self._failure:
            raise RuntimeError(self._failure)
        serves = self._host is not None and self._host.serves
        return os.getpid(), self._host_count, blocks.VERSION, int(serves), blocks.OLDEST

    async def started(self) -> None:
        """Return once the host owns its machines."""
        await self._started.wait()

    async def is_another(self, holder: str, within_s: float) -> bool:
        """Return at once True if this is another start of the host than ``holder``; else False
        after this time: who waits for that hears from Ray when the process ends. A call has its
        place among all of this host until it returns, also when its caller has gone.
        """
        same = self._host is not None and self._host.holder == holder
        if same:
            await asyncio.sleep(within_s)
        return not same

    async def attach(self, gateway_id: str, version: int) -> str:
        """See HostLink. A host that is just starting is waited for; a gateway is refused that
        speaks a newer version of the link, or one that is too old.
        """
        if not blocks.OLDEST <= version <= blocks.VERSION:
            raise LinkBroken(another_version(self._name, host=blocks.VERSION, gateway=version))
        if not self._failure:
            with suppress(TimeoutError):
                async with asyncio.timeout(_STARTED_WITHIN_S):
                    await self._started.wait()
        attachment = await self._link().attach(gateway_id)
        self._versions[attachment] = version
        if len(self._versions) > _ATTACHMENTS_MAX:
            del self._versions[next(iter(self._versions))]
        return attachment

    async def exchange(self, attachment: str, batch: bytes) -> bytes:
        """See HostLink and blocks."""
        messages = blocks.unpack_batch(batch)
        delivery = await self._link().exchange(attachment, messages)
        return blocks.pack_delivery(delivery, version=self._version_of(attachment))

    async def listen(self, attachment: str) -> bytes:
        """See HostLink and blocks."""
        delivery = await self._link().listen(attachment)
        return blocks.pack_delivery(delivery, version=self._version_of(attachment))

    async def figures(self) -> bytes:
        """See HostLink and blocks."""
        return blocks.pack_figures(await self._link().figures())

    async def stop(self) -> None:
        """Stop the host in order; the process is ended from outside."""
        self._life.cancel()
        self._door.cancel()
        if self._server is not None:
            self._server.close()
        if self._host is not None:
            await self._host.stop()
        if self._services is not None:
            await self._services.close()

    def _version_of(self, attachment: str) -> int:
        return self._versions.get(attachment, blocks.OLDEST)

    def _link(self) -> Host:
        if self._host is None:
            raise LinkBroken(self._failure or "the host is starting")
        return self._host


async def _build(factory: str, argument: str, name: str) -> HostServices:
    module, _, function = factory.partition(":")
    build = cast(
        "Callable[[str, str], Awaitable[HostServices]]",
        getattr(importlib.import_module(module), function),
    )
    return await build(argument, name)


def _die(reason: str) -> None:
    """End a process that owns nothing any more. Ray starts another one if, and only if, it still
    wants this actor.
    """
    log.error("host process exits", reason=reason)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_EXIT_SUPERSEDED)
