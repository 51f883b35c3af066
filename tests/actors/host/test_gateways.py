"""The gateways of a host: attachments, deliveries, bounds, and streams that no gateway announces
any more.
"""

import asyncio

import pytest

from actors.host.attachment import Attachment
from actors.host.gateways import Gateways
from actors.host.runner import Core, Runner
from actors.host.services import HostLimits
from actors.link import CloseReason, CommandDone, LinkBroken
from actors.machine.effects import BeginSession, Welcome
from actors.machine.events import Connected, Disconnected, StockCounted
from actors.machine.ids import BootId, MachineId, StreamId
from actors.machine.policy import Policy
from actors.placement import partition_of
from tests.support.stage import Stage, answers, closings, request

pytestmark = pytest.mark.virtual_time


@pytest.fixture
def stage(quiet_stage: Stage) -> Stage:
    """A host that serves one machine."""
    return quiet_stage


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

    assert [] == await stage.gateway.hear()
    assert 10 == round(asyncio.get_running_loop().time() - start_s)
    assert 0 == stage.gateway.deliveries[-1].number


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
    """A gateway that does not take what waits for it must attach again."""
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
    assert [] == await stage.gateway.give()
    await stage.host.stop()


async def test_attaching_again_forgets_the_old_outbox(stage: Stage) -> None:
    """The old attachment is broken, its listening call ends, and numbers start at 1."""
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
    assert 1 == stage.gateway.deliveries[-1].number


async def test_a_stream_announced_again_after_attaching_is_not_disconnected(stage: Stage) -> None:
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


async def test_after_a_restart_the_streams_that_nobody_announces_are_gone(stage: Stage) -> None:
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
    """Each stream is reached through the gateway that holds it."""
    other = type(stage.gateway)(stage=stage, gateway_id="gw-2")
    await other.attach()
    await stage.gateway.give(stage.gateway.hello(stream="s-1"))
    await asyncio.sleep(1)
    await other.give(other.hello(stream="s-2"))
    messages = await stage.gateway.hear()

    assert closings(messages) == [("s-1", CloseReason.SUPERSEDED)]
    assert isinstance(other.commands()[0], Welcome)


async def test_a_machine_of_another_host_is_not_taken() -> None:
    """A gateway with an old layout is turned away before anything is decided."""
    stage = Stage(partitions=[partition_of(MachineId("VM-1"), 16)])
    await stage.start("VM-1")
    messages = await stage.gateway.give(stage.gateway.hello("VM-77"))

    assert closings(messages) == [("VM-77-stream", CloseReason.OVERLOADED)]
    await stage.host.stop()


# --- the gateways alone ---

VM_1 = MachineId("VM-1")


def gateways(*, outbox_max: int = 10, attachments_max: int = 2) -> Gateways:
    """Gateways of a host that has just started."""
    return Gateways(
        name="host-0-1", outbox_max=outbox_max, attachments_max=attachments_max, reattach_s=30.0
    )


def enters(found: Gateways, runner: Runner, attachment: Attachment, stream: str) -> None:
    """A stream of the machine says Hello through this attachment."""
    connected = Connected(
        stream_id=StreamId(stream), opened_at_ms=0, boot_id=BootId("b-1"), planogram_version=1
    )
    found.enter(runner, attachment, connected)


def a_runner() -> Runner:
    """A machine of which nothing was read."""
    return Runner(machine_id=VM_1, core=Core(), fleet_policy=Policy())


async def test_attachments_are_bounded_and_named_apart() -> None:
    """The same gateway takes the place of its older attachment; another one finds no room."""
    found = gateways()
    first, other = found.attach("gw-1"), found.attach("gw-2")
    again = found.attach("gw-1")

    assert first.broken
    assert 3 == len({first.name, other.name, again.name})
    assert again is found.find(again.name)
    with pytest.raises(LinkBroken, match="does not know"):
        found.find(first.name)
    with pytest.raises(LinkBroken, match="2 gateways are attached"):
        found.attach("gw-3")


async def test_a_stream_is_reached_through_the_gateway_that_announced_it_last() -> None:
    """It belongs to one attachment at a time, and to none once it is over."""
    found, runner = gateways(), a_runner()
    one, two = found.attach("gw-1"), found.attach("gw-2")
    enters(found, runner, one, "s-1")
    enters(found, runner, two, "s-1")

    assert two is runner.routes[StreamId("s-1")].attachment
    assert (set(), {(VM_1, "s-1")}) == (one.streams, two.streams)
    found.leave(runner, StreamId("s-1"))
    found.leave(runner, StreamId("s-1"))
    assert (set(), {}) == (two.streams, runner.routes)


async def test_what_nobody_can_be_sent_is_counted() -> None:
    """Without an attachment, and with a broken one; a full outbox breaks its attachment."""
    found = gateways(outbox_max=1)
    attachment = found.attach("gw-1")
    message = CommandDone(command_id="c-1")
    found.send(None, message)
    found.send(attachment, message)
    found.send(attachment, message)
    found.send(attachment, message)

    assert (2, 0) == (found.undelivered, len(found))
    assert attachment.broken


async def test_streams_of_a_broken_attachment_are_given_up_in_their_order() -> None:
    """Those that another attachment announces in time are not."""
    found, runner = gateways(), a_runner()
    attachment = found.attach("gw-1")
    for stream in ("s-1", "s-2"):
        enters(found, runner, attachment, stream)
    again = found.attach("gw-1")
    enters(found, runner, again, "s-1")
    await asyncio.sleep(10)
    found.expect(VM_1, StreamId("s-3"))
    await asyncio.sleep(20)
    assert [(VM_1, "s-2")] == found.given_up()
    await asyncio.sleep(10)

    assert [(VM_1, "s-3")] == found.given_up()
    assert [] == found.given_up()


async def test_a_silent_gateway_s_streams_are_reported_once() -> None:
    """They are not waited for any longer: their gateway had its time."""
    found, runner = gateways(), a_runner()
    enters(found, runner, found.attach("gw-1"), "s-1")
    await asyncio.sleep(29)
    assert [] == found.fallen_silent(30)
    await asyncio.sleep(2)

    assert [(VM_1, "s-1")] == found.fallen_silent(30)
    await asyncio.sleep(60)
    assert ([], []) == (found.fallen_silent(30), found.given_up())
