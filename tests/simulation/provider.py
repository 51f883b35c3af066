"""The pretend Alipay of the world, and what the world's own witness of its wire writes down.

Flows in: requests of the hosts, payments of the customers. Flows out: answers, spoilt as the
faults wants, and notifications to whichever gateway is alive. The witness knows every refund that
was ever asked for, under which id and for how much.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import httpx

from alipay_client.simulator import SimulatorConfig, build, payments
from alipay_client.simulator.model import Declined, Trade
from tests.simulation.faults import ALIPAY_FAULTS, LATER_FAULTS
from tests.simulation.keys import MD5_KEY, PARTNER, merchant_keys, spelt
from tests.simulation.processes import Died, outside

if TYPE_CHECKING:
    from tests.simulation.world import World

REDELIVERY_MS = (
    20_000,
    40_000,
    60_000,
    120_000,
    180_000,
    240_000,
    300_000,
    300_000,
    300_000,
    600_000,
    600_000,
    900_000,
    900_000,
)


@dataclass(slots=True, kw_only=True)
class Witness:
    """What went over the wire to and from Alipay, seen from outside."""

    asked: dict[str, set[tuple[str, str, str]]] = field(default_factory=dict)
    """Refund id: what it was asked for with (trade, amount, currency)."""
    acknowledged: dict[tuple[str, str], None] = field(default_factory=dict)
    """(trade, body) of each notification that was answered ``success``."""
    forged: int = 0
    buyers: dict[str, str] = field(default_factory=dict)
    """Trade: who paid it."""


class Provider:
    """Alipay in this world."""

    def __init__(self, world: "World", rng: Random) -> None:
        self.witness = Witness()
        self._world = world
        self._rng = rng
        config = SimulatorConfig(
            **merchant_keys(world.sign_type).theirs,
            redelivery_ms=REDELIVERY_MS,
            seed=rng.getrandbits(32),
        )
        self.alipay = build(config, now_ms=world.clock.now_ms, deliver=self._deliver)
        self.book = self.alipay.context.book
        self.asked_of: Callable[[str, str, str, str], None] = (
            lambda _refund, _trade, _amount, _currency: None
        )
        self.answered_success: Callable[[str], None] = lambda _body: None
        self.answered: Callable[[str], None] = lambda _body: None

    def switch_on(self) -> None:
        """Let the world's faults begin."""
        self.alipay.switch(
            dict(self._world.faults.alipay)
            | {"slow_ms": self._rng.choice((2_000, 16_000, 25_000)), "funds_retry_ms": 60_000}
        )

    def calm(self) -> None:
        """From now on every answer is good."""
        self.alipay.switch(
            dict.fromkeys((*ALIPAY_FAULTS, *LATER_FAULTS), 0.0) | {"short_of_funds": False}
        )

    async def run(self) -> None:
        """Deliver until the world ends."""
        async with self.alipay.running():
            await asyncio.get_running_loop().create_future()

    # --- the hosts' side ---

    async def asked(self, request: httpx.Request) -> httpx.Response:
        """Answer a request of ours."""
        body = await request.aread()
        said = dict(parse_qsl(body.decode()))
        service = said.get("service", "").rpartition(".")[2]
        if service == "refund" and "spot" in said["service"]:
            refund_id, trade = said["partner_refund_id"], said["partner_trans_id"]
            self._world.note(
                f"Alipay is asked for refund {refund_id} of {said['refund_amount']} "
                f"{said['currency']}"
            )
            self.witness.asked.setdefault(refund_id, set()).add(
                (trade, said["refund_amount"], said["currency"])
            )
            self.asked_of(refund_id, trade, said["refund_amount"], said["currency"])
        # Alipay does its work whether or not the asker lives to hear of it.
        return await asyncio.shield(outside(self.alipay.handle(request)))

    # --- the customers' side ---

    def pay(self, qrcode: str, amount_minor: int, buyer: str) -> Trade | None:
        """A customer pays; None if Alipay declines."""
        try:
            trade = self.alipay.pay(qrcode, spelt(amount_minor, self._world.currency), buyer)
        except Declined as declined:
            self._world.note(f"{buyer} cannot pay: {declined}")
            return None
        self.witness.buyers[trade.trade_no] = buyer
        self._world.note(f"{buyer} pays {amount_minor} at {trade.store_id}: trade {trade.trade_no}")
        return trade

    def was_paid_since(self, at_ms: int) -> bool:
        """Tell whether anybody paid anything at that moment or later."""
        return any(trade.paid_at_ms >= at_ms for trade in self.book.trades(10_000))

    def finish_all(self) -> None:
        """A year goes by for every trade."""
        for trade in self.book.trades(10_000):
            if trade.status == "TRADE_SUCCESS":
                payments.finish(self.alipay.context, trade)

    def redeliver(self, trade_no: str) -> None:
        """Tell once more all that was ever told of a trade."""
        self.alipay.courier.redeliver(trade_no)

    # --- notifications ---

    async def _deliver(self, url: str, body: bytes, _content_type: str) -> bytes:
        gateway = self._world.some_gateway(self._rng)
        await asyncio.sleep(0.01 + self._rng.random() * 0.1)
        if gateway is None:
            raise OSError("connection refused")
        try:
            async with asyncio.timeout(5):
                status, answer = await gateway.notified(url.rpartition("/")[2], body)
        except Died:
            raise OSError("connection reset") from None
        text = body.decode("gbk", "replace")
        if status != httpx.codes.SERVICE_UNAVAILABLE:
            self.answered(text)
        if answer == b"success":
            self.answered_success(text)
            self._world.note(
                f"{gateway.process.name} says success about {dict(parse_qsl(text)).get('trade_no')}"
            )
        if status != httpx.codes.OK:
            raise OSError(f"HTTP {status}")
        return answer

    async def forge(self) -> None:
        """Somebody who does not have the key sends what looks like a payment, or changes one that
        was real.
        """
        machines = self._world.tokens
        gateway = self._world.some_gateway(self._rng)
        if gateway is None or not machines:
            return
        fields = {
            "notify_id": f"forged{self.witness.forged}",
            "notify_type": "trade_status_sync",
            "notify_time": "2026-01-15 12:00:00",
            "trade_status": "TRADE_SUCCESS",
            "trade_no": f"FORGED{self.witness.forged}",
            "out_trade_no": f"F{self.witness.forged}",
            "total_fee": spelt(50_000, self._world.currency),
            "currency": self._world.currency,
            "seller_id": PARTNER,
            "buyer_id": "2088999999999999",
            "gmt_payment": "2026-01-15 11:59:58",
        }
        kind = self._rng.choice(("unsigned", "wrong key", "other seller", "edited"))
        key = "x" * 32 if kind == "wrong key" else MD5_KEY
        if kind == "other seller":
            fields["seller_id"] = "2088000000000000"
        text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
        if kind != "unsigned":
            fields |= {
                "sign": md5((text + key).encode(), usedforsecurity=False).hexdigest(),
                "sign_type": "MD5",
            }
        if kind == "edited":
            fields["total_fee"] = spelt(999_900, self._world.currency)
        self.witness.forged += 1
        try:
            _, answer = await gateway.notified(
                self._rng.choice(machines), urlencode(fields).encode()
            )
        except Died:
            return
        self._world.note(f"a forged notification ({kind}) is answered {answer.decode()}")
        if answer == b"success":
            self._world.checker.broken(
                "no unverified credit", f"a forged notification ({kind}) was answered success"
            )
