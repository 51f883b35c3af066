"""Planograms of many machines: templates, and who has not acknowledged what they shall have."""

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    event,
    text,
)

from storage.tables.base import metadata
from storage.tables.machines import machine_states

_SHOWN = (
    "DELETE FROM planogram_waits"
    " WHERE machine_id = NEW.machine_id AND planogram_version = NEW.planogram_shown"
)
_NOT_SHOWN = (
    "INSERT INTO planogram_waits (machine_id, planogram_version, since_at_ms)"
    " SELECT machines.machine_id, machines.planogram_version, NEW.updated_at_ms FROM machines"
    " WHERE machines.machine_id = NEW.machine_id"
    " AND machines.planogram_version <> NEW.planogram_shown AND machines.retired_at_ms IS NULL"
    " ON CONFLICT (machine_id) DO NOTHING"
)
_ON_SQLITE = (
    (
        "CREATE TRIGGER machine_states_show AFTER UPDATE OF planogram_shown ON machine_states"
        " WHEN NEW.planogram_shown <> OLD.planogram_shown"
        f" BEGIN {_SHOWN}; {_NOT_SHOWN}; END"
    ),
    (
        "CREATE TRIGGER machine_states_show_first AFTER INSERT ON machine_states"
        f" WHEN NEW.planogram_shown <> 0 BEGIN {_SHOWN}; {_NOT_SHOWN}; END"
    ),
)
_ON_POSTGRESQL = (
    (
        "CREATE OR REPLACE FUNCTION planogram_is_shown() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {_SHOWN}; {_NOT_SHOWN}; RETURN NULL; END $$"
    ),
    (
        "CREATE TRIGGER machine_states_show AFTER UPDATE OF planogram_shown ON machine_states"
        " FOR EACH ROW WHEN (NEW.planogram_shown <> OLD.planogram_shown)"
        " EXECUTE FUNCTION planogram_is_shown()"
    ),
    (
        "CREATE TRIGGER machine_states_show_first AFTER INSERT ON machine_states"
        " FOR EACH ROW WHEN (NEW.planogram_shown <> 0) EXECUTE FUNCTION planogram_is_shown()"
    ),
)

# A row stands here for as long as the machine does not show the version that the registry has for
# it; ``since_at_ms`` is when that began. The administrators' side writes it with a new planogram. A
# trigger on ``machine_states.planogram_shown`` takes it away, or puts it back for a machine that
# lost its memory: in the COMMIT of whatever the machine said, whoever enters that.
# ``goods_may_be_removed`` travels with the planogram to the machine's actor: goods without a place
# in it may leave the machine's books.
planogram_waits = Table(
    "planogram_waits",
    metadata,
    Column("machine_id", String(32), ForeignKey("machines.machine_id"), primary_key=True),
    Column("planogram_version", BigInteger, nullable=False),
    Column("since_at_ms", BigInteger, nullable=False),
    Column("goods_may_be_removed", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("planogram_version >= 0", name="planogram_grows"),
    Index(None, "since_at_ms", "machine_id"),
)

# What many machines have in their columns. ``price_list`` is where prices come from that
# ``columns`` (JSON) do not say; ``currency`` is of those that they do. Both may be empty.
planogram_templates = Table(
    "planogram_templates",
    metadata,
    Column("template", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("name", String(100), nullable=False),
    Column("price_list", String(64), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("archived_at_ms", BigInteger),
    Column("columns", Text, nullable=False),
    CheckConstraint("revision > 0", name="revision_grows"),
)

for _dialect, _statements in (("sqlite", _ON_SQLITE), ("postgresql", _ON_POSTGRESQL)):
    for _statement in _statements:
        _made = DDL(_statement).execute_if(dialect=_dialect)  # type: ignore[no-untyped-call]
        event.listen(machine_states, "after_create", _made)
