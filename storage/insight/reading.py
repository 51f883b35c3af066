"""What the follower reads of the books: a bounded number of lines behind a position, with all that
facts are made of, in one snapshot.

Lines that the archive has taken over (``starts``) are not read, even while some of them are still
here: who makes everything again keeps their facts (``storage.insight.clearing``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
)

from actors.machine.events import VendRequested
from actors.machine.ledger import TransferKind
from storage.insight.facts import Moved, SoldVend, vend_of
from storage.insight.places import Stood, read_stays
from storage.tables import journal, sessions, starts, trades, transfers, vends

IN_ONE_QUESTION = 500
"""So many ids are asked for at once."""
_KINDS = [
    kind.value
    for kind in (
        TransferKind.TOP_UP,
        TransferKind.RESERVE,
        TransferKind.SETTLE,
        TransferKind.GOODWILL,
        TransferKind.WRITE_OFF,
    )
]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the journal. ``orders`` as the journal keeps them (``codec.decode_orders``)."""

    position: int
    machine_id: str
    version: int
    at_ms: int
    kind: str
    session_id: str | None
    orders: str


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a trade; ``session_id`` is None if it fed no session."""

    payer_id: str
    session_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some lines, in the order of their positions, and what belongs to them. Nothing is missing
    from behind ``after`` up to ``upto``; ``newest_ms`` is the newest time of any line there.
    ``lines`` are those alone in which a customer chose: of the others it is enough what they moved.
    """

    after: int
    upto: int
    newest_ms: int
    lines: Sequence[Line]
    moved: Sequence[Moved]
    vends: Mapping[str, SoldVend]
    payments: Mapping[str, Payment]
    modes: Mapping[str, str]
    """By session."""
    stays: Mapping[str, Sequence[Stood]]


def _behind() -> tuple[Any, ...]:
    return (journal.c.id > bindparam("after"), journal.c.id <= bindparam("upto"))


_SOME = (
    select(journal.c.id, journal.c.at_ms)
    .where(*_behind())
    .order_by(journal.c.id)
    .limit(bindparam("most", type_=Integer))
    .subquery("some")
)
_UPTO = select(func.max(_SOME.c.id).label("upto"), func.max(_SOME.c.at_ms).label("newest_ms"))


def _here(query: Select[Any]) -> Select[Any]:
    """Leave out what is the archive's."""
    return query.outerjoin(starts, starts.c.machine_id == journal.c.machine_id).where(
        or_(starts.c.version.is_(None), starts.c.version < journal.c.version)
    )


_LINES = _here(
    select(
        *journal.c["id", "machine_id", "version", "at_ms", "kind", "session_id", "effects"]
    ).where(*_behind(), journal.c.kind == VendRequested.__name__)
).order_by(journal.c.id)
_MOVED = _here(
    select(journal.c.id, *transfers.c)
    .select_from(
        journal.join(
            transfers,
            and_(
                transfers.c.machine_id == journal.c.machine_id,
                transfers.c.version == journal.c.version,
            ),
        )
    )
    .where(
        *_behind(),
        or_(
            transfers.c.kind.in_(_KINDS),
            transfers.c.debit_account == "SALES",
            transfers.c.credit_account == "SALES",
        ),
    )
).order_by(journal.c.id, transfers.c.line)
_ASKED: BindParameter[Any] = bindparam("asked", expanding=True)
_VENDS = select(
    *vends.c["vend_id", "column", "product", "offer"],
    (vends.c.price_minor + vends.c.discount_minor).label("price_minor"),
).where(vends.c.vend_id.in_(_ASKED))
_TRADES = select(*trades.c["trade_id", "payer_id", "session_id"]).where(
    trades.c.trade_id.in_(_ASKED)
)
_SESSIONS = select(*sessions.c["session_id", "mode"]).where(sessions.c.session_id.in_(_ASKED))


def read_batch(connection: Connection, *, after: int, horizon: int, most: int) -> Batch | None:
    """Return at most so many lines behind ``after`` and up to ``horizon``, up to which nothing may
    be missing (``storage.fleet.horizon``); None if there are none.
    """
    some = connection.execute(_UPTO, {"after": after, "upto": horizon, "most": most}).one()
    upto: int | None = some.upto
    if upto is None:
        return None
    span = {"after": after, "upto": upto}
    lines = [_line(row) for row in connection.execute(_LINES, span).all()]
    moved = [_moved(row) for row in connection.execute(_MOVED, span).all()]
    payments = {
        row.trade_id: Payment(payer_id=row.payer_id, session_id=row.session_id)
        for row in _rows(connection, _TRADES, (one.trade_id for one in moved))
    }
    in_sessions = [line.session_id or "" for line in lines]
    in_sessions += [payment.session_id or "" for payment in payments.values()]
    return Batch(
        after=after,
        upto=upto,
        newest_ms=some.newest_ms,
        lines=lines,
        moved=moved,
        vends={
            row.vend_id: SoldVend(
                column=row.column,
                product=row.product,
                price_minor=row.price_minor,
                offer=row.offer,
            )
            for row in _rows(connection, _VENDS, map(vend_of, moved))
        },
        payments=payments,
        modes={row.session_id: row.mode for row in _rows(connection, _SESSIONS, in_sessions)},
        stays=read_stays(
            connection, {line.machine_id for line in lines} | {one.machine_id for one in moved}
        ),
    )


def _rows(connection: Connection, wanted: Select[Any], ids: Iterable[str]) -> Iterable[Row[Any]]:
    asked = sorted({one for one in ids if one})
    for start in range(0, len(asked), IN_ONE_QUESTION):
        some = asked[start : start + IN_ONE_QUESTION]
        yield from connection.execute(wanted, {"asked": some}).all()


def _line(row: Row[Any]) -> Line:
    return Line(
        position=row.id,
        machine_id=row.machine_id,
        version=row.version,
        at_ms=row.at_ms,
        kind=row.kind,
        session_id=row.session_id,
        orders=row.effects,
    )


def _moved(row: Row[Any]) -> Moved:
    return Moved(
        position=row.id,
        machine_id=row.machine_id,
        version=row.version,
        line=row.line,
        at_ms=row.at_ms,
        kind=row.kind,
        cause=row.cause,
        debit_account=row.debit_account,
        debit_reference=row.debit_reference,
        credit_account=row.credit_account,
        trade_id=row.trade_id,
        amount_minor=row.amount_minor,
        currency=row.currency,
    )
