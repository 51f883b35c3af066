"""Before all is made again from the journal, what was made goes: all sums, and all facts but those
of lines that the archive has taken, which nobody could make again. Those are added up once more.

It is begun again from its beginning wherever it is broken off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, select, tuple_

from storage.database import dialects
from storage.insight import rollups
from storage.insight.facts import SaleFact
from storage.insight.rollups import Sums
from storage.tables import (
    funnel_days,
    machine_exposures,
    machine_hours,
    offer_days,
    sale_facts,
    sales_days,
    sales_hours,
    scope_days,
    scope_exposures,
    scope_funnels,
    scope_hours,
    scope_offers,
    starts,
)

FACTS_AT_ONCE = 2_000
Place = tuple[str, int, int]
BEGINNING: Place = ("", 0, -1)
SUMS = (
    *(sales_days, sales_hours, offer_days, funnel_days, machine_hours),
    *(scope_days, scope_hours, scope_offers, scope_funnels, scope_exposures, machine_exposures),
)
_KEY = (sale_facts.c.machine_id, sale_facts.c.version, sale_facts.c.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some facts in the order of their keys: which ``go``, and which are ``kept``. ``upto`` is the
    key of the last one, None if no more follow.
    """

    go: Sequence[Place]
    kept: Sequence[SaleFact]
    upto: Place | None


def empty(connection: Connection) -> None:
    """Delete all sums; and all facts, if nothing was ever archived."""
    for table in SUMS:
        dialects.empty(connection, table)
    if connection.execute(_ARCHIVED.limit(1)).first() is None:
        dialects.empty(connection, sale_facts)


_ARCHIVED = select(starts.c.machine_id).where(starts.c.machine_id != "")


def page_of(connection: Connection, after: Place) -> Page:
    """Return the next facts behind a key."""
    rows = connection.execute(
        select(sale_facts, starts.c.version.label("start"))
        .select_from(sale_facts.outerjoin(starts, starts.c.machine_id == sale_facts.c.machine_id))
        .where(tuple_(*_KEY) > tuple_(*after))
        .order_by(*_KEY)
        .limit(FACTS_AT_ONCE)
    ).all()
    return Page(
        go=[_key(row) for row in rows if not _is_kept(row)],
        kept=[_fact(row) for row in rows if _is_kept(row)],
        upto=_key(rows[-1]) if len(rows) == FACTS_AT_ONCE else None,
    )


def keep(connection: Connection, page: Page) -> None:
    """Delete the facts that go, and add up those that are kept."""
    gone = delete(sale_facts)
    for machine_id, version, line in page.go:
        connection.execute(gone.where(_KEY[0] == machine_id, _KEY[1] == version, _KEY[2] == line))
    sums = Sums()
    rollups.add_facts(sums, page.kept)
    rollups.save(connection, sums.rows())


def _is_kept(row: Row[Any]) -> bool:
    return row.start is not None and row.version <= row.start


def _key(row: Row[Any]) -> Place:
    return (row.machine_id, row.version, row.line)


def _fact(row: Row[Any]) -> SaleFact:
    return SaleFact(**{name: getattr(row, name) for name in SaleFact.__struct_fields__})
