"""Orders: what the shell must do once the decision is saved, in the imperative.

Commands go to the machine on its present stream; calls go to Alipay and come back as events. Each
is safe to do twice: a command names what it is about, a call carries an id that was saved before.
"""

from enum import StrEnum

from msgspec import Struct

from actors.machine.code import CodeStatus
from actors.machine.command import CommandKind
from actors.machine.ids import Currency, RefundId, RequestId, SessionId, StreamId, TradeId, VendId
from actors.machine.state import (
    Column,
    DenyReason,
    EndReason,
    Mode,
)


class RejectCode(StrEnum):
    """Why a frame was refused by the core; the wire's ``ProtocolErrorCode``."""

    OUT_OF_ORDER = "OUT_OF_ORDER"
    OUT_OF_SEQUENCE = "OUT_OF_SEQUENCE"
    BAD_FIELD = "BAD_FIELD"
    UNKNOWN_PAYLOAD = "UNKNOWN_PAYLOAD"
    SEQ_REUSED = "SEQ_REUSED"


class TakenOverBy(StrEnum):
    """Whose stream took over from one that lived."""

    ITSELF = "ITSELF"
    """The same machine's, which showed its token or its boot id."""
    STRANGER = "STRANGER"
    """One that could not show it: perhaps another device's."""


# --- commands to the machine ---


class Welcome(Struct, frozen=True, kw_only=True):
    """Answer Hello. ``session_id`` is None if the machine is free; ``vend_id`` None if no vend is
    open.
    """

    session_id: SessionId | None
    funds_minor: int
    vend_id: VendId | None
    planogram_version: int
    last_seq: int
    currency: Currency
    qr_payload: str
    mode: Mode
    in_service: bool
    resume_token: str = ""
    taken_over_by: TakenOverBy | None = None
    """Not told to the machine: whose this stream is, if it took over from one that lived."""


class UpdatePlanogram(Struct, frozen=True, kw_only=True):
    """Give the machine its columns, whole."""

    planogram_version: int
    columns: tuple[Column, ...]


class UpdateService(Struct, frozen=True, kw_only=True):
    """Tell the machine whether and how it may sell."""

    in_service: bool
    qr_payload: str
    mode: Mode


class BeginSession(Struct, frozen=True, kw_only=True):
    """A customer has funds."""

    session_id: SessionId
    funds_minor: int
    expires_in_ms: int


class UpdateFunds(Struct, frozen=True, kw_only=True):
    """The funds of the open session changed."""

    session_id: SessionId
    funds_minor: int
    expires_in_ms: int


class ShowQr(Struct, frozen=True, kw_only=True):
    """Ask for the payment of a selection. ``amount_minor`` is what is still missing."""

    request_id: RequestId
    qr_payload: str
    amount_minor: int
    expires_in_ms: int


class ApproveVend(Struct, frozen=True, kw_only=True):
    """Let the machine dispense. ``amount_minor`` is what is paid, ``discount_minor`` what an offer
    took off the price that was shown; None: there was none.
    """

    vend_id: VendId
    request_id: RequestId
    column: str
    amount_minor: int
    valid_for_ms: int
    discount_minor: int | None = None


class DenyVend(Struct, frozen=True, kw_only=True):
    """Do not let the machine dispense."""

    request_id: RequestId
    reason: DenyReason
    funds_minor: int


class EndSession(Struct, frozen=True, kw_only=True):
    """The customer's stay is over. ``refund_minor`` goes back."""

    session_id: SessionId
    reason: EndReason
    refund_minor: int


class SendCommand(Struct, frozen=True, kw_only=True):
    """Order something of the machine. ``column`` and ``show_for_ms`` only of kinds that have
    one.
    """

    command_id: str
    kind: CommandKind
    column: str
    show_for_ms: int
    valid_for_ms: int


class RejectFrame(Struct, frozen=True, kw_only=True):
    """Tell the machine that a frame was refused and what was expected."""

    code: RejectCode
    seq: int
    expected_seq: int
    detail: str


MachineCommand = (
    Welcome
    | UpdatePlanogram
    | UpdateService
    | BeginSession
    | UpdateFunds
    | ShowQr
    | ApproveVend
    | DenyVend
    | EndSession
    | RejectFrame
    | SendCommand
)


class CloseStream(Struct, frozen=True, kw_only=True):
    """End a stream that a newer one took over from, or that is not the machine's."""

    stream_id: StreamId
    reason: str


# --- calls to Alipay ---


class SendRefund(Struct, frozen=True, kw_only=True):
    """Ask Alipay to refund (alipay.acquire.overseas.spot.refund), at once or, if not
    ``synchronous``, whenever its funds suffice.
    """

    refund_id: RefundId
    trade_id: TradeId
    partner_trans_id: str
    amount_minor: int
    currency: Currency
    synchronous: bool = True


class QueryRefund(Struct, frozen=True, kw_only=True):
    """Ask Alipay what became of a refund (alipay.acquire.refund.query)."""

    refund_id: RefundId
    partner_trans_id: str


class CreateCode(Struct, frozen=True, kw_only=True):
    """Ask Alipay for the machine's code (alipay.commerce.qrcode.create). Asking again gives the
    same code. ``store`` is the store's id, empty if that is the machine's own.
    """

    store: str = ""


class ChangeCodeStatus(Struct, frozen=True, kw_only=True):
    """Stop or restart the code (alipay.commerce.qrcode.modifyStatus)."""

    qr_payload: str
    status: CodeStatus


class ModifyCode(Struct, frozen=True, kw_only=True):
    """Have the code say where its payments are told, who sells and where
    (alipay.commerce.qrcode.modify), as the registry and the settings have it when it is called.
    """

    qr_payload: str
    store: str = ""


class DeleteCode(Struct, frozen=True, kw_only=True):
    """Have a stopped code never be restarted (alipay.commerce.qrcode.modifyStatus)."""

    qr_payload: str


CodeCall = CreateCode | ChangeCodeStatus | ModifyCode | DeleteCode
ProviderCall = SendRefund | QueryRefund | CodeCall


def subject(call: ProviderCall) -> object:
    """Return what a call is about: a refund, whether it is sent or asked about, or else the call
    itself. Of two calls with one subject one is enough: its answer serves both.
    """
    return call.refund_id if isinstance(call, SendRefund | QueryRefund) else call


Effect = MachineCommand | CloseStream | ProviderCall
