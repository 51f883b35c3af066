"""What is kept of screens goes after its days; files only where they are."""

import os
from hashlib import sha256
from pathlib import Path

from gateway.process.sections import Screens as Section
from gateway.screens.folder import AssetFolder
from gateway.screens.keeping import sweeps
from gateway.screens.unnamed import UnnamedFiles
from storage.database.engine import Database
from storage.machines.rows import DAY_MS
from storage.office.assets import Assets
from storage.office.screens import Play, Screens, ScreenTold
from tests.storage.office.places import NOON_MS, some_machines
from tests.storage.office.showing import A, some_assets

M1 = "1" * 64


class _Later:
    """So many days after noon."""

    def __init__(self, days: int) -> None:
        self._days = days

    async def now_ms(self) -> int | None:
        return NOON_MS + self._days * DAY_MS


async def test_each_goes_after_its_days(db: Database, tmp_path: Path) -> None:
    """Plays, then the manifest that they named and nobody shows, then the pictures in it, and what
    is in the folder without a row.
    """
    await some_machines(db, "VM-1")
    await some_assets(db, "a", "b")
    screens, folder = Screens(db), AssetFolder(tmp_path / "assets")
    files = UnnamedFiles(folder, Assets(db))
    pictures = [folder.find(sha256(b).hexdigest()) for b in (b"a", b"b", b"c") if folder.put(b)]
    for one in filter(None, pictures):
        os.utime(one, (NOON_MS // 1_000, NOON_MS // 1_000))
    await screens.heard([ScreenTold(machine_id="VM-1", heard_at_ms=NOON_MS)], [])
    await screens.want({}, {M1: ("one", [A])}, NOON_MS)
    said = {"machine_id": "VM-1", "day": 20_241_004, "hour": 3, "manifest": M1, "item": 0}
    await screens.heard([], [Play(**said, times=1, shown_ms=8)])  # type: ignore[arg-type]
    gone = {}
    for days in (99, 103):
        made = sweeps(db, _Later(days), Section(plays_days=100), files)
        gone[days] = {name: await sweep.once() for name, sweep in made.items()}
    assert {"play-sweep": 0, "manifest-sweep": 0, "asset-sweep": 0, "file-sweep": 0} == gone[99]
    assert {"play-sweep": 1, "manifest-sweep": 1, "asset-sweep": 2, "file-sweep": 1} == gone[103]
    assert [] == folder.written_before(NOON_MS * 9)


async def test_files_of_others_are_left_alone(db: Database) -> None:
    """A gateway that gives none to machines may know another folder."""
    assert {"play-sweep", "manifest-sweep"} == sweeps(db, _Later(0), Section(), None).keys()
