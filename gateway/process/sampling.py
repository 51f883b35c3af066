"""Lets so many log lines of one kind through, and counts the rest.

Flows in: records on their way to a handler. Flows out: those that may be written; the first one
that is left out is told of, and how many there were is written once they have stopped, or with the
end of the process. Trouble that repeats a thousand times a second says so in a few lines, and does
not fill the disk that the books are on.
"""

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

BURST = 200
RATE_PER_S = 10.0
QUIET_S = 10.0
"""So long after the last line that was left out, their number is told."""
KINDS_MAX = 512
_TEXT_MAX = 120
_DIGITS = re.compile(r"\d+")

Kind = tuple[str, int, str]


@dataclass(slots=True)
class _Seen:
    """What is known of one kind."""

    tokens: float
    filled_at: float
    left_out: int = 0


class Sampler(logging.Filter):
    """A filter of one handler. A kind is a logger, a level and a text without its numbers."""

    def __init__(
        self, handler: logging.Handler, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._handler = handler
        self._now = now
        self._lock = threading.Lock()
        self._kinds: OrderedDict[Kind, _Seen] = OrderedDict()
        self._looked_at = now()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is to be written."""
        if isinstance(record, _OwnRecord):
            return True
        kind, now = kind_of(record), self._now()
        with self._lock:
            passes, say = self._take(kind, now)
        for line in say:
            self._handler.handle(line)
        return passes

    def report(self) -> None:
        """Write how many lines were left out and not told of yet."""
        with self._lock:
            say = [self._count(kind, seen) for kind, seen in self._kinds.items() if seen.left_out]
        for line in say:
            self._handler.handle(line)

    def _take(self, kind: Kind, now: float) -> tuple[bool, list[logging.LogRecord]]:
        say = self._quiet(now)
        seen = self._kinds.get(kind)
        if seen is None:
            if len(self._kinds) >= KINDS_MAX:
                oldest, gone = self._kinds.popitem(last=False)
                say += [self._count(oldest, gone)] if gone.left_out else []
            seen = self._kinds[kind] = _Seen(tokens=BURST, filled_at=now)
        self._kinds.move_to_end(kind)
        seen.tokens = min(BURST, seen.tokens + (now - seen.filled_at) * RATE_PER_S)
        seen.filled_at = now
        if seen.tokens >= 1:
            seen.tokens -= 1
            return True, say
        seen.left_out += 1
        if seen.left_out == 1:
            say.append(_line(kind, f"more lines of this kind are left out: {kind[2]}"))
        return False, say

    def _quiet(self, now: float) -> list[logging.LogRecord]:
        """Return what is to be told of kinds that have come to rest; looked at once a second."""
        if now - self._looked_at < 1:
            return []
        self._looked_at = now
        return [
            self._count(kind, seen)
            for kind, seen in self._kinds.items()
            if seen.left_out and now - seen.filled_at >= QUIET_S
        ]

    @staticmethod
    def _count(kind: Kind, seen: _Seen) -> logging.LogRecord:
        count, seen.left_out = seen.left_out, 0
        return _line(kind, f"{count} lines of this kind were left out: {kind[2]}")


class _OwnRecord(logging.LogRecord):
    """A line of the sampler's own, which is not sampled."""


def kind_of(record: logging.LogRecord) -> Kind:
    """Return what a line is a repetition of."""
    message = record.msg
    text = str(message.get("event", "") if isinstance(message, dict) else message)
    first = text.partition("\n")[0][:_TEXT_MAX]
    return record.name, record.levelno, _DIGITS.sub("#", first)


def _line(kind: Kind, text: str) -> logging.LogRecord:
    return _OwnRecord(kind[0], kind[1], __file__, 0, text, None, None)
