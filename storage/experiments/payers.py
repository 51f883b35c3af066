"""Which payers an experiment with an offer is about, and what they spent: who bought something in
the time before at those of the offer's machines at which customers can pay first, and had its tag,
if it has one, at the end of that time. Nothing that the offer does can change who that is.

What a payer spent is what they paid at all machines, in the offer's currency, without what was
given back: who buys at the offer's machines instead of others has not spent more for it. Payers are
looked at in the order of their random numbers, some at a time; the first PAYERS_MAX are as good as
any that were drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select, true

from actors.machine.state import Mode
from storage.auditing.reading import total
from storage.database.engine import Database
from storage.database.reader import in_turns
from storage.experiments.history import DaySpan
from storage.insight.facts import FactKind
from storage.insight.tagging import given, told_until
from storage.offers.content import OfferContent
from storage.office.selectors import Selector, machines_of
from storage.tables import experiment_payers, machines, payer_tags, payers, sale_facts

PAYERS_MAX = 20_000
"""So many are in an experiment: all of them are written in one transaction."""
LOOKED_AT_MAX = 1_000_000
"""So many are looked at, whether they are in it."""
AT_ONCE = 2_000
_F, _P, _T, _U = sale_facts.c, payers.c, payer_tags.c, experiment_payers.c


class PayerSum(NamedTuple):
    """What a payer spent in two times, in minor units; 0 in a second one that nobody asked of."""

    payer_id: str
    before: int
    during: int


class UnitSum(NamedTuple):
    """A payer of an experiment: their arm, and what they spent before and in its time."""

    payer_id: str
    arm: str
    before: int
    during: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PayersAsked:
    """Those whom ``offer`` means, as of the end of ``pre``; ``during`` is the time right behind it.
    Where machines are is asked of the moment ``now_ms``.
    """

    offer: OfferContent
    pre: DaySpan
    during: DaySpan | None
    now_ms: int


class _Part(NamedTuple):
    found: Sequence[PayerSum]
    upto: str | None


async def read_payers(db: Database, asked: PayersAsked) -> list[PayerSum]:
    """Return PAYERS_MAX of them at most, in the order of their numbers."""
    found: list[PayerSum] = []
    after = ""
    for _ in range(LOOKED_AT_MAX // AT_ONCE):
        part = await db.read(partial(_part, asked=asked, after=after))
        found += part.found
        if part.upto is None or len(found) >= PAYERS_MAX:
            break
        after = part.upto
    return found[:PAYERS_MAX]


async def read_units(db: Database, experiment: str, span: DaySpan, currency: str) -> list[UnitSum]:
    """Return the payers of an experiment that are still there, with what they spent."""
    found: list[UnitSum] = []
    while True:
        after = found[-1].payer_id if found else ""
        some = await db.read(
            partial(_units, experiment=experiment, span=span, currency=currency, after=after)
        )
        found += some
        if len(some) < AT_ONCE:
            return found


def parts_of(rows: Sequence[Any], at_once: int = 500) -> Iterator[Sequence[Any]]:
    """Tell them so many at a time."""
    for start in range(0, len(rows), at_once):
        yield rows[start : start + at_once]


def _part(connection: Connection, asked: PayersAsked, after: str) -> _Part:
    behind = select(_P.payer_id).where(_P.payer_id > after).order_by(_P.payer_id)
    upto: str | None = connection.scalar(behind.offset(AT_ONCE - 1).limit(1))
    rows = connection.execute(_sums(asked, after, upto))
    found = [
        PayerSum(row.payer_id, int(row.before), int(row.during)) for row in in_turns(rows, 500)
    ]
    return _Part(found=found, upto=upto)


def _sums(asked: PayersAsked, after: str, upto: str | None) -> Select[Any]:
    pre = _F.d.between(asked.pre.first, asked.pre.last)
    last = asked.pre.last if asked.during is None else asked.during.last
    during = _F.d > asked.pre.last
    here = case((and_(pre, _at(asked.offer.selector, asked.now_ms)), _F.units), else_=0)
    return (
        select(
            _P.payer_id,
            total(case((pre, _F.sales_minor), else_=0)).label("before"),
            total(case((during, _F.sales_minor), else_=0)).label("during"),
        )
        .join_from(payers, sale_facts, _F.payer_id == _P.payer_id)
        .where(
            _P.payer_id > after,
            _P.payer_id <= upto if upto is not None else true(),
            *_paid(asked.offer.currency, asked.pre.first, last),
            _had_tag(asked.offer.tag, asked.pre.last) if asked.offer.tag else true(),
        )
        .group_by(_P.payer_id)
        .having(func.sum(here) > 0)
        .order_by(_P.payer_id)
    )


def _units(
    connection: Connection, experiment: str, span: DaySpan, currency: str, after: str
) -> list[UnitSum]:
    bought = and_(_F.payer_id == _U.payer_id, *_paid(currency, span.first, span.last))
    rows = connection.execute(
        select(
            _U.payer_id,
            _U.arm,
            _U.before_minor,
            total(func.coalesce(_F.sales_minor, 0)).label("during"),
        )
        .select_from(experiment_payers.outerjoin(sale_facts, bought))
        .where(_U.experiment == experiment, _U.payer_id > after)
        .group_by(_U.payer_id, _U.arm, _U.before_minor)
        .order_by(_U.payer_id)
        .limit(AT_ONCE)
    )
    return [
        UnitSum(row.payer_id, row.arm, row.before_minor, int(row.during))
        for row in in_turns(rows, 500)
    ]


def _paid(currency: str, first: int, last: int) -> tuple[ColumnElement[bool], ...]:
    """Return which facts are money of a payer whom Alipay named, within these days."""
    return (
        _F.payer_id != "",  # said by itself: SQLite finds the index only so
        _F.d.between(first, last),
        _F.currency == currency,
        _F.kind != FactKind.WRITE_OFF.value,
    )


def _at(selector: Selector, now_ms: int) -> ColumnElement[bool]:
    """Return whether a fact is of a machine that the offer means, and at which it can be used:
    where all choose first nobody is known before they pay.
    """
    everywhere = selector == Selector(all=True)
    meant = true() if everywhere else _F.machine_id.in_(machines_of(selector, now_ms))
    never = select(machines.c.machine_id).where(machines.c.mode == Mode.SELECTION_FIRST.value)
    return and_(meant, _F.machine_id.not_in(never))


def _had_tag(tag: str, d: int) -> ColumnElement[bool]:
    """Return whether a payer had the tag at the end of a day, as it was evaluated by then."""
    until = told_until()
    return (
        select(_T.payer_id)
        .where(_T.payer_id == _P.payer_id, _T.tag == tag, given(), _T.since_d <= d)
        .where(or_(until.is_(None), until > d))
        .exists()
    )
