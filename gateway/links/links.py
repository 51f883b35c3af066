"""All hosts, seen from a gateway: which machine goes to which, over one link to each.

Flows in: machines, wake-ups for saved notifications, administrators' commands. Flows out: the link
to a machine's host. Routing is a hint; what makes it safe for money is the epoch that each commit
proves.
"""

import asyncio
import random as random_module
from collections.abc import Callable, Sequence

from actors.link import AdminEvent, CommandDone, Commanded, Figure, HostLink, Notified, Reload
from actors.machine.ids import MachineId
from actors.placement import host_of, partition_of
from actors.ports import InboxItem
from gateway.links.batched_link import BatchedLink, LinkLimits, LinkStats


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
        self._links = [
            BatchedLink(
                link, host=host, gateway_id=gateway_id, limits=limits or LinkLimits(), random=random
            )
            for host, link in enumerate(links)
        ]

    async def start(self) -> None:
        """Begin to attach to every host, and keep attached; returns at once."""
        self._tasks = [
            asyncio.create_task(link.run(), name=f"link-{host}")
            for host, link in enumerate(self._links)
        ]

    async def stop(self) -> None:
        """Let hosts hear what is queued (streams that closed), for a bounded time, and close the
        links.
        """
        if self._tasks:
            await asyncio.gather(*(link.flushed() for link in self._links))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def of(self, machine_id: MachineId) -> BatchedLink:
        """Return the link to the machine's host, which is the same one as long as this lives."""
        partition = partition_of(machine_id, self._partition_count)
        return self._links[host_of(partition, len(self._links))]

    def notify(self, item: InboxItem) -> None:
        """Wake the machine's actor: a notification was saved. May be lost."""
        self.of(item.machine_id).notify(Notified(item=item))

    async def command(
        self, machine_id: MachineId, event: AdminEvent | Reload, *, timeout_s: float = 10.0
    ) -> CommandDone:
        """Have the machine's actor decide on an administrator's act; returns once it is saved.
        Raises HostUnavailable.
        """
        self._commands_made += 1
        command_id = f"{self._gateway_id}-c{self._commands_made}"
        message = Commanded(machine_id=machine_id, command_id=command_id, event=event)
        return await self.of(machine_id).command(message, timeout_s=timeout_s)

    @property
    def attached(self) -> bool:
        """Whether every host is attached to."""
        return all(link.attached for link in self.stats())

    def sentences(self) -> list[str]:
        """Return a sentence for each host that cannot be reached, with what it said itself: one
        that waits for its machines says who has them.
        """
        return [
            f"host {link.host} is not attached: {link.broken}"
            for link in self.stats()
            if link.broken
        ]

    def stats(self) -> list[LinkStats]:
        """Return how each link is doing."""
        return [link.stats() for link in self._links]

    async def figures(self) -> list[Sequence[Figure] | None]:
        """Return what each host counted and timed, in the order of the layout; None for one that
        does not say so within some seconds.
        """
        return list(await asyncio.gather(*(link.figures() for link in self._links)))
