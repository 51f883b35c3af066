"""One host's link: batches, order, and what happens when it breaks."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from actors.link import (
    CloseReason,
    CommandDone,
    Commanded,
    Delivery,
    FromMachine,
    LinkBroken,
    Notified,
    StreamClosed,
    ToHost,
    ToMachine,
)
from actors.machine.events import Connected, Disconnected, FrameReceived, StockCounted, TimePassed
from actors.machine.ids import MachineId, StreamId
from actors.ports import InboxItem
from gateway.links.pump import HostPump, Row
from gateway.links.terms import HostUnavailable, LinkLimits
from tests.support.edge import QUICK
from tests.support.fake_stream import a_stream
from tests.support.patience import HANGS_AFTER_S, until
from tests.support.scripted_link import ScriptedLink

COUNTED = StockCounted(column="A1", stock=3)


@pytest.fixture
def host() -> ScriptedLink:
    """A host that obeys."""
    return ScriptedLink()


def a_pump(host: ScriptedLink, limits: LinkLimits = QUICK) -> HostPump:
    """A pump that nobody runs yet."""
    return HostPump(host, host=0, gateway_id="g1", limits=limits, random=lambda: 0.5)


@pytest.fixture
async def pump(host: ScriptedLink) -> AsyncIterator[HostPump]:
    """A pump that runs and is attached."""
    pump = a_pump(host)
    task = asyncio.create_task(pump.run())
    await until(lambda: pump.stats().attached)
    yield pump
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def a_command(number: int = 1) -> Commanded:
    """An administrator's act."""
    return Commanded(machine_id=MachineId("m1"), command_id=f"c{number}", event=COUNTED)


def a_notification(number: int) -> Notified:
    """A wake-up."""
    return Notified(item=InboxItem(inbox_id=number, machine_id=MachineId("m1"), event=TimePassed()))


def kinds(messages: Sequence[ToHost]) -> list[str]:
    """What came, in short."""
    return [kind(message) for message in messages]


def kind(message: ToHost) -> str:
    """One message, in short."""
    if not isinstance(message, FromMachine):
        return type(message).__name__
    seq = message.event.seq if isinstance(message.event, FrameReceived) else ""
    return f"{type(message.event).__name__}{seq}"


# --- batches ---


async def test_what_arrives_meanwhile_goes_together(host: ScriptedLink, pump: HostPump) -> None:
    """One exchange is in flight; all that comes meanwhile is the next batch, in order."""
    stream = a_stream()
    host.open.clear()
    pump.open_stream(stream)
    await until(lambda: len(host.batches) == 1)
    for seq in (1, 2, 3):
        pump.submit(stream, stream.frame(seq))
    pump.notify(a_notification(1))
    host.open.set()
    await until(lambda: stream.pending == 0)
    assert [kinds(batch) for batch in host.batches] == [
        ["Connected"],
        ["FrameReceived1", "FrameReceived2", "FrameReceived3", "Notified"],
    ]
    assert stream.acks == [None, 1, 2, 3]
    assert host.in_flight_max == 1
    assert (pump.stats().exchanges, pump.stats().messages) == (2, 5)


async def test_batches_are_bounded(host: ScriptedLink) -> None:
    """A batch takes no more than it may; the rest goes next."""
    pump = a_pump(host, replace(QUICK, batch_max=2))
    for number in range(5):
        pump.notify(a_notification(number))
    task = asyncio.create_task(pump.run())
    await until(lambda: len(host.batches) == 3)
    assert [len(batch) for batch in host.batches] == [2, 2, 1]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_full_queue(host: ScriptedLink) -> None:
    """When the queue is full, wake-ups are dropped, commands are refused, streams wait; then all
    goes on.
    """
    pump = a_pump(host, replace(QUICK, queue_max=2))
    for number in range(3):
        pump.notify(a_notification(number))
    with pytest.raises(
        HostUnavailable, match="queue to host 0 is full; nothing was sent"
    ) as refused:
        await pump.command(a_command(), timeout_s=1)
    assert not refused.value.sent
    waiting = asyncio.create_task(pump.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    task = asyncio.create_task(pump.run())
    async with asyncio.timeout(HANGS_AFTER_S):
        await waiting
    assert pump.stats().notifications_dropped == 1
    assert await pump.command(a_command(), timeout_s=5) == CommandDone(command_id="c1")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- order ---


def test_row() -> None:
    """What comes too early is handed on behind what was before it."""
    row = Row()
    deliveries = [Delivery(number=number, messages=()) for number in range(1, 4)]
    assert row.take(deliveries[2], ()) == []
    assert row.waiting
    assert [(deliveries[0], ())] == row.take(deliveries[0], ())
    assert [(deliveries[1], ()), (deliveries[2], ())] == row.take(deliveries[1], ())
    assert (row.expected, row.waiting) == (4, False)


async def test_deliveries_in_order(host: ScriptedLink, pump: HostPump) -> None:
    """An answer that overtakes a push waits for it."""
    stream = a_stream()
    pump.open_stream(stream)
    await until(lambda: stream.pending == 0)
    stream.acks.clear()
    late = Delivery(number=2, messages=(_to_machine(stream.stream_id, 1),))
    early = Delivery(number=3, messages=(_to_machine(stream.stream_id, 2),))
    pump._arrived(early, ())
    assert stream.acks == []
    pump._arrived(late, ())
    assert stream.acks == [1, 2]
    pump._arrived(late, ())
    assert stream.acks == [1, 2], "a number that was handed on is not handed on again"


def _to_machine(stream_id: StreamId, ack: int) -> ToMachine:
    return ToMachine(machine_id=MachineId("m1"), stream_id=stream_id, ack=ack)


async def test_a_delivery_that_does_not_come(host: ScriptedLink, pump: HostPump) -> None:
    """If a number is left out, the pump attaches anew and says all again."""
    stream = a_stream()
    pump.open_stream(stream)
    await until(lambda: stream.pending == 0)
    host.skip_numbers.add(2)
    host.push(_to_machine(stream.stream_id, 0))
    await until(lambda: host._number == 2)
    pump.submit(stream, stream.frame(1))
    await until(lambda: host.attachments == 2)
    host.skip_numbers.clear()
    await until(lambda: stream.pending == 0)
    assert kinds(host.received()) == ["Connected", "FrameReceived1", "Connected", "FrameReceived1"]


# --- breaking ---


async def test_a_broken_link_says_all_again(host: ScriptedLink, pump: HostPump) -> None:
    """After a break, Connected and the unacknowledged frames of every stream come first, in order;
    closed streams stay closed.
    """
    first, second, gone = a_stream("m1", 1), a_stream("m2", 2), a_stream("m3", 3)
    for stream in (first, second, gone):
        pump.open_stream(stream)
    await until(lambda: gone.pending == 0)
    host.open.clear()
    for seq in (1, 2):
        pump.submit(first, first.frame(seq))
    pump.close_stream(gone, "GONE", tell=True)
    await until(lambda: len(host.batches) == 2)
    pump.submit(second, second.frame(1))
    host.break_link()
    await until(lambda: host.attachments == 2)
    await until(lambda: first.pending == 0 and second.pending == 0)
    sent_again = [message for batch in host.batches[2:] for message in batch]
    assert kinds(sent_again) == [
        "Disconnected",
        "Connected",
        "FrameReceived1",
        "FrameReceived2",
        "Connected",
        "FrameReceived1",
    ]
    assert [first.acks[-1], second.acks[-1]] == [2, 1]


async def test_pending_commands_of_a_broken_link(host: ScriptedLink, pump: HostPump) -> None:
    """A command that was under way has an unknown outcome; one that was not sent yet goes with the
    next attachment.
    """
    host.open.clear()
    under_way = asyncio.create_task(pump.command(a_command(1), timeout_s=5))
    await until(lambda: len(host.batches) == 1)
    queued = asyncio.create_task(pump.command(a_command(2), timeout_s=5))
    await asyncio.sleep(0)
    host.break_link()
    with pytest.raises(HostUnavailable, match="broke; its outcome is unknown") as unknown:
        await under_way
    assert unknown.value.sent
    assert await queued == CommandDone(command_id="c2")
    assert pump.stats().commands_waiting == 0


async def test_commands_time_out(host: ScriptedLink, pump: HostPump) -> None:
    """A command without an answer says whether it was sent."""
    host.open.clear()
    with pytest.raises(HostUnavailable, match="its outcome is unknown"):
        await pump.command(a_command(1), timeout_s=0.01)
    with pytest.raises(HostUnavailable, match="nothing was sent"):
        await pump.command(a_command(2), timeout_s=0.01)
    host.open.set()
    assert await pump.command(a_command(3), timeout_s=5) == CommandDone(command_id="c3")
    assert [a_command(1), a_command(3)] == host.received()


async def test_a_host_that_does_not_answer(host: ScriptedLink) -> None:
    """An exchange that takes too long is a broken link."""
    pump = a_pump(host, replace(QUICK, exchange_timeout_s=0.01))
    task = asyncio.create_task(pump.run())
    stream = a_stream()
    host.open.clear()
    pump.open_stream(stream)
    await until(lambda: host.attachments >= 2)
    host.open.set()
    await until(lambda: stream.pending == 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Failing(ScriptedLink):
    """A host whose calls fail in ways that the contract does not name."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 3

    async def attach(self, gateway_id: str) -> str:
        """Fail some times."""
        if self.failures:
            self.failures -= 1
            raise (LinkBroken("as scripted") if self.failures % 2 else RuntimeError("as scripted"))
        return await super().attach(gateway_id)


async def test_any_failure_is_a_broken_link() -> None:
    """Whatever a link raises, the pump goes on trying."""
    host = Failing()
    pump = a_pump(host)
    task = asyncio.create_task(pump.run())
    await until(lambda: pump.stats().attached)
    assert (host.failures, pump.stats().attachments) == (0, 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_back_off_has_full_jitter() -> None:
    """Delays are drawn from a range that doubles up to its bound."""
    pump = a_pump(ScriptedLink(), LinkLimits(backoff_initial_s=0.1, backoff_max_s=0.5))
    assert [pump._delay_s() for _ in range(5)] == [0.05, 0.1, 0.2, 0.25, 0.25]


# --- from the host ---


async def test_what_hosts_say_goes_to_the_stream(host: ScriptedLink, pump: HostPump) -> None:
    """Deliveries reach their stream; one for a stream that is gone is counted."""
    stream = a_stream()
    pump.open_stream(stream)
    host.push(
        StreamClosed(
            machine_id=stream.machine_id, stream_id=stream.stream_id, reason=CloseReason.HALTED
        ),
        _to_machine(StreamId("g1-99"), 1),
        CommandDone(command_id="nobody's"),
    )
    await until(lambda: stream.closed == [CloseReason.HALTED])
    assert pump.stats().undeliverable == 1


async def test_one_stream_that_fails(host: ScriptedLink, pump: HostPump) -> None:
    """A stream on which delivering fails is closed; the link and other streams go on."""
    bad, good = a_stream("m1", 1), a_stream("m2", 2)
    bad.broken = True
    pump.open_stream(bad)
    pump.open_stream(good)
    await until(lambda: good.pending == 0)
    assert bad.closed == ["FAILED"]
    assert host.attachments == 1


async def test_flushed(host: ScriptedLink) -> None:
    """Stopping waits for what is queued, but not for ever."""
    pump = a_pump(host, replace(QUICK, stop_timeout_s=0.01))
    stream = a_stream()
    pump.open_stream(stream)
    pump.close_stream(stream, "GONE", tell=True)
    await pump.flushed()
    assert pump.stats().queued == 1
    task = asyncio.create_task(pump.run())
    await until(lambda: pump.stats().queued == 0)
    await pump.flushed()
    assert [
        FromMachine(
            machine_id=stream.machine_id,
            event=Disconnected(stream_id=stream.stream_id, reason="GONE"),
        )
    ] == host.received()
    assert stream.connected is not None
    assert isinstance(stream.connected, Connected)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
