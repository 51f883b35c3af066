"""Fetches what a machine's screen is to show, proves it, switches to it, and says so.

Flows in: Welcome (the backend's clock, recalls), ScreenUpdates, what the page showed. Flows out:
the playlist of the moment, and frames without a number: ScreenApplied once every file of a manifest
was hashed on the disk and the manifest was switched in one step, ScreenRejected with the reason
otherwise, and PlayCounts. Whatever fails here, the machine sells.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from gateway.simulator import manifest as manifests
from gateway.simulator.manifest import Manifest, NotRead
from gateway.simulator.screen_disk import Key, ScreenDisk
from gateway.simulator.shows import NotCounted, PageTold
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

log = structlog.get_logger()

AGAIN_AFTER_S = (5.0, 30.0, 300.0)
TELL_EVERY_S = 60.0
AT_ONCE = 16
DEAD_AFTER_MS = 300_000
"""Nobody writes to a stream that has been dead for longer."""
DETAIL_MAX = 100
TIMES_MAX = 1_000_000
SHOWN_MS_MAX = 8 * 86_400_000
"""What a page may hold that could tell nothing for a week."""

Fetch = Callable[[str, str, int], Awaitable[bytes]]
"""Returns the content of a URL, with a token, of so many bytes at most. Raises OSError."""


class ScreenKeeper:
    """One machine's. ``now_ms``: its monotonic clock; ``say`` sends a frame on the present stream,
    and returns whether there is one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        fetch: Fetch,
        now_ms: Callable[[], int],
        say: Callable[[service_pb.ConnectRequest], bool],
    ) -> None:
        self.disk = ScreenDisk(folder)
        self._fetch, self._now_ms, self._say = fetch, now_ms, say
        self._ahead_ms: int | None = None
        """By how much the backend's clock is ahead of ours; None: nobody told since power-up."""
        self._update: pb.ScreenUpdate | None = None
        self._news = asyncio.Event()
        self._may_say = False
        self._told: list[tuple[int, frozenset[Key]]] = []
        """What was told on streams that may have been dead already, and when."""
        self._log = log.bind(folder=str(folder))

    @property
    def manifest(self) -> str:
        """The manifest that is shown, for Hello."""
        return self.disk.shown.sha256 if self.disk.shown else ""

    # --- from the stream ---

    def received(self, frame: service_pb.ConnectResponse) -> None:
        """Take what is about the screen of a frame."""
        if frame.HasField("welcome"):
            self._may_say = False
            self.disk.not_told(key for _, keys in self._told for key in keys)
            self._told = []
            self._ahead_ms = frame.welcome.server_time_ms - self._now_ms()
            self._recall(frame.welcome.recalled)
        elif frame.HasField("screen_update"):
            self._may_say = True
            self._recall(frame.screen_update.recalled)
            self._update = frame.screen_update
            self._news.set()

    def _recall(self, recalled: Sequence[pb.RecalledAsset]) -> None:
        try:
            self.disk.recall(one.sha256 for one in recalled)
        except OSError as error:
            self._log.error("a recall cannot be written down", error=str(error))

    # --- for the page ---

    def playlist(self) -> dict[str, Any] | None:
        """Return what is shown now, and for how long each of it; None: nothing."""
        shown = self.disk.shown
        if shown is None or self._ahead_ms is None:
            return None
        now_ms = self._now_ms() + self._ahead_ms
        items = [
            {
                "item": one.place,
                "sha256": one.sha256,
                "duration_ms": one.duration_ms,
                "left_ms": one.not_after_ms - now_ms,
            }
            for one in shown.shown_at(now_ms, self.disk.recalled)
        ]
        return {"manifest": shown.sha256, "items": items} if items else None

    def file(self, sha256: str) -> tuple[Path, str] | None:
        """Return the file with this hash and its media type; None if it is not to be shown."""
        shown = self.disk.shown
        if shown is None or sha256 in self.disk.recalled:
            return None
        for one in shown.items:
            place = self.disk.place(sha256) if one.sha256 == sha256 else None
            if place is not None:
                return place, one.media_type
        return None

    def played(self, plays: Sequence[Any], told: PageTold | None) -> bool:
        """Count what was shown, in the present hour of the machine's day, unless it was counted
        already. False if it cannot be read; then nothing is counted. Raises NotCounted: nobody has
        told the time, or the disk takes nothing.
        """
        counted: dict[tuple[str, int], tuple[int, int]] = {}
        for one in plays:
            match one:
                case {
                    "manifest": str(manifest),
                    "item": int(item),
                    "times": int(times),
                    "shown_ms": int(shown_ms),
                } if (
                    len(manifest) == 64
                    and 0 <= item < manifests.ITEMS_MAX
                    and 0 < times <= TIMES_MAX
                    and 0 <= shown_ms <= SHOWN_MS_MAX
                ):
                    counted[manifest, item] = (times, shown_ms)
                case _:
                    return False
        if counted and not self.disk.has(told):
            self._count(counted, told)
        return True

    def _count(
        self, counted: Mapping[tuple[str, int], tuple[int, int]], told: PageTold | None
    ) -> None:
        shown = self.disk.shown
        if shown is None or self._ahead_ms is None:
            raise NotCounted
        local = shown.local(self._now_ms() + self._ahead_ms)
        day, hour = local.year * 10_000 + local.month * 100 + local.day, local.hour
        try:
            plays = {(*key, day, hour): total for key, total in counted.items()}
            lost = self.disk.count(plays, told)
        except OSError as error:
            self._log.error("a count cannot be written down", error=str(error))
            raise NotCounted from None
        if lost:
            self._log.warning("the oldest counts had to go, untold: too long offline", rows=lost)

    # --- the one task ---

    async def run(self) -> None:
        """Fetch what is wanted, and tell what was counted, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_fetching())
            group.create_task(self._keep_telling())

    async def _keep_fetching(self) -> None:
        failures = 0
        while True:
            await self._news.wait()
            self._news.clear()
            update = self._update
            if update is None or await self._obeyed(update):
                failures = 0
                continue
            wait_s = AGAIN_AFTER_S[min(failures, len(AGAIN_AFTER_S) - 1)]
            failures += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            self._news.set()

    async def _obeyed(self, update: pb.ScreenUpdate) -> bool:
        """Come to show what is wanted, and say so or why not. False: it is worth another try."""
        wanted = update.manifest_sha256
        try:
            shown = self.disk.shown
            if shown is None or shown.sha256 != wanted or list(self.disk.missing(shown)):
                manifest, content = await self._fetched(update)
                self.disk.show(manifest, content)
        except NotRead as error:
            self._reject(wanted, error.reason, error.detail)
            return error.reason in {"NOT_READ", "MEDIA_TYPE"}
        except OSError as error:
            full = error.errno in {28, 122}
            self._reject(wanted, "NO_ROOM" if full else "NOT_FETCHED", str(error))
            return False
        self._log.info("the screen shows a manifest", manifest=wanted)
        applied = pb.ScreenApplied(manifest_sha256=wanted)
        if self._may_say:
            self._say(service_pb.ConnectRequest(screen_applied=applied))
        return True

    async def _fetched(self, update: pb.ScreenUpdate) -> tuple[Manifest, bytes]:
        """Bring a manifest and all its files onto the disk. Raises NotRead, OSError."""
        content = await self._get(update, update.manifest_sha256, manifests.BYTES_MAX)
        manifest = manifests.read(content, update.manifest_sha256)
        self.disk.make_room(manifest)
        for one in list(self.disk.missing(manifest)):
            if one.sha256 in self.disk.recalled:
                continue  # While the files before it were fetched.
            if one.size > manifests.FILE_BYTES_MAX:
                raise NotRead("NOT_READ", f"{one.sha256[:12]} has {one.size} bytes")
            file = await self._get(update, one.sha256, one.size)
            if not self.disk.put(one.sha256, file):
                raise NotRead("DAMAGED", f"{one.sha256[:12]} has another hash on the disk")
        if list(self.disk.missing(manifest)):
            raise NotRead("DAMAGED", "a file on the disk has another hash than its name")
        return manifest, content

    async def _get(self, update: pb.ScreenUpdate, sha256: str, most: int) -> bytes:
        return await self._fetch(f"{update.url}{sha256}", update.token, most)

    def _reject(self, manifest: str, reason: str, detail: str) -> None:
        self._log.warning("a manifest is not shown", manifest=manifest, why=reason, detail=detail)
        rejected = pb.ScreenRejected(
            manifest_sha256=manifest,
            reason=pb.ScreenRejectedReason.Value(f"SCREEN_REJECTED_REASON_{reason}"),
            detail=detail.encode("ascii", "replace").decode()[:DETAIL_MAX],
        )
        if self._may_say:
            self._say(service_pb.ConnectRequest(screen_rejected=rejected))

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            self.tell()

    def tell(self) -> None:
        """Tell some of what was counted and not told, as totals."""
        if not self._may_say or not self.disk.untold:
            return
        some = {key: self.disk.counts[key] for key in sorted(self.disk.untold)[:AT_ONCE]}
        counts = [
            pb.PlayCount(
                manifest_sha256=manifest,
                item=item,
                day=day,
                hour=hour,
                times=times,
                shown_ms=shown_ms,
            )
            for (manifest, item, day, hour), (times, shown_ms) in some.items()
        ]
        frame = service_pb.ConnectRequest(play_counts=pb.PlayCounts(counts=counts))
        if self._say(frame):
            now_ms = self._now_ms()
            recent = [one for one in self._told if now_ms - one[0] < DEAD_AFTER_MS]
            self._told = [*recent, (now_ms, frozenset(some))]
            try:
                self.disk.told(some)
            except OSError as error:
                self._log.error("what was told cannot be written down", error=str(error))
