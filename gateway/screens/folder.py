"""The folder in which the bytes of assets are, each under its hash.

Flows in: files, whole. Flows out: where they are. A file is there whole or not at all: it is
written beside its place, flushed, and moved there in one step. Gateways that serve one installation
share the folder.
"""

import hashlib
import os
import re
import tempfile
from pathlib import Path

_SHA256 = re.compile(r"[0-9a-f]{64}")


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
        if place.is_file() and place.read_bytes() == content:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
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

    def drop(self, sha256: str) -> None:
        """Forget a file that nothing names. Raises OSError."""
        if (place := self.find(sha256)) is not None:
            place.unlink(missing_ok=True)

    def find(self, sha256: str) -> Path | None:
        """Return where a file is; None if it is not there."""
        if not is_hash(sha256):
            return None
        place = self._folder / sha256
        return place if place.is_file() else None
