"""How a vend ends: sold, or given back, once."""

from actors.machine import events
from actors.machine.effects import DenyVend, EndSession, UpdateFunds
from actors.machine.ids import VendId
from actors.machine.state import (
    DenyReason,
    EndReason,
    FailureCause,
    Mode,
    RefundCause,
    VendStatus,
)
from tests.support.story import Story, a_machine


def denied(story: Story) -> list[DenyReason]:
    """Return the reasons of all denials, in order."""
    return [order.reason for order in story.effects(DenyVend) if isinstance(order, DenyVend)]


def test_a_cancelled_approval_gives_the_money_back_and_a_late_delivery_is_written_off_once() -> (
    None
):
    """The machine that cancels promised not to dispense; if it did all the same, the loss is ours
    and is counted once.
    """
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    story.cancel()
    assert [DenyReason.CANCELLED] == denied(story)
    assert FailureCause.NOT_WAITING == story.state.settled_vends[-1].reason
    story.success("VM-1-v1")
    story.success("VM-1-v1")

    assert 500 == story.accounts["GOODS_WRITTEN_OFF"]
    assert VendStatus.SUCCEEDED is story.state.settled_vends[-1].status


def test_a_sale_leaves_the_rest_to_the_customer() -> None:
    """What is left is shown; with nothing left the session is over."""
    story = Story()
    story.connect()
    story.pay(800)
    story.select()
    story.success()
    shown = story.last.effects[-1]
    assert isinstance(shown, UpdateFunds)
    assert 300 == shown.funds_minor
    story.select("A2")
    story.success()

    ended = story.last.effects[-1]
    assert isinstance(ended, EndSession)
    assert (EndReason.SPENT, 0) == (ended.reason, ended.refund_minor)
    assert 800 == story.money()["sold"]


def test_a_purchase_first_session_ends_with_its_vend() -> None:
    """Whether it was delivered or not: what is left goes back at once."""
    for delivered, due in ((True, 100), (False, 600)):
        story = Story(a_machine(Mode.SELECTION_FIRST))
        story.connect()
        story.select()
        story.pay(600)
        if delivered:
            story.success()
        else:
            story.failure()

        assert story.state.session is None
        assert due == story.money()["due"]
        wanted = RefundCause.VEND_ENDED if delivered else RefundCause.VEND_FAILED
        assert {wanted} == {refund.cause for refund in story.state.refunds}


def test_an_empty_column_is_believed_empty() -> None:
    """A jam is not: the next customer may have more luck."""
    for cause, stock in ((FailureCause.EMPTY, 0), (FailureCause.JAMMED, 3)):
        story = Story()
        story.connect()
        story.pay(500)
        story.select()
        story.failure(cause)

        assert stock == story.state.columns[0].stock
        assert 500 == story.money()["held"]


def test_a_doubt_that_ends_after_its_session_goes_back_to_its_payer() -> None:
    """There is no session any more whose funds it could become."""
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    story.disconnect()
    story.wait(300_000)
    assert story.state.session is None
    story.connect("b2")  # its journal does not know the vend

    assert [VendStatus.FAILED] == [vend.status for vend in story.state.settled_vends]
    assert [(500, RefundCause.VEND_FAILED)] == [
        (refund.amount_minor, refund.cause) for refund in story.state.refunds
    ]


def test_a_failure_that_is_repeated_changes_nothing() -> None:
    """It is noted: the vend was settled before."""
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    story.failure()
    before = story.money()
    again = story.failure(vend_id="VM-1-v1")

    assert ((), before) == (again.transfers, story.money())
    assert ("vend VM-1-v1 was settled as FAILED before",) == again.notes
    assert VendId("VM-1-v1") == story.state.settled_vends[-1].vend_id


def test_a_person_s_word_ends_a_doubt() -> None:
    """Not delivered is voided and goes back, with who said so as its evidence."""
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    story.disconnect()
    story.do(
        events.VendSettled(vend_id=VendId("VM-1-v1"), delivered=False, actor="eve", reason="looked")
    )

    settled = story.state.settled_vends[-1]
    assert (VendStatus.VOIDED, FailureCause.REVIEWED) == (settled.status, settled.reason)
    assert "eve: looked" == settled.evidence


def test_goods_that_turn_up_are_written_off_after_any_number_of_denied_choices() -> None:
    """A vend that was voided is remembered, however often somebody chooses in vain meanwhile."""
    story = Story()
    story.connect()
    story.pay(500)
    story.select()
    story.disconnect()
    story.wait(700_000)
    story.connect()
    for _ in range(40):
        story.select("Z9")
    story.success("VM-1-v1")

    assert VendStatus.SUCCEEDED is story.last.records[-1].status  # type: ignore[union-attr]  # a vend's
    assert -500 == story.accounts["SALES"]
