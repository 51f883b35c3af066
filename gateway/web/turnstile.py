"""How many places each of many may take at the same time.

Flows in: who takes one, under a name. Flows out: a place for as long as the block lasts, or
TooMany. Whoever has taken all of theirs takes none of others.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class TooMany(Exception):
    """Whoever asks has as many places already as one may."""


class Turnstile:
    """``most``: places for one name."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    def is_full(self, name: str) -> bool:
        """Return whether there is no place for one more of this name."""
        return self._taken.get(name, 0) >= self._most

    @contextmanager
    def place(self, name: str) -> Iterator[None]:
        """Take a place. Raises TooMany."""
        if self.is_full(name):
            raise TooMany(name)
        self._taken[name] += 1
        try:
            yield
        finally:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]
