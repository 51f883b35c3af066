"""How long a customer waits for a host that does not answer."""

from collections.abc import AsyncIterator

import pytest

from actors.link import FromMachine
from actors.machine import effects
from actors.machine.events import FrameReceived, VendRequested, VendTurnedAway
from actors.machine.ids import RequestId, SessionId, StreamId, VendId
from actors.machine.state import DenyReason, EndReason
from actors.machine.values import replace
from gateway.machines.asking import Asking
from gateway.machines.window import Window
from gateway.v1 import machine_pb2 as wire
from tests.support.edge import Edge, running_edge
from tests.support.patience import until
from tests.support.scripted_link import a_welcome

WISH = VendRequested(request_id=RequestId("r1"), column="A1", price_minor=500, planogram_version=1)
ASKED = wire.VendRequest(request_id="r1", column="A1", price_minor=500, planogram_version=1)


def asking() -> tuple[Asking, Window]:
    """A request that was read at 100 s."""
    window = Window(StreamId("g-1"))
    one = Asking(window, within_s=3.0)
    window.take(1, WISH, answers_come=True)
    one.began(WISH.request_id, 100.0)
    return one, window


def denial(funds_minor: int = 0) -> effects.DenyVend:
    """What the machine is told."""
    return effects.DenyVend(
        request_id=RequestId("r1"), reason=DenyReason.BACKEND_UNAVAILABLE, funds_minor=funds_minor
    )


def test_it_is_denied_once_and_used_up() -> None:
    """Not before its time; a new link is told that it was turned away, under its own number."""
    one, window = asking()
    assert [] == one.denials(102.9)
    assert [denial()] == one.denials(103.0)
    assert [] == one.denials(200.0)
    away = VendTurnedAway(request_id=RequestId("r1"), reason=DenyReason.BACKEND_UNAVAILABLE)
    assert [(1, away)] == [(frame.seq, frame.fact) for frame in window.frames()]


def test_what_was_turned_away_is_not_asked_again() -> None:
    """The machine that repeats its frame on this stream is not heard a second time."""
    one, window = asking()
    one.denials(103.0)
    assert None is window.take(1, WISH, answers_come=False)
    other = VendRequested(
        request_id=RequestId("r2"), column="A1", price_minor=500, planogram_version=1
    )
    assert None is not window.take(1, other, answers_come=True)


def test_a_request_that_was_saved_is_the_hosts() -> None:
    """It has a deadline of its own there: its customer may have to pay first."""
    one, window = asking()
    window.acknowledged(1)
    one.acknowledged()
    assert [] == one.denials(200.0)


def test_what_else_is_saved_saves_no_request() -> None:
    """A frame before it was acknowledged; the request still waits."""
    one, window = asking()
    window.acknowledged(0)
    one.acknowledged()
    one.began(WISH.request_id, 102.0)
    assert [denial()] == one.denials(103.0)


def test_each_request_has_its_own_time() -> None:
    """One that its host denied without saving it is denied no second time, and the next one does
    not pay for its wait.
    """
    one, window = asking()
    one.heard(denial(), 100.1)
    other = replace(WISH, request_id=RequestId("r2"))
    window.take(2, other, answers_come=True)
    one.began(other.request_id, 102.9)
    assert [] == one.denials(103.0)
    assert 105.9 == one.ends_at
    assert [replace(denial(), request_id=RequestId("r2"))] == one.denials(105.9)


@pytest.mark.parametrize(
    ("command", "funds_minor"),
    [
        (
            effects.BeginSession(session_id=SessionId("s1"), funds_minor=700, expires_in_ms=1_000),
            700,
        ),
        (
            effects.UpdateFunds(session_id=SessionId("s1"), funds_minor=200, expires_in_ms=1_000),
            200,
        ),
        (replace(denial(300), request_id=RequestId("r0")), 300),
        (
            effects.EndSession(
                session_id=SessionId("s1"), reason=EndReason.UNAVAILABLE, refund_minor=0
            ),
            0,
        ),
        (
            effects.ApproveVend(
                vend_id=VendId("v1"),
                request_id=RequestId("r0"),
                column="A1",
                amount_minor=1,
                valid_for_ms=1,
            ),
            100,
        ),
    ],
)
def test_a_denial_says_what_the_customer_has(
    command: effects.MachineCommand, funds_minor: int
) -> None:
    """As the host told it last."""
    one, _ = asking()
    one.heard(
        effects.UpdateFunds(session_id=SessionId("s1"), funds_minor=100, expires_in_ms=1), 101
    )
    one.heard(command, 101)
    assert [denial(funds_minor)] == one.denials(103.0)


def test_a_request_s_first_answer_is_told_once() -> None:
    """What comes after it, and what answers nothing, is none."""
    told = list[tuple[str, float]]()
    one = Asking(Window(StreamId("g-1")), within_s=3.0, answered=lambda *was: told.append(was))
    show = effects.ShowQr(
        request_id=RequestId("r1"), qr_payload="q", amount_minor=5, expires_in_ms=1
    )
    one.heard(denial(0), 100.5)
    one.began(WISH.request_id, 101.0)
    for command in (a_welcome(), show, denial(0)):
        one.heard(command, 101.25)

    assert [("payment_asked", 0.25)] == told


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    """A machine side with default limits."""
    async with running_edge() as running:
        yield running


async def test_a_customer_does_not_wait_for_a_host_that_is_away(edge: Edge) -> None:
    """Denied within seconds, over real gRPC. The host that comes back hears of a request that was
    turned away, and acknowledges its number.
    """
    machine = await edge.welcomed()
    edge.link.reachable.clear()
    edge.link.break_link()
    await until(lambda: not edge.links.stats()[0].attached)
    await machine.say(1, vend_request=ASKED)
    await until(lambda: 2 == edge.service.stats().frames_received)
    edge.service.look_after()
    edge.spans.at_s += edge.service.limits.answer_timeout_s + 0.1
    edge.service.look_after()
    denied = (await machine.hear()).vend_denied
    assert ("r1", wire.VEND_DENIED_REASON_BACKEND_UNAVAILABLE) == (denied.request_id, denied.reason)
    edge.link.reachable.set()
    assert 1 == (await machine.hear()).ack
    facts = [
        message.event.fact
        for message in edge.link.received()
        if isinstance(message, FromMachine) and isinstance(message.event, FrameReceived)
    ]
    assert [VendTurnedAway] == [type(fact) for fact in facts]
