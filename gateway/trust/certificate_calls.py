"""The calls by which machines get certificates: ``Enrol`` for those that have none, at a listener
of its own, and ``Renew`` at the machines' listener.

Flows in: calls, most of them a stranger's where nothing is proved yet. Flows out: what
``Enrolling`` answers, or a status with details. What one address and what all together may ask is
bounded before anything is looked up: a stranger costs a connection and one look at a key.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import unquote

import grpc
import grpc.aio
import structlog

from actors.ports import StoreError
from gateway.fleet.errors import CallRefused
from gateway.machines.token_bucket import TokenBucket
from gateway.process.addresses import whoever_has
from gateway.rpc import identity, statuses
from gateway.rpc.denylist import Denylist
from gateway.rpc.offenders import Offenders, Principal
from gateway.rpc.peers import peer_of
from gateway.rpc.statuses import Refusal
from gateway.trust import refusals
from gateway.trust.enrolling import Enrolling, Issued
from gateway.trust.strangers import ALL_PER_S, ENROLMENT, REFUSED_AFTER_S, Pause, caller_of
from gateway.v1 import certificate_pb2, renewal_service_pb2
from gateway.v1.enrolment_service_pb2 import EnrolRequest, EnrolResponse
from gateway.v1.renewal_service_pb2 import RenewRequest, RenewResponse

_log = structlog.get_logger()

Context = grpc.aio.ServicerContext[Any, Any]
ONE_PER_MINUTE = 60
"""So many calls one address, or one machine, has answered; all together ``ALL_PER_S``."""
REMEMBERED_MAX = 4_096
RENEWAL = renewal_service_pb2.DESCRIPTOR.services_by_name["RenewalService"]


@dataclass(slots=True, kw_only=True)
class Attempts:
    """Counts what is asked, by whom. ``monotonic``: seconds that only grow."""

    monotonic: Callable[[], float]
    _of: "OrderedDict[str, TokenBucket]" = field(default_factory=OrderedDict)
    _all: TokenBucket | None = None

    def take(self, whose: str) -> bool:
        """Return whether one more is answered. Whoever has not come for longest is forgotten."""
        now = self.monotonic()
        if self._all is None:
            self._all = TokenBucket(rate=ALL_PER_S, burst=5 * ALL_PER_S, now=now)
        own = self._of.pop(whose, None) or TokenBucket(
            rate=ONE_PER_MINUTE / 60, burst=ONE_PER_MINUTE, now=now
        )
        self._of[whose] = own
        while len(self._of) > REMEMBERED_MAX:
            self._of.popitem(last=False)
        # Its own first: who has nothing left takes nothing from the others.
        return own.take(now) and self._all.take(now)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateCalls:
    """Answers machines. ``spiffe_domain``: of their certificates; empty takes any. ``gateway``:
    where they find MachineService.
    """

    enrolling: Enrolling
    denied: Denylist
    monotonic: Callable[[], float]
    spiffe_domain: str = ""
    gateway: str = ""
    offenders: Offenders
    pause: Pause = asyncio.sleep
    _strangers: Attempts = field(init=False)
    _machines: Attempts = field(init=False)

    def __post_init__(self) -> None:
        """Begin to count, each kind of caller by itself."""
        for name in ("_strangers", "_machines"):
            object.__setattr__(self, name, Attempts(monotonic=self.monotonic))

    def enrolment(self) -> grpc.GenericRpcHandler:
        """Return the table of the listener for machines without a certificate."""
        method: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
            self.enrol,
            request_deserializer=EnrolRequest.FromString,
            response_serializer=EnrolResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(ENROLMENT.full_name, {"Enrol": method})

    def renewal(self) -> grpc.GenericRpcHandler:
        """Return what is served beside MachineService."""
        method: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(
            self.renew,
            request_deserializer=RenewRequest.FromString,
            response_serializer=RenewResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(RENEWAL.full_name, {"Renew": method})

    async def enrol(self, request: EnrolRequest, context: Context) -> EnrolResponse:
        """Enrol."""
        address = address_of(caller_of(context))
        if not self._strangers.take(address):
            self._offends(Principal.ADDRESS, address, refusals.TOO_MANY_ATTEMPTS)
            await self.pause(REFUSED_AFTER_S)
            await _refuse(context, refusals.TOO_MANY_ATTEMPTS)
        enrolled = self.enrolling.enrol(request.token, request.certificate_request)
        made = await self._answered(context, enrolled)
        return EnrolResponse(
            machine_id=made.machine_id, issued=self._issued(made), gateway=self.gateway
        )

    async def renew(self, request: RenewRequest, context: Context) -> RenewResponse:
        """Renew."""
        auth, now_ms = context.auth_context(), self.enrolling.clock.now_ms()
        try:
            machine_id = identity.certified_machine(auth, spiffe_domain=self.spiffe_domain)
        except identity.NotIdentified:
            await _refuse(context, statuses.NOT_IDENTIFIED)
        peer = peer_of(auth)
        if machine_id is None or peer is None or not peer.serial:
            await _refuse(context, refusals.NO_CERTIFICATE)
        if self.denied.machine(machine_id, peer.serial):
            await _refuse(context, statuses.DENIED)
        # TLS looked when the connection began; it may be a day old.
        if (peer.not_after_ms or math.inf) <= now_ms:
            await _refuse(context, refusals.NO_CERTIFICATE)
        if not self._machines.take(machine_id):
            self._offends(Principal.MACHINE, machine_id, refusals.TOO_MANY_ATTEMPTS)
            await _refuse(context, refusals.TOO_MANY_ATTEMPTS)
        renewing = self.enrolling.renew(
            machine_id, peer, request.certificate_request, address=context.peer()
        )
        made = await self._answered(context, renewing, machine_id)
        return RenewResponse(issued=self._issued(made))

    async def _answered(
        self, context: Context, call: Awaitable[Issued], machine_id: str = ""
    ) -> Issued:
        try:
            return await call
        except CallRefused as error:
            refusal = error.refusal
        except StoreError as error:
            _log.warning("sql does not answer a machine that wants a certificate", error=str(error))
            refusal = refusals.SQL_AWAY
        except Exception:  # noqa: BLE001 - whatever it is, the machine gets a status with details and the log the rest
            _log.exception("a call for a certificate failed")
            refusal = refusals.FAILED
        # A copy that has used up the machine's certificates keeps it from its next one: told early.
        if machine_id and refusal.reason == refusals.TOO_MANY_CERTIFICATES.reason:
            self._offends(Principal.MACHINE, machine_id, refusal)
        return await _refuse(context, refusal)

    def _offends(self, principal: Principal, name: str, refusal: Refusal) -> None:
        self.offenders.note(principal, name, refusal.reason)

    def _issued(self, made: Issued) -> certificate_pb2.IssuedCertificate:
        return certificate_pb2.IssuedCertificate(
            certificate_chain=made.chain,
            renew_at_ms=made.renew_at_ms,
            expires_at_ms=made.expires_at_ms,
            server_time_ms=self.enrolling.clock.now_ms(),
        )


async def _refuse(context: Context, refusal: Refusal) -> NoReturn:
    _log.info("a call for a certificate is refused", peer=caller_of(context), reason=refusal.reason)
    await statuses.abort(context, refusal)


def address_of(peer: str) -> str:
    """Return the address that calls are counted under, of gRPC's name of the other end
    (``ipv4:10.0.0.1:4711``): without the port, which everybody has many of.
    """
    kind, _, rest = peer.partition(":")
    return whoever_has(unquote(rest).rpartition(":")[0].strip("[]")) or kind
