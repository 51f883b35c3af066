"""The ledger by itself: whoever changes a movement is seen."""

from collections.abc import Callable

import pytest

from tests.storage.auditing.damages import Damage, names, seen

DAMAGES = (
    Damage(
        check="transfers_sum_to_zero",
        sql=(
            "UPDATE ledger_entries SET cause = 'x' WHERE kind = 'TOP_UP' AND account = "
            "'CUSTOMER_FUNDS' AND cause = 'VM-1-t1'"
        ),
        sentence="TOP_UP VM-1-t1 of machine VM-1 (version 4) sums to 1000, not to zero",
    ),
    Damage(
        check="currencies_sum_to_zero",
        sql=(
            "UPDATE ledger_entries SET currency = 'JPY' WHERE cause = 'VM-1-t1' AND account = "
            "'RECEIVABLE'"
        ),
        sentence="in JPY sum to 1000, not to zero",
        companions=frozenset({"money_is_in_its_machines_currency"}),
    ),
    Damage(
        check="money_is_in_its_machines_currency",
        sql="UPDATE trades SET currency = 'USD' WHERE trade_id = 'VM-2-t2'",
        sentence="1 trades of machine VM-2 are in USD, and the machine has HKD",
        companions=frozenset({"taken_payments_are_credited"}),
    ),
    Damage(
        check="a_cause_is_entered_once",
        sql=(
            "INSERT INTO ledger_entries (machine_id, version, line, partition, epoch, at_ms, "
            "kind, cause, account, reference, "
            "trade_id, amount_minor, currency) SELECT machine_id, version, line + 50 + n, "
            "partition, epoch, at_ms, kind, cause, "
            "account, 'again' || n, '', n * 100, currency FROM ledger_entries, (SELECT 1 AS n "
            "UNION SELECT -1) WHERE kind = "
            "'WRITE_OFF' AND account = 'SALES'"
        ),
        sentence="WRITE_OFF VM-3-v1 touches SALES 3 times",
    ),
    Damage(
        check="entries_stand_on_events",
        sql=(
            "UPDATE ledger_entries SET version = 999 WHERE cause = 'VM-3-v1' AND kind = 'WRITE_OFF'"
        ),
        sentence=(
            "WRITE_OFF VM-3-v1 on SALES, -500 JPY, has no line of the journal (machine VM-3, "
            "version 999)"
        ),
    ),
    Damage(
        check="entries_stand_on_events",
        sql="UPDATE ledger_entries SET at_ms = at_ms + 1 WHERE cause = 'VM-1-t1'",
        sentence="has a line of the journal with another owner or time",
    ),
)


@pytest.mark.parametrize("one", DAMAGES, ids=names(DAMAGES))
async def test_no_statement_spoils_it_unseen(spoilt: Callable[..., str], one: Damage) -> None:
    """The check that is for it tells of it, and its sentence says what and how much."""
    await seen(spoilt, one)
