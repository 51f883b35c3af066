"""The draft of a decision: what is kept, what is let go, and what is written down once."""

import pytest

from actors.machine.draft import Draft
from actors.machine.effects import CreateCode, EndSession
from actors.machine.ids import SessionId, TradeId, VendId
from actors.machine.policy import Policy
from actors.machine.state import (
    CLOSED_TRADES_KEPT,
    SETTLED_VENDS_KEPT,
    EndReason,
    Mode,
    Session,
    Trade,
    Vend,
    VendStatus,
)
from actors.machine.values import replace
from tests.support.story import START_MS, Story, a_machine


def draft(*, online: bool = False) -> Draft:
    """A draft on a machine, with or without a stream."""
    story = Story()
    if online:
        story.connect()
    return Draft(story.state, START_MS, Policy())


def session(ended_at_ms: int | None = None) -> Session:
    """A customer's stay."""
    return Session(
        session_id=SessionId("VM-1-s1"),
        mode=Mode.BOTH,
        started_at_ms=START_MS,
        last_operation_at_ms=START_MS,
        ended_at_ms=ended_at_ms,
    )


def trade(name: str, funds_minor: int = 0) -> Trade:
    """A payment of 5.00."""
    return Trade(
        trade_id=TradeId(name),
        partner_trans_id="o",
        payer_id="ann",
        paid_minor=500,
        funds_minor=funds_minor,
        received_at_ms=START_MS,
    )


def vend(number: int) -> Vend:
    """The machine's ``number``-th vend."""
    return Vend(
        vend_id=VendId(f"VM-1-v{number}"),
        session_id=SessionId("VM-1-s1"),
        request_id="r",  # type: ignore[arg-type]  # any text
        column="A1",
        product="cola",
        price_minor=500,
        status=VendStatus.SUCCEEDED,
        requested_at_ms=START_MS,
        deadline_at_ms=START_MS,
    )


def test_an_untouched_draft_changes_nothing() -> None:
    """Its decision is the state as it was."""
    found = draft()

    assert (False, found.before) == (found.decision().changed, found.decision().state)


@pytest.mark.parametrize("online", [True, False])
def test_a_command_needs_a_stream_and_a_call_needs_none(online: bool) -> None:
    """What a machine without a stream misses, it is told when it connects."""
    found = draft(online=online)
    ended = EndSession(session_id=SessionId("s"), reason=EndReason.IDLE, refund_minor=0)
    found.tell(ended)
    found.call(CreateCode())

    assert ((ended,) if online else ()) + (CreateCode(),) == found.decision().effects


def test_a_thing_that_is_written_twice_has_one_row() -> None:
    """The last form counts, in the place of the first."""
    found = draft()
    found.put_session(session())
    found.put_trade(trade("t-1", 500))
    found.put_session(session(ended_at_ms=START_MS))

    assert (session(ended_at_ms=START_MS), trade("t-1", 500)) == found.decision().records
    assert found.state.session is None


def test_trades_are_let_go_once_nothing_can_move_from_them() -> None:
    """Their ids are remembered, a bounded number of them, so that none is credited twice."""
    found = draft()
    found.put_trade(trade("t-open", 500))
    for number in range(CLOSED_TRADES_KEPT + 1):
        found.put_trade(trade(f"t-{number}"))
        found.close_trades()

    assert ["t-open"] == [one.trade_id for one in found.state.trades]
    assert CLOSED_TRADES_KEPT == len(found.state.closed_trades)
    assert "t-0" not in found.state.closed_trades
    found.reopen_trade(trade("t-5", 100))
    assert "t-5" not in found.state.closed_trades


def test_settled_vends_are_remembered_for_a_while() -> None:
    """A bounded number of them, each once."""
    found = draft()
    for number in (*range(SETTLED_VENDS_KEPT + 1), SETTLED_VENDS_KEPT):
        found.settled(vend(number))

    kept = [one.vend_id for one in found.state.settled_vends]
    assert SETTLED_VENDS_KEPT == len(kept) == len(set(kept))
    assert VendId("VM-1-v0") not in kept


def test_denied_vends_do_not_push_out_those_whose_goods_may_turn_up() -> None:
    """Whoever presses buttons makes us forget other denied choices only."""
    found = draft()
    found.settled(vend(0))
    for number in range(1, SETTLED_VENDS_KEPT + 3):
        found.settled(replace(vend(number), status=VendStatus.DENIED))

    kept = [one.vend_id for one in found.state.settled_vends]
    assert VendId("VM-1-v0") == kept[0]
    assert VendId("VM-1-v3") == kept[1]
    assert SETTLED_VENDS_KEPT + 1 == len(kept)


def test_what_is_not_there_is_a_defect() -> None:
    """Asking for a session or a trade that the state does not have raises."""
    found = Draft(a_machine(), START_MS, Policy())
    with pytest.raises(AssertionError):
        _ = found.session
    with pytest.raises(AssertionError):
        found.trade(TradeId("t-9"))
