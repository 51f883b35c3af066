"""The inbox: every notification that was taken was decided upon, and no money came in any other
way.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, and_, literal, or_, select

from actors.machine.events import TopUpPaid
from actors.machine.ledger import TransferKind
from storage import codec
from storage.auditing.findings import Finding
from storage.auditing.reading import Books, is_here
from storage.tables import inbox, journal, machines, trades, transfers

transfer = transfers.c
PAYMENT = "payment:"
CONFLICT = "conflict:"


def taken_notifications_are_in_the_journal(books: Books) -> Iterator[int | Finding]:
    """Every notification that was taken was decided upon in a line of its machine's journal, unless
    there was nothing to decide.
    """
    taken = inbox.c.taken_at_ms.is_not(None)
    yield books.count(inbox, taken)
    line = and_(
        journal.c.machine_id == inbox.c.machine_id, journal.c.version == inbox.c.taken_version
    )
    undecided = and_(
        inbox.c.taken_version.is_(None),
        inbox.c.event.is_not(None),
        inbox.c.cause.not_like(f"{CONFLICT}%"),
    )
    # Version 0: nothing at all came of it, and nothing had ever been decided for the machine.
    lost = and_(
        inbox.c.taken_version > 0,
        journal.c.id.is_(None),
        is_here(inbox.c.machine_id, inbox.c.taken_version),
    )
    wanted = (
        select(*inbox.c["id", "cause", "machine_id", "trade_id", "taken_version"])
        .select_from(inbox.outerjoin(journal, line))
        .where(taken, or_(undecided, lost))
        .order_by(inbox.c.id)
    )
    for row in books.odd_ones(wanted):
        where = (
            "in no version"
            if row.taken_version is None
            else f"in version {row.taken_version}, of which there is no line"
        )
        yield Finding(
            sentence=(
                f"notification {row.cause} (row {row.id}) of machine {row.machine_id} was taken "
                f"{where}"
            ),
            machine_id=row.machine_id,
            trade_id=row.trade_id,
        )


def taken_payments_are_credited(books: Books) -> Iterator[int | Finding]:
    """For every payment whose notification was taken there is a trade of the same machine, number
    and amount.
    """
    wanted = (
        select(
            *inbox.c["id", "cause", "machine_id", "trade_id", "event"],
            machines.c.currency.label("own"),
            *(
                trades.c[name].label(f"trade_{name}")
                for name in ("machine_id", "partner_trans_id", "paid_minor", "currency")
            ),
        )
        .select_from(
            inbox.outerjoin(machines, machines.c.machine_id == inbox.c.machine_id).outerjoin(
                trades, trades.c.trade_id == inbox.c.trade_id
            )
        )
        .where(
            inbox.c.taken_at_ms.is_not(None),
            inbox.c.event.is_not(None),
            inbox.c.cause.like(f"{PAYMENT}%"),
        )
    )
    for page in books.pages(wanted, inbox.c.id):
        yield len(page)
        for row in page:
            if (finding := _payment(row)) is not None:
                yield finding


def _payment(row: Row[Any]) -> Finding | None:
    about = {"machine_id": row.machine_id, "trade_id": row.trade_id}
    try:
        event = codec.decode_event(row.event)
    except codec.CodecError as error:
        return Finding(sentence=f"notification {row.cause} cannot be read: {error}", **about)
    if not isinstance(event, TopUpPaid):
        return Finding(
            sentence=f"notification {row.cause} is not a payment but {type(event).__name__}",
            **about,
        )
    if event.currency != row.own or event.amount_minor <= 0:
        return None  # the machine noted that it cannot credit this
    told = (
        row.cause,
        event.trade_id,
        row.machine_id,
        event.partner_trans_id,
        event.amount_minor,
        event.currency,
    )
    trade = (
        f"{PAYMENT}{row.trade_id}",
        row.trade_id,
        row.trade_machine_id,
        row.trade_partner_trans_id,
        row.trade_paid_minor,
    )
    if told == (*trade, row.trade_currency):
        return None
    there = (
        "there is no such trade"
        if row.trade_machine_id is None
        else (
            f"trade {row.trade_id} of machine {row.trade_machine_id} has "
            f"{row.trade_paid_minor} {row.trade_currency}"
        )
    )
    return Finding(
        sentence=(
            f"notification {row.cause} of machine {row.machine_id} was taken with "
            f"{event.amount_minor} {event.currency}, and {there}"
        ),
        currency=event.currency,
        amounts={"told_minor": event.amount_minor, "paid_minor": row.trade_paid_minor or 0},
        **about,
    )


def top_ups_have_notifications(books: Books) -> Iterator[int | Finding]:
    """No money is credited without a payment in the inbox that was taken: verified, saved, and then
    decided upon.
    """
    credited = transfer.kind == TransferKind.TOP_UP.value
    yield books.count(transfers, credited)
    payment = and_(
        inbox.c.cause == literal(PAYMENT).concat(transfer.cause),
        inbox.c.machine_id == transfer.machine_id,
        inbox.c.taken_at_ms.is_not(None),
    )
    wanted = (
        select(*transfers.c["machine_id", "cause", "amount_minor", "currency", "version"])
        .select_from(transfers.outerjoin(inbox, payment))
        .where(
            credited,
            inbox.c.id.is_(None),
            is_here(transfer.machine_id, transfer.version),
        )
        .order_by(transfer.machine_id, transfer.version)
    )
    for row in books.odd_ones(wanted):
        yield Finding(
            sentence=f"machine {row.machine_id} credited {row.amount_minor} "
            f"{row.currency} for trade "
            f"{row.cause}, and no notification"
            f" that was taken says so (version {row.version})",
            machine_id=row.machine_id,
            trade_id=row.cause,
            currency=row.currency,
            amounts={"amount_minor": row.amount_minor},
        )
