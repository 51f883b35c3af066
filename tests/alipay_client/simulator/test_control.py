"""The control interface."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import rsa

from alipay_client.simulator import application, phone
from tests.alipay_client.simulator.merchant import World, signed
from tests.alipay_client.wire import private_pem


@pytest_asyncio.fixture(name="http")
async def a_browser(here: World) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the world's ASGI application."""
    transport = httpx.ASGITransport(app=application(here.alipay))
    async with httpx.AsyncClient(transport=transport, base_url="http://alipay") as http:
        yield http


async def test_a_customer_pays(here: World, http: httpx.AsyncClient) -> None:
    """Codes are listed, one is paid, the book shows it."""
    qrcode = await here.create()
    expected = {
        "qrcode": qrcode,
        "store_id": "VM_0001",
        "store_name": "Lobby",
        "currency": "HKD",
        "status": "ACTIVE",
    }
    assert {"codes": [expected], "left_off": 0} == (await http.get("/control/codes")).json()
    paid = await http.post(
        "/control/pay", json={"qrcode": qrcode, "amount": "5.00", "buyer": "bob"}
    )
    trade = (await http.get("/control/book")).json()["trades"][0]
    assert 200 == paid.status_code
    assert {
        "trade_no": trade["trade_no"],
        "out_trade_no": trade["out_trade_no"],
        "amount_minor": 500,
        "currency": "HKD",
    } == paid.json()
    assert "bob" == trade["buyer"]
    assert {"status": "ok"} == (await http.get("/healthz")).json()


async def test_why_a_customer_cannot_pay(here: World, http: httpx.AsyncClient) -> None:
    """Unknown, stopped and deleted codes, and amounts that are none, each with status and code."""
    qrcode = await here.create()
    assert (404, "CODE_UNKNOWN") == await _pay(http, "https://none")
    assert (400, "BAD_AMOUNT") == await _pay(http, qrcode, amount="0")
    assert (400, "BAD_REQUEST") == await _pay(http, qrcode, amount=5)
    await here.code_call("modifyStatus", qrcode=qrcode, status="STOP")
    assert (409, "CODE_STOPPED") == await _pay(http, qrcode)
    await here.code_call("modifyStatus", qrcode=qrcode, status="DELETE")
    assert (409, "CODE_DELETED") == await _pay(http, qrcode)


async def _pay(http: httpx.AsyncClient, qrcode: str, amount: object = "5.00") -> tuple[int, str]:
    response = await http.post("/control/pay", json={"qrcode": qrcode, "amount": amount})
    return response.status_code, response.json()["error"]


async def test_faults_are_switched_at_run_time(here: World, http: httpx.AsyncClient) -> None:
    """Faults and quirks in one object; a wrong one is refused with a sentence."""
    before = (await http.get("/control/faults")).json()
    after = await http.post(
        "/control/faults", json={"notify_lost": 1, "services": ["x"], "short_of_funds": True}
    )
    assert before | {"notify_lost": 1.0, "services": ["x"], "short_of_funds": True} == after.json()
    wrong = await http.post("/control/faults", json={"notify_lost": 2})
    assert (
        400,
        "notify_lost is a number from 0 to 1.0",
    ) == (wrong.status_code, wrong.json()["detail"])
    assert {"planned": 1} == (
        await http.post("/control/plan", json={"faults": ["http_500"]})
    ).json()
    assert 400 == (await http.post("/control/plan", json={"faults": ["nonsense"]})).status_code
    assert 400 == (await http.post("/control/plan", json={"faults": "http_500"})).status_code
    assert ["http_500"] == list(here.alipay.context.planned)


async def test_redeliver_and_finish(here: World, http: httpx.AsyncClient) -> None:
    """An acknowledged notification goes out again; a trade's window can be ended ahead of time,
    once.
    """
    trade = here.alipay.pay(await here.create(), "5.00")
    await here.alipay.settle()
    assert {"redelivered": 1} == (
        await http.post("/control/redeliver", json={"trade_no": trade.trade_no})
    ).json()
    await here.alipay.settle()
    assert ["TRADE_SUCCESS"] * 2 == [told["trade_status"] for told in here.letters.received]
    assert {"status": "TRADE_FINISHED"} == (
        await http.post("/control/finish", json={"trade_no": trade.trade_no})
    ).json()
    await here.alipay.settle()
    assert "TRADE_FINISHED" == here.letters.received[-1]["trade_status"]
    assert (
        409 == (await http.post("/control/finish", json={"trade_no": trade.trade_no})).status_code
    )
    for path in ("/control/redeliver", "/control/finish"):
        assert 404 == (await http.post(path, json={"trade_no": "1"})).status_code


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"[" * 60_000, b"\xff"])
async def test_bodies_that_are_no_json(http: httpx.AsyncClient, body: bytes) -> None:
    """Refused with a sentence."""
    response = await http.post("/control/pay", content=body)
    assert (400, "BAD_REQUEST") == (response.status_code, response.json()["error"])


async def test_everything_has_a_bound(http: httpx.AsyncClient) -> None:
    """Bodies and lists."""
    assert 413 == (await http.post("/control/pay", content=b"x" * 70_000)).status_code
    assert (
        413
        == (await http.post("/gateway.do?_input_charset=UTF-8", content=b"x" * 70_000)).status_code
    )
    assert 200 == (await http.get("/control/book", params={"limit": "5"})).status_code
    for limit in ("0", "10001", "-1", "x", "9" * 30):
        assert 400 == (await http.get("/control/book", params={"limit": limit})).status_code


async def test_other_sites_may_not_press_our_buttons(here: World, http: httpx.AsyncClient) -> None:
    """A POST from a page of another origin is refused."""
    qrcode = await here.create()
    form = {"qrcode": qrcode, "amount": "5.00"}
    assert (
        403 == (await http.post("/pay", data=form, headers={"origin": "http://evil"})).status_code
    )
    assert (
        303 == (await http.post("/pay", data=form, headers={"origin": "http://alipay"})).status_code
    )
    assert {"HKD": {"paid_minor": 500, "refunded_minor": 0}} == (await here.alipay.book())["totals"]


async def test_a_phone_scans_pays_and_sees_what_comes_back(
    here: World, http: httpx.AsyncClient
) -> None:
    """From page to page, without a script; what cannot be paid leads back to the amount and says
    why; the parts that change by themselves are had alone.
    """
    qrcode = await here.create()
    words = {"text": qrcode}
    assert 'action="/pay"' in (await http.get("/scan", params=words)).text
    assert "The machine says nothing." in (await http.get("/scan/live", params=words)).text
    wrong = await http.post(
        "/pay", data={"qrcode": qrcode, "amount": "5,20", "buyer": "bob"}, follow_redirects=True
    )
    assert "BAD_AMOUNT not an amount such as 12.50" in wrong.text
    assert 'name="amount" inputmode="decimal" value="5,20"' in wrong.text
    assert 'name="buyer" value="bob"' in wrong.text
    form = {"qrcode": qrcode, "amount": "5.00", "buyer": "bob"}
    paid = await http.post("/pay", data=form, follow_redirects=True)
    trade = (await here.alipay.book())["trades"][0]
    assert f"/payments/{trade['trade_no']}" == paid.url.path
    assert "5.00 HKD" in paid.text
    await here.refund(trade["out_trade_no"], "R1", "2.00")
    assert "Came back to you" in (await http.get(f"{paid.url.path}/live")).text
    assert "2.00 HKD came back" in (await http.get("/payments")).text
    assert "2.00 HKD came back" in (await http.get("/payments/live")).text
    for nowhere in ("/payments/1", "/payments/1/live", "/scan/live"):
        assert 404 == (await http.get(nowhere)).status_code
    nobody = await http.get("/scan", params={"text": "x"}, follow_redirects=True)
    assert "Nobody has this code" in nobody.text


async def test_the_buttons_of_the_counter(here: World, http: httpx.AsyncClient) -> None:
    """Switch and send again, each leading back to the page that says what happened."""
    trade_no = here.alipay.pay(await here.create(), "5.00").trade_no

    async def pressed(path: str, **form: str) -> str:
        answer = await http.post(path, data=form, follow_redirects=True)
        assert "/counter" == answer.url.path
        return answer.text

    assert "Due again: 1" in await pressed("/redeliver", trade_no=trade_no)
    assert "Switched" in await pressed("/faults", slow="0.5", short_of_funds="true")
    assert 0.5 == here.alipay.context.faults.slow
    assert here.alipay.context.quirks.short_of_funds is True
    assert "slow is a number" in await pressed("/faults", slow="7")
    assert "<h2>Book</h2>" in (await http.get("/counter/live")).text
    assert (
        400 == (await http.post("/pay", content=b"&".join(b"a=1" for _ in range(200)))).status_code
    )


async def test_what_machines_show(here: World, http: httpx.AsyncClient) -> None:
    """A machine tells its screen, and the part of the page that changes by itself shows it; codes
    that nobody has are left out.
    """
    qrcode = await here.create()
    told = {"qrcode": qrcode, "text": "Scan to pay for A1", "amount": "8.50", "left_ms": 20_000}
    nobody = {"qrcode": "https://none", "text": "x"}
    noted = await http.post("/control/screens", json={"screens": [told, nobody]})
    assert {"noted": 1} == noted.json()
    live = (await http.get("/live")).text
    assert "Scan to pay for A1<br>asks for <strong>8.50 HKD</strong>" in live
    await http.post("/control/screens", json={"screens": [{"qrcode": qrcode, "text": "Ready"}]})
    assert "asks for" not in (await http.get("/live")).text


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        [1],
        [{"text": "x"}],
        [{"qrcode": "{qr}"}],
        [{"qrcode": "{qr}", "text": "x" * 121}],
        [{"qrcode": "{qr}", "text": "x", "amount": 8}],
        [{"qrcode": "{qr}", "text": "x", "left_ms": -1}],
        [{"qrcode": "{qr}", "text": "x", "left_ms": "1"}],
        [{"qrcode": "{qr}", "text": "x", "left_ms": 10**10}],
    ],
)
async def test_screens_that_are_none(here: World, http: httpx.AsyncClient, wrong: object) -> None:
    """Refused as a whole, with a sentence, and nothing is shown."""
    qrcode = await here.create()
    body = json.dumps({"screens": wrong}).replace("{qr}", qrcode)
    refused = await http.post("/control/screens", content=body)

    assert (400, "BAD_REQUEST") == (refused.status_code, refused.json()["error"])
    assert here.alipay.context.screens.of(qrcode) is None


async def test_the_pictures_of_the_page(here: World, http: httpx.AsyncClient) -> None:
    """Each code that exists has one; the script is served from here, so that none stands in the
    page.
    """
    qrcode = await here.create()
    drawn = await http.get("/code.svg", params={"text": qrcode})
    assert (200, "image/svg+xml") == (drawn.status_code, drawn.headers["content-type"])
    assert phone.picture(qrcode) == drawn.content
    assert 404 == (await http.get("/code.svg", params={"text": "https://none"})).status_code
    assert phone.SCRIPT == (await http.get("/page.js")).text
    assert phone.STYLE == (await http.get("/phone.css")).text
    for path in ("/", "/payments", "/counter"):
        assert '<script src="/page.js" defer></script>' in (await http.get(path)).text


async def test_no_answer_in_process(here: World, http: httpx.AsyncClient) -> None:
    """What a real client would see is raised through the ASGI transport."""
    here.alipay.plan("no_answer_done")
    with pytest.raises(httpx.RemoteProtocolError):
        await http.post(
            "/gateway.do?_input_charset=UTF-8",
            data=signed("alipay.acquire.overseas.query", partner_trans_id="x"),
        )


async def test_its_keys_are_exchanged(here: World, http: httpx.AsyncClient) -> None:
    """What it signs from then on is proved by the new key alone; one that is none changes
    nothing.
    """
    key = rsa.generate_private_key(65_537, 2_048)
    before = here.alipay.context.ring
    for wrong in ({"alipay_private_key": "none"}, {"a key": "x"}):
        assert 400 == (await http.post("/control/keys", json=wrong)).status_code
    assert before == here.alipay.context.ring
    done = await http.post("/control/keys", json={"alipay_private_key": private_pem(key)})
    assert 200 == done.status_code
    ring = here.alipay.context.ring
    assert ring.private is not None
    assert key.public_key() == ring.private.public_key()
    assert before.public == ring.public
