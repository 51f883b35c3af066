"""What was kept long enough goes without being asked."""

import asyncio
from dataclasses import dataclass, field
from functools import partial

import pytest
from sqlalchemy import insert, select

from actors.ports import StoreError
from gateway.process.skew import Skew
from gateway.process.sweep import EVERY_S, PAUSE_S, UNSURE_EVERY_S, Sweep
from storage.machines.payers import SWEPT_MAX, Payers
from storage.machines.rows import DAY_MS
from storage.office import import_lines
from storage.office.imports import ImportState
from storage.tables import payers
from tests.storage.office.long_ago import ended, lines_left
from tests.support.site import Site

NOW_MS = 1_800_000_000_000


class Fixed:
    """Everybody is sure that it is now."""

    async def now_ms(self) -> int | None:
        return NOW_MS


FIXED = Fixed()


class Naps:
    """Sleeps not at all, remembers for how long it should have, and ends the third long sleep."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, span_s: float) -> None:
        self.taken.append(span_s)
        if 3 == self.taken.count(EVERY_S):
            raise asyncio.CancelledError


@dataclass
class Things:
    """When each of some things was last used. ``away``: so many times the database does not
    answer.
    """

    used_ms: list[int]
    away: int = 0
    asked: list[int] = field(default_factory=list)

    async def forget(self, *, before_ms: int) -> int:
        self.asked.append(before_ms)
        if self.away:
            self.away -= 1
            raise StoreError("away")
        due = sorted(at_ms for at_ms in self.used_ms if at_ms < before_ms)[:2]
        for at_ms in due:
            self.used_ms.remove(at_ms)
        return len(due)


def sweep_of(things: Things, naps: Naps) -> Sweep:
    """Two at once, after thirty days."""
    return Sweep(what="things", forget=things.forget, at_once=2, days=30, clock=FIXED, sleep=naps)


async def test_what_was_used_within_the_days_stays() -> None:
    """To the millisecond."""
    then_ms = NOW_MS - 30 * DAY_MS
    things, naps = Things([NOW_MS, then_ms, then_ms - 1]), Naps()
    assert 1 == await sweep_of(things, naps).once()
    assert ([NOW_MS, then_ms], []) == (things.used_ms, naps.taken)


async def test_many_go_in_several_transactions() -> None:
    """Others write in between; what came last is done in the same sweep."""
    things, naps = Things([1, 2, 3, 4, 5]), Naps()
    assert 5 == await sweep_of(things, naps).once()
    assert ([], [PAUSE_S] * 2) == (things.used_ms, naps.taken)


async def test_a_database_that_is_away_is_asked_the_next_time() -> None:
    """The sweep goes on for ever: what failed is done then."""
    things, naps = Things([1], away=1), Naps()
    with pytest.raises(asyncio.CancelledError):
        await sweep_of(things, naps).run()
    assert ([], [EVERY_S] * 3, 3) == (things.used_ms, naps.taken, len(things.asked))


class YearAhead:
    """A clock that is a year ahead."""

    def now_ms(self) -> int:
        return NOW_MS + 365 * DAY_MS


async def test_no_one_clock_deletes_what_is_kept() -> None:
    """Of a gateway whose computer's clock is a year ahead: until Alipay has said what time it is,
    nothing goes, and it looks again soon; then what is due by Alipay's clock.
    """
    then_ms = NOW_MS - 30 * DAY_MS
    things, skew = Things([NOW_MS, then_ms + 60_000, then_ms - 60_000]), Skew(YearAhead())
    naps: list[float] = []

    async def nap(span_s: float) -> None:
        naps.append(span_s)
        skew.answered(NOW_MS, 100)
        if 2 == len(naps):
            raise asyncio.CancelledError

    async def nobody_paid() -> None:
        return None

    sweep = Sweep(
        what="things",
        forget=things.forget,
        at_once=2,
        days=30,
        clock=skew.agreed(nobody_paid),
        sleep=nap,
    )
    with pytest.raises(asyncio.CancelledError):
        await sweep.run()
    assert ([NOW_MS, then_ms + 60_000], [UNSURE_EVERY_S, EVERY_S]) == (things.used_ms, naps)


async def test_payers_who_stay_away_are_forgotten(site: Site) -> None:
    """More of them than go at once."""
    rows = [
        {"buyer_hash": f"h{n}", "payer_id": f"p{n}", "first_seen_ms": 1, "last_seen_ms": at_ms}
        for n, at_ms in enumerate([NOW_MS, *[1] * (SWEPT_MAX + 1)])
    ]
    await site.database.write(lambda connection: connection.execute(insert(payers), rows))
    forget = Payers(site.database).forget_unused
    sweep = Sweep(
        what="payers",
        forget=forget,
        at_once=SWEPT_MAX,
        days=30,
        clock=FIXED,
        sleep=Naps(),
    )
    assert SWEPT_MAX + 1 == await sweep.once()
    chosen = select(payers.c.payer_id)
    assert ["p0"] == await site.database.read(lambda connection: [*connection.scalars(chosen)])


async def test_lines_of_imports_go(site: Site) -> None:
    """Those of one that ended within the days stay."""
    then_ms = NOW_MS - 30 * DAY_MS
    await ended(site.database, "old", ImportState.DONE, then_ms - 1, lines=3)
    await ended(site.database, "new", ImportState.DONE, then_ms, lines=3)
    forget = partial(import_lines.forget, site.database)
    sweep = Sweep(what="lines", forget=forget, at_once=import_lines.AT_ONCE, days=30, clock=FIXED)
    assert 3 == await sweep.once()
    assert {"new": 3} == await lines_left(site.database)
