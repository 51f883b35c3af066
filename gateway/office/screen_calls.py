"""The changing calls of ScreenService: each request is checked whole, then done.

Flows in: a request of ``gateway.office.v1`` and who asks. Flows out: what there is afterwards, or
CallRefused. A file is in the folder before anything names it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from actors.ports import Clock, StoreError
from gateway.fleet.act import Act
from gateway.fleet.errors import REQUEST_IN_PROGRESS, CallRefused, not_possible
from gateway.office.errors import deed_of, in_words
from gateway.office.place_fields import NAME_LENGTH_MAX, PlaceFields
from gateway.office.v1 import screen_pb2
from gateway.office.v1 import screen_service_pb2 as wire
from gateway.screens.folder import AssetFolder
from gateway.screens.pictures import NotShowable, found_in
from gateway.screens.unnamed import UnnamedFiles
from storage.fleet.answers import KeepingClock
from storage.office.assets import Assets, AssetView
from storage.office.deeds import Deed
from storage.office.meant import Meaning, Meant, MeantMachines
from storage.office.playlists import PlaylistContent, PlaylistItem, Playlists, PlaylistView
from storage.office.screen_plans import PlanContent, PlanView, ScreenPlans

ITEMS_MAX = 64
DURATION_MS = (1_000, 600_000)
PRIORITY_MAX = 100
DAY_MINUTES = 1_440
EVERY_DAY = 0b111_1111
NOT_AFTER_MS_MAX = 7_258_118_400_000
"""The end of 2199."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``. What it
    makes is dated by ``keeping``, because a sweep goes by that: another gateway would delete at
    once what one adds whose clock is far behind. ``changed`` is told when machines may have to show
    something else; what they showed is kept for ``plays_days``.
    """

    assets: Assets
    playlists: Playlists
    plans: ScreenPlans
    folder: AssetFolder
    clock: Clock
    keeping: KeepingClock
    changed: Callable[[], None]
    plays_days: int
    counting: MeantMachines

    async def add_asset(self, request: wire.AddAssetRequest, act: Act) -> AssetView:
        """AddAsset."""
        fields = PlaceFields().line("name", request.name, most=NAME_LENGTH_MAX)
        fields.done()
        try:
            found = await asyncio.to_thread(found_in, request.content)
        except NotShowable as error:
            fields.wrong("content", str(error))
            fields.done()
            raise
        is_new = not act.validate_only and await self._put(request.content, found.sha256)
        try:
            with in_words():
                deed = await self._deed(act, "AddAsset")
                view = await self.assets.add(found, request.name, deed)
        except CallRefused as error:
            # A definite no: no row will ever name it. What is only not known stays, and so does
            # what somebody adds just now who went on with this request.
            if is_new and error.refusal != REQUEST_IN_PROGRESS:
                with contextlib.suppress(StoreError):  # A sweep finds it.
                    await UnnamedFiles(self.folder, self.assets).drop([found.sha256])
            raise
        if not act.validate_only:
            # A sweep may have deleted the file that was there until the row was made again.
            await self._put(request.content, found.sha256)
        return view

    async def _deed(self, act: Act, action: str) -> Deed:
        deed = deed_of(act, action, self.clock)
        return replace(deed, now_ms=await self.keeping.likely_ms())

    async def _put(self, content: bytes, sha256: str) -> bool:
        """Keep a file before a row names it; return whether it was not there before."""
        try:
            return await asyncio.to_thread(self.folder.put, content)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise not_possible(
                "FOLDER_REFUSES",
                f"the folder of [screens] takes no file ({why}): see that this gateway may "
                "write there and that there is room, then try again",
                asset=sha256,
            ) from None

    async def recall_asset(self, request: wire.RecallAssetRequest, act: Act) -> AssetView:
        """RecallAsset."""
        fields = PlaceFields().sha256(request.sha256, field="sha256")
        if not request.sha256:
            fields.wrong("sha256", "must be given")
        fields.reason(request.reason, needed=True).done()
        with in_words():
            deed = await self._deed(act, "RecallAsset")
            view = await self.assets.recall(request.sha256, request.reason, deed)
        self.changed()
        return view

    async def create_playlist(self, request: wire.CreatePlaylistRequest, act: Act) -> PlaylistView:
        """CreatePlaylist."""
        fields = PlaceFields()
        content = _playlist(fields, request.playlist)
        fields.done()
        with in_words():
            deed = await self._deed(act, "CreatePlaylist")
            return await self.playlists.create(request.playlist.code, content, deed)

    async def update_playlist(self, request: wire.UpdatePlaylistRequest, act: Act) -> PlaylistView:
        """UpdatePlaylist."""
        fields = PlaceFields()
        etag = fields.etag_of(request.etag, request.playlist.etag, field="playlist.etag")
        content = _playlist(fields, request.playlist)
        fields.done()
        with in_words():
            deed = await self._deed(act, "UpdatePlaylist")
            view = await self.playlists.update(request.playlist.code, content, deed, etag=etag)
        self.changed()
        return view

    async def create_plan(
        self, request: wire.CreateScreenPlanRequest, act: Act
    ) -> tuple[PlanView, Meant | None]:
        """CreateScreenPlan."""
        fields = PlaceFields()
        content = self._plan(fields, request.plan, kept=act.kept)
        fields.done()
        with in_words():
            deed = await self._deed(act, "CreateScreenPlan")
            view = await self.plans.create(request.plan.code, content, deed)
        self.changed()
        (meant,) = await self.meant([view])
        return view, meant

    async def meant(self, plans: Sequence[PlanView]) -> list[Meant | None]:
        """Return whom each plan means now; None: it has ended."""
        now_ms = self.clock.now_ms()
        live = [one for one in plans if one.ended_at_ms is None]
        live = [one for one in live if one.content.not_after_ms > now_ms]
        meanings = [Meaning(selector=one.content.selector) for one in live]
        counts = await self.counting.counts(meanings, now_ms)
        of = dict(zip((one.plan for one in live), counts, strict=True))
        return [of.get(one.plan) for one in plans]

    async def end_plan(self, request: wire.EndScreenPlanRequest, act: Act) -> PlanView:
        """EndScreenPlan."""
        PlaceFields().code("plan", request.plan).done()
        with in_words():
            view = await self.plans.end(request.plan, await self._deed(act, "EndScreenPlan"))
        self.changed()
        return view

    def _plan(
        self, fields: PlaceFields, given: screen_pb2.ScreenPlan, *, kept: bool
    ) -> PlanContent:
        fields.code("plan.code", given.code)
        fields.code("plan.playlist", given.playlist)
        selector = fields.selector(given.selector, field="plan.selector")
        if any(not 1 <= day <= 7 for day in given.days) or len(set(given.days)) < len(given.days):
            fields.wrong("plan.days", "must be days of the week, 1 (Monday) to 7, each once")
        to_minute = given.to_minute or DAY_MINUTES
        if not 0 <= given.from_minute < to_minute <= DAY_MINUTES:
            fields.wrong("plan.to_minute", "must be above from_minute, at most 1440")
        if not 0 <= given.priority <= PRIORITY_MAX:
            fields.wrong("plan.priority", f"must be 0 to {PRIORITY_MAX}")
        not_after_ms = given.not_after.seconds * 1_000
        # What was made when that was to come is told again.
        from_ms = 0 if kept else self.clock.now_ms()
        if not from_ms < not_after_ms <= NOT_AFTER_MS_MAX:
            fields.wrong("plan.not_after", "must be given, to come, and before the year 2200")
        days = sum(1 << (day - 1) for day in given.days if 1 <= day <= 7) or EVERY_DAY
        return PlanContent(
            selector=selector,
            playlist=given.playlist,
            days=days,
            from_minute=given.from_minute,
            to_minute=to_minute,
            priority=given.priority,
            not_after_ms=not_after_ms,
        )


def _playlist(fields: PlaceFields, given: screen_pb2.Playlist) -> PlaylistContent:
    fields.code("playlist.code", given.code)
    fields.line("playlist.name", given.name, most=NAME_LENGTH_MAX)
    if len(given.items) > ITEMS_MAX:
        fields.wrong("playlist.items", f"must be at most {ITEMS_MAX}")
    for index, one in enumerate(given.items[: ITEMS_MAX + 1]):
        fields.sha256(one.sha256, field=f"playlist.items[{index}].sha256")
        if not one.sha256:
            fields.wrong(f"playlist.items[{index}].sha256", "must be given")
        if not DURATION_MS[0] <= one.duration_ms <= DURATION_MS[1]:
            fields.wrong(f"playlist.items[{index}].duration_ms", "must be 1000 to 600000")
    return PlaylistContent(
        name=given.name,
        items=tuple(
            PlaylistItem(sha256=one.sha256, duration_ms=one.duration_ms) for one in given.items
        ),
    )
