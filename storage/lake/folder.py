"""The lake's folder: names of its files, and how one comes there whole or not at all.

A name belongs to one plan for ever: it holds the range of positions, and the epoch and number of
who wrote it. So a process that was frozen and wakes up later cannot put its file in the place of
another's. What is being written stands aside, in a folder that no reader looks into.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from storage.lake.columns import FORMAT
from storage.lake.duck import LakeError

ASIDE = "_aside"
MARK = "_vendgate.json"
_NAME = re.compile(r"(?:sales|cubes)/\d{8}/\d{12,}-\d{12,}-e(\d{6,})-\d{5,}\.parquet")
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A file that is whole and durable. ``bytes`` is its length."""

    rows: int
    bytes: int
    sha256: str


class LakeFolder:
    """A folder, which is made if there is none."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def claim(self, installation: str, *, has_files: bool = False) -> None:
        """Mark it as this installation's. Raises LakeError if it is another's: each would remove
        the files of the other; or if it ``has_files`` but no mark, as a folder that is not mounted.
        """
        mark = self.root / MARK
        told = {"installation": installation, "format": FORMAT}
        if has_files:
            self.check_there()
        (self.root / ASIDE).mkdir(parents=True, exist_ok=True)
        if mark.exists():
            try:
                said = json.loads(mark.read_text())["installation"]
            except (ValueError, KeyError, TypeError):
                said = "?"
            if said != installation:
                raise LakeError(
                    f"{self.root} is the lake of another database: give each its own, lake.folder."
                )
            return
        aside = self.aside(MARK)
        aside.write_text(json.dumps(told))
        self.publish(aside, MARK)

    def check_there(self) -> None:
        """Raise LakeError if it has no mark, though files of it are listed."""
        if not (self.root / MARK).exists():
            raise LakeError(
                f"{self.root} is no lake, and the database lists files of one: is its disk there, "
                "and does lake.folder name it? 'vendgate lake export --again' makes a new one."
            )

    def path(self, name: str) -> Path:
        """Return where a file is."""
        return self.root / name

    def paths(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return where files are, as DuckDB wants to hear it."""
        return tuple(str(self.root / name) for name in names)

    def aside(self, name: str) -> Path:
        """Return where what will be called so is written."""
        return self.root / ASIDE / name.replace("/", "_")

    def publish(self, aside: Path, name: str) -> None:
        """Give what stands aside its name, so that it survives a loss of power from here on."""
        synced(aside)
        there = self.root / name
        is_new = not there.parent.exists()
        there.parent.mkdir(parents=True, exist_ok=True)
        aside.replace(there)
        synced(there.parent)
        if is_new:
            synced(there.parent.parent)
            synced(self.root)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there, and its day's folder with the last one."""
        there = self.root / name
        there.unlink(missing_ok=True)
        if there.parent.is_dir() and not any(there.parent.iterdir()):
            there.parent.rmdir()

    def drop(self, name: str) -> None:
        """Remove what was to have this name, wherever it is by now."""
        self.aside(name).unlink(missing_ok=True)
        self.remove(name)

    def left(self, known: frozenset[str], *, before_epoch: int) -> Iterator[str]:
        """Yield names of files that earlier epochs left: those aside, and those that are not
        ``known``. What is not called like ours is nobody's business here.
        """
        for there in sorted((self.root / ASIDE).iterdir()):
            found = re.search(r"-e(\d{6,})-", there.name)
            if found and int(found[1]) < before_epoch:
                yield f"{ASIDE}/{there.name}"
        for there in sorted(self.root.glob("*/*/*.parquet")):
            name = there.relative_to(self.root).as_posix()
            found = _NAME.fullmatch(name)
            if found and int(found[1]) < before_epoch and name not in known:
                yield name


def file_name(stream: str, d: int, span: tuple[int, int], *, epoch: int, number: int) -> str:
    """Return the name of a file, which no other plan has."""
    first, last = span
    return f"{stream.lower()}/{d}/{first:012}-{last:012}-e{epoch:06}-{number:05}.parquet"


def synced(path: Path) -> None:
    """Wait until a file, or the list of a folder, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def made(path: Path, rows: int) -> Made:
    """Return what a file is, once it is on the disk."""
    synced(path)
    return Made(rows=rows, bytes=path.stat().st_size, sha256=hash_of(path))


def hash_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    told = sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            told.update(piece)
    return told.hexdigest()
