"""One playlist: its order and its times are changed by one form, under the person's name."""

from typing import Any

import httpx
from sqlalchemy import Connection, insert

from gateway.office.v1 import screen_pb2, screen_service_pb2_grpc
from gateway.office.v1 import screen_service_pb2 as wire
from storage.tables import assets
from tests.gateway.screens.showable import picture
from tests.gateway.web.signed_in import cells, form_of, signed_in
from tests.support.site import Site

PATH = "/screens/plans?open=summer"
CHANGE = "/acts/change-playlist"


async def _a_playlist(site: Site) -> list[str]:
    """Three pictures, of which two are in the list; return their hashes."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    hashes = []
    for width, name in (20, "Cola"), (30, "Tea"), (40, "=1+1"):
        content = picture("PNG", width=width)
        added = await call.AddAsset(wire.AddAssetRequest(content=content, name=name))
        hashes.append(added.asset.sha256)
    items = [screen_pb2.PlaylistItem(sha256=one, duration_ms=8_500) for one in hashes[:2]]
    made = screen_pb2.Playlist(code="summer", name="Summer", items=items)
    await call.CreatePlaylist(wire.CreatePlaylistRequest(playlist=made))
    return hashes


def _add(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(assets), rows)


async def _there(site: Site) -> tuple[str, list[tuple[str, int]]]:
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    told = (await call.GetPlaylist(wire.GetPlaylistRequest(playlist="summer"))).playlist
    return told.name, [(one.sha256, one.duration_ms) for one in told.items]


async def _press(browser: httpx.AsyncClient, **words: str) -> httpx.Response:
    form = form_of(await browser.get(PATH), CHANGE)
    return await browser.post(
        CHANGE, data=form | {name.replace("_", "-"): of for name, of in words.items()}
    )


async def test_its_order_and_its_times_are_changed(site: Site) -> None:
    """A button does one thing and saves what is written; the page says it, and shows it."""
    cola, tea, third = await _a_playlist(site)
    async with signed_in(site) as browser:
        done = await _press(browser, move="up-1", seconds_0="12", name="Winter")
        assert (303, f"{PATH}#down-0") == (done.status_code, done.headers["location"])
        page = await browser.get(PATH)
        assert ("Winter", [(tea, 8_500), (cola, 12_000)]) == await _there(site)
        assert "The playlist is changed." in page.text
        rows = [row[:5] for row in cells(page) if row[0] in {"1", "2"}]
        expected = [["1", "Tea", tea[:12], "8"], ["2", "Cola", cola[:12], "12"]]
        assert [[*one, "–"] for one in expected] == rows
        await _press(browser, move=f"add-{third}")
        await _press(browser, move="out-0")
        assert [(cola, 12_000), (third, 10_000)] == (await _there(site))[1]
        file = await browser.get(f"{PATH}&csv=items")
    assert ["Place,Picture,File,Seconds,Recalled", f"2,'=1+1,{third[:12]},10,"] == [
        file.text.splitlines()[at].removeprefix("\ufeff") for at in (0, 2)
    ]


async def test_sent_twice_it_is_done_once(site: Site) -> None:
    """Because the form has the list as it was seen."""
    cola, tea, _ = await _a_playlist(site)
    async with signed_in(site) as browser:
        form = form_of(await browser.get(PATH), CHANGE) | {"move": "down-0"}
        for _ in range(2):
            assert 303 == (await browser.post(CHANGE, data=form)).status_code
    assert [(tea, 8_500), (cola, 8_500)] == (await _there(site))[1]


async def test_who_saved_meanwhile_is_not_written_over(site: Site) -> None:
    """The second of two who saw the same list is told so, with the way back."""
    cola, _, _ = await _a_playlist(site)
    async with signed_in(site) as browser:
        form = form_of(await browser.get(PATH), CHANGE)
        await _press(browser, move="out-1")
        refused = await browser.post(CHANGE, data=form | {"move": "out-0"})
        assert 409 == refused.status_code
        assert f'href="{PATH}#act-change-playlist">Back' in refused.text
        assert "etag" in refused.text
    assert [(cola, 8_500)] == (await _there(site))[1]


async def test_what_was_recalled_is_said_and_not_offered(site: Site) -> None:
    """It stays until somebody takes it out, and keeps nobody from the rest of the list."""
    cola, tea, third = await _a_playlist(site)
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    for one in (tea, third):
        await call.RecallAsset(wire.RecallAssetRequest(sha256=one, reason="a wrong price"))
    async with signed_in(site) as browser:
        page = await browser.get(PATH)
        assert [["Tea", "recalled"]] == [
            [row[1], row[4]] for row in cells(page) if row[4:5] == ["recalled"]
        ]
        assert f"add-{cola}" in page.text
        assert f"add-{third}" not in page.text
        refused = await _press(browser, move=f"add-{third}")
        assert (409, True) == (refused.status_code, "recalled" in refused.text)
        assert 303 == (await _press(browser, move="up-1")).status_code
        assert [(tea, 8_500), (cola, 8_500)] == (await _there(site))[1]
        await call.RecallAsset(wire.RecallAssetRequest(sha256=cola, reason="a wrong price"))
        for _ in range(2):
            assert 303 == (await _press(browser, move="out-0")).status_code
    assert [] == (await _there(site))[1]


async def test_a_recall_is_said_however_many_pictures_there_are(site: Site) -> None:
    """Of the last one of thousands, too."""
    row: dict[str, Any] = {
        "media_type": "image/png",
        "size": 9,
        "width": 4,
        "height": 3,
        "added_by": "ann",
    }
    row |= {"added_at_ms": 1, "recalled_by": "", "recalled_at_ms": None, "recall_reason": ""}
    rows = [{**row, "sha256": f"{number:064x}", "name": ""} for number in range(2_500)]
    last = {**row, "sha256": "f" * 64, "name": "Last"}
    await site.database.write(lambda connection: _add(connection, [*rows, last]))
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    items = [screen_pb2.PlaylistItem(sha256="f" * 64, duration_ms=8_000)]
    made = screen_pb2.Playlist(code="summer", items=items)
    await call.CreatePlaylist(wire.CreatePlaylistRequest(playlist=made))
    await call.RecallAsset(wire.RecallAssetRequest(sha256="f" * 64, reason="a wrong price"))
    async with signed_in(site) as browser:
        page = await browser.get(PATH)
    expected = ["1", "Last", "f" * 12, "8", "recalled"]
    assert expected in [one[:5] for one in cells(page)]


async def test_a_full_playlist_is_one_form(site: Site) -> None:
    """Of 64 items with their times; one more is refused by the call."""
    cola, _, _ = await _a_playlist(site)
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    items = [screen_pb2.PlaylistItem(sha256=cola, duration_ms=8_000)] * 64
    full = screen_pb2.Playlist(code="summer", name="x" * 100, items=items)
    await call.UpdatePlaylist(wire.UpdatePlaylistRequest(playlist=full))
    async with signed_in(site) as browser:
        seconds = {f"seconds_{place}": "600" for place in range(64)}
        assert 303 == (await _press(browser, move="up-63", **seconds)).status_code
        assert [(cola, 600_000)] * 64 == (await _there(site))[1]
        refused = await _press(browser, move=f"add-{cola}")
    assert (400, True) == (refused.status_code, "at most 64" in refused.text)


async def test_who_may_not_sees_no_form(site: Site) -> None:
    """And no button; what they send all the same is refused by the call."""
    await _a_playlist(site)
    async with signed_in(site) as browser:
        form = form_of(await browser.get(PATH), CHANGE)
    async with signed_in(site, name="bea", role="technician") as browser:
        page = await browser.get(PATH)
        assert (200, False, False) == (
            page.status_code,
            CHANGE in page.text,
            "change-playlist" in page.text,
        )
        key = form_of(page, "/logout")["form_key"]
        refused = await browser.post(CHANGE, data=form | {"form_key": key, "move": "out-0"})
    assert 403 == refused.status_code
    assert 2 == len((await _there(site))[1])


async def test_a_playlist_that_is_none_is_a_sentence(site: Site) -> None:
    """As GetPlaylist says it."""
    async with signed_in(site) as browser:
        nowhere = await browser.get("/screens/plans?open=moon")
        wrong = await browser.get("/screens/plans?open=a b")
    assert (404, True) == (nowhere.status_code, "moon" in nowhere.text)
    assert 400 == wrong.status_code
