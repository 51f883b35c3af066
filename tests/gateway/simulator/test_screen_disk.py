"""What is on the disk counts once its hash was found there, and outlives a power cut."""

import hashlib
import json
import resource
from pathlib import Path

import pytest

from gateway.simulator import screen_disk
from gateway.simulator.manifest import Manifest, read
from gateway.simulator.screen_disk import PAGES_MAX, ScreenDisk
from gateway.simulator.shows import PageTold
from tests.gateway.simulator.showing import A, a_manifest, sha256_of


def with_files(folder: Path) -> tuple[ScreenDisk, Manifest]:
    """A disk that shows one file."""
    disk = ScreenDisk(folder)
    name, content = a_manifest("a")
    assert disk.put(A, b"a")
    manifest = read(content, name)
    disk.show(manifest, content)
    return disk, manifest


def test_what_is_shown_is_shown_after_a_power_cut(tmp_path: Path) -> None:
    """With its recalls and its counts."""
    disk, manifest = with_files(tmp_path)
    disk.recall(["b" * 64])
    disk.count({(manifest.sha256, 0, 20261129, 3): (2, 16_000)})
    disk.count({(manifest.sha256, 0, 20261129, 3): (1, 8_000)})
    again = ScreenDisk(tmp_path)
    assert manifest == again.shown
    assert {"b" * 64} == again.recalled
    assert {(manifest.sha256, 0, 20261129, 3): (3, 24_000)} == again.counts
    assert again.untold == set(again.counts)


def test_what_was_recalled_before_it_was_fetched_is_not_missed(tmp_path: Path) -> None:
    """The rest of its manifest is shown after a power cut too."""
    disk, _ = with_files(tmp_path)
    name, content = a_manifest("a", "b")
    both = read(content, name)
    assert [1] == [one.place for one in disk.missing(both)]
    disk.recall([sha256_of("b")])
    assert [] == list(disk.missing(both))
    disk.show(both, content)
    assert both == ScreenDisk(tmp_path).shown


def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    """In a file, in the manifest, and while a file is written: it is thrown away."""
    disk, manifest = with_files(tmp_path)
    place = disk.place(A)
    assert place is not None
    place.write_bytes(b"b")
    assert [0] == [one.place for one in disk.missing(manifest)]
    assert disk.place(A) is None
    assert ScreenDisk(tmp_path).shown is None
    assert not disk.put(A, b"other")
    assert disk.place(A) is None
    assert disk.place("../shown.json") is None


def test_the_switch_is_one_step_and_leaves_no_old_files(tmp_path: Path) -> None:
    """What only the manifest before had is gone."""
    disk, manifest = with_files(tmp_path)
    name, content = a_manifest("b")
    disk.put(sha256_of("b"), b"b")
    disk.show(read(content, name), content)
    assert disk.place(A) is None
    assert disk.place(manifest.sha256) is None
    assert {name, sha256_of("b")} == {one.name for one in (tmp_path / "files").iterdir()}


def test_what_was_fetched_for_nothing_is_thrown_away(tmp_path: Path) -> None:
    """Before more is fetched, and once something else is shown: the files of a manifest that was
    never shown, and what was being written when somebody died.
    """
    disk, manifest = with_files(tmp_path)
    for content in (b"b", b"c"):
        assert disk.put(hashlib.sha256(content).hexdigest(), content)
    half = tmp_path / "files" / f"{sha256_of('d')}.new"
    half.write_bytes(b"half of")
    name, content = a_manifest("b")
    wanted = read(content, name)
    disk.make_room(wanted)
    (tmp_path / "files" / manifest.sha256).stat()
    assert ([True, True], [False, False]) == (
        [disk.place(one) is not None for one in (A, sha256_of("b"))],
        [disk.place(sha256_of("c")) is not None, half.exists()],
    )
    half.write_bytes(b"half of")
    disk.show(wanted, content)
    assert {name, sha256_of("b")} == {one.name for one in (tmp_path / "files").iterdir()}


def test_what_has_no_room_takes_none(tmp_path: Path) -> None:
    """A file that cannot be written whole leaves nothing."""
    disk, _ = with_files(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            disk.put(sha256_of("b"), b"b" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [] == list((tmp_path / "files").glob("*.new"))


def test_a_recall_that_cannot_be_written_down_is_obeyed(tmp_path: Path) -> None:
    """At once, and after a power cut too once the disk takes it again."""
    disk, _ = with_files(tmp_path)
    in_the_way = tmp_path / "shown.json.new"
    in_the_way.mkdir()
    with pytest.raises(OSError, match=in_the_way.name):
        disk.recall([A])
    assert {A} == disk.recalled
    in_the_way.rmdir()
    disk.recall([A])
    assert {A} == ScreenDisk(tmp_path).recalled


def test_a_count_that_cannot_be_written_down_is_none(tmp_path: Path) -> None:
    """Whoever tells it again has it counted once."""
    disk, manifest = with_files(tmp_path)
    key, old = ((manifest.sha256, 0, day, 3) for day in (20261130, 20261101))
    disk.count({old: (1, 1)})
    in_the_way = tmp_path / "plays-20261130.json.new"
    in_the_way.mkdir()
    for _ in range(2):
        with pytest.raises(OSError, match=in_the_way.name):
            disk.count({key: (2, 16_000)})
        assert ({old: (1, 1)}, {old}) == (disk.counts, disk.untold)
    in_the_way.rmdir()
    disk.count({key: (2, 16_000)})
    assert {old: (1, 1), key: (2, 16_000)} == disk.counts == ScreenDisk(tmp_path).counts


def test_a_count_is_told_once_it_stays_the_same(tmp_path: Path) -> None:
    """What was counted meanwhile is told again, and so is what nobody may have heard."""
    disk, manifest = with_files(tmp_path)
    key = (manifest.sha256, 0, 20261129, 3)
    disk.count({key: (1, 8)})
    totals = dict(disk.counts)
    disk.count({key: (1, 8)})
    disk.told(totals)
    assert {key} == disk.untold
    disk.told(dict(disk.counts))
    assert set() == disk.untold == ScreenDisk(tmp_path).untold
    disk.not_told([key, ("x", 0, 0, 0)])
    assert {key} == disk.untold


def test_counts_have_an_end(tmp_path: Path) -> None:
    """What was told goes first."""
    disk, manifest = with_files(tmp_path)
    most = screen_disk.COUNTS_MAX
    first, second = ((manifest.sha256, 0, 20261129, hour) for hour in (0, 1))
    disk.count({first: (1, 1), second: (1, 1)})
    disk.told({second: (1, 1)})
    disk.count({(manifest.sha256, item, 20261130, 0): (1, 1) for item in range(most - 1)})
    assert most == len(disk.counts)
    assert first in disk.counts
    assert second not in disk.counts
    assert 2 == disk.count({(manifest.sha256, item, 20261201, 0): (1, 1) for item in range(2)})
    assert first not in disk.counts
    assert disk.counts == ScreenDisk(tmp_path).counts


def test_what_was_told_is_kept_for_two_days(tmp_path: Path) -> None:
    """Not longer, or the flash would be written full of it every few seconds."""
    disk, manifest = with_files(tmp_path)
    keys = [(manifest.sha256, 0, day, 0) for day in (20261129, 20261130, 20261201)]
    for key in keys:
        assert 0 == disk.count({key: (1, 1)})
        disk.told(dict(disk.counts))
    assert keys[1:] == list(disk.counts) == list(ScreenDisk(tmp_path).counts)
    assert {"plays-20261130.json", "plays-20261201.json"} == {
        one.name for one in tmp_path.glob("plays*")
    }


def test_a_clock_that_was_ahead_takes_nothing_from_today(tmp_path: Path) -> None:
    """What was told of today stays, and grows, whatever days somebody had said that it is."""
    disk, manifest = with_files(tmp_path)
    today = [(manifest.sha256, item, 20261130, 3) for item in range(2)]
    for day in (20270301, 20270302, 20270303):
        disk.count({(manifest.sha256, 0, day, 3): (1, 1)})
        disk.told(dict(disk.counts))
    for times in (1, 2, 3):
        for one in today:
            disk.count({one: (1, 8_000)})
            disk.told(dict(disk.counts))
            assert (times, times * 8_000) == disk.counts[one]
    disk.count({(manifest.sha256, 0, 20270303, 3): (1, 1)})
    assert (2, 2) == disk.counts[manifest.sha256, 0, 20270303, 3]


def test_a_kill_between_two_files_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes is written first, and knows nothing yet of what was told; the last file has the
    counts and who told them.
    """
    disk, manifest = with_files(tmp_path)
    for day in (20261101, 20261102, 20261103):
        disk.count({(manifest.sha256, 0, day, 3): (1, 1)})
    disk.told(dict(disk.counts))
    key = (manifest.sha256, 0, 20261104, 3)
    replace, died = ScreenDisk._replace, []

    def dies(self: ScreenDisk, place: Path, content: bytes) -> None:
        if place.name == "plays-20261104.json":
            died.append(place)
            raise KeyboardInterrupt
        replace(self, place, content)

    with monkeypatch.context() as patch:
        patch.setattr(ScreenDisk, "_replace", dies)
        with pytest.raises(KeyboardInterrupt):
            disk.count({key: (1, 8)}, PageTold("p", 1))
    assert died
    again = ScreenDisk(tmp_path)
    assert (False, False) == (again.has(PageTold("p", 1)), key in again.counts)
    again.count({key: (1, 8)}, PageTold("p", 1))
    last = ScreenDisk(tmp_path)
    assert (True, (1, 8)) == (last.has(PageTold("p", 1)), last.counts[key])
    assert not last.has(PageTold("p", 2))
    assert not last.has(None)


def test_so_many_pages_are_known(tmp_path: Path) -> None:
    """Those that were heard last: each start of a browser is another one."""
    disk, manifest = with_files(tmp_path)
    key = (manifest.sha256, 0, 20261104, 3)
    pages = [PageTold(f"p{number}", 1) for number in range(PAGES_MAX + 1)]
    for one in pages:
        disk.count({key: (1, 8)}, one)
    known = [one for one in pages if ScreenDisk(tmp_path).has(one)]
    assert pages[1:] == known


def test_counts_of_an_older_version_are_read(tmp_path: Path) -> None:
    """From the one file in which it kept them."""
    rows = [
        ["m" * 64, 0, 20261129, 3, 2, 16_000, True],
        ["m" * 64, 1, 20261130, 4, 1, 8_000, False],
    ]
    (tmp_path / "plays.json").write_text(json.dumps({"counts": rows}))
    for _ in range(2):
        disk = ScreenDisk(tmp_path)
        expected = {("m" * 64, 0, 20261129, 3): (2, 16_000), ("m" * 64, 1, 20261130, 4): (1, 8_000)}
        assert expected == disk.counts
        assert {("m" * 64, 1, 20261130, 4)} == disk.untold
        assert not (tmp_path / "plays.json").exists()


def test_counts_of_an_older_version_wait_for_room(tmp_path: Path) -> None:
    """A machine starts on a full disk too, and what it counts then stands before what was."""
    one, other = (("m" * 64, 0, day, 3) for day in (20261129, 20261130))
    rows = [[*one, 2, 16_000, False], [*other, 1, 8_000, False]]
    (tmp_path / "plays.json").write_text(json.dumps({"counts": rows}))
    in_the_way = tmp_path / "plays-20261129.json.new"
    in_the_way.mkdir()
    for times in (2, 3):
        disk = ScreenDisk(tmp_path)
        disk.count({other: (1, 8_000)})
        assert {one: (2, 16_000), other: (times, times * 8_000)} == disk.counts
        assert (tmp_path / "plays.json").exists()
    in_the_way.rmdir()
    counted = {one: (2, 16_000), other: (3, 24_000)}
    assert counted == ScreenDisk(tmp_path).counts == ScreenDisk(tmp_path).counts
    assert not (tmp_path / "plays.json").exists()


def test_files_that_are_no_json_are_as_none(tmp_path: Path) -> None:
    """A new disk begins with nothing."""
    (tmp_path / "shown.json").write_text("x")
    (tmp_path / "plays.json").write_text(json.dumps([]))
    disk = ScreenDisk(tmp_path)
    assert (None, {}) == (disk.shown, disk.counts)
    assert hashlib.sha256(b"a").hexdigest() == A
