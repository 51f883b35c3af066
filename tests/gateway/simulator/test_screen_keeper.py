"""A machine says that it shows something once it does, and otherwise why not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.simulator.screen_disk import ScreenDisk
from gateway.simulator.screen_keeper import ScreenKeeper
from gateway.simulator.shows import NotCounted, PageTold
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from storage.machines.rows import DAY_MS
from tests.gateway.simulator.showing import END_MS, A, Shelf, sha256_of

SERVER_MS = 1_795_996_800_000
"""2026-11-30, in the first second of the day in Greenwich."""


class Stand:
    """A keeper, and the gateway's end of its stream."""

    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf()
        self.now_ms = 5_000
        self.said: list[service_pb.ConnectRequest] = []
        self.online = True
        self.keeper = ScreenKeeper(
            folder, fetch=self.shelf.fetch, now_ms=lambda: self.now_ms, say=self._say
        )

    def _say(self, frame: service_pb.ConnectRequest) -> bool:
        if self.online:
            self.said.append(frame)
        return self.online

    def welcome(self, *recalled: str) -> None:
        told = [pb.RecalledAsset(sha256=one) for one in recalled]
        welcome = pb.Welcome(server_time_ms=SERVER_MS, recalled=told)
        self.keeper.received(service_pb.ConnectResponse(welcome=welcome))

    def update(self, manifest: str, *recalled: str) -> None:
        told = [pb.RecalledAsset(sha256=one) for one in recalled]
        update = pb.ScreenUpdate(
            manifest_sha256=manifest, url="http://gw/assets/", token="token", recalled=told
        )
        self.keeper.received(service_pb.ConnectResponse(screen_update=update))

    async def heard(self, kind: str) -> service_pb.ConnectRequest:
        """The next frame of this kind that the gateway hears."""
        for _ in range(5_000):
            for frame in self.said:
                if frame.HasField(kind):  # type: ignore[arg-type]
                    self.said.clear()
                    return frame
            await asyncio.sleep(0.1)
        raise AssertionError(f"no {kind}")

    def items(self) -> list[str]:
        playlist = self.keeper.playlist()
        return [one["sha256"] for one in playlist["items"]] if playlist else []


@asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Stand]:
    stand = Stand(folder)
    task = asyncio.create_task(stand.keeper.run())
    try:
        yield stand
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.virtual_time
async def test_it_is_said_once_it_is_shown(tmp_path: Path) -> None:
    """Every file is on the disk by then; the same again fetches nothing."""
    async with standing(tmp_path) as stand:
        stand.welcome()
        assert [] == stand.items()
        name = stand.shelf.lay("a", "b")
        stand.update(name)
        frame = await stand.heard("screen_applied")
        assert (0, name) == (frame.seq, frame.screen_applied.manifest_sha256)
        assert name == stand.keeper.manifest
        assert [A, sha256_of("b")] == stand.items()
        found = stand.keeper.file(A)
        assert found is not None
        assert (b"a", "image/png") == (found[0].read_bytes(), found[1])
        asked = len(stand.shelf.asked)
        stand.update(name)
        await stand.heard("screen_applied")
        assert asked == len(stand.shelf.asked)


@pytest.mark.virtual_time
async def test_a_damaged_file_is_never_acknowledged(tmp_path: Path) -> None:
    """It is fetched again until it is sound; the manifest before stays up meanwhile."""
    async with standing(tmp_path) as stand:
        stand.welcome()
        stand.update(stand.shelf.lay("a"))
        await stand.heard("screen_applied")
        name = stand.shelf.lay("b")
        stand.shelf.files[sha256_of("b")] = b"c"
        stand.update(name)
        for _ in range(3):
            frame = await stand.heard("screen_rejected")
            assert pb.SCREEN_REJECTED_REASON_DAMAGED == frame.screen_rejected.reason
        assert [A] == stand.items()
        stand.shelf.files[sha256_of("b")] = b"b"
        assert name == (await stand.heard("screen_applied")).screen_applied.manifest_sha256
        assert [sha256_of("b")] == stand.items()


@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), pb.SCREEN_REJECTED_REASON_NO_ROOM),
        (OSError("answers 503"), pb.SCREEN_REJECTED_REASON_NOT_FETCHED),
    ],
)
async def test_what_fails_is_said_and_tried_again(
    tmp_path: Path, error: Exception, reason: int
) -> None:
    """By itself, once the reason is over."""
    async with standing(tmp_path) as stand:
        stand.welcome()
        stand.shelf.fails = error
        stand.update(stand.shelf.lay("a"))
        assert reason == (await stand.heard("screen_rejected")).screen_rejected.reason
        stand.shelf.fails = None
        await stand.heard("screen_applied")


@pytest.mark.virtual_time
async def test_what_cannot_be_shown_is_not_tried_again(tmp_path: Path) -> None:
    """Until something else is wanted."""
    async with standing(tmp_path) as stand:
        stand.welcome()
        stand.update(stand.shelf.lay("a", media_type="video/mp4"))
        frame = await stand.heard("screen_rejected")
        assert pb.SCREEN_REJECTED_REASON_MEDIA_TYPE == frame.screen_rejected.reason
        asked = len(stand.shelf.asked)
        await asyncio.sleep(1_000)
        assert (asked, []) == (len(stand.shelf.asked), stand.said)
        stand.update(stand.shelf.lay("a"))
        await stand.heard("screen_applied")


@pytest.mark.virtual_time
async def test_a_recall_is_obeyed_at_once_and_after_a_power_cut(tmp_path: Path) -> None:
    """Whatever the manifest says, whether it comes with Welcome or with an update."""
    async with standing(tmp_path) as stand:
        stand.welcome()
        name = stand.shelf.lay("a", "b")
        stand.update(name)
        await stand.heard("screen_applied")
        stand.welcome(A)
        assert [sha256_of("b")] == stand.items()
        assert stand.keeper.file(A) is None
        stand.update(name, sha256_of("b"))
        assert [] == stand.items()
    again = Stand(tmp_path)
    again.welcome()
    assert [] == again.items()


@pytest.mark.virtual_time
async def test_without_the_net_it_goes_on_and_ends_by_itself(tmp_path: Path) -> None:
    """For a day and more; what ends in between is gone then. After a power cut without the net
    nobody knows the time, and nothing is shown.
    """
    async with standing(tmp_path) as stand:
        stand.welcome()
        stand.update(stand.shelf.lay("a", not_after_ms=SERVER_MS + 3 * DAY_MS))
        await stand.heard("screen_applied")
        stand.online = False
        for _ in range(3):
            assert [A] == stand.items()
            stand.now_ms += DAY_MS
        assert [] == stand.items()
    assert [] == Stand(tmp_path).items()


@pytest.mark.virtual_time
async def test_counts_survive_an_outage_and_a_kill(tmp_path: Path) -> None:
    """They are totals within the hours of the machine's day; told again after a lost stream, and
    complete in the end.
    """
    async with standing(tmp_path) as stand:
        stand.welcome()
        name = stand.shelf.lay("a")
        stand.update(name)
        await stand.heard("screen_applied")
        play = {"manifest": name, "item": 0, "times": 2, "shown_ms": 16_000}
        assert stand.keeper.played([play], None)
        stand.online = False
        stand.keeper.tell()
        stand.now_ms += 3_600_000
        assert stand.keeper.played([play], None)
        assert stand.keeper.played([play], None)
    async with standing(tmp_path) as stand:
        stand.keeper.tell()
        assert [] == stand.said, "an older gateway does not know the frame"
        stand.welcome()
        stand.update(name)
        counts = (await stand.heard("play_counts")).play_counts.counts
        assert [(20261130, 0, 2, 16_000), (20261130, 1, 4, 32_000)] == [
            (one.day, one.hour, one.times, one.shown_ms) for one in counts
        ]
        stand.keeper.tell()
        assert [] == stand.said
        stand.welcome()
        stand.update(name)
        assert 2 == len((await stand.heard("play_counts")).play_counts.counts)


@pytest.mark.virtual_time
async def test_a_full_disk_stops_nobody(tmp_path: Path) -> None:
    """What was told and could not be noted was told; the next manifest is shown."""
    async with standing(tmp_path) as stand:
        stand.welcome()
        name = stand.shelf.lay("a")
        stand.update(name)
        await stand.heard("screen_applied")
        play = {"manifest": name, "item": 0, "times": 2, "shown_ms": 16_000}
        assert stand.keeper.played([play], None)
        (tmp_path / "plays-20261130.json.new").mkdir()
        await stand.heard("play_counts")
        await asyncio.sleep(300)
        assert [] == stand.said
        stand.update(stand.shelf.lay("b"))
        await stand.heard("screen_applied")
        assert [sha256_of("b")] == stand.items()


@pytest.mark.virtual_time
async def test_what_is_not_wanted_any_more_takes_no_room(tmp_path: Path) -> None:
    """A manifest of which half was fetched, and then another was wanted."""
    async with standing(tmp_path) as stand:
        stand.welcome()
        stand.update(stand.shelf.lay("a"))
        await stand.heard("screen_applied")
        half = stand.shelf.lay("b", "c")
        stand.shelf.files[sha256_of("c")] = b"d"
        stand.update(half)
        await stand.heard("screen_rejected")
        name = stand.shelf.lay("e")
        stand.update(name)
        await stand.heard("screen_applied")
        assert {name, sha256_of("e")} == {one.name for one in (tmp_path / "files").iterdir()}


HOUR_MS = 3_600_000
A_WEEK_OF_HOURS = 168


@pytest.mark.virtual_time
async def test_a_week_without_the_net_loses_nothing(tmp_path: Path) -> None:
    """In each hour all that has not ended is shown, and nothing else; once the net is back, after a
    kill, each hour of each item is told with its totals, as fast as machines may tell.
    """
    ends = {name: SERVER_MS + days * DAY_MS for name, days in (("two", 2), ("five", 5))}
    endless = [f"item {number}" for number in range(18)]
    expected: dict[tuple[int, int, int], tuple[int, int]] = {}
    async with standing(tmp_path) as stand:
        stand.welcome()
        name = stand.shelf.lay(
            *ends, *endless, each={of: {"not_after_ms": ends[of]} for of in ends}
        )
        stand.update(name)
        await stand.heard("screen_applied")
        stand.online = False
        for hour in range(A_WEEK_OF_HOURS):
            now_ms = SERVER_MS + hour * HOUR_MS
            shown = stand.keeper.playlist()
            assert shown is not None
            left = [of for of in (*ends, *endless) if now_ms < ends.get(of, END_MS)]
            assert [sha256_of(of) for of in left] == [one["sha256"] for one in shown["items"]]
            day = 20261130 if hour < 24 else 20261200 + hour // 24
            plays = []
            for one in shown["items"]:
                play = {"manifest": name, "item": one["item"], "times": 1 + hour, "shown_ms": 8_000}
                expected[one["item"], day, hour % 24] = (1 + hour, 8_000)
                plays.append(play)
            assert stand.keeper.played(plays, None)
            stand.keeper.tell()
            stand.now_ms += HOUR_MS
        assert [] == stand.said
    async with standing(tmp_path) as stand:
        stand.welcome()
        stand.update(name)
        told: dict[tuple[int, int, int], tuple[int, int]] = {}
        for _ in range(len(expected) // 16 + 2):
            stand.said.clear()
            await asyncio.sleep(60)
            frames = [one.play_counts for one in stand.said if one.HasField("play_counts")]
            assert len(frames) <= 1
            for count in (count for frame in frames for count in frame.counts):
                told[count.item, count.day, count.hour] = (count.times, count.shown_ms)
    assert expected == told


@pytest.mark.virtual_time
async def test_what_is_told_again_after_a_kill_is_counted_once(tmp_path: Path) -> None:
    """The page tells it again because nobody answered: the machine's program died when it was on
    the disk, or before; also if an hour, or a day, has ended since.
    """
    first, second = PageTold("p", 1), PageTold("p", 2)
    async with standing(tmp_path) as stand:
        stand.welcome()
        name = stand.shelf.lay("a")
        stand.update(name)
        await stand.heard("screen_applied")
        play = {"manifest": name, "item": 0, "times": 1, "shown_ms": 5_000}
        assert stand.keeper.played([play], first)
        in_the_way = tmp_path / "plays-20261130.json.new"
        in_the_way.mkdir()
        with pytest.raises(NotCounted):
            stand.keeper.played([play], second)
        in_the_way.rmdir()
    for day in (0, 1):
        async with standing(tmp_path) as stand:
            stand.now_ms += day * DAY_MS
            stand.welcome()
            assert stand.keeper.played([play], first)
            assert stand.keeper.played([play], second)
            assert stand.keeper.played([play], PageTold("another", 1))
    assert [(3, 15_000)] == list(ScreenDisk(tmp_path).counts.values())


async def test_a_count_that_cannot_be_is_not_counted(tmp_path: Path) -> None:
    """One of a time that nobody knows yet, or for which the disk has no room, is told again."""
    stand = Stand(tmp_path)
    play = {"manifest": "m" * 64, "item": 0, "times": 1, "shown_ms": 1}
    assert stand.keeper.played([], None)
    with pytest.raises(NotCounted):
        stand.keeper.played([play], None)
    name = stand.shelf.lay("a")
    stand.welcome()
    stand.update(name)
    update = stand.keeper._update
    assert update is not None
    assert await stand.keeper._obeyed(update)
    for wrong in ({"times": 0}, {"item": 64}, {"shown_ms": -1}, {"manifest": "m"}, {"times": "x"}):
        assert not stand.keeper.played([play | wrong], None)
    in_the_way = tmp_path / "plays-20261130.json.new"
    in_the_way.mkdir()
    with pytest.raises(NotCounted):
        stand.keeper.played([play], None)
    assert not stand.keeper.disk.counts
    in_the_way.rmdir()
    assert stand.keeper.played([play], None)
    assert [(1, 1)] == list(stand.keeper.disk.counts.values())
    assert SERVER_MS < END_MS
