"""Notifications, saved before they are acknowledged and decided upon later. Any gateway inserts;
the owner marks rows as taken.

The unique ``cause`` makes the same fact one row, whichever gateways are told it and how many times.
Who paid is known by a random number (``storage.machines.payers``), which the event gets here.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, bindparam, func, select
from sqlalchemy.sql.dml import ReturningInsert

from actors.machine.events import Event, TopUpPaid
from actors.machine.ids import Currency, MachineId, RefundId, TradeId
from actors.machine.offer import Offered
from actors.machine.state import RefundStatus
from actors.machine.values import replace
from actors.placement import partition_of
from actors.ports import StoreError
from storage import codec
from storage.database import dialects
from storage.database.durability import make_durable
from storage.database.engine import Database
from storage.machines.payers import Buyer, known_payer_id, put_in
from storage.tables import inbox, refunds, trades

Verdict = Literal["NEW", "DUPLICATE", "CONFLICT"]
Over = Literal["CLOSED", "RETURNED"]
"""How a trade that we did not know was over: it was closed, or money of it went back which we did
not order.
"""

TRIES = 3
"""A fact that others put in and take out is looked for this often."""
_RETURNED_ELSEWHERE = ("refused:unknown_refund:", "refused:other_refund:")
"""How the causes of echoes begin that are of no refund that we asked for."""
TOLD_AMOUNT_MINOR = "told_amount_minor"
TOLD_CURRENCY = "told_currency"
"""Beside the fields of a notification that was put aside: the money that it is about, as it was
read from them.
"""

_TOLD = (
    "trade_status",
    "out_trade_no",
    "seller_id",
    "total_fee",
    "forex_total_fee",
    "currency",
    "gmt_payment",
)
_NEEDED = ("trade_no", "out_trade_no", "trade_status", "seller_id")
_PLAIN = re.compile(r"[A-Za-z0-9 _.,:+-]{1,64}")

_CREDITED = select(
    trades.c.machine_id,
    trades.c.trade_id,
    trades.c.trade_id.label("told_trade_id"),
    *trades.c["partner_trans_id", "paid_minor", "currency"],
).where(trades.c.trade_id == bindparam("wanted"))
_TOLD_BEFORE = select(inbox).where(inbox.c.cause == bindparam("told"))
_TOLD_OF = select(inbox.c.cause).where(inbox.c.trade_id == bindparam("wanted"))
_OUR_REFUND = select(*refunds.c["trade_id", "amount_minor", "currency", "status"]).where(
    refunds.c.refund_id == bindparam("wanted")
)
_ASKED_BACK = select(*trades.c["paid_minor", "refunded_minor"]).where(
    trades.c.trade_id == bindparam("wanted")
)


@functools.cache
def _put_statement(dialect_name: str) -> ReturningInsert[int]:
    """Put together once for each dialect: making the statement costs more than running it."""
    return dialects.insert_or_ignore(dialect_name, inbox, ("cause",)).returning(inbox.c.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A verified notification. ``event`` is None if there is nothing to decide. ``buyer`` made the
    payment that it is about, if Alipay named one; nothing else of it may name or number a buyer,
    ``fields`` and ``told_sha256``, the digest of what is kept of what was told, included.

    ``cause`` names the fact: ``payment:<trade_no>``, ``refund:<refund_id>``, ``closed:<trade_no>``,
    ``finished:<trade_no>``, ``other:<notify_id>``; ``refused:<why>:<trade_no>:<notify_id>`` if
    Alipay signed it and it does not fit. ``machine_id`` is empty if nobody can tell whose it is.
    """

    cause: str
    kind: str
    machine_id: MachineId
    trade_id: str
    event: Event | None
    fields: Mapping[str, str] = field(repr=False)
    told_sha256: str
    received_at_ms: int
    buyer: Buyer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of a notification. All three may be acknowledged: it is saved.

    CONFLICT: the same cause was told with other content; this telling is kept for a person and
    never decided upon. ``inbox_id`` is 0 of a DUPLICATE whose first telling is in the archive.
    ``event``: of a NEW one, as it was saved, with its payer.
    """

    inbox_id: int
    verdict: Verdict
    event: Event | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBack:
    """A refund as we asked Alipay for it, in minor units, and what became of it here."""

    trade_id: TradeId
    amount_minor: int
    currency: Currency
    status: RefundStatus


Rights = Callable[[Connection, MachineId, str, Currency, int], tuple[Offered, ...]]
"""Looks up which offers a payer may use at a machine, in a currency and at a moment."""


def no_rights(*_: object) -> tuple[Offered, ...]:
    """Return that nobody may use any offer."""
    return ()


class Inbox:
    """The inbox of all machines. ``rights``: the offers of payers whom Alipay names."""

    def __init__(self, db: Database, rights: Rights = no_rights) -> None:
        self._db = db
        self._rights = rights

    async def put(self, received: Received) -> Stored:
        """Save a notification; raises StoreError when nobody knows whether it is saved: do not
        acknowledge it then.
        """
        if received.event is None:
            received = _without_nul(received)
        return await self._db.write(
            lambda connection: _put(connection, received, self._db.partition_count, self._rights)
        )

    async def knows_payment(self, trade_id: str) -> bool:
        """Tell whether a payment under this trade number was ever saved."""
        return await self._db.read_money(
            lambda connection: (
                _was_told(connection, f"payment:{trade_id}")
                or _credited(connection, trade_id) is not None
            )
        )

    async def our_refund(self, refund_id: RefundId) -> AskedBack | None:
        """Return this refund if it is one of ours, whatever became of it: each is saved before
        Alipay hears of it.
        """
        row = await self._db.read_money(
            lambda connection: connection.execute(_OUR_REFUND, {"wanted": refund_id}).one_or_none()
        )
        if row is None:
            return None
        return AskedBack(
            trade_id=TradeId(row.trade_id),
            amount_minor=row.amount_minor,
            currency=Currency(row.currency),
            status=RefundStatus(row.status),
        )

    async def has_money_of(self, trade_id: str) -> bool:
        """Tell whether money of this trade is here, spent or not: a payment was saved, and not all
        of it was asked back. What is given up was not.
        """
        return await self._db.read_money(lambda connection: _has_money_of(connection, trade_id))

    async def over_unpaid(self, trade_id: str) -> Over | None:
        """Return how we were told that this trade is over, if we never were told that it was
        paid.
        """
        return await self._db.read_money(lambda connection: _over_unpaid(connection, trade_id))


def _without_nul(received: Received) -> Received:
    """Return what is only kept without NUL in its names, which PostgreSQL does not keep: what
    Alipay signed must reach a person whatever is in it.
    """
    cause, trade_id = (
        name.replace("\0", "\N{REPLACEMENT CHARACTER}")
        for name in (received.cause, received.trade_id)
    )
    return dataclasses.replace(received, cause=cause, trade_id=trade_id)


def _put(
    connection: Connection, received: Received, partition_count: int, rights: Rights
) -> Stored:
    partition = partition_of(received.machine_id, partition_count)
    for _ in range(TRIES):
        # Looked for before it is inserted: the archive may be taking the first telling away just
        # now, and what was told before makes nobody known again who was erased meanwhile.
        before = _told_before(connection, received)
        if before is not None:
            break
        new = _with_payer(connection, received, rights)
        if (inbox_id := _insert(connection, new, new.cause, partition)) is not None:
            return Stored(inbox_id=inbox_id, verdict="NEW", event=new.event)
    else:
        raise StoreError(f"{received.cause} was put in and taken out by others several times.")
    first_id, told = before
    # If nothing is written, Alipay hears "success" for a row that is there.
    make_durable(connection)
    if told == _said(received):
        return Stored(inbox_id=first_id, verdict="DUPLICATE")
    cause = f"conflict:{received.cause}:{received.told_sha256}"
    inbox_id = _insert(connection, received, cause, partition, taken_at_ms=received.received_at_ms)
    return Stored(
        inbox_id=_find(connection, cause).id if inbox_id is None else inbox_id, verdict="CONFLICT"
    )


def _told_before(
    connection: Connection, received: Received
) -> tuple[int, tuple[object, ...]] | None:
    """Return the row of the first telling, 0 if it is in the archive by now, and what it says. Of a
    payment there the trade is still here, and so it is never credited again, whatever its machine
    remembers.
    """
    row = connection.execute(_TOLD_BEFORE, {"told": received.cause}).one_or_none()
    if row is not None:
        return row.id, _says(row)
    if not isinstance(received.event, TopUpPaid):
        return None
    credited = _credited(connection, received.trade_id)
    return None if credited is None else (0, tuple(credited))


def _credited(connection: Connection, trade_id: str) -> Row[Any] | None:
    """Return what we know of a trade whose money came in, in the words of ``_said``."""
    return connection.execute(_CREDITED, {"wanted": trade_id}).one_or_none()


def _insert(
    connection: Connection,
    received: Received,
    cause: str,
    partition: int,
    *,
    taken_at_ms: int | None = None,
) -> int | None:
    """Insert a row and return its id; None if the cause is there."""
    nothing_to_decide = received.event is None
    row = {
        "cause": cause,
        "kind": received.kind,
        "machine_id": received.machine_id,
        "partition": partition,
        "trade_id": received.trade_id,
        "told_sha256": received.told_sha256,
        "received_at_ms": received.received_at_ms,
        "taken_at_ms": received.received_at_ms if nothing_to_decide else taken_at_ms,
        "event": None if received.event is None else codec.encode_event(received.event),
        "fields": codec.encode_fields(received.fields),
    }
    inbox_id: int | None = connection.scalar(_put_statement(connection.dialect.name), row)
    return inbox_id


def _with_payer(connection: Connection, received: Received, rights: Rights) -> Received:
    buyer, now_ms = received.buyer, received.received_at_ms
    if buyer is None or not isinstance(received.event, TopUpPaid):
        return received
    payer_id = known_payer_id(connection, buyer, now_ms=now_ms)
    if payer_id is None:
        payer_id = put_in(connection, buyer, now_ms=now_ms)
    offers = rights(connection, received.machine_id, payer_id, received.event.currency, now_ms)
    event = replace(received.event, payer_id=payer_id, offers=offers)
    return dataclasses.replace(received, event=event)


def _was_told(connection: Connection, cause: str) -> bool:
    return connection.execute(_TOLD_BEFORE, {"told": cause}).one_or_none() is not None


def _has_money_of(connection: Connection, trade_id: str) -> bool:
    row = connection.execute(_ASKED_BACK, {"wanted": trade_id}).one_or_none()
    if row is None:
        return _was_told(connection, f"payment:{trade_id}")  # its machine has not taken it yet
    return bool(row.paid_minor != row.refunded_minor)


def _over_unpaid(connection: Connection, trade_id: str) -> Over | None:
    causes = set(connection.scalars(_TOLD_OF, {"wanted": trade_id}))
    over: Over | None = None
    if f"closed:{trade_id}" in causes:
        over = "CLOSED"
    elif any(cause.startswith(_RETURNED_ELSEWHERE) for cause in causes):
        over = "RETURNED"
    if over is None or f"payment:{trade_id}" in causes:
        return None
    return over if _credited(connection, trade_id) is None else None


def _find(connection: Connection, cause: str) -> Row[Any]:
    return connection.execute(_TOLD_BEFORE, {"told": cause}).one()


def _said(received: Received) -> tuple[object, ...]:
    return (received.machine_id, received.trade_id, *_money(received.event))


def _says(row: Row[Any]) -> tuple[object, ...]:
    return (
        row.machine_id,
        row.trade_id,
        *_money(None if row.event is None else codec.decode_event(row.event)),
    )


def _money(event: Event | None) -> tuple[object, ...]:
    """Return what may not differ between two tellings of one fact. Its time and its payer
    may: who was forgotten meanwhile has another id.
    """
    if isinstance(event, TopUpPaid):
        return (event.trade_id, event.partner_trans_id, event.amount_minor, event.currency)
    return (type(event),)


def payment_minor() -> ColumnElement[str]:
    """Return what a payment's row says was paid, as text: by its place in the event, behind the
    kind; by its name in rows from before schema 0007.
    """
    place = 1 + TopUpPaid.__struct_fields__.index("amount_minor")
    told = (inbox.c.event[place], inbox.c.event["body"]["amount_minor"])
    return func.coalesce(*(one.as_string() for one in told))


def told_in_words(fields: Mapping[str, str]) -> str:
    """Return what a notification says of its money, in Alipay's words, for people."""
    said = (f"{name}={fields[name]}" for name in _TOLD if _PLAIN.fullmatch(fields.get(name, "")))
    missing = (f"no {name}" for name in _NEEDED if not fields.get(name))
    return ", ".join((*said, *missing))
