"""The back office as it is put together for the real program."""

from storage.machines.rows import DAY_MS
from storage.office import import_lines
from storage.office.imports import ImportState
from tests.storage.office.long_ago import ended, lines_left
from tests.support.site import Site


async def test_lines_of_imports_are_kept_for_their_days(site: Site) -> None:
    """To the day, and by Alipay's clock too: until it is heard, and nobody paid, nothing goes."""
    office, now_ms = site.gateway.office, site.clock.now_ms()
    kept_ms = import_lines.KEPT_DAYS * DAY_MS
    await ended(site.database, "old", ImportState.DONE, now_ms - kept_ms - DAY_MS)
    await ended(site.database, "new", ImportState.DONE, now_ms - kept_ms + DAY_MS)
    assert 0 == await office.sweeping.once()
    site.gateway.ingress.skew.answered(now_ms, 100)
    assert 2 == await office.sweeping.once()
    assert {"new": 2} == await lines_left(site.database)
