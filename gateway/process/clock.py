"""Wall time: the one place where the gateway and its hosts read it."""

import time

from actors.ports import Clock


class SystemClock(Clock):
    """The computer's own clock."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000
