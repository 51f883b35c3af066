"""What a machine's screen has on its disk: files by their hashes, the manifest that is shown, and
what was counted.

Flows in: files that were fetched, counts, recalls. Flows out: the same after the next power-up. A
file counts once its hash was found in what is on the disk; the manifest is switched by one rename,
once all its files are there; a count is on the disk before the page hears that it was taken, and in
the same file that it was told: told again after a kill, it is not counted again.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from gateway.simulator import manifest as manifests
from gateway.simulator.manifest import Manifest, NotRead
from gateway.simulator.shows import PageTold

COUNTS_MAX = 8 * 24 * manifests.ITEMS_MAX
"""Rows that are kept: those of a week without the net, and a day more, if every hour has all that
a manifest may hold. The oldest that were told go first.
"""
TOLD_DAYS = 2
"""Of so many days what was told is kept, because a stream may turn out to have been dead."""
PAGES_MAX = 8
"""Of so many pages it is kept what they told last; a machine has one, and those before it."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
Key = tuple[str, int, int, int]
"""Manifest, item, day as yyyymmdd, hour."""
_DAY: Final = 2
_ALL_DAYS = "plays.json"
"""Where an older version of this program kept the counts of all days."""


class ScreenDisk:
    """One machine's. ``counts``: how often and for how many milliseconds each was shown, as totals
    within its hour.
    """

    def __init__(self, folder: Path) -> None:
        """Read what is there. What is damaged counts as not there."""
        self._folder = folder
        self._files = folder / "files"
        self._files.mkdir(parents=True, exist_ok=True)
        self.shown: Manifest | None = None
        state = self._read("shown.json")
        self.recalled: frozenset[str] = frozenset(map(str, state.get("recalled", ())))
        self._recalled_kept = self.recalled
        """Those of them that stand on the disk."""
        name = str(state.get("manifest", ""))
        content = self.content(name)
        if content is not None:
            try:
                shown = manifests.read(content, name)
            except NotRead:
                shown = None
            if shown is not None and not list(self.missing(shown)):
                self.shown = shown
        self.counts: dict[Key, tuple[int, int]] = {}
        self.untold: set[Key] = set()
        self._pages: dict[str, int] = {}
        """The last that each page told, the page that was heard last behind the others."""
        # The older version's first: what was counted since stands in the files of days.
        for name in (_ALL_DAYS, *sorted(place.name for place in folder.glob("plays-*.json"))):
            self._read_counts(name)
        if (folder / _ALL_DAYS).exists():
            with contextlib.suppress(OSError):  # It stays until there is room, at a later power-up.
                self._keep_counts(self.counts)
                (folder / _ALL_DAYS).unlink()

    # --- files ---

    def place(self, sha256: str) -> Path | None:
        """Return where a file with this hash is; None if it is not there."""
        if not _SHA256.fullmatch(sha256):
            return None
        place = self._files / sha256
        return place if place.is_file() else None

    def content(self, sha256: str) -> bytes | None:
        """Return a file whose hash was found in what is on the disk; one that is damaged is thrown
        away, and is not there.
        """
        place = self.place(sha256)
        if place is None:
            return None
        content = place.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            place.unlink(missing_ok=True)
            return None
        return content

    def missing(self, of: Manifest) -> Iterable[manifests.Item]:
        """Yield the items whose files are not on the disk, sound: each is read and hashed. What was
        recalled is wanted by nobody.
        """
        looked: dict[str, bool] = {}
        for one in of.items:
            if one.sha256 not in looked and one.sha256 not in self.recalled:
                looked[one.sha256] = self.content(one.sha256) is not None
                if not looked[one.sha256]:
                    yield one

    def put(self, sha256: str, content: bytes) -> bool:
        """Keep a file. False if what is on the disk then has another hash: it is thrown away.
        Raises OSError.
        """
        self._replace(self._files / sha256, content)
        return self.content(sha256) is not None

    def show(self, manifest: Manifest, content: bytes) -> None:
        """Show this manifest from now on, also after a power cut; its files are there. Raises
        OSError.
        """
        self._replace(self._files / manifest.sha256, content)
        self._keep_shown(manifest.sha256, self.recalled)
        self.shown = manifest
        self.make_room()

    def make_room(self, *wanted: Manifest) -> None:
        """Throw away what neither these manifests nor the one that is shown have: also what was
        fetched for one that was never shown, and what was being written when somebody died.
        Raises OSError.
        """
        kept: set[str] = set()
        for one in (*wanted, *([self.shown] if self.shown else ())):
            kept |= {one.sha256, *(item.sha256 for item in one.items)}
        for place in self._files.iterdir():
            if place.name not in kept:
                place.unlink(missing_ok=True)

    def recall(self, recalled: Iterable[str]) -> None:
        """Let these files be shown no more, also after a power cut. Raises OSError if that cannot
        be written down: they are shown no more all the same, and the next recall tries again.
        """
        self.recalled |= frozenset(recalled)
        if self.recalled != self._recalled_kept:
            self._keep_shown(self.shown.sha256 if self.shown else "", self.recalled)

    # --- counts ---

    def has(self, told: PageTold | None) -> bool:
        """Return whether this was counted already."""
        return told is not None and told.number <= self._pages.get(told.page, 0)

    def count(self, plays: Mapping[Key, tuple[int, int]], told: PageTold | None = None) -> int:
        """Add what was shown on one day; it is on the disk when this returns, and that it was told.
        Return how many rows had to go that nobody was told of. Raises OSError: then nothing was
        counted.
        """
        before = dict(self.counts), set(self.untold), dict(self._pages)
        try:
            return self._counted(plays, told)
        except OSError:
            self.counts, self.untold, self._pages = before
            raise

    def _counted(self, plays: Mapping[Key, tuple[int, int]], told: PageTold | None) -> int:
        for key, (times, shown_ms) in plays.items():
            before = self.counts.get(key, (0, 0))
            self.counts[key] = (before[0] + times, before[1] + shown_ms)
            self.untold.add(key)
        gone, lost = self._without_room(max((key[_DAY] for key in plays), default=0)), 0
        for key in gone:
            del self.counts[key]
            lost += key in self.untold
            self.untold.discard(key)
        # What goes first. The day on which something is counted is written last, and in one step
        # with who told it: a kill before that counts nothing, one behind it has counted all.
        days = {key[_DAY] for key in plays}
        self._keep_counts(key for key in gone if key[_DAY] not in days)
        if told is not None:
            self._heard(told.page, told.number)
        self._keep_counts(plays)
        return lost

    def _without_room(self, today: int) -> list[Key]:
        known = sorted({key[_DAY] for key in self.counts})
        # A clock may have been ahead: days after today do not take its place, nor it theirs.
        days = {*known[-TOLD_DAYS:], *[day for day in known if day <= today][-TOLD_DAYS:]}
        told = [key for key in self.counts if key not in self.untold]
        over = [key for key in told if key[_DAY] not in days]
        recent = [key for key in told if key[_DAY] in days]
        too_many = max(0, len(self.counts) - len(over) - COUNTS_MAX)
        untold = (key for key in self.counts if key in self.untold)
        return [*over, *islice(chain(recent, untold), too_many)]

    def told(self, totals: Mapping[Key, tuple[int, int]]) -> None:
        """These totals were told; what was counted since is told again. Raises OSError: then all
        of them are told again after a power cut, which does no harm.
        """
        self.untold -= {key for key, total in totals.items() if self.counts.get(key) == total}
        self._keep_counts(totals)

    def not_told(self, keys: Iterable[Key]) -> None:
        """Nobody may have heard these: tell them again."""
        self.untold |= {key for key in keys if key in self.counts}

    # --- inside ---

    def _heard(self, page: str, number: int) -> None:
        last = max(number, self._pages.pop(page, 0))
        self._pages[page] = last
        for old in list(self._pages)[:-PAGES_MAX]:
            del self._pages[old]

    def _keep_shown(self, manifest: str, recalled: frozenset[str]) -> None:
        said = {"manifest": manifest, "recalled": sorted(recalled)}
        self._replace(self._folder / "shown.json", json.dumps(said).encode())
        self._recalled_kept = recalled

    def _keep_counts(self, changed: Iterable[Key]) -> None:
        """Write those days down on which something changed: not a whole week every few seconds."""
        for day in {key[_DAY] for key in changed}:
            place = self._folder / f"plays-{day}.json"
            rows = [
                [*key, *total, key not in self.untold]
                for key, total in self.counts.items()
                if key[_DAY] == day
            ]
            if rows:
                said = {"counts": rows, "pages": list(self._pages.items())}
                self._replace(place, json.dumps(said).encode())
            else:
                place.unlink(missing_ok=True)

    def _read_counts(self, name: str) -> None:
        said = self._read(name)
        for page, number in said.get("pages", ()):
            self._heard(str(page), int(number))
        for row in said.get("counts", ()):
            *key, times, shown_ms, told = row
            where = (str(key[0]), int(key[1]), int(key[_DAY]), int(key[3]))
            self.counts[where] = (int(times), int(shown_ms))
            if not told:
                self.untold.add(where)

    def _read(self, name: str) -> dict[str, Any]:
        try:
            said = json.loads((self._folder / name).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def _replace(self, place: Path, content: bytes) -> None:
        fresh = place.with_name(f"{place.name}.new")
        with fresh.open("wb") as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                fresh.unlink(missing_ok=True)  # What sells needs the room more than half a file.
                raise
        fresh.replace(place)
