"""Runs every check on one moment of a database. Reads only; a live database may go on meanwhile."""

import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, func, select

from storage.auditing import (
    goods,
    inbox,
    journal,
    ledger,
    offers,
    privacy,
    sealing,
    states,
    trades,
    vends,
)
from storage.auditing.ages import warnings
from storage.auditing.excerpt import Excerpt
from storage.auditing.findings import FINDINGS_MAX, Audit, Check, Finding, Look, Seal, Unsealed
from storage.auditing.reading import Books
from storage.auditing.scratch import scratch
from storage.auditing.seals import (
    newest_seals,
    proved_up_to,
    sealed_digests_stand,
    seals_are_as_written,
)
from storage.auditing.starts import changed_seals
from storage.database.engine import Database
from storage.fleet.balances import views
from storage.tables import audit, starts
from storage.tables import journal as lines
from storage.tables import seals as sealed

CHECKS: tuple[Look, ...] = (
    ledger.transfers_are_balanced,
    ledger.money_is_in_its_machines_currency,
    ledger.a_cause_is_entered_once,
    ledger.transfers_stand_on_events,
    ledger.balances_equal_the_transfers,
    ledger.fleet_totals_equal_the_balances,
    trades.trades_equal_the_ledger,
    trades.refunds_equal_the_ledger,
    trades.refunds_follow_from_their_trades,
    vends.approvals_are_reserved,
    vends.vends_are_settled_once,
    vends.money_stays_in_its_session,
    vends.ended_sessions_hold_no_free_funds,
    goods.goods_stand_on_decisions,
    goods.delivered_vends_took_one_item,
    goods.test_vends_took_what_they_dropped,
    goods.goods_are_where_they_went,
    goods.stock_is_what_is_in_the_column,
    offers.offers_are_used_by_their_vends,
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


ON_THE_DATABASE = frozenset(
    {
        states.states_hold,
        states.what_is_open_is_in_the_state,
        states.nothing_was_taken_out,
        states.planograms_fit,
        goods.stock_is_what_is_in_the_column,
        goods.test_vends_took_what_they_dropped,
        ledger.fleet_totals_equal_the_balances,
        seals_are_as_written,
    }
)
"""These cost what there are machines and open things, not what has happened, or no more than the
balances that each audit tells: they look at the database itself even where the others look at an
excerpt.
"""
ON_ALL_OF_IT = frozenset({goods.goods_are_where_they_went, offers.offers_are_used_by_their_vends})
"""These add up the moves of all places, and all uses of offers, since the first one, in the
database itself: an audit of what is behind the seals leaves them out.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an audit looks at. ``whole``: all that is in the database, or only what is behind the
    last seals. ``archived`` adds what was archived, so that it begins with the first lines.
    """

    whole: bool = True
    archived: Callable[[Excerpt], None] | None = None


WHOLE = Scope()


async def prove(
    db: Database,
    *,
    now_ms: int,
    own_ids: Collection[str] = (),
    seals: Sequence[Seal] = (),
    scope: Scope = WHOLE,
) -> Audit:
    """Return what all checks find in one moment of the database. Raises StoreError if it cannot be
    read.

    ``own_ids``: ids that look like a buyer's and are not, such as the operator's partner id.
    ``seals``: those of an earlier audit, if they are to be checked too.
    """
    count = db.partition_count
    return await db.read(
        lambda connection: prove_within(
            connection,
            now_ms=now_ms,
            partition_count=count,
            own_ids=own_ids,
            seals=seals,
            scope=scope,
        )
    )


def prove_within(
    connection: Connection,
    *,
    now_ms: int,
    partition_count: int,
    own_ids: Collection[str] = (),
    seals: Sequence[Seal] = (),
    scope: Scope = WHOLE,
) -> Audit:
    """Return the same of a read transaction that is open."""

    def books_of(connection: Connection) -> Books:
        return Books(
            connection, now_ms=now_ms, partition_count=partition_count, own_ids=frozenset(own_ids)
        )

    live = books_of(connection)
    sealed_at_ms = None if scope.whole or scope.archived else _sealed_at_ms(connection)
    checks = CHECKS
    if sealed_at_ms is not None:
        checks = tuple(look for look in CHECKS if look not in ON_ALL_OF_IT)
    of_seals = (
        *(() if sealed_at_ms is None else (seals_are_as_written,)),
        *((sealed_digests_stand(seals),) if seals else ()),
    )
    looks = (*checks, *of_seals)
    on_live = {*ON_THE_DATABASE, *ON_ALL_OF_IT}
    # Begun behind a seal that was changed, the checks would accuse the journal.
    since_ms = None if sealed_at_ms is None or changed_seals(connection) else sealed_at_ms
    if since_ms is None and scope.archived is None and not live.starts:
        return _proved(live, live, looks, on_live, None)
    with scratch() as copy:
        excerpt = Excerpt(
            live,
            copy,
            starts if since_ms is None else sealed,
            archived=scope.archived is not None,
        )
        excerpt.copy()
        if since_ms is None:
            excerpt.copy_strangers()
        if scope.archived is not None:
            scope.archived(excerpt)
        excerpt.index()
        # A line that was sealed earlier may be older than what an excerpt of the newest holds.
        on_live |= set() if since_ms is None else set(of_seals)
        return _proved(live, books_of(copy), looks, on_live, since_ms)


def _sealed_at_ms(connection: Connection) -> int | None:
    """Return when the last seals were taken, None if there are none."""
    newest: int | None = connection.scalar(select(func.max(sealed.c.sealed_at_ms)))
    return newest


def _proved(
    live: Books,
    books: Books,
    looks: Sequence[Look],
    on_live: Collection[Look],
    since_ms: int | None,
) -> Audit:
    checks = tuple(_check(live if look in on_live else books, look) for look in looks)
    return Audit(
        at_ms=live.now_ms,
        checks=checks,
        warnings=tuple(islice(warnings(live), FINDINGS_MAX)),
        balances=tuple(views(live.balances)),
        seals=tuple(newest_seals(live)),
        unsealed=Unsealed(
            journal_lines=books.count(lines, lines.c.digest == ""),
            audit_rows=books.count(audit, audit.c.digest == ""),
        ),
        since_ms=since_ms,
        proved=tuple(proved_up_to(live, books)),
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
