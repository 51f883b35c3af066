"""The invariants can fail: each kind of contradiction is found."""

from collections.abc import Callable

import pytest

from actors.machine import InvariantBroken, MachineState, check, check_decision, decide, events
from actors.machine.decision import Decision
from actors.machine.ids import TradeId
from actors.machine.ledger import Account
from actors.machine.state import FailureCause, RefundStatus, VendStatus, WriteOffProposal
from actors.machine.values import replace
from tests.support.story import Story


def a_story() -> Story:
    """An approved vend, free funds, and a refund to a second customer."""
    story = Story()
    story.connect()
    story.pay(1_000)
    story.select()
    story.pay(700, "bob")
    return story


def a_state() -> MachineState:
    return a_story().state


def trade(state: MachineState, **changes: int) -> MachineState:
    return replace(state, trades=(replace(state.trades[0], **changes), *state.trades[1:]))  # type: ignore[arg-type]  # amounts


def vend(state: MachineState, **changes: object) -> MachineState:
    assert state.session is not None
    assert state.session.vend is not None
    return replace(
        state,
        session=replace(state.session, vend=replace(state.session.vend, **changes)),  # type: ignore[arg-type]
    )


def refund(state: MachineState, **changes: object) -> MachineState:
    return replace(state, refunds=(replace(state.refunds[0], **changes),))  # type: ignore[arg-type]


BROKEN: dict[str, Callable[[MachineState], MachineState]] = {
    "money made": lambda s: trade(s, funds_minor=501),
    "negative funds": lambda s: trade(s, funds_minor=-1, paid_minor=499),
    "reservation forgotten": lambda s: trade(s, reserved_minor=0, funds_minor=1_000),
    "free funds without session": lambda s: trade(
        replace(s, session=None, trades=s.trades[:1]), reserved_minor=0, funds_minor=1_000
    ),
    "trade twice": lambda s: replace(s, trades=(s.trades[0], *s.trades)),
    "open and closed": lambda s: replace(s, closed_trades=(s.trades[0].trade_id,)),
    "approved without money": lambda s: vend(s, reserved=()),
    "waits with money": lambda s: vend(s, status=VendStatus.AWAITING_PAYMENT),
    "settled but open": lambda s: vend(s, status=VendStatus.SUCCEEDED),
    "refund of nothing": lambda s: refund(s, amount_minor=0),
    "refund above the trade": lambda s: refund(s, amount_minor=701),
    "refund without trade": lambda s: refund(s, trade_id=TradeId("t9")),
    "refund twice": lambda s: replace(s, refunds=s.refunds * 2),
    "refund proposed and not refused": lambda s: refund(
        s, proposal=WriteOffProposal(actor="ann", person="ann", reason="", at_ms=1)
    ),
    "refund done but open": lambda s: refund(
        s, status=RefundStatus.SUCCEEDED, next_attempt_at_ms=1
    ),
    "stock below zero": lambda s: replace(s, columns=(replace(s.columns[0], stock=-1),)),
    "free goods": lambda s: replace(s, columns=(replace(s.columns[0], price_minor=0),)),
    "doubt that is none": lambda s: replace(s, session=None, doubts=(s.session.vend,)),  # type: ignore[union-attr, arg-type]
}


def test_a_sound_state_passes() -> None:
    """The state that is broken below is sound before."""
    check(a_state())


@pytest.mark.parametrize("name", BROKEN)
def test_a_contradiction_is_found(name: str) -> None:
    """Each way in which a state can contradict itself stops the machine."""
    with pytest.raises(InvariantBroken):
        check(BROKEN[name](a_state()))


def a_decision() -> tuple[MachineState, Decision]:
    story = a_story()
    before = story.state
    return before, decide(
        before,
        events.FrameReceived(
            stream_id=story.stream, seq=2, fact=events.VendSucceeded(vend_id=story.vend_id)
        ),
        0,
        story.policy,
    )


def test_a_decision_must_follow_on_its_state() -> None:
    """A version left out, or a change that claims to be none, is found."""
    before, decision = a_decision()
    check_decision(before, decision)
    with pytest.raises(InvariantBroken):
        check_decision(before, replace(decision, state=replace(decision.state, version=9)))
    with pytest.raises(InvariantBroken):
        check_decision(before, replace(decision, changed=False))


def test_ledger_and_state_must_tell_the_same_story() -> None:
    """A transfer that is missing, moves nothing, or has another kind's accounts is found."""
    story = a_story()
    before = story.state
    decision = story.frame(events.VendFailed(vend_id=story.vend_id, cause=FailureCause.JAMMED))
    with pytest.raises(InvariantBroken):
        check_decision(before, replace(decision, transfers=()))
    (moved,) = decision.transfers
    for lame in (
        replace(moved, amount_minor=0),
        replace(moved, debit_account=Account.SALES),
        replace(moved, credit_account=Account.SALES),
    ):
        with pytest.raises(InvariantBroken):
            check_decision(before, replace(decision, transfers=(lame,)))
