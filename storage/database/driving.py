"""Statements of the path that every sale takes, run on SQLite's own connection.

``Connection.exec_driver_sql`` makes a context, a cursor and a result of its own for each statement:
12 to 17 us of processor, where SQLite itself takes 2 to 5 for one row, and a commit has a dozen
statements. Here the driver is told directly, inside the transaction that SQLAlchemy has begun; it
keeps the statements prepared by their texts, so a text is one of few. What it raises is raised as
SQLAlchemy raises it, so that nobody else sees a difference. On PostgreSQL, where a commit is three
statements and each is a round trip, SQLAlchemy tells the driver, whatever is run here.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from storage.database import dialects

Values = tuple[Any, ...]


def execute(connection: Connection, sql: str) -> None:
    """Run a statement of which nothing is wanted."""
    try:
        _driver(connection).execute(sql).close()
    except sqlite3.Error as error:
        raise _as_sqlalchemy(error, connection, sql) from error


def execute_each(connection: Connection, sql: str, rows: Sequence[Values]) -> None:
    """Run a statement for each row. Without rows the database is asked nothing."""
    if not rows:
        return
    if connection.dialect.name != dialects.SQLITE:
        connection.exec_driver_sql(sql, list(rows))
        return
    try:
        _driver(connection).executemany(sql, rows).close()
    except sqlite3.Error as error:
        raise _as_sqlalchemy(error, connection, sql) from error


def fetch(connection: Connection, sql: str, values: Values) -> Sequence[Values]:
    """Return the rows that a statement finds, each as its values in their order."""
    try:
        return _driver(connection).execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise _as_sqlalchemy(error, connection, sql) from error


def _driver(connection: Connection) -> sqlite3.Connection:
    driver: Any = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection), "the one that writes is synchronous"
    return driver


def _as_sqlalchemy(error: sqlite3.Error, connection: Connection, sql: str) -> BaseException:
    return DBAPIError.instance(
        sql, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
    )
