"""The folder in which the bytes of assets are, each under its hash.

Flows in: files, whole. Flows out: where they are. A file is there whole or not at all: it is
written beside its place, flushed, and moved there in one step; when it goes it is moved out of it
first (``gateway.screens.unnamed``). Gateways that serve one installation share the folder, and no
other installation does.
"""

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

_SHA256 = re.compile(r"[0-9a-f]{64}")
_ASIDE, _NEW = ".gone-", ".new-"


def is_hash(text: str) -> bool:
    """Return whether a text can name a file."""
    return _SHA256.fullmatch(text) is not None


class AssetFolder:
    """A folder. It is made with the first file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> bool:
        """Keep a file; return whether it was not there before. Raises OSError; then nothing is
        there.
        """
        place = self._folder / hashlib.sha256(content).hexdigest()
        if _read(place) == content:
            with contextlib.suppress(
                OSError
            ):  # It may be another user's, and is there all the same.
                os.utime(place)
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=_NEW, delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(place)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        return True

    def put_aside(self, sha256: str) -> list[Path]:
        """Take a file out of its place, under a name that nobody else has, and take over what
        others left of it aside; return where that is by now, nothing if it is not there. Raises
        OSError.
        """
        there = [] if (place := self.find(sha256)) is None else [place]
        return self._aside(sha256, there)

    def take_over(self, sha256: str) -> list[Path]:
        """Take over what others left of a file aside, and leave alone what is in its place by now:
        whoever brought it again has machines that fetch it. Raises OSError.
        """
        return self._aside(sha256, ())

    def _aside(self, sha256: str, there: Sequence[Path]) -> list[Path]:
        aside = []
        for one in (*there, *self._folder.glob(f"{_ASIDE}{sha256}-*")):
            mine = self._folder / f"{_ASIDE}{sha256}-{secrets.token_hex(8)}"
            try:
                one.rename(mine)
            except FileNotFoundError:  # Somebody else was first.
                continue
            aside.append(mine)
        return aside

    def settle(self, sha256: str, aside: Sequence[Path], *, comes_back: bool) -> None:
        """Bring a file back into its place, or delete what was put aside of it, but for what
        somebody else took over. Raises OSError.
        """
        for one in aside:
            try:
                if comes_back:
                    one.replace(self._folder / sha256)
                else:
                    one.unlink()
            except FileNotFoundError:
                continue

    def left_aside(self) -> list[str]:
        """Return the hashes of files that were put aside, and are still there."""
        names = {one.name.removeprefix(_ASIDE) for one in self._folder.glob(f"{_ASIDE}*")}
        return sorted({name.partition("-")[0] for name in names})

    def written_before(self, before_ms: int) -> list[str]:
        """Return the hashes of files that nobody brought since this moment, by the clock of the
        folder's computer.
        """
        return sorted(one.name for one in self._before("*", before_ms) if is_hash(one.name))

    def drop_unfinished(self, before_ms: int) -> None:
        """Delete what was left beside its place by whoever was killed while they wrote it. Raises
        OSError.
        """
        for one in self._before(f"{_NEW}*", before_ms):
            one.unlink(missing_ok=True)

    def _before(self, pattern: str, before_ms: int) -> Iterator[Path]:
        for one in self._folder.glob(pattern):
            with contextlib.suppress(FileNotFoundError):
                if one.stat().st_mtime_ns // 1_000_000 < before_ms:
                    yield one

    def find(self, sha256: str) -> Path | None:
        """Return where a file is; None if it is not there."""
        if not is_hash(sha256):
            return None
        place = self._folder / sha256
        return place if place.is_file() else None


def _read(place: Path) -> bytes | None:
    """Return what is in a file; None if it is not there, because it was just put aside."""
    try:
        return place.read_bytes() if place.is_file() else None
    except FileNotFoundError:
        return None
