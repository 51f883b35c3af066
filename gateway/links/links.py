"""All hosts, seen from a gateway: which machine goes to which, over one link to each.

Flows in: machines, wake-ups for saved notifications, administrators' commands; what SQL and the
hosts say of partitions that move. Flows out: the way to a machine's host, wherever it is. Routing
is a hint; what makes it safe for money is the epoch that each commit proves.
"""

import asyncio
import random as random_module
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from actors.leases import Standing
from actors.link import (
    MOVED,
    AdminEvent,
    CommandDone,
    Commanded,
    Figure,
    HostLink,
    Notified,
    PartitionsMoved,
    Reload,
)
from actors.machine.ids import MachineId
from actors.placement import host_of, partition_of, place_of
from actors.ports import InboxItem
from gateway.links.batched_link import BatchedLink, LinkLimits
from gateway.links.commands import HostUnavailable
from gateway.links.following import Follower, Look
from gateway.links.linked import LinkStats
from gateway.links.ways import Way
from gateway.process.works import process_works

_MOVED_AGAIN_S = 0.1


class HostLinks:
    """The links to all hosts of the layout, in its order. Open between ``start`` and ``stop``;
    streams may come before that.

    ``look`` asks SQL where partitions are, and ``open_link`` makes the link to a host that the
    layout did not have before; without them the hosts are these for ever.
    """

    def __init__(
        self,
        links: Sequence[HostLink],
        *,
        gateway_id: str,
        partition_count: int,
        limits: LinkLimits | None = None,
        random: Callable[[], float] = random_module.random,
        look: Look | None = None,
        open_link: Callable[[int], HostLink] | None = None,
    ) -> None:
        if not links:
            raise ValueError("at least one host is needed")
        self._gateway_id = gateway_id
        self._partition_count = partition_count
        self._limits = limits or LinkLimits()
        self._random = random
        self._open_link = open_link
        self._commands_made = 0
        self._started = False
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._follower = None if look is None else Follower(look, self.follow)
        self._following: asyncio.Task[None] | None = None
        self._links = [self._linked(host, link) for host, link in enumerate(links)]
        self._ways = [
            Way(self._links[host_of(number, len(links))], partial(self._is_of, number))
            for number in range(partition_count)
        ]

    async def start(self) -> None:
        """Begin to attach to every host, and keep attached; returns at once."""
        self._started = True
        for host in range(len(self._links)):
            self._run(host)
        if self._follower is not None:
            self._following = process_works().begin("links-follow", self._follower.run)

    async def stop(self) -> None:
        """Let hosts hear what is queued (streams that closed), for a bounded time, and close the
        links.
        """
        if self._tasks:
            await asyncio.gather(*(link.flushed() for link in self._links))
        tasks = [*self._tasks.values(), *self._closing]
        if self._following is not None:
            tasks.append(self._following)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks, self._following, self._started = {}, None, False

    def of(self, machine_id: MachineId) -> Way:
        """Return the way to the machine's host, which is the same one as long as this lives,
        wherever it leads.
        """
        return self._ways[partition_of(machine_id, self._partition_count)]

    def notify(self, item: InboxItem) -> None:
        """Wake the machine's actor: a notification was saved. May be lost."""
        self.of(item.machine_id).notify(Notified(item=item))

    async def command(
        self, machine_id: MachineId, event: AdminEvent | Reload, *, timeout_s: float = 10.0
    ) -> CommandDone:
        """Have the machine's actor decide on an administrator's act; returns once it is saved. A
        machine that is on its way to another host is asked there. Raises HostUnavailable.
        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        while True:
            self._commands_made += 1
            command_id = f"{self._gateway_id}-c{self._commands_made}"
            message = Commanded(machine_id=machine_id, command_id=command_id, event=event)
            left_s = max(0.0, until_s - loop.time())
            done = await self.of(machine_id).command(message, timeout_s=left_s)
            if done.refusal != MOVED:
                return done
            if loop.time() + _MOVED_AGAIN_S >= until_s:
                raise HostUnavailable("the machine is on its way to another host", sent=False)
            await asyncio.sleep(_MOVED_AGAIN_S)

    # --- where the hosts are ---

    def follow(self, standing: Standing) -> bool:
        """Go by what SQL says; return whether everything is where the layout has it, and every host
        attached to.
        """
        host_count = standing.host_count or len(self._links)
        places = {number: place_of(held.owner) for number, held in standing.held.items()}
        known = {place for place in places.values() if place is not None}
        self._open(max([host_count, *(place + 1 for place in known)]))
        for number, place in places.items():
            if place is not None and place < len(self._links):
                self._ways[number].lead(self._links[place])
        self._close_above(host_count)
        return self.attached and all(
            place == host_of(number, host_count) for number, place in places.items()
        )

    def _told(self, host: int, moved: PartitionsMoved) -> None:
        if host < len(self._links):
            link = self._links[host]
            for way in self._ways_of(moved.left):
                way.left(link)
            for way in self._ways_of(moved.gained):
                way.gained(link)
        if self._follower is not None:
            self._follower.ask()

    def _ways_of(self, numbers: Iterable[int]) -> list[Way]:
        return [self._ways[number] for number in numbers if number < len(self._ways)]

    def _open(self, wanted: int) -> None:
        while self._open_link is not None and len(self._links) < wanted:
            host = len(self._links)
            self._links.append(self._linked(host, self._open_link(host)))
            if self._started:
                self._run(host)

    def _close_above(self, host_count: int) -> None:
        """Close the links to hosts that the layout has no more, once no way leads there."""
        while self._open_link is not None and len(self._links) > host_count:
            last = self._links[-1]
            if any(way.link is last for way in self._ways):
                return
            self._links.pop()
            task = self._tasks.pop(len(self._links), None)
            if task is not None:
                task.cancel()
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    def _linked(self, host: int, link: HostLink) -> BatchedLink:
        return BatchedLink(
            link,
            host=host,
            gateway_id=self._gateway_id,
            limits=self._limits,
            random=self._random,
            told=self._told,
        )

    def _run(self, host: int) -> None:
        self._tasks[host] = process_works().begin("link", self._links[host].run)

    def _is_of(self, number: int, machine_id: MachineId) -> bool:
        return partition_of(machine_id, self._partition_count) == number

    # --- how they are doing ---

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
