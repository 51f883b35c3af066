"""The console through a browser, on real SQL and a real actor."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message

from gateway.fleet.v1 import event_service_pb2
from gateway.office.v1 import poster_service_pb2
from gateway.web import app
from gateway.web.asking import LocalCalls, Person
from gateway.web.door import HEADERS, DoorLimits
from storage.fleet.logins import SESSION_VALID_MS, Logins
from tests.gateway.web.signed_in import HOST, a_browser, console_of, form_of, signed_in
from tests.support.fleet_calls import refunded, registered
from tests.support.site import Site

OUR_SCRIPT = r'<script src="/static/[A-Za-z./]+" defer></script>'
PATHS = [path.replace("{name}", "VM-1") for path in app.PAGES]


async def test_every_page_is_there(site: Site) -> None:
    """For who is signed in: with the position, the time zone, and the headers that let nothing of
    elsewhere in; no page runs or styles anything by itself.
    """
    await site.register()
    async with signed_in(site) as browser:
        for path in PATHS:
            page = await browser.get(path)
            assert 200 == page.status_code, (path, page.text)
            assert "Complete until position" in page.text
            assert "Times are those of UTC" in page.text
            assert not any(part in page.text for part in (" style=", '="http'))
            scripts = re.findall(r"<script.*?</script>", page.text, re.DOTALL)
            assert page.text.count("<script") == len(scripts)
            assert all(re.fullmatch(OUR_SCRIPT, one) for one in scripts), scripts
            assert HEADERS.items() <= dict(page.headers).items()


async def test_nobody_looks_or_acts_without_having_signed_in(site: Site) -> None:
    """They are shown how to, whatever they ask for."""
    async with a_browser(site) as browser:
        for path in PATHS:
            page = await browser.get(path)
            assert (303, "/login") == (page.status_code, page.headers["location"]), path
        for path in ("/acts/enable-machine", "/logout"):
            page = await browser.post(path, data={"machine_id": "VM-1"})
            assert (303, "/login") == (page.status_code, page.headers["location"]), path
        how = await browser.get("/login")
    assert 401 == how.status_code
    assert "vendgate console login" in how.text


async def test_a_link_is_looked_at_and_used_once(site: Site) -> None:
    """Whoever previews it uses nothing up; its cookie is for this site's pages alone."""
    await Logins(site.database).issue("ann", "the-link", role="owner", now_ms=site.clock.now_ms())
    async with a_browser(site) as browser:
        assert "/login/the-link" in (await browser.get("/login/the-link")).text
        opened = await browser.post("/login/the-link")
        cookie = opened.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
        assert "ann" in (await browser.get("/")).text
        again = await browser.post("/login/the-link")
    assert 403 == again.status_code
    assert "prints another" in again.text


async def test_who_signs_out_is_out(site: Site) -> None:
    """By the form on each page; and after a working day by itself."""
    async with signed_in(site) as browser:
        form = form_of(await browser.get("/money"), "/logout")
        assert 400 == (await browser.post("/logout", data={"form_key": "x"})).status_code
        kept = dict(browser.cookies)
        out = await browser.post("/logout", data=form)
        assert (303, "/login") == (out.status_code, out.headers["location"])
        browser.cookies.update(kept)
        assert 303 == (await browser.get("/money")).status_code
    async with signed_in(site) as browser:
        site.clock.ahead_ms += SESSION_VALID_MS
        assert 303 == (await browser.get("/money")).status_code


async def test_tables_are_had_as_files(site: Site) -> None:
    """With the words of the filter; a name that no table has is said."""
    await registered(site, store_name="=1+2")
    async with signed_in(site) as browser:
        file = await browser.get("/machines", params={"text": "VM-1", "csv": "machines"})
        none = await browser.get("/machines", params={"csv": "moons"})
    assert "text/csv; charset=utf-8" == file.headers["content-type"]
    assert 'attachment; filename="machines.csv"' == file.headers["content-disposition"]
    assert ",'=1+2," in file.text
    assert 404 == none.status_code


async def _act(browser: Any, act: str, form: Mapping[str, str]) -> Any:
    return await browser.post(f"/acts/{act}", data=form)


async def test_a_form_does_once_what_it_says(site: Site) -> None:
    """Under the person's name, with one request id however often it is sent; the page says what
    was done.
    """
    await registered(site)
    async with signed_in(site) as browser:
        form = form_of(await browser.get("/machines/VM-1"), "/acts/disable-machine")
        form["reason"] = "its door is open"
        done = await _act(browser, "disable-machine", form)
        again = await _act(browser, "disable-machine", form)
        assert [303, 303] == [done.status_code, again.status_code]
        assert "/machines/VM-1#act-enable-machine" == done.headers["location"]
        page = await browser.get(done.headers["location"])
        after = await browser.get(done.headers["location"])
    assert "The machine is disabled." in page.text
    assert "The machine is disabled." not in after.text
    assert "/acts/enable-machine" in page.text
    told = await site.events.ListAuditRecords(event_service_pb2.ListAuditRecordsRequest())
    assert [("ann", "ann", "enabled yes -> no; its door is open")] == [
        (one.actor, one.claimed, one.detail)
        for one in told.records
        if one.action == "DisableMachine"
    ]


async def test_no_link_says_that_something_was_done(site: Site) -> None:
    """Neither by its words nor by a cookie that somebody else's act made."""
    await registered(site)
    async with signed_in(site, name="bea") as other:
        form = form_of(await other.get("/machines/VM-1"), "/acts/disable-machine")
        await _act(other, "disable-machine", form)
        theirs = {name: value for name, value in other.cookies.items() if name.endswith("_done")}
        assert theirs
    async with signed_in(site) as browser:
        page = await browser.get("/machines/VM-1?done=disable-machine")
        assert 'role="status"' not in page.text
        browser.cookies.update(theirs)
        page = await browser.get("/machines/VM-1")
        assert 'role="status"' not in page.text


async def test_whose_role_is_too_little_is_forbidden(site: Site) -> None:
    """They are shown no form, and who sends one all the same is told which role it takes."""
    await registered(site)
    async with signed_in(site, role="viewer") as browser:
        page = await browser.get("/machines/VM-1")
        assert "/acts/" not in page.text
        assert ">Act</th>" not in page.text
        form = {**form_of(page, "/logout"), "machine_id": "VM-1", "request_id": "q-1"}
        refused = await _act(browser, "disable-machine", form)
    assert (403, True) == (refused.status_code, "role technician" in refused.text)


@pytest.mark.parametrize(
    ("role", "acts"),
    [
        ("technician", {"disable-machine", "refill"}),
        ("finance", {"disable-machine", "refill", "retry-refund"}),
    ],
)
async def test_forms_are_those_of_the_role(site: Site, role: str, acts: set[str]) -> None:
    """Of a machine with a refund that Alipay refuses."""
    await refunded(site)
    async with signed_in(site, role=role) as browser:
        page = await browser.get("/machines/VM-1")
    assert acts == set(re.findall(r'action="/acts/([^"]+)"', page.text))


async def test_one_person_does_not_take_all_places(site: Site) -> None:
    """Thirty forms that never end, under several sessions of the same name, hold no more places
    than one person has; somebody else is answered meanwhile.
    """
    app_ = app.build_console_app(
        console_of(site), hosts=frozenset({HOST}), limits=DoorLimits(of_one_address_max=16)
    )
    logins = Logins(site.database)
    for link, name in (("link-1", "ann"), ("link-2", "ann"), ("link-3", "bea")):
        await logins.issue(name, link, role="owner", now_ms=site.clock.now_ms())
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"a="
        await ended.wait()

    async def slow(browser: httpx.AsyncClient) -> int:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        answer = await browser.post("/acts/enable-machine", content=endless(), headers=kind)
        return answer.status_code

    async with (
        a_browser(site, app=app_) as ann,
        a_browser(site, app=app_) as too,
        a_browser(site, app=app_) as bea,
    ):
        for browser, link in ((ann, "link-1"), (too, "link-2"), (bea, "link-3")):
            await browser.post(f"/login/{link}")
        sent = [asyncio.create_task(slow(one)) for one in (ann, too) for _ in range(15)]
        done: set[asyncio.Task[int]] = set()
        while len(done) < 30 - DoorLimits().of_one_person_max:
            done = {task for task in sent if task.done()}
            await asyncio.sleep(0)
        assert {429, 503} >= {task.result() for task in done}
        assert 429 == (await ann.get("/money")).status_code
        assert 200 == (await bea.get("/money")).status_code
        ended.set()
        answers = await asyncio.gather(*sent)
    assert DoorLimits().of_one_person_max == answers.count(400)


async def test_a_table_is_had_alone(site: Site) -> None:
    """Beside each picture stands the way to its table; a name that no table has is said."""
    await registered(site)
    async with signed_in(site) as browser:
        whole = await browser.get("/machines/VM-1")
        assert "/machines/VM-1?table=columns" in whole.text
        alone = await browser.get("/machines/VM-1", params={"table": "columns"})
        none = await browser.get("/machines/VM-1", params={"table": "moons"})
    assert "<svg" not in alone.text
    assert 1 == alone.text.count("<table>")
    assert 404 == none.status_code


async def test_the_browser_finds_a_picture_for_its_tab(site: Site) -> None:
    """Where it looks without being told."""
    async with a_browser(site) as browser:
        icon = await browser.get("/favicon.ico")
    assert (200, "image/svg+xml") == (icon.status_code, icon.headers["content-type"])


async def test_a_form_of_somebody_else_does_nothing(site: Site) -> None:
    """Without the key of the person's own forms, and without an id, nothing is done."""
    await registered(site)
    async with signed_in(site) as browser:
        form = form_of(await browser.get("/machines/VM-1"), "/acts/disable-machine")
        strange = [
            {**form, "form_key": "0" * 32},
            {name: value for name, value in form.items() if name != "form_key"},
            {**form, "request_id": ""},
        ]
        answers = [await _act(browser, "disable-machine", one) for one in strange]
        assert [400, 400, 400] == [one.status_code for one in answers]
        assert 400 == (await _act(browser, "no-such-act", form)).status_code
        refused = await _act(browser, "disable-machine", {**form, "etag": "stale"})
    assert 409 == refused.status_code
    assert "Back" in refused.text
    view = await site.queries.machine("VM-1")
    assert view is not None
    assert view.enabled


async def test_who_wrote_too_little_is_led_back(site: Site) -> None:
    """To the page of the form, as whoever is signed in."""
    await registered(site)
    async with signed_in(site) as browser:
        form = form_of(await browser.get("/machines/VM-1"), "/acts/disable-machine")
        said = await _act(browser, "refill", {**form, "quantity": "a few"})
    assert (400, True) == (said.status_code, "as a whole number from 1 on" in said.text)
    assert '<a href="/machines/VM-1#act-disable-machine">Back</a>' in said.text
    assert "Sign out" in said.text


async def test_a_refusal_is_a_sentence(site: Site) -> None:
    """Of a machine that is not there, and of an address that leads nowhere."""
    async with signed_in(site) as browser:
        nobody = await browser.get("/machines/VM-404")
        nowhere = await browser.get("/moons")
    assert (404, True) == (nobody.status_code, "there is no machine" in nobody.text)
    assert (404, True) == (nowhere.status_code, "There is no such page." in nowhere.text)


async def test_a_database_that_is_away_is_a_sentence(site: Site) -> None:
    """Who waits for a page hears why there is none."""
    async with signed_in(site) as browser:
        await site.close_database()
        page = await browser.get("/")
    assert (503, True) == (page.status_code, app.AWAY in page.text)


async def test_a_form_leads_back_to_our_own_pages(site: Site, subtests: pytest.Subtests) -> None:
    """And nowhere else, whatever it says."""
    await registered(site)
    async with signed_in(site) as browser:
        for back, expected in (
            ("/money?refunds=x", "/money?refunds=x"),
            ("//elsewhere.test/", "/"),
            ("https://elsewhere.test/", "/"),
            ("/\\elsewhere.test", "/"),
            ("/a\r\nset-cookie: x", "/"),
        ):
            with subtests.test(back=back):
                form = form_of(await browser.get("/machines/VM-1"), "/acts/disable-machine")
                del form["etag"]
                done = await _act(browser, "enable-machine", {**form, "back": back})
                there = f"{expected}#act-disable-machine"
                assert (303, there) == (done.status_code, done.headers["location"])


async def test_a_poster_is_had_as_a_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As GetPoster answers it, in a size that there is; what is refused is a sentence. It is not
    drawn here: that takes a process of its own.
    """
    await registered(site)
    asked: list[poster_service_pb2.GetPosterRequest] = []
    ask = LocalCalls.ask

    async def drawn(calls: LocalCalls, person: Person, request: Message) -> Any:
        if isinstance(request, poster_service_pb2.GetPosterRequest) and not asked:
            asked.append(request)
            return poster_service_pb2.GetPosterResponse(content=b"%PDF")
        return await ask(calls, person, request)

    monkeypatch.setattr(LocalCalls, "ask", drawn)
    async with signed_in(site, role="viewer") as browser:
        assert 'action="/machines/VM-1/poster"' in (await browser.get("/machines/VM-1")).text
        file = await browser.get("/machines/VM-1/poster", params={"size": "sticker"})
        no_size = await browser.get("/machines/VM-1/poster", params={"size": "a0"})
        nobody = await browser.get("/machines/VM-404/poster", params={"size": "a4"})
    sticker = poster_service_pb2.POSTER_SIZE_STICKER
    assert [poster_service_pb2.GetPosterRequest(machine_id="VM-1", size=sticker)] == asked
    assert (200, b"%PDF", "application/pdf") == (
        file.status_code,
        file.content,
        file.headers["content-type"],
    )
    assert 'attachment; filename="poster-VM-1-sticker.pdf"' == file.headers["content-disposition"]
    assert (400, 404) == (no_size.status_code, nobody.status_code)
    assert "there is no machine" in nobody.text
