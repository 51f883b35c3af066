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
from actors.machine.events import Disconnected, FrameReceived, StockCounted, TimePassed
from actors.machine.ids import MachineId, StreamId
from actors.ports import InboxItem
from gateway.links.batched_link import BatchedLink, LinkLimits
from gateway.links.commands import HostUnavailable
from tests.support.edge import QUICK
from tests.support.fake_stream import a_stream
from tests.support.patience import HANGS_AFTER_S, until
from tests.support.scripted_link import ScriptedLink

COUNTED = StockCounted(column="A1", stock=3)


@pytest.fixture
def host() -> ScriptedLink:
    """A host that obeys."""
    return ScriptedLink()


def a_link(host: ScriptedLink, limits: LinkLimits = QUICK) -> BatchedLink:
    """A link that nobody runs yet."""
    return BatchedLink(host, host=0, gateway_id="g1", limits=limits, random=lambda: 0.5)


@pytest.fixture
async def link(host: ScriptedLink) -> AsyncIterator[BatchedLink]:
    """A link that runs and is attached."""
    link = a_link(host)
    task = asyncio.create_task(link.run())
    await until(lambda: link.stats().attached)
    yield link
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


async def test_what_arrives_meanwhile_goes_together(host: ScriptedLink, link: BatchedLink) -> None:
    """One exchange is in flight; all that comes meanwhile is the next batch, in order."""
    stream = a_stream()
    host.open.clear()
    link.open_stream(stream)
    await until(lambda: len(host.batches) == 1)
    for seq in (1, 2, 3):
        link.submit(stream, stream.frame(seq))
    link.notify(a_notification(1))
    host.open.set()
    await until(lambda: stream.pending == 0)
    assert [
        ["Connected"],
        ["FrameReceived1", "FrameReceived2", "FrameReceived3", "Notified"],
    ] == [kinds(batch) for batch in host.batches]
    assert [None, 1, 2, 3] == stream.acks
    assert 1 == host.in_flight_max
    assert (2, 5) == (link.stats().exchanges, link.stats().messages)


async def test_batches_are_bounded(host: ScriptedLink) -> None:
    """A batch takes no more than it may; the rest goes next."""
    link = a_link(host, replace(QUICK, batch_max=2))
    for number in range(5):
        link.notify(a_notification(number))
    task = asyncio.create_task(link.run())
    await until(lambda: len(host.batches) == 3)
    assert [2, 2, 1] == [len(batch) for batch in host.batches]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_full_queue(host: ScriptedLink) -> None:
    """When the queue is full, wake-ups are dropped, commands are refused, streams wait; then all
    goes on.
    """
    link = a_link(host, replace(QUICK, queue_max=2))
    for number in range(3):
        link.notify(a_notification(number))
    with pytest.raises(
        HostUnavailable, match="queue to host 0 is full; nothing was sent"
    ) as refused:
        await link.command(a_command(), timeout_s=1)
    assert not refused.value.sent
    waiting = asyncio.create_task(link.has_room.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    task = asyncio.create_task(link.run())
    async with asyncio.timeout(5):
        await waiting
    assert 1 == link.stats().notifications_dropped
    assert await link.command(a_command(), timeout_s=5) == CommandDone(command_id="c1")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- order ---


async def test_deliveries_in_order(host: ScriptedLink, link: BatchedLink) -> None:
    """An answer that overtakes a push waits for it."""
    stream = a_stream()
    link.open_stream(stream)
    await until(lambda: stream.pending == 0)
    stream.acks.clear()
    late = Delivery(number=2, messages=(_to_machine(stream.stream_id, 1),))
    early = Delivery(number=3, messages=(_to_machine(stream.stream_id, 2),))
    link._arrived(early, ())
    assert [] == stream.acks
    link._arrived(late, ())
    assert [1, 2] == stream.acks
    link._arrived(late, ())
    assert [1, 2] == stream.acks, "a number that was handed on is not handed on again"


def _to_machine(stream_id: StreamId, ack: int) -> ToMachine:
    return ToMachine(machine_id=MachineId("m1"), stream_id=stream_id, ack=ack)


async def test_a_delivery_that_does_not_come(host: ScriptedLink, link: BatchedLink) -> None:
    """If a number is left out, the link attaches again and sends all again."""
    stream = a_stream()
    link.open_stream(stream)
    await until(lambda: stream.pending == 0)
    host.skip_numbers.add(2)
    host.push(_to_machine(stream.stream_id, 0))
    await until(lambda: host._number == 2)
    link.submit(stream, stream.frame(1))
    await until(lambda: host.attachments == 2)
    host.skip_numbers.clear()
    await until(lambda: stream.pending == 0)
    assert ["Connected", "FrameReceived1", "Connected", "FrameReceived1"] == kinds(host.received())


# --- breaking ---


async def test_a_broken_link_says_all_again(host: ScriptedLink, link: BatchedLink) -> None:
    """After a break, Connected and the unacknowledged frames of every stream come first, in order;
    closed streams stay closed, and come last: nobody waits for them.
    """
    first, second, gone = a_stream("m1", 1), a_stream("m2", 2), a_stream("m3", 3)
    for stream in (first, second, gone):
        link.open_stream(stream)
    await until(lambda: gone.pending == 0)
    host.open.clear()
    for seq in (1, 2):
        link.submit(first, first.frame(seq))
    link.close_stream(gone, "GONE")
    await until(lambda: len(host.batches) == 2)
    link.submit(second, second.frame(1))
    host.break_link()
    await until(lambda: host.attachments == 2)
    await until(lambda: first.pending == 0 and second.pending == 0)
    sent_again = [message for batch in host.batches[2:] for message in batch]
    assert [
        "Connected",
        "FrameReceived1",
        "FrameReceived2",
        "Connected",
        "FrameReceived1",
        "Disconnected",
    ] == kinds(sent_again)
    assert [2, 1] == [first.acks[-1], second.acks[-1]]


async def test_a_machine_that_came_back_during_a_break_takes_over_from_nobody(
    host: ScriptedLink,
) -> None:
    """That its older stream is gone is said before its newer one: to the host, firmware without
    tokens would else be a stranger who takes over from a machine that lives.
    """
    link = a_link(host)
    older, newer = a_stream("m1", 1), a_stream("m1", 2)
    task = asyncio.create_task(link.run())
    link.open_stream(older)
    await until(lambda: older.pending == 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    link.close_stream(older, "GONE")
    link.open_stream(newer)
    before = len(host.received())
    task = asyncio.create_task(link.run())
    await until(lambda: newer.pending == 0)
    assert ["Disconnected", "Connected"] == kinds(host.received()[before:])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_who_comes_and_goes_while_the_host_is_away_is_not_told(host: ScriptedLink) -> None:
    """The host never heard of these streams, and an outage may bring any number of them."""
    link = a_link(host)
    for number in range(3 * QUICK.queue_max):
        stream = a_stream("m1", number)
        link.open_stream(stream)
        link.close_stream(stream, "GONE")
    assert 0 == link.stats().queued


async def test_pending_commands_of_a_broken_link(host: ScriptedLink, link: BatchedLink) -> None:
    """A command that was under way has an unknown outcome; one that was not sent yet goes with the
    next attachment.
    """
    host.open.clear()
    under_way = asyncio.create_task(link.command(a_command(1), timeout_s=5))
    await until(lambda: len(host.batches) == 1)
    queued = asyncio.create_task(link.command(a_command(2), timeout_s=5))
    await asyncio.sleep(0)
    host.break_link()
    with pytest.raises(HostUnavailable, match="broke; its outcome is unknown") as unknown:
        await under_way
    assert unknown.value.sent
    assert await queued == CommandDone(command_id="c2")
    assert 0 == link.stats().commands_waiting


async def test_commands_time_out(host: ScriptedLink, link: BatchedLink) -> None:
    """A command without an answer says whether it was sent."""
    host.open.clear()
    with pytest.raises(HostUnavailable, match="its outcome is unknown"):
        await link.command(a_command(1), timeout_s=0.01)
    with pytest.raises(HostUnavailable, match="nothing was sent"):
        await link.command(a_command(2), timeout_s=0.01)
    host.open.set()
    assert await link.command(a_command(3), timeout_s=5) == CommandDone(command_id="c3")
    assert [a_command(1), a_command(3)] == host.received()


async def test_a_host_that_does_not_answer(host: ScriptedLink) -> None:
    """An exchange that takes too long is a broken link."""
    link = a_link(host, replace(QUICK, exchange_timeout_s=0.01))
    task = asyncio.create_task(link.run())
    stream = a_stream()
    host.open.clear()
    link.open_stream(stream)
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
    """Whatever a link raises, the link goes on trying."""
    host = Failing()
    link = a_link(host)
    task = asyncio.create_task(link.run())
    await until(lambda: link.stats().attached)
    assert (0, 1) == (host.failures, link.stats().attachments)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_back_off_has_full_jitter() -> None:
    """Delays are drawn from a range that doubles up to its bound."""
    link = a_link(ScriptedLink(), LinkLimits(backoff_initial_s=0.1, backoff_max_s=0.5))
    assert [0.05, 0.1, 0.2, 0.25, 0.25] == [link._delay_s() for _ in range(5)]


# --- from the host ---


async def test_what_hosts_say_goes_to_the_stream(host: ScriptedLink, link: BatchedLink) -> None:
    """Deliveries reach their stream; one for a stream that is gone is counted."""
    stream = a_stream()
    link.open_stream(stream)
    host.push(
        StreamClosed(
            machine_id=stream.machine_id, stream_id=stream.stream_id, reason=CloseReason.HALTED
        ),
        _to_machine(StreamId("g1-99"), 1),
        CommandDone(command_id="nobody's"),
    )
    await until(lambda: stream.closed == [CloseReason.HALTED])
    assert 1 == link.stats().undeliverable


async def test_one_stream_that_fails(host: ScriptedLink, link: BatchedLink) -> None:
    """A stream on which delivering fails is closed; the link and other streams go on."""
    bad, good = a_stream("m1", 1), a_stream("m2", 2)
    bad.broken = True
    link.open_stream(bad)
    link.open_stream(good)
    await until(lambda: good.pending == 0)
    assert ["FAILED"] == bad.closed
    assert 1 == host.attachments


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("GONE", True),
        (CloseReason.SUPERSEDED, False),
        (CloseReason.UNKNOWN_MACHINE, False),
        (CloseReason.RETIRED, False),
    ],
)
async def test_disconnected(
    host: ScriptedLink, link: BatchedLink, reason: str, *, told: bool
) -> None:
    """A host hears once of a stream that is gone, unless it ended the stream's turn itself."""
    stream = a_stream()
    link.open_stream(stream)
    link.close_stream(stream, reason)
    link.close_stream(stream, reason)
    await link.flushed()
    events = [message.event for message in host.received() if isinstance(message, FromMachine)]
    gone = [Disconnected(stream_id=stream.stream_id, reason=reason)] if told else []
    assert [stream.connected, *gone] == events


@pytest.mark.parametrize(("wakes_within_s", "told"), [(60.0, True), (0.0, False)])
async def test_a_wake_up_that_waited_long_is_none(
    host: ScriptedLink, wakes_within_s: float, *, told: bool
) -> None:
    """The host has found what was saved by itself. Of a payment of yesterday the machine may not
    know any more: credited once more, it would break the ledger's key and be halted.
    """
    link = a_link(host, replace(QUICK, wakes_within_s=wakes_within_s))
    task = asyncio.create_task(link.run())
    await until(lambda: link.stats().attached)
    stream = a_stream()
    link.open_stream(stream)
    await link.flushed()
    host.batches.clear()
    host.reachable.clear()
    host.break_link()
    await until(lambda: not link.stats().attached)
    link.notify(a_notification(1))
    asked = asyncio.create_task(link.command(a_command(), timeout_s=HANGS_AFTER_S))
    link.close_stream(stream, CloseReason.OVERLOADED)
    await until(lambda: link.stats().queued == 3)
    host.reachable.set()
    assert "c1" == (await asked).command_id
    found = kinds(host.received())
    assert sorted([*(["Notified"] if told else []), "Commanded", "Disconnected"]) == sorted(found)
    assert (0 if told else 1) == link.stats().notifications_dropped
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_flushed(host: ScriptedLink) -> None:
    """Stopping waits for what is queued, but not for ever."""
    link = a_link(host, replace(QUICK, stop_timeout_s=0.01))
    wake_up = a_notification(1)
    link.notify(wake_up)
    await link.flushed()
    assert 1 == link.stats().queued
    task = asyncio.create_task(link.run())
    await until(lambda: link.stats().queued == 0)
    await link.flushed()
    assert [wake_up] == host.received()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Talkative(ScriptedLink):
    """A host that has always something to say at once, so many times; then it is as others."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.listened = 0

    async def listen(self, attachment: str) -> Delivery:
        """Answer without giving the loop away."""
        self.listened += 1
        if self.listened > self.times:
            return await super().listen(attachment)
        return self._delivery([_to_machine(StreamId("g1-99"), 1)])


async def test_a_host_that_always_answers_leaves_the_loop_to_others() -> None:
    """Between two of its deliveries whoever else waits in the gateway has a turn."""
    host = Talkative(times=50)
    link = a_link(host)
    seen: set[int] = set()

    async def look() -> None:
        while host.listened <= host.times:
            seen.add(host.listened)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(link.run()), asyncio.create_task(look())]
    await until(lambda: host.listened > host.times)
    assert set(range(1, 51)) == seen - {0}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Followed(ScriptedLink):
    """A host that freezes in a listen of the first attachment. It answers that one when it thaws,
    whoever hears it; its successor serves under its name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.late: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()
        self.listened_to = 0

    async def listen(self, attachment: str) -> Delivery:
        """What ends the gateway's wait does not end the host's work."""
        if attachment != "g1@1":
            return await super().listen(attachment)
        self.listened_to += 1
        return await asyncio.shield(self.late)

    def thaw(self, message: ToMachine) -> None:
        """Say it under the number that the gateway expects next of the successor."""
        self.late.set_result(Delivery(number=self._number + 1, messages=(message,)))


async def test_what_a_host_says_that_was_followed_reaches_no_machine() -> None:
    """Its attachment is over: a command that it had committed under its epoch is dropped, and the
    machine hears what its successor says, so that no epoch is needed beside it.
    """
    stream, host = a_stream(), Followed()
    link = a_link(host)
    link.open_stream(stream)
    task = asyncio.create_task(link.run())
    await until(lambda: stream.pending == 0 and host.listened_to == 1)
    host.break_link()
    link.submit(stream, stream.frame(1))  # the call that finds it
    await until(lambda: 1 in stream.acks)
    host.thaw(_to_machine(stream.stream_id, 99))
    for _ in range(10):  # Who still listened to it would have heard it by now.
        await asyncio.sleep(0)
    assert [None, None, 1] == stream.acks
    host.push(_to_machine(stream.stream_id, 2))
    await until(lambda: 2 in stream.acks)
    assert 2 == link.stats().attachments
    assert [None, None, 1, 2] == stream.acks
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
