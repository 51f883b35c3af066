"""Administrators add files, plan what is shown, and see who shows it and who does not."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict

from gateway.fleet.act import Act
from gateway.fleet.idempotence import LEASE_MS
from gateway.office.screen_calls import ScreenCalls
from gateway.office.v1 import screen_pb2, screen_service_pb2_grpc
from gateway.office.v1 import screen_service_pb2 as wire
from gateway.screens.unnamed import UnnamedFiles
from storage.fleet.answers import Answers, RequestInProgress
from storage.machines.rows import DAY_MS
from storage.office import assets
from storage.office.screen_sweeps import forget_assets
from storage.office.screens import Play, ScreenTold
from tests.gateway.screens.showable import a_png, picture
from tests.support.edge import FixedClock
from tests.support.fleet_calls import refusal
from tests.support.keeping import KeptBy
from tests.support.site import Site

NO_WORDS = wire.ListAssetsRequest()


async def test_a_file_goes_its_way(site: Site) -> None:
    """From the upload to a playlist, a plan, a manifest, a screen that shows it, and its recall."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    await site.register("VM-1")
    content = picture("PNG")
    asset = (await call.AddAsset(wire.AddAssetRequest(content=content, name="Cola"))).asset
    assert ("image/png", 30, 20, "Cola") == (
        asset.media_type,
        asset.width,
        asset.height,
        asset.name,
    )
    assert site.gateway.office.showing.folder.find(asset.sha256) is not None
    listed = {"sha256": asset.sha256, "duration_ms": 8_000}
    made = {"playlist": {"code": "all", "name": "All", "items": [listed]}}
    playlist = (await call.CreatePlaylist(ParseDict(made, wire.CreatePlaylistRequest()))).playlist
    got = await call.GetPlaylist(wire.GetPlaylistRequest(playlist="all"))
    assert got.playlist == playlist
    plan = {
        "code": "p1",
        "playlist": "all",
        "selector": {"machine_ids": ["VM-1"]},
        "days": [1, 7],
        "from_minute": 60,
        "not_after": "2096-10-02T07:06:40Z",
    }
    done = (
        await call.CreateScreenPlan(ParseDict({"plan": plan}, wire.CreateScreenPlanRequest()))
    ).plan
    assert ([1, 7], 1_440, ["VM-1"]) == (
        list(done.days),
        done.to_minute,
        list(done.selector.machine_ids),
    )
    assert [done] == list((await call.ListScreenPlans(wire.ListScreenPlansRequest())).plans)
    assert [playlist] == list((await call.ListPlaylists(wire.ListPlaylistsRequest())).playlists)

    screens = site.gateway.office.screens
    await screens.heard([ScreenTold(machine_id="VM-1", heard_at_ms=1)], [])
    body = json.dumps({"v": 1})
    await screens.want({"VM-1": "m1"}, {"m1": (body, [asset.sha256])}, 2)
    (waiting,) = (await call.ListScreens(wire.ListScreensRequest(not_converged=True))).screens
    assert ("VM-1", "m1", "") == (
        waiting.machine_id,
        waiting.wanted_manifest,
        waiting.applied_manifest,
    )
    play = Play(machine_id="VM-1", day=20261129, hour=3, manifest="m1", item=0, times=2, shown_ms=9)
    await screens.heard([ScreenTold(machine_id="VM-1", heard_at_ms=3, applied="m1")], [play])
    assert not (await call.ListScreens(wire.ListScreensRequest(not_converged=True))).screens
    assert body == (await call.GetManifest(wire.GetManifestRequest(manifest="m1"))).body
    (counted,) = (await call.ListPlays(wire.ListPlaysRequest(machine_id="VM-1"))).plays
    assert (20261129, 3, 2, 9) == (counted.day, counted.hour, counted.times, counted.shown_ms)

    recall = wire.RecallAssetRequest(sha256=asset.sha256, reason="wrong price")
    assert "wrong price" == (await call.RecallAsset(recall)).asset.recall_reason
    (guilty,) = (await call.ListScreens(wire.ListScreensRequest(shows_recalled=True))).screens
    one = (await call.GetScreen(wire.GetScreenRequest(machine_id="VM-1"))).screen
    assert guilty == one
    assert one.converged
    assert one.shows_recalled
    (gone,) = (await call.ListAssets(wire.ListAssetsRequest(recalled=True))).assets
    assert gone.sha256 == asset.sha256
    assert (await call.EndScreenPlan(wire.EndScreenPlanRequest(plan="p1"))).plan.HasField(
        "ended_at"
    )


async def test_whom_a_plan_means_is_told(site: Site) -> None:
    """By the answer, as it is or would be now; not of one that has ended."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    for machine_id in ("VM-1", "VM-2"):
        await site.register(machine_id)
    await site.gateway.office.screens.heard([ScreenTold(machine_id="VM-1", heard_at_ms=1)], [])
    await call.CreatePlaylist(wire.CreatePlaylistRequest(playlist=screen_pb2.Playlist(code="all")))

    async def made(code: str, *, check: bool = False, **selector: object) -> tuple[int, int]:
        plan = {"code": code, "playlist": "all", "not_after": "2096-10-02T07:06:40Z"}
        asked = {"plan": plan | {"selector": selector}, "validate_only": check}
        told = await call.CreateScreenPlan(ParseDict(asked, wire.CreateScreenPlanRequest()))
        assert told.plan.HasField("machines_meant")
        return told.plan.machines_meant, told.plan.screens_meant

    assert (0, 0) == await made("typo", check=True, labels={"rout": "north"})
    assert (0, 0) == await made("typo", labels={"rout": "north"})
    assert (2, 1) == await made("p1", all=True)
    assert (1, 0) == await made("p2", machine_ids=["VM-2"])
    ended = (await call.EndScreenPlan(wire.EndScreenPlanRequest(plan="p2"))).plan
    assert not ended.HasField("machines_meant")
    await site.register("VM-3")
    listed = (await call.ListScreenPlans(wire.ListScreenPlansRequest(show_ended=True))).plans
    assert [("p1", 3, True), ("p2", 0, False), ("typo", 0, True)] == [
        (one.code, one.machines_meant, one.HasField("machines_meant")) for one in listed
    ]


async def test_what_is_kept_no_longer_is_said(site: Site) -> None:
    """By the answers themselves: nobody has to know the settings."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    await site.register("VM-1")
    told = await call.ListPlays(wire.ListPlaysRequest(machine_id="VM-1"))
    assert (400, 0) == (told.kept_days, len(told.plays))
    with pytest.raises(grpc.aio.AioRpcError, match="kept for 400 days, and for 90 days"):
        await call.GetManifest(wire.GetManifestRequest(manifest="f" * 64))


async def test_a_file_that_was_swept_is_there_once_it_is_brought_again(site: Site) -> None:
    """Its row and its bytes: also if the sweep took them while it was brought."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    showing, later_ms = site.gateway.office.showing, site.clock.now_ms() + DAY_MS
    asked = wire.AddAssetRequest(content=picture("PNG"))
    sha256 = (await call.AddAsset(asked)).asset.sha256
    add = showing.assets.add

    async def swept(*of: Any) -> assets.AssetView:
        files = UnnamedFiles(showing.folder, assets.Assets(site.database))
        await forget_assets(site.database, files.drop, before_ms=later_ms)
        assert showing.folder.find(sha256) is None
        return await add(*of)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets.Assets, "add", lambda _self, *of: swept(*of))
        await call.AddAsset(asked)
    assert showing.folder.find(sha256) is not None
    assert [sha256] == [one.sha256 for one in (await call.ListAssets(NO_WORDS)).assets]


async def test_a_picture_that_a_gateway_adds_whose_clock_is_far_behind_stays(site: Site) -> None:
    """Dated by its clock the sweep of any other would take it before a playlist names it."""
    now_ms = site.clock.now_ms()
    behind = FixedClock(now_ms - 500 * DAY_MS)
    calls = replace(site.gateway.office.showing, clock=behind, keeping=KeptBy(site.clock))
    asked = wire.AddAssetRequest(content=picture("PNG"))
    view = await calls.add_asset(asked, Act(actor="ann", within_s=9))
    assert now_ms <= view.added_at_ms
    files = UnnamedFiles(calls.folder, calls.assets)
    assert 0 == await forget_assets(site.database, files.drop, before_ms=now_ms - DAY_MS)


async def test_what_is_not_there_is_said(site: Site) -> None:
    """Each by its name."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    for asking, reason in (
        (call.GetScreen(wire.GetScreenRequest(machine_id="VM-9")), "SCREEN_NOT_FOUND"),
        (call.GetPlaylist(wire.GetPlaylistRequest(playlist="none")), "PLAYLIST_NOT_FOUND"),
        (call.GetManifest(wire.GetManifestRequest(manifest="m")), "MANIFEST_NOT_FOUND"),
        (
            call.RecallAsset(wire.RecallAssetRequest(sha256="f" * 64, reason="why")),
            "ASSET_NOT_FOUND",
        ),
    ):
        assert reason == (await refusal(asking))[1]


NO_PIXELS = a_png().replace(a_png()[33:-12], b"")
"""A header and an end: 45 bytes."""


async def test_a_folder_that_takes_nothing_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no row says that the file is there."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)

    def full(_content: bytes) -> str:
        raise OSError(28, "No space left on device")

    calls: ScreenCalls = site.gateway.office.showing
    monkeypatch.setattr(type(calls.folder), "put", lambda _self, content: full(content))
    with pytest.raises(grpc.aio.AioRpcError, match="No space left"):
        await call.AddAsset(wire.AddAssetRequest(content=picture("PNG")))
    assert not (await call.ListAssets(wire.ListAssetsRequest())).assets


async def test_a_file_stays_for_whoever_went_on_with_its_request(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their row names it: another gateway took over a claim that had run out."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    content = picture("PNG")

    async def taken_over(*_: object) -> None:
        raise RequestInProgress

    monkeypatch.setattr(assets.Assets, "add", taken_over)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.AddAsset(wire.AddAssetRequest(content=content, request_id="slow"))
    assert grpc.StatusCode.ABORTED is refused.value.code()
    assert site.gateway.office.showing.folder.find(hashlib.sha256(content).hexdigest())


async def test_a_file_that_is_refused_is_not_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What SQL refuses is taken out of the folder again, but for a file that was there before; what
    cannot be drawn never comes there.
    """
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    folder = site.gateway.office.showing.folder
    kept, refused = picture("PNG"), picture("PNG", colour="blue")
    sha256 = (await call.AddAsset(wire.AddAssetRequest(content=kept))).asset.sha256
    monkeypatch.setattr(assets, "ASSETS_MAX", 1)
    with pytest.raises(grpc.aio.AioRpcError, match="which is the most"):
        await call.AddAsset(wire.AddAssetRequest(content=refused))
    assert folder.find(hashlib.sha256(refused).hexdigest()) is None
    await call.RecallAsset(wire.RecallAssetRequest(sha256=sha256, reason="why"))
    with pytest.raises(grpc.aio.AioRpcError, match="was recalled"):
        await call.AddAsset(wire.AddAssetRequest(content=kept))
    assert folder.find(sha256) is not None
    with pytest.raises(grpc.aio.AioRpcError, match="end too soon"):
        await call.AddAsset(wire.AddAssetRequest(content=NO_PIXELS))
    assert folder.find(hashlib.sha256(NO_PIXELS).hexdigest()) is None


async def test_a_plan_that_was_made_is_answered_though_its_gateway_died(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the commit and the answer: by the time somebody asks again the plan's last
    moment is past; it was made all the same.
    """
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    await site.register("VM-1")
    asset = (await call.AddAsset(wire.AddAssetRequest(content=picture("PNG"), name="a"))).asset
    listed = {"sha256": asset.sha256, "duration_ms": 8_000}
    made = {"playlist": {"code": "all", "name": "All", "items": [listed]}}
    await call.CreatePlaylist(ParseDict(made, wire.CreatePlaylistRequest()))
    plan = screen_pb2.ScreenPlan(code="p1", playlist="all")
    plan.selector.machine_ids.append("VM-1")
    plan.not_after.seconds = site.clock.now_ms() // 1_000 + 5
    asked = wire.CreateScreenPlanRequest(plan=plan, request_id="r-1")
    with monkeypatch.context() as killed:
        killed.setattr(Answers, "finish", _nothing)
        first = await call.CreateScreenPlan(asked)
    site.clock.ahead_ms += LEASE_MS
    again = await call.CreateScreenPlan(asked)
    assert not again.plan.HasField("machines_meant")  # It has ended.
    for name in ("machines_meant", "screens_meant"):
        first.plan.ClearField(name)
    assert first == again
    asked.plan.code, asked.request_id = "p2", "r-2"
    refused = await refusal(call.CreateScreenPlan(asked))
    assert ["plan.not_after"] == refused[2]


async def _nothing(*_: object) -> None:
    """What a process does that was killed."""
