"""``vendgate audit``: what operators and scripts see, and what they may rely on."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway import cli
from storage import migrate
from storage.engine import Database, StorageConfig
from tests.alipay_client.wire import Pair
from tests.storage.auditing.books import damage, write_sound_books
from tests.support import installed


@pytest.fixture(scope="module")
def sound_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with sound books, to be copied."""
    path = tmp_path_factory.mktemp("books") / "vendgate.db"
    migrate.upgrade(f"sqlite:///{path}", partition_count=8)

    async def write() -> None:
        database = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
        await write_sound_books(database)
        await database.close()

    asyncio.run(write())
    return path


@pytest.fixture
def config(tmp_path: Path, pair: Pair, sound_file: Path) -> str:
    """A configuration whose database is a copy of it; nothing but the database's settings has to be right."""
    shutil.copy(sound_file, tmp_path / "vendgate.db")
    tables = installed.good(tmp_path, pair)
    del tables["alipay"]
    return installed.write(tmp_path, tables)


def _audit(config: str, *options: str) -> Result:
    return CliRunner().invoke(cli.app, ["audit", "--config", config, *options], env={"COLUMNS": "140"})


def test_clean_books_are_a_table_and_status_0(config: str) -> None:
    """Each check is a line with its sentence and how much it looked at; the balances are told; the last line says it all."""
    result = _audit(config)
    assert 0 == result.exit_code, result.output
    assert "Every transfer of the ledger has two sides that sum to zero." in result.stdout
    assert "HKD: in 5700 = sold 1000 + refunded 2000 + held 1000 + due back 1000 - written off -700 (minor units)" in result.stdout
    assert result.stdout.endswith("The books are clean: 26 checks hold.\n")


def test_findings_are_sentences_and_status_1(config: str, tmp_path: Path) -> None:
    """One line each, with the name of its check; what stands in the database is printed as it is."""
    damage(tmp_path / "vendgate.db", "UPDATE vends SET price_minor = 600, reason = '[red]x' WHERE vend_id = 'VM-1-v1'")
    result = _audit(config)
    assert 1 == result.exit_code
    assert (
        "approvals_are_reserved: vend VM-1-v1 of 600 HKD is SUCCEEDED [red]x; the ledger reserved 500 for it (machine VM-1)"
        in result.stdout.splitlines()
    )
    assert result.stdout.endswith("1 of 26 checks found something.\n")


def test_warnings_are_no_findings(config: str) -> None:
    """The refund of long ago is told of, and the status is 0."""
    result = _audit(config)
    assert 0 == result.exit_code
    assert "refund VM-1-t3R1 of 1000 HKD has been open for" in result.stdout


def test_json_is_one_object(config: str, tmp_path: Path) -> None:
    """For scripts; the status says the same."""
    assert json.loads(_audit(config, "--json").stdout)["clean"]
    damage(tmp_path / "vendgate.db", "DELETE FROM vends WHERE vend_id = 'VM-1-v3'")
    result = _audit(config, "--json")
    told = json.loads(result.stdout)
    assert (1, False) == (result.exit_code, told["clean"])
    assert ["nothing_was_taken_out"] == [check["name"] for check in told["checks"] if not check["holds"]]


def test_a_database_that_cannot_be_read_is_a_sentence_and_status_2(config: str, tmp_path: Path) -> None:
    """None there, none of ours, none at all; and no file is made."""
    path = tmp_path / "vendgate.db"
    path.unlink()
    missing = _audit(config)
    assert (2, False) == (missing.exit_code, path.exists())
    assert "unable to open database file" in missing.stderr
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE t (x)")
    assert "vendgate db upgrade" in _audit(config).stderr
    path.write_bytes(b"this is no database" * 100)
    broken = _audit(config)
    assert (2, "") == (broken.exit_code, broken.stdout)
    assert "not a database" in broken.stderr


def test_the_file_is_not_written(config: str, tmp_path: Path) -> None:
    """Not even its header: a restored file keeps its journal mode and every byte."""
    path = tmp_path / "vendgate.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = DELETE")
    before = path.read_bytes()
    assert 0 == _audit(config).exit_code
    assert before == path.read_bytes()


def test_a_live_database_is_audited_as_it_is_now(config: str, tmp_path: Path) -> None:
    """A writer in the middle of its transaction is not waited for, and what it has not committed is not seen."""
    with closing(sqlite3.connect(tmp_path / "vendgate.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM vends")
        assert 0 == _audit(config).exit_code
        writer.execute("ROLLBACK")
