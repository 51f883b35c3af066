"""What a spare hears of the process that it stands in for, whatever Ray says, on a virtual clock.
On Ray it is in ``test_ray_host``.
"""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import ray
from ray._private.state import state as ray_state
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayActorError

from actors import ray_spares
from actors.leases import Holder
from actors.placement import HostProcess

pytestmark = pytest.mark.virtual_time
SERVES = Holder(holder="host-0-abc", host="host-0", home="here")


async def _at_once(work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return work(*arguments, **named)


class Told:
    """Ray, as a test wants it: ``state`` is what its head tells of the actor, and the call breaks
    when ``broken`` is set. It is "another" start once that is so.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = "ALIVE"
        self.there = True
        self.another = False
        self.left_open = 0
        """So many calls were left by their caller: these go on in the host's process."""
        self.broken = asyncio.Event()
        self.is_another = SimpleNamespace(remote=self._is_another)
        self._actor_id = SimpleNamespace(hex=lambda: "a1")
        monkeypatch.setattr(ray, "get_actor", self._get_actor)
        # A thread is not on the virtual clock.
        monkeypatch.setattr(asyncio, "to_thread", _at_once)
        monkeypatch.setattr(ray_state, "actor_table", lambda _: {"State": self.state})
        self.watch = asyncio.create_task(ray_spares.until_ended(SERVES))

    def _get_actor(self, name: str, *, namespace: str) -> Any:
        assert ("host-0", "vendgate") == (name, namespace)
        if not self.there:
            raise ValueError(name)
        return self

    async def _is_another(self, holder: str, within_s: float) -> bool:
        assert SERVES.holder == holder
        if self.another:
            return True
        try:
            async with asyncio.timeout(within_s):
                await self.broken.wait()
        except TimeoutError:
            return False
        except asyncio.CancelledError:
            self.left_open += 1
            raise
        raise ActorUnavailableError("socket closed", None)


@pytest.fixture
async def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """The process lives, and was watched for a minute."""
    told = Told(monkeypatch)
    await asyncio.sleep(60)
    assert not told.watch.done()
    return told


@pytest.mark.parametrize("state", ["RESTARTING", "DEAD"])
async def test_an_end_is_heard_of_at_once(told: Told, state: str) -> None:
    """The call breaks, and Ray's head says that the process has ended."""
    told.state = state
    told.broken.set()
    await asyncio.wait_for(told.watch, 0.1)


async def test_one_that_only_cannot_be_reached_is_left_alone(told: Told) -> None:
    """The way there is broken, and Ray's head knows the process as alive."""
    told.broken.set()
    await asyncio.sleep(60)
    assert not told.watch.done()
    told.state = "RESTARTING"
    await asyncio.wait_for(told.watch, 1)


async def test_an_end_that_broke_no_call_is_heard_of(told: Told) -> None:
    """A call to an actor that is being started again may wait for that."""
    told.state = "RESTARTING"
    await asyncio.wait_for(told.watch, 3)


async def test_no_call_is_left_open_at_the_host(told: Told) -> None:
    """It answers so many at a time, and gateways not at all once spares have taken all of them."""
    assert 0 == told.left_open


async def test_one_that_was_started_again_already_has_ended(told: Told) -> None:
    """Ray was quicker."""
    told.another = True
    await asyncio.wait_for(told.watch, 3)


async def test_an_actor_that_is_not_known_is_asked_for_again(told: Told) -> None:
    """Its name alone proves nothing."""
    told.there = False
    await asyncio.sleep(60)
    assert not told.watch.done()
    told.there, told.state = True, "DEAD"
    await asyncio.wait_for(told.watch, 1)


@pytest.mark.parametrize(
    ("own", "nodes", "beside"),
    [
        ("a1", {"a1": 2, "b2": 2}, "b2"),
        ("b2", {"a1": 2, "b2": 2}, "a1"),
        ("a1", {"a1": 2}, None),
        ("a1", {"a1": 2, "c3": 0}, None),
        ("", {"a1": 2, "b2": 2}, None),
    ],
)
async def test_a_spare_s_node_is_another_one_with_room(
    monkeypatch: pytest.MonkeyPatch, own: str, nodes: dict[str, int], beside: str | None
) -> None:
    """If there is none, or if nobody knows where the host is, it is Ray's to choose."""
    there = [
        {"NodeID": name, "Alive": True, "Resources": {"CPU": cpus} if cpus else {}}
        for name, cpus in nodes.items()
    ]
    dead = {"NodeID": "d4", "Alive": False, "Resources": {"CPU": 2}}
    monkeypatch.setattr(ray, "nodes", lambda: [dead, *there])
    at = {"Address": {"NodeID": own}} if own else {}
    monkeypatch.setattr(ray_state, "actor_table", lambda _: at)
    actor = SimpleNamespace(_actor_id=SimpleNamespace(hex=lambda: "a1"))
    assert beside == ray_spares.node_beside(actor)


async def test_places_that_follow_each_other_are_on_different_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the same order for every gateway, whatever Ray's is; a node without room has none."""
    there = [
        {"NodeID": name, "Alive": alive, "Resources": {"CPU": cpus}}
        for name, alive, cpus in (
            ("b2", True, 2),
            ("d4", False, 2),
            ("a1", True, 2),
            ("c3", True, 0),
        )
    ]
    monkeypatch.setattr(ray, "nodes", lambda: there)
    assert ["a1", "b2", "a1"] == [ray_spares.node_of(index) for index in range(3)]
    monkeypatch.setattr(ray, "nodes", list)
    assert ray_spares.node_of(0) is None


def _listed(monkeypatch: pytest.MonkeyPatch, **states: Any) -> None:
    """Ray knows these actors, each with what its head tells of it; None: it has ended just now."""

    def get_actor(name: str, *, namespace: str) -> Any:
        told = states[name.replace("-", "_")]
        if told is None:
            raise ValueError(name)
        return SimpleNamespace(_actor_id=SimpleNamespace(hex=lambda: told))

    names = [name.replace("_", "-") for name in states]
    monkeypatch.setattr(ray.util, "list_named_actors", lambda: names)
    monkeypatch.setattr(ray, "get_actor", get_actor)
    monkeypatch.setattr(ray_state, "actor_table", lambda told: told)


async def test_ray_tells_where_each_host_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one that waits, the node that Ray looks at first is not where it is."""
    node = {"NodeID": "n1", "IPAddress": "10.0.0.1"}
    _listed(
        monkeypatch,
        vendgate_host_1={"State": "PENDING_CREATION", "Address": node},
        vendgate_host_0={"State": "ALIVE", "Address": node},
        vendgate_host_2=None,
        another_host_3={"State": "ALIVE", "Address": node},
    )
    assert [
        HostProcess(host="vendgate-host-0", runs=True, node="n1", address="10.0.0.1"),
        HostProcess(host="vendgate-host-1", runs=False),
    ] == ray_spares.hosts_told()


async def test_a_ray_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it raises: the gateway knows no Ray."""
    _listed(monkeypatch)
    for error in (RayActorError(error_msg="no head"), RuntimeError("not connected")):
        monkeypatch.setattr(ray.util, "list_named_actors", Mock(side_effect=error))
        with pytest.raises(ConnectionError, match=r"no head|not connected"):
            ray_spares.hosts_told()


class Head:
    """Ray's head, which tells of ``hosts`` of each place while ``there`` is set. ``open``: so many
    threads wait for it now; ``met``: hosts that were spoken with.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there = asyncio.Event()
        self.there.set()
        self.hosts: dict[int, Any] = {}
        self.open = self.most = 0
        self.met: list[str] = []
        self.places = ray_spares.HostsOfPlaces(lambda _: dict(self.hosts))
        monkeypatch.setattr(asyncio, "to_thread", self._asked)

    async def _asked(self, work: Callable[..., Any], *arguments: Any) -> Any:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            async with asyncio.timeout(60):
                await self.there.wait()
        except TimeoutError:
            raise GetTimeoutError("the GCS server is dead") from None
        finally:
            self.open -= 1
        return work(*arguments)

    def host(self, name: str) -> Any:
        """Return an actor with this name."""

        async def hello() -> None:
            self.met.append(name)

        return SimpleNamespace(name=name, hello=SimpleNamespace(remote=hello))


@pytest.fixture
async def head(monkeypatch: pytest.MonkeyPatch) -> Head:
    """It is there, and knows one host of each place."""
    head = Head(monkeypatch)
    head.hosts = {1: head.host("host-0")}
    return head


async def test_a_spare_is_found_while_ray_s_head_is_away(head: Head) -> None:
    """Within a second, also the one that this gateway made and Ray never told of."""
    (first,) = (await head.places.told(0)).values()
    spare = head.host("host-0-2")
    head.places.learn(0, {1: first, 2: spare})
    await asyncio.sleep(0)
    assert ["host-0", "host-0-2"] == head.met
    head.there.clear()
    async with asyncio.timeout(1):
        assert {1: first, 2: spare} == await head.places.known(0)
    await asyncio.sleep(120)
    async with asyncio.timeout(1):
        assert {1: first, 2: spare} == await head.places.known(0)
    head.hosts = {4: head.host("host-0-4")}
    head.there.set()
    assert head.hosts == await head.places.told(0)
    assert head.hosts == await head.places.known(0)


async def test_a_head_that_is_away_takes_one_thread(head: Head) -> None:
    """Each link asks every few seconds, and all of the process shares a handful of threads."""
    for place in range(4):
        await head.places.told(place)
    head.there.clear()
    for _ in range(20):
        await asyncio.gather(*(head.places.known(place) for place in range(4)))
        await asyncio.sleep(3)
    assert 1 == head.most


async def test_a_place_that_ray_never_told_of_waits_for_it(head: Head) -> None:
    """It would be made a second time; and what Ray says at last is said."""
    head.there.clear()
    asked = asyncio.create_task(head.places.known(0))
    await asyncio.sleep(30)
    assert not asked.done()
    with pytest.raises(GetTimeoutError):
        await asked
