"""The few places where SQLite and PostgreSQL differ; everything else is written once."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Insert,
    Table,
    Text,
    case,
    column,
    delete,
    false,
    func,
    literal,
    select,
    text,
    values,
)
from sqlalchemy.dialects import postgresql, sqlite

SQLITE = "sqlite"
POSTGRESQL = "postgresql"

UPGRADE_LOCK = 0x76656E64
OFFICE_LOCK = 0x76656E65
"""Names of advisory locks on PostgreSQL, the same in every process of an installation."""


def upsert(
    dialect_name: str, table: Table, key: str, changing: Sequence[str], *, owned_by: str = ""
) -> Insert:
    """Return an insert of whole rows that overwrites the columns ``changing`` where the row with
    the same ``key`` exists.

    The other columns keep their first value; naming them all would make SQLite write every index
    again. With ``owned_by``, a row that differs in that column is another's: the statement breaks
    on it, because ``changing[0]``, which may not be null, becomes null.
    """
    insert = _insert(dialect_name, table)
    values: dict[str, ColumnElement[Any]] = {name: insert.excluded[name] for name in changing}
    if owned_by:
        first = changing[0]
        values[first] = case(
            (table.c[owned_by] == insert.excluded[owned_by], insert.excluded[first])
        )
    return insert.on_conflict_do_update(index_elements=[key], set_=values)


def add_up(dialect_name: str, table: Table, keys: Sequence[str], adding: Sequence[str]) -> Insert:
    """Return an insert of whole rows that adds the columns ``adding`` to those of the row with the
    same ``keys``, if it exists.
    """
    insert = _insert(dialect_name, table)
    values = {name: table.c[name] + insert.excluded[name] for name in adding}
    return insert.on_conflict_do_update(index_elements=list(keys), set_=values)


def insert_or_ignore(dialect_name: str, table: Table, keys: Sequence[str]) -> Insert:
    """Return an insert that does nothing when the row with the same ``keys`` exists."""
    return _insert(dialect_name, table).on_conflict_do_nothing(index_elements=list(keys))


def empty(connection: Connection, table: Table) -> None:
    """Delete all rows of a table that no other one refers to, without reading them."""
    truncates = connection.dialect.name == POSTGRESQL
    connection.execute(text(f"TRUNCATE {table.name}") if truncates else delete(table))


def each_of(dialect_name: str, texts: Sequence[str]) -> FromClause:
    """Return a table ``asked`` of one column ``key`` with these texts, some hundreds of them.

    A long list (``IN``) is planned once on PostgreSQL, perhaps while its table is empty, and each
    row compared with each text then. What is joined is hashed, or looked up in an index; there it
    is one parameter. SQLite looks each of a list up, and plans it each time; its ``json_each``
    stays away from a connection that writes (docs/performance.md).
    """
    if dialect_name == SQLITE:
        if not texts:
            return select(literal("", Text).label("key")).where(false()).cte("asked")
        return (
            values(column("key", Text), name="asked").data([(one,) for one in texts]).cte("asked")
        )
    kept_there = literal(list(texts), postgresql.ARRAY(Text))
    each = func.unnest(kept_there).table_valued(column("key", Text), name="each").render_derived()
    return select(each.c.key).cte("asked")


def comma_separated(
    dialect_name: str, values: Sequence[tuple[ColumnElement[Any], bool]]
) -> ColumnElement[str]:
    """Return whole numbers and texts (True: it is a text, and is quoted) as one line of
    comma-separated text. The database writes it with one function: put together value by value it
    would take more time than all else that is done with the line.
    """
    if dialect_name == SQLITE:
        form = ",".join('"%w"' if is_text else "%d" for _, is_text in values)
        return func.printf(form, *(value for value, _ in values), type_=Text)
    parts = (
        literal('"') + func.replace(value, '"', '""', type_=Text) + literal('"')
        if is_text
        else value
        for value, is_text in values
    )
    return func.concat_ws(",", *parts, type_=Text)


def lines_of_text(dialect_name: str, line: ColumnElement[str]) -> ColumnElement[str]:
    """Return all rows' lines as one text, parted by ends of lines, in whatever order."""
    aggregated = func.group_concat if dialect_name == SQLITE else func.string_agg
    return aggregated(line, literal("\n"), type_=Text)


def by_characters(dialect_name: str, of: ColumnElement[str]) -> ColumnElement[str]:
    """Return what puts texts in the order in which Python has them, whatever the language of the
    database.
    """
    return of.collate("C") if dialect_name == POSTGRESQL else of


def upgrade_alone(connection: Connection) -> None:
    """Let no other upgrade run until the end of the transaction. SQLite has one writer at a time
    anyway.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))


def office_alone(connection: Connection) -> None:
    """Let nobody else change what may be true only once in an installation (the tree of districts,
    which must have no circle; that one import runs) until the end of the transaction.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(select(func.pg_advisory_xact_lock(OFFICE_LOCK)))


def _insert(dialect_name: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    if dialect_name == SQLITE:
        return sqlite.insert(table)
    if dialect_name == POSTGRESQL:
        return postgresql.insert(table)
    raise ValueError(f"No upsert is known for {dialect_name}: use SQLite or PostgreSQL.")
