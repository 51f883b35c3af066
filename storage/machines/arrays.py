"""What a commit writes on PostgreSQL: one statement for all tables and all their rows.

Flows in: rows as plain tuples, by table. Flows out: one ``WITH`` of a part for each table that has
rows; each part takes its rows' values column by column, as arrays (``unnest``). A statement for
each table, and a message for each row, made the database wait for us a dozen times in each
transaction.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Insert,
    Integer,
    Text,
    Update,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.types import TypeEngine

Row = tuple[Any, ...]
Values = Mapping[str, ColumnElement[Any]]


class ArrayPart:
    """A statement for any number of rows, whose parameters are arrays: the values of ``columns``,
    one array for each. ``made`` gets these columns of the rows and returns the statement.
    """

    def __init__(
        self,
        columns: Mapping[str, TypeEngine[Any]],
        made: Callable[[Values], Insert | Update],
        dialect: Dialect,
    ) -> None:
        arrays = [
            cast(bindparam(f"p{place}"), ARRAY(_element(kind)))
            for place, kind in enumerate(columns.values())
        ]
        rows = func.unnest(*arrays).table_valued(*columns, name="rows").render_derived()
        values = {
            name: cast(rows.c[name], JSON) if isinstance(kind, JSON) else rows.c[name]
            for name, kind in columns.items()
        }
        compiled = made(values).compile(dialect=dialect)
        order = list(getattr(compiled, "positiontup", None) or ())
        assert order == [f"p{place}" for place in range(len(arrays))], f"{order} are not in order"
        self.sql = str(compiled)
        self.width = len(arrays)


def array_insert(statement: Insert, columns: Sequence[Column[Any]], dialect: Dialect) -> ArrayPart:
    """Return an insert of rows with these columns; what ``statement`` says about rows that are
    there holds.
    """
    names = [column.name for column in columns]
    return ArrayPart(
        {column.name: column.type for column in columns},
        lambda values: statement.from_select(names, select(*values.values())),
        dialect,
    )


class Together:
    """Runs parts as one statement. No part sees what another one writes, and nobody knows in which
    order they run.
    """

    def __init__(self, parts: Sequence[ArrayPart]) -> None:
        self._parts = parts
        self._known: dict[tuple[int, ...], str] = {}

    def run(self, connection: Connection, rows: Sequence[Sequence[Row]]) -> None:
        """Write the rows of each part, in their order; a part without rows is left out."""
        places = tuple(place for place, some in enumerate(rows) if some)
        if not places:
            return
        if places not in self._known:
            self._known[places] = self._put_together(places)
        arrays = [list(values) for place in places for values in zip(*rows[place], strict=True)]
        connection.exec_driver_sql(self._known[places], tuple(arrays))

    def _put_together(self, places: Sequence[int]) -> str:
        written, before = [], 0
        for place in places:
            part = self._parts[place]
            written.append(f"part_{place} AS ({_shifted(part.sql, before)})")
            before += part.width
        return f"WITH {', '.join(written)} SELECT 1"


def _shifted(sql: str, by: int) -> str:
    """Return the statement with its parameters counted on from those before it."""
    return re.sub(r"\$(\d+)", lambda found: f"${int(found[1]) + by}", sql)


def _element(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    for known in (Boolean, BigInteger, Integer):
        if isinstance(kind, known):
            return known()
    return Text()
