"""``vendgate archive``: what an operator sees, and what scripts may rely on."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway import cli
from storage.database.engine import Database, StorageConfig
from tests.alipay_client.wire import Pair
from tests.storage.archiving.books import goes_on
from tests.storage.auditing.books import damage, write_sound_books
from tests.support import installed, upgraded


@pytest.fixture(scope="module")
def two_months(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with books of January and February 2026, to be copied."""
    path = tmp_path_factory.mktemp("books") / "vendgate.db"
    upgraded.make(f"sqlite:///{path}", partition_count=8)

    async def write() -> None:
        database = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
        await write_sound_books(database)
        await goes_on(database)
        await database.close()

    asyncio.run(write())
    return path


@pytest.fixture
def config(tmp_path: Path, pair: Pair, two_months: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A configuration whose database is a copy of it; no act of anybody is under way."""
    monkeypatch.setattr("gateway.books.archiving.ACTS_END_S", 0)
    shutil.copy(two_months, tmp_path / "vendgate.db")
    tables = installed.good(tmp_path, pair)
    del tables["alipay"]
    return installed.write(tmp_path, tables)


def _run(command: str, config: str, *options: str) -> Result:
    return CliRunner().invoke(
        cli.app, [command, "--config", config, *options], env={"COLUMNS": "140"}
    )


def test_months_are_archived_and_everything_is_proved(config: str, tmp_path: Path) -> None:
    """What would go, what went, and that nothing is left; the archive is part of an audit."""
    folder = tmp_path / "archive"
    wanted = ("--to", str(folder), "--before", "2026-03")
    look = _run("archive", config, *wanted, "--dry-run")
    assert 0 == look.exit_code, look.output
    assert "2026-01: " in look.stdout
    assert "Machine VM-2 would keep more: session VM-2-s1 is open." in look.stdout
    assert not folder.exists()
    done = _run("archive", config, *wanted)
    assert 0 == done.exit_code, done.output
    told = done.stdout.splitlines()
    assert told[0].startswith("The books are clean: ")
    assert told[1].startswith("2026-01: ")
    assert "its manifest has SHA-256 " in told[1]
    assert told[2].startswith("2026-01: dropped ")
    assert 5 == len(told)
    again = _run("archive", config, *wanted)
    assert "Nothing is left to archive before 2026-03.\n" == again.stdout
    whole = _run("audit", config, "--archive", str(folder))
    assert 0 == whole.exit_code, whole.output
    assert whole.stdout.endswith("The books are clean: 35 checks hold.\n")


def test_what_is_refused_is_a_sentence_and_status_1(config: str, tmp_path: Path) -> None:
    """An audit with findings, for one; nothing is written."""
    damage(tmp_path / "vendgate.db", "DELETE FROM vends WHERE vend_id = 'VM-1-v3'")
    folder = tmp_path / "archive"
    result = _run("archive", config, "--to", str(folder), "--before", "2026-03")
    assert (1, "") == (result.exit_code, result.stdout)
    assert "The audit does not pass (nothing_was_taken_out)" in result.stderr
    assert not folder.exists()


def test_a_folder_that_is_no_archive_is_status_2_for_an_audit(config: str, tmp_path: Path) -> None:
    """It cannot be done; that is no finding, and no clean audit either."""
    for folder, sentence in (
        (tmp_path / "none", "none is no folder that is there: name that of the archive.\n"),
        (tmp_path, "Nothing was archived of this database"),
    ):
        result = _run("audit", config, "--archive", str(folder))
        assert (2, "") == (result.exit_code, result.stdout)
        assert sentence in result.stderr
    _run("archive", config, "--to", str(tmp_path / "archive"), "--before", "2026-03")
    (tmp_path / "other").mkdir()
    result = _run("audit", config, "--archive", str(tmp_path / "other"))
    assert 2 == result.exit_code
    assert "does not hold what this database has archived" in result.stderr


def test_a_database_that_cannot_be_read_is_status_2(config: str, tmp_path: Path) -> None:
    """As of every command of the books."""
    (tmp_path / "vendgate.db").unlink()
    result = _run("archive", config, "--to", str(tmp_path / "a"), "--before", "2026-03")
    assert 2 == result.exit_code
    assert result.stderr


@pytest.mark.parametrize("column", ["balances", "link"])
def test_a_start_that_is_none_is_a_sentence_and_status_2(
    config: str, tmp_path: Path, column: str
) -> None:
    """Somebody wrote into the row by hand, and nobody knows where the books begin."""
    folder = str(tmp_path / "archive")
    assert 0 == _run("archive", config, "--to", folder, "--before", "2026-03").exit_code
    with sqlite3.connect(tmp_path / "vendgate.db") as database:
        database.execute(f"UPDATE starts SET {column} = 'nonsense'")
    database.close()
    for how in ((), ("--whole",)):
        audit = _run("audit", config, *how)
        assert 2 == audit.exit_code, audit.output
        assert "was changed and cannot be read" in audit.stderr
