"""A moment's day and hour are those of the clock on the wall where it happened."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from storage.insight.local_time import HOUR_MS, QUARTER_MS, local_hour


def ms(text: str) -> int:
    """The moment that a text in UTC names."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000


@pytest.mark.parametrize(
    ("at", "zone", "d", "hour"),
    [
        ("2026-01-31 15:59:59", "Asia/Hong_Kong", 20260131, 23),
        ("2026-01-31 16:00:00", "Asia/Hong_Kong", 20260201, 0),
        ("2026-01-01 00:00:00", "UTC", 20260101, 0),
        ("2026-01-01 00:00:00", "America/St_Johns", 20251231, 20),
        ("2026-01-01 18:15:00", "Asia/Kathmandu", 20260102, 0),
        # In London clocks go forward at 01:00 and back at 02:00, where one hour is lived twice.
        ("2026-03-29 00:59:59", "Europe/London", 20260329, 0),
        ("2026-03-29 01:00:00", "Europe/London", 20260329, 2),
        ("2026-10-25 00:30:00", "Europe/London", 20261025, 1),
        ("2026-10-25 01:30:00", "Europe/London", 20261025, 1),
        ("2026-10-25 02:00:00", "Europe/London", 20261025, 2),
    ],
)
def test_a_moment_is_in_an_hour_of_its_place(at: str, zone: str, d: int, hour: int) -> None:
    """Also at midnight, and where clocks are moved."""
    assert (d, hour) == local_hour(ms(at), zone)


def test_a_quarter_of_an_hour_is_never_cut() -> None:
    """What is remembered of a quarter holds for all of it."""
    for zone in ("Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham", "Europe/London"):
        for quarter in range(0, 4 * 24 * 366, 97):
            begins = ms("2026-01-01 00:00:00") + quarter * QUARTER_MS
            last = datetime.fromtimestamp((begins + QUARTER_MS) // 1_000 - 1, UTC)
            local = last.astimezone(ZoneInfo(zone))
            d = local.year * 10_000 + local.month * 100 + local.day
            assert (d, local.hour) == local_hour(begins + QUARTER_MS - 1, zone), (zone, begins)
    assert HOUR_MS == 4 * QUARTER_MS


def test_a_zone_that_is_not_known_is_no_other_one() -> None:
    """Rather no answer than a wrong day."""
    with pytest.raises(ZoneInfoNotFoundError):
        local_hour(0, "Mars/Olympus")
