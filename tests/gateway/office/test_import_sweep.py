"""Lines of what ended long ago go without being asked."""

import asyncio

import pytest

from actors.ports import StoreError
from gateway.office.import_sweep import DAY_MS, EVERY_S, PAUSE_S, ImportSweep
from storage.office import import_lines
from storage.office.imports import ImportState
from tests.storage.office.long_ago import ended, lines_left
from tests.support.site import Site

NOW_MS = 1_800_000_000_000


class Fixed:
    """A clock that stands."""

    def now_ms(self) -> int:
        return NOW_MS


class Naps:
    """Sleeps not at all, remembers for how long it should have, and ends the third long sleep."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, span_s: float) -> None:
        self.taken.append(span_s)
        if 3 == self.taken.count(EVERY_S):
            raise asyncio.CancelledError


async def test_many_go_a_few_at_a_time_and_it_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended within the span stays, and between two transactions others may write."""
    monkeypatch.setattr(import_lines, "AT_ONCE", 2)
    then_ms = NOW_MS - import_lines.KEPT_DAYS * DAY_MS
    await ended(site.database, "old", ImportState.DONE, then_ms - 1, lines=3)
    await ended(site.database, "new", ImportState.DONE, then_ms, lines=3)
    naps = Naps()
    sweep = ImportSweep(db=site.database, clock=Fixed(), sleep=naps)
    with pytest.raises(asyncio.CancelledError):
        await sweep.run()
    assert {"new": 3} == await lines_left(site.database)
    assert [PAUSE_S, EVERY_S, EVERY_S, EVERY_S] == naps.taken


async def test_a_database_that_is_away_is_asked_the_next_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway goes on."""

    async def away(*_: object, **__: object) -> int:
        raise StoreError("away")

    monkeypatch.setattr(import_lines, "forget", away)
    assert 0 == await ImportSweep(db=site.database, clock=Fixed()).once()
