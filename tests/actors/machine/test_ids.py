"""Ids derive from what is saved, so that asking twice gives the same one."""

from actors.machine.ids import (
    REFUND_ID_LENGTH_MAX,
    MachineId,
    TradeId,
    refund_id,
    session_id,
    vend_id,
)


def test_ids_tell_whose_they_are() -> None:
    """Sessions and vends carry their machine, refunds their trade."""
    assert "VM-1-s3" == session_id(MachineId("VM-1"), 3)
    assert "VM-1-v7" == vend_id(MachineId("VM-1"), 7)
    assert "2026011522001400000000000001R2" == refund_id(TradeId("2026011522001400000000000001"), 2)


def test_a_long_trade_number_still_gives_a_refund_id_that_fits() -> None:
    """Alipay takes 64 characters; different trades keep different ids."""
    one, other = (refund_id(TradeId("9" * 63 + last), 1) for last in "12")

    assert max(len(one), len(other)) <= REFUND_ID_LENGTH_MAX
    assert one != other
    assert one == refund_id(TradeId("9" * 63 + "1"), 1)
