"""How much somebody may ask for: a burst at once, and a steady rate.

Flows in: seconds of a monotonic clock. Flows out: whether one more is within bounds, or how long it
takes until it is.
"""


class TokenBucket:
    """Holds at most ``burst`` tokens and gains ``rate`` of them a second."""

    __slots__ = ("_burst", "_filled_at", "_rate", "_tokens")

    def __init__(self, *, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled_at = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Take tokens; False if there are not enough, and then none is taken."""
        self._fill(now)
        if self._tokens < amount:
            return False
        self._tokens -= amount
        return True

    def spend(self, now: float, amount: float) -> float:
        """Take tokens that may not be there, and return the seconds until they are. The debt is at
        most a burst.
        """
        self._fill(now)
        self._tokens = max(-self._burst, self._tokens - amount)
        return self._owed_s()

    def owed_s(self, now: float) -> float:
        """Return the seconds until nothing is owed."""
        self._fill(now)
        return self._owed_s()

    def _owed_s(self) -> float:
        return 0.0 if self._tokens >= 0 else -self._tokens / self._rate

    def _fill(self, now: float) -> None:
        tokens = self._tokens + (now - self._filled_at) * self._rate
        self._tokens = min(tokens, self._burst)
        self._filled_at = now
