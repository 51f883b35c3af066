"""The ledger by itself: whoever changes a movement is seen."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.storage.auditing.books import audited, found
from tests.storage.auditing.damages import Damage, names, seen
from tests.storage.unlocked import SAID_OTHERWISE

DAMAGES = (
    Damage(
        check="transfers_are_balanced",
        sql="UPDATE transfers SET debit_account = 'SALES' WHERE kind = 'TOP_UP' AND cause = "
        "'VM-1-t1'",
        sentence=(
            "TOP_UP VM-1-t1 of machine VM-1 (version 4) moves 1000 HKD from SALES to "
            "CUSTOMER_FUNDS VM-1-t1, which is no such transfer"
        ),
        companions=frozenset({"trades_equal_the_ledger", "balances_equal_the_transfers"}),
    ),
    Damage(
        check="transfers_are_balanced",
        sql="UPDATE transfers SET credit_reference = 'x' WHERE kind = 'RESERVE' AND cause = "
        "'VM-1-v1/VM-1-t1'",
        sentence="from CUSTOMER_FUNDS VM-1-t1 to RESERVED x, which is no such transfer",
        companions=frozenset({"approvals_are_reserved", "vends_are_settled_once"}),
    ),
    Damage(
        check="transfers_are_balanced",
        sql="UPDATE transfers SET kind = 'GIFT' WHERE kind = 'WRITE_OFF'",
        sentence="GIFT VM-3-v1 of machine VM-3",
        companions=frozenset({"vends_are_settled_once"}),
    ),
    Damage(
        check="transfers_are_balanced",
        sql="UPDATE transfers SET amount_minor = 0 WHERE kind = 'WRITE_OFF'",
        sentence="moves 0 JPY from GOODS_WRITTEN_OFF to SALES",
        companions=frozenset({"vends_are_settled_once", "balances_equal_the_transfers"}),
    ),
    Damage(
        check="money_is_in_its_machines_currency",
        sql="UPDATE transfers SET currency = 'JPY' WHERE cause = 'VM-1-t1'",
        sentence="1 transfers of machine VM-1 are in JPY, and the machine has HKD",
        companions=frozenset({"balances_equal_the_transfers"}),
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
            "INSERT INTO transfers SELECT machine_id, version, 9, at_ms, 'RETURN', cause, "
            "'RESERVED', 'VM-1-v1', 'CUSTOMER_FUNDS', trade_id, trade_id, amount_minor, currency "
            "FROM transfers WHERE kind = 'SETTLE' AND cause = 'VM-1-v1/VM-1-t1'"
        ),
        sentence=(
            "VM-1-v1/VM-1-t1 is entered 2 times as end of a reservation, with 1000 in all (machine "
            "VM-1)"
        ),
        companions=frozenset(
            {
                "vends_are_settled_once",
                "ended_sessions_hold_no_free_funds",
                "balances_equal_the_transfers",
            }
        ),
    ),
    Damage(
        check="transfers_stand_on_events",
        sql="UPDATE transfers SET version = 999 WHERE cause = 'VM-3-v1' AND kind = 'WRITE_OFF'",
        sentence=(
            "WRITE_OFF VM-3-v1 of 500 JPY has no line of the journal (machine VM-3, version 999)"
        ),
    ),
    Damage(
        check="transfers_stand_on_events",
        sql="UPDATE transfers SET at_ms = at_ms + 1 WHERE cause = 'VM-1-t1'",
        sentence="has a line of the journal with another time",
    ),
    Damage(
        check="balances_equal_the_transfers",
        sql=(
            "UPDATE balances SET debit_minor = debit_minor + 1 WHERE machine_id = 'VM-1' AND "
            "account = 'RECEIVABLE'"
        ),
        sentence=(
            "the balance of machine VM-1 on day 20454, RECEIVABLE, says 3001 debited and 1000 "
            "credited; its transfers say 3000 and 1000 (HKD)"
        ),
    ),
    Damage(
        check="balances_equal_the_transfers",
        sql="DELETE FROM balances WHERE machine_id = 'VM-3' AND account = 'SALES'",
        sentence="SALES, says 0 debited and 0 credited; its transfers say 0 and 500 (JPY)",
    ),
    Damage(
        check="balances_equal_the_transfers",
        sql="UPDATE balances SET day = day + 1 WHERE machine_id = 'VM-3' AND account = 'SALES'",
        sentence="its transfers say 0 and 0 (JPY)",
    ),
    Damage(
        check="fleet_totals_equal_the_balances",
        sql=("""INSERT INTO fleet_totals VALUES (1, 0, '', '{"sums":{"HKD":{"SALES":[0,7]}}}')"""),
        sentence=(
            "the fleet's totals at position 0, with what was moved behind it, say of SALES 0 "
            "debited and 1457 credited; all balances say 0 and 1450 (HKD)"
        ),
    ),
    Damage(
        check="fleet_totals_equal_the_balances",
        sql="INSERT INTO fleet_totals VALUES (1, 9999, '', '{}')",
        sentence="totals at position 9999 cannot be read, or the journal ends before it",
    ),
    Damage(
        check="fleet_totals_equal_the_balances",
        sql="INSERT INTO fleet_totals VALUES (1, 5, '', 'x')",
        sentence="the fleet's totals at position 5 cannot be read",
    ),
)


@pytest.mark.parametrize("one", DAMAGES, ids=names(DAMAGES))
async def test_no_statement_spoils_it_unseen(spoilt: Callable[..., str], one: Damage) -> None:
    """The check that is for it tells of it, and its sentence says what and how much."""
    await seen(spoilt, one)


async def test_what_is_entered_twice_is_seen(spoilt: Callable[..., str]) -> None:
    """Even if somebody took the uniqueness away: one cause, two transfers."""
    url = spoilt()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file, file:
        for statement in SAID_OTHERWISE:
            file.execute(statement)
        file.execute("INSERT INTO transfers SELECT * FROM transfers WHERE kind = 'WRITE_OFF'")
    audit = await audited(url)
    assert ["VM-3-v1 is entered 2 times as WRITE_OFF, with 1000 in all (machine VM-3)"] == list(
        found(audit, "a_cause_is_entered_once")
    )


@pytest.mark.parametrize(
    "row", ["1, 0, '', '{}'", "1, 0, '2026-01', 'made before a month was archived'"]
)
async def test_totals_that_are_right_or_void_are_no_finding(
    spoilt: Callable[..., str], row: str
) -> None:
    """Those that are void are nobody's answer."""
    audit = await audited(spoilt(f"INSERT INTO fleet_totals VALUES ({row})"))
    assert () == audit.sentences
