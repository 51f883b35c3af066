"""Who shows what, who has not converged, who shows what was recalled, and what was counted."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.util import await_only as in_greenlet

from storage.database.engine import Database, StorageConfig
from storage.fleet.queries import Queries
from storage.office import screens as screens_module
from storage.office.assets import Assets
from storage.office.deeds import NotThere
from storage.office.screens import Play, Screens, ScreenTold, plays_behind
from storage.tables import machines
from tests.storage.office.places import NOON_MS, by, some_machines
from tests.storage.office.plans import goes_along
from tests.storage.office.showing import A, B, shown_by_all
from tests.storage.slow_commits import on_postgres, waiting

M1, M2 = "1" * 64, "2" * 64


async def with_screens(db: Database) -> Screens:
    """Two machines that said that they have a screen, and one that did not."""
    await some_machines(db, "VM-1", "VM-2", "VM-3")
    await shown_by_all(db)
    screens = Screens(db)
    said = [ScreenTold(machine_id=one, heard_at_ms=NOON_MS) for one in ("VM-1", "VM-2", "VM-9")]
    await screens.heard(said, [])
    return screens


async def ids(screens: Screens, *, converged: bool = False, obeyed: bool = False) -> list[str]:
    """Those that have not."""
    rows = await screens.page(not_converged=converged, not_obeyed=obeyed, limit=9)
    return [one.machine_id for one in rows]


async def test_what_is_compiled_is_of_machines_with_a_screen(db: Database) -> None:
    """All of it is read at one moment."""
    screens = await with_screens(db)
    material = await screens.material(NOON_MS)
    assert {"VM-1": "", "VM-2": ""} == material.wanted
    assert {"p1": {"VM-1", "VM-2"}} == {
        name: set(held) for name, held in material.machines_of.items()
    }
    assert (["p1"], {"all"}, {A, B}) == (
        [one.plan for one in material.plans],
        set(material.playlists),
        set(material.assets),
    )


@pytest.mark.slow_on_postgres
async def test_who_has_not_converged_is_one_call(db: Database) -> None:
    """Until the machine says that it shows what it is to show; why it does not is there too."""
    screens = await with_screens(db)
    made = {M1: ("one", [A]), M2: ("two", [B])}
    await screens.want({"VM-1": M1, "VM-2": M1}, made, NOON_MS)
    assert ["VM-1", "VM-2"] == await ids(screens, converged=True)
    await screens.heard(
        [
            ScreenTold(machine_id="VM-1", heard_at_ms=NOON_MS + 1, applied=M1),
            ScreenTold(
                machine_id="VM-2", heard_at_ms=2, rejected=M1, reason="NO_ROOM", detail="full"
            ),
        ],
        [],
    )
    assert ["VM-2"] == await ids(screens, converged=True)
    other = await screens.get("VM-2")
    assert ("NO_ROOM", "full", "", False) == (
        other.reason,
        other.detail,
        other.applied,
        other.converged,
    )
    one = await screens.get("VM-1")
    assert (NOON_MS + 1, True) == (one.applied_at_ms, one.converged)
    await screens.heard([ScreenTold(machine_id="VM-2", heard_at_ms=3, applied=M1)], [])
    assert "" == (await screens.get("VM-2")).reason
    assert "one" == await screens.manifest(M1)
    with pytest.raises(NotThere):
        await screens.manifest("f" * 64)
    with pytest.raises(NotThere):
        await screens.get("VM-3")


@pytest.mark.slow_on_postgres
async def test_a_large_fleet_is_written_in_parts(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in a transaction of its own, and none is left out."""
    screens = await with_screens(db)
    monkeypatch.setattr(screens_module, "AT_ONCE", 1)
    await screens.want({"VM-1": M1, "VM-2": M1}, {M1: ("one", [A])}, NOON_MS)
    told = [ScreenTold(machine_id=m, heard_at_ms=1, applied=M1) for m in ("VM-1", "VM-2")]
    await screens.heard(told, [])
    assert [] == await ids(screens, converged=True)
    assert {M1} == {(await screens.get(m)).applied for m in ("VM-1", "VM-2")}


async def test_a_recall_names_the_screens_that_show_it(db: Database) -> None:
    """Exactly those, until they show something else."""
    screens = await with_screens(db)
    await screens.want({"VM-1": M1, "VM-2": M2}, {M1: ("one", [A]), M2: ("two", [B])}, NOON_MS)
    shown = [("VM-1", M1), ("VM-2", M2)]
    await screens.heard([ScreenTold(machine_id=m, heard_at_ms=1, applied=s) for m, s in shown], [])
    assert [] == await ids(screens, obeyed=True)
    await Assets(db).recall(A, "wrong", by())
    assert ["VM-1"] == await ids(screens, obeyed=True)
    await screens.heard([ScreenTold(machine_id="VM-1", heard_at_ms=2, applied=M2)], [])
    assert [] == await ids(screens, obeyed=True)


async def test_totals_replace_and_only_grow(db: Database) -> None:
    """So a repeat changes nothing, and one that is late neither; what nobody knows is left out."""
    screens = await with_screens(db)
    await screens.want({"VM-1": M1}, {M1: ("one", [A])}, NOON_MS)

    def play(times: int, **more: object) -> Play:
        said = {"machine_id": "VM-1", "day": 20261129, "hour": 3, "manifest": M1, "item": 0}
        return Play(**(said | more), times=times, shown_ms=8 * times)  # type: ignore[arg-type]

    await screens.heard([], [play(5), play(5, hour=4)])
    await screens.heard([], [play(7), play(6, manifest=M2), play(1, machine_id="VM-3")])
    await screens.heard([], [play(2)])
    first = await screens.plays("VM-1", after=(0, 0, "", -1), limit=1)
    assert [play(7)] == first
    assert [play(5, hour=4)] == await screens.plays("VM-1", after=(20261129, 3, M1, 0), limit=9)
    assert [] == await screens.plays("VM-3", after=(0, 0, "", -1), limit=9)


async def test_a_page_of_plays_begins_where_the_last_one_ended(db: Database) -> None:
    """In an index, whatever a machine told before and behind it."""
    screens = await with_screens(db)
    await screens.want({}, {one: (one, []) for one in (M1, M2)}, NOON_MS)
    told = [
        Play(machine_id="VM-1", day=d, hour=h, manifest=m, item=n, times=1, shown_ms=8)
        for d in (20261129, 20261130)
        for h in (3, 4)
        for m in (M1, M2)
        for n in (0, 1)
    ]
    await screens.heard([], told)
    found: list[Play] = []
    while page := await screens.plays("VM-1", after=_place(found), limit=3):
        found += page
    assert told == found
    await goes_along(db, plays_behind("VM-1", _place(told[:5])), "plays_key")


def _place(found: Sequence[Play]) -> tuple[int, int, str, int]:
    if not found:
        return 0, 0, "", -1
    return found[-1].day, found[-1].hour, found[-1].manifest, found[-1].item


async def test_screens_that_lag_are_counted(db: Database) -> None:
    """Since the oldest of their wishes, until they show it; a retired machine's is nobody's."""
    screens = await with_screens(db)

    async def waiting() -> list[tuple[str, int, int | None]]:
        gauges = await Queries(db).gauges(now_ms=NOON_MS)
        return [
            (one.status, one.count, one.oldest_at_ms)
            for one in gauges
            if one.name == "screens_waiting"
        ]

    assert [] == await waiting()
    await screens.want({"VM-1": M1}, {M1: ("one", [A])}, NOON_MS)
    await screens.want({"VM-2": M1}, {}, NOON_MS + 5)
    assert [("offline", 2, NOON_MS)] == await waiting()
    await screens.heard([ScreenTold(machine_id="VM-1", heard_at_ms=NOON_MS + 9, applied=M1)], [])
    assert [("offline", 1, NOON_MS + 5)] == await waiting()
    retired = update(machines).where(machines.c.machine_id == "VM-2").values(retired_at_ms=1)
    await db.write(lambda connection: connection.execute(retired))
    assert [] == await waiting()


@on_postgres
async def test_who_hears_and_who_wants_do_not_wait_for_each_other(
    on_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two gateways, of the same machines at the same time, one of which heard of them in another
    order than their ids': both lock them in one order.
    """
    config = StorageConfig(url=on_server)
    hearing, wanting = await Database.open(config), await Database.open(config)
    try:
        screens = await with_screens(hearing)
        hear, wants = screens_module._hear, list[asyncio.Task[dict[str, str]]]()

        def heard(connection: Connection, told: ScreenTold) -> None:
            hear(connection, told)
            if not wants:
                wish = Screens(wanting).want({"VM-1": M1, "VM-2": M1}, {M1: ("", [])}, NOON_MS)
                wants.append(asyncio.ensure_future(wish))
                in_greenlet(waiting(hearing, 1))

        monkeypatch.setattr(screens_module, "_hear", heard)
        told = [ScreenTold(machine_id=m, heard_at_ms=5, applied=M2) for m in ("VM-2", "VM-1")]
        await screens.heard(told, [])
        assert {"VM-1": M1, "VM-2": M1} == await wants[0]
        assert {M2} == {(await screens.get(m)).applied for m in ("VM-1", "VM-2")}
    finally:
        await wanting.close()
        await hearing.close()
