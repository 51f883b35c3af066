"""A merchant with a pen of his own: signs, calls, checks what comes back, and keeps the
notifications that reach him.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from defusedxml import ElementTree

from alipay_client.simulator import SimulatedAlipay, SimulatorConfig, application, build, gmt8

PARTNER = "2088000000000001"
KEY = "1" + 31 * "0"
NOON_MS = gmt8.parse("2026-01-15 12:00:00")
NOTIFY_URL = "https://gw.example.com/alipay/notify/token-1"
CONFIG = SimulatorConfig(partner=PARTNER, md5_key=KEY)


def md5_of(parameters: Mapping[str, str], codec: str = "utf-8") -> str:
    """The MD5 signature, written down a second time."""
    text = "&".join(
        f"{name}={parameters[name]}"
        for name in sorted(parameters)
        if parameters[name] and name not in {"sign", "sign_type"}
    )
    return hashlib.md5((text + KEY).encode(codec), usedforsecurity=False).hexdigest()


@dataclass
class Clock:
    """A clock that stands until it is told to go on."""

    at_ms: int = NOON_MS

    def __call__(self) -> int:
        """Milliseconds since the epoch."""
        return self.at_ms


@dataclass
class Letterbox:
    """Where notifications arrive; answers what it is told to."""

    answer: bytes = b"success"
    broken: bool = False
    received: list[dict[str, str]] = field(default_factory=list)
    at_ms: list[int] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)

    async def __call__(self, url: str, body: bytes, content_type: str) -> bytes:
        """Keeps what arrives; its signature must fit."""
        charset = content_type.rpartition("=")[2]
        fields = dict(parse_qsl(body.decode(), encoding=charset, errors="strict"))
        assert md5_of(fields, charset) == fields["sign"]
        self.received.append(fields)
        self.at_ms.append(self.clock.at_ms)
        self.urls.append(url)
        if self.broken:
            raise OSError("nobody at home")
        return self.answer


@dataclass(frozen=True)
class Xml:
    """An answer, taken apart; ``signed`` is None where nothing was signed."""

    ok: bool
    error: str
    signed: dict[str, str] | None
    wrapper: str = ""
    echo: dict[str, str] = field(default_factory=dict)


def read(body: bytes) -> Xml:
    """Takes an MD5 answer apart; the signature must fit."""
    charset = "gbk" if b'encoding="GBK"' in body[:60] else "utf-8"
    root = ElementTree.fromstring(body.decode(charset).split("?>", 1)[1])
    if root.findtext("is_success") == "F":
        assert root.find("sign") is None
        return Xml(ok=False, error=root.findtext("error") or "", signed=None)
    response, request = root.find("response"), root.find("request")
    assert response is not None
    assert request is not None
    (inner,) = response
    signed = {child.tag: child.text or "" for child in inner}
    assert all(signed.values()), "empty elements are left out"
    assert md5_of(signed, charset) == root.findtext("sign")
    echo = {item.attrib["name"]: item.text or "" for item in request}
    return Xml(ok=True, error=signed.get("error", ""), signed=signed, wrapper=inner.tag, echo=echo)


def shop(**changes: Any) -> str:
    """biz_data."""
    data = {
        "secondary_merchant_id": "merchant_1",
        "secondary_merchant_name": "Example Vending",
        "secondary_merchant_industry": "5499",
        "store_id": "VM_0001",
        "store_name": "Lobby",
        "trans_currency": "HKD",
        "currency": "HKD",
        "passback_parameters": json.dumps({"machine": "VM_0001"}),
        **changes,
    }
    return json.dumps(
        {name: value for name, value in data.items() if value is not None}, ensure_ascii=False
    )


@dataclass
class World:
    """A pretend Alipay, a merchant and his letterbox, on one clock."""

    alipay: SimulatedAlipay
    letters: Letterbox
    clock: Clock
    slept: list[float] = field(default_factory=list)

    async def send(
        self, parameters: Mapping[str, str], *, charset: str = "UTF-8"
    ) -> httpx.Response:
        """POSTs the parameters as they are."""
        query = f"?_input_charset={charset}" if charset else ""
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=application(self.alipay)), base_url="http://alipay"
        ) as http:
            codec = charset or "utf-8"
            body = urlencode(parameters, encoding=codec)
            return await http.post(
                f"/gateway.do{query}",
                content=body,
                headers={"content-type": "application/x-www-form-urlencoded"},
            )

    async def call(self, service: str, **parameters: str) -> Xml:
        """Signs with MD5, sends and reads."""
        response = await self.send(signed(service, **parameters))
        return read(response.content)

    async def create(self, **changes: Any) -> str:
        """A code's text."""
        answer = await self.code_call("create", notify_url=NOTIFY_URL, biz_data=shop(**changes))
        assert answer.signed is not None
        return answer.signed["qrcode"]

    async def code_call(self, method: str, **parameters: str) -> Xml:
        """One of the three qrcode services."""
        now = gmt8.text(self.clock.at_ms)
        return await self.call(
            f"alipay.commerce.qrcode.{method}",
            timestamp=now,
            biz_type="OVERSEASHOPQRCODE",
            **parameters,
        )

    async def refund(self, out_trade_no: str, refund_id: str, amount: str, **changes: str) -> Xml:
        """A synchronous refund in HKD, unless changed."""
        asked = {
            "partner_trans_id": out_trade_no,
            "partner_refund_id": refund_id,
            "refund_amount": amount,
            "currency": "HKD",
        }
        return await self.call(
            "alipay.acquire.overseas.spot.refund", **(asked | {"is_sync": "Y"} | changes)
        )

    async def refund_state(self, out_trade_no: str, refund_id: str) -> dict[str, str]:
        """What refund.query says."""
        answer = await self.call(
            "alipay.acquire.refund.query", out_trade_no=out_trade_no, out_return_no=refund_id
        )
        assert answer.signed is not None
        return answer.signed


def signed(service: str, **parameters: str) -> dict[str, str]:
    """The body's parameters of an MD5 call; the charset is signed and travels in the URL."""
    whole = {"service": service, "partner": PARTNER, "_input_charset": "UTF-8", **parameters}
    whole["sign"], whole["sign_type"] = md5_of(whole), "MD5"
    del whole["_input_charset"]
    return whole


def world(
    config: SimulatorConfig = CONFIG, book_path: Path | None = None, clock: Clock | None = None
) -> World:
    """Everything that a test needs."""
    clock = clock or Clock()
    letters = Letterbox(clock=clock)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    alipay = build(config, book_path, now_ms=clock, deliver=letters, sleep=sleep)
    return World(alipay=alipay, letters=letters, clock=clock, slept=slept)
