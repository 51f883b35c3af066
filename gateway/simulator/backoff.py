"""How long a machine waits before it tries again. Pure.

Flows in: how the last stream ended, and the guidance of the last Welcome. Flows out: milliseconds
to wait, or None: stop and call a person. Full jitter: the wait is drawn evenly from 0 to a range
that doubles with each failure, so that a thousand machines that lost one gateway do not come back
in one wave.
"""

from random import Random

import grpc

INITIAL_MS = 1_000
MAX_MS = 60_000
REFUSAL_WAITS_MS = (60_000, 300_000, 900_000, 3_600_000)

REFUSALS = frozenset(
    {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND}
)
"""A certificate or a registration has to be changed by a person: a few long waits, then stop and
say so.
"""
LONG_WAITS = frozenset(
    {
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""Trying again soon cannot help either, but the cure may come from the other side: long waits, for
ever.
"""


class Backoff:
    """One machine's patience. Reset by Welcome only, never by a mere connection."""

    def __init__(
        self,
        rng: Random,
        *,
        initial_ms: int = INITIAL_MS,
        max_ms: int = MAX_MS,
        refusal_waits_ms: tuple[int, ...] = REFUSAL_WAITS_MS,
    ) -> None:
        self._rng = rng
        self._initial_ms = initial_ms
        self._max_ms = max_ms
        self._refusal_waits_ms = refusal_waits_ms
        self._failures = 0
        self._refusals = 0

    def welcomed(self, guidance: tuple[int, int] | None) -> None:
        """A Welcome came; ``guidance`` is its (initial, max) in milliseconds, if it gave any."""
        self._failures = self._refusals = 0
        if guidance is not None and guidance[0] > 0:
            self._initial_ms = guidance[0]
            self._max_ms = max(guidance)

    def after_power_up(self) -> int:
        """Return the wait before the first try: when the power of a whole street returns, not all
        machines may call at once.
        """
        return self._rng.randint(0, self._initial_ms)

    def after(self, code: grpc.StatusCode) -> int | None:
        """Return the wait after a stream that ended with ``code``, in milliseconds; None if it is a
        person's turn.
        """
        if code in REFUSALS or code in LONG_WAITS:
            waits_ms = self._refusal_waits_ms
            if code in REFUSALS and self._refusals >= len(waits_ms):
                return None
            range_ms = (waits_ms or REFUSAL_WAITS_MS)[min(self._refusals, len(waits_ms) - 1)]
            self._refusals += 1
            return self._rng.randint(range_ms // 2, range_ms)
        if code is grpc.StatusCode.ABORTED:
            # Another stream with this identity took over. If it is not ours, coming back at once
            # would start a fight.
            return self._rng.randint(self._max_ms // 2, self._max_ms)
        range_ms = min(self._max_ms, self._initial_ms * 2 ** min(self._failures, 32))
        self._failures += 1
        return self._rng.randint(0, range_ms)
