"""A customer's phone: pays a code at the pretend Alipay, through its control API.

Flows in: the code's text and an amount in minor units. Flows out: the trade, or why there is none.
The machine is not asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from gateway.simulator.screen import amount_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """Alipay took the money."""

    trade_no: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPaid:
    """No money moved, as far as the phone knows. ``reason`` is Alipay's word, or UNKNOWN_CODE, or
    NO_ANSWER.
    """

    reason: str


class Phone:
    """The phones of all customers of one fleet; one bounded connection pool."""

    def __init__(
        self, alipay_url: str, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        limits = httpx.Limits(max_connections=32, max_keepalive_connections=8)
        timeout = httpx.Timeout(15.0)
        self._http = httpx.AsyncClient(
            base_url=alipay_url,
            transport=transport,
            limits=limits,
            timeout=timeout,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def pay(
        self, *, qr_payload: str, amount_minor: int, currency: str, buyer: str
    ) -> Paid | NotPaid:
        """Scan and pay once. NO_ANSWER means that nobody knows, as with a real phone that lost its
        network.
        """
        body = {"qrcode": qr_payload, "amount": amount_text(amount_minor, currency), "buyer": buyer}
        try:
            answer = await self._http.post("/control/pay", json=body)
            if answer.status_code == httpx.codes.NOT_FOUND:
                return NotPaid(reason="UNKNOWN_CODE")
            told = answer.json()
            if answer.status_code == httpx.codes.OK:
                return Paid(trade_no=str(told["trade_no"]), amount_minor=int(told["amount_minor"]))
            return NotPaid(reason=str(told.get("error", answer.status_code)))
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
            return NotPaid(reason="NO_ANSWER")

    async def show(self, screens: Sequence[Mapping[str, object]]) -> bool:
        """Tell what machines show, for the page; return whether anybody took it."""
        try:
            answer = await self._http.post("/control/screens", json={"screens": list(screens)})
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK
