"""Ending what waits for a person and needs no act on money: one row and its audit row, in one
transaction.

Flows in: an item as ListWorkItems names it, who closes it and why. Flows out: the closing. The
first one counts, for ever; the item is not shown again. What has an act of its own (a refund, a
vend) is never closed here: its money would stay where it is.
"""

from dataclasses import replace

from sqlalchemy import Connection, select

from storage.books.audit_rows import Actor, actor_of, write_audit_row
from storage.database import dialects
from storage.database.engine import Database
from storage.fleet import work_items
from storage.fleet.answers import Claim, mark_done
from storage.fleet.views import ClosingView, WorkItemKind, WorkItemView
from storage.tables import work_item_closings

CLOSABLE = frozenset(
    {
        WorkItemKind.PAYMENT_CONFLICT,
        WorkItemKind.NOTIFICATION_REFUSED,
        WorkItemKind.RECONCILIATION_DIFFERENCE,
        WorkItemKind.MACHINE_ALARM,
        WorkItemKind.CLOCK_WRONG,
        WorkItemKind.READOUT_DIFFERENCE,
        WorkItemKind.MACHINE_DOUBLED,
    }
)
"""Nothing is due from us about these: a person looks, mends what is elsewhere, and says so."""


class NotWaiting(Exception):
    """Nothing of this name waits for a person: it never did, it was ended, or it says something
    else by now.
    """


class HasItsOwnAct(Exception):
    """The item ends by an act on its money and not by being closed. ``item`` says what it is."""

    def __init__(self, item: WorkItemView) -> None:
        super().__init__(item.item_id)
        self.item = item


class Closings:
    """The closings of an installation. Raises StoreError when the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def close(
        self,
        item_id: str,
        *,
        actor: str | Actor,
        reason: str,
        now_ms: int,
        claim: Claim | None = None,
        only_check: bool = False,
    ) -> ClosingView:
        """Close an item that waits; again, it returns the first closing and changes nothing. Raises
        NotWaiting or HasItsOwnAct.

        A ``claim`` that has closed it already finds its own closing. ``only_check`` returns the
        closing as it would be.
        """
        if only_check:
            return await self._db.read(
                lambda connection: _possible(connection, item_id, actor, reason, now_ms)[0]
            )
        return await self._db.write(
            lambda connection: _close(connection, item_id, actor, reason, now_ms, claim)
        )


def _possible(
    connection: Connection, item_id: str, actor: str | Actor, reason: str, now_ms: int
) -> tuple[ClosingView, WorkItemView | None]:
    """Return the first closing, or the one that may be made now and the item that it is about."""
    if (first := _closing(connection, item_id)) is not None:
        return replace(first, again=True), None
    row = connection.execute(*work_items.one(item_id, now_ms=now_ms)).one_or_none()
    if row is None:
        raise NotWaiting(item_id)
    item = work_items.work_item_view(row)
    if item.kind not in CLOSABLE:
        raise HasItsOwnAct(item)
    closing = ClosingView(
        item_id=item_id,
        kind=item.kind,
        machine_id=item.machine_id,
        actor=actor_of(actor).name,
        reason=reason,
        closed_at_ms=now_ms,
    )
    return closing, item


def _close(
    connection: Connection,
    item_id: str,
    actor: str | Actor,
    reason: str,
    now_ms: int,
    claim: Claim | None,
) -> ClosingView:
    possible, item = _possible(connection, item_id, actor, reason, now_ms)
    if item is None:
        return replace(possible, again=claim is None or not claim.done)
    values = {
        "item_id": item_id,
        "kind": item.kind.value,
        "machine_id": item.machine_id,
        "actor": actor_of(actor).name,
        "closed_at_ms": now_ms,
        "reason": reason,
    }
    statement = dialects.insert_or_ignore(
        connection.dialect.name, work_item_closings, ("item_id",)
    ).values(values)
    mine = connection.scalar(statement.returning(work_item_closings.c.item_id)) is not None
    closing = _closing(connection, item_id)
    assert closing is not None, "it is there: this transaction or another one has just written it"
    if mine and claim is not None:
        mark_done(connection, claim)
    if mine:
        # What it said is kept too: a difference's row says tomorrow what the next file says.
        detail = f"{item_id}: {reason} ({item.kind}: {item.reason})"
        write_audit_row(
            connection,
            at_ms=now_ms,
            actor=actor,
            action="CloseWorkItem",
            machine_id=item.machine_id,
            detail=detail,
        )
    return replace(closing, again=not mine)


def _closing(connection: Connection, item_id: str) -> ClosingView | None:
    row = connection.execute(
        select(work_item_closings).where(work_item_closings.c.item_id == item_id)
    ).one_or_none()
    if row is None:
        return None
    return ClosingView(
        item_id=row.item_id,
        kind=WorkItemKind(row.kind),
        machine_id=row.machine_id,
        actor=row.actor,
        reason=row.reason,
        closed_at_ms=row.closed_at_ms,
    )
