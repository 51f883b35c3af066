"""The time by which something is kept, as a test wants it."""

from dataclasses import dataclass

from actors.ports import Clock


@dataclass(slots=True)
class Keeping:
    """Says that it is ``at_ms``; ``sure``: as somebody knows."""

    at_ms: int
    sure: bool = True

    async def now_ms(self) -> int | None:
        """Return a time that is surely over."""
        return self.at_ms if self.sure else None

    async def likely_ms(self) -> int:
        """Return the time as well as it is known."""
        return self.at_ms


@dataclass(slots=True)
class KeptBy:
    """Says what this clock says, which is right."""

    clock: Clock

    async def now_ms(self) -> int | None:
        """Return a time that is surely over."""
        return self.clock.now_ms()

    async def likely_ms(self) -> int:
        """Return the time as well as it is known."""
        return self.clock.now_ms()
