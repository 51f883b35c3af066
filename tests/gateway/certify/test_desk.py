"""The examiner's end of the streams, with a machine played by hand."""

import asyncio
from typing import Any

import grpc
import pytest

from gateway.certify import desk as desk_module
from gateway.certify.desk import Call, Desk, Ending, ExamTerms, Unplayed
from gateway.certify.hands import HandAct, NoHands
from gateway.certify.moments import MomentKind
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.gateway.certify.examined import MemoryWire

pytestmark = pytest.mark.virtual_time


def new_desk() -> Desk:
    loop = asyncio.get_running_loop()
    return Desk(
        terms=ExamTerms(mark="x"), hands=NoHands(), now_ms=lambda: round(loop.time() * 1_000)
    )


class Machine:
    """Says what it is told to say."""

    serving: asyncio.Task[Ending | None]

    def __init__(self, desk: Desk) -> None:
        self.wire = MemoryWire()
        self.serving = asyncio.create_task(desk.serve(self.wire))

    def say(self, seq: int = 0, **payload: Any) -> None:
        self.wire.up.put_nowait(service_pb.ConnectRequest(seq=seq, **payload))

    def hello(self, boot_id: str = "b1", machine_id: str = "VM-0001") -> None:
        self.say(hello=pb.Hello(machine_id=machine_id, boot_id=boot_id))

    async def hear(self, payload: str | None) -> service_pb.ConnectResponse:
        while True:
            frame = await self.wire.down.get()
            if frame.WhichOneof("payload") == payload:
                return frame


async def welcomed(desk: Desk) -> tuple[Machine, Call]:
    machine = Machine(desk)
    machine.hello()
    call = await desk.online()
    await machine.hear("planogram_update")
    return machine, call


async def test_frames_are_saved_in_order() -> None:
    """Left alone the desk acknowledges, and complains of a gap."""
    desk = new_desk()
    machine, _ = await welcomed(desk)

    machine.say(1, reader_enable=pb.ReaderEnable())
    assert 1 == (await machine.hear(None)).ack
    machine.say(3, fault=pb.Fault(code="EJB"))
    assert 2 == (await machine.hear("protocol_error")).protocol_error.expected_seq
    assert 1 == desk.saved["b1"]


async def test_what_is_held_is_heard_and_not_saved() -> None:
    """And ``release`` saves it."""
    desk = new_desk()
    machine, call = await welcomed(desk)

    call.holding = True
    machine.say(1, reader_enable=pb.ReaderEnable())
    assert 0 == (await machine.hear(None)).ack
    await call.release()
    assert 1 == (await machine.hear(None)).ack


async def test_a_newer_stream_takes_over() -> None:
    """The older one ends with ABORTED, and the numbers of the boot go on."""
    desk = new_desk()
    machine, _ = await welcomed(desk)
    machine.say(1, reader_enable=pb.ReaderEnable())
    await machine.hear(None)
    second = Machine(desk)
    second.hello()
    await desk.until(lambda: len(desk.seen_since(0).hellos()) == 2 or None, 1_000)
    await desk.online()

    assert 1 == (await second.hear("welcome")).welcome.last_seq
    ending = await machine.serving
    assert ending is not None
    assert grpc.StatusCode.ABORTED is ending.code


async def test_a_session_that_is_complete_ends() -> None:
    """As the product ends it."""
    desk = new_desk()
    machine, _ = await welcomed(desk)
    desk.session_id = "s1"

    machine.say(1, session_complete=pb.SessionComplete(session_id="s1"))
    assert "s1" == (await machine.hear("end_session")).end_session.session_id
    assert "" == desk.session_id


async def test_a_silent_desk_answers_nothing() -> None:
    """As a dead connection does."""
    desk = new_desk()
    machine, call = await welcomed(desk)

    call.silent = True
    machine.say(heartbeat=pb.Heartbeat())
    await desk.wait(1_000)
    assert machine.wire.down.empty()


async def test_who_hangs_up_is_written_down() -> None:
    """And who never calls is told of."""
    desk = new_desk()
    machine, call = await welcomed(desk)

    machine.wire.up.put_nowait(None)
    assert await machine.serving is None
    assert call.over
    assert MomentKind.CLOSED is desk.moments[-1].kind
    with pytest.raises(Unplayed, match="no stream with a Hello came within 5 s"):
        await desk.next_call(5_000)


async def test_who_reads_nothing_ends_nobodys_examination(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its window is full and stays so: the stream ends, as at the gateway, and the play goes on."""

    async def stuck(_wire: MemoryWire, _frame: service_pb.ConnectResponse) -> None:
        await asyncio.Event().wait()

    desk = new_desk()
    machine, call = await welcomed(desk)
    monkeypatch.setattr(MemoryWire, "write", stuck)
    async with asyncio.timeout(60):
        await call.say()
    ending = await machine.serving
    assert ending is not None
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is ending.code
    assert call.over


async def test_what_nobody_can_do_ends_the_play() -> None:
    """With the act in its sentence."""
    with pytest.raises(Unplayed, match="select A1"):
        await new_desk().act(HandAct.SELECT, "A1")


async def test_a_flood_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recording is bounded."""
    monkeypatch.setattr(desk_module, "MOMENTS_MAX", 2)
    desk = new_desk()
    desk.record(MomentKind.HAND)
    desk.record(MomentKind.HAND)
    with pytest.raises(Unplayed, match="floods"):
        desk.record(MomentKind.HAND)


async def test_another_machine_is_turned_away() -> None:
    """Neither its stream nor its Hello is judged, and it is told to come later."""
    desk = new_desk()
    _, call = await welcomed(desk)
    other = Machine(desk)
    other.hello("b9", machine_id="VM-0002")

    ending = await other.serving
    assert ending is not None
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is ending.code
    assert ending.retry_after_ms > 0
    assert call is await desk.online()
    assert {"VM-0001"} == {
        each.said_by_machine.hello.machine_id for each in desk.seen_since(0).hellos()
    }
    assert 1 == len(desk.seen_since(0).of(MomentKind.OPENED))
    assert ["VM-0002"] == [each.text for each in desk.seen_since(0).of(MomentKind.STRANGER)]


async def test_a_flood_of_bytes_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the examiner's memory ends."""
    monkeypatch.setattr(desk_module, "HEARD_BYTES_MAX", 200)
    desk = new_desk()
    machine, _ = await welcomed(desk)
    for seq in range(1, 9):
        machine.say(seq, fault=pb.Fault(code="EGS", detail="d" * 60))

    ending = await machine.serving
    assert ending is not None
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is ending.code


async def test_who_hangs_up_without_a_hello_is_nobody() -> None:
    """Somebody else who calls and goes again has not hung up for the machine."""
    desk = new_desk()
    await welcomed(desk)
    visitor = Machine(desk)
    visitor.wire.up.put_nowait(None)
    assert await visitor.serving is None

    assert [] == desk.seen_since(0).of(MomentKind.CLOSED)
    assert [2] == [each.stream for each in desk.seen_since(0).of(MomentKind.NAMELESS)]
