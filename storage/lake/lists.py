"""The list of the lake's files as SQL has it, within a transaction: what readers may read, what is
planned, and what one file takes the place of.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from storage.lake.columns import FORMAT
from storage.lake.duck import LakeError
from storage.lake.folder import Made
from storage.tables import lake_files

_C = lake_files.c
_AT_ONCE = 500
"""So many names are written of at once."""


class Stream(StrEnum):
    """What files are of: facts, or facts added up."""

    SALES = "SALES"
    CUBES = "CUBES"


class FileState(StrEnum):
    """How far a file is."""

    PLANNED = "PLANNED"
    WRITTEN = "WRITTEN"
    REPLACED = "REPLACED"


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeFile:
    """A file of the list; ``path`` is below the lake's folder."""

    path: str
    stream: str
    d: int
    from_position: int
    to_position: int
    state: str = FileState.PLANNED.value
    format: int = FORMAT
    rows: int = 0
    bytes: int = 0
    sha256: str = ""
    made_of: str = ""
    changed_at_ms: int = 0


def has_files(connection: Connection) -> bool:
    """Return whether there is any file that readers may read."""
    wanted = select(_C.path).where(_C.state == FileState.WRITTEN.value).limit(1)
    return connection.scalar(wanted) is not None


def written(
    connection: Connection, stream: Stream, *, first: int = 0, last: int = 99_999_999
) -> list[LakeFile]:
    """Return the files that readers may read of these local days, by day and range."""
    rows = connection.execute(
        select(lake_files)
        .where(_C.stream == stream.value, _C.state == FileState.WRITTEN.value)
        .where(_C.d >= first, _C.d <= last)
        .order_by(_C.d, _C.from_position, _C.path)
    ).mappings()
    found = [_file(row) for row in rows]
    newer = [one for one in found if one.format > FORMAT]
    if newer:
        raise LakeError(
            f"{newer[0].path} has columns of version {newer[0].format}, and this program knows "
            f"{FORMAT}: use the newer program."
        )
    return found


def planned_range(connection: Connection, position: int) -> tuple[int, int] | None:
    """Return the range of an export that was planned behind this position and not confirmed."""
    row = connection.execute(
        select(_C.from_position, _C.to_position).where(
            _C.stream == Stream.SALES.value,
            _C.state == FileState.PLANNED.value,
            _C.from_position == position,
            _C.to_position > position,
        )
    ).first()
    return None if row is None else (row.from_position, row.to_position)


def plan(connection: Connection, files: Sequence[LakeFile], *, position: int, now_ms: int) -> None:
    """Plan these files, in the place of whatever somebody else had planned and not confirmed:
    either files of an export behind ``position``, or such as are made of others.
    """
    if not files:
        return
    exports = files[0].to_position > position
    others = _C.to_position > position if exports else _C.to_position <= position
    connection.execute(delete(lake_files).where(_C.state == FileState.PLANNED.value, others))
    connection.execute(insert(lake_files), [_row(one, now_ms) for one in files])


def confirm(connection: Connection, made: Iterable[tuple[str, Made]], *, now_ms: int) -> None:
    """Let readers read planned files from now on."""
    for path, one in made:
        changed = connection.execute(
            update(lake_files)
            .where(_C.path == path, _C.state == FileState.PLANNED.value)
            .values(
                state=FileState.WRITTEN.value,
                rows=one.rows,
                bytes=one.bytes,
                sha256=one.sha256,
                changed_at_ms=now_ms,
            )
        )
        if changed.rowcount != 1:
            raise LakeError(f"{path} is not planned any more: do it again.")


def replace(connection: Connection, paths: Sequence[str], *, now_ms: int) -> None:
    """Let nobody read these files any more who does not do so already."""
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        connection.execute(
            update(lake_files)
            .where(_C.path.in_(some))
            .values(state=FileState.REPLACED.value, changed_at_ms=now_ms)
        )


def replace_all(connection: Connection, now_ms: int) -> None:
    """Let nobody read any file of the list."""
    connection.execute(
        update(lake_files)
        .where(_C.state != FileState.REPLACED.value)
        .values(state=FileState.REPLACED.value, changed_at_ms=now_ms)
    )


def replaced(connection: Connection, *, before_ms: int) -> list[str]:
    """Return the files that were replaced before then, and can go."""
    gone = select(_C.path).where(
        _C.state == FileState.REPLACED.value, _C.changed_at_ms <= before_ms
    )
    return list(connection.scalars(gone.order_by(_C.path)))


def forget(connection: Connection, paths: Sequence[str]) -> None:
    """Take files off the list that are not there any more."""
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        connection.execute(
            delete(lake_files).where(_C.path.in_(some), _C.state == FileState.REPLACED.value)
        )


def known(connection: Connection) -> frozenset[str]:
    """Return the names of all files of the list."""
    return frozenset(connection.scalars(select(_C.path)))


def hash_of_names(files: Iterable[LakeFile]) -> str:
    """Return what says of which files something was made."""
    return sha256("\n".join(sorted(one.path for one in files)).encode()).hexdigest()


def by_day(files: Iterable[LakeFile]) -> dict[int, list[LakeFile]]:
    """Return files by their day, the earliest first."""
    days: dict[int, list[LakeFile]] = {}
    for one in sorted(files, key=lambda one: one.d):
        days.setdefault(one.d, []).append(one)
    return days


def _file(row: RowMapping) -> LakeFile:
    return LakeFile(**row)


def _row(one: LakeFile, now_ms: int) -> dict[str, Any]:
    values = {column.name: getattr(one, column.name) for column in _C}
    return values | {"changed_at_ms": now_ms}
