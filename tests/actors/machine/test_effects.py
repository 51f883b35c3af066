"""What two calls to Alipay have in common."""

from actors.machine.code import CodeStatus
from actors.machine.effects import (
    ChangeCodeStatus,
    CreateCode,
    QueryRefund,
    SendRefund,
    subject,
)
from actors.machine.ids import Currency, RefundId, TradeId


def test_to_send_a_refund_and_to_ask_about_it_are_of_one_subject() -> None:
    """The answer to either serves both; another refund is another subject."""
    sent, other = (
        SendRefund(
            refund_id=RefundId(refund_id),
            trade_id=TradeId("t1"),
            partner_trans_id="o1",
            amount_minor=500,
            currency=Currency("HKD"),
        )
        for refund_id in ("t1R1", "t1R2")
    )
    asked = QueryRefund(refund_id=RefundId("t1R1"), partner_trans_id="o1")

    assert subject(sent) == subject(asked)
    assert subject(sent) != subject(other)


def test_calls_for_a_code_are_of_one_subject_only_if_they_want_the_same() -> None:
    """To stop a code is not to restart it, and not to ask for one."""
    stop = ChangeCodeStatus(qr_payload="qr", status=CodeStatus.STOPPED)
    restart = ChangeCodeStatus(qr_payload="qr", status=CodeStatus.ACTIVE)

    assert subject(stop) == subject(ChangeCodeStatus(qr_payload="qr", status=CodeStatus.STOPPED))
    assert 3 == len({subject(stop), subject(restart), subject(CreateCode())})
