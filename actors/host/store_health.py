"""Whether the store answers, and when to try it again."""

import random
from collections.abc import Callable


class StoreHealth:
    """``time_s`` is the loop's time. Waits grow from ``first_s`` to ``longest_s``, shortened by
    chance, so that hosts do not try in step.
    """

    def __init__(
        self, *, first_s: float, longest_s: float, rng: random.Random, time_s: Callable[[], float]
    ) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._rng = rng
        self._time_s = time_s
        self._failures = 0
        self._since_s = 0.0
        self._until_s = 0.0

    @property
    def away(self) -> bool:
        """Whether the last try failed."""
        return self._failures > 0

    @property
    def away_s(self) -> float:
        """For how long the store has been away."""
        return self._time_s() - self._since_s if self.away else 0.0

    @property
    def wait_s(self) -> float:
        """How long to wait before the next try."""
        return max(0.0, self._until_s - self._time_s()) if self.away else 0.0

    def failed(self) -> None:
        """Note a failed try. Failures of tries that were made side by side count once."""
        now_s = self._time_s()
        if self.away and now_s < self._until_s:
            return
        if not self.away:
            self._since_s = now_s
        longest = min(self._longest_s, self._first_s * 2 ** min(self._failures, 16))
        self._failures += 1
        self._until_s = now_s + longest * self._rng.uniform(0.5, 1.0)

    def answered(self) -> None:
        """Note a try that succeeded."""
        self._failures = 0
