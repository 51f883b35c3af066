"""All hosts, seen from a gateway."""

from collections.abc import AsyncIterator

import pytest

from actors.link import Commanded, Figure, LinkBroken, Notified
from actors.machine.events import StockCounted, TimePassed
from actors.machine.ids import MachineId
from actors.placement import host_of, partition_of
from actors.ports import InboxItem
from gateway.links.links import HostLinks
from tests.support.edge import QUICK
from tests.support.fake_stream import a_stream
from tests.support.patience import until
from tests.support.scripted_link import ScriptedLink

PARTITIONS = 16


@pytest.fixture
def hosts() -> list[ScriptedLink]:
    """Three hosts."""
    return [ScriptedLink() for _ in range(3)]


@pytest.fixture
async def links(hosts: list[ScriptedLink]) -> AsyncIterator[HostLinks]:
    """The links to them, open."""
    links = HostLinks(
        hosts, gateway_id="g1", partition_count=PARTITIONS, limits=QUICK, random=lambda: 0.5
    )
    await links.start()
    await until(lambda: all(link.attached for link in links.stats()))
    yield links
    await links.stop()


def _host(machine_id: str) -> int:
    return host_of(partition_of(MachineId(machine_id), PARTITIONS), 3)


async def test_machines_go_to_their_hosts(links: HostLinks, hosts: list[ScriptedLink]) -> None:
    """Everything about a machine goes to the host that owns its partition, and to no other."""
    machines = [f"m{number}" for number in range(12)]
    assert {0, 1, 2} == {_host(machine) for machine in machines}
    for number, machine in enumerate(machines):
        stream = a_stream(machine, number)
        link = links.of(MachineId(machine))
        link.open_stream(stream)
        link.submit(stream, stream.frame(1))
        links.notify(InboxItem(inbox_id=number, machine_id=MachineId(machine), event=TimePassed()))
    await until(lambda: sum(len(host.received()) for host in hosts) == 36)
    for index, host in enumerate(hosts):
        for message in host.received():
            assert not isinstance(message, Commanded)
            machine_id = (
                message.item.machine_id if isinstance(message, Notified) else message.machine_id
            )
            assert _host(machine_id) == index


async def test_commands_are_answered(links: HostLinks) -> None:
    """A command comes back once its host has saved it; each has an id of its own."""
    first = await links.command(MachineId("m1"), StockCounted(column="A1", stock=3))
    second = await links.command(MachineId("m2"), StockCounted(column="A1", stock=3))
    assert ("g1-c1", "g1-c2", "") == (first.command_id, second.command_id, second.refusal)


async def test_one_host_at_least() -> None:
    """A gateway without hosts makes no sense."""
    with pytest.raises(ValueError, match="at least one host"):
        HostLinks([], gateway_id="g1", partition_count=1)


async def test_what_hosts_tell_comes_in_the_order_of_the_layout(
    links: HostLinks, hosts: list[ScriptedLink]
) -> None:
    """One that is away, and one that does not answer in time, tell nothing and hold nobody up."""
    told = Figure(name="n", text="t", kind="gauge", samples=(("n", {}, 1.0),))
    hosts[0].told = [told]
    hosts[1].break_link()
    hosts[2].open.clear()

    assert [[told], None, None] == await links.figures()
    hosts[2].open.set()


class Waiting(ScriptedLink):
    """A host that waits for its machines."""

    async def attach(self, gateway_id: str) -> str:
        """Say who has them."""
        raise LinkBroken(f"the host waits, {gateway_id}: host-0 of there holds machines")


async def test_a_host_that_waits_says_why() -> None:
    """What it says stands in a sentence, until it is attached to."""
    links = HostLinks([Waiting(), ScriptedLink()], gateway_id="g1", partition_count=PARTITIONS)
    assert [] == links.sentences()
    await links.start()
    await until(lambda: links.stats()[1].attached and bool(links.stats()[0].broken))
    assert [
        "host 0 is not attached: the host waits, g1: host-0 of there holds machines"
    ] == links.sentences()
    await links.stop()


async def test_a_host_that_can_be_reached_needs_no_sentence(
    links: HostLinks, hosts: list[ScriptedLink]
) -> None:
    """Also after its link had broken."""
    hosts[0].break_link()
    await until(lambda: links.stats()[0].attachments == 2)
    assert [] == links.sentences()
