"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    _owners()
    _registry()
    _machines()
    _stays()
    _money()
    _inbox()


def downgrade() -> None:
    """Drop all tables, and all that is in them."""
    for table in (
        "inbox",
        "refunds",
        "trades",
        "vends",
        "sessions",
        "ledger_entries",
        "journal",
        "machine_states",
        "audit",
        "planogram_columns",
        "machines",
        "partitions",
        "installation",
    ):
        op.drop_table(table)


def _owners() -> None:
    """The installation and who owns its partitions."""
    op.create_table(
        "installation",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("partition_count", sa.Integer(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("installation_is_single")),
        sa.CheckConstraint("partition_count > 0", name=op.f("installation_has_partitions")),
        sa.PrimaryKeyConstraint("id", name="installation_key"),
    )
    op.create_table(
        "partitions",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("holder", sa.String(length=128), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("epoch >= 0", name=op.f("partitions_epoch_grows")),
        sa.PrimaryKeyConstraint("partition", name="partitions_key"),
    )


def _registry() -> None:
    """What administrators decide."""
    op.create_table(
        "machines",
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("store_name", sa.String(length=64), nullable=False),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("notify_token", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("mode", sa.String(length=32), nullable=False),
        sa.Column("planogram_version", sa.BigInteger(), nullable=False),
        sa.Column("registered_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("overrides", sa.JSON(), nullable=False),
        sa.CheckConstraint("planogram_version >= 0", name=op.f("machines_planogram_grows")),
        sa.CheckConstraint("revision > 0", name=op.f("machines_revision_grows")),
        sa.ForeignKeyConstraint(
            ["partition"], ["partitions.partition"], name="machines_of_partitions"
        ),
        sa.PrimaryKeyConstraint("machine_id", name="machines_key"),
        sa.UniqueConstraint("notify_token", name="machines_one_notify_token"),
    )
    op.create_index(
        "machines_by_partition_machine_id_revision",
        "machines",
        ["partition", "machine_id", "revision"],
    )
    op.create_table(
        "planogram_columns",
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("column", sa.String(length=16), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("product", sa.String(length=64), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("stock", sa.Integer(), nullable=False),
        sa.CheckConstraint("capacity > 0", name=op.f("planogram_columns_has_capacity")),
        sa.CheckConstraint("price_minor > 0", name=op.f("planogram_columns_has_price")),
        sa.CheckConstraint(
            "stock >= 0 AND stock <= capacity", name=op.f("planogram_columns_stock_fits")
        ),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="planogram_columns_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", "column", name="planogram_columns_key"),
    )
    op.create_table(
        "audit",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=160), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_key"),
    )
    op.create_index("audit_by_machine_id_id", "audit", ["machine_id", "id"])


def _machines() -> None:
    """What each machine's owner writes with every decision."""
    op.create_table(
        "machine_states",
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("phase", sa.String(length=32), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("machine_states_version_grows")),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="machine_states_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", name="machine_states_key"),
    )
    op.create_table(
        "journal",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=True),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("effects", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="journal_of_machines"
        ),
        sa.PrimaryKeyConstraint("id", name="journal_key"),
        sa.UniqueConstraint("machine_id", "version", name="journal_one_machine_id_version"),
    )
    op.create_index("journal_by_session_id_id", "journal", ["session_id", "id"])
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
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("reference", sa.String(length=128), nullable=False),
        sa.Column("trade_id", sa.String(length=64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ledger_entries_moves_money")),
        sa.PrimaryKeyConstraint("id", name="ledger_entries_key"),
        sa.UniqueConstraint(
            "kind",
            "cause",
            "account",
            "reference",
            name="ledger_entries_one_kind_cause_account_reference",
        ),
        sa.UniqueConstraint(
            "machine_id", "version", "line", name="ledger_entries_one_machine_id_version_line"
        ),
    )


def _stays() -> None:
    """Sessions and vends."""
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("mode", sa.String(length=32), nullable=False),
        sa.Column("end_reason", sa.String(length=32), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("payer", sa.String(length=128), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("status IN ('OPEN', 'ENDED')", name=op.f("sessions_status_known")),
        sa.PrimaryKeyConstraint("session_id", name="sessions_key"),
    )
    op.create_index(
        "sessions_by_machine_id_started_at_ms_session_id",
        "sessions",
        ["machine_id", "started_at_ms", "session_id"],
    )
    op.create_index(
        "sessions_by_started_at_ms_session_id", "sessions", ["started_at_ms", "session_id"]
    )
    op.create_index(
        "sessions_by_status_started_at_ms_session_id",
        "sessions",
        ["status", "started_at_ms", "session_id"],
    )
    op.create_table(
        "vends",
        sa.Column("vend_id", sa.String(length=64), nullable=False),
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("column", sa.String(length=16), nullable=False),
        sa.Column("product", sa.String(length=64), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.CheckConstraint("price_minor >= 0", name=op.f("vends_price_positive")),
        sa.PrimaryKeyConstraint("vend_id", name="vends_key"),
    )
    op.create_index(
        "vends_by_machine_id_requested_at_ms_vend_id",
        "vends",
        ["machine_id", "requested_at_ms", "vend_id"],
    )
    op.create_index("vends_by_requested_at_ms_vend_id", "vends", ["requested_at_ms", "vend_id"])
    op.create_index(
        "vends_by_session_id_requested_at_ms_vend_id",
        "vends",
        ["session_id", "requested_at_ms", "vend_id"],
    )
    op.create_index(
        "vends_by_status_requested_at_ms_vend_id", "vends", ["status", "requested_at_ms", "vend_id"]
    )


def _money() -> None:
    """Trades and refunds."""
    op.create_table(
        "trades",
        sa.Column("trade_id", sa.String(length=64), nullable=False),
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=True),
        sa.Column("partner_trans_id", sa.String(length=64), nullable=False),
        sa.Column("payer", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("sold_minor", sa.BigInteger(), nullable=False),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=False),
        sa.Column("written_off_minor", sa.BigInteger(), nullable=False),
        sa.Column("held_minor", sa.BigInteger(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("status IN ('OPEN', 'CLOSED')", name=op.f("trades_status_known")),
        sa.CheckConstraint(
            "paid_minor = sold_minor + refunded_minor + written_off_minor + held_minor",
            name=op.f("trades_adds_up"),
        ),
        sa.CheckConstraint(
            (
                "sold_minor >= 0 AND refunded_minor >= 0 AND written_off_minor >= 0 AND held_minor "
                ">= 0"
            ),
            name=op.f("trades_amounts_positive"),
        ),
        sa.PrimaryKeyConstraint("trade_id", name="trades_key"),
    )
    op.create_index(
        "trades_by_machine_id_received_at_ms_trade_id",
        "trades",
        ["machine_id", "received_at_ms", "trade_id"],
    )
    op.create_index("trades_by_received_at_ms_trade_id", "trades", ["received_at_ms", "trade_id"])
    op.create_index(
        "trades_by_session_id_received_at_ms_trade_id",
        "trades",
        ["session_id", "received_at_ms", "trade_id"],
    )
    op.create_index(
        "trades_by_status_received_at_ms_trade_id",
        "trades",
        ["status", "received_at_ms", "trade_id"],
    )
    op.create_table(
        "refunds",
        sa.Column("refund_id", sa.String(length=64), nullable=False),
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("trade_id", sa.String(length=64), nullable=False),
        sa.Column("partner_trans_id", sa.String(length=64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("refunds_amount_positive")),
        sa.PrimaryKeyConstraint("refund_id", name="refunds_key"),
    )
    op.create_index("refunds_by_due_at_ms_refund_id", "refunds", ["due_at_ms", "refund_id"])
    op.create_index(
        "refunds_by_machine_id_due_at_ms_refund_id",
        "refunds",
        ["machine_id", "due_at_ms", "refund_id"],
    )
    op.create_index(
        "refunds_by_status_due_at_ms_refund_id", "refunds", ["status", "due_at_ms", "refund_id"]
    )
    op.create_index(
        "refunds_by_trade_id_due_at_ms_refund_id", "refunds", ["trade_id", "due_at_ms", "refund_id"]
    )


def _inbox() -> None:
    """Notifications."""
    op.create_table(
        "inbox",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("machine_id", sa.String(length=32), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("trade_id", sa.String(length=64), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("taken_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("taken_version", sa.BigInteger(), nullable=True),
        sa.Column("event", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="inbox_key"),
        sa.UniqueConstraint("cause", name="inbox_one_cause"),
    )
    op.create_index("inbox_by_trade_id", "inbox", ["trade_id"])
    untaken = sa.text("taken_at_ms IS NULL")
    op.create_index(
        "inbox_untaken",
        "inbox",
        ["received_at_ms", "id"],
        sqlite_where=untaken,
        postgresql_where=untaken,
    )
    conflict = sa.text("cause LIKE 'conflict:%'")
    op.create_index(
        "inbox_conflicts",
        "inbox",
        ["received_at_ms", "id"],
        sqlite_where=conflict,
        postgresql_where=conflict,
    )
