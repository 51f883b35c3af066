"""The hosts of a Ray cluster, from a gateway: what Ray tells of them, and how their number is
changed.

Flows in: Ray's actors, looked at every few seconds while its head is there; how many hosts there
shall be. Flows out: which hosts there are beside those that hold machines, on which node, and which
wait for one; hosts that stand ready, and the end of those that are too many. ``vendgate scale``
does the same from its own process (``gateway.links.scaling``).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import structlog

from actors.placement import HostProcess
from actors.ports import Clock, StoreError
from gateway.links.head import ClusterHead
from gateway.links.hosts import FACTORY, HostsFailed, ray_settings
from gateway.links.scaling import still, until_moved
from gateway.process.clock import process_clock
from gateway.process.settings import Settings
from gateway.process.works import process_works
from storage.machines.holding import SqlLeases

log = structlog.get_logger()

LOOK_EVERY_S = 10.0
FRESH_MS = 60_000
"""What Ray told longer ago is no figure any more."""
_AGAIN_S = 5.0
_NO_HEAD = "Ray's head is away, without which no host is made or found (/readyz says why)"

StandBy = Callable[[int, int], Awaitable[str]]
"""Return once the host of a place stands ready in a layout of so many."""
EndAbove = Callable[[int, Callable[[], Awaitable[None]]], AsyncIterator[str]]
"""End the hosts of places from this one on, each after it was asked whether that is still right."""


class ClusterHosts:
    """``told`` asks Ray, and blocks; ``away`` says whether its head is known to be away. ``known``:
    all hosts when it last answered; None: it never did.
    """

    def __init__(
        self,
        *,
        told: Callable[[], Sequence[HostProcess]],
        stand_by: StandBy,
        end_above: EndAbove,
        clock: Clock,
        away: Callable[[], bool] = lambda: False,
        spares: bool = True,
    ) -> None:
        self._told = told
        self._stand_by = stand_by
        self._end_above = end_above
        self._clock = clock
        self._away = away
        self.spares = spares
        self.known: Sequence[HostProcess] | None = None
        self.told_at_ms = 0
        self._settling: asyncio.Task[None] | None = None
        self._version = 0  # of the layout that is followed

    @property
    def fresh(self) -> Sequence[HostProcess] | None:
        """What Ray told within the last minute; None: nothing."""
        if self._clock.now_ms() - self.told_at_ms > FRESH_MS:
            return None
        return self.known

    async def run(self) -> None:
        """Look every few seconds."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Ask Ray once; if it does not answer, what it told before stays."""
        if self._away():
            return  # It would hold a thread for a minute, each time.
        try:
            self.known = await asyncio.to_thread(self._told)
        except ConnectionError as error:
            log.warning("Ray does not tell of its hosts", error=str(error))
        else:
            self.told_at_ms = self._clock.now_ms()

    async def ready(self, host_count: int, *, within_s: float) -> None:
        """Return once so many hosts stand ready: all are made at once, so that Ray knows at once
        how many nodes it lacks. Raises HostsFailed, at once if Ray's head is known to be away; what
        was begun goes on.
        """
        if self._away():
            raise HostsFailed(_NO_HEAD)
        try:
            async with asyncio.timeout(within_s):
                ends = await asyncio.gather(
                    *(self._stand_by(place, host_count) for place in range(host_count)),
                    return_exceptions=True,
                )
        except TimeoutError:
            late = f"not all of {host_count} hosts stand ready after {within_s:.0f} s"
            raise HostsFailed(_NO_HEAD if self._away() else late) from None
        for end in ends:
            if isinstance(end, RuntimeError | ConnectionError | StoreError):
                raise HostsFailed(str(end)) from end
            if isinstance(end, BaseException):
                raise end

    def settle(self, leases: SqlLeases, host_count: int, version: int) -> None:
        """Go on, until it is done or there is another layout, with what follows a new one: wait for
        the partitions, and end the hosts that are too many. It ends what another one began, but for
        a newer layout's: a call that is repeated late has an older one.
        """
        if version < self._version:
            return
        self._version = version
        if self._settling is not None:
            self._settling.cancel()
        work = partial(self._settle, leases, host_count, version)
        self._settling = process_works().begin("scale", work, ends=True)

    async def _settle(self, leases: SqlLeases, host_count: int, version: int) -> None:
        while True:
            try:
                await until_moved(leases, host_count, version, say=_say)
                async for name in self._end_above(host_count, partial(still, leases, version)):
                    log.info("a host that was too many has ended", host=name)
            except HostsFailed as error:
                log.info("this layout is not followed any more", why=str(error))
            except (RuntimeError, ConnectionError, StoreError) as error:
                log.warning("hosts that are too many cannot be ended yet", error=str(error))
                await asyncio.sleep(_AGAIN_S)
                continue
            return

    async def close(self) -> None:
        """Leave what was begun to the hosts, and to whoever scales next."""
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.gather(self._settling, return_exceptions=True)


def _say(sentence: str) -> None:
    log.info("machines go to other hosts", said=sentence)


def of_cluster(
    stack: AsyncExitStack, settings: Settings, head: ClusterHead | None, *, config_path: str | None
) -> ClusterHosts | None:
    """Return those of the cluster that this process is in already; None, where there is no head of
    one. They are closed with the stack.
    """
    if head is None:
        return None
    from actors.ray_host import end_above, stand_by
    from actors.ray_spares import hosts_told

    async def stood_by(place: int, host_count: int) -> str:
        wanted = ray_settings(settings, hosts=host_count)
        return await stand_by(wanted, place, factory=FACTORY, factory_argument=config_path or "")

    hosts = ClusterHosts(
        told=hosts_told,
        stand_by=stood_by,
        end_above=lambda count, before_each: end_above(count, before_each=before_each),
        clock=process_clock(),
        away=lambda: head.up is False,
        spares=settings.ray.spares,
    )
    stack.push_async_callback(hosts.close)
    return hosts
