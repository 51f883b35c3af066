"""What a Ray worker runs, without Ray: blocks in, blocks out, and no word with another version. On
Ray it is in ``test_ray_host``.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors import blocks, host_actor
from actors.direct import DirectClient
from actors.host_actor import HostActor, another_version
from actors.link import CommandDone, Commanded, LinkBroken
from actors.machine.events import StockCounted
from actors.machine.ids import MachineId
from tests.support.file_store import FileStore
from tests.support.patience import HANGS_AFTER_S
from tests.support.stage import COLUMNS


@pytest.fixture
async def actor(tmp_path: Path) -> AsyncIterator[HostActor]:
    """A host of one machine."""
    store = FileStore(tmp_path / "store")
    store.register("VM-1", columns=COLUMNS)
    store.write()
    actor = HostActor(
        name="vendgate-host-0",
        index=0,
        host_count=1,
        factory="tests.support.ray_services:open_host_services",
        factory_argument=str(tmp_path / "store"),
        limits=None,
        home="tests",
    )
    yield actor
    await actor.stop()


async def test_an_act_goes_in_and_its_answer_comes_out(actor: HostActor) -> None:
    """Both as one block of bytes."""
    attachment = await actor.attach("gw-1", blocks.VERSION)
    act = Commanded(
        machine_id=MachineId("VM-1"),
        command_id="c-1",
        event=StockCounted(column="A1", stock=7, actor="ann"),
    )
    answer = await actor.exchange(attachment, blocks.pack_batch([act]))

    (done,) = blocks.unpack_delivery(answer).messages
    assert isinstance(done, CommandDone)
    assert ("c-1", "") == (done.command_id, done.refusal)


@pytest.mark.parametrize("version", [blocks.OLDEST - 1, blocks.VERSION + 1])
async def test_a_gateway_of_another_version_is_refused(actor: HostActor, version: int) -> None:
    """Before it sends anything that the host would read as something else; what to do is said."""
    await actor.hello()
    with pytest.raises(LinkBroken) as refused:
        await actor.attach("gw-1", version)
    assert another_version("vendgate-host-0", host=blocks.VERSION, gateway=version) == str(
        refused.value
    )


async def test_who_asks_whether_it_is_another_start_is_answered(actor: HostActor) -> None:
    """At once if it is, and soon if it is not: no call is there for ever."""
    await actor.started()
    assert actor._host is not None
    assert not await actor.is_another(actor._host.holder, 0.01)
    assert await actor.is_another("vendgate-host-0-before", 600.0)


async def test_it_tells_its_version(actor: HostActor) -> None:
    """So that a gateway that finds hosts of another one can say so before it serves."""
    assert (1, blocks.VERSION) == (await actor.hello())[1:3]


async def test_a_socket_whose_file_has_gone_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that cannot be opened at first: the host lives, and Ray starts no other one."""
    monkeypatch.setattr(host_actor, "_LOOK_AT_SOCKET_EVERY_S", 0.01)
    store = FileStore(tmp_path / "store")
    store.register("VM-1", columns=COLUMNS)
    store.write()
    path = tmp_path / "run" / "s"
    actor = HostActor(
        name="vendgate-host-0",
        index=0,
        host_count=1,
        factory="tests.support.ray_services:open_host_services",
        factory_argument=str(tmp_path / "store"),
        limits=None,
        home="tests",
        socket=path,
    )
    async with asyncio.timeout(HANGS_AFTER_S):
        await actor.hello()
        path.parent.mkdir()
        for _ in range(2):
            client = DirectClient(path)
            await client.call("attach", "gw-1", blocks.VERSION, anew=True)
            client.close()
            path.unlink()
    await actor.stop()


@pytest.mark.parametrize(
    ("host", "gateway", "said"),
    [(1, 2, "replace the hosts first"), (2, 1, "end the gateway and start it again")],
)
def test_the_older_one_is_to_be_replaced(host: int, gateway: int, said: str) -> None:
    """Whoever reads it knows which process to start again."""
    assert said in another_version("vendgate-host-0", host=host, gateway=gateway)


async def test_a_gateway_of_the_release_before_is_served(
    actor: HostActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And hears nothing that it cannot read; one of this release hears all."""
    now, oldest = blocks.VERSION, blocks.OLDEST
    monkeypatch.setattr(blocks, "VERSION", now + 1)
    monkeypatch.setattr(blocks, "SINCE", {CommandDone: now + 1})
    count = StockCounted(column="A1", stock=7, actor="ann")
    act = Commanded(machine_id=MachineId("VM-1"), command_id="c-1", event=count)
    heard = []
    for version in (now, now + 1):
        attachment = await actor.attach("gw-1", version)
        answer = await actor.exchange(attachment, blocks.pack_batch([act]))
        heard.append(len(blocks.unpack_delivery(answer).messages))
    assert [0, 1] == heard
    assert (now + 1, oldest) == ((told := await actor.hello())[2], told[4])
