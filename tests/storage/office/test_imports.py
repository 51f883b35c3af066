"""Imports: who is at one, how far it is, and what ends it."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.dialects.sqlite import dialect

from storage.books.audit_rows import Actor
from storage.database.engine import Database
from storage.office import import_turns
from storage.office.deeds import NotPossible, NotThere
from storage.office.imports import (
    ImportKind,
    ImportLine,
    Imports,
    ImportState,
    ImportView,
    LineState,
    newest,
)
from tests.storage.office.places import by, details
from tests.storage.office.plans import goes_along

HELD_MS = 30_000


def line(number: int, state: LineState = LineState.WAITING, said: str = "") -> ImportLine:
    return ImportLine(line=number, machine_id=f"VM-{number}", content="{}", state=state, said=said)


async def begun(db: Database, count: int = 3, *, failures_max: int = 1) -> Imports:
    """Begin an import of so many lines."""
    imports = Imports(db)
    lines = [line(number) for number in range(2, count + 2)]
    await imports.begin("i-1", lines, by(), lines_per_s=10, failures_max=failures_max)
    return imports


async def take(imports: Imports, holder: str, now_ms: int = 0) -> ImportView | None:
    return await imports.take(holder, now_ms=now_ms, held_ms=HELD_MS)


@pytest.mark.slow_on_postgres
async def test_an_import_is_kept_with_its_lines(db: Database) -> None:
    """And one runs at a time."""
    imports = await begun(db)
    there = await imports.get("i-1")
    assert (ImportState.RUNNING, 3, 0, 0, Actor(name="ann")) == (
        there.state,
        there.line_count,
        there.done_count,
        there.failed_count,
        there.actor,
    )
    waiting = await imports.lines("i-1", LineState.WAITING, limit=2)
    assert [line(2), line(3)] == waiting
    assert [line(4)] == await imports.lines("i-1", LineState.WAITING, after=3, limit=2)
    with pytest.raises(NotPossible) as refused:
        await imports.begin("i-2", [line(2)], by(), lines_per_s=1, failures_max=0)
    assert "IMPORT_RUNNING" == refused.value.reason
    with pytest.raises(NotThere):
        await imports.get("i-2")
    assert ["import i-1 of 3 lines, 10 a second"] == await details(db)


async def test_one_holds_an_import_until_its_hold_runs_out(db: Database) -> None:
    """Whoever died lets go in time; whoever ends lets go at once."""
    imports = Imports(db)
    assert None is await take(imports, "a")
    await begun(db)
    assert await take(imports, "a") is not None
    assert await take(imports, "a", 10_000) is not None
    assert None is await take(imports, "b", 39_999)
    assert await take(imports, "b", 40_000) is not None
    assert None is await take(imports, "a", 40_001)
    await imports.let_go("b")
    assert await take(imports, "a", 40_002) is not None
    # The clock of another computer is far behind: a hold lasts no longer for that.
    assert await take(imports, "c", 1) is not None


@pytest.mark.slow_on_postgres
async def test_a_clock_that_is_a_little_behind_takes_no_hold_away(db: Database) -> None:
    """Two gateways' clocks differ by seconds, and what one holds the other leaves."""
    imports = await begun(db)
    assert await take(imports, "a", 100_000) is not None
    for behind_ms in (1, 5_000, HELD_MS):
        assert None is await take(imports, "b", 100_000 - behind_ms)
    # Nor does one that is ahead keep what it let go.
    await imports.let_go("a", only="i-1", now_ms=100_000)
    assert await take(imports, "b", 95_000) is not None


@pytest.mark.slow_on_postgres
async def test_lines_are_told_once_and_by_who_holds_it(db: Database) -> None:
    """The import ends with its last line, and the log says how."""
    imports = await begun(db)
    await take(imports, "a")
    two = [line(2, LineState.DONE), line(3, LineState.FAILED, "no such site")]
    for _ in range(2):
        there = await imports.ended("i-1", two, holder="a", now_ms=5)
        assert (1, 1, ImportState.RUNNING) == (there.done_count, there.failed_count, there.state)
    last = [line(4, LineState.DONE)]
    stranger = await imports.ended("i-1", last, holder="b", now_ms=5)
    assert (1, ImportState.RUNNING) == (stranger.done_count, stranger.state)
    there = await imports.ended("i-1", last, holder="a", now_ms=6)
    assert (2, 1, ImportState.DONE, 6) == (
        there.done_count,
        there.failed_count,
        there.state,
        there.ended_at_ms,
    )
    assert there == await imports.get("i-1")
    assert [two[1]] == await imports.lines("i-1", LineState.FAILED, limit=9)
    assert None is await take(imports, "a")


@pytest.mark.slow_on_postgres
async def test_too_many_failures_stop_an_import(db: Database) -> None:
    """What waits then is not carried out."""
    imports = await begun(db, failures_max=1)
    await take(imports, "a")
    both = [line(2, LineState.FAILED, "x"), line(3, LineState.FAILED, "y")]
    there = await imports.ended("i-1", both, holder="a", now_ms=5)
    assert (ImportState.STOPPED, "more than 1 lines failed") == (there.state, there.reason)
    assert None is await take(imports, "a", 99_999)
    assert [line(4)] == await imports.lines("i-1", LineState.WAITING, limit=9)


@pytest.mark.slow_on_postgres
async def test_a_person_stops_an_import(db: Database) -> None:
    """Once; what its holder had done until then is told all the same."""
    imports = await begun(db)
    await take(imports, "a")
    stopped = await imports.stop("i-1", by("bob"), reason="the wrong file")
    assert (ImportState.STOPPED, "the wrong file") == (stopped.state, stopped.reason)
    assert stopped == await imports.get("i-1")
    late = await imports.ended("i-1", [line(2, LineState.DONE)], holder="a", now_ms=5)
    assert replace(stopped, done_count=1) == late
    with pytest.raises(NotPossible) as refused:
        await imports.stop("i-1", by(), reason="again")
    assert "IMPORT_ENDED" == refused.value.reason


def test_a_page_of_lines_goes_along_an_index(upgraded_file: Path) -> None:
    """A large import costs no more a page than a small one."""
    wanted = import_turns.lines_of("i-1", LineState.WAITING, 500, 50)
    sql = wanted.compile(dialect=dialect(), compile_kwargs={"literal_binds": True})
    with closing(sqlite3.connect(upgraded_file)) as connection:
        plan = [line for *_, line in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert any("INDEX" in one and "import_id=? AND state=? AND line>?" in one for one in plan), plan
    assert [] == [one for one in plan if "TEMP B-TREE" in one]


async def test_planograms_wait_for_their_time_and_files_do_not_wait_for_them(db: Database) -> None:
    """What has begun goes on under any clock; of one machine the one that began first is first."""
    planograms = Imports(db, ImportKind.PLANOGRAMS)
    line = ImportLine(line=1, machine_id="VM-1", content="")
    deed = replace(by(), now_ms=1)
    for name, from_ms in (("late", 90), ("early", 50)):
        await planograms.begin(name, [line], deed, lines_per_s=1, failures_max=0, from_ms=from_ms)
    assert await Imports(db).take("gw-1", now_ms=60, held_ms=9) is None
    assert await planograms.take("gw-1", now_ms=49, held_ms=9) is None
    taken = await planograms.take("gw-1", now_ms=60, held_ms=9)
    assert taken is not None
    assert ("early", 60) == (taken.import_id, taken.started_at_ms)
    again = await planograms.take("gw-1", now_ms=10, held_ms=9)
    assert again is not None
    assert ("early", 60) == (again.import_id, again.started_at_ms)
    # The other one is about the same machine, and waits even if its time has come.
    assert await planograms.take("gw-2", now_ms=95, held_ms=99, besides=["early"]) is None
    with pytest.raises(NotThere):
        await Imports(db).get("early")
    (one,) = await planograms.page(limit=1)
    (other,) = await planograms.page(position=f"{one.created_at_ms}:{one.import_id}", limit=1)
    assert {"early", "late"} == {one.import_id, other.import_id}


async def test_pages_are_found_by_an_index(db: Database) -> None:
    """The newest of a kind, and of a kind in one state."""
    await goes_along(db, newest(ImportKind.PLANOGRAMS, (7, "a"), 9), "machine_imports_by_kind")
    done = newest(ImportKind.MACHINES, (7, "a"), 9, ImportState.DONE)
    await goes_along(db, done, "machine_imports_by_state")
