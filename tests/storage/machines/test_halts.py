"""A row of a halted machine: its owner alone writes it, its next commit takes it away, and
administrators see it until then.
"""

from dataclasses import replace

import pytest
from sqlalchemy import select, update

from actors.machine import values
from actors.machine.events import StockCounted, TimePassed, TradeFinished
from actors.machine.ids import MachineId, TradeId
from actors.ports import (
    CodeStop,
    LoadedMachine,
    MachineHalt,
    Ownership,
    StaleOwner,
    StoreError,
    Unreadable,
)
from storage.auditing import prove
from storage.database.engine import Database
from storage.fleet.queries import Queries
from storage.fleet.views import GaugeView, HaltView, WorkItemKind, WorkItemView
from storage.machines.halts import CODE_IN_WORDS
from storage.machines.inbox import Inbox
from storage.tables import machine_halts, machine_states
from tests.storage.notifications import other, received
from tests.storage.owner import START_MS, Owner, paid

ERROR = "InvariantBroken: the trades do not add up"


def _halt(machine_id: str = "VM-1", **changes: object) -> MachineHalt:
    halt = MachineHalt(
        machine_id=MachineId(machine_id), halted_at_ms=START_MS, fact="TopUpPaid", error=ERROR
    )
    return replace(halt, **changes)  # type: ignore[arg-type]


async def _rows(db: Database) -> list[tuple[object, ...]]:
    wanted = select(machine_halts).order_by(machine_halts.c.machine_id)
    return [
        tuple(row) for row in await db.read(lambda connection: connection.execute(wanted).all())
    ]


async def _recover(owner: Owner, machine_id: str = "VM-1") -> None:
    await owner.commit([values.replace(owner.decide(machine_id, TimePassed()), recovers=True)])


async def test_a_halt_is_kept_with_its_owner(db: Database) -> None:
    """Who halted the machine, under which epoch, since when, over what, and why."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.store.halt(owner.ownership, _halt())
    (epoch,) = set(owner.ownership.epochs.values())
    assert [("VM-1", "vendgate-host-0", epoch, START_MS, "TopUpPaid", ERROR, "")] == await _rows(db)


async def test_a_halt_that_is_told_again_keeps_its_time(db: Database) -> None:
    """It has not worked since; what it chokes on may be another thing by now, and its owner another
    one.
    """
    owner = await Owner.of(db, "VM-1")
    await owner.store.halt(owner.ownership, _halt())
    new = await Owner.claim(db, "VM-1", holder="h2", host="vendgate-host-9")
    await new.store.halt(
        new.ownership, _halt(halted_at_ms=START_MS + 5, fact="", error="CodecError: no")
    )
    (epoch,) = new.ownership.epochs.values()
    assert [("VM-1", "vendgate-host-9", epoch, START_MS, "", "CodecError: no", "")] == await _rows(
        db
    )


async def test_a_stale_owner_halts_nothing(db: Database) -> None:
    """Neither after a takeover nor where it owns nothing."""
    old = await Owner.of(db, "VM-1")
    await Owner.claim(db, "VM-1", holder="h2")
    with pytest.raises(StaleOwner):
        await old.store.halt(old.ownership, _halt())
    with pytest.raises(StaleOwner, match="not claimed"):
        await old.store.halt(Ownership(host="x", holder="h1", epochs={}), _halt())
    assert [] == await _rows(db)


async def test_only_a_registered_machine_is_halted(db: Database) -> None:
    """A row names a machine that there is."""
    owner = await Owner.of(db, *(f"VM-{number}" for number in range(40)))
    with pytest.raises(StoreError):
        await owner.store.halt(owner.ownership, _halt("VM-404"))


async def test_the_first_commit_takes_the_row_away(db: Database) -> None:
    """Even one that changes nothing; the version stays, and the journal has no line of it."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.store.halt(owner.ownership, _halt())
    await owner.store.halt(owner.ownership, _halt("VM-2"))
    version = owner.states["VM-1"].version
    await _recover(owner)
    assert ["VM-2"] == [row[0] for row in await _rows(db)]
    assert version == (await Owner.claim(db, "VM-1", holder="h2")).states["VM-1"].version


async def test_a_commit_of_a_healthy_machine_leaves_rows_alone(db: Database) -> None:
    """Only a host that knows that the machine recovers says so."""
    owner = await Owner.of(db, "VM-1")
    await owner.store.halt(owner.ownership, _halt())
    await owner.do("VM-1", StockCounted(column="A1", stock=3))
    assert 1 == len(await _rows(db))
    await _recover(owner)
    await _recover(owner)
    assert [] == await _rows(db)


async def test_a_commit_that_fails_takes_no_row_away(db: Database) -> None:
    """All or nothing."""
    old = await Owner.of(db, "VM-1")
    await old.store.halt(old.ownership, _halt())
    await Owner.claim(db, "VM-1", holder="h2")
    with pytest.raises(StaleOwner):
        await _recover(old)
    assert 1 == len(await _rows(db))


async def test_the_next_owner_hears_of_a_halt(db: Database) -> None:
    """Whether or not the machine owes anything, and each machine once."""
    owner = await Owner.of(db, "VM-1")
    assert not (await _loaded(owner, "VM-1")).halted
    await owner.store.halt(owner.ownership, _halt())
    assert (await _loaded(owner, "VM-1")).halted
    quiet = update(machine_states).values(active=False)
    await db.write(lambda connection: connection.execute(quiet))
    (found,) = await owner.store.load_active(owner.ownership)
    assert isinstance(found, LoadedMachine)
    assert ("VM-1", True) == (found.state.machine_id, found.halted)
    await db.write(
        lambda connection: connection.execute(update(machine_states).values(active=True))
    )
    assert 1 == len(await owner.store.load_active(owner.ownership))


async def test_what_cannot_be_read_is_told_beside_what_can(db: Database) -> None:
    """One broken row does not keep a host from its other machines."""
    names = [f"VM-{number}" for number in range(9)]
    owner = await Owner.of(db, *names)
    spoil = (
        update(machine_states)
        .where(machine_states.c.machine_id.in_(["VM-2", "VM-7"]))
        .values(body="{}", format=99)
    )
    await db.write(lambda connection: connection.execute(spoil))
    found = await owner.store.load_active(owner.ownership)
    unread = {one.machine_id: str(one.error) for one in found if isinstance(one, Unreadable)}
    assert {"VM-2", "VM-7"} == set(unread)
    assert "run a newer version" in unread[MachineId("VM-2")]
    assert set(names) - set(unread) == {
        one.state.machine_id for one in found if isinstance(one, LoadedMachine)
    }


async def test_a_machine_shows_its_halt(db: Database) -> None:
    """Alone and in the list, also one whose state cannot be read; the others show none."""
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.store.halt(owner.ownership, _halt())
    await db.write(
        lambda connection: connection.execute(
            update(machine_states).where(machine_states.c.machine_id == "VM-1").values(body="{")
        )
    )
    wanted = HaltView(halted_at_ms=START_MS, fact="TopUpPaid", error=ERROR)
    one = await Queries(db).machine("VM-1")
    assert one is not None
    assert (wanted, "Pier 7", "INACTIVE") == (one.halt, one.store_name, one.phase)
    assert [wanted, None] == [view.halt for view in await Queries(db).machines(limit=10)]


async def test_a_halted_machine_waits_for_a_person(db: Database) -> None:
    """With the money of its customers that waits there, since when and why, and what they paid
    since, because its code can still be paid; the gauge counts it.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.do("VM-1", paid("t1", 700))
    await owner.do(
        "VM-1", paid("t2", 200, payer_id="payer-bob")
    )  # a second customer: it is due back
    await owner.do("VM-2", paid("t3", 5_000))
    await owner.store.halt(owner.ownership, _halt())
    for number in range(20):
        await Inbox(db).put(received(f"t9{number}", amount_minor=8_000_000_000))
    await Inbox(db).put(received("t8", machine_id="VM-2"))
    await Inbox(db).put(other("closed:t1", TradeFinished(trade_id=TradeId("t1"), status="x")))
    assert [
        WorkItemView(
            position=f"{START_MS}:machine:VM-1",
            item_id="machine:VM-1",
            kind=WorkItemKind.MACHINE_HALTED,
            machine_id="VM-1",
            trade_id="",
            refund_id="",
            vend_id="",
            amount_minor=900 + 20 * 8_000_000_000,
            currency="HKD",
            reason=f"TopUpPaid: {ERROR}",
            since_at_ms=START_MS,
            advice="20 payments wait for it, and its code can still be paid: mend the cause and "
            "ReloadMachine; if that lasts, stop the code in Alipay's portal",
        )
    ] == await Queries(db).work_items(limit=10, now_ms=START_MS + 1)
    gauges = await Queries(db).gauges(now_ms=START_MS + 1)
    assert (
        GaugeView(name="work_items", status="MACHINE_HALTED", count=1, oldest_at_ms=START_MS)
        in gauges
    )
    await _recover(owner)
    assert [] == await Queries(db).work_items(limit=10, now_ms=START_MS + 1)


async def test_an_audit_tells_of_a_halt(db: Database) -> None:
    """As something that takes too long, from its first second on; the books are clean all the
    same.
    """
    owner = await Owner.of(db, "VM-1")
    await owner.store.halt(owner.ownership, _halt())
    audit = await prove(db, now_ms=START_MS + 90_000)
    assert audit.clean, audit.sentences
    (warning,) = audit.warnings
    assert (
        f"machine VM-1 has been halted for 90 seconds and decides nothing: TopUpPaid: {ERROR}"
        == warning.sentence
    )


async def _loaded(owner: Owner, machine_id: str) -> LoadedMachine:
    loaded = await owner.store.load(MachineId(machine_id))
    assert loaded is not None
    return loaded


async def test_what_was_done_about_its_code_is_kept(db: Database) -> None:
    """A halt that is told again forgets none of it; the machine's loader hears of it, and people
    do.
    """
    owner = await Owner.of(db, "VM-1")
    said = []
    for code_stop in (CodeStop.NONE, CodeStop.ORDERED, CodeStop.DONE):
        await owner.store.halt(owner.ownership, replace(_halt(), code_stop=code_stop))
        await owner.store.halt(owner.ownership, _halt())
        loaded = await _loaded(owner, "VM-1")
        assert (START_MS, code_stop) == (loaded.halted_at_ms, loaded.code_stop)
        (item,) = await Queries(db).work_items(limit=10, now_ms=START_MS + 1)
        said.append(item.advice)
    assert [
        f"0 payments wait for it, and {CODE_IN_WORDS[stop]}" for stop in list(CodeStop)[:3]
    ] == (said)
    await _recover(owner)
    assert CodeStop.NONE is (await _loaded(owner, "VM-1")).code_stop
