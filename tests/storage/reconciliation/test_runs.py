"""Runs and differences: a file that is read again adds no row, and what is gone is
resolved.
"""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from actors.ports import StoreError
from storage.database.engine import Database
from storage.fleet.queries import Queries
from storage.reconciliation.runs import DifferenceStatus, Reconciliation, Total
from storage.tables import reconciliation_differences, reconciliation_runs
from tests.storage.reconciliation.differences import NEWER, NOW_MS, RUN, difference, standing


async def rows(db: Database) -> list[list[Any]]:
    """All rows of both tables."""

    def work(connection: Any) -> list[list[Any]]:
        tables = (reconciliation_runs, reconciliation_differences)
        return [
            [tuple(row) for row in connection.execute(select(table).order_by(table.c.id))]
            for table in tables
        ]

    return await db.read(work)


@pytest.mark.slow_on_postgres
async def test_a_run_is_written_and_read_back(db: Database) -> None:
    """With its totals, open differences first."""
    reconciliation = Reconciliation(db)
    passed_on = difference("t1", status=DifferenceStatus.PASSED_ON)
    view = await reconciliation.record(RUN, [passed_on, difference("t2")], now_ms=NOW_MS)
    assert view == await reconciliation.run_of("a" * 64)
    assert (RUN.day, RUN.file_name, RUN.row_count, RUN.totals, NOW_MS, True) == (
        view.day,
        view.file_name,
        view.row_count,
        view.totals,
        view.read_at_ms,
        view.latest,
    )
    assert (difference("t2"), passed_on) == view.differences
    assert await reconciliation.run_of("c" * 64) is None


@pytest.mark.slow_on_postgres
async def test_the_same_file_again_changes_nothing(db: Database) -> None:
    """Not a single value of a row, whenever it is read."""
    reconciliation = Reconciliation(db)
    first = await reconciliation.record(RUN, [difference("t1"), difference("t2")], now_ms=NOW_MS)
    before = await rows(db)
    assert first == await reconciliation.record(
        replace(RUN, file_name="copy.txt"), [difference("t1"), difference("t2")], now_ms=NOW_MS + 1
    )
    assert before == await rows(db)


async def test_what_is_gone_is_resolved(db: Database) -> None:
    """By the same file once our side has caught up, and only once."""
    reconciliation = Reconciliation(db)
    await reconciliation.record(RUN, [difference("t1"), difference("t2")], now_ms=NOW_MS)
    caught_up = replace(
        RUN, totals=(Total(currency="HKD", alipay_paid_minor=500, ours_paid_minor=500),)
    )
    for later_ms in (1, 2):
        view = await reconciliation.record(caught_up, [difference("t2")], now_ms=NOW_MS + later_ms)
        assert [("t2", "OPEN", None), ("t1", "RESOLVED", NOW_MS + 1)] == standing(view.differences)
        assert caught_up.totals == view.totals


@pytest.mark.slow_on_postgres
async def test_what_comes_back_is_open_again(db: Database) -> None:
    """It keeps its row."""
    reconciliation = Reconciliation(db)
    for differences, status in (
        ([difference("t1")], "OPEN"),
        ([], "RESOLVED"),
        ([difference("t1")], "OPEN"),
    ):
        view = await reconciliation.record(RUN, differences, now_ms=NOW_MS)
        assert [("t1", status, NOW_MS if status == "RESOLVED" else None)] == standing(
            view.differences
        )
    assert 1 == len((await rows(db))[1])


@pytest.mark.slow_on_postgres
async def test_a_newer_file_of_the_day_takes_over(db: Database) -> None:
    """It makes a run of its own; what it finds too keeps its row, what it does not find is
    resolved.
    """
    reconciliation = Reconciliation(db)
    old = await reconciliation.record(RUN, [difference("t1"), difference("t2")], now_ms=NOW_MS)
    new = await reconciliation.record(
        NEWER, [difference("t2"), difference("t3")], now_ms=NOW_MS + 1
    )
    assert new.run_id > old.run_id
    assert [("t2", "OPEN", None), ("t3", "OPEN", None), ("t1", "RESOLVED", NOW_MS + 1)] == standing(
        new.differences
    )
    runs, differences = await rows(db)
    assert (2, 3, {new.run_id}) == (len(runs), len(differences), {row[1] for row in differences})


@pytest.mark.slow_on_postgres
async def test_an_older_file_does_not_take_it_back(db: Database) -> None:
    """Read again, it changes nothing and says that it is not the latest."""
    reconciliation = Reconciliation(db)
    await reconciliation.record(RUN, [difference("t1")], now_ms=NOW_MS)
    new = await reconciliation.record(NEWER, [], now_ms=NOW_MS + 1)
    before = await rows(db)
    again = await reconciliation.record(
        RUN, [difference("t1"), difference("t9")], now_ms=NOW_MS + 2
    )
    assert (False, new.differences) == (again.latest, again.differences)
    assert before == await rows(db)


@pytest.mark.slow_on_postgres
async def test_days_do_not_touch_each_other(db: Database) -> None:
    """The same subject on two days is two differences."""
    reconciliation = Reconciliation(db)
    await reconciliation.record(RUN, [difference("t1")], now_ms=NOW_MS)
    await reconciliation.record(replace(NEWER, day="2026-01-16"), [difference("t1")], now_ms=NOW_MS)
    other = await reconciliation.record(replace(NEWER, day="2026-01-16"), [], now_ms=NOW_MS + 1)
    first = await reconciliation.run_of("a" * 64)
    assert first is not None
    assert ([("t1", "OPEN", None)], [("t1", "RESOLVED", NOW_MS + 1)]) == (
        standing(first.differences),
        standing(other.differences),
    )


async def test_many_differences_are_one_transaction(db: Database) -> None:
    """More than one statement may name; all or none."""
    reconciliation = Reconciliation(db)
    await reconciliation.record(
        RUN, [difference(f"t{number}") for number in range(1_200)], now_ms=NOW_MS
    )
    assert 1_200 == len((await rows(db))[1])
    view = await reconciliation.record(RUN, [], now_ms=NOW_MS + 1)
    assert {DifferenceStatus.RESOLVED} == {one.status for one in view.differences}
    twice = [difference("t1"), difference("t1", kind="B"), difference("t1", kind="B")]
    before = await rows(db)
    with pytest.raises(StoreError):
        await reconciliation.record(NEWER, twice, now_ms=NOW_MS + 2)
    assert before == await rows(db)


async def test_files_that_were_read_are_listed_newest_first(db: Database) -> None:
    """With the differences of their day that wait; a page begins where the one before ended."""
    made, queries = Reconciliation(db), Queries(db)
    await made.record(RUN, [difference("t1"), difference("t2")], now_ms=NOW_MS)
    newer = replace(NEWER, day="2026-01-16", day_was_over=False, restored=True)
    await made.record(newer, [], now_ms=NOW_MS + 1)
    first, second = await queries.reconciliations(limit=9)
    assert [("2026-01-16", 0, False, True), ("2026-01-15", 2, True, False)] == [
        (one.day, one.open_difference_count, one.day_was_over, one.restored)
        for one in (first, second)
    ]
    assert [second] == await queries.reconciliations(before=first.position, limit=9)
