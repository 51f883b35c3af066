"""The one place where rows of ``audit`` are written, each with a digest that chains it to the one
before it (``storage.books.chain``).

Whoever acts calls it within the transaction of the act; the row stands behind the newest one.
"""

from sqlalchemy import Connection, insert, select, update

from storage.books import chain
from storage.tables import audit, installation

_HEAD = select(installation.c.audit_digest).with_for_update()


def write_audit_row(
    connection: Connection, *, at_ms: int, actor: str, action: str, machine_id: str, detail: str
) -> None:
    """Write a row. Call it last in a transaction: from here to its end every other writer of
    ``audit`` waits.

    SQLite has one writer anyway; PostgreSQL locks the installation's row, which no commit of a
    machine ever does. Whoever holds it asks for no other lock, so that nobody waits in a circle.
    """
    before = connection.scalar(_HEAD)
    assert before is not None, "the upgrade writes the installation's row"
    digest = chain.digest(before, chain.audit_content((at_ms, actor, action, machine_id, detail)))
    connection.execute(
        insert(audit).values(
            at_ms=at_ms,
            actor=actor,
            action=action,
            machine_id=machine_id,
            detail=detail,
            digest=digest,
        )
    )
    connection.execute(update(installation).values(audit_digest=digest))
