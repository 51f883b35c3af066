"""Lets the pretend Alipay's page show what the screens of machines say, as somebody would see it
who stands before them with a phone.

Flows in: machines. Flows out: their screens, as they change and now and then again, through the
phone. Nothing depends on it: when nobody listens, it tries again later.
"""

import asyncio
from collections.abc import Callable, Sequence

from gateway.simulator.board import Board
from gateway.simulator.phone import Phone
from gateway.simulator.screen import amount_text

LOOK_EVERY_S = 0.5
AGAIN_AFTER_S = 10.0
"""What has not changed is told again: who listens forgets it after a while."""
QUIET_S = 5.0
"""After nobody listened."""
SCREENS_MAX = 200
"""In one call."""


class Billboard:
    """Remembers what was told of each machine, so that only changes are told."""

    def __init__(self, machines: Sequence[Board], phone: Phone) -> None:
        self._machines = machines
        self._phone = phone
        self._told: dict[str, tuple[object, ...]] = {}

    async def keep(self, *, now_s: Callable[[], float] | None = None) -> None:
        """Tell what changes, until cancelled."""
        now_s = now_s or asyncio.get_running_loop().time
        again_at_s = now_s() + AGAIN_AFTER_S
        while True:
            if now_s() >= again_at_s:
                self._told.clear()
                again_at_s = now_s() + AGAIN_AFTER_S
            await asyncio.sleep(LOOK_EVERY_S if await self.tell(now_s()) else QUIET_S)

    async def tell(self, now_s: float) -> bool:
        """Tell what has changed; return False if nobody listened, so that all is news again."""
        news: dict[str, tuple[object, ...]] = {}
        screens = []
        for machine in self._machines:
            if not machine.sticker:
                continue
            told = told_of(machine)
            left_ms = told["left_ms"]
            until_s = None if not isinstance(left_ms, int) else round(now_s + left_ms / 1000)
            seen = (told["text"], told["amount"], until_s)
            if self._told.get(machine.sticker) != seen:
                news[machine.sticker] = seen
                screens.append(told)
        for start in range(0, len(screens), SCREENS_MAX):
            if not await self._phone.show(screens[start : start + SCREENS_MAX]):
                self._told.clear()
                return False
        self._told |= news
        return True


def told_of(machine: Board) -> dict[str, object]:
    """Return what a machine's screen says, as the pretend Alipay's control API takes it."""
    screen = machine.screen
    text = screen.text or "The screen is dark."
    if screen.funds_minor is not None:
        text += f" (credit {amount_text(screen.funds_minor, screen.currency)})"
    asked = screen.amount_minor
    return {
        "qrcode": machine.sticker,
        "text": text,
        "amount": "" if asked is None else amount_text(asked, screen.currency),
        "left_ms": screen.left_ms,
    }
