"""A small past, lived through the product's own parts: its books hold, and its sentences tell what
was in it.
"""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.pretend import BOOK
from gateway.demo.stage import PARTNER
from gateway.past import running
from gateway.past.life import MINUTE_MS, begins_ms
from gateway.past.plan import TRIED_MINOR, PastPlan, planned
from gateway.simulator.shelf import ShelfAct, read
from storage.database.engine import Database, StorageConfig
from storage.fleet.queries import Queries
from storage.insight.follower import lag_of
from storage.insight.proving import prove_facts
from tests.support.past import Folder
from tests.support.proven import prove_file

NOW_MS = round(datetime(2026, 11, 30, 7, 30, tzinfo=UTC).timestamp() * 1_000)


def test_a_past_ends_now_and_begins_at_a_midnight_where_its_machines_are() -> None:
    """So many whole days before today."""
    plan = planned(seed=1)
    began = datetime.fromtimestamp(begins_ms(plan, NOW_MS) / 1_000, UTC)
    assert datetime(2026, 9, 20, 16, 0, tzinfo=UTC) == began  # Hong Kong is eight hours ahead


@pytest.mark.slow
def test_what_was_lived_is_in_all_books_and_is_told(
    folder: Folder, small: PastPlan, upgraded_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody left without what they came for. The ledger, what is told of sales, the pretend
    Alipay's book and the machines' own shelves agree; the audit is clean. The district that turned
    is HOT, the trial has its answer, and everything is over before now.
    """
    path = folder.path / "vendgate.db"
    monkeypatch.setattr(running, "upgrade", lambda _url: shutil.copy(upgraded_file, path))
    told = running.lived(folder.made, small, folder.machines, folder.keys, now_ms=NOW_MS)

    assert 0 == told.lost
    assert told.sales > 200
    assert told.went_away > 20
    assert () == prove_file(path, now_ms=NOW_MS, own_ids={PARTNER}).sentences
    assert ["Kwun Tong"] == [one.name for one in told.hot if one.turned_day]
    assert "With the tried price" in told.trial or "No effect of the price" in told.trial
    assert told.low_permille <= told.lift_permille <= told.high_permille
    assert 4 == len(told.sentences)
    assert told.sales == sum(
        line.act is ShelfAct.DROP
        for place in small.places
        for line in read(folder.machines / place.machine_id / "shelf.log")
    )
    columns = dict(_rows(path, "SELECT DISTINCT product, price_minor FROM planogram_columns"))
    assert not [one for one, minor in TRIED_MINOR.items() if columns[one] == minor]
    newest = _rows(path, "SELECT max(at_ms) FROM journal")[0][0]
    assert begins_ms(small, NOW_MS) < newest <= NOW_MS + 2 * MINUTE_MS
    asyncio.run(_agree(path, folder.keys / BOOK, told.sales, len(small.places)))


async def _agree(path: Path, book: Path, sales: int, machines: int) -> None:
    """The real engine, over the same file, finds the same in all books."""
    database = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
    try:
        proof = await prove_facts(database)
        assert () == proof.findings
        assert machines == (await lag_of(database)).lines  # the ends of their streams
        queries = Queries(database)
        assert sales == (await queries.tally()).vends["SUCCEEDED"]
        (balance,) = await queries.balances()
        assert (0, 0) == (balance.money_held_minor, balance.refunds_open_minor)
        ours = {
            one.trade_id: one.paid_minor for one in await queries.trades(position="", limit=10_000)
        }
    finally:
        await database.close()
    theirs = dict(_rows(book, "SELECT trade_no, paid_minor FROM trades"))
    assert ours == theirs


def _rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as opened:
        return opened.execute(sql).fetchall()
