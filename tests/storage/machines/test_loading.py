"""Machines come out of their rows as they went in, in any number."""

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from actors.machine.ids import MachineId
from actors.machine.policy import PolicyOverrides
from actors.ports import LoadedMachine, Unreadable
from storage.codec import CodecError
from storage.database.engine import Database
from storage.fleet.changes import MachineChange
from storage.fleet.registry import Registry
from storage.machines import loading
from storage.machines.loading import (
    IN_ONE_STATEMENT,
    Loader,
    machine_rows,
    read_columns,
    read_rows,
)
from storage.tables import machine_states, machines
from tests.storage.owner import COLUMNS, START_MS, Owner, new_machine, paid


async def test_a_place_has_its_own_notify_url(db: Database) -> None:
    """The URL ends in the machine's token."""
    registered = await Registry(db).register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    loader = Loader(notify_base_url="https://vend.example")
    (loaded,) = await db.read(
        lambda connection: loader.load(connection, connection.execute(machine_rows()).all())
    )
    assert isinstance(loaded, LoadedMachine)
    assert (
        f"https://vend.example/alipay/notify/{registered.notify_token}" == loaded.place.notify_url
    )
    assert ("Pier 7", "HK", "Central, Hong Kong") == (
        loaded.place.store_name,
        loaded.place.country_code,
        loaded.place.address,
    )


async def test_own_limits_are_loaded(db: Database) -> None:
    """They come with the configuration."""
    registry = Registry(db)
    await registry.register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    overrides = PolicyOverrides(doubt_window_ms=200_000)
    await registry.change(
        MachineId("VM-1"),
        MachineChange(overrides=overrides),
        actor="ann",
        action="set policy",
        now_ms=START_MS,
    )
    loader = Loader(notify_base_url="")
    wanted = machine_rows(machines.c.machine_id == "VM-1")
    (loaded,) = await db.read(
        lambda connection: loader.load(connection, connection.execute(wanted).all())
    )
    assert isinstance(loaded, LoadedMachine)
    assert overrides == loaded.configuration.configuration.overrides


async def test_planograms_are_read_in_parts(db: Database) -> None:
    """More machines than fit in one statement are no problem."""
    await Registry(db).register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    names = [*(f"none-{number}" for number in range(IN_ONE_STATEMENT)), "VM-1"]
    found = await db.read(lambda connection: read_columns(connection, names))
    assert COLUMNS == found["VM-1"]
    assert () == found["none-0"]


async def test_many_machines_are_loaded_together(db: Database) -> None:
    """Each is what it is by itself: one that has sold, one that has heard of nothing; one that
    nobody registered is not there.
    """
    owner = await Owner.of(db, "VM-1", "VM-2")
    await owner.do("VM-1", paid("t1"))
    await Registry(db).register(new_machine("VM-3"), actor="ann", now_ms=START_MS)
    names = [MachineId(name) for name in ("VM-3", "VM-404", "VM-1", "VM-2")]
    alone = [await owner.store.load(name) for name in names]
    together = await owner.store.load_each(names)
    assert [one for one in alone if one is not None] == sorted(
        together, key=lambda one: names.index(_id_of(one))
    )
    assert [] == list(await owner.store.load_each([]))


async def test_machines_are_read_in_parts(db: Database) -> None:
    """More machines than fit in one statement are no problem."""
    await Owner.of(db, "VM-1", "VM-2")
    names = ["VM-1", *(f"none-{number}" for number in range(IN_ONE_STATEMENT)), "VM-2"]
    found = await db.read(lambda connection: read_rows(connection, names))
    assert ["VM-1", "VM-2"] == [row.machine_id for row in found]


async def test_what_cannot_be_read_of_one_machine_is_its_own_matter(db: Database) -> None:
    """Its text, or a word that this program does not know: the others are loaded beside it. Asked
    for alone, it raises.
    """
    owner = await Owner.of(db, "VM-1", "VM-2", "VM-3")
    broken = update(machine_states).where(machine_states.c.machine_id == "VM-1").values(body="{")
    newer = update(machines).where(machines.c.machine_id == "VM-3").values(mode="TELEPATHY")
    await db.write(lambda connection: connection.execute(broken))
    await db.write(lambda connection: connection.execute(newer))
    found = await owner.store.load_each([MachineId(f"VM-{number}") for number in (1, 2, 3)])
    errors = {_id_of(one): type(one.error) for one in found if isinstance(one, Unreadable)}
    assert {"VM-1": CodecError, "VM-3": ValueError} == errors
    assert ["VM-2"] == [_id_of(one) for one in found if isinstance(one, LoadedMachine)]
    with pytest.raises(CodecError):
        await owner.store.load(MachineId("VM-1"))


async def test_a_database_that_fails_is_nobodys_own_matter(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the database raises while rows are made of its answer is no machine's defect."""
    owner = await Owner.of(db, "VM-1")
    away = DBAPIError("SELECT", {}, OSError("gone"))

    def fails(_row: object) -> None:
        raise away

    monkeypatch.setattr(loading, "state_of", fails)
    with pytest.raises(Exception, match="gone") as raised:
        await owner.store.load_each([MachineId("VM-1")])
    assert away is raised.value.__cause__


def _id_of(one: LoadedMachine | Unreadable) -> MachineId:
    return one.machine_id if isinstance(one, Unreadable) else one.state.machine_id
