"""The store saves all or nothing, once, and only for the owner."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Table, func, select, update

from actors.machine import values
from actors.machine.events import CodeCreated, Disconnected, VendRequested
from actors.machine.ids import MachineId, RequestId
from actors.machine.state import Column, Mode
from actors.ports import (
    Conflict,
    InboxItem,
    InboxPage,
    LoadedMachine,
    Ownership,
    StaleOwner,
    StoreError,
    Unreadable,
)
from storage.codec import CodecError
from storage.database.engine import Database
from storage.fleet.changes import MachineChange
from storage.fleet.registry import Registry
from storage.machines.inbox import Inbox, Received
from storage.machines.store import SqlMachineStore, _Broken
from storage.tables import (
    audit,
    inbox,
    journal,
    machine_states,
    partitions,
    sessions,
    trades,
    transfers,
)
from tests.storage.notifications import received
from tests.storage.owner import COLUMNS, START_MS, Owner, new_machine, paid, take


async def count(db: Database, table: Table) -> int:
    """Return how many rows there are."""
    return (
        await db.read(lambda connection: connection.scalar(select(func.count()).select_from(table)))
        or 0
    )


async def column(db: Database, table: Table, name: str) -> Sequence[object]:
    """Return one column's values in the order of the keys."""
    return await db.read(
        lambda connection: connection.scalars(
            select(table.c[name]).order_by(*table.primary_key)
        ).all()
    )


async def test_what_is_committed_is_loaded(db: Database) -> None:
    """A machine that is loaded is the one that was committed, and needs no news from the
    registry.
    """
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", paid("t1"))
    loaded = await owner.store.load(MachineId("VM-1"))
    assert loaded is not None
    assert owner.states["VM-1"] == loaded.state
    assert loaded.configuration.columns is None
    assert loaded.place.notify_url.startswith("https://vend.example/alipay/notify/")


async def test_a_machine_that_nothing_was_decided_for_is_fresh(db: Database) -> None:
    """It has version 0, and its whole configuration waits for it."""
    await Registry(db).register(new_machine("VM-1"), actor="test", now_ms=START_MS)
    owner = await Owner.claim(db, "VM-1", holder="h1")
    loaded = await owner.store.load(MachineId("VM-1"))
    assert loaded is not None
    assert (0, "HKD") == (loaded.state.version, loaded.state.currency)
    assert (loaded.configuration.configuration.revision, loaded.configuration.columns) == (
        1,
        COLUMNS,
    )


async def test_an_unknown_machine_is_none(db: Database) -> None:
    """Nobody registered it."""
    owner = await Owner.of(db, "VM-1")
    assert await owner.store.load(MachineId("VM-2")) is None


async def test_many_are_asked_for_at_once(db: Database) -> None:
    """Those that are registered are told, whatever else is asked for."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    names = [MachineId(name) for name in ("VM-1", "x1", "VM-2", "x2")]
    assert frozenset({"VM-1", "VM-2"}) == await owner.store.registered(names)
    assert frozenset() == await owner.store.registered([])


async def test_many_are_asked_whether_they_are_busy(db: Database) -> None:
    """Those with an open session or a vend are told; that a stream was up makes nobody busy."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    names = [MachineId(name) for name in ("VM-1", "VM-2", "x1")]
    assert frozenset() == await owner.store.busy(names)
    await owner.do("VM-2", paid("t1"))
    assert frozenset({"VM-2"}) == await owner.store.busy(names)


async def test_a_claim_gives_each_partition_its_next_epoch(db: Database) -> None:
    """Epochs grow by one with each claim, and the audit tells of it."""
    await Owner.of(db, "VM-1")
    first = await take(db, host="a", holder="a1", partitions=[0, 1, 2])
    second = await take(db, host="b", holder="b1", partitions=[1, 2, 3])
    assert {1: first.epochs[1] + 1, 2: first.epochs[2] + 1} == {
        number: second.epochs[number] for number in (1, 2)
    }
    assert "claim" in await column(db, audit, "action")
    assert {"a", "b"} <= set(await column(db, partitions, "owner"))


async def test_a_claim_of_partitions_that_do_not_exist_takes_none(db: Database) -> None:
    """A layout that does not fit the database is refused whole."""
    await Owner.of(db, "VM-1")
    before = await column(db, partitions, "epoch")
    with pytest.raises(Exception, match=r"no partitions \[8\]"):
        await take(db, host="a", holder="a1", partitions=[7, 8])
    assert before == await column(db, partitions, "epoch")


async def test_a_stale_owner_saves_nothing(db: Database) -> None:
    """After a takeover the old owner's batch is refused whole, and the new owner goes on from what
    was saved.
    """
    old = await Owner.of(db, "VM-1", "VM-2")
    await old.do("VM-1", paid("t1"))
    saved = old.states["VM-1"]
    new = await Owner.claim(db, "VM-1", holder="h2")
    events = await count(db, journal)
    with pytest.raises(StaleOwner):
        await old.commit([old.decide("VM-2", paid("t2")), old.decide("VM-1", paid("t3"))])
    assert events == await count(db, journal)
    assert ["t1"] == list(await column(db, trades, "trade_id"))
    assert saved == new.states["VM-1"]
    await new.do("VM-1", paid("t4"))


async def test_the_same_epoch_under_another_holder_is_stale(db: Database) -> None:
    """A host that was started again under its old name must claim again."""
    owner = await Owner.of(db, "VM-1")
    stranger = Owner(
        store=owner.store,
        ownership=replace(owner.ownership, holder="h0"),
        states=dict(owner.states),
    )
    with pytest.raises(StaleOwner):
        await stranger.do("VM-1", paid("t1"))


async def test_a_partition_that_was_never_claimed_is_stale(db: Database) -> None:
    """Nobody writes where they have no epoch."""
    owner = await Owner.of(db, "VM-1")
    nobody = Owner(
        store=owner.store,
        ownership=Ownership(host="x", holder="h1", epochs={}),
        states=dict(owner.states),
    )
    with pytest.raises(StaleOwner, match="not claimed"):
        await nobody.do("VM-1", paid("t1"))


async def test_a_batch_is_saved_whole_and_in_order(db: Database) -> None:
    """Several changes of several machines are one transaction; a record that changed twice is saved
    in its last form.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    changes = [owner.decide("VM-1", event) for event in owner.purchase("VM-1", 1)]
    changes[1:1] = [owner.decide("VM-2", paid("t2"))]
    await owner.commit(changes)
    again = await Owner.claim(db, "VM-1", "VM-2", holder="h2")
    assert owner.states == again.states
    assert ["CLOSED", "OPEN"] == sorted(
        str(status) for status in await column(db, trades, "status")
    )
    assert ["REFUND_ASKED", "REFUND_CONFIRMED", "RESERVE", "SETTLE", "TOP_UP", "TOP_UP"] == sorted(
        str(kind) for kind in await column(db, transfers, "kind")
    )


async def test_a_version_that_does_not_follow_is_a_conflict(db: Database) -> None:
    """A decision upon an old state is refused, and names the machine."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    before = dict(owner.states)
    await owner.do("VM-1", paid("t1"))
    owner.states = before
    changes = [owner.decide("VM-2", paid("t2")), owner.decide("VM-1", paid("t3"))]
    with pytest.raises(Conflict) as caught:
        await owner.commit(changes)
    assert MachineId("VM-1") == caught.value.machine_id
    assert ["t1"] == list(await column(db, trades, "trade_id"))


async def test_a_gap_within_the_batch_is_a_conflict(db: Database) -> None:
    """Changes of one machine come in order or not at all."""
    owner = await Owner.of(db, "VM-1")
    changes = [owner.decide("VM-1", event) for event in owner.purchase("VM-1", 1)]
    with pytest.raises(Conflict, match="within the batch"):
        await owner.commit([changes[0], changes[2]])
    assert 0 == await count(db, trades)


async def test_a_cause_is_posted_once_whoever_posts_it(db: Database) -> None:
    """One payment that two machines claim is a conflict of the second one, and nothing of the batch
    is saved.
    """
    owner = await Owner.of(db, "VM-1", "VM-2", "VM-3")
    await owner.do("VM-1", paid("t1"))
    with pytest.raises(Conflict) as caught:
        await owner.commit([owner.decide("VM-2", paid("t2")), owner.decide("VM-3", paid("t1"))])
    assert MachineId("VM-3") == caught.value.machine_id
    assert ["t1"] == list(await column(db, trades, "trade_id"))
    assert ["VM-1"] == list(await column(db, trades, "machine_id"))


async def test_two_machines_of_one_batch_that_clash_with_each_other(db: Database) -> None:
    """The later one is blamed."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    with pytest.raises(Conflict) as caught:
        await owner.commit([owner.decide("VM-1", paid("t1")), owner.decide("VM-2", paid("t1"))])
    assert MachineId("VM-2") == caught.value.machine_id
    assert 0 == await count(db, trades)


async def test_a_clash_that_is_gone_when_it_is_looked_into_blames_nobody(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other side of it was undone in between: nothing is saved, no machine is held to it, and
    the same batch is saved when it is tried again.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    batch = [owner.decide("VM-1", paid("t1")), owner.decide("VM-2", paid("t2"))]
    save = SqlMachineStore._save
    with monkeypatch.context() as patch:

        def clashes_once(*args: Any) -> None:
            patch.setattr(SqlMachineStore, "_save", save)
            raise _Broken("clash")

        patch.setattr(SqlMachineStore, "_save", clashes_once)
        with pytest.raises(StoreError, match="hit and is not any more: clash") as caught:
            await owner.commit(batch)
    assert not isinstance(caught.value, Conflict)
    assert 0 == await count(db, trades)

    await owner.commit(batch)
    assert 2 == await count(db, trades)


async def test_a_machine_that_is_not_registered_is_a_conflict(db: Database) -> None:
    """Nothing can be saved for it."""
    owner = await Owner.of(db, "VM-1")
    state = values.replace(owner.states["VM-1"], machine_id=MachineId("VM-1b"), version=0)
    everything = await take(db, host="a", holder="h1", partitions=range(8))
    stray = Owner(store=owner.store, ownership=everything, states={"VM-1b": state})
    with pytest.raises(Conflict):
        await stray.do("VM-1b", paid("t1"))


async def test_a_cancelled_commit_is_wholly_there(db: Database) -> None:
    """Cancelling the caller does not reach the transaction, and the connection is fit for the next
    one.
    """
    owner = await Owner.of(db, "VM-1")
    change = owner.decide("VM-1", paid("t1"))
    task = asyncio.create_task(owner.commit([change]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The next transaction of the same process comes after it.
    await owner.do("VM-1", paid("t2"))
    loaded = await owner.store.load(MachineId("VM-1"))
    assert loaded is not None
    assert owner.states["VM-1"] == loaded.state


async def test_an_inbox_row_is_taken_with_its_change(db: Database) -> None:
    """A notification waits until the decision upon it is saved, even if nothing came of it."""
    owner = await Owner.of(db, "VM-1")
    event = paid("t1")
    for cause in ("payment:t1", "payment:t1-again"):
        await Inbox(db).put(
            Received(
                cause=cause,
                kind="PAID",
                machine_id=MachineId("VM-1"),
                trade_id="t1",
                event=event,
                fields={"trade_no": "t1"},
                told_sha256="0" * 64,
                received_at_ms=START_MS,
            )
        )
    waiting = await owner.store.untaken(owner.ownership, after=None, limit=10)
    readable = [item for item in waiting.items if isinstance(item, InboxItem)]
    assert [event, event] == [item.event for item in readable]
    await owner.commit(
        [owner.decide("VM-1", item.event, inbox_id=item.inbox_id) for item in readable]
    )
    assert InboxPage(items=[]) == await owner.store.untaken(owner.ownership, after=None, limit=10)
    assert 1 == await count(db, sessions)


async def test_a_notification_that_cannot_be_read_keeps_no_other_back(db: Database) -> None:
    """A newer gateway's kind of event is told as what it is, and waits for a host that knows it."""
    owner = await Owner.of(db, "VM-1")
    for trade_id in ("t1", "t2"):
        await Inbox(db).put(received(trade_id))
    newer = update(inbox).where(inbox.c.id == 1).values(event='{"kind":"Newer","body":{}}')
    await db.write(lambda connection: connection.execute(newer))

    page = await owner.store.untaken(owner.ownership, after=None, limit=10)
    unreadable, readable = page.items

    assert isinstance(unreadable, Unreadable)
    assert ("VM-1", CodecError) == (unreadable.machine_id, type(unreadable.error))
    assert isinstance(readable, InboxItem)
    assert received("t2").event == readable.event


async def test_a_change_that_changed_nothing_only_takes_its_inbox_row(db: Database) -> None:
    """It makes no journal line, but it must have been decided upon the saved version."""
    owner = await Owner.of(db, "VM-1")
    change = await owner.do("VM-1", paid("t1"))
    nothing = values.replace(
        change,
        decision=values.replace(
            change.decision, changed=False, records=(), transfers=(), effects=()
        ),
    )
    lines = await count(db, journal)
    await owner.commit([nothing])
    assert lines == await count(db, journal)
    stale = values.replace(
        nothing,
        decision=values.replace(
            nothing.decision, state=values.replace(nothing.decision.state, version=1)
        ),
    )
    with pytest.raises(Conflict):
        await owner.commit([stale])


async def test_untaken_shows_only_ours(db: Database) -> None:
    """The sweep leaves other partitions to their owners."""
    owner = await Owner.of(db, "VM-1")
    await Inbox(db).put(received("t1"))
    elsewhere = Ownership(
        host="x",
        holder="x",
        epochs={number: 1 for number in range(8) if number not in owner.ownership.epochs},
    )
    assert InboxPage(items=[]) == await owner.store.untaken(elsewhere, after=None, limit=10)
    machine = [MachineId("VM-1")]
    assert [] == await owner.store.untaken_of(elsewhere, machine, limit=10)
    assert 1 == len(await owner.store.untaken_of(owner.ownership, machine, limit=10))


async def test_untaken_comes_page_by_page(db: Database) -> None:
    """Those of a machine that takes none hide nobody's: the next page goes on behind them, and a
    page that is not full is the last one. Times decide nothing, only the order.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    for number, machine_id, at_ms in (
        (1, "VM-1", START_MS + 1),
        (2, "VM-1", START_MS),
        (3, "VM-2", START_MS + 10_000_000),
    ):
        await Inbox(db).put(
            replace(received(f"t{number}", machine_id=machine_id), received_at_ms=at_ms)
        )
    seen: list[list[int]] = []
    after: tuple[int, int] | None = None
    while not seen or after is not None:
        page = await owner.store.untaken(owner.ownership, after=after, limit=2)
        seen.append([item.inbox_id for item in page.items if isinstance(item, InboxItem)])
        after = page.after
    assert [[2, 1], [3]] == seen
    only = await owner.store.untaken_of(owner.ownership, [MachineId("VM-2")], limit=10)
    assert ["VM-2"] == [item.machine_id for item in only]


async def test_load_active_brings_what_is_open_and_what_is_new(db: Database) -> None:
    """Machines at rest are left where they are; one with a session, without any decision, or whose
    stream may be gone is brought.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.do("VM-2", Disconnected(stream_id=owner.states["VM-2"].link.stream_id))
    await owner.do("VM-1", paid("t1"))
    await Registry(db).register(new_machine("VM-3"), actor="test", now_ms=START_MS)
    everything = await take(db, host="a", holder="a1", partitions=range(8))
    active = [
        loaded
        for loaded in await owner.store.load_active(everything)
        if isinstance(loaded, LoadedMachine)
    ]
    assert ["VM-1", "VM-3"] == [loaded.state.machine_id for loaded in active]
    assert owner.states["VM-1"] == active[0].state
    assert COLUMNS == active[1].configuration.columns


async def test_reconfigured_names_whoever_has_not_heard(db: Database) -> None:
    """An administrator's change is found until the machine's state carries its revision."""
    owner = await Owner.of(db, "VM-1")
    assert [] == await owner.store.reconfigured(owner.ownership, limit=10)
    columns = (Column(column="A1", product="cola", price_minor=600, capacity=10, stock=9),)
    changed = await Registry(db).change(
        MachineId("VM-1"),
        MachineChange(columns=columns, goods_may_be_removed=True, mode=Mode.SELECTION_FIRST),
        actor="ann",
        action="set planogram",
        now_ms=START_MS,
    )
    assert ["VM-1"] == await owner.store.reconfigured(owner.ownership, limit=10)
    loaded = await owner.store.load(MachineId("VM-1"))
    assert loaded is not None
    assert changed.told == loaded.configuration
    await owner.do("VM-1", loaded.configuration)
    assert [] == await owner.store.reconfigured(owner.ownership, limit=10)


async def test_a_walk_over_all_machines_passes_those_that_were_retired(db: Database) -> None:
    """In the order of their ids, so many at a time, and only the owner's."""
    owner = await Owner.of(db, "VM-1", "VM-2", "VM-3")
    retired = MachineChange(retire=True)
    await Registry(db).change(
        MachineId("VM-2"), retired, actor="ann", action="retire", now_ms=START_MS
    )

    async def behind(after: str, limit: int) -> list[MachineId]:
        return await owner.store.machines_after(
            owner.ownership, after=MachineId(after), limit=limit
        )

    assert ["VM-1"] == await behind("", 1)
    assert ["VM-3"] == await behind("VM-1", 9)
    assert [] == await behind("VM-3", 9)
    others = replace(owner.ownership, epochs={})
    assert [] == await owner.store.machines_after(others, after=MachineId(""), limit=9)


async def test_a_journal_line_belongs_to_the_session_of_its_records(db: Database) -> None:
    """A refund that comes in later is told in its own session, whoever stands there now."""
    owner = await Owner.of(db, "VM-1")
    events = owner.purchase("VM-1", 1)
    for event in events[:-1]:
        await owner.do("VM-1", event)
    await owner.do("VM-1", paid("t9", payer_id="payer-bob"))
    await owner.do("VM-1", events[-1])
    told = await column(db, journal, "session_id")
    assert ["VM-1-s2", "VM-1-s1"] == list(told[-2:])


async def test_texts_with_nul_are_kept_without_it(db: Database) -> None:
    """What a machine sends cannot make its change impossible to save."""
    owner = await Owner.of(db, "VM-1")
    await owner.do("VM-1", paid("t1"))
    fact = VendRequested(
        request_id=RequestId("r\x001"), column="A1", price_minor=500, planogram_version=1
    )
    await owner.do("VM-1", owner.frame("VM-1", fact))
    loaded = await owner.store.load(MachineId("VM-1"))
    assert loaded is not None
    assert owner.states["VM-1"] == loaded.state


async def test_an_empty_commit_is_nothing(db: Database) -> None:
    """It does not even ask whose the partitions are."""
    owner = await Owner.of(db, "VM-1")
    await owner.store.commit(Ownership(host="x", holder="x", epochs={}), [])


async def test_states_remember_their_epoch(db: Database) -> None:
    """Every row says under which epoch it was written."""
    await Owner.of(db, "VM-1")
    second = await Owner.claim(db, "VM-1", holder="h2")
    await second.do("VM-1", paid("t1"))
    await second.do("VM-1", CodeCreated(qr_payload="again"))
    (epoch,) = second.ownership.epochs.values()
    assert [epoch] == list(await column(db, machine_states, "epoch"))
    assert epoch == list(await column(db, journal, "epoch"))[-1]
