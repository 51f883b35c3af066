"""What is in columns, what they sell, and what is to be brought."""

from typing import Any

import pytest
from sqlalchemy import Connection, delete, event, insert, update

from storage.database.engine import Database
from storage.machines.rows import DAY_MS
from storage.office import locks, stock_lists
from storage.office.deeds import Deed, NotPossible
from storage.office.pars import Pars
from storage.office.recalls import NewRecall
from storage.office.selectors import Selector, Selectors
from storage.office.stock_lists import StockLine, StockLists
from storage.office.supply import supply
from storage.tables import column_locks, goods_moves, machines
from tests.storage.office import locking as of
from tests.storage.owner import START_MS, Owner

BY = Deed(actor="ann", action="SetPars", now_ms=7)


def sold(
    number: int, at_ms: int, place: str = "COLUMN:VM-1/A1", product: str = "cola"
) -> dict[str, Any]:
    """Return the row of one sale."""
    return {
        "at_ms": at_ms,
        "kind": "CASH_SOLD",
        "cause": f"c{number}",
        "product": product,
        "quantity": 1,
        "from_place": place,
        "to_place": "SOLD",
        "machine_id": "VM-1",
        "version": 1,
        "lot": "",
        "visit": "",
        "actor": "",
        "reason": "",
    }


@pytest.mark.slow_on_postgres
async def test_what_is_brought_is_the_par_less_what_will_be_there(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four of five are sold within two days, of which one counts: a day later two are likely to be
    left; what has no par, or one of another product, gets nothing.
    """
    await Owner.of(db, "VM-1", "VM-2")
    pars, lists = Pars(db), StockLists(db)
    await pars.set("VM-1", {"A1": 8}, BY)
    now_ms = START_MS + 2 * DAY_MS
    rows = [sold(1, START_MS), *(sold(number, now_ms - 1) for number in range(2, 5))]
    await db.write(lambda connection: connection.execute(insert(goods_moves), rows))
    asked = {"since_ms": now_ms - DAY_MS, "now_ms": now_ms, "ahead_ms": DAY_MS // 3}
    (line,) = (await lists.picked(Selector(all=True), **asked)).lines
    assert (
        StockLine(
            machine_id="VM-1",
            column="A1",
            product="cola",
            stock=1,
            capacity=10,
            par=8,
            sold=3,
            span_ms=DAY_MS,
            supply=supply(1, 3, DAY_MS),
            expected=0,
            bring=8,
        )
        == line
    )
    lines = await lists.lines(["VM-1", "VM-2"], since_ms=START_MS - DAY_MS, now_ms=now_ms)
    assert [("VM-1", 1, 4), ("VM-1", 5, 0), ("VM-2", 5, 0), ("VM-2", 5, 0)] == [
        (one.machine_id, one.stock, one.sold) for one in lines
    ]
    # The machines are younger than that.
    assert {2 * DAY_MS} == {one.span_ms for one in lines}

    monkeypatch.setattr(stock_lists, "MOVES_MAX", 2)
    line, *_ = await lists.lines(["VM-1"], **asked)
    assert (2, 1) == (line.sold, line.span_ms)
    monkeypatch.setattr(stock_lists, "PICKED_MACHINES_MAX", 1)
    with pytest.raises(NotPossible, match="more than 1 machines"):
        await lists.picked(Selector(all=True), **asked)


@pytest.mark.parametrize("places", [1, 500])
async def test_locked_goods_are_taken_out_and_none_of_them_is_expected(
    db: Database, monkeypatch: pytest.MonkeyPatch, places: int
) -> None:
    """Of nine with a par of eight five are recalled, some of them twice: five come out, and four
    that may be sold are there and stay, because a locked column sells nothing: four are brought.
    """
    await of.machines(db, "VM-1", "VM-2")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await of.moved(db, 2, "LOADED", "L2", 4)
    await of.moved(db, 3, "LOADED", "L3", 2)
    await of.moved(db, 4, "LOADED", "L4", 6, machine_id="VM-2")
    await Pars(db).set("VM-1", {"A1": 8}, BY)
    await Pars(db).set("VM-2", {"A1": 6}, BY)
    for number, lot in enumerate(("L1", "L3")):
        wanted = NewRecall(product="cola", lot=lot, reason="glass")
        await of.locked_for(db, await of.recalled(db, wanted, f"r-{number}"))
    asked = {"since_ms": 0, "now_ms": 9, "ahead_ms": 99}
    (line,) = (await StockLists(db).picked(Selector(all=True), **asked)).lines
    assert ("A1", 9, 5, 4, 4) == (
        line.column,
        line.stock,
        line.take_out,
        line.expected,
        line.bring,
    )
    every = NewRecall(product="cola", lot="", reason="glass")
    monkeypatch.setattr(locks, "PLACES_AT_ONCE", places)
    await of.locked_for(db, await of.recalled(db, every, "r-all"))
    lines = (await StockLists(db).picked(Selector(all=True), **asked)).lines
    assert [("VM-1", 9, 0, 8), ("VM-2", 6, 0, 6)] == [
        (one.machine_id, one.take_out, one.expected, one.bring) for one in lines
    ]
    assert all(one.is_low(50, 0) for one in lines)


async def test_many_machines_of_many_recalls_are_looked_at_together(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many fit a look: of each recall only those machines count that it locks, and no
    machine takes a statement of its own.
    """
    names = [f"VM-{number}" for number in range(5)]
    await of.machines(db, *names)
    for number, name in enumerate(names):
        await of.moved(db, 2 * number + 1, "LOADED", "L1", 3, machine_id=name)
        await of.moved(db, 2 * number + 2, "LOADED", "L2", 4, machine_id=name, column="A2")
    for lot in ("L1", "L2"):
        wanted = NewRecall(product="cola", lot=lot, reason="glass")
        await of.locked_for(db, await of.recalled(db, wanted, f"r-{lot}"))
    unlocked = delete(column_locks).where(column_locks.c.machine_id == "VM-3")
    await db.write(lambda connection: connection.execute(unlocked))
    unlocked = delete(column_locks).where(
        column_locks.c.machine_id == "VM-1", column_locks.c.recall_id == "r-L1"
    )
    await db.write(lambda connection: connection.execute(unlocked))
    expected = {(name, "A1"): 3 for name in ("VM-0", "VM-2", "VM-4")}
    expected |= {(name, "A2"): 4 for name in ("VM-0", "VM-1", "VM-2", "VM-4")}
    for places, named in ((500, 100), (3, 2), (1, 1)):
        monkeypatch.setattr(locks, "PLACES_AT_ONCE", places)
        monkeypatch.setattr(locks, "PLACES_NAMED", named)
        assert expected == await db.read(lambda connection: locks.to_take_out(connection, names))
    monkeypatch.undo()

    asked: list[str] = []

    def count(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement)

    def looked(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", count)
        locks.to_take_out(connection, names)
        event.remove(connection, "before_cursor_execute", count)

    await db.read(looked)
    assert 6 == len(asked), asked  # locks, places, the first load of each lot, loads, taken


async def test_a_retired_machine_is_emptied_and_nothing_is_brought(db: Database) -> None:
    """It is on the list until nothing is left in it; no other list has it."""
    await of.machines(db, "VM-1", "VM-2")
    await of.moved(db, 1, "LOADED", "L1", 3)
    await Pars(db).set("VM-1", {"A1": 8}, BY)
    gone = update(machines).values(retired_at_ms=5)
    await db.write(lambda connection: connection.execute(gone))
    asked = {"since_ms": 0, "now_ms": 9, "ahead_ms": 0}
    for selector in (Selector(all=True), Selector(machine_ids=("VM-1", "VM-2"))):
        (line,) = (await StockLists(db).picked(selector, **asked)).lines
        assert ("VM-1", "A1", 3, 0) == (
            line.machine_id,
            line.column,
            line.take_out,
            line.bring,
        )
    assert () == tuple((await Selectors(db).page(Selector(all=True), 9, limit=9)).machine_ids)
    await of.moved(db, 2, "UNLOADED", "", 3)
    assert [] == (await StockLists(db).picked(Selector(all=True), **asked)).lines


@pytest.mark.parametrize(
    ("stock", "par", "sold_", "low"),
    [(0, 0, 0, True), (4, 8, 0, True), (5, 8, 0, False), (1, 0, 0, False), (5, 0, 50, True)],
)
def test_low_is_empty_or_little_or_soon_empty(
    stock: int, par: int, sold_: int, *, low: bool
) -> None:
    """Half of the par; or what sells fifty a day, within twelve hours."""
    line = StockLine(
        machine_id="VM-1",
        column="A1",
        product="cola",
        capacity=10,
        bring=0,
        stock=stock,
        par=par,
        sold=sold_,
        span_ms=DAY_MS,
        expected=0,
        supply=supply(stock, sold_, DAY_MS),
    )
    assert low is line.is_low(50, 12)
