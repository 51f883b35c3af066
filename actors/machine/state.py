"""What an actor remembers of its machine. Frozen values; the only way to another state is
``decide``.

Open things only: a session, vend, trade or refund leaves the state when it is closed, and lives on
as a row (``Decision.records``). Amounts (``*_minor``) are integers in the minor unit of
``MachineState.currency``; times (``*_at_ms``) are milliseconds since 1970 UTC.

Of what a state holds many of, each is kept as a bare list of its values (``array_like``): a field
is added at its end, with a default, and never moved. Of the others, what is as by default is not
kept (``omit_defaults``), but for ``Code`` and what holds it: its status is looked for in the text.
"""

from enum import StrEnum

from msgspec import Struct

from actors.machine.code import Code
from actors.machine.command import Command
from actors.machine.goods import GoodsAct
from actors.machine.ids import (
    BootId,
    Currency,
    MachineId,
    RefundId,
    RequestId,
    SessionId,
    StreamId,
    TradeId,
    VendId,
)
from actors.machine.incident import Incident
from actors.machine.offer import Offered
from actors.machine.policy import PolicyOverrides


class Mode(StrEnum):
    """In which order a customer pays and chooses (MDB): docs/architecture.md, "One payment"."""

    AUTHORIZATION_FIRST = "AUTHORIZATION_FIRST"
    SELECTION_FIRST = "SELECTION_FIRST"
    BOTH = "BOTH"


class Phase(StrEnum):
    """Where the machine is in its work (MDB/ICP 4.2, section 7.2); derived from the state by
    ``phase``.
    """

    INACTIVE = "INACTIVE"
    DISABLED = "DISABLED"
    ENABLED = "ENABLED"
    SESSION_IDLE = "SESSION_IDLE"
    VEND_AWAITING_PAYMENT = "VEND_AWAITING_PAYMENT"
    VEND_APPROVED = "VEND_APPROVED"
    VEND_IN_DOUBT = "VEND_IN_DOUBT"


class VendStatus(StrEnum):
    """The first four are open, the others final. IN_REVIEW waits for a person."""

    AWAITING_PAYMENT = "AWAITING_PAYMENT"
    APPROVED = "APPROVED"
    IN_DOUBT = "IN_DOUBT"
    IN_REVIEW = "IN_REVIEW"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    DENIED = "DENIED"
    VOIDED = "VOIDED"


class DenyReason(StrEnum):
    """Why a vend request is denied; the wire's ``VendDeniedReason``."""

    FUNDS = "FUNDS"
    PAYMENT_TIMEOUT = "PAYMENT_TIMEOUT"
    SOLD_OUT = "SOLD_OUT"
    PRICE_STALE = "PRICE_STALE"
    UNKNOWN_COLUMN = "UNKNOWN_COLUMN"
    OUT_OF_SERVICE = "OUT_OF_SERVICE"
    CANCELLED = "CANCELLED"
    BUSY = "BUSY"
    BACKEND_UNAVAILABLE = "BACKEND_UNAVAILABLE"
    PROVIDER_DOWN = "PROVIDER_DOWN"
    COLUMN_BLOCKED = "COLUMN_BLOCKED"
    COLUMN_LOCKED = "COLUMN_LOCKED"


class EndReason(StrEnum):
    """Why a session ended; the wire's ``EndSessionReason``."""

    COMPLETE = "COMPLETE"
    IDLE = "IDLE"
    SPENT = "SPENT"
    UNAVAILABLE = "UNAVAILABLE"
    NOT_PAID = "NOT_PAID"
    VEND_ENDED = "VEND_ENDED"
    NEXT_CUSTOMER = "NEXT_CUSTOMER"


class FailureCause(StrEnum):
    """Why goods were not delivered: the wire's ``VendFailureCause``, and the last ones for what
    only we or a person settle. UNKNOWN: the machine said no cause, or one that only a newer backend
    knows. CONTRADICTED: what it says cannot be true.
    """

    UNKNOWN = "UNKNOWN"
    JAMMED = "JAMMED"
    EMPTY = "EMPTY"
    NOTHING_DROPPED = "NOTHING_DROPPED"
    NOT_WAITING = "NOT_WAITING"
    NOT_STARTED = "NOT_STARTED"
    INDETERMINATE = "INDETERMINATE"
    UNSETTLED = "UNSETTLED"
    REVIEWED = "REVIEWED"
    CONTRADICTED = "CONTRADICTED"


class RefundCause(StrEnum):
    """Why money goes back: the end of its session, or why it never entered one."""

    COMPLETE = "COMPLETE"
    IDLE = "IDLE"
    UNAVAILABLE = "UNAVAILABLE"
    NOT_PAID = "NOT_PAID"
    VEND_ENDED = "VEND_ENDED"
    LATE_PAYMENT = "LATE_PAYMENT"
    SECOND_CUSTOMER = "SECOND_CUSTOMER"
    NO_SELECTION = "NO_SELECTION"
    VEND_FAILED = "VEND_FAILED"
    OVERLOADED = "OVERLOADED"
    GOODWILL = "GOODWILL"
    NEXT_CUSTOMER = "NEXT_CUSTOMER"
    TIME_UNKNOWN = "TIME_UNKNOWN"


class RefundStatus(StrEnum):
    """DUE: asked for or about to be. UNKNOWN: the same id again, later. ACCEPTED: Alipay does it by
    itself. REFUSED: Alipay's no; UNRESOLVED: no answer within its bound; both a person's.

    SUCCEEDED and WRITTEN_OFF are final.
    """

    DUE = "DUE"
    UNKNOWN = "UNKNOWN"
    SHORT_OF_FUNDS = "SHORT_OF_FUNDS"
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    UNRESOLVED = "UNRESOLVED"
    SUCCEEDED = "SUCCEEDED"
    WRITTEN_OFF = "WRITTEN_OFF"


class Column(Struct, frozen=True, kw_only=True, array_like=True):
    """One column: the product, its price, how many fit and how many are in it."""

    column: str
    product: str
    price_minor: int
    capacity: int
    stock: int


class Planogram(Struct, frozen=True, kw_only=True):
    """All columns of a machine, under the version that names them. ``goods_may_be_removed``:
    somebody agreed that goods which have no place in it leave their columns. ``kept_back``: it
    waits for such goods, nobody agreed, and a person was told.
    """

    version: int
    columns: tuple[Column, ...]
    goods_may_be_removed: bool = False
    kept_back: bool = False


class Configuration(Struct, frozen=True, kw_only=True):
    """What administrators decide about the machine. ``revision`` grows with each change and names
    it; no revision is used twice. A state has the ``planogram_version`` that is in force.
    """

    revision: int = 0
    enabled: bool = True
    mode: Mode = Mode.BOTH
    overrides: PolicyOverrides = PolicyOverrides()
    planogram_version: int = 0
    retired: bool = False
    """Its life in the fleet is over; money that comes all the same goes back."""
    locked: tuple[str, ...] | None = None
    """The columns that must not sell, whatever is in them. None: no column ever was locked."""


class AlarmKind(StrEnum):
    """How a machine behaves as it cannot, so that a person must look at it."""

    NUMBER_REUSED = "NUMBER_REUSED"
    BOOT_CAME_BACK = "BOOT_CAME_BACK"
    DOUBLE = "DOUBLE"
    COLUMN_FAILS = "COLUMN_FAILS"
    VEND_CONTRADICTED = "VEND_CONTRADICTED"
    TEST_VEND_UNKNOWN = "TEST_VEND_UNKNOWN"
    MACHINE_FAILS = "MACHINE_FAILS"
    CODE_LEFT = "CODE_LEFT"
    GOODS_WITHOUT_PLACE = "GOODS_WITHOUT_PLACE"


class Alarm(Struct, frozen=True, kw_only=True):
    """Something for a person to look at, which moves no money by itself. What happens again within
    an hour is counted here and makes no other one.
    """

    alarm_id: str
    kind: AlarmKind
    subject: str
    """The column, vend, command or store that it is about; empty if it is about the machine."""
    detail: str
    times: int
    since_at_ms: int
    last_at_ms: int


class Failing(Struct, frozen=True, kw_only=True, array_like=True):
    """A column whose last vends failed. ``blocked``: so many that it sells nothing any more."""

    column: str
    in_row: int
    blocked: bool = False


class Boot(Struct, frozen=True, kw_only=True, array_like=True):
    """A boot that was superseded, and how far it got."""

    boot_id: BootId
    last_seq: int


class Link(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The machine's stream as the actor knows it. ``last_seq``: the highest seq of ``boot_id`` that
    was applied. ``before``: the streams that it had before, the last of them last.
    """

    online: bool = False
    stream_id: StreamId = StreamId("")
    opened_at_ms: int = 0
    changed_at_ms: int = 0
    boot_id: BootId = BootId("")
    last_seq: int = 0
    firmware: str = ""
    planogram_version: int = 0
    reader_enabled: bool = True
    reader_reason: str = ""
    last_fault: str = ""
    before: tuple[StreamId, ...] = ()
    digests: str = ""
    """Of the last frames of ``boot_id`` that were applied (``frames``)."""
    tokens: tuple[str, ...] = ()
    """Those that the machine may return, newest last."""
    keeps_token: bool = False
    """Its firmware returns tokens, also after a power cut."""
    takeovers_at_ms: tuple[int, ...] = ()
    """When streams took over from one that lived, of the last minute."""
    strangers_at_ms: tuple[int, ...] = ()
    """When streams took over that could not show whose they are, of the last hour."""
    earlier_boots: tuple[Boot, ...] = ()
    """The last boots before ``boot_id``, oldest first."""
    out_of_service: bool = False
    """Whether this stream was welcomed as one that sells nothing."""
    knows_commands: bool = False
    """Whether its firmware answers commands, as its last Hello says."""


class Reservation(Struct, frozen=True, kw_only=True, array_like=True):
    """The part of a vend's price that is held on one trade."""

    trade_id: TradeId
    amount_minor: int


class Vend(Struct, frozen=True, kw_only=True, array_like=True):
    """One selection. ``deadline_at_ms`` is the payment's while AWAITING_PAYMENT, the result's while
    APPROVED, the doubt's then. ``price_minor`` is what is paid, ``offer`` took ``discount_minor``.
    """

    vend_id: VendId
    session_id: SessionId
    request_id: RequestId
    column: str
    product: str
    price_minor: int
    status: VendStatus
    requested_at_ms: int
    deadline_at_ms: int
    reserved: tuple[Reservation, ...] = ()
    reason: str = ""
    evidence: str = ""
    heard_from_ms: int | None = None
    """Since when the host listens again, if it could not while the vend was open: its waits count
    from then, not from ``requested_at_ms``.
    """
    put_off_ms: int = 0
    """By how much its end was put off, all together, because its host had not been listening."""
    ended_at_ms: int | None = None
    taken_over: bool = False
    """A stranger's stream took over: that it was delivered is then no machine's word alone."""
    begun: bool = False
    """Its machine's journal told of its motor, not of its end: it cannot be cancelled any more."""
    discount_minor: int = 0
    offer: str = ""


class Session(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One customer's stay. ``payer_id`` is the random number that stands for them, empty until
    somebody paid, or when Alipay did not name the payer.
    """

    session_id: SessionId
    mode: Mode
    started_at_ms: int
    last_operation_at_ms: int
    payer_id: str = ""
    announced: bool = False
    """BeginSession or ShowQr was sent to the machine, on some stream."""
    unavailable_since_ms: int | None = None
    """Since when the machine cannot sell to this customer: offline, out of service or sold out."""
    vend: Vend | None = None
    paid_minor: int = 0
    money_at_ms: int = 0
    """When a payment last came in or goods were last sold. What else the customer does prolongs the
    stay by no more than one idle time beyond it.
    """
    uncovered_minor: int = 0
    """Of the last choice since a payment or approval: its price, if the funds did not cover it."""
    uncovered_at_ms: int = 0
    ended_at_ms: int | None = None
    end_reason: EndReason | None = None
    offers: tuple[Offered, ...] = ()


class Trade(Struct, frozen=True, kw_only=True, array_like=True):
    """One payment. ``paid = funds + reserved + sold + refunded + written_off`` always.

    ``payer_id`` is empty when Alipay did not name the payer. ``refunded`` counts what is asked for,
    done or not; ``written_off`` what was refused and given up.
    """

    trade_id: TradeId
    partner_trans_id: str
    paid_minor: int
    funds_minor: int
    received_at_ms: int
    payer_id: str = ""
    reserved_minor: int = 0
    sold_minor: int = 0
    refunded_minor: int = 0
    written_off_minor: int = 0
    refunds_made: int = 0
    session_id: SessionId | None = None
    closed_at_ms: int | None = None


class WriteOffProposal(Struct, frozen=True, kw_only=True):
    """A person's wish to write a refund off, which another person must confirm.

    ``actor`` is the name for people to read; ``person`` is who it was, and tells two people apart.
    """

    actor: str
    person: str
    reason: str
    at_ms: int


class Refund(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Money that is due back. A try is under way when DUE or UNKNOWN and ``next_attempt_at_ms`` is
    None.
    """

    refund_id: RefundId
    trade_id: TradeId
    partner_trans_id: str
    amount_minor: int
    cause: RefundCause
    status: RefundStatus
    due_at_ms: int
    attempts: int = 0
    next_attempt_at_ms: int | None = None
    query_next: bool = False
    """The next try asks what became of it instead of asking for it again."""
    refusal: str = ""
    """Alipay's definite no to a request, until a question has shown that nothing was done."""
    accepted_at_ms: int | None = None
    """Since when Alipay says that it does it by itself."""
    asked_by_person: bool = False
    """A person's question about a refund that is theirs is under way."""
    short_answers: int = 0
    """How many of Alipay's answers were that our settlement funds are short."""
    asynchronous: bool = False
    """Left to Alipay, because the funds did not suffice at once."""
    error: str = ""
    proposal: WriteOffProposal | None = None
    """Set while it is a person's and a second one must confirm the write-off."""
    ended_at_ms: int | None = None


class MachineState(Struct, frozen=True, kw_only=True):
    """All that the actor remembers. ``version`` counts saved decisions."""

    machine_id: MachineId
    currency: Currency
    version: int = 0
    configuration: Configuration = Configuration()
    code: Code = Code()
    columns: tuple[Column, ...] = ()
    link: Link = Link()
    session: Session | None = None
    doubts: tuple[Vend, ...] = ()
    """Vends in doubt whose session is over, and vends in review; their money is still reserved."""
    trades: tuple[Trade, ...] = ()
    """Open trades, oldest first: funds are spent first in, first out."""
    refunds: tuple[Refund, ...] = ()
    """Refunds that are not done, oldest first."""
    closed_trades: tuple[TradeId, ...] = ()
    """The last trades that were closed: the memory against late repetitions. Behind it stands the
    inbox's unique key.
    """
    settled_vends: tuple[Vend, ...] = ()
    """The last vends that were settled, for results that are repeated or come too late, and as many
    that were denied, whose request ids are used up.
    """
    failing: tuple[Failing, ...] = ()
    """Columns whose last vend failed."""
    failed_in_row: int = 0
    """So many vends in a row ended without goods, whatever their columns, since a person was told
    last.
    """
    alarms: tuple[Alarm, ...] = ()
    """The last ones, for what happens again."""
    alarms_made: int = 0
    incidents: tuple[Incident, ...] = ()
    """The open ones, the one that was told last at the end."""
    incidents_made: int = 0
    goods_acts: tuple[GoodsAct, ...] = ()
    """The last ones, for those that are told again."""
    late_watch_until_ms: int = 0
    session_ended_at_ms: int = 0
    sessions_made: int = 0
    vends_made: int = 0
    next_planogram: Planogram | None = None
    """What an administrator wants in the columns as soon as nobody is in a session, and no goods
    are in the way of which nobody said that they may be removed.
    """
    commands: tuple[Command, ...] = ()
    """The open ones, oldest first."""
    ended_commands: tuple[Command, ...] = ()
    """The last ones that ended, without their reports, for answers that come again or late."""
    ordered_locks: tuple[str, ...] | None = None
    """The columns that a command locks, beside those of ``Configuration.locked``. None: no command
    ever locked one.
    """


CLOSED_TRADES_KEPT = 64
STREAMS_KEPT = 16
SETTLED_VENDS_KEPT = 16
EARLIER_BOOTS_KEPT = 16
ALARMS_KEPT = 61


def column_named(state: MachineState, name: str) -> Column | None:
    """Return the column, or None if the planogram has no such column."""
    for column in state.columns:
        if column.column == name:
            return column
    return None


def open_vends(state: MachineState) -> tuple[Vend, ...]:
    """Return the vends that are not over: those in doubt or in review, and the session's, last."""
    vend = None if state.session is None else state.session.vend
    return state.doubts if vend is None else (*state.doubts, vend)


def newest_token(state: MachineState) -> str:
    """Return what the machine's last stream was told in its Welcome; empty if it had none."""
    return state.link.tokens[-1] if state.link.tokens else ""


def phase(state: MachineState) -> Phase:
    """Return the machine's phase."""
    session = state.session
    if session is not None and session.vend is not None:
        return {
            VendStatus.AWAITING_PAYMENT: Phase.VEND_AWAITING_PAYMENT,
            VendStatus.APPROVED: Phase.VEND_APPROVED,
        }.get(session.vend.status, Phase.VEND_IN_DOUBT)
    if session is not None:
        return Phase.SESSION_IDLE
    if not state.link.online:
        return Phase.INACTIVE
    if not (state.configuration.enabled and state.link.reader_enabled):
        return Phase.DISABLED
    return Phase.ENABLED
