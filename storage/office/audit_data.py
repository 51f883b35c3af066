"""What the books say of a machine as EVA-DTS counts it, and when its interval began anew.

Flows in: a machine. Flows out: its figures, since installation and since the last reset. They are
added up from the rows of vends, payments, refunds and goods, which stay when the books are
archived, and are proved against the ledger's balances in the same snapshot: where they differ,
nothing is told.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    select,
)

from actors.machine.goods import COLUMN, GoodsKind, column_place
from actors.machine.ids import MachineId
from actors.machine.ledger import Account
from actors.machine.state import FailureCause, RefundCause, VendStatus
from storage.books.audit_rows import actor_of
from storage.database.engine import Database
from storage.fleet.answers import RequestInProgress, first_asked_at_ms
from storage.office import deeds
from storage.office.audit_figures import (
    AuditColumn,
    ColumnFigures,
    Figures,
    MachineAudit,
    Tally,
)
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, NotThere
from storage.tables import (
    audit_resets,
    balances,
    goods_balances,
    goods_moves,
    machine_profiles,
    machines,
    planogram_columns,
    refunds,
    trades,
    vends,
)
from storage.tables.records import in_status

WRITTEN_OFF = "WRITTEN_OFF"
EVENT_CODES = {
    FailureCause.JAMMED: "ELA",
    FailureCause.NOTHING_DROPPED: "ELA",
    FailureCause.EMPTY: "ELB",
}
"""EVA's codes of why a vend failed: product not delivered, sold out unexpectedly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReset:
    """When a machine's interval began anew, for the how manieth time, by whom and why."""

    machine_id: str
    number: int
    reset_at_ms: int
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Of what time figures are wanted: behind ``after_ms`` and not behind ``upto_ms``; None: all on
    that side.
    """

    after_ms: int | None = None
    upto_ms: int | None = None

    def holds(self, at_ms: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        """Return the conditions that a time is within."""
        return [
            *([] if self.after_ms is None else [at_ms > self.after_ms]),
            *([] if self.upto_ms is None else [at_ms <= self.upto_ms]),
        ]


EVER = Within()
TRIES = 5
"""A reset is tried so often if others reset the machine in the same moment."""


class AuditData:
    """The audit data of an installation's machines. Every method raises StoreError when the
    database does not answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def read(self, machine_id: str) -> MachineAudit:
        """Return what the books say of a machine now. Raises NotThere, or NotPossible
        (BOOKS_DIFFER) if they contradict themselves.
        """
        return await self._db.read(lambda connection: _audit(connection, machine_id))

    async def reset(self, machine_id: str, deed: Deed, *, reason: str) -> AuditReset:
        """Begin the machine's interval anew. No count since installation changes. Raises as
        ``read``, and NotPossible (MACHINE_RETIRED).
        """

        def plan(connection: Connection, audit: MachineAudit) -> DeedPlan[AuditReset]:
            machine_row(connection, machine_id, lock=deed.locks)
            deeds.check_in_fleet(connection, machine_id)
            newest = _newest_reset(connection, machine_id)
            if newest is not None and newest.number != audit.resets:
                raise _OvertakenError
            made = AuditReset(
                machine_id=machine_id,
                number=audit.resets + 1,
                reset_at_ms=deed.now_ms,
                actor=actor_of(deed.actor).name,
                reason=reason,
            )
            kept = {
                "machine_id": machine_id,
                "number": made.number,
                "reset_at_ms": made.reset_at_ms,
                "actor": made.actor,
                "reason": reason,
                "figures": msgspec.json.encode(audit.total).decode(),
            }
            said = (
                f"interval {made.number} begins; the one before had {audit.interval.paid.number} "
                f"sales of {audit.interval.paid.minor} {audit.currency}; {reason}"
            )
            return DeedPlan(
                result=made,
                writes=((insert(audit_resets), [kept]),),
                details=(Detail(said=said, machine_id=machine_id),),
            )

        def again(connection: Connection) -> AuditReset:
            assert deed.claim is not None, "only a claim is done already"
            return _own_reset(
                connection,
                machine_id,
                actor_of(deed.actor).name,
                reason,
                first_asked_at_ms(connection, deed.claim),
            )

        if deed.claim is not None and deed.claim.done:
            return await deeds.do(self._db, deed, _never, again)
        for _ in range(TRIES):
            # All that the machine ever sold, read in one snapshot and before the transaction that
            # writes: no commit of the machine waits for it.
            audit = await self.read(machine_id)
            try:
                return await deeds.do(self._db, deed, partial(plan, audit=audit), again)
            except _OvertakenError:
                continue
        raise RequestInProgress


class _OvertakenError(Exception):
    """Somebody else has reset the machine since its figures were read."""


def _never(_: Connection) -> DeedPlan[AuditReset]:
    raise AssertionError("a claim that is done plans nothing")


def figures(connection: Connection, machine_id: str, within: Within = EVER) -> Figures:
    """Return what was sold of a machine within a time."""
    columns: dict[str, ColumnFigures] = {}
    events: dict[str, int] = {}
    for row in connection.execute(_sold(machine_id, within)):
        there = columns.get(row.column, ColumnFigures())
        tally = Tally(row.number, int(row.minor))
        columns[row.column] = ColumnFigures(
            paid=there.paid if row.free else tally, free=tally if row.free else there.free
        )
    discounts = Tally()
    for row in connection.execute(_discounted(machine_id, within)):
        discounts += Tally(row.number, int(row.minor))
        there = columns[row.column]
        columns[row.column] = ColumnFigures(
            paid=there.paid + Tally(0, int(row.minor)), free=there.free
        )
    for row in connection.execute(_moved(machine_id, within)):
        name = row.from_place.removeprefix(column_place(MachineId(machine_id), ""))
        there = columns.get(name, ColumnFigures())
        cash = row.kind == GoodsKind.CASH_SOLD.value
        columns[name] = ColumnFigures(
            paid=there.paid,
            free=there.free,
            cash=int(row.number) if cash else there.cash,
            tested=there.tested if cash else int(row.number),
        )
    for row in connection.execute(_failed(machine_id, within)):
        code = EVENT_CODES[FailureCause(row.reason)]
        events[code] = events.get(code, 0) + row.number
    return Figures(
        columns=columns,
        topped_up=_tally(
            connection,
            select(func.count(), func.coalesce(func.sum(trades.c.paid_minor), 0)).where(
                trades.c.machine_id == machine_id, *within.holds(trades.c.received_at_ms)
            ),
        ),
        given_back=_tally(
            connection,
            select(func.count(), func.coalesce(func.sum(refunds.c.amount_minor), 0)).where(
                refunds.c.machine_id == machine_id,
                refunds.c.cause == RefundCause.GOODWILL.value,
                *within.holds(refunds.c.due_at_ms),
            ),
        ),
        events=events,
        discounts=discounts,
    )


def _tally(connection: Connection, wanted: Select[Any]) -> Tally:
    number, minor = connection.execute(wanted).one()
    return Tally(number, int(minor))


def _sold(machine_id: str, within: Within) -> Select[Any]:
    c = vends.c
    free = case((c.reason == WRITTEN_OFF, 1), else_=0).label("free")
    return (
        select(
            c.column,
            free,
            func.count().label("number"),
            cast(func.sum(c.price_minor), BigInteger).label("minor"),
        )
        .where(
            c.machine_id == machine_id,
            in_status(vends, [VendStatus.SUCCEEDED.value]),
            *within.holds(c.ended_at_ms),
        )
        .group_by(c.column, free)
    )


def _discounted(machine_id: str, within: Within) -> Select[Any]:
    """Return the query for what offers took off: a machine counts the price that it shows."""
    c = vends.c
    return (
        select(
            c.column,
            func.count().label("number"),
            cast(func.sum(c.discount_minor), BigInteger).label("minor"),
        )
        .where(
            c.machine_id == machine_id,
            in_status(vends, [VendStatus.SUCCEEDED.value]),
            c.reason != WRITTEN_OFF,
            c.discount_minor > 0,
            *within.holds(c.ended_at_ms),
        )
        .group_by(c.column)
    )


def _failed(machine_id: str, within: Within) -> Select[Any]:
    c = vends.c
    return (
        select(c.reason, func.count().label("number"))
        .where(
            c.machine_id == machine_id,
            in_status(vends, [VendStatus.FAILED.value]),
            c.reason.in_([one.value for one in EVENT_CODES]),
            *within.holds(c.ended_at_ms),
        )
        .group_by(c.reason)
    )


def _moved(machine_id: str, within: Within) -> Select[Any]:
    """Return the query for what left columns for cash or to be tried. A trial that was taken back
    was none.
    """
    c, back = goods_moves.c, goods_moves.alias("back")
    taken_back = exists().where(back.c.reverses == c.id).correlate(goods_moves)
    return (
        select(c.from_place, c.kind, func.sum(c.quantity).label("number"))
        .where(
            c.machine_id == machine_id,
            c.kind.in_([GoodsKind.CASH_SOLD.value, GoodsKind.TESTED.value]),
            func.substr(c.from_place, 1, len(COLUMN) + 1) == f"{COLUMN}:",
            *within.holds(c.at_ms),
            ~taken_back,
        )
        .group_by(c.from_place, c.kind)
    )


def _audit(connection: Connection, machine_id: str) -> MachineAudit:
    machine = machine_row(connection, machine_id)
    profile = connection.execute(
        select(machine_profiles.c.serial, machine_profiles.c.model).where(
            machine_profiles.c.machine_id == machine_id
        )
    ).one_or_none()
    total = figures(connection, machine_id)
    _prove(connection, machine_id, total)
    newest = _newest_reset(connection, machine_id)
    interval = total
    if newest is not None:
        interval = total.since(msgspec.json.decode(newest.figures, type=Figures))
    return MachineAudit(
        machine_id=machine_id,
        serial="" if profile is None else profile.serial,
        model="" if profile is None else profile.model,
        store_name=machine.store_name,
        currency=machine.currency,
        columns=tuple(_columns(connection, machine_id)),
        total=total,
        interval=interval,
        resets=0 if newest is None else newest.number,
        reset_at_ms=None if newest is None else newest.reset_at_ms,
    )


def machine_row(connection: Connection, machine_id: str, *, lock: bool = False) -> Row[Any]:
    """Return a machine's row. Raises NotThere."""
    wanted = select(machines).where(machines.c.machine_id == machine_id)
    # The weaker lock: no commit of the machine's journal waits for it.
    locked = wanted.with_for_update(key_share=True) if lock else wanted
    row = connection.execute(locked).one_or_none()
    if row is None:
        raise NotThere("machine", machine_id)
    return row


def _prove(connection: Connection, machine_id: str, total: Figures) -> None:
    """Hold the figures against what the ledger's balances say. Raises NotPossible."""
    c = balances.c
    accounts = {
        row.account: (int(row.debit), int(row.credit))
        for row in connection.execute(
            select(
                c.account,
                func.sum(c.debit_minor).label("debit"),
                func.sum(c.credit_minor).label("credit"),
            )
            .where(c.machine_id == machine_id)
            .group_by(c.account)
        )
    }
    given_back, sold = accounts.get(Account.SALES, (0, 0))
    topped_up, _ = accounts.get(Account.RECEIVABLE, (0, 0))
    for what, rows, ledger in (
        ("sales", total.paid.minor + total.free.minor - total.discounts.minor, sold),
        ("what was given back of sales", total.given_back.minor, given_back),
        ("payments", total.topped_up.minor, topped_up),
    ):
        if rows != ledger:
            raise NotPossible(
                "BOOKS_DIFFER",
                f"machine {machine_id} has {what} of {rows} in its rows and of {ledger} in the "
                "ledger: nothing is exported before they agree; vendgate audit says what differs",
                machine=machine_id,
            )


def _columns(connection: Connection, machine_id: str) -> list[AuditColumn]:
    c, held = planogram_columns.c, goods_balances.c
    # The planogram's own stock is what was there when it was made.
    stock = func.coalesce(held.quantity, 0).label("held")
    rows = connection.execute(
        select(planogram_columns, stock)
        .select_from(
            planogram_columns.outerjoin(
                goods_balances,
                and_(
                    held.place == literal(column_place(MachineId(machine_id), "")) + c.column,
                    held.product == c.product,
                    held.lot == "",
                ),
            )
        )
        .where(c.machine_id == machine_id)
        .order_by(c.place)
    )
    return [
        AuditColumn(
            column=row.column,
            product=row.product,
            price_minor=row.price_minor,
            capacity=row.capacity,
            emptied_at_ms=None if row.held else _emptied_at_ms(connection, machine_id, row.column),
        )
        for row in rows.all()
    ]


def _emptied_at_ms(connection: Connection, machine_id: str, column: str) -> int | None:
    """Return when the last item left a column that is empty."""
    c = goods_moves.c
    at_ms: int | None = connection.scalar(
        select(c.at_ms)
        .where(
            c.machine_id == machine_id,
            c.from_place == column_place(MachineId(machine_id), column),
        )
        .order_by(c.id.desc())
        .limit(1)
    )
    return at_ms


def _newest_reset(connection: Connection, machine_id: str) -> Row[Any] | None:
    c = audit_resets.c
    return connection.execute(
        select(audit_resets).where(c.machine_id == machine_id).order_by(c.number.desc()).limit(1)
    ).one_or_none()


def _own_reset(
    connection: Connection, machine_id: str, actor: str, reason: str, since_ms: int | None
) -> AuditReset:
    """Return the reset that a request made whose answer was lost: others may have reset the machine
    since. Raises NotPossible if it is not to be told from theirs.
    """
    c = audit_resets.c
    own = (
        connection.execute(
            select(audit_resets)
            .where(
                c.machine_id == machine_id,
                c.actor == actor,
                c.reason == reason,
                c.reset_at_ms >= since_ms,
            )
            .order_by(c.number)
            .limit(1)
        ).one_or_none()
        if since_ms is not None
        else None
    )
    if own is None:
        raise NotPossible(
            "RESET_NOT_FOUND",
            f"this request began an interval of machine {machine_id} anew, and nobody can tell any "
            "more which: ExportMachineAudit shows the present one",
            machine=machine_id,
        )
    return _reset(own)


def _reset(row: Row[Any]) -> AuditReset:
    return AuditReset(
        machine_id=row.machine_id,
        number=row.number,
        reset_at_ms=row.reset_at_ms,
        actor=row.actor,
        reason=row.reason,
    )
