"""Playlists and plans: made and ended by forms, and said in words."""

import re

import pytest

from gateway.office.v1 import screen_pb2, screen_service_pb2_grpc, selector_pb2
from gateway.office.v1 import screen_service_pb2 as wire
from gateway.web.app import build_console_app
from gateway.web.pages.screen_plans import (
    NO_MACHINE,
    days_said,
    machines_meant,
    meant_now,
    time_of,
)
from tests.gateway.web.signed_in import HOST, cells, console_of, form_of, signed_in
from tests.support.site import Site

PATH = "/screens/plans"
PLAN = "/acts/create-plan"
FILLED = {"code": "noon", "playlist": "summer", "until": "2199-01-31T22:00", "all": "1"}
FILLED |= {"from_time": "08:30", "to_time": "22:00", "priority": "7"}
NO_DAYS = dict.fromkeys((f"day-{day}" for day in range(1, 8)), "")


async def _plans(site: Site) -> list[screen_pb2.ScreenPlan]:
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    return list((await call.ListScreenPlans(wire.ListScreenPlansRequest(show_ended=True))).plans)


async def test_a_playlist_and_a_plan_are_made_and_ended(site: Site) -> None:
    """Under the person's name, by the console's clock; an ended one is told to whoever asks."""
    app = build_console_app(console_of(site, zone="Asia/Hong_Kong"), hosts=frozenset({HOST}))
    async with signed_in(site, app=app) as browser:
        form = form_of(await browser.get(PATH), "/acts/create-playlist")
        named = {"code": "summer", "name": " Summer "}
        done = await browser.post("/acts/create-playlist", data=form | named)
        assert (303, f"{PATH}#table-playlists") == (done.status_code, done.headers["location"])
        page = await browser.get(PATH)
        assert "The playlist is made" in page.text
        assert ["summer", "Summer", "0", "0"] in [row[:4] for row in cells(page)]
        assert 'href="/screens/plans?open=summer#table-items"' in page.text
        form = form_of(page, PLAN) | NO_DAYS | {"zone": "UTC"}
        done = await browser.post(PLAN, data=form | FILLED | {"day-1": "1", "day-5": "1"})
        assert 303 == done.status_code, done.text
        page = await browser.get(PATH)
        (row,) = (row for row in cells(page) if row[0] == "noon")
        expected = ["noon", "summer", "all", NO_MACHINE, "Mon, Fri", "08:30 to 22:00", "7"]
        assert [*expected, "2199-01-31 22:00:00", "ann"] == row[:9]
        assert "The plan is made, and means no machine today." in page.text
        (plan,) = await _plans(site)
        assert "2199-01-31T14:00:00Z" == plan.not_after.ToJsonString()
        done = await browser.post("/acts/end-plan", data=form_of(page, "/acts/end-plan"))
        assert 303 == done.status_code
        page = await browser.get(PATH)
        assert "The plan has ended." in page.text
        assert [] == [row for row in cells(page) if row[0] == "noon"]
        page = await browser.get(PATH, params={"ended": "1"})
    (row,) = (row for row in cells(page) if row[0] == "noon")
    assert ("–", True) == (row[3], row[10] != "–")
    assert "/acts/end-plan" not in page.text


async def test_another_like_it_is_filled_in(site: Site) -> None:
    """By a link; sent with another name it is the same plan."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    await call.CreatePlaylist(
        wire.CreatePlaylistRequest(playlist=screen_pb2.Playlist(code="summer"))
    )
    await site.register("VM-1")
    meant = selector_pb2.Selector(machine_ids=["VM-1"], site_type="STATION", model="M 4")
    meant.labels.update({"route": "no=rth", "b": "2"})
    plan = screen_pb2.ScreenPlan(
        code="noon", playlist="summer", selector=meant, days=[6, 7], from_minute=600, priority=3
    )
    plan.not_after.FromJsonString("2199-01-31T22:00:00Z")
    await call.CreateScreenPlan(wire.CreateScreenPlanRequest(plan=plan))
    async with signed_in(site) as browser:
        page = await browser.get(PATH)
        found = re.search(r'href="(/screens/plans\?[^"]*)#new"', page.text)
        assert found is not None
        page = await browser.get(found[1].replace("&amp;", "&"))
        form = form_of(page, PLAN)
        assert 2 == page.text.count(" checked")
        form |= NO_DAYS | {"day-6": "1", "day-7": "1", "all": "", "site_type": "STATION"}
        assert 'value="STATION" selected' in page.text
        done = await browser.post(PLAN, data=form | {"code": "noon-2"})
        assert 303 == done.status_code, done.text
    one, other = await _plans(site)
    assert ("noon", "noon-2") == (one.code, other.code)
    for each in (one, other):
        for name in ("code", "created_by", "created_at"):
            each.ClearField(name)
    assert one == other


async def test_a_plan_that_the_form_would_take_for_another_fills_in_nothing(site: Site) -> None:
    """Commas stand between labels there: a value with one would be two, and mean other machines."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    await call.CreatePlaylist(
        wire.CreatePlaylistRequest(playlist=screen_pb2.Playlist(code="summer"))
    )
    plan = screen_pb2.ScreenPlan(code="noon", playlist="summer")
    plan.selector.labels.update({"area": "pier, route=north"})
    plan.not_after.FromJsonString("2199-01-31T22:00:00Z")
    await call.CreateScreenPlan(wire.CreateScreenPlanRequest(plan=plan))
    async with signed_in(site) as browser:
        page = await browser.get(PATH)
    (row,) = (row for row in cells(page) if row[0] == "noon")
    assert ("area=pier, route=north", "–") == (row[2], row[11])


async def test_what_cannot_be_shown_is_refused(site: Site, subtests: pytest.Subtests) -> None:
    """By CreateScreenPlan's own checks; nothing is made, and the way back is there."""
    cases: tuple[tuple[dict[str, str], str], ...] = (
        ({"all": ""}, "selector"),
        ({"all": "", "machines": "VM-9"}, "VM-9"),
        ({"playlist": "winter"}, "winter"),
        ({"from_time": "22:00", "to_time": "08:00"}, "for a night make two plans"),
        ({"until": "2001-01-01T00:00"}, "to come"),
        ({"code": "experiment-1"}, "choose another"),
        ({"code": "a b"}, "letters, digits"),
    )
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    await call.CreatePlaylist(
        wire.CreatePlaylistRequest(playlist=screen_pb2.Playlist(code="summer"))
    )
    async with signed_in(site) as browser:
        empty = form_of(await browser.get(PATH), PLAN)
        for words, sentence in cases:
            with subtests.test(words=words):
                sent = empty | NO_DAYS | FILLED | words
                refused = await browser.post(PLAN, data=sent)
                said = (refused.status_code in range(400, 500), sentence in refused.text)
                assert (True, True) == said, refused.text
                back = re.search(r'href="([^"]*)">Back', refused.text)
                assert back is not None
                again = form_of(await browser.get(back[1].replace("&amp;", "&")), PLAN)
                assert PATH == again["back"]  # Once it is made, nothing of it is filled in more.
                names = ("code", "playlist", "machines", "from_time", "to_time", "until")
                for name in (*names, "priority"):
                    assert sent[name] == again[name], name
    assert [] == await _plans(site)


async def test_a_plan_that_ended_by_itself_is_said(site: Site) -> None:
    """It stands among the others until somebody ends it, with the moment at which it did."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    await call.CreatePlaylist(
        wire.CreatePlaylistRequest(playlist=screen_pb2.Playlist(code="summer"))
    )
    now_s = site.clock.now_ms() // 1_000
    for code, after_s in ("noon", 60), ("evening", 86_400):
        plan = screen_pb2.ScreenPlan(code=code, playlist="summer")
        plan.selector.all = True
        plan.not_after.seconds = now_s + after_s
        await call.CreateScreenPlan(wire.CreateScreenPlanRequest(plan=plan))
    site.clock.ahead_ms += 120_000
    async with signed_in(site) as browser:
        page = await browser.get(PATH)
    until = {row[0]: (row[7], row[10]) for row in cells(page) if row[0] in {"noon", "evening"}}
    assert until["noon"][0] == until["noon"][1] != "–"
    assert "–" == until["evening"][1]


async def test_who_may_not_sees_no_form_of_plans(site: Site) -> None:
    """A technician reads what is shown."""
    async with signed_in(site, role="technician") as browser:
        page = await browser.get(PATH)
    assert (200, False) == (page.status_code, 'action="/acts/' in page.text)
    assert "There is no playlist yet." in page.text


def test_machines_are_said_in_words() -> None:
    """All that is given, and not more names than can be read."""
    meant = selector_pb2.Selector(
        machine_ids=[f"VM-{number}" for number in range(7)],
        district="hill",
        site="pier",
        site_type="STATION",
        model="M4",
    )
    meant.labels.update({"route": "north"})
    assert (
        "district hill, site pier, site type station, model M4, route=north, "
        "VM-0, VM-1, VM-2, VM-3, VM-4, and 2 more" == machines_meant(meant)
    )
    assert "all" == machines_meant(selector_pb2.Selector(all=True))
    assert "VM-1" == machines_meant(selector_pb2.Selector(all=True, machine_ids=["VM-1"]))
    assert "VM-1" == machines_meant(selector_pb2.Selector(machine_ids=["VM-1"]))


async def test_whom_a_plan_means_is_said_when_it_is_made(site: Site) -> None:
    """And from then on in the list, as it is today."""
    call = screen_service_pb2_grpc.ScreenServiceStub(site.channel)
    await call.CreatePlaylist(
        wire.CreatePlaylistRequest(playlist=screen_pb2.Playlist(code="summer"))
    )
    await site.register("VM-1")
    async with signed_in(site) as browser:
        form = form_of(await browser.get(PATH), PLAN) | NO_DAYS | FILLED
        assert 303 == (await browser.post(PLAN, data=form)).status_code
        page = await browser.get(PATH)
        assert "The plan is made. The machines that it means" in page.text
        assert ["1 machine, none with a screen"] == [
            row[3] for row in cells(page) if row[0] == "noon"
        ]


@pytest.mark.parametrize(
    ("machines", "screens", "said"),
    [
        (None, None, ""),
        (0, 0, "means no machine today"),
        (1, 1, "1 machine, all with a screen"),
        (1_200, 7, "1,200 machines, 7 with a screen"),
    ],
)
def test_how_many_machines_are_meant_is_said_in_words(
    machines: int | None, screens: int | None, said: str
) -> None:
    """None is no number among others."""
    plan = screen_pb2.ScreenPlan(machines_meant=machines, screens_meant=screens)
    assert said == meant_now(plan)


def test_days_and_times_are_said_in_words() -> None:
    """All days are every day; the end of a day has a time."""
    assert "every day" == days_said(range(1, 8))
    assert "Mon, Sun" == days_said([7, 1])
    assert ["00:00", "08:05", "24:00"] == [time_of(one) for one in (0, 485, 1_440)]
