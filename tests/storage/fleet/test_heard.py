"""What an actor has heard of planograms decides which goods another one may take out."""

from collections.abc import Sequence

import pytest
from sqlalchemy import update

from actors.machine import values
from actors.machine.events import SessionCompleted, StockCounted
from actors.machine.ids import MachineId
from actors.machine.state import Column
from storage.auditing import prove
from storage.codec import encode_state
from storage.database.engine import Database
from storage.fleet.changes import GoodsUnheard, MachineChange
from storage.fleet.registry import Changed, Registry
from storage.machines.inbox import Inbox
from storage.tables import machine_states
from tests.storage.notifications import received
from tests.storage.owner import COLUMNS, START_MS, Owner, new_machine, paid

VM_1 = MachineId("VM-1")
COLA, TEA = COLUMNS


async def _set(db: Database, *columns: Column, agreed: bool = True) -> Changed:
    return await Registry(db).change(
        VM_1,
        MachineChange(columns=columns, goods_may_be_removed=agreed),
        actor="ann",
        action="SetPlanogram",
        now_ms=START_MS,
    )


async def _hear(owner: Owner) -> Sequence[tuple[int, str, str, str]]:
    loaded = await owner.store.load(VM_1)
    assert loaded is not None
    done = await owner.do("VM-1", loaded.configuration)
    return [
        (move.quantity, move.product, move.from_place, move.to_place)
        for move in done.decision.goods
    ]


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("stock", [0, 5])
async def test_a_column_that_was_taken_out_comes_again_with_its_count(
    db: Database, stock: int
) -> None:
    """Its actor has not heard that it was taken out, and would keep what it had: what is in it by
    now would be in no book, nor that the others were removed.
    """
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", StockCounted(column="A1", stock=stock))
    out = await _set(db, TEA)
    assert [stock] * bool(stock) == [one.stock for one in out.gone]
    again = values.replace(COLA, stock=9)
    with pytest.raises(GoodsUnheard):
        await _set(db, again, TEA)
    removed = [(stock, "cola", "COLUMN:VM-1/A1", "REMOVED:VM-1")]
    assert removed * bool(stock) == await _hear(owner)
    await _set(db, again, TEA)
    assert [(9, "cola", "FOUND", "COLUMN:VM-1/A1")] == await _hear(owner)
    assert () == (await prove(db, now_ms=START_MS, own_ids=set())).sentences


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("stock", [0, 5])
async def test_a_mistake_of_which_no_actor_heard_is_taken_back(db: Database, stock: int) -> None:
    """Without a count, or with the one that there is: nothing left its column."""
    owner = await Owner.of(db, "VM-1")
    await _set(db, TEA)
    await _set(db, values.replace(COLA, stock=stock), TEA)
    assert [] == await _hear(owner)
    assert COLUMNS == owner.states["VM-1"].columns


@pytest.mark.slow_on_postgres
async def test_a_column_that_a_customer_still_sees_keeps_its_own_count(db: Database) -> None:
    """The planogram without it was heard, and never in force."""
    owner = await Owner.of(db, "VM-1")
    put = await Inbox(db).put(received("t1"))
    await owner.do("VM-1", paid("t1"), inbox_id=put.inbox_id)
    await _set(db, TEA)
    assert [] == await _hear(owner)
    await _set(db, values.replace(COLA, stock=9), TEA)
    assert [] == await _hear(owner)
    assert COLUMNS == owner.states["VM-1"].columns


@pytest.mark.slow_on_postgres
async def test_a_machine_is_retired_when_its_actor_knows_what_may_be_removed(db: Database) -> None:
    """Nobody can say it again of a retired one: its goods would be in its columns for ever."""
    owner = await Owner.of(db, "VM-1")
    await _set(db, TEA)
    with pytest.raises(GoodsUnheard, match="5 cola of A1"):
        await _retire(db)
    assert [(5, "cola", "COLUMN:VM-1/A1", "REMOVED:VM-1")] == await _hear(owner)
    await _set(db, TEA, COLA, agreed=False)
    await _retire(db)
    await _hear(owner)
    assert owner.states["VM-1"].next_planogram is None


@pytest.mark.slow_on_postgres
async def test_goods_of_a_machine_that_cannot_be_read_stay(db: Database) -> None:
    """It may not have heard of what came with a column, and would leave it out without a word."""
    owner = await Owner.of(db, "VM-1")
    milk = values.replace(TEA, column="B1", product="milk", stock=6)
    await _set(db, COLA, TEA, milk)
    readable = encode_state(owner.states["VM-1"]).body
    await _saved(db, "?")
    with pytest.raises(GoodsUnheard, match="6 milk of B1"):
        await _set(db, COLA, TEA)
    dearer = values.replace(milk, price_minor=900)
    await _set(db, COLA, TEA, dearer)
    await _saved(db, readable)
    assert [(6, "milk", "FOUND", "COLUMN:VM-1/B1")] == await _hear(owner)


async def _retire(db: Database) -> None:
    await Registry(db).change(
        VM_1, MachineChange(retire=True), actor="ann", action="RetireMachine", now_ms=START_MS
    )


async def _saved(db: Database, body: str) -> None:
    """Let the actor's state be this."""
    broken = update(machine_states).values(body=body)
    await db.write(lambda connection: connection.execute(broken))


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("agreed", [False, True])
async def test_what_is_foreseen_is_what_the_change_would_say(db: Database, agreed: bool) -> None:
    """Of a machine behind whose columns a planogram waits, and of one that has decided nothing."""
    owner = await Owner.of(db, "VM-1")
    registry, there = Registry(db), owner.states["VM-1"].columns
    await registry.register(new_machine("VM-2"), actor="test", now_ms=START_MS)
    put = await Inbox(db).put(received("t1"))
    await owner.do("VM-1", paid("t1"), inbox_id=put.inbox_id)
    tea = Column(column="B1", product="tea", price_minor=1, capacity=9, stock=6)
    smaller = (values.replace(there[0], capacity=5), *(() if agreed else there[1:]), tea)
    await _set(db, *smaller, agreed=agreed)
    await _hear(owner)
    await owner.do("VM-1", StockCounted(column="A1", stock=7))
    session = owner.states["VM-1"].session
    assert session is not None
    if not agreed:  # then goods keep it back
        completed = SessionCompleted(session_id=session.session_id)
        await owner.do("VM-1", owner.frame("VM-1", completed))
    assert owner.states["VM-1"].next_planogram is not None
    for wanted in (smaller, there, (tea,), ()):
        both = {"VM-1": wanted, "VM-2": wanted}
        for machine_id, (present, gone) in (await registry.foreseen(both)).items():
            told = await registry.check(
                MachineId(machine_id),
                MachineChange(columns=wanted, goods_may_be_removed=True),
                now_ms=START_MS,
            )
            assert told.gone == gone
            assert [one.column for one in present] == (
                ["A1", "A2"] if machine_id == "VM-2" else [one.column for one in smaller]
            )
