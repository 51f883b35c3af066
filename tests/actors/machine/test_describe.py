"""The words of events, orders and money, as logs and timelines show them."""

from actors.machine import describe, events
from actors.machine.effects import CreateCode
from actors.machine.ids import StreamId, TradeId
from actors.machine.incident import FaultReported
from actors.machine.ledger import top_up
from tests.support.story import HKD, START_MS, Story


def test_an_event_names_what_matters_and_hides_the_payer() -> None:
    """No line of text ever says who paid."""
    paid = events.TopUpPaid(
        trade_id=TradeId("t7"),
        partner_trans_id="o7",
        amount_minor=500,
        currency=HKD,
        paid_at_ms=1,
        payer_id="ann",
    )

    assert (
        "TopUpPaid trade_id=t7 partner_trans_id=o7 amount=500 currency=HKD paid_at_ms=1"
        == describe.event(paid)
    )


def test_a_frame_shows_its_number_and_what_it_says() -> None:
    """Texts with blanks are quoted, empty ones left out."""
    frame = events.FrameReceived(
        stream_id=StreamId("g-1"),
        seq=4,
        fact=FaultReported(code="EJB", detail="motor stuck"),
    )

    assert "#4 FaultReported code=EJB detail='motor stuck' cleared=no" == describe.event(frame)
    assert "CreateCode" == describe.effect(CreateCode())
    assert "TimePassed" == describe.event(events.TimePassed())


def test_money_names_both_sides() -> None:
    """From the account that is debited to the one that is credited."""
    assert "TOP_UP 500 HKD RECEIVABLE to CUSTOMER_FUNDS t7" == describe.transfer(
        top_up(TradeId("t7"), 500), "HKD"
    )


def test_a_configuration_is_told_in_full() -> None:
    """What an administrator changed can be read in the journal."""
    story = Story()
    configured = events.ConfigurationChanged(
        configuration=story.state.configuration, columns=story.state.columns
    )

    assert (
        "ConfigurationChanged configuration=(revision=1 enabled=yes mode=BOTH overrides=() "
        "planogram_version=1 retired=no) columns=2 goods_may_be_removed=no"
    ) == describe.event(configured)


def test_the_next_deadline_is_told_from_now() -> None:
    """Nothing to wait for is an empty text."""
    story = Story()
    assert "" == describe.deadline(story.state, story.policy, START_MS)
    story.connect()
    story.pay(100)
    assert "+300s" == describe.deadline(story.state, story.policy, START_MS)
