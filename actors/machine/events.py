"""Facts: everything that can happen to a machine, in the past tense.

Flows in: from the stream (``Connected``, ``Disconnected``, ``FrameReceived``), from Alipay's
notifications and answers, from administrators, and from the clock. All amounts are integers in
minor units; all times are milliseconds since 1970 UTC.
"""

from enum import StrEnum

from msgspec import Struct

from actors.machine.code import CodeStatus, Says
from actors.machine.command import CommandAnswered, CommandCancelled, CommandOrdered
from actors.machine.effects import RejectCode
from actors.machine.goods import GoodsKind
from actors.machine.ids import (
    BootId,
    Currency,
    RefundId,
    RequestId,
    SessionId,
    StreamId,
    TradeId,
    VendId,
)
from actors.machine.incident import FaultReported, FaultsCounted, IncidentClosed
from actors.machine.offer import Offered, OfferRefused
from actors.machine.state import Column, Configuration, DenyReason, FailureCause, Trade


class JournalStage(StrEnum):
    """How far a vend went, according to the machine's journal: the wire's ``JournalStage``, and one
    for what a newer firmware says and we cannot read.
    """

    ACCEPTED = "ACCEPTED"
    MOTOR_ON = "MOTOR_ON"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class JournalEntry(Struct, frozen=True, kw_only=True):
    """One line of the machine's journal. ``cause`` only with FAILED. ``evidence`` in words, for
    people.
    """

    vend_id: VendId
    stage: JournalStage
    cause: FailureCause | None = None
    evidence: str = ""


# --- the content of a machine's numbered frame ---


class ReaderEnabled(Struct, frozen=True, kw_only=True):
    """The machine accepts customers."""


class ReaderDisabled(Struct, frozen=True, kw_only=True):
    """The machine accepts no customers."""

    reason: str = ""


class VendRequested(Struct, frozen=True, kw_only=True):
    """The customer chose a column at the price that they saw."""

    request_id: RequestId
    column: str
    price_minor: int
    planogram_version: int


class VendTurnedAway(Struct, frozen=True, kw_only=True):
    """The shell denied a request because nothing could be saved then; the frame's number is used up
    all the same.
    """

    request_id: RequestId
    reason: DenyReason


class VendCancelled(Struct, frozen=True, kw_only=True):
    """The customer changed their mind before the answer."""

    request_id: RequestId


class VendSucceeded(Struct, frozen=True, kw_only=True):
    """Delivered."""

    vend_id: VendId
    evidence: str = ""


class VendFailed(Struct, frozen=True, kw_only=True):
    """Not delivered."""

    vend_id: VendId
    cause: FailureCause
    evidence: str = ""


class SessionCompleted(Struct, frozen=True, kw_only=True):
    """The customer is finished."""

    session_id: SessionId


class CashSold(Struct, frozen=True, kw_only=True):
    """A sale for cash; stock and audit only."""

    column: str
    price_minor: int


class FrameNotRead(Struct, frozen=True, kw_only=True):
    """A frame that breaks a rule, or whose payload only a newer backend knows. Its number is used
    up all the same: numbers that became free again would be given to other frames.
    """

    code: RejectCode
    detail: str


MachineFact = (
    ReaderEnabled
    | ReaderDisabled
    | VendRequested
    | VendTurnedAway
    | VendCancelled
    | VendSucceeded
    | VendFailed
    | SessionCompleted
    | CashSold
    | FaultReported
    | FaultsCounted
    | FrameNotRead
    | CommandAnswered
)


# --- events ---


class Connected(Struct, frozen=True, kw_only=True):
    """A stream said Hello. ``opened_at_ms`` is told by its gateway's clock, for people: streams are
    ordered by when the actor first heard of them. ``remarks``: what of the Hello could not be read
    here, for people.
    """

    stream_id: StreamId
    opened_at_ms: int
    boot_id: BootId
    firmware: str = ""
    planogram_version: int = 0
    journal: tuple[JournalEntry, ...] = ()
    journal_lost: bool = False
    remarks: tuple[str, ...] = ()
    token: str = ""
    """What Welcome will tell, so that the next Hello can return it."""
    returned_token: str = ""
    """What Hello returned; empty if it returned none."""
    keeps_token: bool = False
    """The firmware returns tokens, also after a power cut."""
    knows_commands: bool = False
    """The firmware answers commands."""


class Disconnected(Struct, frozen=True, kw_only=True):
    """A stream is gone."""

    stream_id: StreamId
    reason: str = ""


class PlanogramAcknowledged(Struct, frozen=True, kw_only=True):
    """The machine has handled the planogram of this version, which it was told on this stream."""

    stream_id: StreamId
    planogram_version: int


class FrameReceived(Struct, frozen=True, kw_only=True):
    """A numbered frame: applied once for each (machine, boot, seq), in order. ``remarks``: what of
    it could not be read here, for people.
    """

    stream_id: StreamId
    seq: int
    fact: MachineFact
    remarks: tuple[str, ...] = ()


class TopUpPaid(Struct, frozen=True, kw_only=True):
    """A customer paid, according to a verified notification or the daily file. ``payer_id`` is the
    random number that stands for them, empty if Alipay did not name the payer.

    ``paid_at_ms`` is Alipay's time; None: Alipay did not say when, and that is not "now".
    ``clock_ahead_ms``: by how much the clock of the host that took the payment was ahead of
    Alipay's, as far as it knew.
    """

    trade_id: TradeId
    partner_trans_id: str
    amount_minor: int
    currency: Currency
    paid_at_ms: int | None
    payer_id: str = ""
    clock_ahead_ms: int | None = None
    offers: tuple[Offered, ...] = ()

    @property
    def paid_at_ours_ms(self) -> int | None:
        """When it was paid by the clock that decides on it."""
        if self.paid_at_ms is None:
            return None
        return self.paid_at_ms + (self.clock_ahead_ms or 0)


class TradeFinished(Struct, frozen=True, kw_only=True):
    """Alipay closed the trade: TRADE_FINISHED after the refund window, TRADE_CLOSED after a full
    refund. No money moves.
    """

    trade_id: TradeId
    status: str


class RefundSucceeded(Struct, frozen=True, kw_only=True):
    """The money went back, according to Alipay. ``source``: its answer, a query or a
    notification.
    """

    refund_id: RefundId
    source: str = "answer"


class RefundAccepted(Struct, frozen=True, kw_only=True):
    """Alipay will refund by itself (asynchronous, or still processing)."""

    refund_id: RefundId


class RefundUnknown(Struct, frozen=True, kw_only=True):
    """Time-out, broken or unsigned answer, SYSTEM_ERROR: the refund is neither done nor refused.

    ``ask_first``: what was said may be the echo of our own success (a code that is on no list, an
    id that was used before), so that the next try is a question.
    """

    refund_id: RefundId
    detail: str
    ask_first: bool = False


class RefundNotFound(Struct, frozen=True, kw_only=True):
    """Alipay answered a query: it never heard of the refund."""

    refund_id: RefundId


class RefundShortOfFunds(Struct, frozen=True, kw_only=True):
    """Alipay lacks our settlement funds; the same id may be tried later."""

    refund_id: RefundId
    detail: str


class RefundRefused(Struct, frozen=True, kw_only=True):
    """Alipay refused, definitely and signed. ``source``: its answer to a request, which says
    nothing of earlier tries, or to a query, which does.
    """

    refund_id: RefundId
    detail: str
    source: str = "answer"


class RefundRetryAsked(Struct, frozen=True, kw_only=True):
    """An administrator wants the refund to be tried now."""

    refund_id: RefundId
    actor: str
    reason: str = ""


class RefundQueryAsked(Struct, frozen=True, kw_only=True):
    """An administrator wants Alipay to be asked now what became of the refund. No money is asked
    for.
    """

    refund_id: RefundId
    actor: str
    reason: str = ""


class RefundWrittenOff(Struct, frozen=True, kw_only=True):
    """An administrator gives up a refund that is a person's; the customer was paid otherwise, or
    cannot be paid.

    ``person`` is the proven identity, which tells two people apart; if it is empty, ``actor`` does.
    """

    refund_id: RefundId
    actor: str
    reason: str
    person: str = ""


class VendSettled(Struct, frozen=True, kw_only=True):
    """An administrator found out how a vend in doubt or in review ended."""

    vend_id: VendId
    delivered: bool
    actor: str
    reason: str


class SoldPart(Struct, frozen=True, kw_only=True):
    """The part of a sold vend's price that came from one trade, and that trade as SQL holds it."""

    trade: Trade
    amount_minor: int


class VendRefundAsked(Struct, frozen=True, kw_only=True):
    """An administrator gives the price of sold goods back.

    ``version`` is the version of the state that SQL held when ``parts`` were read.
    """

    vend_id: VendId
    version: int
    parts: tuple[SoldPart, ...]
    actor: str
    reason: str


class CodeCreated(Struct, frozen=True, kw_only=True):
    """Alipay gave the machine its code."""

    qr_payload: str
    image_url: str = ""


class CodeWished(Struct, frozen=True, kw_only=True):
    """The registry and the settings want the code to say this. ``wait_ms``: so many machines may
    have to ask at once that this one asks so much later. ``revision``: of the configuration that it
    is of; one that is older than the machine's was overtaken. None: of whichever the machine has.
    """

    says: Says
    wait_ms: int = 0
    revision: int | None = None


class CodeModified(Struct, frozen=True, kw_only=True):
    """Alipay confirmed that the code says what was sent: ``says``."""

    says: Says


class CodeDeleted(Struct, frozen=True, kw_only=True):
    """Alipay deleted the code that was to be replaced."""


class CodeStatusChanged(Struct, frozen=True, kw_only=True):
    """Alipay stopped or restarted the code."""

    status: CodeStatus


class CodeStopOrdered(Struct, frozen=True, kw_only=True):
    """While the machine was halted its host had the code stopped, so that nobody pays a machine
    that decides nothing; what Alipay has of it the machine cannot know.
    """


class CodeFailed(Struct, frozen=True, kw_only=True):
    """A call about the code failed. Unless ``final``, it is tried again."""

    final: bool
    detail: str


class ConfigurationChanged(Struct, frozen=True, kw_only=True):
    """The registry holds another configuration. ``columns`` is the whole planogram when its version
    is new, else None; a column's ``stock`` counts only if the column is new.
    ``goods_may_be_removed``: whoever wants it agreed that goods without a place in it leave their
    columns.
    """

    configuration: Configuration
    columns: tuple[Column, ...] | None = None
    goods_may_be_removed: bool = False


class StockCounted(Struct, frozen=True, kw_only=True):
    """Somebody counted or refilled a column. ``cause`` names the act, if it may be told twice."""

    column: str
    stock: int
    actor: str = ""
    cause: str = ""


class GoodsMoved(Struct, frozen=True, kw_only=True):
    """Somebody put goods into a column (``into``) or took some out of it; ``place`` is where they
    came from or went.

    ``cause`` names the act, once and for ever. ``version`` is that of the state that SQL held when
    it was read there that the act had not been done.
    """

    kind: GoodsKind
    cause: str
    version: int
    column: str
    product: str
    quantity: int
    into: bool
    place: str
    lot: str = ""
    visit: str = ""
    actor: str = ""
    reason: str = ""
    reverses: int | None = None
    happened_at_ms: int | None = None


class GoodsCounted(Struct, frozen=True, kw_only=True):
    """Somebody counted a column: there were ``counted`` when our books said ``believed``. What
    moved since then is not counted again. ``cause`` and ``version`` as in ``GoodsMoved``.
    """

    cause: str
    version: int
    column: str
    product: str
    counted: int
    believed: int
    visit: str = ""
    actor: str = ""
    reason: str = ""


class TimePassed(Struct, frozen=True, kw_only=True):
    """A deadline may have come."""


class Resumed(Struct, frozen=True, kw_only=True):
    """The host listens again, after a time in which nothing could be saved or decided; ``reason``
    says why it could not. Its clock may be another than the one that set the deadlines.
    """

    reason: str


CodeEvent = (
    CodeCreated
    | CodeStatusChanged
    | CodeStopOrdered
    | CodeFailed
    | CodeWished
    | CodeModified
    | CodeDeleted
)
Event = (
    Connected
    | Disconnected
    | PlanogramAcknowledged
    | FrameReceived
    | TopUpPaid
    | TradeFinished
    | RefundSucceeded
    | RefundAccepted
    | RefundUnknown
    | RefundNotFound
    | RefundShortOfFunds
    | RefundRefused
    | RefundRetryAsked
    | RefundQueryAsked
    | RefundWrittenOff
    | VendSettled
    | VendRefundAsked
    | CodeEvent
    | ConfigurationChanged
    | StockCounted
    | IncidentClosed
    | GoodsMoved
    | GoodsCounted
    | CommandOrdered
    | CommandCancelled
    | OfferRefused
    | TimePassed
    | Resumed
)
