"""Trades and refunds: whoever changes what was paid, sold or returned is seen."""

from collections.abc import Callable

import pytest

from tests.storage.auditing.damages import Damage, names, seen

DAMAGES = (
    Damage(
        check="trades_equal_the_ledger",
        sql="UPDATE trades SET sold_minor = 400, held_minor = 100 WHERE trade_id = 'VM-1-t1'",
        sentence=(
            "trade VM-1-t1 of machine VM-1 says paid 1000, held 100, sold 400, refunded 500, "
            "written off 0; the ledger says "
            "paid 1000, held 0"
        ),
    ),
    Damage(
        check="trades_equal_the_ledger",
        sql="UPDATE trades SET sold_minor = -500, held_minor = 1000 WHERE trade_id = 'VM-1-t1'",
        sentence="held 1000, sold -500",
    ),
    Damage(
        check="trades_equal_the_ledger",
        sql=(
            "UPDATE transfers SET amount_minor = amount_minor * 2 WHERE kind = 'TOP_UP' AND "
            "cause = 'VM-1-t1'"
        ),
        sentence="the ledger says paid 2000, held 1000",
        companions=frozenset({"ended_sessions_hold_no_free_funds", "balances_equal_the_transfers"}),
    ),
    Damage(
        check="trades_equal_the_ledger",
        sql="UPDATE transfers SET trade_id = 'VM-9-t1' WHERE kind = 'WRITE_OFF'",
        sentence="the ledger moves money of trade VM-9-t1 (paid 0), which machine VM-3 has not",
        companions=frozenset({"transfers_are_balanced"}),
    ),
    Damage(
        check="refunds_equal_the_ledger",
        sql=(
            "UPDATE refunds SET status = 'SUCCEEDED', amount_minor = 400 WHERE refund_id = "
            "'VM-1-t1R1_500'"
        ),
        sentence=(
            "refund VM-1-t1R1_500 of trade VM-1-t1 is SUCCEEDED with 400 HKD; the ledger asked "
            "for 500 and owes 0"
        ),
        companions=frozenset({"refunds_follow_from_their_trades"}),
    ),
    Damage(
        check="refunds_equal_the_ledger",
        sql="DELETE FROM refunds WHERE refund_id = 'VM-1-t1R1_500'",
        sentence="the ledger asked for 500 under refund VM-1-t1R1_500, which machine VM-1 has not",
    ),
    Damage(
        check="refunds_equal_the_ledger",
        sql="UPDATE refunds SET status = 'SUCCEEDED' WHERE refund_id = 'VM-1-t3R1_1000'",
        sentence="is SUCCEEDED with 1000 HKD; the ledger asked for 1000 and owes 1000",
        companions=frozenset({"what_is_open_is_in_the_state"}),
    ),
    Damage(
        check="refunds_equal_the_ledger",
        sql=(
            "UPDATE transfers SET trade_id = 'VM-1-t2' WHERE kind = 'REFUND_CONFIRMED' AND "
            "cause = 'VM-1-t1R1_500'"
        ),
        sentence=(
            "REFUND_CONFIRMED of 500 under refund VM-1-t1R1_500 names trade VM-1-t2, and the "
            "refund is of trade VM-1-t1"
        ),
    ),
    Damage(
        check="refunds_follow_from_their_trades",
        sql=(
            "UPDATE refunds SET trade_id = 'VM-1-t1', partner_trans_id = 'out-VM-1-t1' WHERE "
            "refund_id = 'VM-1-t2R1_500'"
        ),
        sentence=(
            "refund VM-1-t2R1_500 of 500 does not follow from trade VM-1-t1, which has 2 refunds"
        ),
        companions=frozenset({"refunds_equal_the_ledger"}),
    ),
    Damage(
        check="refunds_follow_from_their_trades",
        sql="UPDATE refunds SET trade_id = 'nowhere' WHERE refund_id = 'VM-1-t2R1_500'",
        sentence="1 refunds of 500 in all name trade nowhere, which there is not",
        companions=frozenset({"refunds_equal_the_ledger"}),
    ),
    Damage(
        check="refunds_follow_from_their_trades",
        sql="UPDATE refunds SET status = 'SUCCEEDED' WHERE status = 'WRITTEN_OFF'",
        sentence=(
            "trade VM-4-t1 of 700 says that 0 goes back and 700 was given up; its refunds say 700 "
            "and 0"
        ),
    ),
)


@pytest.mark.parametrize("one", DAMAGES, ids=names(DAMAGES))
async def test_no_statement_spoils_it_unseen(spoilt: Callable[..., str], one: Damage) -> None:
    """The check that is for it tells of it, and its sentence says what and how much."""
    await seen(spoilt, one)
