"""Ids derive from what is saved, so that asking twice gives the same one."""

import re

from actors.machine.ids import (
    MACHINE_ID_PATTERN,
    MARK_BYTES,
    REFUND_ID_LENGTH_MAX,
    MachineId,
    TradeId,
    mark_of,
    refund_id,
    session_id,
    store_id_of,
    vend_id,
)


def test_ids_tell_whose_they_are() -> None:
    """Sessions and vends carry their machine, refunds their trade."""
    assert "VM-1-s3" == session_id(MachineId("VM-1"), 3)
    assert "VM-1-v7" == vend_id(MachineId("VM-1"), 7)
    trade_id = TradeId("2026011522001400000000000001")
    assert f"{trade_id}R2_850" == refund_id(trade_id, 2, 850)


def test_a_refund_of_another_amount_is_another_one() -> None:
    """A restored database counts again: what was asked for since the backup keeps its amount."""
    trade_id = TradeId("T1")
    assert refund_id(trade_id, 1, 300) == refund_id(trade_id, 1, 300)
    assert 3 == len({refund_id(trade_id, *of) for of in ((1, 300), (1, 1_400), (2, 300))})


def test_an_id_that_a_restore_counts_again_is_another_one() -> None:
    """The mark differs with the stream and with what was asked for on it; the same is the same, and
    shows nothing of the token.
    """
    machine_id = MachineId("VM-1")
    made = {
        vend_id(machine_id, 7, mark_of(token, request))
        for token in ("secret-1", "secret-2")
        for request in ("b1-r1", "b1-r2")
        for _ in range(2)
    }

    assert 4 == len(made)
    assert {len("VM-1-v7-") + 2 * MARK_BYTES} == {len(one) for one in made}
    assert not any("secret" in one for one in made)
    assert f"VM-1-s3-{mark_of('t', 'T1')}" == session_id(machine_id, 3, mark_of("t", "T1"))


def test_a_stream_without_a_token_marks_nothing() -> None:
    """Then the counter stands alone."""
    assert "" == mark_of("", "b1-r1")


def test_a_long_trade_number_still_gives_a_refund_id_that_fits() -> None:
    """Alipay takes 64 characters; different trades keep different ids."""
    one, other = (refund_id(TradeId("9" * 63 + last), 1, 500) for last in "12")

    assert max(len(one), len(other)) <= REFUND_ID_LENGTH_MAX
    assert one != other
    assert one == refund_id(TradeId("9" * 63 + "1"), 1, 500)


def test_a_store_is_named_as_alipay_s_newer_pages_allow() -> None:
    """Letters, digits and underscores, at most 64; a machine's own id where that is so already, and
    otherwise one that no machine can have as its own.
    """
    assert "" == store_id_of(MachineId("VM_0001"))
    for machine_id in ("-", "VM-1", "VM-0001", "-" * 32, "a-" * 16):
        store = store_id_of(MachineId(machine_id))
        assert re.fullmatch("[A-Za-z0-9_]{1,64}", store)
        assert store.startswith(machine_id.replace("-", "_"))
        assert not re.fullmatch(MACHINE_ID_PATTERN, store)
        assert store == store_id_of(MachineId(machine_id))


def test_two_machines_are_two_stores() -> None:
    """Although their ids are the same but for a dash."""
    alike = [MachineId("-".join(parts)) for parts in (("a", "b_c"), ("a_b", "c"), ("a", "b", "c"))]
    assert 3 == len({store_id_of(machine_id) for machine_id in alike})
