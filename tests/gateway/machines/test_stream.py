"""The stream's own parts; the rest is seen through the service."""

from pathlib import Path
from typing import Any

import grpc

from actors.machine import effects, events
from actors.machine.ids import BootId, Currency, MachineId, StreamId, VendId
from actors.machine.policy import Policy
from actors.machine.state import Mode
from actors.machine.values import replace
from gateway.machines.moving import Moving
from gateway.machines.stream import Stream
from gateway.machines.translate import BadFrame, Greeting
from gateway.rpc.limits import EdgeLimits
from gateway.v1 import machine_pb2 as wire
from tests.alipay_client.wire import Pair
from tests.support.edge import FixedClock, MachineCall, running_edge
from tests.support.fleet_calls import registered
from tests.support.patience import until
from tests.support.site import Site, SiteClock, a_site
from tests.support.site_machine import a_door, approved

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


# --- two devices with one identity, over the real host ---

TOKENS = wire.Capabilities(resume_token=True)


class StandingClock(SiteClock):
    """All of a test happens within one minute, however long it takes."""

    at_ms = SiteClock().now_ms()

    def now_ms(self) -> int:
        """Return the same time always."""
        return self.at_ms


async def test_two_devices_with_one_identity(
    tmp_path: Path, upgraded_file: Path, pair: Pair
) -> None:
    """What one of them was approved the other does not sell; a person is told, takeovers are
    counted, and in a minute there are only so many, whoever comes back how often.
    """
    async with (
        a_site(tmp_path, upgraded_file, pair, clock=StandingClock()) as site,
        a_door(site) as open_stream,
    ):
        code = (await registered(site)).qr_payload
        own, double = open_stream(), open_stream()
        welcome = await own.hello("VM-1", boot_id="own", capabilities=TOKENS, planogram_version=1)
        token = welcome.welcome.resume_token
        vend_id = await approved(site, own, code)

        stranger = await double.hello("VM-1", boot_id="double", planogram_version=1)
        assert not stranger.welcome.HasField("session")
        assert (grpc.StatusCode.ABORTED, True) == _is_superseded(*await own.end())
        await double.say(1, vend_success={"vend_id": vend_id})
        while (await double.hear()).ack < 1:
            pass

        vend = await site.queries.vend(vend_id)
        assert vend is not None
        assert ("IN_REVIEW", "CONTRADICTED") == (vend.status, vend.reason)
        (balance,) = await site.queries.balances()
        assert (0, 500) == (balance.money_sold_minor, balance.money_held_minor)
        assert ["MACHINE_ALARM", "VEND_IN_REVIEW"] == sorted(await waiting(site))

        answers = [await come_back(open_stream(), number, token) for number in range(15)]
        most = Policy().takeovers_a_minute_max
        assert ["welcome"] * (most - 1) + ["RESOURCE_EXHAUSTED"] * (16 - most) == answers
        ended = site.gateway.machines.stats
        await until(lambda: 16 - most == ended().ended.get("TAKEOVERS"))
        metrics = (await site.http.get("/metrics")).text
        assert f'vendgate_takeovers_total{{by="refused"}} {16 - most}.0' in metrics
        assert most == sum(ended().taken_over.values())
        assert ended().taken_over["STRANGER"] >= 1
        assert f'{{by="stranger"}} {ended().taken_over["STRANGER"]}.0' in metrics
        assert ["MACHINE_ALARM", "VEND_IN_REVIEW"] == sorted(await waiting(site))


def _is_superseded(code: grpc.StatusCode, details: str) -> tuple[grpc.StatusCode, bool]:
    return code, "took over" in details


async def waiting(site: Site) -> list[str]:
    """What waits for a person."""
    now_ms = site.clock.now_ms()
    return [item.kind for item in await site.queries.work_items(limit=9, now_ms=now_ms)]


async def come_back(device: MachineCall, number: int, token: str) -> str:
    """Connect one of the two in its turn, each time after a power cut; say how it went."""
    resume_token = token if number % 2 else ""
    await device.say(
        hello=wire.Hello(
            machine_id="VM-1",
            boot_id=f"again-{number}",
            capabilities=TOKENS,
            planogram_version=1,
            resume_token=resume_token,
        )
    )
    try:
        return (await device.hear()).WhichOneof("payload") or ""
    except grpc.aio.AioRpcError as ended:
        return ended.code().name


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
        moving=Moving(window_s=10.0, monotonic=lambda: 1.0),
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
