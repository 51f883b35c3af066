"""Machines come out of their rows as they went in, in any number."""

from actors.machine.ids import MachineId
from actors.machine.policy import PolicyOverrides
from storage.database.engine import Database
from storage.fleet.changes import MachineChange
from storage.fleet.registry import Registry
from storage.machines.loading import IN_ONE_STATEMENT, Loader, machine_rows, read_columns
from storage.tables import machines
from tests.storage.owner import COLUMNS, START_MS, new_machine


async def test_a_place_has_its_own_notify_url(db: Database) -> None:
    """The URL ends in the machine's token."""
    registered = await Registry(db).register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    loader = Loader(notify_base_url="https://vend.example")
    (loaded,) = await db.read(
        lambda connection: loader.load(connection, connection.execute(machine_rows()).all())
    )
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
    assert overrides == loaded.configuration.configuration.overrides


async def test_planograms_are_read_in_parts(db: Database) -> None:
    """More machines than fit in one statement are no problem."""
    await Registry(db).register(new_machine("VM-1"), actor="ann", now_ms=START_MS)
    names = [*(f"none-{number}" for number in range(IN_ONE_STATEMENT)), "VM-1"]
    found = await db.read(lambda connection: read_columns(connection, names))
    assert COLUMNS == found["VM-1"]
    assert () == found["none-0"]
