"""A small honest backend for one machine: enough of the protocol for customers to be served. Knows
nothing of the product's own core.

Flows in: the machine's frames and payments. Flows out: the backend's frames, through ``emit``;
timers run on the event loop.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.simulator.phone import NotPaid, Paid
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

COLUMNS = (
    pb.PlanogramColumn(column="A1", product="Water", price_minor=500, stock=50),
    pb.PlanogramColumn(column="A2", product="Tea", price_minor=700, stock=50),
)
QR = "https://qr.example/VM-0001"


@dataclass
class Backend:
    """One machine's books. ``refunded_minor`` is what went back, ``sold`` the vends that were paid
    for.
    """

    emit: Callable[[service_pb.ConnectResponse], None]
    mode: pb.Mode.ValueType = pb.MODE_BOTH
    idle_ms: int = 80
    wait_ms: int = 80
    in_service: bool = True
    heartbeat_ms: int = 5_000
    hellos: list[pb.Hello] = field(default_factory=list)
    frames: list[service_pb.ConnectRequest] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)
    paid_minor: int = 0
    refunded_minor: int = 0
    sold_minor: int = 0
    written_off_minor: int = 0
    boot_id: str = ""
    last_seq: int = 0
    online: bool = False
    funds_minor: int = 0
    session_id: str = ""
    payer: str = ""
    purchase_first: bool = False
    request: pb.VendRequest | None = None
    vend_id: str = ""
    sessions: int = 0
    vends: int = 0
    _seq: int = 0
    _timer: asyncio.TimerHandle | None = None

    # --- the machine ---

    def hello(self, hello: pb.Hello) -> None:
        """A stream was opened."""
        self.hellos.append(hello)
        if hello.boot_id != self.boot_id:
            self.boot_id, self.last_seq = hello.boot_id, 0
        self.online, self._seq = True, 0
        for entry in hello.journal_tail:
            if entry.vend_id == self.vend_id:
                self._result(
                    pb.JournalStage.Name(entry.stage),
                    delivered=entry.stage == pb.JOURNAL_STAGE_SUCCEEDED,
                    tell=False,
                )
        if self.vend_id and all(entry.vend_id != self.vend_id for entry in hello.journal_tail):
            self._result("NEVER_BEGUN", delivered=False, tell=False)
        welcome = pb.Welcome(
            heartbeat_interval_ms=self.heartbeat_ms,
            reconnect=pb.ReconnectGuidance(initial_ms=20, max_ms=100),
            planogram_version=1,
            last_seq=self.last_seq,
            currency="HKD",
            qr_payload=QR,
            mode=self.mode,
            in_service=self.in_service,
        )
        if self.session_id and not self.purchase_first:
            welcome.session.CopyFrom(
                pb.ResumedSession(session_id=self.session_id, funds_minor=self.funds_minor)
            )
        self._emit(service_pb.ConnectResponse(welcome=welcome))
        if hello.planogram_version != 1:
            self._emit(
                service_pb.ConnectResponse(
                    planogram_update=pb.PlanogramUpdate(planogram_version=1, columns=COLUMNS)
                )
            )
        if not self.session_id and self.funds_minor:
            self._open()

    def frame(self, frame: service_pb.ConnectRequest) -> None:
        """A frame came on the present stream."""
        if frame.HasField("hello"):
            self.hello(frame.hello)
            return
        if frame.seq == self.last_seq + 1:
            self.last_seq = frame.seq
            self.frames.append(frame)
            self._apply(frame)
        self._emit(service_pb.ConnectResponse())

    def _apply(self, frame: service_pb.ConnectRequest) -> None:
        match frame.WhichOneof("payload"):
            case "vend_request":
                self._requested(frame.vend_request)
            case "vend_cancel":
                if (
                    self.request is not None
                    and self.request.request_id == frame.vend_cancel.request_id
                ):
                    self._give_up(pb.VEND_DENIED_REASON_CANCELLED)
            case "vend_success":
                self._result("SUCCEEDED", delivered=True)
            case "vend_failure":
                self._result(pb.VendFailureCause.Name(frame.vend_failure.cause), delivered=False)
            case "session_complete":
                self._end(pb.END_SESSION_REASON_COMPLETE)

    # --- money ---

    async def pay(
        self, *, qr_payload: str, amount_minor: int, currency: str, buyer: str
    ) -> Paid | NotPaid:
        """Be the phone as well."""
        await asyncio.sleep(0)
        if qr_payload != QR or currency != "HKD":
            return NotPaid(reason="UNKNOWN_CODE")
        self.paid_minor += amount_minor
        trade = Paid(trade_no=f"t{self.paid_minor}", amount_minor=amount_minor)
        if self.payer not in {"", buyer} or (
            self.mode == pb.MODE_SELECTION_FIRST and self.request is None
        ):
            self.refunded_minor += amount_minor
            return trade
        self.payer = buyer
        self.funds_minor += amount_minor
        if self.request is not None:
            self._try_to_approve()
        elif self.session_id:
            self._tell_funds()
        elif self.online:
            self._open()
        return trade

    def _open(self) -> None:
        self.sessions += 1
        self.session_id = f"s{self.sessions}"
        begin = pb.BeginSession(
            session_id=self.session_id, funds_minor=self.funds_minor, expires_in_ms=self.idle_ms
        )
        self._emit(service_pb.ConnectResponse(begin_session=begin))
        self._wait(self.idle_ms, lambda: self._end(pb.END_SESSION_REASON_IDLE))

    def _tell_funds(self) -> None:
        update = pb.FundsUpdate(
            session_id=self.session_id, funds_minor=self.funds_minor, expires_in_ms=self.idle_ms
        )
        self._emit(service_pb.ConnectResponse(funds_update=update))
        self._wait(self.idle_ms, lambda: self._end(pb.END_SESSION_REASON_IDLE))

    def _requested(self, request: pb.VendRequest) -> None:
        self.request = request
        if not self.session_id:
            self.sessions += 1
            self.session_id, self.purchase_first = f"s{self.sessions}", True
            self._wait(self.wait_ms, lambda: self._give_up(pb.VEND_DENIED_REASON_PAYMENT_TIMEOUT))
        self._try_to_approve()

    def _try_to_approve(self) -> None:
        request = self.request
        assert request is not None
        if self.funds_minor >= request.price_minor:
            self._wait(0, None)
            self.vends += 1
            self.vend_id = f"v{self.vends}"
            self.request = None
            self.funds_minor -= request.price_minor
            approved = pb.VendApproved(
                vend_id=self.vend_id,
                request_id=request.request_id,
                column=request.column,
                amount_minor=request.price_minor,
                valid_for_ms=30_000,
            )
            self._price_minor = request.price_minor
            self._emit(service_pb.ConnectResponse(vend_approved=approved))
        elif self.purchase_first:
            show = pb.ShowQr(
                request_id=request.request_id,
                qr_payload=QR,
                amount_minor=request.price_minor - self.funds_minor,
                expires_in_ms=self.wait_ms,
            )
            self._emit(service_pb.ConnectResponse(show_qr=show))
        else:
            self._give_up(pb.VEND_DENIED_REASON_FUNDS)

    def _give_up(self, reason: pb.VendDeniedReason.ValueType) -> None:
        assert self.request is not None
        denied = pb.VendDenied(
            request_id=self.request.request_id, reason=reason, funds_minor=self.funds_minor
        )
        self.request = None
        self._emit(service_pb.ConnectResponse(vend_denied=denied))
        if self.purchase_first:
            self._end(pb.END_SESSION_REASON_NOT_PAID)

    def _result(self, word: str, *, delivered: bool, tell: bool = True) -> None:
        self.results[self.vend_id] = word
        self.vend_id = ""
        if delivered:
            self.sold_minor += self._price_minor
        else:
            self.funds_minor += self._price_minor
        if self.purchase_first:
            self._end(pb.END_SESSION_REASON_VEND_ENDED)
        elif self.funds_minor == 0:
            self._end(pb.END_SESSION_REASON_SPENT)
        elif tell:
            self._tell_funds()

    def _end(self, reason: pb.EndSessionReason.ValueType) -> None:
        if self.vend_id or not self.session_id:
            return
        self._wait(0, None)
        end = pb.EndSession(
            session_id=self.session_id, reason=reason, refund_minor=self.funds_minor
        )
        self.refunded_minor += self.funds_minor
        self.funds_minor, self.session_id, self.payer, self.purchase_first = 0, "", "", False
        self._emit(service_pb.ConnectResponse(end_session=end))

    # --- wires ---

    _price_minor: int = 0

    def _wait(self, wait_ms: int, then: Callable[[], None] | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if then is not None:
            self._timer = asyncio.get_running_loop().call_later(wait_ms / 1000, then)

    def _emit(self, response: service_pb.ConnectResponse) -> None:
        if self.online:
            self._seq += 1
            response.seq, response.ack = self._seq, self.last_seq
            self.emit(response)
