"""The one place where rows of ``audit`` are written, each with a digest that chains it to the one
before it (``storage.books.chain``).

Whoever acts calls it within the transaction of the act; the row stands behind the newest one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from storage.books import chain
from storage.tables import audit, installation

ROWS_AT_ONCE = 1_000
_HEAD = select(installation.c.audit_digest).with_for_update()
_NEW_HEAD = update(installation).values(audit_digest=bindparam("head"))
_INSERT = insert(audit)


class Outcome(StrEnum):
    """What became of an act. ORDERED: the machine's actor is told, and its journal says what it
    decided. PROPOSED: nothing yet, another person must want it too.
    """

    DONE = "DONE"
    ORDERED = "ORDERED"
    PROPOSED = "PROPOSED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts. ``name`` is for people to read; ``proven`` is the name in the certificate and
    ``claimed`` what the caller says of themselves, each empty if there is none.
    """

    name: str
    claimed: str = ""
    proven: str = ""


def actor_of(actor: str | Actor) -> Actor:
    """Return the actor; a plain name is one of ours, such as a host's, and proves nothing."""
    return actor if isinstance(actor, Actor) else Actor(name=actor)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """What one row says."""

    at_ms: int
    actor: str | Actor
    action: str
    machine_id: str
    detail: str
    outcome: Outcome = Outcome.DONE


def write_audit_row(
    connection: Connection,
    *,
    at_ms: int,
    actor: str | Actor,
    action: str,
    machine_id: str,
    detail: str,
    outcome: Outcome = Outcome.DONE,
) -> None:
    """Write a row. Call it last in a transaction: see ``write_audit_rows``."""
    row = AuditRow(
        at_ms=at_ms,
        actor=actor,
        action=action,
        machine_id=machine_id,
        detail=detail,
        outcome=outcome,
    )
    write_audit_rows(connection, [row])


def write_audit_rows(connection: Connection, rows: Sequence[AuditRow]) -> None:
    """Write rows, in their order. Call it last in a transaction: from here to its end every other
    writer of ``audit`` waits.

    SQLite has one writer anyway; PostgreSQL locks the installation's row, which no commit of a
    machine ever does. Whoever holds it asks for no other lock, so that nobody waits in a circle.
    """
    if not rows:
        return
    head = connection.scalar(_HEAD)
    assert head is not None, "the upgrade writes the installation's row"
    written: list[dict[str, Any]] = []
    for row in rows:
        who = actor_of(row.actor)
        values = (
            *(row.at_ms, who.name, row.action, row.machine_id, row.detail),
            *(who.claimed, who.proven, row.outcome.value),
        )
        head = chain.digest(head, chain.audit_content(values))
        written.append({**dict(zip(chain.AUDIT_COLUMNS, values, strict=True)), "digest": head})
    connection.execute(_INSERT, written)
    connection.execute(_NEW_HEAD, {"head": head})


def audit_page(after: int) -> Callable[[Connection], list[dict[str, Any]]]:
    """Return what reads the rows behind the one with this id, oldest first, a page of them, each by
    the names of its columns.
    """
    rows = select(*audit.c["id", *chain.AUDIT_COLUMNS, "digest"]).order_by(audit.c.id)
    page = rows.where(audit.c.id > after).limit(ROWS_AT_ONCE)
    return lambda connection: [dict(row) for row in connection.execute(page).mappings()]
