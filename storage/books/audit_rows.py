"""The one place where rows of ``audit`` are written, each with a digest that chains it to the one
before it (``storage.books.chain``).

Whoever acts calls it within the transaction of the act; the row stands behind the newest one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from storage.books import chain
from storage.tables import audit, installation

ROWS_AT_ONCE = 1_000
_HEAD = select(installation.c.audit_digest).with_for_update()


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
    """Write a row. Call it last in a transaction: from here to its end every other writer of
    ``audit`` waits.

    SQLite has one writer anyway; PostgreSQL locks the installation's row, which no commit of a
    machine ever does. Whoever holds it asks for no other lock, so that nobody waits in a circle.
    """
    before = connection.scalar(_HEAD)
    assert before is not None, "the upgrade writes the installation's row"
    who = actor_of(actor)
    values = (at_ms, who.name, action, machine_id, detail, who.claimed, who.proven, outcome.value)
    digest = chain.digest(before, chain.audit_content(values))
    row = dict(zip(chain.AUDIT_COLUMNS, values, strict=True))
    connection.execute(insert(audit).values(digest=digest, **row))
    connection.execute(update(installation).values(audit_digest=digest))


def audit_page(after: int) -> Callable[[Connection], list[dict[str, Any]]]:
    """Return what reads the rows behind the one with this id, oldest first, a page of them, each by
    the names of its columns.
    """
    rows = select(*audit.c["id", *chain.AUDIT_COLUMNS, "digest"]).order_by(audit.c.id)
    page = rows.where(audit.c.id > after).limit(ROWS_AT_ONCE)
    return lambda connection: [dict(row) for row in connection.execute(page).mappings()]
