"""Payers by a random id, mapped in a table that can be deleted from.

Rows from before hold a keyed hash of the buyer's id, which can be tried again by whoever has the
key, and what Alipay signed over that id: they are taken out, so nobody can tell any more who paid
before the upgrade. The journal cannot be edited: of its old lines the old key must be destroyed.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None

OF_PAYERS = ("sessions", "trades")
PAGE = 1_000
_ROWS = sa.text(
    "SELECT id, CAST(event AS TEXT) AS event, CAST(fields AS TEXT) AS fields FROM inbox "
    "WHERE id > :last ORDER BY id LIMIT :page"
)


def upgrade() -> None:
    """Make the table, name the columns for what they hold now, and take the buyers out."""
    op.create_table(
        "payers",
        sa.Column("buyer_hash", sa.String(length=64), nullable=False),
        sa.Column("payer_id", sa.String(length=32), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("buyer_hash", name="payers_key"),
        sa.UniqueConstraint("payer_id", name="payers_one_payer_id"),
    )
    op.create_index("payers_by_last_seen_ms", "payers", ["last_seen_ms"])
    for table in OF_PAYERS:
        op.alter_column(table, "payer", new_column_name="payer_id")
        op.execute(f"UPDATE {table} SET payer_id = ''")  # noqa: S608 - the names stand above
    op.alter_column("inbox", "body_sha256", new_column_name="told_sha256")
    op.execute("UPDATE inbox SET told_sha256 = ''")
    _take_buyers_out()


def downgrade() -> None:
    """Name the columns as before and drop the table; no hash comes back."""
    op.alter_column("inbox", "told_sha256", new_column_name="body_sha256")
    for table in OF_PAYERS:
        op.alter_column(table, "payer_id", new_column_name="payer")
        op.execute(f"UPDATE {table} SET payer = ''")  # noqa: S608 - the names stand above
    op.drop_table("payers")


def _take_buyers_out() -> None:
    connection, last = op.get_bind(), 0
    # SQLite has no type of this name, and would make a number of the text.
    event, fields = (
        (":event", ":fields")
        if connection.dialect.name == "sqlite"
        else ("CAST(:event AS JSON)", "CAST(:fields AS JSON)")
    )
    put = sa.text(f"UPDATE inbox SET event = {event}, fields = {fields} WHERE id = :id")  # noqa: S608 - two constants
    while rows := connection.execute(_ROWS, {"last": last, "page": PAGE}).all():
        for row in rows:
            values = {"event": _of_nobody(row.event), "fields": _without_buyers(row.fields)}
            connection.execute(put, {"id": row.id, **values})
        last = rows[-1].id


def _of_nobody(event: str | None) -> str | None:
    if event is None:
        return None
    told: dict[str, Any] = json.loads(event)
    told.get("body", {}).pop("payer", None)
    return json.dumps(told)


def _without_buyers(fields: str) -> str:
    told: dict[str, str] = json.loads(fields)
    return json.dumps(
        {name: value for name, value in told.items() if name != "sign" and "buyer" not in name}
    )
