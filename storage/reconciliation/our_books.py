"""What our side says about the payments and refunds of one day, for the comparison with Alipay's
file of that day.

A caller names the day in milliseconds and what its file names, and gets ``OurBooks``, read in one
snapshot of the database.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, literal, or_, select

from actors.machine.events import TopUpPaid
from actors.machine.ids import Currency, MachineId, RefundId, TradeId
from actors.machine.state import RefundStatus
from storage import codec
from storage.database.engine import Database
from storage.machines.loading import IN_ONE_STATEMENT
from storage.tables import inbox, installation, journal, machines, refunds, trades

_NEVER_MS = 1 << 62
_TOLD_EARLY_MS = 3_600_000
"""Our clock may be behind Alipay's by this much."""
_TOLD_LATE_MS = 26 * 3_600_000
"""Alipay tells of a payment for 25 hours (docs/alipay.md 7.3). What we heard of later we heard from
a file.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OurTrade:
    """One payment as our ledger has it, in minor units."""

    trade_id: TradeId
    machine_id: MachineId
    currency: Currency
    paid_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OurRefund:
    """One refund as our ledger has it, in minor units."""

    refund_id: RefundId
    trade_id: TradeId
    machine_id: MachineId
    currency: Currency
    amount_minor: int
    status: RefundStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A notification about a trade. ``waits``: nobody has decided upon it yet."""

    cause: str
    machine_id: MachineId
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedMachine:
    """A machine whose id, store id at Alipay or store name stands in the file. ``store_id``: empty
    if it is the machine's own.
    """

    machine_id: MachineId
    store_name: str
    currency: Currency
    store_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OurBooks:
    """Trades and refunds by their ids: those that were asked for, and those that must stand in the
    file of the day.

    ``paid_today``: paid on the day, whenever we heard of it. ``returned_today``: asked for and
    confirmed on the day; of a refund that was asked for on one day and confirmed on another nobody
    can say in whose file it stands. ``told`` is by trade.
    """

    trades: Mapping[str, OurTrade]
    refunds: Mapping[str, OurRefund]
    paid_today: frozenset[str]
    returned_today: frozenset[str]
    told: Mapping[str, tuple[Told, ...]]
    machines: tuple[NamedMachine, ...]
    forgotten: tuple[int, int] | None = None
    """From when to when these books forgot what was in them, because a backup was restored (first
    ``<= t <`` second, milliseconds since 1970 UTC); None if that is not known of them.
    """


async def read_our_books(
    db: Database,
    *,
    from_ms: int,
    to_ms: int,
    trade_ids: Collection[str],
    refund_ids: Collection[str],
    names: Collection[str],
) -> OurBooks:
    """Return what we know of these trades and refunds, of the day ``from_ms <= t < to_ms``, and of
    machines with these names.
    """

    def work(connection: Connection) -> OurBooks:
        found = {
            row.trade_id: row
            for row in _by_ids(connection, select(trades), trades.c.trade_id, trade_ids)
        }
        today = {row.trade_id: row for row in _paid_within(connection, from_ms, to_ms)}
        known = {
            row.refund_id: row
            for row in _by_ids(connection, select(refunds), refunds.c.refund_id, refund_ids)
        }
        returned = {row.refund_id: row for row in _returned_within(connection, from_ms, to_ms)}
        return OurBooks(
            trades={trade_id: _trade(row) for trade_id, row in (today | found).items()},
            refunds={refund_id: _refund(row) for refund_id, row in (returned | known).items()},
            paid_today=frozenset(today),
            returned_today=frozenset(returned),
            told=_told(connection, trade_ids),
            machines=_named(connection, names),
            forgotten=_forgotten(connection),
        )

    return await db.read(work)


def _forgotten(connection: Connection) -> tuple[int, int] | None:
    copied = connection.execute(
        select(installation.c.copied_at_ms, installation.c.copied_line)
    ).one()
    if copied.copied_at_ms is None:
        return None
    went_on_at_ms = connection.scalar(
        select(journal.c.at_ms)
        .where(journal.c.id > copied.copied_line)
        .order_by(journal.c.id)
        .limit(1)
    )
    until_ms = _NEVER_MS if went_on_at_ms is None else went_on_at_ms
    # What was paid before the copy may have been told after it.
    return copied.copied_at_ms - _TOLD_LATE_MS, until_ms + _TOLD_EARLY_MS


def _by_ids(
    connection: Connection, wanted: Select[Any], column: Any, ids: Collection[str]
) -> Iterator[Row[Any]]:
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), IN_ONE_STATEMENT):
        yield from connection.execute(
            wanted.where(column.in_(ordered[start : start + IN_ONE_STATEMENT]))
        )


def _paid_within(connection: Connection, from_ms: int, to_ms: int) -> Iterator[Row[Any]]:
    """Yield trades by Alipay's time of payment, which stands in what was told; a row holds when we
    heard of it.
    """
    wanted = (
        select(trades, inbox.c.event)
        .join(inbox, inbox.c.cause == literal("payment:") + trades.c.trade_id)
        .where(
            trades.c.received_at_ms >= from_ms - _TOLD_EARLY_MS,
            trades.c.received_at_ms < to_ms + _TOLD_LATE_MS,
        )
    )
    for row in connection.execute(wanted):
        event = codec.decode_event(row.event)
        # Of a payment whose time nobody told, nobody can say in whose file it must stand.
        if (
            isinstance(event, TopUpPaid)
            and event.paid_at_ms is not None
            and from_ms <= event.paid_at_ms < to_ms
        ):
            yield row


def _returned_within(connection: Connection, from_ms: int, to_ms: int) -> Iterator[Row[Any]]:
    c = refunds.c
    asked = (c.due_at_ms >= from_ms) & (c.due_at_ms < to_ms)
    confirmed = (c.ended_at_ms >= from_ms) & (c.ended_at_ms < to_ms)
    yield from connection.execute(
        select(refunds).where(asked, confirmed, c.status == RefundStatus.SUCCEEDED.value)
    )


def _told(connection: Connection, trade_ids: Collection[str]) -> dict[str, tuple[Told, ...]]:
    told: dict[str, list[Told]] = {}
    wanted = select(*inbox.c["cause", "trade_id", "machine_id", "taken_at_ms"]).order_by(inbox.c.id)
    for row in _by_ids(connection, wanted, inbox.c.trade_id, trade_ids):
        one = Told(
            cause=row.cause, machine_id=MachineId(row.machine_id), waits=row.taken_at_ms is None
        )
        told.setdefault(row.trade_id, []).append(one)
    return {trade_id: tuple(several) for trade_id, several in told.items()}


def _named(connection: Connection, names: Collection[str]) -> tuple[NamedMachine, ...]:
    found: dict[str, NamedMachine] = {}
    ordered = sorted(set(names))
    for start in range(0, len(ordered), IN_ONE_STATEMENT):
        some = ordered[start : start + IN_ONE_STATEMENT]
        for row in connection.execute(
            select(machines).where(
                or_(
                    machines.c.machine_id.in_(some),
                    machines.c.store_name.in_(some),
                    machines.c.store_id.in_(some),
                )
            )
        ):
            found[row.machine_id] = NamedMachine(
                machine_id=MachineId(row.machine_id),
                store_name=row.store_name,
                currency=Currency(row.currency),
                store_id=row.store_id,
            )
    return tuple(found[machine_id] for machine_id in sorted(found))


def _trade(row: Row[Any]) -> OurTrade:
    return OurTrade(
        trade_id=TradeId(row.trade_id),
        machine_id=MachineId(row.machine_id),
        currency=Currency(row.currency),
        paid_minor=row.paid_minor,
    )


def _refund(row: Row[Any]) -> OurRefund:
    return OurRefund(
        refund_id=RefundId(row.refund_id),
        trade_id=TradeId(row.trade_id),
        machine_id=MachineId(row.machine_id),
        currency=Currency(row.currency),
        amount_minor=row.amount_minor,
        status=RefundStatus(row.status),
    )
