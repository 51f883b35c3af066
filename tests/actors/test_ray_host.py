"""A host in a real Ray actor: it serves, survives kill -9 of its process, leaves nothing behind.
The host itself is in ``test_host``.
"""

import asyncio
import contextlib
import gc
import os
import signal
import stat
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ray._private import worker as ray_worker
from ray.exceptions import RayError

from actors import blocks, ray_host
from actors.host_actor import another_version
from actors.link import FromHost, FromMachine, LinkBroken, ToMachine
from actors.machine.effects import ApproveVend, BeginSession, Welcome
from actors.machine.events import Connected, FrameReceived, MachineFact, TopUpPaid, VendRequested
from actors.machine.ids import BootId, Currency, MachineId, RequestId, StreamId, TradeId
from actors.ports import StoreError
from actors.ray_host import RayHostLink, RayHosts, replace_host
from actors.ray_node import RaySettings, start_ray, stop_ray
from storage.database.engine import Database, StorageConfig
from storage.fleet.registry import Registry
from tests.storage.owner import new_machine
from tests.support import upgraded
from tests.support.file_store import FileStore
from tests.support.patience import HANGS_AFTER_S
from tests.support.processes import alive, command_line, descendants, environment, listening
from tests.support.stage import COLUMNS

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
    ),
]

SERVICES = "tests.support.ray_services:open_host_services"
SQL_SERVICES = "tests.support.ray_services:open_sql_host_services"
STREAM = StreamId("s-1")


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RaySettings]:
    """One Ray for this module."""
    settings = RaySettings(run_dir=tmp_path_factory.mktemp("run"))
    start_ray(settings)
    yield settings
    stop_ray()
    gc.collect()  # Here, where it is known that Ray never waits for the processes that it made.


@pytest.fixture
async def hosts(settings: RaySettings, tmp_path: Path) -> AsyncIterator[RayHosts]:
    """One host with one machine, whose customer has paid."""
    store = FileStore(tmp_path / "store")
    store.register("VM-1", columns=COLUMNS)
    now_ms = time.time_ns() // 1_000_000
    paid = TopUpPaid(
        trade_id=TradeId("t-1"),
        partner_trans_id="out-1",
        amount_minor=1_000,
        currency=Currency("HKD"),
        paid_at_ms=now_ms,
        payer_id="p",
    )
    store.notify("VM-1", paid, received_at_ms=now_ms)
    store.write()
    hosts = await RayHosts.open(
        settings, factory=SERVICES, factory_argument=str(tmp_path / "store")
    )
    yield hosts
    await hosts.end()


def hello() -> FromMachine:
    """The machine's stream."""
    event = Connected(
        stream_id=STREAM,
        opened_at_ms=time.time_ns() // 1_000_000,
        boot_id=BootId("b-1"),
        planogram_version=1,
    )
    return FromMachine(machine_id=MachineId("VM-1"), event=event)


def frame(seq: int, fact: MachineFact) -> FromMachine:
    """A frame of it."""
    return FromMachine(
        machine_id=MachineId("VM-1"), event=FrameReceived(stream_id=STREAM, seq=seq, fact=fact)
    )


def request(request_id: str = "r-1") -> VendRequested:
    """The customer chose."""
    return VendRequested(
        request_id=RequestId(request_id), column="A1", price_minor=500, planogram_version=1
    )


async def attach(link: RayHostLink) -> str:
    """Attach as a gateway does: again and again."""
    async with asyncio.timeout(HANGS_AFTER_S):
        while True:
            with contextlib.suppress(LinkBroken):
                return await link.attach("gw-1")
            await asyncio.sleep(0.02)


def kinds(messages: tuple[FromHost, ...]) -> list[type]:
    """Return the kinds of commands in these messages."""
    return [
        type(command)
        for message in messages
        if isinstance(message, ToMachine)
        for command in message.commands
    ]


async def test_it_serves_through_ray(hosts: RayHosts) -> None:
    """Batches go in and come out as the values that they are, although blocks of bytes cross."""
    link = hosts.links[0]
    attachment = await attach(link)
    welcomed = await link.exchange(attachment, [hello()])
    approved = await link.exchange(attachment, [frame(1, request())])

    assert Welcome in kinds(welcomed.messages)
    assert BeginSession in kinds(welcomed.messages)
    assert kinds(approved.messages) == [ApproveVend]
    figures = {figure.name: figure.samples for figure in await link.figures()}
    assert (("vendgate_host_machines", {}, 1.0),) == figures["vendgate_host_machines"]


async def test_a_cluster_s_host_is_spoken_to_through_ray(hosts: RayHosts) -> None:
    """It may live on another computer, where there is no socket; what is said is the same."""
    import ray

    name = hosts.links[0].name
    link = RayHostLink(name, ray.get_actor(name, namespace="vendgate"))
    attachment = await attach(link)
    listening = asyncio.create_task(link.listen(attachment))
    welcomed = await link.exchange(attachment, [hello()])
    approved = await link.exchange(attachment, [frame(1, request())])
    again = await attach(link)

    assert Welcome in kinds(welcomed.messages)
    assert kinds(approved.messages) == [ApproveVend]
    assert again != attachment
    with pytest.raises(LinkBroken, match=f"^{name}: attachment .* is over$"):
        await listening


async def test_it_is_ours_alone_and_as_important_as_we(hosts: RayHosts) -> None:
    """The first attach of a healthy start finds a host, so that there is nothing to warn of.
    Whoever could reach its socket could sell goods: it lies in the folder that nobody else can
    enter. Not one of Ray's processes, nor its driver, listens on another interface than loopback.
    It has the gateway's priority, and no memory monitor picks it as a victim.
    """
    link = hosts.links[0]
    await link.attach("gw-1")

    path = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).parent / f"{link.name}.sock"
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert 0o700 == stat.S_IMODE(path.parent.stat().st_mode)

    found = listening([os.getpid(), *descendants(os.getpid())])
    loopback = ("0100007F:", "0000000000000000FFFF00000100007F:", f"{1 << 24:032X}:")
    assert len(found) >= 4
    assert {} == {
        address: command_line(pid)
        for address, pid in found.items()
        if not address.startswith(loopback)
    }

    (pid,) = (await hosts.pids()).values()
    assert os.getpriority(os.PRIO_PROCESS, 0) == os.getpriority(os.PRIO_PROCESS, pid)
    assert b"RAY_memory_monitor_refresh_ms=0" in environment(pid)


async def test_after_kill_9_it_serves_again_with_the_same_state(hosts: RayHosts) -> None:
    """The link breaks, comes back, and the vend that was approved is still the same vend. A host
    that dies is Ray's to start again, and no reason to give Ray up for lost.
    """
    link = hosts.links[0]
    lost = asyncio.create_task(hosts.until_lost())
    attachment = await attach(link)
    await link.exchange(attachment, [hello()])
    await link.exchange(attachment, [frame(1, request())])
    listening = asyncio.create_task(link.listen(attachment))
    await asyncio.sleep(0.1)
    old = (await hosts.pids())[link.name]
    os.kill(old, signal.SIGKILL)
    with pytest.raises(LinkBroken):
        await listening
    attachment = await attach(link)
    again = await link.exchange(attachment, [hello(), frame(1, request())])

    assert (await hosts.pids())[link.name] != old
    told = [
        command
        for message in again.messages
        if isinstance(message, ToMachine)
        for command in message.commands
    ]
    assert ["VM-1-v1"] == [command.vend_id for command in told if isinstance(command, ApproveVend)]
    with pytest.raises(LinkBroken):
        await link.listen("an attachment of the process that is gone")
    assert not lost.done()
    lost.cancel()


async def test_a_terminal_that_is_closed_takes_no_host(hosts: RayHosts) -> None:
    """What a terminal or a supervisor tells the whole group (hangup, Ctrl-backslash, SIGTERM) is
    for the gateway, which stops its hosts in order.
    """
    link = hosts.links[0]
    attachment = await attach(link)
    before = await hosts.pids()
    family = [
        pid
        for pid in descendants(os.getpid())
        if b"/ray/" in command_line(pid) or command_line(pid).startswith(b"ray::")
    ]
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        for pid in family:
            os.kill(pid, number)
    await link.exchange(attachment, [hello()])

    assert len(family) > 3
    assert all(alive(pid) for pid in family)
    assert before == await hosts.pids()


async def test_a_host_that_is_superseded_ends_its_process(hosts: RayHosts, tmp_path: Path) -> None:
    """Another holder's epoch: the process exits by itself, nothing is answered, and Ray, who still
    wants this host, starts it anew.
    """
    link = hosts.links[0]
    attachment = await attach(link)
    old = (await hosts.pids())[link.name]
    (tmp_path / "store.stolen").touch()
    with pytest.raises(LinkBroken):
        await link.exchange(attachment, [hello()])
    attachment = await attach(link)
    welcomed = await link.exchange(attachment, [hello()])

    assert (await hosts.pids())[link.name] != old
    assert Welcome in kinds(welcomed.messages)


async def test_services_that_cannot_be_built_are_named(
    settings: RaySettings, tmp_path: Path
) -> None:
    """A wrong configuration is a sentence at the start, not a host that is never there."""
    wrong = RaySettings(run_dir=settings.run_dir, hosts=1)
    with pytest.raises(RuntimeError, match="holds no key: put one there"):
        await RayHosts.open(
            wrong,
            factory="tests.support.ray_services:refuse_to_build",
            factory_argument=str(tmp_path),
        )
    import ray

    ray.kill(ray.get_actor("vendgate-host-0", namespace="vendgate"), no_restart=True)


async def test_hosts_of_another_version_are_named(
    hosts: RayHosts, settings: RaySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that finds hosts whose blocks it cannot read does not serve, and says what to do;
    one that comes back to such a host is refused in the same words.
    """
    link, version = hosts.links[0], blocks.VERSION
    monkeypatch.setattr(blocks, "VERSION", version + 1)
    told = another_version(link.name, host=version, gateway=version + 1)

    with pytest.raises(RuntimeError) as refused:
        await RayHosts.open(settings, factory=SERVICES, factory_argument="")
    assert told == str(refused.value)
    with pytest.raises(LinkBroken) as broken:
        await link.attach("gw-1")
    assert f"{link.name}: {told}" == str(broken.value)


class OldHost:
    """Of the program before hosts told the version of their link."""

    async def hello(self) -> tuple[int, int]:
        """Return the process's id and the number of hosts."""
        return os.getpid(), 1


async def test_hosts_that_tell_no_version_are_named(settings: RaySettings) -> None:
    """They are older than any that does."""
    import ray

    name = "vendgate-host-0"
    old: Any = ray.remote(OldHost).options(name=name, namespace="vendgate", num_cpus=0).remote()
    try:
        with pytest.raises(RuntimeError) as refused:
            await RayHosts.open(settings, factory=SERVICES, factory_argument="")
    finally:
        ray.kill(old, no_restart=True)
    assert another_version(name, host=0, gateway=blocks.VERSION) == str(refused.value)


def test_the_token_is_ours_alone(settings: RaySettings) -> None:
    """The cluster asks for a token, new with each start, which lies in a folder that nobody else
    can enter.
    """
    token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (token, token.parent)]
    assert [0o600, 0o700] == modes
    assert 0o700 == stat.S_IMODE(settings.run_dir.stat().st_mode)
    assert "token" == os.environ["RAY_AUTH_MODE"]
    node: Any = ray_worker._global_node
    assert token.parent == Path(node.get_session_dir_path()).parents[1]


class Killed(Exception):
    """Nothing more is done by who ran the command."""


@pytest.fixture
async def cluster(settings: RaySettings, tmp_path: Path) -> AsyncIterator[tuple[RaySettings, str]]:
    """The module's Ray, as the settings of a cluster name it, and a database with one machine."""
    import ray

    url = f"sqlite:///{tmp_path / 'vendgate.db'}"
    upgraded.make(url, partition_count=8)
    database = await Database.open(StorageConfig(url=url))
    await Registry(database).register(new_machine("VM-1"), actor="test", now_ms=1)
    await database.close()
    yield replace(settings, address="this one"), url
    for name in ray.util.list_named_actors():
        ray.kill(ray.get_actor(name, namespace="vendgate"), no_restart=True)


async def welcomed(link: RayHostLink) -> bool:
    """Attach as a gateway does that lost its link, and say that the machine has come."""
    with pytest.raises(LinkBroken):
        await link.listen("an attachment that is over")
    answer = await link.exchange(await attach(link), [hello()])
    return Welcome in kinds(answer.messages)


async def test_a_replacement_that_is_killed_takes_the_machines_from_nobody(
    cluster: tuple[RaySettings, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new host waits, the old one goes on, and gateways find that one, be they new or there
    already; the command that is given again leaves one host, which serves.
    """
    import ray

    of_cluster, url = cluster
    made: dict[str, Any] = {"factory": SQL_SERVICES, "factory_argument": url}
    link = (await RayHosts.open(of_cluster, **made)).links[0]
    attachment = await attach(link)

    async def killed(actors: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(ray_host, "_end", killed)
        with pytest.raises(Killed):
            await replace_host(of_cluster, 0, **made)
    new: Any = ray.get_actor("vendgate-host-0-2", namespace="vendgate")
    waits = await new.hello.remote()
    served = await link.exchange(attachment, [hello()])
    of_another = (await RayHosts.open(of_cluster, **made)).links[0]

    assert 0 == waits[3]
    assert Welcome in kinds(served.messages)
    assert await welcomed(link)
    assert await welcomed(of_another)
    assert "vendgate-host-0-3" == await replace_host(of_cluster, 0, **made)
    assert await welcomed(link)
    assert await welcomed(of_another)
    assert ["vendgate-host-0-3"] == ray.util.list_named_actors()


async def test_a_spare_has_the_machines_of_a_killed_host(cluster: tuple[RaySettings, str]) -> None:
    """It was there, and knew nothing, until then; the gateway finds it by itself. The one that was
    killed is started again by Ray, and waits.
    """
    import ray

    with_spares, url = replace(cluster[0], spares=True), cluster[1]
    hosts = await RayHosts.open(with_spares, factory=SQL_SERVICES, factory_argument=url)
    link = hosts.links[0]
    attachment = await attach(link)
    spare = await named("vendgate-host-0-2")
    spare_pid, _, _, serves, _ = await spare.hello.remote()
    assert not serves
    killed = (await hosts.pids())[link.name]
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(LinkBroken):
        await link.listen(attachment)

    assert await welcomed(link)
    assert (spare_pid, 1) == (await spare.hello.remote())[:4:3]
    first = await named("vendgate-host-0")
    started, _, _, serves, _ = await first.hello.remote()
    assert started != killed
    assert not serves
    assert ["vendgate-host-0", "vendgate-host-0-2"] == sorted(ray.util.list_named_actors())


async def named(name: str) -> Any:
    """Return the actor of this name, once Ray has started it."""
    import ray

    async with asyncio.timeout(HANGS_AFTER_S):
        while True:
            with contextlib.suppress(ValueError, RayError):
                actor: Any = ray.get_actor(name, namespace="vendgate")
                await actor.hello.remote()
                return actor
            await asyncio.sleep(0.02)


async def test_no_host_is_made_against_the_layout(settings: RaySettings, tmp_path: Path) -> None:
    """Where all hosts of a place are gone for good, the database is asked before another one is
    made: it would stand in the way of those of today.
    """
    FileStore(tmp_path / "store").write()
    differs = ""

    async def agree(_: int) -> None:
        if differs:
            raise StoreError(differs)

    hosts = await RayHosts.open(
        replace(settings, address="this one"),
        factory=SERVICES,
        factory_argument=str(tmp_path / "store"),
        agree=agree,
    )
    link = hosts.links[0]
    await attach(link)
    await hosts.end()
    differs = "the layout has 2 hosts"
    told = ""
    async with asyncio.timeout(HANGS_AFTER_S):
        while differs not in told:  # Ray names a host for a moment longer.
            with pytest.raises(LinkBroken) as broken:
                await link.attach("gw-1")
            told = str(broken.value)
    assert f"{link.name} is gone, and no other one is made: {differs}" == told
    differs = ""
    await attach(link)

    import ray

    ray.kill(ray.get_actor(link.name, namespace="vendgate"), no_restart=True)


async def test_a_host_that_a_newer_layout_wants_again_is_not_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The layout is asked before each one, and whoever is asked in vain is told."""
    there = [f"vendgate-host-{index}" for index in range(4)]
    ended: list[str] = []

    async def end(actors: list[str]) -> None:
        ended.extend(actors)

    async def asked() -> None:
        if ended:
            raise StoreError("another layout")

    monkeypatch.setattr("ray.util.list_named_actors", lambda: there)
    monkeypatch.setattr("ray.get_actor", lambda name, **_: name)
    monkeypatch.setattr(ray_host, "_end", end)
    ending = ray_host.end_above(2, before_each=asked)
    assert "vendgate-host-2" == await anext(ending)
    with pytest.raises(StoreError, match="another layout"):
        await anext(ending)
    assert ["vendgate-host-2"] == ended
