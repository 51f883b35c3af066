"""Uses of offers are counted with their vends, once, and never above what is given."""

import asyncio

import pytest
from sqlalchemy import Connection, event, select, text, update
from sqlalchemy.util import await_

from actors.machine.events import (
    VendCancelled,
    VendFailed,
    VendSucceeded,
)
from actors.machine.ids import MachineId, RequestId, VendId
from actors.machine.offer import OfferRefused
from actors.machine.state import FailureCause
from actors.machine.values import replace
from actors.placement import partition_of
from actors.ports import OffersSpent, RefusedUse
from storage.database.engine import Database, StorageConfig
from storage.machines import offer_uses as counting
from storage.machines.payers import forget
from storage.tables import offers, vends
from tests.storage.conftest import ON_POSTGRES
from tests.storage.offered import FIFTY, Books, books, chooses, give, with_a_customer
from tests.storage.office.plans import plan_of
from tests.storage.owner import START_MS, Owner, paid
from tests.support.patience import HANGS_AFTER_S, LOOK_EVERY_S


async def test_a_use_is_counted_with_its_vend(db: Database) -> None:
    """The row of the vend says what was taken off, and by which offer."""
    await give(db)
    owner = await with_a_customer(db, "VM-1")
    await owner.do("VM-1", chooses(owner, "VM-1"))
    assert Books(50, 1, 1, 0) == await books(db)
    row = await db.read(lambda connection: connection.execute(select(vends)).one())
    assert (450, 50, "fifty", "APPROVED") == (
        row.price_minor,
        row.discount_minor,
        row.offer,
        row.status,
    )
    vend = owner.states["VM-1"].session.vend  # type: ignore[union-attr]
    success = VendSucceeded(vend_id=vend.vend_id)  # type: ignore[union-attr]
    await owner.do("VM-1", owner.frame("VM-1", success))
    assert Books(50, 1, 1, 0) == await books(db)


async def test_what_is_not_delivered_goes_back_and_can_be_used_again(db: Database) -> None:
    """A budget for one: the first vend fails, and the second one has it."""
    await give(db, budget_minor=50)
    owner = await with_a_customer(db, "VM-1")
    await owner.do("VM-1", chooses(owner, "VM-1"))
    vend_id: VendId = owner.states["VM-1"].session.vend.vend_id  # type: ignore[union-attr]
    failed = VendFailed(vend_id=vend_id, cause=FailureCause.JAMMED)
    await owner.do("VM-1", owner.frame("VM-1", failed))
    assert Books(0, 0, 0, 1) == await books(db)
    await owner.do("VM-1", chooses(owner, "VM-1", 2))
    assert Books(50, 1, 1, 1) == await books(db)


async def test_both_in_one_batch_leave_nothing_used(db: Database) -> None:
    """Approved and cancelled before either was saved."""
    await give(db)
    owner = await with_a_customer(db, "VM-1")
    chosen = owner.decide("VM-1", chooses(owner, "VM-1"))
    cancelled = owner.decide(
        "VM-1", owner.frame("VM-1", VendCancelled(request_id=RequestId("VM-1-q1")))
    )
    await owner.commit([chosen, cancelled])
    assert Books(0, 0, 0, 1) == await books(db)


async def test_what_is_given_back_and_used_again_in_one_batch_is_one_use(db: Database) -> None:
    """A payer's only use: their vend fails, and they choose again before either is saved; or they
    cancel at once, and choose again.
    """
    await give(db, budget_minor=50, uses_per_payer=1)
    owner = await with_a_customer(db, "VM-1")
    await owner.do("VM-1", chooses(owner, "VM-1"))
    vend_id: VendId = owner.states["VM-1"].session.vend.vend_id  # type: ignore[union-attr]
    failed = VendFailed(vend_id=vend_id, cause=FailureCause.NOT_WAITING)
    batch = [owner.decide("VM-1", owner.frame("VM-1", failed))]
    for number in (2, 3):
        batch.append(owner.decide("VM-1", chooses(owner, "VM-1", number)))
        cancelled = VendCancelled(request_id=RequestId(f"VM-1-q{number}"))
        batch.append(owner.decide("VM-1", owner.frame("VM-1", cancelled)))
    await owner.commit(batch[:-1])
    assert Books(50, 1, 1, 2) == await books(db)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((49, None), counting.BUDGET),
        ((100, START_MS), counting.ENDED),
    ],
)
async def test_what_cannot_be_counted_is_refused_with_all_of_its_batch(
    db: Database, said: tuple[int, int | None], why: str
) -> None:
    """Nothing is saved; without the offer the same choice is, at the price that was shown."""
    await give(db, budget_minor=said[0], ended_at_ms=said[1])
    owner = await with_a_customer(db, "VM-1", "VM-2")
    before = dict(owner.states)
    batch = [owner.decide(one, chooses(owner, one)) for one in ("VM-1", "VM-2")]
    with pytest.raises(OffersSpent) as refused:
        await owner.commit(batch)
    assert [
        RefusedUse(
            machine_id=one.machine_id,
            vend_id=one.decision.uses[0].vend_id,
            offer="fifty",
            why=why,
        )
        for one in batch
    ] == list(refused.value.refused)
    assert Books(0, 0, 0, 0) == await books(db)
    owner.states = before
    await owner.do("VM-1", OfferRefused(offer="fifty", why=why))
    await owner.do("VM-1", batch[0].event)
    vend = owner.states["VM-1"].session.vend  # type: ignore[union-attr]
    assert (500, 0) == (vend.price_minor, vend.discount_minor)  # type: ignore[union-attr]


async def test_an_offer_whose_end_was_brought_forward_is_over_for_who_paid_before(
    db: Database,
) -> None:
    """Their session believes in the end that their payment brought."""
    await give(db)
    owner = await with_a_customer(db, "VM-1")
    earlier = update(offers).values(ends_at_ms=START_MS + 1)
    await db.write(lambda connection: connection.execute(earlier))
    owner.now_ms = START_MS + 1
    with pytest.raises(OffersSpent, match="ENDED"):
        await owner.do("VM-1", chooses(owner, "VM-1"))
    assert Books(0, 0, 0, 0) == await books(db)


async def test_who_comes_first_in_a_batch_has_what_is_left(db: Database) -> None:
    """The others alone are refused."""
    await give(db, budget_minor=149)
    owner = await with_a_customer(db, "VM-1", "VM-2", "VM-3", "VM-4")
    batch = [owner.decide(one, chooses(owner, one)) for one in owner.states]
    with pytest.raises(OffersSpent) as refused:
        await owner.commit(batch)
    assert ["VM-3", "VM-4"] == [one.machine_id for one in refused.value.refused]
    await owner.commit(batch[:2])
    assert Books(100, 2, 2, 0) == await books(db)


async def test_a_payer_uses_an_offer_so_often_and_no_more_wherever_they_are(db: Database) -> None:
    """Each machine's session knows only what was used before its payment."""
    await give(db, budget_minor=10_000, uses_per_payer=1)
    owner = await Owner.of(db, "VM-1", "VM-2")
    for machine_id in ("VM-1", "VM-2"):
        await owner.do(machine_id, replace(paid(f"t-{machine_id}"), offers=(FIFTY,)))
    batch = [owner.decide(one, chooses(owner, one)) for one in ("VM-1", "VM-2")]
    with pytest.raises(OffersSpent) as refused:
        await owner.commit(batch)
    assert [("VM-2", counting.PAYER)] == [
        (one.machine_id, one.why) for one in refused.value.refused
    ]
    await owner.commit(batch[:1])
    with pytest.raises(OffersSpent):
        await owner.commit(batch[1:])
    assert Books(50, 1, 1, 0) == await books(db)


async def test_what_payers_used_is_found_however_much_others_did(db: Database) -> None:
    """Along an index, for one use in a COMMIT and for several, whose rows others wait for; and by
    the payer alone, or PostgreSQL may look through all uses of the offers.
    """
    for payers, wanted in ((["ann"], ["fifty"]), (["ann", "bob"], ["fifty", "tea"])):
        asked = counting._OF_PAYERS.params(payers=payers, wanted=wanted)
        plan = await plan_of(db, asked)
        assert any("offer_uses_by_payer_id_offer" in line for line in plan), plan
        assert [] == [line for line in plan if line.startswith("SCAN ")], plan
        conditions = [line for line in plan if "Cond:" in line or "SEARCH" in line]
        assert conditions
        assert [] == [line for line in conditions if "(offer)" in line or "offer=?" in line], plan


async def test_an_offer_that_nobody_gives_is_refused(db: Database) -> None:
    """The database was restored to before it was made: its customers pay what is shown."""
    owner = await with_a_customer(db, "VM-1")
    with pytest.raises(OffersSpent, match="NO_SUCH_OFFER"):
        await owner.do("VM-1", chooses(owner, "VM-1"))


async def test_a_vend_that_was_counted_is_counted_once(db: Database) -> None:
    """The same COMMIT again, after an answer that was lost, is refused by its version."""
    await give(db)
    owner = await with_a_customer(db, "VM-1")
    change = await owner.do("VM-1", chooses(owner, "VM-1"))
    with pytest.raises(Exception, match="decided upon version"):
        await owner.commit([change])
    assert Books(50, 1, 1, 0) == await books(db)


def in_partition(db: Database, partition: int) -> str:
    """A machine that is there."""
    names = (f"VM-{number}" for number in range(10_000))
    return next(
        one for one in names if partition_of(MachineId(one), db.partition_count) == partition
    )


async def uses_as_many_as_it_can(owner: Owner) -> int:
    """Each of its customers chooses again and again; the first vend of each fails."""
    used = 0
    for number in range(1, 4):
        for machine_id in list(owner.states):
            before = owner.states[machine_id]
            try:
                await owner.do(machine_id, chooses(owner, machine_id, number))
            except OffersSpent:
                owner.states[machine_id] = before
                owner.unsaid(machine_id)
                continue
            vend = owner.states[machine_id].session.vend  # type: ignore[union-attr]
            fact: VendSucceeded | VendFailed = VendSucceeded(vend_id=vend.vend_id)  # type: ignore[union-attr]
            if number == 1:
                fact = VendFailed(vend_id=vend.vend_id, cause=FailureCause.JAMMED)  # type: ignore[union-attr]
            used += number > 1
            await owner.do(machine_id, owner.frame(machine_id, fact))
    return used


async def test_hosts_that_commit_at_one_moment_spend_no_more_than_there_is(
    url: str, db: Database
) -> None:
    """Four hosts, each on connections of its own, want far more than the budget holds, and give
    some of it back: what is used is what was counted, and never above it.
    """
    await give(db, budget_minor=3 * 50 + 49)
    machines = [in_partition(db, number) for number in range(8)]
    await with_a_customer(db, *machines)
    others = [await Database.open(StorageConfig(url=url)) for _ in range(4)]
    try:
        hosts = [
            await Owner.claim(
                other,
                *machines[2 * number : 2 * number + 2],
                holder=f"o{number}",
                host=f"h{number}",
            )
            for number, other in enumerate(others)
        ]
        used = await asyncio.gather(*map(uses_as_many_as_it_can, hosts))
    finally:
        for other in others:
            await other.close()
    found = await books(db)
    assert sum(used) == found.uses == found.open_uses <= 3
    assert found.spent_minor == 50 * found.uses


@pytest.mark.parametrize("url", [pytest.param("postgresql", marks=ON_POSTGRES)], indirect=True)
async def test_a_commit_and_an_erasure_that_lock_the_same_uses_both_come_to_an_end(
    url: str, db: Database
) -> None:
    """A batch gives back two uses of a payer who is erased in the middle of it: whichever is first
    is waited for, in whatever order the batch has them.
    """
    await give(db, budget_minor=1_000)
    owner = await Owner.of(db, "VM-1", "VM-2")
    failures = []
    for machine_id in ("VM-1", "VM-2"):
        await owner.do(machine_id, replace(paid(f"t-{machine_id}"), offers=(FIFTY,)))
        await owner.do(machine_id, chooses(owner, machine_id))
        vend = owner.states[machine_id].session.vend  # type: ignore[union-attr]
        failed = VendFailed(vend_id=vend.vend_id, cause=FailureCause.JAMMED)  # type: ignore[union-attr]
        failures.append(owner.decide(machine_id, owner.frame(machine_id, failed)))
    uses = [
        counting.UseToCount(machine_id=one.machine_id, at_ms=START_MS, use=one.decision.uses[0])
        for one in reversed(failures)
    ]
    office = await Database.open(StorageConfig(url=url))
    given_back, erasing = 0, asyncio.Event()

    async def until_somebody_waits() -> None:
        erasing.set()
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        async with asyncio.timeout(HANGS_AFTER_S):
            while not await db.read(lambda connection: connection.scalar(waiting)):
                await asyncio.sleep(LOOK_EVERY_S)

    def second(_c: Connection, _cursor: object, statement: str, *_: object) -> None:
        nonlocal given_back
        given_back += statement.startswith("UPDATE offer_uses")
        if given_back == 2:
            await_(until_somebody_waits())

    def work(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", second)
        counting.count(connection, uses)

    async def erase() -> None:
        await erasing.wait()
        await office.write(lambda connection: forget(connection, "payer-alice"))

    await asyncio.gather(db.write(work), erase())
    await office.close()
    assert Books(0, 0, 0, 2) == await books(db)
