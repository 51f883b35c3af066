"""Vouchers of Alipay: which were redeemed at machines, as its daily file tells, and what was sold
beside them.

A voucher is shown to whom Alipay chooses, so nothing here says what it has brought: it is recorded
and added up. The file names each payment; the books say at which machine it was, and when.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    union_all,
)
from sqlalchemy import update as change

from storage.auditing.reading import total
from storage.database import dialects
from storage.database.engine import Database
from storage.insight import sales
from storage.insight.local_time import local_hour
from storage.insight.places import read_stays, where
from storage.insight.sales import Amounts, By, SalesWanted
from storage.office import deeds
from storage.office.deeds import Deed, DeedPlan, Detail, LinesRefused, NotPossible, Write
from storage.tables import trades, voucher_redemptions

AT_ONCE = 500
LINES_MAX = 2_000
TOLD_OTHERWISE = "was told before with other amounts, or of another template"
TOLD_OF_ANOTHER = "was told before of a payment with another number"
NUMBERS = 2
"""So many numbers has a payment at most."""
_V = voucher_redemptions.c
One = TypeVar("One")


class VoucherKind(StrEnum):
    """What a line of the file says of a voucher."""

    REDEEMED = "REDEEMED"
    GIVEN_BACK = "GIVEN_BACK"


class VoucherBy(StrEnum):
    """What redemptions are told by."""

    TEMPLATE = "TEMPLATE"
    DAY = "DAY"
    MACHINE = "MACHINE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """A line of the file. ``key`` names it by all that it says; ``number_keys`` name the same
    redemption by one of the payment's numbers each, one or two: whichever line has one of them is
    of it, also if it leaves out the other. ``payments`` are the numbers under which the payment may
    be known. ``order_minor`` is what was to be paid, ``voucher_minor`` what the voucher paid of it.
    """

    key: str
    number_keys: tuple[str, ...]
    kind: VoucherKind
    template: str
    payments: tuple[str, ...]
    currency: str
    order_minor: int
    voucher_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionsTaken:
    """What a file came to: lines that are new, that were there, of these (or of both) which found
    their payment by now, and those of which the books know no payment. ``above_order``: lines whose
    voucher is above what was to be paid, which are taken as they are told.
    """

    added: int
    known: int
    found: int
    elsewhere: int
    above_order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherLine:
    """``key``: a template, a day or a machine. ``order_minor``: what was to be paid where they were
    redeemed, each payment once. ``voucher_minor`` is what vouchers paid, without those that were
    given back. ``sold``: all that the day, or the machine, sold in this currency; None of a
    template.
    """

    key: str
    currency: str
    redeemed: int
    given_back: int
    order_minor: int
    voucher_minor: int
    sold: Amounts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoucherSales:
    """``newest_day``: the last day of which the file has told, 0 if of none. ``elsewhere``: lines
    of all files of which the books know no payment, and which are in no other figure.
    """

    lines: Sequence[VoucherLine]
    newest_day: int
    elsewhere: int


class VoucherBooks:
    """Asks and fills a database. Every method raises StoreError when it does not answer."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def take(self, lines: Sequence[Redemption], deed: Deed) -> RedemptionsTaken:
        """Keep the lines of a file, all of them or none; one that is there is not added again, and
        finds its payment if the books know it by now. Raises LinesRefused.
        """

        def plan(connection: Connection) -> DeedPlan[RedemptionsTaken]:
            if deed.locks:
                dialects.office_alone(connection)
            there = _there(connection, lines)
            _check_same(there, lines)
            return _planned(lines, there, _placed(connection, lines), deed)

        def again(connection: Connection) -> RedemptionsTaken:
            if deed.claim is None or not deed.claim.kept:  # a program of before did it
                return plan(connection).result
            return RedemptionsTaken(**json.loads(deed.claim.kept))

        return await deeds.do(self._db, deed, plan, again)

    async def sales(
        self, first: int, last: int, by: VoucherBy, *, template: str = ""
    ) -> VoucherSales:
        """Return what vouchers were redeemed on these days (yyyymmdd, both counted). Raises
        NotPossible for what cannot be answered.
        """
        sales.checked(SalesWanted(first=first, last=last, by=By.DAY))

        def work(connection: Connection) -> VoucherSales:
            rows = connection.execute(_query(first, last, by, template)).all()
            if len(rows) > LINES_MAX:
                raise NotPossible(
                    "TOO_MANY_LINES", f"more than {LINES_MAX} lines: name a template or fewer days"
                )
            sold = _sold(connection, by, first, last, [str(row.key) for row in rows])
            return VoucherSales(
                lines=[_line(row, sold) for row in rows],
                newest_day=connection.scalar(select(func.max(_V.d))) or 0,
                elsewhere=connection.scalar(select(func.count()).where(_V.d == 0)) or 0,
            )

        return await self._db.read(work)


def _there(connection: Connection, lines: Sequence[Redemption]) -> list[list[Any]]:
    """Return, of each line in their order, the rows that are of it: none, one, or two, each of
    which was told with another of the payment's numbers alone.
    """
    found: dict[str, dict[str, Any]] = {}
    keys = sorted({key for line in lines for key in (line.key, *line.number_keys)})
    for some in _pieces(keys):
        for row in connection.execute(_of_keys(connection.dialect.name, some)):
            for key in (row.key, *_number_keys(row)):
                found.setdefault(key, {})[row.key] = row
    there = []
    for line in lines:
        rows: dict[str, Any] = {}
        for key in (line.key, *line.number_keys):
            rows |= found.get(key, {})
        there.append(sorted(rows.values(), key=lambda row: (not row.d, row.key)))
    return there


def _of_keys(dialect_name: str, keys: Sequence[str]) -> CompoundSelect[Any]:
    """Return the query for the rows that one of these keys is of, some of them more than once."""
    asked = dialects.each_of(dialect_name, keys)
    return union_all(
        *(
            select(voucher_redemptions).join(asked, asked.c.key == named)
            for named in (_V.key, _V.number_key, _V.other_key)
        )
    )


def _number_keys(row: Any) -> list[str]:
    return [key for key in (row.number_key, row.other_key) if key is not None]


def _check_same(there: Sequence[Sequence[Any]], lines: Sequence[Redemption]) -> None:
    """Raise LinesRefused if lines that were told before say something else now."""
    problems = [
        (place, said)
        for place, line in enumerate(lines)
        if (said := _otherwise(line, there[place]))
    ]
    if problems:
        raise LinesRefused(problems)


def _otherwise(line: Redemption, rows: Sequence[Any]) -> str:
    """Return what a line says that its rows do not, empty if nothing."""
    now = (line.template, line.currency, line.order_minor, line.voucher_minor)
    if any((row.template, row.currency, row.order_minor, row.voucher_minor) != now for row in rows):
        return TOLD_OTHERWISE
    # A payment has two; which of three is not this one's, nobody can say.
    known = {*line.number_keys, *(key for row in rows for key in _number_keys(row))}
    return TOLD_OF_ANOTHER if len(known) > NUMBERS else ""


def _planned(
    lines: Sequence[Redemption],
    there: Sequence[Sequence[Any]],
    placed: Mapping[str, tuple[str, str, int]],
    deed: Deed,
) -> DeedPlan[RedemptionsTaken]:
    new: list[dict[str, Any]] = []
    changed: dict[str, dict[str, Any]] = {}
    twice: set[str] = set()
    found: set[str] = set()
    elsewhere = 0
    for line, rows in zip(lines, there, strict=True):
        place = placed.get(line.key)
        if not rows:
            new.append(_row(line, place, deed.now_ms))
            elsewhere += place is None
            continue
        kept, *others = rows
        twice.update(row.key for row in others)
        if not kept.d and place is not None:
            found.add(kept.key)
        elsewhere += not kept.d and place is None
        known = {*_number_keys(kept), *line.number_keys}
        if kept.key in found or len(known) > len(_number_keys(kept)):
            changed[kept.key] = _changed(kept, sorted(known), place)
    taken = RedemptionsTaken(
        added=len(new),
        known=len(lines) - len(new),
        found=len(found),
        elsewhere=elsewhere,
        above_order=sum(line.voucher_minor > line.order_minor for line in lines),
    )
    writes: tuple[Write, ...] = (
        (_DELETE, [{"which": key} for key in sorted(twice)]),
        (insert(voucher_redemptions), new),
        (_CHANGE, [changed[key] for key in sorted(changed.keys() - twice)]),
    )
    said = f"{len(new)} new, {len(found)} found their payment, of {len(lines)} lines"
    if twice:
        said += f"; {len(twice)} were there twice, and count once now"
    if taken.above_order:
        said += f"; {taken.above_order} above what was to be paid"
    return DeedPlan(
        result=taken,
        writes=tuple(one for one in writes if one[1]),
        details=(Detail(said=said),) if new or found or twice else (),
        kept=json.dumps(asdict(taken)),
    )


def _placed(connection: Connection, lines: Sequence[Redemption]) -> dict[str, tuple[str, str, int]]:
    """Return of each line whose payment the books know its trade, its machine and the local day."""
    known: dict[str, Any] = {}
    for some in _pieces(sorted({number for line in lines for number in line.payments})):
        c = trades.c
        told = c["trade_id", "machine_id", "received_at_ms", "currency"]
        wanted = select(*told).where(c.trade_id.in_(some))
        known |= {row.trade_id: row for row in connection.execute(wanted)}
    stays: dict[str, Any] = {}
    for machine_ids in _pieces(sorted({row.machine_id for row in known.values()})):
        stays |= read_stays(connection, machine_ids)
    placed: dict[str, tuple[str, str, int]] = {}
    for line in lines:
        row = next((known[one] for one in line.payments if one in known), None)
        if row is not None and row.currency == line.currency:
            zone = where(stays.get(row.machine_id, ()), row.received_at_ms).time_zone
            day = local_hour(row.received_at_ms, zone).d
            placed[line.key] = (row.trade_id, row.machine_id, day)
    return placed


def _row(line: Redemption, place: tuple[str, str, int] | None, taken_at_ms: int) -> dict[str, Any]:
    trade_id, machine_id, d = place or ("", "", 0)
    keys = line.number_keys
    return {
        "key": line.key,
        "kind": line.kind.value,
        "template": line.template,
        "trade_id": trade_id,
        "machine_id": machine_id,
        "d": d,
        "currency": line.currency,
        "order_minor": line.order_minor,
        "voucher_minor": line.voucher_minor,
        "number_key": keys[0],
        "other_key": keys[1] if len(keys) > 1 else None,
        "taken_at_ms": taken_at_ms,
    }


def _changed(
    row: Any, number_keys: Sequence[str], place: tuple[str, str, int] | None
) -> dict[str, Any]:
    there = (row.trade_id, row.machine_id, row.d)
    trade_id, machine_id, d = there if row.d or place is None else place
    return {
        "which": row.key,
        "trade": trade_id,
        "machine": machine_id,
        "day": d,
        "number": number_keys[0],
        "other": number_keys[1] if len(number_keys) > 1 else None,
    }


_DELETE = delete(voucher_redemptions).where(_V.key == bindparam("which"))
_CHANGE = (
    change(voucher_redemptions)
    .where(_V.key == bindparam("which"))
    .values(
        trade_id=bindparam("trade"),
        machine_id=bindparam("machine"),
        d=bindparam("day"),
        number_key=bindparam("number"),
        other_key=bindparam("other"),
    )
)


_KEYS: Mapping[VoucherBy, ColumnElement[Any]] = {
    VoucherBy.TEMPLATE: _V.template,
    VoucherBy.DAY: _V.d,
    VoucherBy.MACHINE: _V.machine_id,
}


def _query(first: int, last: int, by: VoucherBy, template: str) -> Select[Any]:
    """A payment that took several vouchers was one order, and counts once."""
    redeemed = _V.kind == VoucherKind.REDEEMED.value
    key = _KEYS[by]
    payments = (
        select(
            key.label("key"),
            _V.currency,
            total(case((redeemed, 1), else_=0)).label("redeemed"),
            total(case((redeemed, 0), else_=1)).label("given_back"),
            func.max(_V.order_minor).label("order_minor"),
            total(case((redeemed, _V.voucher_minor), else_=-_V.voucher_minor)).label("minor"),
        )
        .where(_V.d.between(first, last), *([_V.template == template] if template else ()))
        .group_by(key, _V.currency, _V.trade_id)
        .subquery()
    )
    c = payments.c
    kept = case(
        (c.redeemed > c.given_back, c.order_minor),
        (c.redeemed < c.given_back, -c.order_minor),
        else_=0,
    )
    sums = (total(c[name]).label(name) for name in ("redeemed", "given_back", "minor"))
    return (
        select(c.key, c.currency, *sums, total(kept).label("order_minor"))
        .group_by(c.key, c.currency)
        .order_by(c.key, c.currency)
        .limit(LINES_MAX + 1)
    )


def _sold(
    connection: Connection, by: VoucherBy, first: int, last: int, keys: Sequence[str]
) -> dict[tuple[str, str], Amounts] | None:
    """Return all that was sold beside, by the same keys; None by what says nothing of a sale."""
    if by is VoucherBy.TEMPLATE:
        return None
    if by is VoucherBy.DAY:
        wanted = SalesWanted(first=first, last=last, by=By.DAY)
        return sales.told(connection, wanted, first, last, 0)
    found: dict[tuple[str, str], Amounts] = {}
    for some in _pieces(keys, sales.MACHINES_MAX):
        wanted = SalesWanted(first=first, last=last, by=By.MACHINE, machine_ids=tuple(some))
        found |= sales.told(connection, wanted, first, last, 0)
    return found


def _line(row: Any, sold: Mapping[tuple[str, str], Amounts] | None) -> VoucherLine:
    key = str(row.key)
    return VoucherLine(
        key=key,
        currency=row.currency,
        redeemed=row.redeemed,
        given_back=row.given_back,
        order_minor=row.order_minor,
        voucher_minor=row.minor,
        sold=None if sold is None else sold.get((key, row.currency), Amounts()),
    )


def _pieces(of: Sequence[One], size: int = AT_ONCE) -> Iterator[Sequence[One]]:
    for start in range(0, len(of), size):
        yield of[start : start + size]
