"""Tables whose rows are written once: the database itself refuses to change or to delete them,
whoever asks.

The triggers are made with a table of ``storage.tables``. The migrations make the same where the
table is there already.
"""

from sqlalchemy import DDL, Table, event

FUNCTION = "refuse_a_change"
"""What PostgreSQL's triggers call. SQLite's say the same by themselves."""
SENTENCE = "is append-only: its rows are never changed or deleted"


def refuse_changes(table: Table) -> None:
    """Let the table refuse UPDATE and DELETE, on PostgreSQL also TRUNCATE, wherever it is made."""
    for dialect, statements in (
        ("sqlite", _on_sqlite(table.name)),
        ("postgresql", _on_postgresql(table.name)),
    ):
        for statement in statements:
            # % doubled, because DDL fills in names by it.
            ddl = DDL(statement.replace("%", "%%")).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
            event.listen(table, "after_create", ddl)


def _on_sqlite(table: str) -> list[str]:
    return [
        (
            f"CREATE TRIGGER {table}_refuses_{what.lower()} BEFORE {what} ON {table} BEGIN SELECT "
            f"RAISE(ABORT, '{table} {SENTENCE}'); END"
        )
        for what in ("UPDATE", "DELETE")
    ]


def _on_postgresql(table: str) -> list[str]:
    # An error of class 23, like that of every constraint.
    says = (
        f"$$ BEGIN RAISE EXCEPTION '% {SENTENCE}', TG_TABLE_NAME USING ERRCODE = "
        "'restrict_violation'; END $$"
    )
    return [
        f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS {says}",
        (
            f"CREATE TRIGGER {table}_refuses_changes BEFORE UPDATE OR DELETE ON {table} FOR EACH "
            f"ROW EXECUTE FUNCTION {FUNCTION}()"
        ),
        (
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} FOR EACH "
            f"STATEMENT EXECUTE FUNCTION {FUNCTION}()"
        ),
    ]
