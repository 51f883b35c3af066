"""Statements that are compiled once for each dialect and run with rows as plain tuples.

Core's own path binds each value of each row by name and type; for the rows of a batch that costs
several times what the database does. Here the types have nothing to do: integers, booleans and
texts are what both drivers take.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Insert, Select, Update, bindparam

from storage.database import dialects, driving

Row = tuple[Any, ...]


class Prepared:
    """One statement, to be run for many rows. Each row's values stand in the order of ``names``."""

    def __init__(self, statement: Insert | Update, names: Sequence[str], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(names))
        self._sql = str(compiled)
        order = list(getattr(compiled, "positiontup", None) or names)
        assert sorted(order) == sorted(names), f"{order} are not {list(names)}"
        self._arrange = (
            None
            if order == list(names)
            else itemgetter(*(list(names).index(name) for name in order))
        )

    def run(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Run the statement for all rows, if there are any."""
        arranged = rows if self._arrange is None else [self._arrange(row) for row in rows]
        driving.execute_each(connection, self._sql, arranged)


class RowsAmong:
    """A SELECT of the rows in which a column is among some values.

    SQLite is asked with as many values as the next power of two, the last one repeated: so there
    are few texts, and the driver keeps each of them prepared.
    """

    def __init__(self, wanted: Select[Any], column: Column[Any], dialect: Dialect) -> None:
        self._wanted = wanted
        self._column = column
        self._dialect = dialect
        self._any = wanted.where(column.in_(bindparam("asked", expanding=True)))
        self._known: dict[int, str] = {}

    def run(self, connection: Connection, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Return the rows. There must be a value."""
        if self._dialect.name != dialects.SQLITE:
            return connection.execute(self._any, {"asked": list(values)}).all()
        count = 1 << (len(values) - 1).bit_length()
        if count not in self._known:
            self._known[count] = self._for(count)
        last = values[-1]
        asked = (*values, *(last for _ in range(count - len(values))))
        return driving.fetch(connection, self._known[count], asked)

    def _for(self, count: int) -> str:
        among = self._column.in_([bindparam(f"asked_{place}") for place in range(count)])
        return str(self._wanted.where(among).compile(dialect=self._dialect))
