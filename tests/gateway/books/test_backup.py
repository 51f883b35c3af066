"""``vendgate backup``: a whole copy while others write, proved; and what a copied file lacks."""

import asyncio
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway import cli
from storage.database.engine import Database, StorageConfig
from tests.alipay_client.wire import Pair
from tests.storage.auditing.books import damage, write_sound_books
from tests.support import installed, upgraded

ROWS = "SELECT count(*) FROM transfers"


@pytest.fixture
def config(tmp_path: Path, pair: Pair) -> str:
    """A configuration whose database is upgraded and empty."""
    upgraded.make(f"sqlite:///{tmp_path}/vendgate.db", partition_count=8)
    tables = installed.good(tmp_path, pair)
    del tables["alipay"]["merchant"]
    return installed.write(tmp_path, tables)


def _backup(config: str, to: Path) -> Result:
    return CliRunner().invoke(cli.app, ["backup", "--config", config, "--to", str(to)])


def _count(path: Path) -> int:
    with closing(sqlite3.connect(path)) as file:
        (count,) = file.execute(ROWS).fetchone()
        assert isinstance(count, int)
        return count


async def _write_and_back_up(url: str, config: str, to: Path, copied: Path) -> Result:
    """Back up while the database is open, as a gateway's is; copy the file, too, as cp does."""
    database = await Database.open(StorageConfig(url=url))
    try:
        await write_sound_books(database)
        shutil.copy(url.removeprefix("sqlite:///"), copied)
        return await asyncio.to_thread(_backup, config, to)
    finally:
        await database.close()


def test_it_holds_what_was_saved_last(config: str, tmp_path: Path) -> None:
    """Of a live database too, whose file alone, copied, has nothing of it. One file, for its owner
    alone, and its books are clean.
    """
    to, copied = tmp_path / "backup.db", tmp_path / "copied.db"
    url = f"sqlite:///{tmp_path}/vendgate.db"
    result = asyncio.run(_write_and_back_up(url, config, to, copied))
    assert 0 == result.exit_code, result.output
    assert f"{to} (" in result.stdout
    assert "its books are clean" in result.stdout
    assert 0o600 == stat.S_IMODE(to.stat().st_mode)
    assert [to] == list(tmp_path.glob("backup*"))
    assert (0, _count(tmp_path / "vendgate.db")) == (_count(copied), _count(to))
    assert 0 < _count(to)


def test_a_backup_is_never_overwritten(config: str, tmp_path: Path) -> None:
    """Status 2, a sentence, and the file as it was."""
    to = tmp_path / "backup.db"
    to.write_text("older")
    result = _backup(config, to)
    assert (2, f"{to} exists, and a backup is never overwritten: name another file.\n") == (
        result.exit_code,
        result.stderr,
    )
    assert "older" == to.read_text()


def test_one_that_was_cut_off_is_begun_again(config: str, tmp_path: Path) -> None:
    """What it left is no backup and stands in nobody's way."""
    (tmp_path / "backup.db.unfinished").write_text("half")
    assert 0 == _backup(config, tmp_path / "backup.db").exit_code
    assert not (tmp_path / "backup.db.unfinished").exists()


def test_where_nothing_can_be_written_is_a_sentence(config: str, tmp_path: Path) -> None:
    """Status 2."""
    result = _backup(config, tmp_path / "no" / "where.db")
    assert 2 == result.exit_code
    assert "cannot be written: " in result.stderr
    (tmp_path / "vendgate.db").unlink()
    assert 2 == _backup(config, tmp_path / "backup.db").exit_code
    assert not (tmp_path / "backup.db").exists()


def test_broken_books_are_told_and_kept(config: str, tmp_path: Path) -> None:
    """Status 1: who looks into it needs the copy."""

    async def write() -> None:
        database = await Database.open(StorageConfig(url=f"sqlite:///{tmp_path}/vendgate.db"))
        await write_sound_books(database)
        await database.close()

    asyncio.run(write())
    damage(tmp_path / "vendgate.db", "DELETE FROM vends WHERE vend_id = 'VM-1-v3'")
    result = _backup(config, tmp_path / "backup.db")
    assert 1 == result.exit_code
    assert "nothing_was_taken_out" in result.stdout
    assert (tmp_path / "backup.db").exists()


def test_books_of_before_an_upgrade_are_copied_and_not_proved(config: str, tmp_path: Path) -> None:
    """Status 2, and the file is there: this is when one wants it most."""
    with closing(sqlite3.connect(tmp_path / "vendgate.db")) as file, file:
        file.execute("UPDATE alembic_version SET version_num = '0002'")
    result = _backup(config, tmp_path / "backup.db")
    assert 2 == result.exit_code
    assert "is whole, and its books were not proved: they have schema 0002" in result.stderr
    assert (tmp_path / "backup.db").exists()


def test_postgres_has_its_own_tools(tmp_path: Path, pair: Pair) -> None:
    """They are named."""
    tables = installed.good(tmp_path, pair)
    tables["database"]["url"] = "postgresql://app@db/vendgate"
    result = _backup(installed.write(tmp_path, tables), tmp_path / "backup.db")
    assert 2 == result.exit_code
    assert "pg_dump" in result.stderr
