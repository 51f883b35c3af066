"""What a host tells of purchases: each step once it is saved, under one trace."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest
import structlog

from actors.machine.effects import ApproveVend
from actors.machine.events import SessionCompleted, VendSucceeded
from actors.machine.ids import SessionId, VendId
from actors.spans import Span
from tests.support.stage import Stage, request

pytestmark = pytest.mark.virtual_time

SESSION, VEND, REFUND = "VM-1-s1", "VM-1-v1", "t-1R1_500"


class Told:
    """All spans, in their order."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def __call__(self, spans: Iterable[Span]) -> None:
        self.spans += spans

    def named(self, name: str) -> Span:
        """The one of this name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture
async def told() -> AsyncIterator[tuple[Stage, Told]]:
    """A host that tells, and its machine on a stream; a customer has paid."""
    stage, told = Stage(), Told()
    stage.tell = told
    stage.host = stage.new_host()
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    await stage.gateway.give(stage.gateway.paid("t-1"))
    await asyncio.sleep(1)
    yield stage, told
    await stage.host.stop()


async def test_a_purchase_is_one_trace(told: tuple[Stage, Told]) -> None:
    """From the notification over the vend to the refund of the rest: each step has its place in the
    whole, and whoever is named there is a machine.
    """
    stage, spans = told
    await stage.gateway.give(stage.gateway.frame(request("r-1")))
    await asyncio.sleep(2)
    done = VendSucceeded(vend_id=VendId(VEND))
    await stage.gateway.give(stage.gateway.frame(done))
    stage.provider.gate = asyncio.Event()
    await stage.gateway.give(stage.gateway.frame(SessionCompleted(session_id=SessionId(SESSION))))
    await asyncio.sleep(3)
    stage.provider.gate.set()
    await asyncio.sleep(1)

    assert {SESSION} == {span.trace for span in spans.spans}
    keys = [span.key for span in spans.spans]
    assert len(keys) == len(set(keys))
    parents = {
        "TopUpPaid": "",
        "VendRequested": VEND,
        "VendSucceeded": VEND,
        "vend": "",
        "refund": "",
        "session": "",
        "Alipay: SendRefund": REFUND,
        "RefundSucceeded": REFUND,
    }
    assert parents == {name: spans.named(name).parent for name in parents}
    asked, vend, call = (
        spans.named(name) for name in ("VendRequested", "vend", "Alipay: SendRefund")
    )
    assert "ApproveVend" in str(asked.attributes["orders"])
    assert (VEND, "SUCCEEDED") == (vend.attributes["vend_id"], vend.attributes["status"])
    assert 2_000 == vend.ended_ms - vend.began_ms
    assert 3_000 == call.ended_ms - call.began_ms
    assert "" == spans.named("session").key
    named = {name for span in spans.spans for name in span.attributes}
    assert not {name for name in named if "payer" in name or "buyer" in name or "code" in name}
    assert all(span.began_ms <= span.ended_ms for span in spans.spans)


async def test_what_is_not_saved_is_not_told(told: tuple[Stage, Told]) -> None:
    """A COMMIT that is still under way is no fact."""
    stage, spans = told
    before = len(spans.spans)
    stage.store.gate = asyncio.Event()
    asked = asyncio.create_task(stage.gateway.give(stage.gateway.frame(request("r-1"))))
    await asyncio.sleep(1)
    assert before == len(spans.spans)
    stage.store.gate.set()
    await asked
    step = spans.named("VendRequested")
    assert 1_000 == step.ended_ms - step.began_ms


async def test_whoever_cannot_take_it_stops_nobody(told: tuple[Stage, Told]) -> None:
    """A sale goes on without its trace, and the log says so."""
    stage, _ = told

    def broken(_: Iterable[Span]) -> None:
        raise RuntimeError("no room")

    stage.tell = broken
    with structlog.testing.capture_logs() as lines:
        await stage.restart()
        await stage.gateway.give(stage.gateway.hello())
        await stage.gateway.give(stage.gateway.frame(request("r-1")))
    assert any(isinstance(command, ApproveVend) for command in stage.gateway.commands())
    assert [] == stage.fatal
    assert "a purchase cannot be told of" in [line["event"] for line in lines]


async def test_what_is_no_purchase_is_not_told() -> None:
    """A machine that only connects leaves no trace."""
    stage, spans = Stage(), Told()
    stage.tell = spans
    stage.host = stage.new_host()
    await stage.start("VM-1")
    await stage.gateway.give(stage.gateway.hello())
    await asyncio.sleep(60)
    assert [] == spans.spans
    await stage.host.stop()
