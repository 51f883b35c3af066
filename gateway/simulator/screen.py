"""What the machine's screen shows, worked out from the model. Pure.

Flows in: the machine and the time. Flows out: one :class:`Screen`, which the console prints and
which a customer would read.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.simulator.machine import Machine


class Show(StrEnum):
    """Which page is up."""

    DARK = "DARK"
    NO_CONNECTION = "NO_CONNECTION"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"
    READY = "READY"
    CREDIT = "CREDIT"
    WAITING = "WAITING"
    PAY = "PAY"
    DISPENSING = "DISPENSING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """One page. ``amount_minor``: what is to be paid; ``funds_minor``: what can be spent;
    ``left_ms``: how long this offer stands.
    """

    show: Show
    text: str
    qr_payload: str = ""
    amount_minor: int | None = None
    funds_minor: int | None = None
    currency: str = ""
    left_ms: int | None = None


DARK = Screen(show=Show.DARK, text="")


def screen_of(machine: Machine, now_ms: int) -> Screen:
    """Return what the screen shows at ``now_ms``."""
    vending, session, service = machine.vending, machine.session, machine.service
    funds = session.funds_minor if session is not None else None
    if vending.vend is not None:
        return Screen(
            show=Show.DISPENSING,
            text=f"Dispensing {vending.vend.column} ...",
            funds_minor=funds,
            currency=service.currency,
        )
    if not machine.online:
        return Screen(show=Show.NO_CONNECTION, text="No connection. Cash only.")
    if (request := vending.request) is not None:
        if request.payment is None or request.given_up_at_ms is not None:
            return Screen(
                show=Show.WAITING,
                text="One moment ...",
                funds_minor=funds,
                currency=service.currency,
            )
        return Screen(
            show=Show.PAY,
            text=f"Scan to pay for {request.column}",
            qr_payload=request.payment.qr_payload,
            amount_minor=request.payment.amount_minor,
            funds_minor=funds,
            currency=service.currency,
            left_ms=max(0, request.pay_until_ms - now_ms),
        )
    if session is not None:
        left = None if session.expires_at_ms is None else max(0, session.expires_at_ms - now_ms)
        return Screen(
            show=Show.CREDIT,
            text="Choose, or press 'complete' for your money back",
            qr_payload=service.qr_payload,
            funds_minor=session.funds_minor,
            currency=service.currency,
            left_ms=left,
        )
    if not service.in_service or machine.door_open:
        return Screen(show=Show.OUT_OF_SERVICE, text="Out of service")
    if not machine.columns:
        return Screen(show=Show.WAITING, text="One moment ...")
    return Screen(
        show=Show.READY,
        text="Scan to top up, or choose",
        qr_payload=service.qr_payload,
        currency=service.currency,
    )


def decimals_of(currency: str) -> int:
    """Return how many digits of an amount stand behind the point."""
    return 0 if currency in {"JPY", "KRW"} else 2


def amount_text(amount_minor: int, currency: str) -> str:
    """Return an amount in the currency's major unit, exactly: 1230 HKD is 12.30, 500 JPY is 500."""
    if not decimals_of(currency):
        return str(amount_minor)
    sign, cents = ("-", -amount_minor) if amount_minor < 0 else ("", amount_minor)
    return f"{sign}{cents // 100}.{cents % 100:02d}"
