"""Profiles of machines, and what taking one out of service comes to."""

import asyncio

import pytest

from actors.machine.ids import MachineId
from storage.database.engine import Database, StorageConfig
from storage.fleet.changes import InMaintenance, MachineChange, Maintenance
from storage.fleet.registry import Registry
from storage.office.deeds import EtagOutdated, NotPossible, NotThere
from storage.office.profiles import (
    ProfileContent,
    Profiles,
    ProfileView,
    out_of_service,
)
from storage.office.stays import Stays
from tests.storage.office.places import (
    NOON_MS,
    by,
    details,
    some_districts,
    some_machines,
    some_sites,
)

VM = MachineId("VM-1")


async def put(
    db: Database, maintenance: Maintenance, reason: str = "", *, now_ms: int = 5, etag: str = ""
) -> bool:
    """Put the machine into this state and return whether it sells."""
    making = out_of_service(maintenance, reason=reason, by="ann", now_ms=now_ms, etag=etag)
    made = await Registry(db).change(
        VM, making, actor="ann", action="Test", now_ms=now_ms, detail=f"maintenance {maintenance}"
    )
    return made.told.configuration.enabled


@pytest.mark.slow_on_postgres
async def test_a_machine_of_which_nobody_said_anything_has_an_empty_profile(db: Database) -> None:
    """With the etag 0; an unknown machine has none."""
    await some_machines(db, "VM-1")
    profiles = Profiles(db)
    assert ProfileView(machine_id="VM-1") == await profiles.get("VM-1", NOON_MS)
    with pytest.raises(NotThere):
        await profiles.get("VM-9", NOON_MS)


@pytest.mark.slow_on_postgres
async def test_what_is_named_is_changed(db: Database) -> None:
    """Labels as a whole; the log says each of them, and of two with one etag one wins."""
    await some_machines(db, "VM-1")
    profiles = Profiles(db)
    labels = {"route": "7", "floor": "2"}
    first = await profiles.change(
        "VM-1", {"serial": "S-1", "model": "Snack 40", "labels": labels}, by(), etag="0"
    )
    assert (ProfileContent(serial="S-1", model="Snack 40", labels=labels), 1) == (
        first.content,
        first.revision,
    )
    assert first == await profiles.get("VM-1", NOON_MS)
    with pytest.raises(EtagOutdated):
        await profiles.change("VM-1", {"serial": "S-2"}, by("bob"), etag="0")
    second = await profiles.change("VM-1", {"labels": {"route": "8"}}, by(), etag="1")
    assert ("S-1", {"route": "8"}) == (second.content.serial, second.content.labels)
    assert second == await profiles.change("VM-1", {"serial": "S-1"}, by())
    assert [
        (
            "serial none -> 'S-1'; model none -> 'Snack 40'; labels.floor none -> '2'; "
            "labels.route none -> '7'"
        ),
        "labels.floor '2' -> none; labels.route '7' -> '8'",
    ] == await details(db)


@pytest.mark.slow_on_postgres
async def test_labels_that_are_not_named_stay_as_they_are_by_then(db: Database) -> None:
    """One without a value goes; there are no more than so many."""
    await some_machines(db, "VM-1")
    profiles = Profiles(db)
    await profiles.change("VM-1", {"labels": {"floor": "2", "zone": "a"}}, by())
    named = {"labels": {"route": "8", "floor": "", "gone": ""}}
    after = await profiles.change("VM-1", named, by(), labels_max=2)
    assert {"route": "8", "zone": "a"} == dict(after.content.labels)
    with pytest.raises(NotPossible) as refused:
        await profiles.change("VM-1", {"labels": {"more": "1"}}, by(), labels_max=2)
    assert "TOO_MANY_LABELS" == refused.value.reason
    assert after.content == (await profiles.get("VM-1", NOON_MS)).content


async def test_what_is_only_checked_is_not_kept(db: Database) -> None:
    """It shows what there would be."""
    await some_machines(db, "VM-1")
    profiles = Profiles(db)
    shown = await profiles.change("VM-1", {"model": "x"}, by(check=True))
    assert "x" == shown.content.model
    shown = await profiles.as_it_would_be(
        "VM-1", Maintenance.STORED, reason="winter", by="ann", now_ms=5
    )
    assert (Maintenance.STORED, True) == (shown.maintenance, shown.was_enabled)
    assert ProfileView(machine_id="VM-1") == await profiles.get("VM-1", NOON_MS)


@pytest.mark.slow_on_postgres
async def test_a_machine_out_of_service_does_not_sell_until_it_is_back(db: Database) -> None:
    """Nobody enables it meanwhile, by way of one state to the other too, and the profile says
    since when and why.
    """
    await some_machines(db, "VM-1")
    assert await put(db, Maintenance.MAINTENANCE, "jammed") is False
    with pytest.raises(InMaintenance, match="MAINTENANCE"):
        await Registry(db).change(
            VM, MachineChange(enabled=True), actor="bob", action="enable", now_ms=6
        )
    assert await put(db, Maintenance.MAINTENANCE, "jammed again", now_ms=7) is False
    there = await Profiles(db).get("VM-1", NOON_MS)
    assert (Maintenance.MAINTENANCE, "jammed again", 5, "ann", 2) == (
        there.maintenance,
        there.reason,
        there.since_at_ms,
        there.set_by,
        there.revision,
    )
    assert await put(db, Maintenance.STORED, "winter", now_ms=8) is False
    assert await put(db, Maintenance.IN_SERVICE, now_ms=9) is True
    assert (9, False) == (
        (back := await Profiles(db).get("VM-1", NOON_MS)).since_at_ms,
        back.was_enabled,
    )
    assert "enabled yes -> no; maintenance MAINTENANCE" == (await details(db))[0]


@pytest.mark.slow_on_postgres
async def test_a_state_that_is_there_already_is_not_set_again(db: Database) -> None:
    """Neither a revision nor an audit row; another reason is a row, and none of the machine."""
    await some_machines(db, "VM-1")
    registry = Registry(db)
    await put(db, Maintenance.MAINTENANCE, "jammed")
    before, written = await Profiles(db).get("VM-1", NOON_MS), await details(db)
    set_once = await registry.get(VM)
    assert await put(db, Maintenance.MAINTENANCE, "jammed", now_ms=6) is False
    assert (before, written) == (await Profiles(db).get("VM-1", NOON_MS), await details(db))
    await put(db, Maintenance.MAINTENANCE, "jammed again", now_ms=7)
    assert [*written, "maintenance MAINTENANCE"] == await details(db)
    assert set_once == await registry.get(VM)


async def test_a_machine_that_did_not_sell_before_does_not_afterwards(db: Database) -> None:
    """Somebody had disabled it, and enables it when they like."""
    await some_machines(db, "VM-1")
    registry = Registry(db)
    off, on = MachineChange(enabled=False), MachineChange(enabled=True)
    await registry.change(VM, off, actor="bob", action="disable", now_ms=4)
    assert await put(db, Maintenance.MAINTENANCE, "jammed") is False
    assert await put(db, Maintenance.IN_SERVICE) is False
    told = await registry.change(VM, on, actor="bob", action="enable", now_ms=9)
    assert told.told.configuration.enabled


@pytest.mark.slow_on_postgres
async def test_a_state_that_somebody_else_changed_is_left(db: Database) -> None:
    """The etag is the profile's, and nothing of the registry is changed either."""
    await some_machines(db, "VM-1")
    await put(db, Maintenance.MAINTENANCE, "jammed", etag="0")
    with pytest.raises(EtagOutdated):
        await put(db, Maintenance.IN_SERVICE, etag="0")
    assert Maintenance.MAINTENANCE is (await Profiles(db).get("VM-1", NOON_MS)).maintenance


@pytest.mark.slow_on_postgres
async def test_profiles_say_where_machines_stand(db: Database) -> None:
    """At the moment that is asked for, in the order in which they are asked for."""
    await some_districts(db, ("hk", ""))
    await some_sites(db, pier="hk")
    await some_machines(db, "VM-1", "VM-2")
    await Stays(db).place("VM-1", "pier", "2024-10-04", by())
    found = await Profiles(db).some(["VM-2", "VM-9", "VM-1"], NOON_MS)
    assert [("VM-2", "", "", ""), ("VM-1", "pier", "hk", "2024-10-04")] == [
        (one.machine_id, one.site, one.district, one.from_day) for one in found
    ]
    earlier = await Profiles(db).some(["VM-1"], 0)
    assert [""] == [one.site for one in earlier]


@pytest.mark.slow_on_postgres
async def test_of_two_who_give_one_serial_in_the_same_moment_one_does(
    db: Database, url: str
) -> None:
    """From two processes; the other is told whose it is."""
    await some_machines(db, "VM-1", "VM-2")
    other = await Database.open(StorageConfig(url=url))
    try:
        for number in range(5):
            serial = f"S-{number}"
            done = await asyncio.gather(
                Profiles(db).change("VM-1", {"serial": serial}, by()),
                Profiles(other).change("VM-2", {"serial": serial}, by("bob")),
                return_exceptions=True,
            )
            refused = [one for one in done if isinstance(one, BaseException)]
            assert ["SERIAL_TAKEN"] == [getattr(one, "reason", repr(one)) for one in refused]
            assert 1 == len(await Profiles(db).with_serials([serial]))
    finally:
        await other.close()
