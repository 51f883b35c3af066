"""Alipay's calendar: GMT+8, without summer time. Milliseconds since the epoch in, text and days
out.
"""

from datetime import UTC, datetime, timedelta, timezone

GMT8 = timezone(timedelta(hours=8))
DAY_MS = 86_400_000
_OFFSET_MS = 8 * 3_600_000
_BATCH_OPENS_MS = 23 * 3_600_000
_BATCH_ENDS_MS = 5 * 3_600_000
_SUNDAY = 6


def moment(at_ms: int) -> datetime:
    """Return the wall clock in Hangzhou."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(GMT8)


def text(at_ms: int) -> str:
    """Return ``yyyy-MM-dd HH:mm:ss``."""
    return moment(at_ms).strftime("%Y-%m-%d %H:%M:%S")


def digits(at_ms: int) -> str:
    """Return ``yyyyMMddHHmmss``."""
    return moment(at_ms).strftime("%Y%m%d%H%M%S")


def parse(value: str) -> int:
    """Return the milliseconds of ``yyyy-MM-dd HH:mm:ss``; ValueError on any other form."""
    read = datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=GMT8)
    if len(value) != 19:
        raise ValueError("not in the form yyyy-MM-dd HH:mm:ss")
    return int(read.timestamp()) * 1000


def day(at_ms: int) -> int:
    """Return the number of the calendar day; T day is the day of the payment."""
    return (at_ms + _OFFSET_MS) // DAY_MS


def starts_ms(day: int) -> int:
    """Return when the calendar day of this number begins."""
    return day * DAY_MS - _OFFSET_MS


def in_batch(at_ms: int) -> bool:
    """Whether it is 23:00-05:00, when refunds of earlier days go back (docs/alipay.md 5.3)."""
    of_day = (at_ms + _OFFSET_MS) % DAY_MS
    return of_day >= _BATCH_OPENS_MS or of_day < _BATCH_ENDS_MS


def next_batch(at_ms: int) -> int:
    """Return the next 23:00, later than ``at_ms``."""
    opens = day(at_ms) * DAY_MS - _OFFSET_MS + _BATCH_OPENS_MS
    return opens if opens > at_ms else opens + DAY_MS


def in_maintenance(at_ms: int) -> bool:
    """Whether the sandbox rests: from Sunday 12:00 to Monday 12:00 (docs/alipay.md 9)."""
    now = moment(at_ms)
    return (now.weekday() == _SUNDAY and now.hour >= 12) or (now.weekday() == 0 and now.hour < 12)
