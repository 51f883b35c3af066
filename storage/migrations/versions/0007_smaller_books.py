"""Smaller books: what a purchase writes, in fewer bytes."""

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


def upgrade() -> None:
    """Let no index of a list hold the ids."""
    _lists(with_key=False)


def downgrade() -> None:
    """Let them hold the ids again."""
    _lists(with_key=True)


def _lists(*, with_key: bool) -> None:
    for table, at, key, owners in LISTS:
        for owner in owners:
            short = [owner, at] if owner else [at]
            old, new = ([short, [*short, key]])[:: 1 if with_key else -1]
            op.drop_index(f"{table}_by_{'_'.join(old)}", table)
            op.create_index(f"{table}_by_{'_'.join(new)}", table, new)
