"""Money that comes in: credited once, and only to the customer who is there. The usual ways are in
the transcripts.
"""

import pytest

from actors.machine import events
from actors.machine.effects import ApproveVend
from actors.machine.ids import Currency, TradeId
from actors.machine.policy import Policy
from actors.machine.state import Mode, RefundCause
from tests.support.story import HKD, Story, a_machine


def test_money_of_another_currency_is_not_credited() -> None:
    """It is noted, and no account moves: the ingress refuses such a notification before."""
    story = Story()
    story.do(
        events.TopUpPaid(
            trade_id=TradeId("t1"),
            partner_trans_id="o",
            amount_minor=5,
            currency=Currency("USD"),
            paid_at_ms=0,
        )
    )

    assert ("trade t1 of 5 USD cannot be credited to a HKD machine",) == story.last.notes
    assert () == story.state.trades


def test_a_machine_with_too_many_open_trades_takes_no_more_money() -> None:
    """Past the bound new money goes straight back; what came in before is untouched."""
    story = Story(policy=Policy(trades_max=2))
    story.connect()
    for _ in range(3):
        story.pay(100)

    assert [RefundCause.OVERLOADED] == [refund.cause for refund in story.state.refunds]
    assert {
        "paid": 300,
        "held": 200,
        "sold": 0,
        "due": 100,
        "back": 0,
        "given_up": 0,
    } == story.money()


def test_a_payer_whom_alipay_does_not_name_still_buys() -> None:
    """The first unnamed payer has the session; a second one cannot be told from them and gets the
    money back.
    """
    story = Story()
    story.connect()
    story.pay(500, "")
    story.pay(500, "")

    assert [RefundCause.SECOND_CUSTOMER] == [refund.cause for refund in story.state.refunds]
    story.select()
    story.success()
    assert 500 == story.money()["sold"]


def test_money_of_an_unknown_time_makes_no_room_for_a_next_customer() -> None:
    """It may be hours old: it goes back, and whoever is there stays."""
    story = Story()
    story.connect()
    story.pay(300, "ann")
    story.select()
    story.pay(500, "bob", age_ms=None)

    assert [RefundCause.SECOND_CUSTOMER] == [refund.cause for refund in story.state.refunds]
    assert 300 == story.money()["held"]


def test_a_next_customer_is_judged_by_alipays_time() -> None:
    """With our clock six minutes ahead, what was paid for the choice just now is let in."""
    story = Story()
    story.connect()
    story.pay(300, "ann")
    story.select()
    ahead_ms = 360_000
    story.do(
        events.TopUpPaid(
            trade_id=TradeId("t9"),
            partner_trans_id="o9",
            amount_minor=500,
            currency=Currency("HKD"),
            paid_at_ms=story.now_ms - ahead_ms,
            payer_id="bob",
            clock_ahead_ms=ahead_ms,
        )
    )

    assert [RefundCause.NEXT_CUSTOMER] == [refund.cause for refund in story.state.refunds]
    assert 500 == story.money()["held"]


def test_a_customer_who_tops_up_while_the_motor_runs_keeps_the_money() -> None:
    """A top-up during a vend is funds for the next one."""
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    story.pay(500)
    story.success()
    story.select()

    assert {
        "paid": 1_000,
        "held": 500,
        "sold": 500,
        "due": 0,
        "back": 0,
        "given_up": 0,
    } == story.money()


@pytest.mark.parametrize("ahead_ms", [6 * 60_000, -6 * 60_000])
def test_no_payment_is_judged_by_a_clock_that_is_wrong(ahead_ms: int) -> None:
    """Six minutes fast or slow: who pays in time is served, whose money is old gets it back."""
    fresh, old = Story(), Story()
    for story, age_ms in ((fresh, 2_000), (old, Policy().payment_age_max_ms + 1)):
        story.connect()
        story.do(
            events.TopUpPaid(
                trade_id=TradeId("t1"),
                partner_trans_id="o-t1",
                amount_minor=500,
                currency=HKD,
                paid_at_ms=story.now_ms - ahead_ms - age_ms,
                payer_id="ann",
                clock_ahead_ms=ahead_ms,
            )
        )

    assert fresh.state.session is not None
    assert [RefundCause.LATE_PAYMENT] == [refund.cause for refund in old.state.refunds]


def test_a_fast_clock_takes_nobodys_choice_away() -> None:
    """Where one must choose first, the payment for the choice is not taken for one before it."""
    story = Story(a_machine(Mode.SELECTION_FIRST))
    story.connect()
    story.select()
    story.wait(5_000)
    story.do(
        events.TopUpPaid(
            trade_id=TradeId("t1"),
            partner_trans_id="o-t1",
            amount_minor=500,
            currency=HKD,
            paid_at_ms=story.now_ms - 1_000 - 360_000,
            payer_id="ann",
            clock_ahead_ms=360_000,
        )
    )

    assert story.state.session is not None
    assert () == story.state.refunds


@pytest.mark.parametrize("mode", list(Mode))
def test_money_that_was_paid_in_the_session_before_goes_back(mode: Mode) -> None:
    """Somebody pays twice for one choice, takes the goods and leaves; of the second payment we hear
    later. It must not stand in front of the next customer, whether they have chosen or not.
    """
    for chosen in (False, True):
        story = Story(a_machine(mode))
        story.connect()
        if mode is Mode.AUTHORIZATION_FIRST:
            story.pay(500)
            story.select()
        else:
            story.select()
            story.pay(500)
        story.wait(8_000)
        story.success()
        assert story.state.session is None
        story.wait(10_000)
        if chosen:
            story.select("A2")
        story.pay(500, age_ms=14_000)
        (refund,) = story.state.refunds
        assert refund.cause in {RefundCause.LATE_PAYMENT, RefundCause.NO_SELECTION}
        assert 500 == story.money()["sold"] == story.money()["due"]
        if not chosen:
            story.select("A2")
        assert story.last.effects
        assert not any(isinstance(effect, ApproveVend) for effect in story.last.effects)


def test_money_that_was_paid_as_the_session_ended_is_the_next_customer_s() -> None:
    """Clocks differ a little, and Alipay's times are whole seconds."""
    story = Story()
    story.connect()
    story.pay(500)
    story.wait(1_000)
    story.complete()
    story.wait(2_000)
    story.pay(500, "bob", age_ms=5_000)

    assert story.state.session is not None
    assert "bob" == story.state.session.payer_id
