"""An administrator gives the price of sold goods back: stale crisps."""

import pytest

from actors.machine import events
from actors.machine.ids import RefundId, TradeId, VendId
from actors.machine.policy import Policy
from actors.machine.state import RefundCause, RefundStatus, Trade, VendStatus
from actors.machine.values import replace
from tests.support.story import Story

VEND = VendId("VM-1-v1")


def sold(*payments: int) -> tuple[Story, tuple[events.SoldPart, ...]]:
    """A vend of 5.00 that was paid with these payments, and what SQL says of them afterwards."""
    story = Story()
    story.connect()
    for amount_minor in payments:
        story.pay(amount_minor)
    story.select()
    story.success()
    if story.state.session is not None:
        story.complete()
    vend = next(vend for vend in story.state.settled_vends if vend.vend_id == VEND)
    rows = {
        record.trade_id: record
        for decision in story.decisions
        for record in decision.records
        if isinstance(record, Trade)
    }
    parts = tuple(
        events.SoldPart(trade=rows[part.trade_id], amount_minor=part.amount_minor)
        for part in vend.reserved
    )
    return story, parts


def refund_vend(story: Story, parts: tuple[events.SoldPart, ...], version: int = -1) -> None:
    """Somebody refunds the vend, with what was read at a version (the present one)."""
    story.do(
        events.VendRefundAsked(
            vend_id=VEND,
            version=story.state.version if version < 0 else version,
            parts=parts,
            actor="ann",
            reason="stale",
        )
    )


def test_a_closed_trade_opens_again_and_gives_the_price_back() -> None:
    """The sale stays in the books beside its refund, which goes the way of every refund."""
    story, parts = sold(500)
    assert not story.state.trades
    refund_vend(story, parts)
    refund, trade = story.state.refunds[0], story.state.trades[0]
    assert (500, RefundCause.GOODWILL, RefundId("t1R1_500")) == (
        refund.amount_minor,
        refund.cause,
        refund.refund_id,
    )
    assert (0, 0, 500) == (trade.sold_minor, trade.funds_minor, trade.refunded_minor)
    assert ["GOODWILL", "REFUND_ASKED"] == [transfer.kind for transfer in story.last.transfers]
    assert ("ann refunded vend VM-1-v1: stale",) == story.last.notes
    story.do(events.RefundSucceeded(refund_id=refund.refund_id))
    assert ((), (TradeId("t1"),)) == (story.state.trades, story.state.closed_trades)
    assert VendStatus.SUCCEEDED is story.state.settled_vends[-1].status
    assert {0} == set(story.accounts.values())


def test_each_payer_gets_their_own_part_back() -> None:
    """Two payments bought it: two refunds, each to the trade that it came from."""
    story, parts = sold(200, 300)
    refund_vend(story, parts)
    assert [("t1", 200), ("t2", 300)] == [
        (refund.trade_id, refund.amount_minor) for refund in story.state.refunds
    ]


def test_the_next_refund_of_a_trade_has_the_next_number() -> None:
    """What was left of the payment has gone back before, under the trade's first refund id."""
    story, parts = sold(700)
    story.do(events.RefundSucceeded(refund_id=RefundId("t1R1_200")))
    (part,) = parts
    refund_vend(story, (replace(part, trade=replace(part.trade, closed_at_ms=story.now_ms)),))
    assert ["t1R2_500"] == [refund.refund_id for refund in story.state.refunds]


def test_an_open_trade_is_taken_as_the_state_knows_it() -> None:
    """While its rest is still on its way back, the state knows more than any row that was read."""
    story, parts = sold(700)
    refund_vend(story, parts)
    (trade,) = story.state.trades
    assert (0, 700) == (trade.sold_minor, trade.refunded_minor)


def test_what_was_read_before_another_decision_is_not_believed() -> None:
    """Two administrators, or one twice: the second one's rows are old and nothing is done."""
    story, parts = sold(500)
    version = story.state.version
    refund_vend(story, parts)
    before = story.state
    refund_vend(story, parts, version)
    assert before.refunds == story.state.refunds
    assert () == story.last.transfers
    assert "were read at version" in story.last.notes[0]


@pytest.mark.parametrize(
    ("amounts", "words"),
    [((), "nothing of it was sold"), ((600,), "more than it sold"), ((0,), "more than it sold")],
)
def test_what_does_not_fit_is_not_done(amounts: tuple[int, ...], words: str) -> None:
    """No part, more than was sold, nothing at all: said and left alone."""
    story, parts = sold(500)
    refund_vend(story, tuple(replace(parts[0], amount_minor=amount) for amount in amounts))
    assert ((), ()) == (story.state.refunds, story.last.transfers)
    assert words in story.last.notes[0]


def test_refunds_of_sold_goods_do_not_grow_the_state_without_bound() -> None:
    """As many trades are open as may be: come back when refunds are done."""
    story, parts = sold(500)
    story.policy = Policy(trades_max=0)
    refund_vend(story, parts)
    assert () == story.state.refunds
    assert "too many payments" in story.last.notes[0]


def test_a_refused_refund_of_sold_goods_waits_for_a_person() -> None:
    """As every refund that Alipay refuses."""
    story, parts = sold(500)
    refund_vend(story, parts)
    story.do(
        events.RefundRefused(
            refund_id=RefundId("t1R1_500"), detail="TRADE_HAS_CLOSE", source="query"
        )
    )
    assert [RefundStatus.REFUSED] == [refund.status for refund in story.state.refunds]
