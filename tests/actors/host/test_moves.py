"""Partitions that move between hosts on one store, on a virtual clock: each host follows the
layout, one partition after the other.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from actors.host.host import Host
from actors.host.services import HostLimits, HostServices
from actors.host.tenure import LeaseLimits
from actors.link import (
    MOVED,
    CommandDone,
    FromHost,
    LinkBroken,
    PartitionsMoved,
    Reload,
    StreamClosed,
)
from actors.machine.effects import ApproveVend, QueryRefund, SendRefund, Welcome
from actors.machine.events import (
    SessionCompleted,
    StockCounted,
    TimePassed,
    TopUpPaid,
    VendSucceeded,
)
from actors.machine.ids import Currency, MachineId, TradeId
from actors.machine.policy import Policy
from actors.machine.state import open_vends
from actors.placement import host_of, partition_of
from actors.ports import InboxPage, Ownership, StaleOwner, StoreError
from tests.support.memory_store import MemoryStore
from tests.support.stage import COLUMNS, Gateway, Provider, request
from tests.support.virtual_time import LoopClock

pytestmark = pytest.mark.virtual_time
PARTITIONS = 16
MACHINES = tuple(f"VM-{number}" for number in range(12))
SOON_S = 30.0
"""Everything has moved by then."""


def place(machine_id: str, hosts: int) -> int:
    """Where the layout has the machine."""
    return host_of(partition_of(MachineId(machine_id), PARTITIONS), hosts)


class One:
    """One start of the host of a place, with a gateway of its own. It stands in for a ``Stage`` to
    its gateway.
    """

    def __init__(self, cluster: "Cluster", index: int, name: str) -> None:
        self.store, self.clock = cluster.store, cluster.clock
        self.fatal: list[str] = []
        self.index = index

        async def close() -> None:
            return

        self.host = Host(
            name=name,
            services=HostServices(
                store=cluster.store,
                leases=cluster.store,
                performer=cluster.provider,
                clock=cluster.clock,
                policy=Policy(),
                partition_count=PARTITIONS,
                close=close,
            ),
            partitions=(),
            place=index,
            limits=HostLimits(lease=LeaseLimits()),
            rng=random.Random(f"{name}/{len(cluster.everyone)}"),
            on_fatal=self.fatal.append,
            home=cluster.home,
        )
        self.gateway = Gateway(stage=self, gateway_id=f"gw-{index}")  # type: ignore[arg-type]
        self.tasks: set[asyncio.Task[object]] = set()

    def pays(self, trade: str, amount_minor: int, machine_id: str) -> object:
        """A customer paid."""
        return Gateway.pays(self, trade, amount_minor, machine_id)  # type: ignore[attr-defined]

    async def start(self) -> None:
        """Start it and attach."""
        others = asyncio.all_tasks()
        await self.host.start()
        self.tasks = set(asyncio.all_tasks() - others)
        await self.gateway.attach()

    async def die(self) -> None:
        """Be gone, as a process that was killed."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def has(self) -> set[int]:
        """What it serves."""
        ownership = self.host._loop.ownership
        return set() if ownership is None else set(ownership.epochs)


class Cluster:
    """Hosts of one home on one store."""

    home = "cluster"

    def __init__(self) -> None:
        self.store = MemoryStore(partition_count=PARTITIONS)
        self.provider = Provider()
        self.clock = LoopClock()
        self.everyone: list[One] = []
        for machine_id in MACHINES:
            self.store.register(machine_id, columns=COLUMNS)

    async def start(self, index: int, name: str = "") -> One:
        """Start the host of a place."""
        one = One(self, index, name or f"vendgate-host-{index}")
        self.everyone.append(one)
        await one.start()
        return one

    def owners(self) -> dict[int, str]:
        """Who has each partition, by the store; empty: nobody."""
        return {
            number: self.store.held[holder].host if holder in self.store.held else ""
            for number, (holder, _) in self.store.epochs.items()
        }

    def settled(self, hosts: int) -> bool:
        """Whether everything is where the layout says."""
        return self.owners() == {
            number: f"vendgate-host-{host_of(number, hosts)}" for number in range(PARTITIONS)
        }

    async def settle(self, hosts: int) -> None:
        """Return once it is; fails after ``SOON_S``."""
        async with asyncio.timeout(SOON_S):
            while not self.settled(hosts):
                await asyncio.sleep(0.05)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """No host yet; ends all that tests start."""
    cluster = Cluster()
    cluster.store.host_count = 1
    yield cluster
    for one in cluster.everyone:
        await one.host.stop()
    assert [] == [reason for one in cluster.everyone for reason in one.fatal]


@pytest.fixture
async def two(cluster: Cluster) -> list[One]:
    """Two hosts, of which the first one has everything and the layout says so."""
    return [await cluster.start(0), await cluster.start(1)]


def told(messages: list[FromHost]) -> list[PartitionsMoved]:
    """What a gateway heard of moves."""
    return [each for each in messages if isinstance(each, PartitionsMoved)]


async def test_partitions_come_and_go_with_the_layout(cluster: Cluster, two: list[One]) -> None:
    """Up to three, and down to one; every epoch was raised once for each move."""
    assert (set(range(PARTITIONS)), set()) == (two[0].has, two[1].has)
    cluster.store.host_count = 3
    three = await cluster.start(2)
    await cluster.settle(3)
    assert {5, 11, 14, 2, 8} == three.has
    before = {number: epoch for number, (_, epoch) in cluster.store.epochs.items()}
    assert {1, 2} == set(before.values())

    cluster.store.host_count = 1
    await cluster.settle(1)
    assert set() == two[1].has == three.has
    assert {number: epoch + (number % 3 > 0) for number, epoch in before.items()} == {
        number: epoch for number, (_, epoch) in cluster.store.epochs.items()
    }


async def test_one_is_on_its_way_at_a_time(cluster: Cluster, two: list[One]) -> None:
    """Never more than one partition of a host is nobody's."""
    free = []
    cluster.store.host_count = 2

    async def watch() -> None:
        while True:
            free.append(len([owner for owner in cluster.owners().values() if not owner]))
            await asyncio.sleep(0.001)

    watching = asyncio.create_task(watch())
    await cluster.settle(2)
    watching.cancel()
    assert 1 == max(free)
    assert two[1].has == set(range(1, PARTITIONS, 2))


@pytest.mark.parametrize("dead", [False, True])
async def test_nothing_is_given_up_to_a_place_where_nobody_lives(
    cluster: Cluster, dead: bool
) -> None:
    """Neither where no host was made yet, nor where a dead one has left its row."""
    one = await cluster.start(0)
    if dead:
        await (await cluster.start(1)).die()
        cluster.everyone.pop()
    cluster.store.host_count = 2
    await asyncio.sleep(60)
    assert set(range(PARTITIONS)) == one.has
    await cluster.start(1)
    await cluster.settle(2)


async def test_a_start_keeps_what_nobody_stands_ready_for(cluster: Cluster) -> None:
    """Whoever dies while it still has another place's partitions has them again, until a host is
    there that takes them.
    """
    one = await cluster.start(0)
    cluster.store.host_count = 2
    await asyncio.sleep(30)
    await one.die()
    cluster.everyone.remove(one)
    again = await cluster.start(0)
    await asyncio.sleep(60)
    assert set(range(PARTITIONS)) == again.has
    await cluster.start(1)
    await cluster.settle(2)


async def test_gateways_hear_of_each_move(cluster: Cluster, two: list[One]) -> None:
    """First that the layout has changed, then what has left, and at the other host what came."""
    hearing = [asyncio.create_task(one.gateway.keep_listening()) for one in two]
    cluster.store.host_count = 2
    await cluster.settle(2)
    await asyncio.sleep(1)
    first, other = told(two[0].gateway.heard), told(two[1].gateway.heard)
    assert PartitionsMoved() == first[0]
    assert [(number,) for number in range(1, PARTITIONS, 2)] == [each.left for each in first[1:]]
    assert set(range(1, PARTITIONS, 2)) == {n for each in other for n in each.gained}
    for task in hearing:
        task.cancel()


async def moved_to(cluster: Cluster, one: One, machine_id: str) -> None:
    """Return once this host serves the machine."""
    async with asyncio.timeout(SOON_S):
        while partition_of(MachineId(machine_id), PARTITIONS) not in one.has:
            await asyncio.sleep(0.05)


def movers(hosts: int = 2) -> Iterator[str]:
    """Machines that the second host gets."""
    return (machine_id for machine_id in MACHINES if place(machine_id, hosts) == 1)


async def sold_half(one: One, machine_id: str) -> None:
    """Bring the machine to where it was approved and has not said what became of it."""
    gateway = one.gateway
    await gateway.give(gateway.hello(machine_id))
    item = one.store.notify(machine_id, paid(one, "t-1"))
    del item
    await asyncio.sleep(3)
    await gateway.give(gateway.frame(request(), machine_id))
    assert any(isinstance(each, ApproveVend) for each in gateway.commands(machine_id))


def paid(one: One, trade: str) -> TopUpPaid:
    """A payment of 10.00."""
    return TopUpPaid(
        trade_id=TradeId(trade),
        partner_trans_id=f"out-{trade}",
        amount_minor=1_000,
        currency=Currency("HKD"),
        paid_at_ms=one.clock.now_ms(),
        payer_id="payer-1",
    )


async def test_a_vend_goes_on_at_the_other_host(cluster: Cluster, two: list[One]) -> None:
    """What was approved here is settled there, once the gateway has announced the stream there."""
    machine_id = next(movers())
    await sold_half(two[0], machine_id)
    (vend,) = open_vends(cluster.store.state(machine_id))
    cluster.store.host_count = 2
    await moved_to(cluster, two[1], machine_id)

    there = two[1].gateway
    there.seqs = two[0].gateway.seqs
    await there.give(there.hello(machine_id))
    (welcome,) = (each for each in there.commands(machine_id) if isinstance(each, Welcome))
    assert vend.vend_id == welcome.vend_id
    await there.give(there.frame(VendSucceeded(vend_id=vend.vend_id), machine_id))
    assert () == open_vends(cluster.store.state(machine_id))
    assert [] == cluster.provider.of(SendRefund)


async def test_what_comes_after_a_move_is_dropped_and_the_gateway_told(
    cluster: Cluster, two: list[One]
) -> None:
    """No stream is closed, nothing is acknowledged, an act is refused as not done."""
    machine_id = next(movers())
    partition = partition_of(MachineId(machine_id), PARTITIONS)
    here = two[0].gateway
    await here.give(here.hello(machine_id))
    cluster.store.host_count = 2
    await cluster.settle(2)
    await here.hear()
    commits = len(cluster.store.commits)

    said = await here.give(
        here.frame(request(), machine_id),
        here.bye(machine_id),
        here.command(StockCounted(column="A1", stock=3), machine_id, command_id="c-7"),
        here.command(Reload(), machine_id, command_id="c-8"),
    )
    assert [
        CommandDone(command_id="c-7", refusal=MOVED),
        CommandDone(command_id="c-8", refusal=MOVED),
        PartitionsMoved(left=(partition,)),
    ] == said
    assert commits == len(cluster.store.commits)
    assert [] == [each for each in here.heard if isinstance(each, StreamClosed)]
    assert MachineId(machine_id) not in two[0].host._mailboxes.runners


@contextmanager
def slow_commits(store: MemoryStore) -> Iterator[asyncio.Event]:
    """Commits wait for the event."""
    store.gate = asyncio.Event()
    yield store.gate
    store.gate.set()


async def test_a_frame_that_is_being_saved_is_saved_and_answered_first(
    cluster: Cluster, two: list[One]
) -> None:
    """The partition leaves behind the COMMIT that is under way, and what it ordered is heard."""
    machine_id = next(movers())
    here = two[0].gateway
    await here.give(here.hello(machine_id))
    cluster.store.notify(machine_id, paid(two[0], "t-1"))
    await asyncio.sleep(3)
    with slow_commits(cluster.store):
        giving = asyncio.create_task(here.give(here.frame(request(), machine_id)))
        await asyncio.sleep(0.1)
        assert not giving.done()
        cluster.store.host_count = 2
        await asyncio.sleep(2.5)  # a beat, and a look
        assert partition_of(MachineId(machine_id), PARTITIONS) in two[0].has
    await giving
    await moved_to(cluster, two[1], machine_id)
    await asyncio.sleep(1)
    assert [ApproveVend] == [
        type(each) for each in here.commands(machine_id) if isinstance(each, ApproveVend)
    ]
    assert 1 == len(open_vends(cluster.store.state(machine_id)))


async def test_a_refund_in_flight_is_asked_after_under_the_same_id(
    cluster: Cluster, two: list[One]
) -> None:
    """The old host abandons its call; the new one asks what became of it."""
    machine_id = next(movers())
    here = two[0].gateway
    await here.give(here.hello(machine_id))
    cluster.store.notify(machine_id, paid(two[0], "t-1"))
    await asyncio.sleep(3)
    cluster.provider.gate = asyncio.Event()
    session = cluster.store.state(machine_id).session
    assert session is not None
    await here.give(here.frame(SessionCompleted(session_id=session.session_id), machine_id))
    assert 1 == len(cluster.provider.of(SendRefund))
    cluster.store.host_count = 2
    await moved_to(cluster, two[1], machine_id)
    assert 0 == two[0].host.stats()["calls"]
    cluster.provider.gate.set()
    await asyncio.sleep(5)
    (sent,) = cluster.provider.of(SendRefund)
    (asked,) = cluster.provider.of(QueryRefund)
    assert isinstance(sent, SendRefund)
    assert isinstance(asked, QueryRefund)
    assert sent.refund_id == asked.refund_id
    assert () == cluster.store.state(machine_id).refunds


async def test_a_timer_that_is_due_rings_at_the_other_host(
    cluster: Cluster, two: list[One]
) -> None:
    """What was paid and not used goes back, though the machine never says a word there."""
    machine_id = next(movers())
    here = two[0].gateway
    await here.give(here.hello(machine_id))
    cluster.store.notify(machine_id, paid(two[0], "t-1"))
    await asyncio.sleep(3)
    cluster.store.host_count = 2
    await cluster.settle(2)
    assert 0 == two[0].host.stats()["timers"]
    await asyncio.sleep(Policy().idle_refund_ms / 1_000 + 60)
    assert 1 == len(cluster.provider.of(SendRefund))
    assert any(isinstance(each, TimePassed) for each in cluster.store.events(machine_id))


async def test_a_notification_that_waits_is_found_by_the_new_owner(
    cluster: Cluster, two: list[One]
) -> None:
    """It was in the old one's mailbox, and is nowhere lost."""
    machine_id = next(movers())
    with slow_commits(cluster.store):
        other = next(each for each in MACHINES if place(each, 2) == 0)
        here = two[0].gateway
        giving = asyncio.create_task(here.give(here.hello(other)))
        await asyncio.sleep(0.1)  # the loop saves, so what comes now stays in its mailbox
        cluster.store.notify(machine_id, paid(two[0], "t-1"))
        cluster.store.host_count = 2
        await asyncio.sleep(4)
    await giving
    await moved_to(cluster, two[1], machine_id)
    await asyncio.sleep(3)
    assert [TopUpPaid] == [
        type(each) for each in cluster.store.events(machine_id) if isinstance(each, TopUpPaid)
    ]


async def test_a_release_whose_answer_is_lost_is_looked_up(
    cluster: Cluster, two: list[One]
) -> None:
    """Done or not, SQL says so at the next look; nothing is served twice."""
    cluster.store.lost_releases = 3
    cluster.store.host_count = 2
    await cluster.settle(2)
    assert two[0].has == set(range(0, PARTITIONS, 2))
    assert two[1].has == set(range(1, PARTITIONS, 2))


async def test_gateways_hear_what_was_let_go_though_it_could_not_be_released(
    cluster: Cluster, two: list[One], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The layout changes back before SQL answers: the partition never went elsewhere, and its
    streams must be announced again all the same.
    """

    async def fails(*_: object, **__: object) -> None:
        cluster.store.host_count = 1
        raise StoreError("away")

    monkeypatch.setattr(cluster.store, "release", fails)
    hearing = asyncio.create_task(two[0].gateway.keep_listening())
    cluster.store.host_count = 2
    await asyncio.sleep(10)
    assert two[0].has == set(range(PARTITIONS))
    assert [PartitionsMoved(left=(1,)), PartitionsMoved(gained=(1,))] == [
        each for each in told(two[0].gateway.heard) if each.left or each.gained
    ]
    hearing.cancel()


async def test_a_layout_that_changes_back_in_the_middle(cluster: Cluster, two: list[One]) -> None:
    """Each host does what SQL says at its next look."""
    cluster.store.host_count = 2
    await asyncio.sleep(2.7)
    assert set() != two[1].has != set(range(1, PARTITIONS, 2))
    cluster.store.host_count = 1
    await cluster.settle(1)
    assert (set(range(PARTITIONS)), set()) == (two[0].has, two[1].has)


async def test_a_store_that_was_away_in_the_middle(cluster: Cluster, two: list[One]) -> None:
    """Nothing moves meanwhile, and it goes on afterwards."""
    cluster.store.host_count = 2
    await asyncio.sleep(2.7)
    cluster.store.away = True
    await asyncio.sleep(20)
    cluster.store.away = False
    await cluster.settle(2)
    assert two[1].has == set(range(1, PARTITIONS, 2))


async def test_a_load_that_fails_is_claimed_again(
    cluster: Cluster, two: list[One], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim whose machines cannot be read serves none of them until they are."""
    load_active, refused = cluster.store.load_active, [3]

    async def fails(ownership: Ownership) -> list[object]:
        if refused[0]:
            refused[0] -= 1
            raise StoreError("away")
        return await load_active(ownership)  # type: ignore[return-value]

    monkeypatch.setattr(cluster.store, "load_active", fails)
    cluster.store.host_count = 2
    await cluster.settle(2)
    await asyncio.sleep(10)
    assert two[1].has == set(range(1, PARTITIONS, 2))
    assert max(epoch for _, epoch in cluster.store.epochs.values()) > 2


async def test_gateways_hear_what_came_though_its_inbox_cannot_be_read(
    cluster: Cluster, two: list[One], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they said too early they say again on that word alone."""
    untaken = cluster.store.untaken

    async def fails(ownership: Ownership, **how: Any) -> InboxPage:
        if len(ownership.epochs) == 1:  # of what has just come
            raise StoreError("away")
        return await untaken(ownership, **how)

    monkeypatch.setattr(cluster.store, "untaken", fails)
    hearing = asyncio.create_task(two[1].gateway.keep_listening())
    cluster.store.host_count = 2
    await cluster.settle(2)
    await asyncio.sleep(1)
    gained = [number for each in told(two[1].gateway.heard) for number in each.gained]
    assert sorted(gained) == sorted(two[1].has)
    hearing.cancel()


@pytest.mark.parametrize("moves", range(5))
@pytest.mark.parametrize("which", [0, 1])
async def test_a_host_that_is_killed_in_the_middle(
    cluster: Cluster, two: list[One], which: int, moves: int
) -> None:
    """After so many moves one of the two dies and is started again at once, as by Ray."""
    cluster.store.host_count = 2
    async with asyncio.timeout(SOON_S):
        while len(two[1].has) < moves:
            await asyncio.sleep(0.01)
    await two[which].die()
    cluster.everyone.remove(two[which])
    again = await cluster.start(which)
    await cluster.settle(2)
    await asyncio.sleep(1)
    assert again.has == set(range(which, PARTITIONS, 2))


async def test_who_is_killed_and_has_left_the_layout_holds_nobody_up(
    cluster: Cluster, two: list[One]
) -> None:
    """Its next start claims nothing, and lets go of what the one before held."""
    cluster.store.host_count = 2
    await cluster.settle(2)
    cluster.store.host_count = 1
    await two[1].die()
    cluster.everyone.remove(two[1])
    again = await cluster.start(1)
    await cluster.settle(1)
    assert set() == again.has


async def test_who_dies_for_good_is_followed_after_its_lease(
    cluster: Cluster, two: list[One]
) -> None:
    """If the layout gives its partitions to another place."""
    cluster.store.host_count = 2
    await cluster.settle(2)
    cluster.store.host_count = 1
    await two[1].die()
    cluster.everyone.remove(two[1])
    await cluster.settle(1)


async def test_a_replacement_waits_for_the_one_of_its_own_place(
    cluster: Cluster, two: list[One]
) -> None:
    """It does not serve with nothing, though another place of its home would be left alone."""
    cluster.store.host_count = 2
    await cluster.settle(2)
    replacement = One(cluster, 0, "vendgate-host-0-2")
    starting = asyncio.create_task(replacement.host.start())
    await asyncio.sleep(10)
    assert not starting.done()
    with pytest.raises(LinkBroken, match="vendgate-host-0 of cluster"):
        await replacement.host.attach("gw")
    await two[0].host.stop()
    await starting
    assert replacement.has == set(range(0, PARTITIONS, 2))
    await replacement.host.stop()


async def test_one_place_is_not_shared_out_between_two(cluster: Cluster, two: list[One]) -> None:
    """Also one whose host has nothing yet: gateways attach to one host of a place, and what the
    other took would be out of their reach.
    """
    replacement = One(cluster, 1, "vendgate-host-1-2")
    starting = asyncio.create_task(replacement.host.start())
    await asyncio.sleep(5)
    cluster.store.host_count = 2
    await cluster.settle(2)
    assert two[1].has == set(range(1, PARTITIONS, 2))
    assert not replacement.host.serves
    await two[1].host.stop()
    await starting
    async with asyncio.timeout(SOON_S):
        while replacement.has != set(range(1, PARTITIONS, 2)):
            await asyncio.sleep(0.05)
    await replacement.host.stop()


async def test_a_replacement_waits_for_the_lease_of_one_that_died_with_nothing(
    cluster: Cluster, two: list[One]
) -> None:
    """Its row says that it stands there."""
    await two[1].die()
    cluster.everyone.remove(two[1])
    replacement = await cluster.start(1, "vendgate-host-1-2")
    assert ["vendgate-host-0", "vendgate-host-1-2"] == [
        each.host for each in cluster.store.held.values()
    ]
    cluster.store.host_count = 2
    async with asyncio.timeout(SOON_S):
        while replacement.has != set(range(1, PARTITIONS, 2)):
            await asyncio.sleep(0.05)


async def test_hosts_of_another_home_are_not_moved(cluster: Cluster, two: list[One]) -> None:
    """A second cluster, which has a place that the layout wants, waits as it always did."""
    cluster.home = "another cluster"
    other = One(cluster, 1, "vendgate-host-1")
    starting = asyncio.create_task(other.host.start())
    cluster.store.host_count = 2
    await cluster.settle(2)
    await asyncio.sleep(10)
    assert not starting.done()
    assert set(range(1, PARTITIONS, 2)) == two[1].has
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await other.host.stop()


async def test_who_was_superseded_ends(cluster: Cluster, two: list[One]) -> None:
    """Also one that only hears of it while it wants more."""
    cluster.store.held.pop(two[1].host._holder)
    with pytest.raises(StaleOwner):
        await two[1].host._tenure.gain([1])
    async with asyncio.timeout(SOON_S):
        while not two[1].fatal:
            await asyncio.sleep(0.1)
    assert "another holder" in two[1].fatal.pop()
