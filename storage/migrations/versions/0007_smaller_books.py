"""Smaller books: what a purchase writes, in fewer bytes. Lists' indexes hold no ids; a transfer's
row holds only what does not follow from the rest, and the view ``transfers`` says all of it.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


LISTS = (
    ("sessions", "started_at_ms", "session_id", ("", "machine_id")),
    ("vends", "requested_at_ms", "vend_id", ("", "machine_id", "session_id")),
    ("trades", "received_at_ms", "trade_id", ("", "machine_id", "session_id")),
    ("refunds", "due_at_ms", "refund_id", ("", "machine_id", "trade_id")),
    ("machine_alarms", "since_at_ms", "alarm_id", ("", "machine_id")),
)
"""Each table with its time, its key, and what its lists are of."""
FUNDS, RESERVED, DUE = "CUSTOMER_FUNDS", "RESERVED", "REFUND_DUE"
KINDS = {
    "TOP_UP": (1, "RECEIVABLE", FUNDS),
    "RESERVE": (2, FUNDS, RESERVED),
    "RETURN": (3, RESERVED, FUNDS),
    "SETTLE": (4, RESERVED, "SALES"),
    "GOODWILL": (5, "SALES", FUNDS),
    "REFUND_ASKED": (6, FUNDS, DUE),
    "REFUND_CONFIRMED": (7, DUE, "RECEIVABLE"),
    "REFUND_GIVEN_UP": (8, DUE, "REFUNDS_WRITTEN_OFF"),
    "WRITE_OFF": (9, "GOODS_WRITTEN_OFF", "SALES"),
}
"""Each kind of transfer with its number and the accounts that it debits and credits."""
COLUMNS = (
    "machine_id, version, line, at_ms, kind, cause, debit_account, debit_reference, "
    "credit_account, credit_reference, trade_id, amount_minor, currency"
)
KEPT = (
    "machine_id, version, line, at_ms, amount_minor, kind, trade_from, trade_length, cause, "
    "currency, trade_id, debit_account, debit_reference, credit_account, credit_reference"
)
ARCHIVED = (
    "EXISTS (SELECT 1 FROM starts"
    " WHERE starts.machine_id = OLD.machine_id AND starts.version >= OLD.version)"
)
SENTENCE = "is append-only: its rows are never changed or deleted"
AT_ONCE = 1_000
VIEW = (
    "CREATE VIEW transfers AS SELECT machine_id, version, line, at_ms, CASE WHEN kind IN (1) "
    "THEN 'TOP_UP' WHEN kind IN (2) THEN 'RESERVE' WHEN kind IN (3) THEN 'RETURN' WHEN kind "
    "IN (4) THEN 'SETTLE' WHEN kind IN (5) THEN 'GOODWILL' WHEN kind IN (6) THEN "
    "'REFUND_ASKED' WHEN kind IN (7) THEN 'REFUND_CONFIRMED' WHEN kind IN (8) THEN "
    "'REFUND_GIVEN_UP' WHEN kind IN (9) THEN 'WRITE_OFF' END AS kind, cause, "
    "COALESCE(debit_account, CASE WHEN kind IN (1) THEN 'RECEIVABLE' WHEN kind IN (2, 6) THEN "
    "'CUSTOMER_FUNDS' WHEN kind IN (3, 4) THEN 'RESERVED' WHEN kind IN (5) THEN 'SALES' WHEN "
    "kind IN (7, 8) THEN 'REFUND_DUE' WHEN kind IN (9) THEN 'GOODS_WRITTEN_OFF' END) AS "
    "debit_account, COALESCE(debit_reference, CASE WHEN kind IN (1, 5, 9) THEN '' WHEN kind "
    "IN (2, 6) THEN COALESCE(trade_id, substr(cause, trade_from, trade_length)) WHEN kind IN "
    "(3, 4) THEN substr(cause, 1, abs(trade_from - 2)) WHEN kind IN (7, 8) THEN cause END) AS "
    "debit_reference, COALESCE(credit_account, CASE WHEN kind IN (1, 3, 5) THEN "
    "'CUSTOMER_FUNDS' WHEN kind IN (2) THEN 'RESERVED' WHEN kind IN (4, 9) THEN 'SALES' WHEN "
    "kind IN (6) THEN 'REFUND_DUE' WHEN kind IN (7) THEN 'RECEIVABLE' WHEN kind IN (8) THEN "
    "'REFUNDS_WRITTEN_OFF' END) AS credit_account, COALESCE(credit_reference, CASE WHEN kind "
    "IN (1, 3, 5) THEN COALESCE(trade_id, substr(cause, trade_from, trade_length)) WHEN kind "
    "IN (2) THEN substr(cause, 1, abs(trade_from - 2)) WHEN kind IN (4, 7, 8, 9) THEN '' WHEN "
    "kind IN (6) THEN cause END) AS credit_reference, COALESCE(trade_id, substr(cause, "
    "trade_from, trade_length)) AS trade_id, amount_minor, currency FROM kept_transfers"
)


def upgrade() -> None:
    """Carry the transfers over, word for word, and make the indexes anew."""
    _lists(with_key=False)
    op.create_table(
        "kept_transfers",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("trade_from", sa.SmallInteger()),
        sa.Column("trade_length", sa.SmallInteger()),
        sa.Column("cause", sa.String(200), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("trade_id", sa.String(64)),
        sa.Column("debit_account", sa.String(32)),
        sa.Column("debit_reference", sa.String(128)),
        sa.Column("credit_account", sa.String(32)),
        sa.Column("credit_reference", sa.String(128)),
        sa.CheckConstraint("amount_minor > 0", name=op.f("kept_transfers_moves_money")),
        sa.PrimaryKeyConstraint("machine_id", "version", "line", name="kept_transfers_key"),
        sa.UniqueConstraint("cause", "kind", name="kept_transfers_one_cause_kind"),
    )
    _carry()
    op.drop_table("transfers")
    op.execute(VIEW)
    _refuse_changes("kept_transfers")


def downgrade() -> None:
    """Say all of a transfer in its row again."""
    _lists(with_key=True)
    op.execute("DROP VIEW transfers")
    op.execute(VIEW.replace("VIEW transfers", "VIEW said_transfers"))
    op.create_table(
        "transfers",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("cause", sa.String(200), nullable=False),
        sa.Column("debit_account", sa.String(32), nullable=False),
        sa.Column("debit_reference", sa.String(128), nullable=False),
        sa.Column("credit_account", sa.String(32), nullable=False),
        sa.Column("credit_reference", sa.String(128), nullable=False),
        sa.Column("trade_id", sa.String(64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("transfers_moves_money")),
        sa.PrimaryKeyConstraint("machine_id", "version", "line", name="transfers_key"),
        sa.UniqueConstraint("kind", "cause", name="transfers_one_kind_cause"),
    )
    op.execute(f"INSERT INTO transfers ({COLUMNS}) SELECT {COLUMNS} FROM said_transfers")  # noqa: S608 - our own words
    op.execute("DROP VIEW said_transfers")
    op.drop_table("kept_transfers")
    _refuse_changes("transfers")


def _lists(*, with_key: bool) -> None:
    for table, at, key, owners in LISTS:
        for owner in owners:
            short = [owner, at] if owner else [at]
            old, new = ([short, [*short, key]])[:: 1 if with_key else -1]
            op.drop_index(f"{table}_by_{'_'.join(old)}", table)
            op.create_index(f"{table}_by_{'_'.join(new)}", table, new)
    if with_key:
        op.drop_index("journal_by_session_id", "journal")
        op.create_index("journal_by_session_id_id", "journal", ["session_id", "id"])
    else:
        op.drop_index("journal_by_session_id_id", "journal")
        op.create_index("journal_by_session_id", "journal", ["session_id"])


def _carry() -> None:
    """Write each transfer in the new form, a page at a time: a ledger is larger than a memory."""
    there = op.get_bind()
    page = sa.text(
        f"SELECT {COLUMNS} FROM transfers "  # noqa: S608 - our own words
        "WHERE (machine_id, version, line) > (:machine_id, :version, :line) "
        "ORDER BY machine_id, version, line LIMIT :most"
    ).bindparams(
        sa.bindparam("version", type_=sa.BigInteger),
        sa.bindparam("line", type_=sa.Integer),
        sa.bindparam("most", AT_ONCE, type_=sa.Integer),
    )
    names = KEPT.split(", ")
    insert = sa.text(
        f"INSERT INTO kept_transfers ({KEPT}) VALUES ({', '.join(f':{name}' for name in names)})"  # noqa: S608 - our own words
    )
    after: tuple[Any, ...] = ("", 0, 0)
    while rows := there.execute(page, dict(zip(names, after, strict=False))).all():
        there.execute(insert, [dict(zip(names, _kept(row), strict=True)) for row in rows])
        after = tuple(rows[-1][:3])


def _kept(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return the row of ``kept_transfers``: NULL where the kind and the cause tell it."""
    machine_id, version, line, at_ms, kind, cause = row[:6]
    trade_id, amount_minor, currency = row[10:]
    place = cause.rfind(trade_id)
    named = place >= 0
    number, debit, credit = KINDS[kind]
    return (
        *(machine_id, version, line, at_ms, amount_minor, number),
        place + 1 if named else None,
        len(trade_id) if named else None,
        *(cause, currency, None if named else trade_id),
        None if row[6] == debit else row[6],
        None if row[7] == _of(debit, cause, trade_id, place) else row[7],
        None if row[8] == credit else row[8],
        None if row[9] == _of(credit, cause, trade_id, place) else row[9],
    )


def _of(account: str, cause: str, trade_id: str, place: int) -> str | None:
    if account == FUNDS:
        return trade_id
    if account == RESERVED:
        return cause[: abs(place - 1)] if place >= 0 else None
    return cause if account == DUE else ""


def _refuse_changes(table: str) -> None:
    """Make what ``storage.append_only`` makes with the table."""
    if op.get_bind().dialect.name == "sqlite":
        for what, when in (("UPDATE", ""), ("DELETE", f" WHEN NOT {ARCHIVED}")):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{what.lower()} BEFORE {what} ON {table}{when} "
                f"BEGIN SELECT RAISE(ABORT, '{table} {SENTENCE}'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_refuses_changes BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
        "EXECUTE FUNCTION refuse_a_change_but_archived()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_a_change()"
    )
