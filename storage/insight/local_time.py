"""The one place where a moment becomes a day and an hour: by the clock of the place where it
happened. Databases cut time differently, so none of them is asked to.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

QUARTER_MS = 900_000
"""All clocks of today differ from UTC by whole quarters of an hour."""
HOUR_MS = 3_600_000


class LocalHour(NamedTuple):
    """``d`` is the day as yyyymmdd, ``hour`` 0 to 23. Where clocks are put back, two hours bear one
    name.
    """

    d: int
    hour: int


def local_hour(at_ms: int, zone: str) -> LocalHour:
    """Return in which hour of which day a moment (ms since 1970 UTC) is in a time zone (IANA).
    Raises ZoneInfoNotFoundError for one that this computer does not know.
    """
    return _of_quarter(at_ms // QUARTER_MS, zone)


@lru_cache(maxsize=65_536)
def _of_quarter(quarter: int, zone: str) -> LocalHour:
    at = datetime.fromtimestamp(quarter * (QUARTER_MS // 1_000), UTC).astimezone(_zone(zone))
    return LocalHour(at.year * 10_000 + at.month * 100 + at.day, at.hour)


@lru_cache(maxsize=1_024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
