"""Verify and read a notification; pure (docs/alipay.md 3.4, 5.7, 7).

Flows in: the raw body as it arrived and what is ours (partner, keys, the machine's currency). Flows
out: a ``Notification`` that Alipay signed and that is meant for us, or ``NotificationRefused``: do
not acknowledge it, and keep it if it has ``fields``, for then Alipay signed it. Which machine it is
about the caller knows from the URL and from ``passback``; whether it is new, from ``trade_id`` and
``kind``.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import unquote_to_bytes

from alipay_client import amounts, signing
from alipay_client.config import AlipayConfig, SignType
from alipay_client.envelope import CODECS
from alipay_client.errors import AlipayError
from alipay_client.fields import CHINA, TIME_FORMAT
from alipay_client.keys import Keys, allowed_notify_sign_types

BODY_BYTES_MAX = 32_768
FIELDS_MAX = 100

_NAME = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
_NO_FORM = "the body is not a form of plain names and values"
_PERSON = re.compile(r"buyer|payer", re.IGNORECASE)
_CURRENCY = re.compile(r"[A-Z]{3}")
_MONEY_FIELDS = frozenset(
    {
        "seller_id",
        "trade_no",
        "out_trade_no",
        "trade_status",
        "total_fee",
        "currency",
        "notify_id",
        "out_biz_no",
        "refund_fee",
    }
)
"""The fields that say whose money moved, how much, and which way."""
_OTHER_READ_FIELDS = frozenset(
    {
        "extra_common_param",
        "gmt_create",
        "gmt_payment",
        "notify_action_type",
        "notify_time",
        "_input_charset",
        "charset",
    }
)
"""What else is read of a notification: which machine it is about, when, and in which charset."""
READ_OTHERWISE = (_MONEY_FIELDS | _OTHER_READ_FIELDS | {"sign", "sign_type"}) - {
    "total_fee",
    "currency",
}
"""The fields whose meaning is known, and is neither an amount that was paid nor its currency."""
_FRACTION = re.compile(r"\.[0-9]{1,9}$")


class NotificationKind(StrEnum):
    """What happened. PAID: credit the trade, once. REFUNDED: the echo of a refund. CLOSED: unpaid,
    cancelled or fully refunded.

    FINISHED: the refund window ended, about a year later; nothing to do. OTHER: nothing happened to
    money.
    """

    PAID = "PAID"
    REFUNDED = "REFUNDED"
    CLOSED = "CLOSED"
    FINISHED = "FINISHED"
    OTHER = "OTHER"


class NotificationRefused(AlipayError):
    """A callback that must not be acknowledged.

    ``code``: malformed, oversized, duplicate_field, bad_sign_type, bad_signature, missing_field,
    unsigned, bad_charset, ambiguous, foreign_seller, bad_amount. ``fields``: what Alipay signed and
    we cannot take (money may be behind it); None: nobody knows who wrote it.
    """

    def __init__(self, code: str, detail: str = "", fields: dict[str, str] | None = None) -> None:
        super().__init__(code, detail)
        self.fields = fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One proven notification. ``trade_id`` is Alipay's ``trade_no``; ``partner_trans_id`` its
    ``out_trade_no``, needed for a refund.

    ``amount_minor`` is what the customer paid for the trade, in minor units of ``currency``; None:
    the notification does not say. ``paid_at_ms``: the time of payment, or that of the trade, which
    is earlier; None: neither can be read. ``refund_id`` and ``refund_minor`` come with REFUNDED
    alone. ``fields`` are as received, decoded.
    """

    kind: NotificationKind
    notify_id: str
    trade_id: str
    partner_trans_id: str
    status: str
    seller_id: str
    amount_minor: int | None
    currency: str
    paid_at_ms: int | None
    told_at_ms: int | None = None
    """When Alipay sent it."""
    refund_id: str = ""
    refund_minor: int | None = None
    passback: dict[str, str] = field(default_factory=dict)
    buyer_id: str = field(default="", repr=False)
    fields: dict[str, str] = field(default_factory=dict, repr=False)


def names_buyer(name: str) -> bool:
    """Return whether a field of this name may name a customer: in no log, and in no row. Known are
    ``buyer_id``, ``buyer_email``, ``buyer_logon_id``, ``buyer_user_id``, ``buyer_open_id`` and
    ``alipay_buyer_...`` (docs/alipay.md 7.1); the table of shop codes' fields could not be read, so
    whatever else speaks of a buyer or a payer counts too.
    """
    return _PERSON.search(name) is not None


def parse_notification(
    body: bytes, *, config: AlipayConfig, keys: Keys, currency: str
) -> Notification:
    """Prove and read ``body``. ``currency`` is used when the notification names none.
    NotificationRefused: see its codes.
    """
    fields = prove(body, config=config, keys=keys)
    try:
        return _read(fields, config, currency)
    except NotificationRefused as refused:
        refused.fields = fields
        raise


def prove(body: bytes, *, config: AlipayConfig, keys: Keys) -> dict[str, str]:
    """Return the fields that Alipay signed, whatever they say. NotificationRefused: it did not, or
    they cannot be read as text or in one way only; then its ``fields`` hold what could be read.
    """
    raw, plain = _pairs(body)
    try:
        _check_signature(raw, config, keys)
    except NotificationRefused:
        if not plain:
            raise NotificationRefused("malformed", _NO_FORM) from None
        raise
    fields = _decoded({name: raw[name] for name in raw if _NAME.fullmatch(name)}, config)
    if not plain:
        raise NotificationRefused("malformed", _NO_FORM, {**fields, **_cut(fields, config)})
    _check_one_reading(fields, config)
    return fields


def told_money(fields: Mapping[str, str], config: AlipayConfig, currency: str) -> tuple[int, str]:
    """Return what a notification that cannot be taken seems to be about, for people to read: minor
    units, 0 if nobody can tell, and a currency.
    """
    named = fields.get(config.notify_currency_field, "")
    currency = named if _CURRENCY.fullmatch(named) else currency
    for name in ("refund_fee", config.notify_amount_field, "forex_total_fee", "total_fee"):
        try:
            amount_minor = amounts.to_minor(fields.get(name, ""), currency)
        except ValueError:
            continue
        if amount_minor:
            return amount_minor, currency
    return 0, currency


def passback_of(fields: Mapping[str, str]) -> dict[str, str]:
    """Return our own parameters, given back; empty if they are not of our making."""
    return _passback(fields.get("extra_common_param", ""))


def _read(fields: dict[str, str], config: AlipayConfig, currency: str) -> Notification:
    if _required(fields, "seller_id") != config.partner:
        # one key of Alipay's signs for every merchant, so a true signature alone does not make it
        # ours
        raise NotificationRefused(
            "foreign_seller", "the notification is meant for another merchant"
        )
    currency = fields.get(config.notify_currency_field) or currency
    if not _CURRENCY.fullmatch(currency):
        raise NotificationRefused("bad_amount", "the currency is not three capital letters")
    status = _required(fields, "trade_status")
    refund_minor = _amount(fields, "refund_fee", currency) or None
    kind = _kind(fields, status, refund_minor)
    amount_minor = _amount(fields, config.notify_amount_field, currency)
    if kind is NotificationKind.PAID and not amount_minor:
        code = "missing_field" if amount_minor is None else "bad_amount"
        raise NotificationRefused(
            code, f"a payment must name a positive {config.notify_amount_field}"
        )
    refunded = kind is NotificationKind.REFUNDED
    return Notification(
        kind=kind,
        notify_id=_required(fields, "notify_id"),
        trade_id=_required(fields, "trade_no"),
        partner_trans_id=_required(fields, "out_trade_no"),
        status=status,
        seller_id=fields["seller_id"],
        amount_minor=amount_minor,
        currency=currency,
        paid_at_ms=_paid_at_ms(fields),
        told_at_ms=_time_ms(fields.get("notify_time", "")),
        refund_id=fields.get("out_biz_no", "") if refunded else "",
        refund_minor=refund_minor,
        passback=passback_of(fields),
        buyer_id=fields.get("buyer_id", ""),
        fields=fields,
    )


def _pairs(body: bytes) -> tuple[dict[bytes, bytes], bool]:
    """Split the form and decode it once, as bytes: what was signed are bytes, in a charset that is
    not known yet. Return also whether all of it are names that are read, with values.
    """
    if len(body) > BODY_BYTES_MAX:
        raise NotificationRefused("oversized", f"the body is longer than {BODY_BYTES_MAX} bytes")
    segments = body.split(b"&")
    if len(segments) > FIELDS_MAX:
        raise NotificationRefused("oversized", f"the form has more than {FIELDS_MAX} fields")
    pairs: dict[bytes, bytes] = {}
    plain = True
    for segment in segments:
        name, equals, value = segment.partition(b"=")
        name = unquote_to_bytes(name)
        plain = plain and bool(equals) and _NAME.fullmatch(name) is not None
        if name in pairs:
            raise NotificationRefused("duplicate_field", "a field occurs twice")
        pairs[name] = unquote_to_bytes(value.replace(b"+", b" "))
    return pairs, plain


def _check_signature(raw: dict[bytes, bytes], config: AlipayConfig, keys: Keys) -> None:
    named, signature = raw.get(b"sign_type", b""), raw.get(b"sign", b"")
    if not named or not signature:
        raise NotificationRefused("unsigned", "the notification is not signed")
    allowed = {
        sign_type.value.encode(): sign_type for sign_type in allowed_notify_sign_types(config)
    }
    sign_type: SignType | None = allowed.get(named)
    if sign_type is None:
        raise NotificationRefused(
            "bad_sign_type", "the notification's sign_type is not one that is allowed here"
        )
    # a layer that decoded twice turned the plus signs of base64 into blanks; nothing else may be
    # repaired
    text = signature.decode("latin-1").replace(" ", "+")
    if not signing.verify(signing.canonical(raw.items()), text, sign_type, keys):
        raise NotificationRefused("bad_signature", "the signature does not cover the notification")


def _check_one_reading(fields: dict[str, str], config: AlipayConfig) -> None:
    """Refuse a value that holds a field of its own. The signed string escapes nothing, so it can be
    cut into other fields and stays signed: what Alipay signed for another merchant, whose texts he
    chose, would be a payment to us, and a payment to one machine of ours, without its passback, one
    to another. The true fields then stand within a value.
    """
    cut = _cut(fields, config)
    if cut:
        raise NotificationRefused(
            "ambiguous",
            f"the value of {next(iter(cut))} holds what may be another field",
            {**fields, **cut},
        )


def _cut(fields: Mapping[str, str], config: AlipayConfig) -> dict[str, str]:
    """Return the values that hold a field of their own, each without it: it may name a buyer, and
    is not kept.
    """
    names = (
        _MONEY_FIELDS
        | _OTHER_READ_FIELDS
        | {config.notify_amount_field, config.notify_currency_field}
    )

    def is_field(part: str) -> bool:
        name, equals, _ = part.partition("=")
        return bool(equals) and (name in names or names_buyer(name))

    return {
        name: f"{value.partition('&')[0]}&..."
        for name, value in fields.items()
        if any(map(is_field, value.split("&")[1:]))
    }


def _decoded(raw: dict[bytes, bytes], config: AlipayConfig) -> dict[str, str]:
    """Turn the proven bytes into text: by the charset that they name, else UTF-8, else GBK."""
    declared = raw.get(b"_input_charset") or raw.get(b"charset")
    known = CODECS.get(declared.decode("latin-1").lower()) if declared else None
    codecs = [known] if known else [] if declared else ["utf-8", "gb18030"]
    for codec in codecs:
        try:
            return {name.decode("ascii"): value.decode(codec) for name, value in raw.items()}
        except UnicodeDecodeError:
            continue
    fields = {
        name.decode("ascii"): value.decode("utf-8", "backslashreplace")
        for name, value in raw.items()
    }
    raise NotificationRefused(
        "bad_charset",
        "the notification is not in the charset that it names, or Alipay does not use that one",
        {**fields, **_cut(fields, config)},
    )


def _kind(fields: dict[str, str], status: str, refund_minor: int | None) -> NotificationKind:
    if (
        refund_minor
        or fields.get("out_biz_no")
        or fields.get("notify_action_type") == "refundFPAction"
    ):
        # the status of a refund's echo is the trade's: TRADE_SUCCESS after a part, TRADE_CLOSED
        # after all
        return NotificationKind.REFUNDED
    match status:
        case "TRADE_SUCCESS":
            return NotificationKind.PAID
        case "TRADE_FINISHED":
            return NotificationKind.FINISHED
        case "TRADE_CLOSED":
            return NotificationKind.CLOSED
        case _:
            return NotificationKind.OTHER


def _required(fields: dict[str, str], name: str) -> str:
    value = fields.get(name, "")
    if not value:
        raise NotificationRefused("missing_field", f"the notification has no {name}")
    return value


def _amount(fields: dict[str, str], name: str, currency: str) -> int | None:
    text = fields.get(name, "")
    if not text:
        return None
    try:
        return amounts.to_minor(text, currency)
    except ValueError as error:
        raise NotificationRefused("bad_amount", f"{name}: {error}") from None


def _time_ms(text: str) -> int | None:
    """Read a time of China as milliseconds since 1970 UTC; an unreadable one is not worth losing a
    payment for. Fractions of a second are left out.
    """
    try:
        moment = datetime.strptime(_FRACTION.sub("", text), TIME_FORMAT).replace(tzinfo=CHINA)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1_000


def _paid_at_ms(fields: Mapping[str, str]) -> int | None:
    """Return when it was paid, or else when the trade was made, which is earlier: what counts as
    fresh by that time is fresh.
    """
    paid_at_ms = _time_ms(fields.get("gmt_payment", ""))
    return _time_ms(fields.get("gmt_create", "")) if paid_at_ms is None else paid_at_ms


def _passback(text: str) -> dict[str, str]:
    """Read our own flat JSON back; what is not of our making says nothing."""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(members, dict) or not all(
        isinstance(value, str) for value in members.values()
    ):
        return {}
    return members
