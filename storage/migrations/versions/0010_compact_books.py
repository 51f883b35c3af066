"""The books in their final form. No database with money in it has another one.

One row for each transfer, with both its accounts; a journal without the words for what it says;
balances for each machine and day.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables anew; the old ones must be empty."""
    _refuse_if_used()
    op.drop_column("journal", "event")
    op.drop_table("ledger_entries")
    op.create_table(
        "transfers",
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("debit_account", sa.String(length=32), nullable=False),
        sa.Column("debit_reference", sa.String(length=128), nullable=False),
        sa.Column("credit_account", sa.String(length=32), nullable=False),
        sa.Column("credit_reference", sa.String(length=128), nullable=False),
        sa.Column("trade_id", sa.String(length=64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("transfers_moves_money")),
        sa.PrimaryKeyConstraint("machine_id", "version", "line", name=op.f("transfers_key")),
        sa.UniqueConstraint("kind", "cause", name=op.f("transfers_one_kind_cause")),
    )
    _refuse_changes("transfers")
    op.create_table(
        "balances",
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("debit_minor", sa.BigInteger(), nullable=False),
        sa.Column("credit_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint("debit_minor >= 0 AND credit_minor >= 0", name=op.f("balances_grows")),
        sa.PrimaryKeyConstraint("machine_id", "day", "account", name=op.f("balances_key")),
    )


def _refuse_if_used() -> None:
    if op.get_bind().scalar(sa.select(sa.func.count()).select_from(sa.table("journal"))):
        raise RuntimeError("This database was written before the books had their final form.")


def _refuse_changes(table: str) -> None:
    sentence = "is append-only: its rows are never changed or deleted"
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{what.lower()} BEFORE {what} ON {table}"
                f" BEGIN SELECT RAISE(ABORT, '{table} {sentence}'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_refuses_changes BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
        "EXECUTE FUNCTION refuse_a_change()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT "
        "EXECUTE FUNCTION refuse_a_change()"
    )


def downgrade() -> None:
    """Make the old tables again, empty."""
    op.drop_table("balances")
    op.drop_table("transfers")
    op.add_column("journal", sa.Column("event", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "ledger_entries",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="ledger_entries_key"),
    )
    _refuse_changes("ledger_entries")
