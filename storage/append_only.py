"""Tables whose rows are written once: the database itself refuses to change or to delete them,
whoever asks. Of the journal and the transfers it lets go what is archived: lines up to where
``starts`` says that the books of their machine begin.

The triggers are made with a table of ``storage.tables``. The migrations make the same where the
table is there already.
"""

from sqlalchemy import DDL, Table, event

FUNCTION = "refuse_a_change"
"""What PostgreSQL's triggers call. SQLite's say the same by themselves."""
BUT_ARCHIVED = "refuse_a_change_but_archived"
"""The same for a table that archived rows may leave."""
SENTENCE = "is append-only: its rows are never changed or deleted"
_ARCHIVED = (
    "EXISTS (SELECT 1 FROM starts"
    " WHERE starts.machine_id = OLD.machine_id AND starts.version >= OLD.version)"
)


def refuse_changes(table: Table, *, but_archived: bool = False) -> None:
    """Let the table refuse UPDATE and DELETE, on PostgreSQL also TRUNCATE, wherever it is made.
    With ``but_archived`` it lets archived lines be deleted.
    """
    for dialect, statements in (
        ("sqlite", _on_sqlite(table.name, but_archived)),
        ("postgresql", _on_postgresql(table.name, but_archived)),
    ):
        for statement in statements:
            # % doubled, because DDL fills in names by it.
            ddl = DDL(statement.replace("%", "%%")).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
            event.listen(table, "after_create", ddl)


def _on_sqlite(table: str, but_archived: bool) -> list[str]:
    when = {"UPDATE": "", "DELETE": f" WHEN NOT {_ARCHIVED}" if but_archived else ""}
    return [
        (
            f"CREATE TRIGGER {table}_refuses_{what.lower()} BEFORE {what} ON {table}{when[what]} "
            f"BEGIN SELECT RAISE(ABORT, '{table} {SENTENCE}'); END"
        )
        for what in ("UPDATE", "DELETE")
    ]


def _on_postgresql(table: str, but_archived: bool) -> list[str]:
    # An error of class 23, like that of every constraint.
    says = (
        f"RAISE EXCEPTION '% {SENTENCE}', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END"
    )
    let_go = f"IF TG_OP = 'DELETE' AND {_ARCHIVED} THEN RETURN OLD; END IF;"
    function = BUT_ARCHIVED if but_archived else FUNCTION
    return [
        (
            f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {says} $$"
        ),
        (
            f"CREATE OR REPLACE FUNCTION {BUT_ARCHIVED}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {let_go} {says} $$"
        ),
        (
            f"CREATE TRIGGER {table}_refuses_changes BEFORE UPDATE OR DELETE ON {table} FOR EACH "
            f"ROW EXECUTE FUNCTION {function}()"
        ),
        (
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} FOR EACH "
            f"STATEMENT EXECUTE FUNCTION {FUNCTION}()"
        ),
    ]
