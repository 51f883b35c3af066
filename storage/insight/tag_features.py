"""A rule → the payers who fulfil it, as one query over the facts of sales, the same on both
databases. No query cuts time: days and weekdays are numbers that are made here.

All features are as of the end of a day ``d`` and of at most HISTORY_DAYS days up to it. A purchase
is an item that fell; a visit is all that one payer bought at one machine within one local hour.
Shares are in percent, rounded down. A payer is a random number, which leads to nobody by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    case,
    cast,
    distinct,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
)

from storage.auditing.reading import total
from storage.insight import days
from storage.insight.facts import FactKind
from storage.insight.local_time import HOUR_MS
from storage.insight.tag_rules import (
    BANDS,
    CATEGORY_SHARE,
    Compare,
    Every,
    Never,
    Node,
    Some,
    asks_for_money,
)
from storage.tables import products, sale_facts, sessions, vends

HISTORY_DAYS = 400
VISITS_MIN = 5
"""Who has made fewer visits is in no fifth."""
DAY_MS = 24 * HOUR_MS
_F = sale_facts.c
_IS_SALE = _F.kind == FactKind.SALE.value
Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """The end of the day ``d``, before which a rule looks; money counts in ``currency``."""

    d: int
    currency: str = ""

    def within(self, newest: int, oldest: int) -> Condition:
        """Return whether a fact is of the days from ``newest`` to ``oldest`` days before the next
        one: 1 is the day itself.
        """
        return _F.d.between(days.moved(self.d, 1 - oldest), days.moved(self.d, 1 - newest))


def payers_of(rule: Node, *, as_of: AsOf, purchases_min: int) -> Select[tuple[str]]:
    """Return the query for the numbers of the payers who fulfil a rule, and of whom there is enough
    evidence; ``as_of.currency`` is needed if money counts. Raises ValueError if it is missing.
    """
    if asks_for_money(rule) and not as_of.currency:
        raise ValueError("a rule about money needs a currency")
    evidence = _items(as_of.within(1, 365)) >= purchases_min
    return (
        select(_F.payer_id)
        .select_from(sale_facts.outerjoin(products, products.c.product == _F.product))
        .where(_F.payer_id != "", as_of.within(1, HISTORY_DAYS))
        .group_by(_F.payer_id)
        .having(and_(evidence, _holds(rule, as_of)))
    )


def _holds(node: Node, as_of: AsOf) -> Condition:
    match node:
        case Every(parts):
            return and_(*(_holds(part, as_of) for part in parts))
        case Some(parts):
            return or_(*(_holds(part, as_of) for part in parts))
        case Never(part):
            return not_(_holds(part, as_of))
        case Compare():
            return _compared(node, as_of)


def _compared(of: Compare, as_of: AsOf) -> Condition:
    at_least = _at_least(of, as_of)
    match of.comparison:
        case "at_least":
            return at_least(of.value)
        case "at_most":
            return not_(at_least(of.value + 1))
        case "equals":
            return and_(at_least(of.value), not_(at_least(of.value + 1)))


def _at_least(of: Compare, as_of: AsOf) -> Callable[[int], Condition]:
    """Return what says that a payer's feature is at least so much."""
    name = of.feature
    if name in {"days_since_first", "days_since_last"}:
        day = func.min(_F.d) if name == "days_since_first" else func.max(_F.d)
        return lambda value: (
            day <= days.moved(as_of.d, -value) if value <= HISTORY_DAYS else false()
        )
    if name == "failures_90":
        return lambda value: _in(_failed(as_of, value), value)
    if name == "basket_quintile_90":
        return lambda value: _in(_in_fifth(as_of, value), value)
    if name.startswith("share_") or name == CATEGORY_SHARE:
        whole = _items(as_of.within(1, 90))
        part = _items(and_(as_of.within(1, 90), _part(of)))
        return lambda value: and_(whole > 0, part * 100 >= whole * value)
    if name == "money_per_visit_90":
        money, visits = _money(as_of, 90), _visits(as_of)
        return lambda value: and_(visits > 0, money >= visits * value)
    number = _number(name, as_of)
    return lambda value: number >= value


def _in(some: Select[tuple[str]], value: int) -> Condition:
    return _F.payer_id.in_(some) if value > 0 else true()


def _number(name: str, as_of: AsOf) -> ColumnElement[int]:
    what, _, span = name.rpartition("_")
    if what.startswith("purchase_days_"):
        what, _, newest = what.rpartition("_")
        return _distinct(_F.d, as_of.within(int(newest), int(span)))
    then = as_of.within(1, int(span))
    match what:
        case "purchases":
            return _items(then)
        case "purchase_days":
            return _distinct(_F.d, then)
        case "visits":
            return _visits(as_of)
        case "money":
            return _money(as_of, int(span))
        case "machines":
            return _distinct(_F.machine_id, then)
        case "districts":
            return _distinct(_F.district, and_(then, _F.district != ""))
        case "workdays":
            first = days.moved(as_of.d, 1 - int(span))
            workdays = [d for d in days.between(first, as_of.d) if days.weekday(d) <= 5]
            return _distinct(_F.d, _F.d.in_(workdays))
        case _:
            raise ValueError(f"no feature is called {name}")


def _items(which: Condition) -> ColumnElement[int]:
    return total(case((and_(which, _IS_SALE), cast(_F.units, BigInteger)), else_=0))


def _money(as_of: AsOf, span: int) -> ColumnElement[int]:
    which = and_(as_of.within(1, span), _F.currency == as_of.currency)
    return total(case((which, _F.sales_minor), else_=0))


def _distinct(what: ColumnElement[object], which: Condition) -> ColumnElement[int]:
    return func.count(distinct(case((and_(which, _IS_SALE, _F.units > 0), what))))


def _visits(as_of: AsOf) -> ColumnElement[int]:
    hour = cast(_F.d, BigInteger) * 100 + _F.local_hour
    return _distinct(
        _F.machine_id + literal("/") + cast(hour, String),
        and_(as_of.within(1, 90), _F.currency == as_of.currency)
        if as_of.currency
        else as_of.within(1, 90),
    )


def _part(of: Compare) -> Condition:
    """Return whether a fact is of the part of the day, or of the category, that is asked for."""
    if of.feature == CATEGORY_SHARE:
        return products.c.category == of.of
    first, end = BANDS[of.feature.split("_")[1]]
    hour = cast(_F.local_hour, Integer)
    if first < end:
        return and_(hour >= first, hour < end)
    return or_(hour >= first, hour < end)


def _failed(as_of: AsOf, value: int) -> Select[tuple[str]]:
    """Return the payers of at least so many vends that failed: our fault. By UTC: a failed vend has
    no local day.
    """
    end = days.as_date(days.moved(as_of.d, 1)).toordinal() - _EPOCH
    since_ms, until_ms = (end - 90) * DAY_MS, end * DAY_MS
    return (
        select(sessions.c.payer_id)
        .select_from(vends.join(sessions, sessions.c.session_id == vends.c.session_id))
        .where(
            vends.c.status == "FAILED",
            vends.c.ended_at_ms >= since_ms,
            vends.c.ended_at_ms < until_ms,
        )
        .group_by(sessions.c.payer_id)
        .having(func.count() >= value)
    )


_EPOCH = days.as_date(19700101).toordinal()


def _in_fifth(as_of: AsOf, value: int) -> Select[tuple[str]]:
    """Return the payers of the fifths from this one on, by money for each visit; 5 is the fifth
    with the most. Equal ones are told apart by their numbers, so that all fifths are of one size.
    """
    money, visits = _money(as_of, 90), _visits(as_of)
    fifth = func.ntile(5).over(order_by=(money // visits, _F.payer_id)).label("fifth")
    ranked = (
        select(_F.payer_id, fifth)
        .where(_F.payer_id != "", as_of.within(1, 90))
        .group_by(_F.payer_id)
        .having(visits >= VISITS_MIN)
        .subquery("ranked")
    )
    return select(ranked.c.payer_id).where(ranked.c.fifth >= value)
