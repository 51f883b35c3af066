"""Sales as the follower of the books sums them up, of a fleet and of its machines."""

import datetime as dt
from collections.abc import Sequence

from storage.insight import days
from storage.insight.rollups import Sums, save
from storage.tables import sales_days, sales_hours, scope_days, scope_hours
from tests.support.site import Site

Item = tuple[str, int, int, str, int]
"""Machine, day, hour, product and price in HKD's minor units."""


def half_past(site: Site, hour: int) -> int:
    """Let it be half past this hour of the day, UTC; return the day, which does not end soon."""
    now = dt.datetime.fromtimestamp(site.clock.now_ms() / 1_000, dt.UTC)
    then = now.replace(hour=hour, minute=30, second=0)
    site.clock.ahead_ms += int((then - now).total_seconds() * 1_000)
    return days.as_number(then.date())


async def have_sold(site: Site, items: Sequence[Item]) -> None:
    """Sum these items up, one of each."""
    sums = Sums()
    for machine_id, d, hour, product, minor in items:
        for by_day, by_hour, whose in (
            (sales_days, sales_hours, (machine_id,)),
            (scope_days, scope_hours, ("FLEET", "")),
        ):
            sums.add(by_hour, (*whose, d, hour, "HKD"), (1, minor))
            sums.add(by_day, (*whose, d, product, "HKD"), (1, minor, 0, 0, 0))
    await site.database.write(lambda connection: save(connection, sums.rows()))
