"""The random number by which the books know a customer, and the table that maps it to a buyer.

Flows in: the keyed hash of Alipay's buyer id, and a random number to be used if nobody knows that
buyer. Flows out: the number that is the buyer's, the same at every gateway. It is found or put in
within the transaction that fills the inbox, and nothing else of the buyer leaves that transaction.
What leads from a number back to a person is this table alone, so a deleted row is a person
forgotten: who comes back gets another number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, delete, select, update

from actors.ports import StoreError
from storage.database import dialects
from storage.database.engine import Database
from storage.tables import experiment_payers, offer_uses, payer_tags, payers, sale_facts

DAY_MS = 86_400_000
"""``last_seen_ms`` is written no more often, so that a payment costs no further row."""
SWEPT_MAX = 500
"""At most so many mappings go in one transaction."""
TRIES = 3
"""A buyer who is put in by another gateway and erased at once is looked for this often."""

_KNOWN = select(payers).where(payers.c.buyer_hash == bindparam("told"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """A customer as the ingress knows them. ``new_payer_id``: 128 random bits as text, for a buyer
    whom nobody knows. ``other_hashes``: the same buyer under other keys of the hash, while one
    takes the place of another.
    """

    buyer_hash: str = field(repr=False)
    new_payer_id: str
    other_hashes: tuple[str, ...] = field(default=(), repr=False)


def known_payer_id(connection: Connection, buyer: Buyer, *, now_ms: int) -> str | None:
    """Return the buyer's number, None if nobody knows them; note that they were seen."""
    row = connection.execute(_KNOWN, {"told": buyer.buyer_hash}).one_or_none()
    if row is None:
        return _known_otherwise(connection, buyer, now_ms=now_ms) if buyer.other_hashes else None
    payer_id: str = row.payer_id
    if now_ms - row.last_seen_ms >= DAY_MS:
        seen = update(payers).where(payers.c.payer_id == payer_id).values(last_seen_ms=now_ms)
        # On PostgreSQL another gateway may have forgotten them since the row was read.
        found: str | None = connection.scalar(seen.returning(payers.c.payer_id))
        return found
    return payer_id


def _known_otherwise(connection: Connection, buyer: Buyer, *, now_ms: int) -> str | None:
    """Let who is known under another key of the hash be known under the present one from now on,
    with the number that they have, and return that.
    """
    other = select(payers.c.buyer_hash).where(payers.c.buyer_hash.in_(buyer.other_hashes))
    # One of them, should there be two: each hash is of one person, and stays unique.
    moved = (
        update(payers)
        .where(payers.c.buyer_hash == other.limit(1).scalar_subquery())
        .values(buyer_hash=buyer.buyer_hash, last_seen_ms=now_ms)
        .returning(payers.c.payer_id)
    )
    payer_id: str | None = connection.scalar(moved)
    return payer_id


def put_in(connection: Connection, buyer: Buyer, *, now_ms: int) -> str:
    """Put a buyer in under their new number and return it, or the one that another gateway has just
    given them. Raises StoreError if they are put in and erased by others all the time.
    """
    new = {
        "buyer_hash": buyer.buyer_hash,
        "payer_id": buyer.new_payer_id,
        "first_seen_ms": now_ms,
        "last_seen_ms": now_ms,
    }
    # On PostgreSQL this waits for another gateway that is putting the same buyer in.
    putting = dialects.insert_or_ignore(connection.dialect.name, payers, ("buyer_hash",))
    for _ in range(TRIES):
        if connection.scalar(putting.returning(payers.c.payer_id), new) is not None:
            return buyer.new_payer_id
        if (payer_id := known_payer_id(connection, buyer, now_ms=now_ms)) is not None:
            return payer_id
    raise StoreError("A buyer was put in and erased at once, several times: try again.")


def is_known(connection: Connection, payer_id: str) -> bool:
    """Return whether the number still leads to a buyer."""
    there = select(payers.c.payer_id).where(payers.c.payer_id == payer_id)
    return connection.scalar(there) is not None


def forget(connection: Connection, payer_id: str) -> bool:
    """Delete the mapping of a number; return whether there was one. What was made of the books
    about this payer goes with it, whether there was one or not.
    """
    gone = delete(payers).where(payers.c.payer_id == payer_id).returning(payers.c.payer_id)
    was_known = connection.scalar(gone) is not None
    if payer_id:
        _forget_what_is_told(connection, [payer_id])
    return was_known


def _forget_what_is_told(connection: Connection, payer_ids: Sequence[str]) -> None:
    """Let facts of sales and uses of offers be nobody's, and take tags and places in experiments
    away. The mappings must be gone by now: who makes facts and tags, and who starts an experiment,
    looks whether they are there (``storage.insight``).
    """
    connection.execute(
        update(sale_facts)
        # Said twice: SQLite finds its index only so.
        .where(sale_facts.c.payer_id.in_(payer_ids), sale_facts.c.payer_id != "")
        .values(payer_id="")
    )
    for table in (payer_tags, experiment_payers):
        connection.execute(delete(table).where(table.c.payer_id.in_(payer_ids)))
    used = offer_uses.c.payer_id.in_(payer_ids)
    # In the order in which a COMMIT locks those that it gives back.
    order = [
        dialects.by_characters(connection.dialect.name, column)
        for column in offer_uses.c["offer", "vend_id"]
    ]
    locked = select(offer_uses.c.vend_id).where(used).order_by(*order).with_for_update()
    connection.execute(locked).all()
    connection.execute(update(offer_uses).where(used).values(payer_id=""))


class Payers:
    """The mappings of an installation. Raises StoreError when the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def forget_unused(self, *, before_ms: int, limit: int = SWEPT_MAX) -> int:
        """Delete mappings that no payment has used since ``before_ms``, the oldest first, at most
        ``limit``; return how many. Rows that another sweep has locked are left to it.
        """

        def work(connection: Connection) -> int:
            unused = (
                select(payers.c.buyer_hash, payers.c.payer_id)
                .where(payers.c.last_seen_ms < before_ms)
                .order_by(payers.c.last_seen_ms)
                .limit(limit)
                .with_for_update(skip_locked=True)
            )
            found = connection.execute(unused).all()
            if found:
                hashes = [row.buyer_hash for row in found]
                connection.execute(delete(payers).where(payers.c.buyer_hash.in_(hashes)))
                _forget_what_is_told(connection, [row.payer_id for row in found])
            return len(found)

        return await self._db.write(work)
