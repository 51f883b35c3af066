"""Facts → what is added to the sums by day, hour, product and offer, of each machine and of the
scopes that it is in.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, Dialect, Table, insert

from storage.database import dialects
from storage.database.prepared import Prepared, Row
from storage.insight.facts import FactKind, SaleFact
from storage.tables import (
    offer_days,
    sale_facts,
    sales_days,
    sales_hours,
    scope_days,
    scope_hours,
    scope_offers,
)

Key = tuple[Any, ...]
Adding = dict[Key, list[int]]
"""By the values of a table's key, what its other columns grow by."""


class ScopeKind(StrEnum):
    """What machines are added up to."""

    FLEET = "FLEET"
    DISTRICT = "DISTRICT"
    SITE_TYPE = "SITE_TYPE"


# Said once: what an enum's member is called costs more than all else that is done for a fact.
_FLEET = (ScopeKind.FLEET.value, "")
_DISTRICT, _SITE_TYPE = ScopeKind.DISTRICT.value, ScopeKind.SITE_TYPE.value
_GOODWILL, _WRITE_OFF = FactKind.GOODWILL.value, FactKind.WRITE_OFF.value


@dataclass(slots=True)
class Sums:
    """What is to be added, by table."""

    by_table: dict[Table, Adding] = field(default_factory=dict)

    def add(self, table: Table, key: Key, values: Sequence[int]) -> None:
        """Let the row with this key grow by these values; both in the order of its columns."""
        adding = self.by_table.get(table)
        if adding is None:
            adding = self.by_table[table] = {}
        there = adding.get(key)
        if there is None:
            adding[key] = list(values)
            return
        for place, value in enumerate(values):
            there[place] += value

    def rows(self) -> list[tuple[Table, list[Row]]]:
        """Return the rows of each table, in the order of their keys, without those that add
        nothing. The values stand in the order of the table's columns.
        """
        made = (
            (table, [(*key, *adding[key]) for key in sorted(adding) if any(adding[key])])
            for table, adding in self.by_table.items()
        )
        return [(table, rows) for table, rows in made if rows]


def scopes(district: str, site_type: str) -> tuple[tuple[str, str], ...]:
    """Return the scopes, by kind and name, of a machine that stands in such a place."""
    return (_FLEET, (_DISTRICT, district), (_SITE_TYPE, site_type))


def add_facts(sums: Sums, facts: Iterable[SaleFact]) -> None:
    """Add the facts up, for their machines and scopes."""
    for fact in facts:
        day = (fact.d, fact.product, fact.currency)
        hour = (fact.d, fact.local_hour, fact.currency)
        of_day = (
            fact.units,
            fact.sales_minor,
            fact.discount_minor,
            -fact.sales_minor if fact.kind == _GOODWILL else 0,
            fact.sales_minor if fact.kind == _WRITE_OFF else 0,
        )
        of_hour, of_offer = of_day[:2], of_day[:3]
        sums.add(sales_days, (fact.machine_id, *day), of_day)
        sums.add(sales_hours, (fact.machine_id, *hour), of_hour)
        for scope in scopes(fact.district, fact.site_type):
            sums.add(scope_days, (*scope, *day), of_day)
            sums.add(scope_hours, (*scope, *hour), of_hour)
        if fact.offer:
            offer = (fact.d, fact.offer, fact.currency)
            sums.add(offer_days, (fact.machine_id, *offer), of_offer)
            for scope in scopes(fact.district, fact.site_type):
                sums.add(scope_offers, (*scope, *offer), of_offer)


def save(connection: Connection, rows: Iterable[tuple[Table, Sequence[Row]]]) -> None:
    """Add rows of sums to their tables (``Sums.rows``)."""
    for table, those in rows:
        _adding(connection.dialect, table).run(connection, those)


def save_facts(connection: Connection, facts: Sequence[SaleFact], known: Collection[str]) -> None:
    """Insert facts. That of a payer who is not ``known`` any more is nobody's."""
    rows = (
        one if one.payer_id in known else msgspec.structs.replace(one, payer_id="") for one in facts
    )
    _inserting(connection.dialect).run(connection, [msgspec.structs.astuple(one) for one in rows])


@lru_cache(maxsize=8)
def _inserting(dialect: Dialect) -> Prepared:
    return Prepared(insert(sale_facts), SaleFact.__struct_fields__, dialect)


@lru_cache(maxsize=64)
def _adding(dialect: Dialect, table: Table) -> Prepared:
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in keys]
    adding = dialects.add_up(dialect.name, table, keys, others)
    return Prepared(adding, [column.name for column in table.columns], dialect)
