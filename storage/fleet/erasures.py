"""Erasing a person: the mapping of their payer goes, with the tags and the facts of sales that are
theirs, and an audit row says that it did, in one transaction.

Flows in: the number of a trade, which stands in the payer's own Alipay app and so shows who asks.
Flows out: whether a mapping was there. The books are not touched: what they hold is a random number
that leads to nobody any more.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from actors.machine.events import TopUpPaid
from storage import codec
from storage.books.audit_rows import Actor, write_audit_row
from storage.database.engine import Database
from storage.fleet.answers import Claim, mark_done
from storage.machines import payers
from storage.tables import inbox, trades


class UnknownTrade(Exception):
    """No payment was ever saved under this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureView:
    """``erased``: the payer of the trade was known, and is not any more. Not: Alipay named nobody,
    or they were erased or forgotten before.
    """

    trade_id: str
    machine_id: str
    erased: bool


class Erasures:
    """Carries them out. Raises StoreError when the database does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def erase(
        self,
        trade_id: str,
        *,
        actor: str | Actor,
        reason: str,
        now_ms: int,
        claim: Claim | None = None,
        only_check: bool = False,
    ) -> ErasureView:
        """Erase the payer of a trade; again, it changes nothing and is noted. Raises UnknownTrade.

        A ``claim`` that has erased them already finds it so. ``only_check`` returns what would be
        done.
        """

        def check(connection: Connection) -> ErasureView:
            machine_id, payer_id = paid_by(connection, trade_id)
            known = payers.is_known(connection, payer_id)
            return ErasureView(trade_id=trade_id, machine_id=machine_id, erased=known)

        def erase(connection: Connection) -> ErasureView:
            machine_id, payer_id = paid_by(connection, trade_id)
            if claim is not None and claim.done:
                return ErasureView(trade_id=trade_id, machine_id=machine_id, erased=True)
            erased = payers.forget(connection, payer_id)
            if erased and claim is not None:
                mark_done(connection, claim)
            done = "" if erased else " (nobody was known any more)"
            write_audit_row(
                connection,
                at_ms=now_ms,
                actor=actor,
                action="ErasePayer",
                machine_id=machine_id,
                # Neither the buyer's hash nor the payer's number: what is erased stands nowhere.
                detail=f"payer of trade {trade_id}{done}: {reason}",
            )
            return ErasureView(trade_id=trade_id, machine_id=machine_id, erased=erased)

        return await (self._db.read(check) if only_check else self._db.write(erase))


def paid_by(connection: Connection, trade_id: str) -> tuple[str, str]:
    """Return the machine that was paid and the payer's number, empty if nobody was named. A payment
    that no host has decided on stands in the inbox alone. Raises UnknownTrade.
    """
    paid = connection.execute(
        select(trades.c.machine_id, trades.c.payer_id).where(trades.c.trade_id == trade_id)
    ).one_or_none()
    if paid is not None:
        return paid.machine_id, paid.payer_id
    told = connection.execute(
        select(inbox.c.machine_id, inbox.c.event).where(inbox.c.cause == f"payment:{trade_id}")
    ).one_or_none()
    if told is None:
        raise UnknownTrade(trade_id)
    event = codec.decode_event(told.event)
    return told.machine_id, event.payer_id if isinstance(event, TopUpPaid) else ""
