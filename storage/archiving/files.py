"""The files of an archive: a folder for each month, with lines of JSON, gzipped, and a manifest.

``journal``, ``transfers`` and ``inbox`` hold the rows as their tables do, by the names of the
columns; ``starts`` holds, for each machine, where its books begin behind this month. The manifest
names each file with its SHA-256 and the SHA-256 of the manifest before, so that the newest
manifest's hash, which the database keeps, stands for all months. It is written last: a folder
without one is unfinished and counts for nothing.

Flows in: rows. Flows out: files, or ArchiveRefused with a sentence that says what to do.
"""

import fcntl
import gzip
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import JSON, Table

from storage.tables import inbox, journal, starts, transfers

FORMAT = 1
MANIFEST = "manifest.json"
TABLES = (journal, transfers, inbox, starts)
UNFINISHED = ".unfinished"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class ArchiveRefused(Exception):
    """The archive cannot be written, or is not what was written. The text says what to do."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a month."""

    name: str
    rows: int
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a month's folder holds. ``previous_sha256`` is that of the manifest of the month before,
    '' if it is the first. ``installation_ms`` names the database: when it was made.
    """

    format: int
    installation_ms: int
    month: str
    end_ms: int
    exported_at_ms: int
    previous_sha256: str
    files: list[File]


@dataclass(frozen=True, slots=True)
class Month:
    """A month's folder that is complete, with its manifest and the manifest's SHA-256."""

    folder: Path
    manifest: Manifest
    sha256: str


def name_of(table: Table) -> str:
    """Return the name of a table's file."""
    return f"{table.name}.jsonl.gz"


class MonthWriter:
    """Writes one month's folder. What an earlier try left behind is written again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[File] = []
        known = {name_of(table) for table in TABLES}
        known |= {f"{name}{UNFINISHED}" for name in (*known, MANIFEST)}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            there = {path.name for path in folder.iterdir()}
            if strange := sorted(there - known):
                raise ArchiveRefused(
                    f"{folder} holds {strange[0]}, which no archive wrote: name another folder."
                )
            for name in there:
                (folder / name).unlink()
        except OSError as error:
            raise _cannot(folder, error) from error

    def write(self, table: Table, rows: Iterable[Iterable[Any]]) -> int:
        """Write the rows of a table; each has the values of all its columns. Return how many."""
        names = [column.name for column in table.columns]
        texts = {column.name for column in table.columns if isinstance(column.type, JSON)}
        path = self._folder / f"{name_of(table)}{UNFINISHED}"
        count = 0
        try:
            with path.open("wb") as file:
                os.fchmod(file.fileno(), 0o600)
                # No time and no name in it: the same rows are the same bytes.
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                    for row in rows:
                        line = {
                            name: msgspec.Raw(value.encode())
                            if name in texts and value is not None
                            else value
                            for name, value in zip(names, row, strict=True)
                        }
                        packed.write(_encode(line) + b"\n")
                        count += 1
                file.flush()
                os.fsync(file.fileno())
            path.rename(path.with_name(name_of(table)))
        except OSError as error:
            raise _cannot(path, error) from error
        done = path.with_name(name_of(table))
        self._files.append(
            File(name=done.name, rows=count, bytes=done.stat().st_size, sha256=_sha256(done))
        )
        return count

    def finish(
        self, *, installation_ms: int, month: str, end_ms: int, now_ms: int, previous_sha256: str
    ) -> Month:
        """Write the manifest: from here on the month is exported."""
        manifest = Manifest(
            format=FORMAT,
            installation_ms=installation_ms,
            month=month,
            end_ms=end_ms,
            exported_at_ms=now_ms,
            previous_sha256=previous_sha256,
            files=self._files,
        )
        path = self._folder / f"{MANIFEST}{UNFINISHED}"
        try:
            with path.open("wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(msgspec.json.format(_encode(manifest), indent=2) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            path.rename(path.with_name(MANIFEST))
            for folder in (self._folder, self._folder.parent):
                _on_disk(folder)
        except OSError as error:
            raise _cannot(path, error) from error
        return read_month(self._folder)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep every other run out of an archive's folder until the block ends or the process dies. A
    folder that was made for it, and is empty at the end, goes again. Raises ArchiveRefused.
    """
    try:
        made = not folder.exists()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _cannot(folder, error) from error
    try:
        with suppress(OSError):  # a network's disk may know no locks
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ArchiveRefused(
                    f"Another run is archiving into {folder}: wait until it has ended."
                ) from None
        yield
    finally:
        os.close(held)
        if made:
            with suppress(OSError):  # something is in it
                folder.rmdir()


def months_in(folder: Path) -> list[Month]:
    """Return the complete months of an archive, oldest first, each chained to the one before it.
    Raises ArchiveRefused.
    """
    try:
        there = sorted(path for path in folder.iterdir()) if folder.exists() else []
        folders = {path for path in there if path.is_dir()}
        complete = {path for path in folders if (path / MANIFEST).exists()}
    except OSError as error:  # of another user's folder also "is it there?" has no answer
        raise _cannot(Path(error.filename or folder), error) from error
    found: list[Month] = []
    for path in there:
        if not _is_month(path.name) or path not in folders:
            raise ArchiveRefused(
                f"{folder} holds {path.name}, which is no month of an archive: name another folder."
            )
        if path not in complete:
            continue
        month = read_month(path)
        before = found[-1].sha256 if found else ""
        if month.manifest.previous_sha256 != before:
            raise ArchiveRefused(
                f"{path / MANIFEST} does not follow on the month before it: a month was changed, "
                "or removed."
            )
        found.append(month)
    return found


def read_month(folder: Path) -> Month:
    """Return a month by its manifest; raises ArchiveRefused."""
    path = folder / MANIFEST
    try:
        raw = path.read_bytes()
        manifest = msgspec.json.decode(raw, type=Manifest)
    except OSError as error:
        raise _cannot(path, error) from error
    except msgspec.DecodeError as error:
        raise ArchiveRefused(f"{path} is no manifest: {error}") from error
    if manifest.format != FORMAT or manifest.month != folder.name:
        raise ArchiveRefused(f"{path} is not that of {folder.name} in format {FORMAT}.")
    return Month(folder=folder, manifest=manifest, sha256=hashlib.sha256(raw).hexdigest())


def rows_of(month: Month, table: Table) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table's file as they were written; raises ArchiveRefused, at the end if
    the file is not whole.
    """
    known = {file.name: file for file in month.manifest.files}
    path = month.folder / name_of(table)
    file = known.get(path.name)
    if file is None:
        raise ArchiveRefused(f"{month.folder / MANIFEST} names no {path.name}.")
    texts = [isinstance(column.type, JSON) for column in table.columns]
    names = [column.name for column in table.columns]
    count = 0
    try:
        if _sha256(path) != file.sha256:
            raise ArchiveRefused(f"{path} was changed: its SHA-256 is not the manifest's.")
        with gzip.open(path, "rb") as packed:
            for line in packed:
                told = _decode(line)
                yield tuple(
                    _encode(told[name]).decode()
                    if is_text and told[name] is not None
                    else told[name]
                    for name, is_text in zip(names, texts, strict=True)
                )
                count += 1
    except (OSError, EOFError) as error:
        raise ArchiveRefused(f"{path} cannot be read: {error}") from error
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise ArchiveRefused(f"{path} holds what is no row of {table.name}: {error}") from error
    if count != file.rows:
        raise ArchiveRefused(f"{path} has {count} rows, and its manifest says {file.rows}.")


def _is_month(name: str) -> bool:
    year, dash, month = name.partition("-")
    return len(name) == 7 and dash == "-" and year.isdecimal() and month.isdecimal()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _on_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cannot(path: Path, error: OSError) -> ArchiveRefused:
    return ArchiveRefused(
        f"{path} cannot be used: {error.strerror or error}. Nothing was dropped for it."
    )
