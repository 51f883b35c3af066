"""What an intruder with the file could do by one statement, and which check must see it.

``companions`` are other checks that look at the same thing from another side, and see it too. The
chain of digests sees whatever is done to the tables that it seals.
"""

import re
from dataclasses import dataclass

SEALED_BY = {
    "journal": "journals_are_as_written",
    "ledger_entries": "journals_are_as_written",
    "audit": "audit_rows_are_as_written",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One statement, the check that it is for, and a part of the sentence in which that check must
    tell of it.
    """

    check: str
    sql: str
    sentence: str
    companions: frozenset[str] = frozenset()

    @property
    def seen_by(self) -> set[str]:
        """Every check that sees it."""
        changed = re.match(r"(?:UPDATE|INSERT INTO|DELETE FROM) (\w+)", self.sql)
        assert changed
        chain = SEALED_BY.get(changed[1])
        return {self.check, *self.companions, *([chain] if chain else [])}


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
            "UPDATE ledger_entries SET amount_minor = amount_minor * 2 WHERE kind = 'TOP_UP' AND "
            "cause = 'VM-1-t1'"
        ),
        sentence="the ledger says paid 2000, held 1000",
        companions=frozenset({"ended_sessions_hold_no_free_funds"}),
    ),
    Damage(
        check="trades_equal_the_ledger",
        sql="UPDATE ledger_entries SET trade_id = 'VM-9-t1' WHERE kind = 'WRITE_OFF'",
        sentence="the ledger moves money of trade VM-9-t1 (paid 0), which machine VM-3 has not",
    ),
    Damage(
        check="refunds_equal_the_ledger",
        sql=(
            "UPDATE refunds SET status = 'SUCCEEDED', amount_minor = 400 WHERE refund_id = "
            "'VM-1-t1R1'"
        ),
        sentence=(
            "refund VM-1-t1R1 of trade VM-1-t1 is SUCCEEDED with 400 HKD; the ledger asked for 500 "
            "and owes 0"
        ),
        companions=frozenset({"refunds_follow_from_their_trades"}),
    ),
    Damage(
        check="refunds_equal_the_ledger",
        sql="DELETE FROM refunds WHERE refund_id = 'VM-1-t1R1'",
        sentence="the ledger asked for 500 under refund VM-1-t1R1, which machine VM-1 has not",
    ),
    Damage(
        check="refunds_equal_the_ledger",
        sql="UPDATE refunds SET status = 'SUCCEEDED' WHERE refund_id = 'VM-1-t3R1'",
        sentence="is SUCCEEDED with 1000 HKD; the ledger asked for 1000 and owes 1000",
        companions=frozenset({"what_is_open_is_in_the_state"}),
    ),
    Damage(
        check="refunds_follow_from_their_trades",
        sql=(
            "UPDATE refunds SET trade_id = 'VM-1-t1', partner_trans_id = 'out-VM-1-t1' WHERE "
            "refund_id = 'VM-1-t2R1'"
        ),
        sentence="refund VM-1-t2R1 of 500 does not follow from trade VM-1-t1, which has 2 refunds",
    ),
    Damage(
        check="refunds_follow_from_their_trades",
        sql="UPDATE refunds SET trade_id = 'nowhere' WHERE refund_id = 'VM-1-t2R1'",
        sentence="1 refunds of 500 in all name trade nowhere, which there is not",
    ),
    Damage(
        check="refunds_follow_from_their_trades",
        sql="UPDATE refunds SET status = 'SUCCEEDED' WHERE status = 'WRITTEN_OFF'",
        sentence=(
            "trade VM-4-t1 of 700 says that 0 goes back and 700 was given up; its refunds say 700 "
            "and 0"
        ),
    ),
    Damage(
        check="approvals_are_reserved",
        sql="UPDATE vends SET price_minor = 600 WHERE vend_id = 'VM-1-v1'",
        sentence="vend VM-1-v1 of 600 HKD is SUCCEEDED; the ledger reserved 500 for it",
    ),
    Damage(
        check="approvals_are_reserved",
        sql=(
            "UPDATE vends SET status = 'SUCCEEDED', session_id = 'VM-1-s1' WHERE vend_id = "
            "'VM-1-v3'"
        ),
        sentence="the ledger reserved 0 for it",
    ),
    Damage(
        check="approvals_are_reserved",
        sql="UPDATE vends SET vend_id = 'VM-1-v9' WHERE vend_id = 'VM-1-v1'",
        sentence="the ledger reserved 500 for vend VM-1-v1, which machine VM-1 has not",
    ),
    Damage(
        check="vends_are_settled_once",
        sql="UPDATE vends SET status = 'VOIDED' WHERE vend_id = 'VM-1-v1'",
        sentence=(
            "vend VM-1-v1 of 500 HKD is VOIDED; of 500 reserved, 500 was sold, 0 returned, 0 "
            "written off"
        ),
    ),
    Damage(
        check="vends_are_settled_once",
        sql="UPDATE vends SET reason = '' WHERE vend_id = 'VM-3-v1'",
        sentence="of 500 reserved, 0 was sold, 500 returned, 500 written off",
    ),
    Damage(
        check="money_stays_in_its_session",
        sql="UPDATE trades SET session_id = 'VM-1-s2' WHERE trade_id = 'VM-1-t1'",
        sentence=(
            "vend VM-1-v1 of session VM-1-s1 reserved 500 HKD of trade VM-1-t1, which belongs to "
            "VM-1-s2"
        ),
    ),
    Damage(
        check="money_stays_in_its_session",
        sql="UPDATE trades SET session_id = 'VM-2-s7' WHERE trade_id = 'VM-2-t2'",
        sentence="trade VM-2-t2 names session 'VM-2-s7', which machine VM-2 has not had",
    ),
    Damage(
        check="ended_sessions_hold_no_free_funds",
        sql="UPDATE sessions SET status = 'ENDED' WHERE session_id = 'VM-2-s1'",
        sentence=(
            "trade VM-2-t1 has 500 HKD of free funds and belongs to session VM-2-s1, which is not "
            "open"
        ),
        companions=frozenset({"what_is_open_is_in_the_state"}),
    ),
    Damage(
        check="states_hold",
        sql=(
            "UPDATE machine_states SET body = replace(body, '\"closed_trades\":[', "
            '\'"closed_trades":["VM-2-t1",\') WHERE '
            "machine_id = 'VM-2'"
        ),
        sentence="machine VM-2: its state does not hold: a trade is open or closed, not both",
    ),
    Damage(
        check="states_hold",
        sql=(
            "UPDATE machine_states SET body = replace(body, '\"stock\":5', '\"stock\":50') WHERE "
            "machine_id = 'VM-2'"
        ),
        sentence="holds 50 of 10",
    ),
    Damage(
        check="states_hold",
        sql="UPDATE machine_states SET body = 'gone', phase = 'DISABLED' WHERE machine_id = 'VM-3'",
        sentence="machine VM-3: its state (format 1) cannot be read",
    ),
    Damage(
        check="states_hold",
        sql="UPDATE machine_states SET phase = 'DISABLED' WHERE machine_id = 'VM-3'",
        sentence="its row says phase DISABLED, its state ENABLED",
    ),
    Damage(
        check="states_hold",
        sql="UPDATE machine_states SET active = 0 WHERE machine_id = 'VM-2'",
        sentence="its row says that nothing is open",
    ),
    Damage(
        check="states_hold",
        sql="UPDATE machines SET revision = 0 WHERE machine_id = 'VM-1'",
        sentence="its state knows revision 1, the registry only 0",
    ),
    Damage(
        check="what_is_open_is_in_the_state",
        sql="UPDATE vends SET product = 'gold' WHERE vend_id = 'VM-2-v1'",
        sentence=(
            "vend VM-2-v1 of machine VM-2: product is 'gold' in its row and 'cola' in the state"
        ),
    ),
    Damage(
        check="what_is_open_is_in_the_state",
        sql="UPDATE trades SET status = 'OPEN' WHERE trade_id = 'VM-1-t1'",
        sentence="trade VM-1-t1 is open, but not in the state of machine VM-1",
    ),
    Damage(
        check="what_is_open_is_in_the_state",
        sql="UPDATE trades SET status = 'CLOSED' WHERE trade_id = 'VM-1-t3'",
        sentence=(
            "the state of machine VM-1 holds trade VM-1-t3 open, and there is no such open row"
        ),
    ),
    Damage(
        check="nothing_was_taken_out",
        sql="DELETE FROM vends WHERE vend_id = 'VM-1-v3'",
        sentence="machine VM-1 has counted 4 vends, and there are 3",
    ),
    Damage(
        check="planograms_fit",
        sql=(
            "UPDATE planogram_columns SET stock = 11 WHERE machine_id = 'VM-1' AND \"column\" = "
            "'A2'"
        ),
        sentence="column A2 of machine VM-1 holds 11 of 10 at 300",
    ),
    Damage(
        check="the_journal_is_whole",
        sql="DELETE FROM journal WHERE machine_id = 'VM-1' AND version = 2",
        sentence=(
            "machine VM-1 has 19 lines from 1 to 20, with a gap before 3, and its state has "
            "version 20"
        ),
    ),
    Damage(
        check="the_journal_is_whole",
        sql="DELETE FROM journal WHERE machine_id = 'VM-1' AND version = 20",
        sentence=(
            "machine VM-1 has 19 lines from 1 to 19, without a gap, and its state has version 20"
        ),
    ),
    Damage(
        check="epochs_never_fall",
        sql="UPDATE journal SET epoch = 9 WHERE machine_id = 'VM-1' AND version = 2",
        sentence=(
            "journal: 1 rows of partition 4 have epoch 9, which is above the partition's own, 2"
        ),
    ),
    Damage(
        check="epochs_never_fall",
        sql="UPDATE journal SET epoch = 1 WHERE machine_id = 'VM-1' AND version = 20",
        sentence=(
            "journal: partition 4 wrote row 23 under epoch 2, and row 31 after it under epoch 1"
        ),
    ),
    Damage(
        check="epochs_never_fall",
        sql="UPDATE machine_states SET epoch = 7 WHERE machine_id = 'VM-1'",
        sentence="the state of machine VM-1 has epoch 7, above its partition's 2",
    ),
    Damage(
        check="machines_stay_in_their_partitions",
        sql="UPDATE machines SET partition = 1 WHERE machine_id = 'VM-1'",
        sentence="machines: machine VM-1 stands in partition 1, and belongs into 4",
    ),
    Damage(
        check="frames_are_applied_once",
        sql=(
            "UPDATE journal SET body = replace(body, '\"seq\":2', '\"seq\":7') WHERE "
            "machine_id = 'VM-1' AND kind = 'VendRequested' "
            "AND version = 17"
        ),
        sentence=(
            "machine VM-1 is acknowledged up to frame 4 of boot 'b2'; its journal leads to frame 1 "
            "of boot 'b2'"
        ),
    ),
    Damage(
        check="frames_are_applied_once",
        sql=(
            "UPDATE journal SET body = '{}' WHERE machine_id = 'VM-1' AND kind = 'Connected' AND "
            "version = 3"
        ),
        sentence="line 3 of machine VM-1 cannot be read",
    ),
    Damage(
        check="journals_are_as_written",
        sql=(
            "UPDATE ledger_entries SET reference = 'elsewhere' WHERE cause = 'VM-1-t1' AND account "
            "= 'RECEIVABLE'"
        ),
        sentence=(
            "line 4 of machine VM-1 (TopUpPaid) or one of its 2 ledger entries was changed, "
            "removed or put in"
        ),
    ),
    Damage(
        check="journals_are_as_written",
        sql="UPDATE journal SET event = 'nothing to see' WHERE machine_id = 'VM-2' AND version = 2",
        sentence=(
            "line 2 of machine VM-2 (CodeCreated) or one of its 0 ledger entries was changed, "
            "removed or put in"
        ),
    ),
    Damage(
        check="journals_are_as_written",
        sql=(
            "UPDATE journal SET event = CAST(event AS BLOB) WHERE machine_id = 'VM-2' AND version "
            "= 2"
        ),
        sentence=(
            "line 2 of machine VM-2 (CodeCreated) or one of its 0 ledger entries was changed, "
            "removed or put in"
        ),
    ),
    Damage(
        check="journals_are_as_written",
        sql="UPDATE journal SET effects = 'no JSON' WHERE machine_id = 'VM-2' AND version = 2",
        sentence=(
            "line 2 of machine VM-2 (CodeCreated) or one of its 0 ledger entries was changed, "
            "removed or put in"
        ),
    ),
    Damage(
        check="journals_are_as_written",
        sql="UPDATE journal SET digest = '' WHERE machine_id = 'VM-1' AND version = 7",
        sentence=(
            "line 7 of machine VM-1 (SessionCompleted) has no digest, and the line before it has "
            "one: it was put in or changed"
        ),
    ),
    Damage(
        check="journals_are_as_written",
        sql="UPDATE machine_states SET digest = '' WHERE machine_id = 'VM-1'",
        sentence="line 20 of machine VM-1 has another digest than its state, of version 20, holds",
    ),
    Damage(
        check="audit_rows_are_as_written",
        sql="UPDATE audit SET actor = 'ann' WHERE id = 2",
        sentence=(
            "row 2 of audit ('register' by ann) does not follow on row 1: it was changed or put "
            "in, or a row before it was removed"
        ),
    ),
    Damage(
        check="audit_rows_are_as_written",
        sql="DELETE FROM audit WHERE id = 1",
        sentence="row 2 of audit ('register' by test) is not the first that was written",
    ),
    Damage(
        check="audit_rows_are_as_written",
        sql="DELETE FROM audit WHERE id > 3",
        sentence=(
            "rows of audit behind row 3 were removed: the installation holds the digest of the last"
        ),
    ),
    Damage(
        check="audit_rows_are_as_written",
        sql="INSERT INTO audit (at_ms, actor, action, machine_id, detail, digest) SELECT at_ms, "
        "actor, action, machine_id, detail, digest "
        "FROM audit WHERE id = 4",
        sentence="row 7 of audit ('claim' by vendgate-host-0) does not follow on row 6",
    ),
    Damage(
        check="audit_rows_are_as_written",
        sql="UPDATE audit SET digest = '' WHERE id = 2",
        sentence="row 2 of audit ('register' by test) does not follow on row 1",
    ),
    Damage(
        check="taken_notifications_are_in_the_journal",
        sql="UPDATE inbox SET taken_version = 99 WHERE cause = 'payment:VM-1-t1'",
        sentence=(
            "notification payment:VM-1-t1 (row 1) of machine VM-1 was taken in version 99, of "
            "which there is no line"
        ),
    ),
    Damage(
        check="taken_notifications_are_in_the_journal",
        sql="UPDATE inbox SET taken_version = NULL WHERE cause = 'payment:VM-1-t1'",
        sentence="was taken in no version",
    ),
    Damage(
        check="taken_payments_are_credited",
        sql=(
            "UPDATE inbox SET event = replace(event, '1000', '9000') WHERE cause = "
            "'payment:VM-1-t1'"
        ),
        sentence="was taken with 9000 HKD, and trade VM-1-t1 of machine VM-1 has 1000 HKD",
    ),
    Damage(
        check="taken_payments_are_credited",
        sql=(
            "INSERT INTO inbox (cause, kind, machine_id, partition, trade_id, body_sha256, "
            "received_at_ms, taken_at_ms, "
            "taken_version, event, fields) SELECT 'payment:t9', kind, machine_id, partition, "
            "'t9', body_sha256, received_at_ms, "
            "taken_at_ms, taken_version, replace(event, 'VM-1-t1', 't9'), fields FROM inbox "
            "WHERE cause = 'payment:VM-1-t1'"
        ),
        sentence=(
            "notification payment:t9 of machine VM-1 was taken with 1000 HKD, and there is no such "
            "trade"
        ),
    ),
    Damage(
        check="top_ups_have_notifications",
        sql="DELETE FROM inbox WHERE cause = 'payment:VM-1-t1'",
        sentence=(
            "machine VM-1 credited 1000 HKD for trade VM-1-t1, and no notification that was taken "
            "says so (version 4)"
        ),
    ),
    Damage(
        check="top_ups_have_notifications",
        sql="UPDATE inbox SET taken_at_ms = NULL WHERE cause = 'payment:VM-1-t1'",
        sentence="machine VM-1 credited 1000 HKD for trade VM-1-t1",
    ),
    Damage(
        check="no_buyer_is_named",
        sql="UPDATE trades SET payer = '2088123412341234' WHERE trade_id = 'VM-1-t1'",
        sentence="trades.payer of VM-1-t1 holds a buyer's id (machine VM-1)",
    ),
    Damage(
        check="no_buyer_is_named",
        sql='UPDATE inbox SET fields = \'{"buyer_id": "2088123412341234"}\' WHERE id = 1',
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
