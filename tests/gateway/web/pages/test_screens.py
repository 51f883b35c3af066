"""Screens: pictures come in by a form, and who did not obey is named."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.office.v1 import screen_service_pb2 as wire
from gateway.office.v1 import screen_service_pb2_grpc
from gateway.screens.pictures import SIZE_MAX
from gateway.web.app import build_console_app
from gateway.web.door import UPLOAD_BYTES_MAX, DoorLimits
from storage.office.screens import Play, ScreenTold
from tests.gateway.screens.showable import picture
from tests.gateway.web.signed_in import HOST, cells, console_of, form_of, signed_in
from tests.support.site import Site

ADD = "/acts/add-asset"


async def _send(
    browser: httpx.AsyncClient, content: bytes, name: str = "Summer", **more: str
) -> httpx.Response:
    form = form_of(await browser.get("/screens"), ADD)
    del form["content"]
    return await browser.post(
        ADD, data={**form, "name": name, **more}, files={"content": ("s.png", content)}
    )


async def test_a_picture_comes_in_and_is_recalled(site: Site) -> None:
    """Under the person's name, once however often it is sent; the page says it, once."""
    async with signed_in(site) as browser:
        done = await _send(browser, picture("PNG"), request_id="q-1")
        again = await _send(browser, picture("PNG"), request_id="q-1")
        assert [(303, "/screens#act-add-asset")] * 2 == [
            (one.status_code, one.headers["location"]) for one in (done, again)
        ]
        page = await browser.get("/screens")
        assert "The picture is taken in." in page.text
        (row,) = (row for row in cells(page) if row[0] == "Summer")
        assert ["image/png", "30 x 20"] == row[2:4]
        assert "ann" == row[5]
        form = form_of(page, "/acts/recall-asset")
        refused = await browser.post("/acts/recall-asset", data=form)
        assert 400 == refused.status_code
        await browser.post("/acts/recall-asset", data=form | {"reason": "a wrong price"})
        page = await browser.get("/screens")
    assert "The picture is recalled." in page.text
    assert "/acts/recall-asset" not in page.text


async def test_a_picture_may_have_as_long_a_name_as_its_form_takes(site: Site) -> None:
    """What the form lets somebody write the call does not refuse, and it lets them write it all."""
    async with signed_in(site) as browser:
        page = await browser.get("/screens")
        assert 'name="name" maxlength="100"' in page.text
        for length, status in (100, 303), (101, 400):
            name = "x" * length
            sent = await _send(browser, picture("PNG"), request_id=f"q-{length}", name=name)
            assert status == sent.status_code, sent.text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Choose a picture"),
        (b"<svg/>", "content"),
        (b"x" * (UPLOAD_BYTES_MAX + 1), f"A picture has at most {SIZE_MAX} bytes"),
    ],
)
async def test_what_is_no_picture_is_refused(site: Site, content: bytes, sentence: str) -> None:
    """By the rules of AddAsset, and never read further than a picture may be long."""
    async with signed_in(site) as browser:
        refused = await _send(browser, content)
    assert (400, True) == (refused.status_code, sentence in refused.text)
    assert 'href="/screens#act-add-asset">Back' in refused.text


async def test_pictures_come_one_at_a_time(site: Site) -> None:
    """Of a person; and whoever finds all places taken by others is not told that it is theirs."""
    limits = DoorLimits(uploads_max=1)
    app = build_console_app(console_of(site), hosts=frozenset({HOST}), limits=limits)
    sending, ends = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        sending.set()
        yield b"-"
        await ends.wait()

    async with signed_in(site, app=app) as ann, signed_in(site, name="bea", app=app) as bea:
        slow = asyncio.create_task(ann.post(ADD, content=slowly()))
        await sending.wait()
        assert "One picture of yours" in (await _send(ann, picture("PNG"))).text
        assert "Too many people" in (await _send(bea, picture("PNG"))).text
        ends.set()
        assert 400 == (await slow).status_code
        assert 303 == (await _send(bea, picture("PNG"))).status_code


async def test_a_file_of_a_strange_form_is_not_taken(site: Site) -> None:
    """Without the key of the person's own forms, or as another form."""
    async with signed_in(site) as browser:
        assert 400 == (await _send(browser, picture("PNG"), form_key="x")).status_code
        assert 400 == (await browser.post(ADD, data={"name": "x"})).status_code
        assert "No picture was taken in yet." in (await browser.get("/screens")).text


async def test_who_may_not_is_not_read(site: Site) -> None:
    """A technician has no form; what they send is not looked at, however long it is."""
    async with signed_in(site, role="technician") as browser:
        assert ADD not in (await browser.get("/screens")).text
        refused = await browser.post(ADD, content=b"x" * (UPLOAD_BYTES_MAX + 1))
    assert (403, True) == (refused.status_code, "operator" in refused.text)


async def test_who_did_not_obey_is_named(site: Site) -> None:
    """With why, and what it showed: as ListScreens and ListPlays say it."""
    await site.register("VM-1")
    await site.register("VM-2")
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    asset = (await call.AddAsset(wire.AddAssetRequest(content=picture("PNG")))).asset
    assert asset.sha256
    screens, at_ms = site.gateway.office.screens, site.clock.now_ms()
    await screens.heard([ScreenTold(machine_id="VM-1", heard_at_ms=1)], [])
    await screens.want({"VM-1": "m1"}, {"m1": ('{"v": 1}', [asset.sha256])}, 2)
    play = Play(
        machine_id="VM-1", day=20261129, hour=3, manifest="m1", item=0, times=1_234, shown_ms=9_999
    )
    told = ScreenTold(machine_id="VM-1", heard_at_ms=at_ms, applied="m1")
    await screens.heard([told], [play])
    await call.RecallAsset(wire.RecallAssetRequest(sha256=asset.sha256, reason="wrong price"))
    await screens.want({"VM-1": "m2"}, {"m2": ("{}", [])}, 3)
    no_room = ScreenTold(
        machine_id="VM-1", heard_at_ms=at_ms, rejected="m2", reason="NO_ROOM", detail="=1+1 of 9"
    )
    await screens.heard([no_room], [])
    async with signed_in(site) as browser:
        page = await browser.get("/screens")
        of_one = await browser.get("/screens", params={"machine": "VM-1"})
        quiet = await browser.get("/screens", params={"machine": "VM-2"})
        nobody = await browser.get("/screens", params={"machine": "VM-9"})
        file = await browser.get("/screens", params={"csv": "recalled"})
    rows = [row for row in cells(page) if row[0] == "VM-1"]
    assert [["no room", "=1+1 of 9"]] * 2 == [row[5:7] for row in rows]
    assert ["20261129", "03:00", "m1", "0", "1,234", "9"] in cells(of_one)
    assert ",'=1+1 of 9," in file.text
    assert (200, True) == (quiet.status_code, "It has told of nothing" in quiet.text)
    assert (200, True) == (nobody.status_code, "there is no machine" in nobody.text)
