"""What a spare needs of Ray: word that the process it stands in for has ended, another node, and
to be found.

A spare is a second host of a place: built, and waiting. It knows no machine. When the process that
has the machines ends, Ray tells it, and it claims by the rules of a lease; the epoch is what makes
that safe, whoever is wrong.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import ray
from ray._private.state import state as ray_state
from ray.exceptions import RayError

from actors.leases import Holder
from actors.placement import HostProcess
from actors.ray_node import NAMESPACE

_ASK_AGAIN_S = 0.5
_ASK_RAY_EVERY_S = 2.0
_NO_ANSWER_S = 10.0
"""A host that stands still for longer than a lease has lost it anyway."""
_TELLS_WITHIN_S = 0.9
"""Ray's head answers in milliseconds; while it is away a question to it ends after a minute."""
_ENDED = {"RESTARTING", "DEAD"}
"""What Ray says of an actor whose process has ended. A process that only cannot be reached from
here is ALIVE to it, and is left alone.
"""


class HostsOfPlaces:
    """The hosts of each place, by their numbers: as Ray tells, and while it does not, as it told
    before. A spare has the machines of a dead host by then, and must be found without Ray's head.

    ``ask`` blocks. One question is open at a time, whatever is to be found: each takes a thread
    of those that all of this process shares, for a minute if Ray's head is away.
    """

    def __init__(self, ask: Callable[[int], dict[int, Any]]) -> None:
        self._ask = ask
        self._told: dict[int, dict[int, Any]] = {}
        self._asking: dict[int, asyncio.Task[dict[int, Any]]] = {}
        self._meeting: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()

    def learn(self, place: int, hosts: Mapping[int, Any]) -> None:
        """Take these for the hosts of this place, until Ray tells of others. Each is spoken with
        once: a handle that was never used needs Ray's head to find its process.
        """
        before = self._told.get(place, {})
        self._told[place] = dict(hosts)
        for number, actor in hosts.items():
            if number not in before:
                task = asyncio.create_task(_met(actor))
                self._meeting.add(task)
                task.add_done_callback(self._meeting.discard)

    async def told(self, place: int) -> dict[int, Any]:
        """Return what Ray tells, however long it takes; raises what Ray does."""
        asking = self._asking.get(place)
        if asking is None or asking.done():
            asking = self._asking[place] = asyncio.create_task(self._asked(place))
            asking.add_done_callback(_heard)
        return await asyncio.shield(asking)

    async def known(self, place: int) -> dict[int, Any]:
        """Return what Ray tells, or told before if it does not answer. It waits for Ray as long as
        it never told of a host of this place.
        """
        before = self._told.get(place)
        try:
            async with asyncio.timeout(_TELLS_WITHIN_S if before else None):
                return await self.told(place)
        except (TimeoutError, RayError):
            if not before:
                raise
            return before

    async def _asked(self, place: int) -> dict[int, Any]:
        async with self._turn:
            found = await asyncio.to_thread(self._ask, place)
        self.learn(place, found)
        return found


async def _met(actor: Any) -> None:
    with suppress(RayError):
        await actor.hello.remote()


def _heard(asking: asyncio.Task[Any]) -> None:
    """Nobody may be there any more for what the question ended with."""
    if not asking.cancelled():
        asking.exception()


async def until_ended(holder: Holder) -> None:
    """Return once Ray says that the process of this host of its own has ended: some 60 ms after
    that. While Ray's head is away nothing is known.
    """
    while True:
        try:
            actor = await asyncio.to_thread(ray.get_actor, holder.host, namespace=NAMESPACE)
            # Before the call, too: one to an actor that is being started again waits for that.
            if await _has_ended(actor) or await _is_another(actor, holder.holder):
                return
        except ValueError:
            # No such actor: its place is given up, or its beat will stand still.
            await asyncio.sleep(_ASK_AGAIN_S)


async def _is_another(actor: Any, holder: str) -> bool:
    """Return whether Ray has started the host again; False after a while, or once the call breaks,
    which happens as soon as the process ends, and now and then.
    """
    try:
        # It is the host that ends the call: one that is only left goes on there for ever.
        async with asyncio.timeout(_NO_ANSWER_S):
            return bool(await actor.is_another.remote(holder, _ASK_RAY_EVERY_S))
    except TimeoutError:
        return False
    except RayError:
        # The head hears of the end when we do, or a moment later; or the way there is broken.
        if not await _has_ended(actor):
            await asyncio.sleep(_ASK_AGAIN_S)
        return False


async def _has_ended(actor: Any) -> bool:
    return (await asyncio.to_thread(_told_of, actor)).get("State") in _ENDED


def node_beside(actor: Any) -> str | None:
    """Return a node with room for hosts where this one is not; None if there is none, or if nobody
    knows where it is.
    """
    own = _told_of(actor).get("Address", {}).get("NodeID", "")
    others = [node for node in _with_room() if node != own]
    # Not the same one for all: hosts that fall together would have their spares in one place.
    return others[int(own, 16) % len(others)] if own and others else None


def node_of(index: int) -> str | None:
    """Return the node of the host of this place, to which it also comes back: places that follow
    each other have different ones. None: there is none with room yet.
    """
    nodes = _with_room()
    return nodes[index % len(nodes)] if nodes else None


def _with_room() -> list[str]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return sorted(
        node["NodeID"] for node in nodes if node["Alive"] and node["Resources"].get("CPU")
    )


def _told_of(actor: Any) -> dict[str, Any]:
    """Return what Ray's head tells of an actor."""
    told: dict[str, Any] = ray_state.actor_table(actor._actor_id.hex())  # noqa: SLF001 - Ray tells it by nothing else
    return told


def hosts_told() -> list[HostProcess]:
    """Return all hosts that Ray knows, in the order of their names; one that has ended for good is
    not among them. It blocks while Ray's head does not answer, and raises ConnectionError then.
    """
    found: list[HostProcess] = []
    try:
        for name in sorted(ray.util.list_named_actors()):
            if name.startswith(f"{NAMESPACE}-host-"):
                with suppress(ValueError):  # it has ended just now
                    told = _told_of(ray.get_actor(name, namespace=NAMESPACE))
                    found.append(_process(name, told))
    except (RayError, RuntimeError, OSError) as error:
        raise ConnectionError(f"{type(error).__name__}: {error}") from error
    return found


def _process(name: str, told: Mapping[str, Any]) -> HostProcess:
    if told.get("State") != "ALIVE":
        return HostProcess(host=name, runs=False)
    where = told.get("Address", {})
    return HostProcess(
        host=name, runs=True, node=where.get("NodeID", ""), address=where.get("IPAddress", "")
    )
