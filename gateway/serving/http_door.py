"""The door of one HTTP port: who gets in, and who has stood in it for too long.

Flows in: a socket that listens. Flows out: connections for uvicorn's own protocol. The door accepts
by itself, so that it can refuse before anything is made for a connection, and so that a process
without descriptors tries again after a moment instead of at once and for ever.

A connection holds a place. It gives it up when it brings no whole head in time, when it takes too
long over a request, and when the places are gone: then whoever has waited longest without being
answered goes, of the address that holds the most. So a stranger with a thousand connections crowds
out his own, and not Alipay's one.
"""

import asyncio
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import h11
import structlog
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.process.addresses import whoever_has
from gateway.rpc.https import certified_by
from gateway.rpc.limits import HttpLimits

log = structlog.get_logger()

ACCEPT_AGAIN_S = 0.5
"""After an accept for which there was no descriptor or no memory."""
LOOK_EVERY_S = 0.5


class HttpConnection(H11Protocol):
    """One connection, which knows since when it has been waiting."""

    def __init__(self, config: Config, state: ServerState, *, door: "HttpDoor") -> None:
        super().__init__(config, state, {})
        self._door = door
        self.address = ""
        self.since = door.now()
        """When it was opened, began to be answered, or was answered; whatever came last."""
        self._begun_at: float | None = None
        """When the first byte of a request came whose head is not whole yet."""
        self._asked = False
        """Whether a whole head came at least once."""

    @property
    def answering(self) -> bool:
        """Whether a request of it is being answered just now."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take its place. Each request of it knows whose certificate was shown."""
        secured = transport.get_extra_info("ssl_object")
        self.app_state = {"certified": {} if secured is None else certified_by(secured)}
        super().connection_made(transport)
        self._door.opened(self)
        # Where a page counts by address, it counts as this door does.
        self.app_state["address"] = self.address

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place up."""
        super().connection_lost(exc)
        self._door.closed(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and note when a head began."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._asked = True
            self.since = self._door.now()
        self._note_head()

    def on_response_complete(self) -> None:
        """The next request may come, or is here already."""
        self.since, self._begun_at = self._door.now(), None
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in self.headers}:
            # Where its body ends others may see otherwise: what follows could be another's request
            # (RFC 9112 6.1).
            self.transport.close()
        super().on_response_complete()
        self._note_head()

    def _should_upgrade(self) -> bool:
        """No request becomes anything else here, and who asks for it is answered as ever. The
        original's advice to install a library is for other programs.
        """
        return False

    def _note_head(self) -> None:
        """Note since when part of a head, or of a body that nobody wants, has been here."""
        nothing = self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        if self.answering or nothing:
            self._begun_at = None
        elif self._begun_at is None:
            self._begun_at = self._door.now()

    def overdue(self, now: float, limits: HttpLimits) -> str:
        """Return why it must go, in one word; empty if it may stay."""
        if self.answering:
            return "slow_request" if now - self.since > limits.request_timeout_s else ""
        if self._begun_at is not None:
            return "slow_head" if now - self._begun_at > limits.head_timeout_s else ""
        late = not self._asked and now - self.since > limits.head_timeout_s
        return "silent" if late else ""

    def drop(self) -> None:
        """End it at once."""
        self.transport.abort()


class HttpDoor:
    """Accepts for one listener while ``run`` runs. ``ended`` is told why, in one word, whenever the
    door itself ends or refuses a connection.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        limits: HttpLimits,
        make: Callable[["HttpDoor"], HttpConnection],
        ended: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self.now = now
        self._tls = tls
        self._shaking: dict[asyncio.Task[None], str] = {}
        """Connections whose TLS is being agreed upon, the oldest first, by their addresses: each
        holds a place by itself.
        """
        self._listener = listener
        self._limits = limits
        self._make = make
        self._ended = ended
        self._connections: dict[HttpConnection, None] = {}
        self._held: Counter[str] = Counter()
        """How many connections each address has."""

    def __len__(self) -> int:
        return len(self._connections)

    def __iter__(self) -> Iterator[HttpConnection]:
        return iter(self._connections)

    async def run(self) -> None:
        """Accept, and look at those who are in, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._accept())
            tasks.create_task(self._look_after())

    def opened(self, connection: HttpConnection) -> None:
        """A connection was made. While its TLS was agreed upon others may have taken its place."""
        connection.address = address_of(connection.client)
        if self._tls is not None and not self._admits(connection.address):
            self._ended("refused")
            connection.drop()
            return
        self._connections[connection] = None
        self._held[connection.address] += 1

    def closed(self, connection: HttpConnection) -> None:
        """A connection is gone."""
        if connection in self._connections:
            del self._connections[connection]
            self._held[connection.address] -= 1
            if not self._held[connection.address]:
                del self._held[connection.address]

    def look(self) -> None:
        """End every connection that has had its time."""
        now = self.now()
        for connection in tuple(self._connections):
            if why := connection.overdue(now, self._limits):
                self._end(connection, why)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(self._listener)
            except OSError as error:
                # No descriptor or no memory; the caller stays in the kernel's queue.
                log.warning("a connection could not be accepted", error=str(error))
                self._ended("no_descriptor")
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            if self._tls is None:
                await self._let_in(accepted, address_of(peer))
            else:
                # Who is slow at it must not keep others waiting.
                self._make_room_to_shake()
                address = address_of(peer)
                task = asyncio.create_task(self._let_in(accepted, address))
                self._shaking[task] = address
                task.add_done_callback(lambda done: self._shaking.pop(done, None))
            await asyncio.sleep(0)  # a flood must not keep the loop to itself

    async def _let_in(self, accepted: socket.socket, address: str) -> None:
        taken = False
        try:
            # A certificate that was renewed may be none that can be used.
            tls = None if self._tls is None else self._tls()
            if self._admits(address):
                loop = asyncio.get_running_loop()
                await loop.connect_accepted_socket(
                    lambda: self._make(self),
                    accepted,
                    ssl=tls,
                    ssl_handshake_timeout=self._limits.head_timeout_s if tls else None,
                )
                taken = True
            else:
                self._ended("refused")
        except OSError as error:  # it hung up in between, or speaks no TLS that we speak
            log.debug("a connection was gone at once", error=str(error))
        finally:
            if not taken:
                accepted.close()

    def _make_room_to_shake(self) -> None:
        """Have room for one more that agrees upon TLS: of the address with the most of them the one
        goes that has taken longest, so that silence there crowds out its own.
        """
        if len(self._shaking) < self._limits.handshakes_max:
            return
        ((most, _),) = Counter(self._shaking.values()).most_common(1)
        longest = next(task for task, address in self._shaking.items() if address == most)
        del self._shaking[longest]
        longest.cancel()
        self._ended("crowded_out")

    def _admits(self, address: str) -> bool:
        """Return whether there is a place for one more of this address; make one if need be."""
        if self._held[address] >= self._limits.connections_per_address_max:
            return self._make_room(one for one in self._connections if one.address == address)
        if len(self._connections) < self._limits.connections_max:
            return True
        most = max(self._held.values())
        return self._make_room(one for one in self._connections if self._held[one.address] == most)

    def _make_room(self, among: Iterable[HttpConnection]) -> bool:
        waiting = [one for one in among if not one.answering]
        if not waiting:
            return False
        self._end(min(waiting, key=lambda one: one.since), "crowded_out")
        return True

    def _end(self, connection: HttpConnection, why: str) -> None:
        self._ended(why)
        connection.drop()
        self.closed(connection)


def address_of(peer: Any) -> str:
    """Return the address that a peer's connections are counted under; ``peer`` is a socket's."""
    return whoever_has(str(peer[0])) if isinstance(peer, tuple) else str(peer)
