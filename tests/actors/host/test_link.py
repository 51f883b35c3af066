"""A host on virtual time: the gateways' way to it: attachments, deliveries, bounds, streams that
nobody holds any more.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors.host.host import HostLimits
from actors.link import CloseReason, LinkBroken
from actors.machine.effects import BeginSession, Welcome
from actors.machine.events import Disconnected, StockCounted, VendRequested
from actors.machine.ids import RequestId
from actors.ports import Ownership
from tests.support.stage import Stage, answers, closings

pytestmark = pytest.mark.virtual_time


def request(request_id: str = "r-1", column: str = "A1", price_minor: int = 500) -> VendRequested:
    """The customer chose."""
    return VendRequested(
        request_id=RequestId(request_id),
        column=column,
        price_minor=price_minor,
        planogram_version=1,
    )


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A host that serves one machine."""
    stage = Stage()
    await stage.start("VM-1")
    yield stage
    await stage.host.stop()


async def test_deliveries_are_numbered_and_listen_brings_what_nobody_asked_for(
    stage: Stage,
) -> None:
    """Exchange and listen draw from one row of numbers without a gap; an idle answer has number
    0.
    """
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)
    stage.pays("t-1")  # found by the sweep
    await asyncio.sleep(10)

    assert isinstance(stage.gateway.commands()[-1], BeginSession)
    numbers = [delivery.number for delivery in stage.gateway.deliveries if delivery.number]
    assert list(range(1, len(numbers) + 1)) == sorted(numbers)
    listening.cancel()


async def test_listen_answers_idle_after_ten_seconds(stage: Stage) -> None:
    """A long poll without news ends by itself."""
    start_s = asyncio.get_running_loop().time()

    assert await stage.gateway.hear() == []
    assert round(asyncio.get_running_loop().time() - start_s) == 10
    assert stage.gateway.deliveries[-1].number == 0


async def test_a_full_mailbox_closes_the_stream_and_refuses_the_command() -> None:
    """Full is an answer; what was not acknowledged comes again."""
    stage = Stage(limits=HostLimits(mailbox_max=4))
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(1)
    stage.store.gate = asyncio.Event()
    first = asyncio.create_task(
        stage.gateway.give(
            stage.gateway.command(StockCounted(column="A1", stock=0), command_id="c-0")
        )
    )
    await asyncio.sleep(0.1)
    commands = [
        stage.gateway.command(StockCounted(column="A1", stock=1), command_id=f"c-{number}")
        for number in range(1, 7)
    ]
    second = asyncio.create_task(
        stage.gateway.give(
            *commands,
            stage.gateway.frame(request()),
            stage.gateway.bye(),
            stage.gateway.paid("t-1"),
        )
    )
    await asyncio.sleep(0.1)
    stage.store.gate.set()
    await asyncio.gather(first, second)

    assert {key: why for key, why in answers(stage.gateway.heard).items() if why} == {
        "c-5": CloseReason.OVERLOADED,
        "c-6": CloseReason.OVERLOADED,
    }
    assert closings(stage.gateway.heard) == [("VM-1-stream", CloseReason.OVERLOADED)]
    assert not stage.store.state("VM-1").link.online
    await asyncio.sleep(10)
    assert all(row.taken for row in stage.store.inbox.values())
    await stage.host.stop()


async def test_an_outbox_that_overflows_breaks_the_attachment() -> None:
    """A gateway that does not take what it is told must attach again."""
    stage = Stage(limits=HostLimits(outbox_max=2))
    await stage.start("VM-1")
    commands = [
        stage.gateway.command(StockCounted(column="A1", stock=1), command_id=f"c-{number}")
        for number in range(3)
    ]

    with pytest.raises(LinkBroken):
        await stage.gateway.give(*commands)
    with pytest.raises(LinkBroken):
        await stage.gateway.hear()
    await stage.gateway.attach()
    assert await stage.gateway.give() == []
    await stage.host.stop()


async def test_attaching_again_forgets_the_old_outbox(stage: Stage) -> None:
    """The old attachment is broken, who listens on it is told, and numbers start at 1."""
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await asyncio.sleep(0.1)
    await stage.gateway.give(stage.gateway.hello())
    old = stage.gateway.attachment
    await stage.gateway.attach()
    await asyncio.sleep(0.1)

    assert listening.done()
    assert stage.gateway.broken
    with pytest.raises(LinkBroken):
        await stage.host.exchange(old, ())
    await stage.gateway.give(stage.gateway.hello())
    assert stage.gateway.deliveries[-1].number == 1


async def test_a_stream_said_again_after_attaching_is_not_disconnected(stage: Stage) -> None:
    """Streams that the gateway repeats go on; those it does not are gone half a minute later."""
    stage.store.register("VM-2")
    await stage.gateway.give(stage.gateway.hello("VM-1"), stage.gateway.hello("VM-2"))
    await stage.gateway.attach()
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await stage.gateway.give(stage.gateway.hello("VM-1"))
    await asyncio.sleep(29)
    assert stage.store.state("VM-2").link.online
    await asyncio.sleep(5)

    assert stage.store.state("VM-1").link.online
    assert not stage.store.state("VM-2").link.online
    listening.cancel()


async def test_a_silent_gateway_takes_its_streams_with_it(stage: Stage) -> None:
    """A gateway that has had no call here for half a minute is gone."""
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(29)
    assert stage.store.state("VM-1").link.online
    await asyncio.sleep(4)

    assert not stage.store.state("VM-1").link.online
    assert isinstance(stage.store.events("VM-1")[-1], Disconnected)
    with pytest.raises(LinkBroken):
        await stage.gateway.hear()


async def test_after_a_restart_the_streams_that_nobody_says_are_gone(stage: Stage) -> None:
    """The new host knows the streams from the database only, and waits half a minute for their
    gateways.
    """
    stage.store.register("VM-2")
    await stage.gateway.give(stage.gateway.hello("VM-1"), stage.gateway.hello("VM-2"))
    await stage.restart()
    listening = asyncio.create_task(stage.gateway.keep_listening())
    await stage.gateway.give(stage.gateway.hello("VM-1"))
    await asyncio.sleep(29)
    assert stage.store.state("VM-2").link.online
    await asyncio.sleep(5)

    assert stage.store.state("VM-1").link.online
    assert not stage.store.state("VM-2").link.online
    listening.cancel()


async def test_a_newer_stream_takes_over_and_the_older_is_closed(stage: Stage) -> None:
    """Each stream is told through the gateway that holds it."""
    other = type(stage.gateway)(stage=stage, gateway_id="gw-2")
    await other.attach()
    await stage.gateway.give(stage.gateway.hello(stream="s-1"))
    await asyncio.sleep(1)
    await other.give(other.hello(stream="s-2"))
    messages = await stage.gateway.hear()

    assert closings(messages) == [("s-1", CloseReason.SUPERSEDED)]
    assert isinstance(other.commands()[0], Welcome)


async def test_a_machine_of_another_host_is_not_taken(stage: Stage) -> None:
    """A gateway with an old layout is turned away before anything is decided."""
    stage.host._ownership = Ownership(host="host-0", holder="x", epochs={})
    messages = await stage.gateway.give(stage.gateway.hello("VM-77"))

    assert closings(messages) == [("VM-77-stream", CloseReason.OVERLOADED)]
