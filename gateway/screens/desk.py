"""Keeps the screens of the machines that this gateway holds: hears what they say, compiles what
they are to show, and tells them.

Flows in: streams that open and close, and what machines say (``gateway.machines.showing``). Flows
out: rows, and ScreenUpdates. Streams never wait for it: they leave what they have here, at once and
within bounds, and one task does the rest. Every gateway compiles the same for the same plans and
the same time, which is the latest that any of them has reached (``storage.office.screens``), so
that two that do it at once harm nothing, whatever their clocks say.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog

from actors.machine.ids import MachineId
from actors.ports import Clock, StoreError
from gateway.screens.compile import compiled
from gateway.screens.saying import (
    ManifestApplied,
    ManifestRejected,
    PlayCounted,
    Plays,
    Said,
    ScreenStream,
)
from gateway.screens.tokens import token_for
from gateway.v1 import machine_pb2 as wire
from storage.fleet.answers import KeepingClock
from storage.insight import days
from storage.office.assets import Assets
from storage.office.screens import Play, Screens, ScreenTold

log = structlog.get_logger()

ROUND_EVERY_S = 2.0
COMPILE_EVERY_S = 15.0
"""Plans that another gateway took, machines that were moved to another district."""
PLAYS_WAIT_MAX = 256
"""Of one machine: what it may tell in a quarter of an hour, while the database is away."""
PLAYS_PER_HOUR_MAX = 1_024
"""Of one machine: sixteen a minute, which is what the protocol lets it tell after a week without
the net, and some. What is beyond is left out, and said: the machine does not tell it again.
"""
SHOWN_MAX_MS = 2 * 3_600_000
"""Within an hour of a machine's day: that of the night in which its clock is put back."""
TIMES_MAX = SHOWN_MAX_MS // 1_000
DAYS_AHEAD_MAX = 366
"""A day that lies further ahead is none that a machine of ours has had; its plays would be kept for
years.
"""
TOKEN_VALID_S = 6 * 3_600
"""A stream lives an hour, and the next one brings another token."""


@dataclass(slots=True, kw_only=True)
class News:
    """What a machine said and is not written down yet."""

    told: ScreenTold | None = None
    plays: dict[tuple[int, int, str, int], Play] = field(default_factory=dict)


def _both(before: ScreenTold | None, since: ScreenTold | None) -> ScreenTold | None:
    """Return what is said by two that were said one after the other."""
    if before is None or since is None:
        return since or before
    return since if since.applied is not None else replace(since, applied=before.applied)


def _can_be(one: PlayCounted) -> bool:
    """Tell whether a machine may have shown this: advertisers pay by what is counted."""
    return one.times <= TIMES_MAX and one.shown_ms <= SHOWN_MAX_MS


def _last_day(now_ms: int) -> int:
    """Return the last day that a machine may have had by now, as yyyymmdd."""
    ahead = timedelta(days=DAYS_AHEAD_MAX)
    return days.as_number((datetime.fromtimestamp(now_ms / 1_000, UTC) + ahead).date())


class ScreenDesk:
    """One gateway's. It is a ``gateway.screens.saying.ScreenPort``. By ``keeping`` goes what is to
    be shown, when something was of use last, and which days cannot be yet: of a gateway whose clock
    is wrong others would delete what is just in use, and it would leave out every honest play.
    """

    def __init__(
        self,
        *,
        screens: Screens,
        assets: Assets,
        clock: Clock,
        keeping: KeepingClock,
        key: bytes,
        url: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screens, self._assets, self._clock = screens, assets, clock
        self._keeping = keeping
        self._key, self._url, self._monotonic = key, url, monotonic
        self._open: dict[MachineId, ScreenStream] = {}
        self._told: dict[MachineId, tuple[str, tuple[str, ...]]] = {}
        self._news: dict[MachineId, News] = {}
        self._writing: dict[MachineId, News] = {}
        """What is being written down, and comes back if that fails."""
        self._plays: Counter[MachineId] = Counter()
        self._plays_hour = 0
        self._flooding: set[MachineId] = set()
        """Of whom something was left out in this hour."""
        self._recalled: tuple[str, ...] = ()
        self._wanted: dict[str, str] = {}
        self._compile_at = monotonic()
        self._woken = asyncio.Event()

    # --- what streams ask ---

    def recalled(self) -> Sequence[str]:
        """Return the hashes of the files that were recalled last."""
        return self._recalled

    def opened(self, screen: ScreenStream, manifest: str) -> None:
        """A machine with a screen was welcomed; this is what it shows."""
        machine_id = screen.machine_id
        self._open[machine_id] = screen
        self._told.pop(machine_id, None)
        self._hear(machine_id, applied=manifest)
        if machine_id not in self._wanted:
            self._compile_at = self._monotonic()
        self._woken.set()

    def said(self, machine_id: MachineId, said: Said) -> None:
        """A machine said something of its screen."""
        match said:
            case ManifestApplied(manifest=manifest):
                self._hear(machine_id, applied=manifest)
            case ManifestRejected(manifest=manifest, reason=reason, detail=detail):
                self._hear(machine_id, rejected=manifest, reason=reason[:32], detail=detail)
            case Plays(counts=counts):
                for one in counts:
                    self._count(machine_id, one)

    def closed(self, screen: ScreenStream) -> None:
        """A stream ended."""
        if self._open.get(screen.machine_id) is screen:
            del self._open[screen.machine_id]
            self._told.pop(screen.machine_id, None)

    def wake(self) -> None:
        """An administrator changed something: compile now."""
        self._compile_at = self._monotonic()
        self._woken.set()

    # --- the one task ---

    async def run(self) -> None:
        """Do what is due, until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self.once()
            except StoreError as error:
                log.warning("screens wait for the database", error=str(error))
            except Exception:
                log.exception("a round of the screens failed; the next one tries again")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROUND_EVERY_S):
                    await self._woken.wait()
            await asyncio.sleep(ROUND_EVERY_S / 8)  # Who comes in crowds is served together.

    async def once(self) -> None:
        """Write down what machines said, compile if it is time, and tell those who must know.
        Raises StoreError; nothing is lost by it.
        """
        await self._write_down()
        if self._monotonic() >= self._compile_at:
            await self._compile()
            self._compile_at = self._monotonic() + COMPILE_EVERY_S
        self._tell()

    async def _write_down(self) -> None:
        last_day, off_ms = await self._days_until(), await self._off_ms()
        news, self._news = self._news, {}
        self._writing = news
        heard = [one.told for one in news.values() if one.told is not None]
        told = [replace(one, heard_at_ms=one.heard_at_ms + off_ms) for one in heard]
        plays = [play for one in news.values() for play in one.plays.values()]
        counted = [play for play in plays if last_day is None or play.day <= last_day]
        try:
            left_out = await self._screens.heard(told, counted)
        except BaseException:
            for machine_id, one in news.items():
                since = self._news.setdefault(machine_id, News())
                since.told = _both(one.told, since.told)
                since.plays = {**one.plays, **since.plays}
            raise
        finally:
            self._writing = {}
        for play in plays:
            if last_day is not None and play.day > last_day:
                self._left_out(MachineId(play.machine_id), "of what cannot be")
        for one_of in sorted(left_out):
            self._left_out(MachineId(one_of), "of a manifest that is not kept")

    async def _off_ms(self) -> int:
        """Return what makes of our time the one by which all gateways date. Raises StoreError."""
        if not self._news:
            return 0
        return await self._keeping.likely_ms() - self._clock.now_ms()

    async def _days_until(self) -> int | None:
        """Return the last day of which plays are written down; None: all are, because nobody is
        sure what time it is. Raises StoreError.
        """
        if not any(one.plays for one in self._news.values()):
            return None
        if await self._keeping.now_ms() is None:
            return None
        return _last_day(await self._keeping.likely_ms())

    async def _compile(self) -> None:
        self._recalled = tuple(await self._assets.recalled())
        material = await self._screens.material(await self._keeping.likely_ms())
        # Beside the loop: a large fleet takes longer than a customer may wait.
        made = await asyncio.to_thread(compiled, material)
        wanted = dict(made.of)
        wishes = {
            machine_id: manifest
            for machine_id, manifest in made.of.items()
            if material.wanted[machine_id] != manifest
        }
        if wishes:
            new = {one: made.manifests[one] for one in set(wishes.values())}
            texts = {sha256: (one.body, one.shown) for sha256, one in new.items()}
            wanted |= await self._screens.want(wishes, texts, material.at_ms)
            log.info("screens are to show something else", machines=len(wishes))
        self._wanted = wanted

    def _tell(self) -> None:
        until_s = self._clock.now_ms() // 1_000 + TOKEN_VALID_S
        for machine_id, screen in self._open.items():
            manifest = self._wanted.get(machine_id)
            wanted = (manifest or "", self._recalled)
            if manifest is None or self._told.get(machine_id) == wanted:
                continue
            update = wire.ScreenUpdate(
                manifest_sha256=manifest,
                url=self._url,
                token=token_for(machine_id, until_s=until_s, key=self._key),
                token_valid_for_s=TOKEN_VALID_S,
                recalled=[wire.RecalledAsset(sha256=one) for one in self._recalled],
            )
            if screen.show(update):
                self._told[machine_id] = wanted

    # --- inside ---

    def _hear(
        self,
        machine_id: MachineId,
        *,
        applied: str | None = None,
        rejected: str = "",
        reason: str = "",
        detail: str = "",
    ) -> None:
        news = self._news.setdefault(machine_id, News())
        before = news.told
        if applied is None and before is not None:
            applied = before.applied
        news.told = ScreenTold(
            machine_id=machine_id,
            heard_at_ms=self._clock.now_ms(),
            applied=applied,
            rejected=rejected,
            reason=reason,
            detail=detail,
        )

    def _count(self, machine_id: MachineId, one: PlayCounted) -> None:
        hour = self._clock.now_ms() // 3_600_000
        if hour != self._plays_hour:
            self._plays, self._plays_hour = Counter(), hour
            self._flooding.clear()
        if not _can_be(one):
            self._left_out(machine_id, "of what cannot be")
            return
        plays = self._news.setdefault(machine_id, News()).plays
        key = (one.day, one.hour, one.manifest, one.item)
        if key not in plays:
            writing = self._writing[machine_id].plays if machine_id in self._writing else {}
            is_full = len({key, *plays, *writing}) > PLAYS_WAIT_MAX
            if is_full or self._plays[machine_id] >= PLAYS_PER_HOUR_MAX:
                self._left_out(machine_id, "more than fit")
                return
            self._plays[machine_id] += 1
        plays[key] = Play(
            machine_id=machine_id,
            day=one.day,
            hour=one.hour,
            manifest=one.manifest,
            item=one.item,
            times=one.times,
            shown_ms=one.shown_ms,
        )

    def _left_out(self, machine_id: MachineId, why: str) -> None:
        """Say it once an hour of each machine: who floods writes no flood of lines."""
        if machine_id not in self._flooding:
            self._flooding.add(machine_id)
            log.warning("counts of plays are left out", why=why, machine_id=machine_id)
