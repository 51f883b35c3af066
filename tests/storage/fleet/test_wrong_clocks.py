"""However many processes have a wrong clock, and however often they say so, one item waits for a
person, and goes by itself.
"""

import pytest

from storage.database.engine import Database
from storage.fleet.closings import Closings
from storage.fleet.queries import Queries
from storage.fleet.views import WorkItemKind
from storage.fleet.wrong_clocks import KEPT_MS, WrongClocks
from tests.storage.fleet.waiting import items
from tests.storage.owner import START_MS


async def test_it_waits_while_it_is_so(db: Database) -> None:
    """It says whose clock it is and how wrong; said again, it keeps its beginning."""
    clocks = WrongClocks(db)
    for minute in range(3):
        await clocks.told("a/1", ahead_ms=361_000 + minute, at_ms=START_MS + minute * 60_000)
    (item,) = await items(db)

    assert (WorkItemKind.CLOCK_WRONG, "", START_MS) == (
        item.kind,
        item.machine_id,
        item.since_at_ms,
    )
    assert item.reason.startswith("a/1: the clock of this process is 361 s ahead of Alipay's")
    await clocks.right("a/1", at_ms=START_MS + 180_000)
    assert [] == await items(db)


@pytest.mark.slow_on_postgres
async def test_several_are_one_item(db: Database) -> None:
    """The first is named; when it is right, the next one is."""
    clocks = WrongClocks(db)
    await clocks.told("b/2", ahead_ms=-90_000, at_ms=START_MS + 1)
    await clocks.told("a/1", ahead_ms=90_000, at_ms=START_MS)
    assert ["clock:a/1." + str(START_MS)] == [item.item_id for item in await items(db)]
    assert {1} == {
        gauge.count
        for gauge in await Queries(db).gauges(now_ms=START_MS)
        if gauge.status == WorkItemKind.CLOCK_WRONG
    }
    await clocks.right("a/1", at_ms=START_MS + 2)
    (item,) = await items(db)
    assert "b/2: the clock of this process is 90 s behind Alipay's" in item.reason


@pytest.mark.slow_on_postgres
async def test_who_says_nothing_more_is_forgotten(db: Database) -> None:
    """A process that was killed leaves its row to the next word of another one."""
    clocks = WrongClocks(db)
    await clocks.told("killed/1", ahead_ms=90_000, at_ms=START_MS)
    await clocks.right("a/2", at_ms=START_MS + KEPT_MS)
    assert 1 == len(await items(db))
    await clocks.told("a/2", ahead_ms=40_000, at_ms=START_MS + KEPT_MS + 1)
    (item,) = await items(db)
    assert item.item_id.startswith("clock:a/2.")


@pytest.mark.slow_on_postgres
async def test_what_a_person_closed_hides_no_other(db: Database) -> None:
    """The next process with a wrong clock is an item of its own."""
    clocks = WrongClocks(db)
    await clocks.told("a/1", ahead_ms=90_000, at_ms=START_MS)
    (item,) = await items(db)
    await Closings(db).close(item.item_id, actor="ann", reason="NTP is back", now_ms=START_MS + 1)
    assert [] == await items(db)
    await clocks.told("b/2", ahead_ms=90_000, at_ms=START_MS + 2)
    assert 1 == len(await items(db))
