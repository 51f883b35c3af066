"""Vends and sessions against the ledger: nothing is approved unpaid, every vend is settled once, no
money leaves its session.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Select,
    Subquery,
    Table,
    Text,
    and_,
    case,
    cast,
    func,
    or_,
    select,
)

from actors.machine.invariants import RESERVING
from actors.machine.ledger import Account, TransferKind
from actors.machine.state import VendStatus
from storage.auditing.findings import Finding
from storage.auditing.reading import Books, Span, credited, made_once, reference, total, touches
from storage.tables import sessions, trades, transfers, vends

transfer = transfers.c
NEVER_APPROVED = (VendStatus.AWAITING_PAYMENT, VendStatus.DENIED)
WRITTEN_OFF = "WRITTEN_OFF"
"""The reason of a vend whose goods came after its price had gone back."""


def approvals_are_reserved(books: Books) -> Iterator[int | Finding]:
    """No vend is approved without its whole price reserved before, and for no other vend is
    anything reserved.
    """
    for span in books.spans:
        yield books.count(vends, span.holds(vends.c.machine_id))
        wrong, strangers = _wrongly_reserved(span)
        for row in books.odd_ones(wrong):
            yield _finding(
                row, f"the ledger reserved {row.reserved} for it", reserved_minor=row.reserved
            )
        for row in books.odd_ones(strangers):
            yield Finding(
                sentence=(
                    f"the ledger reserved {row.reserved} for vend {row.vend_id}, which machine "
                    f"{row.machine_id} has not"
                ),
                machine_id=row.machine_id,
                vend_id=row.vend_id,
                amounts={"reserved_minor": row.reserved},
            )


@made_once
def _wrongly_reserved(span: Span) -> tuple[Select[Any], Select[Any]]:
    """Return what finds vends for which the ledger reserved another sum, and what it reserved for
    none.
    """
    moved = _moved(span)
    expected = case(
        (vends.c.status.in_([status.value for status in NEVER_APPROVED]), 0),
        else_=vends.c.price_minor,
    )
    reserved = func.coalesce(moved.c.reserved, 0)
    return (
        select(vends, reserved.label("reserved"))
        .select_from(vends.outerjoin(moved, _same(moved)))
        .where(span.holds(vends.c.machine_id), reserved != expected),
        select(moved)
        .select_from(moved.outerjoin(vends, _same(moved)))
        .where(vends.c.vend_id.is_(None)),
    )


def vends_are_settled_once(books: Books) -> Iterator[int | Finding]:
    """What was reserved is held while the vend is open, then sold if it succeeded or returned if it
    did not, once and not both. Goodwill gives back all that was sold of a vend and trade, and
    nothing else.
    """
    yield from _given_back_unsold(books)
    for span in books.spans:
        yield books.count(vends, span.holds(vends.c.machine_id), _APPROVED)
        for row in books.odd_ones(_wrongly_settled(span)):
            yield _finding(
                row,
                (
                    f"of {row.reserved} reserved, {row.settled} was sold, {row.returned} returned, "
                    f"{row.written_off} written off"
                ),
                reserved_minor=row.reserved,
                settled_minor=row.settled,
                returned_minor=row.returned,
                written_off_minor=row.written_off,
            )


_APPROVED = vends.c.status.not_in([status.value for status in NEVER_APPROVED])


@made_once
def _wrongly_settled(span: Span) -> Select[Any]:
    moved = _moved(span)
    reserved, settled, returned, off = (
        func.coalesce(moved.c[name], 0)
        for name in ("reserved", "settled", "returned", "written_off")
    )
    delivered = vends.c.status == VendStatus.SUCCEEDED.value
    holding = vends.c.status.in_([status.value for status in RESERVING])
    too_late = and_(delivered, vends.c.reason == WRITTEN_OFF)
    wrong = or_(
        settled != case((and_(delivered, ~too_late), reserved), else_=0),
        returned != case((or_(holding, and_(delivered, ~too_late)), 0), else_=reserved),
        off != case((too_late, reserved), else_=0),
    )
    columns = [
        value.label(name)
        for name, value in (
            ("reserved", reserved),
            ("settled", settled),
            ("returned", returned),
            ("written_off", off),
        )
    ]
    return (
        select(vends, *columns)
        .select_from(vends.outerjoin(moved, _same(moved)))
        .where(span.holds(vends.c.machine_id), wrong)
    )


@made_once
def _goodwill_without_sale() -> Select[Any]:
    sold = transfers.alias("sold")
    gives = transfer.kind == TransferKind.GOODWILL.value
    same = and_(
        sold.c.kind == TransferKind.SETTLE.value,
        sold.c.cause == transfer.cause,
        sold.c.trade_id == transfer.trade_id,
        sold.c.machine_id == transfer.machine_id,
    )
    sold_minor = func.coalesce(sold.c.amount_minor, 0)
    return (
        select(
            *transfers.c["machine_id", "cause", "trade_id", "amount_minor", "currency"],
            sold_minor.label("sold_minor"),
        )
        .select_from(transfers.outerjoin(sold, same))
        .where(gives, sold_minor != transfer.amount_minor)
    )


def _given_back_unsold(books: Books) -> Iterator[Finding]:
    for row in books.odd_ones(_goodwill_without_sale()):
        yield Finding(
            sentence=(
                f"GOODWILL {row.cause} gives {row.amount_minor} {row.currency} of trade "
                f"{row.trade_id} back, and {row.sold_minor} was sold (machine {row.machine_id})"
            ),
            machine_id=row.machine_id,
            trade_id=row.trade_id,
            currency=row.currency,
            amounts={"amount_minor": row.amount_minor, "sold_minor": row.sold_minor},
        )


def _moved(span: Span) -> Subquery:
    """Return what the ledger says of each vend."""
    off = transfer.kind == TransferKind.WRITE_OFF.value
    # Cast, because SQLite joins by what has no type of its own only row by row.
    vend_id = cast(case((off, transfer.cause), else_=reference(Account.RESERVED)), Text)

    def of(kind: TransferKind) -> ColumnElement[int]:
        return total(case((transfer.kind == kind.value, transfer.amount_minor), else_=0))

    return (
        select(
            vend_id.label("vend_id"),
            transfer.machine_id,
            of(TransferKind.RESERVE).label("reserved"),
            of(TransferKind.SETTLE).label("settled"),
            of(TransferKind.RETURN).label("returned"),
            of(TransferKind.WRITE_OFF).label("written_off"),
        )
        .where(span.holds(transfer.machine_id), or_(off, touches(Account.RESERVED)))
        .group_by(vend_id, transfer.machine_id)
        .subquery()
    )


def _same(moved: Subquery) -> ColumnElement[bool]:
    return and_(moved.c.vend_id == vends.c.vend_id, moved.c.machine_id == vends.c.machine_id)


def _finding(row: Row[Any], what: str, **amounts: int) -> Finding:
    return Finding(
        sentence=(
            f"vend {row.vend_id} of {row.price_minor} {row.currency} is {row.status} {row.reason}"
        ).rstrip()
        + f"; {what} (machine {row.machine_id})",
        machine_id=row.machine_id,
        session_id=row.session_id,
        vend_id=row.vend_id,
        currency=row.currency,
        amounts={"price_minor": row.price_minor, **amounts},
    )


def money_stays_in_its_session(books: Books) -> Iterator[int | Finding]:
    """What is reserved for a vend is money of trades of the vend's own session, which is its
    machine's.
    """
    yield from _without_session(books)
    yield books.count(transfers, _RESERVES)
    for row in books.odd_ones(_reserved_across_sessions()):
        yield Finding(
            sentence=f"vend {row.vend_id} of session {row.vend_session_id} reserved "
            f"{row.amount_minor} "
            f"{row.currency} of trade"
            f" {row.trade_id}, which belongs to {row.trade_session_id or 'no session'} "
            f"(machine {row.machine_id})",
            machine_id=row.machine_id,
            session_id=row.vend_session_id,
            trade_id=row.trade_id,
            vend_id=row.vend_id,
            currency=row.currency,
            amounts={"reserved_minor": row.amount_minor},
        )


_RESERVES = transfer.kind == TransferKind.RESERVE.value


@made_once
def _reserved_across_sessions() -> Select[Any]:
    return (
        select(
            *transfers.c["machine_id", "trade_id", "amount_minor", "currency"],
            vends.c["vend_id"],
            vends.c.session_id.label("vend_session_id"),
            func.coalesce(trades.c.session_id, "").label("trade_session_id"),
        )
        .select_from(transfers)
        .join(vends, vends.c.vend_id == transfer.credit_reference)
        .join(trades, trades.c.trade_id == transfer.trade_id)
        .where(_RESERVES, func.coalesce(trades.c.session_id, "") != vends.c.session_id)
    )


@made_once
def _of_no_session(table: Table, key: Column[str], exempt: ColumnElement[bool]) -> Select[Any]:
    known = and_(
        sessions.c.session_id == table.c.session_id, sessions.c.machine_id == table.c.machine_id
    )
    return (
        select(key, *table.c["machine_id", "session_id"])
        .select_from(table.outerjoin(sessions, known))
        .where(~exempt, sessions.c.session_id.is_(None))
    )


_HAVE_SESSIONS: tuple[tuple[Table, Column[str], ColumnElement[bool]], ...] = (
    (trades, trades.c.trade_id, trades.c.session_id.is_(None)),
    # A selection that is denied at once, when nobody has paid, has no session.
    (
        vends,
        vends.c.vend_id,
        and_(vends.c.session_id == "", vends.c.status == VendStatus.DENIED.value),
    ),
)
"""Rows that name a session, by which column they are known, and which of them need not."""


def _without_session(books: Books) -> Iterator[Finding]:
    for table, key, exempt in _HAVE_SESSIONS:
        for row in books.odd_ones(_of_no_session(table, key, exempt)):
            yield Finding(
                sentence=f"{key.table.name.removesuffix('s')} {row[0]} names session "
                f"{row.session_id!r}, which machine {row.machine_id}"
                " has not had",
                machine_id=row.machine_id,
                session_id=row.session_id or "",
                **{key.name: row[0]},
            )


def ended_sessions_hold_no_free_funds(books: Books) -> Iterator[int | Finding]:
    """Free funds belong to an open session: when a session ends, and where there was none, what is
    not reserved goes back at once.
    """
    for span in books.spans:
        yield books.count(sessions, span.holds(sessions.c.machine_id))
        for row in books.odd_ones(_free_funds(span)):
            where = (
                "fed no session"
                if row.session_id is None
                else f"belongs to session {row.session_id}, which is not open"
            )
            yield Finding(
                sentence=(
                    f"trade {row.trade_id} has {row.funds} {row.currency} of free funds and "
                    f"{where} (machine {row.machine_id})"
                ),
                machine_id=row.machine_id,
                session_id=row.session_id or "",
                trade_id=row.trade_id,
                currency=row.currency,
                amounts={"funds_minor": row.funds},
            )


@made_once
def _free_funds(span: Span) -> Select[Any]:
    """Return what finds trades with free funds whose session is not open, or that have none."""
    trade_id = reference(Account.CUSTOMER_FUNDS)
    funds_minor = credited(Account.CUSTOMER_FUNDS)
    funds = (
        select(trade_id.label("trade_id"), transfer.machine_id, total(funds_minor).label("funds"))
        .where(span.holds(transfer.machine_id), touches(Account.CUSTOMER_FUNDS))
        .group_by(trade_id, transfer.machine_id)
        .having(func.sum(funds_minor) != 0)
    ).subquery()
    its_own = and_(trades.c.trade_id == funds.c.trade_id, trades.c.machine_id == funds.c.machine_id)
    return (
        select(funds, *trades.c["session_id", "currency"], sessions.c.status)
        .select_from(funds)
        .join(trades, its_own)
        .outerjoin(sessions, sessions.c.session_id == trades.c.session_id)
        .where(func.coalesce(sessions.c.status, "") != "OPEN")
    )
