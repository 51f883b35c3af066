"""All hosts, seen from a gateway: which machine goes to which, and one pump for each.

Flows in: streams that open and close, their frames, wake-ups for saved notifications,
administrators' commands. Flows out: what hosts say, to the stream or the caller it is for. Routing
is a hint; what makes it safe for money is the epoch that each commit proves.
"""

import asyncio
import random as random_module
from collections.abc import Callable, Sequence

import structlog

from actors.link import AdminEvent, CloseReason, CommandDone, Commanded, HostLink, Notified, Reload
from actors.machine.events import FrameReceived
from actors.machine.ids import MachineId
from actors.placement import host_of, partition_of
from actors.ports import InboxItem
from gateway.links.pump import HostPump
from gateway.links.terms import HostUnavailable, LinkedStream, LinkLimits, LinkStats

__all__ = ["HostLinks", "HostUnavailable", "LinkLimits", "LinkStats", "LinkedStream"]

logger = structlog.get_logger()

_KNOWN_TO_THE_HOST = {
    CloseReason.SUPERSEDED,
    CloseReason.UNKNOWN_MACHINE,
    CloseReason.RETIRED,
}


class HostLinks:
    """The links to all hosts of the layout, in its order. Open between ``start`` and ``stop``;
    streams may come before that.
    """

    def __init__(
        self,
        links: Sequence[HostLink],
        *,
        gateway_id: str,
        partition_count: int,
        limits: LinkLimits | None = None,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        if not links:
            raise ValueError("at least one host is needed")
        self._gateway_id = gateway_id
        self._partition_count = partition_count
        self._commands_made = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._pumps = [
            HostPump(
                link, host=host, gateway_id=gateway_id, limits=limits or LinkLimits(), random=random
            )
            for host, link in enumerate(links)
        ]

    async def start(self) -> None:
        """Begin to attach to every host, and go on for ever; returns at once."""
        self._tasks = [
            asyncio.create_task(pump.run(), name=f"link-{host}")
            for host, pump in enumerate(self._pumps)
        ]

    async def stop(self) -> None:
        """Let hosts hear what is queued (streams that closed), for a bounded time, and close the
        links.
        """
        if self._tasks:
            await asyncio.gather(*(pump.flushed() for pump in self._pumps))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def open_stream(self, stream: LinkedStream) -> None:
        """Tell the machine's host that a stream said Hello."""
        self._pump(stream.machine_id).open_stream(stream)

    def close_stream(self, stream: LinkedStream, reason: str = "") -> None:
        """Tell the machine's host that a stream is gone; does nothing for one that was never
        opened.
        """
        if stream.connected is not None:
            self._pump(stream.machine_id).close_stream(
                stream, reason, tell=reason not in _KNOWN_TO_THE_HOST
            )

    def submit(self, stream: LinkedStream, frame: FrameReceived) -> None:
        """Give the machine's host a frame of an open stream."""
        self._pump(stream.machine_id).submit(stream, frame)

    async def room(self, stream: LinkedStream) -> None:
        """Return once the queue to the machine's host has room; until then no more should be read
        from the stream.
        """
        await self._pump(stream.machine_id).room()

    def notify(self, item: InboxItem) -> None:
        """Wake the machine's actor: a notification was saved. May be lost."""
        self._pump(item.machine_id).notify(Notified(item=item))

    async def command(
        self, machine_id: MachineId, event: AdminEvent | Reload, *, timeout_s: float = 10.0
    ) -> CommandDone:
        """Have the machine's actor decide on an administrator's act; returns once it is saved.
        Raises HostUnavailable.
        """
        self._commands_made += 1
        command_id = f"{self._gateway_id}-c{self._commands_made}"
        message = Commanded(machine_id=machine_id, command_id=command_id, event=event)
        return await self._pump(machine_id).command(message, timeout_s=timeout_s)

    def stats(self) -> list[LinkStats]:
        """Return how each link is doing."""
        return [pump.stats() for pump in self._pumps]

    def _pump(self, machine_id: MachineId) -> HostPump:
        return self._pumps[
            host_of(partition_of(machine_id, self._partition_count), len(self._pumps))
        ]
