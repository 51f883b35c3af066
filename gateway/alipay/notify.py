"""Alipay's notifications: from an HTTP body to a saved row of the inbox.

Flows in: ``POST /alipay/notify/{token}``; the token is the machine's own part of the URL that its
code was made with. Flows out: a row in SQL, then the answer ``success``, then a wake-up for the
machine's owner. What Alipay signed is always kept: what does not fit becomes a row that a person
sees, and is not acknowledged, so that Alipay repeats it for its day and a mended configuration
takes it. Everything else is refused and counted. While SQL does not answer Alipay hears ``fail``
and repeats (docs/alipay.md 7.2, 7.3).
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from actors.machine.events import Event, RefundSucceeded, TopUpPaid, TradeFinished
from actors.machine.ids import Currency, MachineId, RefundId, TradeId
from actors.ports import Clock, InboxItem, StoreError
from alipay_client import AlipayClient
from alipay_client.config import AlipayConfig
from alipay_client.errors import AlipayError, Misused, Refused
from alipay_client.keys import Keys
from alipay_client.messages import QueryTrade, TradeAnswer
from alipay_client.notify import (
    Notification,
    NotificationKind,
    NotificationRefused,
    parse_notification,
    passback_of,
    prove,
    told_money,
)
from gateway.alipay.afterwards import why_unfit
from gateway.alipay.buyers import Buyers, kept, told_sha256
from gateway.alipay.crowds import NotifyPlaces
from gateway.process.skew import Skew
from gateway.rpc.counters import Counters
from gateway.rpc.limits import NotifyLimits
from storage.fleet.joining import Registered
from storage.fleet.registry import Registry
from storage.machines.inbox import TOLD_AMOUNT_MINOR, TOLD_CURRENCY, Inbox, Received

log = structlog.get_logger()

SUCCESS = "success"
"""Exactly these seven letters acknowledge (docs/alipay.md 7.2)."""
ID_LENGTH_MAX = 64
"""Trade numbers and refund ids are String(64) (docs/alipay.md 5.1, 7.1)."""
CAUSE_LENGTH_MAX = 300
PASSBACK_MACHINE = "machine"
"""The passback parameter with which our codes carry the machine's id."""
UNCONFIRMED = "unconfirmed"
"""Why a payment was put aside: Alipay did not answer our question about it."""
PUT_ASIDE = "PUT_ASIDE"
"""The kind of a row whose notification does not fit."""
NOT_CONTRACTED = frozenset(
    {"ILLEGAL_PARTNER_EXTERFACE", "HAS_NO_PRIVILEGE", "ACCESS_FORBIDDEN", "EXTERFACE_IS_CLOSED"}
)
"""Alipay's codes for a service that the contract does not hold (docs/alipay.md 4.5, 5.8)."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
_MACHINE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_PAID_STATUSES = frozenset({"TRADE_SUCCESS", "TRADE_FINISHED"})
_NO_MONEY = frozenset({"WAIT_BUYER_PAY"})
"""Statuses of a trade to which nothing happened that concerns money."""
_OF_ANOTHER_SELLER = frozenset({"ambiguous", "foreign_seller", "malformed"})
"""Reasons for which what is signed may be another seller's, as it is or cut anew."""
_DAY_MS = 86_400_000


class Unacceptable(Exception):
    """The notification must not be acknowledged. ``reason`` is one word for the counter,
    ``http_status`` the answer's.
    """

    def __init__(self, reason: str, *, http_status: int = 400) -> None:
        super().__init__(reason)
        self.reason = reason
        self.http_status = http_status


@dataclass(slots=True, kw_only=True)
class NotifyIngress:
    """Takes notifications. ``wake`` hands a saved one to its owner and may lose it.

    ``alipay``: who is asked about each payment before it is believed; None: the signature is
    enough.
    """

    registry: Registry
    inbox: Inbox
    wake: Callable[[InboxItem], None]
    config: AlipayConfig
    keys: Keys
    buyers: Buyers
    clock: Clock
    metrics: Counters
    skew: Skew
    limits: NotifyLimits = NotifyLimits()
    alipay: AlipayClient | None = None
    places: NotifyPlaces = field(init=False)
    strangers: int = field(default=0, init=False)
    _foreign: Counter[MachineId] = field(default_factory=Counter, init=False)
    _foreign_day: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Have as many places as the limits say."""
        self.places = NotifyPlaces(self.limits.in_flight_max)

    def salts(self) -> tuple[bytes, ...]:
        """Return the salts in use, which an operator may have exchanged since the start."""
        return (self.buyers.salt, *self.buyers.other_salts)

    def use(self, keys: Keys, *, salt: bytes, other_salts: tuple[bytes, ...]) -> None:
        """Prove and hash with these from now on."""
        self.keys = keys
        self.buyers = replace(self.buyers, salt=salt, other_salts=other_salts)
        if self.alipay is not None:
            self.alipay.use(keys)

    async def handle(self, request: Request) -> Response:
        """Answer one POST. 200 ``success``; 4xx ``refused``; 404 ``unknown``; 503 ``fail`` when the
        answer is "again, later".
        """
        token = request.path_params["token"]
        try:
            # Before a place is taken: who guesses must not fill those of the money.
            machine = await self.registry.by_token(token) if _TOKEN.fullmatch(token) else None
            if machine is None:
                return await self._stranger(request)
            with self.places.place(machine.machine_id) as has_one:
                if not has_one:
                    return self._answered("failed", "busy", 503, "fail")
                return await self._handle(request, machine)
        except StoreError as error:
            log.warning("notification not saved, Alipay will repeat it", error=str(error))
            return self._answered("failed", "sql", 503, "fail")

    async def _handle(self, request: Request, machine: Registered) -> Response:
        try:
            body = await self._read(request)
        except Unacceptable as error:
            return self._refused(machine.machine_id, error)
        try:
            notification = parse_notification(
                body, config=self.config, keys=self.keys, currency=machine.currency
            )
        except NotificationRefused as refused:
            odd = Unacceptable(
                refused.code, http_status=413 if refused.code == "oversized" else 400
            )
            if refused.fields is not None:
                await self._put_aside(refused.fields, machine, odd)
            return self._refused(machine.machine_id, odd, refused.detail)
        self.skew.notified(notification.trade_id, notification.told_at_ms)
        try:
            await self._check(notification, machine)
            event = await self._event(notification)
        except Unacceptable as error:
            await self._put_aside(notification.fields, machine, error)
            return self._refused(machine.machine_id, error)
        return await self._store(notification, machine, event)

    async def _stranger(self, request: Request) -> Response:
        """Answer who comes under a token that nobody has: always the same. Yet what Alipay signed
        for us is kept, for our code may have been made with a token that was lost.
        """
        unknown = self._answered("refused", "unknown_token", 404, "unknown")
        if self.strangers >= self.limits.strangers_in_flight_max:
            return unknown
        self.strangers += 1
        reason = "unknown_token"
        try:
            body = await self._read(request)
            fields = prove(body, config=self.config, keys=self.keys)
        except Unacceptable:
            return unknown
        except NotificationRefused as refused:
            if refused.fields is None:
                return unknown
            fields, reason = refused.fields, refused.code
        finally:
            self.strangers -= 1
        if fields.get("seller_id") != self.config.partner:
            return unknown
        told = passback_of(fields).get(PASSBACK_MACHINE, "")
        machine = await self.registry.get(MachineId(told)) if _MACHINE.fullmatch(told) else None
        await self._put_aside(fields, machine, Unacceptable(reason))
        return unknown

    def _refused(self, machine_id: MachineId, error: Unacceptable, detail: str = "") -> Response:
        log.warning(
            "notification refused", machine_id=machine_id, reason=error.reason, detail=detail
        )
        if error.http_status == 503:
            return self._answered("failed", error.reason, 503, "fail")
        return self._answered("refused", error.reason, error.http_status, "refused")

    async def _read(self, request: Request) -> bytes:
        """Return the body, and stop reading as soon as it is too long."""
        length = request.headers.get("content-length", "")
        if (
            length.isascii()
            and length.isdigit()
            and (len(length) > 9 or int(length) > self.limits.body_bytes_max)
        ):
            raise Unacceptable("oversized", http_status=413)
        body = bytearray()
        try:
            async with asyncio.timeout(self.limits.read_timeout_ms / 1000):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > self.limits.body_bytes_max:
                        raise Unacceptable("oversized", http_status=413)
        except TimeoutError:
            raise Unacceptable("slow", http_status=408) from None
        except ClientDisconnect:
            raise Unacceptable("cut_off") from None
        return bytes(body)

    async def _check(self, notification: Notification, machine: Registered) -> None:
        """Compare what is signed with what we know of the machine that the token names."""
        told = notification.passback.get(PASSBACK_MACHINE, machine.machine_id)
        if told != machine.machine_id:
            raise Unacceptable("foreign_machine")
        ids = (notification.trade_id, notification.partner_trans_id, notification.refund_id)
        if max(map(len, ids)) > ID_LENGTH_MAX:
            raise Unacceptable("long_id")
        if not all(map(str.isprintable, ids)):
            # No trade of Alipay's has one, and a database may cut it there, or refuse it for ever.
            raise Unacceptable("bad_id")
        match notification.kind:
            case NotificationKind.PAID:
                self._check_payment(notification, machine)
            case NotificationKind.OTHER if notification.status not in _NO_MONEY:
                raise Unacceptable("unknown_status")
            case _:
                pass
        if why := await why_unfit(notification, self.inbox, self.config):
            raise Unacceptable(why)

    def _check_payment(self, notification: Notification, machine: Registered) -> None:
        if notification.currency != machine.currency:
            raise Unacceptable("foreign_currency")
        if (
            notification.amount_minor is None
            or not 0 < notification.amount_minor <= self.limits.payment_minor_max
        ):
            raise Unacceptable("bad_amount")

    async def _event(self, notification: Notification) -> Event | None:
        """Return what the notification tells the machine's actor; None if it is only to be kept."""
        match notification.kind:
            case NotificationKind.PAID:
                confirmed = await self._confirm(notification)
                paid_at_ms = notification.paid_at_ms
                if paid_at_ms is None and confirmed is not None:
                    paid_at_ms = confirmed.paid_at_ms
                assert notification.amount_minor is not None
                return TopUpPaid(
                    trade_id=TradeId(notification.trade_id),
                    partner_trans_id=notification.partner_trans_id,
                    amount_minor=notification.amount_minor,
                    currency=Currency(notification.currency),
                    paid_at_ms=paid_at_ms,
                )
            case NotificationKind.REFUNDED:
                return RefundSucceeded(
                    refund_id=RefundId(notification.refund_id), source="notification"
                )
            case NotificationKind.CLOSED | NotificationKind.FINISHED:
                return TradeFinished(
                    trade_id=TradeId(notification.trade_id), status=notification.status
                )
            case NotificationKind.OTHER:
                return None

    async def _confirm(self, notification: Notification) -> TradeAnswer | None:
        """Ask Alipay about a payment if that is configured. Raises Unacceptable, 503 when nobody
        can say now: it is put aside then, and taken when a repetition is confirmed.
        """
        if self.alipay is None:
            return None
        try:
            trade = await self._ask(
                self.alipay,
                QueryTrade(
                    partner_trans_id=notification.partner_trans_id,
                    alipay_trans_id=notification.trade_id,
                ),
            )
        except AlipayError as error:
            self._say_unconfirmed(error)
            raise Unacceptable(UNCONFIRMED, http_status=503) from error
        if trade.status not in _PAID_STATUSES:
            raise Unacceptable("query_says_unpaid")
        if (trade.amount_minor, trade.currency) != (
            notification.amount_minor,
            notification.currency,
        ):
            raise Unacceptable("query_says_other_amount")
        return trade

    def _say_unconfirmed(self, error: AlipayError) -> None:
        if error.code in NOT_CONTRACTED:
            log.error(
                (
                    "payments cannot be confirmed: Alipay turns alipay.acquire.overseas.query "
                    "away; have the contract extended, or switch confirm_payments_by_query off; "
                    "meanwhile each payment waits for a person, for a repetition, or for the daily "
                    "file"
                ),
                code=error.code,
            )
        else:
            log.warning(
                "payment not confirmed, Alipay will repeat the notification", code=error.code
            )

    async def try_query(self) -> None:
        """Find out, before the first payment, whether Alipay answers the question that confirms
        payments; say so if not.
        """
        if self.alipay is None:
            return
        try:
            await self._ask(self.alipay, QueryTrade(partner_trans_id="vendgate-asks-once"))
        except AlipayError as error:
            self._say_unconfirmed(error)

    async def _ask(self, alipay: AlipayClient, query: QueryTrade) -> TradeAnswer:
        began_s, outcome = asyncio.get_running_loop().time(), "unknown"
        try:
            answer = await alipay.query_trade(query)
        except (Refused, Misused):
            outcome = "refused"
            raise
        else:
            outcome = "answered"
            return answer
        finally:
            took_s = asyncio.get_running_loop().time() - began_s
            self.metrics.payment_queries.labels(outcome).observe(took_s)

    async def _put_aside(
        self,
        fields: dict[str, str],
        machine: Registered | None,
        error: Unacceptable,
    ) -> None:
        """Keep what Alipay did sign but we cannot take: somebody's money may be behind it, and a
        person must look.
        """
        machine_id = MachineId("") if machine is None else machine.machine_id
        if error.reason in _OF_ANOTHER_SELLER and self._too_many_foreign(machine_id):
            return
        trade_id, digest = _shown(fields.get("trade_no", "")), told_sha256(fields)
        log.error(
            (
                "notification is signed by Alipay and does not fit; it was put aside, compare it "
                "with Alipay's books"
            ),
            machine_id=machine_id,
            trade_id=trade_id[:ID_LENGTH_MAX],
            reason=error.reason,
        )
        own = "" if machine is None else machine.currency
        amount_minor, currency = told_money(fields, self.config, own)
        telling = _shown(fields.get("notify_id", "")) or digest
        await self.inbox.put(
            Received(
                cause=f"refused:{error.reason}:{trade_id}:{telling}"[:CAUSE_LENGTH_MAX],
                kind=PUT_ASIDE,
                machine_id=machine_id,
                trade_id=trade_id[:ID_LENGTH_MAX],
                event=None,
                fields={
                    **kept(fields),
                    TOLD_AMOUNT_MINOR: str(amount_minor),
                    TOLD_CURRENCY: currency,
                },
                told_sha256=digest,
                received_at_ms=self.clock.now_ms(),
            )
        )

    def _too_many_foreign(self, machine_id: MachineId) -> bool:
        """One key of Alipay's signs for every seller, so that anybody's payments have a true
        signature: of those we keep so many.
        """
        day = self.clock.now_ms() // _DAY_MS
        if day != self._foreign_day:
            self._foreign_day, self._foreign = day, Counter()
        self._foreign[machine_id] += 1
        if self._foreign[machine_id] <= self.limits.foreign_a_day_max:
            return False
        self.metrics.notifications.labels("refused", "too_many_foreign").inc()
        return True

    def _received(
        self,
        key: str,
        notification: Notification,
        machine: Registered,
        event: Event | None,
    ) -> Received:
        return Received(
            cause=key,
            kind=notification.kind.value,
            machine_id=machine.machine_id,
            trade_id=notification.trade_id[:ID_LENGTH_MAX],
            event=event,
            fields=kept(notification.fields),
            told_sha256=told_sha256(notification.fields),
            received_at_ms=self.clock.now_ms(),
            buyer=self.buyers.named(notification.buyer_id)
            if notification.kind is NotificationKind.PAID
            else None,
        )

    async def _store(
        self, notification: Notification, machine: Registered, event: Event | None
    ) -> Response:
        received = self._received(cause(notification), notification, machine, event)
        stored = await self.inbox.put(received)
        names = {
            "machine_id": machine.machine_id,
            "trade_id": notification.trade_id,
            "refund_id": notification.refund_id,
        }
        kind = notification.kind.value.lower()
        if stored.verdict == "CONFLICT":
            log.error(
                (
                    "notification contradicts an earlier one and was put aside; compare it with "
                    "Alipay's books"
                ),
                kind=kind,
                **names,
            )
        else:
            log.info(
                "notification saved",
                kind=kind,
                verdict=stored.verdict,
                amount_minor=notification.amount_minor,
                **names,
            )
        if stored.verdict == "NEW" and stored.event is not None:
            self.wake(
                InboxItem(
                    inbox_id=stored.inbox_id,
                    machine_id=machine.machine_id,
                    event=stored.event,
                    received_at_ms=received.received_at_ms,
                )
            )
        return self._answered(stored.verdict.lower(), kind, 200, SUCCESS)

    def _answered(self, verdict: str, reason: str, http_status: int, text: str) -> Response:
        self.metrics.notifications.labels(verdict, reason).inc()
        return PlainTextResponse(text, status_code=http_status)


def _shown(text: str) -> str:
    """Return an id that can stand in a row, or nothing."""
    return text if text.isprintable() else ""


def cause(notification: Notification) -> str:
    """Return the key under which the fact is saved once and for ever, however often and under
    whatever notify id it comes.
    """
    match notification.kind:
        case NotificationKind.PAID:
            return f"payment:{notification.trade_id}"
        case NotificationKind.REFUNDED:
            return f"refund:{notification.refund_id}"
        case NotificationKind.CLOSED:
            return f"closed:{notification.trade_id}"
        case NotificationKind.FINISHED:
            return f"finished:{notification.trade_id}"
        case NotificationKind.OTHER:
            return f"other:{notification.notify_id}"[:CAUSE_LENGTH_MAX]
