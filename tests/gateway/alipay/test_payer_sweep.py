"""Who has not paid for a long time is forgotten without being asked."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import insert, select

from actors.ports import StoreError
from gateway.alipay.payer_sweep import EVERY_S, PAUSE_S, PayerSweep
from storage.database.engine import Database
from storage.machines.payers import DAY_MS, SWEPT_MAX, Payers
from storage.tables import payers
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


async def last_seen(db: Database, times_ms: Sequence[int]) -> None:
    """A payer for each of these times."""
    rows = [
        {"buyer_hash": f"h{n}", "payer_id": f"p{n}", "first_seen_ms": 1, "last_seen_ms": at_ms}
        for n, at_ms in enumerate(times_ms)
    ]
    await db.write(lambda connection: connection.execute(insert(payers), rows))


async def known(db: Database) -> set[str]:
    """Who leads to a buyer still."""
    chosen = select(payers.c.payer_id)
    return await db.read(lambda connection: set(connection.scalars(chosen)))


async def test_who_paid_within_the_span_stays(site: Site) -> None:
    """To the millisecond."""
    await last_seen(site.database, [NOW_MS, NOW_MS - 30 * DAY_MS, NOW_MS - 30 * DAY_MS - 1, 0])
    sweep = PayerSweep(payers=Payers(site.database), clock=Fixed(), unused_days=30)
    assert 2 == await sweep.once()
    assert {"p0", "p1"} == await known(site.database)


async def test_many_go_in_several_transactions(site: Site) -> None:
    """Others write in between; what came last is done in the same sweep."""
    naps = Naps()
    await last_seen(site.database, [1] * (2 * SWEPT_MAX + 1))
    sweep = PayerSweep(payers=Payers(site.database), clock=Fixed(), unused_days=30, sleep=naps)
    assert 2 * SWEPT_MAX + 1 == await sweep.once()
    assert [PAUSE_S] * 2 == naps.taken
    assert set() == await known(site.database)


async def test_a_database_that_is_away_is_asked_again(site: Site) -> None:
    """The sweep goes on for ever: what failed is done the next time."""

    class Away(Payers):
        asked = 0

        async def forget_unused(self, *, before_ms: int, limit: int = SWEPT_MAX) -> int:
            Away.asked += 1
            if Away.asked == 1:
                raise StoreError("away")
            return await super().forget_unused(before_ms=before_ms, limit=limit)

    naps = Naps()
    await last_seen(site.database, [1])
    sweep = PayerSweep(payers=Away(site.database), clock=Fixed(), unused_days=30, sleep=naps)
    with pytest.raises(asyncio.CancelledError):
        await sweep.run()
    assert ([EVERY_S] * 3, 3) == (naps.taken, Away.asked)
    assert set() == await known(site.database)
