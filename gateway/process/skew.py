"""How far this process's clock is from Alipay's, by what Alipay says of the time.

Flows in: the Date of each answer of Alipay's, with when it was asked for and heard, and the
``notify_time`` of each verified notification. Flows out: by how much our clock is ahead, so that no
payment is judged by a clock that is wrong; and, once for each change, a warning.

An answer bounds it from both sides: its Date lies between question and hearing. What most answers
say counts: one of many computers of Alipay's, or a proxy, may have a clock that is wrong, and
payments must not be judged by it. A notification bounds it from one side: it cannot be heard before
it was sent. One that was sent long ago would look like a clock that is ahead, so that notifications
count only without answers, and when two payments agree.
"""

import functools
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median_high, median_low

import structlog

from actors.ports import Clock
from gateway.process.clock import process_clock

log = structlog.get_logger()

SAID_MS = 30_000
"""A difference of more than this is said to people."""
KEPT_MS = 6 * 3_600_000
"""What was heard longer ago than this says nothing any more: clocks drift."""
WRONG_MS = 86_400_000
"""A clock that is further off than this dates nothing."""
SAMPLES_MAX = 64
ANSWERS_MAX = 9
"""So many of the last answers are compared, so that a clock that changes is noticed soon."""
PAID_AGAIN_MS = 10_000
"""When somebody paid last is asked of SQL no more often: each act of an administrator asks."""
_DATE_MS = 1_000
"""A Date has whole seconds, cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    at_ms: int
    least_ms: int | None
    most_ms: int
    trade_id: str = ""


class Skew:
    """``clock`` is the one that is compared."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard: deque[_Heard] = deque(maxlen=SAMPLES_MAX)
        self._said = False

    def answered(self, date_ms: int, took_ms: int) -> None:
        """Alipay answered a question with this Date, ``took_ms`` after it was asked."""
        now_ms = self._clock.now_ms()
        self._note(
            _Heard(
                at_ms=now_ms,
                least_ms=now_ms - took_ms - date_ms - _DATE_MS,
                most_ms=now_ms - date_ms,
            )
        )

    def notified(self, trade_id: str, told_at_ms: int | None) -> None:
        """A verified notification about a trade came, which says that it was sent then."""
        if told_at_ms is not None:
            now_ms = self._clock.now_ms()
            self._note(
                _Heard(at_ms=now_ms, least_ms=None, most_ms=now_ms - told_at_ms, trade_id=trade_id)
            )

    def ahead_ms(self) -> int | None:
        """Return by how much our clock is ahead of Alipay's at least (negative: behind it); 0 if
        they may be the same; None if nothing was heard that tells.
        """
        now_ms = self._clock.now_ms()
        fresh = [one for one in self._heard if now_ms - one.at_ms <= KEPT_MS]
        answers = [one for one in fresh if one.least_ms is not None][-ANSWERS_MAX:]
        if answers:
            least_ms = median_low(one.least_ms for one in answers if one.least_ms is not None)
            most_ms = median_high(one.most_ms for one in answers)
            return max(0, least_ms) if most_ms >= 0 else most_ms
        quickest: dict[str, int] = {}
        for one in fresh:
            quickest[one.trade_id] = min(one.most_ms, quickest.get(one.trade_id, one.most_ms))
        return None if len(quickest) < 2 else min(quickest.values())

    def agreed(self, paid_ms: Callable[[], Awaitable[int | None]]) -> "AgreedClock":
        """Return the clock by which is dated and deleted what nobody brings back. ``paid_ms``
        tells when somebody paid last, by Alipay's clock.
        """
        return AgreedClock(self, self._clock, paid_ms)

    @property
    def beyond(self) -> bool:
        """Whether the clocks differ by more than people should be left without knowing."""
        return abs(self.ahead_ms() or 0) > SAID_MS

    def sentences(self) -> tuple[str, ...]:
        """Return what is to be said to people; nothing while the clocks agree."""
        ahead_ms = self.ahead_ms() or 0
        if not self.beyond:
            return ()
        where = "ahead of" if ahead_ms > 0 else "behind"
        sentence = (
            f"the clock is {abs(ahead_ms) // 1_000} s {where} Alipay's: set the computer's clock "
            "and start again; payments are judged by Alipay's time meanwhile"
        )
        return (sentence,)

    def alipay_now(self) -> datetime:
        """Return Alipay's time, as far as it is known; its gateway refuses calls of another."""
        now_ms = self._clock.now_ms() - (self.ahead_ms() or 0)
        return datetime.fromtimestamp(now_ms / 1_000, UTC)

    def _note(self, heard: _Heard) -> None:
        self._heard.append(heard)
        beyond = self.beyond
        if beyond != self._said:
            self._said = beyond
            ahead_ms = self.ahead_ms()
            if beyond:
                log.warning(
                    "our clock is not Alipay's; set the computer's clock and start again",
                    ahead_ms=ahead_ms,
                )
            else:
                log.warning("our clock is Alipay's again", ahead_ms=ahead_ms)


class AgreedClock:
    """The earlier one of our clock and Alipay's: what is deleted by it is due by both. Of a
    computer whose clock is a year ahead it would else go a year too early. While Alipay's is not
    known, as in a gateway's first minutes, it is when somebody paid last: that was not later.
    """

    def __init__(
        self, skew: Skew, clock: Clock, paid_ms: Callable[[], Awaitable[int | None]]
    ) -> None:
        self._skew, self._clock, self._paid_ms = skew, clock, paid_ms
        self._paid: tuple[int, int | None] | None = None
        """When it was asked, by our clock, and the answer: an old one is too early at most."""

    async def now_ms(self) -> int | None:
        """Return milliseconds since 1970 UTC; None: Alipay has said nothing. Raises StoreError."""
        ahead_ms = self._skew.ahead_ms()
        if ahead_ms is not None:
            return self._clock.now_ms() - max(0, ahead_ms)
        paid_ms = await self._paid_last_ms()
        return None if paid_ms is None else min(self._clock.now_ms(), paid_ms)

    async def likely_ms(self) -> int:
        """Return our time, unless it is more than a day off Alipay's: then Alipay's, as well as it
        is known. It is for what is dated, and for what is refused because it lies too far ahead:
        what is dated by a clock that is wrong is too old for all other gateways at once, or for
        years for none. Raises StoreError.
        """
        now_ms, ahead_ms = self._clock.now_ms(), self._skew.ahead_ms()
        if ahead_ms is not None:
            return now_ms if abs(ahead_ms) < WRONG_MS else now_ms - ahead_ms
        return max(now_ms, await self._paid_last_ms() or 0)

    async def _paid_last_ms(self) -> int | None:
        now_ms = self._clock.now_ms()
        if self._paid is None or not 0 <= now_ms - self._paid[0] < PAID_AGAIN_MS:
            self._paid = now_ms, await self._paid_ms()
        return self._paid[1]


@functools.cache
def process_skew() -> Skew:
    """Return what this process, its gateway and its host together, heard of Alipay's clock."""
    return Skew(process_clock())
