"""Hosts as Ray actors: placed, named, watched and restarted by Ray. Only this file, ``ray_spares``,
``ray_jobs`` and ``ray_node``, which starts it, import Ray.

Flows in: settings and the dotted name of the function that builds a host's services inside its
worker. Flows out: one link per host. The actor is a thin cover of ``Host``; nothing is retried by
Ray, because the link's own protocol makes everything safe to repeat, and what owns a machine is
proved at each COMMIT, never by Ray's word. When a Ray of our own is lost, so is the gateway
(``RayHosts.until_lost``).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import ray
import structlog
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors import blocks
from actors.direct import DirectClient, Value
from actors.host.services import HostLimits
from actors.host_actor import HostActor, another_version
from actors.link import Delivery, Figure, HostLink, LinkBroken, ToHost
from actors.placement import place_of
from actors.ports import StoreError
from actors.ray_node import EMBEDDED, NAMESPACE, RaySettings, cluster_home, lost, socket_of
from actors.ray_spares import HostsOfPlaces, node_beside, node_of, until_ended

log = structlog.get_logger()

_CALLS_MAX = 256
"""Parked listens and exchanges of all gateways of one host."""
_EXCHANGE_TIMEOUT_S = 8.0
_LISTEN_TIMEOUT_S = 15.0
_FIGURES_TIMEOUT_S = 2.0
_FIND_TIMEOUT_S = 3.0
_SERVES_TIMEOUT_S = 2.0
"""A host that does not say so soon that it serves does not."""
_SERVES_YET_S = 0.05
_START_TIMEOUT_S = 60.0
_LOOK_AT_RAY_EVERY_S = 1.0


class RayHostLink(HostLink):
    """The link to one host: through Ray, or through its socket where there is one. Whatever goes
    wrong on the way is LinkBroken: what arrived is unknown. ``actor`` None: it is yet to be found.
    ``attached`` hears of each host that was attached to.
    """

    def __init__(
        self,
        name: str,
        actor: Any,
        direct: DirectClient | None = None,
        *,
        find: Callable[[], Awaitable[Any]] | None = None,
        attached: Callable[[Any], Awaitable[None]] | None = None,
    ) -> None:
        self.name = name
        self._actor = actor
        self._direct = direct
        self._find = find
        self._attached = attached
        self._tells: asyncio.Task[None] | None = None
        self._broke = actor is None

    async def attach(self, gateway_id: str) -> str:
        """Open the link: to the host of this place that serves, if the one that was known does so
        no more, or to a new one if all are gone for good.
        """
        if self._broke and self._find is not None and self._direct is None:
            # Where Ray does not answer, the host that was known may still do.
            try:
                with suppress(LinkBroken):
                    self._actor = await self._call(_FIND_TIMEOUT_S, self._find)
            except StoreError as refused:
                raise LinkBroken(
                    f"{self.name} is gone, and no other one is made: {refused}"
                ) from None
        if self._actor is None:
            raise LinkBroken(f"{self.name} is not found")
        self._broke = False
        name = await self._say(_EXCHANGE_TIMEOUT_S, "attach", gateway_id, blocks.VERSION)
        if self._attached is not None and (self._tells is None or self._tells.done()):
            self._tells = asyncio.ensure_future(self._attached(self._actor))
        return cast("str", name)

    async def exchange(self, attachment: str, messages: Sequence[ToHost]) -> Delivery:
        """Give a batch; one call, whatever it holds."""
        batch = blocks.pack_batch(messages)
        answer = await self._say(_EXCHANGE_TIMEOUT_S, "exchange", attachment, batch)
        return blocks.unpack_delivery(cast("bytes", answer))

    async def listen(self, attachment: str) -> Delivery:
        """Wait for what is ready for this gateway."""
        answer = await self._say(_LISTEN_TIMEOUT_S, "listen", attachment)
        return blocks.unpack_delivery(cast("bytes", answer))

    async def figures(self) -> list[Figure]:
        """Return what the host counted and timed."""
        if self._actor is None:
            raise LinkBroken(f"{self.name} is not found")
        # Not as the others go: an answer that does not come says nothing of the link.
        answer = (
            await self._call(_FIGURES_TIMEOUT_S, self._actor.figures.remote)
            if self._direct is None
            else await self._call(_FIGURES_TIMEOUT_S, self._direct.call, "figures")
        )
        return blocks.unpack_figures(cast("bytes", answer))

    async def _say(self, timeout_s: float, method: str, *arguments: Value) -> object:
        """Call one of the three by which a gateway and a host speak."""
        if self._direct is None:
            return await self._call(timeout_s, getattr(self._actor, method).remote, *arguments)
        call = partial(self._direct.call, anew=method == "attach")
        try:
            return await self._call(timeout_s, call, method, *arguments)
        except LinkBroken:
            self._direct.close()  # another process may be behind the socket by now
            raise

    async def _call(
        self, timeout_s: float, call: Callable[..., Awaitable[object]], *arguments: Value
    ) -> object:
        try:
            async with asyncio.timeout(timeout_s):
                return await call(*arguments)
        except TimeoutError as error:
            self._broke = True
            raise LinkBroken(f"{self.name} did not answer within {timeout_s:g} s") from error
        except LinkBroken as error:  # Ray's own kind of it has a stack trace for a text
            self._broke = True
            raise LinkBroken(
                f"{self.name}: {str(error).rsplit('LinkBroken: ', maxsplit=1)[-1].strip()}"
            ) from None
        except (RayError, ValueError) as error:
            self._broke = True
            raise LinkBroken(f"{self.name}: {type(error).__name__}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """How the hosts of a layout are found and made, each under a name that nobody else has.

    The first of a place is ``vendgate-host-<i>``. One that is made beside it, as its spare or to
    replace it, is ``vendgate-host-<i>-2``, and so on. The one that serves counts. ``agree`` is
    asked before a host is made where there is none; it raises StoreError if the layout has no such
    place.
    """

    settings: RaySettings
    factory: str
    factory_argument: str
    home: str
    limits: HostLimits | None
    agree: Callable[[int], Awaitable[None]] | None = None
    places: HostsOfPlaces = field(default_factory=lambda: HostsOfPlaces(_all_of))

    def make(self, index: int, number: int = 1, *, node: str | None = None) -> Any:
        """Make a host, on this node if it has room, or find it if another gateway makes it at the
        same time.
        """
        name, settings = _name(index, number), self.settings
        if node is None and settings.address != EMBEDDED:
            node = node_of(index)
        return (
            ray.remote(HostActor)
            .options(
                name=name,
                namespace=NAMESPACE,
                get_if_exists=True,
                lifetime=None if settings.address == EMBEDDED else "detached",
                max_restarts=-1,
                max_task_retries=0,
                max_concurrency=_CALLS_MAX,
                num_cpus=settings.host_cpus,
                # Not all on one node, nor a host and its spare: who loses it loses all of them.
                scheduling_strategy="SPREAD"
                if node is None
                else NodeAffinitySchedulingStrategy(node, soft=True),
            )
            .remote(
                name=name,
                index=index,
                host_count=settings.hosts,
                factory=self.factory,
                factory_argument=self.factory_argument,
                limits=self.limits,
                home=self.home or cluster_home(),
                socket=socket_of(settings, name),
                ended=until_ended if settings.spares else None,
            )
        )

    async def keep_spare(self, index: int, actor: Any) -> None:
        """Have another host of this place beside the one that serves, if there is none."""
        try:
            if self.agree is not None:
                await self.agree(index)
            found = await self.places.told(index)
            if len(found) == 1:
                number = max(found) + 1
                node = await asyncio.to_thread(node_beside, actor)
                spare = await asyncio.to_thread(self.make, index, number, node=node)
                self.places.learn(index, found | {number: spare})
        except (StoreError, RayError, ValueError, RuntimeError) as error:
            log.warning("no spare can be made", host=_name(index), detail=str(error))

    async def found_or_made(self, index: int) -> Any:
        """Return the host of this place that serves; the newest, if none does; the first one, if
        there is none. Raises StoreError if none may be made.
        """
        found = await self.places.known(index)
        if not found:
            if self.agree is not None:
                await self.agree(index)
            return await asyncio.to_thread(self.make, index)
        return found[await _best(found)]


def _all_of(index: int) -> dict[int, Any]:
    """Return the hosts of this place by their numbers."""
    first = _name(index)
    found = {}
    for name in ray.util.list_named_actors():
        number = "1" if name == first else name.removeprefix(f"{first}-")
        if number.isdigit():
            with suppress(ValueError):  # it has ended just now
                found[int(number)] = ray.get_actor(name, namespace=NAMESPACE)
    return found


async def _best(found: Mapping[int, Any]) -> int:
    """Return the number of the host that serves; else of one that will when it can; else the
    newest. Whoever says first that it serves ends the asking.
    """
    if len(found) == 1:
        return min(found)
    asked = {asyncio.ensure_future(_serves(actor)): number for number, actor in found.items()}
    ranks: dict[int, int] = {}
    try:
        while len(ranks) < len(found):
            done, _ = await asyncio.wait(
                [each for each in asked if asked[each] not in ranks],
                return_when=asyncio.FIRST_COMPLETED,
            )
            ranks |= {asked[each]: each.result() for each in done}
            if _SERVES in ranks.values():
                break
    finally:
        for each in asked:
            each.cancel()
    _, best = max((rank, number) for number, rank in ranks.items())
    return best


_SILENT, _WAITS, _SERVES = range(3)


async def _serves(actor: Any) -> int:
    rank = _SILENT
    with suppress(TimeoutError, RayError):
        async with asyncio.timeout(_SERVES_TIMEOUT_S):
            while rank != _SERVES:
                if rank == _WAITS:
                    await asyncio.sleep(_SERVES_YET_S)
                answer = await actor.hello.remote()
                # Hosts of the program before did not tell; a new one that waits for them does.
                rank = _SERVES if len(answer) < 4 or answer[3] else _WAITS
    return rank


def _why(error: Exception) -> str:
    """Return what went wrong; a time that is over has no words of its own."""
    return str(error) or f"there was no answer for {_START_TIMEOUT_S:g} s"


def _name(index: int, number: int = 1) -> str:
    first = f"{NAMESPACE}-host-{index}"
    return first if number == 1 else f"{first}-{number}"


def _same_version(name: str, answer: Sequence[int]) -> None:
    """Raise RuntimeError if a host that told this does not speak with gateways of this version."""
    version = (*answer, 0, 0)[2]  # The first hosts told none: 0 is older than any.
    oldest = answer[4] if len(answer) > 4 else version
    if not oldest <= blocks.VERSION <= version:
        raise RuntimeError(another_version(name, host=version, gateway=blocks.VERSION))


async def _end(actors: Sequence[Any]) -> None:
    if lost():
        # Nobody is there to be asked: what a host has not done is owed, and it ends with Ray.
        return
    try:
        async with asyncio.timeout(_EXCHANGE_TIMEOUT_S):
            await asyncio.gather(*(actor.stop.remote() for actor in actors), return_exceptions=True)
    except TimeoutError:
        log.warning("a host does not stop; what it has not done is owed")
    if lost():
        return
    for actor in actors:
        # Never on a gateway's loop: Ray's head may have gone meanwhile.
        await asyncio.to_thread(ray.kill, actor, no_restart=True)


async def replace_host(
    settings: RaySettings,
    index: int,
    *,
    factory: str,
    factory_argument: str,
    limits: HostLimits | None = None,
) -> str:
    """Put a new host, of this program and with the settings of today, in the place of the one that
    is there; return its name. The new one is built first and waits for its turn; the old one then
    decides what it has taken in, gives the machines up and ends. Gateways find the new one.

    Who is killed in between leaves two hosts, of which gateways find the one that serves. Done
    again, it puts another one in the place of both.

    RuntimeError: the new one could not be built, and the old one goes on; or it does not come to
    own the machines.
    """
    making = _Making(
        settings=settings,
        factory=factory,
        factory_argument=factory_argument,
        home="",
        limits=limits,
    )
    # Where there are spares not the next one: a gateway may be making that.
    number = max(_all_of(index), default=0) + (2 if settings.spares else 1)
    new = making.make(index, number)
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            await new.hello.remote()
    except (TimeoutError, RayError) as error:
        ray.kill(new, no_restart=True)
        raise RuntimeError(
            f"the new host cannot be built, the old one goes on: {_why(error)}"
        ) from error
    old = _all_of(index)
    old.pop(number, None)
    first = await _best(old) if old else number
    await _end([actor for its, actor in old.items() if its != first])  # they would follow it
    await _end([actor for its, actor in old.items() if its == first])
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            await new.started.remote()
    except (TimeoutError, RayError) as error:
        raise RuntimeError(
            f"the new host has not got the machines yet, and waits for them: {_why(error)}; "
            "'vendgate hosts list' shows who has them"
        ) from error
    return _name(index, number)


async def stand_by(
    settings: RaySettings,
    index: int,
    *,
    factory: str,
    factory_argument: str,
    limits: HostLimits | None = None,
) -> str:
    """Return the name of the host of this place once it serves, made if there is none: with
    nothing, if the layout has no such place yet. RuntimeError: it cannot be built or does not come
    to serve, or it is of another version.
    """
    making = _Making(
        settings=settings,
        factory=factory,
        factory_argument=factory_argument,
        home="",
        limits=limits,
    )
    actor = await making.found_or_made(index)
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            answer = await actor.hello.remote()
            _same_version(_name(index), answer)
            await actor.started.remote()
    except (TimeoutError, RayError) as error:
        raise RuntimeError(f"{_name(index)} does not come to serve: {_why(error)}") from error
    return _name(index)


async def end_above(
    host_count: int, *, before_each: Callable[[], Awaitable[None]]
) -> AsyncIterator[str]:
    """End the hosts of places that the layout has no more, in order and for good; yield the name of
    each that has ended. ``before_each`` raises if the layout is another one by then.
    """
    names = [
        name
        for name in await asyncio.to_thread(ray.util.list_named_actors)
        if name.startswith(f"{NAMESPACE}-") and (place_of(name) or 0) >= host_count
    ]
    for name in names:
        await before_each()
        with suppress(ValueError):  # it has ended just now
            await _end([await asyncio.to_thread(ray.get_actor, name, namespace=NAMESPACE)])
        yield name


class RayHosts:
    """The named actors ``vendgate-host-<i>``, found or made. In a cluster they outlive this
    program; embedded, they end with it.
    """

    def __init__(self, making: _Making, actors: Sequence[Any]) -> None:
        self._making = making
        self._settings = making.settings
        self._actors = actors
        self.links = tuple(self._link(index, actor) for index, actor in enumerate(actors))

    @classmethod
    async def open(
        cls,
        settings: RaySettings,
        *,
        factory: str,
        factory_argument: str,
        home: str = "",
        limits: HostLimits | None = None,
        agree: Callable[[int], Awaitable[None]] | None = None,
    ) -> "RayHosts":
        """Make or find the hosts. ``factory`` ("package.module:function") is called with
        ``factory_argument`` and the host's name in each worker. ``home``: which place may replace
        its own dead; empty: this cluster.

        ``agree`` is asked before each is made, now and later, and raises StoreError if the database
        has no such place. RuntimeError: a worker could not build its services, or the cluster's
        hosts were made by another version of the program.
        """
        making = _Making(
            settings=settings,
            factory=factory,
            factory_argument=factory_argument,
            home=home,
            limits=limits,
            agree=agree,
        )
        actors = [await making.found_or_made(index) for index in range(settings.hosts)]
        hosts = cls(making, actors)
        for index, answer in enumerate(await hosts._hello()):
            _same_version(_name(index), answer)
        return hosts

    def open_link(self, index: int) -> RayHostLink:
        """Return a link to the host of a place that the layout did not have before; the host is
        found, or made, when it is attached to.
        """
        return self._link(index, None)

    def _link(self, index: int, actor: Any) -> RayHostLink:
        name = _name(index)
        socket = socket_of(self._settings, name)
        direct = None if socket is None else DirectClient(socket)
        find = partial(self._making.found_or_made, index)
        spare = partial(self._making.keep_spare, index) if self._settings.spares else None
        return RayHostLink(name, actor, direct, find=find, attached=spare)

    async def pids(self) -> dict[str, int]:
        """Return each host's process id. RuntimeError if one does not answer."""
        return {
            link.name: answer[0]
            for link, answer in zip(self.links, await self._hello(), strict=True)
        }

    async def until_lost(self) -> str:
        """Return what was lost once a Ray of our own is: no host is started again, and none that is
        gone comes back. Of a cluster this never returns.
        """
        while not (gone := lost()):  # noqa: ASYNC110 - nobody tells when a process ends
            await asyncio.sleep(_LOOK_AT_RAY_EVERY_S)
        return gone

    async def close(self) -> None:
        """Embedded: stop the hosts in order and end them. In a cluster: leave them to the other
        gateways.
        """
        if self._settings.address == EMBEDDED:
            await self.end()

    async def end(self) -> None:
        """Stop the hosts in order and end their processes for good."""
        await _end(self._actors)

    async def _hello(self) -> list[tuple[int, ...]]:
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                return list(await asyncio.gather(*(actor.hello.remote() for actor in self._actors)))
        except (TimeoutError, RayError) as error:
            raise RuntimeError(f"a host does not start: {error}") from error
