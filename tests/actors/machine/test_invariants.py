"""The invariants can fail: each kind of contradiction is found."""

from collections.abc import Callable, Iterator

import pytest

from actors.machine import InvariantBroken, MachineState, check, check_decision, decide, events
from actors.machine.decision import Decision
from actors.machine.ids import TradeId, VendId
from actors.machine.ledger import SIDES, Account, TransferKind
from actors.machine.state import (
    Planogram,
    RefundStatus,
    Reservation,
    Vend,
    VendStatus,
    WriteOffProposal,
)
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
    "a planogram waits for nothing": lambda s: replace(
        MachineState(machine_id=s.machine_id, currency=s.currency),
        next_planogram=Planogram(version=2, columns=s.columns),
    ),
    "a planogram is kept back by goods that have a place": lambda s: replace(
        s,
        session=None,
        trades=(),
        next_planogram=Planogram(version=2, columns=s.columns, kept_back=True),
    ),
    "money made": lambda s: trade(s, funds_minor=501),
    "negative funds": lambda s: trade(s, funds_minor=-1, paid_minor=499),
    "reservation forgotten": lambda s: trade(s, reserved_minor=0, funds_minor=1_000),
    "free funds without session": lambda s: trade(
        replace(s, session=None, trades=s.trades[:1]), reserved_minor=0, funds_minor=1_000
    ),
    "trade twice": lambda s: replace(s, trades=(s.trades[0], *s.trades)),
    "open and closed": lambda s: replace(s, closed_trades=(s.trades[0].trade_id,)),
    "approved without money": lambda s: vend(s, reserved=()),
    "reservation of nothing": lambda s: vend(
        s,
        reserved=(
            Reservation(trade_id=s.trades[0].trade_id, amount_minor=500),
            Reservation(trade_id=s.trades[0].trade_id, amount_minor=0),
        ),
    ),
    "second trade twice": lambda s: replace(s, trades=(*s.trades, s.trades[1])),
    "reservation on no open trade": lambda s: vend(
        s, reserved=(Reservation(trade_id=TradeId("t9"), amount_minor=500),)
    ),
    "refund asked after, and nobody's": lambda s: refund(s, asked_by_person=True),
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


@pytest.mark.parametrize("name", BROKEN)
def test_a_contradiction_that_a_decision_makes_is_found(name: str) -> None:
    """What a decision left as it was is not looked at again, and what it changed is: it finds the
    same that a look at the whole state finds.
    """
    before = a_state()
    broken = BROKEN[name](before)
    with pytest.raises(InvariantBroken) as whole:
        check(broken)
    with pytest.raises(InvariantBroken) as changed:
        check_decision(before, Decision(state=broken))
    assert str(whole.value) == str(changed.value)


def test_a_trade_that_is_closed_while_it_stays_open_is_found() -> None:
    """Whether the trade is new or was closed before, or is closed now."""
    before = a_state()
    closed = replace(before, closed_trades=(before.trades[0].trade_id,))
    gone = replace(closed, trades=before.trades[1:])
    for was, now in ((before, closed), (gone, closed)):
        with pytest.raises(InvariantBroken, match="open or closed, not both"):
            check_decision(was, Decision(state=now))


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


def test_no_price_changes_within_a_session() -> None:
    """What the customer was shown is what is charged."""
    before, decision = a_decision()
    dearer = tuple(replace(one, price_minor=one.price_minor + 1) for one in before.columns)
    with pytest.raises(InvariantBroken, match="no price changes within session"):
        check_decision(before, replace(decision, state=replace(decision.state, columns=dearer)))


def test_a_transfer_has_the_accounts_of_its_kind() -> None:
    """One that moves nothing, or stands between other accounts, is found."""
    before, decision = a_decision()
    (moved,) = decision.transfers
    for lame in (
        replace(moved, amount_minor=0),
        replace(moved, debit_account=Account.SALES),
        replace(moved, credit_account=Account.RECEIVABLE),
    ):
        with pytest.raises(InvariantBroken, match="a transfer of its kind"):
            check_decision(before, replace(decision, transfers=(lame,)))


def paid_again(story: Story) -> Decision:
    """A payment: RECEIVABLE and CUSTOMER_FUNDS."""
    return story.pay(300)


def chosen(story: Story) -> Decision:
    """An approval: CUSTOMER_FUNDS and RESERVED."""
    story.success()
    return story.select()


def sold(story: Story) -> Decision:
    """Goods fell: RESERVED and SALES."""
    return story.success()


def failed(story: Story) -> Decision:
    """None did: RESERVED and CUSTOMER_FUNDS."""
    return story.failure()


def ended(story: Story) -> Decision:
    """What is left goes back: CUSTOMER_FUNDS and REFUND_DUE."""
    story.success()
    return story.complete()


def done(story: Story) -> Decision:
    """Alipay gave it back: REFUND_DUE and RECEIVABLE."""
    return story.do(events.RefundSucceeded(refund_id=story.state.refunds[0].refund_id))


def given_up(story: Story) -> Decision:
    """A person gives it up: REFUND_DUE and REFUNDS_WRITTEN_OFF."""
    refund_id = story.state.refunds[0].refund_id
    story.do(events.RefundRefused(refund_id=refund_id, detail="no", source="query"))
    return story.do(events.RefundWrittenOff(refund_id=refund_id, actor="ann", reason="cash"))


def turned_up(story: Story) -> Decision:
    """Goods turn up after their money went back: GOODS_WRITTEN_OFF and SALES."""
    story.failure()
    return story.success()


def given_back(story: Story) -> Decision:
    """The price of sold goods goes back: SALES, CUSTOMER_FUNDS and REFUND_DUE."""
    vend_id = story.vend_id
    story.success()
    part = events.SoldPart(trade=story.state.trades[0], amount_minor=500)
    return story.do(
        events.VendRefundAsked(
            vend_id=vend_id,
            version=story.state.version,
            parts=(part,),
            actor="ann",
            reason="stale",
        )
    )


MOVES = (paid_again, chosen, sold, failed, ended, done, given_up, turned_up, given_back)


def told_otherwise(decision: Decision) -> Iterator[tuple[str, Decision]]:
    """Yield the decision with a ledger that tells another story, one transfer at a time: without
    it, with another amount, with another kind, and about another trade, vend or refund.
    """
    for place, one in enumerate(decision.transfers):
        others = [
            replace(one, amount_minor=one.amount_minor + 1),
            *(
                replace(one, kind=kind, debit_account=SIDES[kind][0], credit_account=SIDES[kind][1])
                for kind in TransferKind
                if kind is not one.kind
            ),
            *(
                replace(one, **{name: "other", **({"cause": "other"} if which else {})})  # type: ignore[arg-type]  # texts
                for name in ("debit_reference", "credit_reference", "trade_id")
                for which in (False, True)
                if getattr(one, name)
            ),
        ]
        before, behind = decision.transfers[:place], decision.transfers[place + 1 :]
        yield f"without {one.kind}", replace(decision, transfers=(*before, *behind))
        for other in others:
            yield f"{other} for {one}", replace(decision, transfers=(*before, other, *behind))
        yield f"{one.kind} twice", replace(decision, transfers=(*decision.transfers, one))


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.__name__)
def test_ledger_and_state_tell_the_same_story(move: Callable[[Story], Decision]) -> None:
    """On every account: whatever else the ledger says of the same change of the state is found."""
    story = a_story()
    decision = move(story)
    before = story.before
    assert decision.transfers
    check_decision(before, decision)
    passed = []
    for what, planted in told_otherwise(decision):
        try:
            check_decision(before, planted)
        except InvariantBroken:
            continue
        passed.append(what)
    assert [] == passed


def test_every_kind_of_transfer_is_planted() -> None:
    """A new kind must be put to the test too."""
    assert set(TransferKind) == {one.kind for move in MOVES for one in move(a_story()).transfers}


def test_records_tell_the_same_story() -> None:
    """A trade that is gone without a word, goods written off and a refund that ended have their
    transfers, and the other way round.
    """
    story = a_story()
    late = turned_up(story)
    with pytest.raises(InvariantBroken, match="writes off"):
        check_decision(story.before, replace(late, records=()))
    back = done(story)
    with pytest.raises(InvariantBroken, match=r"recorded as closed|ends refunds"):
        check_decision(story.before, replace(back, records=()))


def test_a_vend_is_sold_in_the_ledger_and_in_its_record() -> None:
    """Whoever looks at the vend and whoever looks at the sales must see the same."""
    story = a_story()
    before = story.state
    decision = sold(story)
    check_decision(before, decision)
    as_failed = tuple(
        replace(one, status=VendStatus.FAILED) if isinstance(one, Vend) else one
        for one in decision.records
    )
    without = tuple(one for one in decision.records if not isinstance(one, Vend))
    for records in (as_failed, without):
        with pytest.raises(InvariantBroken, match="the ledger sells"):
            check_decision(before, replace(decision, records=records))


def test_a_truth_that_holds_is_not_put_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences are made for what broke, never for what holds."""

    class Mute(str):
        __slots__ = ()

        def __format__(self, spec: str) -> str:
            raise AssertionError("put into words")

        __str__ = __repr__ = __format__  # type: ignore[assignment]  # nobody may ask

    story = a_story()
    story.state = replace(
        story.state,
        trades=tuple(
            replace(one, trade_id=TradeId(Mute(one.trade_id))) for one in story.state.trades
        ),
        columns=tuple(replace(one, column=Mute(one.column)) for one in story.state.columns),
    )
    check(story.state)


def test_what_the_ledger_holds_for_a_vend_is_reserved_for_it() -> None:
    """The same amount, held for another vend."""
    story = a_story()
    decision = chosen(story)
    session = decision.state.session
    assert session is not None
    assert session.vend is not None
    other = replace(session, vend=replace(session.vend, vend_id=VendId("VM-1-v9")))
    planted = replace(decision, state=replace(decision.state, session=other))
    with pytest.raises(InvariantBroken, match="for vends, the state"):
        check_decision(story.before, planted)
