"""aiosqlite under SQLAlchemy, with one hop to its thread for each statement.

SQLAlchemy's own adapter hops four times: it opens a cursor, executes, fetches and closes. Here all
of it is one function that the connection's thread runs, and the first one of a transaction begins
it. So a read of one statement takes two hops, the second of which rolls it back, where it took six;
most of a small read was hops.

Flows in: what the dialect was told to connect to. Flows out: a connection that the dialect takes
for its adapter's. Its rows are all fetched at once, as the adapter's were. It is for reading: it
tells no row ids and no counts.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
)
from sqlalchemy.util import await_


class OneHopCursor(AsyncAdapt_aiosqlite_cursor):
    """Executes a statement and fetches its rows in one hop; there is no cursor to open or to
    close.
    """

    __slots__ = ("_told",)

    def __init__(self, adapt_connection: Any) -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection  # noqa: SLF001 - as the adapter's own cursors do
        self._rows = deque()
        self._told: Any = None

    @property
    def description(self) -> Any:
        """What the columns are called, as the driver tells it."""
        return self._told

    @property
    def rowcount(self) -> int:
        """Of a statement that reads, nothing is known."""
        return -1

    def execute(self, operation: Any, parameters: Any = None) -> Any:
        """Run it on the connection's thread."""
        adapted: Any = self._adapt_connection
        driver: Any = self._connection

        def whole() -> tuple[Any, Sequence[Any]]:
            raw = driver._conn  # noqa: SLF001 - the same
            adapted.begin_if_wanted(raw)
            cursor = raw.execute(operation, parameters or ())
            try:
                return cursor.description, cursor.fetchall()
            finally:
                cursor.close()

        try:
            # aiosqlite runs whatever it is given; only its own functions are public.
            self._told, rows = await_(driver._execute(whole))  # noqa: SLF001
        except Exception as error:  # noqa: BLE001 - the adapter knows which it translates
            adapted._handle_exception(error)  # noqa: SLF001
        else:
            self._rows = deque(rows)

    async def _async_soft_close(self) -> None:
        """It is closed."""

    def close(self) -> None:
        """Forget the rows; nothing else is open."""
        self._rows.clear()


class OneHopConnection(AsyncAdapt_aiosqlite_connection):
    """A connection whose transaction begins with its first statement, on the same hop."""

    __slots__ = ("_begin",)
    _cursor_cls = OneHopCursor

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self._begin = False

    def begin(self) -> None:
        """Let the next statement begin a transaction first."""
        self._begin = True

    def begin_if_wanted(self, raw: Any) -> None:
        """Begin it, on the connection's thread."""
        if self._begin:
            raw.execute("BEGIN DEFERRED").close()
            self._begin = False


def one_hop(dialect: Any, _record: object, arguments: Any, named: Any) -> OneHopConnection:
    """Connect as the dialect does: for SQLAlchemy's event ``do_connect``."""
    adapted = dialect.connect(*arguments, **named)
    return OneHopConnection(adapted.dbapi, adapted._connection)  # noqa: SLF001 - takes its place


def begin(connection: Connection) -> None:
    """Begin a transaction: for SQLAlchemy's event ``begin``."""
    adapted: Any = connection.connection.dbapi_connection
    assert isinstance(adapted, OneHopConnection), "it is open, and ``one_hop`` made it"
    adapted.begin()
