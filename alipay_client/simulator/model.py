"""The book's logic: codes, trades and refunds as frozen records, and what may happen to them. Pure:
time and numbers are passed in.

Nothing here knows HTTP, signatures or storage. A decision returns the records as they are to be
kept; ``book`` keeps them.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

from alipay_client.simulator import gmt8

_FUNDS_RETRY_DAYS = 180


class CodeStatus(StrEnum):
    """docs/alipay.md 4.3"""

    ACTIVE = "ACTIVE"
    STOPPED = "STOPPED"
    DELETED = "DELETED"


class TradeStatus(StrEnum):
    """docs/alipay.md 6.1; a static code knows no unpaid trade."""

    TRADE_SUCCESS = "TRADE_SUCCESS"
    TRADE_CLOSED = "TRADE_CLOSED"
    TRADE_FINISHED = "TRADE_FINISHED"


class RefundStatus(StrEnum):
    """FAILED is only kept for want of funds: any other refusal leaves no trace, and the same id may
    be asked again.
    """

    PROCESSING = "PROCESSING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A merchant QR code. The surcharge of ``channel_fee`` is not charged in this world; it only
    tells the two codes of a store apart.
    """

    qrcode: str
    secondary_merchant_id: str
    store_id: str
    store_name: str
    trans_currency: str
    currency: str
    channel_fee: str
    passback: str
    notify_url: str
    notify_sign_type: str
    notify_charset: str
    status: CodeStatus
    created_at_ms: int
    secondary_merchant_industry: str = ""
    secondary_merchant_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One payment. ``buyer`` is who pressed pay; ``buyer_id`` and ``buyer_email`` are what Alipay
    tells of them.
    """

    trade_no: str
    out_trade_no: str
    qrcode: str
    store_id: str
    buyer: str
    buyer_id: str
    buyer_email: str
    currency: str
    paid_minor: int
    paid_at_ms: int
    status: TradeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundEntry:
    """One refund, and the only one that its ``refund_id`` will ever name."""

    refund_id: str
    trade_no: str
    out_trade_no: str
    amount_minor: int
    currency: str
    notify_url: str
    state: RefundStatus
    error: str
    accepted_at_ms: int
    due_at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The circumstances of a refund."""

    short_of_funds: bool
    funds_retry_ms: int
    async_refund_ms: int
    refund_window_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAsked:
    """What the merchant asks for."""

    refund_id: str
    out_trade_no: str
    amount_minor: int
    currency: str
    synchronous: bool
    notify_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundVerdict:
    """``result_code`` and ``error`` as answered; ``refund`` is what to keep, None when nothing
    changes.
    """

    result_code: str
    error: str = ""
    refund: RefundEntry | None = None


class Declined(Exception):
    """A business failure with its code."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


def qrcode_text(birth: int, number: int, seed: int) -> str:
    """Return the text of a new code. ``birth`` tells books apart, so that a new book never repeats
    what an old one said.
    """
    return (
        f"https://qr.alipay.com/bax{sha256(f'{seed}|{birth}|{number}'.encode()).hexdigest()[:20]}"
    )


def change_status(code: Code, wanted: str) -> Code:
    """Stop, restart or delete a code; each is harmless when repeated. Declined: a deleted code
    cannot do it.
    """
    if wanted == "DELETE":
        return replace(code, status=CodeStatus.DELETED)
    if code.status is CodeStatus.DELETED:
        raise Declined("ILLEGAL_ARGUMENT", "a deleted code stays deleted")
    return replace(code, status=CodeStatus.STOPPED if wanted == "STOP" else CodeStatus.ACTIVE)


def pay(
    code: Code, *, amount_minor: int, buyer: str, now_ms: int, birth: int, number: int
) -> Trade:
    """Make the trade of a customer who pays. Declined: the code cannot take money."""
    if code.status is not CodeStatus.ACTIVE:
        raise Declined(f"CODE_{code.status}")
    today = gmt8.digits(now_ms)
    return Trade(
        trade_no=f"{today[:8]}22{birth % 10**10:010d}{number % 10**8:08d}",
        out_trade_no=f"{today}{birth % 10**10:010d}{number % 10**8:08d}",
        qrcode=code.qrcode,
        store_id=code.store_id,
        buyer=buyer,
        buyer_id=f"2088{int(sha256(buyer.encode()).hexdigest(), 16) % 10**12:012d}",
        buyer_email=f"{buyer[:3] if buyer.isascii() else 'cus'}***@example.com",
        currency=code.trans_currency,
        paid_minor=amount_minor,
        paid_at_ms=now_ms,
        status=TradeStatus.TRADE_SUCCESS,
    )


def ask_refund(
    asked: RefundAsked,
    *,
    trade: Trade | None,
    known: RefundEntry | None,
    taken_minor: int,
    now_ms: int,
    terms: Terms,
) -> RefundVerdict:
    """Decide what the refund service answers (docs/alipay.md 5). ``taken_minor``: what other
    refunds of the trade have returned or hold.
    """
    if known is not None and (known.out_trade_no, known.amount_minor, known.currency) != (
        asked.out_trade_no,
        asked.amount_minor,
        asked.currency,
    ):
        return RefundVerdict(result_code="FAIL", error="DISCORDANT_REPEAT_REQUEST")
    if trade is None:
        return RefundVerdict(result_code="FAIL", error="TRADE_NOT_EXIST")
    if known is not None and known.state is RefundStatus.SUCCEEDED:
        return RefundVerdict(result_code="SUCCESS")
    if known is not None and known.state is RefundStatus.PROCESSING:
        # Accepted is the truth to an asynchronous caller; a synchronous one would read SUCCESS as
        # done.
        return RefundVerdict(result_code="UNKNOWN" if asked.synchronous else "SUCCESS")
    error = _objection(asked, trade, taken_minor, now_ms, terms)
    if error:
        return RefundVerdict(result_code="FAIL", error=error)
    refund = RefundEntry(
        refund_id=asked.refund_id,
        trade_no=trade.trade_no,
        out_trade_no=trade.out_trade_no,
        amount_minor=asked.amount_minor,
        currency=trade.currency,
        notify_url="" if asked.synchronous else asked.notify_url,
        state=RefundStatus.SUCCEEDED,
        error="",
        accepted_at_ms=now_ms,
        due_at_ms=now_ms,
    )
    if not asked.synchronous:
        return RefundVerdict(result_code="SUCCESS", refund=_accepted(refund, trade, now_ms, terms))
    if terms.short_of_funds:
        short = replace(refund, state=RefundStatus.FAILED, error="MERCHANT_BALANCE_NOT_ENOUGH")
        return RefundVerdict(result_code="FAIL", error=short.error, refund=short)
    return RefundVerdict(result_code="SUCCESS", refund=refund)


def _objection(
    asked: RefundAsked, trade: Trade, taken_minor: int, now_ms: int, terms: Terms
) -> str:
    if asked.currency != trade.currency:
        return "CURRENCY_NOT_SAME"
    if trade.status is TradeStatus.TRADE_CLOSED:
        return "TRADE_HAS_CLOSE"
    if (
        trade.status is TradeStatus.TRADE_FINISHED
        or now_ms >= trade.paid_at_ms + terms.refund_window_ms
    ):
        return "TRADE_HAS_FINISHED"
    return "RETURN_AMOUNT_EXCEED" if asked.amount_minor > trade.paid_minor - taken_minor else ""


def _accepted(refund: RefundEntry, trade: Trade, now_ms: int, terms: Terms) -> RefundEntry:
    """Say when the refund is carried out: on the day of payment at once, later in the batch
    (docs/alipay.md 5.3).
    """
    at_once = gmt8.day(now_ms) == gmt8.day(trade.paid_at_ms) or gmt8.in_batch(now_ms)
    starts_at_ms = now_ms if at_once else gmt8.next_batch(now_ms)
    return replace(
        refund, state=RefundStatus.PROCESSING, due_at_ms=starts_at_ms + terms.async_refund_ms
    )


def carry_out(refund: RefundEntry, *, now_ms: int, terms: Terms) -> RefundEntry:
    """Return an accepted refund whose time has come: done, or to be tried again later for want of
    funds, or given up in silence after 180 days.
    """
    if not terms.short_of_funds:
        return replace(refund, state=RefundStatus.SUCCEEDED, error="")
    if now_ms >= refund.accepted_at_ms + _FUNDS_RETRY_DAYS * gmt8.DAY_MS:
        return replace(refund, state=RefundStatus.FAILED, error="MERCHANT_BALANCE_NOT_ENOUGH")
    again_at_ms = now_ms + terms.funds_retry_ms if terms.funds_retry_ms else gmt8.next_batch(now_ms)
    return replace(refund, error="MERCHANT_BALANCE_NOT_ENOUGH", due_at_ms=again_at_ms)


def after_refunds(trade: Trade, refunded_minor: int) -> Trade:
    """Return the trade, closed if all of it has gone back."""
    return (
        replace(trade, status=TradeStatus.TRADE_CLOSED)
        if refunded_minor >= trade.paid_minor
        else trade
    )
