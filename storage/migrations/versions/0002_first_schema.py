"""The first schema."""

import sqlalchemy as sa
from alembic import op

# Who changes this file gives it the next number: a database made before is another one.
revision = "0002"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("journal", "transfers", "audit")
BUT_ARCHIVED = ("journal", "transfers")
ARCHIVED = (
    "EXISTS (SELECT 1 FROM starts"
    " WHERE starts.machine_id = OLD.machine_id AND starts.version >= OLD.version)"
)
POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SENTENCE = "is append-only: its rows are never changed or deleted"


def upgrade() -> None:
    """Make all tables."""
    _installation()
    _machines()
    _books()
    _records()
    _inbox()
    _people()
    _reconciliation()
    _archives()
    _refuse_changes()


def downgrade() -> None:
    """Drop all tables, and all that is in them."""
    for table in (
        *("archives", "starts", "seals"),
        *("reconciliation_differences", "reconciliation_runs", "answers", "work_item_closings"),
        *("payers", "inbox", "machine_alarms", "refunds", "trades", "vends", "sessions"),
        *("audit", "balances", "transfers", "journal"),
        *("limit_proposals", "machine_halts", "machine_states", "planogram_columns", "machines"),
        *("wrong_clocks", "holders", "layout", "partitions", "installation"),
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION refuse_a_change()")
        op.execute("DROP FUNCTION refuse_a_change_but_archived()")


def _installation() -> None:
    """The installation, its layout, and who owns its partitions."""
    op.create_table(
        "installation",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("partition_count", sa.Integer(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("audit_digest", sa.String(64), server_default=sa.text("''"), nullable=False),
        sa.Column("copied_at_ms", sa.BigInteger),
        sa.Column("copied_line", sa.BigInteger),
        sa.CheckConstraint("id = 1", name=op.f("installation_is_single")),
        sa.CheckConstraint("partition_count > 0", name=op.f("installation_has_partitions")),
        sa.PrimaryKeyConstraint("id", name="installation_key"),
    )
    op.create_table(
        "partitions",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("epoch >= 0", name=op.f("partitions_epoch_grows")),
        sa.PrimaryKeyConstraint("partition", name="partitions_key"),
    )
    op.create_table(
        "layout",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("host_count", sa.Integer(), nullable=False),
        sa.Column("set_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.String(128), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("layout_is_single")),
        sa.CheckConstraint("host_count > 0", name=op.f("layout_has_hosts")),
        sa.PrimaryKeyConstraint("id", name="layout_key"),
    )
    op.create_table(
        "holders",
        sa.Column("holder", sa.String(128), nullable=False),
        sa.Column("host", sa.String(128), nullable=False),
        sa.Column("home", sa.String(200), nullable=False),
        sa.Column("node", sa.String(128), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("lease_ms", sa.BigInteger(), nullable=False),
        sa.Column("since_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("lease_ms > 0", name=op.f("holders_has_a_lease")),
        sa.PrimaryKeyConstraint("holder", name="holders_key"),
    )
    op.create_table(
        "wrong_clocks",
        sa.Column("teller", sa.String(128), nullable=False),
        sa.Column("ahead_ms", sa.BigInteger(), nullable=False),
        sa.Column("since_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("told_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("teller", name="wrong_clocks_key"),
    )


def _machines() -> None:
    """Each machine: its registration and planogram, its state, its halt."""
    op.create_table(
        "machines",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("store_name", sa.String(64), nullable=False),
        sa.Column("country_code", sa.String(2), nullable=False),
        sa.Column("address", sa.String(200), nullable=False),
        sa.Column("notify_token", sa.String(64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("mode", sa.String(32), nullable=False),
        sa.Column("planogram_version", sa.BigInteger(), nullable=False),
        sa.Column("registered_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("overrides", sa.JSON(), nullable=False),
        sa.Column("retired_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("planogram_version >= 0", name=op.f("machines_planogram_grows")),
        sa.CheckConstraint("revision > 0", name=op.f("machines_revision_grows")),
        sa.ForeignKeyConstraint(
            ["partition"], ["partitions.partition"], name="machines_of_partitions"
        ),
        sa.PrimaryKeyConstraint("machine_id", name="machines_key"),
        sa.UniqueConstraint("notify_token", name="machines_one_notify_token"),
    )
    _index("machines", "partition", "machine_id", "revision")
    op.create_table(
        "planogram_columns",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("column", sa.String(16), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
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
        "machine_states",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("phase", sa.String(32), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), server_default=sa.text("''"), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("machine_states_version_grows")),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="machine_states_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", name="machine_states_key"),
    )
    op.create_table(
        "machine_halts",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("host", sa.String(128), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("halted_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("fact", sa.String(64), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("code_stop", sa.String(16), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="machine_halts_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", name="machine_halts_key"),
    )
    _index("machine_halts", "halted_at_ms", "machine_id")
    op.create_table(
        "limit_proposals",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("person", sa.String(160), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="limit_proposals_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", name="limit_proposals_key"),
    )


def _books() -> None:
    """What is only added to, and what it adds up to."""
    op.create_table(
        "journal",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=True),
        sa.Column("effects", sa.JSON(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), server_default=sa.text("''"), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="journal_of_machines"
        ),
        sa.PrimaryKeyConstraint("id", name="journal_key"),
        sa.UniqueConstraint("machine_id", "version", name="journal_one_machine_id_version"),
    )
    _index("journal", "session_id", "id")
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
    op.create_table(
        "balances",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(32), nullable=False),
        sa.Column("debit_minor", sa.BigInteger(), nullable=False),
        sa.Column("credit_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.CheckConstraint("debit_minor >= 0 AND credit_minor >= 0", name=op.f("balances_grows")),
        sa.PrimaryKeyConstraint("machine_id", "day", "account", name="balances_key"),
    )
    op.create_table(
        "audit",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), server_default=sa.text("''"), nullable=False),
        sa.Column("claimed", sa.String(64), server_default=sa.text("''"), nullable=False),
        sa.Column("proven", sa.String(64), server_default=sa.text("''"), nullable=False),
        sa.Column("outcome", sa.String(16), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_key"),
    )
    _index("audit", "machine_id", "id")


def _records() -> None:
    """Sessions, vends, trades, refunds and alarms."""
    op.create_table(
        "sessions",
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("mode", sa.String(32), nullable=False),
        sa.Column("end_reason", sa.String(32), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("payer_id", sa.String(32), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("status IN ('OPEN', 'ENDED')", name=op.f("sessions_status_known")),
        sa.PrimaryKeyConstraint("session_id", name="sessions_key"),
    )
    _index("sessions", "machine_id", "started_at_ms", "session_id")
    _index("sessions", "started_at_ms", "session_id")
    _unusual("sessions", "ENDED", "started_at_ms", "session_id")
    op.create_table(
        "vends",
        sa.Column("vend_id", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("column", sa.String(16), nullable=False),
        sa.Column("product", sa.String(64), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.CheckConstraint("price_minor >= 0", name=op.f("vends_price_positive")),
        sa.PrimaryKeyConstraint("vend_id", name="vends_key"),
    )
    _index("vends", "machine_id", "requested_at_ms", "vend_id")
    _index("vends", "requested_at_ms", "vend_id")
    _index("vends", "session_id", "requested_at_ms", "vend_id")
    _unusual("vends", "SUCCEEDED", "requested_at_ms", "vend_id")
    op.create_table(
        "trades",
        sa.Column("trade_id", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=True),
        sa.Column("partner_trans_id", sa.String(64), nullable=False),
        sa.Column("payer_id", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
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
            "sold_minor >= 0 AND refunded_minor >= 0 AND written_off_minor >= 0 "
            "AND held_minor >= 0",
            name=op.f("trades_amounts_positive"),
        ),
        sa.PrimaryKeyConstraint("trade_id", name="trades_key"),
    )
    _index("trades", "machine_id", "received_at_ms", "trade_id")
    _index("trades", "received_at_ms", "trade_id")
    _index("trades", "session_id", "received_at_ms", "trade_id")
    _unusual("trades", "CLOSED", "received_at_ms", "trade_id")
    op.create_table(
        "refunds",
        sa.Column("refund_id", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("trade_id", sa.String(64), nullable=False),
        sa.Column("partner_trans_id", sa.String(64), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("proposed_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("proposed_by", sa.String(160), nullable=True),
        sa.Column("proposed_reason", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("refunds_amount_positive")),
        sa.PrimaryKeyConstraint("refund_id", name="refunds_key"),
    )
    _index("refunds", "due_at_ms", "refund_id")
    _index("refunds", "machine_id", "due_at_ms", "refund_id")
    _unusual("refunds", "SUCCEEDED", "due_at_ms", "refund_id")
    _index("refunds", "trade_id", "due_at_ms", "refund_id")
    op.create_table(
        "machine_alarms",
        sa.Column("alarm_id", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("since_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alarm_id", name="machine_alarms_key"),
    )
    _index("machine_alarms", "machine_id", "since_at_ms", "alarm_id")
    _index("machine_alarms", "since_at_ms", "alarm_id")


def _inbox() -> None:
    """What Alipay told us."""
    op.create_table(
        "inbox",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("trade_id", sa.String(64), nullable=False),
        sa.Column("told_sha256", sa.String(64), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("taken_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("taken_version", sa.BigInteger(), nullable=True),
        sa.Column("event", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="inbox_key"),
        sa.UniqueConstraint("cause", name="inbox_one_cause"),
    )
    _index("inbox", "trade_id")
    _waiting("inbox_conflicts", "cause LIKE 'conflict:%'")
    _waiting("inbox_refused", "cause LIKE 'refused:%'")
    _waiting("inbox_untaken", "taken_at_ms IS NULL")
    op.create_table(
        "payers",
        sa.Column("buyer_hash", sa.String(64), nullable=False),
        sa.Column("payer_id", sa.String(32), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("buyer_hash", name="payers_key"),
        sa.UniqueConstraint("payer_id", name="payers_one_payer_id"),
    )
    _index("payers", "last_seen_ms")


def _people() -> None:
    """What administrators closed, and answers to their requests."""
    op.create_table(
        "work_item_closings",
        sa.Column("item_id", sa.String(160), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(160), nullable=False),
        sa.Column("closed_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("item_id", name="work_item_closings_key"),
    )
    _index("work_item_closings", "closed_at_ms", "item_id")
    op.create_table(
        "answers",
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("rpc", sa.String(64), nullable=False),
        sa.Column("content_sha256", sa.String(64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("machine_version", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("caller", "request_id", name="answers_key"),
    )
    _index("answers", "at_ms")
    _index("answers", "caller", "at_ms")


def _reconciliation() -> None:
    """Runs against Alipay's daily file, and what they found."""
    op.create_table(
        "reconciliation_runs",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("file_sha256", sa.String(64), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("read_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("totals", sa.JSON(), nullable=False),
        sa.Column("day_was_over", sa.Boolean(), nullable=False),
        sa.Column("restored", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="reconciliation_runs_key"),
        sa.UniqueConstraint("file_sha256", name="reconciliation_runs_one_file_sha256"),
    )
    _index("reconciliation_runs", "day", "id")
    op.create_table(
        "reconciliation_differences",
        sa.Column("id", POSITION, autoincrement=True, nullable=False),
        sa.Column("run_id", POSITION, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(160), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("trade_id", sa.String(64), nullable=False),
        sa.Column("refund_id", sa.String(64), nullable=False),
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("alipay_minor", sa.BigInteger(), nullable=True),
        sa.Column("ours_minor", sa.BigInteger(), nullable=True),
        sa.Column("edition", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("found_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('OPEN', 'PASSED_ON', 'RESOLVED')",
            name=op.f("reconciliation_differences_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["reconciliation_runs.id"],
            name="reconciliation_differences_of_reconciliation_runs",
        ),
        sa.PrimaryKeyConstraint("id", name="reconciliation_differences_key"),
        sa.UniqueConstraint(
            "day", "kind", "subject", name="reconciliation_differences_one_day_kind_subject"
        ),
    )
    _index("reconciliation_differences", "status", "found_at_ms")


def _index(table: str, *columns: str) -> None:
    op.create_index(f"{table}_by_{'_'.join(columns)}", table, list(columns))


def _unusual(table: str, usual: str, *columns: str) -> None:
    """Make an index of the few rows that are in another status than nearly all."""
    some = sa.text(f"status <> '{usual}'")
    op.create_index(
        f"{table}_unusual", table, ["status", *columns], sqlite_where=some, postgresql_where=some
    )


def _waiting(name: str, where: str) -> None:
    """Make an index of the few rows of the inbox that wait."""
    some = sa.text(where)
    columns = ["received_at_ms", "id"]
    op.create_index(name, "inbox", columns, sqlite_where=some, postgresql_where=some)


def _archives() -> None:
    """Where the books begin, and up to where they were proved."""
    op.create_table(
        "archives",
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("manifest_sha256", sa.String(64), nullable=False),
        sa.Column("exported_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("dropped_at_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('EXPORTED', 'DROPPED')", name=op.f("archives_state_known")),
        sa.PrimaryKeyConstraint("month", name="archives_key"),
    )
    seal = (("sealed_at_ms", sa.BigInteger()), ("row_sha256", sa.String(64)))
    for table, more in (("starts", ()), ("seals", seal)):
        op.create_table(
            table,
            sa.Column("machine_id", sa.String(32), nullable=False),
            sa.Column("version", sa.BigInteger(), nullable=False),
            sa.Column("digest", sa.String(64), nullable=False),
            sa.Column("at_ms", sa.BigInteger(), nullable=False),
            sa.Column("from_day", sa.Integer(), nullable=False),
            sa.Column("balances", sa.Text(), nullable=False),
            sa.Column("link", sa.Text(), nullable=False),
            *(sa.Column(name, kind, nullable=False) for name, kind in more),
            sa.PrimaryKeyConstraint("machine_id", name=f"{table}_key"),
        )


def _refuse_changes() -> None:
    """Make the triggers of ``storage.append_only``."""
    if op.get_bind().dialect.name == "sqlite":
        for table in APPEND_ONLY:
            for what in ("UPDATE", "DELETE"):
                archived = what == "DELETE" and table in BUT_ARCHIVED
                when = f" WHEN NOT {ARCHIVED}" if archived else ""
                op.execute(
                    f"CREATE TRIGGER {table}_refuses_{what.lower()} BEFORE {what} ON {table}{when}"
                    f" BEGIN SELECT RAISE(ABORT, '{table} {SENTENCE}'); END"
                )
        return
    says = (
        f"RAISE EXCEPTION '% {SENTENCE}', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END"
    )
    let_go = f"IF TG_OP = 'DELETE' AND {ARCHIVED} THEN RETURN OLD; END IF;"
    for name, first in (("refuse_a_change", ""), ("refuse_a_change_but_archived", f"{let_go} ")):
        op.execute(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {first}{says} $$"
        )
    for table in APPEND_ONLY:
        name = "refuse_a_change_but_archived" if table in BUT_ARCHIVED else "refuse_a_change"
        op.execute(
            f"CREATE TRIGGER {table}_refuses_changes BEFORE UPDATE OR DELETE ON {table} FOR "
            f"EACH ROW EXECUTE FUNCTION {name}()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} FOR EACH "
            "STATEMENT EXECUTE FUNCTION refuse_a_change()"
        )
