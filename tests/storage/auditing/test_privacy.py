"""Buyers: whoever writes an Alipay user id anywhere is seen."""

from collections.abc import Callable

import pytest

from tests.storage.auditing.damages import Damage, names, seen

DAMAGES = (
    Damage(
        check="no_buyer_is_named",
        sql="UPDATE trades SET payer_id = '2088123412341234' WHERE trade_id = 'VM-1-t1'",
        sentence="trades.payer_id of VM-1-t1 holds a buyer's id (machine VM-1)",
    ),
    Damage(
        check="payers_are_random_numbers",
        sql=f"UPDATE trades SET payer_id = '{'5a' * 16}' WHERE trade_id = 'VM-1-t1'",
        sentence="trades.payer_id of VM-1-t1 is too long for a random number (machine VM-1)",
    ),
    Damage(
        check="payers_are_random_numbers",
        sql=f"UPDATE sessions SET payer_id = '{'5a' * 32}' WHERE session_id = 'VM-1-s1'",
        sentence="sessions.payer_id of VM-1-s1 is too long for a random number (machine VM-1)",
    ),
    Damage(
        check="notifications_keep_no_buyer",
        sql='UPDATE inbox SET fields = \'{"sign": "", "Buyer_Id": ""}\' WHERE id = 1',
        sentence="inbox.fields of 1 holds sign, Buyer_Id, from which its buyer can be told "
        "(machine VM-1)",
    ),
    Damage(
        check="no_buyer_is_named",
        sql='UPDATE inbox SET fields = \'{"subject": "2088123412341234"}\' WHERE id = 1',
        sentence="inbox.fields of 1 holds a buyer's id",
    ),
    Damage(
        check="no_buyer_is_named",
        sql="UPDATE journal SET notes = '[\"2088123412341234 was here\"]' WHERE id = 1",
        sentence="journal.notes of 1 holds a buyer's id",
    ),
    Damage(
        check="no_buyer_is_named",
        sql="INSERT INTO work_item_closings (item_id, kind, machine_id, actor, closed_at_ms, "
        "reason)"
        " VALUES ('inbox:1', 'PAYMENT_CONFLICT', 'VM-1', 'ann', 1, 'returned to 2088123412341234')",
        sentence="work_item_closings.reason of inbox:1 holds a buyer's id (machine VM-1)",
    ),
)


@pytest.mark.parametrize("one", DAMAGES, ids=names(DAMAGES))
async def test_no_statement_spoils_it_unseen(spoilt: Callable[..., str], one: Damage) -> None:
    """The check that is for it tells of it, and its sentence says what and how much."""
    await seen(spoilt, one)
