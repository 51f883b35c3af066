"""What is kept of screens goes once nobody can ask for it any more: what was shown long ago,
manifests that no machine shows, and files that nothing names.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Connection, Executable, Table, func, insert, select, update
from sqlalchemy.util import await_only as in_greenlet

from actors.ports import StoreError
from storage.database.engine import Database, StorageConfig
from storage.machines.rows import DAY_MS
from storage.office import screen_sweeps
from storage.office.assets import Assets, keep, shown
from storage.office.deeds import NotPossible, NotThere
from storage.office.playlists import Playlists
from storage.office.screens import Play, Screens, ScreenTold
from storage.tables import assets, machine_screens, manifest_assets, manifests, playlists, plays
from tests.storage.office.places import NOON_MS, by, some_machines
from tests.storage.office.plans import goes_along
from tests.storage.office.showing import A, B, content, items, some_assets
from tests.storage.slow_commits import on_postgres

OLD, SHOWN, WANTED, PLAYED = (name * 64 for name in "1234")
BEFORE_MS = NOON_MS + 100 * DAY_MS


class Dropped:
    """Whose bytes go, in order."""

    def __init__(self) -> None:
        self.hashes: list[str] = []

    async def drop(self, hashes: Sequence[str]) -> None:
        self.hashes.extend(hashes)


async def left(db: Database, table: Table, key: ColumnElement[Any]) -> list[Any]:
    """What is in a column."""
    rows = select(key).select_from(table).order_by(key)
    return await db.read(lambda connection: list(connection.scalars(rows)))


async def run(db: Database, statement: Executable) -> None:
    """Write something."""
    await db.write(lambda connection: connection.execute(statement))


async def shows(db: Database) -> Screens:
    """One machine, for which four manifests were made: it has one and is to have another, it has
    told of plays of a third, and the fourth is nobody's.
    """
    await some_machines(db, "VM-1")
    await some_assets(db, "a", "b")
    screens = Screens(db)
    await screens.heard([ScreenTold(machine_id="VM-1", heard_at_ms=NOON_MS)], [])
    names = (OLD, SHOWN, WANTED, PLAYED)
    await screens.want({"VM-1": WANTED}, {one: (one, [A]) for one in names}, NOON_MS)
    told = ScreenTold(machine_id="VM-1", heard_at_ms=NOON_MS, applied=SHOWN)
    await screens.heard([told], [a_play(20_241_004)])
    return screens


def a_play(day: int, hour: int = 3, item: int = 0) -> Play:
    return Play(
        machine_id="VM-1", day=day, hour=hour, manifest=PLAYED, item=item, times=1, shown_ms=8
    )


@pytest.mark.slow_on_postgres
async def test_what_was_shown_long_ago_goes(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some rows at a time; of a day that was over everywhere, because a machine's own day may be
    one behind ours.
    """
    monkeypatch.setattr(screen_sweeps, "PLAYS_AT_ONCE", 3)
    screens = await shows(db)
    days = [20_241_001, 20_241_002, 20_241_003]
    await screens.heard([], [a_play(day, hour) for day in days for hour in (1, 2)])
    noon_of_the_fourth_ms = NOON_MS
    gone = [await screen_sweeps.forget_plays(db, before_ms=noon_of_the_fourth_ms) for _ in range(3)]
    assert [3, 1, 0] == gone
    assert [20_241_003, 20_241_003, 20_241_004] == [
        one.day for one in await screens.plays("VM-1", after=(0, 0, "", -1), limit=9)
    ]


async def test_only_a_manifest_that_nobody_can_ask_for_goes(db: Database) -> None:
    """Not one that a machine has or is to have, nor one of which there are plays; with it goes what
    it showed.
    """
    screens = await shows(db)
    assert 0 == await screen_sweeps.forget_manifests(db, before_ms=NOON_MS)
    assert 1 == await screen_sweeps.forget_manifests(db, before_ms=BEFORE_MS)
    assert [SHOWN, WANTED, PLAYED] == await left(db, manifests, manifests.c.sha256)
    assert [SHOWN, WANTED, PLAYED] == await left(db, manifest_assets, manifest_assets.c.manifest)
    assert 1 == await screen_sweeps.forget_plays(db, before_ms=BEFORE_MS)
    assert 1 == await screen_sweeps.forget_manifests(db, before_ms=BEFORE_MS)
    with pytest.raises(NotThere):
        await screens.manifest(PLAYED)
    assert SHOWN == await screens.manifest(SHOWN)


@pytest.mark.slow_on_postgres
async def test_a_manifest_stays_for_a_while_after_its_last_machine(db: Database) -> None:
    """Counted from when a machine was let off it, not from when it was made: what it counted while
    it was without the net comes afterwards.
    """
    screens = await shows(db)
    later_ms = BEFORE_MS + 5
    await screens.want({"VM-1": PLAYED}, {PLAYED: ("", [])}, later_ms)
    told = ScreenTold(machine_id="VM-1", heard_at_ms=later_ms, applied=PLAYED)
    await screens.heard([told], [])
    assert 1 == await screen_sweeps.forget_manifests(db, before_ms=later_ms)
    assert [SHOWN, WANTED, PLAYED] == await left(db, manifests, manifests.c.sha256)
    assert 2 == await screen_sweeps.forget_manifests(db, before_ms=later_ms + 1)
    assert [PLAYED] == await left(db, manifests, manifests.c.sha256)


@pytest.mark.slow_on_postgres
async def test_a_manifest_that_is_wanted_again_stays(db: Database) -> None:
    """From when that is written down, before any machine is to show it: two transactions."""
    screens = await shows(db)
    await screens.want({}, {OLD: ("again", [A])}, BEFORE_MS)
    assert 0 == await screen_sweeps.forget_manifests(db, before_ms=BEFORE_MS)
    await screens.want({"VM-1": OLD}, {}, BEFORE_MS)
    assert OLD == await screens.manifest((await screens.get("VM-1")).wanted)


@pytest.mark.slow_on_postgres
async def test_only_a_file_that_nothing_names_goes(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one in a playlist, in a manifest that is kept, or one that was recalled: it may never be
    shown again. Its bytes go with it.
    """
    monkeypatch.setattr(screen_sweeps, "ASSETS_AT_ONCE", 1)
    await shows(db)
    more = await some_assets(db, "c", "d", "e")
    c, d, e = (one.content.sha256 for one in more)
    await Playlists(db).create("some", items(B), by(action="made"))
    await Assets(db).recall(c, "wrong", by())
    dropped = Dropped()
    counts = [
        await screen_sweeps.forget_assets(db, dropped.drop, before_ms=before_ms)
        for before_ms in (NOON_MS, BEFORE_MS, BEFORE_MS, BEFORE_MS)
    ]
    assert [0, 1, 1, 0] == counts
    assert sorted([d, e]) == dropped.hashes
    assert sorted([A, B, c]) == await left(db, assets, assets.c.sha256)
    with pytest.raises(NotPossible, match="recalled"):
        await Assets(db).add(content("c"), "again", by())


async def test_bytes_stay_while_their_row_may_stay(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The COMMIT was refused: the file is shown as before. Machines would fetch it in vain."""
    await some_assets(db, "a")
    dropped, write = Dropped(), db.write

    async def refused(work: Callable[[Connection], Any]) -> Any:
        def then_fails(connection: Connection) -> None:
            work(connection)
            raise StoreError("the disk is full")

        return await write(then_fails)

    with monkeypatch.context() as patch:
        patch.setattr(db, "write", refused)
        with pytest.raises(StoreError):
            await screen_sweeps.forget_assets(db, dropped.drop, before_ms=BEFORE_MS)
    assert ([A], []) == (await left(db, assets, assets.c.sha256), dropped.hashes)
    assert 1 == await screen_sweeps.forget_assets(db, dropped.drop, before_ms=BEFORE_MS)
    assert [A] == dropped.hashes


async def test_a_file_stays_for_a_while_after_its_last_use(db: Database) -> None:
    """After it was taken out of its last playlist, and after somebody brought it again."""
    await some_assets(db, "a", "b", "c")
    lists = Playlists(db)
    await lists.create("some", items(A, B), by(action="made"))
    later = by(action="made", now_ms=BEFORE_MS + 5)
    await lists.update("some", items(B), later)
    assert content("c").sha256 == (await Assets(db).add(content("c"), "", later)).content.sha256
    dropped = Dropped()
    assert 0 == await screen_sweeps.forget_assets(db, dropped.drop, before_ms=BEFORE_MS + 5)
    assert 2 == await screen_sweeps.forget_assets(db, dropped.drop, before_ms=BEFORE_MS + 6)
    assert sorted([A, content("c").sha256]) == dropped.hashes
    with pytest.raises(NotThere):
        await lists.update("some", items(A, B), later)


@on_postgres
@pytest.mark.parametrize("what", ["a file", "a manifest"])
async def test_what_somebody_is_about_to_name_is_left_alone(on_server: str, what: str) -> None:
    """Their transaction has not ended yet, and a sweep neither waits for it nor takes that away."""
    config = StorageConfig(url=on_server)
    naming, sweeping = await Database.open(config), await Database.open(config)
    try:
        await _both(naming, sweeping, what)
    finally:
        await naming.close()
        await sweeping.close()


async def _both(naming: Database, sweeping: Database, what: str) -> None:
    await shows(naming)
    dropped = Dropped()

    async def swept() -> int:
        if what == "a manifest":
            return await screen_sweeps.forget_manifests(sweeping, before_ms=BEFORE_MS)
        await screen_sweeps.forget_assets(sweeping, dropped.drop, before_ms=BEFORE_MS)
        return len(dropped.hashes)

    def named(connection: Connection) -> int:
        if what == "a manifest":
            changed = update(manifests).where(manifests.c.sha256 == OLD)
            connection.execute(changed.values(used_at_ms=BEFORE_MS))
        else:
            keep(connection, [B])
            assert {B} == shown(connection, [B]).keys()
        found = in_greenlet(swept())
        if what == "a file":
            in_list = update(playlists).values(items=f'[["{B}",8000]]')
            connection.execute(in_list)
        return int(found)

    await Playlists(naming).create("some", items(), by(action="made"))
    assert 0 == await naming.write(named)
    assert 0 == await swept()


@pytest.mark.slow_on_postgres
async def test_a_sweep_costs_the_same_however_much_there_is(db: Database) -> None:
    """Each goes along an index, and reads nothing of a hundred thousand plays but what is to go."""
    await shows(db)
    day = 20_250_101
    c = plays.c
    columns = [c.machine_id, c.day, c.hour, c.manifest, c.item, c.times, c.shown_ms]
    # Doubled, until there are enough: each time under numbers of items that are not there yet.
    await run(db, update(plays).values(day=day))
    for power in range(17):
        more = select(
            c.machine_id, c.day, c.hour, c.manifest, c.item + 2**power, c.times, c.shown_ms
        )
        await run(db, insert(plays).from_select(columns, more))
    counted = select(func.count()).select_from(plays)
    assert 131_072 == await db.read(lambda connection: connection.scalar(counted))
    await goes_along(db, screen_sweeps.plays_before(BEFORE_MS), "plays_by_day")
    unused = screen_sweeps.unused_manifests(BEFORE_MS).where(manifests.c.sha256 == OLD)
    await goes_along(db, unused, "plays_by_manifest", "machine_screens_by_wanted")
    assert 0 == await screen_sweeps.forget_plays(db, before_ms=BEFORE_MS - 100 * DAY_MS)


async def test_nothing_is_due_of_a_machine_that_shows_nothing(db: Database) -> None:
    """An empty name is none of a manifest."""
    await shows(db)
    nothing = update(machine_screens).values(wanted="", applied="")
    await run(db, nothing)
    assert 3 == await screen_sweeps.forget_manifests(db, before_ms=BEFORE_MS)
