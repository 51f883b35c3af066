"""The stream's own parts; the rest is seen through the service."""

from typing import Any

from actors.machine import effects, events
from actors.machine.ids import BootId, Currency, MachineId, StreamId, VendId
from actors.machine.state import Mode
from actors.machine.values import replace
from gateway.machines.stream import Stream
from gateway.machines.translate import BadFrame, Greeting
from gateway.rpc.limits import EdgeLimits
from gateway.v1 import machine_pb2 as wire
from tests.support.edge import FixedClock, running_edge

READY = {"reader_enable": wire.ReaderEnable()}


def test_a_journal_that_was_taken_in_is_not_told_again() -> None:
    """Once Welcome came, Hello is sent again without its journal: what it says is older than the
    vends of the stream.
    """
    entry = events.JournalEntry(vend_id=VendId("VM-1-v1"), stage=events.JournalStage.MOTOR_ON)
    hello = events.Connected(
        stream_id=StreamId("g-1"),
        opened_at_ms=1,
        boot_id=BootId("b1"),
        journal=(entry,),
        remarks=("hello.mode: number 7 is not known here",),
    )
    stream = a_stream()
    stream.connected = hello
    welcome = effects.Welcome(
        session_id=None,
        funds_minor=0,
        vend_id=None,
        planogram_version=1,
        last_seq=0,
        currency=Currency("HKD"),
        qr_payload="",
        mode=Mode.BOTH,
        in_service=True,
    )

    stream.deliver(0, (welcome,))

    assert replace(hello, journal=(), journal_lost=True, remarks=()) == stream.connected


# --- frames that wait for their host ---


def test_a_frame_that_cannot_be_read_goes_to_the_core_under_its_number() -> None:
    """So it is used up, and what stands behind it keeps its own."""
    stream, link = joined()
    bad = BadFrame(
        code=wire.PROTOCOL_ERROR_CODE_BAD_FIELD, seq=1, detail="fault.code: no", numbered=True
    )
    stream._take(bad, link)
    expected = events.FrameNotRead(code=effects.RejectCode.BAD_FIELD, detail="fault.code: no")
    assert [(1, expected)] == [(frame.seq, frame.fact) for frame in link.submitted]


async def test_bad_frames_do_not_end_the_stream() -> None:
    """A frame that breaks a rule, or has no payload, gets a ProtocolError; its host uses its number
    up, and those behind it keep theirs.
    """
    async with running_edge() as edge:
        machine = await edge.welcomed()
        await machine.say(1, **READY)
        await machine.hear()
        await machine.say(2, fault=wire.Fault(code="much too long for a code"))
        answer = await machine.hear()
        assert wire.PROTOCOL_ERROR_CODE_BAD_FIELD == answer.protocol_error.code
        assert (2, 2, 3) == (
            answer.ack,
            answer.protocol_error.seq,
            answer.protocol_error.expected_seq,
        )
        await machine.say(3)
        answer = await machine.hear()
        assert (3, wire.PROTOCOL_ERROR_CODE_UNKNOWN_PAYLOAD) == (
            answer.ack,
            answer.protocol_error.code,
        )
        await machine.say(4, **READY)
        assert 4 == (await machine.hear()).ack
        assert [1, 2, 3, 4] == edge.link.frames()


class _Link:
    """Takes what a stream submits."""

    def __init__(self) -> None:
        self.submitted: list[Any] = []

    def open_stream(self, stream: Stream) -> None:
        """Nothing waits."""

    def submit(self, _stream: Stream, frame: events.FrameReceived) -> None:
        """One more."""
        self.submitted.append(frame)


def a_stream() -> Stream:
    return Stream(
        None,  # type: ignore[arg-type]  # not used here
        stream_id=StreamId("g-1"),
        limits=EdgeLimits(),
        clock=FixedClock(),
        monotonic=lambda: 1.0,
    )


def joined() -> tuple[Stream, Any]:
    stream, link = a_stream(), _Link()
    greeting = Greeting(
        machine_id=MachineId("VM-1"),
        boot_id=BootId("b1"),
        firmware="",
        planogram_version=1,
        last_acked_seq=0,
        journal=(),
        journal_lost=False,
    )
    stream.join(link, greeting, opened_at_ms=1)  # type: ignore[arg-type]  # it has what a stream uses
    return stream, link
