"""The migrations make the tables that the program uses, once."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    JSON,
    CheckConstraint,
    Connection,
    bindparam,
    create_engine,
    inspect,
    select,
    text,
)

from actors.ports import StoreError
from storage.books import chain
from storage.books.audit_rows import write_audit_row
from storage.database import migrate, schema
from storage.database.engine import Database
from storage.database.urls import parse
from storage.tables import audit, inbox, metadata, partitions, sessions


async def test_the_migrations_make_the_tables(db: Database) -> None:
    """Nothing is missing and nothing is left over, types and server defaults included."""

    def work(connection: Connection) -> object:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    assert [] == await db.read(work)


async def test_the_migrations_name_every_constraint(db: Database) -> None:
    """Checks, which no comparison sees, are the same too."""

    def work(connection: Connection) -> dict[str, set[str]]:
        there = inspect(connection)
        return {
            table: {str(check["name"]) for check in there.get_check_constraints(table)}
            for table in metadata.tables
        }

    expected = {
        name: {str(check.name) for check in table.constraints if isinstance(check, CheckConstraint)}
        for name, table in metadata.tables.items()
    }
    assert expected == await db.read(work)


async def test_an_upgrade_can_be_repeated(db: Database, url: str) -> None:
    """The second one changes nothing, also inside a running loop."""
    before = await db.read(lambda connection: connection.execute(select(partitions)).all())
    migrate.upgrade(url)
    assert before == await db.read(lambda connection: connection.execute(select(partitions)).all())
    assert 8 == len(before)
    assert migrate.head() == await asyncio.to_thread(migrate.current, url)


async def test_the_number_of_partitions_is_fixed(db: Database, url: str) -> None:
    """Another number is refused, because machines would change their partitions."""
    with pytest.raises(StoreError, match="created with 8 partitions"):
        await asyncio.to_thread(migrate.upgrade, url, partition_count=16)


def test_the_default_is_256_partitions(tmp_path: Path) -> None:
    """A database that nobody gave a number has 256."""
    path = tmp_path / "vendgate.db"
    assert migrate.current(f"sqlite:///{path}") is None
    migrate.upgrade(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        assert (256,) == connection.execute("SELECT count(*) FROM partitions").fetchone()
    connection.close()


def test_processes_that_upgrade_at_once_agree(tmp_path: Path) -> None:
    """Each of them waits for the others and finds the work done."""
    script = "import sys; from storage.database import migrate; migrate.upgrade(sys.argv[1])"
    url = f"sqlite:///{tmp_path}/vendgate.db"
    several = [
        subprocess.Popen([sys.executable, "-c", script, url], cwd=Path(__file__).parents[3])
        for _ in range(3)
    ]
    assert [0, 0, 0] == [process.wait(60) for process in several]
    assert migrate.head() == migrate.current(url)


def test_an_upgrade_can_be_taken_back(tmp_path: Path) -> None:
    """The first migration's way back leaves nothing."""
    url = f"sqlite:///{tmp_path}/vendgate.db"
    migrate.upgrade(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        config = schema.alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert ["alembic_version"] == inspect(connection).get_table_names()
    engine.dispose()


OLD_FIELDS = (
    '{"trade_no": "t1", "buyer_id": "hash", "alipay_buyer_login_id": "hash", "sign": "s", '
    '"subject": "\u00e9"}'
)
EVE = (2, "eve", "enable", "", "", "", "", "DONE")


def test_rows_from_before_the_digests_stay_without(tmp_path: Path) -> None:
    """Nobody can vouch for them; whoever writes next begins the chain, and the way back takes
    triggers and digests away.
    """
    url = f"sqlite:///{tmp_path}/vendgate.db"
    migrate.upgrade(url)
    engine = create_engine(url)
    config = schema.alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
        assert (
            []
            == connection.exec_driver_sql(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).all()
        )
        connection.exec_driver_sql(
            "INSERT INTO audit (at_ms, actor, action, machine_id, detail) VALUES (1, 'ann', "
            "'enable', '', '')"
        )
        connection.exec_driver_sql("UPDATE audit SET actor = 'bob'")
    migrate.upgrade(url)
    with engine.begin() as connection:
        write_audit_row(connection, at_ms=2, actor="eve", action="enable", machine_id="", detail="")
        first, second = connection.execute(select(audit).order_by(audit.c.id)).all()
    engine.dispose()
    assert ("bob", "") == (first.actor, first.digest)
    assert chain.digest("", chain.audit_content(EVE)) == second.digest


def test_buyers_are_taken_out_of_the_rows_of_old(url: str) -> None:
    """Their hashes, and what Alipay signed over their ids; all else of a notification stays."""
    there = parse(url)

    def before(connection: Connection) -> None:
        config = schema.alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0009")
        connection.exec_driver_sql(
            "INSERT INTO sessions (session_id, machine_id, status, mode, end_reason, currency, "
            "payer, started_at_ms) VALUES ('s1', 'VM-1', 'OPEN', '', '', 'HKD', 'hash', 1)"
        )
        for cause, event in (
            ("payment:t1", '{"kind": "TopUpPaid", "body": {"payer": "hash", "trade_id": "t1"}}'),
            ("other:n1", None),
        ):
            connection.execute(
                text(
                    "INSERT INTO inbox (cause, kind, machine_id, partition, trade_id, body_sha256, "
                    "received_at_ms, event, fields) VALUES (:cause, '', 'VM-1', 1, 't1', 'digest', "
                    "1, :event, :fields)"
                ).bindparams(bindparam("event", type_=JSON), bindparam("fields", type_=JSON)),
                {"cause": cause, "event": event, "fields": OLD_FIELDS},
            )

    migrate._transact(there, before)
    migrate.upgrade(url)
    payer_ids, rows = migrate._transact(
        there,
        lambda connection: (
            connection.scalars(select(sessions.c.payer_id)).all(),
            connection.execute(select(inbox).order_by(inbox.c.id)).all(),
        ),
    )
    assert [""] == payer_ids
    assert [("t1", ""), ("t1", "")] == [(row.trade_id, row.told_sha256) for row in rows]
    assert [{"trade_no": "t1", "subject": "é"}] * 2 == [json.loads(row.fields) for row in rows]
    assert {"kind": "TopUpPaid", "body": {"trade_id": "t1"}} == json.loads(rows[0].event)
    assert rows[1].event is None


def test_a_place_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    """The sentence says what could not be done."""
    with pytest.raises(StoreError, match=r"nowhere/vendgate\.db cannot be read or upgraded"):
        migrate.upgrade(f"sqlite:///{tmp_path}/nowhere/vendgate.db")
