"""Planograms of many machines: templates, what is carried out at its time, and who has not
acknowledged what they shall have.
"""

import json
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SHOWN = (
    "DELETE FROM planogram_waits"
    " WHERE machine_id = NEW.machine_id AND planogram_version = NEW.planogram_shown"
)
NOT_SHOWN = (
    "INSERT INTO planogram_waits (machine_id, planogram_version, since_at_ms)"
    " SELECT machines.machine_id, machines.planogram_version, NEW.updated_at_ms FROM machines"
    " WHERE machines.machine_id = NEW.machine_id"
    " AND machines.planogram_version <> NEW.planogram_shown AND machines.retired_at_ms IS NULL"
    " ON CONFLICT (machine_id) DO NOTHING"
)


def upgrade() -> None:
    """Make the table, the column and the triggers; machines that have said which planogram they
    show are taken at their word.
    """
    _waits()
    _templates()
    op.add_column(
        "machine_states",
        sa.Column("planogram_shown", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    for rows in _said():
        op.get_bind().execute(
            sa.text(
                "UPDATE machine_states SET planogram_shown = :shown WHERE machine_id = :machine_id"
            ),
            rows,
        )
    op.execute(
        "INSERT INTO planogram_waits (machine_id, planogram_version, since_at_ms)"
        " SELECT m.machine_id, m.planogram_version, coalesce(s.updated_at_ms, m.registered_at_ms)"
        " FROM machines m LEFT JOIN machine_states s ON s.machine_id = m.machine_id"
        " WHERE m.retired_at_ms IS NULL AND m.planogram_version <> coalesce(s.planogram_shown, 0)"
    )
    _triggers()


def downgrade() -> None:
    """Drop them."""
    for name in ("machine_states_show", "machine_states_show_first"):
        on = "" if op.get_bind().dialect.name == "sqlite" else " ON machine_states"
        op.execute(f"DROP TRIGGER IF EXISTS {name}{on}")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION planogram_is_shown()")
    op.drop_index("machine_imports_by_kind", "machine_imports")
    op.drop_index("machine_imports_due", "machine_imports")
    op.execute(
        "DELETE FROM machine_import_lines WHERE import_id IN"
        " (SELECT import_id FROM machine_imports WHERE kind <> 'MACHINES')"
    )
    op.execute("DELETE FROM machine_imports WHERE kind <> 'MACHINES'")
    for name in ("kind", "from_ms", "started_at_ms", "about"):
        op.drop_column("machine_imports", name)
    op.drop_table("planogram_templates")
    op.drop_column("machine_states", "planogram_shown")
    op.drop_table("planogram_waits")


def _waits() -> None:
    op.create_table(
        "planogram_waits",
        sa.Column("machine_id", sa.String(32), nullable=False),
        sa.Column("planogram_version", sa.BigInteger(), nullable=False),
        sa.Column("since_at_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("planogram_version >= 0", name=op.f("planogram_waits_planogram_grows")),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machines.machine_id"], name="planogram_waits_of_machines"
        ),
        sa.PrimaryKeyConstraint("machine_id", name="planogram_waits_key"),
    )
    op.create_index(
        "planogram_waits_by_since_at_ms_machine_id",
        "planogram_waits",
        ["since_at_ms", "machine_id"],
    )


def _templates() -> None:
    op.create_table(
        "planogram_templates",
        sa.Column("template", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("price_list", sa.String(64), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("archived_at_ms", sa.BigInteger()),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.CheckConstraint("revision > 0", name=op.f("planogram_templates_revision_grows")),
        sa.PrimaryKeyConstraint("template", name="planogram_templates_key"),
    )
    for column in (
        sa.Column("kind", sa.String(16), nullable=False, server_default=sa.text("'MACHINES'")),
        sa.Column("from_ms", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("started_at_ms", sa.BigInteger()),
        sa.Column("about", sa.Text(), nullable=False, server_default=sa.text("''")),
    ):
        op.add_column("machine_imports", column)
    op.create_index(
        "machine_imports_by_kind", "machine_imports", ["kind", "created_at_ms", "import_id"]
    )
    op.create_index(
        "machine_imports_due",
        "machine_imports",
        ["kind", "state", "from_ms", "created_at_ms", "import_id"],
    )


def _said() -> Iterator[list[dict[str, Any]]]:
    """Return which planogram machines said that they show, some at a time. A state that cannot be
    read says nothing.
    """
    after = ""
    wanted = sa.text(
        "SELECT machine_id, body FROM machine_states WHERE machine_id > :after"
        " ORDER BY machine_id LIMIT 500"
    )
    while rows := op.get_bind().execute(wanted, {"after": after}).all():
        after = rows[-1].machine_id
        told = [{"machine_id": row.machine_id, "shown": _shown(row.body)} for row in rows]
        if some := [one for one in told if one["shown"]]:
            yield some


def _shown(body: str) -> int:
    try:
        shown = json.loads(body)["link"]["planogram_version"]
    except (ValueError, KeyError, TypeError):
        return 0
    return shown if isinstance(shown, int) and 0 <= shown < 2**63 else 0


def _triggers() -> None:
    """Make what ``storage.tables.planograms`` tells."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER machine_states_show AFTER UPDATE OF planogram_shown ON machine_states"
            " WHEN NEW.planogram_shown <> OLD.planogram_shown"
            f" BEGIN {SHOWN}; {NOT_SHOWN}; END"
        )
        op.execute(
            "CREATE TRIGGER machine_states_show_first AFTER INSERT ON machine_states"
            f" WHEN NEW.planogram_shown <> 0 BEGIN {SHOWN}; {NOT_SHOWN}; END"
        )
        return
    op.execute(
        "CREATE FUNCTION planogram_is_shown() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {SHOWN}; {NOT_SHOWN}; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER machine_states_show AFTER UPDATE OF planogram_shown ON machine_states"
        " FOR EACH ROW WHEN (NEW.planogram_shown <> OLD.planogram_shown)"
        " EXECUTE FUNCTION planogram_is_shown()"
    )
    op.execute(
        "CREATE TRIGGER machine_states_show_first AFTER INSERT ON machine_states"
        " FOR EACH ROW WHEN (NEW.planogram_shown <> 0) EXECUTE FUNCTION planogram_is_shown()"
    )
