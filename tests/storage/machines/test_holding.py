"""Claims, beats and takeovers as SQL keeps them, on both databases."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from actors.leases import Claimant, Holder
from actors.ports import ClaimRefused, Ownership, StaleOwner, StoreError
from storage.books.audit_rows import Actor
from storage.database import schema
from storage.database.engine import Database, StorageConfig
from storage.machines.holding import SqlLeases, figures, held_by
from storage.machines.layout import Layout
from storage.machines.store import SqlMachineStore
from storage.tables import audit, holders, partitions
from tests.storage.owner import START_MS, Owner, paid

ALL = range(8)
ANN = Actor(name="ann")


def claimant(
    holder: str, *, host: str = "host-0", home: str = "here", host_count: int | None = None
) -> Claimant:
    """One start of a host."""
    return Claimant(holder=holder, host=host, home=home, node="n/1", host_count=host_count)


async def claim(
    db: Database,
    who: Claimant,
    wanted: Sequence[int] = ALL,
    still: dict[str, int] | None = None,
) -> Ownership:
    """Claim once."""
    store = SqlMachineStore(db, notify_base_url="https://vend.example/")
    return await store.claim(who, partitions=wanted, now_ms=START_MS, still=still)


async def rows(db: Database, what: Any) -> list[tuple[Any, ...]]:
    """What a query finds."""
    return await db.read(lambda connection: [tuple(row) for row in connection.execute(what)])


async def epochs(db: Database) -> list[tuple[Any, ...]]:
    """Each partition with its holder and epoch."""
    return await rows(
        db, select(*partitions.c["partition", "holder", "epoch"]).order_by(partitions.c.partition)
    )


async def test_a_free_partition_is_anybodys(db: Database) -> None:
    """The first claim leaves a row that says who, where and since when."""
    await claim(db, claimant("h1"))
    assert [
        Holder(
            holder="h1",
            host="host-0",
            home="here",
            node="n/1",
            since_at_ms=START_MS,
            program=schema.head(),
        )
    ] == await SqlLeases(db).holders()
    assert [(number, "h1", 1) for number in ALL] == await epochs(db)


@pytest.mark.parametrize(("host", "home"), [("host-0", "there"), ("host-1", "here")])
async def test_who_holds_is_not_disturbed(db: Database, host: str, home: str) -> None:
    """A claim from elsewhere takes nothing, not even what is free, and is told who is in the
    way.
    """
    await claim(db, claimant("h1"), range(4))
    before = await epochs(db)
    with pytest.raises(ClaimRefused, match="host-0 of here on n/1 holds machines since 2026") as no:
        await claim(db, claimant("h2", host=host, home=home))
    assert ["h1"] == [each.holder for each in no.value.holders]
    assert before == await epochs(db)
    await SqlLeases(db).beat("h1")


async def test_the_same_host_of_a_home_is_granted_at_once(db: Database) -> None:
    """The predecessor's next beat is refused."""
    await claim(db, claimant("h1"))
    await claim(db, claimant("h2"))
    assert [(number, "h2", 2) for number in ALL] == await epochs(db)
    with pytest.raises(StaleOwner):
        await SqlLeases(db).beat("h1")


async def test_what_was_given_up_is_free(db: Database) -> None:
    """For a host of any home."""
    await claim(db, claimant("h1"))
    await SqlLeases(db).give_up("h1")
    await claim(db, claimant("h2", home="there"))
    assert [(number, "h2", 2) for number in ALL] == await epochs(db)


async def test_a_beat_that_was_watched_is_compared_once_more(db: Database) -> None:
    """Who beat between the last look and the claim keeps what it has."""
    leases = SqlLeases(db)
    await claim(db, claimant("h1"))
    await leases.beat("h1")
    with pytest.raises(ClaimRefused):
        await claim(db, claimant("h2", home="there"), still={"h1": 0})
    await claim(db, claimant("h2", home="there"), still={"h1": 1})
    assert ["h2"] == [each.holder for each in await leases.holders()]


async def test_a_stale_owner_saves_nothing_after_its_lease(db: Database) -> None:
    """Frozen, superseded and thawed: its COMMIT is refused, and no row is under the old epoch."""
    old = await Owner.of(db, "VM-1", holder="h1")
    await claim(db, claimant("h2", home="elsewhere"), still={"h1": 0})
    before = old.states["VM-1"].version
    with pytest.raises(StaleOwner):
        await old.do("VM-1", paid("t1"))
    new = await Owner.claim(db, "VM-1", holder="h3", host="host-0")
    assert before == new.states["VM-1"].version


async def test_two_who_saw_the_same_lease_run_out_are_not_both_granted(
    db: Database, url: str
) -> None:
    """The second one finds the first, whose beat it has not watched."""
    await claim(db, claimant("h1"))
    other = await Database.open(StorageConfig(url=url))
    try:
        results = await asyncio.gather(
            claim(db, claimant("h2", home="b"), still={"h1": 0}),
            claim(other, claimant("h3", home="c"), still={"h1": 0}),
            return_exceptions=True,
        )
    finally:
        await other.close()
    assert 1 == len([each for each in results if isinstance(each, ClaimRefused)])
    (winner,) = [each for each in results if isinstance(each, Ownership)]
    assert [(number, winner.holder, 2) for number in ALL] == await epochs(db)


async def test_a_claim_and_a_beat_at_the_same_moment_agree(db: Database, url: str) -> None:
    """Either the beat comes first and the claim is refused, or the claim and the beat is."""
    other = await Database.open(StorageConfig(url=url))
    try:
        for number in range(6):
            name = f"a{number}"
            await claim(db, claimant(name, home=name), still=await _seen(db))
            claimed, beat = await asyncio.gather(
                claim(other, claimant(f"b{number}", home="b"), still={name: 0}),
                SqlLeases(db).beat(name),
                return_exceptions=True,
            )
            assert isinstance(claimed, ClaimRefused) != isinstance(beat, StaleOwner)
    finally:
        await other.close()


async def _seen(db: Database) -> dict[str, int]:
    return {each.holder: each.beat for each in await SqlLeases(db).holders()}


async def test_a_holder_loses_all_with_the_first_partition(db: Database) -> None:
    """What is left of it is free for others of the home that has the first: a host that was
    superseded ends.
    """
    await claim(db, claimant("h1"))
    await claim(db, claimant("h2", home="b"), [0], still={"h1": 0})
    await claim(db, claimant("h3", host="host-1", home="b"), [1])
    assert ["h2", "h3"] == [each.holder for each in await SqlLeases(db).holders()]


async def test_a_dead_holder_is_buried_unless_it_beats(db: Database) -> None:
    """The audit log tells who found it dead."""
    leases = SqlLeases(db)
    await claim(db, claimant("h1"))
    await leases.beat("h1")
    await leases.bury({"h1": 0}, why="still", by="gw", now_ms=START_MS)
    assert 1 == len(await leases.holders())
    await leases.bury({"h1": 1}, why="still", by="gw", now_ms=START_MS)
    assert [] == await leases.holders()
    assert ("gw", "lease over", "host-0 of here on n/1: still") in await rows(
        db, select(*audit.c["actor", "action", "detail"])
    )


async def test_a_takeover_keeps_everything_for_one_home(db: Database) -> None:
    """The old holder can save and beat no more; the heir's hosts are granted, one after the other,
    and nobody else; the audit log tells who wanted it and why.
    """
    leases = SqlLeases(db)
    old = await Owner.of(db, "VM-1", holder="h1")
    losers = await leases.take_over("b", actor=ANN, reason="moved", lease_ms=60_000, now_ms=9)
    assert ["h1"] == [each.holder for each in losers]
    with pytest.raises(StaleOwner):
        await old.do("VM-1", paid("t1"))
    with pytest.raises(StaleOwner):
        await leases.beat("h1")
    with pytest.raises(ClaimRefused, match="a takeover for b holds"):
        await claim(db, claimant("h2"))

    await claim(db, claimant("h3", home="b"), range(0, 8, 2))
    with pytest.raises(ClaimRefused, match="a takeover for b holds"):
        await claim(db, claimant("h2", host="host-1"), range(1, 8, 2))
    await claim(db, claimant("h4", host="host-1", home="b"), range(1, 8, 2))
    assert ["h3", "h4"] == [each.holder for each in await leases.holders()]
    (told,) = await rows(
        db, select(*audit.c["actor", "detail"]).where(audit.c.action == "takeover")
    )
    assert ("ann", "for b, from vendgate-host-0 of tests: moved") == told


async def test_a_takeover_for_who_holds_everything_is_refused(db: Database) -> None:
    """A slip must not end the only one that serves."""
    await claim(db, claimant("h1"))
    with pytest.raises(StoreError, match="here holds the machines already"):
        await SqlLeases(db).take_over(
            "here", actor=ANN, reason="", lease_ms=60_000, now_ms=START_MS
        )
    await SqlLeases(db).beat("h1")


async def test_a_host_of_another_layout_is_refused(db: Database) -> None:
    """Though nobody holds anything; the layout is in the way, and nobody else."""
    await Layout(db).agree(2, by="gw", now_ms=START_MS)
    with pytest.raises(ClaimRefused, match="made for 1 hosts, and the layout has 2") as refused:
        await claim(db, claimant("h1", host_count=1))
    assert () == refused.value.holders
    await claim(db, claimant("h1", host_count=2), range(0, 8, 2))


async def test_figures_tell_what_each_holder_has(db: Database) -> None:
    """How many partitions, and the highest epoch."""
    await claim(db, claimant("h1"), range(4))
    await claim(db, claimant("h1"), range(4))
    assert (4, 2) == (await db.read(figures))["h1"]


def test_who_holds_is_said_with_its_time() -> None:
    """In UTC, and without a node where none is known."""
    assert "host-0 of here holds machines since 2026-01-01 00:00:00 UTC" == held_by(
        Holder(holder="h", host="host-0", home="here", since_at_ms=START_MS)
    )


async def test_a_holders_row_says_what_the_claimant_said(db: Database) -> None:
    """Every column is the claimant's; nothing is left to a default."""
    await claim(db, claimant("h1"))
    assert [("h1", "host-0", "here", "n/1", 0, 6_000, START_MS, schema.head())] == await rows(
        db, select(holders)
    )


def of_place(holder: str, place: int, *, goes_on: bool = False, home: str = "here") -> Claimant:
    """One start of the host of a place that follows the layout."""
    host = f"vendgate-host-{place}"
    return Claimant(holder=holder, host=host, home=home, place=place, goes_on=goes_on)


async def test_what_another_place_of_its_home_has_is_left_alone(db: Database) -> None:
    """A host takes what is free of its place; it holds a row with nothing, too."""
    await claim(db, of_place("h0", 0), range(6))
    taken = await claim(db, of_place("h1", 1), range(4, 8))
    assert {6: 1, 7: 1} == taken.epochs
    assert {} == (await claim(db, of_place("h2", 2), range(4))).epochs
    await SqlLeases(db).beat("h0")
    await SqlLeases(db).beat("h2")
    assert ["h0", "h1", "h2"] == [each.holder for each in await SqlLeases(db).holders()]


@pytest.mark.parametrize(
    ("host", "home"), [("vendgate-host-0", "there"), ("vendgate-host-1-2", "here"), ("h", "here")]
)
async def test_others_are_in_the_way_of_a_place(db: Database, host: str, home: str) -> None:
    """Another home, another host of its own place, and one that has no place."""
    await claim(db, Claimant(holder="h1", host=host, home=home), range(4))
    with pytest.raises(ClaimRefused, match=f"{host} of {home} holds machines"):
        await claim(db, of_place("h2", 1))


async def test_another_host_of_its_place_is_in_the_way_with_nothing(db: Database) -> None:
    """Until it gives up, or its lease is over: a place has one host at a time."""
    await claim(db, of_place("h1", 1), ())
    other = Claimant(holder="h2", host="vendgate-host-1-2", home="here", place=1)
    for wanted in ((), (1, 3)):
        with pytest.raises(ClaimRefused, match="vendgate-host-1 of here"):
            await claim(db, other, wanted)
    assert ["h1"] == [each.holder for each in await SqlLeases(db).holders()]
    taken = await claim(db, other, (1, 3), await _seen(db))
    assert {1, 3} == set(taken.epochs)
    assert ["h2"] == [each.holder for each in await SqlLeases(db).holders()]


async def test_a_home_has_all_machines_or_none(db: Database) -> None:
    """While one host of it beats no other home gets those of a dead one: the gateways of both would
    have machines that they cannot reach. Once all are silent all of them are over, and a host of
    it that is started again waits like anybody else.
    """
    leases = SqlLeases(db)
    await claim(db, of_place("h0", 0), range(4))
    await claim(db, of_place("h1", 1), range(4, 8))
    silent = await _seen(db)
    other = [
        Claimant(holder=f"x{place}", host=f"vendgate-host-{place}", home="there", place=place)
        for place in (0, 1)
    ]
    await leases.beat("h0")
    before = await epochs(db)
    with pytest.raises(ClaimRefused, match="vendgate-host-0 of here") as no:
        await claim(db, other[1], range(4, 8), silent)
    assert ["h0"] == [each.holder for each in no.value.holders]
    await leases.release("h1", 7, epoch=1)
    with pytest.raises(ClaimRefused, match="vendgate-host-0 of here"):
        await claim(db, other[1], [7], silent)
    assert before[:7] == (await epochs(db))[:7]

    assert (
        dict.fromkeys(range(4, 8), 2)
        == (await claim(db, other[1], range(4, 8), await _seen(db))).epochs
    )
    assert ["x1"] == [each.holder for each in await leases.holders()]
    with pytest.raises(StaleOwner):
        await leases.beat("h0")
    with pytest.raises(ClaimRefused, match="vendgate-host-1 of there"):
        await claim(db, of_place("h2", 0), range(4))
    assert dict.fromkeys(range(4), 2) == (await claim(db, other[0], range(4))).epochs


async def test_a_partition_that_was_released_is_anybodys(db: Database) -> None:
    """Of its home; the others stay, the beat goes on, and a COMMIT under the old epoch fails at
    once.
    """
    owner = await Owner.of(db, "VM-1")
    (number,) = owner.ownership.epochs
    leases = SqlLeases(db)
    await leases.release("h1", number, epoch=0)
    await leases.release("another", number, epoch=1)
    assert "h1" == (await leases.look()).held[number].holder
    await leases.release("h1", number, epoch=1)
    found = (await leases.look()).held[number]
    assert ("", "", 1) == (found.owner, found.holder, found.epoch)
    with pytest.raises(StaleOwner):
        await owner.do("VM-1", paid("t-1"))
    await leases.beat("h1")
    next_place = Claimant(holder="h2", host="vendgate-host-1", home="tests", place=1)
    taken = await claim(db, next_place, [number])
    assert {number: 2} == taken.epochs


async def test_who_goes_on_and_was_superseded_gets_nothing(db: Database) -> None:
    """Its row is not made a second time."""
    await claim(db, of_place("h0", 0), range(4))
    more = await claim(db, of_place("h0", 0, goes_on=True), range(2, 6))
    assert {2: 2, 3: 2, 4: 1, 5: 1} == more.epochs
    await SqlLeases(db).give_up("h0")
    with pytest.raises(StaleOwner, match="h0 holds nothing"):
        await claim(db, of_place("h0", 0, goes_on=True), range(6, 8))
    assert [] == await SqlLeases(db).holders()


async def test_a_start_lets_go_of_what_the_one_before_held(db: Database) -> None:
    """Also of what it does not want itself."""
    await claim(db, of_place("h1", 1), range(4))
    assert {} == (await claim(db, of_place("h2", 1), [])).epochs
    taken = await claim(db, of_place("h3", 0), range(4))
    assert dict.fromkeys(range(4), 2) == taken.epochs


async def test_a_beat_and_a_look_tell_the_layout(db: Database) -> None:
    """None while there is none."""
    await claim(db, of_place("h0", 0))
    leases = SqlLeases(db)
    assert (None, None) == (await leases.beat("h0"), (await leases.look()).host_count)
    await Layout(db).agree(2, by="gw", now_ms=START_MS)
    now = await leases.look()
    assert (2, 2, 1) == (await leases.beat("h0"), now.host_count, now.version)
    assert ["h0"] == [each.holder for each in now.holders]
    assert {("vendgate-host-0", "h0", 1)} == {
        (each.owner, each.holder, each.epoch) for each in now.held.values()
    }
