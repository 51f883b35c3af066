"""Days as yyyymmdd, as numbers that can be counted. Pure."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache


def as_date(d: int) -> date:
    """Return the day; raises ValueError if there is none of that number."""
    return date(d // 10_000, d // 100 % 100, d % 100)


@lru_cache(maxsize=4_096)
def moved(d: int, days: int) -> int:
    """Return the day that is so many days later; earlier, if they are below zero."""
    return as_number(as_date(d) + timedelta(days=days))


def as_number(day: date) -> int:
    """Return a day's number."""
    return day.year * 10_000 + day.month * 100 + day.day


def count(first: int, last: int) -> int:
    """Return how many days there are from the first to the last, both counted."""
    return (as_date(last) - as_date(first)).days + 1


def weekday(d: int) -> int:
    """Return the day of the week: 1 is Monday, 7 is Sunday (ISO)."""
    return as_date(d).isoweekday()


def between(first: int, last: int) -> Iterator[int]:
    """Yield all days from the first to the last."""
    for number in range(count(first, last)):
        yield moved(first, number)
