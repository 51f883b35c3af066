"""How the reference machine gets its certificates: the first for a token, the next by itself.

Flows in: a token, and the backend's time from each Welcome. Flows out: what to show on the next
stream. It saves, then acts: the request before it is sent, the answer before it is used; an answer
that was lost is asked for again with the same request. Once a stream was opened with the newer
certificate, none is opened with the older one: that is how a copy is told from the machine.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import grpc
import grpc.aio
import structlog

from gateway.simulator.backoff import Backoff
from gateway.simulator.credentials import Credentials, CredentialStore
from gateway.simulator.line import ClientTls, Ended, channel_to, ended_by
from gateway.v1 import certificate_pb2, enrolment_service_pb2, renewal_service_pb2
from gateway.v1.enrolment_service_pb2_grpc import EnrolmentServiceStub
from gateway.v1.renewal_service_pb2_grpc import RenewalServiceStub

log = structlog.get_logger()

ANSWER_WITHIN_S = 30.0
LOOK_AGAIN_S = 3_600.0
"""A machine that does not know what time it is looks again after this."""
RETRY_INITIAL_MS, RETRY_MAX_MS = 60_000, 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledAt:
    """Where a machine is enrolled, and the token that the technician typed; it may be empty once
    the machine was.
    """

    address: str
    token: str = field(default="", repr=False)


class Certified:
    """The identity of one machine. ``clock``: seconds that only grow."""

    def __init__(
        self,
        enrolment: EnrolledAt,
        *,
        machine_id: str,
        folder: Path,
        gateway: str,
        ca: bytes,
        rng: Random,
        clock: Callable[[], float],
    ) -> None:
        self._enrolment = enrolment
        self._machine_id = machine_id
        self._store = CredentialStore(folder, machine_id)
        self._gateway = gateway
        self._ca = ca
        self._rng = rng
        self._clock = clock
        self._behind_ms: float | None = None
        self._told = asyncio.Event()
        self.present: Credentials | None = self._store.present()
        """What it shows on its next stream."""

    @property
    def gateway(self) -> str:
        """Where MachineService is: where the enrolment said, or as the machine was set up."""
        return (self.present.gateway if self.present is not None else "") or self._gateway

    def tls(self) -> ClientTls | None:
        """Return what a new stream shows; None: the backend speaks no TLS, as on a desk."""
        if not self._ca:
            return None
        if self.present is None:
            return ClientTls(ca=self._ca)
        return ClientTls(
            ca=self._ca,
            certificate=self.present.chain.encode(),
            private_key=self.present.private_key.encode(),
        )

    async def enrol(self) -> Ended | None:
        """Exchange the token for the first certificate; return how it failed, if it did."""
        if not self._enrolment.token:
            return Ended(
                code=grpc.StatusCode.UNAUTHENTICATED,
                detail="this machine has no certificate and no token: give it a token",
            )
        request = self._store.request()
        asked = enrolment_service_pb2.EnrolRequest(
            token=self._enrolment.token, certificate_request=request.csr
        )
        tls = ClientTls(ca=self._ca) if self._ca else None
        try:
            async with channel_to(self._enrolment.address, tls) as channel:
                stub = EnrolmentServiceStub(channel)
                answer: enrolment_service_pb2.EnrolResponse = await stub.Enrol(
                    asked, timeout=ANSWER_WITHIN_S
                )
        except grpc.aio.AioRpcError as error:
            return ended_by(error)
        if answer.machine_id != self._machine_id:
            # Somebody typed another machine's token; that machine can be given a new one.
            return Ended(
                code=grpc.StatusCode.PERMISSION_DENIED,
                detail=f"the token is that of machine {answer.machine_id}",
            )
        self._take(request.private_key, answer.issued, answer.gateway)
        return None

    async def renew(self) -> Ended | None:
        """Exchange the present certificate for the next one; return how it failed, if it did."""
        assert self.present is not None
        request = self._store.request()
        asked = renewal_service_pb2.RenewRequest(certificate_request=request.csr)
        try:
            async with channel_to(self.gateway, self.tls()) as channel:
                stub = RenewalServiceStub(channel)
                answer: renewal_service_pb2.RenewResponse = await stub.Renew(
                    asked, timeout=ANSWER_WITHIN_S
                )
        except grpc.aio.AioRpcError as error:
            return ended_by(error)
        self._take(request.private_key, answer.issued, self.present.gateway)
        return None

    def heard_time(self, server_time_ms: int) -> None:
        """Welcome says what time it is: the machine's own clock may be anything."""
        if server_time_ms:
            self._behind_ms = server_time_ms - self._clock() * 1_000
            self._told.set()

    async def keep(self) -> None:
        """Renew the certificate whenever it is time."""
        backoff = self._new_backoff()
        while True:
            await self._until_due()
            try:
                ended = await self.renew()
            except OSError as error:
                # The request is on the flash, or was not sent: the next try has the same answer.
                ended = Ended(
                    code=grpc.StatusCode.UNAVAILABLE,
                    detail=f"the flash does not take it: {error.strerror}",
                )
            if ended is None:
                backoff = self._new_backoff()
                continue
            wait_ms = backoff.after(ended.code)
            wait_ms = RETRY_MAX_MS if wait_ms is None else wait_ms
            log.warning(
                "the certificate is not renewed yet",
                machine_id=self._machine_id,
                code=ended.code.name,
                detail=ended.detail,
                again_in_ms=wait_ms,
            )
            await asyncio.sleep((wait_ms + ended.retry_after_ms) / 1_000)

    async def _until_due(self) -> None:
        while (left_s := self._left_s()) > 0:
            self._told.clear()
            try:
                async with asyncio.timeout(min(left_s, LOOK_AGAIN_S)):
                    await self._told.wait()
            except TimeoutError:
                pass

    def _left_s(self) -> float:
        assert self.present is not None
        if self._behind_ms is None:
            return LOOK_AGAIN_S
        return self.present.renew_at_ms / 1_000 - (self._clock() + self._behind_ms / 1_000)

    def _take(
        self, private_key: str, issued: certificate_pb2.IssuedCertificate, gateway: str
    ) -> None:
        made = Credentials(
            private_key=private_key,
            chain=issued.certificate_chain,
            renew_at_ms=issued.renew_at_ms,
            expires_at_ms=issued.expires_at_ms,
            gateway=gateway,
        )
        self._store.take(made)
        self.present = made
        self.heard_time(issued.server_time_ms)
        log.info("the machine has a certificate", machine_id=self._machine_id)

    def _new_backoff(self) -> Backoff:
        return Backoff(self._rng, initial_ms=RETRY_INITIAL_MS, max_ms=RETRY_MAX_MS)
