"""The database before it is opened."""

from pathlib import Path

import pytest

from gateway.books import database
from gateway.books.database import SchemaMismatch
from storage.database import migrate
from storage.database.engine import StorageConfig


def test_upgrade_makes_what_is_not_there(tmp_path: Path) -> None:
    """The folder, the file, the schema; again it changes nothing."""
    config = StorageConfig(url=f"sqlite:///{tmp_path}/new/folder/v.db")
    assert (None, migrate.head()) == database.upgrade(config)
    assert (migrate.head(), migrate.head()) == database.upgrade(config)


async def test_an_empty_file_is_made_by_itself(tmp_path: Path) -> None:
    """A developer's first start needs no second command."""
    config = StorageConfig(url=f"sqlite:///{tmp_path}/run/v.db")
    await database.require_schema(config)
    assert migrate.head() == migrate.current(config.url)
    await database.require_schema(config)


async def test_another_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that may be others' too is upgraded by a person."""
    config = StorageConfig(url=f"sqlite:///{tmp_path}/v.db")
    database.upgrade(config)
    monkeypatch.setattr("storage.database.migrate.head", lambda: "9999")
    with pytest.raises(
        SchemaMismatch,
        match=r"has schema \d+ and this program needs 9999: run 'vendgate db upgrade'",
    ):
        await database.require_schema(config)


async def test_an_empty_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a file of this computer is made without being asked for."""
    monkeypatch.setattr("storage.database.migrate.current", lambda url: None)
    with pytest.raises(SchemaMismatch, match="is empty"):
        await database.require_schema(StorageConfig(url="postgresql://host/name"))
