"""Limits that guard money: one person lowers them, two raise them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from actors.machine.ids import MachineId
from actors.machine.policy import Policy, PolicyOverrides
from storage import codec
from storage.auditing import prove
from storage.database.engine import Database
from storage.fleet import limits
from storage.fleet.changes import MachineChange, SecondPersonNeeded
from storage.fleet.registry import Registry
from storage.tables import audit, limit_proposals, machines
from tests.storage.owner import START_MS, new_machine

VM_1 = MachineId("VM-1")
TWO = "write_off_second_person_above_minor"
FLEET = Policy(write_off_second_person_above_minor=400)


async def _registry(db: Database, **own: int) -> Registry:
    registry = Registry(db, FLEET)
    new = replace(new_machine("VM-1"), overrides=PolicyOverrides(**own))
    await registry.register(new, actor="test", now_ms=START_MS)
    return registry


async def _sets(
    registry: Registry, who: str, own: Mapping[str, int | None], *, person: str = ""
) -> None:
    change = MachineChange(limits=own)
    await registry.change(
        VM_1, change, actor=who, person=person, action="UpdateMachine", now_ms=START_MS
    )


async def _limit(db: Database) -> int | None:
    def read(connection: Any) -> Any:
        return connection.scalar(select(machines.c.overrides))

    own: int | None = getattr(codec.decode_overrides(await db.read(read)), TWO)
    return own


@pytest.mark.parametrize(
    ("before", "after", "raised"),
    [
        (None, None, {}),
        (None, 400, {}),
        (None, 399, {}),
        (None, 401, {TWO: 401}),
        (100, 100, {}),
        (100, 99, {}),
        (100, 101, {TWO: 101}),
        (100, None, {TWO: 400}),
        (500, None, {}),
    ],
)
def test_a_limit_is_raised_where_more_would_be_allowed(
    before: int | None, after: int | None, raised: dict[str, int]
) -> None:
    """A machine without its own has the fleet's, whichever way it goes."""
    old = PolicyOverrides(write_off_second_person_above_minor=before)
    new = PolicyOverrides(write_off_second_person_above_minor=after)

    assert raised == limits.raised(old, new, FLEET)


def test_no_limit_is_above_every_limit() -> None:
    """To follow a fleet without one raises it; one of its own lowers it."""
    guarded, free = PolicyOverrides(doubt_review_above_minor=1), PolicyOverrides()

    assert {"doubt_review_above_minor": None} == limits.raised(guarded, free, Policy())
    assert {} == limits.raised(free, guarded, Policy())
    assert "policy.doubt_review_above_minor to no limit" == limits.words(
        {"doubt_review_above_minor": None}
    )


async def test_one_person_lowers_and_two_raise(db: Database) -> None:
    """The first one's wish changes nothing; only the same wish of another person does."""
    registry = await _registry(db)
    await _sets(registry, "ann", {TWO: 100})
    assert 100 == await _limit(db)
    for _ in range(2):
        with pytest.raises(SecondPersonNeeded) as caught:
            await _sets(registry, "ann", {TWO: 300})
        assert (True, f"policy.{TWO} to 300") == (caught.value.proposed, caught.value.limits)
    with pytest.raises(SecondPersonNeeded):
        await _sets(registry, "bob", {TWO: 300}, person="ann")
    with pytest.raises(SecondPersonNeeded):
        await _sets(registry, "bob", {TWO: 301})
    assert 100 == await _limit(db)
    with pytest.raises(SecondPersonNeeded):
        await _sets(registry, "ann", {TWO: 300})
    await _sets(registry, "bob", {TWO: 300})
    assert 300 == await _limit(db)

    def read(connection: Any) -> Any:
        rows = connection.execute(
            select(audit.c.outcome, audit.c.detail).where(audit.c.action == "UpdateMachine")
        )
        return [tuple(row) for row in rows.all()], connection.scalar(select(limit_proposals))

    rows, left = await db.read(read)
    assert ("DONE", f"policy.{TWO} 100 -> 300; proposed by ann") == rows[-1]
    assert ["DONE", *["PROPOSED"] * 5, "DONE"] == [outcome for outcome, _ in rows]
    assert left is None
    assert (await prove(db, now_ms=START_MS)).chains_hold


@pytest.mark.slow_on_postgres
async def test_a_wish_is_void_after_another_change(db: Database) -> None:
    """The second person would confirm it for a machine that the first one never saw."""
    registry = await _registry(db)
    with pytest.raises(SecondPersonNeeded):
        await _sets(registry, "ann", {TWO: 500})
    await _sets(registry, "cid", {"idle_refund_ms": 60_000})
    with pytest.raises(SecondPersonNeeded):
        await _sets(registry, "bob", {TWO: 500})
    await _sets(registry, "ann", {TWO: 500})
    assert 500 == await _limit(db)


@pytest.mark.slow_on_postgres
async def test_no_machine_joins_above_the_fleets_limits(db: Database) -> None:
    """A registration is one person's; with less than the fleet allows it is taken."""
    with pytest.raises(SecondPersonNeeded) as caught:
        await _registry(db, write_off_second_person_above_minor=401)
    assert not caught.value.proposed
    await _registry(db, write_off_second_person_above_minor=399)
