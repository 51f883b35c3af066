"""Read-outs of machines: kept as they were brought, and compared with the books.

Flows in: what was read of a file. Flows out: the read-out with what differs. All of it is written
in one transaction with its audit row; nothing of it is changed afterwards. A read-out is named by
its content, so the same one twice is one. What differs is a work item until a person closes it
(``storage.fleet.closings``).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, or_, select

from actors.machine.goods import GoodsKind
from actors.machine.state import VendStatus
from alipay_client.currencies import exponent
from storage.books.audit_rows import actor_of
from storage.database import dialects
from storage.database.engine import Database
from storage.item_ids import DIFFERENCE_ITEM, not_closed
from storage.machines.rows import DAY_MS
from storage.office import deeds
from storage.office.audit_data import Within, figures, machine_row
from storage.office.audit_figures import MachineCounters, as_field
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible
from storage.office.readout_check import (
    COLUMN_LENGTH_MAX,
    NEAR_MS,
    AlipaySays,
    Before,
    CounterDifference,
    Ours,
    ReadoutSpan,
    compare,
    in_minor_units,
)
from storage.office.readout_rows import (
    SHOWN,
    DifferenceView,
    NewReadout,
    ReadoutFinding,
    ReadoutView,
    difference_row,
    page_of,
    read_one,
    readout_row,
    shown,
)
from storage.tables import (
    goods_moves,
    machine_profiles,
    machines,
    planogram_columns,
    readout_differences,
    readouts,
    reconciliation_differences,
    reconciliation_runs,
    vends,
)
from storage.tables.records import in_status

READOUTS_A_DAY_MAX = 48
"""Of one machine, within 24 hours: they are kept for ever."""
_CHINA_MS = 8 * 3_600_000
_EPOCH = dt.date(1970, 1, 1).toordinal()
_UNDECIDED = [VendStatus.APPROVED.value, VendStatus.IN_DOUBT.value, VendStatus.IN_REVIEW.value]


class Readouts:
    """The read-outs of an installation. Every method raises StoreError when the database does not
    answer.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def keep(self, brought: Sequence[NewReadout], deed: Deed) -> list[ReadoutView]:
        """Keep all of them, in their order, each compared with the one before it, or none. Raises
        NotThere or NotPossible.
        """

        def plan(connection: Connection) -> DeedPlan[list[ReadoutView]]:
            if deed.locks:
                dialects.office_alone(connection)  # two that bring the same file at once
            whose = [_whose(connection, one) for one in brought]
            _one_of_each(whose)
            views: list[ReadoutView] = []
            rows: list[dict[str, Any]] = []
            differing: list[dict[str, Any]] = []
            details: list[Detail] = []
            for one, machine in zip(brought, whose, strict=True):
                there = _there(connection, one, machine)
                if there is not None:
                    views.append(there)
                    continue
                _has_room(connection, machine.machine_id, deed.now_ms)
                view, row = _compared(connection, one, machine, deed)
                views.append(view)
                rows.append(row)
                differing += [difference_row(view, each) for each in view.differences]
                details.append(Detail(said=_said(view), machine_id=machine.machine_id))
            writes = [
                (insert(table), some)
                for table, some in ((readouts, rows), (readout_differences, differing))
                if some
            ]
            return DeedPlan(result=views, writes=tuple(writes), details=tuple(details))

        def again(connection: Connection) -> list[ReadoutView]:
            return [read_one(connection, one.readout_id) for one in brought]

        kept = await deeds.do(self._db, deed, plan, again)
        if deed.only_check:
            return kept
        # Their differences have names by now.
        return [
            replace(await self.get(view.readout_id), content=b"", again=view.again) for view in kept
        ]

    async def get(self, readout_id: str) -> ReadoutView:
        """Return a read-out with all that is kept of it. Raises NotThere."""
        return await self._db.read(lambda connection: read_one(connection, readout_id))

    async def page(
        self, machine_id: str, *, after: tuple[int, str] | None, limit: int
    ) -> list[ReadoutView]:
        """Return the newest read-outs, of one machine or of all ('')."""
        wanted = page_of(machine_id, after, limit)
        return await self._db.read(
            lambda connection: [shown(row) for row in connection.execute(wanted)]
        )


def _whose(connection: Connection, one: NewReadout) -> Row[Any]:
    """Return the machine that a read-out is of. Raises NotThere or NotPossible."""
    named = _named(connection, one)
    who = " and ".join(
        f"{what} {said!r}" for what, said in (("ID101", one.serial), ("ID106", one.asset)) if said
    )
    if one.machine_id:
        row = machine_row(connection, one.machine_id)
        if named and one.machine_id not in named:
            raise NotPossible(
                "READOUT_OF_ANOTHER_MACHINE",
                f"the file says by {who} that it is of machine {named[0]}, and the call says "
                f"{one.machine_id}: bring the right file, or mend the machine's serial with "
                "UpdateMachineProfile",
                machine=one.machine_id,
                named=named[0],
            )
        return row
    if len(named) != 1:
        known = f"{', '.join(named[:3])} fit" if named else "no machine is known by that"
        raise NotPossible(
            "READOUT_OF_NO_MACHINE",
            f"which machine it is of is not clear ({who or 'it has no ID1'}; {known}): say "
            "machine_id, or set its serial with UpdateMachineProfile",
        )
    return machine_row(connection, named[0])


def _named(connection: Connection, one: NewReadout) -> list[str]:
    """Return the machines that the file may mean: what is an id of ours counts before a serial."""
    said = [each for each in (one.asset, one.serial) if each]
    if not said:
        return []
    ids = connection.scalars(select(machines.c.machine_id).where(machines.c.machine_id.in_(said)))
    if found := sorted(set(ids)):
        return found
    serials = select(machine_profiles.c.machine_id, machines.c.retired_at_ms).where(
        machine_profiles.c.serial.in_(said),
        machines.c.machine_id == machine_profiles.c.machine_id,
    )
    rows = connection.execute(serials.order_by(machine_profiles.c.machine_id).limit(10)).all()
    # A machine that was retired may have left its serial to the id that follows it.
    in_use = [row.machine_id for row in rows if row.retired_at_ms is None]
    return in_use or [row.machine_id for row in rows]


def _one_of_each(whose: Sequence[Row[Any]]) -> None:
    ids = [row.machine_id for row in whose]
    for machine_id in ids:
        if ids.count(machine_id) > 1:
            raise NotPossible(
                "SEVERAL_READOUTS_OF_ONE_MACHINE",
                f"the file has {ids.count(machine_id)} read-outs of machine {machine_id}, made at "
                "different times: cut it where its DXS lines are, and bring each with its read_at",
                machine=machine_id,
            )


def _there(connection: Connection, one: NewReadout, machine: Row[Any]) -> ReadoutView | None:
    c = readouts.c
    of = connection.scalar(select(c.machine_id).where(c.readout_id == one.readout_id))
    if of is None:
        return None
    if of != machine.machine_id:
        raise NotPossible(
            "READOUT_OF_ANOTHER_MACHINE",
            f"this file was brought already, as machine {of}'s: it cannot be "
            f"{machine.machine_id}'s too",
            machine=machine.machine_id,
            named=of,
        )
    return replace(read_one(connection, one.readout_id), content=b"", again=True)


def _has_room(connection: Connection, machine_id: str, now_ms: int) -> None:
    c = readouts.c
    kept = select(func.count()).where(
        c.machine_id == machine_id, c.imported_at_ms > now_ms - DAY_MS
    )
    if (connection.scalar(kept) or 0) >= READOUTS_A_DAY_MAX:
        raise NotPossible(
            "TOO_MANY_READOUTS",
            f"machine {machine_id} has {READOUTS_A_DAY_MAX} read-outs of the last 24 hours, which "
            "is all that is kept: bring this one later",
            machine=machine_id,
        )


def _compared(
    connection: Connection, one: NewReadout, machine: Row[Any], deed: Deed
) -> tuple[ReadoutView, dict[str, Any]]:
    """Return a read-out with what differs, and the row that keeps it."""
    counters, inexact = in_minor_units(one.counters, one.decimals, exponent(machine.currency))
    findings = (*one.findings, *_of_currency(one, machine.currency, inexact))
    previous = _previous(connection, machine.machine_id, one.read_at_ms)
    span = ReadoutSpan(
        from_ms=None if previous is None else previous.read_at_ms,
        until_ms=one.read_at_ms,
        compared=not (one.baseline or one.damaged),
    )
    differences: tuple[CounterDifference, ...] = ()
    if span.compared:
        span = _with_alipay(connection, machine, span)
        before = None if previous is None else _before(previous)
        ours = _ours(connection, machine.machine_id, span)
        span, differences = compare(counters, before, ours, span, partial=one.partial)
    view = ReadoutView(
        readout_id=one.readout_id,
        machine_id=machine.machine_id,
        serial=one.serial,
        asset=one.asset,
        said_at=one.said_at,
        read_at_ms=one.read_at_ms,
        imported_at_ms=deed.now_ms,
        actor=actor_of(deed.actor).name,
        baseline=one.baseline,
        damaged=one.damaged,
        previous_id="" if previous is None else previous.readout_id,
        difference_count=len(differences),
        size=len(one.content),
        currency=machine.currency,
        counters=counters,
        findings=findings,
        span=span,
        differences=tuple(
            DifferenceView(item_id="", difference=each, currency=machine.currency)
            for each in differences
        ),
    )
    return view, readout_row(view, one.content)


def _of_currency(one: NewReadout, currency: str, inexact: Sequence[str]) -> list[ReadoutFinding]:
    found = []
    if one.currency and one.currency != currency:
        said = f"ID403 says {one.currency}, and the machine sells in {currency}: that counts"
        found.append(ReadoutFinding(line=0, defect="CURRENCY", sentence=said))
    if inexact:
        said = (
            f"{', '.join(inexact[:5])}: no whole number of the smallest units of {currency}; the "
            "values are taken as unknown"
        )
        found.append(ReadoutFinding(line=0, defect="FIGURE", sentence=said))
    return found


def _previous(connection: Connection, machine_id: str, read_at_ms: int) -> Row[Any] | None:
    c = readouts.c
    return connection.execute(
        select(*SHOWN)
        .where(c.machine_id == machine_id, c.read_at_ms < read_at_ms, c.damaged.is_(False))
        .order_by(c.read_at_ms.desc(), c.id.desc())
        .limit(1)
    ).one_or_none()


def _before(row: Row[Any]) -> Before:
    findings = msgspec.json.decode(row.findings, type=tuple[ReadoutFinding, ...])
    return Before(
        counters=msgspec.json.decode(row.counters, type=MachineCounters),
        partial=any(one.defect == "CUT_OFF" for one in findings),
    )


def _ours(connection: Connection, machine_id: str, span: ReadoutSpan) -> Ours:
    within = Within(after_ms=span.from_ms, upto_ms=span.until_ms)
    sold = figures(connection, machine_id, within)
    of = planogram_columns.c
    names = connection.scalars(select(of.column).where(of.machine_id == machine_id))
    undecided = connection.scalar(
        select(func.count()).where(vends.c.machine_id == machine_id, in_status(vends, _UNDECIDED))
    )
    return Ours(
        figures=sold,
        near=_near(connection, machine_id, span),
        undecided=undecided or 0,
        columns=frozenset(as_field(one, COLUMN_LENGTH_MAX) for one in (*names, *sold.columns)),
    )


def _near(connection: Connection, machine_id: str, span: ReadoutSpan) -> int:
    """Return how many sales ended so near to a read-out that it may or may not have them."""
    v, m = vends.c, goods_moves.c
    ends = [at for at in (span.from_ms, span.until_ms) if at is not None]
    sold = select(func.count()).where(
        v.machine_id == machine_id,
        in_status(vends, [VendStatus.SUCCEEDED.value]),
        or_(*(v.ended_at_ms.between(at - NEAR_MS, at + NEAR_MS) for at in ends)),
    )
    cash = select(func.count()).where(
        m.machine_id == machine_id,
        m.kind == GoodsKind.CASH_SOLD.value,
        or_(*(m.at_ms.between(at - NEAR_MS, at + NEAR_MS) for at in ends)),
    )
    return (connection.scalar(sold) or 0) + (connection.scalar(cash) or 0)


def _with_alipay(connection: Connection, machine: Row[Any], span: ReadoutSpan) -> ReadoutSpan:
    """Return the span with what Alipay's daily files of its days said."""
    from_ms = machine.registered_at_ms if span.from_ms is None else span.from_ms
    first, last = _day(min(from_ms, span.until_ms)), _day(span.until_ms)
    r, d = reconciliation_runs.c, reconciliation_differences.c
    read = connection.scalar(
        select(func.count(r.day.distinct())).where(
            r.day.between(_written(first), _written(last)), r.day_was_over.is_(True)
        )
    )
    open_ones = connection.scalar(
        select(func.count()).where(
            d.machine_id == machine.machine_id,
            d.day.between(_written(first), _written(last)),
            d.status == "OPEN",
            not_closed(DIFFERENCE_ITEM),
        )
    )
    days, differences = last - first + 1, open_ones or 0
    says = AlipaySays.AGREES if read == days else AlipaySays.NOT_READ
    return replace(
        span,
        alipay=AlipaySays.DIFFERS if differences else says,
        days=days,
        days_read=read or 0,
        alipay_differences=differences,
    )


def _day(at_ms: int) -> int:
    """Return the day of GMT+8 in which a moment is, counted from 1970."""
    return (at_ms + _CHINA_MS) // DAY_MS


def _written(day: int) -> str:
    return dt.date.fromordinal(_EPOCH + day).isoformat()


def _said(view: ReadoutView) -> str:
    whether = f"{view.difference_count} counters differ"
    if not view.span.compared:
        whether = "its bytes are wrong" if view.damaged else "a baseline"
    return f"read-out {view.readout_id[:16]} of {view.size} bytes; {whether}"
