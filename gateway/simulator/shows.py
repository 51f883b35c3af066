"""What a machine's screen shows between customers, as its page asks for it.

Flows in: what the page shows and has shown. Flows out: the playlist of this moment, and the files
in it. A machine that was told nothing shows its own face: ``NO_SHOWS``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol


class NotCounted(Exception):
    """Nothing was counted, for a reason that ends: it is to be told again."""


class Shows(Protocol):
    """What the page needs of whoever keeps the files."""

    def playlist(self) -> dict[str, Any] | None:
        """Return what is shown now, and for how long each of it; None: nothing."""

    def file(self, sha256: str) -> tuple[Path, str] | None:
        """Return the file with this hash and its media type; None if it is not shown now."""

    def played(self, plays: Sequence[Any]) -> bool:
        """Count what was shown. False if it cannot be read; then nothing is counted. Raises
        NotCounted.
        """


class _NoShows:
    def playlist(self) -> dict[str, Any] | None:
        return None

    def file(self, sha256: str) -> tuple[Path, str] | None:  # noqa: ARG002 - the protocol's
        return None

    def played(self, plays: Sequence[Any]) -> bool:
        return not plays


NO_SHOWS: Shows = _NoShows()
