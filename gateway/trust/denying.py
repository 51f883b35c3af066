"""Keeps what this gateway knows of denials up to date, and has those who are denied closed.

Flows in: the names that SQL has, asked for every two seconds and as soon as somebody here denies.
Flows out: ``Denylist``, and a word to the doors when it has changed. While SQL does not answer, who
was denied stays denied.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import structlog

from actors.ports import StoreError
from gateway.rpc.denylist import Denylist

_log = structlog.get_logger()

LOOK_EVERY_S = 2.0
"""So often that with a slow answer, too, six seconds are not over before a door hears of it."""


@dataclass(slots=True, kw_only=True)
class Denying:
    """``names`` asks SQL. ``changed`` closes what is open of those who are denied now."""

    denied: Denylist
    names: Callable[[], Awaitable[Iterable[tuple[str, str, str]]]]
    changed: Callable[[], None]
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _untold: bool = False

    async def look(self) -> None:
        """Ask once. Raises StoreError."""
        if self.denied.set(await self.names()):
            self._untold = True
        if self._untold:
            self.changed()
            self._untold = False

    def wake(self) -> None:
        """Somebody has denied or allowed: ask now."""
        self._wake.set()

    async def run(self) -> None:
        """Ask again and again."""
        while True:
            self._wake.clear()
            try:
                await self.look()
            except StoreError as error:
                _log.warning("who is denied cannot be asked, what is known stays", error=str(error))
            except Exception:  # noqa: BLE001 - whatever it is, who is denied must be asked for again
                _log.exception("who is denied was not told to all doors, they are told again")
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
