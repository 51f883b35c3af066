"""When a host listens again: after it started, after a time in which nothing could be saved or
decided. What was due meanwhile must not be acted on before machines could speak.

Flows in: how long something took that usually takes moments. Flows out: the letter by which a
machine's core sets its deadlines right (``Resumed``), once for each such time and only where
something comes of it.
"""

import structlog

from actors.host.runner import Letter, Runner
from actors.ports import Clock

log = structlog.get_logger()


class Resuming:
    """``outage_s``: who could do nothing for this long listens again afterwards."""

    def __init__(self, *, clock: Clock, outage_s: float) -> None:
        self._clock = clock
        self._outage_s = outage_s
        self._times = 0
        self._reason = ""

    def now(self, reason: str) -> None:
        """From now on this host can hear machines and save what they say; ``reason`` tells why it
        could not.
        """
        self._times += 1
        self._reason = reason

    def lost(self, lost_s: float, reason: str) -> None:
        """So much time was lost; it counts if it was long."""
        if lost_s >= self._outage_s:
            log.warning("the host listens again", lost_s=round(lost_s, 1), reason=reason)
            self.now(reason)

    def letter(self, runner: Runner) -> Letter | None:
        """Return the letter that tells the machine so, if it must be told. A machine whose core
        raises is left to its next turn, which halts it.
        """
        if runner.resumed == self._times:
            return None
        try:
            return runner.resume(self._times, self._reason, self._clock.now_ms())
        except Exception as error:
            log.exception("cannot resume", machine_id=runner.machine_id, error=str(error))
            return None
