"""Facts: everything that can happen to a machine, in the past tense.

Flows in: from the stream (``Connected``, ``Disconnected``, ``FrameReceived``), from Alipay's
notifications and answers, from administrators, and from the clock. All amounts are integers in
minor units; all times are milliseconds since 1970 UTC.
"""

from dataclasses import dataclass
from enum import StrEnum

from actors.machine.effects import RejectCode
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
from actors.machine.state import (
    CodeStatus,
    Column,
    Configuration,
    DenyReason,
    FailureCause,
    Trade,
)


class JournalStage(StrEnum):
    """How far a vend went, according to the machine's journal: the wire's ``JournalStage``, and one
    for what a newer firmware says and we cannot read.
    """

    ACCEPTED = "ACCEPTED"
    MOTOR_ON = "MOTOR_ON"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One line of the machine's journal. ``cause`` only with FAILED. ``evidence`` in words, for
    people.
    """

    vend_id: VendId
    stage: JournalStage
    cause: FailureCause | None = None
    evidence: str = ""


# --- the content of a machine's numbered frame ---


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderEnabled:
    """The machine accepts customers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderDisabled:
    """The machine accepts no customers."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendRequested:
    """The customer chose a column at the price that they saw."""

    request_id: RequestId
    column: str
    price_minor: int
    planogram_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VendTurnedAway:
    """The shell denied a request because nothing could be saved then; the frame's number is used up
    all the same.
    """

    request_id: RequestId
    reason: DenyReason


@dataclass(frozen=True, slots=True, kw_only=True)
class VendCancelled:
    """The customer changed their mind before the answer."""

    request_id: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class VendSucceeded:
    """Delivered."""

    vend_id: VendId
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendFailed:
    """Not delivered."""

    vend_id: VendId
    cause: FailureCause
    evidence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCompleted:
    """The customer is finished."""

    session_id: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class CashSold:
    """A sale for cash; stock and audit only."""

    column: str
    price_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReported:
    """Something is broken; ``code`` is an EVA-DTS event code."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultsCounted:
    """So many faults in a row, counted by the gateway because the machine said too many. They bear
    the numbers from ``first_seq`` to the frame's own; ``code`` is the last one's.
    """

    first_seq: int
    count: int
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameNotRead:
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
)


# --- events ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A stream said Hello. A stream that was opened later takes over from one that was opened
    earlier. ``remarks``: what of the Hello could not be read here, for people.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """A stream is gone."""

    stream_id: StreamId
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameReceived:
    """A numbered frame: applied once for each (machine, boot, seq), in order. ``remarks``: what of
    it could not be read here, for people.
    """

    stream_id: StreamId
    seq: int
    fact: MachineFact
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpPaid:
    """A customer paid, according to a verified notification or the daily file. ``payer`` is a keyed
    hash, empty if Alipay did not name the payer. ``paid_at_ms`` None: Alipay did not say when, and
    that is not "now".
    """

    trade_id: TradeId
    partner_trans_id: str
    amount_minor: int
    currency: Currency
    paid_at_ms: int | None
    payer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeFinished:
    """Alipay closed the trade: TRADE_FINISHED after the refund window, TRADE_CLOSED after a full
    refund. No money moves.
    """

    trade_id: TradeId
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSucceeded:
    """The money went back, according to Alipay. ``source``: its answer, a query or a
    notification.
    """

    refund_id: RefundId
    source: str = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAccepted:
    """Alipay will refund by itself (asynchronous, or still processing)."""

    refund_id: RefundId


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundUnknown:
    """Time-out, broken or unsigned answer, SYSTEM_ERROR: the refund is neither done nor refused.

    ``ask_first``: what was said may be the echo of our own success (a code that is on no list, an
    id that was used before), so that the next try is a question.
    """

    refund_id: RefundId
    detail: str
    ask_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundNotFound:
    """Alipay answered a query: it never heard of the refund."""

    refund_id: RefundId


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundShortOfFunds:
    """Alipay lacks our settlement funds; the same id may be tried later."""

    refund_id: RefundId
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRefused:
    """Alipay refused, definitely and signed. ``source``: its answer to a request, which says
    nothing of earlier tries, or to a query, which does.
    """

    refund_id: RefundId
    detail: str
    source: str = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRetryAsked:
    """An administrator wants the refund to be tried now."""

    refund_id: RefundId
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundQueryAsked:
    """An administrator wants Alipay to be asked now what became of the refund. No money is asked
    for.
    """

    refund_id: RefundId
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWrittenOff:
    """An administrator gives up a refund that is a person's; the customer was paid otherwise, or
    cannot be paid.

    ``person`` is the proven identity, which tells two people apart; if it is empty, ``actor`` does.
    """

    refund_id: RefundId
    actor: str
    reason: str
    person: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendSettled:
    """An administrator found out how a vend in doubt or in review ended."""

    vend_id: VendId
    delivered: bool
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldPart:
    """The part of a sold vend's price that came from one trade, and that trade as SQL holds it."""

    trade: Trade
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VendRefundAsked:
    """An administrator gives the price of sold goods back.

    ``version`` is the version of the state that SQL held when ``parts`` were read.
    """

    vend_id: VendId
    version: int
    parts: tuple[SoldPart, ...]
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeCreated:
    """Alipay gave the machine its code."""

    qr_payload: str
    image_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeStatusChanged:
    """Alipay stopped or restarted the code."""

    status: CodeStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFailed:
    """A call about the code failed. Unless ``final``, it is tried again."""

    final: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChanged:
    """The registry holds another configuration. ``columns`` is the whole planogram when its version
    is new, else None; a column's ``stock`` counts only if the column is new.
    """

    configuration: Configuration
    columns: tuple[Column, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockCounted:
    """Somebody counted or refilled a column."""

    column: str
    stock: int
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePassed:
    """A deadline may have come."""


Event = (
    Connected
    | Disconnected
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
    | CodeCreated
    | CodeStatusChanged
    | CodeFailed
    | ConfigurationChanged
    | StockCounted
    | TimePassed
)
