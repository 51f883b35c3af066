"""The client over a transport that answers like Alipay, badly or not at all."""

import asyncio
import base64
import dataclasses
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from alipay_client import AlipayClient, AlipayConfig, SignType, envelope, messages
from alipay_client.errors import Misused, OutcomeUnknown, Refused, Retry, Unreachable, Untrusted
from alipay_client.keys import Keys, load_keys
from alipay_client.messages import RefundState
from tests.alipay_client import vectors
from tests.alipay_client.wire import PARTNER, Pair, answer, failure, md5, md5_config, transport
from tests.support.patience import HANGS_AFTER_S

MOMENT = datetime(2026, 1, 15, 2, 20, 32, tzinfo=UTC)
QRCODE = "https://qr.alipay.com/bax00000000000000000001"
BACKUP = "https://backup.example.com/gateway.do"
STOP = messages.ModifyCodeStatus(qrcode=QRCODE, action=messages.CodeAction.STOP)
SHOP = messages.Shop(
    secondary_merchant_id="op_1",
    secondary_merchant_name="Example Vending",
    secondary_merchant_industry="5499",
    store_id="VM_0001",
    store_name="Vending 1",
    trans_currency="EUR",
    currency="EUR",
)
REFUND = messages.Refund(
    partner_trans_id="OT202601150001",
    partner_refund_id="RF202601150001",
    amount_minor=150,
    currency="EUR",
)
REFUNDED = vectors.named("D7").fields()


def client(config: AlipayConfig, handler: httpx.AsyncBaseTransport) -> AlipayClient:
    """Make a client over a transport of the test's."""
    return AlipayClient(config, httpx.AsyncClient(transport=handler), now=lambda: MOMENT)


def signed(
    pair: Pair, fields: dict[str, str], *, wrapper: str = "alipay", charset: str = "UTF-8"
) -> bytes:
    """Answer as Alipay with RSA2."""
    return answer(fields, pair.signer(), wrapper=wrapper, charset=charset)


async def test_a_request_is_the_documented_one_byte_for_byte() -> None:
    """docs/alipay.md 3.5's wire example: POST, the charset in the URL, the body in order."""
    handler, seen = transport(
        answer({"qrcode": QRCODE}, md5, wrapper="qrcodeinfo", sign_type="MD5")
    )
    assert messages.CodeAnswer(qrcode=QRCODE) == await client(
        md5_config(), handler
    ).modify_code_status(STOP)
    assert (
        "POST",
        "https://mapi.alipaydev.com/gateway.do?_input_charset=UTF-8",
    ) == (seen[0].method, str(seen[0].url))
    assert vectors.D2_BODY == seen[0].content
    assert "application/x-www-form-urlencoded;charset=UTF-8" == seen[0].headers["Content-Type"]
    assert "identity" == seen[0].headers["Accept-Encoding"]


async def test_every_call_asks_its_service(pair: Pair) -> None:
    """Six calls, each with the answer that it is documented to get, signed with RSA2."""
    image = "https://mobilecodec.alipay.com/show.htm?code=bax1&picSize=L"
    trade = {
        "result_code": "SUCCESS",
        "alipay_trans_status": "TRADE_SUCCESS",
        "partner_trans_id": "OT1",
        "trans_amount": "500",
    }
    refund_query = {
        "response_code": "SUCCESS",
        "refund_result_code": "PROCESSING",
        "out_trade_no": "OT1",
        "out_return_no": "RF1",
    }
    handler, seen = transport(
        signed(pair, {"qrcode": QRCODE, "qrcode_img_url": image}, wrapper="qrcodeinfo"),
        signed(pair, {"qrcode": QRCODE}, wrapper="qrcodeinfo", charset="GBK"),
        signed(pair, {"qrcode": QRCODE}, wrapper="qrcodeinfo"),
        signed(pair, REFUNDED),
        signed(pair, refund_query),
        signed(pair, {**trade, "currency": "JPY"}),
    )
    ours = client(pair.config(), handler)
    url = "https://gw.example.com/n/1"
    answers = [
        await ours.create_code(messages.CreateCode(shop=SHOP, notify_url=url)),
        await ours.modify_code(messages.ModifyCode(qrcode=QRCODE, shop=SHOP, notify_url=url)),
        await ours.modify_code_status(STOP),
        await ours.refund(REFUND),
        await ours.query_refund(
            messages.QueryRefund(partner_trans_id="OT1", partner_refund_id="RF1")
        ),
        await ours.query_trade(messages.QueryTrade(partner_trans_id="OT1")),
    ]
    assert [
        messages.CodeAnswer(qrcode=QRCODE, image_url=image),
        messages.CodeAnswer(qrcode=QRCODE),
        messages.CodeAnswer(qrcode=QRCODE),
        messages.RefundAnswer(state=RefundState.SUCCEEDED, partner_refund_id="RF202601150001"),
        messages.RefundAnswer(state=RefundState.ACCEPTED, partner_refund_id="RF1"),
        messages.TradeAnswer(
            status="TRADE_SUCCESS", partner_trans_id="OT1", amount_minor=500, currency="JPY"
        ),
    ] == answers
    services = [parse_qs(request.content.decode())["service"][0] for request in seen]
    assert [
        "alipay.commerce.qrcode.create",
        "alipay.commerce.qrcode.modify",
        "alipay.commerce.qrcode.modifyStatus",
        "alipay.acquire.overseas.spot.refund",
        "alipay.acquire.refund.query",
        "alipay.acquire.overseas.query",
    ] == services
    await ours.close()


@pytest.mark.parametrize("sign_type", [SignType.RSA, SignType.RSA2])
async def test_a_request_is_signed_with_our_key_off_the_loop(
    sign_type: SignType, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a millisecond of arithmetic must not stand in the way of every other machine."""
    threads: list[str] = []
    build = envelope.build

    def spy(*args: object) -> bytes:
        threads.append(threading.current_thread().name)
        return build(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(envelope, "build", spy)
    handler, seen = transport(answer(REFUNDED, pair.signer(sign_type), sign_type=sign_type.value))
    ours = client(pair.config(sign_type), handler)
    await ours.refund(REFUND)
    await ours.close()
    assert threads[0].startswith("alipay-sign")
    sent = {name: values[0] for name, values in parse_qs(seen[0].content.decode()).items()}
    text = "&".join(
        f"{name}={value}"
        for name, value in sorted({**sent, "_input_charset": "UTF-8"}.items())
        if not name.startswith("sign")
    )
    algorithm = hashes.SHA1() if sign_type is SignType.RSA else hashes.SHA256()
    pair.merchant.public_key().verify(
        base64.b64decode(sent["sign"]), text.encode(), padding.PKCS1v15(), algorithm
    )
    assert PARTNER == sent["partner"]


def broken(
    pair: Pair,
) -> dict[str, tuple[bytes | httpx.Response | Exception, type[OutcomeUnknown], str]]:
    """Every way in which an answer may be no answer, with what it must become."""
    good = signed(pair, REFUNDED)
    return {
        "connection refused": (httpx.ConnectError("refused"), Unreachable, "transport"),
        "connect time-out": (httpx.ConnectTimeout("slow"), Unreachable, "timeout"),
        "read time-out": (httpx.ReadTimeout("slow"), Unreachable, "timeout"),
        "no free connection": (httpx.PoolTimeout("full"), Unreachable, "timeout"),
        "cut": (httpx.RemoteProtocolError("cut"), Unreachable, "transport"),
        "reset": (httpx.ReadError("reset"), Unreachable, "transport"),
        "502": (
            httpx.Response(502, content=b"<html>bad gateway</html>"),
            OutcomeUnknown,
            "http_502",
        ),
        "500 with a signed answer": (httpx.Response(500, content=good), OutcomeUnknown, "http_500"),
        "redirect": (
            httpx.Response(302, headers={"Location": "http://169.254.169.254/"}),
            OutcomeUnknown,
            "http_302",
        ),
        "html": (b"<!DOCTYPE html><html><body>busy</body></html>", Untrusted, "html_page"),
        "empty": (b"", Untrusted, "not_xml"),
        "half": (good[: len(good) // 2], Untrusted, "not_xml"),
        "oversized": (good + b" " * 65_536, Untrusted, "oversized"),
        "compressed": (
            httpx.Response(200, content=good, headers={"Content-Encoding": "x-bomb"}),
            Untrusted,
            "bad_encoding",
        ),
        "unsigned failure": (failure("SYSTEM_ERROR"), OutcomeUnknown, "SYSTEM_ERROR"),
        "unsigned refusal": (
            failure("ILLEGAL_PARTNER_EXTERFACE"),
            OutcomeUnknown,
            "ILLEGAL_PARTNER_EXTERFACE",
        ),
        "wrong key": (
            signed(Pair(merchant=pair.alipay, alipay=pair.merchant), REFUNDED),
            Untrusted,
            "bad_signature",
        ),
        "edited": (good.replace(b"<currency>EUR", b"<currency>USD"), Untrusted, "bad_signature"),
        "another refund": (
            signed(pair, {**REFUNDED, "partner_refund_id": "RF2"}),
            Untrusted,
            "echo_mismatch",
        ),
        "another amount": (
            signed(pair, {**REFUNDED, "refund_amount": "1.51"}),
            Untrusted,
            "echo_mismatch",
        ),
        "unknown": (
            signed(pair, {**REFUNDED, "result_code": "UNKNOW"}, charset="GBK"),
            OutcomeUnknown,
            "UNKNOW",
        ),
    }


async def test_whatever_is_no_answer_leaves_the_refund_unknown(pair: Pair) -> None:
    """Never a failure, never a success, and asked once only."""
    for name, (given, kind, code) in broken(pair).items():
        handler, seen = transport(given)
        with pytest.raises(OutcomeUnknown) as caught:
            await client(pair.config(), handler).refund(REFUND)
        assert (name, kind, code) == (name, type(caught.value), caught.value.code)
        assert 1 == len(seen)


@pytest.mark.parametrize(
    "echo", [{"service": "alipay.acquire.refund.query"}, {"partner_refund_id": "RF2"}]
)
async def test_an_answer_to_another_request_leaves_the_refund_unknown(
    pair: Pair, echo: dict[str, str]
) -> None:
    """The request that it repeats names another service or refund: it is no answer to this one."""
    body = answer({"result_code": "FAIL", "error": "TRADE_HAS_CLOSE"}, pair.signer(), echo=echo)
    handler, _ = transport(body)
    with pytest.raises(Untrusted) as caught:
        await client(pair.config(), handler).refund(REFUND)
    assert "echo_mismatch" == caught.value.code


async def test_a_signed_refusal_in_gbk_is_believed(pair: Pair) -> None:
    """The same id later when funds are short; never otherwise."""
    refusal = {
        "result_code": "FAIL",
        "error": "MERCHANT_BALANCE_NOT_ENOUGH",
        "detail_error_des": "余额不足 & <稍后>",
    }
    handler, _ = transport(
        signed(pair, refusal, charset="GBK"),
        signed(pair, {**refusal, "error": "TRADE_HAS_CLOSE"}, charset="GB2312"),
    )
    ours = client(pair.config(), handler)
    for retry in (Retry.LATER_SAME_ID, Retry.NEVER):
        with pytest.raises(Refused) as caught:
            await ours.refund(REFUND)
        assert retry is caught.value.retry


@pytest.mark.parametrize(
    "fault",
    [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.ReadTimeout("slow")],
)
async def test_the_identical_request_goes_once_to_the_backup(fault: Exception, pair: Pair) -> None:
    """The same bytes with the same id, so that doing it twice is doing it once."""
    handler, seen = transport(fault, signed(pair, REFUNDED))
    answered = await client(pair.config(backup_url=BACKUP), handler).refund(REFUND)
    assert answered.state is RefundState.SUCCEEDED
    assert ["gateway.example.com", "backup.example.com"] == [request.url.host for request in seen]
    assert seen[0].content == seen[1].content


async def test_when_both_hosts_are_away_the_refund_is_unknown(pair: Pair) -> None:
    """Two tries and no third."""
    handler, seen = transport(httpx.ConnectError("refused"), httpx.ReadError("reset"))
    with pytest.raises(OutcomeUnknown, match="transport"):
        await client(pair.config(backup_url=BACKUP), handler).refund(REFUND)
    assert 2 == len(seen)


@pytest.mark.parametrize("name", ["502", "html", "unsigned failure", "edited", "redirect"])
async def test_the_backup_is_for_transport_faults_alone(name: str, pair: Pair) -> None:
    """A host that answered, however badly, was reached."""
    handler, seen = transport(broken(pair)[name][0])
    with pytest.raises(OutcomeUnknown):
        await client(pair.config(backup_url=BACKUP), handler).refund(REFUND)
    assert 1 == len(seen)


class Dripping(httpx.AsyncByteStream):
    """A body that never ends, each piece within the read time-out."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Send a blank now and then."""
        while True:
            yield b" "
            await asyncio.sleep(0.001)


async def test_a_dripping_answer_does_not_outlast_the_whole_bound(pair: Pair) -> None:
    """Time-outs between pieces are not enough; both hosts are bounded."""
    handler = httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping()))
    config = dataclasses.replace(
        pair.config(backup_url=BACKUP, read_timeout_ms=20), connect_timeout_ms=20
    )
    with pytest.raises(OutcomeUnknown, match="timeout"):
        await client(config, handler).refund(REFUND)


class Endless(httpx.AsyncByteStream):
    """A body that never ends and comes at once."""

    def __init__(self) -> None:
        self.sent = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Send kilobytes."""
        while True:
            self.sent += 1_024
            yield b" " * 1_024


async def test_an_endless_answer_is_not_held(pair: Pair) -> None:
    """Reading stops at the bound."""
    endless = Endless()
    handler = httpx.MockTransport(lambda _: httpx.Response(200, stream=endless))
    with pytest.raises(Untrusted, match="oversized"):
        await client(pair.config(), handler).refund(REFUND)
    assert 65_536 + 1_024 == endless.sent


async def test_cancelling_is_never_an_outcome(pair: Pair) -> None:
    """A caller who cancels gets CancelledError, and the backup is not asked."""
    asked = asyncio.Event()
    hosts: list[str] = []

    async def hang(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    ours = client(pair.config(backup_url=BACKUP), httpx.MockTransport(hang))
    task = asyncio.create_task(ours.refund(REFUND))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ["gateway.example.com"] == hosts


async def test_misuse_sends_nothing() -> None:
    """A message that breaks a rule never reaches the wire."""
    handler, seen = transport()
    with pytest.raises(Misused):
        await client(md5_config(), handler).query_trade(messages.QueryTrade())
    assert [] == seen


@pytest.mark.parametrize(
    "changes",
    [
        {"md5_key": "short"},
        {"gateway_url": ""},
        {"gateway_url": "mapi.alipaydev.com/gateway.do"},
        {"gateway_url": "https://mapi.alipaydev.com/gateway.do?service=x"},
        {"gateway_url": "ftp://mapi.alipaydev.com/gateway.do"},
        {"gateway_url": "http://globalmapi.alipay.com/gateway.do"},
        {"backup_url": "http://mapi.alipaydev.com/gateway.do"},
        {"connect_timeout_ms": 0},
        {"read_timeout_ms": -1},
    ],
)
def test_a_configuration_that_cannot_work_is_refused_at_the_start(
    changes: dict[str, object],
) -> None:
    """With a sentence that says what to do."""
    with pytest.raises(Misused) as caught:
        AlipayClient(md5_config(**changes), httpx.AsyncClient())
    assert len(caught.value.detail.split()) > 4


async def test_its_own_connections_trust_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the environment, no redirects; closed with the client. Other keys of its sign
    type take the place of the first while it works.
    """
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    ours = AlipayClient.open(md5_config(gateway_url="http://127.0.0.1:9/gateway.do"))
    http = ours._http
    assert (False, False, {}) == (http.trust_env, http.follow_redirects, http._mounts)
    assert ours.keys.md5_key == md5_config().md5_key.encode()
    ours.use(load_keys(md5_config(md5_key="n" * 32)))
    assert b"n" * 32 == ours.keys.md5_key
    with pytest.raises(Misused):
        ours.use(Keys(sign_type=SignType.RSA2))
    assert ours._now().utcoffset() == datetime.now(UTC).utcoffset()
    await ours.close()
    assert http.is_closed


async def test_a_callers_connections_stay_the_callers() -> None:
    """Closing the client leaves them open."""
    async with httpx.AsyncClient() as http:
        await AlipayClient(md5_config(), http).close()
        assert not http.is_closed


async def test_the_date_of_an_answer_is_told(pair: Pair) -> None:
    """Whatever the answer is; one without a Date, or with a broken one, tells nothing."""
    told: list[tuple[int, int]] = []
    said = ("Fri, 02 Jan 2026 03:04:05 GMT", "yesterday", "Fri, 31 Dec 9999 23:59:59 GMT")
    dates = iter((*({"Date": one} for one in said), {}))
    http = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(500, headers=next(dates)))
    )
    ours = AlipayClient(
        pair.config(), http, answered=lambda date_ms, took_ms: told.append((date_ms, took_ms))
    )
    for _ in range(4):
        with pytest.raises(OutcomeUnknown):
            await ours.modify_code_status(STOP)
    await ours.close()
    await http.aclose()

    ((date_ms, took_ms),) = told
    assert int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()) * 1_000 == date_ms
    assert took_ms >= 0


async def test_alipay_is_asked_for_the_time(pair: Pair) -> None:
    """By a request that asks for nothing and shows nothing; whatever page comes, its Date counts,
    and no answer is no error.
    """
    seen: list[httpx.Request] = []
    heard: list[int] = []

    def page(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) > 1:
            raise httpx.ConnectError("away")
        return httpx.Response(404, headers={"Date": "Thu, 15 Jan 2026 02:20:32 GMT"})

    http = httpx.AsyncClient(transport=httpx.MockTransport(page))
    asks = AlipayClient(
        pair.config(), http, answered=lambda date_ms, _took_ms: heard.append(date_ms)
    )
    assert await asks.ask_time(within_s=HANGS_AFTER_S)
    assert not await asks.ask_time(within_s=HANGS_AFTER_S)
    await asks.close()

    assert [int(MOMENT.timestamp() * 1_000)] == heard
    assert ("GET", b"", b"") == (seen[0].method, seen[0].url.query, seen[0].content)
