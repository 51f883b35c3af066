"""How a pretend Alipay behaves: who its merchant is, what it does where the documents disagree, and
what goes wrong.

``SimulatorConfig`` is fixed when it starts; its ``Quirks`` and ``Faults`` are what it starts with,
and can be switched while it runs (``switched``). Probabilities lie between 0 and 1; nothing here is
money.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

SignType = Literal["MD5", "RSA", "RSA2"]

DOCUMENTED_REDELIVERY_MS = (120_000, 600_000, 600_000, 3_600_000, 7_200_000, 21_600_000, 54_000_000)
"""docs/alipay.md 7.3: seven intervals, so eight deliveries in all."""
HELP_CENTRE_REDELIVERY_MS = (
    240_000,
    600_000,
    900_000,
    3_600_000,
    7_200_000,
    21_600_000,
    54_000_000,
)
"""The other schedule that is in print."""


def _chance() -> Any:
    return field(default=0.0, metadata={"max": 1.0})


def _number(default: int, maximum: int) -> Any:
    return field(default=default, metadata={"max": maximum})


def _choice(*values: str) -> Any:
    return field(default=values[0], metadata={"of": values})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """What the sources disagree on, or do not say (docs/alipay.md 13). The defaults are the better
    documented half.
    """

    answer_charset: str = _choice("UTF-8", "GBK")
    result_code_in_qrcodeinfo: bool = False
    qrcode_failure: str = _choice("T_FAIL", "F")
    """How a business failure of the qrcode services looks: a signed result_code=FAIL, or an
    unsigned is_success=F.
    """
    delete_frees_slot: bool = True
    """After DELETE, create makes a new code; otherwise it goes on returning the dead one."""
    dash_in_ids: bool = False
    reject_address: bool = False
    """The sandbox is said to refuse country_code and address."""
    require_address: bool = False
    stale_timestamp_error: str = _choice("ILLEGAL_ARGUMENT", "ILLEGAL_TIMESTAMP")
    cancel_timestamp: str = _choice("ANY", "MILLIS", "DATE")
    unknown_spelling: str = _choice("UNKNOWN", "UNKNOW")
    refund_reason_name: str = _choice("refund_reason", "refund_reson")
    closed_services: tuple[str, ...] = ()
    """Services that the contract does not hold: ILLEGAL_PARTNER_EXTERFACE."""
    sandbox_maintenance: bool = False
    """An outage page from Sunday 12:00 to Monday 12:00 GMT+8."""
    short_of_funds: bool = False
    """The merchant's settlement funds do not cover any refund."""
    funds_retry_ms: int = _number(0, 86_400_000)
    """When an accepted refund that lacks funds is tried again; 0: in the next night's batch."""
    async_refund_ms: int = _number(2_000, 86_400_000)
    """From acceptance to the money going back, on the day of payment or within the batch."""
    refund_window_days: int = _number(365, 3_650)
    notify_on_full_refund: bool = True
    """A full refund closes the trade, and its notification goes out also when the refund was
    synchronous.
    """
    notify_waiting: bool = False
    """A WAIT_BUYER_PAY notification goes before the paid one."""
    notify_amount_field: str = _choice("total_fee", "forex_total_fee")
    """Where the amount in the customer's currency stands; with forex_total_fee, total_fee is CNY.
    """
    notify_currency_field: str = _choice("currency", "forex_currency", "none")
    notify_code_fields: bool = False
    """Notifications name qrcode and store_id, which no document promises."""
    notify_charset: str = _choice("UTF-8", "GBK")
    """Where the code's biz_data names none."""
    success_any_case: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong, how often. Of the first eleven at most one strikes a call: the first that
    hits.

    ``no_answer_done`` and ``no_answer_undone``: the connection ends without a byte, after or before
    the work. ``http_500``, ``html_page``, ``unknown`` and ``odd_code`` strike before or after the
    work, as the seed decides; the others after it.
    """

    no_answer_done: float = _chance()
    no_answer_undone: float = _chance()
    http_500: float = _chance()
    html_page: float = _chance()
    cut_xml: float = _chance()
    wrong_sign: float = _chance()
    unsigned_failure: float = _chance()
    """A final-looking failure code that nobody signed, though the work was done."""
    system_error: float = _chance()
    unknown: float = _chance()
    """Only refund and cancel: result_code UNKNOWN."""
    refund_refused: float = _chance()
    """A refund of which nothing is known yet is refused, with a signed FAIL, and nothing is done.
    """
    odd_code: float = _chance()
    """Only refund: a signed FAIL with any code, known or of next year, before or after the work."""
    gbk_answer: float = _chance()
    slow: float = _chance()
    slow_ms: int = _number(1_000, 600_000)
    services: tuple[str, ...] = ()
    """Only these services are struck; empty: all."""
    notify_lost: float = _chance()
    notify_delayed: float = _chance()
    notify_delay_ms: int = _number(30_000, 90_000_000)
    notify_duplicated: float = _chance()
    notify_copies: int = _number(1, 20)
    notify_reordered: float = _chance()
    notify_reorder_ms: int = _number(3_000, 90_000_000)
    """A notification is held back by up to so long, so that later ones overtake it."""
    notify_odd: float = _chance()
    """One delivery of a payment is signed as it should be and says something else than documented:
    a field is missing, an amount has three decimals, a time has a fraction.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bound on everything."""

    body_bytes_max: int = 65_536
    fields_max: int = 64
    list_max: int = 10_000
    """Rows that one control answer or page may hold; what is left off is counted in it."""
    file_rows_max: int = 200_000
    codes_max: int = 100_000
    trades_max: int = 1_000_000
    deliveries_max: int = 16
    deliver_timeout_ms: int = 5_000
    connections_max: int = 2_000
    refusals_max: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorConfig:
    """``partner`` is the one merchant (PID) that this Alipay knows.

    MD5 needs ``md5_key``. RSA and RSA2 need ``merchant_public_key``, which verifies requests, and
    ``alipay_private_key``, which signs answers and notifications (PEM or bare base64).
    ``sign_type`` signs notifications; a request may use any type whose keys are here.
    """

    partner: str
    sign_type: SignType = "MD5"
    md5_key: str = field(default="", repr=False)
    alipay_private_key: str = field(default="", repr=False)
    merchant_public_key: str = field(default="", repr=False)
    quirks: Quirks = Quirks()
    faults: Faults = Faults()
    redelivery_ms: tuple[int, ...] = DOCUMENTED_REDELIVERY_MS
    seed: int = 0
    limits: Limits = Limits()


Switch = TypeVar("Switch", Quirks, Faults)


def names(kind: type[Quirks | Faults]) -> frozenset[str]:
    """Return the names of the switches of one kind."""
    return frozenset(item.name for item in fields(kind))


def switched(current: Switch, wanted: Mapping[str, object]) -> Switch:
    """Return ``current`` with the named switches set; ValueError, with a sentence, on a wrong name,
    type or range.
    """
    known = {item.name: item for item in fields(current)}
    changes: dict[str, Any] = {}
    for name, value in wanted.items():
        if name not in known:
            raise ValueError(f"{name} is no switch")
        changes[name] = _fitting(name, getattr(current, name), value, known[name].metadata)
    return replace(current, **changes)


def _fitting(name: str, now: object, value: object, rule: Mapping[str, Any]) -> object:
    if isinstance(now, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} is true or false")  # noqa: TRY004  # one error for whatever does not fit
        return value
    if isinstance(now, tuple):
        if (
            not isinstance(value, list | tuple)
            or len(value) > 20
            or not all(isinstance(item, str) for item in value)
        ):
            raise ValueError(f"{name} is a list of at most 20 names")
        return tuple(value)
    if isinstance(now, str):
        if value not in rule["of"]:
            raise ValueError(f"{name} is one of {', '.join(rule['of'])}")
        return value
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= rule["max"]
    ):
        raise ValueError(f"{name} is a number from 0 to {rule['max']}")
    if isinstance(now, int) and value != int(value):
        raise ValueError(f"{name} is a whole number")
    return type(now)(value)  # type: ignore[call-arg]  # int or float, as the two tests above leave nothing else
