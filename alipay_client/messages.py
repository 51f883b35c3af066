"""One frozen request/answer pair for each API method. Amounts are integers in minor units of
``currency``.
"""

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The members of ``biz_data`` (docs/alipay.md 4.1). ``store_id`` is our machine. Names and
    address hold no double quote.
    """

    secondary_merchant_id: str
    secondary_merchant_name: str
    secondary_merchant_industry: str
    store_id: str
    store_name: str
    trans_currency: str
    currency: str
    country_code: str = ""
    address: str = ""
    passback_parameters: dict[str, str] = field(default_factory=dict)
    """Given back in the notification as ``extra_common_param``; a flat mapping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCode:
    """alipay.commerce.qrcode.create"""

    shop: Shop
    notify_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyCode:
    """alipay.commerce.qrcode.modify: the whole of ``shop`` again."""

    qrcode: str
    shop: Shop
    notify_url: str


class CodeAction(StrEnum):
    """docs/alipay.md 4.3"""

    STOP = "STOP"
    RESTART = "RESTART"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifyCodeStatus:
    """alipay.commerce.qrcode.modifyStatus"""

    qrcode: str
    action: CodeAction


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeAnswer:
    """``qrcode`` is the text to print; ``image_url`` only comes with create."""

    qrcode: str
    image_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """alipay.acquire.overseas.spot.refund. ``partner_refund_id`` is the idempotency key: the same
    id always means the same refund.
    """

    partner_trans_id: str
    partner_refund_id: str
    amount_minor: int
    currency: str
    alipay_trans_id: str = ""
    reason: str = ""
    synchronous: bool = True
    notify_url: str = ""


class RefundState(StrEnum):
    """SUCCEEDED: the money went back. ACCEPTED: Alipay will do it (asynchronous or processing).
    NOT_FOUND: Alipay never heard of it. FAILED: definite; ``error`` says why.
    """

    SUCCEEDED = "SUCCEEDED"
    ACCEPTED = "ACCEPTED"
    NOT_FOUND = "NOT_FOUND"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAnswer:
    """``state`` is SUCCEEDED or ACCEPTED for a refund, any for a query."""

    state: RefundState
    partner_refund_id: str
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRefund:
    """alipay.acquire.refund.query"""

    partner_trans_id: str
    partner_refund_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryTrade:
    """alipay.acquire.overseas.query. One of the two is enough; Alipay looks at ``alipay_trans_id``
    first.
    """

    partner_trans_id: str = ""
    alipay_trans_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeAnswer:
    """``status``: WAIT_BUYER_PAY, TRADE_SUCCESS, TRADE_CLOSED, TRADE_FINISHED, or NOT_EXIST."""

    status: str
    partner_trans_id: str = ""
    alipay_trans_id: str = ""
    amount_minor: int = 0
    currency: str = ""
    paid_at_ms: int | None = None
    """``alipay_pay_time``; None: the answer does not say, or not readably."""
