"""What a machine's screen shows between customers, as its page asks for it.

Flows in: what the page shows and has shown. Flows out: the playlist of this moment, and the files
in it. A machine that was told nothing shows its own face: ``NO_SHOWS``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


class NotCounted(Exception):
    """Nothing was counted, for a reason that ends: it is to be told again."""


@dataclass(frozen=True, slots=True)
class PageTold:
    """Which of the things that a page tells one is: a page tells it again, unchanged, until it is
    answered, so that it is counted once although nobody heard the answer. ``page``: of a page from
    when it was opened.
    """

    page: str
    number: int


class Shows(Protocol):
    """What the page needs of whoever keeps the files."""

    def playlist(self) -> dict[str, Any] | None:
        """Return what is shown now, and for how long each of it; None: nothing."""

    def file(self, sha256: str) -> tuple[Path, str] | None:
        """Return the file with this hash and its media type; None if it is not shown now."""

    def played(self, plays: Sequence[Any], told: PageTold | None) -> bool:
        """Count what was shown, once however often it is told; None: a page of before, which tells
        it in another way each time. False if it cannot be read; then nothing is counted. Raises
        NotCounted.
        """


class _NoShows:
    def playlist(self) -> dict[str, Any] | None:
        return None

    def file(self, sha256: str) -> tuple[Path, str] | None:  # noqa: ARG002 - the protocol's
        return None

    def played(self, plays: Sequence[Any], told: PageTold | None) -> bool:  # noqa: ARG002 - as above
        return not plays


NO_SHOWS: Shows = _NoShows()
