"""What machines sold, and for how long they could, as an experiment needs it: read from the sums
that the follower of the books keeps, some machines at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from storage.auditing.reading import total
from storage.experiments.content import Content, Measure
from storage.insight import days
from storage.lift.differences import DAY_S, SoldIn
from storage.tables import machine_hours, sales_hours

AT_ONCE = 100
"""So many machines are asked of in one read: nobody else waits long."""
SHARE_MIN = 4
"""A machine counts in a time if it could sell in at least one of so many parts of it."""
ITEMS_MIN = 10
"""A machine is drawn if it sold so many items, or their money, in as many days as count. A few
items are chance more than anything else, and a logarithm of them makes every lift smaller.
"""
_H, _S = machine_hours.c, sales_hours.c


@dataclass(frozen=True, slots=True, kw_only=True)
class DaySpan:
    """The days ``first`` to ``last`` (yyyymmdd, both counted)."""

    first: int
    last: int

    @property
    def days(self) -> int:
        """How many they are."""
        return days.count(self.first, self.last)

    def enough(self, of: SoldIn) -> bool:
        """Whether a machine could sell for so long that what it sold says something."""
        return of.sellable_s * SHARE_MIN >= self.days * DAY_S

    def busy(self, of: SoldIn, half: float, length: int) -> bool:
        """Whether a machine sold at such a pace that ``length`` days of it say something; ``half``
        is half of what is sold at once.
        """
        return of.sold * length >= ITEMS_MIN * 2 * half * self.days

    def before(self, length: int) -> "DaySpan":
        """Return so many days right before it."""
        return DaySpan(first=days.moved(self.first, -length), last=days.moved(self.first, -1))


def parts(machine_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Tell them so many at a time."""
    for start in range(0, len(machine_ids), AT_ONCE):
        yield machine_ids[start : start + AT_ONCE]


def sums(
    connection: Connection, machine_ids: Sequence[str], span: DaySpan, content: Content
) -> dict[str, SoldIn]:
    """Return what each of these machines, at most AT_ONCE, sold in the time."""
    sold = {
        row.machine_id: row.sold
        for row in connection.execute(_sold(machine_ids, span, content, _S.machine_id))
    }
    spent = {
        row.machine_id: row.sellable_s
        for row in connection.execute(_spent(machine_ids, span, _H.machine_id))
    }
    return {one: SoldIn(sold.get(one, 0), spent.get(one, 0)) for one in machine_ids}


def by_day(
    connection: Connection, machine_ids: Sequence[str], span: DaySpan, content: Content
) -> dict[str, dict[int, SoldIn]]:
    """Return what each of these machines, at most AT_ONCE, sold on each day on which it could."""
    sold = {
        (row.machine_id, row.d): row.sold
        for row in connection.execute(_sold(machine_ids, span, content, _S.machine_id, _S.d))
    }
    found: dict[str, dict[int, SoldIn]] = {one: {} for one in machine_ids}
    for row in connection.execute(_spent(machine_ids, span, _H.machine_id, _H.d)):
        if row.sellable_s > 0:
            number = sold.get((row.machine_id, row.d), 0)
            found[row.machine_id][row.d] = SoldIn(number, row.sellable_s)
    return found


def half_of(
    connection: Connection, machine_ids: Sequence[str], span: DaySpan, content: Content
) -> float:
    """Return half of what is sold at once, as far as these machines, at most AT_ONCE, tell it."""
    if content.measure is Measure.UNITS:
        return 0.5
    row = connection.execute(
        select(total(_S.units).label("units"), total(_S.sales_minor).label("minor")).where(
            *_which(machine_ids, span, content)
        )
    ).one()
    return max(0.5, row.minor / row.units / 2) if row.units and row.minor > 0 else 0.5


def _sold(machine_ids: Sequence[str], span: DaySpan, content: Content, *keys: Any) -> Select[Any]:
    what = _S.units if content.measure is Measure.UNITS else _S.sales_minor
    return (
        select(*keys, total(what).label("sold"))
        .where(*_which(machine_ids, span, content))
        .group_by(*keys)
    )


def _which(
    machine_ids: Sequence[str], span: DaySpan, content: Content
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [
        _S.machine_id.in_(machine_ids),
        _S.d.between(span.first, span.last),
    ]
    if content.measure is Measure.SALES:
        found.append(_S.currency == content.currency)
    return found


def _spent(machine_ids: Sequence[str], span: DaySpan, *keys: Any) -> Select[Any]:
    return (
        select(*keys, total(_H.sellable_s).label("sellable_s"))
        .where(_H.machine_id.in_(machine_ids), _H.d.between(span.first, span.last))
        .group_by(*keys)
    )
