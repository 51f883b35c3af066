"""What the screens of machines say just now, as the pretend machines told it: the page shows it
beside the code, as it would be seen by somebody who stands before the machine.

No part of Alipay's wire, and no money depends on it.
"""

from collections.abc import Callable
from dataclasses import dataclass

FORGOTTEN_AFTER_MS = 30_000
"""A machine that has said nothing for so long is dark, or gone."""
TEXT_MAX = 120
LEFT_MAX_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one machine shows. ``amount`` is what it asks for, as Alipay writes amounts; empty:
    nothing. ``until_ms``: when the offer ends.
    """

    text: str
    amount: str = ""
    until_ms: int | None = None


class Screens:
    """One for each code that a machine told of; who tells names codes that exist, so their number
    bounds it.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._shown: dict[str, tuple[int, Shown]] = {}

    def tell(self, qrcode: str, shown: Shown) -> None:
        """Note what the machine with this code shows from now on."""
        self._shown[qrcode] = (self._now_ms(), shown)

    def of(self, qrcode: str) -> Shown | None:
        """Return what the machine with this code shows; None if it is long since it said so."""
        at_ms, shown = self._shown.get(qrcode, (None, None))
        if at_ms is None or self._now_ms() - at_ms > FORGOTTEN_AFTER_MS:
            return None
        return shown
