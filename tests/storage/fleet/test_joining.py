"""Machines join together, and each wish is answered by itself."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from actors.machine.ids import MachineId, store_id_of
from actors.machine.policy import Policy, PolicyOverrides
from storage.database.engine import Database
from storage.fleet.answers import Answers, Asked, Claim, RequestInProgress
from storage.fleet.changes import LimitsContradict, SecondPersonNeeded
from storage.fleet.joining import (
    JUST_NOW_MS,
    AlreadyRegistered,
    Joining,
    LooksLike,
    Registered,
    apart,
)
from storage.fleet.registry import Registry
from storage.machines.store import SqlMachineStore
from storage.tables import audit, machines
from tests.storage.owner import START_MS, new_machine


def _names(count: int) -> list[str]:
    return [f"VM-{number}" for number in range(count)]


async def _count(db: Database, table: object) -> int:
    return await db.read(
        lambda connection: connection.scalar(select(func.count()).select_from(table)) or 0  # type: ignore[arg-type]
    )


@pytest.mark.slow_on_postgres
async def test_who_comes_together_joins_in_few_transactions(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has its token and its audit row."""
    transactions = 0
    write = Database.write

    async def counted(self: Database, work: object) -> object:
        nonlocal transactions
        transactions += 1
        return await write(self, work)  # type: ignore[arg-type]

    monkeypatch.setattr(Database, "write", counted)
    registry = Registry(db)
    made = await asyncio.gather(
        *(registry.register(new_machine(name), actor="ann", now_ms=START_MS) for name in _names(50))
    )
    assert _names(50) == [one.machine_id for one in made]
    assert 50 == len({one.notify_token for one in made})
    assert all(one.joined for one in made)
    assert 50 == await _count(db, audit)
    assert transactions < 4


@pytest.mark.slow_on_postgres
async def test_what_the_actor_is_told_is_what_it_would_load(db: Database) -> None:
    """With a planogram and limits of its own, or with neither."""
    store = SqlMachineStore(db, notify_base_url="")
    overrides = PolicyOverrides(idle_refund_ms=60_000)
    for new in (
        replace(new_machine("VM-1"), overrides=overrides),
        new_machine("VM-2", columns=()),
    ):
        await Registry(db).register(new, actor="ann", now_ms=START_MS)
        loaded = await store.load(new.machine_id)
        assert loaded is not None
        assert new.configuration == loaded.configuration


@pytest.mark.slow_on_postgres
async def test_a_machine_is_given_a_store_that_alipay_takes(db: Database) -> None:
    """Its own id, or where that has a dash another one, which its code is made for at once."""
    store = SqlMachineStore(db, notify_base_url="")
    for name, store_id in (("VM_1", ""), ("VM-1", store_id_of(MachineId("VM-1")))):
        await Registry(db).register(new_machine(name), actor="ann", now_ms=START_MS)
        loaded = await store.load(MachineId(name))
        assert loaded is not None
        assert loaded.place.says is not None
        assert store_id == loaded.place.says.store


@pytest.mark.slow_on_postgres
async def test_a_wish_that_is_refused_leaves_the_others_alone(db: Database) -> None:
    """Taken with other content, a limit of its own that nobody may set alone, or that contradicts
    the fleet's: nothing of them is written.
    """
    registry = Registry(db, Policy(doubt_review_above_minor=1_000))
    await registry.register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    wishes = (
        new_machine("VM-1", currency="JPY"),
        new_machine("VM-2"),
        replace(new_machine("VM-3"), overrides=PolicyOverrides(doubt_review_above_minor=9_999_999)),
        replace(new_machine("VM-4"), overrides=PolicyOverrides(doubt_window_ms=1)),
        new_machine("VM-1"),
    )
    found = await asyncio.gather(
        *(registry.register(new, actor="bob", now_ms=START_MS) for new in wishes),
        return_exceptions=True,
    )
    kinds = [type(one) for one in found]
    assert [
        AlreadyRegistered,
        Registered,
        SecondPersonNeeded,
        LimitsContradict,
        Registered,
    ] == kinds
    assert (2, 2) == (await _count(db, machines), await _count(db, audit))


@pytest.mark.slow_on_postgres
async def test_one_machine_that_is_wished_twice_joins_once(db: Database) -> None:
    """In the same moment: the second one finds it, or is told what differs."""
    registry = Registry(db)
    found = await asyncio.gather(
        *(
            registry.register(new, actor="ann", now_ms=START_MS)
            for new in (
                new_machine("VM-1"),
                new_machine("VM-1"),
                new_machine("VM-1", currency="JPY"),
            )
        ),
        return_exceptions=True,
    )
    first, second, third = found
    assert first == second
    assert isinstance(third, AlreadyRegistered)
    assert 1 == await _count(db, audit)


async def test_of_two_that_look_alike_one_joins(db: Database) -> None:
    """In one transaction or at another gateway a moment later; each once more is what it was. One
    that joined long ago was found before, and an import has looked at all of its own at once.
    """

    async def joined(name: str, registry: Registry, *, unlike: bool = True, later: int = 0) -> str:
        try:
            await registry.register(
                new_machine(name), actor="ann", now_ms=START_MS + later, unlike=unlike
            )
        except LooksLike as error:
            return error.other
        return "joined"

    one, other = Registry(db), Registry(db)
    assert ["joined", "VM-l", "joined"] == await asyncio.gather(
        *(joined(name, one) for name in ("VM-l", "VM-I", "VM-2"))
    )
    assert "VM-l" == await joined("vm-L", other)
    assert ["VM-2", "joined"] == [await joined(name, other) for name in ("vm-2", "VM-2")]
    assert "joined" == await joined("vm-2", other, unlike=False)
    assert "joined" == await joined("vm-L", other, later=JUST_NOW_MS)


async def test_wishes_of_one_machine_are_kept_apart() -> None:
    """Each transaction has it once, in the order in which they came."""
    wishes = [
        Joining(new=new_machine(name), token=str(place), actor="ann", now_ms=0)
        for place, name in enumerate(("A", "B", "A", "A"))
    ]
    assert [[0, 1], [2], [3]] == list(apart(wishes))


@pytest.mark.slow_on_postgres
async def test_a_claim_that_is_anothers_registers_nothing(db: Database) -> None:
    """Its lease ran out and somebody else goes on with it."""
    answers = Answers(db)
    asked = Asked(caller="ann", request_id="r1", rpc="RegisterMachine", content_sha256="0" * 64)
    old = await answers.begin(asked, now_ms=START_MS, lease_ms=0)
    new = await answers.begin(asked, now_ms=START_MS + 1, lease_ms=60_000)
    assert isinstance(old, Claim)
    assert isinstance(new, Claim)
    wishes = [
        Joining(new=new_machine("VM-1"), token="1", actor="ann", now_ms=0, claim=old),
        Joining(new=new_machine("VM-2"), token="2", actor="ann", now_ms=0),
    ]
    registry = Registry(db)
    found = await registry._join(wishes)
    assert isinstance(found[0], RequestInProgress)
    assert isinstance(found[1], Registered)
    assert ["VM-2"] == [
        name for name in ("VM-1", "VM-2") if await registry.get(MachineId(name)) is not None
    ]
