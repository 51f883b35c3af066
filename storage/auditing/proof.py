"""Runs every check on one moment of a database. Reads only; a live database may go on meanwhile."""

import inspect
from collections.abc import Collection, Sequence
from itertools import islice

from sqlalchemy import Connection

from storage.auditing import inbox, journal, ledger, privacy, sealing, states, trades, vends
from storage.auditing.ages import warnings
from storage.auditing.findings import FINDINGS_MAX, Audit, Check, Finding, Look, Seal, Unsealed
from storage.auditing.reading import Books
from storage.auditing.seals import newest_seals, sealed_digests_stand
from storage.database.engine import Database
from storage.fleet.balances import read_balances
from storage.tables import audit
from storage.tables import journal as lines

CHECKS: tuple[Look, ...] = (
    ledger.transfers_are_balanced,
    ledger.money_is_in_its_machines_currency,
    ledger.a_cause_is_entered_once,
    ledger.transfers_stand_on_events,
    ledger.balances_equal_the_transfers,
    trades.trades_equal_the_ledger,
    trades.refunds_equal_the_ledger,
    trades.refunds_follow_from_their_trades,
    vends.approvals_are_reserved,
    vends.vends_are_settled_once,
    vends.money_stays_in_its_session,
    vends.ended_sessions_hold_no_free_funds,
    states.states_hold,
    states.what_is_open_is_in_the_state,
    states.nothing_was_taken_out,
    states.planograms_fit,
    journal.the_journal_is_whole,
    journal.epochs_never_fall,
    journal.machines_stay_in_their_partitions,
    journal.frames_are_applied_once,
    sealing.journals_are_as_written,
    sealing.audit_rows_are_as_written,
    inbox.taken_notifications_are_in_the_journal,
    inbox.taken_payments_are_credited,
    inbox.top_ups_have_notifications,
    privacy.no_buyer_is_named,
    privacy.payers_are_random_numbers,
    privacy.notifications_keep_no_buyer,
)
"""Each is one invariant; its docstring is the sentence that is to be true."""


async def prove(
    db: Database, *, now_ms: int, own_ids: Collection[str] = (), seals: Sequence[Seal] = ()
) -> Audit:
    """Return what all checks find in one moment of the database. Raises StoreError if it cannot be
    read.

    ``own_ids``: ids that look like a buyer's and are not, such as the operator's partner id.
    ``seals``: those of an earlier audit, if they are to be checked too.
    """
    count = db.partition_count
    return await db.read(
        lambda connection: prove_within(
            connection, now_ms=now_ms, partition_count=count, own_ids=own_ids, seals=seals
        )
    )


def prove_within(
    connection: Connection,
    *,
    now_ms: int,
    partition_count: int,
    own_ids: Collection[str] = (),
    seals: Sequence[Seal] = (),
) -> Audit:
    """Return the same of a read transaction that is open."""
    books = Books(
        connection, now_ms=now_ms, partition_count=partition_count, own_ids=frozenset(own_ids)
    )
    looks = (*CHECKS, sealed_digests_stand(seals)) if seals else CHECKS
    return Audit(
        at_ms=books.now_ms,
        checks=tuple(_check(books, look) for look in looks),
        warnings=tuple(islice(warnings(books), FINDINGS_MAX)),
        balances=tuple(read_balances(books.connection, "")),
        seals=tuple(newest_seals(books)),
        unsealed=Unsealed(
            journal_lines=books.count(lines, lines.c.digest == ""),
            audit_rows=books.count(audit, audit.c.digest == ""),
        ),
    )


def _check(books: Books, look: Look) -> Check:
    looked_at, more = 0, False
    findings: list[Finding] = []
    for seen in look(books):
        if isinstance(seen, int):
            looked_at += seen
        elif len(findings) < FINDINGS_MAX:
            findings.append(seen)
        else:
            more = True
            break
    truth = inspect.getdoc(look)
    assert truth, "a check says what is true"
    return Check(
        name=look.__name__,
        # A docstring's lines end where the page does, in the middle of a sentence.
        truth=" ".join(truth.partition("\n\n")[0].split()),
        looked_at=looked_at,
        findings=tuple(findings),
        more=more,
    )
