"""The limits of the business, as one value that is passed to ``decide``.

Flows in: the fleet's defaults from the settings and a machine's own overrides from the registry.
Flows out: one :class:`Policy`. All times are milliseconds.
"""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Every limit that the core applies."""

    idle_refund_ms: int = 300_000
    """Pay first: what is left goes back this long after the customer's last operation."""
    payment_wait_ms: int = 25_000
    """Purchase first: how long a selection waits for its payment."""
    unavailable_grace_ms: int = 60_000
    """How long money rests with a machine that is offline, out of service or sold out."""
    approval_valid_ms: int = 30_000
    """The machine must not start the motor later than this after it received the approval."""
    vend_result_ms: int = 120_000
    """An approved vend without a result is in doubt after this."""
    doubt_window_ms: int = 600_000
    """A vend in doubt is voided and refunded after this."""
    payment_age_max_ms: int = 300_000
    """A payment that we hear of later than this is late money: refunded at once, in full."""
    late_watch_ms: int = 30_000
    """For this long after an unpaid selection, money that comes in without a session is taken for
    its late payment.
    """
    clock_tolerance_ms: int = 3_000
    """Alipay's clock and ours may differ by this much; its times are whole seconds."""
    refund_retry_ms: tuple[int, ...] = (
        5_000,
        10_000,
        30_000,
        60_000,
        120_000,
        300_000,
        600_000,
        1_800_000,
        3_600_000,
    )
    """Waits between tries of a refund whose outcome is unknown; the last one repeats."""
    short_of_funds_retry_ms: int = 3_600_000
    """The wait when Alipay lacks our settlement funds; the same id each time."""
    short_of_funds_sync_tries: int = 2
    """After this many such answers the refund is left to Alipay (asynchronous), which goes on each
    night; the same id still.
    """
    code_retry_ms: tuple[int, ...] = (5_000, 30_000, 120_000, 600_000)
    """Waits between tries to make or change the machine's code; the last one repeats."""
    doubt_review_above_minor: int | None = None
    """A doubt about more than this is a person's to settle, instead of being voided; None: no doubt
    is.
    """
    write_off_second_person_above_minor: int | None = None
    """A refund of more than this is written off by two different people, one after the other; None:
    one person suffices.
    """
    doubts_max: int = 8
    """With this many vends in doubt the machine sells nothing more."""
    trades_max: int = 64
    """With this many trades open, new money is refunded at once, whichever customer paid it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOverrides:
    """A machine's own limits; None follows the fleet."""

    idle_refund_ms: int | None = None
    payment_wait_ms: int | None = None
    unavailable_grace_ms: int | None = None
    vend_result_ms: int | None = None
    doubt_window_ms: int | None = None
    doubt_review_above_minor: int | None = None
    write_off_second_person_above_minor: int | None = None

    def applied_to(self, policy: Policy) -> Policy:
        """Return ``policy`` with every limit that is set here."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(policy, **{name: value for name, value in own.items() if value is not None})
