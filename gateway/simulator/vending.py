"""One vend from the button to the result: the part of a machine that must never be wrong. Pure.

Flows in: the customer's choice, the backend's answers, what flash and motor report, and the time
(monotonic milliseconds). Flows out: commands. The rule that all of it serves: the motor turns at
most once for each vend_id, and only after the journal says so.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from gateway.simulator.commands import Command, Tell, TurnMotor, Write
from gateway.simulator.happenings import Denied, PaymentAsked, VendEnded, VendStarted
from gateway.simulator.memory import JournalLine, Memory, Settled, VendLine
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb

Say = Callable[[service_pb.ConnectRequest, int], list[Command]]
"""Put a frame into the outbox, at this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The choice that waits for an answer. ``payment`` once the backend asked for money."""

    request_id: str
    column: str
    price_minor: int
    asked_at_ms: int
    given_up_at_ms: int | None = None
    payment: PaymentAsked | None = None
    pay_until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Vend:
    """The vend that is being carried out. ``turning``: the motor was ordered to turn."""

    vend_id: str
    request_id: str
    column: str
    amount_minor: int
    void_from_ms: int
    turning: bool = False


def judge(
    motor: pb.MotorEvidence.ValueType, drop: pb.DropEvidence.ValueType
) -> pb.VendFailureCause.ValueType:
    """Return why goods were not delivered, UNSPECIFIED if they were. What was seen to fall is
    delivered, whatever the motor did.
    """
    if drop == pb.DROP_EVIDENCE_SEEN:
        return pb.VEND_FAILURE_CAUSE_UNSPECIFIED
    if motor == pb.MOTOR_EVIDENCE_RAN:
        return (
            pb.VEND_FAILURE_CAUSE_NOTHING_DROPPED
            if drop == pb.DROP_EVIDENCE_NOT_SEEN
            else pb.VEND_FAILURE_CAUSE_UNSPECIFIED
        )
    return (
        pb.VEND_FAILURE_CAUSE_EMPTY
        if motor == pb.MOTOR_EVIDENCE_NOT_RUN
        else pb.VEND_FAILURE_CAUSE_JAMMED
    )


class Vending:
    """At most one request and one vend at a time. ``memory`` is what the journal holds, earlier
    boots included.
    """

    def __init__(self, *, boot_id: str, memory: Memory, response_time_ms: int, say: Say) -> None:
        self.memory = memory
        self.request: Request | None = None
        self.vend: Vend | None = None
        self._boot_id = boot_id
        self._response_time_ms = response_time_ms
        self._say = say
        self._unacked_results: set[str] = set()
        self._requests_made = 0

    @property
    def busy(self) -> bool:
        """Whether a customer waits for an answer or for goods."""
        return self.request is not None or self.vend is not None

    # --- the customer ---

    def ask(
        self, column: pb.PlanogramColumn, planogram_version: int, now_ms: int
    ) -> tuple[Request, list[Command]]:
        """The customer chose; nobody else may be waiting."""
        self._requests_made += 1
        request = Request(
            request_id=f"{self._boot_id}-r{self._requests_made}",
            column=column.column,
            price_minor=column.price_minor,
            asked_at_ms=now_ms,
        )
        self.request = request
        body = pb.VendRequest(
            request_id=request.request_id,
            column=request.column,
            price_minor=request.price_minor,
            planogram_version=planogram_version,
        )
        return request, self._say(service_pb.ConnectRequest(vend_request=body), now_ms)

    def give_up(self, now_ms: int) -> list[Command]:
        """The customer, or the machine's own patience, gives the request up. The answer
        (VendDenied) is still awaited.
        """
        request = self.request
        if request is None or request.given_up_at_ms is not None:
            return []
        self.request = replace(request, given_up_at_ms=now_ms)
        return self._say(
            service_pb.ConnectRequest(vend_cancel=pb.VendCancel(request_id=request.request_id)),
            now_ms,
        )

    def tick(self, now_ms: int) -> list[Command]:
        """After the response time the machine gives up; after another one it forgets the
        request.
        """
        due = self.next_tick_at_ms
        if due is None or now_ms < due or (request := self.request) is None:
            return []
        if request.given_up_at_ms is None:
            return self.give_up(now_ms)
        self.request = None
        return [
            Tell(
                Denied(
                    request_id=request.request_id,
                    reason=pb.VEND_DENIED_REASON_UNSPECIFIED,
                    funds_minor=0,
                )
            )
        ]

    @property
    def next_tick_at_ms(self) -> int | None:
        """When ``tick`` has something to do."""
        if self.request is None:
            return None
        since = (
            self.request.asked_at_ms
            if self.request.given_up_at_ms is None
            else self.request.given_up_at_ms
        )
        return since + self._response_time_ms

    # --- the backend's answers ---

    def show_qr(self, message: pb.ShowQr, now_ms: int) -> list[Command]:
        """Ask the customer for money, if this is still the customer's choice; a choice of an
        earlier boot is given up.
        """
        request = self.request
        if request is None or request.request_id != message.request_id:
            cancel = pb.VendCancel(request_id=message.request_id)
            return self._say(service_pb.ConnectRequest(vend_cancel=cancel), now_ms)
        if request.given_up_at_ms is not None:
            return []
        payment = PaymentAsked(
            request_id=message.request_id,
            qr_payload=message.qr_payload,
            amount_minor=message.amount_minor,
            expires_in_ms=message.expires_in_ms,
        )
        self.request = replace(
            request, payment=payment, pay_until_ms=now_ms + message.expires_in_ms
        )
        return [Tell(payment)]

    def denied(self, message: pb.VendDenied) -> list[Command]:
        """The request is over. An answer to another request changes nothing."""
        if self.request is None or self.request.request_id != message.request_id:
            return []
        self.request = None
        return [
            Tell(
                Denied(
                    request_id=message.request_id,
                    reason=message.reason,
                    funds_minor=message.funds_minor,
                )
            )
        ]

    def refused(self, request_id: str) -> list[Command]:
        """The backend could not even read the request: no answer will come."""
        return self.denied(pb.VendDenied(request_id=request_id))

    def answer_lost(self, unacked: Iterable[service_pb.ConnectRequest]) -> list[Command]:
        """Welcome says that the machine is free: a request that is not on its way any more was
        answered on the stream that is gone.
        """
        if self.request is None or any(
            frame.vend_request.request_id == self.request.request_id for frame in unacked
        ):
            return []
        return self.refused(self.request.request_id)

    def approved(self, message: pb.VendApproved, now_ms: int) -> list[Command]:
        """Begin the vend, unless it is known already or nobody waits for it any more."""
        known = self.memory.known(message.vend_id)
        if known is not None and known.request_id not in {"", message.request_id}:
            return self._used_before(message, now_ms)
        if self.vend is not None and self.vend.vend_id == message.vend_id:
            return []
        if known is not None:
            return self._repeat(known, now_ms)
        request = self.request
        if (
            self.vend is not None
            or request is None
            or request.given_up_at_ms is not None
            or (request.request_id, request.column) != (message.request_id, message.column)
        ):
            return [Write(self._not_waiting(message))]
        self.request = None
        self.vend = Vend(
            vend_id=message.vend_id,
            request_id=message.request_id,
            column=message.column,
            amount_minor=message.amount_minor,
            void_from_ms=now_ms + message.valid_for_ms,
        )
        started = VendStarted(
            vend_id=message.vend_id,
            request_id=message.request_id,
            column=message.column,
            amount_minor=message.amount_minor,
        )
        return [
            Write(self._line(self.vend, pb.JOURNAL_STAGE_ACCEPTED)),
            Tell(started),
        ]

    # --- flash and motor ---

    def written(self, line: JournalLine, now_ms: int) -> list[Command]:
        """A line is on flash: take the next step. The motor is ordered here and nowhere else."""
        self.memory.add(line)
        if not isinstance(line, VendLine):
            return []
        if line.ended:
            return self._ended(line, now_ms)
        vend = self.vend
        if vend is None or vend.vend_id != line.vend_id:
            return []
        if now_ms >= vend.void_from_ms:
            return [Write(self._not_waiting(vend))]
        if line.stage == pb.JOURNAL_STAGE_ACCEPTED:
            return [Write(self._line(vend, pb.JOURNAL_STAGE_MOTOR_ON))]
        self.vend = replace(vend, turning=True)
        return [TurnMotor(vend_id=vend.vend_id, column=vend.column)]

    def motor_stopped(
        self, vend_id: str, motor: pb.MotorEvidence.ValueType, drop: pb.DropEvidence.ValueType
    ) -> list[Command]:
        """The motor came to rest: write down what the sensors saw."""
        vend = self.vend
        if vend is None or vend.vend_id != vend_id or not vend.turning:
            return []
        cause = judge(motor, drop)
        stage = pb.JOURNAL_STAGE_FAILED if cause else pb.JOURNAL_STAGE_SUCCEEDED
        return [Write(replace(self._line(vend, stage), cause=cause, motor=motor, drop=drop))]

    # --- what the backend has saved ---

    def acknowledged(self, frames: Iterable[service_pb.ConnectRequest]) -> list[Command]:
        """These frames are saved: the results among them are settled."""
        ids = tuple(result_of(frame) for frame in frames if result_of(frame))
        self._unacked_results.difference_update(ids)
        return [Write(Settled(vend_ids=ids))] if ids else []

    def told(self, tail: Iterable[VendLine], *, loss_told: bool) -> list[Command]:
        """Welcome came, so what Hello told of earlier boots is saved: there is nothing more to say
        about it.
        """
        ids = tuple(line.vend_id for line in tail if line.boot_id != self._boot_id)
        return [Write(Settled(vend_ids=ids, loss_told=loss_told))] if ids or loss_told else []

    # --- inside ---

    def _line(
        self, of: pb.VendApproved | Vend | VendLine, stage: pb.JournalStage.ValueType
    ) -> VendLine:
        return VendLine(
            vend_id=of.vend_id,
            request_id=of.request_id,
            boot_id=self._boot_id,
            stage=stage,
            column=of.column,
        )

    def _not_started(
        self, of: pb.VendApproved | Vend | VendLine, cause: pb.VendFailureCause.ValueType
    ) -> VendLine:
        line = self._line(of, pb.JOURNAL_STAGE_FAILED)
        return replace(
            line, cause=cause, motor=pb.MOTOR_EVIDENCE_NOT_RUN, drop=pb.DROP_EVIDENCE_NOT_SEEN
        )

    def _not_waiting(self, of: pb.VendApproved | Vend) -> VendLine:
        return self._not_started(of, pb.VEND_FAILURE_CAUSE_NOT_WAITING)

    def _used_before(self, message: pb.VendApproved, now_ms: int) -> list[Command]:
        """The vend_id was given to another request: by a backend that forgot it, when its database
        was restored. The old result is no answer to this request, and a known vend turns no motor.
        """
        over = self.refused(message.request_id)
        line = self._not_waiting(message)
        if self.vend is not None and self.vend.vend_id == message.vend_id:
            # It is only said: the line of the one whose motor turns must stay.
            return [*self._report(line, now_ms), *over]
        return [Write(line), *over]

    def _repeat(self, known: VendLine, now_ms: int) -> list[Command]:
        """A known vend is approved again: say its result again, never turn the motor."""
        if known.vend_id in self._unacked_results:
            return []  # its result waits in the outbox and is sent from there
        if known.ended:
            return self._report(known, now_ms)
        if known.stage == pb.JOURNAL_STAGE_ACCEPTED:
            return [Write(self._not_started(known, pb.VEND_FAILURE_CAUSE_NOT_STARTED))]
        detail = (
            f"vend {known.vend_id}: the power failed while its motor was on; it is not repeated"
        )
        return self._say(
            service_pb.ConnectRequest(fault=pb.Fault(code="EJM", detail=detail)), now_ms
        )

    def _ended(self, line: VendLine, now_ms: int) -> list[Command]:
        commands = self._report(line, now_ms)
        vend = self.vend
        if vend is not None and vend.vend_id == line.vend_id:
            self.vend = None
            ended = VendEnded(
                vend_id=vend.vend_id,
                request_id=vend.request_id,
                column=vend.column,
                delivered=line.stage == pb.JOURNAL_STAGE_SUCCEEDED,
                cause=line.cause,
            )
            commands.append(Tell(ended))
        return commands

    def _report(self, line: VendLine, now_ms: int) -> list[Command]:
        evidence = pb.Evidence(motor=line.motor, drop=line.drop)
        self._unacked_results.add(line.vend_id)
        if line.stage == pb.JOURNAL_STAGE_SUCCEEDED:
            frame = service_pb.ConnectRequest(
                vend_success=pb.VendSuccess(vend_id=line.vend_id, evidence=evidence)
            )
        else:
            failure = pb.VendFailure(vend_id=line.vend_id, cause=line.cause, evidence=evidence)
            frame = service_pb.ConnectRequest(vend_failure=failure)
        return self._say(frame, now_ms)


def result_of(frame: service_pb.ConnectRequest) -> str:
    """Return the vend whose result the frame tells, empty if it tells none."""
    return frame.vend_success.vend_id or frame.vend_failure.vend_id
