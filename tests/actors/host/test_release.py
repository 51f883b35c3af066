"""What leaves a host: after a COMMIT what the turns ordered, and without one only a refusal."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import pytest

from actors.host.attachment import Attachment, Receipt
from actors.host.calls import Calls
from actors.host.gateways import Gateways
from actors.host.release import Refusals, Release
from actors.host.runner import Core, Letter, Runner, Turn
from actors.link import CloseReason, CommandDone, FromHost, StreamClosed, ToMachine
from actors.machine.decision import Decision
from actors.machine.effects import CloseStream, DenyVend, Effect, EndSession, SendRefund, ShowQr
from actors.machine.events import (
    Connected,
    Disconnected,
    Event,
    FrameReceived,
    PlanogramAcknowledged,
    StockCounted,
    TopUpPaid,
    VendRequested,
    VendTurnedAway,
)
from actors.machine.ids import (
    BootId,
    Currency,
    MachineId,
    RefundId,
    RequestId,
    SessionId,
    StreamId,
    TradeId,
)
from actors.machine.incident import FaultReported
from actors.machine.policy import Policy
from actors.machine.state import DenyReason, EndReason, Link, MachineState
from actors.machine.values import replace
from tests.support.loaded import as_loaded
from tests.support.stage import Provider

pytestmark = pytest.mark.virtual_time
VM, S_1, S_2 = MachineId("VM-1"), StreamId("s-1"), StreamId("s-2")
STATE = MachineState(
    machine_id=VM,
    currency=Currency("HKD"),
    link=Link(online=True, stream_id=S_1, boot_id=BootId("b-1"), last_seq=4),
)
QR = ShowQr(request_id=RequestId("r-1"), qr_payload="q", amount_minor=5, expires_in_ms=9)
ENDED = EndSession(session_id=SessionId("s"), reason=EndReason.COMPLETE, refund_minor=0)


@dataclass(kw_only=True)
class Scene:
    """A machine that is loaded and connected through one gateway."""

    provider: Provider = field(default_factory=Provider)
    counts: Counter[str] = field(default_factory=Counter)
    gateways: Gateways = field(
        default_factory=lambda: Gateways(
            name="h", outbox_max=10, attachments_max=2, reattach_s=30.0
        )
    )

    def __post_init__(self) -> None:
        self.calls = Calls(self.provider, in_flight_max=4, answered=lambda *_: None)
        self.release = Release(self.gateways, self.calls)
        self.refusals = Refusals(self.gateways, self.counts)
        self.attachment: Attachment = self.gateways.attach("gw-1")
        self.runner = Runner(machine_id=VM, core=Core(), fleet_policy=Policy())
        self.runner.adopt(as_loaded(STATE))
        self.gateways.enter(self.runner, self.attachment, hello(S_1))

    def turn(self, event: Event, *effects: Effect, last_seq: int = 4, **letter: object) -> Turn:
        """Make a turn that is saved."""
        state = replace(STATE, link=replace(STATE.link, last_seq=last_seq))
        return Turn(
            runner=self.runner,
            letter=Letter(event=event, **letter),  # type: ignore[arg-type]  # names are the test's
            decision=Decision(state=state, effects=effects, notes=("a note",)),
            now_ms=1,
        )

    def sent(self) -> list[FromHost]:
        """Return what waits for the gateway."""
        return list(self.attachment.take().messages)


def hello(stream_id: StreamId) -> Connected:
    """A stream of the machine begins."""
    return Connected(
        stream_id=stream_id, opened_at_ms=0, boot_id=BootId("b-1"), planogram_version=1
    )


def fault(seq: int, stream_id: StreamId = S_1) -> FrameReceived:
    """A frame of the machine."""
    return FrameReceived(stream_id=stream_id, seq=seq, fact=FaultReported(code="EB"))


def choice(seq: int) -> FrameReceived:
    """The customer chose."""
    fact = VendRequested(
        request_id=RequestId("r-1"), column="A1", price_minor=500, planogram_version=1
    )
    return FrameReceived(stream_id=S_1, seq=seq, fact=fact)


async def test_one_message_for_a_stream_with_the_last_acknowledgement() -> None:
    """Commands of several turns leave together, in their order."""
    scene = Scene()
    scene.release.release(
        [scene.turn(fault(5), QR, last_seq=5), scene.turn(fault(6), ENDED, last_seq=6)]
    )

    assert [ToMachine(machine_id=VM, stream_id=S_1, ack=6, commands=(QR, ENDED))] == scene.sent()


async def test_what_no_frame_caused_acknowledges_nothing() -> None:
    """A payment's commands go to the stream that is there."""
    scene = Scene()
    paid = TopUpPaid(
        trade_id=TradeId("t"),
        partner_trans_id="o",
        amount_minor=5,
        currency=Currency("HKD"),
        paid_at_ms=0,
    )
    scene.release.release([scene.turn(paid, QR)])

    assert [ToMachine(machine_id=VM, stream_id=S_1, ack=None, commands=(QR,))] == scene.sent()


async def test_a_stream_is_closed_after_its_last_commands() -> None:
    """It has no route afterwards; a stream that never had one is reached where its frame came
    from.
    """
    scene = Scene()
    other = scene.gateways.attach("gw-2")
    closing = [
        CloseStream(stream_id=stream, reason=CloseReason.SUPERSEDED) for stream in (S_1, S_2)
    ]
    scene.release.release(
        [
            scene.turn(fault(5), QR, closing[0], last_seq=5, attachment=scene.attachment),
            scene.turn(fault(1, S_2), closing[1], attachment=other),
        ]
    )

    message, closed = scene.sent()
    assert isinstance(message, ToMachine)
    assert StreamClosed(machine_id=VM, stream_id=S_1, reason=CloseReason.SUPERSEDED) == closed
    assert {} == scene.runner.routes
    assert [S_2] == [
        one.stream_id for one in other.take().messages if isinstance(one, StreamClosed)
    ]


async def test_an_order_to_alipay_is_a_call() -> None:
    """It is made once, at the machine's place and in its currency."""
    scene = Scene()
    order = SendRefund(
        refund_id=RefundId("t-1R1"),
        trade_id=TradeId("t-1"),
        partner_trans_id="o",
        amount_minor=5,
        currency=Currency("HKD"),
    )
    scene.release.release([scene.turn(StockCounted(column="A1", stock=1), order)])
    await asyncio.sleep(1)

    assert [(VM, order)] == scene.provider.calls


async def test_a_command_is_answered_with_its_notes_and_its_receipt_is_settled() -> None:
    """The exchange that brought it may return."""
    scene, receipt = Scene(), Receipt()
    receipt.expect()
    counted = StockCounted(column="A1", stock=1)
    scene.release.release(
        [scene.turn(counted, attachment=scene.attachment, command_id="c-1", receipt=receipt)]
    )

    assert [CommandDone(command_id="c-1", notes=("a note",))] == scene.sent()
    await receipt.wait(60)
    assert 0 == asyncio.get_running_loop().time()


async def test_the_end_of_a_stream_takes_its_route_away() -> None:
    """Nothing is sent to where nobody is."""
    scene = Scene()
    scene.release.release([scene.turn(Disconnected(stream_id=S_1))])

    assert ([], {}) == (scene.sent(), scene.runner.routes)


# --- without a COMMIT ---


async def test_each_kind_of_letter_is_refused_in_its_own_way() -> None:
    """A command is answered, a stream closed, an end taken, a notification left in the inbox."""
    scene, receipt = Scene(), Receipt()
    scene.refusals.inbox_waiting = {7}
    counted = StockCounted(column="A1", stock=1)
    letters = [
        Letter(event=counted, attachment=scene.attachment, command_id="c-1", receipt=receipt),
        Letter(event=fault(5), attachment=scene.attachment, receipt=receipt),
        Letter(event=Disconnected(stream_id=S_1), receipt=receipt),
        Letter(event=counted, inbox_id=7, receipt=receipt),
    ]
    for _ in letters:
        receipt.expect()
    scene.refusals.refuse(scene.runner, letters, CloseReason.OVERLOADED)

    assert [
        CommandDone(command_id="c-1", refusal=CloseReason.OVERLOADED),
        StreamClosed(machine_id=VM, stream_id=S_1, reason=CloseReason.OVERLOADED),
    ] == scene.sent()
    assert ({}, set(), 4) == (
        scene.runner.routes,
        scene.refusals.inbox_waiting,
        scene.counts["refused"],
    )
    await receipt.wait(60)
    assert 0 == asyncio.get_running_loop().time()


async def test_an_acknowledgement_that_is_not_taken_ends_its_stream() -> None:
    """The machine says in its next Hello which planogram it shows; else nobody would say it."""
    scene = Scene()
    shown = PlanogramAcknowledged(stream_id=S_1, planogram_version=2)
    letter = Letter(event=shown, attachment=scene.attachment)
    scene.refusals.refuse(scene.runner, [letter], CloseReason.OVERLOADED)
    assert [
        StreamClosed(machine_id=VM, stream_id=S_1, reason=CloseReason.OVERLOADED)
    ] == scene.sent()


async def test_a_halt_closes_all_streams_and_says_why_to_administrators() -> None:
    """The machine's customers are not served, and its money waits."""
    scene = Scene()
    waiting = Letter(
        event=StockCounted(column="A1", stock=1), attachment=scene.attachment, command_id="c-1"
    )
    scene.refusals.halt(scene.runner, "a defect", [waiting])

    assert scene.runner.halted
    assert [
        StreamClosed(machine_id=VM, stream_id=S_1, reason=CloseReason.HALTED),
        CommandDone(command_id="c-1", refusal=CloseReason.HALTED, notes=("a defect",)),
    ] == scene.sent()
    assert {} == scene.runner.routes
    assert 1 == scene.counts["halted"]


async def test_only_new_requests_are_turned_away() -> None:
    """The denial leaves without an acknowledgement; a letter that uses up the number waits."""
    scene = Scene()
    letters = [
        Letter(event=fault(5), attachment=scene.attachment),
        Letter(event=choice(6), attachment=scene.attachment),
        Letter(event=choice(4), attachment=scene.attachment),
    ]
    kept = scene.refusals.turn_away(scene.runner, letters)

    assert [letters[0], letters[2]] == [kept[0], kept[2]]
    away = kept[1].event
    assert isinstance(away, FrameReceived)
    assert (6, VendTurnedAway) == (away.seq, type(away.fact))
    denial = DenyVend(
        request_id=RequestId("r-1"), reason=DenyReason.BACKEND_UNAVAILABLE, funds_minor=0
    )
    assert [ToMachine(machine_id=VM, stream_id=S_1, ack=None, commands=(denial,))] == scene.sent()


async def test_a_request_of_a_lost_attachment_is_left_out() -> None:
    """Its gateway repeats it; nobody can be sent the denial now."""
    scene, receipt = Scene(), Receipt()
    receipt.expect()
    scene.attachment.close()
    letter = Letter(event=choice(5), attachment=scene.attachment, receipt=receipt)

    assert [] == scene.refusals.turn_away(scene.runner, [letter])
    await receipt.wait(60)
    assert 0 == asyncio.get_running_loop().time()
