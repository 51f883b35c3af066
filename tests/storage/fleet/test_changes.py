"""A change is checked within its own transaction against what the database has."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from actors.machine import values
from actors.machine.events import (
    CodeCreated,
    CodeFailed,
    ConfigurationChanged,
    RefundSucceeded,
    SessionCompleted,
    StockCounted,
)
from actors.machine.ids import MachineId
from actors.machine.policy import PolicyOverrides
from actors.machine.state import Column, Mode
from actors.ports import MachineHalt
from storage.auditing import prove
from storage.database.engine import Database, StorageConfig
from storage.fleet.answers import Answers, Asked, Claim, RequestInProgress
from storage.fleet.changes import (
    EtagStale,
    GoodsUnheard,
    GoodsWithoutPlace,
    LimitsContradict,
    MachineChange,
    MachineInUse,
    MachineRetired,
    ProductsArchived,
    etag_of,
)
from storage.fleet.joining import AlreadyRegistered
from storage.fleet.registry import Registry
from storage.machines.inbox import Inbox
from storage.office.deeds import Deed
from storage.office.pars import Pars
from storage.office.product_content import ProductChange, ProductContent
from storage.office.products import Products
from storage.tables import audit, machine_states, machines
from tests.storage.notifications import received
from tests.storage.owner import START_MS, Owner, hears, new_machine, paid, refund_of
from tests.support.patience import HANGS_AFTER_S

VM_1 = MachineId("VM-1")
MOVED = MachineChange(store_name="Hall", address="", country_code="SG")
RETIRED = MachineChange(retire=True)


async def _change(db: Database, change: MachineChange, **options: Any) -> ConfigurationChanged:
    changed = await Registry(db).change(
        VM_1, change, actor="ann", action="UpdateMachine", now_ms=START_MS, **options
    )
    return changed.told


async def _registered(db: Database) -> None:
    await Registry(db).register(new_machine("VM-1"), actor="test", now_ms=START_MS)


async def _row(db: Database) -> Any:
    return await db.read(
        lambda connection: connection.execute(
            select(machines).where(machines.c.machine_id == VM_1)
        ).one()
    )


async def _details(db: Database) -> list[str]:
    rows = await db.read(
        lambda connection: connection.execute(select(audit).order_by(audit.c.id)).all()
    )
    return [row.detail for row in rows if row.action == "UpdateMachine"]


async def _claim(db: Database) -> Claim:
    asked = Asked(caller="ann", request_id="r", rpc="UpdateMachine", content_sha256="0" * 64)
    claim = await Answers(db).begin(asked, now_ms=START_MS, lease_ms=0)
    assert isinstance(claim, Claim)
    return claim


async def test_a_machine_whose_code_was_refused_can_move(db: Database) -> None:
    """Also one whose code nobody has asked for yet; the audit row says before and after."""
    owner = await Owner.of(db)
    await _registered(db)
    await _change(db, replace(MOVED, store_name="Gate"))
    owner = await Owner.claim(db, "VM-1", holder="h1")
    loaded = await owner.store.load(VM_1)
    assert loaded is not None
    await owner.do("VM-1", loaded.configuration)
    await owner.do("VM-1", CodeFailed(final=True, detail="ILLEGAL_ARGUMENT"))
    await _change(db, MOVED)
    row = await _row(db)
    assert ("Hall", "", "SG", 3) == (row.store_name, row.address, row.country_code, row.revision)
    all_three = (
        'store_name "Pier 7" -> "Gate"; address "Central, Hong Kong" -> ""; '
        'country_code "HK" -> "SG"'
    )
    assert [all_three, 'store_name "Gate" -> "Hall"'] == await _details(db)


@pytest.mark.slow_on_postgres
async def test_a_machine_with_a_code_moves_too(db: Database) -> None:
    """Its code at Alipay follows; also while it is being asked for."""
    owner = await Owner.of(db, "VM-1")
    told = await _change(db, replace(MOVED, mode=Mode.SELECTION_FIRST))
    row = await _row(db)
    assert ("Hall", "SELECTION_FIRST", 2) == (row.store_name, row.mode, row.revision)
    loaded = await owner.store.load(VM_1)
    assert loaded is not None
    assert (told.configuration, "Hall") == (
        loaded.configuration.configuration,
        loaded.place.store_name,
    )


@pytest.mark.slow_on_postgres
async def test_single_limits_are_set_and_follow_the_fleet_again(db: Database) -> None:
    """The others keep their values; ``overrides`` are all of them."""
    await _registered(db)
    await _change(
        db, MachineChange(overrides=PolicyOverrides(idle_refund_ms=1, vend_result_ms=60_000))
    )
    told = await _change(
        db, MachineChange(limits={"idle_refund_ms": None, "doubt_window_ms": 900_000})
    )
    assert told.configuration.overrides == PolicyOverrides(
        vend_result_ms=60_000, doubt_window_ms=900_000
    )
    assert (
        "policy.idle_refund_ms 1 -> of the fleet; policy.doubt_window_ms of the fleet -> 900000"
        == (await _details(db))[-1]
    )


@pytest.mark.slow_on_postgres
async def test_limits_that_exclude_each_other_are_not_set(db: Database) -> None:
    """A vend would be voided while its approval is good: neither at once nor one after the other,
    and not at registration.
    """
    await _registered(db)
    before = await _details(db)
    for change in (
        MachineChange(overrides=PolicyOverrides(vend_result_ms=12_000)),
        MachineChange(limits={"doubt_window_ms": 2_000}),
    ):
        with pytest.raises(LimitsContradict, match="must be at least approval_valid_ms"):
            await _change(db, change)
    with pytest.raises(LimitsContradict, match="payment_age_max_ms"):
        await Registry(db).register(
            replace(new_machine("VM-9"), overrides=PolicyOverrides(payment_wait_ms=400_000)),
            actor="eve",
            now_ms=1,
        )
    assert before == await _details(db)


@pytest.mark.slow_on_postgres
async def test_one_of_two_with_the_same_etag_wins(db: Database, url: str) -> None:
    """The other is told the etag that the winner has made, and nothing of its change is there."""
    await _registered(db)
    other = await Database.open(StorageConfig(url=url))
    async with asyncio.timeout(HANGS_AFTER_S):
        outcomes = await asyncio.gather(
            *(
                _change(one, MachineChange(limits={"idle_refund_ms": number}), etag=etag_of(1))
                for number, one in enumerate((db, other) * 3, start=1)
            ),
            return_exceptions=True,
        )
        await other.close()
    won = [one for one in outcomes if isinstance(one, ConfigurationChanged)]
    stale = [one for one in outcomes if isinstance(one, EtagStale)]
    assert (1, 5) == (len(won), len(stale))
    assert {etag_of(2)} == {one.etag for one in stale}
    there = await Registry(db).check(VM_1, MachineChange(), etag=etag_of(2), now_ms=START_MS)
    assert won[0].configuration.overrides == there.told.configuration.overrides
    assert 1 == len(await _details(db))


@pytest.mark.slow_on_postgres
async def test_a_planogram_makes_an_etag(db: Database) -> None:
    """What administrators set is one whole; the audit log says what it changes."""
    await _registered(db)
    await hears(db)
    column = Column(column="A1", product="tea", price_minor=1, capacity=1, stock=1)
    await _change(db, MachineChange(columns=(column,), goods_may_be_removed=True), etag=etag_of(1))
    said = (
        "planogram 1 -> 2 with 1 columns; A1: cola -> tea, price 500 -> 1, fit 10 -> 1; "
        "A2: removed, tea; 5 cola of A1, 5 tea of A2 have no place any more"
    )
    assert [said] == await _details(db)
    with pytest.raises(EtagStale):
        await _change(db, MachineChange(columns=()), etag=etag_of(1))


async def test_what_is_there_already_is_not_set_again(db: Database) -> None:
    """Nothing is written, and the answer is that of the change that was made."""
    await _registered(db)
    await hears(db)
    columns = (Column(column="A1", product="tea", price_minor=1, capacity=9, stock=5),)
    limits = {"idle_refund_ms": 60_000}
    told = await _change(
        db,
        MachineChange(
            enabled=False,
            columns=columns,
            goods_may_be_removed=True,
            limits=limits,
            mode=Mode.SELECTION_FIRST,
            address="x",
        ),
    )
    await hears(db)
    before, trail = await _row(db), await _details(db)
    counted = tuple(values.replace(one, stock=2) for one in columns)
    for same in (
        MachineChange(),
        MachineChange(enabled=False),
        MachineChange(mode=Mode.SELECTION_FIRST),
        MachineChange(limits=limits),
        MachineChange(overrides=told.configuration.overrides),
        MachineChange(address="x"),
        MachineChange(columns=columns),
        MachineChange(columns=counted),
    ):
        again = await _change(db, same, etag=etag_of(told.configuration.revision), detail="why")
        assert told.configuration == again.configuration
    assert (before, trail) == (await _row(db), await _details(db))
    dearer = tuple(values.replace(one, price_minor=2) for one in columns)
    await _change(db, MachineChange(columns=dearer))
    await _change(db, MachineChange(columns=(*dearer, values.replace(dearer[0], column="A2"))))
    assert 2 == len(await _details(db)) - len(trail)


@pytest.mark.slow_on_postgres
async def test_what_came_with_a_column_is_not_lost_before_its_actor_hears_of_it(
    db: Database,
) -> None:
    """A planogram that follows at once, with other prices and no counts, would leave the books
    without what is in the machine. Where something of it has no place its actor must hear of it
    first, who writes down that it is removed.
    """
    await _registered(db)
    await hears(db)
    tea = Column(column="A1", product="tea", price_minor=1, capacity=9, stock=5)
    more = (tea, values.replace(tea, column="A2"), values.replace(tea, column="A3"))
    await _change(db, MachineChange(columns=more, goods_may_be_removed=True))
    empty = values.replace(tea, price_minor=2, stock=0)
    followed = (
        empty,
        values.replace(empty, column="A2", capacity=3),
        values.replace(empty, column="A3", product="cola"),
    )
    removing = MachineChange(columns=followed, goods_may_be_removed=True)
    before = await _row(db), await _details(db)
    with pytest.raises(GoodsUnheard, match="5 tea of A3"):
        await _change(db, removing)
    assert before == (await _row(db), await _details(db))
    dearer = tuple(values.replace(one, price_minor=2) for one in (empty, *more[1:]))
    kept = await _change(db, MachineChange(columns=dearer, goods_may_be_removed=True))
    assert kept.columns is not None
    assert [5, 5, 5] == [one.stock for one in kept.columns]
    await hears(db)
    told = await _change(db, removing)
    assert told.columns is not None
    assert [5, 3, 0] == [one.stock for one in told.columns]
    loaded = await (await Owner.claim(db, "VM-1", holder="h1")).store.load(VM_1)
    assert loaded is not None
    assert told.columns == loaded.configuration.columns


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("kept_back", [False, True])
async def test_goods_of_a_planogram_that_waits_are_heard_of(db: Database, kept_back: bool) -> None:
    """It waits for the end of a session, or for goods that somebody put in meanwhile. Who takes it
    back need not wait for either: its actor writes down what is removed with it.
    """
    owner = await Owner.of(db, "VM-1")
    put = await Inbox(db).put(received("t1"))
    await owner.do("VM-1", paid("t1"), inbox_id=put.inbox_id)
    tea = Column(column="B1", product="tea", price_minor=1, capacity=9, stock=6)
    there = owner.states["VM-1"].columns
    smaller = (values.replace(there[0], capacity=5), *there[1:], tea)
    waits = await _change(db, MachineChange(columns=smaller))
    back = MachineChange(columns=there, goods_may_be_removed=True)
    with pytest.raises(GoodsUnheard, match="6 tea of B1"):
        await _change(db, back)
    await owner.do("VM-1", waits)
    if kept_back:
        await owner.do("VM-1", StockCounted(column="A1", stock=7))
        session = owner.states["VM-1"].session
        assert session is not None
        completed = SessionCompleted(session_id=session.session_id)
        await owner.do("VM-1", owner.frame("VM-1", completed))
    waiting = owner.states["VM-1"].next_planogram
    assert waiting is not None
    assert kept_back == waiting.kept_back
    told = await _change(db, back)
    done = await owner.do("VM-1", told)
    assert [("tea", 6, "FOUND", "REMOVED:VM-1")] == [
        (move.product, move.quantity, move.from_place, move.to_place)
        for move in done.decision.goods
    ]
    assert () == (await prove(db, now_ms=START_MS, own_ids=set())).sentences


@pytest.mark.slow_on_postgres
async def test_goods_that_were_taken_back_come_again_when_their_actor_knows(db: Database) -> None:
    """What came with a planogram that waits was removed by the next one, of which its actor has not
    heard. With the column comes another count: the earlier one is in the books as removed, not
    nowhere.
    """
    owner = await Owner.of(db, "VM-1")
    put = await Inbox(db).put(received("t1"))
    await owner.do("VM-1", paid("t1"), inbox_id=put.inbox_id)
    tea = Column(column="B1", product="tea", price_minor=1, capacity=9, stock=6)
    there = owner.states["VM-1"].columns
    await owner.do("VM-1", await _change(db, MachineChange(columns=(*there, tea))))
    back = await _change(db, MachineChange(columns=there, goods_may_be_removed=True))
    fewer = MachineChange(columns=(*there, values.replace(tea, stock=2)))
    with pytest.raises(GoodsUnheard, match="6 tea of B1"):
        await _change(db, fewer)
    removed = await owner.do("VM-1", back)
    again = await owner.do("VM-1", await _change(db, fewer))
    session = owner.states["VM-1"].session
    assert session is not None
    completed = SessionCompleted(session_id=session.session_id)
    opened = await owner.do("VM-1", owner.frame("VM-1", completed))
    assert [(6, "FOUND", "REMOVED:VM-1"), (2, "FOUND", "COLUMN:VM-1/B1")] == [
        (move.quantity, move.from_place, move.to_place)
        for done in (removed, again, opened)
        for move in done.decision.goods
        if move.product == "tea"
    ]
    assert () == (await prove(db, now_ms=START_MS, own_ids=set())).sentences


@pytest.mark.slow_on_postgres
async def test_goods_in_a_machine_leave_its_books_only_if_somebody_says_so(db: Database) -> None:
    """A typo in a product or a capacity takes nothing out in silence, nor does a column that is
    forgotten; what still fits is nobody's matter.
    """
    await _registered(db)
    await hears(db)
    tea = Column(column="A1", product="tea", price_minor=1, capacity=9, stock=5)
    await _change(db, MachineChange(columns=(tea,), goods_may_be_removed=True))
    await hears(db)
    for columns, said in (
        ((values.replace(tea, capacity=3),), "2 tea of A1 have no place any more"),
        ((values.replace(tea, product="tae"),), "5 tea of A1 have no place any more"),
        ((values.replace(tea, column="A2"),), "5 tea of A1 have no place any more"),
    ):
        with pytest.raises(GoodsWithoutPlace, match=said) as refused:
            await _change(db, MachineChange(columns=columns))
        assert () == refused.value.coming
    await _change(db, MachineChange(columns=(values.replace(tea, capacity=5),)))
    await hears(db)
    smaller = MachineChange(columns=(values.replace(tea, capacity=3),), goods_may_be_removed=True)
    told = await _change(db, smaller)
    assert told.columns is not None
    assert [3] == [one.stock for one in told.columns]


async def test_no_column_newly_gets_a_product_that_is_archived(db: Database) -> None:
    """Neither a machine that is there nor one that joins; a column that has it keeps it at another
    price, and a product that no catalogue knows is any text.
    """
    await _registered(db)
    await hears(db)
    tea = Column(column="A1", product="tea", price_minor=1, capacity=9, stock=0)
    await _change(db, MachineChange(columns=(tea,), goods_may_be_removed=True))
    await hears(db)
    deed = Deed(actor="ann", action="CreateProduct", now_ms=START_MS)
    await Products(db).create("tea", ProductContent(), deed)
    await Products(db).change("tea", ProductChange(archived=True), deed)
    dearer = values.replace(tea, price_minor=2)
    await _change(db, MachineChange(columns=(dearer,)))
    with pytest.raises(ProductsArchived, match="tea"):
        await _change(db, MachineChange(columns=(dearer, values.replace(tea, column="A2"))))
    await _change(
        db, MachineChange(columns=(dearer, values.replace(tea, column="A2", product="x")))
    )
    registry, joins = Registry(db), replace(new_machine("VM-2"), columns=(tea,))
    with pytest.raises(ProductsArchived):
        await registry.check_new(joins)
    with pytest.raises(ProductsArchived):
        await registry.register(joins, actor="ann", now_ms=START_MS)


async def test_a_par_that_does_not_fit_any_more_is_what_fits(db: Database) -> None:
    """As SetPars would refuse it; the audit log says so, and its etag is another."""
    await _registered(db)
    await hears(db)
    tea = Column(column="A1", product="tea", price_minor=1, capacity=9, stock=0)
    await _change(db, MachineChange(columns=(tea,), goods_may_be_removed=True))
    await hears(db)
    pars = Pars(db)
    deed = Deed(actor="ann", action="SetPars", now_ms=START_MS, claim=None, only_check=False)
    before = await pars.set(VM_1, {"A1": 8}, deed)
    await _change(db, MachineChange(columns=(values.replace(tea, capacity=6),)))
    after = await pars.get(VM_1)
    assert [("A1", "tea", 6)] == [(one.column, one.product, one.par) for one in after.pars]
    assert before.etag != after.etag
    assert (await _details(db))[-1].endswith("; par of A1 8 -> 6")


async def test_a_refused_code_is_asked_for_again_though_nothing_differs(db: Database) -> None:
    """To be made, or to be stopped: what was mended may stand in no register, as a contract."""
    await _registered(db)
    owner = await Owner.claim(db, "VM-1", holder="h1")
    loaded = await owner.store.load(VM_1)
    assert loaded is not None
    await owner.do("VM-1", loaded.configuration)
    await owner.do("VM-1", CodeFailed(final=True, detail="ILLEGAL_ARGUMENT"))
    await owner.do("VM-1", await _change(db, MachineChange(enabled=True)))
    await owner.do("VM-1", CodeCreated(qr_payload="https://qr.alipay.com/bax1"))
    for _ in range(2):
        await owner.do("VM-1", await _change(db, MachineChange(enabled=False)))
        await owner.do("VM-1", CodeFailed(final=True, detail="ILLEGAL_ARGUMENT"))
    again = "nothing differs: Alipay is asked once more about the code"
    assert [again, "enabled yes -> no", again] == await _details(db)


@pytest.mark.slow_on_postgres
async def test_a_check_changes_nothing(db: Database) -> None:
    """It says what the change would say, also if that is no."""
    await _registered(db)
    registry = Registry(db)
    before, trail = await _row(db), await _details(db)
    checked = await registry.check(VM_1, MOVED, etag=etag_of(1), now_ms=START_MS)
    with pytest.raises(EtagStale):
        await registry.check(VM_1, MOVED, etag=etag_of(2), now_ms=START_MS)
    assert await registry.check_new(new_machine("VM-2"))
    assert not await registry.check_new(new_machine("VM-1"))
    with pytest.raises(AlreadyRegistered):
        await registry.check_new(new_machine("VM-1", currency="JPY"))
    assert (before, trail) == (await _row(db), await _details(db))
    assert checked.told == await _change(db, MOVED)


async def test_a_machine_is_retired_for_ever(db: Database) -> None:
    """It is disabled, keeps its rows and its id; nothing of it can be changed; again is the
    same.
    """
    await Owner.of(db, "VM-1")
    told = await _change(db, RETIRED, detail="sold for scrap")
    assert not told.configuration.enabled
    assert told == await _change(db, RETIRED, etag=etag_of(1))
    row = await _row(db)
    assert (START_MS, False) == (row.retired_at_ms, row.enabled)
    assert ["enabled yes -> no; retired no -> yes; sold for scrap"] == await _details(db)
    for change in (MachineChange(enabled=True), MOVED, MachineChange(columns=())):
        with pytest.raises(MachineRetired):
            await _change(db, change)
    with pytest.raises(AlreadyRegistered, match="retired"):
        await Registry(db).register(new_machine("VM-1"), actor="ann", now_ms=START_MS)


@pytest.mark.slow_on_postgres
async def test_a_machine_with_money_is_in_use(db: Database) -> None:
    """Its session, its trade and then its refund, each by its id, until the money is back."""
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", paid("t1"))
    with pytest.raises(MachineInUse, match=r"session VM-1\S*, trade t1"):
        await _change(db, RETIRED)
    owner.now_ms += owner.policy.idle_refund_ms
    await owner.do("VM-1", paid("t2", at_ms=1))
    with pytest.raises(MachineInUse, match="refund t1R1_1000, refund t2R1_1000"):
        await _change(db, RETIRED)
    for trade in ("t1", "t2"):
        await owner.do("VM-1", RefundSucceeded(refund_id=refund_of(trade), source="answer"))
    await _change(db, RETIRED)


@pytest.mark.slow_on_postgres
async def test_money_that_waits_is_in_use_too(db: Database) -> None:
    """A payment that is saved and that its actor has not heard of."""
    await Owner.of(db, "VM-1")
    await Inbox(db).put(received("t5"))
    with pytest.raises(MachineInUse, match="a notification"):
        await _change(db, RETIRED)


@pytest.mark.slow_on_postgres
async def test_a_halted_machine_is_in_use(db: Database) -> None:
    """So is one whose state nobody can read."""
    owner = await Owner.of(db, "VM-1")
    halt = MachineHalt(machine_id=VM_1, halted_at_ms=START_MS, fact="", error="broke")
    await owner.store.halt(owner.ownership, halt)
    with pytest.raises(MachineInUse, match="a halt"):
        await _change(db, RETIRED)
    await db.write(lambda connection: connection.execute(update(machine_states).values(body="?")))
    with pytest.raises(MachineInUse, match="cannot be read, a halt"):
        await _change(db, RETIRED)


@pytest.mark.slow_on_postgres
async def test_a_change_under_a_claim_is_made_once(db: Database) -> None:
    """Who goes on with it after a crash changes nothing, whatever was changed since, and no second
    audit row is there.
    """
    await _registered(db)
    dead = await _claim(db)
    await _change(db, MachineChange(mode=Mode.SELECTION_FIRST), claim=dead, etag=etag_of(1))
    await _change(db, MachineChange(mode=Mode.AUTHORIZATION_FIRST))
    heir = await _claim(db)
    told = await _change(db, MachineChange(mode=Mode.SELECTION_FIRST), claim=heir, etag=etag_of(1))
    assert (Mode.AUTHORIZATION_FIRST, 3) == (
        told.configuration.mode,
        told.configuration.revision,
    )
    assert 2 == len(await _details(db))


@pytest.mark.slow_on_postgres
async def test_a_claim_that_ran_out_changes_nothing(db: Database) -> None:
    """The change of a gateway that woke up too late is rolled back."""
    await _registered(db)
    dead = await _claim(db)
    await _claim(db)
    with pytest.raises(RequestInProgress):
        await _change(db, MachineChange(mode=Mode.SELECTION_FIRST), claim=dead)
    assert ("BOTH", []) == ((await _row(db)).mode, await _details(db))


async def test_a_registration_under_a_claim_is_its_own(db: Database) -> None:
    """Who goes on with it is not told that somebody has changed the machine since."""
    dead = await _claim(db)
    first = await Registry(db).register(
        new_machine("VM-1"), actor="ann", now_ms=START_MS, claim=dead
    )
    await _change(db, MachineChange(mode=Mode.SELECTION_FIRST))
    again = await Registry(db).register(
        new_machine("VM-1"), actor="ann", now_ms=START_MS, claim=await _claim(db)
    )
    assert first.notify_token == again.notify_token
    count = await db.read(
        lambda connection: connection.scalar(select(func.count()).select_from(machines))
    )
    assert 1 == count


@pytest.mark.slow_on_postgres
async def test_retired_machines_leave_clean_books(db: Database) -> None:
    """The audit of the books finds nothing wrong with one."""
    await Owner.of(db, "VM-1")
    await _change(db, RETIRED)
    owner = await Owner.claim(db, "VM-1", holder="h2")
    loaded = await owner.store.load(VM_1)
    assert loaded is not None
    await owner.do("VM-1", loaded.configuration)
    assert () == (await prove(db, now_ms=START_MS, own_ids=set())).sentences
