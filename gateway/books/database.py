"""The database before it is opened: its folder, its schema, and who serves it.

Flows in: where it is. Flows out: nothing, or a sentence that says what to do. A SQLite file of a
developer is made by itself when there is none; every other database is upgraded by a person's
command, because others may be using it.

Beside a SQLite file that was ever served stands an empty one, ``<name>-serving``. Its lock is held
while a gateway with hosts of its own serves it: a second one would take its machines away, and lose
them again, in turns. Who has the database open saves nothing more once the mark is not the one that
was there (``storage.database.sqlite``). And it remembers that there was a database: one that is
gone is not begun anew without a word.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import structlog

from actors.ports import StoreError
from gateway.links.turn import BEAT_S
from storage.database import migrate, moving, schema
from storage.database.durability import require_durable
from storage.database.engine import Database, StorageConfig
from storage.database.sqlite import serving_mark

_log = structlog.get_logger()


class SchemaMismatch(Exception):
    """The database is not at this program's schema, or not there any more; the sentence says what
    to do.
    """


def upgrade(config: StorageConfig) -> tuple[str | None, str]:
    """Bring the database to this program's schema; return the versions before and after. Raises
    SchemaMismatch or StoreError, also if a program serves it that would not work with that schema.
    """
    _make_folder(config.url)
    _require_file(config.url)
    before = migrate.current(config.url)
    _require_content(config.url, before)
    changes = before not in (None, migrate.head()) and schema.knows(before)
    with _without_older(config.url) if changes else nullcontext():
        migrate.upgrade(config.url)
    newer = before if before is not None and not schema.knows(before) else None
    return before, newer or migrate.head()


def move(source: StorageConfig, target: StorageConfig) -> tuple[int, Path]:
    """Move a SQLite database that nobody serves into an empty PostgreSQL; return how many rows it
    has, and under which name the file is kept: nobody serves it any more by mistake. Raises
    StoreError.
    """
    file = _sqlite_file(source.url)
    if file is None:
        raise StoreError(moving.ONE_WAY)
    if not file.exists():
        raise StoreError(f"There is no database {file}.")
    kept = file.with_name(f"{file.name}.moved")
    if kept.exists():
        raise StoreError(f"{kept} is there already: put it away first.")
    with served_alone(source.url):
        rows = moving.move(source.url, target.url)
        for ending in ("-wal", "-shm", ""):
            beside = file.with_name(f"{file.name}{ending}")
            if beside.exists():
                beside.rename(kept.with_name(f"{kept.name}{ending}"))
    return rows, kept


@contextmanager
def _without_older(url: str) -> Iterator[None]:
    """Let no gateway serve a SQLite file while the block lasts; of PostgreSQL, see that no host
    beats whose program is older than the new schema works with. Raises StoreError.
    """
    with served_alone(url) as proved:
        older = {} if proved else _older(url)
        if older:
            time.sleep(BEAT_S)
            later = _older(url)
            alive = [holder for holder in sorted(later) if later[holder] != older.get(holder)]
            if alive:
                said = " and ".join(f"{one} (program {later[one].program or '?'})" for one in alive)
                raise StoreError(
                    f"The database is served by {said}, and schema {schema.head()} works with "
                    f"programs of {schema.oldest_program()} and newer only: replace its hosts and "
                    "its gateways by such, or end them, then upgrade it. Nothing was changed."
                )
        yield


def _older(url: str) -> dict[str, migrate.Serving]:
    oldest = schema.oldest_program()
    return {name: one for name, one in migrate.serving(url).items() if one.program < oldest}


async def require_schema(config: StorageConfig) -> None:
    """Return if this program works with the database's schema; an empty SQLite file gets its own.
    Raises SchemaMismatch or StoreError.
    """
    _make_folder(config.url)
    _require_file(config.url)
    refused = await asyncio.to_thread(migrate.refusal, config.url)
    if not refused:
        return
    found = await asyncio.to_thread(migrate.current, config.url)
    _require_content(config.url, found)
    if found is None and (file := _sqlite_file(config.url)) is not None:
        await asyncio.to_thread(migrate.upgrade, config.url)
        _log.info("made a new database", file=str(file), schema=migrate.head())
        return
    raise SchemaMismatch(refused)


def check(config: StorageConfig, *, durable: bool) -> str:
    """Return a sentence about its schema if the database can be read, has one with which this
    program works and, with ``durable``, promises what money needs. Nothing is written. Raises
    SchemaMismatch or StoreError.
    """
    return asyncio.run(_check(replace(config, read_only=True), durable=durable))


async def _check(config: StorageConfig, *, durable: bool) -> str:
    database = await Database.open(config)
    try:
        if durable:
            await database.read(require_durable)
        there, mine = await database.read(schema.found), schema.head()
    finally:
        await database.close()
    beside = "" if there == mine else f"; this program works with it and was written for {mine}"
    return f"the database has schema {there}{beside}"


def _make_folder(url: str) -> None:
    file = _sqlite_file(url)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)


def _sqlite_file(url: str) -> Path | None:
    scheme, _, path = url.partition(":///")
    return Path(path.partition("?")[0]) if scheme.startswith("sqlite") and path else None


def _require_file(url: str) -> None:
    file = _sqlite_file(url)
    if file is not None and not file.exists() and serving_mark(file).exists():
        raise _not_begun_anew(file, "gone")


def _require_content(url: str, found: str | None) -> None:
    """Refuse a file that is there and has nothing in it, as a command or ``touch`` may leave one
    where a database was.
    """
    file = _sqlite_file(url)
    if file is not None and found is None and serving_mark(file).exists():
        raise _not_begun_anew(file, "empty")


def _not_begun_anew(file: Path, state: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"The database {file} is {state}, and it was served before: put it back, or its backup. "
        f"To begin with an empty one, end every gateway on it and remove {serving_mark(file)}."
    )


@contextmanager
def served_alone(url: str) -> Iterator[bool]:
    """Let no other gateway with hosts of its own serve this SQLite file while the block lasts; a
    lock that the kernel takes back, however this process ends. On PostgreSQL the holders' leases
    decide. Gives whether the lock is held. Raises StoreError.
    """
    file = _sqlite_file(url)
    if file is None:
        yield False
        return
    descriptor = os.open(serving_mark(file), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"Another gateway serves the database {file}, or somebody upgrades it: end it "
                "first, or give this one a database of its own. Several gateways share one "
                "PostgreSQL."
            ) from None
        # Who held it may have gone just now, and the mark with them: then this locks nothing.
        if not _is_open_as(descriptor, serving_mark(file)):
            raise StoreError(f"{serving_mark(file)} was removed just now: start again.")
        yield True
    finally:
        os.close(descriptor)


def _is_open_as(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
