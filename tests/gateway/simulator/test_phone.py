"""Paying at the pretend Alipay."""

import json

import httpx
import pytest

from gateway.simulator.phone import NotPaid, Paid, Phone


async def pay(
    answer: httpx.Response | Exception, seen: list[object] | None = None
) -> Paid | NotPaid:
    """Pay once against one answer."""

    def handle(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append((request.method, str(request.url), json.loads(request.content)))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with Phone("http://alipay.test", transport=httpx.MockTransport(handle)) as phone:
        return await phone.pay(qr_payload="qr", amount_minor=1230, currency="HKD", buyer="alice")


async def test_a_payment_names_code_amount_and_buyer() -> None:
    """The amount is exact text in the major unit; the answer is the trade."""
    seen: list[object] = []
    answer = httpx.Response(
        200, json={"trade_no": "t1", "out_trade_no": "o1", "amount_minor": 1230, "currency": "HKD"}
    )

    assert Paid(trade_no="t1", amount_minor=1230) == await pay(answer, seen)
    assert [
        (
            "POST",
            "http://alipay.test/control/pay",
            {"qrcode": "qr", "amount": "12.30", "buyer": "alice"},
        )
    ] == seen


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(409, json={"error": "CODE_STOPPED"}), "CODE_STOPPED"),
        (httpx.Response(404), "UNKNOWN_CODE"),
        (httpx.Response(500, json={}), "500"),
        (httpx.Response(500, text="oops"), "NO_ANSWER"),
        (httpx.Response(200, json=[]), "NO_ANSWER"),
        (httpx.ConnectError("refused"), "NO_ANSWER"),
    ],
)
async def test_a_payment_that_fails_says_why(
    answer: httpx.Response | Exception, reason: str
) -> None:
    """Refused, unknown code, or no answer: then nobody knows."""
    assert await pay(answer) == NotPaid(reason=reason)


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        (httpx.Response(200, json={"noted": 1}), True),
        (httpx.Response(404), False),
        (httpx.ConnectError("refused"), False),
    ],
)
async def test_what_a_machine_shows_is_told(
    answer: httpx.Response | Exception, taken: bool
) -> None:
    """As it is, and whether anybody listened."""
    seen: list[object] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append((str(request.url), json.loads(request.content)))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with Phone("http://alipay.test", transport=httpx.MockTransport(handle)) as phone:
        assert taken is await phone.show([{"qrcode": "qr", "text": "x"}])
    assert [
        ("http://alipay.test/control/screens", {"screens": [{"qrcode": "qr", "text": "x"}]})
    ] == seen
