"""The one table from our refusals to gRPC statuses.

Flows in: what went wrong, as a ``Refusal``. Flows out: a status whose details (google.rpc
ErrorInfo, RetryInfo, BadRequest) travel in the trailing metadata, where grpcurl, buf curl and every
gRPC library look for them. A refusal says what the caller may do next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from actors.link import CloseReason

DOMAIN = "vendgate"
"""``ErrorInfo.domain`` of every refusal."""


PROBLEMS_SIZE_MAX = 1_500
_MESSAGE_SIZE_MAX = 1_700
"""A status travels in the trailing metadata, once as a text and once more in its details; clients
take 8 KiB of that. What is larger they drop with its reason, and say RESOURCE_EXHAUSTED instead.
"""
_PROBLEM_SIZE_MAX = 500
_CUT = "..."


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """One field of a request that breaks its rule; ``field`` is its path as in the .proto."""

    field: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A call is refused. ``reason`` is a constant for programs, ``message`` a sentence for people,
    ``retry_after_ms`` a hint.
    """

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after_ms: int | None = None
    problems: tuple[FieldProblem, ...] = ()

    def about(self, **metadata: str) -> "Refusal":
        """Return the refusal with more ``ErrorInfo.metadata``, named in its message where it has a
        place for it.
        """
        return replace(
            self,
            message=self.message.format_map(_Kept(metadata)),
            metadata={**self.metadata, **metadata},
        )

    def because(self, detail: str, *problems: FieldProblem) -> "Refusal":
        """Return the refusal with what was wrong just now."""
        return replace(self, message=f"{self.message}; {detail}", problems=problems)

    def retry_after(self, retry_after_ms: int) -> "Refusal":
        """Return the refusal with another hint when to come back."""
        return replace(self, retry_after_ms=retry_after_ms)


class _Kept(dict[str, str]):
    """Leaves a place that has no value as it is."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


HELLO_EXPECTED = Refusal(
    code=grpc.StatusCode.INVALID_ARGUMENT,
    reason="HELLO_EXPECTED",
    message="the first frame must be a Hello that keeps its rules: correct it and connect again",
)
HELLO_TIMEOUT = Refusal(
    code=grpc.StatusCode.DEADLINE_EXCEEDED,
    reason="HELLO_TIMEOUT",
    message="no Hello came in time: send it as soon as the stream is open",
)
BAD_FRAMES = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="BAD_FRAMES",
    message=(
        "too many refused frames in a row: read the ProtocolErrors, correct the firmware, connect "
        "again"
    ),
    retry_after_ms=60_000,
)
FLOOD = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="FLOOD",
    message="the machine sends more frames than it may: connect again later and send fewer",
    retry_after_ms=10_000,
)
TOO_MANY_HELLOS = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="TOO_MANY_HELLOS",
    message=(
        "machine {machine_id} connects too often: keep the stream open, and wait longer after each "
        "failure"
    ),
    retry_after_ms=60_000,
)
SLOW_READER = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="SLOW_READER",
    message="the machine does not read what it is sent: connect again and keep reading",
    retry_after_ms=1_000,
)
SILENT = Refusal(
    code=grpc.StatusCode.DEADLINE_EXCEEDED,
    reason="SILENT",
    message=(
        "nothing was heard for too long: send a Heartbeat as often as Welcome says, connect again"
    ),
)
TOO_MANY_STREAMS = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="TOO_MANY_STREAMS",
    message="this gateway holds as many streams as it may: connect again later",
    retry_after_ms=10_000,
)
TOO_MANY_AT_ONCE = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="TOO_MANY_AT_ONCE",
    message=(
        "more machines come back at once than can be taken in: connect again when this says, and "
        "go before the others"
    ),
    retry_after_ms=10_000,
)
TOO_MANY_OF_MACHINE = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="TOO_MANY_OF_MACHINE",
    message=(
        "machine {machine_id} has as many streams here as it may: close those that it does not "
        "need, and connect again later"
    ),
    retry_after_ms=10_000,
)
DRAINING = Refusal(
    code=grpc.StatusCode.UNAVAILABLE,
    reason="DRAINING",
    message="this gateway is going away: connect again and reach another one",
    retry_after_ms=1_000,
)
TIME_TO_MOVE = Refusal(
    code=grpc.StatusCode.UNAVAILABLE,
    reason="TIME_TO_MOVE",
    message="this stream is as old as one may get: connect again",
    retry_after_ms=1_000,
)
HOST_UNAVAILABLE = Refusal(
    code=grpc.StatusCode.UNAVAILABLE,
    reason="HOST_UNAVAILABLE",
    message="the host of this machine does not answer: nothing was decided, connect again",
    retry_after_ms=5_000,
)
DENIED = Refusal(
    code=grpc.StatusCode.PERMISSION_DENIED,
    reason="DENIED",
    message=(
        "this machine or its certificate was denied: give the machine a new certificate, or have "
        "an administrator end it with gateway.office.v1.DenialService/AllowAccess"
    ),
    retry_after_ms=600_000,
)
NOT_IDENTIFIED = Refusal(
    code=grpc.StatusCode.UNAUTHENTICATED,
    reason="NOT_IDENTIFIED",
    message=(
        "the certificate names no machine: it needs one URI spiffe://<domain>/machine/<machine_id> "
        "as subject alternative name"
    ),
)
CERTIFICATE_MISMATCH = Refusal(
    code=grpc.StatusCode.PERMISSION_DENIED,
    reason="CERTIFICATE_MISMATCH",
    message=(
        "the certificate is of machine {certified_machine_id}, Hello says {machine_id}: each "
        "machine needs its own certificate"
    ),
)
SUPERSEDED = Refusal(
    code=grpc.StatusCode.ABORTED,
    reason="SUPERSEDED",
    message=(
        "a newer stream of machine {machine_id} took over: if that was another device, give it an "
        "id of its own"
    ),
)
BOOT_SUPERSEDED = Refusal(
    code=grpc.StatusCode.ABORTED,
    reason="BOOT_SUPERSEDED",
    message=(
        "another boot of machine {machine_id} took the place of this boot_id, which does not come "
        "back: restart the firmware under a new boot_id; if another device uses this identity, "
        "give it its own"
    ),
)
TAKEOVERS = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="TAKEOVERS",
    message=(
        "too many streams of machine {machine_id} took over from one another within a minute: "
        "connect again later; if another device uses this identity, give it its own"
    ),
    retry_after_ms=60_000,
)
UNKNOWN_MACHINE = Refusal(
    code=grpc.StatusCode.NOT_FOUND,
    reason="UNKNOWN_MACHINE",
    message=(
        "machine {machine_id} is not registered: register it with "
        "gateway.fleet.v1.FleetService/RegisterMachine, then connect again"
    ),
    retry_after_ms=60_000,
)
RETIRED = Refusal(
    code=grpc.StatusCode.NOT_FOUND,
    reason="RETIRED",
    message=(
        "machine {machine_id} was retired and is not part of the fleet any more: if it is to sell "
        "again, register it under another id"
    ),
    retry_after_ms=3_600_000,
)
DISABLED = Refusal(
    code=grpc.StatusCode.UNAVAILABLE,
    reason="DISABLED",
    message=(
        "machine {machine_id} was taken out of service: connect again, and Welcome says that it "
        "sells nothing"
    ),
    retry_after_ms=1_000,
)
OVERLOADED = Refusal(
    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
    reason="OVERLOADED",
    message="the host of machine {machine_id} has too much to do: connect again later",
    retry_after_ms=5_000,
)
HALTED = Refusal(
    code=grpc.StatusCode.FAILED_PRECONDITION,
    reason="HALTED",
    message=(
        "machine {machine_id} is halted because something about it went wrong: an operator must "
        "look at it; try again in minutes"
    ),
    retry_after_ms=300_000,
)
FAILED = Refusal(
    code=grpc.StatusCode.INTERNAL,
    reason="FAILED",
    message="the gateway failed on this stream: connect again; its log says more",
    retry_after_ms=1_000,
)

GONE = "GONE"
"""Why a stream ended whose end we did not cause: the machine closed it, or its connection broke."""
STREAM_ENDS = tuple(
    sorted({GONE} | {one.reason for one in vars().values() if isinstance(one, Refusal)})
)
"""Every reason for which a machine's stream may end."""

AT_A_BOUND = frozenset(
    one.reason
    for one in (BAD_FRAMES, FLOOD, TOO_MANY_HELLOS, SLOW_READER, TOO_MANY_OF_MACHINE, TAKEOVERS)
)
"""The reasons for which a machine has to blame itself alone: it asked for more than it is given."""
_BY_CLOSE_REASON = {
    CloseReason.SUPERSEDED: SUPERSEDED,
    CloseReason.UNKNOWN_MACHINE: UNKNOWN_MACHINE,
    CloseReason.OVERLOADED: OVERLOADED,
    CloseReason.HALTED: HALTED,
    CloseReason.RETIRED: RETIRED,
    CloseReason.BOOT_SUPERSEDED: BOOT_SUPERSEDED,
    CloseReason.TAKEOVERS: TAKEOVERS,
    CloseReason.DISABLED: DISABLED,
}


def refusal_of(close_reason: str) -> Refusal:
    """Return the refusal for a host's ``StreamClosed``; a reason that is not in the table is
    UNAVAILABLE under its own name.
    """
    known = _BY_CLOSE_REASON.get(close_reason)
    return known or Refusal(
        code=grpc.StatusCode.UNAVAILABLE,
        reason=close_reason,
        message="the host ended the stream: connect again",
    )


def fitting(problems: Sequence[FieldProblem]) -> tuple[FieldProblem, ...]:
    """Return the problems for which a status has room, from the first; a long one is cut short."""
    shown: list[FieldProblem] = []
    left = PROBLEMS_SIZE_MAX
    for problem in problems:
        one = FieldProblem(
            field=_short(problem.field, _PROBLEM_SIZE_MAX),
            description=_short(problem.description, _PROBLEM_SIZE_MAX),
        )
        left -= _size(one.field) + _size(one.description) + len(": ; ")
        if left < 0:
            break
        shown.append(one)
    return tuple(shown)


def _size(text: str) -> int:
    """How much a text takes as ``grpc-message``, where all but plain ASCII is percent-encoded."""
    return sum(1 if 0x20 <= byte <= 0x7E and byte != 0x25 else 3 for byte in text.encode())


def _short(text: str, most: int) -> str:
    if _size(text) <= most:
        return text
    left, end = most - len(_CUT), 0
    while (left := left - _size(text[end])) >= 0:
        end += 1
    return text[:end] + _CUT


def to_status(refusal: Refusal) -> grpc.Status:
    """Return the gRPC status of a refusal, details included, as far as a status has room."""
    message, problems = _short(refusal.message, _MESSAGE_SIZE_MAX), fitting(refusal.problems)
    details: list[Message] = [
        error_details_pb2.ErrorInfo(
            reason=refusal.reason, domain=DOMAIN, metadata=dict(refusal.metadata)
        )
    ]
    if refusal.retry_after_ms is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(refusal.retry_after_ms)
        details.append(retry)
    if problems:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=problem.field, description=problem.description
            )
            for problem in problems
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    code: int = refusal.code.value[0]
    return rpc_status.to_status(
        status_pb2.Status(code=code, message=message, details=[_packed(each) for each in details])
    )


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


async def abort(context: grpc.aio.ServicerContext[Any, Any], refusal: Refusal) -> NoReturn:
    """End the call with the refusal's status. Raises ``grpc.aio.AbortError``, which the handler
    must let pass.
    """
    await context.abort_with_status(to_status(refusal))
