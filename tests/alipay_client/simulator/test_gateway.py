"""Who may call what."""

import base64
from dataclasses import replace

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from alipay_client.simulator import application, gmt8
from tests.alipay_client.simulator.merchant import (
    CONFIG,
    NOON_MS,
    PARTNER,
    World,
    md5_of,
    read,
    signed,
    world,
)

QUERY = "alipay.acquire.overseas.query"
STOP = "alipay.commerce.qrcode.modifyStatus"


async def test_a_signed_call_is_let_in(here: World) -> None:
    """The charset of the URL is part of what is signed, and the request comes back as an echo."""
    answer = await here.call(QUERY, partner_trans_id="unknown")
    assert {
        "result_code": "FAIL",
        "error": "TRADE_NOT_EXIST",
        "detail_error_code": "TRADE_NOT_EXIST",
    } == answer.signed
    assert "unknown" == answer.echo["partner_trans_id"]
    assert "UTF-8" == answer.echo["_input_charset"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"service": "alipay.commerce.qrcode.modifystatus"}, "ILLEGAL_SERVICE"),
        ({"partner": "2088000000000002"}, "ILLEGAL_PARTNER"),
        ({"sign_type": "md5"}, "ILLEGAL_SIGN_TYPE"),
        ({"sign_type": "RSA2"}, "ILLEGAL_SECURITY_PROFILE"),
        ({"sign": "0" * 32}, "ILLEGAL_SIGN"),
        ({"sign": ""}, "ILLEGAL_SIGN"),
        ({"partner_trans_id": "another"}, "ILLEGAL_SIGN"),
    ],
)
async def test_access_codes(here: World, changes: dict[str, str], code: str) -> None:
    """Each broken rule has its code, unsigned, and is kept for the control page."""
    response = await here.send(signed(QUERY, partner_trans_id="x") | changes)
    assert code == read(response.content).error
    assert [code] == [turned.code for turned in here.alipay.context.turned_away]


async def test_who_asks_for_nothing_is_answered_and_not_noted(here: World) -> None:
    """A client asks so for the time, each time that it starts: nobody shall look into that."""
    answer = await here.alipay.answer("GET", b"", b"")
    assert "ILLEGAL_SERVICE" == read(answer.body).error
    assert [] == list(here.alipay.context.turned_away)


async def test_an_unknown_parameter_breaks_the_signature(here: World) -> None:
    """Only documented parameters count, so a caller who signs another one signs something else."""
    assert "ILLEGAL_SIGN" == (await here.call(QUERY, partner_trans_id="x", qr_code="y")).error
    unsigned_extra = signed(QUERY, partner_trans_id="x") | {"qr_code": "y"}
    assert "TRADE_NOT_EXIST" == read((await here.send(unsigned_extra)).content).error


async def test_the_charset_belongs_into_the_url(here: World) -> None:
    """A POST without it in the URL is refused, even if the body names it."""
    parameters = signed(QUERY, partner_trans_id="x") | {"_input_charset": "UTF-8"}
    assert "ILLEGAL_CHARSET" == read((await here.send(parameters, charset="")).content).error
    assert read((await here.send(parameters)).content).ok


async def test_a_get_works_too(here: World) -> None:
    """With everything in the query."""
    parameters = {
        "service": QUERY,
        "partner": PARTNER,
        "_input_charset": "UTF-8",
        "partner_trans_id": "x",
    }
    parameters |= {"sign": md5_of(parameters), "sign_type": "MD5"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=application(here.alipay)), base_url="http://alipay"
    ) as http:
        assert (
            "TRADE_NOT_EXIST"
            == read((await http.get("/gateway.do", params=parameters)).content).error
        )


@pytest.mark.parametrize(
    ("timestamp", "code"),
    [
        ("2026-01-15 12:00:00", ""),
        ("2026-01-15 11:30:00", ""),
        ("2026-01-15 11:29:59", "ILLEGAL_ARGUMENT"),
        ("2026-01-15 12:30:01", "ILLEGAL_ARGUMENT"),
        ("2026-01-15 04:00:00", "ILLEGAL_ARGUMENT"),
        ("2026-01-15T12:00:00", "ILLEGAL_ARGUMENT"),
    ],
)
async def test_timestamps_are_gmt8_and_expire(here: World, timestamp: str, code: str) -> None:
    """Thirty minutes are allowed; a client that writes UTC is eight hours off."""
    qrcode = await here.create()
    answer = await here.call(
        STOP, timestamp=timestamp, biz_type="OVERSEASHOPQRCODE", qrcode=qrcode, status="STOP"
    )
    assert code == answer.error


@pytest.mark.parametrize("name", ["timestamp", "biz_type", "qrcode", "status"])
async def test_required_parameters(here: World, name: str) -> None:
    """A missing parameter is an illegal argument."""
    whole = {
        "timestamp": gmt8.text(NOON_MS),
        "biz_type": "OVERSEASHOPQRCODE",
        "qrcode": "q",
        "status": "STOP",
    }
    assert "ILLEGAL_ARGUMENT" == (await here.call(STOP, **(whole | {name: ""}))).error


@pytest.mark.parametrize(
    "changes",
    [{"biz_type": "OTHER"}, {"notify_url": "ftp://x"}, {"notify_url": "https://" + "x" * 200}],
)
async def test_malformed_parameters(here: World, changes: dict[str, str]) -> None:
    """biz_type is a constant; a notify_url is an http URL of at most 200."""
    whole = {
        "timestamp": gmt8.text(NOON_MS),
        "biz_type": "OVERSEASHOPQRCODE",
        "qrcode": "q",
        "status": "STOP",
    }
    assert "ILLEGAL_ARGUMENT" == (await here.call(STOP, **(whole | changes))).error


async def test_a_service_outside_the_contract(here: World) -> None:
    """The vending page's list holds no query; a contract may lack it."""
    here.alipay.switch({"closed_services": [QUERY]})
    assert "ILLEGAL_PARTNER_EXTERFACE" == (await here.call(QUERY, partner_trans_id="x")).error


async def test_business_failures_can_be_unsigned(here: World) -> None:
    """The sources do not say how qrcode failures look; both forms can be had."""
    failed = await here.code_call(
        "modifyStatus", qrcode="https://qr.alipay.com/none", status="STOP"
    )
    assert failed.signed is not None
    assert "FAIL" == failed.signed["result_code"]
    here.alipay.switch({"qrcode_failure": "F"})
    failed = await here.code_call(
        "modifyStatus", qrcode="https://qr.alipay.com/none", status="STOP"
    )
    assert (None, "ILLEGAL_ARGUMENT") == (failed.signed, failed.error)


async def test_notify_verify(here: World) -> None:
    """True until the merchant has acknowledged it, and false for anything else."""
    here.letters.answer = b"fail"
    here.alipay.pay(await here.create(), "5.00")
    await here.alipay.settle()
    notify_id = here.letters.received[0]["notify_id"]
    assert "true" == await _verify(here, notify_id)
    assert "false" == await _verify(here, "0" * 34)
    assert "ILLEGAL_PARTNER" in await _verify(here, notify_id, partner="2088000000000009")
    here.letters.answer = b"success"
    here.clock.at_ms += 120_000
    await here.alipay.settle()
    assert "false" == await _verify(here, notify_id)


async def _verify(here: World, notify_id: str, partner: str = PARTNER) -> str:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=application(here.alipay)), base_url="http://alipay"
    ) as http:
        parameters = {"service": "notify_verify", "partner": partner, "notify_id": notify_id}
        return (await http.get("/gateway.do", params=parameters)).text


async def test_rsa2_both_ways() -> None:
    """An RSA2 request is verified with the merchant's key, and its answer is signed as RSA2 with
    Alipay's.
    """
    merchant, alipay = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2)
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = alipay.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode()
    public = (
        merchant.public_key()
        .public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    made = world(
        replace(
            CONFIG,
            md5_key="",
            sign_type="RSA2",
            alipay_private_key=private,
            merchant_public_key=public,
        )
    )
    text = f"_input_charset=UTF-8&partner={PARTNER}&partner_trans_id=x&service={QUERY}"
    signature = merchant.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    parameters = {
        "service": QUERY,
        "partner": PARTNER,
        "partner_trans_id": "x",
        "sign_type": "RSA2",
        "sign": base64.b64encode(signature).decode(),
    }
    answer = (await made.send(parameters)).text
    assert "<sign_type>RSA2</sign_type>" in answer
    inner = "detail_error_code=TRADE_NOT_EXIST&error=TRADE_NOT_EXIST&result_code=FAIL"
    answered = answer.split("<sign>")[1].split("</sign>")[0]
    alipay.public_key().verify(
        base64.b64decode(answered, validate=True),
        inner.encode(),
        padding.PKCS1v15(),
        hashes.SHA256(),
    )
    await made.alipay.close()
