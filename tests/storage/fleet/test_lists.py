"""Lists of what happened: each filter, both directions, page by page, and along an index."""

import itertools
import re
import sqlite3
from collections import Counter
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Select, Update, insert, update
from sqlalchemy.dialects.sqlite import dialect

from actors.machine.code import CodeStatus
from actors.machine.ids import MachineId
from storage.database.engine import Database
from storage.fleet import lists
from storage.fleet.lists import MachinesWanted, Records, Wanted
from storage.fleet.positions import InvalidPosition
from storage.fleet.queries import Queries
from storage.fleet.registry import Registry
from storage.tables import machine_states, machines, trades, vends, work_item_closings
from storage.tables.records import USUAL
from tests.storage.owner import START_MS, Owner, new_machine, paid

STATION, PIER = "VM-1", "VM_2"
STATUSES = ("SUCCEEDED", "FAILED", "DENIED")


async def _fleet(db: Database) -> None:
    """Register a machine near the station and one at a pier, whose id has a wildcard in it."""
    for machine_id, name, address in (
        (STATION, "Hall 1", "Central STATION, Hong Kong"),
        (PIER, "100% Fresh", "Pier 7"),
    ):
        await Registry(db).register(new_machine(machine_id), actor="ann", now_ms=START_MS)
        placed = (
            update(machines)
            .where(machines.c.machine_id == machine_id)
            .values(store_name=name, address=address)
        )
        await db.write(partial(_executed, placed))


def _executed(statement: Update, connection: Connection) -> None:
    connection.execute(statement)


async def _trades(db: Database) -> None:
    """Ten payments, one each minute, turn by turn at the two machines; every third is of 4.50."""
    rows = [
        {
            "trade_id": f"t{number}",
            "machine_id": (STATION, PIER)[number % 2],
            "session_id": None,
            "partner_trans_id": f"p{number}",
            "payer_id": "x",
            "status": "CLOSED",
            "currency": "HKD",
            "paid_minor": 450 if number % 3 == 0 else 500,
            "sold_minor": 450 if number % 3 == 0 else 500,
            "refunded_minor": 0,
            "written_off_minor": 0,
            "held_minor": 0,
            "received_at_ms": START_MS + number * 60_000,
            "closed_at_ms": None,
        }
        for number in range(10)
    ]
    await db.write(lambda connection: connection.execute(insert(trades), rows))


async def _vends(db: Database) -> None:
    """Nine vends of three statuses, three of them at each moment."""
    rows = [
        {
            "vend_id": f"v{number}",
            "machine_id": STATION,
            "session_id": "s",
            "request_id": "r",
            "column": "A1",
            "product": "cola",
            "price_minor": 500,
            "currency": "HKD",
            "status": STATUSES[number % 3],
            "reason": "",
            "requested_at_ms": START_MS + number // 3,
            "ended_at_ms": None,
            "evidence": "",
        }
        for number in range(9)
    ]
    await db.write(lambda connection: connection.execute(insert(vends), rows))


async def _found(db: Database, **wanted: Any) -> list[str]:
    return [one.trade_id for one in await Queries(db).trades(Wanted(**wanted), limit=100)]


async def test_an_administrator_finds_a_payment(db: Database) -> None:
    """4.50, this morning, near the station."""
    await _fleet(db)
    await _trades(db)
    assert ["t6", "t0"] == await _found(db, amount_minor=450, place="station")
    assert ["t6"] == await _found(
        db,
        amount_minor=450,
        place="station",
        from_ms=START_MS + 60_000,
        until_ms=START_MS + 600_000,
    )


async def test_a_time_range_holds_its_beginning_and_not_its_end(db: Database) -> None:
    """Two ranges that meet show each payment once."""
    await _fleet(db)
    await _trades(db)
    middle = START_MS + 5 * 60_000
    assert ["t9", "t8", "t7", "t6", "t5"] == await _found(db, from_ms=middle)
    assert ["t4", "t3", "t2", "t1", "t0"] == await _found(db, until_ms=middle)


PLACES: dict[str, set[str]] = {
    "sTaTiOn": {STATION},
    "vm": {STATION, PIER},
    "_2": {PIER},
    "M_": {PIER},
    "0%": {PIER},
    "%": {PIER},
    "/": set(),
    "nowhere": set(),
}


async def test_a_place_is_part_of_id_name_or_address(
    db: Database, subtests: pytest.Subtests
) -> None:
    """Whatever its case, and letter by letter: no sign in it stands for another one."""
    await _fleet(db)
    await _trades(db)
    queries = Queries(db)
    for place, machine_ids in PLACES.items():
        with subtests.test(place):
            shown = await queries.trades(Wanted(place=place), limit=100)
            assert machine_ids == {one.machine_id for one in shown}
            listed = await queries.machines(MachinesWanted(text=place), limit=100)
            assert machine_ids == {one.machine_id for one in listed}


async def test_pages_follow_each_other_in_both_directions(
    db: Database, subtests: pytest.Subtests
) -> None:
    """No vend is left out and none comes twice, though several are of the same moment."""
    await _vends(db)
    queries = Queries(db)
    for statuses, limit, ascending in itertools.product(
        ((), ("FAILED",), ("FAILED", "SUCCEEDED"), STATUSES), (1, 2, 4), (False, True)
    ):
        with subtests.test(statuses=statuses, limit=limit, ascending=ascending):
            wanted = Wanted(statuses=statuses, ascending=ascending)
            seen: list[str] = []
            position = ""
            while page := await queries.vends(wanted, position=position, limit=limit):
                seen += [one.vend_id for one in page]
                position = page[-1].position
            expected = [
                f"v{number}"
                for number in range(9)
                if not statuses or STATUSES[number % 3] in statuses
            ]
            assert (expected if ascending else expected[::-1]) == seen


async def test_a_session_is_found_by_what_was_paid_in_it(db: Database) -> None:
    """The sum of its payments, whatever each of them was."""
    owner = await Owner.of(db, STATION)
    await owner.do(STATION, paid("t1", 200))
    await owner.do(STATION, paid("t2", 250))
    queries = Queries(db)
    (session,) = await queries.sessions(Wanted(amount_minor=450), limit=9)
    assert 450 == session.paid_minor
    assert [] == await queries.sessions(Wanted(amount_minor=200), limit=9)


async def test_machines_are_filtered_by_what_they_are(db: Database) -> None:
    """By stream, halt, code and end of life; one that nothing was decided for is as a fresh one."""
    await Owner.of(db, "VM-1")
    for machine_id in ("VM-2", "VM-3"):
        await Registry(db).register(new_machine(machine_id), actor="ann", now_ms=START_MS)
    await db.write(
        lambda connection: connection.execute(
            update(machines).where(machines.c.machine_id == "VM-3").values(retired_at_ms=START_MS)
        )
    )

    async def shown(**wanted: Any) -> list[str]:
        found = await Queries(db).machines(MachinesWanted(**wanted), limit=9)
        return [one.machine_id for one in found]

    assert ["VM-1", "VM-2"] == await shown()
    assert ["VM-1", "VM-2", "VM-3"] == await shown(retired=True)
    assert ["VM-1"] == await shown(online=True)
    assert ["VM-2"] == await shown(online=False)
    assert [] == await shown(halted=True)
    assert ["VM-1", "VM-2"] == await shown(halted=False)
    assert ["VM-1"] == await shown(code_statuses=("ACTIVE",))
    assert ["VM-2"] == await shown(code_statuses=("PENDING", "REFUSED"))
    assert ["VM-2"] == await shown(phases=("INACTIVE",))
    assert [] == await shown(code_differs=True)
    await db.write(
        lambda connection: connection.execute(
            update(machine_states).values(code_differs_since_ms=START_MS)
        )
    )
    assert ["VM-1"] == await shown(code_differs=True)
    assert ["VM-2"] == await shown(code_differs=False)


async def test_a_code_s_status_is_asked_of_the_state_as_it_is_written(db: Database) -> None:
    """Of the text: each machine is found by the status that it shows, and a damaged state by
    none.
    """
    await Owner.of(db, "VM-1")
    queries = Queries(db)
    for status in CodeStatus:
        found = await queries.machines(MachinesWanted(code_statuses=(status,)), limit=9)
        assert ([status] if status == CodeStatus.ACTIVE else []) == [
            one.code_status for one in found
        ]
    await db.write(lambda connection: connection.execute(update(machine_states).values(body="{")))
    assert [] == await queries.machines(MachinesWanted(code_statuses=("ACTIVE",)), limit=9)


@pytest.mark.slow_on_postgres
async def test_a_long_list_reads_no_columns(db: Database) -> None:
    """Unless it is asked to."""
    await Registry(db).register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    (without,) = await Queries(db).machines(limit=9, columns=False)
    (whole,) = await Queries(db).machines(limit=9)
    assert (0, 2) == (len(without.columns), len(whole.columns))


async def test_a_journal_is_read_backwards(db: Database) -> None:
    """One machine's, newest first, from a time on, page by page."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    owner.now_ms += 5_000
    await owner.do("VM-1", paid("t1"))
    queries = Queries(db)
    whole = await queries.events("VM-1", limit=100)
    assert {"VM-1"} == {one.machine_id for one in whole}
    assert sorted((one.version for one in whole), reverse=True) == [one.version for one in whole]
    assert ("TopUpPaid", "VM-1-s1") == (whole[0].kind, whole[0].session_id)
    recent = await queries.events("VM-1", Wanted(from_ms=START_MS + 1), limit=100)
    assert whole[: len(recent)] == recent
    assert {START_MS + 5_000} == {one.at_ms for one in recent}
    behind = await queries.events("VM-1", position=str(whole[1].version), limit=100)
    assert whole[2:] == behind


async def test_the_audit_log_is_read_backwards(db: Database) -> None:
    """Of all machines or of one, within a time range."""
    for number in range(4):
        await Registry(db).register(
            new_machine(f"VM-{number}"), actor="ann", now_ms=START_MS + number
        )
    queries = Queries(db)
    whole = await queries.audit_records(limit=9)
    assert ["VM-3", "VM-2", "VM-1", "VM-0"] == [one.machine_id for one in whole]
    assert whole[2:] == await queries.audit_records(position=str(whole[1].position), limit=9)
    assert whole[1:3] == await queries.audit_records(
        Wanted(from_ms=START_MS + 1, until_ms=START_MS + 3), limit=9
    )
    assert whole[:1] == await queries.audit_records(Wanted(machine_id="VM-3"), limit=9)


async def test_what_was_closed_is_listed(db: Database) -> None:
    """Newest first, by kind and machine."""
    rows = [
        {
            "item_id": f"inbox:{number}",
            "kind": ("PAYMENT_CONFLICT", "NOTIFICATION_REFUSED")[number % 2],
            "machine_id": f"VM-{number}",
            "actor": "ann",
            "closed_at_ms": START_MS + number,
            "reason": "seen",
        }
        for number in range(4)
    ]
    await db.write(lambda connection: connection.execute(insert(work_item_closings), rows))
    queries = Queries(db)
    whole = await queries.closings(limit=9)
    assert ["inbox:3", "inbox:2", "inbox:1", "inbox:0"] == [one.item_id for one in whole]
    assert whole[2:] == await queries.closings(position=whole[1].position, limit=9)
    assert whole[::2] == await queries.closings(Wanted(statuses=("NOTIFICATION_REFUSED",)), limit=9)
    assert whole[1:2] == await queries.closings(Wanted(machine_id="VM-2"), limit=9)


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("position", ["x", "-1", "1.5", "9" * 19, "1:2"])
async def test_a_position_of_a_counted_list_is_a_number(db: Database, position: str) -> None:
    """Whatever else comes is refused before SQL sees it."""
    with pytest.raises(InvalidPosition):
        await Queries(db).audit_records(position=position, limit=1)
    with pytest.raises(InvalidPosition):
        await Queries(db).events(MachineId("VM-1"), position=position, limit=1)


# --- the way that SQLite goes ---


def _plan(file: Path, wanted: Select[Any]) -> list[str]:
    sql = str(wanted.compile(dialect=dialect(), compile_kwargs={"literal_binds": True}))
    with closing(sqlite3.connect(file)) as connection:
        return [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]


def _sorts(plan: list[str]) -> list[str]:
    """Return what is sorted as a whole: rows of one millisecond, which an index of the time gives
    together, are few.
    """
    return [line for line in plan if "TEMP B-TREE" in line and not _OF_ONE_MOMENT.search(line)]


_OF_ONE_MOMENT = re.compile("(RIGHT PART|LAST TERM) OF ORDER BY")
POSITION = f"{START_MS}:x"
RANGE: dict[str, Any] = {"from_ms": START_MS, "until_ms": START_MS + 1}
RECORDS = [lists.SESSIONS, lists.VENDS, lists.TRADES, lists.REFUNDS, lists.CLOSINGS]


@pytest.mark.parametrize("records", RECORDS, ids=lambda one: one.table.name)
@pytest.mark.parametrize("position", ["", POSITION])
@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(ascending=True),
        Wanted(**RANGE),
        Wanted(place="station", **RANGE),
        Wanted(statuses=("X",)),
        Wanted(statuses=("ENDED",)),
        Wanted(statuses=("CLOSED",)),
        Wanted(statuses=("SUCCEEDED",)),
        Wanted(machine_id="VM-1"),
        Wanted(machine_id="VM-1", ascending=True),
    ],
)
def test_a_list_goes_along_an_index(
    upgraded_file: Path, records: Records, wanted: Wanted, position: str
) -> None:
    """Its rows come in the order of time from the index: no table is scanned, and nothing is sorted
    but the rows of one millisecond.
    """
    plan = _plan(upgraded_file, records.page(wanted, position, 51))
    (own,) = (line for line in plan if line.split()[1] == records.table.name)
    assert " USING INDEX " in own or " USING COVERING INDEX " in own, plan
    assert [] == _sorts(plan)


@pytest.mark.parametrize("records", RECORDS, ids=lambda one: one.table.name)
@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("machine_id", ["", "VM-1"])
def test_a_later_page_of_a_time_range_begins_where_the_one_before_ended(
    upgraded_file: Path, records: Records, machine_id: str, *, ascending: bool
) -> None:
    """Not at the beginning of the range, up to where every row would be looked at again: that one
    is not said in words that an index knows.
    """
    wanted = Wanted(machine_id=machine_id, ascending=ascending, **RANGE)
    page = records.page(wanted, POSITION, 51)
    (own,) = (line for line in _plan(upgraded_file, page) if line.split()[1] == records.table.name)
    assert re.search(rf"{records.at}.*{'>' if ascending else '<'}\(?\?", own), own
    assert f"{records.at} + " in str(page)
    first = records.page(wanted, "", 51)
    assert f"{records.at} + " not in str(first)


@pytest.mark.parametrize(
    ("records", "of_one"),
    [
        (lists.SESSIONS, "machine_id"),
        (lists.VENDS, "machine_id"),
        (lists.VENDS, "session_id"),
        (lists.TRADES, "machine_id"),
        (lists.TRADES, "session_id"),
        (lists.REFUNDS, "machine_id"),
        (lists.REFUNDS, "trade_id"),
    ],
    ids=lambda one: getattr(one, "table", one),
)
@pytest.mark.parametrize("statuses", [("DENIED",), ("DENIED", "VOIDED")])
@pytest.mark.parametrize("position", ["", POSITION])
def test_statuses_of_one_machine_are_looked_for_among_its_own_rows(
    upgraded_file: Path, records: Records, of_one: str, statuses: tuple[str, ...], position: str
) -> None:
    """Not among all rows that the fleet has in these statuses, and without being sorted."""
    one: dict[str, Any] = {of_one: "x"}
    wanted = Wanted(statuses=statuses, **one)
    plan = _plan(upgraded_file, records.page(wanted, position, 51))
    (own,) = (line for line in plan if line.split()[1] == records.table.name)
    assert f"_by_{of_one}_{records.at} ({of_one}=?" in own
    assert [] == _sorts(plan)


async def test_a_machine_s_rows_are_filtered_by_status(db: Database) -> None:
    """One status and several, page by page, as without a machine."""
    await _fleet(db)
    await _vends(db)
    queries = Queries(db)
    whole = await queries.vends(limit=100)
    for statuses in (STATUSES[:1], STATUSES[:2], STATUSES):
        of_machine = Wanted(machine_id=whole[0].machine_id, statuses=statuses)
        expected = [
            one for one in whole if one.machine_id == whole[0].machine_id and one.status in statuses
        ]
        assert expected
        first = await queries.vends(of_machine, limit=2)
        rest = await queries.vends(of_machine, position=first[-1].position, limit=100)
        assert expected == first + rest


@pytest.mark.parametrize("records", RECORDS[1:4], ids=lambda one: one.table.name)
def test_each_of_several_statuses_goes_along_its_index(
    upgraded_file: Path, records: Records
) -> None:
    """Only what the short lists hold together is sorted, which is a page for each."""
    plan = _plan(upgraded_file, records.page(Wanted(statuses=("A", "B", "C")), POSITION, 51))
    own = [line for line in plan if f" {records.table.name} " in line]
    assert 3 == len(own)
    assert all("USING INDEX" in line and "status=?" in line for line in own), plan
    # What is sorted is what a short list has given, never what its table holds.
    before = [one for one, line in pairwise(plan) if _sorts([line])]
    assert before
    assert all(line.startswith("SCAN anon_") for line in before), plan


@pytest.mark.parametrize("position", ["", "7"])
def test_journal_and_audit_log_go_along_an_index(upgraded_file: Path, position: str) -> None:
    """Backwards by the number that counts them."""
    for query in (
        lists.events("VM-1", Wanted(), position, 51),
        lists.audit_records(Wanted(machine_id="VM-1"), position, 51),
    ):
        plan = _plan(upgraded_file, query)
        assert all(line.startswith("SEARCH") and "INDEX" in line for line in plan), plan
    assert [] == [
        line
        for line in _plan(upgraded_file, lists.audit_records(Wanted(), position, 51))
        if "TEMP B-TREE" in line
    ]


def test_a_watch_of_a_machine_sorts_nothing(upgraded_file: Path) -> None:
    """It goes along the journal's key, from where it was, however long the history is."""
    assert [
        "SEARCH journal USING INDEX journal_one_machine_id_version (machine_id=? AND version>?)"
    ] == [
        detail.replace("sqlite_autoindex_journal_1", "journal_one_machine_id_version")
        for detail in _plan(upgraded_file, lists.events_behind("VM-1", 5, 900, 200))
    ]


@pytest.mark.parametrize("records", RECORDS[:4], ids=lambda one: one.table.name)
def test_the_usual_status_goes_along_the_time(upgraded_file: Path, records: Records) -> None:
    """Of all others an index holds the few rows; of the usual one it would hold nearly all."""
    name = records.table.name
    for status, index in (
        (USUAL[name], f"{name}_by_{records.at}"),
        ("X", f"{name}_unusual"),
    ):
        plan = _plan(upgraded_file, records.page(Wanted(statuses=(status,)), "", 51))
        (own,) = (line for line in plan if line.split()[1] == name)
        assert f"INDEX {index}" in own, plan


def _by(records: Records, of_one: str = "") -> str:
    """Return the index of its lists. Closings are few, and theirs holds their key too."""
    key = f"_{records.key}" if records is lists.CLOSINGS else ""
    return f"{records.table.name}_by_{of_one}{records.at}{key}"


QUERIES: dict[str, Select[Any]] = {
    **{_by(one): one.page(Wanted(), "", 51) for one in RECORDS},
    **{
        _by(one, f"{of_one}_"): one.page(Wanted(**cast("dict[str, Any]", {of_one: "x"})), "", 51)
        for one, of_one in (
            (lists.SESSIONS, "machine_id"),
            (lists.VENDS, "machine_id"),
            (lists.VENDS, "session_id"),
            (lists.TRADES, "machine_id"),
            (lists.TRADES, "session_id"),
            (lists.REFUNDS, "machine_id"),
            (lists.REFUNDS, "trade_id"),
        )
    },
    **{
        f"{one.table.name}_unusual": one.page(Wanted(statuses=("X",)), "", 51)
        for one in RECORDS[:4]
    },
}
"""Each index of the records, with a query that goes along it."""


@pytest.mark.parametrize("index", QUERIES)
def test_each_index_of_the_records_has_its_query(upgraded_file: Path, index: str) -> None:
    """An index that no query goes along costs bytes and pages with each sale for nothing."""
    plan = _plan(upgraded_file, QUERIES[index])
    assert any(f"INDEX {index}" in line for line in plan), plan


def test_no_index_of_the_records_is_without_a_query() -> None:
    """Who makes one writes its query down here."""
    made = {str(index.name) for one in RECORDS for index in one.table.indexes}
    assert set(QUERIES) == made


async def test_a_tally_counts_the_usual_ones_too(db: Database) -> None:
    """They are what is left of all; a status that no row has is not told."""
    await _fleet(db)
    await _vends(db)
    queries = Queries(db)
    whole = await queries.vends(limit=100)
    assert dict(Counter(one.status for one in whole)) == (await queries.tally()).vends
