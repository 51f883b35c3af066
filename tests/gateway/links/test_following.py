"""A gateway whose partitions move: streams change their links, and their machines do not notice."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from actors.leases import Held, Standing
from actors.link import (
    MOVED,
    CommandDone,
    Commanded,
    FromHost,
    FromMachine,
    PartitionsMoved,
    ToHost,
)
from actors.machine.events import Connected, Disconnected, FrameReceived, StockCounted
from actors.machine.ids import MachineId
from actors.placement import host_of, partition_of
from actors.ports import StoreError
from gateway.links.commands import HostUnavailable
from gateway.links.links import HostLinks
from tests.support.edge import QUICK
from tests.support.fake_stream import a_stream
from tests.support.patience import HANGS_AFTER_S, until
from tests.support.scripted_link import ScriptedLink

PARTITIONS = 4
MACHINE = "m1"
ITS = partition_of(MachineId(MACHINE), PARTITIONS)


class Sql:
    """What SQL says, and how often it was asked."""

    def __init__(self) -> None:
        self.host_count = 1
        self.owners = dict.fromkeys(range(PARTITIONS), "vendgate-host-0")
        self.looks = 0
        self.away = False

    async def look(self) -> Standing:
        """Say it."""
        self.looks += 1
        if self.away:
            raise StoreError("away")
        return Standing(
            host_count=self.host_count,
            version=1,
            holders=(),
            held={number: Held(owner, owner, 1) for number, owner in self.owners.items()},
        )


class Site:
    """A gateway with the hosts that SQL knows; hosts are made when they are asked for."""

    def __init__(self) -> None:
        self.sql = Sql()
        self.hosts = [ScriptedLink()]
        self.links = HostLinks(
            list(self.hosts),
            gateway_id="g1",
            partition_count=PARTITIONS,
            limits=QUICK,
            random=lambda: 0.5,
            look=self.sql.look,
            open_link=self._opened,
        )

    def _opened(self, index: int) -> ScriptedLink:
        if index == len(self.hosts):
            self.hosts.append(ScriptedLink())
        return self.hosts[index]

    async def move(self, number: int, to: int, hosts: int = 2) -> None:
        """Move a partition, and let its old host say so."""
        old = self.sql.owners[number]
        self.sql.host_count, self.sql.owners[number] = hosts, f"vendgate-host-{to}"
        index = int(old.rpartition("-")[2])
        self.hosts[index].push(PartitionsMoved(left=(number,)))
        await until(lambda: len(self.links.stats()) > to and self.leads(number) == to)
        await until(lambda: self.links.stats()[to].attached)

    def leads(self, number: int) -> int:
        """To which host the partition's way leads."""
        return self.links._ways[number].link.stats().host


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """One host that is attached to."""
    site = Site()
    await site.links.start()
    await until(lambda: site.links.attached and site.sql.looks > 0)
    yield site
    await site.links.stop()


def said(host: ScriptedLink) -> list[type]:
    """What kinds of events a host got, in order."""
    return [type(each.event) for each in host.received() if isinstance(each, FromMachine)]


def deaf(message: ToHost) -> Sequence[FromHost]:
    """A host that drops everything, as one whose partition has left."""
    if isinstance(message, Commanded):
        return [CommandDone(command_id=message.command_id, refusal=MOVED)]
    return [PartitionsMoved(left=(ITS,))]


async def test_who_is_settled_asks_nothing(site: Site) -> None:
    """The look at the start, one for the attachment, and no more."""
    looks = site.sql.looks
    await asyncio.sleep(0.5)
    assert site.sql.looks <= looks + 1


async def test_a_stream_moves_without_an_end(site: Site) -> None:
    """The old host hears nothing of it any more; the new one hears Connected and what was not
    acknowledged.
    """
    stream = a_stream(MACHINE)
    way = site.links.of(MachineId(MACHINE))
    way.open_stream(stream)
    await until(lambda: bool(stream.commands))
    site.hosts[0].answer = deaf
    for seq in (1, 2):
        way.submit(stream, stream.frame(seq))
    await until(lambda: site.hosts[0].frames() == [1, 2])
    await site.move(ITS, 1)
    await until(lambda: site.hosts[1].frames() == [1, 2])

    assert [Connected, FrameReceived, FrameReceived] == said(site.hosts[1])
    assert Disconnected not in said(site.hosts[0])
    await until(lambda: stream.pending == 0)
    assert ([], []) == (stream.window, stream.closed)
    way.submit(stream, stream.frame(3))
    await until(lambda: site.hosts[1].frames() == [1, 2, 3])
    way.close_stream(stream, "GONE")
    await until(lambda: Disconnected in said(site.hosts[1]))
    assert Disconnected not in said(site.hosts[0])


async def test_a_new_host_is_believed_before_sql_is_read(site: Site) -> None:
    """Its word saves the machines a look."""
    await site.move((ITS + 1) % PARTITIONS, 1)
    stream = a_stream(MACHINE)
    site.links.of(MachineId(MACHINE)).open_stream(stream)
    await until(lambda: bool(stream.commands))
    site.sql.away = True
    site.hosts[1].push(PartitionsMoved(gained=(ITS,)))
    await until(lambda: said(site.hosts[1]) == [Connected])
    site.sql.owners[ITS], site.sql.away = "vendgate-host-1", False


async def test_a_host_that_was_told_too_early_is_told_again(site: Site) -> None:
    """SQL names it before it has loaded the machines: what it drops then it hears once it serves
    them, and every message waits for one answer.
    """
    stream = a_stream(MACHINE)
    way = site.links.of(MachineId(MACHINE))
    way.open_stream(stream)
    await until(lambda: bool(stream.commands))
    await site.move((ITS + 1) % PARTITIONS, 1)
    site.hosts[1].answer = deaf
    await site.move(ITS, 1)
    await until(lambda: said(site.hosts[1]) == [Connected])
    way.submit(stream, stream.frame(1))
    await until(lambda: site.hosts[1].frames() == [1])
    stream.commands.clear()
    site.hosts[1].open.clear()
    way.submit(stream, stream.frame(2))
    await until(lambda: site.hosts[1].frames() == [1, 2])  # under way, and nobody knows its fate

    host, held = site.hosts[1], len(site.hosts[1].batches)
    host.answer = lambda each: [] if len(host.batches) == held else host.obey(each)
    host.push(PartitionsMoved(gained=(ITS,)))
    await until(lambda: stream.pending == 3)
    host.open.set()
    await until(lambda: bool(stream.commands) and not stream.window)
    assert [Connected, FrameReceived, FrameReceived] == said(host)[-3:]
    await until(lambda: stream.pending == 0)
    said_before = len(said(host))
    host.push(PartitionsMoved(gained=(ITS,)))  # a word that comes twice
    way.submit(stream, stream.frame(3))
    await until(lambda: stream.acks[-1] == 3)
    assert said_before + 1 == len(said(host))
    assert 1 == host.attachments  # It was not a new link that made it good.


async def test_a_partition_that_came_back_at_once_is_announced_again(site: Site) -> None:
    """Its host has forgotten the streams meanwhile, and the way never led elsewhere."""
    stream = a_stream(MACHINE)
    site.links.of(MachineId(MACHINE)).open_stream(stream)
    await until(lambda: bool(stream.commands))
    site.hosts[0].push(PartitionsMoved(left=(ITS,)))
    site.hosts[0].push(PartitionsMoved(gained=(ITS,)))
    await until(lambda: said(site.hosts[0]) == [Connected, Connected])
    await until(lambda: stream.pending == 0)
    assert 1 == site.hosts[0].attachments


async def test_an_end_that_waits_goes_to_the_new_host(site: Site) -> None:
    """Of a stream that ended while its host did not listen; before the newer one is announced."""
    older, newer = a_stream(MACHINE, 1), a_stream(MACHINE, 2)
    way = site.links.of(MachineId(MACHINE))
    way.open_stream(older)
    await until(lambda: bool(older.commands))
    site.hosts[0].open.clear()
    other = next(
        f"n{number}"
        for number in range(99)
        if partition_of(MachineId(f"n{number}"), PARTITIONS) != ITS
    )
    site.links.of(MachineId(other)).open_stream(a_stream(other, 9))
    await until(lambda: len(site.hosts[0].batches) == 2)  # it holds this exchange back
    way.close_stream(older, "GONE")
    way.open_stream(newer)
    await site.move(ITS, 1)
    await until(lambda: len(said(site.hosts[1])) == 2)
    site.hosts[0].open.set()
    assert [Disconnected, Connected] == said(site.hosts[1])
    await until(lambda: Connected in said(site.hosts[0])[1:])
    assert Disconnected not in said(site.hosts[0])


async def test_an_end_that_the_old_host_dropped_goes_to_the_new_one(site: Site) -> None:
    """It had given the partition up already; nobody would know for half a minute that the machine
    has gone.
    """
    stream = a_stream(MACHINE)
    way = site.links.of(MachineId(MACHINE))
    way.open_stream(stream)
    await until(lambda: bool(stream.commands))
    site.hosts[0].answer = deaf
    way.close_stream(stream, "GONE")
    await until(lambda: site.links.stats()[0].exchanges == 2)
    await site.move(ITS, 1)
    await until(lambda: said(site.hosts[1]) == [Disconnected])


async def test_a_command_that_waits_for_a_dead_host_is_asked_at_the_new_place(site: Site) -> None:
    """It never left, so that it was not done; it does not wait out its time."""
    site.hosts[0].break_link()
    site.hosts[0].reachable.clear()
    await until(lambda: not site.links.stats()[0].attached)
    asking = asyncio.create_task(
        site.links.command(MachineId(MACHINE), StockCounted(column="A1", stock=3), timeout_s=600)
    )
    await until(lambda: site.links.stats()[0].queued == 1)
    site.sql.host_count, site.sql.owners[ITS] = 2, "vendgate-host-1"
    assert "" == (await asking).refusal
    assert 0 == site.links.stats()[0].queued


async def test_a_stream_does_not_wait_for_room_at_a_dead_host(site: Site) -> None:
    """Its partition has moved, and there is room at the new one."""
    old = site.links._links[0]
    way = site.links.of(MachineId(MACHINE))
    old.has_room.clear()
    waiting = asyncio.create_task(way.room())
    await asyncio.sleep(0)
    await site.move(ITS, 1)
    old.has_room.clear()
    async with asyncio.timeout(HANGS_AFTER_S):
        await waiting


async def test_a_command_is_asked_at_the_new_place(site: Site) -> None:
    """Refused as moved it was not done, so it is asked again where the machine is by then."""
    site.hosts[0].answer = deaf
    asking = asyncio.create_task(
        site.links.command(MachineId(MACHINE), StockCounted(column="A1", stock=3))
    )
    await until(lambda: len(site.hosts[0].batches) > 1)
    await site.move(ITS, 1)
    done = await asking
    assert "" == done.refusal
    assert 1 == len([each for each in site.hosts[1].received() if isinstance(each, Commanded)])


async def test_a_command_whose_machine_stays_on_its_way_was_not_done(site: Site) -> None:
    """Whoever asked may ask again later."""
    site.hosts[0].answer = deaf
    with pytest.raises(HostUnavailable, match="on its way to another host; nothing was sent"):
        await site.links.command(
            MachineId(MACHINE), StockCounted(column="A1", stock=3), timeout_s=0.3
        )


async def test_links_open_and_close_with_the_layout(site: Site) -> None:
    """Up to three and down to one; a link closes once no partition is there any more."""
    for number in range(PARTITIONS):
        if (to := host_of(number, 3)) != 0:
            await site.move(number, to, hosts=3)
    await until(lambda: len(site.links.stats()) == 3 and site.links.attached)
    for number in range(PARTITIONS):
        if host_of(number, 3) != 0:
            assert len(site.links.stats()) > 1
            await site.move(number, 0, hosts=1)
    await until(lambda: len(site.links.stats()) == 1)
    assert {0} == {site.leads(number) for number in range(PARTITIONS)}
    await until(lambda: not site.links._closing)


async def test_partitions_that_nobody_has_lead_to_where_they_were(site: Site) -> None:
    """A stream waits there; SQL is asked more and more seldom."""
    site.sql.host_count, site.sql.owners[ITS] = 2, ""
    site.hosts[0].push(PartitionsMoved(left=(ITS,)))
    await until(lambda: len(site.links.stats()) == 2)
    assert 0 == site.leads(ITS)
    looks = site.sql.looks
    await asyncio.sleep(1.0)
    assert site.sql.looks - looks < 12


async def test_sql_that_is_away_changes_nothing(site: Site) -> None:
    """It is asked again."""
    site.sql.away = True
    site.sql.host_count, site.sql.owners[ITS] = 2, "vendgate-host-1"
    site.hosts[0].push(PartitionsMoved(left=(ITS,)))
    looks = site.sql.looks
    await until(lambda: site.sql.looks > looks)
    assert 0 == site.leads(ITS)
    site.sql.away = False
    await until(lambda: len(site.links.stats()) == 2 and site.leads(ITS) == 1)


async def test_a_host_of_another_name_is_nobodys_place(site: Site) -> None:
    """What has no place in a layout leads to where it led."""
    site.sql.owners[ITS] = "somebody"
    site.hosts[0].push(PartitionsMoved())
    looks = site.sql.looks
    await until(lambda: site.sql.looks > looks)
    assert 0 == site.leads(ITS)
