"""Lists of moves go along an index, and find what no index knows among a bounded number."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, Insert, insert

from storage.database.engine import Database
from storage.office import move_lists
from storage.office.goods import Goods
from storage.office.move_lists import Looked, MovesWanted, looked, looked_at, machine_of, moves_page
from storage.tables import goods_moves
from tests.storage.office.plans import plan_of

COLUMN = "COLUMN:VM-1/A1"
TIMES: dict[str, Any] = {"from_ms": 5, "until_ms": 9}


INDEXES: tuple[tuple[MovesWanted, tuple[str, ...]], ...] = (
    (MovesWanted(), ()),
    (MovesWanted(machine_id="VM-1"), ("goods_moves_by_machine_id_id",)),
    (MovesWanted(visit="v"), ("goods_moves_by_visit",)),
    (MovesWanted(lot="L1", product="cola"), ("goods_moves_by_lot",)),
    (MovesWanted(place="VAN:7"), ("goods_moves_by_from", "goods_moves_by_to")),
    (MovesWanted(place="VISIT:7"), ("goods_moves_by_from", "goods_moves_by_to")),
    (MovesWanted(place=COLUMN), ("goods_moves_by_machine_id_id",)),
    (MovesWanted(kind="WASTED"), ("goods_moves_by_kind",)),
    (MovesWanted(kind="SOLD"), ()),
)


async def test_pages_of_moves_go_along_an_index(db: Database, subtests: pytest.Subtests) -> None:
    """Whatever is asked for, at any depth, and so does the look how far a page looks; a kind and
    times beside it change nothing of that.
    """
    for wanted, indexes in INDEXES:
        with subtests.test(wanted=wanted):
            await _goes_along(db, wanted, indexes)


async def _goes_along(db: Database, wanted: MovesWanted, indexes: tuple[str, ...]) -> None:
    for one in (wanted, replace(wanted, **TIMES), replace(wanted, kind=wanted.kind or "SOLD")):
        for query in (moves_page(one, 77, 10, 3), looked_at(one, 77)):
            plan = [] if query is None else await plan_of(db, query)
            for index in indexes if plan else ():
                assert any(index in line and "<" in line for line in _whole(plan)), plan
            bad = ["SCAN goods_moves", "Seq Scan"]
            if len(indexes) < 2:  # of two, a page of each is sorted together
                bad += ["TEMP B-TREE", "Sort"]
            assert [] == [line for line in plan if any(one in line for one in bad)], plan


def _whole(plan: list[str]) -> list[str]:
    """Return each line of a plan with the one behind it, in which PostgreSQL tells conditions."""
    return [f"{line} {behind}" for line, behind in zip(plan, [*plan[1:], ""], strict=True)]


@pytest.mark.parametrize(
    ("wanted", "bounded"),
    [
        (MovesWanted(machine_id="VM-1"), False),
        (MovesWanted(place="VAN:7"), False),
        (MovesWanted(kind="WASTED"), False),
        (MovesWanted(kind="SOLD"), True),
        (MovesWanted(place="VAN:7", kind="WASTED"), True),
        (MovesWanted(place=COLUMN), True),
        (MovesWanted(visit="v", from_ms=5), True),
        (MovesWanted(kind="WASTED", until_ms=5), True),
    ],
)
def test_only_what_no_index_knows_is_bounded(wanted: MovesWanted, bounded: bool) -> None:
    """Else a page is full as long as there is something."""
    assert bounded is (looked_at(wanted, None) is not None)


@pytest.mark.parametrize(
    ("from_ms", "moves", "newest_ms", "more"),
    [
        (None, 5_000, 7, True),
        (None, 4_999, 7, False),
        (7, 5_000, 7, True),
        (8, 5_000, 7, False),
        (8, 0, None, False),
    ],
)
def test_a_list_ends_where_all_is_older(
    from_ms: int | None, moves: int, newest_ms: int | None, more: bool
) -> None:
    """Or where there is no more of it."""
    wanted = MovesWanted(visit="v", from_ms=from_ms)
    assert Looked(down_to=3, more=more) == looked(wanted, 3, moves, newest_ms)


@pytest.mark.parametrize(
    ("place", "machine_id"),
    [(COLUMN, "VM-1"), ("VAN:7", ""), ("REMOVED:VM-1", ""), ("", ""), ("COLUMN:VM-1/A/1", "VM-1")],
)
def test_a_column_is_looked_for_at_its_machine(place: str, machine_id: str) -> None:
    """Other places have an index."""
    assert machine_id == machine_of(place)


async def test_where_the_goods_of_a_place_went(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of it and into it, page by page to the end, whatever lies between; and of a column."""
    monkeypatch.setattr(move_lists, "LOOKED_MAX", 2)
    places = [("SUPPLIER", "VAN:7"), ("VAN:7", "LOADING:1"), ("LOADING:1", COLUMN)]
    places += [(COLUMN, "SOLD"), ("FOUND", "VAN:8"), ("VAN:7", "WASTE"), (COLUMN, "WASTE")]
    rows = [_row(number, *pair) for number, pair in enumerate(places, 1)]
    for row in rows:
        entered = insert(goods_moves).values(**row)
        await db.write(partial(_execute, entered))
    assert [6, 2, 1] == await _all_of(db, MovesWanted(place="VAN:7"))
    assert [6] == await _all_of(db, MovesWanted(place="VAN:7", kind="WASTED"))
    assert [1] == await _all_of(db, MovesWanted(place="VAN:7", until_ms=2))
    assert [6, 2] == await _all_of(db, MovesWanted(place="VAN:7", from_ms=2))
    assert [7, 4, 3] == await _all_of(db, MovesWanted(place=COLUMN))
    assert [7, 6] == await _all_of(db, MovesWanted(kind="WASTED"))
    assert [7] == await _all_of(db, MovesWanted(kind="WASTED", from_ms=7))


def _execute(wanted: Insert, connection: Connection) -> None:
    connection.execute(wanted)


async def _all_of(db: Database, wanted: MovesWanted) -> list[int]:
    """Return the ids of all pages of one row."""
    goods, found, before = Goods(db), list[int](), None
    while True:
        far = await goods.looked(wanted, before=before)
        page = await goods.moves(wanted, before=before, limit=1, down_to=far.down_to)
        found += [row.id for row in page]
        if page:
            before = page[-1].id
        elif far.more:
            before = far.down_to
        else:
            return found


def _row(number: int, from_place: str, to_place: str) -> dict[str, Any]:
    kind = {"SOLD": "SOLD", "WASTE": "WASTED"}.get(to_place, "TRANSFERRED")
    machine_id = "VM-1" if COLUMN in {from_place, to_place} else ""
    return {
        "id": number,
        "at_ms": number,
        "kind": kind,
        "cause": str(number),
        "product": "cola",
        "quantity": {1: 20, 2: 5, 3: 5}.get(number, 1),
        "from_place": from_place,
        "to_place": to_place,
        "machine_id": machine_id,
        **dict.fromkeys(("lot", "visit", "actor", "reason"), ""),
    }
