"""Vouchers of Alipay: which were redeemed at machines, as its daily file tells, and what was sold
beside them.

A voucher is shown to whom Alipay chooses, so nothing here says what it has brought: it is recorded
and added up. The file names each payment; the books say at which machine it was, and when.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, bindparam, case, func, insert, select
from sqlalchemy import update as change

from storage.auditing.reading import total
from storage.database import dialects
from storage.database.engine import Database
from storage.insight import sales
from storage.insight.local_time import local_hour
from storage.insight.places import read_stays, where
from storage.insight.sales import Amounts, By, SalesWanted
from storage.office import deeds
from storage.office.deeds import Deed, DeedPlan, Detail, NotPossible, Write
from storage.office.price_files import LinesRefused
from storage.tables import trades, voucher_redemptions

AT_ONCE = 500
LINES_MAX = 2_000
TOLD_OTHERWISE = "was told before with other amounts, or of another template"
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
    """A line of the file. ``key`` names it for ever; ``payments`` are the numbers under which the
    payment may be known. ``order_minor`` is what was to be paid, ``voucher_minor`` what the voucher
    paid of it.
    """

    key: str
    kind: VoucherKind
    template: str
    payments: tuple[str, ...]
    currency: str
    order_minor: int
    voucher_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionsTaken:
    """What a file came to: lines that are new, that were there, of these (or of both) which found
    their payment by now, and those of which the books know no payment.
    """

    added: int
    known: int
    found: int
    elsewhere: int


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
            placed = _placed(connection, lines)
            rows = {line.key: _row(line, placed.get(line.key)) for line in lines}
            new = [row for key, row in rows.items() if key not in there]
            found = [
                row for key, row in rows.items() if row["d"] and key in there and not there[key].d
            ]
            taken = RedemptionsTaken(
                added=len(new),
                known=len(lines) - len(new),
                found=len(found),
                elsewhere=sum(not row["d"] and _still(there.get(key)) for key, row in rows.items()),
            )
            if not new and not found:
                return DeedPlan(result=taken)
            said = f"{len(new)} new, {len(found)} found their payment, of {len(lines)} lines"
            writes: tuple[Write, ...] = (
                (insert(voucher_redemptions), new),
                (_FIND, [_named(row) for row in found]),
            )
            return DeedPlan(
                result=taken,
                writes=tuple(one for one in writes if one[1]),
                details=(Detail(said=said),),
            )

        def again(connection: Connection) -> RedemptionsTaken:
            return plan(connection).result

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


def _there(connection: Connection, lines: Sequence[Redemption]) -> dict[str, Any]:
    there: dict[str, Any] = {}
    for some in _pieces([line.key for line in lines]):
        rows = connection.execute(select(voucher_redemptions).where(_V.key.in_(some)))
        there |= {row.key: row for row in rows}
    return there


def _check_same(there: Mapping[str, Any], lines: Sequence[Redemption]) -> None:
    """Raise LinesRefused if lines that were told before say something else now."""
    problems = [
        (place, TOLD_OTHERWISE)
        for place, line in enumerate(lines)
        if (row := there.get(line.key)) is not None
        and (row.template, row.currency, row.order_minor, row.voucher_minor)
        != (line.template, line.currency, line.order_minor, line.voucher_minor)
    ]
    if problems:
        raise LinesRefused(problems)


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


def _row(line: Redemption, place: tuple[str, str, int] | None) -> dict[str, Any]:
    trade_id, machine_id, d = place or ("", "", 0)
    of = {name: value for name, value in asdict(line).items() if name != "payments"}
    return {**of, "kind": line.kind.value, "trade_id": trade_id, "machine_id": machine_id, "d": d}


def _still(row: Any) -> bool:
    return row is None or not row.d


_FIND = (
    change(voucher_redemptions)
    .where(_V.key == bindparam("which"))
    .values(trade_id=bindparam("trade"), machine_id=bindparam("machine"), d=bindparam("day"))
)


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "which": row["key"],
        "trade": row["trade_id"],
        "machine": row["machine_id"],
        "day": row["d"],
    }


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
