"""Administrators' changes make revisions, leave audit rows, and are idempotent where they can
be.
"""

import pytest
from sqlalchemy import select

from actors.machine.events import ConfigurationChanged
from actors.machine.ids import MachineId, store_id_of
from actors.machine.policy import PolicyOverrides
from actors.machine.state import Column, Configuration, Mode
from storage.database.engine import Database
from storage.fleet.changes import MachineChange, UnknownMachine
from storage.fleet.joining import AlreadyRegistered
from storage.fleet.registry import TOKENS_KEPT, Registry
from storage.tables import audit
from tests.storage.owner import COLUMNS, START_MS, hears, new_machine

VM_1 = MachineId("VM-1")


async def trail(db: Database) -> list[tuple[str, str, str, str]]:
    """Return who did what, oldest first."""
    rows = await db.read(
        lambda connection: connection.execute(select(audit).order_by(audit.c.id)).all()
    )
    return [(row.actor, row.action, row.machine_id, row.detail) for row in rows]


@pytest.mark.slow_on_postgres
async def test_a_machine_is_registered_once(db: Database) -> None:
    """The same content gives the same answer, token included, and one audit row."""
    registry = Registry(db)
    first = await registry.register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    assert first == await registry.register(new_machine("VM-1"), actor="bob", now_ms=START_MS + 1)
    assert [("ann", "RegisterMachine", "VM-1", "Pier 7, HKD")] == await trail(db)


@pytest.mark.slow_on_postgres
async def test_other_content_is_refused(db: Database) -> None:
    """The error says what differs."""
    registry = Registry(db)
    await registry.register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    with pytest.raises(AlreadyRegistered, match="currency, planogram"):
        await registry.register(
            new_machine("VM-1", currency="JPY", columns=COLUMNS[:1]), actor="ann", now_ms=START_MS
        )


@pytest.mark.slow_on_postgres
async def test_a_machine_is_found_by_its_token(db: Database) -> None:
    """The token is long, and nobody else's."""
    registry = Registry(db)
    one = await registry.register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    two = await registry.register(new_machine("VM-2"), actor="ann", now_ms=START_MS)
    assert len(one.notify_token) >= 32 <= len(two.notify_token)
    assert (one, two) == (
        await registry.by_token(one.notify_token),
        await registry.get(MachineId("VM-2")),
    )
    assert await registry.by_token("guess") is None
    assert await registry.get(MachineId("VM-3")) is None


@pytest.mark.slow_on_postgres
async def test_a_change_makes_a_revision(db: Database) -> None:
    """What the actor must be told is the whole configuration, with the planogram only if it is
    new.
    """
    registry = Registry(db)
    await registry.register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    overrides = PolicyOverrides(idle_refund_ms=60_000)
    changed = await registry.change(
        VM_1,
        MachineChange(overrides=overrides, mode=Mode.SELECTION_FIRST, enabled=False),
        actor="bob",
        action="set policy",
        now_ms=START_MS,
        detail="why",
    )
    configuration = Configuration(
        revision=2,
        enabled=False,
        mode=Mode.SELECTION_FIRST,
        overrides=overrides,
        planogram_version=1,
    )
    assert ConfigurationChanged(configuration=configuration) == changed.told
    said = (
        "enabled yes -> no; mode BOTH -> SELECTION_FIRST; "
        "policy.idle_refund_ms of the fleet -> 60000; why"
    )
    assert ("bob", "set policy", "VM-1", said) == (await trail(db))[-1]


@pytest.mark.slow_on_postgres
async def test_a_planogram_makes_a_version(db: Database) -> None:
    """Columns that are not named are gone."""
    registry = Registry(db)
    await registry.register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    await hears(db)
    columns = (Column(column="B1", product="water", price_minor=200, capacity=4, stock=4),)
    changed = await registry.change(
        VM_1,
        MachineChange(columns=columns, goods_may_be_removed=True),
        actor="ann",
        action="set planogram",
        now_ms=START_MS,
    )
    assert (2, 2, columns) == (
        changed.told.configuration.revision,
        changed.told.configuration.planogram_version,
        changed.told.columns,
    )
    again = await registry.change(
        VM_1, MachineChange(enabled=False), actor="ann", action="disable", now_ms=START_MS
    )
    assert (3, 2, None) == (
        again.told.configuration.revision,
        again.told.configuration.planogram_version,
        again.told.columns,
    )


@pytest.mark.slow_on_postgres
async def test_an_unknown_machine_cannot_be_changed(db: Database) -> None:
    """And leaves no audit row."""
    with pytest.raises(UnknownMachine):
        await Registry(db).change(
            VM_1, MachineChange(enabled=True), actor="ann", action="enable", now_ms=START_MS
        )
    assert [] == await trail(db)


@pytest.mark.slow_on_postgres
async def test_acts_elsewhere_are_written_down(db: Database) -> None:
    """A command to an actor has its audit row too."""
    await Registry(db).audit(
        actor="ann", action="retry refund", machine_id="VM-1", detail="t1R1", now_ms=START_MS
    )
    assert [("ann", "retry refund", "VM-1", "t1R1")] == await trail(db)


@pytest.mark.slow_on_postgres
async def test_the_number_of_partitions_is_the_database_s(db: Database) -> None:
    """It was fixed when the database was created."""
    assert 8 == await Registry(db).partition_count()


async def test_an_earlier_token_leads_to_its_machine_still(db: Database) -> None:
    """Alipay tells of what was paid under it; it stands in no audit row. Of very many the earliest
    goes.
    """
    registry = Registry(db)
    first = await registry.register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    tokens = [first.notify_token]
    for at_ms in range(1, TOKENS_KEPT + 2):
        change = Registry.rotation(VM_1, new_code=at_ms == 1)
        await registry.change(
            VM_1, change, actor="bob", action="RotateCode", now_ms=START_MS + at_ms, detail="why"
        )
        tokens.append(change.notify_token or "")
    assert len(set(tokens)) == len(tokens)
    assert await registry.by_token(tokens[0]) is None
    for token in tokens[1:]:
        found = await registry.by_token(token)
        assert found is not None
        assert (VM_1, tokens[-1]) == (found.machine_id, found.notify_token)
    details = [detail for *_, detail in await trail(db)]
    store = store_id_of(VM_1)
    assert details[1].startswith(f'another notify token; store_id "{store}" -> "VM_1_')
    assert "another notify token; why" == details[2]
    assert not [detail for detail in details for token in tokens if token in detail]


def test_another_code_is_one_of_another_store() -> None:
    """Alipay keeps one code for each store, and wants no dash in its id; the sticker stays unless
    that is asked for.
    """
    change = Registry.rotation(VM_1, new_code=True)
    assert change.store_id is not None
    assert len(change.store_id) <= 64
    assert change.store_id.startswith("VM_1_")
    assert Registry.rotation(VM_1, new_code=False).store_id is None
