"""A rule → the payers who fulfil it, as one query over the facts of sales, the same on both
databases. No query cuts time: days and weekdays are numbers that are made here.

All features are as of the end of a day ``d`` and of at most HISTORY_DAYS days up to it. A purchase
is an item that fell; a visit is all that one payer bought at one machine within one local hour.
Shares are in percent, rounded down. A payer is a random number, which leads to nobody by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
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
    type_coerce,
)

from storage.auditing.reading import total
from storage.insight import days
from storage.insight.facts import FactKind
from storage.insight.tag_rules import (
    BANDS,
    CATEGORY_SHARE,
    QUINTILES,
    Compare,
    Every,
    Never,
    Node,
    Some,
    asks_for_money,
    nodes,
)
from storage.machines.rows import DAY_MS
from storage.tables import products, sale_facts, sessions, vends
from storage.tables.records import in_status

HISTORY_DAYS = 400
VISITS_MIN = 5
"""Who has made fewer visits is in no fifth."""
_F = sale_facts.c
_IS_SALE = _F.kind == FactKind.SALE.value
Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """The end of the day ``d``, before which a rule looks, at the facts up to a ``position`` (None:
    all that are there); money counts in ``currency``.
    """

    d: int
    currency: str = ""
    position: int | None = None

    def within(self, newest: int, oldest: int) -> Condition:
        """Return whether a fact is of the days from ``newest`` to ``oldest`` days before the next
        one: 1 is the day itself.
        """
        return _F.d.between(days.moved(self.d, 1 - oldest), days.moved(self.d, 1 - newest))

    def somebodys(self, oldest: int) -> Condition:
        """Return whether a fact is looked at: of a payer, of so many days, up to the position."""
        known = and_(_F.payer_id != "", self.within(1, oldest))
        return known if self.position is None else and_(known, _F.position <= self.position)


@dataclass(frozen=True, slots=True, kw_only=True)
class Among:
    """The payers whose numbers are behind ``after``, up to ``upto`` (None: to the end)."""

    after: str = ""
    upto: str | None = None

    def holds(self, payer_id: ColumnElement[str]) -> Condition:
        """Return whether a number is one of them."""
        behind = payer_id > self.after
        return behind if self.upto is None else and_(behind, payer_id <= self.upto)


Borders = Mapping[int, tuple[int, str]]
"""Of a quintile's fifths, the lowest of those who are in each: their value and their number."""
Fifths = Mapping[str, Borders]
"""By the quintile's name."""
ALL = Among()


def payers_of(
    rule: Node,
    *,
    as_of: AsOf,
    purchases_min: int,
    fifths: Fifths | None = None,
    among: Among = ALL,
) -> Select[tuple[str]]:
    """Return the query for the numbers of the payers ``among`` all who fulfil a rule, and of whom
    there is enough evidence; ``as_of.currency`` is needed if money counts, and ``fifths`` if a
    quintile does (``fifths_of``). Raises ValueError if the currency is missing.
    """
    if asks_for_money(rule) and not as_of.currency:
        raise ValueError("a rule about money needs a currency")
    asked = _Asked(as_of=as_of, fifths=fifths or {}, among=among)
    evidence = _items(as_of.within(1, 365)) >= purchases_min
    source = (
        sale_facts.outerjoin(products, products.c.product == _F.product)
        if any(isinstance(one, Compare) and one.feature == CATEGORY_SHARE for one in nodes(rule))
        else sale_facts
    )
    return (
        select(_F.payer_id)
        .select_from(source)
        .where(as_of.somebodys(HISTORY_DAYS), among.holds(_F.payer_id))
        .group_by(_F.payer_id)
        .having(and_(evidence, _holds(rule, asked)))
    )


def fifths_of(connection: Connection, rule: Node, as_of: AsOf) -> Fifths:
    """Return the borders of the quintiles that a rule asks for: of all payers, and so looked up
    once for however many pieces they are gone through in.
    """
    asked = {one.feature for one in nodes(rule) if isinstance(one, Compare)}
    return {
        name: {
            row.fifth: (row.value, row.payer_id) for row in connection.execute(_lowest(name, as_of))
        }
        for name in sorted(asked & set(QUINTILES))
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    as_of: AsOf
    fifths: Fifths
    among: Among


def _holds(node: Node, asked: _Asked) -> Condition:
    match node:
        case Every(parts):
            return and_(*(_holds(part, asked) for part in parts))
        case Some(parts):
            return or_(*(_holds(part, asked) for part in parts))
        case Never(part):
            return not_(_holds(part, asked))
        case Compare():
            return _compared(node, asked)


def _compared(of: Compare, asked: _Asked) -> Condition:
    at_least = _at_least(of, asked)
    match of.comparison:
        case "at_least":
            return at_least(of.value)
        case "at_most":
            return not_(at_least(of.value + 1))
        case "equals":
            return and_(at_least(of.value), not_(at_least(of.value + 1)))


def _at_least(of: Compare, asked: _Asked) -> Callable[[int], Condition]:
    """Return what says that a payer's feature is at least so much."""
    name, as_of = of.feature, asked.as_of
    if name in {"days_since_first", "days_since_last"}:
        day = func.min(_F.d) if name == "days_since_first" else func.max(_F.d)
        return lambda value: (
            day <= days.moved(as_of.d, -value) if value <= HISTORY_DAYS else false()
        )
    if name == "failures_90":
        return lambda value: _in(_failed(as_of, value, asked.among), value)
    if name in QUINTILES:
        borders = asked.fifths[name]
        return lambda value: true() if value <= 0 else _in_fifth(name, as_of, value, borders)
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
    return _number_of(distinct(case((and_(which, _IS_SALE, _F.units > 0), what))))


def _number_of(what: ColumnElement[object] | None = None) -> ColumnElement[int]:
    """Return a count that may stand beside any number of a rule: beside a plain one PostgreSQL
    takes numbers of 32 bits alone.
    """
    return type_coerce(func.count() if what is None else func.count(what), BigInteger)


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


def _failed(as_of: AsOf, value: int, among: Among) -> Select[tuple[str]]:
    """Return the payers of at least so many vends that failed: our fault. By UTC: a failed vend has
    no local day.
    """
    end = days.as_date(days.moved(as_of.d, 1)).toordinal() - _EPOCH
    since_ms, until_ms = (end - 90) * DAY_MS, end * DAY_MS
    return (
        select(sessions.c.payer_id)
        .select_from(vends.join(sessions, sessions.c.session_id == vends.c.session_id))
        .where(
            in_status(vends, ["FAILED"]),
            vends.c.ended_at_ms >= since_ms,
            vends.c.ended_at_ms < until_ms,
            among.holds(sessions.c.payer_id),
        )
        .group_by(sessions.c.payer_id)
        .having(_number_of() >= value)
    )


_EPOCH = days.as_date(19700101).toordinal()


def _in_fifth(name: str, as_of: AsOf, value: int, borders: Borders) -> Condition:
    """Return whether a payer is in one of the fifths from this one on; 5 is the fifth with the
    most. Equal ones are told apart by their numbers, so that all fifths are of one size.
    """
    lowest = [border for fifth, border in sorted(borders.items()) if fifth >= value]
    if not lowest:
        return false()
    least, payer_id = lowest[0]
    measure, counts = _measure(name, as_of)
    return and_(counts, or_(measure > least, and_(measure == least, _F.payer_id >= payer_id)))


def _measure(name: str, as_of: AsOf) -> tuple[ColumnElement[int], Condition]:
    """Return by what a quintile puts payers in order, and who is in it at all."""
    if name == "basket_quintile_90":
        visits = _visits(as_of)
        return _money(as_of, 90) // visits, visits >= VISITS_MIN
    year = as_of.within(1, QUINTILES[name])
    items = _items(year)
    if name == "recency_quintile_365":
        day = func.max(case((and_(year, _IS_SALE, _F.units > 0), _F.d), else_=0))
        return day, items > 0
    return _money(as_of, QUINTILES[name]) if name == "money_quintile_365" else items, items > 0


def _lowest(name: str, as_of: AsOf) -> Select[tuple[int, int, str]]:
    measure, counts = _measure(name, as_of)
    span = QUINTILES[name]
    measured = (
        select(_F.payer_id, measure.label("value"))
        .where(as_of.somebodys(span))
        .group_by(_F.payer_id)
        .having(counts)
        .subquery("measured")
    )
    order = (measured.c.value, measured.c.payer_id)
    parted = select(*order, func.ntile(5).over(order_by=order).label("fifth")).subquery("parted")
    first = func.row_number().over(
        partition_by=parted.c.fifth, order_by=(parted.c.value, parted.c.payer_id)
    )
    placed = select(parted, first.label("place")).subquery("placed")
    c = placed.c
    return select(c.fifth, cast(c.value, BigInteger).label("value"), c.payer_id).where(c.place == 1)
