"""The database before it is opened: its folder, its schema.

Flows in: where it is. Flows out: nothing, or a sentence that says what to do. A SQLite file of a
developer is made by itself when there is none; every other database is upgraded by a person's
command, because others may be using it.
"""

import asyncio
from pathlib import Path

import structlog

from storage.database import migrate
from storage.database.engine import StorageConfig

_log = structlog.get_logger()


class SchemaMismatch(Exception):
    """The database is not at this program's schema; the sentence says what to do."""


def upgrade(config: StorageConfig) -> tuple[str | None, str]:
    """Bring the database to this program's schema; return the versions before and after. Raises
    StoreError.
    """
    _make_folder(config.url)
    before = migrate.current(config.url)
    migrate.upgrade(config.url)
    return before, migrate.head()


async def require_schema(config: StorageConfig) -> None:
    """Return if the database has this program's schema; an empty SQLite file gets it. Raises
    SchemaMismatch or StoreError.
    """
    _make_folder(config.url)
    found = await asyncio.to_thread(migrate.current, config.url)
    wanted = migrate.head()
    if found == wanted:
        return
    if found is None and _sqlite_file(config.url) is not None:
        await asyncio.to_thread(migrate.upgrade, config.url)
        _log.info("made a new database", file=str(_sqlite_file(config.url)), schema=wanted)
        return
    there = "is empty" if found is None else f"has schema {found}"
    raise SchemaMismatch(
        f"The database {there} and this program needs {wanted}: run 'vendgate db upgrade' with "
        "the same settings."
    )


def _make_folder(url: str) -> None:
    file = _sqlite_file(url)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)


def _sqlite_file(url: str) -> Path | None:
    scheme, _, path = url.partition(":///")
    return Path(path.partition("?")[0]) if scheme.startswith("sqlite") and path else None
