"""What administrators see: plain values, the same fields as the messages of
``gateway.fleet.v1``. Amounts are
minor units of ``currency``.

``position`` is what the next page's call is given; nobody but ``storage.fleet.lists`` reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from actors.machine.policy import PolicyOverrides
from actors.machine.state import Column


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltView:
    """Since when a machine is halted, over what kind of fact (empty if it could not be loaded), and
    why.
    """

    halted_at_ms: int
    fact: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnLockView:
    """A column that does not sell, locked by a recall, or by a command if ``recall_id`` is empty.
    ``since_ms`` None: nobody knows.
    """

    column: str
    recall_id: str = ""
    since_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineView:
    """A machine: what the registry says, what its actor saved last, and who owns it. The next page
    goes on after ``machine_id``.
    """

    machine_id: str
    store_name: str
    currency: str
    country_code: str
    address: str
    enabled: bool
    mode: str
    overrides: PolicyOverrides
    planogram_version: int
    columns: tuple[Column, ...]
    code_status: str
    qr_payload: str
    qr_image_url: str
    code_error: str
    phase: str
    online: bool
    connection_changed_at_ms: int | None
    firmware: str
    session_id: str
    funds_minor: int
    open_refund_count: int
    last_fault: str
    host: str
    partition: int
    registered_at_ms: int
    revision: int
    retired_at_ms: int | None
    halt: HaltView | None = None
    code_differs: tuple[str, ...] = ()
    """In what the code is not as it should be: words of ``CodePart``."""
    planogram_in_force: int = 0
    """The version that the actor holds customers to; ``planogram_version`` is the one that is
    wanted.
    """
    ordered_locks: tuple[str, ...] = ()
    """The columns that a command locks."""
    machine_version: int = 0
    """Of the state that the actor saved last; 0 if it has decided nothing yet."""
    locks: tuple[ColumnLockView, ...] = ()
    """Of one machine that is asked for by itself; lists do not look for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """One customer's stay. ``status`` is OPEN or ENDED."""

    position: str
    session_id: str
    machine_id: str
    status: str
    mode: str
    end_reason: str
    currency: str
    paid_minor: int
    sold_minor: int
    refunded_minor: int
    started_at_ms: int
    ended_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VendView:
    """One selection and its outcome. ``price_minor`` is what is paid: the machine shows
    ``list_price_minor``, of which ``offer`` took ``discount_minor``.
    """

    position: str
    vend_id: str
    machine_id: str
    session_id: str
    request_id: str
    column: str
    product: str
    price_minor: int
    currency: str
    status: str
    reason: str
    requested_at_ms: int
    ended_at_ms: int | None
    list_price_minor: int
    discount_minor: int
    offer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeView:
    """One payment. ``status`` is OPEN or CLOSED; ``session_id`` is empty if it fed none."""

    position: str
    trade_id: str
    partner_trans_id: str
    machine_id: str
    session_id: str
    status: str
    currency: str
    paid_minor: int
    sold_minor: int
    refunded_minor: int
    written_off_minor: int
    held_minor: int
    received_at_ms: int
    closed_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundView:
    """Money that goes back. ``proposed_*``: who wants it to be written off, where that needs a
    second person.
    """

    position: str
    refund_id: str
    trade_id: str
    machine_id: str
    amount_minor: int
    currency: str
    cause: str
    status: str
    last_error: str
    attempt_count: int
    due_at_ms: int
    next_attempt_at_ms: int | None
    ended_at_ms: int | None
    proposed_by: str = ""
    proposed_reason: str = ""
    proposed_at_ms: int | None = None


class WorkItemKind(StrEnum):
    """Why something waits for a person. REFUND_OVERDUE goes on by itself, but has done so for more
    than a day.
    """

    REFUND_REFUSED = "REFUND_REFUSED"
    REFUND_UNRESOLVED = "REFUND_UNRESOLVED"
    REFUND_OVERDUE = "REFUND_OVERDUE"
    VEND_IN_REVIEW = "VEND_IN_REVIEW"
    PAYMENT_CONFLICT = "PAYMENT_CONFLICT"
    NOTIFICATION_REFUSED = "NOTIFICATION_REFUSED"
    RECONCILIATION_DIFFERENCE = "RECONCILIATION_DIFFERENCE"
    MACHINE_HALTED = "MACHINE_HALTED"
    MACHINE_ALARM = "MACHINE_ALARM"
    CLOCK_WRONG = "CLOCK_WRONG"
    LOADING_UNFINISHED = "LOADING_UNFINISHED"
    CODE_REFUSED = "CODE_REFUSED"
    READOUT_DIFFERENCE = "READOUT_DIFFERENCE"
    MACHINE_DOUBLED = "MACHINE_DOUBLED"
    TAG_RULE_FAILED = "TAG_RULE_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItemView:
    """Something that waits for a person. Ids that it is not about are empty, and so is a machine
    that nobody can name.

    ``advice`` is what a daily file's difference recommends; ``proposed_by`` who wants a refund to
    be written off. Else both are empty.
    """

    position: str
    item_id: str
    kind: WorkItemKind
    machine_id: str
    trade_id: str
    refund_id: str
    vend_id: str
    amount_minor: int
    currency: str
    reason: str
    since_at_ms: int
    advice: str = ""
    proposed_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingView:
    """How a person ended an item. ``again``: it was closed before, and this is the first closing,
    which counts.
    """

    item_id: str
    kind: WorkItemKind
    machine_id: str
    actor: str
    reason: str
    closed_at_ms: int
    again: bool = False

    @property
    def position(self) -> str:
        """What the next page's call is given."""
        return f"{self.closed_at_ms}:{self.item_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineView:
    """What happened, what was decided (orders, then notes) and what money moved."""

    at_ms: int
    event: str
    decisions: tuple[str, ...]
    money: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """Something that happened. Positions grow in the order of saving; ``version`` counts the
    machine's own. ``session_id`` is empty if it belongs to none.
    """

    position: int
    version: int
    at_ms: int
    machine_id: str
    kind: str
    text: str
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """What an administrator did, proposed or was refused (``outcome``; empty before it was written
    down). ``proven`` is the name in the certificate, ``claimed`` the one that was given; ``actor``
    says both for people. ``machine_id`` is empty if it was about none.
    """

    position: int
    at_ms: int
    actor: str
    proven: str
    claimed: str
    outcome: str
    action: str
    machine_id: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceView:
    """All money of one currency. money_in = sold + refunded + held + refunds_open +
    refunds_written_off - goods_written_off, always.
    """

    currency: str
    money_in_minor: int
    money_sold_minor: int
    money_refunded_minor: int
    money_held_minor: int
    refunds_open_minor: int
    goods_written_off_minor: int
    refunds_written_off_minor: int
    ledger_balanced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciliationView:
    """One of Alipay's daily files that was held against the ledger. ``position`` grows with each;
    ``open_difference_count``: of its day, those that still wait for a person.
    """

    position: int
    day: str
    file_name: str
    row_count: int
    read_at_ms: int
    day_was_over: bool
    restored: bool
    open_difference_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyView:
    """How much there has ever been: payments, and vends and refunds by their status."""

    trades: int
    vends: Mapping[str, int]
    refunds: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeView:
    """How many of something there are, and since when the oldest of them. ``status`` is empty where
    ``name`` says it all.

    Names: ``refunds_open`` (by status), ``inbox_untaken``, ``sessions_open``, ``machines_online``,
    ``vends_in_doubt``, ``differences_open`` (between Alipay's daily files and us), ``work_items``
    (by kind) and those of ``gauges.py``.
    """

    name: str
    status: str
    count: int
    oldest_at_ms: int | None
