"""What machines say of their screens is written down, and what they are to show is told, by one
task that no stream waits for.
"""

import asyncio
import json
from dataclasses import dataclass, field, replace

import pytest
from structlog.testing import capture_logs

from actors.machine.ids import MachineId
from actors.ports import StoreError
from gateway.screens import desk as module
from gateway.screens.desk import ScreenDesk
from gateway.screens.saying import ManifestApplied, ManifestRejected, PlayCounted, Plays
from gateway.screens.tokens import machine_of
from gateway.v1 import machine_pb2 as wire
from storage.database.engine import Database
from storage.fleet.answers import KeepingClock
from storage.machines.rows import DAY_MS
from storage.office.assets import Assets
from storage.office.screen_plans import ScreenPlans
from storage.office.screens import AHEAD_MAX_MS, Material, Screens
from tests.storage.office.places import NOON_MS, by, some_machines
from tests.storage.office.showing import LATER_MS, A, B, plan, shown_by_all
from tests.support.keeping import Keeping, KeptBy
from tests.support.patience import until

KEY = b"k" * 32
VM1 = MachineId("VM-1")
BEHIND_MS = NOON_MS - 500 * DAY_MS
NEW_YEAR_MS = 1_798_761_600_000
"""2027 begins."""


@dataclass
class Clock:
    """Stands at noon, until somebody moves it."""

    at_ms: int = NOON_MS

    def now_ms(self) -> int:
        return self.at_ms


@dataclass
class Front:
    """A stream of a machine with a screen."""

    machine_id: MachineId = VM1
    room: bool = True
    told: list[wire.ScreenUpdate] = field(default_factory=list)

    def show(self, update: wire.ScreenUpdate) -> bool:
        if self.room:
            self.told.append(update)
        return self.room


def a_desk(
    db: Database, clock: Clock | None = None, keeping: KeepingClock | None = None
) -> tuple[ScreenDesk, Screens]:
    screens, clock = Screens(db), clock or Clock()
    made = ScreenDesk(
        screens=screens,
        assets=Assets(db),
        clock=clock,
        keeping=keeping or KeptBy(clock),
        key=KEY,
        url="http://gw/assets/",
        monotonic=lambda: 0.0,
    )
    return made, screens


def counted(times: int = 1, item: int = 0, manifest: str = "m") -> PlayCounted:
    return PlayCounted(
        manifest=manifest, item=item, day=20241004, hour=3, times=times, shown_ms=8 * times
    )


async def test_a_machine_is_told_what_its_plans_say(db: Database) -> None:
    """Once, with where it is and a token of its own; and again when it changes."""
    await some_machines(db, "VM-1")
    await shown_by_all(db)
    desk, screens = a_desk(db)
    front = Front()
    desk.opened(front, "")
    await desk.once()
    await desk.once()
    (update,) = front.told
    assert update.manifest_sha256 == (await screens.get("VM-1")).wanted
    shown = json.loads(await screens.manifest(update.manifest_sha256))["items"]
    assert [A, B] == [one["sha256"] for one in shown]
    assert ("http://gw/assets/", "VM-1", []) == (
        update.url,
        machine_of(update.token, now_s=NOON_MS // 1_000, key=KEY),
        list(update.recalled),
    )
    desk.said(VM1, ManifestApplied(manifest=update.manifest_sha256))
    await Assets(db).recall(A, "wrong", by())
    desk.wake()
    await desk.once()
    assert (2, [A], [A]) == (
        len(front.told),
        [one.sha256 for one in front.told[1].recalled],
        list(desk.recalled()),
    )
    assert front.told[1].manifest_sha256 != update.manifest_sha256
    (one,) = await screens.page(not_converged=True, not_obeyed=True, limit=9)
    assert ("VM-1", update.manifest_sha256) == (one.machine_id, one.applied)


@pytest.mark.parametrize("behind_ms", [180_000, AHEAD_MAX_MS])
async def test_two_clocks_do_not_swap_what_a_machine_shows(db: Database, behind_ms: int) -> None:
    """A plan ends, for the gateway whose clock is ahead; the other one lets the machine show
    nothing older from then on, and obeys at once what an administrator changes there.
    """
    await some_machines(db, "VM-1")
    await shown_by_all(db)
    ahead, behind = Clock(LATER_MS - 1), Clock(LATER_MS - 1 - behind_ms)
    (one, screens), (two, _) = a_desk(db, ahead), a_desk(db, behind)
    first, second = Front(), Front()
    one.opened(first, "")
    two.opened(second, "")
    shown = []
    for step_ms in (0, 1, 60_000, 60_000):
        ahead.at_ms += step_ms
        behind.at_ms += step_ms
        for desk in (one, two):
            desk.wake()
            await desk.once()
            shown.append((await screens.get("VM-1")).wanted)
    assert shown[:2] == [shown[0]] * 2
    assert shown[2:] == [shown[2]] * 6
    assert shown[0] != shown[2]
    for front in (first, second):
        assert [shown[0], shown[2]] == [update.manifest_sha256 for update in front.told]
    more = plan(not_after_ms=LATER_MS + 9_999_999)
    await ScreenPlans(db).create("p2", more, by(now_ms=behind.at_ms))
    two.wake()
    await two.once()
    assert shown[2] != second.told[-1].manifest_sha256 == (await screens.get("VM-1")).wanted


async def test_a_new_year_comes_once(db: Database) -> None:
    """However many gateways there are: the clocks' changes of another year are told then."""
    await some_machines(db, "VM-1")
    await shown_by_all(db)
    (one, screens), (two, _) = a_desk(db, Clock(NEW_YEAR_MS)), a_desk(db, Clock(NEW_YEAR_MS - 9))
    front = Front()
    two.opened(front, "")
    for desk in (two, one, two, one, two):
        desk.wake()
        await desk.once()
    assert 2 == len(front.told)
    offsets = json.loads(await screens.manifest(front.told[-1].manifest_sha256))["offsets"]
    assert NEW_YEAR_MS == offsets[0][0]


async def test_a_clock_that_is_wrong_holds_nobody_up(db: Database) -> None:
    """What it wrote for a time that is far ahead is changed by whoever has the right time."""
    await some_machines(db, "VM-1")
    await shown_by_all(db)
    wrong, _ = a_desk(db, Clock(NOON_MS + AHEAD_MAX_MS + 1))
    right, screens = a_desk(db)
    front = Front()
    wrong.opened(front, "")
    await wrong.once()
    await Assets(db).recall(A, "wrong", by())
    await right.once()
    view = await screens.get("VM-1")
    assert (NOON_MS, True) == (
        view.wanted_at_ms,
        view.wanted != front.told[0].manifest_sha256,
    )


async def test_a_wish_that_came_too_late_is_not_told(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another gateway wished something for a later time while this one compiled: that is told."""
    await some_machines(db, "VM-1")
    await shown_by_all(db)
    (one, screens), (two, _) = a_desk(db, Clock(LATER_MS + 1)), a_desk(db, Clock(LATER_MS - 9))
    front = Front()
    two.opened(front, "")
    await two._write_down()
    material = await screens.material(LATER_MS - 9)
    await one.once()

    async def before(_now_ms: int) -> Material:
        return material

    monkeypatch.setattr(two._screens, "material", before)
    await two.once()
    (update,) = front.told
    assert [] == json.loads(await screens.manifest(update.manifest_sha256))["items"]
    assert update.manifest_sha256 == (await screens.get("VM-1")).wanted


async def test_counts_of_what_is_not_kept_are_said(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once an hour of each machine; they are written nowhere."""
    await some_machines(db, "VM-1")
    said: list[object] = []
    desk, screens = a_desk(db)
    monkeypatch.setattr(module.log, "warning", lambda text, **more: said.append((text, more)))
    desk.opened(Front(), "")
    for _ in range(2):
        desk.said(VM1, Plays(counts=(counted(manifest="f" * 64),)))
        await desk.once()
    why = "of a manifest that is not kept"
    assert [("counts of plays are left out", {"why": why, "machine_id": VM1})] == said
    assert [] == await screens.plays("VM-1", after=(0, 0, "", -1), limit=9)


async def test_a_full_stream_is_told_later(db: Database) -> None:
    """And one that is gone not at all; a newer one takes its place."""
    await some_machines(db, "VM-1")
    desk, _ = a_desk(db)
    old, new = Front(room=False), Front()
    desk.opened(old, "")
    await desk.once()
    old.room = True
    await desk.once()
    assert 1 == len(old.told)
    desk.opened(new, "")
    desk.closed(old)
    await desk.once()
    assert (1, 1) == (len(old.told), len(new.told))
    desk.closed(new)
    desk.wake()
    await desk.once()
    assert 1 == len(new.told)


async def test_what_was_said_is_merged_and_outlives_a_database_that_is_away(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest counts; of plays the totals."""
    await some_machines(db, "VM-1")
    desk, screens = a_desk(db)
    front = Front()
    desk.opened(front, "")
    await desk.once()
    manifest = front.told[0].manifest_sha256

    async def away(*_: object) -> None:
        raise StoreError("away")

    desk.said(VM1, Plays(counts=(counted(2, manifest=manifest),)))
    with monkeypatch.context() as patch:
        patch.setattr(screens, "heard", away)
        with pytest.raises(StoreError):
            await desk.once()
    desk.said(VM1, ManifestRejected(manifest=manifest, reason="NO_ROOM", detail="full"))
    desk.said(VM1, Plays(counts=(counted(3, manifest=manifest),)))
    await desk.once()
    view = await screens.get("VM-1")
    assert ("NO_ROOM", "full", "") == (view.reason, view.detail, view.applied)
    (play,) = await screens.plays("VM-1", after=(0, 0, "", -1), limit=9)
    assert 3 == play.times


async def test_what_is_said_while_a_write_fails_takes_nothing_away(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a machine shows, if it has said since only what it does not show."""
    await some_machines(db, "VM-1")
    desk, screens = a_desk(db)
    front = Front()
    desk.opened(front, "")
    await desk.once()
    manifest = front.told[0].manifest_sha256

    async def away(*_: object) -> None:
        desk.said(VM1, ManifestRejected(manifest=manifest, reason="DAMAGED", detail=""))
        raise StoreError("away")

    desk.said(VM1, ManifestApplied(manifest="before"))
    with monkeypatch.context() as patch:
        patch.setattr(screens, "heard", away)
        with pytest.raises(StoreError):
            await desk.once()
    await desk.once()
    view = await screens.get("VM-1")
    assert ("before", "DAMAGED") == (view.applied, view.reason)


async def test_what_waits_does_not_grow_while_writes_fail(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each for as long as a database takes that answers nothing: what comes meanwhile counts."""
    desk, screens = a_desk(db)
    monkeypatch.setattr(module, "PLAYS_WAIT_MAX", 3)
    hour = iter(range(9))

    async def away(*_: object) -> None:
        manifest = f"m{next(hour)}"
        desk.said(VM1, Plays(counts=tuple(counted(item=n, manifest=manifest) for n in range(16))))
        desk.said(VM1, Plays(counts=(counted(9),)))
        raise StoreError("away")

    desk.said(VM1, Plays(counts=(counted(2),)))
    monkeypatch.setattr(screens, "heard", away)
    for _ in range(3):
        with pytest.raises(StoreError):
            await desk.once()
    plays = desk._news[VM1].plays.values()
    assert [(9, "m", 0), (1, "m0", 0), (1, "m0", 1)] == [
        (one.times, one.manifest, one.item) for one in plays
    ]


async def test_who_was_away_for_a_week_tells_all_of_it(db: Database) -> None:
    """Sixteen counts a minute, as machines may: none is left out, for hours."""
    await some_machines(db, "VM-1")
    clock, front = Clock(), Front()
    desk, screens = a_desk(db, clock)
    desk.opened(front, "")
    await desk.once()
    manifest = front.told[0].manifest_sha256
    left = [
        PlayCounted(manifest=manifest, item=item, day=20241004 + d, hour=hour, times=9, shown_ms=72)
        for d in range(2)
        for hour in range(24)
        for item in range(64)
    ]
    while left:
        some, left = left[:16], left[16:]
        desk.said(VM1, Plays(counts=tuple(some)))
        await desk.once()
        clock.at_ms += 60_000
    plays = await screens.plays("VM-1", after=(0, 0, "", -1), limit=9_999)
    assert 2 * 24 * 64 == len(plays)


async def test_a_count_that_cannot_be_is_left_out(db: Database) -> None:
    """Of a day that is not there for a year, which would be kept until then, and its manifest too;
    and of more than an hour has: whoever accounts for advertising by it would be paid for it.
    """
    await some_machines(db, "VM-1")
    front = Front()
    desk, screens = a_desk(db)
    desk.opened(front, "")
    await desk.once()
    honest = counted(manifest=front.told[0].manifest_sha256)
    in_a_year = replace(honest, day=20251004, hour=4)
    with capture_logs() as logs:
        for one in (
            honest,
            in_a_year,
            replace(honest, day=20251007),
            replace(honest, day=21991231),
            replace(honest, shown_ms=module.SHOWN_MAX_MS + 1),
            replace(honest, times=2**32 - 1),
        ):
            desk.said(VM1, Plays(counts=(one,)))
    await desk.once()
    plays = await screens.plays("VM-1", after=(0, 0, "", -1), limit=9)
    assert [(20241004, 1, 8), (20251004, 1, 8)] == [(p.day, p.times, p.shown_ms) for p in plays]
    assert ["of what cannot be"] == [one["why"] for one in logs if "why" in one]


@pytest.mark.parametrize("keeping", [Keeping(NOON_MS), Keeping(BEHIND_MS, sure=False)])
async def test_a_gateway_whose_clock_is_far_behind_counts_what_is_shown(
    db: Database, keeping: Keeping
) -> None:
    """Machines do not tell it again. As long as nobody is sure what time it is every day can be."""
    await some_machines(db, "VM-1")
    front = Front()
    desk, screens = a_desk(db, Clock(BEHIND_MS), keeping)
    desk.opened(front, "")
    await desk.once()
    desk.said(VM1, Plays(counts=(counted(manifest=front.told[0].manifest_sha256),)))
    await desk.once()
    assert 1 == len(await screens.plays("VM-1", after=(0, 0, "", -1), limit=9))


@pytest.mark.parametrize("off_ms", [500 * DAY_MS, -500 * DAY_MS])
async def test_a_gateway_whose_clock_is_wrong_lets_machines_show_what_is_planned(
    db: Database, off_ms: int
) -> None:
    """By its own clock the plan had ended, and what machines show was of no use for a year."""
    await some_machines(db, "VM-1")
    await shown_by_all(db)
    (wrong, screens), (right, _) = a_desk(db, Clock(NOON_MS + off_ms), Keeping(NOON_MS)), a_desk(db)
    fronts = Front(), Front()
    for desk, front in zip((wrong, right, wrong), (*fronts, fronts[0]), strict=True):
        desk.opened(front, "")
        await desk.once()
    shown = {one.manifest_sha256 for front in fronts for one in front.told}
    assert 1 == len(shown)
    view = await screens.get("VM-1")
    assert (shown, NOON_MS, NOON_MS) == ({view.wanted}, view.wanted_at_ms, view.heard_at_ms)


async def test_a_flood_of_counts_has_an_end(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one machine, in what waits and in an hour; the others go on. It is said once an hour."""
    await some_machines(db, "VM-1")
    clock, said = Clock(), []
    desk, _ = a_desk(db, clock)
    monkeypatch.setattr(module.log, "warning", lambda text, **more: said.append((text, more)))
    monkeypatch.setattr(module, "PLAYS_WAIT_MAX", 3)
    monkeypatch.setattr(module, "PLAYS_PER_HOUR_MAX", 4)
    desk.said(VM1, Plays(counts=tuple(counted(item=item) for item in range(16))))
    assert 3 == len(desk._news[VM1].plays)
    await desk.once()
    desk.said(VM1, Plays(counts=tuple(counted(item=item) for item in range(16))))
    assert 1 == len(desk._news[VM1].plays)
    desk.said(VM1, Plays(counts=(counted(9, item=0),)))
    assert 9 == next(iter(desk._news[VM1].plays.values())).times
    told = ("counts of plays are left out", {"why": "more than fit", "machine_id": VM1})
    assert [told] == said
    clock.at_ms += 3_600_000
    desk.said(VM1, Plays(counts=tuple(counted(item=item) for item in range(16))))
    assert [told, told] == said


async def test_the_task_goes_on_whatever_fails(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is away, and a defect."""
    desk, _ = a_desk(db)
    monkeypatch.setattr(module, "ROUND_EVERY_S", 0.001)
    rounds: list[int] = []

    async def fails() -> None:
        rounds.append(1)
        raise StoreError("away") if len(rounds) == 1 else ValueError("defect")

    monkeypatch.setattr(desk, "once", fails)
    task = asyncio.create_task(desk.run())
    await until(lambda: len(rounds) > 2)
    task.cancel()
    await asyncio.wait([task])
